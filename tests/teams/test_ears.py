"""What Teams tells the bot goes to the front door once, and whoever acted is answered: T12, T13, T14, T15, T17, T18."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapters.flood import BUSY
from adapters.teams import deeds
from adapters.teams.deeds import INACTIVE, LATE, PRESS_AGAIN
from adapters.teams.ears import IN_A_DIALOG, NOT_SURE
from bot.domain import orders
from bot.domain.chat import Answer, Click, Form, Message, MessageRef
from bot.domain.errors import NotEligible
from bot.domain.wire import replace
from tests.teams.hall import CARD, Hall, a_hall

SORRY = "Not recorded, please try again."


def messages(hall: Hall) -> list[Message]:
    return [one for one in hall.front.came if isinstance(one, Message)]


def presses(hall: Hall) -> list[Click | Form]:
    return [one for one in hall.front.came if isinstance(one, Click | Form)]


# ------------------------------------------------------------------ messages


async def test_a_mention_in_a_channel_is_a_task_in_its_own_thread() -> None:
    async with a_hall() as hall:
        thread = await hall.teams.say(hall.ana, hall.ops, "@countersign refund <b>order</b> 7 & tell Bo")

        [heard] = messages(hall)
        assert heard.text == "@countersign refund <b>order</b> 7 & tell Bo"
        assert heard.place == hall.place(thread)
        assert heard.ref == MessageRef(place=hall.place(), id=thread)
        assert (heard.by, heard.is_mention) == (hall.account(hall.ana), True)
        assert heard.delivery == f"teams:{hall.ops}:{thread}"


async def test_in_ones_own_chat_everything_is_meant_for_the_bot_and_the_answer_comes_there() -> None:
    async with a_hall() as hall:
        hall.front.answer = Answer(is_taken=False, text="Nothing is running here.")

        await hall.teams.say(hall.ana, hall.teams.direct_chat(hall.ana), "stop")

        [heard] = messages(hall)
        assert (heard.place.is_direct, heard.place.thread, heard.is_mention) == (True, None, True)
        await hall.told(hall.ana, "Nothing is running here.")


async def test_what_the_front_door_answers_in_a_channel_is_told_in_private() -> None:
    """T32: nobody else in the channel reads it."""
    async with a_hall() as hall:
        hall.front.answer = Answer(is_taken=False, text="Only full members may give tasks.")

        await hall.teams.say(hall.ana, hall.ops, "@countersign refund")

        await hall.told(hall.ana, "Only full members may give tasks.")
        assert hall.teams.posts(hall.ops) == []


@pytest.mark.parametrize("how", ["deliver_twice", "deliver_anew", "at_once"])
async def test_a_message_that_comes_again_is_the_same_delivery(how: str) -> None:
    """T12: with the same id, with another one half a minute later, or twice at once."""
    async with a_hall() as hall:
        setattr(hall.teams.faults, how, True)

        await hall.teams.say(hall.ana, hall.ops, "@countersign refund order 7")

        assert len(messages(hall)) == 2
        assert len({one.delivery for one in messages(hall)}) == 1


async def test_the_same_answer_said_twice_is_two_answers() -> None:
    """Two questions after each other, both answered with yes: the second is no repetition of the first."""
    async with a_hall() as hall:
        for _ in range(2):
            await hall.teams.say(hall.ana, hall.teams.direct_chat(hall.ana), "yes")
            hall.teams.later(1)

        assert len({one.delivery for one in messages(hall)}) == 2


async def test_what_could_not_be_written_down_comes_again_and_its_writer_is_told_to_look() -> None:
    """503, because then Teams may deliver again; whether it does, nobody knows."""
    async with a_hall() as hall:
        hall.front.shut = 1

        await hall.teams.say(hall.ana, hall.ops, "@countersign refund order 7")

        assert [one.reply.status for one in hall.teams.deliveries] == [503, 200]
        assert len({one.delivery for one in messages(hall)}) == 1
        await hall.told(hall.ana, NOT_SURE)


async def test_bots_and_the_bot_itself_are_not_heard() -> None:
    """T17: loops begin where bots answer bots."""
    async with a_hall() as hall:
        told = hall.teams.words(hall.ana, hall.ops, "@countersign hello")
        for sender in ({"id": hall.teams.bot_id}, {"id": "28:other"}, {**told["from"], "role": "bot"}):
            reply = await hall.teams.deliver({**told, "from": sender})
            assert reply.status == 200

        assert hall.front.came == []


@pytest.mark.parametrize("word", orders.TABLE, ids=[word.name for word in orders.TABLE])
async def test_every_command_arrives_as_one_and_is_answered_in_private(word: orders.Word) -> None:
    """By mention in a channel, with what stands behind the mention; and bare, in one's own chat."""
    rest = {"show": "q-1", "stop": "r-1", "revoke": "g-1", "later": "q-1 2h", "now": "q-1", "forget": "push"}
    after = f" {rest[word.name]}" if word.name in rest else ""
    async with a_hall() as hall:
        hall.front.answer = Answer(is_taken=False, text="For you alone.")

        await hall.teams.say(hall.bo, hall.ops, f"@countersign {word.name}{after}")
        if word.name != "pending":
            await hall.teams.say(hall.bo, hall.teams.direct_chat(hall.bo), f"{word.name}{after}")

        read = [orders.read(one.text) for one in messages(hall)]
        words = {one.word for one in read if isinstance(one, orders.Order)}
        assert words == ({word.name} if word.name != "pending" else set())
        await hall.told(hall.bo, "For you alone." if word.name != "pending" else "Waiting for you")
        assert hall.teams.posts(hall.ops) == []


