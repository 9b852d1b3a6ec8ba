"""Rooms: who sits in the playground, which conversations there are, and how a mention is typed.

Owns names. Not messages (book) and not rights: what a person may do is decided behind the front door.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.domain.chat import Account, Person, PersonId, Place
from bot.domain.errors import Undeliverable

PLATFORM = "playground"
TENANT = "local"
BOT = "countersign"

_MENTION = re.compile(rf"(?<![\w@])@{BOT}\b", re.IGNORECASE)
_OPENING = re.compile(rf"^\s*@{BOT}\b[,:]?\s*", re.IGNORECASE)


class Rooms:
    """The channels everybody is in, and one direct conversation between the bot and each person."""

    def __init__(self, people: Sequence[Person], channels: Sequence[str]) -> None:
        self.channels = tuple(channels)
        self.people = {account.user: person for person in people for account in person.accounts if _is_ours(account)}

    def user_of(self, person: PersonId) -> str | None:
        return next((user for user, found in self.people.items() if found.id == person), None)

    def account(self, user: str) -> Account:
        return Account(platform=PLATFORM, tenant=TENANT, user=user)

    def direct(self, account: Account) -> Place:
        if not _is_ours(account) or account.user not in self.people:
            raise Undeliverable(f"{account.platform} user {account.user}", "nobody of that name is in the playground")
        return self.place(f"dm-{account.user}", None)

    def place(self, channel: str, thread: str | None) -> Place:
        is_direct = self.owner(channel) is not None
        return Place(platform=PLATFORM, tenant=TENANT, channel=channel, thread=thread, is_direct=is_direct)

    def channel(self, place: Place) -> str:
        """The channel *place* names, with or without its `#`. Raises Undeliverable if there is none.

        A rule for another platform's task leaves the tenant out: there is one.
        """
        channel = place.channel.removeprefix("#")
        if (place.platform, place.tenant or TENANT) != (PLATFORM, TENANT) or not self.is_channel(channel):
            raise Undeliverable(place.key, "there is no such channel in the playground")
        return channel

    def is_channel(self, channel: str) -> bool:
        return channel in self.channels or self.owner(channel) is not None

    def owner(self, channel: str) -> str | None:
        """Whose direct conversation this is; None for a channel everybody sees."""
        user = channel.removeprefix("dm-")
        return user if channel != user and user in self.people else None

    def is_mention(self, text: str) -> bool:
        return _MENTION.search(text) is not None

    def spoken(self, text: str) -> str:
        """What was said to the bot: *text* without the mention it opens with."""
        return _OPENING.sub("", text)


def _is_ours(account: Account) -> bool:
    return (account.platform, account.tenant) == (PLATFORM, TENANT)
