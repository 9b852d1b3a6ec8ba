"""Plan, code, deploy: what is built is the approved plan, what is deployed is the accepted script, to the letter."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.testing import Script, Somebody, Story, accept, approve, call, leave, rehearse, reject, revise
from agents.tools.box import Box, Boxes, Kind
from agents.tools.code import Workshop, code_tools
from agents.tools.files import WorkFolder, file_tools
from agents.tools.publishing import Press, publishing_tools
from bot.domain.ports import Model, Tool
from bot.domain.request import Kind as Asked
from tests.examples.rehearsed import Rehearsal, shipped
from tests.examples.theatre import a_theatre

TASK = "write a script that watches a folder and alerts on new files"
CODER, DEPLOYER = "coder of a small software team", "deployer of a small software team"
UNTRIED = "# Tried: no. Set COUNTERSIGN_CODE=on, on a host that can make a box for code (apt install bubblewrap)."


class Workplace:
    """The example's real tools; and what they did."""

    def __init__(self, folder: Path, *, has_code: bool = True, has_box: bool = True) -> None:
        self.work, self.published = folder / "work", folder / "published"
        self.work.mkdir()
        self.published.mkdir()
        self.mind = Rehearsal()
        kinds = (Kind.BUBBLEWRAP, Kind.NAMESPACES) if has_box else ()  # else: in none, where this host makes none
        boxes = Boxes(Box(folder=self.work, may_be_none=has_box), kinds)
        code = code_tools(Workshop(boxes)) if has_code else ()
        press = publishing_tools(Press(self.published))
        self.tools: tuple[Tool, ...] = (*file_tools(WorkFolder(self.work)), *code, *press)

    @property
    def deployed(self) -> list[str]:
        """Every version that was ever published."""
        return [one.read_text() for one in sorted(self.published.glob("*.history/*"))]

    async def plays(self, *people: Somebody, model: Model | None = None) -> Story:
        agent = shipped("plan_code_deploy", self.tools, "plan-code-deploy")
        given = model or self.mind
        return await rehearse(agent, TASK, tools=self.tools, model=given, people=people, restarts=True)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def kinds(story: Story) -> list[Asked]:
    return [one.kind for one in story.requests]


def tools(story: Story) -> list[str]:
    return [one.call.tool for one in story.requests]


async def test_an_approved_plan_is_coded_and_an_accepted_script_is_deployed_to_the_letter(place: Workplace) -> None:
    """AU-11, AU-16: plan, trial, script, deployment: a look or a signature each, in this order."""
    story = await place.plays(
        Somebody("ana", answers=[accept(), accept()]), Somebody("bo", answers=[approve(), approve()])
    )  # fmt: skip

    assert tools(story) == ["review_stage", "run_code", "review_stage", "publish"]
    assert place.deployed == [story.requests[2].call.values["draft"]]
    assert sorted(one.name for one in (place.work / "output").iterdir()) == ["alerts.txt", "watch_folder.py"]
    assert "there is alerts.txt, watch_folder.py" in story.answer


async def test_the_coder_builds_the_version_of_the_plan_that_was_approved(place: Workplace) -> None:
    """AU-15, D-10: the second version's text and its number are in the coder's first request; no word means "go on"."""
    sent_back = revise("say it in capital letters")

    await place.plays(
        Somebody("ana", answers=[sent_back, accept(), accept()]), Somebody("bo", answers=[approve(), approve()])
    )  # fmt: skip

    read = place.mind.of(CODER)[0]
    assert "5. As you said: say it in capital letters" in read
    assert read.endswith("[plan-check] I approve version 2. Go on.")
    assert "PROCEED" not in read


async def test_without_a_yes_to_the_plan_nothing_is_coded(place: Workplace) -> None:
    """AU-11, A2-02: the coder is never called."""
    story = await place.plays(Somebody("ana", answers=[leave()]))

    assert (place.mind.of(CODER), list(place.work.iterdir())) == ([], [])
    assert story.answer == "Workflow halted by ana."


async def test_without_a_yes_to_the_script_nothing_is_deployed(place: Workplace) -> None:
    """AU-11: stopped before the deployment: nobody is asked to sign one, and nothing is published."""
    story = await place.plays(Somebody("ana", answers=[accept(), leave()]), Somebody("bo", answers=[approve()]))

    assert tools(story) == ["review_stage", "run_code", "review_stage"]
    assert (place.mind.of(DEPLOYER), place.deployed) == ([], [])


async def test_an_accepted_script_is_still_not_deployed_unsigned(place: Workplace) -> None:
    """AU-11, D-47: the deployment has a card of its own; rejected, nothing is published, and the answer says so."""
    story = await place.plays(
        Somebody("ana", answers=[accept(), accept()]), Somebody("bo", answers=[approve(), reject("not on a Friday")])
    )  # fmt: skip

    assert place.deployed == []
    assert "not on a Friday" in story.answer


