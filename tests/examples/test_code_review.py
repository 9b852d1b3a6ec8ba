"""The code review: it waits for words, every finding is decided by itself, and only what was decided is changed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from agents.coded import Coded
from agents.examples.code_review.agent import code_review
from agents.examples.code_review.changes import Edit, applied, patch
from agents.examples.code_review.source import SAMPLE, Source
from agents.react import ReAct
from agents.testing import Act, Somebody, Story, press, rehearse, take_over
from bot.domain.ports import Said, WantedCall
from bot.domain.run import RunStatus
from tests.agents.patterns.minds import Minds
from tests.agents.test_git import Site as Repository
from tests.examples.theatre import a_theatre
from tests.flows.stage import Build, policy, request_of, run_of, settled

ADD = "def add(a, b): return a+b"
AGENT = Coded(name="code_review", python=code_review, members=(ReAct(name="reviewer", prompt="reviewer"),))


def finding(line: int, suggestion: str, last: int | None = None, file: str = "snippet.py") -> dict[str, object]:
    problem = f"line {line} is wrong"
    return {"file": file, "line": line, "last": last, "problem": problem, "suggestion": suggestion}


def found(*findings: dict[str, object], summary: str = "I looked at it.") -> Said:
    args = json.dumps({"summary": summary, "found": findings})
    return Said(calls=(WantedCall(id="", tool="findings", args=args),))


THREE = found(finding(1, "one"), finding(5, "    five"), finding(9, "    nine"))


async def test_a_review_is_posted_and_then_nothing_thinks_until_somebody_replies(build: Build) -> None:
    """AS-14, AS-17, ST-01: the review stands in the thread, the run waits; a reply brings another one, with all of it.

    The next request of the model has the code, the first review and the words.
    """
    model = Minds(reviewer=[found(finding(1, "def add(a, b):\n    return a + b"), summary="It runs together.")] * 2)
    async with build(policy=policy(), agents=[AGENT], model=model) as house:
        thread = await house.mention("ana", f"review ```{ADD}```")
        card = await house.card("write")

        loaded = await house.store.load(await run_of(house, thread))
        assert loaded is not None
        assert loaded.status is RunStatus.WAITING
        (review,) = [post for post in house.chat.posts if "It runs together." in post.card.body]
        assert (review.card.author, review.place.thread) == ("reviewer", thread)
        assert len(model.read["reviewer"]) == 1

        await house.say("ana", "Focus on type hints", thread=thread)
        again = await house.card("write", but=[card])

        assert len(model.read["reviewer"]) == 2
        told = model.told("reviewer")
        assert ADD in told
        assert "snippet.py, line 1: line 1 is wrong" in told
        assert "[people] Focus on type hints" in told
        assert len([post for post in house.chat.posts if "It runs together." in post.card.body]) == 2
        await house.press("pick_b", by="ana", card=again)
        assert await settled(house)
        await house.shows("The review stands. Nothing is changed.")


async def test_a_colleague_who_may_not_answer_steers_the_review_all_the_same(build: Build) -> None:
    """AS-17, AU-10: Bo writes while Ana decides; his words are under his name in a further review, her decision stands.

    What was accepted keeps its lines: a finding that meets them goes back to the model, and nobody is asked about it.
    """
    twice = found(finding(1, "another one"))
    model = Minds(reviewer=[found(finding(1, "one")), twice, found(finding(5, "    five"))])
    async with build(policy=policy(), agents=[AGENT], model=model) as house:
        thread = await house.mention("ana", "review the sample")
        first = await house.card("pick_a")
        await house.press("pick_a", by="ana", card=first)
        card = await house.card("take_over")

        await house.say("bo", "Focus on type hints", thread=thread)
        await house.press("accept", by="ana", card=card)

        again = await house.card("pick_a", but=[first])
        assert "[bo] Focus on type hints" in model.told("reviewer")
        assert "decided before" in model.told("reviewer")
        await house.press("pick_a", by="ana", card=again)
        await house.press("leave", by="ana", card=await house.card("take_over", but=[card]))
        assert await settled(house)
        await house.shows("1 accepted, 1 skipped.")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_findings_are_accepted_modified_and_skipped_in_any_order(
    build: Build, order: tuple[int, ...], tmp_path: Path
) -> None:
    """AS-25, PP-05: three cards at once; the first is applied as it is, the second with other text, the third not."""
    presses = {0: ("accept", {}), 1: ("take_over", {"text": "    x"}), 2: ("leave", {})}
    async with build(policy=policy(), agents=[AGENT], model=Minds(reviewer=[THREE])) as house:
        await house.mention("ana", "review the sample")
        await house.press("pick_a", by="ana", card=await house.card("pick_a"))
        await house.chat.until(lambda: len(house.with_button("take_over")) == 3, "three cards")
        asked = {(await request_of(house, post)).call.values["line"]: post for post in house.with_button("take_over")}
        cards = [asked[line] for line in (1, 5, 9)]

        (modify,) = [one for one in cards[1].card.buttons if one.move == "take_over"]
        assert [one.label for one in cards[1].card.buttons][:3] == ["Accept", "Modify", "Skip"]
        assert modify.fields[0].value == "    five"
        for at in order:
            move, fields = presses[at]
            await house.press(move, by="ana", card=cards[at], fields=fields)

        assert await settled(house)
        await house.shows("1 accepted, 1 modified, 1 skipped.")
        (told,) = [post for post in house.chat.posts if post.card.attachments]
        lines = SAMPLE.splitlines()
        lines[0], lines[4] = "one", "    x"
        assert _patched(SAMPLE, told.card.attachments[0].content, tmp_path) == "\n".join([*lines, ""])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (finding(1, "x", file="other.py"), "there is no file 'other.py'; there are snippet.py"),
        (finding(10, "x"), "snippet.py has lines 1 to 9"),
        (finding(5, "x", last=4), "snippet.py has lines 1 to 9"),
        (finding(1, ADD), "its suggestion is what stands there already"),
        (finding(4, "x", last=5), "snippet.py, lines 4 to 5 is another finding's already"),
    ],
)
async def test_a_finding_that_fits_nowhere_goes_back_to_the_model_and_never_to_people(
    wrong: dict[str, object], told: str
) -> None:
    """AS-25, D-36: people read of lines that are there, each in one finding."""
    model = Minds(reviewer=[found(finding(5, "    y"), wrong), found()])

    story = await reviewed("review the sample", model, press("pick_a"))

    assert told in model.told("reviewer")
    assert [one.call.tool for one in story.requests] == ["ask_people"]


async def test_a_review_is_replayed_from_its_journal_step_by_step() -> None:
    """AS-17, AS-25: called again after every step, it asks for the same and says the same."""
    model = Minds(reviewer=[found(finding(1, "zero")), THREE])
    acts = [press("write", text="Focus on errors"), press("pick_a"), press("accept"), take_over("x"), press("leave")]

    story = await rehearse(
        AGENT, "review the sample", model=model, people=[Somebody("ana", answers=acts)], restarts=True
    )

    assert story.answer.startswith("1 accepted, 1 modified, 1 skipped.")


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("review", "Send me code to review"),
        ("review ``` ```", "Send me code to review"),
        ("review site sums", "Repositories are named in COUNTERSIGN_REPOS."),
        (f"review {'x = 1;' * 20_000}", "That is too much for one review"),
    ],
)
async def test_what_cannot_be_reviewed_is_said_in_a_sentence_and_no_model_is_asked(task: str, told: str) -> None:
    """AS-14: without code, and where no repository is set up."""
    model = Minds(reviewer=[])

    story = await reviewed(task, model)

    assert told in story.answer
    assert not model.order


async def reviewed(task: str, model: Minds, *acts: Act) -> Story:
    return await rehearse(AGENT, task, model=model, people=[Somebody("ana", answers=acts)])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "end"])
def test_what_was_decided_is_exactly_what_is_changed(end: str, last: str, tmp_path: Path) -> None:
    """AS-25: lines keep their ends and numbers, a last line without an end stays one, and git takes the patch."""
    text = end.join(["a", "b", "c", "d", last])
    source = Source(files={"snippet.py": text, "other.py": "z\n"})
    edits = [Edit("snippet.py", 1, 1, "A\nAA"), Edit("snippet.py", 3, 4, "  C\n"), Edit("other.py", 1, 1, "z")]

    changed = applied(source, edits)

    assert dict(changed) == {"snippet.py": end.join(["A", "AA", "b", "  C", last])}
    assert _patched(text, patch(source, changed).encode(), tmp_path) == changed["snippet.py"]


# ------------------------------------------------------------- on the whole bot


async def test_a_branch_is_reviewed_decided_and_committed_once_though_the_bot_dies_twice(tmp_path: Path) -> None:
    """AS-14, AS-25, PP-01, PP-05: a real diff; killed while findings wait and while the commit waits to be signed.

    Ana accepts, changes and skips; what is committed, once, is just that. The audit holds.
    """
    site = Repository(tmp_path)
    site.commits("Begin", {"readme.txt": "sums"})
    site.commits("Add sums", {"snippet.py": SAMPLE}, branch="sums")
    async with a_theatre(tmp_path, COUNTERSIGN_REPOS=f"site={site.there}") as theatre:
        thread = await theatre.site.asks("ana", "review site sums")
        await theatre.presses("ana", "Go through all 3", await theatre.card("Go through all 3"))
        one, two, three = [await theatre.card("Modify", saying=f"Finding {n}/3") for n in (1, 2, 3)]
        assert await theatre.presses("ana", "Skip", three) == "Thank you, noted."

        await theatre.dies()
        await theatre.fills("ana", "Modify", two, text="    return sum(numbers) / max(len(numbers), 1)")
        await theatre.presses("ana", "Accept", one)
        commit = await theatre.card("Approve", saying="git_commit")
        await theatre.dies()
        await theatre.presses("ana", "Approve", commit)

        await theatre.hears("1 accepted, 1 modified, 1 skipped. They are committed on review/sums-", thread)
        clone = str(next((tmp_path / "repos").glob("*")))
        branch = site.git("--git-dir", clone, "branch", "--list", "review/*", "--format=%(refname:short)").split()
        assert len(branch) == 1
        assert site.git("--git-dir", clone, "rev-list", "--count", f"origin/sums..{branch[0]}").strip() == "1"
        assert site.git("--git-dir", clone, "show", f"{branch[0]}:snippet.py").splitlines() == [
            "def add(a, b):",
            "    return a + b",
            "",
            "",
            "def average(numbers):",
            "    return sum(numbers) / max(len(numbers), 1)",
            *SAMPLE.splitlines()[5:],
        ]
        assert not site.git("--git-dir", str(site.there), "branch", "--list", "review/*"), "nothing is pushed"
        assert await theatre.verify()


def _patched(text: str, diff: bytes, folder: Path) -> str:
    """*text* after git has applied *diff* to it."""
    file = folder / "snippet.py"
    file.write_text(text, newline="")
    subprocess.run(["git", "apply", "-"], input=diff, cwd=folder, check=True, capture_output=True)
    return file.read_bytes().decode()
