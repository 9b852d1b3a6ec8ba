"""A real server over streamable HTTP on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from agents.mcp.opening import examined, opened
from agents.mcp.servers import Server
from bot.domain.calls import Outcome
from bot.domain.errors import BadSettings
from tests.agents.given import call_of, leave_for, run
from tests.agents.mcp.given import CANARY, QUICK, SEARCH, Desk, no_secrets, over_http, tool_named, tools_of, url
from tests.fakes.loopback import answering


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_tools_behind_an_address_are_the_same_tools(desk: Desk) -> None:
    """AU-22, I1: called, changed, and then not run."""
    async with over_http(desk), tools_of(Server(name="web", url=url(desk))) as tools:
        search = tools["web__search"]
        result = await run(search, {"query": "x"})
        signed = call_of(search, {"query": "y"})
        desk.offers({**SEARCH, "description": "Another."})
        changed = await search.run(signed, leave_for(signed))

    assert (result.outcome, result.text) == (Outcome.OK, 'search {"most": 5, "query": "x"}')
    assert (changed.outcome, len(desk.calls)) == (Outcome.NOT_RUN, 1)


async def test_a_server_behind_an_address_may_be_restarted(desk: Desk) -> None:
    """I2: it dies in the middle (in doubt, sent once), is away (nothing sent), and is there again."""
    async with over_http(desk) as first, tools_of(Server(name="web", url=url(desk))) as tools:
        died = await run(tools["web__die"], {})
        await first.wait()
        away = await run(tools["web__close"], {})
        async with over_http(desk):
            back = await run(tools["web__search"], {"query": "x"})
            if back.outcome is Outcome.ERROR:  # asked in a pause: nothing was sent
                back = await run(tools["web__search"], {"query": "x"})

    assert (died.outcome, away.outcome, back.outcome) == (Outcome.UNKNOWN, Outcome.ERROR, Outcome.OK)
    assert away.text.endswith("nothing answers at its url. Nothing was sent.")
    assert [name for name, _ in desk.calls] == ["die", "search"]


async def test_what_a_server_says_is_bounded_here_too(desk: Desk) -> None:
    """T18: ten megabytes."""
    desk.offers(tool_named("big"))

    async with over_http(desk), tools_of(Server(name="web", url=url(desk), read_only=("big",))) as tools:
        result = await run(tools["web__big"], {})

    assert (result.outcome, len(result.text) < 1_000) == (Outcome.ERROR, True)


# ------------------------------------------------------------------- strange hosts


class Host:
    """An address that is no MCP server, and what it was sent."""

    def __init__(self, answer: web.Response) -> None:
        self.answer, self.keys, self.url = answer, set[str](), ""


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async def hit(request: web.Request) -> web.StreamResponse:
        made.keys.add(request.headers.get("Authorization", ""))
        return web.Response(body=made.answer.body, status=made.answer.status, headers=made.answer.headers)

    made = Host(web.Response(status=401))
    async with answering(hit) as base:
        made.url = f"{base}/mcp"
        yield made


STRANGE = [
    web.Response(status=401),
    web.Response(text=CANARY, content_type="text/html"),
    web.Response(text=CANARY, content_type="application/json"),
    web.Response(body=b"[" * 5_000_000, content_type="application/json"),
    web.Response(body=b"x", content_type="application/json", headers={"Content-Encoding": "gzip"}),
    web.Response(status=307, headers={"Location": "http://localhost:1/"}),
]


@pytest.mark.parametrize("answer", STRANGE)
async def test_a_host_that_is_no_server_is_told_in_one_sentence(
    host: Host, answer: web.Response, capsys: pytest.CaptureFixture[str]
) -> None:
    """T18, T20: refused, wrong, endless, packed, sending us elsewhere; the secret goes there, and into no sentence."""
    host.answer = answer
    server = Server(name="web", url=host.url, headers={"Authorization": "Bearer secret:KEY"})

    with pytest.raises(BadSettings) as refused:
        async with opened((server,), {"KEY": CANARY}.__getitem__, pace=QUICK):
            pass

    assert host.keys == {f"Bearer {CANARY}"}
    assert str(refused.value).startswith("mcp: web: ")
    assert CANARY not in str(refused.value) + "".join(capsys.readouterr())


async def test_the_doctor_sees_headers_on_an_open_road(desk: Desk) -> None:
    """And says what it found there; `no_secrets` is not even asked for a plain value."""
    async with over_http(desk):
        found = await examined((Server(name="web", url=url(desk), headers={"X-Team": "a"}),), no_secrets, pace=QUICK)

    assert [(one.text, one.is_bad, one.is_weak) for one in found] == [
        ("mcp: web (desk 1.0) offers 4 tools, 0 of them read-only", False, False),
        ("mcp: web: its headers travel unencrypted; use https", False, True),
    ]
