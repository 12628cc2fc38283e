"""What policies see of a mail: the fields of the catalogue's entity `message`.

Source: the message resource of Graph; MS-OXPROPS for sensitivity and size, which Graph shows as
extended properties only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rules.model.change import Value
from sync.errors import ItemUnreadable
from sync.mail.item import address_of, moment_from_text, sender_of

ENTITY = "message"
PROPERTIES = "singleValueExtendedProperties"
_SENSITIVITY, _SIZE = 0x36, 0x0E08
_SENSITIVITIES = {0: "normal", 1: "personal", 2: "private", 3: "confidential"}


def fields_of(message: Mapping[str, Any], *, address: str, folder: str) -> dict[str, Value]:
    """Return the fields of an incoming mail that was read whole.

    What the mail does not tell is left out: it counts as empty, and a rule that compares it errs.
    `internal` is always left out: which domains are allowed is known to policies, not to the sync.
    Raises ItemUnreadable when a property is of the wrong kind.
    """
    sender = sender_of(message)
    to, cc = _addresses(message, "toRecipients"), _addresses(message, "ccRecipients")
    found: dict[str, Value] = {
        "to": to,
        "cc": cc,
        "domains": tuple(dict.fromkeys(_domains([sender] if sender else [], to, cc))),
        "folder": folder,
        "direction": "incoming",
        "mailbox": address,
    }
    known: dict[str, Value] = {
        "from": sender,
        "domain": next(_domains([sender] if sender else []), None),
        "subject": _text(message, "subject"),
        "importance": _text(message, "importance"),
        "isdraft": _boolean(message, "isDraft"),
        "hasattachments": _boolean(message, "hasAttachments"),
        "receivedon": moment_from_text(_text(message, "receivedDateTime")),
        "category": _categories(message),
        **_extended(message),
    }
    return found | {name: value for name, value in known.items() if value is not None}


def _addresses(message: Mapping[str, Any], name: str) -> tuple[str, ...]:
    recipients = message.get(name) or ()
    if not isinstance(recipients, list | tuple):
        raise ItemUnreadable(f"`{name}` of the mail is no list.")
    return tuple(found for one in recipients if (found := address_of(one)))


def _domains(*groups: tuple[str, ...] | list[str]) -> Iterator[str]:
    for group in groups:
        for address in group:
            _, at, domain = address.rpartition("@")
            if at and domain:
                yield domain.casefold()


def _categories(message: Mapping[str, Any]) -> tuple[str, ...] | None:
    found = message.get("categories")
    if found is None:
        return None
    if not isinstance(found, list | tuple) or not all(isinstance(one, str) for one in found):
        raise ItemUnreadable("`categories` of the mail is no list of texts.")
    return tuple(found)


def _extended(message: Mapping[str, Any]) -> dict[str, Value]:
    """Return sensitivity and size, as far as they were told.

    Every message has a size. So where the size came, a sensitivity that did not come was not given,
    which is normal; where neither came, the service was not asked or did not answer.
    """
    numbers: dict[int, int] = {}
    for one in message.get(PROPERTIES) or ():
        try:
            tag = int(str(one["id"]).rpartition(" ")[2], 16)
            numbers[tag] = int(one["value"])
        except (KeyError, TypeError, ValueError) as error:
            raise ItemUnreadable("An extended property of the mail is no number.") from error
    if _SIZE not in numbers and _SENSITIVITY not in numbers:
        return {}
    found: dict[str, Value] = {}
    if _SIZE in numbers:
        found["size"] = numbers[_SIZE]
    # A number that means nothing is left out, and so nothing is taken for harmless.
    sensitivity = _SENSITIVITIES.get(numbers.get(_SENSITIVITY, 0))
    if sensitivity is not None:
        found["sensitivity"] = sensitivity
    return found


def _text(message: Mapping[str, Any], name: str) -> str | None:
    found = message.get(name)
    if found is not None and not isinstance(found, str):
        raise ItemUnreadable(f"`{name}` of the mail is no text.")
    return found


def _boolean(message: Mapping[str, Any], name: str) -> bool | None:
    found = message.get(name)
    if found is not None and not isinstance(found, bool):
        raise ItemUnreadable(f"`{name}` of the mail is no truth value.")
    return found
