"""HTTP: only hosts on the list, no way round it, and a lost answer is not called a failure."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from agents.toolbox import ToolProblem
from agents.tools.http import MOST_BYTES, Hosts, PrivateAddress, PublicOnly, http_tools, is_public
from bot.domain.calls import Outcome, Risk, ToolResult
from tests.agents.given import named, run
from tests.fakes.loopback import answering


class Site:
    """A small web site, and what it was sent."""

    def __init__(self, url: str) -> None:
        self.host, self.url = url.removeprefix("http://"), url
        self.posts: list[tuple[str, str | None]] = []
        self.hits = 0


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async def hit(request: web.Request) -> web.StreamResponse:
        made.hits += 1
        path = request.path
        if request.method == "POST":
            made.posts.append((await request.text(), request.headers.get("Idempotency-Key")))
        if path == "/drop":
            assert request.transport is not None
            request.transport.abort()
        if path == "/big":
            return web.Response(text="x" * (MOST_BYTES + 5))
        if path == "/loop":
            raise web.HTTPFound("/loop")
        if path.startswith("/to/"):
            raise web.HTTPFound(request.query["next"])
        return web.Response(text=f"{request.method} {path}", status=500 if path == "/broken" else 200)

    async with answering(hit) as url:
        made = Site(url)
        yield made


async def get(url: str, *hosts: str) -> ToolResult:
    return await run(named(http_tools(Hosts(hosts)))["http_get"], {"url": url})


async def post(url: str, *hosts: str, **more: Any) -> ToolResult:
    return await run(named(http_tools(Hosts(hosts)))["http_post"], {"url": url, "body": "{}"} | more)


def test_risks_are_declared() -> None:
    """AS-02: a mutating call outside cannot be taken back."""
    risks = {tool.spec.name: tool.spec.risk for tool in http_tools(Hosts([]))}

    assert risks == {"http_get": Risk.READ, "http_post": Risk.IRREVERSIBLE}


async def test_a_listed_host_is_asked(site: Site) -> None:
    """Also a private one, because it is listed by name and port."""
    got = await get(f"{site.url}/a", site.host)
    sent = await post(f"{site.url}/b", site.host, body='{"a": 1}')

    assert json.loads(got.text)["body"] == "GET /a"
    assert json.loads(sent.text)["status"] == 200
    assert site.posts == [('{"a": 1}', "key-1")]


REFUSED = ["http://evil.example/", "http://127.0.0.1/", "http://127.0.0.1:1/", "ftp://127.0.0.1/", "file:///etc/passwd",
           "http://user:pw@{host}/", "http://{host}@evil.example/", "http://evil.example#{host}", "http://[::1]/",
           "http://2130706433/", "http://127.1/", "//{host}/", "{host}", "", "http://", "http://{host}.evil.example/",
           "http://evil.example\\@{host}/", "http://[", "http://a:99999/"]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED)
async def test_no_other_host_is_asked(site: Site, url: str) -> None:
    """T24's tricks: other hosts and ports, user@host, bare and odd addresses, other schemes."""
    url = url.format(host=site.host) or " "

    for result in (await get(url, site.host), await post(url, site.host)):
        assert result.outcome is Outcome.ERROR
        assert "failed inside" not in result.text
    assert site.hits == 0


async def test_a_redirect_off_the_list_is_not_followed(site: Site) -> None:
    """One on the list is; a circle ends."""
    away = await get(f"{site.url}/to/?next=http://localhost:1/", site.host)
    near = await get(f"{site.url}/to/?next=/near", site.host)
    circle = await get(f"{site.url}/loop", site.host)

    assert (away.outcome, "not on the list" in away.text) == (Outcome.ERROR, True)
    assert json.loads(near.text)["body"] == "GET /near"
    assert "redirects more than" in circle.text


async def test_a_post_is_never_redirected(site: Site) -> None:
    """People signed this address, not the next one."""
    result = await post(f"{site.url}/to/?next=/near", site.host)

    assert json.loads(result.text)["status"] == 302
    assert len(site.posts) == site.hits == 1


