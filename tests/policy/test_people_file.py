"""A people file says who is who; whatever could make rights a guess is refused with its line."""

from __future__ import annotations

import pytest

from bot.domain.chat import Account, PersonId
from bot.domain.errors import BadPolicy, Unsatisfiable
from bot.domain.hours import Hours, read_spans
from bot.domain.people import Group, GroupSource, ManagerOf, OnCall, One, Requester, SourceKind, parse, resolve
from bot.domain.ports import Directory
from bot.peoplefile import parse_people, read_people
from tests.policy.world import ROOT


def problems(text: str) -> list[str]:
    with pytest.raises(BadPolicy) as refused:
        parse_people(text.encode())
    return refused.value.problems


async def test_the_shipped_people_are_found_by_account_id_and_group() -> None:
    directory: Directory = read_people(ROOT / "people.yml")

    ana = await directory.who(Account(platform="playground", tenant="local", user="ana"))

    assert ana is not None
    assert (ana.id, set(ana.groups), ana.manager) == (PersonId("ana"), {"sales"}, PersonId("dana"))
    assert ana == await directory.who(Account(platform="terminal", tenant="local", user="ana"))
    assert await directory.members("approvers") == {"bo", "chris"}
    assert await directory.groups() == {"sales", "approvers", "finance", "managers", "analysts", "anyone"}
    assert await directory.members("nobodies") == frozenset()
    assert "gus" in await directory.members("anyone")
    gus = await directory.person(PersonId("gus"))
    assert gus is not None
    assert gus.is_guest


async def test_the_same_user_of_another_workspace_is_nobody() -> None:
    """An account is platform, tenant and user: a U1 elsewhere has no rights here."""
    directory = parse_people(b"""
tenants: {slack: T1}
people:
  ana: {name: Ana, accounts: {slack: [U1, T2/U9], teams: 6f2c/29:1abc}}
""")
    accounts = [("slack", "T1", "U1"), ("slack", "T2", "U9"), ("teams", "6f2c", "29:1abc"), ("slack", "T2", "U1")]
    found = [await directory.who(Account(platform=p, tenant=t, user=u)) for p, t, u in accounts]

    assert [person.id if person else None for person in found] == ["ana", "ana", "ana", None]


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        ("people:\n  ana: {groups: [a]}", "2:3", "person ana has no name"),
        ("people:\n  ana: {name: A, boss: bo}", "2:18", "person ana has no key 'boss'"),
        ("people:\n  ana: {name: A, manager: bo}", "2:3", "the manager of ana, bo, is not in this file"),
        ("people:\n  ana: {name: A, manager: ana}", "2:3", "ana is their own manager: ana -> ana"),
        (
            "people:\n  ana: {name: A, manager: bo}\n  bo: {name: B, manager: ana}",
            "2:3",
            "ana is their own manager: ana -> bo -> ana",
        ),
        ("people:\n  ana: {name: A}\n  ana: {name: B}", "3:3", "key 'ana' appears twice in people"),
        (
            "people:\n  a: {name: A, accounts: {terminal: x}}\n  b: {name: B, accounts: {terminal: x}}",
            "3:3",
            "the terminal account local/x of b already belongs to a",
        ),
        ("people:\n  a: {name: A, email: X@y.z}\n  b: {name: B, email: x@Y.z}", "3:3", "already belongs to a"),
        ("people:\n  a: {name: A, accounts: {slack: U1}}", "2:34", "write TENANT/U1, or say tenants: {slack: …} once"),
        ("people:\n  a: {name: A, accounts: {slack: 12}}", "2:34", 'must be text: write "12", in quotes'),
        ("people:\n  a: {name: A, groups: [anyone]}", "2:25", "'anyone' cannot be a group; everybody is in it"),
        ("people:\n  requester: {name: A}", "2:3", "'requester' cannot be a person's id"),
        ("people:\n  a: {name: A, guest: maybe}", "2:23", "guest of a must be true or false"),
        ("people:\n  slack.T1.U1: {name: A}", "2:3", "it is how somebody is called who is not in this file"),
        ("groups: [a]\npeople: {}", "1:9", "groups must be a mapping"),
        ("groups:\n  a: fin\npeople: {}", "2:6", "group a must be a mapping"),
        ("groups:\n  a: {}\npeople: {}", "2:6", "group a has no source; write one of slack_usergroup, slack_channel"),
        (
            "groups:\n  a: {slack_group: x}\npeople: {}",
            "2:7",
            "group a has no key 'slack_group'; it may have slack_user",
        ),
        (
            "groups:\n  a: {slack_usergroup: x, slack_channel: y}\npeople: {}",
            "2:3",
            "group a has 2 sources; write one",
        ),
        (
            "groups:\n  a: {slack_channel: 12}\npeople: {}",
            "2:22",
            'slack_channel of a must be text: write "12", in quotes',
        ),
        (
            "groups:\n  a:\n    slack_channel: #general\npeople: {}",
            "3:19",
            "slack_channel of a is empty; a name with # stands in quotes",
        ),
        ("groups:\n  a: {slack_usergroup: ''}\npeople: {}", "2:24", "'' is neither an id nor a name"),
        ("groups:\n  a: {slack_usergroup: a b}\npeople: {}", "2:24", "write NAME or TENANT/NAME"),
        ("groups:\n  a: {slack_usergroup: T1/x/y}\npeople: {}", "2:24", "write NAME or TENANT/NAME"),
        (
            "groups:\n  a: {slack_usergroup: C0123ABCD}\npeople: {}",
            "2:24",
            "C0123ABCD is the id of something else; this one begins with S",
        ),
        (
            "groups:\n  a: {slack_channel: T1/U0123ABCD}\npeople: {}",
            "2:22",
            "U0123ABCD is the id of something else; this one begins with C or G",
        ),
        ("groups:\n  anyone: {slack_channel: x}\npeople: {}", "2:3", "'anyone' cannot be a group; everybody is in it"),
        ("groups:\n  here: {slack_channel: x}\npeople: {}", "2:3", "'here' cannot be a group"),
        (
            "people:\n  a: {name: A, groups: [approver]}",
            "2:25",
            "'approver' cannot be a group: in a rule, the word means somebody else; take another, such as approvers",
        ),
        (
            "people:\n  a: {name: A, groups: ['two words']}",
            "2:25",
            "'two words' cannot be a group: a name has letters, digits, ., _ and -",
        ),
        ("groups:\n  a: {slack_channel: x}\n  a: {slack_channel: y}\npeople: {}", "3:3", "key 'a' appears twice"),
        ("persons: {}", "1:1", "the file has no key 'persons'"),
        ("people: []", "1:9", "people must be a mapping"),
    ],
)
def test_each_mistake_is_told_with_its_line_and_column(text: str, place: str, sentence: str) -> None:
    found = problems(text)
    assert any(one.startswith(f"people.yml:{place}: ") and sentence in one for one in found), found


