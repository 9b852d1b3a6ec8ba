"""Drafts: rounds are counted, differences are worked out, and what nobody accepted is called so."""

from __future__ import annotations

from bot.domain.ports import RunContext, Said
from bot.domain.run import Finished, Task
from bot.domain.wire import Json, loads
from tests.fakes.chat import Posted
from tests.flows.stage import (
    HASTY,
    Build,
    Hands,
    Played,
    call,
    calls,
    events,
    gone,
    moves,
    policy,
    request_of,
    results,
    settled,
)


def draft(text: str, **more: Json) -> Said:
    return calls(call("review_draft", draft=text, **more))


def block(card: Posted, label: str) -> str:
    return next(one.text for one in card.card.blocks if one.label.startswith(label))


async def test_each_version_shows_what_is_different_and_any_of_them_can_be_final(build: Build) -> None:
    """ST-10, GN-12, AS-26: three versions, two directions in order; the second is taken in the end."""
    model = Played(draft("Hi all\nwe move"), draft("Dear all\nwe move"), draft("Dear all\nwe move on Friday"))
    async with build(policy=policy(), model=model) as house:
        thread = await house.mention("ana", "announce it")
        first = await house.card("accept")
        await house.say("ana", "more formal", thread=thread)
        second = await house.card("accept", but=[first])
        assert block(second, "What is different from version 1") == "- Hi all\n+ Dear all\n  we move"

        await house.press("revise", by="ana", card=second, fields={"text": "say when"})
        third = await house.card("accept", but=[first, second])
        assert block(third, "What is different from version 2") == "  Dear all\n- we move\n+ we move on Friday"
        assert block(third, "Draft, round 3 of 3") == "Dear all\nwe move on Friday"
        heard = [result.partition("feedback: ")[2] for result in results(model.asked[-1])]
        assert heard == ["'more formal'", "'say when'"]

        await house.press("use", by="ana", card=third, fields={"choice": "Version 2"})

        await house.shows("They accept version 2 instead; use exactly this: 'Dear all\\nwe move'")
        assert await settled(house)


async def test_after_three_rounds_of_feedback_the_draft_is_unaccepted(build: Build, hands: Hands) -> None:
    """GN-14, D-14, D-37: nothing goes out, and showing it once more is refused, whatever rounds the agent names."""

    class Publisher:
        name, tools = "publisher", ("review_draft", "wire")

        async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # the port's signature
            for number in range(3):
                (result,) = await ctx.use((call("review_draft", draft=f"v{number}"),))
            if loads(result.answer)["status"] == "accepted":
                await ctx.use((call("wire", amount=1),))
            (again,) = await ctx.use((call("review_draft", draft="v4", rounds=20),))
            return f"{loads(result.answer)['status']}; {again.text}"

    async with build(policy=policy(), tools=hands.tools, agents=[Publisher()], model=Played()) as house:
        thread = await house.mention("ana", "publish it")
        seen: list[Posted] = []
        for said in ("shorter", "add a CTA", "still no"):
            seen.append(await house.card("accept", but=seen))
            await house.say("ana", said, thread=thread)

        await house.shows("unaccepted; Not asked: people left this draft unaccepted and want no further version.")
        assert "more" in {button.move for button in seen[2].cards[0].buttons}
        assert "revise" not in {button.move for button in seen[2].cards[0].buttons}
        assert not hands.did
        assert len(await events(house, "request_opened")) == 3
        assert await settled(house)


async def test_a_model_that_renames_its_draft_gets_no_further_rounds(build: Build) -> None:
    """GN-14, D-37: d1, d2 and d3 are rounds 1 to 3 of what this agent shows; d4 is put to nobody."""
    model = Played(*(draft(f"v{n}", name=f"d{n}") for n in range(1, 5)))
    async with build(policy=policy(), model=model) as house:
        thread = await house.mention("ana", "publish it")
        seen: list[Posted] = []
        for number in range(1, 4):
            seen.append(await house.card("accept", but=seen))
            assert seen[-1].card.blocks[0].label.startswith(f"Draft “d{number}”, round {number} of 3")
            await house.say("ana", "no", thread=thread)

        await house.shows("Not asked: 3 rounds are used up by what this agent showed, and the draft is unaccepted.")
        assert len(await events(house, "request_opened")) == 3
        assert await settled(house)


async def test_silence_in_the_last_round_leaves_the_draft_unaccepted(build: Build) -> None:
    """GN-14, D-14: nobody answers twice; the third showing is refused, also after a restart."""
    model = Played(*(draft(f"v{n}", name="ad", rounds=2) for n in range(3)))
    rules = policy(more="defaults: {ladder: [{after: 1h, expire: true}]}")
    async with build(policy=rules, model=model, pace=HASTY) as house:
        await house.mention("ana", "publish it")
        first = await house.card("accept")
        house.clock.advance(hours=1, seconds=1)
        second = await house.card("more", but=[first])
        assert second.card.blocks[0].label.startswith("Draft “ad”, round 2 of 2")
        await gone(house)
    async with house.again() as later:
        later.clock.advance(hours=1, seconds=1)

        await later.shows("Not asked: 2 rounds are used up")
        loaded = await later.store.load((await request_of(later, second)).run)
        assert loaded is not None
        told = [entry.result.answer for entry in loaded.entries if isinstance(entry, Finished)]
        assert [loads(answer)["status"] for answer in told if answer] == ["unanswered", "unaccepted"]
        assert await settled(later)


