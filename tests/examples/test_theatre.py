"""The stage on which the examples are tested."""

from __future__ import annotations

from pathlib import Path

from tests.examples.theatre import a_theatre


async def test_a_refund_outlives_the_process_that_asked_for_it(tmp_path: Path) -> None:
    """CD-05, PP-01: the shipped agent; killed while it waits, signed afterwards, paid once."""
    async with a_theatre(tmp_path) as theatre:
        thread = await theatre.site.asks("ana", "refund 120 for order 1042, it arrived broken")
        card = await theatre.card("Approve", saying="refund")

        await theatre.dies()
        assert await theatre.presses("bo", "Approve", card) == "Approved. It runs now."

        await theatre.hears("Done: refund", thread)
        assert theatre.refunds() == 1
        assert await theatre.verify()
