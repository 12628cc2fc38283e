"""The guard's own errors, each with its stable code."""

from __future__ import annotations

from kernel.errors import Conflict, InputRefused, NotFound


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
