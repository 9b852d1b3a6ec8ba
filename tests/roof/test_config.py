"""Settings: every mistake at once, no value in any message, loopback and rehearsal unless told otherwise."""

from __future__ import annotations

import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from bot.config import Settings, load_settings, sealing_key
from bot.domain.credentials import REAL
from bot.domain.errors import BadSettings

Env = pytest.MonkeyPatch
KEY = "0123456789abcdef" * 4
SLACK = {"SLACK_BOT_TOKEN": "xoxb-1-canary", "SLACK_APP_TOKEN": "xapp-1-canary"}
MANY = {
    "SLACK_CLIENT_ID": "123.456",
    "SLACK_CLIENT_SECRET": "canary-client",
    "SLACK_SIGNING_SECRET": "canary-sign",
    "COUNTERSIGN_KEY": KEY,
}
GUID = "11111111-2222-3333-4444-555555555555"
TEAMS = {"TEAMS_APP_ID": GUID, "TEAMS_APP_PASSWORD": "canary~pw", "TEAMS_TENANT_ID": GUID}


@pytest.fixture
def env(monkeypatch: Env) -> Env:
    """An environment in which nothing is set."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    return monkeypatch


def _load(env: Env, **variables: str) -> Settings:
    for name, value in variables.items():
        env.setenv(name, value)
    return load_settings(None)


def _mistakes(env: Env, **variables: str) -> list[str]:
    with pytest.raises(BadSettings) as caught:
        _load(env, **variables)
    return caught.value.problems


def test_with_nothing_set_it_rehearses_on_loopback_with_its_own_server(env: Env) -> None:
    """A fresh clone needs no setting at all, and nobody outside the machine can reach it."""
    settings = _load(env)

    assert (settings.host, settings.port, settings.health_port) == ("127.0.0.1", 8700, 8701)
    assert (settings.redis_url, settings.shards, settings.namespace) == (None, 1, "countersign")
    assert (settings.var, settings.work) == (Path("var"), Path("var/work"))
    assert (settings.evict_after, settings.lease) == (timedelta(seconds=60), timedelta(seconds=6))
    assert settings.is_rehearsal
    assert settings.real_credentials == ()


def test_all_mistakes_are_reported_at_once(env: Env) -> None:
    """Four wrong variables, four sentences, each with its name."""
    mistakes = _mistakes(env, PORT="far", COUNTERSIGN_LEASE="soon", LOG_LEVEL="loud", COUNTERSIGN_NAMESPCE="x")

    assert mistakes == [
        "PORT should be a valid integer, unable to parse string as an integer",
        "LOG_LEVEL should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'",
        "COUNTERSIGN_LEASE must be a number of seconds",
        "COUNTERSIGN_NAMESPCE is not a setting; did you mean COUNTERSIGN_NAMESPACE?",
    ]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("COUNTERSIGN_REDIS_URL", "REDIS_URL"),
        ("COUNTERSIGN_SHARD", "COUNTERSIGN_SHARDS"),
        ("COUNTERSIGN_EVICTAFTER", "COUNTERSIGN_EVICT_AFTER"),
    ],
)
def test_an_unknown_name_of_ours_is_told_with_the_nearest_known_one(env: Env, wrong: str, meant: str) -> None:
    """A typing mistake must not silently mean the default (GN-21: there is no switch that turns gates off)."""
    assert _mistakes(env, **{wrong: "3"}) == [f"{wrong} is not a setting; did you mean {meant}?"]


def test_a_name_like_no_other_is_refused_too(env: Env) -> None:
    """GN-21: nobody can invent a switch."""
    assert _mistakes(env, COUNTERSIGN_ZZZ="1") == ["COUNTERSIGN_ZZZ is not a setting"]


def test_other_peoples_variables_are_left_alone(env: Env) -> None:
    """A shell's own HOST, or somebody's MODEL, is no setting of ours."""
    assert _load(env, HOST="0.0.0.0", MODEL="x", VAR="/").host == "127.0.0.1"


@pytest.mark.parametrize(
    "value", ["your-api-key-here", "<key>", "sk-...", "changeme", "sk-xxxxxx", "YOUR_OPENAI_API_KEY", "replace-me"]
)
def test_a_placeholder_is_not_a_key(env: Env, value: str) -> None:
    """D-40, A2-20: what a guide prints as an example is refused before anything is sent with it."""
    told = ["OPENAI_API_KEY is a placeholder; put the real value there, or leave it out"]

    assert _mistakes(env, OPENAI_API_KEY=value) == told


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgres://ana:canary@db/1", "must begin with redis://, rediss:// or unix://"),
        ("ana:canary@db:6379", "must begin with redis://, rediss:// or unix://"),
        ("redis://", "names no server"),
        ("redis://ana:canary@db:port/0", "is not a URL"),
        ("redis://ana:canary@[db/0", "is not a URL"),
    ],
)
def test_a_wrong_redis_url_is_one_sentence_without_the_password(env: Env, url: str, why: str) -> None:
    """T20: the message names the variable and the rule, never the value."""
    assert _mistakes(env, REDIS_URL=url) == [f"REDIS_URL {why}"]


@pytest.mark.parametrize("url", ["redis://db:6379/0", "rediss://ana:canary@db", "unix:///run/redis.sock"])
def test_with_a_real_redis_the_runs_are_cut_into_more_shards(env: Env, url: str) -> None:
    """Sixteen slices, so that processes can share them; one when the server is our own."""
    settings = _load(env, REDIS_URL=url)

    assert settings.shards == 16
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == url


def test_secrets_are_never_printed(env: Env) -> None:
    """T20, ST-26: neither repr nor str shows one; `secrets` lists them for the log's redactor."""
    settings = _load(
        env, **SLACK, **TEAMS, COUNTERSIGN_KEY=KEY, OPENAI_API_KEY="sk-canary", REDIS_URL="redis://:canary@db"
    )

    assert "canary" not in f"{settings!r} {settings}"
    assert KEY not in repr(settings)
    assert set(settings.secrets) == {
        *(KEY, "sk-canary", "redis://:canary@db"),
        *("xoxb-1-canary", "xapp-1-canary", "canary~pw"),
    }


