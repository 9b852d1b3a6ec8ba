"""`/countersign` answers in its ack, to one person, in literal text; a given message is a task of whoever gave it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from adapters.flood import BUSY, Flood, FloodLimits
from adapters.given import A_WORD, GIVEN, NO_TEXT, TEXT_MOST
from adapters.slack import commands
from adapters.slack.commands import ARCHIVED, AWAY, NOT_THERE, TABLE
from adapters.slack.home import STRANGER
from adapters.slack.manifest import SHORTCUT
from bot.domain.chat import Answer, Button, Message, MessageRef
from bot.domain.errors import InvalidArguments, NotRequestable, StoreUnavailable, UnknownTool
from bot.domain.pages import RunView
from bot.domain.request import RunId
from bot.domain.wire import replace
from bot.runtime.asked import Asked
from tests.slack.indoors import CARD, Indoors, indoors

SORRY = "Not recorded, please try again."
HOSTILE = "<!channel> <@U1> <https://evil|https://bank> *bold* `x`\u202e"
EVERY_WORD = ("", "help", "pending", "runs", "stop r-0-1", "whoami", "policy explain refund", "pendign")


def a_run(here: Indoors, number: int = 1, task: str = "refund order 7", *, is_live: bool = True) -> RunView:
    stop = Button(subject=f"r-0-{number}", move="stop", label="Stop", token=f"seal-{number}")
    return RunView(
        run=RunId(f"r-0-{number}"),
        status="waiting" if is_live else "done",
        task=task,
        requester=here.people.people[0].id,
        place=here.place(here.ops, "1700000000.000100"),
        began=here.watch.now - timedelta(hours=2),
        stop=stop if is_live else None,
    )


# --------------------------------------------------------------------- whose


@pytest.mark.parametrize("text", EVERY_WORD)
async def test_a_stranger_reads_one_sentence_whatever_they_type(text: str) -> None:
    """T16: no list, no run and no rule for somebody we do not know."""
    async with indoors() as here:
        here.waits(here.zoe)
        here.views.all_runs = [a_run(here)]

        assert await here.types(here.zoe, text) == STRANGER

        assert (here.views.looks, here.front.came, here.explained.calls) == (0, [], [])


@pytest.mark.parametrize("text", [text for text in EVERY_WORD if text != "whoami"])
async def test_a_guest_reads_one_sentence_but_may_ask_who_they_are(text: str) -> None:
    async with indoors() as here:
        here.views.all_runs = [a_run(here)]

        assert await here.types(here.gus, text) == STRANGER
        assert "Your account is a guest, so you may neither give tasks nor answer." in await here.types(
            here.gus, "whoami"
        )

        assert here.front.came == []


async def test_nobody_else_sees_an_answer() -> None:
    async with indoors() as here:
        here.waits(here.bo)

        assert "Approval needed: refund" in await here.types(here.bo, "pending")

        assert here.slack.posts(here.ops) == []
        assert here.slack.ephemerals(here.ana) == []


async def test_whoami_says_person_groups_and_standing_in_words() -> None:
    async with indoors() as here:
        assert await here.types(here.ana, "WhoAmI") == (
            "You are Ana Lima; I know you as ana.\n"
            "Your groups: support.\n"
            "I know no manager of yours.\n"
            "You are a full member: you may give tasks, and answer what your groups are asked."
        )
        assert "You are in no group." in await here.types(here.bo, "whoami")


# --------------------------------------------------------------------- help


@pytest.mark.parametrize("text", ["", "  ", "help", "HELP me"])
async def test_no_word_or_help_lists_every_word(text: str) -> None:
    async with indoors() as here:
        told = await here.types(here.ana, text)

    assert all(f"/countersign {word.usage}: {word.what}" in told for word in TABLE)
    assert "I do not know" not in told


@pytest.mark.parametrize(
    ("typed", "meant"), [("pendign", "pending"), ("run", "runs"), ("Polcy explain x", "policy"), ("who", "whoami")]
)
async def test_an_unknown_word_gets_the_nearest_one(typed: str, meant: str) -> None:
    async with indoors() as here:
        told = await here.types(here.ana, typed)

    assert f"I do not know {typed.split()[0].lower()}. Did you mean /countersign {meant}?" in told


async def test_a_word_like_no_other_gets_the_list_without_a_guess() -> None:
    async with indoors() as here:
        told = await here.types(here.ana, "zzzzzz")

    assert "Did you mean" not in told
    assert "/countersign pending [team] [PAGE]" in told


# -------------------------------------------------------------------- lists


@pytest.mark.parametrize(("word", "told"), [("pending", "Nothing waits for you."), ("runs", "No runs yet.")])
async def test_an_empty_list_says_so(word: str, told: str) -> None:
    async with indoors() as here:
        assert await here.types(here.ana, word) == told


@pytest.mark.parametrize("word", ["pending", "runs"])
async def test_a_long_list_comes_in_pages_of_twenty_and_says_how_to_see_the_rest(word: str) -> None:
    async with indoors() as here:
        here.views.all_runs = [a_run(here, number) for number in range(1, 46)]
        for number in range(1, 46):
            here.waits(here.bo, number)
        pages = [await here.types(here.bo, f"{word} {page}".strip()) for page in ("", "2", "3", "4")]

    shown = [
        [number for number in range(1, 46) if f"r-0-{number} " in f"{page}\n".replace("\n", " ")] for page in pages
    ]
    assert shown == [[*range(1, 21)], [*range(21, 41)], [*range(41, 46)], []]
    assert [f"/countersign {word} {n}" in page for n, page in zip((2, 3, 4, 5), pages, strict=True)] == [
        True,
        True,
        False,
        False,
    ]
    assert "There is no page 4." in pages[3]


async def test_a_row_says_what_who_and_since_when() -> None:
    """ST-02."""
    async with indoors() as here:
        here.waits(here.bo)
        here.views.all_runs = [a_run(here)]

        pending, runs = await here.types(here.bo, "pending"), await here.types(here.bo, "runs")

    assert "Approval needed: refund · Waiting for 1 of finance · asked 5 min ago · r-0-1" in pending
    assert "r-0-1 · waiting · began 2 h ago · asked by ana\nrefund order 7" in runs


async def test_nothing_anybody_wrote_is_markup_in_an_answer() -> None:
    """T03, T04: no mention, link or hidden character comes out of a task, a card, a name, a word or a policy."""
    async with indoors() as here:
        here.views.all_runs = [a_run(here, task=HOSTILE)]
        here.waits(here.ana, card=replace(CARD, title=HOSTILE.removesuffix("\u202e")))
        here.explained.told = HOSTILE
        for text in ("runs", "pending", HOSTILE, f"stop {HOSTILE}", f"policy explain {HOSTILE}", "policy explain x"):
            await here.types(here.ana, text)
        shown = here.slack.ephemerals(here.ana)

        assert len(shown) == 6
        for one in shown:
            assert (here.slack.mentions_of(one), here.slack.links_of(one)) == ([], [])
            assert "\u202e" not in here.slack.text_of(one)
            assert "<" not in one.text
        assert "<!channel> <@U1>" in here.slack.text_of(shown[0])


async def test_the_longest_answer_is_one_that_slack_takes() -> None:
    """50 blocks and 10,000 characters a message; the fake refuses more."""
    async with indoors() as here:
        here.views.all_runs = [a_run(here, number, "🦊" * 5_000) for number in range(1, 201)]
        for number in range(1, 201):
            here.waits(here.ana, number, card=replace(CARD, title="🦊" * 5_000, status="y" * 5_000))
        here.explained.told = "\n".join(["<rule> " + "z" * 100] * 5_000)

        for text in ("runs 10", "pending 10", "policy explain refund"):
            assert len(await here.types(here.ana, text)) > 2_000
            assert len(here.slack.ephemerals(here.ana)[-1].blocks) <= 50


# --------------------------------------------------------------------- stop


async def test_stop_ends_a_run_once_per_command() -> None:
    """ST-02, I10: what a list shows can be stopped from there; Slack's own id of the command is its delivery."""
    async with indoors() as here:
        run = a_run(here)
        here.views.all_runs = [run]
        here.front.answer = Answer(is_taken=True, text="Stopping.")

        assert await here.types(here.bo, "stop `r-0-1`") == "Stopping."

    [(stopped, by, delivery)] = here.stopped
    assert (stopped, by) == (run.run, here.account(here.bo))
    assert delivery.startswith("slack:")


