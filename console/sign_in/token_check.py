"""Whether a token was issued by our authority, for us, and is good now.

Algorithm, issuer, tenant and audience are fixed beforehand; nothing in a token chooses how it is
checked. Source: RFC 8725, and learn.microsoft.com/entra/identity-platform/access-tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.sign_in.authority import Authority
from console.sign_in.claims import principal_of
from console.sign_in.refusals import SignInRefused
from kernel.clock import Clock
from kernel.principal import Principal

ALGORITHM = "RS256"
LEEWAY_SECONDS = 60
MOST_BYTES = 16 * 1024
_SHAPE = "It is no token of version 2 that this authority signed."


class TokenCheck:
    """Believes tokens of one authority that are for one application."""

    def __init__(self, authority: Authority, *, client_id: str, clock: Clock) -> None:
        self._authority = authority
        self._audiences = (client_id, f"api://{client_id}")
        self._clock = clock

    async def bearer(self, authorization: str) -> Principal:
        """Return who a header `Authorization: Bearer …` proves.

        Raises SignInRefused, and Unavailable while the authority's keys cannot be had.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise SignInRefused("The header Authorization carries no bearer token.")
        claims = await self.claims(token.strip())
        # What an application gets for itself has no scope, whatever its roles.
        if not isinstance(claims.get("scp"), str) or not claims["scp"]:
            raise SignInRefused("The token is no access token of a person.")
        return principal_of(claims)

    async def claims(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a token that is good now. Raises SignInRefused, Unavailable."""
        import jwt

        if len(token) > MOST_BYTES:
            raise SignInRefused(f"The token is longer than {MOST_BYTES} bytes.")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise SignInRefused(f"The token cannot be read. {_SHAPE}") from None
        key_id = header.get("kid")
        if header.get("alg") != ALGORITHM or not isinstance(key_id, str) or not key_id:
            raise SignInRefused(f"The token is signed by another algorithm. {_SHAPE}")
        issuer = await self._authority.issuer()
        key = await self._authority.key(key_id)
        if key is None:
            raise SignInRefused(f"The token's key is not one of the authority's. {_SHAPE}")
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audiences,
                issuer=issuer,
                options={
                    "require": ["exp", "iat", "aud", "iss"],
                    "strict_aud": False,
                    # By our own clock, below.
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidAudienceError:
            raise SignInRefused("The token is for another application.") from None
        except jwt.InvalidIssuerError:
            raise SignInRefused(
                "The token is of another tenant, or of version 1.",
                hint="Set `requestedAccessTokenVersion` to 2 in the manifest of the application.",
            ) from None
        except jwt.PyJWTError:
            raise SignInRefused(f"The token's signature is wrong. {_SHAPE}") from None
        self._check_times(claims)
        if not claims.get("tid") or str(claims["tid"]) not in issuer.split("/"):
            raise SignInRefused("The token is of another tenant.")
        return claims

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self._clock.now().timestamp()
        try:
            begins = float(claims.get("nbf", claims["iat"]))
            ends = float(claims["exp"])
        except (TypeError, ValueError):
            raise SignInRefused(f"The token has no times. {_SHAPE}") from None
        if not begins - LEEWAY_SECONDS <= now < ends + LEEWAY_SECONDS:
            raise SignInRefused(
                "The token has ended, or has not begun.",
                hint="Sign in again; if that does not help, set this machine's clock.",
            )
