"""Looking: somebody opens the details of a high-risk call, and from then on may approve it.

    press -> may they answer it at all -> written down, once for each person and version of the call -> shown to them

Not what the details say (domain/details), nor what an approval needs besides (ballot).
"""

from __future__ import annotations

from functools import partial

from bot.domain import events
from bot.domain.chat import Answer, PersonId
from bot.domain.errors import NotShown
from bot.domain.request import Request, look
from bot.domain.store import Effects, Held, Turn
from bot.runtime.absences import StoredAbsences
from bot.runtime.drawing import Drawing
from bot.runtime.journal import once_more
from bot.runtime.parts import Parts
from bot.runtime.press import Press
from bot.runtime.recollecting import Recollecting
from bot.runtime.rights import Rights

TOLD = "These are the details. You may approve it on its card now."


class Looking:
    def __init__(self, parts: Parts, rights: Rights) -> None:
        self._store, self._rights = parts.store, rights
        self._drawing = Drawing(parts.toolbox, parts.directory, StoredAbsences(parts.store), parts.key)
        self._recollecting = Recollecting(parts.store, parts.toolbox, rights)

    async def open(self, held: Held, press: Press) -> Answer:
        """Write down that this person has read the details, and show them. Raises NotEligible, AlreadySettled."""
        while True:
            request = held.request
            if not request.ask.is_high:
                raise NotShown(request.id, "a call that is not high-risk has no details to open")
            person = await self._rights.reader(request, press.by)
            if person.id in request.looked and request.is_open:
                return await self._shown(request)
            turned = await once_more(partial(self._store.turn, _turn(request, person.id, press)))
            if turned.is_applied or turned.repeat is not None:
                return await self._shown(request)
            held = await self._store.held(request.id)

    async def _shown(self, request: Request) -> Answer:
        before = await self._recollecting.told(request)
        return Answer(is_taken=True, text=TOLD, details=await self._drawing.details(request, before))


def _turn(request: Request, person: PersonId, press: Press) -> Turn:
    """No picture changes with it: what is shown stays shown."""
    after = look(request, person)
    effects = Effects(audit=(events.details_opened(after, person, press.by, press.delivery),))
    return Turn(after=after, effects=effects, delivery=press.delivery)
