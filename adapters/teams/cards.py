"""Cards as Adaptive Cards 1.5: everything inert, everything whole, or nothing to sign.

    Card -> drawn -> too large? its forms move to dialogs, the largest first -> still? its longest texts are cut, with
    length and sha256, Approve goes, "Show all" comes -> still? its name, its state and what lets nothing run -> Drawn

No text of a card is ever markup (`literal`). The only mentions are those of `Card.mentions`, by their entities. What is
attached to a card stands on it: a bot cannot put a file in a channel. Order on screen: mentions, title, body, facts,
blocks, attachments, status and what each button does, buttons, footer.

Not here: the limits (`limits`), buttons (`presses`), inputs (`fields`), dialogs (`windows`), posting (mouth).
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from adapters.lengths import clipped, cut, size, sound, sounded
from adapters.noticed import notice
from adapters.pictures import picture_kind
from adapters.signable import HARMLESS, NOT_WHOLE, is_signable, plain
from adapters.teams import limits, presses
from adapters.teams.fields import EMPTY, Fill, flaw
from adapters.teams.limits import ACTIONS, VERSION, faults
from adapters.teams.literal import Raw, code, escaped, heading, is_line, named, words
from adapters.teams.presses import SHOW_ALL, Pressed, read_data
from bot.domain import button_effects
from bot.domain.chat import Attachment, Block, Button, Card, Fact, PersonId, Tone
from bot.domain.errors import Undeliverable
from bot.domain.inert import show
from bot.domain.render import DETAILS
from bot.domain.run_card import OF_RUNS
from bot.domain.wire import replace

__all__ = ["SHOW_ALL", "Drawn", "Known", "Pressed", "draw", "elements", "enveloped", "inlined", "read_data"]

T = TypeVar("T")

BUTTONS_MOST = 60
MENTIONS_MOST = 40  # people; the core never mentions so many
SUMMARY_MOST = 1_000  # characters of a notification
BEGINNING = 600  # characters of a cut text that stay on the card
CUT_LEAST = 1_000  # characters; a shorter text gains nothing from being cut
SHORT = 300  # characters of status and footer on a card of which little is left
NO_TEXT = "This is no text, so it cannot be shown here."
PICTURE = "This is a picture, and larger than what fits a card here."
PICTURES_MOST = 14_000  # bytes of a card's pictures: in base64 and UTF-16, nearly all that a card may have
ID_MOST = 300  # characters of an id that Teams gives people

TONES: Mapping[Tone, str] = {
    Tone.QUIET: "default",
    Tone.WAITING: "warning",
    Tone.DANGER: "attention",
    Tone.GOOD: "good",
    Tone.BAD: "attention",
}
"""The style of the container around the title. Colour alone says nothing: titles bear their own signs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """How Teams knows somebody: an id it resolves where the card goes, and the name that a mention shows."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One message. `summary` is its notification, plain text. `entities` are its mentions: *card* has them already."""

    card: Raw
    summary: str
    entities: tuple[Raw, ...] = ()


def draw(card: Card, *, known: Mapping[PersonId, Known], fill: Fill = EMPTY) -> Drawn:
    """*card* as a message that has no faults. *known* are the people it mentions; others are not named.

    *fill* holds the people that fields for a person let choose from. The same card is always drawn the same. One that
    does not stand whole has no button that lets anything run. Raises Undeliverable for buttons that
    could not be read back.
    """
    presses.check(card.buttons, BUTTONS_MOST)
    line, entities = _mentions(card.mentions, known)
    images = _images(card)
    summary = clipped(sound(" · ".join(notice(card).split("\n"))), SUMMARY_MOST)
    for picture, seen in _ways(sounded(card), images, fill):
        shown = picture.card
        told = [*elements(shown), *seen, *_pressed(picture, fill), *_footer(shown)]
        drawn = enveloped(card.title, [*line, *told])
        if entities:
            drawn["msteams"]["entities"] = entities
        if not faults(drawn):
            return Drawn(card=drawn, summary=summary or "(no words)", entities=tuple(entities))
    raise Undeliverable("Teams", "the card does not fit a message, even with its texts cut")


def enveloped(title: str, body: Sequence[Raw], actions: Sequence[Raw] = ()) -> Raw:
    """*body* as a whole card."""
    told = escaped(clipped(" ".join(title.split()), 100)) or "Countersign"
    drawn: Raw = {
        "type": "AdaptiveCard",
        "version": VERSION,
        "body": list(body) or [words("")],
        "fallbackText": f"{told} – this app is too old to show it. Please open it in Teams on a computer.",
        "msteams": {"width": "Full"},
    }
    return drawn | ({"actions": list(actions)} if actions else {})


# ---------------------------------------------------------------- drawing


def elements(card: Card) -> Iterator[Raw]:
    """What *card* says from its title to its status, and what each of its buttons does."""
    if card.title.strip():
        yield {"type": "Container", "style": TONES[card.tone], "bleed": True, "items": [heading(card.title)]}
    if card.body.strip():
        yield words(card.body)
    yield from _facts(card.facts)
    for block in card.blocks:
        yield from _block(block)
    told = "\n".join(filter(None, (card.status, button_effects.told(card.buttons))))
    if told.strip():
        yield words(told, isSubtle=True, spacing="Medium")


