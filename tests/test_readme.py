"""The README is true: its code runs, its rule loads, its commands and settings exist."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

import bot
from agents.rehearsal.mind import Spoken, answer
from agents.rehearsal.playbook import shipped
from bot.cli import app
from bot.config import Settings
from bot.peoplefile import parse_people, read_people
from bot.policycheck import check
from bot.policyfile import parse_policy
from tests.agents.given import call_of, run
from tests.house import ROOT
from tests.outside import own_tests, python

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The README's snippets in *language*, also those inside a list."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", README, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


(PEOPLE, TEAMS_PEOPLE, RULE) = blocks("yaml")
PASTED = textwrap.indent(RULE, "  ")  # as it stands in the README, which says that it is indented
(TOOL, PREVIEWED, AGENT_TEST) = blocks("python")
COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]
NO_LOOKS = ("serve", "demo", "manifest")  # they stay, or write
BOT_COMMANDS = [shlex.split(line)[1:] for line in COMMANDS if line.startswith(".venv/bin/python")]


def test_the_tool_is_gated_with_one_declaration_and_the_rule_fits_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GN-22: the README's tool loads by its name in the environment, and its rule speaks of it."""
    (tmp_path / "my_tools.py").write_text(TOOL)
    monkeypatch.syspath_prepend(str(tmp_path))
    import my_tools  # type: ignore[import-not-found]  # written a moment ago

    policy = parse_policy(RULE.encode())
    spec = my_tools.restart.spec

    assert spec.name == "restart"
    assert policy.rules[0].id == "restart"


async def test_the_tool_with_a_preview_finds_out_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PN-13, AS-28: the README's second tool loads, its preview runs, and what it shows comes with its result."""
    (tmp_path / "my_previewed_tool.py").write_text(PREVIEWED)
    monkeypatch.syspath_prepend(str(tmp_path))
    import my_previewed_tool  # type: ignore[import-not-found]  # written a moment ago

    reinstall = my_previewed_tool.reinstall
    (found,) = await reinstall.preview(call_of(reinstall, {"service": "db"}))
    result = await run(reinstall, {"service": "db"})

    assert found.text == "db runs on 3 machines; about 40 s of downtime"
    assert ([file.name for file in result.files], result.sources) == (["log.txt"], ("the inventory",))


