"""Which mailboxes may be synced: the one place where guard and sync meet.

The key is the mailbox record of Dataverse. Only the guard grants; anyone may withdraw. The epoch
rises with every change, so that work begun under an older approval fails where it would write:
`lock` inside the transaction of a page, `permit` right before each attempt to reach the mailbox.

Every grant and every withdrawal is an act (`kernel.acts`), and the row counts only while it equals
its newest one (law 20): whoever alters the row alone opens nothing. Where they differ, the act says
what was held.

A person's withdrawal stands (law 17): a grant compares itself with it, and only a *renewal* ends
it, an approval in Dataverse that the guard read there and that was made after it.

An approval *rests*, and gives no permit, while a brake has stopped something about its row
(`kernel.stops`), and once its evidence is older than allowed, until that was looked up again.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from kernel import stops
from kernel.acts import OF_APPROVALS, ActKind, append, committed_to, hold, newest
from kernel.database import insert
from kernel.errors import ApprovalRests, ApprovalWithdrawn, Bug, Conflict
from kernel.held_approval import APPROVED as APPROVED
from kernel.held_approval import CLOCKS_DIFFER as CLOCKS_DIFFER
from kernel.held_approval import NOT_RECORDED as NOT_RECORDED
from kernel.held_approval import WITH_ACT, approval_from, approval_from_row, recorded_text
from kernel.held_approval import WITHDRAWN as WITHDRAWN
from kernel.held_approval import Approval as Approval
from kernel.held_approval import ApprovalState as ApprovalState
from kernel.held_approval import WithdrawalCause as WithdrawalCause
from kernel.held_approval import approvals as approvals

# How long a permit may be used after it was given. Whoever withdraws waits this long after the
# commit before saying that no further access can begin.
PERMIT_SECONDS = 1.0

_ID_START = re.compile(r"[0-9a-f][0-9a-f-]{3,}\Z")


class RecordAltered(Conflict):
    """The newest act on a mailbox is not as it was written, so nobody knows what is held of it."""

    code = "record-altered"


class WithdrawalStands(Conflict):
    """A person withdrew the mailbox, and nothing newer in Dataverse approves it."""

    code = "withdrawal-stands"


@dataclass(frozen=True, slots=True)
class Renewal:
    """An approval in Dataverse that the guard read there: who made it, and when by our clock."""

    approver_id: str
    approved_at: datetime


def grant(
    connection: Connection,
    *,
    record_id: str,
    address: str,
    object_id: str,
    owner_id: str,
    owner_type: str,
    evidence: dict[str, Any],
    now: datetime,
    until: datetime | None = None,
    renewal: Renewal | None = None,
) -> int:
    """Hold the mailbox approved on this evidence and return the epoch.

    The epoch rises unless the mailbox already was approved for the same address, object and owner.
    Raises WithdrawalStands when a person withdrew it and `renewal` is not newer than that.
    """
    held = held_of(connection, record_id)
    is_renewed = held is None or (renewal is not None and renewal.approved_at > held.changed_at)
    if held is not None and held.is_withdrawn_by_person and not is_renewed:
        raise standing(held)
    identity = (address.casefold(), object_id, owner_id, owner_type)
    same = (
        held is not None
        and held.is_approved(now)
        and identity == (held.address.casefold(), held.object_id, held.owner_id, held.owner_type)
    )
    epoch = 1 if held is None else held.epoch if same else held.epoch + 1
    values = {
        "address": address,
        "object_id": object_id,
        "owner_id": owner_id,
        "owner_type": owner_type,
        "evidence": evidence,
        "state": APPROVED,
        "cause": None,
        "epoch": epoch,
        "reason": "",
        "withdrawn_by": None,
        "changed_at": held.changed_at if held is not None and same else now,
        "until": until,
        "looked_up_at": now,
    }
    _write(connection, record_id, values, now=now)
    return epoch


def withdraw(
    connection: Connection,
    *,
    record_id: str,
    cause: WithdrawalCause,
    reason: str,
    now: datetime,
) -> int | None:
    """Hold the mailbox withdrawn and return the new epoch; None when it was not approved.

    What a person withdraws goes by `withdraw_by_person`, with a name.
    """
    if cause is WithdrawalCause.PERSON:
        raise Bug("A person's withdrawal has a name.")
    held = held_of(connection, record_id)
    if held is None or held.state != APPROVED:
        return None
    changes = {"state": WITHDRAWN, "cause": cause, "epoch": held.epoch + 1, "reason": reason}
    _change(connection, held, {**changes, "changed_at": now}, now=now)
    return held.epoch + 1


def refuse(
    connection: Connection,
    *,
    record_id: str,
    address: str,
    owner_id: str,
    owner_type: str,
    cause: WithdrawalCause,
    reason: str,
    now: datetime,
) -> None:
    """Hold the mailbox withdrawn, also one of which nothing was held, so that its reason is shown.

    What is held withdrawn already keeps its cause, which is counted, and gets the newer reason; the
    word of a person keeps both.
    """
    held = held_of(connection, record_id)
    if held is not None and held.state == APPROVED:
        withdraw(connection, record_id=record_id, cause=cause, reason=reason, now=now)
        return
    if held is not None:
        if not held.is_withdrawn_by_person and held.reason != reason:
            _change(connection, held, {"reason": reason}, now=now)
        return
    values = {
        "address": address,
        "object_id": "",
        "owner_id": owner_id,
        "owner_type": owner_type,
        "evidence": {},
        "state": WITHDRAWN,
        "cause": cause,
        "epoch": 1,
        "reason": reason,
        "withdrawn_by": None,
        "changed_at": now,
        "until": None,
        "looked_up_at": now,
    }
    _write(connection, record_id, values, now=now)


def withdraw_by_person(
    connection: Connection, *, record_id: str, by: str, reason: str, now: datetime
) -> bool:
    """Hold the mailbox withdrawn on the word of a person; return whether it was approved.

    The word is remembered either way: what was not approved may not be granted by older ones.
    """
    held = held_of(connection, record_id)
    if held is None:
        return False
    was_approved = held.state == APPROVED
    changes = {
        "state": WITHDRAWN,
        "cause": WithdrawalCause.PERSON,
        "epoch": held.epoch + was_approved,
        "reason": reason,
        "withdrawn_by": by,
        "changed_at": now,
    }
    _change(connection, held, changes, now=now)
    return was_approved


def standing(held: Approval) -> WithdrawalStands:
    """Return the error that tells of a person's withdrawal, with what ends it."""
    at = held.changed_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return WithdrawalStands(
        f"{held.withdrawn_by} withdrew the mailbox at {at}: {held.reason}",
        hint="Only a newer approval ends that: let a qualified person set its approval in "
        "Dataverse to Pending, then to Approved.",
        record_id=held.record_id,
    )


