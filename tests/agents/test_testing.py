"""Simulated people for authors of agents: an agent is tested without chat, store, network or keys (AS-32, AU-18)."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from agents.react import ReAct
from agents.roster import assistant
from agents.testing import (
    NotReplayable,
    RealCredentials,
    Script,
    ScriptError,
    Somebody,
    accept,
    after,
    answer,
    approve,
    call,
    calls,
    edit,
    fill,
    hours,
    leave,
    minutes,
    press,
    proceed,
    rehearse,
    reject,
    revise,
    say,
    silence,
    take_over,
)
from agents.toolbox import tool
from agents.tools.people import people_tools
from agents.tools.shop import Shop, shop_tools
from bot.config import Settings
from bot.domain import inquiry, ports
from bot.domain.calls import Cause, Outcome, Risk
from bot.domain.credentials import REAL
from bot.domain.errors import BadSettings
from bot.domain.policy import Policy
from bot.domain.ports import Line, RunContext, Tool, WantedCall
from bot.domain.request import Kind, Request
from bot.domain.run import RunStatus, Task
from bot.domain.wire import loads
from bot.policyfile import parse_policy
from bot.rules import tools as tools_of

REFUND = call("refund", order_id=7, amount=40, reason="late")
NOT_SEPARATE = "{groups: [approvers]}"
TWO = "{groups: [{of: approvers, need: 2}], separate_duties: true}"


@pytest.fixture
def shop(tmp_path: Path) -> Sequence[Tool]:
    return shop_tools(Shop.open(tmp_path / "shop.db"))


@pytest.fixture
def agent() -> ReAct:
    """The shipped agent, with every tool it may hold here."""
    return assistant(("refund", "look_up_order", *(one.spec.name for one in people_tools())))


@pytest.fixture
def asker() -> ReAct:
    """The shipped agent, with nothing to hold but people."""
    return assistant(tuple(one.spec.name for one in people_tools()))


def rules(ask: str, ladder: str = "[{after: 4h, expire: true}]") -> Policy:
    return parse_policy(f"{{defaults: {{ladder: {ladder}}}, rules: [{{id: sign, ask: {ask}}}]}}".encode())


def approver(name: str, *answers: object, groups: Sequence[str] = ("approvers",)) -> Somebody:
    return Somebody(name, groups=groups, answers=answers)  # type: ignore[arg-type]  # whatever a test scripts


# ------------------------------------------------------------------ signing


async def test_the_shipped_agent_gets_its_call_signed_and_run_once(agent: ReAct, shop: Sequence[Tool]) -> None:
    """AS-05, AS-32: agent, person, message and runner, and a simulated person who signs: no chat, and it completes."""
    story = await rehearse(
        agent,
        "refund 40 for order 7",
        tools=shop,
        model=Script([calls(REFUND, why="It came late."), "Refunded."]),
        people=[approver("bo", approve())],
    )

    (ran,) = story.ran("refund")
    assert story.answer == "Refunded."
    assert story.status is RunStatus.DONE
    assert (ran.who, ran.why) == (("bo",), "default")
    assert loads(ran.text)["amount"] == 40
    assert [request.status for request in story.requests] == ["spent"]
    assert story.requests[0].why == "It came late."
    assert story.thought[1][-1].text == ran.text, "the model reads the result word for word"


async def test_a_rejection_reaches_the_agent_with_its_reason_and_runs_nothing(
    agent: ReAct, shop: Sequence[Tool]
) -> None:
    """D-46: the same call is not asked again at once; GN-02: the agent goes on and knows why."""
    story = await rehearse(
        agent,
        "refund",
        tools=shop,
        model=Script([REFUND, REFUND, "They said no."]),
        people=[approver("bo", reject("duplicate"))],
    )

    first, second = story.calls
    assert first.text == "Not run: rejected by bo. Reason: 'duplicate'"
    assert (first.outcome, first.cause, first.who) == (Outcome.NOT_RUN, Cause.PERSON, ("bo",))
    assert second.cause is Cause.REPEATED
    assert len(story.requests) == 1


async def test_silence_runs_the_ladder_to_its_end_and_is_told_as_such(agent: ReAct, shop: Sequence[Tool]) -> None:
    """D-01, AU-31: bo says nothing, chris has no script at all; the manager is reached, and says nothing either."""
    ladder = "[{after: 10m, remind: here}, {after: 30m, dm: managers}, {after: 4h, expire: true}]"
    story = await rehearse(
        agent,
        "refund",
        tools=shop,
        policy=rules(NOT_SEPARATE, ladder),
        model=Script([REFUND, "Nobody answered."]),
        people=[approver("bo", silence()), approver("chris"), Somebody("dana", groups={"managers"})],
    )

    assert story.calls[0].text == "Not run: nobody answered in time. Nobody refused it either."
    assert story.requests[0].standins == ("dana",)
    assert [line.split("  ")[0] for line in story.transcript().splitlines()[-4:]] == [
        *("Mon 09:30:00", "Mon 13:00:00", "Mon 13:00:00", "Mon 13:00:00")
    ]


async def test_an_answer_comes_when_the_script_says_and_not_after_the_deadline(
    agent: ReAct, shop: Sequence[Tool]
) -> None:
    """AU-18: a person who takes five minutes, and one who is four hours late: at the deadline it is too late."""
    for wait, outcome in ((minutes(5), Outcome.OK), (hours(4), Outcome.NOT_RUN)):
        story = await rehearse(
            agent,
            "refund",
            tools=shop,
            policy=rules(NOT_SEPARATE),
            model=Script([REFUND, "Done."]),
            people=[approver("bo", after(wait, approve()))],
        )

        assert story.calls[0].outcome is outcome
        assert story.requests[0].decision is not None
        assert story.requests[0].decision.at - story.requests[0].opened == wait


async def test_whom_the_ladder_reaches_may_sign(agent: ReAct, shop: Sequence[Tool]) -> None:
    """CD-09: dana is asked after half an hour, and answers in her minute."""
    ladder = "[{after: 30m, dm: manager(approver)}, {after: 4h, expire: true}]"
    bo = Somebody("bo", groups={"approvers"}, manager="dana")
    story = await rehearse(
        agent,
        "refund",
        tools=shop,
        policy=rules(NOT_SEPARATE, ladder),
        model=Script([REFUND, "Done."]),
        people=[bo, Somebody("dana", answers=[approve()])],
    )

    assert story.calls[0].who == ("dana",)


async def test_a_quorum_waits_for_different_people_and_never_for_whoever_asked(
    agent: ReAct, shop: Sequence[Tool]
) -> None:
    """I4, I5: ana is an approver and asked for it herself; bo and chris sign, and ana's answer is never wanted."""
    people = [approver("ana", approve()), approver("bo", approve()), approver("chris", approve())]
    story = await rehearse(
        agent, "refund", tools=shop, policy=rules(TWO), model=Script([REFUND, "Done."]), people=people
    )

    assert story.calls[0].who == ("bo", "chris")
    assert story.unused == {"ana": ("approve()",)}


