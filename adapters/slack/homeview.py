"""The Home tab: what waits for a person, what they asked for, decided and allowed; for some, how approvals go.

    Waiting, RunView, Settled -> rows -> one view of at most 100 blocks; what has no room is counted, not hidden

A row is a question in small. Whoever signs on it must have read everything that would run, so a request whose arguments
do not stand whole in its row has no Approve there: its card has.

Not here: when the view is published, what a press does (home); whole cards (`cards`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from adapters.slack.cards import NOTICED, Hands, read_value
from adapters.slack.limits import CHARACTERS, ITEMS, size, view_faults
from adapters.slack.literal import Raw, clipped, code, contexts, numbered, plain, section, sound
from bot.domain import button_effects, sheet
from bot.domain.chat import Button, Card, Fact, MessageRef, Place
from bot.domain.errors import BadRecord
from bot.domain.grant import Grant, is_allowing, left_text, text
from bot.domain.ports import RunView, Settled, Waiting
from bot.domain.render import EDIT
from bot.domain.request import SIGNING
from bot.domain.wire import Record, pack, replace, unpack

WAITING_MOST = 25  # rows of up to 3 blocks
ASKED_MOST = 8
SETTLED_MOST = 8
ROW_MOST = 1_000  # characters of facts and arguments in a row that can be signed; a longer one belongs on its card
TITLE_MOST = 200
LINE_MOST = 300
REPORT_MOST = 2_500
MINOR = ("Tool", "Digest")  # facts the title, or nobody's eye, has use for in a row
RUNNING = (*sorted(SIGNING), *sorted(sheet.RUNNING), EDIT)  # moves after which something may run
PENDING, GRANTS = "/countersign pending", "/countersign grants"
REVOKE, REVOKE_SURE = "revoke", "Ask about such calls again from now on?"
BACK = "back"  # the command of the same name
NO_SEAL = "-"  # revoking and coming back are judged by who presses, not by what was shown to them
ALLOWED_MOST = 8
GRANT_MOST = 1_500  # characters of one grant's sentence
OPEN_CARD = "Too long for this row: open the card to read everything and to approve it."
NO_CARD = "Its card is not posted yet."


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
    away: str = "",
    now: datetime,
) -> Raw:
    """The view for `views.publish`; it has no faults. *now* is what ages are told from; *report* is for few.

    *away* is a sentence about the person, if they are.
    """
    view = _view([])
    for most in range(min(WAITING_MOST, len(waiting)), -1, -1):
        hands = Hands()
        rows = (
            *_away(away, hands),
            *_waiting(waiting, most, hands, now),
            *_asked(asked, hands, now),
            *_settled(settled, now),
        )
        view = _view([*rows, *_allowed(allowed, hands), *_reported(report)])
        if not view_faults(view):
            break
    return view


def _view(blocks: Sequence[Raw]) -> Raw:
    return {"type": "home", "blocks": list(numbered(blocks))}


def _away(told: str, hands: Hands) -> Iterator[Raw]:
    if told:
        button = Button(subject=BACK, move=BACK, label="I am back", token=NO_SEAL)
        nowhere = MessageRef(place=Place(platform="slack", tenant="-", channel="-"), id="")
        yield section(_line(told)) | {"accessory": hands.one(button, home_value(BACK, NO_SEAL, nowhere))}


# --------------------------------------------------------------- waiting


def _waiting(waiting: Sequence[Waiting], most: int, hands: Hands, now: datetime) -> Iterator[Raw]:
    yield _heading("Waiting for you")
    if not waiting:
        yield from contexts("Nothing waits for you.")
    for each in waiting[:most]:
        yield from _row(each, hands, now)
    if len(waiting) > most:
        yield from contexts(f"{len(waiting) - most} more: {PENDING} lists them all.")


def _row(waiting: Waiting, hands: Hands, now: datetime) -> Iterator[Raw]:
    card, is_whole = waiting.card, _is_whole(waiting.card)
    missing = NO_CARD if waiting.ref is None else "" if is_whole else OPEN_CARD
    ref = waiting.ref
    buttons = [_short(one) for one in card.buttons if ref is not None and _is_offered(one, ref, is_whole=is_whole)]
    told = f"{_line(card.status)} Asked {_ago(waiting.opened, now)}.".strip()
    effects = sound(button_effects.told(buttons))
    drawn = section("\n".join(line for line in (_title(card), told, missing, effects) if line))
    if facts := _facts(card, is_whole=is_whole):
        drawn["fields"] = [plain(f"{fact.label}\n{fact.value}") for fact in facts]
    yield drawn
    if is_whole:
        yield code(*(sound(block.text) for block in card.blocks if block.is_code))
    if ref is not None:
        yield from hands.rows(buttons, lambda button: home_value(button.subject, button.token, ref))


def _is_whole(card: Card) -> bool:
    """Does everything that would run, and every warning about it, stand in the row?"""
    boxes = [block.text for block in card.blocks if block.is_code]
    facts = [fact for fact in card.facts if fact.label not in MINOR]
    texts = [text for fact in facts for text in (fact.label, fact.value)]
    return (
        bool(card.blocks and card.blocks[0].is_code)  # the arguments come first; words in their place are no arguments
        and all(text.strip() for text in (*boxes, *texts))
        and not card.attachments
        and len(facts) <= ITEMS["section.fields"]
        and size(sound("".join([*boxes, *texts]))) <= ROW_MOST
        and size(card.title) <= TITLE_MOST
    )


def _facts(card: Card, *, is_whole: bool) -> list[Fact]:
    """All that matter where the row can be signed; else the few that say what it is about."""
    if is_whole:
        return [Fact(label=sound(f.label), value=sound(f.value)) for f in card.facts if f.label not in MINOR]
    few = [fact for fact in card.facts if fact.label in NOTICED]
    return [Fact(label=fact.label, value=_line(fact.value)) for fact in few[: len(NOTICED)]]


def _is_offered(button: Button, ref: MessageRef, *, is_whole: bool) -> bool:
    """Not what would run something unread, nor what a row cannot carry: a ref may be as long as its platform likes.

    Nor what allows more from now on: its terms stand on the card alone.
    """
    is_seen = not is_allowing(button.move) and (is_whole or button.move not in RUNNING)
    is_carried = size(home_value(button.subject, button.token, ref)) <= CHARACTERS["button.value"]
    return is_seen and is_carried and read_value(f"{button.subject} {button.token}") is not None


def _short(button: Button) -> Button:
    label, confirm = clipped(sound(button.label), CHARACTERS["button.text"]), button.confirm
    return replace(button, label=label, confirm=confirm and clipped(sound(confirm), CHARACTERS["confirm.text"]))


# -------------------------------------------------------- asked and settled


def _asked(runs: Sequence[RunView], hands: Hands, now: datetime) -> Iterator[Raw]:
    yield _heading("You asked for")
    if not runs:
        yield from contexts("Nothing yet. Mention me with a task, in a channel or here under Messages.")
    for run in runs[:ASKED_MOST]:
        drawn = section(f"{_line(run.task, TITLE_MOST)}\n{_line(run.status)} · began {_ago(run.began, now)}")
        ref = MessageRef(place=run.place, id="")  # Stop is about the run, whatever message it stands in
        if run.stop is not None and _is_offered(run.stop, ref, is_whole=True):
            drawn["accessory"] = hands.one(_short(run.stop), home_value(run.stop.subject, run.stop.token, ref))
        yield drawn
    if len(runs) > ASKED_MOST:
        yield from contexts(f"{len(runs) - ASKED_MOST} more.")


def _settled(settled: Sequence[Settled], now: datetime) -> Iterator[Raw]:
    yield _heading("You decided lately")
    if not settled:
        yield from contexts("Nothing yet.")
    for each in settled[:SETTLED_MOST]:
        told = f"You pressed {_line(each.move)} {_ago(each.at, now)}. {_line(each.card.status)}"
        yield section(f"{_title(each.card)}\n{told.strip()}")


def _allowed(allowed: Sequence[Grant], hands: Hands) -> Iterator[Raw]:
    """What runs without being asked about because this person said so; nothing at all where they did not."""
    if allowed:
        yield _heading("What I allowed")
    for grant in allowed[:ALLOWED_MOST]:
        drawn = section(f"{_line(text(grant), GRANT_MOST)}\n{left_text(grant)}")
        button = Button(subject=grant.id, move=REVOKE, label="Revoke", token=NO_SEAL, confirm=REVOKE_SURE)
        value = home_value(grant.id, NO_SEAL, MessageRef(place=grant.place, id=""))
        yield drawn | {"accessory": hands.one(button, value)}
    if len(allowed) > ALLOWED_MOST:
        yield from contexts(f"{len(allowed) - ALLOWED_MOST} more: {GRANTS} lists them all.")


def _reported(report: str) -> Iterator[Raw]:
    """How approvals go, for those who may see it; nothing at all for everybody else."""
    if report:
        yield _heading("How approvals go")
        yield section(clipped(sound(report), REPORT_MOST))


# ------------------------------------------------------------------ words


def _heading(text: str) -> Raw:
    return {"type": "header", "text": plain(text)}


def _title(card: Card) -> str:
    return _line(card.title, TITLE_MOST) or "(no title)"


def _line(text: str, most: int = LINE_MOST) -> str:
    """One line: nobody's words can pose as the next line of a row."""
    return clipped(" ".join(sound(text).split()), most)


def _ago(at: datetime, now: datetime) -> str:
    """How long ago, as exactly as one needs it."""
    age = max(now - at, timedelta())
    for unit, name in ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute")):
        if count := age // unit:
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"
