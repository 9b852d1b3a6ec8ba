"""agents.yml is refused with every mistake at once: a sentence each, with its place and what may stand there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents.roster import PROMPT
from bot.agentscheck import World, check, default_of, misnamed, not_set_up, weak
from bot.agentsfile import AgentsFile, parse_agents, read_agents
from bot.agentskinds import KINDS, Ref
from bot.domain.budget import Budgets, Limit, Price
from bot.domain.wire import loads
from tests.house import ROOT

WORLD = World(tools=("refund", "read_file"), groups={"approvers", "anyone"}, people=("ana", "bo"))
KIND_NAMES = ", ".join(KINDS)
MET_KEYS = "kind, describe, starts, channels, may, inner"
REACT_KEYS = f"{MET_KEYS}, prompt, tools, model, max_steps, max_tokens, helpers, prompt_file"


def problems(text: str, folder: Path = Path("nowhere")) -> list[str]:
    return check(parse_agents(text.encode(), folder=folder), WORLD)


def agent(line: str) -> str:
    return f"agents:\n  a: {line}\n"


def test_a_file_as_the_comments_write_it_is_read() -> None:
    """A2-07: name, model and prompt are data. Every section of the file."""
    text = """
default: support
models:
  small: {name: gpt-4o-mini, price: {in: 0.15, out: 0.60}}
  nebius: {base_url: "https://models.example.com/v1", key: "secret:NEBIUS_API_KEY"}
  default: {price: {in: 1, out: 2}}
mcp:
  tickets: {command: [python, -m, tickets], env: {TOKEN: "secret:TICKETS"}, read_only: [search], timeout: 5s,
            tools: {close: {risk: write, idempotent: true}, wipe: {skip: true}}}
budgets: {run: {tokens: 400_000, steps: 100, usd: 2}, person_day: {usd: 10}, day: {usd: 0.5}, ask: approvers}
agents:
  support:
    kind: react
    prompt: Help.
    tools: [refund, "mcp:tickets", tickets__search]
    model: nebius/deepseek-ai/DeepSeek-V3-0324
    max_steps: 5
    helpers: [writer]
    describe: answers customers
    starts: [Where is, "  HOW  do "]
    channels: ["playground/#help", "slack/C0123ABCD", "#ops"]
    may: [approvers, "@bo"]
  writer: {kind: react, prompt: Write., model: small}
