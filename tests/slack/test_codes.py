"""Every error code of Slack has one outcome, and that outcome is what really happens.

The rows are written out a second time, as Slack's reference and ours sort them; the first test compares the two. Then
each row is answered by the fake Slack to a real call: through the api for every method, through the mouth for posts
and updates.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from structlog.testing import capture_logs

from adapters.slack.api import PerhapsDone, SlackRefused, SlackStopped
from adapters.slack.codes import BY_FAMILY, EVERYWHERE, FAMILY_OF, Family, Outcome, outcome_of
from bot.domain.chat import MessageRef
from bot.domain.errors import ChatUnavailable, Undeliverable
from tests.slack.given import Booth, ended, note, opened_booth, signable

POST, UPDATE = "chat.postMessage", "chat.update"
NO_PLACE = (
    "channel_not_found not_in_channel is_archived is_inactive restricted_action restricted_action_read_only_channel "
    "restricted_action_thread_locked restricted_action_thread_only_channel restricted_action_non_threadable_channel "
    "cannot_reply_to_message thread_not_found invalid_thread_ts message_limit_exceeded"
)
BAD_PICTURE = (
    "block_mismatch invalid_blocks invalid_blocks_format msg_blocks_too_long msg_blocks_too_many msg_too_long no_text "
    "too_many_attachments invalid_metadata_format metadata_too_large markdown_text_conflict"
)
NO_SURFACE = (
    "feature_disabled not_agent_app unknown_method thread_ts_required thread_ts_not_allowed invalid_thread_ts "
    "not_authorized missing_scope"
)

ANYWHERE: dict[Outcome, str] = {
    Outcome.PACE: "ratelimited rate_limited",
    Outcome.RETRY: "internal_error fatal_error update_failed messaging_processing_failed",
    Outcome.STOP_TEAM: "invalid_auth not_authed account_inactive token_revoked token_expired",
    Outcome.STOP_FEATURE: (
        "missing_scope not_allowed_token_type app_access_restricted ekm_access_denied not_enabled messages_tab_disabled"
    ),
    Outcome.NOBODY: (
        "user_not_found users_not_found user_disabled user_not_visible invalid_user_combination user_not_in_channel "
        "cannot_dm_bot"
    ),
}
IN: dict[Family, dict[Outcome, str]] = {
    Family.POST: {Outcome.REROUTE: NO_PLACE, Outcome.REPAIR: BAD_PICTURE},
    Family.UPDATE: {
        Outcome.REPAIR: BAD_PICTURE,
        Outcome.GONE: "message_not_found",
        Outcome.NOTICE: "channel_not_found is_inactive cant_update_message edit_window_closed message_limit_exceeded",
        Outcome.END_STREAM: "streaming_state_conflict",
    },
    Family.READ: {Outcome.REROUTE: NO_PLACE},
    Family.FILE: {Outcome.REROUTE: NO_PLACE},
    Family.STREAM: {
        Outcome.REROUTE: NO_PLACE,
        Outcome.DEGRADE: NO_SURFACE,
        Outcome.GONE: "message_not_found",
        Outcome.NO_STREAM: "message_not_in_streaming_state not_subscribed_to_message_stream_stopped",
        Outcome.CANCEL: "stopped_by_user",
        Outcome.REPAIR: "missing_recipient_team_id missing_recipient_user_id",
    },
    Family.SURFACE: {Outcome.REROUTE: NO_PLACE, Outcome.DEGRADE: NO_SURFACE},
    Family.VIEW: {
        Outcome.AGAIN: "expired_trigger_id exchanged_trigger_id invalid_trigger_id",
        Outcome.REPAIR: "view_too_large push_limit_reached duplicate_external_id",
        Outcome.REREAD: "hash_conflict",
        Outcome.DONE: "not_found",
    },
    Family.PEOPLE: {},
    Family.GROUP: {Outcome.NO_GROUP: "plan_upgrade_required no_such_subteam"},
    Family.REACTION: {Outcome.DONE: "already_reacted no_reaction"},
    Family.INSTALL: {Outcome.START_AGAIN: "invalid_code bad_redirect_uri", Outcome.STOP_TEAM: "invalid_refresh_token"},
}
ONE_OF = {family: next(method for method, of in FAMILY_OF.items() if of is family) for family in Family}


def _flat(rows: dict[Outcome, str]) -> dict[str, Outcome]:
    return {code: outcome for outcome, codes in rows.items() for code in codes.split()}


def _all() -> Iterator[tuple[str, str, Outcome]]:
    """(method, code, outcome): each family's own rows, and everybody's rows through each family."""
    for family, rows in IN.items():
        for code, outcome in (_flat(ANYWHERE) | _flat(rows)).items():
            yield ONE_OF[family], code, outcome


def _of(method: str) -> list[tuple[str, Outcome]]:
    return [(code, outcome) for each, code, outcome in _all() if each == method]


@pytest.fixture
async def booth() -> AsyncIterator[Booth]:
    async with opened_booth() as booth:
        yield booth


def test_the_tables_hold_exactly_these_rows() -> None:
    """A code that somebody adds, drops or sorts anew has to be sorted here as well."""
    assert _flat(ANYWHERE) == EVERYWHERE
    assert {family: _flat(rows) for family, rows in IN.items()} == BY_FAMILY
    assert set(FAMILY_OF.values()) == set(Family)


def test_every_outcome_is_some_codes_outcome() -> None:
    """An outcome nobody has would be handled nowhere."""
    assert {outcome for _, _, outcome in _all()} == set(Outcome) - {Outcome.UNKNOWN}


@pytest.mark.parametrize("method", [POST, UPDATE, "conversations.open", "admin.unheard_of"])
def test_an_unknown_code_is_never_fine(method: str) -> None:
    """Slack adds codes without asking us."""
    assert outcome_of(method, "brand_new_code") is Outcome.UNKNOWN
    assert outcome_of(method, "") is Outcome.UNKNOWN


@pytest.mark.parametrize(("method", "code", "outcome"), list(_all()))
async def test_a_call_ends_as_its_code_says(booth: Booth, method: str, code: str, outcome: Outcome) -> None:
    """One answer, one kind of end: the caller never reads a code itself."""
    api, team = booth.api(), booth.slack.team
    booth.slack.faults.fail(method, code)

    if outcome is Outcome.DONE:
        assert await api.call(team, method) == {"ok": False, "error": code}
        return
    with pytest.raises((ChatUnavailable, SlackRefused)) as caught:
        await api.call(team, method)

    match caught.value:
        case PerhapsDone():
            assert outcome is Outcome.RETRY
        case SlackStopped():
            assert outcome is Outcome.STOP_TEAM
        case ChatUnavailable() as slow:
            assert outcome is Outcome.PACE
            assert slow.retry_after
        case SlackRefused() as refused:
            assert (refused.outcome, refused.code, refused.method) == (outcome, code, method)
            assert outcome not in (Outcome.PACE, Outcome.RETRY, Outcome.STOP_TEAM)


@pytest.mark.parametrize("code", ["brand_new_code", "missing_scope"])
async def test_what_nobody_foresaw_is_told_to_the_operator(booth: Booth, code: str) -> None:
    """By its method and code, and nothing of the call."""
    booth.slack.faults.fail(POST, code)

    with capture_logs() as told, pytest.raises(SlackRefused):
        await booth.api().call(booth.slack.team, POST, channel=booth.channel, text="canary")

    assert [(line["event"], line["code"], line["method"]) for line in told] == [("slack_refused", code, POST)]
    assert "canary" not in str(told)


# ------------------------------------------------------------- through the mouth


@pytest.mark.parametrize(("code", "outcome"), [*_of(POST), ("brand_new_code", Outcome.UNKNOWN)])
async def test_a_post_ends_as_its_code_says(booth: Booth, code: str, outcome: Outcome) -> None:
    """Elsewhere, later, or never: and each time the caller knows which."""
    mouth, thread = booth.mouth(fallback=booth.fallback), await booth.thread()
    booth.slack.faults.fail(POST, code)

    match outcome:
        case Outcome.REROUTE:
            ref = await mouth.post(signable(), booth.place(thread), key="k")
            assert ref.place == booth.place()  # out of the thread, in the same channel
            assert "Approval needed" in (booth.read(ref) or "")
        case Outcome.PACE | Outcome.RETRY | Outcome.STOP_TEAM:
            with pytest.raises(ChatUnavailable):
                await mouth.post(signable(), booth.place(thread), key="k")
        case _:
            with pytest.raises(Undeliverable, match=code):
                await mouth.post(signable(), booth.place(thread), key="k")
            assert not booth.slack.posts()


@pytest.mark.parametrize("code", BAD_PICTURE.split())
async def test_a_refused_note_is_shown_plainly(booth: Booth, code: str) -> None:
    """Our bug, but nobody has to sign it: people see at least what it is about, and that it is not whole."""
    booth.slack.faults.fail(POST, code)

    with capture_logs() as told:
        ref = await booth.mouth().post(note(), booth.place(), key="k")

    shown = booth.read(ref) or ""
    assert "Looking at order 7" in shown
    assert "could not be shown whole" in shown
    assert "run1" in shown
    assert [line["event"] for line in told] == ["slack_card_refused"]


@pytest.mark.parametrize(("code", "outcome"), [*_of(UPDATE), ("brand_new_code", Outcome.UNKNOWN)])
async def test_a_final_update_ends_as_its_code_says(booth: Booth, code: str, outcome: Outcome) -> None:
    """The end of a request is shown in its card, below it, plainly, or later. Only a deleted card stays silent."""
    mouth, thread = booth.mouth(fallback=booth.fallback), await booth.thread()
    ref = await mouth.post(signable(), booth.place(thread), key="k")
    booth.slack.faults.fail(UPDATE, code)

    match outcome:
        case Outcome.PACE | Outcome.RETRY | Outcome.STOP_TEAM:
            with pytest.raises(ChatUnavailable):
                await mouth.update(ref, ended())
            return
        case _:
            await mouth.update(ref, ended())

    card, below = _shown(booth, ref)
    match outcome:
        case Outcome.GONE:
            assert (_is_end(card), below) == (False, [])
        case Outcome.NOTICE:
            assert not _is_end(card)
            assert [_is_end(one) for one in below] == [True]
        case Outcome.END_STREAM:
            assert len(booth.slack.calls("chat.stopStream")) == 1
            assert (_is_end(card), below) == (True, [])
        case _:
            assert "could not be shown whole" in card
            assert below == []


@pytest.mark.parametrize("code", [*BAD_PICTURE.split(), "brand_new_code", "missing_scope"])
async def test_what_cannot_be_updated_whole_can_no_longer_be_signed(booth: Booth, code: str) -> None:
    """T02: the arguments changed and their new picture is refused. The old one, with its Approve, must not stay."""
    mouth = booth.mouth()
    ref = await mouth.post(signable(), booth.place(), key="k")
    booth.slack.faults.fail(UPDATE, code)

    with pytest.raises(Undeliverable, match=code):
        await mouth.update(ref, signable("Approval needed: refund more"))

    message = booth.slack.message(ref.place.channel, ref.id)
    assert message
    assert booth.slack.buttons_of(message) == ["Reject"]


def _shown(booth: Booth, ref: MessageRef) -> tuple[str, list[str]]:
    """The card, and what the bot said since."""
    later = [one for one in booth.slack.posts(ref.place.channel) if one.ts > ref.id]
    return booth.read(ref) or "", [booth.slack.text_of(one) for one in later]


def _is_end(text: str) -> bool:
    return "Rejected by Bo" in text
