"""What examples bring to work on: laid out once, only where the folder is ours, and never through a link."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.agentsfile import read_agents
from bot.config import Settings
from bot.exampledata import lay_out

AGENTS = "agents: {a: {kind: react, prompt: p}}\n"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """An agents.yml that includes an example with a log."""
    example = tmp_path / "examples" / "incident"
    (example / "work" / "logs").mkdir(parents=True)
    (example / "work" / "logs" / "one.log").write_text("the first line\n")
    (example / "agents.yml").write_text("agents: {b: {kind: react, prompt: p}}\n")
    (tmp_path / "agents.yml").write_text(f"include: [examples/*/agents.yml]\n{AGENTS}")
    return read_agents(tmp_path / "agents.yml").files


def settings(tmp_path: Path, **more: object) -> Settings:
    return Settings(_env_file=None, COUNTERSIGN_VAR=tmp_path / "var", **more)  # type: ignore[arg-type]  # by the names of the environment


def test_what_an_included_example_brings_is_there_to_be_read(tmp_path: Path, files: list[Path]) -> None:
    """CD-04: a newcomer tries it without laying anything out."""
    lay_out(files, given := settings(tmp_path))

    assert (given.work / "logs" / "one.log").read_text() == "the first line\n"


def test_what_people_or_agents_changed_stays(tmp_path: Path, files: list[Path]) -> None:
    lay_out(files, given := settings(tmp_path))
    (given.work / "logs" / "one.log").write_text("mine\n")

    lay_out(files, given)

    assert (given.work / "logs" / "one.log").read_text() == "mine\n"


def test_a_folder_that_somebody_named_is_left_alone(tmp_path: Path, files: list[Path]) -> None:
    lay_out(files, settings(tmp_path, COUNTERSIGN_WORK_FOLDER=tmp_path / "theirs"))

    assert not (tmp_path / "theirs").exists()


def test_an_example_that_is_not_included_brings_nothing(tmp_path: Path, files: list[Path]) -> None:
    lay_out(files[:1], given := settings(tmp_path))

    assert list(given.work.iterdir()) == []


def test_a_link_that_code_of_an_agent_left_there_leads_nowhere(tmp_path: Path, files: list[Path]) -> None:
    """T07: the bot starts, and writes nothing outside of the folder."""
    given, outside = settings(tmp_path), tmp_path / "outside"
    given.work.mkdir(parents=True)
    outside.mkdir()
    (given.work / "logs").symlink_to(outside)

    lay_out(files, given)

    assert list(outside.iterdir()) == []
