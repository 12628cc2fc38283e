"""What `policy test` found, told: as words, as JSON, and as complaints at the lines concerned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from console.policy.options import complaint_json
from rules.syntax.complaint import CODES, Complaint

if TYPE_CHECKING:
    from rules.policy.conditions import Location
    from rules.testing.coverage import ConditionCoverage, Coverage, RuleCoverage
    from rules.testing.mutate import Mutations
    from rules.testing.run import CaseResult, Rehearsal

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
class Rehearsed:
    """A test run with what was asked for besides; what was not asked for is None."""

    report: Rehearsal
    coverage: Coverage | None
    mutations: Mutations | None
    shortfalls: tuple[str, ...]

    def failure(self, case: CaseResult) -> list[str]:
        """Return what was expected and what came, with the rules concerned and their values."""
        from rules.explain.render import involved_text
        from rules.testing.run import explained, involved

        lines = list(case.differences)
        (explanation,) = explained([case], self.report.policy_set)
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
        found = list(self.report.complaints)
        for case in self.report.failed:
            text = f"{case.name}: {'; '.join(case.differences)}"
            text = text if text.endswith((".", "?")) else f"{text}."
            found.append(Complaint(case.file, case.line, 1, "case-failed", text))
        if self.coverage is not None:
            for rule in self.coverage.rules:
                if not rule.is_whole:
                    text = f"No case saw `{rule.id}` {' or '.join(never_of_rule(rule))}."
                    found.append(_warning(rule.place, "rule-not-seen", text))
            for one in self.coverage.conditions:
                if not one.is_whole:
                    text = f"`{one.words}` was never {' nor '.join(never_of_condition(one))}."
                    found.append(_warning(one.place, "condition-not-seen", text))
        for mutant in self.mutations.survivors if self.mutations is not None else ():
            text = f"No case of `{mutant.owner}` notices this change: {mutant.words}."
            found.append(_warning(mutant.place, "change-not-noticed", text))
        for text in self.shortfalls:
            found.append(Complaint(str(root), 1, 1, "too-little-seen", text))
        return found


def never_of_rule(rule: RuleCoverage) -> list[str]:
    """Return what a rule was never seen to do."""
    seen = (("pass", rule.seen["passed"]), ("fail", rule.seen["failed"]))
    return [word for word, count in seen if not count]


def never_of_condition(condition: ConditionCoverage) -> list[str]:
    """Return what a condition was never seen to be."""
    return [word for word, n in (("true", condition.held), ("false", condition.failed)) if not n]


def _warning(place: Location, code: str, text: str) -> Complaint:
    return Complaint(place.file, place.line, place.column, code, text, level="warning")


def rehearsed_text(run: Rehearsed, *, shows_coverage: bool, mutates: bool) -> str:
    """Return the report for people: what failed and why, what was not seen, the counts."""
    return "\n".join(_lines(run, shows_coverage=shows_coverage, mutates=mutates))


def _lines(run: Rehearsed, *, shows_coverage: bool, mutates: bool) -> Iterator[str]:
    report, coverage, mutations = run.report, run.coverage, run.mutations
    yield from map(str, report.complaints)
    for case in report.failed:
        yield f"FAIL  {case.file}:{case.line}  {case.name}"
        yield from (f"      {line}" for line in run.failure(case))
    if coverage is not None and shows_coverage:
        yield from _coverage_lines(coverage)
    if mutations is not None and mutations.survivors:
        yield "Changes that no case noticed"
        for mutant in mutations.survivors:
            yield f"  {mutant.place}  {mutant.owner}  {mutant.words}"
        yield ""
    passed = len(report.cases) - len(report.failed)
    if not report.cases and not report.complaints:
        yield "There are no cases: they stand in files whose names end in `.test.yaml`."
    yield f"{passed} of {len(report.cases)} cases passed."
    if coverage is not None:
        yield (
            f"{coverage.rules_percent:.1f} % of {len(coverage.rules)} rules seen passing and "
            f"failing, {coverage.conditions_percent:.1f} % of {len(coverage.conditions)} "
            "conditions seen true and false."
        )
    if mutations is not None:
        noticed = mutations.tried - len(mutations.survivors)
        yield f"{noticed} of {mutations.tried} mutants noticed ({mutations.percent:.1f} %)."
    elif mutates:
        yield "No mutant was tried: that needs cases, and all of them passing."
    yield from run.shortfalls


def _coverage_lines(coverage: Coverage) -> Iterator[str]:
    from console.output import table

    head = ("rule", "passed", "failed", "by when", "by unless", "erred", "excepted", "never seen")
    rows = []
    for rule in coverage.rules:
        never = " or ".join(f"{word}ing" for word in never_of_rule(rule))
        rows.append((rule.id, *rule.seen.values(), never))
    yield from table(head, rows, title="Rules, and how often each was seen to do what").splitlines()
    unseen = [one for one in coverage.conditions if not one.is_whole]
    if unseen:
        yield ""
        yield "Conditions that were not seen both ways"
    for one in unseen:
        never = " nor ".join(never_of_condition(one))
        yield f"  {one.place}  {one.owner}  {one.stage}  {one.words}  never {never}"
    yield ""


def rehearsed_json(run: Rehearsed) -> dict[str, Any]:
    """Return the same as values; `coverage` and `mutants` are there when they were asked for."""
    told: dict[str, Any] = {
        "cases": len(run.report.cases),
        "failed": [
            {
                "file": c.file, "line": c.line, "name": c.name,
                "differences": list(c.differences), "details": run.failure(c),
            }
            for c in run.report.failed
        ],
        "complaints": [complaint_json(c) for c in run.report.complaints],
        "shortfalls": list(run.shortfalls),
    }  # fmt: skip
    if run.coverage is not None:
        told["coverage"] = _coverage_json(run.coverage)
    if run.mutations is not None:
        told["mutants"] = {
            "tried": run.mutations.tried,
            "percent": round(run.mutations.percent, 1),
            "survivors": [
                {"owner": m.owner, "file": m.place.file, "line": m.place.line, "words": m.words}
                for m in run.mutations.survivors
            ],
        }
    return told


def _coverage_json(coverage: Coverage) -> dict[str, Any]:
    return {
        "rules_percent": round(coverage.rules_percent, 1),
        "conditions_percent": round(coverage.conditions_percent, 1),
        "rules": [
            {"id": r.id, "file": r.place.file, "line": r.place.line, **r.seen}
            for r in coverage.rules
        ],
        "conditions": [
            {
                "owner": c.owner, "stage": c.stage, "words": c.words, "file": c.place.file,
                "line": c.place.line, "true": c.held, "false": c.failed,
            }
            for c in coverage.conditions
        ],
    }  # fmt: skip
