"""Small promises about people and what they see, each in one short story."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from agents.toolbox import tool
from bot.domain.calls import Risk
from bot.domain.ports import Line, Said
from tests.fakes.chat import Posted
from tests.flows.stage import HASTY, Build, Hands, Played, call, calls, events, policy, quiet, settled

WIRE = calls(call("wire", amount=90))
DRAFT = calls(call("review_draft", draft="Hi all"))


async def test_a_long_reply_full_of_marks_is_read_to_its_last_character(build: Build, hands: Hands) -> None:
    """AS-10: emoji, mention markup and 10,000 characters survive the store, a restart of the run, and the journal."""
    text = "use 👩🏽‍🔧 <@U1> & *staging*\n" + "é" * 10_000 + " the end"
    model = Played(WIRE, WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model, pace=HASTY) as house:
        thread = await house.mention("ana", "pay")
        first = await house.card()

        await house.say("ana", text, thread=thread)

        await house.card(but=[first])
        assert f"[ana] {text}" in model.read


async def test_each_category_of_a_tool_goes_to_its_own_people_and_channel(build: Build) -> None:
    """AS-38, AU-29: a deployment is asked about in #dev-approvals, a payment in #money, anything else in the thread."""

    @tool(risk=Risk.WRITE, category="technical")
    async def deploy(what: str) -> str:
        """Deploy."""
        return what

    @tool(risk=Risk.WRITE, category="business")
    async def pay(what: str) -> str:
        """Pay."""
        return what

    @tool(risk=Risk.WRITE)
    async def other(what: str) -> str:
        """Something else."""
        return what

    rules = """
rules:
  - {id: tech, when: tool.category == "technical", ask: {groups: [approvers]}, place: "#dev-approvals"}
  - {id: money, when: tool.category == "business", ask: {groups: [managers]}, place: "#money"}
  - {id: rest, ask: {groups: [anyone]}}
"""

    def turn(lines: Sequence[Line]) -> Said:
        return calls(call(lines[1].text.split()[-1], what="x"))

    async with build(policy=rules, tools=(deploy, pay, other), model=Played(turn)) as house:
        found: dict[str, Posted] = {}
        for name in ("deploy", "pay", "other"):
            await house.mention("ana", f"please {name}")
            found[name] = await house.card(but=list(found.values()))

        channels = {name: post.place.channel for name, post in found.items()}
        assert channels == {"deploy": "dev-approvals", "pay": "money", "other": "general"}
        assert not (await house.press("approve", by="bo", card=found["pay"])).is_taken
        assert (await house.press("approve", by="dana", card=found["pay"])).is_taken


async def test_a_signed_mail_goes_out_as_it_was_signed(build: Build, tmp_path: Path) -> None:
    """AU-05: nothing is sent before; the version that bo signed is, to its very recipient, and no other one ever."""
    first = call("send_email", to="vendor@example.org", subject="Q2", body="10 % off?")
    final = call("send_email", to="vendor@example.org", subject="Q2", body="Could we have 10 % off our Q2 order?")
    async with build(model=Played(calls(first), calls(final))) as house:
        thread = await house.mention("ana", "ask the vendor for 10 % off")
        draft = await house.card()
        await house.say("ana", "more polite", thread=thread)
        card = await house.card(but=[draft])
        late = await house.press("approve", by="bo", card=draft)
        assert not mails(tmp_path)

        assert (await house.press("approve", by="bo", card=card)).is_taken

        assert await settled(house)
        assert not late.is_taken
        (mail,) = mails(tmp_path)
        assert (mail["To"], mail["Subject"]) == ("vendor@example.org", "Q2")
        assert mail.get_content().strip() == "Could we have 10 % off our Q2 order?"


def mails(folder: Path) -> list[EmailMessage]:
    """What was sent."""
    return [message_from_bytes(file.read_bytes(), policy=default) for file in folder.glob("mail/*")]


async def test_feedback_makes_the_old_version_dead(build: Build) -> None:
    """AU-10: "more formal" brings a second draft; Accept on the first one, still on a screen, accepts nothing."""
    model = Played(DRAFT, calls(call("review_draft", draft="Dear all")))
    async with build(policy=policy(), model=model) as house:
        thread = await house.mention("ana", "announce it")
        first = await house.card("accept")
        await house.say("ana", "more formal", thread=thread)
        second = await house.card("accept", but=[first])

        late = await house.press("accept", by="ana", card=first)

        assert not late.is_taken
        assert (await house.press("accept", by="ana", card=second)).is_taken
        await house.shows("The draft is accepted as it is.")
        assert "Dear all" in second.cards[0].blocks[0].text


async def test_what_a_rule_let_through_is_recorded_as_the_rules(build: Build, hands: Hands) -> None:
    """AU-23, D-18: the audit names the rule and nobody; no vote and no request is made up for it."""
    async with build(policy=policy(), tools=hands.tools, model=Played(calls(call("peek", what="x")))) as house:
        await house.mention("ana", "look")
        await house.shows("ok peek x")

        (allowed,) = await events(house, "call_allowed")
        assert (allowed["rule"], allowed["tool"]) == ("reading", "peek")
        assert "person" not in allowed
        assert not await events(house, "request_opened")
        assert not await events(house, "vote_counted")


async def test_a_run_that_waits_asks_no_model(build: Build, hands: Hands) -> None:
    """ST-01: neither while it waits nor when it is rebuilt for the click; one more turn comes with the result."""
    model = Played(WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model, pace=HASTY) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        house.clock.advance(hours=3)
        await house.store.beat("a process", timedelta(seconds=1))
        assert len(model.asked) == 1

        await house.press("approve", by="bo", card=card)

        await house.shows("Results: ok wire 90 bank")
        assert len(model.asked) == 2


async def test_the_end_of_a_task_is_told_once_to_whoever_gave_it(build: Build, hands: Hands) -> None:
    """ST-16: one message in the thread, with the answer, that calls ana."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        thread = await house.mention("ana", "pay")
        await house.press("approve", by="bo")
        await house.shows("Results: ok wire 90 bank")
        await quiet(house)

        ends = [post for post in house.chat.posts if "Results: ok wire 90 bank" in post.card.body]
        assert [(post.place.thread, post.card.mentions) for post in ends] == [(thread, ("ana",))]
        assert await settled(house)
