"""The models of agents.yml: where each is, and what it is called there.

    models:
      small: {name: gpt-4o-mini, price: {in: 0.15, out: 0.60}}                   at the endpoint of the environment
      nebius: {base_url: "https://…/v1", key: "secret:NEBIUS_API_KEY"}           an endpoint; nebius/MODEL is at it
      default: {price: {in: 0.15, out: 0.60}}                                    the price of the one that MODEL names

An agent says `small`, or `provider/model`: `openai` is the endpoint of the environment. A key stands here by its name
alone. Whose value it is, and opening anything, is the roof's (agentsbuild).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from yaml.nodes import Node, ScalarNode

from bot.agentskinds import NAME, money, text
from bot.domain.budget import Price
from bot.domain.credentials import REFERENCE
from bot.yamlfile import Reader

DEFAULT = "default"  # the model that an agent has that names none
ENVIRONMENT = "openai"  # as a provider: the endpoint that OPENAI_… name
MODEL_KEYS = ("name", "base_url", "key", "price")
PRICE_KEYS = ("in", "out")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """`name` is what the endpoint calls it, empty for an endpoint alone; `secret` the name of its key."""

    ref: str
    name: str = ""
    base_url: str = ""
    secret: str = ""
    price: Price | None = None
    spot: str = ""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A model to be spoken to. Without `base_url` at the environment's endpoint, with its key where none is named."""

    name: str
    base_url: str = ""
    secret: str = ""


def read_models(node: Node, reader: Reader, into: dict[str, ModelEntry]) -> None:
    for name, (key, value) in (reader.fields(node, "models") or {}).items():
        if not NAME.fullmatch(name) or name == ENVIRONMENT:
            told = (
                "means the endpoint of the environment" if name == ENVIRONMENT else "may have letters, digits, - and _"
            )
            reader.note(key, f"{name!r} cannot be the name of a model: it {told}")
        elif name in into:
            reader.note(key, f"model {name!r} is there twice; the first is at {into[name].spot}")
        else:
            into[name] = _model(name, key, value, reader)


def spoken(ref: str, models: Mapping[str, ModelEntry]) -> Spoken | None:
    """What an agent means by *ref*; None if nothing."""
    if ref in models and models[ref].name:
        entry = models[ref]
        name = entry.name if entry.base_url else entry.name.removeprefix(f"{ENVIRONMENT}/")
        return Spoken(name, entry.base_url, entry.secret)
    provider, slash, name = ref.partition("/")
    if not slash or not name:
        return None
    if provider == ENVIRONMENT:
        return Spoken(name)
    entry_of = models.get(provider)
    return Spoken(name, entry_of.base_url, entry_of.secret) if entry_of is not None and entry_of.base_url else None


def prices(models: Mapping[str, ModelEntry]) -> dict[str, Price]:
    """By the names that agents call them by; "" is the default one."""
    return {"" if ref == DEFAULT else ref: entry.price for ref, entry in models.items() if entry.price is not None}


def _model(name: str, key: Node, node: Node, reader: Reader) -> ModelEntry:
    keys = ("price",) if name == DEFAULT else MODEL_KEYS
    fields = reader.fields(node, f"model {name}", keys) or {}
    at = {one: value for one, (_, value) in fields.items()}
    if name != DEFAULT and fields and not at.keys() & {"name", "base_url"}:
        reader.note(key, f"model {name} needs a name, or the base_url of an endpoint, such as name: gpt-4o-mini")
    return ModelEntry(
        ref=name,
        name=(text(reader, at["name"], f"name of model {name}") or "") if "name" in at else "",
        base_url=_url(at["base_url"], f"base_url of model {name}", reader) if "base_url" in at else "",
        secret=_secret(at["key"], f"key of model {name}", reader) if "key" in at else "",
        price=_price(at["price"], name, reader) if "price" in at else None,
        spot=reader.spot(key),
    )


def _url(node: Node, what: str, reader: Reader) -> str:
    """Never shown in a message: people put passwords there."""
    value = node.value if isinstance(node, ScalarNode) else ""
    try:
        url = urlsplit(value)
        is_fit = url.scheme in {"http", "https"} and bool(url.hostname) and not (url.username or url.password)
        _ = url.port  # looked at here: a bad one raises
    except ValueError:
        is_fit = False
    if not is_fit:
        reader.note(node, f"{what} must be an http:// or https:// address without a user or password")
    return value if is_fit else ""


def _secret(node: Node, what: str, reader: Reader) -> str:
    """The name in `secret:NAME`. What stands there instead may be the key itself, so it is never repeated."""
    found = REFERENCE.fullmatch(node.value) if isinstance(node, ScalarNode) else None
    if found is None:
        reader.note(node, f'{what} must be "secret:NAME", a variable of the environment; never the key itself')
    return found[1] if found else ""


def _price(node: Node, name: str, reader: Reader) -> Price | None:
    told = "US dollars per million tokens read and written, such as {in: 0.15, out: 0.60}"
    fields = reader.whole(node, f"price of model {name}", PRICE_KEYS, PRICE_KEYS, told)
    if fields is None:
        return None
    found = {key: money(value) for key, (_, value) in fields.items()}
    for key in (key for key, value in found.items() if value is None):
        reader.note(fields[key][1], f"{key} of the price of model {name} must be a number: {told}")
    return Price(in_=found["in"] or 0.0, out=found["out"] or 0.0)
