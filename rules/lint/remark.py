"""What a lint rule is, and what it says: a complaint, with the edit that mends it if it is safe."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from rules.lint.subject import Subject
from rules.policy.conditions import Location
from rules.syntax.complaint import Complaint, Level


@dataclass(frozen=True, slots=True)
class Edit:
    """Put `lines` in the place of `count` lines of a file, from `line` on (counted from 1)."""

    file: str
    line: int
    count: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remark:
    """A complaint of a lint rule; `edit` is there when the mend cannot change a decision."""

    complaint: Complaint
    edit: Edit | None = None


class LintRule(ABC):
    """One thing to look for. `wrong` and `right` are examples: the keys of a file that matter."""

    code: ClassVar[str]
    level: ClassVar[Level]
    doc: ClassVar[str]
    why: ClassVar[str]
    mend: ClassVar[str]
    is_fixable: ClassVar[bool] = False
    wrong: ClassVar[str]
    right: ClassVar[str]

    @abstractmethod
    def check(self, subject: Subject) -> Iterator[Remark]:
        """Yield what the rule has to say about a policy folder."""

    def remark(self, place: Location, text: str, *, edit: Edit | None = None) -> Remark:
        """Return a remark at a place, with the rule's code, level and mend."""
        complaint = Complaint(
            place.file, place.line, place.column, self.code, text, self.mend, self.level
        )
        return Remark(complaint, edit)
