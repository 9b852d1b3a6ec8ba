"""A script that a model wrote, from its first word to its result: on a card, whole, signed, run once, in a box."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agents.tools.box import Box, Boxes
from agents.tools.code import Workshop, code_tools
from bot.domain.ports import Said
from bot.domain.render import DETAILS
from bot.domain.wire import Json
from tests.flows.stage import Build, Played, call, calls, quiet, settled
from tests.house import House

SCRIPT = "\n".join([*(f"# step {at}" for at in range(200)), "open('made.txt', 'a').write('x')", "print('the end')"])


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "notes.txt").write_text("one\n")
    return tmp_path / "work"


def house_of(make: Build, work: Path, *turns: Said) -> House:
    """With the shipped policy; in whatever box this host makes, or none."""
    return make(tools=code_tools(Workshop(Boxes(Box(folder=work, may_be_none=True)))), model=Played(*turns))


async def test_a_script_waits_for_a_signature_and_is_read_whole_before_it(build: Build, work: Path) -> None:
    """AU-15, D-33, D-34, AU-03: a card, nothing run before; its last line can be read; then it runs once."""
    files: Json = {"notes.txt": "two\n"}
    async with house_of(build, work, calls(call("run_code", script=SCRIPT, files=files))) as house:
        await house.mention("ana", "tidy the notes")
        post = await house.card()

        told = "\n".join(f"{block.label} {block.text}" for block in post.card.blocks)
        assert f"folder: {work}" in told
        assert "- one\n+ two" in told
        hasty = await house.press("approve", by="bo", is_careful=False)
        read = (await house.press(DETAILS, by="bo")).details
        assert (hasty.is_taken, read is not None) == (False, True)
        assert read is not None
        assert "print('the end')" in "\n".join(block.text for block in read.blocks)
        assert os.listdir(work) == ["notes.txt"]

        await house.press("approve", by="bo")
        assert await settled(house)

    assert (work / "made.txt").read_text() == "x"
    assert (work / "notes.txt").read_text() == "two\n"


async def test_a_rejected_script_leaves_no_trace(build: Build, work: Path) -> None:
    """AU-15, AS-03: neither it nor the files beside it."""
    async with house_of(build, work, calls(call("run_code", script=SCRIPT, files={"new.txt": "n"}))) as house:
        await house.mention("ana", "tidy the notes")
        await house.card()
        await house.press("reject", by="bo", fields={"reason": "not on a Friday"})
        await quiet(house)

    assert os.listdir(work) == ["notes.txt"]
