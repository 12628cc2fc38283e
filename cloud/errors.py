"""What a call to a Microsoft service may end in, beside its answer.

    CloudError
    ├── Throttled            nothing happened; not before `until`              transient
    ├── Unreachable          nothing happened, or only a read; not before `until`  transient
    ├── Unknown              a write may have happened; look before repeating  transient
    ├── TokenRefused         Entra gives no token
    ├── TokenUnavailable     Entra does not answer                             transient
    ├── Refused              401, 403
    ├── NotThere             404
    ├── PreconditionFailed   412
    ├── CursorLost           the delta link is dead; a full round is needed
    ├── RequestRejected      any other 4xx
    │   └── WebhookRejected  a synchronous webhook of Dataverse stopped the write
    └── BadAnswer            unreadable, too large, a redirect
        └── ForeignLink      a link that leaves the configured service

Callers store `until` and compute no waits of their own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kernel.errors import GuardError


class CloudError(GuardError):
    """A call failed; keeps what a person needs to find it on both sides."""

    code = "cloud-error"
    http_status = 503
    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status: int | None = None,
        service_code: str = "",
        request_id: str = "",
        client_request_id: str = "",
        excerpt: str = "",
        **context: Any,
    ) -> None:
        super().__init__(message, hint=hint, **context)
        self.status = status
        self.service_code = service_code
        self.request_id = request_id
        self.client_request_id = client_request_id
        self.excerpt = excerpt


class _Postponed(CloudError):
    """Not now; `until` says when to try again."""

    transient = True

    def __init__(self, message: str, *, until: datetime, **details: Any) -> None:
        super().__init__(message, **details)
        self.until = until


class Throttled(_Postponed):
    """The service, or our own budget for it, asks to wait; nothing happened."""

    code = "throttled"
    asks_to_wait = True


class Unreachable(_Postponed):
    """The service gave no usable answer, and nothing was changed by the call."""

    code = "unreachable"


class Unknown(_Postponed):
    """A write may or may not have happened; whoever sees this looks before repeating it."""

    code = "outcome-unknown"


class TokenRefused(CloudError):
    """Entra gives no token; `service_code` is the AADSTS code."""

    code = "token-refused"


class TokenUnavailable(CloudError):
    """Entra does not answer, or answers that it cannot now."""

    code = "token-unavailable"
    transient = True


class Refused(CloudError):
    """The service knows who asks and says no (401 or 403)."""

    code = "access-refused"


class NotThere(CloudError):
    """The thing asked for does not exist (404); `service_code` tells an item from a mailbox."""

    code = "not-there"
    http_status = 404
    exit_code = 1


class PreconditionFailed(CloudError):
    """The row is not as the condition says (412)."""

    code = "precondition-failed"
    http_status = 409
    exit_code = 1


class CursorLost(CloudError):
    """The delta link is dead; only a full round, which keeps local rows, goes on."""

    code = "cursor-lost"


class RequestRejected(CloudError):
    """The service refuses this very request; sent again it would be refused again."""

    code = "request-rejected"


class WebhookRejected(RequestRejected):
    """A synchronous webhook of Dataverse stopped the write, or could not be asked."""

    code = "webhook-rejected"


class BadAnswer(CloudError):
    """The answer cannot be used: not readable, too large, or a redirect."""

    code = "bad-answer"


class ForeignLink(BadAnswer):
    """A link in an answer leads out of the configured service; it is not followed."""

    code = "foreign-link"
