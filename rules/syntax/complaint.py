"""One complaint about a file, with its place, its code and the way to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["error", "warning", "info"]

CODES: dict[str, str] = {
    "alias-limit": "Aliases of the file expand to more nodes than are allowed.",
    "approver-missing": "An exception lacks the person who approved it.",
    "case-idle": "`caseSensitive` changes nothing here.",
    "change-unnoticed": "The change alone of a column that comes beside others brings no delivery.",
    "condition-shape": "A condition is not exactly one of field, allOf, anyOf, not.",
    "conditions-too-many": "A rule has more conditions than are allowed.",
    "date-invalid": "A date or time cannot be read.",
    "entity-never-arrives": "No delivery of the entity ever comes, so nothing would be decided.",
    "entity-unknown": "The catalogue has no such entity.",
    "environment-unknown": "There is no params file for the chosen environment.",
    "exception-too-long": "An exception ends more than 180 days ahead.",
    "field-misplaced": "The field does not exist on every entity that the policy matches.",
    "field-never-arrives": "Nothing ever tells the field's value: no delivery, and no look-up.",
    "field-unknown": "The catalogue has no such field.",
    "file-empty": "A file holds nothing.",
    "file-left-out": "A file that looks like a policy's would not be read.",
    "file-misplaced": "A file stands where files of another kind do, and would not be read.",
    "file-irregular": "A YAML file is a pipe, a socket or a device, and is left out.",
    "file-too-large": "A file is larger than 64 KiB.",
    "file-unreadable": "A file cannot be read as UTF-8 text.",
    "folder-unreadable": "The policy folder does not exist or cannot be read.",
    "hole-unknown": "A hole of a message names no field and no param.",
    "key-missing": "A required key is missing.",
    "key-unknown": "The key is not known here.",
    "kind-unknown": "The file's kind is not known.",
    "label-unknown": "The choice has no such label.",
    "language-missing": "A text lacks the policy's own language.",
    "language-unknown": "The tag of a language is not one.",
    "list-unknown": "There is no such named list.",
    "message-empty": "A rule's message is empty.",
    "mode-unknown": "The mode is not off, audit, warn or enforce.",
    "name-duplicate": "Two files of one kind have the same name.",
    "name-invalid": "A name is not 3 to 63 small letters, digits or hyphens.",
    "name-not-file": "A policy's name is not its file's name.",
    "nesting-too-deep": "Conditions or values are nested deeper than allowed.",
    "operation-unnoticed": "No delivery of the operation ever comes.",
    "operator-misfit": "The operator does not fit the kind of the field.",
    "operator-missing": "A condition has a field and no operator.",
    "operator-unknown": "The operator is not known.",
    "param-misfit": "The override of a param is of another kind than its default.",
    "param-reserved": "A param has a name that means something else.",
    "param-unknown": "The policy has no such param.",
    "part-misfit": "The part cannot be taken of this field.",
    "pattern-invalid": "A regular expression cannot be compiled.",
    "pattern-too-long": "A regular expression is longer than allowed.",
    "policy-unknown": "There is no such policy.",
    "quotes-typographic": "A text is in typographic quotes, which YAML takes for a part of it.",
    "record-unusable": "A test names a recorded decision that cannot be read.",
    "release-idle": "A rule that holds nothing says who releases it.",
    "rule-duplicate": "Two rules of a policy have the same id.",
    "rule-unknown": "The policy has no such rule.",
    "rules-missing": "A policy has no rule.",
    "table-not-covered": "A rule on one table's address or approval has no counterpart.",
    "test-unknown": "A test refers to something that is not there.",
    "type-wrong": "A value is of the wrong kind.",
    "value-impossible": "The field can never hold the value, so the condition never decides.",
    "value-misfit": "A value does not fit the field it is compared with.",
    "value-unknown": "The value is not one of those allowed here.",
    "version-unknown": "The apiVersion is not one that is read.",
    "word-unquoted": "A word stands without quotes that YAML reads in two ways.",
    "zone-misplaced": "A time zone stands where nothing depends on it.",
    "zone-missing": "A part of a moment is asked for without its time zone.",
    "zone-unknown": "There is no such time zone.",
    "yaml-duplicate-key": "A mapping has the same key twice.",
    "yaml-syntax": "The file is not YAML.",
    "yaml-tag": "A YAML tag is not allowed.",
}
"""Every code that a complaint may carry, with what it means."""


FIELDS_LISTED: Final = "`mailbox-guard policy fields` lists them."
OPERATORS_LISTED: Final = "`mailbox-guard policy operators` lists them."
"""Hints where no known name is near."""


@dataclass(frozen=True, slots=True, order=True)
class Complaint:
    """What is wrong in a file: place, code, text, and the closest right name as a hint.

    Lines and columns count from 1. Only level "error" stops the loading;
    "info" is a remark of lint that asks for nothing.
    """

    file: str
    line: int
    column: int
    code: str
    text: str
    hint: str | None = None
    level: Level = "error"

    @property
    def place(self) -> tuple[str, int, int, str, str]:
        """Return what complaints are sorted by: file, line, column, code, text."""
        return self.file, self.line, self.column, self.code, self.text

    def __str__(self) -> str:
        mend = f" {self.hint}" if self.hint else ""
        note = "" if self.level == "error" else f"{self.level}: "
        return f"{self.file}:{self.line}:{self.column}: {note}{self.text}{mend} [{self.code}]"


def article(noun: str) -> str:
    """Return a noun with its article: `a rule`, `an exception`."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


MEANT: Final[Mapping[str, tuple[str, ...]]] = {
    "or": ("anyOf",), "any": ("anyOf",), "oneof": ("anyOf", "in"),
    "and": ("allOf",), "all": ("allOf",), "none": ("not",), "nor": ("not",),
    "user": ("systemuser", "actor.upn", "mailbox"), "users": ("systemuser",),
    "person": ("systemuser",),
    "requester": ("actor.upn",), "initiator": ("actor.upn",), "role": ("actor.roleTemplates",),
    "queues": ("queue",), "mail": ("message", "mailbox"), "email": ("emailaddress", "message"),
    "is": ("equals",), "eq": ("equals",), "equal": ("equals",), "==": ("equals",),
    "isnot": ("notEquals",), "ne": ("notEquals",), "neq": ("notEquals",), "!=": ("notEquals",),
    "gt": ("greater",), ">": ("greater",), "gte": ("greaterOrEquals",), "ge": ("greaterOrEquals",),
    "lt": ("less",), "<": ("less",), "lte": ("lessOrEquals",), "le": ("lessOrEquals",),
    "before": ("less",), "after": ("greater",),
    "like": ("matches",), "regex": ("matches",), "pattern": ("matches",),
    "has": ("contains",), "includes": ("contains",), "empty": ("exists",), "isnull": ("exists",),
    "deny": ("reject",), "block": ("reject",), "approve": ("hold",), "log": ("audit",),
    "modify": ("update",), "edit": ("update",), "insert": ("create",), "add": ("create",),
}  # fmt: skip
"""What people write who know other languages, and what it is called here."""


def closest(wanted: str, known: Iterable[str]) -> str | None:
    """Return a hint that names the known name that was meant, or is nearest to it, or None."""
    import difflib  # Only a mistake pays for this import.

    names = sorted(known)
    for name in MEANT.get(wanted.lower().replace("_", ""), ()):
        if name in names:
            return f"Did you mean `{name}`?"
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(wanted[:200].lower(), list(by_lower), n=1, cutoff=0.6)
    return f"Did you mean `{by_lower[near[0]]}`?" if near else None
