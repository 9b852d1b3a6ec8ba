"""The database that the docs have newcomers make for the example `migration`, made by the file they use."""

from __future__ import annotations

import psycopg

from tests.house import ROOT
from tests.postgres import Server

FILE = ROOT / "agents" / "examples" / "migration" / "shop.sql"
CONNECT = "\\connect shop\n"  # psql's own word: what is behind it happens in the new database


def opened_shop(server: Server) -> str:
    """Make it anew; the URL of the role that may change it."""
    closed_shop(server)
    outside, inside = FILE.read_text().split(CONNECT)
    for database, script in (("postgres", outside), ("shop", inside)):
        with psycopg.connect(server.url("owner", database), autocommit=True) as link:
            for statement in filter(None, map(str.strip, script.split(";\n"))):
                link.execute(statement.encode())
    return server.url("migrator", "shop")


def closed_shop(server: Server) -> None:
    with psycopg.connect(server.url("owner"), autocommit=True) as link:
        link.execute("DROP DATABASE IF EXISTS shop WITH (FORCE)")
        link.execute("DROP ROLE IF EXISTS migrator")
