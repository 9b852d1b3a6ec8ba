"""Forms in Slack: what a person sees is what they may change, and what they type is what the call gets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.slack.fields import form_view, loading_view, message_view, picked, problems_by_block, read_state
from adapters.slack.limits import view_faults
from bot.domain.chat import Button, Field, FieldKind
from bot.domain.forms import fields_of, values_from_fields
from bot.domain.wire import Json, replace
from tests.contracts.chat import HOSTILE
from tests.forms import SCHEMA, VALUES, any_field
from tests.hostile import NASTY, TEXT
from tests.slack.drawing import parsed, texts
from tests.slack.second import sdk_view_faults

PICKED = {"datepicker": ("selected_date", "initial_date"), "users_select": ("selected_user", "initial_user")}
ANY_FIELD = any_field()


def form(*fields: Field, label: str = "Edit") -> dict[str, Any]:
    return form_view(Button(subject="q1", move="edit", label=label, token="t", fields=fields), metadata="q1 edit t")


def edit(values: dict[str, Json]) -> dict[str, Any]:
    return form(*fields_of(SCHEMA, values))


def inputs(view: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {block["block_id"]: block for block in view["blocks"] if block["type"] == "input"}


def element(field: Field) -> dict[str, Any]:
    (block,) = inputs(form(field)).values()
    return dict(block["element"])


def needed(field: Field) -> Field:
    return replace(field, is_required=True)


def sent(view: dict[str, Any], **typed: str | None) -> dict[str, Any]:
    """*view* as Slack submits it: every input in `state`, untouched ones with what they began with.

    A typed text picks the option of that name where the input is a choice; None empties an input.
    """
    state = {}
    for block_id, block in inputs(view).items():
        state[block_id] = {"v": _state(block["element"], typed.get(block_id.removeprefix("f."), ...))}
    return {**view, "id": "V1", "state": {"values": state}}


def _state(drawn: dict[str, Any], typed: Any) -> dict[str, Any]:
    if drawn["type"] == "static_select":
        picked = [option for option in drawn["options"] if option["text"]["text"] == typed]
        chosen = drawn.get("initial_option") if typed is ... else picked[0] if picked else None
        return {"type": "static_select", "selected_option": chosen}
    if drawn["type"] == "multi_static_select":
        names = [] if typed is ... or typed is None else typed.split("\n")
        picked = [option for option in drawn["options"] if option["text"]["text"] in names]
        return {"type": drawn["type"], "selected_options": drawn.get("initial_options", []) if typed is ... else picked}
    if drawn["type"] in ("datepicker", "users_select"):
        chosen, initial = PICKED[drawn["type"]]
        return {"type": drawn["type"], chosen: drawn.get(initial) if typed is ... else typed}
    value = drawn.get("initial_value") if typed is ... else typed
    return {"type": drawn["type"], "value": value}


def read_back(view: dict[str, Any], **typed: str | None) -> dict[str, Json]:
    return values_from_fields(SCHEMA, read_state(sent(view, **typed)), was=VALUES)


# ---------------------------------------------------------------- drawing


@settings(max_examples=100, deadline=None)
@given(st.lists(ANY_FIELD, max_size=6, unique_by=lambda field: field.name), TEXT)
def test_any_form_is_a_view_without_faults_and_without_markup(fields: list[Field], label: str) -> None:
    """T04: names, hints and values of a tool's arguments come from anywhere."""
    view = form(*fields, label=label)

    assert view_faults(view) + sdk_view_faults(view) == []
    assert parsed(view["blocks"]) == []
    assert len(inputs(view)) in (0, len(fields))


def test_a_form_of_very_many_or_very_large_fields_says_so() -> None:
    """A modal takes 100 blocks and 250 KB; half a form would be half a question."""
    many = form(*(Field(name=f"a{n}", label="a") for n in range(101)))
    large = form(*(Field(name=f"a{n}", label="a", value="é" * 3_000) for n in range(60)))

    assert [inputs(many), inputs(large)] == [{}, {}]
    assert "Please reject this instead" in texts(many["blocks"])[0]
    assert [view_faults(many), view_faults(large)] == [[], []]
    assert len(inputs(form(*(Field(name=f"a{n}", label="a") for n in range(100))))) == 100


