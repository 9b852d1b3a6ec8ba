"""A sheet as a card: every item whole and by number, what became of each, and the buttons for all of them.

    requests + their tools -> items: whole arguments, inert, or not approvable -> one card

What cannot be shown whole is said to be so, and then the sheet offers no approval. Not which requests share a
message (sheet), nor what a press does (runtime/sheets).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.domain import button_effects, evidence, wording
from bot.domain.arguments import Arguments, arguments, objection, without
from bot.domain.calls import Outcome, Risk, ToolResult, ToolSpec
from bot.domain.card_buttons import REASON, STOP
from bot.domain.chat import Attachment, Block, Button, Card, Fact, Field, FieldKind, PersonId, Tone
from bot.domain.inert import show_line
from bot.domain.render import RISKS, TASK_MOST
from bot.domain.request import Move, Request, Status, seats
from bot.domain.sheet import APPROVE_ALL, APPROVE_SOME, CHOSEN, OPEN_ONE, REJECT_ALL, Sheet, label, taken_out
from bot.domain.verdict import ReasonRule
from bot.domain.wire import replace
from bot.domain.wording import LINE_MOST, NAME_MOST

ABOUT_MOST = 60  # characters of a call in a list to choose from; Slack's limit for an option is 75
SAID_MOST = 80  # characters of a reason or result beside an item

WARNING = "⚠"  # how the label of a fact begins that nobody may overlook

Spec = Callable[[Request], ToolSpec | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    number: int
    request: Request
    args: Arguments
    objection: str | None  # why it cannot be approved

    @property
    def tool(self) -> str:
        return wording.clip(show_line(self.request.call.tool), NAME_MOST)

    @property
    def option(self) -> str:
        """The call in a few words, to choose it by; secrets are blotted out in them as in its arguments."""
        text = " ".join(self.args.blocks[0].text.split()) if self.args.blocks else ""
        return label(self.number, wording.clip(f"{self.tool} {text}", ABOUT_MOST))


def sheet_card(sheet: Sheet, *, spec: Spec, names: Mapping[PersonId, str], seal: Callable[[str], str]) -> Card:
    """The card of *sheet* as it stands now.

    *spec* gives an item's tool, None for one that is gone. *seal* makes a button's token from its move; "stop" is
    sealed for the run, every other move for the head and the sheet's digest.
    """
    items = [_item(number, request, spec(request)) for number, request in enumerate(sheet.items, 1)]
    found = evidence.on_sheet([(f"{item.number}.", item.request, item.args.secrets) for item in items])
    return Card(
        title=_title(sheet, items),
        tone=_tone(sheet),
        facts=tuple(_facts(sheet, items, spec(sheet.head), names)),
        blocks=tuple(_blocks(sheet, items, found.blocks, names)),
        attachments=(*(file for item in items for file in item.args.attachments), *found.attachments),
        status=_status(sheet),
        buttons=tuple(_buttons(sheet, items, seal)) if sheet.open else (),
        footer=f"{sheet.head.id} · {sheet.head.run} · {len(items)} requests, {sheet.digest[:12]}",
        run=sheet.head.run,
    )


def is_whole(request: Request, spec: ToolSpec | None) -> bool:
    """Does a sheet show every byte of *request*, so that somebody may sign what they saw there?"""
    return objection(request, spec) is None


def _item(number: int, request: Request, spec: ToolSpec | None) -> _Item:
    drawn = arguments(request, spec)
    files = tuple(replace(file, name=_numbered(file, number)) for file in drawn.attachments)
    blocks = tuple(replace(block, text=f"{block.text} ({files[0].name})") if files else block for block in drawn.blocks)
    drawn = replace(drawn, attachments=files, blocks=blocks)
    return _Item(number=number, request=request, args=drawn, objection=objection(request, spec))


def _numbered(file: Attachment, number: int) -> str:
    stem, _, kind = file.name.rpartition(".")
    return f"{stem}-{number}.{kind}"


# ------------------------------------------------------------------- above


def _title(sheet: Sheet, items: Sequence[_Item]) -> str:
    count = len(sheet.open)
    if sheet.is_joint:
        what = f"{len(items)} × {items[0].tool}"
        return f"Approval needed: {what}" if count else f"All decided: {what}"
    return f"{count} more requests wait here" if count > 1 else "1 more request waits here" if count else "All decided"


def _tone(sheet: Sheet) -> Tone:
    if sheet.open:
        return Tone.DANGER if any(one.ask.is_high for one in sheet.open) else Tone.WAITING
    is_done = all(one.outcome is not None and one.outcome.outcome is Outcome.OK for one in sheet.items)
    return Tone.GOOD if is_done else Tone.QUIET


def _facts(
    sheet: Sheet, items: Sequence[_Item], spec: ToolSpec | None, names: Mapping[PersonId, str]
) -> Iterator[Fact]:
    head = sheet.head
    asked = f"{wording.name(names, head.requester)}, through {wording.line(head.agent)}"
    yield Fact(label="Asked by", value=asked)
    if sheet.is_joint:
        yield Fact(label="Tool", value=wording.line(f"{head.call.tool}, version {head.call.version}"))
        yield Fact(label="Risk", value=RISKS[spec.risk if spec else Risk.IRREVERSIBLE])
        why = without(head.ask.why, [secret for item in items for secret in item.args.secrets])
        yield Fact(label="Why a person is asked", value=wording.line(why))
        yield Fact(label="Signatures for each", value=_needed(head, names))
    deadlines = [one.deadline for one in sheet.open if one.deadline is not None]
    if deadlines:
        told = f"{wording.time(min(deadlines))}, then {'they are' if len(deadlines) > 1 else 'it is'} not executed"
        yield Fact(label="Deadline", value=told + wording.pause(head.ask.clock))
    for item in items:
        warnings = (fact for fact in item.args.facts if fact.label.startswith(WARNING))  # the rest stands below
        yield from (replace(fact, label=label(item.number, fact.label)) for fact in warnings)
        if item.objection is not None and item.request.is_open:
            yield Fact(label=label(item.number, "Cannot be approved"), value=item.objection)


def _needed(request: Request, names: Mapping[PersonId, str]) -> str:
    groups = [(wording.audience(n.of, request.requester, names), n.need) for n in request.ask.groups]
    return " and ".join(who + (f" ×{need}" if need > 1 else "") for who, need in groups)


# ------------------------------------------------------------------- items


def _blocks(
    sheet: Sheet, items: Sequence[_Item], found: Sequence[Block], names: Mapping[PersonId, str]
) -> Iterator[Block]:
    """The calls first, each under its number and state; what their tool *found* out; then whose words they are."""
    head, hide = sheet.head, [secret for item in items for secret in item.args.secrets]
    for item in items:
        told = f"{item.tool} · {_state(item, names)} · {item.request.call.digest[:12]}"
        yield from (replace(block, label=label(item.number, told)) for block in item.args.blocks)
    yield from found
    if head.task:
        task = f"Task, in {wording.name(names, head.requester)}'s words"
        yield Block(label=task, text=wording.quoted(without(head.task, hide), TASK_MOST))
    if head.why:
        why = " ".join(without(head.why, hide).split())
        yield Block(label="Why, in the agent's words (not verified)", text=wording.quoted(why, LINE_MOST))


def _state(item: _Item, names: Mapping[PersonId, str]) -> str:
    """What became of one item, in a few words."""
    request, decision = item.request, item.request.decision
    people = " and ".join(wording.name(names, who) for who in decision.by) if decision else ""
    said = wording.clip(show_line(without(decision.reason, item.args.secrets)), SAID_MOST) if decision else ""
    match request.status:
        case Status.OPEN:
            return _waiting(request)
        case Status.APPROVED | Status.SPENT:
            return _approved(item, people)
        case Status.REJECTED if decision and decision.reason == taken_out(names.get(decision.by[-1], "")):
            return taken_out(people)
        case Status.REJECTED:
            return f"rejected by {people}" + (f": “{said}”" if said else "")
        case Status.EXPIRED:
            return "expired, not executed"
        case Status.SUPERSEDED if request.replaced_by is not None:
            return "changed: see its new card"
        case Status.SUPERSEDED:
            return "withdrawn"
    return "cancelled"


def _waiting(request: Request) -> str:
    signed, needed = sum(seats(request).filled), sum(group.need for group in request.ask.groups)
    return f"{signed} of {needed} signed" if signed else "waiting"


def _approved(item: _Item, people: str) -> str:
    result = item.request.outcome
    if result is None:
        return f"approved by {people}, {'starting' if item.request.status is Status.APPROVED else 'running'}"
    said = wording.clip(show_line(without(result.text, item.args.secrets)), SAID_MOST)
    told = {
        Outcome.OK: f"done: “{said}”",
        Outcome.ERROR: f"ran and failed: “{said}”",
        Outcome.UNKNOWN: "whether it took effect is not known",
        Outcome.NOT_RUN: "but not run",
    }[result.outcome]
    return f"approved by {people}, {told}"


def _status(sheet: Sheet) -> str:
    counted = Counter(_sum(request) for request in sheet.items)
    told = ", ".join(f"{count} {what}" for what, count in counted.items())
    return f"{told}."


def _sum(request: Request) -> str:
    match request.status:
        case Status.OPEN:
            return "waiting"
        case Status.APPROVED | Status.SPENT:
            return _done(request.outcome)
    return request.status.value


def _done(result: ToolResult | None) -> str:
    if result is None:
        return "approved"
    return "done" if result.outcome is Outcome.OK else "approved, but not done"


# ----------------------------------------------------------------- buttons


def _buttons(sheet: Sheet, items: Sequence[_Item], seal: Callable[[str], str]) -> Iterator[Button]:
    waiting = [item for item in items if item.request.is_open]
    options = tuple(item.option for item in waiting)
    head, count = sheet.head, len(waiting)
    every = f"all {count}" if count > 1 else "the last one"

    def button(move: str, told: str, style: str = "plain", fields: tuple[Field, ...] = ()) -> Button:
        subject = head.run if move == STOP else head.id
        effect = button_effects.of_sheet(move, sheet.open)
        token = seal(move)
        return Button(subject=subject, move=move, label=told, token=token, style=style, fields=fields, effect=effect)

    if sheet.is_joint and all(item.objection is None for item in waiting):
        yield button(APPROVE_ALL, f"Approve {every}", "primary", _reason(waiting, Move.APPROVE))
        if count > 1:
            hint = "What you leave out is rejected."
            chosen = Field(
                name=CHOSEN,
                label="Approve these",
                kind=FieldKind.MULTI,
                value="\n".join(options),
                options=options,
                hint=hint,
            )
            yield button(APPROVE_SOME, "Approve some…", "plain", (chosen, *_reason(waiting, Move.APPROVE)))
    if not sheet.is_joint:
        one = Field(name=CHOSEN, label="Open this one", kind=FieldKind.CHOICE, value=options[0], options=options)
        yield button(OPEN_ONE, "Open one…", "primary", (one,))
    yield button(REJECT_ALL, f"Reject {every}", "danger", _reason(waiting, Move.REJECT))
    yield button(STOP, "Stop")


def _reason(waiting: Sequence[_Item], move: Move) -> tuple[Field, ...]:
    """The reason field: required if the rule of any item wants one, offered beside a rejection."""
    rules = {item.request.ask.reason for item in waiting}
    is_rejecting = move is Move.REJECT
    if ReasonRule.ALWAYS not in rules and not is_rejecting:
        return ()
    is_required = ReasonRule.ALWAYS in rules or (is_rejecting and ReasonRule.ON_REJECT in rules)
    return (Field(name=REASON, label="Reason", kind=FieldKind.LONG_TEXT, is_required=is_required),)
