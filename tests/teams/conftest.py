"""A Teams with people in it and a whole bot, for the tests named test_whole_*."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from tests.flows.stage import Hands
from tests.teams.whole import Build, NoHurry, Replica, Site, a_site


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """People need a pace between pictures of one message, and Teams one between calls; tests do not."""
    monkeypatch.setattr("bot.runtime.outbox.UPDATE_EVERY", 0.0)
    monkeypatch.setattr("bot.runtime.outbox.BACK_OFF", (0.01,))
    monkeypatch.setattr("adapters.teams.office.Pace", NoHurry)
    monkeypatch.setattr("adapters.teams.once.SETTLE", 0.01)


@pytest.fixture
async def site(brisk: None) -> AsyncIterator[Site]:  # noqa: ARG001  # it holds while the site is open
    async with a_site() as site:
        yield site


@pytest.fixture
def build(site: Site, redis_url: str, namespace: str, tmp_path: Path) -> Build:
    return partial(Replica, site, redis_url, namespace, tmp_path)


@pytest.fixture
async def bot(build: Build) -> AsyncIterator[Replica]:
    async with build() as bot:
        yield bot


@pytest.fixture
def hands() -> Hands:
    return Hands()
