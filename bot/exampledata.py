"""What the examples bring to work on: files that are laid into the work folder, for whoever tries them.

    agents/examples/incident/work/incident/checkout.log -> var/work/incident/checkout.log, unless something is there

Only of examples that agents.yml includes, and only into the folder that is ours: one that somebody named holds what
they put there and nothing else. Not what is in the files, nor who reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import structlog

from agents.toolbox import ToolProblem
from agents.tools.files import WorkFolder
from bot.config import Settings

WORK = "work"  # beside an agents.yml: what it brings
log = structlog.get_logger()


def lay_out(files: Iterable[Path], settings: Settings) -> None:
    """Lay the work of *files*, which are agents.yml and all that it includes, where file tools find it. Once each."""
    if settings.work_folder is not None:
        return
    folder = WorkFolder(settings.work)
    for file in files:
        source = file.parent / WORK
        for one in sorted(source.rglob("*")):
            if one.is_file():
                _lay(one, one.relative_to(source).as_posix(), folder)


def _lay(one: Path, path: str, folder: WorkFolder) -> None:
    """Through the folder's own door: a link that code of an agent left there leads nowhere."""
    try:
        if folder.present(path) is None:
            folder.write(path, one.read_text(encoding="utf-8"), key=path)
    except ToolProblem as problem:
        log.warning("example_not_laid_out", path=path, why=str(problem))
