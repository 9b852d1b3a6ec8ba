"""A mail to a vendor: a model words it, a person reads it in rounds, and exactly what they accepted is put to a signer.

    the tone they like -> writer -> reader accepts -> To, Subject, body -> send_email waits for its signature -> sent
    (asked once)            ^        └ words go back ─┐     ├ no mail can be read in it ─┐
                            │                         │     └ somebody replied meanwhile ┤
                            └─────────────────────────┴──────────────────────────────────┘ nothing is sent

Code, because two things must not depend on a model: that nobody is asked twice what they like, and that the mail that
is signed is the text that was accepted, to the letter. No word in any text sends or approves anything. Not who reads
(agents.yml) and who signs (policy.yml).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from agents.patterns.ask import chosen, put
from agents.patterns.person import GOES_ON, Person
from agents.patterns.room import Member, Room
from agents.patterns.rounds import ended, rounds
from bot.domain.calls import Cause, Outcome, ToolResult
from bot.domain.inquiry_question import asking
from bot.domain.ports import Agent, RunContext, WantedCall
from bot.domain.run import Task
from bot.domain.wire import Json, dumps

NAME = "vendor"
TONE = "mail_tone"  # the preference
TONES = ("friendly", "formal", "brief")
ASK_TONE = "In which tone do you like to write to vendors? I ask this once, and remember it."
BRIEF = "The brief: a {tone} tone. {task}"
UNREAD = (
    "Nothing was sent: what was accepted is no mail that can be read. It begins with a line To: and one address, then "
    "a line Subject:, then an empty line, then the text."
)
SPOKEN = "Nothing was sent: somebody replied before it was signed."
MAIL = re.compile(r"\s*To:[ \t]*(\S+)[ \t]*\n+Subject:[ \t]*(\S[^\n]*?)[ \t]*\n[ \t]*\n\s*(\S.*?)\s*", re.DOTALL)


class Mail(NamedTuple):
    to: str
    subject: str
    body: str


async def vendor(task: Task, ctx: RunContext, writer: Agent | Member, reader: Person) -> str:
    """What came of the mail, as whoever wanted it reads it."""
    room = Room(task)
    room.say(NAME, BRIEF.format(tone=await _tone(room, ctx), task=task.text))
    while True:
        looked = await rounds(writer, reader, room, ctx)
        if looked.move not in GOES_ON:
            return ended(NAME, looked).text
        mail = read_mail(looked.text)
        result = await _use(ctx, "send_email", mail._asdict()) if mail else None
        if mail and result and result.cause is not Cause.SUPERSEDED:
            return _told(mail, result)
        await room.hear(ctx)
        why = SPOKEN if mail else UNREAD
        room.say(NAME, why)
        await ctx.note(why)


def read_mail(text: str) -> Mail | None:
    """The mail that *text* is, with nothing before or after it; None if it is none."""
    found = MAIL.fullmatch(text.replace("\r\n", "\n"))
    return Mail(*found.groups()) if found else None


def _told(mail: Mail, result: ToolResult) -> str:
    if result.outcome is not Outcome.OK:
        return f"The mail to {mail.to} was not sent. {result.text}"
    return f"The mail to {mail.to} was signed and has gone out: {mail.subject}"


# ---------------------------------------------------------------- the tone


async def _tone(room: Room, ctx: RunContext) -> str:
    """How whoever gave the task likes to write: as they said before, else as they choose now, which is remembered.

    Nobody's silence is a choice: then it is the first, for this mail alone; and so it is on "You decide".
    """
    known = (await _use(ctx, "preference", {"name": TONE})).text
    if liked := next((tone for tone in TONES if known == f"{TONE}: {tone!r}"), ""):
        return liked
    tone = chosen(await put(ctx, room, asking(ASK_TONE, options=TONES, of="", default="", may_write=False)), TONES)
    if tone is None:
        return TONES[0]
    await _use(ctx, "remember_preference", {"name": TONE, "value": tone})
    return tone


async def _use(ctx: RunContext, tool: str, args: dict[str, Json]) -> ToolResult:
    (result,) = await ctx.use((WantedCall(id=tool, tool=tool, args=dumps(args).decode()),))
    return result
