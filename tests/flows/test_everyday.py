"""The house's everyday acts, from the model's call to the card and what becomes of it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from agents.tools.knowledge import Library, knowledge_tools
from agents.tools.postgres import Database
from agents.tools.preferences import preference_tools
from agents.tools.publishing import Press, publishing_tools
from agents.tools.services import Service, service_tools
from agents.tools.sql import sql_tools
from bot.domain.orders import read
from bot.domain.ports import RunContext, Said
from bot.domain.preferences import Preferences
from bot.domain.run import Task
from bot.domain.wire import Json, loads
from tests.fakes.chat import Posted
from tests.flows.stage import HASTY, Build, Hands, Played, call, calls, events, gone, policy, results, settled
from tests.house import House
from tests.postgres import Server

ROUTES = """
rules:
  - {id: reading, when: tool.risk == "read", allow: true}
  - {id: tech, when: tool.category == "technical", ask: {groups: [approvers]}, place: "#dev-approvals"}
  - id: big
    when: tool.name == "buy" && total("total", "currency") > 1000
    ask: {groups: [managers]}
    place: "#money"
  - {id: small, when: tool.name == "buy", ask: {groups: [requester]}}
  - {id: remember, when: tool.name == "remember_preference", allow: true}
  - {id: rest, ask: {groups: [approvers]}}
