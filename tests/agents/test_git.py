"""Git: real repositories. Reading starts nothing, what is committed was shown, what is pushed was signed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from agents.toolbox import FunctionTool
from agents.tools.git import Repos, git_tools
from agents.tools.gitrepo import Clone, Login, Source
from bot.domain.calls import Outcome, Risk
from tests.agents.given import Caller, run
from tests.fakes.loopback import answering

CANARY = "canary-token-7c1"


class Site(Caller):
    """A repository people work in, bare as on a server, and a bot's tools beside it."""

    repo = "site"

    def __init__(self, folder: Path) -> None:
        self.folder, self.there = folder, folder / "there.git"
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.there))
        self.tools = self.bot("clones")

    def bot(self, name: str) -> dict[str, FunctionTool]:
        """A bot with clones of its own: another process, or the same one later."""
        clone = Clone(Source(name="site", where=str(self.there)), self.folder / name)
        tools = [one for one in git_tools(Repos([clone])) if isinstance(one, FunctionTool)]
        return {one.spec.name: one for one in tools}

    def git(self, *words: str, given: str = "") -> str:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1"} | {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Ana"), ("EMAIL", "ana@example.org"), ("DATE", "2026-01-02T03:04:05Z"))
        }
        done = subprocess.run(["git", *words], input=given, env=env, capture_output=True, text=True, check=True)
        return done.stdout

    def commits(self, message: str, files: dict[str, str | None], branch: str = "main", links: bool = False) -> str:
        """Somebody's commit, straight on the server."""
        work = self.folder / "ana"
        if not work.exists():
            self.git("clone", "--quiet", str(self.there), str(work))
        has = self.git("--git-dir", str(self.there), "branch", "--list", branch)
        self.git("-C", str(work), "fetch", "--quiet")
        self.git("-C", str(work), "checkout", "--quiet", "-B", branch, *([f"origin/{branch}"] if has else []))
        for path, content in files.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                (work / path).unlink()
            elif links:
                (work / path).symlink_to(content)
            else:
                (work / path).write_text(content)
        self.git("-C", str(work), "add", "--all")
        self.git("-C", str(work), "commit", "--quiet", "-m", message)
        self.git("-C", str(work), "push", "--quiet", "origin", branch)
        return self.git("-C", str(work), "rev-parse", "HEAD").strip()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.commits("First\n\nwith a body", {"a.txt": "one\ntwo\n", "sub/b.txt": "b\n"})
    site.commits("Second", {"a.txt": "one\nTWO\n"})
    return site


def test_risks_are_declared(site: Site) -> None:
    """AS-02, AU-22: a push leaves the house; a commit stays in our clone."""
    risks = {name: tool.spec.risk for name, tool in site.tools.items()}

    assert (risks.pop("git_push"), risks.pop("git_commit")) == (Risk.IRREVERSIBLE, Risk.WRITE)
    assert set(risks.values()) == {Risk.READ}
    assert all(tool.spec.is_idempotent for name, tool in site.tools.items() if name in ("git_commit", "git_push"))


# ------------------------------------------------------------------ reading


async def test_a_repository_is_read(site: Site) -> None:
    """Log, commit, difference, list, file and blame, each at the revision that is asked for."""
    site.commits("On a branch", {"c.txt": "c\n"}, branch="feature/x")
    log = await site.told("git_log")
    first = await site.told("git_show", revision="main~1")

    assert [line.partition("Ana: ")[2] for line in log.splitlines()] == ["Second", "First"]
    assert "with a body" in first
    assert "+two" in first
    assert "-two\n+TWO" in await site.told("git_diff", base="main~1", head="HEAD")
    assert await site.told("git_diff", base="main~1", head="HEAD", path="sub") == "Nothing is different."
    assert "+++ b/c.txt" in await site.told("git_diff", base="main", head="feature/x")
    assert [line.split("\t")[1] for line in (await site.told("git_files")).splitlines()] == ["a.txt", "sub/b.txt"]
    assert await site.told("git_read_file", path="a.txt", revision="HEAD^") == "one\ntwo\n"
    assert [line.split()[1] for line in (await site.told("git_blame", path="a.txt", first=2)).splitlines()] == ["(Ana"]
    assert len((await site.told("git_log", most=1)).splitlines()) == 1


