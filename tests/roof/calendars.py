"""Calendars for tests, as text."""

from __future__ import annotations

import itertools

_NUMBERS = itertools.count(1)


def calendar(*events: str, zone: str = "") -> str:
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//countersign//test//EN"]
    return "\r\n".join([*head, *([f"X-WR-TIMEZONE:{zone}"] if zone else []), *events, "END:VCALENDAR", ""])


def event(summary: str, start: str, end: str, *more: str, uid: str = "") -> str:
    """One event; its times as iCalendar writes them, perhaps with a parameter: `;TZID=Europe/Berlin:2030…`."""
    times = [f"{name}{value}" if value[:1] in ";:" else f"{name}:{value}" for name, value in _times(start, end)]
    uid = uid or f"{next(_NUMBERS)}@test"
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", *times, f"SUMMARY:{summary}", *more, "END:VEVENT"])


def _times(start: str, end: str) -> list[tuple[str, str]]:
    return [(name, value) for name, value in (("DTSTART", start), ("DTEND", end)) if value]
