"""What a server answered, as a result: bounded, named, with no secret in it."""

from __future__ import annotations

import base64

import pytest
from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

from agents.mcp import output
from agents.toolbox import MOST_RESULT
from bot.domain.calls import Outcome
from tests.agents.mcp.given import CANARY

JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 9


def text(said: str) -> TextContent:
    return TextContent(text=said)


def packed(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_texts_are_joined_and_cut_where_a_model_has_enough() -> None:
    """T18: and it is said how much there was."""
    whole = output.result(CallToolResult(content=[text("a"), text("b")]))
    long = output.result(CallToolResult(content=[text("é" * MOST_RESULT)]))
    many = output.result(CallToolResult(content=[text("x")] * 1_000))

    assert whole.text == "a\nb"
    assert long.text.endswith(f"… cut: {2 * MOST_RESULT} bytes in all")
    assert len(long.text.encode()) < MOST_RESULT + 100
    assert many.text.endswith("(and 800 more parts)")
    assert output.result(CallToolResult(content=[])).text == output.NOTHING


PARTS: list[tuple[ContentBlock, str]] = [
    (AudioContent(data=packed(b"123456"), mime_type="audio/wav"), "(a sound, audio/wav, 6 bytes)"),
    (ImageContent(data=packed(b"GIF8"), mime_type="image/gif"), "(a picture, image/gif, 6 bytes, which is not shown)"),
    (ImageContent(data="not base64", mime_type="image/png"), "(a picture, image/png, 7 bytes, which is not shown)"),
    (
        EmbeddedResource(resource=BlobResourceContents(uri="file:///x", blob=packed(b"123"))),
        "(a file, file:///x, 3 bytes)",
    ),
    (EmbeddedResource(resource=TextResourceContents(uri="file:///x", text="hi")), "(file:///x)\nhi"),
]


@pytest.mark.parametrize(("part", "told"), PARTS)
def test_what_is_no_text_is_named(part: ContentBlock, told: str) -> None:
    """Nothing of it is fetched, and nothing of it is left out without a word."""
    assert output.result(CallToolResult(content=[part])).text == told


def test_a_picture_is_a_file_for_people_and_a_name_for_the_model() -> None:
    """Its bytes are not in the text."""
    result = output.result(CallToolResult(content=[ImageContent(data=packed(JPEG), mime_type="image/jpeg")]))

    assert [(file.name, file.content) for file in result.files] == [("picture-1.jpg", JPEG)]
    assert result.text == "(shown to people: picture-1.jpg, 13 bytes)"


def test_structured_content_is_said_once() -> None:
    """Servers repeat it as text, as the protocol asks them to."""
    twice = CallToolResult(content=[text('{"rows": 3}')], structured_content={"rows": 3})
    beside = CallToolResult(content=[text("three")], structured_content={"rows": 3})

    assert output.result(twice).text == '{"rows": 3}'
    assert output.result(beside).text == 'three\n{"rows":3}'


def test_a_secret_that_comes_back_is_blotted_out() -> None:
    """T20: in an answer, in an error, and in the text of a link."""
    result = output.result(CallToolResult(content=[text(f"key={CANARY}")], is_error=True), (CANARY,))

    assert (result.outcome, result.text) == (Outcome.ERROR, "key=•••")
    assert output.line(f"{CANARY} is wrong", (CANARY,)) == "••• is wrong"


def test_structured_content_that_cannot_be_written_is_said_to_be() -> None:
    """T28: a number of 5,000 digits is JSON to whoever sends it, and no number to us."""
    answer = output.result(CallToolResult(content=[], structured_content={"n": 10**5_000}))

    assert (answer.outcome, answer.text) == (Outcome.OK, "(structured content that is no JSON)")


def test_no_part_of_a_secret_is_left() -> None:
    """T20: not of one that begins as another does, nor of one that stands where a line is cut."""
    both = (CANARY, f"{CANARY}-and-more")

    assert output.result(CallToolResult(content=[text(both[1])]), both).text == "•••"
    assert CANARY[:4] not in output.line(" " * (4 * output.LINE_MOST - 8) + CANARY, (CANARY,))
