"""A typed confirmation: whoever lets a call run types the value of one of its arguments, letter for letter.

    rule `type: table` -> a field beside Approve, empty -> what was typed, unspelled -> the value's own text

Guards against the hand that presses too fast, not against who may press (rights).
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.calls import ToolSpec, canonical
from bot.domain.chat import Field
from bot.domain.forms import LONGEST_FIELD
from bot.domain.inert import show_line, unshow
from bot.domain.request import SIGNING, Move, Request

TYPED = "typed"  # name of the field beside Approve


def field(request: Request) -> tuple[Field, ...]:
    """The field beside every button that lets *request*'s call run; none where the rule wants nothing typed."""
    if not request.ask.typed:
        return ()
    label = f"Type the value of {show_line(request.ask.typed)} to approve"
    return (Field(name=TYPED, label=label, hint="Letter for letter, as the card shows it."),)


def problem(request: Request, move: Move, fields: Mapping[str, object]) -> str | None:
    """Why *fields* do not let *request*'s call run, in one sentence; None if they do, or need not."""
    if not request.ask.typed or move not in SIGNING:
        return None
    wanted, said = _text(request), str(fields.get(TYPED) or "")
    if not said:
        return f"Please type the value of {show_line(request.ask.typed)}."
    if wanted is None or unshow(said) != wanted:
        return f"This is not the value of {show_line(request.ask.typed)}, letter for letter."
    return None


def untypable(request: Request, spec: ToolSpec) -> str | None:
    """Why nobody could type what the rule wants of this call; None if people can. Such a request must not be opened."""
    name, text = request.ask.typed, _text(request)
    if not name:
        return None
    if text is None:
        return f"its rule wants {name!r} typed, and the call has no such argument"
    if name in spec.secrets:
        return f"its rule wants {name!r} typed, which is secret"
    if not text.strip() or len(show_line(text)) > LONGEST_FIELD:
        return f"its rule wants {name!r} typed, which is empty or longer than a form holds"
    return None


def _text(request: Request) -> str | None:
    """The value as people spell it: a text as it is, anything else as canonical JSON."""
    values = request.call.values
    if request.ask.typed not in values:
        return None
    value = values[request.ask.typed]
    return value if isinstance(value, str) else canonical(value).decode()
