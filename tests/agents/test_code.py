"""Running code: in a box or not at all, within limits, with nothing left, and told whole.

Each kind of box proves the same. A kind this host cannot make is left out with its reason; the tests that need none
(refusing, paths, the bare row) always run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.toolbox import ToolProblem
from agents.tools.box import Box, Boxes, Kind, Limits
from agents.tools.code import Workshop, code_tools
from agents.tools.process import Bounds, Program
from agents.tools.process import run as run_program
from bot.domain.calls import Outcome, Risk, ToolResult
from bot.domain.ports import Tool
from bot.domain.wire import Json
from bot.peoplefile import read_people
from bot.policycheck import check
from bot.policyfile import parse_policy
from tests.agents.given import call_of, run

ROOT = Path(__file__).resolve().parents[2]
CANARY = "canary-3f9a51"
QUICK = Limits(seconds=20)


def _why_not(kind: Kind) -> str:
    """Why this host cannot make such a box; empty if it can."""
    program = {Kind.BUBBLEWRAP: "bwrap", Kind.NAMESPACES: "unshare"}[kind]
    if shutil.which(program) is None:
        return f"{program} is not installed here (`make system` installs it)"
    bare = {
        Kind.BUBBLEWRAP: ["bwrap", "--ro-bind", "/", "/", "--unshare-all", "--proc", "/proc", "true"],
        Kind.NAMESPACES: ["unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "true"],
    }[kind]
    tried = subprocess.run(bare, capture_output=True, check=False)
    return "" if tried.returncode == 0 else f"the kernel of this host does not let {program} make a box"


KINDS = [
    pytest.param(kind, marks=pytest.mark.skipif(bool(why := _why_not(kind)), reason=why or "-"), id=kind)
    for kind in (Kind.BUBBLEWRAP, Kind.NAMESPACES)
]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "outside.txt").write_text(CANARY)
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


Make = Callable[..., Tool]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return Kind(request.param)


@pytest.fixture
def boxed(work: Path, kind: Kind) -> Make:
    """The tool in one kind of box, with these limits."""

    def made(limits: Limits = QUICK, **more: bool) -> Tool:
        return code_tools(Workshop(Boxes(Box(folder=work, limits=limits, **more), (kind,))))[0]

    return made


def read(result: ToolResult) -> dict[str, Any]:
    assert result.outcome is Outcome.OK, result.text
    return dict(json.loads(result.text.partition("\n(shown to people")[0]))


async def ran(tool: Tool, script: str, **more: Any) -> dict[str, Any]:
    return read(await run(tool, {"script": script, **more}))


# ------------------------------------------------------------- what it does


async def test_a_script_runs_and_tells_what_it_printed_and_made(boxed: Make, work: Path) -> None:
    """AU-15, AU-16: exit code, both outputs, and every file with its size; modules beside it can be imported."""
    (work / "old.txt").write_text("one\n")
    script = """
import sys, pathlib, helper
pathlib.Path("new.txt").write_text("12345")
pathlib.Path("old.txt").write_text("two and more")
print(helper.WORD); print("oh", file=sys.stderr); sys.exit(3)
"""

    got = await ran(boxed(), script, files={"helper.py": "WORD = 'ä'\n"})

    assert (got["exit_code"], got["stdout"], got["stderr"], got["stopped"]) == (3, "ä\n", "oh\n", "")
    assert got["files"] == [
        {"path": "helper.py", "how": "created", "bytes": 12},
        {"path": "new.txt", "how": "created", "bytes": 5},
        {"path": "old.txt", "how": "changed", "bytes": 12},
    ]
    assert (work / "new.txt").read_text() == "12345"


async def test_a_shell_script_runs_too_and_a_deleted_file_is_told(boxed: Make, work: Path) -> None:
    """What was there before and is not afterwards is a change like any other."""
    (work / "gone.txt").write_text("x")

    got = await ran(boxed(), "rm gone.txt; echo $((6 * 7))", language="sh")

    assert got["stdout"] == "42\n"
    assert got["files"] == [{"path": "gone.txt", "how": "deleted", "bytes": 0}]


async def test_a_picture_it_makes_is_shown_to_people(boxed: Make) -> None:
    """Only a real png: a text that calls itself one is listed like any file."""
    script = """
