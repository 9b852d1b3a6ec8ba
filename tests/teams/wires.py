"""What stands at the other ends of the wires: Microsoft's servers as a script, keys of our own, and a clock by hand."""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.teams.clouds import Changes, Cloud, cloud_of
from tests.fakes.loopback import Handler, answering

APP, TENANT = "11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
TEAMS = "https://smba.trafficmanager.net/emea/"
ISSUER = "https://api.botframework.com"


@dataclass
class Hours:
    """A clock that moves when somebody sleeps. `slept` is every sleep, in order."""

    now: float = 1_000.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds
        await asyncio.sleep(0)


@dataclass
class Asked:
    """One request as it came in."""

    method: str
    path: str  # as it was sent, encoded, with its query
    token: str
    body: Any


@dataclass
class Site:
    """A server that answers from a list, its last answer again and again; and what it was asked."""

    answers: list[Handler]
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        body = await request.read()
        form = dict(await request.post()) if request.content_type.endswith("urlencoded") else None
        self.asked.append(Asked(request.method, request.raw_path, token, form or (json.loads(body) if body else None)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


@asynccontextmanager
async def a_site(*answers: Handler) -> AsyncIterator[Site]:
    site = Site(list(answers))
    async with answering(site.take) as site.url:
        yield site


@asynccontextmanager
async def a_session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


# ---------------------------------------------------------------------- answers


def says(status: int, body: object = None, **headers: str) -> Handler:
    """An answer of JSON, or of what stands in *body* if it is bytes."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(request: web.Request) -> web.StreamResponse:  # noqa: ARG001  # the same for everybody
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        return web.Response(status=status, body=raw, headers=given, content_type="application/json")

    return answer


def fails(status: int, code: str, **headers: str) -> Handler:
    return says(status, {"error": {"code": code, "message": "do not read me"}}, **headers)


async def drops(request: web.Request) -> web.StreamResponse:
    """The connection breaks before an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hangs(request: web.Request) -> web.StreamResponse:  # noqa: ARG001  # whoever asks
    await asyncio.Event().wait()
    raise AssertionError("it is cancelled")


def waits(for_it: asyncio.Event, then: Handler, begun: asyncio.Event | None = None) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        if begun:
            begun.set()
        await for_it.wait()
        return await then(request)

    return answer


# ---------------------------------------------------------------- keys and tokens


@functools.cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:  # noqa: ARG001  # each name has one
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def wire_key(kid: str, endorsements: Sequence[str] = ("msteams",)) -> dict[str, Any]:
    told = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key(kid).public_key()))
    return {**told, "use": "sig", "kid": kid, "endorsements": list(endorsements)}


def claims(**changed: object) -> dict[str, Any]:
    """What Teams says of us; a claim that is changed to None is left out."""
    now = int(time.time())
    said = {"iss": ISSUER, "aud": APP, "nbf": now - 60, "exp": now + 3_600, "serviceurl": TEAMS, **changed}
    return {name: value for name, value in said.items() if value is not None}


def signed(said: dict[str, Any] | None = None, *, kid: str = "K1", by: str = "") -> str:
    """An Authorization header. *by* names the key it is really signed with."""
    return f"Bearer {jwt.encode(said or claims(), rsa_key(by or kid), 'RS256', headers={'kid': kid})}"


def metadata(site: Site) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:  # noqa: ARG001  # the same for everybody
        return web.json_response({"issuer": ISSUER, "jwks_uri": f"{site.url}/keys"})

    return answer


def an_activity(**changed: object) -> dict[str, Any]:
    """A message in a channel; a field that is changed to None is left out."""
    conversation = {"id": "19:c@thread.tacv2;messageid=1", "conversationType": "channel", "tenantId": TENANT}
    said: dict[str, Any] = {
        "type": "message",
        "id": "1700000000001",
        "channelId": "msteams",
        "serviceUrl": TEAMS,
        "text": "hello",
        "from": {"id": "29:ana", "aadObjectId": "ana"},
        "recipient": {"id": f"28:{APP}"},
        "conversation": conversation,
        "channelData": {"tenant": {"id": TENANT}},
        **changed,
    }
    return {name: value for name, value in said.items() if value is not None}


def cloud_at(url: str) -> Cloud:
    """The public cloud, with everything of it on *url*."""
    return cloud_of("public", Changes(metadata=f"{url}/metadata", login=url, graph=url, hosts=(url,)))
