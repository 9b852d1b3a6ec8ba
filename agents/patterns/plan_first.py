"""Plan first: nothing begins before people approved who does what; then it is done, judged, and planned again.

    planner: plan -> people: begin · edit · another plan -> steps, in order or side by side
         ^                                                     │ after each: planner: progress
         ├──────────── stalled (approved again) ───────────────┤
         └ stalls used up, stuck: people say how it goes on ───┤
                                                               └ done -> people look at the findings -> the answer

What is done is what was approved, word for word (D-10). A plan signs none of its steps: a call that could hurt is
asked about when it comes (D-47, ST-35). The plan itself is a ledger; what a worker does is its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.patterns.ask import DONE, END, ask_stuck
from agents.patterns.calls import Decider, Offer, Values, decide, decider
from agents.patterns.concurrent import Branch, side_by_side
from agents.patterns.ledger import Ledger, PlanStep, planned, read, unready
from agents.patterns.pattern import Pattern
from agents.patterns.person import GOES_BACK, GOES_ON, Person, looker
from agents.patterns.room import Member, Room, Turn, take_turn, tools_of
from bot.domain.calls import Cause, Outcome
from bot.domain.ports import Agent, RunContext, WantedCall
from bot.domain.wire import dumps, loads

PLAN, PROGRESS = "plan", "progress"
PROPOSE = "propose_plan"  # the shipped tool by which people approve a plan
ENDED = "ended"
NEXT_STEP = ""  # nothing is found yet


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFirst(Pattern):
    """`ports.Agent` and `Member`: *planner* plans for *members*; *of* approves, empty: whoever gave the task.

    *review* (a `Person`) looks at the findings. A plan has *max_rounds* versions until people are asked for more, and
    after *max_stalls* plans that did not work people are asked how it goes on.
    """

    name: str
    planner: Decider
    members: tuple[Agent | Member, ...]
    review: Person | None = None
    of: str = ""
    max_rounds: int = 3
    max_stalls: int = 2

    def __post_init__(self) -> None:
        """Raises ValueError for a planner that cannot decide, and for members that could not be told apart."""
        decider(self.name, "planner", self.planner)
        names = [one.name for one in self.members]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"{self.name}: its members must be at least one, each with a name of its own")
        if self.review is not None:
            looker(self.name, "review", self.review)
        if bad := next((name for name in names if ":" in name or name.startswith("&")), None):
            raise ValueError(f"{self.name}: {bad!r} cannot stand in a plan; take a name without a colon or & in front")

    @property
    def tools(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((PROPOSE, *tools_of(self.planner, *self.members, self.review))))

    async def work(self, room: Room, ctx: RunContext) -> Turn:
        """The findings; or why there are none."""
        try:
            return await _Work(self, room, ctx).findings()
        except _Ended as ended:
            return Turn(by=self.name, text=ended.told, move=ENDED)


class _Ended(Exception):
    """People ended it, or did not let it begin."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told