def test_a_value_too_long_for_a_field_is_not_offered_for_editing() -> None:
    """3,000 characters fit; more would come back cut, and somebody would sign the rest unseen."""
    fits, too_long = (
        form(Field(name="body", label="Body", value="x" * 3_000)),
        form(Field(name="to", label="To"), Field(name="body", label="Body", value="x" * 3_001)),
    )

    assert inputs(fits)["f.body"]["element"]["initial_value"] == "x" * 3_000
    assert inputs(too_long) == {}
    assert "submit" not in too_long
    assert texts(too_long["blocks"]) == [
        "“Body” is 3,001 characters long; a form in Slack holds 3,000 for one field. "
        "Please reject this instead and say in the reason what should be different."
    ]


def test_a_long_draft_is_written_anew_and_never_begun_with_a_part_of_it() -> None:
    """GN-12: nobody accepts a text that was cut; the field starts empty and says what to do, and what else there is."""
    own = Field(name="text", label="Your own text", kind=FieldKind.LONG_TEXT, value="x" * 3_001, may_start_empty=True)

    (block,) = inputs(form(own)).values()

    assert "initial_value" not in block["element"]
    assert "Write the whole text, at most 3,000 characters" in block["hint"]["text"]
    assert element(replace(own, value="x" * 3_000))["initial_value"] == "x" * 3_000
    assert inputs(form(replace(own, may_start_empty=False))) == {}


def test_where_there_is_no_reject_none_is_pointed_to() -> None:
    """A question, a form and a plan have other buttons; only a signature can be rejected."""
    long = Field(name="body", label="Body", value="x" * 3_001)
    view = form_view(Button(subject="q", move="fill", label="Fill in", token="t", fields=(long,)), metadata="m")

    (told,) = texts(view["blocks"])

    assert told.endswith("Please answer with another button, or write in the thread what you want.")
    assert "eject" not in told


def test_the_submit_button_says_what_the_button_said() -> None:
    view = form(Field(name="reason", label="Reason"), label="It did not – run it now, please")

    assert view["submit"] == view["title"] == {"type": "plain_text", "text": "It did not – run it now…", "emoji": False}
    assert (view["callback_id"], view["private_metadata"]) == ("cs.form", "q1 edit t")


def test_each_kind_has_its_input() -> None:
    """The form starts with the values that would run."""
    drawn = {name: block["element"] for name, block in inputs(edit(VALUES)).items()}

    assert {name: (one["type"], one.get("initial_value")) for name, one in drawn.items()} == {
        "f.order_id": ("plain_text_input", "7"),
        "f.amount": ("number_input", "150"),
        "f.currency": ("static_select", None),
        "f.is_express": ("static_select", None),
        "f.note": ("plain_text_input", "two\nlines"),
        "f.parcel": ("plain_text_input", '{"kg":2}'),
        "f.until": ("plain_text_input", "May"),
    }
    assert drawn["f.currency"]["initial_option"]["text"]["text"] == "EUR"
    assert drawn["f.is_express"]["initial_option"]["text"]["text"] == "yes"
    assert [name for name, one in drawn.items() if one.get("multiline")] == ["f.note", "f.parcel"]
    assert drawn["f.amount"]["is_decimal_allowed"] is True


def test_labels_hints_and_what_is_required_are_shown() -> None:
    drawn = inputs(form(Field(name="a", label=HOSTILE, hint="In euros."), Field(name="b", label="", is_required=False)))

    assert (drawn["f.a"]["label"]["text"], drawn["f.a"]["hint"]["text"], drawn["f.a"]["optional"]) == (
        HOSTILE,
        "In euros.",
        False,
    )
    assert (drawn["f.b"]["label"]["text"], drawn["f.b"]["optional"], "hint" in drawn["f.b"]) == ("Value", True, False)


@pytest.mark.parametrize("value", ["1e+21", "12345678901234567890", "0.12345678", "abc"])
def test_a_number_that_a_number_field_might_change_is_edited_as_text(value: str) -> None:
    """A client's number field holds a double; what runs must be what stands there."""
    drawn = element(Field(name="n", label="n", kind=FieldKind.NUMBER, value=value))

    assert (drawn["type"], drawn["initial_value"]) == ("plain_text_input", value)


@pytest.mark.parametrize("options", [tuple(map(str, range(101))), ("EUR", "x" * 76), ("a", " "), ()])
def test_a_choice_that_slack_cannot_list_is_typed(options: tuple[str, ...]) -> None:
    """100 options of 75 characters at most; a cut label could stand for two of them."""
    (block,) = inputs(form(Field(name="c", label="c", kind=FieldKind.CHOICE, value="EUR", options=options))).values()

    assert block["element"]["type"] == "plain_text_input"
    assert block["hint"]["text"].startswith("One of: ")


