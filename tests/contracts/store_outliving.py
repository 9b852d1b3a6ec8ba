"""What every `Store` promises about a request that outlives its run: opened beside a signature, answered long after."""

from __future__ import annotations

from datetime import timedelta

from bot.domain import events, glass
from bot.domain.request import Copy, Move, Request, RequestId, Right, Status, vote
from bot.domain.run import RunStatus
from bot.domain.store import Effects, Turn
from bot.domain.verdict import Glass, Need
from bot.domain.wire import replace
from tests.contracts.given import NOTHING, Owner, decided
from tests.contracts.store import StoreBase, ends, everything, loaded
from tests.domain import given

GLASS = Glass(of="oncall", review="managers", within=timedelta(hours=24))


class OutlivingContract(StoreBase):
    async def test_a_signature_and_the_review_it_needs_are_one_step(self) -> None:
        """I4, I13: both or neither; the run hears of the signature, and knows of no new question."""
        async with self.open() as house:
            owner = await house.owner()
            turn = await breaking(owner)
            assert turn.opens is not None

            assert (await house.store.turn(turn)).is_applied
            written = await everything(house.store, owner.shard)
            assert (await house.store.turn(turn)).repeat == turn.answer
            assert await everything(house.store, owner.shard) == written

            assert (await house.store.held(turn.after.id)).request.status is Status.APPROVED
            held = await house.store.held(turn.opens.id)
            assert (held.request, [copy.name for copy in held.copies]) == (turn.opens, ["main"])
            found = await loaded(house.store, owner.run)
            assert (found.asks, found.entries[1:]) == ((), decided(turn.after))
            assert await house.store.open_requests(owner.shard) == (turn.opens.id,)

    async def test_it_is_answered_when_its_run_has_ended_and_tells_it_nothing(self) -> None:
        """I12: stopped, ended, forgotten: the answer counts, and nothing of the run comes back."""
        async with self.open() as house:
            owner = await house.owner()
            review = await broken(owner)
            await house.store.stop(owner.run.id, delivery="d", told="by Ana", effects=NOTHING)
            await owner.append(status=RunStatus.STOPPED)
            before = await loaded(house.store, owner.run)

            answered = owner.voting(review, given.CY, Move.ANSWER, entries=())
            assert (await house.store.turn(answered)).is_applied
            assert not (await house.store.turn(owner.voting(review, given.ANA, Move.ANSWER, entries=()))).is_applied

            assert (await house.store.held(review.id)).request.status is Status.ANSWERED
            assert await house.store.open_requests(owner.shard) == ()
            after = await loaded(house.store, owner.run)
            assert (after.entries, after.mail) == (before.entries, before.mail)
            assert await house.store.mailbox(owner.shard) == ()

    async def test_it_counts_as_nobodys_open_request(self) -> None:
        """T18: whoever gave the task may have as many open requests as before."""
        async with self.open() as house:
            owner = await house.owner()
            await broken(owner)
            request = owner.new_request()

            opening = replace(owner.opening(request), most=1)
            await house.store.open(owner.fence, opening, request, (Copy(name="main", place=request.place),))

            assert request.id in await house.store.open_requests(owner.shard)

    async def test_it_is_not_forgotten_before_it_is_answered(self) -> None:
        """CD-05: a year after the end of its run it can still be read and answered."""
        async with self.open() as house:
            owner = await house.owner()
            review = await broken(owner)
            await ends(owner)
            house.clock.tick(timedelta(days=365))

            assert (await house.store.held(review.id)).request.is_open
            assert (await house.store.turn(owner.voting(review, given.CY, Move.ANSWER, entries=()))).is_applied


async def breaking(owner: Owner) -> Turn:
    """The turn that breaks the glass of a new request and opens its review."""
    request = await owner.asks(ask=given.ask(Need(of="finance", need=2), break_glass=GLASS))
    broke = given.vote(
        given.BO, Move.BREAK_GLASS, right=Right.GLASS, seats=(), reason="it burns", at=owner.house.clock.at
    )
    after = vote(request, broke)
    review = glass.aftermath(after, given.spec(), id=RequestId(f"q-{owner.shard}-review-{request.id}"), breaker="Bo")
    audit = (events.vote_counted(after, broke), events.request_opened(review), events.request_decided(after))
    return Turn(
        after=after,
        opens=review,
        copies=(Copy(name="main", place=review.place),),
        delivery=f"click-{request.id}",
        answer="broken",
        entries=decided(after),
        effects=Effects(audit=audit, dirty=(f"card|{review.id}|main",)),
    )


async def broken(owner: Owner) -> Request:
    turn = await breaking(owner)
    assert (await owner.store.turn(turn)).is_applied
    assert turn.opens is not None
    return turn.opens
