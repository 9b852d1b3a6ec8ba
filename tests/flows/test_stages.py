"""Patterns with people between, on the whole house: whose card, whose turn, and what nobody let go on."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from agents.patterns.escalation import Escalation, Trigger
from agents.patterns.helpers import helper_tools
from agents.patterns.person import Person
from agents.patterns.phases import Phases
from agents.patterns.review_loop import ReviewLoop
from agents.patterns.room import Room, Turn
from agents.patterns.sequential import Sequential
from bot.domain.ports import RunContext, Said
from bot.domain.request import RequestId
from bot.domain.run import Task
from tests.agents.patterns.minds import Minds, agent
from tests.fakes.chat import Posted
from tests.flows.stage import HASTY, Build, Hands, call, calls, events, gone, moves, policy, request_of, settled
from tests.house import House, words


def said(house: House) -> list[tuple[str, str]]:
    """Who said what in the thread, in order: no cards."""
    return [(post.card.author, post.card.body) for post in house.chat.posts if post.card.body]


def facts(post: Posted) -> dict[str, str]:
    return {fact.label: fact.value for fact in post.card.facts}


TEAM = Sequential(name="team", members=(agent("one"), agent("two", "wire"), agent("three")))


async def test_every_turn_is_an_entry_under_its_agents_name(build: Build, hands: Hands) -> None:
    """AS-15: three turns, three labelled entries, in order."""
    model = Minds(one=["first"], two=["second"], three=["third"])
    async with build(policy=policy(), tools=hands.tools, agents=[TEAM], model=model) as house:
        await house.mention("ana", "go")
        assert await settled(house)

        assert said(house)[:3] == [("one", "first"), ("two", "second"), ("three", "third")]


async def test_while_the_second_waits_the_third_is_never_called_and_stop_ends_all(build: Build, hands: Hands) -> None:
    """AS-04: one card, no answer of the third's model; after Stop one message says so, and nothing waits."""
    model = Minds(one=["first"], two=[calls(call("wire", amount=5)), "x"], three=["third"])
    async with build(policy=policy(), tools=hands.tools, agents=[TEAM], model=model) as house:
        await house.mention("ana", "go")
        card = await house.card("approve")
        assert not model.read["three"]

        await house.press("stop", by="ana", card=card)
        assert await settled(house)

        assert not model.read["three"]
        assert not hands.did
        assert len([body for _, body in said(house) if body.startswith("Stopped by")]) == 1
        assert len(await events(house, "run_ended")) == 1


async def test_oversight_is_each_members_own(build: Build, hands: Hands) -> None:
    """AU-28: two run alone, the third is asked about, as often as it wants something; the card names it."""
    rules = """
rules:
  - id: reading
    when: tool.risk == "read"
    allow: true
  - id: trusted
    when: agent != "three"
    allow: true
  - id: sign
    ask: {groups: [approvers]}
    ladder: [{after: 4h, expire: true}]
"""
    members = tuple(agent(name, "tidy") for name in ("one", "two", "three"))
    tidy: dict[str, list[str | Said]] = {
        name: [calls(call("tidy", what=f"{name} a")), calls(call("tidy", what=f"{name} b")), "ok"]
        for name in ("one", "two", "three")
    }
    team = Sequential(name="team", members=members)
    async with build(policy=rules, tools=hands.tools, agents=[team], model=Minds(**tidy)) as house:
        await house.mention("ana", "go")
        first = await house.card("approve")
        assert hands.did == ["tidy one a", "tidy one b", "tidy two a", "tidy two b"]
        assert facts(first)["Asked by"] == "Ana, through three"

        await house.press("approve", by="bo", card=first)
        second = await house.card("approve", but=[first])
        await house.press("approve", by="bo", card=second)
        assert await settled(house)

        assert [(await request_of(house, one)).agent for one in (first, second)] == ["three", "three"]
        assert len(await events(house, "request_opened")) == 2
        assert hands.did[4:] == ["tidy three a", "tidy three b"]


# ---------------------------------------------------------------- sequential

WRITING = Sequential(
    name="team",
    members=(
        agent("writer"),
        Person(name="human_reviewer", of="approvers", role="editor in chief", instructions="Approve or suggest edits."),
        agent("editor"),
    ),
)


