"""Answers: what Teams is told while it waits: nothing, words under a card, a card, an error, a dialog.

An invoke's HTTP status is 200 whatever became of it: the status that counts stands inside. Every body is pure JSON, so
that no serialiser can change it on the way. Not owned: which of them is said (ears, dialogs, inbox, giving).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.chat import Answer
from bot.domain.wire import dumps, loads
from bot.domain.wording import clip

Raw = Mapping[str, Any]

WORDS = "application/vnd.microsoft.activity.message"
CARD = "application/vnd.microsoft.card.adaptive"
ERROR = "application/vnd.microsoft.error"
WORDS_MOST = 2_000  # characters; a bar under a card is no place for more
TITLE_MOST = 60  # characters of a dialog's title that a phone still shows
TALL, WIDE = "large", "medium"

DONE = "Your answer was recorded."  # for a deed that was taken without a word
NOT_DONE = "That is not possible."  # for one that was refused without a word


@dataclass(frozen=True, slots=True)
class Reply:
    """What the POST is answered: an HTTP status, and a body if there is one."""

    status: int
    body: Raw | None = None


def nothing() -> Reply:
    """Taken, and nothing to say: for whatever is no invoke."""
    return Reply(status=200)


def unreadable() -> Reply:
    return Reply(status=400)


def again() -> Reply:
    """Nothing was recorded; please deliver it again."""
    return Reply(status=503)


def unknown() -> Reply:
    """For an invoke nobody here knows: no body, as the Bot Framework says."""
    return Reply(status=501)


def empty() -> Reply:
    """For an invoke that wants a body and needs nothing in it."""
    return _said({})


# ------------------------------------------------------- a card's button


def words(text: str) -> Reply:
    """A bar under the card, for whoever pressed; the card and what they typed stay."""
    return _said({"statusCode": 200, "type": WORDS, "value": clip(text.strip() or DONE, WORDS_MOST)})


def card(drawn: Raw) -> Reply:
    """Another card in the place of the pressed one, for whoever pressed."""
    return _said({"statusCode": 200, "type": CARD, "value": drawn})


def error(code: int, name: str, text: str) -> Reply:
    """The client shows an error of its own. For what no client of ours sends, and for our bugs."""
    return _said({"statusCode": code, "type": ERROR, "value": {"code": name, "message": text}})


def failed(invoke: str, code: int, name: str, text: str) -> Reply:
    """What went wrong, in the shape that this kind of invoke is answered in: a dialog has no errors, it says them."""
    in_dialog = invoke.startswith(("task/", "composeExtension/"))
    return notice(text) if in_dialog else error(code, name, text)


# --------------------------------------------------------------- dialogs


def dialog(drawn: Raw, title: str) -> Reply:
    """A dialog with a card in it, for one person; in the place of the dialog they sent, if they sent one."""
    shown = {"contentType": CARD, "content": drawn}
    told = clip(" ".join(title.split()) or "Countersign", TITLE_MOST)
    return _said({"task": {"type": "continue", "value": _sized({"title": told, "card": shown})}})


def notice(text: str) -> Reply:
    """A dialog that only says something."""
    return _said({"task": {"type": "message", "value": clip(text.strip() or DONE, WORDS_MOST)}})


def _sized(value: dict[str, Any]) -> dict[str, Any]:
    return {**value, "height": TALL, "width": WIDE}


# ----------------------------------------------------------------- words


def told(answer: Answer | None) -> str:
    """What *answer* says in one text: its words, and its problems, which have no fields to stand beside here."""
    if answer is None:
        return DONE
    unsaid = {name: problem for name, problem in (answer.problems or {}).items() if problem not in answer.text}
    said = [answer.text, *(f"{name}: {problem}" if name else problem for name, problem in unsaid.items())]
    return "\n".join(one for one in said if one.strip()) or (DONE if answer.is_taken else NOT_DONE)


def _said(body: Raw) -> Reply:
    """Through our own JSON once: what comes out holds nothing but what JSON knows."""
    return Reply(status=200, body=loads(dumps(body)))
