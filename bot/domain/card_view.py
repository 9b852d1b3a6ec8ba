"""What the card of a signature is drawn from: the request, its tool as it is now, and what people are called."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain import wording
from bot.domain.arguments import Arguments
from bot.domain.calls import ToolResult, ToolSpec
from bot.domain.chat import PersonId
from bot.domain.inert import show_line
from bot.domain.request import Request
from bot.domain.verdict import Audience
from bot.domain.wire import Record
from bot.domain.wording import NAME_MOST


class View(Record):
    """What one card is drawn from."""

    request: Request
    spec: ToolSpec | None
    names: Mapping[PersonId, str]
    args: Arguments
    outcome: ToolResult | None
    objection: str | None  # why it cannot be approved

    @property
    def tool(self) -> str:
        return wording.clip(show_line(self.request.call.tool), NAME_MOST)

    def name(self, person: PersonId) -> str:
        return wording.name(self.names, person)

    def audience(self, of: Audience) -> str:
        return wording.audience(of, self.request.requester, self.names)
