"""An approval as a value: its row, and whether the row is the one that its newest act states.

Who changes approvals is `kernel.approvals`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    Row,
    Table,
    Text,
    func,
    select,
    type_coerce,
)

from kernel.acts import OF_APPROVALS, STATING, acts, committed_to, newest
from kernel.digest import canonical_json
from kernel.tables import Instant, Json, Word, metadata, microseconds, moment_of
from kernel.words import DocumentedWord


class ApprovalState(DocumentedWord):
    """What is held of a mailbox record."""

    APPROVED = "approved", "It may be synced, until `until` where there is one."
    WITHDRAWN = "withdrawn", "It may not; cause and reason say why."


class WithdrawalCause(DocumentedWord):
    """What took an approval away. Programs count by it; the reason is for people."""

    CHANGE = "change", "A change of a row that it rests on was decided, or could not be judged."
    READ_BACK = "read-back", "The row that was read back, or its owner, did not allow it."
    ROW_GONE = "row-gone", "Its row is no longer in Dataverse."
    EVIDENCE = "evidence", "The watch found that its evidence, or the policies, no longer hold."
    SCAN = "scan", "A scan found that the policies do not allow it."
    RELEASED = "released", "A person let a brake go on that had kept it from being withdrawn."
    UNBACKED = (
        "unbacked",
        "The sync read in Dataverse that it no longer holds the mailbox approved.",
    )
    PERSON = "person", "A person withdrew it."


APPROVED = ApprovalState.APPROVED
WITHDRAWN = ApprovalState.WITHDRAWN

# A clock that was set back must not make evidence young; so much may two clocks differ.
CLOCKS_DIFFER = timedelta(minutes=5)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

approvals = Table(
    "kernel_approvals",
    metadata,
    Column("record_id", Text, primary_key=True),
    Column("address", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("owner_id", Text, nullable=False),
    Column("owner_type", Text, nullable=False),
    Column("evidence", Json, nullable=False),
    Column("state", Word(ApprovalState), nullable=False),
    Column("cause", Word(WithdrawalCause)),
    Column("epoch", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    # Who withdrew it, where a person did.
    Column("withdrawn_by", Text),
    Column("changed_at", Instant, nullable=False),
    Column("until", Instant),
    Column("looked_up_at", Instant, nullable=False),
)
_NEWEST_ACT = (
    select(func.max(acts.c.number))
    .where(acts.c.subject == approvals.c.record_id, acts.c.kind.in_(OF_APPROVALS))
    .correlate(approvals)
    .scalar_subquery()
)
# Columns as they are stored: one altered value must not keep the other rows from being read.
_STORED: dict[str, Any] = {
    "evidence": type_coerce(approvals.c.evidence, Text),
    "state": type_coerce(approvals.c.state, Text),
    "cause": type_coerce(approvals.c.cause, Text),
    "changed_at": type_coerce(approvals.c.changed_at, BigInteger),
    "until": type_coerce(approvals.c.until, BigInteger),
    "looked_up_at": type_coerce(approvals.c.looked_up_at, BigInteger),
}
_COLUMNS = [_STORED.get(one.name, one).label(one.name) for one in approvals.c]
WITH_ACT = select(
    *_COLUMNS,
    acts.c.commitment.label("act_commitment"),
    acts.c.private.label("act_private"),
    acts.c.salt.label("act_salt"),
).outerjoin(acts, acts.c.number == _NEWEST_ACT)
# A look-up that finds everything as it was is no act.
_RECORDED = tuple(one.name for one in approvals.c if one.name != "looked_up_at")
NOT_RECORDED = "The row of the approval is not the one that the ledger holds."


@dataclass(frozen=True, slots=True)
class Approval:
    """What is held of one mailbox record: approved or withdrawn, on which evidence, since when.

    `looked_up_at` is when everything that it rests on was last looked up and found to hold.
    `is_recorded` says whether the row equals its record in the ledger; otherwise it opens nothing.
    """

    record_id: str
    address: str
    object_id: str
    owner_id: str
    owner_type: str
    evidence: dict[str, Any]
    state: ApprovalState
    cause: WithdrawalCause | None
    epoch: int
    reason: str
    changed_at: datetime
    until: datetime | None
    looked_up_at: datetime
    withdrawn_by: str | None = None
    is_recorded: bool = True

    @property
    def is_withdrawn_by_person(self) -> bool:
        """Return whether a person withdrew it, which only a renewal ends."""
        return self.state == WITHDRAWN and self.cause == WithdrawalCause.PERSON

    def evidence_age(self, now: datetime) -> timedelta:
        """Return how old the evidence is; a moment that is still to come is no age at all."""
        age = now - self.looked_up_at
        return timedelta.max if age < -CLOCKS_DIFFER else max(age, timedelta())

    def is_approved(self, now: datetime) -> bool:
        """Return whether the mailbox may be synced at that moment."""
        is_over = self.until is not None and now >= self.until
        return self.state == APPROVED and self.is_recorded and not is_over


def list_stored(connection: Connection) -> Iterator[tuple[str, str]]:
    """Yield the id of every row and its text as `recorded_text` gives it, altered or not.

    The text is empty for a row that can't even be read.
    """
    for row in connection.execute(select(*_COLUMNS).order_by(approvals.c.record_id)):
        yield row.record_id, _text_of(dict(row._mapping))


def _text_of(stored: Mapping[str, Any]) -> str:
    try:
        return recorded_text({**stored, "evidence": json.loads(stored["evidence"])})
    except (TypeError, ValueError):
        return ""


def list_withdrawn_by_persons(connection: Connection) -> list[str]:
    """Return the records that persons withdrew, as their newest acts say, whatever the rows say."""
    numbers = (
        select(func.max(acts.c.number).label("number"))
        .where(acts.c.kind.in_(OF_APPROVALS))
        .group_by(acts.c.subject)
        .subquery()
    )
    rows = connection.execute(
        select(*STATING)
        .join(numbers, acts.c.number == numbers.c.number)
        .where(acts.c.private.contains('"cause":"person"'))
        .order_by(acts.c.subject)
    )
    return [row.subject for row in rows if _says_withdrawn_by_person(row)]


def is_dropped(connection: Connection, record_id: str, *, stated_at: int) -> bool:
    """Return whether a person's withdrawal, stated when there were so many acts, is there no more.

    A newer act may have ended it. One that can't be believed opens nothing, so nothing is dropped.
    """
    act = newest(connection, record_id, OF_APPROVALS)
    if act is None:
        return True
    if act.number > stated_at or committed_to(act.salt, act.private) != act.commitment:
        return False
    return not _says_withdrawn_by_person(act)


def is_ended(connection: Connection, record_id: str, *, stated_at: int) -> bool:
    """Return whether an act that is newer than so many ended a person's withdrawal."""
    act = newest(connection, record_id, OF_APPROVALS)
    return act is not None and act.number > stated_at and not _says_withdrawn_by_person(act)


