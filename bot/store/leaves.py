"""Absences in the store: one sealed record for each person who is away.

    away: person -> "<until in ms> <seal><record>"      seal = HMAC over the person and the record

A record that does not bear our seal is not believed (T22): its person counts as away, and nobody decides for them,
until they leave or come back. Whoever can write to Redis could put an older one of ours back, from before its person
came back: `audit verify` tells of every vote on it (I5). What has run out is taken out, and written down, by whoever
reads it first.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from bot.domain import events
from bot.domain.absence import LONGEST, Absence
from bot.domain.calls import Cause
from bot.domain.chat import PersonId
from bot.domain.errors import BadRecord, BadSeal, NotUnderstood
from bot.domain.wire import pack, unpack
from bot.store.coding import SEEN_TTL, epoch_ms, ms
from bot.store.keys import Keyring
from bot.store.link import Link

log = structlog.get_logger()
SHARD = 0  # whose audit tells of absences
SEAL_BYTES = 20  # 120 bits in base64
FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)

Call = Callable[..., Awaitable[list[Any]]]  # a function of scripts.lua by its name, shard, arguments and ids


class Leaves:
    def __init__(self, link: Link, namespace: str, key: bytes, call: Call) -> None:
        self._link, self._key, self._call = link, key, call
        self._where = Keyring(namespace, SHARD)("away")

    async def set(self, absence: Absence, answer: str) -> str:
        """As `Store.leave`."""
        args = {
            "person": absence.person,
            "record": self._sealed(absence),
            "until": epoch_ms(absence.until),
            "most": ms(LONGEST),
            "answer": answer,
            "seen_ttl": SEEN_TTL,
            "bodies": [events.away_set(absence).decode()],
        }
        code, before = await self._call("leave", SHARD, args, seen=absence.delivery)
        if code == b"late":
            told = f"An absence ends after now, and within {LONGEST.days} days."
            raise NotUnderstood(absence.until.isoformat(), told)
        return answer if code == b"ok" else str(before.decode())

    async def clear(self, person: PersonId, delivery: str, answer: str) -> str | None:
        """As `Store.come_back`."""
        body = events.away_ended(person, Cause.PERSON, delivery).decode()
        args = {"person": person, "was": "", "answer": answer, "seen_ttl": SEEN_TTL, "bodies": [body]}
        code, before = await self._call("come_back", SHARD, args, seen=delivery)
        if code == b"again":
            return str(before.decode())
        return answer if code == b"ok" else None

    async def all(self) -> tuple[Absence, ...]:
        """As `Store.absences`."""
        found: Mapping[bytes, bytes] = await self._link.ask(self._link.client.hgetall(self._where))
        now, held = self._link.now(), []
        for name, value in found.items():
            absence = self._believed(PersonId(name.decode("utf-8", "replace")), value)
            if absence.until > now:
                held.append(absence)
            else:
                await self._sweep(absence, value)
        return tuple(sorted(held, key=lambda one: one.person))

    async def _sweep(self, absence: Absence, value: bytes) -> None:
        delivery = f"until:{absence.person}:{epoch_ms(absence.until)}"
        body = events.away_ended(absence.person, Cause.DEADLINE, delivery).decode()
        args = {"person": absence.person, "was": value.decode(), "answer": "", "seen_ttl": SEEN_TTL, "bodies": [body]}
        await self._call("come_back", SHARD, args, seen=delivery)

    def _believed(self, person: PersonId, value: bytes) -> Absence:
        try:
            return self._opened(person, value)
        except (BadSeal, BadRecord) as error:
            log.error("absence_forged", person=person[:80], error=str(error))
            return Absence(person=person, since=self._link.now(), until=FOR_EVER)

    def _sealed(self, absence: Absence) -> str:
        body = pack(absence)
        return f"{epoch_ms(absence.until)} {(self._seal(absence.person, body) + body).decode()}"

    def _opened(self, person: PersonId, value: bytes) -> Absence:
        until, _, rest = value.partition(b" ")
        seal, body = rest[:SEAL_BYTES], rest[SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(person, body)):
            raise BadSeal(f"the absence of {person}")
        absence = unpack(Absence, body)
        if absence.person != person or until != str(epoch_ms(absence.until)).encode():
            raise BadSeal(f"what stands beside the absence of {person}")
        return absence

    def _seal(self, person: PersonId, body: bytes) -> bytes:
        told = b"away\0" + person.encode() + b"\0" + body
        return base64.b64encode(hmac.digest(self._key, told, "sha256")[:15])
