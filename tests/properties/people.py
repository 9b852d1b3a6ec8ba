"""What the people's side is tried on: a crew, rules of every kind, tools that write down each start, a planned model.

Not the bot that runs on it (process), what people do (scene), nor what must hold (book, court).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from bot.domain.calls import Outcome, Risk, ToolCall, ToolResult, ToolSpec
from bot.domain.chat import Person, PersonId
from bot.domain.errors import InvalidArguments
from bot.domain.ports import Leave, Line, Said, Tool, WantedCall
from bot.domain.wire import Json
from bot.peoplefile import PeopleDirectory, parse_people
from tests.flows.stage import Staff
from tests.properties.fate import Fate

CREW = b"""
people:
  ana: {name: Ana, groups: [sales], manager: dana, accounts: {playground: ana}}
  bo: {name: Bo, groups: [approvers], manager: dana, accounts: {playground: bo}}
  chris: {name: Chris, groups: [approvers, finance], manager: dana, accounts: {playground: chris}}
  dana: {name: Dana, groups: [managers], manager: erin, accounts: {playground: dana}}
  erin: {name: Erin, groups: [managers], accounts: {playground: erin}}
  eve: {name: Eve, groups: [sales], manager: dana, accounts: {playground: eve}}
  gus: {name: Gus, groups: [approvers], guest: true, accounts: {playground: gus}}
"""
WIDENED = timedelta(minutes=15)  # from then on the ladder's people may fill any seat
POLICY = """
defaults:
  ask: {groups: [approvers], separate_duties: true, reason: on_reject}
  ladder:
    - {after: 5m, remind: here}
    - {after: 15m, also: managers}
    - {after: 30m, dm: manager(approver)}
    - {after: 4h, expire: true}
