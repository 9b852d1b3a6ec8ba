"""The start, the end and the doctor; and servers that mean no good."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agents.mcp.opening import examined, opened
from agents.mcp.servers import Override, Server
from agents.mcp.session import Pace
from bot.domain.calls import Outcome, Risk
from bot.domain.errors import BadSettings
from tests.agents.given import call_of, leave_for, named, run
from tests.agents.mcp.given import QUICK, ROOT, SEARCH, Desk, is_alive, is_running, no_secrets, rough, tools_of, until

HASTY = Pace(connect=1.0, first_pause=0.01, longest_pause=0.05, fresh=0.0)
NOWHERE = Server(name="docs", command=("no-such-program-here",))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def refusal(*servers: Server, taken: tuple[str, ...] = (), pace: Pace = QUICK) -> list[str]:
    with pytest.raises(BadSettings) as refused:
        async with opened(servers, no_secrets, taken=taken, pace=pace):
            pass
    return refused.value.problems


async def test_without_servers_the_library_is_not_even_loaded() -> None:
    """The start stays light."""
    program = "import sys, agents.mcp.opening; print('mcp' in sys.modules, 'jsonschema' in sys.modules)"
    told = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )

    async with opened((), no_secrets) as tools:
        assert tools == ()
    assert told.stdout.split() == ["False", "False"]


async def test_a_server_that_cannot_be_used_keeps_the_bot_from_starting(desk: Desk) -> None:
    """Fail closed: everything that is wrong is told at once, and what was opened is closed again."""
    secret = desk.server(name="secret", env={"TOKEN": "secret:T"})

    told = await refusal(desk.server(read_only=("serch",)), NOWHERE, secret, rough("crash"))

    assert told == [
        "mcp: desk: it has no tool serch; did you mean search?",
        "mcp: docs: its command no-such-program-here cannot be started (No such file or directory);"
        " make it reachable, or say that it is optional",
        "mcp: secret: secret:T is not set; put T into the environment",
        "mcp: rough: its process ended, or said nothing that can be read; run its command by hand to see why;"
        " make it reachable, or say that it is optional",
    ]
    assert not is_alive(desk.pid)


async def test_an_optional_server_may_be_away(desk: Desk) -> None:
    """Its tools are missing; the others are there."""
    away = Server(name="docs", command=NOWHERE.command, optional=True)
    async with opened((away, desk.server()), no_secrets, pace=QUICK) as tools:
        assert {name.partition("__")[0] for name in named(tools)} == {"desk"}


async def test_two_servers_never_mix(desk: Desk) -> None:
    """The same tools under two names; two servers of one name are refused before anything is started."""
    async with opened((desk.server(), rough("plain")), no_secrets, pace=QUICK) as tools:
        by_name = named(tools)
        ours, theirs = await run(by_name["desk__search"], {"query": "x"}), await run(by_name["rough__search"], {})

    assert (ours.text, theirs.text) == ('search {"most": 5, "query": "x"}', "answer 0")
    assert await refusal(desk.server(), rough("plain", name="desk")) == ["mcp: desk: two servers have this name"]


async def test_a_foreign_tool_never_stands_in_for_another() -> None:
    """Not for one of ours, nor one of two for the other; what our file skips is in nobody's way."""
    assert await refusal(rough("plain"), taken=("rough__search",)) == [
        "mcp: rough: its tool search would be called rough__search, as another tool is; skip it"
    ]
    assert await refusal(rough("twins")) == [
        "mcp: rough: its tools a.b and a/b would both be called rough__a_b; skip one"
    ]
    async with tools_of(rough("twins", tools={"a.b": Override(skip=True)})) as tools:
        assert list(tools) == ["rough__a_b"]


async def test_a_schema_that_leads_elsewhere_is_refused_and_may_be_skipped(desk: Desk) -> None:
    """Nothing is fetched."""
    desk.offers({**SEARCH, "inputSchema": {"type": "object", "properties": {"a": {"$ref": "http://evil.example/"}}}})

    assert await refusal(desk.server()) == [
        "mcp: desk: its tool search cannot be used: its schema refers to another document; nothing is fetched; skip it"
    ]


