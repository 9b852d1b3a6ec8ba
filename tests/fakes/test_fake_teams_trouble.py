"""PN-10: the fake Teams misbehaves as the real one does, when it is told to."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import jwt
import pytest

from tests.fakes.teams import ALWAYS, BAD_TOKENS
from tests.fakes.teamsbot import CARD, Body, Bot, shown

HELLO: Body = {"type": "message", "text": "hello"}


def ids(bot: Bot) -> list[str]:
    return [told["id"] for told in bot.heard]


# ------------------------------------------------------------------ deliveries


async def test_what_nobody_took_comes_again_and_then_with_another_id(bot: Bot) -> None:
    """PN-10: two retry layers (botbuilder-dotnet#5005); the timestamp and the words stay."""
    bot.statuses = [500, 500, 500, 500]

    await bot.teams.say(bot.ana, bot.ops, "hello")

    first, second, third = bot.heard
    assert first == second
    assert third["id"] != first["id"]
    assert {**third, "id": ""} == {**first, "id": ""}
    assert [one.attempt for one in bot.teams.deliveries] == [0, 1, 2]


async def test_a_refused_activity_does_not_come_again(bot: Bot) -> None:
    bot.statuses = [401]

    await bot.teams.say(bot.ana, bot.ops, "hello")

    assert len(bot.heard) == 1


async def test_a_slow_answer_is_no_answer(bot: Bot) -> None:
    """PN-10: after its time the Connector gives up and sends again (msteams-docs#6084)."""
    never = asyncio.Event()
    bot.teams.ack_within, bot.meets = 0.05, never.wait

    answer = await bot.teams.press(bot.bo, bot.ops, await bot.post(bot.ops, shown(CARD)), "Approve")
    never.set()

    assert answer.is_error
    assert [one.reply.reason for one in bot.teams.deliveries] == ["timeout"] * 3


async def test_deliveries_come_twice_in_every_way(bot: Bot) -> None:
    """PN-10: with the same id, with another, and side by side."""
    faults = bot.teams.faults
    faults.deliver_twice = True
    await bot.teams.say(bot.ana, bot.ops, "one")
    faults.deliver_twice, faults.deliver_anew = False, True
    await bot.teams.say(bot.ana, bot.ops, "two")
    faults.deliver_anew, faults.at_once = False, True
    both = asyncio.Barrier(2)
    bot.meets = both.wait  # neither is answered before both are there
    await bot.teams.say(bot.ana, bot.ops, "three")

    one, again, two, anew, three, twin = ids(bot)
    assert (one, three) == (again, twin)
    assert two != anew
    assert len({told["timestamp"] for told in bot.heard[2:4]}) == 1


async def test_one_delivery_can_come_again_much_later(bot: Bot) -> None:
    """T12: the same, and as another one."""
    await bot.teams.say(bot.ana, bot.ops, "hello")
    [first] = bot.teams.deliveries

    await bot.teams.again(first)
    await bot.teams.again(first, is_anew=True)

    one, same, other = ids(bot)
    assert one == same != other


async def test_what_is_held_arrives_when_it_is_let_go_in_any_order(bot: Bot) -> None:
    """PN-10: out of order."""
    bot.teams.hold()
    first = await bot.teams.say(bot.ana, bot.ops, "one")
    second = await bot.teams.say(bot.ana, bot.ops, "two")
    assert bot.heard == []

    await bot.teams.release(backwards=True)

    assert ids(bot) == [second, first]


async def test_what_teams_sometimes_leaves_out_can_be_left_out(bot: Bot) -> None:
    """AdaptiveCards#8864: a click without its conversation; and without its thread, tenant, author or inputs."""
    posted = await bot.post(bot.ops, shown(CARD))
    for name in ("conversation", "thread", "aadObjectId", "tenant"):
        bot.teams.faults.leave_out = {name}
        await bot.teams.press(bot.bo, bot.ops, posted, "Approve")

    without, threadless, nameless, tenantless = bot.heard
    assert "conversation" not in without
    assert threadless["conversation"]["id"] == bot.ops
    assert "aadObjectId" not in nameless["from"]
    assert "tenant" not in tenantless["channelData"]
    assert "tenantId" not in tenantless["conversation"]


async def test_an_installation_tells_twice_and_in_either_order(bot: Bot) -> None:
    await bot.teams.install(bot.ana)
    bot.teams.faults.out_of_order = True
    await bot.teams.install(bot.team, by=bot.bo)
    await bot.teams.uninstall(bot.ana)

    members, app = "conversationUpdate", "installationUpdate"
    assert bot.types == [members, app, app, members, app]
    assert bot.heard[0]["membersAdded"] == [{"id": bot.teams.bot_id}]
    assert (bot.heard[2]["action"], bot.heard[2]["channelData"]["team"]["id"]) == ("add", bot.team)
    assert bot.heard[4]["action"] == "remove"
    gone = bot.teams.direct_chat(bot.ana)
    assert await bot.refused(HELLO, gone) == "BotNotInConversationRoster"


async def test_people_change_and_delete_what_they_wrote(bot: Bot) -> None:
    said = await bot.teams.say(bot.ana, bot.ops, "hello")

    await bot.teams.edit(bot.ana, bot.ops, said, "@countersign goodbye")
    await bot.teams.erase(bot.ana, bot.ops, said)

    assert bot.types == ["message", "messageUpdate", "messageDelete"]
    assert [told["id"] for told in bot.heard] == [said] * 3
    assert bot.teams.messages(bot.ops) == []


# ----------------------------------------------------------------- the way back


async def test_a_lost_reply_is_a_post_that_happened(bot: Bot) -> None:
    """PN-10: the caller cannot know; a lost request did not happen."""
    await bot.new_token()
    bot.teams.faults.lose_reply("post")
    bot.teams.faults.lose_request("post")

    for _ in range(2):
        with pytest.raises(aiohttp.ClientConnectionError):
            await bot.post(bot.ops, HELLO)

    assert len(bot.teams.posts(bot.ops)) == 1


async def test_an_answer_can_hang_whether_it_was_done_or_not(bot: Bot) -> None:
    bot.teams.faults.hang("post", done=True)
    bot.teams.faults.hang("post")

    done = asyncio.ensure_future(bot.post(bot.ops, HELLO))
    await bot.teams.until(lambda: bot.teams.posts(bot.ops))
    undone = asyncio.ensure_future(bot.post(bot.ops, HELLO))
    await bot.teams.until(lambda: len(bot.teams.calls("post")) == 2)

    assert not done.done()
    assert not undone.done()
    assert len(bot.teams.posts(bot.ops)) == 1
    for waiting in (done, undone):
        waiting.cancel()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "ServiceError"),
        (404, "ActivityNotFoundInConversation"),
        (412, "PreconditionFailed"),
        (500, "ServiceError"),
        (502, "BadGateway"),
        (503, "ServiceUnavailable"),
    ],
)
async def test_an_edit_fails_once_or_always(bot: Bot, status: int, code: str) -> None:
    """PN-10: msteams-docs#6139 and others; the message stays as it was."""
    posted = await bot.post(bot.ops, HELLO)
    bot.teams.faults.fail("put", status, code)

    once = await bot.put(bot.ops, posted, {**HELLO, "text": "changed"})
    then = await bot.put(bot.ops, posted, {**HELLO, "text": "changed"})

    assert (once.status, once.code, then.status) == (status, code, 200)
    bot.teams.faults.fail("put", status, code, ALWAYS)
    for _ in range(3):
        assert (await bot.put(bot.ops, posted, HELLO)).status == status
    assert bot.teams.text_of(bot.teams.message(posted)) == "changed"


