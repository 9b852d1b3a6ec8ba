"""What proves to Entra who we are: a secret, or a certificate's key. Each is one small object with one verb.

Does not own the request it goes into (tokens).
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bot.domain.errors import BadSettings

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIVES = 300  # seconds; Entra advises five to ten minutes


class Credential(Protocol):
    """Who asks for a token."""

    def form(self, audience: str) -> Mapping[str, str]:
        """The fields that name and prove it in a request to *audience*, Entra's own URL."""
        ...


@dataclass(frozen=True, slots=True)
class Secret:
    app_id: str
    secret: str = field(repr=False)

    def form(self, audience: str) -> Mapping[str, str]:  # noqa: ARG002  # a secret is the same for everybody
        return {"client_id": self.app_id, "client_secret": self.secret}


@dataclass(frozen=True, slots=True)
class Certificate:
    """A key whose certificate is registered with the app.

    *thumbprint* is SHA-256, which Entra reads beside PS256 (learn.microsoft.com, "certificate credentials"; msal too).
    """

    app_id: str
    key: RSAPrivateKey = field(repr=False)
    thumbprint: str
    clock: Callable[[], float] = field(default=time.time, repr=False)

    @classmethod
    def read(cls, app_id: str, pem: bytes) -> Certificate:
        """From one PEM file with the private key and its certificate. Raises BadSettings."""
        try:
            key = load_pem_private_key(pem, password=None)
            certificate = x509.load_pem_x509_certificate(pem)
        except (ValueError, TypeError) as error:
            raise BadSettings([_UNREADABLE]) from error
        if not isinstance(key, RSAPrivateKey) or key.public_key() != certificate.public_key():
            raise BadSettings(["TEAMS_APP_CERTIFICATE: the key is not the certificate's, or not RSA."])
        thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(SHA256())).rstrip(b"=").decode()
        return cls(app_id, key, thumbprint)

    def form(self, audience: str) -> Mapping[str, str]:
        now = int(self.clock())
        who = {"aud": audience, "iss": self.app_id, "sub": self.app_id, "jti": secrets.token_hex(16)}
        claims = {**who, "iat": now, "nbf": now, "exp": now + LIVES}
        proof = jwt.encode(claims, self.key, algorithm="PS256", headers={"x5t#S256": self.thumbprint})
        return {"client_id": self.app_id, "client_assertion_type": ASSERTION, "client_assertion": proof}


_UNREADABLE = (
    "TEAMS_APP_CERTIFICATE cannot be read: it must be one PEM file with an unencrypted private key and its certificate."
)
