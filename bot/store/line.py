"""One connection for everybody: commands go out as they come, answers come back in the same order.

    say -> written in this turn of the loop, behind what is under way -> answered in order -> broken? all are told

Coroutines share a connection instead of queueing for one out of a pool. Whatever waits while the server
makes a write durable is then done, and made durable, together.

Owns the order of answers and the silence it bears. Never repeats a command: that is the caller's to decide.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import hiredis
import redis.asyncio as redis
from redis import exceptions as gone
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection

PATIENCE = 2.0  # seconds of silence while somebody waits; a click must be acknowledged within 3 (docs.slack.dev)
Word = str | bytes | int | float
L = TypeVar("L", bound="Line")
_packed = cast(Callable[[tuple[Word, ...]], bytes], hiredis.pack_command)  # its stub knows one-word commands only
ERRORS = {
    "LOADING": gone.BusyLoadingError,
    "NOAUTH": gone.AuthenticationError,
    "NOSCRIPT": gone.NoScriptError,
    "READONLY": gone.ReadOnlyError,
    "WRONGPASS": gone.AuthenticationError,
}


class Line(asyncio.Protocol):
    """One connection, from its first command to its break; after that, only errors."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader(protocolError=gone.ConnectionError, replyError=_refusal)
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._outgoing: list[bytes] = []
        self._has_written = False  # in this turn of the loop
        self._loop = asyncio.get_running_loop()
        self._watch: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._heard = 0.0

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def say(self, *commands: Sequence[Word]) -> list[asyncio.Future[Any]]:
        """Send *commands* back to back; their answers, in order. A caller who gives up harms nobody."""
        if self._transport is None or not self.is_open:
            raise gone.ConnectionError("the connection is closed")
        packed = b"".join(_packed(tuple(words)) for words in commands)
        if self._has_written:
            self._outgoing.append(packed)
        else:
            self._has_written = True
            self._transport.write(packed)
            self._loop.call_soon(self._flush)
        answers = [self._loop.create_future() for _ in commands]
        self._waiting.extend(answers)
        if self._watch is None:
            self._heard = self._loop.time()
            self._watch = self._loop.call_later(PATIENCE, self._look)
        return answers

    def _flush(self) -> None:
        """The first to speak in a turn of the loop is sent at once; what else is said in it goes together."""
        self._has_written = False
        if self._outgoing and self._transport is not None:
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()

    def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self._transport is not None:
            self._transport.abort()

    # ---------------------------------------------------- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        self._reader.feed(data)
        while (answer := self._reader.gets()) is not False:  # RESP2 has no booleans: False means "not whole yet"
            self._take(answer)

    def _take(self, answer: Any) -> None:
        """What was said longest ago is answered first."""
        waiter = self._waiting.popleft()
        if waiter.done():
            return
        if isinstance(answer, Exception):
            waiter.set_exception(answer)
        else:
            waiter.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._break(gone.ConnectionError(f"the connection broke: {exc or 'it was closed'}"))

    def _look(self) -> None:
        """Nothing heard for too long while somebody waits: the connection is given up."""
        self._watch = None
        if not self._waiting:
            return
        left = self._heard + PATIENCE - self._loop.time()
        if left > 0:
            self._watch = self._loop.call_later(left, self._look)
            return
        self._break(gone.TimeoutError(f"no answer within {PATIENCE:g} s"))
        self.close()

    def _break(self, error: gone.RedisError) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(error)


class Ears(Line):
    """A connection that hears what is published. `heard` keeps it until somebody takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: deque[bytes] = deque()
        self._news = asyncio.Event()

    async def listen(self) -> None:
        """Return once there is something to look at: a message, or the end of the connection."""
        self._news.clear()
        if not self.heard and self.is_open:
            await self._news.wait()

    async def ping(self) -> None:
        """Is anybody there? Raises what a line raises when nobody is."""
        await asyncio.gather(*self.say(("PING",)))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._news.set()

    def _take(self, answer: Any) -> None:
        if isinstance(answer, list) and answer[0] == b"message":
            self.heard.append(answer[2])
            # An answer that came with it goes first, and whom that wakes: most rings are about our own writing.
            self._loop.call_soon(self._loop.call_soon, self._news.set)
        else:
            super()._take(answer)


class Shared(redis.Redis):
    """redis-py's commands over one shared line, opened when first needed and again after a break."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._line: Line | None = None
        self._opening = asyncio.Lock()

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        line = self._line if self._line is not None and self._line.is_open else await self._opened()
        (answer,) = line.say((*args[0].split(), *args[1:]))
        return self._read(args[0], await answer, options)

    async def together(self, *commands: Sequence[Word]) -> list[Any]:
        """Run *commands* as one: nobody else's come in between."""
        line = self._line if self._line is not None and self._line.is_open else await self._opened()
        *_, answers = await asyncio.gather(*line.say(("MULTI",), *commands, ("EXEC",)))
        return [self._read(str(words[0]), answer, {}) for words, answer in zip(commands, answers, strict=True)]

    async def ears(self, *channels: str) -> Ears:
        """A connection of its own that is subscribed to *channels*."""
        async with asyncio.timeout(PATIENCE):
            return await _dial(self._made(), Ears, *(("SUBSCRIBE", channel) for channel in channels))

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        if self._line is not None:
            self._line.close()
        await super().aclose(close_connection_pool)

    def _read(self, name: str, answer: Any, options: dict[str, Any]) -> Any:
        callback = self.response_callbacks.get(name)
        options.pop("keys", None)  # redis-py's note to its own cache
        return answer if callback is None else callback(answer, **options)

    async def _opened(self) -> Line:
        """One caller dials; the others wait for it, none of them longer than the patience of a line."""
        async with asyncio.timeout(PATIENCE), self._opening:
            if self._line is None or not self._line.is_open:
                self._line = await _dial(self._made(), Line)
            return self._line

    def _made(self) -> AbstractConnection:
        """What redis-py would connect: where to, and as whom."""
        make: Callable[[], object] = self.connection_pool.make_connection  # redis-py leaves it untyped
        return cast(AbstractConnection, make())


async def _dial(made: AbstractConnection, kind: type[L], *first: Sequence[Word]) -> L:
    """A line to where *made* would lead, as whom it would speak, with *first* said on it."""
    line = await _connected(made, kind)
    try:
        await asyncio.gather(*line.say(*_greeting(made), *first))
    except BaseException:
        line.close()
        raise
    return line


async def _connected(made: AbstractConnection, kind: type[L]) -> L:
    loop = asyncio.get_running_loop()
    match made:
        case UnixDomainSocketConnection():
            return (await loop.create_unix_connection(kind, made.path))[1]
        case Connection():
            context = made.ssl_context.get() if isinstance(made, SSLConnection) else None
            return (await loop.create_connection(kind, made.host, made.port, ssl=context))[1]
    raise gone.ConnectionError(f"a {type(made).__name__} is not known here")


def _greeting(made: AbstractConnection) -> list[Sequence[Word]]:
    words: list[Sequence[Word]] = [("CLIENT", "SETNAME", "countersign")]
    if made.db:
        words.insert(0, ("SELECT", made.db))
    if made.password or made.username:
        words.insert(0, ("AUTH", *((made.username,) if made.username else ()), made.password or ""))
    return words


def _refusal(text: str) -> gone.RedisError:
    """A server's "no", by the code it begins with."""
    return ERRORS.get(text.partition(" ")[0], gone.ResponseError)(text)
