"""Who installed us: tokens of many workspaces, kept sealed, and of the one workspace a single token opens.

    install page -> Slack -> code -> token -> one row a workspace in `Keep` -> Installed.token(team)
    app_uninstalled, tokens_revoked -> is the token dead? -> the row goes

A row belongs to a workspace (T…), or to a whole Enterprise Grid organisation (E…) whose workspaces then share it.
It is one value, so it changes whole or not at all. Does not own the pages people install from (`install_pages`),
nor sealing (`Keep`). Tokens are not rotated, so a row is written by installing alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from hashlib import sha256
from itertools import count
from secrets import token_urlsafe
from typing import Any

import structlog
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.api import SlackGone, SlackRefused
from adapters.slack.workspace import DEAD, said
from bot.domain.ports import Keep
from bot.domain.wire import Record, pack, replace, unpack

log = structlog.get_logger()

STATE_LIVES = timedelta(minutes=10)  # between "Add to Slack" and coming back
FOR_EVER = timedelta(days=36_500)
REMEMBERED = 60.0  # seconds a token is used without looking whether it is still there
BOT_FIELDS = ("bot_token", "bot_id", "bot_user_id", "bot_scopes", "bot_refresh_token", "bot_token_expires_at")
NO_BOT: Mapping[str, Any] = {**dict.fromkeys(BOT_FIELDS), "bot_scopes": []}


class Installs(Record):
    """Everything one workspace installed: its bot, and who installed it. A person's row holds no bot token."""

    bot: dict[str, Any] | None = None
    latest: str = ""  # the user who installed last
    users: Mapping[str, dict[str, Any]] = {}


