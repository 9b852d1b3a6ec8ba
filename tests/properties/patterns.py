"""Random patterns and a random model: what replay is tried on when several agents, and people, work together.

    Drawn(kind, inside, bits, seed) -> Cast -> an agent: one pattern, with another one in the place of a member

What the model says follows from what it is asked and from nothing else; it gets to an end when a conversation grows
long. Not the process that dies, nor the people (mortal).
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from agents.patterns.concurrent import Concurrent
from agents.patterns.escalation import Escalation, Trigger
from agents.patterns.group_chat import GroupChat
from agents.patterns.handoff import Handoff
from agents.patterns.helpers import helper_tools
from agents.patterns.person import Person
from agents.patterns.phases import Phases
from agents.patterns.plan_first import PlanFirst
from agents.patterns.review_loop import ReviewLoop
from agents.patterns.room import Member
from agents.patterns.routes import Routes, Way
from agents.patterns.sequential import Sequential
from agents.react import ReAct
from agents.toolbox import tool
from bot.domain.calls import Risk, ToolSpec
from bot.domain.ports import Agent, Leave, Line, Said, Tool, WantedCall
from bot.domain.wire import dumps

LONG = 7  # lines of a conversation, from which on a model only comes to an end
INTERJECTED_MOST = 2
MEMBERS = re.compile(r"(?:members are|with hand_to:) ([\w, ]+)\.")
WORDS = ("Fine.", "They will sue us.", "A draft, with all that is known.")
SIDE_BY_SIDE = frozenset({"concurrent", "plan_first", "helpers"})


# ---------------------------------------------------------------- what is drawn


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A *kind* of pattern, one *inside* it (empty: none), which of its people it has, and what everybody says."""

    kind: str
    inside: str = ""
    bits: int = 0
    seed: int = 0

    @property
    def has_branches(self) -> bool:
        """Do members work side by side? Then only moments when all of them rest are the same every time."""
        return not SIDE_BY_SIDE.isdisjoint({self.kind, self.inside})


class Cast:
    """Makes the agents of one pattern, each with a name of its own."""

    def __init__(self, drawn: Drawn) -> None:
        self._left, self._bits, self._number = [drawn.inside], drawn.bits, 0
        self.agent = BUILD[drawn.kind](self)

    def has(self, bit: int) -> bool:
        return bool(self._bits >> bit & 1)

    def named(self, kind: str) -> str:
        self._number += 1
        return f"{kind}{self._number}"

    def one(self, *helpers: Agent) -> ReAct:
        name = self.named("agent")
        tools = ("look", "pay", *(("ask_people",) if self.has(3) else ()))
        return ReAct(name=name, prompt=name, tools=tools, max_steps=4, helpers=helpers)

    def some(self) -> Agent:
        """A member: the pattern inside, once, if there is one."""
        kind = self._left.pop() if self._left else ""
        return BUILD[kind](self) if kind else self.one()

    def person(self, does: Literal["review", "check", "gate", "answer"] = "review", of: str = "approvers") -> Person:
        return Person(name=self.named("person"), of=of, does=does, criteria="It is true." * (does == "check"), rounds=2)


class Build(Protocol):
    def __call__(self, cast: Cast) -> Agent: ...


def _helpers(cast: Cast) -> Agent:
    return cast.one(cast.some(), cast.one())


def _sequential(cast: Cast) -> Agent:
    first, last = cast.some(), cast.one()
    between: tuple[Agent | Member, ...] = (cast.person("check" if cast.has(1) else "review"),) if cast.has(0) else ()
    asked: tuple[Agent | Member, ...] = (cast.person("answer", of=""),) if cast.has(2) else ()
    looked = (last.name,) if cast.has(1) else ()
    members = (first, *between, *asked, last)
    return Sequential(name=cast.named("sequential"), members=members, look_after=looked, rounds=2)


def _phases(cast: Cast) -> Agent:
    both = (("Research", cast.some()), ("Draft", cast.one()))
    return Phases(name=cast.named("phases"), phases=both, of="approvers" if cast.has(0) else "", rounds=2)


