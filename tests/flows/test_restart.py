"""Restart, eviction, calls in doubt, code that changed, records that somebody forged."""

from __future__ import annotations

import pytest
import redis.asyncio

from bot.domain.ports import Said
from bot.domain.request import Status
from bot.domain.wire import pack, replace
from bot.store.sealing import SEAL_BYTES
from tests.fakes.chat import Posted
from tests.flows.stage import (
    HASTY,
    Build,
    Hands,
    Played,
    call,
    calls,
    events,
    gone,
    policy,
    quiet,
    request_of,
    run_of,
    settled,
    shown,
)
from tests.house import find, words

WIRE = calls(call("wire", amount=90))


async def test_a_pending_request_survives_a_restart(build: Build, hands: Hands) -> None:
    """PP-03, CD-05: the click reaches another process than the one that asked; the call runs exactly once."""
    model = Played(calls(call("peek", what="first")), WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model) as house:
        await house.mention("ana", "pay")
        card = await house.card()
    asked = len(model.asked)

    async with house.again() as later:
        await later.press("approve", by="bo", card=card)
        await later.shows("Results: ok peek first / ok wire 90 bank")
        assert hands.did == ["peek first", "wire 90 bank"]
        assert len(model.asked) == asked + 1
        assert await settled(later)


async def test_a_run_that_only_waits_leaves_memory_and_comes_back_for_the_click(build: Build, hands: Hands) -> None:
    """A waiting run costs Redis alone; the answer rebuilds it from its journal."""
    model = Played(calls(call("peek", what="first")), WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model, pace=HASTY) as house:
        await house.mention("ana", "pay")
        card = await house.card()
        await gone(house)

        await house.press("approve", by="bo", card=card)

        await house.shows("ok wire 90 bank")
        assert hands.did == ["peek first", "wire 90 bank"]
        assert await settled(house)


