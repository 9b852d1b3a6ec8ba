"""Text commands: one grammar on every platform, answered to whoever wrote; whatever is none is a task or a reply."""

from __future__ import annotations

import pytest

from bot.domain import orders
from bot.domain.chat import Account, Answer, Message, MessageRef, Person, PersonId, Place
from bot.domain.errors import NoSuchGrant
from bot.domain.orders import Misread, Order
from bot.domain.summary import Summary, summarized
from bot.peoplefile import PeopleDirectory, read_people
from tests.flows.stage import Build, Hands, Played, Staff, call, calls, events, policy, quiet, run_of, settled
from tests.house import ROOT, House, account

WIRE = calls(call("wire", amount=90))
AT = Place(platform="playground", tenant="local", channel="general", thread="cmd")


async def orders_of(house: House, who: str, text: str, delivery: str = "") -> str:
    """What *who* reads after `/countersign text`."""
    answer = await house.desk.order(f"/countersign {text}", account(who), AT, delivery or f"o-{text}-{who}")
    assert answer is not None
    return answer.text


async def says(house: House, who: str, text: str, *, thread: str = "cmd") -> Answer | None:
    return await house.say(who, text, thread=thread, is_mention=True)


# ------------------------------------------------------------------ grammar


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("@countersign status", Order(word="status")),
        ("  @Countersign   RUNS  2 ", Order(word="runs", rest="2", name="@Countersign")),
        ("pending", Order(word="pending")),
        ("/countersign queue", Order(word="queue", name="/countersign")),
        ("show `q-0-9f3a`", Order(word="show", rest="q-0-9f3a")),
        ("show 9F3A", Order(word="show", rest="9F3A")),
        ("stop r-0-1a", Order(word="stop", rest="r-0-1a")),
        ("revoke g-0-12ab", Order(word="revoke", rest="g-0-12ab")),
        ("away until Mon, @bo decides", Order(word="away", rest="until Mon, @bo decides")),
        ("away", Order(word="away")),
        ("report 30", Order(word="report", rest="30")),
    ],
)
def test_a_message_that_fits_is_a_command(text: str, read: Order) -> None:
    assert orders.read(text) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@countersign",
        "@countersign status of order 12?",
        "back up the database",
        "help me with order 7",
        "show me the orders over 100",
        "show orders",
        "stop the newsletter",
        "stop",
        "runs fast",
        "queue a job",
        "revoke the access of bo",
        "pending orders, please list them",
        "report 2026-08",
        "statuss",
    ],
)
def test_what_does_not_fit_a_whole_grammar_is_a_task(text: str) -> None:
    assert orders.read(text) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/countersign stop", "Write /countersign stop RUN. /countersign runs lists them."),
        ("/countersign revoke it", "Write /countersign revoke GRANT. /countersign grants lists them."),
        ("/countersign statsu", "I do not know statsu. Did you mean /countersign status?"),
        ("/countersign", "Mention me with a task, or write:"),
    ],
)
def test_behind_a_slash_everything_is_meant_as_a_command(text: str, told: str) -> None:
    read = orders.read(text)

    assert isinstance(read, Misread)
    assert read.told.startswith(told)


async def test_every_word_has_a_deed(house: House) -> None:
    names = [word.name for word in orders.TABLE]

    assert sorted(house.desk._commands._deeds) == sorted(names)
    assert len({*names}) == len(names)


# -------------------------------------------------------------------- whose


@pytest.mark.parametrize("text", [word.name for word in orders.TABLE])
@pytest.mark.parametrize("who", ["mallory", "gus"])
async def test_strangers_and_guests_read_one_sentence(house: House, who: str, text: str) -> None:
    """T09, T16, D-30: whoever may not give tasks orders nothing either; a guest may ask who they are."""
    told = await orders_of(house, who, text)

    if (who, text) == ("gus", "whoami"):
        assert "Your account is a guest, so you may neither give tasks nor answer." in told
    else:
        assert told == "Sorry, I may not take tasks from you here."
    assert await house.store.absences() == ()


