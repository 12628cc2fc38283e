"""The envelope of an export: by it a file proves itself whole, away from the database.

It is one line of JSON: `{"export": {...}, "key": public key in hex or null, "signature": in hex or
null}`. Under `export` stand the digest, size and number of lines of the file, what was asked for,
in which form, how many decisions are in it, and under `anchor` the anchor of the ledger that it was
made of, so that `decisions verify --against` takes an envelope as it takes any anchor.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from guard.ledger.anchor import SigningKey, check_signature, line_of
from guard.ledger.entry import iso
from kernel.digest import canonical_json
from kernel.errors import InputRefused
from kernel.reading import why_unreadable

VERSION: Final = 1
SUFFIX: Final = ".envelope.json"
_MOST_BYTES: Final = 16 * 1024 * 1024
_READ_BYTES: Final = 1024 * 1024
_HINT: Final = "It stands beside the file that `decisions export` wrote; bring both."


@dataclass(slots=True)
class Imprint:
    """What a file holds, taken while it is written or read."""

    size: int = 0
    lines: int = 0
    _digest: Any = field(default_factory=hashlib.sha256)

    def take(self, data: bytes) -> None:
        """Take in the next bytes."""
        self.size += len(data)
        self.lines += data.count(b"\n")
        self._digest.update(data)

    def told(self) -> dict[str, Any]:
        """Return it as an envelope states it."""
        return {"bytes": self.size, "lines": self.lines, "sha256": self._digest.hexdigest()}


@dataclass(frozen=True, slots=True)
class ExportProof:
    """How a file stands to its envelope; `reason` is None when it is whole."""

    statement: Mapping[str, Any]
    key: str | None
    reason: str | None


def envelope_of(
    imprint: Imprint,
    *,
    form: Mapping[str, Any],
    asked: Mapping[str, Any],
    counts: Mapping[str, int],
    anchor: Mapping[str, Any],
    key: SigningKey | None,
    now: datetime,
) -> str:
    """Return the envelope of a file as its line, signed where there is a key."""
    statement = {
        "version": VERSION,
        "made_at": iso(now),
        "file": imprint.told(),
        "form": dict(form),
        "asked": dict(asked),
        "counts": dict(counts),
        "anchor": json.loads(line_of(anchor, key)),
    }
    signature = None if key is None else key.sign(canonical_json(statement))
    line = {
        "export": statement,
        "key": None if key is None else key.public,
        "signature": signature,
    }
    return json.dumps(line, separators=(",", ":"))


def prove(file: Path) -> ExportProof:
    """Hold a file against the envelope beside it.

    Raises InputRefused for a file or an envelope that can't be read, or is none.
    """
    beside = file.with_name(file.name + SUFFIX)
    try:
        with beside.open("rb") as opened:
            text = opened.read(_MOST_BYTES)
    except OSError as error:
        raise InputRefused(
            f"The envelope {beside} can't be read: {why_unreadable(error)}.", hint=_HINT
        ) from None
    imprint = Imprint()
    try:
        with file.open("rb") as opened:
            while data := opened.read(_READ_BYTES):
                imprint.take(data)
    except OSError as error:
        raise InputRefused(
            f"{file} can't be read: {why_unreadable(error)}.", hint="Name an exported file."
        ) from None
    try:
        told = json.loads(text)
        statement, key, signature = told["export"], told["key"], told["signature"]
        if statement["version"] != VERSION:
            raise ValueError(f"its version is {statement['version']}")
        stated = statement["file"]
        if not isinstance(statement["counts"]["decisions"], int):
            raise TypeError("a count is no number")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        why = str(error) if type(error) is ValueError else "its form is not known"
        raise InputRefused(f"{beside} is no envelope: {why}.", hint=_HINT) from None
    return ExportProof(
        statement,
        None if signature is None else str(key),
        _difference(statement, stated, imprint.told(), key, signature),
    )


def _difference(
    statement: Mapping[str, Any],
    stated: Any,
    found: Mapping[str, Any],
    key: object,
    signature: object,
) -> str | None:
    if signature is not None:
        try:
            check_signature(canonical_json(statement), str(key), str(signature))
        except ValueError:
            return "the signature of the envelope does not fit"
    if stated == found:
        return None
    lines = stated.get("lines") if isinstance(stated, Mapping) else None
    if lines != found["lines"]:
        return f"the envelope counts {lines} lines, and the file has {found['lines']}"
    return "the file is not the one that the envelope was made of"
