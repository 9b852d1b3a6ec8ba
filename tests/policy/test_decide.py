"""What the policy answers, and how it explains itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.calls import Outcome, Past, Risk, ToolSpec
from bot.domain.condition import compile_condition
from bot.domain.policy import RISKY_WORDS, Oversight, Policy, Rule, total
from bot.domain.verdict import Allow, Ask, Deny, Escalate, Need, Verdict
from bot.domain.wire import replace
from tests.policy.world import BY_NAME, call, decide, facts, past, policy, spec

READS_FREE = '[{id: reading, when: tool.risk == "read", allow: true}]'
TAKE_ALL = "[{id: all, when: tool.name != '', allow: true}]"


def test_the_first_rule_that_holds_wins_and_says_why_with_the_values() -> None:
    """DESIGN's own example, word for word."""
    text = """
- {id: big-refund, when: 'tool.name == "refund" && args.amount > 500', ask: {groups: [managers]}}
- {id: any-refund, when: 'tool.name == "refund"', deny: never}
"""
    big = decide(text, call("refund", order_id=7, amount=900))
    small = decide(text, call("refund", order_id=7, amount=500))

    assert isinstance(big, Ask)
    assert (big.rule, big.why, big.groups) == (
        "big-refund",
        "rule `big-refund`: args.amount 900 > 500",
        (Need(of="managers"),),
    )
    assert small == Deny(rule="any-refund", why='rule `any-refund`: never (tool.name "refund")')


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ("args.nope > 1", "a value it names is missing"),
        ("args.path > 1", "it compares or adds values of different kinds"),
        ("args.path", "its result is neither true nor false"),
        ("1 / (size(args.path) - 1) > 0", "a number in it is out of range"),
        ('args.path.matches("(")', "it could not be computed"),
        ('total("nope") > 1', "it compares or adds values of different kinds"),
        ("history[3].tool == 'x'", "a value it names is missing"),
    ],
)
def test_a_condition_that_fails_asks_people_and_never_lets_the_call_through(when: str, why: str) -> None:
    """GN-01, DESIGN 6: an error in a condition means ask, by the default, whatever the rule would have said."""
    text = f"rules:\n- id: broken\n  when: {when}\n  allow: true\n- {{id: rest, when: tool.name != '', allow: true}}"

    verdict = decide(text, call("write_file", path="a", content=""))

    assert isinstance(verdict, Ask)
    assert verdict.rule == "default"
    assert verdict.why == f"rule `broken` could not be judged: {why}"


def test_a_call_that_no_rule_speaks_of_asks_people() -> None:
    """D-17, D-15, AU-22: default ask. Words that no list foresees make a card all the same."""
    for words in ("TRUNCATE customers", "rm -rf /", "remove all rows", "wire transfer", "дelete everything"):
        verdict = decide(READS_FREE, call("run", text=words))
        assert isinstance(verdict, Ask), words
        assert verdict.why == "no rule speaks of run"


@pytest.mark.parametrize(("tool", "is_batch"), [("write_file", True), ("delete_file", False)])
def test_what_cannot_be_undone_is_never_one_of_many_on_a_card(tool: str, *, is_batch: bool) -> None:
    """AS-20, T19: whatever a rule says of it, such a call is looked at by itself."""
    rules = "[{id: all, when: tool.name != '', ask: {groups: [approvers], batch: true}}]"

    verdict = decide(rules, call(tool, path="a"))

    assert isinstance(verdict, Ask)
    assert verdict.is_batch is is_batch


def test_ten_reads_in_a_row_need_nobody() -> None:
    """AS-20, GN-01: routine runs alone, and the one call of high stakes in between asks."""
    reads = [decide(READS_FREE, call("look_up_order", order_id=n)) for n in range(10)]

    assert all(isinstance(verdict, Allow) for verdict in reads)
    assert isinstance(decide(READS_FREE, call("send_email", to="a@b.c", subject="", body="")), Ask)


@pytest.mark.parametrize("word", ["delete", "drop table", "git push", "deploy", "send email", "payment"])
def test_each_risky_word_in_the_arguments_asks_and_shows_the_call_as_high(word: str) -> None:
    """AU-22: the six words, in a call that a rule would let through and in one that asks already."""
    allowed = decide(TAKE_ALL, call("run", text=f"please {word.upper()} it"))
    asked = decide("[{id: a, ask: {groups: [approvers], words: true}}]", call("run", text=word))

    for verdict in (allowed, asked):
        assert isinstance(verdict, Ask)
        assert (verdict.is_high, verdict.may_use_words) == (True, False)
        assert f"the call says `{word}`" in verdict.why


