"""`python -m bot policy try`: a changed policy, tried on the calls that a house has recorded.

One house for most: it has listed, written twice (approved, rejected), and wanted to delete (refused) and to post
(handed over).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli import app
from bot.domain.errors import BadPolicy
from bot.domain.grant import GIVE
from bot.domain.ports import RunContext
from bot.domain.recorded import Was
from bot.domain.run import Task
from bot.policytry import OTHER_TOOL, STRANGER, UNRECORDED, Trial, as_text, code_of, tried
from bot.runtime.recalling import recalled
from tests.flows.stage import Build, Hands, Played, call, calls, moves, quiet
from tests.house import KEY, House

NOW = """\
hints: []
defaults:
  ask: {groups: [approvers]}
  ladder: [{after: 4h, expire: true}]
rules:
  - {id: reading, when: tool.risk == "read", allow: true}
  - {id: never, when: tool.name == "delete_file", deny: not here}
  - {id: posting, when: tool.name == "http_post", escalate: {to: managers, suggestion: wait}}
  - {id: writing, when: 'tool.name == "write_file"', ask: {groups: [approvers]}}
"""
CANARY = "canary-7f3a"
TURN = calls(
    call("list_files"),
    call("write_file", path="a.txt", content=CANARY),
    call("write_file", path="b.txt", content=CANARY),
    call("delete_file", path="c.txt"),
    call("http_post", url="https://a.example/", body=CANARY),
)
STRICTER = NOW.replace("deny: not here", "deny: nor there").replace(
    "ask: {groups: [approvers]}}\n", "ask: {groups: [{of: approvers, need: 2}]}}\n"
)
SMALL = """
  - id: small
    when: tool.name == "write_file" && args.path == "a.txt"
    allow: true"""
FREER = NOW.replace("rules:", f"rules:{SMALL}")
NEVER = """{id: never, when: tool.name == "delete_file", deny: not here}"""
COUNTING = """{{id: never, deny: nope, when: 'tool.name == "delete_file" && history.exists(h, h.tool == "{tool}")'}}"""
OTHERS = NOW.replace("ask: {groups: [approvers]}}\n", "ask: {groups: [managers]}}\n")


PEOPLE = """
people:
  bo: {name: Bo, groups: [approvers], accounts: {playground: bo}}
  dana: {name: Dana, groups: [managers], accounts: {playground: dana}}
