"""Whom a rule asks and how, as policy.yml writes it: `ask: {...}` -> Ask.

    ask     groups: [approvers, {of: finance, need: 2}] · separate_duties · reason · words · high
            veto: [legal, "@bo"] · type: table · break_glass: {of: oncall, review: managers, within: 24h}
            grant: {most: 10, within: 24h, same: [order_id]} · batch: true

What does not go together is noted here, too. Not when and where they are asked: the ladder, its clock and the place
stand beside `ask` in a rule (policyfile).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from yaml.nodes import Node, ScalarNode

from bot.domain.people import ManagerOf, parse
from bot.domain.verdict import Ask, Glass, Grantable, Need, ReasonRule
from bot.domain.wire import replace
from bot.yamlfile import Reader

ASK_KEYS = ("groups", "separate_duties", "reason", "words", "high", "veto", "type", "break_glass", "grant", "batch")
GLASS_KEYS = ("of", "review", "within")
GRANT_KEYS = ("most", "within", "same")
MOST_USES = 1_000  # calls of one grant
LONGEST_GRANT = timedelta(days=30)
MOST_NEEDED = 20  # persons of one group


class AskReader:
    """Reads the nodes of one file; wrong parts are left out, and *reader* remembers them."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def ask(self, node: Node, start: Ask) -> Ask:
        """*start* gives the ladder, the window and, where none are written, the groups. All else is off."""
        fields = self.reader.fields(node, "ask", ASK_KEYS) or {}
        read = {key: value for key, (_, value) in fields.items()}
        reason = self.reader.choice(read["reason"], "reason", tuple(ReasonRule)) if "reason" in read else None
        ask = replace(
            start,
            groups=self._groups(read["groups"]) if "groups" in read else start.groups,
            separate_duties=self._flag(
                read, "separate_duties", start.separate_duties if "groups" not in read else False
            ),
            reason=ReasonRule(reason) if reason else ReasonRule.NEVER,
            may_use_words=self._flag(read, "words", False),
            is_high=self._flag(read, "high", False),
            veto=self._veto(read["veto"]) if "veto" in read else (),
            is_batch=self._flag(read, "batch", False),
            typed=self._typed(read["type"]) if "type" in read else "",
            break_glass=self._glass(read["break_glass"]) if "break_glass" in read else None,
            grant=self._grant(read["grant"]) if "grant" in read else None,
        )
        if ask.is_high and ask.may_use_words:
            self.reader.note(read["words"], "words cannot sign what is high: it needs a button")
        if ask.is_batch and (ask.is_high or ask.typed):
            self.reader.note(read["batch"], "what is high, or has to be typed, is approved one by one: not in a batch")
        if ask.typed and ask.may_use_words:
            self.reader.note(read["words"], "words cannot sign what has to be typed: it needs a form")
        return ask

    def _groups(self, node: Node) -> tuple[Need, ...]:
        items = self.reader.items(node, "groups")
        if items == []:
            self.reader.note(node, "groups is empty: nobody would be asked")
        return tuple(need for item in items or [] if (need := self._need(item)))

    def _need(self, node: Node) -> Need | None:
        if isinstance(node, ScalarNode):
            of = self.audience(node)
            return Need(of=of) if of else None
        fields = self.reader.fields(node, "a group", ("of", "need"))
        if fields is None:
            return None
        if "of" not in fields:
            self.reader.note(node, "a group must say whom: of: approvers")
            return None
        of = self.audience(fields["of"][1])
        count = self.reader.count(fields["need"][1], "need", least=1, most=MOST_NEEDED) if "need" in fields else 1
        return Need(of=of, need=count) if of and count else None

    def _veto(self, node: Node) -> tuple[str, ...]:
        items = self.reader.items(node, "veto")
        if items == []:
            self.reader.note(node, "veto is empty: leave it out, or say who may reject")
        return tuple(of for item in items or [] if (of := self.anybody(item, "veto")))

    def anybody(self, node: Node, what: str) -> str | None:
        """An audience that stands beside those who were asked, and so cannot be named after them."""
        of = self.audience(node)
        term = parse(of) if of is not None else None
        if isinstance(term, ManagerOf) and term.of == "approver":
            self.reader.note(node, f"{what} cannot be {of}: name a group, @id or manager(requester)")
            return None
        return of

    def audience(self, node: Node) -> str | None:
        text = self.reader.text(node, "an audience")
        try:
            if text is not None:
                parse(text)
        except ValueError as error:
            self.reader.note(node, str(error))
            return None
        return text

    def _typed(self, node: Node) -> str:
        name = self.reader.text(node, "type (the argument whose value has to be typed)")
        if name is not None and not name.strip():
            self.reader.note(node, "type must name an argument of the call")
        return (name or "").strip()

    def _glass(self, node: Node) -> Glass | None:
        told = "who may, who reviews it, until when"
        fields = self.reader.whole(node, "break_glass", GLASS_KEYS, GLASS_KEYS, told)
        if fields is None:
            return None
        of, review = (self.anybody(fields[key][1], f"{key} of break_glass") for key in ("of", "review"))
        within = self.reader.span(fields["within"][1], "within")
        return Glass(of=of, review=review, within=within) if of and review and within else None

    def _grant(self, node: Node) -> Grantable | None:
        told = "how many calls at most, and for how long"
        fields = self.reader.whole(node, "grant", GRANT_KEYS, ("most", "within"), told)
        if fields is None:
            return None
        most = self.reader.count(fields["most"][1], "most", least=1, most=MOST_USES)
        within = self.reader.span(fields["within"][1], "within")
        if within and within > LONGEST_GRANT:
            self.reader.note(fields["within"][1], f"a grant ends within {LONGEST_GRANT.days}d")
        items = (self.reader.items(fields["same"][1], "same") or []) if "same" in fields else []
        same = [name for item in items if (name := self.reader.text(item, "an argument of same"))]
        return Grantable(most=most, within=within, same=tuple(sorted(set(same)))) if most and within else None

    def _flag(self, read: Mapping[str, Node], key: str, default: bool) -> bool:
        return bool(self.reader.flag(read[key], key)) if key in read else default
