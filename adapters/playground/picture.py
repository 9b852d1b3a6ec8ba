"""Pictures: records as the plain JSON the page draws from.

Every text travels as text; the page puts it on screen with `textContent` alone. Attachments travel as links.
"""

from __future__ import annotations

import msgspec

from adapters.pictures import picture_kind
from adapters.playground.book import Entry
from adapters.playground.rooms import Rooms
from bot.domain import button_effects, later
from bot.domain.chat import Attachment, Button, Card, FieldKind, MessageRef, Person, PersonId
from bot.domain.grant import Grant, left_text, text
from bot.domain.pages import AuditRow, RunView, Waiting
from bot.domain.wire import Json


def draw_person(user: str, person: Person) -> Json:
    role = "guest" if person.is_guest else ", ".join(sorted(person.groups))
    return {"user": user, "id": person.id, "name": person.name, "role": role}


def draw_entry(entry: Entry, rooms: Rooms, viewer: str) -> Json:
    """One message. A deleted one is only its id, so that an open page can take it away."""
    if entry.is_deleted:
        return {"id": entry.id, "changed": entry.changed, "channel": entry.channel, "is_deleted": True}
    return {
        "id": entry.id,
        "born": entry.born,
        "changed": entry.changed,
        "channel": entry.channel,
        "thread": entry.thread,
        "author": entry.author,
        "at": entry.at.isoformat(),
        "text": entry.text,
        "is_whisper": entry.is_whisper,
        "is_held": entry.is_held,
        "is_deleted": False,
        "ref": draw_ref(MessageRef(place=rooms.place(entry.channel, entry.thread), id=entry.id)),
        "card": draw_card(entry.card, rooms, f"/api/files/{entry.id}", viewer) if entry.card else None,
    }


def draw_waiting(waiting: Waiting, rooms: Rooms, viewer: str) -> Json:
    return {
        "request": waiting.request,
        "run": waiting.run,
        "opened": waiting.opened.isoformat(),
        "channel": waiting.place.channel.removeprefix("#"),
        "thread": waiting.place.thread,
        "ref": draw_ref(waiting.ref) if waiting.ref else None,
        "put_off": waiting.put_off.isoformat() if waiting.put_off else None,
        "choices": [{"when": key, "label": label} for key, (label, _) in later.CHOICES.items()],
        "card": draw_card(waiting.card, rooms, f"/api/inbox/{waiting.request}/files", viewer),
    }


def draw_card(card: Card, rooms: Rooms, files: str, viewer: str) -> Json:
    """*files* is the address under which the card's attachments are served by number."""
    return {
        "title": card.title,
        "body": card.body,
        "tone": card.tone.value,
        "facts": [{"label": fact.label, "value": fact.value} for fact in card.facts],
        "blocks": [{"label": block.label, "text": block.text, "is_code": block.is_code} for block in card.blocks],
        "files": [_file(file, f"{files}/{number}?as={viewer}") for number, file in enumerate(card.attachments)],
        "status": card.status,
        "buttons": [_button(button, rooms) for button in card.buttons],
        "effects": button_effects.told(card.buttons),
        "footer": card.footer,
        "mentions": [_name(person, rooms) for person in card.mentions],
        "author": card.author,
        "run": card.run,
    }


def draw_ref(ref: MessageRef) -> Json:
    place = ref.place
    return {
        "id": ref.id,
        "place": {
            "platform": place.platform,
            "tenant": place.tenant,
            "channel": place.channel,
            "thread": place.thread,
            "is_direct": place.is_direct,
        },
    }


def draw_run(view: RunView, rooms: Rooms) -> Json:
    return {
        "run": view.run,
        "status": view.status,
        "task": view.task,
        "requester": _name(view.requester, rooms),
        "channel": view.place.channel,
        "thread": view.place.thread,
        "began": view.began.isoformat(),
        "moments": [
            {
                "at": moment.at.isoformat(),
                "event": moment.event,
                "text": moment.text,
                "person": _name(moment.person, rooms) if moment.person else None,
                "user": rooms.user_of(moment.person) or moment.person if moment.person else None,
            }
            for moment in view.moments
        ],
    }


def draw_grant(grant: Grant, rooms: Rooms) -> Json:
    names = {grant.requester: _name(grant.requester, rooms)}
    return {"grant": grant.id, "text": text(grant, names), "left": left_text(grant)}


def draw_row(row: AuditRow) -> Json:
    return {
        "shard": row.shard,
        "seq": row.seq,
        "at": row.at.isoformat(),
        "event": row.event,
        "subject": row.subject,
        "body": row.body,
        "link": row.link,
    }


def _file(file: Attachment, url: str) -> Json:
    is_picture = picture_kind(file.content) is not None
    return {
        "name": file.name,
        "size": len(file.content),
        "sha256": file.sha256,
        "url": url,
        "is_picture": is_picture,
    }


def _button(button: Button, rooms: Rooms) -> Json:
    people: Json = [{"id": person.id, "name": person.name} for person in rooms.people.values()]
    fields: Json = [
        {
            "name": field.name,
            "label": field.label,
            "kind": field.kind.value,
            "value": field.value,
            "is_required": field.is_required,
            "options": list(field.options),
            "hint": field.hint,
            "people": people if field.kind is FieldKind.PERSON else [],
        }
        for field in button.fields
    ]
    drawn: dict[str, Json] = dict(msgspec.structs.asdict(button))
    return drawn | {"fields": fields}


def _name(id: PersonId, rooms: Rooms) -> str:
    user = rooms.user_of(id)
    return rooms.people[user].name if user else id
