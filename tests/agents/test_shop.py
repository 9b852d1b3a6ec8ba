"""The shop: money once, to the cent, and never more than there is."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.tools.shop import Shop, shop_tools
from bot.domain.calls import Outcome, Risk, ToolResult
from bot.domain.errors import InvalidArguments
from bot.domain.ports import Tool
from tests.agents.given import named, run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop" / "shop.db"


@pytest.fixture
def tools(path: Path) -> dict[str, Tool]:
    return named(shop_tools(Shop.open(path)))


def refunds(path: Path) -> list[tuple[int, int]]:
    """What was really paid: order and cents."""
    with closing(sqlite3.connect(path)) as base:
        return base.execute("SELECT order_id, cents FROM refunds ORDER BY seq").fetchall()


def read(result: ToolResult) -> dict[str, Any]:
    assert result.outcome is Outcome.OK, result.text
    return dict(json.loads(result.text))


def ask(order_id: int = 17, amount: float = 50, **more: str) -> dict[str, Any]:
    return {"order_id": order_id, "amount": amount, "reason": "broken", **more}


def test_every_new_shop_has_the_same_orders(tmp_path: Path) -> None:
    """Examples and tests may name them; opening again adds nothing."""
    shops = [Shop.open(tmp_path / name) for name in ("a.db", "b.db", "a.db")]

    assert len({repr([shop.order(n) for n in (7, 17, 71, 1001, 1042, 1050)]) for shop in shops}) == 1
    with closing(sqlite3.connect(tmp_path / "a.db")) as base:
        assert base.execute("SELECT count(*) FROM orders").fetchone() == (53,)


def test_tools_say_what_they_touch(tools: dict[str, Tool]) -> None:
    """AS-33: money is declared on the tool, in code; the gate does not ask the model."""
    spec = tools["refund"].spec

    assert (spec.risk, spec.touches, spec.is_idempotent) == (Risk.WRITE, ("money",), True)
    assert tools["look_up_order"].spec.risk is Risk.READ


def test_the_amount_and_currency_are_in_the_signed_call(tools: dict[str, Tool]) -> None:
    """GN-08: order, amount, currency and reason all stand on the card, because they are all arguments."""
    assert tools["refund"].check(ask()) == {"order_id": 17, "amount": 50.0, "reason": "broken", "currency": "USD"}


async def test_a_refund_is_paid_and_seen_on_the_order(tools: dict[str, Tool], path: Path) -> None:
    """GN-08: a structured result."""
    paid = read(await run(tools["refund"], ask(amount=100.01)))
    order = read(await run(tools["look_up_order"], {"order_id": 17}))

    assert paid == {"refund_id": "RF-0001", "order_id": 17, "amount": 100.01, "currency": "USD", "status": "refunded"}
    assert (order["total"], order["refunded"], order["left"]) == (240.0, 100.01, 139.99)
    assert refunds(path) == [(17, 10001)]


async def test_two_approvals_get_two_refund_ids(tools: dict[str, Tool]) -> None:
    """GN-08: the original's constant RF-001 is not an id."""
    first = read(await run(tools["refund"], ask(), key="k1"))
    second = read(await run(tools["refund"], ask(), key="k2"))

    assert first["refund_id"] != second["refund_id"]


async def test_the_same_key_pays_once(tools: dict[str, Tool], path: Path) -> None:
    """I2, T06: started again after a crash, and by many at once, it finds its first refund."""
    results = await asyncio.gather(*(run(tools["refund"], ask(amount=200), key="k1") for _ in range(8)))

    assert len({result.text for result in results}) == 1
    assert refunds(path) == [(17, 20000)]


async def test_a_key_never_pays_for_something_else(tools: dict[str, Tool], path: Path) -> None:
    """A key names one call."""
    await run(tools["refund"], ask(), key="k1")

    result = await run(tools["refund"], ask(amount=51), key="k1")

    assert result.outcome is Outcome.ERROR
    assert refunds(path) == [(17, 5000)]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (ask(amount=240.01), "Order 17 has 240.00 USD left to refund; 240.01 is more."),
        (ask(order_id=404), "There is no order 404."),
        (ask(currency="EUR"), "Order 17 is in USD, not in EUR."),
    ],
)
async def test_a_refund_that_does_not_fit_pays_nothing(
    tools: dict[str, Tool], path: Path, args: dict[str, Any], told: str
) -> None:
    """D-28: and the reason is one sentence for people."""
    result = await run(tools["refund"], args)

    assert (result.outcome, result.text) == (Outcome.ERROR, told)
    assert refunds(path) == []


