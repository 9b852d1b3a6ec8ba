"""From agents.yml to agents that work: their members, tools and models, and what the program says when it cannot."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from agents.model import ChatCompletions
from agents.patterns.calls import CALLS
from agents.react import ReAct
from agents.rehearsal.server import RehearsalServer
from agents.roster import Roster
from agents.testing import Script, rehearse
from bot.agentsbuild import Shelf, built, tools_of, without_file
from bot.agentscheck import default_of
from bot.agentsfile import AgentsFile, parse_agents, read_agents
from bot.agentskinds import KINDS
from bot.agentsmodels import prices
from bot.app import opened
from bot.config import Settings, load_settings
from bot.doctor import examine
from bot.domain.budget import Price
from bot.domain.errors import BadPolicy, BadSettings
from bot.domain.ports import Agent, Line, RunContext
from bot.domain.run import Task
from bot.looks import listed_agents
from bot.modelkeys import Endpoint, endpoints, named_secrets
from bot.rules import read_rules
from bot.secretref import secret
from tests.agents.mcp.given import Desk
from tests.house import ROOT

Env = pytest.MonkeyPatch
SHELF = Shelf(
    secrets={"refund": ("card",), "read_file": (), "t__search": (), "t__close": (), "finish": ()},
    inner=frozenset({"finish"}),
)
ALONE = Path("nowhere")


def settings(env: Env, folder: Path, agents: str, **variables: str) -> Settings:
    (folder / "agents.yml").write_text(agents)
    for name, value in {
        "COUNTERSIGN_AGENTS": str(folder / "agents.yml"),
        "COUNTERSIGN_VAR": str(folder / "var"),
        "COUNTERSIGN_POLICY": str(ROOT / "policy.yml"),
        "COUNTERSIGN_PEOPLE": str(ROOT / "people.yml"),
        **variables,
    }.items():
        env.setenv(name, value)
    return load_settings(None)


def roster(text: str) -> tuple[AgentsFile, Roster]:
    file = parse_agents(text.encode(), folder=ALONE)
    assert file.problems == []
    return file, built(file, SHELF, default=default_of(file))


async def answering(task: Task, ctx: RunContext) -> str:
    """An agent of code, for `python: tests.roof.test_agents_build:answering`."""
    said = await ctx.think((Line(role="user", text=task.text),))
    return f"coded: {said.text}"


async def passing_on(task: Task, ctx: RunContext, member: Agent) -> str:
    return f"{member.name} says: {await member(task, ctx)}"


def plain(task: Task, ctx: RunContext) -> str:  # noqa: ARG001  # what an agent looks like, but for the async
    return ""


class Uncalled:
    name = "x"


# ---------------------------------------------------------------------- kinds


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_kind_is_one_of_its_class(kind: str) -> None:
    """A row of the table and the class it names are two files: here they are held together."""
    row = KINDS[kind]
    module, _, name = row.maker.partition(":")
    made = getattr(importlib.import_module(module), name)
    fields = {field.name for field in dataclasses.fields(made)}
    needed = {
        field.name
        for field in dataclasses.fields(made)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }

    assert {*row.fields, *row.gets, "name"} <= fields
    assert needed == {*row.needs, "name"}
    assert callable(made)


def test_members_are_the_agents_of_that_name() -> None:
    """Each once, however many are made of it; whatever order the file has them in."""
    file, found = roster("""
agents:
  article: {kind: sequential, members: [writer, editor], look_after: [writer]}
  both: {kind: concurrent, members: [writer, article], join: writer}
  writer: {kind: react, prompt: Write., tools: [refund], model: default}
  editor: {kind: human, of: approvers, role: editor, instructions: Approve or suggest edits.}
