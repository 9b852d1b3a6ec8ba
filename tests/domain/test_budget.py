"""Budgets: money that does not drift, what counts, and when people are asked."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given as holds
from hypothesis import strategies as st

from bot.domain.budget import (
    NONE,
    Budgets,
    Limit,
    Price,
    Sums,
    Usage,
    cost_of,
    day_of,
    dollars,
    micros_of,
    reached,
    total,
    usage_of,
)
from bot.domain.calls import Outcome, ToolResult
from bot.domain.ports import Said
from bot.domain.run import Entry, Finished, Step
from bot.domain.wire import pack

OK = ToolResult(outcome=Outcome.OK, text="ok")


def thought(path: str, said: Said) -> Step:
    return Step(path=path, mark="think:ab", result=pack(said).decode())


@holds(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_dollar_for_a_million_tokens_is_a_micro_dollar_for_one(tokens_in: int, tokens_out: int) -> None:
    """D-37: whole micro-dollars, so that no sum of many answers drifts."""
    assert cost_of(Price(in_=3.0, out=15.0), tokens_in, tokens_out) == 3 * tokens_in + 15 * tokens_out


@holds(st.integers(0, 10**12))
def test_a_cost_that_travels_as_dollars_comes_back_to_the_micro_dollar(micros: int) -> None:
    assert micros_of(micros / 1_000_000) == micros


def test_a_price_below_a_micro_dollar_is_rounded_once_and_not_for_each_token() -> None:
    assert cost_of(Price(in_=0.25, out=0.1), 3, 10) == 2


@pytest.mark.parametrize(
    ("micros", "told"), [(0, "$0.00"), (1_500, "$0.0015"), (10_000, "$0.01"), (1_234_560_000, "$1,234.56")]
)
def test_money_is_told_in_dollars_and_never_as_nothing(micros: int, told: str) -> None:
    assert dollars(micros) == told


def test_what_a_run_used_is_read_from_its_journal_and_each_step_once() -> None:
    """AS-19: answers and tool calls are steps; what was not run, and what the runtime asked, is none."""
    entries: tuple[Entry, ...] = (
        thought("/0", Said(tokens_in=400, tokens_out=100, cost=0.0022)),
        thought("/0", Said(tokens_in=400, tokens_out=100, cost=0.0022)),
        Finished(path="/1.0", result=OK),
        Finished(path="/1.1", result=ToolResult(outcome=Outcome.NOT_RUN, text="no")),
        Finished(path="/!budget.0", result=OK),
        Step(path="/2", mark="now", result=json.dumps("2026")),
    )

    assert total(entries) == Usage(tokens=500, steps=2, micros=2_200, thoughts=1)


def test_an_answer_from_before_there_were_prices_costs_nothing() -> None:
    assert usage_of(Step(path="/0", mark="think:ab", result='1{"text":"hi","tokens_in":3}')) == Usage(
        tokens=3, steps=1, thoughts=1
    )


@pytest.mark.parametrize(("used", "is_told"), [(79, False), (80, True), (99, True), (100, True)])
def test_people_are_asked_at_four_fifths(used: int, is_told: bool) -> None:
    """D-37."""
    met = reached(Budgets(run=Limit(tokens=100)), Sums(run=Usage(tokens=used)), "2026-03-31", {})

    assert [one.is_spent for one in met] == ([used >= 100] if is_told else [])


def test_what_people_allowed_takes_the_place_of_the_limit_for_that_budget_and_day_alone() -> None:
    """D-37: yesterday's leave says nothing about today."""
    budgets, sums = Budgets(day=Limit(usd=1.0)), Sums(day=Usage(micros=1_000_000))
    [met] = reached(budgets, sums, "2026-03-31", {})

    assert not reached(budgets, sums, "2026-03-31", {met.key: 2_000_000})
    assert reached(budgets, sums, "2026-04-01", {met.key: 2_000_000})
    assert met.told == "Today's budget of everybody together is used up: $1.00 of $1.00."


def test_where_there_is_no_limit_nothing_is_reached() -> None:
    assert not reached(Budgets(), Sums(run=Usage(tokens=10**9, steps=10**6, micros=10**12)), "2026-03-31", {})
    assert total(()) == NONE


def test_a_day_is_one_of_utc_wherever_the_clock_stands() -> None:
    late = datetime(2026, 3, 31, 23, 30, tzinfo=timezone(timedelta(hours=-3)))

    assert day_of(late) == "2026-04-01"
    assert day_of(datetime(2026, 3, 31, tzinfo=UTC)) == "2026-03-31"