@pytest.mark.parametrize(
    "args",
    [
        {"text": "git  push"},
        {"text": "git\n\tpush"},
        {"argv": ["git", "push"]},
        {"text": "ｄｅlete"},
        {"text": "de\u200blete"},
        {"drop-table": True},
        {"deep": [{"x": {"y": "Git_Push"}}]},
    ],
)
def test_spelling_does_not_hide_a_risky_word(args: dict[str, object]) -> None:
    """D-15: width, case, gaps, invisible letters, lists and keys are all read as a person would."""
    verdict = decide(TAKE_ALL, call("run", **args))  # type: ignore[arg-type]  # JSON by construction
    assert isinstance(verdict, Ask)
    assert verdict.is_high


def test_a_risky_word_never_stops_a_read_nor_softens_a_denial() -> None:
    """AU-22: hints raise only. To look up an order named "delete" is still to look."""
    assert isinstance(decide(READS_FREE, call("read_file", path="delete.txt")), Allow)
    assert isinstance(decide("[{id: closed, deny: closed}]", call("run", text="delete")), Deny)


@pytest.mark.parametrize(
    ("tool", "why"),
    [
        (spec("x", Risk.IRREVERSIBLE), "cannot be undone"),
        (spec("x", Risk.WRITE, touches=("money",)), "touches money"),
        (spec("x", Risk.WRITE, touches=("files", "mail")), "touches mail"),
    ],
)
def test_no_rule_lets_through_what_cannot_be_undone_or_moves_money_or_sends_mail(tool: ToolSpec, why: str) -> None:
    """AS-33, AU-25: code on the tool asks, whatever a rule or a confident model says."""
    verdict = decide(TAKE_ALL, call("x", text="I am 100 % sure, already approved"), tool)

    assert isinstance(verdict, Ask)
    assert verdict.why == f"rule `all`: tool.name \"x\" != ''; but x {why}"


def test_no_rule_lets_people_allow_more_of_what_cannot_be_undone() -> None:
    """AS-33, PN-14: no grant can be given for it, so no report says that one could have saved a press."""
    text = "[{id: all, ask: {groups: [approvers], grant: {most: 5, within: 8h}}}]"
    free, money = spec("x", Risk.WRITE), spec("x", Risk.WRITE, touches=("money",))

    found = [decide(text, call("x"), tool) for tool in (free, money, spec("x", Risk.IRREVERSIBLE))]

    assert [isinstance(one, Ask) and one.grant is not None for one in found] == [True, False, False]


def test_an_agent_under_constant_oversight_asks_before_every_read() -> None:
    """AU-03: mode always makes a card of a read-only call; mode policy and mode never leave it to the rules."""
    text = "{oversight: {react: %s}, rules: [{id: r, when: 'tool.risk == \"read\"', allow: true}]}"

    for mode, kind in ((Oversight.ALWAYS, Ask), (Oversight.POLICY, Allow), (Oversight.NEVER, Allow)):
        assert isinstance(decide(text % mode, call("read_file", path="a")), kind)
    assert isinstance(decide(text % "never", call("delete_file", path="a")), Ask)
    assert isinstance(decide(text % "always", call("read_file", path="a"), given=facts(agent="other")), Allow)


@pytest.mark.parametrize(("amount", "is_asked"), [(10, False), (10.01, True), (11, True)])
def test_a_rule_over_arguments_decides_by_the_number(amount: float, is_asked: bool) -> None:
    """AU-04: rule "amount > 10": 11 asks, 10 does not; whole and broken numbers compare alike."""
    text = "[{id: a, when: args.amount > 10, ask: {groups: [approvers]}}, {id: b, when: args.amount > 0, allow: true}]"
    assert isinstance(decide(text, call("buy", amount=amount)), Ask) is is_asked


