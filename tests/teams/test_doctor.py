"""`python -m bot doctor` on Teams: what is not as settings, policy.yml and people.yml count on, told with its remedy.

The whole doctor runs, from the environment to its sentences, against the strict fake. Most tests are one table: what
somebody did wrong, and what the doctor then says. D-40: every sentence names the thing and what to do about it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.teams.places import Places
from adapters.teams.shapes import Inbound
from bot.app import opened_store
from bot.config import load_settings
from tests.fakes.teams import FakeTeams
from tests.ward import AnyWard

ELSEWHERE = "99999999-8888-7777-6666-555555555555"
ID = "the Object ID that Entra shows"


@dataclass(kw_only=True)
class Ward(AnyWard):
    """A tenant in which all is well: two people in the team Finance with its channel ops, who have the app, too.

    Teams told us so: its words are in the store. Tests make it worse.
    """

    teams: FakeTeams
    team: str = ""
    place: str = "teams/#ops"
    source: str = "teams_team: Finance"

    def facts(self) -> dict[str, str]:
        known = {"ana": f"accounts: {{teams: {self.ana}}}", "bo": f"accounts: {{teams: {self.bo}}}"}
        return {"tenant": f"teams: {self.teams.tenant}", **known}

    async def furnish(self) -> None:
        teams = self.teams
        self.ana, self.bo = teams.add_person("Ana Alvarez"), teams.add_person("Bo Brandt")
        self.team = teams.add_team("Finance", ["ops"], [self.ana, self.bo])
        self.sets(
            TEAMS_APP_ID=teams.app_id,
            TEAMS_APP_PASSWORD=teams.app_password,
            TEAMS_TENANT_ID=teams.tenant,
            TEAMS_OPENID_METADATA=teams.openid_metadata,
            TEAMS_LOGIN_URL=teams.login_url,
            TEAMS_GRAPH_URL=teams.graph_url,
            TEAMS_SERVICE_URL=teams.service_url,
            TEAMS_SERVICE_HOSTS=teams.origin,
            TEAMS_FALLBACK_CHANNEL="Finance/General",
        )

    async def heard(self, *where: str) -> None:
        """Teams told us of these conversations, in Ana's name or in that of whose chat it is."""
        async with opened_store(load_settings()) as store:
            places = Places(store.keep())
            for one in where or (self.team, self.teams.direct_chat(self.ana), self.teams.direct_chat(self.bo)):
                who = self.bo if one == self.teams.direct_chat(self.bo) else self.ana
                await places.learn(Inbound.of(self.teams.words(who, one, "hello")))


@pytest.fixture
async def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str, namespace: str) -> AsyncIterator[Ward]:
    """Before anybody installed anything."""
    monkeypatch.chdir(tmp_path)
    async with FakeTeams() as teams:
        ward = Ward(teams=teams, patch=monkeypatch, folder=tmp_path)
        await ward.furnish()
        ward.sets(REDIS_URL=redis_url, COUNTERSIGN_NAMESPACE=namespace, COUNTERSIGN_KEY="0123456789abcdef" * 4)
        yield ward
        assert teams.complaints == []


@pytest.fixture
async def ward(empty: Ward) -> Ward:
    await empty.heard()
    return empty


async def test_where_all_is_well_it_says_what_it_looked_at(ward: Ward) -> None:
    """Whoever starts the bot reads which tenant, teams and people it will work with."""
    found = await ward.findings()

    told, tenant = "\n".join(f"{one.mark} {one.text}" for one in found), ward.teams.tenant
    assert "✗" not in told
    assert f"✓ Entra gives app {ward.teams.app_id} of tenant {tenant} a token for the Bot Connector" in told
    assert "✓ the keys that Teams signs with are loaded" in told
    assert f"✓ people of tenant {tenant} may work here" in told
    assert "✓ Graph tells who people are and who leads them" in told
    assert f"✓ the app is in 1 of the teams of {tenant}: Finance" in told
    assert "✓ policy.yml, rule `mail`: channel ops is there, in a team that has the app" in told
    assert "✓ TEAMS_FALLBACK_CHANNEL: channel Finance/General is there, in a team that has the app" in told
    assert "✓ group finance: 2 may answer" in told
    assert "✓ the app is installed for everybody whom people.yml lists with an account of Teams" in told
    assert "✓ every quorum can be met by people who are on Teams now" in told


