"""A form: several typed values at once, and the row of a table that it is about, marked among its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.asking import Choice, Inquiry, Part, Values, never_typed
from bot.domain.calls import canonical
from bot.domain.errors import InvalidArguments
from bot.domain.form_check import problems_of
from bot.domain.form_schema import schema_flaw
from bot.domain.forms import fields_of, values_from_fields
from bot.domain.inquiry_row import row_part, table_flaw
from bot.domain.request import Kind, Request
from bot.domain.wire import Json

ORDER = "x-order"  # names a schema's properties in their author's order: canonical JSON keeps no order of keys


def filled(asked: Request, fields: Mapping[str, object]) -> dict[str, Json]:
    """The values that people typed. Raises InvalidArguments with one sentence beside each wrong field."""
    schema = asked.call.values["schema"]
    values = values_from_fields(schema, fields)
    if wrong := problems_of(schema, values):
        raise InvalidArguments(Kind.FORM, wrong)
    return values


def in_order(args: Json) -> Json:
    """The arguments of a form as its author wrote them, with the order of its fields where the schema names none.

    Only before they are made canonical: from then on nobody knows the order.
    """
    schema = args.get("schema") if isinstance(args, dict) else None
    if not isinstance(args, dict) or not isinstance(schema, dict) or ORDER in schema:
        return args
    parts = schema.get("properties")
    return {**args, "schema": {**schema, ORDER: list(parts)}} if isinstance(parts, dict) else args


def _parts(values: Values) -> Sequence[Part]:
    found = [Part(label="The agent asks", text=values["question"])]
    if table := values.get("table"):
        found.append(row_part(table))
    return found


def _choices(values: Values) -> Sequence[Choice]:
    fields = fields_of(values["schema"], values.get("start") or {})
    return [
        Choice(move="fill", label="Fill in", effect="the agent goes on with it", style="primary", fields=fields),
        Choice(move="leave", label="You decide", effect="the agent chooses"),
    ]


def _told(_asked: Request, answer: Values) -> str:
    if answer["move"] == "leave":
        return "They leave it to you."
    return f"They filled in: {canonical(answer['values']).decode()}"


def _flaw(values: Values) -> str | None:
    if told := schema_flaw(values["schema"], values.get("start") or {}):
        return told
    table = values.get("table")
    return table_flaw(table) if table else None


FORM = Inquiry(title="Please fill in", parts=_parts, choices=_choices, typed=never_typed, told=_told, flaw=_flaw)
