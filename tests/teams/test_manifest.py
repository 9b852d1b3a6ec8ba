"""The app package: valid by Microsoft's own schema, no wider than what the code does, and the same bytes every time."""

from __future__ import annotations

import ast
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator
from typer.testing import CliRunner

from adapters.teams.icons import COLOR_SIZE, OUTLINE_SIZE, color_icon, outline_icon
from adapters.teams.manifest import GIVE, RIGHTS, App, manifest, package
from bot.cli import app
from bot.domain.errors import BadSettings

SCHEMA = json.loads((Path(__file__).parent / "schema" / "teams-manifest-1.29.json").read_text())
APP = App(id="5d9c3b62-3f0e-4a6b-9a0f-7f3f5e0f7c11", domain="bot.example.com")

Manifest = dict[str, Any]


def refused(made: Manifest) -> list[str]:
    return [error.message for error in Draft4Validator(SCHEMA).iter_errors(made)]


def test_the_manifest_is_what_teams_takes() -> None:
    """MicrosoftTeams.schema.json, 1.29, as Microsoft publishes it (MIT)."""
    assert refused(manifest(APP)) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda made: made["bots"][0].pop("botId"),
        lambda made: made["bots"][0].update(scopes=["team", "everywhere"]),
        lambda made: made["name"].update(short="x" * 31),
        lambda made: made.pop("icons"),
        lambda made: made.update(packageName="com.example"),
    ],
    ids=["no bot id", "a scope there is not", "a long name", "no icons", "a key there is not"],
)
def test_the_schema_refuses_what_teams_refuses(spoil: Callable[[Manifest], object]) -> None:
    """Else the test above would prove nothing."""
    made = manifest(APP)

    spoil(made)

    assert refused(made) != []


def test_its_version_is_three_numbers() -> None:
    """The schema lets any text pass; Teams does not."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest(APP)["version"])


def test_the_bot_is_offered_in_chats_teams_and_in_person_with_its_commands() -> None:
    (bot,) = manifest(APP)["bots"]

    assert bot["scopes"] == ["personal", "team", "groupChat"]
    assert {list_["scopes"][0] for list_ in bot["commandLists"]} == set(bot["scopes"])
    assert all("pending" in [one["title"] for one in list_["commands"]] for list_ in bot["commandLists"])


def test_it_asks_for_members_channels_and_messages_of_where_it_is_installed_and_no_more() -> None:
    """T26: rights are those of one team or chat, given with the installation; none is the whole tenant's."""
    asked = manifest(APP)["authorization"]["permissions"]["resourceSpecific"]

    assert [one["name"] for one in asked] == list(RIGHTS)
    assert all(one["type"] == "Application" and "Read" in one["name"] for one in asked)


# ------------------------------------------------------------ code and manifest

ROOT = Path(__file__).resolve().parents[2]
CODE = {path.stem: ast.parse(path.read_text()) for path in sorted((ROOT / "adapters" / "teams").glob("*.py"))}
MEMBERS = {"TeamMember.Read.Group", "ChatMember.Read.Chat"}

# What each call of the Bot Connector needs beside the installation; one that is not here is not called.
NEEDS: Mapping[str, set[str]] = {
    "post": set(),
    "put": set(),
    "create": set(),
    "member": MEMBERS,
    "members": MEMBERS,
    "team": set(),
    "channels": {"ChannelSettings.Read.Group"},
}
# What must be granted, or declared, for an activity to come at all.
HEARS: Mapping[str, set[str]] = {
    "message": {"ChannelMessage.Read.Group", "ChatMessage.Read.Chat"},  # those that do not mention us
    "conversationUpdate": set(),
    "installationUpdate": set(),
    "invoke": set(),
    "adaptiveCard/action": set(),
    "task/fetch": set(),
    "task/submit": set(),
    "composeExtension/fetchTask": {"composeExtensions"},
    "composeExtension/submitAction": {"composeExtensions"},
    "message/submitAction": set(),
}
PERMISSION = re.compile(r"[A-Za-z]+\.[A-Za-z.]+\.All")
GRAPH = {"User.Read.All", "GroupMember.Read.All"}  # an administrator grants these in Entra, or does not


def test_every_call_and_everything_that_is_heard_has_its_right() -> None:
    """CD-10: a missing right shows as a 403 on the day somebody counts on it: not here."""
    called, heard = calls_made(), activities_heard()

    assert called == NEEDS.keys()
    assert heard == HEARS.keys()
    wanted = set().union(*(NEEDS[one] for one in called), *(HEARS[one] for one in heard))
    assert wanted <= set(RIGHTS) | manifest(APP).keys()


def test_no_right_is_asked_for_that_nothing_needs() -> None:
    """T26: what is not granted cannot be stolen with the token."""
    used = set().union(*NEEDS.values(), *HEARS.values())

    assert set(RIGHTS) - used == set()
    assert len(set(RIGHTS)) == len(RIGHTS)


def test_graph_is_asked_for_nothing_but_what_the_readme_has_granted() -> None:
    """T26: no right of the whole tenant stands in the manifest; two may be granted in Entra, both to read."""
    asked = {text for text in _texts(ast.walk(CODE["graph"])) if PERMISSION.fullmatch(text)}

    assert asked == GRAPH
    assert all(one in (ROOT / "README.md").read_text() for one in GRAPH)
    assert not GRAPH & set(RIGHTS)


