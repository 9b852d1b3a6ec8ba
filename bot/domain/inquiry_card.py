"""An inquiry as a card: whose words, whose answer, how to give it.

Everything the agent proposes is labelled as its own, each text or, where all of them are, the card; and shown whole:
what does not fit stands in an attachment.
Not what may be answered (inquiry), nor by whom (rights).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping

from bot.domain import button_effects, glass, inquiry, wording
from bot.domain.arguments import SHOWN_MOST
from bot.domain.asking import PERSON, Part
from bot.domain.card_buttons import DETAILS
from bot.domain.chat import Attachment, Block, Button, Card, Fact, Field, FieldKind, PersonId, Tone
from bot.domain.details import has_details
from bot.domain.inert import show, show_line
from bot.domain.render import STOP
from bot.domain.request import Kind, Request, Status
from bot.domain.wire import replace

STOP_LABEL = "Stop"
HAND_TO = "hand_to"  # the move of the button that asks somebody else instead
ANSWER_MOST = 1_000  # characters of an answer on its card
WHOSE = Fact(label="Whose words", value="All texts below are the agent's words, not verified")
TONES: Mapping[Status, Tone] = {Status.OPEN: Tone.WAITING, Status.ANSWERED: Tone.GOOD}


def inquiry_card(request: Request, *, names: Mapping[PersonId, str], seal: Callable[[str], str]) -> Card:
    """The card of *request* as it stands now. *seal* makes a button's token from its move, as for `render.card`."""
    told = inquiry.parts(request)
    is_of_agent = len(told) > 1 and not any(part.is_ours for part in told)  # then it is said once, above all of them
    parts = [_drawn(number, part, is_labelled=not is_of_agent) for number, part in enumerate(told, 1)]
    is_danger = request.kind in (Kind.ESCALATION, Kind.AFTERMATH) and request.is_open
    return Card(
        title=_title(request),
        tone=Tone.DANGER if is_danger else TONES.get(request.status, Tone.QUIET),
        facts=(*_facts(request, names), *((WHOSE,) if is_of_agent else ())),
        blocks=tuple(block for block, _ in parts),
        attachments=tuple(file for _, file in parts if file is not None),
        status=_status(request, names),
        buttons=tuple(_buttons(request, seal)) if request.is_open else (),
        footer=f"{request.id} · {request.run} · v{request.version}",
        run=request.run,
    )


def passed_on(drawn: Card, request: Request, names: Mapping[PersonId, str]) -> Card:
    """A copy of an open *request* that stands before people who are asked no more: whole, but nothing to press."""
    last = request.handed[-1]
    did = "can no longer answer this; asked again is" if last.is_back else "handed this to"
    told = f"{wording.name(names, last.by)} {did} {wording.name(names, last.to)} at {wording.time(last.at)}."
    stop = tuple(button for button in drawn.buttons if button.move == STOP)
    return replace(drawn, tone=Tone.QUIET, status=told, buttons=stop, mentions=())


def waits_here(drawn: Card, request: Request, names: Mapping[PersonId, str]) -> Card:
    """The copy in the thread of an open *request* whose new person is not to be called yet: they may answer it here."""
    last = request.handed[-1]
    told = f"{wording.name(names, last.by)} handed this to {wording.name(names, last.to)}, who is not called before "
    return replace(drawn, status=f"{told}they are back, or have room for it. They may answer it here.")


def _title(request: Request) -> str:
    title = inquiry.title(request)
    match request.status:
        case Status.OPEN:
            return title
        case Status.ANSWERED:
            return f"Answered: {title.lower()}"
        case Status.EXPIRED:
            return f"Not answered in time: {title.lower()}"
        case Status.SUPERSEDED:
            return f"Withdrawn: {title.lower()}"
    return f"Cancelled: {title.lower()}"


