"""The one family of errors that reaches people, and how each is answered.

    GuardError
    ├── InputRefused        400, exit 2: what was given cannot be used
    │   ├── SettingInvalid  exit 2: a setting is missing or wrong
    │   └── PolicyInvalid   exit 2: a policy folder cannot be loaded
    ├── NotFound            404, exit 1
    ├── Conflict            409, exit 1: true before, no longer true
    │   ├── FenceLost       the shard has another holder, transient
    │   └── ApprovalWithdrawn
    ├── Unavailable         503, exit 2, transient: try again later
    │   └── ApprovalRests   no permit until evidence was looked up, or a brake let go
    └── Bug                 500, exit 3: our own fault

Rooms add subclasses with a `code` of their own. A refusal by a policy is a value, not an error.
"""

from __future__ import annotations

from typing import Any, ClassVar


class GuardError(Exception):
    """An error with a stable code, an answer for every surface, and a mend.

    `message` names the thing and the reason, `hint` the mend; `context` holds further named values,
    never a secret. `transient` says that trying again may help without anybody doing anything;
    `asks_to_wait` that nothing is wrong: a service wants it later, and the error says until when.
    """

    code: ClassVar[str] = "bug"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 3
    transient: ClassVar[bool] = False
    asks_to_wait: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str | None = None, **context: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.context = context


class InputRefused(GuardError):
    """What was given cannot be used; nothing was done with it."""

    code = "input-refused"
    http_status = 400
    exit_code = 2


class SettingInvalid(InputRefused):
    """A setting is missing or has an unusable value."""

    code = "setting-invalid"


class PolicyInvalid(InputRefused):
    """A policy folder cannot be loaded, or holds nothing that is enforced."""

    code = "policy-invalid"


class NotFound(GuardError):
    """The named thing does not exist."""

    code = "not-found"
    http_status = 404
    exit_code = 1


class Conflict(GuardError):
    """What the caller believed is no longer so."""

    code = "conflict"
    http_status = 409
    exit_code = 1


class FenceLost(Conflict):
    """The shard has passed to another holder; whoever sees this stops at once."""

    code = "fence-lost"
    # The next holder of the shard does what was left.
    transient = True


class ApprovalWithdrawn(Conflict):
    """The mailbox is not approved under this epoch; whoever sees this stops at once."""

    code = "approval-withdrawn"


class Unavailable(GuardError):
    """Something needed is not there for now; trying again later may help."""

    code = "unavailable"
    http_status = 503
    exit_code = 2
    transient = True


class ApprovalRests(Unavailable):
    """The mailbox is approved, but nothing may reach it for now; whoever sees this stops."""

    code = "approval-rests"


class Bug(GuardError):
    """Our own fault: a state that the code promises cannot happen."""

    code = "bug"
