"""The tools that somebody added, in a line each: their risk, and what the policy makes of a call.

    your tools: restart (irreversible; rule restart asks approvers and managers)

For the doctor: a rule that does not mean what its author thinks is seen before the first call. Only what holds for
every call is said; `policy explain` knows about one.
"""

from __future__ import annotations

from bot.domain.calls import ToolSpec, make_call
from bot.domain.chat import Person, PersonId, Place
from bot.domain.policy import Facts, Policy, Rule
from bot.domain.verdict import Allow, Ask, Deny, Escalate, Verdict

SOMEBODY = Facts(
    requester=Person(id=PersonId("-"), name="-"), place=Place(platform="playground", tenant="local", channel="-")
)


def told_of(spec: ToolSpec, policy: Policy) -> str:
    """`restart (irreversible; …)`."""
    return f"{spec.name} ({spec.risk}; {_judged(spec, policy)})"


def _judged(spec: ToolSpec, policy: Policy) -> str:
    """Each rule that names the tool, up to one that holds for all of its calls; else what stands for any tool."""
    said: list[str] = []
    for rule in policy.rules:
        if rule.when is not None and spec.name in rule.when.only_for:
            said.append(f"rule {rule.id} {_does(rule.verdict)}")
            if _is_certain(rule):
                return ", ".join(said)
    general = policy.decide(make_call(id="-", tool=spec.name, version=spec.version, args={}), spec, SOMEBODY)
    is_default = general.rule not in {rule.id for rule in policy.rules}
    rest = f"{'the default' if is_default else f'rule {general.rule}'} {_does(general)}"
    if said:
        return f"{', '.join(said)}, else {rest}"
    return f"no rule names it: {rest}" if is_default else rest


def _is_certain(rule: Rule) -> bool:
    """Does it hold for every call of the tools it names?"""
    return rule.when is not None and all(clause.is_only_tool_name for clause in rule.when.clauses)


def _does(verdict: Verdict) -> str:
    match verdict:
        case Allow():
            return "lets it run"
        case Deny():
            return "refuses it"
        case Escalate(to=to):
            return f"hands it over to {to}"
        case Ask(groups=groups):
            return "asks " + " and ".join(one.of if one.need == 1 else f"{one.need} of {one.of}" for one in groups)