def _facts(request: Request, names: Mapping[PersonId, str]) -> Iterator[Fact]:
    if request.outlives:
        yield Fact(label="Asked by", value=f"the policy, about a call for {wording.name(names, request.requester)}")
    else:
        agent = wording.line(request.agent)
        yield Fact(label="Asked by", value=f"{agent}, working for {wording.name(names, request.requester)}")
    people = [wording.audience(need.of, request.requester, names) for need in request.ask.groups]
    barred = request.excluded if request.ask.separate_duties else ()
    but = f", but not {' or '.join(wording.name(names, who) for who in barred)}" if barred else ""
    yield Fact(label="Who may answer", value=" and ".join(people) + but)
    pause = wording.pause(request.ask.clock)
    if until := glass.until(request):
        yield Fact(label="To be reviewed", value=until)
    elif request.deadline:
        yield Fact(label="Until", value=f"{wording.time(request.deadline)}; silence is not an answer{pause}")
    elif every := request.ask.reviewed_every:
        yield Fact(label="Until", value=f"No deadline; asked again every {wording.span(every)}{pause}")


def _drawn(number: int, part: Part, *, is_labelled: bool) -> tuple[Block, Attachment | None]:
    """Whole on the card, or whole in a file. What is the agent's says so, where that is not said of all (T08)."""
    label = f"{part.label} (the agent's words, not verified)" if is_labelled and not part.is_ours else part.label
    text = (
        show(part.text) if part.is_exact else "\n".join(line for line in show(part.text).splitlines() if line.strip())
    )
    if len(text) <= SHOWN_MOST:
        return Block(label=label, text=text, is_code=part.is_exact), None
    content = part.text.encode("utf-8", "replace")
    sha256 = hashlib.sha256(content).hexdigest()
    name = f"part-{number}.txt"
    told = f"attached whole as {name}, {len(content):,} bytes, sha256 {sha256}"
    return Block(label=label, text=told), Attachment(name=name, content=content, sha256=sha256)


def _status(request: Request, names: Mapping[PersonId, str]) -> str:
    decision = request.decision
    if decision is None:
        return f"{_handed(request, names)}Waiting for an answer."
    when = wording.time(decision.at)
    match request.status:
        case Status.ANSWERED:
            people = " and ".join(wording.name(names, person) for person in decision.by)
            said = wording.clip(show(inquiry.shown(request, decision.answer)), ANSWER_MOST)
            return f"{people} answered at {when}. {said}"
        case Status.EXPIRED:
            if default := inquiry.default_of(request):
                said = wording.clip(show(default), ANSWER_MOST)
                return f"Default used, nobody answered until {when}: the agent goes on with “{said}”."
            return f"Nobody answered until {when}. The agent was told so; nothing was assumed."
        case Status.SUPERSEDED:
            return f"Withdrawn at {when}. {wording.line(decision.reason)}".strip()
    return f"Cancelled at {when}."


def _handed(request: Request, names: Mapping[PersonId, str]) -> str:
    if not request.handed:
        return ""
    last = request.handed[-1]
    if last.is_back:
        return f"{wording.name(names, last.by)} can no longer answer: {wording.name(names, last.to)} may again. "
    return f"{wording.name(names, last.by)} handed this to you. "


def _buttons(request: Request, seal: Callable[[str], str]) -> Iterator[Button]:
    choices = inquiry.choices(request)
    for choice in choices:
        yield Button(
            subject=request.id,
            move=choice.move,
            label=show_line(choice.label),
            token=seal(choice.move),
            style=choice.style,
            fields=choice.fields,
            effect=choice.effect,
        )
    if request.outlives:  # who must look at it is the rule's choice, and no run is left to stop
        yield from _details(request, seal)
        return
    who = Field(name=PERSON, label="Who should answer instead?", kind=FieldKind.PERSON)
    token, effect = seal(HAND_TO), button_effects.HAND_TO
    yield Button(subject=request.id, move=HAND_TO, label="Hand to…", token=token, fields=(who,), effect=effect)
    yield from _details(request, seal)
    if not any(choice.label == STOP_LABEL for choice in choices):  # two of one name would be a trap
        token, effect = seal(STOP), button_effects.RUN[STOP]
        yield Button(subject=request.run, move=STOP, label=STOP_LABEL, token=token, effect=effect)


def _details(request: Request, seal: Callable[[str], str]) -> Iterator[Button]:
    if has_details(request):
        token, effect = seal(DETAILS), button_effects.DETAILS
        yield Button(subject=request.id, move=DETAILS, label="Details", token=token, effect=effect)
