from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from kernel.clock import FrozenClock
from kernel.database import Database
from sync.store import streams
from tests.sync.builders import TEST, an_inbox


def test_a_stream_comes_back_as_it_was_saved_and_never_gets_older(
    database: Database, clock: FrozenClock
) -> None:
    now = clock.now()
    fresh = an_inbox()
    older = replace(fresh, cursor="one", fresh_as_of=now)
    database.write_now(lambda c: streams.save(c, older), failpoint=TEST)
    later = {fresh.stream_id: now + timedelta(minutes=1)}
    database.write_now(lambda c: streams.save_freshness(c, later), failpoint=TEST)
    database.write_now(lambda c: streams.save(c, replace(older, cursor="two")), failpoint=TEST)
    database.write_now(
        lambda c: streams.save(c, replace(older, cursor="two", fresh_as_of=None)), failpoint=TEST
    )

    stored = database.read_now(lambda c: streams.find(c, fresh.stream_id))

    assert stored == replace(older, cursor="two", fresh_as_of=now + timedelta(minutes=1))
