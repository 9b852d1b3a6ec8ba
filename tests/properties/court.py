"""The court of the people's histories: waits until nothing is under way, and then judges all there is.

    audit -> its own promises        requests, runs, cards -> nothing waits for ever        starts of tools -> the book

Looks with a line of its own, so that it sees what is written and not what a process believes.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime

from hypothesis import event

from bot.domain.audit import Entry, parse_line, verify_chain
from bot.domain.card_buttons import STEPS
from bot.domain.invariants import check
from bot.domain.ladder import timer_name
from bot.domain.request import Request, RequestId, RunId
from bot.domain.run import RunStatus
from bot.domain.standing import check_standing
from bot.runtime.timers import HIDDEN
from bot.store.link import Link
from bot.store.redis import RedisStore
from tests.house import KEY
from tests.properties.book import SLACK, Book
from tests.properties.process import SHARDS, Bot

WITHIN = 20.0  # seconds until everything that a move causes must be over
CLAIMED = HIDDEN + SLACK  # how long a timer stays hidden whose process died before it was dealt with
LIVE = (RunStatus.ACTIVE, RunStatus.WAITING, RunStatus.STOPPING)


class Court:
    """Everything that is known about one history. `covered` counts what all of them were about."""

    def __init__(self, bot: Bot, covered: Counter[str]) -> None:
        self.bot, self.book, self._covered = bot, Book(), covered
        self.story: list[str] = []
        self._told, self._since = Counter[str](), datetime.min.replace(tzinfo=UTC)  # of the last look
        self._link = Link(bot.url, shift=bot.clock)
        self.store = RedisStore(self._link, namespace=bot.namespace, shards=SHARDS, key=KEY)

    async def close(self) -> None:
        await self._link.close()

    def note(self, what: str, who: str = "", *, is_story: bool = True, count: int = 1) -> None:
        """Something happened: for those who read the story, and for those who ask what all of them were about."""
        self._covered[what] += count
        event(what)
        if is_story:
            self.story.append(f"{self.bot.world.step}: {who} {what}")

    async def sync(self) -> None:
        """Hear the store's clock."""
        await self._link.sync()

    # ------------------------------------------------------------------ at rest

    async def rise_again(self) -> None:
        """The process has died; another one takes its place."""
        await self.bot.kill()
        await self.bot.rise()
        self.note("died as it was doomed")

    async def rest(self) -> None:
        """Until everything that follows from a move has happened."""
        try:
            async with asyncio.timeout(WITHIN):
                await self.bot.look()
                for number in itertools.count(1):
                    if self.bot.world.fate.dead.is_set():
                        await self.rise_again()
                    elif not (unrest := {name for name, what in (await self._unrest()).items() if what}):
                        return
                    elif number % 50 == 0 and all(name.startswith("timers") for name in unrest):
                        self.bot.clock.advance(seconds=CLAIMED.total_seconds())  # by somebody who died
                        await self.bot.look()
        except TimeoutError:
            raise AssertionError(f"it never comes to rest: {await self._unrest()}") from None

    async def _unrest(self) -> dict[str, object]:
        """What is still under way, in the order in which one thing leads to the next: none can slip past the look."""
        found: dict[str, object] = {}
        hosts = self.bot.house.engine.runner.hosts
        await self._link.sync()
        until = int((self.store.now() + CLAIMED).timestamp() * 1000)  # also timers that somebody claims just now
        for shard in range(SHARDS):
            timers = f"{{{self.bot.namespace}:{shard}}}:timers"
            found[f"timers {shard}"] = await self._link.ask(self._link.client.zcount(timers, 0, until))
            found[f"mail {shard}"] = [run for run in await self.store.mailbox(shard) if not await self._is_read(run)]
            runs = await self.store.executing(shard)
            found[f"executing {shard}"] = [run for run in runs if run not in hosts or not hosts[run].is_asleep]
            found[f"outbox {shard}"] = [row.name for row in await self.store.rows(shard)]
        found["showing"] = [one for task in asyncio.all_tasks() if (one := task.get_name()).startswith("outbox ")]
        return found

    async def _is_read(self, run: RunId) -> bool:
        """Is the mail of *run* known where it sleeps? It is taken down with the run's next write."""
        host = self.bot.house.engine.runner.hosts.get(run)
        loaded = await self.store.load(run)
        return host is not None and host.is_asleep and loaded is not None and host.mail >= loaded.mail

    # --------------------------------------------------------------- what holds

    async def must_hold(self, *, is_quiet: bool) -> None:
        entries = await self._audit(is_quiet=is_quiet)
        wrong = [told async for told in self._wrong(entries)]
        leaves = {(str(e.fields["run"]), str(e.fields["path"])): str(e.fields["rule"]) for e in entries["call_allowed"]}
        wrong += self.book.judge(self.bot.world.starts, leaves, self._since)
        assert not wrong, "\n".join(wrong)
        for name, count in (self.book.seen - self._told).items():
            self.note(name, is_story=False, count=count)
        self._told, self._since = self.book.seen.copy(), self.store.now()

    async def _audit(self, *, is_quiet: bool) -> dict[str, list[Entry]]:
        everything: list[Entry] = []
        problems = []
        for shard in reversed(range(SHARDS)):  # the first one last: others' votes rest on it
            lines = await self.store.audit_lines(shard, 0, -1)
            entries = [parse_line(shard, line) for line in lines]
            problems += [*verify_chain(lines, shard=shard), *check(entries, is_quiet=is_quiet)]
            everything += entries
        problems += check_standing(everything)
        assert not problems, "\n".join(f"{p.invariant} {p.shard} #{p.seq}: {p.told}" for p in problems)
        found: dict[str, list[Entry]] = {"request_opened": [], "call_allowed": [], "run_started": []}
        for entry in everything:
            found.setdefault(entry.event, []).append(entry)
        return found

    async def _wrong(self, entries: Mapping[str, list[Entry]]) -> AsyncIterator[str]:
        """What is wrong with the requests, runs and cards as they stand, in sentences."""
        live = set[str]()
        for entry in entries["run_started"]:
            loaded = await self.store.load(RunId(str(entry.fields["run"])))
            if loaded is not None and loaded.status in LIVE:
                live.add(loaded.run.id)
        for entry in entries["request_opened"]:
            request = (await self.store.held(RequestId(str(entry.fields["request"])))).request
            for told in [*self.book.look(request, self.bot.world.step), *await self._loose(request, live)]:
                yield f"{request.id} {request.kind} of {request.call.tool}: {told}"
        for told in self._stale(live):
            yield told

    def _stale(self, live: set[str]) -> Iterator[str]:
        """Buttons that stand there for nothing any more."""
        open_now = {one.id for one in self.book.requests.values() if one.is_open}
        sheets = {one.id: one.items for one in self.book.requests.values() if one.items}
        for post in self.bot.chat.posts:
            for button in post.card.buttons:
                about = {button.subject, *sheets.get(RequestId(button.subject), ())}
                if button.move != STEPS and not about & open_now and button.subject not in live:
                    yield f"{post.key} still offers {button.move} of {button.subject}"

    async def _loose(self, request: Request, live: set[str]) -> list[str]:
        """What would let an open request wait for ever, or for nobody."""
        if not request.is_open:
            return []
        wrong = [] if request.run in live or request.outlives else ["it is open, and its run has ended"]
        key = f"{{{self.bot.namespace}:{request.id.split('-')[1]}}}:timers"
        due = await self._link.ask(self._link.client.zscore(key, timer_name(request, request.rung)))
        if due is None:
            wrong.append(f"it is open, and nothing happens at its step {request.rung}")
        if request.deadline is None and request.ask.reviewed_every is None and not request.outlives:
            wrong.append("it is open, and has neither a deadline nor a review")
        return wrong
