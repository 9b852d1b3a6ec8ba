"""What every `Store` promises about letters: who takes a run over, takes it before whatever begins after that."""

from __future__ import annotations

import pytest

from bot.domain.errors import Overtaken, Unheard
from bot.domain.letters import GaveBack, Took
from bot.domain.request import Kind, Move, Status
from bot.domain.wire import replace
from tests.contracts.given import NOTHING, letter
from tests.contracts.store import StoreBase, everything, loaded
from tests.domain import given

TOOK = Took(by=given.BO)


class LetterContract(StoreBase):
    async def test_a_letter_written_in_knowledge_of_all_others_is_refused_when_one_more_came(self) -> None:
        """Of two who take a run over at once, one does; the other one looks again."""
        async with self.open() as house:
            owner = await house.owner()
            assert await house.store.tell(owner.run.id, TOOK, delivery="d1", effects=NOTHING, known=0)
            before = await everything(house.store, owner.shard)

            with pytest.raises(Unheard):
                await house.store.tell(owner.run.id, Took(by=given.CY), delivery="d2", effects=NOTHING, known=0)

            assert await everything(house.store, owner.shard) == before
            assert not await house.store.tell(owner.run.id, TOOK, delivery="d1", effects=NOTHING, known=0)
            back = GaveBack(by=given.BO, text="go on")
            assert await house.store.tell(owner.run.id, back, delivery="d2", effects=NOTHING, known=1)
            assert (await loaded(house.store, owner.run)).letters == (TOOK, back)

    async def test_no_call_starts_past_a_letter_its_owner_has_not_seen(self) -> None:
        """AS-37: approved, but taken over before it began; once the letter is known, its owner decides."""
        async with self.open() as house:
            owner = await house.owner()
            start, after = owner.starting(await owner.approved())
            await house.store.tell(owner.run.id, TOOK, delivery="d1", effects=NOTHING)
            before = await everything(house.store, owner.shard)

            with pytest.raises(Unheard):
                await house.store.spend(owner.fence, replace(start, known=0), after)

            assert await everything(house.store, owner.shard) == before
            assert (await house.store.held(after.id)).request.status is Status.APPROVED
            await house.store.spend(owner.fence, replace(start, known=1), after)

    async def test_what_was_asked_for_before_a_takeover_is_not_spent_after_it(self) -> None:
        """AS-37, T16: by the order of letters and requests, by no clock; what is asked for after it can be spent."""
        async with self.open() as house:
            owner = await house.owner()
            start, after = owner.starting(await owner.approved())
            await house.store.tell(owner.run.id, TOOK, delivery="d1", effects=NOTHING)
            await house.store.tell(owner.run.id, GaveBack(by=given.BO), delivery="d2", effects=NOTHING)
            before = await everything(house.store, owner.shard)

            with pytest.raises(Overtaken):
                await house.store.spend(owner.fence, replace(start, known=2, took=1), after)

            assert await everything(house.store, owner.shard) == before
            owner.count -= len(start.entries)  # it was not written
            newer = owner.starting(await owner.approved())
            await house.store.spend(owner.fence, replace(newer[0], known=2, took=1), newer[1])

    async def test_an_edited_call_is_as_old_as_the_one_whose_place_it_took(self) -> None:
        """AS-37, T16: sent after a takeover that no process saw, it begins nothing either."""
        async with self.open() as house:
            owner = await house.owner()
            old, new = await owner.asks(), owner.new_request()
            await house.store.tell(owner.run.id, TOOK, delivery="d1", effects=NOTHING)
            closing = owner.closing(old, Move.SUPERSEDE, opens=new, is_expiry=False)
            assert (await house.store.turn(closing)).is_applied
            assert (await house.store.turn(owner.voting(new))).is_applied
            start, after = owner.starting((await house.store.held(new.id)).request)

            with pytest.raises(Overtaken):
                await house.store.spend(owner.fence, replace(start, known=1, took=1), after)

    async def test_what_people_say_of_a_call_in_doubt_counts_from_when_they_said_it(self) -> None:
        """I2, AS-37: a takeover leaves it open, and whoever answers it afterwards knows what was done by hand."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks(kind=Kind.RECOVERY)
            await house.store.tell(owner.run.id, TOOK, delivery="d1", effects=NOTHING)
            assert (await house.store.turn(owner.voting(request))).is_applied
            start, after = owner.starting((await house.store.held(request.id)).request)

            await house.store.spend(owner.fence, replace(start, known=1, took=1), after)

    async def test_an_answer_and_the_letter_it_brings_are_one_step(self) -> None:
        """GN-11: whoever takes an escalation has the run; nobody finds one without the other."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks(kind=Kind.ESCALATION)
            mail = (await loaded(house.store, owner.run)).mail
            turn = replace(owner.voting(request, move=Move.ANSWER), letter=TOOK, known=0)

            assert (await house.store.turn(turn)).is_applied
            assert (await house.store.turn(turn)).repeat == turn.answer

            found = await loaded(house.store, owner.run)
            assert (found.letters, found.mail, len(found.entries)) == ((TOOK,), mail + 1, 2)

    async def test_an_answer_that_brings_a_letter_is_not_applied_past_another_letter(self) -> None:
        """Somebody else took the run in that moment: nothing is answered, nothing is taken."""
        async with self.open() as house:
            owner = await house.owner()
            request = await owner.asks(kind=Kind.ESCALATION)
            await house.store.tell(owner.run.id, letter(), delivery="d", effects=NOTHING)
            before = await everything(house.store, owner.shard)

            turned = await house.store.turn(replace(owner.voting(request, move=Move.ANSWER), letter=TOOK, known=0))

            assert not turned.is_applied
            assert await everything(house.store, owner.shard) == before
