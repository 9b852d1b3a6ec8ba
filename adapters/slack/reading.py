"""Reading: what Slack sends, as the records everybody else works with.

payload -> read once (the shape we and bolt rely on) -> message | click | form | home_click | stopped | command | …

Pure functions without I/O. A payload that is none of our business gives None; one that Slack would never send raises
BadPayload: nothing here raises KeyError. What comes out of `click` names the card exactly as posting named it, because
a click counts only if its MessageRef equals a stored one. Not owned: Slack's markup (markup), whether the workspace is
ours (ears), who may act (the front door).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.slack.fields import FORM, read_state
from adapters.slack.markup import is_mentioned, words, writable
from adapters.slack.shapes import Action, BadPayload, Body, Event, Id, read_as
from bot.domain.chat import Account, Click, Form, Message, MessageRef, Place
from bot.domain.errors import BadJson
from bot.domain.wire import Record, dumps, read_foreign

PLATFORM = "slack"
HEARD = (None, "file_share", "thread_broadcast")  # subtypes of messages that people write
BUTTON, FORM_BUTTON, LINK = "cs.", "csf.", "link."  # action ids: a press at once, a form first, a link of ours

Payload = Mapping[str, Any]


class HomeClick(Record):
    """A button of somebody's Home tab was pressed. It stands in no message, so there is no MessageRef yet."""

    delivery: str
    by: Account
    team: str
    action: str
    value: str
    trigger: str
    view: str


class HomeOpened(Record):
    """Somebody looks at the bot: `tab` is home or messages."""

    by: Account
    team: str
    tab: str


class Command(Record):
    """A slash command. `text` is what followed its name."""

    delivery: str
    by: Account
    place: Place
    name: str
    text: str
    trigger: str


class Shortcut(Record):
    """A message shortcut was used on *about*, written by *author* (empty for an app's message)."""

    delivery: str
    by: Account
    callback: str
    trigger: str
    about: MessageRef
    author: str
    text: str


# --------------------------------------------------------------------- whole


def read(payload: Payload) -> Body:
    """The outside of *payload*. Raises BadPayload for what would make bolt or a listener stumble."""
    parts = read_as(Body, payload)
    is_whole = {
        "event_callback": parts.event is not None,
        "block_actions": bool(parts.actions),
        "view_submission": parts.view is not None,
        "message_action": bool(parts.callback_id),
        "shortcut": bool(parts.callback_id),
        "url_verification": parts.challenge is not None,
    }
    if not is_whole.get(parts.type or "", True):
        raise BadPayload(f"a {parts.type} without what it is about")
    return parts


def app(parts: Body) -> str:
    """The app a payload was meant for; empty when it does not say."""
    return parts.api_app_id or ""


def team(parts: Body) -> str:
    """The workspace whose installation of ours a payload belongs to. Raises BadPayload when it names none.

    In a shared channel that is not the workspace of the person who acted.
    """
    return _team(parts)


def enterprise(parts: Body) -> str | None:
    """The organisation that workspace belongs to, if the very part of the payload that names the one names the other.

    In a shared channel, another company's workspace may stand beside our own organisation (T15).
    """
    return next((organisation for one, organisation in _named(parts) if one), None)


def kind(parts: Body) -> str:
    """The event's type, or the payload's own; `command` for a slash command. For logs and routing."""
    if parts.command is not None:
        return "command"
    return parts.event.type if parts.event else parts.type or ""


def action(parts: Body) -> str:
    """The action id of the button that was pressed; empty if nothing was."""
    return parts.actions[0].action_id if parts.actions else ""


def trigger(parts: Body) -> str:
    """What opens a form within 3 s of the press, once. Raises BadPayload."""
    return _given(parts.trigger_id, "trigger_id")


def stands_at(parts: Body) -> tuple[Place, Account]:
    """Where somebody pressed something, and who: enough to tell them. Raises BadPayload outside of messages."""
    return _ref(parts).place, _presser(parts)


# ------------------------------------------------------------------- messages


