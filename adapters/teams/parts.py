"""Parts: what only tells something and is too long for one message goes on in the next ones.

    an agent's long answer -> part 1 of 3 (calls people), part 2 of 3, part 3 of 3; joined, they are the whole

A card that asks, or shows how a request stands, is never parted: it stands whole, or cannot be signed (cards). Not
here: where a page ends (windows), nor that each part is posted once (mouth).
"""

from __future__ import annotations

from adapters.lengths import sounded
from adapters.teams import limits
from adapters.teams.cards import elements, inlined
from adapters.teams.windows import PAGE, pages
from bot.domain.chat import Card
from bot.domain.wire import replace


def parted(card: Card) -> tuple[Card, ...]:
    """*card* as the messages it takes, in their order: itself, unless it only tells something that is too long."""
    if card.buttons or card.status or _weight(card) <= PAGE:
        return (card,)
    told = pages(replace(card, author="", footer="", mentions=()))
    last = len(told)
    return tuple(
        replace(
            page,
            author=card.author,
            footer=" · ".join(filter(None, (card.footer, f"part {number} of {last}"))),
            mentions=card.mentions if number == 1 else (),
            run=card.run,
        )
        for number, page in enumerate(told, 1)
    )


def _weight(card: Card) -> int:
    """Bytes of what *card* says, as drawn."""
    whole, _ = inlined(sounded(card))
    return sum(limits.size(drawn) for drawn in elements(whole))
