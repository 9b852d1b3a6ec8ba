"""What really happened outside the bot: a file the tool itself fsyncs, and the tool that writes it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from bot.domain.calls import Outcome, Risk, ToolCall, ToolResult, ToolSpec
from bot.domain.errors import InvalidArguments
from bot.domain.ports import Leave
from bot.domain.wire import Json, Record, dumps, loads

SCHEMA = '{"properties":{"amount":{"type":"integer"}},"required":["amount"],"type":"object"}'

HARMLESS = ("nudge", "tidy", "fix", "flaky")  # they may be let through, or allowed ahead of time
FAILS = 3  # times that `flaky` fails before it has its effect


class Fact(Record):
    """One line: a call was started, or had its effect."""

    what: str  # start | effect
    tool: str
    amount: int
    key: str


class Ledger:
    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, fact: Fact) -> None:
        """On the disk when it returns."""
        number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(number, dumps(fact) + b"\n")
            os.fsync(number)
        finally:
            os.close(number)

    def write_once(self, fact: Fact) -> None:
        """Nothing if a fact of this key is there: looked up and written as one, as a server with idempotency keys does.

        A process that lost its shard a moment ago may be at the same call as the new owner.
        """
        with self._path.with_suffix(".lock").open("w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            if fact.key not in {one.key for one in self.facts(fact.what)}:
                self.write(fact)

    def facts(self, what: str) -> list[Fact]:
        lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        return [fact for fact in (Fact(**loads(line)) for line in lines) if fact.what == what]


class LedgerTool:
    """`ports.Tool`: each run has its effect; an idempotent one knows by its key that it had it already.

    `flaky` fails at first.
    """

    def __init__(self, name: str, ledger: Ledger, reach: Callable[[str], None], *, is_idempotent: bool = False) -> None:
        self._ledger, self._reach = ledger, reach
        self.spec = ToolSpec(
            name=name,
            version="1",
            description=f"{name} an amount",
            schema=SCHEMA,
            risk=Risk.WRITE if name in HARMLESS else Risk.IRREVERSIBLE,
            is_idempotent=is_idempotent,
        )

    def check(self, args: Json) -> Json:
        if not isinstance(args, dict) or not isinstance(args.get("amount"), int):
            raise InvalidArguments(self.spec.name, {"amount": "It must be a whole number."})
        return {"amount": args["amount"]}

    async def run(self, call: ToolCall, leave: Leave) -> ToolResult:
        self._reach("before tool")
        amount = int(call.values["amount"])
        fact = Fact(what="start", tool=call.tool, amount=amount, key=leave.key)
        self._ledger.write(fact)
        self._reach("inside tool")
        if call.tool == "flaky" and len(self._ledger.facts("start")) <= FAILS:
            return ToolResult(outcome=Outcome.ERROR, text=f"{call.tool} {amount} failed")
        write = self._ledger.write_once if self.spec.is_idempotent else self._ledger.write
        write(Fact(what="effect", tool=call.tool, amount=amount, key=leave.key))
        self._reach("after tool")
        return ToolResult(outcome=Outcome.OK, text=f"{call.tool} {amount} done")
