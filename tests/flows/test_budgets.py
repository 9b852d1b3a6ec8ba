"""Budgets: what thinking costs is counted once; nearly spent asks people, spent and not answered ends."""

from __future__ import annotations

import asyncio

import pytest

from agents.react import ReAct
from bot.domain.budget import Budgets, Limit, Price, Usage, day_of
from bot.domain.chat import PersonId
from bot.domain.errors import StoreUnavailable
from bot.domain.ports import RunContext, Said
from bot.domain.run import RunStatus, Step, Task
from bot.domain.store import Batch
from tests.flows.doors import answered_never, around
from tests.flows.stage import (
    EXPLAINED,
    FREE,
    HASTY,
    Build,
    Dear,
    Hands,
    Played,
    call,
    calls,
    events,
    gone,
    peeks,
    policy,
    run_of,
    settled,
    status,
)
from tests.house import House, words

WIRE = calls(call("wire", amount=90))
ANA, BO = PersonId("ana"), PersonId("bo")
NOBODY = Usage()
AMPLE = Budgets(day=Limit(tokens=1_000_000))  # sums of a day are kept for it


async def spent(house: House, person: PersonId = ANA) -> tuple[Usage, Usage]:
    return await house.store.spent(day_of(house.store.now()), person)


def asks(house: House) -> list[str]:
    """Every question about a budget, as it was put first."""
    return [words(post) for post in house.chat.posts if "budget" in words(post) and "status" not in post.key]


# -------------------------------------------------------------------- counting


async def test_tokens_steps_and_money_are_counted_in_the_step_that_spends_them(build: Build, hands: Hands) -> None:
    """AS-19, D-37: two answers at $3 and $10 a million tokens, and one tool call."""
    prices = {"": Price(in_=3.0, out=10.0)}
    async with build(policy=FREE, tools=hands.tools, model=Dear(*peeks(1)), prices=prices, budgets=AMPLE) as house:
        await house.mention("ana", "look")
        await house.shows("Results:")
        await settled(house)

        used = Usage(tokens=1_000, steps=3, micros=2 * (400 * 3 + 100 * 10))
        assert await spent(house) == (used, used)
        assert await spent(house, BO) == (NOBODY, used)


async def test_where_no_day_has_a_limit_nothing_is_kept_for_one(build: Build, hands: Hands) -> None:
    """D-37: a run's own sum comes from its journal; a day's sum that nobody asks for costs no write."""
    run_alone = Budgets(run=Limit(tokens=1_000_000))
    async with build(policy=FREE, tools=hands.tools, model=Dear(*peeks(1)), budgets=run_alone) as house:
        await house.mention("ana", "look")
        await house.shows("Results:")
        await settled(house)

        assert await spent(house) == (NOBODY, NOBODY)


async def test_what_the_agent_says_of_a_call_is_counted_once_as_well(build: Build, hands: Hands) -> None:
    """D-37: an explanation is an answer of a model; pressed again, or loaded by another process, it costs nothing."""
    prices = {"": Price(in_=3.0, out=10.0)}
    async with build(policy=policy(), tools=hands.tools, model=Dear(WIRE), prices=prices, budgets=AMPLE) as house:
        thread = await house.mention("ana", "pay")
        await house.card("explain")
        before = await spent(house)
        await house.press("explain", by="bo")
        await house.shows(f"“{EXPLAINED}”")
        waiting = await house.store.load(await run_of(house, thread))

        again = before[0].plus(Usage(tokens=500, steps=1, micros=400 * 3 + 100 * 10))
        assert await spent(house) == (again, again)
        assert waiting is not None
        assert waiting.status is RunStatus.WAITING
        await house.press("approve", by="bo")
        await house.shows("ok wire 90 bank")
        assert await settled(house)


async def test_two_runs_of_one_person_on_two_shards_are_one_sum(build: Build, hands: Hands) -> None:
    """D-37: each shard counts its own, and they are added up."""
    async with build(policy=FREE, tools=hands.tools, model=Dear(), shards=2, budgets=AMPLE) as house:
        place = "playground/local/general/{}"
        threads = {house.store.shard_of(place.format(f"t{number}")): f"t{number}" for number in range(20)}
        await asyncio.gather(*(house.mention("ana", "say", thread=thread) for thread in threads.values()))
        await house.chat.until(lambda: len([p for p in house.chat.posts if "Results:" in words(p)]) == 2, "both")

        assert len(threads) == 2
        assert (await spent(house))[0] == Usage(tokens=1_000, steps=2)


async def test_a_replayed_run_spends_nothing_twice(build: Build, hands: Hands) -> None:
    """D-37: its memory is given back while it waits; another call of the agent answers from the journal."""
    ask = calls(call("ask_people", question="Which drawer?"))
    async with build(policy=FREE, tools=hands.tools, model=Dear(*peeks(1), ask), pace=HASTY, budgets=AMPLE) as house:
        await house.mention("ana", "look")
        await house.card("write")
        await gone(house)
        await house.press("write", by="ana", fields={"text": "the last"})
        await house.shows("Results:")
        await settled(house)

        assert (await spent(house))[0] == Usage(tokens=1_500, steps=5)


