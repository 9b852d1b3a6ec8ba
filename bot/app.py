"""The roof: opens everything, wires it, closes it in the right order. The only file that names concrete classes.

settings -> store -> rules and people -> tools and model -> engine, behind a front door
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import structlog

from agents.model import ChatCompletions
from agents.rehearsal import playbook
from agents.rehearsal.server import RehearsalServer
from bot.agentsmodels import prices
from bot.chats import Venue, chats_of
from bot.config import Settings, sealing_key
from bot.domain.chat import Account, Answer, Click, Form, Message, Place
from bot.domain.errors import StoreUnavailable
from bot.domain.ports import Directory, FrontDoor, Model, Toolbox
from bot.domain.recorded import Recollection
from bot.domain.report import Load
from bot.domain.saved import Saved
from bot.domain.store import Store
from bot.meeting import Ground, Meeting
from bot.modelkeys import Endpoint, endpoints, model_names
from bot.peoplefile import PeopleDirectory
from bot.rules import Rules, opened_rules, usable
from bot.runtime.absences import StoredAbsences
from bot.runtime.engine import Engine
from bot.runtime.parts import Pace, Parts
from bot.runtime.recalling import recalled
from bot.runtime.reporting import Trail, load, savings, trail
from bot.runtime.rights import Rights
from bot.store.embedded import EmbeddedServer, running_url
from bot.store.link import Link, reach
from bot.store.redis import RedisStore
from bot.telemetry import HealthServer, Metrics, measure_lag

log = structlog.get_logger()
FOR_ANY_MODEL = 4  # of the lines to try: what the first few show comes from the policy, whatever mind acts


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A bot that runs. `url` is its page, if it has one; `where` says how people reach it."""

    parts: Parts
    engine: Engine
    people: PeopleDirectory
    url: str
    where: str
    health: str
    ended: Callable[[], Awaitable[object]]  # returns when whoever sits in front of a terminal has left


@asynccontextmanager
async def opened(settings: Settings, *, chat: str = "", server: EmbeddedServer | None = None) -> AsyncIterator[App]:
    """The whole bot, from its store to its page, until the context ends. *chat* is playground, terminal, slack or
    teams; left empty, it is every platform that is set, else the playground.

    *server* is an embedded server that was launched already (cellar); it stays the caller's to close.

    Raises BadSettings or BadPolicy, one sentence for every mistake.
    """
    async with AsyncExitStack() as stack:
        rules = await stack.enter_async_context(opened_rules(settings))
        store = await stack.enter_async_context(opened_store(settings, server=server))
        rules.attach(store)
        metrics = Metrics()
        front = Front()
        venue = Venue(chats=(chat,) if chat else settings.chats, examples=_examples(settings))
        ground = Ground(settings=settings, rules=rules, keep=store.keep(), meter=metrics, stack=stack)
        meeting, people = await chats_of(venue, ground, store)
        model, models = await _models(settings, rules, stack)
        parts = Parts(
            store=store,
            chats={one.platform: one for one in meeting.chats},
            policy=rules.policy,
            toolbox=rules.toolbox,
            model=model,
            models=models,
            budgets=rules.agents.budgets,
            prices=prices(rules.agents.models),
            roster=rules.roster,
            directory=people,
            meter=metrics,
            key=sealing_key(settings),
            owner=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}",
            pace=Pace(lease=settings.lease, evict_after=settings.evict_after),
            place_most=settings.place_most,
        )
        engine = Engine(parts)
        for name, value in meeting.gauges.items():
            metrics.watch(name, value)
        with usable(f"{settings.var}, the folder for what is kept,"):
            for one in meeting.chats:
                await stack.enter_async_context(one.serve(front))
        health = await _watched(settings, metrics, engine, meeting, stack)
        lag = await stack.enter_async_context(asyncio.TaskGroup())
        watch = lag.create_task(measure_lag(metrics), name="loop lag")
        stack.callback(watch.cancel)
        front.desk = await stack.enter_async_context(engine.running())
        stack.callback(front.close)
        yield App(
            parts=parts,
            engine=engine,
            people=rules.people,
            url=meeting.url(),
            where=meeting.where(),
            health=health.url,
            ended=meeting.ended,
        )


async def _watched(
    settings: Settings, metrics: Metrics, engine: Engine, meeting: Meeting, stack: AsyncExitStack
) -> HealthServer:
    """The page for whoever watches this process. Raises BadSettings."""

    async def not_ready() -> list[str]:
        return [*await engine.not_ready(), *meeting.not_ready()]

    health = HealthServer(metrics, not_ready, host=settings.host, port=settings.health_port)
    remedy = "set it to another port, or to 0 for any that is free; COUNTERSIGN_HOST names an address of this machine"
    with usable(f"COUNTERSIGN_HEALTH_PORT {settings.health_port} on {settings.host}", remedy):
        return await stack.enter_async_context(health)


