"""`policy fmt`: the keys of policy files in their canonical order, comments kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Final

import click

from console.output import Output, emit, output_option, write_whole
from console.policy.options import FOLDER, complaint_json, taken
from console.reports import REPORT_FORMATS, reports
from rules.syntax.complaint import CODES, Complaint

FORM_CODES: Final[Mapping[str, str]] = {**CODES, "form": "A line stands in another place."}


@click.command(help="Put the keys of policy files into their canonical order; comments stay.")
@click.argument("folder", type=FOLDER, required=False, envvar="MAILBOX_GUARD_POLICIES_DIR")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a file would change.")
@output_option(REPORT_FORMATS)
def fmt(folder: Path | None, check: bool, outputs: Sequence[Output]) -> int:
    """Exit 0 when every file has its form, 1 when `--check` finds one that has not, 2 for none."""
    from rules.format import format_text
    from rules.syntax.folder import read_folder

    root = taken(folder)
    complaints: list[Complaint] = []
    texts = read_folder(root, complaints)
    formatted = {path: format_text(path, text) for path, text in texts.items()}
    changed = [path for path, text in texts.items() if formatted[path] != text]
    left = complaints + [_complaint(path, texts[path], formatted[path]) for path in changed]
    if not check:
        left = complaints
        for path in changed:
            write_whole(root / path, formatted[path])
    verb = "would change" if check else "changed"
    told = {
        "files": len(texts),
        "changed": changed,
        "complaints": [complaint_json(one) for one in left],
    }
    emit(
        outputs,
        told,
        text=lambda: "\n".join(_lines(complaints, changed, len(texts), verb)),
        **reports(left, root, suite="policy fmt", docs=FORM_CODES),
    )
    if complaints:
        return 2
    return 1 if check and changed else 0


def _complaint(path: str, before: str, after: str) -> Complaint:
    """Return the complaint about the first line that would be another."""
    pairs = zip_longest(before.splitlines(), after.splitlines())
    line, wanted = next(
        ((n, new) for n, (old, new) in enumerate(pairs, 1) if old != new), (1, None)
    )
    # Files that differ in their line ends alone have no such line.
    text = f"Here belongs `{wanted.strip()[:80]}`." if wanted else "The spacing differs."
    return Complaint(path, line, 1, "form", text, "Run `mailbox-guard policy fmt`.")


def _lines(
    complaints: Sequence[Complaint], changed: Sequence[str], files: int, verb: str
) -> Iterator[str]:
    yield from map(str, complaints)
    yield from (f"{path} {verb}." for path in changed)
    yield f"{len(changed)} of {files} files {verb}."