def test_secret_values_never_stand_in_an_explanation() -> None:
    """Neither plainly, nor through a function, an index, the whole of args, a sum or an earlier call."""
    tool = spec("login", Risk.WRITE, "user", "pin", secrets=("pin",))
    wanted = call("login", user="ana", pin="hunter2-4711")
    for when in (
        'args.pin == "hunter2-4711"',
        'args["pin"].startsWith("hunter2")',
        "size(args) == 2",
        'args[args.user == "ana" ? "pin" : "user"] == "hunter2-4711"',
        'args.pin + "x" != ""',
        'history[0].args["pin"] == "hunter2-4711"',
        "args.pin > 3",
        '"hunter2-4711" in [args.pin]',
        '"pin" in history[0].args',
        '"x" in history.map(h, h.args["pin"])',
    ):
        rule = Rule(id="r", when=compile_condition(when), verdict=Deny(rule="r", why="no"))
        asked = Policy([rule], default=Ask(rule="default", why="", groups=()))
        given = facts(past("login", pin="hunter2-4711"))
        told = [asked.decide(wanted, tool, given).why, *(one.told for one in asked.trace(wanted, tool, given))]
        assert not any("hunter2" in line or "4711" in line for line in told), when


def test_an_explanation_is_short_and_quotes_foreign_text() -> None:
    """A value of any length takes 80 characters, with its quotes: it cannot pass for our own words."""
    verdict = decide('[{id: r, when: args.text != "", deny: closed}]', call("run", text='x" (allowed by dana) ' * 99))
    assert isinstance(verdict, Deny)
    assert 'args.text "x\\" (allowed by dana)' in verdict.why
    assert len(verdict.why) < 150


def test_an_explanation_never_claims_a_comparison_that_is_false() -> None:
    verdict = decide("[{id: r, when: args.a > 500 || args.b > 5, deny: closed}]", call("run", a=50, b=9))
    assert verdict.why == "rule `r`: closed (args.a 50, args.b 9 > 5)"


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ('"code" in tool.touches', '"code" in tool.touches ["code", "files"]'),
        ('"mail" in tool.touches', 'tool.touches ["code", "files"]'),
        ("5 < args.a", "5 < args.a 9"),
        ("50 < args.a", "args.a 9"),
        ('"x" in args.to', '"x" in args.to ["x"]'),
    ],
)
def test_an_explanation_shows_the_value_beside_what_was_looked_at_and_not_beside_the_literal(
    when: str, told: str
) -> None:
    """AU-04: `"code" in tool.touches` says what the tool touches, as a person would."""
    tool = spec("run", Risk.WRITE, "a", "to", touches=("code", "files"))
    rule = Rule(id="r", when=compile_condition(when), verdict=Deny(rule="r", why="no"))
    asked = Policy([rule], default=Ask(rule="default", why="", groups=()))

    (tried,) = asked.trace(call("run", a=9, to=["x"]), tool, facts())

    assert tried.told == told


# ------------------------------------------------------------------- sums


def test_a_running_sum_counts_what_took_effect_or_still_may() -> None:
    """D-28: six refunds of 90 on one order are 540. Failed calls, other orders and other tools do not count."""
    key = {"order_id": 7, "amount": 90}
    earlier = [past("refund", **key) for _ in range(4)]
    unknown = replace(past("refund", order_id=7, amount=90), outcome=Outcome.UNKNOWN)
    failed = replace(past("refund", order_id=7, amount=90), outcome=Outcome.ERROR)
    denied = replace(past("refund", order_id=7, amount=90), outcome=Outcome.NOT_RUN)
    others = [past("refund", order_id=8, amount=90), past("buy", order_id=7, amount=90)]

    history = [*earlier, unknown, failed, denied, *others]

    assert total(call("refund", order_id=7, amount=90), history, "amount", "order_id") == 540
    assert total(call("refund", order_id=7, amount=90), history, "amount") == 630


def test_a_running_sum_never_falls_and_never_guesses() -> None:
    """A negative amount is 0; cents add up exactly; a missing or textual amount has no sum, and so asks."""
    wanted = call("refund", order_id=7, amount=0.1)
    history = [past("refund", order_id=7, amount=-500), past("refund", order_id=7.0, amount=0.2)]

    assert total(wanted, history, "amount", "order_id") == 0.3
    assert total(wanted, [past("refund", order_id=7, amount="9")], "amount", "order_id") is None
    assert total(wanted, [], "amount", "nope") is None


# ------------------------------------------------------------- properties

CONDITIONS = ("args.n > 5", "args.n < 3", "args.nope > 1", "args.n", 'tool.risk == "read"', "true", 'total("n") > 9')
VERDICTS: tuple[Verdict, ...] = (
    Allow(rule="", why=""),
    Deny(rule="", why="no"),
    Escalate(rule="", why="", to="managers", suggestion="call them"),
    Ask(rule="", why="", groups=(Need(of="approvers"),), may_use_words=True),
)
RULES = st.lists(st.tuples(st.sampled_from(CONDITIONS), st.sampled_from(VERDICTS)), max_size=6)
DEFAULT = Ask(rule="default", why="", groups=(Need(of="anyone"),))


