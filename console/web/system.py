"""*System*: how the process stands, what waits for a person, what is set, and who you are."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any, Final

from sqlalchemy import Connection

from console import schema
from console.readings.registration import told_of
from console.readings.settings import list_settings
from console.sign_in.sessions import IDLE, LONGEST, ROLES_COUNT_FOR
from console.web.page import ConsolePage, PageVisit, Shown, View
from guard.registration import stored
from kernel import tasks
from kernel.principal import AppRole
from kernel.tasks import Task, TaskState

MOST_TASKS: Final = 100


async def show(visit: PageVisit) -> Shown:
    """Show readiness, tasks, figures, versions, settings and the session."""
    parts, who = visit.parts, visit.who
    gauges, told = await parts.gauges(), list_settings(parts.settings)
    waiting, number = await visit.read(_waiting)
    registered = await visit.read(stored.find)
    by_state = {state: 0 for state in TaskState}
    for (_, state), count in gauges.tasks.by_state.items():
        by_state[state] += count
    return Shown(
        "system.html",
        {
            "state": await parts.state(),
            "by_state": by_state,
            "overdue": sum(gauges.tasks.overdue.values()),
            "waiting": [_told(one) for one in waiting[:MOST_TASKS]],
            "more": max(0, len(waiting) - MOST_TASKS),
            "registered": registered,
            "told": told_of(registered),
            "figures": parts.figures(),
            "versions": [
                ("Mailbox Guard", metadata.version("mailbox-guard")),
                ("Schema of the database", str(number)),
                ("Database", parts.database.dialect),
                ("Python", platform.python_version()),
            ],
            "set": [one for one in told if not one["is_default"]],
            "unset": [one for one in told if one["is_default"]],
            "roles": [(role.value, role.doc) for role in AppRole if visit.may(role)],
            "began_at": who.session.began_at,
            "ends_at": who.session.began_at + LONGEST,
            "idle_minutes": int(IDLE.total_seconds() // 60),
            "roles_minutes": int(ROLES_COUNT_FOR.total_seconds() // 60),
            "proof": who.principal.proof,
        },
    )


def _waiting(connection: Connection) -> tuple[list[Task], int]:
    stopped = tasks.list_states(connection, states=[TaskState.NEEDS_PERSON])
    return stopped, schema.read_number(connection)


def _told(task: Task) -> Mapping[str, Any]:
    return {
        "kind": task.kind,
        "owner": task.owner,
        "reason": task.result,
        "hint": task.hint,
        "since": task.trying_since,
    }


PAGE = ConsolePage("System", "/system", views=(View("/system", show),))
