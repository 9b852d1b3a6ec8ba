"""What goes wrong in a test of an agent: the script does not fit, or the agent does not replay."""

from __future__ import annotations


class ScriptError(AssertionError):
    """The test's own script cannot go on. The message names the person or model, what was asked and what would fit."""


class NotReplayable(AssertionError):
    """Called again, the agent did not ask for the same steps. The message names the step and both versions of it."""


class RealCredentials(RuntimeError):
    """Simulated people were about to be let in beside something real (D-49)."""

    def __init__(self, names: tuple[str, ...]) -> None:
        what = ", ".join(names)
        super().__init__(f"simulated people do not answer beside real credentials: unset {what}, then test again")
        self.names = names
