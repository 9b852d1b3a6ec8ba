"""`python -m bot doctor` on Slack: what is not as settings, policy.yml and people.yml count on, told with its remedy.

The whole doctor runs, from the environment to its sentences, against the strict fake. Most tests are one table: what
somebody did wrong, and what the doctor then says. D-40: every sentence names the thing and what to do about it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from slack_sdk.oauth.installation_store import Bot

from adapters.slack.checkup import WITHOUT
from adapters.slack.installs import KeptInstalls
from adapters.slack.manifest import SCOPES
from adapters.slack.workspace import REMEDIES
from bot.app import opened_store
from bot.config import load_settings
from tests.fakes.slack import FakeSlack
from tests.fakes.slack.world import APP
from tests.house import ROOT
from tests.ward import AnyWard


@dataclass(kw_only=True)
class Ward(AnyWard):
    """A workspace in which all is well: two people in @finance, the bot in #approvals. Tests make it worse."""

    slack: FakeSlack
    group: str = ""
    approvals: str = ""
    source: str = "slack_usergroup: finance"

    def facts(self) -> dict[str, str]:
        known = {"ana": f"accounts: {{slack: {self.ana}}}", "bo": "email: bo@example.org"}
        return {"tenant": f"slack: {self.slack.team}", **known}

    def furnish(self) -> None:
        slack = self.slack
        slack.scopes.intersection_update(SCOPES)
        self.ana, self.bo = slack.add_user("ana"), slack.add_user("bo", email="bo@example.org")
        self.group = slack.add_usergroup("finance", [self.ana, self.bo])
        self.approvals = slack.add_channel("approvals", [self.ana, self.bo])
        self.place = f"#{self.approvals}"
        slack.add_profile_field("Manager")
        slack.add_profile_field("Shoe size", type="text")
        self.sets(
            SLACK_BOT_TOKEN=slack.bot_token,
            SLACK_APP_TOKEN=slack.app_token,
            SLACK_SIGNING_SECRET=slack.signing_secret,
            SLACK_API_URL=slack.api_url,
            SLACK_FALLBACK_CHANNEL=self.approvals,
            SLACK_MANAGER_FIELD="Manager",
            SLACK_MATCH_EMAIL="true",
        )

    def is_for_many(self) -> None:
        """An app that any workspace may install, instead of one token."""
        self.patch.delenv("SLACK_BOT_TOKEN")
        self.patch.delenv("SLACK_APP_TOKEN")
        self.sets(SLACK_CLIENT_ID=self.slack.client_id, SLACK_CLIENT_SECRET=self.slack.client_secret)

    async def installed(self, team: str, token: str) -> None:
        """*team* installed the app: its row is in the store."""
        settings = load_settings()
        bot = Bot(
            team_id=team, bot_token=token, bot_id="B1", bot_user_id=self.slack.bot_of(team), installed_at=time.time()
        )
        async with opened_store(settings) as store:
            await KeptInstalls(store.keep(), settings.slack_client_id or "").async_save_bot(bot)


@pytest.fixture
async def ward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str, namespace: str) -> AsyncIterator[Ward]:
    monkeypatch.chdir(tmp_path)
    async with FakeSlack() as slack:
        ward = Ward(slack=slack, patch=monkeypatch, folder=tmp_path)
        ward.furnish()
        ward.sets(REDIS_URL=redis_url, COUNTERSIGN_NAMESPACE=namespace, COUNTERSIGN_KEY="0123456789abcdef" * 4)
        yield ward


async def test_where_all_is_well_it_says_what_it_looked_at(ward: Ward) -> None:
    """Whoever starts the bot reads which workspace, bot and people it will work with."""
    found = await ward.findings()

    told = "\n".join(f"{one.mark} {one.text}" for one in found)
    team, bot = ward.slack.team, ward.slack.bot_user
    assert "✗" not in told
    assert "✓ SLACK_SIGNING_SECRET is set: what Slack posts over HTTP is checked with it" in told
    assert "✓ Socket Mode works: SLACK_APP_TOKEN may open a connection" in told
    assert f"✓ SLACK_BOT_TOKEN is that of @countersign, {bot}, in Fake, {team}" in told
    assert "✓ SLACK_BOT_TOKEN has every scope of the manifest" in told
    assert f"✓ policy.yml, rule `mail`: channel {ward.approvals} is there in {team}, and the bot is in it" in told
    assert f"✓ SLACK_FALLBACK_CHANNEL: channel {ward.approvals} is there in {team}, and the bot is in it" in told
    assert "✓ group finance: 2 may answer" in told
    assert f"✓ SLACK_MANAGER_FIELD: 'Manager' names people in {team}" in told
    assert "✓ every quorum can be met by people who are on Slack now" in told


