"""The load in numbers: how many open requests wait for each person, on the shards of this process.

own shards -> their open requests -> who may answer them now (reporting) -> a gauge per person, and one for nobody

Bounded: of at most reporting.OPEN_MOST requests, the oldest of each shard. Each process counts its own shards, so the
sum over processes is the load of a person. Whoever has nothing left stands at 0: a last number would stay for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.domain.chat import PersonId
from bot.domain.store import Fence
from bot.runtime.parts import Parts
from bot.runtime.reporting import load
from bot.runtime.rights import Rights
from bot.runtime.steady import steadily


class LoadGauge:
    def __init__(self, parts: Parts, rights: Rights, fences: Callable[[], Mapping[int, Fence]]) -> None:
        self._parts, self._rights, self._fences = parts, rights, fences
        self._told: frozenset[PersonId] = frozenset()  # whom the gauge last gave a number above 0

    async def run(self) -> None:
        await steadily(self.look, self._parts.pace.load_every, "load")

    async def look(self) -> None:
        found = await load(self._parts.store, self._rights, sorted(self._fences()))
        for person in {*self._told, *found.people}:
            self._parts.meter.gauge("waiting", found.people.get(person, 0), person=person)
        self._parts.meter.gauge("unread", sum(found.unread.values()))
        self._told = frozenset(found.people)