async def test_a_deputy_is_the_person_who_was_mentioned_whatever_they_are_called() -> None:
    """Where Teams says who that is; several people may have one name."""
    async with a_hall() as hall:
        told = hall.teams.words(hall.ana, hall.ops, "@countersign away until Mon, @Bo Brandt decides")
        for entity in told["entities"]:
            if entity.get("text") == "<at>Bo Brandt</at>":
                entity["mentioned"]["aadObjectId"] = hall.bo

        await hall.teams.deliver(told)

        assert [one.text for one in messages(hall)] == [f"@countersign away until Mon, @{hall.bo}|Bo Brandt decides"]


async def test_a_flood_of_mentions_is_cut_off_and_told_once_while_others_are_heard() -> None:
    """T18: one person's thousand mentions delay nobody else's one; "stop" always gets through."""
    async with a_hall() as hall:
        for number in range(12):
            await hall.teams.say(hall.ana, hall.ops, f"@countersign task {number}")
        await hall.teams.say(hall.ana, hall.ops, "@countersign stop")
        await hall.teams.say(hall.bo, hall.ops, "@countersign refund")
        await hall.rest()

        heard = [one.by.user for one in messages(hall)]
        assert heard == [*[hall.ana] * 7, hall.bo]
        assert [hall.teams.text_of(one) for one in hall.teams.direct(hall.ana)].count(BUSY) == 1


async def test_edits_deletions_and_reactions_change_nothing() -> None:
    async with a_hall() as hall:
        thread = await hall.task()

        await hall.teams.edit(hall.ana, hall.ops, thread, "@countersign refund order 8")
        await hall.teams.erase(hall.ana, hall.ops, thread)

        assert hall.front.came == []
        assert {one.reply.status for one in hall.teams.deliveries} == {200}


# -------------------------------------------------------------------- presses


async def test_a_press_is_recorded_and_answered_in_words_under_the_card() -> None:
    """D-10, T13: the request, the move and the seal, in the message that shows them."""
    async with a_hall() as hall:
        ref = await hall.card()
        hall.front.answer = Answer(is_taken=True, text="Approved.")

        answer = await hall.press(hall.bo, ref, "Approve")

        [click] = presses(hall)
        assert isinstance(click, Click)
        assert (click.subject, click.move, click.token) == ("q-1", "approve", "tok-a")
        assert (click.ref, click.by) == (ref, hall.account(hall.bo))
        assert (answer.kind, answer.words) == ("words", "Approved.")


