"""Cards as Slack blocks: everything literal, everything whole.

    Card -> drawn -> would Slack refuse it? its longest text moves whole to a file -> drawn again -> ... -> Drawn

No text of a card is ever markup: it stands in `plain_text` without emoji, or in rich text, whose text elements Slack
does not parse. The one piece of mrkdwn is our own line of mentions, made of checked user ids. A text that moved to a
file leaves its name, length and sha256 on the card. Order on screen: mentions, title, body, facts, blocks,
attachments, status and what each button does, buttons, footer.

Not here: the limits (`limits`), forms behind buttons (`fields`), uploading and posting (mouth).
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from adapters.lengths import clipped, cut, size, sound, sounded
from adapters.noticed import notice
from adapters.slack.limits import LIST_TEXT, ONE_TEXT, faults
from adapters.slack.literal import Raw, chunks, code, contexts, fallback, numbered, plain, section, sections
from adapters.slack.reading import BUTTON, FORM_BUTTON
from bot.domain import button_effects
from bot.domain.chat import Attachment, Block, Button, Card, Fact, PersonId
from bot.domain.errors import Undeliverable
from bot.domain.wire import replace

T = TypeVar("T")

HEADER = 150  # characters of a header block
LABEL = 75  # characters of a button's label
CONFIRM_LABEL = 30  # characters of a confirming button's label
ROW = 5  # buttons in one row; more wrap badly on a phone
BUTTONS_MOST = 100
MENTIONS_MOST = 40  # users; more would not fit one text, and the core never mentions so many
BEGINNING = 600  # characters of a long body that stand above its file's name
MOVABLE_LEAST = 200  # characters; a shorter text gains nothing from moving
BODY_LEAST = 1_000  # characters; the same for a body, which leaves its beginning behind
WHISPERS = (9_500, 1_900)  # characters: what fits if they travel as they are, and if each is the five of `&amp;`

_VALUE = re.compile(r"[^\s]+ [^\s]+")
_MOVE = re.compile(r"[a-z][a-z_]{0,40}")
_USER = re.compile(r"[UW][A-Za-z0-9_]{0,60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One message. `files` are to be uploaded before it; a file that cannot be makes the card undeliverable."""

    text: str
    blocks: tuple[Raw, ...]
    files: tuple[Attachment, ...] = ()


def draw(card: Card, *, user_of: Mapping[PersonId, str]) -> Drawn:
    """*card* as a message that has no faults. *user_of* are the Slack user ids of its mentions; others are not named.

    Every text of the card stands whole in a block or in a file. The same card is always drawn the same, ids included;
    any other has other ids. Raises Undeliverable for buttons that Slack cannot carry.
    """
    _check(card.buttons)
    whole = sounded(card)
    line = _mentions(card.mentions, user_of)
    for listed, smaller in _smaller(whole):
        blocks = numbered([*line, *_blocks(smaller, listed)])
        if not faults(blocks):
            return Drawn(text=fallback(notice(whole)), blocks=blocks, files=smaller.attachments)
    raise Undeliverable("Slack", "the card does not fit a message, even with its texts in files")


def whisper_blocks(text: str) -> tuple[Raw, ...]:
    """A private line as literal text; what is too long for one message says how long it was."""
    roomy, least = (_whispered(sound(text), most) for most in WHISPERS)
    return least if faults(roomy) else roomy


def _whispered(said: str, most: int) -> tuple[Raw, ...]:
    shown = said if size(said) <= most else f"{cut(said, most)}… ({len(said):,} characters in all)"
    return numbered([section(chunk) for chunk in chunks(shown) if chunk.strip()] or [section("(no words)")])


# ---------------------------------------------------------------- buttons


def button_value(subject: str, token: str) -> str:
    """What a button carries: `<subject> <token>`. Raises Undeliverable if that could not be read back."""
    value = f"{subject} {token}"
    if not _VALUE.fullmatch(value) or size(value) > LIST_TEXT:
        raise Undeliverable("Slack", "a button's subject and token do not make two words of at most 2,000 characters")
    return value


def read_value(value: object) -> tuple[str, str] | None:
    """The subject and token in a pressed button's value, which anybody may have made up; None if it is not ours."""
    if not isinstance(value, str) or len(value) > LIST_TEXT or not _VALUE.fullmatch(value):
        return None
    subject, _, token = value.partition(" ")
    return subject, token


def read_action(action_id: object) -> tuple[str, bool] | None:
    """The move in an `action_id` of ours, and whether its button opens a form first; None if it is not ours."""
    if not isinstance(action_id, str):
        return None
    prefix, dot, rest = action_id.partition(".")
    move, _, nth = rest.partition(".")
    if prefix + dot not in (BUTTON, FORM_BUTTON) or not _MOVE.fullmatch(move) or (nth and not nth.isdigit()):
        return None
    return move, prefix + dot == FORM_BUTTON


