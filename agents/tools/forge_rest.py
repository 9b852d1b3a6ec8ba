"""Asking a forge's REST interface, and what its answers mean for people.

path -> one request to the one address that was set, with the login made for it -> status -> an answer or a sentence

No redirect is followed and no address from an answer is asked: the token goes to one host. Pages are counted by us.
Owns what a status means. Not what the paths are (github, gitlab).
"""

from __future__ import annotations

import asyncio
import email.utils
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from yarl import URL

from agents.toolbox import ToolProblem

PAGE = 100  # entries of one page: the most that both forges give
MOST_PAGES = 5
MOST_BYTES = 5_000_000  # of one answer
Params = dict[str, str | int]
WITHIN: Final = aiohttp.ClientTimeout(total=30, connect=5)


class Unreadable(ToolProblem):
    """An answer came, and is none."""


class Lost(ToolProblem):
    """Something was sent, and no answer says what became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    text: str
    more: bool = False  # there is another page
    last: int = 1  # the number of the last page, where the forge tells it

    @property
    def json(self) -> Any:
        """Raises ToolProblem for what is no JSON."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            raise Unreadable("The forge gave an answer that cannot be read.") from None


class Rest:
    """One forge at one address. *login* makes the headers, when they are needed."""

    def __init__(self, name: str, url: str, login: Callable[[], Mapping[str, str]]) -> None:
        self.name, self._url, self._login = name, url.rstrip("/"), login

    async def get(self, path: str, params: Mapping[str, str | int] | None = None, *, accept: str = "") -> Answer:
        """*path* is encoded already. Raises ToolProblem."""
        extra = {"Accept": accept} if accept else {}
        return await self._ask("GET", path, params=dict(params or {}), headers=extra)

    async def pages(self, path: str, params: Mapping[str, str | int] | None = None) -> tuple[list[Any], bool]:
        """All entries of the first `MOST_PAGES` pages; and whether there are more."""
        found: list[Any] = []
        for page in range(1, MOST_PAGES + 1):
            answer = await self.get(path, {**(params or {}), "per_page": PAGE, "page": page})
            found += answer.json
            if not answer.more:
                return found, False
        return found, True

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Raises ToolProblem when nothing was made, and Lost when nobody knows."""
        try:
            return (await self._ask("POST", path, json=dict(body))).json
        except Unreadable as error:
            raise self._lost("POST") from error

    async def _ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **sent: Any) -> Answer:
        url = URL(f"{self._url}{path}", encoded=True)
        given = {"User-Agent": "Countersign", **self._login(), **(headers or {})}
        try:
            async with (
                aiohttp.ClientSession(timeout=WITHIN, trust_env=False) as session,
                session.request(method, url, allow_redirects=False, headers=given, **sent) as answer,
            ):
                text = await _text(answer)
                self._must_be_fine(method, answer, text)
                return _answer(answer, text)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise ToolProblem(f"{self.name} cannot be reached. Nothing was sent.") from error
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise self._lost(method) from error

    def _must_be_fine(self, method: str, answer: aiohttp.ClientResponse, text: str) -> None:
        status = answer.status
        if 200 <= status < 300:
            return
        if status >= 500:
            raise self._lost(method)
        if told := _limited(answer):
            raise ToolProblem(f"{self.name} lets us ask no more for now; {told}. Nothing was changed.")
        sentence = _STATUS.get(status) or ("it points to another address" if status < 400 else "it refused")
        raise ToolProblem(f"{self.name}: {sentence} ({status}){_reason(status, text)}. Nothing was changed.")

    def _lost(self, method: str) -> ToolProblem:
        if method == "GET":
            return ToolProblem(f"{self.name} gave no usable answer.")
        return Lost(f"{self.name} gave no usable answer.")


_STATUS: Mapping[int, str] = {
    401: "the token is not accepted",
    403: "the token may not do this",
    404: "there is no such thing, or the token may not see it",
    410: "it was deleted, or is switched off there",
}


def _limited(answer: aiohttp.ClientResponse) -> str:
    """When to ask again, if we ask too much; empty if that is not why."""
    if answer.status not in (403, 429):
        return ""
    after = answer.headers.get("Retry-After", "")
    if after.isdigit():
        return f"try again in {after} seconds"
    left = answer.headers.get("X-RateLimit-Remaining", answer.headers.get("RateLimit-Remaining", ""))
    reset = answer.headers.get("X-RateLimit-Reset", answer.headers.get("RateLimit-Reset", ""))
    now = email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp() if "Date" in answer.headers else None
    if left == "0" and reset.isdigit() and now is not None:
        return f"try again in {max(1, round(int(reset) - now))} seconds"
    return "try again later" if answer.status == 429 or left == "0" else ""


def _reason(status: int, text: str) -> str:
    """What it says of a request it cannot take: its own words, short."""
    if status not in (400, 409, 422):
        return ""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    told = told if isinstance(told, dict) else {}
    found, errors = told.get("message") or told.get("error") or "", told.get("errors")
    heads = found if isinstance(found, list) else [found]
    more = [one.get("message", "") for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    words = " ".join(str(part) for part in (*heads, *more) if part)
    return f": {' '.join(words.split())[:300].rstrip('.')}" if words else ""


def _answer(answer: aiohttp.ClientResponse, text: str) -> Answer:
    last = answer.links.get("last")
    number = URL(str(last["url"])).query.get("page", "1") if last is not None else "1"
    return Answer(text=text, more="next" in answer.links, last=int(number) if number.isdigit() else 1)


async def _text(answer: aiohttp.ClientResponse) -> str:
    body = bytearray()
    async for piece in answer.content.iter_chunked(65_536):
        body += piece
        if len(body) > MOST_BYTES:
            raise Unreadable(f"The answer is larger than {MOST_BYTES:,} bytes.")
    return body.decode("utf-8", "replace")
