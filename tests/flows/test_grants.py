"""Grants from end to end: drawn up on a card, given with an approval, used, used up, ended, revoked.

`tidy` is a tool that only writes; whoever may sign it may allow more of it. `wire` moves money: nobody may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from agents.toolbox import tool
from bot.domain.calls import Risk
from bot.domain.chat import Answer
from bot.domain.grant import GIVE, Grant
from bot.domain.ports import Leave, Line, Said, Tool
from bot.domain.run import Begun
from bot.runtime.granted import shard_of
from bot.runtime.views import RuntimeViews
from tests.fakes.chat import Posted
from tests.flows.doors import answered_never, around
from tests.flows.stage import (
    HASTY,
    STEADY,
    Build,
    Hands,
    Played,
    Staff,
    call,
    calls,
    events,
    moves,
    policy,
    quiet,
    request_of,
    settled,
    shown,
    thread_on,
)
from tests.house import KEY, House, account, words

FORM: dict[str, object] = {"scope": "this thread", "until": "1 hour", "most": "2", "exact": "no"}
BOUNDS = "grant: {most: 5, within: 8h, same: [what]}"


def sign(ask: str = "groups: [approvers]") -> str:
    """Everything that is not reading is asked about; the rule lets who signs allow more of it."""
    return policy(ask=f"{ask}, {BOUNDS}")


def tidies(*things: str) -> Said:
    """One turn: "desk gently" is tidied with one argument that a grant fixes and one that it leaves open."""
    pairs = [each.partition(" ")[::2] for each in things]
    return calls(*(call("tidy", what=what, how=how or "well") for what, how in pairs))


def tools(hands: Hands, *, risk: Risk = Risk.WRITE, touches: tuple[str, ...] = ()) -> tuple[Tool, ...]:
    wire, _, peek = hands.tools

    @tool(risk=risk, touches=touches, idempotent=True)
    async def tidy(what: str, leave: Leave, how: str = "well") -> str:  # noqa: ARG001  # how does not matter here
        """Put something in order."""
        return await hands.do(f"tidy {what}", leave)

    return wire, tidy, peek


class Tasks:
    """A model whose every task is one turn of calls: whatever the thread is asked next is done in the same way."""

    name = "tasks"

    def __init__(self, *turns: Said) -> None:
        self._turns = list(turns)
        self.read: list[str] = []

    async def think(self, lines: Sequence[Line], tools: Any, *, on_text: Any = None) -> Said:  # noqa: ARG002  # the port's
        told = [line.text for line in lines if line.role == "tool"]
        self.read += told
        return Said(text=f"Results: {' / '.join(told)}") if told or not self._turns else self._turns.pop(0)


async def drawn_up(house: House, by: str = "bo", *, but: Sequence[Posted] = (), **fields: object) -> Posted:
    """Put terms on the newest card."""
    card = await house.card("offer", but=but)
    answer = await house.press("offer", by=by, card=card, fields=FORM | fields)
    assert answer.is_taken, answer
    await house.chat.until(lambda: any(move.startswith(GIVE) for move in moves(card)), "a card that can be given")
    return card


async def give(house: House, by: str, card: Posted, **options: Any) -> Answer:
    return await house.press(next(move for move in moves(card) if move.startswith(GIVE)), by=by, card=card, **options)


async def given(house: House, by: str = "bo", *, but: Sequence[Posted] = (), **fields: object) -> Posted:
    card = await drawn_up(house, by, but=but, **fields)
    assert (await give(house, by, card)).is_taken
    return card


async def once_given(house: House) -> tuple[str, Posted]:
    """A task that has ended, in whose thread more is allowed now; and the card on which that was given."""
    thread = await house.mention("ana", "tidy up")
    card = await given(house)
    await quiet(house)
    return thread, card


async def grants(house: House, viewer: str = "bo") -> tuple[Grant, ...]:
    parts = house.engine.parts
    return await RuntimeViews(house.store, parts.toolbox, parts.directory, KEY).grants(account(viewer))


async def leaves(house: House) -> list[object]:
    """By which rules calls were let through."""
    return [str(one["rule"]).partition(":")[0] for one in await events(house, "call_allowed")]


# ----------------------------------------------------------- given and used


async def test_what_was_allowed_runs_and_is_asked_about_again_when_it_is_used_up(build: Build, hands: Hands) -> None:
    """PN-06, PP-09, AS-20, GN-01, T07: one card for three calls; the first was approved, two ran on the grant, the
    fourth asks.
    """
    model = Played(tidies("desk"), tidies("desk gently"), tidies("desk twice"), tidies("desk at last"))
    async with build(policy=sign(), tools=tools(hands), model=model) as house:
        await house.mention("ana", "tidy up")
        first = await given(house)

        again = await house.card("approve", but=[first])

        assert hands.did == ["tidy desk"] * 3
        assert await leaves(house) == ["grant", "grant"]
        await house.shows("tidy runs without being asked about: allowed by Bo's grant, 1 of 2 left")
        await house.shows("allowed by Bo's grant, 0 of 2 left")
        assert await grants(house) == ()
        await house.press("approve", by="bo", card=again)
        await house.shows("Results:")
        assert await settled(house)
        assert len(await events(house, "request_opened")) == 2


async def test_the_card_says_what_would_be_allowed_before_anybody_gives_it(build: Build, hands: Hands) -> None:
    """PN-06, T07: shown verbatim: what it matches, how often, until when, and how many earlier calls it would have
    matched.
    """
    model = Played(tidies("desk"), tidies("shelf"), tidies("desk"))
    async with build(policy=sign(), tools=tools(hands), model=model) as house:
        await house.mention("ana", "tidy up")
        first = await house.card()
        await house.press("approve", by="bo", card=first)
        second = await house.card("approve", but=[first])
        await house.press("approve", by="bo", card=second)

        card = await drawn_up(house, but=[first, second])

        block = next(block for block in card.card.blocks if block.label == "What would be allowed from now on")
        assert 'tidy, version 1, where what = "desk", whatever its other arguments are' in block.text
        assert "asked for by Ana through assistant, no other agent, in this thread: at most 2 times" in block.text
        assert "Of the last 2 calls of tidy that I could look at, 1 would have matched." in block.text
        assert not await events(house, "grant_given")
        await house.press("approve", by="bo", card=card)
        await house.shows("Results:")
        assert await settled(house)
        assert not await grants(house), "Approve alone approves alone"
        assert "from now on" not in words(card)


async def test_the_preview_counts_calls_of_agents_that_no_model_plays(build: Build, hands: Hands) -> None:
    class Tidier:
        name, tools = "tidier", ("tidy",)

        async def __call__(self, task: object, ctx: Any) -> str:  # noqa: ARG002  # the port's signature
            for what in ("desk", "shelf", "desk", "shelf"):
                await ctx.use((call("tidy", what=what),))
            return "Tidy."

    async with build(policy=sign(), tools=tools(hands), agents=(Tidier(),)) as house:
        await house.mention("ana", "tidy up")
        seen: list[Posted] = []
        for _ in range(3):
            seen.append(await house.card("approve", but=seen))
            await house.press("approve", by="bo", card=seen[-1])

        card = await drawn_up(house, but=seen)

        assert "Of the last 3 calls of tidy that I could look at, 1 would have matched." in words(card)


async def test_the_preview_counts_calls_of_every_thread(build: Build, hands: Hands) -> None:
    """T07: threads are spread over shards; the number says how wide a grant is, so all of them are looked at."""
    model = Tasks(tidies("desk"), tidies("desk"), tidies("shelf"), tidies("desk"))
    async with build(policy=sign(), tools=tools(hands), model=model, shards=8) as house:
        seen: list[Posted] = []
        for shard in range(3):
            await house.mention("ana", "tidy up", thread=thread_on(house, shard))
            seen.append(await house.card("approve", but=seen))
            await house.press("approve", by="bo", card=seen[-1])  # while it waited, the same would not be asked again
        await house.mention("ana", "tidy up once more", thread=thread_on(house, 3))

        card = await drawn_up(house, but=seen)

        assert [shard_of((await request_of(house, one)).id) for one in (*seen, card)] == [0, 1, 2, 3]
        assert "Of the last 3 calls of tidy that I could look at, 2 would have matched." in words(card)


async def test_other_arguments_are_asked_about(build: Build, hands: Hands) -> None:
    """T07: the value that the policy binds is part of what was given, whatever the form says."""
    async with build(policy=sign(), tools=tools(hands), model=Played(tidies("desk"), tidies("safe"))) as house:
        await house.mention("ana", "tidy up")
        first = await given(house)

        second = await house.card("approve", but=[first])

        assert '"safe"' in words(second)
        assert hands.did == ["tidy desk"]


async def test_a_grant_of_a_thread_serves_its_next_task_and_no_other_thread(build: Build, hands: Hands) -> None:
    """PN-06, PP-09: it lives in the thread where it was given, for whoever gave the task."""
    model = Tasks(tidies("desk"), tidies("desk"), tidies("desk"), tidies("desk"))
    async with build(policy=sign(), tools=tools(hands), model=model) as house:
        thread, first = await once_given(house)

        await house.mention("ana", "once more", thread=thread)
        await quiet(house)
        await house.mention("bo", "and again", thread=thread)
        other = await house.card("approve", but=[first])
        await house.mention("ana", "somewhere else")
        elsewhere = await house.card("approve", but=[first, other])

        assert hands.did == ["tidy desk"] * 2
        assert {other.place.thread == thread, elsewhere.place.thread == thread} == {True, False}
        assert await leaves(house) == ["grant"]
        assert await house.is_sound()


async def test_a_grant_of_a_run_ends_with_it(build: Build, hands: Hands) -> None:
    model = Tasks(tidies("desk"), tidies("desk"))
    async with build(policy=sign(), tools=tools(hands), model=model) as house:
        thread = await house.mention("ana", "tidy up")
        first = await given(house, scope="this run")
        await quiet(house)
        assert await grants(house) == (), "a grant of a run that has ended allows nothing"

        await house.mention("ana", "once more", thread=thread)
        await house.card("approve", but=[first])

        assert hands.did == ["tidy desk"]


async def test_a_grant_ends_by_the_stores_clock(build: Build, hands: Hands) -> None:
    """PN-06, T31: nobody else's time is asked."""
    model = Tasks(tidies("desk"), tidies("desk"))
    async with build(policy=sign(), tools=tools(hands), model=model) as house:
        thread, first = await once_given(house)
        assert len(await grants(house)) == 1

        house.clock.advance(hours=1)
        await house.mention("ana", "once more", thread=thread)

        await house.card("approve", but=[first])
        assert hands.did == ["tidy desk"]
        assert await grants(house) == ()


