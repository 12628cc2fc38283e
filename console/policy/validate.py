"""`policy validate`: load a folder and list every complaint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.output import Output, emit, output_option
from console.policy.options import complaint_json, folder_options
from kernel.clock import SystemClock
from rules.complaint import Complaint
from rules.errors import PolicySetInvalid
from rules.loader import load, load_documents
from rules.policy_set import PolicySet
from rules.shipped import shipped_folder

if TYPE_CHECKING:
    pass


@click.command(help="Load a policy folder and list every complaint.")
@folder_options
@click.option("--schema", is_flag=True, help="Check each file against its JSON Schema as well.")
@output_option()
def validate(
    folder: Path | None,
    environment: str | None,
    schema: bool,
    outputs: Sequence[Output],
) -> int:
    """Exit 0 when the folder loads, 2 with every complaint when it does not."""
    root = folder or shipped_folder()
    loaded: PolicySet | None = None
    try:
        loaded = load(root, environment=environment, now=SystemClock().now())
        complaints: tuple[Complaint, ...] = loaded.warnings
    except PolicySetInvalid as invalid:
        complaints = invalid.complaints
    if schema:
        from rules.schema_pass import schema_complaints

        catalogue = (loaded or load_documents({})).catalogue
        complaints = (*complaints, *schema_complaints(root, catalogue))
    valid = loaded is not None and not any(c.level == "error" for c in complaints)
    summary = {
        "folder": str(root),
        "valid": valid,
        "digest": loaded.digest if loaded else None,
        "policies": len(loaded.policies) if loaded else None,
        "rules": _count_rules(loaded) if loaded else None,
        "enforced": loaded.enforced if loaded else None,
        "complaints": [complaint_json(c) for c in complaints],
    }
    emit(outputs, summary, text=lambda: _validate_text(summary, complaints))
    return 0 if valid else 2


def _count_rules(loaded: PolicySet) -> int:
    return sum(
        max((len(resolved.rules) for resolved in each.tables.values()), default=0)
        for each in loaded.policies
    )


def _validate_text(summary: dict[str, Any], complaints: Sequence[Complaint]) -> str:
    lines = [str(complaint) for complaint in complaints]
    if summary["valid"]:
        lines.append(
            f"{summary['folder']}: valid. {summary['policies']} policies, "
            f"{summary['rules']} rules, {summary['enforced']} enforced. Digest {summary['digest']}."
        )
    else:
        errors = sum(c.level == "error" for c in complaints)
        noun = "complaint" if errors == 1 else "complaints"
        lines.append(f"{summary['folder']}: not valid, {errors} {noun}.")
    return "\n".join(lines)
