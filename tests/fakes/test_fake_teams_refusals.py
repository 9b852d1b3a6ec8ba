"""PN-10: what no bot may do is refused as Teams refuses it, and written down."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.teamsbot import CARD, Body, Bot, button, card, shown

AI: Body = {
    "type": "https://schema.org/Message",
    "@type": "Message",
    "@context": "https://schema.org",
    "@id": "",
    "additionalType": ["AIGeneratedContent"],
}


def text(words: str, **more: Any) -> Body:
    return {"type": "message", "text": words, **more}


# ------------------------------------------------------------------ activities


@pytest.mark.parametrize(
    "activity",
    [
        text(""),
        text("hello", colour="red"),
        text("hello", **shown(CARD)),
        text("hello", **{"from": {"id": "28:somebody-else"}}),
        text("hello", conversation={"id": "19:elsewhere@thread.v2"}),
        text("hello", textFormat="html"),
        text("hello", entities=[AI, AI]),
        text("hello", entities=[{**AI, "@type": "message"}]),
        text("hello", entities=[{"type": "streaminfo"}]),
        text("hello", channelData={"feedbackLoopEnabled": "yes"}),
        text("hello", attachments=[{"contentType": "image/png", "contentUrl": "https://x.example"}]),
        {"type": "event", "name": "x"},
        {"type": "typing", "text": "so far"},
        {"type": "message", "attachments": [*shown(CARD)["attachments"]] * 2},
    ],
)
async def test_an_activity_that_teams_would_not_show_is_refused(bot: Bot, activity: Body) -> None:
    """PN-10: with 400; nothing is posted, and the complaint stands there."""
    code = await bot.refused(activity)

    assert code == "BadArgument"
    assert bot.teams.posts() == []
    assert len(bot.teams.complaints) == 1


async def test_a_mention_is_of_somebody_there_and_stands_in_the_text_letter_by_letter(bot: Bot) -> None:
    """Reference, section 13: else the message is refused."""
    bo, stranger = bot.teams.person(bot.bo), bot.teams.person(bot.teams.add_person("Cy"))

    def naming(words: str, marked: str, id: str) -> Body:
        mentioned = {"id": id, "name": "Bo"}
        return text(words, entities=[{"type": "mention", "text": marked, "mentioned": mentioned}])

    posted = await bot.post(bot.ops, naming("please, <at>Bo</at>", "<at>Bo</at>", bo.roster))

    assert [one.id for one in bot.teams.notified(bot.bo)] == [posted]
    for wrong in (
        naming("please, <at>Bob</at>", "<at>Bo</at>", bo.roster),
        naming("please, Bo", "Bo", bo.roster),
        naming("please, <at>Bo</at>", "<at>Bo</at>", stranger.roster),
        naming("please, <at>Bo</at>", "<at>Bo</at>", bo.upn),
    ):
        assert await bot.refused(wrong) == "BadArgument"


# ----------------------------------------------------------------------- cards

TEXT: Body = {"type": "TextBlock", "text": "x"}
ASKED: Body = {"type": "Input.Text", "id": "a", "label": "A"}
SUBMIT: Body = {"type": "Action.Submit", "title": "Send", "data": {}}
MORE: Body = {"type": "Action.ShowCard", "title": "More"}
ONE: Body = {"title": "1", "value": "1"}
NAMED: Body = {"type": "TextBlock", "text": "<at>Bo</at>"}
MENTION: Body = {"type": "mention", "text": "<at>Bo</at>", "mentioned": {"id": "29:x", "name": "Bo"}}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({**CARD, "type": "Card"}, "not an AdaptiveCard"),
        ({**CARD, "version": "1.6"}, "version '1.6'"),
        ({"type": "AdaptiveCard", "version": "1.5"}, "nothing to show"),
        (card(body=[{"type": "Badge", "text": "new"}]), "no element 'Badge'"),
        (card(body=[{"type": "TextBlock"}]), "without text"),
        (card(body=[{"type": "TextBlock", "text": 3}]), "text of a TextBlock is 3"),
        (card(body=[{"type": "TextRun", "text": "alone"}]), "in a RichTextBlock only"),
        (card(body=[{"type": "Container", "items": [{"type": "Nothing"}]}]), "no element 'Nothing'"),
        (card(body=[{"type": "FactSet", "facts": [{"title": "a"}]}]), "no fact"),
        (card(body=[{"type": "Input.Text", "label": "no id"}]), "without id"),
        (card(body=[ASKED, ASKED]), "two inputs"),
        (card({**MORE, "card": card(SUBMIT, body=[ASKED])}, body=[ASKED]), "two inputs"),
        (card(body=[{**ASKED, "isRequired": True}]), "no errorMessage"),
        (card(body=[{"type": "Input.ChoiceSet", "id": "a", "value": "3", "choices": [ONE]}]), "none of its choices"),
        (card(body=[{"type": "Input.ChoiceSet", "id": "a", "choices": [ONE, ONE]}]), "two choices"),
        (card({"type": "Action.Http", "title": "x"}), "no action 'Action.Http'"),
        (card({**SUBMIT, "data": "a string"}), "not an object"),
        (card({**SUBMIT, "style": "danger"}), "style of"),
        (card({**SUBMIT, "title": ""}), "without title"),
        (card({"type": "Action.Execute", "title": "x"}), "without verb"),
        (card(button("Approve", verb=3)), "verb of"),
        (card(button("Approve", fallback={**SUBMIT, "data": {"other": 1}})), "where Execute is dead"),
        (card(*[button(str(each)) for each in range(7)]), "7 actions"),
        (card(body=[{"type": "ActionSet", "actions": [SUBMIT] * 7}]), "7 actions"),
        ({**CARD, "msteams": {"entities": [MENTION]}}, "stands nowhere"),
        ({**card(body=[NAMED]), "msteams": {"entities": [MENTION]}}, "not in this conversation"),
        ({**card(body=[NAMED]), "msteams": {"entities": [{**MENTION, "mentioned": {"id": "x"}}]}}, "of nobody"),
    ],
)
async def test_a_card_that_teams_would_not_draw_is_refused(bot: Bot, wrong: Body, why: str) -> None:
    """PN-10: each for its own reason."""
    assert await bot.refused(shown(wrong)) == "BadArgument"

    [complaint] = bot.teams.complaints
    assert why in complaint


async def test_everything_that_is_known_is_drawn(bot: Bot) -> None:
    """A card of every element and action, with a mention by AAD id, is taken."""
    rows: list[Body] = [
        {"type": "TextBlock", "text": "for <at>Bo</at>"},
        {"type": "RichTextBlock", "inlines": ["plain ", {"type": "TextRun", "text": "run"}]},
        {"type": "FactSet", "facts": [{"title": "a", "value": "b"}]},
        {"type": "Image", "url": "https://x.example/a.png"},
        {"type": "ColumnSet", "columns": [{"width": "auto", "items": [TEXT]}, {"type": "Column", "items": []}]},
        {"type": "Table", "columns": [{"width": 1}], "rows": [{"type": "TableRow", "cells": [{"items": [TEXT]}]}]},
        {"type": "Container", "items": [TEXT], "selectAction": {"type": "Action.OpenUrl", "url": "https://x.example"}},
        {"type": "Input.Toggle", "id": "t", "title": "Sure"},
        {"type": "Input.Number", "id": "n", "value": 3},
        {"type": "ActionSet", "actions": [SUBMIT]},
    ]
    whole = card(button("Approve"), {"type": "Action.OpenUrl", "title": "Open", "url": "https://x.example"}, body=rows)
    mention = {**MENTION, "mentioned": {"id": bot.bo, "name": "Bo"}}

    posted = await bot.post(bot.ops, shown({**whole, "msteams": {"width": "Full", "entities": [mention]}}))

    assert bot.teams.mentions_of(bot.teams.message(posted)) == [bot.bo]
    assert bot.teams.complaints == []


async def test_what_is_too_large_is_refused_sometimes_by_a_page(bot: Bot) -> None:
    """Reference, section 5: a proxy's 413 is HTML."""
    large = text("x" * 21_000)

    told = await bot.refused(large)
    bot.teams.html_errors = True
    page = await bot.call("POST", "conversations", bot.ops, "activities", body=large)

    assert told == "MessageSizeTooBig"
    assert (page.status, page.body["page"].startswith("<!DOCTYPE")) == (413, True)


