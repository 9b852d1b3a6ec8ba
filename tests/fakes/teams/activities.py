"""What the Connector takes for an activity. Everything else is refused with 400, and it is the bot's fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes.teams import cards
from tests.fakes.teams.world import CARD, FakeConversation, Json, Refusal, World

KNOWN = {
    *("type", "id", "timestamp", "localTimestamp", "localTimezone", "serviceUrl", "channelId", "from", "conversation"),
    *("recipient", "text", "textFormat", "attachmentLayout", "attachments", "entities", "channelData", "replyToId"),
    *("summary", "importance", "inputHint", "locale", "deliveryMode"),
}
CHANNEL_DATA = {"feedbackLoop", "tenant", "team", "channel", "notification"}
FORMATS = ("plain", "markdown", "xml")
AI = "https://schema.org/Message"
MOST_CITATIONS = 20


def check(world: World, place: FakeConversation, activity: Any, *, most: int) -> Json:
    """The activity, if Teams would show it. *most*: bytes as UTF-16."""
    if not isinstance(activity, dict):
        raise _bad("an activity is an object")
    if cards.size(activity) > most:
        raise Refusal(413, "MessageSizeTooBig", f"{cards.size(activity)} bytes, more than {most}", is_fault=True)
    for problem in filter(None, _problems(world, place, activity)):
        raise _bad(problem)
    return dict(activity)


def _problems(world: World, place: FakeConversation, activity: Json) -> Iterator[str]:
    if unknown := activity.keys() - KNOWN:
        yield f"an activity has no {sorted(unknown)}"
    if activity.get("type") not in {"message", "typing"}:
        yield f"a bot cannot send {activity.get('type')!r}"
    sender = activity.get("from")
    if sender is not None and (not isinstance(sender, dict) or sender.get("id") != world.bot_id):
        yield f"from is {sender!r}, not the bot"
    where = activity.get("conversation")
    if where is not None and str(where.get("id", place.id)).partition(";")[0] != place.id:
        yield f"conversation is {where!r}, not the one that is written to"
    if activity.get("type") == "message":
        yield from _message(world, place, activity)
    elif said := activity.keys() & {"text", "entities", "attachments"}:
        yield f"typing says nothing, but this has {sorted(said)}"


def _message(world: World, place: FakeConversation, activity: Json) -> Iterator[str]:
    text, attached = activity.get("text"), activity.get("attachments") or []
    if text is not None and not isinstance(text, str):
        yield f"text is {text!r}"
    if not text and not attached:
        yield "the message is empty"
    if text and attached:
        yield "text beside a card becomes a second message, of which nobody knows the id"
    if activity.get("textFormat", "markdown") not in FORMATS:
        yield f"textFormat is {activity['textFormat']!r}"
    if not isinstance(activity.get("summary", ""), str):
        yield f"summary is {activity['summary']!r}"
    yield from _attachments(world, place, attached)
    yield from _entities(world, place, activity)
    yield from _channel_data(activity.get("channelData"))


def _attachments(world: World, place: FakeConversation, attached: Any) -> Iterator[str]:
    if not isinstance(attached, list) or len(attached) > 1:
        yield "attachments is a list of one card"
        return
    for each in attached:
        if not isinstance(each, dict) or each.get("contentType") != CARD:
            yield f"an attachment of type {each.get('contentType') if isinstance(each, dict) else each!r}"
        else:
            yield from cards.faults(each.get("content"))
            yield from (_whom(world, place, one) for one in cards.mention_entities(each["content"]))


def _entities(world: World, place: FakeConversation, activity: Json) -> Iterator[str]:
    rows = activity.get("entities") or []
    if not isinstance(rows, list) or not all(isinstance(each, dict) for each in rows):
        yield "entities is a list of objects"
        return
    for each in rows:
        match each.get("type"):
            case "mention":
                yield from _mention(world, place, each, str(activity.get("text") or ""))
            case "https://schema.org/Message":
                yield from _ai(each)
            case other:
                yield f"an entity of type {other!r}"
    if sum(each.get("type") == AI for each in rows) > 1:
        yield "two entities say that it was written by AI"


def _mention(world: World, place: FakeConversation, entity: Json, text: str) -> Iterator[str]:
    marked = entity.get("text")
    if not isinstance(marked, str) or not marked.startswith("<at>") or not marked.endswith("</at>"):
        yield f"a mention's text is {marked!r}"
    elif marked not in text:
        yield f"the mention {marked!r} does not stand in the text"
    yield _whom(world, place, entity)


def _whom(world: World, place: FakeConversation, entity: Json) -> str:
    """Whoever is mentioned is there, under an id that Teams can resolve."""
    who = entity.get("mentioned")
    if not isinstance(who, dict) or not isinstance(who.get("name"), str):
        return f"a mention of {who!r}"
    person = world.person(str(who.get("id", "")))
    if person is None or (person.id not in place.members):
        return f"a mention of {who.get('id')!r}, who is not in this conversation"
    return ""


def _ai(entity: Json) -> Iterator[str]:
    wanted = {"@type": "Message", "@context": "https://schema.org", "additionalType": ["AIGeneratedContent"]}
    for name, value in wanted.items():
        if entity.get(name) != value:
            yield f"{name} of the AI label is {entity.get(name)!r}, not {value!r}"
    if len(entity.get("citation") or []) > MOST_CITATIONS:
        yield f"more than {MOST_CITATIONS} citations"


def _channel_data(told: Any) -> Iterator[str]:
    if told is None:
        return
    if not isinstance(told, Mapping) or (told.keys() - CHANNEL_DATA):
        yield f"channelData is {told!r}"
    elif "feedbackLoop" in told and told["feedbackLoop"] not in ({"type": "default"}, {"type": "custom"}):
        yield f"feedbackLoop is {told['feedbackLoop']!r}"


def _bad(problem: str) -> Refusal:
    return Refusal(400, "BadArgument", problem, is_fault=True)
