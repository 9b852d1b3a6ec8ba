"""The Bot Connector's routes: posting, editing, opening chats, and who is where. What is wrong raises `Refusal`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.teams import activities, cards
from tests.fakes.teams.world import (
    CHANNEL,
    GROUP,
    FakeConversation,
    FakeMessage,
    FakePerson,
    FakeTeam,
    Json,
    Refusal,
    World,
    wire_id,
)

PARAMETERS = {"isGroup", "bot", "members", "topicName", "activity", "channelData", "tenantId"}
PAGE_LEAST, PAGE_MOST = 50, 500  # people on a page of the roster


@dataclass(frozen=True)
class Call:
    """One call. *region*: the service URL's own path; *ids*: what stands in the path, decoded."""

    world: World
    region: str
    ids: tuple[str, ...]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    most: int = cards.SIZE_MOST

    def place(self, *, for_writing: bool = True) -> tuple[FakeConversation, str | None]:
        """The conversation that is meant, where the bot is; and the root of the thread."""
        place, root = self.world.place_of(self.ids[0])
        if place is None or self.world.regions[place.tenant] != self.region:
            raise Refusal(404, "ConversationNotFound", "Conversation not found.")
        if root is not None and (place.kind != CHANNEL or root not in place.messages):
            raise Refusal(404, "ConversationNotFound", "Conversation not found: no such thread.")
        if not place.has_app:
            raise Refusal(403, "BotNotInConversationRoster", "The bot is not part of the conversation roster.")
        if for_writing and place.kind not in (CHANNEL, GROUP):
            person = self.world.people[next(iter(place.people))]
            _can_be_written_to(person)
        return place, root


Answer = tuple[int, Json]


# ------------------------------------------------------------------- messages


def post(call: Call) -> Answer:
    place, root = call.place()
    if len(call.ids) > 1:
        root = _answered(place, call.ids[1], root)
    activity = activities.check(call.world, place, call.body, most=call.most)
    if activity["type"] == "typing":
        place.typed.append(call.world.now())
        call.world.tick()
        return 202, {"id": call.world.message_id(place.kind, by_bot=True)}
    return 201, {"id": _put(call.world, place, root, activity).id}


def put(call: Call) -> Answer:
    place, _root = call.place()
    message = _own(call, place)
    activity = activities.check(call.world, place, call.body, most=call.most)
    if activity["type"] != "message":
        raise Refusal(400, "BadArgument", "only a message can stand where one stood", is_fault=True)
    message.versions.append(message.activity)
    message.activity = activity
    message.alone.clear()
    call.world.tick()
    return 200, {"id": message.id}


def delete(call: Call) -> Answer:
    place, _root = call.place()
    _own(call, place).is_deleted = True
    call.world.tick()
    return 200, {}


def create(call: Call) -> Answer:
    """A direct chat with one person, or a new thread in a channel. Nothing else can be made by a bot."""
    told = call.body
    if not isinstance(told, dict) or told.keys() - PARAMETERS:
        raise _bad(f"conversation parameters are {sorted(told) if isinstance(told, dict) else told!r}")
    if not isinstance(told.get("bot"), dict) or told["bot"].get("id") != call.world.bot_id:
        raise _bad(f"bot is {told.get('bot')!r}")
    channel = (told.get("channelData") or {}).get("channel")
    if told.get("isGroup"):
        return _thread(call, channel)
    return _direct(call)


def _thread(call: Call, channel: Any) -> Answer:
    if not isinstance(channel, dict) or not channel.get("id"):
        raise Refusal(403, "ForbiddenOperationException", "A bot cannot make group chats or channels.", is_fault=True)
    inside = Call(call.world, call.region, (str(channel["id"]),), most=call.most)
    place, root = inside.place()
    if place.kind != CHANNEL or root is not None:
        raise _bad(f"{channel['id']!r} is no channel")
    if call.body.get("tenantId", place.tenant) != place.tenant:
        raise _bad("tenantId is not the channel's")
    activity = activities.check(call.world, place, call.body.get("activity"), most=call.most)
    message = _put(call.world, place, None, activity)
    return 201, {"id": wire_id(message), "activityId": message.id}


def _direct(call: Call) -> Answer:
    told, rows = call.body, call.body.get("members")
    if not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], dict):
        raise _bad("a direct chat has one member besides the bot")
    asked = str(rows[0].get("id", ""))
    tenant = told.get("tenantId") or ((told.get("channelData") or {}).get("tenant") or {}).get("id")
    if tenant is None:
        raise _bad("neither tenantId nor channelData.tenant.id says whose person that is")
    if "@" in asked:
        raise _bad(f"a person is no address: {asked!r}")
    person = call.world.person(asked)
    if person is None or person.tenant != tenant or call.world.regions[person.tenant] != call.region:
        raise Refusal(403, "ForbiddenOperationException", "The bot cannot reach this person.")
    place = call.world.personal(person)
    if not place.has_app or person.is_deleted:
        raise Refusal(403, "BotNotInConversationRoster", "The app is not installed for this person.")
    answer = {"id": place.id}
    if told.get("activity"):
        activity = activities.check(call.world, place, told["activity"], most=call.most)
        answer["activityId"] = _put(call.world, place, None, activity).id
    return 201, answer


