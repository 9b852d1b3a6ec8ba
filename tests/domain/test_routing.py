"""Who gets a task: the name in front, else the words it begins with, else the channel, else the default."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.chat import Place
from bot.domain.routing import Listing, choose, is_at, told_who_may

HERE = Place(platform="playground", tenant="local", channel="general", thread="t1")
LISTINGS = (
    Listing(name="assistant"),
    Listing(name="Billing", starts=("refund",)),
    Listing(name="reviewer", starts=("review", "review my", "schau an")),
    Listing(name="deep", starts=("review my code",)),
    Listing(name="support", channels=("playground/#help", "slack/C0123ABCD")),
)


def chosen(text: str, place: Place = HERE) -> tuple[str, str]:
    found = choose(text, place, LISTINGS, "assistant")
    return found.listing.name, found.text


@pytest.mark.parametrize(
    ("text", "agent", "task"),
    [
        ("@countersign where is my order", "assistant", "@countersign where is my order"),
        ("@countersign billing: where is my money", "Billing", "@countersign where is my money"),
        ("support: where is my order", "support", "where is my order"),
        ("SUPPORT : where", "support", "where"),
        (
            "@bot support please: where",
            "assistant",
            "@bot support please: where",
        ),  # nothing may stand between
        ("@bot support where", "assistant", "@bot support where"),
        ("@bot support:", "assistant", "@bot support:"),  # no task behind it
        ("@bot supports: where", "assistant", "@bot supports: where"),
        ("@bot http://x", "assistant", "@bot http://x"),
        ("@bot Review this", "reviewer", "@bot Review this"),
        ("@bot review  my code", "deep", "@bot review  my code"),  # the longest words
        ("@bot review my life", "reviewer", "@bot review my life"),
        ("@bot reviewing this", "assistant", "@bot reviewing this"),  # whole words alone
        ("@bot please review this", "assistant", "@bot please review this"),  # at the beginning alone
        ("@bot schau an", "reviewer", "@bot schau an"),
        ("@bot support: review this", "support", "@bot review this"),  # a name goes before words
    ],
)
def test_a_task_goes_to_whom_its_beginning_means(text: str, agent: str, task: str) -> None:
    """A2-13: a mention starts the agent that it means; the task keeps every word but the name in front."""
    assert chosen(text) == (agent, task)


@pytest.mark.parametrize(
    ("place", "agent"),
    [
        (Place(platform="playground", tenant="local", channel="help"), "support"),
        (Place(platform="playground", tenant="local", channel="#Help", thread="1"), "support"),
        (Place(platform="slack", tenant="T1", channel="C0123ABCD"), "support"),
        (Place(platform="slack", tenant="T1", channel="help"), "assistant"),  # another platform's
        (Place(platform="teams", tenant="x", channel="C0123ABCD"), "assistant"),
    ],
)
def test_without_a_name_or_word_it_is_the_channels_agent(place: Place, agent: str) -> None:
    assert chosen("hello there", place)[0] == agent


def test_a_word_goes_before_the_channel() -> None:
    place = Place(platform="playground", tenant="local", channel="help")

    assert chosen("refund it", place)[0] == "Billing"


def test_a_channel_without_a_platform_is_that_of_every_platform() -> None:
    assert is_at("#General", HERE)
    assert not is_at("#help", HERE)


def test_nothing_that_is_written_chooses_an_inner_agent() -> None:
    """A2-13: its name in front of a task is a word like any other."""
    listings = (*LISTINGS, Listing(name="writer", is_inner=True))

    found = choose("writer: a haiku", HERE, listings, "assistant")

    assert (found.listing.name, found.text) == ("assistant", "writer: a haiku")


def test_a_refused_person_reads_in_one_sentence_who_may() -> None:
    told = told_who_may(Listing(name="deploy", may=("engineering", "@bo")))

    assert told == "Only the group engineering and @bo may tell deploy what to do."


@given(st.text(max_size=80))
def test_any_text_is_somebodys_and_only_a_name_is_ever_cut(text: str) -> None:
    agent, task = chosen(text)

    assert agent in {one.name for one in LISTINGS}
    assert task == text or text.endswith(task.split(" ", 1)[-1])
