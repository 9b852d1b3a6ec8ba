"""Routes: who goes on is written as rules, from one member to another; agents and people stand anywhere in between.

    Way(start="user", to="writer")                                     where it begins
    Way(start="writer", to="reviewer")
    Way(start="reviewer", to="writer", when='decision == "rejected"')  the first that holds, in the order they stand
    Way(start="reviewer", to="user")                                   where it ends: the last draft is the answer

A rule without `when` is for what goes on. A draft that is sent back goes to whoever made it, and one that is stopped,
unaccepted or that nobody answers for ends there, unless a condition says otherwise: no rule makes silence a yes. When
no rule holds, and when the turns are used up, people say who goes on. Rules are checked when they are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agents.patterns.ask import DONE, END, ask_stuck, ask_which
from agents.patterns.pattern import Pattern
from agents.patterns.person import GOES_BACK, GOES_ON, STOP, UNACCEPTED, UNANSWERED, Person
from agents.patterns.room import Member, Room, Turn, take_turn, tools_of
from agents.patterns.rounds import draft_turn, ended
from bot.domain.condition import BadCondition
from bot.domain.ports import Agent, RunContext
from bot.domain.when import Undecided, When, compile_when

USER = "user"  # where a task comes from, and where its answer goes
ENDED, FAILED = "ended", "failed"
HALTS = frozenset({STOP, UNACCEPTED, UNANSWERED, ENDED, FAILED})  # moves that only a condition can route on
KNOWN = ("decision", "move", "role", "by", "text", "values", "turns")  # what a condition may name
DECISIONS: Mapping[str, str] = {  # `decision`, by the turn's move; another move is its own
    **dict.fromkeys(GOES_ON, "accepted"),
    **dict.fromkeys((*GOES_BACK, UNACCEPTED), "rejected"),
    STOP: "stopped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """After a turn of *start*, *to* goes on *when* that holds; an empty *when* always does."""

    start: str
    to: str
    when: str = ""

    @property
    def told(self) -> str:
        return f"{self.start} → {self.to}" + (f" when {self.when}" if self.when else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes(Pattern):
    """`ports.Agent` and `Member`: *members* take turns as *rules* say; after *max_turns* people are asked."""

    name: str
    members: tuple[Agent | Member, ...]
    rules: tuple[Way, ...]
    max_turns: int = 20
    _whens: Mapping[str, When] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises ValueError, naming the rule or the member, for rules that could not be followed (A2-12)."""
        object.__setattr__(self, "_whens", _checked(self))

    @property
    def tools(self) -> tuple[str, ...]:
        return tools_of(*self.members)

    async def work(self, room: Room, ctx: RunContext) -> Turn:
        """The last draft, once a rule leads back to the user; an end before that says why."""
        return await _Walk(self, room, ctx).walked()

    def leaving(self, start: str) -> tuple[Way, ...]:
        return tuple(rule for rule in self.rules if rule.start == start)

    def holds(self, rule: Way, facts: Mapping[str, object]) -> bool:
        """Raises Undecided."""
        return not rule.when or self._whens[rule.when].holds(facts)