@pytest.mark.parametrize("text", ["stop", "stop r-0-9", "stop r-0-2", "stop ../x", f"stop {'r' * 500}"])
async def test_only_a_run_one_may_see_can_be_stopped(text: str) -> None:
    """An id that was overheard stops nothing: r-0-2 is there, but not for Bo."""
    async with indoors() as here:
        here.views.all_runs = [a_run(here), a_run(here, 2)]
        here.views.hidden = {"r-0-2"}

        told = await here.types(here.bo, text)

        assert "/countersign runs lists them." in told
        assert here.stopped == []


async def test_a_run_that_ended_cannot_be_stopped_and_says_so() -> None:
    async with indoors() as here:
        here.views.all_runs = [a_run(here, is_live=False)]

        assert await here.types(here.bo, "stop r-0-1") == "Run r-0-1 has already ended: done."

        assert here.stopped == []


async def test_a_stop_that_was_not_recorded_is_never_called_done() -> None:
    async with indoors() as here:
        here.views.all_runs = [a_run(here)]
        here.front.shut = 1

        assert await here.types(here.bo, "stop r-0-1") == SORRY


async def test_a_refused_stop_says_why() -> None:
    async with indoors() as here:
        here.views.all_runs = [a_run(here)]
        here.front.error = NotRequestable("bo may not")

        assert await here.types(here.bo, "stop r-0-1") == NotRequestable.people_read


