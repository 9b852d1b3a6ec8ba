"""One call of a method: who calls, with which arguments, and the checks that many methods share."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.fakes.slack.world import FakeChannel, FakeUser, Install, Json, Refusal, World

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """*install* is the workspace the token belongs to; methods without a bot token have none."""

    world: World
    args: Mapping[str, Any]
    token: str
    base: str  # the fake's own address, for links it hands out
    found: Install | None

    @property
    def install(self) -> Install:
        if self.found is None:
            raise Refusal("not_allowed_token_type")
        return self.found

    def need(self, *scopes: str) -> None:
        """Raise `missing_scope` unless one of *scopes* is granted."""
        if scopes and not set(scopes) & self.world.scopes:
            raise Refusal("missing_scope", needed=",".join(scopes), provided=",".join(sorted(self.world.scopes)))

    def channel(self, name: str = "channel") -> FakeChannel:
        """A conversation the bot can know of: another workspace's, or a private one it is not in, does not exist."""
        channel = self.world.channels.get(str(self.args[name]))
        if channel is None or channel.team != self.install.team:
            raise Refusal("channel_not_found")
        if channel.kind != "channels" and self.install.bot_user not in channel.members:
            raise Refusal("channel_not_found")
        return channel

    def own_channel(self, name: str = "channel") -> FakeChannel:
        """A conversation the bot is in."""
        channel = self.channel(name)
        if self.install.bot_user not in channel.members:
            raise Refusal("not_in_channel")
        return channel

    def user(self, name: str = "user") -> FakeUser:
        """A user this workspace can see: its own people, and strangers it shares a channel with."""
        user = self.world.users.get(str(self.args[name]))
        if user is None or (user.team != self.install.team and not user.is_("is_stranger")):
            raise Refusal("user_not_found")
        return user

    def page(self, rows: Sequence[T], *, usual: int = 100, most: int = 1000) -> tuple[list[T], Json]:
        """This call's page of *rows*, and the `response_metadata` that leads to the next."""
        limit = self._whole("limit", usual, "invalid_limit")
        if not 1 <= limit <= most:
            raise Refusal("invalid_limit")
        start = self._start()
        rest = start + limit < len(rows)
        cursor = base64.b64encode(f"next:{start + limit}".encode()).decode() if rest else ""
        return list(rows[start : start + limit]), {"response_metadata": {"next_cursor": cursor}}

    def _start(self) -> int:
        cursor = str(self.args.get("cursor") or "")
        try:
            return int(base64.b64decode(cursor).decode().removeprefix("next:")) if cursor else 0
        except ValueError as error:
            raise Refusal("invalid_cursor") from error

    def _whole(self, name: str, usual: int, code: str) -> int:
        try:
            return int(self.args.get(name) or usual)
        except ValueError as error:
            raise Refusal(code) from error


Handler = Callable[[Call], Json]
