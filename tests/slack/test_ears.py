"""Ears: what people do in Slack reaches the front door once it is written down, before Slack hears "ok"."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from adapters.flood import BUSY, Flood, FloodLimits, Verdict
from adapters.slack.ears import INACTIVE
from adapters.slack.reading import Command, HomeClick, HomeOpened, Shortcut
from bot.domain.chat import Account, Answer, Card, Click, Message, MessageRef, Place
from bot.domain.errors import BadRecord, NotRequestable, StoreUnavailable
from bot.domain.wire import replace
from tests.slack.listening import APPROVE, CARD, House, a_house

SORRY = "Not recorded, please try again."


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


# --------------------------------------------------------------------- events


async def test_a_mention_and_its_twin_are_the_same_delivery() -> None:
    """Slack tells a mention twice. The front door counts by delivery, so both must be equal, byte for byte."""
    async with a_house() as house:
        ana = house.slack.add_user("ana")
        ops = house.slack.add_channel("ops", [ana])

        ts = await house.slack.say(ana, ops, f"{house.slack.mention} refund 40")

    first, second = house.front.came
    assert first == second
    assert isinstance(first, Message)
    assert (first.text, first.is_mention) == ("@countersign refund 40", True)
    assert first.delivery == f"slack:{house.slack.team}:{ops}:{ts}"


async def test_what_could_not_be_written_down_comes_again_with_the_same_delivery() -> None:
    """The store is away for a moment: Slack is not told "ok", and delivers until it is."""
    async with a_house() as house:
        house.slack.subscribed -= {"app_mention"}
        house.front.shut = 2
        ana = house.slack.add_user("ana")

        await house.slack.say(ana, house.slack.add_channel("ops", [ana]), f"{house.slack.mention} refund 40")

    assert [one.reply.status for one in house.slack.deliveries] == [503, 503, 200]
    assert len(house.front.came) == 3
    assert len(set(house.front.deliveries)) == 1


async def test_slack_hears_ok_only_after_it_is_written_down() -> None:
    """A crash between "ok" and the store would lose a task for ever."""
    async with a_house() as house:
        house.front.opened.clear()
        ana = house.slack.add_user("ana")
        ops = house.slack.add_channel("ops", [ana])
        saying = asyncio.create_task(house.slack.say(ana, ops, "hello"))
        await house.front.knocked.wait()

        assert house.slack.deliveries == []
        house.front.opened.set()
        await saying

    assert [one.reply.status for one in house.slack.deliveries] == [200]


async def test_bots_and_the_bot_itself_start_nothing() -> None:
    """T17: a loop of two bots ends before it begins; so does a bot that hears itself."""
    async with a_house() as house:
        other = house.slack.add_user("otherbot", is_bot=True)
        ops = house.slack.add_channel("ops", [other])

        await house.slack.say(other, ops, f"{house.slack.mention} refund 40")
        own = await house.post(ops, Card(body=f"{house.slack.mention} refund 40"))
        await house.slack.echo(ops, own)

    assert house.front.came == []
    assert {one.reply.status for one in house.slack.deliveries} == {200}


async def test_an_edited_mention_is_the_same_delivery() -> None:
    """T17: `message_changed` is nothing; the mention that Slack sends again has the first one's ts."""
    async with a_house() as house:
        ana = house.slack.add_user("ana")
        ops = house.slack.add_channel("ops", [ana])
        ts = await house.slack.say(ana, ops, f"{house.slack.mention} refund 40")

        await house.slack.edit(ana, ops, ts, f"{house.slack.mention} refund 400")
        await house.slack.erase(ana, ops, ts)

    assert len(house.front.came) == 3
    assert len(set(house.front.deliveries)) == 1


async def test_a_refusal_is_told_privately_and_not_delivered_again() -> None:
    async with a_house() as house:
        house.front.error = NotRequestable("a guest")
        ana = house.slack.add_user("ana")
        ops = house.slack.add_channel("ops", [ana])

        ts = await house.slack.say(ana, ops, "hello")

        assert await house.told() == [(ana, NotRequestable.people_read)]
        assert house.whispered_at == [Place(platform="slack", tenant=house.slack.team, channel=ops, thread=ts)]
    assert [one.reply.status for one in house.slack.deliveries] == [200]


