"""Which variables open something real, and which values are only what a guide prints as an example.

Names and shapes alone: no value of a credential is ever kept or shown here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

WORKSPACE = (
    *("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"),
    *("TEAMS_APP_ID", "TEAMS_APP_PASSWORD", "TEAMS_APP_CERTIFICATE"),
)
REAL = (  # whatever speaks in somebody's name, opens what is not ours, or costs money: every setting that is secret
    *(*WORKSPACE, "OPENAI_API_KEY", "SMTP_PASSWORD", "COUNTERSIGN_KEY", "REDIS_URL"),
    *("COUNTERSIGN_SQL_URL", "COUNTERSIGN_SQL_READ_URL", "COUNTERSIGN_GITHUB_TOKEN", "COUNTERSIGN_GITLAB_TOKEN"),
)
BY_PASSWORD = frozenset({"REDIS_URL"})  # an address that many a test needs; a credential only with a password in it
REFERENCE = re.compile(r"secret:([A-Za-z_][A-Za-z0-9_]*)")  # in files, in place of a value: the variable that has it

_MODEL_KEY = re.compile(r"\w+_API_KEY")  # as those who sell models have theirs called, whoever reads it

_PLACEHOLDER = re.compile(
    r"(.*[-_ ])?your[-_ ].*|.*placeholder.*|<.*>|\{.*\}|(change|replace|insert)[-_ ]?(me|this|with).*|"
    r"(sk-|xox[a-z]-|xapp-)?(\.{3}|…|x{3,}|\*{3,})|example|secret|password|todo|none|null",
    re.IGNORECASE,
)


def is_placeholder(value: str) -> bool:
    """Is this what a guide prints where the real value belongs?"""
    return _PLACEHOLDER.fullmatch(value.strip()) is not None


def real_ones(environment: Mapping[str, str], named: Collection[str] = ()) -> tuple[str, ...]:
    """The names in REAL, of models' keys and in *named*, that hold more than nothing or a placeholder."""
    more = {name for name in environment if name in named or _MODEL_KEY.fullmatch(name)}
    names = dict.fromkeys((*REAL, *sorted(more)))
    return tuple(name for name in names if _is_real(name, environment.get(name, "").strip()))


def _is_real(name: str, value: str) -> bool:
    if not value or is_placeholder(value):
        return False
    return name not in BY_PASSWORD or _has_password(value)


def _has_password(url: str) -> bool:
    """What cannot be read as an address may hold anything, so it does."""
    try:
        parts = urlsplit(url)
        return parts.password is not None or "password=" in parts.query
    except ValueError:
        return True
