"""Why a tool is not there, in one sentence: a slip, a setting that nobody made, or a tool that nobody named.

Owns which setting offers which tool. Not the tools themselves (rules).
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

REPOS = "COUNTERSIGN_REPOS"
FORGES = "COUNTERSIGN_GITHUB_TOKEN or COUNTERSIGN_GITLAB_TOKEN"
SETTING: Mapping[str, str] = {  # what offers a tool that is not always there
    "lookup": "COUNTERSIGN_KNOWLEDGE",
    "sql_query": "COUNTERSIGN_SQL_URL",
    "sql_execute": "COUNTERSIGN_SQL_URL",
    "run_code": "COUNTERSIGN_CODE",
    "restart_service": "COUNTERSIGN_SERVICES with restart:",
    "set_config": "COUNTERSIGN_SERVICES with config:",
    **dict.fromkeys(("git_log", "git_show", "git_diff", "git_files", "git_read_file", "git_blame"), REPOS),
    **dict.fromkeys(("git_commit", "git_push"), REPOS),
    **dict.fromkeys(("read_issue", "read_pull_request", "post_comment", "open_pull_request"), FORGES),
}
NAMED_MOST = 40  # names that a sentence lists


def no_tool(name: str, there: Collection[str]) -> str:
    """The sentence about a tool that is not among those that are *there*."""
    if name in SETTING:
        return f"there is no tool {name!r} until {SETTING[name]} is set"
    if near := difflib.get_close_matches(name, [*there, *SETTING], n=1, cutoff=0.75):
        return f"there is no tool {name!r}; did you mean {near[0]}?"
    if not name.isidentifier():
        return f"there is no tool {name!r}; there are {some(there)}"
    own = f"one of your own is named in COUNTERSIGN_TOOLS, such as my_tools:{name}"
    return f"there is no tool {name!r}; {own}; there are {some(there)}"


def some(names: Collection[str]) -> str:
    """The first of *names* by the alphabet, and how many more there are."""
    first = sorted(names)[:NAMED_MOST]
    rest = len(names) - len(first)
    return (", ".join(first) or "none") + (f" and {rest} others" if rest else "")
