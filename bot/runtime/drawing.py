"""From records to cards: gathers names, the tool's description and seals, and lets the floor draw."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain import wording
from bot.domain.calls import ToolSpec
from bot.domain.chat import Button, Card, Fact, PersonId
from bot.domain.details import details
from bot.domain.errors import UnknownTool, Unsatisfiable
from bot.domain.inquiry import is_inquiry
from bot.domain.inquiry_card import inquiry_card, passed_on, waits_here
from bot.domain.ports import Absences, Directory, Toolbox
from bot.domain.render import STOP, card
from bot.domain.request import Copy, Request
from bot.domain.run import Entry, Run
from bot.domain.run_card import status_card
from bot.domain.sheet import Sheet
from bot.domain.sheet_card import is_whole, sheet_card
from bot.domain.store import Held
from bot.domain.wire import replace
from bot.runtime.rights import Rights
from bot.runtime.roles import role
from bot.runtime.seal import Seal


class Drawing:
    def __init__(self, toolbox: Toolbox, directory: Directory, absences: Absences, key: bytes) -> None:
        self._toolbox, self._directory, self._seal = toolbox, directory, Seal(key)
        self._rights = Rights(directory, absences, is_judging=False)

    async def request(self, request: Request, *, to: PersonId | None = None) -> Card:
        """The card of *request* as it stands now; a copy sent to one person calls them."""
        people = {request.requester, *(v.person for v in request.votes), *request.standins, *request.excluded}
        people |= {who for handed in request.handed for who in (handed.by, handed.to)}
        if request.edit:
            people.add(request.edit.editor)

        def token(move: str) -> str:
            return self._seal.mark(request.run, "", move) if move == "stop" else self._seal.request(request, move)

        names = await self._names(people)
        if is_inquiry(request.kind):
            drawn = inquiry_card(request, names=names, seal=token)
        else:
            drawn = card(request, self._spec(request), names=names, seal=token, outcome=request.outcome)
        drawn = await self._with_deputies(drawn, request) if request.is_open else drawn
        return await self._for(drawn, request, to) if to and request.is_open else drawn

    async def _for(self, drawn: Card, request: Request, person: PersonId) -> Card:
        """The copy of one person: it calls them, and says in which role they are asked."""
        told = await role(request, person, self._directory, self._rights)
        facts = (*drawn.facts, Fact(label="You are asked as", value=told)) if told else drawn.facts
        return replace(drawn, facts=facts, mentions=(person,))

    async def _with_deputies(self, drawn: Card, request: Request) -> Card:
        """Who else may answer, because somebody who is asked is away just now; or that nobody is there at all."""
        try:
            standing = await self._rights.stand_ins(request)
            gone = await self._rights.all_away(request)
        except Unsatisfiable:  # whom a group means cannot be said; whoever presses will hear it
            return drawn
        if gone is not None:
            all_away = f"Everybody who may answer is away; the first is back at {wording.time(gone.until)}"
            return replace(drawn, facts=(*drawn.facts, Fact(label="Away", value=all_away)))
        if not standing:
            return drawn
        names = await self._names({*standing, *standing.values()})
        told = (f"{wording.name(names, who)}: {wording.name(names, standing[who])} decides" for who in sorted(standing))
        return replace(drawn, facts=(*drawn.facts, Fact(label="Away", value="; ".join(told))))

    async def sheet(self, sheet: Sheet, *, to: PersonId | None = None) -> Card:
        """The card of *sheet* as it stands now; a copy sent to one person calls them."""
        people = {one.requester for one in sheet.items}
        people |= {who for one in sheet.items if one.decision is not None for who in one.decision.by}
        head = sheet.head

        def token(move: str) -> str:
            return self._seal.mark(head.run if move == STOP else head.id, "" if move == STOP else sheet.digest, move)

        drawn = sheet_card(sheet, spec=self._spec, names=await self._names(people), seal=token)
        return replace(drawn, mentions=(to,)) if to and sheet.open else drawn

    def is_whole(self, request: Request) -> bool:
        """Is every byte of *request* shown on its sheet?"""
        return is_whole(request, self._spec(request))

    async def details(self, request: Request, before: str) -> Card:
        """All there is to know about *request*, for whoever may answer it; *before* is about calls like it."""
        names = await self._names({request.requester, *(vote.person for vote in request.votes)})
        return details(request, self._spec(request), names, before)

    async def copy(self, held: Held, copy: Copy) -> Card:
        """A request as it stands in one place: where it was handed on from, there is nothing left to answer; nor where
        whoever can no longer answer it would read it. In the thread it can be, until whoever is asked has a copy."""
        request = held.request
        drawn = await self.request(request, to=copy.to)
        if not request.is_open or not request.handed:
            return drawn
        last, asked = request.handed[-1], await self._asked_now(request)
        if copy.to in asked or copy.to in request.standins or (last.is_back and copy.to != last.by):
            return drawn
        names = await self._names({last.by, last.to})
        is_waiting = copy.to is None and not any(one.to in asked for one in held.copies)
        return (waits_here if is_waiting else passed_on)(drawn, request, names)

    async def _asked_now(self, request: Request) -> frozenset[PersonId]:
        """Whom it was handed to, and whoever decides for them while they are away."""
        to = request.handed[-1].to
        deputy = (await self._rights.standing(request, frozenset({to}))).get(to)
        return frozenset({to, deputy}) if deputy is not None else frozenset({to})

    async def status(self, run: Run, line: str, entries: Sequence[Entry] = ()) -> Card:
        names = await self._names({run.task.by, *([run.taken_by] if run.taken_by else [])})
        return status_card(run, line, seal=lambda move: self._seal.mark(run.id, "", move), names=names, entries=entries)

    def stop(self, run: Run) -> Button | None:
        """The Stop button of *run*'s status message; None once it is ending. Asks nobody for names."""
        drawn = status_card(run, "", seal=lambda move: self._seal.mark(run.id, "", move), names={})
        return next((button for button in drawn.buttons if button.move == STOP), None)

    async def run_button(self, run: Run, move: str) -> Button | None:
        """The button *move* of *run*'s status message as it is now; None if it has none."""
        return next((button for button in (await self.status(run, "")).buttons if button.move == move), None)

    def _spec(self, request: Request) -> ToolSpec | None:
        """None for a tool that is gone: which of its arguments are secret is not known any more."""
        try:
            return self._toolbox.get(request.call.tool).spec
        except UnknownTool:
            return None

    async def _names(self, people: set[PersonId]) -> dict[PersonId, str]:
        found = {who: await self._directory.person(who) for who in people}
        return {who: person.name if person else who for who, person in found.items()}
