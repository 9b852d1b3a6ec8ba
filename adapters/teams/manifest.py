"""What Teams must know about our app before it lets us do anything: the app package, as data and as a zip.

    manifest(where) -> manifest.json + two icons -> package(where), the zip that an administrator uploads

Schema 1.29. Rights are as few as what this package calls: `tests/teams/test_manifest.py` holds both together.
"""

from __future__ import annotations

import importlib.metadata
import io
import re
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.teams.icons import color_icon, outline_icon
from bot.domain.errors import BadSettings
from bot.domain.orders import TABLE
from bot.domain.wire import dumps

SCHEMA = "https://developer.microsoft.com/json-schemas/teams/v1.29/MicrosoftTeams.schema.json"
GIVE = "give"  # the message action's command id
SCOPES = ("personal", "team", "groupChat")
LISTED = ("pending", "runs", "away", "grants", "help")  # commands that Teams offers while somebody types
STAMP = (1980, 1, 1, 0, 0, 0)  # the same settings make the same bytes

RIGHTS = (
    "TeamMember.Read.Group",  # who is in a team that approvers are taken from; is somebody a guest
    "ChatMember.Read.Chat",  # the same in group chats
    "ChannelSettings.Read.Group",  # which channel a rule means by its name
    "ChannelMessage.Read.Group",  # replies in a task's thread that do not mention us
    "ChatMessage.Read.Chat",  # the same in group chats
)
"""Resource-specific consent: given with the installation, for that team or chat alone."""

_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9](-?[a-z0-9])*\.)+[a-z]{2,63}")

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Which bot the package is for: its id in Entra, and the domain it is reached at.

    The app's developer pages are that domain's: edit `manifest.json` for others. Raises BadSettings, naming the option,
    for an id that is no GUID or a domain that is none.
    """

    id: str
    domain: str

    def __post_init__(self) -> None:
        told = []
        try:
            uuid.UUID(self.id)
        except ValueError:
            what = "must be the bot's application id in Entra, a GUID; TEAMS_APP_ID sets it, too"
            told.append(f"--app-id {self.id[:60]!r} {what}")
        if not _DOMAIN.fullmatch(self.domain):
            told.append(f"--domain {self.domain[:60]!r} must be a bare host name, such as bot.example.com")
        if told:
            raise BadSettings(told)


def package(app: App) -> bytes:
    """The zip that Teams' admin centre and "Upload a custom app" take: the manifest and two icons, nothing else."""
    files = {
        "manifest.json": dumps(manifest(app)),
        "color.png": color_icon(),
        "outline.png": outline_icon(),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in files.items():
            zipped.writestr(zipfile.ZipInfo(name, STAMP), data)
    return out.getvalue()


def manifest(app: App) -> Manifest:
    return {
        "$schema": SCHEMA,
        "manifestVersion": "1.29",
        "version": _version(),
        "id": app.id,
        "developer": {
            "name": "Countersign",
            "websiteUrl": f"https://{app.domain}",
            "privacyUrl": f"https://{app.domain}/privacy",
            "termsOfUseUrl": f"https://{app.domain}/terms",
        },
        "name": {"short": "Countersign", "full": "Countersign: agents work, people sign"},
        "description": {
            "short": "Agents do the work; people sign what could hurt.",
            "full": "Mention Countersign with a task. Its agents do the work, and whatever could hurt waits as a card "
            "until a person has signed exactly that call. Everything can be read afterwards.",
        },
        "icons": {"color": "color.png", "outline": "outline.png"},
        "accentColor": "#1D3557",
        "bots": [
            {
                "botId": app.id,
                "scopes": list(SCOPES),
                "isNotificationOnly": False,
                "commandLists": [{"scopes": [scope], "commands": _commands()} for scope in SCOPES],
            }
        ],
        "composeExtensions": [
            {
                "botId": app.id,
                "commands": [
                    {
                        "id": GIVE,
                        "type": "action",
                        "context": ["message"],
                        "title": "Give this to Countersign",
                        "description": "Make this message a task for Countersign",
                        "fetchTask": True,
                    }
                ],
            }
        ],
        "permissions": ["identity", "messageTeamMembers"],
        "validDomains": [app.domain],
        "webApplicationInfo": {"id": app.id, "resource": f"api://{app.domain}/{app.id}"},
        "authorization": {
            "permissions": {"resourceSpecific": [{"name": name, "type": "Application"} for name in RIGHTS]}
        },
    }


def _commands() -> list[Mapping[str, str]]:
    return [{"title": word.name, "description": word.what} for word in TABLE if word.name in LISTED]


def _version() -> str:
    """Three numbers, as Teams wants them: it offers an update only for a higher one."""
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", importlib.metadata.version("countersign"))
    return ".".join(number or "0" for number in found.groups()) if found else "0.0.1"
