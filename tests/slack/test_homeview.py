"""The Home tab: everything that waits, nothing signed unread, never more than Slack takes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.slack.homeview import home_value, home_view, read_home_value
from adapters.slack.limits import view_faults
from bot.domain.chat import Attachment, Block, Card, Fact, MessageRef, Place
from bot.domain.grant import is_allowing, offer_from_form
from bot.domain.offer import GrantId
from bot.domain.pages import Awaited, RunView, Settled, Waiting
from bot.domain.request import Kind, RequestId, RunId
from bot.domain.verdict import Grantable
from bot.domain.wire import Json, replace
from tests.contracts.chat import HOSTILE
from tests.domain.given import ANA, NOW, PLACE, ask, call, drawn, grant, request, spec
from tests.hostile import TEXT
from tests.lists import ANY_CARD, REF, running, settled, waiting
from tests.slack.drawing import buttons, labels, parsed, texts
from tests.slack.second import sdk_view_faults


def home(
    *rows: Waiting, asked: tuple[RunView, ...] = (), done: tuple[Settled, ...] = (), report: str = ""
) -> list[dict[str, Any]]:
    view = home_view(rows, asked, done, report, now=NOW)
    assert view_faults(view) + sdk_view_faults(view) == []
    return list(view["blocks"])


def test_what_somebody_allowed_stands_there_with_its_end_and_a_button() -> None:
    """T07: what it matches, what is left, and a press away from being asked about again; eight of them at most."""
    blocks = home_view([], [], [], allowed=[grant(id=GrantId(f"g-0-{n}")) for n in range(9)], now=NOW)["blocks"]
    rows = [block for block in blocks if "accessory" in block]
    at = next(n for n, block in enumerate(blocks) if block.get("text", {}).get("text") == "What I allowed")

    assert len(rows) == 8
    assert blocks[at + 1]["text"]["text"].endswith("2 of 2 left, until 2026-05-01 13:00 UTC")
    assert 'refund, version 1, where order_id = "7"' in rows[0]["text"]["text"]
    button = rows[0]["accessory"]
    assert (button["text"]["text"], bool(button["confirm"])) == ("Revoke", True)
    assert read_home_value(button["value"]) == ("g-0-0", "-", MessageRef(place=PLACE, id=""))
    assert "1 more: /countersign grants lists them all." in str(blocks[-1])
    assert "What I allowed" not in str(home_view([], [], [], now=NOW))


def test_what_is_put_off_stands_below_with_its_return_and_never_among_what_waits() -> None:
    """PN-12: eight of them at most, by the clock of whoever looks; the menu has nothing past the deadline."""
    until = NOW + timedelta(hours=1)
    off = [replace(waiting(), request=RequestId(f"q{n}"), put_off=until) for n in range(9)]
    real = RequestId("q-127-3efc3e5ffbacf342a4fc514e")  # as long as ids are
    due = replace(waiting(), request=real, deadline=NOW + timedelta(hours=2))
    blocks = home_view([due, *off], [], [], zone="Europe/Berlin", now=NOW)["blocks"]
    heads = [block["text"]["text"] for block in blocks if block["type"] == "header"]
    menus = [block["accessory"] for block in blocks if block.get("accessory", {}).get("type") == "overflow"]
    rows = [block for block in blocks if block.get("accessory", {}).get("text", {}).get("text") == "Show now"]

    assert heads[:2] == ["Waiting for you", "Put off"]
    assert [[line["text"]["text"] for line in menu["options"]] for menu in menus] == [["Put off for 1 hour"]]
    assert len(rows) == 8
    assert rows[0]["text"]["text"].endswith("Until Fri 1 May 2026, 15:00 (Europe/Berlin)")
    assert "1 more: /countersign pending lists them all." in str(blocks)
    late = home_view([replace(due, deadline=NOW)], [], [], now=NOW)["blocks"]
    assert not any(block.get("accessory", {}).get("type") == "overflow" for block in late)
    assert view_faults({"type": "home", "blocks": blocks}) + sdk_view_faults({"type": "home", "blocks": blocks}) == []


def test_a_managers_tab_names_a_few_of_those_who_are_asked_and_counts_the_rest() -> None:
    """PN-12: rows to read; hostile names stay on their line."""
    names = (*(f"P{n}" for n in range(5)), HOSTILE)
    team = [Awaited(request=RequestId("q1"), run=RunId("r1"), tool="refund", people=names, opened=NOW)] * 9

    blocks = home_view([], [], [], team=team, now=NOW)["blocks"]

    told = [text for text in texts(blocks) if "· waits for" in text]
    assert told == ["refund · waits for P0, P1, P2, P3, 2 more · asked just now"] * 8
    assert "1 more: /countersign pending team lists them all." in str(blocks)
    assert not [block for block in blocks if "accessory" in block]


def test_terms_are_given_on_the_card_alone() -> None:
    """T07: a row shows no terms, so it has neither the form for them nor the button that gives them."""
    bounded = replace(request().ask, grant=Grantable(most=5, within=timedelta(hours=8), same=("order_id",)))
    asked = request(ask=bounded)
    terms = {"scope": "this run", "until": "1 hour", "most": "2", "exact": "no"}
    offer = offer_from_form(asked, spec(), terms, ANA, NOW)

    for shown in (drawn(asked), drawn(replace(asked, offer=offer))):
        assert any(is_allowing(button.move) for button in shown.buttons)
        row = str(home(waiting(shown)))
        assert "Approve" in row
        assert not any(label in row for label in ("allow more", "Approve and give it", "Drop it"))


def with_args(args: dict[str, Json]) -> Card:
    return drawn(request(call=call(args)))


# ----------------------------------------------------------------- values


def test_a_row_button_says_which_message_it_is_about() -> None:
    """T14: a press on the Home tab counts for the shown copy, and for no other."""
    direct = MessageRef(place=Place(platform="teams", tenant="t", channel="19:x@y", is_direct=True), id="1")

    for ref in (REF, direct):
        assert read_home_value(home_value("q1", "seal", ref)) == ("q1", "seal", ref)


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "",
        "q1 seal",
        "1",
        "1[]",
        '1{"s":"q1","t":"x"}',
        '2{"s":"q1","t":"x","r":{}}',
        '1{"s":"q1","t":"x","r":{"place":{},"id":"1"}}',
        home_value("q 1", "seal", REF),
        home_value("q1", "", REF),
        home_value("q1", "x" * 2_000, REF),
        "[" * 2_000,
        "\ud800",
    ],
)
def test_a_value_that_is_not_ours_is_not_read(value: object) -> None:
    """T13: whatever a client makes up is refused without an error."""
    assert read_home_value(value) is None


# ---------------------------------------------------------------- waiting


def test_a_short_request_can_be_signed_in_its_row() -> None:
    """PN-12: its arguments and every fact but the tool and digest, which the title and nobody need, stand there."""
    blocks = home(waiting())

    assert labels(blocks) == ["Approve", "Edit", "Reject", "Explain", "Details", "Stop"]
    read = "\n".join(texts(blocks))
    assert "Approval needed: refund\nWaiting for an answer. Asked 3 hours ago." in read
    assert '{\n  "amount": 150,\n  "order_id": "7"\n}' in texts(blocks)
    assert "Risk\nwrite: changes something" in texts(blocks)
    assert {read_home_value(button["value"]) for button in buttons(blocks)} == {
        *(("q1", f"seal({move})", REF) for move in ("approve", "edit", "reject", "explain", "details")),
        ("r1", "seal(stop)", REF),
    }


@pytest.mark.parametrize(
    "card",
    [
        with_args({"order_id": "7", "reason": "x" * 900}),
        with_args({"order_id": "7", "reason": "x" * 5_000}),
        with_args({f"a{n}": "x" * 121 for n in range(7)}),
        drawn(request(kind=Kind.RECOVERY, call=call({"reason": "x" * 900}))),
        replace(drawn(), attachments=(Attachment(name="a.json", content=b"{}", sha256="0"),)),
        replace(drawn(), blocks=(Block(label="Arguments", text="not shown"), Block(label="x", text="y", is_code=True))),
        replace(drawn(), title="x" * 201),
        replace(drawn(), facts=tuple(Fact(label=f"{n}", value="x") for n in range(11))),
    ],
)
def test_what_does_not_stand_whole_in_its_row_cannot_be_signed_there(card: Card) -> None:
    """T02: nobody signs on a summary. The card in its thread shows everything."""
    blocks = home(waiting(card))

    assert not {"Approve", "Edit", "It did not – run it now"} & set(labels(blocks))
    assert {"Reject", "Stop"} & set(labels(blocks))
    assert "open the card to read everything" in "\n".join(texts(blocks))


def test_a_row_just_within_the_bound_shows_every_character() -> None:
    """T02: the bound is about what is read, and nothing below it is cut."""
    body = "x" * 600

    blocks = home(waiting(with_args({"body": body})))

    assert "Approve" in labels(blocks)
    assert any(body in text for text in texts(blocks))


def test_a_request_without_a_posted_card_has_no_buttons_yet() -> None:
    """T14: there is no message the press could be about."""
    blocks = home(waiting(ref=None))

    assert labels(blocks) == []
    assert "Its card is not posted yet." in "\n".join(texts(blocks))


def test_a_high_risk_row_still_asks_once_more() -> None:
    blocks = home(waiting(drawn(request(ask=ask(is_high=True)))))

    assert buttons(blocks)[0]["confirm"]["text"]["text"] == "Run refund with exactly the arguments shown?"


def test_buttons_that_do_not_fit_a_value_are_left_to_the_card() -> None:
    """A message id may be as long as its platform likes."""
    far = MessageRef(place=PLACE, id="x" * 2_000)

    assert labels(home(waiting(ref=far))) == []


# --------------------------------------------------------------- the whole


@pytest.mark.parametrize(("count", "more"), [(25, None), (26, "1 more"), (400, "375 more")])
def test_a_long_list_is_paged_and_says_how_much_is_left(count: int, more: str | None) -> None:
    """100 blocks at most; what is not shown is counted."""
    rows = [waiting()] * count

    blocks = home(*rows, asked=(running(),) * 9, done=(settled(),) * 20)

    assert labels(blocks).count("Approve") == 25
    told = [text for text in texts(blocks) if "/countersign pending" in text]
    assert told == ([f"{more}: /countersign pending lists them all."] if more else [])
    assert len({button["action_id"] for button in buttons(blocks)}) == len(buttons(blocks))


@settings(max_examples=40, deadline=None)
@given(st.lists(ANY_CARD, max_size=4), st.integers(1, 10), st.lists(TEXT, max_size=4))
def test_any_home_is_without_faults_and_without_markup(cards: list[Card], times: int, tasks: list[str]) -> None:
    """T04: hostile rows by the dozen, and still a view that Slack takes."""
    rows = [waiting(card) for card in cards] * times

    blocks = home(*rows, asked=tuple(map(running, tasks)), done=tuple(map(settled, cards)))

    assert parsed(blocks) == []
    shown = sum(text.startswith("Approval") or "Asked 3 hours ago." in text for text in texts(blocks))
    left = [int(text.split(" more:")[0]) for text in texts(blocks) if text.endswith("pending lists them all.")]
    assert shown + sum(left) == len(rows)


def test_rows_too_large_for_one_view_make_it_shorter_not_refused() -> None:
    """250 KB at most: 25 rows of 1,000 characters that travel as twelve bytes each do not fit."""
    facts = tuple(Fact(label=f"{n}", value="😀" * 45) for n in range(10))
    large = replace(drawn(), title="😀" * 100, facts=facts, status="😀" * 150)

    blocks = home(*[waiting(large)] * 25, asked=(running("😀" * 100),) * 8, done=(settled(large),) * 8)

    assert 10 < labels(blocks).count("Approve") < 25


def test_a_living_run_can_be_stopped_and_an_ended_one_cannot() -> None:
    """AS-16: from anywhere, at any time."""
    blocks = home(asked=(running(), running("mail Bo", stop=None)))

    (stop,) = buttons(blocks)
    assert read_home_value(stop["value"]) == ("r1", "seal", MessageRef(place=PLACE, id=""))
    assert "refund order 7\nwaiting · began just now" in texts(blocks)
    assert "mail Bo\nwaiting · began just now" in texts(blocks)


def test_what_one_decided_is_told_with_what_came_of_it() -> None:
    (line,) = [text for text in texts(home(done=(settled(),))) if "You pressed" in text]

    assert line.startswith("Rejected: refund\nYou pressed reject just now. Rejected by Bo at")


def test_an_empty_home_says_what_will_stand_there() -> None:
    assert texts(home()) == [
        "Waiting for you",
        "Nothing waits for you.",
        "You asked for",
        "Nothing yet. Mention me with a task, in a channel or here under Messages.",
        "You decided lately",
        "Nothing yet.",
    ]


def test_nobodys_words_can_pose_as_a_row() -> None:
    """T01, T21: a task of several lines stays on its line, and markup stays text."""
    forged = f"x\nWaiting for an answer. {HOSTILE}"

    blocks = home(asked=(running(forged),))

    assert f"x Waiting for an answer. {HOSTILE}\nwaiting · began just now" in texts(blocks)
    assert parsed(blocks) == []


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=2, minutes=59), "2 hours ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=40), "40 days ago"),
    ],
)
def test_ages_are_told_as_exactly_as_one_needs_them(age: timedelta, told: str) -> None:
    view = home_view([replace(waiting(), opened=NOW - age)], [], [], now=NOW)

    assert any(f"Asked {told}." in text for text in texts(view["blocks"]))


# ----------------------------------------------------------------- report


def test_how_approvals_go_stands_last_and_only_for_whom_there_is_a_report() -> None:
    """T19, T32: a person's own list comes first; whoever may see no report sees no heading for one either."""
    with_report, without = home(report="14 decided"), home()

    assert texts(with_report[-2:]) == ["How approvals go", "14 decided"]
    assert "How approvals go" not in texts(without)


@pytest.mark.parametrize("report", [HOSTILE, "x" * 9_000, "\u202e <@U1>\n<!channel>"])
def test_a_report_of_any_names_and_any_length_is_literal_and_fits(report: str) -> None:
    """T04: names come from people; `home` asserts that the view has no faults."""
    blocks = home(*[waiting()] * 60, report=report)

    assert texts(blocks[-2:])[0] == "How approvals go"
    assert blocks[-1]["text"]["type"] == "plain_text"
