"""What a hostile script tries with its box: doors that namespaces leave open, and limits that look away.

What an ordinary script does in it is in test_code.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agents.tools import boxed, folders
from agents.tools.box import Box, Boxes, Kind, Limits
from agents.tools.code import Workshop, code_tools
from bot.domain.calls import Outcome
from bot.domain.ports import Tool
from tests.agents.given import run

BARE = {
    Kind.BUBBLEWRAP: ["bwrap", "--ro-bind", "/", "/", "--unshare-all", "--proc", "/proc", "true"],
    Kind.NAMESPACES: ["unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "true"],
}
HELD = """
import os
for number in range(60):
    held = os.open(f"{number}", os.O_CREAT | os.O_RDWR)
    os.unlink(f"{number}")
    os.write(held, b"x" * 1_000_000)
import time
time.sleep(600)
"""


@pytest.fixture(params=BARE)
def tool(request: pytest.FixtureRequest, work: Path) -> Tool:
    """Left out, with its reason, where this host cannot make such a box."""
    kind: Kind = request.param
    if shutil.which(BARE[kind][0]) is None or subprocess.run(BARE[kind], capture_output=True, check=False).returncode:
        pytest.skip(f"{BARE[kind][0]} cannot make a box here")
    limits = Limits(seconds=20, folder=30_000_000)
    return code_tools(Workshop(Boxes(Box(folder=work, limits=limits), (kind,))))[0]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


async def ran(tool: Tool, script: str, **more: Any) -> dict[str, Any]:
    result = await run(tool, {"script": script, **more})
    assert result.outcome is Outcome.OK, result.text
    return dict(json.loads(result.text))


async def test_nothing_in_the_folder_starts_with_a_script_or_stands_in_for_the_library(tool: Tool, work: Path) -> None:
    """T06: people sign the script they read, not a file that an earlier, cheaper call left beside it."""
    for name in ("sitecustomize", "usercustomize", "json", "runpy", "ctypes"):
        (work / f"{name}.py").write_text("print('unsigned')")
    (work / "helper.py").write_text("word = 'by its name'")

    got = await ran(tool, "import json, helper\nprint(json.dumps(helper.word))")

    assert (got["stdout"], got["stderr"]) == ('"by its name"\n', "")


async def test_folders_without_end_stop_the_script_and_none_after_it(tool: Tool, work: Path) -> None:
    """T18: a look that goes down with them has no end either; what nobody looks at does not stay."""
    (work / "ours" / "sub").mkdir(parents=True)
    deep = "import os\nfor _ in range(1500):\n    os.mkdir('d')\n    os.chdir('d')\nimport time\ntime.sleep(600)"

    got = await ran(tool, deep)
    after = await ran(tool, "print('fine')")

    assert got["stopped"] == "its folders were more than 64 deep"
    assert after["stdout"] == "fine\n"
    assert (work / "ours" / "sub").is_dir()


async def test_folders_that_were_too_deep_before_are_left_alone_and_nothing_runs(tool: Tool, work: Path) -> None:
    """Somebody else's files: a script that nobody could watch there is not run."""
    deep = work.joinpath(*"d" * 70)
    deep.mkdir(parents=True)

    result = await run(tool, {"script": "open('made', 'w')"})

    assert (result.outcome, "more than 64 deep" in result.text) == (Outcome.ERROR, True)
    assert deep.is_dir()
    assert not (work / "made").exists()


async def test_a_file_without_a_name_counts_like_any_other(tool: Tool) -> None:
    """T18: deleted while it is open, it takes room that no folder lists."""
    assert (await ran(tool, HELD))["stopped"] == "its files were more than 30 MB"


async def test_a_disk_that_fills_up_for_no_reason_we_see_stops_it(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    """T18: files without a name can hide on their way from one process to another."""
    await ran(tool, "print('a box can be made')")
    left = iter([10**12] * 2)  # of both folders, when it begins
    monkeypatch.setattr("agents.tools.box._free", lambda _: next(left, 10**6))

    assert (await ran(tool, "import time\ntime.sleep(600)"))["stopped"] == "the disk was filling up"


@pytest.mark.parametrize(
    "door",
    [
        "os.memfd_create('m')",  # memory that belongs to no process, and is counted nowhere
        "call(shmget, 0, 1000, 0o1600)",
        "socket.socket(socket.AF_VSOCK)",  # the machine's host: no network namespace holds that back
        "socket.socket(17)",  # packets
        "call(keyctl, 0, -3, 0)",  # the key ring of whoever started the bot
        "call(unshare, 0x10000000)",  # a user namespace: a mount of one's own, with memory behind it
        "call(clone, 0x10000000 | 17, 0, 0, 0, 0)",
        "call(425, 8, 0)",  # io_uring
    ],
)
async def test_doors_that_namespaces_leave_open_are_shut(tool: Tool, door: str) -> None:
    """T27, T18: each of them, and for whatever the script starts, too."""
    _, _, clone, _, refused = boxed.MACHINES[platform.machine()]
    named = f"shmget, keyctl, unshare, clone = {refused[0]}, {refused[6]}, {refused[7]}, {clone}"
    script = f"""
import ctypes, os, socket, subprocess, sys
{named}
def call(*words):
    kernel = ctypes.CDLL(None, use_errno=True)
    if kernel.syscall(*map(ctypes.c_long, words)) == -1:
        raise OSError(ctypes.get_errno(), "no")
try:
    {door}
    print("open")
except PermissionError:
    print("shut")
if not sys.argv[1:]:
    subprocess.run([sys.executable, "/script/script", "again"])
"""
    assert (await ran(tool, script))["stdout"].split() == ["shut", "shut"]


async def test_what_scripts_need_still_works(tool: Tool) -> None:
    """Threads, processes, pipes, pairs of sockets, locks that processes share."""
    script = """
import asyncio, concurrent.futures as futures, multiprocessing, sqlite3, socket, subprocess, tempfile, threading
def double(n): return 2 * n
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(double, [1, 2]))
    with futures.ThreadPoolExecutor() as pool:
        print(list(pool.map(double, [3])))
    socket.socketpair()
    asyncio.run(asyncio.sleep(0))
    print(subprocess.run(["sh", "-c", "echo sh"], capture_output=True, text=True).stdout, end="")
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    print(sqlite3.connect("a.db").execute("SELECT 1").fetchone())
"""
    got = await ran(tool, script)

    assert (got["stdout"], got["stderr"]) == ("[2, 4]\n[6]\nsh\n(1,)\n", "")


def test_a_machine_that_is_not_known_gets_no_box() -> None:
    """Fail closed: its calls have other numbers."""
    with pytest.raises(KeyError):
        boxed.shut("pdp11")


def test_a_folder_is_cleared_however_deep_and_never_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("x")
    (tmp_path / "gone" / "locked").mkdir(parents=True)
    (tmp_path / "gone" / "locked" / "file").write_text("x")
    (tmp_path / "gone" / "locked").chmod(0)
    (tmp_path / "gone" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    start = os.open(tmp_path / "gone", os.O_RDONLY)
    for _ in range(2_000):
        os.mkdir("d", dir_fd=start)
        inner = os.open("d", os.O_RDONLY, dir_fd=start)
        os.close(start)
        start = inner
    os.close(start)

    with folders.opened_folder(tmp_path) as handle:
        folders.razed(handle, "gone")
        folders.razed(handle, "link")

    assert sorted(one.name for one in tmp_path.rglob("*")) == ["kept", "outside"]