async def test_a_request_that_nobody_could_ever_sign_is_not_asked(agent: ReAct, shop: Sequence[Tool]) -> None:
    """One approver, two wanted: the agent is told at once, in the bot's own words."""
    story = await rehearse(
        agent, "x", tools=shop, policy=rules(TWO), model=Script([REFUND, "No."]), people=[approver("bo")]
    )

    assert story.calls[0].cause is Cause.UNSATISFIABLE
    assert "it needs 2 of approvers, and not enough people are there" in story.calls[0].text
    assert story.requests == ()


async def test_a_changed_call_is_judged_again_and_runs_as_changed(agent: ReAct, shop: Sequence[Tool]) -> None:
    """AS-03, D-25: where one signature is enough, the editor's version runs; where duties are separate, others sign."""
    for ask, people, who in (
        (NOT_SEPARATE, [approver("bo", edit(amount=30))], "bo"),
        ("{groups: [approvers], separate_duties: true}",
         [approver("bo", edit(amount=30)), approver("chris", after(minutes(9), approve()))], "chris"),
    ):  # fmt: skip
        story = await rehearse(
            agent, "x", tools=shop, policy=rules(ask), model=Script([REFUND, "Done."]), people=people
        )

        assert story.calls[0].args["amount"] == 30
        assert story.calls[0].who == (who,)
        old, new = story.requests
        assert (old.status, old.replaced_by, new.replaces) == ("superseded", new.id, old.id)


# ---------------------------------------------------------------- inquiries


