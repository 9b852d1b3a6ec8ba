"""The fake Slack tells the app what people do, as the real one does: judged by the real slack_bolt and slack_sdk."""

from __future__ import annotations

import aiohttp
import pytest
from slack_sdk.signature import SignatureVerifier

from tests.fakes.office import CARD, FORM, Office, refused
from tests.fakes.slack import ClientRefused

# ------------------------------------------------------------- what comes in


async def test_a_mention_arrives_signed_and_twice(over_http: Office) -> None:
    """bolt accepts the signature; `app_mention` and `message` carry one ts and two event ids (reference, section 8)."""
    ts = await over_http.slack.say(over_http.ana, over_http.ops, f"{over_http.slack.mention} hello")

    mention, message = over_http.heard
    assert over_http.types == ["app_mention", "message"]
    assert mention["event"]["ts"] == message["event"]["ts"] == ts
    assert mention["event_id"] != message["event_id"]


async def test_a_request_is_signed_as_the_sdk_checks_it(office: Office) -> None:
    """T11: the right secret verifies, another does not, and one changed byte does not."""
    headers = office.slack.signed(b"{}")

    assert SignatureVerifier(office.slack.signing_secret).is_valid_request(b"{}", headers)
    assert not SignatureVerifier("another secret").is_valid_request(b"{}", headers)
    assert not SignatureVerifier(office.slack.signing_secret).is_valid_request(b"[]", headers)


async def test_words_in_a_dm_are_one_message_and_no_mention(over_http: Office) -> None:
    slack = over_http.slack

    await slack.say(over_http.ana, slack.dm(over_http.ana), f"{slack.mention} hello")

    [body] = over_http.heard
    assert body["event"]["channel_type"] == "im"
    assert body["event"]["type"] == "message"


async def test_nothing_is_heard_from_where_the_bot_is_not(over_http: Office) -> None:
    slack = over_http.slack
    elsewhere = slack.add_channel("elsewhere", (over_http.ana,), with_bot=False)

    await slack.say(over_http.ana, elsewhere, slack.mention)

    assert over_http.heard == []


async def test_an_edit_mentions_again_with_the_same_ts(over_http: Office) -> None:
    ts = await over_http.slack.say(over_http.ana, over_http.ops, "hello")
    over_http.heard.clear()

    await over_http.slack.edit(over_http.ana, over_http.ops, ts, f"{over_http.slack.mention} hello")

    changed, mention = (body["event"] for body in over_http.heard)
    assert (changed["subtype"], changed["message"]["ts"]) == ("message_changed", ts)
    assert (mention["type"], mention["ts"]) == ("app_mention", ts)


async def test_an_event_nobody_took_comes_again_with_its_number(over_http: Office) -> None:
    """I12: same event id, headers that count; a taken one comes no more."""
    over_http.fails = 2

    await over_http.slack.say(over_http.ana, over_http.ops, "hello")

    sent = over_http.slack.deliveries
    assert [one.reply.status for one in sent] == [500, 500, 200]
    assert [one.headers.get("X-Slack-Retry-Num") for one in sent] == [None, "1", "2"]
    assert len({one.payload["event_id"] for one in sent}) == 1


async def test_slack_gives_up_after_three_more_times(over_http: Office) -> None:
    """PN-10: an app that fails hears of it four times in all."""
    over_http.fails = 9

    await over_http.slack.say(over_http.ana, over_http.ops, "hello")

    assert len(over_http.slack.deliveries) == 4


async def test_deliveries_come_twice_and_in_the_wrong_order_when_told_to(over_http: Office) -> None:
    """PN-10: as the real one may deliver."""
    over_http.slack.faults.deliver_twice = over_http.slack.faults.out_of_order = True

    await over_http.slack.say(over_http.ana, over_http.ops, over_http.slack.mention)

    assert over_http.types == ["message", "message", "app_mention", "app_mention"]


async def test_the_same_bytes_can_be_sent_again(over_http: Office) -> None:
    """T12: a replay inside the signature's five minutes is accepted by bolt; only we can tell."""
    ts = await over_http.card()
    await over_http.slack.press(over_http.ana, over_http.ops, ts, "Approve")

    reply = await over_http.slack.again(over_http.slack.deliveries[-1])

    assert reply.is_ok
    assert over_http.heard[0] == over_http.heard[1]


# -------------------------------------------------------------------- clicks


