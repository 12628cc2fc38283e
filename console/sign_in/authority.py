"""The authority whose tokens are believed: its issuer and its keys, asked seldom and kept briefly.

Source: OpenID Connect Discovery 1.0, RFC 7517. Whoever sends tokens with invented key ids makes us
ask no more often than once a minute; without answer the known keys are believed for a day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from kernel.clock import Clock
from kernel.errors import Unavailable

REFRESH_AFTER_SECONDS = 3600.0
BELIEVED_SECONDS = 86_400.0
ASKED_APART_SECONDS = 60.0
MOST_KEYS = 100

Fetch = Callable[[str], Mapping[str, Any]]
"""Returns the JSON document at a URL, in the calling thread; raises Unavailable."""


@dataclass(frozen=True, slots=True)
class _Known:
    issuer: str
    keys: Mapping[str, Any]
    at: float


class Authority:
    """One tenant's sign-in service. `url` carries the tenant."""

    def __init__(self, url: str, fetch: Fetch, clock: Clock) -> None:
        self._url = url.rstrip("/")
        self._fetch = fetch
        self._clock = clock
        self._known: _Known | None = None
        self._asked_at = float("-inf")
        self._failure: Unavailable | None = None
        self._asking = asyncio.Lock()

    async def issuer(self) -> str:
        """Return who must have issued a token. Raises Unavailable while nobody tells."""
        return (await self._current()).issuer

    async def key(self, key_id: str) -> Any | None:
        """Return the public key of that id, or None. Raises Unavailable while nobody tells."""
        known = await self._current()
        if key_id not in known.keys:
            # Keys are rolled over: this one may be newer than what we know.
            known = await self._current(than=known)
        return known.keys.get(key_id)

    async def _current(self, than: _Known | None = None) -> _Known:
        async with self._asking:
            now = self._clock.monotonic()
            known = self._known
            is_wanted = known is None or known is than or now - known.at > REFRESH_AFTER_SECONDS
            if is_wanted and now - self._asked_at >= ASKED_APART_SECONDS:
                self._asked_at = now
                try:
                    known = self._known = await asyncio.to_thread(self._ask, now)
                    self._failure = None
                except Unavailable as error:
                    self._failure = error
            if known is None or now - known.at > BELIEVED_SECONDS:
                raise self._failure or Unavailable("The authority's keys are not known yet.")
            return known

    def _ask(self, now: float) -> _Known:
        import jwt

        told = self._fetch(f"{self._url}/v2.0/.well-known/openid-configuration")
        issuer, keys_url = told.get("issuer"), told.get("jwks_uri")
        if not isinstance(issuer, str) or not isinstance(keys_url, str) or "{" in issuer:
            raise Unavailable(
                "The authority does not name one tenant as issuer.",
                hint="MAILBOX_GUARD_AUTHORITY_URL or MAILBOX_GUARD_TENANT_ID must name the tenant.",
            )
        if urlsplit(keys_url)[:2] != urlsplit(self._url)[:2]:
            raise Unavailable("The authority points to another place for its keys.")
        keys: dict[str, Any] = {}
        listed = self._fetch(keys_url).get("keys")
        for one in (listed if isinstance(listed, list) else [])[:MOST_KEYS]:
            if not isinstance(one, dict) or one.get("kty") != "RSA" or not one.get("kid"):
                continue
            try:
                keys[str(one["kid"])] = jwt.PyJWK(one, algorithm="RS256")
            except jwt.PyJWTError:
                continue
        if not keys:
            raise Unavailable("The authority shows no key that could be used.")
        return _Known(issuer, keys, now)
