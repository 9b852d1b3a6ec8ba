"""What is asked besides a signature: what people read, how they may answer, what their answer says."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain import inquiry
from bot.domain.calls import Cause, Outcome, Past, canonical
from bot.domain.chat import Card
from bot.domain.errors import InvalidArguments
from bot.domain.inquiry import KINDS, choices, flaw, outcome, parts, read, shown, told, typed, unanswered
from bot.domain.inquiry_card import inquiry_card
from bot.domain.inquiry_stuck import CHOICES, TOLD, Trouble
from bot.domain.request import OUTLIVING, VOTES, Decision, Kind, Move, Request, Status
from bot.domain.verdict import Need
from bot.domain.wire import Json, loads, replace
from tests.domain.given import ANA, NAMES, NOW, ask, call, request

DRAFT: dict[str, Json] = {"draft": "v3", "name": "", "rounds": 3}


def asked(kind: Kind, args: dict[str, Json], tool: str = "x", *past: Past) -> Request:
    return request(kind=kind, call=call(args, tool=tool), ask=ask(Need(of="requester")), history=past)


def question(**args: Json) -> Request:
    return asked(Kind.QUESTION, {"question": "Which?", **args})


def review(*drafts: tuple[str, str], **args: Json) -> Request:
    """A draft after *drafts*, each with how people answered it."""
    return asked(Kind.REVIEW, {**DRAFT, **args}, "review_draft", *(shown_before(*one) for one in drafts))


def shown_before(draft: str, move: str, **args: Json) -> Past:
    values = canonical({**DRAFT, "draft": draft, **args}).decode()
    return Past(tool="review_draft", args=values, outcome=Outcome.OK, move=move)


def moves(one: Request) -> list[str]:
    return [choice.move for choice in choices(one)]


def labels(one: Request) -> list[str]:
    return [choice.label for choice in choices(one)]


def text_of(one: Request, label: str) -> str:
    return next(part.text for part in parts(one) if part.label.startswith(label))


# --------------------------------------------------------------------- tables


def test_every_kind_that_is_answered_has_its_row() -> None:
    """A kind that people can only answer is an inquiry, and has one row."""
    assert set(KINDS) == {kind for kind, votes in VOTES.items() if votes == {Move.ANSWER}}


def test_every_trouble_has_its_answers_and_every_answer_its_words() -> None:
    """D-37: there is always a way to end it, and never only one way to go."""
    assert set(CHOICES) == set(Trouble)
    assert {choice.move for row in CHOICES.values() for choice in row} == set(TOLD)
    assert all("end" in [choice.move for choice in row] and len(row) > 1 for row in CHOICES.values())


# ------------------------------------------------------------------- question


def test_three_options_are_buttons_and_twelve_a_list() -> None:
    """ST-39: a button each up to five; more are a list to choose from."""
    few, many = question(options=["a", "b", "c"]), question(options=[f"option {n}" for n in range(12)])

    assert labels(few)[:3] == ["a", "b", "c"]
    assert moves(many) == ["choose", "write", "leave"]
    assert choices(many)[0].fields[0].options == tuple(f"option {n}" for n in range(12))
    assert told(many, read(many, "choose", {"choice": "option 7"})) == "Their answer: 'option 7'"


def test_a_long_option_is_numbered_on_its_button_and_whole_in_the_body() -> None:
    """ST-39: a 90-character label is cut, the full text stands in the body, and the answer is the full text."""
    long = "a refund of the whole amount " * 3
    one = question(options=[long, "nothing"])

    assert labels(one)[:2] == [f"1. {long}"[:59] + "…", "2. nothing"]
    assert text_of(one, "Options") == f"1. {long}\n2. nothing"
    assert told(one, read(one, "pick_a", {})) == f"Their answer: {long!r}"
    assert typed(one, long) == typed(one, "1. " + long[:56] + "…") == read(one, "pick_a", {})


def test_long_options_in_a_list_are_told_apart_by_their_numbers() -> None:
    """Two options that begin alike are two options."""
    options = [f"{'the same beginning ' * 4}{n}" for n in range(7)]
    one = question(options=list(options))
    offered = choices(one)[0].fields[0].options

    assert len(set(offered)) == 7
    assert max(map(len, offered)) <= 60
    assert told(one, read(one, "choose", {"choice": offered[4]})) == f"Their answer: {options[4]!r}"


@pytest.mark.parametrize(
    ("options", "said"), [(["JSON", "CSV"], "XML"), (["email", "sms", "push"], "fax"), (["yes", "no"], "yess")]
)
def test_what_is_none_of_the_options_is_asked_again_with_them(options: list[str], said: str) -> None:
    """ST-33, ST-36, D-39: no silent default; which there are is said."""
    one = question(options=[*options], may_write=False)

    with pytest.raises(InvalidArguments, match=f"Please choose one of: {', '.join(options)}"):
        typed(one, said)
    assert typed(one, options[1].upper()) == read(one, "pick_b", {})
    assert "write" not in moves(one)


def test_closing_marks_change_no_option_and_a_question_is_none() -> None:
    """D-12, ST-33: “blue!” is blue, unless two options would be that; “blue?” asks."""
    one = question(options=["red", "blue"], may_write=False)

    assert typed(one, "Blue!") == read(one, "pick_b", {})
    with pytest.raises(InvalidArguments):
        typed(one, "blue?")
    twins = question(options=["go", "go!"], may_write=False)
    assert typed(twins, "go!") == read(twins, "pick_b", {})
    with pytest.raises(InvalidArguments):
        typed(twins, "go.")


def test_words_are_wanted_where_words_are_asked_for() -> None:
    """ST-20, D-23: an empty answer is none."""
    with pytest.raises(InvalidArguments) as refused:
        read(question(), "write", {"text": "  "})

    assert refused.value.problems == {"text": "Please fill this in."}
    assert typed(question(), "You decide.") == read(question(), "leave", {})


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"may_write": False}, "nothing to choose from"),
        ({"options": ["Red", "red "]}, "two options are the same"),
        ({"options": ["red", " "]}, "says nothing"),
    ],
)
def test_a_question_nobody_could_answer_is_not_asked(args: dict[str, Any], why: str) -> None:
    assert why in str(flaw(Kind.QUESTION, question(**args).call))
    assert flaw(Kind.QUESTION, question(options=["red", "blue"]).call) is None


# ----------------------------------------------------------------------- form

SCHEMA: dict[str, Json] = {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}}
ROWS: list[Json] = [["7", "2026-01-02", 40], ["8", "31.02.26", None], ["9", "two\nlines", True]]
TABLE: dict[str, Json] = {"columns": ["order", "day", "amount"], "rows": ROWS, "row": 1, "column": "day", "first": 11}


def form(**table: Json) -> Request:
    return asked(Kind.FORM, {"question": "?", "schema": SCHEMA, "table": {**TABLE, **table}})


def test_the_row_in_question_is_shown_with_all_columns_its_number_and_its_field_marked() -> None:
    """AS-27: everything as it is; what has no place on one line is spelled."""
    assert text_of(form(), "Row 12 is in question").splitlines() == [
        "  row  order  day           amount",
        "  11   7      2026-01-02    40",
        "→ 12   8      [ 31.02.26 ]  null",
        '  13   9      "two\\nlines"  true',
    ]


def test_a_wide_row_is_shown_one_line_a_column() -> None:
    wide = form(columns=["order", "day", "x" * 90], rows=[["8", "31.02.26", "y" * 60]], row=0)

    assert text_of(wide, "Row 11").splitlines() == ["  order: 8", "→ day: [ 31.02.26 ]", f"  {'x' * 90}: {'y' * 60}"]


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"rows": [["7"]], "row": 0}, "must have 3 cells"),
        ({"row": 3}, "one of 0 to 2"),
        ({"column": "price"}, "one of order, day, amount"),
    ],
)
def test_a_table_that_does_not_add_up_is_not_shown(table: dict[str, Json], why: str) -> None:
    assert why in str(flaw(Kind.FORM, form(**table).call))


def test_the_people_that_a_form_names_are_known_by_field() -> None:
    """Whoever counts the answer asks the directory about them."""
    schema: dict[str, Json] = {"properties": {"owner": {"type": "string", "format": "person"}}}
    one = asked(Kind.FORM, {"question": "?", "schema": schema})

    assert inquiry.people(one, read(one, "fill", {"owner": "@bo"})) == {"owner": "bo"}
    assert inquiry.people(one, read(one, "leave", {})) == {}


# --------------------------------------------------------------------- review


def test_a_version_is_compared_with_the_one_before_by_us() -> None:
    """ST-10, GN-12: the difference comes from what was really shown, not from what an agent says."""
    one = review(("Hi all,\nwe move.", "revise"), draft="Dear all,\nwe move.")

    part = next(part for part in parts(one) if "different" in part.label)
    assert (part.text, part.is_ours) == ("- Hi all,\n+ Dear all,\n  we move.", True)
    assert parts(one)[0].label == "Draft, round 2 of 3"


def test_the_rounds_are_counted_by_us_and_the_last_says_so() -> None:
    """GN-13, GN-14, D-37: an agent that asks for more rounds later gets none."""
    last = review(("v1", "revise"), ("v2", "revise"), rounds=20)

    assert parts(last)[0].label == "Draft, round 3 of 3"
    assert text_of(last, "The last round") == "3 rounds are used up. Without a yes the draft stays unaccepted."
    assert moves(last) == ["accept", "more", "use", "take_over", "leave"]
    assert flaw(Kind.REVIEW, *_with_history(review(("1", "revise"), ("2", "revise"), ("3", "revise")))) is not None


def test_people_can_allow_another_round() -> None:
    """GN-14: "more rounds" is theirs to say."""
    allowed = review(("v1", "revise"), ("v2", "revise"), ("v3", "more"))

    assert flaw(Kind.REVIEW, *_with_history(allowed)) is None
    assert parts(allowed)[0].label == "Draft, round 4 of 4"


def test_a_draft_that_was_left_is_not_shown_again() -> None:
    """D-14: unaccepted is an end."""
    left = review(("v1", "leave"))

    assert flaw(Kind.REVIEW, *_with_history(left)) == "people left this draft unaccepted and want no further version"


@pytest.mark.parametrize("end", ["accept", "use", "take_over"])
def test_the_next_draft_begins_at_round_one(end: str) -> None:
    assert parts(review(("v1", "revise"), ("v2", end)))[0].label == "Draft, round 1 of 3"


FOUND: dict[str, Json] = {
    "draft": "    return a + b",
    "file": "sums.py",
    "line": 2,
    "last": 2,
    "problem": "It is too long.",
    "flavour": "finding",
}


def finding(*past: Past) -> Request:
    return asked(Kind.REVIEW, FOUND, "review_finding", *past)


@pytest.mark.parametrize("before", ["accept", "take_over", "leave"])
def test_each_finding_stands_alone_whatever_became_of_another(before: str) -> None:
    """AS-25: it has no rounds, and nothing that was said of another one closes it."""
    other = Past(tool="review_finding", args=canonical(FOUND).decode(), outcome=Outcome.OK, move=before)
    one = finding(other)

    assert flaw(one.kind, one.call, one.history) is None
    assert [choice.label for choice in choices(one)] == ["Accept", "Modify", "Skip"]
    assert [part.label for part in parts(one)] == ["Where", "Problem", "Suggestion"]


def test_a_finding_is_changed_with_every_space_and_never_decided_by_a_reply() -> None:
    """AS-25, D-13: code means something by its spaces; "ok" could mean any of several findings."""
    one = finding()
    (field,) = next(choice.fields for choice in choices(one) if choice.move == "take_over")

    said = read(one, "take_over", {"text": "    x = 1\n    return x"})

    assert field.value == "    return a + b"
    assert loads(outcome(one, said))["final"] == "    x = 1\n    return x"
    assert [typed(one, word) for word in ("accept", "ok", "skip", "lgtm")] == [None] * 4
    with pytest.raises(InvalidArguments):
        read(one, "take_over", {"text": "   "})


def test_another_name_gives_a_draft_no_further_rounds() -> None:
    """GN-14, D-37: nothing is compared with a draft of another name, but an agent's rounds go on until a yes."""
    mail = [shown_before("the other", "revise", name="mail") for _ in range(3)]
    post: dict[str, Json] = {**DRAFT, "name": "post"}
    last, over = (asked(Kind.REVIEW, post, "review_draft", *mail[:count]) for count in (2, 3))
    begun = asked(Kind.REVIEW, post, "review_draft", *mail[:2], shown_before("x", "accept", name="ad"))

    assert [part.label for part in parts(last)] == ["Draft “post”, round 3 of 3", "The last round"]
    assert "use" not in moves(last)
    used = "3 rounds are used up by what this agent showed, and the draft is unaccepted"
    assert flaw(Kind.REVIEW, *_with_history(over)) == used
    assert parts(begun)[0].label == "Draft “post”, round 1 of 3"


