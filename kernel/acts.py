"""Acts: what was done to approvals and to the record itself, in one chain that only grows.

An *act* is a grant, a withdrawal, a masking, a word on what is held, the first use of a policy set.
Whoever does one appends it in the same transaction. An act is a public part, chained by digests,
and what it states of people behind a salted digest (law 14). There is one chain for all processes,
since acts are rare; its end is stated apart, so that a tail that was cut shows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    Row,
    Table,
    Text,
    select,
    type_coerce,
    update,
)

from kernel.database import insert
from kernel.digest import canonical_json, sha256_hex
from kernel.principal import Principal
from kernel.tables import BigKey, Instant, Word, metadata, microseconds
from kernel.words import DocumentedWord

BEGINNING = ""
ROWS_AT_ONCE = 1000
_ONLY = 1
_SALT_BYTES = 16


class ActKind(DocumentedWord):
    """What was done. The subject is the mailbox record, decision, hold, set's digest, or chain."""

    GRANT = "grant", "A mailbox was held approved."
    WITHDRAWAL = "withdrawal", "An approval was taken away, or a mailbox refused."
    MASKING = "masking", "The private part of a decision was emptied."
    POLICY_SET = "policy-set", "A policy set was stored with the first decision that uses it."
    PAUSE = "pause", "A person let a mailbox rest."
    RESUMPTION = "resumption", "A person ended a pause, or let a mailbox be tried again."
    RELEASE = "release", "A person let go on what a brake had stopped; the subject is the brake."
    ORDER = "order", "A person, or a setting, said that old decisions be masked, or be pruned."
    PRUNING = "pruning", "The beginning of a chain of decisions was given up."
    AGREEMENT = "agreement", "An approver released what was held."
    REFUSAL = "refusal", "A person refused what was held."
    REGISTRATION = "registration", "A person registered the guard in Dataverse, or removed it."
    ACCEPTANCE = "acceptance", "A person accepted what differs in Dataverse from the registration."
    TAMPERING = "tampering", "Something of the registration in Dataverse was found changed."
    BREAK_GLASS = "break-glass", "The synchronous steps were found paused, or not any more."


OF_APPROVALS = (ActKind.GRANT, ActKind.WITHDRAWAL)
OF_HOLDS = (ActKind.AGREEMENT, ActKind.REFUSAL)

