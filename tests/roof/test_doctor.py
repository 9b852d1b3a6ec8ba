"""The doctor, where no platform is: what it finds out by trying."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from typer.testing import CliRunner

from agents.tools.box import Boxes, Kind
from bot.cli import app
from bot.doctor import Finding, examine
from tests.house import ROOT

NOWHERE = "127.0.0.1:1"  # nothing listens there
SECRET = "hunter2-s3cret"
OWN = """
from agents.toolbox import tool


@tool(risk="{risk}")
def {name}(service: str) -> str:
    '''Do it.'''
    return service
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "COUNTERSIGN_VAR": str(tmp_path / "var"),
        "COUNTERSIGN_POLICY": str(ROOT / "policy.yml"),
        "COUNTERSIGN_PEOPLE": str(ROOT / "people.yml"),
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


async def scripts() -> list[Finding]:
    return [one for one in await examine() if "scripts run" in one.text or "for code" in one.text]


@pytest.mark.parametrize(
    ("setting", "kind", "mark", "told"),
    [
        ("on", Kind.BUBBLEWRAP, "✓", "scripts run in a box made by bubblewrap"),
        ("unboxed", Kind.NONE, "!", "scripts run WITHOUT A BOX"),
        ("on", None, "✗", "this host can make no box for code"),
    ],
)
async def test_what_scripts_would_run_in_is_tried_where_they_are_switched_on(
    here: pytest.MonkeyPatch, setting: str, kind: Kind | None, mark: str, told: str
) -> None:
    """AU-15, D-34: a box, none because somebody wanted none, or nothing at all."""

    async def is_fine(_: Boxes, tried: Kind) -> bool:
        return tried is kind

    here.setattr(Boxes, "_is_fine", is_fine)
    assert await scripts() == []
    here.setenv("COUNTERSIGN_CODE", setting)

    (found,) = await scripts()

    assert (found.mark, told in found.text) == (mark, True)


# ------------------------------------------------------------- what the settings name


async def bad(mark: str = "✗") -> list[str]:
    return [one.text for one in await examine() if one.mark == mark]


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("COUNTERSIGN_HOST", "192.0.2.1", "COUNTERSIGN_HOST 192.0.2.1 is no address of this machine"),
        ("COUNTERSIGN_SQL_URL", f"postgresql://ann:{SECRET}@{NOWHERE}/shop",
         "COUNTERSIGN_SQL_URL: The database ann@127.0.0.1:1/shop cannot be reached, or does not let us in."),
        ("COUNTERSIGN_REPOS", "site=/nope", "COUNTERSIGN_REPOS: site: there is no folder /nope"),
        ("COUNTERSIGN_SERVICES", "{web: {restart: [no-such-program, web]}}",
         "COUNTERSIGN_SERVICES: restart of web: there is no program no-such-program"),
        ("COUNTERSIGN_SERVICES", "{web: {config: /nope/web.yml}}",
         "COUNTERSIGN_SERVICES: config of web: there is no file /nope/web.yml"),
        ("COUNTERSIGN_HTTP_ALLOW", "http://x/", "COUNTERSIGN_HTTP_ALLOW must hold host names, such as "),
        ("SMTP_HOST", "127.0.0.1", "SMTP_HOST: 127.0.0.1, port 1, cannot be reached"),
    ],
)  # fmt: skip
async def test_what_a_setting_names_and_is_not_there_is_marked(
    here: pytest.MonkeyPatch, setting: str, value: str, told: str
) -> None:
    """Cheap and harmless looks only: an address, a folder, a program, a short connection. No secret is shown (T08)."""
    here.setenv(setting, value)
    if setting == "SMTP_HOST":
        here.setenv("SMTP_PORT", "1")
        here.setenv("SMTP_FROM", "bot@example.com")

    (found,) = await bad()

    assert found.startswith(told)
    assert SECRET not in found


@asynccontextmanager
async def a_model() -> AsyncIterator[str]:
    """An endpoint that lists one model, to whoever has the key."""

    async def models(request: web.Request) -> web.Response:
        if request.headers["Authorization"] != f"Bearer sk-{SECRET}":
            return web.json_response({"error": {"message": "no"}}, status=401)
        return web.json_response({"object": "list", "data": [{"id": "wise", "object": "model"}]})

    site = web.Application()
    site.router.add_get("/v1/models", models)
    runner = web.AppRunner(site)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("key", "model", "mark", "told"),
    [
        (f"sk-{SECRET}", "wise", "✓", "the model is wise at 127.0.0.1"),
        ("sk-other", "wise", "✗", "the model wise at 127.0.0.1: its key is not accepted; mend OPENAI_API_KEY"),
        (f"sk-{SECRET}", "wiser", "!", "the model wiser at 127.0.0.1 is not among those it lists; mend MODEL"),
    ],
)
async def test_the_model_is_asked_whether_it_lets_us_in(
    here: pytest.MonkeyPatch, key: str, model: str, mark: str, told: str
) -> None:
    """Its list of models is read, and nothing is thought: no token is spent."""
    async with a_model() as url:
        here.setenv("OPENAI_BASE_URL", url)
        here.setenv("OPENAI_API_KEY", key)
        here.setenv("MODEL", model)

        found = [one for one in await examine() if one.text.startswith("the model")]

    assert [(one.mark, one.text.startswith(told)) for one in found] == [(mark, True)]
    assert SECRET not in found[0].text


