"""Home: everybody sees their own list, it stays true while they look, and every press on it is answered in words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from adapters.slack import home
from adapters.slack.home import APART, INACTIVE, SHARE, STRANGER, TRIES
from adapters.slack.homeview import NOWHERE, home_value
from adapters.slack.windows import DONE
from bot.domain.chat import Account, Answer, Click, Form, MessageRef, Place
from bot.domain.errors import NotEligible, StoreUnavailable
from bot.domain.pages import Awaited, RunView, Waiting
from bot.domain.request import RequestId, RunId
from bot.domain.wire import replace
from tests.domain.given import grant
from tests.fakes.slack import FakeView
from tests.slack.indoors import CARD, Indoors, indoors
from tests.slack.listening import APPROVE, REJECT

SORRY = "Not recorded, please try again."


def publications(here: Indoors) -> list[str]:
    return [str(call["user_id"]) for call in here.slack.calls("views.publish")]


def read(here: Indoors, user: str) -> str:
    shown = here.slack.home_of(user)
    assert isinstance(shown, FakeView)
    return here.slack.text_of(shown)


# ------------------------------------------------------------------ the list


async def test_everybody_sees_their_own_list_and_nobody_elses() -> None:
    """PN-12: what waits for somebody, and the runs they gave."""
    async with indoors() as here:
        here.waits(here.bo)
        here.views.all_runs = [
            RunView(
                run=RunId(f"r-{who}"),
                status="waiting",
                task=f"a task of {who}",
                requester=here.people.people[number].id,
                place=here.place(here.ops),
                began=here.watch.now,
            )
            for number, who in enumerate(("ana", "bo"))
        ]

        await here.opens(here.bo)
        await here.opens(here.ana)

        assert "Approval needed: refund" in read(here, here.bo)
        assert "a task of bo" in read(here, here.bo)
        assert "a task of ana" not in read(here, here.bo)
        assert "Nothing waits for you." in read(here, here.ana)
        assert "a task of ana" in read(here, here.ana)


async def test_how_approvals_go_is_shown_to_whom_the_views_tell_it_and_to_nobody_else() -> None:
    """T19, T32: bo may see it; ana, who looks at the same moment, sees no heading for it either."""
    async with indoors() as here:
        here.views.reports = {here.bo: "14 decided, 86 % approved."}

        await here.opens(here.bo)
        await here.opens(here.ana)

        assert "14 decided, 86 % approved." in read(here, here.bo)
        assert "How approvals go" not in read(here, here.ana)


async def test_guests_and_strangers_read_one_sentence_and_the_store_is_not_asked_for_them() -> None:
    """T16: whoever may not answer sees nothing of what waits."""
    async with indoors() as here:
        here.waits(here.gus)

        for user in (here.gus, here.zoe):
            await here.opens(user)

            assert read(here, user) == STRANGER
        assert here.views.looks == 0


async def test_the_messages_tab_shows_no_home() -> None:
    async with indoors() as here:
        reply = await here.slack.open_home(here.ana, "messages")
        await here.rest()

        assert (reply.status, publications(here)) == (200, [])


# --------------------------------------------------------------- staying true


async def test_a_list_is_published_again_when_it_changes_and_only_then() -> None:
    """Cards change all day; whoever has the same list as before costs Slack nothing."""
    async with indoors() as here:
        here.waits(here.bo)
        for user in (here.ana, here.bo):
            await here.opens(user)
        here.watch.later(10)

        here.answered(here.bo)
        await here.home.touch()
        await here.rest()

        assert publications(here) == [here.ana, here.bo, here.bo]
        assert "Nothing waits for you." in read(here, here.bo)


async def test_many_changes_within_two_seconds_are_one_publication_of_the_last_one() -> None:
    async with indoors() as here:
        await here.opens(here.bo)
        for number in range(1, 6):
            here.waits(here.bo, number, card=replace(CARD, title=f"Refund number {number}"))
            await here.home.touch([here.account(here.bo)])
        await here.watch.slept.wait()
        here.watch.later(1.9)
        await here.rest()
        assert publications(here) == [here.bo]

        here.watch.later(0.1)
        await here.published(2)

        assert publications(here) == [here.bo, here.bo]
        assert "Refund number 5" in read(here, here.bo)


async def test_lists_that_take_long_to_read_are_read_more_seldom_but_not_for_whoever_opens_the_tab() -> None:
    """T18: with a thousand requests waiting, people who left the tab open must not keep the bot from its clicks."""
    async with indoors() as here:
        read = here.views.waiting_for

        async def slowly(account: Account) -> tuple[Waiting, ...]:
            here.watch.now += timedelta(seconds=3)
            return await read(account)

        here.views.waiting_for = slowly  # type: ignore[method-assign]  # a store that is full
        await here.opens(here.ana)
        await here.opens(here.bo)
        here.waits(here.bo)
        await here.home.touch([here.account(here.bo)])
        await here.rest()
        here.watch.later(10)
        await here.rest()
        assert len(here.slack.calls("views.publish")) == 2

        await here.slack.open_home(here.bo)
        here.watch.later(APART.total_seconds())
        await here.published(3)

        here.waits(here.bo, 2)
        await here.home.touch([here.account(here.bo)])
        await here.rest()
        here.watch.later(SHARE * 2 * 3)
        await here.published(4)

        here.waits(here.bo, 3)
        await here.home.touch([here.account(here.bo)])
        await here.rest()
        here.home.close()  # nobody waits for it
        here.watch.later(APART.total_seconds())
        await here.rest()
        assert not any(one.is_tended for one in here.home._lookers.values())
        assert len(here.slack.calls("views.publish")) == 4


async def test_what_changes_while_a_list_is_read_is_shown_after_it() -> None:
    """The look at the store is on its way when one more request is opened: it may not be forgotten."""
    async with indoors() as here:
        here.views.read.clear()
        await here.slack.open_home(here.bo)
        await here.views.looked.wait()

        here.waits(here.bo)
        await here.home.touch()
        here.views.read.set()
        await here.watch.slept.wait()
        here.watch.later(2)
        await here.published(2)

        assert "Approval needed: refund" in read(here, here.bo)


async def test_nobody_is_shown_anything_an_hour_after_they_looked() -> None:
    async with indoors() as here:
        await here.opens(here.bo)
        here.waits(here.bo)

        here.watch.later(3600)
        await here.home.touch()
        await here.rest()

        assert publications(here) == [here.bo]


async def test_who_never_opened_the_tab_is_never_published_to() -> None:
    async with indoors() as here:
        here.waits(here.bo)

        await here.home.touch()
        await here.home.touch([here.account(here.bo)])
        await here.rest()

        assert publications(here) == []


async def test_the_memory_of_who_looked_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opened the tab longest ago is forgotten first (T18)."""
    monkeypatch.setattr(home, "LOOKERS", 1)
    async with indoors() as here:
        for user in (here.ana, here.bo):
            await here.opens(user)
            here.waits(user)
        here.watch.later(10)

        await here.home.touch()
        await here.rest()

        assert publications(here) == [here.ana, here.bo, here.bo]


