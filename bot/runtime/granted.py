"""Grants as they stand: which one a call may run on now, and which may be seen.

    live, by its own record -> matches this call -> its giver may still give it -> the gate uses it as the call begins

Only looks. Not what a grant matches (domain/grant), nor giving and revoking (grants), nor running a call (work).
"""

from __future__ import annotations

import structlog

from bot.domain import grant as grants
from bot.domain.calls import ToolSpec
from bot.domain.chat import Account, Card, PersonId
from bot.domain.errors import Broken, NoSuchGrant, Unsatisfiable
from bot.domain.grant import Grant
from bot.domain.request import Request
from bot.domain.store import Note, Store
from bot.domain.wire import replace
from bot.runtime.rights import Rights
from bot.runtime.sight import may_look

log = structlog.get_logger()


async def standing(store: Store, rights: Rights, request: Request, spec: ToolSpec) -> Grant | None:
    """The grant that the call of *request* may run on now, the one that ends first; None: people are asked.

    *request* is what they would be asked. The giver is judged as of now: whoever lost the right, or steers the run
    where duties are separated, gives nothing any more. Raises Unavailable.
    """
    if grants.why_not(request, spec) is not None:
        return None
    found = await _live(store, shard_of(request.id), request.place.key)
    matching = [grant for grant in found if grants.matches(grant, request, store.now())]
    try:
        able = await signers(rights, request) if matching else frozenset[PersonId]()
    except Unsatisfiable:  # nobody could sign it now, so nobody's leave stands either
        return None
    return next((grant for grant in matching if grant.by in able), None)


def used_note(grant: Grant, giver: str, key: str) -> Note:
    """The quiet line in the thread: nobody was asked, and this is why."""
    told = f"{grant.tool} runs without being asked about: allowed by {giver}'s grant, {grants.left_text(grant)}."
    return Note(key=key, place=grant.place, card=Card(body=told, footer=grant.id))


async def listed(store: Store, rights: Rights, viewer: Account) -> tuple[Grant, ...]:
    """What may still run without being asked about, in the threads that *viewer* may see; what ends first, first."""
    person = await rights.tasker(viewer)
    if person is None:
        return ()
    found: list[Grant] = []
    for shard in range(store.shards):
        for grant in await _live(store, shard):
            is_over = grant.run is not None and await store.live_run(grant.thread) != grant.run
            is_seen = may_look(person, viewer, grant.place, {grant.requester, grant.by})
            found.extend([grant] if is_seen and not is_over else [])
    return tuple(sorted(found, key=lambda grant: (grant.until, grant.id)))


async def _live(store: Store, shard: int, thread: str | None = None) -> list[Grant]:
    """Every grant that its own record still allows to be used. One without our seal is left out, said aloud (T22)."""
    found: list[Grant] = []
    for name in await store.granted(shard, thread):
        try:
            grant = await store.grant(name)
        except (NoSuchGrant, Broken) as error:
            log.error("grant_not_believed", grant=name[:80], error=str(error))
            continue
        found.extend([grant] if grants.is_live(grant, store.now()) else [])
    return sorted(found, key=lambda grant: (grant.until, grant.id))


async def signers(rights: Rights, request: Request) -> frozenset[PersonId]:
    """Whom the rule itself asks. A step of the ladder lends a say in one call alone."""
    return frozenset[PersonId]().union(*await rights.groups(replace(request, standins=())))


def shard_of(id: str) -> int:
    return int(id.split("-", 2)[1])
