"""An agent's program that changed under a sleeping run: people say whether it begins again; nothing is guessed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.domain.calls import Outcome
from bot.domain.ports import RunContext, WantedCall
from bot.domain.run import RunStatus, Task
from tests.fakes.chat import Posted
from tests.flows.stage import (
    HASTY,
    STEADY,
    Build,
    Hands,
    Played,
    call,
    events,
    gone,
    moves,
    policy,
    quiet,
    request_of,
    run_of,
    settled,
    shown,
)
from tests.house import House, words

RULES = policy(more="defaults: {ladder: [{after: 1h, expire: true}]}")


class Changing:
    """An agent whose second step is another one in its next version; its first stays."""

    name, tools = "worker", ("wire", "tidy")

    def __init__(self) -> None:
        self.wants = "wire"
        self.called = 0

    async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # the port's signature
        self.called += 1
        (first,) = await ctx.use((call("tidy", what="desk"),))
        args = '{"amount": 1}' if self.wants == "wire" else '{"what": "shelf"}'
        (done,) = await ctx.use((WantedCall(id="1", tool=self.wants, args=args),))
        return f"{first.text} and {done.text}"


async def until_the_second_step(house: House) -> Posted:
    """The first call is signed and done; the second waits for its signature."""
    await house.mention("ana", "work")
    first = await house.card()
    await house.press("approve", by="bo", card=first)
    return await house.card(but=[first])


@asynccontextmanager
async def after_a_change(
    build: Build, hands: Hands, agent: Changing | None = None, **parts: object
) -> AsyncIterator[House]:
    """The next process: the agent's program is another one now; its old second call was signed, and never used."""
    agent = agent or Changing()
    async with build(policy=RULES, tools=hands.tools, agents=[agent], model=Played(), **parts) as house:
        old = await until_the_second_step(house)
    agent.wants = "tidy"
    async with house.again() as later:
        await later.press("approve", by="bo", card=old)
        yield later


async def test_people_are_asked_what_becomes_of_it_and_told_what_was_done(build: Build, hands: Hands) -> None:
    """PN-15: the journal says `wire`, the new program wants `tidy`: the old card is closed, and nothing runs."""
    agent = Changing()
    async with build(policy=RULES, tools=hands.tools, agents=[agent], model=Played()) as house:
        old = await until_the_second_step(house)
    agent.wants = "tidy"

    async with house.again() as later:
        await later.press("approve", by="bo", card=old)  # signed, and never used

        card = await later.card("restart")
        await shown(later)
        assert {"restart", "end", "stop"} <= set(moves(card))
        assert "The agent's program changed while this waited" in card.card.blocks[0].text
        assert card.card.blocks[1].text == 'tidy(what="desk"): Done.'
        assert not any("not verified" in block.label for block in card.card.blocks), "the runtime says so itself"
        assert old.card.title == "Approved, but not run: wire"
        assert hands.did == ["tidy desk"]


async def test_started_again_it_does_everything_anew_and_asks_for_every_signature(build: Build, hands: Hands) -> None:
    """A new run with the same task in the same thread; what was signed before counts for nothing."""
    async with after_a_change(build, hands) as later:
        before = [post for post in later.chat.posts if "tidy" in post.card.title]

        await later.press("restart", by="ana")

        first = await later.card(but=before)
        await later.press("approve", by="bo", card=first)
        second = await later.card(but=[*before, first])
        await later.press("approve", by="bo", card=second)
        await later.shows("ok tidy desk and ok tidy shelf")
        await later.shows("Ana had this started again from the beginning.")
        assert hands.did == ["tidy desk", "tidy desk", "tidy shelf"], "wire never ran"
        assert [one["status"] for one in await events(later, "run_ended")] == ["failed", "done"]
        assert len(await events(later, "run_started")) == 2
        newest = await later.store.load((await later.store.recent_runs(0, 1))[0])
        assert newest is not None
        assert newest.run.steered_by == ("ana",), "whoever starts it steers it (D-40)"
        assert await settled(later)


async def test_ended_it_ends_and_says_who(build: Build, hands: Hands) -> None:
    async with after_a_change(build, hands) as later:
        await later.press("end", by="ana")

        await later.shows("Ana ended this: the agent's program had changed.")
        assert len(await events(later, "run_started")) == 1
        assert await settled(later)


async def test_done_by_hand_it_ends_with_what_they_say(build: Build, hands: Hands) -> None:
    """ST-18: nothing is started again; the run has ended well, and their words are its answer."""
    async with after_a_change(build, hands) as later:
        card = await later.card("restart")
        (done,) = (button for button in card.card.buttons if button.move == "done")
        assert done.effect == "ends the run; your words are its answer"

        await later.press("done", by="ana", card=card, fields={"text": "wired 1 from the desk"})

        await later.shows("Ana did this, and says: “wired 1 from the desk”")
        assert [one["status"] for one in await events(later, "run_ended")] == ["done"]
        assert len(await events(later, "run_started")) == 1
        assert hands.did == ["tidy desk"]
        assert await settled(later)