def test_the_variables_of_a_real_workspace_are_named(env: Env) -> None:
    """The playground looks at these names and refuses to start."""
    assert _load(env, **SLACK, **TEAMS).real_credentials == (
        *("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"),
        *("TEAMS_APP_ID", "TEAMS_APP_PASSWORD"),
    )


def test_every_secret_setting_is_a_credential_beside_which_nobody_is_simulated() -> None:
    """D-49: a new secret setting stands in that table, too; what else stands there names a workspace or a file."""
    secret = {one.alias for one in Settings.model_fields.values() if "SecretStr" in str(one.annotation)}

    assert {"SLACK_BOT_TOKEN", "COUNTERSIGN_KEY", "COUNTERSIGN_SQL_URL", "REDIS_URL"} <= secret, "looked for rightly"
    assert secret ^ set(REAL) == {"SLACK_CLIENT_ID", "TEAMS_APP_ID", "TEAMS_APP_CERTIFICATE"}
    assert len(set(REAL)) == len(REAL)


def test_an_app_for_many_workspaces_needs_no_token(env: Env) -> None:
    """Tokens come from those who install it; what opens the app is secret, and named like any other."""
    settings = _load(env, **MANY)

    assert settings.real_credentials == ("SLACK_SIGNING_SECRET", "SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET")
    assert (settings.slack_bot_token, settings.slack_api_url) == (None, "https://slack.com/api/")
    assert set(settings.secrets) == {"canary-client", "canary-sign", KEY}
    assert "canary" not in repr(settings)


def test_two_things_that_lack_are_two_sentences(env: Env) -> None:
    assert _mistakes(env, SLACK_CLIENT_ID="1.2", SLACK_MANAGER_FIELD="Manager") == [
        "SLACK_CLIENT_ID needs SLACK_CLIENT_SECRET beside it",
        "SLACK_CLIENT_ID needs SLACK_SIGNING_SECRET beside it",
        "SLACK_CLIENT_ID needs COUNTERSIGN_KEY beside it",
    ]


