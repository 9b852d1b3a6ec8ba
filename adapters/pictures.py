"""Pictures among attachments: told by their own first bytes, never by their name.

Only kinds that a browser draws and that can hold no code: an SVG is a document with scripts, so it stays a file.
"""

from __future__ import annotations

from collections.abc import Mapping

KINDS: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def picture_kind(content: bytes) -> str | None:
    """The media type of a picture; None for everything else."""
    return next((kind for start, kind in KINDS.items() if content.startswith(start)), None)
