"""The official schema of Adaptive Cards 1.5, as a second opinion on every card.

Two things that Teams documents it does not know: the root key `msteams`, and a ChoiceSet's style `filtered`, which the
official renderer (npm `adaptivecards` 3.0.6) lists as of version 1.5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft6Validator
from jsonschema.exceptions import best_match

SCHEMA = Path(__file__).parent / "schema" / "adaptive-card-1.5.json"
VALIDATOR = Draft6Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def complaints(card: Mapping[str, Any]) -> list[str]:
    """What the schema finds wrong with *card*: one sentence, with its path, or none."""
    worst = best_match(VALIDATOR.iter_errors(_as_known({key: card[key] for key in card if key != "msteams"})))
    return [f"{'/'.join(map(str, worst.absolute_path))}: {worst.message[:200]}"] if worst else []


def _as_known(node: Any) -> Any:
    match node:
        case {"type": "Input.ChoiceSet", "style": "filtered"}:
            return {**node, "style": "compact"}
        case dict():
            return {key: value if key == "data" else _as_known(value) for key, value in node.items()}
        case list():
            return [_as_known(item) for item in node]
    return node
