"""GitHub's REST interface, as far as we ask it, and stricter than it: docs.github.com/en/rest, version 2022-11-28."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from tests.fakes.forge.server import PATH, TIP, TOKEN, FakeForge, Refuse, Thing, fields, found

JSON, DIFF = "application/vnd.github+json", "application/vnd.github.diff"


class FakeGitHub(FakeForge):
    def check(self, request: web.Request) -> None:
        """Login, version, who asks, and what for."""
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refuse(401, {"message": "Bad credentials"})
        if request.headers.get("X-GitHub-Api-Version") != "2022-11-28":
            raise Refuse(400, {"message": "no such version"})
        if "Python" in request.headers.get("User-Agent", "Python"):
            raise Refuse(403, {"message": "Request forbidden by administrative rules"})
        if request.headers.get("Accept") not in (JSON, DIFF):
            raise Refuse(415, {"message": "Unsupported 'Accept' header"})

    def routes(self) -> Sequence[web.RouteDef]:
        base = f"/repos/{PATH}"
        return (
            web.get(base + "/issues/{number}", self._issue),
            web.get(base + "/issues/{number}/comments", self._comments),
            web.post(base + "/issues/{number}/comments", self._comment),
            web.get(base + "/pulls", self._pulls),
            web.post(base + "/pulls", self._open),
            web.get(base + "/pulls/{number}", self._pull),
            web.get(base + "/pulls/{number}/comments", self._line_comments),
            web.get(base + "/branches/{branch}", self._branch),
            web.get(base + "/compare/{both:.+}", self._compare),
        )

    async def _issue(self, request: web.Request) -> web.Response:
        number, thing = found(self.project.issues | self.project.changes, request)
        return web.json_response(self._head(number, thing))

    async def _comments(self, request: web.Request) -> web.Response:
        number, thing = found(self.project.issues | self.project.changes, request)
        return self.paged(request, [self._note(number, at, text) for at, text in enumerate(thing.comments)])

    async def _comment(self, request: web.Request) -> web.Response:
        number, thing = found(self.project.issues | self.project.changes, request)
        body = await fields(request, ("body",), 422)
        thing.comments.append(body["body"])
        return web.json_response(self._note(number, len(thing.comments) - 1, body["body"]), status=201)

    async def _pull(self, request: web.Request) -> web.Response:
        number, thing = found(self.project.changes, request)
        if request.headers["Accept"] == DIFF:
            return web.Response(text=thing.diff)
        return web.json_response(self._change(number, thing))

    async def _pulls(self, request: web.Request) -> web.Response:
        owner, _, head = request.query["head"].partition(":")
        assert (owner, request.query["state"]) == ("acme", "all")
        fits = [
            (number, one)
            for number, one in self.project.changes.items()
            if one.head == head and one.base == request.query["base"]
        ]
        return self.paged(request, [self._change(*one) for one in fits])

    async def _open(self, request: web.Request) -> web.Response:
        body = await fields(request, ("title", "body", "head", "base"), 422)
        if body["head"] not in self.project.branches or body["base"] not in self.project.branches:
            raise Refuse(422, {"message": "Validation Failed", "errors": [{"field": "head", "code": "invalid"}]})
        if any(one.head == body["head"] and one.state == "open" for one in self.project.changes.values()):
            told = f"A pull request already exists for acme:{body['head']}."
            raise Refuse(422, {"message": "Validation Failed", "errors": [{"code": "custom", "message": told}]})
        number = 100 + len(self.project.changes)
        self.project.changes[number] = thing = Thing(**body)
        return web.json_response(self._change(number, thing), status=201)

    async def _line_comments(self, request: web.Request) -> web.Response:
        number, thing = found(self.project.changes, request)
        notes = [
            self._note(number, at, text) | {"path": path, "line": line}
            for at, (path, line, text) in enumerate(thing.line_comments)
        ]
        return self.paged(request, notes)

    async def _branch(self, request: web.Request) -> web.Response:
        name = request.match_info["branch"]
        if name not in self.project.branches:
            raise Refuse(404, {"message": "Branch not found"})
        return web.json_response({"name": name, "commit": {"sha": self.project.branches[name]}})

    async def _compare(self, request: web.Request) -> web.Response:
        base, dots, head = request.match_info["both"].partition("...")
        if not dots or not {base, head} <= set(self.project.branches):
            raise Refuse(404, {"message": "Not Found"})
        commit = {"sha": TIP, "commit": {"author": {"name": "Ana"}, "message": "Fix it\n\nwith care"}}
        file = {"filename": "a.txt", "status": "modified", "additions": 2, "deletions": 1}
        return web.json_response({"commits": [commit], "files": [file], "total_commits": 1})

    def _head(self, number: int, thing: Thing) -> dict[str, Any]:
        return {
            "number": number, "title": thing.title, "body": thing.body or None, "state": thing.state,
            "user": {"login": "ana"}, "html_url": f"https://github.example/{PATH}/issues/{number}",
        }  # fmt: skip

    def _change(self, number: int, thing: Thing) -> dict[str, Any]:
        head = {"ref": thing.head, "sha": self.project.branches.get(thing.head, TIP)}
        return self._head(number, thing) | {"head": head, "base": {"ref": thing.base}, "merged_at": None}

    def _note(self, number: int, at: int, text: str) -> dict[str, Any]:
        url = f"https://github.example/{PATH}/issues/{number}#issuecomment-{at + 1}"
        return {"id": at + 1, "body": text, "user": {"login": "bo"} if at else None, "html_url": url}
