"""What can be wrong with a server, sorted by what is known of the call."""

from __future__ import annotations

from bot.domain.errors import Refused, Unavailable


class Unfit(Refused):
    """Something a server offers cannot be taken over. `told` is one sentence without its end."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told
        self.people_read = told


class Unreachable(Unavailable):
    """There is no connection to the server: nothing was sent. `told` follows its name, as in "docs: …"."""

    def __init__(self, server: str, told: str) -> None:
        super().__init__(f"{server}: {told}")
        self.server, self.told = server, told


class Lost(Unavailable):
    """The connection ended after something had been sent: whether it was done is not known."""


class Declined(Refused):
    """The server answered with an error of the protocol. `is_surely_not_run` when its code says so."""

    def __init__(self, message: str, *, is_surely_not_run: bool) -> None:
        super().__init__("the server answered with an error")
        self.message, self.is_surely_not_run = message, is_surely_not_run
