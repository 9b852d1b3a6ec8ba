"""A person as a member: their turn is an answer to a card, under a role's name, with its instructions on top.

    review   a draft: accept · revise (their words go back) · take over (their text is the draft now) · unaccepted
    check    a draft and criteria: pass · fail (notes go back) · unaccepted
    gate     a phase's output: accept · revise · take over · stop
    answer   a question, or their turn in a talk: answer (in words) · skip

What they meant is the turn's move, which comes from the answer and from nothing that anybody wrote (D-22, D-41).
Nobody answered, or nobody could be asked: the turn's move is `unanswered`, and that is never a yes. Not what follows
from a move: that is the pattern's.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from agents.patterns.ask import put
from agents.patterns.pattern import Speaks
from agents.patterns.room import TOOK_OVER, Room, Turn, Word
from bot.domain.asking import TEXT
from bot.domain.calls import Outcome, ToolResult
from bot.domain.inquiry_look import STAGE
from bot.domain.inquiry_question import ASK, asking
from bot.domain.ports import RunContext, WantedCall
from bot.domain.wire import dumps, loads

ACCEPT, REVISE, PASS, FAIL = "accept", "revise", "pass", "fail"
STOP, UNACCEPTED, UNANSWERED = "stop", "unaccepted", "unanswered"
ANSWER, SKIP = "answer", "skip"
GOES_ON = frozenset({ACCEPT, PASS, TOOK_OVER})  # moves after which a draft goes on
GOES_BACK = frozenset({REVISE, FAIL})  # moves that send a draft back to whoever made it

SKIP_LABEL = "Pass"  # the answer of somebody who has nothing to say now
DRAFT_MOST, NOTE_MOST, QUESTION_MOST = 20_000, 2_000, 20_000  # characters, as the tools' schemas say
ROUNDS_MOST = 20
MOST: Mapping[str, int] = {  # as the tool that shows a draft takes them: characters, or how many directions
    "name": 80,
    "about": 80,
    "role": 80,
    "instructions": 2_000,
    "criteria": 4_000,
    "directions": 3,
}
UNSEEN = "It was not shown to anybody: it has {size:,} characters, and at most {most:,} can be looked at."


class Meant(NamedTuple):
    """What an answer's move is called here, and how the others read it in the room."""

    move: str
    told: str


