"""What Slack must know about our app before it lets us do anything: the manifest, as data.

For Socket Mode, or for a public address that Slack posts to. `manifest.yml` is what `python -m bot manifest` prints.
Scopes and events are as few as what this package calls and hears: `tests/slack/test_manifest.py` holds both together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import yaml

from bot.domain.errors import BadSettings

EVENTS_PATH = "/slack/events"
REDIRECT_PATH = "/slack/oauth_redirect"
COMMAND = "/countersign"
SHORTCUT = "give_to_countersign"

SCOPES = (
    "app_mentions:read",  # be given tasks
    "assistant:write",  # the agent view in a direct conversation
    "channels:history",  # replies in a task's thread; a post whose answer was lost
    "channels:read",  # who is in a channel that approvers are taken from; does another organisation read it
    "chat:write",
    "commands",
    "files:write",  # arguments too long for a card
    "groups:history",  # the same in private channels
    "groups:read",
    "im:history",  # tasks and answers in direct conversations
    "im:write",  # ask an approver directly
    "usergroups:read",  # who is in a user group that approvers are taken from
    "users.profile:read",  # who somebody's manager is
    "users:read",  # is this account a full member, now
    "users:read.email",  # people.yml may name people by their address
)
BOT_EVENTS = (
    "agent_session_stopped",
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "message.channels",
    "message.groups",
    "message.im",
    "tokens_revoked",
)

HEAD = "# Printed by `python -m bot manifest`. In Slack: api.slack.com/apps, Create New App, From a manifest.\n"

Manifest = dict[str, Any]


def written(url: str | None = None) -> str:
    """`manifest(url)` as YAML, the way Slack's page takes it."""
    return HEAD + yaml.safe_dump(manifest(url), sort_keys=False, allow_unicode=True, width=110)


def manifest(url: str | None = None) -> Manifest:
    """The manifest for Socket Mode, or with *url* for Slack posting to https://…/slack/events.

    Raises BadSettings for an address that Slack would not take.
    """
    base = None if url is None else base_of(url)
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": "Countersign",
            "description": "Agents do the work; people sign what could hurt.",
            "background_color": "#1d3557",
        },
        "features": _features(base),
        "oauth_config": {
            **({"redirect_urls": [base + REDIRECT_PATH]} if base else {}),
            "scopes": {"bot": list(SCOPES)},
        },
        "settings": {
            "event_subscriptions": {**_posts_to(base), "bot_events": list(BOT_EVENTS)},
            "interactivity": {"is_enabled": True, **_posts_to(base)},
            "org_deploy_enabled": base is not None,
            "socket_mode_enabled": base is None,
            "token_rotation_enabled": False,  # two processes would refresh one token (docs/slack.md)
        },
    }


def base_of(url: str) -> str:
    """*url* without what follows its path. Raises BadSettings unless it is a bare https:// address."""
    told = f"--url {url!r} must be an https:// address without user, query or fragment, such as https://bot.example.com"
    try:
        parts = urlsplit(url)
        is_good = parts.scheme == "https" and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise BadSettings([told]) from None
    if not is_good or parts.username or parts.query or parts.fragment or any(c.isspace() for c in url):
        raise BadSettings([told])
    return url.rstrip("/")


def _features(base: str | None) -> Manifest:
    return {
        "agent_view": {
            "agent_description": "Does tasks with tools. What could hurt waits until a person has signed it.",
            "suggested_prompts": [
                {"title": "Look something up", "message": "look up order 1042"},
                {"title": "Ask for something risky", "message": "refund 120 for order 1042, it arrived broken"},
            ],
        },
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True, "messages_tab_read_only_enabled": False},
        "bot_user": {"display_name": "countersign", "always_online": True},
        "shortcuts": [
            {
                "name": "Give this to Countersign",
                "type": "message",
                "callback_id": SHORTCUT,
                "description": "Make this message a task for Countersign",
            }
        ],
        "slash_commands": [
            {
                "command": COMMAND,
                "description": "What waits for me, what runs",
                "usage_hint": "[help]",
                "should_escape": True,  # a mention comes with its id, and not with what somebody calls themselves
                **({"url": base + EVENTS_PATH} if base else {}),
            }
        ],
    }


def _posts_to(base: str | None) -> Mapping[str, str]:
    return {"request_url": base + EVENTS_PATH} if base else {}
