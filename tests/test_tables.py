"""Tables are total: every status, move, event and method that one file names is known to the others."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.terminal_text import MARKS
from bot.domain import audit, events, render, run_card
from bot.domain.absence import Absence
from bot.domain.audit import CHECKPOINT, EVENTS
from bot.domain.calls import Cause, Outcome, Risk
from bot.domain.chat import Tone
from bot.domain.invariants import INVARIANTS
from bot.domain.request import NEXT, SIGNING, VOTES, Decision, Handed, Kind, Move, RequestId, RunId, Status
from bot.domain.run import NEXT_RUN, Run, RunMove, RunStatus, Task
from bot.domain.store import Store
from bot.domain.verdict import Climb
from bot.domain.wire import replace
from bot.runtime.views import SENTENCES
from bot.store.redis import RedisStore
from tests.domain import given

ROOT = Path(__file__).resolve().parents[1]
RUN = Run(id=RunId("r-0-1"), task=Task(text="x", by=given.ANA, place=given.PLACE), agent="react", began=given.NOW)
REQUEST = given.decided(Status.APPROVED)
REF = given.vote().ref
START = events.Start(RUN.id, "/0", given.call(), RequestId("q-0-1"))
GRANT = given.grant()
AWAY = Absence(person=given.BO, since=given.NOW, until=given.NOW, deputy=given.ANA, delivery="d")
BODIES: tuple[bytes, ...] = (
    events.run_started(RUN),
    events.run_ended(RUN.id, RunStatus.DONE),
    events.run_resumed(RUN.id, RequestId("q"), Decision(status=Status.APPROVED, at=given.NOW)),
    events.reply_heard(RUN.id, given.ANA, "d"),
    events.run_stopped(RUN.id, given.ANA, "d"),
    events.run_taken(RUN.id, given.ANA, "d"),
    events.run_returned(RUN.id, given.ANA, "d"),
    events.rerouted(RUN.id, given.ANA, "d", left="billing", agent="tech"),
    events.request_handed(replace(REQUEST, handed=(Handed(by=given.ANA, to=given.BO, at=given.NOW),))),
    events.request_fell_back(replace(REQUEST, handed=(Handed(by=given.BO, to=given.ANA, at=given.NOW, is_back=True),))),
    events.call_allowed(RUN.id, "/0", given.call(), "rule"),
    events.call_denied(RUN.id, "/0", "refund", "digest", cause=Cause.POLICY),
    events.request_opened(given.request(deadline=None)),
    events.trace_opened(RUN.id, given.ANA, given.vote().account, "d"),
    events.details_opened(REQUEST, given.ANA, given.vote().account, "d"),
    events.card_shown(REQUEST, "main", REF, is_complete=True, has_buttons=True),
    events.card_lost(REQUEST.id, "main", "gone"),
    events.vote_counted(REQUEST, given.vote()),
    events.vote_refused("q", None, given.vote().account, "NotShown", "d"),
    events.request_decided(REQUEST),
    events.rung_fired(REQUEST.id, 0, Climb.REMIND),
    events.copy_sent(REQUEST.id, given.ANA, "her hours began"),
    events.away_set(AWAY),
    events.away_ended(given.BO, Cause.PERSON, "d"),
    events.grant_offered(REQUEST, given.ANA, None),
    events.grant_given(GRANT, REQUEST),
    events.grant_used(GRANT, RUN.id, "/0", given.call(), GRANT.agent),
    events.grant_revoked(GRANT, "d"),
    START.started(key="k", epoch=1, is_idempotent=False),
    START.finished(Outcome.OK),
    audit.checkpoint(0, [f"1 0 {'0' * 40} {{}}".replace("{}", '{"e":"x"}')], key=b"k"),
)

# Younger than the table: a record without it is judged as those were that had none.
MORE = {"open", "right", "high", "veto", "glass", "about", "opened_ms", "repeats", "replaces", "agent"}

# --------------------------------------------------------- statuses and moves


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        (NEXT, Status),
        (NEXT_RUN, RunStatus),
        (VOTES, Kind),
        (render.RISKS, Risk),
        (render.CAUSES, Cause),
        (render.OUTCOMES, Outcome),
        (run_card.RUN_TITLES, RunStatus),
        (MARKS, Tone),
    ],
    ids=["NEXT", "NEXT_RUN", "VOTES", "RISKS", "CAUSES", "OUTCOMES", "RUN_TITLES", "MARKS"],
)
def test_a_table_has_one_row_for_each(table: Mapping[Any, object], rows: type[Enum]) -> None:
    """Also where the row is empty: nobody forgot it."""
    assert set(table) == set(rows)


@pytest.mark.parametrize(
    ("table", "start", "moves"), [(NEXT, Status.OPEN, Move), (NEXT_RUN, RunStatus.ACTIVE, RunMove)]
)
def test_every_status_can_be_reached_and_every_move_is_good_for_something(
    table: Mapping[Any, Mapping[Any, Any]], start: Enum, moves: type[Enum]
) -> None:
    """I3: and an end is an end: from a status without moves nothing goes on."""
    reached, new = {start}, {start}
    while new:
        new = {after for status in new for after in table[status].values()} - reached
        reached |= new

    assert reached == set(table)
    assert {move for row in table.values() for move in row} == set(moves)


def test_only_people_can_make_the_moves_that_are_votes() -> None:
    """D-01, I6: neither expiry nor cancelling nor spending is an answer, and an approval is nothing else."""
    assert set().union(*VOTES.values()) == {Move.APPROVE, Move.REJECT, Move.ANSWER, Move.BREAK_GLASS}
    assert {move for move, after in NEXT[Status.OPEN].items() if after is Status.APPROVED} == SIGNING


# ------------------------------------------------------------------- events


def test_an_example_of_every_event_is_looked_at() -> None:
    """Every public function of `events` that makes a record, and the checkpoint."""
    made = {
        name
        for name, function in inspect.getmembers(events, inspect.isfunction)
        if function.__module__ == events.__name__ and function.__annotations__["return"] == "bytes" and name[0] != "_"
    }

    assert made | {"tool_started", "tool_finished", CHECKPOINT} == {name_of(body) for body in BODIES}


@pytest.mark.parametrize("body", BODIES, ids=lambda body: name_of(body))
def test_a_record_has_the_fields_its_table_names(body: bytes) -> None:
    """I15: the invariants read these fields by name."""
    fields = msgspec.json.decode(body)
    row = set(EVENTS[fields["e"]])

    assert set(fields) - {"e"} - (MORE - row) == row


def test_every_event_is_known_to_the_audit_and_to_the_timeline() -> None:
    assert set(EVENTS) == set(SENTENCES) == {name_of(body) for body in BODIES}


@pytest.mark.parametrize("event", SENTENCES)
def test_a_sentence_names_only_fields_that_its_event_has(event: str) -> None:
    """A hole that is never filled reads as a dash."""
    assert set(re.findall(r"\{(\w+)\}", SENTENCES[event])) <= set(EVENTS[event])


def test_an_event_that_code_makes_is_one_of_them() -> None:
    """No record is put together past `events`."""
    for path in product("bot"):
        if path.name not in ("events.py", "audit.py", "history.py"):
            assert '"e":' not in path.read_text(), path


def test_every_invariant_is_checked() -> None:
    """I1 to I15."""
    assert set(INVARIANTS) <= {f"I{n}" for n in range(1, 16)}
    assert len(INVARIANTS) >= 14


# ------------------------------------------------------------------- the store


def test_the_store_on_redis_has_every_method_of_the_contract() -> None:
    """With the same parameters under the same names."""
    wanted = {name: member for name, member in vars(Store).items() if not name.startswith("_")}
    assert len(wanted) > 30

    for name, member in wanted.items():
        found = inspect.getattr_static(RedisStore, name)
        assert isinstance(found, property) == isinstance(member, property), name
        if not isinstance(member, property):
            assert list(inspect.signature(found).parameters) == list(inspect.signature(member).parameters), name


# -------------------------------------------------------------------- meters


def test_every_number_that_is_counted_is_in_the_meters_table() -> None:
    """A name the meter does not know raises, and would take a run down with it."""
    table = (ROOT / "bot" / "telemetry.py").read_text()
    used = {
        name
        for path in product("bot/runtime")
        for name in re.findall(r"\b(?:meter|gate)\.(?:count|observe|gauge)\(\s*\"(\w+)\"", path.read_text())
    }

    assert len(used) > 5
    assert {name for name in used if f'"{name}"' not in table} == set()


# ------------------------------------------------------------------- helpers


def name_of(body: bytes) -> str:
    return str(msgspec.json.decode(body)["e"])


def product(room: str) -> Iterable[Path]:
    return sorted((ROOT / room).rglob("*.py"))
