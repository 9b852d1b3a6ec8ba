"""A condition over a few named values, in the language of policies: for whoever says which way work goes.

    text, names -> compile_when -> When -> holds({name: value})

Not a policy's condition: that one knows tools and people (condition).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import cel

from bot.domain.condition import FAILURES, BadCondition, compile_condition, why_failed


class Undecided(ValueError):
    """A condition that came to neither true nor false: `why` says so without any value."""

    def __init__(self, text: str, error: Exception) -> None:
        self.why = f"{text!r} could not be decided: {why_failed(error)}"
        super().__init__(self.why)


@dataclass(frozen=True, slots=True)
class When:
    """A compiled condition."""

    text: str
    program: cel.Program

    def holds(self, values: Mapping[str, object]) -> bool:
        """Is it true of *values*? Raises Undecided for an error, or for anything but true and false."""
        try:
            found = self.program.execute(cel.Context(variables=dict(values)))
        except FAILURES as error:
            raise Undecided(self.text, error) from error
        if not isinstance(found, bool):
            raise Undecided(self.text, TypeError())
        return found


def compile_when(text: str, names: Collection[str]) -> When:
    """Compile *text*, which may name *names* alone. Raises BadCondition."""
    program = compile_condition(text).program
    if strangers := sorted(set(program.variables()) - set(names)):
        why = f"{strangers[0]!r} is unknown; known are {', '.join(names)}"
        raise BadCondition(max(text.find(strangers[0]), 0), why)
    return When(text, program)