class _Walk:
    """One task on its way from the user to the user."""

    def __init__(self, pattern: Routes, room: Room, ctx: RunContext) -> None:
        self._pattern, self._room, self._ctx = pattern, room, ctx
        self._members = {one.name: one for one in pattern.members}
        self._turns = self._since = 0
        self._makers: list[str] = []  # whose turns were drafts, in order

    async def walked(self) -> Turn:
        begin = Turn(by=USER, text=self._room.task.text)
        step = await self._next(begin)
        while isinstance(step, str) and step != USER:
            if self._turns - self._since >= self._pattern.max_turns and (end := await self._renewed()):
                return end
            await self._room.hear(self._ctx)
            turn = await self._taken(step)
            step = await self._next(turn)
        return step if isinstance(step, Turn) else Turn(by=self._pattern.name, text=self._room.draft())

    async def _taken(self, name: str) -> Turn:
        """A turn of *name*. What people may look at next is shown as a draft (A2-14)."""
        member, ways = self._members[name], self._pattern.leaving(name)
        is_draft = any(_looks(self._members.get(rule.to)) for rule in ways) and not isinstance(member, Person)
        if is_draft:
            turn = await draft_turn(member, self._room, self._ctx)
        else:  # where every way leads to the user, its words are the answer, and told as that
            is_told = any(rule.to != USER for rule in ways)
            turn = await take_turn(member, self._room, self._ctx, is_told=is_told)
        self._turns += 1
        if not isinstance(member, Person):
            self._makers.append(name)
        return turn

    async def _next(self, turn: Turn) -> str | Turn:
        """Who goes on after *turn*; or the last word, if it ends here."""
        rules, told = self._pattern.leaving(turn.by), ""
        is_plain = turn.move not in HALTS | GOES_BACK
        try:
            for rule in rules:
                if (rule.when or is_plain) and self._pattern.holds(rule, self._facts(turn)):
                    return rule.to
        except Undecided as error:
            told = error.why
        if not told and turn.move in GOES_BACK and self._makers:
            return self._makers[-1]
        if not told and not is_plain:
            return ended(self._pattern.name, turn)
        return await self._asked(turn, told)

    def _facts(self, turn: Turn) -> Mapping[str, object]:
        member = self._members.get(turn.by)
        return {
            "decision": DECISIONS.get(turn.move, turn.move),
            "move": turn.move,
            "role": str(getattr(member, "role", "")),
            "by": turn.by,
            "text": turn.text,
            "values": turn.values,
            "turns": self._turns,
        }

    async def _asked(self, turn: Turn, told: str) -> str | Turn:
        """No rule says who goes on: people do, or it ends."""
        why = told or f"No rule says who goes on after {turn.by}."
        chosen = await ask_which(self._ctx, self._room, f"{why} Who does?", (*self._members, USER))
        if chosen is None:
            return Turn(by=self._pattern.name, text=f"This ended before it was finished. {why}", move=ENDED)
        return chosen

    async def _renewed(self) -> Turn | None:
        """Ask people for as many turns again; None: it goes on."""
        told = f"{self._pattern.name}: {self._turns} turns were taken, and it is not finished."
        how = await ask_stuck(self._ctx, self._room, told, [f"{one.by}: {one.text}" for one in self._room.words[1:]])
        if how.move == DONE:
            return Turn(by=self._pattern.name, text=how.text)
        if how.move == END:
            text = f"This ended before it was finished. {how.told}\n\nThe last draft:\n{self._room.draft()}"
            return Turn(by=self._pattern.name, text=text, move=ENDED)
        self._since = self._turns
        return None


def _looks(member: object) -> bool:
    return isinstance(member, Person) and member.does != "answer"


# ------------------------------------------------------------------- checking


def _checked(pattern: Routes) -> Mapping[str, When]:
    """The conditions of the rules, compiled. Raises ValueError."""
    names = [one.name for one in pattern.members]
    if not names or len({*names, USER}) <= len(names):
        raise ValueError(f"{pattern.name}: each member needs a name of its own, and none may be called {USER}")
    whens: dict[str, When] = {}
    for number, rule in enumerate(pattern.rules, 1):
        if wrong := next((one for one in (rule.start, rule.to) if one not in (*names, USER)), None):
            raise ValueError(_of(pattern, number, f"{wrong!r} is unknown; there are {', '.join(names)}, {USER}"))
        if any(not one.when for one in pattern.rules[: number - 1] if one.start == rule.start):
            raise ValueError(_of(pattern, number, f"an earlier rule from {rule.start} always holds, so it never does"))
        try:
            whens |= {rule.when: compile_when(rule.when, KNOWN)} if rule.when else {}
        except BadCondition as error:
            raise ValueError(_of(pattern, number, f"its condition is wrong: {error.why}")) from error
    _must_lead_on(pattern, names)
    return whens


def _of(pattern: Routes, number: int, why: str) -> str:
    return f"{pattern.name}: rule {number} ({pattern.rules[number - 1].told}): {why}"


def _must_lead_on(pattern: Routes, names: list[str]) -> None:
    """Every member can be reached from the user, and the user from every member."""
    onward = _reached(USER, {(rule.start, rule.to) for rule in pattern.rules})
    back = _reached(USER, {(rule.to, rule.start) for rule in pattern.rules})
    for name in names:
        if name not in onward:
            raise ValueError(f"{pattern.name}: no rule leads from {USER} to {name}; add one, or leave {name} out")
        if name not in back:
            raise ValueError(f"{pattern.name}: no rule leads from {name} to {USER}, so it could never end; add one")


def _reached(start: str, steps: set[tuple[str, str]]) -> set[str]:
    found, new = set[str](), {start}
    while new:
        new = {to for at, to in steps if at in new} - found
        found |= new
    return found