async def test_two_calls_of_one_turn_for_the_last_use_one_is_asked_about(build: Build, hands: Hands) -> None:
    """I1: both looked before either began; the store lets one begin, and the other is put to people."""
    model = Played(tidies("desk"), tidies("desk gently", "desk twice"))
    async with build(policy=sign(), tools=tools(hands), model=model) as house:
        together = asyncio.Barrier(2)

        async def both(_thread: object, *_: object) -> None:
            if len(hands.did) == 1 and together.n_waiting < 2 and not together.broken:
                await together.wait()

        await house.mention("ana", "tidy up")
        first = await drawn_up(house, most="1")
        around(house, "granted", after=both)
        await give(house, "bo", first)

        asked = await house.card("approve", but=[first])
        await together.abort()
        assert hands.did == ["tidy desk"] * 2
        await house.press("approve", by="bo", card=asked)
        await house.shows("Results:")
        assert hands.did == ["tidy desk"] * 3
        assert len(await events(house, "grant_used")) == 1
        assert await settled(house)


async def test_what_is_allowed_keeps_its_place_in_a_turn(build: Build, hands: Hands) -> None:
    """AS-34: "tidy, look" looks after the tidying, also when nobody is asked about it."""
    model = Played(tidies("desk"), calls(call("tidy", what="desk"), call("peek", what="desk")))
    async with build(policy=sign(), tools=tools(hands), model=model) as house:
        await house.mention("ana", "tidy up")
        await given(house)

        await house.shows("Results:")
        assert hands.did == ["tidy desk", "tidy desk", "peek desk"]