def _facts(facts: Sequence[Fact]) -> Iterator[Raw]:
    """Two columns of label and value, both Markdown and so escaped; what is no line stands below its label."""
    for is_short, some in itertools.groupby(facts, _is_short):
        if is_short:
            rows = [{"title": escaped(fact.label), "value": escaped(fact.value or "(empty)")} for fact in some]
            yield {"type": "FactSet", "facts": rows}
        else:
            for fact in some:
                yield from _block(Block(label=fact.label, text=fact.value))


def _is_short(fact: Fact) -> bool:
    return is_line(fact.label) and (not fact.value or is_line(fact.value))


def _block(block: Block) -> Iterator[Raw]:
    if block.label.strip():
        yield words(block.label, weight="Bolder", size="Small", spacing="Medium")
    text = block.text if block.text.strip() else "(empty)"
    yield code(text) if block.is_code else words(text, spacing="Small")


def _footer(card: Card) -> Iterator[Raw]:
    told = " · ".join(part for part in (card.author, card.footer) if part.strip())
    if told:
        yield words(told, isSubtle=True, size="Small")


def _mentions(people: Iterable[PersonId], known: Mapping[PersonId, Known]) -> tuple[list[Raw], list[Raw]]:
    """The line of mentions and its entities: the only `<at>` there is. Whoever shares a name is told apart by a number,

    for Teams finds out by the text alone whom it means.
    """
    found = [known[person] for person in dict.fromkeys(people) if person in known]
    names: dict[str, Known] = {}
    for one in [one for one in found if 0 < len(one.id) <= ID_MOST and one.id.isprintable()][:MENTIONS_MOST]:
        name = named(one.name)
        free = (f"{name} {nth}" if nth > 1 else name for nth in itertools.count(1))
        names[next(free_name for free_name in free if free_name not in names)] = one
    if not names:
        return [], []
    text = " ".join(f"<at>{name}</at>" for name in names)
    entities = [
        {"type": "mention", "text": f"<at>{name}</at>", "mentioned": {"id": one.id, "name": name}}
        for name, one in names.items()
    ]
    return [{"type": "TextBlock", "text": text, "wrap": True}], entities


# ---------------------------------------------------------------- buttons


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """A card, and which of its buttons (by place) open their form in a dialog."""

    card: Card
    moved: frozenset[int] = frozenset()


def _pressed(picture: _Picture, fill: Fill) -> Iterator[Raw]:
    """Rows of six: that is what Teams takes, and no button waits behind another."""
    drawn = _buttons(picture.card.buttons, picture.moved, fill)
    for start in range(0, len(drawn), ACTIONS):
        yield {"type": "ActionSet", "actions": drawn[start : start + ACTIONS]}


def _buttons(buttons: Sequence[Button], moved: frozenset[int], fill: Fill) -> list[Raw]:
    drawn = []
    for place, button in enumerate(buttons):
        nth = 1 + sum(1 for other in buttons[:place] if other.move == button.move and other.fields)
        in_dialog = place in moved or flaw(button.fields) is not None
        drawn.append(presses.fetching(button) if in_dialog else presses.drawn(button, nth, fill))
    return drawn


# ------------------------------------------------------ what is too large


def inlined(card: Card) -> tuple[Card, bool]:
    """*card* with its attachments as blocks, spelled so that nothing hides; and can all that is signed be read?"""
    blocks = [_attached(file) for file in card.attachments]
    return replace(card, blocks=(*card.blocks, *(block for block, _ in blocks)), attachments=()), all(
        is_text or file.is_aside for file, (_, is_text) in zip(card.attachments, blocks, strict=True)
    )


def _attached(file: Attachment) -> tuple[Block, bool]:
    label = f"attached: {clipped(file.name, 100)} ({len(file.content):,} bytes, sha256 {file.sha256})"
    try:
        return Block(label=label, text=show(file.content.decode()), is_code=True), True
    except UnicodeDecodeError:
        return Block(label=label, text=PICTURE if picture_kind(file.content) else NO_TEXT), False


def _images(card: Card) -> list[Raw]:
    """Its pictures, each in the card itself: nothing is fetched from anywhere. None if there is no room for all."""
    found = [(file, kind) for file in card.attachments if (kind := picture_kind(file.content)) is not None]
    if sum(len(file.content) for file, _ in found) > PICTURES_MOST:
        return []
    return [
        {
            "type": "Image",
            "url": f"data:{kind};base64,{base64.b64encode(file.content).decode()}",
            "altText": clipped(sound(file.name), 100) or "a picture",
        }
        for file, kind in found
    ]


