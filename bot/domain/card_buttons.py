"""The buttons of a signature's card: one for every way to answer, each with the fields behind it.

Not who may press (rights), nor what pressing does (desk, ballot).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bot.domain.card_view import View
from bot.domain.chat import Button, Field, FieldKind
from bot.domain.forms import EDIT_REASON, fields_of
from bot.domain.request import Kind, Move
from bot.domain.verdict import ReasonRule

EDIT, EXPLAIN, STOP = "edit", "explain", "stop"  # moves of buttons that are not votes
REASON, RESULT = "reason", "result"  # names of the fields beside a vote


def buttons(view: View, seal: Callable[[str], str]) -> Iterator[Button]:
    """What may be pressed while *view*'s request is open. *seal* is as for `render.card`."""
    request = view.request

    def button(
        move: str, label: str, style: str = "plain", fields: tuple[Field, ...] = (), confirm: str = ""
    ) -> Button:
        subject = request.run if move == STOP else request.id
        token = seal(move)
        ask = confirm or None
        return Button(subject=subject, move=move, label=label, token=token, style=style, fields=fields, confirm=ask)

    sure = f"Run {view.tool} with exactly the arguments shown?" if request.ask.is_high else ""
    if request.kind is Kind.RECOVERY:
        result = Field(name=RESULT, label="What came of it", kind=FieldKind.LONG_TEXT, is_required=False)
        yield button(Move.ANSWER, "It happened", fields=(result, *_reason(view, Move.ANSWER)))
        if view.objection is None:
            label = "It did not – run it now"
            yield button(Move.APPROVE, label, "primary", _reason(view, Move.APPROVE), sure)
        yield button(Move.REJECT, "Stop", "danger", _reason(view, Move.REJECT))
        return
    if view.objection is None:
        yield button(Move.APPROVE, "Approve", "primary", _reason(view, Move.APPROVE), sure)
        if fields := _edit_fields(view):
            yield button(EDIT, "Edit", fields=fields)
    yield button(Move.REJECT, "Reject", "danger", _reason(view, Move.REJECT))
    if view.objection is None and not request.explanation:
        yield button(EXPLAIN, "Explain")
    yield button(STOP, "Stop")


def _reason(view: View, move: Move) -> tuple[Field, ...]:
    """The reason field: beside every vote when the rule always wants one, else only beside a rejection."""
    rule = view.request.ask.reason
    is_rejecting = move is Move.REJECT
    if rule is not ReasonRule.ALWAYS and not (is_rejecting and view.request.kind is Kind.APPROVAL):
        return ()
    is_required = rule is ReasonRule.ALWAYS or (is_rejecting and rule is ReasonRule.ON_REJECT)
    return (Field(name=REASON, label="Reason", kind=FieldKind.LONG_TEXT, is_required=is_required),)


def _edit_fields(view: View) -> tuple[Field, ...]:
    if view.spec is None:
        return ()
    fields = fields_of(view.spec.schema, view.request.call.values, secrets=view.spec.secrets)
    if fields and view.request.ask.reason is ReasonRule.ALWAYS:
        fields += (Field(name=EDIT_REASON, label="Reason", kind=FieldKind.LONG_TEXT),)
    return fields
