"""Slack's limits as a table, and what Slack would refuse.

    blocks -> every object inside them, once -> keys, kinds, lengths, counts, ids, blanks -> faults, one sentence each

Numbers are from docs.slack.dev (Block Kit and method references) and slack_sdk.models; those marked "seen" are not
documented. Names in the tables are `kind.key`: `button.value` is the key `value` of an object of type `button`.
slack_sdk's own models, which are as slow again as all of this, agree with it in the tests.

Not here: how a card is drawn so that it has no faults (`cards`, `fields`, `homeview`).
"""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from adapters.lengths import size

Raw = Mapping[str, Any]
"""A Block Kit object as it travels: what JSON makes of it."""

Node = tuple[str, Raw]
"""An object and its kind."""

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
    "button.style": frozenset({"primary", "danger"}),
    "confirm.style": frozenset({"primary", "danger"}),
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

LISTED = ITEMS.keys() | CHILDREN.keys()
WRITTEN = TEXTS | {"text"}  # what is empty says nothing

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
        "overflow": "action_id options confirm",
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

NEEDED: Mapping[str, tuple[str, ...]] = {
    "section": ("text or fields",),
    "header": ("text",),
    "context": ("elements",),
    "actions": ("elements",),
    "input": ("label", "element"),
    "rich_text": ("elements",),
    "rich_text_section": ("elements",),
    "rich_text_preformatted": ("elements",),
    "rich_text_quote": ("elements",),
    "button": ("text", "action_id"),
    "confirm": ("title", "text"),
    "option": ("text", "value"),
    "overflow": ("action_id", "options"),
    "static_select": ("options or option_groups",),
    "multi_static_select": ("options or option_groups",),
    "radio_buttons": ("options",),
}
"""What an object must have, one or the other where it says so."""

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


def weight(blocks: Sequence[Raw]) -> int:
    """Characters of everything people read in *blocks*, escaped as they travel."""
    return _weight([_nodes(block, str(block.get("type"))) for block in blocks])


def faults(blocks: Sequence[Raw], most: int = MESSAGE_BLOCKS) -> list[str]:
    """What Slack would refuse, one sentence each; *most* is 50 for a message, 100 for a modal or the Home tab.

    No text of a block stands in a sentence, so it may be logged.
    """
    walked = [list(_nodes(block, str(block.get("type")))) for block in blocks]
    found = [f"{len(blocks)} blocks, most is {most}"] if len(blocks) > most else []
    if most == MESSAGE_BLOCKS and (total := _weight(walked)) > MESSAGE_TEXT:
        found.append(f"{total} characters in all blocks, most is {MESSAGE_TEXT}")
    if most == MESSAGE_BLOCKS and any(block.get("type") == "alert" for block in blocks):
        found.append("an alert stands in modals alone")
    for number, nodes in enumerate(walked):
        found += [f"block {number}: {fault}" for fault in _block_faults(nodes)]
    return found + _twins(walked, "block_id") + _twins(walked, "action_id")


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
    if not blocks:
        found.append(f"view: it holds no blocks, least is 1, most is {VIEW_BLOCKS}")
    return found + faults(blocks, VIEW_BLOCKS)


# ------------------------------------------------------------ one block


def _block_faults(nodes: Sequence[Node]) -> list[str]:
    kind = nodes[0][0]
    if kind not in BLOCKS:
        return [f"unknown type {kind[:40]!r}"]
    return [fault for kind, node in nodes for fault in _own_faults(node, kind)]


def _own_faults(node: Raw, kind: str) -> Iterator[str]:
    if extra := node.keys() - KEYS.get(kind, node.keys()):
        yield f"{kind} does not take {', '.join(sorted(extra))}"
    for need in NEEDED.get(kind, ()):
        if node.keys().isdisjoint(need.split(" or ")):
            yield f"{kind} needs {need}"
    if kind in WRITTEN and not str(node.get("text", "")).strip():
        yield f"{kind} has no text"
    for key, value in node.items():
        name = f"{kind}.{key}"
        if most := CHARACTERS.get(name) or ANY_CHARACTERS.get(key):
            yield from _length_faults(name, _many(value), most)
        if name in LISTED:
            yield from _list_faults(name, _many(value))
        if name in CHOICES and value not in CHOICES[name]:
            yield f"{name} cannot be {str(value)[:40]!r}"
        if name in NUMBERS and not (isinstance(value, int) and 0 < value <= NUMBERS[name]):
            yield f"{name} is not from 1 to {NUMBERS[name]}"


def _length_faults(name: str, values: Sequence[Any], most: int) -> Iterator[str]:
    """Of one text, or of each text of several."""
    for text in (value.get("text") if isinstance(value, Mapping) else value for value in values):
        if isinstance(text, str) and size(text) > most:
            yield f"{name} is {size(text)} characters, most is {most}"


def _list_faults(name: str, values: Sequence[Any]) -> Iterator[str]:
    """How many there are, and of which types."""
    if name in ITEMS and not 0 < len(values) <= ITEMS[name]:
        yield f"{name} holds {len(values)}, most is {ITEMS[name]}, least is 1"
    for value in values if name in CHILDREN else ():
        named = value.get("type") if isinstance(value, Mapping) else None
        if named not in CHILDREN[name]:
            yield f"{name} cannot be {str(named)[:40]}"
    if name == "table.rows" and any(not 0 < len(_many(row)) <= CELLS for row in values):
        yield f"a row of a table holds 1 to {CELLS} cells"


# ---------------------------------------------------------------- walking


def _nodes(node: Raw, kind: str) -> Iterator[Node]:
    """Every object inside *node* with its kind, itself first."""
    yield kind, node
    for key, value in node.items():
        for child in value if isinstance(value, list | tuple) else (value,):
            if isinstance(child, Mapping):
                yield from _nodes(child, str(child.get("type") or UNTYPED.get(key, key)))


def _weight(walked: Iterable[Iterable[Node]]) -> int:
    texts = (node.get("text") for nodes in walked for _, node in nodes)
    return sum(size(html.escape(text, quote=False)) for text in texts if isinstance(text, str))


def _twins(walked: Sequence[Sequence[Node]], key: str) -> list[str]:
    """Names that stand more than once. The inputs of a form may share theirs: their blocks tell them apart."""
    told_apart = "input" if key == "action_id" else ""
    nodes = (node for nodes in walked if nodes[0][0] != told_apart for _, node in nodes)
    count = Counter(str(node[key]) for node in nodes if key in node)
    return [f"{key} {name[:40]!r} stands {times} times" for name, times in count.items() if times > 1]


def _many(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)
