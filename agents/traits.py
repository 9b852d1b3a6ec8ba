"""What `@tool` takes, and how a slip in it is refused: where it is written, with what was meant.

    {"risk": "write", "touches": ["money"]} -> checked() -> {"risk": Risk.WRITE, "touches": ("money",)}

A misspelt trait would leave a call weaker guarded than its author believes, so none is dropped without a word. Not what
a trait does (toolbox), nor whether its arguments exist (toolbox, previews).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal, TypedDict, cast

from bot.domain.calls import Risk


class BadTool(TypeError):
    """A function, or what stands in `@tool` above it, cannot become a tool. The message is made for its author."""


class Traits(TypedDict, total=False):
    """What `@tool` takes. Nothing said means: cannot be undone, must not be started twice."""

    name: str
    version: str
    risk: Risk | Literal["read", "write", "irreversible"]
    idempotent: bool
    timeout: timedelta
    touches: tuple[str, ...]
    secrets: tuple[str, ...]
    private: tuple[str, ...]
    category: str
    asks: str
    accepted: str  # this argument must be a text that people accepted in the same run; the gate refuses any other
    preview: Callable[..., Any]  # the same arguments without the leave; gives Evidence, text, or several of them
    preview_timeout: timedelta


def checked(traits: Mapping[str, object]) -> Traits:
    """*traits* as they are kept. Raises BadTool with every slip, one after the other."""
    kept = {name: _kept(name, value) for name, value in traits.items()}
    slips = [told for name, value in kept.items() if (told := _slip(name, value))]
    if slips:
        raise BadTool("; ".join(slips))
    return cast(Traits, kept)


def _kept(name: str, value: object) -> object:
    """The word of a risk as the risk, and a list of words as a tuple: whoever writes them so means just that."""
    if name == "risk" and isinstance(value, str) and value in [*Risk]:
        return Risk(value)
    return tuple(value) if _WANTED.get(name) is _words and isinstance(value, list) else value


def _slip(name: str, value: object) -> str:
    """What is wrong with one trait; empty if nothing is."""
    wanted = _WANTED.get(name)
    if wanted is None:
        near = difflib.get_close_matches(name, _WANTED, n=1)
        meant = f"did you mean {near[0]}?" if near else f"it may have {', '.join(_WANTED)}"
        return f"@tool has no {name!r}; {meant}"
    remedy = wanted(name, value)
    return f"{name} is {repr(value)[:80]}; {remedy}" if remedy else ""


# ------------------------------------------- what each wants: the remedy, or nothing where it is right


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return ""
    example = {"version": "2", "category": "technical"}.get(name, "…")
    return f'write a text, such as {name}="{example}"'


def _risk(_: str, value: object) -> str:
    return "" if isinstance(value, Risk) else "write risk=Risk.READ, Risk.WRITE or Risk.IRREVERSIBLE"


def _flag(name: str, value: object) -> str:
    return "" if isinstance(value, bool) else f"write {name}=True or {name}=False"


def _span(name: str, value: object) -> str:
    if isinstance(value, timedelta) and value > timedelta():
        return ""
    if isinstance(value, int | float) and value > 0:
        return f"write {name}=timedelta(seconds={value})"
    return f"write a time, such as {name}=timedelta(seconds=5)"


def _words(name: str, value: object) -> str:
    if isinstance(value, str):
        return f'write {name}=("{value}",)'
    if isinstance(value, tuple) and all(isinstance(one, str) for one in value):
        return ""
    return f'write a tuple of texts, such as {name}=("money",)'


def _function(name: str, value: object) -> str:
    return "" if callable(value) else f"name a function, as in {name}=before"


_WANTED: Mapping[str, Callable[[str, object], str]] = {
    "name": _text,
    "version": _text,
    "risk": _risk,
    "idempotent": _flag,
    "timeout": _span,
    "touches": _words,
    "secrets": _words,
    "private": _words,
    "category": _text,
    "asks": _text,
    "accepted": _text,
    "preview": _function,
    "preview_timeout": _span,
}
