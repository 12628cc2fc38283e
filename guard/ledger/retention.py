"""What of the ledger need not be kept any longer: private parts are emptied, old records pruned.

Both are acts, ordered by a person or a setting. Both go in steps of a few milliseconds, so that no
decision waits, and may be broken off at any moment: the next run goes on where the last one ended.
Kept is what something still hangs on, each with its reason (`Needed`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    delete,
    func,
    or_,
    select,
    union_all,
    update,
)

from guard.ledger.chain import BEGINNING
from guard.ledger.cut import LEAST_AGE, Cut, cut_from, find_cut
from guard.ledger.parked import WAITING
from guard.ledger.tables import chains, checkpoints, cuts, decisions, holds, mirror
from kernel import acts
from kernel.acts import ActKind
from kernel.clock import Clock
from kernel.database import Database, insert
from kernel.digest import canonical_json
from kernel.errors import InputRefused
from kernel.failpoints import failpoint
from kernel.held_approval import APPROVED, approvals
from kernel.ids import first_id
from kernel.principal import Principal
from kernel.tasks import OPEN_STATES, TaskState, tasks
from kernel.words import DocumentedWord

ORDERED: Final = failpoint("guard.retention.order", "It is said that old decisions go.")
MASKED: Final = failpoint("guard.retention.mask", "Some private parts are emptied.")
CUT: Final = failpoint("guard.retention.cut", "The beginnings of some chains are given up.")
DELETED: Final = failpoint("guard.retention.delete", "Some rows of what was given up are deleted.")

# So many are a matter of some milliseconds to write, and of some more to find.
MASKED_AT_ONCE: Final = 32
DELETED_AT_ONCE: Final = 100
_READ_AT_ONCE: Final = 1000
_CHECKPOINTS_TRIED: Final = 16
_STILL_OPEN: Final = (*OPEN_STATES, TaskState.NEEDS_PERSON)


class RetentionKind(DocumentedWord):
    """What is done with what is old."""

    MASK = "mask", "The private parts are emptied; the public ones still prove themselves."
    PRUNE = "prune", "The records are deleted; what goes on after them still proves itself."


class Needed(DocumentedWord):
    """Why an old decision is left as it is."""

    OBLIGATION = "obligation", "What it owes is not done."
    HOLD = "hold", "It was held, and that is not settled."
    KNOWN_GOOD = "known-good", "The known good copy of a row rests on it."
    APPROVAL = "approval", "A mailbox is approved on it."


@dataclass(frozen=True, slots=True)
class Order:
    """Who said that what was decided before then be masked, or be pruned, and why."""

    kind: RetentionKind
    before: datetime
    by: str
    reason: str
    object_id: str | None = None


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """How many decisions an order concerns, and how many it leaves, by reason."""

    concerned: int
    kept: Mapping[Needed, int]


def order_of(
    principal: Principal, kind: RetentionKind, before: datetime, *, reason: str, now: datetime
) -> Order:
    """Return a person's order. Raises InputRefused when it would reach what is too young."""
    if before > now - LEAST_AGE:
        raise InputRefused(
            f"Decisions of the last {LEAST_AGE.days} days cannot be {_DONE[kind]}: facts and scans "
            "look back at them.",
            hint=f"Name a moment before {(now - LEAST_AGE).isoformat(timespec='seconds')}.",
        )
    return Order(kind, before, principal.name, reason, principal.object_id)


_DONE: Final = {RetentionKind.MASK: "masked", RetentionKind.PRUNE: "pruned"}


def record_order(connection: Connection, order: Order, *, now: datetime) -> None:
    """Write down who ordered what, before anything of it is done."""
    private = {
        "by": order.by,
        "object_id": order.object_id,
        "before": order.before.isoformat(),
        "reason": order.reason,
    }
    text = canonical_json(private).decode("utf-8", "backslashreplace")
    acts.append(connection, ActKind.ORDER, order.kind, now=now, private=text)


def plan(connection: Connection, order: Order, *, now: datetime) -> RetentionPlan:
    """Return what an order would do now: to how many decisions, and how many it would leave."""
    if order.kind is RetentionKind.PRUNE:
        found = find_cuts(connection, order.before, now=now)
        return RetentionPlan(sum(one.count - one.gone for one in found), {})
    keep = find_needed(connection, order.before)
    kept: Counter[Needed] = Counter()
    concerned, last = 0, ""
    while True:
        page = _old_page(connection, order.before, last)
        left = [keep[one] for one in page.ids if one in keep]
        kept.update(left)
        concerned += len(page.ids) - len(left)
        if page.last is None:
            return RetentionPlan(concerned, dict(kept))
        last = page.last


