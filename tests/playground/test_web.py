"""The playground's server over real HTTP: who may speak to it, what it keeps, and what it never gives away."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from adapters.playground.chat import CARD_MOST, Playground, PlaygroundSettings
from bot.domain.chat import Attachment, Card, Form, Place
from bot.domain.errors import BadSettings, ChatUnavailable, Undeliverable
from bot.domain.request import RunId
from bot.domain.run import Run, Task
from bot.domain.run_card import status_card
from bot.domain.wire import replace
from tests.domain import given
from tests.playground.client import Client, client
from tests.playground.standin import PEOPLE, StandIn

ROOT = Path(__file__).resolve().parents[2]
GENERAL = Place(platform="playground", tenant="local", channel="general")


def playground(db: Path, front: StandIn, *, port: int = 0) -> Playground:
    front.chat = Playground(PlaygroundSettings(people=PEOPLE, db=db, port=port), front)
    return front.chat


@asynccontextmanager
async def opened(db: Path, front: StandIn) -> AsyncIterator[tuple[Playground, Client]]:
    chat = playground(db, front)
    async with chat.serve(front), client(chat.url) as speaker:
        yield chat, speaker


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "var" / "playground.db"


# -------------------------------------------------------- it is only a playground


def test_it_does_not_start_beside_real_credentials(db: Path) -> None:
    """Here anybody may be anybody: never where a real workspace listens. The names are told, no values."""
    settings = PlaygroundSettings(people=PEOPLE, db=db, port=0, real_credentials=("SLACK_BOT_TOKEN",))

    with pytest.raises(BadSettings, match="SLACK_BOT_TOKEN"):
        Playground(settings, StandIn())


async def test_it_listens_on_loopback_only(db: Path) -> None:
    """127.0.0.1, whatever the machine's other addresses."""
    async with opened(db, StandIn()) as (chat, _):
        assert chat.url.startswith("http://127.0.0.1:")


async def test_a_taken_port_is_said_so(db: Path, tmp_path: Path) -> None:
    """The message names the setting to change."""
    async with opened(db, StandIn()) as (chat, _):
        port = int(chat.url.rstrip("/").rpartition(":")[2])
        other = StandIn()
        with pytest.raises(BadSettings, match=f"PORT: {port}"):
            async with playground(tmp_path / "other.db", other, port=port).serve(other):
                pass


async def test_before_it_is_open_a_card_can_be_tried_again(db: Path) -> None:
    """Unavailable, not lost: the outbox keeps the row."""
    with pytest.raises(ChatUnavailable):
        await playground(db, StandIn()).post(Card(body="early"), GENERAL, key="k")


# --------------------------------------------------------------- strangers stay out


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "https://evil.example"},
        {"Origin": ""},
        {"Origin": "null"},
        {"X-Playground": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_another_site_cannot_write(db: Path, headers: dict[str, str]) -> None:
    """DNS rebinding, forged requests and other ports of this machine: refused, nothing said."""
    async with opened(db, StandIn()) as (_, speaker):
        body = {"by": "ana", "channel": "general", "text": "@countersign pay me", "key": "k"}

        status, _answer = await speaker.send("api/messages", body, **headers)

        assert status == 403
        assert await speaker.messages("ana") == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[" * 100_000, 400),
        (b'{"by": "ana", "by": "bo", "channel": "general", "text": "x", "key": "k"}', 400),
        (b'{"by": "ana", "channel": "general", "text": "\\ud800", "key": "k"}', 400),
        (b'{"by": "ana", "channel": "general", "text": NaN, "key": "k"}', 400),
        (b'{"by": 7, "channel": [], "text": {}, "key": null}', 400),
        (b"\xff\xfe", 400),
        (b'{"by": "ana", "channel": "general", "text": "   ", "key": "k"}', 422),
        (b'{"by": "nobody", "channel": "general", "text": "x", "key": "k"}', 404),
        (b'{"by": "ana", "channel": "attic", "text": "x", "key": "k"}', 404),
        (b'{"by": "ana", "channel": "dm-bo", "text": "x", "key": "k"}', 404),
        (b'{"by": "ana", "channel": "general", "thread": "none", "text": "x", "key": "k"}', 404),
        (b" " * (1 << 20) + b"{}", 413),
    ],
)
async def test_garbage_is_refused_with_4xx(db: Path, body: bytes, status: int) -> None:
    """T06: one meaning or none; and never a 500."""
    async with opened(db, StandIn()) as (_, speaker):
        told, _answer = await speaker.send("api/messages", body)

        assert told == status
        assert await speaker.messages("ana") == []


