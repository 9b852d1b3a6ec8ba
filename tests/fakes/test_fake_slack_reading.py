"""The fake Slack's reader: what is on screen, who is rung, what can be clicked."""

from __future__ import annotations

from typing import Any

from tests.fakes.slack import FakeMessage, FakeSlack

Body = dict[str, Any]

SPOOF = "<!channel> <@U1> <!subteam^S1> <https://evil.example|https://bank.example> https://evil.example"


def plain(text: str) -> Body:
    return {"type": "plain_text", "text": text}


def section(text: str) -> Body:
    return {"type": "section", "text": plain(text)}


def code(text: str) -> Body:
    part = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [part]}


def _shown(slack: FakeSlack, block: Body, text: str = "") -> tuple[list[str], list[str]]:
    message = FakeMessage("C1", "1.2", slack.bot_user, slack.team, text, [{**block, "block_id": "b"}])
    return slack.mentions_of(message), slack.links_of(message)


async def test_the_reader_finds_what_mrkdwn_means(slack: FakeSlack) -> None:
    """T04, T05: a parser that finds nothing in the bad case would prove nothing in the good one."""
    mentions, links = _shown(slack, {"type": "section", "text": {"type": "mrkdwn", "text": SPOOF}})

    assert mentions == ["channel", "U1", "S1"]
    assert sorted(set(links)) == ["https://evil.example"]
    assert len(links) == 2


async def test_the_reader_finds_nothing_in_plain_text_and_code(slack: FakeSlack) -> None:
    assert _shown(slack, section(SPOOF)) == ([], [])
    assert _shown(slack, code(SPOOF)) == ([], [])


async def test_the_reader_looks_at_the_notification_too(slack: FakeSlack) -> None:
    """`text` beside blocks is not on screen, and still rings people's bells."""
    assert _shown(slack, section("x"), text="<!here> look")[0] == ["here"]
    assert _shown(slack, section("x"), text="&lt;!here&gt; look")[0] == []


async def test_the_reader_reads_in_order_and_unescaped(slack: FakeSlack) -> None:
    ana = slack.add_user("ana")
    blocks = [
        {"type": "header", "text": plain("Title"), "block_id": "1"},
        {"type": "section", "text": {"type": "mrkdwn", "text": f"<@{ana}> &lt;b&gt;"}, "block_id": "2"},
        {**code("rm -rf <x>"), "block_id": "3"},
        {"type": "actions", "elements": [{"type": "button", "text": plain("Go")}], "block_id": "4"},
    ]
    message = FakeMessage("C1", "1.2", slack.bot_user, slack.team, "fallback", blocks)

    assert slack.text_of(message).splitlines() == ["Title", "@ana <b>", "rm -rf <x>", "Go"]
    assert slack.buttons_of(message) == ["Go"]
