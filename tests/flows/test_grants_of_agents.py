"""Whose calls a grant lets through where several agents work in one run: those of the agent on whose card it was given.

`tidy` only writes, and one rule asks about it whoever wants it: nothing but the grant itself tells the agents apart.
"""

from __future__ import annotations

import pytest

from agents.patterns.helpers import helper_tools
from agents.patterns.sequential import Sequential
from bot.domain.calls import Risk
from bot.domain.ports import Said, Tool
from tests.agents.patterns.minds import Minds, agent
from tests.flows.stage import Build, Hands, call, calls, events, request_of, settled
from tests.flows.test_grants import drawn_up, given, grants, leaves, sign, tools
from tests.house import words

CLERK = agent("clerk", "tidy")
LEAD = agent("lead", "tidy", helpers=(CLERK,))
TEAM = Sequential(name="team", members=(agent("one", "tidy"), agent("two", "tidy")))
DESK = calls(call("tidy", what="desk"))
HELP = calls(call("ask_clerk", task="tidy the desk"))


def crew(hands: Hands) -> tuple[Tool, ...]:
    return (*tools(hands, risk=Risk.WRITE), *helper_tools(LEAD))


@pytest.mark.parametrize(
    ("giver", "turns"),
    [
        ("lead", {"lead": [DESK, DESK, HELP, "done"], "clerk": [DESK, "tidied"]}),
        ("clerk", {"lead": [HELP, HELP, DESK, "done"], "clerk": [DESK, "tidied", DESK, "tidied"]}),
    ],
)
async def test_what_one_agent_was_allowed_allows_its_helper_nothing_and_the_other_way_round(
    build: Build, hands: Hands, giver: str, turns: dict[str, list[str | Said]]
) -> None:
    """PP-09, T07: the same bytes, rule, thread and requester; the same agent's next call runs, the other's is asked."""
    other = {"lead": "clerk", "clerk": "lead"}[giver]
    async with build(policy=sign(), tools=crew(hands), agents=[LEAD], model=Minds(**turns)) as house:
        await house.mention("ana", "tidy up")
        first = await given(house)

        second = await house.card("approve", but=[first])

        assert [(await request_of(house, card)).agent for card in (first, second)] == [giver, other]
        assert hands.did == ["tidy desk"] * 2
        assert await leaves(house) == ["grant"]
        assert [one["agent"] for one in await events(house, "grant_used")] == [giver]
        assert (await grants(house))[0].left == 1, "the helper's call took nothing of it"
        await house.press("approve", by="bo", card=second)
        assert await settled(house)


async def test_members_of_a_pattern_are_allowed_ahead_each_for_itself(build: Build, hands: Hands) -> None:
    """PP-09: each has its own oversight; what the first was allowed asks about the second."""
    model = Minds(one=[DESK, DESK, "done"], two=[DESK, "done"])
    async with build(policy=sign(), tools=tools(hands), agents=[TEAM], model=model) as house:
        await house.mention("ana", "tidy up")
        first = await given(house)

        second = await house.card("approve", but=[first])

        assert hands.did == ["tidy desk"] * 2
        assert (await request_of(house, second)).agent == "two"
        await house.press("reject", by="bo", card=second, fields={})
        assert await settled(house)


async def test_a_grant_of_a_thread_serves_no_other_agent_that_is_asked_there(build: Build, hands: Hands) -> None:
    """PP-09: the thread, the requester and the rule are the same, the agent is another."""
    model = Minds(clerk=[DESK, "tidied", DESK, "tidied"], lead=[DESK, "done"])
    async with build(policy=sign(), tools=crew(hands), agents=[CLERK, LEAD], model=model) as house:
        thread = await house.mention("ana", "tidy up")
        first = await given(house)
        await house.shows("tidied")
        await house.mention("ana", "lead: tidy up", thread=thread)

        second = await house.card("approve", but=[first])

        assert (await request_of(house, second)).agent == "lead"
        assert hands.did == ["tidy desk"]


async def test_the_card_names_the_agent_that_would_be_allowed(build: Build, hands: Hands) -> None:
    """PP-09, T07: whoever gives it reads whose calls it is for."""
    model = Minds(lead=[HELP, "done"], clerk=[DESK, "tidied"])
    async with build(policy=sign(), tools=crew(hands), agents=[LEAD], model=model) as house:
        await house.mention("ana", "tidy up")

        card = await drawn_up(house)

        assert "asked for by Ana through clerk, no other agent, in this thread: at most 2 times" in words(card)
