"""How approvals go, from audit entries alone: who decides how much and how fast, and what nobody answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as Xml

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.audit import Entry
from bot.domain.chat import PersonId
from bot.domain.report import CUT, QUICK, Figures, Load, Report, cells, percent, report, told, took
from bot.picture import picture
from tests.contracts.chat import HOSTILE

BEGAN = datetime(2026, 11, 1, 12, tzinfo=UTC)
END = BEGAN + timedelta(days=30)
BO, CHRIS = PersonId("bo"), PersonId("chris")


class Log:
    """Entries as the store would have numbered and timed them. Times are seconds after BEGAN."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, second: float, event: str, **fields: Any) -> None:
        at = BEGAN + timedelta(seconds=second)
        seq = len(self.entries) + 1
        self.entries.append(Entry(shard=0, seq=seq, at=at, link="", event=event, body="", fields=fields))

    def opened(self, second: float, request: str, *groups: str, need: int = 1) -> None:
        asked = [{"of": group, "need": need} for group in groups or ("approvers",)]
        self.add(second, "request_opened", request=request, groups=asked)

    def voted(self, second: float, request: str, person: str = "bo", move: str = "approve", seat: int = 0) -> None:
        self.add(second, "vote_counted", request=request, person=person, move=move, seats=[seat])

    def expired(self, second: float, request: str) -> None:
        self.add(second, "request_decided", request=request, status="expired", by=[])

    def read(self, **options: Any) -> Report:
        return report(self.entries, **{"since": BEGAN, "until": END, **options})


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


# ------------------------------------------------------------------- figures


def test_every_vote_is_counted_under_its_person_and_for_everybody() -> None:
    """T19: approvals and rejections have a rate; what answers a question has none."""
    log = Log()
    for number, (person, move) in enumerate(
        [("bo", "approve"), ("bo", "approve"), ("bo", "reject"), ("chris", "answer"), ("bo", "break_glass")]
    ):
        log.opened(number * 100, f"q{number}")
        log.voted(number * 100 + 20, f"q{number}", person, move)

    read = log.read()

    assert (read.people[BO].approved, read.people[BO].rejected, read.people[BO].share) == (3, 1, 0.75)
    assert (read.people[CHRIS].answered, read.people[CHRIS].share) == (1, None)
    assert read.everybody.decisions == 5
    assert list(read.people) == [BO, CHRIS], "whoever decides most stands first"


def test_the_time_to_decide_is_from_the_opening_to_that_persons_vote() -> None:
    """Of two people who sign one request, each has their own time; p50 and p90 are times that really were."""
    log = Log()
    log.opened(0, "two", need=2)
    log.voted(10, "two", "bo")
    log.voted(300, "two", "chris")
    for number in range(1, 10):
        log.opened(number * 1000, f"q{number}")
        log.voted(number * 1000 + number * 10, f"q{number}", "bo")

    for number, took_s in enumerate((5, 7, 600)):
        log.opened(20_000 + number * 1000, f"d{number}")
        log.voted(20_000 + number * 1000 + took_s, f"d{number}", "dana")

    read = log.read()

    assert (read.people[CHRIS].typical, read.people[CHRIS].slow) == (seconds(300), seconds(300))
    assert (read.people[PersonId("dana")].typical, read.people[PersonId("dana")].slow) == (seconds(7), seconds(600))
    assert read.people[BO].typical == seconds(40)  # the fifth of 10, 10, 20, 30, 40, …, 90
    assert read.people[BO].slow == seconds(80)  # the ninth of ten


def test_an_approval_in_under_three_seconds_was_hardly_read() -> None:
    """PN-14, T19: exactly three seconds is no rubber stamp, and a quick rejection hurts nobody."""
    log = Log()
    for number, (took_s, move) in enumerate([(2.9, "approve"), (3, "approve"), (0.2, "reject"), (1, "break_glass")]):
        log.opened(number * 100, f"q{number}")
        log.voted(number * 100 + took_s, f"q{number}", move=move)

    assert log.read().people[BO].quick == 2


