from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.flows.stage import Build, Hands
from tests.house import House


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """People need a pace between updates of one message; tests do not."""
    monkeypatch.setattr("bot.runtime.outbox.UPDATE_EVERY", 0.0)


@pytest.fixture
def build(redis_url: str, namespace: str, tmp_path: Path) -> Build:
    return functools.partial(House, redis_url, namespace, tmp_path)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
async def house(build: Build) -> AsyncIterator[House]:
    async with build() as house:
        yield house
