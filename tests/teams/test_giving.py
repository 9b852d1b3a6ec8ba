"""A given message is a task of whoever gave it, in its own thread, once; its answer stands in a small dialog."""

from __future__ import annotations

import pytest

from adapters.flood import BUSY
from adapters.given import A_WORD, GIVEN, NO_TEXT, TEXT_MOST
from adapters.teams.giving import NO_MESSAGE, NOT_THERE
from bot.domain.chat import Answer, Message, MessageRef
from bot.domain.errors import NotRequestable
from tests.fakes.teams import Answer as Seen
from tests.teams.hall import Hall, a_hall

SORRY = "Not recorded, please try again."


async def said(hall: Hall, user: str, text: str, thread: str | None = None) -> str:
    """*user* writes where the bot is, without meaning it."""
    return await hall.teams.say(user, hall.ops, text, thread, mention=False)


async def give(hall: Hall, user: str, id: str, *, with_form: bool = True) -> Seen:
    return await hall.teams.give(user, hall.ops, id, with_form=with_form)


@pytest.mark.parametrize("with_form", [True, False])
async def test_a_message_becomes_a_task_of_whoever_gave_it_in_its_own_thread(*, with_form: bool) -> None:
    async with a_hall() as hall:
        thread = await hall.task()
        given = await said(hall, hall.ana, "please refund\norder 7 & more", thread)

        answer = await give(hall, hall.ana, given, with_form=with_form)

        [message] = hall.front.came
        assert isinstance(message, Message)
        assert message.text == "please refund\norder 7 & more"
        assert (message.place, message.ref) == (hall.place(thread), MessageRef(place=hall.place(), id=given))
        assert (message.by, message.is_mention) == (hall.account(hall.ana), True)
        assert message.delivery == f"teams:{hall.ops}:{given}:given"
        assert answer.words == GIVEN


async def test_somebody_elses_words_say_whose_they_are() -> None:
    """T01: nobody speaks in another's name; a name is what one calls oneself, so the id stands beside it."""
    async with a_hall() as hall:
        await hall.task()
        given = await said(hall, hall.bo, "pay me 900")

        await give(hall, hall.ana, given)

        [message] = hall.front.came
        assert isinstance(message, Message)
        assert message.text == f"Bo Lima (@{hall.bo}) wrote:\npay me 900"
        assert message.by == hall.account(hall.ana)


async def test_given_twice_it_is_one_delivery() -> None:
    """T12: once per message, whoever gives it again."""
    async with a_hall() as hall:
        await hall.task()
        given = await said(hall, hall.ana, "please refund order 7")
        hall.teams.faults.deliver_anew = True

        await give(hall, hall.ana, given)
        await give(hall, hall.bo, given)

        assert len(hall.front.came) == 4
        assert len(set(hall.front.deliveries)) == 1


async def test_where_the_app_is_not_it_cannot_answer_and_takes_nothing() -> None:
    """The action works everywhere in Teams, and a press there teaches nothing about the place."""
    async with a_hall() as hall:
        chat = hall.teams.add_group_chat([hall.ana, hall.bo], with_app=False)
        given = await hall.teams.say(hall.bo, chat, "pay me 900", mention=False)

        for _ in range(2):
            assert (await hall.teams.give(hall.ana, chat, given, with_form=True)).words == NOT_THERE
        assert hall.front.came == []


@pytest.mark.parametrize(
    ("text", "told"), [("approve", A_WORD), ("&nbsp;", NO_TEXT), ("x" * (TEXT_MOST + 1), f"at most {TEXT_MOST:,}")]
)
async def test_what_is_no_task_is_refused(text: str, told: str) -> None:
    async with a_hall() as hall:
        await hall.task()
        given = await said(hall, hall.ana, text if text != "&nbsp;" else " ")

        assert told in (await give(hall, hall.ana, given)).words
        assert hall.front.came == []


async def test_what_the_front_door_says_is_told_in_the_dialog() -> None:
    async with a_hall() as hall:
        await hall.task()
        given = await said(hall, hall.ana, "please refund order 7")
        hall.front.error = NotRequestable("gil may not")
        assert (await give(hall, hall.ana, given)).words == NotRequestable.people_read
        hall.front.error = None
        hall.front.answer = Answer(is_taken=False, text="That is too much.")
        assert (await give(hall, hall.ana, given)).words == "That is too much."
        hall.front.shut = 9
        assert (await give(hall, hall.ana, given)).words == SORRY


async def test_giving_counts_as_a_mention_for_the_flood_guard() -> None:
    """T18: the same bucket."""
    async with a_hall() as hall:
        await hall.task()
        ids = [await said(hall, hall.ana, f"please refund order {number}") for number in range(7)]

        words = [(await give(hall, hall.ana, one)).words for one in ids]

        assert words.count(GIVEN) == 5
        assert words[-1] == BUSY


@pytest.mark.parametrize(
    "value",
    [None, {}, {"commandId": "give"}, {"commandId": "give", "messagePayload": 7}, {"messagePayload": {"id": "1"}}],
)
async def test_an_action_on_no_message_says_so(value: object) -> None:
    """T13: in the shape of a dialog, and nothing is taken."""
    async with a_hall() as hall:
        await hall.task()

        reply = (await hall.teams.invoke(hall.ana, hall.ops, "composeExtension/fetchTask", value)).reply

        assert reply.json["task"]["type"] == "message"
        assert reply.json["task"]["value"] in (NO_MESSAGE, "This could not be read.")
        assert hall.front.came == []
