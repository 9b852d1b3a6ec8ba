"""people.yml -> a directory of persons. Every mistake at once, as `people.yml:LINE:COLUMN: sentence`.

    tenants: {slack: T0123, teams: 6f2c…}        where a plain user id of a platform belongs
    people:
      ana: {name: Ana, groups: [sales], manager: dana, email: ana@example.org,
            accounts: {playground: ana, slack: U0123, teams: 6f2c…/29:1abc}}

An account is `user`, or `tenant/user` for another workspace. Somebody's rights come from here alone: an account
that is not listed is nobody. Not here: who may answer what (domain/people.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from yaml.nodes import Node, SequenceNode

from bot.domain.chat import Account, Person, PersonId
from bot.domain.errors import BadPolicy
from bot.domain.people import ANYONE, MANAGED, NAME
from bot.yamlfile import Fields, Reader, open_yaml

FILE_KEYS = ("tenants", "people")
PERSON_KEYS = ("name", "groups", "manager", "email", "accounts", "active", "guest", "bot")
LOCAL = ("playground", "terminal")  # platforms of this machine: their one tenant is "local"
RESERVED = {ANYONE, "here", "manager", *MANAGED}


class PeopleDirectory:
    """A `Directory` of a fixed list of people."""

    def __init__(self, people: tuple[Person, ...]) -> None:
        self.people = people
        self._by_id = {person.id: person for person in people}
        self._by_account = {account: person for person in people for account in person.accounts}
        self._groups: dict[str, set[PersonId]] = {ANYONE: set(self._by_id)}
        for person in people:
            for group in person.groups:
                self._groups.setdefault(group, set()).add(person.id)

    async def who(self, account: Account) -> Person | None:
        return self._by_account.get(account)

    async def person(self, id: PersonId) -> Person | None:
        return self._by_id.get(id)

    async def members(self, group: str) -> frozenset[PersonId]:
        return frozenset(self._groups.get(group, ()))

    async def groups(self) -> frozenset[str]:
        return frozenset(self._groups)


def read_people(path: Path) -> PeopleDirectory:
    """Read a people file. Raises BadPolicy with every problem."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadPolicy([f"{path.name}:1:1: cannot be read: {error.strerror}"]) from error
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
    _check_managers(people, entries, reader)
    _check_unique(people, entries, reader)
    reader.done()
    return PeopleDirectory(tuple(people.values()))


def _tenants(node: Node, reader: Reader) -> dict[str, str]:
    found = {
        platform: reader.text(value, f"tenant of {platform}")
        for platform, (_, value) in (reader.fields(node, "tenants") or {}).items()
    }
    return {platform: tenant for platform, tenant in found.items() if tenant}


def _person(id: str, key: Node, value: Node, tenants: Mapping[str, str], reader: Reader) -> Person:
    if not NAME.fullmatch(id) or id in RESERVED:
        reader.note(key, f"{id!r} cannot be a person's id")
    fields = reader.fields(value, f"person {id}", PERSON_KEYS) or {}
    if "name" not in fields:
        reader.note(key, f"person {id} has no name")
    texts = {k: reader.text(fields[k][1], f"{k} of {id}") for k in ("name", "manager", "email") if k in fields}
    flags = {k: reader.flag(fields[k][1], f"{k} of {id}") for k in ("active", "guest", "bot") if k in fields}
    return Person(
        id=PersonId(id),
        name=texts.get("name") or id,
        accounts=tuple(_accounts(id, fields, tenants, reader)),
        groups=_groups(id, fields, reader),
        manager=PersonId(manager) if (manager := texts.get("manager")) else None,
        email=texts.get("email"),
        is_active=flags.get("active") is not False,
        is_guest=bool(flags.get("guest")),
        is_bot=bool(flags.get("bot")),
    )


def _groups(id: str, fields: Fields, reader: Reader) -> frozenset[str]:
    found = set()
    for node in reader.items(fields["groups"][1], f"groups of {id}") or [] if "groups" in fields else []:
        group = reader.text(node, "a group")
        if group is not None and (not NAME.fullmatch(group) or group in RESERVED):
            reader.note(node, f"{group!r} cannot be a group" + ("; everybody is in it" if group == ANYONE else ""))
        elif group is not None:
            found.add(group)
    return frozenset(found)


def _accounts(id: str, fields: Fields, tenants: Mapping[str, str], reader: Reader) -> Iterator[Account]:
    if "accounts" not in fields:
        return
    for platform, (_, value) in (reader.fields(fields["accounts"][1], f"accounts of {id}") or {}).items():
        for node in value.value if isinstance(value, SequenceNode) else [value]:
            text = reader.text(node, f"{platform} account of {id}")
            tenant, _, user = text.rpartition("/") if text and text.count("/") == 1 else ("", "", text or "")
            tenant = tenant or ("local" if platform in LOCAL else tenants.get(platform, ""))
            if tenant and user:
                yield Account(platform=platform, tenant=tenant, user=user)
            elif text is not None:
                reader.note(node, f"write TENANT/{user or 'USER'}, or say tenants: {{{platform}: …}} once")


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
