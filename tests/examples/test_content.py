"""The content pipeline: nothing goes on without a reviewer's move, and only what was accepted can be published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agents.tools.publishing import Press, publishing_tools
from bot.agentsbuild import Shelf, built
from bot.agentsfile import read_agents
from bot.domain.ports import Agent, Line
from tests.agents.patterns.minds import Minds
from tests.examples.theatre import a_theatre
from tests.fakes.chat import Posted
from tests.flows.stage import Build, call, calls, events, request_of, settled
from tests.house import ROOT, House

WAITS = "Draft – awaiting review"
LINE = "write a post about our new office"
PROMPTS = {
    "summarizer": "You write summaries",
    "copywriter": "copywriter of a small company",
    "editor": "You are a copy editor",
    "publisher": "You publish one text",
}


def agents(first: str) -> list[Agent]:
    """The agents that ship with the example, *first* as the one that gets the tasks."""
    file = read_agents(ROOT / "agents" / "examples" / "content" / "agents.yml")
    assert not file.problems, file.problems
    roster = built(file, Shelf(secrets={"publish": ()}), default=first)
    return sorted(roster.agents(), key=lambda one: one.name != first)


class Cast(Minds):
    """Each agent of the example has lines of its own, and is known by words of its prompt."""

    def who(self, lines: Sequence[Line]) -> str:
        return next(one for one, words in PROMPTS.items() if words in lines[0].text)


def said_in(house: House) -> list[str]:
    return [post.card.body for post in house.chat.posts if post.card.body]


def block(post: Posted, label: str) -> str:
    return next(one.text for one in post.card.blocks if one.label.startswith(label))


# ---------------------------------------------------------------- the summary


async def test_a_summary_is_final_only_after_a_reviewers_yes(build: Build) -> None:
    """A2-12, A2-13, A2-14, D-09: draft, marked as one; a card to the reviewer; the final text once, after approval."""
    async with build(agents=agents("summary")) as house:
        thread = await house.mention("ana", "summarise the history of the internet")
        card = await house.card("accept")
        (draft,) = [text for text in said_in(house) if "ARPANET" in text]
        assert draft.startswith(WAITS)
        assert "ARPANET" in block(card, "Draft “text”, round 1 of 3")
        assert (card.place.thread, (await request_of(house, card)).ask.groups[0].of) == (thread, "approvers")

        await house.press("accept", by="bo", card=card)
        assert await settled(house)

        final = [text for text in said_in(house) if "ARPANET" in text and WAITS not in text]
        assert len(final) == 1


async def test_words_go_back_to_the_writer_and_a_yes_in_words_needs_a_click(build: Build) -> None:
    """A2-15, GN-13, D-13: "add ARPANET dates" is another round; "Looks good, approve." accepts nothing by itself."""
    async with build(agents=agents("summary")) as house:
        thread = await house.mention("ana", "summarise the history of the internet")
        first = await house.card("accept")

        await house.say("bo", "add ARPANET dates", thread=thread)
        second = await house.card("accept", but=[first])
        assert "29 October 1969" in block(second, "Draft “text”, round 2 of 3")
        assert not [text for text in said_in(house) if "1969" in text and WAITS not in text]

        await house.say("bo", "LGTM!", thread=thread)
        assert await settled(house)
        assert [text for text in said_in(house) if "29 October 1969" in text and WAITS not in text]


# -------------------------------------------------------------------- the post


async def test_directions_and_words_make_versions_and_the_writer_reads_them_in_order(
    build: Build, tmp_path: Path
) -> None:
    """AS-26, GN-12, ST-10: a button and a reply; v3's request has both; what was accepted, edited and accepted again is
    published, once, after a signature of somebody who did not ask for it (ST-07).
    """
    model = Cast(
        copywriter=["v1", "v2", "v3"],
        editor=["v3, edited"],
        publisher=[calls(call("publish", name="office", text="v3, edited")), "It stands under office."],
    )
    tools = publishing_tools(press := Press(tmp_path / "published"))
    async with build(agents=agents("content"), tools=tools, model=model) as house:
        thread = await house.mention("ana", LINE)
        one = await house.card("accept")
        assert [button.label for button in one.card.buttons][:4] == ["Accept", "Shorter", "Add CTA", "More formal"]

        await house.press("want_a", by="bo", card=one)
        two = await house.card("accept", but=[one])
        await house.say("bo", "add a CTA", thread=thread)
        three = await house.card("accept", but=[one, two])
        assert block(three, "What is different from version 2") == "- v2\n+ v3"
        last = model.told("copywriter", 2)
        assert 0 < last.index("[human_reviewer] Shorter") < last.index("[human_reviewer] add a CTA")
        assert not model.read["editor"]

        await house.press("accept", by="bo", card=three)
        final = await house.card("accept", but=[one, two, three])
        await house.press("accept", by="chris", card=final)
        sign = await house.card("approve")
        for by in ("ana", "bo", "chris"):
            assert not (await house.press("approve", by=by, card=sign)).is_taken
        assert press.now("office") is None
        await house.press("approve", by="dana", card=sign)

        assert await settled(house)
        assert press.now("office") == "v3, edited"
        assert [text for text in said_in(house) if text.startswith("It stands under office.")]


@pytest.mark.parametrize("other", ["v1", "v1, edited!", "V1, edited"])
async def test_another_version_than_the_accepted_one_is_blocked_before_anybody_is_asked(
    build: Build, tmp_path: Path, other: str
) -> None:
    """ST-07: neither the version before the edit, which the reviewer had accepted, nor one with a mark more, nor one in
    other letters is put before a signer; what the chief editor accepted still is.
    """
    right = calls(call("publish", name="office", text="v1, edited"))
    model = Cast(
        copywriter=["v1"],
        editor=["v1, edited"],
        publisher=[calls(call("publish", name="office", text=other)), right, "Done."],
    )
    tools = publishing_tools(Press(tmp_path / "published"))
    async with build(agents=agents("content"), tools=tools, model=model) as house:
        await house.mention("ana", LINE)
        one = await house.card("accept")
        await house.press("accept", by="bo", card=one)
        await house.press("accept", by="bo", card=await house.card("accept", but=[one]))

        sign = await house.card("approve")

        assert (await request_of(house, sign)).call.values["text"] == "v1, edited"
        asked = [one["tool"] for one in await events(house, "request_opened")]
        assert asked.count("publish") == 1


async def test_after_three_rounds_without_a_yes_the_text_is_unaccepted_and_goes_nowhere(build: Build) -> None:
    """GN-14, D-14, D-37: the third card says that it is the last, and offers more only as people's move; no editor,
    no publication.
    """
    model = Cast(copywriter=["v1", "v2", "v3"], editor=[], publisher=[])
    async with build(agents=agents("content"), model=model) as house:
        thread = await house.mention("ana", LINE)
        seen: list[Posted] = []
        for said in ("ok but shorten it", "warmer", "still no"):
            seen.append(await house.card("accept", but=seen))
            await house.say("bo", said, thread=thread)

        await house.shows("Its status is: unaccepted. Nothing went on.")
        assert await settled(house)
        labels = [button.label for button in seen[2].cards[0].buttons]
        assert labels[:2] == ["Accept", "Allow another round"]
        assert "round 3 of 3" in seen[2].cards[0].blocks[1].label
        assert not model.read["editor"] + model.read["publisher"]


async def test_whoever_asked_for_the_text_does_not_accept_it_where_duties_are_separate(build: Build) -> None:
    """GN-12: Bo, an approver, asked for it himself; the policy wants another checker, and Chris is one."""
    rules = (ROOT / "policy.yml").read_text() + "\nreviews: {of: approvers, separate_duties: true}\n"
    async with build(agents=agents("summary"), policy=rules) as house:
        await house.mention("bo", "summarise the history of the internet")
        card = await house.card("accept")

        refused = await house.press("accept", by="bo", card=card)
        assert not refused.is_taken
        assert (await request_of(house, card)).is_open

        assert (await house.press("accept", by="chris", card=card)).is_taken
        assert await settled(house)


# ------------------------------------------------------------- on the whole bot


async def test_a_post_is_published_once_though_the_bot_dies_while_people_read_and_sign(tmp_path: Path) -> None:
    """AS-26, ST-07, A2-14, PP-01, PP-05: from the first line to the public page, in a process that is killed twice."""
    async with a_theatre(tmp_path) as theatre:
        thread = await theatre.site.asks("ana", LINE)
        first = await theatre.card("Shorter", saying="round 1 of 3")
        await theatre.dies()
        await theatre.presses("bo", "Shorter", first)
        await theatre.presses("bo", "Accept", await theatre.card("Shorter", saying="round 2 of 3"))
        await theatre.presses("chris", "Accept", await theatre.card("Accept", saying="chief editor"))

        sign = await theatre.card("Approve", saying="publish")
        await theatre.dies()
        assert await theatre.presses("dana", "Approve", sign) == "Approved. It runs now."

        await theatre.hears("Published: post, version 1, in post.md.", thread)
        history = list((tmp_path / "published" / "post.history").iterdir())
        assert [one.read_text() for one in history] == [(tmp_path / "published" / "post.md").read_text()]
        assert (
            history[0]
            .read_text()
            .endswith("Good news: on Monday the door opens. Come by and look around!\n\nYours, the team")
        )
        assert await theatre.verify()
