"""A house in this process, as the flow tests have it, for what needs no process of its own."""

from __future__ import annotations

import pytest

from tests.flows.conftest import brisk, build, hands  # noqa: F401  # fixtures, found by their names

MOST = 300  # seconds of a test: some start four processes, one after the other


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "examples":
            item.add_marker(pytest.mark.timeout(MOST))
