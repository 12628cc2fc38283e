"""The handlers of the sync's intents: make a row, verify a removal. Both may be run again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from cloud.errors import RequestRejected, WebhookRejected
from kernel.brake import Release, brake
from kernel.clock import Clock
from kernel.database import Database
from kernel.log import get_logger
from kernel.tasks import Task, TaskCause
from kernel.workers import Again, Done, Handler, NeedsPerson, TaskOutcome
from sync.eligibility.review import EligibilityReview
from sync.engine import outcome as outcomes
from sync.engine.intent import CREATE, VERIFY, Target
from sync.engine.leases import Leases
from sync.engine.link import ItemPlace, Link, LinkState
from sync.engine.meter import Meter
from sync.engine.outcome import IntentOutcome, Read
from sync.engine.permits import Permits
from sync.engine.schedule import retry_at
from sync.errors import ItemUnreadable, NotOurs
from sync.exchange.port import Exchange, Permit
from sync.failpoints import OUTCOME
from sync.mail.item import Item, item_from_message
from sync.mail.mapping.attachment import bytes_in, is_reference
from sync.mail.mapping.description import has_inline_attachments
from sync.mail.mapping.email import EmailValues, email_values
from sync.mail.mapping.parties import AddressBook
from sync.mail.plan import waits
from sync.mail.rows import Attached, RowMaker
from sync.store import links, payloads, quarantine, streams

WEBHOOK_ATTEMPTS = 5
REMOVALS = brake(
    "sync.removal",
    counts="mails of a folder that are verified to be gone",
    total="mails of the folder that are there or were until then",
    window=timedelta(minutes=10),
    release=Release.RESUME,
)

log = get_logger("sync")


async def _nothing() -> bytes | None:
    return None


# Stands for the attachments of a mail that went away before they could be listed.
LOST: Attached = ({}, _nothing)


class Intents:
    """Carries out what the pages planned."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        exchange: Exchange,
        rows: RowMaker,
        leases: Leases,
        standings: EligibilityReview,
        permits: Permits,
        meter: Meter,
    ) -> None:
        self._database = database
        self._clock = clock
        self._exchange = exchange
        self._rows = rows
        self._leases = leases
        self._standings = standings
        self._permits = permits
        self._meter = meter

    def handlers(self) -> dict[str, Handler]:
        """Return the handler of each kind."""
        return {CREATE: self.create, VERIFY: self.verify}

    async def create(self, task: Task) -> TaskOutcome:
        """Make the row of one mail; one that is refused is set aside and tried again much later."""
        target = Target.from_payload(task.payload)
        try:
            return await self._create(target)
        except NotOurs as error:
            return _rests(error)
        except WebhookRejected as error:
            if task.attempts < WEBHOOK_ATTEMPTS:
                return Again(error.message, cause=TaskCause.UNAVAILABLE, error_code=error.code)
            return await self._set_aside(target, error.message)
        except (RequestRejected, ItemUnreadable) as error:
            return await self._set_aside(target, error.message)

    async def verify(self, task: Task) -> TaskOutcome:
        """Learn where an item is that left its folder; only a 404 makes a tombstone."""
        target = Target.from_payload(task.payload)
        permit = self._permits.of(target.record_id, epoch=target.epoch)
        link, stream = await self._database.read(
            lambda c: (
                links.find(c, target.object_id, target.item_id),
                streams.find(c, target.stream_id),
            )
        )
        if link is None or link.place is ItemPlace.GONE:
            return Done("nothing to verify")
        try:
            found = await self._exchange.place(target.object_id, target.item_id, permit=permit)
        except NotOurs as error:
            return _rests(error)
        at = self._clock.now()
        if found is not None:
            is_here = stream is not None and stream.folder_id == found
            place = ItemPlace.HERE if is_here else ItemPlace.ELSEWHERE
            read = Read(at, "message place")
            return await self._place(target, place, reads=[read], result=f"the item is {place}")
        if task.released_at is None and await self._is_braked(target):
            return NeedsPerson(
                "Too many mails of this folder are gone at once.",
                f"Look at the folder; `{REMOVALS.release}` lets them be taken for deleted.",
                cause=TaskCause.BRAKE,
            )
        outcome = await self._place(target, ItemPlace.GONE, result="gone; its row stays")
        self._meter.add("removed")
        return outcome

    async def _create(self, target: Target) -> TaskOutcome:
        link, message = await self._database.read(
            lambda c: (
                links.find(c, target.object_id, target.item_id),
                payloads.find(c, target.object_id, target.item_id),
            )
        )
        if link is None or not waits(link):
            return Done("the row was made before")
        permit = self._permits.of(target.record_id, epoch=target.epoch)
        reads: list[Read] = []
        if message is None:
            message = await self._exchange.message(target.object_id, target.item_id, permit=permit)
            if message is None:
                values = {"state": LinkState.DROPPED, "place": ItemPlace.GONE}
                return await self._finish(target, IntentOutcome(values), "gone before it was read")
            reads.append(Read(self._clock.now(), "message"))
        # Cleaning a large body takes milliseconds, which the event loop owes to the webhook.
        item, values_of_row = await asyncio.to_thread(_mapped, message, self._standings.book, link)
        if item.is_draft:
            values = {"state": LinkState.DROPPED}
            return await self._finish(target, IntentOutcome(values, reads), "a draft")
        attached = await self._attached(target, message, link, permit=permit, reads=reads)
        # Nothing of a mailbox goes anywhere once it is withdrawn, not even what was read before.
        await self._permits.check(target.record_id, epoch=target.epoch)
        made = await self._rows.make(message, values_of_row, attached)
        kept = {
            "state": LinkState.TRACKED,
            "row_id": str(made.row_id),
            "has_weak_key": made.has_weak_key,
        }
        done = await self._finish(target, IntentOutcome(kept, reads), str(made.row_id))
        name = "created" if made.is_created else "updated" if made.is_completed else "skipped"
        self._meter.add(name)
        return done

    async def _attached(
        self,
        target: Target,
        message: Mapping[str, Any],
        link: Link,
        *,
        permit: Permit,
        reads: list[Read],
    ) -> list[Attached]:
        """Return what is attached; without a request for the mails that have nothing."""
        if link.is_metadata_only:
            return []
        if message.get("hasAttachments") is False and not has_inline_attachments(message):
            return []
        listed = await self._exchange.attachments(target.object_id, target.item_id, permit=permit)
        if listed is None:
            return [LOST]
        if not listed:
            return []
        reads.append(Read(self._clock.now(), "attachments", len(listed)))
        return [(attachment, self._reader(target, attachment, permit)) for attachment in listed]

    def _reader(
        self, target: Target, attachment: Mapping[str, Any], permit: Permit
    ) -> Callable[[], Awaitable[bytes | None]]:
        async def read() -> bytes | None:
            if is_reference(attachment):
                return None
            content = bytes_in(attachment)
            if content is not None:
                return content
            return await self._exchange.attachment_bytes(
                target.object_id, target.item_id, str(attachment.get("id")), permit=permit
            )

        return read

    async def _set_aside(self, target: Target, reason: str) -> TaskOutcome:
        values = {"state": LinkState.SET_ASIDE}
        await self._record(target, IntentOutcome(values, set_aside=reason))
        log.warning("item_set_aside", record_id=target.record_id, reason=reason)
        times = await self._database.read(
            lambda c: quarantine.times_of(c, target.object_id, target.item_id)
        )
        until = retry_at(times, now=self._clock.now())
        return Again(reason, until, cause=TaskCause.SET_ASIDE)

    async def _place(
        self, target: Target, place: ItemPlace, *, result: str, reads: list[Read] | None = None
    ) -> TaskOutcome:
        lease, now = self._leases.of(target.record_id), self._clock.now()
        await self._database.write(
            lambda c: outcomes.record_place(
                c, target, place, lease=lease, now=now, reads=reads or []
            ),
            failpoint=OUTCOME,
        )
        return Done(result)

    async def _finish(self, target: Target, outcome: IntentOutcome, result: str) -> TaskOutcome:
        await self._record(target, outcome)
        return Done(result)

    async def _record(self, target: Target, outcome: IntentOutcome) -> None:
        lease, now = self._leases.of(target.record_id), self._clock.now()
        await self._database.write(
            lambda c: outcomes.record(c, target, outcome, lease=lease, now=now), failpoint=OUTCOME
        )

    async def _is_braked(self, target: Target) -> bool:
        since = self._clock.now() - (REMOVALS.window or timedelta())
        gone, here = await self._database.read(
            lambda c: (
                links.count_gone_since(c, target.object_id, target.folder, since),
                links.count_here(c, target.object_id, target.folder),
            )
        )
        return REMOVALS.check(gone + 1, gone + here) is not None


def _rests(error: NotOurs) -> Again:
    return Again(error.message, cause=TaskCause.RESTING, error_code=error.code)


def _mapped(message: Mapping[str, Any], book: AddressBook, link: Link) -> tuple[Item, EmailValues]:
    """Return the item and its row's columns. Raises ItemUnreadable whatever is wrong with it."""
    try:
        values = email_values(message, book, is_metadata_only=link.is_metadata_only)
        return item_from_message(message), values
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # The error's own text may hold a piece of the mail.
        raise ItemUnreadable(
            f"The mail cannot be understood ({type(error).__name__} while its row was mapped)."
        ) from error
