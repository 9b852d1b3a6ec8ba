"""The mouth against a strict Slack: said once, said whole, said to the right people, or not said at all."""

from __future__ import annotations

import ast
import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.once import LEASE, Tried
from adapters.slack.api import PerhapsDone, SlackStopped
from bot.domain.chat import Account, Attachment, Block, Button, Card, PersonId, Place
from bot.domain.errors import ChatUnavailable, StoreUnavailable, Undeliverable
from bot.domain.wire import pack, replace
from tests.slack.given import Booth, ended, note, opened_booth, signable

ROOT = Path(__file__).resolve().parents[2]
POST, UPDATE, COMPLETE = "chat.postMessage", "chat.update", "files.completeUploadExternal"
INFO = "conversations.info"
HOSTILE = "<!channel> <@U1> <https://evil|https://bank> *bold* `c` &amp; https://evil.example/?q=SECRET"


@pytest.fixture
async def booth() -> AsyncIterator[Booth]:
    async with opened_booth() as booth:
        yield booth


def with_file(card: Card, content: bytes = b"the whole text\n") -> Card:
    sha = hashlib.sha256(content).hexdigest()
    return replace(card, attachments=(Attachment(name="arguments.json", content=content, sha256=sha),))


# ------------------------------------------------------------------------- once


@pytest.mark.parametrize("is_thread", [True, False])
async def test_a_lost_reply_never_posts_twice(booth: Booth, is_thread: bool) -> None:
    """Slack took the card and the connection dropped. The next try finds it, wherever such a card can stand."""
    mouth = booth.mouth()
    place = booth.place(await booth.thread() if is_thread else None)
    booth.slack.faults.lose_reply(POST)
    with pytest.raises(PerhapsDone) as lost:
        await mouth.post(signable(), place, key="k")
    booth.hours.later(lost.value.retry_after or 0)

    ref = await mouth.post(signable(), place, key="k")

    [standing] = booth.slack.posts()
    assert (ref.id, ref.place) == (standing.ts, place)
    assert len(booth.slack.calls(POST)) == 1
    assert await mouth.post(signable(), place, key="k") == ref


async def test_a_lost_request_is_posted_by_the_next_try(booth: Booth) -> None:
    """The same silence, but nothing had arrived: looking finds nothing, and the card is posted."""
    mouth = booth.mouth()
    booth.slack.faults.lose_request(POST)
    with pytest.raises(PerhapsDone):
        await mouth.post(signable(), booth.place(), key="k")
    booth.hours.later(5)

    ref = await mouth.post(signable(), booth.place(), key="k")

    assert [one.ts for one in booth.slack.posts()] == [ref.id]


async def test_nobody_looks_before_slack_had_time_to_show_it(booth: Booth) -> None:
    """A request whose reply was lost may still be on its way: at once, nothing is found and nothing may be posted."""
    mouth = booth.mouth()
    booth.slack.faults.lose_request(POST)
    with pytest.raises(PerhapsDone):
        await mouth.post(signable(), booth.place(), key="k")

    with pytest.raises(ChatUnavailable, match="somebody else"):
        await mouth.post(signable(), booth.place(), key="k")

    assert not booth.slack.calls("conversations.history")
    assert not booth.slack.posts()


async def test_a_killed_process_leaves_a_card_that_the_next_one_finds(booth: Booth) -> None:
    """I2: killed between Slack's answer and our note of it. The other process waits for the lease, then looks."""
    booth.slack.faults.lose_reply(POST)
    with pytest.raises(PerhapsDone):
        await booth.mouth().post(signable(), booth.place(), key="k")
    lock = next(name for name in booth.keep.values if name.startswith("slack:posting:"))
    await booth.keep.put(lock, b"held", keep=LEASE)  # as a killed process leaves it
    other = booth.mouth()

    with pytest.raises(ChatUnavailable):
        await other.post(signable(), booth.place(), key="k")
    booth.hours.later(LEASE.total_seconds())
    ref = await other.post(signable(), booth.place(), key="k")

    assert [one.ts for one in booth.slack.posts()] == [ref.id]


async def test_a_store_that_is_lost_after_the_post_does_not_double_it(booth: Booth) -> None:
    """The card stands, but where could not be written down. It is found, not posted again."""
    mouth, keep = booth.mouth(), booth.keep
    task = asyncio.create_task(mouth.post(signable(), booth.place(), key="k"))
    await booth.slack.until(lambda: booth.slack.posts(), "the card stands")
    keep.is_down = True
    with pytest.raises(StoreUnavailable):
        await task
    keep.is_down = False
    booth.hours.later(LEASE.total_seconds())

    ref = await mouth.post(signable(), booth.place(), key="k")

    assert [one.ts for one in booth.slack.posts()] == [ref.id]


