"""What is reviewed: a block of code in the task, what a branch changed, or the sample.

    "review ```…```"  ·  "review def add(a, b): return a+b"  ·  "review <repo> <branch>"  ·  "review the sample"

Whole files as they stand now, so that a finding can name lines. Git is only read here, through its tools.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.domain.calls import Outcome
from bot.domain.ports import RunContext, WantedCall
from bot.domain.wire import dumps
from bot.domain.words import addressed

SNIPPET = "snippet.py"  # what code without a name is called
FILES_MOST = 20  # changed files of a branch
LISTED_MOST = 100_000  # characters of all that is reviewed: more is read by no model with care
CUT = "\n… cut"  # how a tool ends what it did not give whole
HOW = "Send me code to review: “review”, and the code; “review <repository> <branch>”; or “review the sample”."
UNREAD = "I could not read that. {why} Repositories are named in COUNTERSIGN_REPOS."

COMMAND = re.compile(r"\s*review\b:?\s*", re.IGNORECASE)
FENCE = re.compile(r"```[ \t]*(?:[\w+-]*\n)?(.*?)```", re.DOTALL)
BRANCH = re.compile(r"(?P<repo>[\w.-]{1,64})\s+(?P<branch>[\w./-]{1,150})")
CHANGED = re.compile(r"^\+\+\+ b/([^\t\n]+)", re.MULTILINE)
SAMPLE = """\
def add(a, b): return a+b


def average(numbers):
    return add(sum(numbers), 0) / len(numbers)


def read_total(path):
    return float(open(path).read())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """*files* as they stand now, by name. Of a branch, *commit* is exactly what was read, and *diff* what is new."""

    files: Mapping[str, str]
    diff: str = ""
    repo: str = ""
    branch: str = ""
    commit: str = ""
    lines: Mapping[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", {name: text.split("\n") for name, text in self.files.items()})

    def size(self, file: str) -> int:
        """How many lines *file* has."""
        lines = self.lines[file]
        return len(lines) - (lines[-1] == "")

    def part(self, file: str, first: int, last: int) -> str:
        return "\n".join(line.removesuffix("\r") for line in self.lines[file][first - 1 : last])

    @property
    def listing(self) -> str:
        """Every line under its number, as a reviewer reads it."""
        listed = [
            "\n".join([f"File {name}", *(f"{at:4}| {self.part(name, at, at)}" for at in range(1, self.size(name) + 1))])
            for name in self.files
        ]
        return "\n\n".join([*([f"What is new:\n{self.diff}"] if self.diff else []), *listed])


async def read(task: str, ctx: RunContext) -> Source | str:
    """What *task* wants reviewed; or a sentence for whoever gave it, if there is nothing to review."""
    wanted = COMMAND.sub("", addressed(task), count=1).strip()
    if wanted.casefold().rstrip(".!") in ("sample", "the sample"):
        return Source(files={SNIPPET: SAMPLE})
    found: Source | str
    if named := BRANCH.fullmatch(wanted):
        found = await _branch(named["repo"], named["branch"], ctx)
    else:
        fenced = FENCE.search(wanted)
        code = (fenced[1] if fenced else wanted.strip("`")).strip("\n")
        found = Source(files={SNIPPET: f"{code}\n"}) if code.strip() else HOW
    if isinstance(found, Source) and len(found.listing) > LISTED_MOST:
        return f"That is too much for one review: at most {LISTED_MOST:,} characters. Review a smaller part of it."
    return found


async def _branch(repo: str, branch: str, ctx: RunContext) -> Source | str:
    """What *branch* changed since it left the main branch."""
    try:
        commit = (await _git(ctx, "git_log", repo=repo, revision=branch, most=1)).split()[0]
        diff = await _git(ctx, "git_diff", repo=repo, base="HEAD", head=commit)
        names = list(dict.fromkeys(CHANGED.findall(diff)))
        if not names:
            return f"{branch} of {repo} changes no text file: there is nothing to review."
        if len(names) > FILES_MOST:
            return f"{branch} of {repo} changes {len(names)} files; one review takes at most {FILES_MOST}."
        files = {name: await _git(ctx, "git_read_file", repo=repo, path=name, revision=commit) for name in names}
    except _Unread as error:
        return UNREAD.format(why=error)
    return Source(files=files, diff=diff, repo=repo, branch=branch, commit=commit)


class _Unread(Exception):
    """Why git said nothing that could be reviewed."""


async def _git(ctx: RunContext, tool: str, **args: object) -> str:
    (result,) = await ctx.use((WantedCall(id=tool, tool=tool, args=dumps(args).decode()),))
    if result.outcome is not Outcome.OK:
        raise _Unread(result.text)
    if CUT in result.text[-60:]:
        raise _Unread(f"What {args.get('path') or 'it changes'} holds is too long to be read whole.")
    return result.text
