"""What the Bot Connector's answers mean: every row, and everything that stands in no row."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.teams.codes import Outcome, Said, Verb, outcome_of, said

BODIES = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["error", "code", "subCode", "innerHttpError", "body"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode()),
)


@pytest.mark.parametrize(
    ("verb", "status", "code", "outcome"),
    [
        ("POST", 400, "BadArgument", "broken"),
        ("POST", 400, "BadSyntax", "broken"),
        ("POST", 401, "", "renew"),
        ("POST", 401, "BotNotRegistered", "stopped"),
        ("POST", 403, "BotNotInConversationRoster", "not_installed"),
        ("POST", 403, "ForbiddenOperationException", "not_installed"),
        ("POST", 404, "ConversationNotFound", "gone"),
        ("POST", 403, "ConversationBlockedByUser", "blocked"),
        ("POST", 403, "MessageWritesBlocked", "blocked"),
        ("POST", 403, "BotDisabledByAdmin", "forbidden"),
        ("POST", 403, "NotEnoughPermissions", "forbidden"),
        ("POST", 403, "InvalidBotApiHost", "other_host"),
        ("PUT", 403, "ServiceError", "edit_lost"),
        ("POST", 403, "ServiceError", "forbidden"),
        ("PUT", 404, "ActivityNotFoundInConversation", "edit_lost"),
        ("PUT", 404, "ConversationNotFound", "gone"),
        ("GET", 404, "MemberNotFoundInConversation", "nobody"),
        ("POST", 412, "PreconditionFailed", "retry"),
        ("POST", 413, "MessageSizeTooBig", "too_large"),
        ("POST", 413, "", "too_large"),
        ("POST", 429, "Throttled", "pace"),
        ("POST", 500, "ServiceError", "stumbled"),
        ("GET", 502, "", "unsure"),
        ("GET", 503, "ServiceUnavailable", "unsure"),
        ("PUT", 504, "", "unsure"),
        ("PUT", 599, "", "stumbled"),
        ("POST", 418, "Teapot", "unknown"),
        ("POST", 302, "", "unknown"),
    ],
)
def test_each_row_of_the_table(verb: str, status: int, code: str, outcome: str) -> None:
    """Judged by status and code, never by the words beside them."""
    assert outcome_of(Verb(verb), Said(status=status, code=code)) is Outcome(outcome)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error": {"code": "Throttled", "message": "BotDisabledByAdmin"}}', "Throttled"),
        (b'{"error": {"code": "Forbidden", "subCode": "MessageWritesBlocked"}}', "MessageWritesBlocked"),
        (b'{"subCode": "MessageWritesBlocked", "details": null}', "MessageWritesBlocked"),
        (
            b'{"error": {"code": "X", "innerHttpError": {"body": {"subCode": "MessageWritesBlocked"}}}}',
            "MessageWritesBlocked",
        ),
        (b"<html>413 Request Entity Too Large</html>", ""),
        (b"", ""),
        (b"[1, 2]", ""),
        (b'{"error": "no object"}', ""),
        (b'{"error": {"code": 17}}', ""),
        (b"\xff\xfe", ""),
    ],
)
def test_a_code_is_read_wherever_it_stands_and_never_demanded(body: bytes, code: str) -> None:
    """A proxy's 413 is a page."""
    assert said(403, body) == Said(status=403, code=code)


@given(BODIES)
def test_no_answer_is_too_strange_to_be_read(body: bytes) -> None:
    assert len(said(500, body).code) <= 80
