"""Graph's errors: one envelope, codes that callers branch on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any


class Problem(Exception):
    """A request fails: HTTP status, code, text, further headers."""

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers = dict(headers or {})


def envelope(
    problem: Problem, *, now: datetime, request_id: str, client_request_id: str
) -> dict[str, Any]:
    """Return the body of an error answer."""
    return {
        "error": {
            "code": problem.code,
            "message": problem.message,
            "innerError": {
                "date": now.strftime("%Y-%m-%dT%H:%M:%S"),
                "request-id": request_id,
                "client-request-id": client_request_id,
            },
        }
    }


def no_such_object(key: str) -> Problem:
    """Return the problem of a directory object that is not there."""
    return Problem(
        404,
        "Request_ResourceNotFound",
        f"Resource '{key}' does not exist or one of its queried reference-property objects are "
        "not present.",
    )


def no_such_item() -> Problem:
    """Return the problem of a mail item that is not there."""
    return Problem(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def bad_token() -> Problem:
    """Return the problem of a damaged skip or delta token."""
    return Problem(400, "BadRequest", "Badly formed token.")


def unsupported(message: str) -> Problem:
    """Return the problem of a query that the directory does not take."""
    return Problem(400, "Request_UnsupportedQuery", message)


def no_segment(segment: str) -> Problem:
    """Return the problem of a path that does not exist."""
    return Problem(400, "BadRequest", f"Resource not found for the segment '{segment}'.")


def no_mailbox() -> Problem:
    """Return the problem of a user without a mailbox in the cloud."""
    return Problem(
        404,
        "MailboxNotEnabledForRESTAPI",
        "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
    )


def unreadable_item() -> Problem:
    """Return the problem of an item whose content is corrupt."""
    return Problem(500, "ErrorInternalServerError", "An internal server error occurred.")
