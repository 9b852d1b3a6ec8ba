"""Git: reading allowed repositories, committing to a branch of our clone, and pushing what was signed.

read    -> fetch what is new -> log, show, diff, files, one file, blame: bounded, no program of the repository's started
commit  -> files into a new tree -> a commit -> a new branch, in one step; no working tree, so no path leads anywhere
push    -> exactly the commit that was signed -> its branch, never by force -> ask the other side what it has now

Owns the tools. Not the clone, nor which settings make git harmless (gitrepo), nor who may sign.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Annotated, Final

from pydantic import Field

from agents.toolbox import InDoubt, ToolProblem, tool
from agents.tools.gitrepo import BRANCH, HASH, REMOTE, Clone, last_line
from bot.domain.calls import Evidence, Risk
from bot.domain.ports import Leave, Tool
from bot.domain.wire import Record

MOST_FILE = 500_000  # characters of one committed file
PLAIN: Final = ("--no-color", "--no-ext-diff", "--no-textconv", "--submodule=short")
WHO: Final = {"NAME": "Countersign", "EMAIL": "countersign@localhost"}
TRAILER: Final = "Countersign-Call"
UNSAFE: Final = re.compile(r"(^|/)(\.{0,2}|\.git[^/]*|git~\d+)(/|$)", re.IGNORECASE)  # the last as Windows names .git
WITHIN: Final = timedelta(seconds=2 * REMOTE + 30)

Repo = Annotated[str, Field(min_length=1, max_length=64, description="the name of an allowed repository")]
Revision = Annotated[str, Field(max_length=250, description="a branch, a tag, a commit; main~2; HEAD: the main branch")]
Path_ = Annotated[str, Field(max_length=500, description="a path in the repository; empty: all of it")]
Branch = Annotated[str, Field(min_length=1, max_length=200)]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40,64}$", description="the full hash of a commit")]
Files = Annotated[
    Mapping[Annotated[str, Field(min_length=1, max_length=500)], Annotated[str, Field(max_length=MOST_FILE)] | None],
    Field(min_length=1, max_length=100),
]


class Committed(Record):
    repo: str
    branch: str
    commit: str
    parent: str
    stat: str


class Pushed(Record):
    repo: str
    branch: str
    commit: str
    status: str = "pushed"


class Repos:
    """The allowed repositories, by name."""

    def __init__(self, clones: Iterable[Clone]) -> None:
        self._clones = {one.source.name: one for one in clones}

    async def fresh(self, name: str) -> Clone:
        """Raises ToolProblem for a repository that is not on the list, or cannot be fetched."""
        found = self._clones.get(name)
        if found is None:
            raise ToolProblem(f"There is no repository {name[:64]!r}; there are {', '.join(sorted(self._clones))}.")
        await found.fresh()
        return found

    async def newest(self, name: str) -> Clone:
        """As it is at this moment, for what people sign."""
        if found := self._clones.get(name):
            found.stale()
        return await self.fresh(name)


def git_tools(repos: Repos) -> tuple[Tool, ...]:
    """Reading, committing to and pushing from *repos*."""
    return (*_readers(repos), *_file_readers(repos), _committing(repos), _pushing(repos))


def _readers(repos: Repos) -> tuple[Tool, ...]:
    reads = tool(risk=Risk.READ, touches=("repository",), category="technical", timeout=WITHIN)

    @reads
    async def git_log(
        repo: Repo, revision: Revision = "HEAD", path: Path_ = "", most: Annotated[int, Field(ge=1, le=200)] = 20
    ) -> str:
        """List commits, the newest first: hash, day, author, subject.

        Args:
            most: how many at most
        """
        clone = await repos.fresh(repo)
        shown = ("--date=short", "--format=%H %ad %an: %s", f"--max-count={most}", "--no-show-signature")
        return await clone.text("log", *shown, await clone.commit(revision), "--", *_paths(path)) or "No commits."

    @reads
    async def git_show(repo: Repo, revision: Revision) -> str:
        """Show one commit: its message, and what it changed."""
        clone = await repos.fresh(repo)
        return await clone.text(
            "show", *PLAIN, "--format=fuller", "--stat", "--patch", await clone.commit(revision), "--"
        )

    @reads
    async def git_diff(repo: Repo, base: Revision, head: Revision, path: Path_ = "") -> str:
        """Show what *head* changed since it left *base*, as a pull request would."""
        clone = await repos.fresh(repo)
        both = f"{await clone.commit(base)}...{await clone.commit(head)}"
        return await clone.text("diff", *PLAIN, both, "--", *_paths(path)) or "Nothing is different."

    return git_log, git_show, git_diff


def _file_readers(repos: Repos) -> tuple[Tool, ...]:
    reads = tool(risk=Risk.READ, touches=("repository",), category="technical", timeout=WITHIN)

    @reads
    async def git_files(repo: Repo, revision: Revision = "HEAD", path: Path_ = "") -> str:
        """List the files of a revision: mode, kind, bytes and path of each."""
        clone = await repos.fresh(repo)
        commit = await clone.commit(revision)
        return await clone.text("ls-tree", "-r", "--long", "--full-tree", commit, "--", *_paths(path)) or "No files."

    @reads
    async def git_read_file(repo: Repo, path: Path_, revision: Revision = "HEAD") -> str:
        """Read a text file as it stands in a revision."""
        clone = await repos.fresh(repo)
        commit = await clone.commit(revision)
        mode, blob = await _entry(clone, commit, _plain(path))
        if not mode.startswith("100"):
            raise ToolProblem(f"{path} is no file in {revision}.")
        text = await clone.text("cat-file", "blob", blob)
        if "\0" in text:
            raise ToolProblem(f"{path} is not a text.")
        return text

    @reads
    async def git_blame(
        repo: Repo,
        path: Path_,
        revision: Revision = "HEAD",
        first: Annotated[int, Field(ge=1)] = 1,
        last: Annotated[int, Field(ge=1)] = 200,
    ) -> str:
        """Show who changed each line of a file last.

        Args:
            first: the first line
            last: the last line
        """
        clone = await repos.fresh(repo)
        lines = (f"-L{first},{max(first, last)}", "--date=short", "--no-textconv")
        return await clone.text("blame", *lines, await clone.commit(revision), "--", _plain(path))

    return git_files, git_read_file, git_blame


def _committing(repos: Repos) -> Tool:
    async def before_commit(
        repo: Repo, branch: Branch, message: str, files: Files, base: Revision = "HEAD"
    ) -> list[Evidence]:
        del message
        clone = await repos.fresh(repo)
        parent = await clone.commit(base)
        await _must_fit(clone, _branch(branch), parent)
        with tempfile.TemporaryDirectory(prefix="git-") as aside:
            env = {"GIT_OBJECT_DIRECTORY": aside, "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(clone.objects)}
            tree = await _tree(clone, parent, files, env)
            changes = await clone.text("diff", *PLAIN, parent, tree, "--", env=env)
        return [
            Evidence(label="Commits", text=f"one, on {branch}, after {parent[:12]} ({base}); nothing is pushed"),
            Evidence(label="Difference", text=changes or "Nothing is different.", is_code=True),
        ]

    @tool(
        risk=Risk.WRITE, touches=("repository",), idempotent=True, category="technical", timeout=WITHIN,
        preview=before_commit, preview_timeout=timedelta(seconds=60),
    )  # fmt: skip
    async def git_commit(
        repo: Repo,
        branch: Branch,
        message: Annotated[str, Field(min_length=1, max_length=10_000)],
        files: Files,
        base: Revision = "HEAD",
        *,
        leave: Leave,
    ) -> Committed:
        """Commit files on a branch of our own clone. Nobody else sees it before it is pushed.

        Args:
            branch: a new one, or one made here before if it is the base, too
            message: the commit's message
            files: whole new contents by path; null deletes a file
            base: what it comes after
        """
        clone = await repos.fresh(repo)
        mark = f"{TRAILER}: {hashlib.sha256(leave.key.encode()).hexdigest()[:32]}"
        tip = await clone.tip(f"refs/heads/{_branch(branch)}")
        if tip and mark in await clone.text("show", "--no-patch", "--format=%B", tip, "--"):
            return await _committed(clone, branch, tip)  # done by an earlier start of this very call
        parent = await clone.commit(base)
        await _must_fit(clone, branch, parent)
        tree = await _tree(clone, parent, files, {})
        text = f"{_message(message)}\n\nRequested-by: {leave.requester}\n{mark}\n"
        named = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in WHO.items()}
        made = await clone.text("commit-tree", tree, "-p", parent, "-F", "-", env=named, given=text.encode())
        await clone.text("update-ref", f"refs/heads/{branch}", made.strip(), tip)
        return await _committed(clone, branch, made.strip())

    return git_commit


def _pushing(repos: Repos) -> Tool:
    async def before_push(repo: Repo, branch: Branch, commit: Commit) -> list[Evidence]:
        clone = await repos.newest(repo)
        await _must_be_tip(clone, _branch(branch), commit)
        there = await clone.tip(f"refs/remotes/origin/{branch}")
        since = there or await clone.commit("HEAD")
        told = "goes on from what is there" if there else "is new there"
        commits = await clone.text("log", "--format=%h %an: %s", f"{since}..{commit}", "--")
        stat = await clone.text("diff", *PLAIN, "--stat=100", f"{since}...{commit}", "--")
        return [
            Evidence(label="Where to", text=f"{clone.source.where}, branch {branch}, which {told}"),
            Evidence(label="Commits", text=commits or "None: it is all there already.", is_code=True),
            Evidence(label="Changed files", text=stat or "None.", is_code=True),
        ]

    @tool(
        risk=Risk.IRREVERSIBLE, touches=("repository",), idempotent=True, category="technical", timeout=WITHIN,
        preview=before_push, preview_timeout=timedelta(seconds=60),
    )  # fmt: skip
    async def git_push(repo: Repo, branch: Branch, commit: Commit) -> Pushed:
        """Push one commit of a branch to where the repository came from. Never by force.

        Args:
            commit: what is pushed: the branch's newest commit, as git_commit told it
        """
        clone = await repos.fresh(repo)
        await _must_be_tip(clone, _branch(branch), commit)
        options = ("--porcelain", "--no-follow-tags", "--recurse-submodules=no", "--no-signed")
        clone.stale()
        try:
            told = await clone.remote("push", *options, f"{commit}:refs/heads/{branch}")
        except ToolProblem as late:  # stopped in the middle: the other side may still be at it
            if not await _is_there(clone, branch, commit):
                raise InDoubt(f"{late.people_read} Whether {branch} was pushed is not known.") from late
        else:
            if told.code and not await _is_there(clone, branch, commit):
                raise ToolProblem(f"{repo} did not take {branch}: {last_line(told)}")
        return Pushed(repo=repo, branch=branch, commit=commit)

    return git_push


# ------------------------------------------------------------------- inside


def _plain(path: str) -> str:
    """A path of a tree. Git would refuse most of these, too; here it is a sentence."""
    is_odd = path.startswith("/") or "\\" in path or any(not char.isprintable() for char in path)
    if not path or is_odd or UNSAFE.search(path):
        raise ToolProblem("The path must be one inside the repository, with / between plain names, and not in .git.")
    return path


def _paths(path: str) -> tuple[str, ...]:
    return (_plain(path.rstrip("/")),) if path else ()


def _branch(name: str) -> str:
    parts = name.split("/")
    is_odd = any(not part or part.startswith(".") or part.endswith((".", ".lock")) for part in parts)
    if not BRANCH.fullmatch(name) or is_odd or ".." in name or name == "HEAD":
        raise ToolProblem(f"{name[:100]!r} cannot be the name of a branch.")
    return name


def _message(text: str) -> str:
    if f"{TRAILER}:" in text or "\0" in text:
        raise ToolProblem(f"The message may not hold {TRAILER}: that line is ours.")
    return text.strip()


async def _entry(clone: Clone, commit: str, path: str) -> tuple[str, str]:
    """Mode and hash of what stands at *path*. Raises ToolProblem if nothing does."""
    found = await clone.text("ls-tree", "-z", "--full-tree", commit, "--", path)
    if not found:
        raise ToolProblem(f"There is no {path} in {commit[:12]}.")
    mode, _, rest = found.partition(" ")
    return mode, rest.split()[1]


async def _must_fit(clone: Clone, branch: str, parent: str) -> None:
    tip = await clone.tip(f"refs/heads/{branch}")
    if tip and tip != parent:
        raise ToolProblem(f"There is a branch {branch} already; take another name, or it as the base to go on from it.")


async def _must_be_tip(clone: Clone, branch: str, commit: str) -> None:
    tip = await clone.tip(f"refs/heads/{branch}")
    if not HASH.fullmatch(commit) or tip != commit:
        raise ToolProblem(f"The newest commit of {branch} is {tip or 'none'}, not {commit}. Nothing was pushed.")


async def _tree(clone: Clone, parent: str, files: Files, env: Mapping[str, str]) -> str:
    """A tree: *parent*'s with *files* in it. It touches an index of its own and no working files."""
    if torn := [path for path in files if any(other.startswith(f"{path}/") for other in files)]:
        raise ToolProblem(f"{torn[0]} cannot be a file and a folder.")
    with tempfile.TemporaryDirectory(prefix="git-") as aside:
        env = {**env, "GIT_INDEX_FILE": str(Path(aside, "index"))}
        await clone.text("read-tree", parent, env=env)
        lines = [await _line(clone, parent, path, content, env) for path, content in files.items()]
        await clone.text("update-index", "-z", "--index-info", env=env, given="".join(lines).encode())
        return (await clone.text("write-tree", env=env)).strip()