"""


class Coded:
    """An agent of code: it lists, and writes."""

    name, tools = "coded", ("list_files", "write_file")

    async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # an agent's signature
        await ctx.use((call("list_files"),))
        (result,) = await ctx.use((call("write_file", path="a.txt", content="x"),))
        return result.text


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, redis_url: str, namespace: str, tmp_path: Path) -> Path:
    """The settings of a command that looks at the house's store, and the policy that holds."""
    (tmp_path / "policy.yml").write_text(NOW)
    for name, value in {
        "REDIS_URL": redis_url,
        "COUNTERSIGN_NAMESPACE": namespace,
        "COUNTERSIGN_KEY": KEY.decode(),
        "COUNTERSIGN_SHARDS": "1",
        "COUNTERSIGN_VAR": str(tmp_path / "var"),
        "COUNTERSIGN_POLICY": str(tmp_path / "policy.yml"),
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture
async def house(build: Build, files: Path) -> AsyncIterator[House]:
    assert files
    async with build(policy=NOW, model=Played(TURN)) as house:
        await house.mention("ana", "list, write, delete and post")
        first = await house.card()
        second = await house.card(but=[first])
        await house.press("approve", by="bo", card=first)
        await house.press("reject", by="bo", card=second, fields={"reason": "no"})
        await house.press("direct", by="dana", card=await house.card("direct"), fields={"text": "leave it"})
        await quiet(house)
        yield house


async def trial(files: Path, new: str, since: str = "30d", most: int = 100) -> Trial:
    (files / "new.yml").write_text(new)
    return await tried(files / "new.yml", since, most)


def found(trial: Trial) -> dict[str, int]:
    return {change.told: len(examples) for change, examples in trial.rows.items()}


async def test_the_same_policy_changes_nothing(house: House, files: Path) -> None:
    """PN-07: every call is there, whatever became of it, and is judged as it was then."""
    assert house
    same = await trial(files, NOW)

    assert same.was == {"let through": 1, "asked": 2, "refused": 1, "handed over": 1}
    assert (found(same), same.unjudged, same.unlike, same.partly) == ({}, {}, 0, 0)
    assert code_of(same) == 0
    assert as_text(same).splitlines()[-1] == "No call that was judged would get less care."


async def test_a_stricter_policy_is_told_and_is_no_failure(house: House, files: Path) -> None:
    """PN-07: exit 0; another reason to refuse is no change."""
    assert house
    stricter = await trial(files, STRICTER)

    assert found(stricter) == {"asks with other approvers, only stricter": 2}
    assert code_of(stricter) == 0


async def test_what_would_run_unasked_is_told_first_with_its_run_and_no_argument(house: House, files: Path) -> None:
    """PN-07, T20: exit 1; tool, rules, run and time of each, and nothing that was written."""
    (run,) = await house.store.recent_runs(0, 5)
    freer = await trial(files, FREER)
    text = as_text(freer)

    assert found(freer) == {"asks people -> runs by itself": 1}
    assert code_of(freer) == 1
    assert "  write_file  rule writing -> small  " + run in text
    assert text.splitlines()[-1] == "LESS CARE: 1 recorded call would run unasked that would not now."
    assert CANARY not in text
    assert "a.txt" not in text


async def test_other_approvers_are_neither_stricter_nor_unasked(house: House, files: Path) -> None:
    """PN-07: exit 3."""
    assert house
    others = await trial(files, OTHERS)

    assert found(others) == {"asks with other approvers": 2}
    assert code_of(others) == 3


async def test_what_was_refused_or_handed_over_counts_as_well(house: House, files: Path) -> None:
    """PN-07: the call behind an escalation is the one its agent wanted."""
    assert house
    asking = NOW.replace("deny: not here", "ask: {groups: [approvers]}")
    changed = await trial(files, asking.replace("escalate: {to: managers, suggestion: wait}", "deny: never"))

    assert found(changed) == {"is refused -> asks people": 1, "is handed over -> is refused": 1}
    assert code_of(changed) == 3


async def test_a_rule_that_counts_earlier_calls_sees_those_of_the_run(house: House, files: Path) -> None:
    """PN-07: the history of each call is put together again, from the request or from audit and journal."""
    assert house
    seen, unseen = COUNTING.format(tool="list_files"), COUNTING.format(tool="read_file")

    assert found(await trial(files, NOW.replace(NEVER, seen))) == {}
    assert found(await trial(files, NOW.replace(NEVER, unseen))) == {"is refused -> asks people": 1}


async def test_what_cannot_be_read_again_is_counted_and_not_judged(
    build: Build, hands: Hands, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PN-07: a tool that is not here any more, and a person whom nobody lists."""
    model = Played(calls(call("peek", what="x"), call("list_files")))
    async with build(policy=NOW, tools=hands.tools, model=model) as house:
        await house.mention("ana", "look")
        await quiet(house)

        told = await trial(files, FREER)
        (files / "people.yml").write_text(PEOPLE)
        monkeypatch.setenv("COUNTERSIGN_PEOPLE", str(files / "people.yml"))
        strange = await trial(files, FREER)

    assert told.was == {"let through": 2}
    assert told.unjudged == {OTHER_TOOL: 1}
    assert strange.unjudged == {OTHER_TOOL: 1, STRANGER: 1}
    assert "Nothing was tried" in as_text(strange)


async def test_what_an_agent_of_code_did_unasked_is_not_guessed(build: Build, files: Path) -> None:
    """PN-07: no model wrote its arguments down; what it was asked about stands in the request."""
    async with build(policy=NOW, agents=[Coded()], model=Played()) as house:
        await house.mention("ana", "look and write")
        await house.press("approve", by="bo", card=await house.card())
        await quiet(house)

        told = await trial(files, FREER)

    assert told.was == {"let through": 1, "asked": 1}
    assert told.unjudged == {UNRECORDED: 1}
    assert found(told) == {"asks people -> runs by itself": 1}
    assert told.partly == 0  # what was asked came with its history


async def test_only_the_newest_calls_of_the_span_are_read_and_that_is_said(house: House, files: Path) -> None:
    """T18: bounded by number and by time."""
    few = await trial(files, NOW, most=2)
    house.clock.advance(hours=2)
    await house.store.beat("a process", timedelta(seconds=1))
    toolbox = house.engine.parts.toolbox
    none = await recalled(house.store, toolbox, house.store.now() - timedelta(minutes=1), most=9, records=100)

    assert few.calls == 2
    assert "Older calls were not read" in as_text(few)
    assert none.calls == ()


async def test_each_call_comes_as_it_was_judged(house: House) -> None:
    """PN-07: what was let through has the arguments that ran; of what was asked, the request has them."""
    toolbox = house.engine.parts.toolbox
    read = await recalled(house.store, toolbox, house.store.now() - timedelta(hours=1), most=9, records=100)
    by_was = {one.was: one.made for one in read.calls if one.made is not None}

    assert json.loads(by_was[Was.LET].call.args) == {"path": "."}
    assert {one.made.requester for one in read.calls if one.made} == {"ana"}
    assert by_was[Was.HANDED].call.tool == "http_post"


async def test_a_policy_that_cannot_be_used_is_told_like_any_other(files: Path) -> None:
    """PN-07: its own problems, with their places; the command ends with 2."""
    with pytest.raises(BadPolicy) as told:
        await trial(files, NOW.replace("approvers", "aprovers").replace("delete_file", "delete_fil"))

    assert any(problem.startswith("new.yml:7:") and "delete_fil" in problem for problem in told.value.problems)
    with pytest.raises(BadPolicy, match=r"nowhere\.yml:1:1: cannot be read"):
        await tried(files / "nowhere.yml", "30d", 5)


async def test_the_command_ends_with_its_code(house: House, files: Path) -> None:
    """PN-07: for a pipeline that guards the file."""
    assert house
    (files / "new.yml").write_text(FREER)

    done = await asyncio.to_thread(CliRunner().invoke, app, ["policy", "try", str(files / "new.yml"), "--since", "1d"])

    assert done.exit_code == 1
    assert "asks people -> runs by itself" in done.stdout


async def test_what_ran_on_a_grant_is_judged_as_what_its_rule_asks(build: Build, files: Path) -> None:
    """PN-07: nobody was asked about the second one, and by its rule people would have been."""
    free = NOW.replace("ask: {groups: [approvers]}}\n", "ask: {groups: [approvers], grant: {most: 5, within: 8h}}}\n")
    turns = [calls(call("write_file", path=path, content="x")) for path in ("a.txt", "b.txt")]
    (files / "policy.yml").write_text(free)
    async with build(policy=free, model=Played(*turns)) as house:
        await house.mention("ana", "write both")
        card = await house.card("offer")
        form = {"scope": "this run", "until": "1 hour", "most": "2", "exact": "no"}
        await house.press("offer", by="bo", card=card, fields=form)
        await house.chat.until(lambda: any(move.startswith(GIVE) for move in moves(card)), "a card that can be given")
        await house.press(next(move for move in moves(card) if move.startswith(GIVE)), by="bo", card=card)
        await quiet(house)

        told = await trial(files, NOW)

    assert told.was == {"asked": 1, "run on a grant": 1}
    assert found(told) == {"asks with other grants or batches, only stricter": 2}
    assert told.unlike == 0


async def test_a_call_that_somebody_changed_stands_there_as_both(build: Build, files: Path) -> None:
    """PN-07: the call that its agent wanted, and the one that a person made of it and signed."""
    model = Played(calls(call("write_file", path="b.txt", content="x")))
    async with build(policy=NOW, model=model) as house:
        await house.mention("ana", "write")
        await house.card()
        await house.press("edit", by="chris", fields={"path": "a.txt", "content": "x"})
        await quiet(house)

        told = await trial(files, FREER)

    assert told.was == {"asked": 2}
    assert found(told) == {"asks people -> runs by itself": 1}