async def test_it_changes_nothing_in_teams(ward: Ward) -> None:
    """No post, and no chat is opened to find out whether it could be."""
    await ward.findings()

    assert not {one.route for one in ward.teams.called} & {"post", "put", "delete", "create"}


async def test_without_teams_nothing_is_said_about_it(ward: Ward) -> None:
    for name in ("APP_ID", "APP_PASSWORD", "TENANT_ID", "FALLBACK_CHANNEL"):
        ward.patch.delenv(f"TEAMS_{name}")

    await ward.findings()

    assert not ward.teams.called


# ------------------------------------------------------------- faults and sentences

Fault = Callable[[Ward], object]


def gives(**what: str) -> Fault:
    """The files say something else."""
    return lambda ward: vars(ward).update(what)


def all_of(*faults: Fault) -> Fault:
    def fault(ward: Ward) -> None:
        for one in faults:
            one(ward)

    return fault


def becomes(**facts: object) -> Fault:
    """Ana is so now."""
    return lambda ward: vars(ward.teams.person(ward.ana)).update(facts)


NO_CHANNEL = "no team that has this app has a channel of that name; add the app to its team, or correct the name"

FAULTS: list[tuple[str, Fault, str]] = [
    (
        "a secret nobody knows",
        lambda w: w.sets(TEAMS_APP_PASSWORD="another~secret"),
        "Entra refuses the app (HTTP 401, AADSTS7000215): TEAMS_APP_PASSWORD is not a secret of this app; please set "
        "the Value of one, not its Secret ID",
    ),
    (
        "a secret that has expired",
        lambda w: w.teams.faults.fail("token", 401, "AADSTS7000222"),
        "Entra refuses the app (HTTP 401, AADSTS7000222): TEAMS_APP_PASSWORD has expired; please make a new secret in "
        "Entra and set it",
    ),
    (
        "a certificate that is not the app's",
        lambda w: w.teams.faults.fail("token", 401, "AADSTS700027"),
        "Entra refuses the app (HTTP 401, AADSTS700027): TEAMS_APP_CERTIFICATE is not registered for this app, or has "
        "expired; please upload it in Entra",
    ),
    (
        "a tenant that is not there",
        lambda w: w.sets(TEAMS_TENANT_ID=ELSEWHERE),
        "Entra refuses the app (HTTP 400, AADSTS90002): TEAMS_TENANT_ID is no tenant of this cloud; please check it, "
        "and TEAMS_CLOUD",
    ),
    (
        "an app that the tenant does not know",
        lambda w: w.sets(TEAMS_APP_ID=ELSEWHERE),
        "Entra refuses the app (HTTP 400, AADSTS700016): TEAMS_APP_ID is unknown in TEAMS_TENANT_ID; a single-tenant "
        "app needs the tenant it is registered in",
    ),
    (
        "an Entra that stumbles",
        lambda w: w.teams.faults.html("token", times=9),
        "Entra gives no token at {origin} (HTTP 503); look at the network, TEAMS_CLOUD and TEAMS_LOGIN_URL",
    ),
    (
        "keys that do not load",
        lambda w: w.teams.faults.html("keys", times=9),
        "the keys that Teams signs with cannot be loaded (no signing keys from 127.0.0.1), so nobody would be heard; "
        "look at the network, TEAMS_CLOUD and TEAMS_OPENID_METADATA",
    ),
    (
        "a channel that is not there",
        gives(place="teams/#nowhere"),
        f"policy.yml, rule `mail`: channel nowhere is not reached: {NO_CHANNEL}",
    ),
    (
        "a fallback that is not there",
        lambda w: w.sets(TEAMS_FALLBACK_CHANNEL="Sales/General"),
        f"TEAMS_FALLBACK_CHANNEL: channel Sales/General is not reached: {NO_CHANNEL}",
    ),
    (
        "a team that does not have the app",
        gives(source="teams_team: Legal"),
        "group finance: no team called 'Legal' has this app; add it there, or correct the name",
    ),
    (
        "a group that is not there",
        gives(source=f"teams_group: {ELSEWHERE}"),
        f"group finance: tenant {{tenant}} has no group {ELSEWHERE}; correct it in people.yml",
    ),
    (
        "a group that may not be read",
        all_of(gives(source=f"teams_group: {ELSEWHERE}"), lambda w: w.teams.graph_permissions.clear()),
        f"group finance: Entra group {ELSEWHERE} needs the permission GroupMember.Read.All, granted in Entra",
    ),
    (
        "a group of people who may not answer",
        lambda w: [vars(w.teams.person(one)).update(is_guest=True) for one in (w.ana, w.bo)],
        "group finance has nobody who may answer (guests and deactivated people may not); add full members to Finance "
        "in Teams or Entra",
    ),
    (
        "an account nobody has",
        lambda w: w.lists(f"eve: {{name: Eve, accounts: {{teams: {ELSEWHERE}}}}}"),
        f"people.yml: account {ELSEWHERE} of eve is unknown to {{tenant}}; correct it ({ID})",
    ),
    (
        "an account of another tenant",
        lambda w: w.lists(f"eve: {{name: Eve, accounts: {{teams: {ELSEWHERE}/{ELSEWHERE}}}}}"),
        f"people.yml: account {ELSEWHERE} of eve is in tenant {ELSEWHERE}, which is none of this bot's; name it in "
        "TEAMS_TENANTS, or correct it",
    ),
    (
        "an account that was deactivated",
        becomes(is_disabled=True),
        "people.yml: account {ana} of ana is deactivated in Entra; take it out, or enable it",
    ),
    (
        "an account of a guest",
        becomes(is_guest=True),
        "people.yml: account {ana} of ana is a guest in Teams, and guests may answer nothing; make them a member, or "
        "take it out",
    ),
    (
        "an address nobody has",
        all_of(
            lambda w: w.sets(TEAMS_MATCH_EMAIL="true"), lambda w: w.lists("eve: {name: Eve, email: eve@example.org}")
        ),
        f"people.yml: the address of eve is of nobody in Entra who may answer; correct it, or list {ID} under accounts",
    ),
]