async def test_it_changes_nothing_in_slack(ward: Ward) -> None:
    """No post, no window, and no socket stays open."""
    await ward.findings()

    reads = {one.method for one in ward.slack.called}
    assert not {method for method in reads if method.startswith(("chat.", "views.", "files.", "agents."))}
    assert not ward.slack.sockets.lines


async def test_without_slack_nothing_is_said_about_it(ward: Ward) -> None:
    for name in ("BOT_TOKEN", "APP_TOKEN", "SIGNING_SECRET", "FALLBACK_CHANNEL", "MANAGER_FIELD", "MATCH_EMAIL"):
        ward.patch.delenv(f"SLACK_{name}")

    await ward.findings()

    assert not ward.slack.called


# ------------------------------------------------------------- faults and sentences

Fault = Callable[[Ward], object]


def gives(**what: str) -> Fault:
    """The files, or the place of a rule, say something else."""
    return lambda ward: vars(ward).update(what)


def flagged(*names: str, flag: str) -> Fault:
    """Slack says that these people are *flag* now."""

    def fault(ward: Ward) -> None:
        for name in names:
            ward.slack.change_user(getattr(ward, name), **{flag: True})

    return fault


COPY = "copy the Bot User OAuth Token from the app's page OAuth & Permissions"
MAKE = "make one under Basic Information, App-Level Tokens, with the scope connections:write"
MEND = "add it under OAuth & Permissions, or recreate the app from manifest.yml, then reinstall"
NOBODY = (
    "group finance has nobody who may answer (guests, bots and deactivated people may not); add full members to "
    "finance in Slack"
)
INVITE = "type `/invite @countersign` there"

