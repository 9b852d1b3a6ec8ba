"""Settings from the environment, and from `.env` where there is one. The environment wins.

Names the world already knows keep their names (REDIS_URL, OPENAI_…, SMTP_…, SLACK_…, TEAMS_…, PORT, LOG_LEVEL);
ours begin with COUNTERSIGN_, so that a shell's own HOST or MODEL never becomes a setting.

Every mistake is reported at once, with the variable's name and without its value. Secrets stay SecretStr.
"""

from __future__ import annotations

import difflib
import os
import re
import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.domain.credentials import WORKSPACE, is_placeholder
from bot.domain.errors import BadSettings
from bot.domain.store import PLACE_MOST

PREFIX = "COUNTERSIGN_"
AGENTS = Path("agents.yml")
CLIENT_ID = "must be two numbers with a dot, as Slack shows it under Basic Information"
HOST = re.compile(r"\*|(\*\.)?[\w.-]+(:\d+)?|[0-9a-fA-F:]+")  # as agents/tools/http reads them
SHORTEST_KEY = 32  # bytes: as long as the digest it seals with
BESIDE_SLACK = 3978  # where Teams posts to if Slack posts to PORT; the Bot Framework's own tools look there
TEAMS_NAMES = (
    *("TEAMS_APP_PASSWORD", "TEAMS_APP_CERTIFICATE", "TEAMS_TENANT_ID", "TEAMS_TENANTS", "TEAMS_GRAPH"),
    *("TEAMS_MATCH_EMAIL", "TEAMS_FALLBACK_CHANNEL", "TEAMS_PORT"),
)


def _real(secret: SecretStr) -> SecretStr:
    if is_placeholder(secret.get_secret_value()):
        raise ValueError("is a placeholder; put the real value there, or leave it out")
    return secret


