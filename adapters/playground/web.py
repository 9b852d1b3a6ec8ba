"""The playground's web server: a page, and a small JSON API under /api that the page and tests use.

Reading (`?as=` names who looks):
    GET  /api/people              who can be looked as
    GET  /api/start?as=           people, channels, the newest messages and `last`, the number of the newest change
    GET  /api/events?as=&since=   server-sent events: every message that changed after `since`, as it changes
    GET  /api/inbox?as=           open requests that wait for this person, also those put off, with live buttons
    GET  /api/grants?as=          what runs without being asked about because this person said so
    GET  /api/runs?as=            the latest runs            GET /api/runs/{run}?as=    one run's timeline
    GET  /api/trail?as=&run=      the audit trail
    GET  /api/files/{message}/{n}?as=  and  /api/inbox/{request}/files/{n}?as=   an attachment, as plain text
Acting (JSON, same origin, header `X-Playground: 1`): see `acts`.

Errors are `{"text": …}` with a 4xx, or 503 when nothing was recorded. Bound to 127.0.0.1 and nothing else.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from adapters.pictures import picture_kind
from adapters.playground import acts, picture
from adapters.playground.delivery import rung
from adapters.playground.guard import add_headers, answer, guard, refusal
from adapters.playground.rooms import BOT
from adapters.playground.site import Site
from bot.domain.chat import Attachment
from bot.domain.errors import BadSettings
from bot.domain.request import RunId
from bot.domain.wire import MAX_BYTES, Json, dumps

STATIC = Path(__file__).parent / "static"
NEWEST = 1000  # messages a page starts with
HEARTBEAT = 15.0  # seconds; without a byte now and then, a dead page is never noticed


@asynccontextmanager
async def serving(site: Site, port: int) -> AsyncIterator[int]:
    """Serve until the context ends; gives the port. Raises BadSettings when another program holds it."""
    runner = web.AppRunner(_app(site), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except OSError as error:
            raise BadSettings([f"PORT: {port} on 127.0.0.1 cannot be used ({error.strerror}); set another"]) from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _app(site: Site) -> web.Application:
    app = web.Application(middlewares=[guard], client_max_size=MAX_BYTES)
    app.on_response_prepare.append(add_headers)

    async def close_streams(_: web.Application) -> None:
        site.is_closing = True
        site.bell.ring()

    app.on_shutdown.append(close_streams)
    pages, deeds = Pages(site), acts.Acts(site)
    app.router.add_get("/", pages.index)
    app.router.add_get("/favicon.ico", pages.icon)
    app.router.add_static("/static", STATIC)
    app.router.add_get("/api/people", pages.people)
    app.router.add_get("/api/start", pages.start)
    app.router.add_get("/api/events", pages.events)
    app.router.add_get("/api/inbox", pages.inbox)
    app.router.add_get("/api/inbox/{request}/files/{number:\\d{1,4}}", pages.inbox_file)
    app.router.add_get("/api/grants", pages.grants)
    app.router.add_get("/api/runs", pages.runs)
    app.router.add_get("/api/runs/{run}", pages.run)
    app.router.add_get("/api/trail", pages.trail)
    app.router.add_get("/api/files/{message}/{number:\\d{1,4}}", pages.file)
    app.router.add_post("/api/messages", deeds.say)
    app.router.add_post("/api/messages/{message}/delete", deeds.delete)
    app.router.add_post("/api/clicks", deeds.click)
    app.router.add_post("/api/revoke", deeds.revoke)
    app.router.add_post("/api/later", deeds.later)
    return app


class Pages:
    """Everything that only looks."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def index(self, _: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / "index.html")

    async def icon(self, _: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / "icon.svg")

    async def people(self, _: web.Request) -> web.StreamResponse:
        return answer(self._people())

    async def start(self, request: web.Request) -> web.StreamResponse:
        """Everything a page needs at once. `last` is read first: a message may come twice, never not at all."""
        rooms, user = self._site.rooms, _viewer(request, self._site)
        last = await self._site.book.latest()
        entries = await self._site.book.newest(user, NEWEST)
        return answer(
            {
                "bot": BOT,
                "me": user,
                "people": self._people(),
                "channels": list(rooms.channels),
                "direct": f"dm-{user}",
                "examples": [{"line": line, "shows": shows} for line, shows in self._site.examples.items()],
                "last": last,
                "messages": [picture.draw_entry(entry, rooms, user) for entry in entries],
            }
        )

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Live updates. The browser comes back by itself with the number of the last change it saw."""
        user = _viewer(request, self._site)
        last = _number(request.headers.get("Last-Event-ID") or request.query.get("since", "0"))
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        with self._site.bell.listen() as ear, contextlib.suppress(ConnectionResetError):  # somebody closed the page
            await stream.prepare(request)
            if last > await self._site.book.latest():  # the file was made anew: what the page shows is gone
                await stream.write(b"event: reset\ndata: 0\n\n")
            while not self._site.is_closing:
                news = await self._site.book.since(last, user)
                for entry in news:
                    drawn = dumps(picture.draw_entry(entry, self._site.rooms, user))
                    await stream.write(b"id: %d\ndata: %s\n\n" % (entry.changed, drawn))
                last = news[-1].changed if news else last
                if not await rung(ear, within=HEARTBEAT):
                    await stream.write(b": still here\n\n")
        return stream

    def _people(self) -> list[Json]:
        return [picture.draw_person(user, person) for user, person in self._site.rooms.people.items()]

    async def inbox(self, request: web.Request) -> web.StreamResponse:
        user = _viewer(request, self._site)
        waiting = await self._site.views.waiting_for(self._site.rooms.account(user))
        return answer([picture.draw_waiting(each, self._site.rooms, user) for each in waiting])

    async def grants(self, request: web.Request) -> web.StreamResponse:
        user = _viewer(request, self._site)
        person = self._site.rooms.people[user].id
        found = await self._site.views.grants(self._site.rooms.account(user))
        return answer([picture.draw_grant(grant, self._site.rooms) for grant in found if grant.by == person])

    async def runs(self, request: web.Request) -> web.StreamResponse:
        user = _viewer(request, self._site)
        views = await self._site.views.runs(self._site.rooms.account(user))
        return answer([picture.draw_run(view, self._site.rooms) for view in views])

    async def run(self, request: web.Request) -> web.StreamResponse:
        account = self._site.rooms.account(_viewer(request, self._site))
        view = await self._site.views.run(RunId(request.match_info["run"]), account)
        if view is None:
            raise refusal(404, "There is no such run, or you may not see it.")
        return answer(picture.draw_run(view, self._site.rooms))

    async def trail(self, request: web.Request) -> web.StreamResponse:
        account = self._site.rooms.account(_viewer(request, self._site))
        run = request.query.get("run")
        rows = await self._site.views.trail(account, run=RunId(run) if run else None)
        return answer([picture.draw_row(row) for row in rows])

    async def file(self, request: web.Request) -> web.StreamResponse:
        user = _viewer(request, self._site)
        entry = await self._site.book.entry(request.match_info["message"])
        if entry is None or entry.card is None or entry.is_deleted or not entry.is_visible_to(user):
            raise refusal(404, "There is no such file.")
        return _download(entry.card.attachments, request)

    async def inbox_file(self, request: web.Request) -> web.StreamResponse:
        account = self._site.rooms.account(_viewer(request, self._site))
        for waiting in await self._site.views.waiting_for(account):
            if waiting.request == request.match_info["request"]:
                return _download(waiting.card.attachments, request)
        raise refusal(404, "There is no such file.")


def _viewer(request: web.Request, site: Site) -> str:
    user = request.query.get("as", "")
    if user not in site.rooms.people:
        raise refusal(404, "Nobody of that name is in the playground.")
    return user


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise refusal(400, "`since` must be a number.")
    return int(text)


def _download(files: tuple[Attachment, ...], request: web.Request) -> web.Response:
    number = int(request.match_info["number"])
    if number >= len(files):
        raise refusal(404, "There is no such file.")
    file = files[number]
    kind = picture_kind(file.content)
    how = "inline" if kind is not None else "attachment"
    headers = {"Content-Disposition": f"{how}; filename*=UTF-8''{quote(file.name, safe='')}"}
    if kind is not None:
        return web.Response(body=file.content, content_type=kind, headers=headers)
    return web.Response(body=file.content, content_type="text/plain", charset="utf-8", headers=headers)
