"""From records to cards: gathers names, the tool's description and seals, and lets the floor draw."""

from __future__ import annotations

from bot.domain.calls import ToolSpec
from bot.domain.chat import Button, Card, PersonId
from bot.domain.errors import UnknownTool
from bot.domain.inquiry import is_inquiry
from bot.domain.inquiry_card import inquiry_card
from bot.domain.ports import Directory, Toolbox
from bot.domain.render import STOP, card
from bot.domain.request import Request
from bot.domain.run import Run
from bot.domain.run_card import status_card
from bot.domain.wire import replace
from bot.runtime.seal import Seal


class Drawing:
    def __init__(self, toolbox: Toolbox, directory: Directory, key: bytes) -> None:
        self._toolbox, self._directory, self._seal = toolbox, directory, Seal(key)

    async def request(self, request: Request, *, to: PersonId | None = None) -> Card:
        """The card of *request* as it stands now; a copy sent to one person calls them."""
        people = {request.requester, *(v.person for v in request.votes), *request.standins, *request.excluded}
        if request.edit:
            people.add(request.edit.editor)

        def token(move: str) -> str:
            return self._seal.mark(request.run, "", move) if move == "stop" else self._seal.request(request, move)

        names = await self._names(people)
        if is_inquiry(request.kind):
            drawn = inquiry_card(request, names=names, seal=token)
        else:
            drawn = card(request, self._spec(request), names=names, seal=token, outcome=request.outcome)
        return replace(drawn, mentions=(to,)) if to and request.is_open else drawn

    async def status(self, run: Run, line: str) -> Card:
        names = await self._names({run.task.by})
        return status_card(run, line, seal=lambda move: self._seal.mark(run.id, "", move), names=names)

    def stop(self, run: Run) -> Button | None:
        """The Stop button of *run*'s status message; None once it is ending. Asks nobody for names."""
        drawn = status_card(run, "", seal=lambda move: self._seal.mark(run.id, "", move), names={})
        return next((button for button in drawn.buttons if button.move == STOP), None)

    def _spec(self, request: Request) -> ToolSpec | None:
        """None for a tool that is gone: which of its arguments are secret is not known any more."""
        try:
            return self._toolbox.get(request.call.tool).spec
        except UnknownTool:
            return None

    async def _names(self, people: set[PersonId]) -> dict[PersonId, str]:
        found = {who: await self._directory.person(who) for who in people}
        return {who: person.name if person else who for who, person in found.items()}