class Hands:
    """Draws the buttons of one message or view: no two of them share an `action_id`."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()

    def rows(self, buttons: Sequence[Button], value_of: Callable[[Button], str], most: int = ROW) -> Iterator[Raw]:
        for row in _by(most if len(buttons) <= 5 * ROW else 25, buttons):
            yield {"type": "actions", "elements": [self.one(button, value_of(button)) for button in row]}

    def one(self, button: Button, value: str) -> Raw:
        drawn: Raw = {
            "type": "button",
            "text": plain(button.label if button.label.strip() else "(no label)"),
            "action_id": self._action(button),
            "value": value,
        }
        if button.style in ("primary", "danger"):
            drawn["style"] = button.style
        return drawn | ({"confirm": _confirm(button)} if button.confirm and button.confirm.strip() else {})

    def menu(self, buttons: Sequence[Button], value_of: Callable[[Button], str]) -> Raw:
        """Buttons of one move as the lines of a menu behind three dots; the value says which of them was chosen."""
        options = [{"text": plain(button.label), "value": value_of(button)} for button in buttons]
        return {"type": "overflow", "action_id": self._action(buttons[0]), "options": options}

    def _action(self, button: Button) -> str:
        """`cs.stop`, and `cs.stop.2` for a second one; `csf.` where a form comes first."""
        self._count[button.move] += 1
        nth = self._count[button.move]
        return f"{FORM_BUTTON if button.fields else BUTTON}{button.move}" + (f".{nth}" if nth > 1 else "")


def _confirm(button: Button) -> Raw:
    drawn: Raw = {
        "title": plain("Please confirm"),
        "text": plain(button.confirm or ""),
        "confirm": plain(clipped(button.label, CONFIRM_LABEL) if button.label.strip() else "Yes"),
        "deny": plain("Cancel"),
    }
    return drawn | ({"style": button.style} if button.style in ("primary", "danger") else {})


def _check(buttons: Sequence[Button]) -> None:
    if len(buttons) > BUTTONS_MOST:
        raise Undeliverable("Slack", f"the card has {len(buttons)} buttons; a message takes {BUTTONS_MOST}")
    for button in buttons:
        button_value(button.subject, button.token)
        if not _MOVE.fullmatch(button.move):
            raise Undeliverable("Slack", "a button's move is not one word of small letters")


# ---------------------------------------------------------------- drawing


def _blocks(card: Card, listed: Sequence[Attachment]) -> Iterator[Raw]:
    """*card* from top to bottom; *listed* are the attachments that no other text of it names."""
    if card.title.strip():
        is_header = size(card.title) <= HEADER and "\n" not in card.title
        yield from [{"type": "header", "text": plain(card.title)}] if is_header else sections(card.title)
    yield from sections(card.body)
    yield from _facts(card.facts)
    for block in card.blocks:
        yield from _block(block)
    yield from sections("\n".join(_attached(file) for file in listed))
    yield from contexts("\n".join(filter(None, (card.status, button_effects.told(card.buttons)))))
    yield from Hands().rows(card.buttons, lambda button: button_value(button.subject, button.token))
    yield from _footer(card)


def _facts(facts: Sequence[Fact]) -> Iterator[Raw]:
    """Two columns of label and value; a fact too long for a field stands below its label like a block."""

    def field(fact: Fact) -> str:
        return f"{fact.label}\n{_or_empty(fact.value)}" if fact.label.strip() else _or_empty(fact.value)

    for is_short, some in itertools.groupby(facts, lambda fact: size(field(fact)) <= LIST_TEXT):
        for group in _by(10, list(some)) if is_short else ():
            yield {"type": "section", "fields": [plain(field(fact)) for fact in group]}
        for fact in () if is_short else some:
            yield from _block(Block(label=fact.label, text=fact.value))


def _block(block: Block) -> Iterator[Raw]:
    yield from contexts(block.label)
    yield from [code(_or_empty(block.text))] if block.is_code else sections(_or_empty(block.text))


def _footer(card: Card) -> Iterator[Raw]:
    """The last line. Without code above it is rich text: `chat.update` refuses to replace rich text by none

    (`block_mismatch`), and a request whose arguments were shown may end as one whose arguments are not.
    """
    told = " · ".join(part for part in (card.author, card.footer) if part.strip())
    if not card.footer.strip() or any(block.is_code for block in card.blocks):
        yield from contexts(told)
    else:
        yield {
            "type": "rich_text",
            "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": told}]}],
        }


def _mentions(people: Iterable[PersonId], user_of: Mapping[PersonId, str]) -> list[Raw]:
    """The only mrkdwn there is."""
    users = [user for person in dict.fromkeys(people) if _USER.fullmatch(user := user_of.get(person, ""))]
    told = " ".join(f"<@{user}>" for user in users[:MENTIONS_MOST])
    return [{"type": "section", "text": {"type": "mrkdwn", "text": told}}] if told else []


# ------------------------------------------------------ what is too long


def _smaller(card: Card) -> Iterator[tuple[Sequence[Attachment], Card]]:
    """*card* with ever more of its texts in files, longest first; each with the attachments it has to list."""
    own, smaller = card.attachments, card
    yield own, smaller
    while movable := [text for text in _movable(smaller) if text[0][1] > MOVABLE_LEAST]:
        _, where, index = max(movable, key=lambda text: text[0])
        smaller = _moved(smaller, where, index)
        yield own, smaller
    yield (), _bare(card)


def _movable(card: Card) -> Iterator[tuple[tuple[bool, int], str, int]]:
    """How urgently each text should move, and where it stands. Code is never split, so long code has to."""
    if size(card.body) > BODY_LEAST:
        yield (False, size(card.body)), "body", 0
    for index, block in enumerate(card.blocks):
        yield (block.is_code and size(block.text) > ONE_TEXT, size(block.text)), "block", index
    for index, fact in enumerate(card.facts):
        yield (False, size(fact.value)), "fact", index


def _moved(card: Card, where: str, index: int) -> Card:
    """One text in a file of its own, and in its place the file's name."""
    match where:
        case "body":
            file = _file("message", card.body, card.attachments)
            smaller = replace(card, body=f"{cut(card.body, BEGINNING)}…\n\n{_attached(file)}")
        case "fact":
            fact = card.facts[index]
            file = _file(fact.label, fact.value, card.attachments)
            smaller = replace(card, facts=_put(card.facts, index, replace(fact, value=_attached(file))))
        case _:
            block = card.blocks[index]
            file = _file(block.label, block.text, card.attachments)
            told = replace(block, text=_attached(file), is_code=False)
            smaller = replace(card, blocks=_put(card.blocks, index, told))
    return replace(smaller, attachments=(*card.attachments, file))