async def test_a_group_may_have_members_from_elsewhere() -> None:
    """Where they come from is read here; who they are is asked by the platform's own directory."""
    text = b"""
tenants: {slack: T1}
people:
  ana: {name: Ana, groups: [finance]}
groups:
  finance: {slack_usergroup: '@finance-approvers'}
  board: {slack_usergroup: S0123ABCD}
  oncall: {slack_channel: C0123ABCD}
  named: {slack_channel: '#on-call'}
  other: {slack_channel: T2/support}
"""
    directory = parse_people(text)

    group, channel = SourceKind.SLACK_USERGROUP, SourceKind.SLACK_CHANNEL
    assert directory.sources == {
        "finance": GroupSource(kind=group, name="finance-approvers", tenant="T1"),
        "board": GroupSource(kind=group, name="S0123ABCD", tenant="T1"),
        "oncall": GroupSource(kind=channel, name="C0123ABCD", tenant="T1"),
        "named": GroupSource(kind=channel, name="on-call", tenant="T1"),
        "other": GroupSource(kind=channel, name="support", tenant="T2"),
    }
    assert directory.tenants == {"slack": "T1"}
    assert await directory.groups() == {"anyone", *directory.sources}
    assert await directory.members("finance") == {"ana"}
    assert await directory.members("oncall") == frozenset()
    nowhere = parse_people(text.replace(b"tenants: {slack: T1}", b""))
    assert [nowhere.sources[name].tenant for name in ("finance", "other")] == ["", "T2"]


def test_groups_may_come_from_teams() -> None:
    """CD-01: a team by its name or id, blanks and all; an Entra group by its object id; GUIDs in any case are one."""
    tenant, other, group = ("A0000000-0000-0000-0000-00000000000" + one for one in "123")
    text = f"""
tenants: {{teams: {tenant.lower()}}}
groups:
  sales: {{teams_team: Sales and Care}}
  legal: {{teams_team: {other}/Legal}}
  board: {{teams_group: {group}}}
people:
  ana: {{name: Ana, accounts: {{teams: {group}}}}}
  bo: {{name: Bo, accounts: {{teams: {other}/{group}}}}}
"""

    directory = parse_people(text.encode())

    team, entra = SourceKind.TEAMS_TEAM, SourceKind.TEAMS_GROUP
    assert directory.sources == {
        "sales": GroupSource(kind=team, name="Sales and Care", tenant=tenant.lower()),
        "legal": GroupSource(kind=team, name="Legal", tenant=other.lower()),
        "board": GroupSource(kind=entra, name=group.lower(), tenant=tenant.lower()),
    }
    assert [person.accounts[0].user for person in directory.people] == [group.lower()] * 2
    assert [person.accounts[0].tenant for person in directory.people] == [tenant.lower(), other.lower()]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("teams_group: Board", "teams_group 'Board' is no object id; copy the one that Entra shows"),
        ("teams_team: contoso/Sales", "teams_team 'Sales' is neither a team's name nor its id"),
    ],
)
def test_a_group_of_teams_that_cannot_be_meant_is_told(source: str, told: str) -> None:
    [problem] = problems(f"groups:\n  a: {{{source}}}\npeople: {{}}")

    assert told in problem


