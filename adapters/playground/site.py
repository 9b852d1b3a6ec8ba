"""What the playground's routes work with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.playground.book import Book
from adapters.playground.delivery import Bell
from adapters.playground.rooms import Rooms
from bot.domain.ports import FrontDoor, Views


@dataclass(slots=True, kw_only=True)
class Site:
    """What the routes work with. `is_closing` ends the event streams, so that the server can stop."""

    book: Book
    rooms: Rooms
    bell: Bell
    views: Views
    front: FrontDoor
    origin: str
    examples: Mapping[str, str]
    is_closing: bool = False
