"""What thinking costs, and how much of it a run, a person and a day may have.

    a model's answer + its price -> Usage -> sums of the run, of the person today, of everybody today
    sums beside the limits -> Reached: nearly spent (people are asked), or spent (nothing more is thought)

Counted are tokens in and out, steps (answers of a model, and tool calls that ran) and money: micro-dollars, whole
numbers, so that no sum drifts. A day is one of UTC: it ends for everybody at the same moment, wherever a process runs.
Not who is asked, nor what an answer leads to (`bot.runtime.purse`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from bot.domain.calls import Outcome
from bot.domain.chat import PersonId
from bot.domain.ports import Said
from bot.domain.run import Entry, Finished, Step
from bot.domain.wire import Record, unpack

MICRO = 1_000_000  # micro-dollars in a dollar, and tokens in what a price is for
NEARLY = 5  # nearly spent: a fifth of a limit, or less, is left
THINKS = "think:"  # how the mark of a model's answer begins
RUN, PERSON_DAY, DAY = "run", "person_day", "day"
OWN = "/!"  # steps of the runtime itself: no agent's doing


class Price(Record):
    """US dollars for a million tokens."""

    in_: float
    out: float


class Limit(Record):
    """How much may be used. 0: there is no limit."""

    tokens: int = 0  # in and out
    steps: int = 0  # answers of a model, and tool calls that ran
    usd: float = 0.0


NO_LIMIT = Limit()


class Budgets(Record):
    """The limits of one run, of everything one person asks for on a day, and of everybody's together.

    `ask` is an audience: who may allow more of a day's budget where whoever gave the task has no manager.
    """

    run: Limit = NO_LIMIT
    person_day: Limit = NO_LIMIT
    day: Limit = NO_LIMIT
    ask: str = ""

    @property
    def are_daily(self) -> bool:
        """Is any of them a day's? Sums of a day are kept for no other reason."""
        return self.person_day != NO_LIMIT or self.day != NO_LIMIT


class Usage(Record):
    """What was used: tokens, steps, micro-dollars; and how many of the steps were a model's answers."""

    tokens: int = 0
    steps: int = 0
    micros: int = 0
    thoughts: int = 0

    def plus(self, more: Usage) -> Usage:
        return Usage(
            tokens=self.tokens + more.tokens,
            steps=self.steps + more.steps,
            micros=self.micros + more.micros,
            thoughts=self.thoughts + more.thoughts,
        )


NONE = Usage()


class Spending(Record):
    """What one write adds to the sums of a day and of a person on it."""

    day: str
    person: PersonId
    usage: Usage


class Sums(Record):
    """What is used of each budget just now."""

    run: Usage = NONE
    person_day: Usage = NONE
    day: Usage = NONE

    def plus(self, more: Usage) -> Sums:
        return Sums(run=self.run.plus(more), person_day=self.person_day.plus(more), day=self.day.plus(more))


class Reached(Record):
    """One limit that is nearly spent, or spent. Amounts are tokens, steps or micro-dollars."""

    budget: str  # RUN, PERSON_DAY or DAY
    what: str  # tokens, steps or usd
    used: int
    upto: int  # what may be used, with all that people allowed besides
    limit: int
    day: str  # the day it counts for; empty for a run's own

    @property
    def is_spent(self) -> bool:
        return self.used >= self.upto

    @property
    def key(self) -> str:
        return f"{self.budget} {self.day or '-'} {self.what}"

    @property
    def told(self) -> str:
        """One sentence: which budget, how much of it is used, of what."""
        state = "is used up" if self.is_spent else "is nearly used up"
        return f"{WHOSE[self.budget]} {state}: {_amounts(self.what, self.used, self.upto)}."


WHOSE: Mapping[str, str] = {
    RUN: "The budget of this run",
    PERSON_DAY: "Today's budget of whoever gave this task",
    DAY: "Today's budget of everybody together",
}


# ------------------------------------------------------------------- money


def cost_of(price: Price, tokens_in: int, tokens_out: int) -> int:
    """Micro-dollars: dollars for a million tokens are micro-dollars for one."""
    exact = Decimal(str(price.in_)) * tokens_in + Decimal(str(price.out)) * tokens_out
    return int(exact.to_integral_value(ROUND_HALF_UP))


def micros_of(usd: float) -> int:
    return int((Decimal(str(usd)) * MICRO).to_integral_value(ROUND_HALF_UP)) if usd else 0


def dollars(micros: int) -> str:
    """`$1.20`; of less than a cent, as much as it takes to show something."""
    if 0 < micros < MICRO // 100:
        return f"${micros / MICRO:.6f}".rstrip("0")
    return f"${Decimal(micros) / MICRO:,.2f}"


# ------------------------------------------------------------------ counting


class _Cost(Record):
    """The part of a stored `Said` that counts."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0


def usage_of(entry: Entry) -> Usage:
    """What one entry of a journal used: nothing, unless a model answered or a tool ran."""
    match entry:
        case Step(mark=mark, result=result) if mark.startswith(THINKS):
            cost = unpack(_Cost, result.encode())
            return Usage(tokens=cost.tokens_in + cost.tokens_out, steps=1, micros=micros_of(cost.cost), thoughts=1)
        case Finished(path=path, result=result) if result.outcome is not Outcome.NOT_RUN and not path.startswith(OWN):
            return Usage(steps=1)
    return NONE


def said_usage(said: Said) -> Usage:
    return Usage(tokens=said.tokens_in + said.tokens_out, steps=1, micros=micros_of(said.cost), thoughts=1)


def total(entries: Iterable[Entry]) -> Usage:
    """What a run has used so far, by its journal. An entry that is there twice was written once."""
    found, seen = NONE, set[str]()
    for entry in entries:
        used = usage_of(entry)
        if used is not NONE and isinstance(entry, Step | Finished) and entry.path not in seen:
            seen.add(entry.path)
            found = found.plus(used)
    return found


def day_of(now: datetime) -> str:
    """The day of UTC that *now* is in, as 2026-03-31."""
    return now.astimezone(UTC).date().isoformat()


# ------------------------------------------------------------------- limits


def reached(budgets: Budgets, sums: Sums, day: str, allowed: Mapping[str, int]) -> Sequence[Reached]:
    """Every limit that is nearly spent or spent, the run's own first.

    *allowed* is what people have allowed this run, by `Reached.key`: how far it may go instead of the limit.
    """
    found = []
    for budget, limit, used in (
        (RUN, budgets.run, sums.run),
        (PERSON_DAY, budgets.person_day, sums.person_day),
        (DAY, budgets.day, sums.day),
    ):
        for what, most, amount in (
            ("tokens", limit.tokens, used.tokens),
            ("steps", limit.steps, used.steps),
            ("usd", micros_of(limit.usd), used.micros),
        ):
            at = "" if budget == RUN else day
            one = Reached(budget=budget, what=what, used=amount, upto=most, limit=most, day=at)
            one = Reached(budget=budget, what=what, used=amount, upto=allowed.get(one.key, most), limit=most, day=at)
            if most and (one.upto - amount) * NEARLY <= most:
                found.append(one)
    return found


def _amounts(what: str, used: int, upto: int) -> str:
    return f"{dollars(used)} of {dollars(upto)}" if what == "usd" else f"{used:,} of {upto:,} {what}"
