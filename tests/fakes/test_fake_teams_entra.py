"""PN-10: the fake Entra and Graph: who gets a token for what, how long it is taken, and what it lets one read."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from yarl import URL

from tests.fakes.teams.entra import ASSERTION, BOT_SCOPE, GRAPH_SCOPE, rsa_key
from tests.fakes.teamsbot import Body, Bot

HI: Body = {"type": "message", "text": "hi"}

# ---------------------------------------------------------------------- tokens


async def test_the_connector_takes_its_own_entras_tokens_until_they_end(bot: Bot) -> None:
    """No token, garbage, Graph's, an old one, one taken back: 401. Only the last is not the bot's fault."""
    chat = ("POST", "conversations", bot.ops, "activities")
    bot.token = "garbage"
    statuses = [(await bot.call(*chat, body=HI)).status]
    bot.token = (await bot.new_token(scope=GRAPH_SCOPE))[1]["access_token"]
    statuses.append((await bot.call(*chat, body=HI)).status)
    bot.token = ""
    await bot.post(bot.ops, HI)
    bot.teams.later(3600)
    statuses.append((await bot.call(*chat, body=HI)).status)

    assert statuses == [401, 401, 401]
    assert len(bot.teams.complaints) == 3
    bot.token = ""
    await bot.post(bot.ops, HI)
    bot.teams.revoke_tokens()
    assert (await bot.call(*chat, body=HI)).status == 401
    assert len(bot.teams.complaints) == 3


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"client_secret": "wrong"}, 7000215),
        ({"client_id": "somebody"}, 700016),
        ({"tenant": "botframework.com"}, 700016),
        ({"tenant": "nowhere"}, 90002),
        ({"scope": "openid"}, 70011),
    ],
)
async def test_entra_says_by_number_what_is_wrong(bot: Bot, changed: dict[str, str], code: int) -> None:
    """A single-tenant app has its tokens from its own tenant only (reference, section 5.3)."""
    status, told = await bot.new_token(**changed)

    assert status >= 400
    assert told["error_codes"] == [code]


async def test_a_certificate_proves_the_app_when_it_is_registered(bot: Bot) -> None:
    """The proof is signed with its key, for this very endpoint; another's is AADSTS700027."""
    key, other = rsa_key(90), rsa_key(91)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bot")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    certificate = made.not_valid_before(start).not_valid_after(start + timedelta(days=900)).sign(key, hashes.SHA256())
    thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()
    url, app = f"{bot.teams.login_url}/{bot.teams.tenant}/oauth2/v2.0/token", bot.teams.app_id

    async def asked(by: rsa.RSAPrivateKey, audience: str = url) -> tuple[int, Body]:
        claims = {"aud": audience, "iss": app, "sub": app, "jti": "1", "exp": int(time.time()) + 300}
        proof = jwt.encode(claims, by, "PS256", headers={"x5t#S256": thumbprint})
        form = {"grant_type": "client_credentials", "client_id": app, "scope": BOT_SCOPE}
        form |= {"client_assertion_type": ASSERTION, "client_assertion": proof}
        async with bot.session.post(url, data=form) as answer:
            return answer.status, await answer.json()

    assert (await asked(key))[1]["error_codes"] == [700027]
    bot.teams.register_certificate(certificate.public_bytes(serialization.Encoding.PEM))
    assert (await asked(key))[0] == 200
    assert (await asked(other))[1]["error_codes"] == [700027]
    assert (await asked(key, "https://elsewhere.example"))[1]["error_codes"] == [700027]


# ----------------------------------------------------------------------- Graph


async def test_graph_tells_managers_as_far_as_it_may(bot: Bot) -> None:
    """Reference, section 14: 404 is "no manager"; without the permission it is 403; other tenants are unknown."""
    token = (await bot.new_token(scope=GRAPH_SCOPE))[1]["access_token"]
    boss, foreign = bot.teams.add_person("Dana"), bot.teams.add_person("Eve", tenant=bot.teams.add_tenant())
    bot.teams.person(bot.ana).manager = bot.bo
    bot.teams.person(bot.bo).manager = boss

    async def graph(path: str) -> tuple[int, Body]:
        url = f"{bot.teams.graph_url}/v1.0/users/{path}"
        async with bot.session.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
            return answer.status, await answer.json()

    status, told = await graph(f"{bot.ana}/manager?$select=id,displayName")
    assert (status, told["id"], told["displayName"]) == (200, bot.bo, "Bo")
    _status, told = await graph(f"{bot.ana}?$expand=manager($levels=2)&$count=true")
    assert told["manager"]["manager"]["id"] == boss
    assert (await graph(f"{boss}/manager"))[0] == 404
    assert (await graph(foreign))[0] == 404
    bot.teams.graph_permissions.clear()
    assert (await graph(f"{bot.ana}/manager"))[1]["error"]["code"] == "Authorization_RequestDenied"
    assert bot.teams.complaints == []


async def test_graph_tells_the_members_of_a_group_page_by_page(bot: Bot) -> None:
    """A link leads to the rest; a deleted person is not there, a disabled one is."""
    token = (await bot.new_token(scope=GRAPH_SCOPE))[1]["access_token"]
    group = bot.teams.add_group("finance", (bot.ana, bot.bo))
    bot.teams.person(bot.bo).is_disabled = True
    url = f"{bot.teams.graph_url}/v1.0/groups/{group}/transitiveMembers?$select=id,accountEnabled&$top=1"

    found = []
    while url:
        async with bot.session.get(URL(url, encoded=True), headers={"Authorization": f"Bearer {token}"}) as answer:
            page = await answer.json()
        found += [(each["id"], each["accountEnabled"]) for each in page["value"]]
        url = page.get("@odata.nextLink", "")

    assert sorted(found) == sorted([(bot.ana, True), (bot.bo, False)])
