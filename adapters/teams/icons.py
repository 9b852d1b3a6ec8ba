"""The app's two icons, drawn by the build: a stamp with a check in it. No image library is needed.

A shape says how deep inside of it a point lies, in pixels; a pixel is as opaque as the shape covers it. PNG is zlib
and four chunks (W3C PNG, third edition).
"""

from __future__ import annotations

import itertools
import math
import struct
import zlib
from collections.abc import Callable

Shape = Callable[[float, float], float]  # how deep a point lies inside, in pixels; negative outside
Pixel = tuple[int, int, int, int]  # red, green, blue, alpha

COLOR_SIZE, OUTLINE_SIZE = 192, 32  # pixels; Teams refuses any other
INK: Pixel = (0x1D, 0x35, 0x57, 255)  # `accentColor` of the manifest
WHITE: Pixel = (255, 255, 255, 255)
CLEAR: Pixel = (255, 255, 255, 0)


def color_icon() -> bytes:
    """White stamp on the accent colour, 192 pixels wide, as PNG."""
    return _png(COLOR_SIZE, _stamp(COLOR_SIZE), INK)


def outline_icon() -> bytes:
    """White stamp on nothing, 32 pixels wide, as PNG."""
    return _png(OUTLINE_SIZE, _stamp(OUTLINE_SIZE), CLEAR)


def _stamp(size: int) -> Shape:
    """A ring around a check."""
    middle, stroke = size / 2, size / 24
    corners = [(0.34, 0.52), (0.46, 0.64), (0.68, 0.38)]
    points = [(x * size, y * size) for x, y in corners]

    def depth(x: float, y: float) -> float:
        ring = stroke - abs(math.hypot(x - middle, y - middle) - 0.36 * size)
        check = max(stroke - _distance(x, y, a, b) for a, b in itertools.pairwise(points))
        return max(ring, check)

    return depth


def _distance(x: float, y: float, a: tuple[float, float], b: tuple[float, float]) -> float:
    """From a point to the line between *a* and *b*."""
    across, down = b[0] - a[0], b[1] - a[1]
    along = max(0.0, min(1.0, ((x - a[0]) * across + (y - a[1]) * down) / (across**2 + down**2)))
    return math.hypot(x - a[0] - along * across, y - a[1] - along * down)


def _png(size: int, shape: Shape, ground: Pixel) -> bytes:
    rows = (b"\0" + b"".join(_pixel(shape(x + 0.5, y + 0.5), ground) for x in range(size)) for y in range(size))
    head = struct.pack(">2I5B", size, size, 8, 6, 0, 0, 0)  # 8 bits each of red, green, blue, alpha
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _pixel(depth: float, ground: Pixel) -> bytes:
    """White as far as the shape covers it, *ground* elsewhere."""
    cover = max(0.0, min(1.0, depth + 0.5))
    return bytes(round(ink * cover + under * (1 - cover)) for ink, under in zip(WHITE, ground, strict=True))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