async def test_a_script_that_nobody_signs_is_not_run(place: Workplace) -> None:
    """AU-15, AU-03, D-34: rejected: no file is written; what people said stands in the draft, for them to judge."""
    story = await place.plays(
        Somebody("ana", answers=[accept(), leave()]), Somebody("bo", answers=[reject("too long")])
    )  # fmt: skip

    assert list(place.work.iterdir()) == []
    assert "too long" in story.requests[-1].call.values["draft"]


async def test_no_script_is_never_deployed_as_one(place: Workplace) -> None:
    """AU-11: people approve a draft that only says why there is none; nobody is asked to sign after that."""
    story = await place.plays(
        Somebody("ana", answers=[accept(), accept()]), Somebody("bo", answers=[reject("too long")])
    )  # fmt: skip

    assert tools(story) == ["review_stage", "run_code", "review_stage"]
    assert place.deployed == []
    assert "no script" in story.answer


async def test_a_path_outside_the_work_folder_is_refused_before_anything_runs(place: Workplace) -> None:
    """AU-15, T07: neither the script nor the file beside it; the coder is told, and nothing lies there afterwards."""
    model = Script(
        [
            "the plan",
            call("run_code", script="open('made.txt', 'w')", files={"../outside.py": "x = 1"}),
            call("finish", answer="#!/usr/bin/env python3"),
        ]
    )

    await place.plays(Somebody("ana", answers=[accept(), leave()]), Somebody("bo", answers=[approve()]), model=model)

    assert (list(place.work.iterdir()), (place.work.parent / "outside.py").exists()) == ([], False)
    assert model.read[2][-1].text == "The path may not lead out of the work folder."


async def test_what_nobody_accepted_cannot_be_deployed(place: Workplace) -> None:
    """D-10, ST-07: a deployer that changes one character is refused, and nobody is asked to sign."""
    script = "#!/usr/bin/env python3\nprint(1)"
    other = call("publish", name="one", text=script.replace("1)", "2)"))
    model = Script(["the plan", call("finish", answer=script), other, "It was refused."])

    story = await place.plays(Somebody("ana", answers=[accept(), accept()]), model=model)

    assert kinds(story) == [Asked.REVIEW, Asked.REVIEW]
    assert "must be exactly what people accepted" in model.read[3][-1].text
    assert place.deployed == []


async def test_where_nothing_runs_code_it_begins_and_says_what_to_set(tmp_path: Path) -> None:
    """AU-16, CD-04: no signature is asked for a trial; the script on the card says that it was not tried, and why."""
    place = Workplace(tmp_path, has_code=False)

    story = await place.plays(Somebody("ana", answers=[accept(), accept()]), Somebody("bo", answers=[approve()]))

    assert tools(story) == ["review_stage", "review_stage", "publish"]
    assert story.requests[1].call.values["draft"].splitlines()[1] == UNTRIED
    assert len(place.deployed) == 1


async def test_where_no_box_can_be_made_nothing_runs_and_the_card_says_so(tmp_path: Path) -> None:
    """AU-15, D-34: signed or not, no code runs outside a box; the script says that it was not tried."""
    place = Workplace(tmp_path, has_box=False)

    story = await place.plays(
        Somebody("ana", answers=[accept(), leave()]), Somebody("bo", answers=[approve()])
    )  # fmt: skip

    assert list(place.work.iterdir()) == []
    assert story.requests[2].call.values["draft"].splitlines()[1] == UNTRIED


async def test_a_watcher_is_planned_coded_and_deployed_though_the_bot_is_killed_at_every_wait(tmp_path: Path) -> None:
    """AU-11, AU-15, AU-16: plan card, go on; the script on a card, signed; accepted; deployed once; output listed."""
    work, published = tmp_path / "work", tmp_path / "published"
    async with a_theatre(tmp_path, COUNTERSIGN_CODE="on") as theatre:
        thread = await theatre.site.asks("ana", TASK)
        plan = await theatre.card("Approve & continue", saying="Called as: python3 watch_folder.py FOLDER")
        await theatre.dies()
        await theatre.presses("ana", "Approve & continue", plan)

        trial = await theatre.card("Approve", saying="run_code")
        shown = theatre.site.text(trial)
        assert 'print("in a box, it told of report.pdf and of nothing else")' in shown  # as code, line by line
        assert "New file output/watch_folder.py, line by line" in shown
        await theatre.dies()
        assert not (work / "output").exists()
        await theatre.presses("bo", "Approve", trial)

        code = await theatre.card("Approve & continue", saying="# Tried: in a box")
        assert (work / "output" / "alerts.txt").read_text().endswith("report.pdf\n")
        await theatre.presses("ana", "Approve & continue", code)

        deploy = await theatre.card("Approve", saying="publish")
        await theatre.dies()
        assert not (published / "watch-folder.md").exists()
        await theatre.presses("bo", "Approve", deploy)

        await theatre.hears("Done: there is alerts.txt, watch_folder.py.", thread)
        assert (published / "watch-folder.md").read_text().startswith("#!/usr/bin/env python3\n# Tried: in a box")
        assert len(list((published / "watch-folder.history").iterdir())) == 1
        assert await theatre.verify()
