"""What is old goes, provably: nothing that is needed, in small steps, and a thief's cut shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from guard.ledger import holds, mirror, retention
from guard.ledger.anchor import difference
from guard.ledger.cut import LEAST_AGE, Cut
from guard.ledger.entry import Effects, MirrorRow, NewTask
from guard.ledger.parked import HeldChange, NewHold
from guard.ledger.retention import (
    CUT,
    DELETED,
    DELETED_AT_ONCE,
    MASKED,
    ORDERED,
    Needed,
    Order,
    RetentionKind,
    carry_out,
    find_cuts,
    order_of,
    plan,
)
from guard.ledger.stored import DECISION, StoredLedger
from guard.ledger.tables import cuts
from guard.ledger.verify import verify
from kernel import acts, ids
from kernel.acts import ActKind
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import InputRefused
from kernel.failpoints import Crash, CrashAt
from kernel.principal import Principal, Proof
from kernel.tasks import TaskState, tasks
from tests.guard.ledger.test_anchor import anchored
from tests.guard.ledger.test_stored import an_entry
from tests.kernel.test_acts import grant

ROBIN = Principal("Robin", Proof.ACCOUNT)
YEAR = timedelta(days=400)
OLD = timedelta(days=370)
Open = Callable[..., Database]


@pytest.fixture(autouse=True)
def ids_of_this_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ids begin anew: those of a process never fall back behind what another test has seen."""
    monkeypatch.setattr(ids, "_last", [0, 0])


async def filled(database: Database, clock: FrozenClock, *, count: int = 5) -> list[str]:
    """Two chains of decisions, each with its checkpoint, a year ago, and one decision of today."""
    made = []
    for _ in range(2):
        ledger = StoredLedger(database, clock)
        for _ in range(count):
            entry = an_entry(clock)
            await ledger.record(entry)
            made.append(entry.id)
        await ledger.make_checkpoint()
        clock.advance(60)
    clock.advance(YEAR.total_seconds())
    await ledger.record(an_entry(clock))
    await ledger.make_checkpoint()
    return made


def order(kind: RetentionKind, clock: FrozenClock) -> Order:
    now = clock.now()
    return order_of(ROBIN, kind, now - OLD, reason="Plan 7", now=now)


async def masked(database: Database, clock: FrozenClock) -> int:
    return await carry_out(database, clock, order(RetentionKind.MASK, clock))


async def pruned(database: Database, clock: FrozenClock) -> int:
    return await carry_out(database, clock, order(RetentionKind.PRUNE, clock))


def count(database: Database, what: str) -> int:
    return database.read_now(lambda c: c.scalar(text(f"SELECT count(*) FROM {what}"))) or 0


def change(database: Database, statement: Any) -> None:
    statement = text(statement) if isinstance(statement, str) else statement
    database.write_now(lambda c: c.execute(statement), failpoint=DECISION)


async def test_old_private_parts_go_and_the_rest_still_proves_itself(
    database: Database, clock: FrozenClock
) -> None:
    await filled(database, clock)
    planned = database.read_now(
        lambda c: plan(c, order(RetentionKind.MASK, clock), now=clock.now())
    )
    assert (planned.concerned, planned.kept) == (10, {})
    assert await masked(database, clock) == 10
    verdict = database.read_now(verify)
    assert verdict.is_whole, verdict
    assert (verdict.checked, verdict.masked) == (11, 10)
    # Whoever ordered it is named before anything is done.
    first = database.read_now(lambda c: next(iter(acts.walk(c))))
    assert (first.kind, first.subject) == (ActKind.ORDER, "mask")
    assert '"by":"Robin"' in first.private
    assert '"reason":"Plan 7"' in first.private
    # Nothing more is to be done, so nothing more is recorded.
    before = count(database, "kernel_acts")
    assert await masked(database, clock) == 0
    assert count(database, "kernel_acts") == before == 11