def _made(rows: list[tuple[str, Verdict]], hints: tuple[str, ...] = ()) -> Policy:
    rules = [
        Rule(id=f"r{n}", when=compile_condition(when), verdict=replace(verdict, rule=f"r{n}"))
        for n, (when, verdict) in enumerate(rows)
    ]
    return Policy(rules, default=DEFAULT, hints=hints)


def _strictness(verdict: Verdict) -> tuple[int, bool, bool]:
    match verdict:
        case Ask() as ask:
            return (1, ask.is_high, not ask.may_use_words)
        case Escalate():
            return (2, True, True)
        case Deny():
            return (2, True, True)
    return (0, False, False)


def _simply(when: str, n: int, risk: Risk) -> bool | None:
    """What each condition above means, said once more and without CEL."""
    known = {"args.n > 5": n > 5, "args.n < 3": n < 3, "true": True, 'total("n") > 9': n > 9}
    return known.get(when, risk is Risk.READ if when.startswith("tool") else None)


@settings(deadline=None, max_examples=150)
@given(rows=RULES, n=st.integers(0, 12), risk=st.sampled_from(Risk))
def test_the_first_match_wins_and_only_an_allowed_harmless_call_passes(
    rows: list[tuple[str, Verdict]], n: int, risk: Risk
) -> None:
    """DESIGN 6 as a second, naive reading of the same rules; AU-25 for whatever they allow."""
    verdict = _made(rows).decide(call("run", n=n), spec("run", risk, "n"), facts())

    deciding = next((i for i, (when, _) in enumerate(rows) if _simply(when, n, risk) is not False), None)
    is_failed = deciding is None or _simply(rows[deciding][0], n, risk) is None
    expected = DEFAULT if is_failed or deciding is None else rows[deciding][1]
    if isinstance(expected, Allow) and risk is Risk.IRREVERSIBLE:
        expected = DEFAULT
    assert type(verdict) is type(expected)
    assert verdict.rule == ("default" if expected is DEFAULT else f"r{deciding}")


@settings(deadline=None, max_examples=150)
@given(rows=RULES, n=st.integers(0, 12), risk=st.sampled_from(Risk), text=st.sampled_from([*RISKY_WORDS, "hello"]))
def test_no_hint_ever_lowers_a_verdict(rows: list[tuple[str, Verdict]], n: int, risk: Risk, text: str) -> None:
    """AU-22: with hints, every verdict is at least as strict as without."""
    wanted, tool = call("run", n=n, text=text), spec("run", risk, "n", "text")

    bare = _made(rows).decide(wanted, tool, facts())
    hinted = _made(rows, RISKY_WORDS).decide(wanted, tool, facts())

    assert _strictness(hinted) >= _strictness(bare)


def test_the_hash_names_what_a_policy_says_and_not_how_it_is_spelled() -> None:
    """A comment keeps requests valid; a changed number does not."""
    one = policy("- {id: a, when: args.n > 5, deny: closed}")
    same = policy("# a comment\nrules:\n  - id: a\n    when: args.n > 5\n    deny: 'closed'\n")
    other = policy("- {id: a, when: args.n > 6, deny: closed}")

    assert one.hash == same.hash
    assert one.hash != other.hash
    assert len(one.hash) == 64


def test_every_shipped_tool_has_a_verdict_without_history_or_groups() -> None:
    """A guard for the helpers: nothing here depends on a lucky default."""
    verdicts = {name: decide(READS_FREE, call(name), tool) for name, tool in BY_NAME.items()}
    allowed = {name for name, verdict in verdicts.items() if isinstance(verdict, Allow)}
    assert allowed == {"look_up_order", "read_file", "list_files", "http_get"}


def test_history_can_be_read_by_a_condition() -> None:
    text = '[{id: again, when: \'history.exists(h, h.tool == "run" && h.outcome == "open")\', deny: once}]'
    assert isinstance(decide(text, call("run"), given=facts(past("run"))), Deny)
    assert isinstance(decide(text, call("run"), given=facts(Past(tool="x", args="{}", outcome=Outcome.OK))), Ask)
