"""Looking: somebody who may answer opens the details of the call in question.

    press -> may they answer it at all -> high risk: written down, once for each person and version of the call; from
        then on they may approve it -> shown to them

An approval that is not high-risk, what a rule hands over and the review of broken glass can be looked at as well, and
nothing waits for that: the request stays as it is, so no vote has to be counted again because of it. The audit hears
of such a look where it shows what is private. Not what the details say (domain/details), nor what an approval needs
besides (ballot).
"""

from __future__ import annotations

from functools import partial

from bot.domain import events
from bot.domain.arguments import private_text
from bot.domain.chat import Answer, Person, PersonId
from bot.domain.details import has_details
from bot.domain.errors import AlreadySettled, NoSuchRequest, NotShown, UnknownTool
from bot.domain.inquiry import is_inquiry
from bot.domain.request import Request, look, settled_text
from bot.domain.store import Effects, Held, Turn
from bot.runtime.absences import StoredAbsences
from bot.runtime.drawing import Drawing
from bot.runtime.granted import shard_of
from bot.runtime.journal import once_more
from bot.runtime.parts import Parts
from bot.runtime.press import Press
from bot.runtime.recollecting import Recollecting
from bot.runtime.rights import Rights

READ = "These are the details."
TOLD = f"{READ} You may approve it on its card now."


class Looking:
    def __init__(self, parts: Parts, rights: Rights) -> None:
        self._store, self._rights, self._toolbox = parts.store, rights, parts.toolbox
        self._drawing = Drawing(parts.toolbox, parts.directory, StoredAbsences(parts.store), parts.key)
        self._recollecting = Recollecting(parts.store, parts.toolbox, rights)

    async def open(self, held: Held, press: Press) -> Answer:
        """Show somebody the details; of high risk, write down that they read them.

        Raises NotEligible, AlreadySettled or NotShown.
        """
        if not has_details(held.request):
            raise NotShown(held.request.id, "it has no details to open")
        person = await self._rights.reader(held.request, press.by)
        if held.request.ask.is_high and not is_inquiry(held.request.kind):
            return await self._read(held, press, person)
        if not held.request.is_open:
            raise AlreadySettled(held.request.id, held.request.status, settled_text(held.request))
        return await self._looked(held.request, press, person)

    async def _read(self, held: Held, press: Press, person: Person) -> Answer:
        """Somebody who is about to approve what is high-risk: written down before it is shown."""
        while True:
            request = held.request
            if person.id in request.looked and request.is_open:
                return await self._shown(request, TOLD)
            turned = await once_more(partial(self._store.turn, _turn(request, person.id, press)))
            if turned.is_applied or turned.repeat is not None:
                return await self._shown(request, TOLD)
            held = await self._store.held(request.id)
            person = await self._rights.reader(held.request, press.by)

    async def _looked(self, request: Request, press: Press, person: Person) -> Answer:
        """Somebody who need not have: nothing is written down, unless they read what no card shows."""
        call = await self._about(request)
        if call.private or self._is_private(call):
            opened = events.details_opened(request, person.id, press.by, press.delivery)
            await self._store.log(shard_of(request.id), (opened,))
        return await self._shown(call, READ)

    async def _about(self, request: Request) -> Request:
        """The request whose call is in question: of a review of broken glass, the one that was approved."""
        if request.about is None:
            return request
        try:
            return (await self._store.held(request.about)).request
        except NoSuchRequest:  # forgotten after its time: the review still tells of it
            return request

    def _is_private(self, request: Request) -> bool:
        try:
            return bool(private_text(request, self._toolbox.get(request.call.tool).spec))
        except UnknownTool:  # then no argument is shown
            return False

    async def _shown(self, request: Request, told: str) -> Answer:
        before = await self._recollecting.told(request)
        return Answer(is_taken=True, text=told, details=await self._drawing.details(request, before))


def _turn(request: Request, person: PersonId, press: Press) -> Turn:
    """No picture changes with it: what is shown stays shown."""
    after = look(request, person)
    effects = Effects(audit=(events.details_opened(after, person, press.by, press.delivery),))
    return Turn(after=after, effects=effects, delivery=press.delivery)