# -------------------------------------------------------------- never wider


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("most", "6", "Must be at most 5."),
        ("until", "7 days", "one of 15 minutes, 1 hour, 4 hours, 8 hours"),
        ("scope", "everywhere", "one of this run, this thread"),
    ],
)
async def test_terms_wider_than_the_policy_are_refused_beside_the_field(
    build: Build, hands: Hands, field: str, value: str, told: str
) -> None:
    """Whatever a client sends; the card stays as it is."""
    async with build(policy=sign(), tools=tools(hands), model=Played(tidies("desk"))) as house:
        await house.mention("ana", "tidy up")

        answer = await house.press("offer", by="bo", fields=FORM | {field: value})

        assert not answer.is_taken
        assert answer.problems == {field: told}
        assert not await events(house, "grant_offered")


@pytest.mark.parametrize(
    ("turn", "ask"),
    [
        (calls(call("wire", amount=1, to="desk")), "groups: [approvers], grant: {most: 5, within: 8h, same: [to]}"),
        (tidies("desk"), "groups: [approvers], high: true, grant: {most: 5, within: 8h}"),
        (calls(call("tidy", what="drop table users")), "groups: [approvers], grant: {most: 5, within: 8h}"),
        (tidies("desk"), "groups: [{of: approvers, need: 2}], grant: {most: 5, within: 8h}"),
        (tidies("desk"), "groups: [approvers]"),
    ],
    ids=["irreversible, money", "high", "a risky word", "two signatures", "no bounds"],
)
async def test_what_needs_a_look_each_time_offers_no_grant(build: Build, hands: Hands, turn: Said, ask: str) -> None:
    """AS-33: also when a rule says that one may: the tool, the risk and the quorum are asked at run time."""
    async with build(policy=policy(ask=ask), tools=tools(hands), model=Played(turn)) as house:
        await house.mention("ana", "go on")
        card = await house.card()

        assert "offer" not in moves(card)


