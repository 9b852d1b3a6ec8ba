"""Broken glass: one person approves alone; the thread hears it at once; others say afterwards whether it was right."""

from __future__ import annotations

import asyncio

import pytest

from agents.toolbox import tool
from bot.domain.calls import Risk
from bot.domain.invariants import check
from bot.domain.render import DETAILS
from bot.domain.request import RequestId, Status
from bot.domain.run import RunStatus
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
    quiet,
    request_of,
    run_of,
    shown,
)
from tests.house import House, find, words

WIRE = calls(call("wire", amount=90))
GLASS = "break_glass: {of: approvers, review: managers, within: 24h}"
ALONE = f"groups: [{{of: managers, need: 2}}], {GLASS}"
WHY = {"reason": "the bank closes at five"}


async def broken(house: House, *, by: str = "bo") -> tuple[Posted, Posted]:
    """ana asks, *by* breaks the glass. Gives the card and the review."""
    await house.mention("ana", "pay")
    card = await house.card("break_glass")
    answer = await house.press("break_glass", by=by, card=card, fields=WHY)
    assert answer.is_taken, answer.text
    return card, await house.card("wrong")


async def is_sound(house: House) -> bool:
    """Every promise holds, also now that everything but the review is over."""
    await quiet(house)
    return await house.is_sound(is_quiet=True)


# ---------------------------------------------------------- breaking it


async def test_one_person_approves_alone_and_the_thread_hears_it_at_once(build: Build, hands: Hands) -> None:
    """I4, A2-05: who, what, why, and who reviews it until when; the card itself stays red."""
    async with build(policy=policy(ALONE), tools=hands.tools, model=Played(WIRE)) as house:
        card, review = await broken(house)

        await house.shows("ok wire 90 bank")
        assert hands.did == ["wire 90 bank"]
        note = next(post for post in house.chat.posts if post.card.body.startswith("Glass broken"))
        digest = (await request_of(house, card)).call.digest[:12]
        assert note.card.body.startswith(
            f"Glass broken: Bo approved wire ({digest}) alone. Reason: “the bank closes at five”. "
            "To be reviewed by managers until 20"
        )
        terms = next(fact.value for fact in review.card.facts if fact.label == "To be reviewed")
        assert note.card.body.endswith(f" To be reviewed by managers {terms}."), "thread and card say the same"
        assert terms.endswith(
            "if nobody has by then, whoever may review it and their managers are asked by direct message, "
            "and it is asked again every 2 days until somebody answers"
        )
        assert not [fact for fact in review.card.facts if fact.label == "Until"]
        assert (note.card.tone, note.card.mentions) == ("danger", ("dana", "erin"))
        assert note.ref.place.thread == card.ref.place.thread
        await house.chat.until(lambda: card.card.title == "Glass broken by Bo: wire")
        await house.chat.until(lambda: "Done." in card.card.status)
        assert card.card.status.startswith("Glass broken by Bo: “the bank closes at five” at 20")
        assert card.card.tone == "danger"
        assert await is_sound(house)


async def test_the_card_says_who_may_break_it_and_its_button_wants_a_reason_and_asks_once_more(
    build: Build, hands: Hands
) -> None:
    async with build(policy=policy(ALONE), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card("break_glass")

        button = find(card, "break_glass")
        silent = await house.press("break_glass", by="bo", card=card, fields={"reason": "  "})

        assert "one of approvers may approve alone; managers review it afterwards" in words(card)
        assert (button.style, button.label, [f.is_required for f in button.fields]) == ("danger", "Break glass", [True])
        assert button.confirm is not None
        assert silent.problems == {"reason": "Please say why."}
        assert not hands.did


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ("ana", "Sorry, you asked for or changed this, so somebody else has to break the glass."),
        ("dana", "Sorry, only approvers may break the glass here."),
        ("gus", "Sorry, guests, bots and deactivated accounts cannot answer."),
        ("mallory", "Sorry, I do not know you, so I cannot count your answer."),
    ],
)
async def test_nobody_else_breaks_it(build: Build, hands: Hands, by: str, told: str) -> None:
    """I5, D-30, T10: whoever asked never does, although duties are not separated here and they are of the group."""
    staff = Staff()
    staff.change("ana", groups=frozenset({"approvers"}))
    async with build(policy=policy(ALONE), tools=hands.tools, model=Played(WIRE), directory=staff) as house:
        await house.mention("ana", "pay")
        await house.card("break_glass")

        refused = await house.press("break_glass", by=by, fields=WHY)

        assert (refused.is_taken, refused.text) == (False, told)
        assert not hands.did
        assert [one["cause"] for one in await events(house, "vote_refused")] == ["NotEligible"]


