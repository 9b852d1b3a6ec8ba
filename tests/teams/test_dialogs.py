"""Dialogs: what opens is what the store holds now, and what is sent is recorded or says why not, in time."""

from __future__ import annotations

import pytest

from adapters.teams import deeds, dialogs
from adapters.teams.deeds import INACTIVE, SEVERAL, STRANGER
from adapters.teams.dialogs import CHANGED, GONE, NOT_YOURS, SLOW
from bot.domain.chat import Answer, Block, Button, Card, Click, Fact, Field, FieldKind, Form
from bot.domain.errors import NotEligible, StoreUnavailable
from bot.domain.wire import replace
from tests.teams.hall import CARD, REASON, Hall, a_hall

SORRY = "Not recorded, please try again."
TOLD = Card(title="All of it", facts=(Fact(label="amount", value="40"),), blocks=(Block(label="why", text="it broke"),))
LONG = "\n".join(f"line-{number}-of-very-many" for number in range(4_000))
WORDY = Field(name="text", label="Text", kind=FieldKind.LONG_TEXT, value="x" * 7_000)
LONG_FORM = tuple(replace(WORDY, name=f"text{number}", label=f"Text {number}") for number in range(4))
EDIT = Button(subject="q-1", move="edit", label="Edit", token="tok-e", fields=LONG_FORM)


def words(hall: Hall, user: str) -> str:
    """What stands in the dialog in front of *user*."""
    shown = hall.teams.dialog_of(user)
    assert shown is not None
    return hall.teams.text_of(shown.card)


# ------------------------------------------------------------------ details


async def test_details_are_recorded_before_they_are_shown_and_to_whoever_pressed_alone() -> None:
    """AS-33: from then on that person counts as having read them."""
    async with a_hall() as hall:
        ref = await hall.card()
        hall.front.answer = Answer(is_taken=True, text="read", details=TOLD)

        answer = await hall.press(hall.bo, ref, "Details")

        assert answer.kind == "dialog"
        assert all(word in words(hall, hall.bo) for word in ("All of it", "amount", "40", "it broke"))
        [click] = hall.front.came
        assert isinstance(click, Click)
        assert (click.move, click.token, click.ref) == ("details", "tok-d", ref)
        assert hall.teams.dialog_of(hall.ana) is None


async def test_long_details_have_pages_and_nothing_of_them_is_cut() -> None:
    async with a_hall() as hall:
        ref = await hall.card()
        long = replace(TOLD, blocks=(Block(label="", text=LONG),))
        hall.front.answer = Answer(is_taken=True, text="read", details=long)
        await hall.press(hall.bo, ref, "Details")
        read = words(hall, hall.bo)

        while "Next" in hall.teams.buttons_of(hall.teams.dialog_of(hall.bo).card):  # type: ignore[union-attr]  # it is there
            await hall.teams.submit_dialog(hall.bo, "Next")
            read += words(hall, hall.bo)

        assert [number for number in range(4_000) if f"line-{number}-of" not in read] == []


async def test_who_may_not_read_the_details_is_told_so_in_the_dialog() -> None:
    async with a_hall() as hall:
        ref = await hall.card()
        hall.front.error = NotEligible("q-1", "gil", "Only finance may read this.")

        answer = await hall.press(hall.gil, ref, "Details")

        assert answer.words == "Only finance may read this."


# -------------------------------------------------------------- long forms


async def test_a_form_too_large_for_its_card_opens_with_what_the_store_holds_now() -> None:
    async with a_hall() as hall:
        ref = await hall.card(replace(CARD, buttons=(EDIT,)))
        hall.views.buttons["q-1", "edit"] = replace(EDIT, fields=(replace(REASON, label="Newer reason"),))

        answer = await hall.press(hall.bo, ref, "Edit")

        assert answer.kind == "dialog"
        assert "Newer reason" in words(hall, hall.bo)


