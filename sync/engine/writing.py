"""The handler of the intent *create*: one item is carried to the other side by its workload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from cloud.errors import CloudError, RequestRejected, WebhookRejected
from kernel import tasks
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import ApprovalRests
from kernel.log import get_logger
from kernel.tasks import Task, TaskCause
from kernel.workers import Again, Done, TaskOutcome
from sync.eligibility.review import EligibilityReview
from sync.engine import outcome as outcomes
from sync.engine.intent import Lack, Target, resting
from sync.engine.judging import ContentPolicies
from sync.engine.lasting import is_lasting
from sync.engine.leases import Leases
from sync.engine.outcome import IntentOutcome
from sync.engine.permits import Permits
from sync.engine.schedule import retry_at
from sync.engine.workload import ItemToWrite, Permit, Workload, Written
from sync.errors import ItemUnreadable, NotOurs
from sync.failpoints import OUTCOME
from sync.meter import Meter
from sync.model.item import UnreadableEntry
from sync.model.link import ItemPlace, Link, LinkState
from sync.model.read import Read
from sync.model.verdict import Fate, Verdict
from sync.store import links, payloads, quarantine

WEBHOOK_ATTEMPTS = 5
# With the growing waits of what is set aside, the last is about a day after the first.
SUPPLEMENT_TRIES = 6
# What is to be written, unless a policy says otherwise.
WANTED = Verdict(Fate.TRACK, "planned when its page was read")

log = get_logger("sync")


@dataclass(slots=True)
class _Reads:
    """The answers that held something of the mailbox while one item was written."""

    clock: Clock
    found: list[Read] = field(default_factory=list)

    def note(self, operation: str, item_count: int = 1) -> None:
        self.found.append(Read(self.clock.now(), operation, item_count))


class Writing:
    """Carries out what the pages planned to write."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        policies: ContentPolicies,
        leases: Leases,
        review: EligibilityReview,
        permits: Permits,
        meter: Meter,
    ) -> None:
        self._database = database
        self._clock = clock
        self._policies = policies
        self._leases = leases
        self._review = review
        self._permits = permits
        self._meter = meter

    async def create(self, workload: Workload[Any], task: Task) -> TaskOutcome:
        """Write one item; one that is refused is set aside and tried again much later.

        Raises what the workload raises beyond a refusal: the worker puts the task off.
        """
        target = Target.from_payload(task.payload)
        try:
            return await self._create(workload, target, attempts=task.attempts)
        except (NotOurs, ApprovalRests) as error:
            return resting(error)
        except WebhookRejected as error:
            # Whoever stopped the row may be down for a moment, but not for ever.
            if task.attempts < WEBHOOK_ATTEMPTS:
                return Again(error.message, cause=TaskCause.UNAVAILABLE, error_code=error.code)
            return await self._set_aside(target, error.message)
        except (RequestRejected, ItemUnreadable) as error:
            return await self._set_aside(target, error.message)

    async def _create(
        self, workload: Workload[Any], target: Target, *, attempts: int
    ) -> TaskOutcome:
        # 1. What is known: an item that has its row needs nothing.
        link, content = await self._database.read(
            lambda c: (
                links.find(c, target.object_id, target.item_id),
                payloads.find(c, target.object_id, target.item_id),
            )
        )
        if link is None or not link.awaits_row:
            return Done("the row was made before")
        permit, _ = self._asking(workload, target)
        reads = _Reads(self._clock)
        # 2. The content: kept from its page, or read again by the item's immutable id.
        if content is None or self._says_too_little(workload, content):
            found = await self._read(workload, target, permit, attempts=attempts)
            if found is None:
                gone = Written(
                    "gone before it was read", state=LinkState.DROPPED, place=ItemPlace.GONE
                )
                return await self._finish(target, gone, reads)
            reads.note(workload.noun)
            content = found
        # 3. Policies, once more: they, or the item, may be others than when its page was read.
        verdict = self._judged(workload, target, content)
        if verdict is not None and verdict.fate is Fate.SKIP:
            skipped = Written("kept out by a policy", state=LinkState.DROPPED)
            return await self._finish(target, skipped, reads, verdict)
        if verdict is not None and verdict.fate is Fate.METADATA_ONLY:
            link = replace(link, is_metadata_only=True)
        # 4. The other side.
        item = self._to_write(workload, target, link, content, reads, attempts=attempts)
        written = await workload.write(item)
        # 5. What came of it, behind the fence.
        return await self._finish(target, written, reads, verdict, attempts=attempts)

    async def supplement(self, workload: Workload[Any], task: Task) -> TaskOutcome:
        """Bring what was missing when an item was written; it ends after a few tries.

        Raises what the workload raises beyond a refusal: the worker puts the task off.
        """
        target, lack = Target.from_payload(task.payload), Lack.from_payload(task.payload)
        reason = "not all of it can be had now"
        try:
            missing = await self._supplement(workload, target, lack, attempts=task.attempts)
        except (NotOurs, ApprovalRests) as error:
            return resting(error)
        except (RequestRejected, ItemUnreadable) as error:
            missing, reason = lack.parts, error.message
        if not missing:
            return Done("nothing is missing any more")
        tries = lack.tries + 1
        if tries >= SUPPLEMENT_TRIES:
            return Done(f"given up after {tries} tries: {reason}")
        until = retry_at(tries + 1, now=self._clock.now())
        payload = task.payload | Lack(missing, lack.is_for_good, tries).to_payload()
        await self._database.write(
            lambda c: tasks.renew(
                c, kind=task.kind, key=task.key, payload=payload, not_before=until
            ),
            failpoint=OUTCOME,
        )
        return Again(reason, until)

    async def _supplement(
        self, workload: Workload[Any], target: Target, lack: Lack, *, attempts: int
    ) -> tuple[str, ...]:
        link = await self._database.read(lambda c: links.find(c, target.object_id, target.item_id))
        if link is None or link.row_id is None or link.is_metadata_only:
            return ()
        permit, _ = self._asking(workload, target)
        reads = _Reads(self._clock)
        content = await self._read(workload, target, permit, attempts=attempts)
        if content is None:
            return ()
        reads.note(workload.noun)
        verdict = self._judged(workload, target, content)
        missing: tuple[str, ...] = ()
        if verdict is None:
            item = self._to_write(workload, target, link, content, reads, attempts=attempts)
            missing = await workload.supplement(item, lack.parts, is_lacking=lack.is_for_good)
        lease = self._leases.of(target.record_id)
        await self._database.write(
            lambda c: outcomes.record_supplement(c, target, reads.found, lease=lease),
            failpoint=OUTCOME,
        )
        return missing

    async def _read(
        self, workload: Workload[Any], target: Target, permit: Permit, *, attempts: int
    ) -> dict[str, Any] | None:
        """Return an item read whole, or None when it is gone.

        Raises ItemUnreadable when it alone cannot be had, and lastingly so.
        """
        try:
            found = await workload.content(target.object_id, target.item_id, permit=permit)
        except CloudError as error:
            if is_lasting(error, attempts=attempts):
                raise ItemUnreadable(error.message) from error
            raise
        return None if found is None else dict(found)

    def _to_write(
        self,
        workload: Workload[Any],
        target: Target,
        link: Link,
        content: Mapping[str, Any],
        reads: _Reads,
        *,
        attempts: int,
    ) -> ItemToWrite:
        permit, check = self._asking(workload, target)
        return ItemToWrite(
            target.object_id,
            link,
            content,
            address_book=self._review.address_book,
            permit=permit,
            check=check,
            note_read=reads.note,
            attempts=attempts,
        )

    def _asking(self, workload: Workload[Any], target: Target) -> tuple[Permit, Permit]:
        """Return what is asked before each attempt to reach the mailbox, and before effects."""
        mailbox = (target.record_id, target.object_id)
        epoch, delivery = target.epoch, workload.delivery
        return (
            self._permits.of(*mailbox, epoch=epoch, delivery=delivery),
            partial(self._permits.check, *mailbox, epoch=epoch, delivery=delivery),
        )

    def _judged(
        self, workload: Workload[Any], target: Target, content: Mapping[str, Any]
    ) -> Verdict | None:
        """Return what the policies that hold now say against the item, if they say anything.

        A verdict of its page that was stricter stays: it stands in the link.
        Raises ItemUnreadable when the fields cannot be understood.
        """
        judge = self._policies.judge_for(workload)
        if judge is None:
            return None
        address = self._review.of(target.record_id).approval.address
        verdict = judge.verdict(
            target.item_id, content, WANTED, folder=target.folder, address=address
        )
        return None if verdict is WANTED else verdict

    def _says_too_little(self, workload: Workload[Any], content: Mapping[str, Any]) -> bool:
        """Return whether policies look at something that the kept entry does not tell."""
        if self._policies.judge_for(workload) is None:
            return False
        item = workload.item(content)
        return isinstance(item, UnreadableEntry) or not item.has_fields

    async def _finish(
        self,
        target: Target,
        written: Written,
        reads: _Reads,
        verdict: Verdict | None = None,
        *,
        attempts: int = 1,
    ) -> TaskOutcome:
        values: dict[str, Any] = {"state": written.state}
        if written.place is not None:
            values["place"] = written.place
        if written.row_id is not None:
            values |= {"row_id": written.row_id, "has_weak_key": written.has_weak_key}
        lack = Lack(written.missing, written.is_lacking) if written.missing else None
        await self._record(target, IntentOutcome(values, reads.found, verdict=verdict, lack=lack))
        for name in await self._counts(target, written, verdict, attempts=attempts):
            self._meter.add(name)
        return Done(written.result)

    async def _counts(
        self, target: Target, written: Written, verdict: Verdict | None, *, attempts: int
    ) -> tuple[str, ...]:
        """Return as what a written item counts: once for its row, however many mailboxes have it.

        A row that was there already is ours where an earlier attempt made it and its answer was
        lost, unless it belongs to an item of another mailbox.
        """
        row_id = written.row_id
        if row_id is None:
            return ("skipped",) if verdict is not None and verdict.fate is Fate.SKIP else ()
        if not written.is_new:
            is_shared = await self._database.read(
                lambda c: links.has_other(c, row_id, target.object_id, target.item_id)
            )
            if is_shared or (attempts == 1 and not written.is_completed):
                return ("linked",)
        return ("tracked", "created")

    async def _set_aside(self, target: Target, reason: str) -> TaskOutcome:
        values = {"state": LinkState.SET_ASIDE}
        await self._record(target, IntentOutcome(values, set_aside=reason))
        log.warning("item_set_aside", record_id=target.record_id, reason=reason)
        times = await self._database.read(
            lambda c: quarantine.times_of(c, target.object_id, target.item_id)
        )
        until = retry_at(times, now=self._clock.now())
        return Again(reason, until, cause=TaskCause.SET_ASIDE)

    async def _record(self, target: Target, outcome: IntentOutcome) -> None:
        lease, now = self._leases.of(target.record_id), self._clock.now()
        await self._database.write(
            lambda c: outcomes.record(c, target, outcome, lease=lease, now=now), failpoint=OUTCOME
        )
