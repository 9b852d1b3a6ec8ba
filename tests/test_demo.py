"""The demo in Slack: the whole bot as a process, killed twice, and people in a strict imitation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.house import ROOT


def play(*options: str, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(path)} if path else dict(os.environ)
    command = [sys.executable, "-m", "bot", "demo", "--slack", *options]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=100, check=False)


def test_the_demo_in_slack_ends_well_although_its_bot_is_killed_twice() -> None:
    """D-50, CD-05b: people press in Slack, two bots die, and each effect happens exactly once."""
    done = play("--kill", cwd=ROOT)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("kill -9") == 2
    assert "a socket (Socket Mode)" in done.stdout
    assert "bo alone reads: Approved. It runs now." in done.stdout
    assert done.stdout.rstrip().endswith("everything happened exactly once.")


def test_an_installed_package_has_no_imitation_of_slack_and_says_so(tmp_path: Path) -> None:
    """A wheel carries bot, agents and adapters; the imitation lies among the tests."""
    for room in ("bot", "agents", "adapters"):
        (tmp_path / room).symlink_to(ROOT / room)

    done = play(cwd=tmp_path, path=tmp_path)

    assert done.returncode == 2, done.stdout + done.stderr
    assert "the imitation of Slack lies in the folder tests" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