async def test_lost_replies_of_the_store_spend_nothing_twice(build: Build, hands: Hands) -> None:
    """D-37: each write lands, its answer is lost once, and it is sent again."""
    async with build(policy=FREE, tools=hands.tools, model=Dear(*peeks(2)), budgets=AMPLE) as house:
        lost = set[str]()

        async def lose(_fence: object, _run: object, batch: Batch) -> None:
            if batch.op not in lost:
                lost.add(batch.op)
                raise StoreUnavailable("its answer is lost")

        around(house, "append", after=lose)
        await house.mention("ana", "look")
        await house.shows("Results:")
        await settled(house)

        assert len(lost) >= 5
        assert (await spent(house))[0] == Usage(tokens=1_500, steps=5)


async def test_a_process_that_was_killed_in_a_write_has_spent_it_once(build: Build, hands: Hands) -> None:
    """D-37: the answer of the model is written, and whoever wrote it never hears so; another process goes on."""
    async with build(policy=FREE, tools=hands.tools, model=Dear(*peeks(1)), budgets=AMPLE) as house:
        landed = answered_never(house, "append", Step)
        await house.mention("ana", "look")
        await landed.wait()
        await house.engine.shards.close()
        async with house.again() as other:
            await house.shows("Results:")
            await settled(other)

            assert (await spent(other))[0] == Usage(tokens=1_000, steps=3)


# ------------------------------------------------------------------ nearly spent


async def test_a_nearly_spent_run_asks_whoever_gave_the_task_and_goes_on_with_as_much_again(
    build: Build, hands: Hands
) -> None:
    """AS-19, D-37: at 80 % of 2,500 tokens; the card says which budget, how much is used, of what."""
    budgets = Budgets(run=Limit(tokens=2_500))
    async with build(policy=FREE, tools=hands.tools, model=Dear(*peeks(5)), budgets=budgets) as house:
        await house.mention("ana", "look")
        card = await house.card("go_on")
        told = words(card)

        assert "The budget of this run is nearly used up: 2,000 of 2,500 tokens." in told
        assert len(hands.did) == 4
        assert not (await house.press("go_on", by="bo", card=card)).is_taken
        assert (await house.press("go_on", by="ana", card=card)).is_taken
        await house.shows("Results:")
        assert len(hands.did) == 5
        assert await settled(house)


async def test_what_was_allowed_holds_for_another_process(build: Build, hands: Hands) -> None:
    """D-37: asked in one process, answered in none, gone on in another, which asks again when that is nearly spent."""
    budgets = Budgets(run=Limit(steps=5))
    async with build(policy=FREE, tools=hands.tools, model=Dear(*peeks(5)), budgets=budgets, pace=HASTY) as house:
        await house.mention("ana", "look")
        first = await house.card("go_on")
        assert "4 of 5 steps" in words(first)
        await gone(house)

        await house.press("go_on", by="ana", card=first)

        second = await house.card("go_on", but=[first])
        assert "10 of 10 steps" in words(second) or "9 of 10 steps" in words(second)
        await gone(house)
        await house.press("go_on", by="ana", card=second)
        await house.shows("Results:")
        assert len(hands.did) == 5
        assert await settled(house)


async def test_ending_it_there_ends_the_run_and_says_why(build: Build, hands: Hands) -> None:
    """AS-19, D-37: no further answer of the model is asked for."""
    model = Dear(*peeks(9))
    async with build(policy=FREE, tools=hands.tools, model=model, budgets=Budgets(run=Limit(usd=0.01)),
                     prices={"": Price(in_=5.0, out=20.0)}) as house:  # fmt: skip
        await house.mention("ana", "look")
        card = await house.card("go_on")
        assert "$0.01 of $0.01." in words(card) or "$0.008 of $0.01." in words(card)

        await house.press("end", by="ana", card=card)

        await house.shows("I stopped before I was finished. The budget of this run is nearly used up")
        await house.shows("Ana ended this here.")
        assert len(model.asked) == 2
        assert await settled(house)


async def test_spent_and_not_answered_ends_and_names_the_budget(build: Build, hands: Hands) -> None:
    """AS-19, D-37: nobody answers; what was left is used, and then nothing more is thought."""
    model = Dear(*peeks(9))
    async with build(policy=policy(), tools=hands.tools, model=model, budgets=Budgets(run=Limit(steps=6))) as house:
        await house.mention("ana", "look")
        card = await house.card("go_on")
        assert "6 of 6 steps" in words(card) or "5 of 6 steps" in words(card)

        house.clock.advance(days=30)

        await house.shows("I stopped before I was finished. The budget of this run is used up: 6 of 6 steps.")
        assert len(model.asked) == 3
        assert await settled(house)


# -------------------------------------------------------------- person and day


