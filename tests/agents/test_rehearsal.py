"""The rehearsal: a playbook that acts out a model, labelled as such, the same answer to the same messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agents.model import ChatCompletions
from agents.react import ReAct
from agents.rehearsal.mind import PlayedCall, Reply, Spoken, answer
from agents.rehearsal.playbook import SHIPPED, load, shipped
from agents.rehearsal.server import RehearsalServer
from agents.tools.files import WorkFolder, file_tools
from agents.tools.http import Hosts, http_tools
from agents.tools.mail import MailRoute, mail_tools
from agents.tools.people import people_tools
from agents.tools.shop import Shop, shop_tools
from bot.domain.calls import ToolResult
from bot.domain.ports import Line, Said, Tool, WantedCall
from bot.runtime.host import BY_HAND
from tests.agents.given import Context, named, run, task

BOOK = shipped()


@pytest.fixture
def tools(tmp_path: Path) -> dict[str, Tool]:
    return named(
        (
            *shop_tools(Shop.open(tmp_path / "shop.db")),
            *mail_tools(MailRoute(sender="bot@example.com", folder=tmp_path / "mail")),
            *file_tools(WorkFolder(tmp_path / "work")),
            *http_tools(Hosts(["example.com"])),
            *people_tools(),
        )
    )


def says(*talk: Spoken) -> Reply:
    return answer(BOOK, talk)


def user(text: str, by: str = "ana") -> Spoken:
    return Spoken(role="user", text=f"[{by}] {text}")


def bot(reply: Reply) -> Spoken:
    return Spoken(role="assistant", text=reply.text, calls=reply.calls)


def results(*texts: str) -> tuple[Spoken, ...]:
    return tuple(Spoken(role="tool", text=text) for text in texts)


def wanted(reply: Reply) -> list[tuple[str, Any]]:
    return [(call.tool, json.loads(call.args)) for call in reply.calls]


BROKE = {"order_id": 1042, "amount": 120, "reason": "it came broken"}
CHAT = "asked for in chat"
VENDOR = {
    "to": "sales@vendor.example",
    "subject": "10 % off our Q2 order?",
    "body": "Hello,\n\nwe are about to place our Q2 order with you, and it is larger than the last one.\n"
    "Could you offer us 10 % off?\n\nKind regards",
}

LINES: list[tuple[str, list[tuple[str, dict[str, Any]]]]] = [
    ("refund order 1042 120 because it came broken", [("refund", BROKE)]),
    ("Please refund $120 on order 1042 because it came broken", [("refund", BROKE)]),
    ("refund $50 on order 7", [("refund", {"order_id": 7, "amount": 50, "reason": CHAT})]),
    ("refund order 17 with $100.01", [("refund", {"order_id": 17, "amount": 100.01, "reason": CHAT})]),
    ("refund 1001, 1002 $50", [("refund", {"order_id": n, "amount": 50, "reason": CHAT}) for n in (1001, 1002)]),
    ("refund 1001 and 1002", [("look_up_order", {"order_id": n}) for n in (1001, 1002)]),
    ("refund 1001, 1002, 1003, 1004 and 1005",
     [("look_up_order", {"order_id": n}) for n in (1001, 1002, 1003, 1004, 1005)]),
    ("refund orders 17 and 71 50 usd each",
     [("refund", {"order_id": n, "amount": 50, "reason": CHAT}) for n in (17, 71)]),
    ("refund 20 for order 1001, 30 for 1002",
     [("refund", {"order_id": n, "amount": amount, "reason": CHAT}) for n, amount in ((1001, 20), (1002, 30))]),
    ("refund 20 for order 1001 and $30.50 for order 1002, both came late",
     [("refund", {"order_id": n, "amount": m, "reason": "both came late"}) for n, m in ((1001, 20), (1002, 30.5))]),
    ("refund 120 for order 1042, it arrived 3 days late",
     [("refund", {"order_id": 1042, "amount": 120, "reason": "it arrived 3 days late"})]),
    ("refund order 1042", [("look_up_order", {"order_id": 1042})]),
    ("cancel order 17 because of a typo", [("cancel_order", {"order_id": 17, "reason": "a typo"})]),
    ("cancel orders 17 & 71", [("cancel_order", {"order_id": n, "reason": CHAT}) for n in (17, 71)]),
    ("look up order #7", [("look_up_order", {"order_id": 7})]),
    ("what's the order 1001 and 1002?", [("look_up_order", {"order_id": n}) for n in (1001, 1002)]),
    ("Write an email to our vendor asking for 10% off the Q2 order", [("send_email", VENDOR)]),
    ("ask for 10 percent off on Q2 at our supplier joe@parts.example",
     [("send_email", {**VENDOR, "to": "joe@parts.example"})]),
    ("email bo@example.com about lunch at noon",
     [("send_email", {"to": "bo@example.com", "subject": "A note from the team", "body": "lunch at noon"})]),
    ('send an e-mail to bo@example.com subject "Lunch" saying see you',
     [("send_email", {"to": "bo@example.com", "subject": "Lunch", "body": "see you"})]),
    ("write hello there to notes/a.txt", [("write_file", {"path": "notes/a.txt", "content": "hello there"})]),
    ("write to notes.txt: one\ntwo", [("write_file", {"path": "notes.txt", "content": "one\ntwo"})]),
    ("write a file notes.txt saying hello", [("write_file", {"path": "notes.txt", "content": "hello"})]),
    ("create a new file called a/b.md with the text: hi there",
     [("write_file", {"path": "a/b.md", "content": "hi there"})]),
    ("read notes.txt", [("read_file", {"path": "notes.txt"})]),
    ("delete the file old/notes.txt", [("delete_file", {"path": "old/notes.txt"})]),
    ("list files", [("list_files", {"path": "."})]),
    ("get https://example.com/a?b=c", [("http_get", {"url": "https://example.com/a?b=c"})]),
    ('post {"a": 1} to https://example.com/hook',
     [("http_post", {"url": "https://example.com/hook", "body": '{"a": 1}', "content_type": "text/plain"})]),
    ("@countersign paint the front door",
     [("ask_people", {"question": "Which colour shall the front door have?", "options": ["red", "green", "blue"]})]),
    ("announce that we move on Friday.",
     [("review_draft", {"draft": "Hello everybody,\n\nwe move on Friday.\n\nKind regards"})]),
    ("plan the summer party", [("propose_plan", {"goal": "organise the summer party", "steps": [
        "ask everybody for a date", "find a place", "send the invitations"]})]),
    ("they will take us to court", [("escalate", {
        "reason": "Somebody threatens legal action.",
        "context": "They wrote it in this thread; nothing was answered yet.",
        "suggestion": "answer that a person will call back today"})]),
    ("Order a birthday cake.", [("ask_people", {"question": "What shall be written on the birthday cake?"})]),
    ("please check with me before you close the shop",
     [("handoff_to_user", {"message": "I am about to close the shop. Shall I go on?"})]),
    ("watch order #7 until it is shipped", [("look_up_order", {"order_id": 7})]),
    ("read every page of the report", [("read_file", {"path": "report-1.txt"})]),
    ("check all orders one by one", [("look_up_order", {"order_id": 1001})]),
]  # fmt: skip


@pytest.mark.parametrize(("line", "calls"), LINES, ids=[line for line, _ in LINES])
def test_a_line_becomes_the_calls_it_asks_for(
    line: str, calls: list[tuple[str, dict[str, Any]]], tools: dict[str, Tool]
) -> None:
    """AU-06, GN-06, AS-02 among them. Every call fits the shipped tools."""
    reply = says(user(line))

    assert wanted(reply) == calls
    for tool, args in calls:
        tools[tool].check(args)


@pytest.mark.parametrize(
    "line", ["hello", "help", "what can you do?", "thanks!", "knit me a scarf", "", "Explain: why?"]
)
def test_everything_it_says_is_labelled(line: str) -> None:
    """Nobody may take a rehearsal for a mind."""
    reply = says(user(line))

    assert reply.text.startswith("(rehearsal) ")
    assert reply.calls == ()


def test_a_line_it_does_not_know_is_answered_briefly_and_says_how_to_go_on() -> None:
    """Not with silence, not with a guess, and not with a page: in a pattern, these words may stand as a draft."""
    told = says(user("knit me a scarf")).text

    assert told.startswith("(rehearsal) I do not know this line")
    assert len(told.splitlines()) == 1
    assert says(user("what can you do?")).text.count("\n- ") == len(BOOK.tries)
    assert wanted(says(user("call look_up_order order_id=7"))) == [("look_up_order", {"order_id": 7})]


def test_it_lists_what_is_worth_trying() -> None:
    """Every line of the table, with what it shows."""
    told = says(user("what can you do?")).text.splitlines()

    assert [line for line in told if line.startswith("- ")] == [f"- {one.line} ({one.shows})" for one in BOOK.tries]


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("call restart", {}),
        ("@countersign call restart service=billing-2", {"service": "billing-2"}),
        (
            'call restart service="7" reason="it \\"hangs\\", refund 5 on order 7"',
            {"service": "7", "reason": 'it "hangs", refund 5 on order 7'},
        ),
        ("Call restart n=7 part=0.5 is_hard=true why=null", {"n": 7, "part": 0.5, "is_hard": True, "why": None}),
        ("call restart reason=read,diary.txt", {"reason": "read,diary.txt"}),
    ],
)
def test_a_call_that_is_spelled_out_is_made_of_any_tool_on_offer(line: str, args: dict[str, Any]) -> None:
    """GN-22: somebody sees their own tool on a card without a model, whatever scenes fit the words inside."""
    reply = answer(BOOK, [user(line)], ["restart"])

    assert wanted(reply) == [("restart", args)]


@pytest.mark.parametrize(
    "line",
    ["call restart now", "call restart service=", 'call restart service="a', "call mum", "please call restart a=b c"],
)
def test_a_call_that_is_not_wholly_spelled_out_or_of_no_tool_of_the_agents_is_not_made(line: str) -> None:
    """Nothing is guessed, and a model never calls what it was not told of."""
    reply = answer(BOOK, [user(line)], ["restart"])

    assert reply.calls == ()
    assert "I do not know this line" in reply.text


def test_what_came_of_a_spelled_out_call_is_reported_and_the_next_one_is_another() -> None:
    first = says(user("call look_up_order order_id=7"))
    talk = [user("call look_up_order order_id=7"), bot(first), *results("Restarted <!here>")]
    told = says(*talk)

    assert told.text == "(rehearsal) Done: Restarted <!here>"
    assert wanted(says(*talk, bot(told), user("call look_up_order order_id=17"))) == [
        ("look_up_order", {"order_id": 17})
    ]


WRITER = Spoken(role="system", text="You write short, plain texts: no filler.")


@pytest.mark.parametrize(
    ("line", "start"),
    [
        ("a haiku about queues", "A word on queues:\n"),
        ("write an article about queues", "About queues\n"),
        ("write about queues.", "About queues\n"),
    ],
)
def test_a_text_about_anything_is_written_and_changed_on_request(line: str, start: str) -> None:
    """ST-10: the lines of agents.yml; an editor's words come back in the next version."""
    talk = [WRITER, user(line)]
    draft = says(*talk)
    again = says(*talk, bot(draft), user("name an example", by="bo"))

    assert draft.text.startswith(f"(rehearsal) {start}")
    assert again.text.endswith(" as it is: name an example")
    assert "I do not know this line" in says(WRITER, user("name an example")).text
    assert [tool for tool, _ in wanted(says(user("write a note about tea to notes.txt")))] == ["write_file"]


