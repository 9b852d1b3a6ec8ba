"""The whole bot in Teams: who may sign, what their press must be, and who may speak to us at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from adapters.teams.places import Places, Seen
from tests.fakes.teams import BAD_TOKENS, Json
from tests.flows.stage import Hands, Played, call, calls, events, policy, settled, shown
from tests.teams.whole import Build, Replica, Site

WIRE = calls(call("wire", amount=90))
REFUND = "refund 120 for order 1042, it arrived broken"


# --------------------------------------------------------------------- who signs


@pytest.mark.parametrize("is_phone", [False, True])
@pytest.mark.parametrize(
    ("who", "told"),
    [
        ("mallory", "Sorry, I do not know you, so I cannot count your answer."),
        ("gus", "Sorry, guests, bots and deactivated accounts cannot answer."),
        ("ana", "Sorry, you asked for or changed this, so somebody else has to sign it."),
        ("erin", "Sorry, this needs an answer from: approvers."),
    ],
)
async def test_who_may_not_sign_is_told_why_and_nobody_else_is(
    site: Site, bot: Replica, who: str, told: str, is_phone: bool
) -> None:
    """T10, T15, T16, T32, I5: another company's person, a guest, the requester, a bystander; by Execute and Submit."""
    if is_phone:
        site.teams.phones.add(site.ids[who])
    await site.asks("ana", REFUND)
    card = await bot.seen("Approve")
    before = len(site.posts())

    answer = await site.presses(who, "Approve", card)

    assert answer == ("" if is_phone else told)
    if is_phone and who != "mallory":
        await site.told(who, told)
        before += 1
    await shown(bot)
    assert len(site.posts()) == before
    assert told not in "\n".join(site.text(post) for post in site.teams.posts(site.ops))
    assert "Approve" in site.buttons(card)
    assert not await events(bot, "vote_counted")
    assert bot.refunds == 0
    assert await bot.is_sound()


@pytest.mark.parametrize("how", ["is_deleted", "is_disabled", "is_guest"])
async def test_who_left_may_not_sign(site: Site, build: Build, hands: Hands, how: str) -> None:
    """T16: bo is in people.yml, and Microsoft says that he was deleted, may not sign in, or is a guest by now."""
    rules = policy("groups: [approvers], high: true")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        await site.reads("bo", card)
        late = site.press("bo", "Approve", card)
        setattr(site.teams.person(site.ids["bo"]), how, True)

        told = await site.sends("bo", late)

        assert told.kind == "words"
        assert told.words.startswith("Sorry, ")
        assert not await events(bot, "vote_counted")
        assert not hands.did


async def test_a_bot_may_not_sign(site: Site, bot: Replica) -> None:
    """T17: an activity of another bot's, or of our own, that looks like a click."""
    await site.asks("ana", REFUND)
    card = await bot.seen("Approve")
    for sender in ("28:00000000-0000-0000-0000-00000000b07b", site.teams.bot_id):
        pressed = site.press("bo", "Approve", card)
        pressed["from"] = {"id": sender, "name": "Deploy"}

        told = await site.sends("bo", pressed)

        assert told.kind == "words"
        assert told.words.startswith("Sorry, ")
    assert not await events(bot, "vote_counted")
    assert bot.refunds == 0


async def test_approvers_are_who_teams_says_they_are(site: Site, build: Build, hands: Hands) -> None:
    """CD-09, D-30, AU-31: a team's members and an Entra group's; nobody in people.yml is in either."""
    finn, gil = [await site.joins(who) for who in ("finn", "gil")]
    board = site.teams.add_group("board", [site.ids[finn]])
    crew = site.teams.add_team("Crew", [], [site.ids[gil]])
    people = site.people(f"board: {{teams_group: {board}}}\n  crew: {{teams_team: Crew}}", apart=["bo", "chris"])
    rules = policy("groups: [board, crew], high: true")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE), people=people) as bot:
        await site.teams.install(crew)
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")

        assert (await site.presses("bo", "Approve", card)).startswith("Sorry, this needs an answer from:")
        assert (await site.presses("gil", "Approve", card)).startswith("Counted: 1 of 2")
        site.teams.person(site.ids[finn]).groups.remove(board)
        assert (await site.presses("finn", "Approve", card)).startswith("Sorry, this needs an answer from:")
        site.teams.person(site.ids[finn]).groups.add(board)
        assert await site.presses("finn", "Approve", card) == "Approved. It runs now."

        await bot.shows("ok wire 90 bank")
        assert await settled(bot)
        assert "Approved by Gil and Finn" in site.text(card)


async def test_somebody_who_left_between_click_and_quorum_does_not_count(
    site: Site, build: Build, hands: Hands
) -> None:
    """T16: bo signs and is deactivated; chris alone is not enough, and the card does not run."""
    rules = policy("groups: [{of: approvers, need: 2}], high: true")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        assert (await site.presses("bo", "Approve", card)).startswith("Counted: 1 of 2")

        site.teams.person(site.ids["bo"]).is_disabled = True

        assert await site.presses("chris", "Approve", card) == "Counted: 1 of 2; still needed: approvers."
        assert not hands.did
        assert await bot.is_sound()


