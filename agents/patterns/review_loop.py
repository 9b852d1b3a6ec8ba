"""A review loop: one makes, one checks, and a person is the gate that neither of them is.

    maker -> draft -> checker -> passes? -> gate (a person) -> accepted: it goes on
      ^                  └ fails: notes ─┐      └ words ─┐    └ else: unaccepted, and said so
      └──────────────────────────────────┴──────────────┘

The checker's verdict is a call, never its words (D-36). It spares people bad drafts and decides nothing more: what it
passes goes to the gate, and so does, with its notes, what it has not passed after `max_rounds` (D-14).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agents.patterns.calls import Decider, Offer, decide, decider
from agents.patterns.pattern import Pattern
from agents.patterns.person import ACCEPT, FAIL, GOES_BACK, GOES_ON, PASS, Person
from agents.patterns.room import SAID, Member, Room, Turn, take_turn, tools_of
from agents.patterns.rounds import draft_turn, ended
from bot.domain.ports import Agent, RunContext

ENDED = "ended"
VERDICT = Offer(calls=("verdict",))
FAILED_STILL = "It has not passed after {rounds} rounds. "


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewLoop(Pattern):
    """`ports.Agent` and `Member`. *max_rounds* are drafts that the checker sends back before people look anyway."""

    name: str
    maker: Agent | Member
    checker: Decider | Person
    gate: Person
    max_rounds: int = 3

    def __post_init__(self) -> None:
        """Raises ValueError for a gate that is no person, or a checker that gives no verdict."""
        if not isinstance(self.gate, Person) or self.gate.does == "answer":
            raise ValueError(f"the gate of {self.name} must be a person who looks at the draft, and no agent")
        if isinstance(self.checker, Person):
            if self.checker.does != "check":
                raise ValueError(f"the checker of {self.name} is a person, and must check: does: check")
        else:
            decider(self.name, "checker", self.checker)
        if self.max_rounds < 1:
            raise ValueError(f"{self.name} has {self.max_rounds} rounds; it needs at least 1")

    @property
    def tools(self) -> tuple[str, ...]:
        return tools_of(self.maker, self.checker, self.gate)

    async def work(self, room: Room, ctx: RunContext) -> Turn:
        """The text that the gate let through; else that it is unaccepted."""
        while True:
            checked = await self._checked(room, ctx)
            if checked.move not in (PASS, FAIL):
                return ended(self.name, checked)
            looked = await take_turn(self.gate, room, ctx)
            if looked.move in GOES_ON:
                return Turn(by=self.name, text=looked.text)
            if looked.move not in GOES_BACK:
                return ended(self.name, looked)

    async def _checked(self, room: Room, ctx: RunContext) -> Turn:
        """The last verdict on a draft: a pass, or the last round's fail; or the turn with which people ended it."""
        for left in reversed(range(self.max_rounds)):
            made = await draft_turn(self.maker, room, ctx)
            if made.move != SAID:
                return made
            verdict = await self._verdict(room, ctx, is_last=not left)
            if verdict.move != FAIL:
                return verdict
        return verdict

    async def _verdict(self, room: Room, ctx: RunContext, *, is_last: bool) -> Turn:
        """What the checker says of the draft, in the room and in the thread."""
        if isinstance(self.checker, Person):
            return await take_turn(self.checker, room, ctx)
        given = await decide(self.checker, room, ctx, VERDICT)
        if given.move != VERDICT.calls[0]:  # no verdict, so nothing that could go on
            return given if given.move != SAID else replace(given, move=ENDED)
        notes = str(given.values.get("text") or "")
        move, word = (PASS, "It passes.") if given.values["move"] == ACCEPT else (FAIL, "It fails.")
        more = FAILED_STILL.format(rounds=self.max_rounds) if is_last and move == FAIL else ""
        verdict = replace(given, text=f"{more}{word} {notes}".strip(), move=move)
        room.take(verdict)
        with ctx.acting_as(self.checker.name):
            await ctx.note(verdict.text)
        return verdict