async def test_a_sent_dialog_is_a_form_about_the_card_it_was_opened_from() -> None:
    """T14: it carries the message along, because what is sent from a dialog may not name one."""
    async with a_hall() as hall:
        ref = await hall.card(replace(CARD, buttons=(EDIT,)))
        hall.views.buttons["q-1", "edit"] = small = replace(EDIT, fields=(REASON,))
        await hall.press(hall.bo, ref, "Edit")
        hall.teams.faults.leave_out = {"conversation", "replyToId"}
        hall.front.answer = Answer(is_taken=True, text="Your version takes its place.")

        answer = await hall.teams.submit_dialog(hall.bo, small.label, Reason="less of it")

        [form] = hall.front.came
        assert isinstance(form, Form)
        assert (form.ref, form.move, form.token) == (ref, "edit", "tok-e")
        assert form.fields == {"reason": "less of it"}
        assert (answer.words, hall.teams.dialog_of(hall.bo)) == ("Your version takes its place.", None)


async def test_problems_stand_beside_their_fields_and_what_was_typed_stays() -> None:
    async with a_hall() as hall:
        ref = await hall.card(replace(CARD, buttons=(EDIT,)))
        hall.views.buttons["q-1", "edit"] = replace(EDIT, fields=(REASON,))
        await hall.press(hall.bo, ref, "Edit")
        hall.front.answer = Answer(is_taken=False, text="no", problems={"reason": "at least three words"})

        answer = await hall.teams.submit_dialog(hall.bo, "Edit", Reason="no")

        assert answer.kind == "dialog"
        assert "at least three words" in words(hall, hall.bo)
        hall.front.answer = Answer(is_taken=True, text="")
        await hall.teams.submit_dialog(hall.bo, "Edit")
        sent = hall.front.came[-1]
        assert isinstance(sent, Form)
        assert (sent.fields, sent.ref) == ({"reason": "no"}, ref)


async def test_a_form_whose_request_has_changed_is_not_filled_in() -> None:
    """AP-09: nobody signs fields they pressed an older picture of."""
    async with a_hall() as hall:
        ref = await hall.card(replace(CARD, buttons=(EDIT,)))
        hall.views.buttons["q-1", "edit"] = replace(EDIT, token="tok-newer")
        assert (await hall.press(hall.bo, ref, "Edit")).words == CHANGED
        del hall.views.buttons["q-1", "edit"]
        assert (await hall.press(hall.bo, ref, "Edit")).words == GONE


# --------------------------------------------------------------- whole cards


async def test_a_card_too_long_to_stand_whole_is_signed_from_its_dialog_after_its_last_page() -> None:
    """T01: its buttons stand where all of it could be read, and nowhere before."""
    async with a_hall() as hall:
        long = replace(CARD, blocks=(Block(label="arguments", text=LONG, is_code=True),))
        ref = await hall.card(long)
        assert "Approve" not in hall.teams.buttons_of(hall.here.teams.message(ref.id))
        hall.waits(hall.bo, ref=ref, card=long)

        await hall.press(hall.bo, ref, "Show all")
        seen, pages = words(hall, hall.bo), 1
        while "Next" in hall.teams.buttons_of(hall.teams.dialog_of(hall.bo).card):  # type: ignore[union-attr]  # it is there
            assert "Approve" not in hall.teams.buttons_of(hall.teams.dialog_of(hall.bo).card)  # type: ignore[union-attr]  # it is there
            await hall.teams.submit_dialog(hall.bo, "Next")
            seen, pages = seen + words(hall, hall.bo), pages + 1
        hall.front.answer = Answer(is_taken=True, text="Approved.")
        answer = await hall.teams.submit_dialog(hall.bo, "Approve")

        assert pages > 1
        assert [number for number in range(4_000) if f"line-{number}-of" not in seen] == []
        [click] = hall.front.came
        assert isinstance(click, Click)
        assert (click.move, click.ref, answer.words) == ("approve", ref, "Approved.")


async def test_a_button_of_a_whole_card_that_wants_fields_opens_them() -> None:
    async with a_hall() as hall:
        long = replace(CARD, blocks=(Block(label="arguments", text=LONG[:60_000], is_code=True),))
        ref = await hall.card(long)
        hall.waits(hall.bo, ref=ref, card=replace(long, blocks=()))
        await hall.press(hall.bo, ref, "Show all")

        await hall.teams.submit_dialog(hall.bo, "Reject")
        await hall.teams.submit_dialog(hall.bo, "Reject", Reason="no")

        [form] = hall.front.came
        assert isinstance(form, Form)
        assert (form.move, form.fields, form.ref) == ("reject", {"reason": "no"}, ref)