async def test_several_people_answer_one_run_each_under_their_own_name(asker: ReAct) -> None:
    """AS-39: the technical question goes to tess, the business one to bert, and both stand in one history."""
    story = await rehearse(
        asker,
        "plan it",
        model=Script(
            [
                call("ask_people", question="Which server?", options=["a", "b"], of="technical"),
                call("ask_people", question="Which budget?", of="business"),
                "Both are known.",
            ]
        ),
        people=[
            Somebody("tess", groups={"technical"}, answers=[answer("b")]),
            Somebody("bert", groups={"business"}, answers=[answer("1,000")]),
        ],
    )

    assert [(one.who, one.text) for one in story.calls] == [
        (("tess",), "tess answered. Their answer: 'b'"),
        (("bert",), "bert answered. Their answer: '1,000'"),
    ]


async def test_a_form_a_draft_and_a_plan_are_answered_as_people_would(asker: ReAct) -> None:
    """AS-26, GN-24: a form with typed values; a draft that is revised, accepted, or written by a person; a plan."""
    schema = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}
    story = await rehearse(
        asker,
        "write it",
        model=Script(
            [
                call("fill_form", question="How much?", schema=schema),
                call("review_draft", draft="Hi"),
                call("review_draft", draft="Dear all"),
                call("review_draft", draft="Bye", name="second"),
                call("propose_plan", goal="send it", steps=["send"]),
                "Done.",
            ]
        ),
        people=[
            Somebody(
                "ana",
                answers=[fill(amount="45.10"), revise("more formal"), accept(), take_over("Farewell"), proceed()],
            )
        ],
    )

    assert [loads(one.answer).get("move") for one in story.calls] == [
        *("fill", "revise", "accept", "take_over", "proceed")
    ]
    assert loads(story.calls[0].answer)["values"] == {"amount": 45.1}
    assert "'more formal'" in story.calls[1].text
    assert "'Farewell'" in story.calls[3].text


NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}}
ASKED = {
    Kind.QUESTION: call("ask_people", question="Which?", options=["red", "blue"]),
    Kind.FORM: call("fill_form", question="How many?", schema=NUMBER),
    Kind.REVIEW: call("review_draft", draft="Hi"),
    Kind.PLAN: call("propose_plan", goal="paint", steps=["scrape", "paint"]),
    Kind.ESCALATION: call("escalate", reason="a threat", context="order 7", suggestion="call her"),
    Kind.HANDOFF: call("handoff_to_user", message="Go on?"),
}  # fmt: skip


async def offered(asked: WantedCall) -> list[tuple[str, dict[str, object]]]:
    """Every button of what is asked, with something in each of its fields."""
    found: list[Request] = []

    def look(request: Request) -> object:
        found.append(request)
        return silence()

    asker = assistant(tuple(one.spec.name for one in people_tools()))
    await rehearse(asker, "x", model=Script([asked, "Done."]), people=[approver("ana", look)])
    (request,) = found
    return [
        (one.move, {field.name: field.value or (field.options[0] if field.options else "7") for field in one.fields})
        for one in inquiry.choices(request)
    ]


@pytest.mark.parametrize("kind", list(ASKED), ids=str)
async def test_every_way_to_answer_is_a_button(asker: ReAct, kind: Kind) -> None:
    """AS-31: whatever an agent may ask, each of its ends is reached by a press alone, and reaches the agent."""
    moves = await offered(ASKED[kind])
    assert len(moves) >= 2

    for move, fields in moves:
        ana = Somebody("ana", answers=[press(move, **fields)])
        story = await rehearse(asker, "x", model=Script([ASKED[kind], "Done."]), people=[ana])

        assert story.calls[0].outcome is Outcome.OK
        assert story.requests[0].status == "answered"
        assert loads(story.calls[0].answer)["move"] == move


@pytest.mark.parametrize(
    ("options", "moves"),
    [
        (["red", "green", "blue"], ["pick_a", "pick_b", "pick_c", "write", "leave"]),
        ([f"colour {number}" for number in range(12)], ["choose", "write", "leave"]),
        (["x" * 90, "y"], ["pick_a", "pick_b", "write", "leave"]),
    ],
    ids=["few", "many", "long"],
)
async def test_few_options_are_buttons_and_many_are_a_list(asker: ReAct, options: list[str], moves: list[str]) -> None:
    """ST-39: three are buttons, twelve are a list, and 90 characters are a short button, read whole above it."""
    asked = call("ask_people", question="Which?", options=options)

    story = await rehearse(
        asker, "x", model=Script([asked, "Done."]), people=[Somebody("ana", answers=[answer(options[0])])]
    )

    assert [move for move, _ in await offered(asked)] == moves
    assert options[0] in story.calls[0].text
    assert all(option in str(story.requests[0].call.values) for option in options)