async def test_people_allow_another_round(build: Build) -> None:
    """GN-14: once the rounds are used up, more of them are theirs to give."""
    model = Played(draft("v1", rounds=1), draft("v2", rounds=1))
    async with build(policy=policy(), model=model) as house:
        await house.mention("ana", "announce it")
        first = await house.card("more")

        await house.press("more", by="ana", card=first, fields={"text": "warmer"})

        second = await house.card("accept", but=[first])
        assert second.card.blocks[0].label.startswith("Draft, round 2 of 2")
        await house.press("accept", by="ana", card=second)
        await house.shows("The draft is accepted as it is.")


async def test_lgtm_accepts_a_draft_and_ok_but_does_not(build: Build) -> None:
    """GN-13, D-13: whole words, on reviews only."""
    model = Played(draft("v1"), draft("v2"))
    async with build(policy=policy(), model=model) as house:
        thread = await house.mention("ana", "announce it")
        first = await house.card("accept")

        await house.say("ana", "ok but shorten it", thread=thread)
        await house.card("accept", but=[first])
        await house.say("ana", "LGTM!", thread=thread)

        await house.shows("The draft is accepted as it is.")
        assert "Their feedback: 'ok but shorten it'" in model.read


async def test_the_longest_draft_can_be_taken_over(build: Build) -> None:
    """A2-04: a draft has 20,000 characters at most, and so may what people write in its place."""
    async with build(policy=policy(), model=Played(draft("x" * 20_000))) as house:
        await house.mention("ana", "announce it")

        taken = await house.press("take_over", by="ana", fields={"text": "y" * 20_000})

        assert taken.is_taken, taken
        await house.shows("use exactly this: 'yyy")


async def test_a_settled_draft_shows_what_a_person_changed(build: Build) -> None:
    """GN-12, A2-04: their text is final; the card says what of the draft it kept."""
    async with build(policy=policy(), model=Played(draft("Hi all\nwe move"))) as house:
        await house.mention("ana", "announce it")
        card = await house.card("take_over")
        assert len(card.card.blocks) == 1

        await house.press("take_over", by="ana", card=card, fields={"text": "Dear all\nwe move"})

        await house.chat.until(lambda: not card.card.buttons, "a settled card")
        assert block(card, "What they wrote, and what is different from the draft") == "- Hi all\n+ Dear all\n  we move"


async def test_ok_signs_nothing_beside_a_draft(build: Build, hands: Hands) -> None:
    """D-13: with a signature and a draft open, the same word could mean either; it means neither."""
    both = calls(call("review_draft", draft="v1"), call("wire", amount=90))
    async with build(policy=policy(), tools=hands.tools, model=Played(both)) as house:
        thread = await house.mention("ana", "pay and tell")
        await house.card("accept")
        card = await house.card("approve")

        told = await house.say("ana", "ok", thread=thread)

        assert told is not None
        assert not told.is_taken
        assert told.text == "Which one: “Review wanted” or “sign wire”; please use their buttons."
        assert "approve" in moves(card)
        assert not hands.did


async def test_the_rounds_survive_a_restart(build: Build) -> None:
    """I12: what was shown before is known from the journal, so the next version is compared with the right one."""
    model = Played(*(draft(f"line {n}") for n in range(12)))
    async with build(policy=policy(), model=model, pace=HASTY) as house:
        thread = await house.mention("ana", "announce it")
        first = await house.card("accept")
        await gone(house)
    async with house.again() as later:
        await later.say("ana", "again", thread=thread)

        second = await later.card("accept", but=[first])

        assert block(second, "What is different from version 1") == "- line 0\n+ line 1"


async def test_the_seventh_version_is_compared_with_the_sixth(build: Build) -> None:
    """Steps are counted, not spelled: the tenth comes after the ninth."""
    model = Played(*(draft(f"line {n}", rounds=20) for n in range(7)))
    async with build(policy=policy(), model=model) as house:
        thread = await house.mention("ana", "announce it")
        seen = [await house.card("accept")]
        for number in range(6):
            await house.say("ana", f"again {number}", thread=thread)
            seen.append(await house.card("accept", but=seen))

        assert block(seen[-1], "What is different from version 6") == "- line 5\n+ line 6"


async def test_a_checker_of_their_own_reviews_where_the_agent_is_told_so(build: Build) -> None:
    """GN-12: the one who asked cannot accept what managers are asked to look at."""
    async with build(policy=policy(), model=Played(draft("v1", of="managers"))) as house:
        await house.mention("ana", "announce it")

        refused = await house.press("accept", by="ana")
        taken = await house.press("accept", by="dana")

        assert (refused.is_taken, taken.is_taken) == (False, True)


