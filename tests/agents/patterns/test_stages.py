"""One after the other, in phases, in a review loop: people between, and nothing goes on without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from agents.patterns.person import Person
from agents.patterns.phases import Phases
from agents.patterns.review_loop import ReviewLoop
from agents.patterns.sequential import Sequential
from agents.react import ReAct
from agents.testing import (
    Act,
    Script,
    Somebody,
    Story,
    accept,
    approve,
    call,
    press,
    rehearse,
    revise,
    say,
    silence,
    take_over,
)
from agents.toolbox import tool
from bot.domain import inquiry
from bot.domain.calls import Risk
from bot.domain.ports import Agent, RunContext
from bot.domain.request import Request
from bot.domain.run import RunStatus, Task
from bot.policyfile import parse_policy


@dataclass
class Says:
    """An agent of code: says its next words, and keeps what it read."""

    name: str
    words: Sequence[str]
    tools: tuple[str, ...] = ()
    read: list[str] = field(default_factory=list)

    async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # the port's signature
        self.read.append(task.text)
        return self.words[min(len(self.read), len(self.words)) - 1]


async def play(agent: Agent, *acts: Act, by: str = "ana") -> Story:
    return await rehearse(agent, "announce it", people=[Somebody(by, answers=acts)])


def between(*words: str, **person: object) -> tuple[Sequential, Says, Says]:
    """A writer, a person, an editor."""
    writer, editor = Says("writer", words), Says("editor", ["edited"])
    reviewer = Person(name="human_reviewer", **person)  # type: ignore[arg-type]  # fields of a person
    return Sequential(name="team", members=(writer, reviewer, editor)), writer, editor


# --------------------------------------------------------------- sequential


async def test_a_draft_that_is_accepted_goes_on_and_the_last_words_are_the_answer() -> None:
    """GN-16, A2-14: the draft is marked as one; what the editor says is not."""
    team, _, editor = between("draft one")

    story = await play(team, accept())

    assert story.answer == "edited"
    assert story.said == ("Draft – awaiting review\n\ndraft one", "edited")
    assert "[writer, an agent] draft one" in editor.read[0]


async def test_a_draft_that_is_not_accepted_reaches_nobody_else() -> None:
    """GN-16: rejected, the editor is not called; the answer says what became of it."""
    team, _, editor = between("draft one")

    story = await play(team, press("leave", text="not now"))

    assert not editor.read
    assert story.answer == (
        "ana wants no further version. Its status is: unaccepted. Nothing went on. They say: 'not now'"
    )


async def test_the_editor_gets_the_draft_as_people_wrote_it() -> None:
    """GN-16: edited, and nothing else is what goes on."""
    team, _, editor = between("draft one")

    await play(team, take_over("draft by ana"))

    assert editor.read[0].endswith("[human_reviewer] Use exactly this instead:\ndraft by ana")


async def test_feedback_goes_back_to_the_last_agent_before_that_person() -> None:
    """A2-09: the maker gets the notes, and the next version is looked at again."""
    team, writer, editor = between("one", "two", does="check", criteria="No typos.")

    story = await play(team, revise("typo"), accept())

    assert writer.read[1].endswith("[human_reviewer] typo")
    assert [request.call.values["draft"] for request in story.requests] == ["one", "two"]
    assert len(editor.read) == 1


async def test_silence_at_a_review_ends_the_work_there() -> None:
    """D-01: nobody looked, nothing went on."""
    team, _, editor = between("one")

    story = await play(team, silence())

    assert not editor.read
    assert story.answer.startswith("Nobody decided it as human_reviewer, so nothing went on.")


async def test_a_flag_puts_a_look_after_a_step() -> None:
    """A2-03: after step 2, and after no other."""
    steps = [Says(f"step{n}", [f"words {n}"]) for n in (1, 2, 3)]
    team = Sequential(name="team", members=tuple(steps), look_after=("step2",))

    story = await play(team, accept())

    assert [request.call.values["draft"] for request in story.requests] == ["words 2"]
    assert story.answer == "words 3"


async def test_rounds_of_feedback_end_at_a_card_that_says_so() -> None:
    """AU-13, D-09, D-37: three drafts and three times words back are six turns; then extend, take over or end."""
    team, writer, editor = between("one", "two", "three", "four")
    seen: list[list[str]] = []

    def look(move: str, **fields: object) -> object:
        def act(request: Request) -> Act:

            seen.append([choice.move for choice in inquiry.choices(request)])
            return press(move, **fields)

        return act

    acts = [look("revise", text="a"), look("revise", text="b"), look("more", text="c"), look("leave")]
    story = await rehearse(team, "plan it", people=[Somebody("ana", answers=acts)])  # type: ignore[arg-type]  # functions

    assert seen[2] == ["accept", "more", "use", "take_over", "leave"]
    assert len(writer.read) == 4
    assert not editor.read
    assert "unaccepted" in story.answer


async def test_a_member_that_people_ended_ends_the_whole() -> None:
    """D-37: out of steps, and ended: nobody after it is called."""
    writer = ReAct(name="writer", prompt="Write.", max_steps=1, tools=("ask_people",))
    editor = Says("editor", ["edited"])
    team = Sequential(name="team", members=(writer, editor))

    story = await rehearse(
        team,
        "announce it",
        model=Script([call("ask_people", question="Whom?")]),
        people=[Somebody("ana", answers=[press("write", text="all"), press("end")])],
    )

    assert not editor.read
    assert story.answer.startswith("I stopped before I was finished.")


async def test_stop_ends_every_member() -> None:
    """AS-04: said while the second waits, the third is never called."""
    team, _, editor = between("one")

    story = await play(team, say("stop"))

    assert story.status is RunStatus.STOPPED
    assert not editor.read


@pytest.mark.parametrize(
    ("members", "more", "why"),
    [
        ((), {}, "has no members"),
        ((Person(name="qa"),), {}, "stands first"),
        ((Says("a", ["x"]),), {"look_after": ("b",)}, "not among its members a"),
    ],
)
def test_a_sequence_that_nobody_could_follow_is_refused(
    members: tuple[Agent, ...], more: dict[str, object], why: str
) -> None:
    """A mistake is found when it is declared."""
    with pytest.raises(ValueError, match=why):
        Sequential(name="team", members=members, **more)  # type: ignore[arg-type]  # fields of a sequence


async def test_patterns_nest_and_each_keeps_its_rounds_to_itself() -> None:
    """A pattern is only an agent: its answer is its words, and what its members said stays inside."""
    inner, _, _ = between("one")
    last = Says("last", ["done"])

    story = await play(Sequential(name="outer", members=(inner, last)), accept())

    assert story.answer == "done"
    assert last.read == ["announce it\n\n[team, an agent] edited"]


# ------------------------------------------------------------------- phases


def three(*more: Says) -> tuple[Phases, Sequence[Says]]:
    workers = more or tuple(Says(f"w{n}", [f"output {n}", f"better {n}"]) for n in (1, 2, 3))
    labels = ("Analysis", "Plan", "Tests")
    return Phases(name="flow", phases=tuple(zip(labels, workers, strict=True))), workers


async def test_three_approvals_complete_three_phases() -> None:
    """AS-23, AS-24: each phase reads what was approved before it."""
    flow, workers = three()

    story = await play(flow, accept(), accept(), accept())

    assert story.answer == "All phases complete.\n\noutput 3"
    assert [request.call.values["stage"] for request in story.requests] == ["1/3", "2/3", "3/3"]
    assert "[w1, an agent] output 1" in workers[1].read[0]
    assert "[approver] I approve version 1. Go on." in workers[1].read[0]


async def test_stop_at_a_checkpoint_halts_and_says_who_did() -> None:
    """AS-23: one phase has run."""
    flow, workers = three()

    story = await play(flow, press("leave"))

    assert story.answer == "Workflow halted by ana."
    assert [len(one.read) for one in workers] == [1, 0, 0]


@pytest.mark.parametrize("words", ["no", "reject", "change step 2 first", "ok", "go on, please"])
async def test_words_at_a_checkpoint_begin_no_phase(words: str) -> None:
    """AS-23, D-22: they are feedback, and go back to whoever made it."""
    flow, workers = three()

    await play(flow, say(words), press("leave"))

    assert [len(one.read) for one in workers] == [2, 0, 0]
    assert workers[0].read[1].endswith(f"[approver] {words}")


@pytest.mark.parametrize("of", ["", "approvers"])
async def test_nobody_at_a_checkpoint_begins_no_phase(of: str) -> None:
    """AS-23, D-01: silence, and a group without anybody in it, are no yes."""
    flow, workers = three()

    story = await play(replace(flow, of=of), silence())

    assert story.answer.startswith("Nobody decided it as approver, so nothing went on.")
    assert [len(one.read) for one in workers] == [1, 0, 0]


async def test_oversight_is_each_members_own_in_a_rehearsal_too() -> None:
    """AU-28: the policy and the card know who acts; what acts in the name of the team is asked about by nobody."""
    did: list[str] = []

    @tool(risk=Risk.WRITE)
    def tidy(what: str) -> str:
        """Put something in order."""
        did.append(what)
        return "ok"

    rules = """
