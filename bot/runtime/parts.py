"""What the runtime is made of, handed over once by the roof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bot.domain.budget import Budgets, Price
from bot.domain.policy import Policy
from bot.domain.ports import Chat, Directory, Meter, Model, Roster, Toolbox
from bot.domain.store import CARDS_MOST, OPEN_MOST, PLACE_MOST, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often and how long. All of it is about speed or memory, none of it about safety."""

    lease: timedelta = timedelta(seconds=6)
    evict_after: timedelta = timedelta(seconds=60)
    sweep_every: timedelta = timedelta(seconds=1)  # how long a lost ring may go unnoticed
    timers_every: timedelta = timedelta(milliseconds=250)
    watch_every: timedelta = timedelta(seconds=10)  # between looks for what is late, on every shard
    load_every: timedelta = timedelta(seconds=60)  # between counts of what waits for each person
    checkpoint_every: timedelta = timedelta(seconds=60)
    shutdown_grace: timedelta = timedelta(seconds=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    store: Store
    chats: Mapping[str, Chat]  # by platform
    policy: Policy
    toolbox: Toolbox
    model: Model  # whatever agent names none
    roster: Roster
    directory: Directory
    meter: Meter
    key: bytes  # signs buttons and checkpoints
    owner: str  # this process
    pace: Pace = field(default_factory=Pace)
    open_most: int | None = OPEN_MOST  # open requests of one person's tasks; None: no limit
    place_most: int | None = PLACE_MOST  # open requests shown in one channel; None: no limit
    cards_most: int = CARDS_MOST  # cards of one turn; what is beyond stands on a list
    models: Mapping[str, Model] = field(default_factory=dict)  # others, by the names agents call them by
    budgets: Budgets = field(default_factory=Budgets)  # of each run, of each person's day, of everybody's
    prices: Mapping[str, Price] = field(default_factory=dict)  # by the models' names; "" is the default one
    may_repeat: bool = False  # exactly the same may wait twice: for whoever measures, not for people