async def test_a_call_that_a_word_makes_high_is_asked_about_under_a_grant(build: Build, hands: Hands) -> None:
    """D-15: a risky word makes a verdict stricter, also one that a grant would have spared."""
    ask = "groups: [approvers], grant: {most: 5, within: 8h}"
    model = Played(tidies("desk"), tidies("delete everything"))
    async with build(policy=policy(ask=ask), tools=tools(hands), model=model) as house:
        await house.mention("ana", "tidy up")
        first = await given(house)

        second = await house.card("approve", but=[first])

        assert second.card.title == "⚠ High-risk: tidy"
        assert hands.did == ["tidy desk"]


async def test_a_press_for_other_terms_than_the_card_shows_gives_nothing(build: Build, hands: Hands) -> None:
    """T07, T13: somebody drew up other terms meanwhile: what bo saw is not what stands there, and nothing runs."""
    async with build(policy=sign(), tools=tools(hands), model=Played(tidies("desk"))) as house:
        await house.mention("ana", "tidy up")
        card = await drawn_up(house, "bo")
        seen = next(move for move in moves(card) if move.startswith(GIVE))
        await house.press("drop", by="chris", card=card)
        await house.chat.until(lambda: "offer" in moves(card))
        await drawn_up(house, "chris", most="5")

        late = await house.press(seen, by="bo", card=card)

        assert not late.is_taken
        assert late.text == "What would be allowed has changed since; please look at the card again."
        assert (await request_of(house, card)).is_open
        assert not hands.did
        assert not await events(house, "grant_given")


async def test_an_offer_that_was_dropped_cannot_be_given(build: Build, hands: Hands) -> None:
    async with build(policy=sign(), tools=tools(hands), model=Played(tidies("desk"))) as house:
        await house.mention("ana", "tidy up")
        card = await drawn_up(house)
        seen = next(move for move in moves(card) if move.startswith(GIVE))
        await house.press("drop", by="bo", card=card)

        assert not (await house.press(seen, by="bo", card=card)).is_taken
        assert not await events(house, "grant_given")


async def test_an_offer_whose_time_has_passed_cannot_be_given(build: Build, hands: Hands) -> None:
    async with build(policy=sign(), tools=tools(hands), model=Played(tidies("desk"))) as house:
        await house.mention("ana", "tidy up")
        card = await drawn_up(house, until="15 minutes")
        house.clock.advance(minutes=16)
        await house.store.totals(0)
        await house.store.renew(house.engine.shards.fences[0], house.engine.parts.pace.lease)

        answer = await give(house, "bo", card)

        assert answer.text == "The time of this offer has passed; please drop it and draw up another one."
        assert not hands.did


