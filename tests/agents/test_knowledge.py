"""Looking things up: by words, in plain files of one folder, with their sources."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agents.tools.knowledge import PASSAGE_MOST, Library, knowledge_tools
from bot.domain.calls import Outcome, Risk
from tests.agents.given import run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "texts"
    (root / "shop").mkdir(parents=True)
    (root / "shop" / "refunds.md").write_text(
        "# Refunds\nAbove 500 a manager signs.\n\n## Returns ##\nWithin 30 days.\n```\n# no heading\n```\n"
    )
    (root / "hours.txt").write_text("We refund from nine to five.\n")
    (root / "picture.png").write_bytes(b"refund")
    return root


async def test_the_best_passage_comes_first_and_every_source_is_named(root: Path) -> None:
    """AS-28: a word in a heading is worth more; other forms of a word are found as well."""
    (lookup,) = knowledge_tools(Library(root))

    result = await run(lookup, {"question": "Who signs a refund?"})

    found = json.loads(result.text)
    assert found[0] == {"source": "shop/refunds.md, Refunds", "text": "Above 500 a manager signs."}
    assert result.sources == ("shop/refunds.md, Refunds", "hours.txt")
    assert lookup.spec.risk is Risk.READ


async def test_code_holds_no_headings(root: Path) -> None:
    (lookup,) = knowledge_tools(Library(root))

    (found,) = json.loads((await run(lookup, {"question": "30 days"})).text)

    assert found == {"source": "shop/refunds.md, Returns", "text": "Within 30 days.\n```\n# no heading\n```"}


async def test_a_changed_file_is_found_as_it_is_now(root: Path) -> None:
    (lookup,) = knowledge_tools(Library(root))
    await run(lookup, {"question": "refund"})

    (root / "new.md").write_text("# Dragons\nhere\n")
    (root / "hours.txt").unlink()

    assert (await run(lookup, {"question": "dragons"})).sources == ("new.md, Dragons",)
    assert (await run(lookup, {"question": "nine"})).text == "Nothing was found."


async def test_no_link_leads_out_of_the_folder(root: Path, tmp_path: Path) -> None:
    """T12."""
    (tmp_path / "secret.md").write_text("treasure")
    os.symlink(tmp_path / "secret.md", root / "link.md")
    os.symlink(tmp_path, root / "folder")

    assert (await run(knowledge_tools(Library(root))[0], {"question": "treasure"})).text == "Nothing was found."


@pytest.mark.parametrize("question", ['"', "NEAR(a b) OR x*", "file:x", "a AND -b", "'; DROP TABLE texts"])
async def test_no_question_is_a_search_command(root: Path, question: str) -> None:
    result = await run(knowledge_tools(Library(root))[0], {"question": question})

    assert "failed inside" not in result.text


async def test_a_long_section_is_cut(root: Path) -> None:
    (root / "long.md").write_text("whale " * 1000)

    (found,) = json.loads((await run(knowledge_tools(Library(root))[0], {"question": "whale"})).text)

    assert len(found["text"]) < PASSAGE_MOST + 10
    assert found["text"].endswith("… (cut)")


async def test_a_question_without_words_is_told(root: Path) -> None:
    result = await run(knowledge_tools(Library(root))[0], {"question": "?!"})

    assert (result.outcome, result.text) == (Outcome.ERROR, "The question holds no word to look for.")
