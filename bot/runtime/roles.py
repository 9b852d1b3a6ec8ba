"""As whom somebody is asked: the line on their own copy of a card, so that they know in which role they answer (A2-18).

    request + person -> one of a group · named · manager of … · on call · deputy of … · called because nobody answered

Not whether they may answer (rights): that is judged when they press.
"""

from __future__ import annotations

from bot.domain import wording
from bot.domain.chat import PersonId
from bot.domain.errors import Unsatisfiable
from bot.domain.people import One, Requester, parse, resolve
from bot.domain.ports import Directory
from bot.domain.request import Request
from bot.runtime.rights import Rights


async def role(request: Request, person: PersonId, directory: Directory, rights: Rights) -> str:
    """As whom *person* is asked, in a few words; empty where nobody can say just now."""
    try:
        own = await _groups_of(request, person, directory)
        standing = await rights.stand_ins(request)
    except Unsatisfiable:  # a group that cannot be read: whoever presses hears of it
        return ""
    absent = sorted(who for who, deputy in standing.items() if deputy == person)
    found = [await _named(of, request, directory) for of in own]
    found += [f"deputy of {await _called(who, directory)}, who is away" for who in absent]
    if not found and person in request.standins:
        found.append("stand-in: nobody else has answered yet")
    told = " and ".join(found)
    return f"{told}; you count once" if len(found) > 1 else told


async def _groups_of(request: Request, person: PersonId, directory: Directory) -> list[str]:
    """The audiences of *request* that mean *person* in their own right."""
    found = []
    for need in request.ask.groups:
        members = await resolve(need.of, directory=directory, requester=request.requester, approvers=frozenset())
        found += [need.of] if person in members else []
    return found


async def _named(of: str, request: Request, directory: Directory) -> str:
    match parse(of):
        case One():
            return "yourself, by name"
        case Requester():
            return "whoever gave the task"
    names = {request.requester: await _called(request.requester, directory)}
    told = wording.audience(of, request.requester, names)
    return told if "(" in of else f"one of {told}"


async def _called(who: PersonId, directory: Directory) -> str:
    found = await directory.person(who)
    return wording.name({who: found.name} if found else {}, who)