# ---------------------------------------------------------------------- places


async def test_a_bot_writes_where_its_app_is(bot: Bot) -> None:
    """Reference, section 17: not installed, unknown, another region's, and blocked are told apart."""
    elsewhere = bot.teams.add_group_chat((bot.ana,), with_app=False)
    foreigner = bot.teams.add_person("Mallory", tenant=bot.teams.add_tenant())
    bot.teams.block(bot.bo)

    told = [
        await bot.refused(text("hi"), where)
        for where in (
            elsewhere,
            "19:nowhere@thread.v2",
            f"{bot.ops};messageid=1",
            bot.teams.direct_chat(foreigner),
            bot.teams.direct_chat(bot.bo),
        )
    ]

    missing = "ConversationNotFound"
    assert told == ["BotNotInConversationRoster", missing, missing, missing, "ConversationBlockedByUser"]
    assert bot.teams.complaints == []  # these are facts about places, not faults


async def test_a_bot_changes_its_own_messages_only_and_no_deleted_ones(bot: Bot) -> None:
    """Reference, section 12: another's is refused, a deleted one is a `ServiceError`."""
    said = await bot.teams.say(bot.ana, bot.ops, "hello")
    posted = await bot.post(bot.ops, text("hello"))
    await bot.teams.erase(bot.ana, bot.ops, posted)

    foreign = await bot.put(bot.ops, said, text("changed"))
    deleted = await bot.put(bot.ops, posted, text("changed"))
    unknown = await bot.put(bot.ops, "17", text("changed"))

    assert [foreign.code, deleted.code] == ["ForbiddenOperationException", "ServiceError"]
    assert (unknown.status, unknown.code) == (404, "ActivityNotFoundInConversation")


