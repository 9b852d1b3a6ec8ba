"""Forms: a button's fields as a modal, what was typed into it, and problems back beside their fields.

    Button -> form_view -> Slack -> view.state -> read_state -> Form.fields      problems -> problems_by_block -> errors

Whom somebody picked is a user of Slack's: `picked` says which, and the directory (modals) says which person that is.

A field is an input block `f.<name>` with one element `v`. A form that Slack cannot hold whole is not shown in part: a
sentence takes its place and says what to do instead. An input left empty reads as "", as on every platform:
`values_from_fields` takes an optional argument away for it.

Not here: opening, filling and submitting views (modals), what the values mean (`bot.domain.forms`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.lengths import clipped, one_of, size, sound
from adapters.slack.limits import CHARACTERS, ITEMS, ONE_TEXT, view_faults
from adapters.slack.literal import Raw, plain, sections
from bot.domain.chat import Button, Field, FieldKind
from bot.domain.wire import replace

FORM = "cs.form"  # callback_id of every view of ours
BLOCK, VALUE = "f.", "v"  # block_id is BLOCK + the field's name; VALUE is its element's action_id
TITLE = CHARACTERS["modal.title"]
OPTION = CHARACTERS["option.text"]  # a choice's label is the choice: it is never cut
HINT = 1_000  # characters
PROBLEM = 300  # characters of one problem beside a field
CHOSEN, NONE = "=", "-"  # an option's value: CHOSEN + what it stands for, or NONE for no choice at all
SPELT = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
MESSAGE_MOST = 6_000  # characters of a view that only says something

TOO_LONG = "“{label}” is {size:,} characters long; a form in Slack holds 3,000 for one field."
TOO_MUCH = "This form has more than a form in Slack can hold."
REJECT = "Please reject this instead and say in the reason what should be different."
OTHERWISE = "Please answer with another button, or write in the thread what you want."
INSTEAD: Mapping[str, str] = {"edit": REJECT}  # by the button's move; a card that is no signature has no Reject
START_EMPTY = (
    "What stands there now is too long for this field to start with. Write the whole text, at most 3,000 characters; "
    "or close this and say with another button what should be different."
)

_DAY = re.compile(r"[12][0-9]{3}-[01][0-9]-[0-3][0-9]")
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")  # any client's number field holds it exactly


def form_view(button: Button, *, metadata: str, users: Mapping[str, str] | None = None) -> Raw:
    """The modal behind *button*; its submit button says what the button says. *metadata* comes back unchanged.

    *users* are the Slack users that fields for people start with, by field. A form that does not fit is a view
    without inputs, and so without a submit button, that says why.
    """
    title = clipped(_or(sound(button.label), "Form"), TITLE)
    instead = INSTEAD.get(button.move, OTHERWISE)
    fields = [_startable(field) for field in button.fields]
    if flaw := _flaw(fields):
        return message_view(title, f"{flaw} {instead}", metadata=metadata)
    inputs = [_input(field, (users or {}).get(field.name, "")) for field in fields]
    drawn = _view(title, metadata) | {"submit": plain(title), "close": plain("Cancel"), "blocks": inputs}
    return message_view(title, f"{TOO_MUCH} {instead}", metadata=metadata) if view_faults(drawn) else drawn


def loading_view(*, metadata: str = "") -> Raw:
    """What stands there until the fields are known: a trigger lives 3 s, the store may need longer."""
    return message_view("One moment", "Fetching the form…", metadata=metadata)


def message_view(title: str, text: str, *, metadata: str = "") -> Raw:
    """A modal that only says something."""
    told = list(sections(clipped(sound(text), MESSAGE_MOST))) or list(sections("(no words)"))
    shown = clipped(_or(sound(title), "Countersign"), TITLE)
    return _view(shown, metadata) | {"close": plain("Close"), "blocks": told}


def read_state(view: Mapping[str, Any]) -> dict[str, object]:
    """What was typed into a submitted *view*, by field name, each a text; empty inputs are "". For people: `picked`.

    Anybody may have made up *view*: what is not shaped like an input of ours is left out.
    """
    values = _dict(_dict(view.get("state")).get("values"))
    return {
        name.removeprefix(BLOCK): typed
        for name, block in values.items()
        if name.startswith(BLOCK) and (typed := _typed(_dict(block).get(VALUE))) is not None
    }


def picked(view: Mapping[str, Any]) -> dict[str, str]:
    """The Slack users that were picked in a submitted *view*, by field name. Anybody may have made it up."""
    values = _dict(_dict(view.get("state")).get("values"))
    found = {
        name.removeprefix(BLOCK): read.get("selected_user")
        for name, block in values.items()
        if name.startswith(BLOCK) and (read := _dict(_dict(block).get(VALUE))).get("type") == "users_select"
    }
    return {name: user for name, user in found.items() if isinstance(user, str) and user}


def problems_by_block(problems: Mapping[str, str], view: Mapping[str, Any]) -> dict[str, str]:
    """*problems* for `response_action: errors`, which takes nothing but block ids of inputs in *view*.

    A problem of no field of the form is told at the first one. Empty if the view has no inputs. Anybody may have made
    up what an input is called.
    """
    drawn = [block for block in view.get("blocks") or () if block.get("type") == "input"]
    inputs = [name for block in drawn if isinstance(name := block.get("block_id"), str)]
    told: dict[str, str] = {}
    for name, problem in problems.items() if inputs else ():
        is_here = BLOCK + name in inputs
        where = BLOCK + name if is_here else inputs[0]
        said = problem if is_here or not name else f"{name}: {problem}"
        told[where] = "; ".join(part for part in (told.get(where), said) if part)
    return {where: clipped(_or(sound(said), "Please check this."), PROBLEM) for where, said in told.items()}


# ------------------------------------------------------------------ drawing


def _view(title: str, metadata: str) -> Raw:
    return {"type": "modal", "callback_id": FORM, "title": plain(title), "private_metadata": metadata}


def _startable(field: Field) -> Field:
    """*field* as Slack can begin it: empty, if it may be and its value does not fit; never with a part of it."""
    if not field.may_start_empty or size(field.value) <= ONE_TEXT:
        return field
    return replace(field, value="", hint=" ".join(part for part in (field.hint.strip(), START_EMPTY) if part))


def _flaw(fields: Sequence[Field]) -> str | None:
    """Why these fields cannot be put to people; None if Slack can hold them, as far as they themselves tell."""
    for field in fields:
        if size(field.value) > ONE_TEXT:
            return TOO_LONG.format(label=clipped(sound(field.label), 80), size=size(field.value))
    is_sound = all(sound(field.name) == field.name and sound(field.value) == field.value for field in fields)
    return None if fields and is_sound else TOO_MUCH


def _input(field: Field, user: str) -> Raw:
    element, more = _element(field, user)
    hint = " ".join(part for part in (sound(field.hint).strip(), more) if part)
    drawn: Raw = {
        "type": "input",
        "block_id": BLOCK + field.name,
        "label": plain(clipped(_or(sound(field.label), "Value"), CHARACTERS["input.label"])),
        "element": element,
        "optional": not field.is_required,
    }
    return drawn | ({"hint": plain(clipped(hint, HINT))} if hint else {})


def _element(field: Field, user: str) -> tuple[Raw, str]:
    """The input of *field*, and what its hint must say besides. *user* is whom a field for a person starts with."""
    match field.kind:
        case FieldKind.DATE if not field.value or _DAY.fullmatch(field.value):
            return _begun({"type": "datepicker", "action_id": VALUE}, "initial_date", field.value), ""
        case FieldKind.DATE:
            return _text(field), "A date such as 2026-03-31."
        case FieldKind.PERSON if user or not field.value:
            return _begun({"type": "users_select", "action_id": VALUE}, "initial_user", user), ""
        case FieldKind.PERSON:
            return _text(field), "The person's id."
        case FieldKind.MULTI if _is_selectable(field.options):
            return _several(field), ""
        case FieldKind.MULTI:
            return _text(field), f"Several, one a line. {one_of(field.options, HINT // 2)}"
        case FieldKind.YES_NO:
            return _select(field, ("yes", "no")), ""
        case FieldKind.CHOICE if _is_selectable(field.options):
            return _select(field, field.options), ""
        case FieldKind.CHOICE:
            return _text(field), one_of(field.options, HINT // 2)
        case FieldKind.NUMBER if not field.value or _PLAIN_NUMBER.fullmatch(field.value):
            drawn = {"type": "number_input", "action_id": VALUE, "is_decimal_allowed": True}
            return _begun(drawn, "initial_value", field.value), ""
        case FieldKind.NUMBER:
            return _text(field), "A number."
        case FieldKind.TEXT | FieldKind.LONG_TEXT:
            return _text(field), ""


def _text(field: Field) -> Raw:
    is_long = field.kind in (FieldKind.LONG_TEXT, FieldKind.MULTI) or "\n" in field.value
    drawn: Raw = {"type": "plain_text_input", "action_id": VALUE, "multiline": is_long, "max_length": ONE_TEXT}
    return _begun(drawn, "initial_value", field.value)


def _begun(drawn: Raw, key: str, value: str) -> Raw:
    """*drawn*, starting with *value* if there is one: Slack refuses empty beginnings."""
    return {**drawn, key: value} if value else drawn


def _several(field: Field) -> Raw:
    """Any of the options; untouched, those it starts with."""
    drawn = {option: {"text": plain(option), "value": CHOSEN + option} for option in field.options}
    first = [drawn[line] for line in dict.fromkeys(field.value.split("\n")) if line in drawn]
    initial = {"initial_options": first} if first else {}
    return {"type": "multi_static_select", "action_id": VALUE, "options": list(drawn.values())} | initial


def _select(field: Field, options: Sequence[str]) -> Raw:
    """One of *options*; where none is allowed, that is an option too, for Slack has no way to take a choice back."""
    drawn = {option: {"text": plain(option), "value": CHOSEN + option} for option in options}
    none = [] if field.is_required else [{"text": plain("(none)"), "value": NONE}]
    first = drawn.get(SPELT.get(field.value.lower(), "") if field.kind is FieldKind.YES_NO else field.value)
    initial = {"initial_option": first} if first else {}
    return {"type": "static_select", "action_id": VALUE, "options": [*none, *drawn.values()]} | initial


def _is_selectable(options: Sequence[str]) -> bool:
    is_short = all(option.strip() and size(option) <= OPTION and sound(option) == option for option in options)
    return is_short and 0 < len(options) < ITEMS["static_select.options"]


# ------------------------------------------------------------------ reading


def _typed(element: object) -> str | None:
    """What one input holds, as text; None if it is no input of ours."""
    read = _dict(element)
    match read.get("type"):
        case "plain_text_input" | "number_input":
            value = read.get("value")
            return "" if value is None else str(value) if isinstance(value, str | int | float) else None
        case "static_select":
            if read.get("selected_option") is None:
                return ""
            return _chosen(read["selected_option"])
        case "multi_static_select":
            options = read.get("selected_options")
            chosen = [_chosen(option) for option in options] if isinstance(options, list) else [None]
            return None if None in chosen else "\n".join(filter(None, chosen))
        case "datepicker":
            value = read.get("selected_date")
            return "" if value is None else value if isinstance(value, str) else None
        case "users_select":
            return "" if read.get("selected_user") is None else None  # a user is nobody until the directory says who
        case _:
            return None


def _chosen(option: object) -> str | None:
    value = _dict(option).get("value")
    if not isinstance(value, str):
        return None
    if value == NONE:
        return ""
    return value.removeprefix(CHOSEN) if value.startswith(CHOSEN) else None


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _or(text: str, other: str) -> str:
    return text if text.strip() else other
