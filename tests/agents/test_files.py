"""Files: one work folder, and no way out of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.toolbox import ToolProblem
from agents.tools import files
from agents.tools.files import WorkFolder, file_tools
from bot.domain.calls import Outcome, Risk
from bot.domain.ports import Tool
from tests.agents.given import named, run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside.txt").write_text("secret")
    (tmp_path / "outside").mkdir()
    return tmp_path / "work"


@pytest.fixture
def tools(root: Path) -> dict[str, Tool]:
    return named(file_tools(WorkFolder(root)))


def test_risks_are_declared(tools: dict[str, Tool]) -> None:
    """AS-02: deleting is irreversible."""
    assert {name: tool.spec.risk for name, tool in tools.items()} == {
        "read_file": Risk.READ,
        "list_files": Risk.READ,
        "write_file": Risk.WRITE,
        "delete_file": Risk.IRREVERSIBLE,
    }


async def test_what_is_written_is_read_listed_and_deleted(tools: dict[str, Tool], root: Path) -> None:
    """Folders are made on the way."""
    written = await run(tools["write_file"], {"path": "a/b.txt", "content": "ä\n"})
    again = await run(tools["write_file"], {"path": "./a//b.txt", "content": "new"})

    assert json.loads(written.text)["bytes"] == 3
    assert again.outcome is Outcome.OK
    assert (await run(tools["read_file"], {"path": "a/b.txt"})).text == "new"
    assert json.loads((await run(tools["list_files"], {})).text) == [{"name": "a", "kind": "folder", "bytes": 0}]
    assert json.loads((await run(tools["list_files"], {"path": "a"})).text)[0]["bytes"] == 3
    assert (await run(tools["delete_file"], {"path": "a/b.txt"})).text == "a/b.txt is deleted."
    assert os.listdir(root / "a") == []


ESCAPES = ["../outside.txt", "a/../../outside.txt", "/etc/passwd", "..", "a/..", "", ".", "/", "a\\..\\b", "a\0b",
           "a\nb", "link.txt", "folder/new.txt", "folder/../outside.txt", "x" * 300, "~/x/../.."]  # fmt: skip


@pytest.mark.parametrize("path", ESCAPES)
@pytest.mark.parametrize("tool", ["read_file", "write_file", "delete_file"])
async def test_no_path_leads_out_of_the_folder(tools: dict[str, Tool], root: Path, tool: str, path: str) -> None:
    """T07: not by dots, not by an absolute path, not through a link, to read, write or delete."""
    (root / "link.txt").symlink_to(root.parent / "outside.txt")
    (root / "folder").symlink_to(root.parent / "outside")
    (root / "a").mkdir()
    args = {"path": path} | ({"content": "x"} if tool == "write_file" else {})
    if not path:
        args["path"] = "./"

    result = await run(tools[tool], args)

    assert result.outcome is Outcome.ERROR
    assert "secret" not in result.text
    assert "failed inside" not in result.text
    assert (root.parent / "outside.txt").read_text() == "secret"
    assert os.listdir(root.parent / "outside") == []


@given(path=st.text(st.sampled_from("ab./\\~ \0é"), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_path_only_the_folder_changes(tmp_path: Path, path: str) -> None:
    """T07: either refused with a sentence, or inside."""
    folder = WorkFolder(tmp_path / "deep" / "work")
    with contextlib.suppress(ToolProblem):
        folder.write(path, "x", key="k")
    assert os.listdir(tmp_path) == ["deep"]
    assert os.listdir(tmp_path / "deep") == ["work"]


async def test_pipes_and_folders_are_no_files(tools: dict[str, Tool], root: Path) -> None:
    """A pipe would hang the reader."""
    os.mkfifo(root / "pipe")
    (root / "sub").mkdir()

    for path in ("pipe", "sub"):
        for tool in ("read_file", "delete_file"):
            assert (await run(tools[tool], {"path": path})).text == f"{path} is not a plain file."
        assert (await run(tools["write_file"], {"path": path, "content": ""})).outcome is Outcome.ERROR


async def test_too_much_is_refused_both_ways(
    tools: dict[str, Tool], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T18: nothing is half written."""
    monkeypatch.setattr(files, "MOST_BYTES", 10)
    (root / "big").write_bytes(b"x" * 11)

    assert "larger than 10" in (await run(tools["read_file"], {"path": "big"})).text
    assert "too many" in (await run(tools["write_file"], {"path": "new", "content": "x" * 11})).text
    assert os.listdir(root) == ["big"]


async def test_a_crashed_write_is_finished_by_the_next_start(tools: dict[str, Tool], root: Path) -> None:
    """The draft it left behind does not stand in the way; the old file was whole all the time."""
    args = {"path": "a.txt", "content": "new"}
    (root / "a.txt").write_text("old")
    draft = f".{hashlib.sha256(b'key-1').hexdigest()[:24]}.draft"
    (root / draft).write_text("ne")

    result = await run(tools["write_file"], args)

    assert result.outcome is Outcome.OK
    assert os.listdir(root) == ["a.txt"]
    assert (root / "a.txt").read_text() == "new"


async def test_bytes_that_are_no_text_are_read_without_a_crash(tools: dict[str, Tool], root: Path) -> None:
    """In a file, and in a file's name."""
    (root / "a.bin").write_bytes(b"\xff\xfehi")
    (root / os.fsdecode(b"\xff.txt")).write_text("x")

    assert (await run(tools["read_file"], {"path": "a.bin"})).text == "\ufffd\ufffdhi"
    assert (await run(tools["list_files"], {})).outcome is Outcome.OK
