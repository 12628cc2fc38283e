"""What a decision of the ledger holds, decoded: the one place that knows its stored form.

Terms:

- the *public part* of a record is its plain fields and a JSON text with the rest of them;
- the *private part* is a JSON text with everything personal: the row before the change as
  `before`, the columns that differ after it as `altered` (or the whole row as `after`), what was
  `sent`, the `request`, the `facts` with their `sources` and `ages` in seconds, what was `missing`
  of them, and the `findings`;
- a *stored value* is a value as JSON can say it: a moment is `{"$at": microseconds since 1970}`.

`guard.ledger` writes this form and reads it back through here; an export has the same parts.
Replaying reads millions of records, so each part is a msgspec struct of what it needs alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from rules.model.change import Value
from rules.model.decision import Finding, Outcome

MOMENT: Final = "$at"
"""What a stored moment is marked by; a text without it holds none."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ValueUnreadable(ValueError):
    """A stored value that no writer can have stored: the record was altered."""


class PublicPart(msgspec.Struct, gc=False):
    """What replaying reads of the rest of the public part."""

    operation: str | None = None
    rules: list[str] = msgspec.field(default_factory=list)
    policy_set: str | None = None
    deferred: list[str] = msgspec.field(default_factory=list)
    confirms: str | None = None
    released: list[str] = msgspec.field(default_factory=list)
    hold_id: str | None = None


class PrivatePart(msgspec.Struct, gc=False):
    """What replaying reads of the private part; `after` whole, or `altered` against before."""

    before: dict[str, Any] | None = None
    altered: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    sent: list[str] = msgspec.field(default_factory=list)
    request: dict[str, Any] = msgspec.field(default_factory=dict)
    facts: dict[str, Any] = msgspec.field(default_factory=dict)
    missing: dict[str, str] = msgspec.field(default_factory=dict)


class PrivateHead(msgspec.Struct, gc=False):
    """The columns and facts of the private part; the rest stays text until somebody asks."""

    before: dict[str, Any] | None = None
    altered: dict[str, Any] | None = None
    facts: dict[str, Any] = msgspec.field(default_factory=dict)
    missing: dict[str, str] = msgspec.field(default_factory=dict)
    sent: msgspec.Raw = msgspec.Raw(b"[]")
    request: msgspec.Raw = msgspec.Raw(b"{}")


# A decoder is made once: it holds what it has learnt of its type. All raise msgspec.MsgspecError.
decode_public: Final = msgspec.json.Decoder(PublicPart).decode
decode_private: Final = msgspec.json.Decoder(PrivatePart).decode
decode_head: Final = msgspec.json.Decoder(PrivateHead).decode
decode_names: Final = msgspec.json.Decoder(list[str]).decode
decode_values: Final = msgspec.json.Decoder(dict[str, Any]).decode


def moment_of(microseconds: int) -> datetime:
    """Return the moment so long after 1970, in UTC. Raises ValueUnreadable for what is none."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except (TypeError, OverflowError):
        raise ValueUnreadable("a moment is no number of microseconds") from None


def value_from(stored: Any) -> Value:
    """Return the value that was stored. Raises ValueUnreadable."""
    if isinstance(stored, dict):
        # An object that is no moment has none, which is told as one that is no number.
        return moment_of(stored.get(MOMENT))  # type: ignore[arg-type]
    if isinstance(stored, list | tuple):
        return tuple(value_from(item) for item in stored)
    if stored is None or isinstance(stored, str | int | float | bool):
        return stored
    raise ValueUnreadable(f"{type(stored).__name__} is no stored value")


def values_from(stored: Mapping[str, Any]) -> dict[str, Value]:
    """Return columns or facts with their moments and lists as they were. Raises ValueUnreadable."""
    return {name: value_from(value) for name, value in stored.items()}


def with_after(private: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a private part with the row after the change as `after`, not as differences.

    The values stay as they are stored. A part in which no change was judged has no `after`.
    """
    if "altered" not in private:
        return private
    others = {name: value for name, value in private.items() if name != "altered"}
    return others | {"after": {**private["before"], **private["altered"]}}


def finding_from(stored: Mapping[str, Any]) -> Finding:
    """Return the finding that was stored. Raises KeyError or ValueError for one that was altered.

    What the rule would have done in mode enforce is not recorded; it is taken from its effect.
    """
    return Finding(
        policy=stored["policy"],
        rule=stored["rule"],
        id=f"{stored['policy']}/{stored['rule']}",
        result=stored["result"],
        mode=stored["mode"],
        effect=stored["effect"],
        declared="hold" if stored["effect"] == "hold" else "reject",
        severity=stored["severity"],
        message=stored["message"],
        help=stored["help"],
        exception=stored["exception"],
        error=stored["error"],
        contributes=Outcome(stored["contributes"]),
        unknown=tuple(stored["unknown"]),
    )
