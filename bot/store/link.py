"""One line to Redis: loads scripts.lua, calls a function by name, hears the server's clock, translates errors.

redis-py's own retries are off: they repeat a write whose reply was lost. Repeating is safe here, because
every function answers the same write the same way, but it is the caller who decides to.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, cast

import msgspec
import redis.asyncio as redis
from redis import exceptions as gone
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bot.domain.errors import BadSettings, StoreUnavailable
from bot.store.line import PATIENCE, Shared, Word

_PART, _NAME = re.compile(r"^(?=local )", re.MULTILINE), re.compile(r"local (?:function )?(\w+)")
_COMMENT = re.compile(r" *--.*")
_HEAD = re.compile(r"^--- (\w+)(?:\(([^)]*)\))?$", re.MULTILINE)


class Script:
    """One named Lua function and the keys it touches. A last name with a star is a list: none, one or more keys."""

    def __init__(self, name: str, keys: Sequence[str], text: str) -> None:
        self.name, self.text = name, text
        self.keys = tuple(key for key in keys if not key.endswith("*"))
        self.list = next((key.removesuffix("*") for key in keys if key.endswith("*")), "")
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def lua(name: str) -> str:
    """The text of `prelude` or of `scripts`, as shipped."""
    return files("bot.store").joinpath(f"{name}.lua").read_text()


def read_scripts(prelude: str, source: str) -> Mapping[str, Script]:
    """Split *source*, which is scripts.lua: before each function go its key names and what it needs of *prelude*."""
    parts = _HEAD.split(source)[1:]
    functions = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    return {name: _script(name, keys, prelude, body) for name, keys, body in functions}


def _script(name: str, keys: str, prelude: str, body: str) -> Script:
    names = [key.strip() for key in keys.split(",")]
    table = ", ".join(
        f"{key.removesuffix('*')} = " + (f"{{ unpack(KEYS, {i}) }}" if key.endswith("*") else f"KEYS[{i}]")
        for i, key in enumerate(names, 1)
    )
    text = _with_needed(prelude, f"return over((function()\n{body}\nend)())\n")
    return Script(name, names, f"local K = {{ {table} }}\n{text}")


def _with_needed(prelude: str, text: str) -> str:
    """*text* behind those parts of *prelude* that it uses, and that those use: each costs every call of a function.

    In Lua a part sees only those above it.
    """
    for part in reversed(_PART.split(_COMMENT.sub("", prelude))[1:]):
        if re.search(rf"\b{_NAME.findall(part)[0]}\b", text):
            text = part + text
    return text


class Link:
    """The shared connection and the functions. `shift` moves the server's clock, in tests only."""

    refusal = gone.ResponseError  # a command the server will not run for us

    def __init__(self, url: str, *, shift: Callable[[], timedelta] = lambda: timedelta(0)) -> None:
        self.client = connect(url)
        self._scripts = read_scripts(lua("prelude"), lua("scripts"))
        self._sent: Counter[str] = Counter()  # how often the text of a function went out: a crowd needs it once
        self._shift = shift
        self._ahead = 0.0  # the server's clock minus our monotonic one, in seconds: wall clocks jump
        self._pack = msgspec.msgpack.Encoder().encode

    async def call(
        self, name: str, keys: Callable[[Sequence[str]], list[str]], args: dict[str, Any], more: Sequence[str] = ()
    ) -> list[Any]:
        """Run one function on its *keys*, with *more* for its list. Its last value, the server's time, is kept and left
        out."""
        script = self._scripts[name]
        args["shift"] = int(self._shift().total_seconds() * 1000)
        packed = self._pack(args)
        names = [*keys(script.keys), *more]
        try:
            reply = await self._eval(script, names, packed)
        except (gone.ConnectionError, gone.TimeoutError, OSError) as error:
            raise StoreUnavailable(f"Redis did not answer {name}: {error}") from error
        except gone.ResponseError as error:
            raise _translated(name, error) from error
        self._ahead = reply[-1] / 1000 - time.monotonic()
        return reply[:-1]

    async def ask(self, command: Awaitable[Any]) -> Any:
        """Await a read, with errors translated."""
        try:
            return await command
        except (gone.ConnectionError, gone.TimeoutError, OSError) as error:
            raise StoreUnavailable(f"Redis did not answer: {error}") from error
        except gone.ResponseError as error:
            raise _translated("a read", error) from error

    async def together(self, *commands: Sequence[Word]) -> list[Any]:
        """Read several things as they are at one moment, with errors translated."""
        return cast(list[Any], await self.ask(self.client.together(*commands)))

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.monotonic() + self._ahead, UTC)

    async def sync(self) -> None:
        """Hear the server's clock."""
        seconds, micros = await self.ask(self.client.time())
        shift = self._shift().total_seconds()
        self._ahead = seconds + micros / 1e6 + shift - time.monotonic()

    async def close(self) -> None:
        await self.client.aclose()

    async def _eval(self, script: Script, keys: list[str], packed: bytes) -> list[Any]:
        run = cast(Callable[..., Awaitable[list[Any]]], self.client.execute_command)
        while True:
            sent = self._sent[script.name]
            try:
                return await run("EVALSHA", script.sha, len(keys), *keys, packed)
            except gone.NoScriptError:  # a new or restarted server
                if self._sent[script.name] == sent:
                    self._sent[script.name] += 1
                    return await run("EVAL", script.text, len(keys), *keys, packed)
            # else a neighbour has sent the text since, on this very connection: by our turn it is known


def connect(url: str) -> Shared:
    """A client with retries off and deadlines on. Raises BadSettings for a URL that cannot be one."""
    try:
        client = Shared.from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            retry_on_error=[],
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            health_check_interval=0,
        )
    except ValueError as error:
        raise BadSettings([f"REDIS_URL cannot be used: {error}"]) from error
    return cast(Shared, client)  # redis-py says its own class, and makes the one it was asked for


async def reach(client: redis.Redis, shown: str) -> None:
    """Fail at start with one sentence, rather than later with many. *shown* is the URL without its password."""
    try:
        await client.ping()
    except gone.AuthenticationError as error:
        raise BadSettings([f"Redis at {shown} refused our user or password; correct REDIS_URL."]) from error
    except (gone.RedisError, OSError) as error:
        raise BadSettings([f"Redis at {shown} cannot be reached ({error}); start it or correct REDIS_URL."]) from error


def _translated(name: str, error: gone.ResponseError) -> Exception:
    """A server that cannot answer now is unavailable; a script that fails is our bug and surfaces as it is."""
    busy = ("LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "OOM", "BUSY", "TRYAGAIN", "MISCONF", "NOREPLICAS")
    text = str(error)
    if text.startswith(busy) or type(error).__name__ in ("BusyLoadingError", "ReadOnlyError", "OutOfMemoryError"):
        return StoreUnavailable(f"Redis cannot answer {name} now: {text}")
    return error
