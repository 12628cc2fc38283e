"""Tasks are added once, claimed by one worker at a time, and ended by the holder of the claim."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from kernel import claims, tasks
from kernel.database import Database
from kernel.errors import FenceLost
from kernel.failpoints import failpoint
from kernel.tasks import Task, TaskCause, TaskPlace, TaskReason, TaskState, TaskSubject
from tests.conftest import NOON

STEP = failpoint("tests.task", "A task of the storage tests.")
WHY = TaskReason(TaskCause.BRAKE, "made", "access-refused", "Give the right.")
LATER = NOON + timedelta(seconds=claims.CLAIM_SECONDS)


def add(database: Database, key: str = "k1", **changes: Any) -> bool:
    given = {"kind": "revert", "payload": {"n": 1}, "owner": "d1", "now": NOON, **changes}
    return database.write_now(lambda c: tasks.add(c, key=key, **given), failpoint=STEP)


def claim(database: Database, **changes: Any) -> list[Task]:
    given = {"now": NOON, "limit": 100, **changes}
    return database.write_now(lambda c: claims.claim(c, **given), failpoint=STEP)


def finish(
    database: Database,
    task: Task,
    state: TaskState = TaskState.DONE,
) -> None:
    def end(connection: Connection) -> None:
        if state is TaskState.DONE:
            claims.finish(connection, task, result="made")
        else:
            claims.stop(connection, task, state, WHY)

    database.write_now(end, failpoint=STEP)


def put_back(database: Database, task: Task, *, not_before: datetime, **changes: Any) -> None:
    why = TaskReason(changes.pop("cause", TaskCause.UNFINISHED), "busy")
    now = changes.pop("now", NOON)
    database.write_now(
        lambda c: claims.put_back(c, task, why, not_before=not_before, now=now), failpoint=STEP
    )


def renew(database: Database, **changes: Any) -> None:
    given = {"kind": "revert", "key": "k1", "payload": {"n": 1}, "not_before": NOON, **changes}
    database.write_now(lambda c: tasks.renew(c, **given), failpoint=STEP)


def held(database: Database, key: str = "k1") -> Task:
    task = database.read_now(lambda c: tasks.find(c, kind="revert", key=key))
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
    assert (task.state, task.attempts, task.fence) == (TaskState.RUNNING, 1, 1)
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
    add(database, place=TaskPlace(shard=3))
    assert claim(database, **other) == []
    assert not database.read_now(lambda c: claims.any_due(c, now=NOON, **other))
    wanted = {"kinds": ["revert"], "shards": [3], "owner": "d1"}
    assert database.read_now(lambda c: claims.any_due(c, now=NOON, **wanted))
    assert claim(database, **wanted)


def test_a_long_lane_keeps_nothing_of_another_waiting(database: Database) -> None:
    for number in range(5):
        add(database, f"k{number}")
    add(database, "apart", place=TaskPlace(lane="apart"))
    assert [task.key for task in claim(database, lane="apart", limit=2)] == ["apart"]
    assert not database.read_now(lambda c: claims.any_due(c, now=NOON, lane="apart"))
    assert len(claim(database, limit=10)) == 5


def test_what_is_open_goes_on_in_another_lane_at_once_and_whoever_had_it_loses_it(
    database: Database,
) -> None:
    for key in ("k1", "k2", "k3"):
        add(database, key)
    add(database, "k4", owner="d2")
    first, second = claim(database, limit=2)
    finish(database, first)
    move = partial(claims.change_lane, owners=["d1"], lane="apart", kinds=["revert"], now=NOON)
    seek = partial(claims.any_elsewhere, owners=["d1"], lane="apart", kinds=["revert"])
    assert database.read_now(seek)
    assert database.write_now(move, failpoint=STEP) == 2
    assert not database.read_now(seek)
    with pytest.raises(FenceLost):
        finish(database, second)
    assert [task.key for task in claim(database, lane="apart")] == ["k2", "k3"]
    assert [task.key for task in claim(database)] == ["k4"]


def test_what_waits_by_the_wish_of_one_lane_does_not_wait_in_another(database: Database) -> None:
    add(database)
    put_back(database, claim(database)[0], not_before=LATER)
    move = partial(claims.change_lane, owners=["d1"], lane="apart", kinds=["revert"], now=NOON)
    database.write_now(move, failpoint=STEP)
    assert claim(database, lane="apart")


@pytest.mark.parametrize("state", [TaskState.DONE, TaskState.FAILED, TaskState.NEEDS_PERSON])
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
    put_back(database, task, not_before=LATER)
    assert (held(database).state, held(database).result) == (TaskState.QUEUED, "busy")
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
        put_back(database, late, not_before=NOON)
    finish(database, taken)
    assert held(database).state == TaskState.DONE


def test_released_claims_pass_on_at_once_and_the_late_worker_fails(database: Database) -> None:
    for key, kind in (("k1", "revert"), ("k2", "revert"), ("k1", "mail")):
        add(database, key, kind=kind)
    first, second = claim(database, kinds=["revert"])
    finish(database, first)
    claim(database, kinds=["mail"])
    release = partial(claims.release_claims, kinds=["revert"], now=NOON)
    assert database.write_now(release, failpoint=STEP) == 1
    with pytest.raises(FenceLost):
        finish(database, second)
    (again,) = claim(database)
    assert (again.key, again.kind, again.attempts) == ("k2", "revert", 2)
    assert database.write_now(release, failpoint=STEP) == 1


def test_a_task_ends_once(database: Database) -> None:
    add(database)
    (task,) = claim(database)
    finish(database, task)
    with pytest.raises(FenceLost):
        finish(database, task)


class TestRenewing:
    def test_renews_what_waits(self, database: Database) -> None:
        add(database)
        renew(database, payload={"n": 2}, not_before=LATER)
        assert (held(database).payload, held(database).not_before) == ({"n": 2}, LATER)

    def test_lets_what_is_being_carried_out_run_once_more(self, database: Database) -> None:
        add(database)
        (task,) = claim(database)
        renew(database, payload={"n": 2})
        assert claim(database) == []
        finish(database, task)
        assert held(database).state == TaskState.QUEUED
        (again,) = claim(database)
        assert again.payload == {"n": 2}
        finish(database, again)
        assert held(database).state == TaskState.DONE

    def test_counts_the_same_payload_at_a_later_time_as_new(self, database: Database) -> None:
        add(database)
        (task,) = claim(database)
        renew(database, not_before=NOON + timedelta(seconds=1))
        finish(database, task)
        assert held(database).state == TaskState.QUEUED

    def test_leaves_what_has_ended(self, database: Database) -> None:
        add(database)
        finish(database, claim(database)[0])
        renew(database, payload={"n": 2})
        assert (held(database).state, held(database).payload) == (TaskState.DONE, {"n": 1})


def test_tasks_are_listed_by_owner_and_state_and_counted(database: Database) -> None:
    for key in ("b", "a"):
        add(database, key)
    add(database, "c", owner="d2")
    finish(database, claim(database, limit=1)[0])
    listed = database.read_now(lambda c: tasks.list_for(c, "d1"))
    assert [task.key for task in listed] == ["b", "a"]
    waiting = database.read_now(lambda c: tasks.list_states(c, states=[TaskState.QUEUED]))
    assert [task.key for task in waiting] == ["a", "c"]
    counts = database.read_now(tasks.count_by_state)
    assert counts == {("revert", "done"): 1, ("revert", "queued"): 2}


def test_two_workers_never_claim_the_same_task(open_database: Any) -> None:
    databases = [open_database(), open_database()]

    def fill(connection: Connection) -> None:
        for number in range(60):
            tasks.add(connection, kind="revert", key=f"k{number}", payload={}, owner="d", now=NOON)

    databases[0].write_now(fill, failpoint=STEP)
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


class TestWhyATaskWaitsOrStopped:
    def test_what_stops_keeps_cause_code_and_mend(self, database: Database) -> None:
        add(database)
        finish(database, claim(database)[0], TaskState.NEEDS_PERSON)
        found = held(database)
        assert TaskReason(found.cause, found.result, found.error_code, found.hint) == WHY

    def test_what_was_refused_is_taken_up_again_at_its_time(self, database: Database) -> None:
        add(database)
        (task,), why = claim(database), TaskReason(TaskCause.REFUSED, "No right.")

        def stop(connection: Connection) -> None:
            claims.stop(connection, task, TaskState.NEEDS_PERSON, why, look_again_at=LATER)

        database.write_now(stop, failpoint=STEP)
        assert claim(database) == []
        assert held(database).state is TaskState.NEEDS_PERSON
        assert len(claim(database, now=LATER)) == 1

    def test_what_is_done_keeps_none_of_it(self, database: Database) -> None:
        add(database)
        put_back(database, claim(database)[0], not_before=NOON)
        finish(database, claim(database)[0])
        found = held(database)
        assert (found.cause, found.error_code, found.hint, found.trying_since) == (None,) * 4

    def test_the_first_of_the_tries_in_vain_is_kept(self, database: Database) -> None:
        add(database)
        put_back(database, claim(database)[0], not_before=NOON, now=NOON)
        put_back(database, claim(database)[0], not_before=NOON, now=LATER)
        assert held(database).trying_since == NOON

    @pytest.mark.parametrize("cause", sorted(set(TaskCause) - set(tasks.TRYING)))
    def test_what_waits_for_something_else_is_not_tried_in_vain(
        self, database: Database, cause: TaskCause
    ) -> None:
        add(database)
        put_back(database, claim(database)[0], not_before=NOON)
        put_back(database, claim(database)[0], not_before=NOON, cause=cause)
        assert held(database).trying_since is None

    def test_a_day_of_it_is_overdue_and_counted(self, database: Database) -> None:
        add(database)
        put_back(database, claim(database)[0], not_before=NOON)
        found = held(database)
        for moment, is_overdue in ((NOON + tasks.OVERDUE, True), (NOON, False)):
            counted = database.read_now(lambda c, now=moment: tasks.count_all(c, now=now))
            assert found.is_overdue(moment) == is_overdue
            assert counted.overdue == ({"revert": 1} if is_overdue else {})


class TestRelease:
    """A person's word lets go on what needs a person, and nothing else."""

    def stopped(self, database: Database, key: str, cause: TaskCause, **given: Any) -> None:
        add(database, key, **given)
        [task] = claim(database)
        why = TaskReason(cause, "stopped")
        database.write_now(
            lambda c: claims.stop(c, task, TaskState.NEEDS_PERSON, why), failpoint=STEP
        )

    def release(self, database: Database, **given: Any) -> int:
        given = {"kinds": ["revert"], "now": LATER, **given}
        asked = {name: value for name, value in given.items() if name != "now"}
        any_stopped = database.read_now(lambda c: tasks.any_stopped(c, **asked))
        count = database.write_now(lambda c: tasks.release(c, **given), failpoint=STEP)
        assert any_stopped == bool(count)
        return count

    def test_it_is_due_at_once_as_a_further_attempt(self, database: Database) -> None:
        self.stopped(database, "k1", TaskCause.REFUSED)
        assert self.release(database) == 1
        [again] = claim(database, now=LATER)
        assert (again.attempts, again.cause, again.result, again.released_at) == (
            2,
            None,
            None,
            None,
        )

    def test_what_a_brake_stopped_knows_when_it_was_let_go_on(self, database: Database) -> None:
        self.stopped(database, "k1", TaskCause.BRAKE)
        self.release(database)
        assert held(database).released_at == LATER

    def test_only_what_is_named_is_let_go_on(self, database: Database) -> None:
        subject = TaskSubject("o1/a", 3)
        self.stopped(database, "k1", TaskCause.REFUSED, subject=subject)
        for other in (
            {"kinds": ["notify"]},
            {"owners": ["d2"]},
            {"epoch": 4},
            {"causes": [TaskCause.BRAKE]},
        ):
            assert self.release(database, **other) == 0
        named = {"owners": ["d1"], "epoch": 3, "causes": [TaskCause.REFUSED]}
        assert self.release(database, **named) == 1

    def test_what_waits_or_has_ended_stays(self, database: Database) -> None:
        for key in ("k1", "k2"):
            add(database, key)
        finish(database, claim(database, limit=1)[0])
        assert self.release(database) == 0
