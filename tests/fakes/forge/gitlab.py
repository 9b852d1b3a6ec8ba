"""GitLab's REST interface, as far as we ask it, and stricter than it: docs.gitlab.com/api/rest, version 4."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from tests.fakes.forge.server import PATH, TIP, TOKEN, FakeForge, Refuse, Thing, fields, found

KINDS = ("issues", "merge_requests")


class FakeGitLab(FakeForge):
    def check(self, request: web.Request) -> None:
        """Login, and a project path that is one encoded part."""
        if request.headers.get("PRIVATE-TOKEN") != TOKEN:
            raise Refuse(401, {"message": "401 Unauthorized"})
        if not request.raw_path.startswith("/api/v4/projects/acme%2Fsite/"):
            raise Refuse(404, {"message": "404 Project Not Found"})

    def routes(self) -> Sequence[web.RouteDef]:
        base = "/api/v4/projects/{project}"
        return (
            web.get(base + "/{kind:issues|merge_requests}/{number}", self._thing),
            web.get(base + "/{kind:issues|merge_requests}/{number}/notes", self._notes),
            web.post(base + "/{kind:issues|merge_requests}/{number}/notes", self._note_made),
            web.get(base + "/merge_requests/{number}/diffs", self._diffs),
            web.get(base + "/merge_requests", self._changes),
            web.post(base + "/merge_requests", self._open),
            web.get(base + "/repository/branches/{branch}", self._branch),
            web.get(base + "/repository/compare", self._compare),
        )

    def _found(self, request: web.Request) -> tuple[str, int, Thing]:
        kind = request.match_info["kind"]
        return (kind, *found(self.project.issues if kind == "issues" else self.project.changes, request))

    async def _thing(self, request: web.Request) -> web.Response:
        kind, number, thing = self._found(request)
        return web.json_response(self._shown(kind, number, thing))

    async def _notes(self, request: web.Request) -> web.Response:
        _, _, thing = self._found(request)
        notes = [self._note(at, text) for at, text in enumerate(thing.comments)]
        notes.append(self._note(len(notes), "changed the title") | {"system": True})
        notes += [
            self._note(len(notes) + at, text) | {"position": {"new_path": path, "new_line": line}}
            for at, (path, line, text) in enumerate(thing.line_comments)
        ]
        assert request.query["order_by"] == "created_at"
        return self.paged(request, notes[:: -1 if request.query["sort"] == "desc" else 1])

    async def _note_made(self, request: web.Request) -> web.Response:
        _, _, thing = self._found(request)
        body = await fields(request, ("body",), 400)
        thing.comments.append(body["body"])
        return web.json_response(self._note(len(thing.comments) - 1, body["body"]), status=201)

    async def _diffs(self, request: web.Request) -> web.Response:
        _, thing = found(self.project.changes, request)
        file = {"old_path": "a.txt", "new_path": "a.txt", "diff": thing.diff}
        return self.paged(request, [file])

    async def _changes(self, request: web.Request) -> web.Response:
        assert request.query["state"] == "all"
        fits = [
            (number, one)
            for number, one in self.project.changes.items()
            if one.head == request.query["source_branch"] and one.base == request.query["target_branch"]
        ]
        return self.paged(request, [self._shown("merge_requests", *one) for one in fits])

    async def _open(self, request: web.Request) -> web.Response:
        body = await fields(request, ("source_branch", "target_branch", "title", "description"), 400)
        if any(one.head == body["source_branch"] and one.state == "open" for one in self.project.changes.values()):
            raise Refuse(409, {"message": ["Another open merge request already exists for this source branch: !1"]})
        number = 100 + len(self.project.changes)
        head, base = body["source_branch"], body["target_branch"]
        thing = Thing(title=body["title"], body=body["description"], head=head, base=base)
        self.project.changes[number] = thing
        return web.json_response(self._shown("merge_requests", number, thing), status=201)

    async def _branch(self, request: web.Request) -> web.Response:
        name = request.match_info["branch"]
        if name not in self.project.branches:
            raise Refuse(404, {"message": "404 Branch Not Found"})
        return web.json_response({"name": name, "commit": {"id": self.project.branches[name]}})

    async def _compare(self, request: web.Request) -> web.Response:
        if not {request.query["from"], request.query["to"]} <= set(self.project.branches):
            raise Refuse(404, {"message": "404 Ref Not Found"})
        commit = {"short_id": TIP[:8], "author_name": "Ana", "title": "Fix it"}
        file = {"new_path": "a.txt", "new_file": False, "deleted_file": False, "renamed_file": False}
        return web.json_response({"commits": [commit], "diffs": [file], "compare_timeout": False})

    def _shown(self, kind: str, number: int, thing: Thing) -> dict[str, Any]:
        state = {"open": "opened"}.get(thing.state, thing.state)
        shown = {
            "iid": number, "title": thing.title, "description": thing.body or None, "state": state,
            "author": {"username": "ana"}, "web_url": f"https://gitlab.example/{PATH}/-/{kind}/{number}",
        }  # fmt: skip
        if kind == "issues":
            return shown
        sha = self.project.branches.get(thing.head, TIP)
        return shown | {"source_branch": thing.head, "target_branch": thing.base, "sha": sha}

    def _note(self, at: int, text: str) -> dict[str, Any]:
        return {"id": at + 1, "body": text, "author": {"username": "bo"}, "system": False}
