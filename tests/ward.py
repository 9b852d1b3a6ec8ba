"""What `python -m bot doctor` is shown on every platform: two files, an environment, and people who make it worse."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.config import load_settings
from bot.doctor import Finding, examine

POLICY = """\
defaults:
  ask: {groups: [finance], separate_duties: true}
  ladder: [{after: 4h, expire: true}]
rules:
  - id: mail
    when: tool.name == "send_email"
    ask: {groups: [{asked}], separate_duties: true}
    place: "{place}"
"""
PEOPLE = """\
tenants: {{{tenant}}}
people:
  ana: {{name: Ana, {ana}}}
  bo: {{name: Bo, {bo}}}
{more}groups:
  finance: {{{source}}}
"""


@dataclass(kw_only=True)
class AnyWard:
    """Finance is ana and bo. A platform's own ward says who they are there, and sets up what is well."""

    patch: pytest.MonkeyPatch
    folder: Path
    ana: str = ""
    bo: str = ""
    place: str = ""  # of the rule for mails
    source: str = ""  # of finance
    asked: str = "finance"  # who signs mails
    more: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, str]:
        """The tenant, and how ana and bo are known in it, as people.yml has it."""
        raise NotImplementedError

    def sets(self, **settings: str) -> None:
        for name, value in settings.items():
            self.patch.setenv(name, value)

    def lists(self, line: str) -> None:
        """One more person in people.yml."""
        self.more.append(f"  {line}\n")

    async def findings(self) -> list[Finding]:
        """What the doctor says; no sentence shows a secret."""
        people = PEOPLE.format(**self.facts(), source=self.source, more="".join(self.more))
        (self.folder / "people.yml").write_text(people)
        (self.folder / "policy.yml").write_text(POLICY.replace("{place}", self.place).replace("{asked}", self.asked))
        found = await examine()
        assert not [one for one in found for secret in load_settings().secrets if secret in one.text]
        return found

    async def says(self, mark: str) -> list[str]:
        return [one.text for one in await self.findings() if one.mark == mark]