async def test_a_press_tells_everything_about_the_button(over_http: Office) -> None:
    ts = await over_http.card()

    reply = await over_http.slack.press(over_http.ana, over_http.ops, ts, "Deny")

    [body] = over_http.heard
    assert reply.is_ok
    assert body["actions"][0]["action_id"] == "cs.Deny"
    assert body["actions"][0]["value"] == "r1 token"
    assert body["container"] == {
        "type": "message",
        "message_ts": ts,
        "channel_id": over_http.ops,
        "is_ephemeral": False,
    }
    assert body["user"]["team_id"] == body["team"]["id"] == over_http.slack.team


async def test_a_press_can_be_forged_in_every_part(over_http: Office) -> None:
    """T13, T15: the value, the message, the workspace."""
    ts = await over_http.card()

    await over_http.slack.press(
        over_http.ana, over_http.ops, ts, "Deny", value="v", action_id="a", container_ts="1.2", team="T9"
    )

    [body] = over_http.heard
    assert (body["actions"][0]["value"], body["actions"][0]["action_id"]) == ("v", "a")
    assert (body["container"]["message_ts"], body["team"]["id"]) == ("1.2", "T9")


async def test_nobody_presses_what_they_cannot_see(over_http: Office) -> None:
    ts = await over_http.card()
    secret = over_http.slack.add_channel("secret", (over_http.bo,), is_private=True)
    hidden = await over_http.api.chat_postMessage(channel=secret, text="x", blocks=CARD)
    press = over_http.slack.press

    with pytest.raises(ClientRefused, match="cannot see"):
        await press(over_http.ana, secret, str(hidden["ts"]), "Deny")
    with pytest.raises(ClientRefused, match="no button 'Launch'"):
        await press(over_http.ana, over_http.ops, ts, "Launch")


async def test_a_whisper_is_seen_by_one_and_changed_only_through_its_url(over_http: Office) -> None:
    whispered = await over_http.api.chat_postEphemeral(
        channel=over_http.ops, user=over_http.ana, text="psst", blocks=CARD
    )
    ts = str(whispered["message_ts"])
    with pytest.raises(ClientRefused, match="sees no message"):
        await over_http.slack.press(over_http.bo, over_http.ops, ts, "Deny")
    assert await refused(over_http.api.chat_update(channel=over_http.ops, ts=ts, text="x")) == "message_not_found"
    await over_http.slack.press(over_http.ana, over_http.ops, ts, "Deny")

    async with aiohttp.ClientSession() as web_session:
        for use in range(6):
            body = {"text": f"use {use}", "replace_original": True}
            async with web_session.post(over_http.heard[0]["response_url"], json=body) as answer:
                last = answer.status

    assert last == 404
    assert [over_http.slack.text_of(one) for one in over_http.slack.ephemerals(over_http.ana)] == ["use 4"]
    assert "message" not in over_http.heard[0]


async def test_a_command_is_answered_privately_and_a_shortcut_carries_its_message(over_http: Office) -> None:
    ts = await over_http.slack.say(over_http.bo, over_http.ops, "look")

    await over_http.slack.command(over_http.ana, over_http.ops, "/countersign", "queue")
    await over_http.slack.shortcut(over_http.ana, over_http.ops, ts, "give")

    _said, command, shortcut = over_http.heard
    assert (command["command"], command["text"], command["user_id"]) == ("/countersign", "queue", over_http.ana)
    assert shortcut["message"]["text"] == "look"
    assert over_http.slack.ephemerals(over_http.ana) == []


# -------------------------------------------------------------------- windows


async def test_a_trigger_opens_one_window_and_only_for_three_seconds(over_http: Office) -> None:
    """PN-10: a spent, a late and an unknown one are told apart."""
    ts = await over_http.card()
    await over_http.slack.press(over_http.ana, over_http.ops, ts, "Deny")
    await over_http.slack.press(over_http.ana, over_http.ops, ts, "Deny")
    first, second = (body["trigger_id"] for body in over_http.heard)

    await over_http.api.views_open(trigger_id=first, view=FORM)
    spent = await refused(over_http.api.views_open(trigger_id=first, view=FORM))
    over_http.slack.later(3)
    late = await refused(over_http.api.views_open(trigger_id=second, view=FORM))
    unknown = await refused(over_http.api.views_open(trigger_id="1.2", view=FORM))

    assert (spent, late, unknown) == ("exchanged_trigger_id", "expired_trigger_id", "invalid_trigger_id")