def test_the_rounds_are_each_agents_own_and_a_patterns_names_are_two_drafts() -> None:
    """GN-14: what another member of the run showed uses up nothing; a pattern's names come from its author."""
    theirs = replace(shown_before("v1", "revise"), agent="writer")
    stage = Past(tool="review_stage", args=theirs.args, outcome=Outcome.OK, move="revise")

    mine = replace(asked(Kind.REVIEW, DRAFT, "review_draft", theirs), agent="editor")
    named = asked(Kind.REVIEW, {**DRAFT, "name": "checker"}, "review_stage", stage)

    assert parts(mine)[0].label == "Draft, round 1 of 3"
    assert parts(replace(mine, agent="writer"))[0].label == "Draft, round 2 of 3"
    assert parts(named)[0].label == "Draft “checker”, round 1 of 3"
    assert parts(replace(named, call=call(DRAFT, tool="review_stage")))[0].label == "Draft, round 2 of 3"


def test_silence_uses_up_a_round_and_in_the_last_one_the_draft_is_unaccepted() -> None:
    """GN-14, D-14: a deadline is no yes; the result's status says so to whoever asked."""
    silent = Past(tool="review_draft", args=canonical(DRAFT).decode(), outcome=Outcome.NOT_RUN, move="unanswered")
    closed = replace(silent, move="")  # by a takeover: nobody had the time
    first, last = (asked(Kind.REVIEW, {**DRAFT, "rounds": rounds}, "review_draft") for rounds in (2, 1))

    second = asked(Kind.REVIEW, DRAFT, "review_draft", silent, closed)
    results = [unanswered(replace(one, status=Status.EXPIRED), "No answer.") for one in (first, last)]

    assert parts(second)[0].label == "Draft, round 2 of 3"
    assert [result.outcome for result in results] == [Outcome.NOT_RUN] * 2
    assert [loads(result.answer)["status"] for result in results] == ["unanswered", "unaccepted"]
    assert results[1].text.startswith("No answer. Assume nothing. 1 round is used up. Without a yes its status is: una")
    assert text_of(last, "The last round") == "1 round is used up. Without a yes the draft stays unaccepted."
    assert unanswered(replace(last, status=Status.SUPERSEDED), "No answer.").answer == ""