async def test_an_edited_call_takes_no_offer_along(build: Build, hands: Hands) -> None:
    """D-28: the terms were about another call."""
    model = Played(tidies("desk"))
    async with build(
        policy=sign("groups: [approvers], separate_duties: true"), tools=tools(hands), model=model
    ) as house:
        await house.mention("ana", "tidy up")
        card = await drawn_up(house)
        seen = next(move for move in moves(card) if move.startswith(GIVE))

        await house.press("edit", by="bo", card=card, fields={"what": "safe"})
        edited = await house.card("offer", but=[card])

        assert not any(move.startswith(GIVE) for move in moves(edited))
        assert not (await house.press(seen, by="chris", card=card)).is_taken
        assert not hands.did


@pytest.mark.parametrize("who", ["ana", "dana", "gus"])
async def test_only_whom_the_rule_asks_may_allow_more(build: Build, hands: Hands, who: str) -> None:
    """PP-01, T10: not the requester, a manager or a guest; a step of the ladder lends a say in this one call alone."""
    ladder = "{after: 5m, also: managers}, {after: 4h, expire: true}"
    rules = policy(ask=f"groups: [approvers], {BOUNDS}", ladder=ladder)
    async with build(policy=rules, tools=tools(hands), model=Played(tidies("desk"))) as house:
        await house.mention("ana", "tidy up")
        card = await house.card("offer")
        house.clock.advance(minutes=5)
        await house.shows("asked Dana and Erin as well")

        answer = await house.press("offer", by=who, card=card, fields=FORM)

        assert not answer.is_taken
        assert not await events(house, "grant_offered")


async def test_an_agent_that_always_asks_asks_under_a_grant_as_well(build: Build, hands: Hands) -> None:
    """AU-03, AU-28: `always` means before every call; its cards offer nothing else."""
    rules = sign().replace("\nrules:", "\noversight: {assistant: always}\nrules:")
    async with build(policy=rules, tools=tools(hands), model=Played(tidies("desk"))) as house:
        await house.mention("ana", "tidy up")
        card = await house.card()

        assert "offer" not in moves(card)


# ------------------------------------------------- judged again at each use


async def test_a_giver_who_lost_the_right_gives_nothing_any_more(build: Build, hands: Hands) -> None:
    """T16: judged at each use by the groups of that moment."""
    staff, model = Staff(), Tasks(tidies("desk"), tidies("desk"))
    async with build(policy=sign(), tools=tools(hands), model=model, directory=staff) as house:
        thread, first = await once_given(house)

        staff.change("bo", groups=frozenset())
        await house.mention("ana", "once more", thread=thread)

        await house.card("approve", but=[first])
        assert hands.did == ["tidy desk"]


async def test_a_giver_who_steers_gives_nothing_where_duties_are_separated(build: Build, hands: Hands) -> None:
    """T10: bo's own words are what the run acts on now, so somebody else has to look at the call."""
    model = Played(tidies("desk"), calls(call("peek", what="desk")), tidies("desk"))
    rules = sign("groups: [approvers], separate_duties: true")
    async with build(policy=rules, tools=tools(hands), model=model) as house:
        thread = await house.mention("ana", "tidy up")
        first = await drawn_up(house)
        hands.may_end.clear()
        await give(house, "bo", first)
        await hands.began.wait()

        await house.say("bo", "do the desk twice", thread=thread)
        hands.may_end.set()

        await house.card("approve", but=[first])
        assert hands.did == ["tidy desk", "peek desk"]
        assert await house.is_sound()


async def test_a_policy_that_lets_nobody_give_any_more_ends_every_grant(build: Build, hands: Hands) -> None:
    """The rule of the moment decides, not the one it was given under."""
    model = Tasks(tidies("desk"), tidies("desk"))
    async with build(policy=sign(), tools=tools(hands), model=model) as house:
        thread, first = await once_given(house)
    async with build(policy=policy(), tools=tools(hands), model=model, chat=house.chat, clock=house.clock) as later:
        await later.mention("ana", "once more", thread=thread)

        await later.card("approve", but=[first])
        assert hands.did == ["tidy desk"]


