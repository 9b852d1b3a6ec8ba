"""What every `Store` promises about requests: one decision, one start, and the clock that judges them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.domain.calls import Cause, Digest, Outcome, ToolResult
from bot.domain.errors import AlreadySettled, LeaseLost, NoSuchRequest, TooLate
from bot.domain.request import Copy, Edit, Kind, Move, Request, RequestId, Status, close
from bot.domain.run import Finished, Opened, RunStatus
from bot.domain.store import Effects, Turn
from bot.domain.verdict import Climb, Need, Rung
from bot.domain.wire import replace
from tests.contracts.given import HIDDEN, HOUR, MS, NOTHING, Owner, StoreHouse, decided, letter, shown
from tests.contracts.store import StoreBase, everything, loaded, names
from tests.domain import given

LADDER = (Rung(after=timedelta(minutes=5), do=Climb.REMIND), Rung(after=HOUR, do=Climb.EXPIRE))


class OpenContract(StoreBase):
    async def test_a_request_opens_with_all_that_belongs_to_it(self) -> None:
        """PP-03: record, journal, card to post, first timer and audit: one step, and one only when it is repeated."""
        async with self.open() as house:
            owner = await house.owner()
            request = owner.new_request(ask=given.ask(ladder=LADDER))
            opening, copies = owner.opening(request), (Copy(name="main", place=request.place),)

            length = await house.store.open(owner.fence, opening, request, copies)
            written = await everything(house.store, owner.shard)
            assert await house.store.open(owner.fence, opening, request, copies) == length == 1
            assert await everything(house.store, owner.shard) == written

            held = await house.store.held(request.id)
            assert (held.request, held.copies) == (request, copies)
            found = await loaded(house.store, owner.run)
            assert found.asks == await house.store.open_requests(owner.shard) == (request.id,)
            assert found.entries == (Opened(path=request.path, mark="use:refund", request=request.id),)
            assert f"card|{request.id}|main" in await names(house.store, owner.shard)
            assert "request_opened" in (await house.store.trail(owner.run.id))[-1]
            house.clock.tick(LADDER[0].after)
            due = await house.store.due(owner.fence, most=9, hidden=HIDDEN)
            assert [timer.name for timer in due] == [f"rung|{request.id}|0"]

    async def test_a_stopping_run_asks_nobody(self) -> None:
        """AS-16: nothing opens between the stop and the end."""
        async with self.open() as house:
            owner = await house.owner()
            await house.store.stop(owner.run.id, delivery="d", told="by Ana", effects=NOTHING)
            before = await everything(house.store, owner.shard)

            with pytest.raises(AlreadySettled):
                await owner.asks()
            assert await everything(house.store, owner.shard) == before

    async def test_a_request_nobody_opened_is_unknown(self) -> None:
        """T13: whatever stands in a button."""
        async with self.open() as house:
            for made_up in ("q-0-none", "q-99-x", "", "q", "q-x-y", "r-0-1", "q-0-" + "x" * 2_000):
                with pytest.raises(NoSuchRequest):
                    await house.store.held(RequestId(made_up))

    async def test_the_gauges_know_what_waits_and_since_when(self) -> None:
        async with self.open() as house:
            owner = await house.owner()
            first, began = await owner.asks(), house.clock.at
            house.clock.tick(HOUR / 2)
            second = await owner.asks()

            assert await house.store.open_requests(owner.shard) == (first.id, second.id)
            totals = await house.store.totals(owner.shard)
            assert (totals.pending, totals.oldest, totals.outbox) == (2, began, 3)
            assert totals.older == {"1m": 1, "1h": 0, "1d": 0}
            await house.store.turn(owner.voting(first))
            assert await house.store.open_requests(owner.shard) == (second.id,)


class VoteContract(StoreBase):
    async def test_the_first_answer_stands(self) -> None:
        """I3, CD-07: two people answer the same version at once; one change is applied, the other must look again."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks()
            yes, no = owner.voting(request, given.BO), owner.voting(request, given.CY, Move.REJECT)

            turned = await asyncio.gather(house.store.turn(yes), house.store.turn(no))

            assert [each.is_applied for each in turned].count(True) == 1
            stands = (yes, no)[[each.is_applied for each in turned].index(True)]
            assert (await house.store.held(request.id)).request == stands.after
            assert (await loaded(house.store, owner.run)).entries[1:] == stands.entries
            assert await house.store.open_requests(owner.shard) == ()

    async def test_a_delivery_counts_once_and_is_answered_the_same(self) -> None:
        """T12, I10: the click comes again, also after others have answered."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks(ask=given.ask(Need(of="finance", need=2)))
            first = owner.voting(request)
            assert (await house.store.turn(first)).is_applied
            second = owner.voting(first.after, given.CY)
            assert (await house.store.turn(second)).is_applied
            written = await everything(house.store, owner.shard)

            again = [await house.store.turn(first) for _ in range(3)]

            assert [(each.is_applied, each.repeat) for each in again] == [(False, first.answer)] * 3
            assert await everything(house.store, owner.shard) == written
            assert (await house.store.held(request.id)).request.status is Status.APPROVED

    async def test_a_delivery_that_was_refused_counts_nowhere_in_its_thread(self) -> None:
        """T12, I10: not as an answer, not as a reply; and what was counted is not refused afterwards."""
        async with self.open() as house:
            owner = await house.owner()
            thread, run = owner.run.task.place.key, owner.run.id
            await house.store.remember(thread, "once", "None of these.", is_refused=True)
            assert await house.store.refusal(thread, "once") == "None of these."

            turn = replace(owner.voting(await owner.asks()), delivery="once")
            assert (await house.store.turn(turn)).repeat == "None of these."
            assert not await house.store.tell(run, letter(), delivery="once", effects=NOTHING)

            assert (await house.store.held(turn.after.id)).request.is_open
            assert not (await loaded(house.store, owner.run)).letters
            assert await house.store.tell(run, letter(), delivery="told", effects=NOTHING)
            await house.store.remember(thread, "told", "None of these.", is_refused=True)
            await house.store.remember(thread, "answered", "Stopping.", is_refused=False)
            assert [await house.store.refusal(thread, one) for one in ("told", "answered", "new")] == [None] * 3

    async def test_a_decision_is_in_the_journal_and_in_the_mail(self) -> None:
        """I12: the run wakes by itself even if no bell is ever heard."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks()
            await owner.append(seen=1)
            assert await house.store.mailbox(owner.shard) == ()
            async with house.store.listen(frozenset({owner.shard})) as rings:
                turned = await house.store.turn(owner.voting(request))
                async with asyncio.timeout(5):
                    ring = await anext(rings)

            assert await house.store.mailbox(owner.shard) == (owner.run.id,)
            assert (owner.run.id, turned.mail) == (ring.run, ring.mail)

    @pytest.mark.parametrize("late", [-1, 0, 1])
    async def test_a_vote_and_the_deadline_race_and_one_wins(self, late: int) -> None:
        """I6, I7, D-01, T31: a vote counts strictly before the deadline, expiry at it or after it."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks()
            click, expiry = owner.voting(request), owner.closing(request, is_expiry=True)
            assert request.deadline is not None
            house.clock.at = request.deadline + late * MS

            if late < 0:
                assert not (await house.store.turn(expiry)).is_applied
                assert (await house.store.turn(click)).is_applied
                return
            with pytest.raises(TooLate):
                await house.store.turn(click)
            assert (await house.store.held(request.id)).request == request
            assert (await house.store.turn(expiry)).is_applied
            assert (await house.store.held(request.id)).request.status is Status.EXPIRED

    async def test_a_request_without_a_deadline_does_not_expire(self) -> None:
        """Nor does a rung that only claims so end it; a vote counts a year later."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks(deadline=None)
            house.clock.tick(HOUR * 24 * 365)

            assert not (await house.store.turn(owner.closing(request, is_expiry=True))).is_applied
            assert (await house.store.turn(owner.voting(request))).is_applied

    @pytest.mark.parametrize("move", [Move.CANCEL, Move.SUPERSEDE, Move.EXPIRE])
    async def test_a_vote_after_the_end_is_not_applied(self, move: Move) -> None:
        """I3: whatever ended it."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks()
            click = owner.voting(request)
            assert (await house.store.turn(owner.closing(request, move))).is_applied

            assert not (await house.store.turn(click)).is_applied
            assert not (await house.store.turn(owner.closing(request, Move.CANCEL))).is_applied
            assert (await house.store.held(request.id)).request.decision is not None
            assert len((await loaded(house.store, owner.run)).entries) == 2

    async def test_nobody_signs_for_a_run_that_stops_or_has_ended(self) -> None:
        """AS-16: its cards may still be on somebody's screen."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks()
            await house.store.stop(owner.run.id, delivery="d", told="by Ana", effects=NOTHING)
            with pytest.raises(AlreadySettled):
                await house.store.turn(owner.voting(request))

            await owner.append(status=RunStatus.STOPPED)
            with pytest.raises(AlreadySettled):
                await house.store.turn(owner.voting(request))
            assert (await house.store.turn(owner.closing(request, Move.CANCEL))).is_applied
            assert await house.store.mailbox(owner.shard) == ()

    async def test_a_card_that_was_shown_is_remembered(self) -> None:
        """I9: a click must come from a message we posted; later copies stand beside it."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks()
            row = next(row for row in await house.store.rows(owner.shard) if row.name.startswith("card|"))
            await house.store.posted(owner.fence, row, shown(request), NOTHING)
            more = replace(request, version=2, rung=1)
            dm = Copy(name="dm-bo", to=given.BO)
            turn = Turn(after=more, copies=(dm,), effects=Effects(dirty=(f"card|{request.id}|dm-bo",)))
            assert (await house.store.turn(turn)).is_applied

            held = await house.store.held(request.id)
            assert sorted(copy.name for copy in held.copies) == ["dm-bo", "main"]
            assert shown(request) in held.copies


class EditContract(StoreBase):
    async def test_an_edited_call_takes_the_old_ones_place_in_one_step(self) -> None:
        """I13: never two open versions, never none."""
        async with self.open() as house:
            owner = await house.owner()
            old = await owner.asks()
            turn = edited(owner, old)
            assert turn.opens is not None

            assert (await house.store.turn(turn)).is_applied
            assert (await house.store.turn(turn)).is_applied is False

            assert await house.store.open_requests(owner.shard) == (turn.opens.id,)
            assert (await loaded(house.store, owner.run)).asks == (turn.opens.id,)
            assert (await house.store.held(old.id)).request.replaced_by == turn.opens.id
            assert [copy.name for copy in (await house.store.held(turn.opens.id)).copies] == ["main"]
            assert (await house.store.turn(owner.voting(turn.opens))).is_applied

    async def test_an_edit_at_the_deadline_is_too_late(self) -> None:
        """I6: changing a call must not give an expired request a new life."""
        async with self.open() as house:
            owner = await house.owner()
            old = await owner.asks()
            house.clock.tick(HOUR)

            with pytest.raises(TooLate):
                await house.store.turn(edited(owner, old))
            assert await house.store.open_requests(owner.shard) == (old.id,)

    async def test_an_edit_opens_nothing_in_a_run_that_stops(self) -> None:
        async with self.open() as house:
            owner = await house.owner()
            old = await owner.asks()
            await house.store.stop(owner.run.id, delivery="d", told="by Ana", effects=NOTHING)

            with pytest.raises(AlreadySettled):
                await house.store.turn(edited(owner, old))
            assert await house.store.open_requests(owner.shard) == (old.id,)

    async def test_the_version_that_was_replaced_cannot_be_started(self) -> None:
        """T06, I13: bo signed the old bytes in the very moment cy changed them."""
        async with self.open() as house:
            owner = await house.owner()
            old = await owner.asks()
            signed = owner.voting(old).after
            await house.store.turn(edited(owner, old))

            await refuses_to_start(house, owner, signed)


class SpendContract(StoreBase):
    async def test_an_approval_starts_one_call(self) -> None:
        """I2: the same write repeated is the same start; another write finds nothing to spend."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.approved()
            start, after = owner.starting(request)

            length = await house.store.spend(owner.fence, start, after)
            written = await everything(house.store, owner.shard)
            assert await house.store.spend(owner.fence, start, after) == length == 3
            await refuses_to_start(house, owner, request)
            assert await everything(house.store, owner.shard) == written
            assert (await house.store.held(request.id)).request.status is Status.SPENT

    @pytest.mark.parametrize("late", [0, 1])
    async def test_an_approval_is_good_for_its_window(self, late: int) -> None:
        """I7: judged by the store's clock from its own moment of the decision."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.approved()
            house.clock.tick(request.ask.exec_window + late * MS)
            start, after = owner.starting(request)

            if not late:
                assert await house.store.spend(owner.fence, start, after) == 3
                return
            with pytest.raises(TooLate):
                await house.store.spend(owner.fence, start, after)
            assert (await house.store.held(request.id)).request.status is Status.APPROVED

    @pytest.mark.parametrize("move", [None, Move.REJECT, Move.EXPIRE, Move.CANCEL, Move.SUPERSEDE])
    async def test_what_nobody_approved_does_not_start(self, move: Move | None) -> None:
        """I1: whatever the caller believes, the stored status decides."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks()
            dreamt = owner.voting(request).after
            match move:
                case Move.REJECT:
                    await house.store.turn(owner.voting(request, given.CY, Move.REJECT))
                case Move():
                    await house.store.turn(owner.closing(request, move))

            await refuses_to_start(house, owner, dreamt)

    async def test_half_a_quorum_starts_nothing(self) -> None:
        """I4: one of two signatures, and a caller who believes in the second."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks(ask=given.ask(Need(of="finance", need=2)))
            one = owner.voting(request)
            await house.store.turn(one)

            await refuses_to_start(house, owner, owner.voting(one.after, given.CY).after)

    async def test_a_request_that_was_never_opened_does_not_start(self) -> None:
        async with self.open() as house:
            owner = await house.owner()

            await refuses_to_start(house, owner, owner.voting(owner.new_request()).after)

    async def test_a_stopping_run_starts_nothing(self) -> None:
        """AS-16: approved, then stopped before it began."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.approved()
            await house.store.stop(owner.run.id, delivery="d", told="by Ana", effects=NOTHING)

            await refuses_to_start(house, owner, request)

    async def test_a_recovery_that_says_run_it_is_one_more_start(self) -> None:
        """D-50: people looked, and it had not happened."""
        async with self.open() as house:
            owner = await house.owner()
            start, after = owner.starting(await owner.approved(kind=Kind.RECOVERY))

            assert await house.store.spend(owner.fence, start, after) == 3

    async def test_what_a_call_came_to_is_kept_with_its_request(self) -> None:
        async with self.open() as house:
            owner = await house.owner()
            start, after = owner.starting(await owner.approved())
            await house.store.spend(owner.fence, start, after)
            result = ToolResult(outcome=Outcome.OK, text="paid")
            closed = replace(after, outcome=result, version=after.version + 1)

            await owner.append(Finished(path=after.path, result=result), closes=closed)

            assert (await house.store.held(after.id)).request == closed

    async def test_an_owner_of_another_time_spends_nothing(self) -> None:
        """Two processes believe in the same shard: only the newer one starts the call."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.approved()
            start, after = owner.starting(request)
            await house.store.release(owner.fence)
            newer = await house.fence(owner.shard, "two")

            with pytest.raises(LeaseLost):
                await house.store.spend(owner.fence, start, after)
            assert await house.store.spend(newer, start, after) == 3


# ------------------------------------------------------------------ helpers


async def refuses_to_start(house: StoreHouse, owner: Owner, believed: Request) -> None:
    """A start computed from *believed* is refused, and leaves everything as it was."""
    before = await everything(house.store, owner.shard)
    count = owner.count
    start, after = owner.starting(believed)
    with pytest.raises(AlreadySettled):
        await house.store.spend(owner.fence, start, after)
    owner.count = count
    assert await everything(house.store, owner.shard) == before


def edited(owner: Owner, old: Request) -> Turn:
    new = replace(
        old,
        id=RequestId(f"{old.id}e"),
        call=replace(old.call, digest=Digest("other")),
        replaces=old.id,
        edit=Edit(editor=given.CY, was=old.call.args),
    )
    gone = close(old, Move.SUPERSEDE, at=owner.house.clock.at, cause=Cause.SUPERSEDED)
    gone = replace(gone, replaced_by=new.id)
    return Turn(after=gone, opens=new, entries=decided(gone), copies=(Copy(name="main"),), effects=NOTHING)
