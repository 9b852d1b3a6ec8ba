"""Strict reading: foreign JSON has one meaning or none, stored records are data or refused."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import BadJson, BadRecord
from bot.domain.request import Request
from bot.domain.wire import MAX_BYTES, MAX_DEPTH, Json, Record, pack, read_foreign, read_signed, replace, unpack
from tests.domain.given import request

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class Older(Record):
    name: str
    count: int = 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"amount":1,"amount":9999}', "'amount' appears twice"),
        ('{"a":{"b":1,"b":1}}', "'b' appears twice"),
        (r'{"a":1,"\u0061":2}', "'a' appears twice"),
        ("NaN", "not a JSON number"),
        ('{"a":-Infinity}', "not a JSON number"),
        ("1e999", "out of range"),
        (r'"\ud800"', "lone surrogate"),
        (r'{"\udfff":1}', "lone surrogate"),
        (b'"\xff"', "UTF-8"),
        ('"\ud800"', "UTF-8"),
        ("[" * 100_000, "deeper than 64"),
        ('{"a":' * 100_000, "deeper than 64"),
        ("1" * 5_000, "digits"),
        ("{'a':1}", "Expecting"),
        ('{"a":1} {"b":2}', "Extra data"),
        ("", "Expecting"),
        ('"\n"', "control character"),
    ],
)
def test_json_with_two_meanings_or_none_is_refused(text: str | bytes, why: str) -> None:
    """T06: duplicate keys, NaN, surrogates, depth, trailing data: refused, never repaired."""
    with pytest.raises(BadJson, match=why):
        read_foreign(text)


@given(JSON)
def test_plain_json_is_read_as_it_is(value: Json) -> None:
    assert read_foreign(json.dumps(value)) == value
    assert read_foreign(json.dumps(value, ensure_ascii=False).encode()) == value


def test_depth_and_size_are_exact() -> None:
    """T06, T18: the deepest and the longest that pass, and one more."""
    read_foreign("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    read_foreign('"' + "a" * (MAX_BYTES - 2) + '"')
    with pytest.raises(BadJson, match="deeper"):
        read_foreign("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    with pytest.raises(BadJson, match="more than"):
        read_foreign('"' + "a" * (MAX_BYTES - 1) + '"')


def test_brackets_inside_a_string_have_no_depth() -> None:
    text = json.dumps({"regex": '[[[["\\' * 100})

    assert read_foreign(text) == json.loads(text)


def test_a_flood_of_equal_keys_is_refused_quickly() -> None:
    """T18: a megabyte of `"a":1,` must not cost the square of its length."""
    text = "{" + ",".join(['"a":1'] * 150_000) + "}"
    began = time.perf_counter()

    with pytest.raises(BadJson, match="twice"):
        read_foreign(text)

    assert time.perf_counter() - began < 5


def test_a_record_comes_back_as_it_was_packed() -> None:
    asked = request(why="weil\u202e")

    assert unpack(Request, pack(asked)) == asked


@pytest.mark.parametrize(
    "data",
    [b"", b'3{"name":"a"}', b"2{}", b"1{", b"1[]", b'1{"name":7}', b'1{"count":1}', b"1\xff", b'1{"py/object":"os"}'],
)
def test_stored_bytes_that_do_not_fit_are_refused_as_data(data: bytes) -> None:
    """T23: another schema, broken bytes, wrong types, constructor tricks: BadRecord, nothing else."""
    with pytest.raises(BadRecord):
        unpack(Older, data)


def test_a_record_cannot_be_changed_in_place() -> None:
    """T06: what was signed stays what it was; a change is a new record."""
    first = Older(name="a")

    with pytest.raises(AttributeError):
        first.name = "b"
    assert replace(first, name="b").name == "b"
    assert first.name == "a"


def test_a_record_leaves_out_what_equals_its_default() -> None:
    assert pack(Older(name="a")) == b'2{"name":"a"}'


def test_what_an_older_program_stored_is_still_read() -> None:
    """A year later, whoever asks for it needs it."""
    assert unpack(Older, b'1{"name":"a"}') == Older(name="a")


@pytest.mark.parametrize(
    "bad", ["", "[1,]", "NaN", '{"a": 1e999}', '"\\ud800"', '{"a": 1} x', b'"\xff"', '{"a":' * 10_000, "[" * 5_000]
)
def test_signed_json_that_is_none_is_refused(bad: str | bytes) -> None:
    """T11: who proved who they are may still send garbage; it is an error of ours to fall over it."""
    with pytest.raises(BadJson):
        read_signed(bad)


def test_signed_json_is_read_as_it_is() -> None:
    assert (
        read_signed('{"a": [1, 2.5, null, "\u00fc"]}')
        == {"a": [1, 2.5, None, "\u00fc"]}
        == read_signed(b'{"a":[1,2.5,null,"\xc3\xbc"]}')
    )
