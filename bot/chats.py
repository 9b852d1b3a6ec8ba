"""Where people are met: the platforms that the settings name, together, and who is who there.

    people.yml -> each platform's directory around the one before -> views of everybody -> each platform's chat

Not what is said (runtime), nor when it is opened and closed (app). A platform's code is loaded when somebody is met
there: its libraries take longer to import than the rest of the bot.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from bot.config import Settings, sealing_key
from bot.domain.errors import BadSettings, ChatUnavailable
from bot.domain.ports import Directory
from bot.meeting import Footing, Ground, Joined, Meeting, together
from bot.rules import Rules
from bot.runtime.views import RuntimeViews
from bot.store.redis import RedisStore

T = TypeVar("T")
Join = Callable[[Ground, Directory], Awaitable[Joined]]
Know = Callable[[Footing, Directory], Awaitable[Directory]]


async def _slack(ground: Ground, people: Directory) -> Joined:
    from bot.in_slack import join_slack

    return await join_slack(ground, people)


async def _teams(ground: Ground, people: Directory) -> Joined:
    from bot.in_teams import join_teams

    return await join_teams(ground, people)


async def _slack_people(footing: Footing, people: Directory) -> Directory:
    from bot.in_slack import people_of_slack

    return await people_of_slack(footing, people)


async def _teams_people(footing: Footing, people: Directory) -> Directory:
    from bot.in_teams import people_of_teams

    return await people_of_teams(footing, people)


JOIN: Mapping[str, Join] = {"slack": _slack, "teams": _teams}
KNOW: Mapping[str, Know] = {"slack": _slack_people, "teams": _teams_people}


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """Where people shall be met: the playground or the terminal alone, or platforms of `JOIN`; and lines to try there,
    with what each shows."""

    chats: tuple[str, ...]
    examples: Mapping[str, str]


async def chats_of(venue: Venue, ground: Ground, store: RedisStore) -> tuple[Meeting, Directory]:
    """Everything that is named, open but not yet listening; and who is who on all of it. Raises BadSettings."""
    settings, rules = ground.settings, ground.rules
    people: Directory = rules.people
    joined = []
    for name in (name for name in venue.chats if name in JOIN):
        joined.append(await JOIN[name](ground, people))
        people = joined[-1].people
    views = RuntimeViews(store, rules.toolbox, people, sealing_key(settings), reports=rules.policy.reports)
    if joined:
        return together([one.met(views, people) for one in joined]), people
    return await _alone(venue, settings, rules, views), people


async def everybody(footing: Footing) -> Directory:
    """Who is who on every platform that is set, for a command that only looks: nobody listens, nothing is said.

    Raises BadSettings for a platform that cannot be asked.
    """
    people: Directory = footing.listed
    for name in footing.settings.chats:
        people = await KNOW[name](footing, people) if name in KNOW else people
    return people


async def looked(footing: Footing, look: Callable[[Directory], Awaitable[T]]) -> tuple[T, str]:
    """What *look* finds among everybody; if a platform cannot be asked, among those of people.yml alone, and why."""
    try:
        return await look(await everybody(footing)), ""
    except (BadSettings, ChatUnavailable) as error:
        why = error.why if isinstance(error, ChatUnavailable) else "; ".join(error.problems)
        return await look(footing.listed), why


async def _alone(venue: Venue, settings: Settings, rules: Rules, views: RuntimeViews) -> Meeting:
    """The terminal or the playground: whoever sits there is whom they say they are."""
    if venue.chats == ("terminal",):
        from adapters.terminal import Terminal

        terminal = Terminal(rules.people.people, views, await _typed(), _print)
        return Meeting(chats=(terminal,), ended=terminal.ended)
    from adapters.playground.chat import Playground, PlaygroundSettings

    page = PlaygroundSettings(
        people=rules.people.people,
        db=settings.var / "playground.db",
        port=settings.port,
        real_credentials=settings.real_credentials,
        examples=venue.examples,
    )
    playground = Playground(page, views)
    return Meeting(chats=(playground,), url=lambda: playground.url, where=lambda: playground.url)


async def _typed() -> asyncio.StreamReader:
    """What is typed, without blocking anybody."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