def test_one_workspace_and_many_exclude_each_other(env: Env) -> None:
    """Which token would answer is never guessed."""
    assert _mistakes(env, **MANY, SLACK_BOT_TOKEN="xoxb-1") == [
        "SLACK_BOT_TOKEN is for one workspace and SLACK_CLIENT_ID for many: set one of them"
    ]


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, "SLACK_BOT_TOKEN needs SLACK_APP_TOKEN or SLACK_SIGNING_SECRET beside it"),
        (
            {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "x1", "COUNTERSIGN_KEY": KEY},
            "SLACK_CLIENT_ID needs SLACK_SIGNING_SECRET beside it",
        ),
        ({"SLACK_CLIENT_SECRET": "x1"}, "SLACK_CLIENT_SECRET needs SLACK_CLIENT_ID beside it"),
        ({"SLACK_APP_TOKEN": "xapp-1"}, "SLACK_APP_TOKEN needs SLACK_BOT_TOKEN or SLACK_CLIENT_ID beside it"),
        ({"SLACK_MANAGER_FIELD": "Boss"}, "SLACK_MANAGER_FIELD needs SLACK_BOT_TOKEN or SLACK_CLIENT_ID beside it"),
        ({"SLACK_MATCH_EMAIL": "true"}, "SLACK_MATCH_EMAIL needs SLACK_BOT_TOKEN or SLACK_CLIENT_ID beside it"),
        ({"SLACK_FALLBACK_CHANNEL": "C1"}, "SLACK_FALLBACK_CHANNEL needs SLACK_BOT_TOKEN or SLACK_CLIENT_ID beside it"),
        (
            {"TEAMS_APP_ID": GUID, "TEAMS_TENANT_ID": GUID},
            "TEAMS_APP_ID needs TEAMS_APP_PASSWORD or TEAMS_APP_CERTIFICATE or TEAMS_AUTH beside it",
        ),
        ({"TEAMS_APP_ID": GUID, "TEAMS_APP_PASSWORD": "p"}, "TEAMS_APP_ID needs TEAMS_TENANT_ID beside it"),
        ({"TEAMS_AUTH": "none"}, "TEAMS_AUTH needs TEAMS_TENANT_ID beside it"),
        ({"TEAMS_TENANT_ID": GUID}, "TEAMS_TENANT_ID needs TEAMS_APP_ID or TEAMS_AUTH beside it"),
        (
            {**TEAMS, "TEAMS_APP_CERTIFICATE": "key.pem"},
            "TEAMS_APP_PASSWORD proves what TEAMS_APP_CERTIFICATE does: set one of them",
        ),
        ({"SMTP_HOST": "mail"}, "SMTP_HOST needs SMTP_FROM beside it"),
    ],
)
def test_half_a_set_of_credentials_is_refused(env: Env, variables: dict[str, str], told: str) -> None:
    """A Teams app without its password would check nobody's token (T11)."""
    assert _mistakes(env, **variables) == [told]


@pytest.mark.parametrize(
    ("real", "named"),
    [
        (SLACK, ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"]),
        (MANY, ["SLACK_SIGNING_SECRET", "SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"]),
        (TEAMS, ["TEAMS_APP_PASSWORD"]),
    ],
)
def test_nobody_speaks_as_anybody_beside_a_real_workspace(env: Env, real: dict[str, str], named: list[str]) -> None:
    """T11: a person is one on all platforms, so whoever made one up in an emulator would sign in Slack as well."""
    emulator = {"TEAMS_AUTH": "none", "TEAMS_TENANT_ID": GUID, "TEAMS_APP_ID": GUID}

    assert _load(env, **emulator).chats == ("teams",)
    told = "TEAMS_AUTH=none lets anybody on this machine speak as anybody, and {} opens a real workspace"
    mistakes = _mistakes(env, **{**real, **emulator})
    assert mistakes == [f"{told.format(name)}: take one of the two away" for name in named]


def test_swapped_slack_tokens_are_noticed(env: Env) -> None:
    """The bot's token begins with xoxb-, the app's with xapp-."""
    swapped = {"SLACK_BOT_TOKEN": "xapp-1", "SLACK_APP_TOKEN": "xoxb-1"}

    assert _mistakes(env, **swapped) == [
        "SLACK_BOT_TOKEN must begin with xoxb-",
        "SLACK_APP_TOKEN must begin with xapp-",
    ]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SLACK_CLIENT_ID", "my-app", "must be two numbers with a dot, as Slack shows it under Basic Information"),
        ("SMTP_FROM", "me", "must be an address, such as bot@example.com"),
        ("COUNTERSIGN_NAMESPACE", "Mine!", "must be 1 to 40 small letters, digits, _ or -"),
    ],
)
def test_a_form_is_told_in_words_and_not_as_a_pattern(env: Env, name: str, value: str, told: str) -> None:
    assert [one for one in _mistakes(env, **{name: value}) if one.startswith(f"{name} must")] == [f"{name} {told}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("SLACK_CLIENT_ID", "my-app"), ("SLACK_API_URL", "slack.com"), ("SLACK_API_URL", "http://a:b@c")],
)
def test_a_slack_setting_of_another_form_is_refused_without_its_value(env: Env, name: str, value: str) -> None:
    (mistake,) = _mistakes(env, **(MANY | {name: value}))

    assert mistake.startswith(name)
    assert value not in mistake


