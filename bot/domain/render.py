"""A request as a card: complete, inert, or not approvable.

    request + tool spec -> title, facts, whole arguments, others' words (apart, labelled, capped), buttons

Everything that says what would run is drawn from the stored canonical bytes and the tool's own spec, never
from what an agent says about it. Arguments too long for a card are attached whole; what cannot be
attached, or does not match its digest, gets no Approve button.

Not here: who may press (desk), where the card goes (outbox), how a platform draws it (adapters).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from bot.domain import evidence, grant, wording
from bot.domain.arguments import ATTACH_MOST, SHOWN_MOST, arguments, is_approvable, objection, without
from bot.domain.calls import Cause, Outcome, Risk, ToolResult, ToolSpec
from bot.domain.card_buttons import DETAILS, EDIT, EXPLAIN, REASON, RESULT, STOP, buttons
from bot.domain.card_view import View
from bot.domain.chat import Block, Card, Fact, PersonId, Tone
from bot.domain.forms import fields_of, values_from_fields
from bot.domain.request import Kind, Move, Request, Status, seats
from bot.domain.wording import LINE_MOST

__all__ = [
    "ATTACH_MOST",
    "DETAILS",
    "EDIT",
    "EXPLAIN",
    "REASON",
    "RESULT",
    "SHOWN_MOST",
    "STOP",
    "card",
    "fields_of",
    "is_approvable",
    "values_from_fields",
]

EXPLANATION_MOST = 1_500
TASK_MOST = 500
OUTCOME_MOST = 500

RISKS: Mapping[Risk, str] = {
    Risk.READ: "read: only looks",
    Risk.WRITE: "write: changes something",
    Risk.IRREVERSIBLE: "irreversible: cannot be undone",
}

CAUSES: Mapping[Cause, str] = {
    Cause.PERSON: "somebody rejected it",
    Cause.POLICY: "a rule does not allow it",
    Cause.DEADLINE: "it was not answered or not started in time",
    Cause.UNDELIVERABLE: "the card could not be shown to anybody",
    Cause.SUPERSEDED: "a newer request took its place",
    Cause.STOPPED: "the run was stopped",
    Cause.UNSATISFIABLE: "too few people could approve it",
    Cause.WITHDRAWN: "a right was withdrawn after the signature",
    Cause.REPEATED: "the same call was already rejected",
    Cause.TWIN: "exactly this call already waits for people",
    Cause.BUSY: "too many requests are open already",
    Cause.INVALID: "the call is not valid",
}

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.OK: "Done.",
    Outcome.ERROR: "It ran and failed.",
    Outcome.UNKNOWN: "It was started; whether it took effect is not known.",
    Outcome.NOT_RUN: "It was not run.",
}


def card(
    request: Request,
    spec: ToolSpec | None,
    *,
    names: Mapping[PersonId, str],
    seal: Callable[[str], str],
    outcome: ToolResult | None = None,
) -> Card:
    """The card that shows *request* as it stands now.

    *seal* makes a button's token from its move. The Stop button is about the run, so the caller's
    *seal* must seal "stop" for `request.run` and every other move for `request.id`. *spec* is None for a
    tool that is gone: then no argument is shown, and nobody can approve.
    """
    view = View(
        request=request,
        spec=spec,
        names=names,
        args=arguments(request, spec),
        outcome=outcome or request.outcome,
        objection=objection(request, spec),
    )
    found = evidence.on_card(request, view.args.secrets)
    return Card(
        title=_title(view),
        tone=_tone(view),
        facts=tuple(_facts(view)),
        blocks=tuple(_blocks(view, found.blocks)),
        attachments=(*view.args.attachments, *found.attachments),
        status=_status(view),
        buttons=tuple(buttons(view, seal)) if request.is_open else (),
        footer=f"{request.id} · {request.run} · v{request.version}",
        run=request.run,
    )


# ------------------------------------------------------------------- title


def _title(view: View) -> str:
    request, tool = view.request, view.tool
    is_recovery = request.kind is Kind.RECOVERY
    match request.status:
        case Status.OPEN if is_recovery:
            return f"⚠ In doubt: did {tool} happen?"
        case Status.OPEN:
            return f"⚠ High-risk: {tool}" if request.ask.is_high else f"Approval needed: {tool}"
        case Status.APPROVED | Status.SPENT if _is_unrun(view):
            return f"{'Glass broken' if request.broken_by else 'Approved'}, but not run: {tool}"
        case Status.APPROVED | Status.SPENT if request.broken_by:
            return f"Glass broken by {view.name(request.broken_by.person)}: {tool}"
        case Status.APPROVED | Status.SPENT:
            return f"Approved to run now: {tool}" if is_recovery else f"Approved: {tool}"
        case Status.REJECTED:
            return f"Skipped: {tool} stays in doubt" if is_recovery else f"Rejected: {tool}"
        case Status.ANSWERED:
            return f"Settled: {tool} happened"
        case Status.EXPIRED:
            return f"Expired – not executed: {tool}"
        case Status.CANCELLED:
            return f"Cancelled: {tool}"
        case Status.SUPERSEDED if view.request.replaced_by is None:
            return f"Withdrawn: {tool}"
        case Status.SUPERSEDED:
            return f"Superseded – replaced by a newer request: {tool}"


def _tone(view: View) -> Tone:
    match view.request.status:
        case Status.OPEN:
            is_danger = view.request.ask.is_high or view.request.kind is Kind.RECOVERY or view.objection
            return Tone.DANGER if is_danger else Tone.WAITING
        case Status.APPROVED | Status.SPENT if view.request.broken_by:
            return Tone.DANGER
        case Status.APPROVED | Status.SPENT:
            return Tone.GOOD if view.outcome is None or view.outcome.outcome is Outcome.OK else Tone.BAD
        case Status.REJECTED:
            return Tone.BAD
        case Status.ANSWERED:
            return Tone.GOOD
        case Status.EXPIRED | Status.CANCELLED | Status.SUPERSEDED:
            return Tone.QUIET


def _is_unrun(view: View) -> bool:
    return view.outcome is not None and view.outcome.outcome is Outcome.NOT_RUN


# ------------------------------------------------------------------- facts


def _facts(view: View) -> Iterator[Fact]:
    request, ask = view.request, view.request.ask
    yield Fact(label="Tool", value=wording.line(f"{request.call.tool}, version {request.call.version}"))
    yield Fact(label="Asked by", value=f"{view.name(request.requester)}, through {wording.line(request.agent)}")
    yield Fact(label="Risk", value=RISKS[view.spec.risk if view.spec else Risk.IRREVERSIBLE])
    is_named = not ask.rule or ask.rule in ask.why
    asked = without(ask.why if is_named else f"{ask.rule}: {ask.why}", view.args.secrets)
    yield Fact(label="Why a person is asked", value=wording.line(asked))
    pause = wording.pause(ask.clock)
    if request.deadline:
        yield Fact(label="Deadline", value=f"{wording.time(request.deadline)}, then it is not executed{pause}")
    elif every := ask.reviewed_every:
        yield Fact(label="Deadline", value=f"No deadline; asked again every {wording.span(every)}{pause}")
    yield Fact(label="Signatures", value=_tally(view))
    if ask.veto:
        yield Fact(label="May veto", value=" and ".join(view.audience(of) for of in ask.veto))
    if ask.break_glass and request.kind is Kind.APPROVAL:
        glass = ask.break_glass
        told = f"one of {view.audience(glass.of)} may approve alone; {view.audience(glass.review)} review it afterwards"
        yield Fact(label="In an emergency", value=told)
    yield Fact(label="Digest", value=request.call.digest[:12])
    yield from view.args.facts


def _tally(view: View) -> str:
    """`1 of 2, finance still needed`."""
    groups = view.request.ask.groups
    filled = seats(view.request).filled
    told = f"{sum(filled)} of {sum(group.need for group in groups)}"
    missing = [
        wording.audience(group.of, view.request.requester, view.names)
        + (f" ×{group.need - have}" if group.need - have > 1 else "")
        for group, have in zip(groups, filled, strict=True)
        if have < group.need
    ]
    return f"{told}, {' and '.join(missing)} still needed" if missing and view.request.is_open else told


# ------------------------------------------------------------------ blocks


def _blocks(view: View, found: Sequence[Block]) -> Iterator[Block]:
    """The call first, then what its tool *found* out about it, then whose words they are, one block each."""
    request, hide = view.request, view.args.secrets
    yield from view.args.blocks
    if request.edit is not None and view.args.changes:
        label = f"Changed by {view.name(request.edit.editor)}"
        yield Block(label=label, text=view.args.changes, is_code=True)
        if why := request.edit.reason:
            yield Block(label="Why it was changed, in their words", text=wording.quoted(without(why, hide), LINE_MOST))
    yield from found
    yield from _allowed(view)
    if request.task:
        label = f"Task, in {view.name(request.requester)}'s words"
        yield Block(label=label, text=wording.quoted(without(request.task, hide), TASK_MOST))
    if request.why:
        why = " ".join(without(request.why, hide).split())
        yield Block(label="Why, in the agent's words (not verified)", text=wording.quoted(why, LINE_MOST))
    if request.explanation:
        told = wording.quoted(without(request.explanation, hide), EXPLANATION_MOST)
        yield Block(label="The agent's explanation (not verified)", text=told)
    if view.outcome is not None and view.outcome.text:
        told = wording.quoted(without(view.outcome.text, hide), OUTCOME_MOST)
        yield Block(label="What the tool answered (not verified)", text=told)


def _allowed(view: View) -> Iterator[Block]:
    """What an offer would allow, as long as it can be given; what was given, for good."""
    request = view.request
    if request.offer is None:
        return
    told = grant.text(request.offer, view.names)
    if request.is_open and grant.why_not(request, view.spec) is None:
        yield Block(label="What would be allowed from now on", text=f"{told}\n{grant.preview_text(request.offer)}")
    elif request.gave:
        yield Block(label="Allowed from now on, until somebody revokes it", text=f"{told}\nGrant {request.gave}")


# ------------------------------------------------------------------ status


def _status(view: View) -> str:
    request, decision = view.request, view.request.decision
    if request.is_open:
        return f"Cannot be approved: {view.objection}" if view.objection else _progress(view)
    people = " and ".join(view.name(person) for person in decision.by) if decision else ""
    when = f" at {wording.time(decision.at)}" if decision else ""
    said = decision.reason if decision and decision.reason not in CAUSES.values() else ""
    reason = f" Reason: “{wording.line(without(said, view.args.secrets))}”." if said else ""
    cause = f": {CAUSES[decision.cause]}" if decision and decision.cause else ""
    unrun = "Nothing was run again." if request.kind is Kind.RECOVERY else "Nothing was run."
    match request.status:
        case Status.APPROVED | Status.SPENT if request.broken_by:
            why = wording.line(without(request.broken_by.reason, view.args.secrets))
            return f"Glass broken by {people}: “{why}”{when}. {_running(view)}"
        case Status.APPROVED | Status.SPENT:
            return f"Approved by {people}{when}.{reason} {_running(view)}"
        case Status.ANSWERED:
            return f"{people} said{when}: it happened.{reason}"
        case Status.REJECTED:
            done = "Left in doubt" if request.kind is Kind.RECOVERY else "Rejected"
            return f"{done} by {people}{when}.{reason} {unrun}"
        case Status.EXPIRED:
            gone = "" if request.kind is Kind.RECOVERY else "No response received. Operation cancelled. "
            return f"{gone}Nobody signed in time{when}. {unrun}"
        case Status.SUPERSEDED if request.replaced_by is None:
            return f"Withdrawn{when}.{reason} {unrun}"
        case Status.SUPERSEDED:
            return f"A newer request took its place ({request.replaced_by}). {unrun}"
        case _:
            return f"Cancelled{when}{cause}.{reason} {unrun}"


def _progress(view: View) -> str:
    signed = [view.name(vote.person) for vote in view.request.votes if vote.move is Move.APPROVE]
    return f"Signed by {' and '.join(signed)}. Waiting for the rest." if signed else "Waiting for an answer."


def _running(view: View) -> str:
    result = view.outcome
    if result is None:
        return "Starting." if view.request.status is Status.APPROVED else "Running."
    why = f" Why: {CAUSES[result.cause]}." if result.cause else ""
    return OUTCOMES[result.outcome] + why
