"""Who is who in Teams: people.yml first, Microsoft's flags over everything, and nobody by a guess."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from adapters.recall import KEEP
from adapters.teams.graph import Graph, Lookups, Memory, Sources, User
from adapters.teams.people import TeamsDirectory, Trust
from bot.domain.chat import Account, Person, PersonId
from bot.domain.errors import ChatUnavailable, Unsatisfiable
from bot.domain.people import GroupSource, SourceKind, may_answer
from bot.peoplefile import PeopleDirectory
from tests.teams.indoors import Indoors, indoors

ROSTER, GRAPH = {"is_graph": False}, {"is_graph": True}


@pytest.fixture(params=["graph", "roster"])
async def house(request: pytest.FixtureRequest) -> AsyncIterator[Indoors]:
    """With Graph, and by the rosters alone."""
    async with indoors(is_graph=request.param == "graph") as house:
        await house.settle()
        yield house


@pytest.fixture
async def graph() -> AsyncIterator[Indoors]:
    async with indoors() as house:
        await house.settle()
        yield house


def own(house: Indoors, user: str) -> PersonId:
    return PersonId(f"teams.{house.teams.tenant}.{user}")


def listed(house: Indoors, who: str, user: str, **facts: object) -> Person:
    changes = {"name": who.title(), "accounts": (house.account(user),), **facts}
    return Person(id=PersonId(who), **changes)  # type: ignore[arg-type]  # by name


# ------------------------------------------------------------------------ one person


async def test_a_full_member_is_somebody_of_their_own(house: Indoors) -> None:
    """Decision 4: who is in no people.yml is named after their account, and may answer."""
    person = await house.directory().who(house.account(house.ana))

    assert person is not None
    assert (person.id, person.name) == (own(house, house.ana), "Ana Alvarez")
    assert may_answer(person)
    assert await house.directory().person(person.id) == person
    assert await house.directory().active(frozenset({person.id})) == {person.id}


async def test_a_name_stands_in_our_sentences_as_one_line_that_hides_nothing(house: Indoors) -> None:
    """T09: a name with a line of its own, or one that turns what follows round, is shown without these."""
    house.teams.person(house.ana).name = "Mal\u202e\nApproved by\u200b Dana \u2028\U000e0041"
    house.teams.person(house.bo).name = "\u200b \u2060"

    found, nobody = [await house.directory().who(house.account(user)) for user in (house.ana, house.bo)]

    assert found is not None
    assert found.name == "Mal Approved by Dana"
    assert nobody is not None
    assert nobody.name == house.bo


async def test_people_yml_says_more_and_is_asked_first(house: Indoors) -> None:
    """PN-16: a listed person has one id, whatever their account would be called."""
    directory = house.directory(listed(house, "ana", house.ana, groups=frozenset({"sales"})))

    person = await directory.who(house.account(house.ana))

    assert person is not None
    assert person.id == "ana"
    assert person.groups == {"sales"}
    assert await directory.person(own(house, house.ana)) is None


async def test_a_guest_may_answer_nothing(house: Indoors) -> None:
    """T16: by Graph's userType or the roster's userRole, and whatever people.yml says."""
    directory = house.directory(listed(house, "gil", house.gil))

    guests = [await each.who(house.account(house.gil)) for each in (directory, house.directory())]

    assert [guest is not None and guest.is_guest for guest in guests] == [True, True]
    assert await directory.active(frozenset({PersonId("gil")})) == frozenset()


async def test_whoever_was_deactivated_may_answer_nothing(house: Indoors) -> None:
    """T16: between one look and the next."""
    directory = house.directory(listed(house, "bo", house.bo))
    assert await directory.active(frozenset({PersonId("bo")})) == {"bo"}

    house.teams.person(house.bo).is_deleted = True

    assert await directory.fresh().active(frozenset({PersonId("bo")})) == frozenset()
    assert await directory.fresh().who(house.account(house.bo)) is None


async def test_another_tenant_vouches_for_nobody(house: Indoors) -> None:
    """T15: the same object id in two tenants is two people, and one of them is nobody."""
    account = Account(platform="teams", tenant="other", user=house.ana)
    bo = Person(id=PersonId("bo"), name="Bo", accounts=(account,))

    assert await house.directory().who(account) is None
    assert await house.directory(bo).active(frozenset({bo.id})) == frozenset()


async def test_a_tenant_that_is_not_allowed_is_not_even_asked(house: Indoors) -> None:
    """T15: the app may be in a chat of another company's; whoever writes there is nobody here."""
    tenant = house.teams.add_tenant()
    mallory = house.teams.add_person("Mallory", tenant=tenant)
    chat = house.teams.add_group_chat([mallory])
    written = await house.said(mallory, chat)

    assert written.tenant == tenant
    assert await house.directory().who(written.by) is None
    assert await house.directory(tenants=frozenset({house.teams.tenant, tenant})).who(written.by) is not None