async def test_haste_is_refused_with_and_without_a_time(bot: Bot) -> None:
    """Reference, section 17; an error may have a subcode, be a page, or be a lie."""
    faults = bot.teams.faults
    faults.rate_limit("post", 7)
    faults.rate_limit("post", None)
    faults.fail("post", 403, "ConversationBlockedByUser", subcode="MessageWritesBlocked")
    faults.html("post", 502)
    faults.fail_done("post", 500)

    told = [await bot.call("POST", "conversations", bot.ops, "activities", body=HELLO) for _ in range(5)]

    assert [one.status for one in told] == [429, 429, 403, 502, 500]
    assert [one.headers.get("Retry-After") for one in told[:2]] == ["7", None]
    assert told[2].body["error"]["innerHttpError"]["body"]["subCode"] == "MessageWritesBlocked"
    assert "page" in told[3].body
    assert len(bot.teams.posts(bot.ops)) == 1
    assert bot.teams.complaints == []


async def test_the_token_endpoint_can_be_slow_and_wrong(bot: Bot) -> None:
    """PN-10: AADSTS codes, and a call that goes on when it is let."""
    bot.teams.faults.fail("token", 401, "AADSTS7000215")
    bot.teams.faults.fail("token", 400, "AADSTS700016")
    gate = bot.teams.faults.gate("token")

    wrong = [(await bot.new_token())[1]["error_codes"] for _ in range(2)]
    slow = asyncio.ensure_future(bot.new_token())
    await bot.teams.until(lambda: len(bot.teams.calls("token")) == 3)
    assert not slow.done()
    gate.set()

    assert wrong == [[7000215], [700016]]
    assert (await slow)[0] == 200
    assert len(bot.teams.issued) == 1


