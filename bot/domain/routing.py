"""Which agent gets a task: pure, and decided once. What was chosen stands in the run.

    "billing: where is my money"   the agent that is named, with a colon, at the very beginning
    "review my change"             else the one whose words begin the task
    in #support                    else the one of the channel
    anything                       else the default

Not who may give that agent tasks (`may` is judged by the directory, in the runtime), nor what an agent is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bot.domain.chat import Place
from bot.domain.verdict import Audience
from bot.domain.wire import Record
from bot.domain.words import addressed

NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,39})\s?:\s+(?=\S)")


class Listing(Record):
    """An agent as people know it. `name` is on the roster."""

    name: str
    kind: str = ""
    model: str = ""
    tools: tuple[str, ...] = ()  # its own and those of its members
    describe: str = ""  # what it is for, in a line
    starts: tuple[str, ...] = ()  # words that begin a task of its own, in small letters
    channels: tuple[str, ...] = ()  # "#general" anywhere, or "slack/C0123ABCD"
    may: tuple[Audience, ...] = ()  # who may give it tasks; empty: whoever may give any
    is_inner: bool = False  # nobody may: it works as a member of others alone


class Chosen(Record):
    """The agent for a task, and the task in its words: without the name that it was called by."""

    listing: Listing
    text: str


def choose(text: str, place: Place, listings: Sequence[Listing], default: str) -> Chosen:
    """Who gets *text*, written at *place*. *default* is one of *listings*. An inner agent's name means nothing."""
    said = addressed(text)
    listings = [one for one in listings if not one.is_inner]
    by_name = {one.name.casefold(): one for one in listings}
    called = NAMED.match(said)
    if called and called[1].casefold() in by_name:
        front = text.strip().removesuffix(said)  # the mention
        return Chosen(listing=by_name[called[1].casefold()], text=front + said[called.end() :])
    found = _begun(said, listings) or _at_home(place, listings) or by_name[default.casefold()]
    return Chosen(listing=found, text=text)


def told_who_may(listing: Listing) -> str:
    """One sentence for somebody who may not give it tasks."""
    return f"Only {words_of(listing.may)} may tell {listing.name} what to do."


def words_of(may: Sequence[Audience]) -> str:
    """Whom *may* names, as people read it: `@id` is a person, any other word a group."""
    return " and ".join(one if one.startswith("@") else f"the group {one}" for one in may)


def is_at(channel: str, place: Place) -> bool:
    """Is *place* in the channel that a file names, on its platform if it says one?"""
    platform, _, name = ("", "", channel) if channel.startswith("#") else channel.partition("/")
    here = place.channel.removeprefix("#").casefold()
    return platform in ("", place.platform) and name.removeprefix("#").casefold() == here


def _begun(said: str, listings: Sequence[Listing]) -> Listing | None:
    """Whose words begin the task: of several, the longest."""
    plain = " ".join(said.casefold().split())
    fits: Mapping[str, Listing] = {
        word: one for one in listings for word in one.starts if re.match(rf"{re.escape(word)}(?!\w)", plain)
    }
    return fits[max(fits, key=len)] if fits else None


def _at_home(place: Place, listings: Sequence[Listing]) -> Listing | None:
    return next((one for one in listings if any(is_at(channel, place) for channel in one.channels)), None)