async def test_an_account_without_an_object_id_is_nobody_unless_listed(house: Indoors) -> None:
    roster = house.teams.person(house.ana).roster
    assert await house.directory().who(house.account(roster)) is None


async def test_a_failed_look_up_refuses(house: Indoors) -> None:
    """Fail closed: nobody is judged by an old answer, and nobody is waved through."""
    directory = house.directory(listed(house, "bo", house.bo))
    for route in ("graph", "member"):
        house.teams.faults.fail(route, 500, "ServiceError", times=100)

    with pytest.raises(ChatUnavailable):
        await directory.who(house.account(house.bo))
    with pytest.raises(ChatUnavailable):
        await directory.active(frozenset({PersonId("bo")}))


async def test_an_answer_is_believed_for_a_minute_and_by_nobody_who_asks_afresh(house: Indoors) -> None:
    """T16: cache of 60 s; none for high risk."""
    clock = [0.0]
    memory = Memory.empty(lambda: clock[0])
    lookups = Lookups(sources=house.office.lookups.sources, clock=lambda: clock[0], memory=memory)
    trust = Trust(tenants=frozenset({house.teams.tenant}), home=house.teams.tenant)
    directory = TeamsDirectory(PeopleDirectory(()), lookups, trust)
    looked = house.account(house.bo)
    assert await directory.who(looked) is not None
    house.teams.person(house.bo).is_guest = True

    remembered = await directory.who(looked)
    assert remembered is not None
    assert not remembered.is_guest
    asked_anew = await directory.fresh().who(looked)
    assert asked_anew is not None
    assert asked_anew.is_guest
    learned = await directory.who(looked)  # whoever asks afresh tells the others
    assert learned is not None
    assert learned.is_guest
    clock[0] = timedelta(seconds=KEEP).total_seconds() + 1
    house.teams.person(house.bo).is_guest = False
    again = await directory.who(looked)
    assert again is not None
    assert not again.is_guest


async def test_people_of_other_platforms_are_the_bases(house: Indoors) -> None:
    """CD-01: one person with accounts on two platforms; one bad account spoils them all."""
    slack = Account(platform="slack", tenant="T1", user="U1")
    bo = listed(house, "bo", house.bo, accounts=(slack, house.account(house.bo)))
    directory = house.directory(bo)
    found = await directory.who(slack)
    assert found is not None
    assert found.is_active

    house.teams.person(house.bo).is_guest = True

    spoiled = await directory.fresh().who(slack)
    assert spoiled is not None
    assert spoiled.is_guest


# ------------------------------------------------------------------- the rosters alone


