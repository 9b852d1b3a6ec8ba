"""The table that is cleaned up: what fits runs by itself, what does not is people's to say, and all of it is signed."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from agents.coded import Coded
from agents.examples.csv.agent import Cleaner, cleaner
from agents.testing import Script, Somebody, answer, approve, press, rehearse, silence
from agents.tools.files import WorkFolder
from agents.tools.sample import sample_tools
from agents.tools.tables import table_tools
from bot.domain.ports import Tool
from bot.domain.wire import pack
from tests.examples.shipped import shipped
from tests.examples.theatre import a_theatre
from tests.fakes.chat import Posted
from tests.flows.stage import Build, Played, events, run_of, settled, status
from tests.house import House, find, words

HEAD = "order,customer,class,day,amount\n"
EIGHT = "".join(f"{n},Abel,,2026-01-02,{n}\n" for n in range(1, 9))  # eight rows without a class


def tools(tmp_path: Path) -> tuple[Tool, ...]:
    folder = WorkFolder(tmp_path / "work")
    return (*table_tools(folder), *sample_tools(folder))


def table(tmp_path: Path, rows: str, name: str = "t.csv") -> None:
    (tmp_path / "work").mkdir(exist_ok=True)
    (tmp_path / "work" / name).write_text(HEAD + rows)


def cleaned(tmp_path: Path, name: str = "t.csv") -> list[list[str]]:
    return list(csv.reader(io.StringIO((tmp_path / "work" / "cleaned" / name).read_text())))[1:]


def labels(card: Posted) -> list[str]:
    return [button.label for button in card.card.buttons]


def questions(house: House) -> list[Posted]:
    return house.with_button("write")


async def asked(house: House, number: int, *, but: Sequence[Posted] = ()) -> list[Posted]:
    """Wait until so many questions about rows can be pressed."""
    await house.chat.until(lambda: len([q for q in questions(house) if q not in but]) >= number, f"{number} questions")
    return [one for one in questions(house) if one not in but]


# ---------------------------------------------------------------- the whole


async def test_two_of_five_rows_go_to_an_analyst_and_outlive_a_kill(tmp_path: Path) -> None:
    """AS-27: exactly two cards; killed between the answers; five rows accounted for, three of them by themselves.

    Nothing is written before an approver signs, and then once.
    """
    async with a_theatre(tmp_path) as theatre:
        thread = await theatre.site.asks("ana", "clean up 5 sample rows")
        second = await theatre.card("online", saying="class of row 2: it is missing")
        fourth = await theatre.card("Enter a value", saying="day of row 4", but=[second])
        assert theatre.site.slack.buttons_of(second)[:6] == [
            "retail", "wholesale", "online", "Skip this row", "Stop, write nothing", "Enter a value",
        ]  # fmt: skip
        assert await theatre.presses("bo", "online", second)

        await theatre.dies()
        assert not (tmp_path / "work" / "cleaned").exists(), "nothing is written before it is signed"
        await theatre.fills("dana", "Enter a value", fourth, text="2026-02-28")
        card = await theatre.card("Approve", saying="write_clean_table")
        assert "3 as they are" in theatre.site.text(card)
        assert await theatre.presses("chris", "Approve", card) == "Approved. It runs now."

        told = await theatre.hears("All 5 rows are accounted for", thread)
        assert "3 by themselves" in theatre.site.text(told)
        assert "2 by people (2 corrected, 0 left out)" in theatre.site.text(told)
        assert [row[2:4] for row in cleaned(tmp_path, "sample-5.csv")][1::2] == [
            ["online", "2026-01-03"],
            ["wholesale", "2026-02-28"],
        ]
        assert await theatre.verify()


# ---------------------------------------------------------------- questions


async def test_each_row_is_shown_whole_to_analysts_with_a_button_for_every_way(build: Build, tmp_path: Path) -> None:
    """AS-27: all columns, the row's number, the reason; class buttons, a value, skip, stop; nobody else may answer."""
    table(tmp_path, "1,Abel,retail,2026-01-02,10\n2,Brandt,,2026-01-03,20\n")
    async with build(agents=[shipped("csv")], tools=tools(tmp_path), model=Played()) as house:
        await house.mention("ana", "csv: clean up t.csv")
        (card,) = await asked(house, 1)

        assert "class of row 2: it is missing. It must be one of retail, wholesale, online." in words(card)
        (row,) = [one.text for one in card.card.blocks if one.label == "Row 2 is in question"]
        assert row.splitlines()[1] == '→ 2    2      Brandt    [ "" ]  2026-01-03  20'
        ways = ["Skip this row", "Stop, write nothing", "Enter a value"]
        assert labels(card)[:6] == ["retail", "wholesale", "online", *ways]
        assert "You decide" not in labels(card), "a value is people's to say, and no agent's"
        assert not (await house.press("pick_a", by="ana", card=card)).is_taken
        assert (await house.press("pick_d", by="dana", card=card)).is_taken

        await house.press("approve", by="chris")
        await house.shows("rows are accounted for")
        assert cleaned(tmp_path) == [["1", "Abel", "retail", "2026-01-02", "10"]]
        assert await settled(house)


