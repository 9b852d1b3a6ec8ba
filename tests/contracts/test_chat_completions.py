"""The model contract, kept by `ChatCompletions` over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from agents.model import ChatCompletions
from agents.rehearsal.playbook import Fault
from agents.rehearsal.server import RehearsalServer
from bot.domain.ports import Model
from tests.contracts.model import ModelContract


async def at_once(_seconds: float) -> None: ...


class TestChatCompletions(ModelContract):
    @asynccontextmanager
    async def open(self, faults: Sequence[Fault] = ()) -> AsyncIterator[Model]:
        async with (
            RehearsalServer(faults=faults) as server,
            ChatCompletions(base_url=server.base_url, api_key="k", name="rehearsal", sleep=at_once) as model,
        ):
            yield model
