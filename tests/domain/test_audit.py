"""The audit's chain and checkpoints: whoever changes a record is found, and the record is named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import audit, events
from bot.domain.absence import Absence
from bot.domain.audit import EVENTS, GENESIS, checkpoint, export, link, parse_line, verify_chain, verify_checkpoints
from bot.domain.calls import Cause, Outcome
from bot.domain.chat import MessageRef
from bot.domain.errors import BadRecord
from bot.domain.request import Decision, Handed, RequestId, RunId, Status
from bot.domain.run import Run, RunStatus, Task
from bot.domain.verdict import Climb
from bot.domain.wire import replace
from tests.domain.given import ANA, BO, NOW, PLACE, call, decided, grant, request, vote

KEY = b"k" * 32
START = 1_777_636_800_000  # 2026-05-01 12:00 UTC


def log(bodies: Sequence[str | bytes]) -> list[str]:
    """What the store's script writes, written here a second time."""
    lines, previous = [], GENESIS
    for seq, body in enumerate(bodies, start=1):
        text = body.decode() if isinstance(body, bytes) else body
        previous = link(previous, seq, START + seq, text)
        lines.append(f"{seq} {START + seq} {previous} {text}")
    return lines


def some(count: int) -> list[str]:
    return log([f'{{"e":"run_ended","run":"r{n}","status":"done"}}' for n in range(count)])


def relink(lines: Sequence[str]) -> list[str]:
    """What somebody who knows the format does after an edit."""
    return log([line.split(" ", 3)[3] for line in lines])


# ---------------------------------------------------------------- the chain


def test_a_link_is_the_sha1_that_the_stores_script_makes() -> None:
    """Fixed by hand: sha1("0…0 1 1777636800001 {}")."""
    assert link(GENESIS, 1, 1_777_636_800_001, "{}") == "79fcd179b1ae0311c21c771bc4451285aa06efe2"


def test_an_untouched_log_is_valid_and_so_is_an_empty_one() -> None:
    assert verify_chain(some(50)) == []
    assert verify_chain([]) == []


@given(st.data())
def test_any_single_edit_is_found_and_the_edited_record_is_named(data: st.DataObject) -> None:
    """I15, T30: one character changed, added or dropped anywhere in one line."""
    lines = some(data.draw(st.integers(1, 8)))
    index = data.draw(st.integers(0, len(lines) - 1))
    spot = data.draw(st.integers(0, len(lines[index])))
    new = data.draw(st.sampled_from(["", "0", "1", " ", "f", "}", "\n", "é"]))
    edited = lines[index][:spot] + new + lines[index][spot + data.draw(st.integers(0, 1)) :]
    if edited == lines[index]:
        return

    (found,) = verify_chain([*lines[:index], edited, *lines[index + 1 :]])

    assert (found.invariant, found.seq) == ("I15", index + 1)


@given(st.integers(2, 12), st.data())
def test_any_single_removal_is_found_and_the_missing_record_is_named(count: int, data: st.DataObject) -> None:
    """I15: all but the last; what the last needs is the head."""
    lines = some(count)
    index = data.draw(st.integers(0, count - 1))
    head = (count, parse_line(0, lines[-1]).link)

    (found,) = verify_chain(lines[:index] + lines[index + 1 :], head=head)

    assert found.seq == index + 1
    assert "missing" in found.told or "head" in found.told


@given(st.integers(2, 12), st.data())
def test_any_swap_is_found_and_the_first_misplaced_record_is_named(count: int, data: st.DataObject) -> None:
    """I15: two records change places."""
    lines = some(count)
    first = data.draw(st.integers(0, count - 2))
    second = data.draw(st.integers(first + 1, count - 1))
    lines[first], lines[second] = lines[second], lines[first]

    (found,) = verify_chain(lines)

    assert found.seq == first + 1
    assert found.told == f"record {second + 1} stands where record {first + 1} belongs"


def test_a_record_inserted_or_repeated_is_found() -> None:
    """I15: a replayed line is not where it belongs."""
    lines = some(5)

    (found,) = verify_chain([*lines[:3], lines[2], *lines[3:]])

    assert found.seq == 4


def test_an_edit_with_its_own_link_repaired_is_found_at_the_next_record() -> None:
    """I15: repairing one link breaks the following one."""
    lines = some(5)
    forged = relink([*lines[:2], lines[2].replace("done", "failed")])

    (found,) = verify_chain([*forged, *lines[3:]])

    assert found.seq == 4


