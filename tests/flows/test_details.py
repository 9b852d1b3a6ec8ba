"""Details: what is high-risk is approved only by who has everything about that very call before them."""

from __future__ import annotations

import pytest

from agents.toolbox import tool
from bot.domain.calls import Risk
from bot.domain.chat import Answer
from bot.domain.errors import StoreUnavailable
from bot.domain.render import DETAILS
from tests.fakes.chat import Posted
from tests.flows.doors import interrupted
from tests.flows.stage import STEADY, Build, Hands, Played, call, calls, events, moves, policy, request_of, settled
from tests.house import House, find, words

WIRE = calls(call("wire", amount=90))
HIGH = "groups: [approvers], high: true"
TOLD = "Please open Details first: what is high-risk is approved only by who has read all of it."


async def test_high_risk_is_not_approved_by_who_has_not_opened_its_details(build: Build, hands: Hands) -> None:
    """AU-22, AU-24, D-33, T19: the click is refused in one sentence, counted nowhere, and audited as refused."""
    async with build(policy=policy(HIGH), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        assert moves(card) == ["approve", "edit", "reject", "explain", "details", "stop"]

        hasty = await house.press("approve", by="bo", card=card, is_careful=False)
        assert (hasty.is_taken, hasty.text) == (False, TOLD)
        assert not hands.did

        read = await house.press(DETAILS, by="bo", card=card)
        signed = await house.press("approve", by="bo", card=card, is_careful=False)

        assert (read.is_taken, signed.text) == (True, "Approved. It runs now.")
        await house.shows("ok wire 90 bank")
        assert [one["cause"] for one in await events(house, "vote_refused")] == ["Unread"]
        assert [one["person"] for one in await events(house, "details_opened")] == ["bo"]
        assert await settled(house)


async def test_the_details_show_every_argument_the_steps_before_the_rule_and_who_signed(
    build: Build, hands: Hands
) -> None:
    """PN-13, AS-29, A2-05, T03: whole and inert, with what the run did before, why a person is asked, and who
    signed.
    """
    rules = policy("groups: [{of: approvers, need: 2}], high: true")
    turns = (calls(call("peek", what="books")), calls(call("wire", amount=90, to="b\u202eank" + "x" * 4_000)))
    async with build(policy=rules, tools=hands.tools, model=Played(*turns)) as house:
        await house.mention("ana", "pay")
        await house.press("approve", by="bo")

        shown = (await house.press(DETAILS, by="chris")).details

        assert shown is not None
        assert (shown.title, shown.buttons, shown.mentions) == ("Details: wire", (), ())
        told = {block.label: block.text for block in shown.blocks}
        assert "b⟨U+202E⟩ank" + "x" * 4_000 in told["Every argument"]
        assert "rule `sign`" in told["Why a person is asked"]
        assert told["What this run did before"] == "1. peek: done"
        assert told["Signed so far"].startswith("Bo approved at 20")


async def test_a_secret_is_hidden_in_the_details_as_well(build: Build) -> None:
    """T20, D-43: its fingerprint stands in its place, also where the policy says what it saw."""

    @tool(risk=Risk.IRREVERSIBLE, secrets=("pin",))
    async def unlock(pin: str) -> str:
        """Open the vault."""
        return pin

    model = Played(calls(call("unlock", pin="CANARY-1234")))
    rules = policy(HIGH).replace('tool.risk == "read"', 'tool.name == "x" && args.pin == "CANARY-1234"')
    async with build(policy=rules, tools=(unlock,), model=model) as house:
        await house.mention("ana", "open it")
        await house.card()

        shown = (await house.press(DETAILS, by="bo")).details

        assert shown is not None
        assert "•••• (secret" in shown.blocks[0].text
        assert "CANARY-1234" not in str(shown)


async def test_what_is_private_is_shown_to_whoever_may_answer_alone_and_before_they_do(build: Build) -> None:
    """A2-01, D-43: •••• in the channel, whole in bo's Details; ana and an approval that read nothing are refused."""

    @tool(risk=Risk.WRITE, private=("salary",))
    async def raise_pay(who: str, salary: int) -> str:
        """Pay somebody more."""
        return f"{who} gets {'more' if salary else 'nothing'}"

    model = Played(calls(call("raise_pay", who="Dana", salary=71_234), text="I put 71234 there."))
    rules = policy("groups: [approvers], words: true, batch: true, grant: {most: 3, within: 8h}")
    async with build(policy=rules, tools=(raise_pay,), model=model) as house:
        thread = await house.mention("ana", "raise it")
        card = await house.card()

        typed = await house.say("bo", "approve", thread=thread)
        blind = await house.press("approve", by="bo", card=card, is_careful=False)
        foreign = await house.press(DETAILS, by="ana", card=card)
        shown = (await house.press(DETAILS, by="bo", card=card)).details

        assert not hits(house, "7123")
        assert '"salary": "•••• (private, shown in Details)"' in words(card)
        assert "offer" not in moves(card)
        assert typed is not None
        assert typed.text.startswith("Words alone do not sign this")
        assert (blind.is_taken, foreign.is_taken, foreign.details) == (False, False, None)
        assert shown is not None
        assert shown.blocks[0].label.startswith("What is private")
        assert '"salary": 71234' in shown.blocks[0].text
        assert (await house.press("approve", by="bo", card=card)).is_taken
        await house.shows("Dana gets more")
        assert not [entry for entry in await house.audit() if "7123" in str(entry.fields)]
        assert await settled(house)


async def test_what_is_private_and_too_long_to_be_read_is_put_to_nobody(build: Build) -> None:
    """A2-01, D-33: it stands on no card and in no file, so what Details cannot hold nobody could have read."""

    @tool(risk=Risk.WRITE, private=("letter",))
    async def post(letter: str) -> str:
        """Send a letter."""
        return letter

    model = Played(calls(call("post", letter="x" * 4_000)))
    async with build(policy=policy(), tools=(post,), model=model) as house:
        await house.mention("ana", "send it")

        await house.shows("its private values are 4,0")
        assert not await events(house, "request_opened")


def hits(house: House, text: str) -> list[str]:
    """Messages that show *text*."""
    return [post.card.title for post in house.chat.posts if text in str(post.cards)]


LIKE = "What people decided about calls like it"


def told_before(answer: Answer) -> list[str]:
    """The lines about like decisions, without when they were made."""
    assert answer.details is not None
    block = next(block for block in answer.details.blocks if block.label == LIKE)
    return [line.partition(" UTC: ")[2] or line for line in block.text.splitlines()]


async def test_the_details_tell_what_people_decided_about_calls_like_it(build: Build, hands: Hands) -> None:
    """PN-13: of this tool and rule, the latest first: how, by whom, what was other than now; the first has none."""
    amounts = (10, 20, 30, 90)
    model = Played(*(calls(call("wire", amount=amount)) for amount in amounts))
    rules = policy(HIGH, ladder="{after: 1h, expire: true}")
    async with build(policy=rules, tools=hands.tools, model=model, pace=STEADY) as house:
        await house.mention("ana", "pay")
        first = await house.card()
        assert told_before(await house.press(DETAILS, by="bo", card=first)) == ["None like this in 30 days."]
        await house.press("approve", by="bo", card=first)
        second = await house.card(but=[first])
        await house.press("reject", by="chris", card=second, fields={})
        third = await house.card(but=[first, second])
        await house.press("edit", by="bo", card=third, fields={"amount": "90", "to": "b\u202eank"})
        fourth = await house.card(but=[first, second, third])
        await house.press("approve", by="bo", card=fourth)
        last = await house.card(but=[first, second, third, fourth])

        read = await house.press(DETAILS, by="chris", card=last)

        assert told_before(read) == [
            "3 like this in 30 days: 2 approved, 1 rejected; 1 changed by a person first.",
            'approved by Bo, changed first; with to="b⟨U+202E⟩ank"',
            "rejected by Chris; with amount=20",
            "approved by Bo; with amount=10",
        ]
        assert (await house.press("approve", by="chris", card=last)).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_like_decisions_hide_secrets_and_what_was_asked_elsewhere(build: Build) -> None:
    """PN-13, T20: a secret is masked, also where another argument repeats it; five are listed, all are counted."""

    @tool(risk=Risk.IRREVERSIBLE, secrets=("pin",))
    async def unlock(pin: str, note: str) -> str:
        """Open the vault."""
        return pin[:0] + note[:0]

    turns = [calls(call("unlock", pin=f"CANARY-{n}", note=f"with CANARY-{n}")) for n in range(7)]
    async with build(policy=policy(HIGH), tools=(unlock,), model=Played(*turns)) as house:
        await house.mention("ana", "open it")
        seen: list[Posted] = []
        for _ in range(6):
            seen.append(await house.card(but=seen))
            await house.press("reject", by="bo", card=seen[-1], fields={})

        read = await house.press(DETAILS, by="bo", card=await house.card(but=seen))

        count, *rows = told_before(read)
        assert count == "6 like this in 30 days: 6 rejected."
        assert rows == ['rejected by Bo; with note="with ••••", pin=•••'] * 5
        assert not any("CANARY" in line for line in told_before(read))


async def test_like_decisions_that_cannot_be_read_are_said_and_stop_nobody(
    build: Build, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PN-13, D-03: the store does not answer for a moment; the rest is shown, and it may be approved."""
    async with build(policy=policy(HIGH), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()

        async def fails(*_: object) -> tuple[str, ...]:
            raise StoreUnavailable("no answer")

        monkeypatch.setattr(house.store, "audit_lines", fails)
        read = await house.press(DETAILS, by="bo", card=card)
        monkeypatch.undo()

        assert told_before(read) == ["They could not be read just now."]
        assert (await house.press("approve", by="bo", card=card)).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_only_who_may_answer_opens_the_details(build: Build, hands: Hands) -> None:
    """D-30, D-43, T32: everything about a call is for those who can decide it."""
    async with build(policy=policy(HIGH), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        await house.card()

        for by in ("ana", "gus", "mallory"):
            told = await house.press(DETAILS, by=by)
            assert (told.is_taken, told.details) == (False, None)

        assert not await events(house, "details_opened")


async def test_the_details_are_opened_once_however_often_they_are_pressed(build: Build, hands: Hands) -> None:
    """I10, T12: a second look, and the same delivery again, change nothing, and show the details all the same."""
    async with build(policy=policy(HIGH), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()

        answers = [await house.press(DETAILS, by="bo", card=card, delivery=one) for one in ("a", "a", "b")]

        assert all(answer.details is not None for answer in answers)
        assert len(await events(house, "details_opened")) == 1
        assert (await request_of(house, card)).version == 2


async def test_an_edited_call_has_details_of_its_own(build: Build, hands: Hands) -> None:
    """D-33, I8: bo read 90; what he made of it is read, and then signed, on its own card."""
    async with build(policy=policy(HIGH), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        old = await house.card()
        await house.press(DETAILS, by="bo", card=old)

        changed = await house.press("edit", by="bo", card=old, fields={"amount": "80"})
        new = await house.card(but=[old])
        hasty = await house.press("approve", by="bo", card=new, is_careful=False)

        assert changed.text == (
            "Changed. Your version has its own card: open its Details, if it is high-risk, and approve it there."
        )
        assert (hasty.is_taken, hasty.text, hands.did) == (False, TOLD, [])
        assert (await house.press("approve", by="bo", card=new)).is_taken
        await house.shows("ok wire 80 bank")
        assert await settled(house)


async def test_what_one_process_wrote_down_another_one_believes(build: Build, hands: Hands) -> None:
    """T16: bo opens the details at one replica and approves at another, which opened the request itself."""
    async with (
        build(policy=policy(HIGH), tools=hands.tools, model=Played(WIRE), pace=STEADY) as house,
        house.again() as other,
    ):
        await house.mention("ana", "pay")
        card = await house.card()

        await other.press(DETAILS, by="bo", card=card)

        assert (await house.press("approve", by="bo", card=card, is_careful=False)).is_taken
        await house.shows("ok wire 90 bank")


@pytest.mark.parametrize("ends", ["reject", "stop"])
async def test_what_is_settled_has_no_details_to_open(build: Build, hands: Hands, ends: str) -> None:
    """CD-07: whoever comes too late is told so."""
    async with build(policy=policy(HIGH), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        await house.press(ends, by="bo", card=card)
        await house.chat.until(lambda: not card.card.buttons, "no live buttons")

        late = await house.press(DETAILS, by="chris", card=card)

        assert (late.is_taken, late.details) == (False, None)
        assert await settled(house)


async def test_an_ordinary_call_can_be_read_and_need_not_be(build: Build, hands: Hands) -> None:
    """PN-13, AS-29: every argument, the steps before and what people decided about calls like it, for whoever may sign.

    It stands after the votes and before Stop; nothing is written down, so nobody's vote is counted anew.
    """
    model = Played(*(calls(call("wire", amount=amount)) for amount in (10, 90)))
    async with build(policy=policy(), tools=hands.tools, model=model, pace=STEADY) as house:
        await house.mention("ana", "pay")
        first = await house.card()
        assert moves(first) == ["approve", "edit", "reject", "explain", DETAILS, "stop"]
        assert (await house.press("approve", by="bo", card=first)).is_taken
        card = await house.card(but=[first])
        before = await request_of(house, card)

        read = await house.press(DETAILS, by="chris", card=card)

        assert (read.is_taken, read.text) == (True, "These are the details.")
        assert read.details is not None
        told = {block.label: block.text for block in read.details.blocks}
        assert '"amount": 90' in told["Every argument"]
        assert told["What this run did before"] == "1. wire: done"
        assert told_before(read)[1] == "approved by Bo; with amount=10"
        assert await request_of(house, card) == before
        assert not await events(house, "details_opened")
        refused = [await house.press(DETAILS, by=by, card=card) for by in ("ana", "gus", "mallory")]
        assert [(one.is_taken, one.details) for one in refused] == [(False, None)] * 3
        assert (await house.press("approve", by="bo", card=card)).is_taken
        assert (await house.press(DETAILS, by="chris", card=card)).details is None
        assert await settled(house)


async def test_an_ordinary_call_in_doubt_can_be_read_as_well(build: Build, hands: Hands) -> None:
    """PN-13, I2: what may have run already is read before somebody says whether it did."""
    await interrupted(build, hands, WIRE, policy=policy())
    async with hands.house.again() as house:
        card = await house.card("answer")

        read = await house.press(DETAILS, by="bo", card=card)

        assert moves(card)[-2:] == [DETAILS, "stop"]
        assert read.details is not None
        assert (await house.press("reject", by="bo", card=card)).is_taken
        assert await settled(house)


async def test_a_recovery_of_high_risk_is_read_before_it_runs_again(build: Build, hands: Hands) -> None:
    """AU-24, I2: the second start of a call in doubt needs the same care as the first."""
    await interrupted(build, hands, WIRE, policy=policy(HIGH))
    async with hands.house.again() as house:
        card = await house.card("answer")

        hasty = await house.press("approve", by="bo", card=card, is_careful=False)

        assert (hasty.is_taken, hasty.text) == (False, TOLD)
        assert find(card, DETAILS).label == "Details"
        assert (await house.press("approve", by="bo", card=card)).is_taken
        await house.shows("ok wire 90 bank")
        assert hands.did == ["wire 90 bank"] * 2
        assert await settled(house)


async def test_the_shipped_policy_asks_for_details_of_a_deletion_and_for_its_path(house: House) -> None:
    """AU-22: `delete` in the call itself makes it high-risk, whatever else is said of it."""
    await house.mention("ana", "delete notes.txt")
    card = await house.card()

    assert DETAILS in moves(card)
    assert [field.name for field in find(card, "approve").fields] == ["typed"]