# ------------------------------------------------------------------- the end


async def test_nothing_is_left_of_a_server_when_the_bot_ends(desk: Desk) -> None:
    """No process, no open file; also of one that does not want to go, and when the bot is cancelled."""
    before = len(os.listdir("/proc/self/fd"))
    for mode in ("plain", "junk"):
        async with tools_of(rough(mode)):
            pass
    told = asyncio.Event()

    async def bot() -> None:
        async with tools_of(desk.server()):
            told.set()
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        running = group.create_task(bot(), name="bot")
        await told.wait()
        running.cancel()

    assert not is_alive(desk.pid)
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_a_server_that_does_not_want_to_go_is_ended_with_its_children() -> None:
    """Neither a closed stdin nor TERM moves it; its child holds its pipes."""
    async with tools_of(rough("stubborn")) as tools:
        pids = [int(one) for one in tools["rough__search"].spec.version.split()[1].split("-")]
        assert all(map(is_alive, pids))

    assert len(pids) == 2
    await until(lambda: not any(map(is_running, pids)))


# ------------------------------------------------------------------- rough ones


async def test_junk_between_messages_is_passed_over() -> None:
    """A banner on stdout, and an answer to nothing."""
    async with tools_of(rough("junk")) as tools:
        assert (await run(tools["rough__search"], {})).text == "answer 0"


async def test_an_endless_message_ends_the_connection_and_the_next_call_has_a_new_one() -> None:
    """T18: ten megabytes in one line; what acts is in doubt."""
    async with tools_of(rough("flood")) as tools:
        first, second = await run(tools["rough__search"], {}), await run(tools["rough__search"], {})

    assert (first.outcome, second.outcome) == (Outcome.UNKNOWN, Outcome.UNKNOWN)


async def test_a_server_that_never_answers_is_given_up() -> None:
    """At the start, within the time there is; and it is ended though it does not want to."""
    assert await refusal(rough("mute"), pace=HASTY) == [
        "mcp: rough: it gave no answer in time; make it reachable, or say that it is optional"
    ]
    assert await refusal(rough("endless")) == ["mcp: rough: its list of tools has no end"]
    assert "no name that can be written here" in (await refusal(rough("nameless")))[0]


async def test_a_tool_that_announces_its_change_is_another_one_at_once() -> None:
    """I1: by the older protocol; before any call, its spec says so."""
    async with tools_of(rough("changes")) as tools:
        search = tools["rough__search"]
        signed = call_of(search, {})
        await run(search, {})
        await until(lambda: search.spec.version != signed.version)

        result = await search.run(signed, leave_for(signed))

        assert result.outcome is Outcome.NOT_RUN
        assert search.spec.description == "Looks 1."
        assert (await run(search, {})).outcome is Outcome.OK


# ------------------------------------------------------------------- the doctor


async def test_the_doctor_says_of_each_server_what_it_found(desk: Desk) -> None:
    """Good, weak and bad, a sentence each."""
    desk.offers({**SEARCH, "annotations": {"readOnlyHint": False}})
    away = Server(name="docs", command=NOWHERE.command, optional=True)
    servers = (desk.server(read_only=("search",)), away, Server(name="Bad"), rough("crash"))

    found = await examined(servers, no_secrets, pace=QUICK)

    assert [(one.server, one.is_bad, one.is_weak) for one in found] == [
        ("Bad", True, False),
        ("Bad", True, False),
        ("desk", False, False),
        ("desk", False, True),
        ("docs", False, True),
        ("rough", True, False),
    ]
    assert found[2].text == "mcp: desk (desk 1.0) offers 1 tools, 0 of them read-only"
    assert "our file calls it read, but the server says that it changes things" in found[3].text
    assert Risk.WRITE in found[3].text
    assert not is_alive(desk.pid)
