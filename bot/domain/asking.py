"""How an inquiry is described: what people read, how they may answer, and what their answer says.

    arguments (and what the run's history adds) -> parts, choices -> a move with fields -> told

The words that every row of `inquiry.KINDS` is written in. No row itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.calls import Past, ToolCall
from bot.domain.chat import Field
from bot.domain.request import Request
from bot.domain.wire import Json, Record

TEXT_MOST = 26_000  # characters of an answer: holds a draft (20,000) and a plan (50 steps of 500, a line each)
TEXT, CHOICE, PERSON = "text", "choice", "person"  # names of the fields behind a button
UNANSWERED = "unanswered"  # the move of a result that nobody answered, where it has a status all the same

SEPARATE = " separate"  # beside the arguments: are duties separated? No argument has such a name

Values = Mapping[str, Any]
Fields = Mapping[str, object]
Recall = Callable[[ToolCall, Sequence[Past], str], Values]  # of a call, the run's others, and which agent asks


class Choice(Record):
    """One way to answer: a button, with a form behind it if there are fields. `effect` is what follows from it."""

    move: str
    label: str
    effect: str
    style: str = "plain"
    fields: tuple[Field, ...] = ()


class Part(Record):
    """One piece of what is asked. Nothing of it is verified, these are the agent's words; unless it `is_ours`."""

    label: str
    text: str
    is_exact: bool = False  # line by line as it is, like code
    is_ours: bool = False  # said by this program, from its own records


class Lapse(Record):
    """What it means that nobody answered: words for the model, and a `status` for the program that asked."""

    told: str = ""
    status: str = ""


def nothing(*_: object) -> Mapping[str, Json]:
    return {}


def never_typed(_values: Values, _text: str) -> None:
    """A reply in the thread is no answer to this."""
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """One kind: its title, what people read, how they may answer, and what a typed reply means.

    `parts`, `choices` and `typed` are given the call's arguments together with what `recalled` adds to them.
    """

    title: str
    parts: Callable[[Values], Sequence[Part]]
    choices: Callable[[Values], Sequence[Choice]]
    typed: Callable[[Values, str], tuple[str, Fields] | None]  # the move and fields that a reply's text stands for
    told: Callable[[Request, Values], str]  # what the answer says, in words: for the model and on the card
    shown: Callable[[Request, Values], str] | None = None  # the same on the card, where that differs
    recalled: Recall = nothing  # what the run's other calls say about this one
    more: Callable[[Request, Values], Mapping[str, Json]] = nothing  # what the call's result says besides the answer
    ended: Callable[[Request, Values], Sequence[Part]] = lambda *_: ()  # what the settled card shows besides
    lapsed: Callable[[Request], Lapse] = lambda _: Lapse()  # what follows if nobody answers
    titled: Callable[[Values], str] | None = None  # its title, where the arguments say more than `title`
    flaw: Callable[[Values], str | None] = lambda _: None  # why nobody could answer it, in one sentence
