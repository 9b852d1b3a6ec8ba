"""One's own list: what is put off leaves it for a while, and nothing else changes. A manager reads their team's."""

from __future__ import annotations

from bot.domain.chat import Place
from bot.domain.pages import Waiting
from bot.domain.request import RunId
from bot.domain.store import Loaded
from bot.domain.wire import replace
from bot.peoplefile import PeopleDirectory
from bot.runtime.views import RuntimeViews
from tests.contracts.on_redis import OnRedis
from tests.flows.sheets import BATCH, items, tidies, withdrawn
from tests.flows.stage import (
    Build,
    Hands,
    Played,
    call,
    calls,
    policy,
    request_of,
    settled,
    subject_of,
)
from tests.house import KEY, House, account

WIRE = calls(call("wire", amount=90))
TWICE = calls(call("wire", amount=90), call("tidy", what="desk"))
AT = Place(platform="playground", tenant="local", channel="general", thread="cmd")


async def ordered(house: House, who: str, text: str, delivery: str = "") -> str:
    """What *who* reads after `@countersign text`."""
    answer = await house.desk.order(f"@countersign {text}", account(who), AT, delivery or f"o-{text}-{who}")
    assert answer is not None
    return answer.text


async def looked(house: House) -> None:
    """By now the house knows what the store's clock says."""
    await house.engine.timers.look(house.engine.shards.fences[0])


def views_of(house: House) -> RuntimeViews:
    """Those of another process: nothing is remembered between two looks."""
    parts = house.engine.parts
    return RuntimeViews(house.store, parts.toolbox, parts.directory, KEY)


async def listed(house: House, who: str) -> list[Waiting]:
    return list(await views_of(house).waiting_for(account(who)))


async def test_the_list_says_what_each_question_asks(build: Build) -> None:
    """PN-12: several that wait for one person are told apart by their words, shown on one line and inert."""
    asks = calls(
        call("ask_people", question="Which colour?", options=["red", "blue"]),
        call("ask_people", question="Which\ndoor?", options=["left", "right"]),
    )
    async with build(policy=policy(), model=Played(asks)) as house:
        await house.mention("ana", "paint the door")
        await house.chat.until(lambda: len(house.with_button("pick_a")) == 2, "two cards")

        rows = (await ordered(house, "ana", "pending")).splitlines()[1:]

        assert [row.startswith("Question · ") for row in rows] == [True, True]
        assert sorted("Which colour?" in row for row in rows) == [False, True]
        assert sorted("Which door?" in row for row in rows) == [False, True]


