"""Every point of the flow at which a process is killed, numbered, each in one sentence.

A point is a moment of one of the stories below (`tests.crash.stories`). `first` is where a process was killed
before that: the second kill happens while the first is being recovered from.
"""

from __future__ import annotations

from bot.domain.wire import Record
from tests.crash.writes import rows


class Point(Record):
    number: str
    story: str
    moment: str
    told: str
    first: str = ""


def _points(*rows: tuple[str, ...]) -> tuple[Point, ...]:
    return tuple(
        Point(number=f"S{n:02d}", story=row[0], moment=row[1], told=row[2], first=row[3] if len(row) > 3 else "")
        for n, row in enumerate(rows, 1)
    )


POINTS = _points(
    # ---- a call that two people sign, and that must never be started twice
    ("signed", "before lease", "the process dies before it owns a shard"),
    ("signed", "after lease", "it owns a shard and does not know"),
    ("signed", "before message", "the mention came in and nothing was written"),
    ("signed", "before start", "the run is about to be written"),
    ("signed", "after start", "the run is written, the platform has no answer"),
    ("signed", "after message", "the message is taken, its acknowledgement never leaves"),
    ("signed", "before post status", "the status message is about to be posted"),
    ("signed", "after post status", "the status message stands, its reference is not stored"),
    ("signed", "after shown run", "the status message's reference is stored"),
    ("signed", "before model", "the model is about to be asked"),
    ("signed", "after model", "the model has answered, nothing is written"),
    ("signed", "before thought", "the model's answer is about to be journalled"),
    ("signed", "after thought", "the model's answer is journalled"),
    ("signed", "before request", "the request is about to be opened"),
    ("signed", "after request", "the request is open, no card stands"),
    ("signed", "before post card", "the card is about to be posted"),
    ("signed", "after post card", "the card stands, the reply is lost"),
    ("signed", "before shown card", "the card's reference is about to be stored"),
    ("signed", "after shown card", "the card's reference is stored"),
    ("signed", "before press by bo", "the first click came in and nothing was written"),
    ("signed", "before vote", "the first vote is about to be written"),
    ("signed", "after vote", "the first vote is written, the person has no answer"),
    ("signed", "after press by bo", "the first click is taken, its acknowledgement never leaves"),
    ("signed", "before update card", "the first signature is about to be shown on the card"),
    ("signed", "after update card", "the first signature is shown, nobody knows"),
    ("signed", "before press by chris", "the deciding click came in and nothing was written"),
    ("signed", "before decision", "the decision is about to be written"),
    ("signed", "after decision", "the decision is written, nobody was woken or told"),
    ("signed", "after press by chris", "the deciding click is taken, its acknowledgement never leaves"),
    ("signed", "before spend", "the approval is about to be used up"),
    ("signed", "after spend", "the approval is used up, the tool has not started"),
    ("signed", "before tool", "the tool is about to start"),
    ("signed", "inside tool", "the tool has started, its effect has not happened"),
    ("signed", "after tool", "the effect has happened, the tool has not returned"),
    ("signed", "before result", "the tool has returned, its result is not written"),
    ("signed", "after result", "the result is written, the agent has not heard it"),
    ("signed", "before thought#2", "the answer is about to be journalled"),
    ("signed", "after thought#2", "the answer is journalled"),
    ("signed", "before end", "the end of the run is about to be written"),
    ("signed", "after end", "the run has ended, nothing is shown"),
    ("signed", "before post answer", "the answer is about to be posted"),
    ("signed", "after post answer", "the answer stands, the reply is lost"),
    ("signed", "before shown note", "the answer's row is about to leave the outbox"),
    ("signed", "after shown note", "the answer's row has left the outbox"),
    # ---- a second kill, while people say what became of the first
    ("signed", "before recovery request", "in doubt: the question is about to be put", "inside tool"),
    ("signed", "after recovery request", "in doubt: the question is open, no card stands", "inside tool"),
    ("signed", "after decision", "in doubt: people said to run it, nobody was woken", "inside tool"),
    ("signed", "after spend", "in doubt: the new approval is used up, the tool has not started", "inside tool"),
    ("signed", "inside tool", "in doubt twice: the second start has no effect either", "inside tool"),
    ("signed", "after tool", "in doubt twice: the second start had its effect", "inside tool"),
    ("signed", "after decision", "in doubt: people said it happened, nobody was woken", "after tool"),
    ("signed", "before result", "in doubt: what people said is about to be written", "after tool"),
    # ---- a tool that may be started again with the same key
    ("idempotent", "after spend", "may be repeated: not started"),
    ("idempotent", "inside tool", "may be repeated: started, no effect"),
    ("idempotent", "after tool", "may be repeated: the effect has happened"),
    ("idempotent", "before result", "may be repeated: its result is not written"),
    ("idempotent", "before begin", "may be repeated: the second start is about to be written", "inside tool"),
    ("idempotent", "after begin", "may be repeated: the second start is written", "inside tool"),
    ("idempotent", "after tool", "may be repeated: the effect of the second start has happened", "inside tool"),
    # ---- a call that needs nobody's signature
    ("free", "before begin", "free: the start is about to be written"),
    ("free", "after begin", "free: the start is written"),
    ("free", "inside tool", "free: started, no effect"),
    ("free", "after tool", "free: the effect has happened"),
    # ---- no
    ("rejected", "before decision", "the refusal is about to be written"),
    ("rejected", "after decision", "the refusal is written, nobody was told"),
    ("rejected", "before result", "that it did not run is about to be written"),
    ("rejected", "after result", "that it did not run is written"),
    # ---- nobody answers
    ("expired", "before rung", "the reminder is about to be written"),
    ("expired", "after rung", "the reminder is written, not posted"),
    ("expired", "after post reminder", "the reminder stands, the reply is lost"),
    ("expired", "before expiry", "the expiry is about to be written"),
    ("expired", "after expiry", "the expiry is written, nobody was woken"),
    # ---- somebody changes their mind, or the call
    ("replied", "before reply", "a reply came in, nothing is written"),
    ("replied", "after reply", "the reply is written, nobody was woken"),
    ("replied", "before withdrawal", "the old request is about to be withdrawn"),
    ("replied", "after withdrawal", "the old request is withdrawn, nobody was woken"),
    ("replied", "before told", "what the agent hears is about to be journalled"),
    ("replied", "after told", "what the agent hears is journalled"),
    ("edited", "before edit", "an edited call is about to take the old one's place"),
    ("edited", "after edit", "an edited call has taken the old one's place, no card stands"),
    ("stopped", "before stop", "somebody pressed Stop, nothing is written"),
    ("stopped", "after stop", "Stop is written, nobody was told"),
    ("stopped", "before withdrawal", "stopping: the open request is about to be closed"),
    ("stopped", "after withdrawal", "stopping: the open request is closed"),
    ("stopped", "before end", "stopping: the end is about to be written"),
    ("stopped", "after end", "stopping: the end is written, nothing is shown"),
    # ---- somebody works on it by hand for a while
    ("taken", "before takeover", "somebody pressed Take over, nothing is written"),
    ("taken", "after takeover", "the takeover is written, what was asked is still open"),
    ("taken", "before withdrawal", "taken over: the open request is about to be withdrawn"),
    ("taken", "after withdrawal", "taken over: the open request is withdrawn"),
    ("taken", "before hands", "taken over: who has it is about to be written"),
    ("taken", "after hands", "taken over: who has it is written, nothing is shown"),
    ("taken", "before sleep", "taken over: that nothing goes on is about to be written"),
    ("taken", "after sleep", "taken over: that nothing goes on is written"),
    ("taken", "before return", "somebody pressed Hand back, nothing is written"),
    ("taken", "after return", "it is handed back, nobody was woken"),
    ("taken", "before hands#2", "handed back: that the agent has it is about to be written"),
    ("taken", "after hands#2", "handed back: that the agent has it is written, it has not heard why"),
    ("taken", "after told", "handed back: what the agent hears is journalled"),
    # ---- three equal calls on one message
    ("sheet", "before request", "a sheet: three requests are about to be opened"),
    ("sheet", "after request", "a sheet: three requests are open, no message stands"),
    ("sheet", "after post card", "a sheet: its message stands, the reply is lost"),
    ("sheet", "before shown card", "a sheet: its message's reference is about to be stored"),
    ("sheet", "before decision", "a sheet: the first of three votes is about to be written"),
    ("sheet", "before decision#2", "a sheet: the second of three votes is about to be written"),
    ("sheet", "after decision#2", "a sheet: the second of three votes is written, the person has no answer"),
    ("sheet", "after decision#3", "a sheet: every vote is written, the person has no answer"),
    ("sheet", "after press by bo", "a sheet: the press is taken, its acknowledgement never leaves"),
    ("sheet", "after spend#2", "a sheet: a second approval is used up, its tool has not started"),
    ("sheet", "after tool", "a sheet: an effect has happened, its tool has not returned"),
    ("sheet", "before result#2", "a sheet: a second result is about to be written"),
    ("listed", "before opening", "a list: one of it is about to be opened as its own card"),
    ("listed", "after opening", "a list: one of it is opened as its own card, which does not stand yet"),
    ("listed", "before shown card#3", "a list: the card of its own stands, its reference is about to be stored"),
    ("listed", "after decision#2", "a list: the vote on an opened one is written, nobody was woken"),
    # ---- questions
    ("asked", "before answer", "a question: the answer is about to be written"),
    ("asked", "after answer", "a question: the answer is written, nobody was woken"),
    ("asked", "before result", "a question: the agent is about to be told"),
    ("asked", "after result", "a question: what the agent was told is written, it has not heard it"),
    ("handed", "before handing", "a question: passing it on is about to be written"),
    ("handed", "after handing", "a question: it is passed on, nobody has a message"),
    ("handed", "after post card#2", "a question: the message for whoever is asked now stands, the reply is lost"),
    ("claimed", "before claim", "somebody takes an escalation, nothing is written"),
    ("claimed", "after claim", "an escalation is answered and the run is theirs, nobody was woken"),
    ("claimed", "after return", "an escalation: it is handed back, nobody was woken"),
    ("stuck", "before request", "the agent is stuck: the question is about to be put"),
    ("stuck", "after request", "the agent is stuck: the question is open, no card stands"),
    ("stuck", "after answer", "the agent is stuck: people had the call run again, nobody was woken"),
    # ---- what is allowed ahead of time
    ("granted", "before offer", "terms are about to be put on the card"),
    ("granted", "after offer", "terms are on the record, the card does not show them"),
    ("granted", "before give", "a grant is about to be given with the approval"),
    ("granted", "after give", "a grant is given with the approval, nobody was woken"),
    ("granted", "before use", "a call is about to begin on a grant"),
    ("granted", "after use", "a call has begun on a grant, the tool has not started"),
    ("granted", "inside tool#2", "on a grant: the tool has started, its effect has not happened"),
    ("granted", "after tool#2", "on a grant: the effect has happened, the tool has not returned"),
    # ---- one person alone
    ("glass", "before glass", "the glass is about to be broken"),
    ("glass", "after glass", "the glass is broken and its review is open, nobody was woken or told"),
    ("glass", "after tool", "broken glass: the effect has happened, the tool has not returned"),
    ("glass", "before verdict", "the run is over; what reviewers say is about to be written"),
    ("glass", "after verdict", "the run is over; what reviewers say is written, no card shows it"),
    # ---- who is away, and what waits for long
    ("away", "before absence", "somebody leaves and names a deputy, nothing is written"),
    ("away", "after absence", "a deputy is named, whoever left has no answer"),
    ("away", "after decision", "a deputy's signature is written, nobody was woken"),
    ("away", "before coming back", "somebody is back, nothing is written"),
    ("reviewed", "before review", "no deadline: the first review is about to be written"),
    ("reviewed", "after review", "no deadline: the first review is written, not posted"),
    ("reviewed", "after review#2", "no deadline: the second review is written, not posted"),
    # ---- forms, drafts, plans, handovers, another program, a budget: every write there is
    *rows(),
)