FAULTS: list[tuple[str, Fault, str]] = [
    (
        "a bot token nobody knows",
        lambda w: w.sets(SLACK_BOT_TOKEN="xoxb-1-unknown"),
        f"SLACK_BOT_TOKEN is refused by Slack (invalid_auth): Slack does not know it; {COPY}",
    ),
    (
        "a token that was revoked",
        lambda w: w.slack.faults.fail("auth.test", "token_revoked"),
        f"SLACK_BOT_TOKEN is refused by Slack (token_revoked): it was revoked; install the app again and {COPY}",
    ),
    (
        "an app token nobody knows",
        lambda w: w.sets(SLACK_APP_TOKEN=f"xapp-1-{APP}-unknown"),
        f"SLACK_APP_TOKEN is refused by Slack (invalid_auth): Slack does not know it; {MAKE}",
    ),
    (
        "an app token without its scope",
        lambda w: w.slack.faults.fail("apps.connections.open", "missing_scope"),
        f"SLACK_APP_TOKEN is refused by Slack (missing_scope): it may not open connections; {MAKE}",
    ),
    (
        "Socket Mode is off",
        lambda w: w.slack.faults.fail("apps.connections.open", "not_enabled"),
        "SLACK_APP_TOKEN is refused by Slack (not_enabled): is Socket Mode switched on in the app's settings?",
    ),
    (
        "a channel that is not there",
        gives(place="#C0NOSUCHONE"),
        "policy.yml, rule `mail`: {team} has no channel C0NOSUCHONE that the bot can see; correct it, or if it is "
        f"private, {INVITE}",
    ),
    (
        "a channel whose name is not there",
        lambda w: w.sets(SLACK_FALLBACK_CHANNEL="#nowhere"),
        "SLACK_FALLBACK_CHANNEL: {team} has no channel nowhere that the bot can see; correct it, or if it is "
        f"private, {INVITE}",
    ),
    (
        "a channel without the bot",
        lambda w: w.slack.channel(w.approvals).members.discard(w.slack.bot_user),
        "SLACK_FALLBACK_CHANNEL: channel {approvals} is there in {team}, but the bot is not in it; " + INVITE,
    ),
    (
        "a channel without the bot, by name",
        lambda w: vars(w).update(place="#" + w.slack.channel(w.slack.add_channel("lobby", with_bot=False)).name),
        "policy.yml, rule `mail`: channel lobby is there in {team}, but the bot is not in it; " + INVITE,
    ),
    (
        "an archived channel",
        lambda w: vars(w.slack.channel(w.approvals)).update(is_archived=True),
        "policy.yml, rule `mail`: channel {approvals} is archived in {team}; unarchive it, or name another",
    ),
    (
        "a user group that is not there",
        gives(source="slack_usergroup: cashiers"),
        "group finance: workspace {team} has no user group 'cashiers' that is enabled; make it or switch it on in "
        "Slack, or correct it in people.yml",
    ),
    (
        "a plan without user groups",
        lambda w: w.slack.faults.fail("usergroups.list", "plan_upgrade_required", times=9),
        "group finance: workspace {team} has no user group 'finance' that is enabled; the plan of this workspace has "
        "no user groups, so name a channel instead: slack_channel",
    ),
    (
        "a channel of people that cannot be read",
        gives(source="slack_channel: hidden"),
        "group finance: workspace {team} has no channel 'hidden' that this app can read; correct it in people.yml, or "
        f"if it is private, {INVITE}",
    ),
    (
        "a user group without people",
        lambda w: w.slack.usergroup(w.group).users.clear(),
        NOBODY,
    ),
    (
        "a user group of people who may not answer",
        flagged("ana", "bo", flag="is_restricted"),
        NOBODY,
    ),
    (
        "a profile field that is not there",
        lambda w: w.sets(SLACK_MANAGER_FIELD="Boss"),
        "SLACK_MANAGER_FIELD: {team} has no profile field 'Boss'; those that name people: 'Manager'",
    ),
    (
        "a profile field that names nobody",
        lambda w: w.sets(SLACK_MANAGER_FIELD="Shoe size"),
        "SLACK_MANAGER_FIELD: 'Shoe size' is of type text; make it one of type user (people)",
    ),
    (
        "an account nobody has",
        lambda w: w.lists("eve: {name: Eve, accounts: {slack: U0NOBODY}}"),
        "people.yml: account U0NOBODY of eve is unknown to {team}; correct it (in a profile: Copy member ID)",
    ),
    (
        "an account that was deactivated",
        flagged("ana", flag="deleted"),
        "people.yml: account {ana} of ana is deactivated in Slack; take it out, or activate it",
    ),
    (
        "an account of a guest",
        flagged("ana", flag="is_restricted"),
        "people.yml: account {ana} of ana is a guest in Slack, and guests may answer nothing; make them a full member, "
        "or take it out",
    ),
    (
        "an account of a bot",
        flagged("ana", flag="is_bot"),
        "people.yml: account {ana} of ana is a bot in Slack, and bots may answer nothing; take it out",
    ),
    (
        "an account of another workspace",
        lambda w: w.lists("eve: {name: Eve, accounts: {slack: T0OTHER/U1}}"),
        "people.yml: account U1 of eve is in workspace T0OTHER, which has not installed the app; install it there, or "
        "correct it",
    ),
    (
        "an address nobody has",
        lambda w: w.lists("eve: {name: Eve, email: eve@example.org}"),
        "people.yml: the address of eve is of nobody in Slack, or not confirmed; correct it, or list the user id under "
        "accounts",
    ),
]

UNMET = "until you add people who may, or change the rule, what nobody can sign is refused"


@pytest.mark.parametrize(("fault", "sentence"), [(one[1], one[2]) for one in FAULTS], ids=[one[0] for one in FAULTS])
async def test_each_fault_is_told_in_one_sentence_with_its_remedy(ward: Ward, fault: Fault, sentence: str) -> None:
    """Bad, so that the command ends with an error."""
    fault(ward)

    found = await ward.says("✗")

    wanted = sentence.format(team=ward.slack.team, approvals=ward.approvals, ana=ward.ana)
    assert wanted in found, "\n".join(found)


