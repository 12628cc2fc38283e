"""The newest part of the ledger, recomputed: a quick look, where `verify` walks all of it."""

from __future__ import annotations

from sqlalchemy import Connection, select

from guard.ledger.chain import BEGINNING
from guard.ledger.cut import find_cut
from guard.ledger.entry import commitment_to, link, stated_in
from guard.ledger.tables import DECIDED_AT, chains, decisions

NEWEST = 500
_RAW = [DECIDED_AT if column is decisions.c.decided_at else column for column in decisions.c]


def altered_among_newest(connection: Connection, most: int = NEWEST) -> tuple[int, str | None]:
    """Return how many decisions were looked at, and the first thing that is not as written.

    Of each chain the newest `most`: their digests, their links, and the head that the chain states.
    """
    checked = 0
    for chain, count, head in connection.execute(
        select(chains.c.id, chains.c.count, chains.c.head).order_by(chains.c.id)
    ).all():
        rows = connection.execute(
            select(*_RAW)
            .where(decisions.c.chain == chain, decisions.c.seq >= max(0, count - most - 1))
            .order_by(decisions.c.seq)
        ).all()
        last, seq = BEGINNING, 0
        cut = find_cut(connection, chain)
        if cut is not None and (not rows or rows[0].seq == cut.gone):
            # What was before it was pruned; `verify` proves that.
            last, seq = cut.gone_head, cut.gone
        elif rows and rows[0].seq > 0:
            # The first row of the part is believed.
            last, seq = rows[0].digest, rows[0].seq + 1
            rows = rows[1:]
        for row in rows:
            if row.seq != seq:
                return checked, f"{row.id}: the decision before this one is missing"
            if row.digest != link(row.chain, row.seq, last, stated_in(row)):
                return checked, f"{row.id}: the decision was altered"
            if (row.private is not None or row.salt is not None) and commitment_to(
                row.salt or "", (row.private or "").encode()
            ) != row.commitment:
                return checked, f"{row.id}: the decision's private part was altered"
            last, seq, checked = row.digest, row.seq + 1, checked + 1
        if (seq, last) != (count, head):
            return checked, f"the newest decisions of the chain {chain} are missing"
    return checked, None
