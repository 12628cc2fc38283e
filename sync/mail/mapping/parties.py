"""Recipients of a mail become activity parties; who is known by address is bound to their row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sync.mail.item import address_of, sender_of
from sync.mail.mapping.text import line_of
from sync.model.address_book import AddressBook

SENDER, TO, CC, BCC = 1, 2, 3, 4
MAX_ADDRESS = 250
_FIELDS = ((TO, "toRecipients"), (CC, "ccRecipients"), (BCC, "bccRecipients"))
BIND = "@odata.bind"
_SETS = {"systemuser": "systemusers", "queue": "queues"}


def parties_of(message: Mapping[str, Any], book: AddressBook) -> list[dict[str, Any]]:
    """Return the parties for a deep insert, each address once for each way of taking part."""
    parties: list[dict[str, Any]] = []
    seen: set[tuple[int, str]] = set()
    for mask, address in addresses_of(message):
        key = (mask, address.casefold())
        if key in seen:
            continue
        seen.add(key)
        party: dict[str, Any] = {"participationtypemask": mask, "addressused": address}
        known = book.get(address.casefold())
        if known is not None and known.table in _SETS:
            party[f"partyid_{known.table}{BIND}"] = f"/{_SETS[known.table]}({known.row_id})"
        parties.append(party)
    return parties


def unbound(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a row with every party known by its address alone."""
    parties = [
        {name: value for name, value in party.items() if not name.endswith(BIND)}
        for party in columns.get("email_activity_parties", ())
    ]
    return {**columns, "email_activity_parties": parties} if parties else dict(columns)


def addresses_of(message: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield each way of taking part with its address; recipients without an address are left."""
    sender = line_of(sender_of(message) or "", MAX_ADDRESS)
    if sender:
        yield SENDER, sender
    for mask, name in _FIELDS:
        for recipient in message.get(name) or ():
            address = line_of(address_of(recipient) or "", MAX_ADDRESS)
            if address:
                yield mask, address