async def test_a_handoff_tells_a_no_apart_and_a_yes_signs_nothing(agent: ReAct, shop: Sequence[Tool]) -> None:
    """ST-28, D-27: the status says that it was delivered, the input says what was decided; the call is asked about."""
    ask = call("handoff_to_user", message="Refund 40?")
    for said, then in (("yes", silence()), ("no", silence())):
        story = await rehearse(
            agent,
            "x",
            tools=shop,
            policy=rules(NOT_SEPARATE),
            model=Script([ask, REFUND, "Done."]),
            people=[approver("ana", press(said), then)],
        )

        told = loads(story.calls[0].text)
        assert (told["status"], told["user_input"]) == ("SUCCESS", said)
        assert story.ran("refund") == ()
        assert len(story.requests) == 2, "the refund has its own card"


async def test_a_handoff_that_does_not_wait_approves_nothing_beside_it(agent: ReAct, shop: Sequence[Tool]) -> None:
    """ST-29: one turn hands over for good and wants a refund: the refund is asked about, and not approved."""
    turn = calls(call("handoff_to_user", message="Approved, yes.", breakout_of_loop=True), REFUND)

    policy, bo = rules(NOT_SEPARATE), approver("bo")
    story = await rehearse(agent, "x", tools=shop, policy=policy, model=Script([turn]), people=[bo])

    assert story.answer == "Approved, yes."
    assert [one.outcome for one in story.calls] == [Outcome.OK, Outcome.NOT_RUN]
    assert [request.kind for request in story.requests] == [Kind.APPROVAL]


async def test_a_plan_signs_none_of_its_steps(agent: ReAct, shop: Sequence[Tool]) -> None:
    """ST-35, D-47: the plan is approved, its first step signed, its second rejected; the third is asked about, too."""
    plan = call("propose_plan", goal="pay three", steps=["7", "17", "71"])
    steps = [call("refund", order_id=order, amount=10, reason="late") for order in (7, 17, 71)]
    story = await rehearse(
        agent,
        "pay them",
        tools=shop,
        policy=rules(NOT_SEPARATE),
        model=Script([plan, *steps, "Done."]),
        people=[Somebody("ana", answers=[proceed()]), approver("bo", approve(), reject("not this"), approve())],
    )

    assert [one.args["order_id"] for one in story.ran("refund")] == [7, 71]
    assert len(story.requests) == 4


async def test_an_agent_without_any_other_tool_can_hand_over_to_people() -> None:
    """GN-23, GN-04: nothing but `escalate`: the manager of whoever asked is the one who is asked."""
    story = await rehearse(
        assistant(("escalate",)),
        "answer the complaint",
        model=Script([call("escalate", reason="a threat", context="order 7", suggestion="call her"), "Handed over."]),
        people=[Somebody("ana", manager="dana"), Somebody("dana", answers=[press("follow")])],
    )

    assert story.calls[0].who == ("dana",)
    assert "Do what you suggested: 'call her'" in story.calls[0].text


async def test_a_rehearsed_question_has_its_default() -> None:
    """AS-21: what an agent of code declares is used when nobody answers, and only then; words are no answer here."""

    class Painter:
        name, tools = "painter", ("ask_people",)

        async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # the port's signature
            return (await ctx.ask("Which colour?", options=("red", "blue"), default="blue", may_write=False)).text

    for answers, told in (([silence()], "The default you declared is used: 'blue'"), ([press("pick_a")], "'red'")):
        story = await rehearse(Painter(), "paint", people=[Somebody("ana", answers=answers)])
        assert told in story.answer
    with pytest.raises(ScriptError):
        await rehearse(Painter(), "paint", people=[Somebody("ana", answers=[press("write", text="green")])])


