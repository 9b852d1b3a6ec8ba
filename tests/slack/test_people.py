"""Who is who on Slack: the real calls against the strict fake, and answers the fake never gives from a table."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.domain.chat import Account, Person, PersonId, Place
from bot.domain.errors import Undeliverable
from bot.domain.people import NAME, may_answer
from tests.slack.office import NOBODY, Office, by_table, may, opened, the, u
from tests.slack.table import Table


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with opened() as office:
        yield office


async def test_a_listed_person_is_themselves_and_any_other_member_is_a_person_of_their_own(office: Office) -> None:
    """Nobody has to be listed to give a task; rights come from groups all the same."""
    ana, bo = office.slack.add_user("ana"), office.slack.add_user("bo")
    directory = office.directory(
        f"tenants: {{slack: {office.slack.team}}}\n"
        f"people:\n  ana: {{name: Ana, groups: [sales], manager: ana2, accounts: {{slack: {ana}}}}}\n"
        "  ana2: {name: Boss, accounts: {playground: boss}}"
    )

    listed, other = await directory.who(office.on(ana)), await directory.who(office.on(bo))

    assert (the(listed).id, the(listed).name, set(the(listed).groups)) == (PersonId("ana"), "Ana", {"sales"})
    assert the(listed).manager == "ana2"
    assert other == Person(id=PersonId(f"slack.{office.slack.team}.{bo}"), name="bo", accounts=(office.on(bo),))
    assert NAME.fullmatch(the(other).id)
    assert await directory.person(the(other).id) == other
    assert await directory.who(Account(platform="playground", tenant="local", user="boss"))
    assert await directory.who(Account(platform="playground", tenant="local", user="nobody")) is None
    assert await directory.who(office.on("U0STRANGE")) is None


async def test_a_rule_for_another_platforms_task_leaves_the_workspace_out(office: Office) -> None:
    """CD-01, PN-16: `slack/#ops` is in the only workspace, or the one of people.yml; else nowhere."""
    ops = office.slack.add_channel("ops", [office.slack.add_user("ana")])
    named = Place(platform="slack", tenant="", channel="ops")

    placed = await office.directory().placed(named)

    assert placed == Place(platform="slack", tenant=office.slack.team, channel=ops)
    with pytest.raises(Undeliverable, match="in which workspace"):
        await office.directory("tenants: {slack: T0ELSEWHERE}\npeople: {}").placed(named)


async def test_a_name_stands_in_our_sentences_as_one_line_that_hides_nothing(office: Office) -> None:
    """T09: a name with a line of its own, or one that turns what follows round, is shown without these."""
    forged = office.slack.add_user("Mal\u202e\nApproved by\u200b Dana \u2028\U000e0041")
    empty = office.slack.add_user("\u200b\u2060")

    found, nobody = await office.directory().who(office.on(forged)), await office.directory().who(office.on(empty))

    assert the(found).name == "Mal Approved by Dana"
    assert the(nobody).name == empty


@pytest.mark.parametrize("flag", ["deleted", "is_restricted", "is_ultra_restricted", "is_stranger", "is_bot"])
async def test_each_of_slacks_flags_takes_every_right_away(office: Office, flag: str) -> None:
    """T16: listed or not, from Slack or from another platform, by account or by id."""
    ana, bo = office.slack.add_user("ana"), office.slack.add_user("bo")
    listing = f"{{name: Ana, accounts: {{playground: ana, slack: {office.slack.team}/{ana}}}}}"
    directory = office.directory(f"people:\n  ana: {listing}")
    elsewhere = Account(platform="playground", tenant="local", user="ana")
    ids = frozenset({PersonId("ana"), the(await directory.who(office.on(bo))).id})
    assert await directory.active(ids) == ids

    office.slack.change_user(ana, **{flag: True})
    office.slack.change_user(bo, **{flag: True})
    now = directory.fresh()

    assert [await may(now, one) for one in (office.on(ana), office.on(bo), elsewhere)] == [False] * 3
    assert not may_answer(the(await now.person(PersonId("ana"))))
    assert await now.active(ids) == frozenset()


@pytest.mark.parametrize(
    ("user", "more"),
    [
        ("UFOREIGN", {"team_id": "T9"}),
        ("UNOTEAM", {"team_id": None}),
        ("UINVITED", {"is_invited_user": True}),
        ("USLACKBOT", {}),
        ("UNOFLAG", {"is_restricted": ...}),
        ("UNOFLAG2", {"is_ultra_restricted": ...}),
        ("UNODELETED", {"deleted": ...}),
        ("UNOBOT", {"is_bot": ...}),
    ],
)
async def test_whoever_is_not_plainly_a_full_member_may_do_nothing(user: str, more: dict[str, object]) -> None:
    """T16: a flag that is missing says nothing in anybody's favour."""
    table = Table().add(user, "T1", **more).add("UFULL")
    directory = by_table(table)

    assert not await may(directory, u(user))
    assert await may(directory, u("UFULL"))


