"""What a card lets people do, and what is left of one that a chat cannot show whole. The same on every platform.

Nobody signs what they could not read: such a card keeps the moves that let nothing run, and says so.
"""

from __future__ import annotations

from bot.domain.card_buttons import DETAILS
from bot.domain.chat import Card
from bot.domain.run_card import OF_RUNS

HARMLESS = OF_RUNS | {"reject", DETAILS}  # moves that let nothing run: they may stand on a card nobody can read whole
NOT_WHOLE = "This card could not be shown whole, so nothing can be approved here."
TITLE_MOST = 100  # characters of a plain card's title


def is_signable(card: Card) -> bool:
    """Something may run, or change, because of what a person presses here."""
    return any(button.move not in HARMLESS for button in card.buttons)


def is_asking(card: Card) -> bool:
    """It waits for an answer, so it shows what the answer is about."""
    return any(button.move not in OF_RUNS for button in card.buttons)


def plain(card: Card) -> Card:
    """What is left of a card that cannot be shown: what it is about, and no way to let anything run."""
    return Card(
        title=card.title[:TITLE_MOST],
        tone=card.tone,
        status=NOT_WHOLE,
        buttons=tuple(button for button in card.buttons if button.move in HARMLESS),
        footer=card.footer,
        run=card.run,
    )