async def test_slacks_stop_button_is_the_word_stop_in_that_thread() -> None:
    async with a_house() as house:
        ana = house.slack.add_user("ana")
        ops = house.slack.add_channel("ops", [ana])

        await house.slack.event("agent_session_stopped", channel=ops, thread_ts="1.000001", user=ana)

    [stop] = house.front.came
    assert isinstance(stop, Message)
    assert (stop.text, stop.by.user, stop.place.channel, stop.place.thread) == ("stop", ana, ops, "1.000001")


async def test_an_event_nobody_asked_for_is_acked_and_nothing_else() -> None:
    async with a_house() as house:
        reply = await house.slack.event("channel_archive", channel="C1", user="U1")

    assert reply.status == 200
    assert house.front.came == []


async def test_a_bug_surfaces_and_its_log_holds_no_body(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """T11: 500, so that nobody believes it was taken; the log says what broke, never what was said."""
    caplog.set_level(logging.DEBUG)
    async with a_house() as house:
        house.slack.redeliver = False
        house.slack.subscribed -= {"app_mention"}
        house.front.error = ZeroDivisionError("a bug of ours")
        ana = house.slack.add_user("ana")
        with capture_logs() as logs:
            await house.slack.say(ana, house.slack.add_channel("ops", [ana]), "the code is wombat")

    assert [one.reply.status for one in house.slack.deliveries] == [500]
    assert [(log["event"], log["error"]) for log in logs] == [("slack_listener_failed", "ZeroDivisionError")]
    assert "wombat" not in caplog.text + str(logs) + "".join(capsys.readouterr())


# ------------------------------------------------------------- whose payload


async def test_a_workspace_without_us_gets_nothing_from_us() -> None:
    """T15: authentic, but of a workspace the house does not know: refused, and not asked for again."""
    async with a_house() as house:
        house.slack.install("T0FOREIGN")
        ana = house.slack.add_user("ana")
        ops = house.slack.add_channel("ops", [ana])
        card = await house.post(ops)

        event = await house.slack.event("app_home_opened", team="T0FOREIGN", user="UEVE", tab="home")
        press = await house.slack.press(ana, ops, card, "Approve", team="T0FOREIGN")

    assert (event.status, press.status) == (403, 403)
    assert len(house.slack.deliveries) == 2
    assert house.front.came == []
    assert house.plugged.came == []


async def test_another_apps_press_is_refused() -> None:
    async with a_house() as house:
        ana = house.slack.add_user("ana")
        ops = house.slack.add_channel("ops", [ana])
        card = await house.post(ops)

        reply = await house.slack.press(ana, ops, card, "Approve", app="A0OTHER")

    assert reply.status == 403
    assert house.front.came == []


async def test_a_stranger_in_a_shared_channel_is_an_account_of_their_own_workspace() -> None:
    """T15, T16: one user id in two workspaces is two accounts; both stand in a channel of ours."""
    async with a_house() as house:
        eve = house.slack.add_user("eve", team_id="T0FOREIGN", is_stranger=True)
        ops = house.slack.add_channel("ops", [eve])
        card = await house.post(ops)

        await house.slack.say(eve, ops, "hello")
        await house.slack.press(eve, ops, card, "Approve")

    for one in house.front.came:
        assert one.by == Account(platform="slack", tenant="T0FOREIGN", user=eve)
        assert one.ref.place.tenant == house.slack.team
    assert len(house.front.came) == 2


async def test_while_nobody_knows_whose_it_is_nothing_is_taken() -> None:
    async with a_house() as house:
        house.teams.error = StoreUnavailable("away")
        ana = house.slack.add_user("ana")
        ops = house.slack.add_channel("ops", [ana])

        await house.slack.say(ana, ops, "hello")

    assert {one.reply.status for one in house.slack.deliveries} == {503}
    assert house.front.came == []


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "block_actions"},
        {"type": "block_actions", "actions": []},
        {"type": "event_callback", "event": []},
        {"type": "event_callback", "event": {"type": 7}},
        {"type": "view_submission", "view": None},
        {"type": "view_submission", "view": {"id": "V1", "callback_id": "cs.form"}},
        {"type": "view_submission", "view": {"id": "V1", "type": "modal", "callback_id": "cs.form", "blocks": [1]}},
        {"type": "url_verification"},
        {"team": 7},
        {"command": ["x"]},
        {"authorizations": {"team_id": "T"}},
    ],
    ids=str,
)
async def test_a_signed_payload_of_no_known_shape_is_a_400(payload: dict[str, object]) -> None:
    """T11: never a 500, also when the signature is good."""
    async with a_house() as house:
        reply = await house.slack.interact(payload)

    assert reply.status == 400
    assert house.front.came == []


