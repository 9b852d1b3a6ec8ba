"""people.yml -> a directory of persons. Every mistake at once, as `people.yml:LINE:COLUMN: sentence`.

    tenants: {slack: T0123, teams: 6f2c…}        where a plain user id of a platform belongs
    people:
      ana: {name: Ana, groups: [sales], manager: dana, email: ana@example.org,
            accounts: {playground: ana, slack: U0123, teams: 6f2c…/81de…},   in Teams, object ids
            zone: Europe/Berlin, hours: "Mon-Thu 09:00-17:30, Fri 09:00-14:00", quiet: "22:00-07:00"}
    groups:                                      where members come from besides the people listed
      finance: {slack_usergroup: finance-approvers}
      oncall:  {slack_channel: C0123ABCD}
      legal:   {teams_team: Legal}               or teams_group: an Entra group's object id

An account is `user`, or `tenant/user` for another workspace; a source is `name`, or `tenant/name`. Not here: who is
in a source now (adapters), nor who may answer what (domain/people.py), nor who is on call (oncallfile).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from yaml.nodes import Node, ScalarNode, SequenceNode

from bot.domain.chat import Account, Person, PersonId
from bot.domain.errors import BadPolicy, Unsatisfiable
from bot.domain.hours import UNSAID, Hours, is_ever_awake
from bot.domain.people import ANYONE, MANAGED, NAME, GroupSource, SourceKind, is_unlisted, may_answer
from bot.domain.ports import Directory, Duty
from bot.hoursfile import read_times, read_zone
from bot.yamlfile import Fields, Reader, open_yaml

FILE_KEYS = ("tenants", "people", "groups")
PERSON_KEYS = ("name", "groups", "manager", "email", "accounts", "zone", "hours", "quiet", "active", "guest", "bot")
LOCAL = ("playground", "terminal")  # platforms of this machine: their one tenant is "local"
RESERVED = {ANYONE, "here", "manager", *MANAGED}
SLACK_IDS = {SourceKind.SLACK_USERGROUP: "S", SourceKind.SLACK_CHANNEL: "CG"}  # what an id begins with
GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # what Microsoft names tenants, people and groups by


class PeopleDirectory:
    """A `Directory` of a fixed list of people.

    `sources` says where else members of a group come from: an adapter's directory reads them. `tenants` says
    where a plain id of a platform belongs. `duty` knows who is on call; without it no rotation can be asked.
    """

    duty: Duty | None = None

    def __init__(
        self,
        people: tuple[Person, ...],
        sources: Mapping[str, GroupSource] | None = None,
        tenants: Mapping[str, str] | None = None,
    ) -> None:
        self.people, self.sources, self.tenants = people, sources or {}, tenants or {}
        self._by_id = {person.id: person for person in people}
        self._by_account = {account: person for person in people for account in person.accounts}
        self._groups: dict[str, set[PersonId]] = {ANYONE: set(self._by_id)} | {name: set() for name in self.sources}
        for person in people:
            for group in person.groups:
                self._groups.setdefault(group, set()).add(person.id)

    def fresh(self) -> Directory:
        return self

    async def who(self, account: Account) -> Person | None:
        return self._by_account.get(account)

    async def person(self, id: PersonId) -> Person | None:
        return self._by_id.get(id)

    async def members(self, group: str) -> frozenset[PersonId]:
        return frozenset(self._groups.get(group, ()))

    async def active(self, ids: frozenset[PersonId]) -> frozenset[PersonId]:
        return frozenset(who for who in ids if who in self._by_id and may_answer(self._by_id[who]))

    async def groups(self) -> frozenset[str]:
        return frozenset(self._groups)

    async def on_call(self, rotation: str) -> frozenset[PersonId]:
        if self.duty is None:
            why = "no schedule says who is on call; name an iCalendar file in COUNTERSIGN_ONCALL"
            raise Unsatisfiable(f"oncall({rotation}): {why}")
        return await self.duty.on_call(rotation)


def read_people(path: Path) -> PeopleDirectory:
    """Read a people file. Raises BadPolicy with every problem."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadPolicy([f"{path.name}:1:1: cannot be read: {error.strerror}; correct COUNTERSIGN_PEOPLE"]) from error
    return parse_people(data, name=path.name)


def parse_people(data: bytes, *, name: str = "people.yml") -> PeopleDirectory:
    """Read the text of a people file. Raises BadPolicy with every problem."""
    root, reader = open_yaml(data, name)
    fields = reader.fields(root, "the file", FILE_KEYS) or {}
    tenants = _tenants(fields["tenants"][1], reader) if "tenants" in fields else {}
    if "people" not in fields:
        reader.note(root, "the file has no people")
        reader.done()
    entries = reader.fields(fields["people"][1], "people") or {}
    people = {who: _person(who, *nodes, tenants, reader) for who, nodes in entries.items()}
    sources = dict(_sources(fields["groups"][1], tenants, reader)) if "groups" in fields else {}
    _check_managers(people, entries, reader)
    _check_unique(people, entries, reader)
    reader.done()
    return PeopleDirectory(tuple(people.values()), sources, tenants)