async def test_two_processes_with_one_store_post_once(booth: Booth) -> None:
    """A handover: both believe the row is theirs. One posts; the other is told to come back, and hears where."""
    mouths = [booth.mouth() for _ in range(5)]

    told = await asyncio.gather(
        *(mouth.post(signable(), booth.place(), key="k") for mouth in mouths), return_exceptions=True
    )

    refs = [one for one in told if not isinstance(one, BaseException)]
    assert len(booth.slack.calls(POST)) == 1
    assert len(refs) >= 1
    assert all(isinstance(one, ChatUnavailable) for one in told if isinstance(one, BaseException))
    assert {await mouth.post(signable(), booth.place(), key="k") for mouth in mouths} == {refs[0]}
    assert len(booth.slack.calls(POST)) == 1


async def test_a_process_that_was_too_slow_does_not_post_behind_the_next_ones_back(booth: Booth) -> None:
    """Its file took longer than its lease; by then the card is another process's."""
    mouth, place = booth.mouth(), booth.place()
    task = asyncio.create_task(mouth.post(with_file(note()), place, key="k"))
    await booth.slack.until(lambda: booth.slack.calls("files.getUploadURLExternal"), "the file is on its way")
    booth.hours.later(LEASE.total_seconds())
    lock = next(name for name in booth.keep.values if name.startswith("slack:posting:"))
    await booth.keep.put(lock, b"held", keep=LEASE)  # the next one's

    with pytest.raises(ChatUnavailable, match="too long"):
        await task

    assert not booth.slack.calls(POST)
    assert await booth.keep.get(lock)


async def test_a_post_of_many_slow_steps_keeps_its_lease(booth: Booth) -> None:
    """Each step holds on to it, so that a busy workspace does not turn a card with a file into none."""
    pace = booth.pace()
    for method, seconds in (("files.getUploadURLExternal", 9.0), (COMPLETE, 18.0)):
        pace.pause(booth.slack.team, method, seconds=seconds)
    pace.pause(booth.slack.team, POST, booth.channel, seconds=27.0)

    ref = await booth.mouth(api=booth.api(pace)).post(with_file(signable()), booth.place(), key="k")

    assert sum(booth.hours.naps) == pytest.approx(27)
    assert booth.read(ref)


async def test_a_message_of_somebody_else_with_our_mark_is_not_ours(booth: Booth) -> None:
    """Any app may write any metadata. Adopting its message would let it show what people believe to be our card."""
    mouth, place = booth.mouth(), booth.place()
    booth.slack.faults.lose_reply(POST)
    with pytest.raises(PerhapsDone):
        await mouth.post(signable(), place, key="k")
    [forged] = booth.slack.posts()
    forged.bot_id = "B0OTHER"
    booth.hours.later(5)

    ref = await mouth.post(signable(), place, key="k")

    assert ref.id != forged.ts
    assert len(booth.slack.posts()) == 2


async def test_a_card_is_found_behind_many_pages(booth: Booth) -> None:
    """A busy channel: two hundred messages a page, and ours on the last."""
    mouth, place = booth.mouth(), booth.place()
    booth.slack.faults.lose_reply(POST)
    with pytest.raises(PerhapsDone):
        await mouth.post(signable(), place, key="k")
    for number in range(450):
        await booth.slack.say(booth.ana, booth.channel, f"chatter {number}")
    booth.hours.later(5)

    ref = await mouth.post(signable(), place, key="k")

    assert [one.ts for one in booth.slack.posts()] == [ref.id]
    assert len(booth.slack.calls("conversations.history")) == 3


@pytest.mark.parametrize("is_fallback", [True, False])
async def test_a_lost_reply_never_posts_twice_to_a_person(booth: Booth, is_fallback: bool) -> None:
    """I2: a user id stands where a channel could. Nobody can look into a user id, so their conversation is opened."""
    fallback, place = (booth.ana, booth.place()) if is_fallback else (None, booth.place(channel=booth.ana))
    booth.slack.channel(booth.channel).is_archived = True
    if is_fallback:
        booth.slack.faults.fail(POST, "is_archived")
    booth.slack.faults.lose_reply(POST)
    with pytest.raises(PerhapsDone):
        await booth.mouth(fallback=fallback).post(note(), place, key="k")
    booth.hours.later(5)

    ref = await booth.mouth(fallback=fallback).post(note(), place, key="k")

    [standing] = booth.slack.posts()
    assert (standing.ts, standing.channel) == (ref.id, booth.slack.dm(booth.ana))
    assert ref.place.is_direct