async def test_a_whole_card_is_shown_to_nobody_it_does_not_wait_for() -> None:
    """T32: "Show all" stands on a card that anybody in the channel can press."""
    async with a_hall() as hall:
        ref = await hall.card(replace(CARD, blocks=(Block(label="arguments", text=LONG, is_code=True),)))

        assert (await hall.press(hall.gil, ref, "Show all")).words == NOT_YOURS


# -------------------------------------------------------------------- people


async def test_somebody_is_named_by_id_by_name_or_not_at_all() -> None:
    async with a_hall() as hall:
        who = Field(name="to", label="To", kind=FieldKind.PERSON)
        hand = Button(subject="q-1", move="hand_to", label="Hand to", token="tok-h", fields=(who,))
        ref = await hall.card(replace(CARD, buttons=(hand,)))
        for said, meant in (("ana", "ana"), ("@ana", "ana"), ("Bo Lima", "bo"), (hall.bo.upper(), "bo")):
            hall.front.came.clear()
            await hall.press(hall.bo, ref, "Hand to", To=said)
            assert [one.fields for one in hall.front.came if isinstance(one, Form)] == [{"to": meant}]
        hall.front.came.clear()

        assert STRANGER in (await hall.press(hall.bo, ref, "Hand to", To="Zoe")).words
        assert hall.front.came == []


async def test_a_form_in_a_dialog_lets_choose_from_few_people_and_type_where_they_cannot_be_listed() -> None:
    async with a_hall() as hall:
        who = Field(name="to", label="To", kind=FieldKind.PERSON)
        hand = Button(subject="q-1", move="hand_to", label="Hand to", token="tok-h", fields=(who, *LONG_FORM))
        ref = await hall.card(replace(CARD, buttons=(hand,)))
        hall.views.buttons["q-1", "hand_to"] = replace(hand, fields=(who,))
        await hall.press(hall.bo, ref, "Hand to")
        dialog = hall.teams.dialog_of(hall.bo)
        assert dialog is not None
        assert "Bo Lima (bo)" in str(dialog.card)

        await hall.teams.submit_dialog(hall.bo, "Hand to", To="bo")

        assert [one.fields for one in hall.front.came if isinstance(one, Form)] == [{"to": "bo"}]


async def test_two_people_of_one_name_are_told_apart_by_their_ids() -> None:
    async with a_hall() as hall:
        deed = hall.deeds(("bo", "Bo Lima"), ("bob", "Bo Lima"))

        assert await deed._found("Bo Lima", hall.teams.tenant) == SEVERAL.format(ids="bo, bob")


# ------------------------------------------------------------------- trouble


async def test_a_store_that_is_down_is_said_in_the_dialog() -> None:
    async with a_hall() as hall:
        ref = await hall.card(replace(CARD, buttons=(EDIT,)))
        hall.views.error = StoreUnavailable("down")
        assert (await hall.press(hall.bo, ref, "Edit")).words == SORRY
        hall.views.error = None
        hall.views.buttons["q-1", "edit"] = replace(EDIT, fields=(REASON,))
        await hall.press(hall.bo, ref, "Edit")
        hall.front.shut = 9

        assert (await hall.teams.submit_dialog(hall.bo, "Edit", Reason="no")).words == SORRY


async def test_a_dialog_that_takes_too_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Teams gives up after 5 s, and shows an error of its own."""
    async with a_hall() as hall:
        ref = await hall.card(replace(CARD, buttons=(EDIT,)))
        monkeypatch.setattr(dialogs, "SHOWN_WITHIN", 0.05)
        monkeypatch.setattr(deeds, "ANSWER_WITHIN", 0.05)
        hall.views.opened.clear()
        assert (await hall.press(hall.bo, ref, "Edit")).words == SLOW


@pytest.mark.parametrize("name", ["task/fetch", "task/submit"])
@pytest.mark.parametrize("value", [None, [], {"data": 7}, {"data": {"countersign": {"subject": "q"}}}])
async def test_a_dialog_of_no_button_of_ours_says_that_it_is_not_active(name: str, value: object) -> None:
    """T13: whatever a client makes up is told in the shape that a dialog has."""
    async with a_hall() as hall:
        await hall.task()

        reply = (await hall.teams.invoke(hall.ana, hall.ops, name, value)).reply

        assert reply.json == {"task": {"type": "message", "value": INACTIVE}}
        assert hall.front.came == []