def _says_withdrawn_by_person(act: Row[Any]) -> bool:
    try:
        return approval_from(json.loads(act.private)).is_withdrawn_by_person
    except (TypeError, ValueError, KeyError):
        # What can no longer be read opens nothing.
        return True


def recorded_text(values: Mapping[str, Any]) -> str:
    """Return a row as its act states it, canonical JSON with times in microseconds."""
    stated = {name: values[name] for name in _RECORDED}
    for name in ("changed_at", "until"):
        if isinstance(stated[name], datetime):
            stated[name] = microseconds(stated[name])
    return canonical_json(stated).decode()


def approval_from(stated: dict[str, Any]) -> Approval:
    """Return what an act states."""
    return Approval(
        **{
            **stated,
            "state": ApprovalState(stated["state"]),
            "cause": None if stated["cause"] is None else WithdrawalCause(stated["cause"]),
            "changed_at": moment_of(stated["changed_at"]),
            "until": None if stated["until"] is None else moment_of(stated["until"]),
            # When it was looked up since is not stated, so it was not.
            "looked_up_at": moment_of(stated["changed_at"]),
        }
    )


def approval_from_row(row: Any) -> Approval:
    """Return what a row of `WITH_ACT` holds, and whether its act states the same.

    Where they differ it is what the act states, and nothing where that can't be believed either.
    """
    private, is_stated = row.act_private, False
    try:
        is_stated = row.act_commitment == committed_to(row.act_salt, private) != ""
        held = approval_from(json.loads(private)) if is_stated else _nothing_of(row.record_id)
        looked_up_at = moment_of(row.looked_up_at)
    except (TypeError, ValueError, KeyError, OverflowError):
        return replace(_nothing_of(row.record_id), is_recorded=False)
    is_recorded = is_stated and private == _text_of(dict(row._mapping))
    return replace(
        held, record_id=row.record_id, looked_up_at=looked_up_at, is_recorded=is_recorded
    )


def _nothing_of(record_id: str) -> Approval:
    return Approval(
        record_id=record_id,
        address="",
        object_id="",
        owner_id="",
        owner_type="",
        evidence={},
        state=WITHDRAWN,
        cause=None,
        epoch=0,
        reason=NOT_RECORDED,
        changed_at=_NEVER,
        until=None,
        looked_up_at=_NEVER,
    )
