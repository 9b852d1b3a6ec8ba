"""What an agent asks of people besides a signature: questions, forms, reviews, plans, escalations."""

from __future__ import annotations

import pytest

from bot.domain.ports import Said
from bot.domain.wire import Json, loads
from tests.flows.stage import STEADY, Build, Hands, Played, call, calls, events, policy, quiet, settled, shown

COLOURS = calls(call("ask_people", question="Which colour?", options=["red", "blue"]))
FREE = calls(call("ask_people", question="What is the customer's name?"))
SCHEMA: Json = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 20},
        "nights": {"type": "integer", "minimum": 1, "maximum": 14},
        "class": {"type": "string", "enum": ["eco", "business"]},
    },
    "required": ["city", "nights"],
}
TRIP = calls(call("fill_form", question="Where to?", schema=SCHEMA, start={"class": "eco"}))


# ---------------------------------------------------------------- question


async def test_a_click_on_an_option_is_the_answer_and_wakes_the_agent(build: Build) -> None:
    """ST-19, ST-08: the agent sleeps, the chosen option is the call's result, and the card shows who said what."""
    model = Played(COLOURS)
    async with build(policy=policy(), model=model) as house:
        await house.mention("ana", "paint the door")
        card = await house.card("pick_b")

        answer = await house.press("pick_b", by="ana", card=card)

        assert answer.is_taken
        await house.shows("Their answer: 'blue'")
        assert "Ana answered. Their answer: 'blue'" in model.read
        await house.chat.until(lambda: "Ana answered at" in card.card.status and not card.card.buttons)
        assert await settled(house)
        assert (await events(house, "request_decided"))[0]["status"] == "answered"


async def test_a_reply_in_the_thread_answers_the_one_open_question(build: Build) -> None:
    """PN-17, AU-29, D-29: typed words count for exactly the one question they can belong to."""
    model = Played(FREE)
    async with build(policy=policy(), model=model) as house:
        thread = await house.mention("ana", "write to the customer")
        await house.card("write")

        await house.say("ana", "@countersign Ms. Okafor", thread=thread)

        await house.shows("Their answer: 'Ms. Okafor'")
        assert await settled(house)


async def test_a_reply_that_is_none_of_the_options_is_told_which_there_are(build: Build) -> None:
    """ST-33, ST-36: nothing is assumed: the question stays open, and only an option closes it."""
    model = Played(calls(call("ask_people", question="Which?", options=["red", "blue"], may_write=False)))
    async with build(policy=policy(), model=model) as house:
        thread = await house.mention("ana", "paint the door")
        await house.card("pick_a")

        told = await house.say("ana", "green", thread=thread)

        assert told is not None
        assert told.text == "Please choose one of: red, blue."
        await house.say("ana", "RED", thread=thread)
        await house.shows("Their answer: 'red'")


async def test_with_two_open_questions_a_reply_asks_for_their_buttons(build: Build) -> None:
    """It could belong to either, so it belongs to none."""
    two = calls(call("ask_people", question="Which colour?"), call("ask_people", question="Which door?"))
    async with build(policy=policy(), model=Played(two)) as house:
        thread = await house.mention("ana", "paint the door")
        first = await house.card("write")
        second = await house.card("write", but=[first])

        told = await house.say("ana", "the blue one", thread=thread)

        assert told is not None
        assert told.text == "Which one: “Which colour?” or “Which door?”; please use their buttons."
        await house.press("write", by="ana", card=first, fields={"text": "blue"})
        await house.press("write", by="ana", card=second, fields={"text": "the back door"})
        await house.shows("the back door")
        assert await settled(house)


async def test_a_reply_beside_a_form_is_the_answer_to_the_question(build: Build) -> None:
    """AU-29: a form and a plan take no typed answer, so the words can belong to the question alone."""
    many = calls(
        call("ask_people", question="Which name?"),
        call("fill_form", question="Where?", schema=SCHEMA),
        call("propose_plan", goal="paint", steps=["paint"]),
    )
    async with build(policy=policy(), model=Played(many)) as house:
        thread = await house.mention("ana", "paint the door")
        card = await house.card("write")
        await house.card("fill")
        await house.card("proceed")
        await shown(house)

        told = await house.say("ana", "Ms. Okafor", thread=thread)

        assert told is not None
        assert told.is_taken
        await house.chat.until(lambda: "Their answer: 'Ms. Okafor'" in card.card.status, "it is answered")
        assert await house.is_sound()


