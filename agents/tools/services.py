"""The house's services: restart one, change one setting of one.

Which services there are, how each is restarted and where its settings stand is declared by whoever runs the bot; an
agent names a service and nothing else. A command is an argument list without a shell, and does not see our environment.

    set_config   read -> one value changed in its place -> read again: only that differs? -> written beside -> renamed

Comments and order of a YAML file stay as they are. Not who may do it (the gate).
"""
# No postponed annotations here: the only names that the tools take are known when the tools are made.

import asyncio
import contextlib
import json
import os
import shlex
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, Field, WithJsonSchema

from agents.toolbox import InDoubt, ToolProblem, tool
from agents.tools.only import Only
from bot.domain.calls import Evidence, Risk
from bot.domain.ports import Tool
from bot.domain.redacted import MASK, redacted
from bot.domain.wire import Json, Record

RESTART_WITHIN = 90.0  # seconds
STATUS_WITHIN = 5.0
OUTPUT_MOST = 4_000  # bytes of a command's output that are kept
CONFIG_MOST = 1_000_000  # bytes of a settings file
ENVIRONMENT = ("PATH", "HOME", "LANG", "TZ", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")  # what systemctl needs

Key = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,9}$", max_length=200, description="such as workers.most")
]
Value = Annotated[bool | int | float | str, Field(description="text, a number, true or false")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service as it was declared. `status` only looks."""

    restart: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    config: Path | None = None


class Restarted(Record):
    service: str
    output: str


class Configured(Record):
    service: str
    key: str
    before: str
    after: str


def service_tools(services: Mapping[str, Service]) -> tuple[Tool, ...]:
    """Restarting, and changing settings, where it was declared how."""
    runs = {name: one for name, one in services.items() if one.restart}
    kept = {name: one.config for name, one in services.items() if one.config is not None}
    return (*(_restarting(runs) if runs else ()), *(_configuring(kept) if kept else ()))


def _restarting(services: Mapping[str, Service]) -> tuple[Tool, ...]:
    only = Only("service", services)

    async def before(name: str) -> list[Evidence]:
        service = services[name]
        command = Evidence(label="What would run", text=shlex.join(service.restart), is_code=True)
        if not service.status:
            return [command]
        try:
            code, said = await _run(service.status, STATUS_WITHIN)
        except TimeoutError:
            raise ToolProblem(f"the state of {name} could not be seen within {STATUS_WITHIN:g} seconds") from None
        return [command, Evidence(label=f"Its state now ({_ended(code)})", text=said or "(no words)", is_code=True)]

    limit = timedelta(seconds=RESTART_WITHIN + 10)

    @tool(touches=("services",), category="technical", timeout=limit, preview=before)
    async def restart_service(
        name: Annotated[str, AfterValidator(only.check), WithJsonSchema(only.schema)],
    ) -> Restarted:
        """Restart a service. Whoever uses it just then is interrupted."""
        try:
            code, said = await _run(services[name].restart, RESTART_WITHIN)
        except TimeoutError:
            raise InDoubt(f"Restarting {name} took over {RESTART_WITHIN:g} seconds and was broken off.") from None
        if code != 0:
            raise ToolProblem(f"Restarting {name} {_ended(code)}: {redacted(said, 1000) or '(no words)'}")
        return Restarted(service=name, output=said)

    return (restart_service,)


def _configuring(files: Mapping[str, Path]) -> tuple[Tool, ...]:
    only = Only("service", files)

    def before(service: str, key: str, value: Json) -> Evidence:
        old, new = changed(files[service], key, value)
        text = "It is so already." if old.text == new.text else f"- {_spelled(old, key)}\n+ {_spelled(new, key)}"
        return Evidence(label=f"What changes of {key} in {files[service].name}", text=text, is_code=True)

    @tool(risk=Risk.IRREVERSIBLE, touches=("services",), category="technical", preview=before)
    def set_config(
        service: Annotated[str, AfterValidator(only.check), WithJsonSchema(only.schema)], key: Key, value: Value
    ) -> Configured:
        """Change one setting of a service in its settings file. The service may have to be restarted to see it.

        Args:
            key: names from the outside in, with dots between; the setting must be there already
        """
        path = files[service]
        old, new = changed(path, key, value)
        _write(path.resolve(), new.text)
        return Configured(service=service, key=key, before=_spelled(old, key), after=_spelled(new, key))

    return (set_config,)


# ----------------------------------------------------------------- commands


async def _run(command: tuple[str, ...], within: float) -> tuple[int, str]:
    """Exit code and output. Its whole process group ends with this. Raises TimeoutError, ToolProblem."""
    environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    try:
        process = await asyncio.create_subprocess_exec(
            *command, cwd="/", env=environment, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
    except OSError as error:
        raise ToolProblem(f"{command[0]} cannot be started: {error.strerror}.") from None
    try:
        async with asyncio.timeout(within):
            said = await _output(process)
            return await process.wait(), said
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _output(process: asyncio.subprocess.Process) -> str:
    """The beginning of what it writes; the rest is read, so that it does not wait for us, and forgotten."""
    assert process.stdout is not None, "asked for above"
    said = b""
    while part := await process.stdout.read(65536):
        said += part[: OUTPUT_MOST - len(said)]
    return said.decode("utf-8", "replace").strip()


def _ended(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"


# ----------------------------------------------------------------- settings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Config:
    text: str
    values: Any


def changed(path: Path, key: str, value: Json) -> tuple[_Config, _Config]:
    """The settings as they are, and with *key* as *value*. Raises ToolProblem unless exactly that would differ."""
    old = _Config(text=(text := _text(path)), values=_parsed(text, path))
    wanted = _with(old.values, key.split("."), value, f"{key} in {path.name}")
    new = _replaced_json(wanted) if path.suffix == ".json" else _replaced_yaml(text, key.split("."), value)
    if _parsed(new, path) != wanted:  # an anchor that others share, or a file that is written in an odd way
        raise ToolProblem(f"{key} in {path.name} cannot be changed without changing other settings with it.")
    return old, _Config(text=new, values=wanted)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(CONFIG_MOST + 1)
        if len(raw) > CONFIG_MOST:
            raise ToolProblem(f"{path.name} is larger than {CONFIG_MOST:,} bytes.")
        return raw.decode()
    except OSError as error:
        raise ToolProblem(f"{path.name} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ToolProblem(f"{path.name} is not text in UTF-8.") from None


def _parsed(text: str, path: Path) -> Any:
    try:
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError):
        kind = "JSON" if path.suffix == ".json" else "YAML"
        raise ToolProblem(f"{path.name} is not {kind} that can be read.") from None


def _with(values: Any, names: list[str], value: Json, told: str) -> Any:
    """*values* with one changed; it must be there, and be one value."""
    name, *inner = names
    if not isinstance(values, dict) or name not in values:
        raise ToolProblem(f"There is no setting {told}.")
    if not inner and isinstance(values[name], dict | list):
        raise ToolProblem(f"{told} is not one value but several.")
    return {**values, name: _with(values[name], inner, value, told) if inner else value}


def _replaced_json(wanted: Any) -> str:
    return json.dumps(wanted, indent=2, ensure_ascii=False) + "\n"


def _replaced_yaml(text: str, names: list[str], value: Json) -> str:
    """Only the characters of the value change. JSON's spelling of a text, number or truth is YAML's as well."""
    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    for name in names:
        node = next(held for key, held in node.value if key.value == name)
    start, end = node.start_mark.index, node.end_mark.index
    lead = " " if start == end else ""  # "key:" with nothing behind it
    rest = "\n" if text[start:end].endswith("\n") else ""  # a block of text ends with its line
    return f"{text[:start]}{lead}{json.dumps(value, ensure_ascii=False)}{rest}{text[end:]}"


def _spelled(config: _Config, key: str) -> str:
    """The setting as people read it; what its name calls a secret is masked."""
    value = config.values
    for name in key.split("."):
        value = value[name]
    line = f"{key}: {json.dumps(value, ensure_ascii=False, default=str)}"
    return f"{key}: {MASK}" if MASK in redacted(f"{key}: x", 300) else line


def _write(path: Path, text: str) -> None:
    """Beside it, then renamed over, with the rights it had: its reader sees the old file or the new one."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fchmod(number, path.stat().st_mode & 0o7777)
            os.fsync(number)
        os.replace(name, path)
    except OSError as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise ToolProblem(f"{path.name} cannot be written: {error.strerror}.") from None