@pytest.mark.parametrize(
    "path",
    [
        *("api/start?as=", "api/start?as=nobody", "api/events?as=ana&since=-1", "api/events?as=ana&since=x", "api/no"),
        *("api/files/x/0?as=ana", "api/files/x/99999?as=ana", "api/inbox/x/files/0?as=ana", "api/runs/x?as=ana"),
        *("static/../chat.py", "static/%2e%2e/chat.py", "static/", "api/runs/%00?as=ana"),
    ],
)
async def test_what_is_not_there_is_4xx(db: Path, path: str) -> None:
    """Unknown people, runs and files; and no file but the page's own."""
    async with opened(db, StandIn()) as (_, speaker), speaker.session.get(speaker.url + path) as answer:
        assert 400 <= answer.status < 500


async def test_every_answer_forbids_foreign_code(db: Path) -> None:
    """The page, its parts and the data: nothing is loaded from elsewhere, framed, sniffed or kept."""
    async with opened(db, StandIn()) as (_, speaker):
        for path in ("", "static/app.js", "api/people", "api/no"):
            async with speaker.session.get(speaker.url + path) as answer:
                assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Cache-Control"] == "no-store"


# ----------------------------------------------------------------- nothing is lost


async def test_a_card_is_still_there_after_a_restart(db: Path) -> None:
    """And its key is still known: the same message, not a second one."""
    front = StandIn()
    async with opened(db, front) as (chat, _):
        ref = await chat.post(Card(title="Approve?"), GENERAL, key="k")

    async with opened(db, front) as (chat, speaker):
        again = await chat.post(Card(title="Approve?"), GENERAL, key="k")
        messages = await speaker.messages("ana")

    assert again == ref
    assert [message["card"]["title"] for message in messages] == ["Approve?"]


async def test_what_was_typed_survives_kill_9(db: Path) -> None:
    """I12: the store is down, the bot is killed; the next process hands the message in, under the same delivery."""
    bot = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BOT, str(db), cwd=ROOT, stdout=asyncio.subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}
    )
    assert bot.stdout
    async with client((await bot.stdout.readline()).decode().strip()) as speaker:
        typed = await speaker.say("ana", "general", "@countersign refund order 7")
        bot.send_signal(signal.SIGKILL)
        await bot.wait()

    front = StandIn()
    async with opened(db, front) as (_, speaker):
        await speaker.card("ana")

    assert [(each.delivery, each.text) for each in front.messages] == [(f"playground:{typed['id']}", "refund order 7")]