# ----------------------------------------------------------------- who it is from


async def keys(bot: Bot) -> dict[str, Body]:
    async with bot.session.get(bot.teams.openid_metadata) as answer:
        where = (await answer.json())["jwks_uri"]
    async with bot.session.get(where) as answer:
        return {each["kid"]: each for each in (await answer.json())["keys"]}


def verified(bot: Bot, known: dict[str, Body], header: str, channel: str = "msteams") -> Any:
    """What a bot has to check (reference, section 5.2). Raises for everything that is not from Teams."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise PermissionError("no bearer token")
    key = known[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(
        token,
        jwt.PyJWK(key).key,
        algorithms=["RS256"],
        audience=bot.teams.app_id,
        issuer="https://api.botframework.com",
        leeway=300,
        options={"require": ["exp", "iss", "aud"]},
    )
    if channel not in key["endorsements"] or claims.get("serviceurl") != bot.teams.service_url:
        raise PermissionError("endorsement or serviceurl")
    return claims


@pytest.mark.parametrize("kind", BAD_TOKENS)
async def test_every_bad_token_is_bad_for_one_reason(bot: Bot, kind: str) -> None:
    """T11, T12: a bot that checks as it should refuses it; the good one passes the same checks."""
    known = await keys(bot)
    told = bot.teams.words(bot.ana, bot.ops, "@countersign hello")
    await bot.teams.forge(told, bot.teams.bad_token(kind))
    await bot.teams.deliver(told)

    bad, good = (one.get("Authorization", "") for one in bot.headers)
    assert verified(bot, known, good)
    with pytest.raises((PermissionError, jwt.PyJWTError, KeyError)):
        verified(bot, known, bad)


async def test_keys_roll_over_with_and_without_the_old_one(bot: Bot) -> None:
    """PN-10: a kid that nobody has seen; the published set changes with it."""
    before = await keys(bot)
    bot.teams.roll_keys(keep=True)
    kept = await keys(bot)
    bot.teams.roll_keys()
    after = await keys(bot)
    await bot.teams.say(bot.ana, bot.ops, "hello")

    assert before.keys() < kept.keys()
    assert not before.keys() & after.keys()
    assert verified(bot, after, bot.headers[0]["Authorization"])


async def test_the_metadata_can_be_down(bot: Bot) -> None:
    bot.teams.faults.fail("metadata", 503, "down")
    bot.teams.faults.html("keys", 502)

    async with bot.session.get(bot.teams.openid_metadata) as answer:
        assert answer.status == 503
    async with bot.session.get(f"{bot.teams.origin}/v1/keys") as answer:
        assert answer.status == 502


async def test_other_tenants_and_other_channels_can_write(bot: Bot) -> None:
    """T15: signed by the same keys; only the activity says whose it is."""
    tenant = bot.teams.add_tenant(with_app=False)
    mallory = bot.teams.add_person("Mallory", tenant=tenant)

    await bot.teams.say(mallory, bot.teams.direct_chat(mallory), "hello")
    told = bot.teams.words(bot.ana, bot.teams.direct_chat(bot.ana), "hello")
    await bot.teams.deliver({**told, "channelId": "webchat"})

    foreign, webchat = bot.heard
    assert foreign["channelData"]["tenant"]["id"] == tenant != bot.teams.tenant
    assert foreign["serviceUrl"] == bot.teams.service_url_of(tenant) != bot.teams.service_url
    assert webchat["channelId"] == "webchat"
    status, refused = await bot.new_token(tenant=tenant)
    assert (status, refused["error_codes"]) == (400, [700016])


async def test_a_click_can_be_changed_before_it_is_sent(bot: Bot) -> None:
    """T16: all of it is the sender's."""
    posted = await bot.post(bot.ops, shown(CARD))
    told = bot.teams.click(bot.bo, bot.ops, posted, "Approve")
    told["value"]["action"]["data"]["countersign"]["subject"] = "r2"

    answer = await bot.teams.send_click(bot.bo, told)

    assert bot.heard[0]["value"]["action"]["data"]["countersign"]["subject"] == "r2"
    assert answer.words == "Recorded."
    assert bot.teams.message(posted).card == CARD
