"""Foreign texts on cards: what looks like a secret is masked, and what people need stays."""

from __future__ import annotations

import time

import pytest

from bot.domain.redacted import redacted


@pytest.mark.parametrize(
    "secret",
    [
        "hunter2hunter2",
        "sk-abcdefghijklmnopqrstuv",
        "xoxb-123456-abcdef",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1",
        "0123456789abcdef0123456789abcdef",
        "eyJhbGciOi.eyJzdWIi.c2ln",
    ],
)
@pytest.mark.parametrize(
    "told", ["refused: token={}", 'no {{"api_key": "{}"}}', "Authorization: Bearer {}", "passwd:{}"]
)
def test_what_looks_like_a_secret_is_masked(told: str, secret: str) -> None:
    """ST-37, D-26."""
    assert secret not in redacted(told.format(secret), 500)


@pytest.mark.parametrize(
    "secret", ["sk-abcdefghijklmnopqrstuv", "xoxb-123456-abcdef", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"]
)
def test_a_key_is_known_by_its_shape_alone(secret: str) -> None:
    assert secret not in redacted(f"the server said {secret} is wrong", 500)


def test_a_password_in_an_address_is_masked() -> None:
    assert redacted("redis://ana:secret@db:6379 refused", 500) == "redis://•••@db:6379 refused"


@pytest.mark.parametrize(
    "text",
    [
        "order 1042 was not found",
        "https://api.example.com/v1/orders/1042 answered 500",
        "order_1042_failed_to_load after 30 seconds",
        "2026-01-02T10:00:00Z timeout",
    ],
)
def test_what_people_need_to_know_stays(text: str) -> None:
    assert redacted(text, 500) == text


def test_it_is_one_short_line() -> None:
    assert redacted("a\n\nb\tc " * 50, 20) == "a b c a b c a b c a…"


@pytest.mark.parametrize(
    "hostile",
    ["secret-", "secret_", "a-", "a", "Aa", "eyJ-", "eyJa.b", "sk-a", "://a:b", "://:", ":", "token=", "xoxb-", "api_"],
)
def test_a_text_made_to_be_slow_is_read_in_a_moment(hostile: str) -> None:
    """T18: a server that a tool asked may answer anything; the bot that reads it serves everybody."""
    began = time.process_time()

    redacted("x" + hostile * (200_000 // len(hostile)), 500)

    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "text", ["a=token=hunter2hunter2", "www.eyJhbGciOi.eyJzdWIi.c2ln", "x-eyJhbGciOi.eyJzdWIi.c2ln"]
)
def test_a_secret_behind_something_harmless_is_masked_too(text: str) -> None:
    assert "hunter2" not in redacted(text, 500)
    assert "eyJzdWIi" not in redacted(text, 500)
