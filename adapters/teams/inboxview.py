"""The inbox as a card: what waits for a person and what they put off, what they asked for, decided and allowed.

    Lists -> rows -> one card that Teams takes; what has no room for its buttons has "Open", what has none is counted

A row is a question in small (adapters/rows). "Open" shows the whole card in a dialog, with its buttons. Every button
says which card it is about, because the list stands in no message of a request's.

Not here: when it is shown, what a press does (inbox); whole cards (cards).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters import rows
from adapters.lengths import clipped, sound
from adapters.rows import BACK, NO_SEAL, NOW, REVOKE, ago, line, title
from adapters.teams.cards import Drawn, elements, enveloped
from adapters.teams.limits import ACTIONS, faults
from adapters.teams.literal import Raw, code, heading, words
from adapters.teams.presses import SHOW_ALL, listed
from adapters.teams.reading import in_list
from adapters.teams.shapes import PLATFORM
from bot.domain import button_effects, later
from bot.domain.absence import told as told_until
from bot.domain.chat import Button, Card, MessageRef, Place
from bot.domain.grant import Grant, left_text, text
from bot.domain.hours import UNSAID
from bot.domain.orders import TABLE
from bot.domain.pages import Awaited, RunView, Settled, Waiting

TITLE = "Countersign"
GREETING = (
    "I am Countersign: agents do the work, and what could hurt waits until a person has signed it. "
    "Give me a task here, or mention me in a channel or chat I was added to."
)
NOWHERE = MessageRef(place=Place(platform=PLATFORM, tenant="-", channel="-"), id="")  # of what stands in no message
HANDS_MOST = 10  # rows with all their buttons; each weighs as much as five without
TOLD_MOST = 2_000  # characters of what became of a press
LABEL = "Open"
COMMANDS = "Write here, or behind a mention of me anywhere:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """Everything of one person's, at *now*. *away* and *report* are words, empty for most; *zone* is their clock's."""

    waiting: Sequence[Waiting] = ()
    asked: Sequence[RunView] = ()
    settled: Sequence[Settled] = ()
    allowed: Sequence[Grant] = ()
    team: Sequence[Awaited] = ()
    report: str = ""
    away: str = ""
    zone: str = UNSAID
    now: datetime


def inbox_card(lists: Lists, *, told: str = "", is_welcome: bool = False) -> Drawn:
    """The card; it has no faults. *told* is what became of the press it answers."""
    shown = [each for each in lists.waiting if each.put_off is None]
    top = [words(GREETING)] if is_welcome else []
    said = [_told(told)] if told.strip() else []
    rest = [*_put_off(lists), *_team(lists), *_asked(lists), *_settled(lists), *_allowed(lists), *_report(lists)]
    after = [*rest, *_commands()]
    for hands, most in _sizes(len(shown)):
        waiting = _waiting(shown[:most], len(shown), hands, lists)
        card = enveloped(TITLE, [*said, *top, *_away(lists), *waiting, *after])
        if not faults(card):
            return Drawn(card=card, summary=_summary(len(shown)))
    return Drawn(card=enveloped(TITLE, [*said, *_waiting([], len(shown), 0, lists)]), summary=_summary(len(shown)))


def later_button(waiting: Waiting, now: datetime, zone: str) -> Button | None:
    """How long it may be put off, as a form; None if its deadline leaves no time for that."""
    lines = tuple(label for _, label in later.choices(now=now, zone=zone, deadline=waiting.deadline))
    return rows.later_form(waiting.request, lines) if lines else None


def _sizes(count: int) -> Iterator[tuple[int, int]]:
    """How many rows with all their buttons, of how many rows: ever fewer."""
    most = min(rows.WAITING_MOST, count)
    yield from ((hands, most) for hands in range(min(HANDS_MOST, most), -1, -1))
    yield from ((0, fewer) for fewer in range(most - 1, -1, -1))


def _summary(count: int) -> str:
    return f"{count} wait for you." if count > 1 else "1 waits for you." if count else "Nothing waits for you."


# --------------------------------------------------------------- waiting


def _waiting(shown: Sequence[Waiting], count: int, hands: int, lists: Lists) -> Iterator[Raw]:
    yield heading("Waiting for you")
    if not count:
        yield _small("Nothing waits for you.")
    for place, each in enumerate(shown):
        yield _row(each, lists, has_hands=place < hands)
    if count > len(shown):
        yield _small(f"{count - len(shown)} more: write pending 1 to list them all.")


def _row(waiting: Waiting, lists: Lists, *, has_hands: bool) -> Raw:
    card, is_whole = waiting.card, has_hands and rows.is_whole(waiting.card)
    missing = rows.NO_CARD if waiting.ref is None else ""
    buttons = [one for one in card.buttons if has_hands and rows.is_seen(one, is_whole=is_whole)]
    told = f"{line(card.status)} Asked {ago(waiting.opened, lists.now)}.".strip()
    effects = button_effects.told(buttons)
    items = [words(title(card), weight="Bolder"), _small("\n".join(one for one in (told, missing, effects) if one))]
    items += elements(Card(facts=tuple(rows.facts(card, is_whole=is_whole))))
    if is_whole:
        items += [code(block.text) for block in card.blocks if block.is_code]
    return _container(items, list(_hands(waiting, buttons, lists)))


def _hands(waiting: Waiting, buttons: Sequence[Button], lists: Lists) -> Iterator[Raw]:
    """A row's own buttons, then those of every row."""
    if waiting.ref is not None:
        about = in_list(waiting.ref)
        yield from (listed(button, about) for button in buttons)
        yield listed(Button(subject=waiting.request, move=SHOW_ALL, label=LABEL, token=NO_SEAL), about)
    put_off = later_button(waiting, lists.now, lists.zone)
    if put_off is not None:
        yield listed(put_off, in_list(NOWHERE))


