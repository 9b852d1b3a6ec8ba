"""Entra and the Bot Framework's keys: tokens for the bot, tokens about Teams, and every kind of token that is neither.

Two issuers with keys of their own. `issue` is what the bot gets for its secret and shows to the Connector or to Graph;
`sign` is what the Connector shows to the bot. RSA keys are made once a process: they are the slow part.
"""

from __future__ import annotations

import base64
import functools
import json
import secrets
import time
from dataclasses import dataclass

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.teams.world import Json, World

ISSUER = "https://api.botframework.com"
BOT_SCOPE = "https://api.botframework.com/.default"
GRAPH_SCOPE = "https://graph.microsoft.com/.default"
AUDIENCES = {BOT_SCOPE: "https://api.botframework.com", GRAPH_SCOPE: "https://graph.microsoft.com"}
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME = 3599  # seconds, as Entra's answer says
BAD_TOKENS = (
    *("absent", "basic", "empty", "garbage", "expired", "too early", "without exp", "without iss", "without aud"),
    *("alg none", "hs256", "wrong aud", "wrong iss", "unknown kid", "no kid", "bad signature"),
    *("not endorsed", "other serviceurl", "without serviceurl", "outbound"),
)


class TokenError(Exception):
    """What Entra refuses, with its own number."""

    def __init__(self, status: int, error: str, code: str) -> None:
        super().__init__(code)
        self.status, self.error, self.code = status, error, code


@functools.cache
def rsa_key(nth: int) -> rsa.RSAPrivateKey:  # noqa: ARG001  # each number has a key of its own
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True)
class Key:
    """One key of the key set; *nth* names the RSA key behind it."""

    kid: str
    nth: int
    endorsements: tuple[str, ...]

    @property
    def private(self) -> rsa.RSAPrivateKey:
        return rsa_key(self.nth)

    def wire(self) -> Json:
        told: Json = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key()))
        return {**told, "use": "sig", "kid": self.kid, "x5t": self.kid, "endorsements": list(self.endorsements)}


