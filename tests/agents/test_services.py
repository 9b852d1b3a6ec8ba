"""Services: only those that were declared, without a shell, and one setting changed in its place."""

from __future__ import annotations

import asyncio
import json
import os
import select
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from agents.toolbox import FunctionTool
from agents.tools.services import Service, service_tools
from bot.domain.calls import Evidence, Outcome, Risk
from bot.domain.errors import BadSettings, InvalidArguments
from bot.services import read_services
from tests.agents.given import call_of, run

CONFIG = """# how the web server runs
workers:
  most: 2   # of each machine
  names: [a, b]
title: "old"
db_password: swordfish
empty:
text: |
  two
  lines
shared: &one {size: 1}
other: *one
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "web.yml"
    path.write_text(CONFIG)
    path.chmod(0o640)
    return path


def tools(**services: Service) -> dict[str, FunctionTool]:
    return {one.spec.name: one for one in service_tools(services) if isinstance(one, FunctionTool)}


def python(code: str) -> tuple[str, ...]:
    return sys.executable, "-c", code


def text_of(path: Path) -> str:
    return path.read_text()


def is_there(path: Path) -> bool:
    return path.exists()


def rights_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def put(path: Path, text: str) -> None:
    path.write_text(text)


def ends(process: int) -> bool:
    """Wait until it has ended, even if its parent has not fetched it yet."""
    try:
        watched = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    with os.fdopen(watched):
        return bool(select.select([watched], [], [], 10)[0])


async def evidence(tool: FunctionTool, **args: Any) -> tuple[Evidence, ...]:
    return await tool.preview(call_of(tool, args))


# --------------------------------------------------------------- restarting


async def test_a_declared_service_is_restarted_and_what_it_said_is_kept(tmp_path: Path) -> None:
    """ST-05: a list of arguments; blanks and semicolons in them mean nothing."""
    mark = tmp_path / "a b; touch c"
    found = tools(web=Service(restart=(*python("import sys; print('up', open(sys.argv[1], 'w').name)"), str(mark))))

    result = await run(found["restart_service"], {"name": "web"})

    assert json.loads(result.text) == {"service": "web", "output": f"up {mark}"}
    assert is_there(mark)
    assert found["restart_service"].spec.risk is Risk.IRREVERSIBLE
    assert found["restart_service"].spec.category == "technical"


@pytest.mark.parametrize("name", ["", "db", "web; reboot", "WEB"])
def test_another_service_never_reaches_a_card(name: str) -> None:
    """ST-05: names that nobody declared are refused when the call is read."""
    with pytest.raises(InvalidArguments, match="There is no such service; there is web"):
        tools(web=Service(restart=("true",)))["restart_service"].check({"name": name})


async def test_a_restart_that_fails_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret in its output is masked, and our own secrets are not in its environment."""
    monkeypatch.setenv("OUR_OWN_SECRET", "swordfish")
    code = "import os, sys; print('SEEN', 'OUR_OWN_SECRET' in os.environ, 'password=swordfish'); sys.exit(3)"

    result = await run(tools(web=Service(restart=python(code)))["restart_service"], {"name": "web"})
    missing = await run(tools(web=Service(restart=("/no/such",)))["restart_service"], {"name": "web"})

    assert (result.outcome, "ended with code 3: SEEN False" in result.text) == (Outcome.ERROR, True), result.text
    assert "swordfish" not in result.text
    assert missing.text == "/no/such cannot be started: No such file or directory."


