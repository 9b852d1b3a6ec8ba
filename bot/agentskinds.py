"""The kinds of agents: which fields each may have in agents.yml, how they are read, and which class they become.

    kind -> Kind(maker="module:Class", fields={key: how it is read}, needs=(keys that must be there))

One row per kind, and nowhere else. A row names its class and does not import it: a bot that has no sequential agent
never loads that module. What is read may hold a `Ref`: the name of something else, with its place, for whoever checks
whether it exists. Not the file around it (agentsfile), nor what a class does with its fields (agents/patterns).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from yaml.nodes import Node, ScalarNode

from bot.domain.people import parse
from bot.yamlfile import Reader

ROUND_ROBIN = "round_robin"
MONEY = re.compile(r"[0-9][0-9_]{0,14}(\.[0-9]{1,9})?")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
What = Literal["agent", "member", "tool", "model", "audience"]  # a member: an agent among those of this very one
Read = Callable[[Reader, Node, str], object]  # None: it was wrong, and that is noted


@dataclass(frozen=True, slots=True)
class Ref:
    """The name of something else. `spot` is file:line:column. A tool that *is_optional* may be one nobody set up."""

    what: What
    name: str
    spot: str
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A record inside an agent: its class, as `module:Class`, and its values."""

    maker: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartKind:
    """What such a record may say; `names` are keys that its class calls otherwise."""

    maker: str
    fields: Mapping[str, Read]
    needs: tuple[str, ...]
    told: str
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    maker: str
    fields: Mapping[str, Read]
    needs: tuple[str, ...] = ()
    gets: tuple[str, ...] = ()  # what its class is given besides: nobody writes it
    is_person: bool = False  # people, who are asked and never given a task
    flaws: Callable[[Mapping[str, object]], Sequence[str]] = lambda _values: ()  # what does not go together
    shaped: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda values: values  # as the class wants them


# ----------------------------------------------------------------- how a field is read


def text(reader: Reader, node: Node, what: str) -> str | None:
    found = reader.text(node, what)
    if found is not None and not found.strip():
        reader.note(node, f"{what} is empty")
        return None
    return found


def texts(reader: Reader, node: Node, what: str) -> tuple[str, ...]:
    found = [text(reader, item, f"an item of {what}") for item in reader.items(node, what) or []]
    return tuple(one for one in found if one is not None)


def number(reader: Reader, node: Node, what: str, *, most: int) -> int | None:
    """A whole number from 1 on; 400_000 is one as well."""
    if isinstance(node, ScalarNode) and not node.style and re.fullmatch(r"[0-9][0-9_]{0,12}", node.value):
        found = int(node.value.replace("_", ""))
        if 1 <= found <= most:
            return found
    reader.note(node, f"{what} must be a whole number from 1 to {most}")
    return None


def money(node: Node) -> float | None:
    """A number of at least 0, as somebody writes it: 2, 0.50, 400_000."""
    if (
        isinstance(node, ScalarNode)
        and not node.style
        and re.fullmatch(r"[0-9][0-9_]{0,14}(\.[0-9]{1,9})?", node.value)
    ):
        return float(node.value.replace("_", ""))
    return None


def choice(reader: Reader, node: Node, what: str, *, of: tuple[str, ...]) -> str | None:
    return reader.choice(node, what, of)


def ref(reader: Reader, node: Node, what: str, *, to: What) -> Ref | None:
    found = text(reader, node, what)
    return Ref(to, found, reader.spot(node)) if found is not None else None


def refs(reader: Reader, node: Node, what: str, *, to: What) -> tuple[Ref, ...]:
    found = [ref(reader, item, f"an item of {what}", to=to) for item in reader.items(node, what) or []]
    return tuple(one for one in found if one is not None)


def some(reader: Reader, node: Node, what: str, *, to: What) -> tuple[Ref, ...] | None:
    """At least one."""
    if not (found := refs(reader, node, what, to=to)):
        reader.note(node, f"{what} is empty; name at least one")
    return found or None


def tools(reader: Reader, node: Node, what: str) -> tuple[Ref, ...]:
    """A list of names, or the word `all`. A name with a ? behind it is a tool that the agent can do without."""
    if isinstance(node, ScalarNode) and node.value == "all":
        return (Ref("tool", "all", reader.spot(node)),)
    if isinstance(node, ScalarNode):
        reader.note(node, f'{what} must be all, or a list of tools, such as [read_file, "mcp:tickets"]')
        return ()
    found = refs(reader, node, what, to="tool")
    return tuple(replace(one, name=one.name[:-1], is_optional=True) if one.name.endswith("?") else one for one in found)


def audience(reader: Reader, node: Node, what: str) -> Ref | None:
    """Whom a policy could name: a group, "@id", requester, manager(requester), oncall(rotation)."""
    found = ref(reader, node, what, to="audience")
    try:
        return found if found is None or parse(found.name) else None
    except ValueError as error:
        reader.note(node, f"{what}: {error}")
        return None


