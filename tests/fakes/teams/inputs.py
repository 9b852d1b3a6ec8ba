"""What a person types into a card: found by id or label, checked as Teams' client does before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tests.fakes.teams import cards
from tests.fakes.teams.acts import ClientRefused
from tests.fakes.teams.cards import Spot
from tests.fakes.teams.world import Json

Given = str | int | float | bool | list[str]


def find(card: Json, title: str, nth: int = 0) -> Spot:
    """The *nth* action called *title*; for one that only opens a ShowCard, the one action in it that sends."""
    known = list(cards.actions(card))
    found = [spot for spot in known if spot.title == title]
    shown = [spot for spot in found if spot.action["type"] != "Action.ShowCard"] or found
    if len(shown) <= nth:
        raise ClientRefused(f"there is no button {title!r}; there are {[spot.title for spot in known]}")
    spot = shown[nth]
    return _inside(spot) if spot.action["type"] == "Action.ShowCard" else spot


def _inside(spot: Spot) -> Spot:
    inner = [one for one in cards.actions(spot.action["card"], spot.cards) if one.action["type"] in SENDING]
    if len(inner) != 1:
        raise ClientRefused(f"{spot.title!r} opens; in it there are {[one.title for one in inner]}")
    return inner[0]


SENDING = ("Action.Execute", "Action.Submit")


def gathered(spot: Spot, given: Mapping[str, Given]) -> dict[str, str]:
    """What is sent beside the action's data: the inputs of its own card and of those around it, as strings.

    Raises ClientRefused for what the client does not let through: a required one left empty, a wrong form, no such
    input. Inputs of sibling ShowCards are not looked at.
    """
    rows = [] if spot.action.get("associatedInputs") == "none" else list(_reached(spot))
    names = {str(row["id"]): row for row in rows}
    labels = {str(row["label"]): row for row in rows if row.get("label")}
    values = {name: _start(row) for name, row in names.items()}
    for name, value in given.items():
        row = names.get(name) or labels.get(name)
        if row is None:
            raise ClientRefused(f"{spot.title!r} has no input {name!r}; it has {[*names]}, called {[*labels]}")
        values[str(row["id"])] = _typed(row, value)
    for name, row in names.items():
        _check(row, values[name])
    return {name: value for name, value in values.items() if value or names[name]["type"] != "Input.Number"}


def _reached(spot: Spot) -> Iterator[Json]:
    for card in spot.cards:
        yield from cards.inputs(card, deep=False)


def _start(row: Json) -> str:
    if row["type"] == "Input.Toggle":
        return str(row.get("value") or row.get("valueOff", "false"))
    return str(row.get("value", ""))


def _typed(row: Json, value: Given) -> str:
    if row["type"] == "Input.Toggle" and isinstance(value, bool):
        return str(row.get("valueOn", "true") if value else row.get("valueOff", "false"))
    if row["type"] != "Input.ChoiceSet":
        return str(value)
    titles = {str(one["title"]): str(one["value"]) for one in row["choices"]}
    chosen = [titles.get(str(one), str(one)) for one in (value if isinstance(value, list) else [value])]
    if unknown := set(chosen) - set(titles.values()) - {""}:
        raise ClientRefused(f"{row['id']!r} has no choice {sorted(unknown)}; it has {[*titles]}")
    if len(chosen) > 1 and not row.get("isMultiSelect"):
        raise ClientRefused(f"{row['id']!r} takes one choice")
    return ",".join(chosen)


def _check(row: Json, value: str) -> None:
    name = row.get("label") or row["id"]
    if row.get("isRequired") and (not value.strip() or _is_off(row, value)):
        raise ClientRefused(f"{name}: {row.get('errorMessage', 'required')}")
    if not value:
        return
    if row["type"] == "Input.Text":
        _check_text(row, value, str(name))
    if row["type"] == "Input.Number":
        _check_number(row, value, str(name))
    pattern = {"Input.Date": r"\d{4}-\d\d-\d\d", "Input.Time": r"\d\d:\d\d"}.get(row["type"])
    if pattern and not re.fullmatch(pattern, value):
        raise ClientRefused(f"{name}: {value!r} is none")


def _is_off(row: Json, value: str) -> bool:
    """A required switch has to be on."""
    return bool(row["type"] == "Input.Toggle" and value != row.get("valueOn", "true"))


def _check_text(row: Json, value: str, name: str) -> None:
    if len(value) > int(row.get("maxLength", len(value))):
        raise ClientRefused(f"{name}: {len(value)} characters do not fit, {row['maxLength']} do")
    if row.get("regex") and not re.search(row["regex"], value):
        raise ClientRefused(f"{name}: {row.get('errorMessage', 'it has another form')}")


def _check_number(row: Json, value: str, name: str) -> None:
    try:
        number = float(value)
    except ValueError:
        raise ClientRefused(f"{name}: {value!r} is no number") from None
    if not float(row.get("min", number)) <= number <= float(row.get("max", number)):
        raise ClientRefused(f"{name}: {row.get('errorMessage', 'it is out of range')}")