async def test_a_restart_that_hangs_is_broken_off_and_in_doubt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its children end with it."""
    monkeypatch.setattr("agents.tools.services.RESTART_WITHIN", 0.5)
    hangs = ("sh", "-c", f"sleep 600 & echo $! > {tmp_path}/child; sleep 600")

    result = await run(tools(web=Service(restart=hangs))["restart_service"], {"name": "web"})

    assert (result.outcome, "was broken off" in result.text) == (Outcome.UNKNOWN, True)
    assert await asyncio.to_thread(ends, int(text_of(tmp_path / "child")))


async def test_people_see_the_command_and_the_state_before_they_sign() -> None:
    """ST-05: the state is looked at; nothing is restarted."""
    service = Service(restart=("systemctl", "restart", "web server"), status=python("print('active'); exit(3)"))

    command, state = await evidence(tools(web=service)["restart_service"], name="web")

    assert (command.text, command.is_code) == ("systemctl restart 'web server'", True)
    assert (state.label, state.text) == ("Its state now (ended with code 3)", "active")


# ----------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("workers.most", 4, "most: 2   # of each", "most: 4   # of each"),
        ("title", "a: b # c", '"old"', '"a: b # c"'),
        ("title", False, '"old"', "false"),
        ("empty", "full", "empty:\n", 'empty: "full"\n'),
        ("text", "one", "text: |\n  two\n  lines\n", 'text: "one"\n'),
        ("shared.size", 1.5, "", ""),
    ],
)
async def test_one_setting_changes_and_every_other_character_stays(
    path: Path, key: str, value: Any, old: str, new: str
) -> None:
    """ST-05: comments, order and rights of the file as they were."""
    result = await run(tools(web=Service(config=path))["set_config"], {"service": "web", "key": key, "value": value})

    if not old:
        assert "without changing other settings" in result.text
        assert text_of(path) == CONFIG
        return
    assert result.outcome is Outcome.OK, result.text
    assert text_of(path) == CONFIG.replace(old, new)
    assert rights_of(path) == 0o640
    assert os.listdir(path.parent) == ["web.yml"]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("workers", "workers in web.yml is not one value but several."),
        ("workers.names", "workers.names in web.yml is not one value but several."),
        ("workers.least", "There is no setting workers.least in web.yml."),
        ("title.x", "There is no setting title.x in web.yml."),
    ],
)
async def test_a_setting_that_is_not_there_is_not_made(path: Path, key: str, told: str) -> None:
    tool = tools(web=Service(config=path))["set_config"]

    result = await run(tool, {"service": "web", "key": key, "value": 1})

    assert (result.outcome, result.text) == (Outcome.ERROR, told)
    (shown,) = await evidence(tool, service="web", key=key, value=1)
    assert shown.is_failed
    assert text_of(path) == CONFIG


async def test_json_stays_json(tmp_path: Path) -> None:
    path = tmp_path / "web.json"
    put(path, '{"a": {"b": 1},\t"c": "é"}')

    await run(tools(web=Service(config=path))["set_config"], {"service": "web", "key": "a.b", "value": "x"})

    assert json.loads(text_of(path)) == {"a": {"b": "x"}, "c": "é"}


async def test_people_see_what_changes_and_no_secret(path: Path) -> None:
    """ST-05, D-43: the difference of this one setting; what its name calls a secret is masked."""
    tool = tools(web=Service(config=path))["set_config"]

    (plain,) = await evidence(tool, service="web", key="workers.most", value=4)
    (masked,) = await evidence(tool, service="web", key="db_password", value="tuna")
    (same,) = await evidence(tool, service="web", key="title", value="old")

    assert plain.text == "- workers.most: 2\n+ workers.most: 4"
    assert plain.label == "What changes of workers.most in web.yml"
    assert masked.text == "- db_password: •••\n+ db_password: •••"
    assert same.text == "It is so already."
    assert text_of(path) == CONFIG


# ----------------------------------------------------------------- declared


def test_services_are_read_from_yaml_and_from_json() -> None:
    text = '{"web": {"restart": ["systemctl", "restart", "web"], "config": "/etc/web.yml"}, "db": {"config": "/db"}}'

    found = read_services(text)

    assert found["web"] == Service(restart=("systemctl", "restart", "web"), config=Path("/etc/web.yml"))
    assert [tool.spec.name for tool in service_tools(found)] == ["restart_service", "set_config"]
    assert read_services("") == {}
    assert service_tools({}) == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{web: {restart: systemctl restart web}}", "restart of web must be a list: the program, then each of its"),
        ("{web: {restart: []}}", "restart of web must be a list"),
        ("{web: {config: web.yml}}", "config of web must be the whole path of its settings file"),
        ("{web: {status: [true]}}", "status of web must be a list"),
        ("{web: {status: [ok]}}", "web needs restart, config or both"),
        ("{web: {reload: [x], config: /a}}", "web has no part reload; there are restart, status, config"),
        ("{web: }", "web needs restart, config or both"),
        ("[web]", "must name services"),
        ("{web", "neither YAML nor JSON"),
        ('{"": {config: /a}}', "cannot be the name of a service"),
    ],
)
def test_a_mistake_in_the_declaration_is_told_in_one_sentence(text: str, told: str) -> None:
    with pytest.raises(BadSettings, match=told.replace("(", r"\(")):
        read_services(text)
