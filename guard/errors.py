"""The guard's own errors, each with its stable code."""

from __future__ import annotations

from kernel.errors import Conflict, GuardError, InputRefused, NotFound, Unavailable


class DeliveryUnreadable(InputRefused):
    """The bytes are not a RemoteExecutionContext; nothing was decided."""

    code = "delivery-unreadable"


class TextTooLong(DeliveryUnreadable):
    """A guarded column is longer than Dataverse allows, so no Dataverse has sent it."""

    code = "text-too-long"


class DecisionUnknown(NotFound):
    """No decision has this id."""

    code = "decision-unknown"


class DecisionAmbiguous(InputRefused):
    """Several decisions have ids that begin with what was given."""

    code = "decision-ambiguous"


class DecisionUnreadable(Conflict):
    """The record of a decision was altered beyond reading."""

    code = "decision-unreadable"


class DecisionMasked(InputRefused):
    """A decision can't be decided again, because what it was made on isn't kept."""

    code = "decision-masked"


class IdentityInDoubt(Conflict):
    """A user row names somebody else than the copy of it that is known good."""

    code = "identity-in-doubt"
    # The change is judged by reconciliation: then it is good, or it is taken back.
    transient = True


class HoldTaken(Unavailable):
    """A hold is no longer as it was thought to be: it was decided, used, or parked meanwhile."""

    code = "hold-taken"
    http_status = 409
    exit_code = 1


class HoldUnknown(NotFound):
    """No hold has this id."""

    code = "hold-unknown"


class HoldAmbiguous(InputRefused):
    """Several holds have ids that begin with what was given."""

    code = "hold-ambiguous"


class HoldEnded(Conflict):
    """The hold was decided, used or has run out: nothing can be released or refused any more."""

    code = "hold-ended"


class HoldChanged(Conflict):
    """The hold is no longer what the approver saw: look at it again before agreeing."""

    code = "hold-changed"


class ReleaseRefused(GuardError):
    """This person may not release this hold, or the policies no longer let it be released."""

    code = "release-refused"
    http_status = 403
    exit_code = 1
