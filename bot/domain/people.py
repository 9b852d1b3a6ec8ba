"""Who is meant: from the words of a policy to persons.

    "manager(requester)" -> parse() -> ManagerOf -> resolve() -> {dana}
    "oncall(support)"    -> parse() -> OnCall    -> resolve() -> whoever is on call just now

Owns the grammar of audiences and the rule that only active persons answer. Not who is in which group
(the directory), nor who may not sign their own request (the desk).
"""

from __future__ import annotations

import enum
import re
from functools import lru_cache
from typing import Literal, cast

from bot.domain.chat import Person, PersonId, Place
from bot.domain.ports import Directory
from bot.domain.verdict import Audience
from bot.domain.wire import Record

ANYONE = "anyone"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")  # a person's id (teams.<tenant>.<object id> has 79), or a group
MANAGED = ("requester", "approver")
HIGHEST = 5  # managers above one another; more is a mistake, or a circle
PLATFORMS = ("slack", "teams")  # where somebody may be a person without being listed
AFTER_ACCOUNT = tuple(f"{platform}." for platform in PLATFORMS)  # how such a person's id begins


class Requester(Record):
    """The person who gave the task."""


class ManagerOf(Record):
    """The manager of the requester, or the managers of everybody who was asked; with `up` 2, those people's, and so on.

    A missing manager means nobody.
    """

    of: Literal["requester", "approver"]
    up: int = 1


class OnCall(Record):
    """Everybody who is on call for `rotation` at the moment somebody asks."""

    rotation: str


class One(Record):
    """One person, by id."""

    id: PersonId


class Group(Record):
    """Everybody in a group; the group "anyone" is every person."""

    name: str


class SourceKind(enum.StrEnum):
    """What a group's members may be read from. The value is its key in people.yml."""

    SLACK_USERGROUP = "slack_usergroup"
    SLACK_CHANNEL = "slack_channel"
    TEAMS_TEAM = "teams_team"
    TEAMS_GROUP = "teams_group"  # a group of Entra, by its object id

    @property
    def platform(self) -> str:
        return self.value.partition("_")[0]


class GroupSource(Record):
    """Where members of a group come from besides the people listed: one user group or channel of one workspace
    of Slack, one team or Entra group of one tenant of Teams.

    `name` is its id, or what people call it, without @ or #. An empty `tenant` means the only one there is.
    """

    kind: SourceKind
    name: str
    tenant: str = ""


AudienceTerm = Requester | ManagerOf | OnCall | One | Group


@lru_cache(maxsize=1_000)
def parse(text: Audience) -> AudienceTerm:
    """Read an audience. Raises ValueError with one sentence that says what to write instead."""
    if text == "requester":
        return Requester()
    if text.startswith("manager(") and text.endswith(")"):
        return _manager(text)
    if called := re.fullmatch(r"oncall\((.*)\)", text):
        if not NAME.fullmatch(called[1]):
            raise ValueError(f"{text} names no rotation: write oncall(support), as the schedule calls it")
        return OnCall(rotation=called[1])
    if text.startswith("@") and NAME.fullmatch(text[1:]):
        return One(id=PersonId(text[1:]))
    if NAME.fullmatch(text) and text not in ("manager", "approver", "here"):
        return Group(name=text)
    told = "requester, manager(requester), manager(approver), oncall(rotation), @id or a group"
    raise ValueError(f"{text!r} names nobody: write {told}")


def _manager(text: str) -> ManagerOf:
    inner, up = text, 0
    while up <= HIGHEST and (called := re.fullmatch(r"manager\((.*)\)", inner)):
        inner, up = called[1], up + 1
    if up > HIGHEST:
        raise ValueError(f"manager(…) stands in itself more than {HIGHEST} times: write manager(manager(requester))")
    if inner not in MANAGED:
        raise ValueError(f"manager({inner}) is unknown: write manager(requester) or manager(approver)")
    return ManagerOf(of=cast(Literal["requester", "approver"], inner), up=up)


async def resolve(
    audience: Audience, *, directory: Directory, requester: PersonId, approvers: frozenset[PersonId]
) -> frozenset[PersonId]:
    """The active persons *audience* means now; never a guest or a bot. Raises as `whom` does."""
    found = await whom(audience, directory=directory, requester=requester, approvers=approvers)
    return await directory.active(found)


async def whom(
    audience: Audience, *, directory: Directory, requester: PersonId, approvers: frozenset[PersonId]
) -> frozenset[PersonId]:
    """Whom *audience* names now, whether or not they may still answer. A missing manager means nobody.

    *approvers* are those who were asked. Raises ValueError (not an audience), Unavailable (failed look-up),
    Unsatisfiable (a group or rotation that can never be read).
    """
    match parse(audience):
        case Requester():
            return frozenset({requester})
        case One(id=id):
            return frozenset({id})
        case Group(name=name):
            return await directory.members(name)
        case OnCall(rotation=rotation):
            return await directory.on_call(rotation)
        case ManagerOf(of=of, up=up):
            found = frozenset({requester}) if of == "requester" else approvers
            for _ in range(up):
                found = await _managers(found, directory)
            return found


def may_answer(person: Person) -> bool:
    """Guests, bots and people who left never answer anything."""
    return person.is_active and not person.is_guest and not person.is_bot


def is_unlisted(id: str) -> bool:
    """Does *id* name somebody after their one account, `<platform>.<tenant>.<user>`? No file may list such an id."""
    return id.startswith(AFTER_ACCOUNT)


def is_foreign(id: PersonId, place: Place) -> bool:
    """Is *id* of somebody who is known by an account of another tenant of *place*'s platform, and by nothing else?"""
    if not is_unlisted(id):
        return False
    return id.startswith(f"{place.platform}.") and not id.startswith(f"{place.platform}.{place.tenant}.")


async def _managers(people: frozenset[PersonId], directory: Directory) -> frozenset[PersonId]:
    found = [await directory.person(who) for who in sorted(people)]
    return frozenset(person.manager for person in found if person is not None and person.manager is not None)