class Entra:
    OUTBOUND, FORGER = 0, 1  # the RSA keys of Entra itself and of somebody else; the others are the Connector's

    def __init__(self, world: World) -> None:
        self._world = world
        self.app_password = f"secret~{secrets.token_urlsafe(24)}"
        self.directories = {world.tenant}  # where the app is known; in others it was never consented to
        self.issued: list[Json] = []  # every token that was given out, as its claims
        self.certificates: dict[str, rsa.RSAPublicKey] = {}  # by their thumbprint
        self._revoked: set[str] = set()
        self._rolled = 0
        self.keys = self._fresh()

    # ------------------------------------------------------- tokens for the bot

    def issue(self, tenant: str, form: Json) -> Json:
        """The answer of the token endpoint. Raises TokenError as Entra does."""
        if form.get("grant_type") != "client_credentials":
            raise TokenError(400, "unsupported_grant_type", "AADSTS70003")
        if tenant not in self._world.regions and tenant != "botframework.com":
            raise TokenError(400, "invalid_request", "AADSTS90002")
        if tenant not in self.directories or form.get("client_id") != self._world.app_id:
            raise TokenError(400, "unauthorized_client", "AADSTS700016")
        self._prove(tenant, form)
        scopes = {**AUDIENCES, f"{self._world.base}/.default": AUDIENCES[GRAPH_SCOPE]}
        if form.get("scope") not in scopes:
            raise TokenError(400, "invalid_scope", "AADSTS70011")
        claims = self._claims(tenant, scopes[str(form["scope"])])
        self.issued.append(claims)
        lives = {"expires_in": LIFETIME, "ext_expires_in": LIFETIME}
        return {"token_type": "Bearer", **lives, "access_token": self._own(claims)}

    def _prove(self, tenant: str, form: Json) -> None:
        """A secret, or a proof that is signed with the key of a registered certificate."""
        if "client_assertion" not in form and "client_secret" not in form:
            raise TokenError(401, "invalid_client", "AADSTS7000218")
        if "client_assertion" not in form:
            if form["client_secret"] != self.app_password:
                raise TokenError(401, "invalid_client", "AADSTS7000215")
            return
        proof, audience = str(form["client_assertion"]), f"{self._world.base}/{tenant}/oauth2/v2.0/token"
        needed: jwt.types.Options = {"require": ["exp", "iss", "sub", "aud", "jti"]}
        try:
            key = self.certificates[jwt.get_unverified_header(proof)["x5t#S256"]]
            jwt.decode(proof, key, ["PS256"], needed, audience=audience, issuer=self._world.app_id)
        except (jwt.PyJWTError, KeyError):
            raise TokenError(401, "invalid_client", "AADSTS700027") from None
        if form.get("client_assertion_type") != ASSERTION:
            raise TokenError(400, "invalid_request", "AADSTS900144")

    def register(self, pem: bytes) -> None:
        """The certificate in *pem* proves the app, too."""
        found = x509.load_pem_x509_certificate(pem)
        thumbprint = base64.urlsafe_b64encode(found.fingerprint(hashes.SHA256())).rstrip(b"=").decode()
        key = found.public_key()
        assert isinstance(key, rsa.RSAPublicKey), "Entra takes RSA"
        self.certificates[thumbprint] = key

    def check(self, header: str, audience: str, *, tenant: str | None = None) -> Json:
        """The claims of the bot's own token. PermissionError says what is wrong: "revoked" if it was taken back."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise PermissionError("there is no bearer token")
        options: jwt.types.Options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        try:
            claims: Json = jwt.decode(token, rsa_key(self.OUTBOUND).public_key(), ["RS256"], options, audience=audience)
        except jwt.PyJWTError as problem:
            raise PermissionError(f"the bearer token is not good here: {type(problem).__name__}") from None
        if claims["jti"] in self._revoked:
            raise PermissionError("revoked")
        if claims["exp"] <= self._world.now():
            raise PermissionError("the bearer token has expired")
        if tenant is not None and claims["tid"] != tenant:
            raise PermissionError("the bearer token is another tenant's")
        return claims

    def revoke(self) -> None:
        """Everything given out so far is refused from now on."""
        self._revoked |= {str(claims["jti"]) for claims in self.issued}

    def _claims(self, tenant: str, audience: str) -> Json:
        now = int(self._world.now())
        mine = {"appid": self._world.app_id, "tid": tenant, "jti": secrets.token_hex(8)}
        return {"aud": audience, "iss": f"https://sts.windows.net/{tenant}/", "nbf": now, "exp": now + LIFETIME, **mine}

    def _own(self, claims: Json) -> str:
        return jwt.encode(claims, rsa_key(self.OUTBOUND), "RS256", headers={"kid": "entra"})

    # ------------------------------------------------------- tokens about Teams

    def key_set(self) -> Json:
        return {"keys": [key.wire() for key in self.keys]}

    def roll(self, *, keep: bool = False) -> None:
        """Sign with a new key. *keep*: the old one is still published, as for some days it is."""
        old = self.keys if keep else []
        self._rolled += 1
        self.keys = [*self._fresh(), *old]

    def sign(self, service_url: str, **changed: object) -> str:
        """A token as the Connector sends it now; *changed* claims, None takes one away."""
        return self._signed(self.keys[0], self._about(service_url) | changed)

    def bad(self, kind: str, service_url: str) -> str:
        """An Authorization header that must be refused. *kind* is one of BAD_TOKENS."""
        good, key, now = self._about(service_url), self.keys[0], int(time.time())
        match kind:
            case "absent":
                return ""
            case "basic":
                return f"Basic {base64.b64encode(b'user:password').decode()}"
            case "outbound":
                return f"Bearer {self._own(self._claims(self._world.tenant, self._world.app_id))}"
            case "alg none":
                return f"Bearer {jwt.encode(good, '', 'none', headers={'kid': key.kid})}"
            case "hs256":
                return f"Bearer {jwt.encode(good, secrets.token_bytes(32), 'HS256', headers={'kid': key.kid})}"
            case "no kid":
                return f"Bearer {jwt.encode(good, key.private, 'RS256')}"
            case "unknown kid":
                return f"Bearer {self._signed(Key('nobody', self.FORGER, ()), good)}"
            case "bad signature":
                return f"Bearer {self._signed(Key(key.kid, self.FORGER, ()), good)}"
            case "not endorsed":
                return f"Bearer {self._signed(self.keys[1], good)}"
        texts = {"empty": "", "garbage": "not.a.token"}
        if kind in texts:
            return f"Bearer {texts[kind]}"
        claims: dict[str, Json] = {
            "expired": {"nbf": now - 7200, "iat": now - 7200, "exp": now - 3600},
            "too early": {"nbf": now + 3600, "iat": now + 3600, "exp": now + 7200},
            "without exp": {"exp": None},
            "without iss": {"iss": None},
            "without aud": {"aud": None},
            "wrong aud": {"aud": "00000000-0000-0000-0000-000000000000"},
            "wrong iss": {"iss": "https://sts.windows.net/72f988bf/"},
            "other serviceurl": {"serviceurl": "https://smba.example/emea/"},
            "without serviceurl": {"serviceurl": None},
        }
        return f"Bearer {self._signed(key, good | claims[kind])}"

    def _about(self, service_url: str) -> Json:
        now = int(time.time())  # the bot's own clock judges it, so it is never put forward
        times = {"nbf": now - 60, "iat": now - 60, "exp": now + 3600}
        return {"serviceurl": service_url, "iss": ISSUER, "aud": self._world.app_id, **times}

    def _signed(self, key: Key, claims: Json) -> str:
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, key.private, "RS256", headers={"kid": key.kid, "x5t": key.kid})

    def _fresh(self) -> list[Key]:
        nth = 2 + 2 * self._rolled
        teams = Key(f"kid-{secrets.token_hex(6)}", nth, ("msteams", "skype", "webchat", "directline"))
        return [teams, Key(f"kid-{secrets.token_hex(6)}", nth + 1, ("webchat", "directline", "facebook"))]
