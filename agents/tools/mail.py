"""E-mail: over SMTP, or into a mailbox folder where nothing leaves the machine.

send_email -> message (Message-ID from the call's key) -> SMTP host set? -> send
                                                            └ no -> <key>.eml, on disk

A mail cannot be called back, so the tool is irreversible. Into a folder it is idempotent: the key names the file.
Over SMTP it is not: a connection lost after the text was sent leaves the outcome unknown, and the result says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import localtime
from pathlib import Path
from typing import Annotated

import aiosmtplib
from pydantic import AfterValidator, Field

from agents.toolbox import InDoubt, ToolProblem, tool
from bot.domain.calls import Evidence, Risk
from bot.domain.ports import Leave, Tool
from bot.domain.wire import Record

WITHIN = 30.0  # seconds for each SMTP command

# What people write (RFC 5322 "dot-atom"), ASCII only: no quoted names, no comments, no lists.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_WORD = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
ADDRESS = re.compile(rf"{_WORD}(?:\.{_WORD})*@{_LABEL}(?:\.{_LABEL})+")


class SmtpServer(Record):
    """Where mail is handed over. `tls` is "none", "starttls" or "tls"."""

    host: str
    port: int = 587
    username: str = ""
    password: str = ""
    tls: str = "starttls"

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port}, {self.tls})"  # never the password


class MailRoute(Record):
    """How mail leaves: over `smtp` when there is one, else into `folder`."""

    sender: str
    folder: Path
    smtp: SmtpServer | None = None


class Sent(Record):
    to: str
    subject: str
    message_id: str
    status: str


def _address(text: str) -> str:
    if len(text) > 254 or not ADDRESS.fullmatch(text):
        raise ValueError("It must be one plain e-mail address")
    return text


def _one_line(text: str) -> str:
    if any(not char.isprintable() for char in text):
        raise ValueError("It must be one line without control characters")
    return text


def _no_control(text: str) -> str:
    if any((ord(char) < 32 and char not in "\n\t") or ord(char) == 127 for char in text):
        raise ValueError("It must not hold control characters")
    return text


Address = Annotated[str, AfterValidator(_address), Field(description="one e-mail address")]
Subject = Annotated[str, AfterValidator(_one_line), Field(min_length=1, max_length=200)]
Body = Annotated[str, AfterValidator(_no_control), Field(min_length=1, max_length=100_000)]


def mail_tools(route: MailRoute) -> tuple[Tool, ...]:
    """Sending mail along *route*. Raises ValueError for a sender that is no address."""
    _address(route.sender)

    def before(to: str, subject: str, body: str) -> Evidence:  # noqa: ARG001  # a preview takes what its tool takes
        return Evidence(label="where it goes", text=_goes(route, to, body))

    @tool(
        risk=Risk.IRREVERSIBLE,
        touches=("mail",),
        idempotent=route.smtp is None,
        timeout=timedelta(seconds=120),
        category="business",
        preview=before,
    )
    async def send_email(to: Address, subject: Subject, body: Body, *, leave: Leave) -> Sent:
        """Send an e-mail in the team's name. It cannot be called back.

        Args:
            body: plain text
        """
        message = _message(route.sender, to, subject, body, leave.key)
        if route.smtp is None:
            await asyncio.to_thread(_drop, route.folder, message, _name(leave.key))
            return _sent(message, f"put into the mailbox folder as {_name(leave.key)}")
        await _hand_over(message, route.smtp)
        return _sent(message, "accepted by the mail server")

    return (send_email,)


def _goes(route: MailRoute, to: str, body: str) -> str:
    """What a mail of this body to this address would be, as far as it can be known before it is sent."""
    ours, theirs = (address.rpartition("@")[2].lower() for address in (route.sender, to))
    where = f"inside our own domain {ours}" if ours == theirs else f"outside: {theirs} is not our own domain {ours}"
    how = "handed to the mail server" if route.smtp else "put into the mailbox folder: nothing leaves this machine"
    size = f"{len(body.encode()):,} bytes of text in {len(body.splitlines()):,} lines"
    return f"The address is {where}.\nSent as {route.sender}, {how}.\nIt has {size}."


def _message(sender: str, to: str, subject: str, body: str, key: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"] = localtime()
    message["Message-ID"] = f"<{_hash(key)}@{sender.rpartition('@')[2]}>"
    message.set_content(body, charset="utf-8")
    return message


def _sent(message: EmailMessage, status: str) -> Sent:
    return Sent(to=message["To"], subject=message["Subject"], message_id=message["Message-ID"], status=status)


# -------------------------------------------------------------------- SMTP


_NOT_SENT: tuple[type[aiosmtplib.SMTPException], ...] = (
    aiosmtplib.SMTPConnectError,  # with SMTPConnectTimeoutError and SMTPConnectResponseError
    aiosmtplib.SMTPHeloError,
    aiosmtplib.SMTPNotSupported,
    aiosmtplib.SMTPAuthenticationError,
    aiosmtplib.SMTPSenderRefused,
    aiosmtplib.SMTPRecipientsRefused,
    aiosmtplib.SMTPDataError,  # the server read the text and said no
)


async def _hand_over(message: EmailMessage, server: SmtpServer) -> None:
    """Raises ToolProblem when the mail was surely not taken, InDoubt when that cannot be known."""
    try:
        await aiosmtplib.send(
            message,
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password or None,
            use_tls=server.tls == "tls",
            start_tls=server.tls == "starttls",
            timeout=WITHIN,
        )
    except _NOT_SENT as error:
        raise ToolProblem(f"The mail was not sent: {type(error).__name__} at the mail server.") from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise InDoubt("The connection to the mail server was lost. Whether the mail was sent is not known.") from error


# ------------------------------------------------------------------ folder


def _drop(folder: Path, message: EmailMessage, name: str) -> None:
    """Put the mail there once: the first start's file stays. On disk when this returns."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{name}.draft"
    with draft.open("wb") as file:
        file.write(message.as_bytes())
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(draft, folder / name)
    draft.unlink()
    _sync(folder)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _name(key: str) -> str:
    return f"{_hash(key)}.eml"


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]
