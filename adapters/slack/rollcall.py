"""The roll call: are the people whom people.yml and the policy count on there, on Slack, at this moment?

    groups with a source -> the manager's profile field -> the people listed -> can every quorum be met?

Part of the checkup, which says it to whoever starts the bot. Somebody without an account on Slack signs nothing there,
whatever else they have. Not owned: what a quorum needs (`Wanted.judge`), who may answer what (the directory).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from adapters.lengths import sound
from adapters.rollcall import LISTED, Reachable, Remark, Wanted, bad, good, looked, quorums, weak, why
from adapters.slack.answers import TeamProfile
from adapters.slack.api import PLATFORM, SlackRefused
from adapters.slack.lookups import Lookups
from adapters.slack.office import Office
from adapters.slack.people import SOURCES, SlackDirectory, Trust
from adapters.slack.shapes import BadPayload, read_as
from bot.domain.chat import Account, Person, PersonId
from bot.domain.errors import Unavailable, Unsatisfiable
from bot.domain.people import GroupSource, SourceKind
from bot.domain.ports import Directory


class Rollcall:
    def __init__(self, office: Office, wanted: Wanted[Trust], teams: Sequence[str]) -> None:
        self._office, self._wanted, self._teams = office, wanted, teams
        self._lookups = Lookups(office.api, office.teams)
        self._people = SlackDirectory(wanted.base, self._lookups, wanted.trust)
        self._unread: set[str] = set()  # groups of which nothing is known

    async def remarks(self) -> list[Remark]:
        """Everything, whatever the others found."""
        looks = (
            ("the groups", self._groups),
            ("SLACK_MANAGER_FIELD", self._field),
            ("who is listed", self._listed),
            ("whether every quorum can be met", self._quorums),
        )
        return await looked(looks, (SlackRefused, BadPayload))

    # --------------------------------------------------------------- groups

    async def _groups(self) -> AsyncIterator[Remark]:
        for name, source in sorted(self._wanted.trust.sources.items()):
            if source.kind in SOURCES:
                yield await self._group(name, source)

    async def _group(self, name: str, source: GroupSource) -> Remark:
        try:
            active = await self._here().active(await self._people.members(name))
        except (Unsatisfiable, Unavailable) as error:
            self._unread.add(name)
            if isinstance(error, Unsatisfiable):
                return bad(f"{error.why}; {await self._remedy(source)}")
            return bad(f"group {name} cannot be read ({why(error)}); nobody in it can sign until it can")
        if not active:
            told = f"group {name} has nobody who may answer (guests, bots and deactivated people may not)"
            return bad(f"{told}; add full members to {source.name} in Slack")
        return good(f"group {name}: {len(active)} may answer")

    async def _remedy(self, source: GroupSource) -> str:
        if source.kind is SourceKind.SLACK_CHANNEL:
            return f"correct it in {LISTED}, or if it is private, type `/invite @countersign` there"
        team = source.tenant or self._wanted.trust.home or next(iter(self._teams), "")
        try:
            await self._office.api.call(team, "usergroups.list")
        except SlackRefused as refused:
            if refused.code == "plan_upgrade_required":
                return "the plan of this workspace has no user groups, so name a channel instead: slack_channel"
        except Unavailable:
            pass  # what could be said was said: the remedy stays the usual one
        return f"make it or switch it on in Slack, or correct it in {LISTED}"

    # ---------------------------------------------------------------- field

    async def _field(self) -> AsyncIterator[Remark]:
        """A profile field that is not there, or names no people, gives nobody a manager, and says nothing."""
        field = self._wanted.trust.manager_field
        for team in self._teams if field else ():
            reply = await self._office.api.call(team, "team.profile.get")
            fields = read_as(TeamProfile, reply).profile.fields
            types = [one.type for one in fields if field in (one.id, one.label)]
            if not types:
                there = ", ".join(repr(sound(one.label)) for one in fields if one.type == "user") or "none"
                yield bad(
                    f"SLACK_MANAGER_FIELD: {team} has no profile field {field!r}; those that name people: {there}"
                )
            elif "user" not in types:
                yield bad(
                    f"SLACK_MANAGER_FIELD: {field!r} is of type {sound(types[0])}; make it one of type user (people)"
                )
            else:
                yield good(f"SLACK_MANAGER_FIELD: {field!r} names people in {team}")

    # --------------------------------------------------------------- people

    async def _listed(self) -> AsyncIterator[Remark]:
        """Each account of people.yml; then those whom nobody can meet on Slack."""
        await self._learn()
        is_matching = self._wanted.trust.is_matching_email
        for person in self._wanted.people:
            for account in _slack(person):
                if told := await self._account(account):
                    yield bad(f"{LISTED}: account {account.user} of {person.id} {told}")
            if is_matching and person.email and not _slack(person) and not await self._is_met(person.id):
                told = "is of nobody in Slack, or not confirmed; correct it, or list the user id under accounts"
                yield bad(f"{LISTED}: the address of {person.id} {told}")
        unlisted = self._wanted.strangers(PLATFORM)
        if addressed := [person.id for person in unlisted if person.email and not is_matching]:
            told = "on Slack nobody is them; add `accounts: {slack: U…}`, or set SLACK_MATCH_EMAIL=true"
            yield weak(f"{LISTED}: {', '.join(addressed)} with an address alone: {told}")
        if strangers := [person.id for person in unlisted if not person.email]:
            what, more = ("account or address", " or an address") if is_matching else ("account", "")
            told = f"on Slack nobody is them; add `accounts: {{slack: U…}}`{more}"
            yield weak(f"{LISTED}: {', '.join(strangers)} without {what}: {told}")

    async def _account(self, account: Account) -> str:
        """Why this account may answer nothing; empty if it may."""
        if not await self._lookups.is_ours(account.tenant):
            return f"is in workspace {account.tenant}, which has not installed the app; install it there, or correct it"
        user = await self._lookups.user(account.tenant, account.user)
        if user is None:
            return f"is unknown to {account.tenant}; correct it (in a profile: Copy member ID)"
        if not user.is_active:
            return "is deactivated in Slack; take it out, or activate it"
        if user.is_bot:
            return "is a bot in Slack, and bots may answer nothing; take it out"
        if user.is_guest:
            return "is a guest in Slack, and guests may answer nothing; make them a full member, or take it out"
        return ""

    async def _learn(self) -> None:
        """Read the whole list at once where that is quicker."""
        accounts = [one for person in self._wanted.people for one in _slack(person)]
        for team in sorted({one.tenant for one in accounts}):
            if await self._lookups.is_ours(team):
                await self._lookups.learn(team, [one.user for one in accounts if one.tenant == team])

    async def _is_met(self, who: PersonId) -> bool:
        person = await self._people.person(who)
        return person is not None and bool(_slack(person))

    # -------------------------------------------------------------- quorums

    async def _quorums(self) -> AsyncIterator[Remark]:
        async for remark in quorums(self._wanted, self._here(), frozenset(self._unread), "Slack"):
            yield remark

    def _here(self) -> OnSlack:
        return OnSlack(self._people, self._teams, self._wanted.met_elsewhere)


class OnSlack(Reachable):
    """Those whom Slack can reach."""

    def __init__(self, people: SlackDirectory, teams: Sequence[str], elsewhere: frozenset[PersonId]) -> None:
        super().__init__(people, elsewhere)
        self._here, self._teams = people, teams

    def fresh(self) -> Directory:
        return OnSlack(self._here.fresh(), self._teams, self._elsewhere)

    async def is_met(self, who: PersonId) -> bool:
        """Of a whole organisation it is not told which workspaces it has: everybody may be there."""
        return not self._teams or any([await self._here.user_of(who, team) for team in self._teams])


def _slack(person: Person) -> list[Account]:
    return [account for account in person.accounts if account.platform == PLATFORM]
