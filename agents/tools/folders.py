"""A folder that a stranger's program fills: looked through and cleared away, however deep, never through a link.

Every step is relative to a folder that is open already, and about `DEEPEST` of them are open at once at most. Not what
is made of it (box, code).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

DEEPEST: Final = 64  # folders within each other; below that nobody looks, and a script leaves nothing there


@dataclass(frozen=True, slots=True)
class At:
    """One folder: its path, how deep it lies, its opened handle, and the names in it."""

    path: PurePosixPath
    depth: int
    handle: int
    folders: tuple[str, ...]
    files: tuple[str, ...]  # whatever is no folder


def below(folder: Path) -> Iterator[At]:
    """*folder* and every folder in it, down to one step below DEEPEST. What cannot be opened is passed over."""
    with opened_folder(folder) as handle:
        yield from _below(handle, PurePosixPath(), 0)


def sizes(at: At) -> Iterator[int]:
    """Bytes of every file in one folder; a link, a pipe and the like count as none."""
    for name in at.files:
        with contextlib.suppress(FileNotFoundError):
            found = os.lstat(name, dir_fd=at.handle)
            yield found.st_size if stat.S_ISREG(found.st_mode) else 0


def razed(folder: int, name: str) -> None:
    """Delete *name* in the opened *folder* and all in it; what lies deeper is moved up first. Raises OSError."""
    if not stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
        return os.unlink(name, dir_fd=folder)
    todo = [name]
    while todo:
        one = todo.pop()
        os.chmod(one, 0o700, dir_fd=folder)
        with opened_folder(one, folder) as handle:
            folders, files = _names(handle)
            for file in files:
                os.unlink(file, dir_fd=handle)
            for inner in folders:
                os.chmod(inner, 0o700, dir_fd=handle)  # a folder that may not be written in is not moved either
                up = f".gone-{secrets.token_hex(8)}"
                os.rename(inner, up, src_dir_fd=handle, dst_dir_fd=folder)
                todo.append(up)
        os.rmdir(one, dir_fd=folder)
    return None


@contextlib.contextmanager
def opened_folder(name: str | Path, folder: int | None = None) -> Iterator[int]:
    handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    try:
        yield handle
    finally:
        os.close(handle)


# ------------------------------------------------------------------- inside


def _below(handle: int, path: PurePosixPath, depth: int) -> Iterator[At]:
    folders, files = _names(handle)
    yield At(path, depth, handle, folders, files)
    for name in folders if depth <= DEEPEST else ():
        with contextlib.suppress(OSError), _unlocked(name, handle) as inner:  # it may be gone meanwhile
            yield from _below(inner, path / name, depth + 1)


@contextlib.contextmanager
def _unlocked(name: str, folder: int) -> Iterator[int]:
    """Opened as `opened_folder` does, also one that its maker may fill and nobody may list."""
    shut = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    try:
        if os.fstat(shut).st_mode & 0o700 != 0o700:
            os.chmod(f"/proc/self/fd/{shut}", 0o700)  # by its handle: no link can have taken its place
    finally:
        os.close(shut)
    with opened_folder(name, folder) as handle:
        yield handle


def _names(handle: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Folders and everything else."""
    with os.scandir(handle) as found:
        names = [(one.name, one.is_dir(follow_symlinks=False)) for one in found]
    return tuple(name for name, is_folder in names if is_folder), tuple(n for n, is_folder in names if not is_folder)
