"""What a tool shows people besides what the model reads: files, and where it looked.

    return Shown(rows, files=[File("chart.png", png)], sources=["orders table, 3 rows"])

The files are shown in the task's thread when the call has ended; the model reads their names. The sources stand on the
cards of later calls. Everything is bounded, and what is left out is said. Not how they are posted (the runtime).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, count
from typing import Final, NamedTuple

from bot.domain.calls import ShownFile

FILES_MOST: Final = 10  # of one call; more than that nobody opens
FILE_MOST: Final = 5_000_000  # bytes of one file
ALL_MOST: Final = 10_000_000  # bytes of all of them
SOURCES_MOST: Final = 20
SOURCE_MOST: Final = 300  # characters of one source
NAME_MOST: Final = 100


class File(NamedTuple):
    """A picture or text for people. Its name's ending says what it is."""

    name: str
    content: bytes


class Shown:
    """What a tool returns to show something: *value* is its result, as ever."""

    def __init__(self, value: object, *, files: Sequence[tuple[str, bytes]] = (), sources: Sequence[str] = ()) -> None:
        self.value = value
        self.files = tuple(File(str(name), bytes(content)) for name, content in files)
        self.sources = tuple(str(source) for source in sources)

    def taken(self, redact: Callable[[str], str]) -> Taken:
        """What is kept of it. *redact* blots secrets out, also in a file that is text."""
        files, left_out = _files(self.files, redact)
        sources, more = self.sources[:SOURCES_MOST], len(self.sources) - SOURCES_MOST
        named = [_clipped(redact(one), SOURCE_MOST) for one in sources]
        if more > 0:
            named.append(f"and {more} more")
        return Taken(files, tuple(named), tuple(_told(files, left_out)))


class Taken(NamedTuple):
    """`told` are lines for the model: what people were shown, and what they were not."""

    files: tuple[ShownFile, ...]
    sources: tuple[str, ...]
    told: tuple[str, ...]


def _files(given: Sequence[File], redact: Callable[[str], str]) -> tuple[tuple[ShownFile, ...], list[str]]:
    """Those that may be shown, each under a name of its own; and a line about each that may not."""
    files: dict[str, ShownFile] = {}
    left_out = [f"{len(given) - FILES_MOST} more files; {FILES_MOST} are the most"] if len(given) > FILES_MOST else []
    for number, one in enumerate(given[:FILES_MOST], 1):
        name = _name(redact(one.name), number, files)
        content = _safe(one.content, redact)
        room = min(FILE_MOST, ALL_MOST - sum(file.size for file in files.values()))
        if len(content) > room:
            left_out.append(f"{name} is {len(content):,} bytes, more than the {room:,} there are")
        else:
            sha256 = hashlib.sha256(content).hexdigest()
            files[name] = ShownFile(name=name, size=len(content), sha256=sha256, content=content)
    return tuple(files.values()), left_out


def _told(files: Sequence[ShownFile], left_out: Sequence[str]) -> Iterator[str]:
    if files:
        yield f"(shown to people: {'; '.join(f'{one.name}, {one.size:,} bytes' for one in files)})"
    if left_out:
        yield f"(not shown to people: {'; '.join(left_out)})"


def _name(name: str, number: int, taken: dict[str, ShownFile]) -> str:
    """A plain file name: no folder, nothing hidden, never twice."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(char if char.isprintable() and char not in '<>:"|?*' else "_" for char in last).strip(". ")
    stem, dot, kind = plain.rpartition(".")
    fits = f"{stem[: NAME_MOST - len(kind) - 1]}{dot}{kind}" if stem and len(kind) <= 10 else plain[:NAME_MOST]
    found = fits or f"file-{number}"
    return next(one for one in chain([found], (f"{at}-{found}" for at in count(number))) if one not in taken)


def _safe(content: bytes, redact: Callable[[str], str]) -> bytes:
    try:
        return redact(content.decode()).encode()
    except UnicodeDecodeError:  # a picture
        return content


def _clipped(text: str, most: int) -> str:
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
