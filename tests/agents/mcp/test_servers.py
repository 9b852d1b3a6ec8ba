"""What our own file says of servers: names, secrets, hints that only raise."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.mcp.hints import Hints, judged
from agents.mcp.naming import clashes, tool_name
from agents.mcp.servers import Override, Server, flaws, resolved
from agents.toolbox import NAME
from bot.domain.calls import Risk
from bot.domain.errors import BadSettings

HINT = st.sampled_from([None, False, True])
RANK = [Risk.READ, Risk.WRITE, Risk.IRREVERSIBLE]


def tickets(**more: Any) -> Server:
    return Server(**({"name": "tickets", "command": ("serve",)} | more))


# ------------------------------------------------------------------- hints


@given(read_only=HINT, destructive=HINT, idempotent=HINT)
def test_a_server_cannot_talk_its_tools_harmless(
    read_only: bool | None, destructive: bool | None, idempotent: bool | None
) -> None:
    """AU-22: of a tool our file says nothing of, no hint makes anything but one that cannot be taken back."""
    found = judged(tickets(), "search", Hints(read_only, destructive, idempotent))

    assert (found.risk, found.is_idempotent, found.raised) == (Risk.IRREVERSIBLE, False, "")


@given(ours=st.sampled_from(RANK), read_only=HINT, destructive=HINT, idempotent=HINT)
def test_a_hint_only_raises_what_our_file_says(
    ours: Risk, read_only: bool | None, destructive: bool | None, idempotent: bool | None
) -> None:
    """AU-22: the worse of the two holds; and it is said when they differ."""
    server = tickets(tools={"search": Override(risk=ours, idempotent=True)})

    found = judged(server, "search", Hints(read_only, destructive, idempotent))

    assert RANK.index(found.risk) >= RANK.index(ours)
    assert not destructive or found.risk is Risk.IRREVERSIBLE
    assert read_only is not False or found.risk is not Risk.READ
    assert found.is_idempotent is (idempotent is not False)
    assert bool(found.raised) is (found.risk is not ours or not found.is_idempotent)


def test_our_file_alone_makes_a_tool_read_only() -> None:
    """The list, or an override; nothing the server says speaks against it."""
    assert judged(tickets(read_only=("search",)), "search", Hints(True)).risk is Risk.READ
    assert judged(tickets(read_only=("search",)), "search", Hints()).risk is Risk.READ
    assert judged(tickets(read_only=("search",)), "close", Hints(True)).risk is Risk.IRREVERSIBLE


# ------------------------------------------------------------------- names


@given(server=st.from_regex(r"[a-z0-9](?:[a-z0-9-]|_(?=[a-z0-9-])){0,23}", fullmatch=True), tool=st.text(max_size=200))
def test_a_name_is_one_a_model_may_call_and_says_whose_it_is(server: str, tool: str) -> None:
    """Whatever a server calls its tools; what stands before the first `__` is the server."""
    name = tool_name(server, tool)

    assert name is None or (NAME.fullmatch(name) and name.partition("__")[0] == server)


def test_two_servers_never_share_a_name() -> None:
    """`a` with `b__c`, and `a__b` with `c`: the second is no name of a server."""
    assert tool_name("a", "b__c") == "a__b__c"
    for name in ("a__b", "a_", "_a", "A", "", "a.b", "x" * 25):
        assert any("name of a server" in told for told in flaws(tickets(name=name))), name


def test_long_names_stay_apart() -> None:
    """They end in a digest of the whole."""
    one, two = tool_name("a", "x" * 100 + "1"), tool_name("a", "x" * 100 + "2")

    assert one != two
    assert one is not None
    assert len(one) == 64


def test_names_that_become_one_are_refused_and_so_is_one_of_ours() -> None:
    """Nobody guesses which of them is meant; a foreign tool never stands in for another."""
    assert clashes("a", ["b", "c"], ()) == []
    assert clashes("a", ["b.c", "b/c"], ()) == ["its tools b.c and b/c would both be called a__b_c; skip one"]
    assert clashes("a", ["b"], {"a__b"}) == ["its tool b would be called a__b, as another tool is; skip it"]
    assert "no name" in clashes("a", ["\u202e"], ())[0]


# ------------------------------------------------------------------- records


WRONG = [
    (tickets(command=()), "either a command or a url"),
    (tickets(url="http://x"), "either a command or a url"),
    (tickets(command=("serve", "--token=secret:T")), "put it into env"),
    (tickets(command=("serve", "")), "none of them empty"),
    (tickets(headers={"A": "b"}), "headers belong to a url"),
    (tickets(env={"A=B": ""}), "'A=B'"),
    (tickets(timeout=timedelta()), "a timeout lies between"),
    (tickets(tools={"x": Override(timeout=timedelta(hours=2))}), "tool x: a timeout lies between"),
    (tickets(read_only=("x",), tools={"x": Override(risk=Risk.WRITE)}), "x is called read-only, and given another"),
    (Server(name="docs", url="ftp://x"), "http:// or https://"),
    (Server(name="docs", url="https://a:b@x/"), "put it into headers"),
    (Server(name="docs", url="https://x/?k=secret:K"), "put it into headers"),
    (Server(name="docs", url="http://[", headers={}), "cannot be read"),
    (Server(name="docs", url="https://x", headers={"a b": "c"}), "'a b' cannot be a header"),
    (Server(name="docs", url="https://x", headers={"a": "c\r\nd: e"}), "'a' cannot be a header"),
    (Server(name="docs", url="https://x", env={"A": "b"}), "env and cwd belong to a command"),
]


@pytest.mark.parametrize(("server", "told"), WRONG)
def test_a_record_that_cannot_be_used_is_told_in_one_sentence(server: Server, told: str) -> None:
    """And nothing is told of a sound one."""
    assert any(told in one for one in flaws(server))


def test_a_sound_record_has_no_flaw() -> None:
    """Of either kind."""
    assert list(flaws(tickets(env={"TOKEN": "secret:T"}, read_only=("search",)))) == []
    assert list(flaws(Server(name="docs", url="https://x/mcp", headers={"Authorization": "Bearer secret:D"}))) == []


def test_secrets_are_looked_up_when_asked_and_a_missing_one_is_one_sentence() -> None:
    """A whole value, or a part of one."""
    found = resolved({"A": "secret:ONE", "B": "Bearer secret:TWO", "C": "plain"}, {"ONE": "1", "TWO": "2"}.__getitem__)

    assert found == ({"A": "1", "B": "Bearer 2", "C": "plain"}, ("1", "2"))
    empty: dict[str, str] = {}
    for resolve in (empty.__getitem__, lambda _: ""):
        with pytest.raises(BadSettings, match=r"^secret:ONE is not set; put ONE into the environment$"):
            resolved({"A": "secret:ONE"}, resolve)


def test_the_same_server_reached_another_way_is_another_one() -> None:
    """Command, folder, variables, address and headers all count; what our file says of its tools does not."""
    marks = {tickets().mark(), tickets(command=("other",)).mark(), tickets(cwd="/").mark(),
             tickets(env={"A": "b"}).mark(), Server(name="tickets", url="https://x").mark()}  # fmt: skip

    assert len(marks) == 5
    assert tickets(read_only=("search",)).mark() == tickets().mark()
