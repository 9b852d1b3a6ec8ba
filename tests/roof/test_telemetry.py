"""Telemetry: one event is one line, no secret leaves, numbers come from a table, and health is a page."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import warnings
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from aiohttp import ClientConnectorError, ClientSession

from bot import telemetry
from bot.domain.errors import StoreUnavailable
from bot.telemetry import MASK, HealthServer, Metrics, Ready, configure_logging, measure_lag

CANARY = "c4nary/+secret=="


class Log:
    """What was written, line by line."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    @property
    def line(self) -> dict[str, Any]:
        (only,) = self.lines
        return only


@pytest.fixture
def log() -> Iterator[Log]:
    """Logging as the product sets it up; put back as it was afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    caught = Log()
    configure_logging("INFO", caught.stream, secrets=[CANARY, "abc"])
    yield caught
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_an_event_is_a_name_with_fields_and_a_utc_time(log: Log) -> None:
    """Ids bound once are on every line that follows."""
    with structlog.contextvars.bound_contextvars(run="0-7", request="r1", person="ana"):
        structlog.get_logger("desk").info("vote_counted", result="approved")

    line = log.line
    assert datetime.fromisoformat(line.pop("timestamp")).utcoffset() == timedelta()
    assert line == {
        "event": "vote_counted",
        "level": "info",
        "logger": "desk",
        "person": "ana",
        "request": "r1",
        "result": "approved",
        "run": "0-7",
    }


@pytest.mark.parametrize("evil", ['x"}\n{"event": "approved"}', "a\rb\x1b[2J\x00\x7f\x9b", "a\u2028b\u202eb\u200b"])
def test_no_field_can_break_out_of_its_line(log: Log, evil: str) -> None:
    """T21: a newline with a fake record in a name or a reason gives exactly one record, fields intact."""
    structlog.get_logger().info("vote_counted", reason=evil, **{evil: 1})

    assert log.line["reason"] == evil
    written = log.stream.getvalue()
    assert written.endswith("\n")
    assert written[:-1].isprintable()
    assert written.isascii()


@pytest.mark.parametrize(
    "spelled", [CANARY, quote(CANARY, safe=""), base64.b64encode(CANARY.encode()).decode(), f"x{CANARY}y"]
)
def test_a_known_secret_is_masked_wherever_and_however_it_stands(log: Log, spelled: str) -> None:
    """T20: raw, URL-quoted or base64; in fields, deep inside, in the event, in an exception."""
    logger = structlog.get_logger()
    logger.info(f"sent {spelled}", body={"deep": [{"er": spelled}]})
    try:
        raise ValueError(f"401 for {spelled}")
    except ValueError:
        logger.exception("failed")

    written = log.stream.getvalue()
    assert spelled not in written
    assert CANARY not in written
    assert "ValueError: 401 for" in log.lines[1]["exception"]


@pytest.mark.parametrize("key", ["token", "bot_token", "Authorization", "X-Api-Key", "smtp_password", "client_secret"])
def test_a_field_with_a_secrets_name_is_masked(log: Log, key: str) -> None:
    """Whatever its value, at any depth."""
    structlog.get_logger().info("called", **{key: "hunter2"}, headers={key: "hunter2"})

    assert log.line[key] == MASK
    assert log.line["headers"] == {key: MASK}


@pytest.mark.parametrize(
    "text", ["xoxb-123456-abcdef", "sk-abcdefghijklmnop1234", "Bearer abcdef123456", "redis://ana:hunter2@db"]
)
def test_what_looks_like_a_credential_is_masked(log: Log, text: str) -> None:
    """A token that nobody registered still has its shape."""
    structlog.get_logger().info("failed", why=f"could not use {text} here")

    assert MASK in log.line["why"]
    assert not {"123456", "abcdef", "hunter2"} & set(log.line["why"].replace("-", " ").replace(":", " ").split())


def test_ordinary_words_and_numbers_stay(log: Log) -> None:
    """A secret of three letters is not masked in every word; tokens that are counted are no secret."""
    structlog.get_logger().info("thought", tokens_in=12, text="abcdef", key="0-7/r1")

    assert (log.line["tokens_in"], log.line["text"], log.line["key"]) == (12, "abcdef", "0-7/r1")


def test_what_is_long_or_deep_is_cut(log: Log) -> None:
    """A megabyte in a reason, or a structure of a thousand levels, is one short line."""
    deep: Any = "end"
    for _ in range(500):
        deep = [deep]
    structlog.get_logger().info("heard", text="x" * 1_000_000, deep=deep)

    assert log.line["text"].endswith("(998000 more characters)")
    assert len(log.stream.getvalue()) < 5_000


def test_other_libraries_logs_take_the_same_way(log: Log) -> None:
    """stdlib records become the same JSON lines; warnings too; chatty libraries are quiet."""
    logging.getLogger("somebody").warning("lost %s", CANARY)
    logging.getLogger("slack_bolt.App").info("body: %s", "everything")
    logging.getLogger("aiohttp.access").info("GET /")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", UserWarning, stacklevel=1)

    first, second = log.lines
    assert (first["event"], first["level"], first["logger"]) == (f"lost {MASK}", "warning", "somebody")
    assert second["logger"] == "py.warnings"


# ---------------------------------------------------------------- metrics


def test_what_is_counted_is_on_the_page() -> None:
    """One of each kind, by its public name."""
    metrics = Metrics()
    metrics.count("votes", result="counted")
    metrics.count("replays")
    metrics.observe("time_to_decision", 42.0)
    metrics.gauge("pending", 3)
    metrics.gauge("pending_longer", 2, older_than="1h")

    page = metrics.page().decode()

    assert 'countersign_votes_total{result="counted"} 1.0' in page
    assert "countersign_replays_total 1.0" in page
    assert 'countersign_time_to_decision_seconds_bucket{le="60.0"} 1.0' in page
    assert "countersign_pending_requests 3.0" in page
    assert 'countersign_pending_requests_older_than{older_than="1h"} 2.0' in page


def test_a_name_or_label_that_is_not_in_the_table_raises() -> None:
    """A typing mistake must not make a number of its own."""
    metrics = Metrics()

    with pytest.raises(ValueError, match="there is no meter 'vote'; known are"):
        metrics.count("vote", result="counted")
    with pytest.raises(ValueError, match="there is no meter 'votes'"):
        metrics.gauge("votes", 1)
    with pytest.raises(ValueError, match="label"):
        metrics.count("votes", who="ana")
    with pytest.raises(ValueError, match="label"):
        metrics.count("votes")


async def test_a_late_loop_is_measured() -> None:
    """The gauge says how late the loop woke up; never less than zero."""
    metrics, told = Metrics(), asyncio.Event()

    class Noticing(Metrics):
        def gauge(self, name: str, value: float, **labels: str) -> None:
            metrics.gauge(name, value, **labels)
            told.set()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        measuring = group.create_task(measure_lag(Noticing(), every=timedelta(milliseconds=1)))
        await told.wait()
        measuring.cancel()

    lag = metrics.registry.get_sample_value("countersign_loop_lag_seconds")
    assert lag is not None
    assert lag >= 0


# ----------------------------------------------------------------- health


async def _fine() -> Sequence[str]:
    return ()


async def test_a_healthy_process_says_so_on_three_pages() -> None:
    """Alive, ready, and its numbers: on loopback."""
    metrics = Metrics()
    metrics.count("lost_rings")

    async with _pages(metrics, _fine) as (session, server):
        assert server.url.startswith("http://127.0.0.1:")
        async with session.get("/healthz") as answer:
            assert (answer.status, await answer.json()) == (200, {"alive": True})
        async with session.get("/readyz") as answer:
            assert (answer.status, await answer.json()) == (200, {"ready": True, "reasons": []})
        async with session.get("/metrics") as answer:
            assert answer.content_type == "text/plain"
            assert "countersign_lost_rings_total 1.0" in await answer.text()


async def test_a_process_that_cannot_work_is_alive_but_not_ready_and_says_why() -> None:
    """The reasons are told; a store that is away is one of them, not an error of ours."""

    async def no_lease() -> Sequence[str]:
        return ["no shard is ours"]

    async def no_store() -> Sequence[str]:
        raise StoreUnavailable("the store gave no answer in 2 s")

    for ready, reason in ((no_lease, "no shard is ours"), (no_store, "the store gave no answer in 2 s")):
        async with _pages(Metrics(), ready) as (session, _server):
            async with session.get("/readyz") as answer:
                assert (answer.status, await answer.json()) == (503, {"ready": False, "reasons": [reason]})
            async with session.get("/healthz") as answer:
                assert answer.status == 200


async def test_a_readiness_check_that_hangs_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe gets an answer in any case."""
    monkeypatch.setattr(telemetry, "READY_WITHIN", 0.01)

    async def hangs() -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    async with _pages(Metrics(), hangs) as (session, _server), session.get("/readyz") as answer:
        assert answer.status == 503
        assert "gave no answer" in (await answer.json())["reasons"][0]


async def test_closing_the_server_closes_its_socket() -> None:
    """Afterwards nobody answers there."""
    async with _pages(Metrics(), _fine) as (_session, server):
        url = server.url

    async with ClientSession(url) as session:
        with pytest.raises(ClientConnectorError):
            await session.get("/healthz")


@asynccontextmanager
async def _pages(metrics: Metrics, ready: Ready) -> AsyncIterator[tuple[ClientSession, HealthServer]]:
    async with HealthServer(metrics, ready, port=0) as server, ClientSession(server.url) as session:
        yield session, server
