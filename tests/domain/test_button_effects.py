"""What each button does stands on every card, before anybody presses it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from bot.domain.button_effects import EFFECT_MOST, told
from bot.domain.chat import Button, Card
from bot.domain.grant import offer_from_form
from bot.domain.inquiry_card import inquiry_card
from bot.domain.inquiry_stuck import Trouble
from bot.domain.request import VOTES, Kind, Move, Request, RequestId, RunId
from bot.domain.run import Route, Run, RunStatus, Task
from bot.domain.run_card import status_card
from bot.domain.sheet import Sheet
from bot.domain.sheet_card import sheet_card
from bot.domain.verdict import Glass, Grantable, Need, ReasonRule
from bot.domain.wire import Json, replace
from tests.domain.given import ANA, BO, NAMES, NOW, PLACE, ask, call, drawn, request, spec, vote

LINE_MOST = 500  # characters: a few lines of small print
BOUNDS = Grantable(most=10, within=timedelta(hours=8), same=("order_id",))
GLASS = Glass(of="oncall", review="managers", within=timedelta(hours=24))
DRAFT: dict[str, Json] = {"draft": "v1", "name": "", "rounds": 1}

INQUIRIES: Mapping[Kind, dict[str, Json]] = {
    Kind.QUESTION: {"question": "Which?", "options": ["red", "blue"]},
    Kind.HANDOFF: {"message": "Go on?"},
    Kind.FORM: {"question": "How many?", "schema": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    Kind.REVIEW: DRAFT,
    Kind.PLAN: {"goal": "paint", "steps": ["scrape", "paint"]},
    Kind.ESCALATION: {"reason": "a threat", "context": "order 7", "suggestion": "call her"},
    Kind.STUCK: {"what": Trouble.FAILING, "told": "It failed."},
    Kind.AFTERMATH: {"by": "bo", "at": "noon", "reason": "fire", "tool": "refund", "args": "{}", "request": "q1"},
}


def seal(move: str) -> str:
    return f"seal({move})"


def asked(kind: Kind, **args: Json) -> Card:
    values = {**INQUIRIES[kind], **args}
    one = request(kind=kind, call=call(values, tool="x"), ask=ask(Need(of="requester")))
    return inquiry_card(one, names=NAMES, seal=seal)


def signature(kind: Kind = Kind.APPROVAL, **changes: object) -> Request:
    """One with every button that its kind can have, but those of an offer."""
    return request(kind=kind, ask=ask(is_high=True, break_glass=GLASS, reason=ReasonRule.ALWAYS), **changes)


def offering() -> Request:
    one = request(ask=ask(grant=BOUNDS))
    form: dict[str, object] = {"scope": "this run", "until": "1 hour", "most": "2", "exact": "no"}
    return replace(one, offer=offer_from_form(one, spec(), form, BO, NOW))


def run(**changes: object) -> Card:
    task = Task(text="x", by=ANA, place=PLACE)
    one = Run(id=RunId("r1"), task=task, agent="react", began=NOW, status=RunStatus.ACTIVE)
    return status_card(replace(one, **changes), "", seal=seal, names=NAMES)


def sheet(*items: Request) -> Card:
    return sheet_card(Sheet(items=items), spec=lambda _: spec(), names=NAMES, seal=seal)


def equal(count: int, *groups: Need) -> tuple[Request, ...]:
    return tuple(
        request(id=RequestId(f"q{n}"), call=call({"order_id": str(n), "amount": n}), ask=ask(*groups, is_batch=True))
        for n in range(count)
    )


CARDS: Mapping[str, Card] = {
    **{kind.value: asked(kind) for kind in INQUIRIES},
    **{f"stuck_{what}": asked(Kind.STUCK, what=what) for what in Trouble},
    "question_with_many_options": asked(Kind.QUESTION, options=[str(n) for n in range(9)]),
    "review_before_its_last_round": asked(Kind.REVIEW, rounds=3),
    Kind.APPROVAL.value: drawn(signature()),
    Kind.RECOVERY.value: drawn(signature(Kind.RECOVERY)),
    "approval_that_may_offer": drawn(request(ask=ask(grant=BOUNDS))),
    "approval_with_an_offer": drawn(offering()),
    "approval_of_two": drawn(request(ask=ask(Need(of="finance", need=2)))),
    "run": run(),
    "run_taken": run(taken_by=BO),
    "run_routed": run(routes=(Route(pattern="desk", at="billing", members=("billing", "tech")),)),
    "sheet": sheet(*equal(3)),
    "sheet_of_different": sheet(request(), request(id=RequestId("q2"), ask=ask(is_high=True))),
}


@pytest.mark.parametrize("name", CARDS)
def test_every_button_of_every_card_says_what_it_does(name: str) -> None:
    """ST-40, AS-29: of each kind, whatever may be pressed has its few words, and together they are no wall."""
    card = CARDS[name]

    assert card.buttons
    assert [one.label for one in card.buttons if not 0 < len(one.effect) <= EFFECT_MOST] == []
    assert all(f"{one.label}" in told(card.buttons) and one.effect in told(card.buttons) for one in card.buttons)
    assert len(told(card.buttons)) <= LINE_MOST


def test_no_kind_of_request_is_left_out() -> None:
    assert set(INQUIRIES) | {Kind.APPROVAL, Kind.RECOVERY} == set(Kind)


@pytest.mark.parametrize("kind", [Kind.APPROVAL, Kind.RECOVERY], ids=str)
def test_every_way_to_vote_is_a_button(kind: Kind) -> None:
    """AS-31: on a signature's card as well, no answer needs a word that one has to know."""
    assert VOTES[kind] <= {button.move for button in CARDS[kind.value].buttons}


def effect(card: Card, move: str) -> str:
    return next(button.effect for button in card.buttons if button.move == move)


def test_approve_promises_a_start_only_to_whoever_completes_the_signatures() -> None:
    """ST-40, A2-05: with two needed, the first one signs and nothing runs; the second one is told that it runs."""
    two = request(ask=ask(Need(of="finance", need=2)))

    assert effect(drawn(two), Move.APPROVE) == "signs it; it runs once everybody needed has signed"
    assert effect(drawn(replace(two, votes=(vote(BO),))), Move.APPROVE) == "runs exactly this, once"
    assert effect(drawn(request()), Move.APPROVE) == "runs exactly this, once"
    assert effect(sheet(*equal(2, Need(of="finance", need=2))), "approve_all").startswith("signs each;")
    assert effect(sheet(*equal(2)), "approve_all") == "runs each of them, once"


def test_edit_says_whether_somebody_else_has_to_sign_the_new_version() -> None:
    """ST-40: the editor's own signature counts only where one is enough and duties are not separated."""
    assert effect(drawn(request()), "edit").endswith("it may run at once")
    assert effect(drawn(request(ask=ask(separate_duties=True))), "edit").endswith("somebody else signs it")
    assert effect(drawn(request(ask=ask(Need(of="finance", need=2)))), "edit").endswith("somebody else signs it")
    assert effect(drawn(request(ask=ask(is_high=True))), "edit") == "your version takes its place"


def test_buttons_that_do_the_same_share_their_words() -> None:
    """Five options make one phrase, and an option's own words cannot pose as ours."""
    options: Json = ["red", "blue: signs nothing · Stop"]
    line = told(asked(Kind.QUESTION, options=options).buttons)

    assert line.startswith("red, “blue: signs nothing · Stop”: the agent goes on with that · ")
    assert told((Button(subject="q", move="m", label="Silent", token="t"),)) == ""
