"""The inbox: everybody sees their own list in their own chat, and every press in it is answered."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.teams import inbox
from adapters.teams.deeds import INACTIVE
from adapters.teams.inbox import STRANGER
from bot.domain.chat import Answer, Block, Button, Click, Form, Message, MessageRef, Place
from bot.domain.errors import NotEligible
from bot.domain.pages import Awaited, RunView, Settled
from bot.domain.request import RequestId, RunId
from bot.domain.wire import replace
from tests.domain.given import grant
from tests.fakes.teams import FakeMessage
from tests.teams.hall import CARD, Hall, a_hall

SORRY = "Not recorded, please try again."


def read(hall: Hall, shown: FakeMessage, user: str = "") -> str:
    return hall.teams.text_of(shown, user)


def a_run(hall: Hall, person: str, task: str = "refund order 7") -> RunView:
    stop = Button(subject="r-0-1", move="stop", label="Stop", token="seal")
    began = hall.here.time.now() - timedelta(hours=2)
    run = RunView(run=RunId("r-0-1"), status="waiting", task=task, requester=person, place=hall.place("1"), began=began)  # type: ignore[arg-type]  # a name is an id here
    return replace(run, stop=stop)


# -------------------------------------------------------------------- asking


@pytest.mark.parametrize("word", ["pending", "Inbox", "pending."])
async def test_whoever_asks_in_their_own_chat_sees_their_own_list(word: str) -> None:
    """PN-12: what waits for somebody, what they gave, decided and allowed, and the commands."""
    async with a_hall() as hall:
        hall.waits(hall.bo)
        hall.views.all_runs = [a_run(hall, "bo", "a task of bo"), a_run(hall, "ana", "a task of ana")]
        hall.views.allowed = (replace(grant(), by="bo"),)
        done = replace(CARD, title="Refund 9?", status="Rejected by Bo", buttons=())
        at = hall.here.time.now()
        hall.views.settled = [Settled(request=RequestId("q0"), run=RunId("r0"), card=done, move="reject", at=at)]
        hall.views.reports = {hall.bo: "14 decided, 86 % approved."}

        await hall.teams.say(hall.bo, hall.teams.direct_chat(hall.bo), word)

        await hall.told(hall.bo, "Approval needed: refund")
        text = read(hall, hall.teams.direct(hall.bo)[-1])
        expected = ("a task of bo", "Refund 9?", "What I allowed", "14 decided", "You pressed reject", "whoami")
        assert [one for one in expected if one not in text] == []
        assert "a task of ana" not in text
        assert hall.front.came == []


async def test_asked_for_in_a_channel_it_comes_to_their_own_chat() -> None:
    """T32: nobody in the channel reads what waits for somebody."""
    async with a_hall() as hall:
        hall.waits(hall.bo)

        await hall.teams.say(hall.bo, hall.ops, "@countersign pending")

        await hall.told(hall.bo, "Approval needed: refund")
        assert hall.teams.posts(hall.ops) == []


async def test_guests_read_one_sentence_and_nothing_of_what_waits() -> None:
    """T16."""
    async with a_hall() as hall:
        hall.waits(hall.gil)

        shown = await hall.inbox(hall.gil)

        assert read(hall, shown) == STRANGER


async def test_a_word_that_a_question_there_offers_is_its_answer_and_no_command() -> None:
    async with a_hall() as hall:
        direct = hall.teams.direct_chat(hall.bo)
        here = Place(platform="teams", tenant=hall.teams.tenant, channel=direct, is_direct=True)
        asks = replace(CARD, buttons=(Button(subject="q-1", move="answer", label="Pending", token="t"),))
        hall.waits(hall.bo, ref=MessageRef(place=here, id="1"), card=asks)

        await hall.teams.say(hall.bo, direct, "pending")

        assert [one.text for one in hall.front.came if isinstance(one, Message)] == ["pending"]


async def test_more_than_the_word_is_a_command_like_any_other() -> None:
    async with a_hall() as hall:
        await hall.teams.say(hall.bo, hall.teams.direct_chat(hall.bo), "pending 2")

        assert [one.text for one in hall.front.came if isinstance(one, Message)] == ["pending 2"]


# ------------------------------------------------------------------- pressing


async def test_a_press_counts_for_the_card_its_row_stands_for_and_the_list_is_drawn_again() -> None:
    """T13, T14: the ref is the shown copy's; what the person sees is the list after their press, on every device."""
    async with a_hall() as hall:
        ref = hall.waits(hall.bo)
        shown = await hall.inbox(hall.bo)
        hall.front.answer = Answer(is_taken=True, text="Approved.")
        hall.front.came.clear()
        hall.views.waiting[hall.bo].clear()

        answer = await hall.teams.press(hall.bo, shown.conversation, shown.id, "Approve")

        [click] = hall.front.came
        assert isinstance(click, Click)
        assert (click.ref, click.subject, click.move, click.token) == (ref, "q-1", "approve", "tok-a")
        assert answer.kind == "card"
        mine = read(hall, shown, hall.bo)
        assert "Approved." in mine
        assert "Nothing waits for you." in mine
        await hall.teams.until(lambda: "Nothing waits for you." in read(hall, hall.teams.message(shown.id)), "an edit")


