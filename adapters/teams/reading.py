"""Reading: what Teams sends, as the records everybody else works with.

    Inbound -> message | press (a click, a form) | given | reaction, with the delivery and account that belong to it

Pure functions without I/O. What a person would never send raises BadPayload; nothing here raises KeyError. A press
names its card as posting named it: without thread, because a click may lack one. Not owned: what a button carries
(presses), who may act (the front door).
"""

from __future__ import annotations

import hashlib
import html
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.entities import html5
from typing import Any

import msgspec

from adapters.teams.presses import VERB, Pressed, read_data
from adapters.teams.shapes import PLATFORM, BadPayload, Id, Inbound, Mention, Text, Who, read_as
from bot.domain import orders
from bot.domain.chat import Account, Click, Form, Message, MessageRef
from bot.domain.errors import BadRecord
from bot.domain.wire import Record, dumps, pack, unpack
from bot.domain.words import Meaning
from bot.domain.words import read as meaning_of

BOT = "@countersign"  # what a mention of the bot reads as, whatever the app is called in a tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A button that was pressed. *stood* is the message it stood in; None where the activity does not say which."""

    delivery: str
    by: Account
    stood: MessageRef | None
    pressed: Pressed

    @property
    def about(self) -> MessageRef | None:
        """The card that is meant, where the button stood in none of the request's: in a dialog, or in a list."""
        return read_behind(self.pressed.behind)

    @property
    def is_listed(self) -> bool:
        """Does it come from somebody's list, whether through a dialog or not?"""
        return self.pressed.behind.startswith(LISTED)

    def handed(self, ref: MessageRef, fields: Mapping[str, object] | None = None) -> Click | Form:
        """What the front door gets, for the message *ref*; *fields* instead of what was typed, if given."""
        said = self.pressed
        click = Click(
            delivery=self.delivery, by=self.by, ref=ref, subject=said.subject, move=said.move, token=said.token
        )
        if not said.is_form:
            return click
        typed = said.fields if fields is None else fields
        return Form(
            delivery=self.delivery,
            by=self.by,
            ref=ref,
            subject=said.subject,
            move=said.move,
            token=said.token,
            fields=typed,
        )


# ------------------------------------------------------------------ messages


def message(inbound: Inbound) -> Message | None:
    """What a person wrote where the bot can read it; None for bots, the bot itself, and what holds no words."""
    if inbound.type != "message" or inbound.is_from_bot:
        return None
    channel, own = inbound.place.channel, inbound.activity
    if not channel or not own:
        raise BadPayload("a message without conversation.id or id")
    thread = (inbound.place.thread or own) if inbound.is_channel or inbound.place.thread else None
    return Message(
        delivery=f"{PLATFORM}:{channel}:{own}",
        by=inbound.by,
        place=inbound.place.in_thread(thread),
        text=words(inbound),
        ref=MessageRef(place=inbound.place.in_thread(None), id=own),
        is_mention=inbound.place.is_direct or is_mentioned(inbound),
    )


def same(inbound: Inbound, told: Message) -> str:
    """What is equal for a message and the same message that comes again under another id (docs/teams.md, 5).

    The second layer of Teams' repetitions may bring another time as well, so the time of what calls the bot by name
    does not count. That of a word or a command does, and of everything in one's own chat: people say "yes" twice in a
    minute, and mean it.
    """
    is_word = meaning_of(told.text) is not Meaning.CONTEXT or orders.read(told.text) is not None
    is_task = told.is_mention and not told.place.is_direct and not is_word
    stamp = "" if is_task else inbound.stamp or inbound.activity
    return hashlib.sha256(dumps([told.place.key, told.by.user, told.text, stamp])).hexdigest()


# ------------------------------------------------------------------- presses


