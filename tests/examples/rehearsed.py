"""An example's own agents and playbook without chat, store or HTTP: many short tests are faster than one process.

agent = shipped("incident", tools)                     # its agents.yml, with these tools and no others
story = await rehearse(agent, "the checkout …", tools=tools, model=Rehearsal(), people=[…])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from agents.patterns.calls import CALLS, pattern_tools
from agents.rehearsal.mind import PlayedCall, Spoken, answer
from agents.rehearsal.playbook import shipped as playbook
from agents.tools.people import people_tools
from bot.agentsbuild import Shelf, built
from bot.agentsfile import read_agents
from bot.domain.calls import ToolSpec
from bot.domain.ports import Agent, Line, Said, Tool, WantedCall

EXAMPLES = Path(__file__).parents[2] / "agents" / "examples"


def shipped(name: str, tools: Iterable[Tool], agent: str = "") -> Agent:
    """The agent *agent* (or one of that name) of the example *name*, as its file makes it."""
    file = read_agents(EXAMPLES / name / "agents.yml")
    assert not file.problems, file.problems
    there = (*tools, *people_tools(), *pattern_tools())
    shelf = Shelf(secrets={one.spec.name: one.spec.secrets for one in there}, inner=frozenset(CALLS))
    return built(file, shelf, default=next(iter(file.agents))).get(agent or name)


class Rehearsal:
    """`ports.Model`: the shipped playbook. `read` holds every conversation, by a few words of its prompt."""

    name = "rehearsal"

    def __init__(self) -> None:
        self._book = playbook()
        self.read: list[tuple[Line, ...]] = []

    async def think(
        self, lines: Sequence[Line], tools: Sequence[ToolSpec], *, on_text: Callable[[str], None] | None = None
    ) -> Said:
        self.read.append(tuple(lines))
        said = answer(self._book, [_spoken(line) for line in lines], [tool.name for tool in tools])
        if on_text is not None and said.text:
            on_text(said.text)
        calls = tuple(WantedCall(id=one.id, tool=one.tool, args=one.args) for one in said.calls)
        return Said(text=said.text, calls=calls)

    def of(self, prompt: str) -> list[str]:
        """What the agent with these words in its prompt read, request by request."""
        mine = [lines for lines in self.read if prompt in lines[0].text]
        return ["\n".join(line.text for line in lines) for lines in mine]


def _spoken(line: Line) -> Spoken:
    calls = tuple(PlayedCall(id=one.id, tool=one.tool, args=one.args) for one in line.calls)
    return Spoken(role=line.role, text=line.text, calls=calls)