async def test_a_card_for_a_person_that_was_never_sent_is_sent_by_the_next_process(booth: Booth) -> None:
    """I2: killed after it wrote down the try, before their conversation was opened: nothing can stand there."""
    place, name = booth.place(channel=booth.ana), f"slack:post:{hashlib.sha256(b'k').hexdigest()}"
    await booth.keep.put(name, pack(Tried(since=booth.hours.now, place=place)))

    ref = await booth.mouth().post(note(), place, key="k")

    assert [one.ts for one in booth.slack.posts()] == [ref.id]


async def test_a_person_who_cannot_be_written_to_is_no_place_for_a_card(booth: Booth) -> None:
    """The fallback names somebody who left: said as it is, and nothing stays behind."""
    booth.slack.change_user(booth.ana, deleted=True)
    mouth = booth.mouth(fallback=booth.ana)
    booth.slack.channel(booth.channel).is_archived = True

    with pytest.raises(Undeliverable, match="user_disabled"):
        await mouth.post(note(), booth.place(), key="k")

    assert not booth.slack.posts()
    assert not booth.keep.values


async def test_a_fallback_channel_that_is_named_is_looked_into_by_its_id(booth: Booth) -> None:
    """I2: `chat.postMessage` takes a name; looking for a lost post takes none."""
    booth.slack.channel(booth.channel).is_archived = True
    mouth = booth.mouth(fallback="approvals")
    booth.slack.faults.fail(POST, "is_archived")
    booth.slack.faults.lose_reply(POST)
    with pytest.raises(PerhapsDone):
        await mouth.post(note(), booth.place(), key="k")
    booth.hours.later(5)

    ref = await mouth.post(note(), booth.place(), key="k")

    assert [one.ts for one in booth.slack.posts()] == [ref.id]
    assert ref.place == booth.place(channel=booth.fallback)


@pytest.mark.parametrize("trouble", ["its first message is deleted", "the bot is thrown out", "is_archived"])
async def test_a_place_that_cannot_be_looked_into_any_more_is_not_posted_to_again(booth: Booth, trouble: str) -> None:
    """I2: the reply was lost, and the place is gone before anybody looks: it may stand there, for people at least."""
    mouth, thread = booth.mouth(fallback=booth.fallback), await booth.thread()
    booth.slack.faults.lose_reply(POST)
    with pytest.raises(PerhapsDone):
        await mouth.post(signable(), booth.place(thread), key="k")
    match trouble:
        case "its first message is deleted":
            await booth.slack.erase(booth.ana, booth.channel, thread)
        case "the bot is thrown out":
            booth.slack.channel(booth.channel).members.discard(booth.slack.bot_user)
        case code:
            booth.slack.faults.fail("conversations.replies", code, times=2)
    booth.hours.later(5)

    for _ in range(2):
        with pytest.raises(Undeliverable, match="nobody can tell whether it stands there already"):
            await mouth.post(signable(), booth.place(thread), key="k")

    assert len(booth.slack.posts()) == 1


async def test_what_nobody_may_look_for_is_not_posted_again(booth: Booth) -> None:
    """Without leave to read the channel nobody can tell: better a request that ends than two cards of it."""
    mouth = booth.mouth()
    booth.slack.faults.lose_reply(POST)
    with pytest.raises(PerhapsDone):
        await mouth.post(signable(), booth.place(), key="k")
    booth.slack.scopes.difference_update({scope for scope in booth.slack.scopes if scope.endswith(":history")})
    booth.hours.later(5)

    with pytest.raises(Undeliverable, match="nobody can tell"):
        await mouth.post(signable(), booth.place(), key="k")

    assert len(booth.slack.posts()) == 1


async def test_the_mark_says_nothing_about_the_request(booth: Booth) -> None:
    """Every app of the workspace can read metadata."""
    await booth.mouth().post(signable(), booth.place(), key="r1|main|run1")

    [sent] = booth.slack.calls(POST)

    assert sent["metadata"]["event_type"] == "countersign_post"
    assert sent["metadata"]["event_payload"] == {"key": hashlib.sha256(b"r1|main|run1").hexdigest()}


