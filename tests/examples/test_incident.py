"""An incident: nothing before the plan is approved, no dropped step, no restart unsigned, no report unread."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from agents.testing import Somebody, Story, accept, approve, leave, press, proceed, rehearse, reject, revise
from agents.toolbox import ToolProblem, tool
from agents.tools.files import WorkFolder, file_tools
from agents.tools.services import Service, service_tools
from bot.domain.calls import Risk
from bot.domain.ports import Tool
from bot.domain.request import Kind
from tests.examples.rehearsed import EXAMPLES, Rehearsal, shipped
from tests.examples.theatre import a_theatre
from tests.fakes.loopback import routed
from tests.flows.stage import HASTY, Build, gone, settled
from tests.flows.test_everyday import ROUTES

TASK = "the checkout answers 502 since 09:12, see https://shop.example/health"
LOGS = "log-reader: read incident/checkout.log and incident/database.log"
RESTART = "operator: restart checkout, if the logs say that it keeps its connections"
LEAD, PROBER, OPERATOR = "incident lead", "prober of a small", "operator of a small"
APPEND = "import sys; open(sys.argv[1], 'a').write('x'); print('it is up')"


class Office:
    """The example's tools, the real ones but for the web; and what they did."""

    def __init__(self, folder: Path, *, has_services: bool = True, has_logs: bool = True) -> None:
        self.book, self.work, self.fetched, self.is_down = folder / "restarts", folder / "work", list[str](), False
        if has_logs:
            shutil.copytree(EXAMPLES / "incident" / "work", self.work)
        checkout = Service(restart=(sys.executable, "-c", APPEND, str(self.book)))
        self.services = service_tools({"checkout": checkout}) if has_services else ()
        self.tools: tuple[Tool, ...] = (*file_tools(WorkFolder(self.work)), *self.services, self._fetching())
        self.mind = Rehearsal()

    @property
    def restarts(self) -> str:
        return self.book.read_text() if self.book.exists() else ""

    async def plays(self, *people: Somebody) -> Story:
        agent = shipped("incident", self.tools)
        return await rehearse(agent, TASK, tools=self.tools, model=self.mind, people=people, restarts=True)

    def _fetching(self) -> Tool:
        @tool(risk=Risk.READ)
        async def http_get(url: str) -> dict[str, object]:
            """Fetch a web address."""
            self.fetched.append(url)
            if self.is_down:
                raise ToolProblem("The address cannot be reached.")
            return {"status": 502, "url": url}

        return http_get


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def kinds(story: Story) -> list[Kind]:
    return [one.kind for one in story.requests]


async def test_a_dropped_step_is_never_done_and_the_findings_are_read_before_the_report(office: Office) -> None:
    """GN-20, D-10: task 2 is dropped, so the prober is never called; the findings card comes before the report."""
    dropped = press("edit_steps", text=f"{LOGS}\n{RESTART}")

    story = await office.plays(Somebody("ana", answers=[dropped, accept()]), Somebody("bo", answers=[approve()]))

    assert len(story.requests[0].call.values["steps"]) == 3
    assert kinds(story) == [Kind.PLAN, Kind.APPROVAL, Kind.REVIEW]
    assert (office.mind.of(PROBER), office.fetched) == ([], [])
    assert story.answer == story.requests[2].call.values["draft"]
    assert "It began at 09:12:37. The first error in incident/checkout.log: no database connection" in story.answer


async def test_the_approved_plan_itself_is_what_the_operator_reads(office: Office) -> None:
    """AU-15, D-10: the second version's text with its number; the first one's step is nowhere in it."""
    other = press("change", text="leave the health page alone")

    await office.plays(
        Somebody("ana", answers=[other, proceed(), accept()]), Somebody("bo", answers=[approve()])
    )  # fmt: skip

    read = office.mind.of(OPERATOR)[0]
    assert "Plan 1, version 2, as people approved it." in read
    assert "people said: leave the health page alone" in read
    assert "prober" not in read


async def test_a_plan_that_is_not_approved_begins_nothing(office: Office) -> None:
    """A2-02, GN-20: no member is called, no file read, nothing restarted."""
    story = await office.plays(Somebody("ana", answers=[leave()]))

    assert len(office.mind.read) == len(office.mind.of(LEAD)) == 1
    assert (office.fetched, office.restarts) == ([], "")
    assert story.answer.startswith("Nothing was begun: the plan was not approved.")


async def test_the_plan_signs_no_restart(office: Office) -> None:
    """ST-35, D-47: the plan is approved; the restart has a card of its own, is rejected, and does not happen."""
    story = await office.plays(
        Somebody("ana", answers=[proceed(), accept()]), Somebody("bo", answers=[reject("not while they pay")])
    )  # fmt: skip

    assert kinds(story) == [Kind.PLAN, Kind.APPROVAL, Kind.REVIEW]
    assert (story.requests[1].agent, office.restarts) == ("operator", "")
    assert "not while they pay" in story.answer


