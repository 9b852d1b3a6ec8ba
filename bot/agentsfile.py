"""agents.yml -> records with places. Every mistake is kept, as `agents.yml:LINE:COLUMN: sentence`; none hides another.

    include: [more/agents.yml, examples/*/agents.yml]      files whose agents, models and servers are added
    default: assistant                                     who gets a task that is nobody else's
    models:  {small: {name: gpt-4o-mini, price: {in: 0.15, out: 0.60}}, nebius: {base_url: …, key: "secret:NAME"}}
    mcp:     servers of tools (mcpfile) · budgets: {run: {tokens, steps, usd}, person_day: {…}, day: {…}, ask: audience}
    agents:  name: {kind: react, …fields of its kind (agentskinds), describe, starts, channels, may, inner}

Reads files alone. Whether what they name exists is `agentscheck`, what becomes of it `agentsbuild`, and who gets which
task `domain/routing`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from yaml.nodes import Node

from agents.mcp.servers import Server
from bot.agentskinds import KINDS, NAME, Kind, Ref, audience, money, text
from bot.agentsmodels import ModelEntry, read_models
from bot.domain import orders, words
from bot.domain.budget import Budgets, Limit
from bot.domain.errors import BadPolicy
from bot.domain.people import Group, One, parse
from bot.domain.words import Meaning
from bot.mcpfile import read_servers
from bot.yamlfile import LARGEST, Fields, Reader, open_yaml

INCLUDED_KEYS = ("include", "models", "mcp", "agents")
FILE_KEYS = ("include", "default", "models", "mcp", "budgets", "agents")
COMMON_KEYS = ("kind", "describe", "starts", "channels", "may", "inner")  # of every agent that people may ask
LIMIT_KEYS = ("tokens", "steps", "usd")
BUDGET_KEYS = ("run", "person_day", "day", "ask")
FILES_MOST = 100
STARTS_MOST = 60  # characters of the words that begin a task
CHANNEL = re.compile(r"#\S{1,80}|(?:playground|terminal)/#?\S{1,80}|slack/[CGD][A-Z0-9]{6,}|teams/\S{6,200}")
CHANNELS_TOLD = '"playground/#name", "slack/C0123ABCD" or "teams/19:…": on Slack and Teams a channel is named by its id'


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One agent as it is written. `values` are the fields of its kind, `spots` where each of its keys stands."""

    name: str
    kind: str
    values: Mapping[str, object] = field(default_factory=dict)
    describe: str = ""
    starts: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    may: tuple[Ref, ...] = ()
    is_inner: bool = False  # only other agents ask it
    spots: Mapping[str, str] = field(default_factory=dict)

    def spot(self, key: str) -> str:
        return self.spots.get(key, self.spots.get("", "agents.yml:1:1"))

    @property
    def is_person(self) -> bool:
        return KINDS[self.kind].is_person


@dataclass(slots=True, kw_only=True)
class AgentsFile:
    """Everything that was read, and in which `files`. `problems` has what was not; `broken` are agents that stand there
    and are not read."""

    default: Ref | None = None
    agents: dict[str, Entry] = field(default_factory=dict)
    models: dict[str, ModelEntry] = field(default_factory=dict)
    servers: dict[str, tuple[Server, str]] = field(default_factory=dict)
    budgets: Budgets = field(default_factory=Budgets)
    budgets_ask: Ref | None = None
    problems: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    files: list[Path] = field(default_factory=list)


class Met(TypedDict):
    """How people come to an agent."""

    describe: str
    starts: tuple[str, ...]
    channels: tuple[str, ...]
    may: tuple[Ref, ...]
    is_inner: bool


def read_agents(path: Path) -> AgentsFile:
    """The file and all that it includes. Raises nothing for what stands in them: `problems` says it."""
    reading = _Reading(path.parent)
    reading.file(path)
    return reading.found


def parse_agents(data: bytes, *, name: str = "agents.yml", folder: Path = Path()) -> AgentsFile:
    """The text of a file that lies in *folder*."""
    reading = _Reading(folder)
    reading.text(data, folder / name)
    return reading.found