def _put_off(lists: Lists) -> Iterator[Raw]:
    """What this person put off, with when it comes back; nothing at all where they did not."""
    off = [(each, each.put_off) for each in lists.waiting if each.put_off is not None]
    if off:
        yield heading("Put off")
        yield _small("In your list again then. Cards, reminders and deadlines go on meanwhile.")
    for each, until in off[: rows.PUT_OFF_MOST]:
        button = Button(subject=each.request, move=NOW, label="Show now", token=NO_SEAL)
        items = [words(title(each.card)), _small(f"Until {told_until(until, lists.zone)}")]
        yield _container(items, [listed(button, in_list(NOWHERE))])
    if len(off) > rows.PUT_OFF_MOST:
        yield _small(f"{len(off) - rows.PUT_OFF_MOST} more.")


def _away(lists: Lists) -> Iterator[Raw]:
    if lists.away:
        button = Button(subject=BACK, move=BACK, label="I am back", token=NO_SEAL)
        yield _container([words(line(lists.away))], [listed(button, in_list(NOWHERE))])


def _team(lists: Lists) -> Iterator[Raw]:
    """What waits for the people whose manager this person is: to know of, and nothing to press."""
    if lists.team:
        yield heading("Waiting for your team")
    for each in lists.team[: rows.TEAM_MOST]:
        told = f"{each.tool} · waits for {rows.people(each.people)} · asked {ago(each.opened, lists.now)}"
        yield words(line(told))
    if len(lists.team) > rows.TEAM_MOST:
        yield _small(f"{len(lists.team) - rows.TEAM_MOST} more: write pending team to list them all.")


# -------------------------------------------------------- asked and settled


def _asked(lists: Lists) -> Iterator[Raw]:
    yield heading("You asked for")
    if not lists.asked:
        yield _small("Nothing yet. Give me a task here, or mention me with one.")
    for run in lists.asked[: rows.ASKED_MOST]:
        items = [
            words(line(run.task, rows.TITLE_MOST)),
            _small(f"{line(run.status)} · began {ago(run.began, lists.now)}"),
        ]
        ref = MessageRef(place=run.place, id="")  # Stop is about the run, whatever message it stands in
        yield _container(items, [listed(run.stop, in_list(ref))] if run.stop is not None else [])
    if len(lists.asked) > rows.ASKED_MOST:
        yield _small(f"{len(lists.asked) - rows.ASKED_MOST} more.")


def _settled(lists: Lists) -> Iterator[Raw]:
    yield heading("You decided lately")
    if not lists.settled:
        yield _small("Nothing yet.")
    for each in lists.settled[: rows.SETTLED_MOST]:
        told = f"You pressed {line(each.move)} {ago(each.at, lists.now)}. {line(each.card.status)}"
        yield _container([words(title(each.card)), _small(told.strip())], [])


def _allowed(lists: Lists) -> Iterator[Raw]:
    """What runs without being asked about because this person said so; nothing at all where they did not."""
    if lists.allowed:
        yield heading("What I allowed")
    for grant in lists.allowed[: rows.ALLOWED_MOST]:
        button = Button(subject=grant.id, move=REVOKE, label="Revoke", token=NO_SEAL, confirm=rows.REVOKE_SURE)
        items = [words(line(text(grant), rows.GRANT_MOST)), _small(left_text(grant))]
        yield _container(items, [listed(button, in_list(NOWHERE))])
    if len(lists.allowed) > rows.ALLOWED_MOST:
        yield _small(f"{len(lists.allowed) - rows.ALLOWED_MOST} more: write grants to list them all.")


def _report(lists: Lists) -> Iterator[Raw]:
    """How approvals go, for those who may see it; nothing at all for everybody else."""
    if lists.report:
        yield heading("How approvals go")
        yield words(clipped(sound(lists.report), rows.REPORT_MOST))


def _commands() -> Iterator[Raw]:
    yield heading("Commands")
    yield _small("\n".join([COMMANDS, *(f"{word.usage}: {word.what}" for word in TABLE)]))


# ------------------------------------------------------------------ pieces


def _small(text: str) -> Raw:
    return words(text, isSubtle=True, size="Small", spacing="None")


def _told(text: str) -> Raw:
    return {"type": "Container", "style": "emphasis", "bleed": True, "items": [words(clipped(text, TOLD_MOST))]}


def _container(items: Sequence[Raw], actions: Sequence[Raw]) -> Raw:
    hands = [
        {"type": "ActionSet", "actions": list(actions[start : start + ACTIONS])}
        for start in range(0, len(actions), ACTIONS)
    ]
    return {"type": "Container", "items": [*items, *hands], "separator": True}