def message(parts: Body, bot_user: str) -> Message | None:
    """What a person wrote where the bot can read it; None for bots, edits, deletions and the bot itself."""
    event = parts.event
    if event is None or event.type not in ("app_mention", "message") or not _is_human(event, bot_user):
        return None
    home, channel, ts = _team(parts), _id(event.channel), event.ts
    if not channel or not ts:
        raise BadPayload("an event without channel or ts")
    place = _place(home, channel, event.thread_ts or ts)
    return Message(
        delivery=f"slack:{home}:{channel}:{ts}",
        by=_account(_writers_team(event, parts), _id(event.user)),
        place=place,
        text=words(event.text or "", bot_user),
        ref=MessageRef(place=place, id=ts),
        is_mention=place.is_direct or is_mentioned(event.text or "", bot_user),
    )


def stopped(parts: Body) -> Message:
    """Somebody pressed Slack's own stop button in that thread. Raises BadPayload."""
    event = parts.event
    channel = (event and (_id(event.channel) or event.channel_id)) or ""
    user = (event and (_id(event.user) or event.user_id)) or ""
    if event is None or not channel or not user or not event.thread_ts:
        raise BadPayload("a stop without channel, thread or user")
    place = _place(_team(parts), channel, event.thread_ts)
    return Message(
        delivery=f"slack:{_given(parts.event_id, 'event_id')}",
        by=_account(_writers_team(event, parts), user),
        place=place,
        text="stop",
        ref=MessageRef(place=place, id=event.thread_ts),
        is_stop=True,
    )


def home_opened(parts: Body) -> HomeOpened:
    if parts.event is None or not (user := _id(parts.event.user)):
        raise BadPayload("an opened Home without user")
    account = _account(_writers_team(parts.event, parts), user)
    return HomeOpened(by=account, team=_team(parts), tab=parts.event.tab or "home")


def _is_human(event: Event, bot_user: str) -> bool:
    """Loops begin where bots answer bots (T17)."""
    is_bot = event.bot_id is not None or event.bot_profile is not None
    user = _id(event.user)
    return not is_bot and not event.hidden and event.subtype in HEARD and user not in ("", "USLACKBOT", bot_user)


def _writers_team(event: Event, parts: Body) -> str:
    """The workspace the *user* belongs to. A guest of another company never counts as one of ours (T15, T16)."""
    claimed = event.user_team or event.source_team or _id(event.team)
    return claimed if claimed and claimed != _enterprise(parts) else _team(parts)


# --------------------------------------------------------------------- presses


def click(parts: Body) -> Click | None:
    """A press of a card's button; None outside of a message. What its value says is judged by the front door."""
    if not parts.actions or not _is_message(parts):
        return None
    pressed = parts.actions[0]
    subject, _, token = (pressed.value or "").partition(" ")
    return Click(
        delivery=f"slack:{_given(parts.trigger_id, 'trigger_id')}",
        by=_presser(parts),
        ref=_ref(parts),
        subject=subject,
        move=pressed.action_id.partition(".")[2].partition(".")[0],  # `cs.stop.2` is a second Stop
        token=token,
    )


def home_click(parts: Body) -> HomeClick | None:
    """A press on the Home tab; None anywhere else."""
    if not parts.actions or parts.view is None or parts.view.type != "home":
        return None
    trigger_id = _given(parts.trigger_id, "trigger_id")
    return HomeClick(
        delivery=f"slack:{trigger_id}",
        by=_presser(parts),
        team=_team(parts),
        action=parts.actions[0].action_id,
        value=_chosen(parts.actions[0]) or "",
        trigger=trigger_id,
        view=parts.view.id,
    )


def _chosen(action: Action) -> str | None:
    """What a button's value is, or that of the line of a menu."""
    return action.selected_option.value if action.selected_option is not None else action.value


class _Behind(Record):
    """What a form carries along unseen: the press it was opened by."""

    subject: str
    move: str
    token: str
    ref: MessageRef


def metadata(click: Click) -> str:
    """The `private_metadata` of the form behind *click*."""
    behind = _Behind(subject=click.subject, move=click.move, token=click.token, ref=click.ref)
    return dumps(behind).decode()


def form(parts: Body) -> Form | None:
    """A sent form; None for a view that is no form of ours."""
    if parts.view is None or parts.view.callback_id != FORM:
        return None
    try:
        behind = read_as(_Behind, read_foreign(parts.view.private_metadata))
    except BadJson as error:
        raise BadPayload("a form without what it is about") from error
    return Form(
        delivery=f"slack:{parts.view.id}",
        by=_presser(parts),
        ref=behind.ref,
        subject=behind.subject,
        move=behind.move,
        token=behind.token,
        fields=read_state({"state": parts.view.state}),
    )


