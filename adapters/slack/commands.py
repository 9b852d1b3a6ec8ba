"""`/countersign`, and the shortcut "Give this to Countersign".

    /countersign WORD … -> who is it -> front door: a command as on every platform -> told in the ack, to them alone
    shortcut on a message -> a window -> is the bot there, is there a text -> front door (durable) -> told in the window

A command is neither delivered again nor answered later: it has 3 s for all of it. Every answer is literal text. What
somebody else wrote becomes a task of whoever gave it, and says whose words it holds. Only `policy explain` is Slack's
own. Not owned: what the other words do, and whether a task is taken (the front door), windows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

import structlog

from adapters.asides import Asides, judged
from adapters.flood import BUSY, Flood, Verdict
from adapters.given import AN_APP, GIVEN, as_theirs, named, why_no_task
from adapters.lengths import clipped
from adapters.slack.api import PLATFORM, SlackRefused
from adapters.slack.codes import Outcome
from adapters.slack.home import STRANGER
from adapters.slack.literal import Raw, chunks, code, fallback, numbered, sections
from adapters.slack.manifest import SHORTCUT
from adapters.slack.markup import words
from adapters.slack.modals import Calls
from adapters.slack.reading import Command, Shortcut
from adapters.slack.windows import Direct, Pressed, Windows
from bot.domain import orders
from bot.domain.chat import Account, Answer, Message, MessageRef, Person, PersonId, Place
from bot.domain.errors import BadJson, ChatUnavailable, Refused, Unavailable
from bot.domain.inert import show
from bot.domain.orders import Word
from bot.domain.people import may_answer
from bot.domain.ports import Directory, FrontDoor
from bot.domain.wire import Json, read_foreign

log = structlog.get_logger()

Explain = Callable[[str, Json, PersonId, Place], Awaitable[str]]
"""What the policy says of one call: tool, arguments, who would ask, and where. Raises Refused with words for people."""

EXPLAINED_MOST = 8_000  # characters
ANSWER_WITHIN = 2.5  # seconds; after 3 Slack shows the person an error
LOOKED_WITHIN = 1.2  # seconds for what is asked of Slack before a message is given; the store needs the rest

POLICY = Word(name="policy", after="explain TOOL [JSON]", what="what the policy says if you ask for this call")
TABLE = (*orders.TABLE[:-1], POLICY, *orders.TABLE[-1:])
AWAY = "I cannot look that up right now. Please try again in a minute."
LATE = "That took too long, so I do not know whether it was done. Please look with {name} runs."
BAD_ARGUMENTS = "The arguments cannot be read: {why}. Write one JSON object with straight quotes, such as {example}."
EXAMPLE = '{"amount": 40}'

NOT_THERE = "I am not in that conversation. Invite me to the channel first (/invite @countersign), then give it again."
ARCHIVED = "That channel is archived, so I cannot answer there. Please ask me somewhere else."


class Bots(Protocol):
    """Who the bot is in a workspace. `Ears`' teams know."""

    async def bot_user(self, team: str) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandsWithin:
    """What both work with. *asides* must tell people in person: `Asides(group, directly(mouth))`.

    *flood* is the ears' own: whoever gives messages spends from the same bucket as by mentions.
    """

    api: Calls
    front: FrontDoor
    people: Directory
    teams: Bots
    mouth: Direct
    asides: Asides
    explain: Explain
    flood: Flood = field(default_factory=Flood)


