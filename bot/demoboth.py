"""The demo across platforms: one request, shown in Slack and in Teams, signed by two people in two places.

    ana asks in Slack -> the card stands there, and a moment later in Teams -> bo signs in Teams -> chris in Slack
    -> it happens once, and no copy has a button any more

Bo has an account on both: his second signature, from the other platform, counts for nothing. The policy of the story is
its own; who the people are is `people.yml` with two accounts each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bot.demoslack import SlackStage, slack_stage
from bot.demostage import NAMES, Say, Stage, Warehouse, people_yml
from bot.demoteams import ROOM, TeamsStage, teams_stage

POLICY = f"""\
defaults:
  ask: {{groups: [approvers], separate_duties: true, reason: on_reject}}
  ladder:
    - {{after: 1s, also: "teams/#{ROOM}"}}
    - {{after: 4h, expire: true}}
rules:
  - {{id: reading, when: 'tool.risk == "read"', allow: true}}
  - id: refund-by-two
    when: tool.name == "refund"
    ask: {{groups: [{{of: signers, need: 2}}], separate_duties: true, reason: on_reject}}
"""


@asynccontextmanager
async def both_stage(say: Say, folder: Path, warehouse: Warehouse) -> AsyncIterator[BothStage]:
    """Raises BadSettings where there is no imitation of Slack or Teams."""
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(slack_stage(say, folder, warehouse))
        teams = await stack.enter_async_context(teams_stage(say, folder, warehouse))
        yield BothStage(say, folder, warehouse, slack, teams)


class BothStage(Stage):
    """One bot between two audiences."""

    def __init__(self, say: Say, folder: Path, warehouse: Warehouse, slack: SlackStage, teams: TeamsStage) -> None:
        super().__init__(say, folder, warehouse)
        self.slack, self.teams = slack, teams
        tenants = {**slack.tenants, **teams.tenants}
        accounts = {name: {**slack.accounts[name], **teams.accounts[name]} for name in NAMES}
        self._people, self._policy = folder / "people.yml", folder / "policy.yml"
        self._people.write_text(people_yml(tenants, accounts))
        self._policy.write_text(POLICY)

    def settings(self) -> Mapping[str, str]:
        own = {"COUNTERSIGN_PEOPLE": str(self._people), "COUNTERSIGN_POLICY": str(self._policy)}
        return {**self.slack.settings(), **self.teams.settings(), **own}

    async def arrived(self, where: str) -> None:
        await self.slack.arrived(where)
        await self.teams.arrived(where)

    async def kill(self) -> None:
        await super().kill()
        await self.slack.kill()
        await self.teams.kill()

    async def story(self, *, is_deadly: bool) -> None:
        """Two signatures in two places; with *is_deadly*, the bot dies between them."""
        await self.start()
        await self.slack.write("ana", "@countersign refund 120 for order 1042, it arrived broken")
        await self.slack.sees("approve")
        await self.teams.press("bo", "approve")
        if is_deadly:
            await self.die("between two signatures")
            await self.start()
        await self.slack.press("bo", "approve")  # the same person, another account
        await self.slack.press("chris", "approve")
        await self.slack.ends(1)
        await self.teams.settled("Approve")
        await self.slack.settled("Approve")
        await self.slack.listen_on()
