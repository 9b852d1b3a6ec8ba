"""A command as the runtime carries it out: what was asked, by whom, where."""

from __future__ import annotations

from bot.domain.chat import Account, Person, Place
from bot.domain.wire import Record


class Asked(Record):
    """`rest` is what the command is given, `name` how the person called us, `delivery` the same for a repetition."""

    word: str
    rest: str
    name: str
    by: Account
    person: Person
    place: Place
    delivery: str
