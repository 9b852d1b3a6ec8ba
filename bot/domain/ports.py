"""The seams: where wings meet without importing each other. Each docstring is a contract.

Chat       mouths and ears          `tests/contracts/chat.py`
FrontDoor  what an adapter hands in
Views      what a page may look at
Model, Tool, Toolbox, Agent, Roster, RunContext   minds and hands
Directory  who is who
Duty       who is on call
Absences   who is away, and who decides meanwhile
Keep       small durable values for adapters
Meter      numbers about ourselves
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from bot.domain.absence import Absence
from bot.domain.calls import Evidence, ToolCall, ToolResult, ToolSpec
from bot.domain.chat import (
    Account,
    Answer,
    Attachment,
    Button,
    Card,
    Click,
    Form,
    Message,
    MessageRef,
    Person,
    PersonId,
    Place,
)
from bot.domain.offer import Grant
from bot.domain.pages import AuditRow, Awaited, Queued, RunView, Settled, Waiting
from bot.domain.request import RequestId, RunId
from bot.domain.routing import Chosen, Listing
from bot.domain.run import Heard, RunStatus, Task
from bot.domain.wire import Json, Record

T = TypeVar("T")
OnText = Callable[[str], None]  # hears the text so far, as it grows
Live = AbstractAsyncContextManager[OnText | None]  # what `Chat.live` opens


# ------------------------------------------------------------------- chat


class FrontDoor(Protocol):
    """What an adapter does with authentic input. Every method is durable when it returns, and safe to repeat.

    An `Answer` is for the one who acted, privately. Raises Unavailable when nothing was recorded: the
    adapter must then let the platform deliver again, or say "not recorded, please try again".
    """

    async def message(self, message: Message) -> Answer | None: ...
    async def click(self, click: Click) -> Answer: ...
    async def form(self, form: Form) -> Answer: ...
    async def order(self, text: str, by: Account, place: Place, delivery: str) -> Answer | None:
        """Carry a text command out (`domain/orders`), written alone or after a mention or slash; None if it is none."""
        ...

    async def revoke(self, grant_id: str, by: Account, delivery: str) -> Answer:
        """Take a grant back, for whoever gave it, whoever it serves, or whoever could have given it."""
        ...


class Chat(Protocol):
    """Where people read cards and press buttons. Contract: `tests/contracts/chat.py`."""

    @property
    def platform(self) -> str:
        """The name that stands in `Account.platform` and `Place.platform`."""
        ...

    def serve(self, front: FrontDoor) -> AbstractAsyncContextManager[None]:
        """Open mouth and ears until the context ends. Events that arrive outside of it are not taken."""
        ...

    async def post(self, card: Card, place: Place, *, key: str) -> MessageRef:
        """Show *card* once: the same *key* always returns the first `MessageRef`, even after a crash.

        Raises Undeliverable (never at this place) or ChatUnavailable (try again).
        """
        ...

    async def update(self, ref: MessageRef, card: Card) -> None:
        """Replace what *ref* shows. Quietly nothing if people deleted the message."""
        ...

    async def whisper(self, text: str, place: Place, to: Account) -> None:
        """Tell one person something at *place* that nobody else sees. Best effort: it may be lost."""
        ...

    async def direct(self, to: Account) -> Place:
        """The direct conversation between the bot and *to*. Raises Undeliverable."""
        ...

    async def presence(self, place: Place, status: RunStatus) -> None:
        """Show at *place*, in the platform's own way, that a run works, waits or has ended. Best effort."""
        ...

    def live(self, place: Place, reader: PersonId) -> Live:
        """Show the words of one turn of a model at *place* while they grow: a draft, for *reader* above all.

        Yields what hears the text so far, or None where words are shown only when they are final. Decoration: it
        raises nothing of its own, its end takes at most 1.5 s, and after it nothing more is written. The draft goes
        at that end; if the platform does not let it, when the run next waits or ends.
        """
        ...


class Views(Protocol):
    """Read-only looks at the store for pages and commands."""

    async def waiting_for(self, account: Account) -> tuple[Waiting, ...]:
        """Open requests this person may answer now, oldest first; those they put off among them."""
        ...

    async def team(self, viewer: Account) -> tuple[Awaited, ...]:
        """What waits for the people whose manager this person is, oldest first; as far as they may see it."""
        ...

    async def queue(self, viewer: Account) -> tuple[Queued, ...]:
        """Escalations this person could answer, oldest first: open ones, and those somebody has by hand now."""
        ...

    async def button(self, request: RequestId, move: str) -> Button | None:
        """The button *move* of the request's card as drawn now, its fields filled in; None if it has none.

        *request* may be a run's id as well: then it is a button of its status message.
        """
        ...

    async def settled_by(self, account: Account, *, most: int = 10) -> tuple[Settled, ...]:
        """Requests this person answered, latest first, from the last records of the audit."""
        ...

    async def grants(self, viewer: Account) -> tuple[Grant, ...]:
        """What may run without being asked about, in the threads *viewer* may see; what ends first, first."""
        ...

    async def run(self, run: RunId, viewer: Account) -> RunView | None: ...
    async def runs(self, viewer: Account, *, most: int = 50) -> tuple[RunView, ...]:
        """Latest runs first, without moments."""
        ...

    async def trail(self, viewer: Account, *, run: RunId | None = None, most: int = 200) -> tuple[AuditRow, ...]:
        """The newest audit records, oldest first."""
        ...

    async def absence(self, viewer: Account) -> str:
        """One sentence about the absence of this person; empty if they are there."""
        ...

    async def report(self, viewer: Account, since: timedelta) -> str | None:
        """How approvals went in the last *since*, in plain lines, at most a minute old; None if it is not for them."""
        ...


