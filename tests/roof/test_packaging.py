"""A fresh clone: make says what it needs, and the same check runs here and wherever changes are judged."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed here")


def test_a_python_that_is_too_old_is_told_in_a_sentence(tmp_path: Path) -> None:
    """AS-12: which versions will do, which one was found, and how to name another."""
    _fake(
        tmp_path / "bin",
        ("python3", "python3.11", "python3.12", "python3.13"),
        'test "$1" = --version && echo "Python 3.9.2"',
    )

    result = _make(tmp_path, "play")

    assert result.returncode != 0
    assert "Countersign needs Python 3.11, 3.12 or 3.13; found Python 3.9.2." in result.stderr
    assert "make PYTHON=" in result.stderr


def test_make_play_starts_the_bot_and_passes_the_port_on(tmp_path: Path) -> None:
    """Nothing is installed twice: the environment is as old as the stamp that says so."""
    venv = tmp_path / ".venv"
    _fake(venv / "bin", ("python",), 'echo "$@ on $PORT"')
    (venv / "pyvenv.cfg").touch()
    (venv / "installed").touch()

    assert _make(tmp_path, "play", "PORT=9000").stdout == "-m bot play on 9000\n"


def test_a_changed_project_file_installs_again(tmp_path: Path) -> None:
    """A new dependency arrives with the next make, not with a bug report."""
    venv = tmp_path / ".venv"
    _fake(venv / "bin", ("python",), 'echo "$@"')
    (venv / "pyvenv.cfg").touch()
    (venv / "installed").touch()
    os.utime(venv / "installed", (0, 0))

    assert "pip install --quiet --disable-pip-version-check -e .\n" in _make(tmp_path, "play").stdout


def test_clean_leaves_the_data(tmp_path: Path) -> None:
    """`var/` holds approvals; it is nobody's build product."""
    for folder in ("var", ".venv", "bot/__pycache__", "agents", "adapters", "tests"):
        (tmp_path / folder).mkdir(parents=True)

    assert _make(tmp_path, "clean").returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [
        *("adapters", "agents", "bot", "tests", "var")
    ]
    assert not (tmp_path / "bot" / "__pycache__").exists()


def test_the_judge_runs_exactly_what_everybody_can_run() -> None:
    """`.ci/run` is `make check` and nothing else; the Procfile starts the one entry point (AS-35)."""
    script = ROOT / ".ci" / "run"

    assert script.read_text().splitlines()[-3:] == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "make check"]
    assert os.access(script, os.X_OK)
    assert (ROOT / "Procfile").read_text() == "bot: python -m bot serve\n"


def _make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Our Makefile, in a folder of its own; programs in its `bin` come before the system's."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copyfile(ROOT / name, folder / name)
        os.utime(folder / name, (1, 1))
    env: Mapping[str, str] = {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["make", *words], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def _fake(folder: Path, names: tuple[str, ...], does: str) -> None:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(f"#!/bin/sh\n{does}\n")
        (folder / name).chmod(0o755)
