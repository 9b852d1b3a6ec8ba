"""A grant: calls like one that was approved may run without being asked about, within what the policy allows.

    form -> Offer: shown, with exactly what it matches -> given with the approval -> Grant -> used -> ended | revoked

Never for what is high, irreversible, or touches money, mail or messages. Silence gives nothing, a word neither: a
press names the very terms (T07). It is of the agent on whose card it was given: what that agent's helpers want, or
whoever it helps, is asked about (PP-09). Not whose right it is (runtime/grants), nor the counting of uses (the store).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import cast

from bot.domain import redacted, wording
from bot.domain.calls import Digest, ToolCall, ToolSpec, canonical, digest
from bot.domain.chat import Field, PersonId
from bot.domain.errors import InvalidArguments
from bot.domain.form_check import problems_of
from bot.domain.forms import fields_of, values_from_fields
from bot.domain.inert import show_line
from bot.domain.offer import Grant, GrantId, Offer, Terms
from bot.domain.policy import why_guarded
from bot.domain.request import Kind, Request
from bot.domain.verdict import Ask, Grantable
from bot.domain.wire import Json, loads, replace

__all__ = [
    "DROP",
    "GIVE",
    "OFFER",
    "Grant",
    "GrantId",
    "digest_of_same",
    "form_fields",
    "given",
    "has_same",
    "is_allowing",
    "is_live",
    "is_within",
    "left_text",
    "matches",
    "offer_from_form",
    "preview_text",
    "revoked",
    "text",
    "used",
    "why_never",
    "why_not",
]

OFFER, DROP, GIVE = "offer", "drop", "give_"  # moves of a card's buttons; GIVE is followed by the offer's mark
RUN, THREAD = "this run", "this thread"
SPANS: Mapping[str, timedelta] = {
    "15 minutes": timedelta(minutes=15),
    "1 hour": timedelta(hours=1),
    "4 hours": timedelta(hours=4),
    "8 hours": timedelta(hours=8),
    "1 day": timedelta(days=1),
    "3 days": timedelta(days=3),
    "7 days": timedelta(days=7),
    "30 days": timedelta(days=30),
}
LABELS = {"scope": "For", "until": "How long", "most": "How many calls", "exact": "Only with exactly these arguments"}
FEW = 5  # calls the form begins with
VALUE_MOST = 300  # characters of one argument in a sentence; a longer one is named by length and hash


def is_allowing(move: str) -> bool:
    """Is *move* about calls to come, and not about the one on the card alone?"""
    return move in (OFFER, DROP) or move.startswith(GIVE)


# ---------------------------------------------------------------- may it be


def why_not(request: Request, spec: ToolSpec | None) -> str | None:
    """Why nobody may allow more calls like this one, in one sentence; None if somebody may."""
    call, ask = request.call, request.ask
    if request.kind is not Kind.APPROVAL or ask.grant is None:
        return "The policy lets nobody allow more calls like this one."
    if told := why_never(ask):
        return told
    if spec is None or (spec.name, spec.version) != (call.tool, call.version):
        return "The tool has changed since this was asked."
    if guarded := why_guarded(spec):
        return f"{call.tool} {guarded}, so each call of it is asked about."
    if missing := [name for name in ask.grant.same if name not in call.values]:
        return f"The call does not say {' and '.join(missing)}, which would have to be the same every time."
    return None


def why_never(ask: Ask) -> str | None:
    """Why what *ask* wants cannot be given ahead of time, whatever its tool."""
    if ask.is_high:
        return "Each call that is high-risk is asked about."
    if sum(need.need for need in ask.groups) != 1:
        return "More than one signature is needed, and one person cannot give the others'."
    if ask.typed:
        return "Whoever approves this has to type a value of the very call."
    return None


def is_within(terms: Terms, bounds: Grantable) -> bool:
    """Are *terms* as narrow as the policy wants them? Their end is judged by `matches` and when they are drawn up."""
    return 1 <= terms.most <= bounds.most and set(bounds.same) <= set(terms.names)


def matches(grant: Grant, request: Request, now: datetime) -> bool:
    """May the call that *request* would put to people run on *grant*, by its terms and the policy's bounds of today?

    Does not ask whether the giver may still give it, nor what the tool is (`why_not`).
    """
    call, bounds = request.call, request.ask.grant
    if bounds is None or why_never(request.ask) or not is_live(grant, now):
        return False
    return (
        (grant.tool, grant.version, grant.rule) == (call.tool, call.version, request.ask.rule)
        and grant.thread == request.place.key
        and grant.run in (None, request.run)
        and (grant.requester, grant.agent) == (request.requester, request.agent)
        and has_same(grant, call)
        and set(bounds.same) <= set(grant.names)
        and grant.used < bounds.most
        and now < grant.given + bounds.within
    )


def is_live(grant: Grant, now: datetime) -> bool:
    """Of an agent, not revoked, not ended, not used up. Of time and uses the store's own judgement counts."""
    return grant.agent != "" and grant.revoked_by is None and now < grant.until and grant.left > 0


def has_same(terms: Terms, call: ToolCall) -> bool:
    """Are the fixed arguments equal, byte for byte of their canonical form? `docs/../etc` is not `docs` (T07)."""
    return _same(terms, call) == terms.same


def digest_of_same(terms: Terms, call: ToolCall) -> Digest:
    """The digest of *call*'s own values of the arguments that *terms* fix: `terms.digest` if they are the same."""
    return digest(call.tool, call.version, _same(terms, call))


