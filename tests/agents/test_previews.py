"""Previews and shown things: what a tool finds out beforehand, and what it shows people afterwards."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
import structlog

from agents.shown import FILE_MOST, FILES_MOST, SOURCES_MOST
from agents.toolbox import SECRET, FunctionTool, Shown, ToolProblem, tool
from agents.tools.files import WorkFolder, file_tools
from agents.tools.http import Hosts, http_tools
from agents.tools.mail import MailRoute, SmtpServer, mail_tools
from agents.tools.shop import Shop, shop_tools
from bot.domain.calls import Evidence, ToolResult
from bot.domain.ports import Previewing, Tool
from bot.domain.wire import Json
from tests.agents.given import call_of, named, run


def wiring(preview: Any, seconds: float = 10) -> FunctionTool:
    @tool(preview=preview, preview_timeout=timedelta(seconds=seconds))
    def wire(amount: int, pin: Annotated[str, SECRET] = "canary-pin") -> str:
        """Send money."""
        return f"{amount} {pin}"

    return wire


async def found(one: Any, **args: Json) -> tuple[Evidence, ...]:
    """What the preview of *one* says about a call with these arguments."""
    previewing: Previewing = one
    return await previewing.preview(call_of(one, args))


async def told(one: Tool, **args: Json) -> str:
    (piece,) = await found(one, **args)
    assert not piece.is_failed, piece
    return f"{piece.label} | {piece.text}"


async def failure(one: Tool, **args: Json) -> str:
    (piece,) = await found(one, **args)
    assert piece.is_failed
    return piece.text


def inside_of(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


# ----------------------------------------------------------------- the trait


async def test_a_preview_gets_the_arguments_as_the_tool_would() -> None:
    """Read, checked and with defaults filled in; text alone becomes a piece named for what it is."""
    one = wiring(lambda amount, pin: f"{amount + 1} {len(pin)}")

    assert one.spec.has_preview
    assert await found(one, amount=1) == (Evidence(label="Dry run", text="2 10"),)


async def test_a_preview_may_give_several_pieces_or_none() -> None:
    """Evidence, texts and lists of them."""
    plan = Evidence(label="Plan", text="Seq Scan", is_code=True)

    def seen(amount: int, pin: str) -> Any:  # noqa: ARG001
        return [plan, "3 rows"] if amount else None

    assert await found(wiring(seen), amount=1) == (plan, Evidence(label="Dry run", text="3 rows"))
    assert await found(wiring(seen), amount=0) == ()


async def test_a_tool_without_a_preview_finds_nothing() -> None:
    """And says so in its spec, so that nobody asks it."""

    @tool()
    def plain() -> str:
        """Do it."""
        return ""

    assert not plain.spec.has_preview
    assert await found(plain) == ()


@pytest.mark.parametrize(
    "preview",
    [lambda: 1, lambda amount: amount, lambda amount, pin, more: (amount, pin, more), lambda **x: x, lambda *x: x],
)
def test_a_preview_takes_what_its_tool_takes_or_is_refused_when_it_is_written(preview: Any) -> None:
    """A wrong name would only be noticed when somebody waits for a card."""
    with pytest.raises(TypeError, match=r"wire: its preview takes .*; it must take amount, pin"):
        wiring(preview)


def test_a_preview_needs_some_time() -> None:
    with pytest.raises(TypeError, match="write a time, such as preview_timeout"):
        wiring(lambda amount, pin: (amount, pin), seconds=0)


async def test_a_problem_is_told_and_any_other_failure_only_named() -> None:
    """T20: the log has the class of the error, never its message: that may hold values of arguments."""

    def unfit(amount: int, pin: str) -> str:
        raise ToolProblem(f"Account {amount} is closed; {pin} does not matter.")

    def broken(amount: int, pin: str) -> str:
        raise RuntimeError(f"{pin} {amount}")

    assert await failure(wiring(unfit), amount=7) == "Account 7 is closed; ••• does not matter."
    with structlog.testing.capture_logs() as logs:
        assert await failure(wiring(broken), amount=7) == "the preview of wire failed inside"
    assert "canary" not in str(logs)
    assert logs[0]["error"] == "RuntimeError"


@pytest.mark.parametrize("value", [7, b"raw", {"a": 1}, [object()]])
async def test_what_is_no_evidence_is_a_failure(value: object) -> None:
    def gives(amount: int, pin: str) -> object:  # noqa: ARG001  # a preview takes what its tool takes
        return value

    assert await failure(wiring(gives), amount=1) == "the preview of wire failed inside"


async def test_a_preview_that_takes_too_long_is_said_to() -> None:
    """Whether it waits or blocks a thread."""
    over = asyncio.Event()

    async def forever(amount: int, pin: str) -> str:  # noqa: ARG001
        await over.wait()
        return ""

    assert await failure(wiring(forever, 0.01), amount=1) == "the preview of wire gave no answer within 0.01 seconds"


async def test_a_cancelled_preview_is_cancelled() -> None:
    """A Stop must not become evidence."""
    began, over = asyncio.Event(), asyncio.Event()

    async def forever(amount: int, pin: str) -> str:  # noqa: ARG001
        began.set()
        await over.wait()
        return ""

    async with asyncio.TaskGroup() as group:
        looking = group.create_task(found(wiring(forever), amount=1), name="look")
        await began.wait()
        looking.cancel()
    assert looking.cancelled()


async def test_a_secret_never_stands_in_evidence() -> None:
    """T20: wherever it comes from, also as a label."""
    (piece,) = await found(wiring(lambda amount, pin: Evidence(label=f"of {pin}", text=f"{amount} {pin}")), amount=1)

    assert (piece.label, piece.text) == ("of •••", "1 •••")


# ------------------------------------------------------------------- shipped


async def test_a_refund_says_what_is_left_and_what_the_customer_would_have(tmp_path: Path) -> None:
    """PN-13: expected effect and cost, worked out from the tables, not from what an agent says."""
    shop = Shop.open(tmp_path / "shop.db")
    shop.refund(7, 4_000, "USD", "scratched", key="k")
    refund = named(shop_tools(shop))["refund"]

    text = await told(refund, order_id=7, amount=120, reason="broken")

    assert text == (
        "order 7 | Refunded so far 40.00 USD, left to refund 200.00 USD.\n"
        "With this Alice Moreau gets 160.00 USD of 240.00 USD back in all; 80.00 USD stay."
    )
    assert "200.00 USD left to refund" in await failure(refund, order_id=7, amount=201, reason="x")
    assert shop.order(7).refunded == 40


async def test_a_mail_says_whether_it_leaves_the_house(tmp_path: Path) -> None:
    """PN-13: inside or outside, how it is sent and how much of it there is."""
    (one,) = mail_tools(MailRoute(sender="bot@example.com", folder=tmp_path))
    (sent,) = mail_tools(MailRoute(sender="bot@example.com", folder=tmp_path, smtp=SmtpServer(host="h")))

    inside = await told(one, to="ana@EXAMPLE.com", subject="s", body="a\nb")
    outside = await told(sent, to="x@example.com.evil.org", subject="s", body="a")

    assert "inside our own domain example.com" in inside
    assert "nothing leaves this machine" in inside
    assert "3 bytes of text in 2 lines" in inside
    assert "outside: example.com.evil.org is not our own domain example.com" in outside
    assert "handed to the mail server" in outside
    assert inside_of(tmp_path) == []


async def test_a_file_says_what_would_change_or_be_lost(tmp_path: Path) -> None:
    """PN-13: a new file by its size, a changed one as a difference, a deleted one by how it begins; all untouched."""
    folder = WorkFolder(tmp_path)
    tools = named(file_tools(folder))
    folder.write("a.txt", "one\ntwo\n", key="k")

    assert "+ 2" in await told(tools["write_file"], path="a.txt", content="one\n2\n")
    assert "A new file of 2 bytes" in await told(tools["write_file"], path="b/c.txt", content="x\n")
    assert "8 bytes in 2 lines would be lost; it begins | one\ntwo" in await told(tools["delete_file"], path="a.txt")
    assert "There is no file" in await failure(tools["delete_file"], path="z.txt")
    assert "may not lead out" in await failure(tools["write_file"], path="../z", content="x")
    assert inside_of(tmp_path) == ["a.txt"]
    assert folder.read("a.txt") == "one\ntwo\n"


async def test_a_post_says_where_it_would_go_and_sends_nothing() -> None:
    """PN-13: the host, where its name leads just now, and how much would be sent; a refusal comes as it would."""
    post = named(http_tools(Hosts(["127.0.0.1:9"])))["http_post"]

    text = await told(post, url="http://127.0.0.1:9/hook", body="{}")

    assert "127.0.0.1, port 9, not encrypted; just now at 127.0.0.1 (private)" in text
    assert "2 bytes of application/json" in text
    assert "not on the list" in await failure(post, url="http://example.com", body="{}")
    assert "not JSON" in await failure(post, url="http://127.0.0.1:9/", body="{")


# --------------------------------------------------------------------- shown


async def shown(value: Shown, pin: str = "canary-pin") -> ToolResult:
    @tool()
    def show(pin: Annotated[str, SECRET]) -> Shown:  # noqa: ARG001
        """Show something."""
        return value

    return await run(show, {"pin": pin})


async def test_files_and_sources_come_with_a_result_and_the_model_reads_what_was_shown() -> None:
    """AS-28: the sources are for later cards; the model reads the value, and which files people see."""
    result = await shown(Shown({"rows": 3}, files=[("a.png", b"\x89PNG")], sources=["the orders table"]))

    (file,) = result.files
    assert (file.name, file.size, file.sha256) == ("a.png", 4, hashlib.sha256(b"\x89PNG").hexdigest())
    assert result.sources == ("the orders table",)
    assert result.text == '{"rows":3}\n(shown to people: a.png, 4 bytes)'


async def test_what_is_too_much_is_left_out_and_said_to_be() -> None:
    """Not more files, bytes or sources than anybody reads."""
    many = [(f"{n}.txt", b"x") for n in range(FILES_MOST + 2)]
    result = await shown(Shown("ok", files=many, sources=[f"place {n}" for n in range(SOURCES_MOST + 3)]))
    large = await shown(Shown("ok", files=[("big.bin", b"\xff" * (FILE_MOST + 1)), ("small.bin", b"\xff")]))

    assert len(result.files) == FILES_MOST
    assert "2 more files; 10 are the most" in result.text
    assert result.sources[-1] == "and 3 more"
    assert [file.name for file in large.files] == ["small.bin"]
    assert "not shown to people: big.bin is 5,000,001 bytes" in large.text


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        *(("../../etc/passwd", "passwd"), ("a\\b.png", "b.png"), ("", "file-1"), ("..", "file-1")),
        ("x\u202egnp.exe", "x_gnp.exe"),
    ],
)
async def test_a_file_has_a_plain_name(name: str, plain: str) -> None:
    """No folder, nothing hidden, nothing that turns the reading direction."""
    result = await shown(Shown("ok", files=[(name, b"x")]))

    assert [file.name for file in result.files] == [plain]


async def test_two_files_of_one_name_are_told_apart() -> None:
    result = await shown(Shown("ok", files=[("a.txt", b"1"), ("a.txt", b"2")]))

    assert [file.name for file in result.files] == ["a.txt", "2-a.txt"]


async def test_no_file_is_lost_to_a_name_that_another_was_given() -> None:
    """T02: what is shown is shown, or said to be left out."""
    result = await shown(Shown("ok", files=[("3-a.txt", b"1"), ("a.txt", b"2"), ("a.txt", b"3")]))

    assert [(file.name, file.content) for file in result.files] == [
        ("3-a.txt", b"1"), ("a.txt", b"2"), ("4-a.txt", b"3"),
    ]  # fmt: skip


async def test_a_secret_stands_in_no_file_name_source_or_text_file() -> None:
    """T20: in names, sources and files that are text; a picture cannot be searched."""
    files = [("canary-pin.txt", b"the pin is canary-pin")]
    result = await shown(Shown("ok", files=files, sources=["vault of canary-pin"]))

    assert "canary" not in f"{result.files} {result.sources}"
    assert result.files[0].content == "the pin is •••".encode()
