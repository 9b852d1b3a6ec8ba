"""Details: what one person reads before they may approve, as a modal of their own.

    Card without buttons -> facts, texts in as many blocks as they need -> a view that Slack takes; no cut is silent

Not here: when it is opened, and for whom (modals, home).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapters.lengths import clipped, cut, size, sound
from adapters.slack.fields import FORM
from adapters.slack.limits import CHARACTERS, view_faults
from adapters.slack.literal import Raw, chunks, code, contexts, plain, sections
from bot.domain.chat import Block, Card
from bot.domain.wire import replace

TITLE = CHARACTERS["modal.title"]
BEGINNING = 2_000  # characters of a text that has no room
ON_CARD = "{count:,} characters, more than fits here. They stand whole on the card, or in the file in its thread."


def details_view(card: Card) -> Raw:
    """*card* as a modal that only says something; it has no faults. A text without room says so, and how long it is."""
    blocks = [replace(block, text=sound(block.text)) for block in card.blocks]
    view = _view(card, blocks)
    for _ in blocks:
        if not view_faults(view):
            break
        longest = max(range(len(blocks)), key=lambda at: size(blocks[at].text))
        blocks[longest] = _shorter(blocks[longest])
        view = _view(card, blocks)
    return view


def _view(card: Card, blocks: Sequence[Block]) -> Raw:
    title = clipped(sound(card.title).strip() or "Details", TITLE)
    told = [*_facts(card), *(drawn for block in blocks for drawn in _block(block)), *contexts(sound(card.footer))]
    return {
        "type": "modal",
        "callback_id": FORM,
        "title": plain(title),
        "private_metadata": "",
        "close": plain("Close"),
        "blocks": told,
    }


def _facts(card: Card) -> Iterator[Raw]:
    yield from sections("\n".join(f"{sound(fact.label)}: {sound(fact.value)}" for fact in card.facts))


def _block(block: Block) -> Iterator[Raw]:
    """Code in boxes of one text each, broken after a line where there is one."""
    yield from contexts(sound(block.label))
    if block.is_code:
        yield from (code(piece) for piece in chunks(block.text or "(empty)"))
    else:
        yield from sections(block.text if block.text.strip() else "(empty)")


def _shorter(block: Block) -> Block:
    """Code are the arguments, and those stand whole elsewhere; of all else at least the beginning is shown."""
    count = len(block.text)
    if block.is_code:
        return replace(block, text=ON_CARD.format(count=count), is_code=False)
    return replace(block, text=f"{cut(block.text, BEGINNING)}… ({count:,} characters in all, more than fits here)")
