"""What every `Store` promises about what is to be shown, what is due, what is written down, and who is rung for."""

from __future__ import annotations

import asyncio

from bot.domain import events
from bot.domain.audit import verify_chain
from bot.domain.request import Copy, RequestId
from bot.domain.store import FAILS_LATE, FORM, Effects, Ring, Timer, Turn
from bot.domain.wire import replace
from tests.contracts.given import HIDDEN, LEASE, MS, NOTHING, letter, note
from tests.contracts.store import StoreBase, ends, says
from tests.domain import given


class ShownContract(StoreBase):
    async def test_a_row_that_was_marked_again_stays(self) -> None:
        """What was confirmed is older than what people should see now."""
        async with self.open() as house:
            owner = await house.owner()
            (row,) = await house.store.rows(owner.shard)
            await owner.append(line="Thinking", effects=Effects(dirty=(row.name,)))

            await house.store.posted(owner.fence, row, None, NOTHING)
            (again,) = await house.store.rows(owner.shard)
            assert again.name == row.name
            assert again.stamp > row.stamp
            await house.store.posted(owner.fence, again, None, NOTHING)
            await house.store.posted(owner.fence, again, None, NOTHING)
            assert await house.store.rows(owner.shard) == ()

    async def test_the_end_of_a_signed_call_is_shown_on_every_message_of_its_request(self) -> None:
        """CD-09: those that were posted while it ran, and its sheet; an editor's form is no message."""
        async with self.open() as house:
            owner = await house.owner()
            sheet = RequestId(f"q-{owner.shard}-sheet")
            request = await owner.asks(sheet=sheet)
            copied = replace(request, version=request.version + 1)
            copies = (Copy(name="dm-bo", to=given.BO), Copy(name=FORM))
            await house.store.turn(Turn(after=copied, copies=copies, effects=NOTHING))
            before = (await house.store.rows(owner.shard))[-1].stamp

            closes = replace(copied, version=copied.version + 1)
            await owner.append(closes=closes, effects=Effects(dirty=("note|r/0",)))

            marked = [row.name for row in await house.store.rows(owner.shard, after=before)]
            own = {f"card|{request.id}|{name}|{owner.run.id}" for name in ("main", "dm-bo")}
            assert set(marked[:2]) == own
            assert marked[2:] == [f"card|{sheet}||{owner.run.id}", "note|r/0"], "an answer stands below its card"

    async def test_a_row_that_waits_already_keeps_its_place_where_that_is_wanted(self) -> None:
        """CD-07: else a late press would put the end of a card behind the answer that follows it."""
        async with self.open() as house:
            owner = await house.owner()
            await says(owner, note(owner.run))
            before = await house.store.rows(owner.shard)

            await house.store.show_again(owner.shard, (before[0].name, "run|shown"), unless_marked=True)
            after = await house.store.rows(owner.shard)
            assert after[:-1] == before
            assert after[-1].name == "run|shown"

            await house.store.show_again(owner.shard, (before[0].name,))
            assert (await house.store.rows(owner.shard))[-1].name == before[0].name

    async def test_a_note_that_was_written_again_stays(self) -> None:
        """Its new words are still to be shown."""
        async with self.open() as house:
            owner = await house.owner()
            await says(owner, note(owner.run, "one"))
            row = (await house.store.rows(owner.shard))[-1]
            await says(owner, note(owner.run, "two"))

            await house.store.posted(owner.fence, row, None, NOTHING)
            assert await house.store.note(owner.shard, note(owner.run).key) == note(owner.run, "two")
            await house.store.posted(owner.fence, (await house.store.rows(owner.shard))[-1], None, NOTHING)
            assert await house.store.note(owner.shard, note(owner.run).key) is None

    async def test_a_timer_is_claimed_and_comes_back(self) -> None:
        """Due at its moment, not before; hidden while somebody deals with it; back if they died."""
        async with self.open() as house:
            owner = await house.owner()
            timer = Timer(name="sleep|r|/0", due=house.clock.at + HIDDEN)
            await owner.append(effects=Effects(timers=(timer,)))
            house.clock.tick(HIDDEN - MS)
            assert await house.store.due(owner.fence, most=9, hidden=HIDDEN) == ()

            house.clock.tick(MS)
            assert await house.store.due(owner.fence, most=9, hidden=HIDDEN) == (timer,)
            house.clock.tick(HIDDEN - MS)
            assert await house.store.due(owner.fence, most=9, hidden=HIDDEN) == ()
            house.clock.tick(MS)
            assert len(await house.store.due(owner.fence, most=9, hidden=HIDDEN)) == 1

    async def test_a_timer_that_was_taken_down_never_comes(self) -> None:
        async with self.open() as house:
            owner = await house.owner()
            timers = tuple(Timer(name=f"sleep|r|/{n}", due=house.clock.at) for n in range(4))
            await owner.append(effects=Effects(timers=timers))
            await owner.append(effects=Effects(untime=(timers[0].name,)))
            await house.store.untime(owner.shard, timers[1].name)

            assert await house.store.due(owner.fence, most=1, hidden=HIDDEN) == (timers[2],)
            assert await house.store.due(owner.fence, most=9, hidden=HIDDEN) == (timers[3],)

    async def test_a_timer_that_nobody_claims_is_overdue(self) -> None:
        """Also on a shard that nobody owns: whoever looks sees it. One that was claimed is in somebody's hands."""
        async with self.open() as house:
            owner = await house.owner()
            names = ("rung|q|0", "wake|q|ana", "sleep|r|/0")
            await owner.append(effects=Effects(timers=tuple(Timer(name=n, due=house.clock.at) for n in names)))
            await house.store.release(owner.fence)
            late = HIDDEN * 2
            house.clock.tick(late - MS)
            await house.store.beat("one", LEASE)  # whoever lives hears the store's clock
            assert await house.store.overdue(owner.shard, late) == 0
            house.clock.tick(MS * 10)
            await house.store.beat("one", LEASE)
            assert await house.store.overdue(owner.shard, late) == 3

            await house.store.due(await house.fence(owner.shard, "two"), most=1, hidden=HIDDEN)

            assert await house.store.overdue(owner.shard, late) == 2
            await house.store.untime(owner.shard, names[2])
            assert await house.store.overdue(owner.shard, late) == 1

    async def test_a_timer_that_fails_comes_back_later_and_later_and_is_late(self) -> None:
        """I11: its failures are counted until it is dealt with; what was taken down fails no more."""
        async with self.open() as house:
            owner, waits = await house.owner(), (HIDDEN, HIDDEN * 2, HIDDEN * 4)
            names = ("rung|q|0", "rung|q|1")
            await owner.append(effects=Effects(timers=tuple(Timer(name=n, due=house.clock.at) for n in names)))

            for tries, wait in enumerate((*waits, waits[-1])):
                due = await house.store.due(owner.fence, most=9, hidden=HIDDEN)
                assert [(timer.name, timer.tries) for timer in due] == [(name, tries) for name in names]
                assert await house.store.overdue(owner.shard, HIDDEN) == (2 if tries >= FAILS_LATE else 0)
                assert {await house.store.failed(owner.fence, name, waits) for name in names} == {tries + 1}
                house.clock.tick(wait - MS)
                assert await house.store.due(owner.fence, most=9, hidden=HIDDEN) == ()
                house.clock.tick(MS)

            await house.store.untime(owner.shard, names[0])
            assert await house.store.failed(owner.fence, names[0], waits) == 0
            await house.store.due(owner.fence, most=9, hidden=HIDDEN)
            assert await house.store.overdue(owner.shard, HIDDEN) == 1
            await house.store.mended(owner.shard, names[1])
            assert await house.store.overdue(owner.shard, HIDDEN) == 0
            house.clock.tick(HIDDEN)
            assert [timer.tries for timer in await house.store.due(owner.fence, most=9, hidden=HIDDEN)] == [0]

    async def test_the_audit_grows_in_the_step_it_tells_of(self) -> None:
        """I15: numbered without gaps, linked, timed by the store; a run knows its own lines."""
        async with self.open() as house:
            owner, other = await house.owner(), await house.owner("2.0")
            await owner.approved()
            await house.store.log(other.shard, (events.vote_refused("q", None, given.vote().account, "x", "d"),) * 2)
            await ends(owner)

            for shard in {owner.shard, other.shard}:
                lines = await house.store.audit_lines(shard, 0, -1)
                head = await house.store.sealed(shard)
                assert verify_chain(lines, shard=shard, head=(head.seq, head.link)) == []
                assert all(f" {int(house.clock.at.timestamp() * 1000)} " in line for line in lines)
            trail = "".join(await house.store.trail(owner.run.id))
            wanted = ("run_started", "request_opened", "vote_counted", "request_decided", "run_ended")
            assert [trail.index(event) for event in wanted] == sorted(trail.index(event) for event in wanted)
            assert "vote_refused" not in trail
            assert other.run.id not in trail

    async def test_a_checkpoint_covers_each_line_once(self) -> None:
        """Two processes seal the same lines: the second one writes nothing."""
        async with self.open() as house:
            owner = await house.owner()
            for mac in ("one", "two"):
                await house.store.checkpoint(owner.fence, (1, 1), mac, b'{"e":"checkpoint"}')

            head = await house.store.sealed(owner.shard)
            assert (head.seq, head.covered, head.mac) == (2, 1, "one")

    async def test_a_reply_and_a_row_ring_the_bell(self) -> None:
        """Who listens before looking hears of everything that comes later."""
        async with self.open() as house:
            owner = await house.owner()
            async with house.store.listen(frozenset({owner.shard})) as rings:
                await house.store.tell(owner.run.id, letter(), delivery="d", effects=NOTHING)
                await owner.append(effects=Effects(dirty=(f"run|{owner.run.id}",)))
                async with asyncio.timeout(5):
                    heard = [await anext(rings), await anext(rings)]

            assert heard == [Ring(run=owner.run.id, mail=2), Ring()]
