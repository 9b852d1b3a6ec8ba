"""The people's side as a whole: whatever people do, in whatever order, and whoever dies meanwhile, the promises hold.

Every rule is a move of a person, of time or of fate; after each the bot comes to rest, its audit is verified, and a
book of what people really did (book) judges each start of a tool. More of it: PEOPLE_EXAMPLES=300.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import traceback
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from bot.domain.audit import Entry, parse_line, verify_chain
from bot.domain.chat import Answer, Button, Field, Form, Message, MessageRef, PersonId, Place
from bot.domain.errors import Unavailable
from bot.domain.grant import GIVE, GrantId
from bot.domain.invariants import check
from bot.domain.ladder import timer_name
from bot.domain.request import Request, RequestId, RunId
from bot.domain.run import RunStatus
from bot.domain.standing import check_standing
from bot.runtime.desk import Desk
from bot.runtime.timers import HIDDEN
from bot.store.link import Link
from bot.store.redis import RedisStore
from tests.fakes.chat import Posted
from tests.house import KEY, account, click
from tests.properties.book import SLACK, Act, Away, Book, Given
from tests.properties.people import ASKED, RULES, SHARDS, Bot, Crew, World

EXAMPLES = int(os.environ.get("PEOPLE_EXAMPLES", "20"))
STEPS = 50  # moves of one history
WITHIN = 20.0  # seconds until everything that a move causes must be over
EVERYBODY = [PersonId(who) for who in ("ana", "bo", "chris", "dana", "erin", "eve", "gus")]
SIGNING = ("approve", "approve_all", "approve_some")
LIVE = (RunStatus.ACTIVE, RunStatus.WAITING, RunStatus.STOPPING)
SPANS = {"1 hour": timedelta(hours=1), "4 hours": timedelta(hours=4)}

PEOPLE = st.sampled_from(EVERYBODY)
SIGNERS = st.sampled_from([PersonId(who) for who in ("bo", "chris", "bo", "chris", "dana", "erin", "eve", "ana", "gus")])
TASKERS = st.sampled_from([PersonId(who) for who in ("ana", "ana", "eve", "bo", "gus")])
WHATS = st.sampled_from(["desk", "shelf", "door"])
PICKS = st.integers(0, 99)
THREADS = st.integers(0, 2)
CALLS = st.tuples(st.sampled_from([*RULES, *ASKED, "tidy", "wire"]), WHATS).map(" ".join)
TURNS = st.one_of(
    CALLS,
    st.lists(CALLS, min_size=2, max_size=2).map(", ".join),
    st.sampled_from(["sort desk, sort shelf, sort door", ", ".join(f"pay {n}" for n in range(7)), "tidy desk"]),
)
PLANS = st.lists(TURNS, min_size=1, max_size=4).map(lambda turns: f"plan: {'; '.join(turns)}")
WORDS = st.sampled_from(["approve", "yes", "no", "red", "I see", "you decide", "take over", "hand back", "lgtm"])


@pytest.mark.timeout(600)  # a story that breaks a promise is made short before it is told
def test_whatever_people_do_in_whatever_order_the_promises_hold(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1–I15, T07, T10, T13, T16, D-03, D-30: no start without leave, none twice, nobody counted who may not be,
    no decision changed, nothing open without an end.
    """
    monkeypatch.setattr("bot.runtime.outbox.UPDATE_EVERY", 0.0)
    folders, covered = itertools.count(), Counter[str]()

    def story() -> People:
        folder = tmp_path / str(next(folders))
        folder.mkdir()
        return People(redis_url, folder, covered)

    run_state_machine_as_test(
        story,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize="PEOPLE_EXAMPLES" not in os.environ,
            phases=(Phase.generate,),  # a story hangs on real time as well: it is told as it went, not made short
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        ),
    )
    for name, count in covered.most_common():
        print(f"{count:6} {name}")  # noqa: T201  # shown by -s: what the histories were about


Doing = Callable[[Desk], Awaitable[Answer | None]]


