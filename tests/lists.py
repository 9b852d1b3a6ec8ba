"""What a person's own list shows, whatever the platform: what waits for them, what they asked for and answered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from bot.domain.chat import Block, Button, Card, Fact, MessageRef
from bot.domain.pages import RunView, Settled, Waiting
from bot.domain.request import RequestId, RunId, Status
from bot.domain.wire import replace
from tests.domain.given import ANA, NOW, PLACE, decided, drawn
from tests.hostile import TEXT, WORDS

REF = MessageRef(place=PLACE, id="2.0")
STOP = Button(subject="r1", move="stop", label="Stop", token="seal", style="danger")
ANY_CARD = st.builds(
    Card,
    title=TEXT,
    facts=st.lists(st.builds(Fact, label=WORDS | st.just("Risk"), value=TEXT), max_size=14).map(tuple),
    blocks=st.lists(st.builds(Block, label=WORDS, text=TEXT, is_code=st.booleans()), max_size=4).map(tuple),
    status=TEXT,
    buttons=st.just((replace(STOP, move="approve", label="Approve"), STOP)),
)


def waiting(card: Card | None = None, ref: MessageRef | None = REF, **more: Any) -> Waiting:
    opened = NOW - timedelta(hours=3)
    row = Waiting(request=RequestId("q1"), run=RunId("r1"), card=card or drawn(), place=PLACE, ref=ref, opened=opened)
    return replace(row, **more)


def running(task: str = "refund order 7", stop: Button | None = STOP) -> RunView:
    run = RunView(run=RunId("r1"), status="waiting", task=task, requester=ANA, place=PLACE, began=NOW)
    return replace(run, stop=stop)


def settled(card: Card | None = None) -> Settled:
    shown = card or drawn(decided(Status.REJECTED))
    return Settled(request=RequestId("q0"), run=RunId("r0"), card=shown, move="reject", at=NOW)
