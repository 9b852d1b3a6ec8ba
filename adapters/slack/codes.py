"""Slack's error codes, as a table: what each one means for us.

    method, code -> outcome_of() -> one Outcome, which says what the caller does next

The same code may mean two things: a channel that is not found sends a new card elsewhere, but makes an update of an
old one pointless. So there is one table for every method, and one for each family of methods that differs from it.
A code that stands in no table is `UNKNOWN`: never silently fine. Does not own what is then done (mouth, modals).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping


class Outcome(enum.StrEnum):
    """What whoever made the call does next."""

    PACE = "pace"  # too fast, nothing was done: again after the time Slack named
    RETRY = "retry"  # Slack's own trouble: it may have been done all the same
    STOP_TEAM = "stop_team"  # the token is no longer good: no more calls for this workspace
    STOP_FEATURE = "stop_feature"  # the app may not do this: an operator has to grant it
    REROUTE = "reroute"  # not here: the next place or the next person
    GONE = "gone"  # people deleted it: there is nothing left to change
    NOTICE = "notice"  # it can be changed no more: say the end in a message of its own
    REPAIR = "repair"  # our bug: what we sent cannot be shown
    END_STREAM = "end_stream"  # a stream still writes there: end it, then again
    NO_STREAM = "no_stream"  # the stream is over: `chat.update` from here on
    CANCEL = "cancel"  # a person pressed stop
    AGAIN = "again"  # the press is too old: ask the person to press again
    REREAD = "reread"  # another process was faster: look again, publish again
    DONE = "done"  # it is as we wanted it
    NOBODY = "nobody"  # no such person here: they can neither be told nor vote
    NO_GROUP = "no_group"  # the workspace has no such group: the policy cannot hold
    DEGRADE = "degrade"  # decoration that this workspace does not have: do without
    START_AGAIN = "start_again"  # whoever installs has to begin anew
    UNKNOWN = "unknown"  # not in the table: refuse, and say so in the log


class Family(enum.StrEnum):
    """Methods whose codes mean the same."""

    POST = "post"
    UPDATE = "update"
    READ = "read"
    FILE = "file"
    STREAM = "stream"
    SURFACE = "surface"
    VIEW = "view"
    PEOPLE = "people"
    GROUP = "group"
    REACTION = "reaction"
    INSTALL = "install"


EVERYWHERE: Mapping[str, Outcome] = {
    "ratelimited": Outcome.PACE,
    "rate_limited": Outcome.PACE,
    "internal_error": Outcome.RETRY,
    "fatal_error": Outcome.RETRY,
    "update_failed": Outcome.RETRY,
    "messaging_processing_failed": Outcome.RETRY,
    "invalid_auth": Outcome.STOP_TEAM,
    "not_authed": Outcome.STOP_TEAM,
    "account_inactive": Outcome.STOP_TEAM,
    "token_revoked": Outcome.STOP_TEAM,
    "token_expired": Outcome.STOP_TEAM,
    "missing_scope": Outcome.STOP_FEATURE,
    "not_allowed_token_type": Outcome.STOP_FEATURE,
    "app_access_restricted": Outcome.STOP_FEATURE,
    "ekm_access_denied": Outcome.STOP_FEATURE,
    "not_enabled": Outcome.STOP_FEATURE,
    "messages_tab_disabled": Outcome.STOP_FEATURE,
    "user_not_found": Outcome.NOBODY,
    "users_not_found": Outcome.NOBODY,
    "user_disabled": Outcome.NOBODY,
    "user_not_visible": Outcome.NOBODY,
    "invalid_user_combination": Outcome.NOBODY,
    "user_not_in_channel": Outcome.NOBODY,
    "cannot_dm_bot": Outcome.NOBODY,
}

NO_PLACE: Mapping[str, Outcome] = {
    "channel_not_found": Outcome.REROUTE,
    "not_in_channel": Outcome.REROUTE,
    "is_archived": Outcome.REROUTE,
    "is_inactive": Outcome.REROUTE,
    "restricted_action": Outcome.REROUTE,
    "restricted_action_read_only_channel": Outcome.REROUTE,
    "restricted_action_thread_locked": Outcome.REROUTE,
    "restricted_action_thread_only_channel": Outcome.REROUTE,
    "restricted_action_non_threadable_channel": Outcome.REROUTE,
    "cannot_reply_to_message": Outcome.REROUTE,
    "thread_not_found": Outcome.REROUTE,
    "invalid_thread_ts": Outcome.REROUTE,
    "message_limit_exceeded": Outcome.REROUTE,
}

BAD_PICTURE: Mapping[str, Outcome] = {
    "block_mismatch": Outcome.REPAIR,
    "invalid_blocks": Outcome.REPAIR,
    "invalid_blocks_format": Outcome.REPAIR,
    "msg_blocks_too_long": Outcome.REPAIR,
    "msg_blocks_too_many": Outcome.REPAIR,
    "msg_too_long": Outcome.REPAIR,
    "no_text": Outcome.REPAIR,
    "too_many_attachments": Outcome.REPAIR,
    "invalid_metadata_format": Outcome.REPAIR,
    "metadata_too_large": Outcome.REPAIR,
    "markdown_text_conflict": Outcome.REPAIR,
}

NO_SURFACE: Mapping[str, Outcome] = {
    "feature_disabled": Outcome.DEGRADE,
    "not_agent_app": Outcome.DEGRADE,
    "unknown_method": Outcome.DEGRADE,
    "thread_ts_required": Outcome.DEGRADE,
    "thread_ts_not_allowed": Outcome.DEGRADE,
    "invalid_thread_ts": Outcome.DEGRADE,
    "not_authorized": Outcome.DEGRADE,
    "missing_scope": Outcome.DEGRADE,
}

BY_FAMILY: Mapping[Family, Mapping[str, Outcome]] = {
    Family.POST: {**NO_PLACE, **BAD_PICTURE},
    Family.UPDATE: {
        **BAD_PICTURE,
        "message_not_found": Outcome.GONE,
        "channel_not_found": Outcome.NOTICE,
        "is_inactive": Outcome.NOTICE,
        "cant_update_message": Outcome.NOTICE,
        "edit_window_closed": Outcome.NOTICE,
        "message_limit_exceeded": Outcome.NOTICE,
        "streaming_state_conflict": Outcome.END_STREAM,
    },
    Family.READ: {**NO_PLACE},
    Family.FILE: {**NO_PLACE},
    Family.STREAM: {
        **NO_PLACE,
        **NO_SURFACE,
        "message_not_found": Outcome.GONE,
        "message_not_in_streaming_state": Outcome.NO_STREAM,
        "not_subscribed_to_message_stream_stopped": Outcome.NO_STREAM,
        "stopped_by_user": Outcome.CANCEL,
        "missing_recipient_team_id": Outcome.REPAIR,
        "missing_recipient_user_id": Outcome.REPAIR,
    },
    Family.SURFACE: {**NO_PLACE, **NO_SURFACE},
    Family.VIEW: {
        "expired_trigger_id": Outcome.AGAIN,
        "exchanged_trigger_id": Outcome.AGAIN,
        "invalid_trigger_id": Outcome.AGAIN,
        "view_too_large": Outcome.REPAIR,
        "push_limit_reached": Outcome.REPAIR,
        "duplicate_external_id": Outcome.REPAIR,
        "hash_conflict": Outcome.REREAD,
        "not_found": Outcome.DONE,  # the person closed it
    },
    Family.PEOPLE: {},
    Family.GROUP: {"plan_upgrade_required": Outcome.NO_GROUP, "no_such_subteam": Outcome.NO_GROUP},
    Family.REACTION: {"already_reacted": Outcome.DONE, "no_reaction": Outcome.DONE},
    Family.INSTALL: {
        "invalid_code": Outcome.START_AGAIN,
        "bad_redirect_uri": Outcome.START_AGAIN,
        "invalid_refresh_token": Outcome.STOP_TEAM,
    },
}

NOT_THERE = frozenset({404, 405, 501})  # what emulators and proxies answer, with a page, to what they do not know
DECORATION = frozenset({Family.STREAM, Family.SURFACE})

FAMILY_OF: Mapping[str, Family] = {
    "chat.postMessage": Family.POST,
    "chat.postEphemeral": Family.POST,
    "chat.update": Family.UPDATE,
    "chat.delete": Family.UPDATE,
    "chat.startStream": Family.STREAM,
    "chat.appendStream": Family.STREAM,
    "chat.stopStream": Family.STREAM,
    "conversations.replies": Family.READ,
    "conversations.history": Family.READ,
    "files.getUploadURLExternal": Family.FILE,
    "files.completeUploadExternal": Family.FILE,
    "agents.sessions.setStatus": Family.SURFACE,
    "assistant.threads.setStatus": Family.SURFACE,
    "assistant.threads.setSuggestedPrompts": Family.SURFACE,
    "views.open": Family.VIEW,
    "views.push": Family.VIEW,
    "views.update": Family.VIEW,
    "views.publish": Family.VIEW,
    "conversations.open": Family.PEOPLE,
    "users.info": Family.PEOPLE,
    "users.lookupByEmail": Family.PEOPLE,
    "users.profile.get": Family.PEOPLE,
    "usergroups.list": Family.GROUP,
    "usergroups.users.list": Family.GROUP,
    "reactions.add": Family.REACTION,
    "reactions.remove": Family.REACTION,
    "oauth.v2.access": Family.INSTALL,
}


def is_not_there(method: str, status: int) -> bool:
    """Does an HTTP *status* without a code say that *method* is not known there? Asked of decoration alone: whether a
    card was posted is never guessed from a page that a proxy made.
    """
    return status in NOT_THERE and FAMILY_OF.get(method) in DECORATION


def outcome_of(method: str, code: str) -> Outcome:
    """What *code* means as an answer to *method*; the family's own row counts first."""
    family = FAMILY_OF.get(method)
    own = BY_FAMILY[family] if family else {}
    return own.get(code) or EVERYWHERE.get(code, Outcome.UNKNOWN)
