"""Tasks are added once, claimed by one worker at a time, and ended by the holder of the claim."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from kernel import work
from kernel.database import Database
from kernel.errors import FenceLost
from kernel.failpoints import step
from kernel.work import Task
from tests.conftest import NOON

STEP = step("tests.task", "A task of the storage tests.")
LATER = NOON + timedelta(seconds=work.CLAIM_SECONDS)


def add(database: Database, key: str = "k1", **changes: Any) -> bool:
    given = {"kind": "revert", "payload": {"n": 1}, "owner": "d1", "now": NOON, **changes}
    return database.write_now(lambda c: work.add(c, key=key, **given), step=STEP)


def claim(database: Database, **changes: Any) -> list[Task]:
    given = {"now": NOON, "limit": 100, **changes}
    return database.write_now(lambda c: work.claim(c, **given), step=STEP)


def finish(database: Database, task: Task, state: str = work.DONE) -> None:
    database.write_now(lambda c: work.finish(c, task, state=state, result="made"), step=STEP)


def held(database: Database, key: str = "k1") -> Task:
    task = database.read_now(lambda c: work.find(c, kind="revert", key=key))
    assert task is not None
    return task


def test_a_task_is_added_once_for_its_kind_and_key(database: Database) -> None:
    assert add(database)
    assert not add(database, payload={"n": 2})
    assert add(database, kind="notify")
    assert held(database).payload == {"n": 1}
    assert len(held(database).token) == 32


def test_a_given_token_is_kept(database: Database) -> None:
    add(database, token="abc")
    assert held(database).token == "abc"


def test_a_claimed_task_is_running_with_one_attempt_and_a_fence(database: Database) -> None:
    add(database)
    (task,) = claim(database)
    assert (task.state, task.attempts, task.fence) == (work.RUNNING, 1, 1)
    assert task.claimed_until == LATER
    assert claim(database) == []


def test_tasks_are_claimed_oldest_first_up_to_the_limit(database: Database) -> None:
    for number, key in enumerate(["c", "a", "b"]):
        add(database, key, not_before=NOON - timedelta(seconds=number))
    assert [task.key for task in claim(database, limit=2)] == ["b", "a"]


def test_a_task_is_not_due_before_its_time(database: Database) -> None:
    add(database, not_before=LATER)
    assert claim(database) == []
    assert claim(database, now=LATER)


@pytest.mark.parametrize(
    "other", [{"kinds": ["notify"]}, {"kinds": []}, {"shards": [1]}, {"owner": "d2"}]
)
def test_a_claim_takes_only_what_it_names(database: Database, other: dict[str, Any]) -> None:
    add(database, shard=3)
    assert claim(database, **other) == []
    assert not database.read_now(lambda c: work.any_due(c, now=NOON, **other))
    wanted = {"kinds": ["revert"], "shards": [3], "owner": "d1"}
    assert database.read_now(lambda c: work.any_due(c, now=NOON, **wanted))
    assert claim(database, **wanted)


@pytest.mark.parametrize("state", [work.DONE, work.FAILED, work.NEEDS_PERSON])
def test_an_ended_task_keeps_its_result_and_is_never_claimed(
    database: Database, state: str
) -> None:
    add(database)
    finish(database, claim(database)[0], state)
    assert (held(database).state, held(database).result) == (state, "made")
    assert held(database).claimed_until is None
    assert claim(database, now=LATER) == []


def test_a_task_put_back_waits_for_its_time(database: Database) -> None:
    add(database)
    (task,) = claim(database)
    database.write_now(lambda c: work.put_back(c, task, not_before=LATER, reason="busy"), step=STEP)
    assert (held(database).state, held(database).result) == (work.QUEUED, "busy")
    assert claim(database) == []
    (again,) = claim(database, now=LATER)
    assert (again.attempts, again.fence) == (2, 2)


def test_a_claim_that_ran_out_passes_on_and_the_late_worker_fails(database: Database) -> None:
    add(database)
    (late,) = claim(database)
    (taken,) = claim(database, now=LATER)
    assert taken.attempts == 2
    with pytest.raises(FenceLost):
        finish(database, late)
    with pytest.raises(FenceLost):
        database.write_now(lambda c: work.put_back(c, late, not_before=NOON), step=STEP)
    finish(database, taken)
    assert held(database).state == work.DONE


def test_released_claims_pass_on_at_once_and_the_late_worker_fails(database: Database) -> None:
    for key, kind in (("k1", "revert"), ("k2", "revert"), ("k1", "mail")):
        add(database, key, kind=kind)
    first, second = claim(database, kinds=["revert"])
    finish(database, first)
    claim(database, kinds=["mail"])
    release = partial(work.release_claims, kinds=["revert"], now=NOON)
    assert database.write_now(release, step=STEP) == 1
    with pytest.raises(FenceLost):
        finish(database, second)
    (again,) = claim(database)
    assert (again.key, again.kind, again.attempts) == ("k2", "revert", 2)
    assert database.write_now(release, step=STEP) == 1


def test_a_task_ends_once(database: Database) -> None:
    add(database)
    (task,) = claim(database)
    finish(database, task)
    with pytest.raises(FenceLost):
        finish(database, task)


class TestLatest:
    def test_renews_what_waits(self, database: Database) -> None:
        add(database)
        assert not add(database, payload={"n": 2}, not_before=LATER, latest=True)
        assert (held(database).payload, held(database).not_before) == ({"n": 2}, LATER)

    def test_lets_what_is_being_carried_out_run_once_more(self, database: Database) -> None:
        add(database)
        (task,) = claim(database)
        add(database, payload={"n": 2}, latest=True)
        assert claim(database) == []
        finish(database, task)
        assert held(database).state == work.QUEUED
        (again,) = claim(database)
        assert again.payload == {"n": 2}
        finish(database, again)
        assert held(database).state == work.DONE

    def test_counts_the_same_payload_at_a_later_time_as_new(self, database: Database) -> None:
        add(database)
        (task,) = claim(database)
        add(database, not_before=NOON + timedelta(seconds=1), latest=True)
        finish(database, task)
        assert held(database).state == work.QUEUED

    def test_leaves_what_has_ended(self, database: Database) -> None:
        add(database)
        finish(database, claim(database)[0])
        assert not add(database, payload={"n": 2}, latest=True)
        assert (held(database).state, held(database).payload) == (work.DONE, {"n": 1})


def test_tasks_are_listed_by_owner_and_state_and_counted(database: Database) -> None:
    for key in ("b", "a"):
        add(database, key)
    add(database, "c", owner="d2")
    finish(database, claim(database, limit=1)[0])
    listed = database.read_now(lambda c: work.list_for(c, "d1"))
    assert [task.key for task in listed] == ["b", "a"]
    waiting = database.read_now(lambda c: work.list_states(c, states=[work.QUEUED]))
    assert [task.key for task in waiting] == ["a", "c"]
    counts = database.read_now(work.count_by_state)
    assert counts == {("revert", "done"): 1, ("revert", "queued"): 2}


def test_two_workers_never_claim_the_same_task(open_database: Any) -> None:
    databases = [open_database(), open_database()]

    def fill(connection: Connection) -> None:
        for number in range(60):
            work.add(connection, kind="revert", key=f"k{number}", payload={}, owner="d", now=NOON)

    databases[0].write_now(fill, step=STEP)
    claimed: list[int] = []

    def take(database: Database) -> None:
        while tasks := claim(database, limit=7):
            claimed.extend(task.id for task in tasks)

    threads = [threading.Thread(target=take, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A worker that finds the rest locked by the other stops early; nobody takes one twice.
    claimed.extend(task.id for task in claim(databases[0]))
    assert sorted(claimed) == sorted(set(claimed))
    assert len(claimed) == 60
