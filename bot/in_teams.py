"""Teams, as the settings name it: its office, who is who there, and its chat.

Not what several platforms are together (chats), nor when they are opened and closed (app).
"""

from __future__ import annotations

from pathlib import Path

import structlog

from adapters.rollcall import Remark, Wanted
from adapters.server import Address
from adapters.teams.chat import Teams, TeamsWithin
from adapters.teams.checkup import connected, examined
from adapters.teams.clouds import Changes
from adapters.teams.office import Office, TeamsSettings, opened_office
from adapters.teams.people import TeamsDirectory, Trust
from bot.config import Settings
from bot.domain.errors import BadSettings, ChatUnavailable
from bot.domain.ports import Directory, Keep, Views
from bot.domain.verdict import Ask
from bot.meeting import Footing, Ground, Joined, Meeting
from bot.peoplefile import PeopleDirectory
from bot.rules import Rules

log = structlog.get_logger()


async def join_teams(ground: Ground, people: Directory) -> Joined:
    """Open the office. *people* is who is known without Teams. Raises BadSettings."""
    office, here = await _opened(ground.footing, people)
    for problem in await here.problems():
        log.warning("teams_group_unreadable", problem=problem)

    def met(views: Views, everybody: Directory) -> Meeting:
        teams = Teams(TeamsWithin(office=office, own=here, people=everybody, views=views, meter=ground.meter))
        return Meeting(chats=(teams,), where=lambda: teams.where, not_ready=teams.not_ready)

    return Joined(people=here, met=met)


async def people_of_teams(footing: Footing, people: Directory) -> Directory:
    """Who is who with Teams, only to look. *people* is who is known without it. Raises BadSettings."""
    return (await _opened(footing, people))[1]


async def _opened(footing: Footing, people: Directory) -> tuple[Office, TeamsDirectory]:
    given = teams_settings(footing.settings)
    try:
        office = await footing.stack.enter_async_context(opened_office(given, footing.keep))
    except ChatUnavailable as error:
        told = f"Teams cannot be reached ({error.why}); look at the network, TEAMS_CLOUD or TEAMS_LOGIN_URL"
        raise BadSettings([told]) from error
    return office, office.directory(people, _trust(footing.settings, footing.listed, given))


async def connected_teams(settings: Settings) -> tuple[Remark, ...]:
    """What Microsoft says to the app's credentials; needs neither store nor files."""
    return await connected(teams_settings(settings))


async def examined_teams(settings: Settings, rules: Rules, keep: Keep) -> tuple[Remark, ...]:
    """What Microsoft says to what policy.yml and people.yml count on. Raises ChatUnavailable."""
    asks = [(f"rule `{rule.id}`", rule.verdict) for rule in rules.policy.rules if isinstance(rule.verdict, Ask)]
    named = [*asks, ("defaults", rules.policy.default)]
    given = teams_settings(settings)
    wanted = Wanted(
        base=rules.people,
        people=rules.people.people,
        trust=_trust(settings, rules.people, given),
        places=[(place, f"{settings.policy.name}, {who}") for who, ask in named for place in _places(ask)],
        judge=rules.problems,
        elsewhere=frozenset(settings.chats) - {"teams"},
    )
    return await examined(given, keep, wanted)


def _places(ask: Ask) -> list[str]:
    """Every channel of Teams a card asked so may stand in, besides the thread it came from."""
    named = [ask.place, *(rung.to for rung in ask.ladder if rung.channel)]
    ours = [place.removeprefix("teams/") for place in dict.fromkeys(named)]
    return [place for place in ours if place.startswith("#")]


def _trust(settings: Settings, listed: PeopleDirectory, given: TeamsSettings) -> Trust:
    return Trust(
        tenants=given.allowed,
        home=listed.tenants.get("teams", given.tenant).lower(),
        sources=listed.sources,
        is_matching_email=settings.teams_match_email,
        people={person.id: person for person in listed.people},
    )


def teams_settings(settings: Settings) -> TeamsSettings:
    """Raises BadSettings for a certificate that cannot be read."""
    return TeamsSettings(
        app_id=settings.teams_app_id or "",
        app_password=settings.teams_app_password.get_secret_value() if settings.teams_app_password else "",
        certificate=_read(settings.teams_app_certificate),
        tenant=settings.teams_tenant_id or "",
        tenants=tuple(dict.fromkeys((settings.teams_tenant_id or "", *settings.teams_tenants))),
        auth=settings.teams_auth,
        cloud=settings.teams_cloud,
        changes=Changes(
            metadata=settings.teams_openid_metadata,
            login=settings.teams_login_url,
            issuer=settings.teams_issuer,
            scope=settings.teams_scope,
            graph=settings.teams_graph_url,
            service_url=settings.teams_service_url,
            hosts=settings.teams_service_hosts,
        ),
        address=Address(host=settings.host, port=settings.teams_port),
        fallback=settings.teams_fallback_channel,
        is_graph=settings.teams_graph,
    )


def _read(path: Path | None) -> bytes:
    if path is None:
        return b""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadSettings([f"TEAMS_APP_CERTIFICATE {path} cannot be read ({error.strerror})"]) from error
