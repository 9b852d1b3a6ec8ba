"""GitHub, and GitHub Enterprise: its REST interface as a `Forge` (docs.github.com/en/rest, version 2022-11-28)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from agents.tools.forge import MOST_DIFF, Change, Compared, Issue, Posted, Remark, Wanted
from agents.tools.forge_rest import PAGE, Params, Rest

URL: Final = "https://api.github.com"
VERSION: Final = "2022-11-28"
KINDS: Mapping[str, str] = {"added": "A", "removed": "D", "renamed": "R", "copied": "C"}


class GitHub:
    """Contract: `forge.Forge`."""

    def __init__(self, token: Callable[[], str], url: str = URL) -> None:
        self._rest = Rest("GitHub", url, lambda: _headers(token()))

    async def issue(self, project: str, number: int) -> Issue:
        found = (await self._rest.get(f"/repos/{project}/issues/{number}")).json
        comments, is_cut = await self._rest.pages(f"/repos/{project}/issues/{number}/comments")
        return Issue(**_head(found), comments=tuple(_remark(one) for one in comments), is_cut=is_cut)

    async def change(self, project: str, number: int) -> Change:
        path = f"/repos/{project}/pulls/{number}"
        found = (await self._rest.get(path)).json
        diff = (await self._rest.get(path, accept="application/vnd.github.diff")).text
        said, is_cut = await self._rest.pages(f"/repos/{project}/issues/{number}/comments")
        lines, has_more = await self._rest.pages(f"{path}/comments")
        return Change(
            **_head(found),
            base=found["base"]["ref"],
            head=found["head"]["ref"],
            commit=found["head"]["sha"],
            diff=diff[:MOST_DIFF],
            comments=tuple(_remark(one) for one in (*said, *lines)),
            is_cut=is_cut or has_more or len(diff) > MOST_DIFF,
        )

    async def compare(self, project: str, base: str, head: str) -> Compared:
        path = f"/repos/{project}/compare/{quote(base, safe='')}...{quote(head, safe='')}"
        answer = await self._rest.get(path, {"per_page": PAGE})
        found = answer.json
        return Compared(
            commits=tuple(_commit(one) for one in found["commits"]),
            files=tuple(_file(one) for one in found["files"]),
            is_cut=answer.more,
        )

    async def tip(self, project: str, branch: str) -> str:
        found = (await self._rest.get(f"/repos/{project}/branches/{quote(branch, safe='')}")).json
        return str(found["commit"]["sha"])

    async def title(self, project: str, number: int, *, is_change: bool) -> str:
        kind = "pulls" if is_change else "issues"
        found = (await self._rest.get(f"/repos/{project}/{kind}/{number}")).json
        return f"{project}#{number}: {found['title']} ({found['state']})"

    async def find_comment(self, project: str, number: int, mark: str, *, is_change: bool) -> Posted | None:
        """Comments come in the order they were made: the newest are on the last pages."""
        del is_change  # to GitHub, a pull request is an issue
        path = f"/repos/{project}/issues/{number}/comments"
        first = await self._rest.get(path, {"per_page": PAGE, "page": 1})
        pages = range(max(1, first.last - 1), first.last + 1)
        found = [one for at in pages for one in (await self._page(path, at) if at > 1 else first.json)]
        return _marked(found, mark)

    async def post_comment(self, project: str, number: int, body: str, *, is_change: bool) -> Posted:
        del is_change
        made = await self._rest.post(f"/repos/{project}/issues/{number}/comments", {"body": body})
        return Posted(url=made["html_url"])

    async def find_change(self, project: str, wanted: Wanted, mark: str) -> Posted | None:
        owner = project.partition("/")[0]
        asked: Params = {"head": f"{owner}:{wanted.head}", "base": wanted.base, "state": "all", "per_page": PAGE}
        return _marked((await self._rest.get(f"/repos/{project}/pulls", asked)).json, mark)

    async def post_change(self, project: str, wanted: Wanted) -> Posted:
        sent = {"title": wanted.title, "body": wanted.body, "head": wanted.head, "base": wanted.base}
        made = await self._rest.post(f"/repos/{project}/pulls", sent)
        return Posted(url=made["html_url"], number=made["number"])

    async def _page(self, path: str, number: int) -> list[Any]:
        return list((await self._rest.get(path, {"per_page": PAGE, "page": number})).json)


# ------------------------------------------------------------------- inside


def _headers(token: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": VERSION,
    }


def _head(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "number": found["number"],
        "title": found["title"],
        "state": "merged" if found.get("merged_at") else found["state"],
        "author": _login(found),
        "body": found["body"] or "",
        "url": found["html_url"],
    }


def _login(found: Mapping[str, Any]) -> str:
    return str((found.get("user") or {}).get("login", "ghost"))  # GitHub's own name for a deleted account


def _remark(one: Mapping[str, Any]) -> Remark:
    path, line = one.get("path") or "", one.get("line") or one.get("original_line") or 0
    return Remark(author=_login(one), text=one["body"] or "", path=path, line=line)


def _commit(one: Mapping[str, Any]) -> str:
    found = one["commit"]
    return f"{one['sha'][:10]} {found['author']['name']}: {found['message'].partition(chr(10))[0]}"


def _file(one: Mapping[str, Any]) -> str:
    return f"{KINDS.get(one['status'], 'M')} {one['filename']} +{one['additions']} -{one['deletions']}"


def _marked(found: list[Any], mark: str) -> Posted | None:
    return next(
        (Posted(url=one["html_url"], number=one.get("number", 0)) for one in found if mark in (one["body"] or "")), None
    )
