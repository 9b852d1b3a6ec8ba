"""What people write: a new task, or a reply to a run that works or waits.

A reply is context, and withdraws what waits for a signature; a single exact word may be an answer; what
merely sounds like a yes gets a button to press (DESIGN section 5).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from functools import partial

from bot.domain import events, inquiry, orders, words
from bot.domain.chat import Account, Answer, Message, Person
from bot.domain.errors import AlreadySettled, InvalidArguments, NotEligible, NotRequestable, Refused, StoreUnavailable
from bot.domain.events import account_text
from bot.domain.inert import show_line
from bot.domain.inquiry import is_inquiry
from bot.domain.letters import Said, taken_by
from bot.domain.meant import is_certain
from bot.domain.request import Copy, Kind, Move, Request, RunId, settled_text
from bot.domain.run import Begun, Finished, Heard, Run, Task
from bot.domain.store import FORM, Effects, Held, Loaded, Turn
from bot.domain.verdict import ReasonRule
from bot.domain.wire import replace
from bot.domain.words import Meaning
from bot.runtime.ballot import Ballot
from bot.runtime.commands import Commands
from bot.runtime.journal import once_more
from bot.runtime.parts import Parts
from bot.runtime.press import Press
from bot.runtime.rights import Rights
from bot.runtime.steering import Steering
from bot.runtime.takeover import Takeover

HELP = "Mention me with a task, for example: @countersign refund 40 for order 1042, it arrived broken."
TORN = (
    "Your reply says both yes and no, so nothing was decided and the agent was only told of it: "
    "to decide, press a button of its next card, or write one word there."
)
KEPT = "Your words are kept for the agent, which reads them when it goes on."
TRIES = 3  # runs of a thread that may end between our look and our word
TASK_MOST = 20_000  # characters of one message that an agent is given
TOO_LONG = f"That is too long: at most {TASK_MOST:,} characters, please."
ABOUT_RUN: Mapping[Meaning, str] = {  # phrases that mean the whole run, and what they do to it
    Meaning.STOP: "it stops me",
    Meaning.TAKE: "it takes this over",
    Meaning.HAND_BACK: "it hands this back to me",
}


class Intake:
    def __init__(self, parts: Parts, rights: Rights, ballot: Ballot, takeover: Takeover, commands: Commands) -> None:
        self._takeover, self._commands, self._steering = takeover, commands, Steering(parts, rights)
        self._parts, self._store, self._rights, self._ballot = parts, parts.store, rights, ballot

    async def message(self, message: Message) -> Answer | None:
        """A command, a task, a reply, or none of our business."""
        run = await self._store.live_run(message.place.key)
        if run is None and not message.is_mention:
            return None
        before = await self._store.refusal(message.place.key, message.delivery)
        if before is not None:  # what is open by now is another question
            return Answer(is_taken=False, text=before) if before else None
        answer = await self._meant(message, run)
        told, is_refused = (answer.text, not answer.is_taken) if answer is not None else ("", True)
        await self._store.remember(message.place.key, message.delivery, told, is_refused=is_refused)
        return answer

    async def _meant(self, message: Message, run: RunId | None) -> Answer | None:
        """Safe to repeat: what was counted is counted once, and what was not is remembered as refused (T12)."""
        if message.is_stop:
            return await self._about_run(message, run, Meaning.STOP) if run is not None else None
        ordered = await self._ordered(message, run)
        if ordered is not None:
            return ordered
        person = await self._rights.tasker(message.by)
        if person is None:
            return Answer(is_taken=False, text=NotRequestable.people_read)
        return await (self._task(message, person) if run is None else self._reply(message, person, run))

    async def _ordered(self, message: Message, run: RunId | None) -> Answer | None:
        """What a command of the message did. In a run's own thread only what is said to us by name can be one, and
        nothing that a question there offers as an answer."""
        text = message.text.strip()
        is_other = text.startswith("/") and not text.startswith("/countersign")  # a path, or somebody else's command
        if not message.is_mention or is_other or (run is not None and not text.startswith("@")):
            return None
        if run is not None and orders.read(text) is not None:
            held, said = await self._open(await self._store.load(run)), words.addressed(text)
            if any(inquiry.offers(one.request, said) for one in held):
                return None
        return await self._commands.order(text, message.by, message.place, message.delivery)

    async def stop(self, run: RunId, by: Account, delivery: str) -> Answer:
        """End a run for good. Anyone who may give tasks may stop one; raises NotRequestable for all others."""
        person = await self._rights.tasker(by)
        if person is None:
            raise NotRequestable(f"{account_text(by)} may not stop run {run}")
        told = f"Stopped by {person.name}."
        effects = Effects(audit=(events.run_stopped(run, person.id, delivery),), dirty=(f"run|{run}",))
        is_stopped = await once_more(partial(self._store.stop, run, delivery=delivery, told=told, effects=effects))
        return Answer(is_taken=is_stopped, text="Stopping." if is_stopped else "This run has already ended.")

    # --------------------------------------------------------------- tasks

    async def _task(self, message: Message, person: Person) -> Answer | None:
        text = message.text.strip()
        if not words.normal(text) or words.normal(text) == "help":
            return Answer(is_taken=False, text=HELP)
        if words.read(text) is not Meaning.CONTEXT:  # a word that answers, where nothing is asked
            return Answer(is_taken=False, text="Nothing is running or waiting in this thread.")
        if len(text) > TASK_MOST:
            return Answer(is_taken=False, text=TOO_LONG)
        chosen = self._parts.roster.choose(text, message.place)
        agent = chosen.listing.name
        if barred := await self._barred(person, agent):
            return barred
        shard = self._store.shard_of(message.place.key)
        run = Run(
            id=RunId(f"r-{shard}-{secrets.token_hex(8)}"),
            task=Task(text=chosen.text, by=person.id, place=message.place),
            agent=agent,
            began=self._store.now(),
        )
        effects = Effects(audit=(events.run_started(run),), dirty=(f"run|{run.id}",))
        start = partial(self._store.start, run, delivery=message.delivery, replaces=None, effects=effects)
        for _ in range(TRIES):
            started = await once_more(start)
            if not started.is_new and (barred := await self._barred(person, started.run.agent)):
                return barred
            if started.is_new or await self._told(message, person, started.run.id):
                break  # somebody else opened this thread in the same moment: this is a reply to theirs
        return None

    async def _barred(self, person: Person, agent: str) -> Answer | None:
        """What *person* hears if they may not tell *agent* what to do. A failed look-up raises Unavailable."""
        told = await self._steering.barred(person, agent)
        return Answer(is_taken=False, text=told) if told else None

    # ------------------------------------------------------------- replies

    async def _reply(self, message: Message, person: Person, run: RunId) -> Answer | None:
        if len(message.text) > TASK_MOST:
            return Answer(is_taken=False, text=TOO_LONG)
        meaning, said = words.read(message.text), words.addressed(message.text)
        loaded = await self._store.load(run)
        held = await self._open(loaded)
        if meaning in ABOUT_RUN and any(inquiry.offers(one.request, said) for one in held):
            told = f"“{said}” is an answer here, and {ABOUT_RUN[meaning]}, too: please use a button."
            return Answer(is_taken=False, text=told)
        if meaning in ABOUT_RUN:
            return await self._about_run(message, run, meaning)
        if loaded is not None and taken_by(loaded.letters) is not None:
            return await self._context(message, person, loaded, run)  # nothing is asked: it waits for the hand-back
        answer = await self._typed(message, held, meaning)
        if answer is not None:
            return answer
        signable = tuple(one for one in held if one.request.kind is Kind.APPROVAL)
        if loaded is not None and signable and meaning is not Meaning.CONTEXT:
            return await self._word(message, signable, meaning, loaded)
        aside = await self._beside(message, held, meaning) or _at_work(loaded)
        return await self._context(message, person, loaded, run, aside)

    async def _beside(self, message: Message, held: tuple[Held, ...], meaning: Meaning) -> Answer | None:
        """What is said to words that only steer, and may have been meant as more."""
        is_torn = meaning is Meaning.CONTEXT and words.is_torn(message.text)
        about = [one for one in held if is_torn or _is_pressed(one.request)]
        theirs = [one.request for one in about if await self._may(one, message)]
        if is_torn and theirs:
            return Answer(is_taken=False, text=TORN)
        if not theirs:
            return None
        how = "press Fill in on its card" if theirs[0].kind is Kind.FORM else "use the buttons of its card"
        told = f"“{inquiry.called(theirs[0])}” is open here, and a reply does not answer it: please {how}."
        return Answer(is_taken=True, text=f"{told} {KEPT}")

    async def _about_run(self, message: Message, run: RunId, meaning: Meaning) -> Answer:
        """An exact phrase that means the run as a whole, like the button of its status message."""
        press = Press(
            delivery=message.delivery, by=message.by, ref=message.ref, subject=run, move=meaning.value, token=""
        )
        try:
            match meaning:
                case Meaning.TAKE:
                    return await self._takeover.take(press)
                case Meaning.HAND_BACK:
                    return await self._takeover.hand_back(press)
            return await self.stop(run, message.by, message.delivery)
        except Refused as error:
            return await self._ballot.refuse(press, error)

    async def _typed(self, message: Message, held: tuple[Held, ...], meaning: Meaning) -> Answer | None:
        """A reply answers the one open question it can belong to; None if it cannot be an answer to any."""
        text = words.addressed(message.text)
        asked = [one for one in held if _could_answer(one.request, text) and await self._may(one, message)]
        others = [one for one in held if one.request.kind is Kind.APPROVAL and meaning is not Meaning.CONTEXT]
        if not asked:
            return None
        if len(asked) + len(others) > 1:
            return Answer(is_taken=False, text=_which([one.request for one in (*asked, *others)]))
        try:
            said = inquiry.typed(asked[0].request, text)
            assert said is not None, "it could be an answer, or is refused as one"
            return await self._ballot.vote(asked[0], Move.ANSWER, self._press(message, asked[0]), said)
        except InvalidArguments as error:
            return Answer(is_taken=False, text=" ".join(error.problems.values()))
        except Refused as error:
            return await self._ballot.refuse(self._press(message, asked[0]), error)

    async def _may(self, held: Held, message: Message) -> bool:
        try:
            await self._rights.seats(held.request, message.by)
        except NotEligible:
            return False
        return True

    async def _context(
        self, message: Message, person: Person, loaded: Loaded | None, run: RunId, told: Answer | None = None
    ) -> Answer | None:
        """Words that steer: as much for whoever may steer this run as the task was. *told*: the answer, if they count
        now; the same delivery once more (Slack tells of a mention twice) is answered with nothing."""
        if loaded is not None and (barred := await self._steering.barred_from(person, loaded)):
            return Answer(is_taken=False, text=barred)
        if await self._told(message, person, run):
            return told
        if message.is_mention and await self._store.live_run(message.place.key) is None:
            return await self._task(message, person)  # it ended in this very moment
        return None

    async def _told(self, message: Message, person: Person, run: RunId) -> bool:
        """False when the run has ended, or this delivery was counted before."""
        letter = Said(heard=Heard(by=person.id, text=message.text))
        effects = Effects(audit=(events.reply_heard(run, person.id, message.delivery),))
        return await once_more(partial(self._store.tell, run, letter, delivery=message.delivery, effects=effects))

    async def _open(self, loaded: Loaded | None) -> tuple[Held, ...]:
        found = [await self._store.held(request) for request in loaded.asks] if loaded else []
        return tuple(held for held in found if held.request.is_open and held.request.kind is not Kind.RECOVERY)

    async def _word(self, message: Message, held: tuple[Held, ...], meaning: Meaning, loaded: Loaded) -> Answer:
        """A word that answers, if it can belong to one request only and the rule allows words.

        A refusal is always safe; a “yes” that may have been meant for something else signs nothing.
        """
        if len(held) > 1:
            return Answer(is_taken=False, text=f"{len(held)} requests are open here; please use their buttons.")
        if held[0].request.sheet is not None or held[0].request.items:
            return Answer(is_taken=False, text="It stands on a card with others; please use the buttons of that card.")
        press = self._press(message, held[0])
        try:
            await self._rights.seats(held[0].request, message.by)
            is_late = meaning is Meaning.APPROVE and not is_certain(held[0].request, loaded, self._store.now())
            if is_late or meaning is Meaning.LIKE_YES or not _may_use(held[0], meaning):
                return await self._offer_button(message, held[0])
            return await self._ballot.vote(held[0], Move(meaning.value), press)
        except Refused as error:
            return await self._ballot.refuse(press, error)

    async def _offer_button(self, message: Message, held: Held) -> Answer:
        """Show the card again, right here: pressing counts, words do not. Once for each delivery."""
        told = Answer(is_taken=True, text="Words alone do not sign this: please press the button to confirm.")
        request = held.request
        if not request.is_open:
            raise AlreadySettled(request.id, request.status, settled_text(request))
        copy = Copy(name=f"again-{secrets.token_hex(3)}", place=message.place)
        after = replace(request, version=request.version + 1)
        effects = Effects(dirty=Held(request=request, copies=(copy,)).rows)
        turn = Turn(after=after, copies=(copy,), effects=effects, delivery=message.delivery, answer=told.text)
        turned = await self._store.turn(turn)
        if turned.is_applied or turned.repeat is not None:
            return told
        return await self._offer_button(message, await self._store.held(request.id))

    def _press(self, message: Message, held: Held) -> Press:
        """The word as a press of the card it answers. Raises StoreUnavailable while nobody can have seen that card."""
        seen = next((copy.ref for copy in held.copies if copy.ref is not None and copy.name != FORM), None)
        if seen is None:
            raise StoreUnavailable(f"the card of request {held.request.id} is still being posted")
        return Press(delivery=message.delivery, by=message.by, ref=seen, subject=held.request.id, move="word", token="")


def _at_work(loaded: Loaded | None) -> Answer | None:
    """When words will be read, while a tool is running, as far as its beginning was written down."""
    entries = loaded.entries if loaded is not None else ()
    ended = {entry.path for entry in entries if isinstance(entry, Finished)}
    running = (show_line(e.tool) for e in entries if isinstance(e, Begun) and e.path not in ended)
    if tool := next(running, ""):
        return Answer(is_taken=True, text=f"I read this as soon as {tool} has ended: what has begun is not cut off.")
    return None


def _could_answer(request: Request, text: str) -> bool:
    """Also what would be refused as an answer, with the reason: it was meant as one."""
    try:
        return is_inquiry(request.kind) and inquiry.typed(request, text) is not None
    except InvalidArguments:
        return True


def _is_pressed(request: Request) -> bool:
    """Words neither answer it nor withdraw it, as they do a signature or a plan."""
    return is_inquiry(request.kind) and request.kind is not Kind.PLAN


def _which(meant: Sequence[Request]) -> str:
    """Each by what it asks, in the order they were asked; what cannot be told apart is counted."""
    asked = sorted(meant, key=lambda one: (one.opened, one.path))
    named = [f"“{inquiry.called(one) if is_inquiry(one.kind) else f'sign {one.call.tool}'}”" for one in asked]
    if len(set(named)) < len(named):
        return f"{len(named)} questions are open here; please use their buttons."
    return f"Which one: {', '.join(named[:-1])} or {named[-1]}; please use their buttons."


def _may_use(held: Held, meaning: Meaning) -> bool:
    ask = held.request.ask
    needs_reason = ask.reason is ReasonRule.ALWAYS or (ask.reason is ReasonRule.ON_REJECT and meaning is Meaning.REJECT)
    return ask.may_use_words and not ask.is_high and not needs_reason
