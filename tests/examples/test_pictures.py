"""Every example as a newcomer sees it on the local page: from a line that anybody can type to the card it leads to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.scenes import SCENES, WITH_DATABASE
from tests.examples.shop import closed_shop, opened_shop
from tests.playground.browser import chromium, executable
from tests.playground.slim import slimmed
from tests.playground.story import EXAMPLE, bot, show
from tests.postgres import Server

pytestmark = pytest.mark.skipif(executable() is None, reason="Chromium is not installed (apt install chromium)")
MOST = 150_000  # bytes of a picture


@pytest.mark.parametrize("name", SCENES)
async def test_a_newcomer_plays_the_example_on_the_local_page(name: str, tmp_path: Path) -> None:
    """CD-04: real bot, real browser, the rehearsal over HTTP; its picture is small enough for its page."""
    async with bot(tmp_path / "var") as app, chromium() as browser:
        await show(browser, app, EXAMPLE + name, tmp_path)
        await slimmed(browser, [tmp_path / f"{EXAMPLE}{name}.png"])

    assert (tmp_path / f"{EXAMPLE}{name}.png").stat().st_size <= MOST


@pytest.mark.parametrize("name", WITH_DATABASE)
async def test_a_newcomer_with_a_database_plays_the_example_on_the_local_page(
    name: str, tmp_path: Path, postgres_server: Server
) -> None:
    """CD-04, AU-20: the same on a real PostgreSQL, made by the file that the example's page names."""
    async with bot(tmp_path / "var", opened_shop(postgres_server)) as app, chromium() as browser:
        await show(browser, app, EXAMPLE + name, tmp_path)
        await slimmed(browser, [tmp_path / f"{EXAMPLE}{name}.png"])

    closed_shop(postgres_server)
    assert (tmp_path / f"{EXAMPLE}{name}.png").stat().st_size <= MOST