open("a.png", "wb").write(bytes.fromhex("89504e470d0a1a0a") + b"rest")
open("b.png", "wb").write(b"not one")
"""
    result = await run(boxed(), {"script": script})

    assert [(file.name, file.content) for file in result.files] == [("a.png", b"\x89PNG\r\n\x1a\nrest")]
    assert [one["path"] for one in read(result)["files"]] == ["a.png", "b.png"]


# --------------------------------------------------------- what it cannot do


async def test_nothing_of_ours_can_be_seen_or_written(boxed: Make, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D-34, T07: no environment of ours, no file outside, no other process, no privilege, no kernel setting."""
    monkeypatch.setenv("COUNTERSIGN_KEY", CANARY)
    outside = work.parent / "outside.txt"
    script = f"""
import os, pathlib
print(sorted(os.environ))
for path in ({str(outside)!r}, {str(ROOT / "policy.yml")!r}, "/etc/passwd", "/etc/shadow", "/root/.bashrc", "/usr/src"):
    print(path, os.path.exists(path))
for path in ("/x", "/usr/bin/x", "/dev/x", "/script/x", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches"):
    try:
        open(path, "a"); print("wrote", path)
    except OSError:
        pass
print("canary", {CANARY[::-1]!r}[::-1] in "".join(map(repr, os.environ.items())))
print([line for line in open("/proc/self/status") if line.startswith(("CapEff", "CapBnd", "NoNewPrivs"))])
print("processes", len([name for name in os.listdir("/proc") if name.isdigit()]) < 5)
"""
    got = await ran(boxed(), script)

    assert "True" not in got["stdout"].split("canary")[0], got
    assert "wrote" not in got["stdout"]
    assert CANARY not in got["stdout"]
    assert "canary False" in got["stdout"]
    assert "processes True" in got["stdout"]
    assert got["stdout"].count("0000000000000000") == 2
    assert "NoNewPrivs:\\t1" in got["stdout"]
    assert "['HOME', 'LANG', 'PATH', 'PWD', 'TMPDIR']" in got["stdout"].replace("'OLDPWD', ", "")
    assert outside.read_text() == CANARY


CONNECT = """
import socket
try:
    socket.create_connection(("127.0.0.1", {port}), timeout=5).close(); print("in")
except OSError as error:
    print("out")
"""


async def test_the_network_is_cut_and_the_setting_that_gives_it_is_no_accident(boxed: Make) -> None:
    """The same script reaches a server of ours where the setting says so: the test can fail."""
    met: list[str] = []

    async def meet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append("somebody")
        writer.close()

    async with await asyncio.start_server(meet, "127.0.0.1", 0) as server:
        script = CONNECT.format(port=server.sockets[0].getsockname()[1])

        assert (await ran(boxed(), script))["stdout"] == "out\n"
        assert met == []
        assert (await ran(boxed(has_network=True), script))["stdout"] == "in\n"


@pytest.mark.parametrize(
    ("script", "limits", "why"),
    [
        ("while True: pass", {"seconds": 1.0}, "its 1 seconds were over"),
        ("while True: pass", {"processor": 1}, "it used all its processor time"),
        ("while True: print('x' * 1000)", {}, "it printed more than 5,000,000 bytes"),
        ("import os\nwhile True: os.fork()", {"processes": 20, "seconds": 10.0}, "it had more than 20 processes"),
        (
            "n = 0\nwhile True:\n    n += 1\n    open(f'{n}', 'wb').write(bytes(1_000_000))",
            {"folder": 20_000_000},
            "its files were more than 20 MB",
        ),
        (
            "n = 0\nwhile True:\n    n += 1\n    open(f'/tmp/{n}', 'wb')",
            {"files": 500},
            "there were more than 500 files",
        ),
    ],
    ids=["time", "processor", "output", "processes", "disk", "files"],
)
async def test_each_limit_ends_it_and_says_so(boxed: Make, script: str, limits: dict[str, Any], why: str) -> None:
    got = await ran(boxed(replace(QUICK, **limits)), script)

    # an ordinary user's fork fails at the limit, and the script ends by itself; only root is not held by it
    is_held = limits.get("processes") and got["stopped"] == "" and "BlockingIOError" in got["stderr"]
    assert is_held or got["stopped"] == why
    assert len(got["stdout"]) <= QUICK.output
    assert got["exit_code"] != 0


async def test_memory_and_single_files_are_bounded_inside(boxed: Make) -> None:
    """The script sees the failure itself, as on any full machine."""
    script = """
try:
    bytearray(400_000_000)
except MemoryError:
    print("no memory")
try:
    open("big", "wb").write(bytes(3_000_000))
except OSError as error:
    print("too large")
"""
    got = await ran(boxed(replace(QUICK, memory=200_000_000, file=1_000_000)), script)

    assert got["stdout"] == "no memory\ntoo large\n"


async def test_long_output_is_cut_and_said_to_be(boxed: Make) -> None:
    got = await ran(boxed(), "print('y' * 40_000)")

    assert (got["is_cut"], len(got["stdout"]), got["exit_code"]) == (True, 30_000, 0)


DAEMON = """
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)  # {mark}"])
    os._exit(0)
os.wait()
{then}
"""


def alive(mark: str) -> list[str]:
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            line = Path("/proc", name, "cmdline").read_bytes()
            if mark.encode() in line:
                found.append(name)
    return found


