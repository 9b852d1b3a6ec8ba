"""The table of run states."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.run import NEXT_RUN, RunMove, RunStatus

ENDS = {RunStatus.DONE, RunStatus.STOPPED, RunStatus.FAILED}


def test_the_table_names_every_status_and_leads_only_to_statuses() -> None:
    """One row per status, even if the row is empty."""
    assert set(NEXT_RUN) == set(RunStatus)
    assert all(isinstance(move, RunMove) for row in NEXT_RUN.values() for move in row)
    assert all(isinstance(status, RunStatus) for row in NEXT_RUN.values() for status in row.values())


def test_an_ended_run_stays_ended_and_every_other_can_be_stopped() -> None:
    """AS-16: Stop has an answer in every living state."""
    assert {status for status, row in NEXT_RUN.items() if not row} == ENDS
    for status in set(RunStatus) - ENDS:
        assert NEXT_RUN[status][RunMove.STOP] is RunStatus.STOPPING


@pytest.mark.parametrize("status", list(RunStatus))
def test_every_status_can_be_reached_from_the_beginning(status: RunStatus) -> None:
    reached = {RunStatus.ACTIVE}
    for _ in RunStatus:
        reached |= {after for one in reached for after in NEXT_RUN[one].values()}

    assert status in reached


@given(st.lists(st.sampled_from(RunMove)))
def test_a_stopped_run_never_works_again_and_never_counts_as_done(moves: list[RunMove]) -> None:
    """Whatever comes after a Stop, the run ends as stopped."""
    status, was_stopped = RunStatus.ACTIVE, False
    for move in moves:
        status = NEXT_RUN[status].get(move, status)
        was_stopped |= status is RunStatus.STOPPING

        assert not was_stopped or status in (RunStatus.STOPPING, RunStatus.STOPPED)
