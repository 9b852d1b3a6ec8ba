"""Python in a process of its own, as people start it: with none of this process's environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.house import ROOT


def python(*words: str, cwd: Path = ROOT, seconds: float = 60, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `python WORDS`, with *env* and a path to the system's programs."""
    env = {"PATH": "/usr/bin:/bin", **env}
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=seconds, check=False)


def bot(var: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of the bot's, on what is kept in *var*."""
    return python("-m", "bot", *words, PATH=os.environ["PATH"], COUNTERSIGN_VAR=str(var))


def own_tests(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """An author's pytest in their own *folder*, where nothing of ours is configured."""
    words = ("-m", "pytest", "-q", *options, "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", ".")
    return python(*words, cwd=folder, PYTHONPATH=f"{ROOT}:{folder}")
