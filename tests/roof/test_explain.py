"""`policy explain`, as somebody meets it who has just written a tool and a rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.errors import InvalidArguments, Refused
from bot.looks import Asked, explained_policy
from tests.house import ROOT

REFUND = '{"order_id": 7, "amount": 250, "reason": "late"}'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "COUNTERSIGN_VAR": str(tmp_path / "var"),
        "COUNTERSIGN_POLICY": str(ROOT / "policy.yml"),
        "COUNTERSIGN_PEOPLE": str(ROOT / "people.yml"),
        "COUNTERSIGN_AGENTS": str(ROOT / "agents.yml"),
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


async def refusal(tool: str, args: str = "{}", person: str = "", agent: str = "") -> str:
    with pytest.raises(Refused) as refused:
        await explained_policy(tool, args, Asked(person, agent))
    return str(refused.value)


@pytest.mark.parametrize(
    ("tool", "told"),
    [
        ("refnud", "there is no tool 'refnud'; did you mean refund?"),
        ("run_code", "there is no tool 'run_code' until COUNTERSIGN_CODE is set"),
        ("set_config", "there is no tool 'set_config' until COUNTERSIGN_SERVICES with config: is set"),
        ("zzz", "there is no tool 'zzz'; one of your own is named in COUNTERSIGN_TOOLS, such as my_tools:zzz; "),
    ],
)  # fmt: skip
async def test_a_tool_that_is_not_there_is_told_with_what_would_offer_it(tool: str, told: str) -> None:
    """Before anybody is asked who asks: the person does not matter then."""
    assert (await refusal(tool)).startswith(told)


async def test_who_asks_has_to_be_said_and_the_sentence_says_how() -> None:
    everybody = "ana, bo, chris, dana, erin, gus"
    assert await refusal("refund", REFUND) == f"who asks for the call is not said: add --as and one of {everybody}"
    assert await refusal("refund", REFUND, "nobdy") == f"--as 'nobdy' is not in people.yml; there are {everybody}"


async def test_a_rule_for_one_agent_is_explained_for_that_agent() -> None:
    """AU-04: without a name, it is the one that gets whatever is no other's."""
    plain = await explained_policy("refund", REFUND, Asked("ana", ""))
    other = await explained_policy("refund", REFUND, Asked("ana", "writer"))

    assert "(assistant, playground)" in plain[0]
    assert "(writer, playground)" in other[0]
    told = await refusal("refund", REFUND, "ana", "nope")
    assert told.startswith("--agent 'nope' is not in agents.yml; there are article, assistant, ")


async def test_bad_arguments_are_sentences_that_stand_beside_each_other() -> None:
    with pytest.raises(InvalidArguments) as refused:
        await explained_policy("refund", '{"order_id": "x"}', Asked("ana", ""))

    assert ".;" not in str(refused.value)
    assert str(refused.value).endswith("; reason: It is missing.")