def test_a_log_that_does_not_begin_at_the_beginning_is_found() -> None:
    (found,) = verify_chain(some(5)[2:])

    assert (found.seq, found.told) == (1, "record 1 is missing: record 3 stands in its place")


def test_a_log_cut_short_is_found_with_the_head_kept_elsewhere() -> None:
    """I15: the chain alone cannot know its end."""
    lines = some(5)
    head = (5, parse_line(0, lines[-1]).link)

    assert verify_chain(lines[:4]) == []
    assert [one.seq for one in verify_chain(lines[:4], head=head)] == [5]
    assert verify_chain(lines, head=head) == []


# -------------------------------------------------------------- checkpoints


def with_checkpoints(*sizes: int) -> list[str]:
    bodies: list[str] = []
    covered, mac = 0, ""
    for size in sizes:
        bodies += [f'{{"e":"run_ended","run":"r{len(bodies) + n}","status":"done"}}' for n in range(size)]
        body = checkpoint(0, log(bodies)[covered:], previous=mac, key=KEY)
        covered, mac = len(bodies), json.loads(body)["mac"]
        bodies.append(body.decode())
    return log(bodies)


def test_checkpoints_over_an_untouched_log_hold() -> None:
    lines = with_checkpoints(4, 1, 7)

    assert verify_chain(lines) == []
    assert verify_checkpoints(lines, KEY) == []


@given(st.data())
def test_a_rewritten_log_with_every_link_repaired_is_found_by_its_checkpoint(data: st.DataObject) -> None:
    """I15: SHA-1 is repaired by anybody; the HMAC is not. The checkpoint over the bad line is named."""
    lines = with_checkpoints(4, 1, 7)
    index = data.draw(st.sampled_from([n for n, line in enumerate(lines) if "checkpoint" not in line]))
    lines[index] = lines[index].replace("done", "gone")
    forged = relink(lines)

    found = verify_checkpoints(forged, KEY)

    assert verify_chain(forged) == []
    assert found[0].seq == next(n + 1 for n, line in enumerate(lines) if n > index and "checkpoint" in line)


def test_a_checkpoint_of_another_key_or_another_shard_does_not_hold() -> None:
    lines = with_checkpoints(3, 3)

    assert "not signed" in verify_checkpoints(lines, b"other" * 8)[0].told
    assert "not signed" in verify_checkpoints(lines, KEY, shard=1)[0].told


def test_a_checkpoint_taken_out_of_the_middle_is_missed_by_the_next() -> None:
    """I15: each names the one before it."""
    lines = with_checkpoints(3, 3, 3)
    forged = relink([line for n, line in enumerate(lines) if n != 3])

    assert [one.seq for one in verify_checkpoints(forged, KEY)] != []


def test_a_checkpoint_signed_for_another_history_does_not_follow() -> None:
    """I15: the same lines and the same key, after a predecessor that is not in this log."""
    bodies = [line.split(" ", 3)[3] for line in some(3)]
    bodies.append(checkpoint(0, some(3), previous="f" * 64, key=KEY).decode())

    (found,) = verify_checkpoints(log(bodies), KEY)

    assert found.told == "checkpoint 4 does not follow the checkpoint before it"


def test_a_log_without_its_anchored_checkpoint_was_rewritten() -> None:
    """I15: removing the last checkpoints with all that follows is seen from outside."""
    lines = with_checkpoints(3, 3)
    anchor = str(parse_line(0, lines[-1]).fields["mac"])

    assert verify_checkpoints(lines, KEY, anchor=anchor) == []
    assert "anchored" in verify_checkpoints(lines[:5], KEY, anchor=anchor)[0].told


def test_a_checkpoint_over_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        checkpoint(0, [], key=KEY)


# ------------------------------------------------------------------ records


@pytest.mark.parametrize(
    "line",
    [
        "",
        "1",
        "0 1 " + "0" * 40 + ' {"e":"x"}',
        "01 1 " + "0" * 40 + ' {"e":"x"}',
        "1 1 " + "0" * 39 + ' {"e":"x"}',
        "1 1 " + "0" * 40 + " {}",
        "1 1 " + "0" * 40 + ' {"e":1}',
        "1 1 " + "0" * 40 + " []",
        "1 1 " + "0" * 40 + ' {"e":"x"',
        "1 1 " + "0" * 40 + ' {"e":"x"}\n2 2 ' + "0" * 40 + ' {"e":"y"}',
        "1 999999999999999 " + "0" * 40 + ' {"e":"x"}',
    ],
)
def test_a_line_that_is_not_exactly_one_record_is_refused(line: str) -> None:
    with pytest.raises(BadRecord):
        parse_line(0, line)


