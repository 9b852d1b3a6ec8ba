"""What a JSON Schema's `format` says of a text: whether it fits, and how to write one that does.

A table. A format that is not in it cannot be checked beside its field, and its form is put to nobody (form_schema).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import NamedTuple

from bot.domain.people import NAME


class Format(NamedTuple):
    """`example` follows “Please write”."""

    fits: Callable[[str], bool]
    example: str


def _is_like(pattern: str, reads: Callable[[str], object] = str) -> Callable[[str], bool]:
    """Is a whole text of *pattern*, and can it be read? The patterns here are ours, and none of them is slow."""
    wanted = re.compile(pattern, re.ASCII)

    def fits(text: str) -> bool:
        try:
            return wanted.fullmatch(text) is not None and reads(text) is not None
        except ValueError:
            return False

    return fits


_DAY, _TIME, _ZONE = r"\d{4}-\d{2}-\d{2}", r"\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?", r"(Z|[+-]\d{2}:\d{2})"
_EMAIL = r"[^@\s<>(),;:\"]+@[^@\s<>(),;:\".]+(\.[^@\s<>(),;:\".]+)+"
_PERIOD = r"P(?=[\dT])(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?)"
_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

FORMATS: Mapping[str, Format] = {
    "date": Format(_is_like(_DAY, date.fromisoformat), "a date such as 2026-03-31"),
    "date-time": Format(
        _is_like(f"{_DAY}T{_TIME}{_ZONE}", datetime.fromisoformat), "a moment such as 2026-03-31T09:30:00Z"
    ),
    "time": Format(_is_like(f"{_TIME}{_ZONE}?", time.fromisoformat), "a time such as 09:30"),
    "duration": Format(_is_like(_PERIOD), "a length of time such as PT1H30M or P2D"),
    "email": Format(_is_like(_EMAIL), "an e-mail address such as ana@example.com"),
    "uri": Format(_is_like(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+"), "a link such as https://example.com/page"),
    "uuid": Format(_is_like(_UUID), "a UUID such as 6f1c2d3e-0000-4000-8000-000000000001"),
    "ipv4": Format(_is_like(r"[0-9.]{7,15}", ipaddress.IPv4Address), "an address such as 192.0.2.1"),
    "ipv6": Format(_is_like(r"[0-9A-Fa-f:.]{2,45}", ipaddress.IPv6Address), "an address such as 2001:db8::1"),
    "ipvanyaddress": Format(_is_like(r"[0-9A-Fa-f:.]{2,45}", ipaddress.ip_address), "an address such as 192.0.2.1"),
    "person": Format(lambda text: NAME.fullmatch(text) is not None, "the name of one person"),
}
