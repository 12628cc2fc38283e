"""Signing in for a command: it shows a code, which its person enters in a browser anywhere.

Source: RFC 8628. The command is the client itself, so the id token is for it and tells it who
signed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from console.sign_in.asking import SignInApp, asked
from console.sign_in.claims import principal_of
from console.sign_in.refusals import SignInRefused
from console.sign_in.token_check import TokenCheck
from kernel.principal import Principal


def sign_in_by_device(
    app: SignInApp, check: TokenCheck, *, tell: Callable[[str], None]
) -> Principal:
    """Return who entered the code that `tell` showed them; waits until then, 15 minutes at most.

    Outside any event loop, so that an interrupt ends the waiting. Raises SignInRefused when nobody
    entered it or Entra refuses, and Unavailable.
    """
    client: Any = asked(lambda: {"app": app.public()})["app"]
    flow = asked(lambda: client.initiate_device_flow(scopes=[]))
    if "user_code" not in flow:
        raise SignInRefused(
            "Entra gives no code for this application.",
            hint="Let the application have public client flows: docs/console.md says where.",
        )
    tell(f"Open {flow['verification_uri']} and enter the code {flow['user_code']}.")
    token = asked(lambda: client.acquire_token_by_device_flow(flow)).get("id_token")
    if not isinstance(token, str):
        raise SignInRefused("Nobody signed in with that code.", hint="Give the command again.")
    return principal_of(asyncio.run(check.claims(token)))
