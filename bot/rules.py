"""The rules of the house: the policy, the people and the agents as somebody wrote them, and the tools they speak of.

    policy.yml + people.yml + oncall.ics + agents.yml + tools -> checked against each other -> Rules

Owns which tools there are, and opens the servers of those that are not ours. Not what a rule means (domain), nor who
Slack says somebody is (chats).
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agents.patterns.calls import CALLS, pattern_tools
from agents.roster import Roster
from agents.toolbox import Toolbox
from agents.tools.files import WorkFolder, file_tools
from agents.tools.http import Hosts, http_tools
from agents.tools.knowledge import Library, knowledge_tools
from agents.tools.mail import MailRoute, SmtpServer, mail_tools
from agents.tools.people import people_tools
from agents.tools.postgres import Database
from agents.tools.preferences import preference_tools
from agents.tools.publishing import Press, publishing_tools
from agents.tools.sample import sample_tools
from agents.tools.services import service_tools
from agents.tools.shop import Shop, shop_tools
from agents.tools.sql import sql_tools
from agents.tools.tables import table_tools
from bot.agentsbuild import FOR_TESTS, Shelf, built, helper_calls, without_file
from bot.agentscheck import World, default_of, misnamed
from bot.agentscheck import check as check_agents
from bot.agentsfile import AgentsFile, read_agents
from bot.config import Settings
from bot.domain.calls import make_call
from bot.domain.chat import Person, Place
from bot.domain.errors import BadPolicy, BadSettings
from bot.domain.policy import Facts, Policy
from bot.domain.ports import Directory, Tool
from bot.domain.preferences import Preferences
from bot.domain.store import Store
from bot.domain.wire import Json
from bot.exampledata import lay_out
from bot.loaded import NotLoaded, loaded
from bot.oncallfile import OnCallFile
from bot.peoplefile import PeopleDirectory, read_people
from bot.policycheck import check
from bot.policyexplain import explain_text
from bot.policyfile import read_policy
from bot.secretref import secret
from bot.services import read_services
from bot.toolhints import some
from bot.worktools import work_tools

if TYPE_CHECKING:
    from agents.mcp.opening import Found

LED = ("manager(requester)", "manager(approver)")
ASKED_OF: Mapping[str, tuple[str, ...]] = {"slack": ("anyone", *LED), "teams": LED}
"""Audiences that people.yml knows in part, where a platform knows the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a person wrote down: the policy and the people, checked against the tools."""

    policy: Policy
    people: PeopleDirectory
    toolbox: Toolbox
    agents: AgentsFile
    roster: Roster
    own: tuple[str, ...] = ()  # of the tools, those that COUNTERSIGN_TOOLS names
    oncall: OnCallFile | None = None
    preferences: Preferences = field(default_factory=Preferences)  # of the tools; `keep` is there once the store is

    def attach(self, store: Store) -> None:
        """Hand over what there is only once the store is open."""
        self.preferences.keep = store.keep()
        if self.oncall is not None:
            self.oncall.clock = store.now  # the only clock that judges anything

    async def problems(self, people: Directory, outside: frozenset[str]) -> list[str]:
        """What does not fit: tools, people and places. *outside* are groups that *people* does not know whole."""
        specs = self.toolbox.specs()
        agents = {one.name: one.tools for one in self.roster.listings()}
        return await check(self.policy, specs, people, agents=agents, outside=outside)

    def explained(self, tool: str, args: Json, by: Person, place: Place, *, agent: str = "") -> str:
        """What the policy says if *by* asks for this call at *place*, as the first of its run, through *agent*: unsaid,
        the one that gets whatever is no other's.

        Raises UnknownTool, InvalidArguments.
        """
        found = self.toolbox.get(tool)
        call = make_call(id="-", tool=tool, version=found.spec.version, args=found.check(args))
        agent = agent or self.roster.get("").name
        return explain_text(self.policy, call, found.spec, Facts(requester=by, place=place, agent=agent))


async def read_rules(settings: Settings) -> Rules:
    """As `opened_rules`, to look at: servers of tools are closed again. Raises BadPolicy with every problem."""
    async with opened_rules(settings) as rules:
        return rules


@asynccontextmanager
async def opened_rules(settings: Settings) -> AsyncIterator[Rules]:
    """Policy, people, schedule and agents, held against the tools there are, until the context ends.

    Raises BadPolicy with every problem, BadSettings for what a setting names.
    """
    people = read_people(settings.people)
    oncall = people.duty = OnCallFile(settings.oncall, people.people) if settings.oncall else None
    policy = read_policy(settings.policy)
    kept = "set COUNTERSIGN_VAR or COUNTERSIGN_WORK_FOLDER to a folder that can be written"
    with usable(f"{settings.var} or {settings.work}, where the tools keep things,", kept):
        own = tools(settings, preferences := Preferences())
    outside = told_elsewhere(settings, people)
    file = await _agents(settings, own, people, outside)
    with usable(f"{settings.work}, where examples lay their files,", kept):
        lay_out(file.files, settings)
    async with _foreign(file, own) as foreign:
        roster, toolbox = _equipped(settings, file, (*own, *foreign))
        rules = Rules(
            policy=policy,
            people=people,
            toolbox=toolbox,
            agents=file,
            roster=roster,
            own=tuple(tool.spec.name for name in settings.tools for tool in _named(name)),
            oncall=oncall,
            preferences=preferences,
        )
        if problems := await rules.problems(people, outside):
            raise BadPolicy(problems)
        yield rules


def told_elsewhere(settings: Settings, people: PeopleDirectory) -> frozenset[str]:
    """Audiences whose people people.yml does not all know, because a platform does."""
    asked = [audience for chat in settings.chats for audience in ASKED_OF.get(chat, ())]
    return frozenset({*people.sources, *asked})


async def _agents(
    settings: Settings, own: tuple[Tool, ...], people: PeopleDirectory, outside: frozenset[str]
) -> AgentsFile:
    """agents.yml, checked but for the tools of servers: none of them is opened before. Raises BadPolicy."""
    path = settings.agents_file
    file = read_agents(path) if path is not None else without_file()
    names = [tool.spec.name for tool in own]
    world = World(tools=names, groups={*await people.groups(), *outside}, people=[one.id for one in people.people])
    if problems := check_agents(file, world):
        raise BadPolicy(problems)
    return file


@asynccontextmanager
async def _foreign(file: AgentsFile, own: tuple[Tool, ...]) -> AsyncIterator[tuple[Tool, ...]]:
    """The tools of the servers in the file. Nothing of it is loaded where there are none."""
    if not file.servers:
        yield ()
        return
    from agents.mcp.opening import opened

    servers = [server for server, _ in file.servers.values()]
    async with AsyncExitStack() as stack:
        try:
            foreign = await stack.enter_async_context(opened(servers, secret, taken=[tool.spec.name for tool in own]))
        except BadSettings as error:
            raise BadSettings([_placed(file, told) for told in error.problems]) from error
        optional = {server.name for server in servers if server.optional}
        if problems := misnamed(file, [tool.spec.name for tool in foreign], optional):
            raise BadPolicy(problems)
        yield foreign


def _equipped(settings: Settings, file: AgentsFile, hands: tuple[Tool, ...]) -> tuple[Roster, Toolbox]:
    """The agents, and every tool that they speak of. Raises BadPolicy, BadSettings."""
    asked = [name for name, one in file.agents.items() if not (one.is_person or one.is_inner)]
    if settings.agent and settings.agent not in asked:
        told = f"there is no agent {settings.agent!r} that people can ask; there are {some(asked)}"
        raise BadSettings([f"COUNTERSIGN_AGENT: {told}"])
    shelf = Shelf(secrets={tool.spec.name: tool.spec.secrets for tool in hands}, inner=frozenset(CALLS))
    try:
        roster = built(file, shelf, default=settings.agent or default_of(file))
    except ValueError as error:
        raise BadSettings([f"COUNTERSIGN_AGENT: {error}"]) from error
    helpers = helper_calls(file, roster)
    taken = {tool.spec.name for tool in hands}
    if twice := [tool.spec.name for tool in helpers if tool.spec.name in taken]:
        told = f"helpers: one of them is asked by the tool {twice[0]}, and a tool of that name is there"
        raise BadPolicy([f"agents.yml:1:1: {told}; rename one of the two"])
    return roster, Toolbox((*hands, *helpers))


def _placed(file: AgentsFile, told: str) -> str:
    """A sentence about a server, `mcp: NAME: …`, behind the place where the file names it."""
    name = told.removeprefix("mcp: ").partition(":")[0]
    return f"{file.servers[name][1]}: {told}" if name in file.servers else told


async def examined_servers(settings: Settings) -> tuple[Found, ...]:
    """For the doctor: a sentence for each server of tools. Raises BadPolicy where agents.yml cannot be read."""
    path = settings.agents_file
    file = read_agents(path) if path is not None else without_file()
    if not file.servers:
        return ()
    from agents.mcp.opening import examined

    found = await examined([server for server, _ in file.servers.values()], secret)
    return tuple(one._replace(text=_placed(file, one.text)) if one.is_bad else one for one in found)


@contextmanager
def usable(what: str, remedy: str = "") -> Iterator[None]:
    """A file, folder or port that cannot be had is a setting to correct, told in one sentence."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        file = getattr(error, "filename", None)
        why = f"{getattr(error, 'strerror', None) or error}" + (f" ({file})" if file else "")
        raise BadSettings([f"{what} cannot be used: {why}" + (f"; {remedy}" if remedy else "")]) from error


