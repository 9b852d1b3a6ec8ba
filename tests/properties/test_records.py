"""Records: what is stored comes back as it was, whatever is in it; and other bytes are refused as data."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect as look

import bot.domain
from bot.domain import letters, run
from bot.domain.errors import BadJson, BadRecord
from bot.domain.wire import Record, pack, read_foreign, unpack
from bot.runtime.journal import _prefixes


def records() -> list[type[Record]]:
    """Every record the floor defines."""
    for module in pkgutil.iter_modules(bot.domain.__path__):
        importlib.import_module(f"bot.domain.{module.name}")
    found, todo = set[type[Record]](), [Record]
    while todo:
        for kind in todo.pop().__subclasses__():
            if kind.__module__.startswith("bot.domain."):
                found.add(kind)
                todo.append(kind)
    return sorted(found, key=lambda kind: (kind.__module__, kind.__name__))


RECORDS = records()
ENTRY: Any = run.Entry
LETTER: Any = letters.Letter
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
PLAIN: Mapping[type, st.SearchStrategy[Any]] = {
    look.NoneType: st.none(),
    look.BoolType: st.booleans(),
    look.IntType: st.integers(-(2**63), 2**63 - 1),
    look.FloatType: st.floats(allow_nan=False, allow_infinity=False),
    look.StrType: st.text(max_size=20),
    look.BytesType: st.binary(max_size=20),
    look.DateTimeType: st.datetimes(timezones=st.just(UTC)),
    look.TimeDeltaType: st.timedeltas(timedelta(0), timedelta(days=9999)),
    look.AnyType: JSON,
    look.CustomType: JSON,  # `object`
}


def values(kind: look.Type) -> st.SearchStrategy[Any]:
    """Anything that a field of this type may hold."""
    match kind:
        case look.StructType(cls=cls):
            return made(cls)
        case look.EnumType(cls=cls):
            return st.sampled_from(list(cls))
        case look.LiteralType(values=those):
            return st.sampled_from(those)
        case look.UnionType(types=types):
            return st.one_of([values(each) for each in types])
        case look.VarTupleType(item_type=item):
            return st.lists(values(item), max_size=3).map(tuple)
        case look.TupleType(item_types=items):
            return st.tuples(*(values(item) for item in items))
        case look.FrozenSetType(item_type=item):
            return st.frozensets(values(item), max_size=3)
        case look.DictType(key_type=key, value_type=value):
            return st.dictionaries(values(key), values(value), max_size=3)
    return PLAIN[type(kind)]


def made(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Any record of this kind."""

    def fields() -> st.SearchStrategy[Any]:
        told = look.type_info(kind)
        assert isinstance(told, look.StructType)
        return st.builds(kind, **{field.name: values(field.type) for field in told.fields})

    return st.deferred(fields)


def storable(kind: type[Record]) -> bool:
    """Some records hold what JSON does not tell apart, and are never stored."""
    try:
        msgspec.json.Decoder(kind)
    except TypeError:
        return False
    return True


@pytest.mark.parametrize("kind", [kind for kind in RECORDS if storable(kind)], ids=lambda kind: kind.__name__)
def test_any_record_comes_back_as_it_was_packed(kind: type[Record]) -> None:
    """T23: every field of every record of the floor, with the hostile texts that hypothesis likes."""

    @settings(max_examples=20, deadline=None)
    @given(made(kind))
    def comes_back(record: Record) -> None:
        assert unpack(kind, pack(record)) == record
        assert pack(unpack(kind, pack(record))) == pack(record)

    comes_back()


@pytest.mark.parametrize(
    ("union", "kinds"),
    [
        (ENTRY, [run.Step, run.Opened, run.Decided, run.Begun, run.Finished, run.Told]),
        (LETTER, [letters.Explain, letters.Said]),
    ],
    ids=["Entry", "Letter"],
)
def test_an_entry_is_read_back_as_its_own_kind(union: Any, kinds: list[type[Record]]) -> None:
    """A journal mixes them; a tag tells them apart."""

    @settings(max_examples=30, deadline=None)
    @given(st.one_of([made(kind) for kind in kinds]))
    def comes_back(entry: Record) -> None:
        found = unpack(union, pack(entry))
        assert type(found) is type(entry)
        assert found == entry

    comes_back()


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([kind for kind in RECORDS if storable(kind)]), st.binary(max_size=40))
def test_other_bytes_are_refused_and_nothing_else_happens(kind: type[Record], noise: bytes) -> None:
    """T23: `BadRecord`, or a record; never another error, never something that is neither."""
    for data in (noise, b"1" + noise):
        try:
            assert isinstance(unpack(kind, data), kind)
        except BadRecord:
            continue


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60))
def test_foreign_bytes_are_json_or_refused(noise: bytes | str) -> None:
    """T06, T28: one meaning or none, for any input."""
    try:
        value = read_foreign(noise)
    except BadJson:
        return
    assert msgspec.json.decode(noise) == value


# ------------------------------------------------------------------- paths

PATHS = st.lists(st.tuples(st.integers(0, 12), st.none() | st.integers(0, 12)), min_size=1, max_size=4).map(
    lambda parts: "".join(f"/{step}" + ("" if branch is None else f".{branch}") for step, branch in parts)
)


@given(PATHS, PATHS)
def test_a_step_is_inside_another_exactly_if_its_path_goes_on_from_it(one: str, other: str) -> None:
    """`/1` is not around `/10`, nor `/2.1` around `/2.10`: a half-read number is another step."""
    is_inside = one == other or one.startswith((f"{other}/", f"{other}."))

    assert (other in _prefixes(one)) == is_inside
    assert len(set(_prefixes(one))) == len(_prefixes(one))