async def test_what_something_hangs_on_stays_whole(database: Database, clock: FrozenClock) -> None:
    ledger = StoredLedger(database, clock)
    owing, done, copied, approved, held, free = (an_entry(clock) for _ in range(6))
    for entry, effects in (
        (owing, Effects(tasks=(NewTask("revert", owing.id, {"address": "x@contoso.com"}),))),
        (done, Effects(tasks=(NewTask("revert", done.id, {"address": "x@contoso.com"}),))),
        (
            copied,
            Effects(
                mirror=MirrorRow(
                    "mailbox", "m9", {}, clock.now(), {"emailaddress": True}, decision_id=copied.id
                )
            ),
        ),
        (approved, Effects()),
        (free, Effects()),
    ):
        await ledger.record(entry, effects=effects)
    grant(database, clock, evidence={"decision_id": approved.id})
    change(database, update(tasks).where(tasks.c.owner == done.id).values(state=TaskState.DONE))
    await ledger.record(held)
    parked = HeldChange("mailbox", "m7", "update", {}, {"statecode": 0}, "u7")
    new = NewHold("h1", parked, ("p/r",), {}, clock.now() + YEAR)
    database.write_now(lambda c: holds.park(c, new, held.id, now=clock.now()), failpoint=DECISION)
    clock.advance((OLD + timedelta(days=1)).total_seconds())
    planned = database.read_now(
        lambda c: plan(c, order(RetentionKind.MASK, clock), now=clock.now())
    )
    assert planned.kept == {
        Needed.OBLIGATION: 1, Needed.KNOWN_GOOD: 1, Needed.APPROVAL: 1, Needed.HOLD: 1,
    }  # fmt: skip
    assert await masked(database, clock) == planned.concerned == 2
    gone = database.read_now(
        lambda c: c.execute(text("SELECT id FROM guard_decisions WHERE private IS NULL")).scalars()
        .all()
    )  # fmt: skip
    assert sorted(gone) == [done.id, free.id]
    # What the obligation that is done had to remember is gone as well.
    payloads = database.read_now(
        lambda c: dict(c.execute(text("SELECT owner, payload FROM kernel_tasks")).all())  # type: ignore[arg-type]
    )
    assert "contoso" in payloads[owing.id]
    assert payloads[done.id] == "{}"
    assert database.read_now(verify).is_whole
    assert database.read_now(lambda c: mirror.find(c, "mailbox", "m9")) is not None


@pytest.mark.parametrize("kind", RetentionKind)
def test_what_is_young_cannot_be_ordered_away(clock: FrozenClock, kind: RetentionKind) -> None:
    now, days = clock.now(), 366
    order_of(ROBIN, kind, now - timedelta(days=days), reason="x", now=now)
    with pytest.raises(InputRefused, match=f"the last {days} days"):
        order_of(ROBIN, kind, now - timedelta(days=days, seconds=-1), reason="x", now=now)


async def test_old_records_go_and_what_follows_still_proves_itself(
    database: Database, clock: FrozenClock
) -> None:
    await filled(database, clock)
    before = anchored(database, clock)
    assert await masked(database, clock) == 10
    planned = database.read_now(
        lambda c: plan(c, order(RetentionKind.PRUNE, clock), now=clock.now())
    )
    assert planned.concerned == 10
    assert await pruned(database, clock) == 10
    assert count(database, "guard_decisions") == 1
    after = anchored(database, clock)
    for anchors in ((), (before,), (after,), (before, after)):
        verdict = database.read_now(lambda c, anchors=anchors: verify(c, anchors))  # type: ignore[misc]
        assert verdict.is_whole, verdict
        assert (verdict.checked, verdict.pruned) == (1, 10)
    assert database.read_now(lambda c: difference(c, before)) is None
    assert database.read_now(lambda c: difference(c, after)) is None
    # It goes on: more decisions, and later another cut behind the first.
    ledger = StoredLedger(database, clock)
    await ledger.record(an_entry(clock))
    await ledger.make_checkpoint()
    clock.advance(YEAR.total_seconds())
    assert await pruned(database, clock) == 2
    assert database.read_now(lambda c: verify(c, (before, after))).is_whole
    assert await pruned(database, clock) == 0


async def test_a_chain_is_not_cut_past_what_owes_something(
    database: Database, clock: FrozenClock
) -> None:
    ledger = StoredLedger(database, clock)
    for number in range(4):
        entry = an_entry(clock)
        owed = Effects(tasks=(NewTask("revert", entry.id, {}),)) if number == 2 else Effects()
        await ledger.record(entry, effects=owed)
        await ledger.make_checkpoint()
    clock.advance(YEAR.total_seconds())
    assert await pruned(database, clock) == 2
    change(database, update(tasks).values(state=TaskState.DONE))
    assert await pruned(database, clock) == 2
    assert count(database, "kernel_tasks") == 0
    assert database.read_now(verify).is_whole


