"""Evidence: what a tool finds out before anybody signs is worked out once, stays with the request, decides nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

import pytest

from agents.toolbox import SECRET, Shown, tool
from bot.domain.calls import Evidence, Risk
from bot.domain.chat import Card
from bot.domain.ports import Leave, Said, Tool
from bot.runtime import evidencing
from tests.fakes.chat import Posted
from tests.flows.stage import Build, Played, call, calls, moves, policy, quiet, request_of, settled, shown
from tests.house import House

WIRE = calls(call("wire", amount=90))
ACK_WITHIN = 3.0  # seconds, in Slack and Teams
STOP_WITHIN = 2.0  # seconds (AS-11)


class Bank:
    """A tool whose preview counts, waits when it is told to, and finds out what it is told to."""

    def __init__(self) -> None:
        self.previews: list[int] = []
        self.looking, self.may_end = asyncio.Event(), asyncio.Event()
        self.may_end.set()
        self.was_cancelled = False
        self.found: Callable[[int], object] = lambda amount: f"{1000 - amount} would be left"
        self.did: list[int] = []
        self.risk = Risk.IRREVERSIBLE

    @property
    def tools(self) -> tuple[Tool, ...]:
        async def before(amount: int, pin: str) -> object:
            self.previews.append(amount)
            self.looking.set()
            try:
                await self.may_end.wait()
            except asyncio.CancelledError:
                self.was_cancelled = True
                raise
            found = self.found(amount)
            return found.replace("PIN", pin) if isinstance(found, str) else found

        @tool(risk=self.risk, preview=before, preview_timeout=timedelta(seconds=30))
        async def wire(amount: int, leave: Leave, pin: Annotated[str, SECRET] = "none") -> str:  # noqa: ARG001
            """Send money."""
            self.did.append(amount)
            return "sent"

        @tool(risk=Risk.READ)
        def look_up(what: str) -> object:
            """Look something up."""
            return Shown(f"{what} is fine", sources=(f"the {what} register, page 3",))

        return wire, look_up


@pytest.fixture
def bank() -> Bank:
    return Bank()


def house_of(make: Build, bank: Bank, *turns: Said) -> House:
    return make(policy=policy(), tools=bank.tools, model=Played(*turns))


def evidence(post: Posted) -> list[str]:
    return pieces(post.card)


def pieces(card: Card) -> list[str]:
    """What the card says of its evidence, label and text of each piece."""
    return [f"{block.label} | {block.text}" for block in card.blocks if block.label.startswith("Evidence")]


# ---------------------------------------------------------------- on the card


async def test_the_card_shows_the_dry_run_apart_from_the_arguments(build: Build, bank: Bank) -> None:
    """PN-13: the expected effect stands on the card, under a label that says whose words it is; then the call runs."""
    async with house_of(build, bank, WIRE) as house:
        await house.mention("ana", "pay")
        post = await house.card()

        assert evidence(post) == ["Evidence, from the tool, before anybody signs: Dry run | 910 would be left"]
        assert all("910" not in block.text for block in post.card.blocks if block.label == "Arguments")
        await house.press("approve", by="bo")
        assert await settled(house)
        assert bank.did == [90]


async def test_the_preview_runs_once_and_a_restart_shows_what_was_stored(build: Build, bank: Bank) -> None:
    """The request carries what was found when it was opened: no replay and no second process asks the tool again."""
    async with house_of(build, bank, WIRE) as first:
        await first.mention("ana", "pay")
        await first.card()
        await shown(first)
    bank.found = lambda _amount: "something else"

    async with first.again() as second:
        await second.press("approve", by="bo")
        assert await settled(second)
        found = {one for post in second.chat.posts for card in post.cards for one in pieces(card)}

    assert (bank.previews, bank.did) == ([90], [90])
    assert found == {"Evidence, from the tool, before anybody signs: Dry run | 910 would be left"}


async def test_a_preview_that_fails_is_shown_as_failed_and_the_call_can_still_be_signed(
    build: Build, bank: Bank
) -> None:
    """Evidence decides nothing; that there is none is never hidden, and what broke is not told."""

    def broken(_amount: int) -> object:
        raise RuntimeError("password of the database")

    bank.found = broken
    async with house_of(build, bank, WIRE) as house:
        await house.mention("ana", "pay")
        post = await house.card()

        assert evidence(post)[0].endswith("could not be worked out: the preview of wire failed inside")
        assert "password" not in str(post.card)
        await house.press("approve", by="bo")
        assert await settled(house)
        assert bank.did == [90]


async def test_what_runs_without_being_asked_about_is_not_previewed(build: Build, bank: Bank) -> None:
    """A preview is for those who sign: a call that needs nobody runs without one."""
    free = 'rules:\n  - id: free\n    when: tool.name == "wire"\n    allow: true\n'
    bank.risk = Risk.WRITE
    async with build(policy=free, tools=bank.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        assert await settled(house)

    assert (bank.previews, bank.did) == ([], [90])


async def test_a_secret_argument_is_blotted_out_of_its_evidence(build: Build, bank: Bank) -> None:
    """T20: a preview that repeats a secret shows it to nobody, and the request does not hold it a second time."""
    bank.found = lambda _amount: "charged with PIN"
    async with house_of(build, bank, calls(call("wire", amount=90, pin="canary-4711"))) as house:
        await house.mention("ana", "pay")
        post = await house.card()

        assert evidence(post)[0].endswith("charged with •••")
        assert "canary" not in str((await request_of(house, post)).evidence)


async def test_long_evidence_is_attached_and_its_beginning_stands_on_the_card(build: Build, bank: Bank) -> None:
    """No cut is silent: the card says how long it is and which file holds it."""
    bank.found = lambda _amount: Evidence(label="Rows", text="row\n" * 3_000, is_code=True)
    async with house_of(build, bank, WIRE) as house:
        await house.mention("ana", "pay")
        post = await house.card()

        (file,) = post.card.attachments
        assert (file.name, file.content, file.is_aside) == ("evidence-1.txt", b"row\n" * 3_000, True)
        assert "(12,000 characters in all: evidence-1.txt" in evidence(post)[0]


# ------------------------------------------------------------- while it looks


async def test_a_stop_ends_a_slow_preview_within_2_s(build: Build, bank: Bank) -> None:
    """AS-11: nothing is asked any more; the preview is cancelled."""
    bank.may_end.clear()
    async with house_of(build, bank, WIRE) as house:
        await house.mention("ana", "pay")
        await bank.looking.wait()
        before = time.monotonic()

        await house.press("stop", by="ana")
        await quiet(house)

        assert time.monotonic() - before < STOP_WITHIN
        assert bank.was_cancelled
        assert house.with_button("approve") == []
        assert await settled(house)


async def test_a_reply_ends_a_slow_preview_and_the_agent_reads_it_first(build: Build, bank: Bank) -> None:
    """PN-17: the call is withdrawn unasked; the agent, who has read the reply, asks anew and the preview is of that."""
    bank.may_end.clear()
    async with house_of(build, bank, WIRE, calls(call("wire", amount=50))) as house:
        thread = await house.mention("ana", "pay 90")
        await bank.looking.wait()
        before = time.monotonic()

        await house.say("ana", "50 is enough", thread=thread)
        while len(bank.previews) < 2:
            await house.store.totals(0)

        assert time.monotonic() - before < STOP_WITHIN
        assert bank.was_cancelled
        bank.may_end.set()
        post = await house.card()
        assert (await request_of(house, post)).call.values["amount"] == 50
        assert evidence(post)[0].endswith("950 would be left")
        await house.press("approve", by="bo")
        assert await settled(house)


# --------------------------------------------------------------------- edited


async def test_an_edited_call_has_evidence_of_its_own(build: Build, bank: Bank) -> None:
    """What the first version would have done says nothing about the second."""
    async with house_of(build, bank, WIRE) as house:
        await house.mention("ana", "pay")
        first = await house.card("edit")

        await house.press("edit", by="bo", card=first, fields={"amount": "40"})
        await house.chat.until(lambda: any("960" in one for p in house.chat.posts for one in evidence(p)), "of 40")

        assert bank.previews == [90, 40]


async def test_an_edit_does_not_wait_for_a_slow_preview(
    build: Build, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack and Teams want an answer within 3 s: what was not ready by then is said to be missing."""
    assert evidencing.EDITED_WITHIN < ACK_WITHIN
    monkeypatch.setattr(evidencing, "EDITED_WITHIN", 0.01)
    async with house_of(build, bank, WIRE) as house:
        await house.mention("ana", "pay")
        first = await house.card("edit")
        bank.may_end.clear()

        answer = await house.press("edit", by="bo", card=first, fields={"amount": "40"})

        assert answer.is_taken
        told = "could not be worked out: the preview of the edited call was not ready in time"
        await house.chat.until(lambda: any(told in one for p in house.chat.posts for one in evidence(p)), told)
        assert bank.was_cancelled


