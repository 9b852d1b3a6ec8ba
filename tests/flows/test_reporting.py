"""A report for people in a chat: what the audit and the open requests say, to those alone who may see it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from bot.domain.chat import Account
from bot.domain.report import QUICK
from bot.runtime import reporting
from bot.runtime.absences import StoredAbsences
from bot.runtime.reporting import load, trail
from bot.runtime.rights import Rights
from bot.runtime.views import RuntimeViews
from bot.telemetry import Metrics
from tests.fakes.chat import Posted
from tests.flows.stage import Build, Hands, Played, Staff, call, calls, policy, quiet
from tests.house import KEY, House, account

TWO = calls(call("wire", amount=90), call("wire", amount=91))
MONTH = timedelta(days=30)


def views_of(house: House, *reports: str) -> RuntimeViews:
    parts = house.engine.parts
    return RuntimeViews(house.store, parts.toolbox, parts.directory, KEY, reports=reports)


def waiting(house: House) -> dict[str, float]:
    """The gauge of each person, from the page that Prometheus reads."""
    meter = house.engine.parts.meter
    assert isinstance(meter, Metrics)
    found = re.findall(r'^countersign_waiting_requests\{person="(\w+)"\} (.+)$', meter.page().decode(), re.MULTILINE)
    return {person: float(count) for person, count in found}


async def later(house: House, *, seconds: float) -> None:
    """The store's clock moves, and this process has heard of it."""
    begin = house.store.now()
    house.clock.advance(seconds=seconds)
    while (house.store.now() - begin).total_seconds() < seconds:
        await house.store.beat("a process", timedelta(seconds=1))


async def test_a_report_tells_what_was_decided_how_fast_and_what_waits(build: Build, hands: Hands) -> None:
    """PN-14, T19: bo signs at once, which a manager can read; the other request waits for bo and chris alike."""
    async with build(policy=policy(), tools=hands.tools, model=Played(TWO)) as house:
        await house.mention("ana", "pay both")
        first = await house.card()
        await house.card(but=[first])
        assert not (await house.press("approve", by="erin", card=first)).is_taken
        await house.press("approve", by="bo", card=first)

        text = await views_of(house, "managers").report(account("dana"), MONTH)

        assert text is not None
        assert "1 approved in under 3 s, 1 refused, 1 waiting." in text.splitlines()[0]
        rows = {line.partition(":")[0]: line for line in text.splitlines()}
        assert "1 decided, 100 % approved" in rows["Bo"]
        assert rows["Bo"].endswith("1 waiting.")
        assert rows["Chris"].endswith("0 decided, 1 waiting.")
        page = house.engine.parts.meter.page().decode()  # type: ignore[attr-defined]  # the roof's meter has a page
        assert 'countersign_votes_by_person_total{move="approve",person="bo"} 1.0' in page
        assert "countersign_approvals_quick_total 1.0" in page


async def test_the_metrics_tell_what_waits_for_each_person_and_when_nothing_does(build: Build, hands: Hands) -> None:
    """PN-14: one number a person; it falls to 0 with the last request, and does not stay at what it was."""
    async with build(policy=policy(), tools=hands.tools, model=Played(TWO)) as house:
        await house.mention("ana", "pay both")
        first = await house.card()
        second = await house.card(but=[first])
        await house.engine.load.look()
        before = waiting(house)
        await house.press("approve", by="bo", card=first)
        await house.press("reject", by="bo", card=second, fields={"reason": "twice"})
        await quiet(house)

        await house.engine.load.look()

        assert before == {"bo": 2, "chris": 2}
        assert waiting(house) == {"bo": 0, "chris": 0}


async def test_a_slow_approval_is_no_quick_one(build: Build, hands: Hands) -> None:
    """T19: counted by the store's clock, from the opening of the request."""
    async with build(policy=policy(), tools=hands.tools, model=Played(calls(call("wire", amount=90)))) as house:
        await house.mention("ana", "pay")
        await house.card()
        await later(house, seconds=QUICK.seconds + 1)
        await house.press("approve", by="bo")
        await quiet(house)

        text = await views_of(house, "@dana").report(account("dana"), MONTH)

        assert text is not None
        assert "under 3 s" not in text
        page = house.engine.parts.meter.page().decode()  # type: ignore[attr-defined]  # the roof's meter has a page
        assert "countersign_approvals_quick_total 0.0" in page


@pytest.mark.parametrize(
    ("reports", "viewer"),
    [((), "dana"), (("managers",), "ana"), (("@dana",), "bo"), (("nobody-is-in-it",), "dana"), (("anyone",), "who")],
)
async def test_nobody_reads_a_report_that_is_not_for_them(
    build: Build, reports: tuple[str, ...], viewer: str
) -> None:  # fmt: skip
    """T32: not without the key, not outside of its groups, not as a stranger: no report, and no hint of one."""
    async with build(policy=policy(), model=Played()) as house:
        who = Account(platform="playground", tenant="local", user=viewer)

        assert await views_of(house, *reports).report(who, MONTH) is None


