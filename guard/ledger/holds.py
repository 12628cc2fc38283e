"""Holds in the database: parked with the decision that held, settled with the one that let go on.

Whoever owns the database could write that something was released. So an agreement counts only while
it equals its act, which is chained (law 20).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, update

from guard.errors import HoldTaken
from guard.ledger.codec import text_of
from guard.ledger.parked import (
    DONE,
    WAITING,
    Agreement,
    Hold,
    HoldCounts,
    HoldState,
    NewHold,
    OpenHolds,
    Released,
    Settled,
    change_from,
)
from guard.ledger.tables import holds
from kernel import acts
from kernel.acts import ActKind
from kernel.database import insert
from kernel.digest import sha256_hex


def park(connection: Connection, new: NewHold, decision_id: str, *, now: datetime) -> None:
    """Park a change with the decision that held it, or let it join the open hold of that id.

    Raises HoldTaken when the same change was parked under another id meanwhile.
    """
    change = new.change
    _note_expired(connection, holds.c.open_key == change.key, now=now)
    statement = select(holds).where(holds.c.open_key == change.key).with_for_update()
    found = connection.execute(statement).first()
    if found is not None and found.id == new.id:
        _join(connection, found, new, decision_id, now=now)
        return
    parked = connection.execute(
        insert(connection, holds)
        .values(
            id=new.id,
            state=HoldState.OPEN,
            open_key=change.key,
            table_name=change.table,
            record_id=change.record_id,
            operation=change.operation,
            requester_id=change.requester_id,
            on_behalf_by=change.on_behalf_by,
            identities=dict(new.identities),
            change=change.text,
            rules=list(new.rules),
            decision_id=decision_id,
            asked=1,
            opened_at=now,
            asked_at=now,
            ends_at=new.ends_at,
        )
        .on_conflict_do_nothing()
    )
    if parked.rowcount != 1:
        raise HoldTaken("The same change was parked meanwhile.", hint="It is looked at again.")


def _join(
    connection: Connection, found: Row[Any], new: NewHold, decision_id: str, *, now: datetime
) -> None:
    """Count the change once more. Who asked first stays who asked, whatever a row says by now."""
    values: dict[str, Any] = {"asked": found.asked + 1, "asked_at": now}
    if found.state is HoldState.OPEN:
        known = {one: object_id for one, object_id in found.identities.items() if object_id}
        values |= {
            "decision_id": decision_id,
            "rules": list(new.rules),
            "identities": {**new.identities, **known},
        }
    connection.execute(update(holds).where(holds.c.id == found.id).values(**values))


def find(connection: Connection, hold_id: str) -> Hold | None:
    """Return the hold of that id. Raises ValueError or KeyError when it was altered."""
    row = connection.execute(select(holds).where(holds.c.id == hold_id)).first()
    return None if row is None else hold_from(row)


def find_stated(connection: Connection, hold_id: str) -> Hold | None:
    """Return a hold that an approver released, or that was refused since, as acts state it."""
    row = connection.execute(select(holds).where(holds.c.id == hold_id)).first()
    if row is None or row.release_decision_id is None:
        return None
    stated = _stated_now(row)
    newest = acts.newest(connection, hold_id, acts.OF_HOLDS)
    is_whole = newest is not None and newest.private == stated
    return hold_from(row) if is_whole and _is_committed(newest) else None


def require_approved(connection: Connection, hold_id: str, *, now: datetime) -> None:
    """Raise HoldTaken unless the hold is released and can be done, until the transaction ends."""
    stands = _stands((HoldState.APPROVED,), now)
    statement = select(holds.c.id).where(holds.c.id == hold_id, stands).with_for_update()
    if connection.scalar(statement) is None:
        raise taken(hold_id)


def find_ids(connection: Connection, start: str) -> list[str]:
    """Return the ids of up to three holds that begin so."""
    chosen = holds.c.id.startswith(start, autoescape=True)
    return list(connection.scalars(select(holds.c.id).where(chosen).order_by(holds.c.id).limit(3)))


def list_page(
    connection: Connection,
    *,
    states: Collection[HoldState],
    now: datetime,
    limit: int | None = None,
    before: str | None = None,
) -> list[Hold]:
    """Return the holds that stand so now, newest first; `before` is the id where a page ended."""
    statement = select(holds).where(_stands(states, now)).order_by(holds.c.id.desc())
    if before is not None:
        statement = statement.where(holds.c.id < before)
    return [hold_from(row) for row in connection.execute(statement.limit(limit))]


def list_on(connection: Connection, record_ids: Collection[str]) -> list[Hold]:
    """Return every hold on these rows, newest first."""
    statement = select(holds).where(holds.c.record_id.in_(list(record_ids)))
    return [hold_from(row) for row in connection.execute(statement.order_by(holds.c.id.desc()))]


def open_holds(connection: Connection, key: str, requester_id: str, *, now: datetime) -> OpenHolds:
    """Return the open hold of a change, and how many holds its requester and all have open."""
    is_open = _stands(WAITING, now)
    same = connection.scalar(select(holds.c.id).where(holds.c.open_key == key, is_open))
    if same is not None:
        return OpenHolds(same=same)
    count = select(func.count()).select_from(holds).where(is_open)
    of_requester = connection.scalar(count.where(holds.c.requester_id == requester_id)) or 0
    return OpenHolds(None, of_requester, connection.scalar(count) or 0)


def count(connection: Connection, *, now: datetime) -> HoldCounts:
    """Return how many holds wait for an approver, and since when the oldest does."""
    found = select(func.count(), func.min(holds.c.opened_at)).where(_stands((HoldState.OPEN,), now))
    row = connection.execute(found).one()
    return HoldCounts(row[0], row[1])


def agreements_on(
    connection: Connection, record_ids: Collection[str], requester_id: str | None
) -> list[Agreement]:
    """Return what was agreed to of these rows, and of new rows of that requester, newest first.

    What no act states as it stands here was agreed to by nobody.
    """
    about: list[ColumnElement[bool]] = [
        holds.c.record_id.in_(list(record_ids)),
        holds.c.settled_record_id.in_(list(record_ids)),
    ]
    if requester_id is not None:
        is_theirs = holds.c.requester_id == requester_id
        about.append(and_(is_theirs, holds.c.operation == "create"))
    statement = (
        select(holds)
        .where(or_(*about), holds.c.state.in_((HoldState.APPROVED, *DONE)))
        .order_by(holds.c.id.desc())
    )
    rows = connection.execute(statement).all()
    return [agreement_in(hold_from(row)) for row in rows if is_stated(connection, row)]


def agreement_in(hold: Hold) -> Agreement:
    """Return what the approver of a released hold agreed to."""
    return Agreement(
        hold.id,
        hold.change,
        hold.rules,
        hold.usable_until or hold.ends_at,
        hold.settled_at if hold.state in DONE else None,
        hold.settled_record_id if hold.state in DONE else None,
    )


def release(connection: Connection, released: Released, decision_id: str, *, now: datetime) -> None:
    """Release an open hold with the decision that let it go on. Raises HoldTaken for another."""
    # Whoever appends an act holds the end of the chain before any other row.
    acts.hold(connection)
    changed = connection.execute(
        update(holds)
        .where(holds.c.id == released.hold_id, _stands((HoldState.OPEN,), now))
        .values(
            state=HoldState.APPROVED,
            rules=list(released.rules),
            answered_at=now,
            answered_by=released.name,
            answered_object_id=released.object_id,
            reason=released.reason,
            release_decision_id=decision_id,
            usable_until=released.usable_until,
        )
    )
    if changed.rowcount != 1:
        raise taken(released.hold_id)
    _state(connection, released.hold_id, ActKind.AGREEMENT, now=now)


def refuse(
    connection: Connection,
    hold_id: str,
    *,
    name: str,
    object_id: str | None,
    reason: str,
    now: datetime,
) -> None:
    """Refuse a hold that is open, or was released and not yet used. Raises HoldTaken for another.

    A pass that was given can so be taken back (law 17: refusing only takes away).
    """
    acts.hold(connection)
    changed = connection.execute(
        update(holds)
        .where(holds.c.id == hold_id, _stands(WAITING, now))
        .values(
            state=HoldState.REFUSED,
            open_key=None,
            answered_at=now,
            answered_by=name,
            answered_object_id=object_id,
            reason=reason,
            settled_at=now,
        )
    )
    if changed.rowcount != 1:
        raise taken(hold_id)
    _state(connection, hold_id, ActKind.REFUSAL, now=now)


def settle(
    connection: Connection, settled: Settled, decision_id: str | None, *, now: datetime
) -> None:
    """End a hold with a decision. Raises HoldTaken unless it stood as it was thought to."""
    values: dict[str, Any] = {
        "state": settled.state,
        "open_key": None,
        "settled_at": now,
        "settled_by": decision_id,
        "settled_record_id": settled.record_id,
        "settled_reason": settled.reason,
    }
    changed = connection.execute(
        update(holds)
        .where(holds.c.id == settled.hold_id, _stands(settled.since, now))
        .values(**values)
    )
    if changed.rowcount != 1:
        raise taken(settled.hold_id)


def taken(hold_id: str) -> HoldTaken:
    """Return the error for a hold that is no longer as it was thought to be."""
    return HoldTaken(
        f"The hold {hold_id} was decided, used or has ended meanwhile.",
        hint=f"`mailbox-guard holds show {hold_id}` says how.",
        hold_id=hold_id,
    )


def any_expired(connection: Connection, *, now: datetime) -> bool:
    """Return whether a hold has run out, and that is not noted yet: idling writes nothing."""
    return connection.scalar(select(holds.c.id).where(_has_run_out(now)).limit(1)) is not None


def expire(connection: Connection, *, now: datetime) -> int:
    """Note which holds have run out; return how many."""
    return _note_expired(connection, _has_run_out(now), now=now)


def _note_expired(connection: Connection, chosen: ColumnElement[bool], *, now: datetime) -> int:
    statement = update(holds).where(chosen, _has_run_out(now))
    values = {"state": HoldState.EXPIRED, "open_key": None, "settled_at": now}
    return connection.execute(statement.values(**values)).rowcount


def _has_run_out(now: datetime) -> ColumnElement[bool]:
    is_open, is_approved = holds.c.state == HoldState.OPEN, holds.c.state == HoldState.APPROVED
    return or_(
        and_(is_open, holds.c.ends_at <= now), and_(is_approved, holds.c.usable_until <= now)
    )


def _stands(states: Collection[HoldState], now: datetime) -> ColumnElement[bool]:
    """Return the condition that a hold stands in one of these states at that moment."""
    still = and_(holds.c.state.in_(list(states)), ~_ran_out(now))
    return or_(still, _ran_out(now)) if HoldState.EXPIRED in states else still


def _ran_out(now: datetime) -> ColumnElement[bool]:
    # A moment that is empty must not make the whole unknown.
    return func.coalesce(_has_run_out(now), False)


# --- What acts state of holds -----------------------------------------------------------------


def stated_of(row: Row[Any], kind: str) -> str:
    """Return what an act states of a hold: who agreed to what, or refused it, till when and why."""
    said: dict[str, Any] = {
        "hold_id": row.id,
        "table": row.table_name,
        "record_id": row.record_id,
        "operation": row.operation,
        "change": sha256_hex(row.change.encode()),
        "requester_id": row.requester_id,
        "on_behalf_by": row.on_behalf_by,
        "by": row.answered_by,
        "object_id": row.answered_object_id,
        "reason": row.reason,
    }
    if kind == ActKind.AGREEMENT:
        said |= {
            "rules": row.rules,
            "until": row.usable_until.isoformat() if row.usable_until else None,
            "decision_id": row.release_decision_id,
        }
    return text_of(said)


def is_stated(connection: Connection, row: Row[Any]) -> bool:
    """Return whether the newest act on a hold agrees to exactly what its row says."""
    newest = acts.newest(connection, row.id, acts.OF_HOLDS)
    if newest is None or newest.private != stated_of(row, ActKind.AGREEMENT):
        return False
    return _is_committed(newest)


def _is_committed(act: Row[Any] | None) -> bool:
    return act is not None and acts.committed_to(act.salt, act.private) == act.commitment


def walk_stated(connection: Connection) -> Iterator[tuple[str, str | None]]:
    """Yield every hold's id and what its newest act has to state of it; None where none has to."""
    statement = select(holds).order_by(holds.c.id)
    for row in connection.execute(statement):
        yield row.id, _stated_now(row)


