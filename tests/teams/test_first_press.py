"""The first that is ever heard of somebody is a press: they are looked for where it came from."""

from __future__ import annotations

import pytest

from bot.domain.chat import Answer, Click, Place
from bot.domain.people import may_answer
from tests.teams.hall import CARD, a_hall


@pytest.mark.parametrize("is_graph", [True, False])
async def test_whoever_presses_first_and_writes_never_is_somebody(is_graph: bool) -> None:
    """T16, section 14: in a group chat without any team, Bo has said nothing; the roster of that chat knows him."""
    async with a_hall(is_graph=is_graph) as hall:
        chat = hall.teams.add_group_chat([hall.ana, hall.bo], "Refunds")
        await hall.teams.say(hall.ana, chat, "@countersign refund order 7")
        place = Place(platform="teams", tenant=hall.teams.tenant, channel=chat)
        ref = await hall.chat.post(CARD, place, key="k")
        judged: list[bool] = []
        taken = hall.front.click

        async def judge(click: Click) -> Answer:
            person = await hall.own.fresh().who(click.by)
            judged.append(person is not None and may_answer(person))
            return await taken(click)

        hall.front.click = judge  # type: ignore[method-assign]  # looks at who pressed while it is judged

        await hall.press(hall.bo, ref, "Approve")

        assert judged == [True]