def test_refused_presses_are_counted_also_those_of_strangers() -> None:
    """T19, T16: a stranger has no row of their own, yet everybody's row knows of the press."""
    log = Log()
    log.add(1, "vote_refused", request="q1", person="bo", cause="NotEligible")
    log.add(2, "vote_refused", request="q1", person=None, cause="NotEligible")

    read = log.read()

    assert read.people[BO].refused == 1
    assert read.everybody.refused == 2


def test_a_request_that_expired_is_told_of_the_groups_in_which_too_few_answered() -> None:
    """AU-31: bo signed for the approvers; finance did not, and of two managers one."""
    log = Log()
    log.opened(0, "q1", "approvers", "finance")
    log.voted(5, "q1", seat=0)
    log.expired(100, "q1")
    log.opened(0, "q2", "managers", need=2)
    log.voted(5, "q2", "chris")
    log.expired(100, "q2")
    log.opened(0, "q3", "approvers")
    log.add(100, "request_decided", request="q3", status="cancelled", by=[])

    assert log.read().expired == {"finance": 1, "managers": 1}


def test_only_the_span_counts_yet_an_opening_before_it_gives_the_time() -> None:
    """The first moment belongs to it, the last one does not."""
    log = Log()
    log.opened(-60, "q1")
    log.voted(-1, "q1", "chris")
    log.voted(0, "q1", "bo")
    log.voted(30 * 86400, "q1", "dana")

    read = log.read()

    assert list(read.people) == [BO]
    assert read.people[BO].typical == seconds(60)


def test_a_vote_whose_opening_was_not_read_counts_without_a_time() -> None:
    """Nothing is guessed: neither slow nor quick."""
    log = Log()
    log.voted(1, "q1")

    assert log.read(is_cut=True).people[BO] == Figures(approved=1)


def test_what_waits_stands_beside_what_was_decided() -> None:
    """A request that two people may answer is one request, and waits for both."""
    log = Log()
    log.opened(0, "q1")
    log.voted(5, "q1")

    read = log.read(load=Load(requests=1, people={BO: 1, CHRIS: 1}))

    assert (read.people[BO].waiting, read.people[CHRIS].waiting, read.everybody.waiting) == (1, 1, 1)


EVENTS = st.sampled_from(["request_opened", "vote_counted", "vote_refused", "request_decided", "run_started"])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-100, 100), EVENTS, st.integers(0, 5), st.sampled_from(["bo", "chris", "dana"])),
        max_size=40,
    )
)
def test_everybody_is_the_sum_of_all(found: list[tuple[int, str, int, str]]) -> None:
    """Whatever was recorded in whatever order: rows add up, and rates and times stay within their bounds."""
    log = Log()
    for second, event, number, person in found:
        fields = {"person": person, "move": "approve", "seats": [0], "status": "expired"}
        log.add(second, event, request=f"q{number}", groups=[{"of": "approvers", "need": 1}], **fields)

    read = log.read()

    rows = read.people.values()
    assert sum(row.decisions for row in rows) == read.everybody.decisions
    assert sum(row.quick for row in rows) == read.everybody.quick
    assert all(row.typical <= row.slow for row in rows if row.typical is not None and row.slow is not None)
    assert all(row.quick <= row.approved for row in rows)


# -------------------------------------------------------------------- in words


def test_times_and_shares_are_rounded_without_a_lie() -> None:
    """2.99 s is under three, 99.9 % is not all, and 0.1 % is not nothing."""
    assert [took(seconds(number)) for number in (0.04, 2.99, 12, 119, 600, 7200, 400_000)] == [
        *("0 s", "2.9 s", "12 s", "119 s", "10 min", "2 h", "5 d")
    ]
    assert took(None) == "-"
    assert [percent(share) for share in (None, 0, 0.001, 0.5, 0.999, 1)] == ["-", "0 %", "1 %", "50 %", "99 %", "100 %"]