# --------------------------------------------------------------- what a press is


def other_move(told: Json) -> None:
    told["value"]["action"]["verb"] = "cs.reject"
    ours(told)["move"] = "reject"


def other_verb(told: Json) -> None:
    told["value"]["action"]["verb"] = "cs.reject"


def other_request(told: Json) -> None:
    ours(told)["subject"] = "q-0-0123456789abcdef01234567"


def other_seal(told: Json) -> None:
    ours(told)["token"] = "0" * len(ours(told)["token"])


def other_message(told: Json) -> None:
    told["replyToId"] = "1700000000000"


def other_conversation(told: Json) -> None:
    told["conversation"]["id"] = "19:elsewhere@thread.v2"


def no_words(told: Json) -> None:
    ours(told)["subject"] = "q 0\x00\u202e"


def giant(told: Json) -> None:
    ours(told)["token"] = "x" * 100_000


def numbers(told: Json) -> None:
    told["value"]["action"]["data"] = {"countersign": {"subject": 1, "move": True, "token": None}}


def nothing(told: Json) -> None:
    told["value"] = None


def a_list(told: Json) -> None:
    told["value"]["action"] = ["cs.approve"]


def ours(told: Json) -> Json:
    found: Json = told["value"]["action"]["data"]["countersign"]
    return found


AUDITED = (other_move, other_request, other_seal, other_message, other_conversation)
UNREADABLE = (other_verb, no_words, giant, numbers, nothing, a_list)


@pytest.mark.parametrize("forge", [*AUDITED, *UNREADABLE])
async def test_a_forged_press_is_refused_and_the_genuine_one_still_counts(
    site: Site, bot: Replica, forge: Callable[[Json], None]
) -> None:
    """T13, T14, AU-21: another move, verb, request, seal, message or conversation; or no button's data at all."""
    await site.asks("ana", REFUND)
    card = await bot.seen("Approve")
    pressed = site.press("bo", "Approve", card)
    forge(pressed)

    answer = await site.sends("bo", pressed)

    assert answer.kind in ("words", "error")
    assert "Approved" not in answer.words
    assert answer.reply.status == 200
    assert bot.refunds == 0
    assert not await events(bot, "vote_counted")
    refused = [one["cause"] for one in await events(bot, "vote_refused")]
    assert len(refused) == (1 if forge in AUDITED else 0), refused
    assert await site.presses("bo", "Approve", card) == "Approved. It runs now."
    await bot.shows("Done: refund")
    assert await settled(bot)


