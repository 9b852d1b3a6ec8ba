"""The buttons of a signature's card: one for every way to answer, each with the fields behind it.

Not who may press (rights), nor what pressing does (desk, ballot).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bot.domain import button_effects, grant, typed
from bot.domain.card_view import View
from bot.domain.chat import Button, Field, FieldKind
from bot.domain.forms import EDIT_REASON, fields_of
from bot.domain.request import Kind, Move
from bot.domain.verdict import ReasonRule
from bot.domain.wire import replace

EDIT, EXPLAIN, STOP, DETAILS = "edit", "explain", "stop", "details"  # moves of buttons that are not votes
STEPS = "steps"  # of a whole run
LOOKS = frozenset({DETAILS, STEPS})  # they open something for one person alone, and change nothing
REASON, RESULT = "reason", "result"  # names of the fields beside a vote


def buttons(view: View, seal: Callable[[str], str]) -> Iterator[Button]:
    """What may be pressed while *view*'s request is open. *seal* is as for `render.card`."""
    request = view.request

    def button(
        move: str, label: str, style: str = "plain", fields: tuple[Field, ...] = (), confirm: str = ""
    ) -> Button:
        subject = request.run if move == STOP else request.id
        token = seal(move)
        effect = button_effects.of_request(request, move)
        drawn = Button(subject=subject, move=move, label=label, token=token, style=style, fields=fields, effect=effect)
        return replace(drawn, confirm=confirm) if confirm else drawn

    sure = f"Run {view.tool} with exactly the arguments shown?" if request.ask.is_high else ""
    if request.kind is Kind.RECOVERY:
        is_wanted = request.ask.reason is ReasonRule.ALWAYS  # what came of it is why one says so: one field, not two
        result = Field(name=RESULT, label="What came of it", kind=FieldKind.LONG_TEXT, is_required=is_wanted)
        yield button(Move.ANSWER, "It happened", fields=(result,))
        if view.objection is None:
            label = "It did not – run it now"
            yield button(Move.APPROVE, label, "primary", _beside(view, Move.APPROVE), sure)
        yield button(Move.REJECT, "Skip it – leave it in doubt", "plain", _reason(view, Move.REJECT))
        yield button(DETAILS, "Details")
        yield button(STOP, "Stop")
        return
    if view.objection is None:
        approve = button(Move.APPROVE, "Approve", "primary", _beside(view, Move.APPROVE), sure)
        yield approve
        yield from _allowing(view, approve, seal)
        if fields := _edit_fields(view):
            yield button(EDIT, "Edit", fields=fields)
    yield button(Move.REJECT, "Reject", "danger", _reason(view, Move.REJECT))
    if view.objection is None and not request.explanation:
        yield button(EXPLAIN, "Explain")
    if view.objection is None and request.ask.break_glass is not None:
        alone = f"Run {view.tool} on your signature alone? Everybody here is told at once, and it will be reviewed."
        yield button(Move.BREAK_GLASS, "Break glass", "danger", _beside(view, Move.BREAK_GLASS), alone)
    yield button(DETAILS, "Details")
    yield button(STOP, "Stop")


def _allowing(view: View, approve: Button, seal: Callable[[str], str]) -> Iterator[Button]:
    """Approve, and allow more like it: first the terms, then a press that names these very terms."""
    request = view.request
    if grant.why_not(request, view.spec) is not None:
        return
    if request.offer is None:
        fields = grant.form_fields(request)
        label = "Approve and allow more…"
        token, effect = seal(grant.OFFER), button_effects.of_request(request, grant.OFFER)
        yield Button(subject=request.id, move=grant.OFFER, label=label, token=token, fields=fields, effect=effect)
        return
    give = f"{grant.GIVE}{request.offer.mark}"
    plain = replace(approve, label="Approve and give it", style="plain", effect=button_effects.GIVE)
    yield replace(plain, move=give, token=seal(give))
    drops = button_effects.of_request(request, grant.DROP)
    yield Button(subject=request.id, move=grant.DROP, label="Drop it", token=seal(grant.DROP), effect=drops)


def _beside(view: View, move: Move) -> tuple[Field, ...]:
    """The fields beside a button that lets the call run."""
    return (*typed.field(view.request), *_reason(view, move))


def _reason(view: View, move: Move) -> tuple[Field, ...]:
    """The reason field: beside every vote when the rule always wants one, else only beside a rejection.

    Whoever breaks the glass always says why.
    """
    if move is Move.BREAK_GLASS:
        return (Field(name=REASON, label="Why nobody else can be waited for", kind=FieldKind.LONG_TEXT),)
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