UNMET = "until you add people who may, or change the rule, what nobody can sign is refused"


@pytest.mark.parametrize(("fault", "sentence"), [(one[1], one[2]) for one in FAULTS], ids=[one[0] for one in FAULTS])
async def test_each_fault_is_told_in_one_sentence_with_its_remedy(ward: Ward, fault: Fault, sentence: str) -> None:
    """Bad, so that the command ends with an error."""
    fault(ward)

    found = await ward.says("✗")

    wanted = sentence.format(tenant=ward.teams.tenant, origin=ward.teams.origin, ana=ward.ana)
    assert wanted in found, "\n".join(found)


async def test_a_certificate_that_cannot_be_read_is_one_sentence(ward: Ward) -> None:
    """T11: nothing is asked with half a proof."""
    ward.patch.delenv("TEAMS_APP_PASSWORD")
    ward.sets(TEAMS_APP_CERTIFICATE="no-such.pem")

    found = await ward.says("✗")

    assert found == ["TEAMS_APP_CERTIFICATE no-such.pem cannot be read (No such file or directory)"]
    assert not ward.teams.called


async def test_an_app_that_is_nowhere_says_how_it_is_installed(empty: Ward) -> None:
    """And nothing more: what nobody was told of is not looked for."""
    found = await empty.findings()

    told = (
        f"Teams has sent nothing from tenant {empty.teams.tenant} yet; `python -m bot manifest --teams` writes its "
        "package: upload that, add it to a team, and have the bot's messaging endpoint lead to port 8700 here, path "
        "/api/messages, while `python -m bot serve` runs"
    )
    assert [one.text for one in found if one.is_weak and "Teams" in one.text] == [told]
    assert not [one for one in found if one.is_bad]


