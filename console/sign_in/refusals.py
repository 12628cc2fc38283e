"""Why somebody is not let in: nobody signed in, Entra does not say who it is, or not that often."""

from __future__ import annotations

from kernel.errors import GuardError, Unavailable


class SignInNeeded(GuardError):
    """Nobody is signed in, or not any more."""

    code = "sign-in-needed"
    http_status = 401
    exit_code = 1


class SignInRefused(GuardError):
    """What was shown proves nobody who may be here; nothing was done."""

    code = "sign-in-refused"
    http_status = 403
    exit_code = 1


class RoleMissing(GuardError):
    """Who asks is known, and may not do this."""

    code = "role-missing"
    http_status = 403
    exit_code = 1


class TooManyAttempts(Unavailable):
    """So many tried to sign in just now that the next has to wait for a moment."""

    code = "too-many-attempts"
    http_status = 429
