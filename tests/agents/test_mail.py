"""Mail: over a real SMTP server or into a folder; one recipient, no smuggled headers, no doubt hidden."""

from __future__ import annotations

import asyncio
import email
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from hypothesis import given
from hypothesis import strategies as st

from agents.tools.mail import MailRoute, SmtpServer, mail_tools
from bot.domain.calls import Outcome, Risk
from bot.domain.errors import InvalidArguments
from bot.domain.ports import Tool
from tests.agents.given import run

MAIL = {"to": "sales@vendor.example", "subject": "10 % off our Q2 order?", "body": "Hello,\n\nGrüße\n.\nbye"}


class Inbox:
    """What a mail server took, and what it is told to answer."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.rcpt = self.data = "250 OK"
        self.hangs_up = False
        self._server: SMTP | None = None

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        self._server = server
        envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # the same
        if self.hangs_up:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        assert isinstance(envelope.content, bytes)
        self.taken.append(envelope.content)
        return self.data


@asynccontextmanager
async def smtp(inbox: Inbox) -> AsyncIterator[SmtpServer]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(inbox, hostname="mail.test", loop=loop), "127.0.0.1", 0)
    try:
        yield SmtpServer(host="127.0.0.1", port=server.sockets[0].getsockname()[1], tls="none")
    finally:
        server.close()


def tool(folder: Path, smtp: SmtpServer | None = None) -> Tool:
    return mail_tools(MailRoute(sender="bot@example.com", folder=folder, smtp=smtp))[0]


def parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def is_the_mail(message: EmailMessage) -> bool:
    body = message.get_content().replace("\r\n", "\n").rstrip("\n")
    return (str(message["To"]), str(message["Subject"]), body) == (MAIL["to"], MAIL["subject"], MAIL["body"])


def test_sending_cannot_be_undone(tmp_path: Path) -> None:
    """AS-02, AS-33: external communication is irreversible, by code on the tool."""
    over_smtp = tool(tmp_path, SmtpServer(host="h", password="canary")).spec

    assert (over_smtp.risk, over_smtp.touches, over_smtp.is_idempotent) == (Risk.IRREVERSIBLE, ("mail",), False)
    assert tool(tmp_path).spec.is_idempotent
    assert "canary" not in repr(SmtpServer(host="h", password="canary"))


async def test_without_a_server_the_mail_lies_in_the_folder(tmp_path: Path) -> None:
    """AU-06: exact recipient, subject and body; the same key leaves one file, another key a second."""
    one = tool(tmp_path / "mail")

    first = await run(one, MAIL, key="k1")
    again = await run(one, MAIL, key="k1")
    await run(one, MAIL, key="k2")

    lying = sorted((tmp_path / "mail").iterdir())
    assert len(lying) == 2
    assert all(path.suffix == ".eml" for path in lying)
    assert is_the_mail(parsed(lying[0].read_bytes()))
    assert again == first
    assert lying[0].name in first.text or lying[1].name in first.text


async def test_a_mail_server_gets_it_word_for_word(tmp_path: Path) -> None:
    """AU-05: once, with a Message-ID that comes from the call's key."""
    inbox = Inbox()
    async with smtp(inbox) as server:
        result = await run(tool(tmp_path, server), MAIL)

    assert result.outcome is Outcome.OK
    assert len(inbox.taken) == 1
    message = parsed(inbox.taken[0])
    assert is_the_mail(message)
    assert message["From"] == "bot@example.com"
    assert json.loads(result.text)["message_id"] == message["Message-ID"]


@pytest.mark.parametrize(
    "change", [{"rcpt": "550 unknown user"}, {"data": "554 no spam please"}, {"rcpt": "451 later"}]
)
async def test_a_refused_mail_was_surely_not_sent(tmp_path: Path, change: dict[str, str]) -> None:
    """And the result says so."""
    inbox = Inbox()
    vars(inbox).update(change)
    async with smtp(inbox) as server:
        result = await run(tool(tmp_path, server), MAIL)

    assert result.outcome is Outcome.ERROR
    assert result.text.startswith("The mail was not sent: ")


async def test_nobody_listening_means_not_sent(tmp_path: Path) -> None:
    """A closed port."""
    async with smtp(Inbox()) as server:
        pass

    result = await run(tool(tmp_path, server), MAIL)

    assert result.outcome is Outcome.ERROR
    assert "not sent" in result.text


async def test_a_connection_lost_after_the_text_leaves_it_unknown(tmp_path: Path) -> None:
    """Nothing is guessed: the server may have taken it."""
    inbox = Inbox()
    inbox.hangs_up = True
    async with smtp(inbox) as server:
        result = await run(tool(tmp_path, server), MAIL)

    assert result.outcome is Outcome.UNKNOWN
    assert "not known" in result.text


BAD: list[dict[str, Any]] = [
    {"subject": "hi\r\nBcc: all@example.com"}, {"subject": "hi\nthere"}, {"subject": "a\u2028b"},
    {"subject": "\u202eevil"}, {"subject": ""}, {"to": "bo@example.com\r\nBcc: x@y.example"},
    {"to": "bo@example.com, cy@example.com"},
    {"to": "Bo <bo@example.com>"}, {"to": "bo"}, {"to": "bo@localhost"}, {"to": "bo@-a.example"},
    {"to": "a..b@c.example"}, {"to": "bö@example.com"}, {"to": "bo@example.com "}, {"to": "x" * 250 + "@a.example"},
    {"body": "a\0b"}, {"body": ""}, {"cc": "bo@example.com"},
]  # fmt: skip


@pytest.mark.parametrize("change", BAD, ids=repr)
def test_smuggled_headers_and_odd_addresses_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    """Before anybody is asked to sign: one recipient, one line of subject, no control characters."""
    with pytest.raises(InvalidArguments):
        tool(tmp_path).check(MAIL | change)


@given(
    subject=st.text(max_size=60), to=st.text(st.characters(max_codepoint=127), max_size=20), body=st.text(max_size=80)
)
def test_what_passes_the_check_makes_a_mail_with_one_recipient(subject: str, to: str, body: str) -> None:
    """Property: no accepted text adds a header."""
    from agents.tools.mail import _message  # the inside of one property

    try:
        tool(Path("unused")).check({"to": f"{to}@example.com", "subject": subject, "body": body})
    except InvalidArguments:
        return

    message = parsed(_message("bot@example.com", f"{to}@example.com", subject, body, "k").as_bytes())

    assert message.get_all("To") == [f"{to}@example.com"]
    assert {name.lower() for name in message} <= {
        "from", "to", "subject", "date", "message-id", "mime-version", "content-type", "content-transfer-encoding",
    }  # fmt: skip


def test_a_sender_that_is_no_address_is_refused_at_once(tmp_path: Path) -> None:
    """When the tool is made, not when the first mail goes out."""
    with pytest.raises(ValueError, match="address"):
        mail_tools(MailRoute(sender="bot", folder=tmp_path))