async def test_what_was_typed_beside_a_button_comes_with_it() -> None:
    async with a_hall() as hall:
        ref = await hall.card()

        await hall.press(hall.bo, ref, "Reject", Reason="too much")

        [form] = presses(hall)
        assert isinstance(form, Form)
        assert (form.move, form.fields) == ("reject", {"reason": "too much"})


async def test_a_phone_that_knows_only_submit_presses_the_same_button() -> None:
    """AdaptiveCards#9315: Execute is dead on phones; its twin leads to the same click, and its answer is told."""
    async with a_hall() as hall:
        ref = await hall.card()
        await hall.press(hall.bo, ref, "Approve")
        hall.teams.phones.add(hall.bo)
        hall.front.answer = Answer(is_taken=True, text="You approved this before.")

        await hall.press(hall.bo, ref, "Approve")

        first, second = presses(hall)
        assert replace(first, delivery="") == replace(second, delivery="")
        await hall.told(hall.bo, "You approved this before.")


@pytest.mark.parametrize("how", ["deliver_twice", "deliver_anew", "at_once"])
async def test_a_press_that_comes_again_is_answered_again(how: str) -> None:
    """T12: never with nothing, for that alone is an error and one more delivery (vercel/chat#731)."""
    async with a_hall() as hall:
        ref = await hall.card()
        hall.front.answer = Answer(is_taken=True, text="Approved.")
        setattr(hall.teams.faults, how, True)

        answer = await hall.press(hall.bo, ref, "Approve")

        replies = [one.reply for one in hall.teams.deliveries if one.activity["type"] == "invoke"]
        assert [reply.json["value"] for reply in replies] == ["Approved.", "Approved."]
        assert answer.words == "Approved."
        assert len({replace(one, delivery="") for one in map(_click, presses(hall))}) == 1
        same_id = how != "deliver_anew"
        assert (len({one.delivery for one in presses(hall)}) == 1) is same_id


async def test_twenty_people_at_once_are_each_answered() -> None:
    """One decision is the store's; each of them hears what it says."""
    async with a_hall() as hall:
        ref = await hall.card()
        hall.front.answer = Answer(is_taken=True, text="Somebody was first.")
        people = [hall.ana, hall.bo, hall.gil] * 7

        answers = await asyncio.gather(*(hall.press(one, ref, "Approve") for one in people[:20]))

        assert {one.words for one in answers} == {"Somebody was first."}
        assert len({one.delivery for one in presses(hall)}) == 20


async def test_whoever_may_not_decide_reads_why_and_what_they_typed_stays() -> None:
    async with a_hall() as hall:
        ref = await hall.card()
        hall.front.error = NotEligible("q-1", "gil", "Only finance may answer this.")

        answer = await hall.press(hall.gil, ref, "Reject", Reason="no")

        assert (answer.kind, answer.words) == ("words", "Only finance may answer this.")


async def test_problems_of_a_form_on_a_card_are_told_in_words() -> None:
    async with a_hall() as hall:
        ref = await hall.card()
        hall.front.answer = Answer(is_taken=False, text="", problems={"reason": "at least three words"})

        assert "reason: at least three words" in (await hall.press(hall.bo, ref, "Reject", Reason="no")).words


async def test_a_press_that_was_not_recorded_says_so() -> None:
    """Store down: never a card that looks settled."""
    async with a_hall() as hall:
        ref = await hall.card()
        hall.front.shut = 9

        answer = await hall.press(hall.bo, ref, "Approve")

        assert (answer.kind, answer.words) == ("words", SORRY)


async def test_a_press_that_takes_too_long_says_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_hall() as hall:
        ref = await hall.card()
        monkeypatch.setattr(deeds, "ANSWER_WITHIN", 0.05)
        hall.front.opened.clear()

        assert (await hall.press(hall.bo, ref, "Approve")).words == LATE


