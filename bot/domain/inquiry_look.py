"""How a look at a draft is worded: a review, a checkpoint between phases, a check against criteria, or a finding.

    the moves of a review (inquiry_review) -> those that this look offers, under its own labels

A table and nothing else: what each move leads to is the same, whatever its button says. Not which moves there are now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.domain.asking import Choice, Part, Values
from bot.domain.inquiry_finding import finding_parts
from bot.domain.wire import replace

STAGE = "review_stage"  # the shipped tool by which a pattern asks for a look
FLAVOUR = "flavour"  # the argument that names the look; without it, it is a review
BACK = "it goes back with your words; nothing goes on"


@dataclass(frozen=True, slots=True)
class Worded:
    """What a move's button says here, and what follows. A form behind it stays where it `asks`."""

    label: str
    effect: str
    asks: bool = True
    is_exact: bool = False  # what people write behind it is code: spaces in front of it stay
    style: str = ""  # empty: as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One way to look. `first` and `last`: which moves are offered while rounds are left, and in the last one."""

    title: str
    accepts: frozenset[str]  # whole replies that accept, and nothing else
    labels: Mapping[str, Worded] = field(default_factory=dict)
    first: frozenset[str] | None = None  # None: all there are
    last: frozenset[str] | None = None
    told: Mapping[str, str] = field(default_factory=dict)  # by move, where the model hears other words
    shows: Callable[[Values], Sequence[Part]] | None = None  # what a look at one thing shows, which has no versions

    def offers(self, move: str, *, is_last: bool) -> bool:
        offered = self.last if is_last else self.first
        return offered is None or move in offered

    def worded(self, choice: Choice) -> Choice:
        says = self.labels.get(choice.move)
        if says is None:
            return choice
        fields = tuple(replace(one, is_exact=says.is_exact) for one in choice.fields) if says.asks else ()
        style = says.style or choice.style
        return replace(choice, label=says.label, effect=says.effect, fields=fields, style=style)


LOOKS: Mapping[str, Look] = {
    "review": Look(title="Review wanted", accepts=frozenset({"approve", "approved", "ok", "lgtm"})),
    "checkpoint": Look(
        title="Checkpoint",
        accepts=frozenset({"approve", "approved"}),
        labels={
            "accept": Worded("Approve & continue", "the next phase begins"),
            "revise": Worded("Send feedback", BACK),
            "more": Worded("Allow another round", BACK),
            "leave": Worded("Stop", "the workflow ends here; what was approved stands", asks=False),
        },
        first=frozenset({"accept", "revise", "leave"}),
        last=frozenset({"accept", "more", "take_over", "leave"}),
        told={"accept": "Approved: go on.", "leave": "Stop here."},
    ),
    "check": Look(
        title="Quality check",
        accepts=frozenset({"pass", "passed"}),
        labels={
            "accept": Worded("Pass", "it goes on as it is"),
            "revise": Worded("Fail", BACK),
            "more": Worded("Fail, and allow another round", BACK),
            "leave": Worded("Fail, and end here", "it is not used"),
        },
        first=frozenset({"accept", "revise", "leave"}),
        last=frozenset({"accept", "more", "leave"}),
        told={"accept": "It passes.", "revise": "It fails. Their notes: {text!r}"},
    ),
    "finding": Look(
        title="Finding",
        accepts=frozenset(),  # several stand in one thread: a word could mean any of them
        labels={
            "accept": Worded("Accept", "the suggestion is used as it is"),
            "take_over": Worded("Modify", "your text is used instead", is_exact=True),
            "leave": Worded("Skip", "nothing is changed here", asks=False, style="plain"),
        },
        first=frozenset({"accept", "take_over", "leave"}),
        last=frozenset({"accept", "take_over", "leave"}),
        told={
            "accept": "Accepted: the suggestion as it is.",
            "take_over": "Modified: exactly this instead: {text!r}",
            "leave": "Skipped: nothing is changed here.",
        },
        shows=finding_parts,
    ),
}
LABELS = tuple(says.label for look in LOOKS.values() for says in look.labels.values())


def look_of(values: Values) -> Look:
    return LOOKS[values.get(FLAVOUR) or "review"]


def title_of(values: Values) -> str:
    """A checkpoint says which of how many it is: `1/3`."""
    return " ".join(part for part in (look_of(values).title, values.get("stage")) if part)
