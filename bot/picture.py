"""A report as a picture: SVG, written by hand. One bar per person, a mark at the time half of their votes took,
and how much waits for them now.

    Report -> text of an SVG file; no script, no link, no foreign font, and every name shown inert and escaped

Light and dark screens alike: ink and paper are in the file. Not here: what the numbers mean (domain/report).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from html import escape
from math import log10

from bot.domain.chat import PersonId
from bot.domain.report import CUT, Figures, Report, named, nobody, percent, took, unanswered

WIDTH, ROW, TOP, BOTTOM = 1040, 34, 118, 84
NAME_AT, BAR_AT, BAR_LONG = 24, 232, 300  # pixels: where names and bars begin, and the longest bar
TIME_AT, TIME_LONG = 580, 240  # the axis of times: one second to a month, in equal steps of a factor
NUMBERS_AT, WAITING_AT = 844, 1016  # the last column ends where it says
PEOPLE_MOST = 30  # rows; a longer picture is no picture
INK, SOFT, LINE, PAPER = "#1d1c1d", "#5c5962", "#d8d6dc", "#ffffff"
APPROVED, REJECTED, ANSWERED, MARK = "#1f7a5c", "#b3382c", "#8b8794", "#1d1c1d"
TICKS = ((1, "1 s"), (60, "1 min"), (3600, "1 h"), (86400, "1 d"), (30 * 86400, "30 d"))


def picture(read: Report, names: Mapping[PersonId, str]) -> str:
    """The SVG of *read*. People beyond PEOPLE_MOST are counted, not drawn."""
    people = list(read.people.items())
    rows = [("Everybody", read.everybody)] + [(names.get(who, who), one) for who, one in people[:PEOPLE_MOST]]
    height = TOP + ROW * len(rows) + BOTTOM
    most = max((one.decisions for _, one in rows[1:]), default=0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="How approvals go">',
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
        _text(NAME_AT, 38, "How approvals go", size=20, weight=600),
        _text(NAME_AT, 62, f"From {read.since:%Y-%m-%d %H:%M} to {read.until:%Y-%m-%d %H:%M} UTC", fill=SOFT),
        *_heads(TOP + ROW * len(rows)),
        *(part for at, (name, one) in enumerate(rows) for part in _row(TOP + ROW * at, name, one, most)),
        *_foot(read, TOP + ROW * len(rows), more=len(people) - PEOPLE_MOST),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _heads(bottom: int) -> list[str]:
    """What the columns are, and the lines of the axis of times."""
    found = [_text(BAR_AT, 88, "Decisions", fill=SOFT), _text(TIME_AT, 88, "Half decided within", fill=SOFT)]
    found += [_text(NUMBERS_AT, 88, "Approved", fill=SOFT), _text(WAITING_AT, 88, "Waiting", fill=SOFT, anchor="end")]
    for seconds, label in TICKS:
        x = _time_x(timedelta(seconds=seconds))
        found.append(f'<line x1="{x}" x2="{x}" y1="{TOP - 2}" y2="{bottom}" stroke="{LINE}"/>')
        found.append(_text(x, TOP - 10, label, size=11, fill=SOFT, anchor="middle"))
    return found


def _row(y: int, name: str, one: Figures, most: int) -> list[str]:
    middle = y + 21
    found = [_text(NAME_AT, middle, _short(name), weight=600 if y == TOP else 400)]
    found += _bars(y, one, most) if y != TOP else [_text(BAR_AT, middle, f"{one.decisions} in all", fill=SOFT)]
    if one.typical is not None:
        x = _time_x(one.typical)
        found.append(f'<circle cx="{x}" cy="{y + 16}" r="5" fill="{MARK}"/>')
        found.append(_text(x + 9 if x < TIME_AT + TIME_LONG - 60 else x - 9, middle, took(one.typical), size=11,
                           fill=SOFT, anchor="start" if x < TIME_AT + TIME_LONG - 60 else "end"))  # fmt: skip
    quick = f" · {one.quick} quick" if one.quick else ""
    waits = _text(WAITING_AT, middle, str(one.waiting), fill=INK if one.waiting else SOFT, anchor="end")
    return [*found, _text(NUMBERS_AT, middle, percent(one.share) + quick), waits]


def _bars(y: int, one: Figures, most: int) -> list[str]:
    """Approved, rejected and answered, one behind the other, and how many that is."""
    x, found = float(BAR_AT), list[str]()
    for count, colour, told in (
        (one.approved, APPROVED, "approved"), (one.rejected, REJECTED, "rejected"), (one.answered, ANSWERED, "answered")
    ):  # fmt: skip
        long = BAR_LONG * count / most if most else 0.0
        if count:
            title = f"<title>{count} {told}</title>"
            found.append(f'<rect x="{x:.1f}" y="{y + 6}" width="{long:.1f}" height="20" fill="{colour}">{title}</rect>')
        x += long
    return [*found, _text(x + 6, y + 21, str(one.decisions), size=12, fill=SOFT)]


def _foot(read: Report, y: int, *, more: int) -> list[str]:
    found, x = list[str](), NAME_AT
    for colour, label in ((APPROVED, "approved"), (REJECTED, "rejected"), (ANSWERED, "answered")):
        found.append(f'<rect x="{x}" y="{y + 17}" width="12" height="12" fill="{colour}"/>')
        found.append(_text(x + 18, y + 28, label, fill=SOFT))
        x += 92
    found.append(_text(x, y + 28, "quick: approved in under 3 s", fill=SOFT))
    notes = [f"{more} more people are not drawn." if more > 0 else "", unanswered(read) if read.expired else ""]
    notes += [nobody(read) if read.unread else "", CUT if read.is_cut else ""]
    told = " ".join(note for note in notes if note)
    return (
        [*found, _text(NAME_AT, y + 56, told if len(told) <= 130 else f"{told[:129]}…", fill=SOFT)] if told else found
    )


def _time_x(time: timedelta) -> float:
    """The place of *time* on an axis where each factor is the same step; beyond its ends, at its ends."""
    seconds = min(max(time.total_seconds(), 1.0), TICKS[-1][0])
    return round(TIME_AT + TIME_LONG * log10(seconds) / log10(TICKS[-1][0]), 1)


def _short(name: str, most: int = 26) -> str:
    shown = named(name)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _text(
    x: float, y: float, text: str, *, size: int = 13, weight: int = 400, fill: str = INK, anchor: str = "start"
) -> str:  # fmt: skip
    style = f'font-size="{size}" font-weight="{weight}" fill="{fill}" text-anchor="{anchor}"'
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'
