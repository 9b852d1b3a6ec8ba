"""The rules of the house: the policy and the people as somebody wrote them, and the tools they speak of.

    policy.yml + people.yml + oncall.ics + tools -> checked against each other -> Rules

Owns which tools there are. Not what a rule means (domain), nor who Slack says somebody is (chats).
"""

from __future__ import annotations

import importlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from agents.toolbox import Toolbox
from agents.tools.files import WorkFolder, file_tools
from agents.tools.http import Hosts, http_tools
from agents.tools.mail import MailRoute, SmtpServer, mail_tools
from agents.tools.people import people_tools
from agents.tools.shop import Shop, shop_tools
from bot.config import Settings
from bot.domain.calls import make_call
from bot.domain.chat import Person, Place
from bot.domain.errors import BadPolicy, BadSettings
from bot.domain.policy import Facts, Policy
from bot.domain.ports import Directory, Tool
from bot.domain.wire import Json
from bot.oncallfile import OnCallFile
from bot.peoplefile import PeopleDirectory, read_people
from bot.policycheck import check
from bot.policyexplain import explain_text
from bot.policyfile import read_policy

AGENT = "assistant"  # the one agent there is
FOR_TESTS = ("agents.testing", "agents.tryout")  # simulated people and models: no bot that runs may hold them (D-49)
LED = ("manager(requester)", "manager(approver)")
ASKED_OF: Mapping[str, tuple[str, ...]] = {"slack": ("anyone", *LED), "teams": LED}
"""Audiences that people.yml knows in part, where a platform knows the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a person wrote down: the policy and the people, checked against the tools."""

    policy: Policy
    people: PeopleDirectory
    toolbox: Toolbox
    oncall: OnCallFile | None = None

    async def problems(self, people: Directory, outside: frozenset[str]) -> list[str]:
        """What does not fit: tools, people and places. *outside* are groups that *people* does not know whole."""
        specs = self.toolbox.specs()
        agents = {AGENT: [spec.name for spec in specs]}
        return await check(self.policy, specs, people, agents=agents, outside=outside)

    def explained(self, tool: str, args: Json, by: Person, place: Place) -> str:
        """What the policy says if *by* asks for this call at *place*, as the first of its run.

        Raises UnknownTool, InvalidArguments.
        """
        found = self.toolbox.get(tool)
        call = make_call(id="-", tool=tool, version=found.spec.version, args=found.check(args))
        return explain_text(self.policy, call, found.spec, Facts(requester=by, place=place, agent=AGENT))


async def read_rules(settings: Settings) -> Rules:
    """Policy, people and schedule, held against the tools there are. Raises BadPolicy with every problem."""
    people = read_people(settings.people)
    oncall = people.duty = OnCallFile(settings.oncall, people.people) if settings.oncall else None
    policy = read_policy(settings.policy)
    with usable(f"{settings.var} or {settings.work}, where the tools keep things,"):
        toolbox = Toolbox(tools(settings))
    rules = Rules(policy=policy, people=people, toolbox=toolbox, oncall=oncall)
    asked = [audience for chat in settings.chats for audience in ASKED_OF.get(chat, ())]
    outside = {*people.sources, *asked}
    if problems := await rules.problems(people, frozenset(outside)):
        raise BadPolicy(problems)
    return rules


@contextmanager
def usable(what: str) -> Iterator[None]:
    """A file, folder or port that cannot be had is a setting to correct, told in one sentence."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise BadSettings([f"{what} cannot be used: {error}"]) from error


def tools(settings: Settings) -> tuple[Tool, ...]:
    """Every tool this bot has."""
    var = settings.var
    return (
        *shop_tools(Shop.open(var / "shop.db")),
        *mail_tools(_mail_route(settings)),
        *file_tools(WorkFolder(settings.work)),
        *http_tools(Hosts(settings.http_allow)),
        *people_tools(),
        *(tool for name in settings.tools for tool in _named(name)),
    )


def _named(name: str) -> tuple[Tool, ...]:
    """The tool, or tools, that COUNTERSIGN_TOOLS names as module:name. Raises BadSettings."""
    module, _, attribute = name.partition(":")
    if _is_for_tests(module):
        raise _tests_only(name)
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadSettings([f"COUNTERSIGN_TOOLS: {name} cannot be loaded ({error}); write module:name"]) from error
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
