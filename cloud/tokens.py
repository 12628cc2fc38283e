"""Access tokens for a scope: kept, renewed before they end, fetched once however many wait.

Entra is asked through msal in a thread. Each fetch makes a new msal application on purpose: msal
repeats a 400 answer from its cache for 60 s and cannot be told to forget a token that a service
refused; the tokens themselves are kept here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cloud.entra import EntraApp
from cloud.errors import CloudError, TokenRefused
from kernel.clock import Clock

_UNUSABLE_BEFORE_END_SECONDS = 60.0
_RENEW_AFTER_SHARE = 0.7
_FAILURE_KEPT_SECONDS = 5.0
# A service that refuses every token must not turn each of its refusals into a request to Entra.
_RENEW_AGAIN_AFTER_SECONDS = 10.0


class Tokens(Protocol):
    """Where access tokens come from."""

    async def get(self, scope: str) -> str:
        """Return a token for the scope that is valid now; raises TokenRefused."""
        ...

    async def renew(self, scope: str) -> str:
        """Return a new token, because a service refused the one that `get` returned."""
        ...


class FixedTokens:
    """Tokens that were decided beforehand: the twin for tests. `renewed` lists what was renewed."""

    def __init__(self, tokens: Mapping[str, str] | None = None) -> None:
        self._tokens = dict(tokens or {})
        self.renewed: list[str] = []

    async def get(self, scope: str) -> str:
        """Return the token of that scope."""
        return self._tokens.get(scope, "token") + self._suffix(scope)

    async def renew(self, scope: str) -> str:
        """Return the next token of that scope."""
        self.renewed.append(scope)
        return await self.get(scope)

    def _suffix(self, scope: str) -> str:
        count = self.renewed.count(scope)
        return f"-{count}" if count else ""


@dataclass(slots=True)
class _Held:
    """What is known for one scope: the token and its times, or the failure and until when."""

    token: str = ""
    fetched_at: float = 0.0
    renew_at: float = 0.0
    unusable_at: float = 0.0
    failure: CloudError | None = None
    failure_until: float = 0.0
    fetch: asyncio.Task[str] | None = None


class MsalTokens:
    """Tokens of one application identity, by msal."""

    def __init__(self, app: EntraApp, *, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._held: dict[str, _Held] = {}

    async def get(self, scope: str) -> str:
        """Return a valid token; past 70 % of its life the next one is fetched in the background.

        Raises TokenRefused (with the AADSTS code) when Entra gives none, and again without asking
        Entra for the next five seconds.
        """
        held = self._held.setdefault(scope, _Held())
        now = self._clock.monotonic()
        if held.token and now < held.unusable_at:
            if now >= held.renew_at and now >= held.failure_until:
                self._begin_fetch(scope, held)
            return held.token
        return await self._fetched(scope, held)

    async def renew(self, scope: str) -> str:
        """Fetch a token anew, unless the one at hand is younger than ten seconds.

        So many calls that were refused together cause one fetch.
        """
        held = self._held.setdefault(scope, _Held())
        age = self._clock.monotonic() - held.fetched_at
        if held.token and age < _RENEW_AGAIN_AFTER_SECONDS:
            return held.token
        if held.fetch is None:
            held.token = ""
        return await self._fetched(scope, held)

    def failure_of(self, scope: str) -> CloudError | None:
        """Return why the newest fetch for the scope failed, also while an older token lasts."""
        held = self._held.get(scope)
        return None if held is None else held.failure

    async def aclose(self) -> None:
        """Stop what is being fetched and close the connections to Entra."""
        fetches = [held.fetch for held in self._held.values() if held.fetch is not None]
        for fetch in fetches:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)
        self._app.close()

    async def _fetched(self, scope: str, held: _Held) -> str:
        if held.fetch is None and held.failure and self._clock.monotonic() < held.failure_until:
            raise held.failure
        # Shielded: a caller whose deadline comes does not take the token from the others.
        return await asyncio.shield(self._begin_fetch(scope, held))

    def _begin_fetch(self, scope: str, held: _Held) -> asyncio.Task[str]:
        if held.fetch is None:
            held.fetch = asyncio.create_task(self._fetch(scope, held))
            held.fetch.add_done_callback(_look_at_failure)
        return held.fetch

    async def _fetch(self, scope: str, held: _Held) -> str:
        try:
            result = await asyncio.to_thread(self._app.fetch, scope)
            self._keep(held, result)
        except CloudError as error:
            held.failure = error
            held.failure_until = self._clock.monotonic() + _FAILURE_KEPT_SECONDS
            raise
        finally:
            held.fetch = None
        return held.token

    def _keep(self, held: _Held, result: Mapping[str, Any]) -> None:
        token = result.get("access_token")
        if not isinstance(token, str) or not token:
            raise TokenRefused("Entra answered without a token.")
        now = self._clock.monotonic()
        seconds = max(0.0, _seconds(result.get("expires_in"), 3600.0))
        renew_seconds = min(
            _seconds(result.get("refresh_in"), seconds), seconds * _RENEW_AFTER_SHARE
        )
        held.token = token
        held.fetched_at = now
        held.renew_at = now + renew_seconds
        held.unusable_at = now + max(seconds - _UNUSABLE_BEFORE_END_SECONDS, seconds / 2)
        held.failure = None


def _seconds(value: Any, otherwise: float) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return otherwise


def _look_at_failure(fetch: asyncio.Task[str]) -> None:
    # A background renewal that fails is told by the next caller that needs the token.
    if not fetch.cancelled():
        fetch.exception()
