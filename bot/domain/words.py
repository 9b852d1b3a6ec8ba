"""What a typed reply in a thread is: an exact word or phrase, something like a yes, or context.

Text never decides by resemblance: "I DISAPPROVE" and "no, yesterday was fine" are context (D-06, D-24),
and "ok" means "I read it" (D-13).
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Mapping

APPROVE = frozenset({"approve", "approved", "yes", "y"})
REJECT = frozenset({"reject", "rejected", "no", "n", "deny", "denied"})
STOP = frozenset({"stop", "exit", "halt", "cancel"})
TAKE = frozenset({"i'll do this", "i’ll do this", "take over"})
HAND_BACK = frozenset({"hand back"})
_LIKE_YES = frozenset({"approve", "approved", "yes", "yep", "yeah", "ok", "okay", "lgtm", "sure", "proceed", "confirm"})
_LIKE_YES_PHRASES = ("go ahead", "looks good", "sounds good", "do it", "ship it")
_FOR_IT = frozenset({"approve", "approved", "yes", "yep", "yeah", "proceed", "confirm", "accept"})
_AGAINST_IT = frozenset({"reject", "rejected", "no", "deny", "denied", "cancel"})
_SHORT = 12  # words: a longer text explains something, and both words may well stand in it
_AGAINST = frozenset(
    {"not", "no", "don't", "dont", "never", "but", "disapprove", "wait", "instead", "reject", "cancel"}
)


class Meaning(enum.StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    STOP = "stop"
    TAKE = "take"  # whoever says it works on the run by hand
    HAND_BACK = "hand_back"
    LIKE_YES = "like_yes"  # gets a confirm button, decides nothing
    CONTEXT = "context"


EXACT: Mapping[Meaning, frozenset[str]] = {
    Meaning.APPROVE: APPROVE,
    Meaning.REJECT: REJECT,
    Meaning.STOP: STOP,
    Meaning.TAKE: TAKE,
    Meaning.HAND_BACK: HAND_BACK,
}


def read(text: str) -> Meaning:
    """What the whole message says. An exact word is the whole message, whatever its case and closing marks.

    A question is never an answer: "approve?" asks for somebody else's.
    """
    plain = normal(text)
    if "?" in unicodedata.normalize("NFKC", text):
        return Meaning.CONTEXT
    for meaning, words in EXACT.items():
        if plain in words:
            return meaning
    return Meaning.LIKE_YES if _is_like_yes(plain) else Meaning.CONTEXT


def is_torn(text: str) -> bool:
    """Does a short reply say yes and no at once? It decides nothing, and whoever wrote it should hear so (D-11)."""
    said = set(words := re.findall(r"[\w']+", normal(text)))
    is_asking = "?" in unicodedata.normalize("NFKC", text)
    return len(words) <= _SHORT and not is_asking and bool(said & _FOR_IT) and bool(said & _AGAINST_IT)


def addressed(text: str) -> str:
    """What somebody says to the bot: the text without the bot's mention in front."""
    return re.sub(r"^@\S+\s+", "", text.strip()).strip()


def normal(text: str) -> str:
    """Without the bot's mention, case, outer space and closing punctuation."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return addressed(folded).rstrip(".!?… ")


def _is_like_yes(plain: str) -> bool:
    words = re.findall(r"[\w']+", plain)
    if len(words) > 8 or _AGAINST & set(words):
        return False
    return bool(_LIKE_YES & set(words)) or any(phrase in plain for phrase in _LIKE_YES_PHRASES)
