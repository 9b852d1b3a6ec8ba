"""response_url: five uses in thirty minutes, private unless `in_channel`; the only way to change an ephemeral."""

from __future__ import annotations

from typing import Any

from tests.fakes.slack import blocks as kit
from tests.fakes.slack.methods import flag
from tests.fakes.slack.world import URL_USES, FakeMessage, Json, Refusal, ResponseUrl, World, with_block_ids

KNOWN = {
    *("text", "blocks", "attachments", "response_type", "replace_original", "delete_original", "thread_ts"),
    *("unfurl_links", "unfurl_media", "metadata", "mrkdwn"),
}


def answer_url(world: World, name: str, body: Json) -> None:
    """Do what *body* asks of the response_url *name*. Raises Refusal."""
    url = world.urls.get(name)
    if url is None or world.now() >= url.until:
        raise Refusal("expired_url")
    if url.uses >= URL_USES:
        raise Refusal("used_url")
    if unknown := sorted(body.keys() - KNOWN):
        raise Refusal("invalid_arguments", response_metadata={"messages": unknown})
    original = world.message(url.channel, url.ts) if url.ts else None
    if flag(body, "delete_original"):
        _delete(world, original)
    else:
        show(world, url, body, original if flag(body, "replace_original") else None)
    url.uses += 1


def show(world: World, url: ResponseUrl, body: Json, original: FakeMessage | None = None) -> FakeMessage:
    """Show an answer in the place of *original*, or as a message of its own. Raises Refusal."""
    text, blocks = _checked(body)
    if original is not None:
        original.show(text, blocks)
        world.tick()
        return original
    channel = world.channels[url.channel]
    found = world.install_of(channel.team)
    if found is None:
        raise Refusal("account_inactive")
    thread_ts = body.get("thread_ts")
    if thread_ts and str(thread_ts) not in channel.messages:
        raise Refusal("cannot_reply_to_message")
    install = found[1]
    return world.post(
        FakeMessage(
            channel=channel.id,
            ts=world.ts(),
            user=install.bot_user,
            bot_id=install.bot_id,
            team=channel.team,
            text=text,
            blocks=blocks,
            thread_ts=str(thread_ts) if thread_ts else None,
            to=None if body.get("response_type") == "in_channel" else url.user,
            args=body,
        )
    )


def _checked(body: Json) -> tuple[str, list[Json]]:
    text, blocks = str(body.get("text") or ""), body.get("blocks") or []
    if blocks:
        kit.check_message(blocks)
    if not text and not blocks:
        raise Refusal("no_text")
    if body.get("response_type", "ephemeral") not in {"ephemeral", "in_channel"}:
        raise Refusal("invalid_arguments")
    return text, with_block_ids(blocks)


def _delete(world: World, original: Any) -> None:
    if original is None:
        raise Refusal("message_not_found")
    del world.channels[original.channel].messages[original.ts]
    world.tick()
