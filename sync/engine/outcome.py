"""What became of one item's intent, written in one transaction behind the fence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from kernel.shards import Lease, check_fence
from sync.engine.intent import Lack, Target, add_intent
from sync.engine.schedule import retry_at
from sync.model.link import ItemPlace
from sync.model.plan import Intent, IntentKind
from sync.model.read import Read
from sync.model.verdict import Verdict
from sync.store import access, links, payloads, quarantine, verdicts


@dataclass(frozen=True, slots=True)
class IntentOutcome:
    """The link's new values, what was read for it, and why it is set aside, if it is.

    `verdict` is the newest one, where the item was judged again; `lack` what is to be brought
    later.
    """

    values: dict[str, Any] = field(default_factory=dict)
    reads: Sequence[Read] = ()
    set_aside: str | None = None
    verdict: Verdict | None = None
    lack: Lack | None = None


def record(
    connection: Connection, target: Target, outcome: IntentOutcome, *, lease: Lease, now: datetime
) -> None:
    """Write the outcome of an intent and let go of the content that was kept for it.

    Raises FenceLost when the shard has passed to another; then nothing is written.
    """
    check_fence(connection, lease)
    if outcome.values:
        links.set_outcome(connection, target.object_id, target.item_id, now=now, **outcome.values)
    if outcome.verdict is not None:
        verdicts.save(
            connection,
            [(target.item_id, outcome.verdict)],
            object_id=target.object_id,
            workload=target.workload,
            now=now,
        )
    if outcome.set_aside is not None:
        quarantine.put(
            connection,
            record_id=target.record_id,
            object_id=target.object_id,
            workload=target.workload,
            item_id=target.item_id,
            reason=outcome.set_aside,
            now=now,
        )
    else:
        quarantine.let_go(connection, target.object_id, target.item_id)
    if outcome.lack is not None:
        add_intent(
            connection,
            target.stream,
            Intent(IntentKind.SUPPLEMENT, target.item_id),
            epoch=target.epoch,
            now=now,
            not_before=retry_at(1, now=now),
            lack=outcome.lack,
        )
    payloads.forget(connection, target.object_id, target.item_id)
    _record_reads(connection, target, outcome.reads)


def record_place(
    connection: Connection,
    target: Target,
    place: ItemPlace,
    *,
    folder: str | None = None,
    lease: Lease,
    now: datetime,
    reads: Sequence[Read] = (),
) -> None:
    """Write where an item is; what else is known of it stays, the row to be made included.

    `folder` is the stream's folder that it is in now, if it is in one.
    """
    check_fence(connection, lease)
    values: dict[str, Any] = (
        {"place": place}
        if folder is None
        else {
            "place": place,
            "folder": folder,
        }
    )
    links.set_outcome(connection, target.object_id, target.item_id, now=now, **values)
    _record_reads(connection, target, reads)


def record_supplement(
    connection: Connection, target: Target, reads: Sequence[Read], *, lease: Lease
) -> None:
    """Write down what was read to bring what an item lacked."""
    check_fence(connection, lease)
    _record_reads(connection, target, reads)


def _record_reads(connection: Connection, target: Target, reads: Sequence[Read]) -> None:
    """Write down what was read for an intent."""
    access.record(
        connection,
        reads,
        record_id=target.record_id,
        object_id=target.object_id,
        workload=target.workload,
        epoch=target.epoch,
    )