def _review_loop(cast: Cast) -> Agent:
    checker = cast.person("check") if cast.has(0) else cast.one()
    name = cast.named("loop")
    return ReviewLoop(name=name, maker=cast.some(), checker=checker, gate=cast.person(), max_rounds=2)


def _concurrent(cast: Cast) -> Agent:
    members, name = (cast.some(), cast.one()), cast.named("concurrent")
    join, review = cast.one() if cast.has(0) else None, cast.person() if cast.has(1) else None
    return Concurrent(name=name, members=members, join=join, review=review, max_rounds=2)


def _group_chat(cast: Cast) -> Agent:
    members: list[Agent | Member] = [cast.some(), cast.one()]
    if cast.has(1):
        members.append(cast.person("answer" if cast.has(2) else "review"))
    name, all_of_them = cast.named("chat"), tuple(members)
    if cast.has(0):
        return GroupChat(name=name, members=all_of_them, speaker=cast.one(), max_turns=3)
    return GroupChat(name=name, members=all_of_them, max_turns=3)


def _handoff(cast: Cast) -> Agent:
    return Handoff(name=cast.named("handoff"), triage=cast.one(), members=(cast.some(), cast.one()), max_hands=2)


def _plan_first(cast: Cast) -> Agent:
    review = cast.person() if cast.has(0) else None
    of, name = "approvers" if cast.has(1) else "", cast.named("plan")
    members = (cast.some(), cast.one())
    return PlanFirst(name=name, planner=cast.one(), members=members, review=review, of=of, max_rounds=2, max_stalls=1)


def _escalation(cast: Cast) -> Agent:
    threat = Trigger(name="a threat", words=("sue",))
    return Escalation(name=cast.named("escalation"), member=cast.some(), triggers=(threat,), to="approvers")


def _routes(cast: Cast) -> Agent:
    maker, looks, last = cast.some(), cast.person(), cast.one()
    ways = (
        Way(start="user", to=maker.name),
        Way(start=maker.name, to=looks.name),
        Way(start=looks.name, to=last.name, when='decision == "rejected"'),
        Way(start=looks.name, to="user", when='decision == "accepted"'),
        Way(start=last.name, to=maker.name if cast.has(0) else "user"),
    )
    return Routes(name=cast.named("routes"), members=(maker, looks, last), rules=ways, max_turns=4)


BUILD: Mapping[str, Build] = {
    "single": lambda cast: cast.one(),
    "helpers": _helpers,
    "sequential": _sequential,
    "phases": _phases,
    "review_loop": _review_loop,
    "concurrent": _concurrent,
    "group_chat": _group_chat,
    "handoff": _handoff,
    "plan_first": _plan_first,
    "escalation": _escalation,
    "routes": _routes,
}


# ------------------------------------------------------------------- the world


@dataclass
class World:
    """What outlives every process: what really happened, and who has spoken already."""

    drawn: Drawn
    paid: dict[str, int] = field(default_factory=dict)  # by idempotency key
    interjected: set[str] = field(default_factory=set)  # conversations in which somebody spoke while a model thought
    is_dead: Callable[[], bool] = lambda: False  # the process that asks is dead, and does not know it yet
    say: Callable[[str], Awaitable[object]] = lambda _text: asyncio.sleep(0)  # a person writes in the thread

    def tools(self, agent: Agent) -> tuple[Tool, ...]:
        @tool(risk=Risk.READ)
        async def look(number: int) -> str:
            """Look something up."""
            await asyncio.sleep(0)
            return f"saw {number}"

        @tool(risk=Risk.WRITE, idempotent=True)
        async def pay(number: int, leave: Leave) -> str:
            """Pay something out."""
            self.paid[leave.key] = number
            await asyncio.sleep(0)
            return f"paid {number}"

        return look, pay, *helper_tools(agent)


