"""`policy test`: run the tests that a folder carries, and say what they have not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.output import Output, emit, output_option, table
from console.policy.options import complaint_json, folder_options, taken
from console.reports import REPORT_FORMATS, reports
from kernel.errors import InputRefused

if TYPE_CHECKING:
    from rules.testing.coverage import Coverage
    from rules.testing.mutate import Mutations
    from rules.testing.report import TestReport
    from rules.testing.run import TestRun

PERCENT = click.FloatRange(0, 100)
MUTANTS_MIN = 90.0


@click.command(help="Run the tests that a policy folder carries.")
@folder_options
@click.option("-k", "chosen", default="", help="Only cases whose name or file holds this text.")
@click.option("--coverage", is_flag=True, help="Tell what of each rule and condition was seen.")
@click.option(
    "--coverage-min",
    type=PERCENT,
    help="Exit 1 when fewer of a hundred rules were seen passing and failing, or fewer of a "
    "hundred conditions true and false.",
)
@click.option(
    "--mutate",
    is_flag=True,
    help="Change one operator or value at a time and name what no case notices.",
)
@click.option(
    "--mutants-min",
    type=PERCENT,
    default=MUTANTS_MIN,
    show_default=True,
    help="Exit 1 when, of a hundred such changes, fewer are noticed.",
)
@output_option(REPORT_FORMATS)
def test(
    folder: Path | None,
    environment: str | None,
    chosen: str,
    coverage: bool,
    coverage_min: float | None,
    mutate: bool,
    mutants_min: float,
    outputs: Sequence[Output],
) -> int:
    """Exit 0 when every case passes, 1 when one fails or too little was seen, 2 on mistakes."""
    from rules.testing.report import TEST_CODES, TestReport
    from rules.testing.run import run_folder

    root = taken(folder)
    run = run_folder(root, environment=environment, only=chosen or None)
    if chosen and not run.cases and not run.complaints:
        # A misspelt name must not look like tests that pass.
        raise InputRefused(
            f"No case and no test file has `{chosen}` in its name.",
            hint="Without -k every case is run.",
        )
    counted = _covered(run) if coverage or coverage_min is not None else None
    # Mutants of a set whose own tests fail would all be noticed.
    mutations = _mutated(run) if mutate and not run.failed and run.cases else None
    shortfalls = tuple(_shortfalls(counted, coverage_min, mutations, mutants_min))
    report = TestReport(run, counted, mutations, shortfalls)
    complaints = report.complaints(root)
    emit(
        outputs,
        report_json(report),
        text=lambda: report_text(report, shows_coverage=coverage, mutates=mutate),
        **{
            **reports(complaints, root, suite="policy test", docs=TEST_CODES),
            # CI servers count cases, also those that passed.
            "junit": lambda: _junit(report, root),
        },
    )
    if any(c.level == "error" for c in run.complaints):
        return 2
    return 1 if run.failed or shortfalls else 0


def _covered(run: TestRun) -> Coverage:
    from rules.testing.cases import policies_named
    from rules.testing.coverage import Coverage
    from rules.testing.run import explained

    named = policies_named(result.case for result in run.cases)
    coverage = Coverage(run.policy_set, named=named)
    for explanation in explained(run.cases, run.policy_set):
        if explanation is not None:
            coverage.add(explanation)
    return coverage


def _mutated(run: TestRun) -> Mutations:
    from console.progress import progress
    from rules.testing.mutate import try_mutants

    cases = [result.case for result in run.cases]
    with progress("mutants") as advance:
        return try_mutants(run.policy_set, cases, advance=advance)


def _shortfalls(
    coverage: Coverage | None,
    coverage_min: float | None,
    mutations: Mutations | None,
    mutants_min: float,
) -> Iterator[str]:
    if coverage is not None and coverage_min is not None:
        for words, percent in (
            ("rules were seen passing and failing", coverage.rules_percent),
            ("conditions were seen true and false", coverage.conditions_percent),
        ):
            if percent < coverage_min:
                yield f"{percent:.1f} % of {words}; {coverage_min:g} % are asked for."
    if mutations is not None and mutations.percent < mutants_min:
        yield f"{mutations.percent:.1f} % of mutants were noticed; {mutants_min:g} % are asked for."


def _junit(report: TestReport, root: Path) -> str:
    from console.policy.junit import cases_junit

    return cases_junit(
        report.run.cases,
        report.run.complaints,
        root,
        details=lambda case: "\n".join(report.failure(case)),
        shortfalls=report.shortfalls,
    )


def report_text(report: TestReport, *, shows_coverage: bool, mutates: bool) -> str:
    """Return the report for people: what failed and why, what was not seen, the counts."""
    return "\n".join(_lines(report, shows_coverage=shows_coverage, mutates=mutates))


def _lines(report: TestReport, *, shows_coverage: bool, mutates: bool) -> Iterator[str]:
    run, coverage, mutations = report.run, report.coverage, report.mutations
    yield from map(str, run.complaints)
    for case in run.failed:
        yield f"FAIL  {case.file}:{case.line}  {case.name}"
        yield from (f"      {line}" for line in report.failure(case))
    if coverage is not None and shows_coverage:
        yield from _coverage_lines(coverage)
    if mutations is not None and mutations.survivors:
        yield "Changes that no case noticed"
        for mutant in mutations.survivors:
            yield f"  {mutant.place}  {mutant.owner}  {mutant.words}"
        yield ""
    passed = len(run.cases) - len(run.failed)
    if not run.cases and not run.complaints:
        yield "There are no cases: they stand in files whose names end in `.test.yaml`."
    yield f"{passed} of {len(run.cases)} cases passed."
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
    yield from report.run.notes
    yield from report.shortfalls


def _coverage_lines(coverage: Coverage) -> Iterator[str]:
    head = ("rule", "passed", "failed", "by when", "by unless", "erred", "excepted", "never seen")
    rows = []
    for rule in coverage.rules:
        never = " or ".join(f"{word}ing" for word in rule.never)
        rows.append((rule.id, *rule.seen.values(), never))
    yield from table(head, rows, title="Rules, and how often each was seen to do what").splitlines()
    unseen = [one for one in coverage.conditions if not one.is_whole]
    if unseen:
        yield ""
        yield "Conditions that were not seen both ways"
    for one in unseen:
        never = " nor ".join(one.never)
        yield f"  {one.place}  {one.owner}  {one.stage}  {one.words}  never {never}"
    yield ""


def report_json(report: TestReport) -> dict[str, Any]:
    """Return the same as values; `coverage` and `mutants` are there when they were asked for."""
    told: dict[str, Any] = {
        "cases": len(report.run.cases),
        "failed": [
            {
                "file": c.file, "line": c.line, "name": c.name,
                "differences": list(c.differences), "details": report.failure(c),
            }
            for c in report.run.failed
        ],
        "complaints": [complaint_json(c) for c in report.run.complaints],
        "notes": list(report.run.notes),
        "shortfalls": list(report.shortfalls),
    }  # fmt: skip
    if report.coverage is not None:
        told["coverage"] = _coverage_json(report.coverage)
    if report.mutations is not None:
        told["mutants"] = {
            "tried": report.mutations.tried,
            "percent": round(report.mutations.percent, 1),
            "survivors": [
                {"owner": m.owner, "file": m.place.file, "line": m.place.line, "words": m.words}
                for m in report.mutations.survivors
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