@pytest.mark.parametrize("scope", SCOPES)
async def test_each_scope_that_is_missing_is_named_with_what_will_not_work(ward: Ward, scope: str) -> None:
    ward.slack.scopes.discard(scope)

    found = await ward.says("✗")

    assert f"SLACK_BOT_TOKEN lacks the scope {scope}, and without it {WITHOUT[scope]}: {MEND}" in found
    assert len([one for one in found if "lacks the scope" in one]) == 1


def test_every_scope_of_the_manifest_has_its_words() -> None:
    assert set(WITHOUT) == set(SCOPES)


async def test_more_scopes_than_the_bot_needs_are_weak(ward: Ward) -> None:
    """T10: whoever steals the token could do more than we ever did."""
    ward.slack.scopes.update({"reactions:write", "mpim:history"})

    found = await ward.says("!")

    told = "remove mpim:history, reactions:write under OAuth & Permissions, then reinstall"
    assert f"SLACK_BOT_TOKEN may do more than the bot needs: {told}" in found


async def test_a_channel_that_is_known_by_name_alone_is_weak(ward: Ward) -> None:
    """Slack takes names for posts; looking for a lost one, and files, need the id."""
    ward.place = "#approvals"

    found = await ward.says("!")

    told = f"name it by its id, {ward.approvals}, because names hold for posts alone"
    assert f"policy.yml, rule `mail`: channel approvals is there in {ward.slack.team}; {told}" in found


async def test_an_address_alone_is_weak_as_long_as_addresses_say_nothing(ward: Ward) -> None:
    """SLACK_MATCH_EMAIL is off unless somebody set it: then bo of people.yml is nobody on Slack."""
    ward.patch.delenv("SLACK_MATCH_EMAIL")

    found = await ward.findings()

    told = "on Slack nobody is them; add `accounts: {slack: U…}`, or set SLACK_MATCH_EMAIL=true"
    assert f"people.yml: bo with an address alone: {told}" in [one.text for one in found if one.is_weak]
    assert not [one for one in found if "the address of" in one.text]


async def test_somebody_whom_nobody_meets_on_slack_is_weak_and_signs_nothing(ward: Ward) -> None:
    """An account of the playground makes nobody an approver on Slack."""
    for name in ("eli", "eve"):
        ward.lists(f"{name}: {{name: {name}, groups: [cashiers], accounts: {{playground: {name}}}}}")
    ward.asked = "cashiers"

    found = await ward.findings()

    told = "on Slack nobody is them; add `accounts: {slack: U…}` or an address"
    assert f"people.yml: eli, eve without account or address: {told}" in [one.text for one in found if one.is_weak]
    nobody = "policy.yml:7:10: rule `mail`: group 'cashiers' has nobody who may answer"
    assert f"{nobody}, as Slack is now; {UNMET}" in [one.text for one in found if one.is_weak]


async def test_a_quorum_that_todays_people_cannot_meet_is_weak(ward: Ward) -> None:
    """The bot runs without them: what nobody can sign is refused when asked. Of those listed, who is there counts."""
    ward.lists("eve: {name: Eve, groups: [finance], accounts: {playground: eve}}")
    ward.slack.usergroup(ward.group).users.remove(ward.bo)

    found = await ward.findings()

    needs = "it needs 1 of finance, the requester not counted"
    told = f"policy.yml:7:10: rule `mail`: nobody could sign calls of ana: {needs}, as Slack is now; {UNMET}"
    assert told in [one.text for one in found if one.is_weak]
    assert "group finance: 1 may answer" in [one.text for one in found]
    assert not [one.text for one in found if one.is_bad]


async def test_two_people_get_through_the_readmes_walk_and_are_told_what_wants_a_third(ward: Ward) -> None:
    """With the shipped files, and both groups from one channel: only the review of broken glass has nobody left."""
    both = "groups:\n  approvers: {slack_channel: approvals}\n  managers: {slack_channel: approvals}\n"
    (ward.folder / "shipped.yml").write_text((ROOT / "people.yml").read_text() + both)
    ward.sets(COUNTERSIGN_POLICY=str(ROOT / "policy.yml"), COUNTERSIGN_PEOPLE=str(ward.folder / "shipped.yml"))
    for name in ("SLACK_MATCH_EMAIL", "SLACK_MANAGER_FIELD", "SLACK_FALLBACK_CHANNEL"):
        ward.patch.delenv(name)

    found = await ward.findings()

    assert [one.text for one in found if one.is_bad] == []
    assert "group approvers: 2 may answer" in [one.text for one in found]
    [third] = [one.text for one in found if one.is_weak and one.text.endswith(UNMET)]
    assert "rule `big-refund`: break_glass: nobody of managers could review it" in third