@pytest.mark.parametrize("line", [one.line for one in load(SHIPPED).tries])
def test_every_example_it_gives_is_one_it_plays(line: str, tools: dict[str, Tool]) -> None:
    """What the list promises, the playbook keeps: each line makes calls that fit the shipped tools.

    The lines that an example adds are for its own agents: tests/examples plays them.
    """
    calls = says(user(line)).calls

    assert calls
    for call in calls:
        tools[call.tool].check(json.loads(call.args))


def test_a_draft_that_is_not_accepted_is_shown_again_with_what_was_said() -> None:
    """ST-10: a next version for each round of feedback; an accepted one ends it."""
    talk = [user("announce that we move on Friday")]
    for number, said in enumerate(["warmer", "shorter"], 2):
        talk += [bot(says(*talk)), *results(f"Ana answered. Not accepted yet. Their feedback: '{said}'")]
        ((tool, args),) = wanted(says(*talk))
        assert tool == "review_draft"
        assert f"Version {number}, after you said: '{said}'" in args["draft"]

    talk += [bot(says(*talk)), *results("Ana answered. The draft is accepted as it is.")]
    assert says(*talk).text == "(rehearsal) Understood. Ana answered. The draft is accepted as it is."


def test_a_plan_is_made_anew_with_what_was_said() -> None:
    """AU-12: nothing begins; the next plan carries the feedback."""
    talk = [user("plan the summer party")]
    talk += [bot(says(*talk)), *results("Ana answered. Do not begin. Show another plan. Their feedback: 'a band'")]

    ((tool, args),) = wanted(says(*talk))

    assert tool == "propose_plan"
    assert args["steps"][0] == "first of all, as you said: 'a band'"


