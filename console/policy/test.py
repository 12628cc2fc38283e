"""`policy test`: run the tests that a folder carries, and say what they have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.output import Output, emit, output_option
from console.policy.options import complaint_json, folder_options
from rules.shipped import shipped_folder

if TYPE_CHECKING:
    from rules.coverage import Coverage
    from rules.mutate import Mutations
    from rules.rehearse import CaseResult, Rehearsal

PERCENT = click.FloatRange(0, 100)
MUTANTS_MIN = 90.0
MOST_TOLD = 5


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
@output_option(("text", "json", "junit"))
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
    from rules.rehearse import rehearse

    report = rehearse(folder or shipped_folder(), environment=environment, only=chosen or None)
    counted: Coverage | None = _covered(report) if coverage or coverage_min is not None else None
    # Mutants of a set whose own tests fail would all be noticed.
    mutations = _mutated(report) if mutate and not report.failed and report.cases else None
    shortfalls = _shortfalls(counted, coverage_min, mutations, mutants_min)
    emit(
        outputs,
        _json(report, counted, mutations, shortfalls),
        text=lambda: _text(
            report, counted, mutations, shortfalls, shows_coverage=coverage, mutates=mutate
        ),
        junit=lambda: _junit(report, shortfalls),
    )
    if any(c.level == "error" for c in report.complaints):
        return 2
    return 1 if report.failed or shortfalls else 0


def _covered(report: Rehearsal) -> Coverage:
    from rules.cases import policies_named
    from rules.coverage import Coverage
    from rules.rehearse import explained

    named = policies_named(result.case for result in report.cases)
    coverage = Coverage(report.policy_set, named=named)
    for explanation in explained(report.cases, report.policy_set):
        if explanation is not None:
            coverage.add(explanation)
    return coverage


def _mutated(report: Rehearsal) -> Mutations:
    from console.progress import progress
    from rules.mutate import try_mutants

    cases = [result.case for result in report.cases]
    with progress("mutants") as advance:
        return try_mutants(report.policy_set, cases, advance=advance)


def _shortfalls(
    coverage: Coverage | None,
    coverage_min: float | None,
    mutations: Mutations | None,
    mutants_min: float,
) -> list[str]:
    found = []
    if coverage is not None and coverage_min is not None:
        for words, percent in (
            ("rules were seen passing and failing", coverage.rules_percent),
            ("conditions were seen true and false", coverage.conditions_percent),
        ):
            if percent < coverage_min:
                found.append(f"{percent:.1f} % of {words}; {coverage_min:g} % are asked for.")
    if mutations is not None and mutations.percent < mutants_min:
        found.append(
            f"{mutations.percent:.1f} % of mutants were noticed; {mutants_min:g} % are asked for."
        )
    return found


def _junit(report: Rehearsal, shortfalls: Sequence[str]) -> str:
    from console.policy.junit import cases_junit

    return cases_junit(
        report.cases,
        report.complaints,
        details=lambda case: "\n".join(_failure(case, report)),
        shortfalls=shortfalls,
    )


def _failure(case: CaseResult, report: Rehearsal) -> list[str]:
    """Return what was expected and what came, with the rules concerned and their values."""
    from rules.rehearse import explained, involved
    from rules.telling import involved_text

    lines = list(case.differences)
    (explanation,) = explained([case], report.policy_set)
    if explanation is not None:
        # With nothing to go by, what could have spoken is told.
        rules = sorted(involved(case)) or list(explanation.rule_ids)
        lines += involved_text(explanation, rules[:MOST_TOLD])
        if len(rules) > MOST_TOLD:
            lines.append(f"and {len(rules) - MOST_TOLD} more rules: {', '.join(rules[MOST_TOLD:])}")
    return lines


def _text(
    report: Rehearsal,
    coverage: Coverage | None,
    mutations: Mutations | None,
    shortfalls: Sequence[str],
    *,
    shows_coverage: bool,
    mutates: bool,
) -> str:
    lines = [str(complaint) for complaint in report.complaints]
    for case in report.failed:
        lines.append(f"FAIL  {case.file}:{case.line}  {case.name}")
        lines += [f"      {line}" for line in _failure(case, report)]
    if coverage is not None and shows_coverage:
        lines += _coverage_text(coverage)
    if mutations is not None:
        lines += _mutations_text(mutations)
    passed = len(report.cases) - len(report.failed)
    lines.append(f"{passed} of {len(report.cases)} cases passed.")
    if coverage is not None:
        lines.append(
            f"{coverage.rules_percent:.1f} % of {len(coverage.rules)} rules seen passing and "
            f"failing, {coverage.conditions_percent:.1f} % of {len(coverage.conditions)} "
            "conditions seen true and false."
        )
    if mutations is not None:
        noticed = mutations.tried - len(mutations.survivors)
        lines.append(f"{noticed} of {mutations.tried} mutants noticed ({mutations.percent:.1f} %).")
    elif mutates:
        lines.append("No mutant was tried: that needs cases, and all of them passing.")
    return "\n".join([*lines, *shortfalls])


def _coverage_text(coverage: Coverage) -> list[str]:
    from console.output import table

    head = ("rule", "passed", "failed", "by when", "by unless", "erred", "excepted", "never seen")
    rows = []
    for rule in coverage.rules:
        missing = [word for word in ("passed", "failed") if not rule.seen[word]]
        never = {"passed": "passing", "failed": "failing"}
        rows.append((rule.id, *rule.seen.values(), " or ".join(never[word] for word in missing)))
    lines = table(head, rows, title="Rules, and how often each was seen to do what").splitlines()
    unseen = [one for one in coverage.conditions if not one.is_whole]
    if unseen:
        lines += ["", "Conditions that were not seen both ways"]
    for one in unseen:
        never_seen = [word for word, n in (("true", one.held), ("false", one.failed)) if not n]
        lines.append(
            f"  {one.place}  {one.owner}  {one.stage}  {one.words}"
            f"  never {' nor '.join(never_seen)}"
        )
    return [*lines, ""]


def _mutations_text(mutations: Mutations) -> list[str]:
    lines = ["Changes that no case noticed"] if mutations.survivors else []
    for mutant in mutations.survivors:
        lines.append(f"  {mutant.place}  {mutant.owner}  {mutant.words}")
    return [*lines, ""] if lines else []


def _json(
    report: Rehearsal,
    coverage: Coverage | None,
    mutations: Mutations | None,
    shortfalls: Sequence[str],
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "cases": len(report.cases),
        "failed": [
            {
                "file": c.file,
                "line": c.line,
                "name": c.name,
                "differences": list(c.differences),
                "details": _failure(c, report),
            }
            for c in report.failed
        ],
        "complaints": [complaint_json(c) for c in report.complaints],
        "shortfalls": list(shortfalls),
    }
    if coverage is not None:
        told["coverage"] = {
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
    if mutations is not None:
        told["mutants"] = {
            "tried": mutations.tried,
            "percent": round(mutations.percent, 1),
            "survivors": [
                {
                    "owner": m.owner,
                    "file": m.place.file,
                    "line": m.place.line,
                    "words": m.words,
                }
                for m in mutations.survivors
            ],
        }
    return told