"""


def whole(post: Posted) -> str:
    """Everything the card shows."""
    return "\n".join(f"{block.label}\n{block.text}" for block in post.card.blocks)


# ---------------------------------------------------------------------- SQL


@pytest.mark.parametrize("statement", ["DROP TABLE t", "UPDATE t SET a = a + 1 WHERE a > 1 -- 'all of them'"])
async def test_a_change_of_data_is_signed_on_its_very_statement_and_target(
    build: Build, postgres_server: Server, statement: str
) -> None:
    """ST-04: the card has the SQL whole, where it goes and what the database expects; a SELECT needs nobody."""
    url = postgres_server.url("changer")
    with psycopg.connect(postgres_server.url("owner"), autocommit=True) as link:
        link.execute("DROP TABLE IF EXISTS t")
        link.execute("CREATE TABLE t AS SELECT generate_series(1, 3) AS a")
        link.execute("ANALYZE t")
        link.execute("DROP ROLE IF EXISTS changer")
        link.execute("CREATE ROLE changer LOGIN")
        link.execute("ALTER TABLE t OWNER TO changer")
        link.execute("DROP ROLE IF EXISTS looker")
        link.execute("CREATE ROLE looker LOGIN")
        link.execute("GRANT pg_read_all_data TO looker")

    tools = sql_tools(Database(url, postgres_server.url("looker")))
    look = call("sql_query", statement="SELECT max(a) FROM t")
    model = Played(calls(look), calls(call("sql_execute", statement=statement)))
    async with build(policy=ROUTES, tools=tools, model=model) as house:
        await house.mention("ana", "tidy the table")
        card = await house.card()

        assert '"rows":[[3]]' in model.read
        assert (card.place.channel, len(await events(house, "request_opened"))) == ("dev-approvals", 1)
        assert statement in whole(card)
        assert f"changer@127.0.0.1:{postgres_server.port}/postgres" in whole(card)
        assert "about 3 rows" in whole(card)
        assert "hunter2" not in whole(card)
        await house.press("approve", by="bo", card=card)
        await house.shows("DROP TABLE" if statement.startswith("DROP") else "UPDATE 2")
        assert await settled(house)


# ----------------------------------------------------------------- services


async def test_a_restart_is_asked_about_on_the_technical_route(build: Build, tmp_path: Path) -> None:
    """ST-05: restarting, and changing a setting; each with what the tool found out before."""
    config, mark = tmp_path / "web.yml", tmp_path / "up"
    config.write_text("most: 2\n")
    restart = (sys.executable, "-c", "import sys; open(sys.argv[1], 'a').write('x')", str(mark))
    tools = service_tools({"web": Service(restart=restart, config=config)})
    model = Played(
        calls(call("set_config", service="web", key="most", value=4)), calls(call("restart_service", name="web"))
    )
    async with build(policy=ROUTES, tools=tools, model=model) as house:
        await house.mention("ana", "more workers")
        first = await house.card()
        assert (first.place.channel, config.read_text()) == ("dev-approvals", "most: 2\n")
        assert "- most: 2\n+ most: 4" in whole(first)
        await house.press("approve", by="bo", card=first)

        second = await house.card(but=[first])
        assert (second.place.channel, mark.exists()) == ("dev-approvals", False)
        assert str(mark) in whole(second)
        await house.press("approve", by="bo", card=second)

        await house.shows("Results:")
        assert (config.read_text(), mark.read_text()) == ("most: 4\n", "x")
        assert await settled(house)


# --------------------------------------------------------------- purchasing


def buys(quantity: int) -> Said:
    args: dict[str, Json] = {"item": "Desk", "unit_price": 300, "currency": "EUR", "supplier": "Nordic Wood"}
    return calls(call("buy", quantity=quantity, **args))


async def test_a_large_purchase_takes_the_business_route_and_a_small_one_its_requester(build: Build) -> None:
    """ST-06, D-28: and two small ones that are a large one together are a large one."""
    model = Played(buys(3), buys(1))
    async with build(policy=ROUTES, model=model) as house:
        await house.mention("ana", "buy desks")
        small = await house.card()
        assert (small.place.channel, "900" in whole(small)) == ("general", True)
        await house.press("approve", by="ana", card=small)

        large = await house.card(but=[small])

        assert large.place.channel == "money"
        assert not (await house.press("approve", by="ana", card=large)).is_taken
        assert (await house.press("approve", by="dana", card=large)).is_taken
        await house.shows("PO-0002")
        assert await settled(house)


async def test_the_shipped_policy_knows_large_purchases(build: Build) -> None:
    """ST-06: as it stands in policy.yml."""
    async with build(model=Played(buys(4))) as house:
        await house.mention("ana", "buy desks")
        card = await house.card()

        assert not (await house.press("approve", by="bo", card=card)).is_taken


# --------------------------------------------------------------- publishing


async def test_only_the_text_that_people_accepted_is_published(build: Build, tmp_path: Path) -> None:
    """ST-07, D-14: any other version is refused before anybody is asked, whatever the agent says of it."""
    model = Played(
        calls(call("publish", name="news", text="v1")),
        calls(call("review_draft", draft="v1")),
        calls(call("review_draft", draft="v2")),
        calls(call("publish", name="news", text="v1")),
        calls(call("publish", name="news", text="v2 ")),
        calls(call("publish", name="news", text="v2")),
    )
    async with build(policy=policy(), tools=publishing_tools(Press(tmp_path / "out")), model=model) as house:
        await house.mention("ana", "announce it")
        first = await house.card("accept")
        await house.press("revise", by="ana", card=first, fields={"text": "shorter"})
        second = await house.card("accept", but=[first])
        await house.press("accept", by="ana", card=second)
        card = await house.card("approve", but=[first, second])

        refused = [told for told in results(model.asked[-1]) if told.startswith("Not run")]
        assert len(refused) == 3
        assert all("must be exactly what people accepted in this run" in told for told in refused)
        assert len(await events(house, "request_opened")) == 3
        assert {one["cause"] for one in await events(house, "call_denied")} == {"policy"}
        assert not (tmp_path / "out" / "news.md").exists()
        await house.press("approve", by="bo", card=card)
        await house.shows('"version":1')
        assert (tmp_path / "out" / "news.md").read_text() == "v2"
        assert await settled(house)


async def test_what_a_person_wrote_themselves_is_published_and_nothing_else(build: Build, tmp_path: Path) -> None:
    """ST-07: a draft that was taken over is accepted as they wrote it; the agent's own version is not. Also later."""
    then = calls(call("publish", name="news", text="mine"), call("publish", name="news", text="draft"))
    tools = publishing_tools(Press(tmp_path / "out"))
    model = Played(calls(call("review_draft", draft="draft")), then)
    async with build(policy=policy(), tools=tools, model=model, pace=HASTY) as house:
        await house.mention("ana", "announce it")
        await house.press("take_over", by="ana", card=await house.card("accept"), fields={"text": "mine"})
        card = await house.card("approve")
        assert "mine" in whole(card)
        await gone(house)
    async with house.again() as later:
        await later.press("approve", by="bo", card=card)

        await later.shows("Not run: the text of publish must be exactly")
        assert (tmp_path / "out" / "news.md").read_text() == "mine"
        assert await settled(later)


async def test_a_signer_cannot_change_the_accepted_text(build: Build, tmp_path: Path) -> None:
    """ST-07: a version that no review accepted is not published because somebody edits the call."""
    model = Played(calls(call("review_draft", draft="v1")), calls(call("publish", name="news", text="v1")))
    tools = publishing_tools(Press(tmp_path / "out"))
    async with build(policy=policy(), tools=tools, model=model) as house:
        await house.mention("ana", "announce it")
        await house.press("accept", by="ana", card=await house.card("accept"))
        card = await house.card("approve")

        answer = await house.press("edit", by="bo", card=card, fields={"name": "news", "text": "v2"})

        assert not answer.is_taken
        assert not (tmp_path / "out" / "news.md").exists()


