"""GitHub and GitLab: one protocol, two strict imitations, the same claims for both."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from agents.toolbox import FunctionTool
from agents.tools.forge import Forge, Forges, forge_tools
from agents.tools.github import GitHub
from agents.tools.gitlab import GitLab
from bot.domain.calls import Outcome, Risk
from tests.agents.given import Caller
from tests.fakes.forge.github import FakeGitHub
from tests.fakes.forge.gitlab import FakeGitLab
from tests.fakes.forge.server import TIP, TOKEN, FakeForge, Lose, Say, Thing
from tests.fakes.loopback import answering

MARK = "<!-- countersign:"


class There(Caller):
    """A forge with one issue and one pull request, and the tools that speak to it."""

    def __init__(self, name: str, server: FakeForge, token: str = TOKEN) -> None:
        self.server, self.project, self.name = server, server.project, name
        self.repo = f"{name}:acme/site"
        self.project.issues[3] = Thing(title="It hangs", body="always", comments=["me too", "and me"])
        self.project.changes[7] = Thing(
            title="Fix it", head="fix/1", base="main", diff="@@ -1 +1 @@\n-a\n+b\n", comments=["nice"],
            line_comments=[("a.txt", 4, "why?")],
        )  # fmt: skip
        kinds: dict[str, type[GitHub] | type[GitLab]] = {"github": GitHub, "gitlab": GitLab}
        self.forge: Forge = kinds[name](lambda: token, server.url)
        self.tools = {
            one.spec.name: one
            for one in forge_tools(Forges({name: (self.forge, ["acme/site"])}))
            if isinstance(one, FunctionTool)
        }

    async def read(self, tool: str, **args: Any) -> dict[str, Any]:
        return dict(json.loads(await self.told(tool, **args)))


@pytest.fixture(params=["github", "gitlab"])
async def there(request: pytest.FixtureRequest) -> AsyncIterator[There]:
    servers: dict[str, type[FakeForge]] = {"github": FakeGitHub, "gitlab": FakeGitLab}
    async with servers[request.param]() as server:
        yield There(request.param, server)


COMMENT: dict[str, Any] = {"number": 3, "text": "Fixed in **main**."}
OPEN: dict[str, Any] = {"title": "Fix", "body": "Why: it hung.", "head": "fix/1", "base": "main", "commit": TIP}


def test_risks_are_declared() -> None:
    """AS-02: what others read cannot be taken back, and no rule may let it through unasked."""
    tools = {one.spec.name: one.spec for one in forge_tools(Forges({}))}

    assert {name for name, spec in tools.items() if spec.risk is Risk.READ} == {"read_issue", "read_pull_request"}
    for name in ("post_comment", "open_pull_request"):
        assert (tools[name].risk, tools[name].is_idempotent) == (Risk.IRREVERSIBLE, True)
        assert "messages" in tools[name].touches


# ------------------------------------------------------------------ reading


async def test_an_issue_is_read_with_its_comments(there: There) -> None:
    """What the forge notes by itself is left out; a deleted account is a ghost."""
    issue = await there.read("read_issue", number=3)

    assert (issue["number"], issue["title"], issue["body"], issue["author"]) == (3, "It hangs", "always", "ana")
    assert [one["text"] for one in issue["comments"]] == ["me too", "and me"]
    assert issue["state"] in ("open", "opened")
    assert not issue["is_cut"]


async def test_a_pull_request_is_read_with_its_difference_and_remarks_at_lines(there: There) -> None:
    """The newest commit is told, too: what is proposed later can name it."""
    change = await there.read("read_pull_request", number=7)

    assert (change["base"], change["head"], change["commit"]) == ("main", "fix/1", TIP)
    assert "-a\n+b" in change["diff"]
    assert [(one["path"], one["line"], one["text"]) for one in change["comments"]] == [
        ("", 0, "nice"),
        ("a.txt", 4, "why?"),
    ]


async def test_many_pages_are_read_and_then_it_says_that_there_is_more(there: There) -> None:
    """Five pages of a hundred; the sixth is not asked for."""
    there.project.issues[3].comments = [f"n{at}" for at in range(250)]
    some = await there.read("read_issue", number=3)
    there.project.issues[3].comments = [f"n{at}" for at in range(650)]
    many = await there.read("read_issue", number=3)

    assert [one["text"] for one in some["comments"]] == [f"n{at}" for at in range(250)]
    assert (some["is_cut"], many["is_cut"], len(many["comments"])) == (False, True, 500)
    assert not [one for one in there.server.asked if "page=6" in one]


@pytest.mark.parametrize(
    "repo",
    ["acme/site", "github:acme/other", "gitlab:acme/other", "other:acme/site", "github:acme/site/../other",
     "gitlab:acme/..", "github:acme/site?x=1", "github:", "gitlab:/acme/site", "github:acme/site#"],
)  # fmt: skip
async def test_only_listed_projects_are_asked(there: There, repo: str) -> None:
    """A token may see more than the agent: the list decides, and nothing is sent before it."""
    told = await there.refused("read_issue", repo=repo, number=3)

    assert told.endswith(f"is not an allowed repository; there are {there.name}:acme/site.")
    assert there.server.asked == []


def test_a_star_admits_what_is_below_and_nothing_beside() -> None:
    """ "acme/*" is not "acme2/x"."""
    forges = Forges({"gitlab": (GitLab(lambda: ""), ["acme/*"])})

    assert forges.find("gitlab:acme/group/site")[1] == "acme/group/site"
    with pytest.raises(Exception, match="is not an allowed repository"):
        forges.find("gitlab:acme2/site")


# ------------------------------------------------------------------- trouble


@pytest.mark.parametrize(
    ("say", "told"),
    [
        (Say(404), "there is no such thing, or the token may not see it (404). Nothing was changed."),
        (Say(403), "the token may not do this (403). Nothing was changed."),
        (Say(429, {"Retry-After": "17"}), "lets us ask no more for now; try again in 17 seconds. Nothing was changed."),
        (Say(403, {"Retry-After": "60"}), "lets us ask no more for now; try again in 60 seconds. Nothing was changed."),
        (
            Say(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1000000090",
                      "Date": "Sun, 09 Sep 2001 01:46:40 GMT"}),
            "lets us ask no more for now; try again in 90 seconds. Nothing was changed.",
        ),
        (Say(422), "it refused (422): trouble. Nothing was changed."),
        (Say(502), "gave no usable answer."),
        (Say(301, {"Location": "http://127.0.0.1:1/else"}), "it points to another address (301). Nothing was changed."),
    ],
)  # fmt: skip
async def test_each_refusal_is_a_sentence(there: There, say: Say, told: str) -> None:
    """For a reading, and for a comment whose first look already fails: in no case is anything posted."""
    for tool, args in (("read_issue", {"number": 3}), ("post_comment", COMMENT)):
        there.server.trouble = say
        assert (await there.refused(tool, **args)).endswith(told)
    assert there.project.issues[3].comments == ["me too", "and me"]


async def test_what_is_missing_is_told(there: There) -> None:
    """By the forge's own answer, for an issue and for a branch."""
    told = "there is no such thing, or the token may not see it (404). Nothing was changed."

    assert (await there.refused("read_issue", number=99)).endswith(told)
    assert (await there.refused("open_pull_request", **OPEN | {"head": "nowhere"})).endswith(told)


