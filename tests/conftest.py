"""House rules for every test: no network but loopback, no real credentials, no blocked loop; and a real server.

The rules hold through an audit hook, below every library. A breach raises on the spot and fails its test at the
end as well, in case something swallowed it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from bot.store.embedded import EmbeddedServer
from tests import postgres
from tests.crash import matrix

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = tuple(f"{ROOT / room}{os.sep}" for room in ("bot", "agents", "adapters"))
CREDENTIALS = re.compile(
    r"(OPENAI|SLACK|TEAMS|SMTP|COUNTERSIGN)_.*|.*_API_KEY|(HTTPS?|ALL|NO)_PROXY|REDIS_URL", re.IGNORECASE
)


class HouseRule(RuntimeError):
    """A test, or the code under it, did what no test may do. Not an OSError: nothing should retry it."""


class Breaches(list[str]):
    """What was done against the rules; the fixture of this name lets a test look, and forgive what it meant to do."""


_breaches = pytest.StashKey[Breaches]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_breaches] = Breaches()
    settings.register_profile("same", derandomize=True)  # two runs of one commit test the same; see the README
    settings.register_profile("explore", print_blob=True)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
    for name in [name for name in os.environ if CREDENTIALS.fullmatch(name)]:
        del os.environ[name]
    sys.addaudithook(_watch(config.stash[_breaches]))
    vars(time)["sleep"] = _wary(time.sleep, config.stash[_breaches])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the crash matrix, if its tests ran: here, because the tests themselves may run in other processes."""
    reports = [one for found in terminalreporter.stats.values() for one in found if isinstance(one, pytest.TestReport)]
    packed = [str(text) for one in reports for name, text in one.user_properties if name == matrix.PROPERTY]
    for line in matrix.told(packed):
        terminalreporter.write_line(line)


@pytest.fixture
def breaches(pytestconfig: pytest.Config) -> Breaches:
    return pytestconfig.stash[_breaches]


@pytest.fixture(autouse=True)
def house_rules(breaches: Breaches) -> Iterator[None]:
    """A breach fails the test it happened in, even when the code under test caught it."""
    breaches.clear()
    yield
    assert not breaches


@pytest.fixture(autouse=True)
def patient_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no broken Redis. Whoever tests the silence of one sets what they wait for."""
    monkeypatch.setattr("bot.store.line.PATIENCE", 20.0)


@pytest.fixture(autouse=True)
def own_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that is run in a test sets up no log: it would stay so for every other test."""
    monkeypatch.setattr("bot.telemetry.configure_logging", lambda *_, **__: None)


# -------------------------------------------------------------- the real server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """One server for the session (and for each xdist worker): the real one, but it need not survive a power cut."""
    server = EmbeddedServer(tmp_path_factory.mktemp("redis"), fsync="no")
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(server.__aenter__())
        yield server
        runner.run(server.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """PostgreSQL, where its programs are on this machine; the tests that need it are left out elsewhere."""
    if (tools := postgres.binaries()) is None:
        pytest.skip(postgres.NEEDS)
    with postgres.running(tools) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedServer) -> str:
    return redis_server.url


@pytest.fixture
def namespace() -> str:
    """A prefix of its own for every test: they share one server and never meet."""
    return f"t{uuid.uuid4().hex[:12]}"


# --------------------------------------------------------------------- the rules


def _watch(breaches: Breaches) -> Callable[[str, tuple[Any, ...]], None]:
    rules: Mapping[str, Callable[[tuple[Any, ...]], str | None]] = {
        "socket.connect": lambda args: _foreign(args[1]) or (_blocks("connect") if args[0].gettimeout() != 0 else None),
        "socket.sendto": lambda args: _foreign(args[1]),
        "socket.sendmsg": lambda args: _foreign(args[1]),
        "socket.getaddrinfo": lambda args: _foreign(args, is_name=True) or _blocks("getaddrinfo"),
        "socket.gethostbyname": lambda args: _foreign(args, is_name=True) or _blocks("gethostbyname"),
    }

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in rules and (breach := rules[event](args)):
            breaches.append(breach)
            raise HouseRule(breach)

    return hook


def _wary(sleep: Callable[[float], None], breaches: Breaches) -> Callable[[float], None]:
    """`time.sleep` is audited from Python 3.13 only."""

    def wary(seconds: float) -> None:
        if breach := _blocks("time.sleep"):
            breaches.append(breach)
            raise HouseRule(breach)
        sleep(seconds)

    return wary


def _foreign(address: object, *, is_name: bool = False) -> str | None:
    """Leaves the machine, or would ask somebody else for an address. *is_name*: it is looked up, not spoken to."""
    if not isinstance(address, tuple) or not address or address[0] in (None, "", b""):
        return None  # a unix socket, or our own address
    host = address[0].decode() if isinstance(address[0], bytes) else str(address[0])
    if host == "localhost":
        return None
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return f"{host} is not on this machine"
    return None if is_name or ip.is_loopback else f"{host} is not on this machine"


def _blocks(what: str) -> str | None:
    """Product code that holds up the event loop. Other threads, and the tests' own code, may."""
    if asyncio._get_running_loop() is None:
        return None
    frame = sys._getframe(2)
    while frame.f_back is not None:
        if frame.f_code.co_filename.startswith(PRODUCT):
            return f"{what} blocks the event loop, below {frame.f_code.co_qualname} ({frame.f_code.co_filename})"
        frame = frame.f_back
    return None
