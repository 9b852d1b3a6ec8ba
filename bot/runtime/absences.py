"""Who is away, as the store has it: looked at again after a while, or at once for whoever must know.

Owns only how long a look is good for. What is believed and what has run out is the store's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.domain.absence import Absence
from bot.domain.chat import PersonId
from bot.domain.ports import Absences
from bot.domain.store import Store

GOOD_FOR = timedelta(seconds=10)  # an absence that was just set or ended may go unnoticed for so long elsewhere


class StoredAbsences:
    """Implements `bot.domain.ports.Absences`. Raises StoreUnavailable, and then nobody may act as a deputy."""

    def __init__(self, store: Store, *, good_for: timedelta = GOOD_FOR) -> None:
        self._store, self._good_for = store, good_for
        self._seen: tuple[Absence, ...] = ()
        self._at: datetime | None = None

    def fresh(self) -> Absences:
        return StoredAbsences(self._store, good_for=timedelta(0))

    def forget(self) -> None:
        """Somebody left or came back by way of this process: look again."""
        self._at = None

    async def now(self) -> Mapping[PersonId, Absence]:
        asked = self._store.now()
        if self._at is None or not self._at <= asked < self._at + self._good_for:
            self._seen, self._at = await self._store.absences(), asked
        return {one.person: one for one in self._seen if one.until > asked} if self._seen else {}