async def test_a_wrong_token_is_told_and_never_shown(there: There) -> None:
    """T16: the token is in no answer and no sentence."""
    told = await There(there.name, there.server, token="canary-wrong").refused("read_issue", number=3)

    assert told.endswith("the token is not accepted (401). Nothing was changed.")
    assert "canary" not in told


async def test_a_forge_that_is_gone_is_told_and_nothing_was_sent(there: There) -> None:
    """Not reached at all is no doubt."""
    await there.server.__aexit__(None, None, None)

    assert (await there.refused("post_comment", **COMMENT)).endswith("cannot be reached. Nothing was sent.")


async def test_the_token_follows_no_redirect(there: There) -> None:
    """T24: another host, on the same machine here, is never asked."""
    met: list[str | None] = []

    async def note(request: web.Request) -> web.Response:
        met.append(request.headers.get("Authorization") or request.headers.get("PRIVATE-TOKEN"))
        return web.json_response({})

    async with answering(note) as url:
        for status in (301, 302, 307, 308):
            there.server.trouble = Say(status, {"Location": f"{url}/x"})
            await there.refused("read_issue", number=3)

    assert met == []


async def test_the_token_is_asked_for_when_a_request_is_made(there: There) -> None:
    """A token that is exchanged while the bot runs is used from the next request on."""
    tokens = [TOKEN, "old", TOKEN]
    kinds: dict[str, type[GitHub] | type[GitLab]] = {"github": GitHub, "gitlab": GitLab}
    forge = kinds[there.name](lambda: tokens.pop(), there.server.url)

    assert await forge.tip("acme/site", "main") == "b" * 40
    with pytest.raises(Exception, match="the token is not accepted"):
        await forge.tip("acme/site", "main")
    assert await forge.tip("acme/site", "main") == "b" * 40


# ---------------------------------------------------------------- commenting


async def test_people_see_where_a_comment_goes_and_it_is_posted_once(there: There) -> None:
    """D-50: started twice with one key, there is one comment; another call's is another."""
    (shown,) = await there.before("post_comment", **COMMENT)
    first = await there.read("post_comment", **COMMENT)
    again = await there.read("post_comment", **COMMENT)
    other = await there.read("post_comment", key="key-2", **COMMENT)

    assert shown.text.startswith("acme/site#3: It hangs (open")
    assert again == first
    assert other != first
    texts = there.project.issues[3].comments[2:]
    assert [text.partition("\n\n" + MARK)[0] for text in texts] == ["Fixed in **main**."] * 2
    assert len(set(texts)) == 2


async def test_a_comment_goes_under_a_pull_request_too(there: There) -> None:
    """On GitLab the two have numbers of their own."""
    (shown,) = await there.before("post_comment", number=7, text="Good.", is_pull_request=True)
    await there.read("post_comment", number=7, text="Good.", is_pull_request=True)

    assert "Fix it" in shown.text
    assert there.project.changes[7].comments[1].startswith("Good.\n\n<!-- countersign:")


