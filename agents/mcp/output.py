"""What a server answered, as a result of ours: data, bounded, never fetched further.

text -> text · picture -> a file for people · structured content -> JSON · link -> its address, as text · error -> ERROR

Secrets that the server was given are blotted out, should it repeat one. Not what people see of it (cards).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Final, assert_never

from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
)

from agents.shown import File, Shown
from agents.toolbox import MOST_RESULT
from bot.domain.calls import Outcome, ToolResult, canonical
from bot.domain.errors import BadJson

PARTS_MOST: Final = 200  # of one answer
SECRET_LEAST: Final = 6  # characters; a shorter one would blot out half of every text
PICTURES: Final = {"image/png": ("png", b"\x89PNG\r\n\x1a\n"), "image/jpeg": ("jpg", b"\xff\xd8\xff")}
LINE_MOST: Final = 500  # characters of an address or a name
NOTHING: Final = "(The tool said nothing.)"


def result(answer: CallToolResult, secrets: Sequence[str] = ()) -> ToolResult:
    """What the model reads and people are shown."""

    def redact(text: str) -> str:
        return blotted(text, secrets)

    files = tuple(_pictures(answer.content[:PARTS_MOST]))
    shown = Shown(None, files=files).taken(redact)
    text = "\n".join(part for part in (*_texts(answer), *shown.told) if part)
    outcome = Outcome.ERROR if answer.is_error else Outcome.OK
    return ToolResult(outcome=outcome, text=_bounded(redact(text)) or NOTHING, files=shown.files)


def blotted(text: str, secrets: Sequence[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):  # else a part of the longer one would stay
        if len(secret) >= SECRET_LEAST:
            text = text.replace(secret, "•••")
    return text


def line(text: str, secrets: Sequence[str] = ()) -> str:
    """Foreign text on one short line."""
    clean = " ".join(blotted(text, secrets)[: 4 * LINE_MOST].encode("utf-8", "replace").decode().split())
    return clean if len(clean) <= LINE_MOST else f"{clean[:LINE_MOST]}…"


def _texts(answer: CallToolResult) -> Iterator[str]:
    for part in answer.content[:PARTS_MOST]:
        yield _text(part)
    if len(answer.content) > PARTS_MOST:
        yield f"(and {len(answer.content) - PARTS_MOST} more parts)"
    if answer.structured_content is not None and not _is_said(answer):
        try:
            yield canonical(answer.structured_content).decode()
        except (BadJson, ValueError, RecursionError):  # also a number of 5,000 digits
            yield "(structured content that is no JSON)"


def _is_said(answer: CallToolResult) -> bool:
    """Servers repeat what is structured as text, as the protocol asks them to: once is enough."""
    return any(isinstance(part, TextContent) and part.text.lstrip()[:1] in ("{", "[") for part in answer.content)


def _text(part: ContentBlock) -> str:
    match part:
        case TextContent(text=text):
            return text
        case ImageContent(mime_type=kind) if _picture(part) is None:
            return f"(a picture, {line(kind)}, {_size(part.data):,} bytes, which is not shown)"
        case ImageContent():
            return ""  # a file of its own
        case AudioContent(mime_type=kind, data=data):
            return f"(a sound, {line(kind)}, {_size(data):,} bytes)"
        case ResourceLink(uri=uri, name=name):
            return f"(a link, not followed: {line(name)} {line(str(uri))})"
        case EmbeddedResource(resource=BlobResourceContents(uri=uri, blob=blob)):
            return f"(a file, {line(str(uri))}, {_size(blob):,} bytes)"
        case EmbeddedResource(resource=inner):
            return f"({line(str(inner.uri))})\n{getattr(inner, 'text', '')}"
    assert_never(part)


def _pictures(parts: Sequence[ContentBlock]) -> Iterator[File]:
    pictures = (_picture(part) for part in parts if isinstance(part, ImageContent))
    for number, (ending, content) in enumerate((one for one in pictures if one is not None), 1):
        yield File(f"picture-{number}.{ending}", content)


def _picture(part: ImageContent) -> tuple[str, bytes] | None:
    """Its ending and bytes, if it is what it says."""
    known = PICTURES.get(part.mime_type)
    try:
        content = base64.b64decode(part.data, validate=True)
    except (binascii.Error, ValueError):
        return None
    return (known[0], content) if known is not None and content.startswith(known[1]) else None


def _size(encoded: str) -> int:
    return len(encoded) * 3 // 4


def _bounded(text: str) -> str:
    raw = text.encode("utf-8", "replace")
    if len(raw) <= MOST_RESULT:
        return raw.decode("utf-8")
    return raw[:MOST_RESULT].decode("utf-8", "ignore") + f"\n… cut: {len(raw)} bytes in all"
