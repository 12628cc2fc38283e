"""Every commit and every remote write has a failpoint, and the crash tests come past each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.call import Call, CallClass
from console.reference.failpoints import failpoints
from kernel.errors import Bug
from kernel.failpoints import COMMIT_MOMENTS, SEND_MOMENTS, Recorder
from tests.crashes import guard_scenarios, test_pass_crashes
from tests.crashes.acts import perform
from tests.crashes.guarded_organization import GuardedOrganization, database_url
from tests.crashes.synced_organization import LEADING_UP, SyncedOrganization

ROOT = Path(__file__).parents[2]
ROOMS = ("kernel", "rules", "cloud", "guard", "sync", "console")
# Steps that belong to no delivery, task or pass, each with its reason.
APART = {
    "guard.told-read": "One transaction of reading; the next round reads what it missed.",
    "guard.seen-itself": "One transaction of a round; the next one does it if it wasn't done.",
    "guard.registration-intended": "A person's command begins with it, and does so again.",
    "guard.registration-remembered": "A person's command ends with it; given again it ends again.",
    "guard.registration-watched": "One transaction of a round; the next one writes what it missed.",
    "guard.registration-write": "A person's command, with a crash test of its own at each write.",
    "anchor.note": "One note, whose id is made of the anchor; the next one states all that it did.",
    "anchor.second-database": "One insertion a minute; the next one states all that it did.",
    "duties.taken": "One row that others take over once its time is over; no duty hangs on it.",
    "duties.given-back": "A process ends with it; if it dies, the duties come free.",
    "guard.hold-refused": "A person's word in one transaction; what was under way reads it.",
    "guard.hold-superseded": "One transaction; whoever releases the hold again finds it ended.",
    "guard.holds-expired": "One transaction of a round; the next one writes what it missed.",
    "guard.not-applied": "One transaction, and nothing was written; the task finds it again.",
    "guard.mail-send": "Never sent again, whatever is known of it, like a card for the team.",
    "guard.team-send": "Never sent again, whatever is known of it: test_tell_team.py dies there.",
    "guard.mask": "A person's act in one transaction, which nothing follows.",
    "guard.retention.order": "tests/guard/ledger/test_retention.py crashes at it.",
    "guard.retention.mask": "tests/guard/ledger/test_retention.py crashes at it.",
    "guard.retention.cut": "tests/guard/ledger/test_retention.py crashes at it.",
    "guard.retention.delete": "tests/guard/ledger/test_retention.py crashes at it.",
    "kernel.pulse": "A monitor's question; the next one writes it again.",
    "kernel.recalled": "One transaction at the start or of a round; the next look does it again.",
    "kernel.stopped": "One transaction of a round, and the next round writes what it missed.",
    "kernel.released": "A person's act in one transaction; the next round reads what it wrote.",
    "tasks.release": "A process begins with it; if it dies, the next one begins with it again.",
    "tasks.released": "A person's act in one transaction; workers read what it wrote.",
    "organization.remembered": "A process begins with it; the next one begins with it again.",
    "console.session": "A person signs in or out in one transaction; else they try again.",
    "sync.command": "A person's act in one transaction; the next pass reads what it wrote.",
}
# The only places that commit: the writer, a new connection's settings, and the migrations, which
# run before anything else does.
COMMITTING = {"kernel/writer.py", "kernel/database.py", "console/schema.py"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "migrations" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call):
                    yield path.relative_to(ROOT).as_posix(), node


def test_nobody_commits_past_the_writer() -> None:
    committing = {
        path
        for path, call in calls()
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("commit", "autocommit")
    }
    assert committing == COMMITTING


def test_a_failpoint_is_given_by_its_constant() -> None:
    """A constant comes from `failpoint(…)`, so that the failpoint is registered and documented."""
    given = [
        (path, keyword.value)
        for path, call in calls()
        for keyword in call.keywords
        if keyword.arg == "failpoint"
    ]
    assert len(given) > 20
    unnamed = [
        f"{path}:{value.lineno}"
        for path, value in given
        if not isinstance(value, ast.Name | ast.Attribute)
    ]
    assert unnamed == []


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize("call_class", [CallClass.KEYED_WRITE, CallClass.SEND])
def test_a_remote_write_without_a_failpoint_cannot_be_made(
    method: str, call_class: CallClass
) -> None:
    with pytest.raises(Bug, match="failpoint"):
        Call(method, "https://contoso.crm.dynamics.com/", call_class=call_class)


@pytest.mark.slow
async def test_the_crash_tests_come_past_every_failpoint(
    guarded: GuardedOrganization, synced: SyncedOrganization, tmp_path: Path
) -> None:
    trace = Recorder()
    for number, promised in enumerate(guard_scenarios.SCENARIOS.values()):
        url = database_url(tmp_path / f"guard-{number}.db")
        await perform(guarded, url, promised.scenario, trace)
        await guarded.stop()
    for number, play in enumerate(test_pass_crashes.PLAYS.values()):
        url = database_url(tmp_path / f"sync-{number}.db")
        await test_pass_crashes.perform(synced, url, play, trace)
        await synced.stop()

    reached: dict[str, set[str]] = {}
    for name in trace.reached:
        failpoint, _, point = name.rpartition(":")
        reached.setdefault(failpoint, set()).add(point)
    registered = {name for name in failpoints() if not name.startswith("tests.")}
    reached.pop(LEADING_UP)
    assert set(reached) == registered - set(APART)
    assert registered >= set(APART)
    for failpoint, points in reached.items():
        assert points in (set(COMMIT_MOMENTS), set(SEND_MOMENTS)), failpoint
