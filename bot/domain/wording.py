"""How cards put things: other people's words quoted and few, names and lines short, times in UTC. All of it inert."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from bot.domain.chat import PersonId
from bot.domain.hours import Hours, written
from bot.domain.inert import show, show_line
from bot.domain.verdict import Audience

LINE_MOST = 300  # characters of a fact, a reason or the agent's "why"
NAME_MOST = 80
SPANS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
LINES_MOST = 20  # other people's words may not push the buttons off the screen


def quoted(text: str, most: int) -> str:
    """Somebody's words: no empty lines, few lines, inert, at most *most* characters with what tells of the rest."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    few = "\n".join([*lines[: LINES_MOST - 1], " ".join(lines[LINES_MOST - 1 :])]).strip()
    return f"“{clip(show(few), most - 2)}”"


def line(text: str) -> str:
    return clip(show_line(text), LINE_MOST)


def clip(shown: str, most: int) -> str:
    if len(shown) <= most:
        return shown
    room = max(most - 30, most // 2)
    return f"{shown[:room]}… ({len(shown) - room} more characters)" if most > 100 else f"{shown[: most - 1]}…"


def name(names: Mapping[PersonId, str], person: PersonId) -> str:
    return clip(show_line(names.get(person, person)), NAME_MOST)


def audience(of: Audience, requester: PersonId, names: Mapping[PersonId, str]) -> str:
    """Who is meant, for somebody who has not read the policy."""
    if of == "requester":
        return name(names, requester)
    up = of.count("manager(")
    if up and of == "manager(" * up + "requester" + ")" * up:
        return name(names, requester) + "'s manager" * up
    if of.startswith("oncall(") and of.endswith(")"):
        return clip(f"whoever is on call for {show_line(of[7:-1])}", NAME_MOST)
    if of.startswith("@"):
        return name(names, PersonId(of[1:]))
    return clip(show_line(of), NAME_MOST)


def used_up(rounds: int) -> str:
    return "1 round is used up" if rounds == 1 else f"{rounds} rounds are used up"


def span(length: timedelta) -> str:
    """`7 days`, `1 hour`: in the largest unit that leaves nothing over."""
    seconds = int(length.total_seconds())
    size, unit = next((n, u) for n, u in SPANS if seconds % n == 0)
    count = seconds // size
    return f"{count} {unit}{'' if count == 1 else 's'}"


def about(length: timedelta) -> str:
    """`40 seconds`, `3 minutes`, `5 hours`: in the largest unit that it has at least two of, the rest left out."""
    seconds = max(int(length.total_seconds()), 0)
    size, unit = next(((n, u) for n, u in SPANS if seconds >= 2 * n), SPANS[-1])
    return f"{seconds // size} {unit}{'' if seconds // size == 1 else 's'}"


def time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def pause(clock: Hours | None) -> str:
    """What is said behind a deadline whose time goes by in some hours alone; empty where it always does."""
    return f"; the clock pauses outside {written(clock.work)}, {clock.zone}" if clock else ""
