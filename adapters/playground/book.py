"""The book: every message of the playground, in one SQLite file that outlives the process.

Each write happens in one transaction and gets the next number of one counter (`changed`), so "what is new
since n?" is a single query, also for a second process that shares the file. Calls run on one thread of the
book's own: SQLite is quick, its fsync is not.

Owns rows and their order. Not who may do what (web), nor when a message is handed in (delivery).
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from bot.domain.chat import Card
from bot.domain.errors import ChatUnavailable
from bot.domain.wire import Record, pack, replace, unpack

T = TypeVar("T")

LOCK_WAIT = 5.0  # seconds to wait for the other process's write

SCHEMA = """
CREATE TABLE IF NOT EXISTS counter (one INTEGER PRIMARY KEY CHECK (one = 1), value INTEGER NOT NULL);
INSERT OR IGNORE INTO counter VALUES (1, 0);
CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY,
    born INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    channel TEXT NOT NULL,
    thread TEXT,
    author TEXT NOT NULL,          -- a user; empty: the bot
    seen_by TEXT,                  -- one user; NULL: everybody
    is_whisper INTEGER NOT NULL DEFAULT 0,
    text TEXT NOT NULL DEFAULT '',
    card BLOB,
    at TEXT NOT NULL,
    key TEXT UNIQUE,
    origin TEXT NOT NULL DEFAULT '',
    is_held INTEGER NOT NULL DEFAULT 0,
    is_deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS by_change ON messages (changed);
CREATE INDEX IF NOT EXISTS by_held ON messages (born) WHERE is_held;
"""


class Draft(Record):
    """A message that is not in the book yet. The same `key` is only ever written once."""

    channel: str
    thread: str | None = None
    author: str = ""
    seen_by: str | None = None
    is_whisper: bool = False
    text: str = ""
    card: Card | None = None
    key: str | None = None
    origin: str = ""
    is_held: bool = False  # typed by a person, not yet taken by the front door


class Entry(Record):
    """One message as the book holds it. `born` orders messages; `changed` rises with every change."""

    id: str
    born: int
    changed: int
    channel: str
    thread: str | None
    author: str
    seen_by: str | None
    is_whisper: bool
    text: str
    card: Card | None
    at: datetime
    is_held: bool
    is_deleted: bool

    def is_visible_to(self, user: str) -> bool:
        return self.seen_by in (None, user)


_COLUMNS = ", ".join(Entry.__struct_fields__)


@asynccontextmanager
async def opened(path: Path, clock: Callable[[], datetime]) -> AsyncIterator[Book]:
    """The book at *path*, made if it is missing, closed at the end."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="playground-book") as thread:
        loop = asyncio.get_running_loop()
        db = await loop.run_in_executor(thread, _connect, path)
        try:
            yield Book(db, thread, clock)
        finally:
            await loop.run_in_executor(thread, db.close)


class Book:
    """Every method is one transaction. Raises ChatUnavailable when the file cannot be read or written now."""

    def __init__(self, db: sqlite3.Connection, thread: ThreadPoolExecutor, clock: Callable[[], datetime]) -> None:
        self._db, self._thread, self._clock = db, thread, clock

    async def add(self, draft: Draft) -> Entry:
        """Write *draft*, or return what its key wrote before."""
        return await self._do(lambda: self._add(draft))

    async def redraw(self, id: str, card: Card) -> bool:
        """Replace a card. False if there is nothing to change: deleted, unknown or the same already."""
        return await self._do(lambda: self._set(id, "card = :value", "card IS NOT :value", pack(card)))

    async def delete(self, id: str) -> bool:
        return await self._do(lambda: self._set(id, "is_deleted = 1, is_held = 0", "1"))

    async def took(self, id: str) -> bool:
        """The front door has this message; it is never handed in again."""
        return await self._do(lambda: self._set(id, "is_held = 0", "is_held"))

    async def entry(self, id: str) -> Entry | None:
        rows = await self._do(lambda: self._select("id = ?", (id,)))
        return rows[0] if rows else None

    async def newest(self, user: str, most: int) -> list[Entry]:
        """The latest messages *user* may see, oldest first."""
        seen = "(seen_by IS NULL OR seen_by = ?) AND NOT is_deleted ORDER BY born DESC LIMIT ?"
        return (await self._do(lambda: self._select(seen, (user, most))))[::-1]

    async def since(self, changed: int, user: str) -> list[Entry]:
        """What *user* may see and has changed after *changed*, in the order of the changes."""
        news = "changed > ? AND (seen_by IS NULL OR seen_by = ?) ORDER BY changed"
        return await self._do(lambda: self._select(news, (changed, user)))

    async def held(self, *, origin: str, before: datetime) -> list[Entry]:
        """Messages still to hand in: typed in this process, or left behind by another one *before* a time."""
        left = "is_held AND (origin = ? OR at < ?) ORDER BY born"
        return await self._do(lambda: self._select(left, (origin, before.isoformat())))

    async def latest(self) -> int:
        """The number of the newest change."""
        return await self._do(lambda: int(self._db.execute("SELECT value FROM counter").fetchone()[0]))

    # ------------------------------------------------------------ on the book's thread

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.OperationalError as error:
            raise ChatUnavailable("playground", f"its book: {error}") from error

    def _add(self, draft: Draft) -> Entry:
        with _transaction(self._db):
            rows = self._select("key = ?", (draft.key,)) if draft.key else []
            return rows[0] if rows else self._insert(draft)

    def _insert(self, draft: Draft) -> Entry:
        name, number = secrets.token_hex(8), self._next()
        row = {field: getattr(draft, field) for field in Draft.__struct_fields__} | {
            "id": name,
            "born": number,
            "changed": number,
            "card": pack(draft.card) if draft.card else None,
            "at": self._clock().isoformat(),
        }
        columns = ", ".join(row)
        self._db.execute(f"INSERT INTO messages ({columns}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
        return self._select("id = ?", (name,))[0]

    def _set(self, id: str, change: str, only_if: str, value: bytes | None = None) -> bool:
        """*change* and *only_if* are texts of this module; what came from outside travels as a parameter."""
        where = f"id = :id AND NOT is_deleted AND {only_if}"
        with _transaction(self._db):
            values = {"id": id, "value": value, "number": self._next()}
            return (
                self._db.execute(f"UPDATE messages SET {change}, changed = :number WHERE {where}", values).rowcount > 0
            )

    def _next(self) -> int:
        row = self._db.execute("UPDATE counter SET value = value + 1 RETURNING value").fetchall()
        return int(row[0][0])

    def _select(self, where: str, values: tuple[object, ...]) -> list[Entry]:
        return [_entry(row) for row in self._db.execute(f"SELECT {_COLUMNS} FROM messages WHERE {where}", values)]


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=LOCK_WAIT, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")  # anything weaker lets a power cut forget what somebody typed
    db.executescript(SCHEMA)
    return db


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Read and write under one lock, across processes; all of it or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _entry(row: tuple[object, ...]) -> Entry:
    """A row as a record. SQLite has no booleans and no cards; everything else is read strictly."""
    values = dict(zip(Entry.__struct_fields__, row, strict=True))
    card = values.pop("card")
    values |= {field: bool(values[field]) for field in ("is_whisper", "is_held", "is_deleted")}
    entry = msgspec.convert(values | {"card": None}, Entry, strict=True)
    return replace(entry, card=unpack(Card, card)) if isinstance(card, bytes) else entry
