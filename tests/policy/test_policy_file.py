"""A policy file is refused with every mistake at once, each with its line and column."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.calls import Risk
from bot.domain.errors import BadPolicy
from bot.domain.hours import Hours, read_spans
from bot.domain.policy import RISKY_WORDS
from bot.domain.verdict import ENDS, Ask, Climb, Escalate, Glass, Grantable, Need, ReasonRule, Rung
from bot.policyfile import parse_policy, read_policy
from tests.policy.world import ROOT, call, decide, facts, policy, spec


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(BadPolicy) as refused:
        parse_policy(text if isinstance(text, bytes) else text.encode())
    return refused.value.problems


def the_ask(text: str) -> Ask:
    verdict = policy(text).rules[0].verdict
    assert isinstance(verdict, Ask)
    return verdict


def test_the_example_of_the_design_reads_as_it_is_meant() -> None:
    """Every key of DESIGN section 6."""
    ask = the_ask("""
- id: big-refund
  when: tool.name == "refund" && args.amount > 500
  ask: {groups: [{of: manager(requester), need: 1}], separate_duties: true, reason: on_reject}
  ladder: [{after: 10m, remind: here}, {after: 30m, dm: manager(approver)}, {after: 4h, expire: true}]
""")

    assert ask.groups == (Need(of="manager(requester)", need=1),)
    assert (ask.separate_duties, ask.reason, ask.may_use_words, ask.is_high) == (
        True,
        ReasonRule.ON_REJECT,
        False,
        False,
    )
    assert ask.ladder == (
        Rung(after=timedelta(minutes=10), do=Climb.REMIND, to="here"),
        Rung(after=timedelta(minutes=30), do=Climb.DM, to="manager(approver)"),
        Rung(after=timedelta(hours=4), do=Climb.EXPIRE),
    )


def test_a_rule_may_hand_over_and_a_step_may_name_a_channel() -> None:
    """GN-10, CD-07: both belong to what the policy says."""
    read = policy("""
- {id: legal, when: 'args.n > 5', escalate: {to: managers, suggestion: ask a lawyer}, because: compliance}
- {id: a, ask: {groups: [bo]}, ladder: [{after: 5m, also: "#ops"}, {after: 1h, expire: true}]}
""")

    assert read.rules[0].verdict == Escalate(rule="legal", why="", to="managers", suggestion="ask a lawyer")
    verdict = read.decide(call("run", n=6), spec("run", Risk.IRREVERSIBLE, "n"), facts())
    assert isinstance(verdict, Escalate)
    assert (verdict.rule, verdict.why) == ("legal", "rule `legal` (compliance): args.n 6 > 5")
    asked = read.rules[1].verdict
    assert isinstance(asked, Ask)
    assert [step.channel for step in asked.ladder] == ["ops", ""]


def test_a_rule_may_name_a_channel_on_another_platform() -> None:
    """CD-01: as a place and as a step; names in Teams may have blanks and name their team."""
    read = policy("""
- {id: a, ask: {groups: [bo]}, place: slack/#ops,
   ladder: [{after: 5m, also: "teams/#Care/Wire transfers"}, {after: 1h, expire: true}]}
""")

    asked = read.rules[0].verdict
    assert isinstance(asked, Ask)
    assert asked.place == "slack/#ops"
    assert [step.channel for step in asked.ladder] == ["teams/#Care/Wire transfers", ""]


def test_vetoes_typing_and_glass_are_read_and_belong_to_what_the_policy_says() -> None:
    """A2-05, T30: they stand in the request's snapshot, and the policy's hash is another one with any of them."""
    plain = "- {id: a, ask: {groups: [bo]}}"
    more = {
        "veto": "- {id: a, ask: {groups: [bo], veto: [legal, '@bo']}}",
        "type": "- {id: a, ask: {groups: [bo], type: path}}",
        "glass": "- {id: a, ask: {groups: [bo], break_glass: {of: oncall, review: managers, within: 24h}}}",
    }

    assert the_ask(more["veto"]).veto == ("legal", "@bo")
    assert the_ask(more["type"]).typed == "path"
    assert the_ask(more["glass"]).break_glass == Glass(of="oncall", review="managers", within=timedelta(hours=24))
    assert len({policy(text).hash for text in (plain, *more.values())}) == 4


def test_a_rule_has_no_veto_and_no_glass_that_it_does_not_name() -> None:
    """What `defaults` say is for calls no rule speaks of; a rule says for itself whom it lets in."""
    text = """
