"""Slack's limits as a table, and what Slack would refuse.

    blocks -> own checks (keys, kinds, lengths, counts, ids, blanks) -> slack_sdk's checks -> faults, one sentence each

Numbers are from docs.slack.dev (Block Kit and method references) and slack_sdk.models; those marked "seen" are not
documented. Names in the tables are `kind.key`: `button.value` is the key `value` of an object of type `button`.

Not here: how a card is drawn so that it has no faults (`cards`, `fields`, `homeview`).
"""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.basic_objects import JsonObject
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

Raw = Mapping[str, Any]
"""A Block Kit object as it travels: what JSON makes of it."""

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100  # a modal or a Home tab
MESSAGE_TEXT = 10_000  # characters of all blocks; `msg_blocks_too_long` was seen at about 13,200
VIEW_BYTES = 250_000
POST_TEXT = 40_000  # chat.postMessage cuts above
UPDATE_TEXT = 4_000  # chat.update refuses above
METADATA = 3_000  # a view's private_metadata
ONE_TEXT = 3_000  # one text of a section, and of an input
LIST_TEXT = 2_000  # one field of a section; a button's value; a label

CHARACTERS: Mapping[str, int] = {
    "section.text": ONE_TEXT,
    "header.text": 150,
    "context.elements": ONE_TEXT,
    "markdown.text": 12_000,
    "image.image_url": 3_000,
    "image.alt_text": 2_000,
    "image.title": 2_000,
    "card.title": 150,
    "card.subtitle": 150,
    "card.body": 200,
    "container.title": 150,
    "button.text": 75,
    "button.value": 2_000,
    "button.url": 3_000,
    "button.accessibility_label": 75,
    "button.agent_prompt": 4_000,
    "confirm.title": 100,
    "confirm.text": 300,
    "confirm.confirm": 30,
    "confirm.deny": 30,
    "option.text": 75,
    "option.description": 75,
    "option.value": 150,
    "option_group.label": 75,
    "input.label": 2_000,
    "input.hint": 2_000,
    "plain_text_input.initial_value": ONE_TEXT,
    "modal.title": 24,
    "modal.submit": 24,
    "modal.close": 24,
    "section.fields": LIST_TEXT,
    "text.text": ONE_TEXT,  # a piece of rich text: not documented, taken to be like any other text
}
"""Characters of one text; of each text, where the key holds several."""

ANY_CHARACTERS: Mapping[str, int] = {"action_id": 255, "block_id": 255, "callback_id": 255, "placeholder": 150}
"""The same for keys that mean the same wherever they stand."""

ITEMS: Mapping[str, int] = {
    "section.fields": 10,
    "context.elements": 10,
    "actions.elements": 25,
    "context_actions.elements": 5,
    "static_select.options": 100,
    "static_select.option_groups": 100,
    "multi_static_select.options": 100,
    "multi_static_select.option_groups": 100,
    "option_group.options": 100,
    "overflow.options": 5,
    "radio_buttons.options": 10,
    "checkboxes.options": 10,
    "carousel.elements": 10,
    "container.child_blocks": 10,
    "table.rows": 100,
    "rich_text.elements": 100,  # not documented; far more than we ever draw
}
"""How many a list holds; none of these may be empty."""

CHOICES: Mapping[str, frozenset[str]] = {
    "task_card.status": frozenset({"pending", "in_progress", "complete", "error"}),
    "alert.level": frozenset({"default", "info", "warning", "error", "success"}),
}
"""What a key may say."""

NUMBERS: Mapping[str, int] = {"plain_text_input.max_length": ONE_TEXT}
CELLS = 20  # in one row of a table

ELSEWHERE: Mapping[str, int] = {
    "views on one stack": 3,
    "seconds a trigger_id lives": 3,
    "uses of a response_url": 5,
    "minutes a response_url lives": 30,
    "attachments of a message": 100,
    "blocks of chat.stopStream": 50,
    "characters of markdown_text in a call": 12_000,
    "minutes a stream lives": 5,  # seen
    "people in conversations.open": 8,
    "characters of an agent session's title": 200,
    "characters of agent_description": 300,
    "suggested prompts": 4,
    "rows of a data_table": 101,
}
"""Limits of calls and of things that this adapter's blocks never hold."""

TEXTS = frozenset({"plain_text", "mrkdwn"})
ACTIONS = frozenset({"button", "static_select", "overflow", "radio_buttons", "checkboxes", "datepicker"})
SELECTS = frozenset({"static_select", "multi_static_select", "users_select"})
INPUTS = SELECTS | {"plain_text_input", "number_input", "radio_buttons", "checkboxes", "datepicker"}