def find(connection: Connection, record_id: str) -> Approval | None:
    """Return what is held of that record, if anything ever was."""
    row = connection.execute(WITH_ACT.where(approvals.c.record_id == record_id)).first()
    return None if row is None else approval_from_row(row)


def list_owned_by(connection: Connection, owner_id: str) -> list[Approval]:
    """Return what is held of every record of that user, queue or team."""
    statement = WITH_ACT.where(approvals.c.owner_id == owner_id)
    rows = connection.execute(statement.order_by(approvals.c.record_id))
    return [approval_from_row(row) for row in rows]


def list_named(connection: Connection, name: str) -> list[Approval]:
    """Return what is held under this record id, the first characters of one, or this address."""
    wanted = name.strip("{} ").lower()
    exact = find(connection, wanted)
    if exact is not None:
        return [exact]
    named = func.lower(approvals.c.address) == wanted
    if _ID_START.match(wanted):
        named |= approvals.c.record_id.startswith(wanted, autoescape=True)
    statement = WITH_ACT.where(named).order_by(approvals.c.record_id)
    found = [approval_from_row(row) for row in connection.execute(statement)]
    # A row that was given another address is not the one that is called so.
    return [
        one for one in found if one.address.lower() == wanted or one.record_id.startswith(wanted)
    ]


def list_all(connection: Connection) -> list[Approval]:
    """Return what is held of every record, in the order of their ids."""
    rows = connection.execute(WITH_ACT.order_by(approvals.c.record_id))
    return [approval_from_row(row) for row in rows]


def list_page(connection: Connection, *, after: str | None, limit: int) -> list[Approval]:
    """Return what is held of so many records behind an id, in the order of their ids."""
    statement = WITH_ACT.order_by(approvals.c.record_id).limit(limit)
    if after is not None:
        statement = statement.where(approvals.c.record_id > after)
    return [approval_from_row(row) for row in connection.execute(statement)]


def list_ids(
    connection: Connection, *, holding: str = "", after: str | None = None, limit: int
) -> list[str]:
    """Return the ids of so many records behind one whose address holds these letters, in order."""
    statement = select(approvals.c.record_id).order_by(approvals.c.record_id).limit(limit)
    if holding:
        address = func.lower(approvals.c.address)
        statement = statement.where(address.contains(holding.lower(), autoescape=True))
    if after is not None:
        statement = statement.where(approvals.c.record_id > after)
    return list(connection.scalars(statement))


def list_approved(connection: Connection, *, now: datetime) -> list[Approval]:
    """Return the mailboxes that may be synced at that moment, in the order of their ids."""
    statement = WITH_ACT.where(approvals.c.state == APPROVED).order_by(approvals.c.record_id)
    found = [approval_from_row(row) for row in connection.execute(statement)]
    return [approval for approval in found if approval.is_approved(now)]