"""

    file = parse_agents(text.encode())

    assert check(file, WORLD) == []
    support = file.agents["support"]
    assert (support.describe, support.starts) == ("answers customers", ("where is", "how do"))
    assert [ref.name for ref in support.may] == ["approvers", "@bo"]
    assert support.values["max_steps"] == 5
    assert support.values["model"] == Ref("model", "nebius/deepseek-ai/DeepSeek-V3-0324", "agents.yml:16:12")
    assert file.budgets == Budgets(
        run=Limit(tokens=400_000, steps=100, usd=2.0), person_day=Limit(usd=10.0), day=Limit(usd=0.5), ask="approvers"
    )
    assert file.models["small"].price == Price(in_=0.15, out=0.6)
    server = file.servers["tickets"][0]
    assert (server.command, server.env, server.read_only) == (
        ("python", "-m", "tickets"),
        {"TOKEN": "secret:TICKETS"},
        ("search",),
    )
    assert (server.tools["close"].idempotent, server.tools["wipe"].skip) == (True, True)
    assert default_of(file) == "support"


BAD: list[tuple[str, str]] = [
    (agent("{kind: DialogAgent, prompt: x}"), f"agents.yml:2:13: kind of a must be one of {KIND_NAMES}"),
    (agent("{prompt: x}"), f"agents.yml:2:3: agent a has no kind; it must be one of {KIND_NAMES}"),
    (agent("writer"), "agents.yml:2:6: agent a must be a mapping (key: value)"),
    (agent("{kind: react}"), "agents.yml:2:3: agent a, of kind react, needs prompt"),
    (
        agent("{kind: react, prompt: x, propmt: y}"),
        f"agents.yml:2:31: agent a, of kind react, has no key 'propmt'; it may have {REACT_KEYS}",
    ),
    (agent("{kind: react, prompt: ' '}"), "agents.yml:2:28: prompt of a is empty"),
    (agent("{kind: react, prompt: 5}"), 'agents.yml:2:28: prompt of a must be text: write "5", in quotes'),
    (
        agent("{kind: react, prompt: x, tools: [pay]}"),
        "agents.yml:2:39: tools of a: there is no tool 'pay'; one of your own is named in COUNTERSIGN_TOOLS, such as "
        "my_tools:pay; there are all, mcp:SERVER, read_file, refund",
    ),
    (
        agent("{kind: react, prompt: x, tools: [lookup]}"),
        "agents.yml:2:39: tools of a: lookup is there once COUNTERSIGN_KNOWLEDGE is set; "
        'write "lookup?" if the agent can do without it',
    ),
    (
        agent("{kind: react, prompt: x, tools: ['lokup?']}"),
        "agents.yml:2:39: tools of a: there is no tool 'lokup'; did you mean lookup?",
    ),
    (
        agent("{kind: react, prompt: x, tools: refund}"),
        'agents.yml:2:38: tools of a must be all, or a list of tools, such as [read_file, "mcp:tickets"]',
    ),
    (
        agent('{kind: react, prompt: x, tools: ["mcp:jira"]}'),
        "agents.yml:2:39: tools of a: there is no server 'jira' in mcp; there are none",
    ),
    (
        agent("{kind: react, prompt: x, model: big}"),
        "agents.yml:2:38: model of a: there is no model 'big'; there are default, "
        "or openai/NAME at the endpoint of the environment",
    ),
    (
        agent("{kind: react, prompt: x, max_steps: 0}"),
        "agents.yml:2:42: max_steps of a must be a whole number from 1 to 10000",
    ),
    (
        agent("{kind: react, prompt: x, helpers: [nobody]}"),
        "agents.yml:2:41: helpers of a: there is no agent 'nobody'; there are a",
    ),
    (
        agent("{kind: react, prompt: x, helpers: [a]}"),
        "agents.yml:2:3: a is a member of itself: a -> a",
    ),
    (
        agent("{kind: phases, of: sales, phases: {Draft: b}}") + "  b: {kind: react, prompt: x}\n",
        "agents.yml:2:25: a: `of`: there is no group 'sales'; there are anyone, approvers",
    ),
    (
        agent("{kind: react, prompt: x, may: [sales]}"),
        "agents.yml:2:37: may of a: there is no group 'sales'; there are anyone, approvers",
    ),
    (
        agent('{kind: react, prompt: x, may: ["@zoe"]}'),
        "agents.yml:2:37: may of a: there is nobody called 'zoe'; there are ana, bo",
    ),
    (
        agent('{kind: react, prompt: x, may: ["manager(requester)"]}'),
        "agents.yml:2:37: may of a: 'manager(requester)' must be a group of people.yml, or \"@id\" of a person",
    ),
    (
        agent("{kind: react, prompt: x, may: []}"),
        "agents.yml:2:36: may of a names nobody; leave it out if everybody may ask",
    ),
    (
        agent("{kind: react, prompt: x, starts: [Status]}"),
        "agents.yml:2:40: starts of a: 'status' means something else already; take another word",
    ),
    (
        agent("{kind: react, prompt: x, starts: [approve]}"),
        "agents.yml:2:40: starts of a: 'approve' means something else already; take another word",
    ),
    (
        agent('{kind: react, prompt: x, channels: ["slack/#support"]}'),
        'agents.yml:2:42: channels of a: \'slack/#support\' must be "playground/#name", "slack/C0123ABCD" or '
        '"teams/19:…": on Slack and Teams a channel is named by its id',
    ),
    (
        agent("{kind: react, prompt_file: no.md}"),
        "agents.yml:2:33: prompt_file of a: 'no.md' beside this file cannot be read: No such file or directory",
    ),
    (agent("{kind: human}"), "agents.yml:1:1: default: there is no agent ''; there are a"),
    (
        "default: a\n" + agent("{kind: human}"),
        "agents.yml:1:10: default: a is a person, who can be asked by an agent and not be given a task",
    ),
    (
        "default: b\n" + agent("{kind: react, prompt: x}"),
        "agents.yml:1:10: default: there is no agent 'b'; there are a",
    ),
    (
        agent("{kind: react, prompt: x}") + "  A: {kind: react, prompt: x}\n",
        "agents.yml:3:3: agent 'A' is there twice; the first is at agents.yml:2:3",
    ),
    (
        agent("{kind: react, prompt: x}") + "  a b: {kind: react, prompt: x}\n",
        "agents.yml:3:3: 'a b' cannot be an agent's name: at most 40 letters, digits, - and _",
    ),
    (
        agent("{kind: react, prompt: x, starts: [look]}") + "  b: {kind: react, prompt: x, starts: [Look]}\n",
        "agents.yml:3:39: starts of b: 'look' is a's already",
    ),
    (
        agent("{kind: sequential, members: [b]}") + "  b: {kind: sequential, members: [a]}\n",
        "agents.yml:2:3: a is a member of itself: a -> b -> a",
    ),
    (
        agent("{kind: routes, members: [b], rules: [{from: user, to: writer}]}") + "  b: {kind: react, prompt: x}\n",
        "agents.yml:2:60: rules of a: there is no member 'writer'; there are b, user",
    ),
    (
        agent("{kind: routes, members: [b], rules: [{from: user}]}") + "  b: {kind: react, prompt: x}\n",
        "agents.yml:2:43: an item of rules of a needs to: two members, or user for where it begins and ends",
    ),
    ("agents: {}\n", "agents.yml:1:1: the file has no agents"),
    (
        "models: {m: {name: x, key: sk-live-1}}\n" + agent("{kind: react, prompt: x}"),
        'agents.yml:1:28: key of model m must be "secret:NAME", a variable of the environment; never the key itself',
    ),
    (
        "models: {openai: {name: x}}\n" + agent("{kind: react, prompt: x}"),
        "agents.yml:1:10: 'openai' cannot be the name of a model: it means the endpoint of the environment",
    ),
    (
        'models: {m: {base_url: "https://u:sk-1@x/v1"}}\n' + agent("{kind: react, prompt: x}"),
        "agents.yml:1:24: base_url of model m must be an http:// or https:// address without a user or password",
    ),
    (
        "models: {m: {name: x, price: {in: 1}}}\n" + agent("{kind: react, prompt: x}"),
        "agents.yml:1:30: price of model m needs out: US dollars per million tokens read and written, "
        "such as {in: 0.15, out: 0.60}",
    ),
    (
        "budgets: {run: {usd: -1}}\n" + agent("{kind: react, prompt: x}"),
        "agents.yml:1:22: usd of budget run must be an amount of US dollars such as 2 or 0.50; "
        "left out, there is no limit",
    ),
    (
        "mcp: {t: {command: [x], env: {API_TOKEN: abc}}}\n" + agent("{kind: react, prompt: x}"),
        'agents.yml:1:42: API_TOKEN in env of mcp server t must be "secret:NAME", a variable of the environment; '
        "never the value",
    ),
    (
        "mcp: {t: {}}\n" + agent("{kind: react, prompt: x}"),
        "agents.yml:1:7: mcp server t: a server has either a command or a url",
    ),
    (
        "include: [more.yml]\n" + agent("{kind: react, prompt: x}"),
        "agents.yml:1:11: include: there is no file 'more.yml' beside this one",
    ),
    (
        "speed: 3\n" + agent("{kind: react, prompt: x}"),
        "agents.yml:1:1: the file has no key 'speed'; it may have include, default, models, mcp, budgets, agents",
    ),
]


@pytest.mark.parametrize(("text", "told"), BAD, ids=[told.split(": ", 1)[1][:40] for _, told in BAD])
def test_a_mistake_is_one_sentence_with_its_place(text: str, told: str) -> None:
    """AS-08: an unknown kind is told with the file, the key and the kinds there are. A2-12: so is a name of nobody.

    A2-20, D-40: a key that stands in the file is refused, and never repeated.
    """
    found = problems(text)

    assert told in found
    assert len(found) == 1
    assert not any("sk-" in one for one in found)


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    """In the order of each file; one in a file that is included names that file."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "agents.yml").write_text("agents:\n  b: {kind: Dict}\n  c: {kind: react}\nbudgets: {}\n")
    (tmp_path / "agents.yml").write_text(
        "include: [more/agents.yml]\nagents:\n  a: {kind: react, prompt: x, tools: [pay], model: big}\n"
    )

    found = check(read_agents(tmp_path / "agents.yml"), WORLD)

    assert [one.split(": ", 1)[0] for one in found] == [
        *("agents.yml:3:39", "agents.yml:3:52"),
        *("more/agents.yml:2:13", "more/agents.yml:3:3", "more/agents.yml:4:1"),
    ]


