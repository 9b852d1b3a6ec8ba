"""A question: options as buttons or as a list, words if they are wanted, or "you decide".

Nothing is ever assumed. An agent may declare, where everybody reads it from the beginning, what it goes on with if
nobody answers in time: that is then said to be its default, and nobody's answer (D-18, D-23).

A question about one row of a table shows that row, and is never left to the agent: a value is people's to say.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from bot.domain import words
from bot.domain.asking import CHOICE, TEXT, Choice, Fields, Inquiry, Part, Values
from bot.domain.calls import ToolResult
from bot.domain.chat import Field, FieldKind
from bot.domain.errors import InvalidArguments
from bot.domain.inquiry_row import row_part, table_flaw
from bot.domain.ports import WantedCall
from bot.domain.request import Request
from bot.domain.wire import dumps

ASK = "ask_people"  # the shipped tool that only people run
ROW = "ask_about_row"  # the shipped tool by which an agent's program asks about a row
BUTTONS_MOST = 5  # options that are buttons; more are a list to choose from
GOES_ON = "the agent goes on with that"
OPTION_MOST = 60  # characters of an option on a button or in a list; a longer one is numbered, and whole in the body


def asking(question: str, *, options: Sequence[str], of: str, default: str, may_write: bool) -> WantedCall:
    """The call of an agent's program that asks this, as `RunContext.ask` says it."""
    asked = {"question": question, "options": list(options), "of": of}
    more = {"default": default} if default else {}  # what is not said stays out: old journals know no such words
    closed = {} if may_write else {"may_write": False}
    return WantedCall(id="ask", tool=ASK, args=dumps({**asked, **more, **closed}).decode())


class Asks(ABC):
    """`RunContext.ask` by way of `RunContext.use`: alike for every context."""

    @abstractmethod
    async def use(self, wanted: Sequence[WantedCall], *, why: str = "") -> tuple[ToolResult, ...]:
        """As `RunContext.use`."""

    async def ask(
        self,
        question: str,
        *,
        options: Sequence[str] = (),
        of: str = "",
        default: str = "",
        may_write: bool = True,
    ) -> ToolResult:
        wanted = asking(question, options=options, of=of, default=default, may_write=may_write)
        (result,) = await self.use((wanted,))
        return result


def _parts(values: Values) -> Sequence[Part]:
    found = [Part(label="The agent asks", text=values["question"])]
    if table := values.get("table"):
        found.append(row_part(table))
    options, labels = options_of(values), _labels(values)
    if labels != list(options):
        found.append(Part(label="Options", text="\n".join(_numbered(options))))
    elif len(options) > BUTTONS_MOST:
        found.append(Part(label="Options", text="\n".join(f"• {option}" for option in options)))
    if default := values.get("default"):
        found.append(Part(label="If nobody answers in time, the agent goes on with", text=default))
    return found


def _choices(values: Values) -> Sequence[Choice]:
    labels = _labels(values)
    found: list[Choice] = []
    if len(labels) > BUTTONS_MOST:
        field = Field(name=CHOICE, label="Your choice", kind=FieldKind.CHOICE, options=tuple(labels))
        found.append(Choice(move="choose", label="Choose", style="primary", fields=(field,), effect=GOES_ON))
    else:
        found += [Choice(move=_pick(i), label=label, effect=GOES_ON) for i, label in enumerate(labels)]
    if values.get("may_write", True):
        field = Field(name=TEXT, label="Your answer", kind=FieldKind.LONG_TEXT)
        label = "Enter a value" if values.get("table") else "Answer in words"
        found.append(Choice(move="write", label=label, fields=(field,), effect="the agent goes on with it"))
    if not values.get("table"):
        found.append(Choice(move="leave", label="You decide", effect="the agent chooses"))
    return found


def _typed(values: Values, text: str) -> tuple[str, Fields] | None:
    options, labels = options_of(values), _labels(values)
    if (index := _named(options, labels, text)) is not None:
        return ("choose", {CHOICE: labels[index]}) if len(options) > BUTTONS_MOST else (_pick(index), {})
    if values.get("table"):  # several stand in one thread, and a remark must not become a value
        return None
    if text.casefold().rstrip(".!") == "you decide":
        return "leave", {}
    if values.get("may_write", True):
        return "write", {TEXT: text}
    raise InvalidArguments("question", {"": f"Please choose one of: {', '.join(options)}."})


def _named(options: Sequence[str], labels: Sequence[str], text: str) -> int | None:
    """The option that *text* is: as written, else the only one it is but for closing marks; a question is none."""
    pairs = list(enumerate(zip(options, labels, strict=True)))
    exact = [n for n, (option, label) in pairs if text.casefold() in (option.strip().casefold(), label.casefold())]
    plain = "" if "?" in text else words.normal(text)
    alike = [n for n, (option, label) in pairs if plain and plain in (words.normal(option), words.normal(label))]
    return exact[0] if exact else alike[0] if len(alike) == 1 else None


def _told(asked: Request, answer: Values) -> str:
    values = asked.call.values
    match answer["move"]:
        case "leave":
            return "They leave the choice to you."
        case "write":
            said = answer[TEXT]
        case "choose":
            said = options_of(values)[_labels(values).index(answer[CHOICE])]
        case move:
            said = options_of(values)["abcde".index(move.removeprefix("pick_"))]
    return f"Their answer: {said!r}"


def _flaw(values: Values) -> str | None:
    if (table := values.get("table")) and (told := table_flaw(table)):
        return told
    options = [option.strip().casefold() for option in options_of(values)]
    if not options and not values.get("may_write", True):
        return "there is nothing to choose from, and nobody may answer in words"
    if len(set(options)) < len(options) or not all(options):
        return "two options are the same, or one says nothing"
    default = str(values.get("default") or "")
    if default and not default.strip():
        return "its default says nothing"
    if default and not values.get("may_write", True) and default.strip().casefold() not in options:
        return "its default is none of the options"
    return None


def options_of(values: Values) -> Sequence[str]:
    return values.get("options") or ()


def _labels(values: Values) -> list[str]:
    """The options as they stand on buttons and in lists: as they are, or all numbered if one does not fit."""
    options = options_of(values)
    if all(len(option) <= OPTION_MOST and "\n" not in option for option in options):
        return list(options)
    short = [" ".join(option.split()) for option in _numbered(options)]
    return [one if len(one) <= OPTION_MOST else f"{one[: OPTION_MOST - 1]}…" for one in short]


def _numbered(options: Sequence[str]) -> list[str]:
    return [f"{number}. {option}" for number, option in enumerate(options, 1)]


def _pick(index: int) -> str:
    return f"pick_{'abcde'[index]}"


QUESTION = Inquiry(title="Question", parts=_parts, choices=_choices, typed=_typed, told=_told, flaw=_flaw)