async def test_a_plan_that_is_not_approved_starts_no_work(shop: Sequence[Tool]) -> None:
    """A2-02, D-22: an agent that asks before it begins does nothing after "do not proceed", nor after silence."""

    class Planner:
        name, tools = "planner", ("propose_plan", "refund")

        async def __call__(self, task: Task, ctx: RunContext) -> str:
            (plan,) = await ctx.use((call("propose_plan", goal=task.text, steps=["refund 7"]),))
            if plan.outcome is not Outcome.OK or loads(plan.answer)["move"] == "leave":
                return "Not begun."
            await ctx.use((REFUND,))
            return "Begun."

    for answers, told, work in (([leave()], "Not begun.", 0), ([], "Not begun.", 0), ([proceed()], "Begun.", 1)):
        people = [Somebody("ana", answers=answers), approver("bo", approve())]
        story = await rehearse(Planner(), "pay", tools=shop, people=people)

        assert story.answer == told
        assert len(story.ran("refund")) == work


# ------------------------------------------------------------------ talking


async def test_a_reply_withdraws_what_waits_and_reaches_the_agent_first(agent: ReAct, shop: Sequence[Tool]) -> None:
    """AU-30, D-38: "order 17, not 7": the old request is void, the agent reads the reply and asks anew."""
    other = call("refund", order_id=17, amount=40, reason="late")
    story = await rehearse(
        agent,
        "refund 40 for order 7",
        tools=shop,
        policy=rules(NOT_SEPARATE),
        model=Script([REFUND, other, "Done."]),
        people=[Somebody("ana", answers=[say("order 17, not 7")]), approver("bo", after(minutes(5), approve()))],
    )

    assert [request.status for request in story.requests] == ["superseded", "spent"]
    assert story.ran("refund")[0].args["order_id"] == 17
    assert "[ana] order 17, not 7" in [line.text for line in story.thought[1]]


async def test_words_are_read_as_the_bot_reads_them(agent: ReAct, shop: Sequence[Tool]) -> None:
    """GN-07, ST-32, D-24: "Yes" signs where the rule takes words; "yess" and "yes but not now" sign nothing."""
    for text, ran in (("Yes", 1), ("yess", 0), ("yes but not now", 0)):
        story = await rehearse(
            agent,
            "x",
            tools=shop,
            policy=rules("{groups: [approvers], words: true}"),
            model=Script([REFUND, "Done.", "Done."]),
            people=[approver("bo", say(text))],
        )

        assert len(story.ran("refund")) == ran


async def test_a_word_does_not_sign_where_the_rule_wants_the_button(agent: ReAct, shop: Sequence[Tool]) -> None:
    """CD-06: it does nothing, the request stays, and the button works."""
    story = await rehearse(
        agent, "x", tools=shop, policy=rules(NOT_SEPARATE), model=Script([REFUND, "Done."]),
        people=[approver("bo", say("approve"), approve())],
    )  # fmt: skip

    assert "'approve' signs nothing" in story.transcript()
    assert story.calls[0].who == ("bo",)


async def test_stop_ends_the_run_and_closes_what_waits(agent: ReAct, shop: Sequence[Tool]) -> None:
    """AS-16: whoever says it is named, and the agent says nothing more."""
    story = await rehearse(
        agent, "x", tools=shop, model=Script([REFUND, "Never said."]), people=[approver("bo", say("stop"))]
    )

    assert (story.answer, story.status) == ("Stopped by bo.", RunStatus.STOPPED)
    assert [request.status for request in story.requests] == ["cancelled"]
    assert len(story.thought) == 1


# ------------------------------------------------------- scripts that do not fit


async def test_an_answer_that_does_not_fit_is_told_with_what_would(asker: ReAct) -> None:
    """The test's own mistake: whose, about what, and what could stand there instead."""
    asked = call("ask_people", question="Which?", options=["red", "blue"], may_write=False)

    with pytest.raises(ScriptError) as told:
        await rehearse(asker, "x", model=Script([asked]), people=[Somebody("ana", answers=[approve()])])

    assert str(told.value) == (
        "ana is asked question q-1: Which? and the test says approve(): That is not one of the answers to this. "
        "What would fit: press('pick_a') for “red”, press('pick_b') for “blue”, press('leave') for “You decide”, "
        "say(…), silence()"
    )


