"""Re-routing: people turn a run's work to another member of the pattern that has it.

    press -> may they -> can it be turned there now -> one letter, like a reply -> its owner withdraws what is asked

Durable when it returns. Not what the pattern does then (agents/patterns/handoff), nor who may be chosen (`Run.routes`,
which the pattern says).
"""

from __future__ import annotations

from functools import partial

from bot.domain import events
from bot.domain.chat import Answer, Person
from bot.domain.errors import NotEligible, NotRequestable
from bot.domain.events import account_text
from bot.domain.letters import Said, taken_by
from bot.domain.request import RunId
from bot.domain.run import Heard, RunStatus
from bot.domain.run_card import TEXT, TO, routed_to
from bot.domain.store import Effects, Loaded
from bot.runtime.journal import once_more
from bot.runtime.parts import Parts
from bot.runtime.press import REASON_MOST, Press, sound
from bot.runtime.rights import Rights
from bot.runtime.steering import Steering

LIVE = (RunStatus.ACTIVE, RunStatus.WAITING)
ENDED = Answer(is_taken=False, text="This run has already ended.")


class Rerouting:
    def __init__(self, parts: Parts, rights: Rights) -> None:
        self._store, self._rights, self._steering = parts.store, rights, Steering(parts, rights)

    async def turn(self, press: Press) -> Answer:
        """Let another member go on. Raises NotRequestable, or NotEligible while somebody works on it by hand."""
        run = RunId(press.subject)
        person = await self._rights.tasker(press.by)
        if person is None:
            raise NotRequestable(f"{account_text(press.by)} may not re-route run {run}")
        loaded = await self._store.load(run)
        if loaded is None or loaded.status not in LIVE:
            return ENDED
        if barred := await self._steering.barred(person, loaded.run.agent):
            return Answer(is_taken=False, text=barred)
        await self._must_be_free(loaded, person)
        to, others = sound(str(press.fields.get(TO) or "")).strip(), routed_to(loaded.run)
        if to not in others:
            told = _elsewhere(loaded, others)
            return Answer(is_taken=False, text=told, problems={TO: told} if others else {})
        return await self._told(loaded, person, press, to)

    async def _told(self, loaded: Loaded, person: Person, press: Press, to: str) -> Answer:
        run, left = RunId(loaded.run.id), routed_to(loaded.run)[to]
        why = sound(str(press.fields.get(TEXT) or "")).strip()[:REASON_MOST]
        text = f"Re-routed from {left} to {to}. {why}".strip()
        audit = events.rerouted(run, person.id, press.delivery, left=left, agent=to)
        effects = Effects(audit=(audit,), dirty=(f"run|{run}",))
        letter = Said(heard=Heard(by=person.id, text=text, to=to))
        tell = partial(self._store.tell, run, letter, delivery=press.delivery, effects=effects)
        if await once_more(tell):
            return Answer(is_taken=True, text=f"{to} goes on; what was asked is withdrawn.")
        again = await self._store.load(run)
        is_live = again is not None and again.status in LIVE
        return Answer(is_taken=True, text="This was counted before.") if is_live else ENDED

    async def _must_be_free(self, loaded: Loaded, person: Person) -> None:
        if (has := taken_by(loaded.letters)) is not None:
            told = f"{await self._rights.name(has)} works on this by hand: hand it back first."
            raise NotEligible(loaded.run.id, person.id, told)


def _elsewhere(loaded: Loaded, others: object) -> str:
    at = ", ".join(route.at for route in loaded.run.routes)
    return f"{at} has it now: choose one of the others." if others else "There is nobody to re-route this to just now."
