"""Buttons: how each is drawn, what it carries, and what comes back when somebody presses it.

    plain             Action.Execute, with an Action.Submit twin for clients that do not know it; both carry the same
    fields | confirm  Action.ShowCard: the inputs, or the question, and the button that sends inside
    Details, a form too long for the card   Action.Submit that fetches a dialog

All of what comes back may be made up: `read_data` bounds it, and what is not ours is None. Whether a seal is right and
whether somebody may do this is for the front door to judge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from adapters.lengths import clipped
from adapters.teams.fields import EMPTY, READINGS, Fill, Reading, inputs, read
from adapters.teams.limits import CHARACTERS, FETCH, OURS
from adapters.teams.literal import Raw, bare, words
from bot.domain.card_buttons import LOOKS
from bot.domain.chat import Button
from bot.domain.errors import Undeliverable

VERB = "cs."  # before the move; Teams routes no Execute without a verb
SHOW_ALL = "show_all"  # a move of this adapter's own: a dialog with all of a card that was too large
OPENING = LOOKS | {SHOW_ALL}  # moves that open a dialog
LABEL = CHARACTERS["Action.Execute.title"]
STYLES: Mapping[str, str] = {"primary": "positive", "danger": "destructive"}
WORD_MOST = 300  # characters of a subject, a seal, a field's name
BEHIND_MOST = 2_000  # characters that a dialog carries along
INPUTS_MOST = 200  # of one button
PAGES_MOST = 1_000

_WORD = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_MOVE = re.compile(r"[a-z][a-z_]{0,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """What a button of ours said when it was pressed, as far as anybody can tell from it.

    `fields` are as in `Form.fields`; those in `people` name somebody, by id or name. `behind` is what a dialog carried,
    `page` which part of a long dialog is wanted. `is_form`: the button had inputs, so it is a Form and no Click.
    """

    subject: str
    move: str
    token: str
    fields: Mapping[str, object] = field(default_factory=dict)
    people: frozenset[str] = frozenset()
    behind: str = ""
    page: int = 1
    is_form: bool = False


def check(buttons: Sequence[Button], most: int) -> None:
    """Raises Undeliverable for buttons that could not be read back."""
    if len(buttons) > most:
        raise Undeliverable("Teams", f"the card has {len(buttons)} buttons; a message takes {most}")
    for button in buttons:
        if not (_is_word(button.subject) and _is_word(button.token)):
            raise Undeliverable("Teams", f"a button's subject or token is no word of at most {WORD_MOST} characters")
        if not _MOVE.fullmatch(button.move):
            raise Undeliverable("Teams", "a button's move is not one word of small letters")


# ---------------------------------------------------------------- drawing


def drawn(button: Button, nth: int, fill: Fill = EMPTY) -> Raw:
    """*button* on a card: the *nth* of its move there, so that no two inputs have one id."""
    if button.move in OPENING:
        return fetching(button)
    if not button.fields and not (button.confirm or "").strip():
        return _sending(button, data(button))
    asked, readings = inputs(button.fields, _prefix(button.move, nth), fill)
    question = [words(button.confirm)] if button.confirm and button.confirm.strip() else []
    inner = {
        "type": "AdaptiveCard",
        "body": [*question, *asked],
        "actions": [_sending(button, data(button, readings=readings, nth=nth))],
    }
    return {"type": "Action.ShowCard", "title": title(button), **_style(button), "card": inner}


def listed(button: Button, behind: str) -> Raw:
    """*button* in a list of many requests, where *behind* says which card it is about; a form opens in a dialog."""
    if button.move in OPENING or button.fields:
        return fetching(button, behind)
    sends = _sending(button, data(button, behind=behind))
    if not button.confirm or not button.confirm.strip():
        return sends
    inner = {"type": "AdaptiveCard", "body": [words(button.confirm)], "actions": [sends]}
    return {"type": "Action.ShowCard", "title": title(button), **_style(button), "card": inner}


def fetching(button: Button, behind: str = "") -> Raw:
    """*button* as one that opens a dialog."""
    carried = {"msteams": dict(FETCH), **data(button, behind=behind)}
    return {"type": "Action.Submit", "title": title(button), **_style(button), "data": carried}


def submit(button: Button, carried: Raw) -> Raw:
    """The button inside of a dialog, where there is no Execute."""
    return {"type": "Action.Submit", "title": title(button), **_style(button), "data": carried}


def data(
    button: Button, *, readings: Mapping[str, Reading] | None = None, nth: int = 1, behind: str = "", page: int = 1
) -> Raw:
    """What *button* carries. *readings* are of its inputs; *behind* and *page* are a dialog's."""
    carried: dict[str, Any] = {"subject": button.subject, "move": button.move, "token": button.token}
    if readings:
        carried |= {"inputs": dict(readings)} | ({"nth": nth} if nth > 1 else {})
    return {OURS: carried | ({"behind": behind} if behind else {}) | ({"page": page} if page > 1 else {})}


def title(button: Button) -> str:
    return clipped(bare(button.label if button.label.strip() else "(no label)"), LABEL)


def _sending(button: Button, carried: Raw) -> Raw:
    shared = {"title": title(button), **_style(button), "data": carried}
    twin = {"type": "Action.Submit", **shared}
    return {"type": "Action.Execute", "verb": VERB + button.move, **shared, "fallback": twin}


def _style(button: Button) -> Raw:
    return {"style": STYLES[button.style]} if button.style in STYLES else {}


def _prefix(move: str, nth: int) -> str:
    return move if nth == 1 else f"{move}~{nth}"


# ---------------------------------------------------------------- reading


def read_data(data: object) -> Pressed | None:
    """An Execute's `action.data`, a Submit's `value`, a dialog's `data`: whoever made it up; None if it is not ours."""
    ours = data.get(OURS) if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(ours, Mapping):
        return None
    subject, move, token = ours.get("subject"), ours.get("move"), ours.get("token")
    behind, page, nth = ours.get("behind", ""), ours.get("page", 1), ours.get("nth", 1)
    readings = _readings(ours.get("inputs", {}))
    if not (isinstance(subject, str) and isinstance(move, str) and isinstance(token, str) and isinstance(behind, str)):
        return None
    if not (_is_word(subject) and _is_word(token) and _MOVE.fullmatch(move) and len(behind) <= BEHIND_MOST):
        return None
    if readings is None or not _is_count(page) or not _is_count(nth):
        return None
    fields = read(readings, data, _prefix(move, nth))
    if fields is None:
        return None
    return Pressed(
        subject=subject,
        move=move,
        token=token,
        fields=fields,
        people=frozenset(name for name, reading in readings.items() if reading == "person"),
        behind=behind,
        page=page,
        is_form=bool(readings),
    )


def _readings(value: object) -> Mapping[str, Reading] | None:
    if not isinstance(value, Mapping) or len(value) > INPUTS_MOST:
        return None
    is_ours = all(
        isinstance(name, str) and len(name) <= WORD_MOST and isinstance(reading, str) and reading in READINGS
        for name, reading in value.items()
    )
    return cast(Mapping[str, Reading], value) if is_ours else None


def _is_word(text: str) -> bool:
    return len(text) <= WORD_MOST and _WORD.fullmatch(text) is not None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= PAGES_MOST