class Mind:
    """`ports.Model`: says what follows from what it is asked. Sometimes somebody writes while it thinks."""

    name = "mind"

    def __init__(self, world: World) -> None:
        self._world = world

    async def think(
        self,
        lines: Sequence[Line],
        tools: Sequence[ToolSpec],
        *,
        on_text: Callable[[str], None] | None = None,  # noqa: ARG002  # the port's signature
    ) -> Said:
        asked = "\n".join(f"{line.role} {line.text} {line.calls}" for line in lines)
        mark = hashlib.sha256(f"{self._world.drawn.seed} {asked}".encode()).hexdigest()
        chance = random.Random(mark)
        if self._world.is_dead():  # nothing comes of it
            await asyncio.Event().wait()
        if chance.random() < 0.15 and self._is_quiet_enough(mark):
            self._world.interjected.add(mark)
            await self._world.say(f"Mind the {mark[:4]}.")
            await asyncio.Event().wait()  # until their words are heard, or the process dies
        await asyncio.sleep(0)
        return _said(lines, [one.name for one in tools], chance)

    def _is_quiet_enough(self, mark: str) -> bool:
        world = self._world
        has_room = len(world.interjected) < INTERJECTED_MOST and mark not in world.interjected
        return has_room and not world.drawn.has_branches


def _said(lines: Sequence[Line], tools: Sequence[str], chance: random.Random) -> Said:
    is_long = len(lines) >= LONG
    found = MEMBERS.search(lines[0].text)
    members = [name.strip() for name in found[1].split(",")] if found else []
    if decides := [name for name in tools if name in DECIDES]:
        chosen = decides[-1] if is_long else chance.choice(decides)
        must = chosen in ("plan", "progress", "verdict", "next_speaker") or (chosen == "hand_to" and "must" in tools)
        if must or is_long or chance.random() < 0.6:
            return _calls([(chosen, DECIDES[chosen](members, is_long, chance))], lines)
    wanted = [] if is_long else list(_wanted(tools, chance))
    return _calls(wanted, lines) if wanted else Said(text=f"{chance.choice(WORDS)} {chance.randrange(100)}")


def _wanted(tools: Sequence[str], chance: random.Random) -> Iterator[tuple[str, dict[str, object]]]:
    """The tools called in one turn: none, one, or a few side by side."""
    for _ in range(chance.choice([0, 0, 1, 1, 2])):
        name = chance.choice([one for one in tools if one not in DECIDES])
        if name in ("look", "pay"):
            yield name, {"number": chance.randrange(10**9)}
        elif name == "ask_people":
            yield name, {"question": f"Which one, of {chance.randrange(10**9)}?", "options": ["this", "that"]}
        else:
            yield name, {"task": f"Find out {chance.randrange(100)}."}


def _calls(wanted: Sequence[tuple[str, dict[str, object]]], lines: Sequence[Line]) -> Said:
    made = [
        WantedCall(id=f"c{len(lines)}.{at}", tool=name, args=dumps(args).decode())
        for at, (name, args) in enumerate(wanted)
    ]
    return Said(text="So I do it.", calls=tuple(made))


def _plan(members: Sequence[str], _is_long: bool, chance: random.Random) -> dict[str, object]:
    count = chance.choice([1, 2, 2, 3])
    steps = [
        {"what": f"step {at}", "who": chance.choice(members), "beside": chance.random() < 0.4} for at in range(count)
    ]
    return {"goal": f"goal {chance.randrange(100)}", "steps": steps, "facts": [f"fact {chance.randrange(9)}"]}


def _progress(_members: Sequence[str], is_long: bool, chance: random.Random) -> dict[str, object]:
    state = "done" if is_long else chance.choice(["go_on", "go_on", "done", "stalled", "stuck"])
    return {"state": state, "note": f"so far {chance.randrange(100)}"}


def _verdict(_members: Sequence[str], is_long: bool, chance: random.Random) -> dict[str, object]:
    return {"move": "accept" if is_long else chance.choice(["accept", "revise"]), "text": f"n {chance.randrange(100)}"}


def _to(members: Sequence[str], _is_long: bool, chance: random.Random) -> dict[str, object]:
    return {"name": chance.choice(members), "note": chance.choice(["", "Please."])}


def _finish(_members: Sequence[str], _is_long: bool, chance: random.Random) -> dict[str, object]:
    return {"answer": f"All done: {chance.randrange(100)}."}


DECIDES: Mapping[str, Callable[[Sequence[str], bool, random.Random], dict[str, object]]] = {
    "plan": _plan,
    "progress": _progress,
    "verdict": _verdict,
    "next_speaker": _to,
    "hand_to": _to,
    "finish": _finish,
}
