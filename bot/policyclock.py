"""The clock of a ladder, as policy.yml writes it: in which hours its time goes by.

    clock: {hours: "Mon-Fri 09:00-17:00", zone: Europe/Berlin} -> Hours       clock: always -> None

Hours are written as in people.yml. Owns what such a clock may be. Not what is counted by it (domain/ladder).
"""

from __future__ import annotations

from datetime import timedelta

from yaml.nodes import Node, ScalarNode

from bot.domain.hours import EXAMPLE, Hours, open_a_week
from bot.domain.verdict import Ask
from bot.hoursfile import read_times, read_zone
from bot.yamlfile import LONGEST, Reader

KEYS = ("hours", "zone")
ALWAYS = "always"  # what a rule says that wants none, though the defaults have one
WEEK = timedelta(weeks=1)


def read_clock(node: Node, reader: Reader) -> Hours | None:
    """The hours; None for a clock that never pauses, and for one that cannot be read, which *reader* remembers."""
    if isinstance(node, ScalarNode) and node.value == ALWAYS:
        return None
    fields = reader.whole(node, "clock", KEYS, KEYS, f'write {{hours: "{EXAMPLE}", zone: Europe/Berlin}}')
    if fields is None:
        return None
    zone = read_zone(fields["zone"][1], "zone of clock", reader)
    work = read_times(fields["hours"][1], "hours of clock", reader)
    return Hours(zone=zone, work=work) if zone and work else None


def must_end(ask: Ask, at: Node, reader: Reader) -> None:
    """Its last step comes within a year of the calendar: nothing waits unnoticed because its clock hardly ever runs."""
    if ask.clock is None or not ask.ladder:
        return
    a_week = open_a_week(ask.clock)
    if ask.ladder[-1].after * (WEEK / a_week) > LONGEST:
        hours = f"{a_week / timedelta(hours=1):.3g} hours a week"
        told = f"with a clock that runs {hours} the last step would come after more than {LONGEST.days}d"
        reader.note(at, f"{told}; write more hours, or an earlier step")