# ----------------------------------------------------------------------- plan


@pytest.mark.parametrize("step", ["read it\n2. ask before deleting", "a\u2028b", "a\n", " ", "a\rb"])
def test_a_step_of_several_lines_cannot_pose_as_two(step: str) -> None:
    """T08, AU-12: what people count is what they sign off; the agent hears in one sentence why nobody was asked."""
    plan = asked(Kind.PLAN, {"goal": "tidy up", "steps": [step, "delete all"], "rounds": 3}, "propose_plan")

    assert "each step is one line" in str(flaw(Kind.PLAN, plan.call))


@pytest.mark.parametrize(
    ("said", "move"),
    [("Yes.", "yes"), ("y", "yes"), ("NO!", "no"), ("yes, but slowly", "write"), ("yes?", "write"), ("sure", "write")],
)
def test_a_typed_yes_or_no_to_a_handoff_is_that_button(said: str, move: str) -> None:
    """ST-28, D-27: the whole reply is the word; anything more is an answer in words."""
    one = asked(Kind.HANDOFF, {"message": "Format it?", "breakout_of_loop": False})

    assert loads(str(typed(one, said)))["move"] == move


def test_an_earlier_version_can_be_the_final_one() -> None:
    """ST-10: any of them; the result carries its very text."""
    one = review(("first", "revise"), ("second", "revise"), draft="third")
    said = read(one, "use", {"choice": "Version 1"})

    assert told(one, said) == "They accept version 1 instead; use exactly this: 'first'"
    accepted = {"status": "accepted", "final": "first", "version": 1}
    assert loads(outcome(one, said)) == {"move": "use", "choice": "Version 1", **accepted}
    with pytest.raises(InvalidArguments):
        read(one, "use", {"choice": "Version 3"})


