"""Secrets that hands are given by the host: of MCP servers, forges and git; looked for wherever anything is written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from agents.mcp.servers import Server
from agents.tools.forge import Forges, forge_tools
from agents.tools.git import Repos, git_tools
from agents.tools.github import GitHub
from agents.tools.gitrepo import Clone, Login, Source
from bot.domain.ports import Tool
from bot.domain.wire import Json, pack
from tests.agents.mcp.given import Desk, over_http, tool_named, tools_of, url
from tests.fakes.forge.github import FakeGitHub
from tests.fakes.forge.server import TOKEN, Say, Thing
from tests.fakes.loopback import answering
from tests.flows.stage import Build, Played, call, calls, policy, results, settled
from tests.flows.test_canaries import everything, spellings

IN_ENV, IN_HEADER, OF_GIT = "canary-env-aa/41+b", "canary-header-9c3f", "canary-git-2b77"
SECRETS = {"ENV": IN_ENV, "HEADER": IN_HEADER}
HELD = (IN_ENV, IN_HEADER, OF_GIT, TOKEN)


def found(where: object) -> list[bytes]:
    text = where if isinstance(where, bytes) else str(where).encode("utf-8", "backslashreplace")
    return [one for secret in HELD for one in spellings(secret) if one in text]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def served(stack: AsyncExitStack, folder: Path) -> list[Tool]:
    """A server as a process that tells what it was given, and one behind an address that wants a key."""
    tools: list[Tool] = []
    for name in ("pipe", "web"):
        (folder / name).mkdir()
    pipe, far = Desk(folder / "pipe"), Desk(folder / "web")
    pipe.offers(tool_named("leak"), tool_named("env"), tool_named("die"))
    far.offers(tool_named("echo"))
    await stack.enter_async_context(over_http(far))
    servers = (
        pipe.server(name="pipe", env={"TOKEN": "secret:ENV"}, read_only=("leak", "env", "die")),
        Server(name="far", url=url(far), headers={"X-Key": "Bearer secret:HEADER"}, read_only=("echo",)),
    )
    for server in servers:
        tools += (await stack.enter_async_context(tools_of(server, SECRETS))).values()
    return tools


async def forge(stack: AsyncExitStack) -> tuple[FakeGitHub, Sequence[Tool]]:
    site = await stack.enter_async_context(FakeGitHub())
    site.project.issues[3] = Thing(title="It hangs", body="always")
    return site, forge_tools(Forges({"github": (GitHub(lambda: TOKEN, site.url), ["acme/site"])}))


async def git(stack: AsyncExitStack, folder: Path) -> tuple[list[str], Sequence[Tool]]:
    """A site that asks for a login and knows none; what it was told."""
    told: list[str] = []

    async def refuse(request: web.Request) -> web.Response:
        told.append(request.headers.get("Authorization", ""))
        return web.Response(status=401, text=str(told), headers={"WWW-Authenticate": "Basic"})

    base = f"{await stack.enter_async_context(answering(refuse))}/"
    login = Login(site=base, user="x-access-token", token=lambda: OF_GIT)
    return told, git_tools(Repos([Clone(Source.read(f"ours={base}x.git"), folder / "clones", [login])]))


async def test_no_secret_of_a_hand_reaches_a_chat_a_model_a_log_or_the_store(
    build: Build, stack: AsyncExitStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """T20, I15: servers repeat what they were given, die and refuse; cards, files, words to the model, the journal and
    every other key in Redis, the audit and log lines hold none of it."""
    site, forges = await forge(stack)
    told, gits = await git(stack, tmp_path)
    tools = (*await served(stack, tmp_path), *forges, *gits)
    names = {one.spec.name for one in tools}
    comment: dict[str, Json] = {"repo": "github:acme/site", "number": 3, "text": "Fixed."}
    wanted = [call(name) for name in ("pipe__leak", "pipe__env", "pipe__die", "far__echo")]
    wanted += [call("git_log", repo="ours"), call("post_comment", **comment)]
    assert {one.tool for one in wanted} <= names
    site.trouble = Say(401, method="POST")
    model = Played(*(calls(one) for one in wanted))

    async with build(policy=policy(), tools=tools, model=model) as house:
        await house.mention("ana", "tell me all")
        await house.press("approve", by="bo")  # the comment; all else only reads
        await house.shows("Results:")
        assert await settled(house)

        read = results(model.asked[-1])
        assert len(read) == len(wanted)
        assert "•••" in read[0]
        assert any(one.startswith("Basic ") for one in told)
        assert found(model.asked) == []
        assert [one for post in house.chat.posts for card in post.cards for one in found(pack(card))] == []
        assert found(house.chat.whispers) == []
        assert found(await house.store.audit_lines(0, 0, -1)) == []
        assert [name for name, value in await everything(house) if found(name) or found(value)] == []
    assert found(capsys.readouterr()) == []