@pytest.mark.parametrize("how", ["reply", "stop", "expiry", "edit", "explain"])
async def test_an_evicted_run_hears_everything_else_too(build: Build, hands: Hands, how: str) -> None:
    """Whatever comes for a run that is not in memory finds it."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE), pace=HASTY) as house:
        thread = await house.mention("ana", "pay")
        card = await house.card()
        await gone(house)
        match how:
            case "reply":
                await house.say("ana", "leave it", thread=thread)
                await house.shows("a newer instruction took its place")
            case "stop":
                await house.press("stop", by="ana", card=card)
                await house.shows("Stopped by Ana.")
            case "expiry":
                house.clock.advance(hours=5)
                await house.shows("nobody answered in time")
            case "edit":
                await house.press("edit", by="bo", card=card, fields={"amount": "60"})
                await house.shows("ok wire 60 bank")
            case "explain":
                await house.press("explain", by="bo", card=card)
                await house.shows("Because the customer waits.")
                await house.press("reject", by="bo", fields={})
        assert await settled(house)


async def test_an_edited_call_is_remembered_as_it_ran(build: Build, hands: Hands) -> None:
    """D-28: 90 was asked for and 450 ran; after a restart the next call is judged beside 450, not beside 90."""
    large = '  - id: large\n    when: total("amount") > 500\n    ask: {groups: [managers]}\n'
    rules = policy().replace("  - id: sign\n", f"{large}  - id: sign\n")
    model = Played(WIRE, calls(call("wire", amount=1)), calls(call("wire", amount=80)))
    async with build(policy=rules, tools=hands.tools, model=model, pace=HASTY) as house:
        await house.mention("ana", "pay")
        first = await house.card()
        await house.press("edit", by="bo", card=first, fields={"amount": "450"})
        await house.chat.until(lambda: any(asks_for(post, 1) for post in house.with_button("approve")), "the second")
        second = next(post for post in house.with_button("approve") if asks_for(post, 1))
        await shown(house)
        await gone(house)

        await house.press("approve", by="bo", card=second)

        await house.chat.until(lambda: any(asks_for(post, 80) for post in house.with_button("approve")), "the third")
        third = next(post for post in house.with_button("approve") if asks_for(post, 80))
        assert (await request_of(house, third)).ask.rule == "large"
        assert hands.did == ["wire 450 bank", "wire 1 bank"]
        assert await house.is_sound()


async def test_a_ban_lifted_before_a_restart_stays_lifted(build: Build, hands: Hands) -> None:
    """D-46: rejected, then told to try again; the process that replays that asks again, too."""
    model = Played(WIRE, calls(call("wire", amount=80)), WIRE)
    async with build(policy=policy(), tools=hands.tools, model=model, pace=HASTY) as house:
        thread = await house.mention("ana", "pay")
        first = await house.card()
        await house.press("reject", by="bo", card=first, fields={})
        second = await house.card(but=[first])
        await gone(house)
        await house.say("ana", "no really, 90", thread=thread)

        third = await house.card(but=[first, second])
        assert (await request_of(house, third)).call.values["amount"] == 90
        await gone(house)
        await house.press("approve", by="bo", card=third)
        await house.shows("ok wire 90 bank")
        assert await settled(house)


# ------------------------------------------------------------------ in doubt


@pytest.mark.parametrize(
    ("move", "fields", "told", "did"),
    [
        ("answer", {"result": "the bank shows it"}, "It happened, says Bo. the bank shows it", 1),
        ("approve", None, "ok wire 90 bank", 2),
        ("reject", {}, "It was started once; whether it took effect is not known.", 1),
    ],
)
async def test_a_call_in_doubt_goes_to_people(
    build: Build, hands: Hands, move: str, fields: dict[str, object] | None, told: str, did: int
) -> None:
    """PN-08, PP-04, D-50, I2: interrupted in the middle of a payment: nothing is guessed, nothing is repeated
    unasked.
    """
    await interrupted(build, hands, WIRE)

    async with hands.house.again() as later:
        card = await later.card("answer")
        assert card.card.title == "⚠ In doubt: did wire happen?"
        assert len(hands.did) == 1

        await later.press(move, by="bo", card=card, fields=fields)

        await later.shows("Results:")
        await later.shows(told)
        await quiet(later)
        assert len(hands.did) == did
        assert not [post for post in later.chat.posts if post.card.status.endswith("Running.")]
        assert await settled(later)


async def test_what_came_of_a_call_in_doubt_is_the_reason_a_rule_wants(build: Build, hands: Hands) -> None:
    """A2-05, PN-08: one field, which the agent hears; without it the answer is sent back beside that field."""
    await interrupted(build, hands, WIRE, ask="groups: [approvers], reason: always")

    async with hands.house.again() as later:
        card = await later.card("answer")
        field = find(card, "answer").fields
        assert [(one.name, one.is_required) for one in field] == [("result", True)]

        silent = await later.press("answer", by="bo", card=card, fields={"result": " "})
        await later.press("answer", by="bo", card=card, fields={"result": "the bank shows it"})

        assert silent.problems == {"result": "Please say why."}
        await later.shows("It happened, says Bo. the bank shows it")
        assert await settled(later)


async def test_a_call_in_doubt_is_skipped_or_the_whole_run_is_stopped(build: Build, hands: Hands) -> None:
    """ST-40, D-50: two buttons that say what they do. Skipped, the agent goes on; stopped, it does not."""
    await interrupted(build, hands, WIRE)

    async with hands.house.again() as later:
        card = await later.card("answer")
        effects = {button.label: button.effect for button in card.card.buttons}
        assert effects["Skip it – leave it in doubt"] == "not run again; the agent goes on, told of the doubt"
        assert effects["Stop"] == "ends the whole run"

        answer = await later.press("reject", by="bo", card=card)

        assert answer.text == "It stays in doubt. Nothing is run again; the agent goes on."
        await later.shows("is not known. Not run again: rejected by Bo.")
        await later.chat.until(lambda: card.card.title == "Skipped: wire stays in doubt", "the card says so")
        assert card.card.status.startswith("Left in doubt by Bo at")
        assert await settled(later)


async def test_stop_on_the_card_of_a_call_in_doubt_ends_the_run(build: Build, hands: Hands) -> None:
    await interrupted(build, hands, WIRE)

    async with hands.house.again() as later:
        card = await later.card("answer")

        answer = await later.press("stop", by="bo", card=card)

        assert answer.text == "Stopping."
        await later.shows("Stopped by Bo.")
        await later.chat.until(lambda: card.card.title == "Cancelled: wire", "the card is closed")
        assert [one["status"] for one in await events(later, "run_ended")] == ["stopped"]
        assert len(hands.did) == 1
        assert await settled(later)


async def test_a_call_in_doubt_that_may_be_repeated_runs_again_with_the_same_key(build: Build, hands: Hands) -> None:
    """PN-08, I2: the tool said that it can be started again; people are not asked a second time."""
    await interrupted(build, hands, calls(call("tidy", what="desk")))

    async with hands.house.again() as later:
        await later.shows("ok tidy desk")
        assert hands.did == ["tidy desk", "tidy desk"]
        assert len(set(hands.keys)) == 1
        assert len(await events(later, "request_opened")) == 1
        assert await settled(later)


async def test_only_who_could_sign_may_say_what_became_of_it(build: Build, hands: Hands) -> None:
    await interrupted(build, hands, WIRE)

    async with hands.house.again() as later:
        card = await later.card("answer")
        answer = await later.press("answer", by="ana", card=card, fields={"result": "sure"})
        assert answer.text == "Sorry, this needs an answer from: approvers."
        assert (await request_of(later, card)).is_open
        assert await later.is_sound()


# ------------------------------------------------------------------- forgery


@pytest.mark.parametrize("parts", [("doc",), ("status",), ("doc", "status")])
async def test_an_approval_that_was_forged_in_the_store_runs_nothing(
    build: Build, hands: Hands, parts: tuple[str, ...]
) -> None:
    """T22: somebody with access to Redis writes `approved`; the seal does not hold, and the run says so."""
    async with build(policy=policy(), tools=hands.tools, model=Played(WIRE)) as house:
        thread = await house.mention("ana", "pay")
        card = await house.card()
        await shown(house)
        run, request = await run_of(house, thread), await request_of(house, card)
        tag = f"{{{house.namespace}:0}}"
        async with redis.asyncio.from_url(house.url) as client:
            doc = await client.hget(f"{tag}:request:{request.id}", "doc")
            assert isinstance(doc, bytes)
            body = pack(replace(request, status=Status.APPROVED, version=request.version))
            forged = {"doc": doc[:SEAL_BYTES] + body, "status": b"approved"}
            for part in parts:
                await client.hset(f"{tag}:request:{request.id}", part, forged[part])
            decided = (
                f'1{{"type":"decided","decision":{{"status":"approved","at":"2026-01-01T00:00:00Z","by":["bo"]}},'
                f'"request":"{request.id}"}}'
            )
            await client.rpush(f"{tag}:journal:{run}", decided)
            mail = await client.hincrby(f"{tag}:run:{run}", "mail", 1)
            await client.zadd(f"{tag}:mail", {run: 1})
            await client.publish(f"{tag}:bell", f"{run} {mail}")

        await house.shows("Something is wrong on our side. The run was stopped; nothing more will happen.")

        answer = await house.press("approve", by="bo", card=card)
        assert not answer.is_taken
        assert (await events(house, "vote_refused"))[-1]["cause"] == "BadSeal"
        assert not hands.did
        assert (await events(house, "run_ended"))[0]["status"] == "failed"
        assert await house.is_sound()
        await house.mention("dana", "look up order 7")
        await house.chat.until(lambda: len(house.with_button("approve")) >= 2, "the house still works")


# -------------------------------------------------------------------- helpers


async def interrupted(build: Build, hands: Hands, turn: Said, *, ask: str = "groups: [approvers]") -> None:
    """A signed call is at work, and the process goes down in the middle of it."""
    hands.may_end.clear()
    async with build(policy=policy(ask), tools=hands.tools, model=Played(turn), pace=HASTY) as house:
        await house.mention("ana", "pay")
        await house.press("approve", by="bo", fields={"reason": "it is due"} if "always" in ask else None)
        await hands.began.wait()
    hands.may_end.set()
    hands.house = house


def asks_for(post: Posted, amount: int) -> bool:
    return f'"amount": {amount}' in words(post)