def press(inbound: Inbound, data: object) -> Press | None:
    """A press on a button of ours; None if *data* is not what a button of ours carries.

    Which button it is, anybody may have made up: the front door judges that by its seal.
    """
    pressed = read_data(data)
    if pressed is None:
        return None
    if not inbound.activity:
        raise BadPayload("a press without id")
    is_placed = inbound.place.channel and inbound.reply_to
    return Press(
        delivery=f"{PLATFORM}:{inbound.place.channel}:{inbound.activity}",
        by=inbound.by,
        stood=MessageRef(place=inbound.place.in_thread(None), id=inbound.reply_to) if is_placed else None,
        pressed=pressed,
    )


def executed(inbound: Inbound) -> Press | None:
    """A pressed Action.Execute; None if it is none of ours. Raises BadPayload for what no client sends."""
    action = mapping(mapping(inbound.raw.get("value")).get("action"))
    verb = action.get("verb")
    if not isinstance(verb, str):
        raise BadPayload("value.action.verb")
    found = press(inbound, action.get("data"))
    return found if found is not None and verb == f"{VERB}{found.pressed.move}" else None


def in_dialog(inbound: Inbound) -> Press | None:
    """A button that opens a dialog or sends one; None if it is none of ours."""
    return press(inbound, mapping(inbound.raw.get("value")).get("data"))


def submitted(inbound: Inbound) -> object | None:
    """The value of a message that is a pressed Action.Submit; None if it is one that somebody wrote."""
    value = inbound.raw.get("value")
    return value if inbound.type == "message" and isinstance(value, Mapping) else None


LISTED = "list "  # in front of what a button of somebody's list carries


def behind(ref: MessageRef) -> str:
    """What a dialog's button carries: the message that is meant."""
    return pack(ref).decode()


def in_list(ref: MessageRef) -> str:
    """The same for a button of somebody's list, where a press is followed by a new picture of it."""
    return LISTED + behind(ref)


def read_behind(text: str) -> MessageRef | None:
    """The inverse of both, of what anybody may have made up; None if it names no message."""
    try:
        ref = unpack(MessageRef, text.removeprefix(LISTED).encode("utf-8", "replace"))
    except BadRecord:
        return None
    place = ref.place
    named = (place.platform, place.tenant, place.channel, place.thread or "", ref.id)
    return ref if all(one.isprintable() for one in named) else None


# ------------------------------------------------------------ other invokes


class Author(Record):
    id: Id = ""


class Writer(Record):
    user: Author | None = None


class Content(Record):
    content: Text = ""
    contentType: str = "text"  # noqa: N815  # as on the wire


class Quoted(Record):
    """A message as a message action quotes it."""

    id: Id
    replyToId: Id | None = None  # noqa: N815  # as on the wire
    sender: Writer | None = msgspec.field(default=None, name="from")
    body: Content | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A message action was used on *about*, written by *author* (empty for an app's message). *command*: which one."""

    by: Account
    command: str
    about: MessageRef
    thread: str | None
    author: str
    text: str


def given(inbound: Inbound) -> Given | None:
    """A message action; None if it is about no message. What it quotes is what the client says it is."""
    value = mapping(inbound.raw.get("value"))
    if not isinstance(value.get("messagePayload"), Mapping):
        return None
    quoted, command = read_as(Quoted, value["messagePayload"]), value.get("commandId")
    author = quoted.sender.user if quoted.sender and quoted.sender.user else Author()
    named = (quoted.id, quoted.replyToId or "-", author.id or "-")
    if not isinstance(command, str) or not all(one and one.isprintable() for one in named):
        raise BadPayload("value.messagePayload")
    body = quoted.body or Content()
    thread = inbound.place.thread or quoted.replyToId or quoted.id
    return Given(
        by=inbound.by,
        command=command,
        about=MessageRef(place=inbound.place.in_thread(None), id=quoted.id),
        thread=thread if inbound.is_channel or inbound.place.thread else None,
        author=author.id,
        text=_of_html(body.content) if body.contentType == "html" else sound(body.content).strip(),
    )


def reaction(inbound: Inbound) -> str:
    """What somebody thinks of an answer: like or dislike; empty for anything else."""
    value = mapping(inbound.raw.get("value"))
    said = mapping(value.get("actionValue")).get("reaction")
    return said if value.get("actionName") == "feedback" and said in ("like", "dislike") else ""


# ---------------------------------------------------------------------- text

MENTIONS_MOST = 100
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_OURS = re.compile(r"<(/?)(at|div|p|br|span)(?:\s[^<>]*)?/?>", re.IGNORECASE)  # Teams' own; any other was typed
_ANY = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)(?:\s[^<>]*)?/?>")
_LINES = ("br", "/p", "/div", "/li", "/tr")  # what ends a line


