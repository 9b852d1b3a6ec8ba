"""What every `Store` promises about who is away: set and ended once, by the store's own clock, written down."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.absence import LONGEST, Absence
from bot.domain.audit import Entry, parse_line, verify_chain
from bot.domain.chat import PersonId
from bot.domain.errors import NotUnderstood
from bot.domain.wire import replace
from tests.contracts.given import HOUR, LEASE, MS, StoreHouse
from tests.contracts.store import StoreBase
from tests.domain import given


def gone(house: StoreHouse, person: PersonId = given.BO, **changes: object) -> Absence:
    absence = Absence(
        person=person, since=house.clock.at, until=house.clock.at + HOUR, deputy=given.CY, delivery=f"away-{person}"
    )
    return replace(absence, **changes)


async def told(house: StoreHouse) -> list[Entry]:
    """What the first shard's audit says, and that it is whole."""
    lines = await house.store.audit_lines(0, 0, -1)
    assert verify_chain(lines) == []
    return [parse_line(0, line) for line in lines]


async def hears(house: StoreHouse, after: timedelta) -> None:
    """Time passes, and this process hears it."""
    house.clock.tick(after)
    await house.store.beat("one", LEASE)


class AbsenceContract(StoreBase):
    async def test_an_absence_is_there_until_its_end(self) -> None:
        """Judged by the store's clock; taken out by whoever reads it first, with a record."""
        async with self.open() as house:
            absence = gone(house)
            assert await house.store.absences() == ()

            assert await house.store.leave(absence, answer="noted") == "noted"

            await hears(house, HOUR - timedelta(seconds=5))
            assert await house.store.absences() == (absence,)
            await hears(house, timedelta(seconds=5))
            assert await house.store.absences() == ()
            assert await house.store.absences() == ()
            ended = [entry.fields for entry in await told(house) if entry.event == "away_ended"]
            assert [(one["person"], one["cause"]) for one in ended] == [(given.BO, "deadline")]

    async def test_both_ends_are_written_down_with_what_happened(self) -> None:
        async with self.open() as house:
            absence = gone(house)
            await house.store.leave(absence, answer="noted")

            assert await house.store.come_back(given.BO, delivery="back", answer="welcome") == "welcome"

            assert await house.store.absences() == ()
            first, last = await told(house)
            assert (first.event, first.fields) == (
                "away_set",
                {
                    "person": given.BO,
                    "deputy": given.CY,
                    "until_ms": int(absence.until.timestamp() * 1000),
                    "delivery": absence.delivery,
                },
            )
            assert (last.event, last.fields) == (
                "away_ended",
                {"person": given.BO, "cause": "person", "delivery": "back"},
            )

    async def test_a_delivery_counts_once(self) -> None:
        """I10: the first answer stands, and what was said in between is not undone."""
        async with self.open() as house:
            first, second = gone(house, delivery="1"), gone(house, deputy=given.ANA, delivery="2")
            await house.store.leave(first, answer="one")
            await house.store.leave(second, answer="two")

            assert await house.store.leave(first, answer="other") == "one"
            assert await house.store.absences() == (second,)
            assert await house.store.come_back(given.BO, delivery="3", answer="three") == "three"
            await house.store.leave(gone(house, delivery="4"), answer="four")
            assert await house.store.come_back(given.BO, delivery="3", answer="other") == "three"
            assert len(await house.store.absences()) == 1
            assert [entry.event for entry in await told(house)] == ["away_set", "away_set", "away_ended", "away_set"]

    async def test_whoever_is_there_cannot_come_back(self) -> None:
        async with self.open() as house:
            await house.store.leave(gone(house, given.CY), answer="noted")

            assert await house.store.come_back(given.BO, delivery="d", answer="welcome") is None

            assert len(await house.store.absences()) == 1
            assert [entry.event for entry in await told(house)] == ["away_set"]

    async def test_people_are_away_each_by_themselves(self) -> None:
        async with self.open() as house:
            both = [gone(house, who) for who in (given.BO, given.CY)]
            for one in both:
                await house.store.leave(one, answer="noted")

            assert await house.store.absences() == tuple(both)
            await house.store.come_back(given.BO, delivery="d", answer="welcome")
            assert await house.store.absences() == (both[1],)

    @pytest.mark.parametrize("span", [timedelta(0), -HOUR, LONGEST + timedelta(seconds=1)])
    async def test_an_end_that_cannot_be_is_refused(self, span: timedelta) -> None:
        """Whoever asked may have believed a clock of their own."""
        async with self.open() as house:
            with pytest.raises(NotUnderstood):
                await house.store.leave(gone(house, until=house.clock.at + span), answer="noted")

            assert await told(house) == []
            await house.store.leave(gone(house, until=house.clock.at + LONGEST), answer="noted")
            await house.store.leave(gone(house, until=house.clock.at + MS, delivery="2"), answer="noted")