def find_needed(connection: Connection, before: datetime) -> dict[str, Needed]:
    """Return the decisions made before then that are to be left whole, each with its reason.

    What becomes needed later rests on a younger decision.
    """
    old = first_id(before)
    evidence = connection.scalars(select(approvals.c.evidence).where(approvals.c.state == APPROVED))
    rested_on = (one.get("decision_id") for one in evidence if isinstance(one, dict))
    found = {one: Needed.APPROVAL for one in rested_on if isinstance(one, str) and one < old}
    copied = select(mirror.c.decision_id).where(mirror.c.decision_id < old)
    found |= dict.fromkeys(connection.scalars(copied), Needed.KNOWN_GOOD)
    found |= dict.fromkeys(connection.scalars(_waiting()), Needed.HOLD)
    owing = select(tasks.c.owner).where(tasks.c.state.in_(_STILL_OPEN), tasks.c.owner < old)
    return found | dict.fromkeys(connection.scalars(owing), Needed.OBLIGATION)


def mask_these(connection: Connection, ids: Sequence[str], *, now: datetime) -> int:
    """Empty the private parts of these decisions, but of none that owes something by now."""
    acts.hold(connection)
    owing = select(tasks.c.owner).where(tasks.c.owner.in_(ids), tasks.c.state.in_(_STILL_OPEN))
    owes = set(connection.scalars(owing))
    private = select(decisions.c.id).where(
        decisions.c.id.in_([one for one in ids if one not in owes]),
        decisions.c.private.is_not(None),
    )
    masked = list(connection.scalars(private.order_by(decisions.c.id)))
    if not masked:
        return 0
    connection.execute(
        update(decisions).where(decisions.c.id.in_(masked)).values(private=None, salt=None)
    )
    # What an obligation had to remember says the same once more, and it is done.
    connection.execute(update(tasks).where(tasks.c.owner.in_(masked)).values(payload={}))
    acts.append_many(connection, ActKind.MASKING, masked, now=now)
    return len(masked)


def find_cuts(connection: Connection, before: datetime, *, now: datetime) -> list[Cut]:
    """Return how far chains can be given up, further than they are: to the newest checkpoint.

    No chain is given up past a decision that something still hangs on.
    """
    states = [
        (row.number, json.loads(row.heads)["state"]["chains"])
        for row in connection.execute(
            select(checkpoints.c.number, checkpoints.c.heads)
            .where(checkpoints.c.made_at < min(before, now - LEAST_AGE))
            .order_by(checkpoints.c.number.desc())
            .limit(_CHECKPOINTS_TRIED)
        )
    ]
    held, owing = _first_held(connection), _first_owing(connection)
    more = or_(cuts.c.count.is_(None), cuts.c.count < chains.c.count)
    chosen = select(chains.c.id).outerjoin(cuts, cuts.c.chain == chains.c.id).where(more)
    found = []
    for chain in connection.scalars(chosen.order_by(chains.c.id)).all():
        known = find_cut(connection, chain) or Cut(chain, 0, BEGINNING, "", 0, 0, BEGINNING)
        for number, state in states:
            count, head, last_id = state.get(chain, (0, BEGINNING, ""))
            cut = replace(known, count=count, head=head, last_id=last_id, checkpoint=number)
            most = min(held.get(chain, count), owing.get(chain, count))
            if known.count < count <= most and cut.is_old_enough(now):
                found.append(cut)
                break
    return found


def give_up(connection: Connection, cut: Cut, *, now: datetime) -> bool:
    """Give the beginning of a chain up; return False when it already is, or is needed by now.

    From then on its decisions count for nothing, whether or not their rows are gone yet.
    """
    acts.hold(connection)
    known = find_cut(connection, cut.chain)
    first = _first_owing(connection).get(cut.chain, cut.count)
    if (known is not None and known.count >= cut.count) or first < cut.count:
        return False
    acts.append(connection, ActKind.PRUNING, cut.chain, now=now, contents=cut.contents)
    stated = {"count": cut.count, "head": cut.head, "last_id": cut.last_id}
    stated["checkpoint"] = cut.checkpoint
    connection.execute(
        insert(connection, cuts)
        .values(chain=cut.chain, gone=0, gone_head=BEGINNING, **stated)
        .on_conflict_do_update(index_elements=["chain"], set_=stated)
    )
    return True


def any_given_up(connection: Connection) -> bool:
    """Return whether `delete_some` would find anything: a read, as idle work writes nothing."""
    left = select(cuts.c.chain).where(cuts.c.gone < cuts.c.count).limit(1)
    return connection.execute(left).first() is not None


