"""What keeps people from being asked too much (T18): where a request is shown, and which call it repeats.

The store counts by these keys (`open` in scripts.lua). Not how much is too much (settings), nor sheets (sheet).
"""

from __future__ import annotations

from bot.domain.chat import Place
from bot.domain.inquiry import is_inquiry
from bot.domain.request import Kind, Request
from bot.domain.wire import replace

DIGEST_CHARS = 32  # 128 bits of a call's digest; 100,000 open requests pay for every byte


def stand(request: Request) -> Place:
    """Where its first card goes: the task's thread, or the channel its rule names."""
    if request.ask.place == "thread":
        return request.place
    return channel_of(request, request.ask.place.removeprefix("#"))


def channel_of(request: Request, name: str) -> Place:
    """The channel called *name*: `finance`, beside the conversation of *request*, or `teams/#Finance` elsewhere.

    Elsewhere, its tenant is left empty: the platform's adapter fills it in, and the posted message's ref has it.
    """
    platform, is_elsewhere, channel = name.partition("/#")
    if is_elsewhere and platform != request.place.platform:
        return Place(platform=platform, tenant="", channel=channel)
    return replace(request.place, channel=channel or name, thread=None, is_direct=False)


def channel_key(request: Request) -> str:
    """The channel where *request* is counted; empty if it counts nowhere."""
    return "" if request.outlives else place_key(stand(request))


def place_key(place: Place) -> str:
    """What the requests that one channel shows are counted by."""
    return f"{place.platform}/{place.tenant}/{place.channel}"


def counted(request: Request) -> tuple[str, ...]:
    """Every channel that counts *request* while it is open: where it stands, and where its ladder showed it since."""
    first = channel_key(request)
    return (*((first,) if first else ()), *request.also)


def call_key(request: Request) -> str:
    """Two open requests with the same key ask the same twice; empty for what may be asked again.

    A signature repeats any other of the same requester. A question repeats only one of its own conversation. What
    became of a call, and whether it was right to break the glass, must be settled however often it is asked.
    """
    if request.kind is Kind.RECOVERY or request.outlives:
        return ""
    whose = f"{request.requester}|{request.run}" if is_inquiry(request.kind) else request.requester
    return f"{whose}|{request.call.digest[:DIGEST_CHARS]}"
