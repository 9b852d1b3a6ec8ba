"""What the audit says: one function per event, each giving the body of one record.

Ids and digests only, never argument values or message texts: those live in the records they name.
The store adds number, time and link in the same step as the change itself.
"""

from __future__ import annotations

from bot.domain.calls import ToolCall
from bot.domain.chat import Account, MessageRef, PersonId
from bot.domain.request import Decision, Request, RequestId, RunId, Vote
from bot.domain.run import Run, RunStatus
from bot.domain.verdict import Climb
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


def call_allowed(run: RunId, path: str, call: ToolCall, rule: str) -> bytes:
    return _body("call_allowed", run=run, path=path, tool=call.tool, digest=call.digest, rule=rule)


def call_denied(run: RunId, path: str, tool: str, digest: str, *, rule: str = "", cause: str) -> bytes:
    return _body("call_denied", run=run, path=path, tool=tool, digest=digest, rule=rule, cause=cause)


def request_opened(request: Request) -> bytes:
    ask = request.ask
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
        replaces=request.replaces,
        rungs=[int(rung.after.total_seconds() * 1000) for rung in ask.ladder],
        tenant=request.place.tenant,
    )


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


def rung_fired(request: RequestId, index: int, do: Climb) -> bytes:
    return _body("rung_fired", request=request, index=index, do=do)


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


def _body(event: str, **fields: object) -> bytes:
    return dumps({"e": event, **fields})
