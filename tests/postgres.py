"""A real PostgreSQL for the tests of this session: a folder of its own, loopback and a unix socket, no fsync.

PostgreSQL refuses to run as root, so then it runs as `nobody`. `make system` installs it where apt is.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NEEDS = "no PostgreSQL server on this machine; `make system` installs one"
SPARE = "-c fsync=off -c full_page_writes=off -c autovacuum=off -c max_connections=30 -c shared_buffers=16MB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    folder: Path
    port: int

    def url(self, role: str, database: str = "postgres", *, port: int = 0) -> str:
        """With a password that must be seen nowhere; the server trusts everybody."""
        return f"postgresql://{role}:hunter2-s3cret@127.0.0.1:{port or self.port}/{database}"


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl; Debian keeps them out of the path."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


@contextmanager
def running(tools: Path) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="cs-pg-"))  # not pytest's: nobody else may enter those
    is_root = os.geteuid() == 0
    if is_root:
        shutil.chown(folder, "nobody")

    def run(*command: str) -> None:
        who = {"user": "nobody", "extra_groups": []} if is_root else {}
        with (folder.parent / f"{folder.name}.log").open("ab") as log:
            subprocess.run(command, cwd=folder, stdout=log, stderr=log, check=True, **who)  # type: ignore[call-overload]  # user and groups come as one

    data, port = folder / "data", _free_port()
    try:
        run(str(tools / "initdb"), "-D", str(data), "-U", "owner", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        where = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
        run(str(tools / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", f"{where} {SPARE}", "start")
        try:
            yield Server(folder=folder, port=port)
        finally:
            run(str(tools / "pg_ctl"), "-D", str(data), "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
