"""What a deputy allows ahead: given in somebody's absence, and over with it."""

from __future__ import annotations

from tests.flows.stage import STEADY, Build, Hands, Played, request_of, settled
from tests.flows.test_away import leaves
from tests.flows.test_grants import Tasks, drawn_up, give, given, grants, sign, tidies, tools
from tests.flows.test_grants import leaves as let_through

FINANCE = sign("groups: [finance]")  # chris alone


async def test_what_a_deputy_allows_ends_with_the_absence(build: Build, hands: Hands) -> None:
    """PN-05, PN-06, T16: erin asks for eight hours; chris is away for four, so four are what she may give."""
    model = Played(tidies("desk"), tidies("desk gently"))
    async with build(policy=FINANCE, tools=tools(hands), model=model) as house:
        await leaves(house, "chris", "erin", span="4 hours")
        await house.mention("ana", "tidy up")

        card = await given(house, "erin", until="8 hours")

        await house.shows("Results: ok tidy desk / ok tidy desk")
        [absence] = await house.store.absences()
        [grant] = await grants(house, "erin")
        assert (grant.by, grant.until) == ("erin", absence.until)
        assert (await request_of(house, card)).offer is not None
        assert await settled(house)


async def test_what_a_deputy_allowed_ends_when_the_absent_person_comes_back(build: Build, hands: Hands) -> None:
    """PN-05, T16: an hour early, chris is there again: the next such call is his to sign."""
    model = Tasks(tidies("desk"), tidies("desk gently"))
    async with build(policy=FINANCE, tools=tools(hands), model=model, pace=STEADY) as house:
        await leaves(house, "chris", "erin", span="4 hours")
        thread = await house.mention("ana", "tidy up")
        first = await given(house, "erin", until="1 hour")
        await house.shows("Results: ok tidy desk")
        await house.say("chris", "@countersign back", thread="away-chris", is_mention=True)
        house.clock.advance(seconds=11)  # looks at absences are 10 s old at most

        await house.mention("ana", "tidy up again", thread=thread)

        again = await house.card("approve", but=[first])
        assert not (await house.press("approve", by="erin", card=again)).is_taken
        assert (await house.press("approve", by="chris", card=again)).is_taken
        await house.chat.until(lambda: len(hands.did) == 2, "chris's own signature")
        assert await let_through(house) == []
        assert await settled(house)


async def test_a_deputy_cannot_give_what_somebody_else_drew_up_for_longer(build: Build, hands: Hands) -> None:
    """PN-05, I8: chris drew it up for eight hours and left for four; erin is told, and nothing is signed."""
    async with build(policy=FINANCE, tools=tools(hands), model=Played(tidies("desk"))) as house:
        await house.mention("ana", "tidy up")
        card = await drawn_up(house, "chris", until="8 hours")
        await leaves(house, "chris", "erin", span="4 hours")

        answer = await give(house, "erin", card)

        assert answer.text.startswith("You decide for somebody who is back before this would end;")
        assert (hands.did, await grants(house, "erin")) == ([], ())
        assert (await house.press("approve", by="erin", card=card)).is_taken
        await house.shows("ok tidy desk")
        assert await settled(house)


async def test_a_deputy_who_may_give_it_anyway_is_bound_by_no_absence(build: Build, hands: Hands) -> None:
    """PN-05: bo is an approver himself, and stands for chris besides."""
    async with build(policy=sign(), tools=tools(hands), model=Played(tidies("desk"))) as house:
        await leaves(house, "chris", "bo", span="4 hours")
        await house.mention("ana", "tidy up")

        await given(house, "bo", until="8 hours")

        await house.shows("Results: ok tidy desk")
        [absence] = await house.store.absences()
        [grant] = await grants(house)
        assert grant.until > absence.until
