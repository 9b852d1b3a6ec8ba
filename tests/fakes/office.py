"""Ana and Bo, a channel, and a bolt app that writes down what it hears: what the fake Slack is tried with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack import FakeSlack

Body = dict[str, Any]
CARD: list[Body] = [
    {"type": "section", "block_id": "what", "text": {"type": "plain_text", "text": "drop table <users>"}},
    {
        "type": "actions",
        "block_id": "moves",
        "elements": [
            {
                "type": "button",
                "action_id": f"cs.{move}",
                "value": "r1 token",
                "text": {"type": "plain_text", "text": move},
            }
            for move in ("Approve", "Deny")
        ],
    },
]
FORM: Body = {
    "type": "modal",
    "callback_id": "form",
    "title": {"type": "plain_text", "text": "Amount"},
    "submit": {"type": "plain_text", "text": "Send"},
    "private_metadata": "r1",
    "blocks": [
        {
            "type": "input",
            "block_id": "amount",
            "label": {"type": "plain_text", "text": "How much"},
            "element": {"type": "number_input", "action_id": "value", "is_decimal_allowed": False, "max_value": "50"},
        }
    ],
}


@dataclass
class Office:
    """Ana and Bo in #ops with the bot, and a bolt app that writes down what it hears."""

    slack: FakeSlack
    api: AsyncWebClient
    app: AsyncApp
    ana: str
    bo: str
    ops: str
    heard: list[Body] = field(default_factory=list)
    fails: int = 0  # how many of the next events the app cannot take
    answer: Body = field(default_factory=dict)  # to a form
    meets: Callable[[], Awaitable[object]] | None = None  # what every event waits for

    async def event(self, body: Body) -> None:
        self.heard.append(body)
        if self.meets:
            await self.meets()
        if self.fails:
            self.fails -= 1
            raise ConnectionError("the store is away")

    async def act(self, body: Body, ack: AsyncAck) -> None:
        self.heard.append(body)
        await ack()

    async def form(self, body: Body, ack: AsyncAck) -> None:
        self.heard.append(body)
        await ack(**self.answer)

    async def card(self) -> str:
        posted = await self.api.chat_postMessage(channel=self.ops, text="a card", blocks=CARD)
        return str(posted["ts"])

    @property
    def types(self) -> list[str]:
        return [body["event"]["type"] for body in self.heard]


async def refused(call: Any) -> str:
    """The code Slack answers *call* with."""
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])
