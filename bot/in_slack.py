"""Slack, as the settings name it: its office, who is who there, and its chat.

Not what several platforms are together (chats), nor when they are opened and closed (app).
"""

from __future__ import annotations

from functools import partial

import structlog
from pydantic import SecretStr

from adapters.rollcall import Remark, Wanted
from adapters.server import Address
from adapters.slack.chat import Slack, SlackWithin
from adapters.slack.checkup import connected, examined
from adapters.slack.office import Office, SlackSettings, opened_office
from adapters.slack.people import SlackDirectory, Trust
from bot.config import Settings
from bot.domain.chat import PersonId, Place
from bot.domain.errors import BadSettings, ChatUnavailable, NotRequestable
from bot.domain.ports import Directory, Keep, Views
from bot.domain.verdict import Ask
from bot.domain.wire import Json
from bot.meeting import Footing, Ground, Joined, Meeting
from bot.peoplefile import PeopleDirectory
from bot.rules import Rules

log = structlog.get_logger()


async def join_slack(ground: Ground, people: Directory) -> Joined:
    """Open the office. *people* is who is known without Slack. Raises BadSettings."""
    rules = ground.rules
    office, here = await _opened(ground.footing, people)
    for problem in await here.problems():
        log.warning("slack_group_unreadable", problem=problem)

    def met(views: Views, everybody: Directory) -> Meeting:
        explain = partial(_explained, rules, everybody)
        slack = Slack(SlackWithin(office=office, people=here, views=views, explain=explain))
        gauges = {"slack_silence": lambda: slack.silent, "slack_reconnects": lambda: float(slack.reconnects)}
        return Meeting(chats=(slack,), where=lambda: slack.where, not_ready=slack.not_ready, gauges=gauges)

    return Joined(people=here, met=met)


async def people_of_slack(footing: Footing, people: Directory) -> Directory:
    """Who is who with Slack, only to look. *people* is who is known without it. Raises BadSettings."""
    return (await _opened(footing, people))[1]


async def _opened(footing: Footing, people: Directory) -> tuple[Office, SlackDirectory]:
    settings = footing.settings
    try:
        office = await footing.stack.enter_async_context(opened_office(_slack_settings(settings), footing.keep))
    except ChatUnavailable as error:
        told = (
            f"Slack at {settings.slack_api_url} cannot be reached ({error.why}); look at the network or SLACK_API_URL"
        )
        raise BadSettings([told]) from error
    return office, office.directory(people, _trust(settings, footing.listed))


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
        trust=_trust(settings, rules.people),
        places=[(place, f"{settings.policy.name}, {who}") for who, ask in named for place in _places(ask)],
        judge=rules.problems,
        elsewhere=frozenset(settings.chats) - {"slack"},
    )
    return await examined(_slack_settings(settings), keep, wanted)


def _places(ask: Ask) -> list[str]:
    """Every channel of Slack a card asked so may stand in, besides the thread it came from."""
    named = [ask.place, *(rung.to for rung in ask.ladder if rung.channel)]
    ours = [place.removeprefix("slack/") for place in dict.fromkeys(named)]
    return [place for place in ours if place.startswith("#")]


def _trust(settings: Settings, listed: PeopleDirectory) -> Trust:
    home = listed.tenants.get("slack", "")
    return Trust(
        sources=listed.sources,
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
