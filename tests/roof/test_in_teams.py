"""Teams as the settings name it: every TEAMS_ setting arrives, alone and beside Slack."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from adapters.server import Address
from adapters.teams.clouds import Changes
from bot.app import opened_store
from bot.chats import Venue, chats_of, looked
from bot.config import Settings, load_settings
from bot.domain.chat import Account
from bot.domain.errors import BadPolicy, BadSettings
from bot.in_teams import teams_settings
from bot.meeting import Footing, Ground
from bot.peoplefile import read_people
from bot.rules import read_rules
from bot.telemetry import Metrics
from tests.fakes.slack import FakeSlack
from tests.fakes.teams import FakeTeams

APP, TENANT, OTHER = (f"{digit * 8}-2222-3333-4444-555555555555" for digit in "789")
TEAMS = {"TEAMS_APP_ID": APP.upper(), "TEAMS_APP_PASSWORD": "canary~pw", "TEAMS_TENANT_ID": TENANT}
SOCKET = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
HTTP = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "canary-sign"}
PEOPLE = """\
tenants: {{slack: {workspace}, teams: {tenant}}}
people:
  ana: {{name: Ana, accounts: {{slack: {slack}, teams: {teams}}}}}
"""
LED = """\
defaults:
  ask: {groups: ["manager(requester)"]}
  ladder: [{after: 4h, expire: true}]
rules:
  - {id: reading, when: tool.risk == "read", allow: true}
"""


def load(env: pytest.MonkeyPatch, variables: Mapping[str, str]) -> Settings:
    for name, value in variables.items():
        env.setenv(name, value)
    return load_settings(None)


def write(folder: Path, people: str) -> None:
    (folder / "people.yml").write_text(people)
    (folder / "policy.yml").write_text(LED)


def test_every_setting_of_teams_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of the README's table, each where it is used; our own tenant is always one of those allowed."""
    changed = {
        "TEAMS_TENANTS": f"{OTHER}, {TENANT}",
        "TEAMS_CLOUD": "gcc",
        "TEAMS_OPENID_METADATA": "https://a.example/metadata",
        "TEAMS_LOGIN_URL": "https://b.example",
        "TEAMS_ISSUER": "https://c.example",
        "TEAMS_SCOPE": "https://d.example/.default",
        "TEAMS_GRAPH_URL": "https://e.example",
        "TEAMS_SERVICE_URL": "https://f.example/teams/",
        "TEAMS_SERVICE_HOSTS": "g.example h.example",
        "TEAMS_GRAPH": "false",
        "TEAMS_FALLBACK_CHANNEL": "Sales/Alerts",
        "TEAMS_PORT": "4000",
        "COUNTERSIGN_HOST": "0.0.0.0",
    }

    given = teams_settings(load(monkeypatch, TEAMS | changed))

    assert (given.app_id, given.app_password, given.certificate) == (APP, "canary~pw", b"")
    assert (given.tenant, given.allowed, given.auth) == (TENANT, frozenset({TENANT, OTHER}), "tokens")
    assert given.cloud == "gcc"
    assert given.changes == Changes(
        metadata="https://a.example/metadata",
        login="https://b.example",
        issuer="https://c.example",
        scope="https://d.example/.default",
        graph="https://e.example",
        service_url="https://f.example/teams/",
        hosts=("g.example", "h.example"),
    )
    assert (given.is_graph, given.fallback) == (False, "Sales/Alerts")
    assert given.address == Address(host="0.0.0.0", port=4000)
    assert "canary" not in repr(given)


def test_a_certificate_is_read_from_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "app.pem").write_bytes(b"key and certificate")
    certified = {"TEAMS_APP_ID": APP, "TEAMS_TENANT_ID": TENANT, "TEAMS_APP_CERTIFICATE": str(tmp_path / "app.pem")}

    given = teams_settings(load(monkeypatch, certified))

    assert (given.app_password, given.certificate) == ("", b"key and certificate")


def test_a_certificate_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """T11: a bot without its proof does not start."""
    missing = str(tmp_path / "missing.pem")
    certified = {"TEAMS_APP_ID": APP, "TEAMS_TENANT_ID": TENANT, "TEAMS_APP_CERTIFICATE": missing}

    with pytest.raises(BadSettings) as refused:
        teams_settings(load(monkeypatch, certified))

    told = f"TEAMS_APP_CERTIFICATE {missing} cannot be read (No such file or directory)"
    assert refused.value.problems == [told]


