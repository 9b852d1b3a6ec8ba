"""`audit verify`: good on what the bot wrote, and the first bad record by name on anything else."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.app import opened, opened_store
from bot.config import Settings
from bot.domain.chat import Message, MessageRef, Place
from bot.domain.wire import dumps
from bot.store.embedded import EmbeddedServer
from bot.store.link import Link
from tests.house import account
from tests.outside import bot

LOG = "{countersign:0}:audit"


def settings(var: Path) -> Settings:
    return Settings(COUNTERSIGN_VAR=var, PORT=0, COUNTERSIGN_HEALTH_PORT=0)


@pytest.fixture
async def kept(tmp_path: Path) -> Path:
    """The folder of a bot that took one task, asked for a signature, and was stopped."""
    var = tmp_path / "var"
    place = Place(platform="playground", tenant="local", channel="general", thread="t1")
    task = Message(
        delivery="d1",
        by=account("ana"),
        place=place,
        text="refund 120 for order 1042",
        ref=MessageRef(place=place, id="t1"),
        is_mention=True,
    )
    async with opened(settings(var)) as app:
        await app.engine.desk.message(task)
        while not await app.parts.store.open_requests(0):
            pass
        await app.engine.sealer.look()
    return var


def command(var: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return bot(var, "audit", *words)


async def tamper(var: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Rewrite the log by hand, as somebody with the database could."""
    async with EmbeddedServer(var / "redis") as server:
        link = Link(server.url)
        lines = await link.ask(link.client.lrange(LOG, 0, -1))
        await link.ask(link.client.delete(LOG))
        await link.ask(link.client.rpush(LOG, *change(lines)))
        await link.close()


async def test_what_the_bot_wrote_verifies(kept: Path) -> None:
    done = command(kept, "verify")

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("good: ")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda lines: [lines[0], lines[1].replace(b"refund", b"REFUND"), *lines[2:]], "record 2"),
        (lambda lines: [lines[0], *lines[2:]], "record 2"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "record"),
        (lambda lines: lines[:-1], "record"),
    ],
    ids=["edited", "missing", "reordered", "cut short"],
)
async def test_a_log_changed_by_hand_fails_and_the_record_is_named(
    kept: Path, change: Callable[[list[bytes]], list[bytes]], named: str
) -> None:
    """I15, T30: the checker is not the writer, and it does not take the log's word for its length."""
    await tamper(kept, change)

    done = command(kept, "verify")

    assert done.returncode == 1
    assert done.stdout.startswith("BAD: I15")
    assert named in done.stdout


async def test_an_export_verifies_on_its_own_and_its_first_changed_line_is_named(kept: Path, tmp_path: Path) -> None:
    """AU-26: one record per line, with all its fields, whole enough to be checked without the store."""
    file = tmp_path / "audit.jsonl"
    file.write_text(command(kept, "export").stdout)
    records = [json.loads(line) for line in file.read_text().splitlines()]

    assert {record["event"] for record in records} >= {"run_started", "request_opened", "checkpoint"}
    assert command(kept, "verify", "--file", str(file)).returncode == 0

    records[1]["line"] = records[1]["line"].replace("refund", "REFUND")
    file.write_bytes(b"\n".join(dumps(record) for record in records))
    assert "record 2" in command(kept, "verify", "--file", str(file)).stdout


async def test_the_trail_is_readable(kept: Path) -> None:
    """A2-19."""
    shown = command(kept, "show", "--most", "5").stdout

    assert "request_opened" in shown
    async with opened_store(settings(kept)) as store:
        (run,) = await store.recent_runs(0, 1)
    assert "run_started" in command(kept, "show", "--run", run).stdout


async def test_a_run_is_exported_whole_as_lines(kept: Path) -> None:
    """AS-30: task, thoughts, calls and results, readable without the bot; of a run that is not there, one sentence."""
    async with opened_store(settings(kept)) as store:
        (run,) = await store.recent_runs(0, 1)

    done = bot(kept, "transcript", run)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    none = bot(kept, "transcript", "r-0-none")

    assert (told[0]["kind"], told[0]["by"]) == ("task", "ana")
    assert [call["tool"] for one in told for call in one.get("wanted", ())]
    assert {"asked", "think"} <= {one["kind"] for one in told}
    assert (none.returncode, none.stdout) == (2, "")
    assert "there is no run 'r-0-none'" in none.stderr