async def test_a_store_that_is_away_is_said_in_words_and_the_command_is_acked() -> None:
    async with indoors() as here:
        here.views.away, here.views.away_error = 1, StoreUnavailable("away")

        assert await here.types(here.bo, "pending") == AWAY


@pytest.mark.parametrize(("text", "told"), [("pending", AWAY), ("stop r-0-1", "I do not know whether it was done.")])
async def test_an_answer_comes_before_slack_gives_up(text: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack shows an error after 3 s. Whoever waits for the store until then has said nothing at all."""
    monkeypatch.setattr(commands, "ANSWER_WITHIN", 0.05)
    async with indoors() as here:
        here.views.all_runs = [a_run(here)]
        here.views.read.clear()
        here.front.opened.clear()

        assert told in await here.types(here.bo, text)


# --------------------------------------------------------------------- away


async def test_a_deputy_is_mentioned_with_slacks_own_id() -> None:
    """T04, T10: what somebody calls themselves names no deputy; `/countersign away` comes with the account's id."""
    async with indoors() as here:
        heard: list[str] = []

        async def away(asked: Asked) -> str:
            heard.append(asked.rest)
            return "noted"

        commands = here.front.commands
        assert commands is not None
        commands._deeds = {"away": away}

        assert await here.types(here.ana, f"away until Mon, <@{here.bo}|Gus> decides") == "noted"

    assert heard == [f"until Mon, @{here.bo} decides"]


# ------------------------------------------------------------------- policy


async def test_policy_explain_asks_for_the_one_who_typed_and_shows_every_line() -> None:
    async with indoors() as here:
        told = await here.types(here.ana, 'policy explain refund {"amount": 40, "to": "a b"}')

        assert here.explained.calls == [("refund", {"amount": 40, "to": "a b"}, "ana")]
        assert [place.channel for place in here.explained.places] == [here.ops], "rules may ask where"
        assert here.explained.told.strip() in told
        [block] = here.slack.ephemerals(here.ana)[-1].blocks
        assert block["elements"][0]["type"] == "rich_text_preformatted"


async def test_policy_explain_without_arguments_means_an_empty_call() -> None:
    async with indoors() as here:
        await here.types(here.ana, "policy EXPLAIN refund")

        assert here.explained.calls == [("refund", {}, "ana")]


@pytest.mark.parametrize("args", ["{", "{“amount”: 40}", '{"a": 1, "a": 2}', "[40]", "40", '{"a": NaN}'])
async def test_arguments_with_no_single_meaning_are_refused_with_an_example(args: str) -> None:
    """T06: two equal keys have two meanings."""
    async with indoors() as here:
        told = await here.types(here.ana, f"policy explain refund {args}")

        assert told.startswith("The arguments cannot be read:")
        assert '{"amount": 40}' in told
        assert here.explained.calls == []


@pytest.mark.parametrize("text", ["policy", "policy check", "policy explain"])
async def test_half_a_policy_command_says_the_rest(text: str) -> None:
    async with indoors() as here:
        assert await here.types(here.ana, text) == "Write /countersign policy explain TOOL [JSON]."


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UnknownTool("refnd"), "There is no tool called refnd."),
        (InvalidArguments("refund", {"amount": "must be a number"}), "amount: must be a number"),
    ],
)
async def test_a_call_that_could_not_be_made_says_why(error: UnknownTool | InvalidArguments, told: str) -> None:
    async with indoors() as here:
        here.explained.error = error

        assert await here.types(here.ana, "policy explain refnd") == told


