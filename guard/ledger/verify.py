"""The walk that proves the ledger unaltered: every digest recomputed, every chain, every head.

Found are: an altered row, a row taken out or cut off, an altered policy set or checkpoint. A masked
private part is no finding: the public part commits to it, and the commitment stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, select

from guard.ledger.chain import BEGINNING, last_checkpoint
from guard.ledger.entry import Verification, commitment_to, link, stated_by
from guard.ledger.tables import DECIDED_AT, chains, checkpoints, decisions, policy_sets
from kernel.digest import sha256_hex

ROWS_AT_ONCE = 1000


class _Altered(Exception):
    """Something is not as it was written."""

    def __init__(self, bad_id: str, reason: str) -> None:
        super().__init__(reason)
        self.bad_id = bad_id
        self.reason = reason


_RAW = [DECIDED_AT if column is decisions.c.decided_at else column for column in decisions.c]
_UNREADABLE = (TypeError, ValueError, KeyError, AttributeError, OverflowError)


class _Walk:
    """The state of one walk; `at` is the id of what is looked at."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.at = ""
        self.checked = 0
        self.masked = 0
        self.chains = 0

    def run(self) -> None:
        """Raise _Altered at the first thing that is not whole."""
        # (1) The checkpoints prove each other, and the stored policy sets.
        heads = self._checkpointed()
        # (2) Each chain is walked from its beginning, past the head that the last checkpoint
        # states, to the one that the chain's own row states.
        for chain in self._chain_ids(heads):
            self._walk_chain(chain, heads.get(chain))
            self.chains += 1

    def _chain_ids(self, heads: dict[str, Any]) -> list[str]:
        known = set(self.connection.scalars(select(chains.c.id)))
        used = set(self.connection.scalars(select(decisions.c.chain).distinct()))
        return sorted(known | used | set(heads))

    def _checkpointed(self) -> dict[str, Any]:
        """Return the heads that the last checkpoint states, each checkpoint proven first."""
        previous, digests = BEGINNING, dict[int, str]()
        # Read first: a checkpoint that is written meanwhile is then no missing one.
        named = self._stated_checkpoints()
        rows = self.connection.execute(select(checkpoints).order_by(checkpoints.c.number))
        for number, row in enumerate(rows, start=1):
            name = f"checkpoint {row.number}"
            stated = _json_of(row.heads, name)
            if sha256_hex(row.heads.encode()) != row.digest:
                raise _Altered(name, "the checkpoint was altered")
            if row.number != number or stated["previous"] != previous:
                raise _Altered(name, "a checkpoint before this one is missing or altered")
            previous = digests[number] = row.digest
        for number, digest in named:
            if number not in digests:
                raise _Altered(f"checkpoint {number}", "the checkpoint is missing")
            if digests[number] != digest:
                raise _Altered(f"checkpoint {number}", "the checkpoint is not the one of its chain")
        last = last_checkpoint(self.connection)
        if last is None:
            return {}
        state = json.loads(last.heads)["state"]
        self._check_sets(state["policy_sets"])
        heads: dict[str, Any] = state["chains"]
        return heads

    def _stated_checkpoints(self) -> list[tuple[int, str]]:
        """Return number and digest of the checkpoints that the chains' rows name."""
        rows = self.connection.execute(
            select(chains.c.checkpoint, chains.c.checkpoint_digest)
            .where(chains.c.checkpoint > 0)
            .order_by(chains.c.checkpoint)
        )
        return [(number, digest) for number, digest in rows]

    def _check_sets(self, stated: dict[str, str]) -> None:
        stored = {
            row.digest: sha256_hex(row.documents.encode())
            for row in self.connection.execute(select(policy_sets))
        }
        for digest, documents in stated.items():
            if stored.get(digest) != documents:
                raise _Altered(digest, "a stored policy set was altered or is missing")

    def _rows(self, chain: str) -> Iterator[Any]:
        last = -1
        while True:
            rows = self.connection.execute(
                select(*_RAW)
                .where(decisions.c.chain == chain, decisions.c.seq > last)
                .order_by(decisions.c.seq)
                .limit(ROWS_AT_ONCE)
            ).all()
            yield from rows
            if len(rows) < ROWS_AT_ONCE:
                return
            last = rows[-1].seq

    def _walk_chain(self, chain: str, stated: list[Any] | None) -> None:
        count, head, last_id = 0, BEGINNING, ""
        for row in self._rows(chain):
            # (2a) Every place is taken, (2b) the decision is what was digested, (2c) its link is
            # the one that the checkpoint saw at this place.
            if row.seq != count:
                raise _Altered(row.id, f"the decision before this one is missing (place {count})")
            self._check(row, head)
            count, head, last_id = count + 1, row.digest, row.id
            self.checked += 1
            if stated is not None and stated[0] == count and stated[1] != head:
                raise _Altered(row.id, "the last checkpoint has another digest at this place")
        # (2d) Nothing was cut off that the checkpoint counted, (2e) nor after it.
        if stated is not None and stated[0] > count:
            raise _Altered(
                stated[2],
                f"{stated[0] - count} newest decisions that the last checkpoint counts are missing",
            )
        written = self.connection.execute(
            select(chains.c.count, chains.c.head, chains.c.last_id).where(chains.c.id == chain)
        ).first()
        if written is None:
            raise _Altered(last_id or chain, "the chain's own row is missing")
        written_count, written_head, written_last_id = written
        if (written_count, written_head) != (count, head):
            raise _Altered(
                written_last_id or last_id, "the newest decisions of the chain are missing"
            )

    def _check(self, row: Any, head: str) -> None:
        self.at = str(row.id)
        fields = (
            row.id,
            row.decided_at,
            row.decision,
            row.cause,
            row.table_name,
            row.record_id,
            row.status,
            row.delivery_key,
        )
        stated = stated_by(fields, row.commitment, row.public.encode())
        if row.digest != link(row.chain, row.seq, head, stated):
            raise _Altered(row.id, "the decision was altered")
        if row.private is None and row.salt is None:
            self.masked += 1
        elif commitment_to(row.salt or "", (row.private or "").encode()) != row.commitment:
            raise _Altered(row.id, "the decision's private part was altered")


def _json_of(text: str, bad_id: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _Altered(bad_id, "the record is no longer readable")
    return value


def verify(connection: Connection) -> Verification:
    """Walk the whole ledger and return what was found; the first bad id, if any."""
    walk = _Walk(connection)
    try:
        walk.run()
    except _UNREADABLE as error:
        reason = f"a value is no longer of its kind ({error})"
        return Verification(walk.checked, walk.at or "ledger", reason, walk.chains, walk.masked)
    except _Altered as altered:
        return Verification(walk.checked, altered.bad_id, altered.reason, walk.chains, walk.masked)
    return Verification(walk.checked, chains=walk.chains, masked=walk.masked)
