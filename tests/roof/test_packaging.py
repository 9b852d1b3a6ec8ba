"""A fresh clone: make says what it needs, and the same check runs here and wherever changes are judged."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
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


def test_the_top_level_is_what_a_newcomer_was_told() -> None:
    """CD-03: the names of the project's card, and beside them only what the README speaks of."""
    named = {"pyproject.toml", "bot", "adapters", "agents", "tests", "manifest.yml", "Procfile", "README.md"}
    beside = {"docs", "policy.yml", "people.yml", "agents.yml", "Makefile", "LICENSE", "CHANGELOG.md"}
    made = {"var", "build", "dist", "countersign.egg-info", "my_tools.py"}

    there = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}

    assert named | beside <= there
    assert there <= named | beside | made


def test_none_of_the_guides_frameworks_is_needed() -> None:
    """D-35: their samples do not run together; the ideas are here, the packages are not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = {re.split(r"[\[<>=~;! ]", one)[0].lower() for one in wanted}

    assert not names & {"agentscope", "ag2", "pyautogen", "strands-agents", "strands-agents-tools", "litellm"}
    assert not [name for name in names if name.startswith("autogen")]


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
    """`.ci/run` is `make check` and nothing else; the Procfile starts the one entry point (AS-35, CD-10)."""
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
