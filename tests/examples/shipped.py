"""An agent as the shipped agents.yml declares it, examples included, for a house in this process."""

from __future__ import annotations

from bot.agentsbuild import Shelf, built
from bot.agentscheck import SETTING
from bot.agentsfile import read_agents
from bot.domain.ports import Agent
from tests.house import ROOT


def shipped(name: str, *, without: tuple[str, ...] = tuple(SETTING)) -> Agent:
    """The agent called *name*, whose members have every tool that they name but those of *without*."""
    file = read_agents(ROOT / "agents.yml")
    assert not file.problems, file.problems
    refs = [ref for entry in file.agents.values() for ref in entry.values.get("tools", ())]  # type: ignore[attr-defined]  # read as a tuple of names
    names = {ref.name for ref in refs} - {*without}
    return built(file, Shelf(secrets=dict.fromkeys(sorted(names), ())), default=name).get(name)
