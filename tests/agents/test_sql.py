"""SQL on a real PostgreSQL: a query only reads, whoever wrote it; a change is one statement, on one target."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from agents.toolbox import FunctionTool
from agents.tools.postgres import BYTES_MOST, ROWS_MOST, Database
from agents.tools.sql import sql_tools
from agents.tools.sql_words import first_word, tables
from bot.domain.calls import Evidence, Outcome, ToolResult
from bot.domain.errors import InvalidArguments
from tests.agents.given import call_of, run
from tests.postgres import Server

SECRET = "hunter2-s3cret"


@pytest.fixture
def server(postgres_server: Server) -> Server:
    """A database `shop` as every test finds it: `reader` may read, `writer` may change, `owner` is a superuser."""
    with psycopg.connect(postgres_server.url("owner"), autocommit=True) as link:
        link.execute("DROP DATABASE IF EXISTS shop WITH (FORCE)")
        for role in ("reader", "writer", "helper"):
            link.execute(f"DROP ROLE IF EXISTS {role}")
            link.execute(f"CREATE ROLE {role} LOGIN")
        link.execute("CREATE DATABASE shop OWNER writer")
    with psycopg.connect(postgres_server.url("writer", "shop"), autocommit=True) as link:
        link.execute("CREATE TABLE users (id int PRIMARY KEY, name text, paid numeric(10,2), born date, photo bytea)")
        values = "SELECT n, 'user ' || n, n + .25, '2001-02-03', '\\x00ff' FROM generate_series(1, 500) n"
        link.execute(f"INSERT INTO users {values}")
        link.execute("GRANT SELECT ON users TO reader")
        link.execute("CREATE SEQUENCE numbers")
        link.execute("GRANT ALL ON SEQUENCE numbers TO reader")
    with psycopg.connect(postgres_server.url("writer", "shop"), autocommit=True) as link:
        link.execute("ANALYZE")
    return postgres_server


def both(server: Server, *, write: str = "writer", read: str = "reader", port: int = 0) -> dict[str, FunctionTool]:
    base = Database(server.url(write, "shop", port=port), server.url(read, "shop", port=port) if read else "")
    return {one.spec.name: one for one in sql_tools(base) if isinstance(one, FunctionTool)}


async def query(server: Server, statement: str, *, read: str = "reader") -> ToolResult:
    return await run(both(server, read=read)["sql_query"], {"statement": statement})


async def change(server: Server, statement: str) -> ToolResult:
    return await run(both(server)["sql_execute"], {"statement": statement})


async def foretold(server: Server, statement: str) -> tuple[Evidence, ...]:
    tool = both(server)["sql_execute"]
    return await tool.preview(call_of(tool, {"statement": statement}))


def rows(result: ToolResult) -> list[list[Any]]:
    assert result.outcome is Outcome.OK, result.text
    return list(json.loads(result.text)["rows"])


def there(server: Server, statement: str = "SELECT count(*) FROM users") -> Any:
    """What is really there, looked at from outside."""
    with psycopg.connect(server.url("owner", "shop"), autocommit=True) as link:
        found = link.execute(statement.encode()).fetchone()
        assert found is not None
        return found[0]


# ------------------------------------------------------------------ reading


async def test_a_query_gives_columns_and_rows_that_json_can_hold(server: Server) -> None:
    """ST-04: decimals as text, dates as ISO, no bytes; nulls and plain numbers as they are."""
    text = "SELECT id, name, paid, born, photo, true AS \"is it\", NULL AS nothing, 1.5::float8, 'x' AS name FROM users"
    result = await query(server, f"{text} ORDER BY id LIMIT 1;")

    assert json.loads(result.text) == {
        "columns": ["id", "name", "paid", "born", "photo", "is it", "nothing", "float8", "name"],
        "rows": [[1, "user 1", "1.25", "2001-02-03", "(2 bytes, not shown)", True, None, 1.5, "x"]],
        "cut": "",
    }


@pytest.mark.parametrize(
    "statement",
    [
        "VALUES (1), (2)",
        "TABLE users",
        "WITH n AS (SELECT 1 AS a) SELECT a FROM n -- the end",
        "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1",
        "EXPLAIN SELECT 1",
        "SHOW server_version",
        "/* one /* in another */ */ -- and a line\nSELECT 'a; b', '{}'::jsonb, ARRAY[1, 2], ROW(1, 'x'), now(), '%s'",
        "SELECT 'infinity'::date, '0044-03-15 BC'::date, 'NaN'::float8, pg_sleep(0)",
    ],
)
async def test_whatever_only_reads_may_be_asked(server: Server, statement: str) -> None:
    assert rows(await query(server, statement))


async def test_order_survives_the_bounds(server: Server) -> None:
    assert rows(await query(server, "SELECT id FROM users ORDER BY id DESC LIMIT 2")) == [[500], [499]]


@pytest.mark.parametrize(
    ("statement", "cut"),
    [
        ("SELECT * FROM users", f"only the first {ROWS_MOST} rows are shown"),
        ("SELECT repeat('x', 900) FROM generate_series(1, 150)", "only the first 66 rows are shown"),
        ("SELECT repeat('x', 3000) AS long", "longer values end with … after 1,000 characters"),
    ],
)
async def test_what_is_left_out_is_said(server: Server, statement: str, cut: str) -> None:
    result = await query(server, statement)

    assert json.loads(result.text)["cut"] == cut
    assert len(result.text) < 2 * BYTES_MOST


async def test_a_huge_value_never_leaves_the_server(server: Server) -> None:
    """T12: a library that takes rows whole would fill this process's memory."""
    sent: list[int] = []
    async with cutting(server, "never sent", is_passed_on=True, sent=sent) as port:
        tool = both(server, port=port)["sql_query"]

        huge = "repeat('x', 30000000)"
        result = await run(tool, {"statement": f"SELECT {huge}, convert_to({huge}, 'UTF8')"})

    assert result.outcome is Outcome.OK
    assert sum(sent) < 20_000


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT nextval('numbers')",
        "SELECT setval('numbers', 77)",
        "WITH gone AS (DELETE FROM users RETURNING id) SELECT * FROM gone",
        "SELECT * FROM users FOR UPDATE",
        "SELECT * INTO other FROM users",
        "EXPLAIN ANALYZE DELETE FROM users",
        "SELECT set_config('transaction_read_only', 'off', true)",
        "SELECT 1; DELETE FROM users",
        "SELECT 1; COMMIT; DELETE FROM users",
        "SELECT 1) AS q(c0), (SELECT 2",
        "SELECT 'x' FROM (SELECT 1) z) AS q(c0) UNION ALL SELECT repeat('x', 300000000) FROM (SELECT 2",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT * FROM missing",
        "SELECT",
    ],
)
async def test_a_query_that_would_do_more_is_refused_by_the_server(server: Server, statement: str) -> None:
    """ST-04, T12: even for a role that could; each of these as the role that may change everything there."""
    before = there(server, "SELECT last_value FROM numbers")

    result = await query(server, statement, read="writer")

    assert result.outcome is Outcome.ERROR, result.text
    assert "failed inside" not in result.text
    assert there(server) == 500
    assert there(server, "SELECT last_value FROM numbers") == before
    assert there(server, "SELECT to_regclass('other') IS NULL")


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE users", "COMMIT", "SET transaction_read_only = off", "COPY users TO PROGRAM 'id'", "DO $$ $$",
     "CALL f()", "/* SELECT */ DELETE FROM users",
     "/* /* */ SELECT */ DELETE FROM users", "", "-- SELECT", "SELECT '\0'",
     "SELECT pg_terminate_backend(pid) FROM pg_stat_activity", 'SELECT "pg_cancel_backend"(1)',
     "SELECT U&'x', U&\"pg\\005fterminate_backend\"(1)", "EXPLAIN ANALYZE SELECT PG_Advisory_Lock(1)",
     "SELECT query_to_xml('SELECT pg_term' || 'inate_backend(1)', true, true, '')",
     "SELECT pg_logical_emit_message(false, 'a', 'b')"],
)  # fmt: skip
def test_what_is_no_query_never_reaches_the_database(server: Server, statement: str) -> None:
    with pytest.raises(InvalidArguments):
        both(server)["sql_query"].check({"statement": statement})


