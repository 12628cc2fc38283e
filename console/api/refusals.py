"""Why the API does not take a request that is well-formed."""

from __future__ import annotations

from kernel.errors import GuardError, InputRefused


class ProofMissing(GuardError):
    """A browser's request that changes something does not prove that a page of ours sent it."""

    code = "proof-missing"
    http_status = 403
    exit_code = 1


class RequestTooLarge(InputRefused):
    """A request is larger than anything that the API takes."""

    code = "request-too-large"
    http_status = 413
