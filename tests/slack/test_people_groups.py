"""Groups and managers that are kept in Slack: user groups, channels, everybody, a profile field."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.slack import lookups
from adapters.slack.lookups import Lookups
from adapters.slack.people import SlackDirectory, Trust
from bot.domain.chat import PersonId
from bot.domain.errors import ChatUnavailable, Unsatisfiable
from bot.domain.people import resolve
from bot.domain.ports import Directory
from bot.peoplefile import PeopleDirectory, parse_people
from tests.fakes.slack.world import FakeGroup
from tests.slack.office import NOBODY, Hours, Office, by_table, may, opened, sourced, the, u
from tests.slack.table import Table


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with opened() as office:
        yield office


@pytest.mark.parametrize("is_id", [True, False])
async def test_a_user_group_is_a_group_with_its_full_members_alone(office: Office, is_id: bool) -> None:
    """Listed people are in it under their own ids; guests, bots and the departed are not in it at all."""
    slack = office.slack
    ana, bo = slack.add_user("ana"), slack.add_user("bo")
    out = [slack.add_user("x") for _ in range(4)]
    for user, flag in zip(out, ("deleted", "is_restricted", "is_bot", "is_stranger"), strict=True):
        slack.change_user(user, **{flag: True})
    group = slack.add_usergroup("finance-approvers", [ana, bo, *out, "U0GONE"])
    listing = (
        f"  ana: {{name: Ana, accounts: {{slack: {slack.team}/{ana}}}}}\n  erin: {{name: Erin, groups: [finance]}}\n"
    )
    directory = office.directory(sourced("slack_usergroup", group if is_id else "finance-approvers", listing))

    assert await directory.members("finance") == {"ana", "erin", *office.own(bo)}
    assert await directory.members("nobodies") == frozenset()
    assert {"finance", "anyone"} <= await directory.groups()
    assert await directory.problems() == ()


async def test_a_slack_group_in_a_rule_never_means_a_guest_or_a_bot(office: Office) -> None:
    """What `resolve` gives is checked person by person, also for those whom people.yml put into the group."""
    slack = office.slack
    bo, gus, out = slack.add_user("bo"), slack.add_user("gus", is_restricted=True), slack.add_user("out", deleted=True)
    slack.add_usergroup("fin", [bo, gus, out, slack.bot_user])
    listing = (
        f"  gus: {{name: Gus, groups: [finance], accounts: {{slack: {slack.team}/{gus}}}}}\n"
        f"  out: {{name: Out, groups: [finance], accounts: {{slack: {slack.team}/{out}}}}}\n"
    )
    directory = office.directory(sourced("slack_usergroup", "fin", listing))
    assert await directory.members("finance") == {"gus", "out", *office.own(bo)}

    found = await resolve("finance", directory=directory, requester=PersonId("zoe"), approvers=frozenset())

    assert found == office.own(bo)
    person = f"@slack.{slack.team}.{bo}"
    assert await resolve(person, directory=directory, requester=PersonId("zoe"), approvers=frozenset()) == found


@pytest.mark.parametrize("how", ["id", "name", "'#oncall'"])
async def test_a_channel_is_a_group_page_by_page(office: Office, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "PAGE", 2)
    slack = office.slack
    people = [slack.add_user(f"p{number}") for number in range(5)]
    for number in range(3):
        slack.add_channel(f"other-{number}")
    channel = slack.add_channel("oncall", people)
    directory = office.directory(sourced("slack_channel", {"id": channel, "name": "oncall"}.get(how, how)))

    assert await directory.members("finance") == office.own(*people)
    assert len(slack.calls("conversations.members")) == 3


async def test_somebody_of_a_channel_in_common_is_not_in_the_group(office: Office) -> None:
    """T16: another company's people sit in a channel both share; they sign nothing here, listed or not."""
    slack = office.slack
    bo, eve = slack.add_user("bo"), slack.add_user("eve", team_id="T9", is_stranger=True)
    channel = slack.add_channel("shared", [bo, eve])
    directory = office.directory(sourced("slack_channel", channel, "  eve: {name: Eve, accounts: {slack: T9/UEVE}}\n"))

    assert await directory.members("finance") == office.own(bo)
    assert await directory.who(office.on(eve, "T9")) is None
    assert not await may(directory, office.on(eve))


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("slack_usergroup", "nobodies", "group finance: workspace {team} has no user group 'nobodies' that is enabled"),
        ("slack_usergroup", "asleep", "group finance: workspace {team} has no user group 'asleep' that is enabled"),
        ("slack_channel", "nowhere", "group finance: workspace {team} has no channel 'nowhere' that this app can read"),
        ("slack_channel", "C0NOWHERE", "group finance: workspace {team} has no channel 'C0NOWHERE' that this app can"),
        ("slack_channel", "secret", "group finance: workspace {team} has no channel 'secret' that this app can read"),
        ("slack_channel", "T9/general", "group finance: workspace T9 has not installed this app"),
    ],
)
async def test_a_source_that_is_not_there_is_said_aloud(office: Office, kind: str, name: str, told: str) -> None:
    """A request that needs the group is refused with the reason, and so is the start; nobody else is bothered."""
    slack = office.slack
    ana = slack.add_user("ana")
    slack.usergroup(slack.add_usergroup("asleep", [ana])).is_disabled = True
    slack.add_channel("secret", [ana], is_private=True, with_bot=False)
    directory = office.directory(sourced(kind, name))

    with pytest.raises(Unsatisfiable) as refused:
        await directory.members("finance")

    assert refused.value.why.startswith(told.format(team=slack.team))
    assert await directory.problems() == (refused.value.why,)
    assert the(await directory.who(office.on(ana))).groups == frozenset()


