"""Golden pictures: one JSON for each kind and status of card, for a form in a dialog and for the details.

    python -m tests.teams.pictures      writes tests/teams/golden anew; read the difference before keeping it

The cards and forms are those of `tests.stories`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters.teams.cards import Known, draw
from adapters.teams.fields import Fill
from adapters.teams.windows import dialog, form
from bot.domain.chat import PersonId
from tests.domain.given import ANA, BO, NAMES
from tests.goldens import texts, write
from tests.stories import CARDS, FORMS, details_card, form_button

GOLDEN = Path(__file__).parent / "golden"
KNOWN: Mapping[PersonId, Known] = {ANA: Known(id="29:ana", name="Ana"), BO: Known(id="29:bo", name="Bo")}
PEOPLE = Fill(people=NAMES)


def pictures() -> dict[str, str]:
    """Every picture by name, as the text of its file."""
    found: dict[str, Any] = {}
    for name, card in CARDS.items():
        shown = draw(card(), known=KNOWN, fill=PEOPLE)
        found[name] = {"card": shown.card, "summary": shown.summary}
    found |= {f"form_{name}": {"dialog": form(form_button(name), behind="q1", fill=PEOPLE)} for name in FORMS}
    found["details"] = {"dialog": dialog(details_card())}
    return texts(found)


if __name__ == "__main__":
    write(GOLDEN, pictures())