async def test_a_copy_of_the_card_elsewhere_signs_nothing(site: Site, build: Build, hands: Hands) -> None:
    """T14: the button is genuine; the message is another card of ours, in the same channel, about the same call."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        first = await bot.seen("Approve")
        await site.asks("chris", "pay")
        second = await bot.seen("Approve", but=[first])
        pressed = site.press("bo", "Approve", first)
        pressed["replyToId"], pressed["conversation"] = second.id, site.press("bo", "Approve", second)["conversation"]

        told = await site.sends("bo", pressed)

        assert told.words == "This button is not valid here. Please use the card in its own thread."
        assert [one["cause"] for one in await events(bot, "vote_refused")] == ["NotShown"]
        assert not hands.did


@pytest.mark.parametrize("lacking", ["conversation", "thread", "channelData", "aadObjectId", "replyToId"])
async def test_a_press_from_which_teams_leaves_something_out_signs_nothing_it_should_not(
    site: Site, bot: Replica, lacking: str
) -> None:
    """T13, AU-21: where enough is left it counts (AdaptiveCards#8864); else whoever pressed is told to press again."""
    await site.asks("ana", REFUND)
    card = await bot.seen("Approve")
    site.teams.faults.leave_out.add(lacking)

    answer = await site.presses("bo", "Approve", card)

    site.teams.faults.leave_out.clear()
    if answer != "Approved. It runs now.":
        assert lacking in ("aadObjectId", "replyToId")
        assert not await events(bot, "vote_counted")
        assert await site.presses("bo", "Approve", card) == "Approved. It runs now."
    await bot.shows("Done: refund")
    assert await settled(bot)
    assert bot.refunds == 1


async def test_a_press_that_names_no_tenant_is_nobody_s(site: Site, bot: Replica) -> None:
    """T15: 403, before anything is read; with its tenant, the same press counts."""
    await site.asks("ana", REFUND)
    card = await bot.seen("Approve")
    site.teams.faults.leave_out.add("tenant")

    await site.presses("bo", "Approve", card)

    assert site.teams.deliveries[-1].reply.status == 403
    assert {one for one in site.teams.complaints if "HTTP 403" in one} == set(site.teams.complaints)
    site.teams.complaints.clear()
    site.teams.faults.leave_out.clear()
    assert not await events(bot, "vote_counted")
    assert await site.presses("bo", "Approve", card) == "Approved. It runs now."


async def test_a_click_that_is_replayed_a_hundred_times_is_one_vote(site: Site, build: Build, hands: Hands) -> None:
    """T12: the very activity, properly signed: one of two seats, once."""
    rules = policy("groups: [{of: approvers, need: 2}]")
    async with build(policy=rules, tools=hands.tools, model=Played(WIRE)) as bot:
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        await site.presses("bo", "Approve", card)
        overheard = site.teams.deliveries[-1]

        replies = await asyncio.gather(*(site.teams.again(overheard, is_anew=number % 2 == 1) for number in range(100)))

        assert {reply.status for reply in replies} == {200}
        assert len(await events(bot, "vote_counted")) == 1
        assert not hands.did
        await site.presses("chris", "Approve", card)
        await bot.shows("ok wire 90 bank")
        assert await settled(bot)
        assert hands.did == ["wire 90 bank"]


# --------------------------------------------------------------- who speaks to us


async def test_what_is_not_proved_to_be_teams_is_refused_and_leaves_nothing(site: Site, bot: Replica) -> None:
    """T11, T25, AU-21: every bad token there is, for words and for a click that would sign; over HTTP."""
    await site.asks("ana", REFUND)
    card = await bot.seen("Approve")
    heard, pressed = site.teams.words(site.ids["ana"], site.ops, "@countersign pay"), site.press("bo", "Approve", card)
    before = await bot.audit()

    for kind in BAD_TOKENS:
        for activity in (heard, pressed):
            reply = await site.teams.forge(activity, site.teams.bad_token(kind))
            assert (kind, reply.status) in [(kind, 401), (kind, 403)]
            assert not reply.text or "trace" not in reply.text.lower()

    assert await bot.audit() == before
    assert bot.refunds == 0


async def test_another_tenant_s_activity_is_nobody_s(site: Site, bot: Replica) -> None:
    """T15: properly signed, from a tenant that was never allowed: 403, before anything is read."""
    other = site.teams.person(site.ids["mallory"]).tenant
    stranger = site.teams.add_person("Stan", tenant=other)
    before = await bot.audit()

    await site.teams.say(stranger, site.teams.direct_chat(stranger), REFUND)

    assert site.teams.deliveries[-1].reply.status == 403
    assert await bot.audit() == before
    assert not site.posts()


GARBAGE = {
    "nothing": b"",
    "no JSON": b"{",
    "no text": b"\xff\xfe{}",
    "a list": b"[]",
    "a number": b"9" * 400,
    "deep": b"[" * 5_000 + b"]" * 5_000,
    "large": b'{"type": "message", "text": "' + b"x" * (2 << 20) + b'"}',
    "twice": b'{"type": "message", "type": "invoke"}',
    "half a character": rb'{"type": "message", "text": "\ud800"}',
    "no type": b"{}",
}


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # it is what this test does
async def test_garbage_is_a_refusal_and_never_an_error_of_ours(site: Site, bot: Replica) -> None:
    """T11, T18: whatever stands in the body, signed or not, is answered with 4xx, and nothing comes of it."""
    await site.asks("ana", REFUND)
    await bot.seen("Approve")
    await shown(bot)
    proof = {"Authorization": site.teams.deliveries[-1].headers["Authorization"]}
    before = await bot.audit()

    for name, body in GARBAGE.items():
        for headers in ({}, proof):
            reply = await site.teams.raw(body, {"Content-Type": "application/json", **headers})
            assert 400 <= reply.status < 500, (name, reply.status, reply.text)

    assert await bot.audit() == before


# ---------------------------------------------------------------- where we speak


@pytest.mark.parametrize("how", ["another host", "another port", "userinfo", "a machine's own"])
async def test_a_stored_address_that_was_changed_gets_no_call_and_no_token(
    site: Site, build: Build, hands: Hands, how: str
) -> None:
    """T24: whoever can write where conversations are cannot make us send anything there."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as bot, a_thief() as thief:
        await site.asks("ana", "pay")
        card = await bot.seen("Approve")
        await shown(bot)
        good = site.teams.service_url.removeprefix("http://")
        poison = {
            "another host": "https://smba.evil.example/emea/",
            "another port": thief.url,
            "userinfo": f"http://{good.rstrip('/')}@{thief.url.removeprefix('http://')}",
            "a machine's own": "http://169.254.169.254/emea/",
        }[how]
        place, _ = bot.whereabouts("ana", card)
        changed = Seen(service_url=poison, bot=site.teams.bot_id, kind="channel", team=site.team)
        await Places(bot.store.keep()).know(place.in_thread(None), changed)
        called = len(site.teams.called)

        bot.clock.advance(hours=5)  # it expires, and everybody should be told

        await bot.until(lambda: site.buttons(card) and not bot.engine.runner.hosts, "the run has ended")
        await shown(bot)
        assert not thief.visits
        assert [one.route for one in site.teams.called[called:] if one.route in ("post", "put", "create")] == []
        assert (await events(bot, "request_decided"))[0]["status"] == "expired"


class Thief:
    """A server that counts who comes by."""

    def __init__(self) -> None:
        self.visits, self.url = 0, ""

    async def visit(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        writer.close()


@asynccontextmanager
async def a_thief() -> AsyncIterator[Thief]:
    thief = Thief()
    async with await asyncio.start_server(thief.visit, "127.0.0.1", 0) as server:
        thief.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        yield thief
