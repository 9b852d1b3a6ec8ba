"""Several agents in a whole Slack: whose words, who goes on, what their tools show, and what it all has cost."""

from __future__ import annotations

from bot.domain.chat import PersonId
from bot.domain.ports import Said
from bot.domain.preferences import Preferences
from tests.agents.patterns.minds import Minds, call
from tests.fakes.slack import FakeMessage
from tests.flows.stage import FREE, Hands, Played, calls, events, policy, settled
from tests.flows.stage import call as wanted
from tests.flows.test_exhibits import PNG
from tests.several import DESK, TEAM, TO_BILLING, draw, more_is_given, steps_are_read
from tests.slack.whole import Build, Site


async def test_each_turn_is_a_message_that_names_its_agent(site: Site, build: Build) -> None:
    """AS-15, ST-45: three turns, three messages in order; the name stands below each."""
    model = Minds(one=["first words"], two=["second words"], three=["third words"])
    async with build(policy=FREE, agents=[TEAM], model=model) as bot:
        thread = await site.asks("ana", "go")
        await settled(bot)

        told = [site.text(post) for post in site.posts() if " words" in site.text(post)][:3]
        assert all(post.thread_ts == thread for post in site.posts())
        assert [text.split("\n")[0] for text in told] == ["first words", "second words", "third words"]
        assert [text.split("\n")[-1] for text in told] == ["one", "two", "three"]


async def test_work_is_turned_to_another_agent_with_a_form(site: Site, build: Build, hands: Hands) -> None:
    """GN-19: Re-route lists who else there is; Billing's card is withdrawn, Tech reads why; later it turns nothing."""
    minds = Minds(triage=[TO_BILLING], billing=[call("wire", amount=5)], tech=["The router was off."])
    async with build(policy=policy(), tools=hands.tools, agents=[DESK], model=minds) as bot:
        await site.asks("ana", "my router is down")
        card, note = await bot.seen("Approve"), await bot.seen("Re-route")
        assert "Routed to billing." in site.said(note.thread_ts or "")
        form = await site.opens("ana", "Re-route", note)
        assert "Who goes on" in site.text(form)

        await site.submits("ana", to="tech", text="no invoice at all")

        await bot.shows("The router was off.")
        assert await settled(bot)
        assert "no invoice at all" in minds.told("tech")
        assert len(minds.read["billing"]) == 1
        assert not hands.did
        assert "Approve" not in site.slack.buttons_of(card)
        assert [(one["left"], one["agent"]) for one in await events(bot, "rerouted")] == [("billing", "tech")]
        await site.slack.press(site.ids["bo"], note.channel, note.ts, "Re-route")
        await site.slack.until(lambda: "no longer active" in read(site, "bo"), "it is over")


async def test_a_picture_from_a_tool_is_seen_in_the_thread(site: Site, build: Build) -> None:
    """AS-15: its bytes as the tool drew them, once, below the task."""
    async with build(policy=FREE, tools=(draw,), model=Played(calls(wanted("draw", what="sales")))) as bot:
        thread = await site.asks("ana", "draw the sales")
        await bot.shows("Results: a chart of sales", in_thread=thread)
        assert await settled(bot)

        assert [(file.name, file.content, file.channel, file.thread_ts) for file in site.slack.files] == [
            ("sales.png", PNG, site.ops, thread)
        ]


async def test_a_long_answer_is_read_in_part_and_is_a_file_beside_it(site: Site, build: Build) -> None:
    """AS-15: not a character is lost."""
    text = "a line of words\n" * 1_000
    async with build(policy=FREE, model=Played(Said(text=text))) as bot:
        thread = await site.asks("ana", "tell me all")
        await bot.shows("the whole answer, 16,000 characters, is attached as answer.md.", in_thread=thread)
        assert await settled(bot)

        assert [(file.name, file.content.decode(), file.thread_ts) for file in site.slack.files] == [
            ("answer.md", text, thread)
        ]


async def test_the_steps_open_in_a_window_and_the_trace_only_for_those_allowed(
    site: Site, build: Build, hands: Hands
) -> None:
    """AS-29, D-43, A2-01: ana gave the task; erin had no hand in it and reads the steps alone."""
    await steps_are_read(site, build, hands, looks)
    assert site.whispers("ana") == []


async def looks(site: Site, who: str, card: FakeMessage) -> str:
    """Press Steps; what then stands in a window before this person alone."""
    await site.slack.press(site.ids[who], card.channel, card.ts, "Steps")
    await site.slack.until(lambda: "Steps of this run" in read(site, who), f"{who} reads the steps")
    return read(site, who)


def read(site: Site, who: str) -> str:
    view = site.slack.view_of(site.ids[who])
    return site.text(view) if view is not None else ""


async def test_a_budget_that_is_nearly_spent_is_a_question_with_buttons(site: Site, build: Build, hands: Hands) -> None:
    """D-37, AS-19: the one who gave the task gives more, with one press; nothing is thought before."""
    await more_is_given(site, build, hands)


async def test_the_agents_and_what_somebody_likes_are_read_by_a_command(site: Site, build: Build) -> None:
    """ST-14: `agents`, `preferences` and `forget`, behind the slash and in a mention; nobody else reads the answer."""
    async with build(policy=FREE, agents=[TEAM], model=Minds()) as bot:
        await Preferences(bot.store.keep()).set(PersonId("ana"), "notify by", "push")

        told = await command(site, "agents")
        assert "team" in told
        assert "assistant" in told
        assert "notify by" in await command(site, "preferences")
        await site.asks("ana", "forget everything")
        await site.slack.until(lambda: len(site.whispers("ana")) == 3, "the mention is answered as well")
        assert "push" not in await command(site, "preferences")
        assert site.posts() == []
        assert await settled(bot)


async def command(site: Site, text: str) -> str:
    before = len(site.whispers("ana"))
    await site.slack.command(site.ids["ana"], site.ops, "/countersign", text)
    return site.whispers("ana")[before]
