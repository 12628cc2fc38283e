"""The seal on a session: only a process of ours, which knows a secret of the settings, makes one.

Who can write into the database but does not know that secret makes nobody an approver.
"""

from __future__ import annotations

import hmac
from typing import Any

from kernel.digest import canonical_json

_PURPOSE = b"mailbox-guard console session"


class Seal:
    """Seals values with a key made from a secret, which any bytes may be."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, _PURPOSE, "sha256")

    def on(self, *values: Any) -> str:
        """Return the seal on these values, which JSON must know."""
        return hmac.new(self._key, canonical_json(values), "sha256").hexdigest()

    def fits(self, seal: str, *values: Any) -> bool:
        """Return whether it is the seal on these values, in a time that tells nothing."""
        return hmac.compare_digest(seal.encode(), self.on(*values).encode())