@asynccontextmanager
async def opened_store(
    settings: Settings, *, join: bool = False, server: EmbeddedServer | None = None
) -> AsyncIterator[RedisStore]:
    """The store alone: the embedded server if no REDIS_URL is set, and the link to it.

    With *join*, an embedded server that a running bot has open is used instead of refused; with *server*, one
    that was launched already.
    """
    async with AsyncExitStack() as stack:
        url = settings.redis_url.get_secret_value() if settings.redis_url else None
        if url is None and join:
            url = running_url(settings.var / "redis")
        is_private = url is None
        if url is None:
            if server is None:
                server = await stack.enter_async_context(EmbeddedServer(settings.var / "redis"))
            await server.ready()
            guard = await stack.enter_async_context(asyncio.TaskGroup())
            stack.callback(guard.create_task(server.watch(), name="embedded server").cancel)
            url = server.url
        link = Link(url)
        stack.push_async_callback(link.close)
        await reach(link.client, _shown(url))
        store = RedisStore(link, namespace=settings.namespace, shards=settings.shards, key=sealing_key(settings))
        await store.prepare(is_private=is_private)
        yield store


async def looked_back(store: Store, people: Directory, since: datetime, *, most: int) -> tuple[Trail, Load]:
    """For a report: the audit from *since* on, at most *most* records of each shard; and who is asked just now."""
    rights = Rights(people, StoredAbsences(store), is_judging=False)
    return await trail(store, since, most=most), await load(store, rights)


async def could_have_saved(store: Store, found: Trail, since: datetime, until: datetime) -> tuple[Saved, ...]:
    """For a report: what grants could have saved of what *found* tells was settled in the span."""
    return await savings(store, found, since, until)


async def called_before(store: Store, toolbox: Toolbox, since: datetime, *, most: int, records: int) -> Recollection:
    """For another policy to be tried on: the newest *most* calls, of at most *records* audit records of each shard."""
    return await recalled(store, toolbox, since, most=most, records=records)


class Front:
    """The front door: open while the engine runs. Before and after, nothing is recorded, and that is said."""

    def __init__(self) -> None:
        self.desk: FrontDoor | None = None

    def close(self) -> None:
        self.desk = None

    async def message(self, message: Message) -> Answer | None:
        return await self._open().message(message)

    async def click(self, click: Click) -> Answer:
        return await self._open().click(click)

    async def form(self, form: Form) -> Answer:
        return await self._open().form(form)

    async def order(self, text: str, by: Account, place: Place, delivery: str) -> Answer | None:
        return await self._open().order(text, by, place, delivery)

    async def revoke(self, grant_id: str, by: Account, delivery: str) -> Answer:
        return await self._open().revoke(grant_id, by, delivery)

    def _open(self) -> FrontDoor:
        if self.desk is None:
            raise StoreUnavailable("the bot is starting or stopping")
        return self.desk


async def _models(settings: Settings, rules: Rules, stack: AsyncExitStack) -> tuple[Model, Mapping[str, Model]]:
    """The model that is set, and those that agents name; the rehearsal plays all of them, at an endpoint of our own.

    Raises BadSettings with every key that is not there.
    """
    names = model_names(rules.agents)
    if settings.is_rehearsal:
        rehearsal = await stack.enter_async_context(RehearsalServer())
        played = ChatCompletions(base_url=rehearsal.base_url, api_key="rehearsal", name="rehearsal")
        model = await stack.enter_async_context(played)
        return model, dict.fromkeys(names, model)
    ways = endpoints(settings, rules.agents)
    opened = {ref: await stack.enter_async_context(_spoken_to(way)) for ref, way in ways.items()}
    return opened[""], {ref: model for ref, model in opened.items() if ref}


def _spoken_to(way: Endpoint) -> ChatCompletions:
    return ChatCompletions(base_url=way.base_url, api_key=way.key, name=way.name)


def _examples(settings: Settings) -> Mapping[str, str]:
    """Lines for a newcomer, and what each shows. The rehearsal keeps what all of them promise."""
    tries = playbook.shipped().tries
    return {one.line: one.shows for one in (tries if settings.is_rehearsal else tries[:FOR_ANY_MODEL])}


def _shown(url: str) -> str:
    """A Redis URL without its password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
