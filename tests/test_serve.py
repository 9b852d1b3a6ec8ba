"""The program as somebody starts it: what it refuses, what it says, how it ends, and the terminal chat."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.store.embedded import EmbeddedServer, running_url
from bot.store.link import Link
from tests.house import ROOT

PATIENCE = 30.0  # seconds
PORTS = {"PORT": "0", "COUNTERSIGN_HEALTH_PORT": "0"}


@asynccontextmanager
async def serving(var: Path, *words: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    env = {"PATH": os.environ["PATH"], "COUNTERSIGN_VAR": str(var)} | PORTS | settings
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "serve", *words),
        cwd=ROOT,
        env=env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def refusal(var: Path, **settings: str) -> str:
    """What is said on standard error by a start that must fail."""
    async with serving(var, **settings) as process, asyncio.timeout(PATIENCE):
        _, told = await process.communicate()
        assert process.returncode == 2
        return told.decode()


async def listening(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        line = (await process.stdout.readline()).decode()
    assert line.startswith("listening on http://127.0.0.1:"), line
    return line.split()[-1]


SLACK_AWAY = {
    "SLACK_BOT_TOKEN": "xoxb-1",
    "SLACK_APP_TOKEN": "xapp-1",
    "SLACK_API_URL": "http://127.0.0.1:1/api/",
}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, r"Redis at redis://127\.0\.0\.1:1/0 cannot be reached"),
        ({"REDIS_URL": "http://127.0.0.1"}, r"REDIS_URL"),
        ({"COUNTERSIGN_POLICY": "no-such.yml"}, r"no-such\.yml"),
        ({"COUNTERSIGN_PEOPLE": "no-such.yml"}, r"no-such\.yml"),
        ({"COUNTERSIGN_SHRADS": "2"}, r"COUNTERSIGN_SHARDS"),
        ({"PORT": "notaport"}, r"PORT"),
        (SLACK_AWAY, r"Slack at http://127\.0\.0\.1:1/api/ cannot be reached \(.*\); .* SLACK_API_URL"),
        ({"OPENAI_API_KEY": "your-api-key-here"}, r"OPENAI_API_KEY"),
        ({"COUNTERSIGN_AGENT": "nosuch"}, r"COUNTERSIGN_AGENT: there is no agent 'nosuch' that people can ask"),
        ({"COUNTERSIGN_VAR": "/dev/null"}, r"/dev/null"),
        ({"COUNTERSIGN_TOOLS": "nowhere:tool"}, r"COUNTERSIGN_TOOLS: nowhere:tool cannot be loaded"),
    ],
)
async def test_a_start_that_cannot_work_says_so_in_one_sentence_and_exits(
    tmp_path: Path, settings: dict[str, str], told: str
) -> None:
    """AS-13, D-40: no stack, no half-started bot; the sentence names the thing."""
    text = await refusal(tmp_path, **settings)

    assert re.search(told, text), text
    assert "Traceback" not in text


@pytest.mark.parametrize("name", ["shop.db", "playground.db"])
async def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"this is not a database" * 100)

    text = await refusal(tmp_path)

    assert "cannot be used: file is not a database" in text
    assert "Traceback" not in text


async def test_a_health_port_that_is_taken_is_named(tmp_path: Path) -> None:
    taken = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    async with taken:
        port = str(taken.sockets[0].getsockname()[1])

        text = await refusal(tmp_path, COUNTERSIGN_HEALTH_PORT=port)

    assert f"COUNTERSIGN_HEALTH_PORT {port} on 127.0.0.1 cannot be used" in text
    assert "address already in use; set it to another port, or to 0 for any that is free" in text
    assert "Errno" not in text


async def test_a_bot_whose_embedded_server_dies_says_so_and_ends(tmp_path: Path) -> None:
    """It would be deaf and dumb for ever: whoever runs it must start it again."""
    async with serving(tmp_path) as process, asyncio.timeout(PATIENCE):
        await listening(process)
        await _kill_server(tmp_path)

        _, told = await process.communicate()

    assert process.returncode == 2
    assert "the embedded server ended" in told.decode()
    assert "Traceback" not in told.decode()


async def _kill_server(var: Path) -> None:
    """SIGKILL to the server behind the socket, as the kernel's OOM killer would."""
    link = Link(running_url(var / "redis") or "")
    pid = (await link.ask(link.client.info("server")))["process_id"]
    os.kill(pid, signal.SIGKILL)
    await link.close()