def count_withdrawn(connection: Connection, *, cause: WithdrawalCause, since: datetime) -> int:
    """Return how many mailboxes are held withdrawn since then for that cause."""
    statement = (
        select(func.count())
        .select_from(approvals)
        .where(
            approvals.c.state == WITHDRAWN,
            approvals.c.cause == cause,
            approvals.c.changed_at >= since,
        )
    )
    return connection.scalar(statement) or 0


def lock(
    connection: Connection, record_id: str, *, object_id: str, epoch: int, now: datetime
) -> Approval:
    """Return the approval and keep any withdrawal waiting until this transaction ends.

    Raises ApprovalWithdrawn when the record is not approved under that epoch for that Exchange
    object, and ApprovalRests when a brake has stopped something about it.
    """
    held = _locked(connection, record_id)
    held = _checked(held, record_id, object_id=object_id, epoch=epoch, now=now)
    _check_rest(connection, record_id)
    return held


def permit(
    connection: Connection,
    record_id: str,
    *,
    object_id: str,
    epoch: int,
    now: datetime,
    evidence_max_age: timedelta,
) -> None:
    """Allow one attempt to reach the mailbox, to begin within PERMIT_SECONDS.

    The mailbox is the Exchange object that is about to be reached, as whoever reaches it says.
    Raises ApprovalWithdrawn when the record is not approved under that epoch for that object, and
    ApprovalRests when its evidence is older than that, or a brake has stopped something about it.
    """
    held = find(connection, record_id)
    held = _checked(held, record_id, object_id=object_id, epoch=epoch, now=now)
    if held.evidence_age(now) > evidence_max_age:
        raise ApprovalRests(
            f"The mailbox rests: what its approval rests on was last looked up at "
            f"{held.looked_up_at.isoformat(timespec='seconds')}, longer ago than allowed.",
            hint="Check that Entra and Dataverse answer; it goes on once they have.",
            record_id=record_id,
        )
    _check_rest(connection, record_id)


def _check_rest(connection: Connection, record_id: str) -> None:
    reason = stops.reason_to_rest(connection, record_id)
    if reason is not None:
        raise ApprovalRests(reason, hint="See `mailbox-guard brakes list`.", record_id=record_id)


def _checked(
    held: Approval | None, record_id: str, *, object_id: str, epoch: int, now: datetime
) -> Approval:
    if held is None:
        raise ApprovalWithdrawn(f"Mailbox {record_id} was never approved.", record_id=record_id)
    if not held.is_recorded:
        raise ApprovalWithdrawn(
            f"Mailbox {record_id} is not approved. {NOT_RECORDED}", record_id=record_id
        )
    if held.epoch != epoch or not held.is_approved(now):
        raise ApprovalWithdrawn(
            f"Mailbox {record_id} is no longer approved under epoch {epoch}.",
            record_id=record_id,
            reason=held.reason,
        )
    if held.object_id != object_id:
        raise ApprovalWithdrawn(
            f"Mailbox {record_id} is not approved for the Exchange object {object_id}.",
            record_id=record_id,
        )
    return held


def _locked(connection: Connection, record_id: str) -> Approval | None:
    """Return what is held, its row locked.

    The lock comes first: a row that was waited for is newer than the act that one statement sees.
    """
    locked = select(approvals.c.record_id).where(approvals.c.record_id == record_id)
    connection.execute(locked.with_for_update())
    return find(connection, record_id)


def held_of(connection: Connection, record_id: str) -> Approval | None:
    """Return what the ledger holds of a mailbox, for whoever is going to change it.

    Raises RecordAltered when its newest act is not as it was written.
    """
    hold(connection)
    found = _locked(connection, record_id)
    if found is not None and found.is_recorded:
        return found
    act = newest(connection, record_id, OF_APPROVALS)
    if act is None:
        # A row without any act is not ours.
        return None
    if act.private is None or committed_to(act.salt, act.private) != act.commitment:
        raise RecordAltered(
            f"Act {act.number} on mailbox {record_id} is not as it was written.",
            hint="`mailbox-guard decisions verify` walks the whole ledger; restore a backup.",
            record_id=record_id,
        )
    return approval_from(json.loads(act.private))


def _change(
    connection: Connection, held: Approval, changes: dict[str, Any], *, now: datetime
) -> None:
    kept = {one.name: getattr(held, one.name) for one in approvals.c if one.name != "record_id"}
    _write(connection, held.record_id, {**kept, **changes}, now=now)


def _write(
    connection: Connection, record_id: str, values: dict[str, Any], *, now: datetime
) -> None:
    """Write the row with the act that says the same; nothing when it says so already."""
    connection.execute(
        insert(connection, approvals)
        .values(record_id=record_id, **values)
        .on_conflict_do_update(index_elements=["record_id"], set_=values)
    )
    text = recorded_text({"record_id": record_id, **values})
    last = newest(connection, record_id, OF_APPROVALS)
    if last is not None and last.private == text:
        return
    kind = ActKind.GRANT if values["state"] == APPROVED else ActKind.WITHDRAWAL
    append(connection, kind, record_id, now=now, private=text)
