"""A box for code nobody has read yet: one folder it may write in, no network, limits, and nothing left afterwards.

first use -> try bubblewrap -> else the kernel's own namespaces -> else refuse, in a sentence
a job     -> a passing /tmp and the script beside it -> the box's command line -> run it, watch it -> clear up

What is inside: the folder as /work, a passing /tmp, the programs under /usr, a Python with its standard library, a
/proc of its own and a few devices. Not inside: our files, our environment, other processes, privileges. A box holds
programs, not holes in the kernel: who runs strangers' code wants a machine of its own for it.

Owns what a program may see and use. Not how it is started and ended (process), nor who signs for it (the gate).
"""

from __future__ import annotations

import asyncio
import enum
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from agents.toolbox import ToolProblem
from agents.tools.folders import DEEPEST, below, opened_folder, razed, sizes
from agents.tools.process import Bounds, Ended, Program, nameless, run, tree

Language = Literal["python", "sh"]

# Not /usr as a whole: /usr/src and /usr/local often hold programs with their settings beside them.
SEEN: Final = (
    *("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/share", "/usr/local/bin"),
    *("/usr/local/lib", "/usr/local/lib64", "/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime"),
)
SEEN_ONLINE: Final = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs", "/etc/pki/tls/certs")
ROOTS: Final = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")  # links into /usr today, folders on older systems
DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
# Settings of the whole kernel, which a bot that runs as root could otherwise write from inside (core_pattern!).
KERNEL: Final = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/proc/mtrr")
START: Final = Path(__file__).with_name("boxed.py")  # what runs first inside
PATH: Final = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


class Kind(enum.StrEnum):
    BUBBLEWRAP = "bubblewrap"
    NAMESPACES = "namespaces"  # what bubblewrap does, by util-linux
    NONE = "none"  # limits alone, and only where the setting says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of one job. Memory, file size and processor time hold for each process; their sums are looked at every 0.1 s."""

    seconds: float = 30.0
    processor: int = 20  # seconds
    memory: int = 512 * 1024 * 1024  # bytes
    file: int = 20_000_000  # bytes of one file
    files: int = 10_000  # files and folders there may be
    folder: int = 200_000_000  # bytes of all files, those from before included
    processes: int = 64
    output: int = 30_000  # bytes of each stream that are kept

    @property
    def told(self) -> str:
        sizes = f"{self.memory // 1024**2} MB of memory, {self.file // 10**6} MB a file"
        return f"{self.seconds:g} s, {self.processor} s of processor time, {sizes}, {self.processes} processes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """What somebody set: the folder, the limits, and what is given up."""

    folder: Path
    limits: Limits = Limits()
    has_network: bool = False
    may_be_none: bool = False  # where no box can be made: run without one


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where things are for one job: outside names, which are the inside ones, too, for all that is only seen."""

    work: Path
    passing: Path  # holds script/, tmp/, shm/ and root/
    seen: tuple[str, ...]
    links: tuple[tuple[str, str], ...]  # where, to what
    has_network: bool


class Boxes:
    """Makes a box for each job. The first use finds out which kind this host can make; that is remembered."""

    def __init__(self, box: Box, kinds: Sequence[Kind] = (Kind.BUBBLEWRAP, Kind.NAMESPACES)) -> None:
        self.box = box
        self._kinds = (*kinds, Kind.NONE) if box.may_be_none else tuple(kinds)
        self._kind: Kind | None = None

    async def kind(self) -> Kind:
        """Raises ToolProblem when this host can make none; then it is tried again next time."""
        if self._kind is None:
            self._kind = await self._first()
        return self._kind

    async def told(self) -> str:
        """For people: what it would run in. Raises as `kind` does."""
        kind, box = await self.kind(), self.box
        lines = [BOXES[kind].told, "network: yes" if box.has_network or kind is Kind.NONE else "network: none"]
        return "\n".join([*lines, f"folder: {box.folder}", f"limits: {box.limits.told}"])

    async def run(self, language: Language, script: str) -> Ended:
        """Raises ToolProblem when no box can be made: then nothing was run."""
        return await self._run(await self.kind(), language, script)

    async def _first(self) -> Kind:
        for kind in self._kinds:
            if await self._is_fine(kind):
                return kind
        told = "bubblewrap is not installed, or may not be used, and the kernel lets us make no namespaces"
        raise ToolProblem(f"Nothing was run: this host can make no box for code ({told}). `apt install bubblewrap`.")

    async def _is_fine(self, kind: Kind) -> bool:
        """Does such a box start, both languages in it, and is its network another than ours?"""
        if kind is Kind.NONE:
            return True
        try:
            probe = await self._run(kind, "sh", "readlink /proc/self/ns/net; true")
            snake = await self._run(kind, "python", "print(6 * 7)")
        except ToolProblem:  # no such program
            return False
        ours = os.readlink("/proc/self/ns/net").encode()
        is_apart = probe.out.startswith(b"net:") and (self.box.has_network or probe.out.strip() != ours)
        return probe.code == 0 and is_apart and snake.out == b"42\n"

    async def _run(self, kind: Kind, language: Language, script: str) -> Ended:
        limits = self.box.limits
        async with _passing(script) as passing:
            layout = _layout(self.box, passing)
            inside = BOXES[kind].inside(layout)
            is_box = "no" if kind is Kind.NONE else "yes"
            start = (*_python(), f"{inside.script}/start.py", is_box, language, inside.work, f"{inside.script}/script")
            command = _limited(limits, start)
            program = Program(
                command=(*BOXES[kind].command(layout), *command),
                env=_environment(inside),
                folder=layout.work,
                is_box=kind is not Kind.NONE,
            )
            bounds = Bounds(seconds=limits.seconds, kept=limits.output)
            folders = (layout.work, layout.passing)
            free = min(map(_free, folders))
            return await run(program, bounds, lambda pid: _over(limits, pid, folders, free))


