"""policy.yml -> Policy. Every mistake at once, as `policy.yml:LINE:COLUMN: sentence`.

    {defaults: {ask: {...}, ladder: [...], exec_window: 15m}, hints: [...], oversight: {agent: always},
     reports: [managers], reviews: {of: approvers, separate_duties: true}, rules: [...]}
    or a bare list of rules

    rule    id · when · because · allow: true | deny: reason | ask: {...} | escalate: {to: managers, suggestion: …}
            and where it asks: ladder · exec_window · place · clock
    ask     groups: [approvers, {of: finance, need: 2}] · separate_duties · reason · words · high
            veto: [legal, "@bo"] · type: table · break_glass: {of: oncall, review: managers, within: 24h}
            grant: {most: 10, within: 24h, same: [order_id]} · batch: true
    ladder  [{after: 10m, remind: here}, {after: 20m, also: "@bo"}, {after: 25m, also: "#ops"},
             {after: 30m, dm: manager(approver)}, {after: 4h, expire: true}],
            or as its last step {after: 7d, review: here}: asked again, for ever
    clock   {hours: "Mon-Fri 09:00-17:00", zone: Europe/Berlin}: the ladder's time goes by in these hours alone
            clock: always, where a rule wants none though the defaults have one

Reads the file alone: what stands under `ask` with `policyask`, a clock with `policyclock`. Whether its tools and people
exist is `bot/policycheck.py`; what it means, `domain/policy.py`.
"""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from pathlib import Path

import yaml
from yaml.nodes import Node, ScalarNode

from bot.domain.condition import BadCondition, Condition, compile_condition
from bot.domain.errors import BadPolicy
from bot.domain.people import Group, One, parse
from bot.domain.policy import RISKY_WORDS, WHY_ALLOW, WHY_ASK, Oversight, Policy, Reviews, Rule
from bot.domain.verdict import ENDS, HERE, Allow, Ask, Audience, Climb, Deny, Escalate, Need, Rung, Verdict
from bot.domain.wire import replace
from bot.policyask import AskReader
from bot.policyclock import must_end, read_clock
from bot.yamlfile import Fields, Reader, open_yaml

FILE_KEYS = ("defaults", "hints", "oversight", "reports", "reviews", "rules")
DEFAULT_KEYS = ("ask", "ladder", "exec_window", "clock")
RULE_KEYS = ("id", "when", "allow", "deny", "ask", "escalate", "because", "ladder", "exec_window", "place", "clock")
REVIEW_KEYS = ("of", "separate_duties")
RUNG_KEYS = ("after", *Climb)
ESCALATE_KEYS = ("to", "suggestion")
VERDICTS = ("allow", "deny", "ask", "escalate")
CHANNEL = r"(?:(?:slack|playground)/)?#[^\s#|]{1,80}|teams/#[^\s#|](?:[^\t-\r#|]{0,78}[^\s#|])?"  # Teams has blanks
CHANNELS_TOLD = '"#channel", or "slack/#channel", "teams/#Channel", "playground/#channel" on another platform'
ID = r"[a-z0-9][a-z0-9_-]{0,63}"
LONGEST_SUGGESTION = 2_000  # characters: as long as an agent's own may be
LAST_RESORT = Ask(  # for a file that sets no defaults: somebody else, within a day
    rule="default",
    why="",
    groups=(Need(of="anyone"),),
    separate_duties=True,
    ladder=(Rung(after=timedelta(hours=24), do=Climb.EXPIRE),),
)