def _tenants(node: Node, reader: Reader) -> dict[str, str]:
    found = {
        platform: reader.text(value, f"tenant of {platform}")
        for platform, (_, value) in (reader.fields(node, "tenants") or {}).items()
    }
    return {platform: tenant for platform, tenant in found.items() if tenant}


def _person(id: str, key: Node, value: Node, tenants: Mapping[str, str], reader: Reader) -> Person:
    if not NAME.fullmatch(id) or id in RESERVED:
        reader.note(key, f"{id!r} cannot be a person's id")
    elif is_unlisted(id):
        reader.note(key, f"{id!r} cannot be a person's id: it is how somebody is called who is not in this file")
    fields = reader.fields(value, f"person {id}", PERSON_KEYS) or {}
    if "name" not in fields:
        reader.note(key, f"person {id} has no name")
    texts = {k: reader.text(fields[k][1], f"{k} of {id}") for k in ("name", "manager", "email") if k in fields}
    accounts = tuple(_accounts(id, fields, tenants, reader))
    zone = _zone(id, fields, reader)
    flags = {k: reader.flag(fields[k][1], f"{k} of {id}") for k in ("active", "guest", "bot") if k in fields}
    return Person(
        id=PersonId(id),
        name=texts.get("name") or id,
        accounts=accounts,
        groups=_groups(id, fields, reader),
        manager=PersonId(manager) if (manager := texts.get("manager")) else None,
        email=texts.get("email"),
        is_active=flags.get("active") is not False,
        is_guest=bool(flags.get("guest")),
        is_bot=bool(flags.get("bot")),
        zone=zone or UNSAID,
        hours=_hours(id, fields, (zone, accounts), reader),
    )


def _zone(id: str, fields: Fields, reader: Reader) -> str:
    """Empty when there is none: then Slack may know it."""
    if "zone" not in fields:
        return ""
    name = read_zone(fields["zone"][1], f"zone of {id}", reader)
    return "Etc/UTC" if name == UNSAID else name


def _hours(id: str, fields: Fields, lives: tuple[str, tuple[Account, ...]], reader: Reader) -> Hours | None:
    """When they may be called; None: always. *lives* is by which zone, if the file says, and with which accounts."""
    zone, accounts = lives
    if not {"hours", "quiet"} & fields.keys():
        return None
    found = {key: read_times(fields[key][1], f"{key} of {id}", reader) for key in ("hours", "quiet") if key in fields}
    hours = Hours(zone=zone, work=found.get("hours", ()), quiet=found.get("quiet", ()))
    key = fields["hours" if "hours" in fields else "quiet"][0]
    is_on_slack = "email" in fields or any(account.platform == "slack" for account in accounts)  # which knows zones
    if "zone" not in fields and not is_on_slack:
        reader.note(key, f"{id} has times but no zone; write for example zone: Europe/Berlin")
    if all(found.values()) and not is_ever_awake(hours):
        reader.note(key, f"{id} could never be called: all their hours are quiet; leave some time between")
    return hours


def _groups(id: str, fields: Fields, reader: Reader) -> frozenset[str]:
    nodes = reader.items(fields["groups"][1], f"groups of {id}") or [] if "groups" in fields else []
    named = [(reader.text(node, "a group"), node) for node in nodes]
    return frozenset(group for group, node in named if group is not None and _is_group(group, node, reader))


def _is_group(name: str, node: Node, reader: Reader) -> bool:
    if NAME.fullmatch(name) and name not in RESERVED:
        return True
    if name == ANYONE:
        why = "; everybody is in it"
    elif name in RESERVED:
        why = f": in a rule, the word means somebody else; take another, such as {name}s"
    else:
        why = ": a name has letters, digits, ., _ and -"
    reader.note(node, f"{name!r} cannot be a group{why}")
    return False


def _accounts(id: str, fields: Fields, tenants: Mapping[str, str], reader: Reader) -> Iterator[Account]:
    if "accounts" not in fields:
        return
    for platform, (_, value) in (reader.fields(fields["accounts"][1], f"accounts of {id}") or {}).items():
        for node in value.value if isinstance(value, SequenceNode) else [value]:
            text = reader.text(node, f"{platform} account of {id}")
            tenant, _, user = text.rpartition("/") if text and text.count("/") == 1 else ("", "", text or "")
            tenant = tenant or ("local" if platform in LOCAL else tenants.get(platform, ""))
            if tenant and user:
                yield Account(platform=platform, tenant=_lower(tenant), user=_lower(user))
            elif text is not None:
                reader.note(node, f"write TENANT/{user or 'USER'}, or say tenants: {{{platform}: …}} once")


