"""Home: each person's own list, shown when they open the tab and kept true while they may be looking.

    opened  -> remembered for an hour, by every process -> published
    pressed -> a window | a form -> front door (durable) -> the answer in the window -> published again
    a card changed -> whoever looked lately, whichever process they told, and has another list now -> published, at
    most every 2 s a person

Reading a list costs more the more requests wait, so lists are read the more seldom the longer that takes.

Who looks, and what they were shown last, is in `Keep`: Slack tells one process of the opened tab, another one shows the
next change. Where two publish at once, `hash_conflict` means read again, then publish. What a list lacks for a moment
harms nobody: every press is judged by what the store holds. Not owned: how the tab looks (homeview),
whether a press counts (the front door), forms (modals).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from slack_bolt.context.ack.async_ack import AsyncAck

from adapters.asides import Asides, judged
from adapters.rows import REPORTED, REVOKE, order
from adapters.slack.api import SlackRefused
from adapters.slack.cards import read_action
from adapters.slack.codes import Outcome
from adapters.slack.homeview import home_view, read_home_value
from adapters.slack.literal import Raw, numbered, section
from adapters.slack.modals import Calls, Modals
from adapters.slack.reading import HomeClick, HomeOpened
from adapters.slack.shapes import View, read_as
from adapters.slack.windows import Pressed, Windows
from bot.domain.card_buttons import LOOKS
from bot.domain.chat import Account, Answer, Click
from bot.domain.errors import Refused, Unavailable
from bot.domain.people import may_answer
from bot.domain.ports import Directory, FrontDoor, Keep, Views
from bot.domain.wire import Record, dumps, pack, replace, unpack

log = structlog.get_logger()

STRANGER = "Sorry, only full members of this workspace can work with Countersign."
INACTIVE = Answer(is_taken=False, text="This button is no longer active.")
OFF = "switch the Home tab on under App Home in the app's settings, or install the app again from its manifest"

APART = timedelta(seconds=2)  # between two publications for one person
SHARE = 4  # as much time as reading all lists takes, so many times over: at most a fifth of it goes to Home
LOOKING = timedelta(hours=1)  # how long somebody who opened the tab may still be looking at it
OFF_FOR = timedelta(hours=1)  # until a workspace without Home tab is tried again
LOOKERS = 500  # people remembered; whoever opened it longest ago is forgotten first
SIDE_BY_SIDE = 4  # lists that are read at once
TRIES = 3  # of one publication, APART from each other
ROLL = "slack:home"  # people who look


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeWithin:
    """What Home works with. *asides* must tell people in person: `Asides(group, directly(mouth))`."""

    api: Calls
    keep: Keep
    views: Views
    front: FrontDoor
    people: Directory
    asides: Asides
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Look(Record):
    """Somebody who opened the tab in *team*, when, and what was published to them last, by whichever process."""

    account: Account
    team: str
    looked: datetime
    hash: str | None = None  # Slack's name for that picture
    shown: str = ""  # the mark of the list in it
    published: datetime | None = None


@dataclass(slots=True, kw_only=True)
class _Looker:
    """Somebody who may be looking, and what this process is to do about it."""

    account: Account
    team: str
    looked: datetime
    next: datetime  # no publication before
    is_due: bool = False
    is_tended: bool = False  # a task of ours keeps it fresh just now
    is_asked: bool = False  # to be published even if the list is the same
    failed: int = 0
    took: timedelta = timedelta()  # the last reading of their list


class Home:
    """The Home tab of everybody. `home_opened` and `home_clicked` are the ears' handlers."""

    def __init__(self, within: HomeWithin) -> None:
        self._with = within
        self._windows = Windows(within.api, within.asides)
        self._lookers: OrderedDict[Account, _Looker] = OrderedDict()
        self._off: dict[str, datetime] = {}  # workspace -> when to try again
        self._turns = asyncio.Semaphore(SIDE_BY_SIDE)
        self._is_touched = self._is_reading = False  # whether somebody else's lookers are to be read, or are just now
        self._read = within.clock() - APART
        self._is_closed = False

    def close(self) -> None:
        """Publish no more, so that nobody who closes us waits for a list that is not due yet."""
        self._is_closed = True

    async def home_opened(self, opened: HomeOpened) -> None:
        """Show somebody their list, soon. The messages tab shows none."""
        if opened.tab == "home":
            self._ask(self._noted(opened.by, opened.team))

    async def home_clicked(self, clicked: HomeClick) -> None:
        """Hand in a press on the tab. Raises Unavailable, told in a window, if it was not recorded."""
        pressed = Pressed(by=clicked.by, team=clicked.team, trigger=clicked.trigger)
        looker = self._noted(clicked.by, clicked.team)
        try:
            match _read(clicked):
                case None:
                    with self._windows.opened(pressed) as window:
                        window.show(INACTIVE)
                case click, is_form if is_form or click.move in LOOKS:
                    await self._form(click, clicked)
                case click, _:
                    await self._press(click, pressed)
        finally:
            self._ask(looker)

    async def touch(self, accounts: Iterable[Account] | None = None) -> None:
        """The lists of *accounts* may have changed; those of everybody, if None. Returns at once, and never raises.

        Only people who opened the tab within the last hour are shown anything, and only if their list is another one.
        """
        self._forget()
        for account in list(self._lookers) if accounts is None else accounts:
            if account in self._lookers:
                self._want(self._lookers[account])
        if accounts is None:
            self._is_touched = True
            if not self._is_reading:
                self._is_reading = True
                self._with.asides.later(self._look_around(), "see who looks at Home")

    # --------------------------------------------------------------- presses

    async def _press(self, click: Click, pressed: Pressed) -> None:
        with self._windows.opened(pressed) as window:
            answer = await judged(self._deed(click))
            window.show(answer or Answer(is_taken=True, text=""))

    def _deed(self, click: Click) -> Coroutine[Any, Any, Answer | None]:
        front = self._with.front
        if click.move == REVOKE:
            return front.revoke(click.subject, click.by, click.delivery)
        if (command := order(click.move, click.subject, click.token)) is not None:
            return front.order(command, click.by, click.ref.place, click.delivery)
        return front.click(click)

    async def _form(self, click: Click, clicked: HomeClick) -> None:
        """The same window as behind the card's button. The ears ack when this returns: once it is on the screen."""
        api = _In(self._with.api, clicked.team)
        modals = Modals(api, self._with.views, self._with.front, self._with.asides, self._with.people)
        show = modals.read if click.move in LOOKS else modals.open
        await show(click, clicked.trigger, AsyncAck())  # type: ignore[no-untyped-call]  # bolt gives it no types

    # --------------------------------------------------------------- lookers

    def _noted(self, account: Account, team: str) -> _Looker:
        now = self._with.clock()
        looker = self._lookers.setdefault(account, _Looker(account=account, team=team, looked=now, next=now))
        looker.looked, looker.team = now, team
        self._lookers.move_to_end(account)
        self._forget()
        return looker

    def _forget(self) -> None:
        """Those who looked too long ago; they stand in front."""
        gone = self._with.clock() - LOOKING
        while self._lookers:
            first = next(iter(self._lookers.values()))
            if first.looked > gone and len(self._lookers) <= LOOKERS:
                return
            del self._lookers[first.account]

    async def _look_around(self) -> None:
        """Whoever told another process that they look has another list now, too. Read at most once in APART."""
        try:
            while self._is_touched and not self._is_closed:
                if (wait := self._read + APART - self._with.clock()) > timedelta():
                    await self._with.sleep(wait.total_seconds())
                self._is_touched, self._read = False, self._with.clock()
                found = await self._with.keep.enrolled(ROLL)
                self._meet([unpack(Look, value) for value in found.values()])
        finally:
            self._is_reading = False

    def _meet(self, looks: Sequence[Look]) -> None:
        for look in looks:
            known = self._lookers.get(look.account)
            if known is None:
                now = self._with.clock()
                known = _Looker(account=look.account, team=look.team, looked=look.looked, next=now)
                self._lookers[look.account] = known
                self._want(known)
            known.looked = max(known.looked, look.looked)
        self._lookers = OrderedDict(sorted(self._lookers.items(), key=lambda item: item[1].looked))
        self._forget()

    def _ask(self, looker: _Looker) -> None:
        looker.is_asked, looker.next = True, min(looker.next, self._with.clock() + APART)
        self._want(looker)

    def _want(self, looker: _Looker) -> None:
        if self._is_off(looker.team):
            return
        looker.is_due = True
        if not looker.is_tended:
            looker.is_tended = True
            self._with.asides.later(self._tend(looker), "show a Home tab")

    async def _tend(self, looker: _Looker) -> None:
        """Publish until nothing is due; what becomes due meanwhile is one publication, however often it was wanted."""
        try:
            while looker.is_due:
                await self._until_next(looker)
                if self._is_closed:
                    return
                looker.is_due, looker.next = False, self._with.clock() + APART
                async with self._turns:
                    await self._tried(looker)
                looker.next = max(looker.next, self._with.clock() + SHARE * len(self._lookers) * looker.took)
        finally:
            looker.is_tended = False

    async def _until_next(self, looker: _Looker) -> None:
        """In short steps: somebody who opens the tab does not wait as long as whoever only might be looking."""
        while not self._is_closed and (wait := looker.next - self._with.clock()) > timedelta():
            await self._with.sleep(min(wait, APART).total_seconds())

    # -------------------------------------------------------------- publishing

    async def _tried(self, looker: _Looker) -> None:
        try:
            await self._publish(looker)
        except Unavailable as error:
            looker.is_asked, looker.failed = True, looker.failed + 1
            if looker.failed >= TRIES:
                looker.failed = 0
                raise
            log.info("slack_home_put_off", error=str(error))
            looker.is_due = True
        except Refused:
            self._lookers.pop(looker.account, None)  # nobody is there to look, or nothing can be shown to them
            await self._with.keep.forget(_name(looker.account))
            raise
        else:
            looker.failed = 0

    async def _publish(self, looker: _Looker) -> None:
        try:
            await self._show(looker)
        except SlackRefused as refused:
            match refused.outcome:
                case Outcome.REREAD:
                    looker.is_asked = True
                    await self._show(looker, is_sure=False)
                case Outcome.STOP_FEATURE:
                    self._switch_off(looker.team)
                case _:
                    raise

    async def _show(self, looker: _Looker, *, is_sure: bool = True) -> None:
        """Publish their list if it is another one. *is_sure*: what is known to stand there stands there."""
        is_asked, looker.is_asked = looker.is_asked, False
        began = self._with.clock()
        look = await self._known(looker, is_asked=is_asked)
        if not is_asked and look.published is not None and began < look.published + APART:
            looker.is_due, looker.next = True, min(look.published, began) + APART  # another process was just there
            return
        mark, view = await self._drawn(looker.account)
        looker.took = self._with.clock() - began
        if mark == look.shown and not is_asked:
            return
        await self._write(replace(look, shown="", published=began))  # until Slack answers, nobody knows
        reply = await self._with.api.call(
            looker.team,
            "views.publish",
            user_id=looker.account.user,
            view=view,
            hash=look.hash if is_sure else None,
        )
        await self._write(replace(look, hash=read_as(View, reply.get("view")).hash, shown=mark, published=began))

    async def _write(self, look: Look) -> None:
        await self._with.keep.put(_name(look.account), pack(look), keep=LOOKING)

    async def _known(self, looker: _Looker, *, is_asked: bool) -> Look:
        """What every process knows of them. Who has just looked is on the roll before their list is read, so that no
        change falls in between.
        """
        known = await self._with.keep.get(_name(looker.account))
        new = Look(account=looker.account, team=looker.team, looked=looker.looked)
        look = replace(unpack(Look, known), team=looker.team, looked=looker.looked) if known is not None else new
        left = looker.looked + LOOKING - self._with.clock()
        if is_asked and left > timedelta():
            name = _key(looker.account)
            await self._with.keep.enrol(ROLL, name, pack(look), keep=left, most=LOOKERS)
        return look

    async def _drawn(self, account: Account) -> tuple[str, Raw]:
        """A mark that tells lists apart, whatever the time, and the view: their own list, or one sentence."""
        person = await self._with.people.who(account)
        if person is None or not may_answer(person):
            return "stranger", {"type": "home", "blocks": list(numbered([section(STRANGER)]))}
        waiting = await self._with.views.waiting_for(account)
        asked = [run for run in await self._with.views.runs(account) if run.requester == person.id]
        settled = await self._with.views.settled_by(account)
        allowed = [grant for grant in await self._with.views.grants(account) if grant.by == person.id]
        report = await self._with.views.report(account, REPORTED) or ""
        away, team = await self._with.views.absence(account), await self._with.views.team(account)
        mark = hashlib.sha256(dumps([waiting, asked, settled, allowed, report, away, team])).hexdigest()
        return mark, home_view(
            waiting,
            asked,
            settled,
            report,
            allowed=allowed,
            team=team,
            away=away,
            zone=person.zone,
            now=self._with.clock(),
        )

    # ------------------------------------------------------ workspaces without

    def _is_off(self, team: str) -> bool:
        return team in self._off and self._with.clock() < self._off[team]

    def _switch_off(self, team: str) -> None:
        """This workspace has no Home tab: said once, tried again much later."""
        if team not in self._off:
            log.warning("slack_home_off", team=team, remedy=OFF)
        self._off[team] = self._with.clock() + OFF_FOR


class _In:
    """Slack as one workspace sees it: the card behind a press may stand in another one, or on another platform."""

    def __init__(self, api: Calls, team: str) -> None:
        self._api, self._team = api, team

    async def call(self, team: str, method: str, *, channel: str = "", **args: Any) -> Mapping[str, Any]:  # noqa: ARG002  # the card's
        return await self._api.call(self._team, method, channel=channel, **args)


def _key(account: Account) -> str:
    return f"{account.tenant}/{account.user}"


def _name(account: Account) -> str:
    return f"{ROLL}:{_key(account)}"


def _read(clicked: HomeClick) -> tuple[Click, bool] | None:
    """The press on the card that the row stands for, and whether a form comes first; None if it is no row of ours."""
    action, value = read_action(clicked.action), read_home_value(clicked.value)
    if action is None or value is None:
        return None
    subject, token, ref = value
    click = Click(delivery=clicked.delivery, by=clicked.by, ref=ref, subject=subject, move=action[0], token=token)
    return click, action[1]
