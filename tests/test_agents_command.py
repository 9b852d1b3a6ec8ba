"""The program with an agents.yml: what it refuses to start with, and what its command line lists."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tests.house import ROOT
from tests.test_serve import PATIENCE, refusal


async def test_an_agent_of_an_unknown_kind_keeps_the_bot_from_starting(tmp_path: Path) -> None:
    """AS-08: the process exits non-zero, and the message names the file, the key and `react`."""
    file = tmp_path / "agents.yml"
    file.write_text("agents:\n  support:\n    kind: DialogAgent\n    prompt: Help.\n")

    told = await refusal(tmp_path / "var", COUNTERSIGN_AGENTS=str(file))

    assert told.startswith("agents.yml:3:11: kind of support must be one of react, ")
    assert "Traceback" not in told


async def test_a_file_of_agents_that_is_named_and_not_there_is_told(tmp_path: Path) -> None:
    told = await refusal(tmp_path / "var", COUNTERSIGN_AGENTS=str(tmp_path / "no.yml"))

    assert told == "no.yml:1:1: cannot be read: No such file or directory; correct COUNTERSIGN_AGENTS\n"


async def test_the_command_lists_the_shipped_agents(tmp_path: Path) -> None:
    """A newcomer sees whom there is to ask, the default first."""
    env = {"PATH": os.environ["PATH"], "COUNTERSIGN_VAR": str(tmp_path)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "agents"), cwd=ROOT, env=env, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE):
        told, _ = await process.communicate()

    assert process.returncode == 0
    assert told.decode().startswith("assistant  react  model rehearsal  tools look_up_order, refund, ")
    assert "asked by “article: …”, “write an article …”" in told.decode()