async def test_what_is_new_on_the_other_side_is_seen_after_a_minute(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fetch is good for `FRESH`; with none at all, every reading fetches."""
    await site.told("git_log")
    site.commits("Third", {"a.txt": "3"})

    assert "Third" not in await site.told("git_log")
    monkeypatch.setattr("agents.tools.gitrepo.FRESH", 0.0)
    assert "Third" in await site.told("git_log")


@pytest.mark.parametrize(
    ("tool", "args", "told"),
    [
        ("git_log", {"repo": "other"}, "There is no repository 'other'; there are site."),
        ("git_log", {"revision": "--output=/tmp/x"}, "does not name a revision."),
        ("git_log", {"revision": "nowhere"}, "site has no revision nowhere."),
        ("git_show", {"revision": "main..HEAD"}, "does not name a revision."),
        ("git_show", {"revision": "main@{1}"}, "does not name a revision."),
        ("git_show", {"revision": "main:a.txt"}, "does not name a revision."),
        ("git_show", {"revision": "main^{/x}"}, "does not name a revision."),
        ("git_log", {"path": ":(top)a.txt"}, ""),
        ("git_read_file", {"path": "none.txt"}, "There is no none.txt in "),
        ("git_read_file", {"path": "sub"}, "sub is no file in HEAD."),
        ("git_read_file", {"path": "../../key"}, "The path must be one inside the repository"),
        ("git_read_file", {"path": "/etc/passwd"}, "The path must be one inside the repository"),
        ("git_blame", {"path": "a.txt", "first": 9}, "git blame did not work: fatal: file a.txt has only 2 lines."),
    ],
)
async def test_what_cannot_be_read_is_told_in_a_sentence(
    site: Site, tool: str, args: dict[str, Any], told: str
) -> None:
    """No option, range, magic path or way out gets through as a revision or a path."""
    if not told:  # a literal path: it simply has no commits
        assert await site.told(tool, **args) == "No commits."
        return
    assert told in await site.refused(tool, **args)


async def test_nothing_a_repository_holds_is_started(site: Site) -> None:
    """T07: a commit may bring drivers, filters and links; the server's own settings are not read by the clone."""
    marks = {name: site.folder / name for name in ("textconv", "external", "filter", "hook", "monitor")}
    programs = {name: f"sh -c 'touch {path}'" for name, path in marks.items()}
    site.git("--git-dir", str(site.there), "config", "diff.evil.textconv", programs["textconv"])
    site.git("--git-dir", str(site.there), "config", "diff.external", programs["external"])
    site.git("--git-dir", str(site.there), "config", "core.fsmonitor", programs["monitor"])
    site.git("--git-dir", str(site.there), "config", "filter.evil.clean", programs["filter"])
    site.commits("evil", {".gitattributes": "* diff=evil filter=evil\n", "a.txt": "x\n"})
    await site.told("git_log")
    clone = site.folder / "clones" / "site.git"
    for name in ("textconv", "external", "filter"):  # even if they stood in the clone's own settings
        key = {"textconv": "diff.evil.textconv", "external": "diff.external", "filter": "filter.evil.clean"}[name]
        site.git("--git-dir", str(clone), "config", key, programs[name])
    (clone / "info").mkdir(exist_ok=True)
    (clone / "info" / "attributes").write_text("* diff=evil filter=evil\n")  # newer gits read those of the tree
    (clone / "hooks").mkdir(exist_ok=True)
    for hook in ("reference-transaction", "pre-push", "post-commit", "post-update"):
        (clone / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {marks['hook']}\n")
        (clone / "hooks" / hook).chmod(0o755)

    for tool, args in (
        ("git_show", {"revision": "HEAD"}),
        ("git_diff", {"base": "HEAD~1", "head": "HEAD"}),
        ("git_blame", {"path": "a.txt"}),
        ("git_read_file", {"path": "a.txt"}),
        ("git_commit", {"branch": "b", "message": "m", "files": {"a.txt": "y\n"}}),
    ):
        await site.told(tool, **args)
    commit = (await site.told("git_log", revision="b", most=1)).split()[0]
    await site.told("git_push", branch="b", commit=commit)

    assert [name for name, path in marks.items() if path.exists()] == []


async def test_a_long_answer_is_cut_and_says_so(site: Site) -> None:
    """Half a file is never taken for a whole one."""
    site.commits("big", {"big.txt": "line\n" * 100_000})

    assert (await site.told("git_read_file", path="big.txt")).endswith("\n… cut\n")


async def test_a_repository_that_is_gone_is_told(site: Site) -> None:
    """And it is not taken for an empty one."""
    site.there.rename(site.folder / "moved.git")

    assert (await site.refused("git_log")).startswith("site cannot be fetched: ")


# ---------------------------------------------------------------- committing


CHANGE = {"a.txt": "one\nTWO\nthree\n", "new/é.txt": "n\n", "sub/b.txt": None}


async def test_people_see_the_difference_and_then_exactly_that_is_committed(site: Site) -> None:
    """AU-15: the preview changes nothing; the commit holds what it showed, and nobody else sees it yet."""
    args = {"branch": "fix/1", "message": "Add three", "files": CHANGE}

    where, change = await site.before("git_commit", **args)
    unchanged = await site.refused("git_log", revision="fix/1")
    done = json.loads(await site.told("git_commit", **args))

    assert (change.is_code, "+three" in change.text, "+++ b/new/é.txt" in change.text) == (True, True, True)
    assert "deleted file mode 100644" in change.text
    assert "on fix/1, after" in where.text
    assert "no revision fix/1" in unchanged
    assert await site.told("git_diff", base="main", head="fix/1") == change.text
    assert (done["branch"], "3 files changed" in done["stat"]) == ("fix/1", True)
    assert "Requested-by: ana" in await site.told("git_show", revision=done["commit"])
    assert site.git("--git-dir", str(site.there), "branch", "--list") == "* main\n"


async def test_a_commit_that_is_started_twice_is_made_once(site: Site) -> None:
    """D-50: killed after the branch was there, and started again with the same key."""
    args = {"branch": "fix/1", "message": "Add three", "files": CHANGE}

    first = await site.told("git_commit", **args)
    again = await site.told("git_commit", **args)
    other = await site.refused("git_commit", **args, key="key-2")

    assert again == first
    assert other == "There is a branch fix/1 already; take another name, or it as the base to go on from it."


async def test_a_branch_goes_on_when_it_is_the_base(site: Site) -> None:
    """Two commits, one after the other; a deleted file stays deleted."""
    one = json.loads(await site.told("git_commit", branch="fix/1", message="1", files={"sub/b.txt": None}))
    two = json.loads(
        await site.told("git_commit", branch="fix/1", base="fix/1", message="2", files={"c.txt": "c"}, key="key-2")
    )

    assert two["parent"] == one["commit"]
    assert [line.split("\t")[1] for line in (await site.told("git_files", revision="fix/1")).splitlines()] == [
        "a.txt",
        "c.txt",
    ]


ESCAPES = ["../x", "a/../../x", "/etc/x", ".git/hooks/post-commit", "sub/.GIT/config", "git~1/x", "a\\b", "a\nb",
           "a//b", "./a", "link/x", "link", "a.txt/x", "sub"]  # fmt: skip


@pytest.mark.parametrize("path", ESCAPES)
async def test_no_path_of_a_commit_leads_anywhere(site: Site, path: str) -> None:
    """T07: no way out, nothing in .git, nothing through or over a link, no file that is a folder."""
    site.commits("a link", {"link": "/etc"}, links=True)

    shown = await site.before("git_commit", branch="b", message="m", files={path: "x"})
    told = await site.refused("git_commit", branch="b", message="m", files={path: "x"})

    assert "path" in told or "not a file" in told or "not a folder" in told
    assert [one.is_failed for one in shown] == [True]
    assert "no revision b" in await site.refused("git_log", revision="b")


@pytest.mark.parametrize(
    "name", ["-x", "HEAD", "a..b", "a.lock", "a/.b", "a//b", "a b", "a~1", "refs:x", "a@{1}", "a/"]
)
async def test_only_plain_names_are_branches(site: Site, name: str) -> None:
    """No option and no ref syntax gets through as a branch."""
    assert "cannot be the name of a branch" in await site.refused(
        "git_commit", branch=name, message="m", files={"a.txt": "x"}
    )
    assert "cannot be the name of a branch" in await site.refused("git_push", branch=name, commit="0" * 40)


async def test_a_message_may_not_forge_our_line(site: Site) -> None:
    """Else a commit could pass for another call's."""
    told = await site.refused("git_commit", branch="b", message="m\n\nCountersign-Call: x", files={"a.txt": "x"})

    assert told == "The message may not hold Countersign-Call: that line is ours."


# ------------------------------------------------------------------ pushing


async def test_people_see_what_would_be_pushed_and_that_is_pushed(site: Site) -> None:
    """AU-22, D-33: commits and files on the card; then the branch is there, and main is as it was."""
    commit = json.loads(await site.told("git_commit", branch="fix/1", message="Add three", files=CHANGE))["commit"]

    where, commits, stat = await site.before("git_push", branch="fix/1", commit=commit)
    pushed = await site.told("git_push", branch="fix/1", commit=commit)
    again = await site.told("git_push", branch="fix/1", commit=commit)

    assert where.text == f"{site.there}, branch fix/1, which is new there"
    assert [line.partition(" ")[2] for line in commits.text.splitlines()] == ["Countersign: Add three"]
    assert "3 files changed" in stat.text
    assert again == pushed
    assert site.git("--git-dir", str(site.there), "rev-parse", "fix/1").strip() == commit
    assert site.git("--git-dir", str(site.there), "log", "-1", "--format=%s", "main").strip() == "Second"


async def test_a_commit_made_after_the_signature_is_not_pushed(site: Site) -> None:
    """D-25: what was signed is one commit, not whatever the branch holds by then."""
    commit = json.loads(await site.told("git_commit", branch="b", message="1", files={"x": "1"}))["commit"]
    await site.told("git_commit", branch="b", base="b", message="2", files={"x": "2"}, key="key-2")

    told = await site.refused("git_push", branch="b", commit=commit)

    assert told.startswith("The newest commit of b is ")
    assert site.git("--git-dir", str(site.there), "branch", "--list", "b") == ""


async def test_others_commits_are_never_overwritten(site: Site) -> None:
    """No force: somebody pushed to the branch meanwhile, and theirs stays."""
    commit = json.loads(await site.told("git_commit", branch="b", message="1", files={"x": "1"}))["commit"]
    theirs = site.commits("theirs", {"y": "1"}, branch="b")

    told = await site.refused("git_push", branch="b", commit=commit)

    assert told.startswith("site did not take b: ")
    assert site.git("--git-dir", str(site.there), "rev-parse", "b").strip() == theirs


async def test_a_push_whose_answer_was_lost_is_found_to_be_done(site: Site) -> None:
    """D-50: the other side took it and then failed to say so; we ask again instead of guessing."""
    commit = json.loads(await site.told("git_commit", branch="b", message="1", files={"x": "1"}))["commit"]
    hook = site.there / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nkill -9 $PPID\n")  # git-receive-pack, after it has updated the branch
    hook.chmod(0o755)

    assert json.loads(await site.told("git_push", branch="b", commit=commit))["commit"] == commit


# ------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("site", "must be written as name=where"),
        ("Site=/x", "must be written as name=where"),
        ("a=relative/path", "must be at https"),
        ("a=ext::sh -c id", "must be at https"),
        ("a=file:///etc", "must be at https"),
        ("a=http://example.com/x.git", "must be at https"),
        ("a=-oProxyCommand=x", "must be at https"),
        ("a=ssh://-oProxyCommand=x/y", "must be at https"),
        ("a=https://user:pw@example.com/x", "must not hold a user or password"),
        ("a=https://token@example.com/x", "must not hold a user or password"),
    ],
)
def test_only_plain_addresses_are_repositories(text: str, told: str) -> None:
    """Nothing that git would start a program for, nothing with a password in it."""
    with pytest.raises(ValueError, match=told):
        Source.read(text)


