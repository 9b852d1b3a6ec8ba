"""The model: one answer from any endpoint that speaks OpenAI's Chat Completions, streamed.

lines -> messages -> stream -> `Answer` grows, delta by delta -> Said
                        └ 429, 5xx, no connection, time-out, cut stream, empty answer: again, a few times

Owns retries, time limits and the translation of the client's errors. Not what is asked (the agents), nor
whether a tool's arguments make sense: they pass through as the model's own text.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Literal, Self, cast
from urllib.parse import urlsplit

import openai
import structlog
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam, ChatCompletionToolParam
from openai.types.chat.chat_completion_chunk import Choice, ChoiceDeltaToolCall

from bot.domain.calls import ToolSpec
from bot.domain.errors import ModelRefused, ModelUnavailable
from bot.domain.ports import Line, Said, WantedCall
from bot.domain.wire import Record

SEEN_WITHIN = 5.0  # seconds for the list of models

log = structlog.stdlib.get_logger(__name__)


class Limits(Record):
    """How long and how often we try. Seconds."""

    connect: float = 5
    read: float = 60  # between two pieces of the stream; the client's own 600 s would hold a task for half an hour
    answer: float = 300  # one whole answer, however steadily it drips
    attempts: int = 4
    pause: float = 0.5  # before the second attempt; doubles each time
    longest_pause: float = 20
    longest_wait: float = 60  # a Retry-After beyond this is not waited for
    most_chars: int = 400_000  # text and arguments of one answer
    most_calls: int = 128


class ChatCompletions:
    """`ports.Model` over HTTP. Open it with `async with`, or call `close`."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        name: str,
        limits: Limits | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self._limits = limits or Limits()
        self._sleep = sleep
        wait = self._limits
        timeout = openai.Timeout(wait.read, connect=wait.connect)
        # The client's own retries are off: they would not see a stream that is cut half-way.
        http = openai.DefaultAsyncHttpx2Client(trust_env=not _is_here(base_url))
        self._client = AsyncOpenAI(api_key=api_key, base_url=base_url, timeout=timeout, max_retries=0, http_client=http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._client.close()

    async def seen(self) -> Literal["there", "away", "shut", "unlisted"]:
        """Whether answers can be had here, from one look at the list of models: nothing is thought.

        "shut": the key is not accepted. "unlisted": there is a list, without our model. "there" also where a server
        answers and has no such list.
        """
        try:
            listed = await self._client.models.list(timeout=SEEN_WITHIN)
        except (openai.AuthenticationError, openai.PermissionDeniedError):
            return "shut"
        except openai.APIConnectionError:  # a time-out is one
            return "away"
        except (openai.OpenAIError, ValueError):
            return "there"  # it answered, and it is nobody's duty to list its models
        names = [getattr(one, "id", "") for one in getattr(listed, "data", None) or ()]
        return "unlisted" if names and self.name not in names else "there"

    async def think(
        self, lines: Sequence[Line], tools: Sequence[ToolSpec], *, on_text: Callable[[str], None] | None = None
    ) -> Said:
        """One answer. After a failed attempt `on_text` hears the new text from its beginning."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._attempt(lines, tools, on_text)
            except (openai.OpenAIError, json.JSONDecodeError, TimeoutError, _Unusable) as error:
                pause = self._pause(error, attempt)
                log.info("model_retry", model=self.name, attempt=attempt, error=type(error).__name__, pause=pause)
                await self._sleep(pause)

    async def _attempt(
        self, lines: Sequence[Line], tools: Sequence[ToolSpec], on_text: Callable[[str], None] | None
    ) -> Said:
        answer = Answer(self._limits, turn=len(lines))
        async with asyncio.timeout(self._limits.answer), await self._stream(lines, tools) as chunks:
            async for chunk in chunks:
                if answer.add(chunk) and on_text is not None:
                    on_text(answer.text)
        return answer.said(asked=sum(len(line.text) for line in lines))

    async def _stream(self, lines: Sequence[Line], tools: Sequence[ToolSpec]) -> AsyncStream[ChatCompletionChunk]:
        return await self._client.chat.completions.create(
            model=self.name,
            messages=[_message(line) for line in _answered(lines)],
            tools=[_function(spec) for spec in tools] or openai.omit,
            stream=True,
            stream_options={"include_usage": True},
        )

    def _pause(self, error: Exception, attempt: int) -> float:
        """How long to wait before trying again. Raises what the caller must hear when there is no trying again."""
        if not _may_pass(error):
            raise ModelRefused(f"{self.name} refused the request: {_facts(error)}") from error
        asked = _retry_after(error)
        if attempt >= self._limits.attempts or (asked or 0) > self._limits.longest_wait:
            raise ModelUnavailable(f"{self.name} gave no answer in {attempt} attempts: {_facts(error)}") from error
        if asked is not None:
            return asked
        longest = min(self._limits.pause * 2.0 ** (attempt - 1), self._limits.longest_pause)
        return longest * (0.5 + random.random() / 2)


def _is_here(base_url: str) -> bool:
    """A model on this very machine (a rehearsal, a local one) is never asked through a proxy."""
    return urlsplit(base_url).hostname in ("127.0.0.1", "::1", "localhost")


# ------------------------------------------------------------------ errors


class _Unusable(Exception):
    """The endpoint answered, and the answer is of no use."""


AGAIN = {408, 409, 425, 429}  # beside 5xx: the statuses that may be another one next time

_MAY_PASS: tuple[tuple[type[Exception], bool], ...] = (  # first match wins; a status is judged by its number
    (openai.APIConnectionError, True),  # with its subclass APITimeoutError
    (openai.APIResponseValidationError, True),
    (openai.APIError, True),  # an error event inside the stream
    (openai.OpenAIError, False),
    (json.JSONDecodeError, True),  # half an event: the stream was cut
    (TimeoutError, True),
    (_Unusable, True),
)


def _may_pass(error: Exception) -> bool:
    if isinstance(error, openai.APIStatusError):
        return error.status_code in AGAIN or error.status_code >= 500
    return next(answer for kind, answer in _MAY_PASS if isinstance(error, kind))


def _facts(error: Exception) -> str:
    """The error without its body: some endpoints quote the request, or part of the key."""
    match error:
        case openai.APIStatusError():
            return f"{type(error).__name__}, status {error.status_code}, code {str(error.code)[:40]}"
        case _Unusable():
            return str(error)
    return type(error).__name__


def _retry_after(error: Exception) -> float | None:
    """Seconds the endpoint asks us to wait: a number or a date (RFC 9110, 10.2.3)."""
    if not isinstance(error, openai.APIStatusError):
        return None
    text = error.response.headers.get("retry-after", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        return _until(text)


def _until(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


# --------------------------------------------------------------------- out


WAITING = "(This call has no result yet: people have not answered.)"

_NAME = re.compile(r"[^a-zA-Z0-9_-]")


def _answered(lines: Sequence[Line]) -> Iterator[Line]:
    """The lines, with a placeholder for each call that still waits: endpoints refuse a call without a result."""
    have = {line.call_id for line in lines if line.role == "tool"}
    waiting: list[Line] = []
    for line in lines:
        if line.role != "tool":
            yield from waiting
            waiting = []
        yield line
        waiting += [Line(role="tool", text=WAITING, call_id=call.id) for call in line.calls if call.id not in have]
    yield from waiting


def _message(line: Line) -> ChatCompletionMessageParam:
    message: dict[str, Any] = {"role": line.role, "content": _clean(line.text)}
    if line.role == "tool":
        message["tool_call_id"] = line.call_id
    if line.calls:
        message["tool_calls"] = [_sent_back(call) for call in line.calls]
        message["content"] = message["content"] or None
    return cast(ChatCompletionMessageParam, message)


def _sent_back(call: WantedCall) -> dict[str, Any]:
    """The model's own call in its history. Endpoints answer 400 to names and arguments that are not well-formed."""
    name = _NAME.sub("_", call.tool)[:64] or "unnamed"
    return {"id": call.id, "type": "function", "function": {"name": name, "arguments": _well_formed(call.args)}}


def _well_formed(args: str) -> str:
    text = _clean(args)
    try:
        return text if isinstance(json.loads(text), dict) else json.dumps({"not_an_object": text[:500]})
    except (ValueError, RecursionError):
        return json.dumps({"not_json": text[:500]})


def _function(spec: ToolSpec) -> ChatCompletionToolParam:
    parameters = json.loads(spec.schema)
    function = {"name": spec.name, "description": spec.description, "parameters": parameters}
    return cast(ChatCompletionToolParam, {"type": "function", "function": function})


def _clean(text: str) -> str:
    """Lone surrogates cannot be sent as UTF-8."""
    return text.encode("utf-8", "replace").decode()


# ---------------------------------------------------------------------- in


class _Call:
    """One tool call, growing."""

    def __init__(self) -> None:
        self.id, self.tool, self.args = "", "", ""


class Answer:
    """What has come in so far of one streamed answer."""

    def __init__(self, limits: Limits, turn: int) -> None:
        self._limits, self._turn = limits, turn
        self.text = ""
        self._calls: list[_Call] = []
        self._open: dict[int, _Call] = {}  # by the endpoint's index
        self._size = 0
        self._finish: str | None = None
        self._tokens: tuple[int, int] | None = None

    def add(self, chunk: ChatCompletionChunk) -> bool:
        """Take one piece in; is there new text? Raises ModelUnavailable beyond the size limits."""
        if chunk.usage is not None:
            self._tokens = (chunk.usage.prompt_tokens or 0, chunk.usage.completion_tokens or 0)
        grown = [self._add_choice(choice) for choice in (chunk.choices or [])[:1]]
        return any(grown)

    def _add_choice(self, choice: Choice) -> bool:
        self._finish = choice.finish_reason or self._finish
        delta = cast(Any, choice.delta)  # foreign: the client does not check what it parses
        if delta is None:
            return False
        for part in delta.tool_calls or []:
            self._add_call(part)
        text = _string(delta.content) + _string(delta.refusal)
        self.text += self._counted(text)
        return bool(text)

    def _add_call(self, part: ChoiceDeltaToolCall) -> None:
        call = self._open.get(part.index)
        # Some endpoints give every parallel call index 0 and tell them apart by their ids alone.
        if call is None or (part.id and call.id and part.id != call.id):
            call = self._open[part.index] = _Call()
            self._calls.append(call)
            if len(self._calls) > self._limits.most_calls:
                raise ModelUnavailable(f"the model asked for more than {self._limits.most_calls} calls at once")
        call.id = call.id or _string(part.id)
        if part.function is not None:
            call.tool += self._counted(_string(part.function.name))
            call.args += self._counted(_string(part.function.arguments))

    def _counted(self, text: str) -> str:
        self._size += len(text)
        if self._size > self._limits.most_chars:
            raise ModelUnavailable(f"the model's answer is longer than {self._limits.most_chars} characters")
        return text

    def said(self, asked: int) -> Said:
        """The whole answer; *asked* is how many characters were sent. Raises _Unusable for none, or half of one."""
        if self._finish is None:
            raise _Unusable("the stream ended before the answer did")
        if not self.text.strip() and not self._calls:
            raise _Unusable(f"the answer is empty (finish reason {str(self._finish)[:40]})")
        tokens_in, tokens_out = self._tokens or (asked // 4, self._size // 4)  # about four characters a token
        note = "\n… (cut at the model's length limit)" if self._finish == "length" and not self._calls else ""
        return Said(text=self.text + note, calls=self._wanted(), tokens_in=tokens_in, tokens_out=tokens_out)

    def _wanted(self) -> tuple[WantedCall, ...]:
        """Every call with an id of its own: some endpoints leave ids out, or use one twice."""
        seen: set[str] = set()
        wanted = []
        for index, call in enumerate(self._calls):
            own = call.id if call.id and call.id not in seen else f"call_{self._turn}_{index}"
            seen.add(own)
            wanted.append(WantedCall(id=own, tool=call.tool, args=call.args or "{}"))
        return tuple(wanted)


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
