"""What the audit says: one function per event, each giving the body of one record.

Ids and digests only, never argument values or message texts: those live in the records they name.
What few requests have is left out where it is not so: 100,000 waiting runs pay for every byte.
The store adds number, time and link in the same step as the change itself.
"""

from __future__ import annotations

from bot.domain.absence import Absence
from bot.domain.calls import Cause, ToolCall
from bot.domain.chat import Account, MessageRef, PersonId
from bot.domain.grant import Grant, digest_of_same
from bot.domain.hours import written
from bot.domain.offer import Offer
from bot.domain.request import Decision, Request, RequestId, RunId, Vote
from bot.domain.run import Run, RunStatus
from bot.domain.verdict import Ask, Climb
from bot.domain.wire import dumps


def run_started(run: Run) -> bytes:
    place = run.task.place
    return _body("run_started", run=run.id, person=run.task.by, place=place.key, tenant=place.tenant, agent=run.agent)


def run_ended(run: RunId, status: RunStatus) -> bytes:
    return _body("run_ended", run=run, status=status)


def run_resumed(run: RunId, request: RequestId, decision: Decision) -> bytes:
    return _body("run_resumed", run=run, request=request, status=decision.status)


def reply_heard(run: RunId, person: PersonId, delivery: str) -> bytes:
    return _body("reply_heard", run=run, person=person, delivery=delivery)


def run_stopped(run: RunId, person: PersonId, delivery: str) -> bytes:
    return _body("run_stopped", run=run, person=person, delivery=delivery)


def run_taken(run: RunId, person: PersonId, delivery: str) -> bytes:
    return _body("run_taken", run=run, person=person, delivery=delivery)


def trace_opened(run: RunId, person: PersonId, account: Account, delivery: str) -> bytes:
    """Somebody read the reasoning and the results of a run."""
    return _body("trace_opened", run=run, person=person, account=account_text(account), delivery=delivery)


def run_returned(run: RunId, person: PersonId, delivery: str) -> bytes:
    return _body("run_returned", run=run, person=person, delivery=delivery)


def rerouted(run: RunId, person: PersonId, delivery: str, *, left: str, agent: str) -> bytes:
    """*person* turned the work from one member of a pattern, *left*, to another, *agent*."""
    return _body("rerouted", run=run, person=person, left=left, agent=agent, delivery=delivery)


def call_allowed(run: RunId, path: str, call: ToolCall, rule: str) -> bytes:
    return _body("call_allowed", run=run, path=path, tool=call.tool, digest=call.digest, rule=rule)


def call_denied(run: RunId, path: str, tool: str, digest: str, *, rule: str = "", cause: str) -> bytes:
    return _body("call_denied", run=run, path=path, tool=tool, digest=digest, rule=rule, cause=cause)


def request_opened(request: Request) -> bytes:
    ask, glass = request.ask, request.ask.break_glass
    few = {
        "replaces": request.replaces,
        "high": ask.is_high,
        "veto": ask.veto,
        "glass": {"of": glass.of, "review": glass.review} if glass else None,
        "about": request.about,
        "edit_reason": request.edit.reason if request.edit else "",
    }
    return _body(
        "request_opened",
        request=request.id,
        run=request.run,
        path=request.path,
        kind=request.kind,
        tool=request.call.tool,
        digest=request.call.digest,
        groups=[{"of": need.of, "need": need.need} for need in ask.groups],
        separate=ask.separate_duties,
        opened_ms=int(request.opened.timestamp() * 1000),  # the ladder counts from here
        excluded=request.excluded,
        deadline_ms=int(request.deadline.timestamp() * 1000) if request.deadline else None,
        exec_window_ms=int(ask.exec_window.total_seconds() * 1000),
        policy=request.policy,
        rule=ask.rule,
        rungs=[int(rung.after.total_seconds() * 1000) for rung in ask.ladder],
        tenant=request.place.tenant,
        **{name: value for name, value in few.items() if value},
        **_repeated(request),
        **_grantable(request),
        **_clocked(ask),
    )


def details_opened(request: Request, person: PersonId, account: Account, delivery: str) -> bytes:
    """Somebody had everything about these very bytes before them."""
    shown, digest = account_text(account), request.call.digest
    return _body("details_opened", request=request.id, person=person, account=shown, digest=digest, delivery=delivery)


def card_shown(request: Request, copy: str, ref: MessageRef, *, is_complete: bool, has_buttons: bool) -> bytes:
    return _body(
        "card_shown",
        request=request.id,
        copy=copy,
        ref=ref_text(ref),
        digest=request.call.digest,
        version=request.version,
        complete=is_complete,
        buttons=has_buttons,
        **({"open": True} if request.is_open and not has_buttons else {}),  # it was handed on, it has not ended
    )


def card_lost(request: RequestId, copy: str, why: str) -> bytes:
    return _body("card_lost", request=request, copy=copy, why=why)


def vote_counted(request: Request, vote: Vote) -> bytes:
    return _body(
        "vote_counted",
        request=request.id,
        person=vote.person,
        account=account_text(vote.account),
        move=vote.move,
        digest=vote.digest,
        policy=request.policy,
        ref=ref_text(vote.ref),
        delivery=vote.delivery,
        seats=vote.seats,
        reason=vote.reason,
        right=vote.right,
        **({"stands_for": vote.stands_for} if vote.stands_for else {}),
    )