@pytest.mark.parametrize(
    ("grant", "told"),
    [
        ("ALTER ROLE helper SUPERUSER", "may act as helper"),
        ("ALTER ROLE helper REPLICATION", "may act as helper"),
        ("GRANT owner TO helper", "may act as owner"),
        ("GRANT pg_read_server_files TO helper", "may act as pg_read_server_files"),
        ("GRANT pg_execute_server_program TO helper", "may act as pg_execute_server_program"),
        ("GRANT EXECUTE ON FUNCTION pg_read_file(text) TO helper", "may run functions of the server, such as pg_read"),
        ("CREATE EXTENSION dblink", "may run functions of dblink, which act outside of a read-only transaction"),
    ],
)
async def test_a_role_that_can_do_more_than_read_reads_nothing(server: Server, grant: str, told: str) -> None:
    """T12: a read-only transaction does not bind what happens outside of the database."""
    with psycopg.connect(server.url("owner", "shop"), autocommit=True) as link:
        link.execute(grant.encode())

    result = await query(server, "SELECT 1", read="helper")

    assert result.outcome is Outcome.ERROR
    assert told in result.text
    assert f"helper@127.0.0.1:{server.port}/shop" in result.text


async def test_without_a_reading_role_the_writing_one_reads_and_cannot_write(server: Server) -> None:
    assert rows(await query(server, "SELECT count(*) FROM users", read="")) == [[500]]
    assert (await query(server, "SELECT nextval('numbers')", read="")).outcome is Outcome.ERROR


