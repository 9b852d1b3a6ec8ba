"""`report`: how approvals go, from the store of a bot that runs or ran; as a table, as JSON, as a picture."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from bot.app import opened_store
from bot.config import Settings
from bot.domain.wire import dumps
from tests.outside import bot


def body(event: str, **fields: Any) -> bytes:
    return dumps({"e": event, **fields})


@pytest.fixture
async def kept(tmp_path: Path) -> Path:
    """The folder of a bot whose audit tells of two people: bo signed, and somebody with an odd name refused."""
    var = tmp_path / "var"
    settings = Settings(COUNTERSIGN_VAR=var, PORT=0, COUNTERSIGN_HEALTH_PORT=0)
    groups = [{"of": "approvers", "need": 1}]
    async with opened_store(settings) as store:
        await store.log(
            0,
            (
                body("request_opened", request="q-0-1", groups=groups),
                body("vote_counted", request="q-0-1", person="bo", move="approve", seats=[0]),
                body("request_opened", request="q-0-2", groups=groups),
                body("vote_counted", request="q-0-2", person="[red]eve", move="reject", seats=[0]),
                body("request_opened", request="q-0-3", groups=groups),
                body("request_decided", request="q-0-3", status="expired", by=[]),
            ),
        )
    return var


def command(var: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return bot(var, "report", *words)


async def test_a_table_has_a_row_for_each_person_and_one_for_all(kept: Path) -> None:
    """T19: names are those of people.yml, and markup in one is text."""
    done = command(kept)

    assert done.returncode == 0, done.stdout + done.stderr
    rows = {line.split("│")[1].strip(): line for line in done.stdout.splitlines() if line.startswith("│")}
    assert [cell.strip() for cell in rows["Bo"].split("│")[2:4]] == ["1", "100 %"]
    assert [cell.strip() for cell in rows["[red]eve"].split("│")[2:4]] == ["1", "0 %"]
    assert [cell.strip() for cell in rows["everybody"].split("│")[2:4]] == ["2", "50 %"]
    assert "Expired unanswered: approvers 1." in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


async def test_the_same_as_json_for_programs(kept: Path) -> None:
    """Times are seconds; what waits is there, too."""
    told = json.loads(command(kept, "--since", "7d", "--json").stdout)

    assert told["people"]["bo"] | {"half_within": 0, "nine_in_ten_within": 0} == {
        "name": "Bo", "decisions": 1, "approved": 1, "rejected": 0, "answered": 0, "share_approved": 1.0,
        "half_within": 0, "nine_in_ten_within": 0, "quick": 1, "refused": 0, "waiting": 0,
    }  # fmt: skip
    assert told["expired"] == {"approvers": 1}
    assert told["is_cut"] is False


async def test_a_span_that_ended_before_tells_of_nothing(kept: Path) -> None:
    """`--as-of` looks at the past, and what waits now did not wait then."""
    told = json.loads(command(kept, "--as-of", "2020-01-01", "--json").stdout)

    assert told["people"] == {}
    assert told["until"] == "2020-01-01T00:00:00+00:00"


async def test_a_picture_is_written_beside_the_table(kept: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.svg"

    done = command(kept, "--picture", str(file))

    assert done.returncode == 0, done.stderr
    assert "everybody" in done.stdout
    assert "Bo" in "".join(Xml.fromstring(file.read_text()).itertext())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--since", "a month"), "'a month' is no span; write 30d, 12h or 90m"),
        (("--since", "0d"), "'0d' is no span; write 30d, 12h or 90m"),
        (("--as-of", "yesterday"), "'yesterday' is no moment; write 2026-11-21"),
        (("--picture", "report.png"), "'report.png' is no picture we can draw; name an .svg file"),
        (("--picture", "/no/such/folder/report.svg"), "is no place for a picture: No such file or directory"),
    ],
)
async def test_what_cannot_be_done_is_one_sentence(kept: Path, words: tuple[str, ...], told: str) -> None:
    done = command(kept, *words)

    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