class _Reading:
    """One file after the other, the first one first."""

    def __init__(self, folder: Path) -> None:
        self.found, self._folder, self._seen = AgentsFile(), folder, set[Path]()

    def file(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "its name is not one"
            remedy = "correct the include: that names it" if self._seen else "correct COUNTERSIGN_AGENTS"
            self.found.problems.append(f"{self._called(path)}:1:1: cannot be read: {why}; {remedy}")
            return
        self.text(data, path)

    def text(self, data: bytes, path: Path) -> None:
        is_first, name = not self._seen, self._called(path)
        self._seen.add(path.resolve())
        self.found.files.append(path)
        more: list[Path] = []
        try:
            root, reader = open_yaml(data, name)
            reading = _FileReader(reader, self.found, path.parent, self._folder)
            more = reading.read(root, FILE_KEYS if is_first else INCLUDED_KEYS)
            if is_first and not more and not self.found.agents and not self.found.broken:
                reader.note(root, "the file has no agents")
            reader.done()
        except BadPolicy as error:
            self.found.problems += error.problems
        for one in more:
            if one.resolve() in self._seen:
                continue
            if len(self._seen) >= FILES_MOST:
                self.found.problems.append(f"{name}:1:1: include: more than {FILES_MOST} files; {one.name} is not read")
                return
            self.file(one)

    def _called(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix() if path.is_relative_to(self._folder) else path.as_posix()


class _FileReader:
    """Reads one file into *found*; wrong parts are left out, and `reader` remembers them."""

    def __init__(self, reader: Reader, found: AgentsFile, folder: Path, root: Path) -> None:
        """The file lies in *folder*, the first one of all in *root*."""
        self.reader, self.found, self.folder, self.root = reader, found, folder, root

    def read(self, root: Node, keys: tuple[str, ...]) -> list[Path]:
        """The files that it includes."""
        fields = self.reader.fields(root, "the file", keys) or {}
        at = {key: value for key, (_, value) in fields.items()}
        if "default" in at and (name := text(self.reader, at["default"], "default")):
            self.found.default = Ref("agent", name, self.reader.spot(at["default"]))
        if "models" in at:
            read_models(at["models"], self.reader, self.found.models)
        if "mcp" in at:
            read_servers(at["mcp"], self.reader, self.found.servers)
        if "budgets" in at:
            self._budgets(at["budgets"])
        if "agents" in at:
            self._agents(at["agents"])
        return self._include(at["include"]) if "include" in at else []

    def _include(self, node: Node) -> list[Path]:
        """A pattern with * may match nothing; a name must be there."""
        found: list[Path] = []
        for item in self.reader.items(node, "include") or []:
            name = text(self.reader, item, "a file of include")
            if name is None:
                continue
            if self._leaves(name):
                self.reader.note(item, f"include {name!r} leaves the folder of the first file; name what lies in it")
                continue
            try:
                matches = sorted(self.folder.glob(name)) if "*" in name else [self.folder / name]
            except (ValueError, NotImplementedError, IndexError):
                self.reader.note(item, f"include {name!r} is no path beside this file")
                continue
            if "*" not in name and not matches[0].is_file():
                self.reader.note(item, f"include: there is no file {name!r} beside this one")
                continue
            found += matches
        return found

    def _leaves(self, name: str) -> bool:
        """Does a name that stands here lead out of the folder of the first file?"""
        return not Path(os.path.normpath(self.folder / name)).is_relative_to(os.path.normpath(self.root))

    # ---------------------------------------------------------------- budgets

    def _budgets(self, node: Node) -> None:
        fields = self.reader.fields(node, "budgets", BUDGET_KEYS) or {}
        limits = {key: self._limit(value, key) for key, (_, value) in fields.items() if key != "ask"}
        ask = ""
        if "ask" in fields and (read := audience(self.reader, fields["ask"][1], "ask of budgets")):
            self.found.budgets_ask, ask = read, read.name
        self.found.budgets = Budgets(**limits, ask=ask)

    def _limit(self, node: Node, of: str) -> Limit:
        fields = self.reader.fields(node, f"budget {of}", LIMIT_KEYS) or {}
        found = {key: self._amount(value, f"{key} of budget {of}", key) for key, (_, value) in fields.items()}
        return Limit(
            tokens=int(found.get("tokens", 0)), steps=int(found.get("steps", 0)), usd=float(found.get("usd", 0))
        )

    def _amount(self, node: Node, what: str, key: str) -> float:
        found = money(node)
        if found is None or (key != "usd" and found != int(found)):
            kind = "an amount of US dollars such as 2 or 0.50" if key == "usd" else "a whole number"
            self.reader.note(node, f"{what} must be {kind}; left out, there is no limit")
            return 0
        return found

    # ----------------------------------------------------------------- agents

    def _agents(self, node: Node) -> None:
        found = self.found
        for name, (key, value) in (self.reader.fields(node, "agents") or {}).items():
            taken = {one.casefold(): one for one in (*found.agents, *found.broken)}
            if not NAME.fullmatch(name):
                self.reader.note(key, f"{name!r} cannot be an agent's name: at most 40 letters, digits, - and _")
            elif name.casefold() in (
                taken := {one.casefold(): one for one in (*self.found.agents, *self.found.broken)}
            ):
                there = self.found.agents.get(taken[name.casefold()])
                place = f"; the first is at {there.spot('')}" if there else ""
                self.reader.note(key, f"agent {name!r} is there twice{place}")
            elif (entry := self._agent(name, key, value)) is not None:
                found.agents[name] = entry
            else:
                found.broken.add(name)

    def _agent(self, name: str, key: Node, node: Node) -> Entry | None:
        anything = self.reader.fields(node, f"agent {name}")
        if anything is None:
            return None
        if "kind" not in anything:
            self.reader.note(key, f"agent {name} has no kind; it must be one of {', '.join(KINDS)}")
            return None
        kind_name = self.reader.choice(anything["kind"][1], f"kind of {name}", tuple(KINDS))
        if kind_name is None:
            return None
        kind = KINDS[kind_name]
        fields = self.reader.fields(node, f"agent {name}, of kind {kind_name},", _keys(kind)) or {}
        values = self._values(name, key, kind, fields)
        if "prompt" in kind.fields:
            values |= self._prompt(name, fields)
        if missing := [one for one in kind.needs if one not in fields and f"{one}_file" not in fields]:
            self.reader.note(key, f"agent {name}, of kind {kind_name}, needs {' and '.join(missing)}")
        spots = {one: self.reader.spot(at) for one, (_, at) in fields.items()} | {"": self.reader.spot(key)}
        return Entry(name=name, kind=kind_name, values=values, spots=spots, **self._met(name, fields))

    def _values(self, name: str, key: Node, kind: Kind, fields: Fields) -> dict[str, object]:
        read = {
            one: kind.fields[one](self.reader, at, f"{one} of {name}")
            for one, (_, at) in fields.items()
            if one in kind.fields
        }
        values = {one: value for one, value in read.items() if value is not None}
        for told in kind.flaws(values):
            self.reader.note(key, f"agent {name}: {told}")
        return values

    def _prompt(self, name: str, fields: Fields) -> dict[str, object]:
        """What stands in the file that `prompt_file` names, beside this one."""
        if "prompt_file" not in fields:
            return {}
        node = fields["prompt_file"][1]
        if "prompt" in fields:
            self.reader.note(node, f"agent {name} has a prompt and a prompt_file; take one of them away")
        file = text(self.reader, node, f"prompt_file of {name}")
        if file is None:
            return {}
        if self._leaves(file):
            told = f"prompt_file of {name}: {file!r} leaves the folder of the first file; name what lies in it"
            self.reader.note(node, told)
            return {}
        try:
            with (self.folder / file).open("rb") as lying:
                data = lying.read(LARGEST + 1)
            found = data.decode()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            self.reader.note(node, f"prompt_file of {name}: {file!r} beside this file cannot be read: {why}")
            return {}
        if len(data) > LARGEST:
            self.reader.note(node, f"prompt_file of {name}: {file!r} is longer than {LARGEST} bytes")
        if not found.strip():
            self.reader.note(node, f"prompt_file of {name}: {file!r} is empty")
        return {"prompt": found}

    def _met(self, name: str, fields: Fields) -> Met:
        """How people come to it."""
        at = {key: value for key, (_, value) in fields.items()}
        describe = text(self.reader, at["describe"], f"describe of {name}") if "describe" in at else ""
        starts = [self._start(item, name) for item in self._items(at, "starts", name)]
        channels = [self._channel(item, name) for item in self._items(at, "channels", name)]
        may = [self._may(item, name) for item in self._items(at, "may", name)]
        if "may" in at and not may:
            self.reader.note(at["may"], f"may of {name} names nobody; leave it out if everybody may ask")
        return {
            "describe": " ".join((describe or "").split()),
            "starts": tuple(one for one in starts if one),
            "channels": tuple(one for one in channels if one),
            "may": tuple(one for one in may if one),
            "is_inner": self._is_inner(at, name),
        }

    def _is_inner(self, at: Mapping[str, Node], name: str) -> bool:
        is_inner = "inner" in at and bool(self.reader.flag(at["inner"], f"inner of {name}"))
        for key in ("starts", "channels", "may"):
            if is_inner and key in at:
                told = f"{key} of {name}: nobody gives it tasks, because it is inner; take one of the two away"
                self.reader.note(at[key], told)
        return is_inner

    def _items(self, at: Mapping[str, Node], key: str, name: str) -> list[Node]:
        return (self.reader.items(at[key], f"{key} of {name}") or []) if key in at else []

    def _start(self, node: Node, name: str) -> str:
        found = " ".join((text(self.reader, node, f"starts of {name}") or "").casefold().split())
        if len(found) > STARTS_MOST:
            self.reader.note(node, f"starts of {name}: at most {STARTS_MOST} characters")
        elif found and (words.read(found) is not Meaning.CONTEXT or orders.read(found) is not None):
            self.reader.note(node, f"starts of {name}: {found!r} means something else already; take another word")
        return found

    def _channel(self, node: Node, name: str) -> str:
        found = text(self.reader, node, f"channels of {name}") or ""
        if found and not CHANNEL.fullmatch(found):
            self.reader.note(node, f"channels of {name}: {found!r} must be {CHANNELS_TOLD}")
        return found

    def _may(self, node: Node, name: str) -> Ref | None:
        found = text(self.reader, node, f"may of {name}")
        if found is None:
            return None
        try:
            is_fit = isinstance(parse(found), Group | One)
        except ValueError:
            is_fit = False
        if not is_fit:
            self.reader.note(node, f'may of {name}: {found!r} must be a group of people.yml, or "@id" of a person')
        return Ref("audience", found, self.reader.spot(node)) if is_fit else None


def _keys(kind: Kind) -> tuple[str, ...]:
    prompt_file = ("prompt_file",) if "prompt" in kind.fields else ()
    common = ("kind",) if kind.is_person else COMMON_KEYS
    return (*common, *kind.fields, *prompt_file)
