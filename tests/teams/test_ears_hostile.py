"""Whatever an authentic activity holds, it is answered: never with an exception, never with what is no JSON (T11)."""

from __future__ import annotations

import asyncio
import copy
import json
import random
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.teams.mouth import Mouth
from bot.domain.chat import Account, Place
from bot.domain.errors import Undeliverable
from tests.teams.hall import a_hall
from tests.teams.test_reading import GIVEN, PRESSED, SAID, _paths, _put

FETCHED = {**PRESSED, "name": "task/fetch", "value": {"data": PRESSED["value"]["action"]["data"]}}
LIKED = {"actionName": "feedback", "actionValue": {"reaction": "like"}}
RATED = {**PRESSED, "name": "message/submitAction", "value": LIKED}
MOVED = {**SAID, "type": "installationUpdate", "action": "add", "membersAdded": [{"id": "28:app"}]}
KINDS = {
    "said": SAID,
    "pressed": PRESSED,
    "submitted": {**SAID, "value": PRESSED["value"]["action"]["data"]},
    "given": GIVEN,
    "fetched": FETCHED,
    "sent": {**FETCHED, "name": "task/submit"},
    "rated": RATED,
    "moved": MOVED,
}
# half a character is refused with the request's bytes (test_http)
ODD: tuple[Any, ...] = (None, True, 0, -1.5, "", "x" * 3_000, "a\nb", [], [[]], {}, {"": None}, [None], 2**70)


async def unheard(_mouth: Mouth, _text: str, _place: Place, _to: Account) -> None:
    """Nobody is told."""


async def unreached(_mouth: Mouth, to: Account) -> Place:
    raise Undeliverable(to.user, "nobody is there")


def changed(base: dict[str, Any], dice: random.Random) -> Any:
    raw: Any = copy.deepcopy(base)
    for _ in range(dice.randint(1, 3)):
        paths = _paths(raw)
        raw = _put(raw, dice.choice(paths[1:] or paths), copy.deepcopy(dice.choice(ODD)))
    return raw


@pytest.mark.parametrize("kind", KINDS)
async def test_every_activity_is_answered(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """T11, T13: 100 of them, the same ones each time; what came through names no message that could not be written."""
    dice = random.Random(kind)
    monkeypatch.setattr(Mouth, "whisper", unheard)  # what follows is not asked about here
    monkeypatch.setattr(Mouth, "direct", unreached)
    async with a_hall() as hall, asyncio.TaskGroup() as group:
        ears = hall.chat._ears(hall.front, group)
        for _ in range(100):
            with capture_logs() as logs:
                reply = await ears.take(changed(KINDS[kind], dice))

            assert [log for log in logs if log["log_level"] == "error"] == []
            assert reply.status in (200, 400, 501)
            assert json.loads(json.dumps(reply.body)) == reply.body
        for one in hall.front.came:
            one.ref.place.key.encode()
            one.delivery.encode()
