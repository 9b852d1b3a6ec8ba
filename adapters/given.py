"""Given messages: somebody points at a message, and it becomes a task of whoever pointed. The same on every platform.

    text -> is it somebody else's? then it says whose words it holds -> may it be a task at all -> a task

Not owned: how a platform lets people point, whether the bot could answer there, and whether the task is taken.
"""

from __future__ import annotations

from bot.domain.chat import Person
from bot.domain.inert import show
from bot.domain.wording import NAME_MOST, clip
from bot.domain.words import Meaning
from bot.domain.words import read as meaning_of

TEXT_MOST = 19_000  # characters of a given message; a task has at most 20,000, and the frame wants some

GIVEN = "I have it: my answer comes in the thread of that message. I take a message once; to ask again, mention me."
NO_TEXT = "That message has no text that I could work on."
A_WORD = "That message is a word that answers, and an answer must come from you now: please write it in the thread."
AN_APP = "An app"  # wrote it


def why_no_task(text: str, *, is_own: bool) -> str:
    """Why *text* is no task; empty if it is one. *is_own*: whoever gives it wrote it, and may have meant an answer."""
    if not text.strip():
        return NO_TEXT
    if len(text) > TEXT_MOST:
        return f"That message is too long: {len(text):,} characters. I can take at most {TEXT_MOST:,}."
    return A_WORD if is_own and meaning_of(text) is not Meaning.CONTEXT else ""


def as_theirs(text: str, author: str) -> str:
    """Somebody else's words, as their own."""
    return f"{author} wrote:\n{text}"


def named(person: Person | None, account: str) -> str:
    """Who wrote it. A name is what somebody calls themselves, so the account stands beside it."""
    name = clip(show(" ".join(person.name.split())), NAME_MOST) if person else ""
    return f"{name} (@{account})" if name else f"@{account}"
