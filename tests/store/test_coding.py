"""How records travel: a copy that stands at home says so in one word."""

from __future__ import annotations

import pytest

from bot.domain.chat import MessageRef, Place
from bot.domain.errors import BadRecord
from bot.domain.request import Copy
from bot.domain.wire import pack
from bot.store.coding import copy_text, read_copy
from tests.domain.given import BO, CY

HOME = Place(platform="slack", tenant="T1", channel="C1", thread="1.0")
AWAY = Place(platform="teams", tenant="t", channel="19:x", thread="2.0")
COPIES = {
    "at home": Copy(name="main", ref=MessageRef(place=HOME, id="1.1")),
    "elsewhere": Copy(name="also-ops", ref=MessageRef(place=AWAY, id="2.1")),
    "not posted": Copy(name="main", place=HOME),
    "a direct message": Copy(name="dm-bo", to=BO, is_manager=True, instead_of=CY),
    "a manager's, at home": Copy(name="dm-bo", to=BO, is_manager=True, ref=MessageRef(place=HOME, id="1.2")),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_comes_back_as_it_was_kept(copy: Copy) -> None:
    """CD-07: a card that cannot be found again would keep its buttons."""
    assert read_copy(copy_text(copy, HOME).encode(), HOME) == copy
    assert read_copy(copy_text(copy, None).encode(), HOME) == copy


def test_a_copy_that_an_older_program_kept_is_still_found() -> None:
    copy = COPIES["at home"]

    assert read_copy(b"1" + pack(copy)[1:], HOME) == copy


def test_a_copy_at_home_does_not_repeat_where_that_is() -> None:
    assert copy_text(COPIES["at home"], HOME) == '2{"name":"main","at":"1.1"}'


def test_a_copy_that_is_no_record_is_refused() -> None:
    """T23: bytes in Redis are data."""
    with pytest.raises(BadRecord):
        read_copy(b'2{"at":"1.1"}', HOME)
