"""What operators see: one JSON line per event, numbers, and three pages on loopback.

    log.info("request_settled", request=…) -> ids bound in this context -> secrets masked -> capped -> one line

Owns how things are told. Not what is worth telling: that is said where it happens, through structlog and
the `Meter` of `bot.domain.ports`.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TextIO, TypeVar
from urllib.parse import quote

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from structlog.typing import EventDict, Processor, WrappedLogger

from bot.domain.errors import Unavailable
from bot.domain.ports import Meter

T = TypeVar("T")

MASK = "***"
LONGEST_TEXT = 2_000  # characters of one field; a log is no place for bodies
LONGEST_TRACE = 8_000
DEEPEST = 6
SHORTEST_SECRET = 6  # characters; masking a shorter one would blank out ordinary words
READY_WITHIN = 2.0  # seconds for the readiness check

# They log whole bodies, tokens among them, or a line for every request.
NOISY = (
    "slack_bolt",
    "slack_sdk",
    "aiohttp",
    "openai",
    "httpx",
    "httpx2",
    "httpcore2",
    "urllib3",
    "msrest",
    "botframework",
    "asyncio",
)

_SECRET_KEY = re.compile(
    r"secret|passw(or)?d|authorization|(api|private)[_-]?key|credential|cookie|token$", re.IGNORECASE
)
_SECRET_SHAPE = re.compile(
    r"xox[a-z]-[\w-]{6,}|xapp-[\w-]{6,}|\bsk-[\w-]{16,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*"
    r"|(?<=bearer )[\w.~+/=-]{6,}|(?<=://)[^\s/@]*:[^\s/@]+(?=@)",
    re.IGNORECASE,
)


# ------------------------------------------------------------------- logs


def configure_logging(level: str, stream: TextIO, *, secrets: Iterable[str] = ()) -> None:
    """Send every log record of this process to *stream*, one JSON object a line; stdlib loggers too.

    No field can break out of its line, and none shows one of *secrets*, plainly, quoted or in base64.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(shared, Redactor(secrets)))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


def _formatter(foreign: list[Processor], redactor: Redactor) -> structlog.stdlib.ProcessorFormatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=foreign,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redactor,
            structlog.processors.JSONRenderer(sort_keys=True),  # printable ASCII; all else is escaped
        ],
    )


class Redactor:
    """Masks what is secret by its name, by its value or by its shape, and caps what is long or deep."""

    def __init__(self, secrets: Iterable[str]) -> None:
        spelled = {form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _spellings(secret)}
        longest_first = sorted(map(re.escape, spelled), key=len, reverse=True)
        self._known = re.compile("|".join(longest_first)) if spelled else None

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {str(key): self._field(str(key), value, 0) for key, value in event.items()}

    def _field(self, key: str, value: Any, depth: int) -> Any:
        if _SECRET_KEY.search(key) and isinstance(value, (str, bytes, Mapping, Sequence)):
            return MASK
        return self._value(value, depth, LONGEST_TRACE if key == "exception" else LONGEST_TEXT)

    def _value(self, value: Any, depth: int, most: int) -> Any:
        match value:
            case None | bool() | int() | float():
                return value
            case Mapping() if depth < DEEPEST:
                return {self._text(str(k), most): self._field(str(k), v, depth + 1) for k, v in value.items()}
            case list() | tuple() | set() | frozenset() if depth < DEEPEST:
                return [self._value(item, depth + 1, most) for item in value]
            case _:
                return self._text(str(value), most)

    def _text(self, text: str, most: int) -> str:
        """Mask first: a cut could leave half a secret that no longer looks like one."""
        text = self._known.sub(MASK, text) if self._known else text
        text = _SECRET_SHAPE.sub(MASK, text)
        return text if len(text) <= most else f"{text[:most]}… ({len(text) - most} more characters)"


def _spellings(secret: str) -> tuple[str, ...]:
    raw = secret.encode()
    coded = (base64.b64encode(raw), base64.urlsafe_b64encode(raw))
    return (secret, quote(secret, safe=""), *(text.decode().rstrip("=") for text in coded))


# ---------------------------------------------------------------- metrics

_SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600, 30 * 24 * 3600)