class KeptInstalls(AsyncInstallationStore):
    """slack_sdk's contract, on `Keep`. Of two people who install one workspace in the same moment, one is remembered.

    *only* are the workspaces and organisations that may install us; empty: whoever finds the page. Any other is as
    good as not there. Raises StoreUnavailable, and BadSeal for a row that somebody changed.
    """

    def __init__(self, keep: Keep, client_id: str, only: frozenset[str] = frozenset()) -> None:
        self._keep, self._client_id, self._only = keep, client_id, only

    @property
    def logger(self) -> logging.Logger:
        return logging.getLogger(__name__)

    async def async_save(self, installation: Installation) -> None:
        owner = owner_of(installation.enterprise_id, installation.team_id, installation.is_enterprise_install)
        row, user = await self.row(owner), installation.user_id
        users = {**row.users, user: {**vars(installation), **NO_BOT}}
        bot = vars(installation.to_bot()) if installation.bot_token else row.bot
        await self._put(owner, Installs(bot=bot, latest=user, users=users))

    async def async_save_bot(self, bot: Bot) -> None:
        owner = owner_of(bot.enterprise_id, bot.team_id, bot.is_enterprise_install)
        await self._put(owner, replace(await self.row(owner), bot=vars(bot)))

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        row = await self.row(owner_of(enterprise_id, team_id, is_enterprise_install))
        return Bot(**row.bot) if row.bot else None

    async def async_find_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        """One person's, or the latest; with the bot token as it is now, whoever brought it."""
        row = await self.row(owner_of(enterprise_id, team_id, is_enterprise_install))
        found = row.users.get(user_id or row.latest)
        bot = {name: value for name, value in (row.bot or {}).items() if name in BOT_FIELDS}
        return Installation(**{**found, **bot}) if found else None

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        owner = owner_of(enterprise_id, team_id)
        await self._put(owner, replace(await self.row(owner), bot=None))

    async def async_delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        """One person's row, or everybody's. The bot stays."""
        owner = owner_of(enterprise_id, team_id)
        row = await self.row(owner)
        users = {user: kept for user, kept in row.users.items() if user_id not in (None, user)}
        latest = row.latest if row.latest in users else next(reversed(users), "")
        await self._put(owner, replace(row, users=users, latest=latest))

    async def async_delete_all(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        owner = owner_of(enterprise_id, team_id)
        await self._keep.forget(self._name(owner), self._name(f"org-of-{owner}"))

    # ------------------------------------------------- beyond slack_sdk's contract

    def is_welcome(self, owner: str) -> bool:
        return not self._only or owner in self._only

    async def row(self, owner: str) -> Installs:
        found = await self._keep.get(self._name(owner)) if self.is_welcome(owner) else None
        return unpack(Installs, found) if found else Installs()

    async def owners(self) -> tuple[str, ...]:
        """Every workspace and organisation that ever was here, in order of arrival; some have left."""
        found: list[str] = []
        for number in count():
            slot = await self._keep.get(self._name(f"no-{number}"))
            if slot is None:
                return tuple(found)
            found.append(slot.decode())
        raise AssertionError("numbers do not end")

    async def enlist(self, owner: str) -> None:
        """Give *owner* the next number. A claim a number: nobody is overwritten, and coming again changes nothing."""
        for number in count():
            before = await self._keep.claim(self._name(f"no-{number}"), owner.encode(), keep=FOR_EVER)
            if before in (None, owner.encode()):
                return

    async def belongs(self, team: str, organisation: str) -> None:
        """Remember that *team* is a workspace of *organisation*: its token is the organisation's."""
        await self._keep.put(self._name(f"org-of-{team}"), organisation.encode())
        await self.enlist(team)

    async def organisation(self, team: str) -> str | None:
        found = await self._keep.get(self._name(f"org-of-{team}"))
        return found.decode() if found else None

    async def _put(self, owner: str, row: Installs) -> None:
        if row.bot is None and not row.users:
            await self._keep.forget(self._name(owner))
            return
        await self._keep.put(self._name(owner), pack(row))
        await self.enlist(owner)

    def _name(self, what: str) -> str:
        return f"slack:install:{self._client_id}:{what}"


class KeptStates(AsyncOAuthStateStore):
    """The `state` of a sign-in: issued once, good for ten minutes, used up by whoever brings it first (T11)."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep

    @property
    def logger(self) -> logging.Logger:
        return logging.getLogger(__name__)

    async def async_issue(self, *_args: object, **_kwargs: object) -> str:
        state = token_urlsafe(24)
        await self._keep.claim(self._name(state), b"issued", keep=STATE_LIVES)
        return state

    async def async_consume(self, state: str) -> bool:
        return await self._keep.take(self._name(state)) is not None

    def _name(self, state: str) -> str:
        """Whoever reads the names in the store learns no state."""
        return f"slack:state:{sha256(state.encode('utf-8', 'replace')).hexdigest()}"


class Installed:
    """The tokens of every workspace that installed us. A token is remembered for a minute.

    Raises StoreUnavailable when nothing is known, and BadSeal for a row that somebody changed.
    """

    def __init__(
        self, installs: KeptInstalls, client: AsyncWebClient, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._installs, self._client, self._clock = installs, client, clock
        self._known: dict[str, tuple[float, Bot]] = {}  # when it was read, by team

    async def token(self, team: str) -> str:
        """Raises SlackGone for a workspace that has not installed us, or has removed us."""
        bot = await self._bot(team)
        if bot is None:
            raise SlackGone(team)
        return bot.bot_token

    async def bot_user(self, team: str, enterprise: str | None = None) -> str | None:
        """Who we are in *team*; None where we are not installed.

        *enterprise* is the organisation a payload says *team* belongs to: if that installed us as a whole, *team*
        is remembered as one of its workspaces.
        """
        bot = await self._bot(team)
        if bot is None and enterprise:
            await self._meet(team, enterprise)
            bot = await self._bot(team)
        return bot.bot_user_id if bot else None

    async def teams(self) -> tuple[str, ...]:
        """Workspaces that have us now. Of an organisation, those that were heard from."""
        return tuple([owner for owner in await self._installs.owners() if owner[0] != "E" and await self._bot(owner)])

    async def uninstalled(self, team: str) -> None:
        """Heed `app_uninstalled` or `tokens_revoked`: if Slack takes the token no more, it is deleted.

        Asked, because Slack repeats an event for minutes, and a late one must not undo a new installation; and
        because it may be about somebody else's token. Safe to repeat. Raises ChatUnavailable if Slack is silent.
        """
        self._known.pop(team, None)
        bot = await self._look(team)
        if bot is None or not await self._is_dead(bot.bot_token):
            log.info("slack_still_installed" if bot else "slack_not_installed", team=team)
            return
        owner = bot.enterprise_id if bot.is_enterprise_install else team
        await self._installs.async_delete_all(enterprise_id=bot.enterprise_id, team_id=owner)
        self._known.clear()
        log.info("slack_uninstalled", team=team, owner=owner)

    async def _is_dead(self, token: str) -> bool:
        try:
            await said("auth.test", self._client.auth_test(token=token))
        except SlackRefused as refused:
            return refused.code in DEAD
        return False

    async def _meet(self, team: str, enterprise: str) -> None:
        """A workspace of an organisation that installed us as a whole, heard from for the first time."""
        if (await self._installs.row(enterprise)).bot is not None:
            await self._installs.belongs(team, enterprise)

    async def _bot(self, team: str) -> Bot | None:
        """From memory while it is young. That somebody is not there is never remembered: they may be installing."""
        read, bot = self._known.get(team, (0.0, None))
        if bot is not None and self._clock() - read < REMEMBERED:
            return bot
        self._known.pop(team, None)
        asked, found = self._clock(), await self._look(team)
        if found is not None:
            self._known[team] = (asked, found)
        return found

    async def _look(self, team: str) -> Bot | None:
        """The workspace's own bot, or else its organisation's."""
        row = await self._installs.row(team) if team else Installs()
        if not row.bot and team and (owner := await self._installs.organisation(team)):
            row = await self._installs.row(owner)
        return Bot(**row.bot) if row.bot else None


def owner_of(enterprise: str | None, team: str | None, is_whole: bool | None = False) -> str:
    """Whose row it is. Slack's ids are unique across all of Slack, so that one of them says it all."""
    return (enterprise if is_whole else None) or team or enterprise or "nobody"