rules:
  - {id: look, when: tool.risk == "read", allow: true}
  - {id: wire, when: tool.name == "wire", ask: {groups: [{of: approvers, need: 2}], separate_duties: true}}
  - {id: ship, when: tool.name == "ship", ask: {groups: [approvers, finance]}}
  - id: burn
    when: tool.name == "burn"
    ask: {groups: [approvers], separate_duties: true, high: true, veto: [managers]}
  - {id: erase, when: tool.name == "erase", ask: {groups: [approvers], type: what, veto: [managers]}}
  - id: blast
    when: tool.name == "blast"
    ask:
      groups: [{of: managers, need: 2}]
      separate_duties: true
      break_glass: {of: approvers, review: managers, within: 24h}
  - id: tidy
    when: tool.name == "tidy"
    ask: {groups: [approvers], separate_duties: true, grant: {most: 3, within: 8h, same: [what]}}
  - {id: sort, when: tool.name == "sort", ask: {groups: [approvers], batch: true, words: true}}
  - id: keep
    when: tool.name == "keep"
    ask: {groups: [finance]}
    ladder: [{after: 1h, remind: here}, {after: 7d, review: here}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """What a rule of POLICY wants, said once more in the book's own words."""

    seats: tuple[tuple[str, int], ...] = (("approvers", 1),)
    is_separate: bool = False
    is_high: bool = False
    is_widened: bool = True  # by the ladder, after WIDENED
    glass: str = ""
    risk: Risk = Risk.WRITE
    is_idempotent: bool = False


RULES: Mapping[str, Wants] = {
    "pay": Wants(is_separate=True, risk=Risk.IRREVERSIBLE),  # as the defaults say
    "wire": Wants(seats=(("approvers", 2),), is_separate=True, risk=Risk.IRREVERSIBLE),
    "ship": Wants(seats=(("approvers", 1), ("finance", 1)), is_idempotent=True),
    "burn": Wants(is_separate=True, is_high=True, risk=Risk.IRREVERSIBLE),
    "erase": Wants(),
    "blast": Wants(seats=(("managers", 2),), is_separate=True, glass="approvers"),
    "tidy": Wants(is_separate=True, is_idempotent=True),
    "sort": Wants(),
    "keep": Wants(seats=(("finance", 1),), is_widened=False),
    "peek": Wants(seats=(), risk=Risk.READ),
}


# ------------------------------------------------------------------ the world


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A tool was started: with what leave, and who was who just then."""

    tool: str
    what: str
    leave: Leave
    step: int
    life: int
    crew: Mapping[PersonId, Person]


@dataclass
class World:
    """What really happened, whoever died meanwhile."""

    staff: Crew
    fate: Fate = field(default_factory=Fate)
    starts: list[Start] = field(default_factory=list)
    step: int = 0
    life: int = 0

    def tools(self) -> tuple[Tool, ...]:
        return tuple(Deed(self, name, wants) for name, wants in RULES.items())


class Crew(Staff):
    """Everybody, as they are now."""

    def __init__(self) -> None:
        super().__init__()
        self._now = parse_people(CREW)

    def reset(self, who: PersonId) -> None:
        before = {person.id: person for person in parse_people(CREW).people}[who]
        self._now = PeopleDirectory(tuple(before if one.id == who else one for one in self._now.people))

    def snapshot(self) -> Mapping[PersonId, Person]:
        return {person.id: person for person in self._now.people}


class Deed:
    """`ports.Tool`: each start is written down, in a moment at which the process may die."""

    def __init__(self, world: World, name: str, wants: Wants) -> None:
        self._world = world
        schema = '{"properties":{"what":{"type":"string"}},"required":["what"],"type":"object"}'
        told = f"{name} something"
        self.spec = ToolSpec(
            name=name, version="1", description=told, schema=schema, risk=wants.risk, is_idempotent=wants.is_idempotent
        )

    def check(self, args: Json) -> Json:
        if not isinstance(args, dict) or not isinstance(args.get("what"), str):
            raise InvalidArguments(self.spec.name, {"what": "It must be text."})
        return {"what": args["what"]}

    async def run(self, call: ToolCall, leave: Leave) -> ToolResult:
        world, what = self._world, str(call.values["what"])

        async def happen() -> None:
            crew = world.staff.snapshot()
            start = Start(tool=call.tool, what=what, leave=leave, step=world.step, life=world.life, crew=crew)
            world.starts.append(start)

        await world.fate.around(happen, is_write=True)
        return ToolResult(outcome=Outcome.OK, text=f"{call.tool} {what} done")


# ------------------------------------------------------------------ the model

PLAN = re.compile(r"plan: (.*)")
ASKED: Mapping[str, Callable[[str], Json]] = {
    "ask_people": lambda what: {"question": f"Which {what}?", "options": ["red", "blue"]},
    "fill_form": lambda what: {
        "question": f"Where is {what}?",
        "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
    "review_draft": lambda what: {"draft": f"Dear {what}"},
    "propose_plan": lambda what: {"goal": what, "steps": ["one", "two"]},
    "escalate": lambda what: {"reason": what, "context": "nothing works", "suggestion": "wait"},
    "handoff_to_user": lambda what: {"message": f"Is it {what}?"},
}


def wanted(name: str, what: str, id: str) -> WantedCall:
    args = ASKED[name](what) if name in ASKED else {"what": what}
    return WantedCall(id=id, tool=name, args=json.dumps(args))


class Planner:
    """`ports.Model`: does the last plan that a person wrote, a turn for each of its answers since then."""

    name = "planner"

    async def think(
        self,
        lines: Sequence[Line],
        tools: Sequence[ToolSpec],  # noqa: ARG002  # the port's signature
        *,
        on_text: Callable[[str], None] | None = None,  # noqa: ARG002  # the port's signature
    ) -> Said:
        if "Explain:" in lines[-1].text:
            return Said(text="Because the plan says so.")
        at = max((i for i, line in enumerate(lines) if line.role == "user" and PLAN.search(line.text)), default=0)
        found = PLAN.search(lines[at].text)
        turns = found[1].split("; ") if found else []
        done = sum(line.role == "assistant" for line in lines[at:])
        if done >= len(turns):
            return Said(text="That was all.")
        pairs = [each.split(" ", 1) for each in turns[done].split(", ")]
        calls = (wanted(name, what, f"c{len(lines)}.{i}") for i, (name, what) in enumerate(pairs))
        return Said(text="As planned.", calls=tuple(calls))