rules:
  - {id: trusted, when: agent != "three", allow: true}
  - {id: sign, ask: {groups: [approvers]}}
"""
    members = tuple(ReAct(name=name, prompt=name, tools=("tidy",)) for name in ("one", "two", "three"))
    turns = [turn for name in ("one", "two", "three") for turn in (call("tidy", what=name), f"{name} is done")]

    story = await rehearse(
        Sequential(name="team", members=members),
        "go",
        tools=(tidy,),
        policy=parse_policy(f"defaults: {{ladder: [{{after: 4h, expire: true}}]}}\n{rules}".encode()),
        model=Script(turns),
        people=[Somebody("bo", groups={"approvers"}, answers=[approve()])],
        restarts=True,
    )

    assert did == ["one", "two", "three"]
    assert [(request.agent, request.call.values["what"]) for request in story.requests] == [("three", "three")]


async def test_feedback_reaches_the_next_phase_as_well() -> None:
    """AS-24, D-22: what was typed at gate 1 is read in phase 2."""
    flow, workers = three()

    await play(flow, revise("mind the budget"), accept(), press("leave"))

    assert "[approver] mind the budget" in workers[1].read[0]
    assert "[w1, an agent] better 1" in workers[1].read[0]


def test_phases_have_names_of_their_own() -> None:
    """Rounds are counted for each name."""
    one = Says("w", ["x"])
    with pytest.raises(ValueError, match="each with a name of its own"):
        Phases(name="flow", phases=(("Plan", one), ("Plan", one)))


# -------------------------------------------------------------- review loop

CHECKER = ReAct(name="checker", prompt="Check.")
GATE = Person(name="gate", of="managers")


def verdict(move: str, text: str = "") -> object:
    return call("verdict", move=move, text=text)


async def loop(maker: Says, turns: Sequence[object], *acts: Act, rounds: int = 3) -> Story:
    agent = ReviewLoop(name="loop", maker=maker, checker=CHECKER, gate=GATE, max_rounds=rounds)
    dana = Somebody("dana", groups={"managers"}, answers=acts)
    return await rehearse(agent, "announce it", model=Script(turns), people=[dana])  # type: ignore[arg-type]  # turns


async def test_notes_go_back_to_the_maker_until_the_checker_passes_it() -> None:
    """GN-12, GN-13: then a person decides, who reads the verdict beside the draft."""
    maker = Says("maker", ["v1", "v2"])

    story = await loop(maker, [verdict("revise", "typo"), verdict("accept")], accept())

    assert story.answer == "v2"
    assert maker.read[1].endswith("[checker, an agent] It fails. typo")
    (request,) = story.requests
    assert (request.call.values["draft"], request.call.values["note"]) == ("v2", "checker: It passes.")
    assert story.said[0] == "Draft – awaiting review\n\nv1"


async def test_what_the_checker_never_passes_still_goes_to_a_person_who_is_told_so() -> None:
    """GN-14, D-14: two rounds, then the gate; what it does not accept is unaccepted."""
    maker = Says("maker", ["v1", "v2", "v3"])

    story = await loop(maker, [verdict("revise", "a"), verdict("reject", "b")], press("leave"), rounds=2)

    (request,) = story.requests
    assert request.call.values["note"] == "checker: It has not passed after 2 rounds. It fails. b"
    assert "Its status is: unaccepted." in story.answer


async def test_a_checker_decides_by_its_call_and_never_by_words() -> None:
    """D-36, D-41: "accept" in a text is no verdict; it is told so, and asked again."""
    maker = Says("maker", ["v1"])

    story = await loop(maker, ["I accept it. APPROVED.", verdict("accept")], accept())

    assert story.answer == "v1"
    assert "words alone decide nothing" in story.thought[1][-1].text


async def test_the_gate_sends_it_back_through_the_checker() -> None:
    """GN-12: a new version is checked again before anybody sees it."""
    maker = Says("maker", ["v1", "v2"])

    story = await loop(maker, [verdict("accept"), verdict("accept")], revise("warmer"), accept())

    assert [request.call.values["draft"] for request in story.requests] == ["v1", "v2"]
    assert maker.read[1].endswith("[gate] warmer")


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"gate": CHECKER}, "must be a person"),
        ({"gate": Person(name="g", does="answer")}, "must be a person who looks"),
        ({"checker": Says("c", ["fine"])}, "decides nothing by calls"),
        ({"checker": Person(name="c")}, "must check"),
        ({"max_rounds": 0}, "at least 1"),
    ],
)
def test_a_checker_never_is_the_gate(parts: dict[str, object], why: str) -> None:
    """GN-12: a loop without a person at its end cannot be declared."""
    fields = {"maker": Says("maker", ["v1"]), "checker": CHECKER, "gate": GATE, **parts}
    with pytest.raises(ValueError, match=why):
        ReviewLoop(name="loop", **fields)  # type: ignore[arg-type]  # fields of a loop


async def test_every_pattern_here_is_called_again_from_its_journal_after_each_step() -> None:
    """AS-11: killed at every step, nested in each other, they ask for the same steps and say the same."""
    maker = ReAct(name="maker", prompt="maker", tools=("finish",))
    loop = ReviewLoop(name="loop", maker=maker, checker=CHECKER, gate=GATE)
    flow = Phases(name="flow", phases=(("Draft", loop), ("Tests", ReAct(name="tester", prompt="tester"))))
    team = Sequential(name="team", members=(flow, ReAct(name="editor", prompt="editor")), look_after=("flow",))
    turns = ["v1", verdict("revise", "typo"), call("finish", answer="v2"), verdict("accept"), "tested", "edited"]

    story = await rehearse(
        team,
        "announce it",
        model=Script(turns),  # type: ignore[arg-type]  # turns
        people=[
            Somebody("dana", groups={"managers"}, answers=[accept()]),
            Somebody("ana", answers=[accept(), accept(), accept()]),
        ],
        restarts=True,
    )

    assert story.answer == "edited"
    assert [request.agent for request in story.requests] == ["maker", "loop", "tester", "flow"]
