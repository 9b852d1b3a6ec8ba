"""Our own tokens: asked for once, renewed in time, and a mistake in the settings told in one sentence."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from adapters.teams.credentials import Certificate, Credential, Secret
from adapters.teams.tokens import REMEDIES, RENEW, REST, STOPPED, NoToken, Tokens
from bot.domain.errors import BadSettings
from tests.fakes.loopback import Handler
from tests.teams.wires import (
    APP,
    TENANT,
    Hours,
    Site,
    a_session,
    a_site,
    cloud_at,
    drops,
    rsa_key,
    says,
    waits,
)

SCOPE, GRAPH = "https://api.botframework.com/.default", "https://graph.microsoft.com/.default"
SECRET = "s3cret~wombat"


@asynccontextmanager
async def some_tokens(
    *answers: Handler, credential: Credential | None = None
) -> AsyncIterator[tuple[Tokens, Site, Hours]]:
    hours = Hours()
    async with a_site(*answers) as site, a_session() as session:
        own = credential or Secret(APP, SECRET)
        yield Tokens(session, cloud_at(site.url), TENANT, own, hours.clock), site, hours


def gives(token: str, lives: object = 3_600) -> Handler:
    return says(200, {"token_type": "Bearer", "access_token": token, "expires_in": lives})


def refuses(status: int, error: str, *codes: int) -> Handler:
    return says(status, {"error": error, "error_description": "AADSTS0: do not read me", "error_codes": list(codes)})


async def test_a_token_is_asked_for_as_entra_wants_it_and_then_kept() -> None:
    async with some_tokens(gives("A")) as (tokens, site, _hours):
        assert [await tokens.get(SCOPE) for _ in range(3)] == ["A"] * 3

    (asked,) = site.asked
    assert asked.path == f"/{TENANT}/oauth2/v2.0/token"
    who = {"client_id": APP, "client_secret": SECRET}
    assert asked.body == {"grant_type": "client_credentials", "scope": SCOPE, **who}


async def test_twenty_who_need_a_token_cause_one_request() -> None:
    """AS-11: nobody blocks, everybody waits for the same answer."""
    go = asyncio.Event()
    async with some_tokens(waits(go, gives("A"))) as (tokens, site, _hours), asyncio.TaskGroup() as group:
        waiting = [group.create_task(tokens.get(SCOPE)) for _ in range(20)]
        go.set()

    assert {task.result() for task in waiting} == {"A"}
    assert len(site.asked) == 1


async def test_twenty_refusals_of_one_token_cause_one_new_one() -> None:
    """The first who says so has it fetched; a token nobody complained about is never thrown away."""
    async with some_tokens(gives("A"), gives("B"), gives("C")) as (tokens, site, _hours):
        await tokens.get(SCOPE)

        got = await asyncio.gather(*(tokens.get(SCOPE, refused="A") for _ in range(20)))

        assert set(got) == {"B"}
        assert await tokens.get(SCOPE, refused="older") == "B"
    assert len(site.asked) == 2


async def test_a_token_is_renewed_five_minutes_before_its_end() -> None:
    async with some_tokens(gives("A"), gives("B")) as (tokens, _site, hours):
        await tokens.get(SCOPE)
        hours.now += 3_600 - RENEW - 1
        assert await tokens.get(SCOPE) == "A"
        hours.now += 1
        assert await tokens.get(SCOPE) == "B"


async def test_a_token_that_lives_shortly_is_still_used() -> None:
    """Else every single call would ask for one."""
    async with some_tokens(gives("A", 120), gives("B")) as (tokens, _site, hours):
        await tokens.get(SCOPE)
        hours.now += 59
        assert await tokens.get(SCOPE) == "A"


async def test_each_scope_has_a_token_of_its_own() -> None:
    """T24: what Graph takes is never sent to the Bot Connector."""
    async with some_tokens(gives("A"), gives("B")) as (tokens, _site, _hours):
        assert (await tokens.get(SCOPE), await tokens.get(GRAPH), await tokens.get(SCOPE)) == ("A", "B", "A")


async def test_a_renewal_that_fails_leaves_the_token_as_long_as_it_is_good() -> None:
    """Five minutes are for this."""
    async with some_tokens(gives("A"), says(503), gives("B")) as (tokens, site, hours):
        await tokens.get(SCOPE)
        hours.now += 3_600 - RENEW
        assert [await tokens.get(SCOPE) for _ in range(5)] == ["A"] * 5
        assert len(site.asked) == 2

        hours.now += REST
        assert await tokens.get(SCOPE) == "B"


async def test_a_token_past_its_end_is_never_handed_out() -> None:
    async with some_tokens(gives("A"), says(503)) as (tokens, _site, hours):
        await tokens.get(SCOPE)
        hours.now += 3_600
        with pytest.raises(NoToken):
            await tokens.get(SCOPE)


@pytest.mark.parametrize(
    "answer",
    [
        *(
            says(503),
            says(429),
            says(200, b"<html>"),
            says(200, []),
            says(200, {}),
            drops,
            gives("", 3_600),
            gives("A", 0),
        ),
        *(
            gives("A", None),
            says(302, None, Location="http://127.0.0.1:1/"),
            refuses(400, "temporarily_unavailable", 90033),
        ),
        says(200, {"access_token": 7, "expires_in": 7}),
    ],
)
async def test_when_entra_does_not_answer_everybody_hears_it_and_entra_has_a_rest(answer: Handler) -> None:
    """Not one request for each caller: a queue of deadlines would outlast the trouble."""
    async with some_tokens(answer, gives("B")) as (tokens, site, hours):
        for _ in range(3):
            with pytest.raises(NoToken) as told:
                await tokens.get(SCOPE)
            assert told.value.remedy == ""
            assert 0 < (told.value.retry_after or 0) <= REST
        assert len(site.asked) == 1

        hours.now += REST
        assert await tokens.get(SCOPE) == "B"


@pytest.mark.parametrize("code", REMEDIES)
async def test_a_mistake_in_the_settings_is_one_sentence_with_what_to_do(code: int) -> None:
    """A wrong tenant or secret shows at the start, not at the first card."""
    async with some_tokens(refuses(401, "invalid_client", 1, code)) as (tokens, site, hours):
        with capture_logs() as logs, pytest.raises(BadSettings) as told:
            await tokens.prove(SCOPE)
        assert told.value.problems == [REMEDIES[code]]

        hours.now += STOPPED - 1
        with pytest.raises(BadSettings):
            await tokens.prove(SCOPE)
        assert len(site.asked) == 1

    assert [(log["event"], log["log_level"]) for log in logs] == [("teams_no_token", "error")]
    assert "wombat" not in str(logs)
    assert "do not read me" not in str(logs)


async def test_a_refusal_with_an_unknown_number_still_says_where_to_look() -> None:
    async with some_tokens(refuses(401, "invalid_client", 4711)) as (tokens, _site, _hours):
        with pytest.raises(NoToken, match=r"AADSTS4711.*TEAMS_APP_ID"):
            await tokens.get(SCOPE)


async def test_a_tenant_is_one_part_of_the_address() -> None:
    """T24: whatever somebody writes into the settings, the secret goes to Entra's own path."""
    async with a_site(gives("A")) as site, a_session() as session:
        await Tokens(session, cloud_at(site.url), "../evil?x", Secret(APP, SECRET)).get(SCOPE)
    assert site.asked[0].path.startswith("/..%2Fevil%3Fx/")