async def test_the_active_are_told_from_all_the_others() -> None:
    directory = read_people(ROOT / "people.yml")
    ids = frozenset(PersonId(one) for one in ("ana", "gus", "mallory"))

    assert await directory.active(ids) == {"ana"}
    assert directory.fresh() is directory


def test_a_cycle_of_managers_that_somebody_hangs_on_is_told_once() -> None:
    found = problems("people:\n  x: {name: X, manager: a}\n  a: {name: A, manager: b}\n  b: {name: B, manager: a}")
    assert found == ["people.yml:3:3: a is their own manager: a -> b -> a"]


def test_the_grammar_of_audiences_reads_what_the_floor_documents() -> None:
    """`bot.domain.verdict.Audience`."""
    assert parse("requester") == Requester()
    assert parse("manager(requester)") == ManagerOf(of="requester")
    assert parse("manager(approver)") == ManagerOf(of="approver")
    assert parse("manager(manager(requester))") == ManagerOf(of="requester", up=2)
    assert parse("oncall(support)") == OnCall(rotation="support")
    assert parse("@ana") == One(id=PersonId("ana"))
    assert parse("finance") == Group(name="finance")
    assert parse("anyone") == Group(name="anyone")


@pytest.mark.parametrize(
    "text",
    [
        *("", "@", "manager()", "manager(bo)", "a b", "#general", "here", "Requester ", "a,b"),
        *("manager(manager(bo))", "manager(manager(requester)", "manager(requester))", "oncall()", "oncall(@ana)"),
        *("manager(oncall(support))", "manager(" * 6 + "requester" + ")" * 6, "manager(" * 50_000 + ")" * 50_000),
    ],
)
def test_whatever_else_is_refused_with_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        parse(text)


async def test_managers_are_looked_up_one_above_the_other() -> None:
    """Whoever has none means nobody; so does somebody who is gone, or may answer nothing."""
    directory = read_people(ROOT / "people.yml")
    asked = frozenset({PersonId("bo"), PersonId("dana")})

    found = [
        await resolve(of, directory=directory, requester=PersonId("ana"), approvers=asked)
        for of in ("manager(manager(requester))", "manager(manager(approver))", "manager(manager(manager(requester)))")
    ]

    assert found == [{"erin"}, {"erin"}, frozenset()]


async def test_nobody_is_on_call_where_no_schedule_is_set() -> None:
    """And that is told, not passed over: a policy that counts on it is refused at the start."""
    directory = read_people(ROOT / "people.yml")

    told = r"oncall\(support\): no schedule says who is on call; name an iCalendar file in COUNTERSIGN_ONCALL"
    with pytest.raises(Unsatisfiable, match=told):
        await resolve("oncall(support)", directory=directory, requester=PersonId("ana"), approvers=frozenset())


# ------------------------------------------------------------------------ hours


async def test_hours_and_zones_are_read() -> None:
    directory = parse_people(b"""
tenants: {slack: T1}
people:
  ana: {name: Ana, zone: Europe/Berlin, hours: "Mon-Thu 09:00-17:30, Fri 09:00-14:00", quiet: "22:00-07:00"}
  bo: {name: Bo, zone: UTC, quiet: "22:00-07:00"}
  cy: {name: Cy, hours: "Mon-Fri 09:00-17:30", accounts: {slack: U1}}
  di: {name: Di}
""")
    ana, bo, cy, di = directory.people

    assert ana.hours == Hours(
        zone="Europe/Berlin",
        work=read_spans("Mon-Thu 09:00-17:30, Fri 09:00-14:00"),
        quiet=read_spans("22:00-07:00"),
    )
    assert (bo.zone, bo.hours) == ("Etc/UTC", Hours(zone="Etc/UTC", quiet=read_spans("22:00-07:00")))
    assert (cy.zone, cy.hours) == ("UTC", Hours(work=read_spans("Mon-Fri 09:00-17:30")))  # Slack may know the zone
    assert (di.zone, di.hours) == ("UTC", None)


@pytest.mark.parametrize(
    ("person", "told"),
    [
        ("zone: Mars/Base", "2:26: zone of ana: 'Mars/Base' is not a time zone; write one such as Europe/Berlin"),
        ("zone: 5", '2:26: zone of ana must be text: write "5", in quotes'),
        (
            "zone: UTC, hours: 9 to 5",
            "2:38: hours of ana: '9 to 5' is not a time of the week: write for example Mon-Fri 09:00-17:30",
        ),
        (
            "zone: UTC, quiet: 09:00-25:00",
            "2:38: quiet of ana: 25:00 is not a time of the day: write 00:00 to 24:00",
        ),
        ("hours: Mon 09:00-10:00", "2:20: ana has times but no zone; write for example zone: Europe/Berlin"),
        (
            "zone: UTC, hours: Mon 23:00-24:00, quiet: 22:00-07:00",
            "2:31: ana could never be called: all their hours are quiet; leave some time between",
        ),
    ],
)
def test_times_that_mean_nothing_are_told_with_their_place(person: str, told: str) -> None:
    assert problems(f"people:\n  ana: {{name: Ana, {person}}}") == [f"people.yml:{told}"]