async def test_a_plan_without_user_groups_is_said_aloud(office: Office) -> None:
    office.slack.faults.fail("usergroups.list", "plan_upgrade_required")
    with pytest.raises(Unsatisfiable, match="no user group 'fin'"):
        await office.directory(sourced("slack_usergroup", "fin")).members("finance")


async def test_another_workspace_cannot_make_itself_a_group_of_approvers(office: Office) -> None:
    """T15: whoever installs the app may name user groups as they like; people.yml says where a plain name belongs."""
    slack = office.slack
    bo = slack.add_user("bo")
    slack.add_usergroup("fin", [bo])
    office.install("T2")
    eve = slack.add_user("eve", team_id="T2")
    slack._world.groups["S0EVIL"] = FakeGroup("S0EVIL", "fin", "T2", [eve])

    unclear = office.directory(sourced("slack_usergroup", "fin"))
    with pytest.raises(Unsatisfiable, match="write TENANT/fin"):
        await unclear.members("finance")

    said = f"tenants: {{slack: {slack.team}}}\n{sourced('slack_usergroup', 'fin')}"
    assert await office.directory(said).members("finance") == office.own(bo)
    named = office.directory(sourced("slack_usergroup", f"{slack.team}/fin"))
    assert await named.members("finance") == office.own(bo)
    assert the(await named.who(office.on(eve, "T2"))).groups == frozenset()


async def test_anyone_is_everybody_listed_and_every_full_member(office: Office) -> None:
    slack = office.slack
    ana, bo = slack.add_user("ana"), slack.add_user("bo")
    slack.add_user("gus", is_restricted=True)
    slack.add_user("out", deleted=True)
    directory = office.directory(f"{NOBODY}  ana: {{name: Ana, accounts: {{slack: {slack.team}/{ana}}}}}")

    everybody = await directory.members("anyone")

    assert everybody == {"zoe", "ana", *office.own(bo)}
    assert await directory.active(everybody) == everybody
    assert not slack.calls("users.info"), "the list said it all"


async def test_the_same_user_id_elsewhere_is_not_in_the_group() -> None:
    """T15: the group is T1's; U1 of T2 is somebody else."""
    table = Table("T1", "T2").add("U1", "T1").add("U1", "T2")
    table.groups["T1"] = {"fin": ["U1"]}
    directory = by_table(table, sourced("slack_usergroup", "T1/fin"))

    assert the(await directory.who(u("U1", "T1"))).groups == {"finance"}
    assert the(await directory.who(u("U1", "T2"))).groups == frozenset()


