"""Every example as a newcomer sees it on the local page: from a line that anybody can type to the card it leads to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.scenes import SCENES
from tests.playground.browser import chromium, executable
from tests.playground.slim import slimmed
from tests.playground.story import EXAMPLE, bot, show

pytestmark = pytest.mark.skipif(executable() is None, reason="Chromium is not installed (apt install chromium)")
MOST = 150_000  # bytes of a picture


@pytest.mark.parametrize("name", SCENES)
async def test_a_newcomer_plays_the_example_on_the_local_page(name: str, tmp_path: Path) -> None:
    """CD-04: real bot, real browser, the rehearsal over HTTP; its picture is small enough for its page."""
    async with bot(tmp_path / "var") as app, chromium() as browser:
        await show(browser, app, EXAMPLE + name, tmp_path)
        await slimmed(browser, [tmp_path / f"{EXAMPLE}{name}.png"])

    assert (tmp_path / f"{EXAMPLE}{name}.png").stat().st_size <= MOST
