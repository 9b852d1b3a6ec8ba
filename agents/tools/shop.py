"""A small shop in one SQLite file: orders to look up, refund and cancel, and goods to buy for it.

refund(key) -> row with this key? -> return it
                 └ no -> order, currency, what is left -> insert -> commit (fsync) -> return

The tables are the truth: one row per refund, one unique key per row, so that a call started twice pays once.
Money is whole cents inside and a JSON number with at most two decimals outside. Owns no rules about who may refund.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, WithJsonSchema

from agents.toolbox import Shown, ToolProblem, tool
from bot.domain.calls import Evidence, Risk
from bot.domain.ports import Leave, Tool
from bot.domain.wire import Record

BUSY = 10.0  # seconds to wait for another writer

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, customer TEXT NOT NULL, item TEXT NOT NULL, cents INTEGER NOT NULL,
    currency TEXT NOT NULL, status TEXT NOT NULL, cancel_key TEXT UNIQUE, cancel_reason TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS refunds (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, order_id INTEGER NOT NULL REFERENCES orders (id),
    cents INTEGER NOT NULL CHECK (cents > 0), reason TEXT NOT NULL,
    at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;
CREATE TABLE IF NOT EXISTS purchases (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, item TEXT NOT NULL, supplier TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0), cents INTEGER NOT NULL CHECK (cents > 0), currency TEXT NOT NULL,
    at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;
"""


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("It must be a number")
    return value


Money = Annotated[
    Decimal,
    BeforeValidator(_no_bool),
    Field(gt=0, max_digits=12, decimal_places=2),
    PlainSerializer(float, return_type=float, when_used="json"),  # 12 digits survive a float
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "description": "money, with at most two decimals"}),
]


def _product(given: object, info: ValidationInfo) -> object:
    """Quantity times price: worked out where nobody says it, and compared where somebody does."""
    quantity, price = info.data.get("arg_quantity"), info.data.get("arg_unit_price")
    if quantity is None or price is None:
        raise ValueError("It cannot be worked out")
    total = quantity * price
    if given is not None and (isinstance(given, bool) or Decimal(str(given)) != total):
        raise ValueError(f"It must be {quantity} times {price:f}, which is {total:f}")
    return total


