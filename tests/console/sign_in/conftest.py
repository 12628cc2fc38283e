"""An authority in memory, whose keys sign what a test says, and the parts over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from console.sign_in.authority import Authority
from console.sign_in.token_check import TokenCheck
from kernel.clock import FrozenClock
from kernel.errors import Unavailable
from sandbox.tokens import Tokens

TENANT = "7a3c0e5e-3f4d-4e9e-8d0b-0c2a7b1f9d11"
CLIENT = "5d1c7a86-2b0f-4a57-9c55-6f0e8a1b2c3d"
PERSON = "0f2b8b1e-6a53-4f7e-9d35-2c8f5e1a7b90"
URL = f"https://login.example.com/{TENANT}"


class MemoryAuthority:
    """Answers for its documents, counts how often, and signs tokens."""

    def __init__(self, clock: FrozenClock) -> None:
        self.issuer = f"{URL}/v2.0"
        self.keys_url = f"{URL}/discovery/v2.0/keys"
        self.asked = 0
        self.is_down = False
        self._clock = clock
        self.tokens = Tokens(clock, issuer=self.issuer)

    def roll_over(self) -> None:
        self.tokens = Tokens(self._clock, issuer=self.issuer)

    def fetch(self, url: str) -> Mapping[str, Any]:
        if self.is_down:
            raise Unavailable("Nobody answers.")
        if url == self.keys_url:
            return self.tokens.key_set()
        self.asked += 1
        return {"issuer": self.issuer, "jwks_uri": self.keys_url}

    def token(self, *, audience: str = CLIENT, **claims: Any) -> str:
        told = {
            "oid": PERSON,
            "tid": TENANT,
            "preferred_username": "approver@contoso.com",
            "roles": ["Approver"],
            "scp": "user_impersonation",
            "ver": "2.0",
        } | claims
        return self.tokens.issue(audience, {k: v for k, v in told.items() if v is not None})


@pytest.fixture
def authority(clock: FrozenClock) -> MemoryAuthority:
    return MemoryAuthority(clock)


@pytest.fixture
def check(authority: MemoryAuthority, clock: FrozenClock) -> TokenCheck:
    return TokenCheck(Authority(URL, authority.fetch, clock), client_id=CLIENT, clock=clock)


@pytest.fixture
def forged() -> Callable[..., str]:
    """Return a token of the same words that somebody else signed."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def forge(token: str, *, algorithm: str = "RS256", key: Any = key) -> str:
        claims = jwt.decode(token, options={"verify_signature": False})
        headers = {"kid": jwt.get_unverified_header(token)["kid"]}
        return jwt.encode(claims, key, algorithm=algorithm, headers=headers)

    return forge
