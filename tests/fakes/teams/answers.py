"""What a clicker sees of an answer: Teams is strict about shapes, and shows "Something went wrong" for all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.teams import cards
from tests.fakes.teams.delivery import Reply
from tests.fakes.teams.world import CARD, Json

WENT_WRONG = "Something went wrong. Please try again."
UNREACHABLE = "Unable to reach app. Please try again."
WORDS, ERROR = "application/vnd.microsoft.activity.message", "application/vnd.microsoft.error"
CLICK, FETCH, SUBMIT, FEEDBACK = "adaptiveCard/action", "task/fetch", "task/submit", "message/submitAction"
GIVE, GIVE_FORM = "composeExtension/submitAction", "composeExtension/fetchTask"
SIZES = ("small", "medium", "large")
UNSENT = Reply(0)


@dataclass(frozen=True)
class Answer:
    """What one person saw after they pressed something.

    *kind*: `words` (a bar below the card), `card` (in its place, for them alone), `dialog`, `closed` (a dialog that
    went away), `link` (an address they were sent to), `error` (in *words*), `nothing`.
    """

    kind: str
    words: str = ""
    card: Json | None = None
    reply: Reply = UNSENT

    @property
    def is_error(self) -> bool:
        return self.kind == "error"


def faults(name: str, reply: Reply) -> list[str]:
    """What is wrong with the answer to the invoke *name*."""
    if reply.status != 200:
        return [f"{name} was answered with HTTP {reply.status or reply.reason}"]
    if not reply.text:
        return [] if name == SUBMIT else [f"{name} was answered with nothing"]
    if not reply.headers.get("content-type", "").startswith("application/json"):
        return [f"{name} was answered with {reply.headers.get('content-type')!r}"]
    body = reply.json
    if name not in CHECKS:
        return []
    if not isinstance(body, dict):
        return [f"{name} was answered with {reply.text[:60]!r}"]
    return [f"{name}: {problem}" for problem in CHECKS[name](body)]


def seen(name: str, reply: Reply) -> Answer:
    """What the person sees of it."""
    if faults(name, reply):
        return Answer("error", WENT_WRONG if name == CLICK else UNREACHABLE, reply=reply)
    return SHOWN.get(name, _after_feedback)(reply.json or {}, reply)


def is_usable(name: str) -> Callable[[Reply], bool]:
    """Else Teams delivers it again."""
    return lambda reply: reply.is_ok and (bool(reply.text) or name == SUBMIT)


# -------------------------------------------------------------- what is right


def _click(body: Json) -> Iterator[str]:
    if extra := body.keys() - {"statusCode", "type", "value"}:
        yield f"an answer has no {sorted(extra)}"
    status, kind, value = body.get("statusCode"), body.get("type"), body.get("value")
    if not isinstance(status, int) or isinstance(status, bool):
        yield f"statusCode is {status!r}"
    match kind:
        case "application/vnd.microsoft.card.adaptive":
            yield from (f"statusCode is {status} beside a card" for _ in [0] if status != 200)
            yield from cards.faults(value)
        case "application/vnd.microsoft.activity.message":
            yield from (f"statusCode is {status} beside words" for _ in [0] if status != 200)
            yield from (f"value is {value!r}, not words" for _ in [0] if not isinstance(value, str) or not value)
        case "application/vnd.microsoft.error":
            yield from (f"statusCode is {status} beside an error" for _ in [0] if status not in {400, 500})
            named = isinstance(value, dict) and {"code", "message"} == value.keys()
            yield from (f"an error's value is {value!r}" for _ in [0] if not named)
        case _:
            yield f"type is {kind!r}"


def _dialog(body: Json) -> Iterator[str]:
    task = body.get("task")
    if body.keys() != {"task"} or not isinstance(task, dict):
        yield f"a dialog is {body!r}"
        return
    match task.get("type"), task.get("value"):
        case "message", str(text) if text:
            return
        case "continue", dict(value):
            yield from _window(value)
        case other:
            yield f"a dialog's task is {other!r}"


def _window(value: Json) -> Iterator[str]:
    if extra := value.keys() - {"title", "height", "width", "card", "fallbackUrl", "completionBotId"}:
        yield f"a dialog has no {sorted(extra)}"
    if not isinstance(value.get("title"), str) or not value["title"]:
        yield f"a dialog's title is {value.get('title')!r}"
    for name in ("height", "width"):
        size = value.get(name, "medium")
        if size not in SIZES and (not isinstance(size, int) or isinstance(size, bool)):
            yield f"{name} of a dialog is {size!r}"
    shown = value.get("card")
    if not isinstance(shown, dict) or shown.get("contentType") != CARD:
        yield "a dialog shows a card, as an attachment"
    else:
        yield from cards.faults(shown.get("content"))


def _submitted(body: Json) -> Iterator[str]:
    if body:
        yield from _dialog(body)


def _nothing(body: Json) -> Iterator[str]:
    if body:
        yield f"feedback is answered with {{}}, not {body!r}"


def _given(body: Json) -> Iterator[str]:
    told = body.get("composeExtension")
    if told is None:
        yield from _submitted(body)
    elif not isinstance(told, dict) or told.get("type") not in {"result", "message"}:
        yield f"composeExtension is {told!r}"
    elif told["type"] == "message" and not isinstance(told.get("text"), str):
        yield f"composeExtension says {told.get('text')!r}"


CHECKS: Mapping[str, Callable[[Json], Iterator[str]]] = {
    CLICK: _click,
    FETCH: _dialog,
    SUBMIT: _submitted,
    FEEDBACK: _nothing,
    GIVE: _given,
    GIVE_FORM: _dialog,
}

# ------------------------------------------------------------- what is shown


def _after_click(body: Json, reply: Reply) -> Answer:
    value: Any = body["value"]
    if body["type"] == CARD:
        return Answer("card", card=value, reply=reply)
    if body["type"] == WORDS:
        return Answer("words", value, reply=reply)
    return Answer("error", str(value["message"]), reply=reply)


def _after_dialog(body: Json, reply: Reply) -> Answer:
    if told := body.get("composeExtension"):
        return Answer("words", str(told.get("text", "")), reply=reply)
    if not body:
        return Answer("closed", reply=reply)
    task = body["task"]
    if task["type"] == "message":
        return Answer("words", str(task["value"]), reply=reply)
    return Answer("dialog", str(task["value"]["title"]), task["value"]["card"]["content"], reply)


def _after_feedback(_body: Json, reply: Reply) -> Answer:
    return Answer("nothing", reply=reply)


SHOWN: Mapping[str, Callable[[Json, Reply], Answer]] = {
    CLICK: _after_click,
    FEEDBACK: _after_feedback,
    **dict.fromkeys((FETCH, SUBMIT, GIVE, GIVE_FORM), _after_dialog),
}
