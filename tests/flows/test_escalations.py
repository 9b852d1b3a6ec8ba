"""Escalations: to the manager, with all that is needed to decide; a queue from which one person takes each."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bot.domain.pages import Queued
from bot.domain.verdict import Climb
from bot.domain.wire import Json, replace
from bot.runtime.passage import ESCALATIONS_MOST
from bot.runtime.views import RuntimeViews
from tests.fakes.chat import Posted
from tests.flows.stage import (
    STEADY,
    Build,
    Hands,
    Played,
    Staff,
    call,
    calls,
    events,
    moves,
    ownerless,
    policy,
    request_of,
    run_of,
    settled,
    shown,
    status,
)
from tests.house import KEY, House, account, words

WHOLE: dict[str, Json] = {"reason": "She threatens to sue", "context": "Order 7 never came", "suggestion": "offer 10 %"}
ESCALATE = calls(call("escalate", **WHOLE))


async def test_an_escalation_reaches_the_manager_as_a_direct_message(build: Build) -> None:
    """GN-04, GN-09, A2-10: reason, context and suggestion in the DM, a way to answer each, and the thread says who."""
    async with build(policy=policy(), model=Played(ESCALATE)) as house:
        await house.mention("ana", "answer the complaint")

        card = await direct(house, "dana")

        assert all(str(part) in words(card) for part in WHOLE.values())
        assert moves(card) == ["take", "follow", "direct", "decline", "hand_to", "stop"]
        assert card.card.mentions == ("dana",)
        note = await said(house, "Escalated to Dana.")
        assert note.card.mentions == ("dana",)
        assert (await request_of(house, card)).ask.groups[0].of == "manager(requester)"


@pytest.mark.parametrize("lacking", ["reason", "context", "suggestion"])
@pytest.mark.parametrize("empty", [None, "", " \n"])
async def test_an_escalation_that_lacks_something_goes_back_to_the_model(
    build: Build, lacking: str, empty: str | None
) -> None:
    """GN-09: nobody is bothered with half of it; the model reads which argument it was."""
    args = {name: value for name, value in WHOLE.items() if name != lacking}
    model = Played(calls(call("escalate", **(args if empty is None else {**args, lacking: empty}))))
    async with build(policy=policy(), model=model) as house:
        await house.mention("ana", "answer the complaint")

        await house.shows("Results: Not run:")

        assert lacking in model.read.rpartition("Not run:")[2]
        assert not await events(house, "request_opened")
        assert not [post for post in house.chat.posts if post.place.is_direct]


async def test_without_a_manager_who_can_answer_it_stays_with_who_asked(build: Build) -> None:
    """GN-04: erin has no manager, and ana's has left: the thread's card is theirs."""
    staff = Staff()
    staff.change("dana", is_active=False)
    async with build(policy=policy(), model=Played(ESCALATE), directory=staff) as house:
        cards: list[Posted] = []
        for who in ("erin", "ana"):
            await house.mention(who, "answer the complaint")
            cards.append(await house.card("decline", but=cards))
            assert (await request_of(house, cards[-1])).ask.groups[0].of == "requester"
        assert not [post for post in house.chat.posts if post.place.is_direct]


async def test_declining_tells_the_agent_that_nothing_was_decided(build: Build) -> None:
    """GN-09: "Decline" is an answer, not a silence; the run goes on."""
    async with build(policy=policy(), model=Played(ESCALATE)) as house:
        await house.mention("ana", "answer the complaint")

        await house.press("decline", by="dana", card=await direct(house, "dana"))

        await house.shows("Dana answered. They decline: it stays with you, and nothing was decided.")
        assert not await events(house, "run_taken")
        assert await settled(house)


async def test_whoever_takes_an_escalation_has_the_run(build: Build) -> None:
    """GN-11, AS-37: one press answers it and takes the run; the agent is told when it goes on."""
    model = Played(ESCALATE)
    async with build(policy=policy(), model=model) as house:
        await house.mention("ana", "answer the complaint")
        card = await direct(house, "dana")

        await house.press("take", by="dana", card=card)

        await house.chat.until(lambda: status(house).card.title == "Dana works on this by hand")
        assert len(model.asked) == 1
        await house.press("hand_back", by="dana", card=await house.card("hand_back"), fields={"text": "I called her"})
        await house.shows("Results: Dana answered. They take it over and work on it themselves.")
        assert "I called her" in model.read
        assert [one["person"] for one in await events(house, "run_taken")] == ["dana"]
        assert await settled(house)


async def test_the_claim_and_the_takeover_are_one_step(build: Build) -> None:
    """No process owned the run when it was pressed: the next one finds the answer and the takeover, or neither."""
    async with build(policy=policy(), model=Played(ESCALATE), pace=STEADY) as house:
        thread = await house.mention("ana", "answer the complaint")
        card = await direct(house, "dana")

        async with ownerless(house):
            await house.press("take", by="dana", card=card)
            loaded = await house.store.load(await run_of(house, thread))
            assert loaded is not None
            assert (len(loaded.letters), loaded.asks) == (1, ())

        await house.chat.until(lambda: moves(status(house)) == ["hand_back", "stop", "steps"])
        await house.press("stop", by="ana", card=status(house))
        assert await settled(house)


async def test_nobody_claims_what_somebody_has_by_hand(build: Build) -> None:
    """The takeover came first, and its owner had no time yet to close the escalation: one person drives."""
    async with build(policy=policy(), model=Played(ESCALATE), pace=STEADY) as house:
        await house.mention("ana", "answer the complaint")
        card, status_card = await direct(house, "dana"), await house.card("take_run")

        async with ownerless(house):
            await house.press("take_run", by="bo", card=status_card)
            late = await house.press("take", by="dana", card=card)

        assert late.text == "Bo works on this already."
        await house.chat.until(lambda: status(house).card.title == "Bo works on this by hand")
        await house.chat.until(lambda: card.card.title == "Withdrawn: handed over to people")


async def test_the_queue_shows_open_escalations_oldest_first_and_who_has_which(build: Build) -> None:
    """GN-11: three escalations, oldest first, with their age; a claim shows whose it is; a second claim is refused."""
    async with build(policy=policy(), model=Played(ESCALATE), pace=STEADY) as house:
        cards: list[Posted] = []
        for _ in range(3):
            await house.mention("ana", "answer the complaint")
            cards.append(await direct(house, "dana", but=cards))
            house.clock.advance(minutes=1)
        wanted = [(await request_of(house, card)).id for card in cards]

        queue = await queue_of(house, "dana")

        assert [queued.request for queued in queue] == wanted
        apart = [(older.age - newer.age).total_seconds() for older, newer in pairwise(queue)]
        assert [round(seconds / 60) for seconds in apart] == [1, 1]
        assert [queued.claimed_by for queued in queue] == [None, None, None]
        assert queue[0].reason == "She threatens to sue"
        await house.press("take", by="dana", card=cards[1])
        queue = await queue_of(house, "dana")
        assert [(queued.request, queued.claimed_by) for queued in queue] == list(
            zip(wanted, (None, "dana", None), strict=True)
        )
        late = await house.press("take", by="dana", card=cards[1])
        assert "already" in late.text
        assert await queue_of(house, "ana") == ()
        assert await queue_of(house, "gus") == ()


async def test_an_escalation_that_nobody_claims_is_said_again(build: Build) -> None:
    """GN-11: the ladder reminds whoever was asked."""
    rules = policy(more="defaults: {ladder: [{after: 1h, remind: here}, {after: 4h, expire: true}]}")
    async with build(policy=rules, model=Played(ESCALATE), pace=STEADY) as house:
        await house.mention("ana", "answer the complaint")
        await direct(house, "dana")

        house.clock.advance(hours=1, seconds=1)

        reminder = await said(house, "Reminder")
        assert reminder.card.mentions == ("dana",)


async def test_an_escalation_that_nobody_claims_reaches_the_manager_above(build: Build) -> None:
    """GN-11: dana does not answer, so erin above her is sent it and may; a question climbs no such step."""
    more = "defaults: {ladder: [{after: 1h, dm: manager(approver)}, {after: 4h, expire: true}]}"
    async with build(policy=policy(more=more), model=Played(ESCALATE), pace=STEADY) as house:
        await house.mention("ana", "answer the complaint")
        await direct(house, "dana")

        house.clock.advance(hours=1, seconds=1)

        card = await direct(house, "erin")
        await said(house, "No answer yet: asked Erin as well.")
        assert (await house.press("decline", by="erin", card=card)).is_taken
        await house.shows("Erin answered. They decline")
        assert await settled(house)
    question = house.engine.parts.policy.inquiry("requester", is_review=False)
    assert [step.do for step in question.ladder] == [Climb.EXPIRE]


async def test_one_turn_that_escalates_without_end_calls_people_a_few_times(build: Build) -> None:
    """T18: a model led astray cannot fill a group's direct messages; the rest is told to the model at once."""
    many = [call("escalate", reason=f"No. {n}", context="c", suggestion="s", of="approvers") for n in range(12)]
    turn = calls(*(replace(one, id=f"e{n}") for n, one in enumerate(many)))
    async with build(policy=policy(), model=Played(turn), pace=STEADY) as house:
        await house.mention("ana", "answer the complaints")
        await house.chat.until(lambda: len(house.with_button("decline")) >= 3 * ESCALATIONS_MOST, "every copy")
        await shown(house)

        direct = [post for post in house.chat.posts if post.place.is_direct]

        assert len(await events(house, "request_opened")) == ESCALATIONS_MOST
        assert len(direct) == 2 * ESCALATIONS_MOST
        refused = await events(house, "call_denied")
        assert [one["cause"] for one in refused] == ["busy"] * (len(many) - ESCALATIONS_MOST)


