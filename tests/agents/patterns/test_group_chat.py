"""Group chat: whose turn it is, who is heard, and what alone ends a talk."""

from __future__ import annotations

import pytest

from agents.patterns.group_chat import GroupChat
from agents.patterns.person import Person
from agents.testing import Somebody, accept, answer, press, rehearse, revise, say, silence
from bot.domain.request import Kind
from bot.domain.run import RunStatus
from tests.agents.patterns.minds import Minds, agent, call

END = press("end")


async def test_members_speak_in_their_order_people_among_them() -> None:
    """AU-08: members a, human, b: the observed order is a, human, b, a, …; every turn is posted."""
    chat = GroupChat(
        name="talk", members=(agent("a"), Person(name="human", does="answer"), agent("b")), max_turns=4
    )  # fmt: skip
    minds = Minds(a=["a one", "a two"], b=["b one"])

    story = await rehearse(
        chat, "discuss", model=minds, people=[Somebody("ana", answers=[answer("human one"), END])], restarts=True
    )

    assert minds.order == ["a", "b", "a"]
    assert story.said == ("a one", "b one", "a two")
    heard = [line.text for line in minds.read["b"][0]][1:]
    assert heard == ["[ana] discuss", "[a, an agent] a one", "[human] human one"]


async def test_a_reply_in_the_thread_reaches_all_agents_at_their_next_turn_under_its_name() -> None:
    """GN-18: "consider cost" is in both next requests, attributed; the debate ends at its rounds, by people."""
    chat = GroupChat(name="debate", members=(agent("a", "ask_people"), agent("b")), max_turns=4)
    minds = Minds(a=[call("ask_people", question="?"), "a one", "a two"], b=["b one", "b two"])

    story = await rehearse(
        chat,
        "debate",
        model=minds,
        people=[Somebody("bo", answers=[say("consider cost")]), Somebody("ana", answers=[answer("go"), END])],
    )

    assert "[bo] consider cost" in minds.told("a")
    assert "[bo] consider cost" in minds.told("b")
    (stuck,) = [one for one in story.requests if one.kind is Kind.STUCK]
    assert "has had 4 turns" in stuck.call.values["told"]
    assert story.answer.startswith("The talk ended without a result.")
    assert story.answer.endswith("What was said last, by b:\nb two")


async def test_no_words_end_a_talk_but_a_finish_does() -> None:
    """D-36, AU-15: "DONE" is a text; the structured finish is the answer."""
    chat = GroupChat(name="talk", members=(agent("a"), agent("b")))
    minds = Minds(a=["DONE", call("finish", answer="seven")], b=["TERMINATE. We are done."])

    story = await rehearse(chat, "how many?", model=minds, restarts=True)

    assert (story.answer, minds.order) == ("seven", ["a", "b", "a"])


async def test_a_cap_asks_people_and_as_many_turns_are_given_again() -> None:
    """D-37: the cap never ends it silently, nor goes on silently."""
    chat = GroupChat(name="talk", members=(agent("a"),), max_turns=2)
    minds = Minds(a=["1", "2", "3", "4"])

    story = await rehearse(
        chat, "talk", model=minds, people=[Somebody("ana", answers=[press("go_on"), press("done", text="enough: 4")])]
    )

    assert len(minds.read["a"]) == 4
    assert story.answer == "enough: 4"


async def test_silence_at_the_cap_ends_the_talk_and_says_so() -> None:
    chat = GroupChat(name="talk", members=(agent("a"),), max_turns=1)

    story = await rehearse(chat, "talk", model=Minds(a=["1"]), people=[Somebody("ana", answers=[silence()])])

    assert story.answer.startswith("The talk ended without a result.")
    assert story.status is RunStatus.DONE


async def test_a_chosen_speaker_chooses_by_a_call_and_a_stranger_s_name_is_told_back() -> None:
    """GN-18, D-41: words choose nobody; an unknown name is told; finish ends it."""
    chat = GroupChat(name="talk", members=(agent("a"), agent("b")), speaker=agent("chair"))
    minds = Minds(
        chair=[
            "b should speak next, I think",
            call("next_speaker", name="zoe"),
            call("next_speaker", name="b", note="the price?"),
            call("finish", answer="nine"),
        ],
        b=["b says nine"],
        a=[],
    )

    story = await rehearse(chat, "how much?", model=minds, restarts=True)

    assert (minds.order, story.answer) == (["chair", "chair", "chair", "b", "chair"], "nine")
    assert "words alone decide nothing" in minds.told("chair", 1)
    assert "'zoe' is no member; the members are a, b." in minds.told("chair", 2)
    assert "To b: the price?" in minds.told("b")
    assert minds.offered["b"] == [[]]


async def test_a_speaker_who_cannot_choose_puts_it_to_people() -> None:
    """A2-11: three answers that decide nothing; then people say how it goes on."""
    chat = GroupChat(name="talk", members=(agent("a"),), speaker=agent("chair"))
    minds = Minds(chair=["a", "a!", "hm", call("finish", answer="one")], a=[])

    story = await rehearse(
        chat, "?", model=minds, people=[Somebody("ana", answers=[press("guide", text="call finish")])], restarts=True
    )

    assert "call finish" in minds.told("chair")
    assert story.answer == "one"


async def test_where_a_person_reviews_only_their_yes_ends_the_talk() -> None:
    """AU-08, D-36: the agent is not even offered a finish; the second draft is accepted."""
    chat = GroupChat(name="talk", members=(agent("writer"), Person(name="human")))
    minds = Minds(writer=["one", "two"])

    story = await rehearse(
        chat, "write", model=minds, people=[Somebody("ana", answers=[revise("shorter"), accept()])], restarts=True
    )

    assert minds.offered["writer"] == [[], []]
    assert "shorter" in minds.told("writer")
    assert story.answer == "two"


def test_a_speaker_that_cannot_decide_is_refused() -> None:
    with pytest.raises(ValueError, match="human cannot be its speaker"):
        GroupChat(name="talk", members=(agent("a"),), speaker=Person(name="human"))  # type: ignore[arg-type]  # refused
