"""Block elements, rich text and their limits, as the fake enforces them (docs.slack.dev, Block Kit; slack_sdk 3.47)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes.slack.schema import (
    Check,
    Shape,
    any_key_of,
    anything,
    boolean,
    fault,
    items,
    one_of,
    string,
    text,
    typed,
    whole,
)

ID = string(255)
PLAIN = "plain_text"
STYLE = one_of("primary", "danger")
CONFIRM = Shape(
    {"title": text(100, PLAIN), "text": text(300), "confirm": text(30, PLAIN), "deny": text(30, PLAIN)},
    {"style": STYLE},
)


def option(value: int = 150) -> Shape:
    return Shape({"text": text(75), "value": string(value)}, {"description": text(75), "url": string(3000)})


GROUP = Shape({"label": text(75, PLAIN), "options": items(option(), 100)})
_COMMON: Mapping[str, Check] = {"action_id": ID, "confirm": CONFIRM, "focus_on_load": boolean}
_PLACEHOLDER: Mapping[str, Check] = {"placeholder": text(150, PLAIN)}
_DISPATCH: Mapping[str, Check] = {"dispatch_action_config": anything}


def _options_or_groups(value: Any, at: str) -> Iterator[str]:
    if ("options" in value) == ("option_groups" in value):
        yield fault("exactly one of options and option_groups is required", at)


def _initials_are_options(value: Any, at: str) -> Iterator[str]:
    groups = [value, *(value.get("option_groups") or [])]
    known = [each for group in groups for each in group.get("options") or []]
    initial = [value["initial_option"]] if "initial_option" in value else value.get("initial_options") or []
    if any(each not in known for each in initial):
        yield fault("an initial option must be one of the options", at)
    values = [each.get("value") for each in known if isinstance(each, dict)]
    if len(set(values)) != len(values):
        yield fault("option values must be unique", at)


def _select_rule(value: Any, at: str) -> Iterator[str]:
    yield from _options_or_groups(value, at)
    yield from _initials_are_options(value, at)


def _select(initial: str, check: Check) -> Shape:
    choice: Mapping[str, Check] = {"options": items(option(), 100), "option_groups": items(GROUP, 100), initial: check}
    multi: Mapping[str, Check] = {"max_selected_items": whole(1, 100)} if initial == "initial_options" else {}
    return Shape({}, {**_COMMON, **_PLACEHOLDER, **choice, **multi}, _select_rule)


def _boxes(most: int, initial: str, check: Check) -> Shape:
    return Shape({"options": items(option(), most)}, {**_COMMON, initial: check}, _initials_are_options)


_PICKED = {
    f"{multi}{what}_select": Shape(
        {},
        {
            **_COMMON,
            **_PLACEHOLDER,
            f"initial_{what if multi else what[:-1]}": items(ID, 100) if multi else ID,
            "response_url_enabled": boolean,
            "filter": anything,
            "max_selected_items": whole(1, 100),
        },
    )
    for multi in ("", "multi_")
    for what in ("users", "conversations", "channels")
}
_TYPED: Mapping[str, Check] = {**_COMMON, **_PLACEHOLDER, **_DISPATCH}
_IMAGE = Shape(
    {"alt_text": string(2000)},
    {"image_url": string(3000), "slack_file": anything},
    any_key_of("image_url", "slack_file"),
)
_FEEDBACK = Shape({"text": text(75, PLAIN), "value": string(2000)}, {"accessibility_label": string(75)})

ELEMENTS: Mapping[str, Shape] = {
    "button": Shape(
        {"text": text(75, PLAIN)},
        {**_COMMON, "value": string(2000), "url": string(3000), "style": STYLE, "accessibility_label": string(75)},
    ),
    "image": _IMAGE,
    "static_select": _select("initial_option", option()),
    "multi_static_select": _select("initial_options", items(option(), 100)),
    "radio_buttons": _boxes(10, "initial_option", option()),
    "checkboxes": _boxes(10, "initial_options", items(option(), 10)),
    "overflow": Shape({"options": items(option(), 5)}, {"action_id": ID, "confirm": CONFIRM}),
    "datepicker": Shape({}, {**_COMMON, **_PLACEHOLDER, "initial_date": string(10, 10)}),
    "timepicker": Shape({}, {**_COMMON, **_PLACEHOLDER, "initial_time": string(5, 5), "timezone": string(100)}),
    "datetimepicker": Shape({}, {**_COMMON, "initial_date_time": whole(10**9, 10**10)}),
    "plain_text_input": Shape(
        {},
        {
            **_TYPED,
            "initial_value": string(3000, 0),
            "multiline": boolean,
            "min_length": whole(0, 3000),
            "max_length": whole(1, 3000),
        },
    ),
    "number_input": Shape(
        {"is_decimal_allowed": boolean},
        {**_TYPED, "initial_value": string(100), "min_value": string(100), "max_value": string(100)},
    ),
    "email_text_input": Shape({}, {**_TYPED, "initial_value": string(3000)}),
    "url_text_input": Shape({}, {**_TYPED, "initial_value": string(3000)}),
    "feedback_buttons": Shape({"positive_button": _FEEDBACK, "negative_button": _FEEDBACK}, {"action_id": ID}),
    "icon_button": Shape(
        {"icon": one_of("trash"), "text": text(75, PLAIN)},
        {
            "action_id": ID,
            "value": string(2000),
            "confirm": CONFIRM,
            "accessibility_label": string(75),
            "visible_to_user_ids": items(ID, 100),
        },
    ),
    **_PICKED,
}

CHOICES = ("static_select", "multi_static_select", *_PICKED)
PICKERS = ("datepicker", "timepicker", "datetimepicker", "radio_buttons", "checkboxes")
IN_ACTIONS = ("button", "overflow", *CHOICES, *PICKERS)
IN_SECTION = ("image", *IN_ACTIONS)
IN_INPUT = ("plain_text_input", "number_input", "email_text_input", "url_text_input", *CHOICES, *PICKERS)

# -------------------------------------------------------------- rich text

_STYLE = Shape(
    {},
    dict.fromkeys(("bold", "italic", "strike", "code", "underline", "highlight", "client_highlight"), boolean),
)
_STYLED: Mapping[str, Check] = {"style": _STYLE}
LONGEST = 100_000  # characters; a part has no limit of its own, the message has one

INLINE: Mapping[str, Shape] = {
    "text": Shape({"text": string(LONGEST)}, _STYLED),
    "link": Shape({"url": string(3000)}, {**_STYLED, "text": string(LONGEST), "unsafe": boolean}),
    "user": Shape({"user_id": ID}, _STYLED),
    "usergroup": Shape({"usergroup_id": ID}, _STYLED),
    "channel": Shape({"channel_id": ID}, _STYLED),
    "broadcast": Shape({"range": one_of("here", "channel", "everyone")}, _STYLED),
    "team": Shape({"team_id": ID}, _STYLED),
    "emoji": Shape({"name": string(255)}, {**_STYLED, "unicode": string(100), "skin_tone": whole(1, 6)}),
    "color": Shape({"value": string(20)}, _STYLED),
    "date": Shape(
        {"timestamp": whole(0, 10**11), "format": string(255)},
        {**_STYLED, "url": string(3000), "fallback": string(3000)},
    ),
}
_LINES = items(typed(INLINE), 10_000, 0)
_BORDER: Mapping[str, Check] = {"border": whole(0, 1)}
_SECTION = Shape({"elements": _LINES})

RICH: Mapping[str, Shape] = {
    "rich_text_section": _SECTION,
    "rich_text_quote": Shape({"elements": _LINES}, _BORDER),
    "rich_text_preformatted": Shape(
        {"elements": items(typed(INLINE, "text", "link"), 10_000, 0)}, {**_BORDER, "language": string(50)}
    ),
    "rich_text_list": Shape(
        {"style": one_of("bullet", "ordered"), "elements": items(typed({"rich_text_section": _SECTION}), 1000)},
        {**_BORDER, "indent": whole(0, 8), "offset": whole(0, 10_000)},
    ),
}
RICH_TEXT = Shape({"elements": items(typed(RICH), 1000)}, {"block_id": ID})
