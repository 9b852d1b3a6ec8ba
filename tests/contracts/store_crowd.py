"""What every `Store` promises about too much asking: sheets opened whole, no twins, and room that is counted truly."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bot.domain.chat import PersonId
from bot.domain.crowd import place_key
from bot.domain.errors import TooMany, Twin
from bot.domain.request import Copy, Kind, Move, Request, RequestId
from bot.domain.run import Opened
from bot.domain.sheet import bound
from bot.domain.store import Batch, Effects, Turn, Turned
from bot.domain.wire import replace
from tests.contracts.given import Owner, StoreHouse, shard_of
from tests.contracts.store import StoreBase, everything, loaded
from tests.contracts.store_requests import edited
from tests.domain import given


class CrowdContract(StoreBase):
    # ---------------------------------------------------------------- twins

    async def test_exactly_the_same_is_open_once(self) -> None:
        """T18: the same call of the same person, in whatever thread; nothing is written for the second."""
        async with self.open() as house:
            owner = await house.owner()
            first = await opens(owner, owner.new_request())
            before = await everything(house.store, owner.shard)

            with pytest.raises(Twin, match=first.id) as refused:
                await opens(owner, owner.new_request())

            assert refused.value.request_id == first.id
            assert await everything(house.store, owner.shard) == before

    @pytest.mark.parametrize(
        "other",
        [
            {"requester": given.BO},
            {"call": given.call({"order_id": "8", "amount": 150})},
            {"kind": Kind.RECOVERY},
            {"kind": Kind.AFTERMATH},
        ],
        ids=["another person", "other bytes", "what became of a call", "what is looked at afterwards"],
    )
    async def test_what_is_not_the_same_or_must_be_settled_is_no_twin(self, other: dict[str, Any]) -> None:
        async with self.open() as house:
            owner = await house.owner()
            await opens(owner, owner.new_request())

            assert (await house.store.held((await opens(owner, owner.new_request(**other))).id)).request.is_open

    @pytest.mark.parametrize("move", [Move.APPROVE, Move.REJECT])
    async def test_what_is_decided_is_nobodys_twin(self, move: Move) -> None:
        """Whoever asks again after the answer is asking something new; its own end frees the place again."""
        async with self.open() as house:
            owner = await house.owner()
            for _ in range(3):
                asked = await opens(owner, owner.new_request())
                assert (await house.store.turn(owner.voting(asked, move=move))).is_applied

    async def test_an_opening_sent_again_is_not_its_own_twin(self) -> None:
        """I12: the answer was lost; the same write says the same."""
        async with self.open() as house:
            owner = await house.owner()
            request = owner.new_request()
            batch, copies = single(owner.opening(request)), (Copy(name="main"),)

            lengths = [await house.store.open(owner.fence, batch, request, copies) for _ in range(2)]

            assert lengths == [1, 1]

    async def test_a_call_that_is_changed_leaves_its_place_and_takes_another(self) -> None:
        """I13: the old bytes may be asked again, the new ones may not; what waits already, nothing is changed into."""
        async with self.open() as house:
            owner = await house.owner()
            old, other = await opens(owner, owner.new_request()), await opens(owner, owner.new_request(**eight()))
            into_other = edited(owner, old)
            assert into_other.opens is not None
            taken = replace(into_other, opens=replace(into_other.opens, call=other.call), is_single=True)
            before = await everything(house.store, owner.shard)
            with pytest.raises(Twin, match=other.id):
                await house.store.turn(taken)
            assert await everything(house.store, owner.shard) == before

            assert (await house.store.turn(replace(edited(owner, old), is_single=True))).is_applied

            await opens(owner, owner.new_request())
            with pytest.raises(Twin):
                await opens(owner, owner.new_request(call=replace(old.call, digest=into_other.opens.call.digest)))

    # ----------------------------------------------------------------- room

    async def test_one_channel_holds_so_many_and_each_end_makes_room(self) -> None:
        """T18: whoever asks; by vote, by the system, and not for what stands in another channel."""
        async with self.open() as house:
            owner = await house.owner()
            mine = await opens(owner, owner.new_request(), place_most=2)
            theirs = await opens(owner, owner.new_request(requester=given.BO), place_most=2)
            with pytest.raises(TooMany, match="this channel has 2 open requests") as refused:
                await opens(owner, owner.new_request(requester=given.CY), place_most=2)
            assert refused.value.is_place

            elsewhere = replace(given.ask(), place="#finance")
            await opens(owner, owner.new_request(requester=given.CY, ask=elsewhere), place_most=2)
            await house.store.turn(owner.voting(mine, given.CY))
            await opens(owner, owner.new_request(requester=PersonId("dan")), place_most=2)
            await house.store.turn(owner.closing(theirs, Move.CANCEL))
            await opens(owner, owner.new_request(requester=PersonId("eve")), place_most=2)
            with pytest.raises(TooMany):
                await opens(owner, owner.new_request(requester=PersonId("fay")), place_most=2)

    async def test_a_channel_in_which_a_request_is_shown_later_counts_it_until_it_ends(self) -> None:
        """T18: in the step that shows it, or not at all; whatever ends it makes room in every channel it stood in."""
        async with self.open() as house:
            owner = await house.owner()
            finance = replace(given.ask(), place="#finance")
            key = place_key(replace(given.PLACE, channel="finance", thread=None, is_direct=False))

            async def shown_too(request: Request) -> Turned:
                after = replace(request, also=(key,), version=request.version + 1)
                turn = Turn(after=after, effects=Effects(), adds=key, place_most=2, fence=owner.fence)
                return await house.store.turn(turn)

            there = await opens(owner, owner.new_request(ask=finance), place_most=2)
            one, other = [await opens(owner, owner.new_request(**eight(n))) for n in (1, 2)]
            assert (await shown_too(one)).is_applied
            before = await everything(house.store, owner.shard)
            assert await shown_too(other) == Turned(is_applied=False, is_full=True)
            assert await everything(house.store, owner.shard) == before
            with pytest.raises(TooMany):
                await opens(owner, owner.new_request(**eight(3), ask=finance), place_most=2)

            await house.store.turn(owner.voting((await house.store.held(one.id)).request))

            assert (await shown_too(other)).is_applied
            await house.store.turn(owner.closing(there, Move.CANCEL))
            await opens(owner, owner.new_request(**eight(4), ask=finance), place_most=2)
            with pytest.raises(TooMany):
                await opens(owner, owner.new_request(**eight(5), ask=finance), place_most=2)

    async def test_the_refusal_says_which_room_is_full(self) -> None:
        async with self.open() as house:
            owner = await house.owner()
            await opens(owner, owner.new_request(), most=1, place_most=2)

            with pytest.raises(TooMany, match="ana has 1 open requests") as refused:
                await opens(owner, owner.new_request(**eight()), most=1, place_most=2)

            assert not refused.value.is_place

    # ------------------------------------------------------- several shards

    async def test_exactly_the_same_on_another_shard_is_open_once(self) -> None:
        """T18: threads are spread over shards, and nobody is asked the same in two of them; its end frees the place."""
        async with self.open() as house:
            here, there = await owners(house)
            first = await opens(here, here.new_request())
            before = await everything(house.store, there.shard)

            with pytest.raises(Twin, match=first.id):
                await opens(there, there.new_request())

            assert await everything(house.store, there.shard) == before
            await opens(there, there.new_request(requester=given.BO))
            await house.store.turn(here.voting(first))
            await opens(there, there.new_request())

    async def test_a_person_and_a_channel_have_their_room_on_all_shards_together(self) -> None:
        """T18: what the refusal says is true of the whole bot, whichever shard a thread is on."""
        async with self.open() as house:
            here, there = await owners(house)
            mine = await opens(here, here.new_request(), most=2, place_most=3)
            await opens(here, here.new_request(requester=given.BO), most=2, place_most=3)
            await opens(there, there.new_request(**eight()), most=2, place_most=3)

            with pytest.raises(TooMany, match="this channel has 3 open requests"):
                await opens(there, there.new_request(requester=given.CY), place_most=3)
            with pytest.raises(TooMany, match="ana has 2 open requests"):
                await opens(there, there.new_request(**eight(1)), most=2)
            await house.store.turn(here.voting(mine))
            await opens(there, there.new_request(**eight(1)), most=2, place_most=3)

    async def test_a_sheet_counts_what_waits_on_another_shard(self) -> None:
        """T18: all of its items or none, as on one shard."""
        async with self.open() as house:
            here, there = await owners(house)
            twin = await opens(here, here.new_request(call=numbered(1)))
            batch, items, copies = sheet_of(there, 3)
            before = await everything(house.store, there.shard)

            for caps, refusal in ((single(batch), Twin), (replace(batch, most=3), TooMany)):
                with pytest.raises(refusal, match=twin.id if refusal is Twin else "ana has 3"):
                    await house.store.open(there.fence, caps, items[0], copies, items[1:])

            assert await everything(house.store, there.shard) == before

    async def test_nothing_is_changed_into_what_waits_on_another_shard(self) -> None:
        """T18, I13: an edit opens a request as well."""
        async with self.open() as house:
            here, there = await owners(house)
            old, other = await opens(here, here.new_request()), await opens(there, there.new_request(**eight()))
            into_other = edited(here, old)
            assert into_other.opens is not None
            taken = replace(into_other, opens=replace(into_other.opens, call=other.call), is_single=True)
            before = await everything(house.store, here.shard)

            with pytest.raises(Twin, match=other.id):
                await house.store.turn(taken)

            assert await everything(house.store, here.shard) == before
            assert (await house.store.turn(replace(taken, is_single=False))).is_applied

    async def test_a_ladder_shows_nothing_more_in_a_channel_that_other_shards_fill(self) -> None:
        """T18: the channel is one, however many shards its requests are on."""
        async with self.open() as house:
            here, there = await owners(house)
            finance = replace(given.ask(), place="#finance")
            key = place_key(replace(given.PLACE, channel="finance", thread=None, is_direct=False))
            full = await opens(here, here.new_request(ask=finance), place_most=1)
            asked = await opens(there, there.new_request(**eight()))
            after = replace(asked, also=(key,), version=asked.version + 1)
            shown_too = Turn(after=after, effects=Effects(), adds=key, place_most=1, fence=there.fence)

            assert await house.store.turn(shown_too) == Turned(is_applied=False, is_full=True)
            await house.store.turn(here.voting(full))
            assert (await house.store.turn(shown_too)).is_applied

    async def test_an_opening_sent_again_counts_whatever_opened_elsewhere_since(self) -> None:
        """I12: its answer was lost, and then the same was opened on another shard; it is open, and says so."""
        async with self.open() as house:
            here, there = await owners(house)
            request = here.new_request()
            batch, copies = replace(single(here.opening(request)), most=1), (Copy(name="main"),)
            await house.store.open(here.fence, batch, request, copies)
            await there.asks()  # without a limit: as two that open at one moment

            assert await house.store.open(here.fence, batch, request, copies) == 1

    # --------------------------------------------------------------- sheets

    async def test_a_sheet_opens_whole(self) -> None:
        """I12, CD-05: every record, journal entry and timer in one step, and one only when it is repeated."""
        async with self.open() as house:
            owner = await house.owner()
            batch, items, copies = sheet_of(owner, 3)

            lengths = [await house.store.open(owner.fence, batch, items[0], copies, items[1:]) for _ in range(2)]

            assert lengths == [3, 3]
            held = [await house.store.held(item.id) for item in items]
            assert [one.request for one in held] == list(items)
            assert [one.copies for one in held] == [copies, (), ()]
            assert set((await loaded(house.store, owner.run)).asks) == {item.id for item in items}
            assert (await house.store.totals(owner.shard)).pending == 3
            for item in items:
                assert (await house.store.turn(owner.voting(item))).is_applied
            assert (await house.store.totals(owner.shard)).pending == 0

    @pytest.mark.parametrize("caps", [{"most": 2}, {"place_most": 2}], ids=["person", "channel"])
    async def test_a_sheet_without_room_for_all_opens_nothing(self, caps: dict[str, int]) -> None:
        async with self.open() as house:
            owner = await house.owner()
            batch, items, copies = sheet_of(owner, 3)
            before = await everything(house.store, owner.shard)

            with pytest.raises(TooMany):
                await house.store.open(owner.fence, replace(batch, **caps), items[0], copies, items[1:])

            assert await everything(house.store, owner.shard) == before
            assert (await loaded(house.store, owner.run)).asks == ()

    async def test_a_twin_among_its_items_opens_nothing(self) -> None:
        async with self.open() as house:
            owner = await house.owner()
            twin = await opens(owner, owner.new_request(call=numbered(1)))
            batch, items, copies = sheet_of(owner, 3)
            before = await everything(house.store, owner.shard)

            with pytest.raises(Twin, match=twin.id):
                await house.store.open(owner.fence, single(batch), items[0], copies, items[1:])

            assert await everything(house.store, owner.shard) == before

    async def test_copies_of_the_sheet_are_added_once_by_whichever_item(self) -> None:
        """I11: every item's ladder calls the same manager; the first copy stays, with the message it has by then."""
        async with self.open() as house:
            owner = await house.owner()
            batch, items, copies = sheet_of(owner, 3)
            await house.store.open(owner.fence, batch, items[0], copies, items[1:])
            called = Copy(name="dm-bo", to=given.BO)
            first = replace(items[1], version=2, rung=1)
            await house.store.turn(Turn(after=first, effects=Effects(), shared=(called,), fence=owner.fence))
            shown = replace(called, ref=given.vote().ref)
            await house.store.turn(Turn(after=replace(items[0], version=2), effects=Effects(), copies=(shown,)))

            second = replace(items[2], version=2, rung=1)
            await house.store.turn(Turn(after=second, effects=Effects(), shared=(called,), fence=owner.fence))

            assert (await house.store.held(items[0].id)).copies == (*copies, shown)
            assert (await house.store.lately(items[0].id)).copies == (*copies, shown)
            assert (await house.store.held(items[1].id)).copies == ()


