"""GitLab, theirs or your own: its REST interface, version 4, as a `Forge` (docs.gitlab.com/api/rest)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from agents.toolbox import ToolProblem
from agents.tools.forge import MOST_DIFF, Change, Compared, Issue, Posted, Remark, Wanted
from agents.tools.forge_rest import PAGE, Params, Rest

URL: Final = "https://gitlab.com"
COMMAND: Final = re.compile(r"(?m)^\s*(/[a-zA-Z_]+)(?=\s|$)")  # docs.gitlab.com/user/project/quick_actions


class GitLab:
    """Contract: `forge.Forge`."""

    def __init__(self, token: Callable[[], str], url: str = URL) -> None:
        self._rest = Rest("GitLab", f"{url.rstrip('/')}/api/v4", lambda: {"PRIVATE-TOKEN": token()})

    async def issue(self, project: str, number: int) -> Issue:
        path = _thing(project, number, is_change=False)
        found = (await self._rest.get(path)).json
        notes, is_cut = await self._notes(path)
        return Issue(**_head(found), comments=notes, is_cut=is_cut)

    async def change(self, project: str, number: int) -> Change:
        path = _thing(project, number, is_change=True)
        found = (await self._rest.get(path)).json
        notes, is_cut = await self._notes(path)
        files, has_more = await self._rest.pages(f"{path}/diffs")
        diff = "".join(_diff(one) for one in files)
        return Change(
            **_head(found),
            base=found["target_branch"],
            head=found["source_branch"],
            commit=found["sha"] or "",
            diff=diff[:MOST_DIFF],
            comments=notes,
            is_cut=is_cut or has_more or len(diff) > MOST_DIFF,
        )

    async def compare(self, project: str, base: str, head: str) -> Compared:
        asked = {"from": base, "to": head}
        found = (await self._rest.get(f"{_project(project)}/repository/compare", asked)).json
        return Compared(
            commits=tuple(f"{one['short_id']} {one['author_name']}: {one['title']}" for one in found["commits"]),
            files=tuple(_file(one) for one in found["diffs"]),
            is_cut=bool(found.get("compare_timeout")),
        )

    async def tip(self, project: str, branch: str) -> str:
        found = (await self._rest.get(f"{_project(project)}/repository/branches/{quote(branch, safe='')}")).json
        return str(found["commit"]["id"])

    async def title(self, project: str, number: int, *, is_change: bool) -> str:
        found = (await self._rest.get(_thing(project, number, is_change=is_change))).json
        return f"{project}{'!' if is_change else '#'}{number}: {found['title']} ({found['state']})"

    async def find_comment(self, project: str, number: int, mark: str, *, is_change: bool) -> Posted | None:
        path = _thing(project, number, is_change=is_change)
        for page in (1, 2):
            asked: Params = {"order_by": "created_at", "sort": "desc", "per_page": PAGE, "page": page}
            answer = await self._rest.get(f"{path}/notes", asked)
            if any(mark in one["body"] for one in answer.json):
                note = next(one for one in answer.json if mark in one["body"])
                return Posted(url=await self._url_of(path, note["id"]))
            if not answer.more:
                return None
        return None

    async def post_comment(self, project: str, number: int, body: str, *, is_change: bool) -> Posted:
        _must_be_words(body)
        path = _thing(project, number, is_change=is_change)
        where = await self._url_of(path, 0)  # first: once the note is there, nothing may fail
        made = await self._rest.post(f"{path}/notes", {"body": body})
        return Posted(url=f"{where}{made['id']}")

    async def find_change(self, project: str, wanted: Wanted, mark: str) -> Posted | None:
        asked: Params = {"source_branch": wanted.head, "target_branch": wanted.base, "state": "all", "per_page": PAGE}
        found = (await self._rest.get(f"{_project(project)}/merge_requests", asked)).json
        fits = [one for one in found if mark in (one["description"] or "")]
        return Posted(url=fits[0]["web_url"], number=fits[0]["iid"]) if fits else None

    async def post_change(self, project: str, wanted: Wanted) -> Posted:
        _must_be_words(wanted.body)
        sent = {"source_branch": wanted.head, "target_branch": wanted.base, "title": wanted.title}
        made = await self._rest.post(f"{_project(project)}/merge_requests", {**sent, "description": wanted.body})
        return Posted(url=made["web_url"], number=made["iid"])

    async def _notes(self, path: str) -> tuple[tuple[Remark, ...], bool]:
        """What people wrote, the oldest first; not what GitLab notes by itself."""
        found, is_cut = await self._rest.pages(f"{path}/notes", {"order_by": "created_at", "sort": "asc"})
        return tuple(_remark(one) for one in found if not one["system"]), is_cut

    async def _url_of(self, path: str, note: int) -> str:
        """A note's own address, or what its number is put behind."""
        found = (await self._rest.get(path)).json
        return f"{found['web_url']}#note_{note or ''}"


# ------------------------------------------------------------------- inside


def _must_be_words(text: str) -> None:
    """GitLab takes a line such as "/merge" for a command of whoever owns the token: it is no comment any more."""
    if found := COMMAND.search(text):
        raise ToolProblem(f"GitLab may carry out the line that begins with {found[1]}. Nothing was posted.")


def _project(project: str) -> str:
    return f"/projects/{quote(project, safe='')}"


def _thing(project: str, number: int, *, is_change: bool) -> str:
    return f"{_project(project)}/{'merge_requests' if is_change else 'issues'}/{number}"


def _head(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "number": found["iid"],
        "title": found["title"],
        "state": found["state"],
        "author": found["author"]["username"],
        "body": found["description"] or "",
        "url": found["web_url"],
    }


def _remark(one: Mapping[str, Any]) -> Remark:
    where = one.get("position") or {}
    path, line = where.get("new_path") or "", where.get("new_line") or where.get("old_line") or 0
    return Remark(author=one["author"]["username"], text=one["body"], path=path, line=line)


def _diff(one: Mapping[str, Any]) -> str:
    return f"--- a/{one['old_path']}\n+++ b/{one['new_path']}\n{one['diff']}"


def _file(one: Mapping[str, Any]) -> str:
    kinds = (("A", "new_file"), ("D", "deleted_file"), ("R", "renamed_file"))
    return f"{next((letter for letter, name in kinds if one[name]), 'M')} {one['new_path']}"