async def test_a_form_is_checked_by_the_client_then_by_the_app_then_closes(over_http: Office) -> None:
    slack, ana = over_http.slack, over_http.ana
    ts = await over_http.card()
    await slack.press(ana, over_http.ops, ts, "Deny")
    await over_http.api.views_open(trigger_id=over_http.heard[0]["trigger_id"], view=FORM)

    for wrong, why in (({}, "required"), ({"How much": "51"}, "outside"), ({"How much": "1.5"}, "whole")):
        with pytest.raises(ClientRefused, match=why):
            await slack.submit(ana, wrong)
    assert len(over_http.heard) == 1

    over_http.answer = {"response_action": "errors", "errors": {"amount": "more than is there"}}
    await slack.submit(ana, {"How much": "50"})
    assert slack.errors_of(ana) == {"How much": "more than is there"}
    assert over_http.heard[-1]["view"]["state"]["values"]["amount"]["value"] == {"type": "number_input", "value": "50"}

    over_http.answer = {}
    await slack.submit(ana, {"amount": "7"})
    assert (slack.view_of(ana), slack.errors_of(ana)) == (None, {})


async def test_a_window_that_changed_meanwhile_or_was_closed_cannot_be_filled(over_http: Office) -> None:
    api, ana = over_http.api, over_http.ana
    await over_http.slack.press(ana, over_http.ops, await over_http.card(), "Deny")
    opened = await api.views_open(trigger_id=over_http.heard[0]["trigger_id"], view=FORM)
    view, first = str(opened["view"]["id"]), str(opened["view"]["hash"])
    await api.views_update(view_id=view, hash=first, view=FORM)

    assert await refused(api.views_update(view_id=view, hash=first, view=FORM)) == "hash_conflict"
    await over_http.slack.close_view(ana)
    assert await refused(api.views_update(view_id=view, view=FORM)) == "not_found"


async def test_home_is_published_opened_and_pressed_without_a_channel(over_http: Office) -> None:
    """Section 9: clicks from Home carry a view and neither channel, message nor response_url."""
    home = {"type": "home", "blocks": CARD}
    await over_http.slack.open_home(over_http.ana)
    published = await over_http.api.views_publish(user_id=over_http.ana, view=home)

    await over_http.slack.press_home(over_http.ana, "Approve")
    stale = await refused(over_http.api.views_publish(user_id=over_http.ana, view=home, hash="0.0"))

    opened, click = over_http.heard
    assert opened["event"]["tab"] == "home"
    assert click["container"] == {"type": "view", "view_id": published["view"]["id"]}
    assert not click.keys() & {"channel", "message", "response_url"}
    assert stale == "hash_conflict"


async def test_windows_pile_up_to_three_and_go_at_once(over_http: Office) -> None:
    """`update`, `push` and `clear` are answers to a form; a fourth window is one too many."""
    slack, ana = over_http.slack, over_http.ana
    await slack.press(ana, over_http.ops, await over_http.card(), "Deny")
    await over_http.api.views_open(trigger_id=over_http.heard[0]["trigger_id"], view=FORM)

    over_http.answer = {"response_action": "push", "view": {**FORM, "private_metadata": "above"}}
    await slack.submit(ana, {"How much": "1"})
    await slack.submit(ana, {"How much": "2"})
    top = slack.view_of(ana)
    await slack.submit(ana, {"How much": "3"})

    assert slack.errors_of(ana) == {"": "We had some trouble connecting. Try again?"}
    assert slack.view_of(ana) is top
    over_http.answer = {"response_action": "update", "view": {**FORM, "private_metadata": "new"}}
    await slack.submit(ana, {"How much": "3"})
    assert top is not None
    assert top.private_metadata == "new"
    over_http.answer = {"response_action": "clear"}
    await slack.submit(ana, {"How much": "3"})
    assert slack.view_of(ana) is None


async def test_a_form_stays_open_when_the_app_cannot_take_it(over_http: Office) -> None:
    """An error for a field that is not there is none: Slack shows trouble, and the window stays."""
    slack, ana = over_http.slack, over_http.ana
    await slack.press(ana, over_http.ops, await over_http.card(), "Deny")
    await over_http.api.views_open(trigger_id=over_http.heard[0]["trigger_id"], view=FORM)
    over_http.answer = {"response_action": "errors", "errors": {"elsewhere": "no"}}

    await slack.submit(ana, {"How much": "1"})

    assert slack.errors_of(ana).keys() == {""}
    assert slack.view_of(ana) is not None
