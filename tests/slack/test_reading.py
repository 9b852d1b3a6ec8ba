"""Reading: Slack's payloads as records, exactly; and no payload, however odd, gives a KeyError."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.slack import markup, reading
from adapters.slack.fields import FORM
from adapters.slack.reading import read
from adapters.slack.shapes import BadPayload
from bot.domain.chat import Account, Click, MessageRef, Place

BOT, TEAM, CHANNEL = "UBOT", "T1", "C1"
TS, ROOT = "1700000000.000200", "1700000000.000100"
ANA = Account(platform="slack", tenant=TEAM, user="UANA")

Json = dict[str, Any]


def post(**event: Any) -> Json:
    told = {"type": "message", "user": "UANA", "channel": CHANNEL, "ts": TS, "text": "hello", "team": TEAM}
    return {
        "type": "event_callback",
        "team_id": TEAM,
        "api_app_id": "A1",
        "event_id": "Ev1",
        "authorizations": [{"team_id": TEAM, "enterprise_id": None}],
        "event": {name: value for name, value in {**told, **event}.items() if value is not ...},
    }


def press(**changes: Any) -> Json:
    told = {
        "type": "block_actions",
        "team": {"id": TEAM},
        "user": {"id": "UANA", "team_id": TEAM},
        "trigger_id": "13.37.abc",
        "container": {"type": "message", "message_ts": TS, "channel_id": CHANNEL},
        "channel": {"id": CHANNEL, "name": "ops"},
        "message": {"ts": TS, "text": "a card"},
        "actions": [{"action_id": "cs.approve", "type": "button", "value": "q-1 tok"}],
    }
    return {name: value for name, value in {**told, **changes}.items() if value is not ...}


def sent(metadata: str, **view: Any) -> Json:
    values = {"f.reason": {"v": {"type": "plain_text_input", "value": "too much"}}}
    told = {"id": "V1", "type": "modal", "callback_id": FORM, "private_metadata": metadata, "state": {"values": values}}
    return press(type="view_submission", actions=..., container=..., view={**told, **view})


def place(channel: str = CHANNEL, thread: str | None = None) -> Place:
    return Place(platform="slack", tenant=TEAM, channel=channel, thread=thread, is_direct=channel[0] == "D")


# ------------------------------------------------------------------- messages


def test_a_mention_and_its_twin_are_one_delivery() -> None:
    """Slack sends `app_mention` and `message` for one post: equal records, so the front door counts them once."""
    text = f"<@{BOT}> refund 40"

    twin = reading.message(read(post(type="app_mention", text=text, client_msg_id="x")), BOT)
    other = reading.message(read({**post(text=text, channel_type="channel"), "event_id": "Ev2"}), BOT)

    assert twin == other
    assert twin is not None
    assert (twin.delivery, twin.is_mention) == (f"slack:{TEAM}:{CHANNEL}:{TS}", True)


def test_a_post_that_opens_a_thread_names_itself_there() -> None:
    heard = reading.message(read(post()), BOT)

    assert heard is not None
    assert heard.place == place(thread=TS)
    assert heard.ref == MessageRef(place=place(thread=TS), id=TS)
    assert heard.by == ANA
    assert not heard.is_mention


def test_a_reply_belongs_to_its_thread() -> None:
    heard = reading.message(read(post(thread_ts=ROOT)), BOT)

    assert heard is not None
    assert heard.place == place(thread=ROOT)


def test_whatever_is_said_in_a_direct_message_is_said_to_the_bot() -> None:
    heard = reading.message(read(post(channel="D1")), BOT)

    assert heard is not None
    assert heard.is_mention
    assert heard.place.is_direct


@pytest.mark.parametrize(
    "event",
    [
        {"bot_id": "B1"},
        {"bot_profile": {"id": "B1"}},
        {"subtype": "bot_message"},
        {"subtype": "message_changed", "message": {"user": "UANA", "text": f"<@{BOT}> hi"}, "user": ...},
        {"subtype": "message_deleted", "previous_message": {"user": "UANA"}, "user": ...},
        {"subtype": "channel_join"},
        {"user": BOT},
        {"user": "USLACKBOT"},
        {"user": ...},
        {"user": None},
        {"hidden": True},
        {"type": "reaction_added"},
    ],
    ids=str,
)
def test_bots_edits_and_deletions_say_nothing(event: Json) -> None:
    """T17: two bots that mention each other would never end."""
    assert reading.message(read(post(text=f"<@{BOT}> hi", **{"type": "message", **event})), BOT) is None


@pytest.mark.parametrize("subtype", ["file_share", "thread_broadcast"])
def test_people_also_write_with_files_and_into_the_channel(subtype: str) -> None:
    assert reading.message(read(post(subtype=subtype)), BOT) is not None


@pytest.mark.parametrize(
    ("event", "tenant"),
    [
        ({"user_team": "T9", "source_team": "T9", "team": "T9"}, "T9"),
        ({"source_team": "T9"}, "T9"),
        ({"team": "T9"}, "T9"),
        ({"user_team": "E9"}, "E9"),
        ({"user_team": "E1"}, TEAM),  # the organisation our own workspace is part of
        ({"team": ...}, TEAM),
    ],
)
def test_a_stranger_in_a_shared_channel_keeps_their_own_workspace(event: Json, tenant: str) -> None:
    """T15, T16: the same user id in two workspaces is two accounts; the place stays ours."""
    body = post(**event) | {"authorizations": [{"team_id": TEAM, "enterprise_id": "E1"}]}

    heard = reading.message(read(body), BOT)

    assert heard is not None
    assert heard.by == Account(platform="slack", tenant=tenant, user="UANA")
    assert heard.place.tenant == TEAM


GRID = {"authorizations": [{"team_id": TEAM, "enterprise_id": "E1"}]}
CONNECTED = {"team_id": "T9", "enterprise_id": "E1", "is_ext_shared_channel": True}


@pytest.mark.parametrize(
    ("body", "team", "organisation"),
    [
        (post() | GRID, TEAM, "E1"),
        (post() | {"authorizations": [{"enterprise_id": "E1"}], "context_team_id": TEAM}, TEAM, None),
        (post() | {"authorizations": None, "context_team_id": TEAM, "context_enterprise_id": "E1"}, TEAM, "E1"),
        (post() | {"authorizations": [{"enterprise_id": "E1"}]} | CONNECTED, "T9", None),
        (post() | {"authorizations": [{"enterprise_id": "E1"}]}, TEAM, "E1"),
        (press(team={"id": TEAM, "enterprise_id": "E1"}, enterprise={"id": "E1"}), TEAM, "E1"),
        (press(team={"id": "T9"}, enterprise={"id": "E1"}), "T9", None),
        (press(team=None, enterprise={"id": "E1"}, user={"id": "UEVE", "team_id": "T9"}), "T9", None),
        ({"command": "/countersign", "team_id": TEAM, "enterprise_id": "E1"}, TEAM, "E1"),
        ({"command": "/countersign", "team_id": TEAM, "is_ext_shared_channel": "false"}, TEAM, None),
    ],
)
def test_no_foreign_workspace_is_taken_for_one_of_our_organisation(
    body: Json, team: str, organisation: str | None
) -> None:
    """T15: an organisation that installed us as a whole would make members out of everybody in a shared channel."""
    assert (reading.team(read(body)), reading.enterprise(read(body))) == (team, organisation)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (f"<@{BOT}> refund 40", "@countersign refund 40"),
        (f"  <@{BOT}|countersign>  stop", "@countersign  stop"),
        (f"<@{BOT}>", ""),
        ("ask <@U2> and <@U3|bo>", "ask @U2 and @U3"),
        ("in <#C2|general> and <#C3>", "in #general and #C3"),
        ("<!channel> <!here> <!subteam^S1|@ops> <!subteam^S2>", "@channel @here @ops @subteam^S2"),
        ("see <https://bank.example/a?b=1&amp;c=2|your bank>", "see https://bank.example/a?b=1&c=2"),
        ("mail <mailto:ana@x.io|ana@x.io>, call <tel:+4930|030>", "mail ana@x.io, call +4930"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("say &lt;@U2&gt;", "say <@U2>"),
        ("half a \ud83d", "half a ?"),
    ],
)
def test_text_reads_as_its_writer_saw_it(text: str, read: str) -> None:
    """A link reads as where it leads: its label may say anything."""
    assert markup.words(text, BOT) == read


@pytest.mark.parametrize(
    ("text", "is_mention"),
    [(f"hey <@{BOT}>!", True), (f"<@{BOT}|x>", True), (f"&lt;@{BOT}&gt;", False), ("<@UBOTTOM>", False), ("", False)],
)
def test_a_mention_is_read_from_the_text(text: str, is_mention: bool) -> None:
    heard = reading.message(read(post(text=text)), BOT)

    assert heard is not None
    assert heard.is_mention is is_mention


def test_slacks_stop_button_says_stop_in_that_thread() -> None:
    heard = reading.stopped(read(post(type="agent_session_stopped", thread_ts=ROOT, ts=..., text=...)))

    assert (heard.text, heard.place, heard.by) == ("stop", place(thread=ROOT), ANA)
    assert heard.delivery == "slack:Ev1"
    assert heard.is_stop  # whatever else the word means there
    assert not heard.is_mention  # where nothing runs, it starts nothing


def test_who_only_writes_stop_has_pressed_nothing() -> None:
    """D-12: the word may be an answer."""
    heard = reading.message(read(post(text="stop")), BOT)

    assert heard is not None
    assert not heard.is_stop


# --------------------------------------------------------------------- presses


def test_a_press_names_button_person_and_card() -> None:
    assert reading.click(read(press())) == Click(
        delivery="slack:13.37.abc",
        by=ANA,
        ref=MessageRef(place=place(), id=TS),
        subject="q-1",
        move="approve",
        token="tok",
    )


@pytest.mark.parametrize(
    ("container", "message", "thread"),
    [
        ({}, {}, None),
        ({"thread_ts": TS}, {"thread_ts": TS}, None),  # a channel card that people replied to
        ({}, {"thread_ts": TS}, None),
        ({"thread_ts": ROOT}, {}, ROOT),
        ({}, {"thread_ts": ROOT}, ROOT),
    ],
)
def test_a_card_is_named_as_posting_named_it(container: Json, message: Json, thread: str | None) -> None:
    """T14: a click counts only if its ref equals the stored one, place and all."""
    told = press()
    clicked = reading.click(
        read(press(container=told["container"] | container, message=told["message"] | message if message else ...))
    )

    assert clicked is not None
    assert clicked.ref == MessageRef(place=place(thread=thread), id=TS)


def test_a_card_in_a_direct_message_is_there() -> None:
    told = press(channel=..., message=..., container={"type": "message", "message_ts": TS, "channel_id": "D1"})

    clicked = reading.click(read(told))

    assert clicked is not None
    assert clicked.ref.place == place("D1")


@pytest.mark.parametrize("value", [..., None, "", "x", "x" * 2000, "q-1 tok more", "\x00 \x00"], ids=repr)
def test_a_made_up_value_is_for_the_front_door_to_refuse(value: Any) -> None:
    """T13: it becomes a click like any other, so that its refusal is told and audited."""
    button = {"action_id": "cs.approve", "type": "button", "value": value}
    clicked = reading.click(read(press(actions=[{name: part for name, part in button.items() if part is not ...}])))

    assert clicked is not None
    assert clicked.move == "approve"


def test_a_second_button_of_a_move_is_the_same_move() -> None:
    clicked = reading.click(read(press(actions=[{"action_id": "cs.stop.2", "type": "button", "value": "r-1 tok"}])))

    assert clicked is not None
    assert (clicked.move, clicked.subject) == ("stop", "r-1")


def test_a_strangers_press_keeps_their_own_workspace() -> None:
    """T15: the card's place is ours, the person is not."""
    clicked = reading.click(read(press(user={"id": "UANA", "team_id": "T9"})))

    assert clicked is not None
    assert (clicked.by.tenant, clicked.ref.place.tenant) == ("T9", TEAM)


