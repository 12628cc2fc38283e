"""What proves that a form was sent from a page of ours: made from the session's id alone."""

from __future__ import annotations

import hmac

FIELD = "proof"


def proof_for(session_id: str) -> str:
    """Return what every form of that session carries."""
    return hmac.new(session_id.encode(), b"form", "sha256").hexdigest()


def is_proof(given: str, session_id: str) -> bool:
    """Return whether it is that session's, in a time that tells nothing."""
    return hmac.compare_digest(given.encode(), proof_for(session_id).encode())
