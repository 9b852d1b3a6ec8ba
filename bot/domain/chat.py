"""What comes in from people and what goes out to them, on any platform.

In:  `Message` (somebody wrote), `Click` (pressed a button), `Form` (filled a button's fields).
Out: `Card`, a platform-neutral picture; `MessageRef`, where it ended up.

Every string on a card is plain text. An adapter must show it literally: no mentions, links or markup.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NewType

from bot.domain.hours import UNSAID, Hours
from bot.domain.wire import Record, replace

PersonId = NewType("PersonId", str)


class Account(Record):
    """One login on one platform. Rights never belong to it, only to the person behind it."""

    platform: str
    tenant: str
    user: str


class Person(Record):
    """One human, whatever accounts they have."""

    id: PersonId
    name: str
    accounts: tuple[Account, ...] = ()
    groups: frozenset[str] = frozenset()
    manager: PersonId | None = None
    email: str | None = None
    is_active: bool = True
    is_guest: bool = False
    is_bot: bool = False
    zone: str = UNSAID  # IANA name: what their days and hours are told in
    hours: Hours | None = None  # when they may be called; None: always


class Place(Record):
    """Where something is posted. `thread` is the id of the thread's first message, if it is a thread."""

    platform: str
    tenant: str
    channel: str
    thread: str | None = None
    is_direct: bool = False

    @property
    def key(self) -> str:
        """The conversation this place names, as one string: the same for every message of a thread."""
        return f"{self.platform}/{self.tenant}/{self.channel}/{self.thread or ''}"

    def in_thread(self, thread: str | None) -> Place:
        return replace(self, thread=thread)

    def is_foreign_to(self, account: Account) -> bool:
        """Is this of another tenant than *account*, on the same platform? What happens here is none of theirs (T15)."""
        return self.platform == account.platform and self.tenant != account.tenant


class MessageRef(Record):
    """One posted message: enough to find, update and recognise it again."""

    place: Place
    id: str


# --------------------------------------------------------------------- in


class Message(Record):
    """Somebody wrote something. `delivery` is the same for every redelivery of the same post.

    `place.thread` names the thread it belongs to; a message that opens a thread names itself there. *is_stop*: nobody
    wrote it, it is the platform's own Stop, and means that whatever its text could mean in that thread besides.
    """

    delivery: str
    by: Account
    place: Place
    text: str
    ref: MessageRef
    is_mention: bool = False
    is_stop: bool = False


class Click(Record):
    """Somebody pressed a button of a card.

    `subject` is the request (or, for Stop, the run) the button is about, `token` the button's seal,
    `ref` the message it stood in.
    """

    delivery: str
    by: Account
    ref: MessageRef
    subject: str
    move: str
    token: str


class Form(Record):
    """Somebody filled in the fields behind a button and sent them. Values are as typed: not yet checked."""

    delivery: str
    by: Account
    ref: MessageRef
    subject: str
    move: str
    token: str
    fields: Mapping[str, object]


class Answer(Record):
    """What the person who acted is told, privately. `problems` belong beside the fields of their form.

    `details` is more than a line: shown to that person alone, whole, and with no button.
    """

    is_taken: bool
    text: str
    problems: Mapping[str, str] | None = None
    details: Card | None = None


# -------------------------------------------------------------------- out


class Tone(enum.StrEnum):
    """How a card feels at a glance."""

    QUIET = "quiet"
    WAITING = "waiting"
    DANGER = "danger"
    GOOD = "good"
    BAD = "bad"


class FieldKind(enum.StrEnum):
    TEXT = "text"
    LONG_TEXT = "long_text"
    NUMBER = "number"
    YES_NO = "yes_no"
    CHOICE = "choice"
    DATE = "date"  # as 2026-03-31
    MULTI = "multi"  # several of `options`, one a line
    PERSON = "person"  # somebody's `PersonId`


class Field(Record):
    """One input of a form. `value` is what it starts with, as text."""

    name: str
    label: str
    kind: FieldKind = FieldKind.TEXT
    value: str = ""
    is_required: bool = True
    options: tuple[str, ...] = ()
    hint: str = ""
    may_start_empty: bool = False  # where a platform's field cannot hold `value`: people then write the whole of it
    is_exact: bool = False  # spaces around it mean something, as before a line of code


class Button(Record):
    """A press sends `Click`; with `fields`, it first opens a form and sends `Form`.

    `confirm` is a question to ask before sending; `style` is primary, danger or plain; `effect` says in a few words
    what follows from a press. Every card shows it (`button_effects.told`).
    """

    subject: str
    move: str
    label: str
    token: str
    style: str = "plain"
    fields: tuple[Field, ...] = ()
    confirm: str | None = None
    effect: str = ""


class Fact(Record):
    label: str
    value: str


class Block(Record):
    """A longer text. `is_code` shows it monospaced; `label` says whose words they are."""

    label: str
    text: str
    is_code: bool = False


class Attachment(Record):
    """A text that does not fit the card, or a picture, whole. Stands in the same message or right under it."""

    name: str
    content: bytes
    sha256: str
    is_aside: bool = False  # nobody signs it: where there is no room for it, the card says so and stays as it is


class Card(Record):
    """A picture for people. Order on screen: title, body, facts, blocks, attachments, status, buttons, footer.

    `body` are the bot's or agent's own words. `mentions` are the people to notify: the only mentions there are.
    """

    title: str = ""
    body: str = ""
    tone: Tone = Tone.QUIET
    facts: tuple[Fact, ...] = ()
    blocks: tuple[Block, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    status: str = ""
    buttons: tuple[Button, ...] = ()
    footer: str = ""
    mentions: tuple[PersonId, ...] = ()
    author: str = ""
    run: str = ""  # the run it belongs to: a page may link its timeline
