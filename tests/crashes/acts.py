"""Scenarios: what people and the guard do, act by act, and how each act goes on after a crash.

A person whose edit failed repeats it. Dataverse repeats nothing here: a process that dies breaks
the connection, and only 502, 503 and 504 are tried again. What the guard repeats by itself (its
obligations, the reconciliation, the checkpoint) it repeats after a restart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from console.demo.person import DemoPerson
from guard.holds import approve
from guard.ledger import holds
from guard.ledger.parked import HoldState
from kernel import tasks
from kernel.failpoints import NONE, Crash, CrashAt, Failpoints, Recorder
from kernel.principal import AppRole, Principal, Proof
from kernel.tasks import OPEN_STATES
from sandbox import people
from tests.crashes.guarded_organization import GuardedOrganization

# One act returns whether it is through; otherwise it is done again.
Act = Callable[[GuardedOrganization], Awaitable[bool]]
TRIES = 3
ROUNDS = 30


@dataclass(frozen=True, slots=True)
class Scenario:
    """What leads up to the acts, and the acts.

    `tells_refusals` is off where a crash may keep the guard from ever seeing what it would have
    refused: then there is nothing to refuse, and no reason to show.
    """

    acts: Sequence[Act]
    lead_up: Sequence[Act] = ()
    tells_refusals: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """A point, and how often it was reached when the process died there."""

    point: str
    occurrence: int

    def __str__(self) -> str:
        return f"{self.point}*{self.occurrence}"


def places_of(trace: Recorder) -> list[Place]:
    """Return every place that an undisturbed run came past, in order."""
    counted: Counter[str] = Counter()
    places = []
    for point in trace.reached:
        counted[point] += 1
        places.append(Place(point, counted[point]))
    return places


def edit(alias: str, entity_set: str, record_id: str, **values: Any) -> Act:
    """Return the act of a person who changes a row, and does so again when it failed."""

    async def change(guarded: GuardedOrganization) -> bool:
        seen = await DemoPerson(guarded.sandbox, alias).update(entity_set, record_id, values)
        await guarded.sandbox.settle()
        guarded.clock.advance(1)
        return seen.is_done

    return change


def asks(alias: str, entity_set: str, record_id: str, **values: Any) -> Act:
    """Return the act of a person whose change is held, and who asks again when nothing says so."""

    async def change(guarded: GuardedOrganization) -> bool:
        await DemoPerson(guarded.sandbox, alias).update(entity_set, record_id, values)
        await guarded.sandbox.settle()
        guarded.clock.advance(1)
        return bool(guarded.running.database.read_now(lambda c: holds.list_on(c, [record_id])))

    return change


def releases(approver: people.Sample, record_id: str) -> Act:
    """Return the act of an approver who releases what is held there, unless that was done."""
    principal = Principal(
        approver.address, Proof.ENTRA, frozenset({AppRole.APPROVER}), approver.object_id
    )

    async def release(guarded: GuardedOrganization) -> bool:
        process, now = guarded.running, guarded.clock.now()
        found = process.database.read_now(lambda c: holds.list_on(c, [record_id]))
        for one in found:
            if one.state_at(now) is HoldState.OPEN:
                await approve(process.guard.parts.means, one.id, principal, reason="Agreed.")
        return True

    return release


def past_every_step(table: str, record_id: str, **values: Any) -> Act:
    """Return the act of somebody who changes a row in a way that raises no event at all."""

    async def change(guarded: GuardedOrganization) -> bool:
        row = guarded.sandbox.row(table, record_id)
        assert row is not None
        now = guarded.clock.now().replace(microsecond=0)
        guarded.sandbox.dataverse.insert(table, {**row, **values, "modifiedon": now})
        return True

    return change


def vanish(table: str, record_id: str) -> Act:
    """Return the act of somebody who deletes a row."""

    async def remove(guarded: GuardedOrganization) -> bool:
        transaction = guarded.sandbox.dataverse.store.begin()
        transaction.delete(table, record_id)
        transaction.commit()
        return True

    return remove


async def without_synchronous_steps(guarded: GuardedOrganization) -> bool:
    """Disable the synchronous steps: what they would have refused is committed."""
    for row in guarded.sandbox.rows("sdkmessageprocessingstep"):
        if row["mode"] == 0:
            guarded.sandbox.dataverse.insert(
                "sdkmessageprocessingstep", {**row, "statecode": 1, "statuscode": 2}
            )
    return True


async def obligations(guarded: GuardedOrganization) -> bool:
    """Let the workers carry out what is due until nothing is open."""
    for _ in range(ROUNDS):
        process = guarded.running
        # One at a time, so that every run takes the steps in the same order.
        parts = process.guard.parts
        for workers in (parts.seen_workers, parts.workers, *parts.notice_workers):
            if await workers.run_due(limit=1):
                break
        else:
            workers = None
        if workers is not None:
            await guarded.sandbox.settle()
            continue
        if not process.database.read_now(lambda c: tasks.list_states(c, states=OPEN_STATES)):
            return True
        # A claim of the dead, or a back-off, has to run out first.
        guarded.clock.advance(30)
    return False


async def reconciliation(guarded: GuardedOrganization) -> bool:
    """Compare every row, once what was changed just now has settled."""
    guarded.clock.advance(10)
    found = await guarded.running.guard.parts.reconciler.run()
    return found.waiting == 0 and found.brake is None


async def watch_on_evidence(guarded: GuardedOrganization) -> bool:
    """Look at the evidence of every approval."""
    found = await guarded.running.guard.parts.drift.run()
    return found.unanswered == 0 and found.brake is None


async def half_an_hour(guarded: GuardedOrganization) -> bool:
    """Let so much time pass that evidence is due to be confirmed."""
    guarded.clock.advance(30 * 60)
    return True


async def scan_applied(guarded: GuardedOrganization) -> bool:
    """Do what `scan --apply` does."""
    scanner = guarded.running.guard.parts.scanner
    scanned = await scanner.scan()
    applied = await scanner.apply(scanned)
    return applied.unanswered is None and all(one.reason is None for one in scanned)


async def checkpoint(guarded: GuardedOrganization) -> bool:
    """Write down the heads of all chains."""
    await guarded.running.guard.make_checkpoint()
    return True


async def perform(
    guarded: GuardedOrganization, url: str, scenario: Scenario, points: Failpoints = NONE
) -> bool:
    """Run it from the beginning on an empty database; return whether the process died."""
    guarded.rewind()
    await guarded.start(url)
    for act in scenario.lead_up:
        assert await act(guarded)
    guarded.running.points.armed = points
    died = False
    for act in scenario.acts:
        for _ in range(TRIES):
            try:
                is_through = await act(guarded)
            except Crash:
                is_through = False
            if guarded.has_died:
                died = True
                # What is still on its way finds nobody.
                await guarded.sandbox.settle()
                await guarded.stop()
                await guarded.start(url)
            if is_through:
                break
        else:
            raise AssertionError(f"This act never was through: {act}")
    guarded.running.points.armed = NONE
    return died


def crash_at(place: Place) -> CrashAt:
    """Return the points of a process that dies there."""
    return CrashAt(place.point, occurrence=place.occurrence)
