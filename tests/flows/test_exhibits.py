"""Exhibits: files that a tool shows people are posted in the task's thread when the call has ended, exactly once."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from agents.toolbox import Shown, tool
from bot.domain.calls import Risk
from bot.domain.chat import Card, Place
from bot.domain.errors import ChatUnavailable
from bot.domain.ports import Leave, Tool
from bot.domain.run import Finished
from bot.runtime import exhibits
from tests.fakes.chat import Posted
from tests.flows.stage import Build, Played, call, calls, policy, quiet, run_of, settled
from tests.house import House

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\xffpixels" * 200
DRAW = calls(call("draw", what="sales"))


@tool(risk=Risk.READ)
def draw(what: str, leave: Leave) -> object:  # noqa: ARG001  # a tool as any other
    """Draw a chart."""
    return Shown(f"a chart of {what}", files=[(f"{what}.png", PNG), ("rows.csv", b"a,b\n1,2\n")])


@tool(risk=Risk.IRREVERSIBLE)
def publish(what: str, leave: Leave) -> object:  # noqa: ARG001
    """Publish a chart."""
    return Shown(f"published {what}", files=[(f"{what}.png", PNG)])


TOOLS: tuple[Tool, ...] = (draw, publish)


def away(_what: str, card: Card, _place: Place) -> None:
    """A chat that takes no files just now."""
    if card.attachments:
        raise ChatUnavailable("playground", "down", retry_after=0.01)


def shown_in(house: House) -> list[Posted]:
    return [post for post in house.chat.posts if post.card.attachments and post.key.endswith("/files")]


async def test_a_picture_from_a_tool_is_posted_in_the_thread_and_the_model_reads_its_name(build: Build) -> None:
    """What a tool draws is looked at by people; the journal keeps name, size and digest, never the bytes."""
    model = Played(DRAW)
    async with build(policy=policy(), tools=TOOLS, model=model) as house:
        thread = await house.mention("ana", "draw the sales")
        run = await run_of(house, thread)
        assert await settled(house)

        (post,) = shown_in(house)
        assert post.place.thread == thread
        assert [(file.name, file.content) for file in post.card.attachments] == [
            ("sales.png", PNG),
            ("rows.csv", b"a,b\n1,2\n"),
        ]
        assert post.card.body == "draw shows sales.png, rows.csv."
        assert f"(shown to people: sales.png, {len(PNG):,} bytes; rows.csv, 8 bytes)" in model.read
        loaded = await house.store.load(run)
        assert loaded is not None
        (end,) = [entry.result for entry in loaded.entries if isinstance(entry, Finished)]
        named = [(file.name, file.size, file.sha256, file.content) for file in end.files]
        assert named[0] == ("sales.png", len(PNG), hashlib.sha256(PNG).hexdigest(), b"")


async def test_a_signed_call_shows_its_files_beside_its_card(build: Build) -> None:
    """The outcome on the card names them; the picture itself is a message of its own."""
    async with build(policy=policy(), tools=TOOLS, model=Played(calls(call("publish", what="sales")))) as house:
        await house.mention("ana", "publish the sales")
        card = await house.card()
        assert shown_in(house) == []  # nothing before somebody signed

        await house.press("approve", by="bo", card=card)
        assert await settled(house)

        assert [file.name for post in shown_in(house) for file in post.card.attachments] == ["sales.png"]
        assert any("sales.png" in block.text for block in card.card.blocks)


async def test_files_outlive_a_process_that_could_not_post_them(build: Build) -> None:
    """The chat is away when the call ends, and the process goes: the next one posts the same bytes, once."""
    async with build(policy=policy(), tools=TOOLS, model=Played(DRAW)) as first:
        first.chat.fail = away
        thread = await first.mention("ana", "draw the sales")
        await run_of(first, thread)
        while (await first.store.totals(0)).outbox == 0 or not await _has_note(first):
            pass
        assert shown_in(first) == []
    first.chat.fail = lambda _what, _card, _place: None

    async with first.again() as second:
        await quiet(second)

        (post,) = shown_in(second)
        assert post.card.attachments[0].content == PNG
        assert await settled(second)


async def _has_note(house: House) -> bool:
    return any(row.name.endswith("/files") for row in await house.store.rows(0))


async def test_posted_files_are_forgotten_by_the_store(build: Build) -> None:
    """Megabytes are kept for as long as nobody has seen them, not longer."""
    async with build(policy=policy(), tools=TOOLS, model=Played(DRAW)) as house:
        await house.mention("ana", "draw the sales")
        assert await settled(house)
        (post,) = shown_in(house)

        while await house.store.keep().get(f"exhibit:{post.key}:0") is not None:
            pass
        assert await house.store.keep().get(f"exhibit:{post.key}:1") is None


async def test_a_file_that_is_gone_is_said_to_be(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept longer than a platform is ever away is gone; the message comes all the same and says so."""
    monkeypatch.setattr(exhibits, "KEPT", timedelta(milliseconds=1))
    async with build(policy=policy(), tools=TOOLS, model=Played(DRAW)) as house:
        house.chat.fail = away  # until the files are gone
        await house.mention("ana", "draw the sales")
        await house.shows("sales.png is not kept any more.")
        assert await settled(house)
