"""A stand-in for everything behind the front door: one kind of request, decided by one other person.

It keeps just enough rules for a page to show: who asked may not approve, guests may not, an edit must hold a
number, a rejection needs a reason, and what cannot be recorded is said to be so.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.domain.chat import (
    Account,
    Answer,
    Attachment,
    Block,
    Button,
    Card,
    Click,
    Fact,
    Field,
    FieldKind,
    Form,
    Message,
    MessageRef,
    Person,
    PersonId,
    Place,
    Tone,
)
from bot.domain.errors import StoreUnavailable
from bot.domain.offer import Grant
from bot.domain.pages import AuditRow, Awaited, Moment, Queued, RunView, Settled, Waiting
from bot.domain.ports import Chat
from bot.domain.request import RequestId, RunId
from bot.domain.wire import dumps, replace

BEGAN = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def person(id: str, name: str, *groups: str, is_guest: bool = False) -> Person:
    account = Account(platform="playground", tenant="local", user=id)
    return Person(id=PersonId(id), name=name, accounts=(account,), groups=frozenset(groups), is_guest=is_guest)


PEOPLE = (
    person("ana", "Ana Lima", "support"),
    person("bo", "Bo Chen", "finance"),
    person("cy", "Cy Okafor", "finance"),
    person("mia", "Mia Rossi", "managers"),
    person("gus", "Gus Visitor", is_guest=True),
)
NAMES = {each.id: each.name for each in PEOPLE}


class StandIn:
    """Implements FrontDoor and Views over plain lists."""

    def __init__(self) -> None:
        self.chat: Chat | None = None
        self.messages: list[Message] = []
        self.refused: list[str] = []  # deliveries answered with Unavailable
        self.acts: list[Click | Form] = []
        self.is_down = False
        self.allowed: list[Grant] = []
        self.open: dict[str, tuple[MessageRef, Card, Message]] = {}
        self.later: dict[tuple[str, str], datetime] = {}  # who put off what, until when
        self.moments: dict[str, list[Moment]] = {}
        self.tasks: dict[str, Message] = {}
        self.news = asyncio.Event()
        self.replies_with: str | None = None

    # ------------------------------------------------------------ FrontDoor

    async def message(self, message: Message) -> Answer | None:
        self.news.set()
        if self.is_down:
            self.refused.append(message.delivery)
            raise StoreUnavailable("the store is down")
        if any(message.delivery == each.delivery for each in self.messages):
            return None
        self.messages.append(message)
        if self.replies_with:
            return Answer(is_taken=False, text=self.replies_with)
        if message.is_mention and self.chat:
            await self._ask(message)
        return None

    async def click(self, click: Click) -> Answer:
        return await self._decide(click, {})

    async def form(self, form: Form) -> Answer:
        return await self._decide(form, dict(form.fields))

    async def revoke(self, grant_id: str, by: Account, delivery: str) -> Answer:  # noqa: ARG002 - once is enough
        was = [grant for grant in self.allowed if grant.id == grant_id and grant.by == by.user]
        self.allowed = [grant for grant in self.allowed if grant not in was]
        return Answer(is_taken=bool(was), text="Revoked." if was else "Sorry, this is not yours to revoke.")

    async def grants(self, viewer: Account) -> tuple[Grant, ...]:  # noqa: ARG002 - everybody sees all
        return tuple(self.allowed)

    async def order(self, text: str, by: Account, place: Place, delivery: str) -> Answer | None:  # noqa: ARG002 - ours
        """Two commands are known here: `later`, for an hour whatever was said, and `now`."""
        _, word, subject, *when = text.split()
        if word == "later":
            self.later[by.user, subject] = datetime.now(UTC) + timedelta(hours=1)
        elif word == "now":
            self.later.pop((by.user, subject), None)
        else:
            return None
        return Answer(is_taken=True, text=" ".join([word, subject, *when]))

    async def _ask(self, message: Message) -> None:
        assert self.chat
        subject = f"r{len(self.tasks) + 1}"
        card = ask_card(subject, message.text)
        self.tasks[subject] = message
        self._note(subject, "run_started", "Ana Lima gave the task.", "ana")
        self._note(subject, "model_answered", "The agent wants to call refund.", None)
        self._note(subject, "request_opened", "Approval asked of finance: 1 needed.", None)
        ref = await self.chat.post(card, message.place, key=f"{message.delivery}/card")
        self.open[subject] = (ref, card, message)

    async def _decide(self, act: Click | Form, fields: dict[str, object]) -> Answer:
        if self.is_down:
            raise StoreUnavailable("the store is down")
        self.acts.append(act)
        if act.subject not in self.open:
            return Answer(is_taken=False, text="Somebody already answered this.")
        if act.by.user == "gus":
            return Answer(is_taken=False, text="Guests may not approve.")
        if act.by == self.open[act.subject][2].by and act.move == "approve":
            return Answer(is_taken=False, text="You asked for this yourself, so somebody else must approve it.")
        if problems := _problems(act.move, fields):
            return Answer(is_taken=False, text="Please look at the form again.", problems=problems)
        await self._settle(act, fields)
        return Answer(is_taken=True, text=f"Recorded: {act.move}.")

    async def _settle(self, act: Click | Form, fields: dict[str, object]) -> None:
        assert self.chat
        ref, card, _ = self.open.pop(act.subject)
        who, reason = NAMES[PersonId(act.by.user)], str(fields.get("reason", ""))
        told = {"approve": f"Approved by {who}", "reject": f"Rejected by {who}: {reason}"}
        status = told.get(act.move, f"Approved with changes by {who}")
        tone = Tone.BAD if act.move == "reject" else Tone.GOOD
        await self.chat.update(ref, replace(card, status=status, tone=tone, buttons=()))
        self._note(act.subject, "request_settled", f"{status}.", act.by.user)
        if act.move == "reject":
            self._note(act.subject, "run_ended", "The run ended without a refund.", None)
            return
        self._note(act.subject, "call_started", "refund was started.", None)
        self._note(act.subject, "call_finished", "refund answered: RF-001.", None)
        done = Card(body="Done. Refund RF-001 over €90.00 for order 7 is on its way.", run=f"run-{act.subject}")
        await self.chat.post(done, ref.place, key=f"{act.subject}/done")

    # ---------------------------------------------------------------- Views

    async def absence(self, viewer: Account) -> str:  # noqa: ARG002  # nobody is away here
        return ""

    async def queue(self, viewer: Account) -> tuple[Queued, ...]:  # noqa: ARG002  # nobody escalates here
        return ()

    async def team(self, viewer: Account) -> tuple[Awaited, ...]:  # noqa: ARG002  # nobody manages anybody here
        return ()

    async def waiting_for(self, account: Account) -> tuple[Waiting, ...]:
        if account.user not in {"bo", "cy"}:
            return ()
        return tuple(
            Waiting(
                request=RequestId(subject),
                run=RunId(f"run-{subject}"),
                card=card,
                place=ref.place,
                ref=ref,
                opened=datetime.now(UTC),
                put_off=self.later.get((account.user, subject)),
            )
            for subject, (ref, card, _) in self.open.items()
        )

    async def button(self, request: RequestId, move: str) -> Button | None:
        _, card, _ = self.open.get(request, (None, Card(), None))
        return next((button for button in card.buttons if button.move == move), None)

    async def settled_by(self, account: Account, *, most: int = 10) -> tuple[Settled, ...]:
        own = {RequestId(act.subject): act for act in self.acts if act.by == account and act.subject not in self.open}
        return tuple(
            Settled(request=subject, run=RunId(f"run-{subject}"), card=Card(), move=act.move, at=BEGAN)
            for subject, act in list(own.items())[-most:][::-1]
        )

    async def report(self, viewer: Account, since: timedelta) -> str | None:  # noqa: ARG002 - nobody's
        return None

    async def run(self, run: RunId, viewer: Account) -> RunView | None:
        found = [view for view in await self.runs(viewer) if view.run == run]
        moments = tuple(self.moments.get(run.removeprefix("run-"), ()))
        return replace(found[0], moments=moments) if found else None

    async def runs(self, viewer: Account, *, most: int = 50) -> tuple[RunView, ...]:  # noqa: ARG002 - everybody sees all
        return tuple(
            RunView(
                run=RunId(f"run-{subject}"),
                status="waiting" if subject in self.open else "done",
                task=message.text,
                requester=PersonId(message.by.user),
                place=message.place,
                began=BEGAN,
            )
            for subject, message in list(self.tasks.items())[-most:][::-1]
        )

    async def trail(self, viewer: Account, *, run: RunId | None = None, most: int = 200) -> tuple[AuditRow, ...]:  # noqa: ARG002 - everybody sees all
        subjects = [run.removeprefix("run-")] if run else list(self.moments)
        rows = [(subject, moment) for subject in subjects for moment in self.moments.get(subject, ())]
        return tuple(_row(number, subject, moment) for number, (subject, moment) in enumerate(rows[-most:], 1))

    def _note(self, subject: str, event: str, text: str, by: str | None) -> None:
        line = self.moments.setdefault(subject, [])
        at = BEGAN + timedelta(seconds=2.4 * len(line) ** 2)
        line.append(Moment(at=at, event=event, text=text, person=PersonId(by) if by else None))


def ask_card(subject: str, task: str) -> Card:
    """A request for approval as people see it: every part of a card is used."""
    content = b'{"amount": 90, "currency": "EUR", "order": 7, "reason": "parcel arrived broken"}\n' * 40
    return Card(
        title="Approval needed: refund",
        body="I looked up order 7: it was delivered broken on Monday and paid in full. I would like to refund it.",
        tone=Tone.WAITING,
        facts=(
            Fact(label="Asked by", value="Ana Lima"),
            Fact(label="Needs", value="1 of finance"),
            Fact(label="Rule", value="refunds: args.amount 90 > 50"),
            Fact(label="Expires", value="14:05"),
        ),
        blocks=(
            Block(
                label="refund will run with exactly this",
                text='{\n  "amount": 90,\n  "currency": "EUR",\n  "order": 7\n}',
                is_code=True,
            ),
            Block(label="Written by the agent, not checked", text=f"The customer asked: {task}"),
        ),
        attachments=(Attachment(name="order-7.json", content=content, sha256=hashlib.sha256(content).hexdigest()),),
        status="Waiting for 1 of finance",
        buttons=buttons(subject),
        footer=f"Request {subject} · digest 4f9c2a71",
        mentions=(PersonId("bo"), PersonId("cy")),
        author="support",
        run=f"run-{subject}",
    )


def buttons(subject: str) -> tuple[Button, ...]:
    reason = Field(name="reason", label="Why not?", kind=FieldKind.LONG_TEXT, hint="The agent is told this.")
    edit = (
        Field(name="amount", label="Amount", kind=FieldKind.NUMBER, value="90"),
        Field(name="currency", label="Currency", kind=FieldKind.CHOICE, value="EUR", options=("EUR", "USD", "GBP")),
        Field(name="tell", label="Tell the customer by e-mail", kind=FieldKind.YES_NO, value="true"),
        Field(name="note", label="Note", is_required=False),
    )
    ask = "Refund €90.00 for order 7? This cannot be undone."

    def button(move: str, label: str, style: str, fields: Sequence[Field] = (), confirm: str | None = None) -> Button:
        token = f"seal-{move}-{subject}"
        return Button(
            subject=subject, move=move, label=label, token=token, style=style, fields=tuple(fields), confirm=confirm
        )

    return (
        button("approve", "Approve", "primary", confirm=ask),
        button("edit", "Edit", "plain", edit),
        button("reject", "Reject", "danger", (reason,)),
        button("explain", "Explain", "plain"),
    )


def _problems(move: str, fields: dict[str, object]) -> dict[str, str]:
    if move == "edit" and not str(fields.get("amount")).replace(".", "").isdigit():
        return {"amount": "This must be a number."}
    if move == "reject" and len(str(fields.get("reason", ""))) < 4:
        return {"reason": "Please say a little more."}
    return {}


def _row(number: int, subject: str, moment: Moment) -> AuditRow:
    body = dumps({"event": moment.event, "text": moment.text, "by": moment.person}).decode()
    link = hashlib.sha256(f"{number}{body}".encode()).hexdigest()
    return AuditRow(shard=0, seq=number, at=moment.at, event=moment.event, subject=subject, body=body, link=link)
