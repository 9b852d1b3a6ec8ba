"""PN-10: how an invoke is answered is judged, and shown as Teams would show it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.teams import ClientRefused
from tests.fakes.teamsbot import CARD, TOLD, Body, Bot, button, card, shown

DONE = card(body=[{"type": "TextBlock", "text": "Approved by Bo"}])
FORM = card({"type": "Action.Submit", "title": "Send", "data": {"step": 2}}, body=[{"type": "Input.Text", "id": "why"}])
FETCH: Body = {"type": "Action.Submit", "title": "Details", "data": {"msteams": {"type": "task/fetch"}, "of": "r1"}}


def adaptive(content: Body) -> Body:
    return {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}


def dialog(content: Body, title: str = "All of it") -> Body:
    return {"task": {"type": "continue", "value": {"title": title, "card": adaptive(content)}}}


async def test_a_card_in_the_answer_is_seen_by_the_clicker_alone_until_the_edit(bot: Bot) -> None:
    """Reference, section 8: everybody else sees it when the message is edited."""
    posted = await bot.post(bot.ops, shown(CARD))
    bot.answer = {"statusCode": 200, "type": "application/vnd.microsoft.card.adaptive", "value": DONE}

    answer = await bot.teams.press(bot.bo, bot.ops, posted, "Approve")

    message = bot.teams.message(posted)
    assert answer.card == DONE
    assert bot.teams.text_of(message, bot.bo) == "Approved by Bo"
    assert bot.teams.buttons_of(message, bot.ana) == ["Approve", "Deny"]
    with pytest.raises(ClientRefused, match="no button"):
        await bot.teams.press(bot.bo, bot.ops, posted, "Approve")
    await bot.put(bot.ops, posted, shown(CARD))
    assert bot.teams.buttons_of(message, bot.bo) == ["Approve", "Deny"]


async def test_an_error_in_the_answer_is_shown_as_one(bot: Bot) -> None:
    posted = await bot.post(bot.ops, shown(CARD))
    error = {"code": "BadRequest", "message": "no such thing"}
    bot.answer = {"statusCode": 400, "type": "application/vnd.microsoft.error", "value": error}

    answer = await bot.teams.press(bot.bo, bot.ops, posted, "Approve")

    assert (answer.is_error, answer.words) == (True, "no such thing")
    assert bot.teams.complaints == []


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        "Recorded.",
        {**TOLD, "statusCode": "200"},
        {**TOLD, "statusCode": 400},
        {**TOLD, "value": {"text": "Recorded."}},
        {**TOLD, "type": "message"},
        {**TOLD, "colour": "red"},
        {"statusCode": 200, "type": "application/vnd.microsoft.card.adaptive", "value": {"type": "AdaptiveCard"}},
        {"statusCode": 200, "type": "application/vnd.microsoft.error", "value": {"code": "a", "message": "b"}},
        {"statusCode": 500, "type": "application/vnd.microsoft.error", "value": "b"},
        {"statusCode": 401, "type": "application/vnd.microsoft.activity.loginRequest", "value": {}},
    ],
)
async def test_an_answer_of_another_shape_is_something_went_wrong(bot: Bot, wrong: Any) -> None:
    """botframework-sdk#6578: the person sees an error whatever was done."""
    posted = await bot.post(bot.ops, shown(CARD))
    bot.answer = wrong

    answer = await bot.teams.press(bot.bo, bot.ops, posted, "Approve")

    assert answer.words == "Something went wrong. Please try again."
    assert bot.teams.complaints != []


async def test_an_empty_answer_is_an_error_and_another_delivery(bot: Bot) -> None:
    """vercel/chat#731: with another id, so that no memory of ids notices."""
    posted = await bot.post(bot.ops, shown(CARD))
    bot.answer = None

    answer = await bot.teams.press(bot.bo, bot.ops, posted, "Approve")

    first, second = bot.heard
    assert answer.is_error
    assert first["id"] != second["id"]
    assert first["value"] == second["value"]
    assert len(bot.teams.complaints) == 2


# --------------------------------------------------------------------- dialogs


async def test_a_dialog_is_fetched_shown_and_sent(bot: Bot) -> None:
    posted = await bot.post(bot.ops, shown(card(FETCH)))
    bot.answer = dialog(FORM)

    fetched = await bot.teams.press(bot.bo, bot.ops, posted, "Details")
    opened = bot.teams.dialog_of(bot.bo)
    bot.answer = {"task": {"type": "message", "value": "Thank you."}}
    sent = await bot.teams.submit_dialog(bot.bo, why="because")

    fetch, submit = bot.heard
    assert opened is not None
    assert (fetched.kind, opened.title, bot.teams.buttons_of(opened.card)) == ("dialog", "All of it", ["Send"])
    assert (fetch["name"], fetch["value"]["data"]["of"]) == ("task/fetch", "r1")
    assert (submit["name"], submit["value"]["data"]) == ("task/submit", {"step": 2, "why": "because"})
    assert sent.words == "Thank you."
    assert bot.teams.dialog_of(bot.bo) is None
    assert bot.teams.complaints == []