def read_policy(path: Path) -> Policy:
    """Read a policy file. Raises BadPolicy with every problem."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadPolicy([f"{path.name}:1:1: cannot be read: {error.strerror}; correct COUNTERSIGN_POLICY"]) from error
    return parse_policy(data, name=path.name)


def parse_policy(data: bytes, *, name: str = "policy.yml") -> Policy:
    """Read the text of a policy file. Raises BadPolicy with every problem."""
    root, reader = open_yaml(data, name)
    policy = _PolicyReader(reader).policy(root)
    reader.done()
    return policy


class _PolicyReader:
    """Reads the whole file, wrong parts left out: `reader` remembers them."""

    def __init__(self, reader: Reader) -> None:
        self.reader, self.asks, self.default = reader, AskReader(reader), LAST_RESORT

    def policy(self, root: Node) -> Policy:
        if isinstance(root, yaml.SequenceNode):
            return Policy(self._rules(root), default=self.default)
        fields = self.reader.fields(root, "the policy", FILE_KEYS) or {}
        if "defaults" in fields:
            self.default = self._defaults(fields["defaults"][1])
        if fields and "rules" not in fields:
            self.reader.note(root, "the policy has no rules")
        return Policy(
            self._rules(fields["rules"][1]) if "rules" in fields else [],
            default=self.default,
            hints=self._hints(fields["hints"][1]) if "hints" in fields else RISKY_WORDS,
            oversight=self._oversight(fields["oversight"][1]) if "oversight" in fields else {},
            reports=self._reports(fields["reports"][1]) if "reports" in fields else (),
            reviews=self._reviews(fields["reviews"][1]) if "reviews" in fields else None,
            spots={key: self.reader.spot(name) for key, (name, _) in fields.items()},
        )

    def _defaults(self, node: Node) -> Ask:
        fields = self.reader.fields(node, "defaults", DEFAULT_KEYS) or {}
        timed = self._timed(self.default, fields)
        ask = self.asks.ask(fields["ask"][1], timed) if "ask" in fields else timed
        if ask.grant:
            told = "defaults cannot say grant: a call that no rule speaks of is always asked about"
            self.reader.note(fields["ask"][1], told)
            ask = replace(ask, grant=None)
        if ask.is_batch:
            self.reader.note(fields["ask"][1], "defaults cannot say batch: calls are equal under a rule of their own")
            ask = replace(ask, is_batch=False)
        if ask.typed:
            self.reader.note(fields["ask"][1], "defaults cannot say type: it names an argument, so a rule has to")
        return ask

    def _hints(self, node: Node) -> list[str]:
        found = [self.reader.text(item, "a hint") for item in self.reader.items(node, "hints") or []]
        if any(hint is not None and not hint.strip() for hint in found):
            self.reader.note(node, "a hint must have letters: an empty one is in every call")
        return [hint for hint in found if hint]

    def _oversight(self, node: Node) -> dict[str, Oversight]:
        found: dict[str, Oversight] = {}
        for agent, (_, value) in (self.reader.fields(node, "oversight") or {}).items():
            if mode := self.reader.choice(value, f"oversight of {agent}", tuple(Oversight)):
                found[agent] = Oversight(mode)
        return found

    def _reports(self, node: Node) -> list[Audience]:
        """Groups and persons. Nobody asks when a report is read, so it cannot be for somebody's manager."""
        found = [(item, self.asks.audience(item)) for item in self.reader.items(node, "reports") or []]
        for item, audience in found:
            if audience and not isinstance(parse(audience), One | Group):
                self.reader.note(item, f"reports are for a group or a person: {audience} depends on who asks")
        return [audience for _, audience in found if audience]

    def _reviews(self, node: Node) -> Reviews | None:
        fields = self.reader.fields(node, "reviews", REVIEW_KEYS) or {}
        read = {key: value for key, (_, value) in fields.items()}
        if "of" not in read:
            self.reader.note(node, "reviews must say who accepts a draft: of: approvers")
            return None
        of = self.asks.anybody(read["of"], "of reviews")
        separate = "separate_duties" in read and bool(self.reader.flag(read["separate_duties"], "separate_duties"))
        if of == "requester" and separate:
            self.reader.note(read["of"], "nobody could accept a draft: whoever gives the task is the only one asked")
        return Reviews(of=of, separate_duties=separate) if of else None

    # ------------------------------------------------------------- rules

    def _rules(self, node: Node) -> list[Rule]:
        found: dict[str, Rule] = {}
        for item in self.reader.items(node, "rules") or []:
            rule = self._rule(item)
            if rule is None:
                continue
            if rule.id in found:
                self.reader.note(item, f"rule {rule.id!r} is there twice; the first is at {found[rule.id].spot('id')}")
            found.setdefault(rule.id, rule)
        return list(found.values())

    def _rule(self, node: Node) -> Rule | None:
        fields = self.reader.fields(node, "a rule", RULE_KEYS)
        if fields is None:
            return None
        name = self._id(node, fields)
        when = self._when(fields["when"][1], name) if "when" in fields else None
        verdict = self._verdict(node, name, fields)
        because = self._because(fields, verdict)
        if verdict is None:
            return None
        spots = {key: self.reader.spot(value) for key, (_, value) in fields.items()} | {"id": self.reader.spot(node)}
        return Rule(id=name, when=when, verdict=verdict, because=because, spots=spots)

    def _id(self, node: Node, fields: Fields) -> str:
        if "id" not in fields:
            self.reader.note(node, "a rule needs an id")
            return f"on line {node.start_mark.line + 1}"
        name = self.reader.text(fields["id"][1], "id") or ""
        if name and (not re.fullmatch(ID, name) or name == "default"):
            self.reader.note(fields["id"][1], f"id {name!r} must be small letters, digits, - and _, and not 'default'")
        return name

    def _when(self, node: Node, rule: str) -> Condition | None:
        """The condition; `when: true` holds always, like no condition at all."""
        is_true = isinstance(node, ScalarNode) and node.value == "true" and not node.style
        text = "true" if is_true else self.reader.text(node, "when")
        if text is None:
            return None
        try:
            condition = compile_condition(text)
        except BadCondition as error:
            self._note_inside(node, rule, error.at, error.why)
            return None
        for problem in condition.problems:
            self._note_inside(node, rule, problem.at, problem.name)
        return condition

    def _note_inside(self, node: Node, rule: str, at: int, sentence: str) -> None:
        """Point into a condition of one line; for a longer one, at its start, and say where in it."""
        text = str(node.value)
        if node.start_mark.line == node.end_mark.line and "\n" not in text:
            quotes = 1 if isinstance(node, ScalarNode) and node.style in ('"', "'") else 0
            self.reader.note(node, f"when of rule `{rule}`: {sentence}", column=at + quotes)
        else:
            line, column = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
            self.reader.note(node, f"when of rule `{rule}` (its line {line}, column {column}): {sentence}")

    def _because(self, fields: Fields, verdict: Verdict | None) -> str:
        if "because" not in fields:
            return ""
        node = fields["because"][1]
        word = self.reader.choice(node, "because", (*WHY_ASK, *WHY_ALLOW)) or ""
        if isinstance(verdict, Allow) and word in WHY_ASK:
            self.reader.note(node, f"{word} is a reason to ask, not to allow; to allow, say {', '.join(WHY_ALLOW)}")
        if isinstance(verdict, Ask | Escalate) and word in WHY_ALLOW:
            self.reader.note(node, f"{word} is a reason to allow, not to ask; to ask, say {', '.join(WHY_ASK)}")
        return word

    def _verdict(self, node: Node, id: str, fields: Fields) -> Verdict | None:
        given = [key for key in VERDICTS if key in fields]
        if len(given) != 1:
            says = f"says {' and '.join(given)}" if given else "says nothing"
            self.reader.note(node, f"rule {id!r} {says}; it needs exactly one of {', '.join(VERDICTS)}")
            return None
        if given != ["ask"]:
            for key in ("ladder", "exec_window", "place", "clock"):
                if key in fields:
                    self.reader.note(fields[key][0], f"only a rule that asks has {key!r}")
        key, value = given[0], fields[given[0]][1]
        match key:
            case "allow":
                if self.reader.flag(value, "allow") is False:
                    self.reader.note(value, "allow can only be true; to forbid, write deny: the reason")
                return Allow(rule=id, why="")
            case "deny":
                return Deny(rule=id, why=self.reader.text(value, "deny (the reason people read)") or "")
            case "escalate":
                return self._escalate(value, id)
        start = replace(self._timed(self.default, fields), rule=id, why="")
        return self.asks.ask(value, self._placed(start, fields))

    def _escalate(self, node: Node, id: str) -> Escalate | None:
        told = "to whom, and what they might do"
        fields = self.reader.whole(node, "escalate", ESCALATE_KEYS, ESCALATE_KEYS, told)
        if fields is None:
            return None
        to = self.asks.anybody(fields["to"][1], "to of escalate")
        suggestion = (self.reader.text(fields["suggestion"][1], "suggestion") or "").strip()
        if not suggestion or len(suggestion) > LONGEST_SUGGESTION:
            told = f"suggestion must say in at most {LONGEST_SUGGESTION:,} characters what they might do"
            self.reader.note(fields["suggestion"][1], told)
            return None
        return Escalate(rule=id, why="", to=to, suggestion=suggestion) if to else None

    # -------------------------------------------------------------- time

    def _timed(self, start: Ask, fields: Fields) -> Ask:
        """*start* with the ladder, its clock and the execution window that *fields* give."""
        if "exec_window" in fields:
            window = self.reader.span(fields["exec_window"][1], "exec_window")
            start = replace(start, exec_window=window or start.exec_window)
        if "ladder" in fields:
            start = replace(start, ladder=self._ladder(fields["ladder"][1], start))
        if "clock" in fields:
            start = replace(start, clock=read_clock(fields["clock"][1], self.reader))
        if key := next((key for key in ("clock", "ladder") if key in fields), None):
            must_end(start, fields[key][1], self.reader)
        return start

    def _placed(self, start: Ask, fields: Fields) -> Ask:
        if "place" not in fields:
            return start
        place = self.reader.text(fields["place"][1], "place") or "thread"
        if place != "thread" and not re.fullmatch(CHANNEL, place):
            self.reader.note(fields["place"][1], f"place {place!r} must be thread, {CHANNELS_TOLD}")
        return replace(start, place=place)

    def _ladder(self, node: Node, start: Ask) -> tuple[Rung, ...]:
        """The rungs in order; the default's end closes a ladder that has none: no request waits unnoticed for ever."""
        read = [(item, self._rung(item)) for item in self.reader.items(node, "ladder") or []]
        rungs = [(item, rung) for item, rung in read if rung is not None]
        for (_, before), (item, rung) in itertools.pairwise(rungs):
            if before.do in ENDS:
                why = "it is the end" if before.do is Climb.EXPIRE else "it comes again for ever"
                self.reader.note(item, f"nothing comes after {before.do}: {why}")
            elif rung.after <= before.after:
                self.reader.note(item, "each step must come later than the one before")
        ladder = tuple(rung for _, rung in rungs)
        if not ladder or ladder[-1].do not in ENDS:
            end = start.ladder[-1]
            if ladder and ladder[-1].after >= end.after:
                self.reader.note(node, "say when it expires: its last step comes after the default end")
            ladder = (*ladder, end)
        return ladder

    def _rung(self, node: Node) -> Rung | None:
        fields = self.reader.fields(node, "a step of the ladder", RUNG_KEYS)
        if fields is None:
            return None
        does = [climb for climb in Climb if climb in fields]
        if "after" not in fields or len(does) != 1:
            self.reader.note(node, f"a step of the ladder needs after and exactly one of {', '.join(Climb)}")
            return None
        after, to = self.reader.span(fields["after"][1], "after"), fields[does[0]][1]
        if does[0] is Climb.EXPIRE:
            if self.reader.flag(to, "expire") is False:
                self.reader.note(to, "expire can only be true; leave the step out instead")
            return Rung(after=after, do=Climb.EXPIRE) if after else None
        is_here = does[0] in (Climb.REMIND, Climb.REVIEW) and isinstance(to, ScalarNode) and to.value == HERE
        is_channel = does[0] is Climb.ALSO and isinstance(to, ScalarNode) and bool(re.fullmatch(CHANNEL, to.value))
        if does[0] is Climb.ALSO and isinstance(to, ScalarNode) and "#" in to.value and not is_channel:
            self.reader.note(to, f"also {to.value!r} is no channel: write {CHANNELS_TOLD}")
            return None
        audience = HERE if is_here else to.value if is_channel else self.asks.audience(to)
        return Rung(after=after, do=does[0], to=audience) if after and audience else None
