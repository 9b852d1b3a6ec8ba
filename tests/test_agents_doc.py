"""docs/agents.md is true: its agents are read, its code runs, its table is whole; and the README names each example."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from agents.patterns.calls import CALLS
from agents.rehearsal import playbook
from agents.rehearsal.mind import Spoken, answer
from agents.roster import Roster
from bot.agentsbuild import Shelf, built
from bot.agentscheck import default_of
from bot.agentsfile import parse_agents, read_agents
from bot.agentskinds import KINDS
from bot.domain.chat import Place
from bot.domain.routing import Listing, choose
from tests.house import ROOT
from tests.outside import own_tests

DOC = (ROOT / "docs" / "agents.md").read_text()
README = (ROOT / "README.md").read_text()
EXAMPLES = ROOT / "agents" / "examples"
ROWS = re.findall(r"^\| \[([a-z_]+)\]\(docs/examples/([a-z_]+)\.md\) \| (.+?) \|", README, re.MULTILINE)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOC, re.DOTALL | re.MULTILINE)


def roster(text: str) -> Roster:
    file = parse_agents(text.encode())
    assert file.problems == []
    return built(file, Shelf(secrets={"read_file": ()}, inner=frozenset(CALLS)), default=default_of(file))


def test_the_first_agents_of_the_page_are_read_and_found_by_how_a_task_begins() -> None:
    """A2-07, A2-12: as somebody pastes them into agents.yml."""
    text = blocks("yaml")[0]
    place = Place(platform="playground", tenant="local", channel="general")

    found = roster(text)

    assert found.choose("write about queues", place).listing.name == "team"
    assert [one.name for one in found.listings()] == ["team", "writer"]


def test_the_scene_of_the_page_is_played_from_a_folder_of_ones_own(tmp_path: Path) -> None:
    """GN-22: the file as it stands there, and the call it tells of that needs no scene."""
    _, text = blocks("yaml")
    (tmp_path / "rehearsal.yml").write_text(text)
    book = playbook.load(playbook.SHIPPED, tmp_path / "rehearsal.yml")
    (spelled,) = re.findall(r"`(call restart [^`]+)`", DOC)

    for line in (book.tries[-1].line, spelled.replace("\n", " ")):
        reply = answer(book, [Spoken(role="user", text=f"[ana] @countersign {line}")], ["restart"])
        assert [(call.tool, json.loads(call.args)["service"]) for call in reply.calls] == [("restart", "billing-2")]


SET = re.compile(r"^(?:[A-Z_]+=\S*|.*' )\s*make play", re.MULTILINE)


def test_a_page_that_starts_the_bot_with_a_setting_says_that_the_other_one_is_stopped_first() -> None:
    """Two of them share a folder and a port, and the second one refuses to start."""
    pages = [page for page in (ROOT / "docs" / "examples").glob("*.md") if SET.search(page.read_text())]

    assert len(pages) >= 5
    assert [page.name for page in pages if "stop the other one first" not in " ".join(page.read_text().split())] == []


def test_all_code_of_the_page_runs_as_it_stands(tmp_path: Path) -> None:
    """AS-05, AS-32: each block under the name in its first line; the tests among them pass, with nothing else there."""
    for code in blocks("python"):
        name = re.match(r"# (\w+\.py)", code)
        assert name is not None, code
        (tmp_path / name[1]).write_text(code)

    done = own_tests(tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_the_table_names_every_kind_and_files_that_are_there() -> None:
    """AS-08: and no kind that agents.yml does not know."""
    told = dict(re.findall(r"^\| `([a-z_]+)` \| `([a-z_/]+\.py)` \|", DOC, re.MULTILINE))

    assert told.keys() == KINDS.keys()
    assert [name for name in told.values() if not ((ROOT / "agents" / name).exists() or (ROOT / name).exists())] == []


def test_the_readme_names_every_example_that_ships() -> None:
    assert sorted(name for name, _, _ in ROWS) == sorted(one.parent.name for one in EXAMPLES.glob("*/agents.yml"))
    assert all(name == page for name, page, _ in ROWS)


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, _, line in ROWS])
def test_what_the_readme_says_to_write_reaches_the_example_and_its_page_is_there(name: str, line: str) -> None:
    """AU-06, AU-16: the line is one that the rehearsal offers, and it goes to an agent of that example."""
    mine = parse_agents((EXAMPLES / name / "agents.yml").read_bytes(), folder=EXAMPLES / name).agents
    file = read_agents(ROOT / "agents.yml")
    listings = [Listing(name=one, starts=entry.starts) for one, entry in file.agents.items() if not entry.is_person]
    place = Place(platform="playground", tenant="local", channel="general")

    assert line in {one.line for one in playbook.shipped().tries}
    assert choose(line, place, listings, default_of(file)).listing.name in mine
    assert (ROOT / "docs" / "examples" / f"{name}.md").exists()
