"""The proof: only Teams, only for us. Every bad token is 401, everything foreign 403, nothing is 500 (T11, T25)."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.teams.clouds import cloud_of
from adapters.teams.keys import KeySet, opened_keys
from adapters.teams.proof import NotForUs, NotFromTeams, Proof
from adapters.teams.shapes import BadPayload
from bot.domain.errors import BadSettings, ChatUnavailable
from tests.teams.wires import (
    APP,
    TEAMS,
    TENANT,
    a_session,
    a_site,
    an_activity,
    claims,
    metadata,
    rsa_key,
    says,
    signed,
    wire_key,
)

OTHER = "ffffffff-0000-0000-0000-000000000000"
EVIL = "https://evil.example/"
LOCAL = "http://localhost:56150/v3/x/"
CLOUD = cloud_of("public")


@pytest.fixture
async def keys() -> AsyncIterator[KeySet]:
    async with a_site(says(500)) as site, a_session() as session:
        published = {"keys": [wire_key("K1"), wire_key("WEB", ("webchat", "directline"))]}
        site.answers[:] = [metadata(site), says(200, published)]
        async with opened_keys(session, f"{site.url}/metadata") as keys:
            await keys.load()
            yield keys


@pytest.fixture
def proof(keys: KeySet) -> Proof:
    return Proof(APP, CLOUD, keys, [TENANT])


def unsigned(header: object, said: object) -> str:
    parts = [json.dumps(part).encode() if not isinstance(part, bytes) else part for part in (header, said)]
    return "Bearer " + ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, b"x"))


def raw_claims(said: bytes) -> str:
    """Truly signed, whatever it says."""
    return f"Bearer {jwt.PyJWS().encode(said, rsa_key('K1'), 'RS256', headers={'kid': 'K1'})}"


def hs256() -> str:
    """Signed with our public key as if it were a secret: the oldest trick."""
    secret = wire_key("K1")["n"]
    return f"Bearer {jwt.encode(claims(), secret, 'HS256', headers={'kid': 'K1'})}"


async def test_what_teams_signed_for_us_is_believed(proof: Proof) -> None:
    """T11, AU-21: signature, times, issuer, audience, endorsement, service URL and tenant are right."""
    await proof.check(signed(), an_activity())
    await proof.check(signed().replace("Bearer", "bearer"), an_activity())


async def test_clocks_may_differ_by_five_minutes(proof: Proof) -> None:
    now = int(time.time())
    await proof.check(signed(claims(exp=now - 240)), an_activity())
    await proof.check(signed(claims(nbf=now + 240)), an_activity())


NOW = int(time.time())
BAD: dict[str, str] = {
    "no header": "",
    "another scheme": "Basic YTpi",
    "no token": "Bearer ",
    "scheme alone": "Bearer",
    "garbage": "Bearer not.a.token",
    "one word": "Bearer x",
    "not ascii": "Bearer \udcff\udcfe",
    "umlauts": "Bearer äöü.äöü.äöü",
    "very long": "Bearer " + "a" * 100_000,
    "two tokens": f"{signed()}, {signed()}",
    "alg none": "Bearer " + jwt.encode(claims(), "", "none", headers={"kid": "K1"}),
    "alg HS256": hs256(),
    "alg absent": unsigned({"kid": "K1", "typ": "JWT"}, claims()),
    "header no object": unsigned([], claims()),
    "header deep": unsigned(b"[" * 5_000, claims()),
    "header of digits": unsigned(b"9" * 6_000, claims()),
    "kid absent": f"Bearer {jwt.encode(claims(), rsa_key('K1'), 'RS256')}",
    "kid a number": unsigned({"alg": "RS256", "kid": 7}, claims()),
    "kid an object": unsigned({"alg": "RS256", "kid": {}}, claims()),
    "kid unknown": signed(kid="K7"),
    "signed by somebody else": signed(by="K7"),
    "signature missing": signed().rpartition(".")[0] + ".",
    "body changed": ".".join([signed().split(".")[0], signed(claims(aud="x")).split(".")[1], signed().split(".")[2]]),
    "crit": "Bearer " + jwt.encode(claims(), rsa_key("K1"), "RS256", headers={"kid": "K1", "crit": ["x"], "x": 1}),
    "claims no object": raw_claims(b"[]"),
    "claims no JSON": raw_claims(b"{"),
    "expired": signed(claims(exp=NOW - 400)),
    "not yet": signed(claims(nbf=NOW + 86_400)),
    "without exp": signed(claims(exp=None)),
    "exp infinite": raw_claims(b'{"exp": 1e999, "iss": "https://api.botframework.com", "aud": "x"}'),
    "claims deep": raw_claims(b"[" * 5_000),
    "exp a word": signed(claims(exp="tomorrow")),
    "without iss": signed(claims(iss=None)),
    "another issuer": signed(claims(iss="https://login.microsoftonline.com/x/v2.0")),
    "an issuer that begins so": signed(claims(iss="https://api.botframework.com.evil.example")),
    "without aud": signed(claims(aud=None)),
    "another bot": signed(claims(aud=OTHER)),
    "another channel's key": signed(kid="WEB"),
    "another service URL": signed(claims(serviceurl="https://smba.trafficmanager.net/amer/")),
    "without service URL": signed(claims(serviceurl=None)),
}


@pytest.mark.parametrize("header", BAD.values(), ids=list(BAD))
async def test_every_bad_token_is_refused_in_the_same_way(proof: Proof, header: str) -> None:
    """T11, T25: forged, foreign, broken, stale: one answer for all, and never a crash."""
    with pytest.raises(NotFromTeams):
        await proof.check(header, an_activity())


FOREIGN: dict[str, dict[str, Any]] = {
    "another tenant": {"channelData": {"tenant": {"id": OTHER}}, "conversation": {"tenantId": OTHER}},
    "two tenants": {"channelData": {"tenant": {"id": OTHER}}},
    "two tenants the other way": {"conversation": {"id": "19:c", "tenantId": OTHER}},
    "no tenant": {"channelData": {}, "conversation": {"id": "19:c"}},
    "a tenant of another kind": {"channelData": {"tenant": {"id": [TENANT]}}, "conversation": {}},
    "channelData of another kind": {"channelData": [TENANT], "conversation": TENANT},
    "nothing": {"channelData": None, "conversation": None},
}


async def test_a_token_that_was_good_is_refused_once_it_is_too_old(keys: KeySet) -> None:
    """T11: what is remembered of a token is that it was Teams', not that it holds for ever."""
    now = time.time()
    proof = Proof(APP, CLOUD, keys, [TENANT], clock=lambda: now)
    token = signed()
    await proof.check(token, an_activity())

    now += 3_600 + 299
    await proof.check(token, an_activity())
    now += 2

    with pytest.raises(NotFromTeams, match="too old"):
        await proof.check(token, an_activity())


