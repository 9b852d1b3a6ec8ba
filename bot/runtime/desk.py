"""The desk: what people write, press and fill in becomes a task, a reply, a vote or an edit.

    click -> was it offered by us -> who is it, may they -> count it -> tell them

Durable when it returns. Owns the order of those checks; implements `FrontDoor`. Not the rules of a
request (domain), nor changing a call (edits), nor typed words (intake).
"""

from __future__ import annotations

import structlog

from bot.domain.chat import Answer, Click, Form, Message
from bot.domain.errors import AlreadySettled, BadRecord, BadSeal, NotShown, Refused, StoreUnavailable
from bot.domain.inquiry import is_inquiry
from bot.domain.request import VOTES, Move, Request, RequestId, RunId
from bot.domain.store import Effects, Explain, Held
from bot.runtime.ballot import Ballot
from bot.runtime.edits import Edits
from bot.runtime.intake import Intake
from bot.runtime.parts import Parts
from bot.runtime.press import Press, press_of
from bot.runtime.rights import Rights
from bot.runtime.runner import Runner
from bot.runtime.seal import Seal

log = structlog.get_logger()


class Desk:
    def __init__(self, parts: Parts, rights: Rights, runner: Runner) -> None:
        self._store, self._rights = parts.store, rights
        self._seal, self._ballot = Seal(parts.key), Ballot(parts, rights, runner)
        self._intake = Intake(parts, rights, self._ballot)
        self._edits = Edits(parts, rights, self._ballot)

    async def message(self, message: Message) -> Answer | None:
        return await self._intake.message(message)

    async def click(self, click: Click) -> Answer:
        return await self._press(press_of(click))

    async def form(self, form: Form) -> Answer:
        return await self._press(press_of(form))

    # ------------------------------------------------------------ presses

    async def _press(self, press: Press) -> Answer:
        """Every refused press is told to the one who pressed, and audited."""
        try:
            if press.move == "stop":
                return await self._stop(press)
            held = await self._offered(press)
            if is_inquiry(held.request.kind):
                return await self._ballot.answer(held, press)
            match press.move:
                case "edit":
                    return await self._edits.edit(held, press)
                case "explain":
                    return await self._explain(held.request, press)
                case move if move in VOTES[held.request.kind]:
                    return await self._ballot.vote(held, Move(move), press)
            raise NotShown(press.subject, f"{press.move!r} is not one of its buttons")
        except (Refused, BadSeal, BadRecord) as error:
            return await self._ballot.refuse(press, error)

    async def _offered(self, press: Press) -> Held:
        """The request behind a button, if this very button was shown in this very message (T13, T14)."""
        held = await self._store.lately(RequestId(press.subject))
        if not held.request.is_open or press.ref not in [copy.ref for copy in held.copies]:
            held = await self._store.held(held.request.id)  # others may have shown it since, or ended it
        request = held.request
        if not self._seal.holds(press.token, request.id, request.call.digest, press.move):
            raise NotShown(request.id, "its token is not ours")
        if press.ref not in [copy.ref for copy in held.copies]:
            if any(copy.ref is None and copy.place == press.ref.place for copy in held.copies):
                raise StoreUnavailable(f"the card of request {request.id} is still being posted")
            raise NotShown(request.id, "it stands in a message we did not post for it")
        return held

    async def _stop(self, press: Press) -> Answer:
        if not self._seal.holds(press.token, press.subject, "", "stop"):
            raise NotShown(press.subject, "its token is not ours")
        return await self._intake.stop(RunId(press.subject), press.by, press.delivery)

    async def _explain(self, request: Request, press: Press) -> Answer:
        person = await self._rights.known(request, press.by)
        if not request.is_open:
            raise AlreadySettled(request.id, request.status, "This is already settled.")
        letter = Explain(request=request.id, by=person.id)
        await self._store.tell(request.run, letter, delivery=press.delivery, effects=Effects())
        return Answer(is_taken=True, text="I asked the agent; its answer will appear on the card.")