async def test_an_empty_answer_closes_a_dialog_that_was_sent(bot: Bot) -> None:
    posted = await bot.post(bot.ops, shown(card(FETCH)))
    bot.answer = dialog(FORM)
    await bot.teams.press(bot.bo, bot.ops, posted, "Details")
    bot.answer = None

    answer = await bot.teams.submit_dialog(bot.bo)

    assert answer.kind == "closed"
    assert bot.teams.complaints == []
    with pytest.raises(ClientRefused, match="no dialog"):
        await bot.teams.submit_dialog(bot.bo)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"task": {"type": "continue", "value": {"card": adaptive(FORM)}}},
        {"task": {"type": "continue", "value": {"title": "x", "card": FORM}}},
        {"task": {"type": "continue", "value": {"title": "x", "height": "tall", "card": adaptive(FORM)}}},
        {"task": {"type": "continue", "value": {"title": "x", "card": adaptive({**FORM, "version": "2.0"})}}},
        {"task": {"type": "message", "value": ""}},
        {"task": {"type": "close"}},
    ],
)
async def test_a_dialog_of_another_shape_does_not_open(bot: Bot, wrong: Body) -> None:
    posted = await bot.post(bot.ops, shown(card(FETCH)))
    bot.answer = wrong

    answer = await bot.teams.press(bot.bo, bot.ops, posted, "Details")

    assert answer.words == "Unable to reach app. Please try again."
    assert bot.teams.dialog_of(bot.bo) is None
    assert len(bot.teams.complaints) == 1


async def test_nothing_but_submit_is_sent_from_a_dialog(bot: Bot) -> None:
    posted = await bot.post(bot.ops, shown(card(FETCH)))
    bot.answer = dialog(CARD)
    await bot.teams.press(bot.bo, bot.ops, posted, "Details")

    with pytest.raises(ClientRefused, match="only Action"):
        await bot.teams.submit_dialog(bot.bo, "Approve")


# ------------------------------------------------------ message menu and thumbs


async def test_a_message_is_given_from_its_menu_where_the_app_is_not_installed_too(bot: Bot) -> None:
    """The message comes along, with who wrote it; its text is HTML."""
    chat = bot.teams.add_group_chat((bot.ana, bot.bo), with_app=False)
    said = await bot.teams.say(bot.ana, chat, "@countersign 1 < 2")
    bot.answer = {"task": {"type": "message", "value": "Given."}}

    answer = await bot.teams.give(bot.bo, chat, said)
    at_once = await bot.teams.give(bot.bo, chat, said, with_form=False)

    first, second = bot.heard
    assert (first["name"], second["name"]) == ("composeExtension/fetchTask", "composeExtension/submitAction")
    payload = first["value"]["messagePayload"]
    assert (payload["id"], payload["body"]["content"]) == (said, '<div><at id="0">Countersign</at>&nbsp;1 &lt; 2</div>')
    assert payload["from"]["user"]["id"] == bot.ana
    assert (answer.words, at_once.words) == ("Given.", "Given.")
    assert bot.teams.complaints == []


async def test_thumbs_stand_below_what_asked_for_them_and_are_answered_with_nothing(bot: Bot) -> None:
    plain = await bot.post(bot.ops, {"type": "message", "text": "hello"})
    rated = await bot.post(
        bot.ops, {"type": "message", "text": "hello", "channelData": {"feedbackLoop": {"type": "default"}}}
    )
    bot.answer = {}

    await bot.teams.rate(bot.bo, bot.ops, rated, "dislike", "too long")

    value = bot.heard[0]["value"]
    assert (bot.heard[0]["name"], value["actionName"]) == ("message/submitAction", "feedback")
    assert value["actionValue"] == {"reaction": "dislike", "feedback": '{"feedbackText": "too long"}'}
    assert bot.teams.complaints == []
    with pytest.raises(ClientRefused, match="no thumbs"):
        await bot.teams.rate(bot.bo, bot.ops, plain)
    bot.answer = TOLD
    await bot.teams.rate(bot.bo, bot.ops, rated)
    assert len(bot.teams.complaints) == 1


async def test_a_required_switch_has_to_be_on_and_a_choice_is_one_of_those_there(bot: Bot) -> None:
    """What the client does not let through is not sent."""
    rows: list[Body] = [
        {"type": "Input.Toggle", "id": "sure", "title": "Sure", "isRequired": True, "errorMessage": "Be sure"},
        {"type": "Input.ChoiceSet", "id": "size", "label": "Size", "choices": [{"title": "Small", "value": "s"}]},
        {"type": "Input.Date", "id": "day"},
    ]
    posted = await bot.post(bot.ops, shown(card(button("Send"), body=rows)))

    for wrong in ({}, {"sure": True, "size": "Large"}, {"sure": True, "day": "tomorrow"}):
        with pytest.raises(ClientRefused):
            await bot.teams.press(bot.bo, bot.ops, posted, "Send", **wrong)  # type: ignore[arg-type]  # mixed on purpose
    await bot.teams.press(bot.bo, bot.ops, posted, "Send", sure=True, Size="Small", day="2026-11-20")

    [told] = bot.heard
    data = told["value"]["action"]["data"]
    assert (data["sure"], data["size"], data["day"]) == ("true", "s", "2026-11-20")
