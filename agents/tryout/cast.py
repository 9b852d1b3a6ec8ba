"""The people of a test: who they are, what they answer when they are asked, and when.

    Somebody("bo", groups={"approvers"}, answers=[approve(), after(minutes(5), reject("duplicate")), silence()])

Each time they are asked, a person uses up their next answer; whoever has none left is silent. An answer may also be a
function of the request. Not what an answer does (table), nor whether it counts (domain/request).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bot.domain.chat import Account, Person, PersonId
from bot.domain.people import ANYONE, may_answer
from bot.domain.request import Request

THINKS = timedelta(minutes=1)  # how long somebody takes who is told nothing else: no reminder has come by then
PLATFORM, TENANT = "test", "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing a person does. `label` is how the test wrote it; `move` is a button, or one of the words below."""

    label: str
    move: str
    fields: Mapping[str, object] = field(default_factory=dict)
    text: str = ""
    wait: timedelta = THINKS

    @property
    def is_reply(self) -> bool:
        """Is it said in the thread, whoever is asked?"""
        return self.move in (SAY, REROUTE)


SILENCE, SAY, TYPED, EDIT, REROUTE = "silence", "say", "typed", "edit", "reroute"
Answer = Act | Callable[[Request], Act]


@dataclass(frozen=True, slots=True)
class Somebody:
    """One simulated person. Their id is their name; a manager is somebody else's name."""

    name: str
    groups: Collection[str] = field(default=(), kw_only=True)
    answers: Sequence[Answer] = field(default=(), kw_only=True)
    manager: str | None = field(default=None, kw_only=True)
    is_active: bool = field(default=True, kw_only=True)

    @property
    def id(self) -> PersonId:
        return PersonId(self.name)

    @property
    def account(self) -> Account:
        return Account(platform=PLATFORM, tenant=TENANT, user=self.name)

    @property
    def person(self) -> Person:
        manager = PersonId(self.manager) if self.manager else None
        groups = frozenset(self.groups)
        return Person(
            id=self.id,
            name=self.name,
            accounts=(self.account,),
            groups=groups,
            manager=manager,
            is_active=self.is_active,
        )


# ---------------------------------------------------------- what people can do


def approve(reason: str = "", *, typed: str = "") -> Act:
    """Sign it as it is. *typed* is the value that a rule's `type:` wants typed."""
    return Act(label=_label("approve", reason), move="approve", fields={"reason": reason, "typed": typed})


def reject(reason: str = "") -> Act:
    return Act(label=_label("reject", reason), move="reject", fields={"reason": reason})


def edit(why: str = "", /, **args: object) -> Act:
    """Change some arguments of the call and sign that, where the rule lets whoever changed it sign."""
    told = ", ".join(f"{name}={value!r}" for name, value in args.items())
    return Act(label=f"edit({told})", move=EDIT, fields=args, text=why)


def answer(text: str) -> Act:
    """Answer a question: one of its options, or words."""
    return Act(label=_label("answer", text), move=TYPED, text=text)


def fill(**fields: object) -> Act:
    """Fill in a form; values are as people type them."""
    told = ", ".join(f"{name}={value!r}" for name, value in fields.items())
    return Act(label=f"fill({told})", move="fill", fields=fields)


def accept() -> Act:
    return Act(label="accept()", move="accept")


def revise(feedback: str) -> Act:
    return Act(label=_label("revise", feedback), move="revise", fields={"text": feedback})


def take_over(text: str) -> Act:
    """Write the draft oneself."""
    return Act(label=_label("take_over", text), move="take_over", fields={"text": text})


def proceed() -> Act:
    """Let a plan begin."""
    return Act(label="proceed()", move="proceed")


def leave() -> Act:
    """You decide, of a question or form; not accepted, of a draft; do not proceed, of a plan."""
    return Act(label="leave()", move="leave")


def press(move: str, **fields: object) -> Act:
    """Any other button, by its move: yes, no, take, follow, direct, edit_steps, …"""
    told = "".join(f", {name}={value!r}" for name, value in fields.items())
    return Act(label=f"press({move!r}{told})", move=move, fields=fields)


def say(text: str) -> Act:
    """Reply in the thread, asked or not. An exact word may sign or stop; the rest is context, and voids what waits."""
    return Act(label=_label("say", text), move=SAY, text=text)


def reroute(to: str, why: str = "") -> Act:
    """Turn the work to another member of the pattern that has it; what is asked of people is withdrawn."""
    return Act(label=f"reroute({to!r})", move=REROUTE, fields={"to": to}, text=why)


def silence() -> Act:
    """Never answer this one."""
    return Act(label="silence()", move=SILENCE, wait=timedelta())


def after(time: timedelta, act: Act) -> Act:
    """The same, *time* after they were asked."""
    return replace(act, label=f"after({time}, {act.label})", wait=time)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def _label(name: str, text: str) -> str:
    return f"{name}({text!r})" if text else f"{name}()"


# ------------------------------------------------------------------- directory


class Cast:
    """`ports.Directory` of the people of a test. Whoever is in the group `x` is on call for `x`."""

    def __init__(self, people: Iterable[Somebody]) -> None:
        """Raises ValueError when two of them share a name."""
        self.people: dict[PersonId, Somebody] = {}
        for one in people:
            if one.id in self.people:
                raise ValueError(f"two people are called {one.name}")
            self.people[one.id] = one

    def fresh(self) -> Cast:
        return self

    async def who(self, account: Account) -> Person | None:
        return next((one.person for one in self.people.values() if one.account == account), None)

    async def person(self, id: PersonId) -> Person | None:
        found = self.people.get(id)
        return found.person if found is not None else None

    async def members(self, group: str) -> frozenset[PersonId]:
        return frozenset(who for who, one in self.people.items() if group == ANYONE or group in one.groups)

    async def active(self, ids: frozenset[PersonId]) -> frozenset[PersonId]:
        return frozenset(who for who in ids if who in self.people and may_answer(self.people[who].person))

    async def groups(self) -> frozenset[str]:
        return frozenset(group for one in self.people.values() for group in one.groups)

    async def on_call(self, rotation: str) -> frozenset[PersonId]:
        return await self.members(rotation)
