"""`mailbox-guard policy`: validate, test and check a policy folder, without any server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.output import Output, emit, output_option
from kernel.errors import InputRefused
from rules.complaint import Complaint
from rules.decision import Decision, Outcome
from rules.errors import PolicySetInvalid
from rules.loader import load, load_documents
from rules.policy_set import PolicySet
from rules.shipped import shipped_folder

if TYPE_CHECKING:
    from rules.rehearse import Rehearsal

_FOLDER = click.Path(path_type=Path, file_okay=False)


def _folder_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option(
        "--environment",
        envvar="MAILBOX_GUARD_ENVIRONMENT",
        help="Which params/<environment>.yaml applies.",
    )(command)
    return click.argument(
        "folder",
        type=_FOLDER,
        required=False,
        envvar="MAILBOX_GUARD_POLICIES_DIR",
    )(command)


@click.group(help="Validate, test and check policies.")
def policy() -> None:
    """Group the commands of policy authors."""


@policy.command(help="Load a policy folder and list every complaint.")
@_folder_options
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
        "complaints": [_complaint_json(c) for c in complaints],
    }
    emit(outputs, summary, text=lambda: _validate_text(summary, complaints))
    return 0 if valid else 2


def _count_rules(loaded: PolicySet) -> int:
    return sum(
        max((len(resolved.rules) for resolved in each.tables.values()), default=0)
        for each in loaded.policies
    )


def _complaint_json(complaint: Complaint) -> dict[str, Any]:
    return {
        "file": complaint.file,
        "line": complaint.line,
        "column": complaint.column,
        "level": complaint.level,
        "code": complaint.code,
        "text": complaint.text,
        "hint": complaint.hint,
    }


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


@policy.command(help="Run the tests that a policy folder carries.")
@_folder_options
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
        "complaints": [_complaint_json(c) for c in report.complaints],
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


@policy.command(help="Decide one change that stands in a file.")
@click.argument("change", type=click.File("rb"))
@_folder_options
@click.option("--now", help="The moment of the decision, ISO 8601; default: now.")
@output_option()
def check(
    change: Any,
    folder: Path | None,
    environment: str | None,
    now: str | None,
    outputs: Sequence[Output],
) -> int:
    """Exit 0 when the change is allowed, 1 when it is rejected or held."""

    from rules.decide import decide
    from rules.document import read_change

    policy_set = load(folder or shipped_folder(), environment=environment)
    text = change.read(1 << 20).decode("utf-8", "replace")
    given = read_change(text, policy_set.catalogue, file=change.name)
    at = _moment(now) if now else given.now or SystemClock().now()
    decided = decide(given.change, policy_set, given.facts, now=at)
    emit(outputs, _decision_json(decided), text=lambda: _decision_text(decided))
    return 1 if decided.outcome in (Outcome.REJECT, Outcome.HOLD) else 0


def _moment(text: str) -> Any:
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputRefused(
            f"--now is not a moment: {text}.", hint="Write 2026-11-23T10:00:00Z."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _decision_text(decided: Decision) -> str:
    lines = [str(decided.outcome).upper()]
    for finding in decided.findings:
        lines.append(f"  {finding.effect:6} {finding.id}  ({finding.severity})")
        lines.append(f"         {finding.message}")
        if finding.exception:
            lines.append(f"         excepted by {finding.exception}")
        if finding.help and finding.contributes is not Outcome.ALLOW:
            lines.append(f"         fix: {finding.help}")
    return "\n".join(lines)


def _decision_json(decided: Decision) -> dict[str, Any]:
    return {
        "decision": str(decided.outcome),
        "cause": decided.cause,
        "findings": [
            {
                "policy": finding.policy,
                "rule": finding.rule,
                "result": finding.result,
                "effect": finding.effect,
                "severity": finding.severity,
                "message": finding.message,
                "help": finding.help,
                "exception": finding.exception,
                "error": finding.error,
            }
            for finding in decided.findings
        ],
    }
