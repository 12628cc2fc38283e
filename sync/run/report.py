"""What a full pass did: its counts, and the list of what it could not bring to an end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sync.meter import COUNTS


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is `quarantined` or `unresolved`, with its reason."""

    record_id: str
    kind: str
    reason: str
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class PassReport:
    """The counts of a pass, by the names of docs/contract.md, and its problems."""

    counts: Mapping[str, int]
    problems: tuple[Problem, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing is quarantined or unresolved."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return the answer of `sync run --once --output json`."""
        counts = {name: self.counts.get(name, 0) for name in COUNTS}
        return {**counts, "problems": [asdict(one) for one in self.problems]}

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> PassReport:
        """Return the report that another process answered with."""
        counts = {name: int(answer.get(name, 0)) for name in COUNTS}
        return cls(counts, tuple(Problem(**one) for one in answer.get("problems", ())))


def together(reports: Iterable[PassReport]) -> PassReport:
    """Return one report of the parts that several processes did."""
    counts: Counter[str] = Counter()
    problems: list[Problem] = []
    for report in reports:
        counts.update(report.counts)
        problems += report.problems
    return PassReport({name: counts[name] for name in COUNTS}, tuple(problems))
