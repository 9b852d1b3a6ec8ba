"""The gatehouse: what a call's passage asks of the rest of the house.

Reads calls, asks the policy, writes requests, looks people up. Not the order of the steps (passage).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial

import structlog

from bot.domain import events, evidence, inquiry_form, wording
from bot.domain.calls import Cause, Risk, ToolCall, ToolSpec, make_call
from bot.domain.chat import PersonId
from bot.domain.crowd import stand
from bot.domain.details import unreadable
from bot.domain.errors import NotAllowed, UnknownTool, Unsatisfiable
from bot.domain.grant import Grant
from bot.domain.ladder import deadline, first_timer
from bot.domain.letters import Letter
from bot.domain.people import may_answer
from bot.domain.policy import Facts, Policy
from bot.domain.ports import Meter, Tool, Toolbox, WantedCall
from bot.domain.request import Copy, Kind, Request, RequestId
from bot.domain.run import Opened
from bot.domain.store import CARDS_MOST, OPEN_MOST, PLACE_MOST, Batch, Effects, Fence, Held, Note, Store
from bot.domain.typed import untypable
from bot.domain.verdict import Ask, Escalate, Verdict
from bot.domain.wire import Record, read_foreign, replace
from bot.runtime.escalating import Escalating, copies_for
from bot.runtime.evidencing import Previews
from bot.runtime.exhibits import Exhibits
from bot.runtime.granted import standing, used_note
from bot.runtime.host import Host
from bot.runtime.journal import patiently
from bot.runtime.rights import Rights

log = structlog.get_logger()


class Draft(Record):
    """A request that is to be put to people by the step that the journal calls *mark*."""

    request: Request
    mark: str
    known: int | None = None  # letters its run had when it was drafted


class Gatehouse:
    """What stands behind the gate."""

    def __init__(self, store: Store, policy: Policy, toolbox: Toolbox, rights: Rights, meter: Meter) -> None:
        self._store, self._policy, self._toolbox = store, policy, toolbox
        self._rights, self._meter = rights, meter
        self._escalating = Escalating(store, rights)
        self.previews, self.exhibits = Previews(), Exhibits(store.keep())
        self.open_most: int | None = OPEN_MOST
        self.place_most: int | None = PLACE_MOST
        self.cards_most, self.may_repeat = CARDS_MOST, False
        self.owns: Callable[[Fence], Awaitable[bool]] = _alone  # the engine knows its leases

    def read(self, wanted: WantedCall) -> tuple[Tool, ToolCall]:
        """The call as it would run. Raises UnknownTool, BadJson or InvalidArguments: no person is bothered."""
        tool = self._toolbox.get(wanted.tool)
        args = tool.check(read_foreign(wanted.args or "{}"))
        if tool.spec.asks == Kind.FORM:
            args = inquiry_form.in_order(args)
        return tool, make_call(id=wanted.id, tool=tool.spec.name, version=tool.spec.version, args=args)

    def spec(self, tool: str) -> ToolSpec:
        """Raises UnknownTool."""
        return self._toolbox.get(tool).spec

    def is_reading(self, tool: str) -> bool:
        """Does *tool* only look? One that is gone is not known to."""
        try:
            return self.spec(tool).risk is Risk.READ
        except UnknownTool:
            return False

    async def verdict(self, host: Host, tool: Tool, call: ToolCall, path: str) -> Verdict:
        requester = await patiently(partial(self._rights.person, host.run.task.by))
        if requester is None or not may_answer(requester):
            told = f"Not run: {host.run.task.by}, who gave this task, may not give tasks any more."
            raise NotAllowed(call.tool, Cause.WITHDRAWN, told)
        facts = Facts(requester=requester, place=host.run.task.place, agent=host.actor(path), history=host.others(path))
        return self._policy.decide(call, tool.spec, facts)

    async def open(self, host: Host, request: Request, mark: str, *audit: bytes) -> None:
        """Put *request* to people at once, whatever else they are asked. Raises Unsatisfiable."""
        await self.must_be_answerable(request)
        await self.put(host, (Draft(request=request, mark=mark),), *audit)

    async def must_be_answerable(self, request: Request) -> None:
        """Raises Unsatisfiable if too few people could ever answer *request*."""
        if request.ask.typed and (told := untypable(request, self._toolbox.get(request.call.tool).spec)):
            raise Unsatisfiable(told)
        if request.kind is Kind.APPROVAL and (told := unreadable(request, self._toolbox.get(request.call.tool).spec)):
            raise Unsatisfiable(told)
        await patiently(partial(self._rights.must_be_satisfiable, request))

    async def put(self, host: Host, drafts: Sequence[Draft], *audit: bytes) -> None:
        """Put *drafts* to people, several on the sheet of the first: records, ladders, card and audit, in one step.

        Raises Unheard when more letters than known have come; TooMany when the requester or the channel would have
        too many open requests; Twin when one of them waits already.
        """
        head, *others = (draft.request for draft in drafts)
        called = await self._escalating.asked(head)
        notes = await self._escalating.notes(head, called)
        copies = (Copy(name="main", place=stand(head)), *copies_for(called.now))
        is_capped = head.kind is not Kind.RECOVERY  # what became of a call must be settled
        batch = Batch(
            op="",
            count=0,
            entries=tuple(Opened(path=d.request.path, mark=d.mark, request=d.request.id) for d in drafts),
            effects=Effects(
                audit=(*audit, *(events.request_opened(draft.request) for draft in drafts)),
                notes=notes,
                dirty=(*Held(request=head, copies=copies).rows, *(f"note|{note.key}" for note in notes)),
                timers=(
                    *(timer for draft in drafts for timer in first_timer(draft.request)),
                    *called.timers(head),
                ),
            ),
            line=_waits(host, head),
            known=min((draft.known for draft in drafts if draft.known is not None), default=None),
            most=self.open_most if is_capped else None,
            place_most=self.place_most if is_capped else None,
            is_single=is_capped and not self.may_repeat,
        )
        for one in (head, *others):
            host.asks.add(one.id)  # from here on a reply withdraws it
            log.info("request_opened", request=one.id, run=host.id, tool=one.call.tool, rule=one.ask.rule)
        await host.journal.open(batch, head, copies, tuple(others))

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
            agent=host.actor(path),
            requester=host.run.task.by,
            place=host.run.task.place,
            opened=now,
            deadline=deadline(ask, now),
            excluded=host.barred,
            why=why,
            history=evidence.plain(host.others(path)),
            sources=evidence.looked_up(host.before(path)),
        )

    async def grant_for(self, request: Request, tool: Tool) -> Grant | None:
        """What allows the call of *request* without putting it to people."""
        if request.ask.grant is None:  # as most rules
            return None
        return await patiently(partial(standing, self._store, self._rights, request, tool.spec))

    async def grant_note(self, host: Host, path: str, grant: Grant) -> Note:
        giver = await patiently(partial(self._rights.name, grant.by))
        return used_note(grant, giver, f"{host.id}{path}/grant")

    async def held(self, request: RequestId) -> Request:
        """Patiently: giving up here would tear down the run, and with it a tool that another branch has started."""
        return (await patiently(partial(self._store.held, request))).request

    async def letters(self, host: Host, known: int) -> tuple[Letter, ...]:
        """What was put into the run's inbox after *known* letters, whether or not the host has taken it in."""
        return (await patiently(partial(self._store.tail, host.id, host.journal.length, known))).letters

    async def called(self, people: Sequence[PersonId]) -> str:
        """What *people* are called, in words for a result: it is journalled, so a later name changes nothing."""
        names = {who: await patiently(partial(self._rights.name, who)) for who in people}
        return " and ".join(wording.name(names, who) for who in people)

    async def still_holds(self, request: Request) -> str | None:
        return await patiently(partial(self._rights.still_hold, request))

    def recovery_ask(self, wanted: Ask | None) -> Ask:
        """Whoever could sign the call may say what became of it; at once, whatever time it was first given.

        *wanted* is how its rule asks; None if it lets such calls through.
        """
        ask = wanted or self._policy.default
        why = "the call was started, and then this program was interrupted"
        return replace(ask, rule="recovery", why=why, break_glass=None)

    async def inquiry_ask(self, kind: Kind, call: ToolCall, requester: PersonId) -> Ask:
        """Who may answer: whom the agent names, or whoever gave the task; of an escalation, their manager.

        Of a draft, whom the policy names. Raises ValueError for nobody's name.
        """
        of = str(call.values.get("of") or "")
        if not of:
            of = await self._escalating.audience(requester) if kind is Kind.ESCALATION else "requester"
        return self._policy.inquiry(of, is_review=kind is Kind.REVIEW, climbs=kind is Kind.ESCALATION)

    async def giver(self, requester: PersonId, otherwise: str) -> str:
        """Who may give more than is *requester*'s own to spend: their manager; *otherwise*, an audience or nobody."""
        of = await self._escalating.audience(requester)
        return otherwise if of == "requester" else of

    def escalation_ask(self, by: Escalate) -> Ask:
        """How people are asked about what a rule hands over to them."""
        ask = self._policy.inquiry(by.to, is_review=False, climbs=True)
        return replace(ask, rule=by.rule, why=by.why)

    def now(self) -> datetime:
        return self._store.now()

    def count(self, name: str, **labels: str) -> None:
        self._meter.count(name, **labels)


def _waits(host: Host, head: Request) -> str:
    """What the status message says of a run that waits for people: who asks for it, what, how many signatures."""
    member = host.member(head.path)
    needed = sum(need.need for need in head.ask.groups)
    is_signed = head.kind is Kind.APPROVAL and needed > 1
    what = f"{head.call.tool} · waiting for {needed} approvals" if is_signed else "Waiting for an answer"
    return f"{member} · {what}" if member else what


async def _alone(_fence: Fence) -> bool:
    return True
