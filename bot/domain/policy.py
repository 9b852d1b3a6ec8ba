"""The policy: rules as data. decide(call, spec, facts) answers allow, deny, ask or escalate, and says why.

    rules in order, the first that holds wins -> its verdict -> raised -> Verdict
        a condition that fails, or no rule at all: people are asked

Raised: whatever a rule says, an irreversible call, and one that moves money or writes to people, is never
waved through; a risky word makes a verdict stricter. Nothing in here ever makes one milder.
Not here: reading the file (bot/policyfile.py), who the people are (people), asking them (the gate).
"""

from __future__ import annotations

import enum
import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, assert_never

import cel

from bot.domain.calls import Outcome, Past, Risk, ToolCall, ToolSpec, canonical
from bot.domain.chat import Person, Place
from bot.domain.condition import FAILURES, Condition, why_failed
from bot.domain.people import ManagerOf, OnCall, parse
from bot.domain.verdict import ENDS, Allow, Ask, Audience, Climb, Deny, Escalate, Need, Rung, Verdict
from bot.domain.wire import Record, dumps, replace

NO_EFFECT = (Outcome.ERROR, Outcome.NOT_RUN)
GUARDED = frozenset({"money", "mail", "messages"})  # what a call touches that no rule may let through unasked
RISKY_WORDS = ("delete", "drop table", "git push", "deploy", "send email", "payment")
WHY_ASK = ("irreversible", "high_stakes", "costly_error", "compliance")  # the reasons a rule may give
WHY_ALLOW = ("read_only", "sandboxed", "recoverable")

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)


class Facts(Record):
    """Everything but the call that a verdict depends on. `history` holds this run's other calls, oldest first."""

    requester: Person
    place: Place
    agent: str = ""
    history: tuple[Past, ...] = ()


class Oversight(enum.StrEnum):
    """How closely an agent is watched. NEVER promises that it holds harmless tools only; it lets nothing through."""

    ALWAYS = "always"
    POLICY = "policy"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`when` is None for a rule without a condition. `verdict.why` holds a Deny's reason; else it is empty."""

    id: str
    verdict: Verdict
    when: Condition | None = None
    because: str = ""
    spots: Mapping[str, str] = field(default_factory=dict, compare=False)  # key -> "policy.yml:12:3"

    @property
    def is_always(self) -> bool:
        return self.when is None or self.when.is_always

    def spot(self, key: str) -> str:
        """Where this key of the rule stands in its file."""
        return self.spots.get(key, self.spots.get("id", self.id))


class Reviews(Record):
    """Who accepts an agent's drafts, whomever the agent would ask; with separate duties, nobody who made them."""

    of: Audience
    separate_duties: bool = False


class Tried(Record):
    """One rule held against one call. `is_held` is None when its condition failed; `told` shows the values."""

    rule: str
    is_held: bool | None
    told: str


