"""What a SQL statement begins with, and which tables it names: for a clear sentence.

Whether a statement is one, and what it may do, is for the server alone to say (postgres). One thing no right of the
server forbids: a role may end sessions of its own, take locks that others wait for, and run text as SQL. Who does that
is told from the names of functions here; a function of your own that does it is left to the rights of the role.
"""

from __future__ import annotations

import re

WRAPPED = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "("})  # rows come of it, so it can stand in a FROM
READS = WRAPPED | {"EXPLAIN", "SHOW"}
PLANNED = WRAPPED | {"INSERT", "UPDATE", "DELETE", "MERGE"}  # what EXPLAIN takes
ENDS = frozenset(  # would end, or outlive, the one transaction that a change runs in
    {"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "PREPARE", "EXECUTE"}
    | {"DEALLOCATE", "SET", "RESET", "DISCARD", "LISTEN", "UNLISTEN", "DECLARE", "FETCH", "MOVE", "CLOSE"}
)

_BEYOND = re.compile(
    r"(?i)\b(?:pg_(?:terminate|cancel)_backend|pg_logical_emit_message|pg_(?:try_)?advisory_\w+"
    r"|query_to_xml\w*|cursor_to_xml\w*|ts_stat|ts_rewrite|crosstab\w*|connectby|xpath_table)\b"
    r'|u&"'  # a name in escapes could be any of these
)
_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_PATH = rf"{_NAME}(?:\s*\.\s*{_NAME})?"
_OF = re.compile(
    rf"(?:ALTER|DROP|TRUNCATE)\s+(?:(?:TABLE|MATERIALIZED\s+VIEW|INDEX|SEQUENCE|VIEW|FOREIGN\s+TABLE)\s+)?"
    rf"(?:CONCURRENTLY\s+)?(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?(?P<names>{_PATH}(?:\s*,\s*{_PATH})*)"
    rf"|CREATE\s+.*?\bON\s+(?:ONLY\s+)?(?P<on>{_PATH})",
    re.IGNORECASE | re.DOTALL,
)


def first_word(statement: str) -> str:
    """The first word in capitals, or "(", after blanks and comments; empty if there is none."""
    rest = _plain(statement)
    found = re.match(r"[A-Za-z_]+|\(", rest)
    return found[0].upper() if found else ""


def beyond(statement: str) -> str:
    """A function in it that reaches beyond a transaction that is rolled back, or could hide one; empty if none does."""
    found = _BEYOND.search(statement)
    return found[0] if found else ""


def tables(statement: str) -> list[str]:
    """The tables that a statement of definition names, as SQL writes them; none where it cannot be told."""
    found = _OF.match(_plain(statement))
    named = found and (found["names"] or found["on"])
    return re.findall(_PATH, named) if named else []


def _plain(statement: str) -> str:
    """*statement* from its first word on. Comments nest, as in PostgreSQL."""
    rest = statement.lstrip()
    while rest.startswith(("--", "/*")):
        rest = (rest.partition("\n")[2] if rest.startswith("--") else _after(rest)).lstrip()
    return rest


def _after(comment: str) -> str:
    depth = 0
    for mark in re.finditer(r"/\*|\*/", comment):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return comment[mark.end() :]
    return ""