async def test_a_phone_presses_the_same_and_is_told() -> None:
    async with a_hall() as hall:
        hall.waits(hall.bo)
        shown = await hall.inbox(hall.bo)
        hall.teams.phones.add(hall.bo)
        hall.front.answer = Answer(is_taken=True, text="Approved by you.")
        hall.views.waiting[hall.bo].clear()

        await hall.teams.press(hall.bo, shown.conversation, shown.id, "Approve")

        await hall.told(hall.bo, "Approved by you.")
        await hall.teams.until(lambda: "Nothing waits for you." in read(hall, hall.teams.message(shown.id)), "an edit")


async def test_a_card_on_another_platform_is_decided_from_here() -> None:
    async with a_hall() as hall:
        slack = MessageRef(place=Place(platform="slack", tenant="T1", channel="C1"), id="1.0")
        hall.waits(hall.bo, ref=slack)
        shown = await hall.inbox(hall.bo)

        await hall.teams.press(hall.bo, shown.conversation, shown.id, "Approve")

        assert [one.ref for one in hall.front.came if isinstance(one, Click)] == [slack]


async def test_a_button_with_fields_opens_them_and_its_answer_stands_in_the_dialog() -> None:
    async with a_hall() as hall:
        ref = hall.waits(hall.bo)
        shown = await hall.inbox(hall.bo)
        await hall.teams.press(hall.bo, shown.conversation, shown.id, "Reject")
        hall.front.answer = Answer(is_taken=True, text="Rejected.")

        answer = await hall.teams.submit_dialog(hall.bo, "Reject", Reason="too much")

        [form] = hall.front.came
        assert isinstance(form, Form)
        assert (form.ref, form.fields, answer.words) == (ref, {"reason": "too much"}, "Rejected.")


async def test_what_is_too_long_for_its_row_is_opened_whole_and_signed_there() -> None:
    """T01: a row whose arguments do not stand whole in it has no Approve."""
    async with a_hall() as hall:
        long = replace(CARD, blocks=(Block(label="arguments", text="x" * 3_000, is_code=True),))
        ref = hall.waits(hall.bo, card=long)
        shown = await hall.inbox(hall.bo)
        assert "Approve" not in hall.teams.buttons_of(shown)

        await hall.teams.press(hall.bo, shown.conversation, shown.id, "Open")
        dialog = hall.teams.dialog_of(hall.bo)
        assert dialog is not None
        assert "x" * 3_000 in hall.teams.text_of(dialog.card).replace("\n", "")
        await hall.teams.submit_dialog(hall.bo, "Approve")

        assert [one.ref for one in hall.front.came if isinstance(one, Click)] == [ref]


async def test_who_may_not_reads_why_and_the_list_stays() -> None:
    async with a_hall() as hall:
        hall.waits(hall.bo)
        shown = await hall.inbox(hall.bo)
        hall.front.error = NotEligible("q-1", "bo", "Only finance may answer this.")

        await hall.teams.press(hall.bo, shown.conversation, shown.id, "Approve")

        assert "Only finance may answer this." in read(hall, shown, hall.bo)
        assert "Approval needed: refund" in read(hall, shown, hall.bo)


async def test_a_press_that_was_not_recorded_says_so() -> None:
    async with a_hall() as hall:
        hall.waits(hall.bo)
        shown = await hall.inbox(hall.bo)
        hall.front.shut = 9

        await hall.teams.press(hall.bo, shown.conversation, shown.id, "Approve")

        assert SORRY in read(hall, shown, hall.bo)