defaults:
  ask: {groups: [bo], veto: [legal], break_glass: {of: oncall, review: managers, within: 24h}}
rules:
  - {id: a, ask: {}}
"""

    assert policy(text).default.veto == ("legal",)
    assert (the_ask(text).veto, the_ask(text).break_glass) == ((), None)


def test_every_mistake_of_a_file_is_told_at_once_and_in_its_order() -> None:
    """One look, one repair: five mistakes of different kinds, five places."""
    found = problems("""\
rules:
  - id: one
    when: args.amount >
    allow: true
  - id: two
    ask: {groups: [{of: manager(bo)}]}
    ladder: [{after: 10x, remind: here}]
    colour: red
  - id: one
    deny: closed
""")

    assert [problem.split(": ", 1)[0] for problem in found] == [
        "policy.yml:3:24",
        "policy.yml:6:25",
        "policy.yml:7:22",
        "policy.yml:8:5",
        "policy.yml:9:5",
    ]


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        ("approve_all: true\nrules: []", "1:1", "the policy has no key 'approve_all'; it may have defaults, hints"),
        ("- {id: a, deny: x, colour: red}", "1:20", "a rule has no key 'colour'; it may have id, when, allow"),
        ("- {id: a, id: b, deny: x}", "1:11", "key 'id' appears twice"),
        ("- {id: a, allow: true, ask: {}}", "1:3", "rule 'a' says allow and ask"),
        ("- {id: a, when: 'true'}", "1:3", "rule 'a' says nothing"),
        ("- {id: a, allow: false}", "1:18", "allow can only be true"),
        ("- {id: a, allow: 'yes'}", "1:18", "allow must be true or false"),
        ("- {id: a, deny: no}", "1:17", 'must be text: write "no", in quotes'),
        ("- {deny: x}", "1:3", "a rule needs an id"),
        ("- {id: default, deny: x}", "1:8", "id 'default' must be"),
        ("- {id: a, deny: x, place: here}", "1:20", "only a rule that asks has 'place'"),
        ("- {id: a, ask: {}, place: general}", "1:27", "place 'general' must be thread"),
        ("- {id: a, ask: {}, place: 'discord/#x'}", "1:27", 'must be thread, "#channel", or "slack/#channel"'),
        ("- {id: a, ask: {}, place: 'slack/#two words'}", "1:27", "must be thread"),
        ("- {id: a, ask: {}, ladder: [{after: 1h, also: 'teams#x'}]}", "1:47", "also 'teams#x' is no channel: write"),
        ("- {id: a, ask: {groups: []}}", "1:25", "groups is empty"),
        ("- {id: a, ask: {groups: [{of: bo, need: 0}]}}", "1:41", "need must be a whole number from 1"),
        ("- {id: a, ask: {groups: [{need: 1}]}}", "1:26", "a group must say whom"),
        ("- {id: a, ask: {groups: ['two words']}}", "1:26", "'two words' names nobody"),
        ("- {id: a, ask: {reason: maybe}}", "1:25", "reason must be one of never, on_reject, always"),
        ("- {id: a, ask: {high: true, words: true}}", "1:36", "words cannot sign what is high"),
        ("- {id: a, ask: {veto: []}}", "1:23", "veto is empty"),
        ("- {id: a, ask: {veto: legal}}", "1:23", "veto must be a list"),
        ("- {id: a, ask: {veto: ['two words']}}", "1:24", "'two words' names nobody"),
        ("- {id: a, ask: {veto: [manager(approver)]}}", "1:24", "veto cannot be manager(approver)"),
        ("- {id: a, ask: {type: ''}}", "1:23", "type must name an argument"),
        ("- {id: a, ask: {type: [x]}}", "1:23", "must be text"),
        ("- {id: a, ask: {type: path, words: true}}", "1:36", "words cannot sign what has to be typed"),
        ("{defaults: {ask: {type: path}}, rules: []}", "1:18", "defaults cannot say type"),
        ("- {id: a, ask: {high: true, batch: true}}", "1:36", "is approved one by one: not in a batch"),
        ("- {id: a, ask: {type: path, batch: true}}", "1:36", "is approved one by one: not in a batch"),
        ("- {id: a, ask: {batch: 1}}", "1:24", "batch must be true or false"),
        ("{defaults: {ask: {batch: true}}, rules: []}", "1:18", "defaults cannot say batch"),
        ("- {id: a, ask: {break_glass: bo}}", "1:30", "break_glass must be a mapping"),
        ("- {id: a, ask: {break_glass: {of: bo}}}", "1:30", "break_glass needs review and within"),
        ("- {id: a, ask: {break_glass: {of: bo, review: bo, within: 1h, by: bo}}}", "1:63", "has no key 'by'"),
        ("- {id: a, ask: {break_glass: {of: bo, review: bo, within: soon}}}", "1:59", "must be a time such as 30s"),
        (
            "- {id: a, ask: {break_glass: {of: bo, review: manager(approver), within: 1h}}}",
            "1:47",
            "review of break_glass cannot be manager(approver)",
        ),
        ("- {id: a, ask: {}, because: read_only}", "1:29", "read_only is a reason to allow"),
        ("- {id: a, allow: true, because: compliance}", "1:33", "compliance is a reason to ask"),
        ("- {id: a, when: nope > 1, deny: x}", "1:17", "'nope' is unknown; known are tool, args"),
        ("- {id: a, when: tool.nmae == 'x', deny: x}", "1:17", "tool has no 'nmae'"),
        ("- {id: a, when: 'lower(args.x) == \"y\"', deny: x}", "1:18", "function 'lower' is unknown"),
        ("- {id: a, when: total() > 1, deny: x}", "1:17", "total needs the name of an argument"),
        ("- {id: a, when: 5, deny: x}", "1:17", "when must be text"),
        ("- id: a\n  when: args.a > > 3\n  deny: x", "2:18", "extraneous input '>'"),
        (
            "- id: a\n  when: |\n    args.a >\n    > 3\n  deny: x",
            "2:9",
            "when of rule `a` (its line 2, column 1): Syntax error",
        ),
        ("- {id: a, ask: {}, ladder: [{after: 1h, remind: here}, {after: 10m, dm: bo}]}", "1:56", "later than the one"),
        ("- {id: a, ask: {}, ladder: [{after: 1h, expire: true}, {after: 2h, dm: bo}]}", "1:56", "nothing comes after"),
        (
            "- {id: a, ask: {}, ladder: [{after: 1h, review: here}, {after: 2h, expire: true}]}",
            "1:56",
            "nothing comes after review: it comes again for ever",
        ),
        ("- {id: a, ask: {}, ladder: [{after: 1h, review: ''}]}", "1:49", "'' names nobody"),
        ("- {id: a, ask: {groups: [oncall(on call)]}}", "1:26", "oncall(on call) names no rotation"),
        (
            f"- {{id: a, ask: {{groups: [{'manager(' * 6}requester{')' * 6}]}}}}",
            "1:26",
            "stands in itself more than 5 times",
        ),
        (
            "- {id: a, ask: {break_glass: {of: manager(manager(approver)), review: bo, within: 1h}}}",
            "1:35",
            "cannot be manager(manager(approver))",
        ),
        ("- {id: a, escalate: {to: bo}}", "1:21", "escalate needs suggestion: to whom, and what they might do"),
        ("- {id: a, escalate: {to: manager(approver), suggestion: x}}", "1:26", "to of escalate cannot be"),
        ("- {id: a, escalate: {to: bo, suggestion: ''}}", "1:42", "suggestion must say in at most 2,000 characters"),
        ("- {id: a, escalate: {to: bo, suggestion: x}, place: '#ops'}", "1:46", "only a rule that asks has 'place'"),
        ("- {id: a, escalate: {to: bo, suggestion: x}, because: read_only}", "1:55", "is a reason to allow"),
        ("- {id: a, ask: {}, ladder: [{after: 1h, dm: '#ops'}]}", "1:45", "#ops"),
        ("- {id: a, ask: {}, ladder: [{after: 1h, dm: bo, also: bo}]}", "1:29", "needs after and exactly one of"),
        ("- {id: a, ask: {}, ladder: [{after: 30, dm: bo}]}", "1:37", "must be a time such as 30s"),
        ("- {id: a, ask: {}, ladder: [{after: 0s, dm: bo}]}", "1:37", "must be a time such as 30s"),
        ("- {id: a, ask: {}, ladder: [{after: 99999999d, expire: true}]}", "1:37", "of at most 366d"),
        ("- {id: a, ask: {}, ladder: [{after: 2d, dm: bo}]}", "1:28", "say when it expires"),
        ("- {id: a, ask: {}, ladder: [{after: 2d, dm: here}]}", "1:45", "'here' names nobody"),
        ("{rules: [], hints: ['']}", "1:20", "a hint must have letters"),
        ("{rules: [], oversight: {react: sometimes}}", "1:32", "must be one of always, policy, never"),
        ("{rules: [], reports: managers}", "1:22", "must be a list"),
        ("{rules: [], reports: [manager(requester)]}", "1:23", "manager(requester) depends on who asks"),
        ("{rules: [], reports: [two words]}", "1:23", "names nobody"),
        ("{rules: [], reviews: {separate_duties: true}}", "1:22", "reviews must say who accepts a draft"),
        ("{rules: [], reviews: {of: manager(approver)}}", "1:27", "of reviews cannot be manager(approver)"),
        ("{rules: [], reviews: {of: requester, separate_duties: true}}", "1:27", "nobody could accept a draft"),
        ("{rules: [], reviews: {of: approvers, rounds: 2}}", "1:38", "rounds"),
        ("{hints: []}", "1:1", "the policy has no rules"),
        ("- {id: &a x, deny: *a}", "1:8", "anchors and aliases are not read"),
        ("[" * 30 + "]" * 30, "1:21", "nested deeper than 20"),
        ("rules: [", "1:9", "not valid YAML"),
        (
            "rules:\n  - {id: a, deny: x}\n- {id: b, deny: x}",
            "3:1",
            "not valid YAML: expected <block end>, but found '-'; this item stands 0 blanks in, and the list "
            "above it 2: indent it like the others",
        ),
        (
            "rules:\n  - id: a\n    deny: closed: for good",
            "3:17",
            "not valid YAML: mapping values are not allowed here; a text with a colon in it stands in quotes",
        ),
        (
            "rules:\n\t- {id: a, deny: x}",
            "2:1",
            "not valid YAML: found character '\\t' that cannot start any token; YAML takes no tabs: indent with blanks",
        ),
        ("[{id: a, when: 'args.n = 5', deny: x}]", "1:24", "when of rule `a`: = compares nothing; write =="),
        (
            "[{id: a, when: 'args.n > 5 and args.m > 1', deny: x}]",
            "1:28",
            "when of rule `a`: and is no operator; write &&",
        ),
        ("[{id: a, when: 'args.n >', deny: x}]", "1:25", "when of rule `a`: "),
        ("a: \0", "1:1", "not valid YAML"),
        ("!!python/object/apply:os.system [true]", "1:34", "a rule must be a mapping"),
        ("", "1:1", "the file is empty"),
        (b"rules:\n  - {id: \xff}", "2:10", "not valid UTF-8"),
        (b"#" * 300_000, "1:1", "the file has 300000 bytes"),
    ],
)
def test_each_mistake_is_told_with_its_line_and_column(text: str | bytes, place: str, sentence: str) -> None:
    """GN-21: there is no key that turns the gates off. D-02: no ladder without an end."""
    found = problems(text)

    assert any(f"policy.yml:{place}: " in problem and sentence in problem for problem in found), found


@pytest.mark.parametrize("after", ["30s", "300s", "5m", "366d"])
def test_short_and_long_times_are_both_accepted(after: str) -> None:
    """D-02: 30 and 300 seconds are valid."""
    ask = the_ask(f"- {{id: a, ask: {{}}, ladder: [{{after: {after}, expire: true}}]}}")
    assert ask.expires_after is not None


def test_no_request_waits_for_ever() -> None:
    """D-02, ST-41: a ladder without an end, an ask without a ladder, a file without defaults: all expire."""
    texts = (
        "- {id: a, ask: {}, ladder: [{after: 10m, remind: here}]}",
        "- {id: a, ask: {}, ladder: []}",
        "- {id: a, ask: {}}",
        "{defaults: {ladder: [{after: 2h, expire: true}]}, rules: [{id: a, ask: {}, ladder: [{after: 1h, dm: bo}]}]}",
    )

    assert [the_ask(text).expires_after for text in texts] == [timedelta(hours=h) for h in (24, 24, 24, 2)]
    assert [policy(text).default.expires_after for text in texts] == [timedelta(hours=h) for h in (24, 24, 24, 2)]


def test_what_a_rule_leaves_out_comes_from_the_defaults_or_is_off() -> None:
    """Groups and times are inherited; looser answering never is."""
    text = """
