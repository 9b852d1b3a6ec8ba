"""`policy check` finds what cannot work in this world; `policy explain` shows what would happen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from bot.domain.calls import Outcome, Risk
from bot.domain.chat import PersonId
from bot.domain.condition import compile_condition
from bot.domain.errors import Unsatisfiable
from bot.domain.people import resolve
from bot.domain.verdict import Allow, Ask, Deny
from bot.domain.wire import Json, replace
from bot.peoplefile import parse_people, read_people
from bot.policycheck import check, check_text
from bot.policyexplain import explain_text
from bot.policyfile import read_policy
from tests.policy.world import BY_NAME, PLACE, ROOT, SHIPPED_TOO, SPECS, call, facts, past, policy, spec

SHIPPED = read_policy(ROOT / "policy.yml")
PEOPLE = read_people(ROOT / "people.yml")


async def checked(text: str, agents: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """The problems of a policy whose default anybody could sign, in the shipped world."""
    defaults = "{defaults: {ask: {groups: [anyone]}}, rules:\n" + text + "\n}"
    return await check(policy(text if text.startswith("{") else defaults), SPECS, PEOPLE, agents=agents)


async def test_the_shipped_policy_fits_the_shipped_people_and_tools() -> None:
    problems = await check(SHIPPED, (*SPECS, *SHIPPED_TOO), PEOPLE)

    assert problems == []
    assert check_text(SHIPPED, problems) == f"20 rules, policy {SHIPPED.hash[:12]}: no problems"


@pytest.mark.parametrize(
    ("rule", "place", "sentence"),
    [
        (
            '[{id: a, when: tool.name == "refnud", deny: x}]',
            "2:16",
            "there is no tool 'refnud'; did you mean refund?",
        ),
        ("[{id: a, when: '\"x\" == tool.name', deny: x}]", "2:16", "there is no tool 'x'"),
        ('[{id: a, when: \'tool.name in ["refund", "pay"]\', deny: x}]', "2:16", "there is no tool 'pay'"),
        ('[{id: a, when: tool.name != "pay", deny: x}]', "2:16", "there is no tool 'pay'"),
        (
            '[{id: a, when: tool.name == "refund" && args.amuont > 5, deny: x}]',
            "2:16",
            "refund has no argument 'amuont'; there are amount, order_id",
        ),
        ('[{id: a, when: tool.name == "refund" && total("sum") > 5, deny: x}]', "2:16", "refund has no argument 'sum'"),
        ('[{id: a, when: tool.name == "send_email", allow: true}]', "2:16", "which cannot be undone"),
        ('[{id: a, when: tool.name == "refund", allow: true}]', "2:16", "which touches money"),
        ('[{id: a, when: tool.risk == "irreversible", allow: true}]', "2:16", "allows what cannot be undone"),
        ("[{id: a, escalate: {to: lawyers, suggestion: x}}]", "2:20", "there is no group 'lawyers'"),
        (
            "[{id: a, ask: {groups: [anyone]}, place: '#ops', ladder: [{after: 5m, also: '#ops'}]}]",
            "2:58",
            "also #ops: the card stands there from the beginning",
        ),
        ("[{id: a, allow: true}]", "2:2", "allows everything"),
        ("[{id: a, when: true, allow: true}]", "2:2", "allows everything"),
        ("[{id: a, deny: x}, {id: b, deny: y}]", "2:20", "`b` is never reached: `a` before it always holds"),
        ("[{id: a, when: args.n>5, deny: x}, {id: b, when: args.n>5, deny: y}]", "2:50", "has the same condition"),
        ("[{id: a, ask: {groups: [nobodies]}}]", "2:15", "there is no group 'nobodies'"),
        ("[{id: a, ask: {groups: ['@gus']}}]", "2:15", "@gus is nobody who may answer"),
        ("[{id: a, ask: {groups: ['@zoe']}}]", "2:15", "@zoe is nobody who may answer"),
        (
            "[{id: a, ask: {groups: [bo2]}, ladder: [{after: 1h, dm: nobodies}]}]",
            "2:40",
            "there is no group 'nobodies'",
        ),
        ("[{id: a, ask: {groups: [{of: approvers, need: 3}]}}]", "2:15", "nobody could sign anybody's calls"),
        (
            "[{id: a, ask: {groups: [approvers, {of: approvers, need: 2}]}}]",
            "2:15",
            "nobody could sign anybody's calls",
        ),
        ("[{id: a, ask: {groups: [finance], separate_duties: true}}]", "2:15", "nobody could sign calls of chris"),
        ("[{id: a, ask: {groups: [manager(requester)]}}]", "2:15", "nobody could sign calls of erin"),
        ("[{id: a, ask: {groups: [finance, manager(approver), manager(approver)]}}]", "2:15", "anybody's calls"),
        ("[{id: a, ask: {batch: true}}]", "2:15", "batch: name the tools it is for"),
        ('[{id: a, when: tool.name == "send_email", ask: {batch: true}}]', "2:48", "send_email cannot be undone"),
        ("[{id: a, ask: {veto: [nobodies]}}]", "2:15", "veto: there is no group 'nobodies'"),
        (
            '[{id: a, when: tool.name == "refund", ask: {type: path}}]',
            "2:44",
            "type: refund has no argument 'path'",
        ),
        (
            "[{id: a, ask: {break_glass: {of: approvers, review: nobodies, within: 1h}}}]",
            "2:15",
            "break_glass: there is no group 'nobodies'",
        ),
        (
            "[{id: a, ask: {break_glass: {of: approvers, review: finance, within: 1h}}}]",
            "2:15",
            "break_glass: nobody of finance could review it when chris breaks it for ana",
        ),
    ],
)
async def test_each_thing_that_cannot_work_is_told_with_its_place(rule: str, place: str, sentence: str) -> None:
    """AU-25, GN-21, DESIGN 6: unknown tools and arguments, quorums nobody can reach, rules never reached."""
    found = await checked(rule)

    assert any(one.startswith(f"policy.yml:{place}: ") and sentence in one for one in found), found


@pytest.mark.parametrize(
    "rule",
    [
        '[{id: a, when: tool.name == "refund" && args.amount > 5 || args.other > 5, deny: x}]',
        '[{id: a, when: (tool.name == "refund" || tool.name == "http_post") && args.body != "", deny: x}]',
        '[{id: a, when: \'!(tool.name == "refund") && args.body != ""\', deny: x}]',
        "[{id: a, ask: {groups: [approvers, managers, requester]}}]",
        "[{id: a, ask: {groups: ['@bo', manager(approver)], separate_duties: false}}]",
        "[{id: a, ask: {type: path}}]",
        '[{id: a, when: tool.name == "delete_file" || args.path == "x", ask: {type: nope}}]',
        '[{id: a, when: tool.name == "delete_file", ask: {type: path, veto: [managers, "@dana"]}}]',
        "[{id: a, ask: {break_glass: {of: approvers, review: managers, within: 24h}}}]",
    ],
)
async def test_what_can_work_is_not_complained_about(rule: str) -> None:
    """A wrong alarm teaches people to look away."""
    assert [one for one in await checked(rule) if "sign" not in one] == []


def test_the_tools_a_condition_is_limited_to_are_read_with_the_precedence_of_cel() -> None:
    """`and` binds before `or`; a negation or a choice limits nothing."""
    one, two = 'tool.name == "a"', 'tool.name == "b"'
    cases = {
        one: {"a"},
        f"({one}) && args.x": {"a"},
        f"{one} || {two}": {"a", "b"},
        f"{one} && args.x || args.y": set(),
        f"({one} || {two}) && {one}": {"a"},
        f"!({one})": set(),
        f"{one} ? true : false": set(),
        'tool.name in ["a", "b"] && args.x': {"a", "b"},
        'tool.name != "a"': set(),
    }
    assert {text: set(compile_condition(text).only_for) for text in cases} == cases


async def test_a_secret_is_not_to_be_typed() -> None:
    """T20: nobody sees it, so nobody could."""
    tool = spec("login", Risk.WRITE, "pin", secrets=("pin",))
    rules = policy('[{id: a, when: tool.name == "login", ask: {groups: [approvers], type: pin}}]')

    (found,) = await check(rules, (*SPECS, tool), PEOPLE)

    assert found == "policy.yml:1:43: rule `a`: type: argument 'pin' of login is secret, so nobody could type it"


def test_an_explanation_tells_of_vetoes_typing_and_glass() -> None:
    """AU-04: who may stop it, what is typed, and who may approve alone."""
    glass = "break_glass: {of: approvers, review: managers, within: 24h}"
    rules = policy(f"[{{id: a, ask: {{groups: [approvers], veto: [managers], type: amount, {glass}}}}}]")

    text = explain_text(rules, call("refund", order_id=7, amount=250), BY_NAME["refund"], facts())

    assert "  veto     managers may reject\n" in text
    assert "  type     the value of amount, letter for letter\n" in text
    assert "  glass    one of approvers may approve alone; managers review it within 1d\n" in text


async def test_an_agent_that_is_never_asked_about_may_hold_only_reads() -> None:
    """AU-03, D-34: mode never with send_email is refused when the bot starts."""
    text = "{defaults: {ask: {groups: [anyone]}},\noversight: {react: never, ghost: always}, rules: []}"

    found = await checked(text, {"react": ["read_file", "send_email"], "other": []})

    assert found == [
        "policy.yml:2:1: oversight: agent react is never asked about, but has send_email: irreversible",
        "policy.yml:2:1: oversight: there is no agent 'ghost'; there are other, react",
    ]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("[{id: a, ask: {groups: [auditors]}}]", ""),
        ("[{id: a, ask: {groups: [{of: auditors, need: 9}]}}]", ""),
        ("[{id: a, ask: {groups: [auditors, manager(approver)]}}]", ""),
        ("[{id: a, ask: {groups: [managers]}, ladder: [{after: 1h, dm: auditors}]}]", ""),
        ("[{id: a, ask: {groups: ['@slack.T1.U1']}}]", ""),
        ("[{id: a, ask: {groups: [{of: approvers, need: 2}, auditors]}}]", ""),
        ("[{id: a, ask: {groups: [auditors, {of: approvers, need: 3}]}}]", "nobody could sign anybody's calls"),
        ("[{id: a, ask: {groups: [auditors, auditers]}}]", "there is no group 'auditers'"),
        ("[{id: a, ask: {groups: [auditors, '@gus']}}]", "@gus is nobody who may answer"),
        ("[{id: a, ask: {groups: [finance, manager(approver), manager(approver)]}}]", "anybody's calls"),
    ],
)
async def test_people_who_are_read_elsewhere_are_not_counted_here(rule: str, told: str) -> None:
    """A group of Slack may have any number of members: no wrong alarm about it, and none missing about the others."""
    people = parse_people((ROOT / "people.yml").read_bytes() + b"groups: {auditors: {slack_usergroup: auditors}}")
    found = await check(
        policy("{defaults: {ask: {groups: [anyone]}}, rules:\n" + rule + "\n}"),
        SPECS,
        people,
        outside=frozenset(people.sources),
    )

    assert [told in one for one in found] == ([True] if told else []), found


async def test_managers_may_be_read_elsewhere_too() -> None:
    rule = policy("{defaults: {ask: {groups: [manager(requester)]}}, rules: []}")
    assert await check(rule, SPECS, PEOPLE)
    assert not await check(rule, SPECS, PEOPLE, outside=frozenset({"manager(requester)"}))


async def test_a_reader_of_reports_who_is_nobody_is_told() -> None:
    """T19: a misspelt group would read nothing, and nobody would know why."""
    text = "{rules: [], reports: [managers, mangers, '@who']}"

    told = await check(policy(text), (), read_people(ROOT / "people.yml"))

    found = [one for one in told if "reports" in one]
    assert [one.split(";")[0] for one in found] == [
        "policy.yml:1:13: reports: there is no group 'mangers'",
        "policy.yml:1:13: reports: @who is nobody who may answer",
    ]


async def test_drafts_that_nobody_could_accept_are_told() -> None:
    """GN-12: a misspelt group would leave every draft unaccepted."""
    told = await check(policy("{rules: [], reviews: {of: checkers}}"), (), read_people(ROOT / "people.yml"))

    assert [one.split(";")[0] for one in told if "reviews" in one] == [
        "policy.yml:1:13: reviews: there is no group 'checkers'"
    ]


async def test_a_default_that_nobody_can_sign_is_told() -> None:
    found = await checked("{defaults:\n  {ask: {groups: [ghosts]}}, rules: []}")
    assert [one.split(";")[0] for one in found] == ["policy.yml:1:2: defaults: there is no group 'ghosts'"]


# ---------------------------------------------------------------- shipped


@pytest.mark.parametrize(
    ("amounts", "rule", "group"),
    [
        ([50], "small-refund", "requester"),
        ([100], "small-refund", "requester"),
        ([100.01], "medium-refund", "approvers"),
        ([500], "medium-refund", "approvers"),
        ([500.01], "big-refund", "managers"),
        ([90, 90], "medium-refund", "approvers"),
        ([90, 90, 90, 90, 90, 90], "big-refund", "managers"),
        ([0], "refund-of-nothing", None),
        ([-5], "refund-of-nothing", None),
    ],
)
def test_refunds_climb_the_ladder_by_their_running_sum(amounts: list[float], rule: str, group: str | None) -> None:
    """GN-03, GN-06, D-28: all of them are human decisions; many small ones on one order are one large one."""
    *earlier, last = (call("refund", order_id=7, amount=amount, reason="late") for amount in amounts)
    history = [replace(past("refund"), args=one.args, outcome=Outcome.OK) for one in earlier]

    verdict = SHIPPED.decide(last, BY_NAME["refund"], facts(*history))

    assert verdict.rule == rule
    match verdict:
        case Ask(groups=(need,), separate_duties=is_apart):
            assert (need.of, is_apart) == (group, group != "requester")
        case other:
            assert isinstance(other, Deny)


@pytest.mark.parametrize(
    ("tool", "args", "expected"),
    [
        ("look_up_order", {"order_id": 7}, None),
        ("http_get", {"url": "https://example.org"}, None),
        ("cancel_order", {"order_id": 7, "reason": "late"}, ("requester", False, True, False)),
        ("write_file", {"path": "a", "content": "b"}, ("requester", False, True, False)),
        ("send_email", {"to": "a@b.c", "subject": "", "body": ""}, ("approvers", True, False, True)),
        ("delete_file", {"path": "a"}, ("approvers", True, False, True)),
        ("http_post", {"url": "x", "body": "y"}, ("approvers", True, False, True)),
        ("never_heard_of", {}, ("approvers", True, False, False)),
    ],
)
def test_each_shipped_tool_asks_whom_it_should(
    tool: str, args: dict[str, Json], expected: tuple[str, bool, bool, bool] | None
) -> None:
    """AS-20, AS-33, ST-03, D-17: (group, separate duties, words count, high)."""
    verdict = SHIPPED.decide(call(tool, **args), BY_NAME.get(tool) or spec(tool, BY_NAME["refund"].risk), facts())

    if expected is None:
        assert isinstance(verdict, Allow)
    else:
        assert isinstance(verdict, Ask)
        flags = (verdict.separate_duties, verdict.may_use_words, verdict.is_high)
        assert (verdict.groups[0].of, *flags) == expected


def test_no_shipped_rule_takes_loose_words_for_what_is_high_or_cannot_be_undone() -> None:
    """D-13: "ok" never signs a deletion; there, only the button counts, and everything expires."""
    for verdict in (*(rule.verdict for rule in SHIPPED.rules), SHIPPED.default):
        if isinstance(verdict, Ask):
            assert not (verdict.is_high and verdict.may_use_words)
            assert verdict.expires_after is not None


# ---------------------------------------------------------------- explain


def test_an_explanation_shows_each_rule_its_values_and_the_verdict() -> None:
    """AU-04: what would happen, and why, before anything does."""
    text = explain_text(SHIPPED, call("refund", order_id=7, amount=250), BY_NAME["refund"], facts())

    assert text.splitlines() == [
        "refund (amount=250, order_id=7) for ana (react, playground)",
        '  reading               no     tool.risk "write"',
        "  refund-of-nothing     no     args.amount 250",
        '  support-large-refund  no     agent "react", total("amount", "order_id") 250',
        '  big-refund            no     total("amount", "order_id") 250',
        '  medium-refund         HOLDS  total("amount", "order_id") 250 > 100',
        'ASK  rule `medium-refund` (high_stakes): total("amount", "order_id") 250 > 100',
        "  who      1 of approvers",
        "  how      in thread, nobody signs their own request, buttons only, reason on reject",
        "  ladder   5m remind here · 15m also managers · 30m dm manager(approver) · 4h expire; starts within 15m",
    ]


def test_an_explanation_says_when_the_clock_pauses_and_that_the_start_does_not_wait_for_it() -> None:
    """PN-04: two clocks."""
    clocked = policy('[{id: a, ask: {}, clock: {hours: "Mon-Fri 09:00-17:00", zone: Europe/Berlin}}]')

    text = explain_text(clocked, call("refund", order_id=7, amount=250), BY_NAME["refund"], facts())

    assert text.splitlines()[-1] == (
        "  clock    pauses outside Mon-Fri 09:00-17:00, Europe/Berlin; what was signed still has to start within 15m"
    )


def test_an_explanation_says_when_a_condition_failed_and_hides_secrets() -> None:
    tool = spec("login", BY_NAME["refund"].risk, "pin", secrets=("pin",))
    broken = explain_text(policy('[{id: a, when: args.x > 1, deny: "x"}]'), call("login", pin="4711"), tool, facts())
    silent = explain_text(policy("[]"), call("login", pin="4711"), tool, facts())

    assert "  a  FAILS  a value it names is missing" in broken
    assert "no rule holds: the default asks" in silent
    assert "4711" not in broken + silent
    assert "pin=(secret)" in silent
    assert PLACE.platform in silent


# ------------------------------------------------------------------ people


@pytest.mark.parametrize(
    ("audience", "requester", "expected"),
    [
        ("requester", "ana", {"ana"}),
        ("requester", "gus", set()),
        ("manager(requester)", "ana", {"dana"}),
        ("manager(requester)", "erin", set()),
        ("manager(approver)", "ana", {"dana", "erin"}),
        ("@bo", "ana", {"bo"}),
        ("@gus", "ana", set()),
        ("@zoe", "ana", set()),
        ("finance", "ana", {"chris"}),
        ("nobodies", "ana", set()),
        ("anyone", "ana", {"ana", "bo", "chris", "dana", "erin"}),
    ],
)
async def test_an_audience_is_its_active_persons_and_never_a_guest(
    audience: str, requester: str, expected: set[str]
) -> None:
    approvers = frozenset({PersonId("bo"), PersonId("dana")})
    found = await resolve(audience, directory=PEOPLE, requester=PersonId(requester), approvers=approvers)
    assert found == expected


async def test_people_who_left_and_bots_answer_nothing() -> None:
    directory = parse_people(b"""