async def test_a_person_is_a_member_with_a_role_and_nothing_is_final_before_their_yes(build: Build) -> None:
    """A2-06, A2-08, A2-14: the card's first words are their instructions; the draft is marked, and final comes once."""
    model = Minds(writer=["draft one"], editor=["the final text"])
    async with build(policy=policy(), agents=[WRITING], model=model) as house:
        await house.mention("ana", "announce it")
        card = await house.card("accept")
        assert (card.card.blocks[0].label, card.card.blocks[0].text) == (
            "Your role: editor in chief",
            "Approve or suggest edits.",
        )
        assert facts(card)["Who may answer"] == "approvers"
        assert said(house) == [("writer", "Draft – awaiting review\n\ndraft one")]

        refused = await house.press("accept", by="ana", card=card)
        await house.press("accept", by="bo", card=card)
        assert await settled(house)

        assert not refused.is_taken
        assert said(house)[-1] == ("team", "the final text")
        assert [author for author, _ in said(house)].count("team") == 1


async def test_a_draft_edited_by_people_is_what_the_editor_gets_and_a_rejected_one_is_not(build: Build) -> None:
    """GN-16: rejected, the editor's model is not asked; edited, it reads the edited draft."""
    for move, text, heard in (("leave", "", 0), ("take_over", "draft by bo", 1)):
        model = Minds(writer=["draft one"], editor=["edited"])
        async with build(policy=policy(), agents=[WRITING], model=model) as house:
            await house.mention("ana", "announce it")
            await house.press(move, by="bo", card=await house.card(move), fields={"text": text})
            assert await settled(house)

            assert len(model.read["editor"]) == heard
            if heard:
                last = model.read["editor"][0][-1].text
                assert last == "[human_reviewer] Use exactly this instead:\ndraft by bo"


async def test_a_flag_on_a_step_puts_a_card_after_it(build: Build) -> None:
    """A2-03: after step 2."""
    team = Sequential(name="team", members=(agent("one"), agent("two"), agent("three")), look_after=("two",))
    model = Minds(one=["first"], two=["second"], three=["third"])
    async with build(policy=policy(), agents=[team], model=model) as house:
        await house.mention("ana", "go")
        card = await house.card("accept")
        assert "second" in words(card)
        assert not model.read["three"]

        await house.press("accept", by="ana", card=card)
        assert await settled(house)

        assert len(await events(house, "request_opened")) == 1
        assert len(model.read["three"]) == 1


async def test_a_check_fails_with_notes_and_passes_the_next(build: Build) -> None:
    """A2-09, ST-09: the output is held against its criteria, and goes nowhere before it passes."""
    qa = Person(name="qa_reviewer", of="approvers", does="check", criteria="No typos.")
    team = Sequential(name="team", members=(agent("writer"), qa, agent("editor")))
    model = Minds(writer=["teh text", "the text"], editor=["out"])
    async with build(policy=policy(), agents=[team], model=model) as house:
        await house.mention("ana", "go")
        first = await house.card("accept")
        assert first.card.title == "Quality check"
        assert [button.label for button in first.card.buttons][:3] == ["Pass", "Fail", "Fail, and end here"]
        assert "No typos." in words(first)

        await house.press("revise", by="bo", card=first, fields={"text": "typo"})
        second = await house.card("accept", but=[first])
        assert model.read["writer"][1][-1].text == "[qa_reviewer] typo"
        assert not model.read["editor"]
        await house.press("accept", by="bo", card=second)
        assert await settled(house)

        assert len(model.read["editor"]) == 1


async def test_six_turns_without_a_yes_end_at_a_limit_that_asks(build: Build) -> None:
    """AU-13, D-09: after the third draft people extend, write it themselves or end it; words alone begin nothing."""
    model = Minds(writer=["one", "two", "three"], editor=["out"])
    async with build(policy=policy(), agents=[WRITING], model=model) as house:
        thread = await house.mention("ana", "plan it")
        seen: list[Posted] = []
        for number in range(2):
            seen.append(await house.card("accept", but=seen))
            await house.press("revise", by="bo", card=seen[-1], fields={"text": f"no {number}"})
        limit = await house.card("accept", but=seen)
        assert "3 rounds are used up" in words(limit)
        assert {"more", "take_over", "leave"} <= set(moves(limit))

        await house.say("bo", "no, I am not happy with it", thread=thread)
        assert await settled(house)

        assert not model.read["editor"]
        assert "Its status is: unaccepted." in said(house)[-1][1]


