"""When a service that is there fails for one thing alone, and so lastingly that it is set aside.

Waiting is right for what will pass. An answer that will be the same tomorrow would keep a mailbox,
or a mail, waiting for ever.
"""

from __future__ import annotations

from cloud.errors import (
    BadAnswer,
    CloudError,
    CursorLost,
    NotThere,
    Refused,
    RequestRejected,
    Unknown,
    Unreachable,
)

# What Exchange answers when it stumbles over one item; its outages are 503, 502, or silence.
STUMBLES = frozenset({500, 504})
FEW_ATTEMPTS = 2
MANY_ATTEMPTS = 6
FORBIDDEN = 403


def stumbles(error: CloudError) -> bool:
    """Return whether the service answered, and failed at what was asked for."""
    return isinstance(error, Unreachable) and error.status in STUMBLES


def is_lasting(error: CloudError, *, attempts: int) -> bool:
    """Return whether a reading that failed so, at that attempt of its task, will not come right.

    Whatever is in its way, a service that answers is not asked for one item for ever.
    """
    if isinstance(error, BadAnswer | RequestRejected):
        return True
    if not isinstance(error, Unreachable) or error.status is None:
        return False
    return attempts >= (FEW_ATTEMPTS if stumbles(error) else MANY_ATTEMPTS)


def is_missing(error: CloudError, *, attempts: int) -> bool:
    """Return whether what belongs to an item cannot be had, so that the item goes without it.

    Unlike the item itself it may be forbidden, gone or broken alone, and nothing waits for it long.
    """
    if isinstance(error, Refused):
        return error.status == FORBIDDEN
    if isinstance(error, BadAnswer | CursorLost | NotThere | RequestRejected):
        return True
    if not isinstance(error, Unreachable) or error.status is None:
        return False
    return stumbles(error) or attempts >= MANY_ATTEMPTS


def is_refused(error: Unknown | Unreachable, *, attempts: int) -> bool:
    """Return whether a part of an item cannot be written, so that the item goes without it.

    Not while the service is silent: then everything waits.
    """
    return error.status is not None and attempts >= MANY_ATTEMPTS
