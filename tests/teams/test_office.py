"""The office: a wrong setting shows at the start, in one sentence; and nobody is let in by accident."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from structlog.testing import capture_logs

from adapters.server import Address
from adapters.teams.office import TeamsSettings, opened_office
from adapters.teams.people import Trust
from bot.domain.errors import BadSettings, ChatUnavailable
from bot.peoplefile import PeopleDirectory
from tests.fakes.keep import MemoryKeep
from tests.fakes.teams import FakeTeams
from tests.teams.indoors import Quick, indoors, settings_of

EMULATED = {"auth": "none", "app_password": "", "tenant": "t"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"app_id": ""}, "TEAMS_APP_ID is missing"),
        ({"tenant": ""}, "TEAMS_TENANT_ID is missing"),
        ({"app_password": ""}, "TEAMS_APP_PASSWORD is missing"),
        ({"certificate": b"pem"}, "are both set"),
        ({"auth": "maybe"}, "neither tokens nor none"),
        ({"app_password": "wrong"}, "TEAMS_APP_PASSWORD is not a secret of this app"),
        ({"tenant": "00000000-0000-0000-0000-000000000000"}, "TEAMS_TENANT_ID is no tenant of this cloud"),
        ({"cloud": "moon"}, "TEAMS_CLOUD"),
        ({"auth": "none"}, "a secret of a real app is set"),
        ({**EMULATED, "address": Address(host="0.0.0.0", port=0)}, "0.0.0.0 is no loopback address"),
    ],
)
async def test_a_start_that_cannot_work_says_why(changes: Mapping[str, object], told: str) -> None:
    """Section 7, decision 17: one sentence that names the setting and its remedy."""
    async with FakeTeams() as teams:
        with pytest.raises(BadSettings) as refused:
            async with opened_office(settings_of(teams, **changes), MemoryKeep(), Quick().timing):
                raise AssertionError("it opened")

    [problem] = refused.value.problems
    assert told in problem
    assert teams.app_password not in problem


async def test_one_token_of_each_kind_is_asked_for_at_the_start() -> None:
    """Section 5.3: a wrong type or tenant shows there, not at the first card."""
    async with indoors() as house:
        assert [claims["aud"] for claims in house.teams.issued] == [
            "https://api.botframework.com",
            "https://graph.microsoft.com",
        ]
        assert len(house.teams.calls("keys")) == 1


async def test_a_start_without_microsoft_is_no_open_door() -> None:
    """Section 5.2: a start that cannot load keys is unready, not open."""
    async with FakeTeams() as teams:
        teams.faults.fail("keys", 500, "x")
        with pytest.raises(ChatUnavailable, match="no signing keys"):
            async with opened_office(settings_of(teams), MemoryKeep(), Quick().timing):
                raise AssertionError("it opened")


async def test_an_emulator_is_spoken_to_without_any_token_and_that_is_said() -> None:
    """Decision 17: loopback both ways, no credential, and a loud line at each start."""
    async with FakeTeams() as teams:
        settings = settings_of(teams, auth="none", app_password="")
        with capture_logs() as logs:
            async with opened_office(settings, MemoryKeep(), Quick().timing) as office:
                assert office.keys is None
                assert office.lookups.sources.graph is None
        assert [log["log_level"] for log in logs if log["event"] == "teams_unauthenticated"] == ["warning"]
        assert teams.calls("token") == []


def test_settings_show_no_secret() -> None:
    settings = TeamsSettings(app_id="app", app_password="hunter2", certificate=b"PRIVATE KEY", tenant="T")

    assert "hunter2" not in repr(settings)
    assert "PRIVATE" not in repr(settings)


def test_tenants_are_those_named_or_the_apps_own() -> None:
    """Section 7: the default list is the app's own tenant; GUIDs are compared as Microsoft writes them."""
    assert TeamsSettings(tenant="AB").allowed == {"ab"}
    assert TeamsSettings(tenant="AB", tenants=("CD", "ef")).allowed == {"cd", "ef"}
    assert TeamsSettings().allowed == frozenset()


async def test_the_directory_stands_around_another_one() -> None:
    async with indoors() as house:
        base = PeopleDirectory(())
        directory = house.office.directory(base, Trust(tenants=frozenset({house.teams.tenant})))

        assert await directory.groups() == {"anyone"}
