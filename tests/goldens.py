"""Golden pictures as files: one JSON for each, written by the `pictures` module of the platform they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.domain.request import NEXT, VOTES, Kind, Move, Status


def texts(pictures: Mapping[str, Any]) -> dict[str, str]:
    """Every picture by name, as the text of its file."""
    return {
        name: json.dumps(picture, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        for name, picture in pictures.items()
    }


def write(folder: Path, pictures: Mapping[str, str]) -> None:
    """Write every picture, and take away those that nobody draws any more."""
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.json"):
        if path.stem not in pictures:
            path.unlink()
    for name, text in pictures.items():
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


def statuses(kind: Kind) -> set[Status]:
    """Every status that a request of this *kind* can come to: by the answers it takes, and by what nobody votes."""
    moves = VOTES[kind] | (set(Move) - frozenset[Move]().union(*VOTES.values()))
    found, last = {Status.OPEN}, set[Status]()
    while found != last:
        last = set(found)
        found |= {to for status in last for move, to in NEXT[status].items() if move in moves}
    return found


def picture_name(kind: Kind, status: Status) -> str:
    """The name in `tests.stories.CARDS` of the plainest card of this *kind* and *status*."""
    return status.value if kind is Kind.APPROVAL else f"{kind}_{status}"
