"""What may be allowed from now on: the terms, first as an offer on a card, then as a grant.

Records alone, because a request carries its offer. What they mean is `grant`'s.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import NewType

from bot.domain.calls import Digest, canonical, digest
from bot.domain.chat import Account, PersonId, Place
from bot.domain.wire import Record, loads

GrantId = NewType("GrantId", str)

RULE = "grant:"  # in front of a grant's id: what the audit names as the rule that let a call through
LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")  # a move is made of small letters
MARK_LETTERS = 8  # 32 bits: enough to tell the offers of one card apart; the button's seal keeps strangers out


class Terms(Record, kw_only=True):  # said anew for mypy: what follows in a subclass needs no default
    """Exactly which calls may run without being asked about. Everything here is shown to whoever gives it."""

    tool: str
    version: str
    rule: str
    requester: PersonId  # of the task
    place: Place  # its thread
    run: str | None  # this run alone; None: every run of the thread
    same: str  # canonical JSON of the arguments that must be equal
    most: int  # calls
    until: datetime
    is_whole: bool  # `same` are all arguments: a call with one more is another call
    hidden: tuple[str, ...]  # names of arguments whose values are never shown
    agent: str = ""  # whose calls, and nobody else's; grants from before they had one allow nothing

    @property
    def thread(self) -> str:
        return self.place.key

    @property
    def names(self) -> tuple[str, ...]:
        """The arguments that must be equal."""
        return tuple(sorted(loads(self.same)))

    @property
    def digest(self) -> Digest:
        """Names the fixed arguments without telling them. Of a whole call it is that call's own digest."""
        return digest(self.tool, self.version, self.same)


class Offer(Terms, kw_only=True):
    """Terms that stand on a card, for somebody to give. `matched` of `looked` earlier calls had these arguments."""

    by: PersonId  # whoever drew them up
    looked: int = 0
    matched: int = 0

    @property
    def mark(self) -> str:
        """Names these very terms in a button's move: a press for other ones is another move."""
        terms = [self.tool, self.version, self.rule, self.requester, self.thread, self.run, self.same, self.is_whole]
        text = canonical([*terms, self.agent, self.most, self.until.isoformat()])
        return hashlib.sha256(text).hexdigest()[:MARK_LETTERS].translate(LETTERS)


class Grant(Terms, kw_only=True):
    """Terms that somebody gave. Only `used`, `revision` and what was revoked ever change."""

    id: GrantId
    by: PersonId
    account: Account
    request: str  # whose approval gave it
    given: datetime
    used: int = 0
    revision: int = 1  # rises with every change: what a use was computed from is what it is applied to
    revoked_by: PersonId | None = None
    revoked_at: datetime | None = None

    @property
    def left(self) -> int:
        return self.most - self.used

    @property
    def rule_name(self) -> str:
        """What stands as the rule in the audit of a call that ran on it."""
        return f"{RULE}{self.id}"
