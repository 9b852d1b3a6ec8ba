"""ReAct: think, act, look at what came of it, think again, until there is an answer.

heard -> think -> no calls? -> heard nothing new? -> answer
           ^        └ calls -> use (may wait for people for a month) -> results ─┐
           └─────────────────────────────────────────────────────────────────────┘

What the loop cannot get out of by itself is put to people (`ask_when_stuck`): used-up steps or tokens, a tool that
fails three times in a row, the same call with the same result a third time. They say how it goes on, or that it ends.

Owns the conversation's shape; what is used up and what repeats is in its book (`agents/book`). Not whether a call may
run, nor how a result is worded: both come from the runtime through `RunContext`. Deterministic: everything it knows it
got from the context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agents.book import Book, Stuck
from agents.patterns.calls import CALLS, TRIES, Misfit, Offer, Taken
from agents.patterns.finishing import FINISH, finished
from agents.patterns.helpers import Helpers, as_helpers
from agents.patterns.pattern import Speaks
from agents.patterns.room import Room, Turn, named
from agents.patterns.turned import Turned
from bot.domain.calls import Cause, Outcome, ToolResult
from bot.domain.errors import SpokenTo
from bot.domain.inert import show_line
from bot.domain.inquiry_finding import FINDING
from bot.domain.inquiry_look import STAGE
from bot.domain.inquiry_question import ASK, ROW
from bot.domain.inquiry_stuck import Trouble
from bot.domain.ports import Agent, Line, RunContext, Said, WantedCall
from bot.domain.redacted import redacted
from bot.domain.wire import dumps, loads, replace

ENDED = "ended"  # the move of a turn that people ended
ASK_STUCK = "ask_when_stuck"  # a tool that only people run
FOR_CODE = (ASK_STUCK, STAGE, FINDING, ROW)  # what loops and patterns ask, and no model is told of
MARK = "NEEDS_APPROVAL:"  # at the very start of an answer: a question to people (AS-18); anywhere else it is just words
ERROR_MOST = 500  # characters of a tool's error on a card
ASKED_MOST = 10  # times the same question, when somebody speaks each time before it can be put
NOTHING = Offer(calls=(), must=False)  # an agent in no pattern, or one that wants words
SPOKEN = "Nothing was done: people spoke meanwhile. Read what they say, then decide again."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReAct(Speaks):
    """`ports.Agent`: one model, some tools, a prompt."""

    name: str
    prompt: str
    tools: tuple[str, ...] = ()
    max_steps: int = 20  # answers of the model, until people are asked for more
    max_tokens: int = 200_000  # in and out, until people are asked for more
    model: str = ""  # its name in agents.yml; empty: the default one
    secrets: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by tool; of a missing one no value is shown
    helpers: tuple[Agent, ...] = ()  # agents that it may give tasks to: `patterns/helpers` declares the tools for it
    about: str = ""  # what it is good for, in a sentence, for whoever may ask it

    def __post_init__(self) -> None:
        """Raises ValueError for helpers that are one tool, or nested too deep."""
        as_helpers(self.name, self.helpers)

    async def reply(self, room: Room, ctx: RunContext) -> Turn:
        """One turn in *room*: what people say meanwhile is in it afterwards. Its move is `ended` if people ended it."""
        return await self.decide(room, ctx, NOTHING)

    async def decide(self, room: Room, ctx: RunContext, offer: Offer) -> Turn:
        """As `reply`; or, with its arguments as `values`, a call of *offer*, which its pattern understands."""
        if FINISH not in self.tools or FINISH in offer.calls or offer.must:
            return await self._turn(room, ctx, offer)
        turn = await self._turn(room, ctx, offer.beside(FINISH))
        return turn if turn.move != FINISH else Turn(by=self.name, text=finished(turn.values))

    async def _turn(self, room: Room, ctx: RunContext, offer: Offer) -> Turn:
        talk = _Talk(self, room, ctx, offer)
        try:
            return await talk.turn()
        except _Ended as ended:
            return Turn(by=self.name, text=ended.told, move=ENDED)
        except Turned:
            room.say(self.name, talk.done, is_draft=False)
            raise


class _Ended(Exception):
    """People ended it, or nobody said how to go on: `told` is the last word."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told


