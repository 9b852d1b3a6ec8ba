"""Modals: a form opens before its trigger dies, is filled once the store answers, and never loses what was typed."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from slack_sdk.oauth.installation_store import Installation

from adapters.slack import modals
from adapters.slack.installs import REMEMBERED, Installed, KeptInstalls
from adapters.slack.workspace import bare_client
from bot.domain.chat import (
    Account,
    Answer,
    Button,
    Field,
    FieldKind,
    Form,
    MessageRef,
    Person,
    PersonId,
    Place,
)
from bot.domain.errors import BadSeal, NoSuchRequest, StoreUnavailable
from bot.domain.wire import replace
from tests.fakes.keep import MemoryKeep
from tests.fakes.slack import FakeView
from tests.slack.listening import CARD, REASON, REJECT, House, a_house

SORRY = "Not recorded, please try again."
KEY = ("q-1", "reject")


async def ana_and_a_card(house: House) -> tuple[str, str, str]:
    ana = house.slack.add_user("ana")
    ops = house.slack.add_channel("ops", [ana])
    return ana, ops, await house.post(ops, CARD)


async def the_form(house: House, user: str, *words: str) -> FakeView:
    """The person's window, once it says all of *words*."""

    def is_there() -> bool:
        shown = house.slack.view_of(user)
        return shown is not None and all(word in house.slack.text_of(shown) for word in words)

    await house.slack.until(is_there, f"a window with {words}")
    shown = house.slack.view_of(user)
    assert shown is not None
    return shown


# -------------------------------------------------------------------- opening


async def test_a_window_opens_before_anybody_asks_the_store() -> None:
    """PP-11: a trigger lives 3 s, and a store may take longer: first a window, then "ok", then its fields."""
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        house.views.opened.clear()

        reply = await house.slack.press(ana, ops, card, "Reject")

        waiting = await the_form(house, ana, "One moment")
        assert reply.status == 200
        assert [one.method for one in house.slack.called][-1] == "views.open"
        assert "submit" not in waiting.body
        house.views.opened.set()
        filled = await the_form(house, ana, "Reason")
    assert filled.id == waiting.id
    assert filled.title == "Reject"
    assert house.front.came == []


async def test_only_whose_token_it_is_is_read_before_a_window_opens_and_once_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PP-11: with many workspaces it is kept in Redis. Of the request nothing is read before the window is there."""
    order, clock = list[str](), [0.0]
    keep = MemoryKeep()
    async with a_house() as house, aiohttp.ClientSession() as session:
        ana, ops, card = await ana_and_a_card(house)
        installs, team = KeptInstalls(keep, "1.2"), house.slack.team
        await installs.async_save(
            Installation(
                team_id=team,
                user_id=ana,
                bot_token=house.slack.bot_token,
                bot_id="B1",
                bot_user_id=house.slack.bot_user,
            )
        )
        found = Installed(installs, bare_client(session, house.slack.api_url), lambda: clock[0])
        monkeypatch.setattr(house.teams, "token", found.token)
        monkeypatch.setattr(house.teams, "bot_user", found.bot_user)
        noted(monkeypatch, order, (keep, "get", "redis"), (house.views, "button", "request"))
        noted(monkeypatch, order, (house.front, "click", "request"), (house.api, "call", "slack"))

        for seconds in (0, REMEMBERED - 1, 2):
            clock[0] += seconds
            await house.slack.press(ana, ops, card, "Reject")
            await the_form(house, ana, "Reason")
            await house.slack.close_view(ana)

    opened = ["slack", "request", "slack"]  # the window, its fields, the window filled
    assert order == ["redis", *opened, *opened, "redis", *opened]


def noted(monkeypatch: pytest.MonkeyPatch, order: list[str], *watched: tuple[object, str, str]) -> None:
    """Each call of a method is written into *order*: (whose, method, word)."""
    for owner, method, word in watched:
        real = getattr(owner, method)

        async def call(*args: Any, real: Any = real, word: str = word, **more: Any) -> Any:
            order.append(word)
            return await real(*args, **more)

        monkeypatch.setattr(owner, method, call)


async def test_a_sent_form_is_the_press_it_was_opened_by_and_what_was_typed() -> None:
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        house.front.answer = Answer(is_taken=True, text="Counted: rejected.")
        await house.slack.press(ana, ops, card, "Reject")
        window = await the_form(house, ana, "Reason")

        await house.slack.submit(ana, {"Reason": "too much"})

        assert await house.told() == [(ana, "Counted: rejected.")]
    [form] = house.front.came
    assert isinstance(form, Form)
    assert form.delivery == f"slack:{window.id}"
    assert form.ref == MessageRef(place=Place(platform="slack", tenant=house.slack.team, channel=ops), id=card)
    assert (form.subject, form.move, form.token) == (REJECT.subject, REJECT.move, REJECT.token)
    assert (form.by.user, form.fields) == (ana, {"reason": "too much"})
    assert house.slack.view_of(ana) is None


async def test_a_trigger_that_died_is_said_and_the_press_is_acked() -> None:
    """PP-11: nobody is left with a button that does nothing."""
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        payload = house.slack.block_actions(ana, ops, card, "Reject")
        house.slack.later(4)

        reply = await house.slack.interact(payload)

        assert await house.told() == [(ana, modals.AGAIN)]
    assert reply.status == 200
    assert house.views.asked == 0


async def test_a_press_replayed_opens_no_second_window() -> None:
    """T12: the trigger is spent; the person is asked to press again, and nothing else happens."""
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        await house.slack.press(ana, ops, card, "Reject")
        await the_form(house, ana, "Reason")

        reply = await house.slack.again(house.slack.deliveries[-1])

        assert await house.told() == [(ana, modals.AGAIN)]
    assert reply.status == 200
    assert house.views.asked == 1


async def test_when_slack_does_not_answer_the_person_is_asked_to_press_again() -> None:
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        house.slack.faults.html("views.open")

        reply = await house.slack.press(ana, ops, card, "Reject")

        assert await house.told() == [(ana, modals.AGAIN)]
    assert reply.status == 503


# -------------------------------------------------------------------- filling


async def test_a_button_that_is_gone_becomes_a_sentence() -> None:
    """Bo answered while Ana's window was opening."""
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        del house.views.buttons[KEY]

        await house.slack.press(ana, ops, card, "Reject")

        shown = await the_form(house, ana, modals.GONE)
    assert "submit" not in shown.body