def _same(terms: Terms, call: ToolCall) -> str:
    values = call.values
    fixed = {name: values[name] for name in terms.names if name in values}
    return call.args if terms.is_whole else canonical(fixed).decode()


# ----------------------------------------------------------------- the form


def form_fields(request: Request) -> tuple[Field, ...]:
    """What is asked of somebody who would allow more: all of it within the policy's bounds."""
    bounds = _bounds(request)
    start: dict[str, Json] = {
        "scope": RUN,
        "until": next(iter(_spans(bounds))),
        "most": min(FEW, bounds.most),
        "exact": not bounds.same,
    }
    fixed = f"Always the same: {', '.join(bounds.same)}." if bounds.same else ""
    hints = {"most": f"At most {bounds.most}.", "exact": show_line(fixed)[:150]}
    return tuple(
        replace(field, label=LABELS[field.name], hint=hints.get(field.name, ""))
        for field in fields_of(_schema(bounds), start)
    )


def offer_from_form(
    request: Request, spec: ToolSpec, fields: Mapping[str, object], by: PersonId, now: datetime
) -> Offer:
    """The terms that *fields* say. Raises InvalidArguments: one sentence beside each field that says too much."""
    bounds = _bounds(request)
    schema = _schema(bounds)
    values = values_from_fields(schema, {name: fields.get(name, "") for name in LABELS})
    if problems := problems_of(schema, values):
        raise InvalidArguments("what would be allowed", problems)
    call, is_whole = request.call, values["exact"] is True
    fixed = {name: call.values[name] for name in bounds.same}
    return Offer(
        tool=call.tool,
        version=call.version,
        rule=request.ask.rule,
        requester=request.requester,
        place=request.place,
        run=request.run if values["scope"] == RUN else None,
        same=call.args if is_whole else canonical(fixed).decode(),
        most=cast(int, values["most"]),
        until=now + _spans(bounds)[str(values["until"])],
        is_whole=is_whole,
        hidden=tuple(name for name in spec.secrets if name in call.values),
        agent=request.agent,
        by=by,
    )


def given(request: Request, offer: Offer, id: GrantId) -> Grant:
    """*offer* as the last vote of *request* gives it: nothing of it becomes another term."""
    vote = request.votes[-1]
    terms = {name: getattr(offer, name) for name in Terms.__struct_fields__}
    return Grant(**terms, id=id, by=vote.person, account=vote.account, request=request.id, given=vote.at)


def used(grant: Grant) -> Grant:
    return replace(grant, used=grant.used + 1, revision=grant.revision + 1)


def revoked(grant: Grant, by: PersonId, at: datetime) -> Grant:
    return replace(grant, revoked_by=by, revoked_at=at, revision=grant.revision + 1)


def _bounds(request: Request) -> Grantable:
    assert request.ask.grant is not None, "only a rule that names bounds offers a form"
    return request.ask.grant


def _spans(bounds: Grantable) -> dict[str, timedelta]:
    """The ends to choose from, the policy's own bound the last."""
    shorter = {label: span for label, span in SPANS.items() if span < bounds.within}
    longest = next((label for label, span in SPANS.items() if span == bounds.within), span_text(bounds.within))
    return {**shorter, longest: bounds.within}


def _schema(bounds: Grantable) -> dict[str, Json]:
    properties: dict[str, Json] = {
        "scope": {"type": "string", "enum": [RUN, THREAD]},
        "until": {"type": "string", "enum": list(_spans(bounds))},
        "most": {"type": "integer", "minimum": 1, "maximum": bounds.most},
        "exact": {"type": "boolean"},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


# ------------------------------------------------------------------- words


def text(terms: Terms, names: Mapping[PersonId, str] | None = None) -> str:
    """Exactly what *terms* match, in one sentence. *names* are what people are called; without one, their id."""
    who = wording.name(names or {}, terms.requester)
    where = f"through {show_line(terms.agent)}, no other agent, in {RUN if terms.run else THREAD}"
    return (
        f"{show_line(terms.tool)}, version {show_line(terms.version)}, {_with(terms)}, asked for by {who} {where}: "
        f"at most {terms.most} time{'' if terms.most == 1 else 's'}, until {wording.time(terms.until)}."
    )


def preview_text(offer: Offer) -> str:
    """How much asking it would have saved: the number that says how wide it is; of what was looked at, no more."""
    tool = show_line(offer.tool)
    if not offer.looked:
        return f"I could look at no earlier call of {tool}."
    calls = f"last {offer.looked} calls" if offer.looked > 1 else "last call"
    return f"Of the {calls} of {tool} that I could look at, {offer.matched} would have matched."


def left_text(grant: Grant) -> str:
    return f"{grant.left} of {grant.most} left, until {wording.time(grant.until)}"


def span_text(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    units = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
    size, unit = next((size, unit) for size, unit in units if seconds % size == 0)
    count = seconds // size
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _with(terms: Terms) -> str:
    fixed = {name: _value(value, is_hidden=name in terms.hidden) for name, value in loads(terms.same).items()}
    shown = ", ".join(f"{show_line(name)} = {value}" for name, value in fixed.items())
    if terms.is_whole:
        return f"with exactly these arguments: {shown}" if shown else "without arguments"
    return f"where {shown}, whatever its other arguments are" if shown else "whatever its arguments are"


def _value(value: Json, *, is_hidden: bool) -> str:
    written = canonical(value)
    if is_hidden:
        return redacted.mask(written)
    shown = show_line(written.decode())
    return shown if len(shown) <= VALUE_MOST else f"({len(written):,} bytes, sha256 {sha256(written).hexdigest()[:12]})"
