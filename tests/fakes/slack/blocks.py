"""What Slack would refuse of a message's blocks or of a view: an own table, then the SDK's models as a second eye.

Deliberately not the adapter's table: two readings of the documentation find each other's mistakes.
Lengths are counted in code points.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models import JsonObject
from slack_sdk.models.blocks import Block

from tests.fakes.slack.elements import (
    ELEMENTS,
    ID,
    IN_ACTIONS,
    IN_INPUT,
    IN_SECTION,
    PLAIN,
    RICH_TEXT,
)
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
)
from tests.fakes.slack.world import Json, Refusal

MOST_IN_MESSAGE, MOST_IN_VIEW = 50, 100
TOTAL_TEXT = 13_200  # characters of a message's blocks; undocumented, seen by slackapi/bolt-js#2509
VIEW_BYTES = 250_000
TEXT_KINDS = ("plain_text", "mrkdwn")

_NAMED: Mapping[str, Check] = {"block_id": ID}
_IMAGE = ELEMENTS["image"]
_CELLS: Mapping[str, Shape] = {
    "raw_text": Shape({"text": string(3000)}),
    "raw_number": Shape({"value": anything}, {"text": string(3000)}),
    "rich_text": RICH_TEXT,
}
_TASK = Shape(
    {"task_id": ID, "title": string(3000), "status": one_of("pending", "in_progress", "complete", "error")},
    {**_NAMED, "details": anything, "output": anything, "sources": anything},
)
_CARD_TEXT: Mapping[str, Check] = {"title": text(150), "subtitle": text(150), "body": text(200)}
_BUTTONS = items(typed(ELEMENTS, "button"), 25)
_CARD = Shape(
    {},
    {**_NAMED, **_CARD_TEXT, "hero_image": anything, "icon": anything, "actions": _BUTTONS},
    any_key_of("title", "subtitle", "body", "hero_image", "actions"),
)
_CONTEXT = typed(
    {
        **{kind: Shape({"text": string(3000)}, {"emoji": boolean, "verbatim": boolean}) for kind in TEXT_KINDS},
        "image": _IMAGE,
    }
)
_PARTS = ("title", "title_url", "description", "provider_icon_url", "provider_name", "author_name")

BLOCKS: Mapping[str, Shape] = {
    "section": Shape(
        {},
        {
            **_NAMED,
            "text": text(3000),
            "fields": items(text(2000), 10),
            "accessory": typed(ELEMENTS, *IN_SECTION),
            "expand": boolean,
        },
        any_key_of("text", "fields"),
    ),
    "header": Shape({"text": text(150, PLAIN)}, _NAMED),
    "divider": Shape({}, _NAMED),
    "context": Shape({"elements": items(_CONTEXT, 10)}, _NAMED),
    "actions": Shape({"elements": items(typed(ELEMENTS, *IN_ACTIONS), 25)}, _NAMED),
    "context_actions": Shape({"elements": items(typed(ELEMENTS, "feedback_buttons", "icon_button"), 5)}, _NAMED),
    "image": Shape({**_IMAGE.required}, {**_IMAGE.optional, **_NAMED, "title": text(2000, PLAIN)}, _IMAGE.rule),
    "input": Shape(
        {"label": text(2000, PLAIN), "element": typed(ELEMENTS, *IN_INPUT)},
        {**_NAMED, "hint": text(2000, PLAIN), "optional": boolean, "dispatch_action": boolean},
    ),
    "markdown": Shape({"text": string(12_000)}, _NAMED),
    "rich_text": RICH_TEXT,
    "table": Shape({"rows": items(items(typed(_CELLS), 20), 100)}, {**_NAMED, "column_settings": anything}),
    "video": Shape(
        {"alt_text": string(2000), "video_url": string(3000), "thumbnail_url": string(3000), "title": text(199, PLAIN)},
        {**_NAMED, **dict.fromkeys(_PARTS[1:], anything)},
    ),
    "task_card": _TASK,
    "plan": Shape({"title": string(3000)}, {**_NAMED, "tasks": items(typed({"task_card": _TASK}), 50)}),
    "alert": Shape({"text": text(3000)}, {**_NAMED, "level": one_of("default", "info", "warning", "error", "success")}),
    "card": _CARD,
    "carousel": Shape({"elements": items(typed({"card": _CARD}), 10)}, _NAMED),
    "container": Shape(
        {"child_blocks": items(anything, 10)},
        {
            **_NAMED,
            "title": text(150),
            "subtitle": text(150),
            "icon": anything,
            "width": anything,
            "is_collapsible": boolean,
            "default_collapsed": boolean,
        },
    ),
}

EVERYWHERE = ("section", "header", "divider", "context", "actions", "image", "input", "rich_text", "video")
SURFACES: Mapping[str, tuple[str, ...]] = {
    "message": (
        *EVERYWHERE,
        "context_actions",
        "markdown",
        "table",
        "task_card",
        "plan",
        "card",
        "carousel",
        "container",
    ),
    "modal": (*EVERYWHERE, "alert"),
    "home": EVERYWHERE,
}
_HIDDEN: Mapping[str, Check] = {
    "private_metadata": string(3000, 0),
    "callback_id": string(255, 0),
    "external_id": string(255, 0),
}
VIEWS: Mapping[str, Shape] = {
    "home": Shape({"blocks": anything}, _HIDDEN),
    "modal": Shape(
        {"title": text(24, PLAIN), "blocks": anything},
        {
            **_HIDDEN,
            "submit": text(24, PLAIN),
            "close": text(24, PLAIN),
            "clear_on_close": boolean,
            "notify_on_close": boolean,
            "submit_disabled": boolean,
        },
    ),
}


def check_message(blocks: Any) -> None:
    """Raise what `chat.postMessage` would answer to these blocks."""
    if not isinstance(blocks, list):
        raise Refusal("invalid_blocks_format")
    if len(blocks) > MOST_IN_MESSAGE:
        raise Refusal("msg_blocks_too_many")
    if found := list(faults(blocks, "message")):
        raise Refusal("invalid_blocks", errors=found, response_metadata={"messages": found})
    if sum(len(each) for each in texts(blocks)) > TOTAL_TEXT:
        raise Refusal("msg_blocks_too_long")


def check_view(view: Any, kind: str) -> None:
    """Raise what `views.*` would answer; *kind* is `modal` or `home`."""
    if len(json.dumps(view)) > VIEW_BYTES:
        raise Refusal("view_too_large")
    found = list(typed(VIEWS, kind)(view, "/view"))
    blocks = view.get("blocks") if isinstance(view, dict) else None
    found += list(faults(blocks, kind, at="/view/blocks"))
    if isinstance(blocks, list) and kind == "modal":
        is_form = any(isinstance(block, dict) and block.get("type") == "input" for block in blocks)
        found += [fault("missing required field: submit", "/view")] if is_form and "submit" not in view else []
    if found:
        raise Refusal("invalid_arguments", errors=found, response_metadata={"messages": found})


def faults(blocks: Any, surface: str, at: str = "/blocks") -> Iterator[str]:
    """Everything Slack would refuse about *blocks* on a `message`, a `modal` or a `home` tab."""
    found = list(items(typed(BLOCKS, *SURFACES[surface]), MOST_IN_VIEW, 0 if surface == "home" else 1)(blocks, at))
    yield from found
    if found:
        return  # what is not well-formed cannot be asked more
    yield from _twice("block_id", [block.get("block_id") for block in blocks], at)
    for number, block in enumerate(blocks):
        yield from _twice("action_id", list(_action_ids(block)), f"{at}/{number}")
        yield from _second_eye(block, f"{at}/{number}")
    if sum(block["type"] == "table" for block in blocks) > 1:
        yield fault("only one table allowed", at)


def texts(value: Any) -> Iterator[str]:
    """Every string that a reader could see somewhere in *value*."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str) and name in {"text", "alt_text", "fallback"}:
                yield inner
            else:
                yield from texts(inner)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def _twice(name: str, ids: list[str | None], at: str) -> Iterator[str]:
    for each, count in Counter(one for one in ids if one is not None).items():
        if count > 1:
            yield fault(f"{name} {each!r} already exists", at)


def _action_ids(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "action_id" in value:
            yield value["action_id"]
        for inner in value.values():
            yield from _action_ids(inner)
    elif isinstance(value, list):
        for each in value:
            yield from _action_ids(each)


def _second_eye(block: Json, at: str) -> Iterator[str]:
    """What slack_sdk's own models say."""
    parsed = Block.parse(dict(block))
    if parsed is None:
        yield fault(f"unsupported type: {block.get('type')}", at)
        return
    for part in _parts_of(parsed):
        try:
            part.validate_json()
        except SlackObjectFormationError as error:
            yield fault(str(error), at)


def _parts_of(value: Any) -> Iterator[JsonObject]:
    if isinstance(value, JsonObject):
        yield value
        for inner in vars(value).values():
            yield from _parts_of(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _parts_of(inner)
