"""A bare clone of one allowed repository, and the git program that works on it.

first use -> init, fetch -> again when the last fetch is a minute old -> a revision as people write it -> a full hash

The clone is ours: no working tree, no hooks, no settings but those below, so that nothing a repository holds is ever
started. What we send to is one address, and a login goes to its own site alone. Which tools there are is in `git`.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from agents.toolbox import ToolProblem
from agents.tools.process import Bounds, Ended, Program, run

FRESH = 60.0  # seconds a fetch is good for
KEPT = 60_000  # bytes of an answer
LOCAL = 20.0  # seconds for work on the clone
REMOTE = 120.0  # seconds for a fetch or a push
NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
BRANCH: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}")
REVISION: Final = re.compile(r"(?P<name>[A-Za-z0-9_][A-Za-z0-9._/+-]{0,199})(?P<steps>(~\d{0,4}|\^\d?){0,5})")
HASH: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
SCHEMES: Final = ("https", "ssh")
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")  # the only hosts spoken to without TLS

NO_FILES: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # the tree without files, the same in every repository

# Nothing that starts another program, asks a person, or goes anywhere by itself.
SETTINGS: Final = (
    *("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.pager=cat", "core.askPass=", "credential.helper="),
    *("protocol.allow=never", "protocol.https.allow=always", "protocol.ssh.allow=always", "protocol.file.allow=always"),
    *("http.followRedirects=false", "core.sshCommand=ssh -oBatchMode=yes -oConnectTimeout=10", "gc.auto=0"),
    *("maintenance.auto=false", "submodule.recurse=false", "fetch.writeCommitGraph=false", "core.quotePath=false"),
    *("core.symlinks=false", "core.attributesFile=/dev/null", "log.showSignature=false"),
    f"attr.tree={NO_FILES}",  # git 2.43 reads attributes of a clone without files from its HEAD: one could hide a diff
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who we are at one site. `token` is asked for when it is needed, and handed over in no command line."""

    site: str  # "https://github.com/"
    user: str
    token: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An allowed repository: the name agents use, and where it is."""

    name: str
    where: str

    @classmethod
    def read(cls, text: str) -> Source:
        """From `name=where`. Raises ValueError with half a sentence."""
        name, _, where = text.partition("=")
        if not NAME.fullmatch(name) or not where:
            raise ValueError(f"{name!r} must be written as name=where, the name in small letters")
        if where.startswith("/"):
            return cls(name=name, where=where)
        url = urlsplit(where)
        is_known = url.scheme in SCHEMES or (url.scheme == "http" and url.hostname in LOOPBACK)
        if not is_known or not url.hostname or url.hostname.startswith("-"):
            raise ValueError(f"{name} must be at https://…, ssh://… or an absolute path")
        if url.password is not None or (url.username is not None and url.scheme != "ssh"):
            raise ValueError(f"{name} must not hold a user or password")
        return cls(name=name, where=where)


class Clone:
    """One repository. Every method raises ToolProblem with a sentence."""

    def __init__(self, source: Source, folder: Path, logins: Sequence[Login] = ()) -> None:
        self.source = source
        self._folder = folder.resolve() / f"{source.name}.git"
        self._logins = [one for one in logins if source.where.startswith(one.site)]
        self._lock = asyncio.Lock()
        self._fetched = -FRESH

    @property
    def objects(self) -> Path:
        return self._folder / "objects"

    async def fresh(self) -> None:
        """Make the clone if there is none, and fetch what is new."""
        async with self._lock:
            if not await asyncio.to_thread(self._folder.exists):
                await self._made()
            if asyncio.get_running_loop().time() - self._fetched >= FRESH:
                await self._fetch()
                self._fetched = asyncio.get_running_loop().time()

    def stale(self) -> None:
        """What is there has changed: look again next time."""
        self._fetched = -FRESH

    async def git(self, *words: str, env: Mapping[str, str] | None = None, given: bytes = b"") -> Ended:
        """On the clone alone. Raises for a deadline, but not for what git says no to."""
        return await self._run(words, env=env or {}, given=given, seconds=LOCAL)

    async def text(self, *words: str, env: Mapping[str, str] | None = None, given: bytes = b"") -> str:
        """What git prints, marked where it was cut. Raises when git says no."""
        ended = await self.git(*words, env=env, given=given)
        if ended.code:
            raise ToolProblem(f"git {words[0]} did not work: {last_line(ended)}")
        return ended.out.decode("utf-8", "replace") + ("\n… cut\n" if ended.is_cut else "")

    async def remote(self, verb: str, *words: str) -> Ended:
        """A command that speaks to where it came from; *words* follow the address."""
        options = [word for word in words if word.startswith("--")]
        rest = [word for word in words if not word.startswith("--")]
        return await self._run((verb, *options, "--", self.source.where, *rest), env=self._login(), seconds=REMOTE)

    async def commit(self, revision: str) -> str:
        """The full hash of the commit that *revision* names: a branch of ours, then one of theirs, a tag, a hash."""
        found = REVISION.fullmatch(revision)
        if found is None or ".." in revision or "@{" in revision:
            raise ToolProblem(f"{revision[:100]!r} does not name a revision.")
        name, steps = found["name"], found["steps"]
        refs = ["refs/remotes/origin/HEAD"] if name == "HEAD" else [
            f"refs/heads/{name}", f"refs/remotes/origin/{name}", f"refs/tags/{name}",
        ]  # fmt: skip
        hashes = [name] if re.fullmatch(r"[0-9a-f]{4,64}", name) else []
        for one in (*refs, *hashes):
            if told := await self._parsed(f"{one}{steps}^{{commit}}"):
                return told
        raise ToolProblem(f"{self.source.name} has no revision {revision[:100]}.")

    async def tip(self, ref: str) -> str:
        """The commit a full ref points to; empty if there is no such ref."""
        return await self._parsed(f"{ref}^{{commit}}")

    async def _parsed(self, expression: str) -> str:
        ended = await self.git("rev-parse", "--verify", "--quiet", "--end-of-options", expression)
        return ended.out.decode().strip() if ended.code == 0 else ""

    async def _made(self) -> None:
        """Aside first: a clone is there whole or not at all."""
        await asyncio.to_thread(self._folder.parent.mkdir, parents=True, exist_ok=True)
        aside = await asyncio.to_thread(tempfile.mkdtemp, prefix=".new-", dir=self._folder.parent)
        try:
            await _must(
                await _git(("init", "--quiet", "--bare", "--template=", "--", aside), {}, seconds=LOCAL), "init"
            )
            await asyncio.to_thread(os.rename, aside, self._folder)
        except OSError:  # another process was first
            await asyncio.to_thread(shutil.rmtree, aside, ignore_errors=True)

    async def _fetch(self) -> None:
        heads, tags = "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"
        options = ("--quiet", "--prune", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
        told = await self.remote("fetch", *options, heads, tags)
        await _must(told, f"{self.source.name} cannot be fetched")
        said = await self.remote("ls-remote", "--symref", "HEAD")
        await _must(said, f"{self.source.name} cannot be read")
        head = re.match(rb"ref: refs/heads/(\S+)\tHEAD", said.out)
        if head and BRANCH.fullmatch(branch := head[1].decode("utf-8", "replace")):
            await self.text("symbolic-ref", "refs/remotes/origin/HEAD", f"refs/remotes/origin/{branch}")

    async def _run(self, words: Sequence[str], *, env: Mapping[str, str], given: bytes = b"", seconds: float) -> Ended:
        return await _git(("--git-dir", str(self._folder), *words), env, given=given, seconds=seconds)

    def _login(self) -> dict[str, str]:
        """Settings for one command, which only its own process can read. Git sends each to its own site alone."""
        found = {"GIT_CONFIG_COUNT": str(len(self._logins))} if self._logins else {}
        for at, one in enumerate(self._logins):
            word = base64.b64encode(f"{one.user}:{one.token()}".encode()).decode()
            found[f"GIT_CONFIG_KEY_{at}"] = f"http.{one.site}.extraHeader"
            found[f"GIT_CONFIG_VALUE_{at}"] = f"Authorization: Basic {word}"
        return found


def last_line(ended: Ended) -> str:
    """What git said last, as one short line."""
    lines = ended.err.decode("utf-8", "replace").split("\n")
    told = " ".join(next((line for line in reversed(lines) if line.strip()), "it did not say why").split())
    return f"{ended.stopped or told}"[:300].rstrip(".") + "."


# ------------------------------------------------------------------- inside


async def _git(words: Sequence[str], env: Mapping[str, str], *, given: bytes = b"", seconds: float) -> Ended:
    settings = [part for setting in SETTINGS for part in ("-c", setting)]
    plain = ("-c", "protocol.http.allow=always") if _is_loopback(words) else ()
    command = ("git", "--no-pager", "--literal-pathspecs", *settings, *plain, *words)
    ended = await run(
        Program(command=command, env=_environment() | dict(env), given=given, folder=Path("/")),
        Bounds(seconds=seconds, kept=KEPT, flood=200_000_000),
    )
    if ended.stopped:
        raise ToolProblem(f"git was stopped: {ended.stopped}.")
    return ended


def _is_loopback(words: Sequence[str]) -> bool:
    urls = [urlsplit(word) for word in words if word.startswith("http://")]
    return bool(urls) and all(url.hostname in LOOPBACK for url in urls)


def _environment() -> dict[str, str]:
    """Ours is not handed on, but for what ssh needs."""
    kept = {name: os.environ[name] for name in ("HOME", "SSH_AUTH_SOCK") if name in os.environ}
    return kept | {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
    }


async def _must(ended: Ended, what: str) -> None:
    if ended.code:
        raise ToolProblem(f"{what}: {last_line(ended)}")