async def test_a_429_waits_and_holds_up_no_other_channel(booth: Booth) -> None:
    """The same key goes on after Slack's time, without looking for a card that certainly is not there."""
    mouth = booth.mouth()
    booth.slack.faults.rate_limit(POST, retry_after=7)
    with pytest.raises(ChatUnavailable) as caught:
        await mouth.post(signable(), booth.place(), key="k")

    other = await mouth.post(note(), booth.place(channel=booth.fallback), key="k2")
    assert booth.hours.naps == []
    ref = await mouth.post(signable(), booth.place(), key="k")

    assert caught.value.retry_after == 7
    assert sum(booth.hours.naps) == pytest.approx(7)
    assert {one.ts for one in booth.slack.posts()} == {ref.id, other.id}
    assert not booth.slack.calls("conversations.history")


async def test_a_stopped_workspace_keeps_its_cards_waiting(booth: Booth) -> None:
    """A dead token is the operator's to mend: the request stays open until its deadline, and is posted then."""
    api = booth.api()
    mouth = booth.mouth(api=api)
    booth.slack.faults.fail(POST, "account_inactive")
    for _ in range(2):
        with pytest.raises(SlackStopped):
            await mouth.post(signable(), booth.place(), key="k")

    api.revive(booth.slack.team)

    assert booth.read(await mouth.post(signable(), booth.place(), key="k"))
    assert len(booth.slack.calls(POST)) == 2


# ------------------------------------------------------------------------- where


async def test_a_card_moves_out_of_its_thread_then_to_the_fallback_channel(booth: Booth) -> None:
    """The ref says where it really stands: a click counts only there."""
    mouth, thread = booth.mouth(fallback=booth.fallback), await booth.thread()
    booth.slack.faults.fail(POST, "restricted_action_thread_locked")
    beside = await mouth.post(signable(), booth.place(thread), key="1")
    booth.slack.channel(booth.channel).is_archived = True
    homeless = await mouth.post(signable(), booth.place(thread), key="2")

    assert beside.place == booth.place()
    assert homeless.place == booth.place(channel=booth.fallback)
    assert "Approval needed" in (booth.read(homeless) or "")
    assert await mouth.post(signable(), booth.place(thread), key="2") == homeless


async def test_a_card_that_was_perhaps_posted_elsewhere_is_looked_for_there(booth: Booth) -> None:
    """Refused in the thread, posted beside it, the reply lost. The next try must not begin in the thread again."""
    mouth, thread = booth.mouth(), await booth.thread()
    booth.slack.faults.fail(POST, "restricted_action_thread_locked")
    booth.slack.faults.lose_reply(POST)
    with pytest.raises(PerhapsDone):
        await mouth.post(signable(), booth.place(thread), key="k")
    booth.hours.later(5)

    ref = await mouth.post(signable(), booth.place(thread), key="k")

    assert [one.ts for one in booth.slack.posts()] == [ref.id]
    assert ref.place == booth.place()


async def test_a_card_without_any_place_is_undeliverable(booth: Booth) -> None:
    """And it leaves nothing behind: a later try, in a channel that opened again, posts."""
    booth.slack.channel(booth.channel).is_archived = True
    with pytest.raises(Undeliverable, match="is_archived"):
        await booth.mouth().post(signable(), booth.place(), key="k")
    assert not booth.keep.values

    booth.slack.channel(booth.channel).is_archived = False

    assert booth.read(await booth.mouth().post(signable(), booth.place(), key="k"))


async def test_what_was_meant_for_one_person_goes_to_no_channel(booth: Booth) -> None:
    """T32: a direct message that cannot be shown is lost, not shown to others."""
    mouth = booth.mouth(fallback=booth.fallback)
    place = await mouth.direct(booth.account(booth.ana))
    booth.slack.faults.fail(POST, "restricted_action")

    with pytest.raises(Undeliverable):
        await mouth.post(signable(), place, key="k")

    assert not booth.slack.posts()


async def test_a_direct_conversation_is_the_same_one_and_asked_for_once(booth: Booth) -> None:
    """And a card there stands in the conversation's own channel, whose id updates need."""
    mouth = booth.mouth()

    place = await mouth.direct(booth.account(booth.ana))
    ref = await mouth.post(signable(), place, key="k")

    assert place == Place(platform="slack", tenant=booth.slack.team, channel=booth.slack.dm(booth.ana), is_direct=True)
    assert await mouth.direct(booth.account(booth.ana)) == ref.place == place
    assert await mouth.direct(booth.account(booth.bo)) != place
    assert len(booth.slack.calls("conversations.open")) == 2


