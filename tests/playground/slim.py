"""Pictures in few colours: a page has few, and a repository keeps every version of every picture.

The browser reads the pixels; the PNG is written here, with nothing but zlib.
"""

from __future__ import annotations

import base64
import struct
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.async_api import Browser

MOST = 96  # colours of a palette; 256 is the most a PNG may have
READ = """async (png) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  let text = "";
  for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode(...data.subarray(at, at + 32768));
  return [image.width, btoa(text)];
}"""


async def slimmed(browser: Browser, pictures: Sequence[Path]) -> None:
    """Write each of *pictures*, PNG files, anew."""
    page = await browser.new_page()
    for path in pictures:
        width, pixels = await page.evaluate(READ, base64.b64encode(path.read_bytes()).decode())
        path.write_bytes(png(width, base64.b64decode(pixels)))
    await page.close()


def png(width: int, pixels: bytes) -> bytes:
    """A PNG of *pixels*, four bytes each (red, green, blue, opacity); rare colours become the nearest common one."""
    dots = array("I", pixels)
    common = [colour for colour, _ in Counter(dots).most_common(MOST)]
    number = {colour: at for at, colour in enumerate(common)}
    for colour in set(dots) - number.keys():
        number[colour] = min(range(len(common)), key=lambda at: _apart(common[at], colour))
    drawn = bytes(map(number.__getitem__, dots))
    lines = b"".join(b"\0" + drawn[at : at + width] for at in range(0, len(drawn), width))
    palette = b"".join(bytes(_parts(colour)) for colour in common)
    head = struct.pack(">IIBBBBB", width, len(drawn) // width, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"PLTE", palette), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _parts(colour: int) -> Iterator[int]:
    return iter(colour.to_bytes(4, "little")[:3])


def _apart(one: int, other: int) -> int:
    return sum((a - b) ** 2 for a, b in zip(_parts(one), _parts(other), strict=True))