CHILDREN: Mapping[str, frozenset[str]] = {
    "section.text": TEXTS,
    "section.fields": TEXTS,
    "section.accessory": ACTIONS | {"image"},
    "header.text": frozenset({"plain_text"}),
    "context.elements": TEXTS | {"image"},
    "actions.elements": ACTIONS,
    "input.element": INPUTS,
    "input.label": frozenset({"plain_text"}),
    "input.hint": frozenset({"plain_text"}),
    "button.text": frozenset({"plain_text"}),
    "confirm.title": frozenset({"plain_text"}),
    "confirm.text": TEXTS,
    "confirm.confirm": frozenset({"plain_text"}),
    "confirm.deny": frozenset({"plain_text"}),
    "option.text": TEXTS,
    "rich_text.elements": frozenset(
        {"rich_text_section", "rich_text_preformatted", "rich_text_quote", "rich_text_list"}
    ),
    "rich_text_section.elements": frozenset({"text", "link", "emoji", "user", "channel", "usergroup", "broadcast"}),
    "rich_text_preformatted.elements": frozenset({"text", "link"}),
    "modal.title": frozenset({"plain_text"}),
    "modal.submit": frozenset({"plain_text"}),
    "modal.close": frozenset({"plain_text"}),
}
"""Which types a key may hold."""

KEYS: Mapping[str, frozenset[str]] = {
    kind: frozenset(f"type {keys}".split())
    for kind, keys in {
        "section": "block_id text fields accessory expand",
        "header": "block_id text",
        "context": "block_id elements",
        "actions": "block_id elements",
        "divider": "block_id",
        "input": "block_id label element hint optional dispatch_action",
        "rich_text": "block_id elements",
        "rich_text_section": "elements",
        "rich_text_preformatted": "elements border",
        "rich_text_quote": "elements border",
        "text": "text style",
        "plain_text": "text emoji",
        "mrkdwn": "text verbatim",
        "button": "text action_id value url style confirm accessibility_label agent_prompt",
        "confirm": "title text confirm deny style",
        "option": "text value description url",
        "plain_text_input": "action_id initial_value multiline min_length max_length placeholder focus_on_load "
        "dispatch_action_config",
        "number_input": "action_id initial_value is_decimal_allowed min_value max_value placeholder focus_on_load "
        "dispatch_action_config",
        "static_select": "action_id options option_groups initial_option confirm placeholder focus_on_load",
        "multi_static_select": "action_id options option_groups initial_options max_selected_items confirm placeholder "
        "focus_on_load",
        "users_select": "action_id initial_user confirm placeholder focus_on_load",
        "datepicker": "action_id initial_date confirm placeholder focus_on_load",
        "radio_buttons": "action_id options initial_option confirm focus_on_load",
        "modal": "title blocks submit close private_metadata callback_id external_id clear_on_close notify_on_close "
        "submit_disabled",
        "home": "blocks private_metadata callback_id external_id",
    }.items()
}
"""Every key of the kinds we draw. Slack answers `invalid_blocks` to any other."""

BLOCKS = frozenset(
    (
        *("actions", "alert", "card", "carousel", "container", "context", "context_actions", "divider", "file"),
        *("header", "image", "input", "markdown", "plan", "rich_text", "section", "table", "task_card", "video"),
    )
)
"""Every type of block slack_sdk's models know."""

UNTYPED = {  # objects without a type
    "options": "option",
    "initial_option": "option",
    "initial_options": "option",
    "option_groups": "option_group",
}