async def test_an_endpoint_that_is_not_there_is_named(here: pytest.MonkeyPatch) -> None:
    here.setenv("OPENAI_BASE_URL", f"http://{NOWHERE}/v1")

    (found,) = await bad()

    assert found == "the model gpt-4o-mini at 127.0.0.1 cannot be reached; mend OPENAI_BASE_URL, or the network here"


async def test_a_server_of_tools_that_is_away_is_one_line_with_its_place_and_remedy(
    here: pytest.MonkeyPatch,  # noqa: ARG001  # its folder
    tmp_path: Path,
) -> None:
    """AS-13."""
    server = json.dumps({"command": ["/nope/server"]})
    agents = "{a: {kind: react, prompt: x}}"
    (tmp_path / "agents.yml").write_text(f"mcp:\n  tickets: {server}\nagents: {agents}\n")

    (found,) = await bad()

    assert found.startswith("agents.yml:2:3: mcp: tickets: ")
    assert found.endswith("; make it reachable, or say that it is optional")


# ------------------------------------------------------------------ how it is told


async def test_what_nobody_set_up_is_one_line(here: pytest.MonkeyPatch) -> None:
    """Not one for each agent and tool: what needs a look would drown in them."""
    here.setenv("COUNTERSIGN_AGENTS", str(ROOT / "agents.yml"))

    found = [one for one in await examine() if "COUNTERSIGN_CODE" in one.text]

    assert [one.mark for one in found] == ["✓"]
    assert found[0].text.startswith("agents do without what is not set up: ")


async def test_the_agents_take_one_short_line(here: pytest.MonkeyPatch) -> None:
    here.setenv("COUNTERSIGN_AGENTS", str(ROOT / "agents.yml"))

    (found,) = [one.text for one in await examine() if " agents, " in one.text]

    assert len(found) < 300
    assert "`python -m bot agents` lists all" in found


@pytest.mark.parametrize(
    ("rules", "risk", "told"),
    [
        (
            '{id: restart, when: tool.name == "restart", ask: {groups: [approvers, managers]}}',
            "irreversible",
            "your tools: restart (irreversible; rule restart asks approvers and managers)",
        ),
        (
            '{id: reading, when: tool.risk == "read", allow: true}',
            "read",
            "your tools: restart (read; rule reading lets it run)",
        ),
        (
            '{id: never, when: tool.name == "restart" && args.service == "x", deny: never}',
            "write",
            "your tools: restart (write; rule never refuses it, else the default asks anyone)",
        ),
        (
            '{id: reading, when: tool.risk == "read", allow: true}',
            "write",
            "your tools: restart (write; no rule names it: the default asks anyone)",
        ),
    ],
)
async def test_your_own_tools_are_listed_with_who_is_asked(
    here: pytest.MonkeyPatch, tmp_path: Path, rules: str, risk: str, told: str
) -> None:
    """AU-04: a rule that was not understood is seen before the first call."""
    module = f"doctors_{abs(hash((rules, risk)))}"
    (tmp_path / f"{module}.py").write_text(OWN.format(name="restart", risk=risk))
    (tmp_path / "policy.yml").write_text(f"rules:\n  - {rules}\n")
    here.syspath_prepend(str(tmp_path))
    here.setenv("COUNTERSIGN_POLICY", str(tmp_path / "policy.yml"))
    here.setenv("COUNTERSIGN_TOOLS", f"{module}:restart")

    found = await examine()

    assert [one.text for one in found if one.is_bad] == []
    assert [one.text for one in found if "your tools" in one.text] == [told]


def test_what_needs_a_look_is_printed_last(here: pytest.MonkeyPatch) -> None:
    here.setenv("COUNTERSIGN_HOST", "192.0.2.1")

    told = CliRunner().invoke(app, ["doctor"])

    marks = [line[0] for line in told.output.splitlines()]
    assert marks == sorted(marks, key="✓!✗".index)
    assert {"✓", "!", "✗"} == set(marks)
    assert told.exit_code == 2