class Policy:
    """Rules and what stands around them. Immutable; `hash` names what it says, not how its file spells it."""

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        default: Ask,
        hints: Sequence[str] = RISKY_WORDS,
        oversight: Mapping[str, Oversight] | None = None,
        reviews: Reviews | None = None,
        reports: Sequence[Audience] = (),  # who may read how approvals go; changes no verdict, so not in the hash
        spots: Mapping[str, str] | None = None,  # "defaults" -> "policy.yml:3:1"
    ) -> None:
        self.rules, self.default, self.hints = tuple(rules), default, tuple(hints)
        self.oversight = dict(oversight or {})
        self.reports, self.reviews = tuple(reports), reviews
        self.hash = hashlib.sha256(dumps(_contents(self))).hexdigest()
        self.spots = dict(spots or {})
        self._words = tuple(_word(hint) for hint in self.hints)
        self._roots = frozenset[str]().union(*(rule.when.roots for rule in self.rules if rule.when))

    def decide(self, call: ToolCall, spec: ToolSpec, facts: Facts) -> Verdict:
        """May *call* run? *spec* is the tool of that name. Pure; never raises for what a condition does."""
        verdict = self._first(call, spec, facts)
        verdict = self._guarded(verdict, spec, facts)
        return _read_first(self._hinted(verdict, call, spec), call, spec)

    def inquiry(self, of: Audience, *, is_review: bool, climbs: bool = False) -> Ask:
        """How *of* are asked for an answer. Who accepts a draft is the policy's choice first, and no agent's (GN-12).

        One that *climbs* reaches the managers above, or whoever is on call, as the default's steps say (GN-11).
        Raises ValueError for nobody's name.
        """
        parse(of)
        kept = [rung for rung in self.default.ladder if rung.do in (Climb.REMIND, *ENDS) or (climbs and _is_up(rung))]
        reviews = self.reviews if is_review else None
        return Ask(
            rule="inquiry",
            why="the agent cannot go on without an answer",
            groups=(Need(of=reviews.of if reviews else of),),
            separate_duties=reviews is not None and reviews.separate_duties,
            ladder=tuple(rung if _is_up(rung) else replace(rung, to="here") for rung in kept),
            clock=self.default.clock,
        )

    def trace(self, call: ToolCall, spec: ToolSpec, facts: Facts) -> Iterator[Tried]:
        """Hold each rule against *call*, up to the one that decides."""
        for rule, is_held, told in self._walk(call, spec, facts):
            yield Tried(rule=rule.id, is_held=is_held, told=told())

    def _first(self, call: ToolCall, spec: ToolSpec, facts: Facts) -> Verdict:
        """The verdict of the first rule that holds."""
        for rule, is_held, told in self._walk(call, spec, facts):
            if is_held:
                return _stated(rule, told())
            if is_held is None:
                return self._ask(f"rule `{rule.id}` could not be judged: {told()}")
        return self._ask(f"no rule speaks of {call.tool}")

    def _walk(
        self, call: ToolCall, spec: ToolSpec, facts: Facts
    ) -> Iterator[tuple[Rule, bool | None, Callable[[], str]]]:
        """Each rule, whether it holds (None: its condition failed) and how to tell why; ends with what decides."""
        secrets = frozenset(spec.secrets)
        context: cel.Context | None = None
        for rule in self.rules:
            if rule.when is None or rule.is_always:
                yield rule, True, str
                return
            try:
                context = context or self._context(call, spec, facts)
                is_held = rule.when.holds(context)
            except FAILURES as error:
                yield rule, None, partial(why_failed, error)
                return
            yield rule, is_held, partial(rule.when.told, context, secrets)
            if is_held:
                return

    def _ask(self, why: str) -> Ask:
        return replace(self.default, why=why)

    def _guarded(self, verdict: Verdict, spec: ToolSpec, facts: Facts) -> Verdict:
        """No rule lets through what must always be asked, nor joins what has to be signed by itself."""
        if isinstance(verdict, Ask) and verdict.is_batch and spec.risk is Risk.IRREVERSIBLE:
            verdict = replace(verdict, is_batch=False)
        is_watched = self.oversight.get(facts.agent) is Oversight.ALWAYS
        if isinstance(verdict, Ask) and verdict.grant is not None and (is_watched or why_guarded(spec)):
            return replace(verdict, grant=None)  # asked before every call: before this one, too, whatever was allowed
        if not isinstance(verdict, Allow):
            return verdict
        if is_watched:
            return self._ask(f"{verdict.why}; but agent {facts.agent} asks before every call")
        if why := why_guarded(spec):
            return self._ask(f"{verdict.why}; but {spec.name} {why}")
        return verdict

    def _hinted(self, verdict: Verdict, call: ToolCall, spec: ToolSpec) -> Verdict:
        """A risky word in the tool's name or arguments makes the verdict stricter."""
        is_free = isinstance(verdict, Allow) and spec.risk is Risk.READ
        if isinstance(verdict, Deny | Escalate) or is_free or not self._words:
            return verdict
        text = folded(" ".join((call.tool, *_texts(call.values))))
        found = next((hint for hint, first, word in self._words if first in text and word.search(text)), None)
        if found is None:
            return verdict
        why = f"{verdict.why}; the call says `{found}`"
        asked = self._ask(why) if isinstance(verdict, Allow) else replace(verdict, why=why)
        return replace(asked, is_high=True, may_use_words=False)

    def _context(self, call: ToolCall, spec: ToolSpec, facts: Facts) -> cel.Context:
        """What conditions read. Only the variables that some rule names: history is dear."""
        values = {name: _variable(name, call, spec, facts) for name in self._roots}
        return cel.Context(variables=values, functions={"total": lambda *names: total(call, facts.history, *names)})


def _read_first(verdict: Verdict, call: ToolCall, spec: ToolSpec) -> Verdict:
    """What the card may not show is read in Details before anybody approves it (A2-01)."""
    if not isinstance(verdict, Ask) or not any(name in call.values for name in spec.private):
        return verdict
    return replace(verdict, is_high=True, may_use_words=False, why=f"{verdict.why}; some of it is private")