MEANT: Mapping[str, Mapping[str, Meant]] = {  # by the look's flavour, then by the answer's status or move
    "review": {
        "accepted": Meant(ACCEPT, "I accept it as it is."),
        "revise": Meant(REVISE, ""),
        "unaccepted": Meant(UNACCEPTED, "I do not accept it, and want no further version."),
    },
    "checkpoint": {
        "accepted": Meant(ACCEPT, "I approve {it}. Go on."),
        "revise": Meant(REVISE, ""),
        "unaccepted": Meant(STOP, "Stop here."),
    },
    "check": {
        "accepted": Meant(PASS, "It passes."),
        "revise": Meant(FAIL, ""),
        "unaccepted": Meant(UNACCEPTED, "It fails, and is not used."),
    },
}
FLAVOURS: Mapping[str, str] = {"review": "review", "gate": "checkpoint", "check": "check"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person(Speaks):
    """`ports.Agent` and `Member`: whoever `of` names, in a role. An empty `of` is whoever gave the task.

    Where somebody is reached is in people.yml: a person has an account on each platform.
    """

    name: str
    of: str = ""  # a group, @person or manager(requester)
    role: str = ""  # as the card says it; empty: nothing is said
    instructions: str = ""  # at the top of the card
    does: Literal["review", "check", "gate", "answer"] = "review"
    criteria: str = ""  # what a draft is held against
    rounds: int = 3  # versions of a draft, until more of them are people's to give
    directions: tuple[str, ...] = ()  # buttons of a review, such as "Shorter"
    question: str = ""  # of an answer; empty: what was said last
    about: str = ""  # what the drafts are called on the card, each version the same; empty: by the role's name
    stage: str = ""  # which of how many it is, as 1/3

    def __post_init__(self) -> None:
        """Raises ValueError for what nobody could be asked."""
        if self.does != "answer" and self.does not in FLAVOURS:
            raise ValueError(f"{self.name} does {self.does!r}; a person does one of answer, {', '.join(FLAVOURS)}")
        if self.does == "check" and not self.criteria.strip():
            raise ValueError(f"{self.name} checks, and there are no criteria; say what a draft must meet")
        if not 1 <= self.rounds <= ROUNDS_MOST:
            raise ValueError(f"{self.name} has {self.rounds} rounds; there may be 1 to {ROUNDS_MOST}")
        for field, most in MOST.items():
            if (size := len(getattr(self, field))) > most:
                raise ValueError(f"{field} of {self.name} is too long ({size:,}); at most {most:,} fit on a card")

    @property
    def tools(self) -> tuple[str, ...]:
        return (ASK,) if self.does == "answer" else (STAGE,)

    async def reply(self, room: Room, ctx: RunContext) -> Turn:
        """Their turn. Of a draft that goes on, the text is what goes on.

        Who asks, as the card says it, is whoever made the draft, or spoke last.
        """
        agents = [word for word in room.words if not (word.is_person or word.is_role)]
        makers = [word.by for word in agents if word.draft or self.does == "answer"]
        with ctx.acting_as(makers[-1]) if makers else nullcontext():
            return await self._given(room, ctx)

    async def _given(self, room: Room, ctx: RunContext) -> Turn:
        if self.does == "answer":
            return await self._answered(room, ctx)
        draft = room.draft()
        if len(draft) > DRAFT_MOST:  # what cannot be shown whole is shown to nobody
            return self._unanswered(UNSEEN.format(size=len(draft), most=DRAFT_MOST))
        return self._looked(draft, await put(ctx, room, self._look(draft, room)))

    # ----------------------------------------------------------------- a look

    def _look(self, draft: str, room: Room) -> WantedCall:
        """The call that shows *draft*. What is not said stays out of it: the tool has its defaults."""
        args: dict[str, Any] = {
            "draft": draft,
            "name": self.about or self.name,
            "rounds": self.rounds,
            "note": _notes(room),
            "directions": list(self.directions),
            "of": self.of,
            "flavour": FLAVOURS[self.does],
            "stage": self.stage,
            "role": self.role,
            "instructions": self.instructions,
            "criteria": self.criteria,
        }
        kept = {name: value for name, value in args.items() if value}
        return WantedCall(id="look", tool=STAGE, args=dumps(kept).decode())

    def _looked(self, draft: str, result: ToolResult) -> Turn:
        if result.outcome is not Outcome.OK:
            return self._unanswered(result.text)
        answer = loads(result.answer)
        meant, said = MEANT[FLAVOURS[self.does]][answer["status"]], str(answer.get(TEXT) or "")
        values = {"by": str(answer.get("by") or "")}
        if meant.move == ACCEPT and answer["final"] != draft:  # their own text, or an earlier version
            told = f"Use exactly this instead:\n{answer['final']}"
            return self._turn(str(answer["final"]), TOOK_OVER, told=told, **values)
        if meant.move in GOES_ON:
            it = f"version {answer['version']}" if "version" in answer else "it"  # an answer from before it was said
            return self._turn(draft, meant.move, told=meant.told.format(it=it), **values)
        return self._turn(said, meant.move, told=" ".join(part for part in (meant.told, said) if part), **values)

    def _unanswered(self, why: str) -> Turn:
        return self._turn(why, UNANSWERED)

    # -------------------------------------------------------------- an answer

    async def _answered(self, room: Room, ctx: RunContext) -> Turn:
        wanted = asking(self._question(room), options=(SKIP_LABEL,), of=self.of, default="", may_write=True)
        result = await put(ctx, room, wanted)
        if result.outcome is not Outcome.OK:
            return self._unanswered(result.text)
        answer = loads(result.answer)
        return self._turn(str(answer[TEXT]), ANSWER) if answer["move"] == "write" else self._turn("", SKIP)

    def _question(self, room: Room) -> str:
        """What is asked of them, on top (A2-08); below it what was said last, whose words it is."""
        last = room.words[-1]
        asked = self.question or f"{_said_by(last)} said:\n{last.text}\n\nIt is your turn."
        role = f"You are asked as {self.role}." if self.role else ""
        whole = "\n\n".join(part for part in (role, self.instructions, asked) if part)
        return whole if len(whole) <= QUESTION_MOST else f"{whole[: QUESTION_MOST - 20]}\n… (cut off here)"

    def _turn(self, text: str, move: str, *, told: str = "", **values: object) -> Turn:
        return Turn(by=self.name, text=text, move=move, values=dict(values), told=told, is_role=True)


def looker(pattern: str, role: str, member: object) -> Person:
    """*member*, a person who looks at drafts. Raises ValueError for anybody whose turn could not be a yes."""
    if not isinstance(member, Person) or member.does == "answer":
        name = getattr(member, "name", type(member).__name__)
        raise ValueError(f"the {role} of {pattern} must be a person who looks at drafts, and {name} is none")
    return member


def _notes(room: Room) -> str:
    """What other agents said of the draft since it was put up: a checker's verdict, say."""
    since = next((at for at, word in reversed(list(enumerate(room.words))) if word.draft), len(room.words))
    later = [word for word in room.words[since + 1 :] if not (word.is_person or word.is_role)]
    return "\n".join(f"{word.by}: {word.text}" for word in later)[:NOTE_MOST]


def _said_by(word: Word) -> str:
    return word.by if word.is_person or word.is_role else f"{word.by}, an agent,"