@pytest.mark.parametrize("said", ["approve", "Approved!", " OK ", "LGTM!", "lgtm."])
def test_a_few_whole_words_accept_a_draft(said: str) -> None:
    """GN-13, D-13."""
    assert typed(review(), said) == read(review(), "accept", {})


@pytest.mark.parametrize("said", ["ok but shorten it", "not approved", "looks good", "yes", "hmm"])
def test_everything_else_is_feedback(said: str) -> None:
    """GN-13, D-39: one rule for what is not recognised."""
    assert typed(review(), said) == read(review(), "revise", {"text": said})


def test_feedback_after_the_last_round_leaves_the_draft_unaccepted() -> None:
    """GN-14, D-14: three times feedback, and the result says so in words and in its status."""
    last = review(("v1", "revise"), ("v2", "revise"))
    said = str(typed(last, "still too long"))

    assert told(last, said).endswith("Its status is: unaccepted. They say: 'still too long'")
    assert loads(outcome(last, said))["status"] == "unaccepted"
    assert "final" not in loads(outcome(last, said))


def test_what_is_accepted_is_in_the_result() -> None:
    assert loads(outcome(review(), read(review(), "accept", {})))["final"] == "v3"
    own = read(review(), "take_over", {"text": "mine"})
    assert loads(outcome(review(), own))["final"] == "mine"