@pytest.mark.parametrize("drawn_now", [replace(REJECT, token="tok-new"), replace(REJECT, fields=())])
async def test_nobody_signs_fields_they_pressed_an_older_picture_of(drawn_now: Button) -> None:
    """T13: the call was edited since the card was drawn; its fields would be about other bytes."""
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        house.views.buttons[KEY] = drawn_now

        await house.slack.press(ana, ops, card, "Reject")

        shown = await the_form(house, ana, modals.CHANGED)
    assert "submit" not in shown.body


async def test_a_guessed_token_shows_no_fields() -> None:
    """T13: a form shows a call's arguments; whoever made up the button's value gets to see none."""
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)

        await house.slack.press(ana, ops, card, "Reject", value="q-1 guessed")

        await the_form(house, ana, modals.CHANGED)
    assert house.front.came == []


@pytest.mark.parametrize("error", [StoreUnavailable("away"), BadSeal("a request")])
async def test_a_store_that_does_not_answer_becomes_a_sentence(error: StoreUnavailable | BadSeal) -> None:
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        house.views.error = error

        await house.slack.press(ana, ops, card, "Reject")

        await the_form(house, ana, error.people_read)


async def test_a_lost_reply_while_filling_leaves_a_filled_form() -> None:
    """It is tried again with the hash of the empty window: who types already keeps what they typed."""
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        house.slack.faults.lose_reply("views.update")

        await house.slack.press(ana, ops, card, "Reject")

        await the_form(house, ana, "Reason")
        await house.slack.until(lambda: len(house.slack.calls("views.update")) == 2, "the second update")
        window = house.slack.view_of(ana)
        assert window is not None
        assert window.hash not in [call["hash"] for call in house.slack.calls("views.update")]
        await house.slack.submit(ana, {"Reason": "no"})
    assert len(house.front.came) == 1
    assert house.whispers == []


async def test_a_form_that_cannot_be_filled_is_said() -> None:
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        house.slack.faults.html("views.update", times=2)

        await house.slack.press(ana, ops, card, "Reject")

        assert await house.told() == [(ana, modals.NOT_SHOWN)]


async def test_a_window_somebody_closed_stays_closed() -> None:
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        house.views.opened.clear()
        await house.slack.press(ana, ops, card, "Reject")
        await the_form(house, ana, "One moment")
        await house.slack.close_view(ana)

        house.views.opened.set()

        await house.slack.until(lambda: house.slack.calls("views.update"), "the update that finds nobody")
    assert house.slack.view_of(ana) is None
    assert house.whispers == []


# -------------------------------------------------------------------- sending


async def opened(house: House, *fields: Field) -> str:
    """Ana, with the form before her."""
    ana, ops, card = await ana_and_a_card(house)
    house.views.buttons[KEY] = replace(REJECT, fields=fields or (REASON,))
    await house.slack.press(ana, ops, card, "Reject")
    await the_form(house, ana, (fields or (REASON,))[0].label)
    return ana


