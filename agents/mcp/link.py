"""One connection to one server, from its opening to its end.

resolve secrets -> process or address -> handshake -> list and call -> `over` is set when nothing comes any more

The library's only user, with pipe and web. What a server asks of *us* (to sample a model, to ask a person, for our
folders) the library declines, as we offer none of it. Not when a connection is made anew (session).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    UNSUPPORTED_PROTOCOL_VERSION,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    InputRequiredResult,
    PaginatedRequestParams,
    Tool,
    ToolListChangedNotification,
)
from pydantic import TypeAdapter, ValidationError

from agents.mcp.errors import Declined, Lost, Unfit, Unreachable
from agents.mcp.hints import Hints
from agents.mcp.offer import Foreign, Listing
from agents.mcp.pipe import piped
from agents.mcp.servers import Resolve, Server, resolved
from agents.mcp.web import Seen, reached

TOOLS_MOST: Final = 200  # of one server; a model that is shown more finds nothing
PAGES_MOST: Final = 50
NEVER_RAN: Final = frozenset({METHOD_NOT_FOUND, INVALID_PARAMS, HEADER_MISMATCH, UNSUPPORTED_PROTOCOL_VERSION})
NO_ANSWER: Final = frozenset({-32000, -32001})  # what the library says of a closed connection, or of a lost answer
BROKEN_WEB: Final = frozenset({INTERNAL_ERROR, INVALID_REQUEST, PARSE_ERROR})  # … of an HTTP answer it cannot use
TALKATIVE: Final = ("mcp", "client", "httpx2", "httpcore2")  # loggers that write whole messages
US: Final = Implementation(name="countersign", version="1")

_ANSWER: Final[TypeAdapter[CallToolResult | InputRequiredResult]] = TypeAdapter(CallToolResult | InputRequiredResult)


class Link:
    """A connection that stands. `stirred` is set when it has ended, or when the server says its tools changed."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.stirred = asyncio.Event()
        self.is_over, self.is_changed = False, False
        self.secrets: tuple[str, ...] = ()
        self.seen = Seen()
        self._client: Client | None = None

    async def listing(self) -> Listing:
        """Everything it offers now. Raises Unfit, Unreachable, Lost, Declined."""
        client = self._here()
        tools: dict[str, Foreign] = {}
        cursor: str | None = None
        for _ in range(PAGES_MOST):
            page = await self._answered(client.session.list_tools(params=PaginatedRequestParams(cursor=cursor)))
            for tool in page.tools:
                if tool.name in tools:
                    raise Unfit("it lists two tools of the same name")
                tools[tool.name] = _foreign(tool)
            if len(tools) > TOOLS_MOST:
                raise Unfit(f"it lists more than {TOOLS_MOST} tools")
            cursor = page.next_cursor
            if not cursor:
                info = client.server_info
                return Listing(info.name if info else "", info.version if info else "", tools)
        raise Unfit("its list of tools has no end")

    async def call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        """One call, sent once. Raises Unreachable, Lost, Declined. The caller says how long it may take."""
        client = self._here()
        params = CallToolRequestParams(name=tool, arguments=arguments)
        asked = client.session.send_request(CallToolRequest(params=params), _ANSWER)
        result: CallToolResult | InputRequiredResult = await self._answered(asked)
        if isinstance(result, InputRequiredResult):
            raise Declined("it wants to be told something first, which is not done here", is_surely_not_run=False)
        return result

    def end(self) -> None:
        self.is_over = True
        self.stirred.set()

    def change(self) -> None:
        self.is_changed = True
        self.stirred.set()

    def join(self, client: Client) -> None:
        self._client = client

    def _here(self) -> Client:
        if self._client is None or self.is_over:
            raise Unreachable(self._server.name, "the connection has ended")
        return self._client

    async def _answered(self, asked: Any) -> Any:
        """The library's answer, or its error as ours. A connection that broke is over."""
        try:
            return await asked
        except MCPError as error:
            if error.code in NO_ANSWER or (error.code in BROKEN_WEB and not self._server.is_local()):
                self.end()
                raise Lost("the connection has ended") from None
            raise Declined(error.message, is_surely_not_run=error.code in NEVER_RAN) from None
        except (ValidationError, ValueError, RuntimeError):  # its answer is none
            raise Lost("the answer cannot be read") from None


@asynccontextmanager
async def linked(server: Server, resolve: Resolve) -> AsyncIterator[Link]:
    """A connection to *server* until the context ends. Raises whatever goes wrong; `session` puts it into words."""
    _hush()
    link = Link(server)
    async with AsyncExitStack() as stack:
        values, link.secrets = resolved(server.env if server.is_local() else server.headers, resolve)
        transport = piped(server, values, link.end) if server.is_local() else reached(server, values, link.seen)

        async def heard(message: object) -> None:
            if isinstance(message, ToolListChangedNotification):
                link.change()

        client = Client(transport, cache=None, client_info=US, message_handler=heard)
        link.join(await stack.enter_async_context(client))
        try:
            yield link
        finally:
            link.end()


def _foreign(tool: Tool) -> Foreign:
    said = tool.annotations
    hints = Hints(said.read_only_hint, said.destructive_hint, said.idempotent_hint) if said else Hints()
    return Foreign(tool.name, tool.title or "", tool.description or "", tool.input_schema, hints)


def _hush() -> None:
    """The library logs messages whole when it cannot read them, and those are none of the log's business."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
