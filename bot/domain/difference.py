"""What is different between two versions of a text: worked out by us, line by line, never taken from an agent."""

from __future__ import annotations

import difflib

LINES_MOST = 400  # lines of one version; comparing many more takes seconds at worst
AROUND = 2  # unchanged lines shown around a change


def difference(before: str, after: str) -> str:
    """`- old` and `+ new` lines with what stands around them; a sentence if there are none, or too many to compare."""
    old, new = before.splitlines(), after.splitlines()
    if old == new:
        return "Nothing is different." if before == after else "Only line ends are different."
    if max(len(old), len(new)) > LINES_MOST:
        return f"Not compared: the versions have {len(old):,} and {len(new):,} lines."
    changes = list(difflib.unified_diff(old, new, n=AROUND, lineterm=""))[2:]  # without the names of two files
    if changes[0].startswith("@@ -1"):  # nothing stands before it
        changes = changes[1:]
    return "\n".join("…" if line.startswith("@@") else _marked(line) for line in changes)


def _marked(line: str) -> str:
    return f"{line[0]} {line[1:]}".rstrip()