@pytest.mark.parametrize("then", ["print('done')", "while True: pass"], ids=["ended", "stopped"])
async def test_nothing_survives_the_script(boxed: Make, then: str) -> None:
    """A process that left its session and its parent goes with the box, however the script ends."""
    mark = f"mark-{os.getpid()}-{len(then)}"

    await ran(boxed(replace(QUICK, seconds=2.0)), DAEMON.format(mark=mark, then=then))

    assert alive(mark) == []


async def test_stopping_the_run_ends_the_script(boxed: Make, work: Path) -> None:
    """A stop cancels the call: when that is done, so is the script."""
    mark = f"stopped-{os.getpid()}"
    tool = boxed()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(run(tool, {"script": DAEMON.format(mark=mark, then="while True: pass")}))
        await until(lambda _: bool(alive(mark)), work)
        running.cancel()

    assert alive(mark) == []


ALONE = """
import asyncio, sys
from pathlib import Path
from agents.tools.box import Box, Boxes, Kind
asyncio.run(Boxes(Box(folder=Path(sys.argv[1])), (Kind(sys.argv[2]),)).run("sh", "exec sleep 600"))
"""


async def test_killing_the_bot_ends_the_script(kind: Kind, work: Path) -> None:
    """SIGKILL gives nobody time to clear up: the kernel ends the box, since its parent is gone."""
    bot = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ALONE, str(work), kind, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        await until(is_worked_in, work)
    finally:
        bot.kill()
        await bot.wait()

    await until(lambda folder: not is_worked_in(folder), work)


async def until(is_so: Callable[[Path], bool], path: Path) -> None:
    async with asyncio.timeout(20):
        while not is_so(path):  # noqa: ASYNC110  # another process is looked at: it tells nobody
            await asyncio.sleep(0.01)


def is_worked_in(folder: Path) -> bool:
    """Does a script sleep in a box whose /work is this very folder?"""
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            is_here = os.path.samefile(f"/proc/{name}/cwd", folder)
            if is_here and Path("/proc", name, "comm").read_text() == "sleep\n":
                return True
    return False


# ------------------------------------------------- what holds without a box


@pytest.fixture
def bare(work: Path) -> Tool:
    """The row without a box, as the setting `unboxed` gives it: what it proves needs no kernel feature."""
    return code_tools(Workshop(Boxes(Box(folder=work, limits=QUICK, may_be_none=True), ())))[0]


async def test_where_no_box_can_be_made_nothing_runs(work: Path) -> None:
    """D-34: a clear sentence with the remedy, and no file was written. The card says the same before."""
    tool = code_tools(Workshop(Boxes(Box(folder=work), ())))[0]
    args: dict[str, Any] = {"script": "print(1)", "files": {"a.txt": "x"}}

    result = await run(tool, args)
    (shown,) = await tool.preview(call_of(tool, args))  # type: ignore[attr-defined]  # this tool has one

    assert result.outcome is Outcome.ERROR
    assert result.text == (
        "Nothing was run: this host can make no box for code (bubblewrap is not installed, or may not be used, and the "
        "kernel lets us make no namespaces). `apt install bubblewrap`."
    )
    assert (shown.is_failed, shown.text) == (True, result.text)
    assert os.listdir(work) == []


