"""The inbox as a card: everything that waits, nothing signed unread, never more than Teams takes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import rows
from adapters.teams import limits
from adapters.teams.inboxview import Lists, inbox_card
from adapters.teams.presses import read_data
from adapters.teams.reading import read_behind
from bot.domain.chat import Attachment, Card
from bot.domain.grant import offer_from_form
from bot.domain.pages import Waiting
from bot.domain.verdict import Grantable
from bot.domain.wire import dumps, replace
from tests.contracts.chat import HOSTILE
from tests.domain.given import ANA, NOW, ask, call, drawn, grant, request, spec
from tests.hostile import TEXT
from tests.lists import ANY_CARD, REF, running, settled, waiting
from tests.teams.drawing import live, texts, unshown
from tests.teams.oracle import complaints


def shown(*waits: Waiting, told: str = "", **more: Any) -> dict[str, Any]:
    card = inbox_card(Lists(waiting=waits, now=NOW, **more), told=told).card
    assert limits.faults(card) == ()
    assert complaints(card) == []
    assert live(card) == []
    return card


def actions(node: Any) -> list[dict[str, Any]]:
    """Every button of the card, in the order of the screen; not those inside of a ShowCard."""
    children = [*node.get("body", ()), *node.get("items", ())]
    own = node["actions"] if node.get("type") == "ActionSet" else []
    return [*own, *(found for child in children for found in actions(child))]


def titles(card: dict[str, Any]) -> list[str]:
    return [action["title"] for action in actions(card)]


def read(card: dict[str, Any]) -> str:
    return "\n".join(unshown(text) for text in texts(card))


def test_a_short_request_can_be_signed_in_its_row_and_its_buttons_say_which_card_they_mean() -> None:
    """PN-12, T14: its arguments and every fact but the tool and digest stand there."""
    card = shown(waiting())

    assert titles(card)[:7] == ["Approve", "Edit", "Reject", "Explain", "Details", "Stop", "Open"]
    assert '"amount": 150' in read(card).replace("\u00a0", " ")
    assert "Asked 3 hours ago." in read(card)
    pressed = [read_data(action["data"]) for action in actions(card)]
    approve = next(one for one in pressed if one is not None and one.move == "approve")
    assert (approve.subject, approve.token) == ("q1", "seal(approve)")
    assert read_behind(approve.behind) == REF


@pytest.mark.parametrize(
    "card",
    [
        drawn(request(call=call({"order_id": "7", "reason": "x" * 1_100}))),
        replace(drawn(), attachments=(Attachment(name="a", content=b"x", sha256="0"),)),
        replace(drawn(), blocks=()),
        replace(drawn(), title="x" * 300),
    ],
    ids=["long", "attached", "no arguments", "long title"],
)
def test_what_does_not_stand_whole_in_its_row_has_no_approve_there(card: Card) -> None:
    """T01: "Open" shows it whole."""
    found = titles(shown(waiting(card)))

    assert "Approve" not in found
    assert "Edit" not in found
    assert "Open" in found


def test_terms_are_given_on_the_card_alone() -> None:
    """T07: a row shows no terms, so it has neither the form for them nor the button that gives them."""
    bounded = replace(ask(), grant=Grantable(most=5, within=timedelta(hours=8), same=("order_id",)))
    asked = request(ask=bounded)
    terms = {"scope": "this run", "until": "1 hour", "most": "2", "exact": "no"}
    offer = offer_from_form(asked, spec(), terms, ANA, NOW)

    for one in (drawn(asked), drawn(replace(asked, offer=offer))):
        found = titles(shown(waiting(one)))
        assert "Approve" in found
        assert not any("allow more" in title or "give it" in title or "Drop" in title for title in found)


def test_a_card_that_is_not_posted_yet_says_so_and_has_no_buttons() -> None:
    card = shown(waiting(ref=None))

    assert rows.NO_CARD in read(card)
    assert "Approve" not in titles(card)
    assert "Open" not in titles(card)


def test_what_is_put_off_stands_apart_and_can_be_shown_again() -> None:
    card = shown(waiting(put_off=NOW + timedelta(hours=5)))

    assert "Nothing waits for you." in read(card)
    assert "Put off" in read(card)
    assert "Show now" in titles(card)
    assert "Approve" not in titles(card)


def test_nothing_is_put_off_past_its_deadline() -> None:
    assert "Put off" in titles(shown(waiting(deadline=NOW + timedelta(hours=2))))
    assert "Put off" not in titles(shown(waiting(deadline=NOW + timedelta(minutes=30))))


def test_a_thousand_requests_are_counted_and_the_first_ones_can_all_be_opened() -> None:
    """Rows give up their buttons before they go, and what has no row is counted."""
    card = shown(*[waiting()] * 1_000)

    opened = titles(card).count("Open")
    assert 15 <= opened <= rows.WAITING_MOST
    assert f"{1_000 - opened} more: write pending 1 to list them all." in read(card)


def test_a_list_too_large_for_one_card_still_says_what_waits() -> None:
    grants = [replace(grant(), same=dumps({"note": "x" * 5_000}).decode()) for _ in range(30)]
    more = {"allowed": grants, "asked": [running("z" * 9_000)] * 40, "report": "r" * 9_000}
    card = shown(*[waiting()] * 40, told="y" * 50_000, **more)

    assert "Waiting for you" in read(card)
    assert "40 more" in read(card) or "15 more" in read(card)


@given(
    cards=st.lists(ANY_CARD, max_size=3),
    text=TEXT | st.just(HOSTILE),
)
@settings(max_examples=60, deadline=None)
def test_whatever_people_and_agents_wrote_the_list_is_whole_and_inert(cards: list[Card], text: str) -> None:
    """T01: no text of a row is markup, a mention or a button."""
    card = shown(
        *[waiting(one) for one in cards],
        told=text,
        asked=[running(text)],
        settled=[settled(one) for one in cards],
        report=text,
        away=text,
    )

    about = {action["data"]["countersign"]["subject"] for action in actions(card) if "data" in action}
    assert about <= {"q1", "r1", "back"}