async def test_an_inquiry_that_nobody_could_answer_is_not_said_to_want_approval(build: Build) -> None:
    """Also of a group that cannot be read at all; the agent hears it, and asks nobody."""
    lonely = calls(call("ask_people", question="Which name?", of="nobodies"))
    model = Played(lonely)
    async with build(policy=policy(), model=model) as house:
        await house.mention("ana", "paint the door")

        await house.shows("Results:")

        assert "Nobody can answer this: " in model.read
        assert not await events(house, "request_opened")
        assert await settled(house)


async def test_you_decide_is_an_answer_and_silence_is_none(build: Build) -> None:
    """D-23: no default is ever assumed; whoever leaves it to the agent says so."""
    async with build(policy=policy(), model=Played(COLOURS)) as house:
        await house.mention("ana", "paint the door")

        await house.press("leave", by="ana")

        await house.shows("They leave the choice to you.")


async def test_nobody_else_answers_for_whoever_was_asked(build: Build) -> None:
    """I5: bo is told privately; his words in the thread are context, and the question stays open."""
    model = Played(COLOURS)
    async with build(policy=policy(), model=model) as house:
        thread = await house.mention("ana", "paint the door")
        card = await house.card("pick_a")

        refused = await house.press("pick_a", by="bo", card=card)
        await house.say("bo", "I would take red", thread=thread)

        assert not refused.is_taken
        assert "Sorry" in refused.text
        await house.press("pick_b", by="ana", card=card)
        await model.until(lambda: "Their answer: 'blue'" in model.read)
        assert "I would take red" in model.read


async def test_a_question_to_a_group_is_answered_by_its_first_member(build: Build) -> None:
    async with build(policy=policy(), model=Played(calls(call("ask_people", question="Ok?", of="approvers")))) as house:
        await house.mention("ana", "ask around")

        assert not (await house.press("leave", by="ana")).is_taken
        assert (await house.press("write", by="bo", fields={"text": "fine by me"})).is_taken

        await house.shows("Bo answered. Their answer: 'fine by me'")


async def test_a_question_that_nobody_answers_in_time_says_so_and_assumes_nothing(build: Build) -> None:
    """D-01, D-23, AS-21: a deadline is not a refusal, and not a yes."""
    rules = policy(more="defaults: {ladder: [{after: 1h, expire: true}]}")
    async with build(policy=rules, model=Played(COLOURS), pace=STEADY) as house:
        await house.mention("ana", "paint the door")
        card = await house.card("pick_a")

        house.clock.advance(hours=1, seconds=1)

        await house.shows("No answer: nobody answered in time. Nobody refused it either. Assume nothing.")
        await house.chat.until(lambda: card.card.title == "Not answered in time: question" and not card.card.buttons)
        assert await house.is_sound()


async def test_an_answer_survives_a_restart_and_is_asked_once(build: Build) -> None:
    """PP-03, I12: the process is gone between question and answer; the new one goes on with what was said."""
    model = Played(COLOURS)
    async with build(policy=policy(), model=model) as house:
        await house.mention("ana", "paint the door")
        card = await house.card("pick_a")
        again = house.again()
    async with again:
        await again.press("pick_a", by="ana", card=card)

        await again.shows("Their answer: 'red'")
        assert len([post for post in again.chat.posts if post.card.title.endswith("uestion")]) == 1


async def test_whoever_answered_may_not_sign_what_follows_from_it(build: Build, hands: Hands) -> None:
    """I5, T10: bo's answer steers the run, so where duties are separated somebody else has to sign."""
    turns = (calls(call("ask_people", question="How much?", of="approvers")), calls(call("wire", amount=90)))
    rules = policy("groups: [approvers], separate_duties: true")
    async with build(policy=rules, tools=hands.tools, model=Played(*turns)) as house:
        await house.mention("ana", "pay them")
        await house.press("write", by="bo", fields={"text": "90"})

        refused = await house.press("approve", by="bo")
        signed = await house.press("approve", by="chris")

        assert not refused.is_taken
        assert signed.is_taken
        await house.shows("ok wire 90 bank")