async def test_a_comment_of_an_earlier_start_is_found_among_many(there: There) -> None:
    """The mark is looked for among the newest, wherever the pages end."""
    there.project.issues[3].comments = [f"n{at}" for at in range(350)]

    first = await there.read("post_comment", **COMMENT)
    again = await there.read("post_comment", **COMMENT)

    assert again == first
    assert len(there.project.issues[3].comments) == 351


async def test_a_lost_answer_is_looked_for_and_found(there: There) -> None:
    """D-50: the comment is there, its answer was not; we look instead of guessing."""
    there.server.trouble = Lose()

    assert (await there.read("post_comment", **COMMENT))["url"]
    assert len(there.project.issues[3].comments) == 3


async def test_a_lost_answer_that_nobody_can_look_for_is_unknown(there: There) -> None:
    """And the next start, with the same key, finds it and posts nothing."""
    there.server.trouble = Lose(again=True)
    lost = await there.do("post_comment", **COMMENT)
    there.server.is_dead = False
    again = await there.do("post_comment", **COMMENT)

    assert lost.outcome is Outcome.UNKNOWN
    assert lost.text.endswith("gave no usable answer. Whether it took what was sent is not known.")
    assert again.outcome is Outcome.OK
    assert len(there.project.issues[3].comments) == 3


async def test_a_failure_after_sending_is_no_failure_for_sure(there: There) -> None:
    """A gateway's 502 for a POST, and the comment is not there yet: unknown, not refused."""
    there.server.trouble = Say(502, method="POST")

    assert (await there.do("post_comment", **COMMENT)).outcome is Outcome.UNKNOWN


async def test_a_text_may_not_hold_our_mark(there: There) -> None:
    """Else one call's text could pass for another call's."""
    told = await there.refused("post_comment", **COMMENT | {"text": f"x {MARK}0 -->"})

    assert told == "The text may not hold '<!-- countersign:': that mark is ours."
    assert there.server.asked == []


# ------------------------------------------------------------------ proposing


async def test_people_see_the_commits_and_files_and_then_it_is_opened_once(there: There) -> None:
    """AU-22, D-33: what is proposed stands on the card; two starts open one pull request."""
    there.project.changes.clear()

    commits, files = await there.before("open_pull_request", **OPEN)
    first = await there.read("open_pull_request", **OPEN)
    again = await there.read("open_pull_request", **OPEN)

    assert commits.text.endswith("Ana: Fix it")
    assert files.text.startswith("M a.txt")
    assert again == first
    ((number, made),) = there.project.changes.items()
    assert (first["number"], made.title, made.head, made.base) == (number, "Fix", "fix/1", "main")
    assert made.body.startswith("Why: it hung.\n\n<!-- countersign:")


async def test_a_lost_answer_opens_no_second_one(there: There) -> None:
    """D-50: also where it was merged or closed before we looked."""
    there.project.changes.clear()
    there.server.trouble = Lose(again=True)
    lost = await there.do("open_pull_request", **OPEN)
    there.server.is_dead = False
    for one in there.project.changes.values():
        one.state = "closed"
    again = await there.read("open_pull_request", **OPEN)

    assert lost.outcome is Outcome.UNKNOWN
    assert [again["number"]] == list(there.project.changes)


async def test_somebody_elses_pull_request_is_told_in_the_forges_words(there: There) -> None:
    """422 on one, 409 on the other."""
    told = await there.refused("open_pull_request", **OPEN)

    assert "already exists for" in told
    assert told.endswith(". Nothing was changed.")
    assert list(there.project.changes) == [7]


async def test_a_branch_that_moved_after_the_signature_is_not_proposed(there: There) -> None:
    """D-25: people signed for one commit; the preview says so, too."""
    there.project.changes.clear()
    there.project.branches["fix/1"] = "c" * 40

    (shown,) = await there.before("open_pull_request", **OPEN)
    told = await there.refused("open_pull_request", **OPEN)

    assert told == f"The newest commit of fix/1 there is {'c' * 40}, not {TIP}. Nothing was opened."
    assert (shown.is_failed, shown.text) == (True, told)
    assert there.project.changes == {}


@pytest.mark.parametrize("text", ["/merge", "Fine.\n  /approve\nThanks", "/label ~x"])
async def test_a_comment_is_never_a_command(there: There, text: str) -> None:
    """T01: people sign words; on GitLab a line like this acts with the rights of our token. GitHub has none of it."""
    if there.name == "github":
        await there.read("post_comment", **COMMENT | {"text": text})
        return
    said = await there.refused("post_comment", **COMMENT | {"text": text})
    opened = await there.refused("open_pull_request", **OPEN | {"body": text})

    assert "Nothing was posted" in said
    assert "Nothing was posted" in opened
    assert there.project.issues[3].comments == ["me too", "and me"]


async def test_a_path_at_the_beginning_of_a_line_is_words(there: There) -> None:
    assert await there.read("post_comment", **COMMENT | {"text": "/etc/hosts is wrong"})
