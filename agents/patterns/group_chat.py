"""Group chat: members talk in turns, people among them, until one of them finishes it by a call or people end it.

    round robin: the members in their order, again and again
    speaker:     an agent says who is next (`next_speaker`), or that it is done (`finish`)
        -> a turn, posted under the member's name -> ... -> after max_turns people are asked: on, or end

What people write in the thread is read by every member at its next turn, under the writer's name (GN-18). No words end
a talk: "DONE" in a text is a text (D-36). Where a person reviews in it, no agent ends it: their yes does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agents.patterns.ask import DONE, END, ask_stuck
from agents.patterns.calls import Decider, Offer, Values, decide, decider, take_deciding_turn
from agents.patterns.finishing import FINISH, finished
from agents.patterns.pattern import Pattern
from agents.patterns.person import GOES_ON, STOP, UNACCEPTED, UNANSWERED, Person
from agents.patterns.room import SAID, Member, Room, Turn, tools_of
from bot.domain.ports import Agent, RunContext

ROUND_ROBIN: Literal["round_robin"] = "round_robin"
NEXT, ENDED = "next_speaker", "ended"
ENDS = frozenset({STOP, UNACCEPTED, ENDED})  # a person's moves, or what people said on a member's card
TRIED_MOST = 8  # turns that people read when they are asked how it goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChat(Pattern):
    """`ports.Agent` and `Member`: *members* in turns; *speaker* is the order they stand in, or an agent that chooses.

    After *max_turns* turns people are asked for as many again.
    """

    name: str
    members: tuple[Agent | Member, ...]
    speaker: Literal["round_robin"] | Decider = ROUND_ROBIN
    max_turns: int = 6

    def __post_init__(self) -> None:
        """Raises ValueError for a speaker that cannot choose, and for members that could not be told apart."""
        if self.speaker != ROUND_ROBIN:
            decider(self.name, "speaker", self.speaker)
        by_name = {one.name: one for one in self.members}
        if not self.members or any(by_name[one.name] is not one for one in self.members):
            raise ValueError(f"{self.name}: its members must be at least one, each with a name of its own")

    @property
    def tools(self) -> tuple[str, ...]:
        return tools_of(*self.members, self.speaker)

    async def work(self, room: Room, ctx: RunContext) -> Turn:
        """What the talk came to: the finish of a member, the draft a person accepted, or what was said last."""
        return await _Talk(self, room, ctx).held()

    @property
    def is_reviewed(self) -> bool:
        """Does a person look at drafts in it? Then no agent ends it."""
        return any(isinstance(one, Person) and one.does != "answer" for one in self.members)


class _Talk:
    """One talk: whose turn it is, how many there were, and what was said."""

    def __init__(self, chat: GroupChat, room: Room, ctx: RunContext) -> None:
        self._chat, self._room, self._ctx = chat, room, ctx
        self._turns = self._since = 0
        self._said: list[Turn] = []

    async def held(self) -> Turn:
        while True:
            if self._turns - self._since >= self._chat.max_turns and (end := await self._renewed()):
                return end
            await self._room.hear(self._ctx)
            member = await self._next()
            if isinstance(member, Turn):
                return member
            turn = await take_deciding_turn(member, self._room, self._ctx, self._offer)
            self._turns += 1
            if (end := self._end(turn)) is not None:
                return end
            self._said.append(turn)

    # ---------------------------------------------------------- whose turn

    async def _next(self) -> Agent | Member | Turn:
        """Who speaks next; or the end, where the speaker says so."""
        speaker, members = self._chat.speaker, self._chat.members
        if speaker == ROUND_ROBIN or not isinstance(speaker, Decider):
            return members[self._turns % len(members)]
        turn = await decide(speaker, self._room, self._ctx, self._choice)
        if turn.move == FINISH:
            return Turn(by=self._chat.name, text=finished(turn.values))
        if turn.move != NEXT:  # people ended its choosing
            return self._ended(turn.text)
        if note := str(turn.values.get("note") or "").strip():
            with self._ctx.acting_as(speaker.name):
                await self._ctx.note(f"To {turn.values['name']}: {note}")
            self._room.say(speaker.name, f"To {turn.values['name']}: {note}", is_draft=False)
        return next(one for one in members if one.name == turn.values["name"])

    @property
    def _choice(self) -> Offer:
        names = [one.name for one in self._chat.members]

        def flaw(call: str, values: Values) -> str | None:
            is_one = call != NEXT or values["name"] in names
            return None if is_one else f"{values['name']!r} is no member; the members are {', '.join(names)}."

        told = f"You choose who speaks next. The members are {', '.join(names)}. Call {NEXT} with one of them"
        if self._chat.is_reviewed:
            return Offer(calls=(NEXT,), told=f"{told}.", flaw=flaw)
        return Offer(calls=(NEXT, FINISH), told=f"{told}, or {FINISH} with the whole result.", flaw=flaw)

    @property
    def _offer(self) -> Offer:
        """What a member may end its turn with besides words."""
        is_free = self._chat.speaker == ROUND_ROBIN and not self._chat.is_reviewed
        told = f"You are one of several in a talk. When its result is reached, call {FINISH}; no words end the talk."
        return Offer(calls=(FINISH,), must=False, told=told) if is_free else Offer(calls=(), must=False)

    # -------------------------------------------------------------- the end

    def _end(self, turn: Turn) -> Turn | None:
        if turn.move == FINISH:
            return Turn(by=self._chat.name, text=finished(turn.values))
        if turn.move in GOES_ON:  # a person's yes, or their own text
            return Turn(by=self._chat.name, text=turn.text)
        if turn.move in ENDS:
            return self._ended(turn.told or turn.text)
        if turn.move == UNANSWERED and self._chat.is_reviewed:  # nobody accepts it; who only talks is passed over
            return self._ended(turn.text)
        return None

    async def _renewed(self) -> Turn | None:
        """Ask people for as many turns again; None: it goes on."""
        tried = [f"{one.by}: {one.text}" for one in self._said[-TRIED_MOST:] if one.text]
        told = f"{self._chat.name}: the talk has had {self._turns} turns and has come to no end."
        how = await ask_stuck(self._ctx, self._room, told, tried)
        if how.move == DONE:
            return Turn(by=self._chat.name, text=how.text)
        if how.move == END:
            return self._ended(how.told)
        self._since = self._turns
        return None

    def _ended(self, why: str) -> Turn:
        last = next((one for one in reversed(self._said) if one.move == SAID and one.text.strip()), None)
        told = f"The talk ended without a result. {why}".strip()
        text = f"{told}\n\nWhat was said last, by {last.by}:\n{last.text}" if last else told
        return Turn(by=self._chat.name, text=text, move=ENDED)
