"""`policy test`: run the tests that a folder carries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.output import Output, emit, output_option
from console.policy.options import complaint_json, folder_options
from rules.shipped import shipped_folder

if TYPE_CHECKING:
    from rules.rehearse import Rehearsal


@click.command(help="Run the tests that a policy folder carries.")
@folder_options
@click.option("-k", "chosen", default="", help="Only cases whose name holds this text.")
@output_option()
def test(
    folder: Path | None, environment: str | None, chosen: str, outputs: Sequence[Output]
) -> int:
    """Exit 0 when every case passes, 1 when one fails, 2 when the folder does not load."""
    from rules.rehearse import rehearse

    report = rehearse(folder or shipped_folder(), environment=environment, only=chosen or None)
    summary = {
        "cases": len(report.cases),
        "failed": [
            {"file": c.file, "line": c.line, "name": c.name, "differences": list(c.differences)}
            for c in report.failed
        ],
        "complaints": [complaint_json(c) for c in report.complaints],
    }
    emit(outputs, summary, text=lambda: _test_text(report))
    if any(c.level == "error" for c in report.complaints):
        return 2
    return 1 if report.failed else 0


def _test_text(report: Rehearsal) -> str:
    lines = [str(complaint) for complaint in report.complaints]
    for case in report.failed:
        lines.append(f"FAIL  {case.file}:{case.line}  {case.name}")
        lines += [f"      {difference}" for difference in case.differences]
    passed = len(report.cases) - len(report.failed)
    lines.append(f"{passed} of {len(report.cases)} cases passed.")
    return "\n".join(lines)
