"""A finding: one thing that a review found in a text, where it stands, and what should stand there instead.

A look at one thing: it has no versions and no rounds, and a reply in the thread is no answer to it. What people may do
with it is a row of `inquiry_look`.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.asking import Part, Values

FINDING = "review_finding"  # the shipped tool by which an agent's program asks for such a look


def finding_parts(values: Values) -> Sequence[Part]:
    found = [
        Part(label="Where", text=f"{values['file']}, {lines(values['line'], values['last'])}"),
        Part(label="Problem", text=values["problem"]),
    ]
    if code := values.get("code"):
        found.append(Part(label="What stands there now", text=code, is_exact=True))
    return [*found, Part(label="Suggestion", text=values["draft"], is_exact=True)]


def lines(first: int, last: int) -> str:
    return f"line {first}" if first >= last else f"lines {first} to {last}"