async def test_whoever_changed_the_call_does_not_break_its_glass(build: Build, hands: Hands) -> None:
    """I5: the editor is as near to it as whoever asked."""
    rules = policy(f"groups: [approvers, managers], {GLASS}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        old = await house.card("edit")
        await house.press("edit", by="bo", card=old, fields={"amount": "80"})
        new = await house.card("break_glass", but=[old])

        refused = await house.press("break_glass", by="bo", card=new, fields=WHY)
        taken = await house.press("break_glass", by="chris", card=new, fields=WHY)

        assert (refused.is_taken, taken.is_taken) == (False, True)
        await house.shows("ok wire 80 bank")
        assert await is_sound(house)


async def test_glass_that_nobody_could_review_is_not_broken(build: Build, hands: Hands) -> None:
    """Fail closed: without anybody to look at it afterwards there is no emergency right."""
    rules = policy('groups: [managers], break_glass: {of: approvers, review: "@bo", within: 1h}')
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")

        refused = await house.press("break_glass", by="bo", fields=WHY)

        assert refused.text == "Nobody is there who could review it afterwards, so the glass cannot be broken."
        assert not hands.did


async def test_whoever_broke_it_must_still_have_the_right_when_the_call_starts(build: Build, hands: Hands) -> None:
    """T16: bo lost the right between the press and the start: the call does not run; the review is asked anyway."""
    staff = Staff()
    parts = {"tools": hands.tools, "model": Played(WIRE), "directory": staff, "pace": STEADY}
    async with build(policy=policy(ALONE), **parts) as house:
        await house.mention("ana", "pay")
        card = await house.card("break_glass")

        async with ownerless(house):
            assert (await house.press("break_glass", by="bo", card=card, fields=WHY)).is_taken
            staff.change("bo", groups=frozenset())

        await house.shows("bo, who broke the glass, may no longer do so")
        await house.chat.until(lambda: card.card.title == "Glass broken, but not run: wire")
        assert not hands.did
        assert await house.card("wrong")
        assert await is_sound(house)


async def test_high_risk_is_read_and_typed_before_its_glass_is_broken(build: Build, hands: Hands) -> None:
    """AU-24: in a hurry it matters most."""
    rules = policy(f"groups: [managers], high: true, type: amount, {GLASS}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        await house.card("break_glass")

        hasty = await house.press("break_glass", by="bo", fields={**WHY, "typed": "90"}, is_careful=False)
        wrong = await house.press("break_glass", by="bo", fields={**WHY, "typed": "9O"})
        right = await house.press("break_glass", by="bo", fields={**WHY, "typed": "90"})

        assert hasty.text.startswith("Please open Details first")
        assert wrong.problems == {"typed": "This is not the value of amount, letter for letter."}
        assert right.is_taken
        await house.shows("ok wire 90 bank")
        assert await is_sound(house)


# ------------------------------------------------------------ afterwards


async def test_the_review_shows_everything_and_is_answered_when_the_run_is_long_over(
    build: Build, hands: Hands
) -> None:
    """I4, I8, AS-29: exactly what ran, who, when, why; the answer outlives the run's own record."""
    async with build(policy=policy(ALONE), tools=hands.tools, model=Played(WIRE)) as house:
        card, review = await broken(house)
        await quiet(house)
        run = (await request_of(house, card)).run
        assert (await house.store.load(run)).status is RunStatus.DONE  # type: ignore[union-attr]  # it is there
        shown_text = {block.label: block.text for block in review.card.blocks}
        assert review.card.title == "Glass was broken: please review"
        assert shown_text["Who approved it alone"].startswith("Bo, at 20")
        assert shown_text["Their reason, in their own words"] == "the bank closes at five"
        assert shown_text["What was approved: wire, version 1"] == '{"amount":90,"to":"bank"}'
        assert shown_text["Its request"] == (await request_of(house, card)).id
        assert moves(review) == ["right", "wrong", "details"]
        await house.store._link.client.delete(*await _keys_of(house, run))  # thirty days later

        silent = await house.press("wrong", by="dana", card=review, fields={"text": ""})
        answer = await house.press("wrong", by="dana", card=review, fields={"text": "the bank was open"})

        assert silent.problems == {"text": "Please fill this in."}
        assert answer.text == "Thank you, noted."
        await house.chat.until(lambda: not review.card.buttons, "no live buttons")
        assert "It was wrong: 'the bank was open'" in review.card.status
        assert not await _keys_of(house, run), "nothing of the run came back"
        assert await house.is_sound(is_quiet=True)


async def _keys_of(house: House, run: str) -> list[bytes]:
    return [key async for key in house.store._link.client.scan_iter(f"*{run}*") if b":seen:" not in key]


@pytest.mark.parametrize("by", ["bo", "ana", "chris"])
async def test_whoever_had_a_hand_in_it_does_not_review_it(build: Build, hands: Hands, by: str) -> None:
    """I5: neither who broke it nor who asked, also if they are of the group; nor anybody who is not."""
    staff = Staff()
    for who in ("ana", "bo"):
        staff.change(who, groups=frozenset({"approvers", "managers"}))
    rules = policy(f"groups: [{{of: managers, need: 3}}], {GLASS}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), directory=staff) as house:
        _, review = await broken(house)

        refused = await house.press("right", by=by, card=review, fields={"text": "sure"})

        assert (refused.is_taken, (await request_of(house, review)).is_open) == (False, True)


async def test_neither_a_reply_nor_a_stop_nor_the_end_of_the_run_closes_the_review(build: Build, hands: Hands) -> None:
    """A reply withdraws what waits for a signature and Stop ends the run; people still have to look at it."""
    turns = (WIRE, calls(call("wire", amount=10)))
    async with build(policy=policy(ALONE), tools=hands.tools, model=Played(*turns)) as house:
        card, review = await broken(house)
        second = await house.card("break_glass", but=[card])
        thread = str(card.ref.place.thread)

        await house.say("ana", "wait, less", thread=thread)
        await house.chat.until(lambda: second.card.title.startswith("Withdrawn"), "the second card is withdrawn")
        await house.say("ana", "stop", thread=thread)
        await quiet(house)

        assert (await request_of(house, review)).is_open
        assert (await house.press("right", by="erin", card=review, fields={"text": "yes"})).is_taken
        assert await is_sound(house)


async def test_the_review_counts_as_nobodys_open_request(build: Build, hands: Hands) -> None:
    """T18: reviews that wait do not keep ana from asking."""
    parts = {"tools": hands.tools, "model": Played(WIRE), "open_most": 1}
    async with build(policy=policy(ALONE), **parts) as house:
        await broken(house)
        await quiet(house)

        await house.mention("ana", "pay once more")

        assert await house.card("approve")


async def test_a_review_is_reminded_of_sent_to_more_people_and_never_expires(build: Build, hands: Hands) -> None:
    """I11, I12, ST-41: at half the time in the thread, at its end to each reviewer and their manager, then for ever."""
    async with build(policy=policy(ALONE), tools=hands.tools, model=Played(WIRE), pace=STEADY) as house:
        _, review = await broken(house)
        await quiet(house)

        house.clock.advance(hours=12)
        await house.shows("Reminder")
        house.clock.advance(hours=12)
        await house.chat.until(lambda: {"dana", "erin"} <= _called(house), "both managers were asked in person")
        for _ in range(3):
            count = len(await events(house, "rung_fired"))
            house.clock.advance(hours=49)
            await _more_rungs(house, count)

        assert (await request_of(house, review)).is_open
        assert (await house.press("right", by="erin", card=review, fields={"text": "yes"})).is_taken
        await shown(house)
        assert await is_sound(house)


def _called(house: House) -> set[str]:
    return {person for post in house.chat.posts if post.ref.place.is_direct for person in post.card.mentions}


async def _more_rungs(house: House, than: int) -> None:
    async with asyncio.timeout(10):
        while len(await events(house, "rung_fired")) <= than:
            pass


async def test_the_review_survives_a_restart(build: Build, hands: Hands) -> None:
    """I12: another process answers it; the run is never woken for it."""
    async with build(policy=policy(ALONE), tools=hands.tools, model=Played(WIRE)) as house:
        _, review = await broken(house)
        await quiet(house)
        again = house.again()
    async with again:
        assert (await again.press("right", by="erin", card=review, fields={"text": "yes"})).is_taken
        await again.chat.until(lambda: not review.card.buttons, "no live buttons")
        assert await is_sound(again)


async def test_one_press_opens_one_review(build: Build, hands: Hands) -> None:
    """I10, T12: the same delivery again is told the same, and opens nothing."""
    async with build(policy=policy(ALONE), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card("break_glass")

        told = [
            (await house.press("break_glass", by="bo", card=card, fields=WHY, delivery="one")).is_taken
            for _ in range(3)
        ]

        assert told == [True] * 3
        await house.shows("ok wire 90 bank")
        assert [one["kind"] for one in await events(house, "request_opened")] == ["approval", "aftermath"]
        assert await is_sound(house)


async def test_two_who_break_it_at_once_break_it_once(build: Build, hands: Hands) -> None:
    """D-45, I3: the first decision stands, the other one is told, and one review is asked."""
    async with build(policy=policy(ALONE), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card("break_glass")

        answers = await asyncio.gather(
            *(house.press("break_glass", by=by, card=card, fields=WHY) for by in ("bo", "chris"))
        )

        assert sorted(answer.is_taken for answer in answers) == [False, True]
        await house.shows("ok wire 90 bank")
        assert len(await events(house, "request_opened")) == 2
        assert await is_sound(house)


async def test_a_secret_argument_stays_hidden_in_note_and_review(build: Build) -> None:
    """T20: also where whoever broke the glass wrote it into their reason."""

    @tool(risk=Risk.IRREVERSIBLE, secrets=("pin",))
    async def unlock(pin: str) -> str:
        """Open the vault."""
        return f"open with {len(pin)} letters"

    model = Played(calls(call("unlock", pin="CANARY-1234")))
    async with build(policy=policy(ALONE), tools=(unlock,), model=model) as house:
        await house.mention("ana", "open it")
        await house.press("break_glass", by="bo", fields={"reason": "CANARY-1234 is needed"})
        review = await house.card("wrong")
        await quiet(house)

        assert "•••• (secret" in str(review.card.blocks)
        assert not any("CANARY-1234" in words(post) for post in house.chat.posts)
        assert not check(await house.audit(), is_quiet=True)


async def test_an_ended_runs_question_is_still_refused(build: Build) -> None:
    """I12: only what is made to outlive its run does; the store says no to everything else."""
    async with build(policy=policy(), model=Played(calls(call("ask_people", question="Ok?")))) as house:
        thread = await house.mention("ana", "ask")
        card = await house.card("leave")
        run, request = await run_of(house, thread), await request_of(house, card)
        await house.say("ana", "stop", thread=thread)
        await quiet(house)

        assert (await house.store.held(RequestId(request.id))).request.status is Status.CANCELLED
        assert not (await house.press("leave", by="ana", card=card)).is_taken
        assert (await house.store.load(run)).status is RunStatus.STOPPED  # type: ignore[union-attr]  # it is there


async def test_whoever_reviews_broken_glass_reads_the_call_as_it_was_approved(build: Build) -> None:
    """A2-05, A2-01, PN-13: dana reads what is private, who signed and what came of it; bo, who broke it, does not judge
    it and reads nothing there. The audit says that she read it."""

    @tool(risk=Risk.WRITE, private=("salary",))
    async def raise_pay(who: str, salary: int) -> str:
        """Pay somebody more."""
        return f"{who} gets {'more' if salary else 'nothing'}"

    model = Played(calls(call("raise_pay", who="Chris", salary=71_234)))
    rules = policy(f"groups: [managers], {GLASS}")
    async with build(policy=rules, tools=(raise_pay,), model=model) as house:
        _, review = await broken(house)
        await quiet(house)
        assert moves(review) == ["right", "wrong", DETAILS]

        read = await house.press(DETAILS, by="dana", card=review)
        refused = await house.press(DETAILS, by="bo", card=review)

        assert (refused.is_taken, refused.details) == (False, None)
        assert read.details is not None
        told = {block.label: block.text for block in read.details.blocks}
        assert '"salary": 71234' in told["What is private: not on the card, and for you alone"]
        assert told["Signed so far"].startswith("Bo broke the glass, and approved it alone at 20")
        assert told["What the tool answered (not verified)"] == "Chris gets more"
        assert not [one for post in house.chat.posts for one in post.cards if "71234" in str(one)]
        opened = [(one["person"], one["request"]) for one in await events(house, "details_opened")]
        assert opened[-1] == ("dana", (await request_of(house, review)).id)
        assert (await house.press("right", by="dana", card=review, fields={"text": "it was"})).is_taken
        assert await is_sound(house)
