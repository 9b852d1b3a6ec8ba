"""A test with simulated people tells an author what the bot would do: the same script, in memory and in a whole house.

What the model reads after each call is compared word for word: texts, causes, and that nothing ran that should not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import pytest

from agents.roster import assistant
from agents.testing import Script, Somebody, answer, approve, edit, press, rehearse, reject, revise, say
from agents.tools.people import people_tools
from agents.tryout.cast import Answer
from bot.domain.ports import Said
from bot.policyfile import parse_policy
from tests.flows.stage import STEADY, Build, Hands, Played, call, calls, policy, results, settled
from tests.house import House

PLAIN = "groups: [approvers]"
WIRE = calls(call("wire", amount=90))
Deed = Callable[[House, str], Awaitable[object]]  # what people do in the house, in the thread of this id


@dataclass(frozen=True, slots=True, kw_only=True)
class Tale:
    """One script, twice: what people do in the house, and what they answer in memory."""

    turns: Sequence[Said]
    deeds: Sequence[Deed]
    bo: Sequence[Answer] = ()
    ana: Sequence[Answer] = ()
    ask: str = PLAIN
    more: str = ""
    rules: str = ""  # the whole policy, where the usual one does not do


def presses(move: str, by: str = "bo", **fields: object) -> Deed:
    return lambda house, _thread: house.press(move, by=by, fields=fields)


def says(text: str, by: str = "ana") -> Deed:
    async def deed(house: House, thread: str) -> None:
        await house.card()
        await house.say(by, text, thread=thread)

    return deed


def refused(move: str, by: str) -> Deed:
    async def deed(house: House, _thread: str) -> None:
        assert not (await house.press(move, by=by)).is_taken

    return deed


async def four_hours(house: House, _thread: str) -> None:
    await house.card()
    house.clock.advance(hours=4, seconds=1)


async def silent(house: House, _thread: str) -> None:
    await house.card("write")
    house.clock.advance(hours=4, seconds=1)


FREE = calls(call("ask_people", question="Whose?", options=["red", "blue"]))
DRAFT = calls(call("review_draft", draft="Hi"))
TALES = {
    "approved": Tale(turns=[WIRE], deeds=[presses("approve")], bo=[approve()]),
    "rejected, and asked again": Tale(
        turns=[WIRE, WIRE], deeds=[presses("reject", reason="too much")], bo=[reject("too much")]
    ),
    "expired": Tale(turns=[WIRE], deeds=[four_hours], more="defaults: {ladder: [{after: 4h, expire: true}]}"),
    "changed by whoever signs": Tale(turns=[WIRE], deeds=[presses("edit", amount="60")], bo=[edit(amount=60)]),
    "a newer instruction": Tale(
        turns=[WIRE], deeds=[says("leave it, please")], ana=[say("leave it, please")]
    ),
    "too few people": Tale(turns=[WIRE], deeds=[], ask="groups: [{of: approvers, need: 9}]"),
    "unknown and unreadable": Tale(turns=[calls(call("nothing"), call("wire", amount="much"))], deeds=[]),
    "read, sign, read": Tale(
        turns=[calls(call("peek", what="a"), call("wire", amount=90), call("peek", what="b"))],
        deeds=[presses("approve")],
        bo=[approve()],
    ),
    "a question": Tale(turns=[FREE], deeds=[presses("pick_b", by="ana")], ana=[answer("blue")]),
    "you decide": Tale(turns=[FREE], deeds=[presses("leave", by="ana")], ana=[press("leave")]),
    "a draft": Tale(
        turns=[DRAFT],
        deeds=[presses("revise", by="ana", text="formal")],
        ana=[revise("formal")],
    ),
    "a wish by its button": Tale(
        turns=[calls(call("review_draft", draft="Hi", directions=["Shorter"]))],
        deeds=[presses("want_a", by="ana")],
        ana=[press("want_a")],
    ),
    "a draft that whoever asked may not accept": Tale(
        turns=[DRAFT],
        deeds=[refused("accept", by="ana"), presses("accept")],
        bo=[press("accept")],
        more="reviews: {of: anyone, separate_duties: true}",
    ),
    "a draft that nobody else could accept": Tale(
        turns=[DRAFT], deeds=[], more="reviews: {of: sales, separate_duties: true}"
    ),
    "a default that nobody spoke against": Tale(
        turns=[calls(call("ask_people", question="Whose?", default="red"))],
        deeds=[silent],
        more="defaults: {ladder: [{after: 4h, expire: true}]}",
    ),
    "handed over by a rule": Tale(
        turns=[WIRE],
        deeds=[presses("decline")],
        bo=[press("decline")],
        rules="[{id: much, when: 'args.amount > 50', escalate: {to: '@bo', suggestion: half}}]",
    ),
    "handed over for good": Tale(
        turns=[calls(call("handoff_to_user", message="Yours.", breakout_of_loop=True))], deeds=[]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(TALES))
async def test_a_rehearsal_reads_as_the_bot_does(build: Build, hands: Hands, name: str) -> None:
    """AS-32, AS-36, GN-12: the agent, the script and the policy are the same; only the house around them is another."""
    tale = TALES[name]
    rules = tale.rules or policy(tale.ask, more=tale.more)
    model = Played(*tale.turns)
    async with build(policy=rules, tools=hands.tools, model=model, pace=STEADY) as house:
        thread = await house.mention("ana", "go")
        for deed in tale.deeds:
            await deed(house, thread)
        assert await settled(house)
        there, did = [text.casefold() for text in results(model.asked[-1])], list(hands.did)
    hands.did.clear()

    story = await rehearse(
        assistant((*(one.spec.name for one in hands.tools), *(one.spec.name for one in people_tools()))),
        "go",
        tools=hands.tools,
        policy=parse_policy(rules.encode()),
        model=Script([*tale.turns, "Done."]),
        people=[
            Somebody("ana", groups={"sales"}, answers=tale.ana),
            Somebody("bo", groups={"approvers"}, answers=tale.bo),
        ],
    )

    here = [line.text.casefold() for line in story.thought[-1] if line.role == "tool"]
    assert here == there
    assert hands.did == did
