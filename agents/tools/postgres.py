"""One PostgreSQL database, and what may be done with it: read rows, ask what a statement would do, change it.

    read    BEGIN READ ONLY -> is the role harmless? -> parse alone -> bounded rows -> ROLLBACK
    plan    BEGIN READ ONLY -> EXPLAIN, never ANALYZE -> ROLLBACK
    change  BEGIN -> the statement -> COMMIT       a connection lost in COMMIT leaves it in doubt

Every call has a connection of its own, so nothing that a statement sets outlives it. The addresses hold passwords:
they are in no message, and no error of the library's is shown that could quote them. Not who may do what (the gate),
nor how it looks (sql).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from agents.toolbox import InDoubt, ToolProblem
from agents.tools.sql_words import WRAPPED, first_word
from bot.domain.wire import Record

if TYPE_CHECKING:  # 0.1 s, and only for a bot that has a database
    from psycopg import AsyncConnection, AsyncCursor, Error

    Link: TypeAlias = AsyncConnection[tuple[Any, ...]]

CONNECT_WITHIN = 5  # seconds
ROWS_MOST = 200
COLUMNS_MOST = 100
TABLES_MOST = 20  # looked up for one card
CELL_MOST = 1_000  # characters
BYTES_MOST = 60_000  # of all cells; well below what a model reads of one result
PLAIN: Final = frozenset({16, 20, 21, 23, 700, 701})  # bool, int8, int2, int4, float4, float8: JSON has them
BYTEA: Final = 17

LIMITS = """
SET LOCAL statement_timeout = '{seconds}s'; SET LOCAL lock_timeout = '3s';
SET LOCAL idle_in_transaction_session_timeout = '60s'; SET LOCAL standard_conforming_strings = on;
"""
READING = "BEGIN READ ONLY;" + LIMITS.format(seconds=15) + "SET LOCAL datestyle = 'ISO';"
CHANGING = "BEGIN READ WRITE;" + LIMITS.format(seconds=60)

RISKY_ROLES: Final = [
    *("pg_execute_server_program", "pg_write_server_files", "pg_read_server_files", "pg_signal_backend"),
    *("pg_create_subscription", "pg_checkpoint"),
]
RISKY_FUNCTIONS: Final = [  # of the server, and granted one by one
    *("pg_read_file", "pg_read_binary_file", "pg_ls_dir", "lo_import", "lo_export", "pg_promote", "pg_reload_conf"),
    *("pg_rotate_logfile", "pg_switch_wal", "pg_create_restore_point", "pg_stat_reset"),
]
RISKY_EXTENSIONS: Final = ["dblink", "pg_background", "pg_cron", "pg_net", "http", "adminpack"]
ROLES = """
SELECT r.rolname FROM pg_catalog.pg_roles r
WHERE (r.rolsuper OR r.rolreplication OR r.rolname = ANY(%s)) AND pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
ORDER BY r.rolname = session_user DESC, 1 LIMIT 1
"""
REACHES = """
SELECT coalesce(e.extname, CASE l.lanname WHEN 'internal' THEN 'the server, such as ' || p.proname ELSE l.lanname END)
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
LEFT JOIN pg_catalog.pg_depend d
    ON d.objid = p.oid AND d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
WHERE (e.extname = ANY(%s) OR (l.lanname = 'internal' AND p.proname = ANY(%s))
    OR (NOT l.lanpltrusted AND l.lanname NOT IN ('internal', 'c')))
    AND pg_catalog.has_function_privilege(session_user, p.oid, 'EXECUTE')
LIMIT 1
"""
SIZE = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname), c.reltuples::bigint,
    pg_catalog.pg_size_pretty(pg_catalog.pg_total_relation_size(c.oid))
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = pg_catalog.to_regclass(%s)
"""


class Rows(Record):
    """What a query gave. Dates, decimals and all else that JSON has no word for are text, as PostgreSQL writes it."""

    columns: tuple[str, ...]
    rows: tuple[tuple[bool | int | float | str | None, ...], ...]
    cut: str = ""  # what was left out, in words


class Changed(Record):
    done: str  # as the database calls it: "UPDATE 3", "DROP TABLE"
    rows: int | None = None  # affected; None where the database counts none
    statement: str = ""  # what ran: whoever signed it may have changed what was asked for


class Table(Record):
    name: str
    rows: int  # as last counted by the database; below 0: never
    size: str