# ------------------------------------------------------------------ people


class Directory(Protocol):
    """Who is who. A failed look-up raises Unavailable, and whoever asked must refuse."""

    def fresh(self) -> Directory:
        """The same directory without its memory: what high-risk requests are judged by."""
        ...

    async def who(self, account: Account) -> Person | None: ...
    async def person(self, id: PersonId) -> Person | None: ...
    async def members(self, group: str) -> frozenset[PersonId]:
        """Everybody in *group*; empty for an unknown one. The group "anyone" is every person."""
        ...

    async def active(self, ids: frozenset[PersonId]) -> frozenset[PersonId]:
        """Those of *ids* who may answer anything now (`people.may_answer`). Made for many ids at once."""
        ...

    async def groups(self) -> frozenset[str]: ...
    async def on_call(self, rotation: str) -> frozenset[PersonId]:
        """Everybody on call for *rotation* now, perhaps nobody. Raises Unsatisfiable for one that no schedule names."""
        ...


class Duty(Protocol):
    """A schedule of who is on call when."""

    async def on_call(self, rotation: str) -> frozenset[PersonId]:
        """As `Directory.on_call`."""
        ...


class Absences(Protocol):
    """Who is away now. A failed look-up raises Unavailable: nobody acts as a deputy then."""

    def fresh(self) -> Absences:
        """The same without memory; `now` may be as old as 10 s otherwise."""
        ...

    async def now(self) -> Mapping[PersonId, Absence]:
        """Every absence that holds, by who is away."""
        ...


# ------------------------------------------------------------------- minds


class WantedCall(Record):
    """A tool call as the model asked for it: the arguments are its own text, not yet read."""

    id: str
    tool: str
    args: str


class Line(Record):
    """One message of a conversation with a model: role is system, user, assistant or tool."""

    role: str
    text: str = ""
    calls: tuple[WantedCall, ...] = ()
    call_id: str = ""