@pytest.fixture
async def web_site() -> AsyncIterator[tuple[str, list[str | None]]]:
    """A server that notes who asks, and knows no repository."""
    asked: list[str | None] = []

    async def hit(request: web.Request) -> web.Response:
        asked.append(request.headers.get("Authorization"))
        return web.Response(status=404)

    async with answering(hit) as url:
        yield f"{url}/", asked


async def test_a_login_goes_to_its_own_site_and_into_no_command(
    web_site: tuple[str, list[str | None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token is asked for when git starts; no list of processes shows it, and no other site gets it."""
    url, asked = web_site
    commands: list[tuple[str, ...]] = []
    given: list[str] = []  # the environment of each command
    start = __import__("asyncio").create_subprocess_exec

    async def watched(*words: str, **more: Any) -> Any:
        commands.append(words)
        given.append(str(more["env"]))
        return await start(*words, **more)

    monkeypatch.setattr("asyncio.create_subprocess_exec", watched)

    def bot(name: str, site: str) -> FunctionTool:
        login = Login(site=site, user="x-access-token", token=lambda: CANARY)
        clone = Clone(Source.read(f"{name}={url}x.git"), tmp_path / "clones", [login])
        return next(one for one in git_tools(Repos([clone])) if isinstance(one, FunctionTool))

    ours = await run(bot("ours", url), {"repo": "ours"})
    given.clear()
    other = await run(bot("other", "https://github.com/"), {"repo": "other"})

    assert asked[0] is not None
    assert asked[0].startswith("Basic ")
    assert asked[-1] is None
    assert CANARY not in ours.text + other.text + str(commands) + str(given)
    assert "extraHeader" not in str(given)
    assert (ours.outcome, ours.text.startswith("ours cannot be fetched: ")) == (Outcome.ERROR, True)