@pytest.mark.parametrize("silent", [{"is_graph": False}, {"is_granted": False}], ids=["off", "not granted"])
async def test_whom_no_roster_shows_is_judged_by_their_other_accounts(silent: dict[str, bool]) -> None:
    """Without Graph, a Teams account nobody has seen says nothing about its person; alone, it makes them nobody."""
    async with indoors(**silent) as house:
        slack = Account(platform="slack", tenant="T1", user="U1")
        unseen = house.account(house.teams.add_person("Una Unseen"))
        both = Person(id=PersonId("una"), name="Una", accounts=(slack, unseen))
        alone = Person(id=PersonId("uno"), name="Uno", accounts=(unseen,))
        directory = house.directory(both, alone)

        assert await directory.active(frozenset({both.id, alone.id})) == {"una"}
        found = await directory.person(both.id)
        assert found is not None
        assert found.accounts == (slack,)


async def test_without_a_permission_the_roster_is_believed_and_that_is_said_once(graph: Indoors) -> None:
    """Section 14: 403 is a missing permission, no failure: the product works without it."""
    graph.teams.graph_permissions.clear()
    directory = graph.directory()
    with capture_logs() as logs:
        people = [await directory.fresh().who(graph.account(user)) for user in (graph.ana, graph.bo, graph.gil)]

    assert [may_answer(person) if person else None for person in people] == [True, True, False]
    assert [log["event"] for log in logs].count("teams_graph_denied") == 1
    assert len(graph.teams.calls("graph")) == 2  # the look at the start, and the one that was refused


# ------------------------------------------------------------------------- managers


async def test_graph_knows_the_manager_where_people_yml_names_none(graph: Indoors) -> None:
    """Section 14: 404 is nobody; people.yml goes first; nobody is their own manager."""
    teams = graph.teams
    teams.person(graph.ana).manager = graph.bo
    teams.person(graph.gil).manager = graph.gil
    directory = graph.directory(listed(graph, "bo", graph.bo), listed(graph, "gil", graph.gil))

    async def above(user: str) -> PersonId | None:
        person = await directory.who(graph.account(user))
        return person.manager if person else None

    assert await above(graph.ana) == "bo"
    assert await above(graph.bo) is None
    assert await above(graph.gil) is None
    ana = listed(graph, "ana", graph.ana, manager=PersonId("cy"))
    first = await graph.directory(ana).who(graph.account(graph.ana))
    assert first is not None
    assert first.manager == "cy"


async def test_a_manager_is_remembered_for_hours(graph: Indoors) -> None:
    graph.teams.person(graph.ana).manager = graph.bo
    directory = graph.directory()
    await directory.who(graph.account(graph.ana))
    asked = len([one for one in graph.teams.calls("graph") if one.path.partition("?")[0].endswith("/manager")])

    await directory.who(graph.account(graph.ana))

    assert len([one for one in graph.teams.calls("graph") if "/manager" in one.path]) == asked > 0


# --------------------------------------------------------------------------- e-mail


async def test_an_address_counts_only_where_that_is_switched_on(house: Indoors) -> None:
    """T16: in the home tenant, of full members, and never of a guest."""
    address = house.teams.person(house.ana).upn.upper()
    ana = Person(id=PersonId("ana"), name="Ana", email=address)
    gil = Person(id=PersonId("gil"), name="Gil", email=house.teams.person(house.gil).upn)

    off = await house.directory(ana).who(house.account(house.ana))
    on = await house.directory(ana, is_matching_email=True).who(house.account(house.ana))
    guest = await house.directory(gil, is_matching_email=True).who(house.account(house.gil))
    abroad = await house.directory(ana, is_matching_email=True, home="other").who(house.account(house.ana))

    unlisted = own(house, house.ana)
    assert [person.id if person else None for person in (off, on, abroad)] == [unlisted, "ana", unlisted]
    assert guest is not None
    assert guest.id != "gil"


