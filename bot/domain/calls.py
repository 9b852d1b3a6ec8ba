"""Tool calls: what would run, byte for byte, and the digest that names it.

A call is parsed once, checked against the tool's schema once, and kept as canonical bytes from then on.
What people see, what they sign and what runs are these bytes.
"""

from __future__ import annotations

import enum
import hashlib
import json
import math
from datetime import timedelta
from typing import Any, NewType

from bot.domain.errors import BadJson
from bot.domain.wire import Json, Record, loads

Digest = NewType("Digest", str)


class Risk(enum.StrEnum):
    """How much harm a call can do. A policy may ask for any of them; it may never wave `irreversible` through."""

    READ = "read"
    WRITE = "write"
    IRREVERSIBLE = "irreversible"


class Cause(enum.StrEnum):
    """Why a call did not run, or how it ended: what the model is told is always the true cause."""

    PERSON = "person"  # somebody rejected it
    POLICY = "policy"  # a rule denies it
    DEADLINE = "deadline"  # nobody answered in time
    UNDELIVERABLE = "undeliverable"  # no card could be shown to anybody
    SUPERSEDED = "superseded"  # a newer call or instruction took its place
    STOPPED = "stopped"  # somebody stopped the run
    UNSATISFIABLE = "unsatisfiable"  # too few people could ever approve it
    WITHDRAWN = "withdrawn"  # a right was lost between signature and start
    REPEATED = "repeated"  # the same call was already rejected in this run
    TWIN = "twin"  # exactly this call already waits for people
    BUSY = "busy"  # too many requests are open already
    INVALID = "invalid"  # unknown tool or arguments that do not fit


class Outcome(enum.StrEnum):
    OK = "ok"
    ERROR = "error"  # the tool ran and failed
    UNKNOWN = "unknown"  # it was started; whether it took effect is not known
    NOT_RUN = "not_run"  # it was never started; `cause` says why


class ToolSpec(Record):
    """What a tool is: shown to the model, to the policy and on the card."""

    name: str
    version: str
    description: str
    schema: str  # JSON Schema of the arguments, as canonical JSON
    risk: Risk = Risk.IRREVERSIBLE
    is_idempotent: bool = False  # may be started again with the same idempotency key
    timeout: timedelta = timedelta(seconds=60)
    touches: tuple[str, ...] = ()  # what it acts on: "money", "mail", "files", …; a policy may ask about it
    secrets: tuple[str, ...] = ()  # argument names whose values are never shown or logged
    category: str = ""  # "technical", "business", …: where its card is routed
    asks: str = ""  # a kind of request: this tool is never run; people are asked, and their answer is its result
    private: tuple[str, ...] = ()  # of `secrets`, those that Details show to whoever may answer
    accepted: str = ""  # the argument that must be, to the letter, a text that people accepted in this run
    has_preview: bool = False  # it can work out evidence before people are asked (`ports.Previewing`)


class ToolCall(Record):
    """One call, named by `digest`. `args` are canonical JSON text: these very characters run."""

    id: str  # the model's own id for this call
    tool: str
    version: str
    args: str
    digest: Digest

    @property
    def values(self) -> dict[str, Any]:
        return dict(loads(self.args))


class Evidence(Record):
    """One thing a tool found out before anybody signs: a dry run, a difference, a number of rows."""

    label: str
    text: str  # for people; with `is_failed`, one safe sentence about what could not be worked out
    is_code: bool = False
    is_failed: bool = False


class ShownFile(Record):
    """What a tool wants people to see. `content` goes with the message alone: no journal holds it."""

    name: str
    size: int  # bytes
    sha256: str
    content: bytes = b""


class ToolResult(Record):
    """What a call came to. `text` is what the model reads."""

    outcome: Outcome
    text: str
    cause: Cause | None = None
    answer: str = ""  # what people answered, as canonical JSON; only for a tool that asks
    sources: tuple[str, ...] = ()  # where it looked, for the cards of later calls
    files: tuple[ShownFile, ...] = ()  # shown in the task's thread once the call has ended


class Past(Record):
    """An earlier call of the same run. `outcome` is None while it waits or runs: it may still take effect."""

    tool: str
    args: str  # canonical JSON
    outcome: Outcome | None = None
    move: str = ""  # how people answered it, if it asked them something
    was_put: bool = False  # people were asked about it, whatever became of that
    accepted: str = ""  # SHA-256 of the text that people accepted with it
    sources: tuple[str, ...] = ()  # where it looked, if it only looked
    agent: str = ""  # who asked, if it asked people something; empty in records from before that was kept

    @property
    def values(self) -> dict[str, Any]:
        return dict(loads(self.args))


def make_call(*, id: str, tool: str, version: str, args: Json) -> ToolCall:
    """A call from checked arguments."""
    text = canonical(args).decode()
    return ToolCall(id=id, tool=tool, version=version, args=text, digest=digest(tool, version, text))


def digest(tool: str, version: str, args: str) -> Digest:
    """SHA-256 over name, version and canonical arguments, each preceded by its length: no two calls share one."""
    parts = (tool.encode(), version.encode(), args.encode())
    return Digest(hashlib.sha256(b"".join(b"%d:" % len(part) + part for part in parts)).hexdigest())


def canonical(value: Json) -> bytes:
    """The one spelling of a JSON value (after RFC 8785): sorted keys, no spaces, UTF-8, shortest numbers.

    Equal values give equal bytes: 1.0 and 1 are the same number, up to 2**53. Raises BadJson for what JSON cannot say.
    """
    return _write(value).encode()


def _write(value: Json) -> str:
    match value:
        case None | bool() | int():
            return json.dumps(value)
        case float():
            return _number(value)
        case str():
            return _string(value)
        case list():
            return "[" + ",".join(_write(item) for item in value) + "]"
        case dict():
            pairs = sorted(value.items(), key=lambda pair: pair[0].encode("utf-16-be", "surrogatepass"))
            return "{" + ",".join(f"{_string(key)}:{_write(item)}" for key, item in pairs) + "}"
    raise BadJson(f"{type(value).__name__} is not a JSON value")


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise BadJson(f"{value} is not a JSON number")
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


def _string(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadJson("a string holds a lone surrogate") from error
    return json.dumps(value, ensure_ascii=False)