async def test_somebody_of_an_organisation_belongs_to_each_of_its_workspaces() -> None:
    table = Table().add("W1", team_id="T2", enterprise_user={"teams": ["T1", "T2"]})
    assert await may(by_table(table), u("W1"))


async def test_the_same_user_id_in_two_workspaces_is_two_people() -> None:
    """T15: and a workspace that is not installed vouches for nobody, listed or not."""
    table = Table("T1", "T2").add("U1", "T1").add("U1", "T2").add("U1", "T3").add("U3", "T3")
    directory = by_table(table, "people:\n  ana: {name: Ana, accounts: {slack: [T1/U1, T3/U3]}}")

    found = [await directory.who(u("U1", team)) for team in ("T1", "T2", "T3")]

    assert [one.id if one else None for one in found] == ["ana", "slack.T2.U1", None]
    assert await directory.who(u("U3", "T3")) is None
    assert the(found[0]).accounts == (u("U1", "T1"),)
    assert await directory.person(PersonId("slack.T3.U1")) is None


async def test_a_person_all_of_whose_workspaces_are_gone_is_not_there() -> None:
    """Votes they gave before count no more: nobody can say who uses the account now."""
    table = Table("T1", "T2").add("U2", "T2")
    directory = by_table(table, "people:\n  bo: {name: Bo, accounts: {slack: T2/U2}}")
    assert await directory.active(frozenset({PersonId("bo")}))

    table.installed.remove("T2")

    assert not await directory.active(frozenset({PersonId("bo")}))


async def test_an_account_that_its_workspace_does_not_know_any_more_spoils_the_others() -> None:
    """T16: Slack knows everybody of a workspace of ours; whom it does not know was deleted."""
    people = "people:\n  bo: {name: Bo, accounts: {slack: T1/U1, playground: bo}}\n"
    directory = by_table(Table("T1"), people)
    elsewhere = by_table(Table("T2"), people)

    assert not the(await directory.person(PersonId("bo"))).is_active
    assert await directory.active(frozenset({PersonId("bo")})) == frozenset()
    assert await elsewhere.active(frozenset({PersonId("bo")})) == {"bo"}


async def test_an_organisation_vouches_only_for_workspaces_that_are_named() -> None:
    """T15: one token for a whole organisation answers for any workspace, also for a guest's own."""

    class Whole(Table):
        async def teams(self) -> tuple[str, ...]:
            return ()

        async def bot_user(self, team: str) -> str | None:  # noqa: ARG002  # as `OneWorkspace` answers
            return "UBOT"

    table = Whole().add("U1", "T1").add("U9", "T9")
    directory = by_table(table, f"tenants: {{slack: T1}}\n{NOBODY}")

    assert await may(directory, u("U1", "T1"))
    assert await directory.who(u("U9", "T9")) is None
    assert await directory.members("anyone") == {"zoe", "slack.T1.U1"}


@pytest.mark.parametrize("user", ["", "u1", "U1/../U2", "U1\n", "U" * 40, "U.1"])
async def test_what_cannot_be_a_user_id_is_nobody_and_nobody_asks(user: str) -> None:
    table = Table()
    assert await by_table(table).who(u(user)) is None
    assert not table.asked


async def test_one_person_has_one_id_as_soon_as_they_are_listed() -> None:
    """T10: what bo signed as `slack.T1.U1` counts no more once U1 is listed as bo: nobody sits twice."""
    table = Table().add("U1")
    directory = by_table(table, "people:\n  bo: {name: Bo, accounts: {slack: T1/U1}}")
    both = frozenset({PersonId("bo"), PersonId("slack.T1.U1")})

    assert await directory.active(both) == {"bo"}
    assert await directory.person(PersonId("slack.T1.U1")) is None


# ----------------------------------------------------------------- addresses


async def test_an_address_slack_has_confirmed_finds_the_person_who_is_listed_with_it(office: Office) -> None:
    bo = office.slack.add_user("bo", email="Bo@example.org")
    directory = office.directory(
        "people:\n  bo: {name: Bo, email: bo@Example.org, groups: [approvers]}", is_matching_email=True
    )

    assert the(await directory.who(office.on(bo))).id == "bo"
    assert the(await directory.fresh().person(PersonId("bo"))).accounts == (office.on(bo),)
    assert await directory.user_of(PersonId("bo"), office.slack.team) == bo


async def test_an_address_that_is_not_confirmed_is_nobodys(office: Office) -> None:
    """PP-01, T10: anybody may type anybody's address."""
    eve = office.slack.add_user("eve", email="bo@example.org", is_email_confirmed=False)
    directory = office.directory("people:\n  bo: {name: Bo, email: bo@example.org}", is_matching_email=True)

    assert {the(await directory.who(office.on(eve))).id} == office.own(eve)
    assert not await directory.active(frozenset({PersonId("bo")}))


