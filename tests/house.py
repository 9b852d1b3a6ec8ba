"""A whole bot for a test: real store, real engine, real rehearsal endpoint, a chat in memory, scripted people.

async with House(redis_url, namespace, tmp_path) as house:
    await house.mention("ana", "refund 120 for order 1042")
    await house.press("approve", by="bo")
"""

from __future__ import annotations

import itertools
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, closing
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from agents.model import ChatCompletions
from agents.patterns.calls import pattern_tools
from agents.rehearsal.server import RehearsalServer
from agents.roster import Roster, assistant
from agents.toolbox import Toolbox
from agents.tools.files import WorkFolder, file_tools
from agents.tools.http import Hosts, http_tools
from agents.tools.mail import MailRoute, mail_tools
from agents.tools.people import people_tools
from agents.tools.shop import Shop, shop_tools
from bot.domain.audit import Entry, parse_line, verify_chain
from bot.domain.budget import Budgets, Price
from bot.domain.chat import Account, Answer, Button, Click, Form, Message, MessageRef, Place
from bot.domain.invariants import check
from bot.domain.ports import Agent, Chat, Directory, Model, Tool
from bot.domain.render import DETAILS
from bot.domain.request import SIGNING
from bot.domain.standing import check_standing
from bot.domain.store import OPEN_MOST, PLACE_MOST
from bot.peoplefile import read_people
from bot.policyfile import parse_policy, read_policy
from bot.runtime.desk import Desk
from bot.runtime.engine import Engine
from bot.runtime.parts import Pace, Parts
from bot.store.link import Link
from bot.store.redis import RedisStore
from bot.telemetry import Metrics
from tests.fakes.chat import FakeChat, Posted

ROOT = Path(__file__).resolve().parents[1]
KEY = b"k" * 32
QUICK = Pace(
    lease=timedelta(seconds=3),
    evict_after=timedelta(hours=1),
    sweep_every=timedelta(milliseconds=50),
    timers_every=timedelta(milliseconds=20),
    checkpoint_every=timedelta(hours=1),
)