@pytest.mark.parametrize("changed", [{"risk": Risk.IRREVERSIBLE}, {"touches": ("mail",)}])
async def test_a_tool_that_became_dangerous_is_asked_about_under_an_old_grant(
    build: Build, hands: Hands, changed: dict[str, Any]
) -> None:
    """AS-33: what a tool can do is asked at each use, not when the grant was given."""
    model = Tasks(tidies("desk"), tidies("desk"))
    async with build(policy=sign(), tools=tools(hands), model=model) as house:
        thread, first = await once_given(house)
        assert len(await grants(house)) == 1
    parts: dict[str, Any] = {"chat": house.chat, "clock": house.clock, "model": model}
    async with build(policy=sign(), tools=tools(hands, **changed), **parts) as later:
        await later.mention("ana", "once more", thread=thread)

        await later.card("approve", but=[first])
        assert hands.did == ["tidy desk"]


# ------------------------------------------------------------------- revoked


@pytest.mark.parametrize("who", ["bo", "ana", "chris"])
async def test_it_is_revoked_by_who_gave_it_has_it_or_could_have_given_it(build: Build, hands: Hands, who: str) -> None:
    """PN-06: between two uses; said in the thread, and the next call is asked about."""
    model = Tasks(tidies("desk"), tidies("desk"), tidies("desk"))
    async with build(policy=sign(), tools=tools(hands), model=model) as house:
        thread, first = await once_given(house)
        await house.mention("ana", "once more", thread=thread)
        await quiet(house)
        (grant,) = await grants(house)
        assert (grant.by, grant.used, grant.left) == ("bo", 1, 1)

        answers = [await house.desk.revoke(grant.id, account(who), "x1") for _ in range(2)]
        await house.mention("ana", "and again", thread=thread)

        assert [answer.is_taken for answer in answers] == [True, True]
        await house.card("approve", but=[first])
        assert hands.did == ["tidy desk"] * 2
        assert await grants(house) == ()
        await house.shows("revoked what was allowed: tidy, version 1")
        assert len(await events(house, "grant_revoked")) == 1
        assert await house.is_sound()


async def test_nobody_else_revokes_it_and_what_is_no_grant_is_told(build: Build, hands: Hands) -> None:
    async with build(policy=sign(), tools=tools(hands), model=Tasks(tidies("desk"))) as house:
        await once_given(house)
        (grant,) = await grants(house)

        stranger = "may not take tasks"
        for who, told in (("dana", "not yours to revoke"), ("gus", stranger), ("zoe", stranger)):
            answer = await house.desk.revoke(grant.id, account(who), f"x-{who}")
            assert not answer.is_taken
            assert told in answer.text
        assert "no such grant" in (await house.desk.revoke("g-0-none", account("bo"), "x2")).text
        assert await grants(house) == (grant,)


async def test_a_revocation_that_comes_while_a_call_begins_is_heard_by_one_of_both(build: Build, hands: Hands) -> None:
    """Looked up, then revoked, then begun: the store refuses the use, and people are asked."""
    model = Tasks(tidies("desk"), tidies("desk"))
    async with build(policy=sign(), tools=tools(hands), model=model) as house:
        thread, first = await once_given(house)
        (grant,) = await grants(house)
        inner, done = house.store.grant, False

        async def looked_up(id: Any) -> Grant:
            nonlocal done
            found = await inner(id)
            if not done:
                done = True
                await house.desk.revoke(grant.id, account("bo"), "x1")
            return found

        house.store.grant = looked_up  # type: ignore[method-assign]  # a revocation in between
        await house.mention("ana", "once more", thread=thread)

        await house.card("approve", but=[first])
        assert hands.did == ["tidy desk"]


async def test_grants_are_listed_for_whoever_may_see_their_thread(build: Build, hands: Hands) -> None:
    """PN-06: colleagues see each other's; a stranger and a guest see none."""
    async with build(policy=sign(), tools=tools(hands), model=Tasks(tidies("desk"))) as house:
        await once_given(house)

        seen = {who: len(await grants(house, who)) for who in ("bo", "ana", "erin", "gus", "zoe")}

        assert seen == {"bo": 1, "ana": 1, "erin": 1, "gus": 0, "zoe": 0}


