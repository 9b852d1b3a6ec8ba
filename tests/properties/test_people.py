"""The people's side as a whole: whatever people do, in whatever order, and whoever dies meanwhile, the promises hold.

Every rule is a move of a person, of time or of fate; after each the bot comes to rest, its audit is verified, and a
book of what people really did judges each start of a tool. More of it: PEOPLE_EXAMPLES=300; what it was about: -s.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import traceback
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from bot.domain.chat import PersonId
from bot.domain.request import RunId
from tests.properties.court import Court
from tests.properties.people import ASKED, RULES, Crew, World
from tests.properties.process import Bot
from tests.properties.scene import EVERYBODY, Scene, button_of, way_of

ENOUGH = 50  # histories to be about everything
EXAMPLES = int(os.environ.get("PEOPLE_EXAMPLES", str(ENOUGH)))
STEPS = 50  # moves of one history
WANTED = {  # what histories must be about, to say anything
    *("started on 1 signatures", "started on 2 signatures", "started on a grant", "started on broken glass"),
    *("a deputy's signature was used", "take_run: taken", "approval expired"),
    *("several at once", "killed", "died as it was doomed", "redelivered", "break_glass: refused", "edit: refused"),
}

PEOPLE = st.sampled_from(EVERYBODY)
SIGNERS = st.sampled_from([*EVERYBODY, PersonId("bo"), PersonId("chris")])
TASKERS = st.sampled_from([who for who in (*EVERYBODY, PersonId("ana")) if who not in ("dana", "erin")])
WHATS = st.sampled_from(["desk", "shelf", "door"])
PICKS = st.integers(0, 99)
THREADS = st.integers(0, 2)
TOOLS = st.sampled_from([*RULES, *ASKED, "tidy", "wire", "wire", "burn", "burn", "ship", "blast", "sort"])
CALLS = st.tuples(TOOLS, WHATS).map(" ".join)
TURNS = st.one_of(
    CALLS,
    st.lists(CALLS, min_size=2, max_size=2).map(", ".join),
    st.sampled_from(
        ["sort desk, sort shelf, sort door", ", ".join(f"pay {n}" for n in range(7)), "tidy desk", "blast door"]
    ),
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
    monkeypatch.setattr("bot.store.line.PATIENCE", 60.0)  # between two moves the loop stands still, however long
    folders, covered = itertools.count(), Counter[str]()

    class Story(People):
        def __init__(self) -> None:
            folder = tmp_path / str(next(folders))
            folder.mkdir()
            super().__init__(redis_url, folder, covered)

    run_state_machine_as_test(
        Story,
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
    missing = WANTED - covered.keys() if EXAMPLES >= ENOUGH else set()
    assert not missing, f"no history has {missing}: it says nothing about that"


class People(RuleBasedStateMachine):
    """One history. Each rule is one move; whatever is drawn means something, whatever the bot shows just then."""

    def __init__(self, url: str, folder: Path, covered: Counter[str]) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        namespace, is_forgetful = f"t{uuid.uuid4().hex[:12]}", int(folder.name) % 2 == 0
        self._bot = Bot(url, namespace, folder, World(Crew()), is_forgetful)
        self._court = Court(self._bot, covered)
        self._scene = Scene(self._court)
        self._is_broken = False  # a promise
        self._runner.run(self._bot.rise())

    def _move(self, story: Callable[[], Awaitable[object]], *, is_quiet: bool = False) -> None:
        self._runner.run(self._judged(story, is_quiet=is_quiet))

    async def _judged(self, story: Callable[[], Awaitable[object]], *, is_quiet: bool) -> None:
        self._bot.world.step += 1
        try:
            await story()
            await self._court.rest()
            await self._court.must_hold(is_quiet=is_quiet)
        except BaseException:
            self._is_broken = True
            told = "\n".join([traceback.format_exc(), *self._court.story])
            print(f"\nA promise was broken: {told}")  # noqa: T201  # it hangs on real time, and may not come again
            raise

    # ------------------------------------------------------- tasks and words

    @initialize(by=st.sampled_from([PersonId("ana"), PersonId("bo")]), plans=st.tuples(PLANS, PLANS))
    def begins(self, by: PersonId, plans: tuple[str, str]) -> None:
        async def story() -> None:
            for thread, plan in enumerate(plans):
                await self._scene.says(by, thread, plan)

        self._move(story)

    @rule(by=TASKERS, thread=THREADS, plan=PLANS)
    def gives_a_task(self, by: PersonId, thread: int, plan: str) -> None:
        self._move(lambda: self._scene.says(by, thread, plan))

    @rule(by=PEOPLE, thread=THREADS, text=WORDS)
    def replies(self, by: PersonId, thread: int, text: str) -> None:
        self._move(lambda: self._scene.says(by, thread, text))

    # ------------------------------------------------------------ signatures

    @rule(by=SIGNERS, pick=PICKS, way=PICKS)
    def signs(self, by: PersonId, pick: int, way: int) -> None:
        self._move(lambda: self._scene.signs(by, pick, way))

    @rule(pick=PICKS, way=PICKS)
    def somebody_signs_who_may(self, pick: int, way: int) -> None:
        self._move(lambda: self._scene.signs(None, pick, way))

    @rule(pick=PICKS, way=PICKS)
    def two_sign_who_may(self, pick: int, way: int) -> None:
        async def both() -> None:
            await self._scene.signs(None, pick, way)
            await self._scene.signs(None, pick, way + 10)

        self._move(both)

    @rule(by=SIGNERS, other=SIGNERS, pick=PICKS, ways=st.tuples(PICKS, PICKS))
    def two_sign_at_once(self, by: PersonId, other: PersonId, pick: int, ways: tuple[int, int]) -> None:
        async def both() -> None:
            if (post := self._scene.pick("reject", pick)) is not None:
                first, second = (way_of(post, way) for way in ways)
                await self._scene.press([(by, post, first), (other, post, second)], ways[0])

        self._move(both)

    @rule(gone=PEOPLE, pick=PICKS, way=PICKS, is_group=st.booleans(), is_other=st.booleans())
    def somebody_signs_while_nobody_owns_the_run(
        self, gone: PersonId, pick: int, way: int, is_group: bool, is_other: bool
    ) -> None:
        """Counted, but not started yet: meanwhile somebody leaves, perhaps whoever signed last."""

        async def story() -> None:
            await self._bot.let_go()
            await self._scene.signs(None, pick, way)
            last = self._court.book.acts[-1].by if self._court.book.acts else gone
            self._scene.leaves(gone if is_other else last, is_group=is_group)

        self._move(story)

    @rule(by=SIGNERS, pick=PICKS, what=WHATS)
    def changes_the_call(self, by: PersonId, pick: int, what: str) -> None:
        self._move(lambda: self._scene.presses("edit", by, pick, fields={"what": what}))

    @rule(by=SIGNERS, pick=PICKS)
    def breaks_the_glass(self, by: PersonId, pick: int) -> None:
        """Mostly somebody who may."""

        async def story() -> None:
            if self._scene.pick("break_glass", pick) is None:
                await self._scene.says(PersonId("ana"), pick % 3, "plan: blast door")
                await self._court.rest()
            there = [PersonId(who) for who in ("bo", "chris") if who not in self._scene.absent]
            await self._scene.presses("break_glass", there[0] if there and pick % 4 else by, pick)

        self._move(story)

    @rule(ways=st.tuples(PICKS, PICKS), pick=PICKS, most=st.integers(1, 4), is_run=st.booleans(), hours=st.booleans())
    def allows_more(self, ways: tuple[int, int], pick: int, most: int, is_run: bool, hours: bool) -> None:
        until = "1 hour" if hours else "4 hours"
        fields = {"scope": "this run" if is_run else "this thread", "until": until, "most": str(most), "exact": "no"}
        self._move(lambda: self._scene.allows(ways, pick, fields))

    @rule(by=PEOPLE, pick=PICKS)
    def revokes(self, by: PersonId, pick: int) -> None:
        self._move(lambda: self._scene.revokes(by, pick))

    # ---------------------------------------------------- answers, whole runs

    @rule(by=PEOPLE, pick=PICKS, way=PICKS, may=st.booleans())
    def answers(self, by: PersonId, pick: int, way: int, may: bool) -> None:
        self._move(lambda: self._scene.answers(None if may else by, pick, way))

    @rule(by=PEOPLE, pick=PICKS, to=PEOPLE, may=st.booleans())
    def hands_on(self, by: PersonId, pick: int, to: PersonId, may: bool) -> None:
        async def story() -> None:
            if (post := self._scene.pick("hand_to", pick)) is not None:
                button = button_of(post, "hand_to")
                who = await self._scene.likely(post, pick) if may else by
                await self._scene.press([(who, post, button)], 1, {"person": f"@{to}"})

        self._move(story)

    @rule(by=TASKERS, pick=PICKS)
    def takes_over(self, by: PersonId, pick: int) -> None:
        self._move(lambda: self._scene.presses("take_run", by, pick))

    @rule(by=TASKERS, pick=PICKS, may=st.booleans(), text=st.sampled_from(["", "go on", "plan: tidy desk; pay door"]))
    def hands_back(self, by: PersonId, pick: int, may: bool, text: str) -> None:
        async def story() -> None:
            post = self._scene.pick("hand_back", pick)
            taken = (
                self._court.book.taken.get(RunId(button_of(post, "hand_back").subject)) if post is not None else None
            )
            await self._scene.presses("hand_back", taken[0] if may and taken else by, pick, fields={"text": text})

        self._move(story)

    @rule(by=TASKERS, pick=PICKS)
    def stops(self, by: PersonId, pick: int) -> None:
        if pick % 3 == 0:  # seldom: a run that is stopped teaches nothing more
            self._move(lambda: self._scene.presses("stop", by, pick))

    @rule(pick=PICKS, others=st.lists(st.tuples(PICKS, PICKS, TASKERS), min_size=1, max_size=3))
    def several_press_at_once(self, pick: int, others: list[tuple[int, int, PersonId]]) -> None:
        """A signature, and whatever else can be pressed in the same moment."""

        async def story() -> None:
            if (first := self._scene.pick("reject", pick)) is None:
                return
            made = [(await self._scene.likely(first, pick), first, way_of(first, 0))]
            posts = [post for post in self._bot.chat.posts if post.card.buttons]
            for number, way, by in others:
                post = posts[-1 - number % min(len(posts), 6)]
                if buttons := post.card.buttons:
                    made.append((by, post, buttons[way % len(buttons)]))
            await self._scene.press(made, pick)
            self._court.note("several at once")

        self._move(story)

    # ------------------------------------------------------- old and repeated

    @rule(by=PEOPLE, pick=PICKS, card=PICKS, way=PICKS)
    def presses_anything_that_ever_stood_there(self, by: PersonId, pick: int, card: int, way: int) -> None:
        async def story() -> None:
            posts = [post for post in self._bot.chat.posts if any(one.buttons for one in post.cards)]
            if posts:
                post = posts[pick % len(posts)]
                cards = [one for one in post.cards if one.buttons]
                buttons = cards[card % len(cards)].buttons
                await self._scene.press([(by, post, buttons[way % len(buttons)])], way)

        self._move(story)

    @rule(pick=PICKS)
    def comes_again(self, pick: int) -> None:
        """Something from before is delivered once more."""

        async def story() -> None:
            if self._scene.sent and pick % 2:
                answer = await self._scene.sent[pick % len(self._scene.sent)]()
                self._court.note("redelivered", answer.text if answer is not None else "")

        self._move(story)

    # ---------------------------------------------------------- who is there

    @rule(by=SIGNERS, deputy=PEOPLE, hours=st.sampled_from([1, 4, 100]), is_named=st.sampled_from([True, True, False]))
    def goes_away(self, by: PersonId, deputy: PersonId, hours: int, is_named: bool) -> None:
        self._move(lambda: self._scene.goes(by, deputy if is_named else None, hours))

    @rule(pick=PICKS, way=PICKS, hours=st.sampled_from([1, 4]), deputy=SIGNERS)
    def leaves_it_to_a_deputy_who_signs(self, pick: int, way: int, hours: int, deputy: PersonId) -> None:
        async def story() -> None:
            if (post := self._scene.pick("reject", pick)) is not None:
                button = way_of(post, 0)
                await self._scene.goes(await self._scene.likely(post, way), deputy, hours)
                await self._scene.press([(deputy, post, button)], 0)

        self._move(story)

    @rule(pick=PICKS)
    def comes_back(self, pick: int) -> None:
        async def story() -> None:
            if gone := sorted(self._court.book.away):
                by = gone[pick % len(gone)]
                answer = await self._scene.order(by, "back")
                if answer is not None and answer.is_taken:
                    was = self._court.book.away.pop(by)
                    self._court.note("back", by)
                    if was.deputy is not None:
                        await self._scene.signs(was.deputy, pick, 0)  # who may not any more

        self._move(story)

    @rule(who=PEOPLE, is_group=st.booleans())
    def leaves_or_joins_again(self, who: PersonId, is_group: bool) -> None:
        async def story() -> None:
            if who in self._scene.absent:
                self._scene.joins(who)
            else:
                self._scene.leaves(who, is_group=is_group)

        self._move(story)

    # ----------------------------------------------------------- time and fate

    @rule(minutes=st.sampled_from([1, 1, 3, 6, 6, 16, 16, 31, 61, 250, 10_100]))
    def time_passes(self, minutes: int) -> None:
        async def story() -> None:
            self._bot.clock.advance(minutes=minutes)
            await self._bot.look()
            self._court.note("time passed", f"{minutes} min")

        self._move(story)

    @rule(is_kill=st.booleans())
    def starts_again(self, is_kill: bool) -> None:
        async def story() -> None:
            await (self._bot.kill() if is_kill else self._bot.close())
            await self._bot.rise()
            self._court.note("killed" if is_kill else "closed")

        self._move(story)

    @rule(left=st.integers(0, 8), arrives=st.booleans())
    def is_doomed(self, left: int, arrives: bool) -> None:
        """The process dies in one of the next moves, before or after one of its writes."""

        async def story() -> None:
            self._bot.world.fate.doom(left, arrives=arrives)

        self._move(story)

    # ------------------------------------------------------------------ the end

    def teardown(self) -> None:
        try:
            if not self._is_broken:
                self._move(self._wound_up, is_quiet=True)
        finally:
            self._runner.run(self._buried())
            self._runner.close()

    async def _wound_up(self) -> None:
        """Everything is brought to its end: first by time, then whoever still waits is stopped."""
        court, scene = self._court, self._scene
        self._bot.clock.advance(hours=5)
        await court.rest()
        for who in sorted(scene.absent):
            scene.joins(who)
        for number, thread in enumerate(scene.threads):
            place = f"playground/local/general/{thread}"
            if await court.store.live_run(place):
                await scene.says(PersonId("ana"), number, "stop")
                await court.rest()
            assert not await court.store.live_run(place), f"the run of {thread} never ends"

    async def _buried(self) -> None:
        await self._bot.kill()
        await self._court.close()