# ---------------------------------------------------------------------- stuck


def stuck(what: Trouble, **args: Json) -> Request:
    return asked(Kind.STUCK, {"what": what.value, "told": "Step limit 20 reached.", **args})


@pytest.mark.parametrize(
    ("what", "said", "move"),
    [
        (Trouble.STEPS, "continue", "go_on"),
        (Trouble.STEPS, "Go on, with as much again", "go_on"),
        (Trouble.STEPS, "End here.", "end"),
        (Trouble.STEPS, "skip", "guide"),  # nothing to skip: these are words
        (Trouble.FAILING, "Retry!", "again"),
        (Trouble.FAILING, "skip it", "skip"),
        (Trouble.FAILING, "use the backup host", "guide"),
        (Trouble.CHANGED, "start again", "restart"),
    ],
)
def test_a_reply_is_a_button_or_words_for_the_agent(what: Trouble, said: str, move: str) -> None:
    """ST-18, ST-37."""
    assert loads(str(typed(stuck(what), said)))["move"] == move


def test_nothing_but_a_button_starts_a_changed_agent_again() -> None:
    """Words are context: there is no agent that could follow them."""
    assert typed(stuck(Trouble.CHANGED), "hmm, what changed?") is None


def test_what_people_say_is_quoted_as_data() -> None:
    one = stuck(Trouble.FAILING)

    assert (
        told(one, read(one, "done", {"text": "{move!r} it's {0}"}))
        == 'They have done it themselves: "{move!r} it\'s {0}"'
    )


# -------------------------------------------------------------------- the card


def test_a_card_says_that_silence_is_no_answer() -> None:
    """D-23."""
    card = inquiry_card(question(), names=NAMES, seal=str)

    assert next(fact.value for fact in card.facts if fact.label == "Until").endswith("silence is not an answer")


