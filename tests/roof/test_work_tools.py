"""Code, git, GitHub and GitLab in the settings: nothing unless somebody set it up, one sentence for each mistake."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.config import Settings, load_settings
from bot.domain.calls import make_call
from bot.domain.chat import Person, PersonId, Place
from bot.domain.errors import BadSettings
from bot.domain.policy import Facts
from bot.domain.verdict import Allow, Ask
from bot.domain.wire import Json
from bot.policyfile import read_policy
from bot.worktools import work_tools

ROOT = Path(__file__).resolve().parents[2]
CANARY = "canary-forge-token"
ALL = {
    "COUNTERSIGN_CODE": "on",
    "COUNTERSIGN_REPOS": "site=/srv/git/site.git docs=https://gitlab.example.org/acme/docs.git",
    "COUNTERSIGN_GITHUB_TOKEN": CANARY,
    "COUNTERSIGN_GITHUB_REPOS": "acme/site, acme/docs",
    "COUNTERSIGN_GITLAB_TOKEN": CANARY,
    "COUNTERSIGN_GITLAB_REPOS": "acme/*",
    "COUNTERSIGN_GITLAB_URL": "https://gitlab.example.org",
}


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setenv("COUNTERSIGN_VAR", str(tmp_path))
    return monkeypatch


def _settings(env: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        env.setenv(name, value)
    return load_settings(None)


def _mistakes(env: pytest.MonkeyPatch, **variables: str) -> list[str]:
    with pytest.raises(BadSettings) as caught:
        work_tools(_settings(env, **variables))
    return caught.value.problems


def test_nothing_is_offered_unless_it_is_set_up(env: pytest.MonkeyPatch) -> None:
    """D-34: code is off unless somebody switched it on."""
    assert work_tools(_settings(env)) == ()


def test_what_is_set_up_is_offered(env: pytest.MonkeyPatch) -> None:
    """All of it, without asking any host; no tool shows a token."""
    tools = work_tools(_settings(env, **ALL))

    assert [tool.spec.name for tool in tools] == [
        *("run_code", "git_log", "git_show", "git_diff", "git_files", "git_read_file", "git_blame", "git_commit"),
        *("git_push", "read_issue", "read_pull_request", "post_comment", "open_pull_request"),
    ]
    assert CANARY not in repr(_settings(env, **ALL)) + "".join(repr(tool.spec) for tool in tools)


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"COUNTERSIGN_CODE": "yes"}, "COUNTERSIGN_CODE should be 'off', 'on' or 'unboxed'"),
        ({"COUNTERSIGN_CODE_NETWORK": "true"}, "COUNTERSIGN_CODE_NETWORK needs COUNTERSIGN_CODE beside it"),
        (
            {"COUNTERSIGN_REPOS": "site=ext::sh"},
            "COUNTERSIGN_REPOS: site must be at https://…, ssh://… or an absolute path",
        ),
        ({"COUNTERSIGN_REPOS": "a=/x a=/y"}, "COUNTERSIGN_REPOS names a twice"),
        (
            {"COUNTERSIGN_GITHUB_TOKEN": CANARY},
            "COUNTERSIGN_GITHUB_TOKEN needs COUNTERSIGN_GITHUB_REPOS beside it",
        ),
        (
            {"COUNTERSIGN_GITLAB_REPOS": "acme/site"},
            "COUNTERSIGN_GITLAB_REPOS needs COUNTERSIGN_GITLAB_TOKEN beside it",
        ),
        (
            {
                "COUNTERSIGN_GITLAB_TOKEN": CANARY,
                "COUNTERSIGN_GITLAB_REPOS": "a/b",
                "COUNTERSIGN_GITLAB_URL": "http://git.example",
            },
            "COUNTERSIGN_GITLAB_URL must begin with https://: it is sent a token",
        ),
    ],
)
def test_each_mistake_is_one_sentence(env: pytest.MonkeyPatch, variables: dict[str, str], told: str) -> None:
    """With the setting's name, without its value."""
    assert _mistakes(env, **variables) == [told]


ARGS: dict[str, dict[str, Json]] = {
    "run_code": {"script": "print(1)"},
    "git_log": {"repo": "site"},
    "git_commit": {"repo": "site", "branch": "b", "message": "m", "files": {"a": "x"}},
    "git_push": {"repo": "site", "branch": "b", "commit": "a" * 40},
    "read_issue": {"repo": "github:acme/site", "number": 1},
    "post_comment": {"repo": "github:acme/site", "number": 1, "text": "x"},
    "open_pull_request": {
        "repo": "github:acme/site", "title": "t", "body": "b", "head": "h", "base": "main", "commit": "a" * 40,
    },
}  # fmt: skip
ASKED = {
    "run_code": ("approvers", True),
    "git_log": None,
    "git_commit": ("requester", False),
    "git_push": ("approvers", True),
    "read_issue": None,
    "post_comment": ("approvers", False),
    "open_pull_request": ("approvers", True),
}


@pytest.mark.parametrize("name", ARGS)
def test_the_shipped_policy_asks_for_what_is_risky_of_it(env: pytest.MonkeyPatch, name: str) -> None:
    """AU-15, AU-22, AU-25, D-34: code, and what leaves the house, ask approvers; reading is free."""
    policy = read_policy(ROOT / "policy.yml")
    tool = next(one for one in work_tools(_settings(env, **ALL)) if one.spec.name == name)
    call = make_call(id="c", tool=name, version=tool.spec.version, args=tool.check(ARGS[name]))
    ana = Person(id=PersonId("ana"), name="Ana")
    place = Place(platform="test", tenant="t", channel="c", thread="1")

    verdict = policy.decide(call, tool.spec, Facts(requester=ana, place=place))

    if (asked := ASKED[name]) is None:
        assert isinstance(verdict, Allow)
    else:
        assert isinstance(verdict, Ask)
        assert (verdict.groups[0].of, verdict.is_high) == asked