async def test_a_post_without_an_answer_is_unknown_and_a_get_is_not(site: Site) -> None:
    """Nothing is guessed: the server may have acted."""
    assert (await post(f"{site.url}/drop", site.host)).outcome is Outcome.UNKNOWN
    assert (await get(f"{site.url}/drop", site.host)).outcome is Outcome.ERROR


async def test_a_post_to_nobody_was_surely_not_sent() -> None:
    """A closed port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        result = await post(f"http://{host}/", host)

    assert (result.outcome, "Nothing was sent" in result.text) == (Outcome.ERROR, True)


async def test_a_refused_post_says_what_the_server_said(site: Site) -> None:
    """It is no success."""
    result = await post(f"{site.url}/broken", site.host)

    assert (result.outcome, result.text) == (Outcome.ERROR, "The server answered 500: POST /broken")


async def test_a_long_page_is_cut_and_says_so(site: Site) -> None:
    """T18."""
    result = await get(f"{site.url}/big", site.host)

    assert '"is_cut":true' in result.text or "cut:" in result.text


@pytest.mark.parametrize("more", [{"content_type": "text/html\r\nX: y"}, {"body": "{"}])
async def test_a_body_that_is_not_what_it_says_is_not_sent(site: Site, more: dict[str, str]) -> None:
    """No header of the model's own making."""
    assert (await post(f"{site.url}/", site.host, **more)).outcome is Outcome.ERROR
    assert site.hits == 0


REFUSALS = (
    "is a private address.",
    "has no public address. Nothing was sent.",
    "2130706433 cannot be reached. Nothing was sent.",
)


async def test_a_wildcard_never_leads_into_our_own_network(site: Site) -> None:
    """T24: by a bare address, by a name, by a number that is an address."""
    port = site.host.partition(":")[2]
    for url in (
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://2130706433/",
        "http://169.254.169.254/",
    ):
        assert (await get(url, "*")).text.endswith(REFUSALS)
    assert "not on the list" in (await get(f"http://127.0.0.1:{port}/", "*")).text
    assert site.hits == 0


@pytest.mark.parametrize(
    ("address", "public"),
    [("93.184.216.34", True), ("2606:2800:220:1::1", True), ("127.0.0.1", False), ("10.0.0.1", False),
     ("169.254.169.254", False), ("::1", False), ("::ffff:127.0.0.1", False),
     ("fe80::1%eth0", False), ("224.0.0.1", False), ("0.0.0.0", False), ("100.64.0.1", False)],
)  # fmt: skip
def test_private_addresses_are_known(address: str, public: bool) -> None:
    """Loopback, private, link-local, mapped, multicast, shared."""
    assert is_public(address) is public


class Names(AbstractResolver):
    """A name service that answers as told."""

    def __init__(self, *hosts: str) -> None:
        self._hosts = hosts

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=one, port=port, family=family, proto=0, flags=0) for one in self._hosts
        ]

    async def close(self) -> None: ...


async def test_a_name_with_a_private_address_is_not_connected_to() -> None:
    """T24: rebinding; of mixed answers only the public ones are used."""
    mixed = await PublicOnly(Names("10.0.0.1", "93.184.216.34")).resolve("a.example")

    assert [one["host"] for one in mixed] == ["93.184.216.34"]
    with pytest.raises(PrivateAddress):
        await PublicOnly(Names("10.0.0.1")).resolve("a.example")


@pytest.mark.parametrize(
    ("listed", "url", "answer"),
    [
        ("api.example.com", "https://API.example.com./x", True),
        ("api.example.com", "https://api.example.com:8443/", None),
        ("api.example.com:8443", "https://api.example.com:8443/", True),
        ("*.example.com", "https://a.b.example.com/", False),
        ("*.example.com", "https://example.com/", None),
        ("*.example.com", "https://evilexample.com/", None),
        ("*", "http://any.example/", False),
        ("", "http://any.example/", None),
    ],
)
def test_the_list_means_what_it_says(listed: str, url: str, answer: bool | None) -> None:
    """By name (even if private), by pattern (public only), or not at all."""
    hosts = Hosts([listed])
    if answer is None:
        with pytest.raises(ToolProblem):
            hosts.admit(URL(url))
    else:
        assert hosts.admit(URL(url)) is answer
