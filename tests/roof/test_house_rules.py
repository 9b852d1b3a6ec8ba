"""The rules of conftest, tried: what no test may do fails, even where somebody swallows the error."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from redis.asyncio import Redis

from tests.conftest import PRODUCT, ROOT, Breaches, HouseRule

SLY = """
import contextlib, socket

def test_sly():
    with contextlib.suppress(Exception), socket.socket() as plug:
        plug.connect(("192.0.2.1", 80))
"""


@pytest.mark.parametrize("host", ["192.0.2.1", "10.0.0.1", "169.254.169.254", "2001:db8::1"])
def test_a_foreign_address_cannot_be_reached(host: str, breaches: Breaches) -> None:
    """Refused before a packet leaves, and written down."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as plug, pytest.raises(HouseRule, match="not on this machine"):
        plug.connect((host, 80))

    assert breaches == [f"{host} is not on this machine"]
    breaches.clear()


async def test_a_foreign_name_is_not_even_looked_up(breaches: Breaches) -> None:
    """A name service is a network, too; it is asked in a thread."""
    with pytest.raises(HouseRule, match=r"countersign\.example"):
        await asyncio.open_connection("countersign.example", 443)

    breaches.clear()


def test_no_datagram_leaves(breaches: Breaches) -> None:
    """UDP needs no connection to leak."""
    with socket.socket(type=socket.SOCK_DGRAM) as plug, pytest.raises(HouseRule):
        plug.sendto(b"x", ("192.0.2.1", 53))

    breaches.clear()


async def test_product_code_may_not_block_the_loop(breaches: Breaches) -> None:
    """AS-11: a sleep below a product's frame, with a loop running, is caught; the same in a thread is not."""
    product = _product_module("def nap(sleep):\n    sleep(0)\n")

    with pytest.raises(HouseRule, match=r"time\.sleep blocks the event loop, below nap"):
        product.nap(time.sleep)
    breaches.clear()
    await asyncio.to_thread(product.nap, time.sleep)


def test_a_breach_that_was_swallowed_still_fails_its_test(tmp_path: Path) -> None:
    """Product code may catch anything; its test fails at the end all the same."""
    (tmp_path / "test_sly.py").write_text(SLY)

    words = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", os.devnull, "--rootdir", str(tmp_path)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    told = subprocess.run([*words, str(tmp_path)], env=env, capture_output=True, text=True, check=False)

    assert "1 passed, 1 error" in told.stdout
    assert "192.0.2.1 is not on this machine" in told.stdout


def test_no_credential_of_the_real_world_is_in_reach() -> None:
    """No test can spend somebody's money or speak in their workspace."""
    prefixes = ("OPENAI_", "SLACK_", "TEAMS_", "SMTP_", "COUNTERSIGN_", "REDIS_URL")

    assert not [name for name in os.environ if name.startswith(prefixes)]


async def test_the_session_has_a_real_server(redis_url: str, namespace: str) -> None:
    """Every test may have it, each below a prefix of its own."""
    async with Redis.from_url(redis_url) as redis:
        await redis.set(f"{namespace}:a", "1")

        assert await redis.get(f"{namespace}:a") == b"1"
        assert (await redis.info("server"))["tcp_port"] == 0


def _product_module(source: str) -> ModuleType:
    """A module that seems to stand in the product's folders."""
    module = ModuleType("nap")
    exec(compile(source, f"{PRODUCT[0]}nap.py", "exec"), module.__dict__)  # noqa: S102 - the test's own text
    assert sys.modules.get("nap") is None
    return module
