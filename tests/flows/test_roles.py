"""As whom somebody is asked stands on their own copy of the card; one person in two roles is one person."""

from __future__ import annotations

from tests.fakes.chat import Posted
from tests.flows.stage import Build, Hands, Played, call, calls, policy, request_of, settled, shown
from tests.house import Clock, House

WIRE = calls(call("wire", amount=90))
ESCALATE = calls(call("escalate", reason="a threat", context="order 7", suggestion="call her"))


def as_whom(post: Posted) -> str | None:
    return next((fact.value for fact in post.cards[0].facts if fact.label == "You are asked as"), None)


async def its_dm(house: House, who: str) -> Posted:
    def found() -> list[Posted]:
        return [post for post in house.chat.posts if post.place.channel == f"dm-{who}" and post.card.title]

    await house.chat.until(found, f"a message to {who}")
    await shown(house)
    return found()[0]


async def test_a_manager_reads_whose_manager_they_are(build: Build) -> None:
    """A2-08, A2-18, A2-10: the card in the thread says who is meant; dana's own copy, in which role she is."""
    async with build(policy=policy(), model=Played(ESCALATE)) as house:
        await house.mention("ana", "answer the complaint")

        card = await its_dm(house, "dana")

        assert as_whom(card) == "Ana's manager"
        origin = next(post for post in house.with_button("take") if not post.place.is_direct)
        assert as_whom(origin) is None
        assert {fact.label: fact.value for fact in origin.card.facts}["Who may answer"] == "Ana's manager"


async def test_whoever_the_ladder_called_reads_that_they_stand_in(build: Build, hands: Hands) -> None:
    """A2-18, CD-09: dana is no approver; she is asked because nobody who is has answered."""
    clock = Clock()
    rules = policy(ladder="{after: 5m, dm: manager(approver)}, {after: 4h, expire: true}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), clock=clock) as house:
        await house.mention("ana", "pay")
        await house.card()

        clock.advance(minutes=6)

        assert as_whom(await its_dm(house, "dana")) == "stand-in: nobody else has answered yet"


async def test_a_deputy_reads_for_whom_and_somebody_with_two_roles_reads_both(build: Build, hands: Hands) -> None:
    """A2-18: chris is an approver, and finance, and decides for bo; he reads all three, and is still one signature."""
    clock = Clock()
    ladder = "{after: 5m, dm: approvers}, {after: 4h, expire: true}"
    rules = policy("groups: [approvers, finance]", ladder)
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), clock=clock) as house:
        await house.say("bo", "@countersign away for 1 week, @chris decides", thread="away", is_mention=True)
        await house.mention("ana", "pay")
        card = await house.card()
        clock.advance(minutes=6)

        mine = await its_dm(house, "chris")

        told = "one of approvers and one of finance and deputy of Bo, who is away; you count once"
        assert as_whom(mine) == told
        assert (await house.press("approve", by="chris", card=mine)).is_taken
        again = await house.press("approve", by="chris", card=card)
        assert not again.is_taken
        assert (await request_of(house, card)).is_open
        assert not hands.did


async def test_whoever_a_question_was_handed_to_reads_their_own_name(build: Build) -> None:
    """A2-18, ST-15: chris was chosen by ana, not by any group."""
    asks = calls(call("ask_people", question="Which colour?"))
    async with build(policy=policy(), model=Played(asks)) as house:
        await house.mention("ana", "paint the door")
        await house.press("hand_to", by="ana", fields={"person": "chris"})

        card = await its_dm(house, "chris")

        assert as_whom(card) == "yourself, by name"
        await house.press("write", by="chris", card=card, fields={"text": "blue"})
        assert await settled(house)