async def test_a_ref_names_the_channel_slack_posted_in(booth: Booth) -> None:
    """A post to a user id opens their conversation, and only its own id can be updated."""
    mouth = booth.mouth()

    ref = await mouth.post(signable(), booth.place(channel=booth.ana), key="k")

    assert (ref.place.channel, ref.place.is_direct) == (booth.slack.dm(booth.ana), True)
    await mouth.update(ref, ended())
    assert "Rejected by Bo" in (booth.read(ref) or "")


async def test_nobody_has_no_direct_conversation(booth: Booth) -> None:
    """Unknown here, another platform's, or of a workspace without the app."""
    mouth = booth.mouth()
    strangers = [
        booth.account("U0NOBODY"),
        Account(platform="teams", tenant=booth.slack.team, user=booth.ana),
        Account(platform="slack", tenant="T9", user=booth.ana),
    ]
    for stranger in strangers:
        with pytest.raises(Undeliverable):
            await mouth.direct(stranger)


# -------------------------------------------------------------------- strangers


def asked(card: Card | None = None) -> Card:
    """A request's card, with the arguments that are nobody else's business."""
    return replace(card or signable(), blocks=(Block(label="Arguments", text="iban DE89", is_code=True),))


@pytest.mark.parametrize("flag", ["is_ext_shared", "is_pending_ext_shared"])
async def test_nothing_is_asked_where_another_organisation_reads_along(booth: Booth, flag: str) -> None:
    """T16: its people would read the arguments, now or once they come. Whoever wanted it signed is told what to do."""
    setattr(booth.slack.channel(booth.channel), flag, True)

    for thread in (None, await booth.thread()):
        with pytest.raises(Undeliverable, match=r"shared with another organisation.*set SLACK_FALLBACK_CHANNEL"):
            await booth.mouth().post(with_file(asked()), booth.place(thread), key="k")

    assert not booth.slack.posts()
    assert not booth.slack.files


async def test_what_strangers_may_not_read_goes_to_the_fallback_channel(booth: Booth) -> None:
    """T16: unless that one is shared, too."""
    booth.slack.channel(booth.channel).is_ext_shared = True
    mouth = booth.mouth(fallback=booth.fallback)

    ref = await mouth.post(asked(), booth.place(await booth.thread()), key="k")

    assert ref.place == booth.place(channel=booth.fallback)
    assert "iban DE89" in (booth.read(ref) or "")
    booth.slack.channel(booth.fallback).is_ext_shared = True
    with pytest.raises(Undeliverable, match="shared with another organisation"):
        await booth.mouth(fallback=booth.fallback).post(asked(), booth.place(), key="k2")
    assert len(booth.slack.posts()) == 1


async def test_strangers_read_answers_and_how_things_stand(booth: Booth) -> None:
    """T16: a plain answer and a status card, whose only button stops the run, show no arguments."""
    booth.slack.channel(booth.channel).is_ext_shared = True
    mouth = booth.mouth()
    status = replace(note("Working"), buttons=(Button(subject="run1", move="stop", label="Stop", token="seal-s"),))

    answer = await mouth.post(note(), booth.place(), key="1")
    living = await mouth.post(status, booth.place(), key="2")

    assert "One moment." in (booth.read(answer) or "")
    assert "Working" in (booth.read(living) or "")
    assert not booth.slack.calls(INFO)


async def test_an_end_is_told_to_strangers_without_its_details(booth: Booth) -> None:
    """T16: a request that could not be asked there ends there, in the thread of whoever wanted it."""
    booth.slack.channel(booth.channel).is_ext_shared = True

    ref = await booth.mouth().post(with_file(asked(ended())), booth.place(), key="k")

    shown = booth.read(ref) or ""
    assert ref.place == booth.place()
    assert "Rejected by Bo" in shown
    assert "The details are hidden" in shown
    assert "DE89" not in shown
    assert not booth.slack.files


@pytest.mark.parametrize("card", [asked(), asked(ended())])
async def test_a_card_that_strangers_begin_to_read_loses_its_details(booth: Booth, card: Card) -> None:
    """T16: the channel became shared while the request waited. Its next picture can be neither read nor signed."""
    mouth = booth.mouth()
    ref = await mouth.post(asked(), booth.place(), key="k")
    booth.slack.channel(booth.channel).is_ext_shared = True
    booth.hours.later(61)

    if card.buttons:
        with pytest.raises(Undeliverable, match="shared with another organisation"):
            await mouth.update(ref, card)
    else:
        await mouth.update(ref, card)

    message = booth.slack.message(ref.place.channel, ref.id)
    assert message
    assert booth.slack.buttons_of(message) == []
    assert card.title in booth.slack.text_of(message)
    assert "DE89" not in booth.slack.text_of(message)


