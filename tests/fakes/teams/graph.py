"""A small Microsoft Graph: people, their managers, and groups. Permissions are asked for as the real one does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from tests.fakes.teams.world import FakePerson, Json, Refusal, World

PERSON = ("id", "displayName", "userPrincipalName", "mail", "userType", "accountEnabled", "givenName")
USUAL = ("id", "displayName", "userPrincipalName", "mail", "givenName")  # what comes unless $select says otherwise
LEVELS = re.compile(r"manager\(\$levels=(\d+|max)(?:;\$select=[\w,]+)?\)|manager(?:\(\$select=[\w,]+\))?")
PAGE, PAGE_MOST = 100, 999  # members on a page
READS_PEOPLE = {"User.Read.All", "Directory.Read.All"}
READS_GROUPS = {"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"}


class Graph:
    """*permissions*: what the tenant's admin consented to."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.permissions = {"User.Read.All", "GroupMember.Read.All"}

    def answer(self, tenant: str, path: tuple[str, ...], query: Mapping[str, str]) -> Json:
        """The body for `/v1.0/<path>`. *tenant*: whose token it is; nobody else's people can be read."""
        match path:
            case ("users", id):
                return self._user(tenant, id, query)
            case ("users", id, "manager"):
                return self._manager(tenant, id, query)
            case ("users", id, "transitiveMemberOf" | "memberOf"):
                self._need(READS_GROUPS)
                return self._page([self._group(one) for one in sorted(self._person(tenant, id).groups)], path, query)
            case ("groups", id, "transitiveMembers" | "members"):
                self._need(READS_GROUPS)
                return self._page([self._member(one, query) for one in self._in_group(tenant, id)], path, query)
        raise Refusal(400, "BadRequest", f"no such resource: {'/'.join(path)}", is_fault=True)

    def _user(self, tenant: str, id: str, query: Mapping[str, str]) -> Json:
        self._need(READS_PEOPLE)
        person = self._person(tenant, id)
        told = _told(person, _selected(query))
        if asked := query.get("$expand"):
            found = LEVELS.fullmatch(asked)
            if found is None:
                raise Refusal(400, "BadRequest", f"$expand is {asked!r}", is_fault=True)
            if found[1] and query.get("$count") != "true":
                raise Refusal(400, "Request_UnsupportedQuery", "$levels needs $count=true", is_fault=True)
            levels = 99 if found[1] == "max" else int(found[1] or 1)
            self._expand(told, person, levels)
        return told

    def _manager(self, tenant: str, id: str, query: Mapping[str, str]) -> Json:
        self._need(READS_PEOPLE)
        above = self._above(self._person(tenant, id))
        if above is None:
            raise Refusal(404, "Request_ResourceNotFound", "Resource 'manager' does not exist.")
        return {"@odata.type": "#microsoft.graph.user", **_told(above, _selected(query))}

    def _expand(self, told: Json, person: FakePerson, levels: int) -> None:
        above = self._above(person)
        if above is not None and levels:
            told["manager"] = {"@odata.type": "#microsoft.graph.user", **_told(above, USUAL)}
            self._expand(told["manager"], above, levels - 1)

    def _above(self, person: FakePerson) -> FakePerson | None:
        return self._world.people.get(person.manager) if person.manager else None

    def _person(self, tenant: str, id: str) -> FakePerson:
        found = self._world.people.get(id) or next((one for one in self._world.people.values() if one.upn == id), None)
        if found is None or found.tenant != tenant or found.is_deleted:
            raise Refusal(404, "Request_ResourceNotFound", f"Resource '{id}' does not exist.")
        return found

    def _in_group(self, tenant: str, id: str) -> list[FakePerson]:
        if id not in self._world.groups:
            raise Refusal(404, "Request_ResourceNotFound", f"Resource '{id}' does not exist.")
        return [one for one in self._world.people.values() if id in one.groups and one.tenant == tenant]

    def _group(self, id: str) -> Json:
        return {"@odata.type": "#microsoft.graph.group", "id": id, "displayName": self._world.groups[id]}

    def _member(self, person: FakePerson, query: Mapping[str, str]) -> Json:
        return {"@odata.type": "#microsoft.graph.user", **_told(person, _selected(query))}

    def _page(self, rows: list[Json], path: tuple[str, ...], query: Mapping[str, str]) -> Json:
        """`$top` of them, and where the others are."""
        asked, start = query.get("$top", str(PAGE)), int(query.get("$skiptoken", "0"))
        if not asked.isdecimal() or not 1 <= int(asked) <= PAGE_MOST:
            raise Refusal(400, "Request_BadRequest", f"$top is {asked!r}", is_fault=True)
        size, told = int(asked), {"value": rows[start : start + int(asked)]}
        if start + size >= len(rows):
            return told
        more = urlencode({**query, "$skiptoken": start + size}, safe="$")
        return {**told, "@odata.nextLink": f"{self._world.base}/v1.0/{'/'.join(path)}?{more}"}

    def _need(self, any_of: set[str]) -> None:
        if not self.permissions & any_of:
            raise Refusal(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def _selected(query: Mapping[str, str]) -> tuple[str, ...]:
    asked = tuple(query["$select"].split(",")) if "$select" in query else USUAL
    if unknown := set(asked) - set(PERSON):
        raise Refusal(400, "Request_BadRequest", f"a user has no {sorted(unknown)}", is_fault=True)
    return asked


def _told(person: FakePerson, names: tuple[str, ...]) -> Json:
    everything = {
        "id": person.id,
        "displayName": person.name,
        "givenName": person.name.split()[0],
        "userPrincipalName": person.upn,
        "mail": person.upn,
        "userType": "Guest" if person.is_guest else "Member",
        "accountEnabled": not person.is_disabled,
    }
    return {name: everything[name] for name in names}