async def test_problems_stand_beside_their_fields_and_sending_again_works() -> None:
    async with a_house() as house:
        amount = Field(name="amount", label="Amount", kind=FieldKind.NUMBER, value="40")
        ana = await opened(house, amount, REASON)
        house.front.answer = Answer(is_taken=False, text="", problems={"amount": "at most 100", "_": "something else"})
        await house.slack.submit(ana, {"Amount": "400", "Reason": "typo"})
        beside = house.slack.errors_of(ana)
        house.front.answer = Answer(is_taken=True, text="")

        await house.slack.submit(ana, {"Amount": "100", "Reason": "typo"})

    assert beside == {"Amount": "at most 100; _: something else"}
    first, second = house.front.came
    assert isinstance(first, Form)
    assert isinstance(second, Form)
    assert first.fields == {"amount": "400", "reason": "typo"}
    assert second.fields == {"amount": "100", "reason": "typo"}
    assert house.slack.view_of(ana) is None


async def test_while_the_store_is_down_the_form_stays_with_what_was_typed() -> None:
    """Nothing is lost: the person reads that it was not recorded, and sends the same again."""
    async with a_house() as house:
        ana = await opened(house)
        house.front.shut = 1
        reply = await house.slack.submit(ana, {"Reason": "a long story"})
        beside = house.slack.errors_of(ana)

        await house.slack.submit(ana, {"Reason": "a long story"})

    assert reply.status == 200
    assert beside == {"Reason": SORRY}
    assert len(house.front.came) == 2
    assert len(set(house.front.deliveries)) == 1
    assert house.slack.view_of(ana) is None


async def test_a_refused_form_becomes_the_reason() -> None:
    """Ana filled a form while Bo answered: she reads so in her window."""
    async with a_house() as house:
        ana = await opened(house)
        house.front.answer = Answer(is_taken=False, text="Bo already answered: approved.")

        await house.slack.submit(ana, {"Reason": "no"})

        shown = await the_form(house, ana, "Bo already answered: approved.")
    assert "submit" not in shown.body
    assert house.whispers == []


async def test_an_error_of_ours_is_read_in_the_window() -> None:
    async with a_house() as house:
        ana = await opened(house)
        house.front.error = NoSuchRequest("q-1")

        await house.slack.submit(ana, {"Reason": "no"})

        await the_form(house, ana, NoSuchRequest.people_read)


async def test_a_bug_behind_a_form_surfaces() -> None:
    async with a_house() as house:
        ana = await opened(house)
        house.front.error = ZeroDivisionError("a bug of ours")

        reply = await house.slack.submit(ana, {"Reason": "no"})

    assert reply.status == 500
    assert "" in house.slack.errors_of(ana)  # Slack's own "we had some trouble"


# -------------------------------------------------------------------- people

FILL = Button(
    subject="q-1",
    move="fill",
    label="Fill in",
    token="tok-f",
    fields=(Field(name="owner", label="Owner", kind=FieldKind.PERSON, value="bo"),),
)


async def a_form_for_a_person(house: House) -> tuple[str, str]:
    """Ana has the form before her that asks for a person; it begins with Bo."""
    ana, bo = house.slack.add_user("ana"), house.slack.add_user("bo")
    ops = house.slack.add_channel("ops", [ana])
    account = Account(platform="slack", tenant=house.slack.team, user=bo)
    house.people.add(Person(id=PersonId("bo"), name="Bo", accounts=(account,)))
    house.views.buttons["q-1", "fill"] = FILL
    card = await house.post(ops, replace(CARD, buttons=(FILL,)))
    await house.slack.press(ana, ops, card, "Fill in")
    await the_form(house, ana, "Owner")
    return ana, bo


async def test_whoever_is_picked_reaches_the_front_door_as_a_person() -> None:
    """The form begins with Bo's account and ends with Bo: an id of Slack's is nobody to the bot."""
    async with a_house() as house:
        ana, _ = await a_form_for_a_person(house)

        await house.slack.submit(ana, {})

    [form] = house.front.came
    assert isinstance(form, Form)
    assert form.fields == {"owner": "bo"}


async def test_a_stranger_who_is_picked_is_a_problem_beside_the_field() -> None:
    """T15: nothing is handed in, and what was typed stays."""
    async with a_house() as house:
        ana, _ = await a_form_for_a_person(house)
        gus = house.slack.add_user("gus")

        await house.slack.submit(ana, {"Owner": gus})

        assert house.slack.errors_of(ana) == {"Owner": modals.STRANGER}
    assert house.front.came == []