def labelled(reader: Reader, node: Node, what: str) -> tuple[tuple[str, Ref], ...] | None:
    """{what it is called: who works in it}, in the order it stands there."""
    found = [
        (label, ref(reader, value, f"{label} of {what}", to="agent"))
        for label, (_, value) in (reader.fields(node, what) or {}).items()
    ]
    if not found:
        reader.note(node, f"{what} is empty; name at least one, such as Draft: writer")
    return tuple((label, one) for label, one in found if one is not None) or None


def speaker(reader: Reader, node: Node, what: str) -> str | Ref | None:
    """Whose turn it is: `round_robin`, or an agent that chooses."""
    return ROUND_ROBIN if getattr(node, "value", "") == ROUND_ROBIN else ref(reader, node, what, to="agent")


def parts(reader: Reader, node: Node, what: str, *, of: PartKind) -> tuple[Part, ...] | None:
    """A list of records of one class."""
    found: list[Part] = []
    items = reader.items(node, what)
    for item in items or []:
        read = reader.whole(item, f"an item of {what}", tuple(of.fields), of.needs, of.told)
        if read is None:
            continue
        values = {key: of.fields[key](reader, at, f"{key} in {what}") for key, (_, at) in read.items()}
        kept = {of.names.get(key, key): value for key, value in values.items() if value is not None}
        found.append(Part(of.maker, kept))
    if items == []:
        reader.note(node, f"{what} is empty; name at least one")
    return tuple(found) or None


# ------------------------------------------------------------------------ the kinds

AGENT: Read = partial(ref, to="agent")
AGENTS: Read = partial(some, to="agent")
ROUNDS: Read = partial(number, most=100)
MODEL: Read = partial(ref, to="model")
TRIGGER = PartKind(
    maker="agents.patterns.escalation:Trigger",
    fields={"name": text, "words": texts, "pattern": text, "suggestion": text},
    needs=("name",),
    told="why people are called in, as their card says it",
)
WAY = PartKind(
    maker="agents.patterns.routes:Way",
    fields={"from": partial(ref, to="member"), "to": partial(ref, to="member"), "when": text},
    needs=("from", "to"),
    told="two members, or user for where it begins and ends",
    names={"from": "start"},
)

KINDS: Mapping[str, Kind] = {
    "react": Kind(
        maker="agents.react:ReAct",
        fields={
            "prompt": text,
            "tools": tools,
            "model": MODEL,
            "max_steps": partial(number, most=10_000),
            "max_tokens": partial(number, most=100_000_000),
            "helpers": AGENTS,
        },
        needs=("prompt",),
        gets=("secrets", "about"),
    ),
    "human": Kind(
        maker="agents.patterns.person:Person",
        fields={
            "of": audience,
            "role": text,
            "about": text,
            "instructions": text,
            "does": partial(choice, of=("review", "check", "gate", "answer")),
            "criteria": text,
            "rounds": ROUNDS,
            "directions": texts,
            "question": text,
        },
        is_person=True,
    ),
    "sequential": Kind(
        maker="agents.patterns.sequential:Sequential",
        fields={"members": AGENTS, "look_after": partial(refs, to="agent"), "of": audience, "rounds": ROUNDS},
        needs=("members",),
        shaped=lambda values: {**values, "look_after": tuple(one.name for one in values.get("look_after", ()))},
    ),
    "phases": Kind(
        maker="agents.patterns.phases:Phases",
        fields={"phases": labelled, "of": audience, "instructions": text, "rounds": ROUNDS},
        needs=("phases",),
    ),
    "concurrent": Kind(
        maker="agents.patterns.concurrent:Concurrent",
        fields={"members": AGENTS, "join": AGENT, "review": AGENT, "max_rounds": ROUNDS},
        needs=("members",),
    ),
    "review_loop": Kind(
        maker="agents.patterns.review_loop:ReviewLoop",
        fields={"maker": AGENT, "checker": AGENT, "gate": AGENT, "max_rounds": ROUNDS},
        needs=("maker", "checker", "gate"),
    ),
    "group_chat": Kind(
        maker="agents.patterns.group_chat:GroupChat",
        fields={"members": AGENTS, "speaker": speaker, "max_turns": ROUNDS},
        needs=("members",),
    ),
    "handoff": Kind(
        maker="agents.patterns.handoff:Handoff",
        fields={"triage": AGENT, "members": AGENTS, "max_hands": ROUNDS},
        needs=("triage", "members"),
    ),
    "plan_first": Kind(
        maker="agents.patterns.plan_first:PlanFirst",
        fields={
            "planner": AGENT,
            "members": AGENTS,
            "review": AGENT,
            "of": audience,
            "max_rounds": ROUNDS,
            "max_stalls": ROUNDS,
        },
        needs=("planner", "members"),
    ),
    "escalation": Kind(
        maker="agents.patterns.escalation:Escalation",
        fields={"member": AGENT, "triggers": partial(parts, of=TRIGGER), "to": audience},
        needs=("member", "triggers"),
    ),
    "routes": Kind(
        maker="agents.patterns.routes:Routes",
        fields={"members": AGENTS, "rules": partial(parts, of=WAY), "max_turns": ROUNDS},
        needs=("members", "rules"),
    ),
    "python": Kind(
        maker="agents.coded:Coded", fields={"python": text, "tools": tools, "members": AGENTS}, needs=("python",)
    ),
}