@pytest.mark.parametrize("word", ["cancel", "Cancel!"])
async def test_a_word_that_stops_and_answers_does_neither(build: Build, word: str) -> None:
    """D-12: "cancel" ends a run, unless it is one of the answers that are asked for: then only a button knows."""
    asked = calls(call("ask_people", question="What shall I do?", options=["cancel", "keep"]))
    async with build(policy=policy(), model=Played(asked)) as house:
        thread = await house.mention("ana", "look after order 7")
        await house.card("pick_a")

        told = await house.say("ana", word, thread=thread)

        assert told is not None
        assert told.text == f"“{word}” is an answer here, and it stops me, too: please use a button."
        await house.press("pick_a", by="ana")
        await house.shows("Their answer: 'cancel'")


async def test_stop_closes_an_open_question(build: Build) -> None:
    async with build(policy=policy(), model=Played(COLOURS)) as house:
        thread = await house.mention("ana", "paint the door")
        card = await house.card("pick_a")

        await house.say("ana", "stop", thread=thread)

        await house.chat.until(lambda: not card.card.buttons, "no live buttons")
        assert card.card.title == "Cancelled: question"
        assert await house.is_sound()


# ----------------------------------------------------------------- handoff


async def test_a_handoff_waits_and_its_yes_signs_nothing(build: Build, hands: Hands) -> None:
    """ST-19, ST-20, ST-22, ST-24, ST-42, D-25, D-48: message, input, status and reference come back; the call has its
    own gate.
    """
    ask = call("handoff_to_user", message="I am going to send 90. Go on? <!channel>")
    model = Played(calls(ask), calls(call("wire", amount=90)))
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay them")
        card = await house.card("yes")
        assert card.card.blocks[0].text == "I am going to send 90. Go on? <!channel>"

        await house.press("yes", by="ana", card=card)

        await house.card("approve")
        assert not hands.did
        told = loads(model.asked[-1][-1].text)
        request = (await events(house, "request_opened"))[0]["request"]
        assert (told["user_input"], told["status"], told["reference_id"]) == ("yes", "SUCCESS", request)
        assert told["answered_by"] == ["ana"]


async def test_a_handoff_that_nobody_answers_says_so_in_the_same_shape(build: Build) -> None:
    """ST-24, ST-25, D-23, D-27: its status is not SUCCESS, and nothing stands where an answer would."""
    model = Played(calls(call("handoff_to_user", message="Go on?")))
    rules = policy(more="defaults: {ladder: [{after: 1h, expire: true}]}")
    async with build(policy=rules, model=model) as house:
        await house.mention("ana", "pay them")
        await house.card("yes")

        house.clock.advance(hours=1, seconds=1)

        await quiet(house)
        told = loads(model.asked[-1][-1].text)
        assert (told["message"], told["user_input"], told["status"]) == ("Go on?", "", "EXPIRED")
        assert (told["decision"], told["answered_by"], told["answered_at"]) == (None, [], None)
        assert told["note"].endswith("Nobody refused it either. Assume nothing.")


async def test_a_no_is_delivered_like_a_yes_and_is_another_decision(build: Build) -> None:
    """D-27, ST-28: that an answer came, and which one it was, are two things."""
    model = Played(calls(call("handoff_to_user", message="Go on?")))
    async with build(policy=policy(), model=model) as house:
        await house.mention("ana", "pay them")

        await house.press("no", by="ana")

        await quiet(house)
        told = loads(model.asked[-1][-1].text)
        assert (told["status"], told["decision"]) == ("SUCCESS", "no")


async def test_a_typed_yes_to_a_handoff_is_what_its_button_says(build: Build) -> None:
    """ST-28, D-27: an agent that looks at the decision finds the same, however it was given."""
    model = Played(calls(call("handoff_to_user", message="Shall I format?")))
    async with build(policy=policy(), model=model) as house:
        thread = await house.mention("ana", "go on")
        await house.card("yes")

        await house.say("ana", "Yes.", thread=thread)

        await quiet(house)
        told = loads(model.asked[-1][-1].text)
        assert (told["status"], told["decision"], told["user_input"]) == ("SUCCESS", "yes", "yes")


