"""Rows: somebody's own list, wherever it is shown: what stands in a row of it, and what its buttons mean.

A row is a question in small. Whoever signs on it must have read everything that would run, so a request whose arguments
do not stand whole in its row has no Approve there. Not here: how a row looks (a platform's own view), whether a press
counts (the front door).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from adapters.lengths import clipped, size, sound
from adapters.noticed import NOTICED
from bot.domain import later, sheet
from bot.domain.chat import Button, Card, Fact, Field, FieldKind
from bot.domain.grant import is_allowing
from bot.domain.render import EDIT
from bot.domain.request import SIGNING

WAITING_MOST = 25
ASKED_MOST = 8
SETTLED_MOST = 8
PUT_OFF_MOST = 8
TEAM_MOST = 8
TEAM_NAMED = 4  # people of one row
ALLOWED_MOST = 8
ROW_MOST = 1_000  # characters of facts and arguments in a row that can be signed; a longer one belongs on its card
FACTS_MOST = 10  # of such a row
TITLE_MOST = 200
LINE_MOST = 300
GRANT_MOST = 1_500  # characters of one grant's sentence
REPORT_MOST = 2_500
REPORTED = timedelta(days=30)  # how far back "how approvals go" looks
MINOR = ("Tool", "Digest")  # facts the title, or nobody's eye, has use for in a row
RUNNING = (*sorted(SIGNING), *sorted(sheet.RUNNING), EDIT)  # moves after which something may run

REVOKE, REVOKE_SURE = "revoke", "Ask about such calls again from now on?"
BACK = "back"  # the command of the same name
LATER, NOW = later.WORD, later.BACK  # commands, too
NO_SEAL = "-"  # revoking, coming back and putting off are judged by who presses, not by what was shown to them
LATER_FIELD = "until"
NO_CARD = "Its card is not posted yet."


def is_whole(card: Card) -> bool:
    """Does everything that would run, and every warning about it, stand in the row?"""
    boxes = [block.text for block in card.blocks if block.is_code]
    facts = [fact for fact in card.facts if fact.label not in MINOR]
    texts = [text for fact in facts for text in (fact.label, fact.value)]
    return (
        bool(card.blocks and card.blocks[0].is_code)  # the arguments come first; words in their place are no arguments
        and all(text.strip() for text in (*boxes, *texts))
        and not card.attachments
        and len(facts) <= FACTS_MOST
        and size(sound("".join([*boxes, *texts]))) <= ROW_MOST
        and size(card.title) <= TITLE_MOST
    )


def facts(card: Card, *, is_whole: bool) -> list[Fact]:
    """All that matter where the row can be signed; else the few that say what it is about."""
    if is_whole:
        return [Fact(label=sound(f.label), value=sound(f.value)) for f in card.facts if f.label not in MINOR]
    few = [fact for fact in card.facts if fact.label in NOTICED]
    return [Fact(label=fact.label, value=line(fact.value)) for fact in few[: len(NOTICED)]]


def is_seen(button: Button, *, is_whole: bool) -> bool:
    """Is what *button* does there to be read? Not what would run something unread.

    Nor what allows more from now on: its terms stand on the card alone.
    """
    return not is_allowing(button.move) and (is_whole or button.move not in RUNNING)


def order(move: str, subject: str, choice: str) -> str | None:
    """The command that a button of the list stands for, if it is one. Whose list it is about is who presses.

    *choice* is a key of `later.CHOICES`, for putting off.
    """
    if move == LATER:
        return later.order(subject, choice)
    return {BACK: BACK, NOW: f"{NOW} {subject}"}.get(move)


def later_form(request: str, labels: Sequence[str]) -> Button:
    """Putting off where a platform has no menu: one of *labels*, of `later.CHOICES`."""
    field = Field(name=LATER_FIELD, label="For how long", kind=FieldKind.CHOICE, options=tuple(labels))
    return Button(subject=request, move=LATER, label="Put off", token=NO_SEAL, fields=(field,))


def later_choice(label: object) -> str:
    """The key of *label*; empty for one that nobody was offered."""
    return next((key for key, (said, _) in later.CHOICES.items() if said == label), "")


def people(names: Sequence[str]) -> str:
    """The first few of *names*, and how many more there are."""
    more = [f"{len(names) - TEAM_NAMED} more"] if len(names) > TEAM_NAMED else []
    return ", ".join([*(line(name) for name in names[:TEAM_NAMED]), *more])


def title(card: Card) -> str:
    return line(card.title, TITLE_MOST) or "(no title)"


def line(text: str, most: int = LINE_MOST) -> str:
    """One line: nobody's words can pose as the next line of a row."""
    return clipped(" ".join(sound(text).split()), most)


def ago(at: datetime, now: datetime) -> str:
    """How long ago, as exactly as one needs it."""
    age = max(now - at, timedelta())
    for unit, name in ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute")):
        if count := age // unit:
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"
