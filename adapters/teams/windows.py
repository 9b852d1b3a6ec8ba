"""Dialogs: what Teams shows one person on their own, in answer to a press that fetched it.

    Details, "Show all"  a Card without buttons -> pages of it, as many as it needs; nothing is cut
    a long form          a Button -> its inputs and the button that sends; problems stand beside their fields
    a sentence           what there is to say instead

No dialog has an Execute. What one carries along (`behind`) comes back as it was sent, or as somebody made it up.

Not here: which dialog answers which press, and what a sent one leads to (`dialogs`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from adapters.lengths import clipped, cut, size, sound, sounded
from adapters.teams import limits
from adapters.teams.cards import elements, enveloped, inlined
from adapters.teams.fields import EMPTY, TOO_MUCH, Fill, flaw, inputs, told
from adapters.teams.limits import CARD_BYTES, dialog_faults
from adapters.teams.literal import Raw, heading, words
from adapters.teams.presses import Pressed, data, submit
from bot.domain.chat import Block, Button, Card
from bot.domain.wire import replace

PIECE = 4_000  # characters of one block of a page; they may weigh three times as much
PAGE = CARD_BYTES * 3 // 4  # bytes of what stands on a page: title, page number and buttons need the rest
TITLE_MOST = 100  # characters
SENTENCE_MOST = 4_000  # characters of a dialog that only says something; they may weigh three times as much
NO_LABEL = Block(label="", text="")
REJECT = "Please reject this instead and say in the reason what should be different."
OTHERWISE = "Please answer with another button, or write to me what you want."
INSTEAD: Mapping[str, str] = {"edit": REJECT}  # by the button's move; a card that is no signature has no Reject


def dialog(card: Card, *, press: Pressed | None = None, page: int = 1) -> Raw:
    """Page *page* (the nearest there is) of *card*, whole and without its buttons; it has no faults.

    *press* is what opened it: its buttons for the other pages say the same again, with the `page` they are for.
    """
    found = pages(card)
    at = min(max(page, 1), len(found))
    many = [words(f"Page {at} of {len(found)}", isSubtle=True, size="Small")] if len(found) > 1 else []
    turns = [("Back", at - 1), ("Next", at + 1)] if press is not None else []
    actions = [_turn(press, label, to) for label, to in turns if press is not None and 1 <= to <= len(found)]
    drawn = enveloped(card.title, [*elements(found[at - 1]), *many], actions)
    return sentence(card.title, TOO_MUCH) if dialog_faults(drawn) else drawn


def form(button: Button, *, behind: str = "", fill: Fill = EMPTY) -> Raw:
    """The form of *button*, filled as *fill* says; its button says what that one says. It has no faults.

    A problem of no field stands above them. A form that does not fit is a sentence that says why, and what to do.
    """
    instead = INSTEAD.get(button.move, OTHERWISE)
    if why := flaw(button.fields):
        return sentence(button.label, f"{why} {instead}")
    asked, readings = inputs(button.fields, button.move, fill)
    names = {field.name for field in button.fields}
    loose = {name: said for name, said in fill.problems.items() if name not in names}
    problem = [words(told(loose, button.fields), color="Attention")] if loose else []
    question = [words(button.confirm)] if button.confirm and button.confirm.strip() else []
    sends = submit(button, data(button, readings=readings, behind=behind))
    drawn = enveloped(button.label, [*problem, *question, *asked], [sends])
    return sentence(button.label, f"{TOO_MUCH} {instead}") if dialog_faults(drawn) else drawn


def sentence(title: str, text: str) -> Raw:
    """A dialog that only says something."""
    top = [heading(clipped(sound(title), TITLE_MOST))] if title.strip() else []
    return enveloped(title, [*top, words(clipped(sound(text), SENTENCE_MOST))])


def _turn(press: Pressed, label: str, to: int) -> Raw:
    button = Button(subject=press.subject, move=press.move, label=label, token=press.token)
    return submit(button, data(button, page=to, behind=press.behind))


# ------------------------------------------------------------------ pages


def pages(card: Card) -> Sequence[Card]:
    """*card* in pages that fit, in its order; each of them has its title."""
    whole, _ = inlined(sounded(card))
    top = Card(title=clipped(whole.title, TITLE_MOST), tone=whole.tone)
    found, room = [top], PAGE
    for part in _parts(whole):
        weight = sum(limits.size(drawn) for drawn in elements(part))
        if weight > room and room < PAGE:
            found.append(top)
            room = PAGE
        room -= weight
        found[-1] = _joined(found[-1], part)
    return found


def _parts(card: Card) -> Iterator[Card]:
    """Everything that *card* says, in pieces that fit a page, each as a card of its own."""
    yield from (Card(body=one.text) for one in _pieces(card.title if size(card.title) > TITLE_MOST else ""))
    yield from (Card(body=one.text) for one in _pieces(card.body))
    for fact in card.facts:
        if size(fact.label) + size(fact.value) <= PIECE:
            yield Card(facts=(fact,))
        else:
            yield from (Card(blocks=(one,)) for one in _pieces(fact.value, Block(label=fact.label, text="")))
    for block in card.blocks:
        yield from (Card(blocks=(one,)) for one in _pieces(block.text or "(empty)", block))
    for text in (card.status, card.author, card.footer):
        yield from (Card(blocks=(one,)) for one in _pieces(text))


def _joined(page: Card, part: Card) -> Card:
    """*part* at the end of *page*. A fact after a block is a block, too: nothing changes its place."""
    blocks = part.blocks
    if page.blocks:
        blocks = (*(Block(label=fact.label, text=fact.value) for fact in part.facts), *blocks)
        part = replace(part, facts=())
    return replace(page, body=page.body + part.body, facts=page.facts + part.facts, blocks=page.blocks + blocks)


def _pieces(text: str, like: Block = NO_LABEL) -> Iterator[Block]:
    """*text* in blocks like *like*, broken after a line or a word where there is one; joined, they are whole."""
    left, label = text, clipped(like.label, 1_000)
    while left.strip():
        piece = cut(left, PIECE)
        if len(piece) < len(left):
            ends = (piece.rfind("\n"), piece.rfind(" "))
            piece = piece[: next((end for end in ends if end > PIECE // 2), len(piece)) + 1]
        yield replace(like, label=label, text=piece)
        left, label = left[len(piece) :], ""