class Clock:
    """Moves the store's clock: nothing else in the product has one."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> timedelta:
        return self.ahead

    def advance(self, **time: float) -> None:
        self.ahead += timedelta(**time)


class House:
    def __init__(
        self,
        redis_url: str,
        namespace: str,
        folder: Path,
        *,
        policy: str = "",
        tools: Sequence[Tool] = (),
        agents: Sequence[Agent] = (),
        pace: Pace = QUICK,
        shards: int = 1,
        chat: FakeChat | None = None,
        clock: Clock | None = None,
        model: Model | None = None,
        directory: Directory | None = None,
        open_most: int = OPEN_MOST,
        place_most: int = PLACE_MOST,
        budgets: Budgets = Budgets(),  # noqa: B008  # a record, and it cannot be changed
        prices: Mapping[str, Price] = MappingProxyType({}),
    ) -> None:
        self._url, self._namespace, self._folder, self._shards = redis_url, namespace, folder, shards
        self.url, self.namespace = redis_url, namespace
        self._policy, self._tools, self._agents, self._pace, self._model = policy, tools, agents, pace, model
        self._directory, self._open_most, self._place_most = directory, open_most, place_most
        self._budgets, self._prices = budgets, prices
        self.chat = chat or FakeChat()
        self.clock = clock or Clock()
        self._numbers = itertools.count(1)
        self._stack = AsyncExitStack()
        self.shop = Shop.open(folder / "shop.db")
        self.desk: Desk
        self.engine: Engine
        self.store: RedisStore
        self.rehearsal: RehearsalServer

    async def __aenter__(self) -> Self:
        link = Link(self._url, shift=self.clock)
        self._stack.push_async_callback(link.close)
        self.store = RedisStore(link, namespace=self._namespace, shards=self._shards, key=KEY)
        await self.store.prepare()
        self.rehearsal = await self._stack.enter_async_context(RehearsalServer())
        self.engine = Engine(await self._parts())
        self.desk = await self._stack.enter_async_context(self.engine.running())
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def again(self) -> House:
        """Another process on the same store, chat and shop: a restart, or a second replica."""
        return House(
            self._url,
            self._namespace,
            self._folder,
            policy=self._policy,
            tools=self._tools,
            agents=self._agents,
            pace=self._pace,
            shards=self._shards,
            chat=self.chat,
            clock=self.clock,
            model=self._model,
            directory=self._directory,
            budgets=self._budgets,
            prices=self._prices,
        )

    async def _parts(self) -> Parts:
        toolbox = Toolbox((*self._shipped(), *self._tools))
        model = self._model
        if model is None:
            served = ChatCompletions(base_url=self.rehearsal.base_url, api_key="rehearsal", name="rehearsal")
            model = await self._stack.enter_async_context(served)
        secrets = {spec.name: spec.secrets for spec in toolbox.specs()}
        policy = parse_policy(self._policy.encode()) if self._policy else read_policy(ROOT / "policy.yml")
        agents = (*self._agents, assistant(tuple(secrets), secrets))
        chat, directory = await self._outside(toolbox)
        return Parts(
            store=self.store,
            chats={chat.platform: chat},
            policy=policy,
            toolbox=toolbox,
            model=model,
            roster=Roster(agents, default=agents[0].name),
            directory=directory,
            meter=Metrics(),
            key=KEY,
            owner=f"house-{uuid.uuid4().hex[:6]}",
            pace=self._pace,
            open_most=self._open_most,
            place_most=self._place_most,
            budgets=self._budgets,
            prices=self._prices,
        )

    async def _outside(self, toolbox: Toolbox) -> tuple[Chat, Directory]:  # noqa: ARG002  # another chat looks at it
        """Where people are, and who they are. Another chat than the one in memory overrides this, and `_listen`."""
        return self.chat, self._directory or read_people(ROOT / "people.yml")

    async def _listen(self) -> None:
        """The chat in memory is spoken to through the desk."""

    def _shipped(self) -> tuple[Tool, ...]:
        return (
            *shop_tools(self.shop),
            *mail_tools(MailRoute(sender="bot@example.com", folder=self._folder / "mail")),
            *file_tools(WorkFolder(self._folder / "work")),
            *http_tools(Hosts(())),
            *people_tools(),
            *pattern_tools(),
        )

    # ------------------------------------------------------------- people

    async def mention(self, by: str, text: str, *, thread: str | None = None, delivery: str = "") -> str:
        """Give a task in #general; returns the thread."""
        thread = thread or f"t{next(self._numbers)}-{uuid.uuid4().hex[:6]}"
        await self.say(by, f"@countersign {text}", thread=thread, is_mention=True, delivery=delivery)
        return thread

    async def say(
        self, by: str, text: str, *, thread: str, is_mention: bool = False, delivery: str = ""
    ) -> Answer | None:
        place = Place(platform="playground", tenant="local", channel="general", thread=thread)
        number = next(self._numbers)
        ref = MessageRef(place=place, id=f"in{number}")
        answer = await self.desk.message(
            Message(
                delivery=delivery or f"d{number}-{uuid.uuid4().hex[:8]}",
                by=account(by),
                place=place,
                text=text,
                ref=ref,
                is_mention=is_mention,
            )
        )
        if answer is not None:
            self.chat.whispers.append((by, answer.text))
        return answer

    async def press(
        self,
        move: str,
        *,
        by: str,
        fields: Mapping[str, object] | None = None,
        card: Posted | None = None,
        delivery: str = "",
        is_careful: bool = True,
    ) -> Answer:
        """Press a button of *card* (or of the newest card that has it), as it looked when it last had it.

        Whoever *is_careful* opens the details of what is high-risk before they approve it.
        """
        post = card or await self.card(move)
        if is_careful and move in SIGNING and is_high(post):
            await self.desk.click(click(find(post, DETAILS), post, by, uuid.uuid4().hex[:8]))
        button = find(post, move)
        number = delivery or uuid.uuid4().hex[:8]
        if fields is None:
            answer = await self.desk.click(click(button, post, by, number))
        else:
            c = click(button, post, by, number)
            answer = await self.desk.form(
                Form(
                    delivery=c.delivery,
                    by=c.by,
                    ref=c.ref,
                    subject=c.subject,
                    move=c.move,
                    token=c.token,
                    fields=fields,
                )
            )
        self.chat.whispers.append((by, answer.text))
        return answer

    # -------------------------------------------------------------- looks

    async def card(self, move: str = "approve", *, but: Sequence[Posted] = ()) -> Posted:
        """Wait for a card with this button (and none of *but*), whose reference the store knows."""

        def found() -> list[Posted]:
            return [post for post in self.with_button(move) if post not in but]

        await self.chat.until(found, f"a card with {move}")
        post = found()[-1]
        if find(post, move).subject.startswith("q-"):  # a button about a run is the same in every message
            await self._confirmed(find(post, move).subject, post)
        return post

    async def _confirmed(self, subject: str, post: Posted) -> None:
        from bot.domain.request import RequestId

        while post.ref not in [copy.ref for copy in (await self.store.held(RequestId(subject))).copies]:
            pass

    def with_button(self, move: str) -> list[Posted]:
        return [post for post in self.chat.posts if any(button.move == move for button in post.card.buttons)]

    def titled(self, title: str) -> list[Posted]:
        return [post for post in self.chat.posts if title in post.card.title]

    async def shows(self, text: str) -> None:
        """Wait until some message shows *text* now."""
        await self.chat.until(lambda: any(text in words(post) for post in self.chat.posts), text)

    @property
    def refunds(self) -> int:
        with closing(sqlite3.connect(self._folder / "shop.db")) as base:
            return int(base.execute("SELECT count(*) FROM refunds").fetchone()[0])

    async def audit(self) -> list[Entry]:
        lines = [line for shard in range(self._shards) for line in await self.store.audit_lines(shard, 0, -1)]
        return [parse_line(0, line) for line in lines]

    async def is_sound(self, *, is_quiet: bool = False) -> bool:
        """The audit verifies: chain and invariants."""
        for shard in range(self._shards):
            lines = await self.store.audit_lines(shard, 0, -1)
            problems = [
                *verify_chain(lines, shard=shard),
                *check((parse_line(shard, x) for x in lines), is_quiet=is_quiet),
            ]
            assert not problems, "\n".join(f"{p.invariant} #{p.seq}: {p.told}" for p in problems)
        assert not (unasked := check_standing(await self._everything())), unasked
        return True

    async def _everything(self) -> list[Entry]:
        """The audit of all shards; the first one last, because others' votes rest on it."""
        logs = {shard: await self.store.audit_lines(shard, 0, -1) for shard in reversed(range(self._shards))}
        return [parse_line(shard, line) for shard, lines in logs.items() for line in lines]


def account(user: str) -> Account:
    return Account(platform="playground", tenant="local", user=user)


def find(post: Posted, move: str) -> Button:
    """The newest button of this move that *post* ever had: people press what is still on their screen."""
    return next(button for card in reversed(post.cards) for button in card.buttons if button.move == move)


def is_high(post: Posted) -> bool:
    """Has it to be read first? What is high-risk is asked once more before it is approved."""
    return any(button.move == "approve" and button.confirm for button in post.card.buttons)


def click(button: Button, post: Posted, by: str, number: str) -> Click:
    return Click(
        delivery=f"click-{number}",
        by=account(by),
        ref=post.ref,
        subject=button.subject,
        move=button.move,
        token=button.token,
    )


def words(post: Posted) -> str:
    card = post.card
    return "\n".join(
        (card.title, card.body, card.status, *(f.value for f in card.facts), *(b.text for b in card.blocks))
    )