async def test_a_token_that_was_good_is_refused_once_its_key_is_gone(keys: KeySet, proof: Proof) -> None:
    """T25: Microsoft takes a key back; what it signed an hour ago counts no more."""
    token = signed()
    await proof.check(token, an_activity())

    keys._keys = {}

    with pytest.raises(NotFromTeams, match="does not have"):
        await proof.check(token, an_activity())


@pytest.mark.parametrize("changed", FOREIGN.values(), ids=list(FOREIGN))
async def test_somebody_elses_tenant_is_refused_although_teams_signed_it(proof: Proof, changed: dict[str, Any]) -> None:
    """T11, T15: any tenant could add a bot whose id it knows."""
    with pytest.raises(NotForUs):
        await proof.check(signed(), an_activity(**changed))


async def test_an_activity_of_two_tenants_is_nobodys_even_if_both_are_ours(keys: KeySet) -> None:
    """T15: else what is done would count for one of them, and be shown in the other."""
    with pytest.raises(NotForUs, match="two tenants"):
        await Proof(APP, CLOUD, keys, [TENANT, OTHER]).check(
            signed(), an_activity(channelData={"tenant": {"id": OTHER}})
        )


async def test_a_tenant_is_read_from_either_place_whatever_its_letters(proof: Proof) -> None:
    await proof.check(signed(), an_activity(channelData=None))
    await proof.check(signed(), an_activity(conversation={"id": "19:c"}))
    await proof.check(signed(), an_activity(channelData={"tenant": {"id": TENANT.upper()}}))


async def test_web_chat_and_direct_line_are_not_heard(keys: KeySet) -> None:
    """T11: their callers say themselves who they are, and the same keys sign for them."""
    for channel in ("webchat", "directline", "emulator", "MSTEAMS", "msteams "):
        with pytest.raises((NotForUs, NotFromTeams)):
            await Proof(APP, CLOUD, keys, [TENANT]).check(signed(kid="WEB"), an_activity(channelId=channel))
    with pytest.raises(NotForUs):
        await Proof(APP, CLOUD, keys, [TENANT]).check(signed(kid="WEB"), an_activity(channelId="webchat"))