@pytest.mark.parametrize("which", ["person_day", "day"])
async def test_a_days_budget_is_renewed_by_somebody_else(build: Build, hands: Hands, which: str) -> None:
    """D-37: never by whoever gave the task alone; their manager, or the group that the budgets name."""
    budgets = Budgets(**{which: Limit(tokens=1_000)}, ask="approvers")
    async with build(policy=FREE, tools=hands.tools, model=Dear(*peeks(2)), budgets=budgets) as house:
        await house.mention("ana", "look")
        card = await house.card("go_on")

        assert "It begins anew at 00:00 UTC." in words(card)
        assert not (await house.press("go_on", by="ana", card=card)).is_taken
        assert not (await house.press("go_on", by="bo", card=card)).is_taken
        assert (await house.press("go_on", by="dana", card=card)).is_taken
        await house.shows("Results:")
        assert await settled(house)


async def test_where_nobody_can_allow_more_the_rest_is_used_and_then_it_ends(build: Build, hands: Hands) -> None:
    """D-37: erin has no manager, and the budgets name no group: she is not asked in their place."""
    model = Dear(*peeks(9))
    budgets = Budgets(person_day=Limit(tokens=1_200))
    async with build(policy=FREE, tools=hands.tools, model=model, budgets=budgets) as house:
        await house.mention("erin", "look")

        await house.shows("I stopped before I was finished. Today's budget of whoever gave this task is used up: 1,500")
        await house.shows("It begins anew at 00:00 UTC. Nobody is there who could allow more.")
        assert len(model.asked) == 3
        assert not await events(house, "request_opened")
        assert await settled(house)


async def test_a_new_day_has_a_new_budget(build: Build, hands: Hands) -> None:
    """D-37: of UTC; what was spent yesterday counts no more."""
    budgets = Budgets(person_day=Limit(tokens=700), ask="approvers")
    async with build(policy=FREE, tools=hands.tools, model=Dear(), budgets=budgets) as house:
        await house.mention("ana", "one")
        await house.shows("Results:")
        await settled(house)
        house.clock.advance(days=1)
        await house.store.prepare()

        assert await spent(house) == (NOBODY, NOBODY)
        await house.mention("ana", "two")
        await house.chat.until(lambda: len([p for p in house.chat.posts if "Results:" in words(p)]) == 2, "both")
        assert not asks(house)
        assert await settled(house)


async def test_a_run_that_waited_until_the_next_day_goes_on_with_its_budget(build: Build, hands: Hands) -> None:
    """D-37: nobody allowed more of yesterday's; at midnight it begins anew, as the question said."""
    budgets = Budgets(person_day=Limit(tokens=1_000), ask="approvers")
    async with build(policy=policy(), tools=hands.tools, model=Dear(*peeks(2)), budgets=budgets) as house:
        await house.mention("ana", "look")
        await house.card("go_on")

        house.clock.advance(days=30)

        await house.shows("Results:")
        assert await settled(house)


# ------------------------------------------------------------------- branches


async def test_branches_of_one_run_have_one_budget_and_ask_one_question(build: Build, hands: Hands) -> None:
    """AS-19, D-37: three members think side by side; whoever comes second waits for the same answer."""

    class Three:
        name, tools = "three", ("peek",)

        async def __call__(self, task: Task, ctx: RunContext) -> str:
            members = [ReAct(name=f"m{number}", prompt=f"You are {number}.", tools=("peek",)) for number in range(3)]
            return " / ".join(await ctx.gather(*(member(task, ctx) for member in members)))

    budgets = Budgets(run=Limit(tokens=3_000))
    model = Dear(*peeks(2))
    async with build(policy=FREE, tools=hands.tools, model=model, budgets=budgets, agents=[Three()]) as house:
        await house.mention("ana", "look")
        card = await house.card("go_on")
        await house.chat.until(lambda: status(house).card.title == "Waiting", "all of them wait")
        assert len(model.asked) <= 6

        await house.press("go_on", by="ana", card=card)

        await house.shows("Results: ok peek drawer 0 / ok peek drawer 1 / Results:")
        assert len(await events(house, "request_opened")) == 1
        assert len(model.asked) == 9
        assert await settled(house)


class Asker:
    """An agent of code that calls for *said*, whoever wrote it."""

    name, tools = "asker", ()

    def __init__(self, said: Said) -> None:
        self._said = said

    async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # an agent's shape
        return (await ctx.use(self._said.calls))[0].text


async def test_no_model_can_ask_about_a_budget_by_itself(build: Build, hands: Hands) -> None:
    """T08: it knows the tool's name; its words would stand there as ours, and name who answers."""
    forged = calls(call("ask_when_stuck", what="budget", told="Nearly spent, press here.", of="requester"))
    async with build(policy=FREE, tools=hands.tools, model=Played(forged), agents=(Asker(forged),)) as house:
        await house.mention("ana", "assistant: look")

        await house.shows("Not run: ask_when_stuck is not among your tools.")
        await house.mention("ana", "asker: look")
        await house.shows("Not asked: what is left of a budget is nothing an agent can say; the runtime counts it.")
        assert not await events(house, "request_opened")
