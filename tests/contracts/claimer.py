"""A process that claims: it says when it is ready, waits for a line, claims every name, and says which it won.

Run as `python -m tests.contracts.claimer URL NAMESPACE ME NAMES`; its key is the contract's.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from bot.store.keep import RedisKeep
from bot.store.link import Link
from tests.contracts.on_redis import KEY


async def claims(keep: RedisKeep, me: str, names: int) -> list[str]:
    """The names *me* won."""
    found = [await keep.claim(f"post {n}", me.encode(), keep=timedelta(hours=1)) for n in range(names)]
    return [str(n) for n, before in enumerate(found) if before is None]


async def main(url: str, namespace: str, me: str, names: str) -> None:
    link = Link(url)
    keep = RedisKeep(link, namespace, KEY)
    await keep.get("warm")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    sys.stdout.write(" ".join(await claims(keep, me, int(names))) + "\n")
    await link.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