@given(st.text())
def test_hostile_text_in_a_reason_is_one_record_with_its_fields_intact(text: str) -> None:
    """T21: newlines and fake JSON in a reason."""
    reason = text + '\n2 2 {"e":"request_decided"}'
    body = events.vote_counted(request(), vote(reason=reason))

    (line,) = log([body])

    assert len(line.splitlines()) == 1 or "\n" not in line
    assert parse_line(0, line).fields["reason"] == reason
    assert verify_chain([line]) == []


def test_an_entry_knows_its_time_its_subject_and_its_export() -> None:
    entry = parse_line(3, log([events.rung_fired(RequestId("q1"), 0, Climb.REMIND)])[0])

    assert entry.at == datetime(2026, 5, 1, 12, 0, 0, 1000, tzinfo=UTC)
    assert entry.subject == "q1"
    assert export(entry) == {
        "id": entry.link,
        "shard": 3,
        "seq": 1,
        "time": "2026-05-01T12:00:00.001+00:00",
        "event": "rung_fired",
        "subject": "q1",
        "fields": {"request": "q1", "index": 0, "do": "remind"},
    }


def test_every_event_that_is_written_has_the_fields_that_are_read() -> None:
    """The writer (events) and the table agree; no event of the table is never written."""
    run = Run(id=RunId("r1"), task=Task(text="x", by=ANA, place=PLACE), agent="react", began=NOW)
    start = events.Start(run.id, "/1.0", call(), RequestId("q1"))
    given_vote, ref = vote(), MessageRef(place=PLACE, id="2.0")
    decision = Decision(status=Status.APPROVED, at=NOW)

    written = [
        events.run_started(run),
        events.run_resumed(run.id, RequestId("q1"), decision),
        events.run_stopped(run.id, ANA, "d"),
        events.run_taken(run.id, ANA, "d"),
        events.run_returned(run.id, ANA, "d"),
        events.rerouted(run.id, ANA, "d", left="billing", agent="tech"),
        events.request_handed(replace(request(), handed=(Handed(by=ANA, to=BO, at=NOW),))),
        events.request_fell_back(replace(request(), handed=(Handed(by=BO, to=ANA, at=NOW, is_back=True),))),
        events.run_ended(run.id, RunStatus.DONE),
        events.reply_heard(run.id, ANA, "d"),
        events.call_allowed(run.id, "/1.0", call(), "read-only"),
        events.call_denied(run.id, "/1.0", "refund", call().digest, cause="policy"),
        events.request_opened(request()),
        events.trace_opened(run.id, ANA, given_vote.account, "d"),
        events.details_opened(request(), ANA, given_vote.account, "d"),
        events.card_shown(request(), "thread", ref, is_complete=True, has_buttons=True),
        events.card_lost(RequestId("q1"), "thread", "archived"),
        events.vote_counted(request(), given_vote),
        events.vote_refused("q1", None, given_vote.account, "not_eligible", "d"),
        events.request_decided(decided(Status.APPROVED)),
        events.rung_fired(RequestId("q1"), 0, Climb.REMIND),
        events.copy_sent(RequestId("q1"), BO, "their hours began"),
        events.away_set(Absence(person=ANA, since=NOW, until=NOW, deputy=BO, delivery="d")),
        events.away_ended(ANA, Cause.PERSON, "d"),
        events.grant_offered(request(), ANA, None),
        events.grant_given(grant(), request()),
        events.grant_used(grant(), run.id, "/1.0", call(), "react"),
        events.grant_revoked(grant(), "d"),
        start.started(key="k", epoch=1, is_idempotent=False),
        start.finished(Outcome.OK),
        checkpoint(0, some(1), key=KEY),
    ]

    entries = [parse_line(0, line) for line in log(written)]
    assert {entry.event for entry in entries} == set(EVENTS)
    assert {
        entry.event: set(EVENTS[entry.event]) - set(entry.fields)
        for entry in entries
        if set(EVENTS[entry.event]) - set(entry.fields)
    } == {}
    assert audit.CHECKPOINT in EVENTS
