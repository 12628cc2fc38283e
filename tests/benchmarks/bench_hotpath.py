"""What a delivery costs inside the guard, without a server: processor time, stage by stage.

Wall time says little on a shared machine; this is the time of the thread, the best of a few rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from guard.answers import answer_of
from guard.case import case_of
from guard.ledger.entry import Entry, recorded, sealed
from guard.receive import change_from, read_delivery
from guard.receive.context import decode_context
from kernel.clock import SystemClock
from kernel.ids import new_id
from tests.benchmarks.deliveries import distinct

TIMES = 2_000
ROUNDS = 7


def _measured(work: Callable[[], object]) -> float:
    """Return the microseconds of processor time that one call takes."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(TIMES):
            work()
        best = min(best, time.thread_time() - began)
    return best / TIMES * 1e6


def main() -> None:
    """Print microseconds by stage, and each as a share of reading a delivery."""
    bodies = list(distinct(1, TIMES))
    turns = iter(bodies * (ROUNDS + 1))
    now = SystemClock().now()
    delivery = read_delivery(bodies[0])
    case, change = case_of(delivery), change_from(delivery)
    entry = Entry(
        new_id(now), now, "allow", "rules", case.table, case.record_id, 200, case.key,
        {"operation": case.operation, "mode": case.mode, "stage": case.stage, "rules": []},
        {"before": change.before, "after": change.after, "sent": sorted(change.sent)},
    )  # fmt: skip
    stages: dict[str, Callable[[], object]] = {
        "read_delivery": lambda: read_delivery(next(turns)),
        "  of it decode_context": lambda: decode_context(bodies[0]),
        "change_from": lambda: change_from(delivery),
        "case_of": lambda: case_of(delivery),
        "new_id": lambda: new_id(now),
        "sealed": lambda: sealed(entry),
        "answer_of": lambda: answer_of(recorded(entry)),
    }
    took = {name: _measured(work) for name, work in stages.items()}
    for name, microseconds in took.items():
        share = microseconds / took["read_delivery"]
        print(f"{name:24} {microseconds:6.1f} µs CPU  {share:5.2f} x read_delivery")


if __name__ == "__main__":
    main()