# -------------------------------------------------------------------- phases

FLOW = Phases(
    name="flow",
    phases=(("Analysis", agent("analyst")), ("Plan", agent("planner")), ("Tests", agent("tester"))),
)


def outputs() -> Minds:
    return Minds(**{name: [f"{name} 1", f"{name} 2"] for name in ("analyst", "planner", "tester")})


async def test_each_phase_ends_at_a_checkpoint_and_only_its_button_begins_the_next(build: Build) -> None:
    """AS-23, AS-24: 1/3, 2/3, 3/3; feedback at the first is read in the second; the end says that all are complete."""
    model = outputs()
    async with build(policy=policy(), agents=[FLOW], model=model, pace=HASTY) as house:
        thread = await house.mention("ana", "build it")
        first = await house.card("accept")
        assert first.card.title == "Checkpoint 1/3"
        labels = [button.label for button in first.card.buttons]
        assert labels == ["Approve & continue", "Send feedback", "Stop", "Hand to…"]
        await gone(house)

        await house.say("ana", "no", thread=thread)
        again = await house.card("accept", but=[first])
        assert again.card.title == "Checkpoint 1/3"
        assert not model.read["planner"]
        await house.press("accept", by="ana", card=again)
        second = await house.card("accept", but=[first, again])
        assert second.card.title == "Checkpoint 2/3"
        read = [line.text for line in model.read["planner"][0]]
        assert read[-4:] == [
            "[analyst, an agent] analyst 1",
            "[approver] no",
            "[analyst, an agent] analyst 2",
            "[approver] I approve version 2. Go on.",
        ]
        await house.press("accept", by="ana", card=second)
        third = await house.card("accept", but=[first, again, second])
        assert third.card.title == "Checkpoint 3/3"
        await house.press("accept", by="ana", card=third)
        assert await settled(house)

        assert said(house)[-1] == ("flow", "All phases complete.\n\ntester 1")


async def test_stop_at_a_checkpoint_halts_and_names_who_did(build: Build) -> None:
    """AS-23: the button; phases run = 1."""
    model = outputs()
    async with build(policy=policy(), agents=[FLOW], model=model) as house:
        await house.mention("ana", "build it")
        card = await house.card("accept")

        await house.press("leave", by="ana", card=card)
        assert await settled(house)

        assert said(house)[-1] == ("flow", "Workflow halted by Ana.")
        assert not model.read["planner"]


async def test_the_word_stop_at_a_checkpoint_ends_it_too(build: Build) -> None:
    """AS-23, AU-14: "Stop." is the run's own end, whoever says it is named, and phase 2 never runs."""
    model = outputs()
    async with build(policy=policy(), agents=[FLOW], model=model) as house:
        thread = await house.mention("ana", "build it")
        await house.card("accept")

        await house.say("ana", "Stop.", thread=thread)
        assert await settled(house)

        assert said(house)[-1][1] == "Stopped by Ana."
        assert not model.read["planner"]


async def test_a_phase_taken_over_by_hand_goes_on_from_what_they_say(build: Build) -> None:
    """AS-37: takeover holds in a pattern: nothing begins until it is handed back."""
    model = outputs()
    async with build(policy=policy(), agents=[FLOW], model=model) as house:
        thread = await house.mention("ana", "build it")
        first = await house.card("accept")
        await house.say("ana", "take over", thread=thread)
        await house.press("hand_back", by="ana", fields={"text": "I wrote the analysis: it is easy"})

        second = await house.card("accept", but=[first])

        assert second.card.title == "Checkpoint 1/3"
        assert not model.read["planner"]
        await house.press("leave", by="ana", card=second)
        assert await settled(house)


# ------------------------------------------------------------------- helpers


