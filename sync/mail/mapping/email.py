"""One Graph message becomes one `emails` row, without its attachments and still open.

Source: the email table of the Dataverse reference (lengths, read-only columns); docs/contract.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sync.mail.item import moment_from_text, text_from_moment
from sync.mail.mapping.description import description_of
from sync.mail.mapping.parties import SENDER, TO, addresses_of, parties_of
from sync.mail.mapping.text import line_of, units_in
from sync.model.address_book import AddressBook

SUBJECT, MESSAGE_ID, TO_RECIPIENTS, SENDER_COLUMN = 200, 320, 500, 250
# No column of Dataverse holds an earlier moment.
EARLIEST = datetime(1753, 1, 1, tzinfo=UTC)
_PRIORITIES = {"low": 0, "normal": 1, "high": 2}

# notifications: 1 says that not all attachments were saved, 2 that the body was cut.
ATTACHMENTS_MISSING, BODY_CUT = 1, 2


@dataclass(frozen=True, slots=True)
class EmailValues:
    """The columns of a new row, and what else its completion must know."""

    columns: dict[str, Any]
    is_cut: bool


def email_values(
    message: Mapping[str, Any], book: AddressBook, *, is_metadata_only: bool = False
) -> EmailValues:
    """Return the columns of an incoming mail; a metadata-only one has no description.

    `senton` and `conversationindex` are read-only for a caller, so the times are `actualstart`
    (sent) and `actualend` (received). Raises ItemUnreadable for what cannot be understood.
    """
    columns: dict[str, Any] = {"directioncode": False, "subject": _subject(message)}
    message_id = "".join((message.get("internetMessageId") or "").split())
    if message_id:
        columns["messageid"] = line_of(message_id, MESSAGE_ID)
    senders = [address for mask, address in addresses_of(message) if mask == SENDER]
    if senders:
        columns["sender"] = line_of(senders[0], SENDER_COLUMN)
    recipients = [address for mask, address in addresses_of(message) if mask == TO]
    if recipients:
        columns["torecipients"] = _joined(recipients)
    for column, name in (("actualstart", "sentDateTime"), ("actualend", "receivedDateTime")):
        moment = moment_from_text(message.get(name))
        if moment is not None and moment >= EARLIEST:
            columns[column] = text_from_moment(moment)
    priority = _PRIORITIES.get(str(message.get("importance") or "").casefold())
    if priority is not None:
        columns["prioritycode"] = priority
    is_cut = False
    if not is_metadata_only:
        description, is_cut = description_of(message)
        if description is not None:
            columns["description"] = description
    parties = parties_of(message, book)
    if parties:
        columns["email_activity_parties"] = parties
    return EmailValues(columns, is_cut)


def _subject(message: Mapping[str, Any]) -> str:
    return line_of(str(message.get("subject") or ""), SUBJECT)


def _joined(recipients: list[str]) -> str:
    """Return addresses with semicolons; whole addresses only, as many as the column takes."""
    joined = ""
    for address in dict.fromkeys(recipients):
        if units_in(f"{joined}{address};") > TO_RECIPIENTS:
            break
        joined += f"{address};"
    return joined