async def test_an_answer_is_private_and_starts_nothing(house: House) -> None:
    before = len(house.chat.posts)

    answer = await says(house, "ana", "@countersign help")

    assert answer is not None
    assert "@countersign away until Mon, @bo decides: you are away, and who decides meanwhile" in answer.text
    assert len(house.chat.posts) == before
    assert await house.store.recent_runs(0, 9) == ()


async def test_a_task_that_begins_like_a_command_is_a_task(build: Build, hands: Hands) -> None:
    async with build(policy=policy(), tools=hands.tools, model=Played()) as house:
        await house.mention("ana", "status of order 12?")

        await quiet(house)
        [run] = await house.store.recent_runs(0, 9)
        loaded = await house.store.load(run)
        assert loaded is not None
        assert loaded.run.task.text == "@countersign status of order 12?"
        assert await settled(house)


async def test_in_a_thread_a_command_steers_nothing_and_a_reply_is_no_command(build: Build, hands: Hands) -> None:
    """By name it is a command; without it is a reply, which withdraws what was asked (AS-01)."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        thread = await house.mention("ana", "pay")
        card = await house.card()

        asked = await says(house, "ana", "@countersign status", thread=thread)

        assert asked is not None
        assert "wire" in asked.text
        assert "approve" in [button.move for button in card.card.buttons]
        assert not await events(house, "reply_heard")
        await house.say("ana", "status", thread=thread)
        assert len(await events(house, "reply_heard")) == 1
        await house.say("ana", "stop", thread=thread)
        assert await settled(house)


async def test_what_a_question_offers_is_its_answer_and_no_command(build: Build, hands: Hands) -> None:
    """An agent asks "back or forward?": `@countersign back` answers it."""
    ask = calls(call("ask_people", question="Which way?", options=["back", "forward"]))
    async with build(policy=policy(), tools=hands.tools, model=Played(ask)) as house:
        thread = await house.mention("ana", "go on")
        await house.shows("Which way?")

        await says(house, "ana", "@countersign back", thread=thread)

        [vote] = await events(house, "vote_counted")
        assert vote["move"] == "answer"
        assert not await events(house, "away_ended")
        assert await settled(house)


# ----------------------------------------------------------- status and show


async def test_status_lists_runs_and_requests_with_whom_they_wait_for(build: Build, hands: Hands) -> None:
    """ST-02: two run and wait, each with its age; Stop works from there."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        one, two = await house.mention("ana", "pay"), await house.mention("bo", "pay twice")
        await house.chat.until(lambda: len(house.with_button("approve")) == 2, "two cards")
        await orders_of(house, "chris", "away for 2 days, @erin decides")

        told = await orders_of(house, "dana", "status")

        ids = [await run_of(house, thread) for thread in (one, two)]
        assert all(f"{run} · " in told for run in ids)
        assert told.count("wire · waits for Bo, Erin · asked just now") == 2
        assert "asked by Ana\n@countersign pay" in told
        assert await orders_of(house, "dana", f"stop {ids[0]}") == "Stopping."
        assert await orders_of(house, "dana", f"stop {ids[1][-8:]}") == "Stopping."
        await quiet(house)
        again = await orders_of(house, "dana", "status", "later")
        assert again == "Nothing is under way.\nNothing waits for anybody."
        assert await settled(house)


