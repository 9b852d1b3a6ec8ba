"""What people do in messages, channels and commands. Each act changes the world first and then tells the app."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tests.fakes.slack import payloads
from tests.fakes.slack.delivery import COMMAND, EVENT, INTERACTIVE, Delivery, Post, Reply
from tests.fakes.slack.faults import Faults
from tests.fakes.slack.payloads import Spot
from tests.fakes.slack.responses import show
from tests.fakes.slack.server import Server
from tests.fakes.slack.world import FakeChannel, FakeMessage, Json, ResponseUrl, World

SUBSCRIBED = {
    *("agent_session_stopped", "message_stream_stopped", "app_context_changed", "app_home_opened", "app_mention"),
    *("app_uninstalled", "tokens_revoked", "message.channels", "message.groups", "message.im", "message.mpim"),
    *("member_joined_channel", "member_left_channel", "user_change", "subteam_members_changed", "channel_archive"),
}
TAMPERS = {"value", "action_id", "block_id", "container_ts", "container_channel", "team", "user_team", "app"}


class ClientRefused(AssertionError):
    """Slack's own client would not let a person do this: no such button, a field left empty, nothing to see."""


class Acts:
    """Everything here returns when the app has answered, or when Slack has given up."""

    def __init__(self, world: World, faults: Faults, server: Server, post: Post) -> None:
        self._world, self.faults, self._server, self._post = world, faults, server, post
        self.subscribed = set(SUBSCRIBED)  # event types the app asked for; others are never sent
        self.replies: list[Reply] = []  # of every act, in order

    # ------------------------------------------------------------------ words

    async def say(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> str:
        """Post *text* (as on the wire: `<@U…>` mentions) and return its ts.

        The app hears of it if its bot is there: `message` in the place's kind, and first an `app_mention` if it is
        mentioned outside of a DM.
        """
        place = self._channel(user, channel)
        if place.is_archived:
            raise ClientRefused(f"{place.name} is archived; nobody can write there")
        if thread_ts is not None:
            place.messages[thread_ts].thread_ts = thread_ts
        bot_id = "B0OTHER" if self._world.users[user].is_("is_bot") else None
        blocks = [{"type": "rich_text", "block_id": "words", "elements": [_section(text)]}]
        message = FakeMessage(
            channel=place.id,
            ts=self._world.ts(),
            user=user,
            team=self._world.users[user].team,
            text=text,
            blocks=blocks,
            thread_ts=thread_ts,
            bot_id=bot_id,
        )
        self._world.post(message)
        await self._tell(place, message)
        return message.ts

    async def edit(self, user: str, channel: str, ts: str, text: str) -> None:
        """Change an own post: `message_changed`, and the mention again with the same ts."""
        place = self._channel(user, channel)
        message = self._seen(user, place, ts)
        if message.user != user:
            raise ClientRefused("people can only edit what they wrote")
        before = message.wire()
        message.show(text, [{"type": "rich_text", "block_id": "words", "elements": [_section(text)]}])
        message.edited = self._world.ts()
        self._world.tick()
        events = [payloads.changed(self._world, place, message, before)]
        if self._mentions(place, text):
            events.append(payloads.mentioned(place, message))
        await self._send(place, *events)

    async def erase(self, user: str, channel: str, ts: str) -> None:
        """Delete a message: `message_deleted`. Workspaces let admins delete the bot's, too."""
        place = self._channel(user, channel)
        message = self._seen(user, place, ts)
        del place.messages[ts]
        self._world.tick()
        told: Json = {"type": "message", "subtype": "message_deleted", "deleted_ts": ts, "hidden": True}
        told |= {"previous_message": message.wire(), "channel": place.id, "ts": self._world.ts()}
        await self._send(place, {**told, "channel_type": payloads.CHANNEL_TYPES[place.kind]})

    async def echo(self, channel: str, ts: str) -> None:
        """Send the event that Slack makes of a message that is there already: the bot's own, for example."""
        place = self._world.channels[channel]
        await self._tell(place, place.messages[ts])

    async def event(self, type: str, *, team: str | None = None, **fields: object) -> Reply:
        """Any other event, with *fields* as they stand in it. Raises KeyError for one the app did not ask for."""
        if type not in self.subscribed:
            raise KeyError(f"{type} is not among the subscribed events")
        inner: Json = {"type": type, **fields}
        return await self._carry(EVENT, payloads.event(self._world, team or self._home_team, inner))

    # ---------------------------------------------------------------- buttons

    async def press(self, user: str, channel: str, ts: str, label: str, nth: int = 0, **tampered: str) -> Reply:
        """Press the button called *label*; *nth* picks one of several.

        *tampered* changes what is sent: value, action_id, block_id, container_ts, container_channel, team,
        user_team, app.
        """
        payload = self.block_actions(user, channel, ts, label, nth)
        _tamper(payload, tampered)
        return await self.interact(payload)

    def block_actions(self, user: str, channel: str, ts: str, label: str, nth: int = 0) -> Json:
        """The payload of one press, not yet sent. Every one has a trigger of its own."""
        place = self._channel(user, channel)
        message = self._seen(user, place, ts)
        spot = find(message.blocks, label, nth)
        return {
            **payloads.acted(self._world, "block_actions", user, place.team),
            **payloads.in_message(place, message),
            "trigger_id": self._world.trigger(user, place.team),
            "response_url": self._world.response_url(self._server.base, user, place.id, message.ts),
            "actions": [payloads.action(self._world, spot)],
        }

    async def interact(self, payload: Json) -> Reply:
        """Send any interactive payload as it is: signed, and not sent again if it is not taken."""
        return await self._carry(INTERACTIVE, payload)

    async def again(self, delivery: Delivery) -> Reply:
        """Send what was sent once more, byte for byte; see `deliveries`."""
        return await self._post.again(delivery)

    # --------------------------------------------------- commands and shortcuts

    async def command(self, user: str, channel: str, name: str, text: str = "") -> Reply:
        """Type a slash command. What the app answers in the body is shown to the person."""
        place = self._channel(user, channel)
        fields = payloads.command(self._world, place, user, name, text)
        fields["response_url"] = self._world.response_url(self._server.base, user, place.id)
        reply = await self._carry(COMMAND, fields)
        answer = reply.json or {"text": reply.text}
        if reply.is_ok and (answer.get("text") or answer.get("blocks")):
            show(self._world, ResponseUrl(user, place.id, self._world.now()), answer)
        return reply

    async def shortcut(self, user: str, channel: str, ts: str, callback_id: str) -> Reply:
        """Choose a message shortcut from the menu of a message."""
        place = self._channel(user, channel)
        message = self._seen(user, place, ts)
        where = payloads.in_message(place, message)
        return await self.interact(
            {
                **payloads.acted(self._world, "message_action", user, place.team),
                "callback_id": callback_id,
                "trigger_id": self._world.trigger(user, place.team),
                "response_url": self._world.response_url(self._server.base, user, place.id, message.ts),
                "message_ts": message.ts,
                "action_ts": self._world.ts(),
                "channel": where["channel"],
                "message": message.wire(),
            }
        )

    # ---------------------------------------------------------------- carrying

    async def _tell(self, place: FakeChannel, message: FakeMessage) -> None:
        events = [payloads.said(place, message)]
        if self._mentions(place, message.text) and message.user != self._bot(place):
            events.insert(0, payloads.mentioned(place, message))
        await self._send(place, *events)

    async def _send(self, place: FakeChannel, *events: Json) -> None:
        """Only what the app subscribed to, and only from where its bot is."""
        if self._bot(place) not in place.members:
            return
        wanted = [one for one in events if _subscription(place, one) in self.subscribed]
        if wanted:
            await self._carry(EVENT, *(payloads.event(self._world, place.team, one) for one in wanted))

    async def _carry(self, kind: str, *sent: Json) -> Reply:
        reply = await self._post.carry(kind, *sent)
        self.replies.append(reply)
        self._world.tick()
        return reply

    # ----------------------------------------------------------------- looking

    @property
    def _home_team(self) -> str:
        return next(iter(self._world.installs.values())).team

    def _bot(self, place: FakeChannel) -> str:
        found = self._world.install_of(place.team)
        return found[1].bot_user if found else ""

    def _mentions(self, place: FakeChannel, text: str) -> bool:
        bot = self._bot(place)
        return bool(bot) and not place.is_im and (f"<@{bot}>" in text or f"<@{bot}|" in text)

    def _channel(self, user: str, channel: str) -> FakeChannel:
        place = self._world.channels[channel]
        if not self._world.can_see(user, place):
            raise ClientRefused(f"{user} cannot see {place.name or place.id}")
        return place

    def _seen(self, user: str, place: FakeChannel, ts: str) -> FakeMessage:
        message = place.messages.get(ts)
        if message is None or message.to not in (None, user):
            raise ClientRefused(f"{user} sees no message {ts} in {place.name or place.id}")
        return message


def find(blocks: Sequence[Json], label: str, nth: int = 0) -> Spot:
    """The *nth* button called *label*."""
    known = list(payloads.spots(blocks))
    found = [spot for spot in known if spot.label == label]
    if len(found) <= nth:
        raise ClientRefused(f"there is no button {label!r}; there are {[spot.label for spot in known]}")
    return found[nth]


def _section(text: str) -> Json:
    """What a person's editor makes of the words: mentions are elements of their own."""
    parts = [part for part in re.split(r"(<@\w+>)", text) if part]
    return {"type": "rich_text_section", "elements": [_typed(part) for part in parts]}


def _typed(part: str) -> Json:
    if found := re.fullmatch(r"<@(\w+)>", part):
        return {"type": "user", "user_id": found[1]}
    return {"type": "text", "text": part.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")}


def _subscription(place: FakeChannel, event: Json) -> str:
    return f"message.{place.kind}" if event["type"] == "message" else str(event["type"])


def _tamper(payload: Json, changes: dict[str, str]) -> None:
    if unknown := changes.keys() - TAMPERS:
        raise TypeError(f"cannot tamper with {sorted(unknown)}; known are {sorted(TAMPERS)}")
    action: dict[str, Any] = payload["actions"][0]
    action.update({name: changes[name] for name in ("value", "action_id", "block_id") if name in changes})
    if "container_ts" in changes:
        payload["container"]["message_ts"] = changes["container_ts"]
        payload.get("message", {})["ts"] = changes["container_ts"]
    if "container_channel" in changes:
        payload["container"]["channel_id"] = payload["channel"]["id"] = changes["container_channel"]
    if "team" in changes:
        payload["team"] = {**payload["team"], "id": changes["team"]}
    if "user_team" in changes:
        payload["user"] = {**payload["user"], "team_id": changes["user_team"]}
    if "app" in changes:
        payload["api_app_id"] = changes["app"]