""")

    article, both, writer = found.get("article"), found.get("both"), found.get("writer")

    assert article.members[0] is writer  # type: ignore[attr-defined]  # a Sequential
    assert both.members == (writer, article)  # type: ignore[attr-defined]  # a Concurrent
    assert article.members[1].instructions == "Approve or suggest edits."  # type: ignore[attr-defined]  # a Person
    assert [one.name for one in found.listings()] == ["article", "both", "writer"]
    assert isinstance(writer, ReAct)
    assert (writer.model, writer.secrets["refund"]) == ("", ("card",))
    assert tools_of(file, "both", SHELF) == ("refund",)


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        ("all", ("refund", "read_file", "t__search", "t__close")),
        ("[]", ()),
        ("[all, finish]", ("refund", "read_file", "t__search", "t__close", "finish")),
        ('["mcp:t", refund]', ("t__search", "t__close", "refund")),
        ("[t__gone]", ()),  # of an optional server that is away
    ],
)
def test_an_agent_has_the_tools_that_are_named_and_no_other(tools: str, names: tuple[str, ...]) -> None:
    """PP-05: what only means something in a pattern has to be named, `all` does not bring it."""
    _, found = roster(f"agents: {{a: {{kind: react, prompt: x, tools: {tools}}}}}")

    assert found.get("a").tools == names


def test_what_a_class_refuses_is_a_sentence_with_its_place() -> None:
    file = parse_agents(b"agents:\n  a: {kind: sequential, members: [h]}\n  h: {kind: human}\n", folder=ALONE)

    with pytest.raises(BadPolicy) as refused:
        built(file, SHELF, default="a")

    assert refused.value.problems == [
        "agents.yml:2:3: agent a: h looks at a draft, and stands first in a; put its maker before it"
    ]


def test_rules_between_members_and_what_calls_people_in_are_records_of_their_classes() -> None:
    """A2-12: a workflow is rules from one to the next; those that could never end are refused where they are read."""
    text = """
agents:
  flow:
    kind: routes
    members: [writer, editor]
    rules:
      - {from: user, to: writer}
      - {from: writer, to: editor}
      - {from: editor, to: writer, when: decision == "rejected"}
      - {from: editor, to: user}
  calm: {kind: escalation, member: writer, to: approvers, triggers: [{name: a threat, words: [sue]}]}
  writer: {kind: react, prompt: Write.}
  editor: {kind: human, of: approvers}
"""
    _, found = roster(text)

    assert [one.told for one in found.get("flow").rules][2:] == [  # type: ignore[attr-defined]  # a Routes
        'editor → writer when decision == "rejected"',
        "editor → user",
    ]
    assert found.get("calm").fired("I will sue").name == "a threat"  # type: ignore[attr-defined]  # an Escalation
    with pytest.raises(BadPolicy, match=r"^agents\.yml:3:3: agent flow: no rule leads from writer to user"):
        roster(text.replace("      - {from: editor, to: user}\n", ""))


def test_without_a_file_there_is_the_assistant_with_everything() -> None:
    found = built(without_file(), SHELF, default="assistant")

    assert found.get("").tools == ("refund", "read_file", "t__search", "t__close")


# ----------------------------------------------------------------------- code


async def test_an_agent_of_code_is_called_under_its_name_in_the_file() -> None:
    """And is rehearsed as any other."""
    _, found = roster(
        "agents: {mine: {kind: python, python: 'tests.roof.test_agents_build:answering', tools: [refund]}}"
    )
    agent = found.get("mine")

    story = await rehearse(agent, "hello", model=Script(["hi"]))

    assert (agent.name, agent.tools, story.answer) == ("mine", ("refund",), "coded: hi")


async def test_an_agent_of_code_is_given_its_members() -> None:
    """In their order, behind the context."""
    code = "{kind: python, python: 'tests.roof.test_agents_build:passing_on', members: [clerk]}"
    _, found = roster(f"agents: {{mine: {code}, clerk: {{kind: react, prompt: x}}}}")

    story = await rehearse(found.get("mine"), "hello", model=Script(["hi"]))

    assert story.answer == "clerk says: hi"


def test_code_that_takes_no_members_is_given_none() -> None:
    """The file says where, and how many there are."""
    code = "{kind: python, python: 'tests.roof.test_agents_build:answering', members: [clerk]}"
    text = f"agents: {{mine: {code}, clerk: {{kind: react, prompt: x}}}}"

    with pytest.raises(BadPolicy, match=r"does not take \(task, ctx\) and the members that are named: 1"):
        roster(text)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nowhere:x", "cannot be loaded: there is no module 'nowhere'; put nowhere.py into the folder"),
        (
            "tests.house:nothing",
            "cannot be loaded: tests.house has no 'nothing'",
        ),
        ("tests.roof.test_agents_build:plain", "is not an async function of (task, ctx)"),
        ("tests.roof.test_agents_build:Uncalled", "is a class; name an instance of it, or an async function"),
        ("tests.roof.test_agents_build:test_without_a_file_is_called", "cannot be loaded"),
        ("agents.testing:rehearse", "comes from agents.testing; simulated people are for tests alone"),
    ],
)
def test_code_that_is_no_agent_is_refused(name: str, why: str) -> None:
    """D-49: nobody simulated is an agent either."""
    file = parse_agents(f"agents:\n  a: {{kind: python, python: '{name}'}}\n".encode(), folder=ALONE)

    with pytest.raises(BadPolicy) as refused:
        built(file, SHELF, default="a")

    assert refused.value.problems[0].startswith(f"agents.yml:2:29: agent a: python: {name} {why}")


# --------------------------------------------------------------------- models

MODELS = """
models:
  small: {name: openai/gpt-4o-mini, price: {in: 0.15, out: 0.60}}
  default: {price: {in: 1, out: 2}}
  nebius: {base_url: "https://models.example.com/v1", key: "secret:NEBIUS_API_KEY"}
  local: {name: openai/qwen, base_url: "http://127.0.0.1:9/v1"}