async def test_slack_is_asked_once_a_minute_who_reads_a_channel(booth: Booth) -> None:
    """T16: ten cards side by side are one look-up; a minute later it is another."""
    mouth = booth.mouth()
    await asyncio.gather(*(mouth.post(asked(), booth.place(), key=f"k{number}") for number in range(10)))
    assert len(booth.slack.calls(INFO)) == 1

    booth.hours.later(61)
    booth.slack.channel(booth.channel).is_ext_shared = True
    with pytest.raises(Undeliverable):
        await mouth.post(asked(), booth.place(), key="late")

    assert len(booth.slack.calls(INFO)) == 2


async def test_a_direct_conversation_is_read_by_nobody_else(booth: Booth) -> None:
    """T16: and nobody asks."""
    mouth = booth.mouth()

    ref = await mouth.post(asked(), await mouth.direct(booth.account(booth.ana)), key="k")

    assert "iban DE89" in (booth.read(ref) or "")
    assert not booth.slack.calls(INFO)


async def test_a_card_waits_until_somebody_can_tell_who_reads_it(booth: Booth) -> None:
    """T16: Slack stumbles: nothing is posted, here or elsewhere, and the next try posts."""
    mouth = booth.mouth(fallback=booth.fallback)
    booth.slack.faults.fail(INFO, "internal_error")
    with pytest.raises(ChatUnavailable) as stumbled:
        await mouth.post(asked(), booth.place(), key="k")
    assert not booth.slack.posts()
    booth.hours.later(stumbled.value.retry_after or 0)

    assert (await mouth.post(asked(), booth.place(), key="k")).place == booth.place()


async def test_where_nobody_can_see_who_reads_nothing_is_asked(booth: Booth) -> None:
    """T16: without the scope no later try can tell either, so the request ends and says what is missing."""
    booth.slack.scopes.discard("channels:read")

    with pytest.raises(Undeliverable, match="grant it channels:read"):
        await booth.mouth().post(asked(), booth.place(), key="k")

    assert not booth.slack.posts()


# ------------------------------------------------------------------------- whole


async def test_a_file_stands_in_the_thread_before_its_card(booth: Booth) -> None:
    """T02: whoever signs can read everything. Bytes as they were, and first."""
    thread, content = await booth.thread(), b"x" * 30_000

    ref = await booth.mouth().post(with_file(signable(), content), booth.place(thread), key="k")

    [file] = booth.slack.files
    assert (file.content, file.thread_ts, file.channel) == (content, thread, booth.channel)
    assert file.ts is not None
    assert file.ts < ref.id


async def test_a_long_text_becomes_a_file_by_itself(booth: Booth) -> None:
    """Slack cannot show it in a message; the card names the file in its place."""
    long = "\n".join(f"line {number}" for number in range(5_000))
    card = replace(signable(), blocks=(Block(label="Arguments", text=long, is_code=True),))

    await booth.mouth().post(card, booth.place(), key="k")

    [file] = booth.slack.files
    assert long.encode() in file.content
    assert len(booth.slack.posts()) == 2


@pytest.mark.parametrize("method", ["files.getUploadURLExternal", "upload", COMPLETE])
async def test_a_file_that_is_refused_makes_its_card_undeliverable(booth: Booth, method: str) -> None:
    """T02: nobody signs what nobody can read."""
    if method == "upload":
        booth.slack.faults.html("upload", 403)
    else:
        booth.slack.faults.fail(method, "file_uploads_disabled")

    with pytest.raises(Undeliverable):
        await booth.mouth().post(with_file(signable()), booth.place(), key="k")

    assert not booth.slack.calls(POST)


@pytest.mark.parametrize(
    ("method", "lose"),
    [
        ("files.getUploadURLExternal", "lose_reply"),
        ("upload", "lose_request"),
        (COMPLETE, "lose_reply"),
        (POST, "lose_reply"),
    ],
)
async def test_files_are_shown_once_whatever_is_lost(booth: Booth, method: str, lose: str) -> None:
    """Repeating the post neither loses nor doubles its file."""
    mouth, place = booth.mouth(), booth.place(await booth.thread())
    getattr(booth.slack.faults, lose)(method)
    with pytest.raises(PerhapsDone):
        await mouth.post(with_file(signable()), place, key="k")
    booth.hours.later(5)

    ref = await mouth.post(with_file(signable()), place, key="k")

    file, card = booth.slack.posts()
    assert [one.name for one in file.files] == ["arguments.json"]
    assert card.ts == ref.id