def _put(world: World, place: FakeConversation, root: str | None, activity: Json) -> FakeMessage:
    new = world.message_id(place.kind, by_bot=True)
    thread = (root or new) if place.kind == CHANNEL else None
    return world.put(FakeMessage(new, place.id, world.bot_id, activity, thread))


def _answered(place: FakeConversation, id: str, root: str | None) -> str | None:
    """The thread that an answer to *id* goes to."""
    if id not in place.messages:
        raise Refusal(404, "ActivityNotFoundInConversation", "There is no such activity.", is_fault=True)
    return root or place.messages[id].thread


def _own(call: Call, place: FakeConversation) -> FakeMessage:
    message = place.messages.get(call.ids[1])
    if message is None:
        raise Refusal(404, "ActivityNotFoundInConversation", "There is no such activity.")
    if message.by != call.world.bot_id:
        raise Refusal(403, "ForbiddenOperationException", "A bot changes its own messages only.", is_fault=True)
    if message.is_deleted:
        raise Refusal(403, "ServiceError", "Unknown")  # BotFramework-Services#269
    return message


def _can_be_written_to(person: FakePerson) -> None:
    if person.has_blocked:
        raise Refusal(403, "ConversationBlockedByUser", "User blocked the conversation with the bot.")
    if person.is_deleted:
        raise Refusal(403, "ForbiddenOperationException", "The person is no longer there.")


# ------------------------------------------------------------------ who is where


def member(call: Call) -> Answer:
    place, _root = call.place(for_writing=False)
    person = call.world.person(call.ids[1])
    if person is None or person.id not in place.members or person.is_deleted:
        raise Refusal(404, "MemberNotFoundInConversation", "Member not found.")
    return 200, _listed(person)


def members(call: Call) -> Answer:
    place, _root = call.place(for_writing=False)
    asked = call.query.get("pageSize", str(PAGE_MOST))
    if not asked.isdecimal() or not PAGE_LEAST <= int(asked) <= PAGE_MOST:
        raise _bad(f"pageSize is {asked!r}, not {PAGE_LEAST} to {PAGE_MOST}")
    there = sorted(one for one in place.members if not call.world.people[one].is_deleted)
    start, size = _start(call.query.get("continuationToken", "")), int(asked)
    page: Json = {"members": [_listed(call.world.people[one]) for one in there[start : start + size]]}
    if start + size < len(there):
        page["continuationToken"] = base64.b64encode(f"{start + size}|+/=".encode()).decode()
    return 200, page


def team(call: Call) -> Answer:
    found = _team(call)
    count = len(call.world.channels_of(found))
    told = {"id": found.id, "name": found.name, "aadGroupId": found.group, "tenantId": found.tenant}
    return 200, {**told, "channelCount": count, "memberCount": len(found.members)}


def channels(call: Call) -> Answer:
    """The first channel is the team's own and has no name: every client translates it."""
    found = call.world.channels_of(_team(call))
    named = [{"id": one.id, "name": one.name, "type": "standard"} for one in found[1:]]
    return 200, {"conversations": [{"id": found[0].id, "name": None, "type": "standard"}, *named]}


def _team(call: Call) -> FakeTeam:
    found = call.world.teams.get(call.ids[0])
    if found is None or call.world.regions[found.tenant] != call.region:
        raise Refusal(404, "TeamNotFound", "Team not found.")
    if not found.has_app:
        raise Refusal(403, "BotNotInConversationRoster", "The bot is not part of the team.")
    return found


def _listed(person: FakePerson) -> Json:
    told = {"id": person.roster, "name": person.name, "aadObjectId": person.id, "objectId": person.id}
    told |= {"tenantId": person.tenant, "userPrincipalName": person.upn, "email": person.upn}
    return {**told, "userRole": "guest" if person.is_guest else "user"}


def _start(token: str) -> int:
    try:
        return int(base64.b64decode(token, validate=True).partition(b"|")[0]) if token else 0
    except (binascii.Error, ValueError):
        raise _bad(f"continuationToken is {token!r}") from None


def _bad(problem: str) -> Refusal:
    return Refusal(400, "BadArgument", problem, is_fault=True)


@dataclass(frozen=True)
class Route:
    """*path*: after the service URL; `*` is an id."""

    name: str
    method: str
    path: tuple[str, ...]
    do: Callable[[Call], Answer]

    @property
    def is_read(self) -> bool:
        return self.method == "GET"


_THERE = ("v3", "conversations", "*")
ROUTES = (
    Route("create", "POST", ("v3", "conversations"), create),
    Route("post", "POST", (*_THERE, "activities"), post),
    Route("post", "POST", (*_THERE, "activities", "*"), post),
    Route("put", "PUT", (*_THERE, "activities", "*"), put),
    Route("delete", "DELETE", (*_THERE, "activities", "*"), delete),
    Route("member", "GET", (*_THERE, "members", "*"), member),
    Route("members", "GET", (*_THERE, "pagedmembers"), members),
    Route("team", "GET", ("v3", "teams", "*"), team),
    Route("channels", "GET", ("v3", "teams", "*", "conversations"), channels),
)
