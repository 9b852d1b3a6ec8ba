"""The manifest and the code together: every method called and event heard is declared, and nothing more is asked for.

The code is read, not run: whoever adds a call without its scope would hear of it from Slack, at night.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from adapters.slack.http import PATH
from adapters.slack.install_pages import REDIRECT
from adapters.slack.manifest import BOT_EVENTS, COMMAND, EVENTS_PATH, REDIRECT_PATH, SCOPES, SHORTCUT, manifest
from bot.cli import app
from bot.domain.errors import BadSettings
from tests.fakes.slack.methods import METHODS
from tests.fakes.slack.schema import Check, Shape, boolean, items, one_of, string

ROOT = Path(__file__).resolve().parents[2]
CODE = {path.stem: ast.parse(path.read_text()) for path in sorted((ROOT / "adapters" / "slack").glob("*.py"))}
URL = "https://bot.example.com"
VARIANTS = pytest.mark.parametrize("url", [None, URL], ids=["socket", "http"])

METHOD = re.compile(
    r"(agents|api|apps|assistant|auth|blocks|bots|chat|conversations|files|oauth|reactions|team|usergroups|users|views)"
    r"\.[a-zA-Z.0-9]+"
)
HISTORY = {"channels:history", "groups:history", "im:history"}  # we stand in channels, private ones and DMs
READ = {"channels:read", "groups:read"}

# What each method needs where we use it (docs.slack.dev/reference/methods); one that is not here is not called.
NEEDS: Mapping[str, set[str]] = {
    "agents.sessions.setStatus": {"chat:write"},
    "assistant.threads.setStatus": {"chat:write"},
    "auth.test": set(),
    "apps.connections.open": set(),  # the app-level token's own scope, connections:write
    "chat.appendStream": {"chat:write"},
    "chat.delete": {"chat:write"},
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write"},
    "chat.startStream": {"chat:write"},
    "chat.stopStream": {"chat:write"},
    "chat.update": {"chat:write"},
    "conversations.history": HISTORY,
    "conversations.info": READ,
    "conversations.list": READ,
    "conversations.members": READ,
    "conversations.open": {"im:write"},
    "conversations.replies": HISTORY,
    "files.completeUploadExternal": {"files:write"},
    "files.getUploadURLExternal": {"files:write"},
    "files.upload": set(),  # not a method: `Api.upload` sends bytes to an address Slack gave
    "oauth.v2.access": set(),
    "team.profile.get": {"users.profile:read"},
    "usergroups.list": {"usergroups:read"},
    "usergroups.users.list": {"usergroups:read"},
    "users.info": {"users:read", "users:read.email"},
    "users.list": {"users:read", "users:read.email"},
    "users.lookupByEmail": {"users:read.email"},
    "users.profile.get": {"users.profile:read"},
    "views.open": set(),
    "views.publish": set(),
    "views.push": set(),
    "views.update": set(),
}
HEARS: Mapping[str, set[str]] = {
    "agent_session_stopped": set(),
    "app_home_opened": set(),
    "app_mention": {"app_mentions:read"},
    "app_uninstalled": set(),
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "tokens_revoked": set(),
}
SHOWS: Mapping[str, set[str]] = {
    "agent_view": {"assistant:write"},
    "app_home": set(),
    "bot_user": set(),
    "shortcuts": {"commands"},
    "slash_commands": {"commands"},
}


# ------------------------------------------------------------ code and manifest


def test_every_method_that_is_called_has_its_scopes() -> None:
    """CD-10: `missing_scope` on the day somebody presses the button: not here."""
    called = methods_called()

    assert {"chat.postMessage", "chat.update", "users.info", "conversations.open", "views.open"} <= called
    assert called <= NEEDS.keys()
    assert set().union(*(NEEDS[method] for method in called)) <= set(SCOPES)


def test_no_scope_is_asked_for_that_nothing_needs() -> None:
    """T22: what is not granted cannot be stolen with the token."""
    used = [NEEDS[method] for method in methods_called()]
    used += [HEARS[event] for event in BOT_EVENTS]
    used += [SHOWS[feature] for feature in manifest()["features"]]

    assert set(SCOPES) - set().union(*used) == set()
    assert len(set(SCOPES)) == len(SCOPES)


def test_every_event_that_is_heard_is_subscribed_to_and_no_other() -> None:
    """CD-10."""
    heard = events_heard()

    assert {event.partition(".")[0] if event.startswith("message") else event for event in BOT_EVENTS} == heard
    assert set().union(*(HEARS[event] for event in BOT_EVENTS)) <= set(SCOPES)


def test_the_command_and_the_shortcut_are_those_the_code_answers() -> None:
    """What a person finds in Slack's menus is what somebody listens for."""
    (command,), (shortcut,) = (manifest()["features"][name] for name in ("slash_commands", "shortcuts"))
    texts = {node.value for tree in others() for node in ast.walk(tree) if isinstance(node, ast.Constant)}

    assert command["command"] == COMMAND
    assert shortcut["callback_id"] == SHORTCUT
    assert any(isinstance(text, str) and COMMAND in text for text in texts)
    assert {"command", "shortcut"} <= {node.func.attr for node in calls("ears") if isinstance(node.func, ast.Attribute)}


