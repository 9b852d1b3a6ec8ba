"""An agent is stuck: what happened, what was tried, and how people get it going again, or end it.

Asked by a loop about itself (`agents/react`), or by the runtime about an agent whose program has changed; never by
a model. What each answer leads to is up to whoever asked.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

from bot.domain import words
from bot.domain.asking import TEXT, Choice, Fields, Inquiry, Part, Values
from bot.domain.chat import Field, FieldKind
from bot.domain.request import Request


class Trouble(enum.StrEnum):
    """Why the agent cannot go on by itself."""

    STEPS = "steps"  # its steps are used up
    TOKENS = "tokens"  # its tokens are used up
    FAILING = "failing"  # one tool fails again and again
    REPEATING = "repeating"  # the same call again, and the same result
    CHANGED = "changed"  # its program is another one than the run began with
    BUDGET = "budget"  # a budget of its run, or of the day, is nearly spent


def _words(label: str, *, is_required: bool = True) -> tuple[Field, ...]:
    return (Field(name=TEXT, label=label, kind=FieldKind.LONG_TEXT, is_required=is_required),)


GO_ON = Choice(move="go_on", label="Go on, with as much again", effect="renews what is used up", style="primary")
AGAIN = Choice(move="again", label="Run it again", effect="the same call, once more", style="primary")
DONE = Choice(move="done", label="I have done it", effect="the agent goes on with it", fields=_words("What came of it"))
GUIDE = Choice(
    move="guide", label="Tell the agent what to do", effect="the agent follows it", fields=_words("What it should do")
)
DONE_WITH = Choice(
    move="done", label="I have done it", effect="ends the run; your words are its answer", fields=DONE.fields
)
SKIP = Choice(move="skip", label="Skip it", effect="the agent goes on without it")
END = Choice(move="end", label="End here", effect="the run ends, and says so", style="danger")
RESTART = Choice(
    move="restart", label="Start again from the beginning", effect="a new run with the same task", style="primary"
)

CHOICES: Mapping[Trouble, tuple[Choice, ...]] = {
    Trouble.STEPS: (GO_ON, DONE, GUIDE, END),
    Trouble.TOKENS: (GO_ON, DONE, GUIDE, END),
    Trouble.FAILING: (AGAIN, DONE, GUIDE, SKIP, END),
    Trouble.REPEATING: (AGAIN, DONE, GUIDE, SKIP, END),
    Trouble.CHANGED: (RESTART, DONE_WITH, END),
    Trouble.BUDGET: (GO_ON, END),
}
OURS: Mapping[Trouble, str] = {  # what the runtime alone may say, and why
    Trouble.CHANGED: "that its program has changed is nothing an agent can say; the runtime notices it",
    Trouble.BUDGET: "what is left of a budget is nothing an agent can say; the runtime counts it",
}
TYPED: Mapping[str, Choice] = {  # whole replies besides the labels; "stop" ends the run before it comes here
    "go on": GO_ON,
    "continue": GO_ON,
    "run again": AGAIN,
    "retry": AGAIN,
    "skip": SKIP,
    "start again": RESTART,
}
TOLD: Mapping[str, str] = {
    "go_on": "Go on, with as much again.",
    "again": "Run it again.",
    "done": "They have done it themselves: {text!r}",
    "guide": "Do this: {text!r}",
    "skip": "Leave it out, and go on without it.",
    "end": "End it here.",
    "restart": "Start again from the beginning.",
}


def _parts(values: Values) -> Sequence[Part]:
    is_ours = Trouble(values["what"]) in OURS
    found = [Part(label="What happened", text=values["told"], is_ours=is_ours)]
    if tried := values.get("tried"):
        label = "What was done so far" if is_ours else "What was tried"
        found.append(Part(label=label, text="\n".join(tried), is_exact=True, is_ours=is_ours))
    if error := values.get("error"):
        found.append(Part(label="What came of it last", text=error))
    return found


def _choices(values: Values) -> Sequence[Choice]:
    return CHOICES[Trouble(values["what"])]


def _typed(values: Values, text: str) -> tuple[str, Fields] | None:
    """The name of a button, or words that tell the agent what to do."""
    offered, said = _choices(values), words.normal(text)
    plain = {choice.label.casefold(): choice for choice in offered if not choice.fields}
    meant = plain.get(said) or TYPED.get(said)
    if meant in offered and meant is not None:
        return meant.move, {}
    return ("guide", {TEXT: text}) if GUIDE in offered else None


def _told(_asked: Request, answer: Values) -> str:
    return TOLD[answer["move"]].format(text=answer.get(TEXT, ""))


def _flaw(values: Values) -> str | None:
    """A model that knows the tool's name could say so as well, and its words would stand there as ours."""
    return OURS.get(Trouble(values["what"]))


def _titled(values: Values) -> str:
    return "A budget is nearly spent" if values["what"] == Trouble.BUDGET else "The agent is stuck"


STUCK = Inquiry(
    title="The agent is stuck",
    titled=_titled,
    parts=_parts,
    choices=_choices,
    typed=_typed,
    told=_told,
    flaw=_flaw,
)
