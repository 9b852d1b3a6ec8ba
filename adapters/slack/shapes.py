"""The shapes of Slack's payloads: the parts we or bolt look at, each with its type. Everything else is let pass.

A payload of another shape is refused as a whole, so that no reader behind this one stumbles over it.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from bot.domain.errors import Refused
from bot.domain.wire import Record

T = TypeVar("T")


class BadPayload(Refused):
    """A payload of a shape that Slack does not send. `where` names the part; its value is never told."""

    people_read = "This could not be read."

    def __init__(self, where: str) -> None:
        super().__init__(f"a Slack payload cannot be read: {where}")
        self.where = where


class Id(Record):
    id: str
    team_id: str | None = None
    enterprise_id: str | None = None


class Event(Record):
    """Events of many kinds: the fields any of ours has."""

    type: str
    user: str | Id | None = None
    channel: str | Id | None = None
    channel_id: str | None = None
    user_id: str | None = None
    ts: str | None = None
    thread_ts: str | None = None
    event_ts: str | None = None
    text: str | None = None
    tab: str | None = None
    subtype: str | None = None
    bot_id: str | None = None
    bot_profile: Any = None
    user_team: str | None = None
    source_team: str | None = None
    team: str | Id | None = None
    hidden: bool = False
    team_id: str | None = None
    enterprise: str | Id | None = None
    message: dict[str, Any] | None = None
    previous_message: dict[str, Any] | None = None
    item: dict[str, Any] | str | None = None
    assistant_thread: dict[str, Any] | None = None
    view: dict[str, Any] | None = None
    function_data: dict[str, Any] | None = None


class Install(Record):
    team_id: str | None = None
    enterprise_id: str | None = None


class Container(Record):
    type: str = ""
    channel_id: str | None = None
    message_ts: str | None = None
    thread_ts: str | None = None


class Seen(Record):
    """A message as a payload quotes it."""

    ts: str | None = None
    thread_ts: str | None = None
    user: str | None = None
    text: str | None = None


class View(Record):
    id: str
    type: str
    hash: str | None = None
    callback_id: str = ""
    private_metadata: str = ""
    app_installed_team_id: str | None = None
    state: dict[str, Any] | None = None
    blocks: list[dict[str, Any]] | None = None


class Option(Record):
    value: str | None = None


class Action(Record):
    action_id: str
    type: str
    value: str | None = None
    selected_option: Option | None = None  # of a menu


class Body(Record):
    """The outside of every payload."""

    type: str | None = None
    api_app_id: str | None = None
    challenge: str | None = None
    event: Event | None = None
    event_id: str | None = None
    authorizations: list[Install] | None = None
    context_team_id: str | None = None
    context_enterprise_id: str | None = None
    is_ext_shared_channel: bool | str | None = None  # a text in forms
    team_id: str | None = None
    team: str | Id | None = None
    enterprise: str | Id | None = None
    enterprise_id: str | None = None
    user: str | Id | None = None
    user_id: str | None = None
    channel: str | Id | None = None
    channel_id: str | None = None
    trigger_id: str | None = None
    thread_ts: str | None = None
    container: Container | None = None
    message: Seen | None = None
    view: View | None = None
    actions: list[Action] | None = None
    command: str | None = None
    text: str | None = None
    callback_id: str | None = None
    response_urls: list[dict[str, Any]] | None = None
    function_data: dict[str, Any] | None = None


def read_as(shape: type[T], value: object) -> T:
    """*value* as a record. Raises BadPayload that names the part, never its value."""
    try:
        return msgspec.convert(value, shape, strict=True)
    except msgspec.ValidationError as error:
        raise BadPayload(str(error)) from error
