"""Records to JSON and back, with a schema version; and strict reading of JSON that is not ours.

A `Record` leaves out what equals its default: 100,000 waiting runs pay for every byte.

Stored bytes are data: an unknown version or a broken record is refused, never guessed at.
"""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from typing import Any, TypeVar, cast, dataclass_transform

import msgspec
from msgspec import StructMeta
from msgspec.structs import replace as replace

from bot.domain.errors import BadJson, BadRecord

SCHEMA = 2  # raise it with any change that an older process could misread; 2: a copy may leave out where it stands
READABLE = (b"1", b"2")
MAX_DEPTH = 64
MAX_BYTES = 1 << 20  # 1 MiB: larger values delay everybody on the server (measured 2 ms per MB)


@dataclass_transform(kw_only_default=True, frozen_default=True)
class _RecordMeta(StructMeta):
    """msgspec does not inherit `kw_only`; this states the house rules once for every record."""

    def __new__(cls, name: str, bases: tuple[type, ...], space: dict[str, Any], **config: Any) -> Any:
        rules = {"frozen": True, "kw_only": True, "omit_defaults": True}
        return super().__new__(cls, name, bases, space, **(rules | config))


class Record(msgspec.Struct, metaclass=_RecordMeta):
    """An immutable record. Change it with `replace(record, field=value)`."""


Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
T = TypeVar("T")

# Compiled, because every click passes here before it counts: characters one by one took most of its reading.
_PART = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)  # a string, ended or not, or a bracket
_ESCAPED, _LONE = re.compile(r"\\u[dD][89a-fA-F]"), re.compile("[\ud800-\udfff]")

_encode = msgspec.json.Encoder(decimal_format="string", order="deterministic").encode


def pack(record: object) -> bytes:
    """One stored record: a version byte in front of its JSON, so that old bytes are known as old."""
    return b"%d" % SCHEMA + _encode(record)


def unpack(kind: type[T], data: bytes) -> T:
    """The inverse of `pack`. Raises BadRecord for another schema or for bytes that do not fit *kind*."""
    if data[:1] not in READABLE:
        raise BadRecord(f"a {kind.__name__} has schema {data[:1]!r}; this program reads up to {SCHEMA}")
    try:
        return cast(T, _decoder(cast(Any, kind)).decode(data[1:]))
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadRecord(f"a stored {kind.__name__} cannot be read: {error}") from error


def dumps(value: object) -> bytes:
    """Plain JSON of builtins, records and datetimes; keys sorted."""
    return _encode(value)


def loads(data: bytes | str) -> Any:
    """Read JSON that this program itself wrote."""
    return msgspec.json.decode(data)


def read_foreign(data: bytes | str, *, most: int = MAX_BYTES) -> Json:
    """Read JSON from outside: one meaning or none.

    Raises BadJson for duplicate keys, NaN or infinity, lone surrogates, invalid UTF-8, nesting deeper
    than MAX_DEPTH, and anything longer than *most* bytes. json.loads alone keeps the last of two equal
    keys and overflows the stack on 100,000 brackets.
    """
    text = _text(data, most)
    _refuse_depth(text)
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, BadJson) else BadJson(str(error)) from error
    if _ESCAPED.search(text):  # the bytes were UTF-8: a surrogate can only come out of an escape
        _refuse_surrogates(value)
    return cast(Json, value)


def read_signed(data: bytes | str) -> Json:
    """Read JSON whose sender has proved who they are: valid, whole, but of two equal keys the last one counts.

    Three times as fast as `read_foreign`. Raises BadJson.
    """
    try:
        raw = data if isinstance(data, str) else data.decode("utf-8")
        return cast(Json, msgspec.json.decode(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadJson(str(error)) from error


def _text(data: bytes | str, most: int) -> str:
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > most:
        raise BadJson(f"{len(raw)} bytes, more than {most}")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadJson("not valid UTF-8") from error


def _refuse_depth(text: str) -> None:
    """Count brackets outside strings before a recursive parser sees them."""
    depth = 0
    for part in _PART.findall(text):
        if part in ("[", "{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise BadJson(f"nested deeper than {MAX_DEPTH}")
        elif part in ("]", "}"):
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen = Counter(key for key, _ in pairs)
        twice = next(key for key, count in seen.items() if count > 1)
        raise BadJson(f"key {twice[:60]!r} appears twice")
    return found


def _no_constant(name: str) -> float:
    raise BadJson(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise BadJson(f"{text[:20]} is out of range")
    return value


def _refuse_surrogates(value: Json) -> None:
    match value:
        case str():
            if _LONE.search(value):
                raise BadJson("a string holds a lone surrogate")
        case list():
            for item in value:
                _refuse_surrogates(item)
        case dict():
            for key, item in value.items():
                _refuse_surrogates(key)
                _refuse_surrogates(item)


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, strict=True)
