"""Evidence and sources: what tools found out before anybody signs, within bounds, and shown apart from all else.

    preview -> kept: bounded, without secrets -> on the request, for good -> shown: on its card, whole in Details
    results of earlier look-ups -> looked_up: bounded -> the same

Evidence decides nothing: no policy reads it, no digest covers it, and none of it counts as an argument that was shown.
Pure. Not how a tool finds it out (ports.Previewing), nor when it is asked to (the gate).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence

from bot.domain import wording
from bot.domain.arguments import without
from bot.domain.calls import Evidence, Outcome, Past
from bot.domain.chat import Attachment, Block
from bot.domain.inert import show, show_line
from bot.domain.request import Request
from bot.domain.wire import Record, replace

PIECES_MOST = 10  # of one request
LABEL_MOST = 100  # characters
TEXT_MOST = 20_000  # characters of one piece; a request is written again with every vote
ALL_MOST = 40_000  # characters of all pieces
CARD_MOST = 1_500  # characters of one piece on a card; a longer one is attached
CARD_ALL_MOST = 4_000  # characters of all pieces on a card
LINES_MOST = 60  # of one piece on a card; more would push what is asked out of sight
BEGINNING = 400  # characters of an attached piece that stand on the card
BEGINNING_LINES = 30
LINE_MOST = 150  # characters of an item's evidence on a sheet
SOURCES_MOST = 20  # of one request: the latest ones
SOURCES_ON_CARD = 8
SOURCE_MOST = 200  # characters

LABEL = "Evidence, from the tool, before anybody signs"
LOOKED_UP = "Looked up before this was asked"


class Shown(Record):
    """Evidence on a card. A long piece is attached, and its beginning stands on the card."""

    blocks: tuple[Block, ...] = ()
    attachments: tuple[Attachment, ...] = ()


def kept(found: Sequence[Evidence], secrets: Collection[str]) -> tuple[Evidence, ...]:
    """What a request keeps of what a tool *found*: no secret, nothing beyond the bounds, and each cut is said."""
    taken, room = [], ALL_MOST
    for one in found[:PIECES_MOST]:
        text = _cut(_sound(without(one.text, secrets)), min(TEXT_MOST, room))
        room = max(0, room - len(text))
        label = wording.clip(" ".join(_sound(without(one.label, secrets)).split()), LABEL_MOST)
        taken.append(replace(one, label=label, text=text))
    if (more := len(found) - PIECES_MOST) > 0:
        taken.append(Evidence(label="More", text=f"{more} more pieces were found and are not kept", is_failed=True))
    return tuple(taken)


def failed(told: str) -> tuple[Evidence, ...]:
    """Evidence that could not be worked out, for a reason that is safe to read."""
    return (Evidence(label="Dry run", text=told, is_failed=True),)


def looked_up(history: Sequence[Past]) -> tuple[str, ...]:
    """Where this run looked, each place once; the latest ones, if there are many."""
    found = (source for past in history if past.outcome is Outcome.OK for source in past.sources)
    named = tuple(dict.fromkeys(wording.clip(_sound(source), SOURCE_MOST) for source in found))
    if (more := len(named) - SOURCES_MOST) <= 0:
        return named
    return (f"({more} earlier ones are not named)", *named[-SOURCES_MOST:])


def plain(history: Sequence[Past]) -> tuple[Past, ...]:
    """*history* without sources: they stand on the request once."""
    return tuple(replace(past, sources=()) if past.sources else past for past in history)


# -------------------------------------------------------------------- shown


def on_card(request: Request, secrets: Collection[str]) -> Shown:
    """The evidence of *request*, a block for each piece; then where it looked."""
    blocks, files, room = [], [], CARD_ALL_MOST
    for number, one in enumerate(request.evidence, 1):
        text = _text(one, secrets)
        if len(text) <= min(CARD_MOST, room) and text.count("\n") < LINES_MOST:
            room -= len(text)
            blocks.append(Block(label=_label(one), text=text, is_code=_is_code(one)))
        else:
            file = _file(text, f"evidence-{number}.txt")
            told = f"{_beginning(text)}…\n({len(text):,} characters in all: {file.name}, sha256 {file.sha256})"
            blocks.append(Block(label=_label(one), text=told, is_code=_is_code(one)))
            files.append(file)
    if sources := tuple(_sources(request, secrets)):
        more = len(sources) - SOURCES_ON_CARD
        few = (*sources[:SOURCES_ON_CARD], f"and {more} more" if more > 0 else "")
        blocks.append(Block(label=LOOKED_UP, text="\n".join(filter(None, few))))
    return Shown(blocks=tuple(blocks), attachments=tuple(files))


def in_details(request: Request, secrets: Collection[str]) -> Iterator[Block]:
    """All of it, whole."""
    for one in request.evidence:
        yield Block(label=_label(one), text=_text(one, secrets), is_code=_is_code(one))
    if sources := tuple(_sources(request, secrets)):
        yield Block(label=LOOKED_UP, text="\n".join(sources))


def on_sheet(items: Sequence[tuple[str, Request, Collection[str]]]) -> Shown:
    """A line for each item, by what it is called; and all of it attached where a line does not say all."""
    lines, whole, is_short = [], [], True
    for called, request, secrets in items:
        pieces = [(show_line(one.label), _text(one, secrets)) for one in request.evidence]
        if pieces:
            line = _in_a_line(pieces)
            is_short = is_short and line == ": ".join(pieces[0])
            lines.append(f"{called} {line}")
            whole.append("\n\n".join(f"{called} {label}\n{text}" for label, text in pieces))
    if not lines:
        return Shown()
    file = _file("\n\n".join(whole), "evidence.txt")
    if not is_short:
        lines.append(f"All of it: {file.name}, sha256 {file.sha256}")
    return Shown(blocks=(Block(label=LABEL, text="\n".join(lines)),), attachments=() if is_short else (file,))


def _in_a_line(pieces: Sequence[tuple[str, str]]) -> str:
    """The first piece, cut, and how many more there are."""
    label, text = pieces[0]
    told = f"{label}: {' '.join(text.split())}"
    more = f" (and {len(pieces) - 1} more)" if len(pieces) > 1 else ""
    return f"{wording.clip(told, LINE_MOST)}{more}"


def _beginning(text: str) -> str:
    return "\n".join(text[:BEGINNING].split("\n")[:BEGINNING_LINES])


def _label(one: Evidence) -> str:
    return f"{LABEL}: {show_line(one.label)}" if one.label else LABEL


def _text(one: Evidence, secrets: Collection[str]) -> str:
    text = show(without(one.text, secrets))
    return f"could not be worked out: {text}" if one.is_failed else text or "(nothing)"


def _is_code(one: Evidence) -> bool:
    return one.is_code and not one.is_failed


def _sources(request: Request, secrets: Collection[str]) -> Iterator[str]:
    return (show_line(without(source, secrets)) for source in request.sources)


def _file(text: str, name: str) -> Attachment:
    content = text.encode()
    return Attachment(name=name, content=content, sha256=hashlib.sha256(content).hexdigest(), is_aside=True)


def _sound(text: str) -> str:
    """Without lone surrogates: they could not be written down."""
    return text.encode("utf-8", "replace").decode()


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\n… cut: {len(text):,} characters in all"
