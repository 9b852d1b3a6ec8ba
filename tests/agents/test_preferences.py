"""Preferences: each person's own, few, sealed, and never half changed."""

from __future__ import annotations

import asyncio

import pytest

from agents.tools.preferences import preference_tools
from bot.domain.calls import Outcome, Risk
from bot.domain.chat import PersonId
from bot.domain.errors import InvalidArguments
from bot.domain.ports import Tool
from bot.domain.preferences import MOST, BeingChanged, Preferences, TooManyWishes
from bot.domain.wire import Json
from tests.agents.given import named, run
from tests.fakes.keep import MemoryKeep

ANA, BO = PersonId("ana"), PersonId("bo")


@pytest.fixture
def liked() -> Preferences:
    return Preferences(MemoryKeep())


@pytest.fixture
def tools(liked: Preferences) -> dict[str, Tool]:
    return named(preference_tools(liked))


async def test_what_is_remembered_is_known_of_that_person_alone(tools: dict[str, Tool], liked: Preferences) -> None:
    """ST-14: the leave says whose it is (`ana`); there is no argument for it."""
    first = await run(tools["preference"], {"name": "notification"})
    await run(tools["remember_preference"], {"name": "notification", "value": "push"})
    second = await run(tools["preference"], {"name": "notification"})

    assert (first.text, second.text) == (
        "notification: not known; ask them, and remember the answer.",
        "notification: 'push'",
    )
    assert (await liked.all(ANA), await liked.all(BO)) == ({"notification": "push"}, {})
    assert tools["preference"].spec.risk is Risk.READ
    with pytest.raises(InvalidArguments):
        tools["remember_preference"].check({"name": "x", "value": "y", "person": "bo"})


@pytest.mark.parametrize("args", [{"name": "A b"}, {"name": ""}, {"name": "x", "value": ""}, {"value": "a\nb"}])
def test_names_are_plain_and_values_short(tools: dict[str, Tool], args: dict[str, Json]) -> None:
    with pytest.raises(InvalidArguments):
        tools["remember_preference"].check({"name": "x", "value": "y", **args})


async def test_forgetting_takes_a_name_a_value_or_everything(liked: Preferences) -> None:
    """ST-14."""
    for name, value in (("a", "Push"), ("b", "push"), ("c", "sms"), ("d", "mail")):
        await liked.set(ANA, name, value)

    assert await liked.forget(ANA, "push") == ("a", "b")
    assert await liked.forget(ANA, "c") == ("c",)
    assert await liked.forget(ANA, "c") == ()
    assert await liked.forget(ANA, "everything") == ("d",)
    assert await liked.all(ANA) == {}


async def test_two_changes_at_once_lose_neither(liked: Preferences) -> None:
    """One of them is told to try again."""
    results = await asyncio.gather(*(liked.set(ANA, f"n{n}", "x") for n in range(4)), return_exceptions=True)

    done = [f"n{n}" for n, result in enumerate(results) if result is None]
    assert all(result is None or isinstance(result, BeingChanged) for result in results)
    assert sorted(await liked.all(ANA)) == done
    assert done


async def test_there_is_an_end_to_them(liked: Preferences, tools: dict[str, Tool]) -> None:
    for n in range(MOST):
        await liked.set(ANA, f"n{n}", "x")

    with pytest.raises(TooManyWishes):
        await liked.set(ANA, "more", "x")
    await liked.set(ANA, "n0", "y")
    result = await run(tools["remember_preference"], {"name": "more", "value": "x"})

    assert (result.outcome, result.text) == (Outcome.ERROR, TooManyWishes.people_read)
    assert (await liked.all(ANA))["n0"] == "y"


async def test_before_the_store_is_open_nothing_is_known_and_that_is_said() -> None:
    result = await run(named(preference_tools(Preferences()))["preference"], {"name": "x"})

    assert (result.outcome, result.text) == (Outcome.ERROR, "The preferences cannot be read or written just now.")