async def test_an_app_that_only_people_have_works_in_no_channel(empty: Ward) -> None:
    await empty.heard(empty.teams.direct_chat(empty.ana))

    found = await empty.says("!")

    told = f"the app is in no team of {empty.teams.tenant}, so it works in no channel and reads no team's members"
    assert f"{told}; add it there (the team's menu, Manage team, Apps)" in found


async def test_those_for_whom_the_app_is_not_installed_are_named(empty: Ward) -> None:
    """Their escalations cannot be direct messages."""
    await empty.heard(empty.team, empty.teams.direct_chat(empty.ana))

    found = await empty.says("!")

    told = "a direct message may not reach them; have them add the app, or an administrator install it for them"
    assert f"people.yml: the app was not seen to be installed for bo: {told}" in found


async def test_a_permission_that_nobody_granted_is_weak_and_named(ward: Ward) -> None:
    """Managers come from people.yml alone, and the rosters say who is there."""
    ward.teams.graph_permissions.clear()

    found = await ward.findings()

    told = (
        "Graph may not be asked about people: managers come from people.yml alone, and guests are told by the rosters"
    )
    remedy = "grant the application permission User.Read.All in Entra, or set TEAMS_GRAPH=false"
    assert f"{told} of teams; {remedy}" in [one.text for one in found if one.is_weak]
    assert "every quorum can be met by people who are on Teams now" in [one.text for one in found]


async def test_without_graph_a_roster_says_whether_an_account_is_there(ward: Ward) -> None:
    ward.sets(TEAMS_GRAPH="false", TEAMS_MATCH_EMAIL="true")
    ward.lists(f"eve: {{name: Eve, accounts: {{teams: {ELSEWHERE}}}}}")
    ward.lists("eli: {name: Eli, email: eli@example.org}")

    found = await ward.findings()

    told = "is in no roster that the app can read; add the app to a team they are in, or correct it"
    assert f"people.yml: account {ELSEWHERE} of eve {told} ({ID})" in [one.text for one in found if one.is_bad]
    assert "Graph is not asked: managers come from people.yml alone" in [one.text for one in found]
    told = f"without Graph they are known only once they write; add `accounts: {{teams: …}}`, {ID}"
    assert f"people.yml: eli with an address alone: {told}" in [one.text for one in found if one.is_weak]


async def test_whom_nobody_meets_in_teams_is_weak_and_signs_nothing(ward: Ward) -> None:
    """An account of the playground makes nobody an approver in Teams, nor does an address that is not looked at."""
    for name in ("eli", "eve"):
        ward.lists(f"{name}: {{name: {name}, groups: [cashiers], accounts: {{playground: {name}}}}}")
    ward.lists("pat: {name: Pat, email: pat@example.org}")
    ward.asked = "cashiers"

    found = await ward.findings()

    told = f"in Teams nobody is them; add `accounts: {{teams: …}}`, {ID}"
    assert f"people.yml: eli, eve without account: {told}" in [one.text for one in found if one.is_weak]
    told += ", or set TEAMS_MATCH_EMAIL=true"
    assert f"people.yml: pat with an address alone: {told}" in [one.text for one in found if one.is_weak]
    nobody = "policy.yml:7:10: rule `mail`: group 'cashiers' has nobody who may answer"
    assert f"{nobody}, as Teams is now; {UNMET}" in [one.text for one in found if one.is_weak]


