"""The checkup: does Slack let us do what the settings, policy.yml and people.yml count on? For whoever starts the bot.

    connected   app token -> bot token -> its scopes                     needs nothing but the settings
    examined    channels -> groups, people, quorums (rollcall)           as Slack is at this moment

Looks and changes nothing: no post, and no socket stays open. What it finds are plain sentences, each with its remedy
and none with a secret. Not owned: settings and files that are wrong in themselves (config, policyfile, peoplefile).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters.lengths import sound
from adapters.rollcall import Remark, Wanted, bad, good, weak
from adapters.slack.answers import Page
from adapters.slack.api import SlackRefused
from adapters.slack.install_pages import INSTALL
from adapters.slack.lookups import CHANNELS, MOST_PAGES, PAGE
from adapters.slack.manifest import SCOPES
from adapters.slack.office import Office, SlackSettings, opened_office
from adapters.slack.people import Trust
from adapters.slack.rollcall import Rollcall
from adapters.slack.shapes import BadPayload, read_as
from adapters.slack.workspace import COPY, REMEDIES, bare_client, said
from bot.domain.errors import ChatUnavailable, Refused, Unavailable
from bot.domain.ports import Keep
from bot.domain.wire import Record

INVITE = "type `/invite @countersign` there"
REINSTALL = "add it under OAuth & Permissions, or recreate the app from manifest.yml, then reinstall"
APP_TOKEN = "make one under Basic Information, App-Level Tokens, with the scope connections:write"
HEADER = "x-oauth-scopes"  # of every answer: the scopes of the token that asked

WITHOUT: Mapping[str, str] = {
    "app_mentions:read": "nobody can give it tasks by mentioning it",
    "assistant:write": "it has no agent view in direct conversations",
    "channels:history": "it hears no replies in public channels, and cannot look for a post whose answer was lost",
    "channels:read": "nothing is asked in public channels, and their members cannot be approvers",
    "chat:write": "it can show nothing at all",
    "commands": "/countersign and the message shortcut do nothing",
    "files:write": "arguments too long for a card cannot be shown, so nobody can sign them",
    "groups:history": "it hears no replies in private channels, and cannot look for a post whose answer was lost",
    "groups:read": "nothing is asked in private channels, and their members cannot be approvers",
    "im:history": "it hears nothing in direct conversations",
    "im:write": "nobody can be asked directly",
    "usergroups:read": "members of user groups cannot be approvers",
    "users.profile:read": "SLACK_MANAGER_FIELD cannot be read",
    "users:read": "nobody can sign, because it cannot tell who is a full member",
    "users:read.email": "people whom people.yml lists by their address are not known",
}
APP_TOKEN_REFUSED: Mapping[str, str] = {
    "invalid_auth": f"Slack does not know it; {APP_TOKEN}",
    "not_authed": f"Slack does not know it; {APP_TOKEN}",
    "token_revoked": f"it was revoked; {APP_TOKEN}",
    "not_allowed_token_type": f"it is another kind of token; {APP_TOKEN}",
    "missing_scope": f"it may not open connections; {APP_TOKEN}",
}


async def connected(settings: SlackSettings) -> tuple[Remark, ...]:
    """What Slack says to the tokens. That it does not answer at all is one remark, and the end."""
    async with aiohttp.ClientSession() as session:
        client = bare_client(session, settings.api_url)
        try:
            found = [*_hearing(settings), *await _app_token(settings.app_token, client)]
            if settings.bot_token:
                found += await _bot_token("SLACK_BOT_TOKEN", settings.bot_token, client)
        except ChatUnavailable as error:
            told = f"Slack does not answer at {settings.api_url} ({error.why}); look at the network and SLACK_API_URL"
            return (bad(told, is_end=True),)
    return tuple(found)


async def examined(settings: SlackSettings, keep: Keep, wanted: Wanted[Trust]) -> tuple[Remark, ...]:
    """What Slack says to channels, groups and people; and to the tokens of those who installed the app.

    Raises BadSettings, ChatUnavailable or StoreUnavailable if it cannot even begin.
    """
    async with opened_office(settings, keep) as office:
        teams = await office.teams.teams()
        if settings.client_id and not teams:
            return (weak(f"no workspace has installed the app yet; open {INSTALL} on its public address", is_end=True),)
        found = [one for team in teams if settings.client_id for one in await _installed(team, office, settings)]
        found += [one for team in teams for one in await _channels(team, office, wanted)]
        return (*found, *await Rollcall(office, wanted, teams).remarks())


# ------------------------------------------------------------------ tokens


def _hearing(settings: SlackSettings) -> Iterator[Remark]:
    """Which way Slack reaches us; the socket is told about when it was tried."""
    if settings.signing_secret:
        yield good("SLACK_SIGNING_SECRET is set: what Slack posts over HTTP is checked with it")
    elif not settings.app_token:
        yield bad("Slack cannot reach the bot; set SLACK_APP_TOKEN for Socket Mode, or SLACK_SIGNING_SECRET for HTTP")


async def _app_token(token: str, client: AsyncWebClient) -> list[Remark]:
    """Asks for a socket's address and leaves it at that."""
    if not token:
        return []
    try:
        await said("apps.connections.open", client.apps_connections_open(app_token=token))
    except SlackRefused as refused:
        usual = "is Socket Mode switched on in the app's settings?"
        told = f"SLACK_APP_TOKEN is refused by Slack ({refused.code}): {APP_TOKEN_REFUSED.get(refused.code, usual)}"
        return [bad(told)]
    return [good("Socket Mode works: SLACK_APP_TOKEN may open a connection")]


