"""What the guard counts, as a port; the console turns it into what a monitor scrapes.

Terms:

- *Cause*: what decided a delivery, by the words of docs/answers.md.
- *Result*: how a rule ended: pass, fail, excepted or error.
- *Event*: what the watch found, one of few short words: bypass, drift, brake, restore. No count
  carries an address or the id of a row.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol


class GuardMetrics(Protocol):
    """Where counts and durations go. Every method returns at once and never fails."""

    def answered(self, *, status: int, decision: str, cause: str, seconds: float) -> None:
        """Count an answer of the webhook; refusals before a decision have an empty decision."""
        ...

    def decided(self, *, decision: str, cause: str, source: str) -> None:
        """Count a decision that is being recorded, by the way it came (`guard.case`)."""
        ...

    def ledger_written(self, seconds: float) -> None:
        """Take how long a batch of decisions took to become durable."""
        ...

    def fact_missing(self, path: str) -> None:
        """Count a fact that a decision needed and didn't get."""
        ...

    def rule_failed(self, rule: str, result: str) -> None:
        """Count a finding of a rule."""
        ...

    def watched(self, event: str) -> None:
        """Count what the watch found, by a short name."""
        ...

    def noticed(self, channel: str, outcome: str) -> None:
        """Count what became of a notice to a person (`guard.notices.register`)."""
        ...


class CountingMetrics:
    """Counts in memory: for tests, and where nobody scrapes."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.seconds = 0.0

    def answered(self, *, status: int, decision: str, cause: str, seconds: float) -> None:
        """Count an answer."""
        self.counts["answered", str(status), decision, cause] += 1
        self.seconds += seconds

    def decided(self, *, decision: str, cause: str, source: str) -> None:
        """Count a decision."""
        self.counts["decided", decision, cause, source] += 1

    def ledger_written(self, seconds: float) -> None:
        """Count a batch."""
        self.counts["ledger_written",] += 1

    def fact_missing(self, path: str) -> None:
        """Count a missing fact."""
        self.counts["fact_missing", path] += 1

    def rule_failed(self, rule: str, result: str) -> None:
        """Count a finding."""
        self.counts["rule_failed", rule, result] += 1

    def watched(self, event: str) -> None:
        """Count an event."""
        self.counts["watched", event] += 1

    def noticed(self, channel: str, outcome: str) -> None:
        """Count a notice."""
        self.counts["noticed", channel, outcome] += 1
