"""The house stands as drawn: a floor, four wings that never meet, a roof. Read from the source, lazy imports included.

Each rule is a function from modules to breaches. It is tried on a bad example first, then on the whole house.
"""

from __future__ import annotations

import ast
import graphlib
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import bot
from bot.cli import app

ROOT = Path(__file__).resolve().parents[1]
LONGEST_FILE = 450  # lines; aim for 400
LONGEST_FUNCTION = 60  # lines

WINGS = {"bot.store": "store", "bot.runtime": "runtime", "agents": "agents", "adapters": "adapters"}

# Roof files that may name a wing's things. `app` wires everything; whoever else needs a wing stands here.
REACH: Mapping[str, frozenset[str]] = {
    "bot.app": frozenset(WINGS.values()),
    "bot.cellar": frozenset({"store"}),
    "bot.chats": frozenset({"adapters", "runtime", "store"}),
    "bot.in_slack": frozenset({"adapters"}),
    "bot.in_teams": frozenset({"adapters"}),
    "bot.rules": frozenset({"agents"}),
    "bot.agentsbuild": frozenset({"agents"}),
    "bot.agentsfile": frozenset({"agents"}),  # records of servers alone, as does mcpfile
    "bot.mcpfile": frozenset({"agents"}),
    "bot.services": frozenset({"agents"}),
    "bot.worktools": frozenset({"agents"}),
    "bot.outside": frozenset({"agents"}),  # the doctor's looks, with the very tools that are used later
    "bot.loaded": frozenset({"agents"}),  # one error alone
    "bot.exampledata": frozenset({"agents"}),  # lays files through the door of the file tools
    "bot.cli": frozenset({"adapters"}),  # manifests: pure functions, printed without opening anything
}

# Who may import a foreign library at all: modules, by the beginning of their names.
OWNERS: Mapping[str, tuple[str, ...]] = {
    "psycopg": ("agents.tools.postgres",),
    "slack_bolt": ("adapters.slack",),
    "slack_sdk": ("adapters.slack",),
    "botbuilder": ("adapters.teams.sdk",),
    "botframework": ("adapters.teams.sdk",),
    "msrest": (),
    "jwt": ("adapters.teams",),
    "msal": (),
    "requests": (),
    "openai": ("agents.model",),
    "redis": ("bot.store",),
    "prometheus_client": ("bot.telemetry",),
    "uvloop": ("bot.cli", "bot.app", "bot.__main__"),
    "typer": ("bot.cli",),
    "mcp": ("agents.mcp",),
    "mcp_types": ("agents.mcp",),
    "anyio": ("agents.mcp.pipe",),
    "httpx2": ("agents.mcp",),
    "jsonschema": ("agents.mcp.schema",),
    "referencing": ("agents.mcp.schema",),
}

