"""`policy test`: run the tests that a folder carries, and say what they have not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.output import Output, emit, output_option
from console.policy.options import folder_options
from console.reports import REPORT_FORMATS, reports
from kernel.errors import InputRefused
from rules.syntax.shipped import shipped_folder

if TYPE_CHECKING:
    from console.policy.rehearsed import Rehearsed
    from rules.testing.coverage import Coverage
    from rules.testing.mutate import Mutations
    from rules.testing.run import Rehearsal

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
    from console.policy.rehearsed import TEST_CODES, Rehearsed, rehearsed_json, rehearsed_text
    from rules.testing.run import rehearse

    root = folder or shipped_folder()
    report = rehearse(root, environment=environment, only=chosen or None)
    if chosen and not report.cases and not report.complaints:
        # A misspelt name must not look like tests that pass.
        raise InputRefused(
            f"No case and no test file has `{chosen}` in its name.",
            hint="Without -k every case is run.",
        )
    counted = _covered(report) if coverage or coverage_min is not None else None
    # Mutants of a set whose own tests fail would all be noticed.
    mutations = _mutated(report) if mutate and not report.failed and report.cases else None
    shortfalls = tuple(_shortfalls(counted, coverage_min, mutations, mutants_min))
    run = Rehearsed(report, counted, mutations, shortfalls)
    complaints = run.complaints(root)
    emit(
        outputs,
        rehearsed_json(run),
        text=lambda: rehearsed_text(run, shows_coverage=coverage, mutates=mutate),
        **{
            **reports(complaints, root, suite="policy test", docs=TEST_CODES),
            # CI servers count cases, also those that passed.
            "junit": lambda: _junit(run, root),
        },
    )
    if any(c.level == "error" for c in report.complaints):
        return 2
    return 1 if report.failed or shortfalls else 0


def _covered(report: Rehearsal) -> Coverage:
    from rules.testing.cases import policies_named
    from rules.testing.coverage import Coverage
    from rules.testing.run import explained

    named = policies_named(result.case for result in report.cases)
    coverage = Coverage(report.policy_set, named=named)
    for explanation in explained(report.cases, report.policy_set):
        if explanation is not None:
            coverage.add(explanation)
    return coverage


def _mutated(report: Rehearsal) -> Mutations:
    from console.progress import progress
    from rules.testing.mutate import try_mutants

    cases = [result.case for result in report.cases]
    with progress("mutants") as advance:
        return try_mutants(report.policy_set, cases, advance=advance)


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


def _junit(run: Rehearsed, root: Path) -> str:
    from console.policy.junit import cases_junit

    return cases_junit(
        run.report.cases,
        run.report.complaints,
        root,
        details=lambda case: "\n".join(run.failure(case)),
        shortfalls=run.shortfalls,
    )
