"""A stage for bot processes that die: starts them, plays the people, and judges what is left when all is quiet.

async with Stage(redis_url, namespace, folder) as stage:
    process = await stage.start(moment="after spend")
    await stage.task("charge 120")
    ...
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.domain.audit import Entry, parse_line, verify_chain
from bot.domain.chat import Account, Answer, Button, Click, Form, Message, MessageRef, Place
from bot.domain.invariants import check
from bot.domain.standing import check_standing
from bot.domain.wire import dumps
from bot.store.link import Link
from bot.store.redis import RedisStore
from tests.crash.ledger import Ledger
from tests.crash.nursery import Born, Nursery
from tests.crash.platform import WITHIN, Platform, Posted
from tests.crash.worker import KEY, ROOT, Plan

MINUTE = 60.0


class Process:
    """A bot process. It is ours: nobody else ends it."""

    def __init__(self, owner: str, child: asyncio.subprocess.Process | Born) -> None:
        self.owner, self._child = owner, child

    def send(self, number: signal.Signals) -> None:
        """Not through asyncio's child object: that would reap a child which has just died, before asyncio can."""
        if isinstance(self._child, Born):
            self._child.send_signal(number)
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child.pid, number)

    async def ended(self, *, within: float | None = WITHIN) -> int:
        """Its exit code, as a negative signal number if it was killed."""
        async with asyncio.timeout(within):
            return await self._child.wait()

    @property
    def is_running(self) -> bool:
        return self._child.returncode is None


