"""The fake Teams tells the bot what people do, and shows them what it answers: tried with a bare aiohttp bot."""

from __future__ import annotations

import jwt
import pytest

from tests.fakes.teams import ClientRefused
from tests.fakes.teamsbot import CARD, Body, Bot, button, card, shown

# ---------------------------------------------------------------- what comes in


async def test_a_mention_in_a_channel_arrives_as_teams_writes_it(bot: Bot) -> None:
    """The mention is an entity, a blank behind it is `&nbsp;`, and the text stands a second time as HTML."""
    said = await bot.teams.say(bot.ana, bot.ops, "@countersign deploy api")

    [told] = bot.heard
    assert told["text"] == "<at>Countersign</at>&nbsp;deploy api"
    assert told["entities"][0]["mentioned"]["id"] == bot.teams.bot_id == told["recipient"]["id"]
    assert told["attachments"][0]["contentType"] == "text/html"
    assert told["conversation"]["id"] == f"{bot.ops};messageid={said}"
    assert told["channelData"]["tenant"]["id"] == told["conversation"]["tenantId"] == bot.teams.tenant
    assert told["from"]["aadObjectId"] == bot.ana != told["from"]["id"]


async def test_words_reach_the_bot_where_it_is_mentioned_or_alone_with_somebody(bot: Bot) -> None:
    await bot.teams.say(bot.ana, bot.ops, "hello all", mention=False)
    await bot.teams.say(bot.ana, bot.teams.direct_chat(bot.ana), "hello")
    await bot.teams.say(bot.ana, bot.chat, "hello")

    assert [one["conversation"]["conversationType"] for one in bot.heard] == ["personal", "groupChat"]
    assert [one["text"] for one in bot.heard] == ["hello", "<at>Countersign</at>&nbsp;hello"]


async def test_an_activity_is_signed_as_the_service_signs_it(bot: Bot) -> None:
    """T11: the key of the header's kid is published, endorses the channel, and the token names the service URL."""
    await bot.teams.say(bot.ana, bot.ops, "hello")

    token = bot.headers[0]["Authorization"].removeprefix("Bearer ")
    async with bot.session.get(bot.teams.openid_metadata) as answer:
        metadata = await answer.json()
    async with bot.session.get(metadata["jwks_uri"]) as answer:
        keys = {each["kid"]: each for each in (await answer.json())["keys"]}
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, jwt.PyJWK(key).key, ["RS256"], audience=bot.teams.app_id, issuer=metadata["issuer"])
    assert "msteams" in key["endorsements"]
    assert claims["serviceurl"] == bot.heard[0]["serviceUrl"] == bot.teams.service_url


# -------------------------------------------------------------- posts and edits


async def test_a_card_is_posted_pressed_and_edited_for_all(bot: Bot) -> None:
    """The whole way: a thread, a card in it, a press, words for the clicker alone, and the edit that all see."""
    root = await bot.teams.say(bot.ana, bot.ops, "clean up")
    posted = await bot.post(f"{bot.ops};messageid={root}", shown(CARD, summary="Clean up?"))

    answer = await bot.teams.press(bot.bo, bot.ops, posted, "Approve")
    edited = await bot.put(bot.ops, posted, shown(card(body=[{"type": "TextBlock", "text": "Bo approved"}])))

    assert (answer.kind, answer.words) == ("words", "Recorded.")
    assert bot.teams.answer_of(bot.bo) == answer
    click = bot.heard[-1]
    assert (click["name"], click["replyToId"]) == ("adaptiveCard/action", posted)
    assert click["value"]["action"]["verb"] == "cs.Approve"
    assert click["value"]["action"]["data"]["countersign"] == {"subject": "r1", "move": "Approve"}
    assert edited.status == 200
    [_said, message] = bot.teams.messages(bot.ops, root)
    assert bot.teams.text_of(message) == "Bo approved"
    assert bot.teams.complaints == []


async def test_a_new_thread_and_a_direct_chat_are_opened(bot: Bot) -> None:
    """Both by the same route; the thread's first message is posted already."""
    sender = {"id": bot.teams.bot_id}
    thread = {"isGroup": True, "bot": sender, "channelData": {"channel": {"id": bot.ops}}, "activity": shown(CARD)}
    roster = bot.teams.person(bot.bo).roster
    direct = {"isGroup": False, "bot": sender, "members": [{"id": roster}], "tenantId": bot.teams.tenant}

    opened = await bot.call("POST", "conversations", body=thread)
    chat = await bot.call("POST", "conversations", body=direct)
    await bot.post(chat.body["id"], {"type": "message", "text": "hello **Bo**"})

    [message] = bot.teams.messages(bot.ops)
    assert opened.body == {"id": f"{bot.ops};messageid={message.id}", "activityId": message.id}
    assert chat.body == {"id": bot.teams.direct_chat(bot.bo)}
    assert [bot.teams.text_of(one) for one in bot.teams.direct(bot.bo)] == ["hello Bo"]
    assert bot.teams.notified(bot.bo) == bot.teams.direct(bot.bo)
    assert bot.teams.complaints == []


