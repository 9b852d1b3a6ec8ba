"""How an activity reaches the bot: signed, over HTTP; again if nobody took it, first the same, then with a new id."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.fakes.teams.entra import Entra
from tests.fakes.teams.faults import OMITTED, Faults
from tests.fakes.teams.payloads import event_id
from tests.fakes.teams.world import Json, World

ACK_WITHIN = 15.0  # seconds; then the Connector gives up and sends again (msteams-docs#6084)
TAKEN = range(200, 300)


@dataclass(frozen=True)
class Reply:
    """What the bot answered. `status` is 0 when nothing came in time; names of `headers` are in lower case."""

    status: int
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""  # why nothing came: timeout, connection, held, nobody

    @property
    def is_ok(self) -> bool:
        return self.status in TAKEN

    @property
    def json(self) -> Any:
        """The body; None when there is none, or none that is JSON."""
        try:
            return json.loads(self.text) if self.text else None
        except ValueError:
            return None


@dataclass(frozen=True)
class Delivery:
    """One attempt, and what became of it."""

    activity: Json
    headers: Mapping[str, str]
    reply: Reply
    attempt: int = 0


class Post:
    """Carries activities to `url`. Without one they go nowhere, as with a bot that is switched off."""

    def __init__(self, world: World, entra: Entra, faults: Faults) -> None:
        self._world, self._entra, self._faults = world, entra, faults
        self.url: str | None = None
        self.ack_within = ACK_WITHIN
        self.redeliver = True
        self.is_holding = False
        self.is_emulator = False
        self.held: list[Json] = []
        self.sent: list[Delivery] = []
        self.session: aiohttp.ClientSession | None = None
        self.judge: Callable[[Json, Reply], object] = lambda _activity, _reply: None  # of every invoke taken

    async def carry(self, *activities: Json, good: Callable[[Reply], bool] | None = None) -> Reply:
        """Deliver what one act sends; the reply to the first. *good*: is this answer one that Teams can use?"""
        rows = [omitted(each, self._faults.leave_out) for each in activities]
        if self.is_holding:
            self.held += rows
            return Reply(0, reason="held")
        rows = rows[::-1] if self._faults.out_of_order else rows
        replies = [await self._one(each, good or _is_taken) for each in rows]
        return replies[-1] if self._faults.out_of_order else replies[0]

    async def _one(self, activity: Json, good: Callable[[Reply], bool]) -> Reply:
        if self._faults.at_once:
            async with asyncio.TaskGroup() as tasks:
                twins = [tasks.create_task(self.attempt(activity)) for _ in range(2)]
            return next((one.result() for one in twins if good(one.result())), twins[0].result())
        reply = await self._until_taken(activity, good)
        if self._faults.deliver_twice:
            await self.attempt(activity, 1)
        if self._faults.deliver_anew:
            await self.attempt(anew(self._world, activity), 1)
        return reply

    async def _until_taken(self, activity: Json, good: Callable[[Reply], bool]) -> Reply:
        """First the same again, then with a new id (botbuilder-dotnet#5005); after an empty answer, only the latter."""
        reply = await self.attempt(activity)
        tries = [activity, anew(self._world, activity)] if not reply.is_ok else [anew(self._world, activity)]
        for number, again in enumerate(tries, 1):
            if good(reply) or not self.redeliver or 400 <= reply.status < 500 or reply.reason == "nobody":
                break
            reply = await self.attempt(again, number)
        return reply

    async def attempt(self, activity: Json, attempt: int = 0, header: str | None = None) -> Reply:
        """Send once. *header*: an Authorization that is not the Connector's."""
        good = "" if self.is_emulator else f"Bearer {self._entra.sign(str(activity.get('serviceUrl', '')))}"
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Microsoft-SkypeBotApi (Fake)"}
        headers |= {"x-ms-conversation-id": str((activity.get("conversation") or {}).get("id", ""))}
        headers |= {"x-ms-tenant-id": str(((activity.get("channelData") or {}).get("tenant") or {}).get("id", ""))}
        shown = good if header is None else header
        headers |= {"Authorization": shown} if shown else {}
        reply = await self.raw(json.dumps(activity).encode(), headers, activity, attempt)
        if header is None and activity.get("type") == "invoke" and reply.status == 200:
            self.judge(activity, reply)
        return reply

    async def raw(self, body: bytes, headers: Mapping[str, str], activity: Json, attempt: int = 0) -> Reply:
        """Send these bytes, whatever they are."""
        reply = await self._http(body, headers)
        self.sent.append(Delivery(activity, headers, reply, attempt))
        self._world.tick()
        return reply

    async def _http(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        if self.url is None:
            return Reply(0, reason="nobody")
        assert self.session is not None, "the fake is open"
        timeout = aiohttp.ClientTimeout(total=self.ack_within)
        try:
            async with self.session.post(self.url, data=body, headers=headers, timeout=timeout) as answer:
                return Reply(answer.status, await answer.text(), {k.lower(): v for k, v in answer.headers.items()})
        except TimeoutError:
            return Reply(0, reason="timeout")
        except aiohttp.ClientConnectionError:
            return Reply(0, reason="connection")


def anew(world: World, activity: Json) -> Json:
    """The same, as the second retry layer sends it: with another id and the first one's timestamp."""
    return {**activity, "id": world.message_id("", by_bot=False) if activity.get("text") else event_id()}


def omitted(activity: Json, names: set[str]) -> Json:
    """Without what Teams sometimes leaves out."""
    if unknown := names - OMITTED:
        raise KeyError(f"cannot leave out {sorted(unknown)}; known are {sorted(OMITTED)}")
    told = {name: value for name, value in activity.items() if name not in names}
    if "conversation" in told and ("thread" in names or "tenant" in names):
        there = dict(told["conversation"])
        there["id"] = str(there["id"]).partition(";")[0] if "thread" in names else there["id"]
        if "tenant" in names:
            there.pop("tenantId", None)
        told["conversation"] = there
    if "channelData" in told and "tenant" in names:
        told["channelData"] = {name: value for name, value in told["channelData"].items() if name != "tenant"}
    if "aadObjectId" in names:
        told["from"] = {name: value for name, value in told["from"].items() if name != "aadObjectId"}
    return told


def _is_taken(reply: Reply) -> bool:
    return reply.is_ok