FLOOR_LIBRARIES = {"msgspec", "cel"}
FLOOR_NEVER = (
    *("asyncio", "concurrent", "ftplib", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random"),
    *("secrets", "select", "shutil", "signal", "smtplib", "socket", "sqlite3", "ssl", "subprocess", "tempfile"),
    *("threading", "time", "urllib.request"),
)
CLOCKS = {"now", "utcnow", "today"}

UNSAFE = ("pickle", "cPickle", "jsonpickle", "marshal", "shelve", "dill", "cloudpickle", "botbuilder.azure")
UNSAFE_CALLS = {
    *("eval", "exec", "__import__", "input", "breakpoint"),
    *("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "os.system", "os.popen"),
    *("asyncio.create_task", "asyncio.ensure_future", "asyncio.get_event_loop"),  # nobody would own what they start
}

# Import names whose distribution comes with one that we ask for.
COMES_WITH = {
    "dotenv": "pydantic-settings",
    "pydantic_core": "pydantic",
    "yarl": "aiohttp",
    "multidict": "aiohttp",
    "botframework": "botbuilder-core",
    "mcp_types": "mcp",
    "anyio": "mcp",
    "httpx2": "mcp",
    "referencing": "jsonschema",
}


@dataclass(frozen=True)
class Module:
    name: str
    source: str
    is_package: bool = False

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @cached_property
    def imports(self) -> tuple[str, ...]:
        """Full names of all that is imported, at any depth: `from a import b` counts as `a.b`."""
        return tuple(name for node in ast.walk(self.tree) for name in _imported(node, self._package))

    @property
    def room(self) -> str:
        if _below(self.name, "bot.domain"):
            return "floor"
        return next((wing for root, wing in WINGS.items() if _below(self.name, root)), "roof")

    @property
    def calls(self) -> Iterator[tuple[int, str]]:
        """Every call by its written name, with its line."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield node.lineno, ast.unparse(node.func)

    @property
    def _package(self) -> str:
        return self.name if self.is_package else self.name.rpartition(".")[0]


Rule = Callable[[Sequence[Module]], Iterator[str]]


# ------------------------------------------------------------------ the rules


def the_floor_stands_on_nothing(house: Sequence[Module]) -> Iterator[str]:
    for module in (module for module in house if module.room == "floor"):
        for name in module.imports:
            if _is_ours(name) and not _below(name, "bot.domain"):
                yield f"{module.name} imports {name}, which stands above the floor"
            elif any(_below(name, io) for io in FLOOR_NEVER):
                yield f"{module.name} imports {name}; the floor does no I/O and has no clock"
            elif _is_foreign(name) and name.split(".")[0] not in FLOOR_LIBRARIES:
                yield f"{module.name} imports {name}; the floor knows only {sorted(FLOOR_LIBRARIES)}"
        for line, call in module.calls:
            if call == "open" or (call.split(".")[-1] in CLOCKS and "date" in call):
                yield f"{module.name}:{line} calls {call}; the floor does no I/O and has no clock"


def wings_never_meet(house: Sequence[Module]) -> Iterator[str]:
    for module in (module for module in house if module.room in WINGS.values()):
        for name in module.imports:
            room = Module(name, "").room
            if _is_ours(name) and room not in {"floor", module.room}:
                yield f"{module.name} imports {name}: {module.room} may not know {room}"


def adapters_never_meet(house: Sequence[Module]) -> Iterator[str]:
    """Each platform's package stands alone; what they share lies directly in `adapters/`."""
    packages = {module.name for module in house if module.is_package and module.name.count(".") == 1}
    for module in (module for module in house if module.room == "adapters"):
        own = ".".join(module.name.split(".")[:2])
        for name in module.imports:
            other = ".".join(name.split(".")[:2])
            if other in packages and other != own and _below(other, "adapters"):
                yield f"{module.name} imports {name}: one adapter knows another"


def only_the_app_names_wings(house: Sequence[Module]) -> Iterator[str]:
    for module in (module for module in house if module.room == "roof"):
        for name in module.imports:
            room = Module(name, "").room
            if _is_ours(name) and room in WINGS.values() and room not in REACH.get(module.name, frozenset()):
                yield f"{module.name} imports {name}; only bot/app.py names what is in the wings"


def foreign_libraries_have_one_owner(house: Sequence[Module]) -> Iterator[str]:
    """CD-02: each foreign library in one room. That of Teams is past its end of life: one module will be rewritten."""
    for module in house:
        for name in module.imports:
            owners = OWNERS.get(name.split(".")[0])
            if owners is not None and not any(_below(module.name, owner) for owner in owners):
                yield f"{module.name} imports {name}; that is for {' and '.join(owners) or 'nobody'}"


def nothing_imports_in_circles(house: Sequence[Module]) -> Iterator[str]:
    known = {module.name for module in house}
    graph = {module.name: {_module_of(name, known) for name in module.imports} & known for module in house}
    for name, reached in graph.items():
        reached.discard(name)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        yield "a circle: " + " <- ".join(error.args[1])


def nothing_unsafe_is_called(house: Sequence[Module]) -> Iterator[str]:
    """T23, GN-25: no bytes become code, nobody waits for a keyboard, every task has an owner."""
    for module in house:
        for name in module.imports:
            if any(_below(name, unsafe) for unsafe in UNSAFE):
                yield f"{module.name} imports {name}"
        for line, call in module.calls:
            if call in UNSAFE_CALLS:
                yield f"{module.name}:{line} calls {call}"


def product_code_knows_no_tests(house: Sequence[Module]) -> Iterator[str]:
    """D-49, AS-32: scripted people live in tests/ and cannot be switched on."""
    for module in house:
        for name in module.imports:
            if name.split(".")[0] in {"tests", "pytest", "unittest", "hypothesis", "fakeredis"}:
                yield f"{module.name} imports {name}"


def package_faces_are_empty(house: Sequence[Module]) -> Iterator[str]:
    """A face holds a docstring; importing one room must not pull in another."""
    for module in (module for module in house if module.is_package):
        rest = [node for node in module.tree.body[1:] if not _is_version(node)]
        if rest:
            yield f"{module.name}/__init__.py holds more than a docstring"


def every_file_tells_its_story(house: Sequence[Module]) -> Iterator[str]:
    for module in house:
        if not ast.get_docstring(module.tree):
            yield f"{module.name} has no docstring"


def files_and_functions_are_short(house: Sequence[Module]) -> Iterator[str]:
    for module in house:
        if (lines := module.source.count("\n")) > LONGEST_FILE:
            yield f"{module.name} has {lines} lines, more than {LONGEST_FILE}"
        for function in (n for n in ast.walk(module.tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))):
            if (lines := (function.end_lineno or 0) - function.lineno + 1) > LONGEST_FUNCTION:
                yield f"{module.name}.{function.name} has {lines} lines, more than {LONGEST_FUNCTION}"


def what_is_imported_is_asked_for(house: Sequence[Module]) -> Iterator[str]:
    """A fresh install has every library: nothing is there by luck."""
    asked = {_plain(requirement) for requirement in _project()["dependencies"]}
    owners = importlib.metadata.packages_distributions()
    for module in house:
        for top in sorted({name.split(".")[0] for name in module.imports if _is_foreign(name)}):
            distributions = {_plain(name) for name in owners.get(top, [])} | {COMES_WITH.get(top, top)}
            if not distributions & asked:
                yield f"{module.name} imports {top}, which pyproject.toml does not ask for"


# ------------------------------------------------------------- bad examples first

BAD: Sequence[tuple[Rule, str, str]] = [
    (the_floor_stands_on_nothing, "bot.domain.x", "from bot.store import keys"),
    (the_floor_stands_on_nothing, "bot.domain.x", "def f():\n    import socket"),
    (the_floor_stands_on_nothing, "bot.domain.x", "import yaml"),
    (the_floor_stands_on_nothing, "bot.domain.x", "from datetime import datetime\ndatetime.now()"),
    (the_floor_stands_on_nothing, "bot.domain.x", "open('x')"),
    (wings_never_meet, "bot.store.x", "def f():\n    from bot.runtime import gate"),
    (wings_never_meet, "agents.x", "import adapters.slack"),
    (wings_never_meet, "adapters.x", "from bot import config"),
    (adapters_never_meet, "adapters.slack.x", "from adapters.teams import cards"),
    (only_the_app_names_wings, "bot.cli", "from bot.store import keys"),
    (foreign_libraries_have_one_owner, "agents.react", "import openai"),
    (foreign_libraries_have_one_owner, "agents.tools.x", "from slack_sdk import WebClient"),
    (foreign_libraries_have_one_owner, "adapters.teams.ears", "from botbuilder.schema import Activity"),
    (foreign_libraries_have_one_owner, "adapters.teams.sdk", "import requests"),
    (foreign_libraries_have_one_owner, "bot.runtime.x", "from redis.asyncio import Redis"),
    (nothing_imports_in_circles, "bot.domain.x", "def f():\n    from bot.domain import y"),
    (nothing_unsafe_is_called, "bot.x", "import importlib\nimportlib.import_module('pickle')"),
    (nothing_unsafe_is_called, "bot.x", "from botbuilder.azure import BlobStorage"),
    (nothing_unsafe_is_called, "agents.x", "eval('1')"),
    (nothing_unsafe_is_called, "agents.x", "answer = input('approve? ')"),
    (nothing_unsafe_is_called, "bot.x", "import yaml\nyaml.load('')"),
    (nothing_unsafe_is_called, "bot.x", "import asyncio\nasyncio.create_task(f())"),
    (product_code_knows_no_tests, "bot.x", "from tests.fakes import Person"),
    (package_faces_are_empty, "bot.runtime", '"""Face."""\nfrom bot.runtime.gate import Gate'),
    (every_file_tells_its_story, "bot.x", "x = 1"),
    (files_and_functions_are_short, "bot.x", "x = 1\n" * 451),
    (files_and_functions_are_short, "bot.x", "def f():\n" + "    pass\n" * 60),
    (what_is_imported_is_asked_for, "bot.x", "import numpy"),
]
RULES = list(dict.fromkeys(rule for rule, _name, _source in BAD))
NEIGHBOURS = (
    Module("bot.domain.y", "from bot.domain.x import z"),
    Module("adapters.slack", "", is_package=True),
    Module("adapters.teams", "", is_package=True),
)


@pytest.mark.parametrize(("rule", "name", "source"), BAD)
def test_each_rule_notices_a_breach(rule: Rule, name: str, source: str) -> None:
    """A rule that never bites guards nothing."""
    module = Module(name, source, is_package=name == "bot.runtime")

    assert list(rule((module, *NEIGHBOURS)))


@pytest.mark.parametrize("rule", RULES)
def test_the_house_keeps_each_rule(rule: Rule) -> None:
    """The source as it is: floor, wings, roof."""
    assert list(rule(_house())) == []


def test_the_whole_house_is_looked_at() -> None:
    """All three trees were found, and every room has somebody in it."""
    assert {module.room for module in _house()} == {"floor", "store", "runtime", "agents", "adapters", "roof"}


# -------------------------------------------------------------------- packaging


def test_the_name_agents_belongs_to_us_alone() -> None:
    """`openai-agents` would bring a package of the same name: never ask for it, never stand beside it."""
    project = _project()
    extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    owners = importlib.metadata.packages_distributions().get("agents", [])

    assert "openai-agents" not in {_plain(requirement) for requirement in (*project["dependencies"], *extras)}
    assert {_plain(owner) for owner in owners} <= {"countersign"}


def test_the_version_is_the_same_wherever_it_stands() -> None:
    """AS-12: what the program says when it is asked, what is installed, and for which Python alone that may be."""
    told = CliRunner().invoke(app, ["version"])

    assert (told.exit_code, told.stdout.strip()) == (0, _project()["version"])
    assert bot.__version__ == _project()["version"]
    assert _project()["requires-python"] == ">=3.11,<3.14"


def test_the_license_is_here_whole() -> None:
    """Apache-2.0, as pyproject.toml says."""
    text = (ROOT / "LICENSE").read_text()

    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


# --------------------------------------------------------------------- reading


@cache
def _house() -> tuple[Module, ...]:
    files = sorted(file for tree in ("bot", "agents", "adapters") for file in (ROOT / tree).rglob("*.py"))
    return tuple(_read(file) for file in files)


def _read(file: Path) -> Module:
    parts = file.relative_to(ROOT).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    return Module(".".join(parts[:-1] if is_package else parts), file.read_text(), is_package)


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module="__future__"):
            return
        case ast.ImportFrom(module=module, names=names, level=level):
            base = ".".join([*package.split(".")[: package.count(".") + 2 - level], *([module] if module else [])])
            yield from (f"{base if level else module}.{alias.name}" for alias in names)
        case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]) if ast.unparse(func).endswith(
            "import_module"
        ):
            yield name


def _below(name: str, root: str) -> bool:
    return name == root or name.startswith(f"{root}.")


def _is_ours(name: str) -> bool:
    return name.split(".")[0] in {"bot", "agents", "adapters"}


def _is_foreign(name: str) -> bool:
    return not _is_ours(name) and name.split(".")[0] not in sys.stdlib_module_names


def _module_of(name: str, known: set[str]) -> str:
    """The module that *name* is, or is in. A package's face is nobody's neighbour: it imports nothing."""
    return name if name in known else name.rpartition(".")[0]


def _is_version(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"


def _plain(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")


@cache
def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project
