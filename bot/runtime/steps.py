"""Steps: somebody looks at what a run has done so far, in private.

    press -> may they see the run at all -> its journal, drawn; with reasoning and results for those allowed

Whoever gave the task, steers it, had it by hand, answered a request of it or may answer one now reads the whole trace,
and that is written down. Everybody else who may see the run reads its steps alone. Not how it is drawn (domain/trace).
"""

from __future__ import annotations

from datetime import datetime

from bot.domain import events
from bot.domain.audit import parse_line
from bot.domain.calls import ToolSpec
from bot.domain.chat import Account, Answer, Person
from bot.domain.errors import Broken, NoSuchRequest, NotEligible, NotRequestable, UnknownTool, Unsatisfiable
from bot.domain.events import account_text
from bot.domain.letters import GaveBack, Took
from bot.domain.request import RequestId, RunId
from bot.domain.run import Decided, Told
from bot.domain.store import Loaded
from bot.domain.trace import Traced, steps_card
from bot.runtime.parts import Parts
from bot.runtime.press import Press
from bot.runtime.rights import Rights
from bot.runtime.sight import may_see

TOLD = "These are the steps so far."
GONE = Answer(is_taken=False, text="This run is not known any more.")
CALLS = ("call_allowed", "call_denied", "tool_started", "tool_finished")  # events that say when a call was


class Steps:
    def __init__(self, parts: Parts, rights: Rights) -> None:
        self._store, self._toolbox, self._rights = parts.store, parts.toolbox, rights

    async def open(self, press: Press) -> Answer:
        """The steps, and for those allowed the whole trace. Raises NotRequestable, NotEligible."""
        run = RunId(press.subject)
        person = await self._rights.tasker(press.by)
        if person is None:
            raise NotRequestable(f"{account_text(press.by)} may not look at run {run}")
        loaded = await self._store.load(run)
        if loaded is None:
            return GONE
        if not may_see(person, press.by, loaded):
            raise NotEligible(run, person.id, "Sorry, this run is not one that you may look at.")
        is_whole = await self._may_trace(person, press.by, loaded)
        if is_whole:
            opened = events.trace_opened(run, person.id, press.by, press.delivery)
            await self._store.log(int(run.split("-", 2)[1]), (opened,))
        card = steps_card(await self._traced(loaded), self._spec, is_whole=is_whole)
        return Answer(is_taken=True, text=TOLD, details=card)

    async def _may_trace(self, person: Person, account: Account, loaded: Loaded) -> bool:
        """Did they have a hand in it, or are they asked about it just now?"""
        hands = (letter.by for letter in loaded.letters if isinstance(letter, Took | GaveBack))
        answered = (who for entry in loaded.entries if isinstance(entry, Decided) for who in entry.decision.by)
        if person.id in {loaded.run.task.by, *loaded.run.steered_by, *hands, *answered}:
            return True
        return any([await self._is_asked(request, account) for request in loaded.asks])

    async def _is_asked(self, request: RequestId, account: Account) -> bool:
        try:
            await self._rights.reader((await self._store.held(request)).request, account)
        except (NotEligible, Unsatisfiable, NoSuchRequest, Broken):
            return False
        return True

    async def _traced(self, loaded: Loaded) -> Traced:
        people = {heard.by for entry in loaded.entries if isinstance(entry, Told) for heard in entry.heard}
        names = {who: await self._rights.name(who) for who in sorted(people)}
        times = await self._times(RunId(loaded.run.id))
        return Traced(run=loaded.run, entries=loaded.entries, times=times, names=names)

    async def _times(self, run: RunId) -> dict[str, datetime]:
        """When each call was last heard of, by its path."""
        entries = [parse_line(0, line) for line in await self._store.trail(run)]
        return {str(entry.fields["path"]): entry.at for entry in entries if entry.event in CALLS}

    def _spec(self, tool: str) -> ToolSpec | None:
        try:
            return self._toolbox.get(tool).spec
        except UnknownTool:
            return None
