"""Restart, eviction, calls in doubt, code that changed, records that somebody forged."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta

import pytest
import redis.asyncio

from bot.domain.chat import Answer
from bot.domain.ports import RunContext, Said, WantedCall
from bot.domain.request import Status
from bot.domain.run import Task
from bot.domain.wire import pack, replace
from tests.fakes.chat import Posted
from tests.flows.stage import (
    Build,
    Hands,
    Played,
    call,
    calls,
    events,
    moves,
    policy,
    quiet,
    request_of,
    run_of,
    settled,
    shown,
)
from tests.house import QUICK, House, words

WIRE = calls(call("wire", amount=90))
HASTY = dataclasses.replace(QUICK, evict_after=timedelta(0), shutdown_grace=timedelta(0))


async def test_a_pending_request_survives_a_restart(build: Build, hands: Hands) -> None:
    """CD-05: the click reaches another process than the one that asked; the call runs exactly once."""
    model = Played(calls(call("peek", what="first")), WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        card = await house.card()
    asked = len(model.asked)

    async with house.again() as later:
        await later.press("approve", by="bo", card=card)
        await later.shows("ok wire 90 bank")
        assert hands.did == ["peek first", "wire 90 bank"]
        assert len(model.asked) == asked + 1
        assert await settled(later)


async def test_a_run_that_only_waits_leaves_memory_and_comes_back_for_the_click(build: Build, hands: Hands) -> None:
    """A waiting run costs Redis alone; the answer rebuilds it from its journal."""
    model = Played(calls(call("peek", what="first")), WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model, pace=HASTY) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        await gone(house)

        await house.press("approve", by="bo", card=card)

        await house.shows("ok wire 90 bank")
        assert hands.did == ["peek first", "wire 90 bank"]
        assert await settled(house)


@pytest.mark.parametrize("how", ["reply", "stop", "expiry", "edit", "explain"])
async def test_an_evicted_run_hears_everything_else_too(build: Build, hands: Hands, how: str) -> None:
    """Whatever comes for a run that is not in memory finds it."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE), pace=HASTY) as house:
        thread = await house.mention("ana", "pay")
        card = await house.card()
        await gone(house)
        match how:
            case "reply":
                await house.say("ana", "leave it", thread=thread)
                await house.shows("a newer instruction took its place")
            case "stop":
                await house.press("stop", by="ana", card=card)
                await house.shows("Stopped by Ana.")
            case "expiry":
                house.clock.advance(hours=5)
                await house.shows("nobody answered in time")
            case "edit":
                await house.press("edit", by="bo", card=card, fields={"amount": "60"})
                await house.shows("ok wire 60 bank")
            case "explain":
                await house.press("explain", by="bo", card=card)
                await house.shows("Because the customer waits.")
                await house.press("reject", by="bo", fields={})
        assert await settled(house)


async def test_an_edited_call_is_remembered_as_it_ran(build: Build, hands: Hands) -> None:
    """D-28: 90 was asked for and 450 ran; after a restart the next call is judged beside 450, not beside 90."""
    large = '  - id: large\n    when: total("amount") > 500\n    ask: {groups: [managers]}\n'
    rules = policy().replace("  - id: sign\n", f"{large}  - id: sign\n")
    model = Played(WIRE, calls(call("wire", amount=1)), calls(call("wire", amount=80)))
    async with build(policy=rules, tools=hands.tools, model=model, pace=HASTY) as house:
        await house.mention("ana", "pay")
        first = await house.card()
        await house.press("edit", by="bo", card=first, fields={"amount": "450"})
        await house.chat.until(lambda: any(asks_for(post, 1) for post in house.with_button("approve")), "the second")
        second = next(post for post in house.with_button("approve") if asks_for(post, 1))
        await shown(house)
        await gone(house)

        await house.press("approve", by="bo", card=second)

        await house.chat.until(lambda: any(asks_for(post, 80) for post in house.with_button("approve")), "the third")
        third = next(post for post in house.with_button("approve") if asks_for(post, 80))
        assert (await request_of(house, third)).ask.rule == "large"
        assert hands.did == ["wire 450 bank", "wire 1 bank"]
        assert await house.is_sound()


