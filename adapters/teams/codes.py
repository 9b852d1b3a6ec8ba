"""The Bot Connector's statuses and codes, as a table: what each one means for us.

    verb, status, code -> outcome_of() -> one Outcome, which says what the caller does next

Never judged by the text beside the code. A code that stands in no table means what its status means; a status that
stands in none is `UNKNOWN`: never silently fine. Does not own what is then done (connector for what is repeated, mouth
for the rest).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.errors import BadJson
from bot.domain.wire import read_signed


class Verb(enum.StrEnum):
    """What is called. Whatever is not a POST may be repeated: it leaves things as one call would."""

    POST = "POST"
    PUT = "PUT"
    GET = "GET"


class Outcome(enum.StrEnum):
    """What whoever made the call does next. The first seven never leave the connector as they are."""

    PACE = "pace"  # too fast, nothing was done: again after the time it named
    RETRY = "retry"  # two wrote at once, nothing was done: again in a moment
    STUMBLED = "stumbled"  # it broke there: not again at once; a POST may have been done
    UNSURE = "unsure"  # nobody answered in time: again, but a POST may have been done
    RENEW = "renew"  # our token is not taken: a new one, once
    OTHER_HOST = "other_host"  # this tenant lives on the host of GCC
    STOPPED = "stopped"  # the bot is not registered, or its Teams channel is off: an operator has to look
    NOT_INSTALLED = "not_installed"  # the app is not there, or not for that person: forget the place until it is
    GONE = "gone"  # the conversation is not there any more
    NOBODY = "nobody"  # that person is not in this conversation
    BLOCKED = "blocked"  # the person blocked the bot: silent until they write
    FORBIDDEN = "forbidden"  # the tenant's policy: an operator has to allow it
    EDIT_LOST = "edit_lost"  # the message is gone, or will not be found this time: say it in a new one
    TOO_LARGE = "too_large"  # a shorter card
    BROKEN = "broken"  # our bug: what we sent cannot be read
    UNKNOWN = "unknown"  # not in the table: refuse, and say so in the log


BY_CODE: Mapping[tuple[int, str], Outcome] = {
    (400, "BadArgument"): Outcome.BROKEN,
    (400, "BadSyntax"): Outcome.BROKEN,
    (400, "MessageSizeTooBig"): Outcome.TOO_LARGE,
    (401, "BotNotRegistered"): Outcome.STOPPED,
    (403, "BotNotRegistered"): Outcome.STOPPED,
    (403, "BotNotInConversationRoster"): Outcome.NOT_INSTALLED,
    (403, "ForbiddenOperationException"): Outcome.NOT_INSTALLED,
    (403, "ConversationBlockedByUser"): Outcome.BLOCKED,
    (403, "MessageWritesBlocked"): Outcome.BLOCKED,
    (403, "BotDisabledByAdmin"): Outcome.FORBIDDEN,
    (403, "NotEnoughPermissions"): Outcome.FORBIDDEN,
    (403, "InvalidBotApiHost"): Outcome.OTHER_HOST,
    (404, "BotNotRegistered"): Outcome.STOPPED,
    (404, "ConversationNotFound"): Outcome.GONE,
    (404, "MemberNotFoundInConversation"): Outcome.NOBODY,
}

EDITS: Mapping[tuple[int, str], Outcome] = {  # as answers to a PUT alone
    (403, "ServiceError"): Outcome.EDIT_LOST,
    (404, "ActivityNotFoundInConversation"): Outcome.EDIT_LOST,
}

BY_STATUS: Mapping[int, Outcome] = {
    400: Outcome.BROKEN,
    401: Outcome.RENEW,
    403: Outcome.FORBIDDEN,
    404: Outcome.GONE,
    408: Outcome.UNSURE,
    412: Outcome.RETRY,
    413: Outcome.TOO_LARGE,
    429: Outcome.PACE,
    500: Outcome.STUMBLED,
    502: Outcome.UNSURE,
    503: Outcome.UNSURE,
    504: Outcome.UNSURE,
}

# A finer word than the code beside it, where the service gives one (a person who blocked the bot is "Forbidden" first).
FINER = frozenset({"MessageWritesBlocked"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an answer that is no success says about itself. *code* is empty where it says nothing readable."""

    status: int
    code: str = ""


def outcome_of(verb: Verb, said: Said) -> Outcome:
    """What *said* means as an answer to *verb*."""
    key = (said.status, said.code)
    own = EDITS if verb is Verb.PUT else {}
    by_status = Outcome.STUMBLED if said.status >= 500 else Outcome.UNKNOWN
    return own.get(key) or BY_CODE.get(key) or BY_STATUS.get(said.status, by_status)


def said(status: int, body: bytes) -> Said:
    """Read an answer's code. Bodies are not always JSON: a proxy's 413 is a page."""
    try:
        value = read_signed(body)
    except BadJson:
        return Said(status=status)
    codes = [code for code in _codes(value) if isinstance(code, str) and code]
    finer = next((code for code in codes if code in FINER), None)
    return Said(status=status, code=(finer or next(iter(codes), ""))[:80])


def _codes(value: Any) -> list[Any]:
    """Every place where a code may stand, the usual one first."""
    error = _part(value, "error")
    inner = _part(_part(error, "innerHttpError"), "body")
    return [error.get("code"), *(part.get("subCode") for part in (error, _object(value), inner))]


def _part(value: Any, name: str) -> Mapping[str, Any]:
    return _object(_object(value).get(name))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