# ------------------------------------------------------------------- helpers


async def direct(house: House, who: str, *, but: list[Posted] | None = None) -> Posted:
    """The newest copy in somebody's direct messages, once it can be pressed."""

    def found() -> list[Posted]:
        mine = [post for post in house.with_button("decline") if post.place.channel == f"dm-{who}"]
        return [post for post in mine if post not in (but or ())]

    await house.chat.until(found, f"a card for {who}")
    post = found()[-1]
    while post.ref not in [copy.ref for copy in (await house.store.held((await request_of(house, post)).id)).copies]:
        pass
    return post


async def queue_of(house: House, who: str) -> tuple[Queued, ...]:
    parts = house.engine.parts
    return await RuntimeViews(house.store, parts.toolbox, parts.directory, KEY).queue(account(who))


async def said(house: House, text: str) -> Posted:
    def found() -> list[Posted]:
        return [post for post in house.chat.posts if text in post.card.body]

    await house.chat.until(found, text)
    return found()[-1]


async def test_escalating_to_a_friend_gains_no_signature(build: Build, hands: Hands) -> None:
    """T29, T10: the agent picks bo, who says "do it"; the payment still asks whom the policy names, and not bo."""
    friendly = calls(call("escalate", **{**WHOLE, "of": "@bo"}))
    rules = policy("groups: [approvers], separate_duties: true")
    model = Played(friendly, calls(call("wire", amount=90)))
    async with build(policy=rules, tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")

        assert (await house.press("follow", by="bo")).is_taken

        card = await house.card("approve")
        assert not hands.did
        assert (await request_of(house, card)).ask.groups[0].of == "approvers"
        assert not (await house.press("approve", by="bo", card=card)).is_taken
        assert (await house.press("approve", by="chris", card=card)).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)