people:
  old: {name: Old, groups: [g], active: false}
  bot: {name: Bot, groups: [g], bot: true}
  ana: {name: Ana, manager: old}
""")
    for audience in ("g", "@old", "manager(requester)"):
        assert not await resolve(audience, directory=directory, requester=PersonId("ana"), approvers=frozenset())


GRANT = "grant: {most: 5, within: 8h, same: [path]}"


@pytest.mark.parametrize(
    ("when", "ask", "told"),
    [
        ('tool.name == "write_file"', f"groups: [approvers], {GRANT}", []),
        ('tool.name == "refund"', "groups: [approvers], grant: {most: 5, within: 8h}", ["refund, which touches money"]),
        (
            'tool.name in ["write_file", "delete_file"]',
            f"groups: [approvers], {GRANT}",
            ["delete_file, which cannot be undone"],
        ),
        (
            'tool.risk == "write"',
            "groups: [approvers], grant: {most: 5, within: 8h}",
            [
                *(f"{name}, which cannot be undone; name the tools" for name in ("delete_file", "http_post")),
                "refund, which touches money; name the tools",
                "send_email, which cannot be undone; name the tools",
            ],
        ),
        ('tool.name == "write_file"', f"groups: [approvers], high: true, {GRANT}", ["high-risk is asked about"]),
        ('tool.name == "write_file"', f"groups: [{{of: anyone, need: 2}}], {GRANT}", ["More than one signature"]),
        ('tool.name == "write_file"', f"groups: [approvers, managers], {GRANT}", ["More than one signature"]),
        ('tool.name == "write_file"', f"groups: [approvers], type: path, {GRANT}", ["type a value of the very call"]),
        (
            'tool.name == "write_file"',
            "groups: [approvers], grant: {most: 5, within: 8h, same: [folder, path]}",
            ["write_file has no argument 'folder'"],
        ),
    ],
)
async def test_a_rule_lets_nobody_allow_ahead_of_time_what_needs_a_look_each_time(
    when: str, ask: str, told: list[str]
) -> None:
    """AS-33, T07: found before anybody is asked: money, mail, what cannot be undone, high risk, two signatures."""
    found = await checked(f"[{{id: a, when: '{when}', ask: {{{ask}}}}}]")

    assert len(found) == len(told), found
    assert all(sentence in problem for sentence, problem in zip(told, found, strict=True)), found
    assert all("rule `a`: grant:" in problem for problem in found)


# ---------------------------------------------------------------------- on call


async def test_a_policy_that_counts_on_a_schedule_needs_one_that_names_the_rotation() -> None:
    """Told at the start, wherever it stands; who is on call changes, so nobody counts them for a quorum."""

    class Duty:
        async def on_call(self, rotation: str) -> frozenset[PersonId]:
            if rotation == "support":
                return frozenset()
            raise Unsatisfiable(f"oncall({rotation}): oncall.ics has no such rotation; it has support")

    people = read_people(ROOT / "people.yml")
    rules = policy("""{defaults: {ask: {groups: [anyone]}}, rules: [
  {id: a, ask: {groups: [oncall(support)]}, ladder: [{after: 1h, dm: oncall(second)}]}
]}""")

    missing = await check(rules, SPECS, people)
    people.duty = Duty()
    wrong = await check(rules, SPECS, people)

    name = "name an iCalendar file in COUNTERSIGN_ONCALL"
    assert missing == [
        f"policy.yml:2:16: rule `a`: oncall(support): no schedule says who is on call; {name}",
        f"policy.yml:2:53: rule `a`: oncall(second): no schedule says who is on call; {name}",
    ]
    assert wrong == ["policy.yml:2:53: rule `a`: oncall(second): oncall.ics has no such rotation; it has support"]


async def test_a_quorum_of_managers_above_managers_is_counted() -> None:
    """Above Erin there is nobody, so what Dana asks for, nobody two above her could sign."""
    found = await checked("[{id: a, ask: {groups: [manager(manager(requester))]}}]")

    assert len(found) == 1
    assert "nobody could sign calls of dana, erin" in found[0]
