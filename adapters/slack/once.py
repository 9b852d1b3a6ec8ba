"""Once, in Slack: a post whose answer was lost is looked for where it was tried, before it is tried again.

Each post carries the hash of its key as metadata, which says nothing to anybody else, and only a message of our own bot
counts as found: anybody may write metadata. The steps are those of every platform (adapters/once). Does not own what is
posted, nor where (mouth).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from adapters import once
from adapters.once import Attempt, Habits, Hold
from adapters.slack.api import PLATFORM, SETTLE, Api, PerhapsDone, SlackRefused, text_in
from adapters.slack.codes import Outcome
from bot.domain.chat import MessageRef, Place
from bot.domain.errors import Undeliverable
from bot.domain.ports import Keep

EVENT = "countersign_post"
PAGE = 200  # messages; the most Slack recommends
MOST_PAGES = 100
CONVERSATION = re.compile("[CDG][A-Z0-9]+")  # the id of one
NOBODY_KNOWS = "nobody can tell whether it stands there already"
SKEW = timedelta(minutes=5)  # how far our clock and Slack's may disagree

IsIt = Callable[[Mapping[str, Any]], bool]


class Once(once.Once):
    """Remembers posts by key, for every process that shares the Keep. *clock* tells UTC."""

    def __init__(self, api: Api, keep: Keep, clock: Callable[[], datetime]) -> None:
        super().__init__(keep, clock, Habits(platform=PLATFORM, perhaps=PerhapsDone, settle=SETTLE))
        self._api = api

    async def _orphan(self, attempt: Attempt) -> MessageRef | None:
        place, since = attempt.tried.place, attempt.tried.since
        if not CONVERSATION.fullmatch(place.channel):
            return None  # a person or a name: posts are made to conversations, so this one was not made yet
        ours = text_in(await self._api.call(place.tenant, "auth.test"), "bot_id", "auth.test")

        def is_ours(message: Mapping[str, Any]) -> bool:
            metadata = message.get("metadata")
            carried = metadata.get("event_payload") if isinstance(metadata, dict) else None
            return message.get("bot_id") == ours and carried == {"key": attempt.mark}

        try:
            found = await find(self._api, place, since, is_ours, lambda: self.hold(attempt))
        except SlackRefused as gone:  # people may read it there all the same
            raise Undeliverable(place.key, f"{NOBODY_KNOWS}; {gone}") from gone
        return MessageRef(place=place, id=found) if found else None


def metadata(attempt: Attempt) -> Mapping[str, object]:
    """What a post carries, so that it is found again."""
    return {"event_type": EVENT, "event_payload": {"key": attempt.mark}}


async def find(api: Api, place: Place, since: datetime, is_it: IsIt, hold: Hold) -> str | None:
    """The ts of the message at *place*, posted after *since*, of which *is_it* holds.

    Calls *hold* before each page. Raises SlackRefused if the place is gone, or we are no longer in it, and
    Undeliverable if Slack does not let us look: nobody can tell then.
    """
    method = "conversations.replies" if place.thread else "conversations.history"
    oldest = f"{(since - SKEW).timestamp():.6f}"
    cursor = None
    for _ in range(MOST_PAGES):
        await hold()
        try:
            page = await api.call(
                place.tenant,
                method,
                channel=place.channel,
                ts=place.thread,
                oldest=oldest,
                limit=PAGE,
                include_all_metadata=True,
                cursor=cursor,
            )
        except SlackRefused as error:
            if error.outcome is Outcome.REROUTE:
                raise
            raise Undeliverable(place.key, f"{NOBODY_KNOWS}; {error}") from error
        for message in page.get("messages", ()):
            if is_it(message):
                return str(message["ts"])
        cursor = (page.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return None
    raise Undeliverable(place.key, f"more than {MOST_PAGES * PAGE} messages to look through")