class Metrics(Meter):
    """Our numbers, in a registry of our own. The table below is all there is."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._gauges = {
            name: Gauge(f"countersign_{full}", told, labels, registry=self.registry)
            for name, full, told, labels in (
                ("pending", "pending_requests", "Requests that wait for people", ()),
                ("pending_longer", "pending_requests_older_than", "Those that wait for longer", ("older_than",)),
                ("oldest_pending", "oldest_pending_seconds", "Age of the oldest open request", ()),
                ("outbox_depth", "outbox_depth", "Cards that no platform has confirmed yet", ()),
                ("waiting", "waiting_requests", "Open requests that each person may answer now", ("person",)),
                ("unread", "unread_requests", "Open requests whose group or rotation cannot be read any more", ()),
                ("ladders_late", "ladders_late", "Timers of any shard that are 30 s late, or that fail", ()),
                ("slack_silence", "slack_silence_seconds", "Since the socket last heard Slack", ()),
                ("slack_reconnects", "slack_reconnects", "How often the socket to Slack was built anew", ()),
                ("loop_lag", "loop_lag_seconds", "How late the event loop woke up last", ()),
            )
        }
        self._counters = {
            name: Counter(f"countersign_{name}", told, labels, registry=self.registry)
            for name, told, labels in (
                ("resumes", "Runs woken by a decision", ("how",)),  # hot: in memory; cold: by replay
                ("replays", "Runs rebuilt from their journal", ()),
                ("lost_rings", "Decisions found by the sweep, not by the doorbell", ()),
                ("votes", "Votes by what became of them", ("result",)),
                ("votes_by_person", "Counted votes of each person", ("person", "move")),  # as many as there are people
                ("approvals_quick", "Approvals within 3 s of the request's opening", ()),
                ("tool_runs", "Started calls by outcome", ("outcome",)),
                ("model_calls", "Model calls by outcome", ("outcome",)),
                ("feedback", "What people think of an answer: like or dislike", ("reaction",)),
            )
        }
        self._histograms = {
            "time_to_decision": Histogram(
                "countersign_time_to_decision_seconds",
                "From an opened request to its decision",
                registry=self.registry,
                buckets=_SECONDS,
            )
        }

    def count(self, name: str, **labels: str) -> None:
        counter = _known(self._counters, name)
        (counter.labels(**labels) if labels else counter).inc()

    def observe(self, name: str, value: float, **labels: str) -> None:
        histogram = _known(self._histograms, name)
        (histogram.labels(**labels) if labels else histogram).observe(value)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        gauge = _known(self._gauges, name)
        (gauge.labels(**labels) if labels else gauge).set(value)

    def watch(self, name: str, value: Callable[[], float]) -> None:
        """What *name* is just now is asked whenever somebody looks."""
        _known(self._gauges, name).set_function(value)

    def page(self) -> bytes:
        """Everything, in the text format that Prometheus reads."""
        return generate_latest(self.registry)


def _known(table: Mapping[str, T], name: str) -> T:
    if name not in table:
        raise ValueError(f"there is no meter {name!r}; known are {', '.join(sorted(table))}")
    return table[name]


async def measure_lag(meter: Meter, *, every: timedelta = timedelta(seconds=1)) -> None:
    """Tell *meter* how late the loop wakes us, until cancelled. A blocking call shows here first."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + every.total_seconds()
        await asyncio.sleep(every.total_seconds())
        meter.gauge("loop_lag", max(0.0, loop.time() - due))


# ----------------------------------------------------------------- health

Ready = Callable[[], Awaitable[Sequence[str]]]
"""Why we are not ready, one sentence each; nothing when we are."""


class HealthServer:
    """/healthz: the process answers. /readyz: it can do its work, or says why not. /metrics: the numbers.

    From `async with` to its end. Port 0 takes a free one; `url` tells which.
    """

    def __init__(self, metrics: Metrics, ready: Ready, *, host: str = "127.0.0.1", port: int = 8701) -> None:
        self._metrics, self._ready = metrics, ready
        self._host, self._port = host, port

    @property
    def url(self) -> str:
        host, port = self._runner.addresses[0][:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._numbers),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except BaseException:
            await self._runner.cleanup()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _readyz(self, _request: web.Request) -> web.Response:
        reasons = await self._reasons()
        return web.json_response({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    async def _reasons(self) -> list[str]:
        try:
            async with asyncio.timeout(READY_WITHIN):
                return list(await self._ready())
        except Unavailable as error:
            return [str(error)]
        except TimeoutError:
            return [f"the readiness check gave no answer in {READY_WITHIN:.0f} s"]

    async def _numbers(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.page(), headers={"Content-Type": "text/plain; version=0.0.4"})
