"""How safe the server's own settings are, and what a weaker one costs (measured, see docs/decisions.md)."""

from __future__ import annotations

from bot.domain.errors import CountersignError
from bot.store.link import Link

WANTED = (
    ("appendonly", "yes", "nothing is on disk: a restart of Redis forgets every pending approval"),
    ("appendfsync", "always", "a power cut can undo up to one second of approvals"),
    ("maxmemory-policy", "noeviction", "Redis may throw records away when it is full"),
)


async def weaknesses(link: Link) -> tuple[str, ...]:
    """One sentence for each setting that is weaker than it should be; a server that hides its settings says so."""
    try:
        found = [(await link.ask(link.client.config_get(name)), name, want, cost) for name, want, cost in WANTED]
    except (CountersignError, link.refusal) as error:
        return (f"Redis does not show its settings ({error}); make sure of appendonly yes, appendfsync always",)
    return tuple(
        f"Redis has {name} {settings.get(name, settings.get(name.encode()))!s}: {cost}"
        for settings, name, want, cost in found
        if str(settings.get(name)) != want
    )