def test_a_long_list_of_choices_says_how_many_there_are() -> None:
    options = tuple(f"option {n}" for n in range(200))

    (block,) = inputs(form(Field(name="c", label="c", kind=FieldKind.CHOICE, options=options))).values()

    assert block["hint"]["text"].startswith("One of: option 0, option 1")
    assert block["hint"]["text"].endswith("more.")


def test_views_that_only_speak_have_no_faults() -> None:
    for view in (loading_view(metadata="m"), message_view("", ""), message_view("t" * 99, "x" * 20_000)):
        assert view_faults(view) + sdk_view_faults(view) == []
        assert "submit" not in view
    assert texts(message_view("Sorry", HOSTILE)["blocks"]) == [HOSTILE]
    assert loading_view(metadata="m")["private_metadata"] == "m"


# ------------------------------------------------- dates, people, several

WHY = Field(name="why", label="Why", kind=FieldKind.MULTI, options=("late", "lost", "=broken"), value="lost\n=broken")
DAY = Field(name="day", label="Day", kind=FieldKind.DATE, value="2026-03-31")
OWNER = Field(name="owner", label="Owner", kind=FieldKind.PERSON, value="ana")


def test_dates_people_and_several_choices_are_slacks_own_inputs() -> None:
    """No id is typed and no date format is guessed."""
    view = form_view(
        Button(subject="q", move="fill", label="Fill in", token="t", fields=(WHY, DAY, OWNER)),
        metadata="m",
        users={"owner": "UANA"},
    )
    drawn = {name: block["element"] for name, block in inputs(dict(view)).items()}

    assert view_faults(view) + sdk_view_faults(view) == []
    assert [option["text"]["text"] for option in drawn["f.why"]["initial_options"]] == ["lost", "=broken"]
    assert drawn["f.day"] == {"type": "datepicker", "action_id": "v", "initial_date": "2026-03-31"}
    assert drawn["f.owner"] == {"type": "users_select", "action_id": "v", "initial_user": "UANA"}
    assert read_state(sent(dict(view))) == {"why": "lost\n=broken", "day": "2026-03-31"}
    assert picked(sent(dict(view))) == {"owner": "UANA"}


def test_what_is_picked_is_what_is_read() -> None:
    view = form(WHY, DAY, replace(OWNER, value=""))

    assert read_state(sent(view, why="late\nlost", day="2026-04-01")) == {
        "why": "late\nlost",
        "day": "2026-04-01",
        "owner": "",
    }
    assert read_state(sent(view, why=None, day=None)) == {"why": "", "day": "", "owner": ""}
    assert picked(sent(view)) == {}


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        (replace(WHY, options=tuple(map(str, range(101)))), "Several, one a line. One of: 0, 1"),
        (replace(DAY, value="31.02.26"), "A date such as 2026-03-31."),
        (OWNER, "The person's id."),
    ],
)
def test_what_slacks_inputs_cannot_hold_is_typed(field: Field, hint: str) -> None:
    """More options than a list holds, a value that is no date, a person without an account here."""
    (block,) = inputs(form(field)).values()

    assert (block["element"]["type"], block["element"]["initial_value"]) == ("plain_text_input", field.value)
    assert block["hint"]["text"].startswith(hint)


@pytest.mark.parametrize(
    "state",
    [
        {"type": "multi_static_select", "selected_options": 7},
        {"type": "multi_static_select", "selected_options": [{"value": "late"}]},
        {"type": "multi_static_select", "selected_options": [None]},
        {"type": "datepicker", "selected_date": 7},
        {"type": "users_select", "selected_user": "U1"},
    ],
)
def test_a_made_up_pick_is_left_out(state: dict[str, Any]) -> None:
    """T13: a user id is nobody until the directory says who it is."""
    assert read_state({"state": {"values": {"f.a": {"v": state}}}}) == {}


@pytest.mark.parametrize("user", [7, "", None, ["U1"]])
def test_nobody_made_up_is_picked(user: object) -> None:
    assert picked({"state": {"values": {"f.a": {"v": {"type": "users_select", "selected_user": user}}}}}) == {}


# ---------------------------------------------------------------- reading


