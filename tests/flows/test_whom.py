"""Who gets a task, who may give it, and what becomes of a run whose agent is gone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import pytest

from agents.coded import Coded
from agents.roster import Roster
from bot.domain.chat import PersonId
from bot.domain.errors import ChatUnavailable
from bot.domain.ports import RunContext, WantedCall
from bot.domain.routing import Listing
from bot.domain.run import RunStatus, Task
from bot.peoplefile import PeopleDirectory, read_people
from bot.runtime.parts import Parts
from tests.flows.stage import Build, quiet, run_of, settled, status, taken_over
from tests.house import ROOT, House

LISTINGS = (
    Listing(name="assistant", describe="does anything"),
    Listing(name="deploy", starts=("roll out",), may=("approvers", "@dana")),
    Listing(name="asker", channels=("playground/#help",)),
)


async def echo(name: str, task: Task) -> str:
    return f"{name} was told: {task.text}"


async def assistant(task: Task, ctx: RunContext) -> str:  # noqa: ARG001  # an agent's shape
    return await echo("assistant", task)


async def asker(task: Task, ctx: RunContext) -> str:  # noqa: ARG001
    await ctx.ask("Which?", options=("this", "that"))
    return "asked"


async def deploy(task: Task, ctx: RunContext) -> str:
    await ctx.ask("Which?", options=("this", "that"), of="approvers", may_write=False)
    heard = [one.text for one in await ctx.heard()]
    return f"{await echo('deploy', task)} and heard {heard}"


async def stranded(task: Task, ctx: RunContext) -> str:
    told = json.dumps({"reason": "it is red", "context": "staging fails", "suggestion": "wait", "of": "@erin"})
    await ctx.use((WantedCall(id="e", tool="escalate", args=told),))
    heard = [one.text for one in await ctx.heard()]
    return f"{await echo('deploy', task)} and heard {heard}"


async def turnable(task: Task, ctx: RunContext) -> str:
    await ctx.route("desk", "a", ("a", "b"))
    return await deploy(task, ctx)


class Office(House):
    """A house whose agents are those of *staff*, met as the listings say."""

    staff: Sequence[Coded] = (
        Coded(name="assistant", python=assistant),
        Coded(name="deploy", python=deploy),
        Coded(name="asker", python=asker),
    )

    async def _parts(self) -> Parts:
        names = {one.name for one in self.staff}
        listings = [one for one in LISTINGS if one.name in names]
        roster = Roster(self.staff, default="assistant", listings=listings)
        return dataclasses.replace(await super()._parts(), roster=roster)

    def with_staff(self, *names: str) -> Office:
        other = Office(self.url, self.namespace, self._folder, chat=self.chat, clock=self.clock, pace=self._pace)
        other.staff = [one for one in self.staff if one.name in names]
        return other


@pytest.fixture
def office(redis_url: str, namespace: str, tmp_path: object) -> Office:
    return Office(redis_url, namespace, tmp_path)  # type: ignore[arg-type]  # pytest's own Path


async def whispered(house: House, by: str, text: str, thread: str) -> str:
    answer = await house.say(by, f"@countersign {text}", thread=thread, is_mention=True)
    return answer.text if answer else ""


async def test_a_name_in_front_chooses_the_agent_and_is_cut_from_the_task(office: Office) -> None:
    """A2-13: a mention starts what it names. The run keeps its agent in its record."""
    async with office as house:
        thread = await house.mention("bo", "Deploy: version 7")
        await house.card("pick_a")

        loaded = await house.store.load(await run_of(house, thread))

        assert loaded is not None
        assert (loaded.run.agent, loaded.run.task.text) == ("deploy", "@countersign version 7")
        await house.press("pick_a", by="bo")
        await house.shows("deploy was told: @countersign version 7")
        assert await settled(house)


async def test_words_at_the_beginning_choose_the_agent_and_stay_in_the_task(office: Office) -> None:
    async with office as house:
        await house.mention("bo", "Roll out version 7")
        await house.press("pick_a", by="bo")

        await house.shows("deploy was told: @countersign Roll out version 7")


async def test_whoever_may_not_ask_an_agent_hears_in_one_sentence_who_may(office: Office) -> None:
    """Security first: no run begins; the same words for another agent do."""
    async with office as house:
        told = await whispered(house, "ana", "deploy: version 7", "t1")

        assert told == "Only the group approvers and @dana may tell deploy what to do."
        assert await house.store.live_run("playground/local/general/t1") is None
        await house.mention("ana", "hello")
        await house.shows("assistant was told: @countersign hello")
        await house.mention("dana", "deploy: version 8")  # by her id, in no such group
        await house.card("pick_a")


async def test_whoever_may_not_ask_an_agent_does_not_steer_it_either(office: Office) -> None:
    """What is said in the thread of a run is as good as a task: Ana's words never reach it, Dana's do."""
    async with office as house:
        thread = await house.mention("bo", "deploy: version 7")
        await house.card("pick_a")

        told = await house.say("ana", "use staging", thread=thread)
        assert told is not None
        assert told.text == "Only the group approvers and @dana may tell deploy what to do."
        await house.say("dana", "use canaries", thread=thread)
        await house.press("pick_a", by="bo")

        await house.shows("and heard ['use canaries']")


async def test_whoever_may_not_ask_an_agent_does_not_steer_it_by_handing_back_or_turning_it(office: Office) -> None:
    """T13: anybody who may give tasks may take a run over and stop it; what it does then is not theirs to say."""
    office.staff = [office.staff[0], Coded(name="deploy", python=turnable)]
    async with office as house:
        await house.mention("bo", "deploy: version 7")
        await house.card("pick_a")
        await house.shows("Routed to a.")
        note = next(post for post in house.chat.posts if "Routed to" in post.card.body)

        turned = await house.press("reroute", by="ana", card=note, fields={"to": "b", "text": "use staging"})
        await taken_over(house, by="ana")
        words = await house.press("hand_back", by="ana", card=status(house), fields={"text": "use staging"})
        bare = await house.press("hand_back", by="ana", card=status(house), fields={"text": ""})

        only = "Only the group approvers and @dana may tell deploy what to do."
        assert (words.is_taken, words.text) == (False, f"{only} You can hand it back without words.")
        assert (turned.is_taken, turned.text) == (False, only)
        assert bare.is_taken


async def test_whoever_takes_an_escalation_drives_its_thread_whatever_the_agent_may_be_told_by(office: Office) -> None:
    """GN-11, T13: erin is not among those who may tell deploy what to do, but was asked to take this over. Her words
    count as long as she has it; ana's do not."""
    office.staff = [office.staff[0], Coded(name="deploy", python=stranded, tools=("escalate",))]
    async with office as house:
        thread = await house.mention("bo", "deploy: version 7")
        assert (await house.press("take", by="erin", card=await house.card("take"))).is_taken

        assert await house.say("erin", "I restart staging", thread=thread) is None
        other = await house.say("ana", "use production", thread=thread)
        await house.card("hand_back")
        await house.press("hand_back", by="erin", card=status(house), fields={"text": "staging is green"})

        assert other is not None
        assert other.text == "Only the group approvers and @dana may tell deploy what to do."
        await house.shows("and heard ['I restart staging', 'I took this over, worked on it by hand")
        await house.shows("hand it back now. staging is green']")
        assert await settled(house)