def words(inbound: Inbound, *, by_id: bool = False) -> str:
    """What somebody wrote, as they saw it: the bot's mention as `@countersign`, anybody else's as `@Name`.

    A mention and nothing else says nothing. With *by_id*, others are `@<object id>|Name` where Teams says the id.
    """
    read = ""
    for piece in _pieces(inbound):
        if isinstance(piece, Mention):
            read += _spelled(piece, inbound.bot, by_id=by_id)
        else:
            gap = " " if read.endswith(BOT) and piece[:1].isalnum() else ""
            read += gap + _plain(piece, _OURS)
    read = sound(read).strip()
    return "" if read == BOT else read


def _pieces(inbound: Inbound) -> list[str | Mention]:
    """The text cut at its mentions: each stands once, at the first place that bears its words. So there are few pieces,
    however often somebody repeats those words."""
    left: dict[str, list[Mention]] = {}
    for one in itertools.islice(mentions(inbound), MENTIONS_MOST):
        if one.text:
            left.setdefault(one.text, []).append(one)
    marks = "|".join(map(re.escape, sorted(left, key=len, reverse=True)))
    pieces: list[str | Mention] = []
    plain: list[str] = []
    for piece in re.split(f"({marks})", inbound.parts.text or "") if marks else [inbound.parts.text or ""]:
        if waiting := left.get(piece):
            pieces += ["".join(plain), waiting.pop(0)]
            plain.clear()
        else:
            plain.append(piece)
    return [piece for piece in (*pieces, "".join(plain)) if piece]


def mentions(inbound: Inbound) -> Iterator[Mention]:
    for entity in inbound.parts.entities or ():
        if isinstance(entity, Mapping) and entity.get("type") == "mention":
            try:
                yield read_as(Mention, entity)
            except BadPayload:
                continue  # somebody else's idea of a mention


def is_mentioned(inbound: Inbound) -> bool:
    return any(one.mentioned is not None and one.mentioned.id == inbound.bot for one in mentions(inbound))


def sound(text: str) -> str:
    """*text* as something that can be written down: half a character, which no person types, becomes a `?`."""
    return text.encode("utf-8", "replace").decode()


def mapping(value: object) -> Mapping[str, Any]:
    """*value*, or an empty one where it should be an object and is not."""
    return value if isinstance(value, Mapping) else {}


def _spelled(mention: Mention, bot: str, *, by_id: bool) -> str:
    who = mention.mentioned or Who()
    if who.id == bot:
        return BOT
    name = _plain(mention.text or "", _OURS).strip() or who.name or who.id
    return f"@{who.aadObjectId}|{name}" if by_id and who.aadObjectId else f"@{name}"


def _of_html(content: str) -> str:
    """The words of real HTML, in which whatever was typed is escaped."""
    return sound("\n".join(" ".join(line.split()) for line in _plain(content, _ANY).splitlines())).strip()


def _plain(text: str, tags: re.Pattern[str]) -> str:
    """*text* without *tags*, line ends for those that end one, and characters for entities."""
    bare = tags.sub(lambda tag: "\n" if (tag[1] + tag[2]).lower() in _LINES else "", text)
    read = _ENTITY.sub(_character, bare)
    return read.replace("\xa0", " ").replace("\r\n", "\n").replace("\r", "\n")


def _character(found: re.Match[str]) -> str:
    """What an entity stands for; `html.unescape` alone would read the `&not` in `&notice;`."""
    return html.unescape(found[0]) if found[0][1] == "#" else html5.get(found[0][1:], found[0])
