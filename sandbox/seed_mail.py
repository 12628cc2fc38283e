"""The mail of the sample tenant: what lies in the mailboxes when the sandbox opens."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox import people
from sandbox.graph.mailboxes import Arrival, Exchange, Mailbox
from sandbox.graph.messages import Attachment, opaque_id

SEEDED_MAILS = 30
# This person's Inbox holds the thirty.
OWNER = people.BOB
_FIRST_LINE = b"order;quantity\n"


def attachment(name: str, content: bytes, *, content_type: str = "text/plain") -> Attachment:
    """Return a file for a mail."""
    return Attachment(opaque_id("AAMkAGat"), name, content_type, content)


def furnish(exchange: Exchange, now: datetime) -> None:
    """Create a mailbox for everybody, and fill some."""
    for sample in people.SAMPLES:
        exchange.create(sample.object_id, sample.address)
    shared = f"support@{people.DOMAIN}"
    exchange.create(people.SUPPORT_OBJECT_ID, shared, purpose="shared")
    _fill(exchange, exchange.mailboxes[OWNER.object_id], SEEDED_MAILS, now)
    for sample, number in ((people.CEO, 3), (people.ANNA, 2)):
        _fill(exchange, exchange.mailboxes[sample.object_id], number, now)
    mailbox = exchange.mailboxes[OWNER.object_id]
    for number in (1, 2):
        draft = exchange.new_message(
            mailbox, "drafts", {"subject": f"Unfinished thoughts {number}"}, now=now
        )
        mailbox.add(draft)


def _fill(exchange: Exchange, mailbox: Mailbox, number: int, now: datetime) -> None:
    """Let mails arrive over the past hours, oldest first; every fifth carries a file."""
    for index in range(1, number + 1):
        files = (
            (
                attachment(
                    f"order-{index}.csv", _FIRST_LINE + b"%d;1\n" % index, content_type="text/csv"
                ),
            )
            if index % 5 == 0
            else ()
        )
        markup = f"<html><body><p>Order <b>{index}</b> is on its way.</p></body></html>"
        mail = Arrival(
            subject=f"Order {index}",
            sender=f"customer{index % 7}@fabrikam.com",
            cc=(f"sales@{people.DOMAIN}",) if index % 3 == 0 else (),
            html=markup if index % 2 else None,
            text="" if index % 2 else f"Order {index} is on its way.",
            attachments=files,
        )
        exchange.deliver(mailbox, mail, now=now - timedelta(minutes=10 * (number - index + 1)))
