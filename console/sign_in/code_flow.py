"""Signing in with Entra in a browser: OpenID Connect's code flow with PKCE, by msal.

What is asked and what comes back are tied together by state, nonce and code verifier, which stay
on our side. No refresh token is asked for: who is signed in is asked of Entra again instead.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Mapping
from typing import Any, Protocol

from console.sign_in.asking import SignInApp, asked
from console.sign_in.claims import principal_of
from console.sign_in.refusals import SignInRefused
from console.sign_in.token_check import TokenCheck
from kernel.principal import Principal

RETURN_PATH = "/sign-in/entra/return"
_MOST_SHOWN = 120


class CodeFlow(Protocol):
    """A sign-in that leads through another site and comes back."""

    async def begin(self) -> dict[str, Any]:
        """Return what has to be kept until then; `auth_uri` is where the browser goes."""
        ...

    async def finish(self, kept: dict[str, Any], answer: Mapping[str, str]) -> Principal:
        """Return who came back with that answer. Raises SignInRefused, Unavailable."""
        ...


class EntraCodeFlow:
    """The code flow of one application, which Entra lets come back to `redirect_uri` alone."""

    def __init__(self, app: SignInApp, check: TokenCheck, *, redirect_uri: str) -> None:
        self._app = app
        self._check = check
        self._redirect_uri = redirect_uri

    async def begin(self) -> dict[str, Any]:
        """Return state, nonce and code verifier with the address that carries their public part."""

        # msal would rather have the answer posted. A post from elsewhere brings no cookie of ours
        # along, and what the query holds is good once, with what stays here.
        warnings.filterwarnings("ignore", message="response_mode='form_post'", module="msal")

        def initiate() -> dict[str, Any]:
            flow: dict[str, Any] = self._app.confidential().initiate_auth_code_flow(
                scopes=[], redirect_uri=self._redirect_uri
            )
            return flow

        return await asyncio.to_thread(asked, initiate)

    async def finish(self, kept: dict[str, Any], answer: Mapping[str, str]) -> Principal:
        """Redeem the code, and believe the id token only after a check of our own."""

        def acquire() -> dict[str, Any]:
            result: dict[str, Any] = self._app.confidential().acquire_token_by_auth_code_flow(
                kept, dict(answer)
            )
            return result

        result = await asyncio.to_thread(asked, acquire)
        token = result.get("id_token")
        if not isinstance(token, str):
            raise SignInRefused(
                f"Entra did not sign anybody in ({_told(result.get('error'))}).",
                hint="Try again. If it stays so, the page on the console lists what to look at.",
            )
        return principal_of(await self._check.claims(token))


def _told(error: Any) -> str:
    """Return an error word of OAuth; its description is not repeated, it may echo anything."""
    text = str(error or "no token")
    return "".join(one for one in text if one.isalnum() or one in "_- ")[:_MOST_SHOWN]