async def test_a_forged_grant_lets_nothing_through(build: Build, hands: Hands) -> None:
    """T22: somebody widens it in Redis: it is not believed, not listed, and people are asked."""
    model = Tasks(tidies("desk"), tidies("safe"))
    async with build(policy=sign(), tools=tools(hands), model=model) as house:
        thread, first = await once_given(house)
        (grant,) = await grants(house)
        key, client = f"{{{house.namespace}:0}}:grant:{grant.id}", house.store._link.client
        doc: Any = await client.hget(key, "doc")
        await client.hset(key, "doc", doc.replace(b"desk", b"safe"))

        await house.mention("ana", "once more", thread=thread)

        await house.card("approve", but=[first])
        assert hands.did == ["tidy desk"]
        assert await grants(house) == ()
        assert not (await house.desk.revoke(grant.id, account("bo"), "x1")).is_taken


# ------------------------------------------------------------------- crashes


async def test_a_use_counts_once_when_the_answer_of_its_write_is_lost(build: Build, hands: Hands) -> None:
    """I2: begun, and the process died before it knew: a tool that may be repeated runs again with its key."""
    model = Tasks(tidies("desk"), tidies("desk"))
    async with build(policy=sign(), tools=tools(hands), model=model, pace=HASTY) as house:
        thread, _ = await once_given(house)
        landed = answered_never(house, "append", Begun)
        await house.mention("ana", "once more", thread=thread)
        await landed.wait()
    async with house.again() as later:
        await quiet(later)

        assert hands.did == ["tidy desk"] * 2
        assert len(set(hands.keys)) == 2
        assert [one["used"] for one in await events(later, "grant_used")] == [1]
        assert (await grants(later))[0].left == 1
        assert await later.is_sound(is_quiet=True)


async def test_a_granted_call_that_was_cut_short_is_in_doubt_like_any_other(build: Build) -> None:
    """I2, T23: begun and not finished, and the tool must not run twice: people say what became of it."""
    began, may_end, did = asyncio.Event(), asyncio.Event(), list[str]()

    @tool(risk=Risk.WRITE)
    async def paint(what: str, leave: Leave) -> str:
        """Paint something once."""
        did.append(leave.key)
        if len(did) == 2:
            began.set()
            await may_end.wait()
        return what

    tools: tuple[Tool, ...] = (paint,)
    model = Tasks(calls(call("paint", what="door")), calls(call("paint", what="door")))
    async with build(policy=sign(), tools=tools, model=model, pace=HASTY) as house:
        thread = await house.mention("ana", "paint")
        await given(house)
        await quiet(house)
        await house.mention("ana", "once more", thread=thread)
        await began.wait()
    async with house.again() as later:
        card = await later.card("answer")
        assert card.card.title == "⚠ In doubt: did paint happen?"
        assert len(did) == 2

        for move in ("approve", "answer"):  # nobody whom the rule does not ask has it run again
            assert not (await later.press(move, by="erin", card=card, fields={"result": "no"})).is_taken
        assert len(did) == 2
        await later.press("answer", by="chris", card=card, fields={"result": "it is painted"})
        await quiet(later)
        assert (await grants(later))[0].left == 1
        assert await later.is_sound(is_quiet=True)


async def test_a_grant_is_given_by_a_click_that_no_owner_is_there_for(build: Build, hands: Hands) -> None:
    """Any process counts the click; whoever owns the shard later runs the call, and the next one on the grant."""
    model = Played(tidies("desk"), tidies("desk"))
    async with build(policy=sign(), tools=tools(hands), model=model, pace=STEADY) as house:
        await house.mention("ana", "tidy up")
        card = await drawn_up(house)
        await shown(house)
        await house.engine.shards.close()

        first = await give(house, "bo", card, delivery="g1")
        again = await give(house, "bo", card, delivery="g1")

        assert first.text.startswith("Approved. It runs now, and so may others: tidy, version 1")
        assert again.is_taken
        await house.engine.shards.look(house.engine.runner.drop)
        for run in (*await house.store.executing(0), *await house.store.mailbox(0)):
            house.engine.runner.rouse_soon(run)
        await house.shows("Results:")
        assert hands.did == ["tidy desk"] * 2
        assert len(await events(house, "grant_given")) == 1
        assert await settled(house)