class Database:
    """One database; *read_url* is a role that may only read. Raises ValueError, which shows nothing of the URLs."""

    def __init__(self, url: str, read_url: str = "") -> None:
        self._url, self._read_url = url, read_url or url
        self.target, self.read_target = _target(self._url), _target(self._read_url)

    async def read(self, statement: str) -> Rows:
        """The first rows that *statement* gives. Raises ToolProblem."""
        async with self._begun(self._read_url, READING) as link:
            await _must_be_harmless(link, self.read_target, "Set COUNTERSIGN_SQL_READ_URL to a plain role.")
            columns = await _described(link, statement)
            is_query = first_word(statement) in WRAPPED
            return await _rows(link, _bounded(statement, columns) if is_query else statement, columns)

    async def explained(self, statement: str) -> tuple[dict[str, Any], str]:
        """The plan, as PostgreSQL's JSON and as its text. Raises ToolProblem.

        Nothing is run but functions that say of themselves that they always give the same. What one of those can do in
        a read-only transaction depends on the role, so a role that can do more gets no plan.
        """
        async with self._begun(self._url, READING) as link:
            await _must_be_harmless(link, self.target, "The change itself can be asked for; it cannot be estimated.")
            found = await (await _one(link, _explain("VERBOSE, FORMAT JSON", statement))).fetchone()
            lines = await (await _one(link, _explain("FORMAT TEXT", statement))).fetchall()
            return found[0][0]["Plan"] if found else {}, "\n".join(line for (line,) in lines)

    async def tables(self, names: Sequence[str]) -> list[Table]:
        """What is known of these tables, as SQL names them; those that there are not are left out."""
        async with self._begun(self._url, READING) as link:
            found = [await (await link.execute(SIZE, (name,))).fetchone() for name in names[:TABLES_MOST]]
        return [Table(name=row[0], rows=row[1], size=row[2]) for row in found if row is not None]

    async def change(self, statement: str) -> Changed:
        """Run *statement* and commit. Raises ToolProblem when nothing has changed, InDoubt when that is not known."""
        async with self._begun(self._url, CHANGING) as link:
            with _translated():
                cursor = await _one(link, statement)
                done = cursor.statusmessage or ""
                rows = cursor.rowcount if cursor.rowcount >= 0 and not done.startswith("SELECT") else None
            await _commit(link)
        return Changed(done=done, rows=rows)

    @asynccontextmanager
    async def _begun(self, url: str, begin: str) -> AsyncIterator[Link]:
        """A connection of its own in a transaction; what is not committed is rolled back with its end."""
        import psycopg

        try:
            link = await psycopg.AsyncConnection.connect(
                url, autocommit=True, prepare_threshold=None, connect_timeout=CONNECT_WITHIN,
                application_name="countersign", client_encoding="utf8",
            )  # fmt: skip
        except psycopg.Error:  # its text may quote the address
            raise ToolProblem(f"The database {_target(url)} cannot be reached, or does not let us in.") from None
        try:
            with _translated():
                await link.execute(begin)
                yield link
        finally:
            await link.close()


# ------------------------------------------------------------------ reading


async def _must_be_harmless(link: Link, target: str, remedy: str) -> None:
    """A read-only transaction binds what a statement does inside the database. Raises ToolProblem for a role that can

    do more: files and programs of the server, other sessions, replication, functions that open connections or leave
    the database's own languages.
    """
    if row := await (await link.execute(ROLES, (RISKY_ROLES,))).fetchone():
        raise ToolProblem(f"{target} may act as {row[0]}, which can do more than read. {remedy}")
    if row := await (await link.execute(REACHES, (RISKY_EXTENSIONS, RISKY_FUNCTIONS))).fetchone():
        told = f"{target} may run functions of {row[0]}, which act outside of a read-only transaction."
        raise ToolProblem(f"{told} Revoke EXECUTE on them from this role and from PUBLIC.")


async def _described(link: Link, statement: str) -> list[tuple[str, int]]:
    """Name and type of each column, without running anything: *statement* is parsed alone, so it is one and whole."""
    from psycopg import errors, generators, pq

    pg = link.pgconn
    for send in (partial(pg.send_prepare, b"", statement.encode()), partial(pg.send_describe_prepared, b"")):
        send()
        answer = (await link.wait(generators.execute(pg)))[-1]
        if answer.status not in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
            raise errors.error_from_result(answer)
    columns = [((answer.fname(at) or b"").decode("utf-8", "replace"), answer.ftype(at)) for at in range(answer.nfields)]
    if not 0 < len(columns) <= COLUMNS_MOST:
        raise ToolProblem(f"It gives {len(columns)} columns; 1 to {COLUMNS_MOST} can be shown. Name those you need.")
    return columns