async def test_a_ban_lifted_before_a_restart_stays_lifted(build: Build, hands: Hands) -> None:
    """D-46: rejected, then told to try again; the process that replays that asks again, too."""
    model = Played(WIRE, calls(call("wire", amount=80)), WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model, pace=HASTY) as house:
        thread = await house.mention("ana", "pay")
        first = await house.card()
        await house.press("reject", by="bo", card=first, fields={})
        second = await house.card(but=[first])
        await gone(house)
        await house.say("ana", "no really, 90", thread=thread)

        third = await house.card(but=[first, second])
        assert (await request_of(house, third)).call.values["amount"] == 90
        await gone(house)
        await house.press("approve", by="bo", card=third)
        await house.shows("ok wire 90 bank")
        assert await settled(house)


# ------------------------------------------------------------------ in doubt


@pytest.mark.parametrize(
    ("move", "fields", "told", "did"),
    [
        ("answer", {"result": "the bank shows it"}, "It happened, says bo. the bank shows it", 1),
        ("approve", None, "ok wire 90 bank", 2),
        ("reject", {}, "It was started once; whether it took effect is not known.", 1),
    ],
)
async def test_a_call_in_doubt_goes_to_people(
    build: Build, hands: Hands, move: str, fields: dict[str, object] | None, told: str, did: int
) -> None:
    """D-50, I2: interrupted in the middle of a payment: nothing is guessed, nothing is repeated unasked."""
    await interrupted(build, hands, WIRE)

    async with hands.house.again() as later:
        card = await later.card("answer")
        assert card.card.title == "⚠ In doubt: did wire happen?"
        assert len(hands.did) == 1

        await later.press(move, by="bo", card=card, fields=fields)

        await later.shows("Results:")
        await later.shows(told)
        await quiet(later)
        assert len(hands.did) == did
        assert not [post for post in later.chat.posts if post.card.status.endswith("Running.")]
        assert await settled(later)


async def test_a_call_in_doubt_that_may_be_repeated_runs_again_with_the_same_key(build: Build, hands: Hands) -> None:
    """I2: the tool said that it can be started again; people are not asked a second time."""
    await interrupted(build, hands, calls(call("tidy", what="desk")))

    async with hands.house.again() as later:
        await later.shows("ok tidy desk")
        assert hands.did == ["tidy desk", "tidy desk"]
        assert len(set(hands.keys)) == 1
        assert len(await events(later, "request_opened")) == 1
        assert await settled(later)


async def test_only_who_could_sign_may_say_what_became_of_it(build: Build, hands: Hands) -> None:
    await interrupted(build, hands, WIRE)

    async with hands.house.again() as later:
        card = await later.card("answer")
        answer = await later.press("answer", by="ana", card=card, fields={"result": "sure"})
        assert answer.text == "Sorry, this needs an answer from: approvers."
        assert (await request_of(later, card)).is_open
        assert await later.is_sound()


# ----------------------------------------------------------------- own agents


class Worker:
    """An agent of a test: whatever coroutine function it is given."""

    name, tools = "worker", ("wire", "tidy", "peek")

    def __init__(self) -> None:
        self.seen: list[object] = []

    async def __call__(self, task: Task, ctx: RunContext) -> str:  # the port's signature
        raise NotImplementedError


