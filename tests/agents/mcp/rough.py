"""A small server without the library, of the older protocol, that misbehaves as its first word says.

plain · junk (lines that are no message) · flood (one line of 10 MB) · mute (never answers) · changes (another tool
after each call, announced) · nameless, twins, endless (bad lists) · crash (ends at once) · stubborn (has a child,
and neither wants to go; their numbers are its version)
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

MODE = sys.argv[1]
TOOL: dict[str, Any] = {"name": "search", "description": "Looks.", "inputSchema": {"type": "object"}}


def main() -> None:
    if MODE == "crash":
        sys.exit(3)
    calls = 0
    for line in sys.stdin:
        asked = json.loads(line)
        if MODE == "mute" or "id" not in asked:
            continue
        if MODE == "junk":
            sys.stdout.write("Server starting… {not json\n")
            say({"id": 99, "result": {}})
        answer(asked, calls)
        if asked["method"] == "tools/call":
            calls += 1
            if MODE == "changes":
                say({"method": "notifications/tools/list_changed"})


def answer(asked: dict[str, Any], calls: int) -> None:
    match asked["method"]:
        case "initialize":
            version = asked["params"]["protocolVersion"]
            info = {"name": "rough", "version": stayed() if MODE == "stubborn" else "1"}
            reply(asked, {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info})
        case "tools/list":
            reply(asked, listed(calls))
        case "tools/call" if MODE == "flood":
            reply(asked, {"content": [{"type": "text", "text": "x" * 10_000_000}]})
        case "tools/call":
            reply(asked, {"content": [{"type": "text", "text": f"answer {calls}"}]})
        case _:
            say({"id": asked["id"], "error": {"code": -32601, "message": "unknown"}})


def stayed() -> str:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    return f"{os.getpid()}-{child.pid}"


def listed(calls: int) -> dict[str, Any]:
    match MODE:
        case "nameless":
            return {"tools": [{**TOOL, "name": "検索"}]}
        case "twins":
            return {"tools": [{**TOOL, "name": "a.b"}, {**TOOL, "name": "a/b"}]}
        case "endless":
            return {"tools": [], "nextCursor": "again"}
        case "changes":
            return {"tools": [{**TOOL, "description": f"Looks {calls}."}]}
    return {"tools": [TOOL]}


def reply(asked: dict[str, Any], result: dict[str, Any]) -> None:
    say({"id": asked["id"], "result": result})


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
    time.sleep(60 if MODE in ("mute", "stubborn") else 0)  # its stdin is closed, and it stays: it must be ended
