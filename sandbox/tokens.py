"""Tokens as Entra ID issues them, and as the services check them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from kernel.clock import Clock
from kernel.digest import sha256_hex

LIFETIME_SECONDS = 3599


class TokenRefused(Exception):
    """The bearer token is not good; the text is what the service says."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who asks, as the token states it."""

    app_id: str
    object_id: str
    tenant_id: str
    is_app: bool
    roles: frozenset[str]
    upn: str | None
    claims: Mapping[str, Any]


def _number(value: int) -> str:
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Tokens:
    """The signing key of the tenant and what is done with it."""

    def __init__(self, clock: Clock, *, issuer: str) -> None:
        self._clock = clock
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.issuer = issuer
        numbers = self._key.public_key().public_numbers()
        self.key_id = sha256_hex(_number(numbers.n).encode())[:27]
        self._modulus, self._exponent = _number(numbers.n), _number(numbers.e)

    def key_set(self) -> dict[str, Any]:
        """Return the JSON Web Key Set that checkers of the tokens read."""
        key = {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.key_id,
            "x5t": self.key_id,
            "n": self._modulus,
            "e": self._exponent,
            "issuer": self.issuer,
        }
        return {"keys": [key]}

    def issue(self, audience: str, claims: Mapping[str, Any]) -> str:
        """Return a signed token for the audience, good for an hour."""
        now = int(self._clock.now().timestamp())
        payload = {
            "aud": audience,
            "iss": self.issuer,
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME_SECONDS + 1,
            "uti": str(uuid4()),
            **claims,
        }
        headers = {"kid": self.key_id, "x5t": self.key_id}
        return jwt.encode(payload, self._key, algorithm="RS256", headers=headers)

    def check(self, authorization: str | None, *, audiences: frozenset[str]) -> Bearer:
        """Return who asks. Raises TokenRefused with the service's own words."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenRefused("Access token is empty.")
        try:
            claims = jwt.decode(
                token.strip(),
                self._key.public_key(),
                algorithms=["RS256"],
                issuer=self.issuer,
                options={
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError as error:
            raise TokenRefused(
                "CompactToken validation failed with reason code: 80049228."
            ) from error
        if claims["exp"] <= self._clock.now().timestamp():
            raise TokenRefused("Lifetime validation failed, the token is expired.")
        if claims["aud"] not in audiences:
            raise TokenRefused("Access token validation failure. Invalid audience.")
        return Bearer(
            app_id=claims["appid"],
            object_id=claims["oid"],
            tenant_id=claims["tid"],
            is_app=claims.get("idtyp") == "app",
            roles=frozenset(claims.get("roles", ())),
            upn=claims.get("upn"),
            claims=claims,
        )
