"""The walk that proves the ledger unaltered: every digest recomputed, every chain, every head.

Found are: an altered row, a row taken out or cut off, an empty chain, an altered policy set or
checkpoint, an approval or a word on a hold that is not the one that was recorded, and a private
part that is gone without an act of masking. What an act of pruning gave up is no longer looked for;
what goes on after it begins where a checkpoint states it. What somebody rewrote consistently shows
against *anchors*, which left the house before: whatever they state must be there still, unless it
was pruned, and what they don't count must be newer.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select, text

from guard.ledger import holds
from guard.ledger.anchor import Anchor
from guard.ledger.chain import BEGINNING
from guard.ledger.cut import Cut, list_cuts
from guard.ledger.entry import Verification, commitment_to, link, stated_in
from guard.ledger.tables import DECIDED_AT, chains, checkpoints, decisions, policy_sets
from kernel import acts, held_approval
from kernel.acts import ActKind
from kernel.digest import sha256_hex
from kernel.errors import GuardError
from kernel.tables import added_code, microseconds, moment_of
from rules.load.loader import load_documents

ROWS_AT_ONCE = 1000
# So much may the clocks of processes differ, and so long may a record take from its moment on.
TOLERANCE = timedelta(minutes=5)
ACTS = "acts"
# What was stated of a chain: the digest at a count, the last id if it is known, and by whom.
Places = dict[int, tuple[str, str | None, str]]


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

    def __init__(self, connection: Connection, anchors: Sequence[Anchor]) -> None:
        self.connection = connection
        self.anchors = anchors
        self.stated: dict[str, Places] = defaultdict(dict)
        # Of each chain the newest anchor, and what it counts: what is behind that is newer.
        self.anchored: dict[str, int] = {}
        self.writers: dict[int, str] = {}
        self.masked_ids: set[str] = set()
        self.maskings = 0
        # Of each chain the newest act of pruning: what it commits to, and when it was done.
        self.prunings: dict[str, tuple[str, int]] = {}
        self.cuts: dict[str, Cut] = {}
        self.pruned = 0
        self.newest_acts: dict[str, str | None] = {}
        self.words: dict[str, str | None] = {}
        self.sets: dict[str, str] = {}
        self.not_before = 0
        self.acts = 0
        self.approvals = 0
        self.at = ""
        self.checked = 0
        self.masked = 0
        self.chains = 0

    def run(self) -> None:
        """Raise _Altered at the first thing that is not whole."""
        # (0) What the database does by itself is no part of the ledger.
        added = added_code(self.connection)
        if added is not None:
            raise _Altered("database", f"it has {added}, so that writes may come to nothing")
        # (1) What checkpoints, which prove each other, and anchors state of every chain.
        digests = self._checkpointed()
        self._anchored(digests)
        # (2) The acts, and what they say of policy sets, approvals and maskings.
        self._walk_acts()
        self._check_sets()
        self._check_approvals()
        self._check_holds()
        self._check_cuts()
        # (3) Each chain is walked from its beginning, past the heads that are stated of it, to the
        # one that the chain's own row states.
        for chain in self._chain_ids():
            self._walk_chain(chain, self.stated[chain])
            self.chains += 1
        # (4) What was masked and is not there was pruned, and there is as much as is counted.
        if len(self.masked_ids) > self.pruned:
            raise _Altered(min(self.masked_ids), "the decision was masked, and is not there")
        self._check_counts()

    def _chain_ids(self) -> list[str]:
        known = set(self.connection.scalars(select(chains.c.id)))
        used = set(self.connection.scalars(select(decisions.c.chain).distinct()))
        return sorted((known | used | set(self.stated)) - {ACTS})

    def _checkpointed(self) -> dict[int, str]:
        """Take down what every checkpoint states, each proven first; return their digests."""
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
            state = stated["state"]
            self.writers[number] = stated["by"]
            for chain, (count, head, last_id) in state["chains"].items():
                self.stated[chain][count] = (head, last_id, name)
            count, head = state["acts"]
            self.stated[ACTS][count] = (head, f"act {count}", name)
        for number, digest in named:
            if number not in digests:
                raise _Altered(f"checkpoint {number}", "the checkpoint is missing")
            if digests[number] != digest:
                raise _Altered(f"checkpoint {number}", "the checkpoint is not the one of its chain")
        return digests

    def _anchored(self, digests: dict[int, str]) -> None:
        """Take down what the anchors state, and hold their checkpoints against those there are."""
        for anchor in self.anchors:
            number, digest = anchor.checkpoint
            if number and digests.get(number) != digest:
                raise _Altered(
                    f"checkpoint {number}", f"it is not the one that {anchor.name} states"
                )
            for chain, (count, head) in {**anchor.chains, ACTS: anchor.acts}.items():
                self.stated[chain].setdefault(count, (head, None, anchor.name))
                self._check_agrees(chain, count, head, anchor)
        if self.anchors:
            newest = max(self.anchors, key=lambda one: one.made_at)
            self.not_before = microseconds(newest.made_at - TOLERANCE)
            counts = {chain: count for chain, (count, _) in newest.chains.items()}
            self.anchored = {**counts, ACTS: newest.acts[0]}

    def _check_counts(self) -> None:
        found = {
            "decisions": self.checked + self.pruned,
            "acts": self.acts,
            "checkpoints": len(self.writers),
            "policy_sets": len(self.sets),
            "approvals": self.approvals,
            "masked": self.maskings,
        }
        for anchor in self.anchors:
            for name, count in anchor.counts.items():
                if found.get(name, 0) < count:
                    told = name.replace("_", " ")
                    raise _Altered(
                        told, f"{anchor.name} counts {count}, and {found[name]} are left"
                    )

    def _check_agrees(self, chain: str, count: int, head: str, anchor: Anchor) -> None:
        stated, last_id, who = self.stated[chain][count]
        if stated != head:
            raise _Altered(last_id or f"chain {chain}", f"{who} and {anchor.name} contradict")

    def _check_age(self, chain: str, count: int, at: int, bad_id: str) -> None:
        """Refuse what an anchor doesn't count and yet claims to be older than it."""
        if self.anchors and count > self.anchored.get(chain, 0) and at < self.not_before:
            raise _Altered(bad_id, "it claims to be older than the anchor that does not count it")

    def _walk_acts(self) -> None:
        count, head = 0, BEGINNING
        for row in acts.walk(self.connection):
            name = self.at = f"act {row.number}"
            if row.number != count + 1:
                raise _Altered(name, "the act before this one is missing")
            digest = acts.link(row.number, head, row.at, row.kind, row.subject, row.commitment)
            if digest != row.digest:
                raise _Altered(name, "the act was altered")
            is_of_approval = row.kind in acts.OF_APPROVALS
            is_of_hold = row.kind in acts.OF_HOLDS
            is_told = row.private is not None or row.salt is not None
            if (is_told or is_of_approval or is_of_hold) and (
                acts.committed_to(row.salt, row.private) != row.commitment
            ):
                raise _Altered(name, "the act's private part was altered or is gone")
            count, head = row.number, row.digest
            self._check_stated(ACTS, count, head, name)
            self._check_age(ACTS, count, row.at, name)
            if is_of_approval:
                self.newest_acts[row.subject] = row.private
            elif is_of_hold:
                self.words[row.subject] = row.private
            elif row.kind == ActKind.MASKING:
                self.masked_ids.add(row.subject)
                self.maskings += 1
            elif row.kind == ActKind.PRUNING:
                self.prunings[row.subject] = (row.commitment, row.at)
            elif row.kind == ActKind.POLICY_SET:
                self.sets[row.subject] = row.commitment
        self.acts = count
        self._check_end(ACTS, count, f"act {count}")
        end = acts.end_of(self.connection)
        if (end.count, end.digest) != (count, head):
            raise _Altered(f"act {end.count}", "the newest acts are missing")

    def _check_stated(self, chain: str, count: int, head: str, bad_id: str) -> None:
        stated = self.stated[chain].get(count)
        if stated is not None and stated[0] != head:
            raise _Altered(bad_id, f"{stated[2]} has another digest at this place")

    def _check_end(self, chain: str, count: int, bad_id: str) -> None:
        """Refuse an end before what is stated."""
        most = max(self.stated[chain], default=0)
        if most > count:
            _, last_id, who = self.stated[chain][most]
            raise _Altered(
                last_id or bad_id, f"{most - count} newest that {who} counts are missing"
            )

    def _check_approvals(self) -> None:
        """Hold every approval against its newest act."""
        missing = dict(self.newest_acts)
        for record_id, stored in held_approval.list_stored(self.connection):
            name = f"approval {record_id}"
            self.approvals += 1
            if record_id not in missing:
                raise _Altered(name, "no act states it")
            if missing.pop(record_id) != stored:
                raise _Altered(name, "it is not the one that its newest act states")
        if missing:
            raise _Altered(f"approval {min(missing)}", "its row is missing")

    def _check_holds(self) -> None:
        """Hold what every released or refused hold says against the word of whoever did that."""
        missing = dict(self.words)
        for hold_id, stated in holds.walk_stated(self.connection):
            self.at = name = f"hold {hold_id}"
            if missing.pop(hold_id, None) != stated:
                raise _Altered(name, "it is not the one that its newest act states")
        if missing:
            raise _Altered(f"hold {min(missing)}", "its row is missing")

    def _check_cuts(self) -> None:
        """Hold every cut against its act, and its place against the checkpoint that states it."""
        missing = dict(self.prunings)
        for cut in list_cuts(self.connection):
            name = self.at = f"chain {cut.chain}"
            commitment, at = missing.pop(cut.chain, ("", 0))
            if commitment != cut.contents:
                raise _Altered(name, "it was cut, and no act of pruning states that")
            if not cut.is_old_enough(moment_of(at)):
                raise _Altered(name, "it was cut where it was too young to be pruned")
            head, last_id, _ = self.stated[cut.chain].get(cut.count, (None, None, ""))
            if head != cut.head or last_id != cut.last_id:
                raise _Altered(name, "it was cut where no checkpoint states it")
            if not 0 <= cut.gone <= cut.count or (
                cut.gone == cut.count and cut.gone_head != cut.head
            ):
                raise _Altered(name, "more of it is gone than was pruned")
            self.cuts[cut.chain] = cut
            self.pruned += cut.gone
        if missing:
            raise _Altered(f"chain {min(missing)}", "it was pruned, and how far is not there")

    def _stated_checkpoints(self) -> list[tuple[int, str]]:
        """Return number and digest of the checkpoints that the chains' rows name."""
        rows = self.connection.execute(
            select(chains.c.checkpoint, chains.c.checkpoint_digest)
            .where(chains.c.checkpoint > 0)
            .order_by(chains.c.checkpoint)
        )
        return [(number, digest) for number, digest in rows]

    def _check_sets(self) -> None:
        """Hold every stored policy set against its act, and its contents against its digest."""
        stored = {row.digest: row.documents for row in self.connection.execute(select(policy_sets))}
        for digest in sorted(self.sets.keys() | stored.keys()):
            self.at = digest
            documents = stored.get(digest)
            if documents is None or sha256_hex(documents.encode()) != self.sets.get(digest):
                raise _Altered(digest, "a stored policy set was altered, added or is missing")
            if not _is_set_of(digest, documents):
                raise _Altered(digest, "a stored policy set is not the one of its digest")

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

    def _walk_chain(self, chain: str, stated: Places) -> None:
        cut = self.cuts.get(chain)
        count, head, last_id = (0, BEGINNING, "") if cut is None else _rest_of(cut)
        for row in self._rows(chain):
            # (3a) Every place is taken, (3b) the decision is what was digested, (3c) its link is
            # the one that checkpoints and anchors saw at this place, (3d) its time is possible.
            if row.seq != count:
                raise _Altered(row.id, f"the decision before this one is missing (place {count})")
            self._check(row, head)
            count, head, last_id = count + 1, row.digest, row.id
            self.checked += 1
            self._check_stated(chain, count, head, row.id)
            self._check_age(chain, count, row.decided_at, row.id)
        # (3e) Nothing was cut off that is counted, (3f) nor after it.
        self._check_end(chain, count, last_id or chain)
        written = self.connection.execute(
            select(chains.c.count, chains.c.head, chains.c.last_id, chains.c.checkpoint).where(
                chains.c.id == chain
            )
        ).first()
        if written is None:
            raise _Altered(last_id or chain, "the chain's own row is missing")
        written_count, written_head, written_last_id, checkpoint = written
        if not count and self.writers.get(checkpoint) != chain:
            raise _Altered(chain, "the chain is empty, and no process began it")
        if (written_count, written_head) != (count, head):
            raise _Altered(
                written_last_id or last_id, "the newest decisions of the chain are missing"
            )

    def _check(self, row: Any, head: str) -> None:
        self.at = str(row.id)
        if row.digest != link(row.chain, row.seq, head, stated_in(row)):
            raise _Altered(row.id, "the decision was altered")
        if row.private is None and row.salt is None:
            if row.id not in self.masked_ids:
                raise _Altered(row.id, "the decision's private part is gone, and nobody masked it")
            self.masked_ids.discard(row.id)
            self.masked += 1
        elif commitment_to(row.salt or "", (row.private or "").encode()) != row.commitment:
            raise _Altered(row.id, "the decision's private part was altered")
        elif row.id in self.masked_ids:
            raise _Altered(row.id, "the decision was masked, and is there unmasked")