async def test_what_people_fill_in_stands_in_no_audit_record(build: Build) -> None:
    """T20, I15: not even where a field is called as the one for reasons is."""
    schema: Json = {"type": "object", "properties": {"reason": {"type": "string"}}, "required": ["reason"]}
    model = Played(calls(call("fill_form", question="Why are you ill?", schema=schema)))
    async with build(policy=policy(), model=model) as house:
        await house.mention("ana", "sick note")

        assert (await house.press("fill", by="ana", fields={"reason": "a broken heart"})).is_taken

        await house.shows("a broken heart")
        assert not [entry for entry in await house.audit() if "heart" in str(entry.fields)]
        assert await house.is_sound()


async def test_a_handoff_that_breaks_out_ends_the_run_with_its_message(build: Build) -> None:
    """ST-21, ST-23, ST-30, D-48: one message, nobody is waited for, and the model is not asked again."""
    model = Played(calls(call("handoff_to_user", message="It is on your desk now.", breakout_of_loop=True)))
    async with build(policy=policy(), model=model) as house:
        await house.mention("ana", "hand it over")

        await house.shows("It is on your desk now.")
        assert await settled(house)
        assert len(model.asked) == 1
        assert not await events(house, "request_opened")


async def test_a_handoff_that_cannot_be_read_bothers_nobody(build: Build) -> None:
    """ST-20, ST-21: an empty message or a breakout that is no yes or no goes back to the model."""
    wrong = calls(call("handoff_to_user", message=""), call("handoff_to_user", message="x", breakout_of_loop="maybe"))
    async with build(policy=policy(), model=Played(wrong)) as house:
        await house.mention("ana", "ask")

        await house.shows("Results: Not run:")
        assert not await events(house, "request_opened")


# -------------------------------------------------------------------- form


async def test_a_form_is_checked_beside_its_fields_and_comes_back_typed(build: Build) -> None:
    """PP-08, ST-12, ST-43: several typed fields; what is wrong is said where it is wrong, and what was typed is not
    lost.
    """
    model = Played(TRIP)
    async with build(policy=policy(), model=model) as house:
        await house.mention("ana", "book the trip")

        wrong = await house.press("fill", by="ana", fields={"city": "", "nights": "40", "class": "eco"})
        right = await house.press("fill", by="ana", fields={"city": "Oslo", "nights": "3", "class": "business"})

        assert wrong.problems == {"city": "Please fill this in.", "nights": "Must be at most 14."}
        assert right.is_taken
        await house.shows('They filled in: {"city":"Oslo","class":"business","nights":3}')


async def test_a_form_without_fields_is_not_put_to_anybody(build: Build) -> None:
    """PP-08: the agent is told; there is no dead card."""
    model = Played(calls(call("fill_form", question="?", schema={"type": "object"})))
    async with build(policy=policy(), model=model) as house:
        await house.mention("ana", "ask")

        await house.shows("Not asked: the form has no field that people can fill in.")


# ------------------------------------------------------ review, plan, escalation


def draft(text: str) -> Said:
    return calls(call("review_draft", draft=text, rounds=2))


async def test_a_draft_is_revised_with_feedback_and_accepted(build: Build) -> None:
    """AS-17, AS-26, GN-24: maker and checker; the reply in the thread is feedback for the next version."""
    model = Played(draft("Hi all"), draft("Dear all"))
    async with build(policy=policy(), model=model) as house:
        thread = await house.mention("ana", "announce it")
        first = await house.card("accept")
        assert "Hi all" in first.card.blocks[0].text

        await house.say("ana", "more formal, please", thread=thread)
        second = await house.card("accept", but=[first])
        await house.press("accept", by="ana", card=second)

        await house.shows("The draft is accepted as it is.")
        assert "Their feedback: 'more formal, please'" in model.read
        assert "revise" not in {button.move for button in second.cards[0].buttons}, "no round is left"


async def test_a_draft_that_is_left_is_unaccepted_and_says_so(build: Build) -> None:
    """D-14, GN-14: no version is called accepted by silence or by running out of rounds."""
    async with build(policy=policy(), model=Played(draft("Hi all"))) as house:
        await house.mention("ana", "announce it")

        await house.press("leave", by="ana")

        await house.shows("The draft is not accepted, and no further version is wanted.")


