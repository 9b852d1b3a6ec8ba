"""Publishing: one text under a name, every version kept, once per key."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from agents.toolbox import FunctionTool, tool
from agents.tools.publishing import Press, publishing_tools
from bot.domain.errors import InvalidArguments
from tests.agents.given import call_of, run


@pytest.fixture
def publish(tmp_path: Path) -> FunctionTool:
    (found,) = publishing_tools(Press(tmp_path))
    assert isinstance(found, FunctionTool)
    return found


def kept(folder: Path, name: str) -> list[str]:
    return [path.read_text() for path in sorted((folder / f"{name}.history").iterdir())]


async def test_the_newest_version_stands_there_and_every_one_is_kept(publish: FunctionTool, tmp_path: Path) -> None:
    """ST-07."""
    for number, text in enumerate(("one", "two", "one"), 1):
        result = await run(publish, {"name": "news", "text": text}, key=f"k{number}")
        assert json.loads(result.text)["version"] == number

    assert (tmp_path / "news.md").read_text() == "one"
    assert kept(tmp_path, "news") == ["one", "two", "one"]


async def test_the_same_key_publishes_once(publish: FunctionTool, tmp_path: Path) -> None:
    """I2: started again after a crash, even when a later version stands there already."""
    first = await run(publish, {"name": "news", "text": "one"}, key="k1")
    await run(publish, {"name": "news", "text": "two"}, key="k2")

    again = await run(publish, {"name": "news", "text": "one"}, key="k1")

    assert again == first
    assert (tmp_path / "news.md").read_text() == "two"
    assert kept(tmp_path, "news") == ["one", "two"]


async def test_a_crash_between_history_and_front_page_is_mended_by_the_next_start(
    publish: FunctionTool, tmp_path: Path
) -> None:
    await run(publish, {"name": "news", "text": "one"}, key="k1")
    (tmp_path / "news.md").unlink()

    await run(publish, {"name": "news", "text": "one"}, key="k1")

    assert (tmp_path / "news.md").read_text() == "one"


async def test_many_at_once_get_numbers_of_their_own(publish: FunctionTool, tmp_path: Path) -> None:
    await asyncio.gather(*(run(publish, {"name": "news", "text": f"{n}"}, key=f"k{n}") for n in range(8)))

    numbers = sorted(path.name[:4] for path in (tmp_path / "news.history").iterdir())
    assert numbers == [f"{n:04d}" for n in range(1, 9)]


async def test_people_see_what_is_different_from_what_stands_there(publish: FunctionTool) -> None:
    (first,) = await publish.preview(call_of(publish, {"name": "news", "text": "a\nb"}))
    await run(publish, {"name": "news", "text": "a\nb"})
    (second,) = await publish.preview(call_of(publish, {"name": "news", "text": "a\nc"}))

    assert first.text == "Nothing: this would be its first version."
    assert second.text == "  a\n- b\n+ c"


@pytest.mark.parametrize("name", ["", "../x", "a/b", "News", "a.b", "-a", "x" * 61])
def test_a_name_is_never_a_path(publish: FunctionTool, name: str) -> None:
    with pytest.raises(InvalidArguments):
        publish.check({"name": name, "text": "x"})


def test_what_must_be_accepted_is_an_argument() -> None:
    with pytest.raises(TypeError, match="cannot be what people accepted"):

        @tool(accepted="body")
        def send(text: str) -> str:
            """Send."""
            return text