@pytest.mark.parametrize(
    ("ask", "given", "told"),
    [
        ("{groups: [approvers], reason: on_reject}", reject(), "the rule wants a reason"),
        ("{groups: [approvers], reason: always}", approve(), "the rule wants a reason"),
        ("{groups: [approvers], type: reason}", approve(), "Please type the value of reason."),
        ("{groups: [approvers], type: reason}", approve(typed="wrong"), "not the value of reason"),
        (NOT_SEPARATE, edit(amount=-1), "amount"),
        (NOT_SEPARATE, edit(amount=40), "it changes nothing"),
        (NOT_SEPARATE, answer("yes"), "it is no answer to a signature"),
    ],
)
async def test_what_the_bot_would_refuse_is_no_answer_here_either(
    agent: ReAct, shop: Sequence[Tool], ask: str, given: object, told: str
) -> None:
    """A2-05, ST-43: reasons, typed values and arguments are judged by the same floor."""
    with pytest.raises(ScriptError, match=told):
        await rehearse(
            agent, "x", tools=shop, policy=rules(ask), model=Script([REFUND]), people=[approver("bo", given)]
        )


async def test_a_high_risk_call_is_read_before_it_is_signed(agent: ReAct, shop: Sequence[Tool]) -> None:
    """T19: the simulated person opens the details first, as the bot demands of everybody."""
    story = await rehearse(
        agent, "x", tools=shop, policy=rules("{groups: [approvers], high: true}"),
        model=Script([REFUND, "Done."]), people=[approver("bo", approve())],
    )  # fmt: skip

    assert story.requests[0].looked == ("bo",)
    assert story.calls[0].outcome is Outcome.OK


async def test_a_model_whose_script_is_over_says_what_it_last_read(agent: ReAct, shop: Sequence[Tool]) -> None:
    with pytest.raises(ScriptError, match=r"asked for answer 2, its script has 1; it last read 'tool: Not run: nobody"):
        await rehearse(agent, "x", tools=shop, model=Script([REFUND]), people=[approver("bo")])


async def test_a_run_that_would_wait_for_ever_is_told(agent: ReAct, shop: Sequence[Tool]) -> None:
    """ST-41: a rule without an end is answered by people alone; a test without an answer would hang."""
    with pytest.raises(ScriptError, match="the run waits for ever: nobody has an answer left"):
        await rehearse(
            agent, "x", tools=shop, policy=rules(NOT_SEPARATE, "[{after: 7d, review: here}]"),
            model=Script([REFUND, "Done."]), people=[approver("bo")],
        )  # fmt: skip


# --------------------------------------------------------------------- replay


async def test_an_agent_is_called_again_after_every_step_and_does_nothing_twice(
    agent: ReAct, shop: Sequence[Tool]
) -> None:
    """AS-09, I2: with a restart after each step the story is the same, and the refund is paid once."""
    stories = []
    for restarts in (False, True):
        model = Script([call("look_up_order", order_id=7), calls(REFUND, call("look_up_order", order_id=17)), "Done."])
        people = [approver("bo", approve()), Somebody("ana", answers=[say("go on")])]
        ask = rules("{groups: [approvers]}")
        stories.append(
            await rehearse(agent, "x", tools=shop, model=model, people=people, policy=ask, restarts=restarts)
        )

    once, again = stories
    assert again.answer == once.answer
    assert [(one.tool, one.outcome) for one in again.calls] == [(one.tool, one.outcome) for one in once.calls]
    assert len(again.thought) == len(once.thought), "a turn of the model is never asked for twice"


class Coded:
    """An agent of code. `deed` is what it does with its context."""

    name, tools = "coded", ("refund",)

    def __init__(self, deed: object) -> None:
        self.deed = deed

    async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # the port's
        return str(await self.deed(ctx))  # type: ignore[operator]  # a coroutine function of the test's own


