"""A code review: a reviewer finds, people decide about each finding, and what they decided is what is changed.

    code -> review -> "what next?" -> words: reviewed again        the reviewer has read everything that was said
                          │      └──> nothing more: it ends
                          └> a card for each finding: Accept · Modify · Skip, in any order -> a patch, a signed commit

Between a review and people's answer nothing thinks (AS-14). A finding is a call with file and lines, held against the
code before anybody sees it. Not what is reviewed (source), nor how lines are replaced (changes).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from agents.examples.code_review.changes import Edit, applied, patch
from agents.examples.code_review.source import Source, read
from agents.patterns.ask import chosen, put
from agents.patterns.calls import Decider, Offer, Values, decide, decider
from agents.patterns.room import Room
from bot.domain.asking import TEXT
from bot.domain.calls import Cause, Outcome
from bot.domain.chat import Attachment
from bot.domain.inquiry_finding import FINDING, lines
from bot.domain.inquiry_question import asking
from bot.domain.ports import Agent, RunContext, WantedCall
from bot.domain.run import Task
from bot.domain.wire import dumps, loads

FINDINGS = "findings"  # the call that ends a review
CODE = "code"  # whose words the numbered lines are
NEXT = "What next? Reply with what I should look at again, or choose."
ENOUGH = "That is all"
SHOWN_MOST = 1_500  # characters of changed code that an answer shows; the patch has all of it
WORDS: Mapping[str, str] = {"accept": "accepted", "take_over": "modified", "leave": "skipped"}  # by the answer's move
UNDECIDED = "not decided"


class Found(NamedTuple):
    """One finding: where, what is wrong, and what should stand there."""

    edit: Edit
    problem: str

    @property
    def where(self) -> str:
        return f"{self.edit.file}, {lines(self.edit.first, self.edit.last)}"


async def code_review(task: Task, ctx: RunContext, reviewer: Agent) -> str:
    """What became of the findings, in a sentence; below it what was changed."""
    source = await read(task.text, ctx)
    if isinstance(source, str):
        return source
    room = Room(task)
    room.say(CODE, source.listing)
    return await _Review(decider("code_review", "reviewer", reviewer), source, room, ctx).held()


class _Review:
    """One piece of code under review."""

    def __init__(self, reviewer: Decider, source: Source, room: Room, ctx: RunContext) -> None:
        self._reviewer, self._source, self._room, self._ctx = reviewer, source, room, ctx
        self._edits: list[Edit] = []  # what people decided to change
        self._tally: Counter[str] = Counter()

    async def held(self) -> str:
        """Review after review, as people want them, until they have decided or want no more."""
        while True:
            turn = await decide(self._reviewer, self._room, self._ctx, Offer(calls=(FINDINGS,), flaw=self._flaw))
            if turn.move != FINDINGS:
                return turn.text
            found = _read(turn.values)
            await self._say(str(turn.values["summary"]), found)
            wish = await self._wish(found)
            if wish == ENOUGH or (wish and await self._decided(found)):
                return await self._last_word()

    async def _say(self, summary: str, found: Sequence[Found]) -> None:
        listed = [f"{n}. {one.where}: {one.problem}\n{one.edit.text}" for n, one in enumerate(found, 1)]
        text = "\n\n".join([summary, *listed])
        self._room.say(self._reviewer.name, text)
        with self._ctx.acting_as(self._reviewer.name):
            await self._ctx.note(text)

    async def _wish(self, found: Sequence[Found]) -> str:
        """What people want now: ENOUGH, to go through the findings, or, in words, another review: empty."""
        through = "Go through it" if len(found) == 1 else f"Go through all {len(found)}"
        options = (through, ENOUGH) if found else (ENOUGH,)
        wanted = asking(NEXT, options=options, of="", default="", may_write=True)
        (result,) = await self._ctx.use((wanted,))
        await self._room.hear(self._ctx)  # whoever could not answer it spoke all the same
        if result.cause is Cause.SUPERSEDED:  # it was withdrawn: somebody had this by hand
            return ""
        answer = loads(result.answer) if result.outcome is Outcome.OK else {}
        if answer.get("move") == "write":
            self._room.guided(str(answer[TEXT]))
            return ""
        return chosen(result, options) or (options[0] if answer else ENOUGH)

    # --------------------------------------------------------------- findings

    async def _decided(self, found: Sequence[Found]) -> bool:
        """Put every finding to people at once. False if somebody spoke, who wants it looked at again."""
        cards = [self._card(one, f"{number}/{len(found)}") for number, one in enumerate(found, 1)]
        results = await self._ctx.use(cards)
        told: list[str] = []
        for one, result in zip(found, results, strict=True):
            answer: Mapping[str, Any] = loads(result.answer) if result.outcome is Outcome.OK else {}
            word = WORDS.get(str(answer.get("move")), UNDECIDED)
            if result.cause is not Cause.SUPERSEDED:
                self._tally[word] += 1
            if word in ("accepted", "modified"):
                self._edits.append(one.edit._replace(text=str(answer["final"])))
            told.append(f"{one.where}: {word}")
        self._room.say("people's decisions", "\n".join(told))
        is_withdrawn = any(result.cause is Cause.SUPERSEDED for result in results)
        return not (await self._room.hear(self._ctx) or is_withdrawn)

    def _card(self, one: Found, stage: str) -> WantedCall:
        edit = one.edit
        args = {
            "draft": edit.text,
            "file": edit.file,
            "line": edit.first,
            "last": edit.last,
            "problem": one.problem,
            "code": self._source.part(edit.file, edit.first, edit.last),
            "stage": stage,
        }
        return WantedCall(id=f"finding-{stage}", tool=FINDING, args=dumps(args).decode())

    def _flaw(self, _call: str, values: Values) -> str | None:
        """What is wrong with a finding, before anybody reads it. Lines that were decided stay as they were decided."""
        taken = list(self._edits)
        for number, one in enumerate(_read(values), 1):
            if why := self._misplaced(one.edit) or self._useless(one.edit):
                return f"finding {number}: {why}"
            if any(one.edit.meets(other) for other in taken):
                return f"finding {number}: {one.where} is another finding's already, or was decided before"
            taken.append(one.edit)
        return None

    def _misplaced(self, edit: Edit) -> str | None:
        if edit.file not in self._source.files:
            return f"there is no file {edit.file!r}; there are {', '.join(self._source.files)}"
        size = self._source.size(edit.file)
        return None if edit.first <= edit.last <= size else f"{edit.file} has lines 1 to {size}"

    def _useless(self, edit: Edit) -> str | None:
        is_same = self._source.part(edit.file, edit.first, edit.last) == edit.text.rstrip("\n")
        return "its suggestion is what stands there already" if is_same else None

    # --------------------------------------------------------------- the end

    async def _last_word(self) -> str:
        counted = ", ".join(f"{self._tally[word]} {word}" for word in (*WORDS.values(), UNDECIDED) if self._tally[word])
        changed = applied(self._source, self._edits)
        if not changed:
            return f"{counted or 'The review stands'}. Nothing is changed."
        content = patch(self._source, changed).encode()
        file = Attachment(name="review.patch", content=content, sha256=hashlib.sha256(content).hexdigest())
        await self._ctx.note(f"{counted}. This is what they change.", files=(file,))
        return f"{counted}. {await self._committed(changed) if self._source.repo else _shown(changed)}"

    async def _committed(self, changed: Mapping[str, str]) -> str:
        """What became of the commit, which people sign."""
        source = self._source
        branch = f"review/{source.branch}-{source.commit[:8]}"
        files = "\n".join(f"- {name}" for name in changed)
        args = {
            "repo": source.repo,
            "branch": branch,
            "message": f"Apply a review of {source.branch}\n\n{files}",
            "files": changed,
            "base": source.commit,
        }
        result = await put(self._ctx, self._room, WantedCall(id="commit", tool="git_commit", args=dumps(args).decode()))
        if result.outcome is Outcome.OK:
            return f"They are committed on {branch} of our clone of {source.repo}; nothing is pushed."
        return f"They are in the patch and not committed. {result.text}"


def _shown(changed: Mapping[str, str]) -> str:
    code = "\n".join(changed.values()).rstrip()
    return f"With them the code is:\n\n{code}" if len(code) <= SHOWN_MOST else "The patch has them."


def _read(values: Values) -> list[Found]:
    return [
        Found(Edit(one["file"], one["line"], one["last"] or one["line"], one["suggestion"]), one["problem"])
        for one in values["found"]
    ]