def test_it_looks_again_until_the_answer_is_another_one() -> None:
    """ST-18: the same call once more, as long as the order is only paid; what people say in its place ends it."""
    looked = [user("watch order 7 until it is shipped")]
    looked += [bot(says(*looked)), *results(ORDER % "paid")]

    assert wanted(says(*looked)) == [("look_up_order", {"order_id": 7})]
    told = says(*looked, bot(says(*looked)), *results("Ana answered. They have done it themselves: 'it is here'"))
    assert told.text == "(rehearsal) Understood. Ana answered. They have done it themselves: 'it is here'"


def test_each_turn_of_a_walk_is_another_call() -> None:
    """ST-18: {turn} counts; there is no end before people are asked for more steps."""
    talk = [user("check all orders, one by one")]
    for number in range(1001, 1024):
        assert wanted(says(*talk)) == [("look_up_order", {"order_id": number})]
        talk += [bot(says(*talk)), *results(ORDER % "paid")]


def test_a_diary_is_written_in_three_turns() -> None:
    """Calls that one permission may cover: the same file, other words."""
    talk = [user("keep a diary in diary.txt")]
    for number in (1, 2, 3):
        day = {"path": "diary.txt", "content": f"Day {number}: I only rehearsed."}
        assert wanted(says(*talk)) == [("write_file", day)]
        talk += [bot(says(*talk)), *results('{"path":"diary.txt","bytes":24,"sha256":"00"}')]

    assert says(*talk).text == "(rehearsal) Done: diary.txt is written (24 bytes)."