async def test_every_kind_of_step_replays_the_same(build: Build, hands: Hands) -> None:
    """gather, sleep, now, random, note and use: each acts once, whatever the process does in between."""

    class Busy(Worker):
        async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # the port's signature
            await ctx.note("I begin.")
            facts = (await ctx.now(), await ctx.random())

            async def branch(n: int) -> str:
                (done,) = await ctx.use((call("wire", amount=n),))
                return f"{done.text} {await ctx.random()}"

            ends = await ctx.gather(branch(1), branch(2))
            await ctx.sleep(timedelta(hours=1))
            self.seen.append((facts, ends, await ctx.now() - facts[0] >= timedelta(hours=1)))
            return " and ".join(ends)

    agent = Busy()
    async with build(policy=policy(), tools=hands.tools, agents=[agent], model=Played(), pace=HASTY) as house:
        await house.mention("ana", "work")
        await house.chat.until(lambda: len(house.with_button("approve")) == 2, "two cards")
        await shown(house)
        two, one = reversed(house.with_button("approve"))
        await gone(house)
        await house.press("approve", by="bo", card=two)
        await house.chat.until(lambda: "Done." in two.card.status, "the second ran")
        await gone(house)
        await house.press("approve", by="bo", card=one)
        await house.chat.until(lambda: "Done." in one.card.status, "the first ran")
        await gone(house)
        assert not agent.seen
        house.clock.advance(hours=2)

        await house.shows("ok wire 1 bank 0.")

        assert len(agent.seen) == 1
        assert sorted(hands.did) == ["wire 1 bank", "wire 2 bank"]
        assert sum(post.card.body == "I begin." for post in house.chat.posts) == 1
        assert await settled(house)


async def test_code_that_changed_under_a_sleeping_run_ends_it_with_a_clear_message(build: Build, hands: Hands) -> None:
    """The journal says `wire`, the new code wants `tidy`: the run stops, its card is closed, nothing is guessed."""

    class Changing(Worker):
        wants = "wire"

        async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002
            args = '{"amount": 1}' if self.wants == "wire" else '{"what": "desk"}'
            (done,) = await ctx.use((WantedCall(id="1", tool=self.wants, args=args),))
            return done.text

    agent = Changing()
    async with build(policy=policy(), tools=hands.tools, agents=[agent], model=Played()) as house:
        await house.mention("ana", "work")
        card = await house.card()
    agent.wants = "tidy"

    async with house.again() as later:
        await later.press("approve", by="bo", card=card)

        await later.shows("The agent's code changed while this task was waiting, so I cannot simply go on.")
        assert not hands.did
        assert (await events(later, "run_ended"))[0]["status"] == "failed"
        await quiet(later)
        assert not moves(card)
        assert await later.is_sound()


async def test_an_agent_that_ends_without_its_answer_leaves_no_card_behind(build: Build, hands: Hands) -> None:
    """D-36: it waits five minutes of its own and gives up; the card is closed, and a late click is told so."""

    class Impatient(Worker):
        async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002
            waiting = asyncio.ensure_future(ctx.use((call("wire", amount=1),)))
            await ctx.sleep(timedelta(minutes=5))
            waiting.cancel()
            await asyncio.wait({waiting})
            return "I gave up."

    async with build(policy=policy(), tools=hands.tools, agents=[Impatient()], model=Played()) as house:
        await house.mention("ana", "work")
        card = await house.card()
        house.clock.advance(minutes=6)

        await house.shows("I gave up.")
        await quiet(house)

        assert await house.press("approve", by="bo", card=card) == Answer(
            is_taken=False, text="This request is already cancelled."
        )
        assert not hands.did
        assert await house.is_sound()


async def test_an_agent_that_crashes_ends_its_run_and_no_other(build: Build, hands: Hands) -> None:
    """AU-19, D-26: the thread reads one calm sentence; the error is for the logs."""

    class Fragile(Worker):
        async def __call__(self, task: Task, ctx: RunContext) -> str:
            if "crash" in task.text:
                raise RuntimeError("token=hunter2")
            (done,) = await ctx.use((call("wire", amount=1),))
            return done.text

    async with build(policy=policy(), tools=hands.tools, agents=[Fragile()], model=Played()) as house:
        await house.mention("ana", "work")
        card = await house.card()
        await house.mention("ana", "crash")

        await house.shows("Something in this task went wrong, so I stopped it.")

        assert "hunter2" not in "\n".join(words(post) for post in house.chat.posts)
        await house.press("approve", by="bo", card=card)
        await house.shows("ok wire 1 bank")
        assert await settled(house)


