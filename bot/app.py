"""The roof: opens everything, wires it, closes it in the right order. The only file that names concrete classes.

settings -> store -> rules and people -> tools and model -> engine, behind a front door
"""

from __future__ import annotations

import asyncio
import importlib
import os
import secrets
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

import structlog
from pydantic import SecretStr

from adapters.playground.chat import Playground, PlaygroundSettings
from adapters.slack.chat import Slack, SlackWithin
from adapters.slack.checkup import connected, examined
from adapters.slack.http import Address
from adapters.slack.office import SlackSettings, opened_office
from adapters.slack.people import Trust
from adapters.slack.rollcall import Remark, Wanted
from adapters.terminal import Terminal
from agents.model import ChatCompletions
from agents.rehearsal.server import RehearsalServer
from agents.roster import Roster, assistant
from agents.toolbox import Toolbox
from agents.tools.files import WorkFolder, file_tools
from agents.tools.http import Hosts, http_tools
from agents.tools.mail import MailRoute, SmtpServer, mail_tools
from agents.tools.people import people_tools
from agents.tools.shop import Shop, shop_tools
from bot.config import Settings, sealing_key
from bot.domain.calls import make_call
from bot.domain.chat import Answer, Click, Form, Message, PersonId, Place
from bot.domain.errors import BadPolicy, BadSettings, ChatUnavailable, NotRequestable, StoreUnavailable
from bot.domain.policy import Facts, Policy
from bot.domain.ports import Chat, Directory, FrontDoor, Model, Tool
from bot.domain.verdict import Ask
from bot.domain.wire import Json
from bot.peoplefile import PeopleDirectory, read_people
from bot.policycheck import check, explain_text
from bot.policyfile import read_policy
from bot.runtime.engine import Engine
from bot.runtime.parts import Pace, Parts
from bot.runtime.views import RuntimeViews
from bot.store.embedded import EmbeddedServer, running_url
from bot.store.link import Link, reach
from bot.store.redis import RedisStore
from bot.telemetry import HealthServer, Metrics, measure_lag

log = structlog.get_logger()
ASKED_OF_SLACK = ("anyone", "manager(requester)", "manager(approver)")  # audiences that people.yml knows in part
EXAMPLES = (
    "@countersign look up order 1042",
    "@countersign refund 40 for order 1042, it arrived broken",
    "@countersign refund 120 for order 1042, it arrived broken",
    "@countersign refund 600 for order 1003, wrong item",
)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a person wrote down: the policy and the people, checked against the tools."""

    policy: Policy
    people: PeopleDirectory
    toolbox: Toolbox


@asynccontextmanager
async def opened(settings: Settings, *, chat: str = "", server: EmbeddedServer | None = None) -> AsyncIterator[App]:
    """The whole bot, from its store to its page, until the context ends. *chat* is playground, terminal or slack;
    left empty, it is the workspace that is set, else the playground.

    *server* is an embedded server that was launched already (cellar); it stays the caller's to close.

    Raises BadSettings or BadPolicy, one sentence for every mistake.
    """
    async with AsyncExitStack() as stack:
        rules = await read_rules(settings)
        store = await stack.enter_async_context(opened_store(settings, server=server))
        metrics = Metrics()
        front = Front()
        mouth = await _chat(chat or settings.chat, settings, rules, store, stack)
        parts = Parts(
            store=store,
            chats={mouth.chat.platform: mouth.chat},
            policy=rules.policy,
            toolbox=rules.toolbox,
            model=await _model(settings, stack),
            roster=_roster(settings, rules.toolbox),
            directory=mouth.people,
            meter=metrics,
            key=sealing_key(settings),
            owner=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}",
            pace=Pace(lease=settings.lease, evict_after=settings.evict_after),
        )
        engine = Engine(parts)
        for name, value in mouth.gauges.items():
            metrics.watch(name, value)
        with _usable(f"{settings.var}, the folder for what is kept,"):
            await stack.enter_async_context(mouth.chat.serve(front))

        async def not_ready() -> list[str]:
            return [*await engine.not_ready(), *mouth.not_ready()]

        health = HealthServer(metrics, not_ready, host=settings.host, port=settings.health_port)
        with _usable(f"COUNTERSIGN_HEALTH_PORT {settings.health_port} on {settings.host}"):
            await stack.enter_async_context(health)
        lag = await stack.enter_async_context(asyncio.TaskGroup())
        watch = lag.create_task(measure_lag(metrics), name="loop lag")
        stack.callback(watch.cancel)
        front.desk = await stack.enter_async_context(engine.running())
        stack.callback(front.close)
        yield App(
            parts=parts,
            engine=engine,
            people=rules.people,
            url=mouth.url(),
            where=mouth.where(),
            health=health.url,
            ended=mouth.ended,
        )


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


async def read_rules(settings: Settings) -> Rules:
    """The policy and people files, held against the tools there are. Raises BadPolicy with every problem."""
    people = read_people(settings.people)
    policy = read_policy(settings.policy)
    with _usable(f"{settings.var} or {settings.work}, where the tools keep things,"):
        toolbox = Toolbox(tools(settings))
    agents = _agents(toolbox)
    outside = {*people.sources, *(ASKED_OF_SLACK if settings.chat == "slack" else ())}
    problems = await check(policy, toolbox.specs(), people, agents=agents, outside=frozenset(outside))
    if problems:
        raise BadPolicy(problems)
    return Rules(policy=policy, people=people, toolbox=toolbox)


def _agents(toolbox: Toolbox) -> dict[str, list[str]]:
    """Every agent's tools."""
    return {"assistant": [spec.name for spec in toolbox.specs()]}


