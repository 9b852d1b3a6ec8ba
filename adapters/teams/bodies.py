"""Bodies: what a server answered, of which no more is read than anybody of ours could use."""

from __future__ import annotations

import aiohttp


async def body_of(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """The first *most* bytes of *answer*: what is longer is cut, and so cannot be read as JSON any more."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > most:
            answer.close()  # whatever follows is not waited for
            break
    return bytes(body[:most])