async def test_a_step_side_by_side_that_fails_does_not_hold_the_other(office: Office) -> None:
    """GN-17, AU-19: log reader and prober work side by side; the page is down, and the findings have both."""
    office.is_down = True

    story = await office.plays(Somebody("ana", answers=[proceed(), accept()]), Somebody("bo", answers=[approve()]))

    assert "The first error in incident/checkout.log" in story.answer
    assert "The address cannot be reached." in story.answer, story.answer
    assert office.restarts == "x"


async def test_a_plan_that_does_not_work_is_planned_and_approved_again(tmp_path: Path) -> None:
    """GN-20, A2-11: there are no logs to read; the rest of the first plan is not done, people see the second."""
    office = Office(tmp_path, has_logs=False)

    story = await office.plays(Somebody("ana", answers=[proceed(), proceed(), accept()]))

    assert kinds(story) == [Kind.PLAN, Kind.PLAN, Kind.REVIEW]
    assert story.requests[1].call.values["steps"] == ["prober: look whether the health page of the checkout answers"]
    assert (office.mind.of(OPERATOR), office.restarts) == ([], "")


async def test_findings_that_people_send_back_are_another_plan(office: Office) -> None:
    """GN-20, D-09: nothing is done again before the new plan is approved, and here it is not."""
    story = await office.plays(
        Somebody("ana", answers=[proceed(), revise("who keeps the connections?"), leave()]),
        Somebody("bo", answers=[approve()]),
    )

    assert kinds(story) == [Kind.PLAN, Kind.APPROVAL, Kind.REVIEW, Kind.PLAN]
    assert "who keeps the connections?" in office.mind.of(LEAD)[-1]
    assert office.restarts == "x"
    assert story.answer.startswith("Nothing was begun")


async def test_without_declared_services_it_begins_and_says_what_to_set(tmp_path: Path) -> None:
    """CD-04: nothing is refused, nobody is asked to sign, and the findings name the setting."""
    office = Office(tmp_path, has_services=False)

    story = await office.plays(Somebody("ana", answers=[proceed(), accept()]))

    assert kinds(story) == [Kind.PLAN, Kind.REVIEW]
    assert "Set COUNTERSIGN_SERVICES" in story.answer


async def test_a_restart_asks_the_technical_people(build: Build, office: Office) -> None:
    """ST-05, D-47: the plan is Ana's to approve; the restart is asked about where the technical people are."""
    agent = shipped("incident", office.tools)
    async with build(policy=ROUTES, tools=office.services, agents=[agent], model=office.mind, pace=HASTY) as house:
        await house.mention("ana", TASK)
        plan = await house.card("proceed")
        await house.press("proceed", by="ana", card=plan)
        card = await house.card("approve")
        await gone(house)

        assert (plan.place.channel, card.place.channel, office.restarts) == ("general", "dev-approvals", "")
        assert not (await house.press("approve", by="ana", card=card)).is_taken
        await house.press("approve", by="bo", card=card)
        await house.press("accept", by="ana", card=await house.card("accept"))

        assert await settled(house)
        assert office.restarts == "x"


async def test_an_incident_outlives_the_bot_at_every_wait(tmp_path: Path) -> None:
    """GN-20, ST-35, CD-05: killed while plan, restart and findings wait; one restart, no page fetched, one report."""
    office, hits = Office(tmp_path), list[str]()
    services = {"checkout": {"restart": [sys.executable, "-c", APPEND, str(office.book)], "status": ["echo", "stuck"]}}
    given = {"COUNTERSIGN_SERVICES": json.dumps(services)}
    async with (
        a_health_page(hits) as where,
        a_theatre(tmp_path, **given, COUNTERSIGN_HTTP_ALLOW=where) as theatre,
    ):
        thread = await theatre.site.asks("ana", f"incident: the checkout answers 502, see http://{where}/health")
        plan = await theatre.card("Edit the steps", saying=f"http://{where}/health")
        await theatre.dies()
        await theatre.fills("ana", "Edit the steps", plan, text=f"{LOGS}\n{RESTART}")

        restart = await theatre.card("Approve", saying="restart_service")
        assert "stuck" in theatre.site.text(restart)
        await theatre.dies()
        assert office.restarts == ""
        await theatre.presses("bo", "Approve", restart)

        findings = await theatre.card("Accept", saying="The first error in incident/checkout.log")
        await theatre.dies()
        await theatre.presses("ana", "Accept", findings)

        await theatre.hears("It said: it is up", thread)
        assert (office.restarts, hits) == ("x", [])
        assert await theatre.verify()


@asynccontextmanager
async def a_health_page(hits: list[str]) -> AsyncIterator[str]:
    """A page that says no and counts who looks; host and port of it."""

    async def health(request: web.Request) -> web.Response:
        hits.append(request.path)
        return web.Response(status=502, text="no")

    async with routed(web.get("/health", health), patience=0.1) as base:
        yield base.removeprefix("http://")
