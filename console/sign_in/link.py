"""The one-time link: whoever reads what `serve` prints on this machine may look, pause and refuse.

It is good once and for ten minutes; each start prints a new one. It never makes an approver.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from console.sign_in.refusals import SignInRefused
from kernel.clock import Clock
from kernel.principal import AppRole, Principal, Proof

LASTS = timedelta(minutes=10)
PATH = "/link"
_BYTES = 24

HOLDER = Principal(
    "whoever opened the link on this machine",
    Proof.LINK,
    frozenset({AppRole.READER, AppRole.OPERATOR}),
)


class OneTimeLink:
    """The links of one process; only the newest is good."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._digest = b""
        self._until: datetime | None = None

    def make(self) -> str:
        """Return the path of a new link; the one before is good no more."""
        secret = secrets.token_urlsafe(_BYTES)
        self._digest = sha256(secret.encode()).digest()
        self._until = self._clock.now() + LASTS
        return f"{PATH}/{secret}"

    def redeem(self, secret: str) -> Principal:
        """Return who opened it, once. Raises SignInRefused."""
        digest = sha256(secret.encode()).digest()
        is_good = self._until is not None and self._clock.now() < self._until
        if not hmac.compare_digest(digest, self._digest) or not is_good:
            raise SignInRefused(
                "The link is not good, was opened already, or is older than ten minutes.",
                hint="`serve` prints a new one when it starts.",
            )
        self._digest, self._until = b"", None
        return HOLDER
