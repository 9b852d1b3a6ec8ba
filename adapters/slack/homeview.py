"""The Home tab: what waits for a person and what they put off, what they asked for, decided and allowed.

For whoever manages somebody what waits for those, and for some how approvals go.

    Waiting, RunView, Settled -> rows -> one view of at most 100 blocks; what has no room is counted, not hidden

A row is a question in small. Whoever signs on it must have read everything that would run, so a request whose arguments
do not stand whole in its row has no Approve there: its card has.

Not here: when the view is published, what a press does (home); whole cards (`cards`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from adapters import rows
from adapters.lengths import clipped, size, sound
from adapters.rows import NO_SEAL, REVOKE, ago, line, title
from adapters.slack.cards import Hands, read_value
from adapters.slack.limits import CHARACTERS, view_faults
from adapters.slack.literal import Raw, code, contexts, numbered, plain, section
from bot.domain import button_effects, later
from bot.domain.absence import told
from bot.domain.chat import Button, MessageRef, Place
from bot.domain.errors import BadRecord
from bot.domain.grant import Grant, left_text, text
from bot.domain.hours import UNSAID
from bot.domain.pages import Awaited, RunView, Settled, Waiting
from bot.domain.wire import Record, pack, replace, unpack

PENDING, GRANTS = "/countersign pending", "/countersign grants"
TEAM_LISTED = "/countersign pending team"
OPEN_CARD = "Too long for this row: open the card to read everything and to approve it."
HANDS = 8  # buttons in one line of a row here: a second line would cost one of the blocks that make the list long
NOWHERE = MessageRef(place=Place(platform="slack", tenant="-", channel="-"), id="")  # of what stands in no message


class _HomeValue(Record):
    """What a button of a row carries: there is no message below it, so it names the one where the card stands."""

    s: str
    t: str
    r: MessageRef


def home_value(subject: str, token: str, ref: MessageRef) -> str:
    """A row's button value: like a card's, and *ref*, the shown copy the press is about."""
    return pack(_HomeValue(s=subject, t=token, r=ref)).decode()


def read_home_value(value: object) -> tuple[str, str, MessageRef] | None:
    """Subject, token and the card's ref, which anybody may have made up; None if it is not a row's value."""
    if not isinstance(value, str) or len(value) > CHARACTERS["button.value"]:
        return None
    try:
        read = unpack(_HomeValue, value.encode("utf-8", "replace"))
    except BadRecord:
        return None
    return (read.s, read.t, read.r) if read_value(f"{read.s} {read.t}") else None


def home_view(
    waiting: Sequence[Waiting],
    asked: Sequence[RunView],
    settled: Sequence[Settled],
    report: str = "",
    *,
    allowed: Sequence[Grant] = (),
    team: Sequence[Awaited] = (),
    away: str = "",
    zone: str = UNSAID,
    now: datetime,
) -> Raw:
    """The view for `views.publish`; it has no faults. *now* is what ages are told from; *report* is for few.

    *away* is a sentence about the person, if they are; *zone* is by which clock they live.
    """
    view = _view([])
    shown = [each for each in waiting if each.put_off is None]
    for most in range(min(rows.WAITING_MOST, len(shown)), -1, -1):
        hands = Hands()
        blocks = (
            *_away(away, hands),
            *_waiting(shown, most, hands, (now, zone)),
            *_put_off(waiting, hands, zone),
            *_team(team, now),
            *_asked(asked, hands, now),
            *_settled(settled, now),
        )
        view = _view([*blocks, *_allowed(allowed, hands), *_reported(report)])
        if not view_faults(view):
            break
    return view


def _view(blocks: Sequence[Raw]) -> Raw:
    return {"type": "home", "blocks": list(numbered(blocks))}


def _away(told: str, hands: Hands) -> Iterator[Raw]:
    if told:
        button = Button(subject=rows.BACK, move=rows.BACK, label="I am back", token=NO_SEAL)
        yield section(line(told)) | {"accessory": hands.one(button, home_value(rows.BACK, NO_SEAL, NOWHERE))}


# --------------------------------------------------------------- waiting


def _waiting(waiting: Sequence[Waiting], most: int, hands: Hands, clock: tuple[datetime, str]) -> Iterator[Raw]:
    """*clock*: what time it is, and in which zone days begin."""
    yield _heading("Waiting for you")
    if not waiting:
        yield from contexts("Nothing waits for you.")
    for each in waiting[:most]:
        yield from _row(each, hands, clock)
    if len(waiting) > most:
        yield from contexts(f"{len(waiting) - most} more: {PENDING} lists them all.")


def _row(waiting: Waiting, hands: Hands, clock: tuple[datetime, str]) -> Iterator[Raw]:
    card, is_whole, now = waiting.card, rows.is_whole(waiting.card), clock[0]
    missing = rows.NO_CARD if waiting.ref is None else "" if is_whole else OPEN_CARD
    ref = waiting.ref
    buttons = [_short(one) for one in card.buttons if ref is not None and _is_offered(one, ref, is_whole=is_whole)]
    told = f"{line(card.status)} Asked {ago(waiting.opened, now)}.".strip()
    effects = sound(button_effects.told(buttons))
    drawn = section("\n".join(one for one in (title(card), told, missing, effects) if one))
    if facts := rows.facts(card, is_whole=is_whole):
        drawn["fields"] = [plain(f"{fact.label}\n{fact.value}") for fact in facts]
    lines = later.choices(now=now, zone=clock[1], deadline=waiting.deadline)
    laters = [Button(subject=waiting.request, move=rows.LATER, label=label, token=key) for key, label in lines]
    if laters and all(size(_anywhere(one)) <= CHARACTERS["option.value"] for one in laters):
        drawn["accessory"] = hands.menu(laters, _anywhere)
    yield drawn
    if is_whole:
        yield code(*(sound(block.text) for block in card.blocks if block.is_code))
    if ref is not None:
        yield from hands.rows(buttons, lambda button: home_value(button.subject, button.token, ref), HANDS)


def _put_off(waiting: Sequence[Waiting], hands: Hands, zone: str) -> Iterator[Raw]:
    """What this person put off, with when it comes back; nothing at all where they did not."""
    off = [(each, each.put_off) for each in waiting if each.put_off is not None]
    if off:
        yield _heading("Put off")
        yield from contexts("In your list again then. Cards, reminders and deadlines go on meanwhile.")
    for each, until in off[: rows.PUT_OFF_MOST]:
        drawn = section(f"{title(each.card)}\nUntil {told(until, zone)}")
        button = Button(subject=each.request, move=rows.NOW, label="Show now", token=NO_SEAL)
        yield drawn | ({"accessory": hands.one(button, _anywhere(button))})
    if len(off) > rows.PUT_OFF_MOST:
        yield from contexts(f"{len(off) - rows.PUT_OFF_MOST} more: {PENDING} lists them all.")


def _anywhere(button: Button) -> str:
    """The value of a button that is about no message."""
    return home_value(button.subject, button.token, NOWHERE)


def _team(team: Sequence[Awaited], now: datetime) -> Iterator[Raw]:
    """What waits for the people whose manager this person is: to know of, and nothing to press."""
    if team:
        yield _heading("Waiting for your team")
    for each in team[: rows.TEAM_MOST]:
        yield section(line(f"{each.tool} · waits for {rows.people(each.people)} · asked {ago(each.opened, now)}"))
    if len(team) > rows.TEAM_MOST:
        yield from contexts(f"{len(team) - rows.TEAM_MOST} more: {TEAM_LISTED} lists them all.")


def _is_offered(button: Button, ref: MessageRef, *, is_whole: bool) -> bool:
    """Nothing unread, nor what a row cannot carry: a ref may be as long as its platform likes."""
    is_carried = size(home_value(button.subject, button.token, ref)) <= CHARACTERS["button.value"]
    is_ours = read_value(f"{button.subject} {button.token}") is not None
    return rows.is_seen(button, is_whole=is_whole) and is_carried and is_ours


def _short(button: Button) -> Button:
    label, confirm = clipped(sound(button.label), CHARACTERS["button.text"]), button.confirm
    return replace(button, label=label, confirm=confirm and clipped(sound(confirm), CHARACTERS["confirm.text"]))


# -------------------------------------------------------- asked and settled


def _asked(runs: Sequence[RunView], hands: Hands, now: datetime) -> Iterator[Raw]:
    yield _heading("You asked for")
    if not runs:
        yield from contexts("Nothing yet. Mention me with a task, in a channel or here under Messages.")
    for run in runs[: rows.ASKED_MOST]:
        drawn = section(f"{line(run.task, rows.TITLE_MOST)}\n{line(run.status)} · began {ago(run.began, now)}")
        ref = MessageRef(place=run.place, id="")  # Stop is about the run, whatever message it stands in
        if run.stop is not None and _is_offered(run.stop, ref, is_whole=True):
            drawn["accessory"] = hands.one(_short(run.stop), home_value(run.stop.subject, run.stop.token, ref))
        yield drawn
    if len(runs) > rows.ASKED_MOST:
        yield from contexts(f"{len(runs) - rows.ASKED_MOST} more.")


def _settled(settled: Sequence[Settled], now: datetime) -> Iterator[Raw]:
    yield _heading("You decided lately")
    if not settled:
        yield from contexts("Nothing yet.")
    for each in settled[: rows.SETTLED_MOST]:
        told = f"You pressed {line(each.move)} {ago(each.at, now)}. {line(each.card.status)}"
        yield section(f"{title(each.card)}\n{told.strip()}")


def _allowed(allowed: Sequence[Grant], hands: Hands) -> Iterator[Raw]:
    """What runs without being asked about because this person said so; nothing at all where they did not."""
    if allowed:
        yield _heading("What I allowed")
    for grant in allowed[: rows.ALLOWED_MOST]:
        drawn = section(f"{line(text(grant), rows.GRANT_MOST)}\n{left_text(grant)}")
        button = Button(subject=grant.id, move=REVOKE, label="Revoke", token=NO_SEAL, confirm=rows.REVOKE_SURE)
        value = home_value(grant.id, NO_SEAL, MessageRef(place=grant.place, id=""))
        yield drawn | {"accessory": hands.one(button, value)}
    if len(allowed) > rows.ALLOWED_MOST:
        yield from contexts(f"{len(allowed) - rows.ALLOWED_MOST} more: {GRANTS} lists them all.")


def _reported(report: str) -> Iterator[Raw]:
    """How approvals go, for those who may see it; nothing at all for everybody else."""
    if report:
        yield _heading("How approvals go")
        yield section(clipped(sound(report), rows.REPORT_MOST))


# ------------------------------------------------------------------ words


def _heading(text: str) -> Raw:
    return {"type": "header", "text": plain(text)}