def tools(settings: Settings, preferences: Preferences | None = None) -> tuple[Tool, ...]:
    """Every tool this bot has: its own, then those of whoever runs it. Raises BadSettings."""
    shipped = _shipped(settings, preferences)
    return (*shipped, *_own(settings.tools, shipped))


def _shipped(settings: Settings, preferences: Preferences | None) -> tuple[Tool, ...]:
    var = settings.var
    return (
        *shop_tools(Shop.open(var / "shop.db")),
        *mail_tools(_mail_route(settings)),
        *file_tools(folder := WorkFolder(settings.work)),
        *table_tools(folder),
        *sample_tools(folder),
        *http_tools(Hosts(settings.http_allow)),
        *publishing_tools(Press(var / "published")),
        *preference_tools(preferences or Preferences()),
        *_knowledge(settings),
        *_sql(settings),
        *service_tools(read_services(settings.services)),
        *work_tools(settings),
        *people_tools(),
        *pattern_tools(),
    )


def _own(names: Sequence[str], shipped: tuple[Tool, ...]) -> tuple[Tool, ...]:
    """The tools that COUNTERSIGN_TOOLS names. Raises BadSettings, also where two would go by one name."""
    taken = {tool.spec.name: "a tool of this bot" for tool in shipped}
    found: list[Tool] = []
    for number, name in enumerate(names):
        if name in names[:number]:
            raise BadSettings([f"COUNTERSIGN_TOOLS names {name} twice; name it once"])
        for tool in _named(name):
            called = tool.spec.name
            if called in taken:
                told = f"{name} is called {called}, as {taken[called]} is"
                raise BadSettings([f'COUNTERSIGN_TOOLS: {told}; give it another name: @tool(name="my_{called}", …)'])
            taken[called] = name
            found.append(tool)
    return tuple(found)


