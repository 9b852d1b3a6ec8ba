"""What a notification says of a card, on any platform: a lock screen and a screen reader read nothing else.

Plain words: how they are escaped and cut is each platform's.
"""

from __future__ import annotations

from bot.domain.chat import Card

NOTICED = ("Asked by", "Risk", "Deadline")  # facts that a notification names besides title and status


def notice(card: Card) -> str:
    """Title, body, status and the facts that matter, a line each; of a card without them, whatever it says."""
    facts = [f"{fact.label}: {fact.value}" for fact in card.facts if fact.label in NOTICED]
    told = [card.title, card.body, card.status, *facts] if card.title or card.body or card.status else []
    words = told or [block.text for block in card.blocks] or [fact.value for fact in card.facts]
    return "\n".join(line for line in words if line.strip())
