"""Patterns of a form's texts: written by an agent, tried on what people type, and never slow.

Python's own `re` may need years for one short pattern and one short text (`(a+)+$`), and a bot that tries it stands
still for everybody. The engine behind CEL's `matches` takes a time that grows with pattern and text alone. It knows
neither look-around nor back-references: a pattern that wants them is refused before anybody is asked.
"""

from __future__ import annotations

import math
import re

import cel

LONGEST = 200  # characters
REPEATS_MOST = 1_000  # the product of a pattern's counts: building `\w{450}` takes a tenth of a second

_COUNT = re.compile(r"\{([0-9]{1,9})(?:,([0-9]{0,9}))?\}")
_MATCHES = cel.compile("text.matches(pattern)")


def flaw(pattern: object) -> str | None:
    """Why *pattern* cannot be tried on anything, in words that follow its name; None if it can."""
    if not isinstance(pattern, str):
        return "is not a text"
    if len(pattern) > LONGEST or _repeats(pattern) > REPEATS_MOST:
        return "is too large"
    try:
        fits(pattern, "")
    except ValueError:
        return "cannot be tried here: it is broken, very large, or wants look-around or back-references"
    return None


def fits(pattern: str, text: str) -> bool:
    """Is there anything in *text* that *pattern* matches? Raises ValueError if it is no pattern."""
    try:
        return bool(_MATCHES.execute({"pattern": pattern, "text": text}))
    except RuntimeError as error:
        raise ValueError(f"{pattern!r} is no pattern that can be tried") from error


def cost(pattern: str) -> int:
    """What one try takes, in tries of the smallest pattern: about 0.1 ms each."""
    return 1 + _repeats(pattern) // 10


def _repeats(pattern: str) -> int:
    counts = (max(int(least), int(most or 0)) for least, most in _COUNT.findall(pattern))
    return math.prod(max(count, 1) for count in counts)
