"""Code that a setting or agents.yml names: every way in which it cannot be loaded is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import Settings
from bot.doctor import examine
from bot.domain.errors import BadPolicy, BadSettings
from bot.rules import read_rules, tools
from tests.house import ROOT

GOOD = """
from agents.toolbox import tool
from bot.domain.calls import Risk


@tool(risk=Risk.WRITE)
def {name}(service: str) -> str:
    '''Restart a service.'''
    return service
"""
HEAD = "from agents.toolbox import tool\n\n\n"
BROKEN = {
    "no_doc": (HEAD + "@tool()\ndef f(x: int) -> int:\n    return x\n", "no_doc.py:4: f has no docstring: write"),
    "no_type": (
        HEAD + "@tool()\ndef f(x) -> int:\n    '''Do it.'''\n    return x\n",
        "no_type.py:4: f: x has no type: write x: str, for instance",
    ),
    "no_such_text": (
        HEAD + "@tool(accepted='txt')\ndef f(text: str) -> str:\n    '''Do it.'''\n    return text\n",
        "no_such_text.py:4: f: txt cannot be what people accepted: there is no such argument; there are text",
    ),
    "bare": (
        HEAD + "@tool\ndef f(x: int) -> int:\n    '''Do it.'''\n    return x\n",
        "bare.py:4: f: write @tool(risk=Risk.WRITE) above it",
    ),
    "no_syntax": ("def f(:\n    pass\n", "no_syntax.py:1: invalid syntax"),
    "no_risk": (
        HEAD + "@tool(risk='wriet')\ndef f(x: int) -> int:\n    '''Do it.'''\n    return x\n",
        "no_risk.py:4: risk is 'wriet'; write risk=Risk.READ",
    ),
    "no_import": ("import surely_not_there\n", "no_import.py:1: there is no module 'surely_not_there'; install it"),
    "no_luck": ("limits = {}\nlimits['most']\nf = 1\n", "no_luck.py:2: KeyError: 'most'"),
    "no_model": (
        HEAD + "class Odd: ...\n\n\n@tool()\ndef f(x: Odd) -> int:\n    '''Do it.'''\n    return 1\n",
        "no_model.py:7: f: x cannot be described to a model",
    ),
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, value in {
        "COUNTERSIGN_VAR": str(tmp_path / "var"),
        "COUNTERSIGN_POLICY": str(ROOT / "policy.yml"),
        "COUNTERSIGN_PEOPLE": str(ROOT / "people.yml"),
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refusal(tmp_path: Path, named: str) -> str:
    with pytest.raises(BadSettings) as refused:
        tools(Settings(COUNTERSIGN_VAR=tmp_path / "var", COUNTERSIGN_TOOLS=named))
    (told,) = refused.value.problems
    return told


@pytest.mark.parametrize("name", BROKEN)
def test_a_module_that_cannot_be_loaded_is_one_sentence_with_its_line(
    here: pytest.MonkeyPatch,  # noqa: ARG001  # its folder
    tmp_path: Path,
    name: str,
) -> None:
    """AS-13: never a stack, whatever is wrong in somebody's own file."""
    text, told = BROKEN[name]
    (tmp_path / f"{name}.py").write_text(text)

    said = refusal(tmp_path, f"{name}:f")

    assert said.startswith(f"COUNTERSIGN_TOOLS: {name}:f cannot be loaded: {told}")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("my_tools", "COUNTERSIGN_TOOLS: my_tools is not written as module:name, such as my_tools:restart"),
        (":x", "COUNTERSIGN_TOOLS: :x is not written as module:name"),
        ("nowhere_at_all:x", "COUNTERSIGN_TOOLS: nowhere_at_all:x cannot be loaded: there is no module "
                             "'nowhere_at_all'; put nowhere_at_all.py into the folder where the bot starts, or"),
        ("my_good:restat", "COUNTERSIGN_TOOLS: my_good:restat cannot be loaded: my_good has no 'restat'; "
                           "did you mean restart?"),
    ],
)  # fmt: skip
def test_a_name_that_leads_nowhere_says_how_far_it_led(
    here: pytest.MonkeyPatch,  # noqa: ARG001  # its folder
    tmp_path: Path,
    named: str,
    told: str,
) -> None:
    """AS-13."""
    (tmp_path / "my_good.py").write_text(GOOD.format(name="restart"))

    assert refusal(tmp_path, named).startswith(told)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("my_own:restart,my_own:restart", "COUNTERSIGN_TOOLS names my_own:restart twice; name it once"),
        (
            "my_shop:refund",
            "COUNTERSIGN_TOOLS: my_shop:refund is called refund, as a tool of this bot is; "
            'give it another name: @tool(name="my_refund", …)',
        ),
        (
            "my_own:restart my_other:restart",
            "COUNTERSIGN_TOOLS: my_other:restart is called restart, as my_own:restart is; "
            'give it another name: @tool(name="my_restart", …)',
        ),
    ],
)
async def test_two_tools_of_one_name_are_refused_with_who_has_it(
    here: pytest.MonkeyPatch, tmp_path: Path, named: str, told: str
) -> None:
    """AS-13, T28: which of the two would run must never be a question; the doctor goes on to its other checks."""
    for module, name in {"my_own": "restart", "my_other": "restart", "my_shop": "refund"}.items():
        (tmp_path / f"{module}.py").write_text(GOOD.format(name=name))

    assert refusal(tmp_path, named) == told
    here.setenv("COUNTERSIGN_TOOLS", named)
    found = await examine()
    assert [one.text for one in found if one.is_bad] == [told]
    assert "the store answers" in {one.text for one in found}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("async def x(task, ctx)\n    return ''\n", "cannot be loaded: my_syn.py:1: expected ':'"),
        ("1 / 0\n", "cannot be loaded: my_syn.py:1: ZeroDivisionError: division by zero"),
    ],
)
async def test_an_agent_of_code_that_cannot_be_loaded_is_told_with_both_places(
    here: pytest.MonkeyPatch,  # noqa: ARG001  # its folder
    tmp_path: Path,
    text: str,
    told: str,
) -> None:
    """AS-13: where agents.yml names it, and where it is wrong."""
    module = f"my_syn_{len(text)}"
    (tmp_path / f"{module}.py").write_text(text)
    (tmp_path / "agents.yml").write_text(f'agents:\n  a: {{kind: python, python: "{module}:x"}}\n')

    found = [one.text for one in await examine() if one.is_bad]

    place = f"agents.yml:2:29: agent a: python: {module}:x "
    assert found == [place + told.replace("my_syn.py", f"{module}.py")]
    with pytest.raises(BadPolicy):
        await read_rules(Settings(COUNTERSIGN_VAR=tmp_path / "var"))


async def test_a_tool_that_is_called_as_a_helper_is_asked_is_refused(here: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """T28: a helper is a tool by its name, and only one of the two could be meant."""
    (tmp_path / "my_helper.py").write_text(GOOD.format(name="ask_writer"))
    lead = "{kind: react, prompt: x, helpers: [writer]}"
    (tmp_path / "agents.yml").write_text(f"agents:\n  a: {lead}\n  writer: {{kind: react, prompt: x}}\n")
    here.setenv("COUNTERSIGN_TOOLS", "my_helper:ask_writer")

    found = [one.text for one in await examine() if one.is_bad]

    assert len(found) == 1
    assert "asked by the tool ask_writer, and a tool of that name is there; rename one of the two" in found[0]
