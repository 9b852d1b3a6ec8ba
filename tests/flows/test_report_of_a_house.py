"""`python -m bot report` beside a bot that runs: for whom requests wait, as the bot itself would say.

The groups of people.yml, a schedule, and a workspace of Slack; and what is said when one of them cannot be asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.reports import Told, as_json, as_text, reported
from tests.fakes.slack import FakeSlack
from tests.flows.stage import Build, Hands, Played, Staff, call, calls, policy
from tests.house import KEY
from tests.roof.calendars import calendar, event

PEOPLE = """\
tenants: {{slack: {team}}}
people:
  ana: {{name: Ana, accounts: {{playground: ana}}}}
  bo: {{name: Bo, accounts: {{playground: bo, slack: {bo}}}}}
groups:
  finance: {{slack_usergroup: finance}}
"""


class Everybody(Staff):
    """As the running bot knows them: bo is on call, and in finance."""

    async def on_call(self, rotation: str) -> frozenset[str]:  # type: ignore[override]  # ids are text
        return frozenset({"bo"} if rotation == "support" else ())

    async def members(self, group: str) -> frozenset[str]:  # type: ignore[override]  # ids are text
        return frozenset({"bo"}) if group == "finance" else await super().members(group)


@pytest.fixture
def outside(
    monkeypatch: pytest.MonkeyPatch, redis_url: str, namespace: str, tmp_path: Path
) -> pytest.MonkeyPatch:  # fmt: skip
    """The settings of a command that looks at the house's store."""
    for name, value in {
        "REDIS_URL": redis_url,
        "COUNTERSIGN_NAMESPACE": namespace,
        "COUNTERSIGN_KEY": KEY.decode(),
        "COUNTERSIGN_SHARDS": "1",
        "COUNTERSIGN_VAR": str(tmp_path / "var"),
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as slack:
        yield slack


@asynccontextmanager
async def waiting_for(build: Build, hands: Hands, group: str) -> AsyncIterator[None]:
    """One request is open, put to *group* alone."""
    rules = policy(f"groups: ['{group}']")
    model = Played(calls(call("wire", amount=90)))
    async with build(policy=rules, tools=hands.tools, directory=Everybody(), model=model) as house:
        await house.mention("ana", "pay")
        await house.card()
        yield


def waits(told: Told) -> dict[str, int]:
    return {who: one.waiting for who, one in told.read.people.items() if one.waiting}


async def test_the_load_counts_who_is_on_call(
    build: Build, hands: Hands, outside: pytest.MonkeyPatch, tmp_path: Path
) -> None:  # fmt: skip
    """PN-14: the schedule that the settings name is asked, as the bot asks it."""
    file = tmp_path / "oncall.ics"
    file.write_text(calendar(event("support: bo", "20200101T000000Z", "20990101T000000Z")))
    outside.setenv("COUNTERSIGN_ONCALL", str(file))
    async with waiting_for(build, hands, "oncall(support)"):
        told = await reported("30d", "")

    assert waits(told) == {"bo": 1}
    assert not told.note


async def test_a_rotation_that_no_schedule_names_is_told_and_ends_no_report(
    build: Build, hands: Hands, outside: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """PN-14: the request is counted, and the line says what to mend."""
    assert outside
    async with waiting_for(build, hands, "oncall(support)"):
        told = await reported("30d", "")

    assert waits(told) == {}
    assert "Nobody can be read for 1 open request: oncall(support): no schedule says" in as_text(told)
    assert list(as_json(told)["unread"].values()) == [1]


async def test_the_load_counts_the_members_of_a_group_of_slack(
    build: Build, hands: Hands, outside: pytest.MonkeyPatch, slack: FakeSlack, tmp_path: Path
) -> None:  # fmt: skip
    """PN-14: read with the bot's own token, and nothing is posted; when Slack refuses it, the report says so."""
    bo = slack.add_user("bo")
    slack.add_usergroup("finance", [bo])
    (tmp_path / "people.yml").write_text(PEOPLE.format(team=slack.team, bo=bo))
    outside.setenv("COUNTERSIGN_PEOPLE", str(tmp_path / "people.yml"))
    for name in ("bot_token", "app_token", "api_url"):
        outside.setenv(f"SLACK_{name.upper()}", getattr(slack, name))
    async with waiting_for(build, hands, "finance"):
        told = await reported("30d", "")
        methods = {one.method for one in slack.called}
        outside.setenv("SLACK_BOT_TOKEN", "xoxb-nobody")
        alone = await reported("30d", "")

    assert waits(told) == {"bo": 1}
    assert not told.note
    assert not [method for method in methods if "post" in method or "update" in method or "publish" in method]
    assert waits(alone) == {}
    assert "are those of people.yml alone: SLACK_BOT_TOKEN" in as_text(alone)
