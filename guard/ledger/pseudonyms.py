"""Pseudonyms: what names a person, replaced by a keyed digest, so that records can be kept without.

The same value has the same pseudonym under one key, whatever its case, so that what concerns one
person still stands together and can be searched for by whoever holds the key. Without the key
nobody can try values out. A pseudonym is `~KEY~DIGEST`: the first is the id of the key, made from
it, the second half of an HMAC-SHA-256. Several keys allow rotation: the first one writes.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from guard.columns.table import TABLES
from kernel.errors import SettingInvalid
from kernel.reading import why_unreadable
from rules.model.catalogue import Catalogue, Form
from rules.operators.fields import fold
from rules.replay.ledger_format import MOMENT

_KEY: Final = re.compile(r"[0-9a-fA-F]{64,128}")
_MOST_BYTES: Final = 65_536
_KEY_DIGITS: Final = 8
_DIGITS: Final = 32
_MAKE: Final = "Make one: openssl rand -hex 32 > pseudonym-keys; chmod 600 pseudonym-keys"
# What is known of a person by its form, whether or not a catalogue marks it.
_NAMING: Final = frozenset({Form.ADDRESS, Form.LOCAL, Form.PERSON, Form.ID})
# These are ids, and of no person.
_OF_ROLES: Final = frozenset({"actor.roleIds", "actor.roleTemplates", "actor.entraRoles"})
# Of the public part what names no person and no row of one.
_KEPT_PUBLIC: Final = (
    "operation",
    "mode",
    "stage",
    "source",
    "message",
    "organization_id",
    "operation_id",
    "request_id",
    "correlation_id",
    "policy_set",
    "enforcement",
    "rules",
    "deferred",
    "obliged",
    "confirms",
    "altered",
    "approval",
)
_KEPT_FINDING: Final = ("policy", "rule", "effect", "severity", "result")


class Pseudonyms:
    """Makes pseudonyms by the first of its keys."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = [(_id_of(key), key) for key in keys]

    @classmethod
    def read(cls, file: Path) -> Pseudonyms:
        """Read keys, one a line in hex, the newest first.

        Raises SettingInvalid for a file that can't be read or holds anything else.
        """
        try:
            with file.open(encoding="ascii") as opened:
                lines = opened.read(_MOST_BYTES).split()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingInvalid(
                f"The pseudonym keys {file} can't be read: {why_unreadable(error)}.", hint=_MAKE
            ) from None
        if not lines or not all(map(_KEY.fullmatch, lines)):
            raise SettingInvalid(
                f"{file} holds no pseudonym keys: each line is 64 hexadecimal digits or more.",
                hint=_MAKE,
            )
        return cls([bytes.fromhex(line[: len(line) // 2 * 2]) for line in lines])

    @property
    def key_id(self) -> str:
        """Return the id of the key that writes."""
        return self._keys[0][0]

    def of(self, value: str) -> str:
        """Return the pseudonym of what names a person; of nothing, nothing."""
        return _pseudonym(*self._keys[0], value) if value else value

    def all_of(self, value: str) -> list[str]:
        """Return the pseudonyms of a value under every key, the newest first, to search for."""
        return [_pseudonym(key_id, key, value) for key_id, key in self._keys]


def _id_of(key: bytes) -> str:
    return hmac.digest(key, b"mailbox-guard pseudonym key", "sha256").hex()[:_KEY_DIGITS]


def _pseudonym(key_id: str, key: bytes, value: str) -> str:
    text = fold(value.strip()).encode("utf-8", "surrogatepass")
    return f"~{key_id}~{hmac.digest(key, text, 'sha256').hex()[:_DIGITS]}"


class Masker:
    """Gives exported decisions their masked form: no person, and still one story.

    Kept is what the catalogue does not call personal and is no address and no id: numbers, choices,
    moments, roles. A text that the catalogue does not know counts as personal.
    """

    def __init__(self, pseudonyms: Pseudonyms, catalogue: Catalogue) -> None:
        self._pseudonyms = pseudonyms
        self._catalogue = catalogue
        self._personal: dict[tuple[str, str], bool] = {}

    @property
    def key_id(self) -> str:
        """Return the id of the key that writes."""
        return self._pseudonyms.key_id

    def masked(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        """Return the masked form of a decision as `listing.shown_whole` gives it."""
        table, private = shown["table"], shown["private"]
        column = TABLES[table].address if table in TABLES else ""
        of = self._text
        return {
            "id": shown["id"],
            "decided_at": shown["decided_at"],
            "decision": shown["decision"],
            "cause": shown["cause"],
            "table": table,
            "record_id": of(shown["record_id"]),
            **{name: shown[name] for name in _KEPT_PUBLIC if name in shown},
            "initiating_user_id": of(shown["initiating_user_id"]),
            "on_behalf_by": of(shown["on_behalf_by"]),
            "actor": {
                "id": of(shown["actor"]["id"]),
                "name": None,
                "upn": of(shown["actor"]["upn"]),
            },
            "address": self._columns(table, dict.fromkeys(shown["address"], column), shown),
            "obligations": [
                {"kind": one["kind"], "state": one["state"], "cause": one["cause"]}
                for one in shown["obligations"]
            ],
            "status": shown["status"],
            "chain": shown["chain"],
            "masked": shown["masked"],
            "private": None if private is None else self._private(table, private),
        }

    def _private(self, table: str, private: Mapping[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for side in ("before", "after"):
            if isinstance(private.get(side), Mapping):
                kept[side] = {
                    name: self._value(table, f"new.{name}", value)
                    for name, value in private[side].items()
                }
        if isinstance(private.get("facts"), Mapping):
            kept["facts"] = {
                path: self._value(table, path, value) for path, value in private["facts"].items()
            }
        kept["sent"] = private.get("sent", [])
        kept["sources"] = private.get("sources", {})
        kept["ages"] = private.get("ages", {})
        # Why something was missing is a text for people, which may name them.
        kept["missing"] = dict.fromkeys(private.get("missing", {}), "")
        kept["findings"] = [
            {name: one[name] for name in _KEPT_FINDING if name in one}
            for one in private.get("findings", ())
        ]
        return kept

    def _columns(
        self, table: str, sides: Mapping[str, str], shown: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {
            side: self._value(table, f"new.{column}", shown["address"][side])
            for side, column in sides.items()
        }

    def _value(self, table: str, path: str, value: Any) -> Any:
        return self._replaced(value) if self._is_personal(table, path) else value

    def _replaced(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list | tuple):
            return [self._replaced(one) for one in value]
        if isinstance(value, Mapping) and set(value) != {MOMENT}:
            return None
        return value

    def _is_personal(self, table: str, path: str) -> bool:
        known = self._personal.get((table, path))
        if known is None:
            found = None if path in _OF_ROLES else self._catalogue.resolve(table, path)
            known = path not in _OF_ROLES and (
                found is None or found.field.personal or found.field.form in _NAMING
            )
            self._personal[(table, path)] = known
        return known

    def _text(self, value: Any) -> Any:
        return self._pseudonyms.of(value) if isinstance(value, str) else None
