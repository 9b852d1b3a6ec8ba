from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.house import House


@pytest.fixture
async def house(redis_url: str, namespace: str, tmp_path: Path) -> AsyncIterator[House]:
    async with House(redis_url, namespace, tmp_path) as house:
        yield house
