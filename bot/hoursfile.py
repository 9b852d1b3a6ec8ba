"""Times of the week and time zones, as every YAML file of ours writes them; *reader* remembers what is wrong.

    "Mon-Fri 09:00-17:30" -> spans      Europe/Berlin -> zone

Not whose times they are (peoplefile, policyclock), nor what they mean (domain/hours).
"""

from __future__ import annotations

from yaml.nodes import Node

from bot.domain.hours import EXAMPLE, Span, is_zone, read_spans
from bot.yamlfile import Reader


def read_times(node: Node, what: str, reader: Reader) -> tuple[Span, ...]:
    """Empty when they cannot be read."""
    text = reader.text(node, f'{what}, such as "{EXAMPLE}",')
    try:
        return read_spans(text) if text is not None else ()
    except ValueError as error:
        reader.note(node, f"{what}: {error}")
        return ()


def read_zone(node: Node, what: str, reader: Reader) -> str:
    """An IANA name; empty when it is none."""
    name = reader.text(node, what) or ""
    if name and not is_zone(name):
        reader.note(node, f"{what}: {name!r} is not a time zone; write one such as Europe/Berlin")
        return ""
    return name
