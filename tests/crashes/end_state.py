"""What a run ended in, without times and without ids that every run draws anew."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from guard.columns.table import TABLES
from guard.ledger.tables import decisions, mirror
from guard.ledger.verify import verify
from kernel import approvals, tasks
from kernel.tasks import OPEN_STATES, TaskState
from sandbox import people
from sandbox.dataverse.rows import Ref
from tests.crashes.guarded_organization import GuardedOrganization

# Answers that carry a decision.
DECIDED = (200, 403)
_DECISION_ID = re.compile(r"\(decision [0-9a-f-]+\)")


@dataclass(frozen=True, slots=True)
class EndState:
    """What has to be the same, wherever the process died on the way."""

    approvals: dict[str, tuple[Any, ...]]
    # Rows that never were approved here and only show why.
    refusals: dict[str, str]
    mirror: dict[tuple[str, str], dict[str, Any]]
    rows: dict[tuple[str, str], dict[str, Any]]
    # Address and approval are kept alike on a mailbox and its owner by the platform: either may be
    # restored first, so only their number tells.
    own_writes: int
    # Told once, wherever the process died; one that was being told when it did may be left out.
    notices: int
    ended_badly: list[tuple[str, str, str | None]]


def end_state(guarded: GuardedOrganization) -> EndState:
    """Return what the run ended in."""
    database = guarded.running.database
    held = database.read_now(approvals.list_all)
    bad = (TaskState.FAILED, TaskState.NEEDS_PERSON)
    return EndState(
        approvals={
            one.record_id: (
                one.state,
                one.epoch,
                one.address,
                one.object_id,
                one.owner_id,
                one.owner_type,
                _DECISION_ID.sub("(decision …)", one.reason),
            )
            for one in held
            if one.object_id
        },
        refusals={one.record_id: one.reason for one in held if not one.object_id},
        mirror={
            (row.table_name, row.record_id): json.loads(row.columns)
            for row in database.read_now(lambda c: c.execute(select(mirror)).all())
        },
        rows={
            (name, record_id): _guarded(name, row)
            for name in TABLES
            for record_id, row in _rows(guarded, name).items()
        },
        own_writes=sum(
            entry.origin == "dataverse"
            and entry.caller == people.GUARD_CLIENT_ID
            and entry.method not in ("GET", "HEAD")
            # What tells somebody is counted apart: it may be left out.
            and not entry.path.endswith("/SendAppNotification")
            and entry.status < 300
            for entry in guarded.sandbox.access_log()
        ),
        notices=len(guarded.sandbox.rows("appnotification")),
        ended_badly=[
            (task.kind, task.state, task.result)
            for task in database.read_now(lambda c: tasks.list_states(c, states=bad))
        ],
    )


def check_promises(guarded: GuardedOrganization) -> None:
    """Fail unless the ledger is whole, holds every answered decision, and nothing is open."""
    database = guarded.running.database
    verdict = database.read_now(verify)
    assert verdict.is_whole, verdict
    recorded = {
        row.id: row.decision
        for row in database.read_now(lambda c: c.execute(select(decisions)).all())
    }
    for delivery in guarded.sandbox.webhook_log():
        if delivery.status in DECIDED:
            answer = json.loads(delivery.answer)
            assert recorded.get(answer["decision_id"]) == answer["decision"], delivery
    assert database.read_now(lambda c: tasks.list_states(c, states=OPEN_STATES)) == []


def _rows(guarded: GuardedOrganization, table: str) -> dict[str, dict[str, Any]]:
    key = TABLES[table].key
    return {row[key]: row for row in guarded.sandbox.rows(table)}


def _guarded(table: str, row: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(row.get(name)) for name in TABLES[table].columns}


def _plain(value: Any) -> Any:
    return (value.table, value.id) if isinstance(value, Ref) else value