async def test_an_update_shares_new_files_and_no_old_ones(booth: Booth) -> None:
    """A vote changes the card and not its text; an edit changes the text; an end needs none."""
    mouth, place = booth.mouth(), booth.place()
    ref = await mouth.post(with_file(signable(), b"first"), place, key="k")

    await mouth.update(ref, with_file(signable("Approval needed: refund (1 of 2)"), b"first"))
    assert [file.content for file in booth.slack.files] == [b"first"]
    for _ in range(2):
        await mouth.update(ref, with_file(signable("Approval needed: refund, edited"), b"second"))
    await mouth.update(ref, with_file(ended(), b"third"))

    assert [file.content for file in booth.slack.files] == [b"first", b"second"]
    assert not booth.slack.calls("conversations.history")  # it is known: nobody had to look


async def test_an_update_whose_file_is_refused_leaves_nothing_to_sign(booth: Booth) -> None:
    """T02: the new text cannot be shown, so neither the old picture nor the new one may be approved."""
    mouth = booth.mouth()
    ref = await mouth.post(signable(), booth.place(), key="k")
    booth.slack.faults.fail("files.getUploadURLExternal", "not_in_channel")

    with pytest.raises(Undeliverable):
        await mouth.update(ref, with_file(signable()))

    message = booth.slack.message(ref.place.channel, ref.id)
    assert message
    assert booth.slack.buttons_of(message) == ["Reject"]
    assert "r1 · run1 · v1" in booth.slack.text_of(message)


# ----------------------------------------------------------------------- updates


async def test_an_update_replaces_the_card_and_its_buttons(booth: Booth) -> None:
    """Nothing can be pressed on a settled card."""
    mouth = booth.mouth()
    ref = await mouth.post(signable(), booth.place(await booth.thread()), key="k")

    await mouth.update(ref, ended())

    message = booth.slack.message(ref.place.channel, ref.id)
    assert message
    assert booth.slack.buttons_of(message) == []
    assert "Rejected by Bo" in booth.slack.text_of(message)


async def test_a_lost_reply_to_an_update_is_simply_repeated(booth: Booth) -> None:
    """An update may happen twice."""
    mouth = booth.mouth()
    ref = await mouth.post(signable(), booth.place(), key="k")
    booth.slack.faults.lose_reply(UPDATE)

    with pytest.raises(PerhapsDone):
        await mouth.update(ref, ended())
    await mouth.update(ref, ended())

    assert "Rejected by Bo" in (booth.read(ref) or "")


async def test_a_card_that_can_be_changed_no_more_gets_one_notice_below_it(booth: Booth) -> None:
    """The workspace closed its edit window. Two processes see the end, more updates follow: one notice."""
    mouths = [booth.mouth(), booth.mouth()]
    ref = await mouths[0].post(signable(), booth.place(), key="k")
    booth.slack.faults.fail(UPDATE, "edit_window_closed", times=4)

    for mouth in mouths * 2:
        await mouth.update(ref, with_file(ended()))

    [notice] = [one for one in booth.slack.posts() if one.ts != ref.id]
    assert notice.thread_ts == ref.id
    assert "Rejected by Bo" in booth.slack.text_of(notice)
    assert not booth.slack.files  # an end needs none


async def test_an_open_card_that_can_be_changed_no_more_is_not_doubled(booth: Booth) -> None:
    """A second card with buttons would be one that the store knows nothing of."""
    mouth = booth.mouth()
    ref = await mouth.post(signable(), booth.place(), key="k")
    booth.slack.faults.fail(UPDATE, "edit_window_closed")

    with capture_logs() as told:
        await mouth.update(ref, signable("Approval needed: refund (1 of 2)"))

    assert [one.ts for one in booth.slack.posts()] == [ref.id]
    assert [line["event"] for line in told] == ["slack_card_refused"]


async def test_a_deleted_card_stays_deleted(booth: Booth) -> None:
    """People may delete what they like; the request lives on elsewhere."""
    mouth = booth.mouth()
    ref = await mouth.post(signable(), booth.place(), key="k")
    await booth.api().call(booth.slack.team, "chat.delete", channel=booth.channel, ts=ref.id)

    await mouth.update(ref, ended())

    assert not booth.slack.posts()
    assert await mouth.post(signable(), booth.place(), key="k") == ref


async def test_a_card_deleted_while_it_is_repaired_stays_deleted(booth: Booth) -> None:
    """The plain card comes too late: nothing is said below a message that is gone."""
    mouth = booth.mouth()
    ref = await mouth.post(signable(), booth.place(), key="k")
    booth.slack.faults.fail(UPDATE, "msg_too_long")
    booth.slack.faults.fail(UPDATE, "message_not_found")

    await mouth.update(ref, ended())

    assert [one.ts for one in booth.slack.posts()] == [ref.id]


