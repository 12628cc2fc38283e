"""How far the beginning of a chain was given up, and how that is known to be no mere loss.

A chain is only cut where a checkpoint states it, so that what goes on after the cut still begins at
a digest that other records prove. The act of pruning commits to the place, and anchors state the
acts: whoever cuts a chain without the act, or takes the act back, shows. No decision is given up
before it is LEAST_AGE old; an act that says otherwise was made by somebody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select

from guard.ledger.tables import cuts
from kernel.acts import ActKind, newest
from kernel.digest import digest_of
from kernel.ids import made_at

LEAST_AGE: Final = timedelta(days=366)
"""How old a decision is at least before anything of it goes: facts and scans look back a year."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The place up to which a chain was given up, and the place up to which its rows are gone.

    A place is how many decisions are before it; `head` and `gone_head` are the digests of the last
    of them, `last_id` and `checkpoint` the id of the last one and who states it.
    """

    chain: str
    count: int
    head: str
    last_id: str
    checkpoint: int
    gone: int
    gone_head: str

    @property
    def contents(self) -> str:
        """Return the digest by which its act commits to it."""
        return digest_of([self.chain, self.count, self.head, self.last_id, self.checkpoint])

    def is_old_enough(self, at: datetime) -> bool:
        """Return whether all that was given up at that moment was old enough for it."""
        try:
            return made_at(self.last_id) <= at - LEAST_AGE
        except (ValueError, OverflowError):
            return False


def find_cut(connection: Connection, chain: str) -> Cut | None:
    """Return how far a chain was cut, if it was."""
    row = connection.execute(select(cuts).where(cuts.c.chain == chain)).first()
    return None if row is None else cut_from(row)


def list_cuts(connection: Connection) -> Iterator[Cut]:
    """Yield every cut, by chain."""
    for row in connection.execute(select(cuts).order_by(cuts.c.chain)):
        yield cut_from(row)


def cut_from(row: Any) -> Cut:
    """Return a cut as its row says it."""
    return Cut(**row._mapping)


def is_stated(connection: Connection, cut: Cut) -> bool:
    """Return whether the newest act on the chain commits to this very cut."""
    act = newest(connection, cut.chain, (ActKind.PRUNING,))
    return act is not None and act.commitment == cut.contents