defaults: {ask: {groups: [bo], words: true, separate_duties: true}, exec_window: 5m}
rules:
  - {id: a, ask: {}}
  - {id: b, ask: {groups: [finance]}}
"""
    read = policy(text)
    a, b = (rule.verdict for rule in read.rules)

    assert isinstance(a, Ask)
    assert isinstance(b, Ask)
    assert (a.groups, a.separate_duties, a.may_use_words, a.exec_window) == (
        (Need(of="bo"),), True, False, timedelta(minutes=5),
    )  # fmt: skip
    assert (b.groups, b.separate_duties) == ((Need(of="finance"),), False)
    assert read.default.may_use_words


def test_a_file_that_names_no_hints_has_the_six_risky_words() -> None:
    """AU-22."""
    assert policy("[]").hints == RISKY_WORDS
    assert policy("{rules: [], hints: [wire]}").hints == ("wire",)


def test_whoever_may_read_reports_is_named_and_changes_no_verdict() -> None:
    """T19, T30: nobody unless the file says so; a request keeps its policy's hash when a reader is added."""
    quiet, read = policy("{rules: []}"), policy("{rules: [], reports: [managers, '@dana']}")

    assert quiet.reports == ()
    assert read.reports == ("managers", "@dana")
    assert quiet.hash == read.hash