def _bare(card: Card) -> Card:
    """The whole card in one file, and what is left of it: title, status, buttons, footer, each as far as it fits."""
    files = [_attached(file) for file in card.attachments]
    asked = [" ".join(filter(None, (f"[{one.label}]", one.effect, one.confirm))) for one in card.buttons]
    facts = [f"{fact.label}: {fact.value}" for fact in card.facts]
    blocks = [f"{block.label}\n{block.text}" for block in card.blocks]
    whole = [card.title, card.body, *facts, *blocks, *files, card.status, *asked, card.author, card.footer]
    file = _file("card", "\n\n".join(text for text in whole if text), card.attachments)
    more = f" {len(files)} more attached." if files else ""
    return replace(
        card,
        title=clipped(card.title, HEADER).replace("\n", " "),
        body=f"Too long for a message; all of it is {_attached(file)}.{more}",
        facts=(),
        blocks=(),
        attachments=(*card.attachments, file),
        status=clipped(card.status, 300),
        buttons=tuple(_short(button) for button in card.buttons),
        author=clipped(card.author, LABEL),
        footer=clipped(card.footer, 300),
    )


def _short(button: Button) -> Button:
    return replace(button, label=clipped(button.label, LABEL), confirm=button.confirm and clipped(button.confirm, 300))


def _file(label: str, text: str, others: Sequence[Attachment]) -> Attachment:
    """*text* as a file whose name comes from *label* and is nobody else's."""
    content = text.encode()
    stem = "-".join(re.findall(r"[a-z0-9]+", label.lower()))[:40] or "text"
    names = itertools.chain([f"{stem}.txt"], (f"{stem}-{nth}.txt" for nth in itertools.count(2)))
    name = next(name for name in names if name not in {other.name for other in others})
    return Attachment(name=name, content=content, sha256=hashlib.sha256(content).hexdigest())


def _attached(file: Attachment) -> str:
    return f"attached: {clipped(file.name, 100)} ({len(file.content):,} bytes, sha256 {file.sha256})"


def _put(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    return (*items[:index], item, *items[index + 1 :])


# ---------------------------------------------------------- small pieces


def _or_empty(text: str) -> str:
    return text if text.strip() else "(empty)"


def _by(count: int, items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + count] for start in range(0, len(items), count))