async def owners(house: StoreHouse) -> tuple[Owner, Owner]:
    """Two runs of ana's, each on a shard of its own."""
    threads = (f"{number}.0" for number in itertools.count(1))
    here = await house.owner(next(threads))
    other = next(thread for thread in threads if shard_of(house.new_run(thread).id) != here.shard)
    return here, await house.owner(other)


def numbered(number: int) -> Any:
    return given.call({"order_id": str(number), "amount": 150})


def eight(more: int = 0) -> dict[str, Any]:
    return {"call": numbered(8 + more)}


def single(batch: Batch) -> Batch:
    return replace(batch, is_single=True)


async def opens(owner: Owner, request: Request, **caps: int) -> Request:
    """Put *request* to people, as the runtime does: never the same twice."""
    count = owner.count
    batch = replace(single(owner.opening(request)), **caps)
    try:
        await owner.store.open(owner.fence, batch, request, (Copy(name="main", place=request.place),))
    except (Twin, TooMany):
        owner.count = count
        raise
    return request


def sheet_of(owner: Owner, count: int) -> tuple[Batch, tuple[Request, ...], tuple[Copy, ...]]:
    asked = [owner.new_request(call=numbered(n), path=f"/9.{n}") for n in range(count)]
    items = bound(tuple(replace(one, id=RequestId(f"{one.id}s{n}")) for n, one in enumerate(asked)))
    entries = tuple(Opened(path=item.path, mark="use:refund", request=item.id) for item in items)
    return owner.batch(*entries), items, (Copy(name="main", place=items[0].place),)