async def test_a_host_that_gains_a_box_uses_it_without_a_restart(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is not remembered; a kind that works is."""
    tried: list[Kind] = []

    async def is_fine(_: Boxes, kind: Kind) -> bool:
        tried.append(kind)
        return len(tried) == 3

    monkeypatch.setattr(Boxes, "_is_fine", is_fine)
    boxes = Boxes(Box(folder=work))

    with pytest.raises(ToolProblem, match="can make no box"):
        await boxes.kind()
    assert [await boxes.kind(), await boxes.kind()] == [Kind.BUBBLEWRAP] * 2
    assert tried == [Kind.BUBBLEWRAP, Kind.NAMESPACES, Kind.BUBBLEWRAP]


async def test_without_a_box_the_card_says_so_and_limits_still_hold(bare: Tool, work: Path) -> None:
    shown = await bare.preview(call_of(bare, {"script": "x"}))  # type: ignore[attr-defined]  # this tool has one
    got = await ran(bare, "import os; print(os.environ.get('COUNTERSIGN_KEY'), os.getcwd())")

    assert shown[0].text.startswith("WITHOUT A BOX: it can read what this bot can read")
    assert got["stdout"] == f"None {work}\n"


ESCAPES = ["../outside.txt", "a/../../outside.txt", "/etc/passwd", "..", "link.txt", "folder/new.txt", "a\\b", "a\nb"]


@pytest.mark.parametrize("path", ESCAPES)
async def test_a_path_outside_the_work_folder_is_refused(bare: Tool, work: Path, path: str) -> None:
    """AU-15, T07: by dots, absolute, or through a link; the script does not run and no other file is written."""
    (work / "link.txt").symlink_to(work.parent / "outside.txt")
    (work / "folder").symlink_to(work.parent)

    result = await run(bare, {"script": "open('ran', 'w')", "files": {"fine.txt": "x", path: "y"}})

    assert result.outcome is Outcome.ERROR
    assert "failed inside" not in result.text
    assert sorted(os.listdir(work)) == ["folder", "link.txt"]
    assert (work.parent / "outside.txt").read_text() == CANARY


async def test_before_signing_people_see_where_it_runs_and_what_it_overwrites(bare: Tool, work: Path) -> None:
    """AU-15, D-33: code is read line by line, as it would run; the difference is worked out by us.

    What is signed stands whole among the arguments; there it is one line.
    """
    (work / "a.txt").write_text("one\ntwo\n")
    files: Json = {"a.txt": "one\nthree\n", "new.py": "n = 1\nm = 2\n", "short.txt": "n"}

    call = call_of(bare, {"script": "x = 1\nprint(x)\n", "files": files})
    shown = await bare.preview(call)  # type: ignore[attr-defined]  # this tool has one

    assert [(one.label, one.text) for one in shown if one.is_code and "line by line" in one.label] == [
        ("The script in python, line by line", "x = 1\nprint(x)\n"),
        ("New file new.py, line by line", "n = 1\nm = 2\n"),
    ]
    shown = [one for one in shown if "line by line" not in one.label]
    assert [one.label for one in shown] == ["Where it runs", "Overwrites a.txt"]
    assert f"folder: {work}" in shown[0].text
    assert "limits: 20 s, 20 s of processor time, 512 MB of memory" in shown[0].text
    assert "- two\n+ three" in shown[1].text
    assert (work / "a.txt").read_text() == "one\ntwo\n"


async def test_marks_that_lend_our_rights_are_taken_off(bare: Tool, work: Path) -> None:
    """A file that would run as whoever runs the bot is left without that mark."""
    await ran(bare, "import os; open('f', 'w').close(); os.chmod('f', 0o6755)")

    assert (work / "f").stat().st_mode & 0o7777 == 0o755


async def test_scripts_wait_for_each_other_in_one_folder(bare: Tool) -> None:
    """Two at once would see, and be listed with, each other's files."""
    script = "import os\nassert not os.path.exists('busy')\nopen('busy', 'w').close()\nos.unlink('busy')"
    async with asyncio.TaskGroup() as group:
        both = [group.create_task(ran(bare, script)) for _ in range(3)]

    assert [one.result()["exit_code"] for one in both] == [0, 0, 0]
    assert [one.result()["files"] for one in both] == [[], [], []]


async def test_code_cannot_be_undone_and_is_never_waved_through(bare: Tool) -> None:
    """AU-03, AU-15, AU-25, D-34: its risk asks everywhere, and an agent that is never asked about may not hold it."""
    world = read_people(ROOT / "people.yml")
    policy = parse_policy(b"oversight: {coder: never}\nrules: []\n")

    problems = await check(policy, [bare.spec], world, agents={"coder": ["run_code"]})

    assert (bare.spec.risk, bare.spec.category, "code" in bare.spec.touches) == (Risk.IRREVERSIBLE, "technical", True)
    assert not bare.spec.is_idempotent
    assert any("agent coder is never asked about, but has run_code: irreversible" in one for one in problems), problems


# -------------------------------------------------------------- the process


async def test_a_program_that_is_not_there_is_told_in_a_sentence() -> None:
    with pytest.raises(ToolProblem, match=r"^no-such-program cannot be started here: No such file or directory\.$"):
        await run_program(Program(command=("no-such-program",), env={}), Bounds(seconds=1))


async def test_a_program_without_a_box_takes_its_children_with_it() -> None:
    """Stopped at its time: all of its session ends."""
    mark = f"child-{os.getpid()}"
    script = f"exec -a {mark} sleep 600 & wait"

    ended = await run_program(Program(command=("/bin/bash", "-c", script), env={}), Bounds(seconds=0.5))

    assert (ended.stopped, alive(mark)) == ("its 0.5 seconds were over", [])


async def test_a_program_reads_what_it_is_given_and_one_that_does_not_read_is_fine() -> None:
    reads = await run_program(Program(command=("/bin/cat",), env={}, given=b"x" * 300_000), Bounds(seconds=10, kept=10))
    deaf = await run_program(Program(command=("/bin/true",), env={}, given=b"x" * 300_000), Bounds(seconds=10))

    assert (reads.out, reads.is_cut, reads.code) == (b"x" * 10, True, 0)
    assert (deaf.code, deaf.stopped) == (0, "")