async def test_a_crowd_is_read_from_the_list_and_a_few_are_asked_for(office: Office) -> None:
    """A hundred calls a minute are allowed, and a person waits for three seconds."""
    slack = office.slack
    crowd = [slack.add_user(f"p{number}") for number in range(lookups.ONE_BY_ONE + 1)]
    slack.add_usergroup("all", crowd)
    slack.add_usergroup("few", crowd[1:])
    directory = office.directory(f"{NOBODY}groups: {{all: {{slack_usergroup: all}}, few: {{slack_usergroup: few}}}}")

    for group, lists, infos in (("few", 0, len(crowd) - 1), ("all", 1, len(crowd) - 1)):
        judge = directory.fresh()
        found = await judge.members(group)
        assert await judge.active(found) == found
        assert (len(slack.calls("users.list")), len(slack.calls("users.info"))) == (lists, infos)

    ids = frozenset(PersonId(one) for one in office.own(*crowd))
    assert await directory.fresh().active(ids) == ids
    assert (len(slack.calls("users.list")), len(slack.calls("users.info"))) == (2, len(crowd) - 1)


async def test_too_many_people_are_said_to_be_too_many(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of a large workspace is read one by one, as long as that is possible; "anyone" is not."""
    monkeypatch.setattr(lookups, "MOST", 6)
    monkeypatch.setattr(lookups, "ONE_BY_ONE", 2)
    monkeypatch.setattr(lookups, "MOST_ONE_BY_ONE", 4)
    slack = office.slack
    crowd = [slack.add_user(f"p{number}") for number in range(7)]
    slack.add_usergroup("four", crowd[:4])
    slack.add_usergroup("five", crowd[:5])
    slack.add_channel("seven", crowd)
    sources = "four: {slack_usergroup: four}, five: {slack_usergroup: five}, seven: {slack_channel: seven}"
    directory = office.directory(f"{NOBODY}groups: {{{sources}}}")

    assert await directory.members("four") == office.own(*crowd[:4])
    for group in ("anyone", "five"):
        with pytest.raises(Unsatisfiable, match="has more than 6 accounts; name a smaller group"):
            await directory.fresh().members(group)
    with pytest.raises(Unsatisfiable, match="'seven' has more than 6 members; name a smaller one"):
        await directory.members("seven")
    assert len(slack.calls("users.list")) == 1, "its size is remembered"


async def test_a_condition_of_the_policy_sees_the_groups_of_slack(office: Office) -> None:
    """`"contractors" in requester.groups` must not be false because the group is kept in Slack."""
    slack = office.slack
    ana, bo = slack.add_user("ana"), slack.add_user("bo")
    slack.add_usergroup("fin", [ana])
    directory = office.directory(sourced("slack_usergroup", "fin"))

    assert the(await directory.who(office.on(ana))).groups == {"finance"}
    assert the(await directory.person(PersonId(f"slack.{slack.team}.{ana}"))).groups == {"finance"}
    assert the(await directory.who(office.on(bo))).groups == frozenset()
    slack.faults.fail("usergroups.list", "internal_error")
    with pytest.raises(ChatUnavailable):
        await office.directory(sourced("slack_usergroup", "fin")).who(office.on(ana))


async def test_a_fresh_directory_asks_again_who_is_in_a_group(office: Office) -> None:
    """T16: bo was taken out of the user group a moment ago."""
    slack = office.slack
    ana, bo = slack.add_user("ana"), slack.add_user("bo")
    group = slack.add_usergroup("fin", [ana, bo])
    directory = office.directory(sourced("slack_usergroup", "fin"))
    assert await directory.members("finance") == office.own(ana, bo)
    slack.usergroup(group).users.remove(bo)
    assert await directory.members("finance") == office.own(ana, bo)

    assert await directory.fresh().members("finance") == office.own(ana)


async def test_a_fresh_directory_asks_again_which_group_has_the_name(office: Office) -> None:
    """T16: the handle was given to another group a moment ago."""
    slack = office.slack
    ana, bo = slack.add_user("ana"), slack.add_user("bo")
    old, new = slack.add_usergroup("fin", [ana]), slack.add_usergroup("fin-2", [bo])
    directory = office.directory(sourced("slack_usergroup", "fin"))
    assert await directory.members("finance") == office.own(ana)
    slack.usergroup(old).handle, slack.usergroup(new).handle = "fin-1", "fin"

    assert await directory.fresh().members("finance") == office.own(bo)


async def test_what_conditions_read_is_asked_once_a_minute_however_fresh_the_judge(office: Office) -> None:
    """Twenty calls a minute are allowed: seats need members, and only conditions need everybody's groups."""
    slack = office.slack
    ana = slack.add_user("ana")
    slack.add_usergroup("fin", [ana])
    directory = office.directory(sourced("slack_usergroup", "fin"))

    for _ in range(3):
        assert the(await directory.fresh().who(office.on(ana))).groups == {"finance"}

    assert len(slack.calls("usergroups.list")) == 1


async def test_a_fresh_directory_stands_on_a_fresh_one() -> None:
    """Whatever lies below may have a memory of its own."""
    young = parse_people(b"people:\n  bo: {name: Bo, accounts: {slack: T1/U1}}")

    class Old(PeopleDirectory):
        def fresh(self) -> Directory:
            return young

    table = Table().add("U1")
    directory = SlackDirectory(Old(()), Lookups(table, table, Hours().clock), Trust())

    assert the(await directory.who(u("U1"))).id == "slack.T1.U1"
    assert the(await directory.fresh().who(u("U1"))).id == "bo"


# ------------------------------------------------------------------ managers


@pytest.mark.parametrize("by_label", [True, False])
async def test_a_manager_comes_from_the_profile_field_that_a_setting_names(office: Office, by_label: bool) -> None:
    slack = office.slack
    name = slack.add_profile_field("Manager")
    dana = slack.add_user("dana")
    bo = slack.add_user("bo", fields={name: f"{dana},U0OTHER"})
    own = slack.add_user("own")
    slack.user(own).fields[name] = own
    listing = f"{NOBODY}  bo: {{name: Bo, manager: zoe, accounts: {{slack: {slack.team}/{bo}}}}}"
    plain, listed = (
        office.directory(people, manager_field="Manager" if by_label else name) for people in (NOBODY, listing)
    )

    assert {the(await plain.who(office.on(bo))).manager} == office.own(dana)
    assert the(await plain.who(office.on(dana))).manager is None
    assert the(await plain.who(office.on(own))).manager is None, "nobody is their own manager"
    assert the(await listed.who(office.on(bo))).manager == "zoe", "people.yml comes first"
    assert the(await office.directory().who(office.on(bo))).manager is None, "no setting, no field"
    found = await resolve(
        "manager(requester)", directory=plain, requester=the(await plain.who(office.on(bo))).id, approvers=frozenset()
    )
    assert found == office.own(dana)


async def test_which_field_it_is_is_asked_once_an_hour_and_what_stands_there_each_minute(office: Office) -> None:
    slack, hours = office.slack, office.hours
    name = slack.add_profile_field("Manager")
    dana, erin = slack.add_user("dana"), slack.add_user("erin")
    bo = slack.add_user("bo", fields={name: dana})
    directory = office.directory(manager_field="Manager")

    for _ in range(59):
        await directory.fresh().who(office.on(bo))
        hours.now += 60
        slack.later(60)
    slack.user(bo).fields[name] = erin
    assert {the(await directory.who(office.on(bo))).manager} == office.own(erin)
    assert len(slack.calls("team.profile.get")) == 1

    hours.now += 60
    await directory.who(office.on(bo))
    assert len(slack.calls("team.profile.get")) == 2


async def test_a_field_of_another_kind_names_nobody(office: Office) -> None:
    """T10: free text that looks like a user id is no manager."""
    slack = office.slack
    name = slack.add_profile_field("Manager", "text")
    dana = slack.add_user("dana")
    bo = slack.add_user("bo", fields={name: dana})

    assert the(await office.directory(manager_field="Manager").who(office.on(bo))).manager is None


async def test_managers_are_not_looked_up_for_people_who_only_sign(office: Office) -> None:
    """Of a crowd only the flags are asked for."""
    slack = office.slack
    name = slack.add_profile_field("Manager")
    slack.add_user("bo", fields={name: slack.add_user("dana")})
    directory = office.directory(manager_field=name)

    await directory.active(await directory.members("anyone"))

    assert not slack.calls("users.profile.get")


async def test_somebody_is_mentioned_by_their_user_id_in_that_workspace() -> None:
    table = Table("T1", "T2").add("U1", "T1").add("U2", "T2")
    directory = by_table(table, "people:\n  ana: {name: Ana, accounts: {slack: [T1/U1, T2/U2]}}")

    assert await directory.user_of(PersonId("ana"), "T2") == "U2"
    assert await directory.user_of(PersonId("ana"), "T3") is None
    assert await directory.user_of(PersonId("slack.T2.U2"), "T2") is None, "that is ana"
    assert await directory.user_of(PersonId("nobody"), "T1") is None