agents:
  a: {kind: react, prompt: x, model: small}
  b: {kind: react, prompt: x, model: nebius/deepseek-ai/DeepSeek-V3-0324}
  c: {kind: react, prompt: x, model: openai/gpt-4}
  d: {kind: react, prompt: x, model: default}
"""


def test_each_model_is_asked_for_by_its_endpoints_name_and_key(monkeypatch: Env, tmp_path: Path) -> None:
    """A2-07: "provider/model" is accepted. No key ever goes to another endpoint than the one it stands beside."""
    given = settings(monkeypatch, tmp_path, MODELS, OPENAI_API_KEY="sk-own-1", NEBIUS_API_KEY="neb-1")

    found = endpoints(given, read_agents(tmp_path / "agents.yml"))

    openai = "https://api.openai.com/v1"
    assert found == {
        "": Endpoint(base_url=openai, name="gpt-4o-mini", key="sk-own-1"),
        "small": Endpoint(base_url=openai, name="gpt-4o-mini", key="sk-own-1"),
        "openai/gpt-4": Endpoint(base_url=openai, name="gpt-4", key="sk-own-1"),
        "nebius/deepseek-ai/DeepSeek-V3-0324": Endpoint(
            base_url="https://models.example.com/v1", name="deepseek-ai/DeepSeek-V3-0324", key="neb-1"
        ),
        "local": Endpoint(base_url="http://127.0.0.1:9/v1", name="openai/qwen", key="none"),
    }
    assert "neb-1" not in repr(found)
    assert named_secrets(given) == ("neb-1",)
    assert prices(read_agents(tmp_path / "agents.yml").models) == {
        "small": Price(in_=0.15, out=0.6),
        "": Price(in_=1.0, out=2.0),
    }


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "secret:NEBIUS_API_KEY is not set; put NEBIUS_API_KEY into the environment or .env"),
        ({"NEBIUS_API_KEY": "your-api-key-here"}, "NEBIUS_API_KEY is a placeholder; put the real value there"),
    ],
)
def test_a_key_that_is_missing_or_an_example_is_one_sentence(
    monkeypatch: Env, tmp_path: Path, variables: Mapping[str, str], told: str
) -> None:
    """A2-20, D-40, AS-13."""
    given = settings(monkeypatch, tmp_path, MODELS, OPENAI_API_KEY="sk-own-1", **variables)

    with pytest.raises(BadSettings) as refused:
        endpoints(given, read_agents(tmp_path / "agents.yml"))

    assert refused.value.problems == [f"model nebius/deepseek-ai/DeepSeek-V3-0324: {told}"]


def test_a_secret_may_stand_in_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TICKETS=abc123\n")

    assert secret("TICKETS", tmp_path / ".env") == "abc123"


async def test_the_shipped_writers_prompt_goes_out_as_system_text_to_the_model_it_names(
    monkeypatch: Env, tmp_path: Path
) -> None:
    """A2-07: the request that leaves the bot has the writer's system message and the mapped model name."""
    text = (ROOT / "agents.yml").read_text().replace("# model: openai/gpt-4\n", "model: openai/gpt-4\n")
    text = text.replace("agents/examples/*/agents.yml", "none/*/agents.yml")
    async with RehearsalServer() as endpoint:
        given = settings(
            *(monkeypatch, tmp_path, text), OPENAI_BASE_URL=endpoint.base_url, PORT="0", COUNTERSIGN_HEALTH_PORT="0"
        )
        async with opened(given) as bot:
            writer = bot.parts.roster.get("writer")
            assert isinstance(writer, ReAct)
            model = bot.parts.models[writer.model]

            await model.think((Line(role="system", text=writer.prompt), Line(role="user", text="[ana] a haiku")), ())

            assert isinstance(model, ChatCompletions)
            assert bot.parts.models["openai/gpt-4"] is model
        (request,) = endpoint.requests

    assert request["model"] == "gpt-4"
    assert request["messages"][0] == {"role": "system", "content": writer.prompt}
    assert writer.prompt.startswith("You write short, plain texts")


