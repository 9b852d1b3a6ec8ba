"""An argument that may be one of a few names, which are known when a tool is made.

    only = Only("service", ("web", "worker"))
    async def restart(service: Annotated[str, AfterValidator(only.check), WithJsonSchema(only.schema)]) -> str: ...

Anything else is refused when the call is read: nobody is asked to sign it. The model reads the names in the schema.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Only:
    def __init__(self, what: str, names: Iterable[str]) -> None:
        self._what, self._names = what, tuple(names)

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self._names)}

    def check(self, name: str) -> str:
        if name not in self._names:
            raise ValueError(f"There is no such {self._what}; there is {', '.join(self._names)}")
        return name