# --------------------------------------------------------- several processes


async def test_who_looks_is_known_to_the_process_that_shows_a_change() -> None:
    """PP-02, CD-08: Slack told another one of the opened tab, or one that is gone; one publication, as ever."""
    async with indoors() as here:
        for user in (here.ana, here.bo):
            await here.opens(user)
        here.waits(here.bo)
        here.watch.later(10)
        there = here.process()

        await there.touch()
        await here.rest(there)
        await here.home.touch()
        await here.rest()

        assert publications(here) == [here.ana, here.bo, here.bo]
        assert "Approval needed: refund" in read(here, here.bo)
        assert "hash" in here.slack.calls("views.publish")[-1]


async def test_somebody_who_opens_the_tab_elsewhere_is_seen_by_the_next_change() -> None:
    """Changes come faster than the lookers are read: none of them is the last one that this process looks at."""
    async with indoors() as here:
        there = here.process()
        await there.touch()
        await here.rest(there)
        await here.opens(here.bo)
        here.waits(here.bo)

        for _ in range(3):
            await there.touch()
        await here.watch.slept.wait()
        here.watch.later(2)
        await here.rest(there)

        assert publications(here) == [here.bo, here.bo]
        assert "Approval needed: refund" in read(here, here.bo)


async def test_one_person_is_published_to_every_two_seconds_by_all_processes_together() -> None:
    async with indoors() as here:
        await here.opens(here.bo)
        there = here.process()
        here.waits(here.bo)
        await there.touch()
        await here.watch.slept.wait()
        assert publications(here) == [here.bo]

        here.watch.later(2)
        await here.published(2)
        await here.rest(there)

        assert "Approval needed: refund" in read(here, here.bo)


