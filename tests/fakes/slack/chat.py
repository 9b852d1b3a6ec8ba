"""chat.*: post, update, whisper, delete. Refuses what the reference refuses, and keeps what people would see."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.fakes.slack import blocks as kit
from tests.fakes.slack.call import Call, Handler
from tests.fakes.slack.methods import flag
from tests.fakes.slack.world import FakeChannel, FakeMessage, Json, Refusal, with_block_ids

POST_TEXT = 40_000  # characters; longer is cut (docs.slack.dev, chat.postMessage)
UPDATE_TEXT = 4_000  # characters; longer is refused (docs.slack.dev, chat.update)
MARKDOWN = 12_000
ATTACHMENTS = 100
METADATA_BYTES = 8_000  # undocumented; small enough to notice who puts a card in there
EVENT_TYPE = re.compile(r"[A-Za-z0-9_]{1,255}")


def post_message(call: Call) -> Json:
    channel = _place(call)
    text, blocks = _picture(call.args)
    metadata = check_metadata(call.args.get("metadata"))
    message = FakeMessage(
        channel=channel.id,
        ts=call.world.ts(),
        user=call.install.bot_user,
        bot_id=call.install.bot_id,
        team=channel.team,
        text=text[:POST_TEXT],
        blocks=blocks,
        thread_ts=_thread(call, channel),
        metadata=metadata,
        args=dict(call.args),
        is_broadcast=flag(call.args, "reply_broadcast"),
    )
    call.world.post(message)
    call.world.statuses.pop((channel.id, message.thread_ts or ""), None)  # a post clears "is thinking"
    return {"channel": channel.id, "ts": message.ts, "message": message.wire(with_metadata=True)}


def post_ephemeral(call: Call) -> Json:
    channel = _not_archived(call.own_channel())
    reader = call.user()
    if reader.id not in channel.members:
        raise Refusal("user_not_in_channel")
    text, blocks = _picture(call.args)
    message = FakeMessage(
        channel=channel.id,
        ts=call.world.ts(),
        user=call.install.bot_user,
        bot_id=call.install.bot_id,
        team=channel.team,
        text=text[:POST_TEXT],
        blocks=blocks,
        thread_ts=_thread(call, channel),
        to=reader.id,
        args=dict(call.args),
    )
    call.world.post(message)
    return {"message_ts": message.ts}


def update(call: Call) -> Json:
    channel, message = call.channel(), _own_message(call, "ts")
    if channel.is_archived:
        raise Refusal("is_inactive")
    if message.stream is not None:
        raise Refusal("streaming_state_conflict")
    if len(str(call.args.get("text") or "")) > UPDATE_TEXT:
        raise Refusal("msg_too_long")
    text, blocks = _picture(call.args)
    if _is_rich(message.blocks) and blocks and not _is_rich(blocks):
        raise Refusal("block_mismatch")
    message.metadata = check_metadata(call.args.get("metadata")) or message.metadata
    message.show(text, blocks)
    message.edited = call.world.ts()
    call.world.tick()
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": message.wire(with_metadata=True)}


def delete(call: Call) -> Json:
    channel, message = call.channel(), _own_message(call, "ts", refusal="cant_delete_message")
    del channel.messages[message.ts]
    call.world.tick()
    return {"channel": channel.id, "ts": message.ts}


def get_permalink(call: Call) -> Json:
    channel = call.channel()
    message = channel.messages.get(str(call.args["message_ts"]))
    if message is None or message.to is not None:
        raise Refusal("message_not_found")
    thread = f"?thread_ts={message.thread_ts}&cid={channel.id}" if message.thread_ts else ""
    link = f"https://fake.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}{thread}"
    return {"channel": channel.id, "permalink": link}


# ----------------------------------------------------------------- checks


def _place(call: Call) -> FakeChannel:
    """Where a post goes; a user id opens the direct conversation by itself."""
    target = str(call.args["channel"])
    if target in call.world.users:
        user = call.user("channel")
        if user.is_("is_bot") or user.is_("deleted"):
            raise Refusal("cannot_dm_bot" if user.is_("is_bot") else "user_disabled")
        return call.world.dm(call.install.team, user.id)
    channel = call.channel()
    if call.install.bot_user not in channel.members and "chat:write.public" not in call.world.scopes:
        raise Refusal("not_in_channel")
    return _not_archived(channel)


def _not_archived(channel: FakeChannel) -> FakeChannel:
    if channel.is_archived:
        raise Refusal("is_archived")
    return channel


def _thread(call: Call, channel: FakeChannel) -> str | None:
    """The thread's root. Stricter than Slack, which lets a reply hang on nothing: that is always a mistake of ours."""
    thread_ts = call.args.get("thread_ts")
    if not thread_ts:
        return None
    root = channel.messages.get(str(thread_ts))
    if root is None or root.to is not None or root.thread_ts not in (None, root.ts):
        raise Refusal("cannot_reply_to_message")
    root.thread_ts = root.ts
    return root.ts


def _picture(args: Mapping[str, Any]) -> tuple[str, list[Json]]:
    """Text and blocks as sent; raises whatever Slack has against them."""
    text, blocks, markdown = args.get("text") or "", args.get("blocks"), args.get("markdown_text") or ""
    if markdown:
        check_markdown(markdown)
        if text or blocks:
            raise Refusal("markdown_text_conflict")
        blocks = [{"type": "markdown", "text": markdown}]
    if len(args.get("attachments") or []) > ATTACHMENTS:
        raise Refusal("too_many_attachments")
    if blocks not in (None, []):
        kit.check_message(blocks)
    if not (text or blocks or args.get("attachments")):
        raise Refusal("no_text")
    return str(text), with_block_ids(blocks or [])


def check_markdown(markdown: object) -> str:
    if len(str(markdown)) > MARKDOWN:
        raise Refusal("msg_too_long")
    return str(markdown)


def check_metadata(metadata: Any) -> Json | None:
    """`{"event_type": …, "event_payload": {…}}`, or nothing."""
    if metadata in (None, "", {}):
        return None
    is_pair = isinstance(metadata, dict) and metadata.keys() == {"event_type", "event_payload"}
    if not is_pair or not isinstance(metadata["event_payload"], dict):
        raise Refusal("invalid_metadata_format")
    if not EVENT_TYPE.fullmatch(str(metadata["event_type"])):
        raise Refusal("invalid_metadata_format")
    if len(json.dumps(metadata)) > METADATA_BYTES:
        raise Refusal("metadata_too_large")
    return dict(metadata)


def _own_message(call: Call, name: str, refusal: str = "cant_update_message") -> FakeMessage:
    """The bot's own message. Ephemeral ones cannot be found: only their response_url changes them."""
    message = call.channel().messages.get(str(call.args[name]))
    if message is None or message.to is not None:
        raise Refusal("message_not_found")
    if message.user != call.install.bot_user:
        raise Refusal(refusal)
    return message


def _is_rich(blocks: list[Json]) -> bool:
    return any(block["type"] == "rich_text" for block in blocks)


HANDLERS: Mapping[str, Handler] = {
    "chat.postMessage": post_message,
    "chat.postEphemeral": post_ephemeral,
    "chat.update": update,
    "chat.delete": delete,
    "chat.getPermalink": get_permalink,
}