# ---------------------------------------------------------------- the program

TWO = """
models: {unused: {name: gpt-4}}
agents:
  helper: {kind: react, prompt: x, tools: [read_file], describe: reads, starts: [read], may: [approvers, "@ana"]}
  clerk: {kind: react, prompt: x, tools: [refund], model: openai/gpt-4}
"""


async def test_the_doctor_names_agents_models_and_what_is_there_for_nothing(monkeypatch: Env, tmp_path: Path) -> None:
    settings(monkeypatch, tmp_path, TWO, OPENAI_API_KEY="sk-own-1", OPENAI_BASE_URL="http://127.0.0.1:1/v1")

    found = {one.text: one.mark for one in await examine()}

    file = tmp_path / "agents.yml"
    assert found[f"{file}: 2 agents, the first one for whatever is no other's: helper (react), clerk (react)"] == "✓"
    assert found["agents.yml:2:10: model unused is never used: no agent names it"] == "!"
    away = "at 127.0.0.1 cannot be reached; mend OPENAI_BASE_URL, or the network here"
    assert found[f"the model openai/gpt-4 (gpt-4) {away}"] == found[f"the model gpt-4o-mini {away}"] == "✗"


async def test_the_doctor_tells_every_mistake_of_the_file(monkeypatch: Env, tmp_path: Path) -> None:
    settings(monkeypatch, tmp_path, "agents:\n  a: {kind: DialogAgent}\n  b: {kind: react}\n")

    found = {one.text for one in await examine() if one.is_bad}

    assert {"agents.yml:3:3: agent b, of kind react, needs prompt"} < found


async def test_the_list_says_what_each_agent_is_and_how_it_is_asked(monkeypatch: Env, tmp_path: Path) -> None:
    settings(monkeypatch, tmp_path, TWO)

    assert await listed_agents() == [
        "helper  react  model rehearsal  tools read_file",
        "    reads",
        "    asked by “helper: …”, “read …”, whatever is no other's",
        "    by the group approvers and @ana",
        "clerk  react  model openai/gpt-4  tools refund",
        "    asked by “clerk: …”",
        "    by everybody",
    ]