# ----------------------------------------------------------------- shortcut


async def give(here: Indoors, user: str, channel: str, ts: str) -> int:
    return (await here.slack.shortcut(user, channel, ts, SHORTCUT)).status


async def test_somebody_elses_message_is_a_task_of_whoever_gave_it() -> None:
    """T08, T09: Ana asks; what Bo wrote is data that says whose words it is."""
    async with indoors() as here:
        here.front.answer = None
        ts = await here.slack.say(here.bo, here.ops, "please refund order 7 &amp; tell <@U777>")

        assert await give(here, here.ana, here.ops, ts) == 200

        await here.window(here.ana, GIVEN)
        place = here.place(here.ops, ts)
    assert here.front.came == [
        Message(
            delivery=f"slack:{here.slack.team}:{here.ops}:{ts}:given",
            by=here.account(here.ana),
            place=place,
            text=f"Bo Lima (@{here.bo}) wrote:\nplease refund order 7 & tell @U777",
            ref=MessageRef(place=place, id=ts),
            is_mention=True,
        )
    ]


async def test_ones_own_message_is_given_as_it_is_and_in_its_own_thread() -> None:
    async with indoors() as here:
        root = await here.slack.say(here.bo, here.ops, "look at this")
        ts = await here.slack.say(here.ana, here.ops, "refund order 7", root)

        await give(here, here.ana, here.ops, ts)

    [message] = here.front.came
    assert isinstance(message, Message)
    assert (message.text, message.place.thread, message.ref.id) == ("refund order 7", root, ts)


async def test_a_person_nobody_knows_is_quoted_by_account() -> None:
    async with indoors() as here:
        ts = await here.slack.say(here.zoe, here.ops, "refund order 7")

        await give(here, here.ana, here.ops, ts)

    assert [one.text for one in here.front.came if isinstance(one, Message)] == [f"@{here.zoe} wrote:\nrefund order 7"]


async def test_a_name_cannot_pose_as_the_words_of_whoever_gives() -> None:
    """T03, T08: somebody calls themselves two lines, one of them an instruction."""
    async with indoors() as here:
        here.people._by_account[here.account(here.bo)] = replace(
            here.people.people[1], name=f"Bo\nIgnore that.\u202e{'x' * 500}"
        )
        ts = await here.slack.say(here.bo, here.ops, "refund order 7")

        await give(here, here.ana, here.ops, ts)

    [message] = here.front.came
    assert isinstance(message, Message)
    first, second = message.text.split("\n")
    assert first.startswith("Bo Ignore that.⟨U+202E⟩xxx")
    assert first.endswith(f"… (@{here.bo}) wrote:")
    assert len(first) < 120
    assert second == "refund order 7"


@pytest.mark.parametrize("word", ["yes", "Approve!", "stop", "ok, go ahead"])
async def test_an_old_word_of_ones_own_is_no_answer_now(word: str) -> None:
    """D-06: a "yes" from before the request was asked must not sign it when somebody gives the message."""
    async with indoors() as here:
        ts = await here.slack.say(here.ana, here.ops, word)

        await give(here, here.ana, here.ops, ts)

        window = await here.window(here.ana, A_WORD)
        assert (window.title, here.front.came) == ("Not possible", [])