def size(text: str) -> int:
    """How long Slack may take *text* to be: UTF-16 units, as a browser counts. Never less than code points."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def weight(blocks: Sequence[Raw]) -> int:
    """Characters of everything people read in *blocks*, escaped as they travel."""
    return sum(size(html.escape(text, quote=False)) for block in blocks for text in _texts(block))


def faults(blocks: Sequence[Raw], most: int = MESSAGE_BLOCKS) -> list[str]:
    """What Slack would refuse, one sentence each; *most* is 50 for a message, 100 for a modal or the Home tab.

    No text of a block stands in a sentence, so it may be logged.
    """
    found = [f"{len(blocks)} blocks, most is {most}"] if len(blocks) > most else []
    if most == MESSAGE_BLOCKS and (total := weight(blocks)) > MESSAGE_TEXT:
        found.append(f"{total} characters in all blocks, most is {MESSAGE_TEXT}")
    if most == MESSAGE_BLOCKS and any(block.get("type") == "alert" for block in blocks):
        found.append("an alert stands in modals alone")
    for number, block in enumerate(blocks):
        found += [f"block {number}: {fault}" for fault in _block_faults(block)]
    found += _twins(blocks, "block_id") + _twins(blocks, "action_id")
    return found


def view_faults(view: Raw) -> list[str]:
    """The same for a whole modal or Home tab, its input blocks included."""
    kind, blocks = str(view.get("type")), view.get("blocks") or ()
    found = [f"view: {fault}" for fault in _own_faults({key: view[key] for key in view if key != "blocks"}, kind)]
    inputs = [block for block in blocks if block.get("type") == "input"]
    if kind not in ("modal", "home"):
        found.append("view: the type is neither modal nor home")
    if kind == "modal" and not view.get("title"):
        found.append("view: a modal needs a title")
    if inputs and not view.get("submit"):
        found.append("view: input blocks need a submit button")
    if size(str(view.get("private_metadata", ""))) > METADATA:
        found.append(f"view: private_metadata is longer than {METADATA}")
    if (total := len(json.dumps(view).encode())) > VIEW_BYTES:
        found.append(f"view: {total} bytes, most is {VIEW_BYTES}")
    found += faults(blocks, VIEW_BLOCKS)
    return found or _sdk_faults(View(**view))


# ------------------------------------------------------------ one block


def _block_faults(block: Raw) -> list[str]:
    """Own checks first: what they let through, slack_sdk reads without logging what it does not know."""
    if block.get("type") not in BLOCKS:
        return [f"unknown type {str(block.get('type'))[:40]!r}"]
    found = [fault for kind, node in _nodes(block, str(block["type"])) for fault in _own_faults(node, kind)]
    if found:
        return found
    try:
        return _sdk_faults(Block.parse(dict(block)))
    except TypeError as error:  # a key that the model's constructor requires is missing
        return [f"cannot be read ({error})"]


def _own_faults(node: Raw, kind: str) -> list[str]:
    return [
        *_key_faults(node, kind),
        *_length_faults(node, kind),
        *_value_faults(node, kind),
        *(f"{kind} has no text" for _ in "1" if kind in (*TEXTS, "text") and not str(node.get("text", "")).strip()),
    ]


def _key_faults(node: Raw, kind: str) -> Iterator[str]:
    """Keys that the kind does not have, and children of a type that may not stand there."""
    if extra := node.keys() - KEYS.get(kind, node.keys()):
        yield f"{kind} does not take {', '.join(sorted(extra))}"
    for key, value in node.items():
        allowed = CHILDREN.get(f"{kind}.{key}")
        if allowed is None:
            continue
        for named in (child.get("type") if isinstance(child, Mapping) else None for child in _many(value)):
            if named not in allowed:
                yield f"{kind}.{key} cannot be {str(named)[:40]}"


def _length_faults(node: Raw, kind: str) -> Iterator[str]:
    for key, value in node.items():
        name = f"{kind}.{key}"
        most = CHARACTERS.get(name, ANY_CHARACTERS.get(key))
        for text in (_text(each) for each in _many(value)):
            if most is not None and text is not None and size(text) > most:
                yield f"{name} is {size(text)} characters, most is {most}"
        if name in ITEMS and not 0 < len(_many(value)) <= ITEMS[name]:
            yield f"{name} holds {len(_many(value))}, most is {ITEMS[name]}, least is 1"


def _value_faults(node: Raw, kind: str) -> Iterator[str]:
    for key, value in node.items():
        name = f"{kind}.{key}"
        if name in CHOICES and value not in CHOICES[name]:
            yield f"{name} cannot be {str(value)[:40]!r}"
        if name in NUMBERS and not (isinstance(value, int) and 0 < value <= NUMBERS[name]):
            yield f"{name} is not from 1 to {NUMBERS[name]}"
        if name == "table.rows" and any(not 0 < len(_many(row)) <= CELLS for row in _many(value)):
            yield f"a row of a table holds 1 to {CELLS} cells"


def _sdk_faults(model: JsonObject | None) -> list[str]:
    found = []
    for part in _parts(model):
        try:
            part.validate_json()
        except SlackObjectFormationError as error:
            found.append(f"{type(part).__name__}: {error}")
    return found


def _parts(value: object) -> Iterator[JsonObject]:
    """Every Block Kit object inside *value*, itself first."""
    if isinstance(value, JsonObject):
        yield value
        for inner in vars(value).values():
            yield from _parts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _parts(inner)


# ---------------------------------------------------------------- walking


def _nodes(node: Raw, kind: str) -> Iterator[tuple[str, Raw]]:
    """Every object inside *node* with its kind, itself first."""
    yield kind, node
    for key, value in node.items():
        for child in _many(value):
            if isinstance(child, Mapping):
                yield from _nodes(child, str(child.get("type") or UNTYPED.get(key, key)))


def _texts(block: Raw) -> Iterator[str]:
    for _, node in _nodes(block, str(block.get("type"))):
        if isinstance(text := node.get("text"), str):
            yield text


def _twins(blocks: Sequence[Raw], key: str) -> list[str]:
    """Names that stand more than once. The inputs of a form may share theirs: their blocks tell them apart."""
    told_apart = {"input"} if key == "action_id" else set()
    nodes = (node for block in blocks if block.get("type") not in told_apart for _, node in _nodes(block, ""))
    count = Counter(str(node[key]) for node in nodes if key in node)
    return [f"{key} {name[:40]!r} stands {times} times" for name, times in count.items() if times > 1]


def _many(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def _text(value: object) -> str | None:
    """A plain string, or the text of a text object."""
    inner = value.get("text") if isinstance(value, Mapping) else value
    return inner if isinstance(inner, str) else None
