"""Where people are met: the chat that the settings name, and who is who there.

Not what is said (runtime), nor when it is opened and closed (app).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial

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
from bot.config import Settings, sealing_key
from bot.domain.chat import PersonId, Place
from bot.domain.errors import BadSettings, ChatUnavailable, NotRequestable
from bot.domain.ports import Chat, Directory, Keep
from bot.domain.verdict import Ask
from bot.domain.wire import Json
from bot.rules import Rules
from bot.runtime.views import RuntimeViews
from bot.store.redis import RedisStore

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """Where people shall be met: playground, terminal or slack; and lines to try there, with what each shows."""

    chat: str
    examples: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A chat, who is who there, and what the roof wants to know of it."""

    chat: Chat
    people: Directory
    url: Callable[[], str] = str
    where: Callable[[], str] = str
    not_ready: Callable[[], list[str]] = list
    gauges: Mapping[str, Callable[[], float]] = field(default_factory=dict)
    ended: Callable[[], Awaitable[object]] = lambda: asyncio.Event().wait()


async def chat_of(venue: Venue, settings: Settings, rules: Rules, store: RedisStore, stack: AsyncExitStack) -> Meeting:
    if venue.chat == "slack":
        return await _slack(settings, rules, store, stack)
    people = rules.people
    views = _views(settings, rules, store, people)
    if venue.chat == "terminal":
        terminal = Terminal(people.people, views, await _typed(), _print)
        return Meeting(chat=terminal, people=people, ended=terminal.ended)
    page = PlaygroundSettings(
        people=people.people,
        db=settings.var / "playground.db",
        port=settings.port,
        real_credentials=settings.real_credentials,
        examples=venue.examples,
    )
    playground = Playground(page, views)
    return Meeting(chat=playground, people=people, url=lambda: playground.url, where=lambda: playground.url)


async def _slack(settings: Settings, rules: Rules, store: RedisStore, stack: AsyncExitStack) -> Meeting:
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
    views = _views(settings, rules, store, people)
    explain = partial(_explained, rules, people)
    slack = Slack(SlackWithin(office=office, people=people, views=views, explain=explain))
    gauges = {"slack_silence": lambda: slack.silent, "slack_reconnects": lambda: float(slack.reconnects)}
    return Meeting(chat=slack, people=people, where=lambda: slack.where, not_ready=slack.not_ready, gauges=gauges)


def _views(settings: Settings, rules: Rules, store: RedisStore, people: Directory) -> RuntimeViews:
    return RuntimeViews(store, rules.toolbox, people, sealing_key(settings), reports=rules.policy.reports)


async def connected_slack(settings: Settings) -> tuple[Remark, ...]:
    """What Slack says to the tokens; needs neither store nor files."""
    return await connected(_slack_settings(settings))


async def examined_slack(settings: Settings, rules: Rules, keep: Keep) -> tuple[Remark, ...]:
    """What Slack says to what policy.yml and people.yml count on. Raises ChatUnavailable."""
    asks = [(f"rule `{rule.id}`", rule.verdict) for rule in rules.policy.rules if isinstance(rule.verdict, Ask)]
    named = [*asks, ("defaults", rules.policy.default)]
    wanted = Wanted(
        base=rules.people,
        people=rules.people.people,
        trust=_trust(settings, rules),
        places=[(place, f"{settings.policy.name}, {who}") for who, ask in named for place in _places(ask)],
        judge=rules.problems,
    )
    return await examined(_slack_settings(settings), keep, wanted)


def _places(ask: Ask) -> list[str]:
    """Every channel a card asked so may stand in, besides the thread it came from."""
    named = [ask.place, *(rung.to for rung in ask.ladder if rung.channel)]
    return [place for place in dict.fromkeys(named) if place != "thread"]


def _trust(settings: Settings, rules: Rules) -> Trust:
    home = rules.people.tenants.get("slack", "")
    return Trust(
        sources=rules.people.sources,
        home=home,
        manager_field=settings.slack_manager_field,
        is_matching_email=settings.slack_match_email,
    )


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


async def _explained(rules: Rules, people: Directory, tool: str, args: Json, by: PersonId, place: Place) -> str:
    """For `/countersign policy explain`. Raises UnknownTool, InvalidArguments, NotRequestable."""
    who = await people.person(by)
    if who is None:
        raise NotRequestable(f"{by} is not known here")
    return rules.explained(tool, args, who, place)


async def _typed() -> asyncio.StreamReader:
    """What is typed, without blocking anybody."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