def _ways(card: Card, images: Sequence[Raw], fill: Fill) -> Iterator[tuple[_Picture, Sequence[Raw]]]:
    """*card* with its pictures, without them, without what nobody signs; and from there on ever smaller."""
    whole, is_whole = inlined(card)
    if images:
        yield from ((picture, images) for picture in _with_forms_moved(_pictured(whole), fill) if is_whole)
    if any(file.is_aside for file in card.attachments):
        yield from ((picture, ()) for picture in _with_forms_moved(whole, fill) if is_whole)
        whole, is_whole = inlined(_without_asides(card))
    yield from ((picture, ()) for picture in _pictures(whole, is_whole=is_whole, fill=fill))


def _pictured(card: Card) -> Card:
    """*card* where its pictures stand on it."""
    blocks = (replace(block, text="shown below") if block.text == PICTURE else block for block in card.blocks)
    return replace(card, blocks=tuple(blocks))


def _without_asides(card: Card) -> Card:
    """*card* without the attachments that nobody signs; it says so, and where to read them."""
    left = [file for file in card.attachments if file.is_aside]
    told = [f"No room here for {clipped(file.name, 100)}, {len(file.content):,} bytes." for file in left]
    kept = tuple(file for file in card.attachments if not file.is_aside)
    reading = [_reading(button) for button in card.buttons if button.move not in OF_RUNS][:1]
    status = "\n".join(filter(None, (card.status, *told)))
    return replace(card, attachments=kept, status=status, buttons=(*card.buttons, *reading))


def _reading(asked: Button) -> Button:
    return Button(
        subject=asked.subject, move=SHOW_ALL, label="Show all", token=asked.token, effect="shows you all of it"
    )


def _pictures(card: Card, *, is_whole: bool, fill: Fill) -> Iterator[_Picture]:
    """*card* in ever smaller pictures: with its forms in it, in dialogs, with its texts cut, and with hardly any."""
    if is_whole:
        yield from _with_forms_moved(card, fill)
    less = _unsignable(card)
    if not is_whole:
        yield from _with_forms_moved(less, fill)
    while (longest := _longest(less)) is not None:
        less = longest
        yield _Picture(card=less)
        yield _Picture(card=less, moved=_forms(less.buttons))
    bare = _bare(less)
    yield _Picture(card=bare, moved=_forms(bare.buttons))


def _with_forms_moved(card: Card, fill: Fill) -> Iterator[_Picture]:
    """First all forms on the card; then the largest in a dialog, then the next."""
    weights = {place: limits.size(_buttons(card.buttons, frozenset(), fill)[place]) for place in _forms(card.buttons)}
    largest = sorted(weights, key=lambda place: (-weights[place], place))
    yield from (_Picture(card=card, moved=frozenset(largest[:count])) for count in range(len(largest) + 1))


def _forms(buttons: Sequence[Button]) -> frozenset[int]:
    return frozenset(place for place, button in enumerate(buttons) if button.fields)


def _unsignable(card: Card) -> Card:
    """*card* as one whose texts will not stand whole: nothing on it lets anything run, and it says where to read on."""
    asked = next((button for button in card.buttons if button.move not in OF_RUNS), None)
    if asked is None:
        return card
    told = replace(card, status="\n".join(filter(None, (card.status, NOT_WHOLE)))) if is_signable(card) else card
    kept = [button for button in card.buttons if button.move in HARMLESS | {DETAILS}]
    return replace(told, buttons=(_reading(asked), *kept))


def _longest(card: Card) -> Card | None:
    """*card* with the longest of its texts cut; None if none of them is long."""
    length, where, index = max(_texts(card))
    if length <= CUT_LEAST:
        return None
    match where:
        case "block":
            block = card.blocks[index]
            return replace(card, blocks=_put(card.blocks, index, replace(block, text=_cut(block.text))))
        case "fact":
            fact = card.facts[index]
            return replace(card, facts=_put(card.facts, index, replace(fact, value=_cut(fact.value))))
        case _:
            return replace(card, **{where: _cut(getattr(card, where))})


def _texts(card: Card) -> Iterator[tuple[int, str, int]]:
    """How long each text is, and where it stands."""
    yield from ((size(getattr(card, where)), where, 0) for where in ("title", "body", "status", "author", "footer"))
    yield from ((size(block.text), "block", index) for index, block in enumerate(card.blocks))
    yield from ((size(fact.value), "fact", index) for index, fact in enumerate(card.facts))


def _cut(text: str) -> str:
    """The beginning of *text*, and which text that was."""
    sha256 = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{cut(text, BEGINNING)}…\n({len(text):,} characters in all, sha256 {sha256})"


def _bare(card: Card) -> Card:
    """What a card is about and how it stands, each as far as it fits."""
    left = plain(card)
    reading = tuple(button for button in card.buttons if button.move == SHOW_ALL)
    short = tuple(replace(button, effect=clipped(button.effect, 60)) for button in (*reading, *left.buttons))
    return replace(
        left,
        title=clipped(card.title, 100),
        body=clipped(card.body, BEGINNING),
        status=clipped(left.status, SHORT),
        buttons=short[:ACTIONS],
        footer=clipped(card.footer, SHORT),
        mentions=card.mentions,
    )


def _put(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    return (*items[:index], item, *items[index + 1 :])