def test_a_file_adds_the_agents_of_others_and_a_pattern_may_match_none(tmp_path: Path) -> None:
    """Prompts lie beside the file that names them; a file that is named twice, or by itself, is read once."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "prompt.md").write_text(f"I am {name}.\n")
        (tmp_path / name / "agents.yml").write_text(
            f"include: [../agents.yml]\nagents:\n  {name}: {{kind: react, prompt_file: prompt.md}}\n"
        )
    (tmp_path / "agents.yml").write_text(
        "include: ['*/agents.yml', one/agents.yml, 'none/*.yml']\nagents: {a: {kind: react, prompt: x}}\n"
    )

    file = read_agents(tmp_path / "agents.yml")

    assert check(file, WORLD) == []
    assert [*file.agents] == ["a", "one", "two"]
    assert file.agents["two"].values["prompt"] == "I am two.\n"


def test_two_files_cannot_name_an_agent_alike(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text("agents: {a: {kind: react, prompt: y}}\n")
    (tmp_path / "agents.yml").write_text("include: [b.yml]\nagents: {a: {kind: react, prompt: x}}\n")

    assert check(read_agents(tmp_path / "agents.yml"), WORLD) == [
        "b.yml:1:10: agent 'a' is there twice; the first is at agents.yml:2:10"
    ]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert check(read_agents(tmp_path / "no.yml"), WORLD) == [
        "no.yml:1:1: cannot be read: No such file or directory; correct COUNTERSIGN_AGENTS"
    ]


def test_a_tool_of_a_server_is_held_against_what_the_server_offers() -> None:
    """Before it is opened nobody knows; an optional one that is away takes nothing from its agent's other tools."""
    text = (
        "mcp: {t: {command: [x]}, u: {command: [x]}}\nagents: {a: {kind: react, prompt: x, tools: [t__serch, u__x]}}\n"
    )
    file = parse_agents(text.encode())

    assert check(file, WORLD) == []
    assert misnamed(file, ["t__search"], {"u"}) == [
        "agents.yml:2:46: tools of a: there is no tool 't__serch'; did you mean t__search?"
    ]


