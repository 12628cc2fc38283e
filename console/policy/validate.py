"""`policy validate`: load a folder and list every complaint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from console.output import Output, counted, emit, output_option
from console.policy.options import complaint_json, folder_options, taken
from console.reports import REPORT_FORMATS, reports
from kernel.clock import SystemClock
from rules.load.loader import Checked, check
from rules.model.errors import PolicySetInvalid
from rules.syntax.complaint import CODES, Complaint


@click.command(help="Load a policy folder and list every complaint.")
@folder_options
@click.option("--schema", is_flag=True, help="Check each file against its JSON Schema as well.")
@click.option("--warn-as-error", is_flag=True, help="Exit 2 for warnings too.")
@output_option(REPORT_FORMATS)
def validate(
    folder: Path | None,
    environment: str | None,
    schema: bool,
    warn_as_error: bool,
    outputs: Sequence[Output],
) -> int:
    """Exit 0 when the folder loads, 2 with every complaint when it does not."""
    root = taken(folder)
    loaded: Checked | None = None
    tests: dict[str, str] = {}
    try:
        loaded = check(root, environment=environment, now=SystemClock().now())
        tests = _tests_of(root)
        complaints: tuple[Complaint, ...] = (*loaded.warnings, *_misread(tests, loaded, root))
    except PolicySetInvalid as invalid:
        complaints = invalid.complaints
    spoiled = frozenset(one.file for one in complaints if one.level == "error")
    if schema or spoiled:
        from rules.schema.check import added_complaints

        added = added_complaints(root, complaints, only=None if schema else spoiled)
        complaints = tuple(sorted(added, key=lambda one: one.place))
    bad = ("error", "warning") if warn_as_error else ("error",)
    valid = loaded is not None and not any(one.level in bad for one in complaints)
    summary = {
        "folder": str(root),
        "valid": valid,
        "digest": loaded.digest if loaded else None,
        "policies": len(loaded.policies) if loaded else None,
        "rules": _count_rules(loaded) if loaded else None,
        "enforced": loaded.enforced if loaded else None,
        "tests": len(tests) if loaded else None,
        "complaints": [complaint_json(c) for c in complaints],
    }
    emit(
        outputs,
        summary,
        text=lambda: _validate_text(summary, complaints),
        **reports(complaints, root, suite="policy validate", docs=CODES),
    )
    return 0 if valid else 2


def _tests_of(root: Path) -> dict[str, str]:
    from rules.syntax.folder import is_test, read_folder

    return {path: text for path, text in read_folder(root, []).items() if is_test(path)}


def _misread(tests: dict[str, str], loaded: Checked, root: Path) -> list[Complaint]:
    """Return what is wrong with the tests of a folder, which are read and not run."""
    if not tests:
        return []
    from rules.testing.cases import misread_cases

    return misread_cases(tests, loaded, root)


def _count_rules(loaded: Checked) -> int:
    return sum(
        max((len(resolved.rules) for resolved in each.tables.values()), default=0)
        for each in loaded.policies
    )


def _validate_text(summary: dict[str, Any], complaints: Sequence[Complaint]) -> str:
    lines = [str(complaint) for complaint in complaints]
    if summary["valid"]:
        lines.append(
            f"{summary['folder']}: valid. {counted(summary['policies'], 'policy', 'policies')}, "
            f"{counted(summary['rules'], 'rule')}, {summary['enforced']} enforced. "
            f"Digest {summary['digest']}."
        )
    else:
        errors = sum(c.level == "error" for c in complaints)
        lines.append(f"{summary['folder']}: not valid, {counted(errors, 'complaint')}.")
    return "\n".join(lines)
