"""Which variables open something real, and which values are only what a guide prints as an example.

Names and shapes alone: no value of a credential is ever kept or shown here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

WORKSPACE = (
    *("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"),
    *("TEAMS_APP_ID", "TEAMS_APP_PASSWORD", "TEAMS_APP_CERTIFICATE"),
)
REAL = (*WORKSPACE, "OPENAI_API_KEY", "SMTP_PASSWORD")  # whatever speaks in somebody's name, or costs money

_PLACEHOLDER = re.compile(
    r"(.*[-_ ])?your[-_ ].*|.*placeholder.*|<.*>|\{.*\}|(change|replace|insert)[-_ ]?(me|this|with).*|"
    r"(sk-|xox[a-z]-|xapp-)?(\.{3}|…|x{3,}|\*{3,})|example|secret|password|todo|none|null",
    re.IGNORECASE,
)


def is_placeholder(value: str) -> bool:
    """Is this what a guide prints where the real value belongs?"""
    return _PLACEHOLDER.fullmatch(value.strip()) is not None


def real_ones(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The names in REAL that hold more than nothing or a placeholder."""
    found = ((name, environment.get(name, "").strip()) for name in REAL)
    return tuple(name for name, value in found if value and not is_placeholder(value))