def test_what_failed_again_and_again_is_told_once() -> None:
    talk = [user("read every page of the report")]
    for _ in range(4):
        talk += [bot(says(*talk)), *results("There is no file report.")]

    assert says(*talk).text == "(rehearsal) This was not done. There is no file report."


@pytest.mark.parametrize(
    "line",
    [
        "refund 20 for 1002",
        "refund 1042 120",
        "refund 1001, 1002 50",
        "refund 1042 for 50",
        "refund order 7 50 eur",
        "refund 50 eur for order 7",
        "refund €50 on order 7",
        "refund order 7 $1,000",
        "refund 10% of order 7",
        "refund order 7 0.001",
        "refund order 7 half",
        "refund order 7, half of it",
        "refund 1001 20 usd, 1002 30 usd",
        "refund 20 for order 1001, 20 for 1002, and all of 1003",
        "refund $50 on order 7 and cancel order 17",
        "cancel order 17 and refund order 7",
        "cancel order 17 because of a typo, and refund order 7",
        "do not refund order 7",
        "please don't cancel order 17",
    ],
)
def test_a_line_that_leaves_a_doubt_makes_no_call(line: str) -> None:
    """An amount is never guessed, and no part of a line is dropped in silence."""
    reply = says(user(line))

    assert reply.calls == ()
    assert "I do not know this line" in reply.text