def _lower(id: str) -> str:
    """*id* as Microsoft writes a GUID; portals copy some of them in capitals."""
    return id.lower() if re.fullmatch(GUID, id) else id


def _sources(node: Node, tenants: Mapping[str, str], reader: Reader) -> Iterator[tuple[str, GroupSource]]:
    """Each group that has a source, with it."""
    for group, (key, value) in (reader.fields(node, "groups") or {}).items():
        fields = reader.fields(value, f"group {group}", tuple(SourceKind))
        if not _is_group(group, key, reader) or fields is None:
            continue
        if len(fields) > 1:
            reader.note(
                key, f"group {group} has {len(fields)} sources; write one, and a group of its own for the other"
            )
        elif not value.value:
            reader.note(value, f"group {group} has no source; write one of {', '.join(SourceKind)}")
        for kind, (_, name) in list(fields.items())[:1]:
            if source := _source(group, SourceKind(kind), name, tenants, reader):
                yield group, source


def _source(group: str, kind: SourceKind, node: Node, tenants: Mapping[str, str], reader: Reader) -> GroupSource | None:
    """One source: an id, or a name with or without its @ or #, perhaps behind `tenant/`."""
    what, sign = f"{kind} of {group}", "#" if kind is SourceKind.SLACK_CHANNEL else "@"
    if isinstance(node, ScalarNode) and not node.style and not node.value:
        reader.note(node, f"{what} is empty" + ("; a name with # stands in quotes" if sign == "#" else ""))
        return None
    text = reader.text(node, what)
    if text is None:
        return None
    tenant, _, name = text.rpartition("/")
    if kind.platform == "teams":
        return _of_teams(kind, (_lower(tenant or tenants.get("teams", "")), name.strip()), node, reader)
    name = name.removeprefix(sign)
    if not re.fullmatch(r"[^\s/@#<>|]{1,80}", name) or not re.fullmatch(r"[A-Za-z0-9]*", tenant):
        reader.note(node, f"{what}: {text!r} is neither an id nor a name; write NAME or TENANT/NAME")
    elif re.fullmatch(r"[A-Z][A-Z0-9]{7,}", name) and name[0] not in SLACK_IDS[kind]:
        begins = " or ".join(SLACK_IDS[kind])
        reader.note(node, f"{what}: {name} is the id of something else; this one begins with {begins}")
    else:
        return GroupSource(kind=kind, name=name, tenant=tenant or tenants.get("slack", ""))
    return None


def _of_teams(kind: SourceKind, named: tuple[str, str], node: Node, reader: Reader) -> GroupSource | None:
    """A team by its name or id, or an Entra group by its object id, in a tenant."""
    tenant, name = named
    if kind is SourceKind.TEAMS_GROUP and not re.fullmatch(GUID, name):
        reader.note(node, f"{kind} {name!r} is no object id; copy the one that Entra shows for the group")
    elif not re.fullmatch(r"[^|]{1,200}", name) or not re.fullmatch(rf"(?:{GUID})?", tenant):
        reader.note(node, f"{kind} {name!r} is neither a team's name nor its id; write NAME or TENANT/NAME")
    else:
        return GroupSource(kind=kind, name=_lower(name), tenant=tenant)
    return None


def _check_managers(people: Mapping[str, Person], entries: Mapping[str, tuple[Node, Node]], reader: Reader) -> None:
    """Every manager is somebody, and nobody manages themselves through others."""
    for who, person in people.items():
        if person.manager is not None and person.manager not in people:
            reader.note(entries[who][0], f"the manager of {who}, {person.manager}, is not in this file")
        loop = _loop(who, people)
        if loop and who == min(loop):
            reader.note(entries[who][0], f"{who} is their own manager: {' -> '.join(loop)}")


def _loop(who: str, people: Mapping[str, Person]) -> list[str]:
    """The way from *who* up to *who* again; empty when there is none."""
    chain, above = [who], people[who].manager
    while above is not None and above in people and above not in chain:
        chain.append(above)
        above = people[above].manager
    return [*chain, who] if above == who else []


def _check_unique(people: Mapping[str, Person], entries: Mapping[str, tuple[Node, Node]], reader: Reader) -> None:
    """An account or an e-mail address belongs to one person: rights must not be anybody's guess."""
    owner: dict[str, str] = {}
    for who, person in people.items():
        names = [f"{account.platform} account {account.tenant}/{account.user}" for account in person.accounts]
        for name in [*names, *([f"address {person.email.casefold()}"] if person.email else [])]:
            if name in owner:
                reader.note(entries[who][0], f"the {name} of {who} already belongs to {owner[name]}")
            owner.setdefault(name, who)
