"""FakeSlack: opens everything, lets tests furnish the workspace, and looks at what is there afterwards."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import aiohttp

from tests.fakes.slack import account, payloads
from tests.fakes.slack.delivery import Delivery, Post, Reply
from tests.fakes.slack.faults import Faults
from tests.fakes.slack.forms import Windows
from tests.fakes.slack.reading import Reader
from tests.fakes.slack.server import Called, Keys, Server
from tests.fakes.slack.sockets import Sockets
from tests.fakes.slack.world import (
    APP,
    TEAM,
    Code,
    FakeChannel,
    FakeFile,
    FakeGroup,
    FakeMessage,
    FakeUser,
    FakeView,
    Json,
    World,
)

SCOPES = {
    *("app_mentions:read", "assistant:write", "chat:write", "commands", "files:write"),
    *("channels:history", "channels:read", "groups:history", "groups:read"),
    *("im:history", "im:read", "im:write", "mpim:history", "mpim:read", "mpim:write"),
    *("usergroups:read", "users:read", "users:read.email", "users.profile:read"),
}
FLAGS = ("is_bot", "deleted", "is_restricted", "is_ultra_restricted", "is_stranger", "is_email_confirmed")
PATIENCE = 10.0  # seconds that `until` waits, where nobody says more


class FakeSlack(Windows):
    """A Slack of one's own on loopback. One workspace has the app from the start; `install` adds others."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self.patience = patience
        self.signing_secret = secrets.token_hex(16)
        self.app_token = f"xapp-1-{APP}-{secrets.token_hex(8)}"
        self.client_id, self.client_secret = "111.222", secrets.token_hex(16)
        self.team, self.app_id = TEAM, APP
        self._opened = AsyncExitStack()
        world, faults = World(set(SCOPES)), Faults()
        self.sockets = Sockets(world)
        keys = Keys(self.app_token, self.client_id, self.client_secret)
        server = Server(world, faults, self.sockets, keys)
        super().__init__(world, faults, server, Post(self.signing_secret, faults, self.sockets))
        self._problems = {}
        self._reader = Reader(world)
        self.bot_token = self.install(TEAM)
        self.bot_user = world.installs[self.bot_token].bot_user
        self.bot_id = world.installs[self.bot_token].bot_id

    async def __aenter__(self) -> Self:
        await self._opened.enter_async_context(self._server.serving())
        self._post.session = await self._opened.enter_async_context(aiohttp.ClientSession())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opened.aclose()

    # ------------------------------------------------------------------ wiring

    @property
    def base_url(self) -> str:
        return self._server.base

    @property
    def api_url(self) -> str:
        """What an `AsyncWebClient` takes as base_url."""
        return f"{self._server.base}/api/"

    @property
    def mention(self) -> str:
        return f"<@{self.bot_user}>"

    @property
    def scopes(self) -> set[str]:
        """What the app was granted, everywhere; take some away and methods answer `missing_scope`."""
        return self._world.scopes

    @property
    def request_url(self) -> str | None:
        """Where HTTP deliveries go; None: to the sockets."""
        return self._post.request_url

    @request_url.setter
    def request_url(self, url: str | None) -> None:
        self._post.request_url = url

    @property
    def redeliver(self) -> bool:
        """An event that is not taken comes again, up to three times, at once."""
        return self._post.redeliver

    @redeliver.setter
    def redeliver(self, is_on: bool) -> None:
        self._post.redeliver = is_on

    @property
    def ack_within(self) -> float:
        """Seconds the app has to answer."""
        return self._post.ack_within

    @ack_within.setter
    def ack_within(self, seconds: float) -> None:
        self._post.ack_within = seconds

    @property
    def enforce_tiers(self) -> bool:
        return self._server.enforce_tiers

    @enforce_tiers.setter
    def enforce_tiers(self, is_on: bool) -> None:
        self._server.enforce_tiers = is_on

    @property
    def home_enabled(self) -> bool:
        return self._world.home_enabled

    @home_enabled.setter
    def home_enabled(self, is_on: bool) -> None:
        self._world.home_enabled = is_on

    def now(self) -> float:
        return self._world.now()

    def later(self, seconds: float) -> None:
        """Put Slack's clock forward: triggers, streams and response_urls age, tiers recover."""
        self._world.later += seconds

    def signed(self, body: bytes) -> dict[str, str]:
        """The headers that make *body* a request from Slack, sent now."""
        return self._post.signed(body)

    # -------------------------------------------------------------- furnishing

    def add_user(
        self,
        name: str,
        *,
        team_id: str = TEAM,
        email: str | None = None,
        fields: Mapping[str, str] | None = None,
        **flags: bool,
    ) -> str:
        """A person, or a bot. *flags*: is_bot, deleted, is_restricted, is_ultra_restricted, is_stranger.

        *fields*: profile field id -> value; several people are parted by commas.
        """
        user = FakeUser(self._world.new_id("U"), name, team_id, email, fields=dict(fields or {}))
        self._world.users[user.id] = user
        self._flag(user, flags)
        return user.id

    def change_user(self, id: str, **flags: bool) -> None:
        """From now on the person is `deleted`, `is_restricted`, and so on; or no longer."""
        self._flag(self._world.users[id], flags)

    def user(self, id: str) -> FakeUser:
        return self._world.users[id]

    def add_profile_field(self, label: str, type: str = "user") -> str:
        """A field of everybody's profile; a manager field has the type `user`."""
        made = {"id": self._world.new_id("Xf"), "label": label, "type": type, "ordering": 0, "is_hidden": False}
        self._world.profile_fields.append(made)
        return str(made["id"])

    def add_channel(
        self,
        name: str,
        members: Iterable[str] = (),
        *,
        is_private: bool = False,
        is_archived: bool = False,
        with_bot: bool = True,
    ) -> str:
        """A channel of the home workspace; its bot is in it unless *with_bot* is false."""
        return self.add_channel_in(
            self.team, FakeChannel("", name, self.team, set(members), is_private, is_archived), with_bot
        )

    def add_channel_in(self, team: str, channel: FakeChannel, with_bot: bool = True) -> str:
        """A channel of any workspace."""
        channel.id, channel.team = self._world.new_id("C"), team
        found = self._world.install_of(team)
        channel.members |= {found[1].bot_user} if found and with_bot else set()
        return self._world.put(channel).id

    def channel(self, id: str) -> FakeChannel:
        """To look at or to change: members, is_archived, is_ext_shared."""
        return self._world.channels[id]

    def add_usergroup(self, handle: str, members: Iterable[str]) -> str:
        group = FakeGroup(self._world.new_id("S"), handle, self.team, list(members))
        self._world.groups[group.id] = group
        return group.id

    def usergroup(self, id: str) -> FakeGroup:
        return self._world.groups[id]

    def dm(self, user: str) -> str:
        """The conversation of *user* and the bot of their workspace."""
        person = self._world.users[user]
        return self._world.dm(self.team if person.is_("is_stranger") else person.team, user).id

    # ---------------------------------------------------------------- installs

    def install(self, team: str, name: str = "Fake", installer: str = "U0INSTALLER") -> str:
        """Install the app in a workspace without OAuth; the bot token."""
        return account.add_install(self._world, Code(team, name, installer, None))[0]

    def consent(self, team: str, user: str, redirect_uri: str | None = None, name: str = "Fake") -> str:
        """Somebody presses Allow: the code that comes back to the redirect URL, good for one `oauth.v2.access`."""
        code = secrets.token_hex(10)
        self._world.codes[code] = Code(team, name, user, redirect_uri)
        return code

    def bot_of(self, team: str) -> str:
        """The bot's user id in a workspace."""
        found = self._world.install_of(team)
        assert found is not None, f"the app is not installed in {team}"
        return found[1].bot_user

    async def uninstall(self, team: str) -> Reply:
        """Somebody removes the app: its tokens are dead, and `tokens_revoked` and `app_uninstalled` arrive."""
        bot = self.bot_of(team)
        for token in [token for token, one in self._world.installs.items() if one.team == team]:
            account.drop_token(self._world, token, "account_inactive")
        await self.event("tokens_revoked", team=team, tokens={"oauth": [], "bot": [bot]})
        return await self.event("app_uninstalled", team=team)

    # ----------------------------------------------------------------- sockets

    async def close_sockets(self) -> None:
        """Every connection is closed with 1012."""
        await self.sockets.close()

    async def disconnect_warning(self, reason: str = "warning") -> None:
        """Slack says it will close soon (`warning`), or asks for a new connection (`refresh_requested`)."""
        await self.sockets.warn(reason)

    # ----------------------------------------------------------------- looking

    def message(self, channel: str, ts: str) -> FakeMessage | None:
        return self._world.message(channel, ts)

    def messages(self, channel: str, thread_ts: str | None = None) -> list[FakeMessage]:
        """What everybody sees there, oldest first; with *thread_ts*, that thread alone, its first message included."""
        shown = list(self._world.channels[channel].shared())
        return shown if thread_ts is None else [one for one in shown if thread_ts in (one.ts, one.thread_ts)]

    def posts(self, channel: str | None = None) -> list[FakeMessage]:
        """What the bots posted for everybody, oldest first."""
        places = [self._world.channels[channel]] if channel else list(self._world.channels.values())
        bots = {one.bot_user for one in self._world.installs.values()}
        found = [one for place in places for one in place.shared() if one.user in bots]
        return sorted(found, key=lambda one: one.ts)

    def ephemerals(self, user: str) -> list[FakeMessage]:
        """What only this person sees, oldest first."""
        rows = [one for place in self._world.channels.values() for one in place.messages.values() if one.to == user]
        return sorted(rows, key=lambda one: one.ts)

    @property
    def files(self) -> list[FakeFile]:
        """Uploads that were completed."""
        return [file for file in self._world.files.values() if file.is_complete]

    @property
    def sessions(self) -> dict[tuple[str, str | None], str]:
        """(channel, thread) -> agent session status."""
        return self._world.sessions

    @property
    def statuses(self) -> dict[tuple[str, str], str]:
        """(channel, thread) -> assistant status, while it is shown."""
        return self._world.statuses

    @property
    def deliveries(self) -> list[Delivery]:
        """Everything that was sent to the app, attempt by attempt."""
        return self._post.sent

    def text_of(self, shown: FakeMessage | FakeView) -> str:
        return self._reader.text_of(shown)

    def mentions_of(self, shown: FakeMessage | FakeView) -> list[str]:
        return self._reader.mentions_of(shown)

    def links_of(self, shown: FakeMessage | FakeView) -> list[str]:
        return self._reader.links_of(shown)

    def buttons_of(self, shown: FakeMessage | FakeView) -> list[str]:
        """The labels, in reading order."""
        return [spot.label for spot in payloads.spots(shown.blocks)]

    @property
    def called(self) -> list[Called]:
        """Every Web API call, in order, with its token."""
        return self._server.called

    def calls(self, method: str) -> list[Json]:
        """The arguments of every call of *method*, whatever became of it."""
        return [one.args for one in self._server.called if one.method == method]

    async def until(self, holds: Callable[[], object], what: str = "") -> None:
        """Wait until *holds*, for `patience` seconds; look again at every change."""
        try:
            async with asyncio.timeout(self.patience):
                while not holds():
                    self._world.changed.clear()
                    await self._world.changed.wait()
        except TimeoutError:
            raise AssertionError(f"never happened: {what}\n{self._seen_so_far()}") from None

    def _seen_so_far(self) -> str:
        posts = [f"{one.channel} {one.ts}: {self.text_of(one)}" for one in self.posts()]
        calls = [f"called {one.method}" for one in self._server.called[-10:]]
        return "\n".join([*posts, *calls])

    @staticmethod
    def _flag(user: FakeUser, flags: Mapping[str, bool]) -> None:
        if unknown := flags.keys() - set(FLAGS):
            raise TypeError(f"a user has no {sorted(unknown)}")
        user.flags |= flags