def _stated_now(row: Row[Any]) -> str | None:
    if row.state == HoldState.REFUSED and row.answered_by is not None and row.settled_by is None:
        return stated_of(row, ActKind.REFUSAL)
    return None if row.release_decision_id is None else stated_of(row, ActKind.AGREEMENT)


def _state(connection: Connection, hold_id: str, kind: ActKind, *, now: datetime) -> None:
    row = connection.execute(select(holds).where(holds.c.id == hold_id)).one()
    acts.append(connection, kind, hold_id, now=now, private=stated_of(row, kind))


def hold_from(row: Row[Any]) -> Hold:
    """Return the hold that a row is. Raises ValueError or KeyError for an altered one."""
    change = change_from(
        row.change,
        table=row.table_name,
        record_id=row.record_id,
        operation=row.operation,
        requester_id=row.requester_id,
        on_behalf_by=row.on_behalf_by,
    )
    return Hold(
        id=row.id,
        state=row.state,
        change=change,
        rules=tuple(row.rules),
        identities=row.identities,
        decision_id=row.decision_id,
        asked=row.asked,
        opened_at=row.opened_at,
        asked_at=row.asked_at,
        ends_at=row.ends_at,
        answered_at=row.answered_at,
        answered_by=row.answered_by,
        answered_object_id=row.answered_object_id,
        reason=row.reason,
        release_decision_id=row.release_decision_id,
        usable_until=row.usable_until,
        settled_at=row.settled_at,
        settled_by=row.settled_by,
        settled_record_id=row.settled_record_id,
        settled_reason=row.settled_reason,
    )
