"""Anchors: the heads of all chains in one line that leaves the house, signed by a key of its owner.

Whoever owns the database can rewrite all of it consistently, checkpoints too. What was written down
elsewhere before shows that. An *anchor* states the head and the count of every chain of decisions
and of the acts, the newest checkpoint, how much there is of everything, and which mailboxes
persons withdrew. It is one line of JSON:
`{"anchor": {...}, "key": public key in hex or null, "signature": in hex or null}`; signed (Ed25519)
is the canonical JSON of what stands under `anchor`. No personal value is in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from guard.ledger.chain import last_checkpoint
from guard.ledger.cut import find_cut, is_stated
from guard.ledger.entry import iso
from guard.ledger.tables import chains, checkpoints, decisions, policy_sets
from kernel import acts, organization
from kernel.acts import ActKind
from kernel.digest import canonical_json, digest_of
from kernel.errors import InputRefused, SettingInvalid, Unavailable
from kernel.held_approval import approvals, is_dropped, is_ended, list_withdrawn_by_persons
from kernel.reading import why_unreadable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

VERSION = 1
_TAIL = 65_536
_KEY_HINT = "Make one: openssl genpkey -algorithm ed25519 -out anchor-key.pem"
_READ_HINT = "Let this user read it."
_FILE_HINT = "Give a file of lines that `mailbox-guard decisions anchor` printed."


@dataclass(frozen=True, slots=True)
class Anchor:
    """One anchor, read: (count, digest) of each chain and of the acts, (number, digest) of the
    newest checkpoint, the records of mailboxes that persons had withdrawn, and by which key it is
    signed, None when by none.
    """

    made_at: datetime
    organization_id: str | None
    chains: Mapping[str, tuple[int, str]]
    acts: tuple[int, str]
    checkpoint: tuple[int, str]
    counts: Mapping[str, int]
    withdrawn: tuple[str, ...]
    key: str | None = None

    @property
    def name(self) -> str:
        """Return how messages call it."""
        return f"the anchor of {iso(self.made_at)}"


class SigningKey:
    """An Ed25519 key from a PEM file; `public` is its public half in hex."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw().hex()

    @classmethod
    def read(cls, file: Path) -> SigningKey:
        """Read the key. Raises SettingInvalid when the file holds no such key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(file.read_bytes(), password=None)
        except OSError as error:
            raise SettingInvalid(
                f"The anchor key {file} can't be read: {error.strerror}.",
                hint=_KEY_HINT if isinstance(error, FileNotFoundError) else _READ_HINT,
            ) from None
        except (ValueError, TypeError):
            raise SettingInvalid(
                f"The anchor key {file} is no private key in PEM.", hint=_KEY_HINT
            ) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise SettingInvalid(f"The anchor key {file} is not Ed25519.", hint=_KEY_HINT)
        return cls(key)

    def sign(self, statement: bytes) -> str:
        """Return the signature in hex."""
        return self._key.sign(statement).hex()


def read_public_key(file: Path) -> str:
    """Return the public key of a PEM file in hex. Raises InputRefused when it holds none."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    hint = "openssl pkey -in anchor-key.pem -pubout makes it."
    try:
        key = load_pem_public_key(file.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise InputRefused(f"{file} holds no public key in PEM.", hint=hint) from error
    if not isinstance(key, Ed25519PublicKey):
        raise InputRefused(f"The public key {file} is not Ed25519.", hint=hint)
    return key.public_bytes_raw().hex()


def statement_of(
    connection: Connection, *, now: datetime, previous: Anchor | None = None
) -> dict[str, Any]:
    """Return what an anchor states now. It costs the counts, not a walk.

    Whom persons had withdrawn by the previous one stays named until a newer act ended that.
    """
    heads = connection.execute(select(chains.c.id, chains.c.count, chains.c.head))
    stated = {one.id: [one.count, one.head] for one in heads}
    end, last = acts.end_of(connection), last_checkpoint(connection)
    withdrawn = set(list_withdrawn_by_persons(connection))
    if previous is not None:
        count, _ = previous.acts
        withdrawn |= {
            one for one in previous.withdrawn if not is_ended(connection, one, stated_at=count)
        }
    found = {
        "chains": dict(sorted(stated.items())),
        "acts": [end.count, end.digest],
        "checkpoint": [0, ""] if last is None else [last.number, last.digest],
        "counts": {
            "decisions": sum(count for count, _ in stated.values()),
            "acts": end.count,
            "checkpoints": _count(connection, checkpoints),
            "policy_sets": _count(connection, policy_sets),
            "approvals": _count(connection, approvals),
            "masked": connection.scalar(
                select(func.count())
                .select_from(acts.acts)
                .where(acts.acts.c.kind == ActKind.MASKING)
            )
            or 0,
        },
        "withdrawn": sorted(withdrawn),
    }
    return {
        "version": VERSION,
        "made_at": iso(now),
        "organization": organization.find(connection),
        **found,
        "digest": digest_of(found),
    }


def _count(connection: Connection, table: Any) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def line_of(statement: Mapping[str, Any], key: SigningKey | None) -> str:
    """Return the anchor as its line, signed where there is a key."""
    signature = None if key is None else key.sign(canonical_json(statement))
    line = {
        "anchor": statement,
        "key": None if key is None else key.public,
        "signature": signature,
    }
    return json.dumps(line, separators=(",", ":"))


def anchor_from(line: str) -> Anchor:
    """Return the anchor that a line holds.

    Raises ValueError for what is no anchor, and for one whose signature doesn't fit.
    """
    try:
        told = json.loads(line)
        # An export states the ledger that it was made of.
        told = told["export"]["anchor"] if "export" in told else told
        statement, key, signature = told["anchor"], told["key"], told["signature"]
        if statement["version"] != VERSION:
            raise ValueError(f"its version is {statement['version']}")
        anchor = Anchor(
            made_at=datetime.fromisoformat(statement["made_at"]),
            organization_id=statement["organization"],
            chains={
                str(chain): (int(count), str(head))
                for chain, (count, head) in statement["chains"].items()
            },
            acts=(int(statement["acts"][0]), str(statement["acts"][1])),
            checkpoint=(int(statement["checkpoint"][0]), str(statement["checkpoint"][1])),
            counts={str(name): int(count) for name, count in statement["counts"].items()},
            withdrawn=tuple(str(one) for one in statement["withdrawn"]),
            key=None if signature is None else str(key),
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("it is no anchor") from error
    if signature is not None:
        check_signature(canonical_json(statement), str(key), str(signature))
    return anchor


def check_signature(statement: bytes, key: str, signature: str) -> None:
    """Pass when the signature fits; raise ValueError when it does not, or is none."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(bytes.fromhex(signature), statement)
    except InvalidSignature:
        raise ValueError("its signature does not fit") from None


def read_anchors(file: Path) -> list[Anchor]:
    """Return every anchor of a file, oldest first.

    Raises InputRefused for a file that can't be read, holds no anchor, or holds anything else.
    """
    found = []
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    found.append(believed(line, f"{file}:{number}"))
    except (OSError, UnicodeDecodeError) as error:
        why = why_unreadable(error)
        is_shut = isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
        raise InputRefused(
            f"The anchors {file} can't be read: {why}.", hint=_READ_HINT if is_shut else _FILE_HINT
        ) from None
    if not found:
        raise InputRefused(f"{file} holds no anchor.", hint=_FILE_HINT)
    return found


def believed(line: str, where: str) -> Anchor:
    """Return the anchor of a line. Raises InputRefused with its place when it can't be believed."""
    try:
        return anchor_from(line)
    except ValueError as error:
        raise InputRefused(
            f"{where} is no anchor that can be believed: {error}.", hint=_FILE_HINT
        ) from None


def newest_anchor(file: Path) -> Anchor | None:
    """Return the last whole anchor of a file; None when there is no file, or nothing in it.

    Raises InputRefused when what stands there last can't be believed.
    """
    try:
        with file.open("rb") as opened:
            size = opened.seek(0, os.SEEK_END)
            length = min(_TAIL, size)
            while True:
                opened.seek(size - length)
                tail = opened.read(length)
                lines = tail.split(b"\n")[:-1]
                # The first line of a tail may be the end of a longer one.
                known = [line for line in (lines if length == size else lines[1:]) if line.strip()]
                if known or length == size:
                    break
                length = min(length * 8, size)
    except FileNotFoundError:
        return None
    except OSError as error:
        why = why_unreadable(error)
        raise InputRefused(f"The anchors {file} can't be read: {why}.", hint=_READ_HINT) from None
    if not known:
        return None
    return believed(known[-1].decode("utf-8", "replace"), f"The last line of {file}")


def append_line(file: Path, line: str) -> None:
    """Append an anchor, whole and durable; the file is its owner's alone.

    Raises Unavailable when it can't be written.
    """
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.lseek(handle, 0, os.SEEK_END)
            # A line that a crash cut off must not swallow this one.
            is_cut = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            os.write(handle, ("\n" * is_cut + line + "\n").encode())
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise Unavailable(
            f"The anchor can't be written to {file}: {error.strerror}.",
            hint="Check the disk and the rights, or name another MAILBOX_GUARD_ANCHOR_FILE.",
        ) from None


def difference(connection: Connection, anchor: Anchor) -> str | None:
    """Return what of an anchor the database no longer holds, if anything.

    Looked at are the heads and what persons withdrew; the rest is what `verify` does.
    """
    for chain, (count, head) in anchor.chains.items():
        cut = find_cut(connection, chain)
        if cut is not None and count <= cut.gone:
            # What was given up can't be looked up; the act that says so is in the acts' own head.
            if not is_stated(connection, cut) or (count == cut.count and head != cut.head):
                return f"chain {chain} was cut, and no act of pruning states that"
            continue
        found = connection.scalar(
            select(decisions.c.digest).where(
                decisions.c.chain == chain, decisions.c.seq == count - 1
            )
        )
        if count and found != head:
            return f"decision {count} of chain {chain} is not the one that {anchor.name} states"
    count, digest = anchor.acts
    found = connection.scalar(select(acts.acts.c.digest).where(acts.acts.c.number == count))
    if count and found != digest:
        return f"act {count} is not the one that {anchor.name} states"
    for record_id in anchor.withdrawn:
        if is_dropped(connection, record_id, stated_at=count):
            return f"the withdrawal of {record_id} that {anchor.name} states is gone"
    return None


def untrusted(anchors: Sequence[Anchor], keys: Sequence[str]) -> str | None:
    """Return why anchors can't be believed by somebody who trusts these keys, if so."""
    if not keys:
        return None
    for anchor in anchors:
        if anchor.key not in keys:
            how = "not signed" if anchor.key is None else f"signed by another key, {anchor.key}"
            return f"{anchor.name} is {how}"
    return None
