"""A review: a draft shown whole, with what is different from the version before, for a bounded number of rounds.

    draft -> accept · revise (in words, or by a button that the agent offers), and round n+1
          -> use an earlier version · write it oneself · leave it unaccepted

Which round it is, how many there are and what changed come from the run's own earlier calls: an agent cannot give
itself another round, nor say what it changed. Only people can, once the rounds are used up. Silence uses one up, too,
and so does a draft that comes back under another name: what an agent shows is one series until something is accepted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain import words
from bot.domain.asking import CHOICE, SEPARATE, TEXT, UNANSWERED, Choice, Fields, Inquiry, Lapse, Part, Values
from bot.domain.calls import Outcome, Past, ToolCall
from bot.domain.chat import Field, FieldKind
from bot.domain.difference import difference
from bot.domain.inquiry_look import LABELS, LOOKS, STAGE, look_of, title_of
from bot.domain.request import Request, Status
from bot.domain.wire import Json
from bot.domain.wording import used_up

ACCEPT = frozenset[str]().union(*(look.accepts for look in LOOKS.values()))  # no direction may be one of these words
WANTS = ("want_a", "want_b", "want_c")  # moves of the directions that the agent offers, in their order
OURS = frozenset(  # what other buttons here are called: no direction may pose as one
    map(
        words.normal,
        (
            *("Accept", "Revise", "Allow another round", "Use another version", "Write it myself"),
            *("Leave it unaccepted", "Hand to…", "Stop", "Approve", "Reject"),
            *LABELS,
        ),
    )
)
BACK = "the agent shows a next version"
ENDS = ("accept", "use", "take_over")  # moves after which the next draft begins at round 1
UNACCEPTED = "Without a yes its status is: unaccepted. Do not use it, and show no further version."
STATUS: Mapping[str, str] = {
    "accept": "accepted",
    "use": "accepted",
    "take_over": "accepted",
    "revise": "revise",
    **dict.fromkeys(WANTS, "revise"),
    "more": "revise",
    "leave": "unaccepted",
}


def _recalled(call: ToolCall, history: Sequence[Past], agent: str) -> Values:
    """`earlier`: the versions of this name, oldest first; `round` of `rounds`; `is_left`: people want no more of it."""
    mine = call.values
    if look_of(mine).shows:
        return {"earlier": [], "round": 1, "rounds": 1, "is_left": False}
    shown = [past for past in history if past.tool == call.tool and _is_round(past)]
    named = _since_accepted([past for past in shown if past.values.get("name") == mine.get("name")])
    by_agent = _since_accepted([past for past in shown if past.agent in ("", agent)])
    series = named if call.tool == STAGE else by_agent  # a pattern's names are its author's, not a model's
    given = (series[0].values if series else mine).get("rounds", 3)
    return {
        "earlier": [past.values["draft"] for past in named],
        "round": len(series) + 1,
        "rounds": given + sum(past.move == "more" for past in series),
        "is_left": any(past.move == "leave" for past in named),
    }


def _is_round(past: Past) -> bool:
    """People answered it, or let its time go by. What a takeover closed, or no chat would show, was none."""
    return past.outcome is Outcome.OK or past.move == UNANSWERED


def _since_accepted(shown: Sequence[Past]) -> Sequence[Past]:
    """What was shown after people last accepted something."""
    ends = [at for at, past in enumerate(shown, 1) if past.move in ENDS]
    return shown[ends[-1] :] if ends else shown


def _parts(values: Values) -> Sequence[Part]:
    if shows := look_of(values).shows:
        return shows(values)
    label = f"Draft{_called(values)}, round {values['round']} of {values['rounds']}"
    found = [*_asked_of(values), Part(label=label, text=values["draft"], is_exact=True)]
    if earlier := values["earlier"]:
        label = f"What is different from version {len(earlier)}, compared by this program"
        found.append(Part(label=label, text=difference(earlier[-1], values["draft"]), is_exact=True, is_ours=True))
    if note := values.get("note"):
        found.append(Part(label="The agent's note", text=note))
    if _is_last(values):
        text = f"{used_up(values['rounds'])}. Without a yes the draft stays unaccepted."
        found.append(Part(label="The last round", text=text, is_ours=True))
    return found


def _asked_of(values: Values) -> Sequence[Part]:
    """In which role somebody looks, what is asked of them, and what it must meet: above everything else (A2-08)."""
    role, asked, criteria = (str(values.get(name) or "") for name in ("role", "instructions", "criteria"))
    label = f"Your role: {role}" if role else "What is asked of you"
    found = [Part(label=label, text=asked or "You are asked in this role.")] if role or asked else []
    return [*found, Part(label="Criteria", text=criteria)] if criteria else found


def _choices(values: Values) -> Sequence[Choice]:
    look = look_of(values)
    offered = (choice for choice in _moves(values) if look.offers(choice.move, is_last=_is_last(values)))
    return [look.worded(choice) for choice in offered]


def _moves(values: Values) -> Sequence[Choice]:
    feedback = Field(name=TEXT, label="What should be different", kind=FieldKind.LONG_TEXT)
    own = Field(name=TEXT, label="Your own text", kind=FieldKind.LONG_TEXT, value=values["draft"], may_start_empty=True)
    why = Field(name=TEXT, label="Why", kind=FieldKind.LONG_TEXT, is_required=False)
    found = [Choice(move="accept", label="Accept", effect="this version is final", style="primary")]
    if _is_last(values):
        found.append(Choice(move="more", label="Allow another round", effect=BACK, fields=(feedback,)))
    else:
        wants = zip(WANTS, _directions(values), strict=False)
        found += [Choice(move=move, label=direction, effect=BACK) for move, direction in wants]
        found.append(Choice(move="revise", label="Revise", effect=BACK, fields=(feedback,)))
    if versions := _versions(values):
        which = Field(name=CHOICE, label="Which version", kind=FieldKind.CHOICE, options=tuple(versions))
        found.append(Choice(move="use", label="Use another version", effect="that one is final", fields=(which,)))
    if not values.get(SEPARATE):  # else whoever writes it would also accept it
        found.append(Choice(move="take_over", label="Write it myself", effect="your text is final", fields=(own,)))
    leave = "the draft is not used"
    return [*found, Choice(move="leave", label="Leave it unaccepted", effect=leave, style="danger", fields=(why,))]


def _typed(values: Values, text: str) -> tuple[str, Fields] | None:
    """One of a few exact words accepts, only here (D-13). All else is feedback, for a next round if there is one."""
    if look_of(values).shows:
        return None
    if words.normal(text) in look_of(values).accepts:
        return "accept", {}
    return ("leave", {TEXT: text}) if _is_last(values) else ("revise", {TEXT: text})


def _told(asked: Request, answer: Values) -> str:
    if says := look_of(asked.call.values).told.get(answer["move"]):
        return says.format(text=answer.get(TEXT, ""))
    match answer["move"]:
        case "accept":
            return "The draft is accepted as it is."
        case "use":
            return f"They accept {answer[CHOICE].lower()} instead; use exactly this: {_final(asked, answer)!r}"
        case "take_over":
            return f"They wrote it themselves; use exactly this: {answer[TEXT]!r}"
        case "revise":
            return f"Not accepted yet. Their feedback: {answer[TEXT]!r}"
        case move if move in WANTS:
            return f"Not accepted yet. Their feedback: {_directions(asked.call.values)[WANTS.index(move)]!r}"
        case "more":
            return f"Not accepted yet; they allow another round. Their feedback: {answer[TEXT]!r}"
    told = "The draft is not accepted, and no further version is wanted. Its status is: unaccepted."
    return f"{told} They say: {answer[TEXT]!r}" if answer.get(TEXT) else told


def _more(asked: Request, answer: Values) -> Mapping[str, Json]:
    """`status`; of what is accepted its `final` text and its `version`; of a direction's button, the words on it."""
    move = answer["move"]
    found: dict[str, Json] = {"status": STATUS[move]}
    if move in WANTS:
        found[TEXT] = _directions(asked.call.values)[WANTS.index(move)]
    return found | (_accepted(asked, answer) if STATUS[move] == "accepted" else {})


