"""The ledger in the database: decisions of one loop turn are appended together.

What arrives while the event loop turns once is one function for the writer, with one statement for
all decisions and one for the chain's head; the writer then commits several such functions at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from guard.ledger import mirror, ownwrites
from guard.ledger.chain import RepeatFound, append, checkpoint, is_anything_new
from guard.ledger.codec import text_of
from guard.ledger.effects import carry
from guard.ledger.entry import (
    NO_EFFECTS,
    Effects,
    Entry,
    MirrorRow,
    Recorded,
    Sealed,
    recorded,
    recorded_from,
    sealed,
)
from guard.ledger.ownwrites import OwnWrite
from guard.ledger.tables import decisions, policy_sets
from kernel.clock import Clock
from kernel.database import Database, insert
from kernel.failpoints import step
from kernel.ids import new_id
from rules.policy_set import PolicySet

DECISION = step("guard.decision", "Decisions, their tasks and what else they cause are written.")
CHECKPOINT = step("guard.checkpoint", "The heads of all chains are written down.")
MASK = step("guard.mask", "The private part of a decision is emptied.")

MOST_AT_ONCE = 64
MOST_DECISIONS_ON_A_ROW = 50


@dataclass(slots=True)
class _Waiting:
    item: Sealed
    effects: Effects
    future: asyncio.Future[Recorded]
    deadline_seconds: float | None


class StoredLedger:
    """The ledger of one process: it owns one chain, begun with the first decision."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._chain = new_id(clock.now())
        self._waiting: list[_Waiting] = []
        self._sets_to_store: dict[str, PolicySet] = {}
        self._sets_stored: set[str] = set()
        self._flushes: set[asyncio.Task[None]] = set()

    async def record(
        self,
        entry: Entry,
        *,
        effects: Effects = NO_EFFECTS,
        policy_set: PolicySet | None = None,
        deadline_seconds: float | None = None,
    ) -> Recorded:
        """Make the decision durable with its effects, then return it (see `port.Ledger`)."""
        if policy_set is not None and policy_set.digest not in self._sets_stored:
            self._sets_to_store[policy_set.digest] = policy_set
        loop = asyncio.get_running_loop()
        waiting = _Waiting(sealed(entry), effects, loop.create_future(), deadline_seconds)
        if not self._waiting:
            loop.call_soon(self._begin_flush)
        self._waiting.append(waiting)
        return await waiting.future

    def _begin_flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), MOST_AT_ONCE):
            task = asyncio.ensure_future(self._flush(waiting[start : start + MOST_AT_ONCE]))
            self._flushes.add(task)
            task.add_done_callback(self._flushes.discard)

    async def _flush(self, batch: list[_Waiting]) -> None:
        try:
            await self._write(batch)
        except RepeatFound:
            for one in batch:
                await self._flush_alone(one)
        except BaseException as error:
            if len(batch) == 1 or not isinstance(error, Exception):
                _fail(batch, error)
                if not isinstance(error, Exception):
                    raise
                return
            # One entry that can't be written must not take its neighbours along.
            for one in batch:
                await self._flush_alone(one)
        else:
            for one in batch:
                if not one.future.done():
                    one.future.set_result(recorded(one.item.entry))

    async def _flush_alone(self, one: _Waiting) -> None:
        try:
            await self._write([one])
            answer = recorded(one.item.entry)
        except RepeatFound:
            entry = one.item.entry
            answer = await self._database.read(lambda c: _repeated(c, entry))
        except Exception as error:  # noqa: BLE001 - it is the caller's answer.
            _fail([one], error)
            return
        if not one.future.done():
            one.future.set_result(answer)

    async def _write(self, batch: list[_Waiting]) -> None:
        deadlines = [one.deadline_seconds for one in batch if one.deadline_seconds is not None]
        sets = dict(self._sets_to_store)
        items = [one.item for one in batch]
        caused = [(one.item.entry, one.effects) for one in batch if one.effects]
        now = self._clock.now() if sets or caused else items[0].entry.decided_at
        chain = self._chain

        def write(connection: Connection) -> None:
            for policy_set in sets.values():
                _store_set(connection, policy_set, now)
            append(connection, chain, items)
            for entry, effects in caused:
                carry(connection, entry.id, effects, now=now)

        await self._database.write(
            write, step=DECISION, deadline_seconds=min(deadlines) if deadlines else None
        )
        for digest in sets:
            self._sets_stored.add(digest)
            self._sets_to_store.pop(digest, None)

    async def mirrored(self, table: str, record_id: str) -> MirrorRow | None:
        """Return the last known good copy of a row."""
        return await self._database.read(lambda c: mirror.find(c, table, record_id))

    async def mailboxes_of(self, owner_id: str) -> Sequence[MirrorRow]:
        """Return the known mailboxes of a user or queue."""
        return await self._database.read(lambda c: mirror.list_by_owner(c, owner_id))

    async def decisions_on(self, record_id: str, *, since: datetime) -> Sequence[Recorded]:
        """Return the newest decisions on a row made since then, newest first."""
        return await self._database.read(lambda c: decisions_on(c, record_id, since=since))

    async def own_write(self, nonce: str) -> OwnWrite | None:
        """Return what the guard announced to write under that nonce."""
        return await self._database.read(lambda c: ownwrites.find(c, nonce))

    async def make_checkpoint(self) -> int | None:
        """Write down the heads of all chains unless nothing is new; return its number."""
        now = self._clock.now()
        # A read first, so that an idle guard writes nothing (law 10).
        if not await self._database.read(is_anything_new):
            return None
        return await self._database.write(lambda c: checkpoint(c, now=now), step=CHECKPOINT)

    async def mask(self, decision_id: str) -> bool:
        """Empty the private part of a decision; return whether there was one."""
        return await self._database.write(lambda c: mask(c, decision_id), step=MASK)


def mask(connection: Connection, decision_id: str) -> bool:
    """Empty the private part of a decision; return whether there was one."""
    statement = (
        decisions.update()
        .where(decisions.c.id == decision_id, decisions.c.private.is_not(None))
        .values(private=None, salt=None)
    )
    return connection.execute(statement).rowcount == 1


def decisions_on(connection: Connection, record_id: str, *, since: datetime) -> list[Recorded]:
    """Return the newest decisions on a row made since then, newest first."""
    statement = (
        select(decisions.c.public, decisions.c.private)
        .where(decisions.c.record_id == record_id, decisions.c.decided_at >= since)
        .order_by(decisions.c.id.desc())
        .limit(MOST_DECISIONS_ON_A_ROW)
    )
    return [recorded_from(row.public, row.private) for row in connection.execute(statement)]


def _repeated(connection: Connection, entry: Entry) -> Recorded:
    row = connection.execute(
        select(decisions.c.public, decisions.c.private).where(
            decisions.c.record_id == entry.record_id, decisions.c.delivery_key == entry.key
        )
    ).one()
    return recorded_from(row.public, row.private, is_repeat=True)


def _store_set(connection: Connection, policy_set: PolicySet, now: datetime) -> None:
    """Store a policy set whole, with the first decision that uses it (law 14)."""
    documents = text_of(
        {"environment": policy_set.environment, "documents": dict(policy_set.documents)}
    )
    connection.execute(
        insert(connection, policy_sets)
        .values(digest=policy_set.digest, documents=documents, stored_at=now)
        .on_conflict_do_nothing()
    )


def _fail(batch: list[_Waiting], error: BaseException) -> None:
    for one in batch:
        if not one.future.done():
            one.future.set_exception(error)