# ----------------------------------------------------------- how a box is made


@dataclass(frozen=True, slots=True)
class _Inside:
    """How the program in the box names things."""

    work: str
    script: str
    tmp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    told: str
    command: Callable[[Layout], Iterator[str]]
    inside: Callable[[Layout], _Inside]


def _bubblewrap(layout: Layout) -> Iterator[str]:
    yield from ("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL")
    if layout.has_network:
        yield "--share-net"
    for path in layout.seen:
        yield from ("--ro-bind", path, path)
    for where, to in layout.links:
        yield from ("--symlink", to, where)
    yield from ("--proc", "/proc")
    for path in KERNEL:
        yield from ("--ro-bind-try", path, path)
    yield from ("--dev", "/dev", "--bind", f"{layout.passing}/shm", "/dev/shm", "--remount-ro", "/dev")
    yield from ("--ro-bind", f"{layout.passing}/script", "/script", "--bind", f"{layout.passing}/tmp", "/tmp")
    yield from ("--bind", str(layout.work), "/work", "--remount-ro", "/", "--chdir", "/work", "--")


_BY_HAND = """set -eu
root=$1; passing=$2; work=$3; shift 3
mount -t tmpfs -o mode=0755,size=1m,nosuid,nodev box "$root"
cd "$root"
mkdir -p proc dev tmp work script old
seen() { if [ -d "$1" ]; then mkdir -p ".$1"; else mkdir -p ".${1%/*}"; : > ".$1"; fi; mount --rbind "$1" ".$1"; }
while [ "$1" != -- ]; do
  case "$1" in
    device) seen "$2" ;;
    link) mkdir -p ".${2%/*}"; ln -s "$3" ".$2"; shift ;;
    *) seen "$2"; mount -o remount,bind,ro,nosuid,nodev ".$2" ;;
  esac
  shift 2
done
shift
mount -t proc -o nosuid,nodev,noexec proc proc
for kernel in KERNEL; do
  if [ -e ".$kernel" ]; then
    mount --bind ".$kernel" ".$kernel"; mount -o remount,bind,ro,nosuid,nodev,noexec ".$kernel"
  fi
done
mkdir dev/shm
for place in shm:dev/shm tmp:tmp; do mount --bind "$passing/${place%:*}" "${place##*:}"; done
mount --bind "$passing/script" script
mount -o remount,bind,ro,nosuid,nodev script
mount --bind "$work" work
pivot_root . old
cd /
umount -l /old
rmdir /old
mount -o remount,bind,ro /
cd /work
set +e
"$@"
exit $?
""".replace("KERNEL", " ".join(KERNEL))


def _namespaces(layout: Layout) -> Iterator[str]:
    """The same by hand. The shell stays the first process: it waits, and takes all others with it when it ends."""
    yield from ("setpriv", "--pdeathsig", "KILL", "unshare", "--user", "--map-root-user", "--mount", "--pid", "--ipc")
    yield from ("--uts", "--cgroup", "--fork", "--kill-child")
    if not layout.has_network:
        yield "--net"
    yield from ("sh", "-c", _BY_HAND, "box", f"{layout.passing}/root", str(layout.passing), str(layout.work))
    for device in DEVICES:
        yield from ("device", device)
    for path in layout.seen:
        yield from ("seen", path)
    for where, to in layout.links:
        yield from ("link", where, to)
    yield "--"
    yield from ("setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--")


def _none(layout: Layout) -> Iterator[str]:  # noqa: ARG001  # a row of the table below
    yield from ()


def _in_box(layout: Layout) -> _Inside:  # noqa: ARG001  # a row of the table below
    return _Inside("/work", "/script", "/tmp")


