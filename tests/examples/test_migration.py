"""The migration: an approved plan signs none of its steps, and after one that did not run nothing follows unasked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agents.examples.migration.agent import NOT_SET_UP
from agents.testing import Act, Called, Somebody, Story, approve, edit, press, proceed, rehearse, reject, say, silence
from agents.tools.postgres import Database
from agents.tools.sql import sql_tools
from bot.domain.ports import Agent
from bot.domain.request import Kind
from tests.agents.patterns.minds import Minds, Turn, call
from tests.examples.shipped import shipped
from tests.examples.shop import closed_shop, opened_shop
from tests.examples.theatre import a_theatre
from tests.postgres import Server

TASK = "migrate the totals of orders to whole cents"
ADD = "ALTER TABLE orders ADD COLUMN total_cents bigint"
FILL = "UPDATE orders SET total_cents = round(total * 100)"
FORBID = "ALTER TABLE orders ALTER COLUMN total_cents SET NOT NULL"
FILLED = "SELECT count(total_cents) FROM orders"


@pytest.fixture
def shop(postgres_server: Server) -> Iterator[str]:
    """The database that the docs have newcomers make, by the file they use; the URL of the role that changes it."""
    yield opened_shop(postgres_server)
    closed_shop(postgres_server)


def there(url: str, statement: str = FILLED) -> Any:
    """What is really there, looked at from outside."""
    with psycopg.connect(url) as link:
        found = link.execute(statement.encode()).fetchone()
        assert found is not None
        return found[0]


def columns(url: str) -> Any:
    return there(url, "SELECT count(*) FROM information_schema.columns WHERE table_name = 'orders'")


def planned(*steps: str, who: str = "database") -> Turn:
    return call("plan", goal="Totals in cents.", steps=[{"who": who, "what": one} for one in steps])


def agent() -> Agent:
    return shipped("migration", without=())


async def played(
    url: str, *turns: Turn, ana: tuple[Act, ...], bo: tuple[Act, ...], chris: tuple[Act, ...] | None = None
) -> Story:
    """Ana gives the task, approves plans and gives directions; Bo signs. Restarted after every step."""
    acts = {"ana": ana, "bo": bo} | ({"chris": chris} if chris is not None else {})
    people = [Somebody(name, answers=list(answers)) for name, answers in acts.items()]
    return await rehearse(
        agent(), TASK, tools=sql_tools(Database(url)), model=Minds(You=turns), people=people, restarts=True
    )


def offered(story: Story) -> list[str]:
    """Each statement that was put to the signers, in order."""
    return [one.call.values["statement"] for one in story.requests if one.kind is Kind.APPROVAL]


def ran(story: Story) -> tuple[Called, ...]:
    return story.ran("sql_execute")


# ---------------------------------------------------------------- the whole


async def test_a_plan_of_three_steps_is_three_more_cards_and_a_rejection_holds_the_rest(
    shop: str, tmp_path: Path
) -> None:
    """AU-20, D-47, ST-35: on a real PostgreSQL, killed while the first statement waits; nothing runs unsigned.

    The second is rejected: the third is not offered until Ana says what to do instead, and that is planned, approved
    and signed again. Each card has the statement, where it runs, and what the database expects of it.
    """
    async with a_theatre(tmp_path, COUNTERSIGN_SQL_URL=shop) as theatre:
        thread = await theatre.site.asks("ana", TASK)
        plan = await theatre.card("Proceed", saying=FORBID)
        await theatre.presses("ana", "Proceed", plan)
        first = await theatre.card("Approve", saying=ADD)
        assert "Step 1 of 3" in theatre.site.text(first)
        assert columns(shop) == 4, "the plan is approved, and signs nothing"

        await theatre.dies()
        assert columns(shop) == 4
        await theatre.presses("bo", "Approve", first)
        second = await theatre.card("Approve", saying="UPDATE orders")
        shown = theatre.site.text(second)
        assert "about 1,000 of about 1,000 rows" in shown
        assert "migrator@" in shown
        assert "migrator:" not in shown, "no password"
        await theatre.site.rejects("bo", second, "only what is paid")

        stuck = await theatre.card("Tell the agent what to do", saying="Step 2 of 3 was not run")
        assert not [post for post in theatre.site.live() if FORBID in theatre.site.text(post) and post is not plan]
        await theatre.fills("ana", "Tell the agent what to do", stuck, text="fill only the orders that are paid")
        await theatre.presses("ana", "Proceed", await theatre.card("Proceed", saying="WHERE paid", but=[plan]))
        await theatre.presses("bo", "Approve", await theatre.card("Approve", saying="WHERE paid", but=[first, second]))

        await theatre.hears("The migration is over", thread)
        assert there(shop) == 750
        assert await theatre.verify()


# ------------------------------------------------------------------- steps


async def test_every_step_is_a_card_of_its_own_with_the_planned_statement_to_the_letter(shop: str) -> None:
    """AU-20, D-10, D-47: three statements, three signatures, one after the other, each with its evidence."""
    story = await played(shop, planned(ADD, FILL, FORBID), ana=(proceed(),), bo=(approve(),) * 3)

    assert offered(story) == [ADD, FILL, FORBID] == [one.args["statement"] for one in ran(story)]
    assert all(one.who == ("bo",) for one in ran(story))
    assert there(shop) == 1_000
    assert story.answer.splitlines()[-1] == f"Step 3 of 3 is done: {FORBID}"


async def test_after_a_rejection_silence_offers_nothing_more(shop: str) -> None:
    """AU-20, ST-35: step 2 is rejected and nobody says how it goes on: step 3 is never put to anybody."""
    bo = (approve(), reject("not on a Monday"))
    story = await played(shop, planned(ADD, FILL, FORBID), ana=(proceed(), silence()), bo=bo)

    assert offered(story) == [ADD, FILL]
    assert (columns(shop), there(shop)) == (5, 0)
    assert "The migration ended before its plan was done." in story.answer
    assert f"Step 1 of 3 is done: {ADD}\nStep 2 of 3 was not run: {FILL}" in story.answer


@pytest.mark.parametrize(
    ("direction", "statements", "filled", "told"),
    [
        (press("again"), [ADD, FILL, FILL], 1_000, f"Step 2 of 2 is done: {FILL}"),
        (press("skip"), [ADD, FILL], 0, f"Step 2 of 2 was left out: {FILL}"),
        (press("done", text="by psql"), [ADD, FILL], 0, "Step 2 of 2 was done by people: by psql"),
        (press("end"), [ADD, FILL], 0, f"Step 2 of 2 was not run: {FILL}"),
    ],
)
async def test_a_person_says_how_it_goes_on_after_a_rejection(
    shop: str, direction: Act, statements: list[str], filled: int, told: str
) -> None:
    """AU-20, D-46: again, without it, by hand, or the end; what was rejected is asked again only if they want it."""
    bo = (approve(), reject("wait"), approve())[: len(statements)]
    story = await played(shop, planned(ADD, FILL), ana=(proceed(), direction), bo=bo)

    assert offered(story) == statements
    assert there(shop) == filled
    assert story.answer.splitlines()[-1] == told


async def test_a_statement_that_the_database_refuses_holds_the_rest_as_well(shop: str) -> None:
    """AU-20: it was signed and failed; nothing of it is there, and nothing follows."""
    bad = "UPDATE orders SET customer_id = 'x'"
    story = await played(shop, planned(bad, FORBID), ana=(proceed(), press("end")), bo=(approve(),))

    assert offered(story) == [bad]
    assert columns(shop) == 4


async def test_a_plan_that_people_change_runs_as_they_changed_it(shop: str) -> None:
    """D-10, AU-20: what is put to the signers is the plan as approved."""
    edited = press("edit_steps", text=f"{ADD}\n{FILL} WHERE paid")
    story = await played(shop, planned(ADD, FILL), ana=(edited,), bo=(approve(),) * 2)

    assert offered(story) == [ADD, f"{FILL} WHERE paid"]
    assert there(shop) == 750


async def test_what_a_signer_changes_is_what_ran_and_what_is_told(shop: str) -> None:
    """AU-20: Bo makes step 2 smaller, and Chris signs that: the report has the statement that ran."""
    paid = f"{FILL} WHERE paid"
    bo, chris = (silence(), edit("less", statement=paid)), (approve(), silence(), approve())
    story = await played(shop, planned(ADD, FILL), ana=(proceed(),), bo=bo, chris=chris)

    assert there(shop) == 750
    assert story.answer.splitlines()[-1] == f"Step 2 of 2 is done: {paid}"


async def test_words_in_the_thread_are_planned_anew_and_sign_nothing(shop: str) -> None:
    """AU-20, D-22: Bo writes while step 2 waits: its card is withdrawn, what is left is planned and approved again.

    From then on the run acts on his words, and he signs none of it.
    """
    bo, chris = (approve(), say("only those that are paid, please")), (silence(), silence(), approve())
    paid = f"{FILL} WHERE paid"
    story = await played(shop, planned(ADD, FILL), planned(paid), ana=(proceed(), proceed()), bo=bo, chris=chris)

    assert offered(story) == [ADD, FILL, paid]
    assert [one.args["statement"] for one in ran(story)] == [ADD, paid]


async def test_a_plan_nobody_approves_begins_nothing(shop: str) -> None:
    """ST-35: silence is no yes to a plan either."""
    story = await played(shop, planned(ADD), ana=(silence(),), bo=())

    assert offered(story) == []
    assert story.answer.startswith("Nothing was begun: the plan was not approved.")


async def test_a_plan_that_nobody_could_sign_is_put_right_before_people_read_it(shop: str) -> None:
    """One statement a step: no reading, no transaction, and nobody but the database does it."""
    wrong = (planned("SELECT 1"), planned("BEGIN"), planned(ADD, who="ana"))
    story = await played(shop, wrong[0], wrong[1], planned(ADD), ana=(proceed(),), bo=(approve(),))

    assert offered(story) == [ADD]
    assert len([one for one in story.requests if one.kind is Kind.PLAN]) == 1


async def test_without_a_database_it_says_what_to_set() -> None:
    story = await rehearse(shipped("migration"), TASK, model=Minds(You=()))

    assert story.answer == NOT_SET_UP
    assert not story.requests