def test_the_table_of_scopes_agrees_with_the_fake() -> None:
    """Two tables written apart: ours says which of the scopes that would do, the fake refuses calls without one."""
    for method in methods_called() & METHODS.keys():
        some = set(METHODS[method].scopes)
        assert bool(some & set(SCOPES)) == bool(some), method


def test_the_scan_sees_a_method_wherever_it_stands_in_a_call() -> None:
    """A scan that finds nothing proves nothing."""
    tree = ast.parse('await self._pages(team, "users.list", x)\ncall(method="chat.delete")\nT = {"chat.update": 1}')

    assert set(_methods(tree)) == {"users.list", "chat.delete"}


# ---------------------------------------------------------------------- shape

PATHS: Check = string(3_000)
SHAPE = Shape(
    {
        "_metadata": Shape({"major_version": one_of(2), "minor_version": one_of(1)}),  # type: ignore[arg-type]  # numbers
        "display_information": Shape(
            {"name": string(35)}, {"description": string(140), "background_color": string(7, 7)}
        ),
        "features": Shape(
            {
                "agent_view": Shape(
                    {"agent_description": string(300)},
                    {"suggested_prompts": items(Shape({"title": string(75), "message": string(300)}), 4)},
                ),
                "app_home": Shape(
                    {
                        "home_tab_enabled": boolean,
                        "messages_tab_enabled": boolean,
                        "messages_tab_read_only_enabled": boolean,
                    }
                ),
                "bot_user": Shape({"display_name": string(80)}, {"always_online": boolean}),
                "shortcuts": items(
                    Shape(
                        {
                            "name": string(24),
                            "type": one_of("message", "global"),
                            "callback_id": string(255),
                            "description": string(150),
                        }
                    ),
                    10,
                ),
                "slash_commands": items(
                    Shape(
                        {"command": string(32), "description": string(2_000)},
                        {"usage_hint": string(1_000), "url": PATHS, "should_escape": boolean},
                    ),
                    50,
                ),
            }
        ),
        "oauth_config": Shape(
            {"scopes": Shape({"bot": items(string(60), 255)})}, {"redirect_urls": items(PATHS, 1_000)}
        ),
        "settings": Shape(
            {
                "event_subscriptions": Shape({"bot_events": items(string(60), 100)}, {"request_url": PATHS}),
                "interactivity": Shape({"is_enabled": boolean}, {"request_url": PATHS}),
                "org_deploy_enabled": boolean,
                "socket_mode_enabled": boolean,
                "token_rotation_enabled": boolean,
            }
        ),
    }
)
"""Slack's manifest schema, version 2, as far as we use it: unknown keys are refused there, too."""


@VARIANTS
def test_the_manifest_has_the_shape_that_slack_takes(url: str | None) -> None:
    assert list(SHAPE(manifest(url), "")) == []


