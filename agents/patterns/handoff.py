"""Handoff: one agent says who takes the task on; people can turn it to another one at any time.

    triage -> hand_to(billing) -> "Routed to billing" [Re-route] -> billing works -> its words are the answer
                                             ^          │              └ hand_to(tech), as often as may be
                                             └──────────┴─ people re-route: billing begins nothing more, tech goes on

Whoever goes on reads all that was said, and why people turned it. Who may press Re-route, and what it withdraws, is the
runtime's (rerouting); how a member notices is in `turned`.
"""

from __future__ import annotations

from dataclasses import dataclass

from agents.patterns.ask import DONE, END, ask_stuck
from agents.patterns.calls import Decider, Offer, Values, decider, take_deciding_turn
from agents.patterns.concurrent import MEMBER_FAILURES
from agents.patterns.pattern import Pattern
from agents.patterns.room import Member, Room, Turn, tools_of
from agents.patterns.turned import Left, Turned, Watched
from bot.domain.ports import Agent, RunContext

HAND_TO = "hand_to"
ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handoff(Pattern):
    """`ports.Agent` and `Member`: *triage* chooses one of *members*, who may hand it on to one another.

    After *max_hands* times from hand to hand people are asked whether it goes on.
    """

    name: str
    triage: Decider
    members: tuple[Agent | Member, ...]
    max_hands: int = 6

    def __post_init__(self) -> None:
        """Raises ValueError for a triage that cannot decide, and for members that could not be told apart."""
        decider(self.name, "triage", self.triage)
        names = [self.triage.name, *(one.name for one in self.members)]
        if not self.members or len(set(names)) < len(names):
            raise ValueError(f"{self.name}: its triage and at least one member must each have a name of its own")

    @property
    def tools(self) -> tuple[str, ...]:
        return tools_of(self.triage, *self.members)

    async def work(self, room: Room, ctx: RunContext) -> Turn:
        """The words of whoever had it last."""
        at, hands = self.triage.name, 0
        while True:
            ears = Watched(ctx, self._names, at).whole
            try:
                if hands > self.max_hands:
                    how = await ask_stuck(ears, room, f"{self.name}: this went from hand to hand {hands} times.")
                    if how.move in (END, DONE):
                        turn = Turn(by=self.name, text=how.text or f"This ended unanswered. {how.told}", move=ENDED)
                        break
                    hands = 0
                turn = await self._turn(at, room, ears)
            except (Left, *MEMBER_FAILURES) as left:
                turned = left if isinstance(left, Turned) else None
                if turned is None or turned.to not in self._names:  # it is over here: nobody can be turned to any more
                    await ctx.route(self.name, at)
                    raise
                room.heard(turned.replies)
                at = turned.to
                await ctx.route(self.name, at, self._names)
                continue
            if turn.move != HAND_TO:
                break
            at, hands = str(turn.values["name"]), hands + 1
            await self._hand_on(turn, at, room, ctx)
        await ctx.route(self.name, at)
        return Turn(by=self.name, text=turn.text, move=turn.move, values=turn.values)

    async def _turn(self, at: str, room: Room, ears: RunContext) -> Turn:
        """Its words are the answer, and told as that. Raises Turned for what people pressed in its last moment, too."""
        turn = await take_deciding_turn(self._member(at), room, ears, self._offer(at), is_told=False)
        await room.hear(ears)
        return turn

    async def _hand_on(self, turn: Turn, to: str, room: Room, ctx: RunContext) -> None:
        note = str(turn.values.get("note") or "")
        room.say(turn.by, f"I hand this to {to}. {note}".strip(), is_draft=False)
        with ctx.acting_as(turn.by):
            if note.strip():
                await ctx.note(note)
            await ctx.route(self.name, to, self._names)

    # ---------------------------------------------------------------- members

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.members)

    def _member(self, name: str) -> Agent | Member:
        return next(one for one in (self.triage, *self.members) if one.name == name)

    def _offer(self, at: str) -> Offer:
        """The one who has it may hand it to anybody else; triage must."""
        others = [name for name in self._names if name != at]

        def flaw(call: str, values: Values) -> str | None:
            is_one = call != HAND_TO or values["name"] in others
            return None if is_one else f"{values['name']!r} is none of: {', '.join(others)}."

        if not others:
            return Offer(calls=(), must=False)
        told = f"Colleagues you can hand this to with {HAND_TO}: {', '.join(others)}."
        return Offer(calls=(HAND_TO,), must=at == self.triage.name, told=told, flaw=flaw)
