"""Garbage: nothing is collected while the bot starts; afterwards rarely, and never among what stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from bot.garbage import YOUNG, hold, settle


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    gc.enable()


def test_nothing_is_collected_until_the_bot_has_settled() -> None:
    hold()
    assert not gc.isenabled()

    settle()

    assert gc.isenabled()
    assert gc.get_threshold()[0] == YOUNG


def test_what_starting_left_behind_goes_and_what_stays_is_looked_at_no_more() -> None:
    hold()
    circle: list[object] = []
    circle.append(circle)
    kept, lost = {"kept": circle}, id(circle)
    del circle, kept  # only the circle itself names it now

    settle()

    assert lost not in {id(one) for one in gc.get_objects()}
    assert gc.get_freeze_count() > 10_000, "the imports"
