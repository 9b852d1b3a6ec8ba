"""What the fake Slack refuses, and with which code. A fake that takes everything proves nothing."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.office import refused
from tests.fakes.slack import FakeSlack
from tests.fakes.slack.blocks import BLOCKS, SURFACES, faults
from tests.fakes.slack.methods import METHODS
from tests.fakes.slack.server import HANDLERS

Body = dict[str, Any]


def plain(text: str) -> Body:
    return {"type": "plain_text", "text": text}


def section(text: str = "x", **more: object) -> Body:
    return {"type": "section", "text": plain(text), **more}


def button(**more: object) -> Body:
    return {"type": "button", "action_id": "a", "text": plain("Go"), **more}


def actions(*elements: Body) -> Body:
    return {"type": "actions", "elements": list(elements)}


def field(element: Body) -> Body:
    return {"type": "input", "label": plain("Name"), "element": element}


def options(number: int) -> list[Body]:
    return [{"text": plain(f"o{n}"), "value": f"v{n}"} for n in range(number)]


def code(text: str) -> Body:
    part = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [part]}


CONFIRM = {"title": plain("Sure?"), "text": plain("Really"), "confirm": plain("Yes"), "deny": plain("No")}

GOOD: list[Body] = [
    section("x" * 3000, accessory=button(value="v" * 2000, style="danger", confirm=CONFIRM)),
    {"type": "section", "fields": [plain("x" * 2000)] * 10},
    {"type": "header", "text": plain("x" * 150)},
    {"type": "divider"},
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "<@U1>"}] * 10},
    actions(*[button(action_id=f"a{n}") for n in range(25)]),
    actions({"type": "static_select", "action_id": "s", "options": options(100)}),
    field({"type": "plain_text_input", "action_id": "v", "max_length": 3000, "initial_value": ""}),
    code("x" * 10_000),
    {"type": "markdown", "text": "x" * 12_000},
]

BAD: list[tuple[str, Body]] = [
    ("unsupported type", {"type": "data_table"}),
    ("unsupported type", {"type": "alert", "text": plain("x")}),
    ("less than 3001", section("x" * 3001)),
    ("more than 0", section("")),
    ("text or fields", {"type": "section"}),
    ("unexpected field", section(colour="red")),
    ("less than 256", section(block_id="x" * 256)),
    ("no more than 10", {"type": "section", "fields": [plain("x")] * 11}),
    ("less than 2001", {"type": "section", "fields": [plain("x" * 2001)]}),
    ("less than 151", {"type": "header", "text": plain("x" * 151)}),
    ("unsupported type: mrkdwn", {"type": "header", "text": {"type": "mrkdwn", "text": "x"}}),
    ("no more than 10", {"type": "context", "elements": [plain("x")] * 11}),
    ("no more than 25", actions(*[button(action_id=f"a{n}") for n in range(26)])),
    ("at least 1", actions()),
    ("action_id 'a' already exists", actions(button(), button())),
    ("unsupported type: plain_text_input", actions({"type": "plain_text_input", "action_id": "v"})),
    ("less than 76", actions(button(text=plain("x" * 76)))),
    ("unsupported type: mrkdwn", actions(button(text={"type": "mrkdwn", "text": "x"}))),
    ("less than 2001", actions(button(value="x" * 2001))),
    ("less than 3001", actions(button(url="x" * 3001))),
    ("less than 256", actions(button(action_id="x" * 256))),
    ("one of primary, danger", actions(button(style="default"))),
    ("less than 101", actions(button(confirm={**CONFIRM, "title": plain("x" * 101)}))),
    ("less than 301", actions(button(confirm={**CONFIRM, "text": plain("x" * 301)}))),
    ("less than 31", actions(button(confirm={**CONFIRM, "deny": plain("x" * 31)}))),
    ("no more than 100", actions({"type": "static_select", "action_id": "s", "options": options(101)})),
    ("no more than 10", actions({"type": "radio_buttons", "action_id": "s", "options": options(11)})),
    ("no more than 5", actions({"type": "overflow", "action_id": "s", "options": options(6)})),
    ("must be unique", actions({"type": "static_select", "action_id": "s", "options": options(1) * 2})),
    ("less than 151", field({"type": "plain_text_input", "action_id": "v", "placeholder": plain("x" * 151)})),
    ("from 1 to 3000", field({"type": "plain_text_input", "action_id": "v", "max_length": 3001})),
    ("is_decimal_allowed", field({"type": "number_input", "action_id": "v"})),
    ("unsupported type: button", field(button())),
    ("less than 12001", {"type": "markdown", "text": "x" * 12_001}),
    ("more than 0", code("")),
    ("unsupported type: user", {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [
        {"type": "user", "user_id": "U1"}]}]}),
    ("image_url or slack_file", {"type": "image", "alt_text": "x"}),
    ("no more than 100", {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]] * 101}),
]  # fmt: skip


# --------------------------------------------------------------------- tables


def test_every_method_has_an_answer_and_every_surface_knows_its_blocks() -> None:
    """The tables are total: what is told to exist, exists."""
    assert METHODS.keys() == {*HANDLERS, "apps.connections.open"}
    assert {kind for kinds in SURFACES.values() for kind in kinds} == BLOCKS.keys()


@pytest.mark.parametrize("block", GOOD, ids=lambda block: block["type"])
def test_what_just_fits_is_taken(block: Body) -> None:
    assert list(faults([block], "message")) == []


@pytest.mark.parametrize(("why", "block"), BAD)
def test_what_is_one_too_many_is_refused_with_its_place(why: str, block: Body) -> None:
    """PN-10: each limit of a block, one above it."""
    found = list(faults([block], "message"))

    assert [one for one in found if why in one and "json-pointer:/blocks" in one], found


async def test_a_refusal_says_where_as_slack_does(slack: FakeSlack, api: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as caught:
        await api.chat_postMessage(channel=slack.add_channel("ops"), text="x", blocks=[section("")])

    assert caught.value.response["error"] == "invalid_blocks"
    told = caught.value.response["response_metadata"]["messages"]
    assert told == ["[ERROR] must be more than 0 characters [json-pointer:/blocks/0/text/text]"]


# ------------------------------------------------------------------- messages


async def test_a_message_has_its_limits(slack: FakeSlack, api: AsyncWebClient) -> None:
    ops = slack.add_channel("ops")

    async def post(**body: Any) -> str:
        return await refused(api.api_call("chat.postMessage", json={"channel": ops, **body}))

    assert await post(text="x", blocks=[section()] * 51) == "msg_blocks_too_many"
    assert await post(text="x", blocks=[section("x" * 3000)] * 5) == "msg_blocks_too_long"
    assert await post(text="x", blocks=[section(block_id="b")] * 2) == "invalid_blocks"
    assert await post(text="x", blocks="[") == "invalid_blocks_format"
    assert await post(text="") == "no_text"
    assert await post(text="x", markdown_text="x") == "markdown_text_conflict"
    assert await post(markdown_text="x" * 12_001) == "msg_too_long"
    assert await post(text="x", metadata={"event_type": "a b", "event_payload": {}}) == "invalid_metadata_format"
    assert await post(text="x", metadata={"event_type": "a"}) == "invalid_metadata_format"
    assert await post(text="x", thread_ts="1.2") == "cannot_reply_to_message"
    assert await post(text="x", client_msg_id="1") == "invalid_arguments"
    assert slack.posts() == []


async def test_an_update_is_stricter_than_a_post(slack: FakeSlack, api: AsyncWebClient) -> None:
    """4,000 characters; rich text stays rich; blocks go away when only text is sent (section 8)."""
    ana = slack.add_user("ana")
    ops = slack.add_channel("ops", (ana,))
    ts = str((await api.chat_postMessage(channel=ops, text="x" * 40_001, blocks=[code("x")]))["ts"])
    theirs = await slack.say(ana, ops, "hers")

    assert len(slack.posts()[0].text) == 40_000
    assert await refused(api.chat_update(channel=ops, ts=ts, text="x" * 4001)) == "msg_too_long"
    assert await refused(api.chat_update(channel=ops, ts=ts, text="x", blocks=[section()])) == "block_mismatch"
    assert await refused(api.chat_update(channel=ops, ts="1.2", text="x")) == "message_not_found"
    assert await refused(api.chat_update(channel=ops, ts=theirs, text="x")) == "cant_update_message"
    await api.chat_update(channel=ops, ts=ts, text="y")

    message = slack.message(ops, ts)
    assert message is not None
    assert (message.text, message.blocks, len(message.versions)) == ("y", [], 1)


async def test_places_and_people_that_cannot_be_written_to(slack: FakeSlack, api: AsyncWebClient) -> None:
    robot, gone = slack.add_user("robot", is_bot=True), slack.add_user("gone", deleted=True)
    ana = slack.add_user("ana")
    away = slack.add_channel("away", with_bot=False)
    hidden = slack.add_channel("hidden", is_private=True, with_bot=False)
    old = slack.add_channel("old", is_archived=True)
    ops = slack.add_channel("ops")

    assert await refused(api.chat_postMessage(channel=away, text="x")) == "not_in_channel"
    assert await refused(api.chat_postMessage(channel=hidden, text="x")) == "channel_not_found"
    assert await refused(api.chat_postMessage(channel=old, text="x")) == "is_archived"
    assert await refused(api.chat_postMessage(channel="C404", text="x")) == "channel_not_found"
    assert await refused(api.chat_postEphemeral(channel=ops, user=ana, text="x")) == "user_not_in_channel"
    assert await refused(api.conversations_open(users=robot)) == "cannot_dm_bot"
    assert await refused(api.conversations_open(users=gone)) == "user_disabled"
    assert await refused(api.conversations_open(users="U404")) == "user_not_found"
    assert (await api.conversations_open(users=ana))["channel"]["id"] == slack.dm(ana)
    assert (await api.chat_postMessage(channel=ana, text="x"))["channel"] == slack.dm(ana)


async def test_tokens_and_scopes_are_looked_at(slack: FakeSlack, api: AsyncWebClient) -> None:
    ops = slack.add_channel("ops")
    slack.scopes.discard("chat:write")

    assert await refused(api.chat_postMessage(channel=ops, text="x")) == "missing_scope"
    assert await refused(api.api_call("chat.shout")) == "unknown_method"
    assert await refused(api.auth_test(token="xoxb-other")) == "invalid_auth"
    assert await refused(api.auth_test(token=slack.app_token)) == "not_allowed_token_type"
    assert await refused(api.apps_connections_open(app_token=slack.bot_token)) == "not_allowed_token_type"
    assert await refused(AsyncWebClient(base_url=slack.api_url).auth_test()) == "not_authed"
    await slack.uninstall(slack.team)
    assert await refused(api.auth_test()) == "account_inactive"


async def test_query_form_and_json_are_read_alike(slack: FakeSlack) -> None:
    ops = slack.add_channel("ops")
    url, headers = f"{slack.api_url}chat.postMessage", {"Authorization": f"Bearer {slack.bot_token}"}
    body = {"channel": ops, "text": "x"}

    async with aiohttp.ClientSession(headers=headers) as session:
        for sent in (session.get(url, params=body), session.post(url, data=body), session.post(url, json=body)):
            async with sent as answer:
                assert (await answer.json())["ok"]

    assert slack.calls("chat.postMessage") == [body] * 3


# ---------------------------------------------------------------------- looks


async def test_a_thread_is_read_page_by_page_with_metadata_when_asked(slack: FakeSlack, api: AsyncWebClient) -> None:
    """What an orphan is found by (section 5)."""
    ana = slack.add_user("ana")
    ops = slack.add_channel("ops", (ana,))
    root = await slack.say(ana, ops, "root")
    mark = {"event_type": "countersign_post", "event_payload": {"key": "k"}}
    await api.chat_postMessage(channel=ops, text="card", thread_ts=root, metadata=mark)

    first = await api.conversations_replies(channel=ops, ts=root, limit=1)
    cursor = first["response_metadata"]["next_cursor"]
    rest = await api.conversations_replies(channel=ops, ts=root, cursor=cursor, include_all_metadata=True)
    bare = await api.conversations_replies(channel=ops, ts=root)
    history = await api.conversations_history(channel=ops)

    assert [one["text"] for one in first["messages"]] == ["root"]
    assert [one["metadata"] for one in rest["messages"]] == [mark]
    assert "metadata" not in bare["messages"][1]
    assert [one["text"] for one in history["messages"]] == ["root"]
    assert await refused(api.conversations_replies(channel=ops, ts="1.2")) == "thread_not_found"


async def test_people_groups_and_managers_are_found(slack: FakeSlack, api: AsyncWebClient) -> None:
    boss = slack.add_user("boss")
    manager = slack.add_profile_field("Manager")
    ana = slack.add_user("ana", email="ana@x.example", fields={manager: boss}, is_restricted=True)
    group = slack.add_usergroup("ops", (ana, boss))
    foreign = slack.add_user("eve", team_id="T9")

    assert (await api.users_lookupByEmail(email="ANA@x.example"))["user"]["id"] == ana
    assert (await api.users_info(user=ana))["user"]["is_restricted"]
    assert (await api.users_profile_get(user=ana))["profile"]["fields"][manager]["value"] == boss
    assert (await api.team_profile_get())["profile"]["fields"][0]["type"] == "user"
    assert (await api.usergroups_users_list(usergroup=group))["users"] == [ana, boss]
    assert await refused(api.usergroups_users_list(usergroup="S404")) == "no_such_subteam"
    assert await refused(api.users_info(user=foreign)) == "user_not_found"
    assert await refused(api.users_lookupByEmail(email="no@x.example")) == "users_not_found"


async def test_a_file_is_uploaded_in_three_steps(slack: FakeSlack, api: AsyncWebClient) -> None:
    ana = slack.add_user("ana")
    ops = slack.add_channel("ops", (ana,))
    root = await slack.say(ana, ops, "root")

    await api.files_upload_v2(filename="args.json", content="{}", channel=ops, thread_ts=root)

    [file] = slack.files
    assert (file.name, file.content, file.channel, file.thread_ts) == ("args.json", b"{}", ops, root)
    assert await refused(api.files_completeUploadExternal(files=[{"id": "F404", "title": "x"}])) == "file_not_found"


async def test_an_installation_is_a_code_a_token_and_an_end(slack: FakeSlack, api: AsyncWebClient) -> None:
    code = slack.consent("T2", "U2", redirect_uri="https://x.example/back")
    keys = aiohttp.encode_basic_auth(slack.client_id, slack.client_secret)

    async def exchange(secret: str = keys, **given: str) -> Body:
        headers, url = {"Authorization": secret}, f"{slack.api_url}oauth.v2.access"
        async with aiohttp.request("POST", url, data={"code": code, **given}, headers=headers) as answer:
            told: Body = await answer.json()
        return told

    assert (await exchange(aiohttp.encode_basic_auth(slack.client_id, "no")))["error"] == "bad_client_secret"
    assert (await exchange())["error"] == "bad_redirect_uri"
    granted = await exchange(redirect_uri="https://x.example/back")
    assert (await exchange(redirect_uri="https://x.example/back"))["error"] == "code_already_used"

    token = str(granted["access_token"])
    assert (await api.auth_test(token=token))["team_id"] == granted["team"]["id"] == "T2"
    await api.auth_revoke(token=token)
    assert await refused(api.auth_test(token=token)) == "token_revoked"


# ---------------------------------------------------------------- decoration


async def test_a_stream_ends_by_itself_and_shuts_out_updates(slack: FakeSlack, api: AsyncWebClient) -> None:
    """Section 7: about five minutes, then `message_not_in_streaming_state`."""
    ana = slack.add_user("ana")
    ops = slack.add_channel("ops", (ana,))
    root = await slack.say(ana, ops, "root")

    lonely = await refused(api.chat_startStream(channel=ops, thread_ts=root))
    begun = await api.chat_startStream(channel=ops, thread_ts=root, recipient_team_id=slack.team, recipient_user_id=ana)
    ts = str(begun["ts"])
    await api.chat_appendStream(channel=ops, ts=ts, markdown_text="so far")
    busy = await refused(api.chat_update(channel=ops, ts=ts, text="x"))
    slack.later(300)
    over = await refused(api.chat_appendStream(channel=ops, ts=ts, markdown_text="more"))

    assert lonely == "missing_recipient_team_id"
    assert (busy, over) == ("streaming_state_conflict", "message_not_in_streaming_state")
    await api.chat_update(channel=ops, ts=ts, text="the rest")


async def test_agent_status_is_kept_and_checked(slack: FakeSlack, api: AsyncWebClient) -> None:
    ana = slack.add_user("ana")
    ops = slack.add_channel("ops", (ana,))
    root = await slack.say(ana, ops, "root")

    await api.agents_sessions_setStatus(channel_id=ops, thread_ts=root, status="suspended")
    await api.assistant_threads_setStatus(channel_id=ops, thread_ts=root, status="is thinking")
    await api.chat_postMessage(channel=ops, thread_ts=root, text="done")

    assert slack.sessions == {(ops, root): "suspended"}
    assert slack.statuses == {}
    assert await refused(api.agents_sessions_setStatus(channel_id=ops, status="active")) == "thread_ts_required"
    bored = api.agents_sessions_setStatus(channel_id=ops, thread_ts=root, status="bored")
    assert await refused(bored) == "invalid_arguments"


async def test_a_view_has_its_limits(slack: FakeSlack, api: AsyncWebClient) -> None:
    ana = slack.add_user("ana")
    home: Body = {"type": "home", "blocks": [section()]}

    async def publish(**changed: Any) -> str:
        return await refused(api.views_publish(user_id=ana, view={**deepcopy(home), **changed}))

    assert await publish(blocks=[section()] * 101) == "invalid_arguments"
    assert await publish(private_metadata="x" * 3001) == "invalid_arguments"
    assert await publish(title=plain("x")) == "invalid_arguments"
    assert await publish(blocks=[section("x" * 3000)] * 90) == "view_too_large"
    slack.home_enabled = False
    assert await publish() == "not_enabled"
