"""People who are away and named no deputy: nobody calls them, and whoever waits reads why."""

from __future__ import annotations

from tests.flows.stage import Build, Hands, Played, call, calls, policy, settled
from tests.flows.test_away import leaves
from tests.house import Clock

WIRE = calls(call("wire", amount=90))


async def test_whoever_is_away_without_a_deputy_is_called_when_they_are_back(build: Build, hands: Hands) -> None:
    """CD-09: no mention and no message on a day off; the card comes when it is over, though no hours are known."""
    clock = Clock()
    rules = policy(ladder="{after: 5m, remind: here}, {after: 6d, expire: true}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), clock=clock) as house:
        await leaves(house, "bo", span="2 days")
        await house.mention("ana", "pay")
        card = await house.card()
        clock.advance(minutes=6)

        await house.shows("Reminder: wire still waits for a signature. Bo is away until")
        reminder = next(post for post in house.chat.posts if "Reminder:" in post.card.body)
        assert reminder.card.mentions == ("chris",)
        assert "Away" not in [fact.label for fact in card.card.facts]
        clock.advance(days=2, minutes=1)

        await house.chat.until(lambda: [post for post in house.chat.posts if post.place.channel == "dm-bo"])
        assert await house.is_sound()


async def test_when_everybody_who_is_asked_is_away_the_card_and_the_reminder_say_so(build: Build, hands: Hands) -> None:
    """PP-07, CD-09: bo is back first; nobody is mentioned, and whoever waits reads why. A right does not wait."""
    clock = Clock()
    rules = policy(ladder="{after: 5m, remind: here}, {after: 6d, expire: true}")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), clock=clock) as house:
        await leaves(house, "bo", span="2 days")
        await leaves(house, "chris", span="3 days")
        await house.mention("ana", "pay")
        card = await house.card()
        clock.advance(minutes=6)

        await house.shows("Everybody who may answer is away until")
        reminder = next(post for post in house.chat.posts if "Reminder:" in post.card.body)
        assert reminder.card.mentions == ()
        assert "(Bo's time). Away, and asked when they are back: Bo (" in reminder.card.body
        [told] = [fact.value for fact in card.card.facts if fact.label == "Away"]
        assert told.startswith("Everybody who may answer is away; the first is back at ")
        assert (await house.press("approve", by="bo", card=card)).is_taken
        await house.shows("ok wire 90 bank")
        assert await settled(house)