async def _line(clone: Clone, parent: str, path: str, content: str | None, env: Mapping[str, str]) -> str:
    """One line for `update-index --index-info`. A link or a submodule is never written through, nor replaced."""
    for folder in list(PurePosixPath(_plain(path)).parents)[:-1]:
        kind = (await clone.text("ls-tree", "-z", "--full-tree", parent, "--", str(folder))).partition(" ")[0]
        if kind not in ("", "040000"):
            raise ToolProblem(f"{folder} is a file, a link or a submodule, not a folder.")
    there = await clone.text("ls-tree", "-z", "--full-tree", parent, "--", _plain(path))
    mode = there.partition(" ")[0] or "100644"
    if not mode.startswith("100"):
        raise ToolProblem(f"{path} is a folder, a link or a submodule, not a file.")
    if content is None:
        if not there:
            raise ToolProblem(f"There is no {path} to delete.")
        return f"0 {'0' * len(parent)}\t{path}\0"
    blob = await clone.text("hash-object", "-w", "--stdin", env=env, given=content.encode("utf-8", "replace"))
    return f"{mode} {blob.strip()}\t{path}\0"


async def _committed(clone: Clone, branch: str, commit: str) -> Committed:
    parent = await clone.commit(f"{commit}^")
    stat = await clone.text("diff", *PLAIN, "--shortstat", parent, commit, "--")
    return Committed(repo=clone.source.name, branch=branch, commit=commit, parent=parent, stat=stat.strip())


async def _is_there(clone: Clone, branch: str, commit: str) -> bool:
    """Did the other side take it after all? Raises InDoubt when it does not say."""
    try:
        said = await clone.remote("ls-remote", f"refs/heads/{branch}")
    except ToolProblem as error:
        raise InDoubt("The push got no answer. Whether it was taken is not known.") from error
    if said.code:
        raise InDoubt("The push got no answer. Whether it was taken is not known.")
    return said.out.startswith(commit.encode())