async def test_a_query_that_takes_too_long_is_ended_by_the_server(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It raises its own limit first, which is too late for the statement that runs."""
    monkeypatch.setattr("agents.tools.postgres.READING", "BEGIN READ ONLY; SET LOCAL statement_timeout = '50ms'")

    result = await query(server, "SELECT set_config('statement_timeout', '0', false), pg_sleep(60)")

    assert (result.outcome, "57014" in result.text) == (Outcome.ERROR, True)


# ----------------------------------------------------------------- changing


async def test_a_change_is_committed_and_counted(server: Server) -> None:
    """ST-04."""
    some = "UPDATE users SET name = '50%' WHERE id <= 3 RETURNING id"
    changed = await change(server, some)
    dropped = await change(server, "DROP TABLE users")

    assert json.loads(changed.text) == {"done": "UPDATE 3", "rows": 3, "statement": some}
    assert json.loads(dropped.text) == {"done": "DROP TABLE", "rows": None, "statement": "DROP TABLE users"}
    assert there(server, "SELECT to_regclass('users') IS NULL")


def test_a_call_names_its_statement_and_its_target(server: Server) -> None:
    """ST-04: both are arguments, so both stand on the card and in what is signed; another target is no call at all."""
    tool = both(server)["sql_execute"]

    checked = tool.check({"statement": "DROP TABLE users"})

    assert checked == {"statement": "DROP TABLE users", "target": f"writer@127.0.0.1:{server.port}/shop"}
    with pytest.raises(InvalidArguments, match="There is no such target"):
        tool.check({"statement": "DROP TABLE users", "target": "writer@production/shop"})


@pytest.mark.parametrize("word", ["COMMIT", "begin", "SET ROLE owner", "Rollback", "COPY users TO '/tmp/x'", "-- x"])
def test_what_would_end_the_transaction_is_refused_before_anybody_is_asked(server: Server, word: str) -> None:
    with pytest.raises(InvalidArguments):
        both(server)["sql_execute"].check({"statement": word})


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM users; DROP TABLE users", "42601"),
        ("UPDATE users SET id = 1", "23505"),
        ("INSERT INTO users (id) VALUES (1)", "duplicate key"),
        ("UPDATE missing SET x = 1", 'relation "missing" does not exist'),
        ("VACUUM users", "25001"),
    ],
)
async def test_a_change_that_fails_changes_nothing(server: Server, statement: str, told: str) -> None:
    result = await change(server, statement)

    assert (result.outcome, told in result.text) == (Outcome.ERROR, True), result.text
    assert there(server) == 500


async def test_a_rule_that_is_checked_at_the_commit_is_a_clear_no(server: Server) -> None:
    with psycopg.connect(server.url("writer", "shop"), autocommit=True) as link:
        link.execute("ALTER TABLE users ADD CONSTRAINT one UNIQUE (name) DEFERRABLE INITIALLY DEFERRED")

    result = await change(server, "UPDATE users SET name = 'same'")

    assert (result.outcome, "23505" in result.text) == (Outcome.ERROR, True)
    assert there(server, "SELECT count(*) FROM users WHERE name = 'same'") == 0


@pytest.mark.parametrize(("arrives", "outcome"), [("SELECT set_config", None), ("COMMIT", Outcome.UNKNOWN)])
@pytest.mark.parametrize("is_passed_on", [True, False])
async def test_a_connection_lost_in_the_commit_is_in_doubt(
    server: Server, arrives: str, outcome: Outcome | None, is_passed_on: bool
) -> None:
    """D-28, I2: lost a moment earlier nothing has changed; whether the server saw the COMMIT, nobody here can know."""
    cut_at = arrives if outcome else "INSERT"
    async with cutting(server, cut_at, is_passed_on=is_passed_on) as port:
        tool = both(server, port=port)["sql_execute"]

        result = await run(tool, {"statement": "INSERT INTO users (id) VALUES (1000)"})

    assert result.outcome is (outcome or Outcome.ERROR), result.text
    assert ("Nothing was changed" in result.text) is (outcome is None)


@asynccontextmanager
async def cutting(
    server: Server, word: str, *, is_passed_on: bool, sent: list[int] | None = None
) -> AsyncIterator[int]:
    """A way to the server that breaks off at the message that holds *word*, before or after it is passed on.

    *sent* gets how many bytes came back each time.
    """
    served: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        there, back = await asyncio.open_connection("127.0.0.1", server.port)
        pump = asyncio.ensure_future(_pump(there, writer, [] if sent is None else sent))
        while (asked := await reader.read(65536)) and word.encode() not in asked:
            back.write(asked)
        if is_passed_on:
            back.write(asked)
            await back.drain()
        back.close()
        writer.transport.abort()
        await asyncio.gather(pump, back.wait_closed(), writer.wait_closed(), return_exceptions=True)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield int(listening.sockets[0].getsockname()[1])
        await asyncio.gather(*(task for task in served if task is not None))


async def _pump(source: asyncio.StreamReader, to: asyncio.StreamWriter, sent: list[int]) -> None:
    while told := await source.read(65536):
        sent.append(len(told))
        to.write(told)


# ----------------------------------------------------------------- evidence


async def test_people_read_how_many_rows_a_change_is_about(server: Server) -> None:
    """ST-04: from EXPLAIN; nothing has run when they read it."""
    summary, plan = await foretold(server, "UPDATE users SET name = 'x' WHERE id <= 100")

    assert summary.text == "Update on public.users: about 100 of about 500 rows."
    assert "nothing was run" in summary.label
    assert (plan.is_code, plan.text.startswith("Update on users")) == (True, True)
    assert there(server, "SELECT count(*) FROM users WHERE name = 'x'") == 0


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM users", "Delete on public.users: about 500 of about 500 rows."),
        ("INSERT INTO users (id) VALUES (1000), (1001)", "Insert on public.users: about 2."),
        ("WITH gone AS (DELETE FROM users RETURNING 1) TABLE gone", "Delete on public.users: about 500"),
        ("SELECT 1", "It changes no table that the plan shows."),
        ("DROP TABLE users", "public.users holds about 500 rows"),
        ("TRUNCATE public.users", "public.users holds about 500 rows"),
        ('/* it */ ALTER TABLE IF EXISTS ONLY "users" ADD x int', "public.users holds about 500 rows"),
        ("CREATE INDEX fast ON users (name)", "public.users holds about 500 rows"),
        ("DROP TABLE missing", "Which tables it is about could not be told."),
        ("GRANT ALL ON users TO public", "Which tables it is about could not be told."),
    ],
)
async def test_every_change_has_evidence_or_says_why_not(server: Server, statement: str, told: str) -> None:
    found = await foretold(server, statement)

    assert found[0].text.startswith(told), found
    assert not found[0].is_failed
    assert there(server) == 500


@pytest.mark.parametrize("statement", ["UPDATE missing SET x = 1", "DELETE FROM users; TABLE users", "UPDAT users"])
async def test_a_preview_that_fails_or_knows_nothing_says_so(server: Server, statement: str) -> None:
    (found, *more) = await foretold(server, statement)

    assert found.is_failed or found.label.startswith("No estimate")
    assert not more
    assert there(server) == 500


async def test_a_preview_never_writes_even_if_the_plan_would_have_to_run_something(server: Server) -> None:
    """A function that lies about being immutable runs while the statement is planned: in a read-only transaction."""
    with psycopg.connect(server.url("writer", "shop"), autocommit=True) as link:
        link.execute("CREATE FUNCTION sly() RETURNS int IMMUTABLE LANGUAGE sql AS 'DELETE FROM users RETURNING 1'")

    (found,) = await foretold(server, "UPDATE users SET name = 'x' WHERE id = sly()")

    assert found.is_failed
    assert there(server) == 500


async def test_a_preview_as_a_role_that_can_do_more_plans_nothing(server: Server) -> None:
    """T12: nobody has signed yet, and a program of the server's is not held back by a read-only transaction."""
    made = server.folder / "made"
    body = f"BEGIN COPY (SELECT 1) TO PROGRAM 'cat > {made}'; RETURN 1; END"
    with psycopg.connect(server.url("owner", "shop"), autocommit=True) as link:
        link.execute(f"CREATE FUNCTION sly() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $${body}$$".encode())
    tool = both(server, write="owner")["sql_execute"]

    (found,) = await tool.preview(call_of(tool, {"statement": "UPDATE users SET name = 'x' WHERE id = sly()"}))

    assert (found.is_failed, "may act as owner" in found.text) == (True, True)
    assert not made.exists()


# ------------------------------------------------------------------ secrets


async def test_no_error_shows_the_address(server: Server) -> None:
    """T08: the address holds a password; nobody listens on that port."""
    with capture_logs() as logs:
        results = [await run(tool, {"statement": "SELECT 1"}) for tool in both(server, port=1).values()]
        with pytest.raises(ValueError, match="is not an address") as bad:
            Database(f"postgresql://writer:{SECRET}@[half/shop?oops=1")

    assert {result.outcome for result in results} == {Outcome.ERROR}
    assert all("cannot be reached, or does not let us in" in result.text for result in results)
    assert SECRET not in f"{results} {logs} {bad.value!r} {Database(server.url('writer')).__dict__['target']}"


# -------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("select 1", "SELECT"),
        ("  -- a\n/* b /* c */ */ (select 1)", "("),
        ("/* open", ""),
        ("-- open", ""),
        ("1", ""),
    ],
)
def test_the_first_word_is_found_behind_comments(statement: str, word: str) -> None:
    assert first_word(statement) == word


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ('drop table if exists a, public."B c", "d""e" cascade', ["a", 'public."B c"', '"d""e"']),
        ("truncate only a", ["a"]),
        ("create unique index concurrently i on only s.t (x)", ["s.t"]),
        ("grant all on t to x", []),
    ],
)
def test_the_tables_of_a_definition_are_found(statement: str, named: list[str]) -> None:
    assert tables(statement) == named
