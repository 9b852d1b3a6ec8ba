"""Who may say what an agent does: the task, a reply, the words of a hand-back, where its work is turned to.

`may` in agents.yml is judged by the directory each time, not remembered from the task. Whoever was asked to take a run
over, and has it, drives it all the same: that is what they were asked for. Not who may answer what an agent asks:
whoever is asked says in the answer what they like (rights).
"""

from __future__ import annotations

from bot.domain import inquiry
from bot.domain.chat import Person
from bot.domain.letters import taken_by
from bot.domain.routing import told_who_may
from bot.domain.run import Decided
from bot.domain.store import Loaded
from bot.runtime.parts import Parts
from bot.runtime.rights import Rights


class Steering:
    def __init__(self, parts: Parts, rights: Rights) -> None:
        self._roster, self._rights = parts.roster, rights

    async def barred(self, person: Person, agent: str) -> str:
        """What *person* hears if they may not tell *agent* what to do; empty if they may.

        A failed look-up raises Unavailable.
        """
        listing = next((one for one in self._roster.listings() if one.name == agent), None)
        if listing is None or await self._rights.may_task(person, listing):
            return ""
        return told_who_may(listing)

    async def barred_from(self, person: Person, loaded: Loaded) -> str:
        """The same of one run, as it was just now *loaded*."""
        return "" if _drives(person, loaded) else await self.barred(person, loaded.run.agent)


def _drives(person: Person, loaded: Loaded) -> bool:
    """Has *person* the run by hand, after an escalation of it asked them to take it over?"""
    if taken_by(loaded.letters) != person.id:
        return False
    decided = [entry.decision for entry in loaded.entries if isinstance(entry, Decided)]
    return any(person.id in one.by and inquiry.move_of(one) == "take" for one in decided)
