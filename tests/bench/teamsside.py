"""Processes around the Teams rows: `python -m tests.bench.teamsside seam | stock | plain`, spoken to in lines of JSON.

seam    our own: HTTP, proof (RS256, every claim), botbuilder's turn, an answer; nothing behind it
stock   botbuilder's own `CloudAdapter` behind aiohttp, with its own proof of the same token
plain   an aiohttp handler that reads the JSON and answers, without any proof

Each reads where the keys are from its first line, says where it listens, and then tells its CPU time for every line.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import uvloop
from aiohttp import web

from adapters.server import Address
from adapters.teams.answers import Reply
from adapters.teams.clouds import Changes, cloud_of
from adapters.teams.connector import Connector
from adapters.teams.http import PATH, serving
from adapters.teams.keys import opened_keys
from adapters.teams.proof import Proof
from adapters.teams.shapes import Raw
from tests.bench.bot import logging_as_shipped
from tests.bench.slackside import Lines

Said = dict[str, Any]
BODY = {"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": "Approved."}


@asynccontextmanager
async def seam(given: Said) -> AsyncIterator[int]:
    from adapters.teams.sdk import Sdk

    cloud = cloud_of("public", Changes(metadata=given["metadata"], hosts=(given["origin"],)))
    async with aiohttp.ClientSession() as session, opened_keys(session, cloud.metadata) as keys:
        await keys.load()
        proof = Proof(given["app"], cloud, keys, [given["tenant"]])
        sdk = Sdk(given["app"], cloud, proof, NO_CONNECTOR)

        async def answered(raw: Raw) -> Reply | None:
            return Reply(status=200, body=BODY) if raw["type"] == "invoke" else None

        async def take(header: str, raw: Raw) -> Reply | None:
            return await sdk.turn(header, raw, answered)

        async with serving(Address(port=0), take, proof.knock) as port:
            yield port


@asynccontextmanager
async def stock(given: Said) -> AsyncIterator[int]:
    from botbuilder.core import ActivityHandler  # type: ignore[import-untyped]  # it ships no types
    from botbuilder.integration.aiohttp import (  # type: ignore[import-untyped]  # it ships no types
        CloudAdapter,
        ConfigurationBotFrameworkAuthentication,
    )
    from botframework.connector.auth import (  # type: ignore[import-untyped]  # it ships no types
        ChannelValidation,
    )

    class Configuration:
        APP_ID, APP_PASSWORD, APP_TYPE, APP_TENANTID = given["app"], "unused", "SingleTenant", given["tenant"]

    ChannelValidation.open_id_metadata_endpoint = given["metadata"]
    adapter, bot = CloudAdapter(ConfigurationBotFrameworkAuthentication(Configuration())), ActivityHandler()

    async def messages(request: web.Request) -> web.StreamResponse:
        answer: web.StreamResponse = await adapter.process(request, bot)
        return answer

    async with _served(messages) as port:
        yield port


@asynccontextmanager
async def plain(given: Said) -> AsyncIterator[int]:  # noqa: ARG001  # it checks nothing
    async def messages(request: web.Request) -> web.StreamResponse:
        raw = await request.json()
        return web.json_response(BODY) if raw["type"] == "invoke" else web.Response()

    async with _served(messages) as port:
        yield port


@asynccontextmanager
async def _served(handler: Any) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_post(PATH, handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


NO_CONNECTOR: Connector = None  # type: ignore[assignment]  # nothing is sent
SIDES = {"seam": seam, "stock": stock, "plain": plain}


async def main(name: str) -> None:
    lines = await Lines.open()
    async with SIDES[name](await lines.read() or {}) as port:
        lines.say({"port": port})
        while await lines.read() is not None:
            lines.say({"cpu": time.process_time()})


if __name__ == "__main__":
    with logging_as_shipped():
        uvloop.run(main(sys.argv[1]))
