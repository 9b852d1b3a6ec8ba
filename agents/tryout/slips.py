"""What a test gave `rehearse` by mistake, and what to write instead: one sentence each.

Only shapes: not whether a script fits what is asked (answers), nor whether a tool is there (context).
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from agents.tryout.cast import Somebody
from bot.domain.policy import Policy

A_POLICY = 'read_policy(Path("policy.yml")) or parse_policy(b"rules: […]"), both from bot.policyfile'


def slips(setting: Mapping[str, object], known: Collection[str]) -> Iterator[str]:
    """Everything in *setting* that cannot be meant; *known* are the names that it may have."""
    for name, value in setting.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}"
            yield f"rehearse takes no {name!r}; {meant}"
        elif told := _slip(name, value):
            yield told


def _slip(name: str, value: object) -> str:
    kind = type(value).__name__
    match name:
        case "policy" if not isinstance(value, Policy):
            return f"policy is a {kind}; write policy={A_POLICY}, or leave it out"
        case "tools" if isinstance(value, str) or not isinstance(value, Iterable):
            return f"tools is a {kind}; write a list: tools=[restart]"
        case "people" if isinstance(value, str) or not isinstance(value, Sequence):
            return f'people is a {kind}; write a list: people=[Somebody("bo")]'
        case "people" if isinstance(value, Sequence) and (odd := _nobody(value)):
            return f'people holds {odd!r}; write Somebody("bo", answers=[approve()])'
    return ""


def _nobody(people: Sequence[object]) -> object:
    return next((one for one in people if not isinstance(one, Somebody)), None)


def no_tool(given: Iterable[object]) -> str:
    """The sentence about the first of *given* that is no tool; empty if all are."""
    odd = next((one for one in given if not hasattr(one, "spec")), None)
    name = getattr(odd, "__name__", odd)
    return f"tools holds {name!r}, which is no tool; put @tool above the function" if odd else ""