async def test_a_secret_is_never_shown() -> None:
    """T20: neither by the object nor by what goes wrong with it."""
    assert SECRET not in repr(Secret(APP, SECRET))


def a_certificate(key: str = "cert", by: str = "cert") -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "countersign")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(rsa_key(by).public_key())
    made = made.serial_number(1).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=9_999))
    pem = rsa_key(key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem + made.sign(rsa_key(by), hashes.SHA256()).public_bytes(Encoding.PEM)


async def test_a_certificate_proves_who_we_are_without_a_secret_that_travels() -> None:
    """Entra checks a short proof, signed for its own address alone, and finds the certificate by its thumbprint."""
    pem = a_certificate()
    async with some_tokens(gives("A"), credential=Certificate.read(APP, pem)) as (tokens, site, _hours):
        assert await tokens.get(SCOPE) == "A"
        audience = f"{site.url}/{TENANT}/oauth2/v2.0/token"

    form = site.asked[0].body
    proof = form["client_assertion"]
    said = jwt.decode(proof, rsa_key("cert").public_key(), ["PS256"], audience=audience)
    assert (said["iss"], said["sub"], said["exp"] - said["nbf"]) == (APP, APP, 300)
    thumbprint = x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256())
    assert jwt.utils.base64url_decode(jwt.get_unverified_header(proof)["x5t#S256"]) == thumbprint
    assert "client_secret" not in form


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN NONSENSE-----", a_certificate().partition(b"-----BEGIN CERT")[0]])
def test_a_certificate_that_cannot_be_read_is_named(pem: bytes) -> None:
    with pytest.raises(BadSettings, match="TEAMS_APP_CERTIFICATE"):
        Certificate.read(APP, pem)


def test_a_key_beside_another_certificate_is_noticed_at_the_start() -> None:
    with pytest.raises(BadSettings, match="not the certificate's"):
        Certificate.read(APP, a_certificate(key="cert", by="other"))