class Commands:
    """`command` is the ears' handler."""

    def __init__(self, within: CommandsWithin) -> None:
        self._with = within

    async def command(self, command: Command) -> Mapping[str, Json]:
        """What the person sees: text, and at most 50 blocks. Raises Unavailable if a deed was not recorded."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await self._answered(command)
        except TimeoutError:
            log.warning("slack_command_late", team=command.place.tenant)
            return _said(LATE.format(name=command.name) if _does(_words(command)[0]) else AWAY)

    async def _answered(self, command: Command) -> Mapping[str, Json]:
        word, name = _words(command)[0], command.name
        try:
            person = await self._with.people.who(command.by)
            if person is None or (not may_answer(person) and word != "whoami"):
                return _said(STRANGER)
            if word == POLICY.name:
                return await self._policy(command, person)
            if word in ("", "help"):
                return _said(orders.helped(name, TABLE))
            if word not in orders.NAMES:
                return _said(orders.unknown(name, word, TABLE))
            return _said(await self._ordered(command))
        except Unavailable as error:
            if _does(word):
                raise
            log.warning("slack_command_not_answered", team=command.place.tenant, error=str(error))
            return _said(AWAY)

    async def _ordered(self, command: Command) -> str:
        text = f"{command.name} {command.text}"
        answer = await judged(self._with.front.order(text, command.by, command.place, command.delivery))
        return answer.text if answer else orders.helped(command.name, TABLE)

    async def _policy(self, command: Command, person: Person) -> Mapping[str, Json]:
        _, verb, tool, args = [*command.text.split(None, 3), "", "", ""][:4]
        if verb.lower() != "explain" or not tool:
            return _said(f"Write {command.name} policy explain TOOL [JSON].")
        try:
            values = read_foreign(args.strip() or "{}")
            if not isinstance(values, dict):
                raise BadJson("they are no object")
            told = await self._with.explain(tool, values, person.id, command.place)
        except BadJson as error:
            return _said(BAD_ARGUMENTS.format(why=error.why, example=EXAMPLE))
        except Refused as error:
            return _said(error.people_read)
        text = clipped(show(told), EXPLAINED_MOST)
        return _shown(text, [code(chunk) for chunk in chunks(text)])


class Giving:
    """The message shortcut. `shortcut` is the ears' handler."""

    def __init__(self, within: CommandsWithin) -> None:
        self._with, self._windows = within, Windows(within.api, within.asides)

    async def shortcut(self, shortcut: Shortcut) -> None:
        """Make a message a task of whoever chose the shortcut. Raises Unavailable, told in a window."""
        if shortcut.callback != SHORTCUT:
            log.warning("slack_shortcut_unknown")
            return
        pressed = Pressed(by=shortcut.by, team=shortcut.about.place.tenant, trigger=shortcut.trigger)
        with self._windows.opened(pressed) as window:
            window.show(await self._given(shortcut))

    async def _given(self, shortcut: Shortcut) -> Answer:
        try:
            async with asyncio.timeout(LOOKED_WITHIN):
                why = await self._why_not_there(shortcut)
                text = await self._text(shortcut) if not why else ""
        except TimeoutError as error:
            raise ChatUnavailable(PLATFORM, "looking at a given message took too long") from error
        if why := why or _why_no_task(shortcut, text):
            return Answer(is_taken=False, text=why)
        message = _message(shortcut, text)
        if self._with.flood.judge(message) is not Verdict.HEAR:
            return Answer(is_taken=False, text=BUSY)
        answer = await judged(self._with.front.message(message))
        return answer if answer and answer.text else Answer(is_taken=True, text=GIVEN)

    async def _why_not_there(self, shortcut: Shortcut) -> str:
        """Why the bot could not answer beside that message; empty if it could."""
        place = shortcut.about.place
        if place.is_direct:  # a conversation of two: with the bot, or with somebody else
            return "" if (await self._with.mouth.direct(shortcut.by)).channel == place.channel else NOT_THERE
        try:
            reply = await self._with.api.call(place.tenant, "conversations.info", channel=place.channel)
        except SlackRefused as refused:
            if refused.outcome in (Outcome.REROUTE, Outcome.STOP_FEATURE, Outcome.UNKNOWN):
                return NOT_THERE  # private and without the bot, or a conversation of several people
            raise
        channel = reply.get("channel")
        if not isinstance(channel, Mapping) or channel.get("is_member") is not True:
            return NOT_THERE
        return ARCHIVED if channel.get("is_archived") else ""

    async def _text(self, shortcut: Shortcut) -> str:
        """The message in plain words; somebody else's as a quotation. Empty if it says nothing."""
        team = shortcut.about.place.tenant
        text = words(shortcut.text, await self._with.teams.bot_user(team) or "").strip()
        if not text or shortcut.author == shortcut.by.user:
            return text
        return as_theirs(text, await self._author(shortcut.author, team))

    async def _author(self, author: str, team: str) -> str:
        if not author:
            return AN_APP
        return named(await self._with.people.who(Account(platform=PLATFORM, tenant=team, user=author)), author)


def _why_no_task(shortcut: Shortcut, text: str) -> str:
    return why_no_task(text, is_own=shortcut.author == shortcut.by.user)


def _message(shortcut: Shortcut, text: str) -> Message:
    about = shortcut.about
    place = about.place.in_thread(about.place.thread or about.id)
    return Message(
        delivery=f"slack:{place.tenant}:{place.channel}:{about.id}:given",
        by=shortcut.by,
        place=place,
        text=text,
        ref=MessageRef(place=place, id=about.id),
        is_mention=True,
    )


# -------------------------------------------------------------------- answers


def _words(command: Command) -> list[str]:
    """What was typed, the first word in small letters."""
    first, *rest = command.text.split() or [""]
    return [first.lower(), *rest]


def _does(word: str) -> bool:
    """Does the command of this name change something?"""
    return word in orders.NAMES and orders.NAMES[word].does


def _said(text: str) -> Mapping[str, Json]:
    return _shown(text, list(sections(text)))


def _shown(text: str, blocks: Sequence[Raw]) -> Mapping[str, Json]:
    shown = {"text": fallback(text), "blocks": cast(Json, list(numbered(blocks)))}
    return {**shown, "unfurl_links": False, "unfurl_media": False}
