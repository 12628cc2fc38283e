"""Shards have one holder at a time, and a fence that makes a late one fail."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from kernel import shards
from kernel.database import Database
from kernel.errors import FenceLost
from kernel.failpoints import failpoint
from kernel.shards import SHARDS, Lease, shard_of
from tests.conftest import NOON

STEP = failpoint("tests.shard", "A shard of the storage tests.")
EXPIRED = NOON + timedelta(seconds=shards.LEASE_SECONDS)
BEFORE = EXPIRED - timedelta(seconds=1)


def claim(database: Database, holder: str, **changes: Any) -> list[Lease]:
    given = {"now": NOON, **changes}
    return database.write_now(
        lambda c: shards.claim_shards(c, holder=holder, **given), failpoint=STEP
    )


def heartbeat(database: Database, holder: str, now: Any) -> list[Lease]:
    return database.write_now(lambda c: shards.heartbeat(c, holder=holder, now=now), failpoint=STEP)


def check(database: Database, lease: Lease) -> None:
    database.write_now(lambda c: shards.check_fence(c, lease), failpoint=STEP)


ALL = [Lease(number, 1) for number in range(SHARDS)]


def test_a_record_has_one_shard_for_ever_whatever_its_case() -> None:
    assert shard_of("6F9619FF-8B86-D011-B42D-00C04FC964FF") == 6
    assert shard_of("6f9619ff-8b86-d011-b42d-00c04fc964ff") == 6
    assert {shard_of(f"record-{n}") for n in range(1000)} == set(range(SHARDS))


def test_the_first_holder_gets_every_shard(database: Database) -> None:
    assert claim(database, "a") == ALL
    assert claim(database, "b") == []
    assert database.read_now(lambda c: shards.holders(c, now=NOON)) == ["a"]


def test_wanted_shards_alone_are_claimed(database: Database) -> None:
    assert claim(database, "a", wanted=[3, 5]) == [Lease(3, 1), Lease(5, 1)]
    assert claim(database, "b", wanted=[5, 6]) == [Lease(6, 1)]


def test_the_fence_stays_while_the_holder_stays(database: Database) -> None:
    claim(database, "a")
    assert claim(database, "a", now=BEFORE) == ALL
    assert heartbeat(database, "a", BEFORE) == ALL
    # Its lease ran out, but nobody came: it goes on under the same fence.
    assert claim(database, "a", now=EXPIRED + timedelta(hours=1)) == ALL


def test_a_heartbeat_lengthens_the_lease(database: Database) -> None:
    claim(database, "a")
    heartbeat(database, "a", BEFORE)
    assert claim(database, "b", now=EXPIRED) == []


def test_a_lease_that_ran_out_passes_on_with_a_higher_fence(database: Database) -> None:
    (late,) = claim(database, "a", wanted=[3])
    check(database, late)
    (taken,) = claim(database, "b", wanted=[3], now=EXPIRED)
    assert taken == Lease(3, 2)
    check(database, taken)
    with pytest.raises(FenceLost):
        check(database, late)
    assert heartbeat(database, "a", EXPIRED) == []
    assert database.read_now(lambda c: shards.holders(c, now=EXPIRED)) == ["b"]


def test_a_heartbeat_does_not_revive_a_lease_that_ran_out(database: Database) -> None:
    claim(database, "a")
    assert heartbeat(database, "a", EXPIRED) == []


def test_released_shards_are_free_at_once(database: Database) -> None:
    claim(database, "a")
    database.write_now(lambda c: shards.release(c, holder="a", now=NOON), failpoint=STEP)
    assert database.read_now(lambda c: shards.holders(c, now=NOON)) == []
    assert claim(database, "b") == [Lease(number, 2) for number in range(SHARDS)]


def test_a_shard_that_nobody_ever_held_has_no_valid_fence(database: Database) -> None:
    with pytest.raises(FenceLost):
        check(database, Lease(3, 0))


def test_two_processes_that_claim_at_once_share_no_shard(open_database: Any) -> None:
    databases = {"a": open_database(), "b": open_database()}
    together = threading.Barrier(2)
    claimed: dict[str, list[Lease]] = {}

    def fn(holder: str) -> None:
        together.wait()
        claimed[holder] = claim(databases[holder], holder)

    threads = [threading.Thread(target=fn, args=(holder,)) for holder in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted([len(claimed["a"]), len(claimed["b"])]) == [0, SHARDS]
