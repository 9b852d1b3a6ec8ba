"""Redis goes away, comes back, loses answers, is cut off again and again: nothing is lost or happens twice."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from bot.domain.chat import Answer
from bot.domain.errors import StoreUnavailable
from bot.runtime.journal import patiently
from bot.store.embedded import EmbeddedServer
from bot.store.link import lua, read_scripts
from tests.crash.doom import Doom
from tests.crash.ledger import Ledger, LedgerTool
from tests.crash.worker import POLICY, Echo
from tests.fakes.chat import Posted
from tests.fakes.proxy import Fate, Proxy
from tests.house import House, click, find

SCRIPTS = read_scripts(lua("prelude"), lua("scripts"))
SEED = 20
RUNS = 20


async def test_a_click_while_redis_is_gone_is_not_recorded_and_counts_when_it_is_back(tmp_path: Path) -> None:
    """The person is told so, nothing is lost, and the work goes on with a server that knows no script (NOSCRIPT)."""
    async with EmbeddedServer(tmp_path / "redis") as server:
        house = _house(server.url, "gone", tmp_path)
        async with house:
            await house.mention("ana", "charge 7")
            card = await house.card()
            os.kill(server.pid, signal.SIGKILL)  # the server this test started
            with pytest.raises(StoreUnavailable) as caught:
                await house.press("approve", by="bo", card=card)
            with pytest.raises(StoreUnavailable):
                await house.say("ana", "charge 8", thread="another", is_mention=True, delivery="m2")
            assert caught.value.people_read == "Not recorded, please try again."
            await server.__aexit__(None, None, None)

            async with EmbeddedServer(tmp_path / "redis"):
                await _pressed(house, card, "bo")
                await house.say("ana", "charge 8", thread="another", is_mention=True, delivery="m2")
                await _pressed(house, await _card_in(house, "another"), "chris")
                await _ended(house, 2)
                assert _effects(tmp_path) == [7, 8]
                assert await house.is_sound(is_quiet=True)


async def test_a_winner_whose_reply_was_lost_still_knows_that_they_won(
    redis_server: EmbeddedServer, namespace: str, tmp_path: Path
) -> None:
    """The vote was applied and the reply cut off: one vote, one journal entry, and the true answer."""
    async with _behind_a_proxy(redis_server, namespace, tmp_path) as (house, proxy):
        await house.mention("ana", "charge 7")
        card = await house.card()
        lost = proxy.lose_reply(to=SCRIPTS["turn"].sha.encode())

        answer = await house.press("approve", by="bo", card=card)

        assert lost.is_set()
        assert answer == Answer(is_taken=True, text="Approved. It runs now.")
        await _ended(house, 1)
        assert (await _events(house))["vote_counted"] == 1
        assert (await _events(house))["request_decided"] == 1
        assert _effects(tmp_path) == [7]
        assert await house.is_sound(is_quiet=True)


@pytest.mark.parametrize("script", ["start", "append", "open", "spend", "turn", "posted", "renew", "beat"])
@pytest.mark.parametrize("fate", [Fate.LOSE_REPLY, Fate.LOSE_REQUEST], ids=["reply", "request"])
async def test_a_lost_reply_or_request_of_any_script_changes_nothing(
    script: str, fate: Fate, redis_server: EmbeddedServer, namespace: str, tmp_path: Path
) -> None:
    """I10, I12: whatever is lost on the wire, the call runs once and nobody is asked about it again."""
    async with _behind_a_proxy(redis_server, namespace, tmp_path) as (house, proxy):
        sha = SCRIPTS[script].sha.encode()
        lost = proxy.lose_reply(to=sha) if fate is Fate.LOSE_REPLY else proxy.lose_request(to=sha)
        await _told(house, "charge 7")
        await _pressed(house, await _card_in(house, "t"), "bo")
        await _ended(house, 1)
        await asyncio.wait_for(lost.wait(), 10)

        events = await _events(house)
        assert (events["request_opened"], events["vote_counted"], events["tool_started"]) == (1, 1, 1)
        assert _effects(tmp_path) == [7]
        assert await house.is_sound(is_quiet=True)


async def test_twenty_runs_end_well_while_their_connections_are_cut_again_and_again(
    redis_server: EmbeddedServer, namespace: str, tmp_path: Path
) -> None:
    """A seeded coin breaks one request in twenty-five, before or after it is done: no run is lost or doubled."""
    coin, ways, broken = random.Random(SEED), itertools.cycle((Fate.LOSE_REQUEST, Fate.LOSE_REPLY)), Counter[Fate]()

    def fate(_request: bytes) -> Fate:
        drawn = next(ways) if coin.random() < 0.04 else Fate.PASS
        broken[drawn] += 1
        return drawn

    async with _behind_a_proxy(redis_server, namespace, tmp_path) as (house, proxy):
        proxy.fate = fate
        async with asyncio.TaskGroup() as people:
            for number in range(RUNS):
                people.create_task(_task_and_signature(house, number))
        await _ended(house, RUNS)
        proxy.fate = lambda _request: Fate.PASS

        assert min(broken[Fate.LOSE_REQUEST], broken[Fate.LOSE_REPLY]) > 1, broken
        assert _effects(tmp_path) == list(range(RUNS)), f"seed {SEED}"
        events = await _events(house)
        assert (events["request_opened"], events["request_decided"], events["run_ended"]) == (RUNS, RUNS, RUNS)
        assert await house.is_sound(is_quiet=True), f"seed {SEED}"


# ------------------------------------------------------------------- given


def _house(url: str, namespace: str, folder: Path) -> House:
    tool = LedgerTool("charge", Ledger(folder / "ledger"), lambda _moment: None)
    return House(url, namespace, folder, policy=POLICY, tools=(tool,), model=Echo(Doom("")))


@asynccontextmanager
async def _behind_a_proxy(server: EmbeddedServer, namespace: str, folder: Path) -> AsyncIterator[tuple[House, Proxy]]:
    async with Proxy(Path(server.url.removeprefix("unix://"))) as proxy, _house(proxy.url, namespace, folder) as house:
        yield house, proxy


async def _told(house: House, text: str, thread: str = "t") -> None:
    """As a platform does: the same delivery until it is taken."""
    while True:
        try:
            await house.say("ana", text, thread=thread, is_mention=True, delivery=f"m-{thread}")
            return
        except StoreUnavailable:
            continue


async def _pressed(house: House, post: Posted, by: str) -> Answer:
    """As a person does: the same button until it is taken."""
    while True:
        try:
            return await house.desk.click(click(find(post, "approve"), post, by, f"{by}-{post.key}"))
        except StoreUnavailable:
            continue


async def _card_in(house: House, thread: str) -> Posted:
    def found() -> list[Posted]:
        return [post for post in house.with_button("approve") if post.place.thread == thread]

    await house.chat.until(found, f"a card in {thread}")
    return found()[0]


async def _task_and_signature(house: House, number: int) -> None:
    await _told(house, f"charge {number}", thread=f"t{number}")
    await _pressed(house, await _card_in(house, f"t{number}"), "bo")


async def _ended(house: House, runs: int) -> None:
    def is_answered() -> bool:
        return len([post for post in house.chat.posts if post.key.endswith("/end")]) == runs

    await house.chat.until(is_answered, f"{runs} answers")
    for shard in range(house.store.shards):
        while await patiently(partial(house.store.rows, shard)):
            pass


async def _events(house: House) -> Counter[str]:
    return Counter(entry.event for entry in await house.audit())


def _effects(folder: Path) -> list[int]:
    return sorted(fact.amount for fact in Ledger(folder / "ledger").facts("effect"))