def test_a_form_sent_as_it_was_changes_nothing() -> None:
    """What Slack sends back for untouched inputs is the very call."""
    assert read_back(edit(VALUES)) == VALUES


def test_what_is_typed_is_what_the_call_gets() -> None:
    typed = read_back(edit(VALUES), amount="12.5", currency="USD", is_express="no", note="*hi* &amp; <b>")

    assert typed == VALUES | {"amount": 12.5, "currency": "USD", "is_express": False, "note": "*hi* &amp; <b>"}


def test_an_optional_argument_can_be_taken_away() -> None:
    """An emptied input and the choice of none mean the same as on every platform: without it."""
    typed = read_back(edit(VALUES), note=None, parcel=None, currency="(none)", is_express="(none)", until=None)

    assert typed == {"order_id": "7", "amount": 150, "until": None}


@pytest.mark.parametrize("kind", [FieldKind.CHOICE, FieldKind.YES_NO])
def test_only_an_optional_choice_can_be_none(kind: FieldKind) -> None:
    """Slack has no way to take a choice back, so none is an option of its own."""
    field = Field(name="c", label="c", kind=kind, value="yes", options=("yes", "no"), is_required=False)

    choices = [[option["text"]["text"] for option in element(one)["options"]] for one in (field, needed(field))]

    assert choices == [["(none)", "yes", "no"], ["yes", "no"]]


def test_nothing_chosen_is_no_value() -> None:
    """An optional choice that began empty stays empty."""
    few: dict[str, Json] = {"order_id": "7", "amount": 150, "until": None}

    assert values_from_fields(SCHEMA, read_state(sent(edit(few))), was=few) == few


@pytest.mark.parametrize("option", ["-", "=", "=EUR", "(none)", *NASTY[:5]])
def test_no_choice_can_be_mistaken_for_none(option: str) -> None:
    """An option may be called anything, also what we call none."""
    view = form(Field(name="c", label="c", kind=FieldKind.CHOICE, value=option, options=(option,), is_required=False))

    assert read_state(sent(view)) == {"c": option}


@pytest.mark.parametrize(
    "state",
    [
        None,
        [],
        {},
        {"values": None},
        {"values": {"f.a": None}},
        {"values": {"f.a": {"v": 7}}},
        {"values": {"f.a": {"w": {"type": "plain_text_input", "value": "x"}}}},
        {"values": {"x.a": {"v": {"type": "plain_text_input", "value": "x"}}}},
        {"values": {"f.a": {"v": {"type": "users_select", "selected_user": "U1"}}}},
        {"values": {"f.a": {"v": {"type": "static_select", "selected_option": {"value": "EUR"}}}}},
        {"values": {"f.a": {"v": {"type": "static_select", "selected_option": {"value": 7}}}}},
        {"values": {"f.a": {"v": {"type": "plain_text_input", "value": ["x"]}}}},
    ],
)
def test_a_state_that_is_not_ours_is_left_out(state: object) -> None:
    """T13: whatever a client makes up is read as nothing, without an error."""
    assert read_state({"state": state}) == {}


# --------------------------------------------------------------- problems


def test_problems_stand_beside_their_fields() -> None:
    view = edit(VALUES)

    told = problems_by_block({"amount": "a number, please", "note": "too long"}, view)

    assert told == {"f.amount": "a number, please", "f.note": "too long"}


def test_problems_of_no_field_stand_at_the_first_one() -> None:
    """Slack refuses the whole answer if a key is no block of an input."""
    told = problems_by_block({"": "Nothing was changed.", "token": "not here", "order_id": "unknown"}, edit(VALUES))

    assert told == {"f.order_id": "Nothing was changed.; token: not here; unknown"}


def test_a_view_without_inputs_has_no_place_for_problems() -> None:
    assert problems_by_block({"amount": "bad"}, loading_view()) == {}
    assert problems_by_block({}, edit(VALUES)) == {}


def test_an_input_without_a_name_has_no_place_for_problems() -> None:
    """T11: what Slack signed may still be odd."""
    assert problems_by_block({"amount": "bad"}, {"blocks": [{"type": "input"}, {"type": "input", "block_id": 7}]}) == {}


def test_a_problem_is_never_empty_and_never_endless() -> None:
    told = problems_by_block({"amount": " ", "note": "x" * 5_000}, edit(VALUES))

    assert told["f.amount"] == "Please check this."
    assert len(told["f.note"]) == 300