async def test_addresses_of_two_people_are_nobodys(house: Indoors) -> None:
    """T16: an account whose two addresses name two people of people.yml is neither of them."""
    lookups = house.office.lookups
    both = User(id=house.ana, name="Ana", addresses=frozenset({"ana@one.example", "bo@one.example"}))
    lookups.memory.users.put(f"{house.teams.tenant}/{house.ana}", both, lookups.clock())
    ana, bo = [Person(id=PersonId(one), name=one, email=f"{one}@one.example") for one in ("ana", "bo")]

    person = await house.directory(ana, bo, is_matching_email=True).who(house.account(house.ana))

    assert person is not None
    assert person.id == own(house, house.ana)


async def test_a_guest_is_not_found_by_their_address_either(graph: Indoors) -> None:
    """T16: whoever is listed with the address of a guest is not that guest."""
    gil = Person(id=PersonId("gil"), name="Gil", email=graph.teams.person(graph.gil).upn)

    person = await graph.directory(gil, is_matching_email=True).person(gil.id)

    assert person is not None
    assert person.accounts == ()


async def test_somebody_listed_without_an_account_is_whoever_people_yml_says(house: Indoors) -> None:
    """A roster is not searched for an address, so that nothing is known against them."""
    zoe = Person(id=PersonId("zoe"), name="Zoe")

    assert await house.directory(zoe).active(frozenset({zoe.id})) == {"zoe"}


# --------------------------------------------------------------------------- groups


def team(name: str, tenant: str = "") -> GroupSource:
    return GroupSource(kind=SourceKind.TEAMS_TEAM, name=name, tenant=tenant)


async def test_a_team_is_a_group_of_its_full_members(house: Indoors) -> None:
    """Seats are filled from who is there now; a guest is never among them."""
    directory = house.directory(listed(house, "bo", house.bo), sources={"support": team("Support")})

    assert await directory.members("support") == {own(house, house.ana), "bo"}
    bo = await directory.who(house.account(house.bo))
    assert bo is not None
    assert bo.groups == {"support"}
    assert "support" in await directory.groups()
    assert await directory.problems() == ()

    await house.teams.leave(house.bo, house.team)
    assert await directory.fresh().members("support") == {own(house, house.ana)}


async def test_a_team_that_is_not_there_is_said_at_the_start(house: Indoors) -> None:
    directory = house.directory(sources={"legal": team("Legal"), "far": team("Support", "other")})

    assert await directory.problems() == (
        "group far: tenant other is none of this bot's; see TEAMS_TENANTS",
        "group legal: no team called 'Legal' has this app; add it there, or correct the name",
    )
    with pytest.raises(Unsatisfiable):
        await directory.members("legal")


async def test_an_entra_group_is_read_through_graph(graph: Indoors) -> None:
    board = graph.teams.add_group("Board", [graph.ana, graph.gil])
    directory = graph.directory(sources={"board": GroupSource(kind=SourceKind.TEAMS_GROUP, name=board)})

    assert await directory.members("board") == {own(graph, graph.ana)}

    graph.teams.graph_permissions.discard("GroupMember.Read.All")
    with pytest.raises(Unsatisfiable, match=r"GroupMember\.Read\.All"):
        await directory.fresh().members("board")


async def test_graphs_next_page_is_graphs_or_nobodys(graph: Indoors) -> None:
    """T24: a link in an answer must not carry our token elsewhere."""
    sources: Sources = graph.office.lookups.sources
    assert isinstance(sources.graph, Graph)

    with pytest.raises(ChatUnavailable, match="elsewhere"):
        sources.graph._next("https://evil.example/v1.0/groups/1/transitiveMembers")
    assert sources.graph._next(f"{graph.teams.origin}/v1.0/groups/1?$skiptoken=x")[1] == {"$skiptoken": "x"}


async def test_who_is_called_is_named_by_their_account(house: Indoors) -> None:
    directory = house.directory(listed(house, "bo", house.bo))

    known = await directory.known(PersonId("bo"), house.teams.tenant)

    assert known is not None
    assert (known.id, known.name) == (house.bo, "Bo")
    assert await directory.known(PersonId("bo"), "other") is None
    assert await directory.known(PersonId("nobody"), house.teams.tenant) is None