def test_the_scan_sees_a_call_wherever_the_connector_is_kept() -> None:
    """A scan that finds nothing proves nothing."""
    tree = ast.parse("await self._with.connector.put(a)\nawait connector.delete(b)\nlist_.post(c)")

    assert {name for name, _ in _calls(tree)} == {"put", "delete"}


def calls_made() -> set[str]:
    """Every method of the connector that anybody calls; botbuilder's own turn sends what we never ask it to."""
    return {name for stem, tree in CODE.items() if stem != "sdk" for name, _ in _calls(tree)}


def activities_heard() -> set[str]:
    """What the two tables of the ears name."""
    tables = [node.value for node in ast.walk(CODE["ears"]) if isinstance(node, ast.AnnAssign)]
    named = [key for table in tables if isinstance(table, ast.Dict) for key in table.keys]
    return set(_texts(key for key in named if key is not None))


def _calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of = ast.unparse(node.func.value).rpartition(".")[2]
            if of in ("connector", "_connector"):
                yield node.func.attr, node


def _texts(nodes: Iterable[ast.AST]) -> list[str]:
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


# -------------------------------------------------------------------- the package


def test_a_message_can_be_given_to_it() -> None:
    (command,) = manifest(APP)["composeExtensions"][0]["commands"]

    assert (command["id"], command["type"], command["context"]) == (GIVE, "action", ["message"])
    assert command["fetchTask"]


def test_the_package_holds_the_manifest_and_two_icons_at_its_root() -> None:
    with zipfile.ZipFile(io.BytesIO(package(APP))) as zipped:
        assert sorted(zipped.namelist()) == ["color.png", "manifest.json", "outline.png"]
        assert json.loads(zipped.read("manifest.json")) == manifest(APP)


def test_the_same_settings_make_the_same_bytes() -> None:
    assert package(APP) == package(APP)


@pytest.mark.parametrize(("icon", "size"), [(color_icon, COLOR_SIZE), (outline_icon, OUTLINE_SIZE)])
def test_an_icon_is_a_png_of_the_size_teams_wants(icon: Callable[[], bytes], size: int) -> None:
    assert pixels(icon())[0] == (size, size)


def test_the_outline_icon_is_white_on_nothing() -> None:
    """Teams refuses any other colour in it."""
    _, found = pixels(outline_icon())

    assert {pixel[:3] for pixel in found} == {b"\xff\xff\xff"}
    assert {pixel[3] for pixel in found} >= {0, 255}


@pytest.mark.parametrize(
    ("id_", "domain"), [("", "bot.example.com"), (APP.id, "https://bot.example.com"), (APP.id, "")]
)
def test_what_is_no_id_or_no_domain_is_named(id_: str, domain: str) -> None:
    with pytest.raises(BadSettings) as refusal:
        App(id=id_, domain=domain)

    assert len(refusal.value.problems) == 1


def test_the_command_writes_it_and_says_where_it_goes(tmp_path: Path) -> None:
    """`python -m bot manifest --teams`."""
    out = tmp_path / "app.zip"

    told = CliRunner().invoke(
        app, ["manifest", "--teams", "--app-id", APP.id, "--domain", APP.domain, "--out", str(out)]
    )

    assert told.exit_code == 0, told.output
    assert out.read_bytes() == package(APP)
    assert "Upload" in told.output


@pytest.mark.parametrize("where", ["file", "environment"])
def test_the_id_may_stand_where_the_settings_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Whoever wrote TEAMS_APP_ID into .env is not asked for it again; an id that is given goes first."""
    monkeypatch.chdir(tmp_path)
    other = "99999999-2222-3333-4444-555555555555"
    if where == "file":
        (tmp_path / ".env").write_text(f"TEAMS_APP_ID={APP.id}\n")
    else:
        (tmp_path / ".env").write_text(f"TEAMS_APP_ID={other}\n")
        monkeypatch.setenv("TEAMS_APP_ID", APP.id)

    told = CliRunner().invoke(app, ["manifest", "--teams", "--domain", APP.domain])

    assert told.exit_code == 0, told.output
    assert (tmp_path / "countersign-teams.zip").read_bytes() == package(APP)
    given = App(id=other, domain=APP.domain)
    CliRunner().invoke(app, ["manifest", "--teams", "--app-id", other, "--domain", APP.domain])
    assert (tmp_path / "countersign-teams.zip").read_bytes() == package(given)


def test_an_id_that_stands_nowhere_is_asked_for_with_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    told = CliRunner().invoke(app, ["manifest", "--teams", "--domain", APP.domain])

    assert isinstance(told.exception, BadSettings)
    assert str(told.exception).endswith("application id in Entra, a GUID; TEAMS_APP_ID sets it, too")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    told = CliRunner().invoke(
        app,
        ["manifest", "--teams", "--app-id", APP.id, "--domain", APP.domain, "--out", str(tmp_path / "no" / "app.zip")],
    )

    assert told.exit_code != 0
    assert isinstance(told.exception, BadSettings)
    assert "cannot be written" in str(told.exception)


def pixels(png: bytes) -> tuple[tuple[int, int], list[bytes]]:
    """Size and pixels of a PNG as ours are: 8 bits each of red, green, blue, alpha, no filters, one data chunk."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + data)
        chunks[kind] = data
        at += 12 + length
    width, height = struct.unpack(">2I", chunks[b"IHDR"][:8])
    raw = zlib.decompress(chunks[b"IDAT"])
    rows = [raw[row * (4 * width + 1) + 1 : (row + 1) * (4 * width + 1)] for row in range(height)]
    return (width, height), [row[at : at + 4] for row in rows for at in range(0, 4 * width, 4)]
