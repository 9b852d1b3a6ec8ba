"""The `report` command: how approvals go, read from the store; as a table, as JSON, or as a picture.

    settings -> store, people -> the audit of the span, the load of now -> Report -> what somebody asked for

Who is who, and who is on call, is asked of people.yml, the schedule and the platforms that are set. If one of these
platforms cannot be asked, names and load are those of people.yml alone, and the report says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bot.app import could_have_saved, looked_back, opened_store
from bot.chats import looked
from bot.config import Settings, load_settings
from bot.domain.chat import PersonId
from bot.domain.errors import Refused
from bot.domain.ports import Directory
from bot.domain.report import HEADS, Figures, Load, Report, cells, notes, report
from bot.domain.store import Store
from bot.domain.wire import Record, replace
from bot.meeting import Footing
from bot.oncallfile import OnCallFile
from bot.peoplefile import PeopleDirectory, read_people
from bot.picture import picture
from bot.yamlfile import UNITS

READ_MOST = 50_000  # audit records of one shard; what is older is not read, and that is said
WIDTH = 100  # columns of the table, wherever it is printed
ALONE = "Names, and for whom requests wait, are those of people.yml alone"


class NotReportable(Refused):
    """The `report` command was given something that it cannot use."""

    def __init__(self, text: str, want: str) -> None:
        super().__init__(f"{text!r} is no {want}")


class Told(Record):
    """A report and the names of the people in it. `note` says what could not be asked, and so is not in it."""

    read: Report
    names: Mapping[PersonId, str]
    note: str = ""


class Span(Record):
    """From *until* back for *length*; *is_past* if it does not end now."""

    length: timedelta
    until: datetime
    is_past: bool


async def reported(since: str, as_of: str) -> Told:
    """The report of the span *since* (30d, 12h) that ends *as_of* (a moment in ISO 8601; empty: now).

    Raises NotReportable. A report of the past has no load: what waited then is not known.
    """
    length, end = span_of(since), _moment(as_of)
    settings = load_settings()
    people = read_people(settings.people)
    async with opened_store(settings, join=True) as store, AsyncExitStack() as stack:
        _give_duty(people, settings, store)
        until = end or store.now() + timedelta(milliseconds=1)
        span = Span(length=length, until=until, is_past=end is not None)
        footing = Footing(settings=settings, listed=people, keep=store.keep(), stack=stack)
        told, why = await looked(footing, lambda known: _told(store, known, span))
    return replace(told, note=f"{ALONE}: {why}." if why else "")


def _give_duty(people: PeopleDirectory, settings: Settings, store: Store) -> None:
    """Who is on call, by the store's clock, as in the bot itself. Raises BadPolicy for a schedule that is wrong."""
    if settings.oncall is not None:
        people.duty = OnCallFile(settings.oncall, people.people, clock=store.now)


async def _told(store: Store, people: Directory, span: Span) -> Told:
    since = span.until - span.length
    found, waiting = await looked_back(store, people, since, most=READ_MOST)
    waiting = Load() if span.is_past else waiting
    read = report(found.entries, since=since, until=span.until, load=waiting, is_cut=found.is_cut)
    read = replace(read, saved=await could_have_saved(store, found, since, span.until))
    return Told(read=read, names=await _names(read, people))


def span_of(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,5})([smhd])", text.strip())
    span = timedelta(**{UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < span <= timedelta(days=3650):
        raise NotReportable(text, "span; write 30d, 12h or 90m")
    return span


def _moment(text: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise NotReportable(
            text, "moment; write 2026-11-21 or 2026-11-21T14:00+01:00 (without an offset: UTC)"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def _names(read: Report, people: Directory) -> dict[PersonId, str]:
    found = {who: await people.person(who) for who in read.people}
    return {who: person.name if person else who for who, person in found.items()}


# ---------------------------------------------------------------------- shown


def as_text(told: Told) -> str:
    """A table, as wide as WIDTH, with lines below it for whatever else there is to say."""
    read = told.read
    table = Table(title=f"{read.since:%Y-%m-%d %H:%M} to {read.until:%Y-%m-%d %H:%M} UTC", title_justify="left")
    for head in HEADS:
        table.add_column(head, justify="left" if head == HEADS[0] else "right", overflow="fold")
    for who, one in read.people.items():
        table.add_row(*map(_literal, cells(told.names.get(who, who), one)))
    table.add_section()
    table.add_row(*map(_literal, cells("everybody", read.everybody)))
    console = Console(width=WIDTH, color_system=None, highlight=False)
    with console.capture() as shown:
        console.print(table)
    return "\n".join([shown.get().rstrip("\n"), *notes(read), *([told.note] if told.note else [])])


def as_json(told: Told) -> dict[str, Any]:
    """The same as data; times are seconds."""
    read = told.read
    return {
        "since": read.since.isoformat(),
        "until": read.until.isoformat(),
        "everybody": _data(read.everybody),
        "people": {who: {"name": told.names.get(who, who), **_data(one)} for who, one in read.people.items()},
        "expired": dict(read.expired),
        "is_cut": read.is_cut,
        "unread": dict(read.unread),
        "saved": [{name: getattr(one, name) for name in one.__struct_fields__} for one in read.saved],
        "note": told.note,
    }


def draw(told: Told, file: Path) -> None:
    """Write the picture. Raises NotReportable for another kind of file, and for a place where none can be written."""
    if file.suffix != ".svg":
        raise NotReportable(str(file), "picture we can draw; name an .svg file (a browser prints it as PNG or PDF)")
    try:
        file.write_text(picture(told.read, told.names), encoding="utf-8")
    except OSError as error:
        raise NotReportable(str(file), f"place for a picture: {error.strerror}") from error


def _data(figures: Figures) -> dict[str, Any]:
    return {
        "decisions": figures.decisions,
        "approved": figures.approved,
        "rejected": figures.rejected,
        "answered": figures.answered,
        "share_approved": figures.share,
        "half_within": figures.typical.total_seconds() if figures.typical is not None else None,
        "nine_in_ten_within": figures.slow.total_seconds() if figures.slow is not None else None,
        "quick": figures.quick,
        "refused": figures.refused,
        "waiting": figures.waiting,
    }


def _literal(text: str) -> str:
    """rich reads [square brackets] as markup; a name may hold some."""
    return text.replace("[", r"\[")
