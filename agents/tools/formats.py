"""What a column of a table may hold, and what is wrong with a value that it may not.

    integer · number · date · text · one of retail, wholesale          with a ? behind it, the value may be missing

Nothing is guessed: a value fits as it is but for blanks around it, or people are asked. Not where rows come from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

ONE_OF = "one of "
MISSING = "it is missing"
UNREADABLE = "\ufffd"  # what stands where bytes are no UTF-8


@dataclass(frozen=True, slots=True)
class Format:
    """What a value must be: *wrong* says what is wrong with one, or nothing."""

    name: str
    wrong: Callable[[str], str]
    choices: tuple[str, ...] = ()
    may_be_missing: bool = False

    def flaw(self, value: str) -> str:
        """What is wrong with *value*, as the end of a sentence; empty if it fits."""
        if not value:
            return "" if self.may_be_missing else MISSING
        if UNREADABLE in value:
            return "it holds bytes that are no UTF-8"
        return self.wrong(value)


def read_format(text: str) -> Format:
    """What *text* means. Raises ValueError with the formats there are."""
    name = text.strip().removesuffix("?").strip()
    optional = text.strip().endswith("?")
    if name.startswith(ONE_OF):
        choices = tuple(one.strip() for one in name.removeprefix(ONE_OF).split(","))
        if not all(choices) or len(set(choices)) < len(choices):
            raise ValueError(f"{text!r} names a choice twice, or an empty one")
        told = f"it is none of {', '.join(choices)}"
        return Format(name, lambda value: "" if value in choices else told, choices, optional)
    if name not in _WRONG:
        there = ", ".join(_WRONG)
        raise ValueError(f"{text!r} is no format; write {there}, or one of A, B; with ? if it may be missing")
    return Format(name, _WRONG[name], (), optional)


_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _integer(value: str) -> str:
    return "" if _INTEGER.fullmatch(value) else "it is no whole number such as 12"


def _number(value: str) -> str:
    return "" if _NUMBER.fullmatch(value) else "it is no number such as 12 or 12.50"


def _date(value: str) -> str:
    try:
        if _DATE.fullmatch(value):
            date.fromisoformat(value)
            return ""
    except ValueError:
        pass
    return "it is no date such as 2026-03-31"


def _text(value: str) -> str:
    return "" if value.isprintable() else "it holds characters that cannot be printed"


_WRONG: Mapping[str, Callable[[str], str]] = {"integer": _integer, "number": _number, "date": _date, "text": _text}
