"""A run's transcript: nothing is left out but what is secret, and that wherever it stands."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.domain.calls import Outcome, ToolResult, ToolSpec
from bot.domain.chat import PersonId, Place
from bot.domain.letters import GaveBack, Said, Took
from bot.domain.ports import Said as Answered
from bot.domain.ports import WantedCall
from bot.domain.request import RunId
from bot.domain.run import Entry, Finished, Heard, Run, Step, Task, Told
from bot.domain.transcript import transcript
from bot.domain.wire import dumps, pack

ANA, BO = PersonId("ana"), PersonId("bo")
PLACE = Place(platform="test", tenant="t", channel="c", thread="1")
RUN = Run(
    id=RunId("r-0-1"),
    task=Task(text="log in as root", by=ANA, place=PLACE),
    agent="a",
    began=datetime(2026, 1, 1, tzinfo=UTC),
)
LOGIN = ToolSpec(name="login", version="1", description="d", schema="{}", secrets=("pin",))
WANTED = (WantedCall(id="1", tool="login", args=dumps({"user": "root", "pin": "hunter2-9"}).decode()),)
ENTRIES: tuple[Entry, ...] = (
    Step(path="/0", mark="think:1", result=pack(Answered(text="With hunter2-9, then.", calls=WANTED)).decode()),
    Told(path="/1~0", heard=(Heard(by=BO, text="is hunter2-9 right?"),)),
    Finished(path="/1.0", tool="login", result=ToolResult(outcome=Outcome.OK, text="in with hunter2-9")),
)
LETTERS = (Said(heard=Heard(by=BO, text="is hunter2-9 right?")), Took(by=BO), GaveBack(by=BO, text="go on"))


def test_everything_said_and_done_is_there_in_order() -> None:
    """AS-30: a line for each; whole."""
    told = list(transcript(RUN, LETTERS, ENTRIES, {"login": LOGIN}.get))

    kinds = [one["kind"] for one in told]
    assert kinds == ["task", "said", "took_over", "handed_back", "think", "heard", "finished"]
    assert told[0]["text"] == "log in as root"
    assert told[3]["text"] == "go on"


def test_what_a_tool_calls_secret_is_masked_wherever_it_stands() -> None:
    """T20: in its own argument, in what was thought, said and found out; the rest of a call stays readable."""
    told = list(transcript(RUN, LETTERS, ENTRIES, {"login": LOGIN}.get))

    assert "hunter2" not in dumps(told).decode()
    (call,) = told[4]["wanted"]
    assert call == {"tool": "login", "args": {"user": "root", "pin": "•••"}}


def test_of_a_tool_that_is_gone_every_argument_is_masked() -> None:
    """T20: nobody knows any more which of them was secret."""
    told = list(transcript(RUN, (), ENTRIES[:1], lambda _tool: None))

    assert told[1]["wanted"][0]["args"] == {"user": "•••", "pin": "•••"}