class _Talk:
    """One conversation with the model."""

    def __init__(self, mind: ReAct, room: Room, ctx: RunContext, offer: Offer) -> None:
        self._ctx, self._room, self._name, self._model = ctx, room, mind.name, mind.model
        self._offer, self._misfits = offer, 0
        self._book = Book(max_steps=mind.max_steps, max_tokens=mind.max_tokens, secrets=mind.secrets)
        helpers = as_helpers(mind.name, mind.helpers)
        self._helpers = Helpers(mind.name, helpers, room, ctx)
        own = tuple(name for name in mind.tools if name not in FOR_CODE)
        self._tools = tuple(dict.fromkeys((*own, *helpers, *offer.calls)))
        self._lines = [Line(role="system", text=_instructions(mind.prompt, offer)), *_read(room, mind.name)]
        self._meanwhile: list[Line] = []  # heard between calls and their results, where no line may stand

    async def turn(self) -> Turn:
        while True:
            if stuck := self._book.spent():
                await self._renew(stuck)
            await self._hear()
            said = await self._said()
            self._book.thought(said)
            self._lines.append(Line(role="assistant", text=said.text, calls=said.calls))
            try:
                if taken := await self._taken(said):
                    return Turn(by=self._name, text=said.text, move=taken.call, values=dict(taken.values))
            except Misfit as misfit:
                await self._put_right(said, misfit)
                continue
            if said.calls:
                results = await self._act(said)
                if last_word := _handed_over(said.calls, results):
                    return Turn(by=self._name, text=last_word, move=ENDED)  # for good: nobody goes on from it
                self._lines += _results(said.calls, results)
            elif not await self._hear():  # a reply that came while the model was thinking
                return Turn(by=self._name, text=said.text or "I have nothing to add.")

    async def _said(self) -> Said:
        """The model's answer to all that people have said: whoever replies while it thinks is heard first (AS-07)."""
        while True:
            try:
                said = await self._ctx.think(tuple(self._lines), self._tools, model=self._model, heeds=True)
                return _meant(said, len(self._lines))
            except SpokenTo:
                await self._hear()

    async def _hear(self) -> bool:
        """Take in what people said. Their direction starts every count of repetitions anew."""
        heard = [*self._meanwhile, *await self._heard()]
        self._meanwhile = []
        self._lines += heard
        if heard:
            self._book.directed()
        return bool(heard)

    async def _heard(self) -> list[Line]:
        """What people said since, in the room and as lines."""
        replies = await self._ctx.heard()
        self._room.heard(replies)
        return [_from(one.by, one.text) for one in replies]

    @property
    def done(self) -> str:
        """What was called so far, for whoever goes on in its place; empty if nothing was."""
        tried = self._book.tried
        return "\n".join(["What I did before this was turned to somebody else:", *tried]) if tried else ""

    # ------------------------------------------------------------- deciding

    async def _taken(self, said: Said) -> Taken | None:
        """The pattern's call in this answer, if it is one. Who spoke while the model was thinking is heard first."""
        taken = self._offer.taken(said)
        if taken is None:
            self._misfits = 0
            return None
        self._meanwhile += await self._heard()
        if self._meanwhile:
            raise Misfit(SPOKEN, is_mistake=False)
        return taken

    async def _put_right(self, said: Said, misfit: Misfit) -> None:
        """Tell the model what was wrong with its answer; people are asked when it does not get it right."""
        self._lines += misfit.lines(said)
        self._misfits += misfit.is_mistake
        if self._misfits >= TRIES:
            told = f"{self._name} was to call {' or '.join(self._offer.calls)}; {TRIES} answers in a row did not fit."
            move, answer = await self._ask(Stuck(what=Trouble.STEPS, told=told, error=misfit.told))
            self._misfits = 0
            if move != "go_on":
                self._meanwhile.append(_from("people", answer.text))

    # ----------------------------------------------------------------- calls

    async def _act(self, said: Said) -> tuple[ToolResult, ...]:
        """The results of a turn's calls, in order. For a call that gets nowhere, people's words are the result."""
        given = [await self._instead(stuck) if (stuck := self._book.circling(call)) else None for call in said.calls]
        calls = tuple(call for call, instead in zip(said.calls, given, strict=True) if instead is None)
        ran = iter(await self._used(calls, said.text) if calls else ())
        results = [instead or next(ran) for instead in given]
        return tuple([await self._looked_at(call, result) for call, result in zip(said.calls, results, strict=True)])

    async def _used(self, calls: Sequence[WantedCall], why: str = "") -> tuple[ToolResult, ...]:
        """What came of *calls*. What people said to helpers meanwhile was said to this agent as well.

        A tool that it was not given is none of its own, whoever told the model its name.
        """
        mine = tuple(call for call in calls if call.tool in (*self._tools, ASK, *CALLS))
        results, heard = await self._helpers.use(mine, why) if mine else ((), [])
        self._room.words += heard
        self._meanwhile += [_from(word.by, word.text) for word in heard]
        ran = iter(results)
        return tuple([next(ran) if call in mine else _not_given(call) for call in calls])

    async def _instead(self, stuck: Stuck) -> ToolResult | None:
        """What people say in place of a call; None: it is run."""
        move, answer = await self._ask(stuck)
        return None if move == "again" else answer

    async def _looked_at(self, call: WantedCall, result: ToolResult) -> ToolResult:
        """*result*; or what people say, once its tool has failed too often in a row."""
        while stuck := self._book.ran(call, result):
            move, answer = await self._ask(stuck)
            if move != "again":
                return replace(answer, text=f"{result.text}\n{answer.text}")
            (result,) = await self._used((call,))
        return result

    # ----------------------------------------------------------------- stuck

    async def _renew(self, stuck: Stuck) -> None:
        """Ask for as much again. Whatever people answer but an end is that, and their words are heard."""
        move, answer = await self._ask(stuck)
        self._book.renew()
        if move != "go_on":
            self._lines.append(_from("people", answer.text))

    async def _ask(self, stuck: Stuck) -> tuple[str, ToolResult]:
        """How people want it to go on, and their answer as a result. Raises _Ended if they do not, or say nothing."""
        answer = await self._asked(stuck)
        move = str(loads(answer.answer)["move"]) if answer.outcome is Outcome.OK else "end"
        if move == "end":
            raise _Ended(self._last_word(stuck, answer))
        return move, answer

    async def _asked(self, stuck: Stuck) -> ToolResult:
        """Whoever speaks before it can be put is heard first; then it is asked again."""
        wanted = WantedCall(id=f"stuck-{len(self._lines)}", tool=ASK_STUCK, args=dumps(_args(stuck)).decode())
        for _ in range(ASKED_MOST):
            (answer,) = await self._ctx.use((wanted,))
            if answer.cause is not Cause.SUPERSEDED:
                break
            self._meanwhile += await self._heard()
        return answer

    def _last_word(self, stuck: Stuck, answer: ToolResult) -> str:
        told = f"I stopped before I was finished. {stuck.told}\n{answer.text}\nWhat was done so far stands."
        words = next((line.text for line in reversed(self._lines) if line.role == "assistant" and line.text), "")
        return f"{told}\n\nMy last words were: {words}" if words else told