class Said(Record):
    """What the model answered: words, calls, or both."""

    text: str = ""
    calls: tuple[WantedCall, ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0  # US dollars; 0 where no price is known
    nearly: str = ""  # which budget is nearly spent after it, in words for people


class Model(Protocol):
    """A chat model. Contract: `tests/contracts/model.py`."""

    @property
    def name(self) -> str: ...

    async def think(self, lines: Sequence[Line], tools: Sequence[ToolSpec], *, on_text: OnText | None = None) -> Said:
        """One answer. `on_text` hears the text so far, as it grows.

        Raises ModelUnavailable after bounded retries, ModelRefused for a bad key, model name or request.
        """
        ...


class Leave(Record):
    """A capability to start one call, once. Only the gate makes one; a tool refuses a leave for other bytes."""

    digest: str
    key: str  # idempotency key: the same for every start of this call
    run: RunId
    request: RequestId | None  # the approval that was spent, if people were asked
    requester: PersonId


class Tool(Protocol):
    """One thing an agent can do."""

    @property
    def spec(self) -> ToolSpec: ...

    def check(self, args: Json) -> Json:
        """The arguments as they would run, defaults filled in. Raises InvalidArguments; calls nothing."""
        ...

    async def run(self, call: ToolCall, leave: Leave) -> ToolResult:
        """Do it, from `call.args` alone, within `spec.timeout`. Never raises but CancelledError:
        a failure is a ToolResult with outcome ERROR; a time-out of something started is UNKNOWN."""
        ...


class Previewing(Protocol):
    """A tool that can find out what a call would do. Every tool whose `spec.has_preview` is one as well."""

    async def preview(self, call: ToolCall) -> tuple[Evidence, ...]:
        """Evidence for whoever signs: read-only, from `call.args` alone, within the tool's own deadline (10 s).

        Never raises but CancelledError: a failure or a time-out is an Evidence with `is_failed` and a safe sentence.
        """
        ...


class Toolbox(Protocol):
    def get(self, name: str) -> Tool:
        """Raises UnknownTool."""
        ...

    def specs(self) -> tuple[ToolSpec, ...]: ...


class RunContext(Protocol):
    """An agent's only way to the world. Each method is a step: recorded once, answered from the journal ever after."""

    @property
    def task(self) -> Task: ...

    def acting_as(self, name: str) -> AbstractContextManager[None]:
        """What is asked for inside is *name*'s, a member of a pattern: to the policy, on cards and in the thread.

        It holds for this branch and those that it gathers meanwhile. No step: nothing is recorded.
        """
        ...

    async def think(
        self, lines: Sequence[Line], tools: Sequence[str] = (), *, model: str = "", heeds: bool = False
    ) -> Said:
        """One answer of a model, by its name in agents.yml; "" is the default one.

        *lines* is a whole conversation so far, which only ever grows. An agent that *heeds* replies does not wait for
        an answer that they have overtaken: SpokenTo is raised, also on every replay, and was no step; hear, and think
        again. Raises BudgetSpent where nothing more may be spent; that ends the run.
        """
        ...

    async def heard(self) -> tuple[Heard, ...]:
        """Replies that came in since this branch last asked; empty when there are none.

        Every branch hears every reply. After a `gather` its own branch goes on from the furthest of them.
        """
        ...

    async def use(self, wanted: Sequence[WantedCall], *, why: str = "") -> tuple[ToolResult, ...]:
        """Run tool calls of one turn, results in order. Each passes the gate: it may wait for people for a month.

        Calls that people must sign are put to them all at once. A call that needs nobody runs after
        every signed call in front of it has ended. A call that may not run gives a result that says why.
        """
        ...

    async def ask(
        self,
        question: str,
        *,
        options: Sequence[str] = (),
        of: str = "",
        default: str = "",
        may_write: bool = True,
    ) -> ToolResult:
        """Ask people something and sleep until they answer: `answer` is what they said, as JSON.

        *of* is an audience; empty: whoever gave the task. Without *may_write* only one of *options* is an answer.
        *default* is what you would go on with if nobody answers in time: people read it from the beginning, and the
        answer then says that it is one. Without a default no answer is never taken for one: `cause` says why there
        is none.
        """
        ...

    async def note(self, text: str, *, files: Sequence[Attachment] = ()) -> None:
        """Say something in the task's thread, under the name of whoever acts; *files* come with it."""
        ...

    async def route(self, pattern: str, at: str, members: Sequence[str] = ()) -> None:
        """Say in the thread that *at*, a member of *pattern*, has the work now. People may turn it to another of
        *members* from here on: whom they choose is heard (`Heard.to`), and what was asked of people is withdrawn.

        Without *members* nothing is said, and nobody may turn it any more.
        """
        ...

    async def progress(self, text: str, done: int, total: int) -> None:
        """Say in the run's status message how far *text* has come: *done* of *total*.

        No step: nothing is recorded, and a replay says nothing. Shown at most once in a second, the end always.
        """
        ...

    async def sleep(self, time: timedelta) -> None: ...
    async def now(self) -> datetime: ...
    async def random(self) -> float: ...
    async def gather(self, *branches: Coroutine[Any, Any, T]) -> tuple[T, ...]:
        """Run branches side by side; each has its own place in the journal."""
        ...


class Agent(Protocol):
    """A mind: an ordinary coroutine function with a name. What it returns is the answer people read."""

    @property
    def name(self) -> str: ...
    @property
    def tools(self) -> tuple[str, ...]: ...

    async def __call__(self, task: Task, ctx: RunContext) -> str: ...


class Roster(Protocol):
    def get(self, name: str) -> Agent:
        """The agent of this name, or the default one for "". Raises Refused."""
        ...

    def choose(self, text: str, place: Place) -> Chosen:
        """The agent for a new task, and the task's words for it. Asked once: a run keeps what was chosen."""
        ...

    def listings(self) -> tuple[Listing, ...]:
        """Every agent that people may ask, the default one first."""
        ...


# ------------------------------------------------------------------- keep


class Keep(Protocol):
    """Small durable values: what was posted, who installed, what is put off. Sealed at rest; every process sees them.

    Names are opaque to the store. Raises StoreUnavailable; a value that somebody changed raises BadSeal.
    """

    async def claim(self, name: str, value: bytes, *, keep: timedelta) -> bytes | None:
        """Put *value* there if nothing is; return what was there before. Atomic and durable."""

    async def put(self, name: str, value: bytes, *, keep: timedelta | None = None) -> None: ...
    async def get(self, name: str) -> bytes | None: ...
    async def take(self, name: str) -> bytes | None:
        """Return and forget it, atomically: of two takers one gets it."""

    async def forget(self, *names: str) -> None: ...

    async def enrol(self, roll: str, name: str, value: bytes, *, keep: timedelta, most: int) -> None:
        """Put *value* under `<roll>:<name>`, and that on *roll*, which all processes read; both for *keep* from now.
        Of more than *most* on a roll, those whose time ends first leave it. `put` changes the value alone."""

    async def enrolled(self, roll: str) -> Mapping[str, bytes]:
        """The values on *roll* by name, those whose time ends first in front; nothing that was forgotten."""


# ------------------------------------------------------------------ meters


class Meter(Protocol):
    """Where numbers about ourselves go. A name or label that is not in the meter's table raises ValueError."""

    def count(self, name: str, **labels: str) -> None:
        """One more of *name*."""

    def observe(self, name: str, value: float, **labels: str) -> None:
        """One measured *value*; times are seconds."""

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """What *name* is just now."""
