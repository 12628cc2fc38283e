"""Whether a guard stands at an address and takes a key: asked before Dataverse is told to send it.

A body that is no delivery is posted. The guard checks the key before it reads a body, so 400 says
that the key is taken and nothing was decided, and 401 that it is not.
"""

from __future__ import annotations

from pathlib import Path

from kernel.errors import Conflict, Unavailable

KEY_HEADER = "x-guard-key"
_SECONDS = 10.0
_TAKEN, _NOT_TAKEN, _NOT_READY = 400, 401, 503


class KeyNotTaken(Conflict):
    """The guard at that address does not take the key that Dataverse would send."""

    code = "key-not-taken"
    exit_code = 1


class NotAnswering(Unavailable):
    """At that address no guard answers."""

    code = "guard-not-answering"


async def require_taken(url: str, key: str, *, ca_bundle_file: Path | None) -> None:
    """Raise KeyNotTaken or NotAnswering unless a guard at the address takes the key."""
    import ssl

    import httpx

    try:
        trust = ssl.create_default_context()
        if ca_bundle_file is not None:
            trust.load_verify_locations(ca_bundle_file)
        async with httpx.AsyncClient(verify=trust, timeout=_SECONDS) as client:
            answer = await client.post(url, content=b"{}", headers={KEY_HEADER: key})
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise NotAnswering(
            f"Nobody answers at {url} ({type(error).__name__}).",
            hint="Start the guard there first. Where this machine cannot reach it, but Dataverse "
            "can, give --unsafe-skip-probe.",
        ) from None
    if answer.status_code == _NOT_TAKEN:
        raise KeyNotTaken(
            f"The guard at {url} does not take the first key of MAILBOX_GUARD_WEBHOOK_KEYS.",
            hint="Put that key into its MAILBOX_GUARD_WEBHOOK_KEYS, beside the old one, and "
            "restart it; with several guards, every one of them.",
        )
    if answer.status_code == _NOT_READY:
        raise NotAnswering(
            f"The guard at {url} is not ready.", hint="Its /readyz says what it waits for."
        )
    if answer.status_code != _TAKEN:
        raise NotAnswering(
            f"{url} answers {answer.status_code}, which no guard does.",
            hint="Its path is /webhooks/dataverse; look at what stands before it.",
        )
