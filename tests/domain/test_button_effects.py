"""What each button does stands on every card, before anybody presses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from bot.domain import grant
from bot.domain.button_effects import EFFECT_MOST, told
from bot.domain.chat import Button, Card
from bot.domain.inquiry_card import inquiry_card
from bot.domain.inquiry_stuck import Trouble
from bot.domain.offer import Offer
from bot.domain.request import VOTES, Kind, Move, Request, RequestId, RunId, Status
from bot.domain.run import Run, RunStatus, Task
from bot.domain.run_card import status_card
from bot.domain.sheet import Sheet
from bot.domain.sheet_card import sheet_card
from bot.domain.verdict import Grantable, Need
from bot.domain.wire import Json, replace
from tests.domain.given import ANA, BO, NAMES, NOW, PLACE, ask, call, drawn, request, spec, vote
from tests.slack.pictures import ASKED, CARDS

LINE_MOST = 600  # characters: three to five lines of small print


def seal(move: str) -> str:
    return f"seal({move})"


def effects(card: Card) -> dict[str, str]:
    return {button.move: button.effect for button in card.buttons}


def stuck(what: Trouble) -> Card:
    args: dict[str, Json] = {"what": what, "told": "It failed."}
    return inquiry_card(request(kind=Kind.STUCK, call=call(args, tool="x")), names=NAMES, seal=seal)


def question(*options: str) -> Card:
    args: dict[str, Json] = {"question": "Which?", "options": list(options), "may_write": True}
    return inquiry_card(request(kind=Kind.QUESTION, call=call(args, tool="x")), names=NAMES, seal=seal)


def last_round() -> Card:
    args: dict[str, Json] = {"draft": "v1", "name": "", "rounds": 1}
    return inquiry_card(request(kind=Kind.REVIEW, call=call(args, tool="x")), names=NAMES, seal=seal)