async def test_a_yes_to_a_question_accepts_no_draft(build: Build, tmp_path: Path) -> None:
    """ST-07: nor does a draft that was shown and left unaccepted."""

    class Hopeful:
        name, tools = "hopeful", ("review_draft", "publish", "ask_people")

        async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # the port's signature
            await ctx.ask("Is it fine?", options=["accept"])
            await ctx.use((call("review_draft", draft="v1"),))
            (result,) = await ctx.use((call("publish", name="news", text="v1"),))
            return result.text

    tools = publishing_tools(Press(tmp_path))
    async with build(policy=policy(), tools=tools, agents=[Hopeful()], model=Played()) as house:
        thread = await house.mention("ana", "announce it")
        question = await house.card("leave")
        await house.say("ana", "accept", thread=thread)
        await house.press("leave", by="ana", card=await house.card("leave", but=[question]), fields={"text": ""})

        await house.shows("must be exactly what people accepted")
        assert not (tmp_path / "news.md").exists()


# -------------------------------------------------------------- preferences


WAYS = ["email", "sms", "push"]


class Notifier:
    """Asks how to be told, unless it is known, and remembers the answer."""

    name, tools = "notifier", ("preference", "remember_preference")

    async def __call__(self, task: Task, ctx: RunContext) -> str:  # noqa: ARG002  # the port's signature
        (known,) = await ctx.use((call("preference", name="notification"),))
        if "not known" not in known.text:
            return f"As ever, {known.text}"
        answer = await ctx.ask("How shall I tell you?", options=WAYS, may_write=False)
        chosen = WAYS["abc".index(loads(answer.answer)["move"][-1])]
        (kept,) = await ctx.use((call("remember_preference", name="notification", value=chosen),))
        return kept.text


@asynccontextmanager
async def notified(build: Build) -> AsyncIterator[House]:
    liked = Preferences()
    async with build(policy=ROUTES, tools=preference_tools(liked), agents=[Notifier()], model=Played()) as house:
        liked.keep = house.store.keep()
        yield house


async def asked_and_told(house: House, who: str) -> Posted:
    """*who* is asked, and chooses "push"."""
    before = [post for post in house.chat.posts if post.key]
    thread = await house.mention(who, "tell me when it is done")
    card = await house.card("leave", but=before)
    await house.say(who, "push", thread=thread)
    await house.shows(f"Remembered for {who}: notification is 'push'.")
    return card


async def ordered(house: House, who: str, text: str) -> str:
    """What *who* reads after mentioning the bot with *text*."""
    answer = await house.say(who, text, thread="orders", is_mention=True)
    assert answer is not None
    return answer.text


@pytest.mark.parametrize("what", ["push", "notification", "everything", "Everything", "PUSH"])
async def test_what_somebody_likes_is_asked_once_until_they_clear_it(build: Build, what: str) -> None:
    """ST-14, ST-36: answer "push" once, and the next run does not ask; cleared, it asks again."""
    async with notified(build) as house:
        first = await asked_and_told(house, "ana")

        await house.mention("ana", "and tell me again")
        await house.shows("As ever, notification: 'push'")
        assert "notification: push" in await ordered(house, "ana", "preferences")

        assert await ordered(house, "ana", f"forget {what}") == "Forgotten: notification. I shall ask you again."
        assert "no preferences of yours" in await ordered(house, "ana", "preferences")
        await house.mention("ana", "once more")
        await house.card("leave", but=[first])


async def test_everybody_has_their_own_preferences(build: Build) -> None:
    """ST-14: no argument names a person, and no command reaches another's."""
    async with notified(build) as house:
        first = await asked_and_told(house, "ana")

        assert "no preferences of yours" in await ordered(house, "bo", "preferences")
        assert "I remember nothing called push" in await ordered(house, "bo", "forget push")
        await house.mention("bo", "tell me when it is done")
        await house.card("leave", but=[first])
        assert "notification: push" in await ordered(house, "ana", "preferences")


@pytest.mark.parametrize("text", ["forget it", "forget that", "forget the meeting with Bo", "preferences of Bo?"])
def test_words_that_are_for_the_agent_are_no_command(text: str) -> None:
    assert read(f"@countersign {text}") is None


# ---------------------------------------------------------------- knowledge


async def test_what_was_looked_up_stands_on_the_card_of_what_follows(
    build: Build, hands: Hands, tmp_path: Path
) -> None:
    """AS-28: the card names the sources; the look-up itself asks nobody."""
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "payments.md").write_text("# Vendors\nPay vendors on Friday.\n")
    tools = (*hands.tools, *knowledge_tools(Library(tmp_path / "texts")))
    model = Played(calls(call("lookup", question="when do we pay vendors?")), calls(call("wire", amount=90)))
    async with build(policy=policy(), tools=tools, model=model) as house:
        await house.mention("ana", "pay the vendor")
        card = await house.card()

        assert "Pay vendors on Friday." in model.read
        assert "payments.md, Vendors" in str(card.card)
        assert len(await events(house, "request_opened")) == 1
