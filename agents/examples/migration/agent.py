"""A migration: planned by a model, approved by people as a plan, and then signed statement by statement.

    schema -> planner: plan -> people: go on · edit · another plan -> statement -> signed and done -> the next
                  ^                                                        └ anything else: people say how it goes on
                  └───────────── "do this instead", or somebody spoke ─────┘  again · I did it · skip · end

Code, because one thing must not depend on a model: after a step that did not run nothing follows without a new word
of a person (AU-20). What is put to the signers is the approved plan's line, to the letter (D-10); the plan itself signs
nothing (D-47, ST-35). Not what a statement may be (agents/tools/sql), nor who signs it (policy.yml).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.patterns.ask import ASKED_MOST, END, put
from agents.patterns.calls import Decider, Offer, Values, decide, decider
from agents.patterns.room import Room
from agents.tools.sql_words import ENDS, READS, first_word
from bot.domain.asking import TEXT
from bot.domain.calls import Cause, Outcome, ToolResult
from bot.domain.errors import BadJson
from bot.domain.inquiry_stuck import Trouble
from bot.domain.ports import Agent, RunContext, WantedCall
from bot.domain.run import Task
from bot.domain.wire import dumps, loads, read_foreign

NAME, BASE = "migration", "database"  # whose words the schema are; who does a step
PLAN, PROPOSE = "plan", "propose_plan"
ROUNDS = 3  # versions of a plan, until more of them are people's to give
TOLD_MOST, LINE_MOST, TRIED_MOST = 500, 300, 20  # as ask_when_stuck takes them
NOT_SET_UP = (
    "There is no database here. Set COUNTERSIGN_SQL_URL to a PostgreSQL database and start again; "
    "docs/examples/migration.md has one to try it on, in three commands."
)
SCHEMA = """\
SELECT table_schema AS schema, table_name AS "table", column_name AS "column", data_type AS type, is_nullable AS nulls
FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
ORDER BY table_schema, table_name, ordinal_position"""


class _Ended(Exception):
    """It ends here: `told` says why. What was done before stays done."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told


class _Replan(Exception):
    """People said something: what is left is planned again, and approved again."""


async def migration(task: Task, ctx: RunContext, planner: Agent) -> str:
    """What was done, statement by statement, and what was not."""
    return await _Migration(Room(task), ctx, decider(NAME, "planner", planner)).told()


