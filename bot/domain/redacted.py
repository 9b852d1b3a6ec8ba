"""A foreign text as one that people may read: short, and without anything that looks like a secret.

The text may be a server's whole answer, and somebody hostile may have written it: every pattern here reads it once, in
a time that grows with its length alone. `*+` and `++` never give back what they took.
"""

from __future__ import annotations

import hashlib
import re

MASK = "•••"
FINGERPRINTED = 16  # bytes of a secret; a shorter one shows no part of its hash
_WORD = r"(?:secret|passw(?:or)?d|token|credential|cookie|api[_-]?key|authorization)"
_NAMED = re.compile(
    rf"(?i)(?<![\w-])((?:(?!{_WORD})[\w-])*+{_WORD}[\w-]*+[\"']?\s*+[:=]\s*+[\"']?(?:bearer\s+|basic\s+)?)[^\s,;&\"'}}]+"
)
_SHAPED = re.compile(
    r"(?i)xox[a-z]-[\w-]{6,}|xapp-[\w-]{6,}|\bsk-[\w-]{16,}"
    r"|(?<=bearer )[\w.~+/=-]{6,}|(?<=basic )[\w+/=]{6,}|(?<=://)[^\s/@:]*+:[^\s/@]++(?=@)"
)
_SIGNED = re.compile(r"(?<![\w-])((?:(?!\beyJ)[\w-])*+)eyJ[\w-]++\.[\w-]++\.[\w-]*+")  # a JSON Web Token
_LONG = re.compile(r"[a-zA-Z0-9+=]{20,}")  # with letters and digits: like a key
_MIXED = re.compile(r"[\w+/=-]{20,}")  # with small and big letters and digits: like one in base64
_DIGIT, _LETTER, _SMALL, _BIG = (re.compile(one) for one in ("[0-9]", "[a-zA-Z]", "[a-z]", "[A-Z]"))


def redacted(text: str, most: int) -> str:
    """*text* on one line of at most *most* characters. What is masked may have been harmless: better too much."""
    line = " ".join(text.split())
    line = _NAMED.sub(rf"\g<1>{MASK}", line)
    line = _SIGNED.sub(rf"\g<1>{MASK}", _SHAPED.sub(MASK, line))
    line = _LONG.sub(lambda found: _masked(found[0], _DIGIT, _LETTER), line)
    line = _MIXED.sub(lambda found: _masked(found[0], _DIGIT, _SMALL, _BIG), line)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _masked(run: str, *wanted: re.Pattern[str]) -> str:
    return MASK if all(one.search(run) for one in wanted) else run


def mask(secret: bytes) -> str:
    """What stands for a secret where it is not shown; a long one with the beginning of its hash, to tell two apart.

    A short one is guessed from its hash: a PIN has 10,000 values.
    """
    if len(secret) < FINGERPRINTED:
        return "•••• (secret)"
    return f"•••• (secret, sha256 {hashlib.sha256(secret).hexdigest()[:8]})"