async def test_a_sentence_names_ten_people_at_most(ward: Ward) -> None:
    """Everybody in the workspace may ask, and hardly anybody has a manager."""
    members = [ward.slack.add_user(f"member {number}") for number in range(12)]
    [manager] = [one["id"] for one in ward.slack._world.profile_fields if one["label"] == "Manager"]
    ward.slack.user(ward.ana).fields[manager] = ward.bo
    ward.asked = "manager(requester)"

    [told] = [one for one in await ward.says("!") if "nobody could sign" in one]

    first = ", ".join(["bo", *(f"slack.{ward.slack.team}.{member}" for member in members[:9])])
    assert f"nobody could sign calls of {first} and 3 others: it needs 1 of manager(requester)" in told


async def test_a_slack_that_does_not_answer_is_one_sentence(ward: Ward) -> None:
    """Not one for each thing that was not looked at, and no stack."""
    ward.sets(SLACK_API_URL="http://127.0.0.1:1/api/")

    found = await ward.says("✗")

    why = "apps.connections.open: ClientConnectorError"
    assert found == [f"Slack does not answer at http://127.0.0.1:1/api/ ({why}); look at the network and SLACK_API_URL"]


async def test_what_slack_does_not_say_keeps_nothing_else_from_being_looked_at(ward: Ward) -> None:
    ward.slack.faults.html("team.profile.get")

    found = await ward.findings()

    bad = [one.text for one in found if one.is_bad]
    why = "team.profile.get: HTTP 503"
    assert bad == [f"SLACK_MANAGER_FIELD could not be looked at: {why}; mend that and look again"]
    assert "every quorum can be met by people who are on Slack now" in [one.text for one in found]


async def test_a_group_that_cannot_be_read_is_told_once(ward: Ward) -> None:
    """Nothing is said against the rules that ask it: nobody knows who is in it."""
    ward.source = "slack_usergroup: cashiers"

    [told] = await ward.says("✗")

    assert told.startswith("group finance: ")


async def test_a_policy_that_cannot_be_read_is_told_once_and_the_tokens_are_looked_at(ward: Ward) -> None:
    ward.sets(COUNTERSIGN_POLICY="no-such.yml")

    found = await ward.findings()

    assert len([one for one in found if "no-such.yml" in one.text]) == 1
    assert "SLACK_BOT_TOKEN has every scope of the manifest" in [one.text for one in found]


async def test_with_an_app_token_alone_http_is_not_spoken_of(ward: Ward) -> None:
    ward.patch.delenv("SLACK_SIGNING_SECRET")

    assert "SIGNING" not in "\n".join(await ward.says("✓"))


# --------------------------------------------------------------- many workspaces


async def test_an_app_nobody_installed_says_where_to_install_it(ward: Ward) -> None:
    ward.is_for_many()

    found = await ward.findings()

    told = "no workspace has installed the app yet; open /slack/install on its public address"
    assert told in [one.text for one in found if one.is_weak]
    assert not [one for one in found if one.is_bad]


async def test_each_workspace_that_installed_the_app_is_looked_at(ward: Ward) -> None:
    """One of them has taken the app away, and one granted less than the manifest asks for."""
    ward.is_for_many()
    other = ward.slack.install("T0OTHER", "Other")
    await ward.installed(ward.slack.team, ward.slack.bot_token)
    await ward.installed("T0OTHER", other)
    ward.slack.scopes.discard("files:write")
    await ward.slack.uninstall("T0OTHER")

    found = await ward.says("✗")

    assert f"the token of T0OTHER is refused by Slack (account_inactive): {REMEDIES['account_inactive']}" in found
    lacks = f"the token of {ward.slack.team} lacks the scope files:write, and without it {WITHOUT['files:write']}"
    assert f"{lacks}: {MEND}" in found
