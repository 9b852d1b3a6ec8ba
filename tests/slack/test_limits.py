"""What Slack would refuse is known before it is sent: each limit holds at its number and bites one above it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from adapters.lengths import size
from adapters.slack.limits import MESSAGE_BLOCKS, MESSAGE_TEXT, VIEW_BLOCKS, VIEW_BYTES, faults, view_faults, weight
from tests.slack.second import sdk_faults, sdk_view_faults

Raw = dict[str, Any]


def plain(text: str = "a") -> Raw:
    return {"type": "plain_text", "text": text, "emoji": False}


def section(text: str = "a") -> Raw:
    return {"type": "section", "text": plain(text)}


def button(**changes: Any) -> Raw:
    return {"type": "button", "text": plain(), "action_id": "cs.approve", "value": "q t"} | changes


def actions(*elements: Raw) -> Raw:
    return {"type": "actions", "elements": list(elements)}


def boxed(text: str) -> Raw:
    box = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [box]}


def confirm(**changes: Any) -> Raw:
    texts = {"title": plain(), "text": plain(), "confirm": plain(), "deny": plain()}
    return actions(button(confirm=texts | changes))


def select(**changes: Any) -> Raw:
    element: Raw = {"type": "static_select", "action_id": "v", "options": [option()]}
    return question(element | changes)


def option(text: str = "a", value: str = "a") -> Raw:
    return {"text": plain(text), "value": value}


def question(element: Raw | None = None, **changes: Any) -> Raw:
    typed = {"type": "plain_text_input", "action_id": "v"}
    return {"type": "input", "block_id": "f.a", "label": plain(), "element": element or typed} | changes


def modal(*blocks: Raw, **changes: Any) -> Raw:
    return {"type": "modal", "title": plain(), "submit": plain(), "blocks": list(blocks or (section(),))} | changes


CELL: Raw = {"type": "raw_text", "text": "a"}


def groups(many: int, each: int = 1, label: str = "a") -> Raw:
    """A select whose options stand in groups."""
    some = [option(str(i), str(i)) for i in range(each)]
    element = {
        "type": "static_select",
        "action_id": "v",
        "option_groups": [{"label": plain(label), "options": some}] * many,
    }
    return question(element)


def listed(kind: str, many: int) -> Raw:
    return {"type": kind, "action_id": "v", "options": [option(str(i), str(i)) for i in range(many)]}


def icon(number: int) -> Raw:
    return {"type": "icon_button", "action_id": f"cs.a.{number}", "icon": "trash", "text": plain(), "value": "q t"}


def image(**changes: Any) -> Raw:
    return {"type": "image", "image_url": "https://a.b/c.png", "alt_text": "a"} | changes


AT_LIMIT = [
    ("header", 150, lambda n: {"type": "header", "text": plain("a" * n)}),
    ("section.text", 3_000, lambda n: section("a" * n)),
    ("section.fields length", 2_000, lambda n: {"type": "section", "fields": [plain("a" * n)]}),
    ("section.fields count", 10, lambda n: {"type": "section", "fields": [plain()] * n}),
    ("context count", 10, lambda n: {"type": "context", "elements": [plain()] * n}),
    ("context length", 3_000, lambda n: {"type": "context", "elements": [plain("a" * n)]}),
    ("rich text", 3_000, lambda n: boxed("a" * n)),
    ("actions count", 25, lambda n: actions(*(button(action_id=f"cs.a.{i}") for i in range(n)))),
    ("button label", 75, lambda n: actions(button(text=plain("a" * n)))),
    ("button value", 2_000, lambda n: actions(button(value="a" * n))),
    ("action_id", 255, lambda n: actions(button(action_id="a" * n))),
    ("block_id", 255, lambda n: section() | {"block_id": "a" * n}),
    ("confirm title", 100, lambda n: confirm(title=plain("a" * n))),
    ("confirm text", 300, lambda n: confirm(text=plain("a" * n))),
    ("confirm yes", 30, lambda n: confirm(confirm=plain("a" * n))),
    ("confirm no", 30, lambda n: confirm(deny=plain("a" * n))),
    ("options", 100, lambda n: select(options=[option(str(i), str(i)) for i in range(n)])),
    ("option text", 75, lambda n: select(options=[option("a" * n)])),
    ("option value", 150, lambda n: select(options=[option("a", "a" * n)])),
    ("input label", 2_000, lambda n: question(label=plain("a" * n))),
    ("input hint", 2_000, lambda n: question(hint=plain("a" * n))),
    (
        "initial value",
        3_000,
        lambda n: question({"type": "plain_text_input", "action_id": "v", "initial_value": "a" * n}),
    ),
    ("longest answer", 3_000, lambda n: question({"type": "plain_text_input", "action_id": "v", "max_length": n})),
    ("placeholder", 150, lambda n: select(placeholder=plain("a" * n))),
    ("option groups", 100, lambda n: groups(n)),
    ("options of a group", 100, lambda n: groups(1, n)),
    ("label of a group", 75, lambda n: groups(1, label="a" * n)),
    ("option description", 75, lambda n: select(options=[option() | {"description": plain("a" * n)}])),
    ("overflow", 5, lambda n: section() | {"accessory": listed("overflow", n)}),
    ("radio buttons", 10, lambda n: question(listed("radio_buttons", n))),
    ("checkboxes", 10, lambda n: question(listed("checkboxes", n))),
    ("button url", 3_000, lambda n: actions(button(url="https://a.b/".ljust(n, "a")))),
    ("button for screen readers", 75, lambda n: actions(button(accessibility_label="a" * n))),
    ("button prompt", 4_000, lambda n: actions(button(agent_prompt="a" * n))),
    ("context actions", 5, lambda n: {"type": "context_actions", "elements": [icon(i) for i in range(n)]}),
    ("image url", 3_000, lambda n: image(image_url="https://a.b/".ljust(n, "a"))),
    ("image words", 2_000, lambda n: image(alt_text="a" * n)),
    ("image title", 2_000, lambda n: image(title=plain("a" * n))),
    ("markdown", 12_000, lambda n: {"type": "markdown", "text": "a" * n}),
    ("card title", 150, lambda n: {"type": "card", "title": plain("a" * n)}),
    ("card subtitle", 150, lambda n: {"type": "card", "title": plain(), "subtitle": plain("a" * n)}),
    ("card body", 200, lambda n: {"type": "card", "body": plain("a" * n)}),
    ("carousel", 10, lambda n: {"type": "carousel", "elements": [{"type": "card", "title": plain()}] * n}),
    ("container title", 150, lambda n: {"type": "container", "title": plain("a" * n), "child_blocks": [section()]}),
    ("container", 10, lambda n: {"type": "container", "title": plain(), "child_blocks": [section()] * n}),
    ("table rows", 100, lambda n: {"type": "table", "rows": [[CELL]] * n}),
    ("table cells", 20, lambda n: {"type": "table", "rows": [[CELL] * n]}),
]


@pytest.mark.parametrize(("most", "made"), [row[1:] for row in AT_LIMIT], ids=[row[0] for row in AT_LIMIT])
def test_a_limit_holds_at_its_number_and_bites_one_above(most: int, made: Any) -> None:
    """Slack's own numbers, as documented or as slack_sdk checks them."""
    assert faults([made(most)], VIEW_BLOCKS) + sdk_faults([made(most)]) == []
    assert faults([made(most + 1)], VIEW_BLOCKS) != []