def _outside(layout: Layout) -> _Inside:
    return _Inside(str(layout.work), f"{layout.passing}/script", f"{layout.passing}/tmp")


BOXES: Mapping[Kind, _Made] = {
    Kind.BUBBLEWRAP: _Made(told="in a box made by bubblewrap", command=_bubblewrap, inside=_in_box),
    Kind.NAMESPACES: _Made(told="in a box made of the kernel's namespaces", command=_namespaces, inside=_in_box),
    Kind.NONE: _Made(
        told="WITHOUT A BOX: it can read what this bot can read, use the network, and outlive its time",
        command=_none,
        inside=_outside,
    ),
}


# ------------------------------------------------------------------- inside


def _python() -> tuple[str, ...]:
    """The Python we were made from, without our own packages."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return (str(Path(sys.base_prefix, "bin", name)), "-I", "-B", "-X", "utf8")


def _limited(limits: Limits, command: Sequence[str]) -> tuple[str, ...]:
    """Set inside the box: there the number of processes counts its own alone."""
    return (
        *("prlimit", f"--cpu={limits.processor}:{limits.processor + 1}", f"--as={limits.memory}", "--core=0"),
        *(f"--fsize={limits.file}", f"--nproc={limits.processes}", "--nofile=256", "--", *command),
    )


def _environment(inside: _Inside) -> dict[str, str]:
    """All of it. Nothing of ours is in it."""
    return {"PATH": PATH, "HOME": inside.tmp, "TMPDIR": inside.tmp, "LANG": "C.UTF-8"}


def _layout(box: Box, passing: Path) -> Layout:
    work = box.folder.resolve()
    wanted = [*SEEN, *(SEEN_ONLINE if box.has_network else ())]
    links = tuple((root, os.readlink(root)) for root in ROOTS if os.path.islink(root))
    wanted += [root for root in ROOTS if os.path.isdir(root) and not os.path.islink(root)]
    prefix = os.path.realpath(sys.base_prefix)
    if not any(Path(prefix).is_relative_to(one) for one in ("/usr", *wanted)):
        wanted.append(_without_ours(prefix, work))
    seen = tuple(one for one in wanted if os.path.exists(one))
    return Layout(work=work, passing=passing, seen=seen, links=links, has_network=box.has_network)


def _without_ours(prefix: str, work: Path) -> str:
    """Python's own folder, which may not be one that holds us and our settings, too."""
    for ours in (work, Path.cwd()):
        if ours.is_relative_to(prefix):
            raise ToolProblem(f"Nothing was run: a box would show {prefix}, where Python is, and {ours} is in there.")
    return prefix


@asynccontextmanager
async def _passing(script: str) -> AsyncIterator[Path]:
    """A folder for the time of one job."""
    passing = await asyncio.to_thread(_made_for, script)
    try:
        yield passing
    finally:
        await asyncio.to_thread(_cleared, passing)


def _made_for(script: str) -> Path:
    passing = Path(tempfile.mkdtemp(prefix="box-")).resolve()
    for folder in ("script", "tmp", "shm", "root"):
        (passing / folder).mkdir()
    (passing / "script" / "script").write_text(script, encoding="utf-8", errors="replace")
    shutil.copyfile(START, passing / "script" / "start.py")
    return passing


def _cleared(passing: Path) -> None:
    """What it locked behind itself, we clear away all the same. What cannot be cleared stays; nobody waits for it."""
    with suppress(OSError):
        with opened_folder(passing) as folder:
            for name in os.listdir(folder):
                razed(folder, name)
        passing.rmdir()


def _over(limits: Limits, pid: int, folders: Sequence[Path], free: int) -> str:
    """Which limit of the whole is passed, if one is. *free* is what there was of the disk when it began."""
    used = tree(pid)
    if len(used) > limits.processes + 2:  # the box's own
        return f"it had more than {limits.processes} processes"
    if sum(one.memory for one in used) > limits.memory * 1.1:
        return f"it used more than {limits.memory // 1024**2} MB of memory"
    number, size = 0, nameless(one.pid for one in used)
    for at in (at for folder in folders for at in below(folder)):
        if at.depth > DEEPEST:
            return f"its folders were more than {DEEPEST} deep"
        number += len(at.folders)
        for one in sizes(at):
            number, size = number + 1, size + one
        if number > limits.files:
            return f"there were more than {limits.files:,} files"
    if size > limits.folder:
        return f"its files were more than {limits.folder // 10**6} MB"
    # A file without a name can be hidden from every process that we see. Others may write meanwhile: hence four times.
    is_filling = min(map(_free, folders)) < free - 4 * limits.folder
    return "the disk was filling up" if is_filling else ""


def _free(folder: Path) -> int:
    """Bytes that may still be written there."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
