"""The JSON that Slack sends when people act. Shapes: docs.slack.dev and section 8 of the reference."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fakes.slack.world import APP, FakeChannel, FakeMessage, FakeView, Json, World

CHANNEL_TYPES = {"channels": "channel", "groups": "group", "im": "im", "mpim": "mpim"}
TOKEN = "legacy-verification-token"  # old, not a secret, and nobody should look at it


@dataclass(frozen=True)
class Spot:
    """A button as it stands in a block."""

    block_id: str
    element: Json

    @property
    def label(self) -> str:
        return str(self.element["text"]["text"])


def spots(blocks: Sequence[Json]) -> Iterator[Spot]:
    """Every button, in reading order: in actions, beside sections, on cards."""
    for block in blocks:
        inner = [block.get("accessory"), *(block.get("elements") or []), *(block.get("actions") or [])]
        for element in (one for one in inner if isinstance(one, dict)):
            if element.get("type") == "button":
                yield Spot(block["block_id"], element)
            elif element.get("type") == "overflow":  # each line of it, as a button of that name
                for option in element["options"]:
                    yield Spot(block["block_id"], {**element, "text": option["text"], "selected_option": option})
            elif element.get("type") == "card":
                yield from spots([{"block_id": block["block_id"], **element}])
        yield from spots([{"block_id": block["block_id"], **one} for one in block.get("child_blocks") or []])


def event(world: World, team: str, inner: Json) -> Json:
    """The envelope of the Events API around one event."""
    found = world.install_of(team)
    bot = {"enterprise_id": None, "team_id": team, "user_id": found[1].bot_user if found else "", "is_bot": True}
    return {
        "token": TOKEN,
        "team_id": team,
        "context_team_id": team,
        "context_enterprise_id": None,
        "api_app_id": APP,
        "event": {"event_ts": world.ts(), **inner},
        "type": "event_callback",
        "event_id": f"Ev{secrets.token_hex(5).upper()}",
        "event_time": int(world.now()),
        "authorizations": [{**bot, "is_enterprise_install": False}],
        "is_ext_shared_channel": False,
        "event_context": secrets.token_hex(8),
    }


def said(channel: FakeChannel, message: FakeMessage) -> Json:
    """The `message` event of a post; a bot's post carries `bot_id`."""
    told = message.wire()
    root = channel.messages.get(message.thread_ts or "")
    told |= {"parent_user_id": root.user} if root is not None and root is not message else {}
    told |= {"client_msg_id": secrets.token_hex(16)} if not message.bot_id else {}
    return {**told, "channel": channel.id, "event_ts": message.ts, "channel_type": CHANNEL_TYPES[channel.kind]}


def mentioned(channel: FakeChannel, message: FakeMessage) -> Json:
    """The `app_mention` twin: the same ts, another event."""
    told = {name: value for name, value in said(channel, message).items() if name != "channel_type"}
    return {**told, "type": "app_mention"}


def changed(world: World, channel: FakeChannel, message: FakeMessage, before: Json) -> Json:
    return {
        "type": "message",
        "subtype": "message_changed",
        "message": message.wire(),
        "previous_message": before,
        "channel": channel.id,
        "hidden": True,
        "ts": world.ts(),
        "channel_type": CHANNEL_TYPES[channel.kind],
    }


def acted(world: World, kind: str, user: str, team: str) -> Json:
    """What every interactive payload starts with. *team* is the workspace it happened in."""
    person = world.users[user]
    return {
        "type": kind,
        "team": {"id": team, "domain": "fake"},
        "user": {"id": user, "username": person.name, "name": person.name, "team_id": person.team},
        "api_app_id": APP,
        "token": TOKEN,
        "enterprise": None,
        "is_enterprise_install": False,
    }


def action(world: World, spot: Spot) -> Json:
    of_button = ("type", "text", "value", "style", "url")
    keys = ("type", "selected_option") if spot.element["type"] == "overflow" else of_button
    told: Json = {name: spot.element[name] for name in keys if name in spot.element}
    named: Json = {"action_id": spot.element.get("action_id") or secrets.token_hex(3), "block_id": spot.block_id}
    return {**named, **told, "action_ts": world.ts()}


def in_message(channel: FakeChannel, message: FakeMessage) -> Json:
    """Where a button of a message stands. An ephemeral one is told without its content."""
    container: Json = {"type": "message", "message_ts": message.ts, "channel_id": channel.id}
    container["is_ephemeral"] = message.to is not None
    container |= {"thread_ts": message.thread_ts} if message.thread_ts else {}
    name = "directmessage" if channel.is_im else "privategroup" if channel.is_private else channel.name
    told: Json = {"container": container, "channel": {"id": channel.id, "name": name}, "state": {"values": {}}}
    return told if message.to is not None else {**told, "message": message.wire()}


def in_view(view: FakeView) -> Json:
    """A button of a modal or Home: no channel, no message, no response_url."""
    return {"container": {"type": "view", "view_id": view.id}, "view": view.wire(), "state": {"values": {}}}


def command(world: World, channel: FakeChannel, user: str, name: str, text: str) -> Json:
    """Form fields, all of them strings."""
    fields: dict[str, Any] = {
        "token": TOKEN,
        "team_id": channel.team,
        "team_domain": "fake",
        "channel_id": channel.id,
        "channel_name": channel.name or "directmessage",
        "user_id": user,
        "user_name": world.users[user].name,
        "command": name,
        "text": text,
        "api_app_id": APP,
        "is_enterprise_install": "false",
        "trigger_id": world.trigger(user, channel.team),
    }
    return fields