async def test_a_report_is_read_once_a_minute_however_many_look(
    build: Build, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T18: a Home tab is drawn again and again; the audit is not read each time."""
    async with build(policy=policy(), tools=hands.tools, model=Played(TWO)) as house:
        views = views_of(house, "managers")
        read = list[int]()
        look = house.store.audit_lines

        async def counted(shard: int, first: int, last: int) -> tuple[str, ...]:
            read.append(shard)
            return await look(shard, first, last)

        await house.mention("ana", "pay both")
        await house.card()
        monkeypatch.setattr(house.store, "audit_lines", counted)
        for _ in range(5):
            await views.report(account("dana"), MONTH)
        once = len(read)

        await later(house, seconds=61)
        await views.report(account("dana"), MONTH)

        assert once >= 1
        assert len(read) == 2 * once


async def test_a_long_audit_is_read_from_its_end_and_a_cut_is_said(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """T18: page by page, no record twice, none left out in between, and at most so many of a shard."""
    monkeypatch.setattr(reporting, "PAGE", 7)
    async with build(policy=policy(), model=Played()) as house:
        await house.store.log(0, tuple(b'{"e":"vote_refused","n":%d}' % number for number in range(100)))
        since = house.store.now() - MONTH

        whole, part = await trail(house.store, since, most=1_000), await trail(house.store, since, most=20)

        numbers = [entry.fields["n"] for entry in whole.entries if "n" in entry.fields]
        assert numbers == list(range(100))
        assert not whole.is_cut
        first = part.entries[0].seq
        assert [entry.seq for entry in part.entries] == list(range(first, first + 20))
        assert first > 80
        assert part.is_cut


async def test_the_load_leaves_out_who_asked_who_voted_and_what_has_ended(build: Build, hands: Hands) -> None:
    """Two must sign: bo has; what waits, waits for chris."""
    rules = policy("groups: [{of: approvers, need: 2}], separate_duties: true")
    async with build(policy=rules, tools=hands.tools, model=Played(TWO)) as house:
        await house.mention("ana", "pay both")
        first = await house.card()
        second = await house.card(but=[first])
        await house.press("approve", by="bo", card=first)
        await house.press("reject", by="bo", card=second, fields={"reason": "twice"})
        parts = house.engine.parts

        waiting = await load(house.store, Rights(parts.directory, StoredAbsences(house.store), is_judging=False))

        assert waiting.requests == 1
        assert dict(waiting.people) == {"chris": 1}


async def test_a_group_that_is_gone_is_counted_and_named_and_hides_no_other(build: Build, hands: Hands) -> None:
    """PN-14: a user group was deleted while two requests waited for it: report and gauge tell of all the others."""
    staff = Staff()
    rules = policy("groups: [approvers]").replace(
        "  - id: sign", "  - {id: other, when: tool.name == \"tidy\", ask: {groups: ['@dana']}}\n  - id: sign"
    )
    turn = calls(call("wire", amount=90), call("wire", amount=91), call("tidy", what="desk"))
    async with build(policy=rules, tools=hands.tools, directory=staff, model=Played(turn)) as house:
        await house.mention("ana", "pay both, and tidy up")
        first = await house.card()
        await house.card(but=[first, await house.card(but=[first])])
        staff.lost = "approvers"

        text = await views_of(house, "managers").report(account("dana"), MONTH)
        await house.engine.load.look()

        assert text is not None
        assert "3 waiting" in text.splitlines()[0]
        assert "Nobody can be read for 2 open requests: group approvers is gone." in text.splitlines()
        assert waiting(house) == {"dana": 1}
        page = house.engine.parts.meter.page().decode()  # type: ignore[attr-defined]  # the roof's meter has a page
        assert "countersign_unread_requests 2.0" in page


async def test_a_report_says_what_grants_could_have_saved(build: Build, hands: Hands) -> None:
    """PN-14: desk and shelf tidied twice in one thread, approved each time; of what cannot be undone, no line."""
    rules = policy("groups: [approvers], grant: {most: 5, within: 8h, same: [what]}")
    turns = [calls(call("tidy", what=what)) for what in ("desk", "shelf") * 2]
    async with build(policy=rules, tools=hands.tools, model=Played(*turns, *[TWO] * 2)) as house:
        await house.mention("ana", "tidy up, and pay")
        seen: list[Posted] = []
        for _ in range(8):
            seen.append(await house.card(but=seen))
            await house.press("approve", by="bo", card=seen[-1])
        await quiet(house)

        text = await views_of(house, "managers").report(account("dana"), MONTH)

        assert text is not None
        assert "  tidy (rule sign): 2 of 4, 2 of them the very same call" in text.splitlines()
        assert "wire" not in text
