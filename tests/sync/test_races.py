"""A withdrawal against the commit of a page: never a row of work after the withdrawal."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, func, select

from kernel import approvals, tasks
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import ApprovalWithdrawn, FenceLost
from kernel.shards import Lease, claim_shards, shard_of
from sync.engine.page_commit import PageWork, commit_page
from sync.engine.workload import Page
from sync.failpoints import PAGE
from sync.mail.emails.memory import MemoryEmailRows
from sync.mail.exchange.memory import MemoryExchange
from sync.mail.item import entry_from
from sync.mail.workload import MailWorkload
from sync.store import links, streams
from tests.sync.builders import ANNA_RECORD, ORGANIZATION, TEST, a_message, an_inbox, grant

ROUNDS = 40
MAIL = MailWorkload(MemoryExchange(), MemoryEmailRows(), ORGANIZATION)


def page_work(lease: Lease, epoch: int, clock: FrozenClock, number: int) -> PageWork:
    page = Page((a_message(number),), delta_link=f"link-{number}")
    entries = tuple(entry_from(one) for one in page.entries)
    return PageWork(
        workload=MAIL,
        lease=lease,
        epoch=epoch,
        stream=an_inbox(),
        page=page,
        entries=entries,
        verdicts={entry.item_id: MAIL.verdict(entry) for entry in entries},  # type: ignore[arg-type]
        asked_at=clock.now(),
        now=clock.now(),
        grace_seconds=0,
    )


def work_rows(connection: Connection) -> tuple[int | None, int, str | None]:
    stream = streams.find(connection, an_inbox().stream_id)
    return (
        connection.scalar(select(func.count()).select_from(tasks.tasks)),
        len(links.list_pending(connection, an_inbox())),
        None if stream is None else stream.cursor,
    )


def take_shard(database: Database, clock: FrozenClock, holder: str) -> Lease:
    wanted = [shard_of(ANNA_RECORD)]
    [lease] = database.write_now(
        lambda c: claim_shards(c, holder=holder, now=clock.now(), wanted=wanted), failpoint=TEST
    )
    return lease


def race(ours: Database, theirs: Database, lease: Lease, clock: FrozenClock, number: int) -> str:
    """Commit a page and withdraw at the same moment; return how the page fared."""
    epoch = grant(ours, clock)
    together = threading.Barrier(2)
    refused: list[bool] = []
    planned = page_work(lease, epoch, clock, number)

    def commit() -> None:
        together.wait()
        try:
            ours.write_now(lambda c: commit_page(c, planned), failpoint=PAGE)
        except ApprovalWithdrawn:
            refused.append(True)

    def withdraw(connection: Connection) -> tuple[int | None, int, str | None]:
        approvals.withdraw_by_person(
            connection,
            record_id=ANNA_RECORD,
            by="Ben",
            reason="a test",
            now=clock.now(),
        )
        # Seen with the withdrawal's own eyes, before it commits.
        return work_rows(connection)

    committing = threading.Thread(target=commit)
    committing.start()
    together.wait()
    threading.Event().wait(0.0005 * (number % 4))
    at_withdrawal = theirs.write_now(withdraw, failpoint=TEST)
    committing.join()
    assert theirs.read_now(work_rows) == at_withdrawal
    assert bool(refused) == (at_withdrawal[2] != f"link-{number}")
    return "refused" if refused else "committed"


def test_no_work_is_written_after_a_withdrawal(
    open_database: Callable[..., Database], clock: FrozenClock
) -> None:
    """Two processes on one database: one commits pages, the other withdraws, many times."""
    ours, theirs = open_database(), open_database()
    lease = take_shard(ours, clock, "one")
    outcomes = {race(ours, theirs, lease, clock, number) for number in range(ROUNDS)}
    assert outcomes <= {"committed", "refused"}


def test_a_late_holder_commits_nothing(
    open_database: Callable[..., Database], clock: FrozenClock
) -> None:
    database = open_database()
    epoch = grant(database, clock)
    late = take_shard(database, clock, "one")
    clock.advance(60)
    newer = take_shard(database, clock, "two")
    assert newer.fence > late.fence
    planned = page_work(late, epoch, clock, 1)

    with pytest.raises(FenceLost):
        database.write_now(lambda c: commit_page(c, planned), failpoint=PAGE)

    assert database.read_now(work_rows) == (0, 0, None)
    planned = page_work(newer, epoch, clock, 1)
    database.write_now(lambda c: commit_page(c, planned), failpoint=PAGE)
    assert database.read_now(work_rows) == (1, 1, "link-1")
