"""Several agents in a whole Teams: whose words, who goes on, what their tools show, and what it all has cost."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from bot.domain.chat import PersonId
from bot.domain.ports import Said
from bot.domain.preferences import Preferences
from tests.agents.patterns.minds import Minds, call
from tests.fakes.teams import FakeMessage
from tests.flows.stage import FREE, Hands, Played, calls, events, policy, settled
from tests.flows.stage import call as wanted
from tests.flows.test_exhibits import PNG
from tests.hostile import nodes
from tests.several import DESK, TEAM, TO_BILLING, draw, more_is_given, steps_are_read
from tests.teams.whole import Build, Site


async def test_each_turn_is_a_message_that_names_its_agent(site: Site, build: Build) -> None:
    """AS-15, ST-45: three turns, three messages in order; the name stands below each."""
    model = Minds(one=["first words"], two=["second words"], three=["third words"])
    async with build(policy=FREE, agents=[TEAM], model=model) as bot:
        thread = await site.asks("ana", "go")
        assert await settled(bot)

        turns = [post for post in site.posts() if " words" in site.text(post)][:3]
        told = [site.text(post).strip().split("\n") for post in turns]
        assert {post.thread for post in turns} == {thread}
        assert [lines[0] for lines in told] == ["first words", "second words", "third words"]
        assert [lines[-1] for lines in told] == ["one", "two", "three"]


async def test_work_is_turned_to_another_agent_from_the_card(site: Site, build: Build, hands: Hands) -> None:
    """GN-19: Re-route lists who else there is; Billing's card is withdrawn, Tech reads why; later it turns nothing."""
    minds = Minds(triage=[TO_BILLING], billing=[call("wire", amount=5)], tech=["The router was off."])
    async with build(policy=policy(), tools=hands.tools, agents=[DESK], model=minds) as bot:
        await site.asks("ana", "my router is down")
        card, note = await bot.seen("Approve"), await bot.seen("Re-route")
        late = site.press("bo", "Re-route", note, **{"reroute.to": "tech", "reroute.text": "too late"})

        typed = {"reroute.to": "tech", "reroute.text": "no invoice at all"}
        told = await site.presses("ana", "Re-route", note, **typed)

        assert told == "tech goes on; what was asked is withdrawn."
        await bot.shows("The router was off.")
        assert await settled(bot)
        assert "no invoice at all" in minds.told("tech")
        assert len(minds.read["billing"]) == 1
        assert not hands.did
        assert "Approve" not in site.buttons(card)
        assert [(one["left"], one["agent"]) for one in await events(bot, "rerouted")] == [("billing", "tech")]
        assert (await site.sends("bo", late)).words == "This run has already ended."


async def test_a_picture_from_a_tool_is_seen_in_the_thread(site: Site, build: Build) -> None:
    """AS-15: a bot cannot put a file in a channel, so it stands on the message itself; nothing is fetched for it."""
    async with build(policy=FREE, tools=(draw,), model=Played(calls(wanted("draw", what="sales")))) as bot:
        thread = await site.asks("ana", "draw the sales")
        await bot.shows("Results: a chart of sales", in_thread=thread)
        assert await settled(bot)

        [(post, image)] = [(post, image) for post in site.posts() for image in images(post)]
        assert (post.thread, image["altText"]) == (thread, "sales.png")
        assert image["url"] == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


def images(post: FakeMessage) -> list[Mapping[str, Any]]:
    return [node for node in nodes(post.activity) if node.get("type") == "Image"]


async def test_a_long_answer_stands_whole_in_as_many_messages_as_it_takes(site: Site, build: Build) -> None:
    """AS-15: not a line is lost, and each part says which it is."""
    text = "\n".join(f"line {number} of words" for number in range(1_500))
    async with build(policy=FREE, model=Played(Said(text=text))) as bot:
        thread = await site.asks("ana", "tell me all")
        await bot.shows("line 1499 of words", in_thread=thread)
        assert await settled(bot)

        told = site.said(thread)
        assert [number for number in range(1_500) if f"line {number} of words" not in told] == []
        assert "is attached as answer.md" in told
        assert "part 1 of" in told


async def test_the_steps_open_in_a_dialog_and_the_trace_only_for_those_allowed(
    site: Site, build: Build, hands: Hands
) -> None:
    """AS-29, D-43, A2-01: ana gave the task; erin had no hand in it and reads the steps alone."""
    await steps_are_read(site, build, hands, looks)


async def looks(site: Site, who: str, card: FakeMessage) -> str:
    """Press Steps; what then stands in a dialog before this person alone."""
    answer = await site.teams.press(site.ids[who], card.conversation, card.id, "Steps", 0)
    site.teams.close_dialog(site.ids[who])
    assert answer.card is not None, answer.words
    return site.text(answer.card)


async def test_a_budget_that_is_nearly_spent_is_a_question_with_buttons(site: Site, build: Build, hands: Hands) -> None:
    """D-37, AS-19: the one who gave the task gives more, with one press; nothing is thought before."""
    await more_is_given(site, build, hands)


async def test_the_agents_and_what_somebody_likes_are_read_by_a_command(site: Site, build: Build) -> None:
    """ST-14: `agents`, `preferences` and `forget`, in a channel and in one's own chat; only that person reads them."""
    async with build(policy=FREE, agents=[TEAM], model=Minds()) as bot:
        await Preferences(bot.store.keep()).set(PersonId("ana"), "notify by", "push")

        await site.asks("ana", "agents", at=site.dm("ana"))
        await site.told("ana", "team")
        await site.asks("ana", "preferences")
        await site.told("ana", "notify by")
        await site.asks("ana", "forget everything", at=site.dm("ana"))
        await bot.until(lambda: "forgotten" in "".join(map(site.text, site.teams.direct(site.ids["ana"]))).lower(), "")

        assert await Preferences(bot.store.keep()).all(PersonId("ana")) == {}
        assert [post for post in site.posts() if post.conversation == site.ops] == []
        assert await settled(bot)