async def test_a_value_that_does_not_fit_either_is_asked_again_and_a_remark_is_no_value(
    build: Build, tmp_path: Path
) -> None:
    """AS-27, ST-36: no guess is made of "next Friday", and a reply in the thread answers nothing here."""
    table(tmp_path, "1,Abel,retail,31.02.26,10\n")
    async with build(agents=[shipped("csv")], tools=tools(tmp_path), model=Played()) as house:
        thread = await house.mention("ana", "csv: clean up t.csv")
        (card,) = await asked(house, 1)
        await house.say("bo", "retail I think", thread=thread)
        await house.press("write", by="bo", card=card, fields={"text": "next Friday"})

        (again,) = await asked(house, 1, but=[card])
        assert "“next Friday” does not fit either: it is no date such as 2026-03-31." in words(again)
        await house.press("write", by="bo", card=again, fields={"text": "2026-02-27"})
        await house.press("approve", by="chris")

        await house.shows("rows are accounted for")
        assert cleaned(tmp_path) == [["1", "Abel", "retail", "2026-02-27", "10"]]
        assert await settled(house)


async def test_five_questions_wait_at_a_time_and_are_answered_in_any_order(build: Build, tmp_path: Path) -> None:
    """AS-27: eight rows need people; five are put side by side, and another comes for one that is answered."""
    table(tmp_path, EIGHT)
    async with build(agents=[shipped("csv")], tools=tools(tmp_path), model=Played()) as house:
        await house.mention("ana", "csv: clean up t.csv")
        first = await asked(house, 5)
        assert len(first) == len(await events(house, "request_opened")) == 5

        for post in reversed(first):
            await house.press("pick_b", by="bo", card=post)
        rest = await asked(house, 3, but=first)
        for post in rest:
            await house.press("pick_a", by="dana", card=post)
        await house.press("approve", by="chris")

        await house.shows("All 8 rows are accounted for")
        assert [row[2] for row in cleaned(tmp_path)] == ["wholesale"] * 5 + ["retail"] * 3
        assert await settled(house)


async def test_stop_ends_it_for_every_row_and_nothing_is_written(build: Build, tmp_path: Path) -> None:
    """AS-27: one answer ends the run; the questions beside it are closed."""
    table(tmp_path, EIGHT)
    async with build(agents=[shipped("csv")], tools=tools(tmp_path), model=Played()) as house:
        await house.mention("ana", "csv: clean up t.csv")
        first = await asked(house, 5)

        await house.press("pick_e", by="bo", card=first[2])

        await house.shows("Stopped at row 3: nothing was written.")
        assert await settled(house)
        assert not (tmp_path / "work" / "cleaned").exists()
        assert not questions(house)


