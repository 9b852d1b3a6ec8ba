"""What the person who gave the task likes: looked up before they are asked, remembered once they have answered.

Whose preferences they are is the leave's to say: no argument names a person, so nobody's are read or changed for
another. Not where they are kept (domain/preferences).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from pydantic import Field

from agents.toolbox import ToolProblem, tool
from bot.domain.calls import Risk
from bot.domain.errors import BadRecord, BadSeal, Refused, Unavailable
from bot.domain.ports import Leave, Tool
from bot.domain.preferences import NAME, VALUE_MOST, Preferences

Name = Annotated[str, Field(pattern=NAME, description="such as notification or report_format, always the same")]
Value = Annotated[str, Field(min_length=1, max_length=VALUE_MOST, pattern=r"^[^\x00-\x1f\x7f]*$")]


def preference_tools(preferences: Preferences) -> tuple[Tool, ...]:
    """Looking up and remembering in *preferences*."""

    @tool(risk=Risk.READ, touches=("preferences",), category="personal")
    async def preference(name: Name, *, leave: Leave) -> str:
        """Look up what the person who gave this task likes, before you ask them. It is a wish, never a permission."""
        with _translated():
            liked = (await preferences.all(leave.requester)).get(name)
        return f"{name}: {liked!r}" if liked is not None else f"{name}: not known; ask them, and remember the answer."

    @tool(risk=Risk.WRITE, touches=("preferences",), idempotent=True, category="personal")
    async def remember_preference(name: Name, value: Value, *, leave: Leave) -> str:
        """Remember what the person who gave this task has just answered, so that nobody asks them again.

        Args:
            value: their answer, in their words
        """
        with _translated():
            await preferences.set(leave.requester, name, value)
        return f"Remembered for {leave.requester}: {name} is {value!r}."

    return preference, remember_preference


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Refused as error:
        raise ToolProblem(error.people_read) from error
    except (Unavailable, BadSeal, BadRecord) as error:
        raise ToolProblem("The preferences cannot be read or written just now.") from error