async def test_nobody_is_shown_anything_by_any_process_an_hour_after_they_looked() -> None:
    """Also not by one that met them late; whoever opens the tab once more is looking again."""
    async with indoors() as here:
        await here.opens(here.bo)
        there = here.process()
        here.watch.later(3000)
        await there.touch()
        await here.rest(there)
        here.waits(here.bo)
        here.watch.later(600)
        here.keep.rolls.clear()  # their hour is over
        await there.touch()
        await here.rest(there)
        assert publications(here) == [here.bo]

        await here.opens(here.bo)
        here.answered(here.bo)
        here.watch.later(10)
        await there.touch()
        await here.rest(there)

        assert publications(here) == [here.bo] * 3
        assert "Nothing waits for you." in read(here, here.bo)


async def test_what_is_kept_of_who_looks_ends_with_their_hour() -> None:
    """T18, T20: who, when, and what Slack calls their picture; nothing of what stands in it."""
    async with indoors() as here:
        here.waits(here.bo)
        await here.opens(here.bo)

        assert set(here.keep.lives.values()) == {home.LOOKING}
        assert not any(b"refund" in value for value in here.keep.values.values())


async def test_a_publication_that_nobody_heard_of_is_made_again() -> None:
    """The process died while Slack took it: what stands there is not what was last known, though the list is."""
    async with indoors() as here:
        await here.opens(here.bo)
        here.waits(here.bo)
        here.watch.later(10)
        here.slack.faults.lose_reply("views.publish")
        await here.home.touch()
        await here.watch.slept.wait()
        assert "Approval needed: refund" in read(here, here.bo)
        here.home.close()
        here.watch.later(10)
        here.answered(here.bo)

        there = here.process()
        await there.touch()
        await here.rest(there)

        assert "Nothing waits for you." in read(here, here.bo)


async def test_who_cannot_be_shown_anything_is_forgotten_by_all() -> None:
    async with indoors() as here:
        await here.opens(here.bo)
        here.slack.faults.fail("views.publish", "user_not_found")
        here.waits(here.bo)
        here.watch.later(10)
        await here.home.touch()
        await here.rest()

        there = here.process()
        await there.touch()
        await here.rest(there)

        assert len(publications(here)) == 2
        assert not here.keep.values


# ------------------------------------------------------------------- trouble


async def test_another_process_was_faster_so_the_list_is_read_again_and_published_once_more() -> None:
    """`hash_conflict`: what we had read may be older than what stands there now."""
    async with indoors() as here:
        await here.opens(here.bo)
        other = {"type": "home", "blocks": [{"type": "section", "text": {"type": "plain_text", "text": "theirs"}}]}
        await here.api.call(here.slack.team, "views.publish", user_id=here.bo, view=other)
        here.waits(here.bo)
        here.watch.later(10)
        before = here.views.looks

        await here.home.touch()
        await here.rest()

        ours = here.slack.calls("views.publish")[2:]
        assert ["hash" in call for call in ours] == [True, False]
        assert here.views.looks == before + 2
        assert "Approval needed: refund" in read(here, here.bo)


async def test_a_second_conflict_is_left_to_the_next_change() -> None:
    async with indoors() as here:
        await here.opens(here.bo)
        here.slack.faults.fail("views.publish", "hash_conflict", times=2)
        here.watch.later(10)

        await here.opens(here.bo)

        assert len(publications(here)) == 3


async def test_a_workspace_without_home_tab_is_left_alone_and_said_once() -> None:
    """`not_enabled`: the app's settings say no. Every further call would be one for nothing."""
    async with indoors() as here:
        here.slack.home_enabled = False
        with capture_logs() as logs:
            for user in (here.ana, here.bo):
                await here.slack.open_home(user)
                await here.rest()
            calls = len(publications(here))
            here.watch.later(3600)
            await here.slack.open_home(here.ana)
            await here.rest()

        assert (calls, len(publications(here))) == (1, 2)
        [said] = [line for line in logs if line["event"] == "slack_home_off"]
        assert (said["team"], said["remedy"]) == (here.slack.team, home.OFF)


async def test_a_tab_comes_back_once_it_is_switched_on() -> None:
    async with indoors() as here:
        here.slack.home_enabled = False
        await here.slack.open_home(here.ana)
        await here.rest()
        here.slack.home_enabled = True
        here.watch.later(3600)

        await here.opens(here.ana)

        assert "Nothing waits for you." in read(here, here.ana)