def test_it_looks_an_amount_up_before_it_asks_for_a_refund() -> None:
    """T06: what people sign is a number, not "whatever is left". An order that does not exist is reported."""
    first = says(user("refund 1001 and 9999"))
    looked = (
        user("refund 1001 and 9999"),
        bot(first),
        *results('{"order_id":1001,"left":61.5}', "There is no order 9999."),
    )

    second = says(*looked)
    last = says(*looked, bot(second), *results('{"refund_id":"RF-0001"}'))

    assert wanted(second) == [("refund", {"order_id": 1001, "amount": 61.5, "reason": CHAT})]
    assert "This was not done. There is no order 9999." in last.text
    assert 'Done: {"refund_id":"RF-0001"}' in last.text


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ('{"refund_id": "RF-0001", "reason": "rejected before"}', "Done: "),
        ("Not run: rejected by bo: duplicate", "This was not done. Not run: rejected by bo: duplicate"),
        ("Nobody answered in time; the request expired.", "This was not done. "),
        ("A rule denies it.", "This was not done. "),
        ("Order 7 has 10.00 USD left to refund; 50.00 is more.", "This was not done. "),
        ("Not run: tool 'x' is unknown", "This was not done. "),
        ("Approved, but not run: its time has passed.", "This was not done. "),
        ("It was started. Whether it took effect is not known.", "I do not know whether this was done. "),
        ("Stopped while it was running.", "I do not know whether this was done. "),
        ("refund failed inside. Part of it may have taken effect.", "I do not know whether this was done. "),
        ("notes.txt is deleted.", "Done: notes.txt is deleted."),
    ],
)
def test_a_result_is_reported_as_what_it_is(result: str, told: str) -> None:
    """GN-08: a rejection carries who and why, and is never called a success."""
    asked = user("refund $50 on order 7")

    assert says(asked, bot(says(asked)), *results(result)).text.startswith(f"(rehearsal) {told}")


ORDER = (
    '{"order_id":17,"customer":"Bilal Khan","item":"Office chair","status":"%s","currency":"USD",'
    '"total":1240.0,"refunded":120.0,"left":1120.0}'
)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (
            '{"refund_id":"RF-0001","order_id":1042,"amount":120.0,"currency":"USD","status":"refunded"}',
            "Done: refund RF-0001 of 120.00 USD on order 1042.",
        ),
        (
            ORDER % "paid",
            "Done: order 17 (Office chair, Bilal Khan) is paid: 1,240.00 USD, 1,120.00 left to refund.",
        ),
        (
            ORDER % "cancelled",
            "Done: order 17 (Office chair, Bilal Khan) is cancelled. 1,120.00 USD of it is not refunded.",
        ),
        (
            '{"to":"bo@example.com","subject":"{to}","message_id":"<1@x>","status":"accepted by the mail server"}',
            'Done: the e-mail "{to}" to bo@example.com was accepted by the mail server.',
        ),
        ('{"path":"a.txt","bytes":5,"sha256":"00"}', "Done: a.txt is written (5 bytes)."),
        ('[{"name":"a","kind":"file","bytes":5},{"name":"b","kind":"folder","bytes":0}]', "Done: there is a, b."),
        ("[]", "Done: there is nothing here yet."),
        ('{"path":"a.txt","bytes":5}', 'Done: {"path":"a.txt","bytes":5}'),
        ("[1]", "Done: [1]"),
    ],
)
def test_a_known_result_is_told_in_a_sentence(result: str, told: str) -> None:
    """JSON is for machines; a result nobody described is shown as it is. Words from outside are never filled in."""
    asked = user("refund $50 on order 7")

    assert says(asked, bot(says(asked)), *results(result)).text == f"(rehearsal) {told}"


