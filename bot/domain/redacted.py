"""A foreign text as one that people may read: short, and without anything that looks like a secret."""

from __future__ import annotations

import re

MASK = "•••"
_NAMED = re.compile(
    r"(?i)\b((?:[\w-]*(?:secret|passw(?:or)?d|token|credential|cookie|api[_-]?key|authorization)[\w-]*)"
    r"[\"']?\s*[:=]\s*[\"']?(?:bearer\s+|basic\s+)?)[^\s,;&\"'}]+"
)
_SHAPED = re.compile(
    r"(?i)xox[a-z]-[\w-]{6,}|xapp-[\w-]{6,}|\bsk-[\w-]{16,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*"
    r"|(?<=bearer )[\w.~+/=-]{6,}|(?<=basic )[\w+/=]{6,}|(?<=://)[^\s/@]*:[^\s/@]+(?=@)"
)
_LONG = re.compile(r"(?=[a-zA-Z+=]*[0-9])(?=[0-9+=]*[a-zA-Z])[a-zA-Z0-9+=]{20,}")  # letters and digits, like a key
_MIXED = re.compile(r"(?=[\w+/=-]*[0-9])(?=[\w+/=-]*[a-z])(?=[\w+/=-]*[A-Z])[\w+/=-]{20,}")  # and like one in base64


def redacted(text: str, most: int) -> str:
    """*text* on one line of at most *most* characters. What is masked may have been harmless: better too much."""
    line = " ".join(text.split())
    line = _NAMED.sub(rf"\g<1>{MASK}", line)
    for pattern in (_SHAPED, _LONG, _MIXED):
        line = pattern.sub(MASK, line)
    return line if len(line) <= most else f"{line[: most - 1]}…"