# -------------------------------------------------------------- directions


async def test_common_wishes_are_buttons_and_every_version_holds_all_of_them(build: Build) -> None:
    """AS-26, AU-10: "Shorter" by its button, then a reply; v3's model has both in order, and accepted, v3 is final."""
    wishes: Json = ["Shorter", "Add a call to action", "More formal"]

    model = Played(draft("v1", directions=wishes), draft("v2", directions=wishes), draft("v3", directions=wishes))
    async with build(policy=policy(), model=model) as house:
        thread = await house.mention("ana", "announce it")
        first = await house.card("accept")
        labels = [button.label for button in first.card.buttons][:5]
        assert labels == ["Accept", "Shorter", "Add a call to action", "More formal", "Revise"]

        await house.press("want_a", by="ana", card=first)
        second = await house.card("accept", but=[first])
        await house.say("ana", "add a CTA", thread=thread)
        third = await house.card("accept", but=[first, second])

        heard = [result.partition("feedback: ")[2] for result in results(model.asked[-1])]
        assert heard == ["'Shorter'", "'add a CTA'"]
        drafts = [one.card.blocks[0].label.split(" (")[0] for one in (first, second, third)]
        assert drafts == ["Draft, round 1 of 3", "Draft, round 2 of 3", "Draft, round 3 of 3"]
        assert not (await house.press("accept", by="ana", card=first)).is_taken
        assert not {"want_a", "want_b", "want_c"} & set(moves(third))
        await house.press("accept", by="ana", card=third)
        await house.shows("The draft is accepted as it is.")
        assert await settled(house)
        loaded = await house.store.load((await request_of(house, third)).run)
        assert loaded is not None
        answers = [loads(entry.result.answer) for entry in loaded.entries if isinstance(entry, Finished)]
        assert [(said["move"], said["status"], said.get("final")) for said in answers if said] == [
            ("want_a", "revise", None),
            ("revise", "revise", None),
            ("accept", "accepted", "v3"),
        ]


async def test_a_direction_cannot_pose_as_another_button(build: Build) -> None:
    """AS-26: the agent names its buttons, but none of ours; it hears why nobody was asked."""
    model = Played(draft("v1", directions=["Accept"]), draft("v1", directions=["Shorter", "shorter!"]))
    async with build(policy=policy(), model=model) as house:
        await house.mention("ana", "announce it")

        await house.shows("its directions must differ from each other and from the other buttons")
        assert not await events(house, "request_opened")


# ------------------------------------------------------------------ duties

SEPARATE = policy(more="reviews: {of: approvers, separate_duties: true}")


async def test_whoever_asked_for_a_draft_does_not_accept_it_where_the_policy_says_so(build: Build) -> None:
    """GN-12: bo asks for it and may not accept it, whomever the agent names; chris wants more, and accepts the next."""
    model = Played(draft("v1", of="@bo"), draft("v2", of="requester"))
    async with build(policy=SEPARATE, model=model) as house:
        thread = await house.mention("bo", "announce it")
        first = await house.card("accept")
        facts = {fact.label: fact.value for fact in first.card.facts}
        assert facts["Who may answer"] == "approvers, but not Bo"
        assert "take_over" not in moves(first)

        refused = await house.press("accept", by="bo", card=first)
        await house.press("revise", by="chris", card=first, fields={"text": "add more detail on X"})
        second = await house.card("accept", but=[first])
        typed = await house.say("bo", "LGTM", thread=thread)

        assert (refused.is_taken, refused.text) == (
            False,
            "Sorry, you asked for or changed this, so somebody else has to answer it.",
        )
        assert typed is None or not typed.is_taken
        assert moves(second)
        assert (await house.press("accept", by="chris", card=second)).is_taken
        await house.shows("Chris answered. The draft is accepted as it is.")
        assert "'add more detail on X'" in model.read
        assert await settled(house)


async def test_a_draft_whose_judges_the_policy_names_is_handed_to_one_of_them_alone(build: Build) -> None:
    """GN-12, ST-15: handing on widens no right; chris is another approver, dana is none."""
    async with build(policy=SEPARATE, model=Played(draft("v1"))) as house:
        await house.mention("ana", "announce it")
        card = await house.card("accept")

        wrong = await house.press("hand_to", by="bo", card=card, fields={"person": "dana"})
        right = await house.press("hand_to", by="bo", card=card, fields={"person": "chris"})

        told = "The policy lets only approvers accept drafts, and Dana is none of them."
        assert (wrong.is_taken, wrong.problems) == (False, {"person": told})
        assert right.is_taken
        assert [one["to"] for one in await events(house, "request_handed")] == ["chris"]


async def test_without_a_word_from_the_policy_whoever_asked_accepts(build: Build) -> None:
    """GN-12: separate duties are the policy's to want."""
    async with build(policy=policy(), model=Played(draft("v1"))) as house:
        await house.mention("bo", "announce it")

        assert (await house.press("accept", by="bo")).is_taken