def test_a_press_on_the_home_tab_stands_in_no_message() -> None:
    told = press(
        container={"type": "view", "view_id": "V7"}, view={"id": "V7", "type": "home"}, channel=..., message=...
    )

    assert reading.click(read(told)) is None
    home = reading.home_click(read(told))

    assert home is not None
    assert (home.delivery, home.by, home.team) == ("slack:13.37.abc", ANA, TEAM)
    assert (home.action, home.value, home.view) == ("cs.approve", "q-1 tok", "V7")
    assert reading.home_click(read(press())) is None


def test_a_form_carries_the_press_it_was_opened_by() -> None:
    clicked = reading.click(read(press()))
    assert clicked is not None

    form = reading.form(read(sent(reading.metadata(clicked))))

    assert form is not None
    assert (form.delivery, form.by, form.ref) == ("slack:V1", ANA, clicked.ref)
    assert (form.subject, form.move, form.token) == ("q-1", "approve", "tok")
    assert form.fields == {"reason": "too much"}


def test_another_apps_view_is_no_form_of_ours() -> None:
    assert reading.form(read(sent("{}", callback_id="theirs"))) is None


@pytest.mark.parametrize("metadata", ["", "{", "[]", "{}", '{"subject": 1}', '{"subject": "a", "subject": "b"}'])
def test_a_form_that_says_nothing_of_its_press_is_refused(metadata: str) -> None:
    with pytest.raises(BadPayload):
        reading.form(read(sent(metadata)))