def _named(name: str) -> tuple[Tool, ...]:
    """The tool, or tools, that COUNTERSIGN_TOOLS names as module:name. Raises BadSettings."""
    if _is_for_tests(name.partition(":")[0]):
        raise _tests_only(name)
    try:
        found = loaded(name)
    except NotLoaded as error:
        raise BadSettings([f"COUNTERSIGN_TOOLS: {name} {error}"]) from error
    many = found if isinstance(found, tuple | list) else (found,)
    if any(_is_for_tests(type(one).__module__) for one in many):
        raise _tests_only(name)
    if not all(hasattr(one, "spec") and hasattr(one, "run") for one in many):
        raise BadSettings([f"COUNTERSIGN_TOOLS: {name} is not a tool; put @tool above the function"])
    return tuple(many)


def _is_for_tests(module: str) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in FOR_TESTS)


def _tests_only(name: str) -> BadSettings:
    return BadSettings([f"COUNTERSIGN_TOOLS: {name} comes from agents.testing; simulated people are for tests alone"])


def _knowledge(settings: Settings) -> tuple[Tool, ...]:
    try:
        return knowledge_tools(Library(settings.knowledge)) if settings.knowledge else ()
    except OSError:
        raise BadSettings([f"COUNTERSIGN_KNOWLEDGE: {settings.knowledge} is no folder that can be read"]) from None


def _sql(settings: Settings) -> tuple[Tool, ...]:
    if settings.sql_url is None:
        return ()
    read = settings.sql_read_url.get_secret_value() if settings.sql_read_url else ""
    try:
        return sql_tools(Database(settings.sql_url.get_secret_value(), read))
    except ValueError as error:
        raise BadSettings([f"COUNTERSIGN_SQL_URL or COUNTERSIGN_SQL_READ_URL {error}"]) from None


def _mail_route(settings: Settings) -> MailRoute:
    sender = settings.smtp_from or "countersign@example.com"
    if settings.smtp_host is None:
        return MailRoute(sender=sender, folder=settings.var / "mail")
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
    smtp = SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_user or "",
        password=password,
        tls=_tls(settings.smtp_port, is_plain=not password),
    )
    return MailRoute(sender=sender, folder=settings.var / "mail", smtp=smtp)


def _tls(port: int, *, is_plain: bool) -> str:
    """Port 465 speaks TLS from the first byte; a server that wants a password is spoken to under STARTTLS."""
    return "tls" if port == 465 else "none" if is_plain else "starttls"
