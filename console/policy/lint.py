"""`policy lint`: what loads and works, and is still likely to be a mistake."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from console.output import Output, counted, emit, output_option, write_whole
from console.policy.options import complaint_json, folder_options, taken
from console.reports import REPORT_FORMATS, reports
from kernel.clock import SystemClock
from rules.syntax.complaint import Complaint


@click.command(help="Look for what loads and is still likely to be a mistake.")
@folder_options
@click.option("--fix", is_flag=True, help="Mend what can be mended without changing a decision.")
@click.option("--warn-as-error", is_flag=True, help="Exit 1 for warnings too.")
@output_option(REPORT_FORMATS)
def lint(
    folder: Path | None,
    environment: str | None,
    fix: bool,
    warn_as_error: bool,
    outputs: Sequence[Output],
) -> int:
    """Exit 0 without an error, 1 with one, 2 when the folder does not load; see docs/lint.md."""
    from console.policy.history import ever_audited
    from rules.lint.run import lint_folder, mended
    from rules.lint.table import LINT_RULES
    from rules.syntax.folder import read_folder

    root = taken(folder)
    now, audited = SystemClock().now(), ever_audited(root)
    remarks = lint_folder(root, now=now, environment=environment, audited=audited)
    if fix:
        written = mended(remarks, read_folder(root, []))
        for file, text in written.items():
            write_whole(root / file, text)
            click.echo(f"{file} was mended.", err=True)
        if written:
            remarks = lint_folder(root, now=now, environment=environment, audited=audited)
    complaints = [remark.complaint for remark in remarks]
    fixable = sum(remark.edit is not None for remark in remarks)
    summary = {
        "folder": str(root),
        "remarks": [
            {**complaint_json(one.complaint), "fixable": one.edit is not None} for one in remarks
        ],
    }
    docs = {code: rule.doc for code, rule in LINT_RULES.items()}
    emit(
        outputs,
        summary,
        text=lambda: _text(complaints, fixable),
        **reports(complaints, root, suite="policy lint", docs=docs),
    )
    bad = ("error", "warning") if warn_as_error else ("error",)
    return 1 if any(one.level in bad for one in complaints) else 0


def _text(complaints: Sequence[Complaint], fixable: int) -> str:
    counts = [
        counted(count, level, "info" if level == "info" else "")
        for level in ("error", "warning", "info")
        if (count := sum(one.level == level for one in complaints))
    ]
    last = f"{', '.join(counts)}." if counts else "Nothing to remark."
    mend = f" `--fix` mends {fixable}." if fixable else ""
    return "\n".join([*map(str, complaints), last + mend])
