"""How long a text is where it goes, and how to make it shorter: counted as a browser counts, in UTF-16 units.

Both chats count so, or may; it is never less than characters. Not here: what a platform takes (its `limits`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import TypeVar, cast

from bot.domain.inert import show
from bot.domain.wire import Record, replace

T = TypeVar("T")

UNCARRIED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # what JSON or a chat loses on the way


def size(text: str) -> int:
    """UTF-16 units of *text*."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def clipped(text: str, most: int) -> str:
    """*text*, or its beginning and "…", in at most *most* units."""
    return text if size(text) <= most else f"{cut(text, most - 1)}…"


def cut(text: str, most: int) -> str:
    """The beginning of *text* that is at most *most* units long; no character is cut in two."""
    if size(text) <= most:
        return text
    sizes = itertools.accumulate(size(char) for char in text)
    return text[: sum(1 for _ in itertools.takewhile(lambda end: end <= most, sizes))]


def one_of(options: Sequence[str], most: int) -> str:
    """A hint: the first of *options*, in fewer than *most* units, and how many more there are."""
    shown = [sound(option) for option in options]
    ends = itertools.accumulate(size(option) + 2 for option in shown)
    some = [option for option, end in zip(shown, ends, strict=True) if end < most]
    rest = len(shown) - len(some)
    return f"One of: {', '.join(some)}" + (f" and {rest} more." if rest else ".")


def sound(text: str) -> str:
    """*text* with the control characters and half characters that get lost on the way spelled out."""
    return UNCARRIED.sub(lambda found: show(found[0]), text)


def sounded(value: T) -> T:
    """*value* with every text in it made `sound`."""
    if type(value) is str:  # not a Tone, which is one of ours
        return cast(T, sound(cast(str, value)))
    if isinstance(value, tuple):
        return cast(T, tuple(sounded(item) for item in value))
    if isinstance(value, Record):
        return cast(T, replace(value, **{name: sounded(getattr(value, name)) for name in value.__struct_fields__}))
    return value