def test_a_report_in_words_names_whoever_signs_unread() -> None:
    """T19: everybody first, then person by person, then what ran out of time; a cut is said."""
    log = Log()
    log.opened(0, "q1")
    log.voted(1, "q1")
    log.opened(10, "q2")
    log.expired(100, "q2")

    text = told(log.read(is_cut=True, load=Load(requests=2, people={CHRIS: 2})), {BO: "Bo", CHRIS: "Chris"})

    assert text.splitlines() == [
        "From 2026-11-01 to 2026-12-01: 1 decided, 100 % approved, half within 1 s, nine in ten within 1 s, "
        "1 approved in under 3 s, 2 waiting.",
        "Bo: 1 decided, 100 % approved, half within 1 s, nine in ten within 1 s, 1 approved in under 3 s.",
        "Chris: 0 decided, 2 waiting.",
        "Expired unanswered: approvers 1.",
        CUT,
    ]


def test_a_hundred_people_are_ten_lines_and_a_number() -> None:
    people = {PersonId(f"p{number:03}"): Figures(approved=200 - number) for number in range(100)}
    read = Report(since=BEGAN, until=END, everybody=Figures(), people=people, expired={})

    lines = told(read, {}).splitlines()

    assert len(lines) == 12
    assert lines[-1] == "90 more people."


def test_nobodys_name_breaks_a_row_or_the_picture() -> None:
    """T03, T21: newlines and reordering marks are spelled out, markup is text, and the picture stays XML."""
    names = {PersonId(f"p{number}"): text for number, text in enumerate([HOSTILE, "a\nb", "<b>", "\u202eevil"])}
    people = {who: Figures(approved=1, typical=QUICK, slow=QUICK) for who in names}
    read = Report(since=BEGAN, until=END, everybody=Figures(approved=9), people=people, expired={"<g>\n": 1})

    assert all("\n" not in cells(name, Figures())[0] for name in names.values())
    drawn = Xml.fromstring(picture(read, names))
    tags = {node.tag.rpartition("}")[2] for node in drawn.iter()}
    assert tags == {"svg", "rect", "text", "line", "circle", "title"}
    shown = "".join(drawn.itertext())
    assert "⟨U+202E⟩evil" in shown
    assert "\u202e" not in shown


def test_the_picture_draws_bars_in_proportion_and_marks_the_median() -> None:
    """Twice the decisions are twice as long; a minute stands where the axis says a minute."""
    people = {
        BO: Figures(approved=6, rejected=2, typical=seconds(60), slow=seconds(60)),
        CHRIS: Figures(approved=4, typical=seconds(1), slow=seconds(1)),
    }
    read = Report(since=BEGAN, until=END, everybody=Figures(approved=10, rejected=2), people=people, expired={})

    drawn = Xml.fromstring(picture(read, {}))
    bars = [node for node in drawn.iter() if node.tag.endswith("rect") and len(node)]
    lines = {node.attrib["x1"] for node in drawn.iter() if node.tag.endswith("line")}
    marks = [node.attrib["cx"] for node in drawn.iter() if node.tag.endswith("circle")]

    assert [float(bar.attrib["width"]) for bar in bars] == [225.0, 75.0, 150.0]
    assert float(bars[1].attrib["x"]) == float(bars[0].attrib["x"]) + 225
    assert set(marks) <= lines


def test_the_picture_says_how_much_waits_for_each_person() -> None:
    """PN-14: load stands in a column of its own, beside what was done; for everybody it is all that is open."""
    people = {BO: Figures(approved=6, waiting=17), CHRIS: Figures(approved=4)}
    read = Report(since=BEGAN, until=END, everybody=Figures(approved=10, waiting=19), people=people, expired={})

    texts = [node for node in Xml.fromstring(picture(read, {})).iter() if node.tag.endswith("text")]
    (head,) = [node for node in texts if node.text == "Waiting"]
    column = [node.text for node in texts if node is not head and node.attrib["x"] == head.attrib["x"]]

    assert column == ["19", "17", "0"]


def test_a_picture_of_nothing_and_of_too_many_are_pictures() -> None:
    """An empty month draws; a thousand people do not make a kilometre of picture."""
    nobody = Report(since=BEGAN, until=END, everybody=Figures(), people={}, expired={})
    people = {PersonId(f"p{number}"): Figures(approved=1) for number in range(1000)}
    crowd = Report(since=BEGAN, until=END, everybody=Figures(approved=1000), people=people, expired={})

    assert "0 in all" in picture(nobody, {})
    assert "970 more people are not drawn." in picture(crowd, {})
    assert picture(crowd, {}).count("<circle") == 0
