"""The whole story on the real bot in a real browser: nothing behind the page is a stand-in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.playground.browser import executable
from tests.playground.story import bot, tell

pytestmark = pytest.mark.skipif(executable() is None, reason="Chromium is not installed (apt install chromium)")


async def test_a_refund_is_asked_for_changed_signed_and_done_before_everybodys_eyes(tmp_path: Path) -> None:
    """CD-04, CD-07, AS-29: Ana asks, Bo changes it, Chris signs; timeline and audit tell who did what."""
    async with bot(tmp_path / "var") as app:
        await tell(app, tmp_path / "pictures")