def test_the_test_of_an_agent_passes_as_it_stands(tmp_path: Path) -> None:
    """AS-05, AS-32: an author's own pytest, with the README's tool and rule in place and nothing of the bot running."""
    (tmp_path / "my_tools.py").write_text(TOOL)
    (tmp_path / "test_my_agent.py").write_text(AGENT_TEST)
    (tmp_path / "policy.yml").write_text((ROOT / "policy.yml").read_text() + PASTED)

    done = own_tests(tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_without_the_rule_of_the_readme_its_test_fails(tmp_path: Path) -> None:
    """AS-05: it is the author's own policy.yml that judges; as it ships, one approver is enough."""
    (tmp_path / "my_tools.py").write_text(TOOL)
    (tmp_path / "test_my_agent.py").write_text(AGENT_TEST)
    (tmp_path / "policy.yml").write_text((ROOT / "policy.yml").read_text())

    done = own_tests(tmp_path)

    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr


def test_the_files_of_the_readme_pass_this_repositorys_linter_as_they_stand(tmp_path: Path) -> None:
    """They are put beside the Makefile, where `make check` looks at them, too."""
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for name in ("agents", "bot"):
        (tmp_path / name).symlink_to(ROOT / name)
    files = {code.splitlines()[0].removeprefix("# "): code for code in (TOOL, PREVIEWED, AGENT_TEST)}
    for name, code in files.items():
        (tmp_path / name).write_text(code)

    for words in (["check"], ["format", "--check"]):
        done = python("-m", "ruff", *words, "--no-cache", *files, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


async def test_the_call_that_the_readme_spells_out_is_one_the_rehearsal_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GN-22: a newcomer sees their own tool asked about without a key; its arguments fit the tool."""
    (tmp_path / "my_tools.py").write_text(TOOL)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_tools", raising=False)
    import my_tools  # type: ignore[import-not-found,unused-ignore]  # written a moment ago

    (line,) = re.findall(r"`@countersign (call [^`]+)`", README)
    (made,) = answer(shipped(), [Spoken(role="user", text=f"[ana] {line}")], ["restart"]).calls

    assert made.tool == "restart"
    assert my_tools.restart.check(json.loads(made.args)) is not None


def test_the_agents_file_quotes_lines_that_the_rehearsal_plays() -> None:
    """A2-12: whoever tries what stands there sees a text, and not that the line is unknown."""
    files = README + (ROOT / "agents.yml").read_text()
    quoted = re.findall(r"@countersign (?:writer: )?((?:a haiku|write) [^`\n]+)", files)

    assert {line.strip() for line in quoted} == {"a haiku about queues", "write an article about queues"}
    for line in quoted:
        assert "do not know" not in answer(shipped(), [Spoken(role="user", text=f"[ana] {line.strip()}")]).text


def test_both_ways_to_hand_over_are_explained() -> None:
    """ST-44: ending with a message, and waiting for an answer that signs nothing."""
    assert "`handoff_to_user`" in README
    assert "`breakout_of_loop: true`); without it, it waits, and a yes signs nothing" in README.replace("\n", " ")


ASKS = re.findall(r"^\| `([a-z_]+: [^`]+)` \|", README.split("| in an `ask` | |")[1].split("\n\n")[0], re.MULTILINE)
STEPS = re.findall(r"`((?:remind|also|dm|expire): [^`]+)`", README.split("| `ladder:` |")[1].splitlines()[0])


@pytest.mark.parametrize("words", ASKS)
def test_what_the_table_says_an_ask_may_say_is_read(words: str) -> None:
    """GN-22: as it stands there, in a rule of its own."""
    groups = "" if words.startswith("groups") else "groups: [approvers], "

    assert parse_policy(f"- id: x\n  when: 'true'\n  ask: {{{groups}{words}}}\n".encode()).rules


@pytest.mark.parametrize("step", STEPS)
def test_every_step_of_a_ladder_in_the_table_is_read(step: str) -> None:
    """GN-22: and the two ends beside them."""
    end = "{after: 7d, review: here}"
    steps = f"{{after: 5m, {step}}}" + ("" if step.startswith("expire") else f", {end}")

    assert end in README
    assert parse_policy(f"- id: x\n  ask: {{groups: [a]}}\n  ladder: [{steps}]\n".encode()).rules


def test_every_picture_of_the_readme_is_there_and_small() -> None:
    shown = re.findall(r"!\[[^\]]+\]\((docs/screenshots/[a-z-]+\.png)\)", README)

    assert len(shown) == 7
    assert [name for name in shown if (ROOT / name).stat().st_size > 150_000] == []


async def test_the_rule_has_no_problems_with_the_shipped_people() -> None:
    problems = await check(parse_policy(RULE.encode()), (), read_people(ROOT / "people.yml"))

    assert [problem for problem in problems if "unknown tool" not in problem and "restart" not in problem] == []


def test_the_rule_can_be_added_to_the_end_of_the_shipped_policy() -> None:
    """GN-22: copied as it stands there, spaces and all."""
    policy = parse_policy(((ROOT / "policy.yml").read_text() + PASTED).encode())

    assert f"```yaml\n{PASTED}```" in README
    assert policy.rules[-1].id == "restart"


def test_the_channel_of_approvers_can_be_added_to_the_shipped_people() -> None:
    """CD-07: whoever is in the channel signs."""
    people = parse_people((ROOT / "people.yml").read_bytes() + PEOPLE.encode())

    assert people.sources["approvers"].name == "approvals"


def test_the_team_of_approvers_can_be_added_to_the_shipped_people() -> None:
    """CD-07: whoever is in the team signs."""
    people = parse_people((ROOT / "people.yml").read_bytes() + TEAMS_PEOPLE.encode())

    assert people.sources["approvers"] == people.sources["managers"]
    assert people.sources["approvers"].name == "Approvals"


def test_every_make_target_of_the_readme_exists() -> None:
    targets = {line.split()[1] for line in COMMANDS if line.startswith("make ")}
    makefile = (ROOT / "Makefile").read_text()

    assert targets == {"play", "check"}
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


@pytest.mark.parametrize("command", [c for c in BOT_COMMANDS if c[2] not in NO_LOOKS], ids=" ".join)
def test_every_look_of_the_readme_runs(command: list[str], tmp_path: Path) -> None:
    """ST-27: as a newcomer runs it: from the project's folder, with nothing set."""
    done = python(*command, COUNTERSIGN_VAR=str(tmp_path))

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_of_the_readme_is_made_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CD-07: the command as it stands there, for somebody's own folder."""
    [command] = [command for command in BOT_COMMANDS if command[2] == "manifest"]
    monkeypatch.chdir(tmp_path)

    done = CliRunner().invoke(app, command[2:])

    assert done.exit_code == 0, done.output
    assert zipfile.is_zipfile(tmp_path / "countersign-teams.zip")


def test_the_demo_ends_well_although_its_bot_is_killed_twice() -> None:
    """D-50, CD-05b: exit 0 only if the audit verifies and every effect happened exactly once."""
    done = python("-m", "bot", "demo", "--kill", cwd=ROOT, seconds=100, **os.environ)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "everything happened exactly once" in done.stdout


def test_every_setting_of_the_table_exists_and_none_is_left_out() -> None:
    table = README.split("| setting | meaning |")[1].split("\n\n")[0]
    told = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1] if "|" in row else "")
    }
    known = {field.alias for field in Settings.model_fields.values() if field.alias}

    assert told == known


def test_the_flow_is_told_the_same_in_the_package_and_in_the_docs_and_its_files_exist() -> None:
    told = [line for line in (ROOT / "docs" / "architecture.md").read_text().splitlines() if re.match(r"\| \d+ ", line)]

    assert len(told) == 12
    assert [line for line in str(bot.__doc__).splitlines() if re.match(r"\| \d+ ", line)] == told
    for name in re.findall(r"`([a-z_/]+\.(?:py|lua))`", "\n".join(told)):
        assert (ROOT / "bot" / name).exists() or (ROOT / name).exists(), name