def test_a_command_and_a_message_shortcut_are_read() -> None:
    said = {"command": "/countersign", "text": "queue", "team_id": TEAM, "channel_id": "D1", "user_id": "UANA"}
    command = reading.command(read({**said, "trigger_id": "1.2"}))
    about = {"ts": TS, "thread_ts": TS, "user": "UBO", "text": "please refund"}
    shortcut = reading.shortcut(read(press(type="message_action", callback_id="cs.start", message=about, actions=...)))

    assert (command.by, command.place, command.text) == (ANA, place("D1"), "queue")
    assert command.delivery == "slack:1.2"
    assert shortcut is not None
    assert shortcut.about == MessageRef(place=place(), id=TS)
    assert (shortcut.author, shortcut.text, shortcut.callback) == ("UBO", "please refund", "cs.start")
    assert reading.shortcut(read(press(type="shortcut", callback_id="cs.start", actions=...))) is None


# ------------------------------------------------------------------ odd shapes


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "type", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
READERS = [
    reading.team,
    reading.kind,
    reading.action,
    reading.trigger,
    reading.stands_at,
    lambda parts: reading.message(parts, BOT),
    reading.stopped,
    reading.home_opened,
    reading.click,
    reading.home_click,
    reading.form,
    reading.command,
    reading.shortcut,
]


def parts_of(body: Json, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    here = [(*path, name) for name in body]
    return here + [
        deep for name in body if isinstance(body[name], dict) for deep in parts_of(body[name], (*path, name))
    ]


def changed(body: Json, path: tuple[str, ...], value: Any) -> Json:
    name, *rest = path
    part = changed(body[name], tuple(rest), value) if rest else value
    return {**body, name: part} if part is not ... else {key: kept for key, kept in body.items() if key != name}


@given(st.data())
def test_no_odd_payload_gives_a_key_error(data: st.DataObject) -> None:
    """One part of a good payload missing, or anything in its place: a record, None, or BadPayload."""
    body = data.draw(st.sampled_from([post(), post(type="agent_session_stopped", thread_ts=ROOT), press(), sent("{}")]))
    path = data.draw(st.sampled_from(parts_of(body)))
    odd = changed(body, path, data.draw(JUNK | st.just(...)))

    for reader in READERS:
        with contextlib.suppress(BadPayload):
            reader(read(odd))