async def test_what_the_tools_really_answer_is_told_in_a_sentence(tools: dict[str, Tool]) -> None:
    """The sentences fit the shipped tools: none of them ends in JSON."""
    for line in ("refund $5 on order 7", "cancel order 17", "look up order 7", "write a to b.txt", "list files"):
        asked, reply = user(line), says(user(line))
        ran = [await run(tools[call.tool], json.loads(call.args), key=call.id + line) for call in reply.calls]

        told = says(asked, bot(reply), *results(*(each.text for each in ran))).text

        assert told.startswith("(rehearsal) Done: ")
        assert not set("{[") & set(told)


CORRECTIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("refund $50 on order 71", "it's order 17 not 71", {"order_id": 17}),
    ("refund $50 on order 71", "sorry, 17, not 71", {"order_id": 17}),
    ("refund $50 on order 71", "use order 17 instead", {"order_id": 17}),
    ("refund $50 on order 71", "make it $40", {"amount": 40}),
    ("refund $50 on order 71", "no, use 40.50 dollars instead", {"amount": 40.5}),
    ("email bo@example.com about lunch", "use cy@example.com instead", {"to": "cy@example.com"}),
    ("write a to b.txt", "use c.txt instead", {"path": "c.txt"}),
]


@pytest.mark.parametrize(("line", "correction", "change"), CORRECTIONS)
def test_a_correction_makes_a_new_call(line: str, correction: str, change: dict[str, Any]) -> None:
    """The old call was superseded; the new one differs in what was corrected."""
    first = says(user(line))
    told = (user(line), bot(first), *results("Not run: superseded."), user(correction, by="bo"))

    second = says(*told)
    last = says(*told, bot(second), *results('{"ok": true}'))

    assert wanted(second) == [(tool, args | change) for tool, args in wanted(first)]
    assert last.text == '(rehearsal) Done: {"ok": true}'


@pytest.mark.parametrize("line", ["go on", "it's order 17 not 71", "use $40 instead", "use c.txt instead"])
def test_with_nothing_to_correct_it_says_so(line: str) -> None:
    """No call out of thin air."""
    assert "nothing to correct" in says(user(line)).text


@pytest.mark.parametrize(("words", "amount"), [("go on", 50), ("Make it $40.", 40)])
def test_what_comes_with_a_run_that_is_handed_back_is_understood(words: str, amount: int) -> None:
    """ST-15: the sentence that the runtime puts in front of it is no part of it."""
    told = (user("refund $50 on order 71"), bot(says(user("refund $50 on order 71"))), *results("Not run: superseded."))

    again = says(*told, user(f"{BY_HAND} {words}", by="bo"))

    assert wanted(again) == [("refund", {"order_id": 71, "amount": amount, "reason": CHAT})]


def test_a_correction_of_another_order_changes_nothing() -> None:
    """Only the call it is about."""
    asked = user("refund $50 on order 7")
    reply = says(asked, bot(says(asked)), *results("Not run: superseded."), user("it's order 17 not 71"))

    assert reply.calls == ()


def test_a_remark_between_does_not_lose_the_result() -> None:
    """Thanks, while the call runs."""
    asked = user("refund $50 on order 7")
    reply = says(asked, bot(says(asked)), *results('{"refund_id":"RF-0001"}'), user("thanks!"))

    assert reply.text.startswith("(rehearsal) Done: ")