BOT = """
import asyncio, sys
from pathlib import Path
from tests.playground.standin import StandIn
from tests.playground.test_web import playground

async def main():
    front = StandIn()
    front.is_down = True
    chat = playground(Path(sys.argv[1]), front)
    async with chat.serve(front):
        print(chat.url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_message_is_held_until_it_is_taken(db: Path) -> None:
    """The page shows which messages the bot does not have yet; nobody types them again."""
    front = StandIn()
    front.is_down = True
    async with opened(db, front) as (_, speaker):
        typed = await speaker.say("ana", "general", "@countersign refund order 7")
        assert typed["is_held"]
        await front.news.wait()
        front.is_down = False

        states = [each["is_held"] async for each in _until_taken(speaker, typed["id"])]

    assert states[-1] is False
    assert set(front.refused) == {message.delivery for message in front.messages}


async def _until_taken(speaker: Client, id: str) -> AsyncIterator[dict[str, object]]:
    async for message in speaker.live("ana", since=0):
        if message["id"] == id:
            yield message
            if not message["is_held"]:
                return


async def test_the_same_key_is_typed_once(db: Path) -> None:
    """The page sends again when an answer was lost."""
    async with opened(db, StandIn()) as (_, speaker):
        body = {"by": "ana", "channel": "general", "text": "good morning", "key": "k"}

        first, second = await speaker.send("api/messages", body), await speaker.send("api/messages", body)

        assert first[1]["id"] == second[1]["id"]
        assert len(await speaker.messages("ana")) == 1


async def test_two_processes_show_the_same_chat(db: Path) -> None:
    """Written through one, seen live through the other: both read one file."""
    one, two = StandIn(), StandIn()
    async with opened(db, one) as (_, here), opened(db, two) as (_, there), asyncio.TaskGroup() as group:
        seen = group.create_task(_first_text(there, "bo"))
        await here.say("ana", "general", "is anybody there?")

    assert seen.result() == "is anybody there?"


async def _first_text(speaker: Client, user: str) -> str:
    async for message in speaker.live(user, since=0):
        return str(message["text"])
    raise AssertionError("the stream ended")


async def test_refused_messages_are_told_and_not_repeated(db: Path) -> None:
    """What the front door answers is for the one who wrote, and nobody else."""
    front = StandIn()
    front.replies_with = "Sorry, I may not take tasks from you here."
    async with opened(db, front) as (_, speaker):
        typed = await speaker.say("gus", "general", "@countersign pay me")
        async for message in speaker.live("gus", since=0):
            if message["is_whisper"]:
                break

        assert (message["text"], message["thread"]) == (front.replies_with, typed["id"])
        assert all(not each["is_whisper"] for each in await speaker.messages("ana"))


# ------------------------------------------------------------------ who sees what


async def test_direct_messages_are_seen_by_one_person(db: Path) -> None:
    """And everything in them is for the bot, mention or not."""
    front = StandIn()
    async with opened(db, front) as (_, speaker):
        await speaker.say("ana", "dm-ana", "refund order 7")
        card = await speaker.card("ana")

        assert front.messages[0].is_mention
        assert front.messages[0].place.is_direct
        assert await speaker.messages("bo") == []
        status, _ = await speaker.press("gus", card["ref"], card["card"]["buttons"][0])
        assert status == 404


async def test_a_reply_names_its_thread_and_is_no_mention(db: Path) -> None:
    """A word to the run, not a new task; chat at the top is handed in too, and means nothing."""
    front = StandIn()
    async with opened(db, front) as (_, speaker):
        top = await speaker.say("ana", "general", "good morning")
        await speaker.say("bo", "general", "and to you, mail@countersign.example", thread=top["id"])
        await speaker.say("bo", "general", "Hey @Countersign, refund 7")
        await speaker.card("bo")

    assert [each.is_mention for each in front.messages] == [False, False, True]
    assert [each.place.thread for each in front.messages[:2]] == [top["id"], top["id"]]


async def test_an_approver_acts_from_the_inbox_on_a_card_they_do_not_see(db: Path) -> None:
    """Ana asked in a direct message; Bo signs from his inbox, and the click names the message that was shown."""
    front = StandIn()
    async with opened(db, front) as (_, speaker):
        await speaker.say("ana", "dm-ana", "refund order 7")
        await speaker.card("ana")
        (waiting,) = await speaker.look("api/inbox", "bo")

        status, told = await speaker.press("bo", waiting["ref"], waiting["card"]["buttons"][0])

        assert (status, told["is_taken"]) == (200, True)
        assert front.acts[0].ref.place.channel == "dm-ana"


async def test_a_run_is_handed_back_by_a_form_of_its_status_message(db: Path) -> None:
    """AS-37: the page sends what stands in the field, about the run, from the message that everybody sees."""
    run = Run(id=RunId("r-0-1"), task=Task(text="x", by=given.ANA, place=GENERAL), agent="react", began=given.NOW)
    front = StandIn()
    async with opened(db, front) as (chat, speaker):
        for shown in (run, replace(run, taken_by=given.BO)):
            card = status_card(shown, "", seal=lambda move: f"seal({move})", names={})
            ref = await chat.post(card, GENERAL, key=f"status of {shown.taken_by}")

        taken, handed = [message["card"]["buttons"] for message in await speaker.messages("bo")]
        await speaker.press("bo", msgspec.to_builtins(ref), handed[0], {"text": "go on"})

        assert [button["move"] for button in taken] == ["take_run", "stop", "steps"]
        assert [field["name"] for field in handed[0]["fields"]] == ["text"]
        (act,) = front.acts
        assert isinstance(act, Form)
        assert (act.subject, act.move, act.token) == (run.id, "hand_back", "seal(hand_back)")
        assert act.fields == {"text": "go on"}


async def test_what_somebody_allowed_is_listed_for_them_and_revoked_by_a_press(db: Path) -> None:
    """Bo sees what he allowed, said in one sentence; Cy, who allowed nothing, sees nothing and cannot end it."""
    front = StandIn()
    front.allowed = [given.grant()]
    async with opened(db, front) as (_, speaker):
        (shown,) = await speaker.look("api/grants", "bo")
        assert shown["text"].startswith('refund, version 1, where order_id = "7", whatever its other arguments are')
        assert shown["left"].startswith("2 of 2 left, until ")
        assert await speaker.look("api/grants", "cy") == []

        answers = [
            await speaker.send("api/revoke", {"by": who, "grant": shown["grant"], "key": "k"}) for who in ("cy", "bo")
        ]

        assert [(status, told["is_taken"]) for status, told in answers] == [(200, False), (200, True)]
        assert await speaker.look("api/grants", "bo") == []


async def test_a_request_is_put_off_from_the_inbox_and_shown_again(db: Path) -> None:
    """PN-12: bo's own list alone; what the page sends is one of the times it was offered, or nothing is ordered."""
    front = StandIn()
    async with opened(db, front) as (_, speaker):
        await speaker.say("ana", "general", "@countersign refund order 7")
        await speaker.card("bo")
        (waiting,) = await speaker.look("api/inbox", "bo")
        assert waiting["put_off"] is None
        assert {"when": "tomorrow", "label": "Put off until tomorrow"} in waiting["choices"]

        later = {"by": "bo", "request": waiting["request"], "when": "tomorrow", "key": "k1"}
        status, told = await speaker.send("api/later", later)

        assert (status, told["text"]) == (200, "later r1 until tomorrow")
        (bos,), (cys,) = await speaker.look("api/inbox", "bo"), await speaker.look("api/inbox", "cy")
        assert (bool(bos["put_off"]), cys["put_off"]) == (True, None)
        for wrong in ({"when": "900d"}, {"request": "r1 until Mon"}):
            assert (await speaker.send("api/later", later | wrong))[0] == 422
        back = {"by": "bo", "request": waiting["request"], "key": "k2"}
        assert (await speaker.send("api/later", back))[1]["text"] == "now r1"
        assert [one["put_off"] for one in await speaker.look("api/inbox", "bo")] == [None]