async def test_a_quorum_that_todays_people_cannot_meet_is_weak(ward: Ward) -> None:
    """The bot runs without them: what nobody can sign is refused when asked. Of those listed, who is there counts."""
    ward.lists("eve: {name: Eve, groups: [finance], accounts: {playground: eve}}")
    ward.teams._world.teams[ward.team].members.discard(ward.bo)

    found = await ward.findings()

    needs = "it needs 1 of finance, the requester not counted"
    told = f"policy.yml:7:10: rule `mail`: nobody could sign calls of ana: {needs}, as Teams is now; {UNMET}"
    assert told in [one.text for one in found if one.is_weak]
    assert "group finance: 1 may answer" in [one.text for one in found]
    assert not [one.text for one in found if one.is_bad]


async def test_a_manager_whom_only_entra_knows_may_be_asked_for(ward: Ward) -> None:
    """The files are not refused for a manager whom people.yml does not name; the doctor asks Graph who it is."""
    ward.teams.person(ward.ana).manager, ward.teams.person(ward.bo).manager = ward.bo, ward.ana
    ward.asked = "manager(requester)"

    assert not [one.text for one in await ward.findings() if one.is_bad or one.text.endswith(UNMET)]

    ward.teams.person(ward.bo).manager = None
    [told] = [one for one in await ward.says("!") if one.endswith(UNMET)]
    assert "nobody could sign calls of bo: it needs 1 of manager(requester)" in told


async def test_what_teams_does_not_say_keeps_nothing_else_from_being_looked_at(ward: Ward) -> None:
    ward.teams.faults.html("graph", times=2)  # the look at the start is one

    found = await ward.findings()

    bad = [one.text for one in found if one.is_bad]
    assert bad == [
        "the permission to ask Graph could not be looked at: Graph answered HTTP 503; mend that and look again"
    ]
    assert "every quorum can be met by people who are on Teams now" in [one.text for one in found]


async def test_a_group_that_cannot_be_read_is_told_once(ward: Ward) -> None:
    """Nothing is said against the rules that ask it: nobody knows who is in it."""
    ward.source = "teams_team: Legal"

    [told] = await ward.says("✗")

    assert told.startswith("group finance: ")


async def test_an_emulator_is_told_of_and_nothing_is_asked_of_entra(empty: Ward) -> None:
    """Decision 17: said loudly, at every look."""
    empty.patch.delenv("TEAMS_APP_ID")
    empty.patch.delenv("TEAMS_APP_PASSWORD")
    empty.sets(TEAMS_AUTH="none")

    found = await empty.says("!")

    assert "TEAMS_AUTH=none: whoever reaches the port speaks as anybody; for emulators on this machine alone" in found
    assert not empty.teams.calls("token")


async def test_somebody_who_is_met_in_slack_counts_where_the_bot_is_on_both(ward: Ward) -> None:
    """A quorum across platforms is no mistake; what Slack says of its own is told by Slack's part."""
    ward.sets(SLACK_BOT_TOKEN="xoxb-1", SLACK_APP_TOKEN="xapp-1", SLACK_API_URL="http://127.0.0.1:1/api/")
    ward.lists("eli: {name: Eli, groups: [cashiers], accounts: {slack: T0123/U0123}}")
    ward.lists("eve: {name: Eve, groups: [cashiers], accounts: {slack: T0123/U0124}}")
    ward.asked = "cashiers"

    found = [one.text for one in await ward.findings()]

    assert "every quorum can be met by people who are on Teams or where else this bot is now" in found
    assert not [one for one in found if "eli" in one]


async def test_a_group_that_slack_tells_is_not_empty_for_teams(ward: Ward) -> None:
    """Only Slack knows who is in it; without Slack, nobody is."""
    ward.source, nobody = "slack_usergroup: finance", "group 'finance' has nobody who may answer"
    assert [one for one in await ward.says("!") if nobody in one and one.endswith(UNMET)]

    ward.sets(SLACK_BOT_TOKEN="xoxb-1", SLACK_APP_TOKEN="xapp-1", SLACK_API_URL="http://127.0.0.1:1/api/")

    assert not [one.text for one in await ward.findings() if nobody in one.text]