@pytest.mark.parametrize("most", [MESSAGE_BLOCKS, VIEW_BLOCKS])
def test_there_are_only_so_many_blocks(most: int) -> None:
    assert faults([section()] * most, most) == []
    assert faults([section()] * (most + 1), most) == [f"{most + 1} blocks, most is {most}"]


def test_a_message_may_not_be_long_in_all_though_each_block_is_short() -> None:
    """bolt-js#2509: `msg_blocks_too_long` came at about 13,200 characters."""
    blocks = [section("a" * 2_500)] * 4

    assert faults(blocks) == []
    assert faults([*blocks, section("b")]) == [f"{MESSAGE_TEXT + 1} characters in all blocks, most is {MESSAGE_TEXT}"]
    assert faults([*blocks, section("b")], VIEW_BLOCKS) == []


def test_length_is_counted_as_slack_may_count_it() -> None:
    """An emoji may be two characters, and an escaped `&` travels as five."""
    assert (size("aé😀"), weight([section("&<")])) == (4, 9)
    assert faults([{"type": "header", "text": plain("😀" * 75)}]) == []
    assert faults([{"type": "header", "text": plain("😀" * 76)}]) != []


@pytest.mark.parametrize(
    ("block", "told"),
    [
        (section(" \n"), "plain_text has no text"),
        (boxed(""), "text has no text"),
        (section() | {"colour": "red"}, "section does not take colour"),
        (actions(button(disabled=True)), "button does not take disabled"),
        (actions(button(text={"type": "mrkdwn", "text": "*a*"})), "button.text cannot be mrkdwn"),
        ({"type": "header", "text": {"type": "mrkdwn", "text": "a"}}, "header.text cannot be mrkdwn"),
        (actions(plain()), "actions.elements cannot be plain_text"),
        ({"type": "context", "elements": [button()]}, "context.elements cannot be button"),
        (question(button()), "input.element cannot be button"),
        ({"type": "actions", "elements": []}, "actions.elements holds 0"),
        ({"type": "data_table", "rows": []}, "unknown type 'data_table'"),
        ({"text": plain()}, "unknown type 'None'"),
        ({"type": "section"}, "section needs text or fields"),
        ({"type": "rich_text"}, "rich_text needs elements"),
        (actions(button(style="green")), "button.style cannot be 'green'"),
        (actions({"type": "button", "text": plain()}), "button needs action_id"),
        (
            {"type": "task_card", "task_id": "t", "title": "a", "status": "late"},
            "task_card.status cannot be 'late'",
        ),
        ({"type": "alert", "text": plain(), "level": "loud"}, "alert.level cannot be 'loud'"),
    ],
)
def test_what_else_slack_refuses_is_named(block: Raw, told: str) -> None:
    """Half of these pass slack_sdk's own models."""
    (fault,) = faults([block], VIEW_BLOCKS)

    assert fault.startswith("block 0: ")
    assert told in fault