def test_the_shape_notices_what_is_too_long_or_unknown() -> None:
    """A check that never bites guards nothing."""
    bad: dict[str, Any] = manifest()
    bad["features"]["shortcuts"][0]["name"] = "Give this one to Countersign"
    bad["settings"]["socket_mode"] = True

    assert len(list(SHAPE(bad, ""))) == 2


def test_with_socket_mode_slack_is_told_no_address() -> None:
    made = manifest()

    assert made["settings"]["socket_mode_enabled"]
    assert "https://" not in str(made)


def test_with_an_address_slack_posts_everything_to_the_one_path_that_is_served() -> None:
    """Events, buttons and the command, and people who installed: the paths are those of our own server."""
    made = manifest(f"{URL}/countersign/")
    path = f"{URL}/countersign{PATH}"

    settings = made["settings"]
    assert (EVENTS_PATH, REDIRECT_PATH) == (PATH, REDIRECT)
    assert settings["event_subscriptions"]["request_url"] == path
    assert settings["interactivity"]["request_url"] == path
    assert made["features"]["slash_commands"][0]["url"] == path
    assert made["oauth_config"]["redirect_urls"] == [f"{URL}/countersign{REDIRECT}"]
    assert not settings["socket_mode_enabled"]


@pytest.mark.parametrize(
    "url",
    [
        *("http://bot.example.com", "bot.example.com", "", "https://", "https://bot.example.com?x=1", "https://a/#b"),
        *("https://ana:pw@bot.example.com", "https://bot.example.com:port", "https://[bot", "https://bot example.com"),
    ],
)
def test_an_address_that_slack_would_not_take_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(BadSettings, match="must be an https:// address") as caught:
        manifest(url)

    assert len(caught.value.problems) == 1


# ------------------------------------------------------------------- the command


def test_the_file_is_what_the_command_prints() -> None:
    """`manifest.yml` is for people who only look; it cannot go stale."""
    printed = CliRunner().invoke(app, ["manifest"])

    assert printed.exit_code == 0
    assert (ROOT / "manifest.yml").read_text() == printed.stdout
    assert yaml.safe_load(printed.stdout) == manifest()


def test_the_command_prints_the_manifest_of_an_address() -> None:
    printed = CliRunner().invoke(app, ["manifest", "--url", URL])

    assert yaml.safe_load(printed.stdout) == manifest(URL)


# --------------------------------------------------------------- reading the code


def others() -> list[ast.Module]:
    return [tree for name, tree in CODE.items() if name != "manifest"]


def calls(name: str) -> Iterator[ast.Call]:
    return (node for node in ast.walk(CODE[name]) if isinstance(node, ast.Call))


def methods_called() -> set[str]:
    return {method for tree in others() for method in _methods(tree)}


def _methods(tree: ast.AST) -> Iterator[str]:
    """Every argument of any call that is a method's name; a table of them is none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for given in (*node.args, *(keyword.value for keyword in node.keywords)):
                if isinstance(given, ast.Constant) and METHOD.fullmatch(str(given.value)):
                    yield str(given.value)


def events_heard() -> set[str]:
    """What `app.event(…)` is given in the ears: a text, or a name that a loop over texts binds. Patterns hear none."""
    bound = dict(_loops(CODE["ears"]))
    given = [node.args[0] for node in calls("ears") if ast.unparse(node.func) == "app.event"]
    assert given, "the ears listen to no event"
    return {
        text
        for one in given
        for text in ([one.value] if isinstance(one, ast.Constant) else bound.get(ast.unparse(one), ()))
        if isinstance(text, str)
    }


def _loops(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names of loops and all the texts they ever stand for; a tuple may be a constant of the module."""
    constants = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    found: dict[str, tuple[str, ...]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.For):
            texts = constants.get(ast.unparse(node.iter), node.iter)
            if isinstance(texts, ast.Tuple):
                told = tuple(each.value for each in texts.elts if isinstance(each, ast.Constant))
                name = ast.unparse(node.target)
                found[name] = (*found.get(name, ()), *(str(each) for each in told))
    yield from found.items()
