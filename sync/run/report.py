"""What a full pass did: its counts, and the list of what it could not bring to an end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from kernel.words import DocumentedWord
from sync.meter import COUNTS


class ProblemKind(DocumentedWord):
    """What kind of thing a pass could not bring to an end."""

    QUARANTINED = "quarantined", "An item that is set aside."
    UNRESOLVED = (
        "unresolved",
        "All else: a mailbox that was not brought up to date, or a task that is not done.",
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that a pass could not bring to an end, with its reason and the mend, if known.

    `count` tells of how many items of the mailbox it is true; `item_id` names one that is alone.
    """

    record_id: str
    kind: ProblemKind
    reason: str
    item_id: str | None = None
    hint: str | None = None
    count: int = 1


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
        problems = (
            Problem(**{**one, "kind": ProblemKind(one["kind"])})
            for one in answer.get("problems", ())
        )
        return cls(counts, tuple(problems))


def together(reports: Iterable[PassReport]) -> PassReport:
    """Return one report of the parts that several processes did."""
    counts: Counter[str] = Counter()
    problems: list[Problem] = []
    for report in reports:
        counts.update(report.counts)
        problems += report.problems
    return PassReport({name: counts[name] for name in COUNTS}, tuple(problems))


def each_once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return each cause of a mailbox once, however many items it holds up.

    What is quarantined stays one by one: each item is named.
    """
    found: dict[tuple[str, str, str | None], Problem] = {}
    for one in problems:
        key = (one.record_id, one.reason, one.hint)
        if one.kind is ProblemKind.QUARANTINED:
            key = (one.record_id, one.item_id or "", None)
        known = found.get(key)
        if known is None:
            found[key] = one
        else:
            count = known.count + (one.item_id is not None)
            found[key] = replace(known, item_id=None, count=count)
    return tuple(found.values())