def test_whose_words_they_are_is_said_once_where_all_are_the_agents() -> None:
    """T08, GN-04: of several texts above them all; of a single one, or beside our own, at each."""
    all_its = inquiry_card(question(options=["a"], default="a"), names=NAMES, seal=str)
    single = inquiry_card(question(), names=NAMES, seal=str)
    mixed = inquiry_card(review(("v1", "revise"), ("v2", "revise")), names=NAMES, seal=str)

    assert [whose(card) for card in (all_its, single, mixed)] == [1, 0, 0]
    assert not any("not verified" in block.label for block in all_its.blocks)
    assert [block.label for block in single.blocks] == ["The agent asks (the agent's words, not verified)"]
    assert ["not verified" in block.label for block in mixed.blocks] == [True, False, False]


def whose(card: Card) -> int:
    """How often the facts say it; and then right above the texts, as the last of them."""
    told = [fact.label == "Whose words" for fact in card.facts]
    assert not any(told[:-1])
    return sum(told)


def test_no_text_of_an_agent_stands_unlabelled_on_any_kind_of_card() -> None:
    """T08: every row of the table, open: a part that is not ours is labelled, or the whole card is."""
    for kind, values in SAID.items():
        one = asked(kind, values)
        card = inquiry_card(one, names=NAMES, seal=str)
        its = [part for part in parts(one) if not part.is_ours]
        labelled = sum("not verified" in block.label for block in card.blocks)
        assert (labelled, whose(card)) in {(len(its), 0), (0, 1)}, kind
        assert not whose(card) or len(its) == len(card.blocks), kind


SAID: dict[Kind, dict[str, Json]] = {
    Kind.QUESTION: {"question": "Which?", "options": ["a"], "default": "a"},
    Kind.HANDOFF: {"message": "Well?", "breakout_of_loop": False},
    Kind.FORM: {"question": "What?", "schema": {"properties": {"a": {"type": "string"}}}},
    Kind.REVIEW: {**DRAFT, "note": "short"},
    Kind.PLAN: {"goal": "pay", "steps": ["a"], "rounds": 3},
    Kind.ESCALATION: {"reason": "r", "context": "c", "suggestion": "s"},
    Kind.STUCK: {"what": "failing", "told": "t", "tried": ["x: ok"], "error": "e"},
}


def test_a_closed_handoff_reads_as_a_summary() -> None:
    """ST-24, ST-25: title, the agent's message, the status, the reference, who answered; for people no JSON."""
    one = asked(Kind.HANDOFF, {"message": "Shall I go on?", "breakout_of_loop": False})
    said = read(one, "write", {"text": "yes, carefully"})
    end = Decision(status=Status.ANSWERED, at=NOW, by=(ANA,), answer=said)
    card = inquiry_card(replace(one, status=Status.ANSWERED, decision=end), names=NAMES, seal=str)

    assert card.title == "Answered: the agent needs you"
    assert card.blocks[0].text == "Shall I go on?"
    assert card.status == "Ana answered at 2026-05-01 12:00 UTC. Their answer: 'yes, carefully'"
    assert one.id in card.footer
    assert shown(one, read(one, "no", {})) == "No."


@pytest.mark.parametrize(
    ("kind", "status", "is_used"),
    [
        (Kind.QUESTION, Status.EXPIRED, True),
        (Kind.QUESTION, Status.SUPERSEDED, False),
        (Kind.QUESTION, Status.CANCELLED, False),
        (Kind.PLAN, Status.EXPIRED, False),
        (Kind.REVIEW, Status.EXPIRED, False),
    ],
)
def test_only_a_question_that_ran_out_of_time_uses_its_default(kind: Kind, status: Status, is_used: bool) -> None:
    """AS-21, D-01: not one that was withdrawn or stopped, and nothing but a question, whatever its arguments say."""
    one = asked(kind, {"question": "Which?", "default": "red"})
    end = Decision(status=status, at=NOW, cause=Cause.DEADLINE)

    result = unanswered(replace(one, status=status, decision=end), "No answer.")

    assert (result.outcome is Outcome.OK, "Assume nothing." in result.text) == (is_used, not is_used)
    assert ("default" in result.answer) is is_used


def test_kinds_that_outlive_their_run_are_inquiries() -> None:
    assert set(KINDS) >= OUTLIVING


def _with_history(one: Request) -> tuple[Any, Any]:
    return one.call, one.history
