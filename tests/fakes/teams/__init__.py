"""A strict Teams on loopback: the Bot Connector, Entra, a small Graph, and the people in front of it.

    test ──acts──▶ FakeTeams ──signed HTTP──▶ the bot ──Connector, Entra, Graph──▶ server ─▶ world ◀──looks── test

`fake` is the face, `acts`, `clicks` and `inputs` are people, `payloads` and `delivery` carry, `answers` judges what an
invoke is answered, `server` answers with `connector`, `entra` and `graph`, `activities`, `cards` and `rates` are what
Teams refuses, `reading` and `markdown` are a reader's eye. Where Teams' behaviour is not documented, the fake takes
the stricter reading. What the bot does and no bot may do stands in `FakeTeams.complaints`.
"""

from tests.fakes.teams.acts import ClientRefused
from tests.fakes.teams.answers import Answer
from tests.fakes.teams.clicks import FakeDialog
from tests.fakes.teams.delivery import Delivery, Reply
from tests.fakes.teams.entra import BAD_TOKENS
from tests.fakes.teams.fake import FakeTeams
from tests.fakes.teams.faults import ALWAYS
from tests.fakes.teams.world import FakeConversation, FakeMessage, FakePerson, Json

__all__ = [
    "ALWAYS",
    "BAD_TOKENS",
    "Answer",
    "ClientRefused",
    "Delivery",
    "FakeConversation",
    "FakeDialog",
    "FakeMessage",
    "FakePerson",
    "FakeTeams",
    "Json",
    "Reply",
]