async def test_an_escalation_taken_once_gives_no_say_in_the_agent_for_good(office: Office) -> None:
    """T13: erin took it and handed it back; while the agent goes on, her words are refused like anybody's."""

    async def twice(task: Task, ctx: RunContext) -> str:
        return f"{await stranded(task, ctx)}, then {await deploy(task, ctx)}"

    office.staff = [office.staff[0], Coded(name="deploy", python=twice, tools=("escalate",))]
    async with office as house:
        thread = await house.mention("bo", "deploy: version 7")
        await house.press("take", by="erin", card=await house.card("take"))
        await house.card("hand_back")
        await house.press("hand_back", by="erin", card=status(house), fields={"text": "go on"})
        await house.card("pick_a")

        told = await house.say("erin", "use production", thread=thread)

        assert told is not None
        assert told.text == "Only the group approvers and @dana may tell deploy what to do."


class Blind(PeopleDirectory):
    """Knows everybody, and cannot say who is in a group."""

    async def members(self, group: str) -> frozenset[PersonId]:
        raise ChatUnavailable("slack", f"the members of {group} cannot be read")


async def test_while_nobody_can_say_who_may_nobody_may(redis_url: str, namespace: str, tmp_path: object) -> None:
    """A failed look-up refuses: nothing is recorded, and the platform may deliver again."""
    people = read_people(ROOT / "people.yml")
    office = Office(redis_url, namespace, tmp_path, directory=Blind(people.people))  # type: ignore[arg-type]
    async with office as house:
        with pytest.raises(ChatUnavailable):
            await house.mention("bo", "deploy: version 7", thread="t1")

        assert await house.store.live_run("playground/local/general/t1") is None


async def test_a_run_keeps_its_agent_whatever_the_file_says_when_it_wakes(office: Office) -> None:
    """I12: the agent was chosen once, and is not chosen again on replay."""
    async with office as house:
        await house.mention("bo", "deploy: version 7")
        await house.card("pick_a")

    async with office.with_staff("assistant", "deploy") as house:
        await house.press("pick_a", by="bo")

        await house.shows("deploy was told: @countersign version 7")


async def test_people_are_told_of_a_run_whose_agent_is_gone(office: Office) -> None:
    """It ends with a sentence, its card is closed, and nothing waits for ever."""
    async with office as house:
        thread = await house.mention("bo", "deploy: version 7")
        run = await run_of(house, thread)
        await house.card("pick_a")

    async with office.with_staff("assistant") as house:
        await house.press("pick_a", by="bo")

        await house.shows("There is no agent called deploy any more")
        await quiet(house)
        loaded = await house.store.load(run)
        assert loaded is not None
        assert (loaded.status, loaded.asks) == (RunStatus.FAILED, ())
        assert await settled(house)


async def test_anybody_can_ask_whom_there_is_to_ask(office: Office) -> None:
    """And how: the default first, with the words, channels and people of each."""
    async with office as house:
        told = await whispered(house, "ana", "agents", "t1")

    assert told.splitlines() == [
        "You can give a task to:",
        "assistant: does anything (write @countersign and the task)",
        "deploy (write @countersign deploy: and the task, or begin with roll out, "
        "only the group approvers and @dana may)",
        "asker (write @countersign asker: and the task, or ask in playground/#help)",
    ]


async def test_the_list_of_commands_speaks_of_it(build: Build) -> None:
    async with build() as house:
        assert "agents: whom you can give a task, and how" in await whispered(house, "ana", "help", "t1")
