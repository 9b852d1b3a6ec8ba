"""Canonical bytes and the digest: one call, one name."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.domain.calls import canonical, digest, make_call
from bot.domain.errors import BadJson
from bot.domain.wire import Json
from tests.domain.test_wire import JSON


@given(JSON)
def test_canonical_bytes_mean_the_same_value_and_are_their_own_canonical_form(value: Json) -> None:
    """T06: parse once, keep the bytes; parsing them again changes nothing."""
    written = canonical(value)

    assert json.loads(written) == value
    assert canonical(json.loads(written)) == written


@given(st.dictionaries(st.text(), st.integers(), min_size=2), st.randoms())
def test_the_order_of_keys_does_not_change_the_bytes(value: dict[str, int], shuffle: object) -> None:
    items = list(value.items())
    shuffle.shuffle(items)  # type: ignore[attr-defined]  # hypothesis gives a random.Random

    assert canonical(dict(items)) == canonical(dict(value))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        ({"\U0001f600": 1, "\ufb33": 2}, '{"\U0001f600":1,"\ufb33":2}'),  # UTF-16 order, as in RFC 8785
        (1.0, "1"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (10**30, "1" + "0" * 30),
        ("ü\u2028\n\u007f", '"ü\u2028\\n\u007f"'),
    ],
)
def test_every_value_has_one_spelling(value: Json, written: str) -> None:
    assert canonical(value) == written.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {"\udfff": 1}, object(), b"x", (1,), {1, 2}])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    """T06: no NaN, no lone surrogate, no object that some encoder would guess at."""
    with pytest.raises(BadJson):
        canonical([value])  # type: ignore[list-item]  # the very thing that must not work


@given(st.tuples(st.text(), st.text(), JSON), st.tuples(st.text(), st.text(), JSON))
def test_two_calls_share_a_digest_only_if_they_are_the_same(a: tuple[str, str, Json], b: tuple[str, str, Json]) -> None:
    """T06: name, version and arguments are each preceded by their length, so nothing can slide from one to the next."""
    one, other = ((name, version, canonical(args).decode()) for name, version, args in (a, b))
    assume(one != other)

    assert digest(*one) != digest(*other)


def test_text_that_slides_from_the_name_to_the_version_changes_the_digest() -> None:
    assert (
        len({digest("ab", "c", "{}"), digest("a", "bc", "{}"), digest("abc", "", "{}"), digest("", "abc", "{}")}) == 4
    )


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_a_call_gives_back_the_values_it_was_made_from(args: dict[str, Json]) -> None:
    call = make_call(id="1", tool="t", version="1", args=args)

    assert canonical(call.values).decode() == call.args
    assert call.digest == digest("t", "1", call.args)
