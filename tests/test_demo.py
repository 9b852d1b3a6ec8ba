"""The demo on other platforms: the whole bot as a process, killed on the way, and people in strict imitations.

The page's own demo is played by the tests of the README.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.demo import play_demo
from bot.domain.errors import BadSettings
from tests.house import ROOT
from tests.outside import python


def play(*options: str, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(path)} if path else dict(os.environ)
    return python("-m", "bot", "demo", *options, cwd=cwd, seconds=100, **env)


@pytest.mark.parametrize(
    ("platform", "where"),
    [("slack", "a socket (Socket Mode)"), ("teams", "/api/messages")],
)
def test_the_demo_on_a_platform_ends_well_although_its_bot_is_killed_twice(platform: str, where: str) -> None:
    """D-50, CD-05b: people press there, two bots die, and each effect happens exactly once."""
    done = play(f"--{platform}", "--kill", cwd=ROOT)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("kill -9") == 2
    assert where in done.stdout
    assert "bo alone reads: Approved. It runs now." in done.stdout
    assert done.stdout.rstrip().endswith("everything happened exactly once.")


def test_one_request_is_signed_in_slack_and_in_teams_although_the_bot_dies_in_between() -> None:
    """D-50: two people, two places, one refund; the same person's other account counts for nothing."""
    done = play("--both", "--kill", cwd=ROOT)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("kill -9") == 1
    [_, first, second, third] = done.stdout.split("alone reads: ")
    assert "bo presses 'Approve' in Teams" in done.stdout.split("alone reads: ")[0]
    assert first.startswith("Counted: 1 of 2")
    assert second.startswith("You already answered this.")
    assert third.startswith("Approved. It runs now.")
    assert "refunds in the shop's book: 1" in done.stdout
    assert done.stdout.rstrip().endswith("everything happened exactly once.")


def test_an_installed_package_has_no_imitation_of_slack_and_says_so(tmp_path: Path) -> None:
    """A wheel carries bot, agents and adapters; the imitation lies among the tests."""
    for room in ("bot", "agents", "adapters"):
        (tmp_path / room).symlink_to(ROOT / room)

    done = play("--slack", cwd=tmp_path, path=tmp_path)

    assert done.returncode == 2, done.stdout + done.stderr
    assert "the imitation of Slack lies in the folder tests" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


async def test_without_an_imitation_of_teams_no_bot_is_started_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an installed package, and told with the option that wanted it."""
    monkeypatch.setitem(sys.modules, "tests.fakes.teams", None)
    told: list[str] = []

    with pytest.raises(BadSettings, match="demo --teams: the imitation of Teams lies in the folder tests"):
        await play_demo(told.append, is_deadly=False, where="teams")

    assert told == []