def test_a_tool_that_an_agent_can_do_without_may_be_missing() -> None:
    """Nobody set it up: the bot starts, and the doctor says which setting offers it."""
    file = parse_agents(agent("{kind: react, prompt: x, tools: [refund, 'lookup?']}").encode())

    assert check(file, WORLD) == []
    told = "agents do without what is not set up: lookup (COUNTERSIGN_KNOWLEDGE)"
    assert not_set_up(file, [*WORLD.tools]) == told
    assert not_set_up(file, [*WORLD.tools, "lookup"]) == ""


@pytest.mark.parametrize("way", ["../other/prompt.md", "/etc/hostname", "a/../../b.md"])
def test_no_name_in_the_file_leads_out_of_its_folder(tmp_path: Path, way: str) -> None:
    """T22: what lies elsewhere on the host is no prompt, and no file of agents."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "prompt.md").write_text("secret")
    (tmp_path / "here").mkdir()

    prompt = problems(agent(f"{{kind: react, prompt_file: {way}}}"), tmp_path / "here")
    include = problems(f"include: [{way}]\n{agent('{kind: react, prompt: Help.}')}", tmp_path / "here")

    told = f"{way!r} leaves the folder of the first file; name what lies in it"
    assert prompt == [f"agents.yml:2:33: prompt_file of a: {told}"]
    assert include == [f"agents.yml:1:11: include {told}"]


def test_what_is_not_read_whole_is_said(tmp_path: Path) -> None:
    """A prompt that was cut, or a file that was left out, would be another agent than the one that is written."""
    (tmp_path / "long.md").write_text("x" * 300_000)
    for number in range(101):
        (tmp_path / f"{number:03}.yml").write_text("models: {}")

    long = problems(agent("{kind: react, prompt_file: long.md}"), tmp_path)
    many = problems(f"include: ['[0-9]*.yml']\n{agent('{kind: react, prompt: Help.}')}", tmp_path)

    assert long == ["agents.yml:2:33: prompt_file of a: 'long.md' is longer than 262144 bytes"]
    assert many == ["agents.yml:1:1: include: more than 100 files; 099.yml is not read"]


def test_an_inner_agent_is_a_member_and_nothing_else() -> None:
    """A2-13: nobody gives it tasks, so nothing says how they would; and the default is one that they can."""
    text = """
