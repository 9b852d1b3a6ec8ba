"""The office, with its app switched off or listening over HTTP; and a bare bot in a Teams."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.loopback import served
from tests.fakes.office import Office
from tests.fakes.slack import FakeSlack
from tests.fakes.teamsbot import Bot, a_bot


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as opened:
        yield opened


@pytest.fixture
def api(slack: FakeSlack) -> AsyncWebClient:
    return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[], timeout=1)


@pytest.fixture
def office(slack: FakeSlack, api: AsyncWebClient) -> Office:
    app = AsyncApp(client=api, signing_secret=slack.signing_secret, process_before_response=True)
    ana, bo = slack.add_user("ana", email="ana@x.example"), slack.add_user("bo")
    made = Office(slack, api, app, ana, bo, slack.add_channel("ops", (ana, bo)))
    app.event(re.compile("."))(made.event)
    app.action(re.compile("."))(made.act)
    app.view(re.compile("."))(made.form)
    app.command("/countersign")(made.act)
    app.shortcut("give")(made.act)
    return made


@pytest.fixture
async def over_http(office: Office) -> AsyncIterator[Office]:
    async with served(office.app.web_app(path="/slack/events")) as base:
        office.slack.request_url = f"{base}/slack/events"
        yield office


@pytest.fixture
async def bot() -> AsyncIterator[Bot]:
    async with a_bot() as opened:
        yield opened