async def test_every_step_of_a_context_is_answered_from_the_journal(shop: Sequence[Tool]) -> None:
    """Time, chance, notes, sleep and branches: with restarts the same, in order, each once."""

    async def branch(ctx: RunContext, amount: int) -> str:
        (paid,) = await ctx.use((call("refund", order_id=7, amount=amount, reason="late"),))
        return paid.outcome

    async def deed(ctx: RunContext) -> object:
        began = await ctx.now()
        await ctx.sleep(hours(2))
        await ctx.note(f"slept {await ctx.now() - began}")
        either = await ctx.gather(branch(ctx, 10), branch(ctx, 20))
        asked = await ctx.ask("Enough?", options=["yes"])
        return [await ctx.random() > 1, either, loads(asked.answer)["move"]]

    people = [Somebody("ana", answers=[answer("yes")]), approver("bo", approve(), reject("no"))]
    port: ports.Agent = Coded(deed)
    story = await rehearse(port, "x", tools=shop, people=people, restarts=True)

    assert story.answer == "[False, (<Outcome.OK: 'ok'>, <Outcome.NOT_RUN: 'not_run'>), 'pick_a']"
    assert story.said == ("slept 2:00:00",)
    assert [one.args.get("amount") for one in story.calls] == [10, 20, None]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: itertools.count(1).__next__, "step /0 was 'note 2' and is 'note 3' when the agent is called again"),
        (lambda: random.random, "step /0 was 'note "),
    ],
    ids=["counts its calls", "rolls its own dice"],
)
async def test_an_agent_that_is_not_safe_to_replay_is_told_which_step(make: object, told: str) -> None:
    """It works as long as nothing happens to its process; called again it asks for something else."""
    source = make()  # type: ignore[operator]  # a maker of the table's

    async def deed(ctx: RunContext) -> str:
        await ctx.note(f"{source()}")
        return "done"

    assert (await rehearse(Coded(deed), "x")).answer == "done"
    with pytest.raises(NotReplayable, match=told):
        await rehearse(Coded(deed), "x", restarts=True)


async def test_an_agent_that_forgets_a_step_or_changes_its_answer_is_told() -> None:
    """A step that is not asked for any more, and an answer that depends on how often it was given."""
    calls_made = itertools.count(1)

    async def forgets(ctx: RunContext) -> str:
        if next(calls_made) < 3:
            await ctx.note("once")
        return "done"

    async def wavers(_ctx: RunContext) -> str:
        return f"answer {next(calls_made)}"

    with pytest.raises(NotReplayable, match=r"step /0 \(note once\) was done, and is not asked for"):
        await rehearse(Coded(forgets), "x", restarts=True)
    with pytest.raises(NotReplayable, match="called again, coded answers 'answer 5' and no longer 'answer 4'"):
        await rehearse(Coded(wavers), "x", restarts=True)


async def test_the_same_script_is_the_same_story(agent: ReAct, shop: Sequence[Tool]) -> None:
    """Deterministic to the last line, however many branches there are."""

    async def once() -> str:
        turn = calls(*(call("look_up_order", order_id=order) for order in (7, 17, 71)), call("escalate", reason="x"))
        people = [Somebody("ana", answers=[after(minutes(3), press("take"))])]
        return (await rehearse(agent, "x", tools=shop, model=Script([turn, "Done."]), people=people)).transcript()

    assert await once() == await once()


async def test_the_agents_own_error_is_raised_as_it_is() -> None:
    async def fails(_ctx: RunContext) -> str:
        raise LookupError("of the agent's own")

    with pytest.raises(LookupError, match="of the agent's own"):
        await rehearse(Coded(fails), "x")


# --------------------------------------------------------------------- safety


@pytest.mark.parametrize("name", [*REAL, "NEBIUS_API_KEY"])
async def test_simulated_people_do_not_answer_beside_real_credentials(
    monkeypatch: pytest.MonkeyPatch, asker: ReAct, name: str
) -> None:
    """D-49, AS-32: named, without its value; a placeholder opens nothing, and so is no reason."""
    monkeypatch.setenv(name, "your-api-key-here")
    assert (await rehearse(asker, "x", model=Script(["Hello."]))).answer == "Hello."

    monkeypatch.setenv(name, "scheme://us:s3cr3t-and-real-0123456789@host")
    with pytest.raises(RealCredentials, match=f"unset {name}, then test again") as told:
        await rehearse(asker, "x", model=Script(["Hello."]))
    assert "s3cr3t" not in str(told.value)