def _args(stuck: Stuck) -> dict[str, object]:
    return {
        "what": Trouble(stuck.what),
        "told": stuck.told,
        "tried": list(stuck.tried),
        "error": redacted(stuck.error, ERROR_MOST),
    }


def _meant(said: Said, number: int) -> Said:
    """An answer that begins with the mark is a question to people, as if the model had called for it."""
    if said.calls or not said.text.startswith(MARK):
        return said
    question = said.text.removeprefix(MARK).strip()
    wanted = WantedCall(id=f"ask-{number}", tool=ASK, args=dumps({"question": question}).decode())
    return replace(said, calls=(wanted,))


def _instructions(prompt: str, offer: Offer) -> str:
    return f"{prompt}\n\n{offer.told}" if offer.told else prompt


def _read(room: Room, name: str) -> list[Line]:
    """The room as *name* reads it: their own words, and everybody else's under a name."""
    return [
        Line(role="assistant", text=word.text)
        if word.by == name and not (word.is_person or word.is_role)
        else _from(word.by, word.text, is_person=word.is_person or word.is_role)
        for word in room.words
    ]


def _from(name: str, text: str, *, is_person: bool = True) -> Line:
    return Line(role="user", text=named(name, text, is_person=is_person))


def _handed_over(calls: Sequence[WantedCall], results: Sequence[ToolResult]) -> str:
    """The message of a call that hands over for good; empty if there is none."""
    for call, result in zip(calls, results, strict=True):
        if call.tool == "handoff_to_user" and result.outcome is Outcome.OK:
            args = loads(call.args)
            if args.get("breakout_of_loop") is True:
                return str(args["message"])
    return ""


def _not_given(call: WantedCall) -> ToolResult:
    told = f"Not run: {show_line(call.tool)} is not among your tools."
    return ToolResult(outcome=Outcome.NOT_RUN, cause=Cause.INVALID, text=told)


def _results(calls: Sequence[WantedCall], results: Sequence[ToolResult]) -> list[Line]:
    """Each result under its call, word for word: the runtime has put the true cause into the text."""
    return [Line(role="tool", text=result.text, call_id=call.id) for call, result in zip(calls, results, strict=True)]