def tools(settings: Settings) -> tuple[Tool, ...]:
    """Every tool this bot has."""
    var = settings.var
    return (
        *shop_tools(Shop.open(var / "shop.db")),
        *mail_tools(_mail_route(settings)),
        *file_tools(WorkFolder(settings.work)),
        *http_tools(Hosts(settings.http_allow)),
        *people_tools(),
        *(tool for name in settings.tools for tool in _named(name)),
    )


def _named(name: str) -> tuple[Tool, ...]:
    """The tool, or tools, that COUNTERSIGN_TOOLS names as module:name. Raises BadSettings."""
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadSettings([f"COUNTERSIGN_TOOLS: {name} cannot be loaded ({error}); write module:name"]) from error
    many = found if isinstance(found, tuple | list) else (found,)
    if not all(hasattr(one, "spec") and hasattr(one, "run") for one in many):
        raise BadSettings([f"COUNTERSIGN_TOOLS: {name} is not a tool; put @tool above the function"])
    return tuple(many)


@contextmanager
def _usable(what: str) -> Iterator[None]:
    """A file, folder or port that cannot be had is a setting to correct, told in one sentence."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise BadSettings([f"{what} cannot be used: {error}"]) from error


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

    def _open(self) -> FrontDoor:
        if self.desk is None:
            raise StoreUnavailable("the bot is starting or stopping")
        return self.desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Mouth:
    """A chat, who is who there, and what the roof wants to know of it."""

    chat: Chat
    people: Directory
    url: Callable[[], str] = str
    where: Callable[[], str] = str
    not_ready: Callable[[], list[str]] = list
    gauges: Mapping[str, Callable[[], float]] = field(default_factory=dict)
    ended: Callable[[], Awaitable[object]] = lambda: asyncio.Event().wait()


async def _chat(chat: str, settings: Settings, rules: Rules, store: RedisStore, stack: AsyncExitStack) -> Mouth:
    if chat == "slack":
        return await _slack(settings, rules, store, stack)
    people = rules.people
    views = RuntimeViews(store, rules.toolbox, people, sealing_key(settings))
    if chat == "terminal":
        terminal = Terminal(people.people, views, await _typed(), _print)
        return Mouth(chat=terminal, people=people, ended=terminal.ended)
    page = PlaygroundSettings(
        people=people.people,
        db=settings.var / "playground.db",
        port=settings.port,
        real_credentials=settings.real_credentials,
        examples=EXAMPLES,
    )
    playground = Playground(page, views)
    return Mouth(chat=playground, people=people, url=lambda: playground.url, where=lambda: playground.url)


async def _slack(settings: Settings, rules: Rules, store: RedisStore, stack: AsyncExitStack) -> Mouth:
    try:
        office = await stack.enter_async_context(opened_office(_slack_settings(settings), store.keep()))
    except ChatUnavailable as error:
        told = (
            f"Slack at {settings.slack_api_url} cannot be reached ({error.why}); look at the network or SLACK_API_URL"
        )
        raise BadSettings([told]) from error
    people = office.directory(rules.people, _trust(settings, rules))
    for problem in await people.problems():
        log.warning("slack_group_unreadable", problem=problem)
    views = RuntimeViews(store, rules.toolbox, people, sealing_key(settings))
    explain = partial(_explained, rules, people)
    slack = Slack(SlackWithin(office=office, people=people, views=views, explain=explain))
    gauges = {"slack_silence": lambda: slack.silent, "slack_reconnects": lambda: float(slack.reconnects)}
    return Mouth(chat=slack, people=people, where=lambda: slack.where, not_ready=slack.not_ready, gauges=gauges)


async def examined_slack(settings: Settings) -> AsyncIterator[Remark]:
    """What Slack says to the settings and rules, a sentence each: the tokens first, which need neither store nor files.

    Raises BadSettings, BadPolicy, StoreUnavailable or ChatUnavailable for what keeps the rest from being looked at.
    """
    slack = _slack_settings(settings)
    is_over = False
    for remark in await connected(slack):
        is_over = is_over or remark.is_end
        yield remark
    if is_over:
        return
    rules = await read_rules(settings)
    async with opened_store(settings, join=True) as store:
        for remark in await examined(slack, store.keep(), _wanted(settings, rules)):
            yield remark


def _wanted(settings: Settings, rules: Rules) -> Wanted:
    """What policy.yml and people.yml count on in Slack."""
    asks = [(f"rule `{rule.id}`", rule.verdict) for rule in rules.policy.rules if isinstance(rule.verdict, Ask)]
    named = [*asks, ("defaults", rules.policy.default)]
    specs = rules.toolbox.specs()

    async def judge(people: Directory, outside: frozenset[str]) -> list[str]:
        return await check(rules.policy, specs, people, agents=_agents(rules.toolbox), outside=outside)

    return Wanted(
        base=rules.people,
        people=rules.people.people,
        trust=_trust(settings, rules),
        places=[(ask.place, f"{settings.policy.name}, {who}") for who, ask in named if ask.place != "thread"],
        judge=judge,
    )


def _trust(settings: Settings, rules: Rules) -> Trust:
    home = rules.people.tenants.get("slack", "")
    return Trust(sources=rules.people.sources, home=home, manager_field=settings.slack_manager_field)


def _slack_settings(settings: Settings) -> SlackSettings:
    return SlackSettings(
        bot_token=_secret(settings.slack_bot_token),
        app_token=_secret(settings.slack_app_token),
        signing_secret=_secret(settings.slack_signing_secret),
        client_id=settings.slack_client_id or "",
        client_secret=_secret(settings.slack_client_secret),
        api_url=settings.slack_api_url,
        fallback_channel=settings.slack_fallback_channel,
        workspaces=settings.slack_workspaces,
        address=Address(host=settings.host, port=settings.port),
    )


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""


async def _explained(rules: Rules, people: Directory, tool: str, args: Json, by: PersonId) -> str:
    """What the policy says if *by* asks for this call. Raises UnknownTool, InvalidArguments, NotRequestable."""
    found, who = rules.toolbox.get(tool), await people.person(by)
    if who is None:
        raise NotRequestable(f"{by} is not known here")
    call = make_call(id="-", tool=tool, version=found.spec.version, args=found.check(args))
    place = Place(platform="slack", tenant="", channel="")
    return explain_text(rules.policy, call, found.spec, Facts(requester=who, place=place, agent="assistant"))


async def _typed() -> asyncio.StreamReader:
    """What is typed, without blocking anybody."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def _model(settings: Settings, stack: AsyncExitStack) -> Model:
    """The model that is set, or the rehearsal: the same class, talking to an endpoint of our own."""
    if settings.is_rehearsal:
        rehearsal = await stack.enter_async_context(RehearsalServer())
        return await stack.enter_async_context(
            ChatCompletions(base_url=rehearsal.base_url, api_key="rehearsal", name="rehearsal")
        )
    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else "none"
    base = settings.openai_base_url or "https://api.openai.com/v1"
    return await stack.enter_async_context(ChatCompletions(base_url=base, api_key=key, name=settings.model))


def _roster(settings: Settings, toolbox: Toolbox) -> Roster:
    names = tuple(spec.name for spec in toolbox.specs())
    try:
        return Roster((assistant(names),), default=settings.agent or "assistant")
    except ValueError as error:
        raise BadSettings([f"COUNTERSIGN_AGENT: {error}"]) from error


def _mail_route(settings: Settings) -> MailRoute:
    sender = settings.smtp_from or "countersign@example.com"
    if settings.smtp_host is None:
        return MailRoute(sender=sender, folder=settings.var / "mail")
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
    smtp = SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_user or "",
        password=password,
        tls=_tls(settings.smtp_port, is_plain=not password),
    )
    return MailRoute(sender=sender, folder=settings.var / "mail", smtp=smtp)


def _tls(port: int, *, is_plain: bool) -> str:
    """Port 465 speaks TLS from the first byte; a server that wants a password is spoken to under STARTTLS."""
    return "tls" if port == 465 else "none" if is_plain else "starttls"


def _shown(url: str) -> str:
    """A Redis URL without its password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