async def test_a_helpers_card_names_it_and_its_answer_comes_back_to_it(build: Build, hands: Hands) -> None:
    """PP-05: the lead asks two at once; what one of them wants signed is its own, also after a restart."""
    clerk, coder = agent("clerk", "wire"), agent("coder")
    lead = agent("lead", helpers=(clerk, coder))
    both = calls(call("ask_clerk", task="pay"), call("ask_coder", task="code"))
    model = Minds(lead=[both, "all done"], clerk=[calls(call("wire", amount=5)), "paid"], coder=["coded"])
    tools = (*hands.tools, *helper_tools(lead))
    async with build(policy=policy(), tools=tools, agents=[lead], model=model, pace=HASTY) as house:
        await house.mention("ana", "go")
        card = await house.card("approve")
        assert facts(card)["Asked by"] == "Ana, through clerk"
        await gone(house)
    async with house.again() as later:
        await later.press("approve", by="bo", card=card)
        assert await settled(later)

        assert hands.did == ["wire 5 bank"]
        assert said(later)[-1] == ("lead", "all done")


@pytest.mark.parametrize("order", list(itertools.permutations(("lead", "clerk", "coder"))))
async def test_calls_of_an_agent_and_of_its_helpers_are_answered_in_any_order(
    build: Build, hands: Hands, order: tuple[str, ...]
) -> None:
    """PP-05, AU-17: three cards at once, each naming its agent; only the clerk's is rejected. Every answer comes
    back to who asked, and every result stands in its call's place.
    """
    clerk, coder = agent("clerk", "wire"), agent("coder", "wire")
    lead = agent("lead", "wire", helpers=(clerk, coder))
    turn = calls(call("ask_clerk", task="pay"), call("wire", amount=1), call("ask_coder", task="code"))
    model = Minds(
        lead=[turn, "all done"],
        clerk=[calls(call("wire", amount=2)), "the clerk could not pay"],
        coder=[calls(call("wire", amount=3)), "the coder paid"],
    )
    tools = (*hands.tools, *helper_tools(lead))
    async with build(policy=policy(), tools=tools, agents=[lead], model=model) as house:
        await house.mention("ana", "go")
        cards: dict[str, Posted] = {}
        while len(cards) < 3:
            post = await house.card("approve", but=list(cards.values()))
            cards[facts(post)["Asked by"].removeprefix("Ana, through ")] = post

        for name in order:
            move = "reject" if name == "clerk" else "approve"
            fields = {"reason": "not now"} if name == "clerk" else None
            await house.press(move, by="bo", card=cards[name], fields=fields)
        assert await settled(house)

        assert sorted(hands.did) == ["wire 1 bank", "wire 3 bank"]
        assert [line.text for line in model.read["lead"][-1] if line.role == "tool"] == [
            "the clerk could not pay",
            "ok wire 1 bank",
            "the coder paid",
        ]
        assert "rejected by Bo. Reason: 'not now'" in model.read["clerk"][-1][-1].text
        assert said(house)[-1] == ("lead", "all done")


class Listens:
    """A member that waits a while, and then says what it heard."""

    tools = ()

    def __init__(self, name: str) -> None:
        self.name = name

    async def reply(self, room: Room, ctx: RunContext) -> Turn:
        await ctx.sleep(timedelta(hours=1))
        await room.hear(ctx)
        return Turn(by=self.name, text=f"{self.name} heard {room.words[-1].text!r}")

    async def __call__(self, task: Task, ctx: RunContext) -> str:
        return (await self.reply(Room(task), ctx)).text


async def test_a_reply_reaches_both_branches_and_whoever_waits_for_them_once(build: Build) -> None:
    """AS-06: both helpers hear it, and after them the lead, in one line."""
    lead = agent("lead", helpers=(Listens("one"), Listens("two")))
    model = Minds(lead=[calls(call("ask_one", task="a"), call("ask_two", task="b")), "done"])
    async with build(policy=policy(), tools=helper_tools(lead), agents=[lead], model=model) as house:
        thread = await house.mention("ana", "go")
        await model_asked(model, house)
        await house.say("ana", "order 8, I mean", thread=thread)
        house.clock.advance(hours=2)
        assert await settled(house)

        last = [line.text for line in model.read["lead"][-1]]
        assert last[-3:] == ["one heard 'order 8, I mean'", "two heard 'order 8, I mean'", "[ana] order 8, I mean"]


