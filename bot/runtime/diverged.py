"""An agent whose program changed while its run waited: people say whether it begins again, or ends.

    the agent asks for another step than the journal holds -> a request at the run's own path -> sleep
      -> start again: a new run, same task, same thread      -> somebody has done it: their words are the run's answer
      -> end it, or nobody answered: it ends and says so

From the moment it is asked the old journal is never played again, not even by the program it was written by. Nothing
that was signed is carried over: the new run asks anew. Owns that one question. Not how a run ends (runner).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial

import structlog

from bot.domain import events, inquiry
from bot.domain.arguments import brief
from bot.domain.asking import TEXT
from bot.domain.calls import Cause, Outcome, Risk, ToolResult, ToolSpec
from bot.domain.chat import Tone
from bot.domain.errors import Broken, Diverged, NoSuchRequest, UnknownTool
from bot.domain.inquiry_stuck import Trouble
from bot.domain.ports import WantedCall
from bot.domain.render import OUTCOMES
from bot.domain.request import Kind, RequestId, Status
from bot.domain.run import Decided, Finished, Run, RunStatus
from bot.domain.store import Batch, Effects, Store
from bot.domain.telling import told
from bot.domain.wire import Json, Record, dumps, loads, replace
from bot.domain.wording import clip
from bot.runtime.gatehouse import Gatehouse
from bot.runtime.host import Host, in_order, next_id
from bot.runtime.journal import patiently

log = structlog.get_logger()
PATH, MARK = "/!changed", "changed"  # no step of an agent is ever called so
TOOL = "ask_when_stuck"
LINES_MOST = 19  # calls that are listed; more are counted
ENDS: Mapping[Status, ToolResult] = {  # what becomes of a call that was signed
    Status.APPROVED: ToolResult(
        outcome=Outcome.NOT_RUN, cause=Cause.SUPERSEDED, text="Approved, but not run: the agent's program has changed."
    ),
    Status.SPENT: ToolResult(outcome=Outcome.UNKNOWN, text="It was started, and then the agent's program changed."),
}
HAPPENED = (
    "The agent's program changed while this waited, so it cannot go on from where it was. Started again, it does "
    "everything anew: what is listed here was done already, and approvals that were not used are void."
)
CAME_MOST = 1_500  # characters of what somebody says came of it, at the run's end
CALL_MOST = 130  # characters of one call's arguments; a tool's name has 64, and a line of the card 300


class Parting(Record):
    """How the run with the old program ends."""

    told: str
    tone: Tone
    status: RunStatus = RunStatus.FAILED


class Changed:
    """Asks people about runs whose agent's program has changed."""

    def __init__(self, store: Store, house: Gatehouse) -> None:
        self._store, self._house = store, house

    def is_known(self, host: Host) -> bool:
        """Was it found before, by this process or another?"""
        return PATH in host.journal.opened

    async def settle(self, host: Host) -> Parting:
        """Ask, sleep, and do what people say. Safe to repeat from any point. Raises Refused if nobody can be asked."""
        decided = await self._decided(host)
        asked = await self._house.held(decided.request)
        who = await self._house.called(decided.decision.by)
        if decided.decision.status is not Status.ANSWERED:
            text = f"{Diverged.people_read} {told(decided, 'No answer')}"
            await self._heard(host, decided, text)
            return Parting(told=text, tone=Tone.BAD)
        await self._heard(host, decided, inquiry.told(asked, decided.decision.answer))
        match inquiry.move_of(decided.decision):
            case "restart":
                await self._begin_again(host, decided)
                return Parting(told=f"{who} had this started again from the beginning.", tone=Tone.QUIET)
            case "done":
                came = clip(str(loads(decided.decision.answer)[TEXT]), CAME_MOST)
                return Parting(told=f"{who} did this, and says: “{came}”", tone=Tone.GOOD, status=RunStatus.DONE)
        return Parting(told=f"{who} ended this: the agent's program had changed.", tone=Tone.BAD)

    async def _decided(self, host: Host) -> Decided:
        """The answer. Whoever takes the run over withdraws the question; it is put again when they hand it back."""
        while True:
            await host.until_returned()
            asked = [opened.request for opened in host.journal.opened.get(PATH, ())]
            if not asked or _is_withdrawn(host, asked[-1]):
                asked = [*asked, await self._ask(host)]
            decided = await host.decision(asked[-1])
            if decided.decision.status is not Status.SUPERSEDED:
                return decided

    async def _ask(self, host: Host) -> RequestId:
        await self._void(host)
        args = dumps({"what": Trouble.CHANGED, "told": HAPPENED, "tried": await self._done(host)})
        _, call = self._house.read(WantedCall(id=MARK, tool=TOOL, args=args.decode()))
        ask = await self._house.inquiry_ask(Kind.STUCK, call, host.run.task.by)
        ask = replace(ask, why="the agent's program is another one than this run began with")
        request = replace(self._house.request(host, PATH, call, ask, ""), kind=Kind.STUCK)
        await self._house.open(host, request, MARK)
        return request.id

    async def _void(self, host: Host) -> None:
        """What was signed is void from here on, or in doubt if it was begun; its card says so."""
        ended = {*host.journal.finished, PATH}
        for opened in [entries[-1] for path, entries in host.journal.opened.items() if path not in ended]:
            with suppress(NoSuchRequest, Broken):  # forgotten after its time, or forged: no call starts by it
                signed = await self._house.held(_newest(host, opened.request))
                if signed.status in ENDS and signed.outcome is None:
                    closes = replace(signed, outcome=ENDS[signed.status], version=signed.version + 1)
                    await host.write(Batch(op="", count=0, closes=closes))

    async def _heard(self, host: Host, decided: Decided, text: str) -> None:
        """Write down once that the run has heard the answer."""
        if PATH not in host.journal.finished:
            entry = Finished(path=PATH, result=ToolResult(outcome=Outcome.OK, text=text))
            audit = (events.run_resumed(host.id, decided.request, decided.decision),)
            await host.write(Batch(op="", count=0, entries=(entry,), effects=Effects(audit=audit)))

    async def _begin_again(self, host: Host, decided: Decided) -> None:
        """A new run takes the thread over before the old one ends: a reply in between reaches the new one."""
        run = Run(
            id=next_id(host.id),
            task=host.run.task,
            agent=host.run.agent,
            began=self._store.now(),
            steered_by=decided.decision.by,
        )
        effects = Effects(audit=(events.run_started(run),), dirty=(f"run|{run.id}",))
        delivery = f"{host.id}/again"  # a crash after this starts no second one
        await patiently(partial(self._store.start, run, delivery=delivery, replaces=host.id, effects=effects))
        log.info("run_restarted", run=host.id, new=run.id)

    # ------------------------------------------------------------- what was done

    async def _done(self, host: Host) -> list[Json]:
        """The calls that may have had an effect, oldest first, one line each; secrets masked."""
        paths = in_order({*host.journal.begun, *host.journal.finished} - {PATH})
        lines = [line for path in paths if (line := await self._line(host, path))]
        more = len(lines) - LINES_MOST
        return [*lines[:LINES_MOST], *([f"… and {more} more"] if more > 0 else [])]

    async def _line(self, host: Host, path: str) -> str:
        """One call and what became of it; nothing for one that never ran, or only looked."""
        begun, finished = host.journal.begun.get(path), host.journal.finished.get(path)
        if finished is not None and finished.result.outcome is Outcome.NOT_RUN:
            return ""
        tool, values = await self._call(host, path)
        spec = self._spec(tool or (begun.tool if begun else ""))
        if begun is None and (spec is None or spec.risk is Risk.READ):
            return ""
        name = tool or (begun.tool if begun else "") or f"a call at step {path}"
        shown = brief(values, spec.secrets, CALL_MOST) if spec is not None else ""
        outcome = finished.result.outcome if finished is not None else Outcome.UNKNOWN
        return f"{name}({shown}): {OUTCOMES[outcome]}"

    async def _call(self, host: Host, path: str) -> tuple[str, dict[str, Json]]:
        """The tool and arguments of the call at *path*, as far as they are still known."""
        opened, past = host.journal.opened.get(path, ()), host.past.get(path)
        if past is not None and not opened:
            return past.tool, past.values
        try:
            call = (await self._house.held(_newest(host, opened[-1].request))).call if opened else None
        except (NoSuchRequest, Broken):  # forgotten after its time, or forged
            call = None
        return (call.tool, call.values) if call else ("", {})

    def _spec(self, tool: str) -> ToolSpec | None:
        try:
            return self._house.spec(tool)
        except UnknownTool:  # gone with the old program, and with it the knowledge what is secret
            return None


def _is_withdrawn(host: Host, request: RequestId) -> bool:
    decided = host.journal.decided.get(request)
    return decided is not None and decided.decision.status is Status.SUPERSEDED


def _newest(host: Host, request: RequestId) -> RequestId:
    """What people put in the place of *request*, however often."""
    while (decided := host.journal.decided.get(request)) and decided.replaced_by:
        request = decided.replaced_by
    return request
