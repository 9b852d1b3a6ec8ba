"""The desk: what people write, press and fill in becomes a task, a reply, a vote or an edit.

    click -> was it offered by us -> who is it, may they -> count it -> tell them

Durable when it returns. Owns the order of those checks; implements `FrontDoor`. Not the rules of a
request (domain), nor changing a call (edits), nor typed words (intake).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import structlog

from bot.domain.card_buttons import DETAILS, STEPS, STOP
from bot.domain.chat import Account, Answer, Click, Form, Message, Place
from bot.domain.errors import AlreadySettled, BadRecord, BadSeal, NotShown, Refused
from bot.domain.grant import GIVE, GrantId
from bot.domain.inquiry import is_inquiry
from bot.domain.inquiry_card import HAND_TO
from bot.domain.letters import Explain
from bot.domain.request import VOTES, Move, Request, RequestId, RunId
from bot.domain.run_card import HAND_BACK, REROUTE, TAKE_RUN
from bot.domain.sheet import MOVES as SHEET_MOVES
from bot.domain.store import Effects, Held
from bot.runtime.ballot import Ballot
from bot.runtime.commands import commands
from bot.runtime.edits import Edits
from bot.runtime.grants import Grants
from bot.runtime.handing import Handing
from bot.runtime.intake import Intake
from bot.runtime.leaving import Remembering
from bot.runtime.looking import Looking
from bot.runtime.parts import Parts
from bot.runtime.press import Press, must_be_shown, press_of, sound
from bot.runtime.rerouting import Rerouting
from bot.runtime.rights import Rights
from bot.runtime.runner import Runner
from bot.runtime.seal import Seal
from bot.runtime.sheets import Sheets
from bot.runtime.steps import Steps
from bot.runtime.takeover import Takeover

log = structlog.get_logger()


class Desk:
    def __init__(self, parts: Parts, rights: Rights, runner: Runner, absences: Remembering) -> None:
        self._store, self._rights = parts.store, rights
        self._seal, self._ballot = Seal(parts.key), Ballot(parts, rights, runner)
        self._takeover = Takeover(parts, rights)
        self._commands = commands(parts, rights, absences, stop=self._stopped, revoke=self.revoke)
        self._intake = Intake(parts, rights, self._ballot, self._takeover, self._commands)
        self._handing = Handing(parts, rights)
        self._of_runs: Mapping[str, Callable[[Press], Awaitable[Answer]]] = {  # what may be done about a whole run
            STOP: self._stop,
            STEPS: Steps(parts, rights).open,
            TAKE_RUN: self._takeover.take,
            HAND_BACK: self._takeover.hand_back,
            REROUTE: Rerouting(parts, rights).turn,
        }
        self._edits = Edits(parts, rights, self._ballot)
        self._sheets = Sheets(self._store, self._seal, rights, self._ballot)
        self._grants = Grants(parts, rights, self._ballot)
        self._looking = Looking(parts, rights)

    async def message(self, message: Message) -> Answer | None:
        return await self._intake.message(message)

    async def click(self, click: Click) -> Answer:
        return await self._press(press_of(click))

    async def form(self, form: Form) -> Answer:
        return await self._press(press_of(form))

    async def order(self, text: str, by: Account, place: Place, delivery: str) -> Answer | None:
        return await self._commands.order(text, by, place, delivery)

    async def revoke(self, grant_id: str, by: Account, delivery: str) -> Answer:
        return await self._grants.revoke(GrantId(sound(grant_id)), by, delivery)

    # ------------------------------------------------------------ presses

    async def _press(self, press: Press) -> Answer:
        """Every refused press is told to the one who pressed, and audited."""
        try:
            if (about_run := self._of_runs.get(press.move)) is not None:
                self._must_be_sealed(press)
                return await about_run(press)
            if press.move in SHEET_MOVES:
                return await self._sheets.press(press)
            held = await self._offered(press)
            if press.move == DETAILS:
                return await self._looking.open(held, press)
            if press.move == HAND_TO and is_inquiry(held.request.kind):
                return await self._handing.hand(held, press)
            if is_inquiry(held.request.kind):
                return await self._ballot.answer(held, press)
            match press.move:
                case "edit":
                    return await self._edits.edit(held, press)
                case "explain":
                    return await self._explain(held.request, press)
                case "offer":
                    return await self._grants.offer(held, press)
                case "drop":
                    return await self._grants.drop(held, press)
                case move if move.startswith(GIVE):
                    return await self._grants.give(held, press)
                case move if move in VOTES[held.request.kind]:
                    return await self._ballot.vote(held, Move(move), press)
            raise NotShown(press.subject, f"{press.move!r} is not one of its buttons")
        except (Refused, BadSeal, BadRecord) as error:
            return await self._ballot.refuse(press, error)

    async def _offered(self, press: Press) -> Held:
        """The request behind a button, if this very button was shown in this very message (T13, T14)."""
        held = await self._store.lately(RequestId(press.subject))
        may_be_old = held.request.ask.is_high or not held.request.is_open  # who has read it, others may have written
        if may_be_old or press.ref not in [copy.ref for copy in held.copies]:
            held = await self._store.held(held.request.id)  # others may have shown it since, or ended it
        request = held.request
        if not self._seal.holds(press.token, request.id, request.call.digest, press.move):
            raise NotShown(request.id, "its token is not ours")
        must_be_shown(held, press)
        return held

    def _must_be_sealed(self, press: Press) -> None:
        """A button about a run is the same in every message, and names no call: its token is all there is (T13)."""
        if not self._seal.holds(press.token, press.subject, "", press.move):
            raise NotShown(press.subject, "its token is not ours")

    async def _stop(self, press: Press) -> Answer:
        return await self._intake.stop(RunId(press.subject), press.by, press.delivery)

    async def _stopped(self, run: RunId, by: Account, delivery: str) -> Answer:
        return await self._intake.stop(run, by, delivery)

    async def _explain(self, request: Request, press: Press) -> Answer:
        person = await self._rights.known(request, press.by)
        if not request.is_open:
            raise AlreadySettled(request.id, request.status, "This is already settled.")
        letter = Explain(request=request.id, by=person.id)
        await self._store.tell(request.run, letter, delivery=press.delivery, effects=Effects())
        return Answer(is_taken=True, text="I asked the agent; its answer will appear on the card.")