async def _installed(team: str, office: Office, settings: SlackSettings) -> list[Remark]:
    async with aiohttp.ClientSession() as session:
        client = bare_client(session, settings.api_url)
        return await _bot_token(f"the token of {team}", await office.teams.token(team), client)


async def _bot_token(name: str, token: str, client: AsyncWebClient) -> list[Remark]:
    """Whose it is and what it may do. Raises ChatUnavailable."""
    try:
        told = await said("auth.test", client.auth_test(token=token))
    except SlackRefused as refused:
        why = REMEDIES.get(refused.code, "look the code up in Slack's documentation of auth.test")
        return [bad(f"{name} is refused by Slack ({refused.code}): {why}", is_end=True)]
    if not told.get("bot_id"):
        return [bad(f"{name} is not a bot's token; {COPY}", is_end=True)]
    who, where = sound(str(told.get("user"))), sound(str(told.get("team")))
    known = good(f"{name} is that of @{who}, {told.get('user_id')}, in {where}, {told.get('team_id')}")
    return [known, *_scopes(name, told)]


def _scopes(name: str, told: AsyncSlackResponse) -> Iterator[Remark]:
    header = told.headers.get(HEADER)
    if header is None:
        yield weak(f"Slack does not say what {name} may do; compare its scopes with manifest.yml")
        return
    granted = {scope.strip() for scope in header.split(",")} - {""}
    missing = [scope for scope in SCOPES if scope not in granted]
    for scope in missing:
        yield bad(f"{name} lacks the scope {scope}, and without it {WITHOUT[scope]}: {REINSTALL}")
    if superfluous := sorted(granted - set(SCOPES)):
        told_of = ", ".join(map(sound, superfluous))
        yield weak(f"{name} may do more than the bot needs: remove {told_of} under OAuth & Permissions, then reinstall")
    if not missing:
        yield good(f"{name} has every scope of the manifest")


# ---------------------------------------------------------------- channels


class _Channel(Record):
    id: str
    name: str | None = None
    is_member: bool = False
    is_archived: bool = False


class _Info(Page, kw_only=True):
    channel: _Channel


class _Channels(Page, kw_only=True):
    channels: tuple[_Channel, ...]


async def _channels(team: str, office: Office, wanted: Wanted[Trust]) -> list[Remark]:
    """Every channel that is named somewhere: is it there, and the bot in it?"""
    fallback = office.settings.fallback_channel
    places = [*wanted.places, *([(fallback, "SLACK_FALLBACK_CHANNEL")] if fallback else [])]
    found, names = list[Remark](), dict[str, str]()
    for place, named_by in places:
        name = place.removeprefix("#")
        try:
            if not _is_id(name) and not names:
                names = await _names(team, office)
            found.append(await _channel(team, name, names, office, named_by))
        except (Refused, Unavailable, BadPayload) as error:
            found.append(bad(f"{named_by}: channel {place} cannot be looked at in {team}: {error}"))
    return found


async def _channel(team: str, name: str, names: Mapping[str, str], office: Office, named_by: str) -> Remark:
    """Raises SlackRefused for a scope that is missing."""
    id = name if _is_id(name) else names.get(name)  # noqa: A001  # its name everywhere
    channel = await _info(team, id, office) if id else None
    if channel is None:
        told = f"{named_by}: {team} has no channel {name} that the bot can see"
        return bad(f"{told}; correct it, or if it is private, {INVITE}")
    shown = f"{named_by}: channel {name}"
    if channel.is_archived:
        return bad(f"{shown} is archived in {team}; unarchive it, or name another")
    if not channel.is_member:
        return bad(f"{shown} is there in {team}, but the bot is not in it; {INVITE}")
    if not _is_id(name):
        return weak(f"{shown} is there in {team}; name it by its id, {id}, because names hold for posts alone")
    return good(f"{shown} is there in {team}, and the bot is in it")


async def _info(team: str, channel: str, office: Office) -> _Channel | None:
    try:
        return read_as(_Info, await office.api.call(team, "conversations.info", channel=channel)).channel
    except SlackRefused as refused:
        if refused.code != "channel_not_found":
            raise
        return None


async def _names(team: str, office: Office) -> dict[str, str]:
    """Names of the channels the bot can see, archived ones too, to their ids."""
    return {channel.name: channel.id async for channel in _every(team, office) if channel.name}


async def _every(team: str, office: Office) -> AsyncIterator[_Channel]:
    cursor = ""
    for _ in range(MOST_PAGES):
        reply = await office.api.call(
            team, "conversations.list", types=CHANNELS, exclude_archived=False, limit=PAGE, cursor=cursor or None
        )
        page = read_as(_Channels, reply)
        for channel in page.channels:
            yield channel
        cursor = page.response_metadata.next_cursor if page.response_metadata else ""
        if not cursor:
            return


def _is_id(name: str) -> bool:
    return re.fullmatch(r"[CG][A-Z0-9]{7,}", name) is not None