def delete_some(connection: Connection) -> int:
    """Delete some rows of what was given up; return how many places are gone, 0 at the end."""
    left = select(cuts).where(cuts.c.gone < cuts.c.count).order_by(cuts.c.chain).limit(1)
    row = connection.execute(left.with_for_update()).first()
    if row is None:
        return 0
    cut = cut_from(row)
    reached = min(cut.gone + DELETED_AT_ONCE, cut.count)
    is_of_chain = decisions.c.chain == cut.chain
    head = connection.scalar(
        select(decisions.c.digest).where(is_of_chain, decisions.c.seq == reached - 1)
    )
    ids = list(
        connection.scalars(select(decisions.c.id).where(is_of_chain, decisions.c.seq < reached))
    )
    connection.execute(
        delete(tasks).where(tasks.c.owner.in_(ids), tasks.c.state.not_in(_STILL_OPEN))
    )
    connection.execute(delete(decisions).where(is_of_chain, decisions.c.seq < reached))
    connection.execute(
        update(cuts)
        .where(cuts.c.chain == cut.chain)
        # Of a row that somebody took away nobody knows the digest; `verify` tells that.
        .values(gone=reached, gone_head=cut.head if reached == cut.count else head or BEGINNING)
    )
    return reached - cut.gone


async def carry_out(
    database: Database,
    clock: Clock,
    order: Order,
    *,
    moved: Callable[[int], None] = lambda done: None,
) -> int:
    """Do what an order says, step by step; return how many decisions were masked, or are gone.

    `moved` is told after each step. An order of which nothing is to be done is not recorded.
    """
    if order.kind is RetentionKind.MASK:
        return await _mask(database, clock, order, moved)
    return await _prune(database, clock, order, moved)


async def _mask(
    database: Database, clock: Clock, order: Order, moved: Callable[[int], None]
) -> int:
    done, last, now = 0, "", clock.now()
    keep = await database.read(lambda c: find_needed(c, order.before))
    while True:
        page = await database.read(partial(_old_page, before=order.before, after=last))
        ids = [one for one in page.ids if one not in keep]
        if ids and not done:
            await database.write(lambda c: record_order(c, order, now=now), failpoint=ORDERED)
        for at in range(0, len(ids), MASKED_AT_ONCE):
            some = ids[at : at + MASKED_AT_ONCE]
            done += await database.write(partial(mask_these, ids=some, now=now), failpoint=MASKED)
            moved(done)
        if page.last is None:
            return done
        last = page.last


async def _prune(
    database: Database, clock: Clock, order: Order, moved: Callable[[int], None]
) -> int:
    done, now = 0, clock.now()
    found = await database.read(lambda c: find_cuts(c, order.before, now=now))
    if found:
        await database.write(lambda c: record_order(c, order, now=now), failpoint=ORDERED)
    for cut in found:
        await database.write(partial(give_up, cut=cut, now=now), failpoint=CUT)
    while await database.read(any_given_up):
        done += await database.write(delete_some, failpoint=DELETED)
        moved(done)
    return done


@dataclass(frozen=True, slots=True)
class _Page:
    """Decisions that have a private part, and the id behind which the next ones stand, if any."""

    ids: list[str]
    last: str | None


def _old_page(connection: Connection, before: datetime, after: str) -> _Page:
    chosen = select(decisions.c.id, decisions.c.decided_at, decisions.c.private.is_(None))
    rows = connection.execute(
        chosen.where(decisions.c.id > after, decisions.c.id < first_id(before))
        .order_by(decisions.c.id)
        .limit(_READ_AT_ONCE)
    ).all()
    ids = [one for one, at, is_masked in rows if not is_masked and at < before]
    return _Page(ids, rows[-1].id if len(rows) == _READ_AT_ONCE else None)


def _first_owing(connection: Connection) -> dict[str, int]:
    """Return the first place of each chain whose decision owes something."""
    owing = select(tasks.c.owner).where(tasks.c.state.in_(_STILL_OPEN))
    return _first_places(connection, decisions.c.id.in_(owing))


def _first_held(connection: Connection) -> dict[str, int]:
    """Return the first place of each chain whose decision may still be released, or used."""
    return _first_places(connection, decisions.c.id.in_(_waiting()))


def _waiting() -> CompoundSelect[tuple[str]]:
    """Return the decisions that holds which are not settled are about."""
    held = select(holds.c.decision_id).where(holds.c.state.in_(WAITING))
    released = select(holds.c.release_decision_id).where(holds.c.state.in_(WAITING))
    return union_all(held, released.where(holds.c.release_decision_id.is_not(None)))


def _first_places(connection: Connection, condition: ColumnElement[bool]) -> dict[str, int]:
    places = select(decisions.c.chain, func.min(decisions.c.seq)).where(condition)
    found = connection.execute(places.group_by(decisions.c.chain))
    return {chain: place for chain, place in found}
