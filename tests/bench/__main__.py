"""`python -m tests.bench`: measure, print a table, write `var/bench.json`. What each row means: docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bot.domain.wire import dumps
from tests.bench import agents, peers, pending, resume, slack, teams
from tests.bench.bot import logging_as_shipped

PARTS = ("resume", "peers", "slack", "teams", "agents", "pending")
TURNS = 2_000  # of Teams, of each server and round
Numbers = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What a row should reach; `most` is a ceiling, `least` a floor."""

    most: float | None = None
    least: float | None = None

    def holds(self, value: float) -> bool:
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)

    def __str__(self) -> str:
        return f"≤ {self.most:,g}" if self.most is not None else f"≥ {self.least:,g}"


BARS: Mapping[str, Bar] = {
    "resume.same_process.ratio_to_redis": Bar(most=6),
    "resume.other_process.ratio_to_redis": Bar(most=10),
    "resume.cold_ratio_to_hot": Bar(most=3),
    "resume.ahead_of_langgraph_redis": Bar(least=4),
    "resume.ahead_of_dbos_sqlite": Bar(least=4),
    "slack.ack_ratio_to_bolt": Bar(most=1.5),
    "slack.ack_ratio_to_allowed": Bar(most=1),  # counts where one round trip to Redis alone breaks the other
    "teams.turns_ratio_to_stock": Bar(least=10),
    "teams.turn_ratio_to_plain": Bar(most=8),
    "replay.ratio_200_to_100": Bar(most=2.3),  # linear; a quadratic one is 4
    "journal.ratio_200_to_50": Bar(most=1.2),  # bytes of one step: the same, however many there are
    "runs.1000_concurrent.done": Bar(least=1000),
    "pending.redis_bytes_each": Bar(most=4096),
    "pending.rss_growth_mb": Bar(most=100),
    "restart.ready_s": Bar(most=3),
}


async def measure(args: argparse.Namespace, folder: Path) -> Numbers:
    found: Numbers = {}
    if "resume" in args.only or "peers" in args.only:
        _tell(f"resume: {args.rounds} rounds of {args.clicks} clicks of each kind, and one to warm up")
        found |= _resume(await resume.measure(folder / "resume", rounds=args.rounds, clicks=args.clicks))
    if "peers" in args.only:
        found |= await _peers(args, folder, found["resume.same_process.us"])
    if "slack" in args.only:
        _tell(f"slack: {args.rounds} rounds of {args.clicks} clicks and {slack.BURST} at once, and one to warm up")
        found |= _slack(await slack.measure(folder / "slack", rounds=args.rounds, clicks=args.clicks))
    if "teams" in args.only:
        _tell(f"teams: {args.rounds} rounds of {TURNS:,} turns, and one to warm up")
        found |= _teams(await teams.measure(rounds=args.rounds, turns=TURNS))
    if "agents" in args.only:
        _tell(f"agents: {args.rounds} rounds, and one to warm up; then {agents.MANY:,} runs at once")
        found |= _agents(await agents.measure(folder / "agents", rounds=args.rounds))
    if "pending" in args.only:
        _tell(f"pending: {args.pending:,} runs; some minutes to make them")
        found |= _pending(await pending.measure(folder / "pending", pending=args.pending))
    return found


def _resume(seconds: Mapping[str, float]) -> Numbers:
    write, read = seconds["write"], seconds["read"]
    return {
        "redis.evalsha_write.us": write * 1e6,
        "redis.evalsha_noop.us": read * 1e6,
        **_way("resume.same_process", "hot", seconds),
        **_way("resume.other_process", "far", seconds),
        "resume.cold_ratio_to_hot": seconds["cold.wake"] / seconds["hot.wake"],
        "step.overhead_us": seconds["step"] * 1e6,
    }


def _way(row: str, way: str, seconds: Mapping[str, float]) -> Numbers:
    """From a click to the coroutine's next line; and on to its signed tool, and to the agent's own next line."""
    write, wake = seconds["write"], seconds[f"{way}.wake"]
    return {
        f"{row}.us": wake * 1e6,
        f"{row}.ratio_to_redis": wake / write,
        f"{row}.ratio_to_noop": wake / seconds["read"],
        f"{row}.to_tool_ratio": seconds[f"{way}.tool"] / write,
        f"{row}.to_next_line_ratio": seconds[f"{way}.line"] / write,
    }


async def _peers(args: argparse.Namespace, folder: Path, ours_us: float) -> Numbers:
    found: Numbers = {}
    for name in peers.PEERS:
        _tell(f"peer: {name}")
        theirs = await peers.measure(name, folder, rounds=args.rounds, clicks=args.clicks)
        if theirs is not None:
            found[f"peer.{name}.us"], found[f"peer.{name}.to_line_us"] = theirs.safe * 1e6, theirs.line * 1e6
            found[f"resume.ahead_of_{name}"] = theirs.safe * 1e6 / ours_us
            found[f"resume.ahead_of_{name}.to_line"] = theirs.line * 1e6 / ours_us
    return found


