"""What people do in a history: write, press, answer, leave, come back; and the platform that delivers it all.

Every deed that was taken is written into the book with who was who just then. What is drawn by lot is only a number: it
is understood by what stands there, so that it always means something.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial

from bot.domain.chat import Answer, Button, Field, Form, Message, MessageRef, PersonId, Place
from bot.domain.errors import Unavailable
from bot.domain.grant import GIVE, SPANS, GrantId
from bot.domain.request import Request, RequestId, RunId
from bot.runtime.desk import Desk
from tests.fakes.chat import Posted
from tests.house import account, click, is_high
from tests.properties.book import Act, Away, Given
from tests.properties.court import Court
from tests.properties.people import RULES

EVERYBODY = [PersonId(who) for who in ("ana", "bo", "chris", "dana", "erin", "eve", "gus")]
SIGNING = ("approve", "approve_all", "approve_some")
Doing = Callable[[Desk], Awaitable[Answer | None]]


class Scene:
    """The people of one history."""

    def __init__(self, court: Court) -> None:
        self._court, self._world, self._book = court, court.bot.world, court.book
        self._numbers = itertools.count(1)
        self._offered: dict[RequestId, Mapping[str, object]] = {}  # the form somebody filled in
        self._counted: set[str] = set()  # deliveries of words that were heard or taken
        self.sent: list[Callable[[], Awaitable[Answer | None]]] = []  # what was delivered, to be delivered again
        self.absent: dict[PersonId, None] = {}  # who left the house, or their groups
        shards: dict[int, list[str]] = {}
        for thread in (f"t{n}" for n in range(20)):
            shards.setdefault(court.store.shard_of(f"playground/local/general/{thread}"), []).append(thread)
        self.threads = [shards[0][0], shards[1][0], shards[0][1]]

    # ------------------------------------------------------------------ words

    async def says(self, by: PersonId, thread: int, text: str) -> None:
        place = Place(platform="playground", tenant="local", channel="general", thread=self.threads[thread])
        run = await self._court.store.live_run(place.key)
        number = f"say{next(self._numbers)}"
        is_mention = run is None or text.startswith("plan:") or next(self._numbers) % 3 == 0
        said = f"@countersign {text}" if is_mention else text
        message = Message(
            delivery=number,
            by=account(by),
            place=place,
            text=said,
            ref=MessageRef(place=place, id=number),
            is_mention=is_mention,
        )
        answer = await self._said(message, by, text)
        came = "context" if answer is None else "answer" if answer.is_taken else "refused"
        self._court.note(f"says: {came}", f"{by} in {self.threads[thread]}: {text!r}: {answer.text if answer else ''}")

    async def _said(self, message: Message, by: PersonId, text: str) -> Answer | None:
        """Also when it comes again: then it may be another thing than it was before."""
        run = await self._court.store.live_run(message.place.key)
        loaded = await self._court.store.load(run) if run is not None else None
        act = await self._act(by, "word", message.delivery, loaded.asks if loaded is not None else ())
        [answer] = await self.deliver([lambda desk: desk.message(message)])
        self.sent.append(lambda: self._said(message, by, text))
        if answer is not None and answer.is_taken:
            self._book.acts.append(act)
        if run is not None and message.delivery not in self._counted:
            self._heard(run, by, text, answer)
        if answer is None or answer.is_taken:
            self._counted.add(message.delivery)
        return answer

    def _heard(self, run: RunId, by: PersonId, text: str, answer: Answer | None) -> None:
        """What a reply did to the run as a whole."""
        if answer is None and by != "gus":
            self._book.steer(run, by, self._world.step)
        if answer is not None and answer.is_taken and text in ("take over", "hand back"):
            self._changes_hands("take_run" if text == "take over" else "hand_back", run, by)

    # ---------------------------------------------------------------- buttons

    async def signs(self, by: PersonId | None, pick: int, way: int) -> None:
        """By nobody in particular: by somebody who may."""
        if (post := self.pick("reject", pick) or self.pick("reject_all", pick)) is None:
            await self.says(PersonId("ana"), pick % 3, f"plan: {[*RULES][way % len(RULES)]} desk")
            return
        button, details = way_of(post, way), [one for one in post.card.buttons if one.move == "details"]
        who = by or await self.likely(post, way // 10)
        if details and way % 10 < (8 if is_high(post) else 1):  # what need not be read is looked at now and then
            await self.press([(who, post, details[0])], way)
        await self.press([(who, post, button)], way)

    async def likely(self, post: Posted, way: int) -> PersonId:
        """One of those whom the card asks for, or of their deputies."""
        subject = next(button.subject for card in post.cards for button in card.buttons if button.subject[:2] == "q-")
        request = (await self._court.store.held(RequestId(subject))).request
        crew = self._world.staff.snapshot()
        asked = [who for need in request.ask.groups for who in sorted(crew) if need.of in crew[who].groups]
        asked += [PersonId(need.of[1:]) for need in request.ask.groups if need.of.startswith("@")]
        asked += [request.requester for need in request.ask.groups if need.of == "requester"]
        asked += [PersonId("dana") for need in request.ask.groups if need.of.startswith("manager(")]
        gone = [self._book.away[who] for who in asked if who in self._book.away]
        asked += [one.deputy for one in gone if one.deputy is not None]
        rest = [who for who in asked if who != "gus" and who not in {vote.person for vote in request.votes}]
        return rest[way % len(rest)] if rest else PersonId("bo")

    async def answers(self, by: PersonId | None, pick: int, way: int) -> None:
        if (post := self.pick("hand_to", pick) or self.pick("right", pick)) is None:
            return
        offered = [button for button in post.card.buttons if button.move not in ("hand_to", "stop")]
        if offered:
            who = by or await self.likely(post, way)
            await self.press([(who, post, offered[way % len(offered)])], way)

    async def presses(self, move: str, by: PersonId, pick: int, *, fields: Mapping[str, object] | None = None) -> None:
        if (post := self.pick(move, pick)) is not None:
            await self.press([(by, post, button_of(post, move))], 1, fields)

    async def allows(self, ways: tuple[int, int], pick: int, fields: Mapping[str, object]) -> None:
        if (post := self.pick("offer", pick)) is None:
            await self.says(PersonId("ana"), pick % 3, "plan: tidy desk; tidy desk; tidy desk, tidy shelf; tidy desk")
            await self._court.rest()
        if (post := self.pick("offer", pick)) is None:
            return
        button = button_of(post, "offer")
        by, giver = [await self.likely(post, way) for way in ways]
        [answer] = await self.press([(by, post, button)], 1, fields)
        await self._court.rest()
        give = next((button for button in post.card.buttons if button.move.startswith(GIVE)), None)
        if answer is not None and answer.is_taken and give is not None:
            await self.press([(giver, post, give)], 1)

    async def revokes(self, by: PersonId, pick: int) -> None:
        if not self._book.grants:
            return
        names = sorted(self._book.grants)
        name, number = names[pick % len(names)], f"revoke{next(self._numbers)}"
        [answer] = await self.deliver([lambda desk: desk.revoke(GrantId(name), account(by), number)])
        given = self._book.grants[name]
        if answer is not None and answer.is_taken and given.revoked is None:
            given.revoked = self._world.step
            self._court.note("revoked")

    # ------------------------------------------------------------ who is there

    async def goes(self, by: PersonId, deputy: PersonId | None, hours: int) -> None:
        named = f", @{deputy} decides" if deputy else ""
        answer = await self.order(by, f"away for {hours} hours{named}")
        if answer is not None and answer.is_taken:
            until = self._court.store.now() + timedelta(hours=hours)
            self._book.away[by] = Away(deputy=deputy, until=until)
            self._court.note("away", f"{by} for {hours} h, {deputy} decides")

    async def order(self, by: PersonId, text: str) -> Answer | None:
        place = Place(platform="playground", tenant="local", channel=f"dm-{by}")
        number = f"order{next(self._numbers)}"
        return (await self.deliver([lambda desk: desk.order(text, account(by), place, number)]))[0]

    def leaves(self, who: PersonId, *, is_group: bool) -> None:
        for one in [one for one in self.absent if one != who][1:]:  # a house of two signs nothing
            self.joins(one)
        facts: dict[str, object] = {"groups": frozenset()} if is_group else {"is_active": False}
        self._world.staff.change(who, **facts)
        self.absent[who] = None
        self._court.note("left a group" if is_group else "left", who)

    def joins(self, who: PersonId) -> None:
        self._world.staff.reset(who)
        self.absent.pop(who, None)
        self._court.note("joined again", who)

    # -------------------------------------------------------------- one press

    def pick(self, move: str, pick: int) -> Posted | None:
        """One of the cards that have this button now."""
        posts = [post for post in self._court.bot.chat.posts if any(one.move == move for one in post.card.buttons)]
        return posts[pick % len(posts)] if posts else None

    async def press(
        self,
        presses: Sequence[tuple[PersonId, Posted, Button]],
        way: int,
        fields: Mapping[str, object] | None = None,
    ) -> list[Answer | None]:
        """Press at once; take down what was taken."""
        made: list[tuple[Act, Button, Mapping[str, object], Doing]] = []
        for by, post, button in presses:
            number = f"press{next(self._numbers)}"
            values: Mapping[str, object] = {**(await self._filled(button, way)), **(fields or {})}
            doing = _doing(by, post, button, number, values if button.fields else None)
            requests = await self._meant(button)
            made.append((await self._act(by, button.move, f"click-{number}", requests), button, values, doing))
        answers = await self.deliver([doing for *_, doing in made])
        for (act, button, values, doing), answer in zip(made, answers, strict=True):
            self.sent.append(partial(self._pressed_again, act, button, values, doing))
            is_taken = answer is not None and answer.is_taken
            name = "give" if button.move.startswith(GIVE) else button.move
            told = f"on {act.requests}: {answer.text if answer else ''}"
            self._court.note(f"{name}: {'taken' if is_taken else 'refused'}", f"{act.by} {told}")
            assert not (is_taken and act.by == "gus"), f"a guest was heard: {button.move}"
            if is_taken:
                await self._taken(act, button, values)
        return answers

    async def _pressed_again(
        self, before: Act, button: Button, values: Mapping[str, object], doing: Doing
    ) -> Answer | None:
        act = await self._act(before.by, before.move, before.delivery, before.requests)
        [answer] = await self.deliver([doing])
        if answer is not None and answer.is_taken and before not in self._book.acts:  # it was refused then
            await self._taken(act, button, values)
        return answer

    async def _taken(self, act: Act, button: Button, values: Mapping[str, object]) -> None:
        self._book.acts.append(act)
        match button.move:
            case "offer":
                self._offered[act.requests[0]] = values
            case move if move.startswith(GIVE):
                await self._given(act, self._offered[act.requests[0]])
            case "details":
                self._book.read |= {(act.by, request) for request in act.requests}
            case "stop":
                self._book.stopped.setdefault(RunId(button.subject), self._world.step)
            case "take_run" | "hand_back":
                self._changes_hands(button.move, RunId(button.subject), act.by)
            case "take":
                run = (await self._court.store.held(RequestId(button.subject))).request.run
                self._changes_hands("take_run", run, act.by)
            case "edit":
                new = (await self._court.store.held(RequestId(button.subject))).request.replaced_by
                if new is not None:
                    self._book.acts.append(dataclasses.replace(act, requests=(new,)))

    async def _given(self, act: Act, terms: Mapping[str, object]) -> None:
        request = (await self._court.store.held(act.requests[0])).request
        assert int(str(terms["most"])) <= 3, "the policy allows three at most"
        if request.gave in self._book.grants:  # it was counted, and only now they hear of it
            return
        self._book.grants[request.gave] = Given(
            by=act.by,
            requester=request.requester,
            thread=request.place.key,
            run=request.run if terms["scope"] == "this run" else None,
            what=request.call.values["what"],
            most=int(str(terms["most"])),
            until=self._court.store.now() + SPANS[str(terms["until"])],
        )

    def _changes_hands(self, move: str, run: RunId, by: PersonId) -> None:
        self._book.steer(run, by, self._world.step)
        if move == "take_run":
            self._book.taken.setdefault(run, (by, self._world.step))
        else:
            self._book.taken.pop(run, None)

    # ---------------------------------------------------------------- the book

    async def _act(self, by: PersonId, move: str, delivery: str, requests: Sequence[RequestId]) -> Act:
        await self._court.sync()
        now = self._court.store.now()
        return Act(
            by=by,
            move="give" if move.startswith(GIVE) else move,
            step=self._world.step,
            at=now,
            delivery=delivery,
            requests=tuple(requests),
            crew=self._world.staff.snapshot(),
            away=dict(self._book.gone(now)),
        )

    async def _meant(self, button: Button) -> list[RequestId]:
        if not button.subject.startswith("q-"):
            return []
        id = RequestId(button.subject)  # noqa: A001  # its name everywhere
        if button.move not in ("approve_all", "approve_some", "reject_all"):
            return [id]
        return list((await self._court.store.held(id)).request.items)

    async def _filled(self, button: Button, way: int) -> dict[str, object]:
        request = None
        if any(field.name == "typed" for field in button.fields):
            request = (await self._court.store.held(RequestId(button.subject))).request
        return {field.name: _written(field, way, request) for field in button.fields}

    # ------------------------------------------------------------ the platform

    async def deliver(self, doings: Sequence[Doing]) -> list[Answer | None]:
        """Until a process has taken it, the same delivery every time."""
        answers: dict[int, Answer | None] = {}
        for _ in range(10):
            fate = self._world.fate
            desk = self._court.bot.house.desk
            todo = {asyncio.ensure_future(doing(desk)): i for i, doing in enumerate(doings) if i not in answers}
            dead = asyncio.create_task(fate.dead.wait())
            while not dead.done() and not all(task.done() for task in todo):
                left = [task for task in todo if not task.done()]
                await asyncio.wait([*left, dead], return_when=asyncio.FIRST_COMPLETED)
            dead.cancel()
            for task, i in todo.items():
                if task.done() and not isinstance(task.exception(), Unavailable):
                    answers[i] = task.result()
            if fate.dead.is_set():
                await self._court.rise_again()
            if len(answers) == len(doings):
                assert not [one for one in answers.values() if one and one.text[:2] in ("r-", "q-", "g-")], (
                    "an id says nothing"
                )
                return [answers[i] for i in range(len(doings))]
        raise AssertionError("nobody takes it")


# ------------------------------------------------------------------- presses


def button_of(post: Posted, move: str) -> Button:
    return next(button for button in post.card.buttons if button.move == move)


def way_of(post: Posted, way: int) -> Button:
    """Mostly what lets a call run, sometimes what rejects it, or whatever else stands there."""
    buttons = post.card.buttons
    running = [button for button in buttons if button.move in SIGNING]
    ending = [button for button in buttons if button.move in ("reject", "reject_all")]
    chosen = running if way % 10 < 7 else ending if way % 10 < 9 else [one for one in buttons if one.move != "stop"]
    chosen = chosen or list(buttons)
    return chosen[way // 10 % len(chosen)]


def _doing(by: PersonId, post: Posted, button: Button, number: str, fields: Mapping[str, object] | None) -> Doing:
    pressed = click(button, post, by, number)
    if fields is None:
        return lambda desk: desk.click(pressed)
    form = Form(
        delivery=pressed.delivery,
        by=pressed.by,
        ref=pressed.ref,
        subject=pressed.subject,
        move=pressed.move,
        token=pressed.token,
        fields=fields,
    )
    return lambda desk: desk.form(form)


def _written(field: Field, way: int, request: Request | None) -> object:
    """What somebody writes into a field: mostly what fits."""
    if field.name == "typed":
        assert request is not None, "only a card of a call has this field"
        return request.call.values["what"] if way % 4 else "something else"
    if field.name == "person":
        return f"@{EVERYBODY[way % len(EVERYBODY)]}"
    if field.name == "items":
        return "\n".join(option for i, option in enumerate(field.options) if (way >> i) % 2 == 0)
    if field.options:
        return field.options[way % len(field.options)]
    return field.value or "because"
