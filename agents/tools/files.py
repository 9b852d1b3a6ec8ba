"""Files in one work folder, and nowhere else.

path -> names -> open the folder -> open the next name inside it, never through a link -> … -> do it there

Each step is relative to the folder already opened, so nothing can be swapped for a link in between.
Absolute paths and ".." are refused before the disk is touched. Owns no rules about who may write.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import Field

from agents.toolbox import Shown, ToolProblem, tool
from bot.domain.calls import Evidence, Risk
from bot.domain.difference import difference
from bot.domain.ports import Leave, Tool
from bot.domain.wire import Record

MOST_BYTES = 1_000_000  # of one file
MOST_ENTRIES = 1_000
FIRST_LINES = 20  # of a file that would be deleted

PathText = Annotated[str, Field(min_length=1, max_length=500, description="a path inside the work folder")]


class Entry(Record):
    name: str
    kind: str  # "file", "folder" or "other"
    bytes: int = 0


class Written(Record):
    path: str
    bytes: int
    sha256: str


class NoFolder(ToolProblem):
    """A folder on the way to a file is not there."""


class WorkFolder:
    """The folder. Every method blocks, and raises ToolProblem with nothing changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def read(self, path: str) -> str:
        with self._parent(path) as (folder, name):
            raw = _read(folder, name, path)
        return raw.decode("utf-8", "replace")

    def present(self, path: str) -> bytes | None:
        """What stands there now; None if nothing does. Raises ToolProblem for what leads outside or is no file."""
        try:
            with self._folder(_names(path)[:-1], path) as folder:
                return _read(folder, _names(path)[-1], path)
        except (FileNotFoundError, NoFolder):
            return None
        except OSError as error:
            raise ToolProblem(f"{path} cannot be used: {error.strerror}.") from error

    @contextlib.contextmanager
    def reading(self, path: str) -> Iterator[BinaryIO]:
        """The file, opened: for what is too large to be read at once."""
        with self._parent(path) as (folder, name), _opened(folder, name, path) as file:
            yield file

    def present_size(self, path: str) -> int | None:
        """Its bytes, however many; None if nothing is there. Raises ToolProblem as `present`."""
        try:
            with self._folder(_names(path)[:-1], path) as folder, _opened(folder, _names(path)[-1], path) as file:
                return os.fstat(file.fileno()).st_size
        except (FileNotFoundError, NoFolder):
            return None
        except OSError as error:
            raise ToolProblem(f"{path} cannot be used: {error.strerror}.") from error

    @contextlib.contextmanager
    def replacing(self, path: str, *, key: str) -> Iterator[BinaryIO]:
        """A new file beside *path*, which takes its place at the end; if anything is raised, nothing has changed."""
        with self._parent(path, make=True) as (folder, name), _drafted(folder, name, _draft(key)) as file:
            yield file

    def entries(self, path: str) -> tuple[Entry, ...]:
        with self._folder(_names(path, may_be_root=True), path) as folder:
            found = sorted(os.listdir(folder))[:MOST_ENTRIES]
            return tuple(_entry(folder, name) for name in found)

    def write(self, path: str, content: str, *, key: str) -> Written:
        """Replace the whole file at once; it is on disk when this returns."""
        raw = content.encode("utf-8", "replace")
        if len(raw) > MOST_BYTES:
            raise ToolProblem(f"{len(raw)} bytes are too many for one file; {MOST_BYTES} are the most.")
        with self._parent(path, make=True) as (folder, name), _drafted(folder, name, _draft(key)) as file:
            file.write(raw)
        return Written(path=path, bytes=len(raw), sha256=hashlib.sha256(raw).hexdigest())

    def would_write(self, path: str, content: str) -> Evidence:
        """What `write` would change."""
        was = self.present(path)
        if was is None:
            told = f"A new file of {len(content.encode()):,} bytes in {len(content.splitlines()):,} lines."
            return Evidence(label=path, text=told)
        changes = difference(was.decode("utf-8", "replace"), content)
        return Evidence(label=f"{path}, what would change", text=changes, is_code=True)

    def would_delete(self, path: str) -> Evidence:
        """What `delete` would lose."""
        lines = (was := self.read(path)).splitlines()
        told = f"{len(was.encode()):,} bytes in {len(lines):,} lines would be lost"
        first = "\n".join(lines[:FIRST_LINES]) + ("\n…" if len(lines) > FIRST_LINES else "")
        return Evidence(label=f"{path}: {told}; it begins", text=first, is_code=True)

    def delete(self, path: str) -> str:
        with self._parent(path) as (folder, name):
            _must_be_file(folder, name, path)
            os.unlink(name, dir_fd=folder)
            os.fsync(folder)
        return f"{path} is deleted."

    @contextlib.contextmanager
    def _parent(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """The opened folder that holds the last name of *path*, and that name."""
        *folders, name = _names(path)
        with self._folder(folders, path, make=make) as folder:
            try:
                yield folder, name
            except FileNotFoundError:
                raise ToolProblem(f"There is no file {path}.") from None
            except OSError as error:
                raise ToolProblem(f"{path} cannot be used: {error.strerror}.") from error

    @contextlib.contextmanager
    def _folder(self, names: list[str], path: str, *, make: bool = False) -> Iterator[int]:
        with contextlib.ExitStack() as opened:
            folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
            opened.callback(os.close, folder)
            for name in names:
                folder = _step(folder, name, path, make=make)
                opened.callback(os.close, folder)
            yield folder


def file_tools(folder: WorkFolder) -> tuple[Tool, ...]:
    """What an agent may do in *folder*."""

    @tool(risk=Risk.READ, touches=("files",), category="technical")
    def read_file(path: PathText) -> Shown:
        """Read a text file of the work folder."""
        return Shown(folder.read(path), sources=(f"file {path}",))

    @tool(risk=Risk.READ, touches=("files",), category="technical")
    def list_files(path: PathText = ".") -> Shown:
        """List one folder of the work folder; "." is the work folder itself."""
        return Shown(folder.entries(path), sources=(f"folder {path}",))

    @tool(
        risk=Risk.WRITE,
        touches=("files",),
        idempotent=True,
        category="technical",
        preview=folder.would_write,
    )
    def write_file(path: PathText, content: Annotated[str, Field(max_length=MOST_BYTES)], *, leave: Leave) -> Written:
        """Write a text file of the work folder. What was in it before is lost.

        Args:
            content: the whole new content
        """
        return folder.write(path, content, key=leave.key)

    @tool(risk=Risk.IRREVERSIBLE, touches=("files",), category="technical", preview=folder.would_delete)
    def delete_file(path: PathText) -> str:
        """Delete a file of the work folder for good."""
        return folder.delete(path)

    return read_file, list_files, write_file, delete_file


# ------------------------------------------------------------------- inside


def _names(path: str, *, may_be_root: bool = False) -> list[str]:
    """The names of a relative path. Raises ToolProblem for whatever could lead outside."""
    if path.startswith("/") or "\\" in path or any(not char.isprintable() for char in path):
        raise ToolProblem("The path must be relative to the work folder, with / between plain names.")
    names = [name for name in path.split("/") if name not in ("", ".")]
    if ".." in names:
        raise ToolProblem("The path may not lead out of the work folder.")
    if not names and not may_be_root:
        raise ToolProblem("The path names no file.")
    if any(len(name.encode()) > 255 for name in names):
        raise ToolProblem("A name in the path is too long.")
    return names


def _step(folder: int, name: str, path: str, *, make: bool) -> int:
    """Open the folder *name* inside *folder*. A link is not a folder, wherever it leads."""
    try:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=folder)
                os.fsync(folder)
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        raise NoFolder(f"There is no folder for {path}.") from None
    except OSError:
        raise ToolProblem(f"{path} does not lead through plain folders of the work folder.") from None


