"""Who may see a run, what it asks for and what was allowed in it: one rule for every list, page and command.

    colleagues see each other's · another workspace's are not theirs · a direct message is its parties' alone

Not who may give tasks at all, and so look at anything (`Rights.tasker`).
"""

from __future__ import annotations

from collections.abc import Set

from bot.domain.chat import Account, Person, PersonId, Place
from bot.domain.errors import Broken, NoSuchRequest
from bot.domain.request import Request, RequestId
from bot.domain.store import Loaded, Store


async def seen(store: Store, id: RequestId, person: Person, viewer: Account) -> Request | None:
    """The request; None if it is forgotten, does not bear our seal, or is of a run that they may not see."""
    try:
        request = (await store.held(id)).request
    except (NoSuchRequest, Broken):
        return None
    loaded = await store.load(request.run)
    return request if loaded is not None and may_see(person, viewer, loaded) else None


def may_see(person: Person, viewer: Account, loaded: Loaded) -> bool:
    """A run's only party is whoever gave its task."""
    task = loaded.run.task
    return may_look(person, viewer, task.place, {task.by})


def may_look(person: Person, viewer: Account, place: Place, parties: Set[PersonId]) -> bool:
    """At what *parties* did at *place*."""
    return not place.is_foreign_to(viewer) and (not place.is_direct or person.id in parties)
