"""What every `Keep` promises: one claim wins, one taker gets it, and a value lives as long as it was told to."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest

from bot.domain.ports import Keep

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NAMES = ("slack:post:1f", "with spaces", "{0}:}{", "ünïcode ✓", "a" * 500, "*")


class KeepContract(ABC):
    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Keep]:
        """An empty keep."""

    @abstractmethod
    async def life(self, keep: Keep, name: str) -> timedelta | None:
        """How long *name* has still to live; None for ever. A test looks instead of waiting."""

    @pytest.mark.parametrize("name", NAMES)
    async def test_a_value_comes_back_as_it_was_put_under_any_name(self, name: str) -> None:
        async with self.open() as keep:
            for value in (b"xoxb-1", b"", bytes(range(256)) * 40):
                await keep.put(name, value)
                assert await keep.get(name) == value

    async def test_what_was_never_put_is_not_there(self) -> None:
        async with self.open() as keep:
            assert await keep.get("none") is None
            assert await keep.take("none") is None
            await keep.forget("none", "nor this")
            await keep.forget()

    async def test_names_are_read_letter_by_letter(self) -> None:
        """No patterns: forgetting a star forgets one name."""
        async with self.open() as keep:
            for name in NAMES:
                await keep.put(name, name.encode())
            await keep.forget("*")

            assert [await keep.get(name) for name in NAMES] == [*(name.encode() for name in NAMES[:-1]), None]

    async def test_the_first_claim_wins_and_the_next_hears_what_it_put(self) -> None:
        """I12: a post is claimed before it is made, so that it is made once."""
        async with self.open() as keep:
            assert await keep.claim("post", b"one", keep=DAY) is None
            assert await keep.claim("post", b"two", keep=DAY) == b"one"
            assert await keep.get("post") == b"one"

    async def test_a_lost_claim_does_not_make_the_first_live_longer(self) -> None:
        async with self.open() as keep:
            await keep.claim("post", b"one", keep=HOUR)
            await keep.claim("post", b"two", keep=DAY)

            assert (await self.life(keep, "post") or DAY) <= HOUR

    async def test_of_many_claims_at_once_exactly_one_wins(self) -> None:
        async with self.open() as keep:
            found = await asyncio.gather(*(keep.claim("post", b"%d" % n, keep=DAY) for n in range(50)))

            assert found.count(None) == 1
            winner = b"%d" % found.index(None)
            assert set(found) == {None, winner}

    async def test_of_many_takers_one_gets_it(self) -> None:
        """T11: a sign-in's state is used up by the first who brings it."""
        async with self.open() as keep:
            await keep.put("state", b"once", keep=HOUR)
            found = await asyncio.gather(*(keep.take("state") for _ in range(50)))

            assert sorted(found, key=bool, reverse=True) == [b"once", *[None] * 49]
            assert await keep.claim("state", b"anew", keep=DAY) is None

    async def test_several_are_forgotten_at_once_and_the_others_stay(self) -> None:
        async with self.open() as keep:
            for name in ("a", "b", "c"):
                await keep.put(name, b"x")
            await keep.forget("a", "c", "never there")

            assert [await keep.get(name) for name in ("a", "b", "c")] == [None, b"x", None]

    async def test_what_is_on_a_roll_is_seen_by_whoever_reads_it(self) -> None:
        """The roll, and one name of it: what is forgotten leaves, what is put again changes where it stands."""
        async with self.open() as keep:
            assert await keep.enrolled("roll") == {}
            for name in ("b", "a", "c"):
                await keep.enrol("roll", name, name.encode(), keep=HOUR, most=9)
            await keep.enrol("other", "a", b"theirs", keep=HOUR, most=9)
            await keep.put("roll:a", b"changed", keep=HOUR)
            await keep.forget("roll:c")

            assert await keep.enrolled("roll") == {"b": b"b", "a": b"changed"}
            assert await keep.get("roll:b") == b"b"

    async def test_a_roll_is_bounded_and_whose_time_ends_first_leaves_it(self) -> None:
        """T18: whoever is enrolled again counts as the latest."""
        async with self.open() as keep:
            for number, name in enumerate(("a", "b", "a", "c", "d")):
                await keep.enrol("roll", name, b"%d" % number, keep=HOUR + timedelta(minutes=number), most=3)

            assert list((await keep.enrolled("roll")).items()) == [("a", b"2"), ("c", b"3"), ("d", b"4")]

    async def test_a_name_on_a_roll_lives_as_long_as_it_was_told_to(self) -> None:
        async with self.open() as keep:
            await keep.enrol("roll", "a", b"x", keep=HOUR, most=3)

            assert HOUR - timedelta(minutes=1) < (await self.life(keep, "roll:a") or DAY) <= HOUR

    async def test_a_value_lives_as_long_as_it_was_told_to(self) -> None:
        """Its latest telling counts: a put without a time stays for ever."""
        async with self.open() as keep:
            await keep.claim("claimed", b"1", keep=DAY)
            await keep.put("put", b"1", keep=HOUR)
            await keep.put("for ever", b"1")

            assert DAY - timedelta(minutes=1) < (await self.life(keep, "claimed") or HOUR) <= DAY
            assert HOUR - timedelta(minutes=1) < (await self.life(keep, "put") or DAY) <= HOUR
            assert await self.life(keep, "for ever") is None
            await keep.put("put", b"2")
            assert await self.life(keep, "put") is None