def _key(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < SHORTEST_KEY:
        raise ValueError(f"must be at least {SHORTEST_KEY} bytes long; `openssl rand -hex 32` makes one")
    return secret


def _redis(secret: SecretStr) -> SecretStr:
    """The message never shows the value: it may hold a password."""
    url = _split(secret.get_secret_value())
    if url.scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("must begin with redis://, rediss:// or unix://")
    if not (url.path if url.scheme == "unix" else url.hostname):
        raise ValueError("names no server")
    return secret


def _postgres(secret: SecretStr) -> SecretStr:
    """As `_redis`: the message never shows the value."""
    if not secret.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("must begin with postgresql://")
    return secret


def _web(value: str) -> str:
    url = _split(value)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError("must be an http:// or https:// address")
    if url.username or url.password:
        raise ValueError("must not hold a user or password")
    return value


def _safe_web(value: str) -> str:
    """For an address that is sent a token: nobody on the way may read it."""
    if _split(_web(value)).scheme != "https" and _split(value).hostname not in {"127.0.0.1", "::1", "localhost"}:
        raise ValueError("must begin with https://: it is sent a token")
    return value


def _split(value: str) -> Any:
    try:
        url = urlsplit(value)
        _ = url.port  # looked at here: a bad one raises
    except ValueError:
        raise ValueError("is not a URL") from None
    return url


def _guid(value: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value):
        raise ValueError("must be a GUID, as Entra shows it")
    return value.lower()


def _starts(prefix: str) -> AfterValidator:
    def check(secret: SecretStr) -> SecretStr:
        if not secret.get_secret_value().startswith(prefix):
            raise ValueError(f"must begin with {prefix}")
        return secret

    return AfterValidator(check)


def _fits(pattern: str, told: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(told)
        return value

    return AfterValidator(check)


def _seconds(value: object) -> object:
    try:
        return timedelta(seconds=float(value)) if isinstance(value, str) else value
    except (ValueError, OverflowError):
        raise ValueError("must be a number of seconds") from None


def _words(value: object) -> object:
    return tuple(word for word in re.split(r"[\s,]+", value) if word) if isinstance(value, str) else value


def _hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    if not all(HOST.fullmatch(one) for one in value):
        told = "must hold host names, such as api.example.com, api.example.com:8080 or *.example.com"
        raise ValueError(f"{told}: no http:// and no path")
    return value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Secret = Annotated[SecretStr, AfterValidator(_real)]
Seconds = Annotated[timedelta, BeforeValidator(_seconds)]
SafeWeb = Annotated[str, AfterValidator(_safe_web)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
PortNumber = Annotated[int, Field(ge=0, le=65535)]  # 0: any free one
Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)]


class Settings(BaseSettings):
    """What somebody set, checked. Read it with `load_settings`; attributes are the variables in small letters."""

    model_config = SettingsConfigDict(
        case_sensitive=True, env_ignore_empty=True, extra="ignore", frozen=True, env_file_encoding="utf-8"
    )

    # where things are kept
    redis_url: Annotated[SecretStr, AfterValidator(_redis)] | None = Field(None, alias="REDIS_URL")  # None: embedded
    namespace: Annotated[str, _fits(r"[a-z0-9][a-z0-9_-]{0,39}", "must be 1 to 40 small letters, digits, _ or -")] = (
        Field("countersign", alias="COUNTERSIGN_NAMESPACE")
    )
    shard_count: int | None = Field(None, alias="COUNTERSIGN_SHARDS", ge=1, le=1024)
    var: Path = Field(Path("var"), alias="COUNTERSIGN_VAR")
    key: Annotated[Secret, AfterValidator(_key)] | None = Field(None, alias="COUNTERSIGN_KEY")

    # where it listens; loopback unless told otherwise
    host: str = Field("127.0.0.1", alias="COUNTERSIGN_HOST", min_length=1)
    port: PortNumber = Field(8700, alias="PORT")
    health_port: PortNumber = Field(8701, alias="COUNTERSIGN_HEALTH_PORT")
    log_level: Level = Field("INFO", alias="LOG_LEVEL")

    # the mind
    openai_api_key: Secret | None = Field(None, alias="OPENAI_API_KEY")
    openai_base_url: Annotated[str, AfterValidator(_web)] | None = Field(None, alias="OPENAI_BASE_URL")
    model: str = Field("gpt-4o-mini", alias="MODEL", min_length=1)
    agent: str = Field("", alias="COUNTERSIGN_AGENT")  # empty: the roster's default

    # the rules
    agents: Path | None = Field(None, alias="COUNTERSIGN_AGENTS")  # unset: agents.yml, if it is there
    policy: Path = Field(Path("policy.yml"), alias="COUNTERSIGN_POLICY")
    people: Path = Field(Path("people.yml"), alias="COUNTERSIGN_PEOPLE")
    oncall: Path | None = Field(None, alias="COUNTERSIGN_ONCALL")  # who is on call when, as iCalendar

    # the engine
    evict_after: Seconds = Field(timedelta(seconds=60), alias="COUNTERSIGN_EVICT_AFTER", ge=timedelta())
    lease: Seconds = Field(timedelta(seconds=6), alias="COUNTERSIGN_LEASE", ge=timedelta(seconds=1))
    place_most: int = Field(PLACE_MOST, alias="COUNTERSIGN_PLACE_MOST", ge=1)  # open requests shown in one channel

    # what tools may reach
    smtp_host: str | None = Field(None, alias="SMTP_HOST")
    smtp_port: PortNumber = Field(587, alias="SMTP_PORT")
    smtp_user: str | None = Field(None, alias="SMTP_USER")
    smtp_password: Secret | None = Field(None, alias="SMTP_PASSWORD")
    smtp_from: Annotated[str, _fits(r"[^@\s]+@[^@\s]+", "must be an address, such as bot@example.com")] | None = Field(
        None, alias="SMTP_FROM"
    )
    http_allow: Annotated[Words, AfterValidator(_hosts)] = Field((), alias="COUNTERSIGN_HTTP_ALLOW")  # commas or spaces
    tools: Words = Field((), alias="COUNTERSIGN_TOOLS")  # your own, as module:name, split by commas or spaces
    work_folder: Path | None = Field(None, alias="COUNTERSIGN_WORK_FOLDER")
    sql_url: Annotated[Secret, AfterValidator(_postgres)] | None = Field(None, alias="COUNTERSIGN_SQL_URL")
    sql_read_url: Annotated[Secret, AfterValidator(_postgres)] | None = Field(None, alias="COUNTERSIGN_SQL_READ_URL")
    services: str = Field("", alias="COUNTERSIGN_SERVICES")  # bot/services says how it is written
    knowledge: Path | None = Field(None, alias="COUNTERSIGN_KNOWLEDGE")  # a folder of Markdown and text

    # programs and where they are kept; bot/worktools says what these mean together
    code: Literal["off", "on", "unboxed"] = Field("off", alias="COUNTERSIGN_CODE")  # on: in a box, or not at all
    code_network: bool = Field(False, alias="COUNTERSIGN_CODE_NETWORK")
    repos: Words = Field((), alias="COUNTERSIGN_REPOS")  # name=where, split by commas or spaces
    github_token: Secret | None = Field(None, alias="COUNTERSIGN_GITHUB_TOKEN")
    github_repos: Words = Field((), alias="COUNTERSIGN_GITHUB_REPOS")  # owner/name, or owner/* for all of them
    github_url: SafeWeb = Field("https://api.github.com", alias="COUNTERSIGN_GITHUB_URL")
    gitlab_token: Secret | None = Field(None, alias="COUNTERSIGN_GITLAB_TOKEN")
    gitlab_repos: Words = Field((), alias="COUNTERSIGN_GITLAB_REPOS")
    gitlab_url: SafeWeb = Field("https://gitlab.com", alias="COUNTERSIGN_GITLAB_URL")

    # the workspaces
    slack_bot_token: Annotated[Secret, _starts("xoxb-")] | None = Field(None, alias="SLACK_BOT_TOKEN")
    slack_app_token: Annotated[Secret, _starts("xapp-")] | None = Field(None, alias="SLACK_APP_TOKEN")
    slack_signing_secret: Secret | None = Field(None, alias="SLACK_SIGNING_SECRET")
    slack_client_id: Annotated[str, _fits(r"\d+\.\d+", CLIENT_ID)] | None = Field(  # for many workspaces
        None, alias="SLACK_CLIENT_ID"
    )
    slack_client_secret: Secret | None = Field(None, alias="SLACK_CLIENT_SECRET")
    slack_workspaces: Words = Field((), alias="SLACK_WORKSPACES")  # ids that may install the app; unset: any
    slack_api_url: Annotated[str, AfterValidator(_web)] = Field("https://slack.com/api/", alias="SLACK_API_URL")
    slack_manager_field: str | None = Field(None, alias="SLACK_MANAGER_FIELD", min_length=1)  # its label in a profile
    slack_match_email: bool = Field(False, alias="SLACK_MATCH_EMAIL")  # may a confirmed address say who somebody is?
    slack_fallback_channel: str | None = Field(None, alias="SLACK_FALLBACK_CHANNEL", min_length=1)

    # the tenants
    teams_app_id: Annotated[str, AfterValidator(_guid)] | None = Field(None, alias="TEAMS_APP_ID")
    teams_app_password: Secret | None = Field(None, alias="TEAMS_APP_PASSWORD")
    teams_app_certificate: Path | None = Field(None, alias="TEAMS_APP_CERTIFICATE")  # PEM: private key, certificate
    teams_tenant_id: Annotated[str, AfterValidator(_guid)] | None = Field(None, alias="TEAMS_TENANT_ID")
    teams_tenants: Words = Field((), alias="TEAMS_TENANTS")  # others whose people may work here, besides our own
    teams_auth: Literal["tokens", "none"] = Field("tokens", alias="TEAMS_AUTH")  # none: for an emulator on loopback
    teams_cloud: str = Field("public", alias="TEAMS_CLOUD")
    teams_openid_metadata: str = Field("", alias="TEAMS_OPENID_METADATA")  # what the cloud's table says, if empty
    teams_login_url: str = Field("", alias="TEAMS_LOGIN_URL")
    teams_issuer: str = Field("", alias="TEAMS_ISSUER")
    teams_scope: str = Field("", alias="TEAMS_SCOPE")
    teams_graph_url: str = Field("", alias="TEAMS_GRAPH_URL")
    teams_service_url: str = Field("", alias="TEAMS_SERVICE_URL")
    teams_service_hosts: Words = Field((), alias="TEAMS_SERVICE_HOSTS")
    teams_graph: bool = Field(True, alias="TEAMS_GRAPH")  # may Graph say who somebody's manager is?
    teams_match_email: bool = Field(False, alias="TEAMS_MATCH_EMAIL")
    teams_fallback_channel: str | None = Field(None, alias="TEAMS_FALLBACK_CHANNEL", min_length=1)
    teams_listen: PortNumber | None = Field(None, alias="TEAMS_PORT")

    @property
    def shards(self) -> int:
        """How many slices the runs are cut into: 1 for the embedded server, 16 for a real one, unless set."""
        return self.shard_count or (1 if self.redis_url is None else 16)

    @property
    def work(self) -> Path:
        """The only folder that file tools touch."""
        return self.work_folder or self.var / "work"

    @property
    def agents_file(self) -> Path | None:
        """Where the agents stand; None: there is the assistant alone."""
        return self.agents or (AGENTS if AGENTS.is_file() else None)

    @property
    def is_rehearsal(self) -> bool:
        """No model was set: a scripted one plays its part."""
        return self.openai_api_key is None and self.openai_base_url is None

    @property
    def chats(self) -> tuple[str, ...]:
        """Where people are met unless somebody says otherwise: every platform that is set, else the playground."""
        slack = ("slack",) if self.slack_bot_token or self.slack_client_id else ()
        teams = ("teams",) if self.teams_app_id or self.teams_auth == "none" else ()
        return (*slack, *teams) or ("playground",)

    @property
    def teams_port(self) -> int:
        """Where Teams posts to: PORT, unless Slack posts there already."""
        if self.teams_listen is not None:
            return self.teams_listen
        return BESIDE_SLACK if self.slack_signing_secret is not None else self.port

    @property
    def real_credentials(self) -> tuple[str, ...]:
        """Names of the variables that open a real workspace. The playground refuses to start beside them."""
        return tuple(name for name in WORKSPACE if getattr(self, name.lower()) is not None)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret's value: what logs must never show."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))

    @classmethod
    def _load(cls, env_file: Path | None) -> Self:
        return cls(_env_file=env_file)


def load_settings(env_file: Path | None = Path(".env")) -> Settings:
    """Read and check everything. Raises BadSettings with all the mistakes, one sentence each."""
    names = _names(env_file)
    problems = [*_unknown(names), *_incomplete(names)]
    try:
        settings = Settings._load(env_file)
    except ValidationError as error:
        raise BadSettings([*_told(error), *problems]) from None  # its own text would show the values
    if problems or (problems := _exposed(settings)):
        raise BadSettings(problems)
    return settings


def one_setting(name: str, env_file: Path = Path(".env")) -> str:
    """One variable, unchecked, from where settings stand, for what needs no other; empty if it is not set."""
    return os.environ.get(name) or dotenv_values(env_file).get(name) or ""


def sealing_key(settings: Settings) -> bytes:
    """The key that seals buttons and records: COUNTERSIGN_KEY, or one made once and kept in `var/key`.

    Several processes on one Redis need the same key: give them COUNTERSIGN_KEY. Raises BadSettings.
    """
    if settings.key is not None:
        return settings.key.get_secret_value().encode()
    path = settings.var / "key"
    try:
        if not path.exists():
            _make_key(path)
        if path.stat().st_mode & 0o077:
            raise BadSettings([f"{path} can be read by others; `chmod 600 {path}` mends it"])
        key = path.read_bytes().strip()
    except OSError as error:
        raise BadSettings([f"the sealing key {path} cannot be used: {error.strerror}"]) from error
    if len(key) < SHORTEST_KEY:
        raise BadSettings([f"{path} is damaged: a sealing key has at least {SHORTEST_KEY} bytes"])
    return key


def _make_key(path: Path) -> None:
    """Whole or not at all: written aside, synced, then linked. The first of two processes wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_name(f"key.{secrets.token_hex(4)}")
    number = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(number, secrets.token_hex(SHORTEST_KEY).encode() + b"\n")
        os.fsync(number)
        os.link(aside, path)
        _sync_folder(path.parent)
    except FileExistsError:
        pass  # another process was first; its key is as good
    finally:
        os.close(number)
        aside.unlink()


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


# ---------------------------------------------------------------- mistakes


def _names(env_file: Path | None) -> frozenset[str]:
    """The variables that are set to something."""
    written: Mapping[str, str | None] = dotenv_values(env_file) if env_file is not None else {}
    return frozenset(name for name, value in (written | os.environ).items() if value)


def _unknown(names: frozenset[str]) -> list[str]:
    known = [field.alias for field in Settings.model_fields.values() if field.alias]
    return [
        f"{name} is not a setting{_nearest(name, known)}"
        for name in sorted(names)
        if name.startswith(PREFIX) and name not in known
    ]


def _nearest(name: str, known: list[str]) -> str:
    ours = {alias.removeprefix(PREFIX): alias for alias in known}
    near = difflib.get_close_matches(name.removeprefix(PREFIX), ours, n=1, cutoff=0.5)
    return f"; did you mean {ours[near[0]]}?" if near else ""


def _incomplete(names: frozenset[str]) -> list[str]:
    """Settings that mean nothing, or something dangerous, without another one."""
    needs: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("SLACK_BOT_TOKEN", ("SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET")),
        ("SLACK_APP_TOKEN", ("SLACK_BOT_TOKEN", "SLACK_CLIENT_ID")),
        ("SLACK_SIGNING_SECRET", ("SLACK_BOT_TOKEN", "SLACK_CLIENT_ID")),
        ("SLACK_CLIENT_ID", ("SLACK_CLIENT_SECRET",)),
        ("SLACK_CLIENT_ID", ("SLACK_SIGNING_SECRET",)),  # people install on our pages, so Slack posts to us
        ("SLACK_CLIENT_ID", ("COUNTERSIGN_KEY",)),  # it seals other workspaces' tokens
        ("SLACK_CLIENT_SECRET", ("SLACK_CLIENT_ID",)),
        ("SLACK_WORKSPACES", ("SLACK_CLIENT_ID",)),
        ("SLACK_MANAGER_FIELD", ("SLACK_BOT_TOKEN", "SLACK_CLIENT_ID")),
        ("SLACK_MATCH_EMAIL", ("SLACK_BOT_TOKEN", "SLACK_CLIENT_ID")),
        ("SLACK_FALLBACK_CHANNEL", ("SLACK_BOT_TOKEN", "SLACK_CLIENT_ID")),
        ("TEAMS_APP_ID", ("TEAMS_APP_PASSWORD", "TEAMS_APP_CERTIFICATE", "TEAMS_AUTH")),
        ("TEAMS_APP_ID", ("TEAMS_TENANT_ID",)),
        ("TEAMS_AUTH", ("TEAMS_TENANT_ID",)),
        *((name, ("TEAMS_APP_ID", "TEAMS_AUTH")) for name in TEAMS_NAMES),
        ("SMTP_HOST", ("SMTP_FROM",)),
        ("COUNTERSIGN_SQL_READ_URL", ("COUNTERSIGN_SQL_URL",)),
        ("COUNTERSIGN_CODE_NETWORK", ("COUNTERSIGN_CODE",)),
        *(
            (f"COUNTERSIGN_{forge}_{name}", (f"COUNTERSIGN_{forge}_{other}",))
            for forge in ("GITHUB", "GITLAB")
            for name, other in (("TOKEN", "REPOS"), ("REPOS", "TOKEN"), ("URL", "TOKEN"))
        ),
        ("SMTP_USER", ("SMTP_PASSWORD",)),
        ("SMTP_PASSWORD", ("SMTP_USER",)),
    )
    lacking = [
        f"{name} needs {' or '.join(others)} beside it"
        for name, others in needs
        if name in names and not names.intersection(others)
    ]
    torn = (
        ({"SLACK_BOT_TOKEN", "SLACK_CLIENT_ID"}, "SLACK_BOT_TOKEN is for one workspace and SLACK_CLIENT_ID for many"),
        ({"TEAMS_APP_PASSWORD", "TEAMS_APP_CERTIFICATE"}, "TEAMS_APP_PASSWORD proves what TEAMS_APP_CERTIFICATE does"),
    )
    return [*lacking, *(f"{told}: set one of them" for both, told in torn if both <= names)]


def _exposed(settings: Settings) -> list[str]:
    """Where anybody may speak as anybody, nobody's real workspace is at hand: a person is one on all platforms."""
    is_open = settings.teams_auth == "none"
    real = [name for name in settings.real_credentials if is_open and name != "TEAMS_APP_ID"]
    told = "TEAMS_AUTH=none lets anybody on this machine speak as anybody, and {} opens a real workspace"
    return [f"{told.format(name)}: take one of the two away" for name in real]


def _told(error: ValidationError) -> list[str]:
    """One sentence per mistake, never the value."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return [f"{problem['loc'][0]} {_sentence(problem['msg'])}" for problem in found]


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should", "should").replace("String should", "should")
