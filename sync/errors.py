"""What can go wrong in the sync, beyond what the ground and the cloud already name."""

from __future__ import annotations

from kernel.errors import Conflict, InputRefused, NotFound, Unavailable


class ItemUnreadable(InputRefused):
    """An item cannot be understood; it is set aside, and the stream goes on."""

    code = "item-unreadable"


class MailboxUnknown(NotFound):
    """No mailbox with that id or address was ever approved."""

    code = "mailbox-unknown"


class MailboxAmbiguous(InputRefused):
    """Several mailboxes have that address, or ids that begin so."""

    code = "mailbox-ambiguous"


class EligibilityUnknown(Unavailable):
    """What Dataverse says of a mailbox is not known, or known no more recently than allowed."""

    code = "eligibility-unknown"


class NotOurs(Conflict):
    """The mailbox is approved, but Microsoft's service has it now, or a person paused it."""

    code = "mailbox-not-ours"


class ResetLoop(Unavailable):
    """A stream's cursor was lost again before one round was complete."""

    code = "reset-loop"


class PassUnanswered(Unavailable):
    """The process that holds the shards did not answer the request for a pass."""

    code = "pass-unanswered"


class PageLoop(Unavailable):
    """A source gives a page of a round again and again; the next visit begins a new round."""

    code = "page-loop"


class BeingScanned(Unavailable):
    """What is attached to a mail is still being scanned; it is written when that is over."""

    code = "being-scanned"


class ItemUnjudged(ItemUnreadable):
    """No verdict can be reached on an item; it is set aside and judged again later."""

    code = "item-unjudged"