def test_who_accepts_drafts_is_the_files_to_say_and_no_agents() -> None:
    """GN-12: the agent asks the requester, the file says approvers; a question is still asked of whom it names."""
    read = policy("{rules: [], reviews: {of: approvers, separate_duties: true}}")

    review, question = read.inquiry("requester", is_review=True), read.inquiry("requester", is_review=False)

    assert (review.groups, review.separate_duties) == ((Need(of="approvers"),), True)
    assert (question.groups, question.separate_duties) == ((Need(of="requester"),), False)
    assert read.hash != policy("{rules: []}").hash


@pytest.mark.parametrize("because", ["irreversible", "high_stakes", "costly_error", "compliance"])
def test_a_reason_to_ask_stands_in_the_verdict(because: str) -> None:
    """AU-27: each reason of the guides asks, and the card's `why` names it."""
    verdict = decide(f"[{{id: a, ask: {{}}, because: {because}}}]", call("x"))
    assert isinstance(verdict, Ask)
    assert verdict.why == f"rule `a` ({because}): it always holds"


@pytest.mark.parametrize("because", ["read_only", "sandboxed", "recoverable"])
def test_a_reason_to_run_alone_stands_in_the_verdict(because: str) -> None:
    """AU-27."""
    verdict = decide(f"[{{id: a, allow: true, because: {because}}}]", call("x"))
    assert verdict.why == f"rule `a` ({because}): it always holds"