async def test_a_direct_chat_needs_the_app_and_an_id(bot: Bot) -> None:
    """msteams-docs#11125: 403 where it is not installed; an address is no id; a bot makes no group chat."""
    without = bot.teams.add_person("Cy", with_app=False)
    parameters = {"isGroup": False, "bot": {"id": bot.teams.bot_id}, "tenantId": bot.teams.tenant}

    async def refused(**changed: Any) -> tuple[int, str]:
        answered = await bot.call("POST", "conversations", body={**parameters, **changed})
        return answered.status, answered.code

    assert await refused(members=[{"id": without}]) == (403, "BotNotInConversationRoster")
    assert bot.teams.complaints == []
    assert await refused(members=[{"id": bot.teams.person(bot.bo).upn}]) == (400, "BadArgument")
    assert await refused(members=[{"id": bot.bo}], tenantId=None) == (400, "BadArgument")
    assert await refused(members=[{"id": bot.bo}, {"id": bot.ana}]) == (400, "BadArgument")
    assert await refused(isGroup=True, members=[{"id": bot.bo}]) == (403, "ForbiddenOperationException")


async def test_ids_are_encoded_and_bodies_are_json(bot: Bot) -> None:
    """Reference, section 5: `:`, `;` and `@` go over the wire as `%3A`, `%3B` and `%40`."""
    token = (await bot.new_token())[1]["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    bare = f"{bot.teams.service_url}v3/conversations/{bot.chat}/activities"
    encoded = bare.replace(bot.chat, bot.chat.replace(":", "%3A").replace("@", "%40"))

    async with bot.session.post(bare, json=text("hello"), headers=headers) as answer:
        assert answer.status == 400
    bot.token = token
    plain = await bot.call("POST", "conversations", bot.chat, "activities", **{"Content-Type": "text/plain"})
    unknown = await bot.call("GET", "conversations", bot.chat, "members")

    assert (plain.status, unknown.status) == (415, 404)
    assert len(bot.teams.complaints) == 3
    assert encoded != bare


# ----------------------------------------------------------------------- rates


async def test_the_eighth_message_of_a_second_waits(bot: Bot) -> None:
    """PN-10: 7 in 1 s, 8 in 2 s, 60 in 30 s for each conversation; the clock can be put forward (reference, 16)."""
    for _ in range(7):
        await bot.post(bot.ops, text("hello"))

    late = await bot.call("POST", "conversations", bot.ops, "activities", body=text("hello"))
    await bot.post(bot.chat, text("elsewhere"))
    bot.teams.later(2.1)
    await bot.post(bot.ops, text("hello"))

    assert (late.status, late.code, late.headers["Retry-After"]) == (429, "Throttled", "1")
    assert bot.teams.complaints == [f"post: too often in {bot.ops}"]


async def test_sixty_messages_in_half_a_minute_are_the_most(bot: Bot) -> None:
    for _ in range(60):
        bot.teams.later(0.4)
        await bot.post(bot.ops, text("hello"))

    assert await bot.refused(text("hello")) == "Throttled"
    bot.teams.later(30)
    await bot.post(bot.ops, text("hello"))


async def test_a_tenant_has_fifty_calls_a_second_and_reads_have_a_limit_of_their_own(bot: Bot) -> None:
    """Reference, section 16; by any clock, so that nobody waits."""
    seconds = [0.0]
    bot.teams.count_rates_by(lambda: seconds[0])
    chats = [bot.teams.add_group_chat((bot.ana,)) for _ in range(37)]

    for _ in range(14):
        await bot.call("GET", "conversations", bot.ops, "members", bot.ana)
    fifteenth = await bot.call("GET", "conversations", bot.ops, "members", bot.ana)
    for chat in chats[:36]:
        await bot.post(chat, text("hello"))
    fifty_first = await bot.refused(text("hello"), chats[36])
    seconds[0] = 1.0
    await bot.post(chats[36], text("hello"))

    assert (fifteenth.status, fifty_first) == (429, "Throttled")