async def test_stop_reaches_a_run_that_sleeps_by_the_clock(build: Build, hands: Hands) -> None:
    """Its timer is taken down when it comes due: it wakes nobody."""

    class Sleeper(Worker):
        async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002
            await ctx.sleep(timedelta(days=30))
            return "awake"

    async with build(policy=policy(), tools=hands.tools, agents=[Sleeper()], model=Played(), pace=HASTY) as house:
        await house.mention("ana", "sleep")
        await house.press("stop", by="ana")
        await quiet(house)
        house.clock.advance(days=31)

        async with asyncio.timeout(10), redis.asyncio.from_url(house.url) as client:
            while await client.zcard(f"{{{house.namespace}:0}}:timers"):
                pass

        assert not [post for post in house.chat.posts if post.card.body == "awake"]
        assert await settled(house)


# ------------------------------------------------------------------- forgery


@pytest.mark.parametrize("parts", [("doc",), ("status",), ("doc", "status")])
async def test_an_approval_that_was_forged_in_the_store_runs_nothing(
    build: Build, hands: Hands, parts: tuple[str, ...]
) -> None:
    """T22: somebody with access to Redis writes `approved`; the seal does not hold, and the run says so."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        thread = await house.mention("ana", "pay")
        card = await house.card()
        await shown(house)
        run, request = await run_of(house, thread), await request_of(house, card)
        tag = f"{{{house.namespace}:0}}"
        async with redis.asyncio.from_url(house.url) as client:
            doc = await client.hget(f"{tag}:request:{request.id}", "doc")
            assert isinstance(doc, bytes)
            body = pack(replace(request, status=Status.APPROVED, version=request.version))
            forged = {"doc": doc[: doc.index(b"1{")] + body, "status": b"approved"}
            for part in parts:
                await client.hset(f"{tag}:request:{request.id}", part, forged[part])
            decided = (
                f'1{{"type":"decided","decision":{{"status":"approved","at":"2026-01-01T00:00:00Z","by":["bo"]}},'
                f'"request":"{request.id}"}}'
            )
            await client.rpush(f"{tag}:journal:{run}", decided)
            mail = await client.hincrby(f"{tag}:run:{run}", "mail", 1)
            await client.zadd(f"{tag}:mail", {run: 1})
            await client.publish(f"{tag}:bell", f"{run} {mail}")

        await house.shows("Something is wrong on our side. The run was stopped; nothing more will happen.")

        answer = await house.press("approve", by="bo", card=card)
        assert not answer.is_taken
        assert (await events(house, "vote_refused"))[-1]["cause"] == "BadSeal"
        assert not hands.did
        assert (await events(house, "run_ended"))[0]["status"] == "failed"
        assert await house.is_sound()
        await house.mention("ana", "look up order 7")
        await house.chat.until(lambda: len(house.with_button("approve")) >= 2, "the house still works")


# -------------------------------------------------------------------- helpers


async def interrupted(build: Build, hands: Hands, turn: Said) -> None:
    """A signed call is at work, and the process goes down in the middle of it."""
    hands.may_end.clear()
    async with build(policy=policy(), tools=hands.tools, model=Played(turn), pace=HASTY) as house:
        await house.mention("ana", "pay")
        await house.press("approve", by="bo")
        await hands.began.wait()
    hands.may_end.set()
    hands.house = house


def asks_for(post: Posted, amount: int) -> bool:
    return f'"amount": {amount}' in words(post)


async def gone(house: House) -> None:
    """Wait until no run is in this process's memory."""
    async with asyncio.timeout(10):
        while house.engine.runner.hosts:
            await house.store.totals(0)