async def test_a_draft_taken_over_is_the_persons_own_text(build: Build) -> None:
    """A2-04: people write, too."""
    async with build(policy=policy(), model=Played(draft("Hi all"))) as house:
        await house.mention("ana", "announce it")

        await house.press("take_over", by="ana", fields={"text": "Dear friends"})

        await house.shows("use exactly this: 'Dear friends'")


async def test_a_plan_may_be_edited_before_it_begins_and_its_steps_stay_gated(build: Build, hands: Hands) -> None:
    """AU-12, D-47: proceeding with a plan signs nothing: the call in it is asked about when it comes."""
    plan = calls(call("propose_plan", goal="pay everybody", steps=["pay bo", "pay chris"]))
    model = Played(plan, calls(call("wire", amount=90)))
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay them")

        await house.press("edit_steps", by="ana", fields={"text": "pay bo\n"})

        await house.card("approve")
        assert 'with these steps instead and no others: ["1. pay bo"]' in model.read
        assert not hands.did


async def test_a_reply_to_a_plan_withdraws_it(build: Build) -> None:
    """Whoever writes instead of pressing wants another plan."""
    plan = calls(call("propose_plan", goal="pay everybody", steps=["pay bo"]))
    async with build(policy=policy(), model=Played(plan)) as house:
        thread = await house.mention("ana", "pay them")
        card = await house.card("proceed")

        await house.say("ana", "wait, chris as well", thread=thread)

        await house.chat.until(lambda: card.card.title == "Withdrawn: a plan to look at")
        await house.shows("No answer: a newer instruction took its place.")


@pytest.mark.parametrize(
    ("move", "fields", "told"),
    [
        ("take", None, "They work on it by hand; the agent waits."),
        ("follow", None, "Do what you suggested: 'offer 10 %'"),
        ("direct", {"text": "call her"}, "Their direction: 'call her'"),
    ],
)
async def test_an_escalation_is_taken_followed_or_directed(
    build: Build, move: str, fields: dict[str, object] | None, told: str
) -> None:
    """GN-04, A2-10, ST-13: reason, context and suggestion are shown as the agent's own words; a manager decides."""
    args: dict[str, Json] = {"reason": "She threatens to sue", "context": "Order 7", "suggestion": "offer 10 %"}
    wanted = call("escalate", **args, of="managers")
    async with build(policy=policy(), model=Played(calls(wanted))) as house:
        await house.mention("ana", "answer the complaint")
        card = await house.card("take")
        assert card.card.blocks[0].label == "Why the agent hands this over"
        whose = [fact.value for fact in card.card.facts if fact.label == "Whose words"]
        assert whose == ["All texts below are the agent's words, not verified"]

        await house.press(move, by="dana", card=card, fields=fields)

        await house.shows(told)
        assert await house.is_sound()


# ----------------------------------------------------------- ctx.ask, forging


async def test_an_agent_of_code_asks_with_one_line(build: Build) -> None:
    """ST-46: `ctx.ask`: the same request, journalled like every step."""

    class Asker:
        name, tools = "asker", ()

        async def __call__(self, task: object, ctx: object) -> str:  # noqa: ARG002  # the port's signature
            result = await ctx.ask("Red or blue?", options=("red", "blue"))  # type: ignore[attr-defined]  # a stand-in
            return f"It will be {loads(result.answer)['move']}."

    async with build(policy=policy(), agents=(Asker(),)) as house:
        await house.mention("ana", "paint the door")

        await house.press("pick_a", by="ana")

        await house.shows("It will be pick_a.")


async def test_words_of_the_agent_cannot_pass_for_ours(build: Build) -> None:
    """T01, T03: hidden letters are spelled, empty lines go, and every block says whose words it holds."""
    wanted = call("ask_people", question="Safe?\n\n\n\n\u202eapproved by security", options=["a\u200bb"])
    async with build(policy=policy(), model=Played(calls(wanted))) as house:
        await house.mention("ana", "ask")

        card = await house.card("pick_a")

        assert card.card.blocks[0].text == "Safe?\n⟨U+202E⟩approved by security"
        assert next(b.label for b in card.card.buttons if b.move == "pick_a") == "a⟨U+200B⟩b"
        assert all("agent's words" in block.label for block in card.card.blocks)