@pytest.mark.parametrize("tenants", ["", "tenants: {slack: T0123TEAM}\n"])
async def test_another_workspace_cannot_hand_out_somebodys_address(office: Office, tenants: str) -> None:
    """T15: its administrator may give any address to any account. With two workspaces, people.yml says which counts."""
    office.install("T2")
    eve = office.slack.add_user("eve", team_id="T2", email="bo@example.org")
    directory = office.directory(f"{tenants}people:\n  bo: {{name: Bo, email: bo@example.org}}", is_matching_email=True)

    assert the(await directory.who(office.on(eve, "T2"))).id == f"slack.T2.{eve}"


async def test_somebody_listed_by_account_is_not_found_by_address() -> None:
    """A second account with the same address is somebody else, until people.yml lists it."""
    table = Table().add("U1").add("U2", email="bo@example.org", is_email_confirmed=True)
    directory = by_table(
        table, "people:\n  bo: {name: Bo, email: bo@example.org, accounts: {slack: T1/U1}}", is_matching_email=True
    )

    assert the(await directory.who(u("U2"))).id == "slack.T1.U2"


async def test_somebody_listed_by_address_who_left_slack_is_not_there(office: Office) -> None:
    """T16: `users.lookupByEmail` forgets the deactivated, so whoever it does not find may do nothing."""
    bo = office.slack.add_user("bo", email="bo@example.org")
    directory = office.directory("people:\n  bo: {name: Bo, email: bo@example.org}", is_matching_email=True)
    office.slack.change_user(bo, deleted=True)

    assert not await may(directory, office.on(bo))
    assert not await directory.active(frozenset({PersonId("bo")}))
    elsewhere = office.directory(
        "people:\n  bo: {name: Bo, email: bo@example.org, accounts: {playground: bo}}", is_matching_email=True
    )
    assert not await may(elsewhere, office.on(bo)), "another account of theirs does not bring this one back"


@pytest.mark.parametrize("is_listed", [True, False])
async def test_an_address_may_pass_on_to_another_account(office: Office, is_listed: bool) -> None:
    """The old account is looked up first, alone or with the whole list: it does not stand in the new one's way."""
    slack = office.slack
    slack.add_user("bo", email="bo@example.org", deleted=True)
    bo = slack.add_user("bo", email="bo@example.org")
    old = slack.add_user("bo", email="bo@example.org", deleted=True)
    directory = office.directory("people:\n  bo: {name: Bo, email: bo@example.org}", is_matching_email=True)

    if is_listed:
        await directory.members("anyone")
    else:
        assert not await may(directory, office.on(old))

    assert the(await directory.person(PersonId("bo"))).accounts == (office.on(bo),)
    assert await directory.active(frozenset({PersonId("bo")}))


async def test_an_app_that_may_not_read_addresses_knows_nobody_by_theirs(office: Office) -> None:
    office.slack.scopes.remove("users:read.email")
    bo = office.slack.add_user("bo", email="bo@example.org")
    directory = office.directory("people:\n  bo: {name: Bo, email: bo@example.org}", is_matching_email=True)

    assert {the(await directory.who(office.on(bo))).id} == office.own(bo)
    assert not await directory.active(frozenset({PersonId("bo")}))


async def test_an_address_says_who_somebody_is_only_where_that_is_switched_on(office: Office) -> None:
    """PP-01: Bo is listed with an address alone. Unless SLACK_MATCH_EMAIL says otherwise, whoever has it is somebody
    else.
    """
    bo = office.slack.add_user("bo", email="bo@example.org")
    directory = office.directory("people:\n  bo: {name: Bo, email: bo@example.org, groups: [approvers]}")

    assert {the(await directory.who(office.on(bo))).id} == office.own(bo)
    assert not await directory.active(frozenset({PersonId("bo")}))
    assert not office.slack.calls("users.lookupByEmail")


# ----------------------------------------------------------------------- clocks


async def test_slack_says_by_which_clock_somebody_lives_unless_people_yml_does() -> None:
    """When they work is for people.yml alone to say; a zone that nobody knows is none."""
    table = Table()
    for user, zone in (("U1", "Europe/Berlin"), ("U2", "Europe/Berlin"), ("U3", "Mars/Base"), ("U4", "Asia/Tokyo")):
        table.add(user, tz=zone)
    directory = by_table(
        table,
        """people:
  ana: {name: Ana, hours: "Mon-Fri 09:00-17:00", accounts: {slack: T1/U1}}
  bo: {name: Bo, zone: UTC, hours: "Mon-Fri 09:00-17:00", accounts: {slack: T1/U2}}
  cy: {name: Cy, hours: "Mon-Fri 09:00-17:00", accounts: {slack: T1/U3}}
""",
    )

    found = [the(await directory.who(u(f"U{n}"))) for n in (1, 2, 3, 4)]

    assert [one.zone for one in found] == ["Europe/Berlin", "Etc/UTC", "UTC", "Asia/Tokyo"]
    assert [one.hours.zone if one.hours else None for one in found] == ["Europe/Berlin", "Etc/UTC", "", None]
    assert the(await directory.person(PersonId("ana"))).hours == found[0].hours