def test_hosts_are_split_and_durations_are_seconds(env: Env) -> None:
    """Lists are words; times are seconds, also parts of one."""
    settings = _load(env, COUNTERSIGN_HTTP_ALLOW="a.example, b.example", COUNTERSIGN_EVICT_AFTER="0.5")

    assert settings.http_allow == ("a.example", "b.example")
    assert settings.evict_after == timedelta(milliseconds=500)


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1e99"])
def test_a_time_that_is_no_time_is_refused(env: Env, value: str) -> None:
    """Floats can be things no clock shows."""
    assert len(_mistakes(env, COUNTERSIGN_EVICT_AFTER=value)) == 1


def test_a_file_sets_what_the_environment_does_not(env: Env, tmp_path: Path) -> None:
    """ST-26: `.env` is read, the environment wins, and a mistake in the file is reported as well."""
    file = tmp_path / ".env"
    file.write_text("PORT=9000\nLOG_LEVEL=debug\n")
    env.setenv("PORT", "9001")

    settings = load_settings(file)
    assert (settings.port, settings.log_level) == (9001, "DEBUG")

    file.write_text("COUNTERSIGN_POLCY=x.yml\n")
    with pytest.raises(BadSettings, match="did you mean COUNTERSIGN_POLICY"):
        load_settings(file)


def test_an_empty_variable_is_not_set(env: Env) -> None:
    """`OPENAI_API_KEY=` in a shell script means: none."""
    assert _load(env, OPENAI_API_KEY="", REDIS_URL="").is_rehearsal


# ---------------------------------------------------------------- the sealing key


def test_the_key_is_made_once_and_only_its_owner_reads_it(env: Env, tmp_path: Path) -> None:
    """Made at the first start, the same at the second, nothing left beside it."""
    settings = _load(env, COUNTERSIGN_VAR=str(tmp_path / "var"))

    first, second = sealing_key(settings), sealing_key(settings)

    assert first == second
    assert len(first) >= 32
    assert [file.name for file in settings.var.iterdir()] == ["key"]
    assert stat.S_IMODE((settings.var / "key").stat().st_mode) == 0o600


def test_a_key_that_others_can_read_is_refused_with_the_remedy(env: Env, tmp_path: Path) -> None:
    """Whoever reads it could seal an approval of their own (T22)."""
    settings = _load(env, COUNTERSIGN_VAR=str(tmp_path))
    sealing_key(settings)
    (tmp_path / "key").chmod(0o644)

    with pytest.raises(BadSettings, match="chmod 600"):
        sealing_key(settings)


def test_a_short_key_is_refused_wherever_it_stands(env: Env, tmp_path: Path) -> None:
    """32 bytes at least, in the variable and in the file."""
    (tmp_path / "key").write_bytes(b"short")
    (tmp_path / "key").chmod(0o600)

    with pytest.raises(BadSettings, match="is damaged"):
        sealing_key(_load(env, COUNTERSIGN_VAR=str(tmp_path)))
    assert _mistakes(env, COUNTERSIGN_KEY="short") == [
        "COUNTERSIGN_KEY must be at least 32 bytes long; `openssl rand -hex 32` makes one"
    ]


def test_a_key_from_the_environment_is_used_as_it_is(env: Env, tmp_path: Path) -> None:
    """Several processes share one key by sharing the variable; no file is made."""
    settings = _load(env, COUNTERSIGN_KEY=KEY, COUNTERSIGN_VAR=str(tmp_path / "var"))

    assert sealing_key(settings) == KEY.encode()
    assert not settings.var.exists()