def test_a_file_that_is_not_there_is_told_by_name() -> None:
    with pytest.raises(BadPolicy, match=r"^nope\.yml:1:1: cannot be read: No such file .*; correct COUNTERSIGN_POLICY"):
        read_policy(ROOT / "nope.yml")


def test_a_rule_says_within_what_bounds_more_may_be_allowed() -> None:
    """T07: so many, for so long, with the same values of these arguments; the order of names does not matter."""
    (rule,) = parse_policy(
        b"[{id: a, ask: {groups: [anyone], grant: {most: 10, within: 24h, same: [path, kind, path]}}}]"
    ).rules

    assert isinstance(rule.verdict, Ask)
    assert rule.verdict.grant == Grantable(most=10, within=timedelta(hours=24), same=("kind", "path"))


@pytest.mark.parametrize(
    ("grant", "told"),
    [
        ("{most: 10}", "grant needs within"),
        ("{}", "grant needs most and within"),
        ("{most: 0, within: 1h}", "most must be a whole number from 1 to 1000"),
        ("{most: 1001, within: 1h}", "most must be a whole number from 1 to 1000"),
        ("{most: 1, within: 31d}", "a grant ends within 30d"),
        ("{most: 1, within: 1h, same: path}", "same must be a list"),
        ("{most: 1, within: 1h, for: all}", "grant has no key 'for'"),
        ("true", "grant must be"),
    ],
)
def test_bounds_that_make_no_sense_are_told_with_their_place(grant: str, told: str) -> None:
    with pytest.raises(BadPolicy) as refused:
        parse_policy(f"[{{id: a, ask: {{groups: [anyone], grant: {grant}}}}}]".encode())

    assert any(told in problem and problem.startswith("policy.yml:1:") for problem in refused.value.problems)


