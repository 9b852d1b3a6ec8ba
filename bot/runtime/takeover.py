"""Taking a run over, and handing it back: letters, like a reply, so that every process hears them.

    press or word -> may they -> who has it now -> one letter, if nobody was faster -> its owner closes what was asked

Durable when it returns. Not what the run does about it (runner, host), nor what it may still begin (work, passage).
"""

from __future__ import annotations

from functools import partial

from bot.domain import events, inquiry
from bot.domain.chat import Account, Answer, Person
from bot.domain.errors import NotEligible, NotRequestable, Unheard
from bot.domain.events import account_text
from bot.domain.letters import GaveBack, Took, taken_by
from bot.domain.request import Kind, Request, RunId
from bot.domain.run import RunStatus
from bot.domain.store import Effects, Loaded, Turn
from bot.domain.wire import replace
from bot.runtime.journal import once_more
from bot.runtime.parts import Parts
from bot.runtime.press import Press, sound
from bot.runtime.rights import Rights
from bot.runtime.steering import Steering

TEXT = "text"  # the field behind Hand back
TEXT_MOST = 10_000  # characters the agent is told when it goes on
LIVE = (RunStatus.ACTIVE, RunStatus.WAITING)
ENDED = Answer(is_taken=False, text="This run has already ended.")
THANKS = "Thank you. The agent goes on, and hears what was said meanwhile."
WORDLESS = "You can hand it back without words."
NOBODYS = "Nobody has taken this over: the agent works on it."
YOURS = "You have it. The agent begins nothing until you press Hand back; what was asked is withdrawn."


class Takeover:
    def __init__(self, parts: Parts, rights: Rights) -> None:
        self._store, self._rights, self._steering = parts.store, rights, Steering(parts, rights)

    async def take(self, press: Press) -> Answer:
        """Let somebody work on the run by hand. Raises NotRequestable, or NotEligible when another one has it."""
        run = RunId(press.subject)
        person = await self._tasker(run, press.by)
        audit = events.run_taken(run, person.id, press.delivery)
        while True:
            loaded = await self._live(run)
            if loaded is None:
                return ENDED
            if taken_by(loaded.letters) == person.id:  # pressed twice, or delivered again
                return Answer(is_taken=True, text=YOURS)
            await self._must_be_free(loaded, person)
            try:
                is_told = await self._told(loaded, Took(by=person.id), press.delivery, audit)
            except Unheard:
                continue  # a letter came in between: perhaps somebody else took it
            return Answer(is_taken=True, text=YOURS) if is_told else await self._again(run)

    async def hand_back(self, press: Press) -> Answer:
        """Let the agent go on, with what the person says to it. Raises NotRequestable, NotEligible."""
        run = RunId(press.subject)
        person = await self._tasker(run, press.by)
        text = sound(str(press.fields.get(TEXT) or "")).strip()
        if len(text) > TEXT_MOST:
            told = f"At most {TEXT_MOST:,} characters, please."
            return Answer(is_taken=False, text=told, problems={TEXT: told})
        audit = events.run_returned(run, person.id, press.delivery)
        while True:
            loaded = await self._live(run)
            if loaded is None:
                return ENDED
            if taken_by(loaded.letters) is None:
                is_done = any(letter == GaveBack(by=person.id, text=text) for letter in loaded.letters)
                return Answer(is_taken=True, text=THANKS) if is_done else Answer(is_taken=False, text=NOBODYS)
            await self._must_be_theirs(loaded, person)
            if text and (barred := await self._steering.barred_from(person, loaded)):
                barred = f"{barred} {WORDLESS}"
                return Answer(is_taken=False, text=barred, problems={TEXT: barred})
            try:
                is_told = await self._told(loaded, GaveBack(by=person.id, text=text), press.delivery, audit)
            except Unheard:
                continue
            return Answer(is_taken=True, text=THANKS) if is_told else await self._again(run)

    async def claimed(self, turn: Turn) -> Turn:
        """*turn*, which decides an escalation by "I take it": in the same step the run is theirs.

        Raises NotEligible when somebody else has it already.
        """
        decision = turn.after.decision
        assert decision is not None, "only a decision claims a run"
        loaded = await self._store.load(turn.after.run)
        person = await self._rights.person(decision.by[-1])
        if loaded is None or person is None:
            raise NotEligible(turn.after.id, decision.by[-1], "This run is not known any more.")
        await self._must_be_free(loaded, person)
        effects = turn.effects
        effects = replace(
            effects,
            audit=(*effects.audit, events.run_taken(turn.after.run, person.id, turn.delivery)),
            dirty=(*effects.dirty, f"run|{turn.after.run}"),
        )
        return replace(turn, letter=Took(by=person.id), known=len(loaded.letters), effects=effects)

    # -------------------------------------------------------------- checks

    async def _tasker(self, run: RunId, by: Account) -> Person:
        person = await self._rights.tasker(by)
        if person is None:
            raise NotRequestable(f"{account_text(by)} may not take over run {run}, nor hand it back")
        return person

    async def _live(self, run: RunId) -> Loaded | None:
        loaded = await self._store.load(run)
        return loaded if loaded is not None and loaded.status in LIVE else None

    async def _must_be_free(self, loaded: Loaded, person: Person) -> None:
        has = taken_by(loaded.letters)
        if has is not None and has != person.id:
            told = f"{await self._rights.name(has)} works on this already."
            raise NotEligible(loaded.run.id, person.id, told)

    async def _must_be_theirs(self, loaded: Loaded, person: Person) -> None:
        """Whoever has it hands it back; or whoever gave the task, if the other one is nowhere to be found."""
        has = taken_by(loaded.letters)
        if has is not None and person.id not in (has, loaded.run.task.by):
            names = [await self._rights.name(who) for who in dict.fromkeys((has, loaded.run.task.by))]
            raise NotEligible(loaded.run.id, person.id, f"{names[0]} has it: {' or '.join(names)} can hand it back.")

    async def _told(self, loaded: Loaded, letter: Took | GaveBack, delivery: str, audit: bytes) -> bool:
        """False when the run has ended, or this delivery was counted before. Raises Unheard if letters came since."""
        run, known = RunId(loaded.run.id), len(loaded.letters)
        effects = Effects(audit=(audit,), dirty=(f"run|{run}",))
        return await once_more(partial(self._store.tell, run, letter, delivery=delivery, effects=effects, known=known))

    async def _again(self, run: RunId) -> Answer:
        """Nothing was written: an old press came once more, or the run ended in this very moment."""
        return ENDED if await self._live(run) is None else Answer(is_taken=True, text="This was counted before.")


def claims(after: Request) -> bool:
    """Does this answer make the run theirs?"""
    return after.kind is Kind.ESCALATION and after.decision is not None and inquiry.move_of(after.decision) == "take"
