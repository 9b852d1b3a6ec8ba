"""Afterwards: what else happens in the very step that breaks the glass.

    a vote that breaks it -> the same turn also tells the thread, and opens the review that outlives the run

Not who may break it (rights), nor what the note and the review say (domain/glass).
"""

from __future__ import annotations

import secrets

from bot.domain import events, glass
from bot.domain.ladder import first_timer
from bot.domain.request import Copy, Request, RequestId
from bot.domain.store import Held, Turn
from bot.domain.wire import replace
from bot.runtime.parts import Parts
from bot.runtime.rights import Rights


class Afterwards:
    def __init__(self, parts: Parts, rights: Rights) -> None:
        self._parts, self._rights = parts, rights

    async def follow(self, turn: Turn) -> Turn:
        """*turn* as it is, or with all that follows from broken glass. Raises UnknownTool for a tool that is gone."""
        if turn.after.decision is None or turn.after.broken_by is None:
            return turn
        broken = turn.after
        spec = self._parts.toolbox.get(broken.call.tool).spec
        breaker = await self._rights.name(turn.after.broken_by.person)
        reviewers = await self._rights.reviewers(broken, turn.after.broken_by.person)
        review = glass.aftermath(broken, spec, id=_id_beside(broken), breaker=breaker)
        told = glass.note(broken, spec, breaker=breaker, reviewers=reviewers)
        copies = (Copy(name="main", place=review.place),)
        counted, *others = turn.effects.audit
        effects = replace(
            turn.effects,
            audit=(counted, events.request_opened(review), *others),  # no record decides before its review is there
            notes=(*turn.effects.notes, told),
            dirty=(f"note|{told.key}", *turn.effects.dirty, *Held(request=review, copies=copies).rows),
            timers=(*turn.effects.timers, *first_timer(review)),
        )
        return replace(turn, effects=effects, opens=review, copies=copies)


def _id_beside(request: Request) -> RequestId:
    """A new id on the shard of *request*: one step writes both."""
    return RequestId(f"q-{request.id.split('-', 2)[1]}-{secrets.token_hex(12)}")
