"""What is set beside a test of an agent and opens something real (D-49): names alone, never a value.

    secret settings, what is called like a model's key, what the agents' file calls `secret:NAME` -> those that are set

The file is read as text, with every file whose name stands in it, comments too: too much is asked about rather than too
little. Not which settings are secret (bot/domain/credentials), nor what the file means (the roof).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot.domain.credentials import REFERENCE, real_ones

FILE = "COUNTERSIGN_AGENTS"  # where the agents stand, if not in agents.yml
FILES_MOST = 200  # more than the bot itself reads
_NAME = re.compile(r"""[^\s"'\[\],{}][^"'\[\],{}\n]*\.ya?ml""")


def real_beside(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The names of what is real in *environment*; empty if nothing is."""
    texts = _texts(Path(environment.get(FILE) or "agents.yml"), set())
    return real_ones(environment, {name for text in texts for name in REFERENCE.findall(text)})


def _texts(path: Path, seen: set[Path]) -> Iterator[str]:
    """The text of *path* and of all that it names, each once."""
    if path.resolve() in seen or len(seen) >= FILES_MOST or not path.is_file():
        return
    seen.add(path.resolve())
    text = path.read_text(errors="replace")
    yield text
    for named in _NAME.findall(text):
        for other in _found(path.parent, named.rpartition(": ")[2].lstrip("- ")):
            yield from _texts(other, seen)


def _found(folder: Path, name: str) -> list[Path]:
    try:
        return sorted(folder.glob(name)) if "*" in name else [folder / name]
    except (ValueError, NotImplementedError, IndexError):  # no path at all: the bot refuses it as well
        return []
