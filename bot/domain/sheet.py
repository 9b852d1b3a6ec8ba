"""A sheet: one message that shows several requests of a turn, so that people are asked once (T19, AS-20).

    requests of a turn -> spread -> equal and harmless: one sheet, approved together
                                 -> more than a few:    one list, from which each can be opened as its own card
                                 -> all others:         a card each, as ever

Every item stays a request of its own, with its digest, votes, spending and outcome; the first one's message is the
sheet's. Pure. Not how it looks (sheet_card), when a turn is whole (tray), nor what a press does (sheets).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from bot.domain.calls import Digest
from bot.domain.request import Kind, Request
from bot.domain.wire import Record, replace

MOST = 20  # items of one sheet: what a Slack message of 50 blocks shows whole
OWN = "own"  # the copy by which an item of a sheet has a card of its own

APPROVE_ALL, APPROVE_SOME, REJECT_ALL, OPEN_ONE = "approve_all", "approve_some", "reject_all", "open_one"
MOVES = frozenset({APPROVE_ALL, APPROVE_SOME, REJECT_ALL, OPEN_ONE})
RUNNING = frozenset({APPROVE_ALL, APPROVE_SOME})  # moves after which something may run
CHOSEN = "items"  # the field that names items

Group = tuple[Request, ...]


class Sheet(Record):
    """The requests of one message as they are now. The first is the one whose message it is."""

    items: Group

    @property
    def head(self) -> Request:
        return self.items[0]

    @property
    def digest(self) -> Digest:
        """What its buttons are sealed for: these very calls, in this order."""
        named = "".join(item.call.digest for item in self.items)
        return Digest(hashlib.sha256(f"sheet\0{named}".encode()).hexdigest())

    @property
    def open(self) -> Group:
        return tuple(item for item in self.items if item.is_open)

    @property
    def is_joint(self) -> bool:
        """May its items be approved together?"""
        return all(may_be_joint(item) and _sort(item) == _sort(self.head) for item in self.items)


def may_be_joint(request: Request) -> bool:
    """Does the rule let equal calls like this one be approved together? Never what asks for more than a look."""
    ask = request.ask
    return request.kind is Kind.APPROVAL and ask.is_batch and not ask.is_high and not ask.typed


def spread(asked: Sequence[Request], few: int) -> tuple[Group, ...]:
    """Which of the requests that a turn asks for share a message. Whatever is in no group has a card of its own.

    Only a signature shares one. After *few* cards, what is left is listed, those of each place together.
    """
    joint = list(_groups([one for one in asked if may_be_joint(one)], _sort))
    taken = {one.id for group in joint for one in group}
    alone = [one for one in asked if one.id not in taken]
    left = [one for one in alone[max(few - len(joint), 0) :] if one.kind is Kind.APPROVAL]
    return (*joint, *_groups(left, _stand))


def bound(group: Group) -> Group:
    """*group* as the items of one sheet."""
    head, *rest = group
    return (
        replace(head, items=tuple(one.id for one in group)),
        *(replace(one, sheet=head.id) for one in rest),
    )


def label(number: int, about: str) -> str:
    """How the item of this *number* is called where items are chosen; read back by `number_of`."""
    return f"{number}. {about}"


def number_of(chosen: str) -> int:
    """The inverse of `label`; 0 for anything else."""
    number = chosen.partition(".")[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0


def taken_out(name: str) -> str:
    """The reason of an item that somebody left out when approving the others."""
    return f"taken out by {name}"


def _groups(requests: Sequence[Request], sort: Callable[[Request], tuple[str, ...]]) -> Iterator[Group]:
    """Those of a sort together, at most MOST in one group; one alone makes none."""
    for kind in dict.fromkeys(map(sort, requests)):
        alike = [one for one in requests if sort(one) == kind]
        parts = (tuple(alike[start : start + MOST]) for start in range(0, len(alike), MOST))
        yield from (part for part in parts if len(part) > 1)


def _sort(request: Request) -> tuple[str, ...]:
    """What makes calls equal: the same tool under the same rule."""
    return (request.call.tool, request.call.version, request.ask.rule)


def _stand(request: Request) -> tuple[str, ...]:
    return (request.ask.place,)
