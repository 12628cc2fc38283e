"""Who scheduled the test of a mailbox: the platform's own approval counts as their act (law 3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from guard.columns.change import GuardedChange
from guard.columns.compare import is_equal
from guard.columns.owner import mailbox_owner_id
from guard.columns.table import APPROVAL, MAILBOX, REJECTED, TABLES, TableRole
from guard.ledger.entry import Recorded
from guard.ledger.port import ALLOWED, Ledger
from guard.receive.delivery import ASYNCHRONOUS

SCHEDULED_WITHIN = timedelta(hours=24)
TEST_SCHEDULED = "testemailconfigurationscheduled"
# What must still be as it was when the test was scheduled.
_UNCHANGED = ("emailaddress", "ownerid.id", "regardingobjectid.id", "emailserverprofile.id")


@dataclass(frozen=True, slots=True)
class Acted:
    """Who acted, and who did so in their name, if somebody."""

    actor_id: str | None
    on_behalf_by: str | None = None


async def who_scheduled(change: GuardedChange, *, ledger: Ledger, now: datetime) -> Acted | None:
    """Return who made the newest allowed change that scheduled the mailbox's test.

    None when the mailbox, or its owner's row, was rejected or changed hands or address since:
    also when all is as it was again.
    """
    since = now - SCHEDULED_WITHIN
    owner_id: str | None = change.record_id
    mailboxes = [change.record_id]
    if change.table.role is TableRole.MAILBOX:
        owner_id = mailbox_owner_id(change.change.after)
    else:
        # The platform approves an owner's row along with the mailbox that was tested.
        mailboxes = [row.record_id for row in await ledger.mailboxes_of(owner_id or "")]
    of_owner = [] if owner_id is None else await ledger.decisions_on(owner_id, since=since)
    for mailbox_id in mailboxes:
        of_mailbox = await ledger.decisions_on(mailbox_id, since=since)
        newest_first = sorted((*of_mailbox, *of_owner), key=lambda one: one.id, reverse=True)
        for earlier in newest_first:
            if _scheduled_test(earlier):
                return _scheduler(earlier, change)
            if _ends_test(earlier):
                break
    return None


def _scheduled_test(earlier: Recorded) -> bool:
    if earlier.decision not in ALLOWED or earlier.table != MAILBOX.name:
        return False
    before, after = earlier.before, earlier.after
    return after.get(TEST_SCHEDULED) is True and before.get(TEST_SCHEDULED) is not True


def _ends_test(earlier: Recorded) -> bool:
    """Return whether a committed change ended what a test that was scheduled before may approve.

    An explicit rejection does, and another address, owner or profile, though it be taken back.
    """
    if earlier.decision not in ALLOWED and earlier.public.get("mode") != ASYNCHRONOUS:
        return False
    table = TABLES.get(earlier.table)
    if table is None:
        return False
    before, after = earlier.before, earlier.after
    if not after:
        # What it changed is not known, or is our own: a rejection of ours is one too.
        return earlier.public.get("mode") == ASYNCHRONOUS
    if after.get(APPROVAL) == REJECTED and before.get(APPROVAL) != REJECTED:
        return True
    watched = {*_UNCHANGED, table.address, *table.identity}.intersection(table.flat)
    return any(not is_equal(before.get(name), after.get(name)) for name in watched)


def _scheduler(earlier: Recorded, change: GuardedChange) -> Acted | None:
    """Return who made the scheduling change if the mailbox is still as it was then."""
    then, now = earlier.after, change.change.after
    if change.table.role is TableRole.MAILBOX:
        unchanged = all(is_equal(then.get(name), now.get(name)) for name in _UNCHANGED)
    else:
        # Of an owner's row no more than the address is the mailbox's too.
        unchanged = is_equal(then.get(MAILBOX.address), now.get(change.table.address))
    if not unchanged:
        return None
    actor = earlier.public.get("attributed_to") or earlier.public.get("initiating_user_id")
    return Acted(actor, earlier.public.get("on_behalf_by")) if isinstance(actor, str) else None
