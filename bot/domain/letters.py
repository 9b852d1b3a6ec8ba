"""The letters that people write to a run, and who has it after them.

    Said words · Explain yourself · Took it over · GaveBack: let it go on

A run's inbox only grows, so who works on it by hand follows from its letters alone, in every process alike. Not how
they reach a run (`store.Store.tell`), nor what it does about them (runtime).
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.chat import PersonId
from bot.domain.request import RequestId
from bot.domain.run import Heard
from bot.domain.wire import Record


class Explain(Record, tag="explain"):
    """Somebody wants the agent to say why."""

    request: RequestId
    by: str


class Said(Record, tag="said"):
    """Somebody replied in the thread."""

    heard: Heard


class Took(Record, tag="took"):
    """Somebody works on this run by hand from now on."""

    by: PersonId


class GaveBack(Record, tag="gave_back"):
    """Whoever had it, or whoever gave the task, lets the agent go on; *text* is what they say to it."""

    by: PersonId
    text: str = ""


Letter = Explain | Said | Took | GaveBack


def taken_by(letters: Sequence[Letter]) -> PersonId | None:
    """Who has a run after *letters*, all it ever got: the first who took it, until somebody gave it back."""
    has: PersonId | None = None
    for letter in letters:
        match letter:
            case Took(by=by):
                has = has or by
            case GaveBack():
                has = None
    return has


def last_take(letters: Sequence[Letter]) -> int:
    """How many of *letters*, all a run ever got, came up to its last takeover; 0 if nobody took it over."""
    return max((number for number, letter in enumerate(letters, 1) if isinstance(letter, Took)), default=0)