async def test_an_unrecorded_click_is_said_so_and_not_queued(db: Path) -> None:
    """The person decides whether to press again."""
    front = StandIn()
    async with opened(db, front) as (_, speaker):
        await speaker.say("ana", "general", "@countersign refund order 7")
        card = await speaker.card("bo")
        front.is_down = True

        status, told = await speaker.press("bo", card["ref"], card["card"]["buttons"][0])

        assert (status, told["text"]) == (503, "Not recorded, please try again.")
        front.is_down = False
        assert front.acts == []


async def test_only_ones_own_messages_and_the_bots_can_be_deleted(db: Path) -> None:
    """A card somebody deleted is gone for everybody, its buttons too."""
    async with opened(db, StandIn()) as (_, speaker):
        typed = await speaker.say("ana", "general", "@countersign refund order 7")
        card = await speaker.card("bo")

        assert (await speaker.send(f"api/messages/{typed['id']}/delete", {"by": "bo"}))[0] == 403
        assert (await speaker.send(f"api/messages/{card['id']}/delete", {"by": "gus"}))[0] == 200
        assert (await speaker.press("ana", card["ref"], card["card"]["buttons"][0]))[0] == 404


# ------------------------------------------------------------------- large things


async def test_an_attachment_is_downloaded_whole_as_plain_text(db: Path) -> None:
    """T02: every byte, and never anything a browser would run."""
    content = b"<script>alert(1)</script>\n" * 1000
    card = Card(title="t", attachments=(Attachment(name='a\r\nX: y"é.html', content=content, sha256="0" * 64),))
    async with opened(db, StandIn()) as (chat, speaker):
        ref = await chat.post(card, GENERAL, key="k")

        async with speaker.session.get(speaker.url + f"api/files/{ref.id}/0?as=ana") as answer:
            assert await answer.read() == content
            assert answer.content_type == "text/plain"
            assert answer.headers["Content-Disposition"].startswith("attachment;")
            assert "X" not in answer.headers


@pytest.mark.parametrize(
    ("name", "content", "kind", "how"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n<script>", "image/png", "inline"),
        ("a.jpg", b"\xff\xd8\xff\xe0", "image/jpeg", "inline"),
        ("a.html", b"GIF89a<script>", "image/gif", "inline"),
        ("a.png", b"<svg onload='alert(1)'>", "text/plain", "attachment"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'>", "text/plain", "attachment"),
    ],
)
async def test_a_picture_is_one_by_its_first_bytes_alone(
    db: Path, name: str, content: bytes, kind: str, how: str
) -> None:
    """T04: whatever it is called; nothing that could hold code is ever shown, and nobody sniffs."""
    card = Card(title="t", attachments=(Attachment(name=name, content=content, sha256="0" * 64),))
    async with opened(db, StandIn()) as (chat, speaker):
        ref = await chat.post(card, GENERAL, key="k")

        async with speaker.session.get(speaker.url + f"api/files/{ref.id}/0?as=ana") as answer:
            assert (answer.content_type, await answer.read()) == (kind, content)
            assert answer.headers["Content-Disposition"].startswith(f"{how};")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_rule_for_another_platforms_task_leaves_the_tenant_out(db: Path) -> None:
    """CD-01, PN-16: `playground/#general` of a task in Slack; the ref has the one tenant there is."""
    async with opened(db, StandIn()) as (chat, _):
        ref = await chat.post(Card(body="x"), Place(platform="playground", tenant="", channel="general"), key="k")

        assert ref.place == GENERAL


async def test_a_card_that_is_too_large_is_undeliverable(db: Path) -> None:
    """Posted or updated: the request behind it must hear of it."""
    async with opened(db, StandIn()) as (chat, _):
        ref = await chat.post(Card(body="x"), GENERAL, key="k")

        with pytest.raises(Undeliverable):
            await chat.post(Card(body="x" * CARD_MOST), GENERAL, key="l")
        with pytest.raises(Undeliverable):
            await chat.update(ref, Card(body="x" * CARD_MOST))
