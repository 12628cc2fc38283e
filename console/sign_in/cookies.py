"""The cookies of the console: of this host alone, closed to scripts, not sent along by others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from console.sign_in.under_way import LASTS

SESSION = "mailbox-guard"
TICKET = "mailbox-guard-sign-in"
_MOST_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Cookies:
    """How cookies are named and set; secure wherever the console is reached by https.

    Lax, not strict: whoever follows a link from a mail to something held is signed in, and every
    form has its proof.
    """

    is_secure: bool

    def read(self, header: str | None, name: str) -> str | None:
        """Return the value of the cookie, None where there is none that can be read."""
        if not header or len(header) > _MOST_BYTES:
            return None
        try:
            found = SimpleCookie(header).get(self._named(name))
        except CookieError:
            return None
        return found.value if found is not None and found.value else None

    def session(self, value: str) -> Mapping[str, str]:
        """Return the header that gives the browser a session, until it is closed."""
        return {"set-cookie": self._set(SESSION, value)}

    def ticket(self, value: str) -> Mapping[str, str]:
        """Return the header that gives the browser what it brings back from Entra."""
        age = int(LASTS.total_seconds())
        return {"set-cookie": f"{self._set(TICKET, value)}; Max-Age={age}"}

    def gone(self, name: str) -> Mapping[str, str]:
        """Return the header that takes the cookie away."""
        return {"set-cookie": f"{self._set(name, '')}; Max-Age=0"}

    def _named(self, name: str) -> str:
        return f"__Host-{name}" if self.is_secure else name

    def _set(self, name: str, value: str) -> str:
        secure = "; Secure" if self.is_secure else ""
        return f"{self._named(name)}={value}; Path=/; HttpOnly; SameSite=Lax{secure}"
