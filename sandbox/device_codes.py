"""Codes of devices that wait until somebody has signed in for them.

Source: RFC 8628, and Microsoft's page on the device authorization grant for the error numbers.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from kernel.clock import Clock

DEVICE_CODE_SECONDS: Final = 900
_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
_USER_CODE_LENGTH: Final = 9


class DeviceCodePending(Exception):
    """There is no token for this code: OAuth error, AADSTS number, text."""

    def __init__(self, error: str, number: int, text: str) -> None:
        super().__init__(text)
        self.error, self.number = error, number


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """One device that waits; `upn` is who signed in for it."""

    device_code: str
    user_code: str
    client_id: str
    scope: str
    until: datetime
    upn: str | None = None

    def told(self, page: str) -> dict[str, str | int]:
        """Return what the device is told; `page` is where a person enters the code."""
        return {
            "user_code": self.user_code,
            "device_code": self.device_code,
            "verification_uri": page,
            "expires_in": DEVICE_CODE_SECONDS,
            "interval": 1,
            "message": f"To sign in, open the page {page} and enter the code {self.user_code}.",
        }


class DeviceCodes:
    """The codes given out; each is good once, for a quarter of an hour."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._codes: dict[str, DeviceCode] = {}

    def begin(self, client_id: str, scope: str) -> DeviceCode:
        """Return a new code."""
        until = self._clock.now() + timedelta(seconds=DEVICE_CODE_SECONDS)
        user_code = "".join(secrets.choice(_LETTERS) for _ in range(_USER_CODE_LENGTH))
        code = DeviceCode(secrets.token_urlsafe(32), user_code, client_id, scope, until)
        self._codes[code.device_code] = code
        return code

    def approve(self, user_code: str, upn: str) -> bool:
        """Let a person sign in for the device that shows this code; return whether it waits."""
        wanted = user_code.strip().upper()
        for code in self._codes.values():
            if code.user_code == wanted and code.upn is None and self._clock.now() < code.until:
                self._codes[code.device_code] = replace(code, upn=upn)
                return True
        return False

    def redeem(self, device_code: str, client_id: str) -> tuple[str, str]:
        """Return who signed in and the scope. Raises DeviceCodePending while there is no token."""
        code = self._codes.get(device_code)
        if code is None or code.client_id != client_id:
            text = "The provided device code is not valid, or was redeemed already."
            raise DeviceCodePending("bad_verification_code", 70007, text)
        if self._clock.now() >= code.until:
            raise DeviceCodePending("expired_token", 70020, "The device code has expired.")
        if code.upn is None:
            text = "OAuth 2.0 device flow error. Authorization is pending."
            raise DeviceCodePending("authorization_pending", 70016, text)
        del self._codes[device_code]
        return code.upn, code.scope