class Stage:
    def __init__(
        self,
        redis_url: str,
        namespace: str,
        folder: Path,
        *,
        shards: int = 1,
        lease: float = 30.0,
        cards: int = sys.maxsize,
        steps: int = 0,
        is_changing: bool = False,
        nursery: Nursery | None = None,
    ) -> None:
        """*steps* are a run's budget; *is_changing*: the agent's program is another one after the first process.

        Without a *nursery* each process is an interpreter of its own.
        """
        self._url, self._namespace, self._folder, self._shards, self._lease = (
            redis_url,
            namespace,
            folder,
            shards,
            lease,
        )
        self._cards, self._steps, self._is_changing = cards, steps, is_changing
        self._nursery = nursery
        self.ledger = Ledger(folder / "ledger")
        self.ahead = 0.0
        self.platform: Platform
        self.store: RedisStore
        self.processes: list[Process] = []
        self._numbers, self._names = itertools.count(1), itertools.count(1)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        link = Link(self._url)
        self._stack.push_async_callback(link.close)
        self.store = RedisStore(link, namespace=self._namespace, shards=self._shards, key=KEY)
        short = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="cs"))  # a socket's path must be short
        self._socket = Path(short) / "s"
        self.platform = await self._stack.enter_async_context(Platform(self._socket))
        self._stack.push_async_callback(self._end_all)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    # ----------------------------------------------------------- processes

    async def start(self, moment: str = "", *, owner: str = "") -> Process:
        owner = owner or f"bot{next(self._names)}"
        plan = Plan(
            redis=self._url,
            namespace=self._namespace,
            socket=str(self._socket),
            ledger=str(self._folder / "ledger"),
            owner=owner,
            moment=moment,
            ahead=self.ahead,
            shards=self._shards,
            lease=self._lease,
            cards=self._cards,
            steps=self._steps,
            is_changed=self._is_changing and bool(self.processes),
            seen=str(self._folder / "seen"),
        )
        log = self._folder / f"{owner}.log"
        child = await (self._nursery.bear(plan, log) if self._nursery else _interpreter(plan, log))
        process = Process(owner, child)
        self.processes.append(process)
        return process

    async def restart(self, moment: str = "") -> Process:
        """A new process after a kill. A minute has passed: what the dead one held has run out."""
        await self.advance(MINUTE)
        return await self.start(moment)

    def seen(self) -> list[str]:
        """Every moment that the last process which ended in peace has passed, in its order."""
        return (self._folder / "seen").read_text().splitlines()

    async def finish(self) -> None:
        """SIGTERM to everybody who is left; each must go in peace."""
        for process in self.processes:
            if process.is_running and await self.is_up(process):
                process.send(signal.SIGTERM)
                assert await process.ended() == 0, f"{process.owner} ended badly:\n{self.log(process)}"

    async def is_up(self, process: Process) -> bool:
        """Wait until it is; False if it dies before."""
        up = self.platform.until(lambda: self.platform.mouth(process.owner), f"{process.owner} up")
        async with asyncio.TaskGroup() as tasks:
            both = {tasks.create_task(up, name="up"), tasks.create_task(process.ended(), name="ended")}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in both:
                task.cancel()
        return process.is_running

    def log(self, process: Process) -> str:
        return (self._folder / f"{process.owner}.log").read_text(errors="replace")[-4000:]

    async def _end_all(self) -> None:
        for process in self.processes:
            if process.is_running:
                process.send(signal.SIGKILL)
                await process.ended()

    # -------------------------------------------------------------- people

    async def advance(self, seconds: float) -> None:
        self.ahead += seconds
        self.platform.tell_time(self.ahead)

    async def say(
        self, by: str, text: str, *, thread: str = "t1", delivery: str = "", to: str = "", is_reply: bool = False
    ) -> Answer | None:
        place = Place(platform="playground", tenant="local", channel="general", thread=thread)
        number = delivery or f"say{next(self._numbers)}"
        ref = MessageRef(place=place, id=f"in-{number}")
        message = Message(delivery=number, by=account(by), place=place, text=text, ref=ref, is_mention=not is_reply)
        return await self.platform.deliver(message, to=to)

    async def press(
        self,
        move: str,
        by: str,
        *,
        post: Posted | None = None,
        fields: Mapping[str, object] | None = None,
        to: str = "",
    ) -> Answer:
        """Press the newest button of this kind. It is delivered until it is answered, and then once more."""
        await self.platform.until(lambda: post or self.platform.with_button(move), f"a button {move}")
        event = pressed(post or self.platform.with_button(move)[-1], move, by, next(self._numbers), fields)
        answer = await self.platform.deliver(event, to=to)
        assert answer is not None, "a press is always answered"
        await self.platform.deliver(event, to=to)
        return answer

    async def recover(self) -> None:
        """Somebody who answers every question about a call in doubt, truthfully: they look at the ledger."""
        while True:
            await self.platform.until(lambda: self.platform.with_button("answer"), "", within=None)
            post = self.platform.with_button("answer")[-1]
            move = "answer" if await self.has_happened(post) else "approve"
            for by in ("bo", "chris"):
                if post.offers(move):
                    await self.press(move, by, post=post)
            await self.platform.withdrawn(post, "answer")

    async def has_happened(self, post: Posted) -> bool:
        """Did the call behind this card have its effect? As a person would find out: in the books of the tool."""
        entries = await self.audit()
        request = post.key.partition("|")[0]
        asked = next(e for e in entries if e.event == "request_opened" and e.fields["request"] == request)
        step = (asked.fields["run"], asked.fields["path"])
        starts = [e for e in entries if e.event == "tool_started" and (e.fields["run"], e.fields["path"]) == step]
        return bool({e.fields["key"] for e in starts} & {fact.key for fact in self.ledger.facts("effect")})

    # -------------------------------------------------------------- judging

    @property
    def shown(self) -> str:
        """Everything that stands on the platform now."""
        return "\n".join(f"{p.card.title} {p.card.body} {p.card.status}" for p in self.platform.posts)

    async def is_quiet(self, *, answers: int = 1) -> None:
        """Wait until the run has ended and everybody can see it."""
        platform = self.platform
        await platform.until(lambda: len(platform.answers) >= answers and not platform.live_buttons, "the end")
        async with asyncio.timeout(WITHIN):
            for shard in range(self._shards):
                while await self.store.rows(shard) or await self.store.executing(shard):
                    pass

    async def audit(self) -> list[Entry]:
        found: list[Entry] = []
        for shard in range(self._shards):
            found += [parse_line(shard, line) for line in await self.store.audit_lines(shard, 0, -1)]
        return found

    async def must_be_sound(self, *, effects: int = 1) -> None:
        """Three histories: the audit keeps its promises, the ledger says once, the platform shows one end."""
        problems = [*check(await self.audit(), is_quiet=True), *check_standing(await self.audit())]
        for shard in range(self._shards):
            problems += verify_chain(await self.store.audit_lines(shard, 0, -1), shard=shard)
        told = "\n".join(f"{p.invariant} shard {p.shard} #{p.seq}: {p.told}" for p in problems)
        assert not problems, told + "\n" + "\n".join(f"{e.shard} {e.seq} {e.body}" for e in await self.audit())
        happened = self.ledger.facts("effect")
        assert len(happened) == len({fact.key for fact in happened}) == effects, happened
        started = await self.started()
        assert len(self.ledger.facts("start")) <= started, "the tool ran more often than the audit says"
        assert not self.platform.live_buttons

    async def started(self) -> int:
        return len([entry for entry in await self.audit() if entry.event == "tool_started"])


async def _interpreter(plan: Plan, log: Path) -> asyncio.subprocess.Process:
    with log.open("wb") as out:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.crash.worker", dumps(plan).decode()),
            stdout=out,
            stderr=out,
            stdin=asyncio.subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )


def account(user: str) -> Account:
    return Account(platform="playground", tenant="local", user=user)


def pressed(post: Posted, move: str, by: str, number: int, fields: Mapping[str, object] | None) -> Click | Form:
    button: Button = next(button for button in post.card.buttons if button.move == move)
    delivery = f"press{number}"
    if fields is None:
        return Click(
            delivery=delivery,
            by=account(by),
            ref=post.ref,
            subject=button.subject,
            move=move,
            token=button.token,
        )
    return Form(
        delivery=delivery,
        by=account(by),
        ref=post.ref,
        subject=button.subject,
        move=move,
        token=button.token,
        fields=dict(fields),
    )