async def test_a_store_that_is_away_for_a_moment_is_asked_again() -> None:
    async with indoors() as here:
        here.views.away, here.views.away_error = TRIES - 1, StoreUnavailable("away")
        await here.slack.open_home(here.ana)
        for _ in range(TRIES - 1):
            await here.watch.slept.wait()
            here.watch.later(2)
        await here.published(1)

        assert "Nothing waits for you." in read(here, here.ana)


async def test_a_store_that_stays_away_is_not_asked_for_ever_and_the_next_opening_asks_again() -> None:
    async with indoors() as here:
        here.views.away, here.views.away_error = 100, StoreUnavailable("away")
        await here.slack.open_home(here.ana)
        for _ in range(TRIES - 1):
            await here.watch.slept.wait()
            here.watch.later(2)
        await here.rest()
        here.watch.later(60)
        await here.rest()
        assert (here.views.looks, publications(here)) == (TRIES, [])
        here.views.away = 0

        await here.opens(here.ana)

        assert "Nothing waits for you." in read(here, here.ana)


# ------------------------------------------------------------------- presses


async def test_a_press_on_home_is_a_press_on_the_card_it_stands_for() -> None:
    """I8, T14: the front door compares the ref with the copies that were shown, so it must be the card's own."""
    async with indoors() as here:
        ref = here.waits(here.bo)
        await here.opens(here.bo)
        here.front.answer = Answer(is_taken=True, text="Approved. The agent goes on.")

        reply = await here.slack.press_home(here.bo, "Approve")

        window = await here.window(here.bo, "Approved. The agent goes on.")
        assert (reply.status, window.title) == (200, "Recorded")
    [click] = here.front.came
    assert isinstance(click, Click)
    assert (click.ref, click.by) == (ref, here.account(here.bo))
    assert (click.subject, click.move, click.token) == (APPROVE.subject, APPROVE.move, APPROVE.token)
    assert click.delivery.startswith("slack:")


async def test_a_grant_is_revoked_from_the_list_of_whoever_gave_it() -> None:
    """PN-06: Bo allowed it and sees it; ana, whom it serves, sees no heading here. The answer stands in a window."""
    async with indoors() as here:
        here.views.allowed = (grant(by=here.people.people[1].id),)
        here.front.answer = Answer(is_taken=True, text="Revoked. Such calls are asked about again.")
        await here.opens(here.bo)
        await here.opens(here.ana)
        assert "What I allowed" in read(here, here.bo)
        assert "What I allowed" not in read(here, here.ana)
        here.watch.later(2)
        here.views.allowed = ()

        reply = await here.slack.press_home(here.bo, "Revoke")

        await here.window(here.bo, "Revoked. Such calls are asked about again.")
        assert reply.status == 200
        await here.published(3)
        assert "What I allowed" not in read(here, here.bo)
    [(revoked, by, delivery)] = here.front.revoked
    assert (revoked, by) == ("g-0-1", here.bo)
    assert delivery.startswith("slack:")
    assert here.front.came == []


async def test_whoever_is_away_reads_so_first_and_comes_back_with_one_press() -> None:
    """PN-12: the same as the command `back`, for whoever presses."""
    async with indoors() as here:
        here.front.commands = Mirror()  # type: ignore[assignment]  # all that is asked of it
        here.views.gone[here.bo] = "You are away until Mon. Erin (erin) may decide for you, in their own name."
        await here.opens(here.bo)
        await here.opens(here.ana)
        assert read(here, here.bo).index("You are away until Mon.") < read(here, here.bo).index("Waiting for you")
        assert "away" not in read(here, here.ana)

        reply = await here.slack.press_home(here.bo, "I am back")

        await here.window(here.bo, f"back, ordered by {here.bo}")
        assert (reply.status, here.front.came) == (200, [])


async def test_a_line_of_the_menu_puts_a_request_off_and_show_now_brings_it_back() -> None:
    """PN-12: both are the commands that people type, for whoever presses; the tab is published again."""
    async with indoors() as here:
        here.front.commands = Mirror()  # type: ignore[assignment]  # says what it was ordered
        here.waits(here.bo)
        await here.opens(here.bo)
        assert "Show now" not in read(here, here.bo)

        reply = await here.slack.press_home(here.bo, "Put off for 4 hours")

        await here.window(here.bo, f"later q-1 4h, ordered by {here.bo}")
        assert (reply.status, here.front.came) == (200, [])
        until = here.watch.now + timedelta(hours=4)
        here.views.waiting[here.bo] = [replace(one, put_off=until) for one in here.views.waiting[here.bo]]
        here.watch.later(APART.total_seconds())
        await here.published(2)
        assert read(here, here.bo).index("Nothing waits for you.") < read(here, here.bo).index("Show now")

        await here.slack.press_home(here.bo, "Show now")

        await here.window(here.bo, f"now q-1, ordered by {here.bo}")


