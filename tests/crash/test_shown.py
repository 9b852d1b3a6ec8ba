"""What stands in the chat is true in the end, also when nobody knows whether a message was posted."""

from __future__ import annotations

from pathlib import Path

from bot.domain.card_buttons import STEPS
from bot.domain.chat import Card, MessageRef, Place
from bot.domain.errors import ChatUnavailable
from tests.crash.doom import Doom
from tests.crash.ledger import Ledger, LedgerTool
from tests.crash.worker import POLICY, Echo
from tests.fakes.chat import FakeChat
from tests.house import House

SOON = 0.3  # seconds until the bot tries again: time for somebody to stop the run


class LossyChat(FakeChat):
    """The first reply about each card is lost: the message stands, and the bot does not know."""

    async def post(self, card: Card, place: Place, *, key: str) -> MessageRef:
        is_new = all(post.key != key for post in self.posts)
        ref = await super().post(card, place, key=key)
        if is_new and not key.endswith("/end"):
            raise ChatUnavailable(self.platform, "the reply was lost", retry_after=SOON)
        return ref


async def test_a_message_that_was_posted_unknowingly_is_brought_up_to_date(
    redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """I3: the card and the status stand with live buttons, unknown to us; the run is stopped; no button stays."""
    tool = LedgerTool("charge", Ledger(tmp_path / "ledger"), lambda _moment: None)
    chat = LossyChat()
    house = House(redis_url, namespace, tmp_path, policy=POLICY, tools=(tool,), model=Echo(Doom("")), chat=chat)
    async with house:
        thread = await house.mention("ana", "charge 7")
        await chat.until(lambda: house.with_button("approve"), "the card")

        await house.say("ana", "stop", thread=thread)

        await house.shows("Stopped by Ana.")
        await chat.until(lambda: not _pressed(chat), "no button stays that does anything")
        assert await house.is_sound()


def _pressed(chat: FakeChat) -> set[str]:
    """What can still be pressed, but for the look at a run's steps, which stays and changes nothing."""
    return {button.move for post in chat.posts for button in post.card.buttons} - {STEPS}