def command(parts: Body) -> Command:
    home, channel = _team(parts), _given(parts.channel_id, "channel_id")
    trigger_id = _given(parts.trigger_id, "trigger_id")
    return Command(
        delivery=f"slack:{trigger_id}",
        by=_account(home, _given(parts.user_id, "user_id")),
        place=_place(home, channel, None),
        name=_given(parts.command, "command"),
        text=words(parts.text or "", ""),
        trigger=trigger_id,
    )


def shortcut(parts: Body) -> Shortcut | None:
    """A message shortcut; None for a global one, which is about no message."""
    if parts.type != "message_action" or parts.message is None:
        return None
    seen, ts = parts.message, _given(parts.message.ts, "message.ts")
    place = _place(_team(parts), _given(_id(parts.channel), "channel"), _thread(seen.thread_ts, ts))
    trigger_id = _given(parts.trigger_id, "trigger_id")
    return Shortcut(
        delivery=f"slack:{trigger_id}",
        by=_presser(parts),
        callback=_given(parts.callback_id, "callback_id"),
        trigger=trigger_id,
        about=MessageRef(place=place, id=ts),
        author=seen.user or "",
        text=writable(seen.text or ""),
    )


def _is_message(parts: Body) -> bool:
    return parts.container is not None and parts.container.message_ts is not None


def _ref(parts: Body) -> MessageRef:
    """The message a button stands in, named as posting named it: a channel card stays one when people reply to it."""
    container = parts.container
    if container is None or not container.message_ts:
        raise BadPayload("a press outside of a message")
    channel = _given(container.channel_id or _id(parts.channel), "channel")
    thread = container.thread_ts or (parts.message.thread_ts if parts.message else None)
    place = _place(_team(parts), channel, _thread(thread, container.message_ts))
    return MessageRef(place=place, id=container.message_ts)


def _presser(parts: Body) -> Account:
    user = parts.user
    if not isinstance(user, Id):
        raise BadPayload("a press without user")
    return _account(user.team_id or _team(parts), user.id)


# ---------------------------------------------------------------------- pieces


def _team(parts: Body) -> str:
    return _given(next((one for one, _ in _named(parts) if one), None), "team")


def _named(parts: Body) -> Iterator[tuple[str | None, str | None]]:
    """Workspaces a payload names, the one that installed us first, each with the organisation named along with it.

    The workspace of whoever acted comes last and alone: it may be another company's, and then it is none of ours.
    """
    organisation = _enterprise(parts)
    yield (parts.view.app_installed_team_id if parts.view else None), None
    yield from ((one.team_id, one.enterprise_id) for one in parts.authorizations or () if one.team_id)
    yield parts.context_team_id, parts.context_enterprise_id
    yield parts.team_id, None if parts.is_ext_shared_channel in (True, "true") else organisation
    yield _id(parts.team), parts.team.enterprise_id if isinstance(parts.team, Id) else organisation
    yield (parts.user.team_id if isinstance(parts.user, Id) else None), None


def _enterprise(parts: Body) -> str | None:
    installed = next((one.enterprise_id for one in parts.authorizations or () if one.enterprise_id), None)
    through = parts.team.enterprise_id if isinstance(parts.team, Id) else None
    return _id(parts.enterprise) or installed or parts.enterprise_id or through


def _id(value: str | Id | None) -> str:
    return value.id if isinstance(value, Id) else value or ""


def _given(value: str | None, name: str) -> str:
    if not value:
        raise BadPayload(f"{name} is missing")
    return value


def _account(home: str, user: str) -> Account:
    return Account(platform=PLATFORM, tenant=home, user=_given(user, "user"))


def _place(home: str, channel: str, thread: str | None) -> Place:
    is_direct = channel.startswith("D")
    return Place(platform=PLATFORM, tenant=home, channel=channel, thread=thread, is_direct=is_direct)


def _thread(thread: str | None, ts: str) -> str | None:
    return None if thread == ts else thread