Total = Annotated[Money, BeforeValidator(_product)]
Quantity = Annotated[int, BeforeValidator(_no_bool), Field(ge=1, le=100_000)]
Line = Annotated[str, Field(min_length=1, max_length=200)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
OrderId = Annotated[int, Field(ge=1, le=10**9)]
Reason = Annotated[str, Field(min_length=1, max_length=500)]


class Order(Record):
    """One order. `refunded` and `left` are in `currency`, as numbers with at most two decimals."""

    order_id: int
    customer: str
    item: str
    status: str
    currency: str
    total: float
    refunded: float
    left: float


class Refunded(Record):
    refund_id: str
    order_id: int
    amount: float
    currency: str
    status: str = "refunded"


class Bought(Record):
    purchase_id: str
    item: str
    supplier: str
    quantity: int
    total: float
    currency: str
    status: str = "ordered"


class Shop:
    """The shop's file. Every method is one transaction on a connection of its own: safe from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def open(cls, path: Path) -> Self:
        """The shop at *path*; a new file gets its orders. Blocks for one disk write."""
        path.parent.mkdir(parents=True, exist_ok=True)
        shop = cls(path)
        with closing(shop._connect()) as base:
            base.execute("PRAGMA journal_mode=WAL")
            base.executescript(SCHEMA)
        with shop._changing() as base:
            if base.execute("SELECT count(*) FROM orders").fetchone()[0] == 0:
                base.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, 'paid', NULL, NULL)", _seed())
        return shop

    def order(self, order_id: int) -> Order:
        with closing(self._connect()) as base:
            return _order(base, order_id)

    def refund(self, order_id: int, cents: int, currency: str, reason: str, *, key: str) -> Refunded:
        """Pay back, once per *key*. Raises ToolProblem, and then nothing has changed."""
        with self._changing() as base:
            earlier = base.execute("SELECT seq, order_id, cents FROM refunds WHERE key = ?", (key,)).fetchone()
            order = _order(base, order_id)
            if earlier is not None:
                _must_be_same(tuple(earlier[1:]), (order_id, cents))
                return _refunded(earlier[0], order, cents)
            _must_fit(order, cents, currency)
            insert = "INSERT INTO refunds (key, order_id, cents, reason) VALUES (?, ?, ?, ?)"
            return _refunded(base.execute(insert, (key, order_id, cents, reason)).lastrowid or 0, order, cents)

    def would_refund(self, order_id: int, cents: int, currency: str) -> str:
        """What `refund` would come to now. Raises ToolProblem, as it would."""
        order = self.order(order_id)
        _must_fit(order, cents, currency)

        def money(amount: float) -> str:
            return f"{amount:,.2f} {order.currency}"

        after = order.refunded + cents / 100
        return (
            f"Refunded so far {money(order.refunded)}, left to refund {money(order.left)}.\n"
            f"With this {order.customer} gets {money(after)} of {money(order.total)} back in all; "
            f"{money(order.total - after)} stay."
        )

    def cancel(self, order_id: int, reason: str, *, key: str) -> Order:
        """Cancel an order that is not cancelled yet. The same *key* again finds it done."""
        with self._changing() as base:
            order = _order(base, order_id)
            if order.status == "cancelled":
                row = base.execute("SELECT cancel_key FROM orders WHERE id = ?", (order_id,)).fetchone()
                if row[0] != key:
                    raise ToolProblem(f"Order {order_id} is already cancelled.")
                return order
            update = "UPDATE orders SET status = 'cancelled', cancel_key = ?, cancel_reason = ? WHERE id = ?"
            base.execute(update, (key, reason, order_id))
            return _order(base, order_id)

    def buy(self, item: str, quantity: int, cents: int, currency: str, supplier: str, *, key: str) -> Bought:
        """Order from a supplier, once per *key*; *cents* is the price of all of it. Raises ToolProblem."""
        wanted = (item, supplier, quantity, cents, currency)
        with self._changing() as base:
            select = "SELECT item, supplier, quantity, cents, currency, seq FROM purchases WHERE key = ?"
            earlier = base.execute(select, (key,)).fetchone()
            if earlier is not None and tuple(earlier[:5]) != wanted:
                raise ToolProblem("This key has already bought something else. Nothing was bought now.")
            insert = "INSERT INTO purchases (key, item, supplier, quantity, cents, currency) VALUES (?, ?, ?, ?, ?, ?)"
            seq = earlier[5] if earlier else base.execute(insert, (key, *wanted)).lastrowid or 0
        return Bought(
            purchase_id=f"PO-{seq:04d}", item=item, supplier=supplier, quantity=quantity, total=cents / 100,
            currency=currency,
        )  # fmt: skip

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: all of it is on disk afterwards, or none."""
        with closing(self._connect()) as base:
            base.execute("BEGIN IMMEDIATE")
            try:
                yield base
            except BaseException:
                base.execute("ROLLBACK")
                raise
            base.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        base = sqlite3.connect(self._path, timeout=BUSY, isolation_level=None)
        base.execute("PRAGMA synchronous=FULL")
        base.execute("PRAGMA foreign_keys=ON")
        return base


def shop_tools(shop: Shop) -> tuple[Tool, ...]:
    """What an agent may do in *shop*."""

    @tool(risk=Risk.READ, touches=("orders",), category="business")
    def look_up_order(order_id: OrderId) -> Shown:
        """Show an order: customer, item, total, what was refunded and what is left.

        Args:
            order_id: the order's number
        """
        return Shown(shop.order(order_id), sources=(f"order {order_id} in the shop",))

    def before_refund(order_id: int, amount: Decimal, reason: str, currency: str) -> Evidence:  # noqa: ARG001  # a preview takes what its tool takes
        return Evidence(label=f"order {order_id}", text=shop.would_refund(order_id, int(amount * 100), currency))

    @tool(risk=Risk.WRITE, touches=("money",), idempotent=True, category="business", preview=before_refund)
    def refund(
        order_id: OrderId, amount: Money, reason: Reason, currency: Currency = "USD", *, leave: Leave
    ) -> Refunded:
        """Pay money back to the customer of an order. Never more than what is left of it.

        Args:
            order_id: the order's number
            reason: why, in a few words; the customer may read it
            currency: the order's own currency
        """
        return shop.refund(order_id, int(amount * 100), currency, reason, key=leave.key)

    def before_cancel(order_id: int, reason: str) -> Evidence:  # noqa: ARG001  # as above
        order = shop.order(order_id)
        if order.status == "cancelled":
            raise ToolProblem(f"Order {order_id} is already cancelled.")
        told = f"{order.customer}, {order.item}, {order.total:,.2f} {order.currency}; it is {order.status}."
        return Evidence(label=f"order {order_id}", text=f"{told}\nNo money is paid back by this.")

    @tool(risk=Risk.WRITE, touches=("orders",), idempotent=True, category="business", preview=before_cancel)
    def cancel_order(order_id: OrderId, reason: Reason, *, leave: Leave) -> Order:
        """Cancel an order. Money is not paid back by this.

        Args:
            order_id: the order's number
            reason: why, in a few words
        """
        return shop.cancel(order_id, reason, key=leave.key)

    return look_up_order, refund, cancel_order, _buying(shop)


def _buying(shop: Shop) -> Tool:
    @tool(risk=Risk.IRREVERSIBLE, touches=("money",), idempotent=True, category="business")
    def buy(
        item: Line,
        quantity: Quantity,
        unit_price: Money,
        currency: Currency,
        supplier: Line,
        total: Total = None,  # type: ignore[assignment]  # worked out before it is read
        *,
        leave: Leave,
    ) -> Bought:
        """Buy goods for the shop. The supplier delivers and sends a bill; it cannot be called back.

        Args:
            item: what is bought, as the supplier calls it
            supplier: who delivers it
            total: leave it out; it is quantity times unit_price
        """
        assert total == quantity * unit_price, "the call was not read before it ran"
        return shop.buy(item, quantity, int(total * 100), currency, supplier, key=leave.key)

    return buy


# ------------------------------------------------------------------ inside


def _order(base: sqlite3.Connection, order_id: int) -> Order:
    row = base.execute(
        "SELECT customer, item, status, currency, cents FROM orders WHERE id = ?", (order_id,)
    ).fetchone()
    if row is None:
        raise ToolProblem(f"There is no order {order_id}.")
    customer, item, status, currency, cents = row
    back = base.execute("SELECT coalesce(sum(cents), 0) FROM refunds WHERE order_id = ?", (order_id,)).fetchone()[0]
    return Order(
        order_id=order_id,
        customer=customer,
        item=item,
        status=status,
        currency=currency,
        total=cents / 100,
        refunded=back / 100,
        left=(cents - back) / 100,
    )


def _must_fit(order: Order, cents: int, currency: str) -> None:
    if currency != order.currency:
        raise ToolProblem(f"Order {order.order_id} is in {order.currency}, not in {currency}.")
    if cents > round(order.left * 100):
        left = f"{order.left:.2f} {order.currency}"
        raise ToolProblem(f"Order {order.order_id} has {left} left to refund; {cents / 100:.2f} is more.")


def _must_be_same(earlier: tuple[Any, ...], now: tuple[int, int]) -> None:
    if earlier != now:
        raise ToolProblem("This key has already paid another refund. Nothing was paid now.")


def _refunded(seq: int, order: Order, cents: int) -> Refunded:
    return Refunded(refund_id=f"RF-{seq:04d}", order_id=order.order_id, amount=cents / 100, currency=order.currency)


def _seed() -> Iterator[tuple[int, str, str, int, str]]:
    """The same orders in every new shop."""
    names = ("Alice Moreau", "Bilal Khan", "Chiara Rossi", "Daniel Okafor", "Emma Lind")
    items = ("Desk lamp", "Office chair", "Monitor arm", "Standing desk", "Headset", "Keyboard", "Whiteboard")
    for at, number in enumerate((7, 17, 71, *range(1001, 1051))):
        cents = 24_000 if number in (7, 17, 71) else 5_000 + (number * 3_719) % 95_000
        yield number, names[at % len(names)], items[at % len(items)], cents, "USD"
