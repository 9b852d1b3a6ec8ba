"""One whole flow: a task, a risky call, a card, a click, one effect, and everybody sees the end."""

from __future__ import annotations

from tests.house import House


async def test_a_refund_runs_once_after_an_approver_signed_it(house: House) -> None:
    """CD-06, GN-03, GN-15: ana asks for 120, which an approver must sign; bo does."""
    await house.mention("ana", "refund 120 for order 1042, it arrived broken")
    await house.card()
    assert house.refunds == 0

    answer = await house.press("approve", by="bo")

    assert answer.text == "Approved. It runs now."
    await house.shows("Done")
    assert house.refunds == 1
    assert await house.is_sound()
