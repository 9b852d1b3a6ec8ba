"""The purse: before a model is asked, is there anything left; afterwards, what it cost.

    before -> nearly spent? -> people are asked, once, and this branch sleeps -> go on: as much again, for this run
                                                                              -> end it: Spent
                                                                              -> no answer: on, until all is spent
    answered -> its price, and which budget is nearly spent by now, are part of the step that is written

One question for all branches of a run: whoever comes second waits for the same answer. It is put by the runtime and
not by an agent's loop: no model can forge one, none can name who answers it, and it holds for every agent there is.
Nothing of it is an agent's step, so the journal replays the same; what people allowed is read from the journal, too.
Not the sums themselves: they are counted in the step that spends (host, prelude.lua), nor the limits (domain/budget).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple, Protocol

import structlog

from bot.domain import events, inquiry
from bot.domain.budget import (
    MICRO,
    OWN,
    RUN,
    Budgets,
    Price,
    Reached,
    Sums,
    cost_of,
    day_of,
    dollars,
    reached,
    said_usage,
)
from bot.domain.calls import Outcome, ToolResult
from bot.domain.errors import BudgetSpent, TooMany, Twin, UnknownTool, Unsatisfiable
from bot.domain.inquiry_stuck import Trouble
from bot.domain.ports import Said, WantedCall
from bot.domain.request import Kind, RequestId, Status
from bot.domain.run import Decided, Finished, Opened, RunStatus
from bot.domain.store import Batch, Effects, Store
from bot.domain.telling import told
from bot.domain.wire import dumps, replace
from bot.runtime.gatehouse import Gatehouse
from bot.runtime.host import Host
from bot.runtime.journal import patiently

log = structlog.get_logger()
PATH, MARK = f"{OWN}budget", "budget"  # no step of an agent is ever called so
TOOL = "ask_when_stuck"
ANEW = "It begins anew at 00:00 UTC."


class Purses(Protocol):
    """What thinking is measured by."""

    async def before(self, host: Host) -> Sums: ...
    def charged(self, host: Host, before: Sums, model: str, said: Said) -> Said: ...


class Unmetered:
    """Where nothing has a price and nothing a limit."""

    async def before(self, host: Host) -> Sums:  # noqa: ARG002  # the seam's signature
        return Sums()

    def charged(self, host: Host, before: Sums, model: str, said: Said) -> Said:  # noqa: ARG002  # the seam's signature
        return said


class _Asked(NamedTuple):
    """One question about a budget that this run has put."""

    path: str
    key: str
    upto: int  # how far the run may go if the answer is to go on
    request: RequestId


class Purse:
    """Implements `Purses`: one for all runs of a process. *prices* by the models' names; "" is the default one."""

    def __init__(self, store: Store, house: Gatehouse, budgets: Budgets, prices: Mapping[str, Price]) -> None:
        self._store, self._house, self._budgets, self._prices = store, house, budgets, prices

    async def before(self, host: Host) -> Sums:
        """Return what is used so far, once something may still be. Raises BudgetSpent."""
        while True:
            sums = await self._sums(host)
            met = reached(self._budgets, sums, self._day(), allowed(host))
            renewed = [await self._renewed(host, one) for one in met]
            if not any(renewed):
                return sums

    def charged(self, host: Host, before: Sums, model: str, said: Said) -> Said:
        """*said* with its cost, and with which budget is nearly spent after it."""
        price = self._prices.get(model) or self._prices.get("")
        micros = cost_of(price, said.tokens_in, said.tokens_out) if price is not None else 0
        said = replace(said, cost=micros / MICRO) if micros else said
        met = reached(self._budgets, before.plus(said_usage(said)), self._day(), allowed(host))
        return replace(said, nearly=met[0].told) if met else said

    async def _sums(self, host: Host) -> Sums:
        if not self._budgets.are_daily:
            return Sums(run=host.journal.used)
        spent = partial(self._store.spent, self._day(), host.run.task.by)
        person_day, day = await patiently(spent)
        return Sums(run=host.journal.used, person_day=person_day, day=day)

    def _day(self) -> str:
        return day_of(self._store.now())

    # ------------------------------------------------------------- asking

    async def _renewed(self, host: Host, met: Reached) -> bool:
        """Have people just allowed more? False: it goes on as it is. Raises BudgetSpent if it must not go on."""
        await host.until_returned()
        async with host.till:
            asked = next((one for one in reversed(_asked(host)) if one.key == met.key), None)
            if asked is None or _status(host, asked) is Status.SUPERSEDED or _is_used_up(host, asked, met):
                asked = await self._ask(host, met)
        if asked is None:  # nobody can be asked
            return self._goes_on(met, "Nobody is there who could allow more.")
        if host.awake == 1 and not host.calls and host.status is not RunStatus.WAITING:  # somebody else asked it
            await host.write(Batch(op="", count=0, status=RunStatus.WAITING))
        decided = await host.decision(asked.request)
        async with host.till:
            await self._heard(host, asked, decided)
        if decided.decision.status is Status.SUPERSEDED:  # somebody took the run over: ask again when it is back
            return True
        if decided.decision.status is not Status.ANSWERED:
            if met.day not in ("", self._day()):  # that day is over: today's budget is another one
                return True
            return self._goes_on(met, told(decided, "Nobody allowed more"))
        if inquiry.move_of(decided.decision) == "go_on":
            return True
        raise BudgetSpent(met.budget, f"{met.told} {await self._house.called(decided.decision.by)} ended this here.")

    def _goes_on(self, met: Reached, why: str) -> bool:
        """What is left may be used; then it is over."""
        if not met.is_spent:
            return False
        raise BudgetSpent(met.budget, f"{met.told} {why}" if met.budget == RUN else f"{met.told} {ANEW} {why}")

    async def _ask(self, host: Host, met: Reached) -> _Asked | None:
        """Put the question; None if nobody can be asked now."""
        asked = _Asked(f"{PATH}.{len(_asked(host))}", met.key, max(met.upto, met.used) + met.limit, RequestId(""))
        of = "requester" if met.budget == RUN else await self._house.giver(host.run.task.by, self._budgets.ask)
        if not of:
            return None
        args = {"what": Trouble.BUDGET, "told": _question(met), "tried": [_own(host)], "of": of}
        try:
            _, call = self._house.read(WantedCall(id=MARK, tool=TOOL, args=dumps(args).decode()))
            ask = await self._house.inquiry_ask(Kind.STUCK, call, host.run.task.by)
            ask = replace(ask, why="a budget is nearly spent", separate_duties=met.budget != RUN)
            request = replace(self._house.request(host, asked.path, call, ask, ""), kind=Kind.STUCK)
            await self._house.open(host, request, f"{MARK} {asked.key} {asked.upto}")
        except (Unsatisfiable, TooMany, Twin, UnknownTool, ValueError) as error:
            log.warning("budget_not_asked", run=host.id, budget=met.budget, error=str(error))
            return None
        return asked._replace(request=request.id)

    async def _heard(self, host: Host, asked: _Asked, decided: Decided) -> None:
        """Write down once that the run has heard the answer."""
        if asked.path not in host.journal.finished and decided.decision.status is not Status.SUPERSEDED:
            entry = Finished(path=asked.path, result=ToolResult(outcome=Outcome.OK, text=decided.decision.status))
            audit = (events.run_resumed(host.id, asked.request, decided.decision),)
            await host.write(Batch(op="", count=0, entries=(entry,), effects=Effects(audit=audit)))


