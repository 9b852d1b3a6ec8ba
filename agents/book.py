"""A loop's book: what it has used up, and where it goes in circles.

    thought -> steps, tokens          spent?     -> people are asked for as much again -> renew
    ran     -> errors in a row, results seen      failing, circling? -> people are asked about that call

Counts only what it is told, so every replay counts the same. Three rules of forgetting: an answer about a budget renews
the budget, an answer about a call forgets that call, and what people say forgets all calls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.domain.arguments import brief
from bot.domain.calls import Outcome, ToolResult, canonical
from bot.domain.errors import BadJson
from bot.domain.inquiry_stuck import Trouble
from bot.domain.ports import Said, WantedCall
from bot.domain.redacted import redacted
from bot.domain.wire import read_foreign

ERRORS_MOST = 3  # of one tool, in a row
SAME_MOST = 2  # times a call may give the same result; the next one is put to people
TRIED_MOST = 8  # calls that a card tells of
CALL_MOST = 100  # characters of its arguments; with what it came to, a line of the card has at most 300
LINE_MOST = 130  # characters of what one of them came to
UNREADABLE = "arguments that cannot be read"
NAME_MOST = 60  # characters of a tool's name, which a model may have made up


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """Why a loop cannot go on: what people are told."""

    what: Trouble
    told: str
    tried: tuple[str, ...] = ()
    error: str = ""


@dataclass(slots=True, kw_only=True)
class Book:
    """One loop's counts since people last set it going."""

    max_steps: int
    max_tokens: int
    secrets: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by tool: arguments that nobody is shown
    _steps: int = 0
    _tokens: int = 0
    _errors: dict[str, int] = field(default_factory=dict)  # in a row, by tool
    _seen: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)  # a call's last result, how often
    _tried: deque[str] = field(default_factory=lambda: deque(maxlen=TRIED_MOST))

    @property
    def tried(self) -> tuple[str, ...]:
        """The last calls and what came of each, without secrets."""
        return tuple(self._tried)

    # --------------------------------------------------------------- budgets

    def thought(self, said: Said) -> None:
        self._steps += 1
        self._tokens += said.tokens_in + said.tokens_out

    def spent(self) -> Stuck | None:
        """Which budget is used up, if one is."""
        if self._steps >= self.max_steps:
            return self._stuck(Trouble.STEPS, f"Step limit {self.max_steps} reached.")
        if self._tokens >= self.max_tokens:
            return self._stuck(Trouble.TOKENS, f"Token limit {self.max_tokens:,} reached, {self._tokens:,} used.")
        return None

    def renew(self) -> None:
        self._steps = self._tokens = 0

    # ----------------------------------------------------------------- calls

    def circling(self, call: WantedCall) -> Stuck | None:
        """This very call would come now, and has given one and the same result as often as may be."""
        text, times = self._seen.get(_shape(call), ("", 0))
        if times < SAME_MOST:
            return None
        del self._seen[_shape(call)]
        told = f"{_name(call)} would run once more with the same arguments; {times} times the result was the same."
        return self._stuck(Trouble.REPEATING, told, text)

    def ran(self, call: WantedCall, result: ToolResult) -> Stuck | None:
        """Take a result down. Says so when its tool has failed too often in a row."""
        is_error = result.outcome is Outcome.ERROR
        text, times = self._seen.get(_shape(call), ("", 0))
        self._seen[_shape(call)] = (result.text, times + 1 if text == result.text else 1)
        self._errors[call.tool] = self._errors.get(call.tool, 0) + 1 if is_error else 0
        came = redacted(result.text, LINE_MOST) if is_error else result.outcome
        self._tried.append(f"{_name(call)}({self._arguments(call)}): {came}")
        if self._errors[call.tool] < ERRORS_MOST:
            return None
        self._errors[call.tool] = 0
        del self._seen[_shape(call)]
        told = f"{_name(call)} has failed {ERRORS_MOST} times in a row."
        return self._stuck(Trouble.FAILING, told, result.text)

    def directed(self) -> None:
        """People have said something: what they want may well be what was tried before."""
        self._errors.clear()
        self._seen.clear()

    def _arguments(self, call: WantedCall) -> str:
        """What it was called with. Of a tool whose secrets nobody named any argument may be one: names alone."""
        try:
            values = read_foreign(call.args or "{}")
        except BadJson:
            return UNREADABLE
        if not isinstance(values, dict):
            return UNREADABLE
        return brief(values, self.secrets.get(call.tool, tuple(values)), CALL_MOST)

    def _stuck(self, what: Trouble, told: str, error: str = "") -> Stuck:
        return Stuck(what=what, told=told, tried=tuple(self._tried), error=error)


def _name(call: WantedCall) -> str:
    return " ".join(call.tool.split())[:NAME_MOST]


def _shape(call: WantedCall) -> tuple[str, str]:
    """What makes two calls the same: the tool, and its arguments however they are spaced."""
    try:
        return call.tool, canonical(read_foreign(call.args)).decode()
    except BadJson:
        return call.tool, call.args
