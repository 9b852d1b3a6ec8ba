"""What each button does, in a few words; and all of a card's buttons in one line (ST-40).

    request + move -> effect        buttons -> "Approve: runs exactly this, once · Reject: it is not run, …"

Said before anybody presses, so it promises no more than a press keeps. What an inquiry's answers lead to stands beside
them (asking.Choice). Not what a press really does (desk, ballot), nor where a card shows the line (adapters).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from bot.domain.chat import Button
from bot.domain.grant import DROP, OFFER
from bot.domain.request import Kind, Move, Request, seats
from bot.domain.sheet import APPROVE_ALL, APPROVE_SOME, OPEN_ONE, REJECT_ALL
from bot.domain.wording import clip

LABEL_MOST = 40  # characters of a label in the line; the button itself bears it whole
EFFECT_MOST = 60  # characters: six buttons make a line that one still reads

DETAILS = "shows you everything there is to know"
APPROVAL: Mapping[str, str] = {
    Move.APPROVE: "runs exactly this, once",
    Move.REJECT: "it is not run; the agent is told",
    Move.BREAK_GLASS: "runs it on you alone; everybody here is told",
    "edit": "your version takes its place",
    "explain": "the agent says more about it",
    "details": DETAILS,
    OFFER: "shows the terms first; nothing runs yet",
    DROP: "takes the offer away; this still waits",
}
RECOVERY: Mapping[str, str] = {
    Move.ANSWER: "settles it; nothing is run again",
    Move.APPROVE: "runs exactly this, once more",
    Move.REJECT: "not run again; the agent goes on, told of the doubt",
    "details": DETAILS,
}
SHEET: Mapping[str, str] = {
    APPROVE_ALL: "runs each of them, once",
    APPROVE_SOME: "runs what you choose, rejects the rest",
    REJECT_ALL: "none of them is run; the agent is told",
    OPEN_ONE: "puts it on a card of its own",
}
RUN: Mapping[str, str] = {
    "stop": "ends the whole run",
    "take_run": "you work by hand; the agent waits",
    "hand_back": "the agent goes on",
    "steps": "shows you what was done so far",
    "reroute": "another agent goes on; what is asked is withdrawn",
}
GIVE = "runs this, and allows what is described above"
HAND_TO = "asks only that person instead"
SIGNS = "signs it; it runs once everybody needed has signed"
SIGNS_EACH = "signs each; each runs once everybody needed has signed"
OTHERS_SIGN = "your version takes its place; somebody else signs it"
AT_ONCE = "your version takes its place; it may run at once"


def of_request(request: Request, move: str) -> str:
    """What *move* does on the card of a signature. Raises KeyError for a move that no such card offers."""
    if move in RUN:
        return RUN[move]
    if move == Move.APPROVE and not is_last(request):
        return SIGNS
    if move == "edit" and not _is_alone(request):
        return OTHERS_SIGN
    if move == "edit" and not request.ask.is_high and not request.ask.typed:
        return AT_ONCE
    return (RECOVERY if request.kind is Kind.RECOVERY else APPROVAL)[move]


def of_sheet(move: str, waiting: Sequence[Request]) -> str:
    """What *move* does on a sheet whose open items are *waiting*."""
    if move == APPROVE_ALL and not all(map(is_last, waiting)):
        return SIGNS_EACH
    return RUN.get(move) or SHEET[move]


def told(buttons: Sequence[Button]) -> str:
    """`Label: effect · Label, label: effect`, in the order of *buttons*; empty if none has an effect."""
    named = [button for button in buttons if button.effect]
    return " · ".join(
        f"{', '.join(_label(button) for button in alike)}: {effect}"
        for effect, alike in groupby(named, key=lambda button: button.effect)
    )


def _label(button: Button) -> str:
    """Its label, apart from our words: an option may be called “x: nothing happens · Approve”."""
    short = clip(button.label, LABEL_MOST)
    return "“{}”".format(short.replace("”", '"')) if any(mark in short for mark in ":·“”,") else short


def is_last(request: Request) -> bool:
    """Does one more approval complete *request*?"""
    return sum(need.need for need in request.ask.groups) - sum(seats(request).filled) <= 1


def _is_alone(request: Request) -> bool:
    """Is one signature enough, and may it be the editor's?"""
    return sum(need.need for need in request.ask.groups) == 1 and not request.ask.separate_duties