async def model_asked(model: Minds, house: House) -> None:
    """Wait until the lead has asked, and both sleep."""
    while not model.read["lead"]:
        await house.store.totals(0)


async def test_a_finish_tells_what_comes_next(build: Build) -> None:
    """ST-17: the message at the end lists it."""
    ends = agent("ends", "finish")
    turn = calls(call("finish", answer="Refunded.", next_steps=["Tell the customer"]))
    async with build(policy=policy(), agents=[ends], model=Minds(ends=[turn])) as house:
        await house.mention("ana", "go")
        assert await settled(house)

        assert said(house)[-1] == ("ends", "Refunded.\n\nNext steps\n• Tell the customer")


async def test_the_request_of_a_look_is_bound_to_the_draft_that_was_shown(build: Build) -> None:
    """I12: what people accept is what stands in the call, whatever a room says later."""
    model = Minds(writer=["draft one"], editor=["x"])
    async with build(policy=policy(), agents=[WRITING], model=model) as house:
        await house.mention("ana", "go")
        card = await house.card("accept")

        asked = await request_of(house, card)

        assert asked.call.values["draft"] == "draft one"
        assert isinstance(asked.id, str)
        assert (await house.store.held(RequestId(asked.id))).request.agent == "writer"
        await house.press("leave", by="bo", card=card, fields={"text": ""})
        assert await settled(house)


# ------------------------------------------------------- review loop, escalation


async def test_a_loops_gate_is_a_person_other_than_whoever_asked_where_the_policy_says_so(build: Build) -> None:
    """GN-12: the checker passes the second version; bo asked for it and may not accept it, chris may."""
    rules = policy(more="reviews: {of: approvers, separate_duties: true}")
    gate = Person(name="gate")
    loop = ReviewLoop(name="loop", maker=agent("maker"), checker=agent("checker"), gate=gate)
    model = Minds(
        maker=["v1", "v2"],
        checker=[calls(call("verdict", move="revise", text="typo")), calls(call("verdict", move="accept"))],
    )
    async with build(policy=rules, agents=[loop], model=model) as house:
        await house.mention("bo", "announce it")
        card = await house.card("accept")
        assert card.card.blocks[-1].text == "checker: It passes."

        refused = await house.press("accept", by="bo", card=card)
        taken = await house.press("accept", by="chris", card=card)
        assert await settled(house)

        assert (refused.is_taken, taken.is_taken) == (False, True)
        assert said(house) == [
            ("maker", "Draft – awaiting review\n\nv1"),
            ("checker", "It fails. typo"),
            ("maker", "Draft – awaiting review\n\nv2"),
            ("checker", "It passes."),
            ("loop", "v2"),
        ]


async def test_a_threat_goes_to_the_manager_before_the_member_does_anything(build: Build, hands: Hands) -> None:
    """GN-09, GN-10: she reads the words, the reason and a suggestion; what she says is what the member acts on."""
    threats = Trigger(name="A legal threat", words=("lawyer",), suggestion="Offer a call.")
    desk = Escalation(name="desk", member=agent("support", "tidy"), triggers=(threats,))
    model = Minds(support=[calls(call("tidy", what="the answer")), "done"])
    rules = policy().replace('tool.risk == "read"', 'tool.name != "wire"')
    async with build(policy=rules, tools=hands.tools, agents=[desk], model=model) as house:
        await house.mention("ana", "They say: our lawyer will write to you")
        card = await house.card("direct")
        assert not model.read["support"]
        for part in ("A legal threat", "our lawyer will write to you", "Offer a call."):
            assert part in words(card)

        await house.press("direct", by="dana", card=card, fields={"text": "answer kindly"})
        assert await settled(house)

        assert model.read["support"][0][-1].text == "[people] Dana answered. Their direction: 'answer kindly'"
        assert hands.did == ["tidy the answer"]
        assert said(house)[-1] == ("desk", "done")