def allowed(host: Host) -> Mapping[str, int]:
    """How far people let this run go, by `Reached.key`: their last word for each."""
    return {one.key: one.upto for one in _asked(host) if _says(host, one) == "go_on"}


def _asked(host: Host) -> list[_Asked]:
    """Every question about a budget, in the order they were put."""
    found = [entry for path, entries in host.journal.opened.items() if path.startswith(PATH) for entry in entries]
    return [_read(entry) for entry in sorted(found, key=lambda entry: int(entry.path.rpartition(".")[2]))]


def _read(entry: Opened) -> _Asked:
    key, _, upto = entry.mark.removeprefix(f"{MARK} ").rpartition(" ")
    return _Asked(entry.path, key, int(upto), entry.request)


def _status(host: Host, asked: _Asked) -> Status | None:
    decided = host.journal.decided.get(asked.request)
    return decided.decision.status if decided is not None else None


def _says(host: Host, asked: _Asked) -> str:
    decided = host.journal.decided.get(asked.request)
    answered = decided is not None and decided.decision.status is Status.ANSWERED
    return inquiry.move_of(decided.decision) if decided is not None and answered else ""


def _is_used_up(host: Host, asked: _Asked, met: Reached) -> bool:
    """People allowed more than once it was, and that is nearly spent as well: ask again."""
    return _says(host, asked) == "go_on" and met.upto >= asked.upto


def _question(met: Reached) -> str:
    return met.told if met.budget == RUN else f"{met.told} {ANEW}"


def _own(host: Host) -> str:
    """What this run has of it: the same in no other run's question."""
    used = host.journal.used
    money = f", {dollars(used.micros)}" if used.micros else ""
    return f"{host.id}: {used.tokens:,} tokens in {used.steps:,} steps{money}"
