"""The ledger in the database: decisions are appended together, as `batch` gathers them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, select

from guard.ledger import firings, holds, mirror, own_writes
from guard.ledger.batch import Batch, Queue, Waiting
from guard.ledger.chain import RepeatFound, append, checkpoint, is_anything_new
from guard.ledger.codec import text_of
from guard.ledger.effects import carry
from guard.ledger.entry import (
    NO_EFFECTS,
    Effects,
    Entry,
    MirrorRow,
    Recorded,
    recorded,
    sealed,
)
from guard.ledger.own_writes import OwnWrite
from guard.ledger.parked import Agreement, OpenHolds
from guard.ledger.reading import WHOLE, recorded_from
from guard.ledger.recent import Attempt, list_recent
from guard.ledger.tables import decisions, policy_sets
from kernel import acts
from kernel.acts import ActKind
from kernel.clock import Clock
from kernel.database import Database, insert
from kernel.digest import sha256_hex
from kernel.failpoints import failpoint
from kernel.ids import new_id
from kernel.lookups import Lookups
from kernel.writer import Job
from rules.engine.policy_set import PolicySet

DECISION = failpoint(
    "guard.decision", "Decisions, their tasks and what else they cause are written."
)
CHECKPOINT = failpoint("guard.checkpoint", "The heads of all chains are written down.")
MASK = failpoint("guard.mask", "The private part of a decision is emptied.")

MOST_DECISIONS_ON_A_ROW = 50


class StoredLedger:
    """The ledger of one process: it owns one chain, begun with the first decision.

    `on_written` takes how many seconds a batch of decisions took to become durable.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        on_written: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._chain = new_id(clock.now())
        self._queue = Queue(self._submit, self._retry, on_written)
        self._sets_to_store: dict[str, PolicySet] = {}
        self._sets_stored: set[str] = set()
        self._retries: set[asyncio.Task[None]] = set()
        self._copies = Lookups(database, mirror.find_all)

    def record(
        self,
        entry: Entry,
        *,
        effects: Effects = NO_EFFECTS,
        policy_set: PolicySet | None = None,
        deadline_seconds: float | None = None,
    ) -> Awaitable[Recorded]:
        """Make the decision durable with its effects, then return it (see `port.Ledger`)."""
        if policy_set is not None and policy_set.digest not in self._sets_stored:
            self._sets_to_store[policy_set.digest] = policy_set
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Recorded] = loop.create_future()
        until = None if deadline_seconds is None else loop.time() + deadline_seconds
        self._queue.put(Waiting(sealed(entry), effects, future, deadline_seconds, until), loop)
        return future

    def _submit(self, batch: Batch) -> Job:
        if self._sets_to_store:
            batch.when_durable = partial(self._remember_stored, tuple(self._sets_to_store))
        return self._database.submit(self._writing(batch.waiting), failpoint=DECISION, answer=batch)

    def _remember_stored(self, digests: tuple[str, ...]) -> None:
        for digest in digests:
            self._sets_stored.add(digest)
            self._sets_to_store.pop(digest, None)

    def _retry(self, waiting: Sequence[Waiting], error: Exception) -> None:
        """Write each alone: what can't be written must not take its neighbours along."""
        if len(waiting) == 1 and not isinstance(error, RepeatFound):
            waiting[0].fail(error)
            return
        task = asyncio.ensure_future(self._each_alone(waiting))
        self._retries.add(task)
        task.add_done_callback(self._retries.discard)

    async def _each_alone(self, waiting: Sequence[Waiting]) -> None:
        for one in waiting:
            try:
                one.answer(await self._alone(one))
            except BaseException as error:
                one.fail(error)
                if not isinstance(error, Exception):
                    raise

    async def _alone(self, one: Waiting) -> Recorded:
        entry = one.item.entry
        try:
            await self._database.write(
                self._writing([one]), failpoint=DECISION, deadline_seconds=one.deadline_seconds
            )
        except RepeatFound:
            return await self._database.read(lambda c: _repeated(c, entry))
        return recorded(entry)

    def _writing(self, waiting: Sequence[Waiting]) -> Callable[[Connection], None]:
        """Return the function that writes these decisions with all that they cause."""
        sets = tuple(self._sets_to_store.values())
        items = [one.item for one in waiting]
        caused = [(one.item.entry, one.effects) for one in waiting if one.effects]
        now = self._clock.now() if sets or caused else items[0].entry.decided_at
        chain = self._chain

        def write(connection: Connection) -> None:
            for policy_set in sets:
                _store_set(connection, policy_set, now)
            append(connection, chain, items)
            firings.add(connection, chain, items)
            for entry, effects in caused:
                carry(connection, entry.id, effects, now=now)

        return write

    async def mirrored(self, table: str, record_id: str) -> MirrorRow | None:
        """Return the copy of a row."""
        return await self._copies.get((table, record_id))

    async def mailboxes_of(self, owner_id: str) -> Sequence[MirrorRow]:
        """Return the known mailboxes of a user or queue."""
        return await self._database.read(lambda c: mirror.list_by_owner(c, owner_id))

    async def holders_of(self, *addresses: str) -> Sequence[MirrorRow] | None:
        """Return the known rows with such an address; None until every row has been seen once."""
        return await self._database.read(lambda c: mirror.list_by_addresses(c, addresses))

    async def decisions_on(self, record_id: str, *, since: datetime) -> Sequence[Recorded]:
        """Return the newest decisions on a row made since then, newest first."""
        return await self._database.read(lambda c: decisions_on(c, record_id, since=since))

    async def recent(self, *, since: datetime) -> Sequence[Attempt]:
        """Return the newest tries to change or approve an address made since then."""
        return await self._database.read(lambda c: list_recent(c, since=since))

    async def own_write(self, nonce: str) -> OwnWrite | None:
        """Return what the guard announced to write under that nonce."""
        return await self._database.read(lambda c: own_writes.find(c, nonce))

    async def own_writes_on(self, record_id: str, *, since: datetime) -> Sequence[OwnWrite]:
        """Return what the guard announced since then that may show on a row, newest first."""
        return await self._database.read(lambda c: own_writes.list_on(c, record_id, since=since))

    async def open_holds(self, key: str, requester_id: str) -> OpenHolds:
        """Return the open hold of a change, and how many holds its requester and all have open."""
        now = self._clock.now()
        return await self._database.read(lambda c: holds.open_holds(c, key, requester_id, now=now))

    async def agreements_on(
        self, record_ids: Collection[str], requester_id: str | None
    ) -> Sequence[Agreement]:
        """Return what approvers agreed to of these rows, or of that requester's new rows."""
        return await self._database.read(lambda c: holds.agreements_on(c, record_ids, requester_id))

    async def make_checkpoint(self) -> int | None:
        """Write down the heads of all chains unless nothing is new; return its number."""
        now = self._clock.now()
        # A read first, so that an idle guard writes nothing (law 10).
        if not await self._database.read(is_anything_new):
            return None
        return await self._database.write(
            lambda c: checkpoint(c, self._chain, now=now), failpoint=CHECKPOINT
        )

    async def mask(self, decision_id: str) -> bool:
        """Empty the private part of a decision; return whether there was one."""
        now = self._clock.now()
        return await self._database.write(lambda c: mask(c, decision_id, now=now), failpoint=MASK)


