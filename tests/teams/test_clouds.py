"""Where a token may go: hosts one by one, and nothing that two readers could read in two ways (T24)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from adapters.teams.clouds import CLOUDS, GCC, Changes, Cloud, ForeignHost, cloud_of
from bot.domain.errors import BadSettings

PUBLIC = cloud_of("public")
EMULATOR = cloud_of("public", is_emulator=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://smba.trafficmanager.net/emea/",
        "https://smba.trafficmanager.net",
        "https://SMBA.TrafficManager.net/teams/",
        "https://smba.trafficmanager.net:443/amer/",
        "https://smba.onyx.prod.teams.trafficmanager.net/emea/6f2c/",
    ],
)
def test_the_service_urls_of_teams_are_ours_whatever_their_path(url: str) -> None:
    assert PUBLIC.host_of(url) in PUBLIC.hosts


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "http://smba.trafficmanager.net/emea/",
        "https://smba.trafficmanager.net:8443/emea/",
        "https://smba.trafficmanager.net:abc/",
        "https://smba.trafficmanager.net:99999/",
        "https://smba.trafficmanager.net.evil.example/",
        "https://evil-smba.trafficmanager.net/",
        "https://x.smba.trafficmanager.net/",
        "https://evil.trafficmanager.net/",
        "https://smba.trafficmanager.net./",
        "https://smba.trafficmanager.net@evil.example/",
        "https://user@smba.trafficmanager.net/",
        "https://user:password@smba.trafficmanager.net/",
        "https://evil.example#smba.trafficmanager.net",
        "https://evil.example?smba.trafficmanager.net",
        "https://smba.trafficmanager.net/?to=evil.example",
        "https://smba.trafficmanager.net/#evil",
        "https://smba.trafficmanager.net\\@evil.example/",
        "https://smba.traffic\nmanager.net/",
        "\thttps://smba.trafficmanager.net/",
        " https://smba.trafficmanager.net/",
        "https://smba.trafficmanager.net /",
        "https://smba%2etrafficmanager.net/",
        "https://ſmba.trafficmanager.net/",
        "https://xn--smba-xyz.trafficmanager.net/",
        "https:smba.trafficmanager.net",
        "//smba.trafficmanager.net/",
        "https:///smba.trafficmanager.net/",
        "https://[::1]/",
        "https://[::1",
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "http://169.254.169.254/metadata",
        "file:///etc/passwd",
        "javascript:alert(1)",
        GCC,
        f"https://{GCC}/",
        "https://smba.infra.gov.teams.microsoft.us/",
        "",
    ],
)
def test_nothing_else_is_sent_our_token(url: str) -> None:
    """T24: other hosts, suffix tricks, userinfo, ports, http, IPv6, punycode, other clouds."""
    with pytest.raises(ForeignHost):
        PUBLIC.host_of(url)


@given(st.text(alphabet="https:/@\\#?%.smbatrafficmanager.netevil\n\t []0:443", max_size=60))
def test_whatever_is_let_through_leads_to_a_listed_host_for_every_reader(text: str) -> None:
    """T24: what the check read is what the client will connect to."""
    url = f"https://{text}"
    try:
        host = PUBLIC.host_of(url)
    except ForeignHost:
        return

    assert host in PUBLIC.hosts
    assert (URL(url, encoded=True).host, URL(url, encoded=True).port) == (host, 443)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:52000/x/", "http://localhost:3979", "https://[::1]:1/", "http://[::1]/"]
)
def test_an_emulator_may_be_anywhere_on_this_machine(url: str) -> None:
    assert EMULATOR.host_of(url)


@pytest.mark.parametrize(
    "url", ["https://smba.trafficmanager.net/", "http://127.0.0.1.evil.example/", "http://10.0.0.1/"]
)
def test_an_emulator_is_nowhere_else(url: str) -> None:
    """T24: without tokens in either direction, nothing may leave this machine."""
    with pytest.raises(ForeignHost):
        EMULATOR.host_of(url)


def test_a_host_in_the_settings_is_added_and_an_origin_is_taken_exactly() -> None:
    """A proxy in front of the service, with a port of its own."""
    cloud = cloud_of("public", Changes(hosts=("Proxy.Example", "https://gate.example:8443", "http://127.0.0.1:9000")))

    assert cloud.host_of("https://proxy.example/teams/") == "proxy.example"
    assert cloud.host_of("https://gate.example:8443/teams/") == "gate.example"
    assert cloud.host_of("http://127.0.0.1:9000/emea/") == "127.0.0.1"
    assert cloud.host_of("https://smba.trafficmanager.net/") == "smba.trafficmanager.net"
    for url in (
        "https://gate.example/",
        "http://gate.example:8443/",
        "http://127.0.0.1:9001/",
        "http://proxy.example/",
    ):
        with pytest.raises(ForeignHost):
            cloud.host_of(url)


def test_a_tenant_of_gcc_is_found_on_its_own_host_where_that_is_listed() -> None:
    """T24: the other host is one of the list as well; the path stays."""
    gcc = cloud_of("gcc")

    assert gcc.other_host("https://smba.trafficmanager.net/emea/") == f"https://{GCC}/emea/"
    assert gcc.host_of(f"https://{GCC}/emea/") == GCC
    assert gcc.other_host(f"https://{GCC}/emea/") is None
    assert PUBLIC.other_host("https://smba.trafficmanager.net/emea/") is None


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=list(CLOUDS))
def test_every_cloud_is_whole_and_may_be_asked_first(cloud: Cloud) -> None:
    """Where nothing was heard from a tenant yet, its cloud's own service URL is used."""
    assert cloud.host_of(cloud.service_url) in cloud.hosts
    for url in (cloud.issuer, cloud.metadata, cloud.login, cloud.graph):
        assert url.startswith("https://")
        assert not url.endswith("/")


def test_everything_of_a_cloud_can_be_set_otherwise() -> None:
    changes = Changes(metadata="https://a.example/m", login="https://b.example/", issuer="https://c.example", scope="s")

    cloud = cloud_of("usgov", changes)

    assert (cloud.metadata, cloud.login) == ("https://a.example/m", "https://b.example")
    assert (cloud.issuer, cloud.scope) == ("https://c.example", "s")
    assert cloud.hosts == CLOUDS["usgov"].hosts


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("gcchigh", Changes(), r"TEAMS_CLOUD: 'gcchigh' is unknown.*gcc, public, usgov"),
        ("public", Changes(metadata="http://evil.example/"), "TEAMS_OPENID_METADATA.*https"),
        ("public", Changes(login="login.microsoftonline.com"), "TEAMS_LOGIN_URL"),
        ("public", Changes(hosts=("*.trafficmanager.net",)), "TEAMS_SERVICE_HOSTS.*in full"),
        ("public", Changes(hosts=("http://gate.example",)), "TEAMS_SERVICE_HOSTS"),
        ("public", Changes(hosts=("",)), "TEAMS_SERVICE_HOSTS"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, changes: Changes, told: str) -> None:
    """One sentence for each, at the start."""
    with pytest.raises(BadSettings, match=told):
        cloud_of(name, changes)