def _slack(seconds: Mapping[str, float]) -> Numbers:
    ack, bolt, redis = seconds["ack"], seconds["bolt"], seconds["redis"]
    return {
        "slack.ack_us": ack * 1e6,
        "slack.bolt_us": bolt * 1e6,
        "slack.redis_us": redis * 1e6,
        "slack.redis_small_us": seconds["small"] * 1e6,
        "slack.ack_ratio_to_bolt": ack / bolt,
        "slack.ack_ratio_to_allowed": ack / (1.2 * bolt + redis),
        "slack.click_to_tool_us": seconds["tool"] * 1e6,
        "slack.ack_p99_ms": seconds["p99"] * 1e3,
        "slack.acks_per_s": seconds["per_s"],
    }


def _teams(seconds: Mapping[str, float]) -> Numbers:
    """A turn's cost is the server's CPU time; turns a second are as the clock saw them."""
    cost = {name: seconds[f"{name}.cpu"] for name in teams.SIDES}
    return {
        **{f"teams.{name}_turn_us": cost[name] * 1e6 for name in teams.SIDES},
        **{f"teams.{name}_turns_per_s": seconds[f"{name}.per_s"] for name in teams.SIDES},
        "teams.turns_ratio_to_stock": cost["stock"] / cost["seam"],
        "teams.turn_ratio_to_plain": cost["seam"] / cost["plain"],
        "teams.invoke_p50_us": seconds["seam.p50"] * 1e6,
        "teams.invoke_p99_us": seconds["seam.p99"] * 1e6,
        "teams.plain_invoke_p50_us": seconds["plain.p50"] * 1e6,
        "teams.plain_invoke_p99_us": seconds["plain.p99"] * 1e6,
    }


def _agents(numbers: Mapping[str, float]) -> Numbers:
    short, long = numbers[f"replay.{agents.SHORT}"], numbers[f"replay.{agents.LONG}"]
    few, many = numbers[f"bytes.{agents.FEW}"], numbers[f"bytes.{agents.LONG}"]
    return {
        "run.steps_per_s": 1 / numbers["step"],
        "run.step_cost_ratio": numbers["step"] / numbers["bare"],
        "replay.200_steps_s": long,
        "replay.ratio_200_to_100": long / short,
        "journal.bytes_per_step_50": few,
        "journal.bytes_per_step_200": many,
        "journal.ratio_200_to_50": many / few,
        "pattern.sequential_us": numbers["team"] * 1e6,
        "pattern.single_us": numbers["thrice"] * 1e6,
        "pattern.sequential_ratio_to_single": numbers["team"] / numbers["thrice"],
        "runs.1000_concurrent.s": numbers["many.s"],
        "runs.1000_concurrent.kb_each": numbers["many.kb_each"],
        "runs.1000_concurrent.done": numbers["many.done"],
    }


def _pending(numbers: Mapping[str, float]) -> Numbers:
    weights = {f"pending.{name}": value for name, value in numbers.items() if name.startswith("weight.")}
    return {
        "pending.redis_bytes_each": numbers["bytes_each"],
        "pending.rss_growth_mb": numbers["rss_growth_mb"],
        "pending.made_per_s": numbers["made_per_s"],
        **weights,
        "restart.ready_s": numbers["ready"],
        "restart.after_server_s": numbers["after_server_s"],
        "decisions.per_s": numbers["resumed_per_s"],
        "decisions.accepted_per_s": numbers["accepted_per_s"],
    }


def _table(found: Numbers) -> Table:
    table = Table("row", "measured", "bar", "", title="Countersign, measured")
    for name, value in found.items():
        bar = BARS.get(name)
        verdict = "" if bar is None else "reached" if bar.holds(value) else "missed"
        table.add_row(name, f"{value:,.2f}" if value < 1000 else f"{value:,.0f}", str(bar or ""), verdict)
    return table


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--pending", type=int, default=100_000, help="runs that wait for people")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clicks", type=int, default=30, help="clicks of each kind in a round")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--folder", type=Path, default=Path("var"), help="the disk that everything is stored on")
    parser.add_argument("--out", type=Path, default=Path("var/bench.json"))
    return parser.parse_args()


def main() -> None:
    args = _arguments()
    for folder in (args.folder, args.out.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.folder.absolute(), prefix="bench-") as folder, logging_as_shipped():
        found = uvloop.run(measure(args, Path(folder)))
    args.out.write_bytes(dumps({name: round(value, 3) for name, value in found.items()}) + b"\n")
    Console().print(_table(found))
    _tell(f"written to {args.out}")


if __name__ == "__main__":
    main()
