"""Which tools there are: some always, some only where somebody set them up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.agentscheck import SETTING
from bot.config import Settings, load_settings
from bot.domain.errors import BadSettings
from bot.rules import tools

ALWAYS = {"buy", "publish", "preference", "remember_preference"}
SET_UP = {"sql_query", "sql_execute", "restart_service", "set_config", "lookup"}
SECRET = "hunter2-s3cret"


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("COUNTERSIGN_VAR", str(tmp_path / "var"))
    return monkeypatch


def named(settings: Settings) -> set[str]:
    return {tool.spec.name for tool in tools(settings)}


def test_a_tool_that_nobody_set_up_is_not_offered(env: pytest.MonkeyPatch) -> None:  # noqa: ARG001  # its folder
    found = named(load_settings(None))

    assert found >= ALWAYS
    assert not found & SET_UP


def test_every_tool_that_somebody_has_to_set_up_is_in_the_table_of_settings(env: pytest.MonkeyPatch) -> None:
    """An agent names such a tool with a ? behind it; the doctor reads in the table what would offer it."""
    without = named(load_settings(None))
    env.setenv("COUNTERSIGN_SQL_URL", "postgresql://writer:x@db.example/shop")
    env.setenv("COUNTERSIGN_SERVICES", json.dumps({"web": {"restart": ["true"], "config": "/etc/web.yml"}}))
    env.setenv("COUNTERSIGN_KNOWLEDGE", ".")
    env.setenv("COUNTERSIGN_CODE", "on")
    env.setenv("COUNTERSIGN_REPOS", "site=/srv/git/site.git")
    env.setenv("COUNTERSIGN_GITHUB_TOKEN", SECRET)
    env.setenv("COUNTERSIGN_GITHUB_REPOS", "acme/site")

    assert named(load_settings(None)) - without == SETTING.keys()


def test_each_is_offered_once_it_is_set_up(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ST-04, ST-05, AS-28."""
    env.setenv("COUNTERSIGN_SQL_URL", f"postgresql://writer:{SECRET}@db.example/shop")
    env.setenv("COUNTERSIGN_SQL_READ_URL", f"postgresql://reader:{SECRET}@db.example/shop")
    env.setenv("COUNTERSIGN_SERVICES", json.dumps({"web": {"restart": ["true"], "config": "/etc/web.yml"}}))
    env.setenv("COUNTERSIGN_KNOWLEDGE", str(tmp_path))
    settings = load_settings(None)

    found = {tool.spec.name: tool for tool in tools(settings)}

    assert found.keys() >= SET_UP
    assert "writer@db.example:5432/shop" in found["sql_execute"].spec.schema
    assert SECRET not in repr([tool.spec for tool in found.values()])
    assert SECRET not in repr(settings)
    assert f"postgresql://writer:{SECRET}@db.example/shop" in settings.secrets


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("COUNTERSIGN_SQL_URL", f"mysql://a:{SECRET}@db/x", "COUNTERSIGN_SQL_URL must begin with postgresql://"),
        ("COUNTERSIGN_SQL_URL", f"postgresql://a:{SECRET}@[db/x", "is not an address of a PostgreSQL database"),
        ("COUNTERSIGN_SQL_READ_URL", "postgresql://a@db/x", "needs COUNTERSIGN_SQL_URL beside it"),
        ("COUNTERSIGN_SERVICES", "{web: {restart: reboot}}", "restart of web must be a list"),
    ],
)
def test_a_mistake_is_told_without_its_value(env: pytest.MonkeyPatch, name: str, value: str, told: str) -> None:
    """T08."""
    env.setenv(name, value)

    with pytest.raises(BadSettings) as bad:
        named(load_settings(None))

    assert told in str(bad.value)
    assert SECRET not in repr(bad.value)


def test_a_folder_of_knowledge_that_is_not_there_is_no_folder(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.setenv("COUNTERSIGN_KNOWLEDGE", str(tmp_path / "missing"))

    with pytest.raises(BadSettings, match=r"COUNTERSIGN_KNOWLEDGE: .*missing is no folder"):
        named(load_settings(None))