@pytest.mark.parametrize("change", [{"amount": 0}, {"amount": -5}, {"amount": 1.001}, {"reason": ""}, {"order_id": 0}])
def test_arguments_that_make_no_sense_never_reach_a_card(tools: dict[str, Tool], change: dict[str, Any]) -> None:
    """D-28: negative and zero refused, before anybody is asked."""
    with pytest.raises(InvalidArguments):
        tools["refund"].check(ask() | change)


@given(cents=st.lists(st.integers(1, 9_000), max_size=8))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_series_of_refunds_pays_more_than_the_order(tmp_path: Path, cents: list[int]) -> None:
    """D-28: splitting does not help, and cents add up exactly."""
    shop = Shop.open(tmp_path / f"{hash(tuple(cents))}.db")
    tools = named(shop_tools(shop))
    before = shop.order(17)

    async def pay() -> list[ToolResult]:
        keys = [f"{before.refunded}-{n}" for n in range(len(cents))]
        return [await run(tools["refund"], ask(amount=c / 100), key=key) for c, key in zip(cents, keys, strict=True)]

    results = asyncio.run(pay())

    paid = sum(c for c, result in zip(cents, results, strict=True) if result.outcome is Outcome.OK)
    after = shop.order(17)
    assert round(after.refunded * 100) == round(before.refunded * 100) + paid <= 24_000


async def test_more_is_never_paid_by_many_at_once(tools: dict[str, Tool], path: Path) -> None:
    """Ten people, one order: 240 hold four times 60."""
    results = await asyncio.gather(*(run(tools["refund"], ask(amount=60), key=f"k{n}") for n in range(10)))

    assert [result.outcome for result in results].count(Outcome.OK) == 4
    assert sum(cents for _, cents in refunds(path)) == 24_000


async def test_an_order_is_cancelled_once(tools: dict[str, Tool]) -> None:
    """The same key finds it done; another key is told."""
    args = {"order_id": 71, "reason": "typo"}

    first, again = await run(tools["cancel_order"], args, key="k1"), await run(tools["cancel_order"], args, key="k1")
    other = await run(tools["cancel_order"], args, key="k2")

    assert read(first)["status"] == "cancelled"
    assert again == first
    assert other.text == "Order 71 is already cancelled."


async def test_a_locked_shop_is_an_error_and_pays_nothing(
    tools: dict[str, Tool], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program holds the file."""
    monkeypatch.setattr("agents.tools.shop.BUSY", 0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        result = await run(tools["refund"], ask())
        other.execute("ROLLBACK")

    assert result.outcome is Outcome.ERROR
    assert refunds(path) == []


# ------------------------------------------------------------------ buying

GOODS: dict[str, Any] = {"item": "Desk", "currency": "EUR", "supplier": "Nordic Wood"}
ORDER = GOODS | {"quantity": 3, "unit_price": 199.99}


def bought(path: Path) -> list[tuple[str, int, int, str]]:
    with closing(sqlite3.connect(path)) as base:
        return base.execute("SELECT item, quantity, cents, currency FROM purchases ORDER BY seq").fetchall()


def test_the_total_is_in_the_signed_call(tools: dict[str, Tool]) -> None:
    """ST-06: people and the policy read what all of it costs; nobody has to work it out."""
    assert tools["buy"].check(ORDER) == ORDER | {"total": 599.97}


@pytest.mark.parametrize(
    "change",
    [{"total": 5}, {"total": True}, {"quantity": 0}, {"quantity": True}, {"unit_price": -1}, {"currency": "euro"},
     {"quantity": 100_000, "unit_price": 9_999_999_999.99}],
)  # fmt: skip
def test_a_purchase_that_makes_no_sense_never_reaches_a_card(tools: dict[str, Tool], change: dict[str, Any]) -> None:
    """ST-06, D-28: a total of the agent's own must be the true one."""
    with pytest.raises(InvalidArguments):
        tools["buy"].check(ORDER | change)


async def test_a_purchase_is_kept_once_per_key(tools: dict[str, Tool], path: Path) -> None:
    """ST-06, I2."""
    first = read(await run(tools["buy"], ORDER, key="k1"))
    again = read(await run(tools["buy"], ORDER, key="k1"))
    other = await run(tools["buy"], ORDER | {"quantity": 4}, key="k1")

    assert first == again
    assert (first["purchase_id"], first["total"]) == ("PO-0001", 599.97)
    assert other.text == "This key has already bought something else. Nothing was bought now."
    assert bought(path) == [("Desk", 3, 59997, "EUR")]