async def test_equal_mistakes_share_an_answer_if_people_want_them_to(tmp_path: Path) -> None:
    """AS-27: one question for three rows with “retial”; row by row for two with “?”; restarted after every step."""
    rows = "".join(f"{n},Abel,{what},2026-01-02,{n}\n" for n, what in enumerate(("retial",) * 3 + ("?",) * 2, 1))
    table(tmp_path, rows)
    people = [
        Somebody(
            "bo",
            groups={"analysts"},
            answers=[answer("retail"), answer("Ask about each row"), answer("online"), press("pick_d")],
        ),
        Somebody("chris", answers=[approve()]),
    ]

    alone = Cleaner(columns=cleaner.columns, side_by_side=1)  # one after the other: the script is in that order
    story = await rehearse(
        Coded(name="csv", python=alone), "clean up t.csv", tools=tools(tmp_path), people=people, restarts=True
    )

    assert [request.call.tool for request in story.requests] == ["ask_about_row"] * 4 + ["write_clean_table"]
    assert "The same “retial” stands in 2 more: 2, 3." in story.requests[0].call.args
    assert [row[2] for row in cleaned(tmp_path)] == ["retail", "retail", "retail", "online"]
    assert "4 corrected, 1 left out" in story.answer


async def test_nobody_answers_and_nothing_is_written(tmp_path: Path) -> None:
    """AS-27: silence is no value, and no leave to skip a row."""
    table(tmp_path, "1,Abel,,2026-01-02,10\n")

    people = [Somebody("bo", groups={"analysts"}, answers=[silence()])]
    story = await rehearse(Coded(name="csv", python=cleaner), "clean up t.csv", tools=tools(tmp_path), people=people)

    assert story.answer.startswith("Nobody answered about row 1, so nothing was written.")
    assert not (tmp_path / "work" / "cleaned").exists()


@pytest.mark.parametrize(
    ("task", "rows", "told"),
    [
        ("clean up", "", "Which file?"),
        ("clean up other.csv", "", "There is no file other.csv."),
        ("clean up ../t.csv", "", "Which file?"),
        ("clean up t.csv", "1,2,3,4,5\n" * 201, "it is not the table it should be. Nobody was asked"),
    ],
)
async def test_what_cannot_be_cleaned_up_is_told_and_nobody_is_asked(
    tmp_path: Path, task: str, rows: str, told: str
) -> None:
    table(tmp_path, rows)

    story = await rehearse(Coded(name="csv", python=cleaner), task, tools=tools(tmp_path), model=Script([]))

    assert told in story.answer
    assert not story.requests


# ----------------------------------------------------------------- the size


async def test_a_hundred_thousand_rows_leave_a_small_journal_and_say_how_far_they_have_come(
    build: Build, tmp_path: Path
) -> None:
    """AS-27: 20 parts; eight rows in six questions; the journal has no row but those. A bar moves in one message."""
    async with build(agents=[shipped("csv")], tools=tools(tmp_path), model=Played()) as house:
        thread = await house.mention("ana", "csv: clean up 100000 sample rows")
        cards = await asked(house, 5)
        loaded = await house.store.load(await run_of(house, thread))
        assert loaded is not None
        size = sum(len(pack(entry)) for entry in loaded.entries)
        steps = 2 + 1 + 20 + 5  # the table invented (begun, ended), a look, twenty parts read, five questions
        assert (len(loaded.entries), size < 10_000) == (steps, True), size
        bars = {card.status for card in status(house).cards if "Reading sample-100000.csv" in card.status}
        assert any(" % · " in bar for bar in bars), "how far it has come stood in the one status message"

        shared = next(card for card in cards if "retial" in words(card))
        assert "“retial” stands in 2 more: 7,000, 70,000" in words(shared)
        for card in cards:
            if card is not shared:
                skip = next(one.move for one in card.card.buttons if one.label == "Skip this row")
                await house.press(skip, by="bo", card=card)
        await house.press("choose", by="bo", card=shared, fields={"choice": "retail"})
        (last,) = await asked(house, 1, but=cards)
        await house.press(find(last, "pick_a").move, by="bo", card=last)
        await house.press("approve", by="chris")

        await house.shows("All 100,000 rows are accounted for")
        assert len(cleaned(tmp_path, "sample-100000.csv")) == 99_995
        assert await settled(house)