def test_it_explains_a_call_that_waits() -> None:
    """The Explain button: a reason, and no call."""
    asked = user("refund order 1042 120 because it came broken")
    reply = says(asked, bot(says(asked)), Spoken(role="user", text="Explain: why this call?"))

    assert "refund order 1042 120 because it came broken" in reply.text
    assert "refund with" in reply.text
    assert reply.calls == ()


def test_it_explains_a_call_that_is_only_told_about() -> None:
    """The question is put beside the run: the task, what was done, and the call, in one line of a new talk."""
    told = (
        'Task: refund order 7 5\nDone so far:\n- nothing\nWhat you said: hm\n\nExplain: why refund with {"order_id":7}?'
    )
    reply = says(Spoken(role="system", text="s"), Spoken(role="user", text=told))

    assert 'asked: "refund order 7 5"' in reply.text
    assert 'call refund with {"order_id":7}.' in reply.text
    assert reply.calls == ()


def test_words_of_people_stay_values() -> None:
    """T28: a reason full of quotes and braces is text in the arguments, not structure."""
    reply = says(user('refund order 7 5 because "}, {amount}: {task} \\'))

    assert wanted(reply) == [("refund", {"order_id": 7, "amount": 5, "reason": '"}, {amount}: {task} \\'})]


def test_a_playbook_with_a_mistake_is_refused_by_name(tmp_path: Path) -> None:
    """Unknown keys, bad patterns, an empty label."""
    text = SHIPPED.read_text()
    for old, new in [("scenes:", "scenez:"), ('"(rehearsal) "', '" "'), ("match: '^(?:task", "match: '(((?:task")]:
        path = tmp_path / "mine.yml"
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(ValueError, match=r"mine\.yml"):
            load(path)


async def test_it_speaks_http_on_loopback_with_and_without_a_stream() -> None:
    """What any OpenAI client expects."""
    body = {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "refund $5 on order 7"}]}]}
    async with RehearsalServer() as server, aiohttp.ClientSession() as web:
        assert server.base_url.startswith("http://127.0.0.1:")
        async with web.get(f"{server.base_url}/models") as models:
            assert (await models.json())["data"][0]["id"] == "rehearsal"
        async with web.post(f"{server.base_url}/chat/completions", json=body) as whole:
            choice = (await whole.json())["choices"][0]
        async with web.post(f"{server.base_url}/chat/completions", json=body | {"stream": True}) as streamed:
            text = await streamed.text()

    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "refund"
    assert text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"messages": 3}', b'{"messages": [3]}', b"[" * 10**5, b"\xff"])
async def test_a_broken_request_is_answered_with_400(body: bytes) -> None:
    """T06: no crash, no recursion."""
    async with (
        RehearsalServer() as server,
        aiohttp.ClientSession() as web,
        web.post(f"{server.base_url}/chat/completions", data=body) as answered,
    ):
        assert answered.status == 400


class Acting(Context):
    """A context with a real model over HTTP and real tools, and nobody in between."""

    def __init__(self, model: ChatCompletions, tools: dict[str, Tool]) -> None:
        super().__init__([])
        self._model, self._tools = model, tools

    async def think(
        self,
        lines: Sequence[Line],
        tools: Sequence[str] = (),
        *,
        model: str = "",  # noqa: ARG002  # the port's
        heeds: bool = False,  # noqa: ARG002
    ) -> Said:
        return await self._model.think(lines, [self._tools[name].spec for name in tools])

    async def use(self, wanted: Sequence[WantedCall], *, why: str = "") -> tuple[ToolResult, ...]:
        self.whys.append(why)
        return tuple([await run(self._tools[one.tool], json.loads(one.args), key=one.id) for one in wanted])


