"""The gatehouse: what a call's passage asks of the rest of the house.

Reads calls, asks the policy, writes requests, looks people up. Not the order of the steps (passage).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

import structlog

from bot.domain import events
from bot.domain.calls import Cause, ToolCall, make_call
from bot.domain.chat import Place
from bot.domain.errors import (
    Broken,
    NoSuchRequest,
    NotAllowed,
)
from bot.domain.ladder import first_timer
from bot.domain.people import may_answer, parse
from bot.domain.policy import Facts, Policy
from bot.domain.ports import Meter, Tool, Toolbox, WantedCall
from bot.domain.request import Copy, Kind, Request, RequestId
from bot.domain.run import Opened
from bot.domain.store import OPEN_MOST, Batch, Effects, Fence, Held, Store
from bot.domain.verdict import Allow, Ask, Climb, Deny, Need
from bot.domain.wire import read_foreign, replace
from bot.runtime.host import Host
from bot.runtime.journal import patiently
from bot.runtime.rights import Rights

log = structlog.get_logger()


class Gatehouse:
    """What stands behind the gate."""

    def __init__(self, store: Store, policy: Policy, toolbox: Toolbox, rights: Rights, meter: Meter) -> None:
        self._store, self._policy, self._toolbox = store, policy, toolbox
        self._rights, self._meter = rights, meter
        self.open_most = OPEN_MOST
        self.owns: Callable[[Fence], Awaitable[bool]] = _alone  # the engine knows its leases

    def read(self, wanted: WantedCall) -> tuple[Tool, ToolCall]:
        """The call as it would run. Raises UnknownTool, BadJson or InvalidArguments: no person is bothered."""
        tool = self._toolbox.get(wanted.tool)
        args = tool.check(read_foreign(wanted.args or "{}"))
        return tool, make_call(id=wanted.id, tool=tool.spec.name, version=tool.spec.version, args=args)

    async def verdict(self, host: Host, tool: Tool, call: ToolCall, path: str) -> Allow | Deny | Ask:
        requester = await patiently(partial(self._rights.person, host.run.task.by))
        if requester is None or not may_answer(requester):
            told = f"Not run: {host.run.task.by}, who gave this task, may not give tasks any more."
            raise NotAllowed(call.tool, Cause.WITHDRAWN, told)
        facts = Facts(requester=requester, place=host.run.task.place, agent=host.run.agent, history=host.others(path))
        return self._policy.decide(call, tool.spec, facts)

    async def open(self, host: Host, request: Request, mark: str, *audit: bytes, known: int | None = None) -> None:
        """Put *request* to people: record, ladder, cards to post and audit, in one step.

        Raises Unsatisfiable; Unheard when more letters than *known* have come; TooMany when the requester has too
        many open requests.
        """
        await patiently(partial(self._rights.must_be_satisfiable, request))
        copies = (Copy(name="main", place=_stand(request)),)
        batch = Batch(
            op="",
            count=0,
            entries=(Opened(path=request.path, mark=mark, request=request.id),),
            effects=Effects(
                audit=(*audit, events.request_opened(request)),
                dirty=Held(request=request, copies=copies).rows,
                timers=first_timer(request),
            ),
            line="Waiting for an answer",
            known=known,
            most=None if request.kind is Kind.RECOVERY else self.open_most,  # what became of a call must be settled
        )
        host.asks.add(request.id)  # from here on a reply withdraws it
        log.info("request_opened", request=request.id, run=host.id, tool=request.call.tool, rule=request.ask.rule)
        await host.journal.open(batch, request, copies)

    def request(self, host: Host, path: str, call: ToolCall, ask: Ask, why: str) -> Request:
        now = self._store.now()
        return Request(
            id=RequestId(f"q-{host.journal.fence.shard}-{secrets.token_hex(12)}"),
            run=host.id,
            path=path,
            call=call,
            ask=ask,
            policy=self._policy.hash,
            task=host.run.task.text,
            agent=host.run.agent,
            requester=host.run.task.by,
            place=host.run.task.place,
            opened=now,
            deadline=now + ask.expires_after if ask.expires_after else None,
            excluded=host.barred,
            why=why,
            history=host.others(path),
        )

    async def held(self, request: RequestId) -> Request:
        """Patiently: giving up here would tear down the run, and with it a tool that another branch has started."""
        return (await patiently(partial(self._store.held, request))).request

    async def rows(self, request: RequestId) -> tuple[str, ...]:
        """Every message that shows *request*, to be shown again."""
        try:
            return (await patiently(partial(self._store.held, request))).rows
        except (NoSuchRequest, Broken):  # forgotten after its time, or forged: no card is left to be true
            return ()

    async def still_holds(self, request: Request) -> str | None:
        return await patiently(partial(self._rights.still_hold, request))

    def recovery_ask(self, signed: Request | None) -> Ask:
        """Whoever could sign the call may say what became of it; at once, whatever time it was first given."""
        ask = signed.ask if signed is not None else self._policy.default
        return replace(ask, rule="recovery", why="the call was started, and then this program was interrupted")

    def inquiry_ask(self, call: ToolCall) -> Ask:
        """Who may answer: whom the agent names, or whoever gave the task. Raises ValueError for nobody's name."""
        of = str(call.values.get("of") or "requester")
        parse(of)
        kept = [rung for rung in self._policy.default.ladder if rung.do in (Climb.REMIND, Climb.EXPIRE)]
        why = "the agent cannot go on without an answer"
        return Ask(rule="inquiry", why=why, groups=(Need(of=of),), ladder=tuple(kept))

    def now(self) -> datetime:
        return self._store.now()

    def count(self, name: str, **labels: str) -> None:
        self._meter.count(name, **labels)


async def _alone(_fence: Fence) -> bool:
    return True


def _stand(request: Request) -> Place:
    """Where the first card goes: the task's thread, or the channel the rule names."""
    if request.ask.place == "thread":
        return request.place
    return replace(request.place, channel=request.ask.place.removeprefix("#"), thread=None, is_direct=False)
