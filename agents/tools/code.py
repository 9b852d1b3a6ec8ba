"""Running a script that a model wrote: signed whole, in a box, in the work folder.

before anybody signs: which box, which limits, the script and new files line by line, what changes in those there
signed -> one at a time: look at the folder -> write the files -> run -> look again -> what it printed and changed

Owns the tool and what it tells. Not the box (box), nor how a program is ended (process).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from agents.shown import Shown
from agents.toolbox import ToolProblem, tool
from agents.tools.box import Boxes, Language
from agents.tools.files import MOST_BYTES, PathText, WorkFolder
from agents.tools.folders import DEEPEST, below, razed
from agents.tools.process import Ended
from bot.domain.calls import Evidence, Risk
from bot.domain.difference import difference
from bot.domain.ports import Leave, Tool
from bot.domain.wire import Record

WAIT = 60.0  # seconds for other code in the folder to end
MOST_LISTED = 200
MOST_PICTURES = 4
PICTURE: Final = b"\x89PNG\r\n\x1a\n"

Script = Annotated[str, Field(min_length=1, max_length=100_000)]
Files = Annotated[Mapping[PathText, Annotated[str, Field(max_length=MOST_BYTES)]], Field(max_length=20)]
NO_FILES: Final[Files] = {}

Pictures = list[tuple[str, bytes]]  # name, content
Stand = dict[str, tuple[int, int, int]]  # a file's path: its inode, size and time of change


class Changed(Record):
    """`how` is "created", "changed" or "deleted"; `bytes` is what it has now."""

    path: str
    how: str
    bytes: int


class Ran(Record):
    """What came of a script. `stopped` says which limit ended it; empty if it ended by itself."""

    exit_code: int
    stdout: str
    stderr: str
    files: tuple[Changed, ...] = ()
    stopped: str = ""
    is_cut: bool = False  # more was printed than stands here
    left_out: int = 0  # files that are not listed


class Workshop:
    """The work folder, and the boxes that scripts run in."""

    def __init__(self, boxes: Boxes) -> None:
        self._boxes, self._folder = boxes, boxes.box.folder
        self._files = WorkFolder(self._folder)
        self._turn = asyncio.Lock()

    @property
    def seconds(self) -> float:
        return self._boxes.box.limits.seconds

    async def before(self, language: Language, script: str, files: Files) -> list[Evidence]:
        """Raises ToolProblem for a path that leads outside, and when no box can be made."""
        there = await asyncio.to_thread(self._there, files)
        await asyncio.to_thread(_must_be_shallow, self._folder)
        shown = [Evidence(label="Where it runs", text=await self._boxes.told())]
        if "\n" in script:  # among the arguments it is one line, and nobody reads code so
            shown.append(Evidence(label=f"The script in {language}, line by line", text=script, is_code=True))
        for path, old in there.items():
            if old is not None:
                text = difference(old.decode("utf-8", "replace"), files[path])
                shown.append(Evidence(label=f"Overwrites {path}", text=text, is_code=True))
            elif "\n" in files[path]:
                shown.append(Evidence(label=f"New file {path}, line by line", text=files[path], is_code=True))
        return shown

    async def run(self, language: Language, script: str, files: Files, *, key: str) -> tuple[Ran, Pictures]:
        """Run it, alone in the folder; also the pictures it made. Raises ToolProblem, and then it was not run."""
        await asyncio.to_thread(_must_be_shallow, self._folder)  # before anything is tried in it
        await self._boxes.kind()  # before a file is written
        async with self._alone():
            await asyncio.to_thread(self._there, files)
            earlier = await asyncio.to_thread(_stand, self._folder)
            await asyncio.to_thread(self._write, files, key)
            ended = await self._boxes.run(language, script)
            changed = await asyncio.to_thread(_changes, self._folder, earlier)
            return _ran(ended, changed), await asyncio.to_thread(self._pictures, changed)

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(WAIT):
                await self._turn.acquire()
        except TimeoutError:
            raise ToolProblem("Other code runs in the work folder and does not end. Nothing was run.") from None
        try:
            yield
        finally:
            self._turn.release()

    def _there(self, files: Files) -> dict[str, bytes | None]:
        """Every path is judged before the first file is written."""
        return {path: self._files.present(path) for path in files}

    def _write(self, files: Files, key: str) -> None:
        for path, content in files.items():
            self._files.write(path, content, key=f"{key} {path}")

    def _pictures(self, changed: list[Changed]) -> Pictures:
        """Those small enough for the file tools; nothing that only calls itself a picture."""
        found: Pictures = []
        for path in [one.path for one in changed if one.path.endswith(".png") and one.how != "deleted"]:
            with contextlib.suppress(ToolProblem):
                content = self._files.present(path)
                if content is not None and content.startswith(PICTURE):
                    found.append((path, content))
        return found[:MOST_PICTURES]


def code_tools(workshop: Workshop) -> tuple[Tool, ...]:
    """Running scripts in *workshop*."""

    async def before(script: Script, language: Language = "python", files: Files = NO_FILES) -> list[Evidence]:
        return await workshop.before(language, script, files)  # what is signed stands whole among the arguments

    @tool(
        risk=Risk.IRREVERSIBLE,
        touches=("code", "files"),
        category="technical",
        timeout=timedelta(seconds=workshop.seconds + WAIT + 30),
        preview=before,
    )
    async def run_code(
        script: Script, language: Language = "python", files: Files = NO_FILES, *, leave: Leave
    ) -> Shown:
        """Run a script in the work folder, in a box without network and with limits. People sign it first.

        It has the standard library of Python, or a shell. Files it leaves in its folder are kept, and listed; a png is
        shown to people.

        Args:
            script: the whole script
            language: python or sh
            files: files to write beside it first, by path
        """
        ran, pictures = await workshop.run(language, script, files, key=leave.key)
        return Shown(ran, files=pictures)

    return (run_code,)


# ------------------------------------------------------------------- inside


def _ran(ended: Ended, changed: list[Changed]) -> Ran:
    stopped = ended.stopped
    if not stopped and ended.code == 128 + 24:  # SIGXCPU, as a shell tells it
        stopped = "it used all its processor time"
    return Ran(
        exit_code=ended.code,
        stdout=ended.out.decode("utf-8", "replace"),
        stderr=ended.err.decode("utf-8", "replace"),
        files=tuple(changed[:MOST_LISTED]),
        stopped=stopped,
        is_cut=ended.is_cut,
        left_out=max(0, len(changed) - MOST_LISTED),
    )


def _must_be_shallow(folder: Path) -> None:
    if any(at.depth > DEEPEST for at in below(folder)):
        raise ToolProblem(f"The work folder has folders more than {DEEPEST} deep. Delete those. Nothing was run.")


def _stand(folder: Path) -> Stand:
    """How every file stands. A link is listed as itself. Marks that would lend our rights to others are taken off.

    What is deeper than anybody looks is deleted: it was not there before the script.
    """
    found: Stand = {}
    for at in below(folder):
        for name in at.folders if at.depth == DEEPEST else ():
            razed(at.handle, name)
        for name in at.files:
            with contextlib.suppress(FileNotFoundError):
                one = os.lstat(name, dir_fd=at.handle)
                path = str(at.path / name).encode("utf-8", "replace").decode()
                found[path] = (one.st_ino, one.st_size, one.st_mtime_ns)
                if stat.S_ISREG(one.st_mode) and one.st_mode & (stat.S_ISUID | stat.S_ISGID):
                    os.chmod(name, stat.S_IMODE(one.st_mode) & 0o777, dir_fd=at.handle)
    return found


def _changes(folder: Path, earlier: Stand) -> list[Changed]:
    now = _stand(folder)
    made = [(path, "created" if path not in earlier else "changed") for path in now if now[path] != earlier.get(path)]
    gone = [(path, "deleted") for path in earlier if path not in now]
    return [Changed(path=path, how=how, bytes=now[path][1] if path in now else 0) for path, how in sorted(made + gone)]
