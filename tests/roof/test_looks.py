"""What the commands list, in a line each."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from bot.cli import app
from bot.domain.chat import PersonId
from bot.domain.request import Handed
from bot.domain.verdict import Need
from bot.looks import request_line
from tests.domain.given import BO, NOW, ask, request


def test_a_request_says_whose_task_it_is_whom_it_waits_for_and_in_which_run() -> None:
    """ST-25: ana asked, and somebody else has to sign."""
    held = request(ask=ask(Need(of="approvers"), Need(of="finance", need=2)))

    told = request_line(held)

    assert told.startswith(f"{held.id}  {held.run}  {held.call.tool}  asked by {held.requester}: {held.task[:60]}")
    assert "  waits for approvers and 2 of finance  " in told


def test_a_request_that_was_handed_on_waits_for_whoever_has_it() -> None:
    held = request(handed=(Handed(by=BO, to=PersonId("dana"), at=NOW),))

    assert "  waits for dana  " in request_line(held)


@pytest.mark.parametrize("command", [["runs"], ["audit", "show"]])
@pytest.mark.parametrize("most", ["0", "-1"])
def test_a_list_of_none_is_refused(command: list[str], most: str) -> None:
    told = CliRunner().invoke(app, [*command, "--most", most])

    assert told.exit_code == 2
    assert "--most" in told.output
    assert "greater than or equal to 1" in " ".join(told.output.split())