class People(RuleBasedStateMachine):
    """One history. Each rule is one move; whatever is drawn means something, whatever the bot shows just then."""

    def __init__(self, url: str, folder: Path, covered: Counter[str]) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._numbers = itertools.count(1)
        self._sent: list[tuple[PersonId, Doing]] = []
        self._world = World(Crew())
        self._book, self._covered, self._told = Book(), covered, Counter[str]()
        self._story: list[str] = []
        self._absent: set[PersonId] = set()  # left the house, or their groups
        self._is_told = False  # a promise was broken
        self._bot = Bot(url, f"t{uuid.uuid4().hex[:12]}", folder, self._world, is_forgetful=len(folder.name) % 2 == 0)
        self._runner.run(self._begin())

    async def _begin(self) -> None:
        await self._bot.rise()
        self._link = Link(self._bot.url, shift=self._bot.clock)
        self._store = RedisStore(self._link, namespace=self._bot.namespace, shards=SHARDS, key=KEY)
        await self._store.prepare()
        self._threads = self._shared_out()

    def _shared_out(self) -> list[str]:
        """Threads on both shards."""
        by_shard: dict[int, list[str]] = {}
        for n in range(20):
            by_shard.setdefault(self._store.shard_of(f"playground/local/general/t{n}"), []).append(f"t{n}")
        return [by_shard[0][0], by_shard[1][0], by_shard[0][1]]

    # ------------------------------------------------------- tasks and words

    @initialize(plans=st.tuples(PLANS, PLANS))
    def begins(self, plans: tuple[str, str]) -> None:
        async def story() -> None:
            for thread, plan in enumerate(plans):
                await self._says(PersonId("ana"), thread, plan)

        self._move(story)

    @rule(by=TASKERS, thread=THREADS, plan=PLANS)
    def gives_a_task(self, by: PersonId, thread: int, plan: str) -> None:
        self._move(lambda: self._says(by, thread, plan))

    @rule(by=PEOPLE, thread=THREADS, text=WORDS)
    def replies(self, by: PersonId, thread: int, text: str) -> None:
        self._move(lambda: self._says(by, thread, text))

    # ------------------------------------------------------------ signatures

    @rule(by=SIGNERS, pick=PICKS, way=PICKS)
    def signs(self, by: PersonId, pick: int, way: int) -> None:
        self._move(lambda: self._signs(by, pick, way))

    @rule(pick=PICKS, way=PICKS)
    def somebody_signs_who_may(self, pick: int, way: int) -> None:
        self._move(lambda: self._signs(None, pick, way))

    @rule(pick=PICKS, way=PICKS)
    def two_sign_who_may(self, pick: int, way: int) -> None:
        async def both() -> None:
            await self._signs(None, pick, way)
            await self._signs(None, pick, way + 10)

        self._move(both)

    @rule(by=SIGNERS, other=SIGNERS, pick=PICKS, ways=st.tuples(PICKS, PICKS))
    def two_sign_at_once(self, by: PersonId, other: PersonId, pick: int, ways: tuple[int, int]) -> None:
        async def both() -> None:
            if (post := self._pick("reject", pick)) is not None:
                first, second = (_way(post, way) for way in ways)
                await self._press([(by, post, first), (other, post, second)], ways[0])

        self._move(both)

    @rule(gone=PEOPLE, pick=PICKS, way=PICKS, facts=st.booleans())
    def somebody_signs_while_nobody_owns_the_run(self, gone: PersonId, pick: int, way: int, facts: bool) -> None:
        """Counted, but not started yet: meanwhile somebody leaves."""

        async def story() -> None:
            await self._bot.let_go()
            await self._signs(None, pick, way)
            self._leaves(gone, is_group=facts)

        self._move(story)

    @rule(by=SIGNERS, pick=PICKS, what=WHATS)
    def changes_the_call(self, by: PersonId, pick: int, what: str) -> None:
        self._move(lambda: self._presses("edit", by, pick, fields={"what": what}))

    @rule(by=SIGNERS, pick=PICKS)
    def breaks_the_glass(self, by: PersonId, pick: int) -> None:
        async def story() -> None:
            if self._pick("break_glass", pick) is None:
                await self._says(PersonId("ana"), pick % 3, "plan: blast door")
                await self._rest()
            await self._presses("break_glass", by, pick)

        self._move(story)

    @rule(ways=st.tuples(PICKS, PICKS), pick=PICKS, most=st.integers(1, 4), is_run=st.booleans(), hours=st.booleans())
    def allows_more(self, ways: tuple[int, int], pick: int, most: int, is_run: bool, hours: bool) -> None:
        until = "1 hour" if hours else "4 hours"
        fields = {"scope": "this run" if is_run else "this thread", "until": until, "most": str(most), "exact": "no"}
        self._move(lambda: self._allows(ways, pick, fields))

    @rule(by=PEOPLE, pick=PICKS)
    def revokes(self, by: PersonId, pick: int) -> None:
        self._move(lambda: self._revokes(by, pick))

    # ---------------------------------------------------- answers, whole runs

    @rule(by=PEOPLE, pick=PICKS, way=PICKS, may=st.booleans())
    def answers(self, by: PersonId, pick: int, way: int, may: bool) -> None:
        self._move(lambda: self._answers(None if may else by, pick, way))

    @rule(by=PEOPLE, pick=PICKS, to=PEOPLE, may=st.booleans())
    def hands_on(self, by: PersonId, pick: int, to: PersonId, may: bool) -> None:
        async def story() -> None:
            if (post := self._pick("hand_to", pick)) is not None:
                button = _button(post, "hand_to")
                who = await self._likely(post, pick) if may else by
                await self._press([(who, post, button)], 1, {"person": f"@{to}"})

        self._move(story)

    @rule(by=TASKERS, pick=PICKS)
    def takes_over(self, by: PersonId, pick: int) -> None:
        self._move(lambda: self._presses("take_run", by, pick))

    @rule(by=TASKERS, pick=PICKS, may=st.booleans(), text=st.sampled_from(["", "go on", "plan: tidy desk; pay door"]))
    def hands_back(self, by: PersonId, pick: int, may: bool, text: str) -> None:
        async def story() -> None:
            post = self._pick("hand_back", pick)
            has = self._book.taken.get(RunId(_button(post, "hand_back").subject)) if post is not None else None
            await self._presses("hand_back", has if may and has else by, pick, fields={"text": text})

        self._move(story)

    @rule(by=TASKERS, pick=PICKS)
    def stops(self, by: PersonId, pick: int) -> None:
        if pick % 3 == 0:  # seldom: a run that is stopped teaches nothing more
            self._move(lambda: self._presses("stop", by, pick))

    # ------------------------------------------------------- old and repeated

    @rule(by=PEOPLE, pick=PICKS, card=PICKS, way=PICKS)
    def presses_anything_that_ever_stood_there(self, by: PersonId, pick: int, card: int, way: int) -> None:
        async def story() -> None:
            posts = [post for post in self._bot.chat.posts if any(one.buttons for one in post.cards)]
            if posts:
                post = posts[pick % len(posts)]
                cards = [one for one in post.cards if one.buttons]
                buttons = cards[card % len(cards)].buttons
                await self._press([(by, post, buttons[way % len(buttons)])], way)

        self._move(story)

    @rule(pick=PICKS)
    def comes_again(self, pick: int) -> None:
        """Something from before is delivered once more."""

        async def story() -> None:
            if self._sent and pick % 2:
                _, doing = self._sent[pick % len(self._sent)]
                await self._deliver([doing])
                self._note("redelivered", str(pick % len(self._sent)))

        self._move(story)

    # ---------------------------------------------------------- who is there

    @rule(by=SIGNERS, deputy=PEOPLE, hours=st.sampled_from([1, 4, 100]), is_named=st.sampled_from([True, True, False]))
    def goes_away(self, by: PersonId, deputy: PersonId, hours: int, is_named: bool) -> None:
        self._move(lambda: self._goes(by, deputy if is_named else None, hours))

    @rule(pick=PICKS)
    def comes_back(self, pick: int) -> None:
        async def story() -> None:
            if gone := sorted(self._book.away):
                by = gone[pick % len(gone)]
                answer = await self._order(by, "back")
                if answer is not None and answer.is_taken:
                    self._book.away.pop(by, None)
                    self._note("back", by)

        self._move(story)

    @rule(who=PEOPLE, is_group=st.booleans())
    def leaves_or_joins_again(self, who: PersonId, is_group: bool) -> None:
        async def story() -> None:
            if who in self._absent:
                self._joins(who)
            else:
                self._leaves(who, is_group=is_group)

        self._move(story)

    # ----------------------------------------------------------- time and fate

    @rule(minutes=st.sampled_from([1, 1, 3, 6, 6, 16, 16, 31, 61, 250, 10_100]))
    def time_passes(self, minutes: int) -> None:
        async def story() -> None:
            self._bot.clock.advance(minutes=minutes)
            await self._bot.look()
            self._note("time passed", f"{minutes} min")

        self._move(story)

    @rule(is_kill=st.booleans())
    def starts_again(self, is_kill: bool) -> None:
        async def story() -> None:
            await (self._bot.kill() if is_kill else self._bot.close())
            await self._bot.rise()
            self._note("killed" if is_kill else "closed")

        self._move(story)

    @rule(left=st.integers(0, 8), arrives=st.booleans())
    def is_doomed(self, left: int, arrives: bool) -> None:
        """The process dies in one of the next moves, before or after one of its writes."""

        async def story() -> None:
            self._world.fate.doom(left, arrives=arrives)

        self._move(story)

    def _note(self, what: str, who: str = "") -> None:
        self._covered[what] += 1
        self._story.append(f"{self._world.step}: {who} {what}")
        event(what)

    # ----------------------------------------------------------- what they do

    def _move(self, story: Callable[[], Awaitable[None]]) -> None:
        self._runner.run(self._judged(story))

    async def _judged(self, story: Callable[[], Awaitable[None]], *, is_quiet: bool = False) -> None:
        self._world.step += 1
        try:
            await story()
            await self._rest()
            await self._must_hold(is_quiet=is_quiet)
        except BaseException as error:
            self._is_told = True
            story_so_far = "\n".join(self._story)
            print(f"\nA promise was broken: {error!r}\n{traceback.format_exc()[-3000:]}\n\nThe story:\n{story_so_far}")  # noqa: T201  # it may not come again
            raise

    async def _says(self, by: PersonId, thread: int, text: str) -> None:
        place = Place(platform="playground", tenant="local", channel="general", thread=self._threads[thread])
        run = await self._store.live_run(place.key)
        number = f"say{next(self._numbers)}"
        said = text if run is not None else f"@countersign {text}"
        message = Message(
            delivery=number,
            by=account(by),
            place=place,
            text=said,
            ref=MessageRef(place=place, id=number),
            is_mention=run is None or text.startswith("plan:"),
        )
        before = await self._open(run) if run is not None else []
        act = await self._act(by, "word", number, before)
        [answer] = await self._send(by, [lambda desk: desk.message(message)])
        if answer is not None and answer.is_taken:
            self._book.acts.append(act)
        if run is not None:
            await self._heard(run, by, text, answer)
        came = "context" if answer is None else "answer" if answer.is_taken else "refused"
        self._note(f"says: {came}", f"{by} in {self._threads[thread]}: {text!r}: {answer.text if answer else ''}")

    async def _heard(self, run: RunId, by: PersonId, text: str, answer: Answer | None) -> None:
        """What a reply did to the run as a whole."""
        if answer is None and by != "gus":
            self._book.steer(run, by, self._world.step)
        if answer is not None and answer.is_taken and text in ("take over", "hand back"):
            await self._changes_hands("take_run" if text == "take over" else "hand_back", run, by)

    async def _signs(self, by: PersonId | None, pick: int, way: int) -> None:
        """By nobody in particular: by somebody who may."""
        if (post := self._pick("reject", pick) or self._pick("reject_all", pick)) is None:
            await self._says(PersonId("ana"), pick % 3, f"plan: {[*RULES][way % len(RULES)]} desk")
            return
        button, details = _way(post, way), [one for one in post.card.buttons if one.move == "details"]
        who = by or await self._likely(post, way // 10)
        if way % 10 < 8 and details:
            await self._press([(who, post, details[0])], way)
        await self._press([(who, post, button)], way)

    async def _likely(self, post: Posted, way: int) -> PersonId:
        """One of those whom the card asks for, or of their deputies."""
        subject = next(button.subject for card in post.cards for button in card.buttons if button.subject[:2] == "q-")
        request = (await self._store.held(RequestId(subject))).request
        crew = self._world.staff.snapshot()
        asked = [who for need in request.ask.groups for who in sorted(crew) if need.of in crew[who].groups]
        asked += [PersonId(need.of[1:]) for need in request.ask.groups if need.of.startswith("@")]
        asked += [request.requester for need in request.ask.groups if need.of == "requester"]
        asked += [PersonId("dana"), PersonId("erin")] if any(n.of.startswith("manager(") for n in request.ask.groups) else []
        asked += [one.deputy for who in asked if (one := self._book.away.get(who)) is not None and one.deputy is not None]
        rest = [who for who in asked if who != "gus" and who not in {vote.person for vote in request.votes}]
        return rest[way % len(rest)] if rest else PersonId("bo")

    async def _answers(self, by: PersonId | None, pick: int, way: int) -> None:
        if (post := self._pick("hand_to", pick) or self._pick("right", pick)) is None:
            return
        offered = [button for button in post.card.buttons if button.move not in ("hand_to", "stop")]
        if offered:
            who = by or await self._likely(post, way)
            await self._press([(who, post, offered[way % len(offered)])], way)

    async def _presses(
        self, move: str, by: PersonId, pick: int, *, fields: Mapping[str, object] | None = None
    ) -> None:
        if (post := self._pick(move, pick)) is not None:
            await self._press([(by, post, _button(post, move))], 1, fields)

    async def _allows(self, ways: tuple[int, int], pick: int, fields: Mapping[str, object]) -> None:
        if (post := self._pick("offer", pick)) is None:
            await self._says(PersonId("ana"), pick % 3, "plan: tidy desk; tidy desk; tidy desk, tidy shelf; tidy desk")
            await self._rest()
        if (post := self._pick("offer", pick)) is None:
            return
        button = _button(post, "offer")
        by, giver = [await self._likely(post, way) for way in ways]
        [answer] = await self._press([(by, post, button)], 1, fields)
        await self._rest()
        give = next((button for button in post.card.buttons if button.move.startswith(GIVE)), None)
        if answer is None or not answer.is_taken or give is None:
            return
        [answer] = await self._press([(giver, post, give)], 1)
        request = (await self._store.held(RequestId(give.subject))).request
        if answer is None or not answer.is_taken or not request.gave:
            return
        assert int(str(fields["most"])) <= 3, "the policy allows three at most"
        self._book.grants[request.gave] = Given(
            by=giver,
            requester=request.requester,
            thread=request.place.key,
            run=request.run if fields["scope"] == "this run" else None,
            what=request.call.values["what"],
            most=int(str(fields["most"])),
            until=self._store.now() + SPANS[str(fields["until"])],
        )

    async def _revokes(self, by: PersonId, pick: int) -> None:
        if not self._book.grants:
            return
        names = sorted(self._book.grants)
        name, number = names[pick % len(names)], f"revoke{next(self._numbers)}"
        [answer] = await self._send(by, [lambda desk: desk.revoke(GrantId(name), account(by), number)])
        given = self._book.grants[name]
        if answer is not None and answer.is_taken and given.revoked is None:
            given.revoked = self._world.step
            self._note("revoked")

    async def _goes(self, by: PersonId, deputy: PersonId | None, hours: int) -> None:
        named = f", @{deputy} decides" if deputy else ""
        answer = await self._order(by, f"away for {hours} hours{named}")
        if answer is not None and answer.is_taken:
            until = self._store.now() + timedelta(hours=hours)
            self._book.away[by] = Away(deputy=deputy, until=until)
            self._note("away", f"{by} for {hours} h, {deputy} decides")

    async def _order(self, by: PersonId, text: str) -> Answer | None:
        place = Place(platform="playground", tenant="local", channel=f"dm-{by}")
        number = f"order{next(self._numbers)}"
        return (await self._send(by, [lambda desk: desk.order(text, account(by), place, number)]))[0]

    def _leaves(self, who: PersonId, *, is_group: bool) -> None:
        self._world.staff.change(who, **({"groups": frozenset()} if is_group else {"is_active": False}))
        self._absent.add(who)
        self._note("left a group" if is_group else "left", who)

    def _joins(self, who: PersonId) -> None:
        self._world.staff.reset(who)
        self._absent.discard(who)
        self._note("joined again", who)

    # ---------------------------------------------------------------- pressing

    def _pick(self, move: str, pick: int) -> Posted | None:
        """One of the cards that have this button now."""
        posts = [post for post in self._bot.chat.posts if any(one.move == move for one in post.card.buttons)]
        return posts[pick % len(posts)] if posts else None

    async def _press(
        self,
        presses: Sequence[tuple[PersonId, Posted, Button]],
        way: int,
        fields: Mapping[str, object] | None = None,
    ) -> list[Answer | None]:
        """Press at once; take down what was taken."""
        made: list[tuple[Act, Button, Doing]] = []
        for by, post, button in presses:
            number = f"press{next(self._numbers)}"
            values = {**(await self._filled(button, way)), **(fields or {})}
            doing = _doing(by, post, button, number, values if button.fields else None)
            requests = await self._meant(button, values)
            made.append((await self._act(by, button.move, f"click-{number}", requests), button, doing))
        answers = await self._send(presses[0][0], [doing for _, _, doing in made])
        for (act, button, _), answer in zip(made, answers, strict=True):
            is_taken = answer is not None and answer.is_taken
            name = "give" if button.move.startswith(GIVE) else button.move
            told = f"on {act.requests}: {answer.text if answer else ''}"
            self._note(f"{name}: {'taken' if is_taken else 'refused'}", f"{act.by} {told}")
            assert not (is_taken and act.by == "gus"), f"a guest was heard: {button.move}"
            if is_taken:
                await self._taken(act, button)
        return answers

    async def _taken(self, act: Act, button: Button) -> None:
        self._book.acts.append(act)
        match button.move:
            case "details":
                self._book.read |= {(act.by, request) for request in act.requests}
            case "stop":
                self._book.stopped.setdefault(RunId(button.subject), self._world.step)
            case "take_run" | "hand_back":
                await self._changes_hands(button.move, RunId(button.subject), act.by)
            case "take":
                run = (await self._store.held(RequestId(button.subject))).request.run
                await self._changes_hands("take_run", run, act.by)
            case "edit":
                new = (await self._store.held(RequestId(button.subject))).request.replaced_by
                if new is not None:
                    fields = {name: getattr(act, name) for name in Act.__slots__}
                    self._book.acts.append(Act(**{**fields, "requests": (new,)}))

    async def _changes_hands(self, move: str, run: RunId, by: PersonId) -> None:
        self._book.steer(run, by, self._world.step)
        if move == "take_run":
            self._book.taken.setdefault(run, by)
        else:
            self._book.taken.pop(run, None)

    async def _act(self, by: PersonId, move: str, delivery: str, requests: Sequence[RequestId]) -> Act:
        await self._link.sync()
        now = self._store.now()
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

    async def _meant(self, button: Button, values: Mapping[str, object]) -> list[RequestId]:
        if not button.subject.startswith("q-"):
            return []
        id = RequestId(button.subject)  # noqa: A001  # its name everywhere
        if button.move not in ("approve_all", "approve_some", "reject_all"):
            return [id]
        return list((await self._store.held(id)).request.items)

    async def _filled(self, button: Button, way: int) -> dict[str, object]:
        request = None
        if any(field.name == "typed" for field in button.fields):
            request = (await self._store.held(RequestId(button.subject))).request
        return {field.name: _written(field, way, request) for field in button.fields}

    async def _open(self, run: RunId) -> list[RequestId]:
        loaded = await self._store.load(run)
        return list(loaded.asks) if loaded is not None else []

    # ------------------------------------------------------------ the platform

    async def _send(self, by: PersonId, doings: Sequence[Doing]) -> list[Answer | None]:
        self._sent += [(by, doing) for doing in doings]
        return await self._deliver(doings)

    async def _deliver(self, doings: Sequence[Doing]) -> list[Answer | None]:
        """Until a process has taken it, the same delivery every time."""
        answers: dict[int, Answer | None] = {}
        for _ in range(10):
            fate = self._world.fate
            desk = self._bot.house.desk
            todo = {asyncio.ensure_future(doing(desk)): i for i, doing in enumerate(doings) if i not in answers}
            dead = asyncio.create_task(fate.dead.wait())
            left = set(todo)
            while left and not dead.done():
                done, _ = await asyncio.wait({*left, dead}, return_when=asyncio.FIRST_COMPLETED)
                left -= done  # type: ignore[arg-type]  # the other one is looked at above
            dead.cancel()
            for task, i in todo.items():
                if task.done() and not isinstance(task.exception(), Unavailable):
                    answers[i] = task.result()
            if fate.dead.is_set():
                await self._bot.kill()
                await self._bot.rise()
                self._note("died as it was doomed")
            if len(answers) == len(doings):
                return [answers[i] for i in range(len(doings))]
        raise AssertionError("nobody takes it")

    async def _rest(self) -> None:
        """Until everything that follows from a move has happened."""
        try:
            async with asyncio.timeout(WITHIN):
                await self._bot.look()
                for number in itertools.count(1):
                    if self._world.fate.dead.is_set():
                        await self._bot.kill()
                        await self._bot.rise()
                        self._note("died as it was doomed")
                    elif not (unrest := {name for name, what in (await self._unrest()).items() if what}):
                        return
                    elif number % 50 == 0 and all(name.startswith("timers") for name in unrest):
                        self._bot.clock.advance(seconds=(HIDDEN + SLACK).total_seconds())  # somebody died who had claimed them
                        await self._bot.look()
        except TimeoutError:
            raise AssertionError(f"it never comes to rest: {await self._unrest()}") from None

    async def _unrest(self) -> dict[str, object]:
        """What is still under way, in the order in which one thing leads to the next: none can slip past the look."""
        found: dict[str, object] = {}
        hosts = self._bot.house.engine.runner.hosts
        await self._link.sync()
        claimed = self._store.now() + HIDDEN + SLACK
        until = int(claimed.timestamp() * 1000)  # also timers that somebody claims just now
        for shard in range(SHARDS):
            timers = f"{{{self._bot.namespace}:{shard}}}:timers"
            found[f"timers {shard}"] = await self._link.ask(self._link.client.zcount(timers, 0, until))
            found[f"mail {shard}"] = [run for run in await self._store.mailbox(shard) if not await self._is_read(run)]
            runs = await self._store.executing(shard)
            found[f"executing {shard}"] = [run for run in runs if run not in hosts or not hosts[run].is_asleep]
            found[f"outbox {shard}"] = [row.name for row in await self._store.rows(shard)]
        found["showing"] = [one for task in asyncio.all_tasks() if (one := task.get_name()).startswith("outbox ")]
        return found

    async def _is_read(self, run: RunId) -> bool:
        """Is the mail of *run* known where it sleeps? It is taken down with the run's next write."""
        host = self._bot.house.engine.runner.hosts.get(run)
        loaded = await self._store.load(run)
        return host is not None and host.is_asleep and loaded is not None and host.mail >= loaded.mail

    # ------------------------------------------------------------- what holds

    async def _must_hold(self, *, is_quiet: bool) -> None:
        entries = await self._audit(is_quiet=is_quiet)
        wrong = [told async for told in self._wrong(entries)]
        leaves = {(str(e.fields["run"]), str(e.fields["path"])): str(e.fields["rule"]) for e in entries["call_allowed"]}
        wrong += self._book.judge(self._world.starts, leaves)
        assert not wrong, "\n".join(wrong)
        for name, count in (self._book.seen - self._told).items():
            self._covered[name] += count
            event(name)
        self._told = self._book.seen.copy()

    async def _audit(self, *, is_quiet: bool) -> dict[str, list[Entry]]:
        everything: list[Entry] = []
        problems = []
        for shard in reversed(range(SHARDS)):  # the first one last: others' votes rest on it
            lines = await self._store.audit_lines(shard, 0, -1)
            entries = [parse_line(shard, line) for line in lines]
            problems += [*verify_chain(lines, shard=shard), *check(entries, is_quiet=is_quiet)]
            everything += entries
        problems += check_standing(everything)
        assert not problems, "\n".join(f"{p.invariant} {p.shard} #{p.seq}: {p.told}" for p in problems)
        found: dict[str, list[Entry]] = {"request_opened": [], "call_allowed": [], "run_started": []}
        for entry in everything:
            found.setdefault(entry.event, []).append(entry)
        return found

    async def _wrong(self, entries: Mapping[str, list[Entry]]) -> Any:
        """What is wrong with the requests, runs and cards as they stand, in sentences."""
        live = set[str]()
        for entry in entries["run_started"]:
            loaded = await self._store.load(RunId(str(entry.fields["run"])))
            if loaded is not None and loaded.status in LIVE:
                live.add(loaded.run.id)
        for entry in entries["request_opened"]:
            request = (await self._store.held(RequestId(str(entry.fields["request"])))).request
            for told in [*self._book.look(request, self._world.step), *await self._loose(request, live)]:
                yield f"{request.id} {request.kind} of {request.call.tool}: {told}"
        open_now = {one.id for one in self._book.requests.values() if one.is_open}
        sheets = {one.id: one.items for one in self._book.requests.values() if one.items}
        for post in self._bot.chat.posts:
            for button in post.card.buttons:
                about = {button.subject, *sheets.get(RequestId(button.subject), ())}
                if not about & open_now and button.subject not in live:
                    yield f"{post.key} still offers {button.move} of {button.subject}"

    async def _loose(self, request: Request, live: set[str]) -> list[str]:
        """What would let an open request wait for ever, or for nobody."""
        if not request.is_open:
            return []
        wrong = [] if request.run in live or request.outlives else ["it is open, and its run has ended"]
        key = f"{{{self._bot.namespace}:{request.id.split('-')[1]}}}:timers"
        due = await self._link.ask(self._link.client.zscore(key, timer_name(request, request.rung)))
        if due is None:
            wrong.append(f"it is open, and nothing happens at its step {request.rung}")
        if request.deadline is None and request.ask.reviewed_every is None and not request.outlives:
            wrong.append("it is open, and has neither a deadline nor a review")
        return wrong

    # ------------------------------------------------------------------ the end

    def teardown(self) -> None:
        try:
            if not self._is_told:
                self._runner.run(self._judged(self._wind_up, is_quiet=True))
        finally:
            self._runner.run(self._bury())
            self._runner.close()

    async def _wind_up(self) -> None:
        """Everything is brought to its end: first by time, then whoever still waits is stopped."""
        self._bot.clock.advance(hours=5)
        await self._rest()
        for who in sorted(self._absent):
            self._joins(who)
        for number, thread in enumerate(self._threads):
            place = f"playground/local/general/{thread}"
            if await self._store.live_run(place):
                await self._says(PersonId("ana"), number, "stop")
                await self._rest()
            assert not await self._store.live_run(place), f"the run of {thread} never ends"

    async def _bury(self) -> None:
        await self._bot.kill()
        await self._link.close()


# ------------------------------------------------------------------- presses


def _button(post: Posted, move: str) -> Button:
    return next(button for button in post.card.buttons if button.move == move)


def _way(post: Posted, way: int) -> Button:
    """Mostly what lets a call run, sometimes what rejects it, or whatever else stands there."""
    buttons = post.card.buttons
    running = [button for button in buttons if button.move in SIGNING]
    ending = [button for button in buttons if button.move in ("reject", "reject_all")]
    chosen = running if way % 10 < 7 else ending if way % 10 < 9 else [one for one in buttons if one.move != "stop"]
    chosen = chosen or list(buttons)
    return chosen[way // 10 % len(chosen)]


def _doing(
    by: PersonId, post: Posted, button: Button, number: str, fields: Mapping[str, object] | None
) -> Doing:
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