async def test_a_line_that_no_menu_offered_does_nothing() -> None:
    """PN-12, T13: whatever a payload says, nothing but the four lines is an order."""
    async with indoors() as here:
        here.front.commands = Mirror()  # type: ignore[assignment]
        here.waits(here.bo)
        home = await here.opens(here.bo)
        spot = next(block for block in home.body["blocks"] if block.get("accessory", {}).get("type") == "overflow")
        spot["accessory"]["options"][0]["value"] = home_value("q-1", "900d", NOWHERE)

        await here.slack.press_home(here.bo, spot["accessory"]["options"][0]["text"]["text"])

        await here.slack.until(lambda: here.front.came, "a press that is no order")
        shown = here.slack.view_of(here.bo)
        assert shown is None or "ordered" not in here.slack.text_of(shown)


async def test_whoever_manages_somebody_reads_what_waits_for_them_and_can_press_nothing() -> None:
    """PN-12: request, who is asked, since when; nobody else sees a heading for it."""
    async with indoors() as here:
        awaited = Awaited(
            request=RequestId("q-1"),
            run=RunId("r-1"),
            tool="refund",
            people=("Cy",),
            opened=here.watch.now - timedelta(hours=2),
        )
        here.views.teams[here.bo] = (awaited,)

        for user in (here.ana, here.bo):
            await here.opens(user)

        assert "refund · waits for Cy · asked 2 hours ago" in read(here, here.bo)
        assert "Waiting for your team" not in read(here, here.ana)


class Mirror:
    async def order(self, text: str, by: Account, place: Place, delivery: str) -> Answer:
        assert place.tenant == "-"
        assert delivery.startswith("slack:")
        return Answer(is_taken=True, text=f"{text}, ordered by {by.user}")


async def test_home_is_published_again_after_a_press_even_if_it_says_the_same() -> None:
    async with indoors() as here:
        here.waits(here.bo)
        await here.opens(here.bo)
        here.watch.later(2)

        await here.slack.press_home(here.bo, "Approve")
        await here.published(2)

        assert publications(here) == [here.bo, here.bo]


async def test_a_window_stands_before_the_store_has_answered() -> None:
    """A trigger lives 3 s; a store may take two of them."""
    async with indoors() as here:
        here.waits(here.bo)
        await here.opens(here.bo)
        here.front.opened.clear()
        here.front.answer = Answer(is_taken=False, text="Ana already answered: rejected.")

        async def let_through() -> None:
            await here.window(here.bo, "Working on it")
            here.front.opened.set()

        await here.both(here.slack.press_home(here.bo, "Approve"), let_through())

        window = await here.window(here.bo, "Ana already answered: rejected.")
        assert window.title == "Not possible"


async def test_slack_hears_ok_even_while_no_window_will_open() -> None:
    """Slack's own trouble with a window costs neither the press nor its three seconds."""
    async with indoors() as here:
        here.waits(here.bo)
        await here.opens(here.bo)
        here.slack.faults.html("views.open")
        here.front.answer = Answer(is_taken=True, text="Approved.")

        reply = await here.slack.press_home(here.bo, "Approve")

        assert reply.status == 200
        assert await here.whispered(here.bo) == ["Approved."]


async def test_a_refused_press_says_why() -> None:
    """T16: the reason is the front door's own words, in a window nobody else sees."""
    async with indoors() as here:
        here.waits(here.bo)
        await here.opens(here.bo)
        here.front.error = NotEligible("q-1", "bo", "Sorry, this needs an answer from: finance.")

        reply = await here.slack.press_home(here.bo, "Approve")

        window = await here.window(here.bo, "Sorry, this needs an answer from: finance.")
        assert (reply.status, window.title) == (200, "Not possible")


async def test_a_press_that_was_not_recorded_is_said_and_never_acked() -> None:
    async with indoors() as here:
        here.waits(here.bo)
        await here.opens(here.bo)
        here.front.shut = 1

        reply = await here.slack.press_home(here.bo, "Approve")

        await here.window(here.bo, SORRY)
        assert reply.status == 503


