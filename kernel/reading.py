"""Why a file that somebody named could not be read, in words for that person."""

from __future__ import annotations


def why_unreadable(error: Exception) -> str:
    """Return the reason without a full stop: of the system, of the text, or what a parser says."""
    if isinstance(error, UnicodeError):
        return "it is not text in UTF-8"
    if isinstance(error, OSError):
        return error.strerror or "the system does not say why"
    return str(error).strip().rstrip(".") or "its form is not known"
