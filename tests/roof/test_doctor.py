"""The doctor, where no platform is: what it finds out by trying."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.tools.box import Boxes, Kind
from bot.doctor import Finding, examine
from tests.house import ROOT


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "COUNTERSIGN_VAR": str(tmp_path / "var"),
        "COUNTERSIGN_POLICY": str(ROOT / "policy.yml"),
        "COUNTERSIGN_PEOPLE": str(ROOT / "people.yml"),
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


async def scripts() -> list[Finding]:
    return [one for one in await examine() if "scripts run" in one.text or "for code" in one.text]


@pytest.mark.parametrize(
    ("setting", "kind", "mark", "told"),
    [
        ("on", Kind.BUBBLEWRAP, "✓", "scripts run in a box made by bubblewrap"),
        ("unboxed", Kind.NONE, "!", "scripts run WITHOUT A BOX"),
        ("on", None, "✗", "this host can make no box for code"),
    ],
)
async def test_what_scripts_would_run_in_is_tried_where_they_are_switched_on(
    here: pytest.MonkeyPatch, setting: str, kind: Kind | None, mark: str, told: str
) -> None:
    """AU-15, D-34: a box, none because somebody wanted none, or nothing at all."""

    async def is_fine(_: Boxes, tried: Kind) -> bool:
        return tried is kind

    here.setattr(Boxes, "_is_fine", is_fine)
    assert await scripts() == []
    here.setenv("COUNTERSIGN_CODE", setting)

    (found,) = await scripts()

    assert (found.mark, told in found.text) == (mark, True)
