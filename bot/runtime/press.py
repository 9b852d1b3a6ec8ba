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
        """What the person wrote beside their vote."""
        return self._written(REASON) or self._written(RESULT)

    @property
    def edit_reason(self) -> str:
        """The same of an Edit form, whose other fields are arguments: one of them may well be called `reason`."""
        return self._written(EDIT_REASON)

    def _written(self, name: str) -> str:
        written = self.fields.get(name)
        return sound(str(written)).strip()[:REASON_MOST] if written else ""


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
    """May *copy*, whose message is not known yet, be the one at *place*?

    Of a direct message only its ref says, and so it is of a channel that a rule calls by its name. The thread counts
    for nothing: not every platform names it in a press.
    """
    if copy.place is None:
        return place.is_direct
    is_called = copy.place.thread is None and not copy.place.is_direct
    return copy.place.in_thread(None) == place.in_thread(None) or (is_called and copy.place.platform == place.platform)


def sound(text: str) -> str:
    """*text* as something that can be written down: a half character, which no person types, becomes a `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
