"""What the demo's people have in every imitated platform: a channel, cards in it, and an eye for what is new.

A platform says how its messages are read (`Eye`) and pressed; waiting and printing are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from bot.demostage import Say, Stage, Warehouse, people_yml, until

P = TypeVar("P")

NOT_RECORDED = "Not recorded"
LABELS = {"approve": "Approve", "answer": "It happened", "details": "Details"}


class Eye(Protocol[P]):
    """How one message of a platform is read."""

    def messages(self) -> Sequence[P]:
        """Everything in the channel, oldest first."""
        ...

    def id_of(self, post: P) -> str: ...
    def by(self, post: P) -> str: ...
    def thread_of(self, post: P) -> str | None: ...
    def notice(self, post: P) -> str:
        """As a lock screen shows it."""
        ...

    def buttons(self, post: P) -> Sequence[str]: ...
    def title(self, post: P) -> str:
        """Of a card of ours; an agent's answer has none."""
        ...


class ChatStage(Stage, Generic[P]):
    """The bot between people of one channel. *ids* are what the story's people are called on *platform*."""

    def __init__(self, stage: tuple[Say, Path, Warehouse], platform: tuple[str, str], ids: Mapping[str, str]) -> None:
        super().__init__(*stage)
        name, tenant = platform
        self.tenants: Mapping[str, str] = {name: tenant}
        self.accounts: Mapping[str, Mapping[str, str]] = {who: {name: user} for who, user in ids.items()}
        self.ids, self._names = ids, {user: who for who, user in ids.items()}
        self._people = self._folder / "people.yml"
        self._people.write_text(people_yml(self.tenants, self.accounts))
        self._told: dict[str, str] = {}

    @property
    def eye(self) -> Eye[P]:
        raise NotImplementedError

    def settings(self) -> Mapping[str, str]:
        return {"COUNTERSIGN_PEOPLE": str(self._people)}

    # ---------------------------------------------------------- what is waited for

    async def sees(self, move: str) -> P:
        return await self.card(LABELS[move])

    async def card(self, label: str) -> P:
        """The newest message with this button."""

        async def look() -> P | None:
            self.show()
            return self._with_button(label)

        return await until(look)

    async def ends(self, runs: int) -> None:
        await self.holds(lambda: len(self._done()) >= runs)

    async def listen_on(self) -> None:
        """An answer is a post without title and button, in the thread of a run that is done."""

        def answered() -> bool:
            eye = self.eye
            answers = [post for post in self._posts() if not eye.title(post) and not eye.buttons(post)]
            return {eye.thread_of(post) for post in answers}.issuperset(eye.thread_of(post) for post in self._done())

        await self.holds(answered)

    async def settled(self, label: str) -> None:
        """Wait until no copy here has this button any more."""
        await self.holds(lambda: self._with_button(label) is None)

    async def holds(self, what: Callable[[], bool]) -> None:
        """Wait until *what* is so, and print what is seen meanwhile."""

        async def look() -> bool | None:
            self.show()
            return what() or None

        looking: Callable[[], Awaitable[bool | None]] = look
        await until(looking)

    def _with_button(self, label: str) -> P | None:
        return next((post for post in reversed(self._posts()) if label in self.eye.buttons(post)), None)

    def _done(self) -> list[P]:
        return [post for post in self._posts() if self.eye.title(post) == "Done"]

    def _posts(self) -> list[P]:
        """The bot's own."""
        return [post for post in self.eye.messages() if self.eye.by(post) not in self._names]

    # ---------------------------------------------------------- what is printed

    def show(self) -> None:
        """The conversation so far; what is new in it is printed."""
        for post in self.eye.messages():
            line = self._line(post)
            if self._told.get(self.eye.id_of(post)) != line:
                self._told[self.eye.id_of(post)] = line
                self._say(line)

    def presses(self, by: str, label: str) -> None:
        self._say(f"  {by} presses {label!r} in {next(iter(self.tenants)).capitalize()}")

    def reads(self, by: str, told: str) -> None:
        self._say(f"  {by} alone reads: {told}")

    def _line(self, post: P) -> str:
        by = self._names.get(self.eye.by(post), "countersign")
        parts = [*self.eye.notice(post).splitlines()[:2], " ".join(f"[{one}]" for one in self.eye.buttons(post))]
        return f"{by}: {' · '.join(part for part in parts if part)}"
