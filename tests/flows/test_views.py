"""Looks at the store for pages and commands: what somebody answered, a button as it is now, Stop while a run lives."""

from __future__ import annotations

import pytest

from bot.domain.chat import Account, Message, MessageRef, Place
from bot.domain.errors import BadSeal
from bot.domain.request import RequestId
from bot.domain.wire import replace
from bot.peoplefile import PeopleDirectory
from bot.runtime.views import RuntimeViews
from tests.contracts.on_redis import OnRedis
from tests.flows.stage import Build, Hands, Played, call, calls, policy, quiet, run_of, subject_of
from tests.house import KEY, House, account, find

WIRE = calls(call("wire", amount=90))


def views_of(house: House) -> RuntimeViews:
    parts = house.engine.parts
    return RuntimeViews(house.store, parts.toolbox, parts.directory, KEY)


async def test_the_button_of_a_request_is_the_one_on_its_card(build: Build, hands: Hands) -> None:
    """A form opens from the store, not from the message: subject, token and fields are those of the card as it is."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        views, request = views_of(house), RequestId(subject_of(card))

        edit = await views.button(request, "edit")

        assert edit == find(card, "edit")
        assert {field.name: field.value for field in edit.fields}["amount"] == "90"
        assert await views.button(request, "stop") == find(card, "stop")
        assert await views.button(request, "answer") is None


async def test_a_settled_or_unknown_request_has_no_button(build: Build, hands: Hands) -> None:
    """T13: an id that somebody made up is answered, not an error."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        await house.press("reject", by="bo", card=card, fields={"reason": "no"})

        for id in (subject_of(card), "q-0-none", "q-99-none", "run", "q-x-", ""):  # noqa: A001  # its name everywhere
            assert await views_of(house).button(RequestId(id), "approve") is None
        await quiet(house)


class TestForgery(OnRedis):
    async def test_a_forged_record_has_no_button_either(self, build: Build, hands: Hands) -> None:
        """T22: nobody is offered a form for a call that somebody else wrote into Redis."""
        async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house, self.server() as server:
            await house.mention("ana", "pay")
            request = subject_of(await house.card())
            key = f"{{{self.namespace}:0}}:request:{request}"
            await server.hset(key, "doc", (await server.hget(key, "doc")).replace(b"90", b"99"))

            with pytest.raises(BadSeal):
                await views_of(house).button(RequestId(request), "edit")
            await server.delete(key)


async def test_a_person_finds_what_they_answered_latest_first(build: Build, hands: Hands) -> None:
    """Their own answers alone, with the request as it stands now, even while it waits for others."""
    two = policy("groups: [{of: approvers, need: 2}]")
    async with build(policy=two, tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        first = await house.card()
        await house.press("approve", by="bo", card=first)
        await house.press("approve", by="chris", card=first)
        await house.mention("ana", "pay again")
        second = await house.card(but=[first])
        await house.press("approve", by="chris", card=second)
        await house.mention("dana", "pay once more")
        third = await house.card(but=[first, second])
        await house.press("reject", by="bo", card=third, fields={"reason": "no"})
        views = views_of(house)

        bo, chris, dana = [await views.settled_by(account(who)) for who in ("bo", "chris", "dana")]

        asked = [subject_of(card) for card in (first, second, third)]
        assert [(one.request, one.move) for one in bo] == [(asked[2], "reject"), (asked[0], "approve")]
        assert [(one.request, one.move) for one in chris] == [(asked[1], "approve"), (asked[0], "approve")]
        assert dana == ()
        assert bo[0].at > bo[1].at
        assert bo[0].card.title == "Rejected: wire"
        assert bo[0].run in bo[0].card.footer
        assert "Signed by Chris" in chris[0].card.status
        assert await views.settled_by(account("bo"), most=1) == bo[:1]
        assert await views.settled_by(account("bo"), most=0) == ()


async def test_somebody_unknown_finds_nothing(build: Build, hands: Hands) -> None:
    """T16: no account, no answers; and nobody is found by the name of another's account."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        await house.press("approve", by="bo")
        views = views_of(house)

        assert await views.settled_by(account("nobody")) == ()
        assert await views.settled_by(Account(platform="slack", tenant="T1", user="bo")) == ()
        await quiet(house)


async def test_answers_are_looked_for_in_the_last_records_only(
    build: Build, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T18: a page opened by everybody does not read a year's audit; what it shows are the last answers."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        await house.press("approve", by="bo")
        await quiet(house)
        views = views_of(house)
        assert len(await views.settled_by(account("bo"))) == 1

        monkeypatch.setattr("bot.runtime.views.LOOKED_BACK", 3)
        monkeypatch.setattr("bot.runtime.views.LEAST", 3)

        assert await views.settled_by(account("bo")) == ()


async def test_a_run_has_its_stop_button_as_long_as_it_lives(build: Build, hands: Hands) -> None:
    """It is the button of the status message, and it works; a stopped run has none."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        thread = await house.mention("ana", "pay")
        card = await house.card()
        views, run = views_of(house), await run_of(house, thread)

        one = await views.run(run, account("bo"))
        (listed,) = await views.runs(account("bo"))

        assert one is not None
        assert listed == replace(one, moments=())
        status = await house.card("stop", but=[card])
        assert one.stop == find(status, "stop")

        assert (await house.press("stop", by="bo", card=status)).is_taken
        await quiet(house)
        ended = await views.run(run, account("bo"))
        assert ended is not None
        assert (ended.status, ended.stop) == ("stopped", None)


async def test_a_timeline_calls_people_by_their_names(build: Build, hands: Hands) -> None:
    """CD-04: what happened is told in the words people use; the ids stay in the audit's own records."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        run = await run_of(house, await house.mention("ana", "pay"))
        await house.press("approve", by="bo")
        await quiet(house)

        view = await views_of(house).run(run, account("bo"))

        assert view is not None
        told = [moment.text for moment in view.moments]
        assert {"Ana gave the task", "Bo answered: approve"} <= set(told)
        assert [moment.person for moment in view.moments if moment.event == "vote_counted"] == ["bo"]


async def test_runs_of_another_workspace_and_of_direct_messages_are_nobody_elses_business(build: Build) -> None:
    """T15: bo sees ana's run in the channel; not the one in her direct message, and none from another workspace."""
    async with build(policy=policy(), model=Played()) as house:
        await house.mention("ana", "say hello")
        await quiet(house)
        (shared,) = await house.store.recent_runs(0, 10)
        direct = Place(platform="playground", tenant="local", channel="dm-ana", thread="d1", is_direct=True)
        ref = MessageRef(place=direct, id="d1")
        await house.desk.message(
            Message(delivery="d1", by=account("ana"), place=direct, text="hello", ref=ref, is_mention=True)
        )
        await quiet(house)
        views = views_of(house)
        hers = await house.store.recent_runs(0, 10)
        (private,) = [run for run in hers if run != shared]
        elsewhere = Account(platform="playground", tenant="other", user="bo")
        person = replace(house.engine.parts.directory.people[1], accounts=(account("bo"), elsewhere))  # type: ignore[attr-defined]  # the shipped people
        spread = RuntimeViews(house.store, house.engine.parts.toolbox, PeopleDirectory((person,)), KEY)

        assert {view.run for view in await views.runs(account("bo"))} == {shared}
        assert {view.run for view in await views.runs(account("ana"))} == {shared, private}
        assert await views.run(private, account("bo")) is None
        assert await views.trail(account("bo"), run=private) == ()
        assert await spread.runs(elsewhere) == ()
        assert {view.run for view in await spread.runs(account("bo"))} == {shared}