default: writer
agents:
  writer: {kind: react, prompt: Write., inner: true, starts: [write]}
  lead: {kind: react, prompt: Lead., helpers: [writer]}
  alone: {kind: react, prompt: Sit., inner: true}
"""
    file = parse_agents(text.encode())

    assert check(file, WORLD) == [
        "agents.yml:2:10: default: writer is inner, so only other agents ask it; take another one, or its inner away",
        "agents.yml:4:62: starts of writer: nobody gives it tasks, because it is inner; take one of the two away",
    ]
    assert weak(file) == ["agents.yml:6:3: alone is never asked: no agent has it as a member"]
    assert default_of(parse_agents(text.replace("default: writer", "").encode())) == "lead"


def test_what_is_there_for_nothing_is_said() -> None:
    file = parse_agents(
        b"models: {m: {name: x}, p: {base_url: 'http://x/v1'}}\n"
        b"agents: {a: {kind: react, prompt: x, model: p/y}, h: {kind: human}}\n"
    )

    assert check(file, WORLD) == []
    assert weak(file) == [
        "agents.yml:1:10: model m is never used: no agent names it",
        "agents.yml:2:51: h is never asked: no agent has them as a member",
    ]


def test_the_shipped_file_is_sound_and_its_assistant_is_the_one_without_a_file() -> None:
    """Whoever takes the file away keeps the assistant: the same prompt, the same tools."""
    file = read_agents(ROOT / "agents.yml")

    assert file.problems == []
    assert file.agents["assistant"].values["prompt"] == PROMPT
    assert [ref.name for ref in _tools(file, "assistant")] == ["all"]
    assert default_of(file) == "assistant"


def test_every_kind_is_in_the_comments_of_the_shipped_file() -> None:
    """A newcomer reads that file first."""
    text = (ROOT / "agents.yml").read_text()

    assert [kind for kind in KINDS if f"#   {kind} " not in text] == []


def _tools(file: AgentsFile, name: str) -> tuple[Ref, ...]:
    tools = file.agents[name].values["tools"]
    assert isinstance(tools, tuple)
    return tools


# ------------------------------------------------------------------ anything at all

WORDS = """agents models mcp budgets include default kind react human sequential prompt tools all members model name
base_url key price in run usd starts channels may prompt_file python command env helpers phases triggers rules a b *"""
NAMES = st.sampled_from([*WORDS.split(), "\x00"])
LEAVES = st.none() | st.booleans() | st.integers(-3, 10**9) | st.floats() | st.text(max_size=8) | NAMES
TREES: st.SearchStrategy[object] = st.deferred(
    lambda: LEAVES | st.lists(TREES, max_size=3) | st.dictionaries(NAMES, TREES, max_size=4)
)
KEYS = sorted({key for kind in KINDS.values() for key in kind.fields} | {"starts", "channels", "may", "prompt_file"})
AGENTS = st.fixed_dictionaries({"kind": st.sampled_from(sorted(KINDS))}, optional=dict.fromkeys(KEYS, TREES))
FILES = st.fixed_dictionaries(
    {"agents": st.dictionaries(st.sampled_from("abc"), AGENTS, max_size=3)},
    optional=dict.fromkeys(("models", "mcp", "budgets", "default"), TREES),
)


@given(st.binary(max_size=200))
@example(b"agents: {a: {kind: react, prompt_file: '\\0'}}")
@example(b"include: ['/*', '\\0', '**/', '']")
def test_no_bytes_make_more_than_sentences(data: bytes) -> None:
    """Whatever stands in the file, there is no traceback."""
    assert all(isinstance(one, str) for one in check(parse_agents(data, folder=Path("nowhere")), WORLD))


@given(TREES | FILES)
def test_no_shape_of_the_file_makes_more_than_sentences(tree: object) -> None:
    """YAML holds JSON: every tree of our own words, in any place."""
    text = json.dumps(tree, allow_nan=False, default=str) if _is_plain(tree) else "{}"
    loads(text)

    found = check(parse_agents(text.encode(), folder=Path("nowhere")), WORLD)

    assert all(one.count(":") >= 3 for one in found)


def _is_plain(tree: object) -> bool:
    """JSON has no infinity."""
    match tree:
        case float():
            return tree == tree and abs(tree) != float("inf")
        case list():
            return all(_is_plain(one) for one in tree)
        case dict():
            return all(_is_plain(one) for one in tree.values())
    return True
