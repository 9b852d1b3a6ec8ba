"""A changed call: checked like any other, judged by the policy again, shown as a difference, with a new digest.

The old request is superseded and the new one opened in one step. Where one signature is enough and duties
are not separated, the editor's own version is also their decision; else the editor never counts for it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from bot.domain import events
from bot.domain.accepted import unaccepted
from bot.domain.calls import Cause, Past, ToolCall, make_call
from bot.domain.chat import Answer, PersonId
from bot.domain.crowd import stand
from bot.domain.details import unreadable
from bot.domain.errors import (
    AlreadySettled,
    InvalidArguments,
    NoSuchRequest,
    NotAllowed,
    NotEligible,
    Unsatisfiable,
)
from bot.domain.forms import EDIT_REASON, values_from_fields
from bot.domain.ladder import deadline, first_timer, waiting_timer
from bot.domain.policy import Facts
from bot.domain.ports import Tool
from bot.domain.render import REASON
from bot.domain.request import Copy, Edit, Move, Request, RequestId, close, settled_text
from bot.domain.run import Decided, Entry, Finished, Opened
from bot.domain.store import FORM, Effects, Held, Loaded, Turn
from bot.domain.typed import untypable
from bot.domain.verdict import Allow, Ask, Deny, Escalate, ReasonRule
from bot.domain.wire import loads, replace
from bot.runtime.ballot import Ballot
from bot.runtime.evidencing import of_edited
from bot.runtime.parts import Parts
from bot.runtime.press import Press
from bot.runtime.rights import Rights

CHANGED = "Changed. Somebody else has to sign your version now."
READ_IT = "Changed. Your version has its own card: open its Details, if it is high-risk, and approve it there."


class Edits:
    def __init__(self, parts: Parts, rights: Rights, ballot: Ballot) -> None:
        self._parts, self._store, self._rights, self._ballot = parts, parts.store, rights, ballot

    async def edit(self, held: Held, press: Press) -> Answer:
        """Put an edited call in the place of *held*. Raises Refused; problems stand beside their fields."""
        old = held.request
        person, _ = await self._rights.seats(old, press.by)
        if not old.is_open:
            return await self._again(old, press)
        if old.ask.reason is ReasonRule.ALWAYS and not press.edit_reason:
            return Answer(is_taken=False, text="Please say why.", problems={EDIT_REASON: "Please say why."})
        tool = self._parts.toolbox.get(old.call.tool)
        call = self._changed(tool, old, press)
        ask = await self._judged(tool, call, old)
        found = await of_edited(tool, call)
        edited = replace(old, call=call, ask=ask, evidence=found, edit=_edit(old, person.id, press))
        new = await self._opened(old, edited)
        if not await self._swap(held, new, press):
            return await self.edit(await self._store.held(old.id), press)
        return await self._concluded(new, press)

    async def _again(self, old: Request, press: Press) -> Answer:
        """*old* is settled: raises and says so, unless it was this very form that settled it."""
        if old.replaced_by is not None:
            new = (await self._store.held(old.replaced_by)).request
            if new.edit is not None and new.edit.delivery == press.delivery:
                return await self._concluded(new, press)
        raise AlreadySettled(old.id, old.status, settled_text(old))

    async def _concluded(self, new: Request, press: Press) -> Answer:
        """The new version stands; sign it too, if its editor may. Safe to repeat."""
        if not await self._is_own_decision(new, press):
            return Answer(is_taken=True, text=CHANGED)
        if new.ask.is_high or new.ask.typed:  # nobody has read these bytes yet, nor typed what has to be typed
            return Answer(is_taken=True, text=READ_IT)
        said = {REASON: press.edit_reason}
        vote = replace(press, subject=new.id, delivery=f"{press.delivery}/edit", fields=said)
        answer = await self._ballot.vote(await self._store.held(new.id), Move.APPROVE, vote)
        return replace(answer, text="Approved with your changes. It runs now.") if answer.is_taken else answer

    async def _is_own_decision(self, new: Request, press: Press) -> bool:
        """Is the editor's signature the one that is needed, and did they say all that it needs?"""
        is_alone = sum(need.need for need in new.ask.groups) == 1 and not new.ask.separate_duties
        if not is_alone or (new.ask.reason is ReasonRule.ALWAYS and not press.edit_reason):
            return False
        try:
            await self._rights.seats(new, press.by)
        except NotEligible:
            return False
        return True

    def _changed(self, tool: Tool, old: Request, press: Press) -> ToolCall:
        args = tool.check(
            values_from_fields(tool.spec.schema, press.fields, was=loads(old.call.args), secrets=tool.spec.secrets)
        )
        call = make_call(id=old.call.id, tool=old.call.tool, version=tool.spec.version, args=args)
        if call.digest == old.call.digest:
            raise InvalidArguments(call.tool, {"": "Nothing was changed; press Approve to sign it as it is."})
        return call

    async def _judged(self, tool: Tool, call: ToolCall, old: Request) -> Ask:
        """The policy speaks again. It may ask for more; a call it would let through keeps its old signature."""
        if why := unaccepted(tool.spec, call, old.history):
            raise NotAllowed(call.tool, Cause.POLICY, f"Not changed: {why}.")
        requester = await self._rights.person(old.requester)
        if requester is None:
            raise NotAllowed(call.tool, Cause.WITHDRAWN, "Whoever gave this task is not known any more.")
        facts = Facts(requester=requester, place=old.place, agent=old.agent, history=await self._others(old))
        match self._parts.policy.decide(call, tool.spec, facts):
            case Deny(why=why):
                raise NotAllowed(call.tool, Cause.POLICY, f"The policy forbids this version: {why}")
            case Escalate(why=why):
                told = f"The policy hands this version over to people and lets nobody sign it: {why}"
                raise NotAllowed(call.tool, Cause.POLICY, told)
            case Allow():
                return old.ask
            case ask:
                return ask

    async def _others(self, old: Request) -> tuple[Past, ...]:
        """The run's other calls as they stand now. *old* knows only those that came before it was opened, as they

        were then: a call made larger beside five that wait must be judged beside all five (D-28).
        """
        loaded = await self._store.load(old.run)
        known, now = list(old.history), []
        for path, request in _last_asked(loaded.entries if loaded else ()).items():
            if path != old.path and (past := await self._past(request, path, loaded)):
                now.append(past[1])
                if past[0] in (shapes := [(one.tool, one.args) for one in known]):
                    del known[shapes.index(past[0])]
        return (*known, *now)

    async def _past(self, id: RequestId, path: str, loaded: Loaded | None) -> tuple[tuple[str, str], Past] | None:
        """What the agent asked for first, and what has become of it."""
        try:
            request = (await self._store.held(id)).request
        except NoSuchRequest:
            return None
        ends = [
            e.result.outcome for e in (loaded.entries if loaded else ()) if isinstance(e, Finished) and e.path == path
        ]
        past = Past(tool=request.call.tool, args=request.call.args, outcome=ends[0] if ends else None)
        return (request.call.tool, _was(request)), past

    async def _opened(self, old: Request, edited: Request) -> Request:
        """*edited* as a request of its own, in the place of *old*."""
        call, ask, edit = edited.call, edited.ask, edited.edit
        assert edit is not None, "somebody changed it"
        now = self._store.now()
        shard = old.id.split("-", 2)[1]
        new = replace(
            edited,
            id=RequestId(f"q-{shard}-{secrets.token_hex(12)}"),
            version=1,
            votes=(),
            looked=(),
            opened=now,
            deadline=deadline(ask, now),
            offer=None,  # it was about another call
            excluded=tuple(dict.fromkeys((*old.excluded, edit.editor))),
            replaces=old.id,
            explanation="",
            rung=0,
            reviews=0,
            standins=(),
            also=(),
            sheet=None,  # the new version has a card of its own
            items=(),
            policy=self._parts.policy.hash,
        )
        try:
            spec = self._parts.toolbox.get(call.tool).spec
            if told := untypable(new, spec) or unreadable(new, spec):
                raise Unsatisfiable(told)
            await self._rights.must_be_satisfiable(new)
        except Unsatisfiable as error:
            raise NotAllowed(call.tool, Cause.UNSATISFIABLE, error.people_read) from error
        return new

    async def _swap(self, held: Held, new: Request, press: Press) -> bool:
        """Raises Twin, told beside the form, when exactly the changed call waits already."""
        old = held.request
        gone = close(old, Move.SUPERSEDE, at=new.opened, cause=Cause.SUPERSEDED, told="changed by a person")
        gone = replace(gone, replaced_by=new.id)
        assert gone.decision is not None, "a closed request has its decision"
        main = next((copy for copy in held.copies if copy.name == "main"), held.copies[0])
        seen = Copy(name=FORM, ref=press.ref)
        place = main.where if main.to else stand(old)  # a ref need not name the thread it stands in
        copies = (Copy(name="main", place=place, to=main.to), seen)
        audit = (
            events.request_decided(gone),
            events.request_opened(new),
            events.card_shown(new, FORM, press.ref, is_complete=True, has_buttons=False),
        )
        effects = Effects(
            audit=audit,
            dirty=(*held.rows, *Held(request=new, copies=copies).rows),
            timers=first_timer(new),
            untime=waiting_timer(old),
        )
        entry = Decided(request=old.id, decision=gone.decision, replaced_by=new.id)
        turn = Turn(
            after=gone,
            opens=new,
            entries=(entry,),
            copies=copies,
            effects=effects,
            delivery=press.delivery,
            answer=CHANGED,
            is_single=not self._parts.may_repeat,
        )
        turned = await self._store.turn(turn)
        if turned.is_applied:
            self._ballot.tell(new.run, entry, turned.mail)
        return turned.is_applied


def _edit(old: Request, editor: PersonId, press: Press) -> Edit:
    return Edit(editor=editor, was=_was(old), delivery=press.delivery, reason=press.edit_reason)


def _last_asked(entries: Iterable[Entry]) -> dict[str, RequestId]:
    """Each path's newest request: the last one opened there, or what people put in its place."""
    found: dict[str, RequestId] = {}
    for entry in entries:
        if isinstance(entry, Opened):
            found[entry.path] = entry.request
        elif isinstance(entry, Decided) and entry.replaced_by is not None:
            found |= {path: entry.replaced_by for path, request in found.items() if request == entry.request}
    return found


def _was(old: Request) -> str:
    """The arguments the agent asked for, however often people changed them since."""
    return old.edit.was if old.edit else old.call.args