class _Migration:
    """One migration: what is left of the approved plan, and what came of each step so far."""

    def __init__(self, room: Room, ctx: RunContext, planner: Decider) -> None:
        self._room, self._ctx, self._planner = room, ctx, planner
        self._log: list[str] = []  # a line for each step that was decided

    async def told(self) -> str:
        try:
            self._room.say(BASE, f"Its schema:\n{await self._schema()}")
            while True:
                goal, steps = await self._approved()
                try:
                    await self._run(goal, steps)
                except _Replan:
                    continue
                return f"The migration is over: {goal}\n\n{self._so_far}"
        except _Ended as ended:
            return f"{ended.told}\n\n{self._so_far}".strip()

    @property
    def _so_far(self) -> str:
        return "\n".join(self._log)

    async def _schema(self) -> str:
        """The tables there are. Raises _Ended where there is no database to ask."""
        result = await self._used("sql_query", statement=SCHEMA)
        if result.cause is Cause.INVALID:  # the statement is ours and right: it is the tool that is not there
            raise _Ended(NOT_SET_UP)
        if result.outcome is not Outcome.OK:
            raise _Ended(f"The database could not be read, and nothing was changed. {result.text}")
        return result.text

    # -------------------------------------------------------------- planning

    async def _approved(self) -> tuple[str, list[str]]:
        """A plan that people let begin: its goal, and its statements as they approved them."""
        while True:
            turn = await decide(self._planner, self._room, self._ctx, Offer(calls=(PLAN,), told=PLANNING, flaw=_flaw))
            if turn.move != PLAN:
                raise _Ended(turn.text)
            values: dict[str, Any] = dict(turn.values)
            steps = [str(one["what"]).strip() for one in values["steps"]]
            facts = "".join(f"\n• {fact}" for fact in values["facts"])
            goal = f"{values['goal']}\n\nWhat is known:{facts}" if facts else str(values["goal"])
            answer = await self._proposed(goal, steps)
            if answer.get("status") == "approved":
                approved = [str(step).strip() for step in answer["steps"]]
                lines = "\n".join(f"{number}. {step}" for number, step in enumerate(approved, 1))
                self._room.say(NAME, f"People approved this plan: {values['goal']}\n{lines}")
                return str(values["goal"]), approved

    async def _proposed(self, goal: str, steps: Sequence[str]) -> dict[str, Any]:
        """People's answer to a plan; nothing, once they want another. Raises _Ended if it is not to begin."""
        args = {"goal": goal, "steps": list(steps), "rounds": ROUNDS}
        with self._ctx.acting_as(self._planner.name):
            (result,) = await self._ctx.use((WantedCall(id=PLAN, tool=PROPOSE, args=dumps(args).decode()),))
        if result.cause is Cause.SUPERSEDED:
            await self._room.hear(self._ctx)
            return {}
        answer: dict[str, Any] = loads(result.answer) if result.outcome is Outcome.OK else {}
        match answer.get("status"):
            case "approved":
                return answer
            case "changes":
                self._room.guided(result.text)
                return {}
        raise _Ended(f"Nothing was begun: the plan was not approved. {result.text}")

    # --------------------------------------------------------------- running

    async def _run(self, goal: str, steps: Sequence[str]) -> None:
        """Every statement in order, each signed by itself."""
        for number, statement in enumerate(steps, 1):
            name = f"Step {number} of {len(steps)}"
            while not await self._is_settled(name, statement, goal):
                pass

    async def _is_settled(self, name: str, statement: str, goal: str) -> bool:
        """Put one statement to the signers. False: people want it tried again. Raises _Replan, _Ended."""
        if await self._room.hear(self._ctx):
            raise _Replan
        (result,) = await self._ctx.use((_call("sql_execute", statement=statement),), why=f"{name}: {goal}")
        if result.cause is Cause.SUPERSEDED:  # somebody spoke while it waited: what they said is heard before the next
            await self._room.hear(self._ctx)
            raise _Replan
        if result.outcome is Outcome.OK:
            self._note(f"{name} is done: {_ran(result) or statement}")
            return True
        return await self._directed(name, statement, result)

    async def _directed(self, name: str, statement: str, result: ToolResult) -> bool:
        """A step did not run, or nobody knows: a person says how it goes on, and before that nothing is offered."""
        told = f"{name} was not run: {statement}"
        self._room.say(NAME, f"{told}\n{result.text}", is_draft=False)
        args = {
            "what": Trouble.FAILING,
            "told": _cut(f"{told}. What comes after it is not asked for before you say so.", TOLD_MOST),
            "tried": [_cut(line, LINE_MOST) for line in self._log[-TRIED_MOST:]],
            "error": _cut(result.text, TOLD_MOST),
        }
        how = await put(self._ctx, self._room, WantedCall(id="stuck", tool="ask_when_stuck", args=dumps(args).decode()))
        answer: dict[str, Any] = loads(how.answer) if how.outcome is Outcome.OK else {}
        words = str(answer.get(TEXT) or "")
        match answer.get("move", END):
            case "again":
                return False
            case "done":
                self._note(f"{name} was done by people: {words}")
                return True
            case "skip":
                self._note(f"{name} was left out: {statement}")
                return True
            case "guide":
                self._note(f"{name} was not run: {statement}")
                self._room.guided(words)
                raise _Replan
        self._note(f"{name} was not run: {statement}")
        raise _Ended(f"The migration ended before its plan was done. {how.text}")

    def _note(self, line: str) -> None:
        self._log.append(line)
        self._room.say(BASE, line, is_draft=False)

    async def _used(self, tool: str, **args: str) -> ToolResult:
        """The result of a call that only reads; whoever spoke first is heard first."""
        for _ in range(ASKED_MOST):
            (result,) = await self._ctx.use((_call(tool, **args),))
            if result.cause is not Cause.SUPERSEDED:
                break
            await self._room.hear(self._ctx)
        return result


PLANNING = f"You run nothing. Call {PLAN}: each step is one statement, and who is {BASE}."


def _flaw(_call: str, values: Values) -> str | None:
    """Why people could not sign such a plan, in one sentence; None: they could."""
    for number, step in enumerate(values["steps"], 1):
        word = first_word(step["what"])
        if len(str(step["what"]).strip().splitlines()) > 1:
            return f"step {number} has several lines: people read and edit one line a step."
        if step["who"] != BASE or step["beside"]:
            return f"step {number}: who is {BASE}, and no step is done beside another."
        if not word or word in ENDS or word in READS - {"WITH"}:
            return f"step {number} changes nothing by itself: one statement such as ALTER TABLE or UPDATE, and no more."
    return None


def _call(tool: str, **args: str) -> WantedCall:
    return WantedCall(id=tool, tool=tool, args=dumps(args).decode())


def _ran(result: ToolResult) -> str:
    """The statement that ran, which a signer may have changed; empty where people told what became of it."""
    try:
        told = read_foreign(result.text)
    except BadJson:
        return ""
    return str(told.get("statement") or "") if isinstance(told, dict) else ""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
