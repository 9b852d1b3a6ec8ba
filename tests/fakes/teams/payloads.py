"""What the Connector sends to a bot, field by field. Only shapes: nothing here changes the world or sends."""

from __future__ import annotations

import html
import itertools
import re
import uuid
from collections.abc import Sequence

from tests.fakes.teams.world import (
    BOT_NAME,
    CHANNEL,
    PERSONAL,
    FakeConversation,
    FakeMessage,
    FakePerson,
    Json,
    World,
)

MARK = "@countersign"  # how a test writes that the bot is mentioned
AT = re.compile(r"<at>(.*?)</at>")


def envelope(world: World, place: FakeConversation, person: FakePerson, root: str | None = None) -> Json:
    """What every activity has."""
    return {
        "timestamp": world.stamp(),
        "localTimestamp": world.stamp(),
        "localTimezone": "Europe/Berlin",
        "channelId": "msteams",
        "serviceUrl": world.service_url(place.tenant),
        "from": account(person),
        "recipient": {"id": world.bot_id, "name": BOT_NAME},
        "conversation": conversation(place, root),
        "channelData": channel_data(place),
        "locale": "en-US",
        "entities": [client()],
    }


def account(person: FakePerson) -> Json:
    return {"id": person.roster, "name": person.name, "aadObjectId": person.id}


def conversation(place: FakeConversation, root: str | None) -> Json:
    told = {"id": f"{place.id};messageid={root}" if root else place.id, "conversationType": place.kind}
    told["tenantId"] = place.tenant
    return told if place.kind == PERSONAL else {"isGroup": True, **told}


def channel_data(place: FakeConversation) -> Json:
    told: Json = {"tenant": {"id": place.tenant}}
    if place.kind == CHANNEL and place.team is not None:
        told |= {"teamsChannelId": place.id, "teamsTeamId": place.team.id}
        told |= {"channel": {"id": place.id}, "team": {"id": place.team.id}}
    return told


def client() -> Json:
    told = {"locale": "en-US", "country": "US", "platform": "Windows", "timezone": "Europe/Berlin"}
    return {"type": "clientInfo", **told}


def said(world: World, place: FakeConversation, person: FakePerson, message: FakeMessage) -> Json:
    """A message; *text* of its activity is as it goes over the wire, with `<at>` and `&nbsp;`."""
    return {
        **envelope(world, place, person, message.thread),
        "type": "message",
        "id": message.id,
        **message.activity,
        "entities": [*message.activity["entities"], client()],
    }


def typed(world: World, text: str, people: Sequence[FakePerson] = ()) -> Json:
    """What Teams makes of what somebody typed: `@countersign` and `@Name` of *people* are mentions."""
    shown, entities = html.escape(text, quote=False).replace("\n", "\r\n"), []
    named = [(MARK, world.bot_id, BOT_NAME), *((f"@{one.name}", one.roster, one.name) for one in people)]
    for marked, who, name in named:
        if marked in shown:
            shown = shown.replace(f"{marked} ", f"<at>{name}</at>&nbsp;").replace(marked, f"<at>{name}</at>")
            mentioned = {"id": who, "name": name}
            entities.append({"type": "mention", "text": f"<at>{name}</at>", "mentioned": mentioned})
    content = shown.replace("<at>", '<span itemscope="" itemtype="http://schema.skype.com/Mention" itemid="0">')
    page = f"<div><div>{content.replace('</at>', '</span>')}</div></div>"
    html_copy = {"contentType": "text/html", "content": page}
    return {"text": shown, "textFormat": "plain", "attachments": [html_copy], "entities": entities}


def clicked(world: World, place: FakeConversation, person: FakePerson, message: FakeMessage) -> Json:
    """What a click on a card of *message* has, whichever kind it is."""
    told = {**envelope(world, place, person, message.thread), "id": event_id(), "replyToId": message.id}
    told["channelData"] = {**told["channelData"], "source": {"name": "message"}, "legacy": {"replyToId": message.id}}
    return told


def invoke(told: Json, name: str, value: Json) -> Json:
    return {**told, "type": "invoke", "name": name, "value": value}


def installed(world: World, place: FakeConversation, person: FakePerson, action: str) -> Json:
    """*action*: add or remove; Teams also says add-upgrade and remove-upgrade."""
    told = {**envelope(world, place, person), "type": "installationUpdate", "id": event_id(), "action": action}
    if place.kind == CHANNEL and place.team is not None:
        told["conversation"] = {**told["conversation"], "id": place.team.id}
        told["channelData"] = {"settings": {"selectedChannel": {"id": place.id}}, **told["channelData"]}
    return told


def members_changed(place_told: Json, which: str, ids: Sequence[str], event: str) -> Json:
    """*which*: membersAdded or membersRemoved."""
    told = {**place_told, "type": "conversationUpdate", "id": event_id(), which: [{"id": one} for one in ids]}
    told.pop("action", None)
    told["channelData"] = {**told["channelData"], "eventType": event}
    return told


def given(message: FakeMessage, by: FakePerson | None, text: str, app_id: str) -> Json:
    """The message of a message action, as Graph would tell it."""
    user = {"userIdentityType": "aadUser", "id": by.id, "displayName": by.name} if by else None
    bot = None if by else {"applicationIdentityType": "bot", "id": app_id, "displayName": BOT_NAME}
    return {
        "id": message.id,
        "replyToId": message.thread if message.thread != message.id else None,
        "createdDateTime": "2026-11-20T10:00:00Z",
        "lastModifiedDateTime": None,
        "deleted": False,
        "subject": None,
        "summary": None,
        "importance": "normal",
        "locale": "en-us",
        "messageType": "message",
        "linkToMessage": f"https://teams.microsoft.com/l/message/{message.conversation}/{message.id}",
        "from": {"device": None, "conversation": None, "user": user, "application": bot},
        "body": {"contentType": "html", "content": f"<div>{_numbered(text)}</div>"},
        "reactions": [],
        "mentions": [_mentioned(number, name) for number, name in enumerate(AT.findall(text))],
        "attachments": message.activity.get("attachments", []) if by is None else [],
    }


def _numbered(text: str) -> str:
    numbers = itertools.count()
    return AT.sub(lambda found: f'<at id="{next(numbers)}">{found[1]}</at>', text)


def _mentioned(number: int, name: str) -> Json:
    app = {"applicationIdentityType": "bot", "displayName": name} if name == BOT_NAME else None
    user = None if app else {"userIdentityType": "aadUser", "displayName": name}
    return {"id": number, "mentionText": name, "mentioned": {"application": app, "user": user, "conversation": None}}


def event_id() -> str:
    return f"f:{uuid.uuid4()}"