async def test_a_service_url_off_the_list_is_refused_although_it_is_signed(proof: Proof) -> None:
    """T24: nothing that follows may ever post to it."""
    with pytest.raises(NotForUs, match="TEAMS_SERVICE_HOSTS"):
        await proof.check(signed(claims(serviceurl=EVIL)), an_activity(serviceUrl=EVIL))


async def test_who_proves_nothing_is_told_nothing(proof: Proof) -> None:
    """T32: whether a tenant, a channel or a host is ours, a stranger never learns."""
    foreign: list[dict[str, Any]] = [{"channelId": "x"}, {"serviceUrl": "https://evil.example/"}, {"channelData": {}}]
    for changed in foreign:
        with pytest.raises(NotFromTeams):
            await proof.check("", an_activity(**changed))


@pytest.mark.parametrize("name", ["type", "channelId", "serviceUrl"])
@pytest.mark.parametrize("value", [None, "", 7, [], {}])
async def test_an_activity_without_its_fields_is_none(proof: Proof, name: str, value: object) -> None:
    with pytest.raises(BadPayload, match=name):
        await proof.check(signed(), an_activity(**{name: value}))


@pytest.mark.parametrize(
    ("app_id", "tenants", "told"),
    [
        ("", [TENANT], "TEAMS_APP_ID"),
        ("  ", [TENANT], "TEAMS_APP_ID"),
        (APP, [], "TEAMS_TENANTS"),
        (APP, [""], "TEAMS_TENANTS"),
    ],
)
def test_a_proof_that_would_let_everybody_in_cannot_be_made(
    keys: KeySet, app_id: str, tenants: list[str], told: str
) -> None:
    """T11: no app id, no keys, no tenants: no start."""
    with pytest.raises(BadSettings, match=told):
        Proof(app_id, CLOUD, keys, tenants)
    with pytest.raises(BadSettings, match="TEAMS_AUTH"):
        Proof(APP, CLOUD, None, [TENANT])


async def test_without_keys_nobody_is_called_a_forger() -> None:
    """T25: 503 and not 401: Teams may deliver it again."""
    async with a_site(says(500)) as site, a_session() as session, opened_keys(session, f"{site.url}/m") as keys:
        with pytest.raises(ChatUnavailable):
            await Proof(APP, CLOUD, keys, [TENANT]).check(signed(), an_activity())


async def test_an_emulator_needs_no_token_and_stays_on_this_machine() -> None:
    """T24: shape, channel and host are looked at all the same; a list of tenants counts if there is one."""
    proof = Proof("", cloud_of("public", is_emulator=True), None, [])

    await proof.check("", an_activity(serviceUrl=LOCAL))
    with pytest.raises(NotForUs):
        await proof.check("", an_activity(serviceUrl=TEAMS))
    with pytest.raises(NotForUs):
        await proof.check("", an_activity(serviceUrl=LOCAL, channelId="emulator"))
    with pytest.raises(BadPayload):
        await proof.check("", an_activity(serviceUrl=None))
    strict = Proof("", cloud_of("public", is_emulator=True), None, [OTHER])
    with pytest.raises(NotForUs):
        await strict.check("", an_activity(serviceUrl=LOCAL))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
TOKENS = st.one_of(
    st.text(max_size=80),
    st.builds(
        lambda head, body: unsigned(head, body)[7:], st.dictionaries(st.sampled_from(["alg", "kid", "b64"]), JSON), JSON
    ),
    st.builds(
        lambda said: signed(claims(**said))[7:],
        st.dictionaries(st.sampled_from(["exp", "nbf", "iat", "jti", "sub"]), JSON),
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    token=TOKENS, activity=st.dictionaries(st.sampled_from(["type", "channelId", "serviceUrl", "channelData"]), JSON)
)
async def test_no_token_and_no_activity_is_too_strange(proof: Proof, token: str, activity: dict[str, Any]) -> None:
    """T25: whatever stands in either, it is refused by name."""
    with pytest.raises((NotFromTeams, NotForUs, BadPayload)):
        await proof.check(f"Bearer {token}", {**an_activity(serviceUrl="https://evil.example/"), **activity})