async def test_a_bug_behind_the_front_door_leaves_no_window_waiting() -> None:
    async with indoors() as here:
        here.waits(here.bo)
        await here.opens(here.bo)
        here.front.error = ZeroDivisionError("a bug")

        reply = await here.slack.press_home(here.bo, "Approve")

        await here.window(here.bo, "Something went wrong.")
        assert reply.status == 500


@pytest.mark.parametrize("code", ["expired_trigger_id", "exchanged_trigger_id"])
async def test_a_trigger_that_died_means_the_answer_is_told_in_person(code: str) -> None:
    async with indoors() as here:
        here.waits(here.bo)
        await here.opens(here.bo)
        here.slack.faults.fail("views.open", code)
        here.front.answer = Answer(is_taken=False, text="Ana already answered: rejected.")

        reply = await here.slack.press_home(here.bo, "Approve")

        assert await here.whispered(here.bo) == ["Ana already answered: rejected."]
        assert reply.status == 200


async def test_who_closes_the_window_early_still_hears_of_a_refusal() -> None:
    async with indoors() as here:
        here.waits(here.bo)
        await here.opens(here.bo)
        here.front.opened.clear()
        here.front.answer = Answer(is_taken=False, text="Ana already answered: rejected.")

        async def close() -> None:
            await here.window(here.bo, "Working on it")
            await here.slack.close_view(here.bo)
            here.front.opened.set()

        await here.both(here.slack.press_home(here.bo, "Approve"), close())

        assert await here.whispered(here.bo) == ["Ana already answered: rejected."]


async def test_a_window_whose_filling_got_lost_is_filled_again() -> None:
    async with indoors() as here:
        here.waits(here.bo)
        await here.opens(here.bo)
        here.slack.faults.lose_request("views.update")

        await here.slack.press_home(here.bo, "Approve")

        await here.window(here.bo, DONE)
        assert here.slack.ephemerals(here.bo) == []


async def test_a_press_whose_value_somebody_made_up_reaches_nobody() -> None:
    """T13: only what reads as a row of ours is handed in, and the rest is told."""
    async with indoors() as here:
        here.waits(here.bo)
        view = await here.opens(here.bo)
        for block in view.blocks:
            for element in block.get("elements", []):
                if element.get("type") == "button":
                    element["value"] = "q-1 tok-a"

        reply = await here.slack.press_home(here.bo, "Approve")

        await here.window(here.bo, INACTIVE.text)
        assert (reply.status, here.front.came) == (200, [])


# -------------------------------------------------------------------- forms


async def test_a_button_with_fields_opens_the_cards_own_form_and_sends_its_ref() -> None:
    async with indoors() as here:
        ref = here.waits(here.bo)
        await here.opens(here.bo)

        reply = await here.slack.press_home(here.bo, "Reject")
        await here.window(here.bo, "Reason")
        await here.slack.submit(here.bo, {"Reason": "too much"})

        assert reply.status == 200
    [form] = here.front.came
    assert isinstance(form, Form)
    assert (form.ref, form.subject, form.move, form.token) == (ref, REJECT.subject, REJECT.move, REJECT.token)
    assert form.fields == {"reason": "too much"}


async def test_a_form_opens_for_a_card_that_stands_on_another_platform() -> None:
    """A request may have been shown in Teams: the window belongs to where the press was, the ref to the card."""
    async with indoors() as here:
        teams = MessageRef(place=Place(platform="teams", tenant="acme", channel="19:ops"), id="1")
        here.waits(here.bo, ref=teams)
        await here.opens(here.bo)

        await here.slack.press_home(here.bo, "Reject")
        await here.window(here.bo, "Reason")
        await here.slack.submit(here.bo, {"Reason": "too much"})

        assert [form.ref for form in here.front.came if isinstance(form, Form)] == [teams]
        assert home_value("q-1", "tok-r", teams) in str(here.slack.home_of(here.bo))


async def test_a_form_that_came_too_late_is_said_in_person() -> None:
    """The card may stand where this person is not: the answer goes to their own conversation."""
    async with indoors() as here:
        here.waits(here.bo, ref=MessageRef(place=here.place(here.secret), id="1700000001.000100"))
        await here.opens(here.bo)
        here.slack.faults.fail("views.open", "expired_trigger_id")

        reply = await here.slack.press_home(here.bo, "Reject")

        [told] = await here.whispered(here.bo)
        assert "Please press the button again." in told
        assert (reply.status, here.front.came) == (200, [])