def _accepted(asked: Request, answer: Values) -> dict[str, Json]:
    """What they wrote themselves has the version that it began as."""
    values = _recalled(asked.call, asked.history, asked.agent)
    earlier = _versions(values).index(answer[CHOICE]) + 1 if answer["move"] == "use" else 0
    return {"final": _final(asked, answer), "version": earlier or len(values["earlier"]) + 1}


def _final(asked: Request, answer: Values) -> str:
    if answer["move"] == "use":
        values = _recalled(asked.call, asked.history, asked.agent)
        return str(values["earlier"][_versions(values).index(answer[CHOICE])])
    return str(answer[TEXT] if answer["move"] == "take_over" else asked.call.values["draft"])


def _ended(asked: Request, answer: Values) -> Sequence[Part]:
    """Whoever reads the settled card sees what a person changed, as they see what the agent changed."""
    if answer["move"] != "take_over":
        return []
    label = "What they wrote, and what is different from the draft, compared by this program"
    return [Part(label=label, text=difference(asked.call.values["draft"], answer[TEXT]), is_exact=True, is_ours=True)]


def _lapsed(asked: Request) -> Lapse:
    """Silence uses up its round; in the last one the draft is unaccepted, as nothing but a yes is a yes."""
    values = {**asked.call.values, **_recalled(asked.call, asked.history, asked.agent)}
    if look_of(values).shows or asked.status is not Status.EXPIRED:
        return Lapse()
    if not _is_last(values):
        return Lapse(status=UNANSWERED)
    return Lapse(told=f"{used_up(values['rounds']).capitalize()}. {UNACCEPTED}", status="unaccepted")


def _flaw(values: Values) -> str | None:
    if values["is_left"]:
        return "people left this draft unaccepted and want no further version"
    if values["round"] > values["rounds"]:
        return f"{used_up(values['rounds'])} by what this agent showed, and the draft is unaccepted"
    wanted = [words.normal(direction) for direction in _directions(values)]
    if len(set(wanted)) < len(wanted) or OURS & set(wanted) or ACCEPT & set(wanted) or not all(wanted):
        return "its directions must differ from each other and from the other buttons"
    return None


def _directions(values: Values) -> Sequence[str]:
    return values.get("directions") or ()


def _versions(values: Values) -> list[str]:
    return [f"Version {number}" for number, _ in enumerate(values["earlier"], 1)]


def _is_last(values: Values) -> bool:
    return bool(values["round"] >= values["rounds"])


def _called(values: Values) -> str:
    return f" “{values['name']}”" if values.get("name") else ""


REVIEW = Inquiry(
    title="Review wanted",
    titled=title_of,
    parts=_parts,
    choices=_choices,
    typed=_typed,
    told=_told,
    recalled=_recalled,
    more=_more,
    ended=_ended,
    lapsed=_lapsed,
    flaw=_flaw,
)