def test_an_alert_stands_in_modals_alone() -> None:
    """java-slack-sdk#1624."""
    alert = {"type": "alert", "text": plain(), "level": "warning"}

    assert faults([alert], VIEW_BLOCKS) == []
    assert faults([alert]) == ["an alert stands in modals alone"]


def test_two_things_of_one_name_are_found() -> None:
    """A press names its block and button; a second one of the same name could be either."""
    twins = [section() | {"block_id": "x"}, actions(button(), button()) | {"block_id": "x"}]

    assert faults(twins) == ["block_id 'x' stands 2 times", "action_id 'cs.approve' stands 2 times"]


def test_the_inputs_of_a_form_may_share_their_action_id() -> None:
    """`state.values` tells them apart by their block."""
    assert view_faults(modal(question(), question(block_id="f.b"))) == []


@pytest.mark.parametrize(
    ("view", "told"),
    [
        (modal(title=plain("a" * 25)), "modal.title is 25"),
        (modal(submit=plain("a" * 25)), "modal.submit is 25"),
        (modal(close=plain("a" * 25)), "modal.close is 25"),
        (modal(private_metadata="a" * 3_001), "private_metadata is longer than 3000"),
        (modal(callback_id="a" * 256), "modal.callback_id is 256"),
        (modal(question(), submit=None), "input blocks need a submit button"),
        (modal(title=None), "a modal needs a title"),
        (modal(size="big"), "modal does not take size"),
        (modal(type="popup"), "neither modal nor home"),
        ({"type": "home", "blocks": [section()], "title": plain()}, "home does not take title"),
        (modal(*[section()] * 101), "101 blocks, most is 100"),
        (modal(section("")), "plain_text has no text"),
        (modal(blocks=[]), "holds no blocks"),
        (modal(*[section("é" * 3_000)] * 14), "bytes, most is 250000"),
    ],
)
def test_a_whole_view_is_checked_too(view: Raw, told: str) -> None:
    view = {key: value for key, value in view.items() if value is not None}

    assert any(told in fault for fault in view_faults(view))


def test_a_view_at_its_limits_has_no_faults() -> None:
    full = modal(
        *[section()] * 99,
        question(),
        title=plain("a" * 24),
        submit=plain("a" * 24),
        close=plain("a" * 24),
        private_metadata="a" * 3_000,
        callback_id="a" * 255,
    )

    assert view_faults(full) + sdk_view_faults(full) == []
    assert view_faults({"type": "home", "blocks": [section()] * 100}) == []
    assert VIEW_BYTES == 250_000


def test_no_text_of_a_block_stands_in_a_fault_or_a_log(caplog: pytest.LogCaptureFixture) -> None:
    """T20: faults are logged."""
    caplog.set_level(logging.DEBUG)
    blocks = [
        section("CANARY" * 600),
        {"type": "marvel", "text": "CANARY"},
        actions({"type": "wonder", "text": "CANARY"}),
        section("CANARY") | {"extra": "CANARY"},
        {"type": "rich_text", "elements": [], "text": "CANARY"},
    ]

    told = faults(blocks)

    assert len(told) == 6
    assert "CANARY" not in "".join(told) + caplog.text