async def test_agent_model_and_tools_play_together(tools: dict[str, Tool]) -> None:
    """AS-06: two refunds from one sentence, over real HTTP, into a real shop."""
    agent = ReAct(name="a", prompt="p", tools=tuple(tools))
    async with (
        RehearsalServer() as server,
        ChatCompletions(base_url=server.base_url, api_key="k", name="m") as model,
    ):
        told = await agent(task("refund 17 and 71"), Acting(model, tools))

    assert told.count("Done: ") == 2
    assert "RF-0001" in told
    assert "RF-0002" in told
    assert json.loads((await run(tools["look_up_order"], {"order_id": 17})).text)["left"] == 0


def test_a_call_keeps_its_own_id_in_every_turn() -> None:
    """Two turns of one conversation never share a call id."""
    first = says(user("refund order 7"))
    second = says(user("refund order 7"), bot(first), *results('{"order_id": 7, "left": 3}'))

    ids = [call.id for reply in (first, second) for call in reply.calls]
    assert len(set(ids)) == 2
    assert all(isinstance(call, PlayedCall) for call in second.calls)


# ----------------------------------------------------------------- parts


def test_an_example_adds_scenes_that_only_its_own_agents_play(tmp_path: Path) -> None:
    """Two agents are told the same words, and each plays its part; whoever is neither plays what the book says."""
    part = tmp_path / "rehearsal.yml"
    part.write_text(
        "tries: [{line: write about tea, shows: a draft}]\n"
        "scenes:\n"
        "  - {name: writer, prompt: '^You write', match: '^look up order 7$', turns: [{say: A draft.}]}\n"
    )
    book = load(SHIPPED, part)

    writer = (Spoken(role="system", text="You write."), Spoken(role="user", text="[ana] look up order 7"))
    other = (Spoken(role="system", text="You look."), Spoken(role="user", text="[ana] look up order 7"))

    assert answer(book, writer) == Reply(text="(rehearsal) A draft.")
    assert [call.tool for call in answer(book, other).calls] == ["look_up_order"]
    assert book.tries[-1].line == "write about tea"


def test_a_scene_may_go_on_from_what_was_said_before(tmp_path: Path) -> None:
    """The newest line that it recalls, from before the last answer; without one it is not its scene."""
    part = tmp_path / "rehearsal.yml"
    part.write_text(
        "scenes:\n"
        "  - {name: again, recall: '^Draft: (?P<draft>.+)$', match: '^shorter$', turns: [{say: '{draft}, shorter'}]}\n"
    )
    book = load(SHIPPED, part)
    drafts = [user("write"), Spoken(role="assistant", text="Draft: one"), Spoken(role="assistant", text="Draft: two")]

    assert answer(book, [*drafts, user("shorter")]).text == "(rehearsal) two, shorter"
    assert "I do not know this line" in answer(book, [user("shorter")]).text


def test_an_optional_call_is_made_where_its_tool_is_offered(tmp_path: Path) -> None:
    """A model never calls what it was not told of."""
    part = tmp_path / "rehearsal.yml"
    part.write_text(
        "scenes:\n  - name: look\n    match: '^look$'\n    turns:\n      - calls:\n"
        "          - {tool: look_up_order, args: {order_id: 7}}\n"
        "          - {tool: lookup, is_optional: true, args: {question: x}}\n"
    )
    book = load(SHIPPED, part)

    def called(tools: Sequence[str] | None) -> list[str]:
        return [call.tool for call in answer(book, [user("look")], tools).calls]

    assert called(["look_up_order", "lookup"]) == called(None) == ["look_up_order", "lookup"]
    assert called(["look_up_order"]) == ["look_up_order"]


def test_a_mistake_in_an_examples_part_is_named_with_its_folder(tmp_path: Path) -> None:
    """Every part has the same file name."""
    (tmp_path / "tea").mkdir()
    part = tmp_path / "tea" / "rehearsal.yml"
    part.write_text("scenes: [{name: a, match: '(', turns: []}]\n")

    with pytest.raises(ValueError, match=r"^tea/rehearsal\.yml: '\(' is not a pattern"):
        load(SHIPPED, part)