def _is_up(rung: Rung) -> bool:
    """Does this step turn to somebody above, or on call, so that what nobody takes reaches somebody else?"""
    return rung.do is Climb.DM and isinstance(parse(rung.to), ManagerOf | OnCall)


def why_guarded(spec: ToolSpec) -> str:
    """Why no rule may let this tool's calls through; empty when one may."""
    if spec.risk is Risk.IRREVERSIBLE:
        return "cannot be undone"
    if spec.risk is not Risk.READ and (touched := sorted(GUARDED & set(spec.touches))):
        return f"touches {' and '.join(touched)}"
    return ""


def total(call: ToolCall, history: Sequence[Past], field: str, *same: str) -> float | None:
    """The sum of argument *field* over *call* and the earlier calls of its tool that share the arguments *same*.

    Calls that had no effect do not count; those that may still have one do. A negative amount counts as 0:
    the sum never falls. None, which no condition can compare, when a field is missing or no number.
    """
    mine = call.values
    if any(name not in mine for name in same):
        return None
    others = [past.values for past in history if past.tool == call.tool and past.outcome not in NO_EFFECT]
    key = [canonical(mine[name]) for name in same]
    counted = [mine, *(args for args in others if [canonical(args.get(name)) for name in same] == key)]
    amounts = [args.get(field) for args in counted]
    if any(isinstance(amount, bool) or not isinstance(amount, int | float) for amount in amounts):
        return None
    return float(sum(max(Decimal(repr(amount)), Decimal(0)) for amount in amounts))


def folded(text: str) -> str:
    """*text* as a reader sees it: one case, one width, nothing invisible."""
    return text.lower() if text.isascii() else _INVISIBLE.sub("", unicodedata.normalize("NFKC", text).casefold())


def _word(hint: str) -> tuple[str, str, re.Pattern[str]]:
    """A hint, its first word (quick to look for) and its pattern: any gap, `_` or `-` between two words will do."""
    gap = r"[\s_-]+"
    words = re.split(gap, folded(hint.strip()))
    return hint, words[0], re.compile(gap.join(re.escape(word) for word in words))


def _texts(value: object) -> Iterator[str]:
    """Every key and text of JSON data; joined with spaces, a list of words reads as a sentence."""
    match value:
        case str():
            yield value
        case dict():
            for key, item in value.items():
                yield str(key)
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)


def _variable(name: str, call: ToolCall, spec: ToolSpec, facts: Facts) -> object:
    """One variable of a condition; `bot.domain.condition.KNOWN` lists them."""
    match name:
        case "tool":
            return {
                "name": spec.name,
                "version": spec.version,
                "risk": spec.risk.value,
                "touches": list(spec.touches),
                "category": spec.category,
            }
        case "args":
            return call.values
        case "requester":
            who = facts.requester
            return {"id": who.id, "name": who.name, "groups": sorted(who.groups), "manager": who.manager}
        case "place":
            where = facts.place
            return {"platform": where.platform, "channel": where.channel, "is_direct": where.is_direct}
        case "agent":
            return facts.agent
    return [_earlier(past) for past in facts.history]


def _earlier(past: Past) -> dict[str, Any]:
    return {"tool": past.tool, "args": past.values, "outcome": past.outcome.value if past.outcome else "open"}


def _stated(rule: Rule, told: str) -> Verdict:
    """The rule's verdict, with the values that led to it."""
    name = f"rule `{rule.id}`" + (f" ({rule.because})" if rule.because else "")
    values = told or "it always holds" if rule.is_always else told or "its condition holds"
    match rule.verdict:
        case Deny(why=reason):
            return Deny(rule=rule.id, why=f"{name}: {reason} ({values})")
        case Allow():
            return Allow(rule=rule.id, why=f"{name}: {values}")
        case Ask() | Escalate() as people:
            return replace(people, why=f"{name}: {values}")
        case other:
            assert_never(other)


def _contents(policy: Policy) -> dict[str, Any]:
    """All that changes what the policy says."""
    rules = [
        {"id": r.id, "when": r.when.text if r.when else None, "verdict": r.verdict, "because": r.because}
        for r in policy.rules
    ]
    return {
        "rules": rules,
        "default": policy.default,
        "hints": policy.hints,
        "oversight": dict(sorted(policy.oversight.items())),
        **({"reviews": policy.reviews} if policy.reviews else {}),
    }