def _rest_of(cut: Cut) -> tuple[int, str, str]:
    """Return where a chain goes on of which the beginning is gone: place, digest, last id."""
    return cut.gone, cut.gone_head, cut.last_id if cut.gone == cut.count else ""


def _json_of(text: str, bad_id: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _Altered(bad_id, "the record is no longer readable")
    return value


def _is_set_of(digest: str, documents: str) -> bool:
    """Return whether documents make the policy set of that digest.

    What this version can no longer load is proven by its act alone.
    """
    told = json.loads(documents)
    try:
        return load_documents(told["documents"], environment=told["environment"]).digest == digest
    except GuardError:
        return True


def verify(connection: Connection, anchors: Sequence[Anchor] = ()) -> Verification:
    """Walk the whole ledger and return what was found; the first bad id, if any.

    All that the anchors state must be there as they state it.
    """
    if connection.dialect.name == "postgresql":
        # What is written meanwhile must not look like a difference.
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    walk = _Walk(connection, anchors)
    bad_id, reason = None, None
    try:
        walk.run()
    except _UNREADABLE:
        bad_id, reason = walk.at or "ledger", "a value is no longer of its kind"
    except _Altered as altered:
        bad_id, reason = altered.bad_id, altered.reason
    return Verification(
        walk.checked,
        bad_id,
        reason,
        chains=walk.chains,
        masked=walk.masked,
        acts=walk.acts,
        approvals=walk.approvals,
        anchors=len(anchors),
        pruned=walk.pruned,
    )