async def test_a_broken_policy_file_is_refused_with_line_and_column(tmp_path: Path) -> None:
    broken = tmp_path / "policy.yml"
    broken.write_text("rules:\n- id: one\n  when: args.amount >\n  allow: true\n")

    text = await refusal(tmp_path / "var", COUNTERSIGN_POLICY=str(broken))

    assert re.search(r"policy\.yml:3:\d+: ", text), text


async def test_a_second_start_on_the_same_folder_says_who_has_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as first:
        await listening(first)

        text = await refusal(tmp_path)

    assert re.search(rf"already in use by process {first.pid}; stop it or set COUNTERSIGN_VAR to another", text), text


async def test_a_password_in_the_url_is_never_shown(tmp_path: Path) -> None:
    """T20: not in the sentence about an unreachable server either."""
    text = await refusal(tmp_path, REDIS_URL="redis://bot:CANARY-s3cr3t@127.0.0.1:1/0")

    assert "CANARY" not in text


async def test_a_terminated_bot_ends_soon_and_cleanly(tmp_path: Path) -> None:
    async with serving(tmp_path) as process, asyncio.timeout(PATIENCE):
        await listening(process)

        process.send_signal(signal.SIGTERM)
        _, told = await process.communicate()

    assert process.returncode == 0, told.decode()
    assert b"Traceback" not in told


async def test_two_processes_share_one_redis(tmp_path: Path, redis_server: EmbeddedServer, namespace: str) -> None:
    """`python -m bot serve` twice against one Redis is a supported set-up."""
    shared = {"REDIS_URL": redis_server.url, "COUNTERSIGN_NAMESPACE": namespace, "COUNTERSIGN_KEY": "a-shared-key-" * 4}
    async with serving(tmp_path, **shared) as one, serving(tmp_path, **shared) as two:
        first, second = await listening(one), await listening(two)

    assert first != second


async def test_a_process_with_another_key_is_refused(
    tmp_path: Path, redis_server: EmbeddedServer, namespace: str
) -> None:
    shared = {"REDIS_URL": redis_server.url, "COUNTERSIGN_NAMESPACE": namespace}
    async with serving(tmp_path, COUNTERSIGN_KEY="a-shared-key-" * 4, **shared) as one:
        await listening(one)

        text = await refusal(tmp_path, COUNTERSIGN_KEY="another-key-" * 4, **shared)

    assert "COUNTERSIGN_KEY differs" in text


async def test_the_whole_flow_fits_in_one_terminal(tmp_path: Path) -> None:
    """A2-06: a task, a card with a number, another person's signature, the end: typed and read line by line."""
    async with serving(tmp_path, "--terminal") as process, asyncio.timeout(PATIENCE):
        assert process.stdin is not None

        async def type_line(line: str) -> None:
            assert process.stdin is not None
            process.stdin.write(line.encode() + b"\n")
            await process.stdin.drain()

        await type_line("as ana")
        await type_line("refund 120 for order 1042, it arrived broken")
        number = await _read(process, r"\[?#?(\d+)\]?.*Approval needed: refund|Approval needed: refund.*?(\d+)")
        await type_line("as bo")
        await type_line(f"approve {number}")
        await _read(process, r"RF-0001")
        await type_line("quit")
        await process.wait()

    assert process.returncode == 0


async def _read(process: asyncio.subprocess.Process, pattern: str) -> str:
    """Read on until a line matches; give what its group caught."""
    assert process.stdout is not None
    seen: list[str] = []
    while line := (await process.stdout.readline()).decode():
        seen.append(line)
        if found := re.search(pattern, line):
            return next((group for group in found.groups() if group), "")
    raise AssertionError("".join(seen))