def test_defaults_let_nobody_allow_more() -> None:
    """What no rule speaks of is always asked about."""
    with pytest.raises(BadPolicy, match="defaults cannot say grant"):
        parse_policy(b"{defaults: {ask: {groups: [anyone], grant: {most: 1, within: 1h}}}, rules: []}")


# ------------------------------------------------------------------------- ends

STEPS = st.fixed_dictionaries(
    {
        "after": st.integers(1, 60).map(lambda count: f"{count}{'smhd'[count % 4]}"),
        "do": st.sampled_from(["remind: here", "also: managers", "dm: '@bo'", "expire: true", "review: here"]),
    }
)
LADDERS = st.lists(STEPS, max_size=4).map(
    lambda steps: "[" + ", ".join(f"{{after: {one['after']}, {one['do']}}}" for one in steps) + "]"
)


@given(st.none() | LADDERS, st.none() | LADDERS)
def test_whatever_ladder_a_file_is_taken_with_has_one_end_and_it_is_the_last_step(
    default: str | None, own: str | None
) -> None:
    """ST-41, D-02: a deadline or a review, for the rule and for the default; or the file is refused."""
    defaults = f"defaults: {{ladder: {default}}}\n" if default is not None else ""
    ladder = f", ladder: {own}" if own is not None else ""
    try:
        read = parse_policy(f"{defaults}rules:\n  - {{id: a, ask: {{groups: [bo]}}{ladder}}}\n".encode())
    except BadPolicy:
        return
    for ask in (read.default, read.rules[0].verdict):
        assert isinstance(ask, Ask)
        assert [rung.do in ENDS for rung in ask.ladder] == [False] * (len(ask.ladder) - 1) + [True]
        assert (ask.expires_after is None) is not (ask.reviewed_every is None)


def test_a_ladder_that_ends_with_a_review_needs_no_other_end() -> None:
    """No expiry, but never unnoticed: the default's own end is not added."""
    ask = the_ask("- {id: a, ask: {}, ladder: [{after: 1h, remind: here}, {after: 7d, review: here}]}")

    assert ask.ladder[-1] == Rung(after=timedelta(days=7), do=Climb.REVIEW)
    assert (ask.expires_after, ask.reviewed_every) == (None, timedelta(days=7))


def test_a_default_review_closes_the_ladder_of_a_rule_that_has_no_end() -> None:
    rule = "{id: a, ask: {}, ladder: [{after: 1h, dm: bo}]}"

    verdict = policy(f"{{defaults: {{ladder: [{{after: 7d, review: managers}}]}}, rules: [{rule}]}}").rules[0].verdict

    assert isinstance(verdict, Ask)
    assert [(rung.do, rung.to) for rung in verdict.ladder] == [(Climb.DM, "bo"), (Climb.REVIEW, "managers")]