# -------------------------------------------------------------------- sources


async def test_the_card_names_where_the_run_looked_before_it_asked(build: Build, bank: Bank) -> None:
    """AS-28: a lookup used before a risky call: the card lists its sources; no card for the lookup itself."""
    looked = calls(call("look_up", what="vendor"))
    async with house_of(build, bank, looked, WIRE) as house:
        await house.mention("ana", "pay the vendor")
        post = await house.card()

        (told,) = [block.text for block in post.card.blocks if block.label.startswith("Looked up")]
        assert told == "the vendor register, page 3"
        assert len(house.with_button("approve")) == 1
        request = await request_of(house, post)
        assert request.sources == ("the vendor register, page 3",)
        assert all(not past.sources for past in request.history)  # once is enough
        assert moves(post)


async def test_sources_survive_a_restart(build: Build, bank: Bank) -> None:
    """AS-28: what was looked up before a crash stands on the card that is drawn after it, from the journal."""
    turns = (calls(call("look_up", what="vendor")), WIRE)
    bank.may_end.clear()
    async with house_of(build, bank, *turns) as first:
        await first.mention("ana", "pay the vendor")
        await bank.looking.wait()
    bank.may_end.set()

    async with first.again() as second:
        post = await second.card()

        assert (await request_of(second, post)).sources == ("the vendor register, page 3",)
    assert bank.previews == [90, 90]  # nothing had been asked, so nothing was stored