async def test_a_card_that_cannot_be_drawn_takes_the_old_approve_away(booth: Booth) -> None:
    """T02: a button Slack could not carry. What stood there was another text."""
    mouth = booth.mouth()
    ref = await mouth.post(signable(), booth.place(), key="k")
    card = signable()
    approve, reject = card.buttons

    with pytest.raises(Undeliverable):
        await mouth.update(ref, replace(card, buttons=(replace(approve, token="two words"), reject)))

    message = booth.slack.message(ref.place.channel, ref.id)
    assert message
    assert booth.slack.buttons_of(message) == ["Reject"]


# ---------------------------------------------------------------- words and ears


async def test_a_whisper_is_read_by_one_person(booth: Booth) -> None:
    """T32: why a click was refused is nobody else's business; in a direct conversation it is gone afterwards."""
    mouth, thread = booth.mouth(), await booth.thread()

    await mouth.whisper("psst, Bo", booth.place(thread), booth.account(booth.bo))
    await mouth.whisper("psst, Ana", await mouth.direct(booth.account(booth.ana)), booth.account(booth.ana))

    for user, text in ((booth.bo, "psst, Bo"), (booth.ana, "psst, Ana")):
        [heard] = booth.slack.ephemerals(user)
        assert booth.slack.text_of(heard) == text
    assert booth.slack.ephemerals(booth.bo)[0].thread_ts == thread
    assert not booth.slack.posts()


@pytest.mark.parametrize("spoil", ["lose_reply", "rate_limit", "html", "refuse", "gone", "store"])
async def test_a_whisper_that_cannot_be_heard_is_lost_quietly(booth: Booth, spoil: str) -> None:
    """Best effort: nothing fails because a courtesy did, and its words are in no log."""
    place, faults = booth.place(), booth.slack.faults
    match spoil:
        case "refuse":
            faults.fail("chat.postEphemeral", "user_not_in_channel")
        case "gone":
            booth.tokens.known.clear()
        case "store":
            booth.tokens.known = _Down()
        case _:
            getattr(faults, spoil)("chat.postEphemeral")

    with capture_logs() as told:
        await booth.mouth().whisper("canary", place, booth.account(booth.ana))

    assert [line["event"] for line in told] == ["slack_whisper_lost"]
    assert "canary" not in str(told)


class _Down(dict[str, str]):
    def __contains__(self, key: object) -> bool:
        raise StoreUnavailable("down")


async def test_nothing_that_is_said_unfurls_or_mentions(booth: Booth) -> None:
    """T05, T04: no preview is fetched from a link in a card, and only the people a card names are notified."""
    mouth, place = booth.mouth(fallback=booth.fallback), booth.place()
    hostile = replace(signable(HOSTILE), body=HOSTILE, mentions=(PersonId("person.bo"), PersonId("nobody")))
    ref = await mouth.post(hostile, place, key="k")
    await mouth.update(ref, replace(hostile, status=HOSTILE))
    await mouth.whisper(HOSTILE, place, booth.account(booth.ana))
    booth.slack.faults.fail(UPDATE, "edit_window_closed")
    await mouth.update(ref, ended(HOSTILE))
    booth.slack.faults.fail(POST, "invalid_blocks")
    await mouth.post(note(HOSTILE), place, key="k2")

    said = [*booth.slack.calls(POST), *booth.slack.calls(UPDATE)]
    assert len(said) == 6
    assert all(one["unfurl_links"] is one["unfurl_media"] is False for one in said)
    shown = [*booth.slack.posts(), *booth.slack.ephemerals(booth.ana)]
    assert [booth.slack.mentions_of(one) for one in shown] == [[booth.bo], [], [], []]
    assert not [link for one in shown for link in booth.slack.links_of(one)]


def test_one_module_alone_posts() -> None:
    """T05: whoever wants to say something asks the mouth, which never forgets the flags. Tables may name methods."""
    tables = {"codes.py", "pace.py", "api.py"}

    found = {
        (file.name, node.value)
        for file in sorted((ROOT / "adapters").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("chat.post")
    }
    helpers = {
        (file.name, node.attr)
        for file in sorted((ROOT / "adapters").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and node.attr.startswith("chat_post")
    }

    assert {name for name, _ in found} - tables == {"mouth.py"}
    assert not helpers
    assert ("mouth.py", "chat.postMessage") in found