async def test_a_kind_nobody_listens_to_is_not_written_into_a_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """T11: bolt would warn, and show the whole payload."""
    caplog.set_level(logging.DEBUG)
    async with a_house() as house:
        ana = house.slack.add_user("ana")
        asked = {"type": "block_suggestion", "value": "wombat", "action_id": "x", "block_id": "y"}
        who = {"user": {"id": ana}, "team": {"id": house.slack.team}, "api_app_id": house.slack.app_id}
        reply = await house.slack.interact({**asked, **who})

    assert reply.status == 404
    assert "wombat" not in caplog.text + "".join(capsys.readouterr())


async def test_slack_may_ask_whether_the_address_is_ours() -> None:
    async with a_house() as house:
        asked = {"type": "url_verification", "token": "x", "challenge": "3eZbrw1aB"}
        reply = await house.slack.interact(asked)

    assert (reply.status, reply.json) == (200, {"challenge": "3eZbrw1aB"})


# --------------------------------------------------------------------- presses


async def ana_and_a_card(house: House, card: Card = CARD) -> tuple[str, str, str]:
    ana = house.slack.add_user("ana")
    ops = house.slack.add_channel("ops", [ana])
    return ana, ops, await house.post(ops, card)


async def test_a_press_names_the_card_as_posting_named_it_though_people_replied_to_it() -> None:
    """T14: the front door compares the whole MessageRef with the one it stored."""
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        await house.slack.say(ana, ops, "what is this?", thread_ts=card)

        await house.slack.press(ana, ops, card, "Approve")

    click = house.front.came[-1]
    assert isinstance(click, Click)
    assert click.ref == MessageRef(place=Place(platform="slack", tenant=house.slack.team, channel=ops), id=card)
    assert (click.subject, click.move, click.token) == (APPROVE.subject, APPROVE.move, APPROVE.token)


