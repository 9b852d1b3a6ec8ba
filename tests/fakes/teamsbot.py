"""A bare bot for the fake Teams to be tried with: it writes down what it hears, and calls the Connector by hand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp
from aiohttp import web
from yarl import URL

from tests.fakes.loopback import routed
from tests.fakes.teams import FakeTeams

Body = dict[str, Any]
TOLD: Body = {"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": "Recorded."}


def card(*actions: Body, body: list[Body] | None = None) -> Body:
    shown = body or [{"type": "TextBlock", "text": "drop table users", "wrap": True}]
    return {"type": "AdaptiveCard", "version": "1.5", "body": shown, "actions": list(actions)}


def button(title: str, **more: Any) -> Body:
    """Execute, with its Submit twin."""
    shared = {"title": title, "data": {"countersign": {"subject": "r1", "move": title}}}
    fallback = {"type": "Action.Submit", **shared}
    return {"type": "Action.Execute", "verb": f"cs.{title}", **shared, "fallback": fallback, **more}


def shown(content: Body, **more: Any) -> Body:
    """A message that is a card."""
    attached = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
    return {"type": "message", "attachments": [attached], **more}


CARD = card(button("Approve"), button("Deny"))


@dataclass
class Bot:
    """Ana and Bo in #ops of a team, a chat of the two, and a bot that answers what it is told to."""

    teams: FakeTeams
    session: aiohttp.ClientSession
    ana: str = ""
    bo: str = ""
    team: str = ""
    ops: str = ""
    chat: str = ""
    heard: list[Body] = field(default_factory=list)
    headers: list[Body] = field(default_factory=list)
    answer: Any = field(default_factory=lambda: dict(TOLD))  # to an invoke; None: an empty body
    statuses: list[int] = field(default_factory=list)  # of the next answers; 200 when there are none left
    meets: Callable[[], Awaitable[object]] | None = None  # what every activity waits for
    token: str = ""

    def furnish(self) -> None:
        self.ana, self.bo = self.teams.add_person("Ana"), self.teams.add_person("Bo")
        self.team = self.teams.add_team("Support", ["ops"], (self.ana, self.bo))
        self.ops, self.chat = self.teams.channel("ops"), self.teams.add_group_chat((self.ana, self.bo))

    async def take(self, request: web.Request) -> web.Response:
        body = json.loads(await request.text())
        self.heard.append(body)
        self.headers.append(dict(request.headers))
        if self.meets:
            await self.meets()
        status = self.statuses.pop(0) if self.statuses else 200
        if status != 200 or body["type"] != "invoke" or self.answer is None:
            return web.Response(status=status)
        return web.json_response(self.answer)

    # ------------------------------------------------------- calling, by hand

    async def new_token(self, **changed: str) -> tuple[int, Body]:
        form = {"grant_type": "client_credentials", "client_id": self.teams.app_id, "scope": BOT_SCOPE}
        form |= {"client_secret": self.teams.app_password, "tenant": self.teams.tenant, **changed}
        url = f"{self.teams.login_url}/{form.pop('tenant')}/oauth2/v2.0/token"
        async with self.session.post(url, data=form) as answer:
            return answer.status, await answer.json()

    async def call(self, method: str, *path: str, body: Any = None, query: str = "", **headers: str) -> Answered:
        """Ids in *path* are encoded here; `…` before it is the service URL."""
        if not self.token:
            self.token = (await self.new_token())[1]["access_token"]
        url = self.teams.service_url + "/".join(("v3", *(quote(part, safe="") for part in path))) + query
        sent = {"Authorization": f"Bearer {self.token}", **headers}
        async with self.session.request(method, URL(url, encoded=True), json=body, headers=sent) as answer:
            text = await answer.text()
            told = json.loads(text) if answer.content_type == "application/json" else {"page": text}
            return Answered(answer.status, told, dict(answer.headers))

    async def post(self, conversation: str, activity: Body) -> str:
        answered = await self.call("POST", "conversations", conversation, "activities", body=activity)
        assert answered.status == 201, answered
        return str(answered.body["id"])

    async def put(self, conversation: str, id: str, activity: Body) -> Answered:
        return await self.call("PUT", "conversations", conversation, "activities", id, body=activity)

    async def refused(self, activity: Body, conversation: str = "") -> str:
        """The code with which the Connector refuses to post this."""
        where = conversation or self.ops
        answered = await self.call("POST", "conversations", where, "activities", body=activity)
        assert answered.status >= 400, answered
        return str(answered.body["error"]["code"])

    @property
    def types(self) -> list[str]:
        return [body["type"] for body in self.heard]


BOT_SCOPE = "https://api.botframework.com/.default"


@dataclass(frozen=True)
class Answered:
    status: int
    body: Body
    headers: Body

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])


@asynccontextmanager
async def a_bot() -> AsyncIterator[Bot]:
    async with FakeTeams() as teams, aiohttp.ClientSession() as session:
        bot = Bot(teams, session)
        bot.furnish()
        async with routed(web.post("/api/messages", bot.take)) as base:
            teams.connect(f"{base}/api/messages")
            yield bot