async def test_a_bug_behind_a_press_is_an_error_and_no_silence() -> None:
    """D15: the library would answer 501 without a body, which Teams shows as nothing."""
    async with a_hall() as hall:
        ref = await hall.card()
        hall.front.error = RuntimeError("a bug")

        answer = await hall.press(hall.bo, ref, "Approve")

        body = answer.reply.json
        assert (answer.reply.status, body["statusCode"], body["value"]["code"]) == (200, 500, "InternalError")
        assert "bug" not in answer.reply.text


# ------------------------------------------------- what Teams leaves out


@pytest.mark.parametrize("left_out", ["conversation", "thread", "tenant"])
async def test_a_press_names_its_card_whatever_teams_leaves_out(left_out: str) -> None:
    """AdaptiveCards#8864: submits without conversation; the message says where it stands."""
    async with a_hall() as hall:
        ref = await hall.card()
        hall.teams.faults.leave_out = {left_out} if left_out != "tenant" else set()

        answer = await hall.press(hall.bo, ref, "Approve")

        assert answer.kind == "words"
        assert [one.ref for one in presses(hall)] == [ref]


async def test_a_press_of_which_teams_says_nothing_at_all_is_to_be_pressed_again() -> None:
    async with a_hall() as hall:
        ref = await hall.card()
        hall.teams.faults.leave_out = {"conversation", "replyToId"}

        answer = await hall.press(hall.bo, ref, "Approve")

        assert (answer.words, presses(hall)) == (PRESS_AGAIN, [])


async def test_a_direct_cards_press_names_the_same_message_without_its_kind() -> None:
    """A conversation of which Teams does not say that it is personal is still the one the card was posted to."""
    async with a_hall() as hall:
        await hall.teams.say(hall.bo, hall.teams.direct_chat(hall.bo), "@countersign hello")
        ref = await hall.chat.post(CARD, await hall.chat.direct(hall.account(hall.bo)), key="dm")
        told = hall.teams.click(hall.bo, ref.place.channel, ref.id, "Approve")
        del told["conversation"]["conversationType"]
        hall.front.came.clear()

        await hall.teams.send_click(hall.bo, told)

        assert [one.ref for one in presses(hall)] == [ref]


# ------------------------------------------------------------------- forged


def _verb(value: dict[str, Any]) -> None:
    value["action"]["verb"] = "cs.reject"


def _move(value: dict[str, Any]) -> None:
    value["action"]["data"]["countersign"]["move"] = "give!all"


def _nobody(value: dict[str, Any]) -> None:
    value["action"]["data"] = {"countersign": {"subject": 7}}


def _text(value: dict[str, Any]) -> None:
    value["action"]["data"] = "approve"


def _bomb(value: dict[str, Any]) -> None:
    value["action"]["data"]["countersign"]["token"] = "x" * 5_000


@pytest.mark.parametrize("forge", [_verb, _move, _nobody, _text, _bomb])
async def test_what_no_button_of_ours_says_is_no_longer_active(forge: Any) -> None:
    """T13: nothing reaches the front door."""
    async with a_hall() as hall:
        ref = await hall.card()
        told = hall.teams.click(hall.bo, ref.place.channel, ref.id, "Approve")
        forge(told["value"])

        answer = await hall.teams.send_click(hall.bo, told)

        assert (answer.words, hall.front.came) == (INACTIVE, [])


@pytest.mark.parametrize("value", [None, 7, "x", [], {}, {"action": []}, {"action": {"verb": 7}}])
async def test_a_press_of_no_shape_is_a_bad_request(value: object) -> None:
    async with a_hall() as hall:
        await hall.task()

        answer = await hall.teams.invoke(hall.ana, hall.ops, "adaptiveCard/action", value)

        body = answer.reply.json
        assert (answer.reply.status, body["statusCode"], body["value"]["code"]) == (200, 400, "BadRequest")
        assert hall.front.came == []
        hall.teams.complaints.clear()


