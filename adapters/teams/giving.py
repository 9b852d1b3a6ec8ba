"""Giving: the message action "Give this to Countersign".

    a message -> is the bot there, is there a text -> front door (durable) -> told in a small dialog

A given message becomes a task of whoever gave it, in its own thread, once. What somebody else wrote says whose words
it holds; what it quotes is what the giver's Teams says it is. Not owned: whether a task is taken (the front door), the
words for it on every platform (adapters/given).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

import structlog

from adapters.asides import judged
from adapters.flood import BUSY, Flood, Verdict
from adapters.given import AN_APP, GIVEN, as_theirs, named, why_no_task
from adapters.teams import answers, reading
from adapters.teams.answers import Reply
from adapters.teams.deeds import ANSWER_WITHIN
from adapters.teams.manifest import GIVE
from adapters.teams.places import Seen
from adapters.teams.reading import Given
from adapters.teams.shapes import PLATFORM, Inbound
from bot.domain.chat import Account, Answer, Message, Place
from bot.domain.errors import Unavailable
from bot.domain.ports import Directory, FrontDoor

log = structlog.get_logger()

NOT_THERE = "I am not in that conversation. Add the Countersign app to it first, then give the message again."
LATE = "That took too long, so I do not know whether I have it. Please look into the thread before you give it again."
NO_MESSAGE = "There is no message in this that I could take."


class Places(Protocol):
    """Where the app is: `places.Places`."""

    async def seen(self, place: Place) -> Seen | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GivingWithin:
    """*flood* is the ears' own: whoever gives messages spends from the same bucket as by mentions."""

    front: FrontDoor
    people: Directory
    places: Places
    flood: Flood


class Giving:
    """`give` is the ears' handler."""

    def __init__(self, within: GivingWithin) -> None:
        self._with = within

    async def give(self, inbound: Inbound) -> Reply:
        """Make a message a task of whoever chose the action. Never raises Refused or Unavailable: those are told."""
        given = reading.given(inbound)
        if given is None or given.command != GIVE:
            log.warning("teams_action_unknown")
            return answers.notice(NO_MESSAGE)
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                answer = await self._taken(given)
        except TimeoutError:
            return answers.notice(LATE)
        except Unavailable as error:
            log.warning("teams_given_not_taken", error=str(error))
            return answers.notice(error.people_read)
        return answers.notice(answers.told(answer))

    async def _taken(self, given: Given) -> Answer:
        place = given.about.place
        if not place.channel or await self._with.places.seen(place) is None:
            return Answer(is_taken=False, text=NOT_THERE)
        is_own = given.author == given.by.user
        text = given.text if is_own or not given.text else as_theirs(given.text, await self._author(given))
        if why := why_no_task(text, is_own=is_own):
            return Answer(is_taken=False, text=why)
        message = _message(given, text)
        if self._with.flood.judge(message) is not Verdict.HEAR:
            return Answer(is_taken=False, text=BUSY)
        answer = await judged(self._with.front.message(message))
        return answer if answer and answer.text else Answer(is_taken=True, text=GIVEN)

    async def _author(self, given: Given) -> str:
        if not given.author:
            return AN_APP
        account = Account(platform=PLATFORM, tenant=given.by.tenant, user=given.author)
        return named(await self._with.people.who(account), given.author)


def _message(given: Given, text: str) -> Message:
    about = given.about
    return Message(
        delivery=f"{PLATFORM}:{about.place.channel}:{about.id}:given",
        by=given.by,
        place=about.place.in_thread(given.thread),
        text=text,
        ref=about,
        is_mention=True,
    )
