"""`policy check`: does the policy fit this world?

    check(policy, specs, directory) -> problems, each with its place in the file

The file itself has been read (policyfile); here are the tools, the people and the agents beside it. Not what the policy
says about one call (policyexplain).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.domain.calls import Risk, ToolSpec
from bot.domain.chat import PersonId
from bot.domain.errors import Unsatisfiable
from bot.domain.grant import why_never
from bot.domain.people import ANYONE, Group, ManagerOf, OnCall, One, is_unlisted, parse, resolve
from bot.domain.policy import Oversight, Policy, Rule, why_guarded
from bot.domain.ports import Directory
from bot.domain.request import can_fill
from bot.domain.verdict import Allow, Ask, Audience, Climb, Escalate, Glass
from bot.domain.wire import loads, replace
from bot.toolhints import no_tool

MOST_NAMED = 10  # people in one sentence


async def check(
    policy: Policy,
    specs: Sequence[ToolSpec],
    directory: Directory,
    *,
    agents: Mapping[str, Sequence[str]] | None = None,
    outside: frozenset[Audience] = frozenset(),
) -> list[str]:
    """Everything about *policy* that cannot work with these tools and people, in the order of the file.

    *agents* maps an agent's name to its tools. *outside* are audiences whose people *directory* does not all know:
    groups with a source, say. Nobody counts them here, so nothing is said against them.
    Raises Unavailable when the directory cannot be read.
    """
    known = {spec.name: spec for spec in specs}
    world = _World(specs=known, directory=directory, outside=outside)
    problems = list(_shadows(policy.rules))
    for rule in policy.rules:
        problems += [*_tool_problems(rule, known), *_typed_problems(rule, known), *_allow_problems(rule, known)]
        problems += [*_grant_problems(rule, known), *_batch_problems(rule, known)]
        if isinstance(rule.verdict, Ask):
            found = [(key, told) async for key, told in world.problems(rule.verdict)]
            own = [(key, told) for key, told in found if key != "ladder" or key in rule.spots]  # else it is defaults'
            problems += [f"{rule.spot(key)}: rule `{rule.id}`: {told}" for key, told in own]
        if isinstance(rule.verdict, Escalate) and (told := await world.nobody(rule.verdict.to)):
            problems.append(f"{rule.spot('escalate')}: rule `{rule.id}`: {told}")
    place = policy.spots.get("defaults", "defaults")
    problems += [f"{place}: defaults: {told}" async for _, told in world.problems(policy.default)]
    place = policy.spots.get("reports", "reports")
    problems += [f"{place}: reports: {told}" for audience in policy.reports if (told := await world.nobody(audience))]
    if policy.reviews and (told := await world.nobody(policy.reviews.of)):
        problems.append(f"{policy.spots.get('reviews', 'reviews')}: reviews: {told}")
    problems += _oversight_problems(policy, known, agents or {})
    return sorted(problems, key=_place)


def check_text(policy: Policy, problems: Sequence[str]) -> str:
    """What `policy check` says."""
    rules = f"{len(policy.rules)} rules, policy {policy.hash[:12]}"
    if not problems:
        return f"{rules}: no problems"
    return "\n".join([*problems, f"{rules}: {len(problems)} problem{'s' if len(problems) > 1 else ''}"])


# ------------------------------------------------------------------- rules


def _shadows(rules: Sequence[Rule]) -> Iterator[str]:
    """Rules that can never decide: an earlier one always does."""
    always: Rule | None = None
    texts: dict[str, Rule] = {}
    for rule in rules:
        if always is not None:
            yield f"{rule.spot('id')}: rule `{rule.id}` is never reached: `{always.id}` before it always holds"
        elif rule.is_always:
            always = rule
        elif rule.when is not None:
            text = " ".join(rule.when.text.split())
            if text in texts:
                first = texts[text].id
                yield f"{rule.spot('when')}: rule `{rule.id}` is never reached: `{first}` has the same condition"
            texts.setdefault(text, rule)


def _tool_problems(rule: Rule, known: Mapping[str, ToolSpec]) -> Iterator[str]:
    """Tools that do not exist, and arguments that the tools a rule is limited to do not have."""
    if rule.when is None:
        return
    place, name = rule.spot("when"), f"rule `{rule.id}`"
    for tool in dict.fromkeys(mention.name for mention in rule.when.tools):
        if tool not in known:
            yield f"{place}: {name}: {no_tool(tool, known)}"
    tools = [known[tool] for tool in sorted(rule.when.only_for) if tool in known]
    possible = [_arguments(spec) for spec in tools]
    if not possible or None in possible:
        return
    read = [path.parts[1] for path in rule.when.paths if path.parts[0] == "args" and len(path.parts) > 1]
    for argument in dict.fromkeys([*read, *(mention.name for mention in rule.when.totals)]):
        if not any(argument in arguments for arguments in possible if arguments is not None):
            told = f"{' and '.join(spec.name for spec in tools)} has no argument {argument!r}"
            yield f"{place}: {name}: {told}; there are {_listed(possible)}"


def _typed_problems(rule: Rule, known: Mapping[str, ToolSpec]) -> Iterator[str]:
    """An argument to be typed that a tool of this rule does not have, or that nobody may see."""
    if not isinstance(rule.verdict, Ask) or not rule.verdict.typed:
        return
    place, name, argument = rule.spot("ask"), f"rule `{rule.id}`", rule.verdict.typed
    for tool in sorted(rule.when.only_for if rule.when else ()):
        arguments = _arguments(known[tool]) if tool in known else None
        if arguments is not None and argument not in arguments:
            yield f"{place}: {name}: type: {tool} has no argument {argument!r}; there are {_listed([arguments])}"
        elif tool in known and argument in known[tool].secrets:
            yield f"{place}: {name}: type: argument {argument!r} of {tool} is secret, so nobody could type it"


def _batch_problems(rule: Rule, known: Mapping[str, ToolSpec]) -> Iterator[str]:
    """What cannot be undone is looked at one by one."""
    if not isinstance(rule.verdict, Ask) or not rule.verdict.is_batch:
        return
    place, name = rule.spot("ask"), f"rule `{rule.id}`"
    if rule.when is None or not rule.when.only_for:
        yield f'{place}: {name}: batch: name the tools it is for, such as tool.name == "write_file"'
    for tool in sorted(rule.when.only_for if rule.when else ()):
        if tool in known and known[tool].risk is Risk.IRREVERSIBLE:
            yield f"{place}: {name}: batch: {tool} cannot be undone, so each call is signed by itself"


def _grant_problems(rule: Rule, known: Mapping[str, ToolSpec]) -> Iterator[str]:
    """A rule that would let people allow ahead of time what each time needs a look of its own."""
    if not isinstance(rule.verdict, Ask) or (bounds := rule.verdict.grant) is None:
        return
    start = f"{rule.spot('ask')}: rule `{rule.id}`: grant:"
    if why := why_never(rule.verdict):
        yield f"{start} nobody could ever give one: {why}"
    named = rule.when.only_for if rule.when else frozenset[str]()
    tools = [known[tool] for tool in sorted(named or known) if tool in known]
    for spec in tools:
        if why := why_guarded(spec):
            remedy = "" if named else "; name the tools it is for"
            yield f"{start} it may be asked about {spec.name}, which {why}{remedy}"
    for spec in tools if named else ():
        arguments = _arguments(spec)
        missing = [name for name in bounds.same if arguments is not None and name not in arguments]
        yield from (
            f"{start} {spec.name} has no argument {name!r}; there are {_listed([arguments])}" for name in missing
        )


def _listed(each: Sequence[frozenset[str] | None]) -> str:
    """The arguments of several tools, once each."""
    return ", ".join(sorted({name for names in each for name in names or ()})) or "none"


def _arguments(spec: ToolSpec) -> frozenset[str] | None:
    """The arguments a tool may be given; None when its schema leaves that open."""
    schema = loads(spec.schema)
    is_open = not isinstance(schema, dict) or schema.get("additionalProperties") not in (None, False)
    return None if is_open else frozenset(schema.get("properties", {}))


def _allow_problems(rule: Rule, known: Mapping[str, ToolSpec]) -> Iterator[str]:
    """A rule that lets through everything, or what no rule may let through."""
    if not isinstance(rule.verdict, Allow):
        return
    place, name = rule.spot("when"), f"rule `{rule.id}`"
    if rule.is_always:
        yield f'{rule.spot("id")}: {name} allows everything; give it a condition, such as tool.risk == "read"'
        return
    for tool in sorted(rule.when.only_for if rule.when else ()):
        if tool in known and (why := why_guarded(known[tool])):
            yield f"{place}: {name} allows {tool}, which {why}: people are asked all the same"
    if rule.when and 'tool.risk == "irreversible"' in rule.when.text:
        yield f"{place}: {name} allows what cannot be undone: people are asked all the same"


def _oversight_problems(
    policy: Policy, known: Mapping[str, ToolSpec], agents: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """An agent that is never to be interrupted may hold harmless tools only."""
    place = policy.spots.get("oversight", "oversight")
    for agent, mode in policy.oversight.items():
        if agents and agent not in agents:
            yield f"{place}: oversight: there is no agent {agent!r}; there are {', '.join(sorted(agents))}"
        if mode is Oversight.NEVER:
            risks = {tool: known[tool].risk for tool in agents.get(agent, ()) if tool in known}
            for tool in (tool for tool, risk in risks.items() if risk is not Risk.READ):
                yield f"{place}: oversight: agent {agent} is never asked about, but has {tool}: {risks[tool]}"


def _place(problem: str) -> tuple[int, int]:
    """Where in the file: problems without a place come last."""
    parts = problem.split(":", 3)
    return (
        (int(parts[1]), int(parts[2])) if len(parts) > 3 and parts[1].isdigit() and parts[2].isdigit() else (1 << 30, 0)
    )


# ------------------------------------------------------------------ people


def _is_above(audience: Audience) -> bool:
    """Does it name managers of those who are asked, so that these must be known first?"""
    term = parse(audience)
    return isinstance(term, ManagerOf) and term.of == "approver"


def _some(people: Sequence[PersonId]) -> str:
    """The first of them by name: a workspace has thousands."""
    rest = len(people) - MOST_NAMED
    return ", ".join(people[:MOST_NAMED]) + (f" and {rest:,} others" if rest > 0 else "")


@dataclass(kw_only=True, slots=True)
class _World:
    """The people, looked up once each."""

    specs: Mapping[str, ToolSpec]
    directory: Directory
    outside: frozenset[Audience]
    _found: dict[tuple[str, str, frozenset[PersonId]], frozenset[PersonId]] = field(default_factory=dict)

    async def problems(self, ask: Ask) -> AsyncIterator[tuple[str, str]]:
        """Audiences that mean nobody, and people for whom the quorum cannot be met: (the rule's key, a sentence)."""
        is_known = True
        for need in ask.groups:
            if told := await self.nobody(need.of):
                is_known = False
                yield "ask", told
        for rung in ask.ladder:
            if rung.channel:
                if rung.to == ask.place:
                    yield "ladder", f"also {rung.to}: the card stands there from the beginning"
            elif rung.do is not Climb.EXPIRE and rung.to != "here" and (told := await self.nobody(rung.to)):
                yield "ladder", told
        if is_known and (told := await self._too_few(ask)):
            yield "ask", told
        for audience in ask.veto:
            if told := await self.nobody(audience):
                yield "ask", f"veto: {told}"
        if ask.break_glass and (told := await self._unreviewed(ask.break_glass)):
            yield "ask", f"break_glass: {told}"

    async def _unreviewed(self, glass: Glass) -> str:
        """Why the glass could not be broken, or nobody could review that; empty when all is well."""
        if told := await self.nobody(glass.of) or await self.nobody(glass.review):
            return told
        named = (parse(glass.of), parse(glass.review))
        if {glass.of, glass.review} & self.outside or any(isinstance(w, One) and is_unlisted(w.id) for w in named):
            return ""
        for requester in await self._requesters():
            reviewers = await self._resolve(glass.review, requester) - {requester}
            for breaker in sorted(await self._resolve(glass.of, requester) - {requester}):
                if not reviewers - {breaker}:
                    return f"nobody of {glass.review} could review it when {breaker} breaks it for {requester}"
        return ""

    async def nobody(self, audience: str) -> str:
        """Why this audience never means anybody; empty when it may."""
        if audience in self.outside:
            return ""
        match parse(audience):
            case Group(name=name):
                if name not in await self.directory.groups() and name != ANYONE:
                    return f"there is no group {name!r}; there are {', '.join(sorted(await self.directory.groups()))}"
                return (
                    "" if await self._resolve(audience, PersonId("")) else f"group {name!r} has nobody who may answer"
                )
            case OnCall(rotation=rotation):
                try:
                    await self.directory.on_call(rotation)
                except Unsatisfiable as error:
                    return error.why
            case One(id=who) if not is_unlisted(who):
                return "" if await self._resolve(audience, PersonId("")) else f"@{who} is nobody who may answer"
        return ""

    async def _too_few(self, ask: Ask) -> str:
        """For whom no distinct people could ever fill the groups; empty when for nobody."""
        requesters = await self._requesters()
        counted = self._counted(ask)
        stuck = [who for who in requesters if not await self._can_fill(counted, who)]
        if not stuck:
            return ""
        needs = " and ".join(f"{need.need} of {need.of}" for need in ask.groups)
        apart = ", the requester not counted" if ask.separate_duties else ""
        whom = "anybody's calls" if len(stuck) == len(requesters) else f"calls of {_some(stuck)}"
        return f"nobody could sign {whom}: it needs {needs}{apart}"

    def _counted(self, ask: Ask) -> Ask:
        """*ask* with those needs alone whose people are all known here."""

        def is_known(audience: Audience) -> bool:
            match parse(audience):
                case One(id=who) if is_unlisted(who):
                    return False
                case OnCall():  # somebody else tomorrow
                    return False
                case ManagerOf(of=of):
                    return f"manager({of})" not in self.outside
            return audience not in self.outside

        is_closed = all(is_known(need.of) for need in ask.groups)  # or the approver's manager may be anybody, too
        known = (need for need in ask.groups if is_known(need.of) and (is_closed or not _is_above(need.of)))
        return replace(ask, groups=tuple(known))

    async def _requesters(self) -> list[PersonId]:
        return sorted(await self.directory.active(await self.directory.members(ANYONE)))

    async def _can_fill(self, ask: Ask, requester: PersonId) -> bool:
        asked = frozenset[PersonId]()
        for need in ask.groups:
            if not _is_above(need.of):
                asked |= await self._resolve(need.of, requester)
        barred = frozenset({requester}) if ask.separate_duties else frozenset[PersonId]()
        eligible = [await self._resolve(need.of, requester, asked) - barred for need in ask.groups]
        return can_fill([need.need for need in ask.groups], eligible)

    async def _resolve(
        self, audience: str, requester: PersonId, approvers: frozenset[PersonId] = frozenset()
    ) -> frozenset[PersonId]:
        key = (audience, requester, approvers)
        if key not in self._found:
            self._found[key] = await resolve(
                audience, directory=self.directory, requester=requester, approvers=approvers
            )
        return self._found[key]