def mask(connection: Connection, decision_id: str, *, now: datetime) -> bool:
    """Empty the private part of a decision and record that; return whether there was one."""
    statement = (
        decisions.update()
        .where(decisions.c.id == decision_id, decisions.c.private.is_not(None))
        .values(private=None, salt=None)
    )
    was_there = connection.execute(statement).rowcount == 1
    if was_there:
        acts.append(connection, ActKind.MASKING, decision_id, now=now)
    return was_there


def decisions_on(connection: Connection, record_id: str, *, since: datetime) -> list[Recorded]:
    """Return the newest decisions on a row made since then, newest first."""
    statement = (
        select(*WHOLE)
        .where(decisions.c.record_id == record_id, decisions.c.decided_at >= since)
        .order_by(decisions.c.id.desc())
        .limit(MOST_DECISIONS_ON_A_ROW)
    )
    return [recorded_from(row) for row in connection.execute(statement)]


def _repeated(connection: Connection, entry: Entry) -> Recorded:
    row = connection.execute(
        select(*WHOLE).where(
            decisions.c.record_id == entry.record_id, decisions.c.delivery_key == entry.key
        )
    ).one()
    return recorded_from(row, is_repeat=True)


def _store_set(connection: Connection, policy_set: PolicySet, now: datetime) -> None:
    """Store a policy set whole, with the first decision that uses it (law 14)."""
    documents = text_of(
        {"environment": policy_set.environment, "documents": dict(policy_set.documents)}
    )
    written = connection.execute(
        insert(connection, policy_sets)
        .values(digest=policy_set.digest, documents=documents, stored_at=now)
        .on_conflict_do_nothing()
    )
    if written.rowcount == 1:
        contents = sha256_hex(documents.encode())
        acts.append(connection, ActKind.POLICY_SET, policy_set.digest, now=now, contents=contents)
