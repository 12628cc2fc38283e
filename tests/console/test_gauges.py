"""What a monitor is told of the database: mailboxes by state, brakes, what is set aside."""

from __future__ import annotations

from datetime import UTC, datetime

from console.gauges import MAILBOXES_FOR, GaugeReader
from console.metrics import PrometheusMetrics
from kernel import approvals, stops
from kernel.brake import BRAKES
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.stops import Stopped
from sync.store import quarantine
from sync.store.tables import SyncState
from tests.console.conftest import TEST

ANNAS = "11111111-1111-4111-8111-111111111111"


def approve(database: Database, now: datetime) -> None:
    database.write_now(
        lambda c: approvals.grant(
            c, record_id=ANNAS, address="anna@contoso.com", object_id="o", owner_id="u",
            owner_type="user", evidence={}, now=now,
        ),
        failpoint=TEST,
    )  # fmt: skip


async def test_mailboxes_brakes_and_the_quarantine_are_counted(
    guard_database: Database, clock: FrozenClock
) -> None:
    approve(guard_database, clock.now())
    name = sorted(BRAKES)[0]

    def trouble(connection) -> None:
        stops.add(connection, name, "mailbox", [Stopped("s", "", "why")], now=clock.now())
        quarantine.put(
            connection, record_id=ANNAS, object_id="o", workload="mail", item_id="i",
            reason="why", now=clock.now(),
        )  # fmt: skip

    guard_database.write_now(trouble, failpoint=TEST)
    gauges = await GaugeReader(guard_database, clock, count_refused=lambda: 2).read()
    assert gauges.refused == 2
    assert sum(gauges.mailboxes.by_state.values()) == 1
    assert set(gauges.mailboxes.by_state) == set(SyncState)
    assert gauges.mailboxes.quarantined == 1
    assert gauges.stopped == dict.fromkeys(BRAKES, 0) | {name: 1}
    metrics = PrometheusMetrics()
    metrics.show(gauges)
    told = metrics.render().decode()
    assert f'mailbox_guard_brake_stopped{{brake="{name}"}} 1.0' in told
    assert "mailbox_guard_quarantined 1.0" in told
    assert "mailbox_guard_credentials_refused 2.0" in told
    assert "mailbox_guard_mailbox_stalest_timestamp_seconds 0.0" in told


async def test_mailboxes_are_counted_once_a_minute_however_often_somebody_asks(
    guard_database: Database, clock: FrozenClock
) -> None:
    reader = GaugeReader(guard_database, clock)
    before = await reader.read()
    approve(guard_database, datetime(2026, 11, 23, tzinfo=UTC))
    assert (await reader.read()).mailboxes is before.mailboxes
    clock.advance(MAILBOXES_FOR.total_seconds())
    assert sum((await reader.read()).mailboxes.by_state.values()) == 1
