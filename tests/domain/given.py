"""A request to start a test from; every argument has a sensible value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.calls import Risk, ToolCall, ToolSpec, canonical, make_call
from bot.domain.chat import Account, Card, MessageRef, PersonId, Place
from bot.domain.offer import Grant, GrantId
from bot.domain.render import card
from bot.domain.request import Decision, Move, Request, RequestId, RunId, Status, Vote
from bot.domain.verdict import Ask, Need
from bot.domain.wire import Json

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ANA, BO, CY = PersonId("ana"), PersonId("bo"), PersonId("cy")
NAMES = {ANA: "Ana", BO: "Bo", CY: "Cy"}
PLACE = Place(platform="slack", tenant="T1", channel="C1", thread="1.0")

REFUND: dict[str, Json] = {
    "title": "refund",
    "type": "object",
    "properties": {
        "order_id": {"type": "string"},
        "amount": {"type": "number"},
        "currency": {"type": "string", "enum": ["EUR", "USD"], "default": "EUR"},
        "reason": {"type": "string"},
        "token": {"type": "string"},
    },
    "required": ["order_id", "amount"],
}


def spec(name: str = "refund", *, schema: dict[str, Json] | None = None, secrets: tuple[str, ...] = ()) -> ToolSpec:
    text = canonical(schema or REFUND).decode()
    return ToolSpec(
        name=name, version="1", description="Pays money back.", schema=text, risk=Risk.WRITE, secrets=secrets
    )


def call(args: Json = None, *, tool: str = "refund") -> ToolCall:
    return make_call(
        id="call_1", tool=tool, version="1", args={"order_id": "7", "amount": 150} if args is None else args
    )


def ask(*groups: Need, **changes: Any) -> Ask:
    return Ask(rule="big-refund", why="args.amount 150 > 100", groups=groups or (Need(of="finance"),), **changes)


def request(**changes: Any) -> Request:
    fields: dict[str, Any] = {
        "id": RequestId("q1"),
        "run": RunId("r1"),
        "path": "/1.0",
        "call": call(),
        "ask": ask(),
        "policy": "p1",
        "task": "refund order 7",
        "agent": "react",
        "requester": ANA,
        "place": PLACE,
        "opened": NOW,
        "deadline": NOW + timedelta(hours=4),
    }
    return Request(**fields | changes)


def vote(by: PersonId = BO, move: Move = Move.APPROVE, **changes: Any) -> Vote:
    fields: dict[str, Any] = {
        "person": by,
        "account": Account(platform="slack", tenant="T1", user=f"U_{by}"),
        "move": move,
        "digest": call().digest,
        "ref": MessageRef(place=PLACE, id="2.0"),
        "at": NOW + timedelta(minutes=1),
        "delivery": f"d_{by}",
        "seats": (0,),
    }
    return Vote(**fields | changes)


def grant(**changes: Any) -> Grant:
    """More refunds of order 7 for Ana, in her thread, as Bo gave them; two, within an hour."""
    fields: dict[str, Any] = {
        "id": GrantId("g-0-1"),
        "tool": "refund",
        "version": "1",
        "rule": "big-refund",
        "requester": ANA,
        "place": PLACE,
        "run": None,
        "same": '{"order_id":"7"}',
        "most": 2,
        "until": NOW + timedelta(hours=1),
        "is_whole": False,
        "hidden": (),
        "agent": "react",
        "by": BO,
        "account": Account(platform="slack", tenant="T1", user="U_bo"),
        "request": "q1",
        "given": NOW,
    }
    return Grant(**fields | changes)


def decided(status: Status, by: tuple[PersonId, ...] = (BO,), **changes: Any) -> Request:
    rest = {name: changes.pop(name) for name in ("cause", "reason") if name in changes}
    return request(status=status, decision=Decision(status=status, at=NOW, by=by, **rest), **changes)


def drawn(of: Request | None = None, tool: ToolSpec | None = None, **more: Any) -> Card:
    shown = of or request()
    return card(shown, tool or spec(shown.call.tool), names=NAMES, seal=lambda move: f"seal({move})", **more)
