"""A click or a sent form, as one thing."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.chat import Account, Click, Form, MessageRef
from bot.domain.wire import Record

REASON_MOST = 2_000  # characters


class Press(Record):
    delivery: str
    by: Account
    ref: MessageRef
    subject: str
    move: str
    token: str
    fields: Mapping[str, object] = {}

    @property
    def reason(self) -> str:
        return str(self.fields.get("reason", "") or self.fields.get("result", "") or "").strip()[:REASON_MOST]


def press_of(event: Click | Form) -> Press:
    return Press(
        delivery=event.delivery,
        by=event.by,
        ref=event.ref,
        subject=event.subject,
        move=event.move,
        token=event.token,
        fields=event.fields if isinstance(event, Form) else {},
    )
