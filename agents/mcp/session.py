"""A server as it is known over time: one connection, opened anew whenever it breaks, and what the server offers.

closed -> opening -> open -> (its tools changed: listed again) -> broken -> a growing pause -> opening -> …

One task, `kept`, opens and closes; calls wait for it and never close anything, so a cancelled call hurts nobody else's.
Owns connections and offers. Not what a call's end means (tool), nor how messages travel (link).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from agents.mcp.errors import Declined, Lost, Unfit, Unreachable
from agents.mcp.link import Link, linked
from agents.mcp.naming import shown
from agents.mcp.offer import Listing, Offer, gone, taken_over
from agents.mcp.servers import Resolve, Server
from agents.mcp.troubles import told
from bot.domain.errors import CountersignError
from bot.domain.wire import Record

LONG_AGO: Final = -1e9

log = structlog.stdlib.get_logger(__name__)


class Pace(Record):
    """How patient we are with servers, in seconds."""

    connect: float = 20.0  # process or address, handshake and list of tools together
    first_pause: float = 0.5  # before it is opened anew; doubled each time
    longest_pause: float = 30.0
    steady: float = 60.0  # a connection that stood this long counts as a good one
    fresh: float = 10.0  # so long a list of tools is believed before a call that only reads; before others never


class Session:
    """One server. Run `kept` in a task for as long as its tools are used."""

    def __init__(self, server: Server, resolve: Resolve, pace: Pace) -> None:
        self.server, self._resolve, self._pace = server, resolve, pace
        self.listing: Listing | None = None
        self.secrets: tuple[str, ...] = ()
        self._offers: dict[str, Offer] = {}
        self._link: Link | None = None
        self._trouble: CountersignError | None = None  # why the last opening failed
        self._openings = 0  # tried and ended, well or not
        self._listed = LONG_AGO
        self._change = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._is_closing = False

    # ------------------------------------------------------------- the keeper

    async def kept(self) -> None:
        """Open, hold and open anew, until `close`."""
        failures = 0
        while True:
            began, openings = _now(), self._openings
            try:
                async with self._opened() as link:
                    await self._held(link)
            except Exception as error:  # noqa: BLE001  # whatever a foreign server does is a state of its connection
                self._ended(error, was_open=self._openings > openings)
            if self._must_end():
                return
            failures = 0 if _now() - began > self._pace.steady else failures + 1
            await asyncio.sleep(min(self._pace.first_pause * 2 ** min(failures - 1, 16), self._pace.longest_pause))

    def _must_end(self) -> bool:
        return self._is_closing

    def employ(self, keeper: asyncio.Task[None]) -> None:
        self._keeper = keeper

    def close(self) -> None:
        """End the keeper. The word is kept, too: a connection that breaks at this moment swallows the cancellation."""
        self._is_closing = True
        if self._keeper is not None:
            self._keeper.cancel()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Link]:
        async with asyncio.timeout(self._pace.connect) as limit, linked(self.server, self._resolve) as link:
            listing = await link.listing()
            self.secrets = link.secrets
            self._heard(listing)
            limit.reschedule(None)
            self._link, self._trouble = link, None
            self._tell()
            log.info("mcp_connected", server=self.server.name, tools=len(listing.tools))
            try:
                yield link
            finally:
                self._link = None

    async def _held(self, link: Link) -> None:
        while not link.is_over:
            await link.stirred.wait()
            link.stirred.clear()
            if link.is_changed and not link.is_over:
                link.is_changed = False
                async with asyncio.timeout(self._pace.connect):
                    self._heard(await link.listing())
        log.warning("mcp_lost", server=self.server.name)

    def _ended(self, error: Exception, *, was_open: bool) -> None:
        """A connection broke, or was never one: only then is whoever waits for it told why."""
        if was_open:
            log.warning("mcp_lost", server=self.server.name, error=type(error).__name__)
            return
        last, self._trouble = self._trouble, told(self.server, error)
        if str(last) != str(self._trouble):  # once, not at each of a thousand openings
            log.warning("mcp_unreachable", server=self.server.name, why=str(self._trouble))
        self._tell()

    def _tell(self) -> None:
        self._openings += 1
        self._change.set()
        self._change = asyncio.Event()

    # ------------------------------------------------------------- for tools

    async def ready(self) -> None:
        """Return when a connection stands. Raises Unreachable, or BadSettings for a secret that is not set."""
        await self._standing()

    async def current(self, *, is_reading: bool) -> Link:
        """A connection, after it was asked what its tools are: unless the call only reads, and that is fresh.

        Raises Unreachable: nothing was sent.
        """
        for is_last in (False, True):
            link = await self._standing()
            if is_reading and _now() - self._listed < self._pace.fresh:
                break
            try:
                self._heard(await link.listing())
                break
            except (Lost, Unreachable, Declined, Unfit) as error:  # its server is another one now, or gone
                link.end()
                if is_last:
                    raise Unreachable(self.server.name, "it does not say what its tools are") from error
        return link

    def known(self, tool: str) -> Offer:
        return self._offers[tool]

    def raised(self, name: str) -> str:
        """How the server contradicts our file about the tool called *name* here; empty if it does not."""
        return next((one.raised for one in self._offers.values() if one.spec.name == name), "")

    def take(self, tool: str) -> Offer:
        """Have *tool* as one of ours from now on. Raises Unfit."""
        assert self.listing is not None, "it was listed before anything of it is taken"
        offer = self._offers[tool] = taken_over(self.server, self.listing, tool)
        if offer.raised:
            log.warning("mcp_risk_raised", server=self.server.name, tool=offer.spec.name, why=offer.raised)
        return offer

    async def _standing(self) -> Link:
        """The connection; if there is none, whatever comes of the next opening."""
        tried = self._openings
        while self._link is None or self._link.is_over:
            if self._openings > tried and self._trouble is not None:
                raise self._trouble
            await self._change.wait()
        return self._link

    def _heard(self, listing: Listing) -> None:
        """Look at every tool of ours that changed: it has another version from here on."""
        before, self.listing, self._listed = self.listing, listing, _now()
        for tool, last in list(self._offers.items()):
            if before is not None and _said(before, tool) == _said(listing, tool):
                continue
            try:
                now = taken_over(self.server, listing, tool)
            except Unfit as error:
                now = gone(last)
                if last.schema is not None:
                    log.warning("mcp_tool_gone", server=self.server.name, tool=shown(tool), why=error.told)
            if now.spec.version != last.spec.version:
                log.warning("mcp_tool_changed", server=self.server.name, tool=now.spec.name, why=now.raised)
                self._offers[tool] = now


def _said(listing: Listing, tool: str) -> str:
    """All that is said of *tool*. As text: `==` takes 1 for true."""
    return repr((listing.server, listing.version, listing.tools.get(tool)))


def _now() -> float:
    return asyncio.get_running_loop().time()
