"""Recorded changes decided again by the very policies that were recorded with them.

Evaluation is pure (law 12), so the same must come out. What can't be decided again is counted with
its reason: a masked record, one that confirms another, a policy set that isn't there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rules.engine.policy_set import PolicySet
from rules.replay.recorded import Obstacle, Row, Unreplayable, past_from
from rules.replay.simulate import FindSet, count_answer, decide_again
from rules.replay.tally import Tally, count_in

NO_SET: Final = "its policy set is not recorded"


class Repetition:
    """Decides recorded changes again and tallies what comes out; `find_set` gives the sets."""

    def __init__(self, find_set: FindSet) -> None:
        self.tally = Tally()
        self._find_set = find_set
        self._sets: dict[str | None, PolicySet | None] = {None: None}

    def take_rows(self, rows: Iterable[Row]) -> None:
        """Decide the changes of ledger rows."""
        for row in rows:
            try:
                self._take(row)
            except Unreplayable as error:
                if error.obstacle is Obstacle.CONFIRMS:
                    self.tally.confirmations += 1
                else:
                    self._set_apart(row[0], error.obstacle)

    def _take(self, row: Row) -> None:
        past = past_from(row)
        digest = past.policy_set
        if digest is not None and digest not in self._sets:
            self._sets[digest] = self._find_set(digest)
        policy_set = self._sets[digest]
        if policy_set is None:
            self._set_apart(past.id, NO_SET)
            return
        self.tally.evaluated += 1
        decision = decide_again(past, policy_set)
        count_answer(self.tally, past, decision, past.outcome, past.rules)

    def _set_apart(self, decision_id: str, reason: str) -> None:
        count_in(self.tally.unreplayable, str(reason), {"id": decision_id})
