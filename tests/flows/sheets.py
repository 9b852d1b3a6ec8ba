"""What the tests of sheets share: equal and different calls, looks at a sheet's items, a door that counts."""

from __future__ import annotations

import asyncio

from bot.domain.calls import Cause
from bot.domain.chat import Button
from bot.domain.ports import Said
from bot.domain.request import Move, Request, RequestId
from bot.runtime.closing import End
from tests.fakes.chat import Posted
from tests.flows.stage import (
    call,
    calls,
    events,
    policy,
)
from tests.house import House, find

BATCH = "groups: [approvers], batch: true, reason: on_reject"
LIST = policy("groups: [approvers]")


def tidies(count: int) -> Said:
    return calls(*(call("tidy", what=f"desk {n}") for n in range(1, count + 1)))


async def items(house: House, post: Posted) -> tuple[Request, ...]:
    """The requests on a sheet as they stand now."""
    head = (await house.store.held(RequestId(any_button(post).subject))).request
    return tuple([(await house.store.held(id)).request for id in head.items])  # noqa: A001  # their name


def any_button(post: Posted) -> Button:
    return next(button for card in post.cards for button in card.buttons if button.subject.startswith("q-"))


def options(post: Posted, move: str) -> tuple[str, ...]:
    return find(post, move).fields[0].options


async def withdrawn(house: House, request: Request) -> None:
    """The system ends this one request, whatever becomes of the others."""
    end = End(move=Move.CANCEL, cause=Cause.UNDELIVERABLE, told="for this test")
    await house.engine.runner.withdraw(request.run, request.id, end)


class Door:
    """Counts who comes by; reached by everybody after the first few."""

    def __init__(self, after: int) -> None:
        self.after, self._seen = after, 0

    def is_reached(self) -> bool:
        self._seen += 1
        return self._seen > self.after


def noted(house: House, beginning: str) -> list[str]:
    """What was said in the thread that begins so."""
    return [post.card.body for post in house.chat.posts if post.card.body.startswith(beginning)]


async def recorded(house: House, event: str, count: int) -> None:
    """Wait until there are *count* records of this event."""
    async with asyncio.timeout(10):
        while len(await events(house, event)) < count:
            pass
