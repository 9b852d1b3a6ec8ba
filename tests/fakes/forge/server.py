"""What both imitations share: a project's things, a server on loopback, pages, and trouble on demand.

async with FakeGitHub() as forge:
    forge.project.issues[3] = Thing(title="It hangs")
    forge.trouble = Lose()      # the next POST is done, and its answer never arrives
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.fakes.loopback import served

TOKEN = "canary-forge-token-51d"
PATH = "acme/site"
TIP = "a" * 40


@dataclass(kw_only=True)
class Thing:
    """An issue or a pull request."""

    title: str
    body: str = ""
    state: str = "open"
    head: str = ""
    base: str = ""
    diff: str = ""
    comments: list[str] = field(default_factory=list)
    line_comments: list[tuple[str, int, str]] = field(default_factory=list)  # path, line, text


@dataclass
class Project:
    issues: dict[int, Thing] = field(default_factory=dict)
    changes: dict[int, Thing] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=lambda: {"main": "b" * 40, "fix/1": TIP})


@dataclass(frozen=True)
class Say:
    """Answer the next request with this instead."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = ""  # of the next request with this method


@dataclass(frozen=True)
class Lose:
    """Do what the next POST asks, and break the line before the answer. *again*: also break all that follow."""

    again: bool = False


class Refuse(Exception):
    """Becomes an answer with this status and body."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class FakeForge:
    """A server. Every request is checked before it is served; what was asked stands in `asked`."""

    def __init__(self) -> None:
        self.project, self.trouble = Project(), None
        self.asked: list[str] = []
        self.is_dead = False
        self.url, self._stack = "", AsyncExitStack()

    trouble: Say | Lose | None

    def check(self, request: web.Request) -> None:
        """Raise Refuse for a request the real one would not take."""
        raise NotImplementedError

    def routes(self) -> Sequence[web.RouteDef]:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._served])
        app.add_routes(self.routes())
        self.url = await self._stack.enter_async_context(served(app))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @web.middleware
    async def _served(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.raw_path}")
        trouble = self.trouble
        if isinstance(trouble, Say) and trouble.method in ("", request.method):
            self.trouble = None
            return web.json_response({"message": "trouble"}, status=trouble.status, headers=trouble.headers)
        try:
            self.check(request)
            answer: web.StreamResponse = await handler(request)
        except Refuse as refused:
            return web.json_response(refused.body, status=refused.status)
        except web.HTTPNotFound:
            return web.json_response({"message": "Not Found"}, status=404)
        if isinstance(trouble, Lose) and request.method == "POST":
            self.trouble, self.is_dead, is_lost = None, trouble.again, True
        else:
            is_lost = self.is_dead
        if is_lost:
            assert request.transport is not None
            request.transport.abort()
        return answer

    def paged(self, request: web.Request, entries: Sequence[object], *, most: int = 100) -> web.Response:
        """One page with the links both forges give. A page above *most* is a mistake here; the real ones clamp it."""
        size, page = int(request.query.get("per_page", "20")), int(request.query.get("page", "1"))
        if not 1 <= size <= most or page < 1:
            raise Refuse(400, {"message": f"per_page={size}, page={page}"})
        last = max(1, -(-len(entries) // size))
        places = {"first": 1, "last": last} | ({"next": page + 1} if page < last else {})
        links = ", ".join(f'<{request.url.update_query(page=at)}>; rel="{rel}"' for rel, at in places.items())
        return web.json_response(entries[(page - 1) * size : page * size], headers={"Link": links})


async def fields(request: web.Request, needed: Sequence[str], status: int) -> dict[str, Any]:
    """A JSON object with exactly these fields, all of them strings that say something."""
    if request.content_type != "application/json":
        raise Refuse(415, {"message": "Unsupported Media Type"})
    body = await request.json()
    if wrong := sorted({name for name in needed if not body.get(name)} | (set(body) - set(needed))):
        raise Refuse(status, {"message": "Validation Failed", "errors": [{"message": f"{wrong[0]} is wrong"}]})
    return dict(body)


def found(things: Mapping[int, Thing], request: web.Request, name: str = "number") -> tuple[int, Thing]:
    number = int(request.match_info[name])
    if number not in things:
        raise Refuse(404, {"message": "Not Found"})
    return number, things[number]
