"""Where each model of agents.yml is spoken to, and with whose key: looked up when the bot starts, kept nowhere else.

A key goes to the endpoint that it stands beside, and to no other: one with a base_url of its own and no key gets none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.agentscheck import refs
from bot.agentsfile import AgentsFile, read_agents
from bot.agentsmodels import DEFAULT, Spoken, spoken
from bot.config import Settings
from bot.domain.credentials import REFERENCE
from bot.domain.errors import BadSettings
from bot.secretref import secret, set_value

OPENAI = "https://api.openai.com/v1"
NO_KEY = "none"  # the client wants one; a server that needs none ignores it


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One model to be opened. `name` is what the endpoint calls it."""

    base_url: str
    name: str
    key: str = field(repr=False)


def model_names(file: AgentsFile) -> tuple[str, ...]:
    """Every name by which some agent calls a model, and every model in the file."""
    called = [
        ref.name for one in file.agents.values() for ref in refs(tuple(one.values.values())) if ref.what == "model"
    ]
    named = [ref for ref, entry in file.models.items() if entry.name]
    return tuple(dict.fromkeys(name for name in (*named, *called) if name != DEFAULT))


def endpoints(settings: Settings, file: AgentsFile) -> dict[str, Endpoint]:
    """By the names that agents use; "" is the default. Raises BadSettings with every key that cannot be had."""
    found = {"": _here(settings, Spoken(settings.model))}
    problems: list[str] = []
    for name in model_names(file):
        way = spoken(name, file.models)
        assert way is not None, "the file was checked"
        try:
            found[name] = _there(way) if way.base_url else _here(settings, way)
        except BadSettings as error:
            problems += [f"model {name}: {told}" for told in error.problems]
    if problems:
        raise BadSettings(problems)
    return found


def named_secrets(settings: Settings) -> tuple[str, ...]:
    """The values of all secrets that agents.yml names, as far as they are set: what logs must never show."""
    path = settings.agents_file
    file = read_agents(path) if path is not None else AgentsFile()
    written = [
        value for server, _ in file.servers.values() for value in (*server.env.values(), *server.headers.values())
    ]
    named = [name for value in written for name in REFERENCE.findall(value)]
    names = dict.fromkeys([*(entry.secret for entry in file.models.values() if entry.secret), *named])
    return tuple(value for name in names if (value := set_value(name)))


def _here(settings: Settings, way: Spoken) -> Endpoint:
    own = settings.openai_api_key.get_secret_value() if settings.openai_api_key else NO_KEY
    key = secret(way.secret) if way.secret else own
    return Endpoint(base_url=settings.openai_base_url or OPENAI, name=way.name, key=key)


def _there(way: Spoken) -> Endpoint:
    return Endpoint(base_url=way.base_url, name=way.name, key=secret(way.secret) if way.secret else NO_KEY)