async def test_what_is_put_off_leaves_ones_own_list_until_then(build: Build, hands: Hands) -> None:
    """PN-12: bo's list alone; chris's, the card, the ladder and bo's right are what they were."""
    ladder = "{after: 3h, remind: here}, {after: 3d, expire: true}"
    async with build(policy=policy(ladder=ladder), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        before, id = await request_of(house, card), subject_of(card)  # noqa: A001  # its name everywhere

        told = await ordered(house, "bo", f"later {id} 2h")

        assert told.startswith("Put off: not in your list until ")
        assert "Nothing changes for anybody else: its cards, its reminders and its deadline go on." in told
        assert told.endswith(f"To see it sooner: @countersign now {id}")
        (bos,), (theirs,) = await listed(house, "bo"), await listed(house, "chris")
        assert bos.put_off is not None
        assert (theirs.put_off, theirs.deadline) == (None, before.deadline)
        assert await request_of(house, card) == before
        pending = (await ordered(house, "bo", "pending")).splitlines()
        assert pending[:2] == ["Nothing waits for you.", "Put off. See one sooner with @countersign now REQUEST."]
        assert pending[2].endswith(id)
        assert (await ordered(house, "chris", "pending")).startswith("Waiting for you.")

        house.clock.advance(hours=2, seconds=1)
        await looked(house)

        assert [one.put_off for one in await listed(house, "bo")] == [None]
        house.clock.advance(hours=1)
        await house.shows("Reminder: wire still waits for a signature.")
        assert (await house.press("approve", by="bo", card=card)).is_taken
        await house.shows("Results:")
        assert hands.did == ["wire 90 bank"]
        assert await settled(house)


async def test_what_is_put_off_can_be_answered_and_seen_again(build: Build, hands: Hands) -> None:
    """PN-12: `now` brings it back, by the end of its id as well; who put it off may still sign on its card."""
    async with build(policy=policy(), tools=hands.tools, model=Played(TWICE)) as house:
        await house.mention("ana", "pay")
        await house.chat.until(lambda: len(house.with_button("approve")) == 2, "both cards")
        one, two = house.with_button("approve")
        for card in (one, two):
            await ordered(house, "bo", f"later `{subject_of(card)}` 1h")

        again = await ordered(house, "bo", f"now {subject_of(one)[-8:]}")

        assert again == f"{subject_of(one)} stands in your list again."
        assert {str(each.request) for each in await listed(house, "bo") if each.put_off} == {subject_of(two)}
        assert "is not put off" in await ordered(house, "bo", f"now {subject_of(one)}", "again")
        assert (await house.press("approve", by="bo", card=two)).is_taken
        assert (await house.press("approve", by="bo", card=one)).is_taken
        assert await settled(house)


async def test_a_delivery_that_comes_again_puts_nothing_off_again(build: Build, hands: Hands) -> None:
    """PN-12: later, now, and the first one once more: it stands in the list."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        id = subject_of(await house.card())  # noqa: A001  # its name everywhere
        first = await ordered(house, "bo", f"later {id} 1h", "d1")
        house.clock.advance(minutes=10)
        assert await ordered(house, "bo", f"later {id} 1h", "d1") == first
        await ordered(house, "bo", f"now {id}", "d2")

        await ordered(house, "bo", f"later {id} 1h", "d1")

        assert [one.put_off for one in await listed(house, "bo")] == [None]


async def test_nobody_puts_off_what_does_not_wait_for_them_or_past_its_deadline(build: Build, hands: Hands) -> None:
    """PN-12, T16: one sentence with what to write instead, the same for what there is not and what is not theirs."""
    async with build(policy=policy(ladder="{after: 4h, expire: true}"), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        id = subject_of(await house.card())  # noqa: A001  # its name everywhere

        anas = await ordered(house, "ana", f"later {id} 1h")
        nothing = await ordered(house, "bo", "later q-0-0000 1h")
        too_late = await ordered(house, "bo", f"later {id} until 2040-01-01")
        past_it = await ordered(house, "bo", f"later {id} 5h")

        assert anas == f"There is no {id} that waits for you. @countersign pending lists them."
        assert nothing == "There is no q-0-0000 that waits for you. @countersign pending lists them."
        assert too_late == "At most 7 days; please name an earlier time."
        assert past_it.startswith("Its deadline is ")
        assert [one.put_off for one in await listed(house, "bo")] == [None]
        assert not [one for one in await house.audit() if "later" in str(one.fields)]


async def test_a_sheet_is_put_off_as_one_and_comes_back_before_what_is_due_first(build: Build, hands: Hands) -> None:
    """PN-12, AS-20: one entry of the list stands for all of its items, whichever have been answered meanwhile."""
    async with build(policy=policy(BATCH), tools=hands.tools, model=Played(tidies(3))) as house:
        await house.mention("ana", "tidy up")
        sheet = await house.card("approve_all")
        (before,) = await listed(house, "bo")
        assert before.deadline == min(item.deadline for item in await items(house, sheet) if item.deadline)

        await ordered(house, "bo", f"later {before.request} 3h")
        await withdrawn(house, (await items(house, sheet))[0])

        assert [(one.request, one.put_off is not None) for one in await listed(house, "bo")] == [(before.request, True)]
        assert (await house.press("approve_all", by="bo", card=sheet)).is_taken
        assert await settled(house)


class TestForgery(OnRedis):
    async def test_a_value_that_is_not_ours_puts_nothing_off(self, build: Build, hands: Hands) -> None:
        """PN-12, T22: who writes to Redis hides nothing from anybody: another one's value, or no value of ours."""
        async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house, self.server() as server:
            await house.mention("ana", "pay")
            id = subject_of(await house.card())  # noqa: A001  # its name everywhere
            await ordered(house, "bo", f"later {id} 1h")
            own, theirs = (f"{{{self.namespace}}}:keep:later/{id}/{who}" for who in ("bo", "chris"))
            sealed = await server.get(own)
            assert 3_600 < await server.ttl(own) <= 86_400, "Redis forgets it by itself"

            await server.set(theirs, sealed)
            await server.set(own, b"\x01" + sealed[1:-1] + b"!")

            for who in ("bo", "chris"):
                assert [one.put_off for one in await listed(house, who)] == [None]


# --------------------------------------------------------------------- my team's


async def test_a_manager_reads_what_waits_for_their_people_and_no_more(build: Build, hands: Hands) -> None:
    """PN-12, T20: who is asked and since when, no argument; nobody else's team, and nothing to press."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        await ordered(house, "bo", f"later {subject_of(card)} 1h")
        house.clock.advance(minutes=7)
        await looked(house)

        danas, bos = await ordered(house, "dana", "pending team"), await ordered(house, "bo", "pending team 1")
        (awaited,) = await views_of(house).team(account("dana"))

        head, row = danas.splitlines()
        assert head == "Waiting for the people whose manager you are."
        assert row == f"{subject_of(card)} · wire · waits for Bo, Chris · asked 7 min ago"
        assert bos == "Nothing waits for your team."
        assert awaited.people == ("Bo", "Chris")
        assert await listed(house, "dana") == []


async def test_a_manager_sees_no_conversation_that_is_not_theirs_to_see(build: Build, hands: Hands) -> None:
    """PN-12, T16: a task in a direct message is its writer's alone; a stranger or guest has no team."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        await house.card()
        store, parts = house.store, house.engine.parts
        load = store.load

        async def direct(run: RunId) -> Loaded:
            loaded = await load(run)
            assert loaded is not None
            task = loaded.run.task
            place = replace(task.place, is_direct=True)
            return replace(loaded, run=replace(loaded.run, task=replace(task, place=place)))

        assert len(await views_of(house).team(account("dana"))) == 1
        store.load = direct  # type: ignore[method-assign]  # as if ana had written in private
        assert await views_of(house).team(account("dana")) == ()
        assert await RuntimeViews(store, parts.toolbox, PeopleDirectory(()), KEY).team(account("dana")) == ()


async def test_whoever_has_answered_is_waited_for_no_more_also_in_the_teams_list(build: Build, hands: Hands) -> None:
    """PN-12: two of the group have to sign; bo has."""
    rules = policy(ask="groups: [{of: approvers, need: 2}]")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        await house.press("approve", by="bo", card=await house.card())

        (awaited,) = await views_of(house).team(account("dana"))

        assert awaited.people == ("Chris",)
