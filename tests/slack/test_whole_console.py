"""One workflow file on a console and in Slack: a person is a member of it, with a role, and an address on each."""

from __future__ import annotations

import re
from pathlib import Path

from adapters.terminal import Terminal
from adapters.terminal_text import ENDED
from agents.patterns.calls import CALLS
from agents.toolbox import Toolbox
from bot.agentsbuild import Shelf, built
from bot.agentsfile import parse_agents
from bot.domain.audit import Entry
from bot.domain.ports import Agent, Chat, Directory, Model
from bot.peoplefile import PeopleDirectory
from bot.runtime.views import RuntimeViews
from tests.agents.patterns.minds import Minds
from tests.flows.stage import policy, settled
from tests.house import KEY
from tests.playground.seat import Seat
from tests.slack.whole import Build, Site
from tests.whole import NAMES, Whole, people_of

WORKFLOW = """
default: text
agents:
  writer: {kind: react, prompt: writer}
  human_reviewer: {kind: human, role: reviewer, of: approvers, instructions: Approve or suggest edits.}
  text:
    kind: routes
    members: [writer, human_reviewer]
    rules: [{from: user, to: writer}, {from: writer, to: human_reviewer}, {from: human_reviewer, to: user}]
"""
TASK = "summarise the history of the internet"
MARKED = "Draft – awaiting review"


class Console(Whole):
    """A process whose only chat is the terminal, where everybody takes turns at one screen."""

    async def _outside(self, toolbox: Toolbox) -> tuple[Chat, Directory]:
        people: PeopleDirectory = people_of({}, {name: {"terminal": name} for name in NAMES})
        self.seat = Seat()
        views = RuntimeViews(self.store, toolbox, people, KEY)
        self.adapter = Terminal(people.people, views, self.seat.keyboard, self.seat.write)
        return self.adapter, people

    async def _listen(self) -> None:
        self.front.desk = self.desk
        await self._stack.enter_async_context(self.adapter.serve(self.front))


def workflow() -> list[Agent]:
    file = parse_agents(WORKFLOW.encode())
    assert file.problems == []
    shelf = Shelf(secrets={}, inner=frozenset(CALLS))
    return sorted(built(file, shelf, default="text").agents(), key=lambda one: one.name != "text")


def drafts() -> Model:
    return Minds(writer=["It began in 1969.", "It began in 1969, as ARPANET."])


async def on_console(url: str, namespace: str, folder: Path) -> list[Entry]:
    async with Console(url, namespace, folder, policy=policy(), agents=workflow(), model=drafts()) as bot:
        seat = bot.seat
        seat.hit(TASK)
        await seat.reads("accept 3")
        assert MARKED in "\n".join(seat.printed)
        assert "Approve or suggest edits." in "\n".join(seat.printed)
        seat.hit("as bo")
        seat.hit("revise 3 add ARPANET dates")
        again = re.compile(r"accept ([4-9]) ")
        await bot.until(lambda: again.search("\n".join(seat.printed)), "a second card")
        seat.hit("accept " + again.findall("\n".join(seat.printed))[-1])
        printed = await seat.reads(ENDED)
        assert "text: It began in 1969, as ARPANET." in printed
        assert await settled(bot)
        return await bot.audit()


async def in_slack(site: Site, build: Build) -> list[Entry]:
    async with build(policy=policy(), agents=workflow(), model=drafts()) as bot:
        thread = await site.asks("ana", TASK)
        first = await bot.seen("Accept")
        assert MARKED in site.said(thread)
        assert "Approve or suggest edits." in site.text(first)
        await site.opens("bo", "Revise", first)
        await site.submits("bo", text="add ARPANET dates")
        await site.presses("bo", "Accept", await bot.seen("Accept", but=[first]))
        await bot.shows("It began in 1969, as ARPANET.", in_thread=thread)
        assert await settled(bot)
        return await bot.audit()


def record(audit: list[Entry]) -> list[tuple[str, ...]]:
    """What happened, by whom and to what: all but ids, times and places."""
    told = ("person", "move", "agent", "tool", "rule", "status", "kind", "cause", "requester")
    quiet = ("card_shown", "shard_taken")  # how often a card was shown depends on the pace
    return [
        (entry.event, *(str(entry.fields[name]) for name in told if name in entry.fields))
        for entry in audit
        if entry.event not in quiet
    ]


async def test_a_workflow_with_a_person_in_it_leaves_the_same_record_on_a_console_and_in_slack(
    site: Site, build: Build, redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """A2-06, A2-08, A2-12, A2-14, A2-15: suggested edits go back to the writer, an acceptance ends it; both alike."""
    (tmp_path / "console").mkdir()

    here = record(await on_console(redis_url, f"{namespace}c", tmp_path / "console"))
    there = record(await in_slack(site, build))

    assert [event for event, *_ in here].count("vote_counted") == 2
    assert here == there