async def test_bolt_makes_no_web_client_for_a_payload(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every payload would pay for one that nobody asks for; a bolt that makes it elsewhere is noticed here."""
    made = list[object]()
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        monkeypatch.setattr("slack_bolt.app.async_app.AsyncWebClient", lambda **given: made.append(given))

        await house.slack.press(ana, ops, card, "Approve")
        await house.slack.say(ana, ops, f"{house.slack.mention} refund 40")

    assert len(house.front.came) >= 2
    assert not made


async def test_a_click_replayed_a_hundred_times_is_one_delivery() -> None:
    """T12: somebody overheard the request and sends it again, byte for byte, within the five minutes."""
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        await house.slack.press(ana, ops, card, "Approve")
        overheard = house.slack.deliveries[-1]

        replies = [await house.slack.again(overheard) for _ in range(100)]

    assert {reply.status for reply in replies} == {200}
    assert len(house.front.deliveries) == 101
    assert len(set(house.front.deliveries)) == 1


async def test_two_presses_are_two_deliveries() -> None:
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)

        await house.slack.press(ana, ops, card, "Approve")
        await house.slack.press(ana, ops, card, "Approve")

    assert len(set(house.front.deliveries)) == 2


async def test_the_one_who_pressed_too_late_hears_why_and_nobody_else() -> None:
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        house.front.answer = Answer(is_taken=False, text="Bo already answered: denied.")

        reply = await house.slack.press(ana, ops, card, "Approve")

        assert await house.told() == [(ana, "Bo already answered: denied.")]
    assert reply.status == 200
    assert len(house.slack.posts()) == 1


async def test_a_press_that_was_not_recorded_is_said_to_be_so() -> None:
    """Slack does not deliver a press again: the person must know, and Slack shows them an error as well."""
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        house.front.shut = 1

        reply = await house.slack.press(ana, ops, card, "Approve")

        assert await house.told() == [(ana, SORRY)]
    assert reply.status == 503


async def test_tampering_with_a_value_is_told_like_any_refusal() -> None:
    """T13: whatever stands in the value, the front door judges it; a broken record is told, not shown as a crash."""
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        house.front.error = BadRecord("a stored Request cannot be read")

        replies = [await house.slack.press(ana, ops, card, "Approve", value=value) for value in ("", "x", "[" * 2000)]

        told = await house.told(3)
    assert {reply.status for reply in replies} == {200}
    assert set(told) == {(ana, BadRecord.people_read)}


async def test_a_button_of_another_age_says_that_it_is_no_longer_active() -> None:
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)

        reply = await house.slack.press(ana, ops, card, "Approve", action_id="approve_v1")

        assert await house.told() == [(ana, INACTIVE)]
    assert reply.status == 200
    assert house.front.came == []


async def test_a_link_opens_by_itself_and_nobody_is_told_anything() -> None:
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)

        reply = await house.slack.press(ana, ops, card, "Approve", action_id="link.timeline")

    assert reply.status == 200
    assert house.whispers == []


# ----------------------------------------------------------------------- flood


async def test_a_flood_of_mentions_is_cut_off_and_told_once_while_others_are_heard() -> None:
    """T18: 30 mentions in one moment from one person, each with its twin; then one from another."""
    clock = Clock()
    flood = Flood(FloodLimits(user_burst=3, user_every=10.0), clock)
    async with a_house(flood=flood) as house:
        eve, ana = house.slack.add_user("eve"), house.slack.add_user("ana")
        ops = house.slack.add_channel("ops", [eve, ana])

        for number in range(30):
            await house.slack.say(eve, ops, f"{house.slack.mention} task {number}")
        await house.slack.say(ana, ops, f"{house.slack.mention} mine")

        assert await house.told() == [(eve, BUSY)]
    assert {one.reply.status for one in house.slack.deliveries} == {200}
    heard = [one.by.user for one in house.front.came]
    assert heard == [eve] * 6 + [ana] * 2  # three mentions and their twins, then Ana's


async def test_what_is_said_in_a_thread_is_never_cut_off() -> None:
    """T18 counts mentions: a "stop" without one must always get through."""
    async with a_house(flood=Flood(FloodLimits(user_burst=0))) as house:
        ana = house.slack.add_user("ana")
        ops = house.slack.add_channel("ops", [ana])

        await house.slack.say(ana, ops, "stop")

    assert len(house.front.came) == 1


@pytest.mark.parametrize("is_direct", [True, False])
async def test_a_stop_gets_through_any_flood(is_direct: bool) -> None:
    """T18, AS-16: in a direct conversation everything is said to the bot, and somebody may mention it to stop it."""
    async with a_house(flood=Flood(FloodLimits(user_burst=0))) as house:
        house.slack.subscribed -= {"app_mention"}
        ana = house.slack.add_user("ana")
        where = house.slack.dm(ana) if is_direct else house.slack.add_channel("ops", [ana])
        begin = "" if is_direct else f"{house.slack.mention} "

        await house.slack.say(ana, where, f"{begin}refund 40")
        await house.slack.say(ana, where, f"{begin}Stop!")

    [heard] = house.front.came
    assert isinstance(heard, Message)
    assert heard.text.endswith("Stop!")


def mention(number: int, user: str = "UANA", team: str = "T1") -> Message:
    place = Place(platform="slack", tenant=team, channel="C1", thread=f"{number}")
    by = Account(platform="slack", tenant=team, user=user)
    ref = MessageRef(place=place, id=f"{number}")
    return Message(delivery=f"slack:{user}:{number}", by=by, place=place, text="x", ref=ref, is_mention=True)


def test_another_companys_people_cannot_use_up_our_mentions() -> None:
    """T15, T18: in a shared channel every stranger has a bucket of their own, and together they had ours."""
    flood = Flood(FloodLimits(team_burst=2), Clock())
    strangers = [mention(n, f"UEVE{n}", "T9") for n in range(5)]
    here = [replace(one, place=replace(one.place, tenant="T1")) for one in strangers]

    assert [flood.judge(one) for one in here][2:] == [Verdict.BUSY] * 3
    assert flood.judge(mention(9)) is Verdict.HEAR


def test_a_bucket_fills_again_and_a_twin_costs_nothing() -> None:
    clock = Clock()
    flood = Flood(FloodLimits(user_burst=1, user_every=10.0), clock)

    first = [flood.judge(mention(1)).value, flood.judge(mention(1)).value, flood.judge(mention(2)).value]
    clock.now += 10.0
    then = [flood.judge(mention(3)).value, flood.judge(mention(2)).value, flood.judge(mention(4)).value]
    clock.now += 60.0
    much_later = [flood.judge(mention(5)).value, flood.judge(mention(6)).value]

    assert first == ["hear", "hear", "busy"]
    assert then == ["hear", "quiet", "quiet"]  # mention 2 stays refused; its person was told a moment ago
    assert much_later == ["hear", "busy"]


def test_a_workspace_has_a_bucket_too_and_a_refused_person_does_not_empty_it() -> None:
    flood = Flood(FloodLimits(user_burst=1, team_burst=2), Clock())

    eve = [flood.judge(mention(number, "UEVE")).value for number in range(10)]
    others = [flood.judge(mention(20, user)).value for user in ("UANA", "UBO")]
    elsewhere = flood.judge(mention(30, "UCY", "T2")).value

    assert eve == ["hear", "busy", *["quiet"] * 8]
    assert others == ["hear", "busy"]
    assert elsewhere == "hear"


def test_ten_thousand_people_leave_a_bounded_memory() -> None:
    flood = Flood(FloodLimits(remembered=100), Clock())

    for number in range(10_000):
        flood.judge(mention(number, f"U{number}", f"T{number}"))

    assert {len(kept) for kept in (flood.users, flood.teams, flood.judged)} == {100}


# ---------------------------------------------------------------------- others


async def test_home_commands_shortcuts_and_uninstalls_go_to_those_who_own_them() -> None:
    async with a_house() as house:
        ana, ops, _ = await ana_and_a_card(house)
        asked = await house.slack.say(ana, ops, "please refund 40")

        await house.slack.open_home(ana)
        await house.slack.command(ana, ops, "/countersign", "payload queue")
        await house.slack.shortcut(ana, ops, asked, "cs.start")
        house.teams.known.clear()  # another process heard of it first
        reply = await house.slack.uninstall(house.slack.team)

    opened, command, shortcut, *gone = house.plugged.came
    assert isinstance(opened, HomeOpened)
    assert isinstance(command, Command)
    assert isinstance(shortcut, Shortcut)
    assert (opened.by.user, opened.tab, command.text, shortcut.text) == (
        ana,
        "home",
        "payload queue",
        "please refund 40",
    )
    assert gone == [house.slack.team, house.slack.team]
    assert reply.status == 200
    assert [one.text for one in house.slack.ephemerals(ana)] == ["Two requests wait for you."]


async def test_a_press_on_the_home_tab_goes_to_its_owner() -> None:
    async with a_house() as house:
        ana = house.slack.add_user("ana")
        row = {"type": "button", "text": {"type": "plain_text", "text": "Approve"}, "action_id": "cs.approve"}
        blocks = [{"type": "actions", "block_id": "b", "elements": [{**row, "value": "q-1 tok-a"}]}]
        await house.api.call(house.slack.team, "views.publish", user_id=ana, view={"type": "home", "blocks": blocks})

        reply = await house.slack.press_home(ana, "Approve")

    [click] = house.plugged.came
    assert isinstance(click, HomeClick)
    assert (click.by.user, click.action, click.value) == (ana, "cs.approve", "q-1 tok-a")
    assert reply.status == 200
    assert house.front.came == []


async def test_a_command_that_cannot_be_answered_says_so_in_its_own_answer() -> None:
    async with a_house() as house:
        ana = house.slack.add_user("ana")
        ops = house.slack.add_channel("ops", [ana])
        house.plugged.error = StoreUnavailable("away")

        reply = await house.slack.command(ana, ops, "/countersign", "queue")

    assert reply.status == 200
    assert [one.text for one in house.slack.ephemerals(ana)] == [SORRY]


async def test_an_event_another_part_could_not_record_comes_again() -> None:
    async with a_house() as house:
        house.slack.redeliver = False
        ana = house.slack.add_user("ana")
        house.plugged.error = StoreUnavailable("away")
        away = await house.slack.open_home(ana)
        house.plugged.error = NotRequestable("a guest")
        refused = await house.slack.open_home(ana)

    assert (away.status, refused.status) == (503, 200)


async def test_a_whisper_that_fails_ends_nobody_elses_work() -> None:
    async with a_house() as house:
        ana, ops, card = await ana_and_a_card(house)
        house.front.answer = Answer(is_taken=False, text="too late")
        house.whisper_error = ZeroDivisionError("a bug of ours")
        with capture_logs() as logs:
            await house.slack.press(ana, ops, card, "Approve")
            house.whisper_error = None
            await house.slack.press(ana, ops, card, "Approve")
            told = await house.told()

    assert told == [(ana, "too late")]
    assert [log["event"] for log in logs] == ["aside_failed"]
