"""A model that gave no answer: written down like one, so that the same step fails the same on every replay.

A branch that failed may be marked and the others go on; called again, it must not find the model well meanwhile.
"""

from __future__ import annotations

from bot.domain.errors import CountersignError, ModelRefused, ModelUnavailable
from bot.domain.ports import Said
from bot.domain.wire import Record, pack, unpack

KINDS: dict[str, type[CountersignError]] = {"unavailable": ModelUnavailable, "refused": ModelRefused}
BEGIN = '{"unsaid":'  # behind the version; no answer of a model has such a field
FAILURES = (ModelUnavailable, ModelRefused)


class Unsaid(Record):
    """What stands in the journal in place of an answer."""

    unsaid: str  # one of KINDS
    why: str


def written(error: ModelUnavailable | ModelRefused) -> str:
    kind = next(name for name, made in KINDS.items() if isinstance(error, made))
    return pack(Unsaid(unsaid=kind, why=str(error))).decode()


def recalled(result: str) -> Said:
    """The answer that stands in the journal. Raises ModelUnavailable or ModelRefused if there was none."""
    if result[1:].startswith(BEGIN):
        failed = unpack(Unsaid, result.encode())
        raise KINDS[failed.unsaid](failed.why)
    return unpack(Said, result.encode())