@pytest.mark.parametrize(
    ("beside", "port"),
    [({}, 8700), (SOCKET, 8700), (HTTP, 3978), ({**HTTP, "TEAMS_PORT": "4000"}, 4000), ({"PORT": "5000"}, 5000)],
    ids=["alone", "Socket Mode", "Slack over HTTP", "Slack over HTTP, and a port", "another port"],
)
def test_teams_posts_to_the_one_port_unless_slack_does(
    monkeypatch: pytest.MonkeyPatch, beside: Mapping[str, str], port: int
) -> None:
    """CD-10: what starts the bot of a Procfile gives it one PORT."""
    settings = load(monkeypatch, {**TEAMS, **beside})

    assert settings.teams_port == port
    assert settings.chats == (("slack", "teams") if "SLACK_BOT_TOKEN" in beside else ("teams",))


async def test_a_rule_may_ask_for_a_manager_whom_only_entra_knows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without Teams it is refused: nobody of people.yml has a manager."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, PEOPLE.format(workspace="T1", tenant=TENANT, slack="U1", teams=OTHER))
    with pytest.raises(BadPolicy, match=r"manager\(requester\)"):
        await read_rules(load(monkeypatch, {}))

    assert (await read_rules(load(monkeypatch, TEAMS))).policy.rules


async def test_one_bot_is_in_slack_and_in_teams_and_knows_a_person_by_either_account(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, redis_url: str, namespace: str
) -> None:
    """CD-07: rights belong to persons; each platform's own people are known on both."""
    monkeypatch.chdir(tmp_path)
    async with FakeSlack() as slack, FakeTeams() as teams, AsyncExitStack() as stack:
        here, there = slack.add_user("ana"), teams.add_person("Ana Alvarez")
        write(tmp_path, PEOPLE.format(workspace=slack.team, tenant=teams.tenant, slack=here, teams=there))
        settings = load(monkeypatch, {**both(slack, teams), "REDIS_URL": redis_url, "COUNTERSIGN_NAMESPACE": namespace})
        store = await stack.enter_async_context(opened_store(settings))
        rules = await read_rules(settings)
        ground = Ground(settings=settings, rules=rules, keep=store.keep(), meter=Metrics(), stack=stack)

        meeting, everybody = await chats_of(Venue(chats=settings.chats, examples={}), ground, store)

        assert [chat.platform for chat in meeting.chats] == ["slack", "teams"]
        for account in (
            Account(platform="slack", tenant=slack.team, user=here),
            Account(platform="teams", tenant=teams.tenant, user=there),
        ):
            person = await everybody.who(account)
            assert person is not None
            assert person.id == "ana"


async def test_a_command_that_only_looks_knows_who_is_on_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, redis_url: str, namespace: str
) -> None:
    """PN-14: the report asks both platforms; when one of them turns it away, people.yml alone, and it says why."""
    monkeypatch.chdir(tmp_path)
    async with FakeSlack() as slack, FakeTeams() as teams, AsyncExitStack() as stack:
        here, there = slack.add_user("ana"), teams.add_person("Ana Alvarez")
        write(tmp_path, PEOPLE.format(workspace=slack.team, tenant=teams.tenant, slack=here, teams=there))
        settings = load(monkeypatch, {**both(slack, teams), "REDIS_URL": redis_url, "COUNTERSIGN_NAMESPACE": namespace})
        store = await stack.enter_async_context(opened_store(settings))
        footing = Footing(settings=settings, listed=read_people(settings.people), keep=store.keep(), stack=stack)
        stranger = Account(platform="teams", tenant=teams.tenant, user=teams.add_person("Cy"))

        found, why = await looked(footing, lambda known: known.who(stranger))
        refused = load(monkeypatch, {"TEAMS_APP_PASSWORD": "no~secret"})
        alone, told = await looked(dataclasses.replace(footing, settings=refused), lambda known: known.who(stranger))

        assert found is not None
        assert (found.name, why) == ("Cy", "")
        assert alone is None
        assert "TEAMS_APP_PASSWORD" in told


def both(slack: FakeSlack, teams: FakeTeams) -> Mapping[str, str]:
    return {
        "COUNTERSIGN_KEY": "0123456789abcdef" * 4,
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_API_URL": slack.api_url,
        "TEAMS_APP_ID": teams.app_id,
        "TEAMS_APP_PASSWORD": teams.app_password,
        "TEAMS_TENANT_ID": teams.tenant,
        "TEAMS_OPENID_METADATA": teams.openid_metadata,
        "TEAMS_LOGIN_URL": teams.login_url,
        "TEAMS_GRAPH_URL": teams.graph_url,
        "TEAMS_SERVICE_URL": teams.service_url,
        "TEAMS_SERVICE_HOSTS": teams.origin,
        "TEAMS_PORT": "0",
    }
