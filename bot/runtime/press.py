"""A click or a sent form, as one thing."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.chat import Account, Click, Form, MessageRef, Place
from bot.domain.errors import NotShown, StoreUnavailable
from bot.domain.forms import EDIT_REASON
from bot.domain.render import REASON, RESULT
from bot.domain.request import Copy
from bot.domain.store import Held
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
        """What the person wrote beside their answer; an Edit form names it apart from the arguments."""
        written = next((self.fields[name] for name in (REASON, RESULT, EDIT_REASON) if self.fields.get(name)), "")
        return sound(str(written)).strip()[:REASON_MOST]


def press_of(event: Click | Form) -> Press:
    return Press(
        delivery=event.delivery,
        by=event.by,
        ref=event.ref,
        subject=sound(event.subject),
        move=sound(event.move),
        token=sound(event.token),
        fields=event.fields if isinstance(event, Form) else {},
    )


def must_be_shown(held: Held, press: Press) -> None:
    """Raises NotShown unless *press* comes from a message that shows *held* (T14)."""
    request = held.request
    if press.ref in [copy.ref for copy in held.copies]:
        return
    if any(copy.ref is None and _may_stand(copy, press.ref.place) for copy in held.copies):
        raise StoreUnavailable(f"the card of request {request.id} is still being posted")
    raise NotShown(request.id, "it stands in a message we did not post for it")


def _may_stand(copy: Copy, place: Place) -> bool:
    """May *copy*, whose message is not known yet, be the one at *place*? Of a direct message only its ref says."""
    return copy.place == place or (copy.place is None and place.is_direct)


def sound(text: str) -> str:
    """*text* as something that can be written down: a half character, which no person types, becomes a `?`."""
    return text.encode("utf-8", "replace").decode()
