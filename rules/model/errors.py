"""The room's errors."""

from __future__ import annotations

from collections.abc import Sequence

from kernel.errors import InputRefused, PolicyInvalid
from rules.syntax.complaint import Complaint


class PolicySetInvalid(PolicyInvalid):
    """A policy folder holds mistakes; none of it was loaded.

    `complaints` lists every mistake found, in the order of files and lines.
    """

    code = "policy-invalid"

    def __init__(self, complaints: Sequence[Complaint]) -> None:
        self.complaints = tuple(complaints)
        errors = [c for c in self.complaints if c.level == "error"]
        count = "1 complaint" if len(errors) == 1 else f"{len(errors)} complaints"
        lines = "\n".join(str(complaint) for complaint in self.complaints)
        super().__init__(
            f"The policy folder was not loaded, {count}:\n{lines}",
            hint="Mend the files and run `mailbox-guard policy validate`.",
        )


class ChangeUnreadable(InputRefused):
    """A change given as a document cannot be understood; each complaint says where."""

    code = "change-unreadable"

    def __init__(self, complaints: Sequence[Complaint]) -> None:
        self.complaints = tuple(complaints)
        lines = "\n".join(str(complaint) for complaint in self.complaints)
        super().__init__(
            f"The change was not understood:\n{lines}",
            hint="Give operation, entity, old, new, actor and facts as in a test fixture.",
        )


class PathUnknown(InputRefused):
    """A path to be set names no field, or the value does not fit it."""

    code = "path-unknown"


class RecordUnreadable(InputRefused):
    """A text is no recorded decision; nothing was replayed."""

    code = "record-unreadable"