async def test_a_list_that_cannot_be_read_in_time_leaves_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """What became of the press waits for nothing."""
    async with a_hall() as hall:
        hall.waits(hall.bo)
        shown = await hall.inbox(hall.bo)
        monkeypatch.setattr(inbox, "DRAWN_WITHIN", 0.05)
        hall.views.read.clear()
        hall.front.answer = Answer(is_taken=True, text="Approved.")

        answer = await hall.teams.press(hall.bo, shown.conversation, shown.id, "Approve")

        assert (answer.kind, answer.words) == ("words", "Approved.")


async def test_a_list_forwarded_into_a_channel_is_dead() -> None:
    """T14: it stands in people's own chats and nowhere else."""
    async with a_hall() as hall:
        hall.waits(hall.bo)
        shown = await hall.inbox(hall.bo)
        there = await hall.card()
        told = hall.teams.click(hall.bo, shown.conversation, shown.id, "Approve")
        here = hall.teams.click(hall.bo, there.place.channel, there.id, "Approve")
        hall.front.came.clear()

        answer = await hall.teams.send_click(hall.bo, {**here, "value": told["value"]})

        assert (answer.words, hall.front.came) == (INACTIVE, [])


async def test_a_press_in_the_list_never_replaces_a_card() -> None:
    """Whoever makes up where they pressed gets no list over a request's card."""
    async with a_hall() as hall:
        hall.waits(hall.bo)
        shown = await hall.inbox(hall.bo)
        ref = await hall.chat.post(CARD, await hall.chat.direct(hall.account(hall.bo)), key="dm")
        told = hall.teams.click(hall.bo, shown.conversation, shown.id, "Approve")

        await hall.teams.send_click(hall.bo, {**told, "replyToId": ref.id})
        await hall.rest()

        assert hall.teams.message(ref.id).versions == []


# -------------------------------------------------------- commands as buttons


async def test_a_grant_is_revoked_after_a_question() -> None:
    async with a_hall() as hall:
        hall.views.allowed = (replace(grant(), by="bo"),)
        shown = await hall.inbox(hall.bo)
        assert "Ask about such calls again from now on?" in read(hall, shown)

        await hall.teams.press(hall.bo, shown.conversation, shown.id, "Revoke")

        assert [(one, by) for one, by, _ in hall.front.revoked] == [(grant().id, hall.bo)]


async def test_putting_off_coming_back_and_showing_again_are_the_commands() -> None:
    """Whose list it is about is who presses."""
    async with a_hall() as hall:
        orders: list[str] = []

        async def order(text: str, by: object, place: object, delivery: str) -> Answer:  # noqa: ARG001 - as the door's
            orders.append(text)
            return Answer(is_taken=True, text=f"did {text}")

        hall.front.order = order  # type: ignore[method-assign]  # the door writes none of them down
        hall.views.gone = {hall.bo: "You are away until Monday."}
        hall.waits(hall.bo)
        off = replace(hall.views.waiting[hall.bo][0], request=RequestId("q-2"), put_off=hall.here.time.now())
        hall.views.waiting[hall.bo].append(off)
        shown = await hall.inbox(hall.bo)

        await hall.teams.press(hall.bo, shown.conversation, shown.id, "I am back")
        await hall.teams.press(hall.bo, shown.conversation, shown.id, "Show now")
        await hall.teams.press(hall.bo, shown.conversation, shown.id, "Put off")
        answer = await hall.teams.submit_dialog(hall.bo, "Put off", 0, **{"For how long": "Put off for 4 hours"})

        assert orders == ["back", "now q-2", "later q-1 4h"]
        assert answer.words == "did later q-1 4h"


async def test_a_team_is_to_know_of_and_has_nothing_to_press() -> None:
    async with a_hall() as hall:
        at = hall.here.time.now()
        people = tuple(f"Person {number}" for number in range(6))
        awaited = Awaited(request=RequestId("q"), run=RunId("r"), tool="refund", people=people, opened=at)

        async def team(viewer: object) -> tuple[Awaited, ...]:  # noqa: ARG001 - as the views'
            return (awaited,)

        hall.views.team = team  # type: ignore[method-assign]  # one row
        text = read(hall, await hall.inbox(hall.bo))

        assert "refund · waits for Person 0, Person 1, Person 2, Person 3, 2 more" in text