async def test_a_card_that_was_forwarded_names_the_copy() -> None:
    """T14: the front door is told the message it was pressed in, and refuses one that nobody posted."""
    async with a_hall() as hall:
        ref = await hall.card()
        told = hall.teams.click(hall.bo, ref.place.channel, ref.id, "Approve")
        elsewhere = hall.teams.add_group_chat([hall.bo, hall.ana])
        copy = {**told, "replyToId": "1", "conversation": {**told["conversation"], "id": elsewhere}}

        await hall.teams.send_click(hall.bo, copy)

        assert [(one.ref.place.channel, one.ref.id) for one in presses(hall)] == [(elsewhere, "1")]


async def test_another_companys_press_stops_at_the_door() -> None:
    """T15: with a valid token of Teams, but of a tenant that is not ours."""
    async with a_hall() as hall:
        ref = await hall.card()
        told = hall.teams.click(hall.bo, ref.place.channel, ref.id, "Approve")
        foreign = hall.teams.add_tenant()
        told["channelData"]["tenant"]["id"] = told["conversation"]["tenantId"] = foreign

        reply = await hall.teams.deliver(told)

        assert (reply.status, hall.front.came) == (403, [])


async def test_details_and_whole_cards_open_in_dialogs_alone() -> None:
    """AS-33: nobody has read what never opened, so nobody is written down as a reader."""
    async with a_hall() as hall:
        ref = await hall.card()
        told = hall.teams.click(hall.bo, ref.place.channel, ref.id, "Details")
        value = {**told["value"]["data"]}
        value.pop("msteams")

        await hall.teams.send_click(hall.bo, {**told, "type": "message", "id": "7", "value": value})

        await hall.told(hall.bo, IN_A_DIALOG)
        assert presses(hall) == []


# ---------------------------------------------------------------- everything else


@pytest.mark.parametrize("name", ["signin/verifyState", "composeExtension/query", "", "x" * 300])
async def test_an_invoke_nobody_knows_is_501_without_a_body(name: str) -> None:
    async with a_hall() as hall:
        hall.teams.redeliver = False
        await hall.task()

        reply = (await hall.teams.invoke(hall.ana, hall.ops, name, {})).reply

        assert (reply.status, reply.text) == (501, "")


async def test_what_people_think_of_an_answer_is_counted_and_its_words_are_nobodys() -> None:
    async with a_hall() as hall:
        ref = await hall.card(replace(CARD, author="shop", buttons=()))

        await hall.teams.rate(hall.bo, ref.place.channel, ref.id, "dislike", "it never listens")

        assert hall.meter.counts == [("feedback", {"reaction": "dislike"})]


async def test_an_installation_is_welcomed_once_with_the_commands_and_removal_is_remembered() -> None:
    async with a_hall() as hall:
        hall.teams.faults.deliver_anew = True

        await hall.teams.install(hall.bo)
        await hall.told(hall.bo, "I am Countersign", "away")
        await hall.rest()

        assert len(hall.teams.direct(hall.bo)) == 1
        direct = (await hall.chat.direct(hall.account(hall.bo))).channel
        assert direct == hall.teams.direct_chat(hall.bo)
        hall.teams.faults.deliver_anew = False
        await hall.teams.uninstall(hall.bo)
        assert await hall.here.office.places.direct(hall.account(hall.bo)) is None


async def test_what_is_unreadable_is_400_and_nothing_of_it_is_kept() -> None:
    """T11: never 500 for what somebody sent."""
    async with a_hall() as hall:
        told = hall.teams.words(hall.ana, hall.ops, "@countersign hello")
        for changed in ({"from": "ana"}, {"timestamp": "soon"}, {"conversation": {"id": 7}}, {"recipient": None}):
            assert (await hall.teams.deliver({**told, **changed})).status == 400
        assert hall.front.came == []


async def test_a_store_that_is_down_when_the_app_moves_is_503() -> None:
    async with a_hall() as hall:
        hall.teams.redeliver = False
        hall.here.keep.is_down = True

        assert (await hall.teams.install(hall.bo)).status == 503


def _click(press: Click | Form) -> Click:
    assert isinstance(press, Click)
    return press