# ------------------------------------------------------------------- clock

OFFICE = '{hours: "Mon-Fri 09:00-17:00", zone: Europe/Berlin}'


def test_the_clock_of_a_ladder_may_run_in_some_hours_alone() -> None:
    """PN-04: a rule's own, or the defaults', which it may switch off; what agents ask has the defaults'."""
    ladder = "ladder: [{after: 8h, expire: true}]"
    read = policy(f"""
defaults: {{{ladder}, clock: {OFFICE}}}
rules:
  - {{id: theirs, when: 'args.n > 5', ask: {{}}}}
  - {{id: never-pauses, when: 'args.n > 4', ask: {{}}, clock: always}}
  - {{id: own, ask: {{}}, clock: {{hours: "Sat 10:00-12:00, 14:00-15:00", zone: Asia/Tokyo}}}}
""")
    office = Hours(zone="Europe/Berlin", work=read_spans("Mon-Fri 09:00-17:00"))

    clocks = [rule.verdict.clock for rule in read.rules if isinstance(rule.verdict, Ask)]

    assert clocks == [office, None, Hours(zone="Asia/Tokyo", work=read_spans("Sat 10:00-12:00, 14:00-15:00"))]
    assert read.inquiry("requester", is_review=False).clock == read.default.clock == office
    assert the_ask("- {id: a, ask: {}}").clock is None


@pytest.mark.parametrize(
    ("clock", "place", "sentence"),
    [
        ('{hours: "Mon-Fri 09:00-17:00"}', "1:27", "clock needs zone: write {hours: "),
        ("{zone: Europe/Berlin}", "1:27", "clock needs hours: write {hours: "),
        ('{hours: "9-5", zone: Europe/Berlin}', "1:35", "hours of clock: '9-5' is not a time of the week: write for"),
        ('{hours: "09:00-09:00", zone: Europe/Berlin}', "1:35", "has no length: write 00:00-24:00 for a whole day"),
        ('{hours: "", zone: Europe/Berlin}', "1:35", "hours of clock: '' is not a time of the week"),
        ("{hours: 9, zone: Europe/Berlin}", "1:35", "must be text"),
        ('{hours: "09:00-17:00", zone: Mars/Base}', "1:56", "'Mars/Base' is not a time zone; write one such as"),
        ('{hours: "09:00-17:00", zone: Etc/UTC, quiet: "1"}', "1:65", "clock has no key 'quiet'; it may have hours"),
        ('"Mon-Fri 09:00-17:00"', "1:27", "clock must be a mapping (key: value)"),
        ('{hours: "Mon 09:00-09:10", zone: Etc/UTC}', "1:27", "runs 0.167 hours a week the last step would come after"),
    ],
)
def test_a_clock_that_cannot_be_is_refused(clock: str, place: str, sentence: str) -> None:
    """PN-04: at its place, with what to write instead; also one that runs too seldom for its ladder ever to end."""
    found = problems(f"- {{id: a, ask: {{}}, clock: {clock}}}")

    assert any(f"policy.yml:{place}: " in problem and sentence in problem for problem in found), found


def test_a_ladder_is_held_against_the_clock_of_the_defaults() -> None:
    """PN-04, ST-41: hours that were enough for a short ladder are not for a long one."""
    clock = 'clock: {hours: "Mon 09:00-10:00", zone: Etc/UTC}'
    short = f"ladder: [{{after: 2h, expire: true}}], {clock}"

    own = "{id: a, ask: {}, ladder: [{after: 60h, expire: true}]}"
    found = problems(f"{{defaults: {{{short}}}, rules: [{own}]}}")

    assert len(found) == 1
    assert "with a clock that runs 1 hours a week the last step would come after more than 366d" in found[0]


def test_only_what_asks_has_a_clock() -> None:
    """PN-04."""
    assert any("only a rule that asks has 'clock'" in one for one in problems("- {id: a, deny: no, clock: always}"))