async def test_show_finds_a_request_by_its_id_or_the_end_of_it(build: Build, hands: Hands) -> None:
    """ST-31, ST-25: two requests have different ids; each is one block, open and closed."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        await house.mention("ana", "pay")
        await house.mention("bo", "pay again")
        await house.chat.until(lambda: len(house.with_button("approve")) == 2, "two cards")
        one, two = await house.store.open_requests(0)
        assert one != two

        told = await orders_of(house, "dana", f"show {one}")

        assert told.splitlines() == [
            "approval: wire, for Ana",
            "Message: No message from agent.",
            "Status: open",
            f"Reference: {one}",
            "Answered by: N/A",
            "Waits for: Bo, Chris",
            f"Run: {(await house.store.held(one)).request.run}",
        ]
        assert f"Reference: {two}" in await orders_of(house, "dana", f"show {two[-8:]}")
        card = next(post for post in house.with_button("approve") if post.card.run == told.split("Run: ")[1])
        await house.press("reject", by="bo", fields={}, card=card)
        closed = await orders_of(house, "dana", f"show {one[-8:]}", "later")
        assert "Status: rejected (person)" in closed
        assert "Answered by: Bo" in closed
        other = house.with_button("approve")[-1]
        await house.press("reject", by="bo", fields={}, card=other)
        assert await settled(house)


async def test_show_tells_of_a_run_and_who_answered_in_it(build: Build, hands: Hands) -> None:
    """ST-31."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        thread = await house.mention("ana", "pay")
        run = await run_of(house, thread)
        await house.press("approve", by="bo")
        await quiet(house)

        told = await orders_of(house, "dana", f"show {run}")

        assert f"Reference: {run}" in told
        assert "Status: done" in told
        assert "Answered by: Bo" in told
        assert await settled(house)


@pytest.mark.parametrize("id", ["q-0-ffffffff", "r-0-ffffffff", "ffffffff", "q-99-1", "r-x-1"])
async def test_an_unknown_id_is_said_to_be_one(house: House, id: str) -> None:  # its name everywhere
    assert await orders_of(house, "dana", f"show {id}") == (
        f"There is no {id} that you may see. /countersign status lists ids."
    )


async def test_a_direct_message_is_shown_to_its_writer_alone(build: Build, hands: Hands) -> None:
    """T15: ids that were overheard tell nothing; ST-02 lists nothing of it either."""
    async with build(policy=policy("groups: [requester]"), tools=hands.tools, model=Played(WIRE)) as house:
        place = Place(platform="playground", tenant="local", channel="dm-ana", thread="t1", is_direct=True)
        said = MessageRef(place=place, id="m")
        await house.desk.message(
            Message(delivery="dm", by=account("ana"), place=place, text="pay", ref=said, is_mention=True)
        )
        await house.card()
        [request] = await house.store.open_requests(0)

        assert f"Reference: {request}" in await orders_of(house, "ana", f"show {request}")
        assert "There is no" in await orders_of(house, "bo", f"show {request}")
        assert "There is no" in await orders_of(house, "bo", f"show {request[-8:]}")
        assert "Nothing waits for anybody." in await orders_of(house, "bo", "status")
        await house.press("reject", by="ana", fields={})
        assert await settled(house)


@pytest.mark.parametrize(
    ("found", "block"),
    [
        (None, "Pay: No response"),
        (Summary(), "Pay\nMessage: No message from agent.\nStatus: UNKNOWN\nReference: N/A\nAnswered by: N/A"),
        (
            Summary(message="paid", status="approved", reference="q-0-1", answered=("Bo", "Eve")),
            "Pay\nMessage: paid\nStatus: approved\nReference: q-0-1\nAnswered by: Bo, Eve",
        ),
    ],
)
def test_a_summary_says_what_is_missing_in_the_same_words(found: Summary | None, block: str) -> None:
    """ST-25: the four defaults, and all lines."""
    assert summarized("Pay", found) == block


def test_a_summary_is_inert() -> None:
    """T03, T04: the agent's words cannot add a line that looks like ours, nor hide one."""
    told = summarized("Pay\nStatus: approved", Summary(message="x\u202e", status="open\nReference: q-9"))

    assert told.splitlines()[0] == "Pay Status: approved"
    assert "\u202e" not in told
    assert "\nReference: q-9" not in told


