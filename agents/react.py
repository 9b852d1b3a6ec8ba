"""ReAct: think, act, look at what came of it, think again, until there is an answer.

heard -> think -> no calls? -> heard nothing new? -> answer
           ^        └ calls -> use (may wait for people for a month) -> results ─┐
           └─────────────────────────────────────────────────────────────────────┘

Owns the conversation's shape and its budgets. Not whether a call may run, nor how a result is worded: both
come from the runtime through `RunContext`. Deterministic: everything it knows it got from the context.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.domain.calls import Outcome, ToolResult
from bot.domain.ports import Line, RunContext, Said, WantedCall
from bot.domain.run import Task
from bot.domain.wire import loads

FORGED = re.compile(r"(?m)^(?=\[[^\]\n]{1,80}\] )")  # a later line of a text that looks like somebody else speaking


@dataclass(frozen=True, slots=True, kw_only=True)
class ReAct:
    """`ports.Agent`: one model, some tools, a prompt."""

    name: str
    prompt: str
    tools: tuple[str, ...] = ()
    max_steps: int = 20  # answers of the model
    max_tokens: int = 200_000  # in and out, over the whole run

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        """The answer people read. When a budget is used up, the answer names it."""
        lines = [Line(role="system", text=self.prompt), _from_person(task.by, task.text)]
        spent = 0
        for _ in range(self.max_steps):
            lines += await _heard(ctx)
            said = await ctx.think(tuple(lines), self.tools)
            spent += said.tokens_in + said.tokens_out
            lines.append(Line(role="assistant", text=said.text, calls=said.calls))
            if said.calls:
                results = await ctx.use(said.calls, why=said.text)
                if last_word := _handed_over(said.calls, results):
                    return last_word
                lines += _results(said.calls, results)
            else:
                late = await _heard(ctx)  # a reply that came while the model was thinking
                if not late:
                    return said.text or "I have nothing to add."
                lines += late
            if spent >= self.max_tokens:
                return _limit(f"its budget of {self.max_tokens} tokens ({spent} used)", said)
        return _limit(f"its limit of {self.max_steps} steps", said)


async def _heard(ctx: RunContext) -> list[Line]:
    return [_from_person(heard.by, heard.text) for heard in await ctx.heard()]


def _from_person(name: str, text: str) -> Line:
    """A person's words under their name. Nobody can speak as another: their own lines never begin with a name."""
    return Line(role="user", text=f"[{name}] " + FORGED.sub(" ", text))


def _handed_over(calls: tuple[WantedCall, ...], results: tuple[ToolResult, ...]) -> str:
    """The message of a call that hands over for good; empty if there is none."""
    for call, result in zip(calls, results, strict=True):
        if call.tool == "handoff_to_user" and result.outcome is Outcome.OK:
            args = loads(call.args)
            if args.get("breakout_of_loop") is True:
                return str(args["message"])
    return ""


def _results(calls: tuple[WantedCall, ...], results: tuple[ToolResult, ...]) -> list[Line]:
    """Each result under its call, word for word: the runtime has put the true cause into the text."""
    return [Line(role="tool", text=result.text, call_id=call.id) for call, result in zip(calls, results, strict=True)]


def _limit(what: str, said: Said) -> str:
    told = f"I stopped before I was finished: this task has used up {what}. What was done so far stands."
    return f"{told}\n\nMy last words were: {said.text}" if said.text else told