async def test_who_is_there_is_told_page_by_page(bot: Bot) -> None:
    many = [bot.teams.add_person(f"P{number}") for number in range(60)]
    bot.teams.person(many[0]).is_guest = True
    chat = bot.teams.add_group_chat(many)

    first = await bot.call("GET", "conversations", chat, "pagedmembers", query="?pageSize=50")
    token = first.body["continuationToken"].replace("=", "%3D")
    second = await bot.call(
        "GET", "conversations", chat, "pagedmembers", query=f"?pageSize=50&continuationToken={token}"
    )
    one = await bot.call("GET", "conversations", chat, "members", many[0])

    everybody = [*first.body["members"], *second.body["members"]]
    assert {each["aadObjectId"] for each in everybody} == set(many)
    assert (one.body["id"], one.body["userRole"]) == (bot.teams.person(many[0]).roster, "guest")


async def test_what_is_typed_is_seen_and_leaves_nothing(bot: Bot) -> None:
    await bot.call("POST", "conversations", bot.chat, "activities", body={"type": "typing"})

    assert bot.teams.typing(bot.chat) == 1
    assert bot.teams.messages(bot.chat) == []


# ---------------------------------------------------------------------- presses


async def test_a_press_takes_the_inputs_of_its_own_card_and_those_around_it(bot: Bot) -> None:
    """Reference, section 9: not those of sibling ShowCards; found by id or by label; all as strings."""
    reason: Body = {"type": "Input.Text", "id": "deny.reason", "label": "Reason"}
    reason |= {"isRequired": True, "errorMessage": "Say why"}
    count = {"type": "Input.Number", "id": "change.count", "label": "How many", "max": 5}
    forms = [
        {"type": "Action.ShowCard", "title": title, "card": card(button(move), body=[row])}
        for title, move, row in (("Deny", "Send the no", reason), ("Change", "Send the change", count))
    ]
    posted = await bot.post(bot.ops, shown(card(button("Approve"), *forms)))

    await bot.teams.press(bot.bo, bot.ops, posted, "Deny", Reason="too early")
    await bot.teams.press(bot.bo, bot.ops, posted, "Change", **{"change.count": 3})
    await bot.teams.press(bot.bo, bot.ops, posted, "Approve")

    sent = [{k: v for k, v in one["value"]["action"]["data"].items() if k != "countersign"} for one in bot.heard]
    assert sent == [{"deny.reason": "too early"}, {"change.count": "3"}, {}]
    for wrong, typed in [("Deny", {}), ("Change", {"How many": 6}), ("Approve", {"Reason": "x"}), ("Allow", {})]:
        with pytest.raises(ClientRefused):
            await bot.teams.press(bot.bo, bot.ops, posted, wrong, **typed)  # type: ignore[arg-type]  # mixed on purpose


async def test_a_button_may_leave_the_inputs_around_it_alone(bot: Bot) -> None:
    """Reference, section 9: `associatedInputs: none`; else a required input of the body blocks it, too."""
    needed: Body = {"type": "Input.Text", "id": "why", "isRequired": True, "errorMessage": "Say why"}
    alone = button("Deny", associatedInputs="none")
    inside: Body = {"type": "Action.ShowCard", "title": "More", "card": card(button("Send"))}
    posted = await bot.post(bot.ops, shown(card(button("Approve"), alone, inside, body=[needed])))

    await bot.teams.press(bot.bo, bot.ops, posted, "Deny")
    await bot.teams.press(bot.bo, bot.ops, posted, "Send", why="because")

    sent = [one["value"]["action"]["data"].get("why") for one in bot.heard]
    assert sent == [None, "because"]
    with pytest.raises(ClientRefused, match="Say why"):
        await bot.teams.press(bot.bo, bot.ops, posted, "Approve")


async def test_an_edit_calls_nobody(bot: Bot) -> None:
    """Reference, section 13: whom a message did not mention when it was new is not notified by it."""
    mention = {"type": "mention", "text": "<at>Bo</at>", "mentioned": {"id": bot.bo, "name": "Bo"}}
    posted = await bot.post(bot.ops, {"type": "message", "text": "hello"})
    await bot.put(bot.ops, posted, {"type": "message", "text": "<at>Bo</at>", "entities": [mention]})

    assert bot.teams.mentions_of(bot.teams.message(posted)) == [bot.bo]
    assert bot.teams.notified(bot.bo) == []


async def test_a_reply_stays_in_its_thread(bot: Bot) -> None:
    """However it is named: by the root, by another reply, or by the conversation's whole id."""
    root = await bot.teams.say(bot.ana, bot.ops, "one")
    reply = await bot.teams.say(bot.bo, bot.ops, "two", root)
    await bot.teams.say(bot.ana, bot.ops, "three", reply)
    await bot.teams.say(bot.ana, f"{bot.ops};messageid={root}", "four")
    told = {"type": "message", "text": "five"}
    posted = await bot.call("POST", "conversations", bot.ops, "activities", reply, body=told)

    assert {one["conversation"]["id"] for one in bot.heard} == {f"{bot.ops};messageid={root}"}
    assert len(bot.teams.messages(bot.ops, root)) == 5
    assert bot.teams.posts(bot.ops, root)[0].id == posted.body["id"]


async def test_where_execute_is_dead_the_fallback_is_sent_as_a_message(bot: Bot) -> None:
    """AdaptiveCards#9315: the same data, without a verb and without words."""
    posted = await bot.post(bot.ops, shown(CARD))
    bot.teams.phones.add(bot.bo)

    answer = await bot.teams.press(bot.bo, bot.ops, posted, "Approve")

    [told] = bot.heard
    assert (told["type"], told["replyToId"], "text" in told) == ("message", posted, False)
    assert told["value"] == {"countersign": {"subject": "r1", "move": "Approve"}}
    assert answer.kind == "nothing"
