"""What `@tool` takes: a slip is refused where it is written, with what was meant."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agents.toolbox import FunctionTool, tool
from agents.traits import BadTool
from bot.domain.calls import Risk


def restart(service: str) -> str:
    """Restart a service."""
    return service


def made(**traits: Any) -> FunctionTool:
    return tool(**traits)(restart)


@pytest.mark.parametrize(
    ("traits", "told"),
    [
        ({"preveiw": print}, "@tool has no 'preveiw'; did you mean preview?"),
        ({"idempotant": True}, "@tool has no 'idempotant'; did you mean idempotent?"),
        ({"touch": ("x",)}, "@tool has no 'touch'; did you mean touches?"),
        ({"zzz": 1}, "@tool has no 'zzz'; it may have name, version, risk, "),
        ({"risk": "wriet"}, "risk is 'wriet'; write risk=Risk.READ, Risk.WRITE or Risk.IRREVERSIBLE"),
        ({"risk": 3}, "risk is 3; write risk=Risk.READ, Risk.WRITE or Risk.IRREVERSIBLE"),
        ({"touches": "money"}, "touches is 'money'; write touches=(\"money\",)"),
        ({"touches": (1,)}, "touches is (1,); write a tuple of texts, such as touches=(\"money\",)"),
        ({"secrets": "pin"}, "secrets is 'pin'; write secrets=(\"pin\",)"),
        ({"idempotent": "yes"}, "idempotent is 'yes'; write idempotent=True or idempotent=False"),
        ({"timeout": 30}, "timeout is 30; write timeout=timedelta(seconds=30)"),
        ({"timeout": timedelta()}, "timeout is datetime.timedelta(0); write a time, such as"),
        ({"preview_timeout": "5s"}, "preview_timeout is '5s'; write a time, such as preview_timeout="),
        ({"category": 7}, "category is 7; write a text, such as category=\"technical\""),
        ({"version": 2}, "version is 2; write a text, such as version=\"2\""),
        ({"preview": "before"}, "preview is 'before'; name a function"),
    ],
)  # fmt: skip
def test_a_trait_that_means_nothing_is_refused_with_what_was_meant(traits: dict[str, Any], told: str) -> None:
    """A misspelt preview or risk would otherwise leave a call weaker guarded than its author believes."""
    with pytest.raises(BadTool) as refused:
        made(**traits)

    assert str(refused.value).startswith(told)


def test_several_slips_are_told_at_once() -> None:
    with pytest.raises(BadTool, match=r"'preveiw'.*; risk is 'x'"):
        made(preveiw=print, risk="x")


@pytest.mark.parametrize("risk", list(Risk))
def test_a_risk_may_be_written_as_its_word(risk: Risk) -> None:
    """The policy and agents.yml write it so; what the tool holds is the same either way."""
    assert made(risk=risk.value).spec == made(risk=risk).spec
    assert isinstance(made(risk=risk.value).spec.risk, Risk)


def test_a_list_of_words_is_as_good_as_a_tuple() -> None:
    assert made(touches=["money", "mail"]).spec.touches == ("money", "mail")


def test_a_bare_decorator_says_how_it_is_written() -> None:
    with pytest.raises(BadTool, match=r"^restart: write @tool\(risk=Risk\.WRITE\) above it: @tool alone"):
        tool(restart)
