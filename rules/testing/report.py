"""What a test run found and what it has not seen, as complaints at the lines concerned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rules.explain.render import involved_text
from rules.policy.conditions import Location
from rules.syntax.complaint import CODES, Complaint
from rules.testing.coverage import Coverage
from rules.testing.mutate import Mutations
from rules.testing.run import CaseResult, TestRun, explained, involved

MOST_TOLD: Final = 5
TEST_CODES: Final[Mapping[str, str]] = {
    **CODES,
    "case-failed": "A test case came out otherwise than it expects.",
    "rule-not-seen": "No case saw the rule pass, or none saw it fail.",
    "condition-not-seen": "No case saw the condition hold, or none saw it not hold.",
    "change-not-noticed": "The policy can be changed here and every case still passes.",
    "too-little-seen": "Less was seen or noticed than was asked for.",
}
"""What each code of a test run's complaints means, those of the loader included."""


@dataclass(frozen=True, slots=True)
class TestReport:
    """A test run with what was asked for besides; what was not asked for is None.

    `shortfalls` are sentences about what was asked for and not reached.
    """

    # pytest would otherwise take the class for a test of its own.
    __test__ = False

    run: TestRun
    coverage: Coverage | None
    mutations: Mutations | None
    shortfalls: tuple[str, ...]

    def failure(self, case: CaseResult) -> list[str]:
        """Return what was expected and what came, with the rules concerned and their values."""
        lines = list(case.differences)
        (explanation,) = explained([case], self.run.policy_set)
        if explanation is not None:
            # With nothing to go by, what could have spoken is told.
            rules = sorted(involved(case)) or list(explanation.rule_ids)
            more = rules[MOST_TOLD:]
            lines += involved_text(explanation, rules[:MOST_TOLD])
            if more:
                lines.append(f"and {len(more)} more rules: {', '.join(more)}")
        return lines

    def complaints(self, root: Path) -> list[Complaint]:
        """Return everything that a person must look at, at its line."""
        found = list(self.run.complaints)
        for case in self.run.failed:
            text = f"{case.name}: {'; '.join(case.differences)}"
            text = text if text.endswith((".", "?")) else f"{text}."
            found.append(Complaint(case.file, case.line, 1, "case-failed", text))
        if self.coverage is not None:
            for rule in self.coverage.rules:
                if not rule.is_whole:
                    text = f"No case saw `{rule.id}` {' or '.join(rule.never)}."
                    found.append(_warning(rule.place, "rule-not-seen", text))
            for one in self.coverage.conditions:
                if not one.is_whole:
                    text = f"`{one.words}` was never {' nor '.join(one.never)}."
                    found.append(_warning(one.place, "condition-not-seen", text))
        for mutant in self.mutations.survivors if self.mutations is not None else ():
            text = f"No case of `{mutant.owner}` notices this change: {mutant.words}."
            found.append(_warning(mutant.place, "change-not-noticed", text))
        for text in self.shortfalls:
            found.append(Complaint(str(root), 1, 1, "too-little-seen", text))
        return found


def _warning(place: Location, code: str, text: str) -> Complaint:
    return Complaint(place.file, place.line, place.column, code, text, level="warning")
