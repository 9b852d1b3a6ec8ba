"""What each Web API method takes: tier, scopes, required and known arguments. From docs.slack.dev and slack_sdk 3.47.

A method that is not here answers `unknown_method`; an argument that is not here, `invalid_arguments`. Slack itself
ignores most unknown arguments: the fake is stricter, because such an argument is always a mistake of ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.slack.world import Json, Refusal

PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100}  # tier -> calls, per method and workspace
STRUCTURED = ("attachments", "blocks", "chunks", "files", "metadata", "prompts", "view")  # JSON, or a string of it
EVERYWHERE = ("team_id",)  # bolt's per-request client adds it to every call
READ = ("channels:read", "groups:read", "im:read", "mpim:read")
HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")


@dataclass(frozen=True)
class Method:
    """*scopes*: any one is enough. *token*: `bot`, `app`, or `none` when the caller has none yet."""

    tier: int
    scopes: tuple[str, ...]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    token: str = "bot"


def _method(tier: int, scopes: str | tuple[str, ...], required: str = "", optional: str = "") -> Method:
    held = (scopes,) if isinstance(scopes, str) and scopes else tuple(scopes)
    return Method(tier, held, tuple(required.split()), tuple(optional.split()))


_LOOKS = "icon_emoji icon_url username"
_PAGE = "cursor limit"
_TIMES = "inclusive latest oldest include_all_metadata"

METHODS: Mapping[str, Method] = {
    "auth.test": _method(5, ""),
    "auth.revoke": _method(3, "", "", "test"),
    "bots.info": _method(3, "users:read", "", "bot team_id"),
    "apps.connections.open": Method(3, (), (), token="app"),
    "oauth.v2.access": Method(
        5, (), (), ("client_id", "client_secret", "code", "redirect_uri", "grant_type", "refresh_token"), "none"
    ),
    "chat.postMessage": _method(
        5,
        "chat:write",
        "channel",
        "text blocks attachments thread_ts reply_broadcast unfurl_links unfurl_media mrkdwn link_names parse "
        f"metadata markdown_text as_user {_LOOKS}",
    ),
    "chat.update": _method(
        3,
        "chat:write",
        "channel ts",
        "text blocks attachments as_user file_ids link_names parse reply_broadcast metadata markdown_text "
        "unfurl_links unfurl_media",
    ),
    "chat.postEphemeral": _method(
        4,
        "chat:write",
        "channel user",
        f"text blocks attachments thread_ts link_names parse markdown_text as_user {_LOOKS}",
    ),
    "chat.delete": _method(3, "chat:write", "channel ts", "as_user"),
    "chat.getPermalink": _method(5, "", "channel message_ts"),
    "chat.startStream": _method(
        2,
        "chat:write",
        "channel",
        f"thread_ts markdown_text chunks recipient_team_id recipient_user_id task_display_mode {_LOOKS}",
    ),
    "chat.appendStream": _method(4, "chat:write", "channel ts", "markdown_text chunks"),
    "chat.stopStream": _method(2, "chat:write", "channel ts", "markdown_text chunks blocks metadata session_status"),
    "conversations.open": _method(
        3, ("channels:manage", "groups:write", "im:write", "mpim:write"), "", "channel return_im users"
    ),
    "conversations.info": _method(3, READ, "channel", "include_locale include_num_members"),
    "conversations.members": _method(4, READ, "channel", _PAGE),
    "conversations.list": _method(2, READ, "", f"{_PAGE} exclude_archived team_id types"),
    "conversations.replies": _method(3, HISTORY, "channel ts", f"{_PAGE} {_TIMES}"),
    "conversations.history": _method(3, HISTORY, "channel", f"{_PAGE} {_TIMES}"),
    "users.info": _method(4, "users:read", "user", "include_locale"),
    "users.list": _method(2, "users:read", "", f"{_PAGE} include_locale team_id"),
    "users.lookupByEmail": _method(3, "users:read.email", "email"),
    "users.profile.get": _method(4, "users.profile:read", "", "user include_labels"),
    "team.profile.get": _method(3, "users.profile:read", "", "visibility"),
    "usergroups.list": _method(2, "usergroups:read", "", "include_count include_disabled include_users team_id"),
    "usergroups.users.list": _method(2, "usergroups:read", "usergroup", "include_disabled team_id"),
    "views.open": _method(4, "", "view", "trigger_id interactivity_pointer"),
    "views.push": _method(4, "", "view", "trigger_id interactivity_pointer"),
    "views.update": _method(4, "", "view", "view_id external_id hash"),
    "views.publish": _method(4, "", "user_id view", "hash"),
    "files.getUploadURLExternal": _method(4, "files:write", "filename length", "alt_txt snippet_type"),
    "files.completeUploadExternal": _method(4, "files:write", "files", "channel_id channels thread_ts initial_comment"),
    "agents.sessions.setStatus": _method(
        3, "chat:write", "channel_id status", f"thread_ts title initiator_user_id {_LOOKS}"
    ),
    "assistant.threads.setStatus": _method(
        5, "chat:write", "channel_id thread_ts status", f"loading_messages {_LOOKS}"
    ),
    "assistant.threads.setSuggestedPrompts": _method(4, "assistant:write", "channel_id prompts", "thread_ts title"),
}


def check_arguments(name: str, method: Method, args: Mapping[str, Any]) -> None:
    """Raise `invalid_arguments` for what is missing, or what the method does not know. An empty status is a status."""
    missing = [each for each in method.required if args.get(each) in (None, "") and each != "status"]
    missing += [each for each in method.required if each == "status" and each not in args]
    unknown = sorted(set(args) - {*method.required, *method.optional, *EVERYWHERE})
    told = [f"[ERROR] missing required field: {each}" for each in missing]
    told += [f"[ERROR] unknown argument of {name}: {each}" for each in unknown]
    if told:
        raise Refusal("invalid_arguments", response_metadata={"messages": told})


def opened(args: Mapping[str, Any]) -> Json:
    """The arguments with every JSON string read. Raises the code Slack has for a broken one."""
    return {name: _opened(name, value) if name in STRUCTURED else value for name, value in args.items()}


def _opened(name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        code = {"blocks": "invalid_blocks_format", "metadata": "invalid_metadata_format"}.get(name, "invalid_arguments")
        raise Refusal(code) from error


def flag(args: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    """A boolean from JSON (true), a query or a form (1, true)."""
    return str(args.get(name, default)).lower() in {"1", "true"}
