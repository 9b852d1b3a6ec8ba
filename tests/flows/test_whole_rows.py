"""Rows of the guides that are one story: each is played here from its beginning to its end."""

from __future__ import annotations

import asyncio

from agents.toolbox import tool
from bot.domain.calls import Risk
from bot.domain.ports import Tool
from bot.domain.request import RunId
from bot.domain.run import RunStatus
from bot.runtime.views import RuntimeViews
from tests.flows.stage import (
    Build,
    Hands,
    Played,
    call,
    calls,
    events,
    moves,
    policy,
    request_of,
    run_of,
    settled,
    status,
)
from tests.house import KEY, House, account


class Steps:
    """Steps that each wait until they are let go on."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.began: asyncio.Queue[str] = asyncio.Queue()
        self.may_end: asyncio.Queue[None] = asyncio.Queue()

    @property
    def tools(self) -> tuple[Tool, ...]:
        @tool(risk=Risk.READ)
        async def step(name: str) -> str:
            """Look at something for a while."""
            self.did.append(name)
            self.began.put_nowait(name)
            await self.may_end.get()
            return f"seen {name}"

        return (step,)


async def test_a_run_is_looked_at_redirected_and_stopped_in_its_middle(build: Build) -> None:
    """AS-01, AS-03, AS-17, AS-22: five steps; ana corrects the first, bo reads what it did, ana stops after the second.

    The correction is read before the second step; the third never begins, nor does the model ever hear of it.
    """
    steps, model = Steps(), Played(*(calls(call("step", name=str(n))) for n in range(1, 6)))
    async with build(policy=policy(), tools=steps.tools, model=model) as house:
        thread = await house.mention("ana", "look through the logs of prod")
        run = await run_of(house, thread)
        assert await steps.began.get() == "1"
        await house.say("ana", "use staging not prod", thread=thread)
        steps.may_end.put_nowait(None)
        assert await steps.began.get() == "2"

        seen = await looked_at(house, run)
        assert (await house.press("stop", by="ana", card=status(house))).is_taken

        assert ("step started" in seen, "The tool ended: ok" in seen) == (True, True)
        second = "\n".join(line.text for line in model.asked[1])
        assert "look through the logs of prod" in second
        assert "use staging not prod" in second
        assert "seen 1" in second
        await house.chat.until(lambda: status(house).card.title == "Stopped", "it says that it has stopped")
        assert status(house).card.status == "Stopped after 2 tool calls"
        await house.shows("Stopped by Ana.")
        assert moves(status(house)) == ["steps"]
        assert steps.did == ["1", "2"]
        assert len(model.asked) == 2
        loaded = await house.store.load(run)
        assert loaded is not None
        assert loaded.status is RunStatus.STOPPED
        [stopped] = await events(house, "run_stopped")
        assert stopped["person"] == "ana"
        assert await settled(house)


async def looked_at(house: House, run: RunId) -> list[str]:
    """What anybody reads of a run while it is at work."""
    views = RuntimeViews(house.store, house.engine.parts.toolbox, house.engine.parts.directory, KEY)
    view = await views.run(run, account("bo"))
    assert view is not None
    assert view.stop is not None
    return [moment.text for moment in view.moments]


async def test_what_an_editor_changed_is_what_is_published_and_both_versions_are_on_record(
    build: Build, hands: Hands
) -> None:
    """PP-06, PP-08, GN-05, I8, AU-10: moderation: bo edits what an agent would publish; exactly his text goes out,
    once.

    The audit names both versions by their digests, and which took whose place; the old card is dead.
    """
    turn = calls(call("wire", amount=1, to="Buy now!!! Cheap!!!"))
    rules = policy("groups: [approvers], separate_duties: true")
    async with build(policy=rules, tools=hands.tools, model=Played(turn)) as house:
        await house.mention("ana", "publish the announcement")
        first = await house.card()
        edited = "Our summer sale begins on Friday."

        await house.press("edit", by="bo", card=first, fields={"to": edited})
        second = await house.card(but=[first])
        late = await house.press("approve", by="chris", card=first)
        assert (await house.press("approve", by="chris", card=second)).is_taken

        await house.shows(f"ok wire 1 {edited}")
        assert hands.did == [f"wire 1 {edited}"]
        assert (late.is_taken, late.text) == (False, "This request is already superseded.")
        before, after = await request_of(house, first), await request_of(house, second)
        opened = await events(house, "request_opened")
        assert [(one["request"], one["digest"], one.get("replaces")) for one in opened] == [
            (before.id, before.call.digest, None),
            (after.id, after.call.digest, before.id),
        ]
        assert before.call.digest != after.call.digest
        [started] = await events(house, "tool_started")
        assert started["digest"] == after.call.digest
        assert await settled(house)


async def test_a_rule_of_compliance_wants_two_people_and_a_reason_from_each(build: Build, hands: Hands) -> None:
    """A2-05, AU-27: Approve without a reason is sent back beside its field; one approval is 1 of 2; both reasons
    are kept, and the card says why the rule asks.
    """
    rules = policy("groups: [{of: approvers, need: 2}], reason: always", more="    because: compliance")
    async with build(policy=rules, tools=hands.tools, model=Played(calls(call("wire", amount=90)))) as house:
        await house.mention("ana", "pay the lawyer")
        card = await house.card()

        bare = await house.press("approve", by="bo", card=card)
        empty = await house.press("approve", by="bo", card=card, fields={"reason": "  "})
        first = await house.press("approve", by="bo", card=card, fields={"reason": "the contract is signed"})

        assert (bare.is_taken, empty.is_taken) == (False, False)
        assert empty.problems == {"reason": "Please say why."}
        assert first.text == "Counted: 1 of 2; still needed: approvers."
        assert not hands.did
        await house.press("approve", by="chris", card=card, fields={"reason": "the budget allows it"})
        await house.shows("ok wire 90 bank")
        votes = [(vote["person"], vote["reason"]) for vote in await events(house, "vote_counted")]
        assert votes == [("bo", "the contract is signed"), ("chris", "the budget allows it")]
        facts = {fact.label: fact.value for fact in card.card.facts}
        assert "compliance" in facts["Why a person is asked"]
        assert await settled(house)


async def test_twenty_quick_steps_are_seen_from_their_beginning_to_their_end(build: Build, hands: Hands) -> None:
    """AU-09: at work, waiting for people with a card beside it, done: one status message, and no step is a post."""
    steps = (calls(*(call("peek", what=f"{turn}.{n}") for n in range(5))) for turn in range(4))
    model = Played(*steps, calls(call("wire", amount=9)))
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "look at everything, then pay")
        await house.press("approve", by="bo")
        await house.shows("ok wire 9 bank")
        assert await settled(house)

        titles = [card.title for card in status(house).cards]
        assert titles[0] == "Working"
        assert "Waiting" in titles
        assert titles[-1] == "Done"
        assert len(hands.did) == 21
        assert len(house.chat.posts) == 3, "a status, a card, an answer"