def _bounded(statement: str, columns: Sequence[tuple[str, int]]) -> str:
    """*statement* with every cell and the number of rows cut by the server, before they reach our memory."""
    cells = ", ".join(_cell(f"c{at}", kind) for at, (_, kind) in enumerate(columns))
    names = ", ".join(f"c{at}" for at in range(len(columns)))
    whole = statement.rstrip().rstrip(";")
    return f"SELECT {cells} FROM (\n{whole}\n) AS q({names}) LIMIT {ROWS_MOST + 1}"


def _cell(name: str, kind: int) -> str:
    if kind in PLAIN:
        return name
    if kind == BYTEA:
        return f"'(' || pg_catalog.octet_length({name}) || ' bytes, not shown)'"
    return f"pg_catalog.left({name}::pg_catalog.text, {CELL_MOST + 1})"


async def _rows(link: Link, statement: str, columns: Sequence[tuple[str, int]]) -> Rows:
    async with link.cursor() as cursor:
        stream = cast("AsyncGenerator[tuple[Any, ...], None]", cursor.stream(statement))  # row by row; one statement
        async with aclosing(stream) as found:
            return await _collected(found, columns)


async def _collected(found: AsyncIterator[tuple[Any, ...]], columns: Sequence[tuple[str, int]]) -> Rows:
    rows: list[tuple[Any, ...]] = []
    size, cut = 0, []
    async for row in found:
        cells = tuple(map(_shown, row))
        size += sum(len(str(cell).encode()) for cell in cells)
        if len(rows) == ROWS_MOST or size > BYTES_MOST:
            cut.append(f"only the first {len(rows)} rows are shown")
            break
        rows.append(cells)
    if any(isinstance(cell, str) and len(cell) > CELL_MOST for row in rows for cell in row):
        cut.append(f"longer values end with … after {CELL_MOST:,} characters")
    return Rows(columns=tuple(name for name, _ in columns), rows=tuple(rows), cut="; ".join(cut))


def _shown(value: object) -> bool | int | float | str | None:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= CELL_MOST else f"{text[:CELL_MOST]}…"


# ----------------------------------------------------------------- changing


async def _one(link: Link, statement: str) -> AsyncCursor[tuple[Any, ...]]:
    """Run it by the extended protocol, which takes no second statement: that is how binary results are asked for."""
    return await link.cursor(binary=True).execute(statement)


def _explain(how: str, statement: str) -> str:
    """In parentheses nothing that follows can be an option: an ANALYZE at the beginning is a syntax error."""
    return f"EXPLAIN ({how})\n{statement}"


async def _commit(link: Link) -> None:
    import psycopg

    try:
        ended = await link.execute("COMMIT")
    except psycopg.Error as error:
        if error.sqlstate is None or error.sqlstate[:2] in ("08", "57"):  # connection lost, or ended by an operator
            told = "The connection was lost while the change was committed: whether it took effect is not known."
            raise InDoubt(told) from None
        raise ToolProblem(_told(error)) from None
    if ended.statusmessage != "COMMIT":
        raise ToolProblem("The database rolled it back. Nothing was changed.")


# ------------------------------------------------------------------- errors


@contextmanager
def _translated() -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise ToolProblem(_told(error)) from None


def _told(error: Error) -> str:
    """The server's own sentence; nothing of the library's."""
    if error.sqlstate and error.diag.message_primary:
        return f"The database refuses it: {error.diag.message_primary} (SQLSTATE {error.sqlstate})."
    return f"The connection was lost, or cannot be used in this way ({type(error).__name__}). Nothing was changed."


def _target(url: str) -> str:
    """Role, host, port and database, for people: never the password."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError:
        raise ValueError("is not an address of a PostgreSQL database") from None
    host, port = parts.get("host") or parts.get("hostaddr") or "localhost", parts.get("port") or 5432
    user = parts.get("user") or "?"
    return f"{user}@{host}:{port}/{parts.get('dbname') or user}"