async def test_oversight_is_held_against_each_agents_true_tools(monkeypatch: Env, tmp_path: Path) -> None:
    """CD-05: an agent that is never to be interrupted may only read; its members' tools are its own."""
    text = TWO + "  both: {kind: sequential, members: [helper, clerk]}\n"
    given = settings(monkeypatch, tmp_path, text)
    policy = tmp_path / "policy.yml"
    monkeypatch.setenv("COUNTERSIGN_POLICY", str(policy))
    rules = "rules: [{id: reading, when: 'tool.risk == \"read\"', allow: true}]\n"
    policy.write_text("oversight: {helper: never}\n" + rules)
    assert (await read_rules(load_settings(None))).roster.get("").name == "helper"
    policy.write_text("oversight: {helper: never, both: never, gone: never}\n" + rules)

    with pytest.raises(BadPolicy) as refused:
        await read_rules(load_settings(None))

    assert given.agents_file == tmp_path / "agents.yml"
    assert [one.split(": ", 2)[2] for one in refused.value.problems] == [
        "agent both is never asked about, but has refund: write",
        "there is no agent 'gone'; there are both, clerk, helper",
    ]


async def test_an_agent_has_the_tools_of_a_server_that_the_file_names(monkeypatch: Env, tmp_path: Path) -> None:
    """A real server over its stdin: its tools stand under its name, and it is closed with the rules."""
    desk = Desk(tmp_path)
    server = json.dumps({"command": desk.command(), "cwd": str(ROOT), "env": {"TOKEN": "secret:TICKETS"}})
    text = f"mcp: {{desk: {server}}}\nagents: {{a: {{kind: react, prompt: x, tools: ['mcp:desk', read_file]}}}}\n"
    given = settings(monkeypatch, tmp_path, text, TICKETS="tick-1")

    rules = await read_rules(given)

    assert rules.roster.get("a").tools == ("desk__search", "desk__close", "desk__die", "desk__hang", "read_file")
    assert rules.toolbox.get("desk__search").spec.description
    assert named_secrets(given) == ("tick-1",)
    assert any("desk" in one.text and not one.is_bad for one in await examine())
    wrong = settings(monkeypatch, tmp_path, text.replace("mcp:desk", "desk__serch"))
    with pytest.raises(BadPolicy, match="there is no tool 'desk__serch'; did you mean desk__search"):
        await read_rules(wrong)
    monkeypatch.delenv("TICKETS")
    with pytest.raises(BadSettings, match="secret:TICKETS is not set"):
        await read_rules(given)


async def test_a_default_that_is_nobody_is_told(monkeypatch: Env, tmp_path: Path) -> None:
    """The setting goes before the file."""
    given = settings(monkeypatch, tmp_path, TWO, COUNTERSIGN_AGENT="clerk")
    assert (await read_rules(given)).roster.get("").name == "clerk"

    told = "COUNTERSIGN_AGENT: there is no agent 'nosuch' that people can ask; there are clerk, helper"
    with pytest.raises(BadSettings, match=told):
        await read_rules(settings(monkeypatch, tmp_path, TWO, COUNTERSIGN_AGENT="nosuch"))


async def test_the_calls_of_patterns_and_helpers_are_in_the_toolbox_and_not_among_all(
    monkeypatch: Env, tmp_path: Path
) -> None:
    """PP-05: a model reads their schemas there; nobody has them who does not name them."""
    text = "agents: {a: {kind: react, prompt: x, tools: all, helpers: [b]}, b: {kind: react, prompt: x}}\n"

    rules = await read_rules(settings(monkeypatch, tmp_path, text))

    names = {spec.name for spec in rules.toolbox.specs()}
    assert {*CALLS, "ask_b"} <= names
    assert not {*CALLS, "ask_b"} & {*rules.roster.get("a").tools}
    assert json.loads(rules.toolbox.get("ask_b").spec.schema)["required"] == ["task"]
    assert inspect.iscoroutinefunction(type(rules.roster.get("a")).__call__)
