"""The commands that only look: what waits for me, what runs, who am I; and the one that ends a run.

Rows of plain text, PAGE at a time. Nobody's words can pose as another row. Not what somebody may see (views).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta

from bot.domain import absence
from bot.domain.chat import Account, Answer, Person, PersonId
from bot.domain.inert import show
from bot.domain.pages import Awaited, Queued, RunView, Waiting
from bot.domain.people import may_answer
from bot.domain.ports import Directory, Views
from bot.domain.request import RunId
from bot.runtime.asked import Asked

ROWS = 20  # of one page
PAGES = 10  # a longer list is for the audit
ROW_MOST = 300  # characters
NAME_MOST = 80  # characters of somebody's name
NAMED = 4  # people of one row
TEAM = "team"  # behind `pending`: of those whose manager one is

Stop = Callable[[RunId, Account, str], Awaitable[Answer]]
"""End a run for somebody, by a delivery. Raises NotRequestable, Unavailable."""


class Lists:
    def __init__(self, views: Views, people: Directory, clock: Callable[[], datetime], stop: Stop) -> None:
        self._views, self._people, self._clock, self._stop = views, people, clock, stop
        self.deeds = {
            "pending": self.pending,
            "queue": self.queue,
            "runs": self.runs,
            "stop": self.stop,
            "whoami": self.whoami,
        }

    async def pending(self, asked: Asked) -> str:
        """What waits for them, then what they put off; or what waits for their team."""
        if asked.rest.lower().startswith(TEAM):
            return await self._team(asked)
        waiting, now = await self._views.waiting_for(asked.by), self._clock()
        rows = [_waiting_row(each, now) for each in waiting if each.put_off is None]
        off = [_put_off_row(each, each.put_off, asked.person) for each in waiting if each.put_off is not None]
        told = listed("Waiting for you. Answer on their cards." if rows else "Nothing waits for you.", rows, asked)
        if not off or _page(asked.rest) > 1:
            return told
        more = [f"(+{len(off) - ROWS} more)"] if len(off) > ROWS else []
        return "\n".join([told, f"Put off. See one sooner with {asked.name} now REQUEST.", *off[:ROWS], *more])

    async def _team(self, asked: Asked) -> str:
        rows = [_team_row(each, self._clock()) for each in await self._views.team(asked.by)]
        told = "Waiting for the people whose manager you are." if rows else "Nothing waits for your team."
        return listed(told, rows, asked)

    async def queue(self, asked: Asked) -> str:
        rows = [_queued_row(each) for each in await self._views.queue(asked.by)]
        return listed("Escalated; claim it on its card." if rows else "Nothing is escalated to you.", rows, asked)

    async def runs(self, asked: Asked) -> str:
        most = _page(asked.rest) * ROWS + 1  # one more, to know whether there are more
        rows = [run_row(run, self._clock()) for run in await self._views.runs(asked.by, most=most)]
        told = f"Runs, latest first. End one with {asked.name} stop RUN."
        return listed(told if rows else "No runs yet.", rows, asked)

    async def whoami(self, asked: Asked) -> str:
        above = asked.person.manager
        manager = await self._people.person(above) if above else None
        return described(asked.person, manager.name if manager else above or "")

    async def stop(self, asked: Asked) -> str:
        """By its id, or by the end of it if only one run that they may see ends so."""
        wanted = asked.rest.lower()
        run = await self._views.run(RunId(wanted), asked.by) if wanted.startswith("r-") else None
        found = [run] if run else [one for one in await self._views.runs(asked.by) if one.run.endswith(wanted)]
        if len(found) != 1:
            many = "Several runs end so; write the whole id" if found else f"There is no run {wanted} that you may see"
            return f"{many}. {asked.name} runs lists them."
        if found[0].stop is None:
            return f"Run {found[0].run} has already ended: {found[0].status}."
        return (await self._stop(found[0].run, asked.by, asked.delivery)).text


def listed(told: str, rows: Sequence[str], asked: Asked) -> str:
    """One page of *rows*, and how to see the rest."""
    page = _page(asked.rest)
    start = (page - 1) * ROWS
    shown, more = rows[start : start + ROWS], []
    command = " ".join([asked.name, asked.word, *([TEAM] if asked.rest.lower().startswith(TEAM) else [])])
    if rows and not shown:
        more = [f"There is no page {page}. The first one: {command}"]
    elif len(rows) > start + ROWS:
        more = ["There are more, but this list ends here." if page == PAGES else f"More: {command} {page + 1}"]
    return "\n".join([told, *shown, *more])


def run_row(run: RunView, now: datetime) -> str:
    head = f"{run.run} · {run.status} · began {ago(now - run.began)} · asked by {_named(run.asked_by, run.requester)}"
    return f"{head}\n{line(run.task, ROW_MOST // 2)}"


def line(text: str, most: int) -> str:
    """One line in which nothing is hidden."""
    shown = show(" ".join(text.split()))
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def ago(age: timedelta) -> str:
    for unit, letter in ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min")):
        if age >= unit:
            return f"{age // unit} {letter} ago"
    return "just now"


def described(person: Person, manager: str) -> str:
    """A person in words: who, which groups, what their *manager* is called, and what they may not do, and why."""
    groups = ", ".join(sorted(person.groups))
    return "\n".join(
        [
            f"You are {line(person.name, NAME_MOST)}; I know you as {person.id}.",
            f"Your groups: {groups}." if groups else "You are in no group.",
            f"Your manager: {line(manager, NAME_MOST)}." if manager else "I know no manager of yours.",
            *_standing(person),
        ]
    )


def _standing(person: Person) -> Iterator[str]:
    if may_answer(person):
        yield "You are a full member: you may give tasks, and answer what your groups are asked."
    flags = {"a guest": person.is_guest, "a bot": person.is_bot, "deactivated": not person.is_active}
    for told in (told for told, is_so in flags.items() if is_so):
        yield f"Your account is {told}, so you may neither give tasks nor answer."


def _waiting_row(waiting: Waiting, now: datetime) -> str:
    card = waiting.card
    asks = next((one.text for one in card.blocks if not one.is_code), "")  # of several questions, which; no arguments
    told = [line(part, ROW_MOST // 3) for part in (card.title, asks, card.status) if part]
    return " · ".join([*told, f"asked {ago(now - waiting.opened)}", waiting.run, waiting.request])


def _put_off_row(waiting: Waiting, until: datetime, person: Person) -> str:
    told = line(waiting.card.title, ROW_MOST // 3)
    return " · ".join([*([told] if told else []), f"until {absence.told(until, person.zone)}", waiting.request])


def _team_row(awaited: Awaited, now: datetime) -> str:
    names = [line(name, NAME_MOST) for name in awaited.people[:NAMED]]
    more = [f"{len(awaited.people) - NAMED} more"] if len(awaited.people) > NAMED else []
    waits = f"waits for {', '.join([*names, *more])}"
    return " · ".join([awaited.request, awaited.tool, waits, f"asked {ago(now - awaited.opened)}"])


def _named(name: str, id: PersonId) -> str:
    return line(name or id, NAME_MOST)


def _queued_row(queued: Queued) -> str:
    taken = f"taken by {_named(queued.taken_by, queued.claimed_by)}" if queued.claimed_by else "taken by nobody"
    asked = f"asked by {_named(queued.asked_by, queued.requester)} {ago(queued.age)}"
    told = [line(queued.reason, ROW_MOST // 2), taken, asked]
    return " · ".join([queued.request, *told, queued.run])


def _page(rest: str) -> int:
    typed = rest.rpartition(" ")[2]
    return min(max(int(typed), 1), PAGES) if typed.isdigit() else 1
