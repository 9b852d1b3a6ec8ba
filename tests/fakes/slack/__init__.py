"""A strict Slack on loopback, for the real slack_bolt and slack_sdk to talk to.

    test ──acts──▶ FakeSlack ──signed HTTP or socket──▶ the app ──Web API──▶ server ─▶ methods ─▶ world ◀──looks── test

`fake` is the face, `acts` and `forms` are people, `delivery` and `sockets` carry, `server` answers, `chat`, `streams`,
`people`, `views`, `account` are the methods, `blocks`, `elements`, `schema`, `methods` are what Slack refuses,
`reading` is a reader's eye. Where Slack's behaviour is not documented, the fake takes the stricter reading.
"""

from tests.fakes.slack.acts import ClientRefused
from tests.fakes.slack.delivery import Delivery, Reply
from tests.fakes.slack.fake import FakeSlack
from tests.fakes.slack.world import FakeChannel, FakeFile, FakeMessage, FakeUser, FakeView

__all__ = [
    "ClientRefused",
    "Delivery",
    "FakeChannel",
    "FakeFile",
    "FakeMessage",
    "FakeSlack",
    "FakeUser",
    "FakeView",
    "Reply",
]