async def test_silence_starts_nothing_again(build: Build, hands: Hands) -> None:
    """PN-15, D-03, I6: a deadline is no answer."""
    async with after_a_change(build, hands, pace=STEADY) as later:
        await later.card("restart")
        later.clock.advance(hours=2)

        await later.shows("I cannot simply go on. No answer: nobody answered in time.")
        await quiet(later)
        assert hands.did == ["tidy desk"]
        assert await later.is_sound()


async def test_stop_ends_it_while_it_waits_for_that_answer(build: Build, hands: Hands) -> None:
    async with after_a_change(build, hands, pace=HASTY) as later:
        card = await later.card("restart")
        await gone(later)

        await later.press("stop", by="ana", card=card)

        await later.chat.until(lambda: not card.card.buttons, "no live buttons")
        await quiet(later)
        assert card.card.title == "Cancelled: the agent is stuck"
        assert (await events(later, "run_ended"))[0]["status"] == "stopped"
        assert await settled(later)


async def test_the_question_survives_a_restart_and_the_old_program_is_not_played_again(
    build: Build, hands: Hands
) -> None:
    """I12: asked once, also when the old program comes back; from the moment of asking only people decide."""
    agent = Changing()
    async with after_a_change(build, hands, agent) as first:
        await first.card("restart")
    agent.wants, called = "wire", agent.called

    async with first.again() as later:
        assert agent.called == called
        await later.press("end", by="ana")

        await later.shows("Ana ended this")
        assert agent.called == called
        assert len([one for one in await events(later, "request_opened") if one["kind"] == "stuck"]) == 1
        assert hands.did == ["tidy desk"]
        assert await settled(later)


async def test_an_answer_given_while_no_process_runs_is_acted_on_by_the_next(build: Build, hands: Hands) -> None:
    """kill -9 between the answer and what follows from it: the new run is started once."""
    async with after_a_change(build, hands, pace=STEADY) as first:
        card = await first.card("restart")
        await first.engine.shards.close()  # nobody owns the shard: the answer is counted, and nothing follows
        await first.press("restart", by="ana", card=card)
        assert len(await events(first, "run_started")) == 1

    async with first.again() as later:
        await later.shows("Ana had this started again from the beginning.")
        await later.card("approve")
        assert len(await events(later, "run_started")) == 2


async def test_a_reply_while_it_waits_reaches_the_run_that_follows(build: Build, hands: Hands) -> None:
    """Words are context, not an answer to this; the new run hears them."""

    class Listening(Changing):
        async def __call__(self, task: Task, ctx: RunContext) -> str:
            if self.wants == "wire":
                return await super().__call__(task, ctx)
            await ctx.note("I begin.")
            (done,) = await ctx.use((WantedCall(id="1", tool="peek", args='{"what": "x"}'),))
            heard = await ctx.heard()
            return f"{done.text}; {', '.join(one.text for one in heard)}"

    agent = Listening()
    async with build(policy=RULES, tools=hands.tools, agents=[agent], model=Played()) as house:
        thread = await house.mention("ana", "work")
        first = await house.card()
        await house.press("approve", by="bo", card=first)
        old = await house.card(but=[first])
    agent.wants = "tidy"

    async with house.again() as later:
        await later.press("approve", by="bo", card=old)
        card = await later.card("restart")
        await later.say("ana", "mind the cat", thread=thread)
        hands.may_end.clear()
        hands.began.clear()
        await later.press("restart", by="ana", card=card)
        await hands.began.wait()
        run = await run_of(later, thread)
        async with asyncio.timeout(10):
            while (host := later.engine.runner.hosts.get(run)) is None or not host.unheard():
                await later.store.totals(0)
        hands.may_end.set()

        await later.shows("ok peek x; mind the cat")
        assert await settled(later)


async def test_a_call_in_doubt_is_listed_as_such(build: Build, hands: Hands) -> None:
    """What was started and never ended may have happened: people must know before it starts again."""
    agent = Changing()
    async with build(policy=RULES, tools=hands.tools, agents=[agent], model=Played(), pace=HASTY) as house:
        hands.house = house
        await house.mention("ana", "work")
        first = await house.card()
        await house.press("approve", by="bo", card=first)
        second = await house.card(but=[first])
        hands.may_end.clear()
        hands.began.clear()
        await house.press("approve", by="bo", card=second)
        await hands.began.wait()
    hands.may_end.set()
    agent.wants = "tidy"

    async with house.again() as later:
        card = await later.card("restart")

        assert 'wire(amount=1, to="bank"): It was started; whether it took effect is not known.' in words(card)
        request = await request_of(later, second)
        assert request.outcome is not None
        assert request.outcome.outcome is Outcome.UNKNOWN


async def test_whoever_may_not_answer_starts_nothing(build: Build, hands: Hands) -> None:
    """I5: it is asked of whoever gave the task."""
    async with after_a_change(build, hands) as later:
        refused = await later.press("restart", by="bo")

        assert not refused.is_taken
        assert len(await events(later, "run_started")) == 1
        runs = [await later.store.load(run) for run in await later.store.recent_runs(0, 5)]
        assert [one.status for one in runs if one is not None] == [RunStatus.WAITING]
