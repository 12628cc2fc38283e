"""A policy folder becomes remarks, and remarks that are safe to mend become mended texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from rules.lint.remark import Remark
from rules.lint.subject import Subject
from rules.lint.table import LINT_RULES
from rules.load.loader import load
from rules.syntax.complaint import Complaint
from rules.syntax.folder import read_folder

ALLOW: Final = "lint-allow:"
"""A comment `# lint-allow: code reason` on the line, or on the one before, silences a rule."""


def lint_folder(
    folder: Path,
    *,
    now: datetime,
    environment: str | None = None,
    audited: frozenset[str] | None = None,
) -> tuple[Remark, ...]:
    """Return every remark about a folder. Raises PolicySetInvalid when it does not load."""
    policy_set = load(folder, environment=environment, now=now)
    complaints: list[Complaint] = []
    texts = read_folder(folder, complaints)
    return lint(Subject.of(policy_set, texts, now=now, audited=audited))


def lint(subject: Subject) -> tuple[Remark, ...]:
    """Return every remark, in the order of files and lines."""
    found = (remark for rule in LINT_RULES.values() for remark in rule.check(subject))
    # A set, because a policy on several tables remarks the same place for each of them.
    kept = {remark for remark in found if not _is_allowed(remark.complaint, subject.texts)}
    return tuple(sorted(kept, key=lambda one: one.complaint.place))


def mended(remarks: Iterable[Remark], texts: Mapping[str, str]) -> dict[str, str]:
    """Return the new text of every file that has a safe mend; each line is changed once."""
    edits: dict[tuple[str, int], Remark] = {}
    for remark in remarks:
        if remark.edit is not None:
            edits.setdefault((remark.edit.file, remark.edit.line), remark)
    found: dict[str, list[str]] = {}
    # From the last line up, so that what is above keeps its number.
    for (file, line), remark in sorted(edits.items(), reverse=True):
        assert remark.edit is not None  # noqa: S101 - only those were kept.
        lines = found.setdefault(file, texts[file].splitlines(keepends=True))
        end = "\r\n" if lines[line - 1].endswith("\r\n") else "\n"
        new = [f"{text}{end}" for text in remark.edit.lines]
        lines[line - 1 : line - 1 + remark.edit.count] = new
    return {file: "".join(lines) for file, lines in found.items()}


def _is_allowed(complaint: Complaint, texts: Mapping[str, str]) -> bool:
    lines = texts.get(complaint.file, "").splitlines()
    for line in lines[max(complaint.line - 2, 0) : complaint.line]:
        _, mark, said = line.partition(ALLOW)
        if mark and complaint.code in said.split():
            return True
    return False
