"""Streams, agent sessions and thread statuses: decoration, with the ways it breaks."""

from __future__ import annotations

from collections.abc import Mapping

from tests.fakes.slack import blocks as kit
from tests.fakes.slack.call import Call, Handler
from tests.fakes.slack.chat import check_markdown, check_metadata
from tests.fakes.slack.world import STREAM_LIFE, FakeMessage, Json, Refusal, Stream, with_block_ids

SESSION = ("active", "processing", "suspended", "closed")
TITLE, PROMPTS = 200, 4
CHUNKS = ("markdown_text", "task_update", "plan_update", "blocks")


def start(call: Call) -> Json:
    channel = call.own_channel()
    if channel.is_archived:
        raise Refusal("is_archived")
    thread_ts = call.args.get("thread_ts")
    if not thread_ts:
        raise Refusal("thread_ts_required")
    if str(thread_ts) not in channel.messages:
        raise Refusal("invalid_thread_ts")
    if not channel.is_im:
        for name in ("recipient_team_id", "recipient_user_id"):
            if not call.args.get(name):
                raise Refusal(f"missing_{name}")
    message = FakeMessage(
        channel=channel.id,
        ts=call.world.ts(),
        user=call.install.bot_user,
        bot_id=call.install.bot_id,
        team=channel.team,
        text=_piece(call),
        blocks=_blocks(call, []),
        thread_ts=str(thread_ts),
        args=dict(call.args),
        stream=Stream(call.world.now()),
    )
    call.world.post(message)
    return {"channel": channel.id, "ts": message.ts}


def append(call: Call) -> Json:
    message = _streaming(call)
    piece = _piece(call)
    if not piece and not call.args.get("chunks"):
        raise Refusal("no_text")
    message.text += piece
    message.blocks = _blocks(call, message.blocks)
    call.world.tick()
    return {"channel": message.channel, "ts": message.ts}


def stop(call: Call) -> Json:
    message = _streaming(call)
    if blocks := call.args.get("blocks"):
        kit.check_message(blocks)
        message.blocks = with_block_ids(blocks)
    message.metadata = check_metadata(call.args.get("metadata")) or message.metadata
    message.text += _piece(call)
    message.blocks = _blocks(call, message.blocks)
    message.stream = None
    if status := call.args.get("session_status"):
        _set_session(call, message.channel, message.thread_ts, str(status))
    call.world.tick()
    return {"channel": message.channel, "ts": message.ts, "message": message.wire(with_metadata=True)}


def set_session(call: Call) -> Json:
    channel = call.own_channel("channel_id")
    thread_ts = call.args.get("thread_ts")
    if not thread_ts:
        raise Refusal("thread_ts_required")
    if str(thread_ts) not in channel.messages:
        raise Refusal("invalid_thread_ts")
    if len(str(call.args.get("title") or "")) > TITLE:
        raise Refusal("invalid_arguments")
    _set_session(call, channel.id, str(thread_ts), str(call.args["status"]))
    return {}


def set_thread_status(call: Call) -> Json:
    """An empty status clears it."""
    channel = call.own_channel("channel_id")
    key = channel.id, str(call.args["thread_ts"])
    if key[1] not in channel.messages:
        raise Refusal("invalid_thread_ts")
    if status := str(call.args["status"]):
        call.world.statuses[key] = status
    else:
        call.world.statuses.pop(key, None)
    call.world.tick()
    return {}


def set_prompts(call: Call) -> Json:
    channel, prompts = call.own_channel("channel_id"), call.args["prompts"]
    is_list = isinstance(prompts, list) and 1 <= len(prompts) <= PROMPTS
    if not is_list or not all(isinstance(one, dict) and one.keys() == {"title", "message"} for one in prompts):
        raise Refusal("invalid_arguments")
    call.world.prompts[channel.id, call.args.get("thread_ts")] = prompts
    call.world.tick()
    return {}


def _streaming(call: Call) -> FakeMessage:
    message = call.own_channel().messages.get(str(call.args["ts"]))
    if message is None:
        raise Refusal("message_not_found")
    if message.stream is not None and call.world.now() - message.stream.began >= STREAM_LIFE:
        message.stream = None
    if message.stream is None:
        raise Refusal("message_not_in_streaming_state")
    if message.stream.is_stopped_by_user:
        raise Refusal("stopped_by_user")
    return message


def _piece(call: Call) -> str:
    chunks = call.args.get("chunks") or []
    if not isinstance(chunks, list) or any(one.get("type") not in CHUNKS for one in chunks):
        raise Refusal("invalid_arguments")
    told = [str(one.get("text", "")) for one in chunks if one["type"] == "markdown_text"]
    return check_markdown(call.args.get("markdown_text") or "") + "".join(check_markdown(one) for one in told)


def _blocks(call: Call, shown: list[Json]) -> list[Json]:
    """What the message shows with the blocks of this call's chunks below those it *shown*."""
    chunks = [one for one in call.args.get("chunks") or [] if one["type"] == "blocks"]
    more = [block for one in chunks for block in one["blocks"]]
    if more:
        kit.check_message([*shown, *more])
    return [*shown, *with_block_ids(more)]


def _set_session(call: Call, channel: str, thread_ts: str | None, status: str) -> None:
    if status not in SESSION:
        raise Refusal("invalid_arguments")
    call.world.sessions[channel, thread_ts] = status
    call.world.tick()


HANDLERS: Mapping[str, Handler] = {
    "chat.startStream": start,
    "chat.appendStream": append,
    "chat.stopStream": stop,
    "agents.sessions.setStatus": set_session,
    "assistant.threads.setStatus": set_thread_status,
    "assistant.threads.setSuggestedPrompts": set_prompts,
}