async def test_rows_go_in_small_steps_and_each_step_is_whole(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETED_AT_ONCE", 2)
    await filled(database, clock)
    now = clock.now()
    for cut in database.read_now(lambda c: find_cuts(c, now - OLD, now=now)):
        database.write_now(lambda c, cut=cut: retention.give_up(c, cut, now=now), failpoint=CUT)  # type: ignore[misc]
        assert database.read_now(verify).is_whole
    steps = 0
    while database.write_now(retention.delete_some, failpoint=DELETED):
        steps += 1
        verdict = database.read_now(verify)
        assert verdict.is_whole, verdict
        assert verdict.checked + verdict.pruned == 11
    assert steps == 6
    assert DELETED_AT_ONCE == 100


# Each is done to a ledger that was pruned, with everything else left as it is.
THEFTS = {
    "a row after the cut": "UPDATE guard_decisions SET decision = 'reject'",
    "the row after the cut is gone": "DELETE FROM guard_decisions",
    "further than was pruned": "UPDATE guard_cuts SET count = count + 1, gone = gone + 1",
    "another digest": "UPDATE guard_cuts SET gone_head = 'x'",
    "more gone than given up": "UPDATE guard_cuts SET gone = gone + 1",
    "no word of the cut": "DELETE FROM guard_cuts",
    "the act is taken back": "DELETE FROM kernel_acts WHERE kind = 'pruning'",
    "a decision put before the cut": (
        "UPDATE guard_decisions SET seq = 0, chain = (SELECT min(chain) FROM guard_cuts)"
    ),
}


@pytest.mark.parametrize("theft", THEFTS)
async def test_a_pruned_ledger_still_shows_what_was_done_to_it(
    database: Database, clock: FrozenClock, theft: str
) -> None:
    await filled(database, clock)
    await pruned(database, clock)
    assert database.read_now(verify).is_whole
    change(database, THEFTS[theft])
    assert not database.read_now(verify).is_whole


async def test_who_cuts_a_chain_without_an_act_is_found(
    database: Database, clock: FrozenClock
) -> None:
    await filled(database, clock)
    change(database, "DELETE FROM guard_decisions WHERE seq < 3")
    assert not database.read_now(verify).is_whole
    now = clock.now()
    cut = database.read_now(lambda c: find_cuts(c, now - OLD, now=now))[0]
    row = {**cut.__class__.__annotations__}
    values = {name: getattr(cut, name) for name in row} | {"gone": cut.count, "gone_head": cut.head}
    change(database, cuts.insert().values(**values))
    verdict = database.read_now(verify)
    assert verdict.reason == "it was cut, and no act of pruning states that"


def forge(database: Database, clock: FrozenClock, cut: Cut) -> None:
    """Cut a chain with an act that fits, as whoever owns the database can."""
    now = clock.now()
    database.write_now(
        lambda c: acts.append(c, ActKind.PRUNING, cut.chain, now=now, contents=cut.contents),
        failpoint=DECISION,
    )
    values = {name: getattr(cut, name) for name in Cut.__annotations__}
    change(database, cuts.insert().values(**values))
    change(
        database, f"DELETE FROM guard_decisions WHERE chain = '{cut.chain}' AND seq < {cut.count}"
    )


async def test_a_forged_act_over_young_decisions_is_found(
    database: Database, clock: FrozenClock
) -> None:
    ledger = StoredLedger(database, clock)
    await ledger.record(an_entry(clock))
    await ledger.make_checkpoint()
    clock.advance(LEAST_AGE.total_seconds() + 60)
    (cut,) = database.read_now(lambda c: find_cuts(c, clock.now(), now=clock.now()))
    clock.advance(-LEAST_AGE.total_seconds() / 2)
    forge(database, clock, Cut(cut.chain, cut.count, cut.head, cut.last_id, 1, 1, cut.head))
    verdict = database.read_now(verify)
    assert verdict.reason == "it was cut where it was too young to be pruned"


async def test_a_forged_act_where_no_checkpoint_is_is_found(
    database: Database, clock: FrozenClock
) -> None:
    made = await filled(database, clock)
    digest = database.read_now(
        lambda c: c.execute(
            text("SELECT chain, digest FROM guard_decisions WHERE id = :id"), {"id": made[1]}
        ).one()
    )
    forge(database, clock, Cut(digest.chain, 2, digest.digest, made[1], 1, 2, digest.digest))
    verdict = database.read_now(verify)
    assert verdict.reason == "it was cut where no checkpoint states it"


async def test_a_forged_act_is_found_by_an_anchor_that_counts_what_came_after(
    database: Database, clock: FrozenClock
) -> None:
    """The forger can only append: an act that claims to be older than an anchor is no such act."""
    await filled(database, clock)
    anchor = anchored(database, clock)
    clock.advance(-7200)
    (cut, *_) = database.read_now(lambda c: find_cuts(c, clock.now() - OLD, now=clock.now()))
    forge(
        database, clock, Cut(cut.chain, cut.count, cut.head, cut.last_id, cut.checkpoint, cut.count,
                             cut.head),
    )  # fmt: skip
    assert database.read_now(verify).is_whole
    verdict = database.read_now(lambda c: verify(c, (anchor,)))
    assert verdict.reason == "it claims to be older than the anchor that does not count it"


@pytest.mark.parametrize("kind", RetentionKind)
async def test_a_crash_at_any_step_is_made_good_by_the_next_run(
    open_database: Open, clock: FrozenClock, kind: RetentionKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETED_AT_ONCE", 3)
    monkeypatch.setattr(retention, "MASKED_AT_ONCE", 4)
    points = {RetentionKind.MASK: (ORDERED, MASKED), RetentionKind.PRUNE: (ORDERED, CUT, DELETED)}
    await filled(open_database(), clock)
    for point in points[kind]:
        for moment in ("before-commit", "after-commit"):
            crashing = open_database(CrashAt(f"{point}:{moment}"))
            with pytest.raises(Crash):
                await carry_out(crashing, clock, order(kind, clock))
            verdict = crashing.read_now(verify)
            assert verdict.is_whole, (point, moment, verdict)
    database = open_database()
    await carry_out(database, clock, order(kind, clock))
    verdict = database.read_now(verify)
    assert verdict.is_whole, verdict
    what = verdict.masked if kind is RetentionKind.MASK else verdict.pruned
    assert what == 10