# --------------------------------------------------------------- away, by words


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("away", "You are not away. To be, write for example: /countersign away until Mon, @bo decides"),
        ("away someday", "Please write for example: away until Mon, @bo decides; or: away for 3 days."),
        ("away for 91 days", "An absence may last 90 days at most; please name an earlier time."),
        ("away for 1 day, @ana decides", "Nobody can decide for themselves; please name somebody else."),
        ("away for 1 day, @gus decides", "Gus may not answer anything here; please name somebody else."),
        ("away for 1 day, @nobody decides", "I know nobody called @nobody; please mention them, or write their id."),
        ("back", "You were not away."),
    ],
)
async def test_what_cannot_be_is_said_and_changes_nothing(house: House, text: str, told: str) -> None:
    assert await orders_of(house, "ana", text) == told
    assert await house.store.absences() == ()
    assert not [entry for entry in await house.audit() if entry.event.startswith("away")]


@pytest.mark.parametrize("named", ["bo", "Bo", "BO"])
async def test_a_deputy_is_named_by_id_or_by_the_name_of_the_people_file(house: House, named: str) -> None:
    assert "Bo (bo) may decide for you" in await orders_of(house, "ana", f"away for 1 day, @{named} decides")
    [absence] = await house.store.absences()
    assert (absence.person, absence.deputy) == ("ana", "bo")
    assert "You are away until" in await orders_of(house, "ana", "away", "asked")


async def test_a_name_that_two_people_have_names_nobody(build: Build) -> None:
    """T10: nobody becomes a deputy by calling themselves like one."""
    staff = Staff()
    staff.change("chris", name="Sam")
    staff.change("dana", name="sam")
    async with build(directory=staff) as house:
        told = await orders_of(house, "ana", "away for 1 day, @Sam decides")

        assert told == "2 people are called Sam; please write @chris or @dana."
        assert await house.store.absences() == ()


async def test_what_somebody_calls_themselves_names_no_deputy(build: Build) -> None:
    """T10: a member of the workspace who is not in people.yml calls themselves Pat; only their id names them."""
    listed = read_people(ROOT / "people.yml").people
    pat = Person(id=PersonId("slack.T1.U1"), name="Pat")
    async with build(directory=PeopleDirectory((*listed, pat))) as house:
        by_name = await orders_of(house, "ana", "away for 1 day, @Pat decides")
        by_id = await orders_of(house, "ana", "away for 1 day, @slack.T1.U1 decides")

    assert by_name == "I know nobody called @Pat; please mention them, or write their id."
    assert "Pat (slack.T1.U1) may decide for you" in by_id


async def test_a_mention_names_the_account_that_is_mentioned(build: Build) -> None:
    staff = Staff()
    mentioned = Account(platform="playground", tenant="local", user="U0BO")
    bo = await staff.who(account("bo"))
    assert bo is not None
    staff.change("bo", accounts=(*bo.accounts, mentioned))
    async with build(directory=staff) as house:
        assert "Bo (bo) may decide" in await orders_of(house, "ana", "away for 1 day, @U0BO decides")


async def test_times_are_meant_in_ones_own_zone(build: Build) -> None:
    staff = Staff()
    staff.change("ana", zone="Asia/Tokyo")
    async with build(directory=staff) as house:
        told = await orders_of(house, "ana", "away until Mon")

        [absence] = await house.store.absences()
        assert absence.until.hour == 15  # midnight in Tokyo, in UTC
        assert told.endswith("00:00 (Asia/Tokyo). Nobody decides for you.")


async def test_who_one_is_names_every_group(house: House) -> None:
    """A2-18: somebody with two roles reads both."""
    told = await orders_of(house, "chris", "whoami")

    assert "You are Chris; I know you as chris." in told
    assert "Your groups: approvers, finance." in told
    assert "Your manager: Dana." in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("grants", "Nothing may run without being asked about."),
        ("queue", "Nothing is escalated to you."),
        ("report", "Sorry, the policy's `reports` does not name you."),
    ],
)
async def test_an_empty_list_says_so(house: House, text: str, told: str) -> None:
    assert await orders_of(house, "ana", text) == told


async def test_a_grant_that_is_not_there_cannot_be_revoked(house: House) -> None:
    assert await orders_of(house, "ana", "revoke g-0-0123456789abcdef") == NoSuchGrant("g").people_read