async def test_what_the_agents_file_calls_secret_is_a_real_credential(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asker: ReAct
) -> None:
    """D-49: keys of models and servers have whatever names people gave them; included files count, each read once."""
    (tmp_path / "more").mkdir()
    (tmp_path / "crew.yml").write_text(
        'include: [more/*.yml]\nmodels: {a: {base_url: "https://m.example/v1", key: "secret:MINE"}}\n'
    )
    (tmp_path / "more" / "mcp.yml").write_text(
        'include: [../crew.yml]\nmcp: {docs: {url: "https://d.example", headers: {Authorization: "secret:DOCS"}}}\n'
    )
    for name in ("MINE", "DOCS", "OTHERS"):
        monkeypatch.setenv(name, "s3cr3t-and-real-0123456789")
    assert (await rehearse(asker, "x", model=Script(["Hello."]))).answer == "Hello."

    monkeypatch.setenv("COUNTERSIGN_AGENTS", str(tmp_path / "crew.yml"))
    with pytest.raises(RealCredentials, match="unset DOCS, MINE, then test again"):
        await rehearse(asker, "x", model=Script(["Hello."]))


async def test_a_store_without_a_password_is_no_credential(monkeypatch: pytest.MonkeyPatch, asker: ReAct) -> None:
    """D-49: REDIS_URL stands in many a test's environment, and nobody here opens it; its password is one."""
    monkeypatch.setenv("REDIS_URL", "redis://localhost:6379/0")

    assert (await rehearse(asker, "x", model=Script(["Hello."]))).answer == "Hello."


@pytest.mark.parametrize(
    "named", ["agents.testing:Script", "agents.tryout.cast:approve", "pretend_tools:bo", "pretend_tools:all"]
)
def test_no_configuration_may_name_simulated_people(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str
) -> None:
    """D-49, AS-32: neither by name nor through a module that passes them on; the bot does not start."""
    (tmp_path / "pretend_tools.py").write_text(
        "from agents.testing import Script, Somebody\nbo = Somebody('bo')\nall = [Script([])]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = Settings(COUNTERSIGN_VAR=tmp_path / "var", COUNTERSIGN_TOOLS=named)

    with pytest.raises(BadSettings, match="simulated people are for tests alone"):
        tools_of(settings)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"policy": "rules: []"}, 'policy is a str; write policy=read_policy(Path("policy.yml")) or parse_policy('),
        ({"tools": "restart"}, "tools is a str; write a list: tools=[restart]"),
        ({"tools": [len]}, "tools holds 'len', which is no tool; put @tool above the function"),
        ({"people": ["bo"]}, "people holds 'bo'; write Somebody(\"bo\", answers=[approve()])"),
        ({"people": "bo"}, "people is a str; write a list"),
        ({"tool": []}, "rehearse takes no 'tool'; did you mean tools?"),
        ({"zzz": 1}, "rehearse takes no 'zzz'; it takes tools, model, people, policy"),
    ],
)
async def test_what_a_rehearsal_cannot_take_is_told_with_what_it_can(
    asker: ReAct, setting: dict[str, object], told: str
) -> None:
    """AS-32: the author's first slip is one sentence of their own test, not an error from inside of ours."""
    with pytest.raises(ScriptError) as refused:
        await rehearse(asker, "x", model=Script(["Hello."]), **setting)  # type: ignore[arg-type]  # the slip under test

    assert str(refused.value).startswith(told)


async def test_a_tool_that_the_test_forgot_is_told_with_how_to_pass_it() -> None:
    """AS-32."""
    careful = ReAct(name="careful", prompt="You look after servers.", tools=("restart",))

    with pytest.raises(ScriptError) as refused:
        await rehearse(careful, "x", model=Script(["Hello."]))

    assert str(refused.value).startswith(
        "careful has the tool 'restart', and the test gave it no such one: rehearse(…, tools=[restart]); there are "
    )


@tool(risk=Risk.WRITE)
def shout(text: str) -> str:
    """Say it loudly."""
    return text.upper()


async def test_a_model_may_be_a_function_of_what_it_read() -> None:
    """The second turn depends on the first result; a wrong call goes back to the model, and bothers nobody."""

    def second(lines: Sequence[Line]) -> str:
        return f"I read: {lines[-1].text}"

    loud = ReAct(name="loud", prompt="Be loud.", tools=("shout",))
    story = await rehearse(
        loud, "x", tools=[shout], model=Script([call("shout", words="hi"), second]), people=[approver("bo")]
    )

    assert story.answer.startswith("I read: Not run: ")
    assert story.calls[0].cause is Cause.INVALID
    assert story.requests == ()
