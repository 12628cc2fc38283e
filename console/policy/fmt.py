"""`policy fmt`: the keys of policy files in their canonical order, comments kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.output import Output, emit, output_option
from console.policy.options import FOLDER
from rules.shipped import shipped_folder

if TYPE_CHECKING:
    from rules.complaint import Complaint


@click.command(help="Put the keys of policy files into their canonical order; comments stay.")
@click.argument("folder", type=FOLDER, required=False, envvar="MAILBOX_GUARD_POLICIES_DIR")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a file would change.")
@output_option()
def fmt(folder: Path | None, check: bool, outputs: Sequence[Output]) -> int:
    """Exit 0 when every file has its form, 1 when `--check` finds one that has not, 2 for none."""
    from rules.folder import read_folder
    from rules.formatting import format_text

    root = folder or shipped_folder()
    complaints: list[Complaint] = []
    texts = read_folder(root, complaints)
    for complaint in complaints:
        click.echo(str(complaint), err=True)
    changed = []
    for path, text in texts.items():
        formatted = format_text(path, text)
        if formatted != text:
            changed.append(path)
            if not check:
                (root / path).write_text(formatted, encoding="utf-8")
    verb = "would change" if check else "changed"
    lines = [f"{path} {verb}." for path in changed]
    lines.append(f"{len(changed)} of {len(texts)} files {verb}.")
    emit(outputs, {"files": len(texts), "changed": changed}, text=lambda: "\n".join(lines))
    if complaints:
        return 2
    return 1 if check and changed else 0