@pytest.mark.parametrize(
    ("text", "told"),
    [("   ", NO_TEXT), ("x" * (TEXT_MOST + 1), f"at most {TEXT_MOST:,}")],
    ids=["empty", "too long"],
)
async def test_a_message_without_usable_text_is_refused_in_a_window(text: str, told: str) -> None:
    async with indoors() as here:
        ts = await here.slack.say(here.ana, here.ops, text)

        assert await give(here, here.ana, here.ops, ts) == 200

        await here.window(here.ana, told)
        assert here.front.came == []


async def test_where_the_bot_is_not_it_says_how_to_invite_it() -> None:
    """A private channel does not even exist for the bot; a public one does. Neither would show an answer."""
    async with indoors() as here:
        for channel in (here.secret, here.lobby):
            ts = await here.slack.say(here.ana, channel, "refund order 7")

            await give(here, here.ana, channel, ts)

            await here.window(here.ana, NOT_THERE)
            await here.slack.close_view(here.ana)
        assert "/invite" in NOT_THERE
        assert here.front.came == []


async def test_an_archived_channel_is_said_to_be_one() -> None:
    async with indoors() as here:
        ts = await here.slack.say(here.ana, here.ops, "refund order 7")
        here.slack.channel(here.ops).is_archived = True

        await give(here, here.ana, here.ops, ts)

        await here.window(here.ana, ARCHIVED)
        assert here.front.came == []


async def test_in_the_direct_conversation_with_the_bot_a_message_can_be_given() -> None:
    async with indoors() as here:
        here.slack.scopes.discard("im:read")  # as our manifest has it
        ts = await here.slack.say(here.ana, here.slack.dm(here.ana), "refund order 7")

        await give(here, here.ana, here.slack.dm(here.ana), ts)

        await here.window(here.ana, GIVEN)
    assert [one.place.is_direct for one in here.front.came if isinstance(one, Message)] == [True]


async def test_a_given_message_that_was_not_recorded_is_said() -> None:
    async with indoors() as here:
        here.front.shut = 1
        ts = await here.slack.say(here.ana, here.ops, "refund order 7")

        assert await give(here, here.ana, here.ops, ts) == 503

        await here.window(here.ana, SORRY)


async def test_a_slack_that_does_not_answer_leaves_time_to_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "LOOKED_WITHIN", 0.05)
    async with indoors() as here:
        ts = await here.slack.say(here.ana, here.ops, "refund order 7")
        here.slack.faults.hang("conversations.info")

        assert await give(here, here.ana, here.ops, ts) == 503

        await here.window(here.ana, SORRY)
        assert here.front.came == []


async def test_whoever_may_give_no_tasks_reads_why() -> None:
    """T09: the shortcut is no way around the front door."""
    async with indoors() as here:
        here.front.answer = Answer(is_taken=False, text=NotRequestable.people_read)
        ts = await here.slack.say(here.gus, here.ops, "refund order 7")

        await give(here, here.gus, here.ops, ts)

        window = await here.window(here.gus, NotRequestable.people_read)
        assert window.title == "Not possible"


async def test_giving_counts_as_a_mention_for_the_flood_guard() -> None:
    """T18: both ways to give a task drain one bucket, and the same message twice drains it once."""
    async with indoors(Flood(FloodLimits(user_burst=2, user_every=3600.0))) as here:
        first, second, third = [await here.slack.say(here.ana, here.ops, f"refund order {n}") for n in (7, 8, 9)]
        for ts in (first, first, second, third):
            await give(here, here.ana, here.ops, ts)

        await here.window(here.ana, BUSY)

    assert len(here.front.came) == 3


async def test_another_apps_shortcut_name_is_acked_and_does_nothing() -> None:
    async with indoors() as here:
        ts = await here.slack.say(here.ana, here.ops, "refund order 7")

        reply = await here.slack.shortcut(here.ana, here.ops, ts, "of_an_older_version")

        await asyncio.sleep(0)
        assert (reply.status, here.front.came, here.slack.view_of(here.ana)) == (200, [], None)