def _must_be_file(folder: int, name: str, path: str) -> None:
    if not stat.S_ISREG(os.lstat(name, dir_fd=folder).st_mode):
        raise ToolProblem(f"{path} is not a plain file.")


def _read(folder: int, name: str, path: str) -> bytes:
    with _opened(folder, name, path) as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise ToolProblem(f"{path} is larger than {MOST_BYTES} bytes.")
    return raw


@contextlib.contextmanager
def _opened(folder: int, name: str, path: str) -> Iterator[BinaryIO]:
    _must_be_file(folder, name, path)
    # O_NONBLOCK: a pipe put there a moment later must not hang us.
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ToolProblem(f"{path} is not a plain file.")
        yield file


def _draft(key: str) -> str:
    return f".{hashlib.sha256(key.encode()).hexdigest()[:24]}.draft"


@contextlib.contextmanager
def _drafted(folder: int, name: str, draft: str) -> Iterator[BinaryIO]:
    """Write beside, then rename over: a reader sees the old file or the new one, never half of it."""
    with contextlib.suppress(FileNotFoundError):
        _must_be_file(folder, name, name)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(draft, dir_fd=folder)  # left by a start that crashed
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(handle)
    except BaseException:
        os.unlink(draft, dir_fd=folder)
        raise
    os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


def _entry(folder: int, name: str) -> Entry:
    shown = name.encode("utf-8", "replace").decode()
    try:
        found = os.lstat(name, dir_fd=folder)
    except FileNotFoundError:  # deleted between the two looks
        return Entry(name=shown, kind="other")
    if stat.S_ISREG(found.st_mode):
        return Entry(name=shown, kind="file", bytes=found.st_size)
    return Entry(name=shown, kind="folder" if stat.S_ISDIR(found.st_mode) else "other")
