"""A form: several typed values at once, and the row of a table that it is about, marked among its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.asking import Choice, Inquiry, Part, Values, never_typed
from bot.domain.calls import canonical
from bot.domain.errors import InvalidArguments
from bot.domain.form_schema import schema_flaw
from bot.domain.forms import fields_of, problems_of, values_from_fields
from bot.domain.request import Kind, Request
from bot.domain.wire import Json

ORDER = "x-order"  # names a schema's properties in their author's order: canonical JSON keeps no order of keys
WIDE = 100  # characters of a line; a wider table is shown as one line a column


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
        found.append(Part(label=f"Row {_number(table)} is in question", text=_marked(table), is_exact=True))
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
    return _table_flaw(table) if table else None


# ------------------------------------------------------------------- table


def _table_flaw(table: Values) -> str | None:
    columns, rows = table["columns"], table["rows"]
    if any(len(row) != len(columns) for row in rows):
        return f"each row of the table must have {len(columns)} cells"
    if not 0 <= table["row"] < len(rows):
        return f"the row in question must be one of 0 to {len(rows) - 1}"
    if table["column"] not in columns:
        return f"the column in question must be one of {', '.join(columns)}"
    return None


def _marked(table: Values) -> str:
    """Every row and column that was given, the row in question with an arrow, its field in brackets."""
    here, column = table["row"], table["columns"].index(table["column"])
    rows = [[_cell(cell) for cell in row] for row in table["rows"]]
    rows[here][column] = f"[ {rows[here][column]} ]"
    names = [_cell(name) for name in table["columns"]]
    lines = _grid(names, rows, table)
    if any(len(line) > WIDE for line in lines):
        return "\n".join(f"{'→' if at == column else ' '} {name}: {rows[here][at]}" for at, name in enumerate(names))
    return "\n".join(lines)


def _grid(names: Sequence[str], rows: Sequence[Sequence[str]], table: Values) -> list[str]:
    numbers = [str(table["first"] + at) for at in range(len(rows))]
    lines = [["row", *names], *([number, *row] for number, row in zip(numbers, rows, strict=True))]
    widths = [max(len(line[at]) for line in lines) for at in range(len(names) + 1)]
    marks = [" ", *("→" if at == table["row"] else " " for at in range(len(rows)))]
    return [
        f"{mark} {'  '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))}".rstrip()
        for mark, line in zip(marks, lines, strict=True)
    ]


def _cell(value: Json) -> str:
    """A text as it is, anything else and a text of several lines as JSON: one cell is one line."""
    is_plain = isinstance(value, str) and value == " ".join(value.split()) and value != ""
    return value if is_plain and isinstance(value, str) else canonical(value).decode()


def _number(table: Values) -> int:
    return int(table["first"] + table["row"])


FORM = Inquiry(title="Please fill in", parts=_parts, choices=_choices, typed=never_typed, told=_told, flaw=_flaw)