acts = Table(
    "kernel_acts",
    metadata,
    Column("number", BigKey, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("kind", Word(ActKind), nullable=False),
    Column("subject", Text, nullable=False),
    Column("commitment", Text, nullable=False),
    Column("private", Text),
    Column("salt", Text),
    Column("digest", Text, nullable=False),
    Index("ix_kernel_acts_subject", "subject", "number"),
)

# The end of the chain: one row, which also keeps two processes from taking one place.
ends = Table(
    "kernel_acts_end",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
)


# What of an act its believing takes; the rest may be unreadable.
STATING: tuple[Column[Any], ...] = (
    acts.c.number,
    acts.c.subject,
    acts.c.commitment,
    acts.c.private,
    acts.c.salt,
)


@dataclass(frozen=True, slots=True)
class End:
    """How many acts there are, and the digest of the newest."""

    count: int
    digest: str


def hold(connection: Connection) -> End:
    """Return the end of the chain and let nobody else append until this transaction is over.

    Whoever is going to append holds the end before any other row, so that no two wait crosswise.
    """
    statement = select(ends.c.count, ends.c.digest).with_for_update()
    row = connection.execute(statement).first()
    if row is None:
        connection.execute(
            insert(connection, ends)
            .values(id=_ONLY, count=0, digest=BEGINNING)
            .on_conflict_do_nothing()
        )
        row = connection.execute(statement).one()
    return End(*row)


def append(
    connection: Connection,
    kind: ActKind,
    subject: str,
    *,
    now: datetime,
    private: str | None = None,
    contents: str = "",
) -> int:
    """Append an act and return its number, from 1.

    `private` is what it states of people; without that, `contents` is the digest of what it names.
    """
    end = hold(connection)
    number, salt = end.count + 1, os.urandom(_SALT_BYTES).hex() if private is not None else None
    commitment = committed_to(salt, private) or contents
    digest = link(number, end.digest, now, kind, subject, commitment)
    connection.execute(
        insert(connection, acts).values(
            number=number,
            at=now,
            kind=kind,
            subject=subject,
            commitment=commitment,
            private=private,
            salt=salt,
            digest=digest,
        )
    )
    connection.execute(update(ends).where(ends.c.id == _ONLY).values(count=number, digest=digest))
    return number


def append_word(
    connection: Connection,
    kind: ActKind,
    subject: str,
    principal: Principal,
    *,
    now: datetime,
    reason: str = "",
) -> int:
    """Append what a person said, with who it was, how that is known, and why; return its number.

    Whoever writes anything else with it appends first (see `hold`).
    """
    told = {
        "by": principal.name,
        "object_id": principal.object_id,
        "proof": principal.proof.value,
        "reason": reason,
    }
    return append(connection, kind, subject, now=now, private=canonical_json(told).decode())


def append_many(
    connection: Connection, kind: ActKind, subjects: Sequence[str], *, now: datetime
) -> None:
    """Append an act without contents on each subject, in order, by two statements for all."""
    end = hold(connection)
    rows, digest = [], end.digest
    for number, subject in enumerate(subjects, start=end.count + 1):
        digest = link(number, digest, now, kind, subject, "")
        rows.append(
            {
                "number": number,
                "at": now,
                "kind": kind,
                "subject": subject,
                "commitment": "",
                "private": None,
                "salt": None,
                "digest": digest,
            }
        )
    if rows:
        connection.execute(insert(connection, acts), rows)
        connection.execute(
            update(ends)
            .where(ends.c.id == _ONLY)
            .values(count=end.count + len(rows), digest=digest)
        )


def end_of(connection: Connection) -> End:
    """Return the end of the chain as it is stated."""
    row = connection.execute(select(ends.c.count, ends.c.digest)).first()
    return End(0, BEGINNING) if row is None else End(*row)


def newest(connection: Connection, subject: str, kinds: Sequence[ActKind]) -> Row[Any] | None:
    """Return number, commitment, private part and salt of the newest of these on a subject."""
    return connection.execute(
        select(*STATING)
        .where(acts.c.subject == subject, acts.c.kind.in_(kinds))
        .order_by(acts.c.number.desc())
        .limit(1)
    ).first()


def walk(connection: Connection, *, after: int = 0) -> Iterator[Row[Any]]:
    """Yield every act in order, its moment and kind as they are stored."""
    raw: dict[str, Any] = {
        "at": type_coerce(acts.c.at, BigInteger),
        "kind": type_coerce(acts.c.kind, Text),
    }
    columns = [raw.get(one.name, one).label(one.name) for one in acts.c]
    while True:
        rows = connection.execute(
            select(*columns)
            .where(acts.c.number > after)
            .order_by(acts.c.number)
            .limit(ROWS_AT_ONCE)
        ).all()
        yield from rows
        if len(rows) < ROWS_AT_ONCE:
            return
        after = rows[-1].number


def committed_to(salt: str | None, private: str | None) -> str:
    """Return the digest by which an act commits to its private part; empty where it has none."""
    if salt is None or private is None:
        return ""
    return sha256_hex(f"{salt}\n{private}".encode("utf-8", "surrogatepass"))


def link(
    number: int, previous: str, at: datetime | int, kind: str, subject: str, commitment: str
) -> str:
    """Return the digest that ties an act to its place and to the act before it."""
    moment = at if isinstance(at, int) else microseconds(at)
    return sha256_hex(canonical_json([number, previous, moment, kind, subject, commitment]))
