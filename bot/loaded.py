"""Code that a setting or a file names as module:name: found and imported, or one sentence on why not.

    "my_tools:restart" -> loaded() -> the object          NotLoaded: "cannot be loaded: my_tools.py:7: restart has no …"

The module is somebody's own, and may fail in any way at all: its sentence says the file and the line. Not what
may be named (rules, agentsbuild), nor whether what was found is a tool or an agent.
"""

from __future__ import annotations

import difflib
import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType

from agents.traits import BadTool

OURS = ("bot", "agents", "adapters")
LONGEST = 400  # characters of a foreign sentence


class NotLoaded(ValueError):
    """What is named cannot be had. The message is the rest of a sentence that begins with the name."""


def loaded(name: str) -> object:
    """What *name* (`module:name`) is. Raises NotLoaded, whatever happens in the module."""
    module, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), attribute]):
        raise NotLoaded("is not written as module:name, such as my_tools:restart for `def restart` in my_tools.py")
    found = _imported(module)
    if not hasattr(found, attribute):
        raise NotLoaded(f"cannot be loaded: {module} has no {attribute!r}{_near(attribute, found)}")
    return getattr(found, attribute)


def _imported(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise NotLoaded(f"cannot be loaded: {_missing(module, error)}") from error
    except SyntaxError as error:
        where = f"{_short(error.filename)}:{error.lineno}: " if error.filename else ""
        raise NotLoaded(f"cannot be loaded: {where}{error.msg}") from error
    except (Exception, SystemExit) as error:
        told = str(error) if isinstance(error, BadTool) else f"{type(error).__name__}: {error}"
        raise NotLoaded(f"cannot be loaded: {_where(module, error)}{_line(told)}") from error


def _missing(module: str, error: ModuleNotFoundError) -> str:
    wanted = error.name or ""
    if wanted == module or module.startswith(f"{wanted}."):
        file = f"{module.replace('.', '/')}.py"
        return f"there is no module {wanted!r}; put {file} into the folder where the bot starts, or mend the name"
    return f"{_where(module, error)}there is no module {wanted!r}; install it into the environment of this bot"


def _where(module: str, error: BaseException) -> str:
    """`file:line: ` of the last step in somebody's own code; empty if there is none."""
    steps = [
        (str(frame.f_globals.get("__name__", "")), frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    theirs = [step for step in steps if step[0] == module or _is_theirs(step[0], step[1])]
    return f"{_short(theirs[-1][1])}:{theirs[-1][2]}: " if theirs else ""


def _is_theirs(module: str, file: str) -> bool:
    top = module.partition(".")[0]
    return top not in OURS and top not in sys.stdlib_module_names and "site-packages" not in Path(file).parts


def _short(file: str) -> str:
    """As seen from the folder where the bot starts."""
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file


def _near(name: str, module: ModuleType) -> str:
    near = difflib.get_close_matches(name, [one for one in vars(module) if not one.startswith("_")], n=1)
    return f"; did you mean {near[0]}?" if near else f"; write module:name for something that {module.__name__} defines"


def _line(text: str) -> str:
    clean = " ".join(text.split())
    return clean if len(clean) <= LONGEST else f"{clean[:LONGEST]}…"