class _Work:
    """One task: its ledger, and how often its plan stalled since people last said how it goes on."""

    def __init__(self, pattern: PlanFirst, room: Room, ctx: RunContext) -> None:
        self._pattern, self._room, self._ctx = pattern, room, ctx
        self._names = tuple(one.name for one in pattern.members)
        self._ledger, self._stalls = Ledger(), 0

    async def findings(self) -> Turn:
        while True:
            await self._plan()
            while (found := await self._worked()) is not None:
                if (turn := await self._looked(found)) is not None:
                    return turn
                await self._plan()  # people want something different
            self._stalls += 1
            if self._stalls > self._pattern.max_stalls:
                await self._unstick(f"{self._stalls} plans in a row did not work.")

    # -------------------------------------------------------------- planning

    async def _plan(self) -> None:
        """A plan that people let begin. Raises _Ended if they do not."""
        while True:
            values = await self._decided(self._planning())
            self._ledger.goal = str(values["goal"])
            self._ledger.learn(values["facts"])
            if await self._is_approved(planned(values["steps"])):
                return

    async def _is_approved(self, steps: Sequence[PlanStep]) -> bool:
        lines = [step.line for step in steps]
        args = {"goal": self._shown_goal, "steps": lines, "rounds": self._pattern.max_rounds, "of": self._pattern.of}
        with self._ctx.acting_as(self._pattern.planner.name):
            (result,) = await self._ctx.use((WantedCall(id="plan", tool=PROPOSE, args=dumps(args).decode()),))
        if result.cause is Cause.SUPERSEDED:  # somebody spoke: the next plan knows what they said
            await self._room.hear(self._ctx)
            return False
        answer: dict[str, Any] = loads(result.answer) if result.outcome is Outcome.OK else {}
        if answer.get("status") == "changes":
            self._room.guided(result.text)
            return False
        if answer.get("status") != "approved":
            raise _Ended(f"Nothing was begun: the plan was not approved. {result.text}")
        try:
            self._ledger.approve(read(answer["steps"], self._names), answer["version"])
        except ValueError as error:  # an edited line that nobody could do
            await self._unstick(f"The plan cannot begin: {error}.")
            return False
        self._room.say(self._pattern.planner.name, self._ledger.told, is_draft=False)
        return True

    @property
    def _shown_goal(self) -> str:
        """People read what is known beside the goal: a step that rests on a wrong fact is seen as such."""
        facts = "\n".join(f"• {fact}" for fact in self._ledger.facts)
        return f"{self._ledger.goal}\n\nWhat is known:\n{facts}" if facts else self._ledger.goal

    def _planning(self) -> Offer:
        def flaw(_call: str, values: Values) -> str | None:
            return unready(planned(values["steps"]), self._names)

        who = f"You plan for others, and do no step yourself. The members are {', '.join(self._names)}."
        told = f"{who} Call {PLAN}; people approve or edit it before anything begins."
        return Offer(calls=(PLAN,), told=told, flaw=flaw)

    # --------------------------------------------------------------- working

    async def _worked(self) -> str | None:
        """The findings, once the planner calls it done; None when the plan stalled."""
        groups = self._ledger.groups()
        for group in groups:
            await self._room.hear(self._ctx)
            await self._step(group)
            judged = await self._judged(is_over=group is groups[-1])
            if judged != NEXT_STEP:
                return judged
        raise AssertionError("after the last step it is done, or another plan is needed")

    async def _step(self, group: Sequence[PlanStep]) -> None:
        """One step, or several side by side; what came of each is in the room."""
        members = [next(one for one in self._pattern.members if one.name == step.who) for step in group]
        rooms = [self._room.branch() for _ in group]
        for step, room in zip(group, rooms, strict=True):
            told = f"It is your turn, {step.who}. Do this step and no other: {step.what}"
            room.say(self._pattern.planner.name, told, is_draft=False)
        branches = await side_by_side(members, rooms, self._room, self._ctx)
        for step, branch in zip(group, branches, strict=True):
            self._note(step, branch)

    def _note(self, step: PlanStep, branch: Branch) -> None:
        self._ledger.done.append(f"{step.line}: {branch.said}")
        self._room.say(step.who, f"Of the step “{step.what}”:\n{branch.said}")

    async def _judged(self, *, is_over: bool) -> str | None:
        """The findings if it is done, NEXT_STEP if the next one comes, None if another plan is needed."""
        values = await self._decided(self._judging(is_over=is_over))
        self._ledger.learn(values["facts"])
        note = str(values["note"]).strip()
        match values["state"]:
            case "done":
                return note
            case "go_on":
                return NEXT_STEP
            case "stuck":
                await self._unstick(note or "The planner does not know how to go on.")
        return None

    def _judging(self, *, is_over: bool) -> Offer:
        def flaw(_call: str, values: Values) -> str | None:
            if values["state"] == "done" and not str(values["note"]).strip():
                return "done needs the findings in note: people read them as the answer."
            if is_over and values["state"] == "go_on":
                return "no step is left: say done, with the findings, or stalled."
            return None

        told = f"You judge how far the approved plan has come. Call {PROGRESS}; words alone judge nothing."
        return Offer(calls=(PROGRESS,), told=told, flaw=flaw)

    # ---------------------------------------------------------------- people

    async def _looked(self, found: str) -> Turn | None:
        """The answer, once people let the findings go on; None if they want it different."""
        name, review = self._pattern.name, self._pattern.review
        self._room.say(name, found)
        if review is None:
            return Turn(by=name, text=found)
        looked = await take_turn(review, self._room, self._ctx)
        if looked.move in GOES_ON:
            return Turn(by=name, text=looked.text)
        if looked.move in GOES_BACK:
            return None
        raise _Ended(f"The findings were not accepted, and are not used. {looked.told or looked.text}".strip())

    async def _unstick(self, told: str) -> None:
        """People say how it goes on. Raises _Ended if they end it, or have done it themselves."""
        how = await ask_stuck(self._ctx, self._room, f"{self._pattern.name}: {told}", self._ledger.done)
        if how.move == DONE:
            raise _Ended(how.text)
        if how.move == END:
            done = "\n".join(self._ledger.done)
            raise _Ended(f"This ended before it was finished. {how.told}\n\nWhat was done:\n{done or 'nothing'}")
        self._stalls = 0

    async def _decided(self, offer: Offer) -> dict[str, Any]:
        """The arguments of the planner's call. Raises _Ended if people ended it instead."""
        turn = await decide(self._pattern.planner, self._room, self._ctx, offer)
        if turn.move not in offer.calls:
            raise _Ended(turn.text)
        return turn.values
