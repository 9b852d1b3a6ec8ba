"""A closed request in one block: what it was, what the agent said, how it ended, its reference, who answered.

What is not known is said in the same words everywhere, and never left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain import wording
from bot.domain.chat import PersonId
from bot.domain.inert import show_line, spoken
from bot.domain.request import Request, Status
from bot.domain.wire import Record

NO_RESPONSE = "No response"
NO_MESSAGE = "No message from agent."
UNKNOWN = "UNKNOWN"
NOT_KNOWN = "N/A"
MESSAGE_MOST = 500
TITLE_MOST = 200


class Summary(Record):
    """What is known. Every part may be missing."""

    message: str = ""
    status: str = ""
    reference: str = ""
    answered: tuple[str, ...] = ()  # names


def summarized(title: str, found: Summary | None) -> str:
    """The block; `found` is None when nothing came back at all."""
    head = wording.clip(show_line(" ".join(title.split())), TITLE_MOST)
    if found is None:
        return f"{head}: {NO_RESPONSE}"
    message = wording.clip(spoken(found.message.strip()), MESSAGE_MOST)
    return "\n".join(
        [
            head,
            f"Message: {message or NO_MESSAGE}",
            f"Status: {show_line(found.status) or UNKNOWN}",
            f"Reference: {show_line(found.reference) or NOT_KNOWN}",
            f"Answered by: {', '.join(map(show_line, found.answered)) or NOT_KNOWN}",
        ]
    )


def of_request(request: Request, names: Mapping[PersonId, str]) -> Summary:
    """What the record of *request* tells."""
    status = Status.APPROVED if request.status is Status.SPENT else request.status
    ended = f" ({request.decision.cause})" if request.decision and request.decision.cause else ""
    return Summary(
        message=request.why,
        status=f"{status}{ended}",
        reference=request.id,
        answered=tuple(names.get(vote.person, vote.person) for vote in request.votes),
    )