def vote_refused(request: str, person: PersonId | None, account: Account, cause: str, delivery: str) -> bytes:
    shown = account_text(account)
    return _body("vote_refused", request=request, person=person, account=shown, cause=cause, delivery=delivery)


def request_decided(request: Request) -> bytes:
    decision = request.decision
    assert decision is not None, "only a decided request is recorded as such"
    return _body(
        "request_decided",
        request=request.id,
        status=decision.status,
        digest=request.call.digest,
        by=decision.by,
        cause=decision.cause,
    )


def request_handed(request: Request) -> bytes:
    """Whom it is asked of now, by the one who could have answered it."""
    last = request.handed[-1]
    return _body("request_handed", request=request.id, by=last.by, to=last.to, version=request.version)


def request_fell_back(request: Request) -> bytes:
    """Whom it is asked of again, because the one it was handed to can no longer answer."""
    last = request.handed[-1]
    return _body("request_fell_back", request=request.id, gone=last.by, to=last.to, version=request.version)


def rung_fired(request: RequestId, index: int, do: Climb, *, period: int | None = None) -> bytes:
    """*period* numbers the times at which a review comes round."""
    again = {} if period is None else {"period": period}
    return _body("rung_fired", request=request, index=index, do=do, **again)


def copy_sent(request: RequestId, person: PersonId, why: str) -> bytes:
    """Somebody is asked by direct message outside of the ladder's own steps: later, or in another's place."""
    return _body("copy_sent", request=request, person=person, why=why)


def away_set(absence: Absence) -> bytes:
    """From here to `until_ms` the deputy may stand in; it takes the place of an earlier one of the same person."""
    return _body(
        "away_set",
        person=absence.person,
        deputy=absence.deputy,
        until_ms=int(absence.until.timestamp() * 1000),
        delivery=absence.delivery,
    )


def away_ended(person: PersonId, cause: Cause, delivery: str) -> bytes:
    """Back, by their own word (PERSON) or because the time was up (DEADLINE)."""
    return _body("away_ended", person=person, cause=cause, delivery=delivery)


def grant_offered(request: Request, person: PersonId, offer: Offer | None) -> bytes:
    """What stands on the card from now on, by its mark; null when it was dropped."""
    return _body("grant_offered", request=request.id, person=person, tool=request.call.tool, offer=offer and offer.mark)


def grant_given(grant: Grant, request: Request) -> bytes:
    """Everything it allows; the fixed arguments by name and digest alone."""
    return _body(
        "grant_given",
        grant=grant.id,
        request=request.id,
        run=request.run,
        person=grant.by,
        requester=grant.requester,
        agent=grant.agent,
        tool=grant.tool,
        rule=grant.rule,
        thread=grant.thread,
        only=grant.run,
        names=grant.names,
        same=grant.digest,
        most=grant.most,
        until_ms=int(grant.until.timestamp() * 1000),
    )


def grant_used(grant: Grant, run: RunId, path: str, call: ToolCall, agent: str) -> bytes:
    """A call of *agent* begins on it; `same` is the digest of this very call's own values of the fixed arguments."""
    return _body(
        "grant_used",
        grant=grant.id,
        run=run,
        path=path,
        tool=call.tool,
        digest=call.digest,
        same=digest_of_same(grant, call),
        used=grant.used,
        person=grant.by,
        agent=agent,
    )


def grant_revoked(grant: Grant, delivery: str) -> bytes:
    return _body("grant_revoked", grant=grant.id, person=grant.revoked_by, tool=grant.tool, delivery=delivery)


class Start:
    """The facts of one start of a tool, told at its beginning and its end."""

    def __init__(self, run: RunId, path: str, call: ToolCall, request: RequestId | None) -> None:
        self.run, self.path, self.call, self.request = run, path, call, request

    def started(self, *, key: str, epoch: int, is_idempotent: bool) -> bytes:
        return _body(
            "tool_started",
            run=self.run,
            path=self.path,
            request=self.request,
            tool=self.call.tool,
            digest=self.call.digest,
            key=key,
            epoch=epoch,
            idempotent=is_idempotent,
        )

    def finished(self, outcome: str) -> bytes:
        return _body("tool_finished", run=self.run, path=self.path, request=self.request, outcome=outcome)


def ref_text(ref: MessageRef) -> str:
    place = ref.place
    return f"{place.platform}/{place.tenant}/{place.channel}/{ref.id}"


def account_text(account: Account) -> str:
    return f"{account.platform}/{account.tenant}/{account.user}"


def _repeated(request: Request) -> dict[str, object]:
    """Which step of the ladder comes round; null where none does and no deadline ends the waiting either (ST-41)."""
    repeats = next((index for index, rung in enumerate(request.ask.ladder) if rung.do is Climb.REVIEW), None)
    return {} if repeats is None and request.deadline else {"repeats": repeats}


def _grantable(request: Request) -> dict[str, object]:
    """What the rule let be allowed when people were asked: nobody can have given more."""
    bounds = request.ask.grant
    if bounds is None:
        return {}
    within = int(bounds.within.total_seconds() * 1000)
    return {"grantable": {"most": bounds.most, "within_ms": within, "same": bounds.same}, "agent": request.agent}


def _clocked(ask: Ask) -> dict[str, object]:
    """The hours in which the ladder's time goes by, where it pauses outside of them."""
    return {"clock": {"hours": written(ask.clock.work), "zone": ask.clock.zone}} if ask.clock else {}


def _body(event: str, **fields: object) -> bytes:
    return dumps({"e": event, **fields})
