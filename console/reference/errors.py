"""docs/errors.md: every error with its code and its answer, and every complaint about a policy."""

from __future__ import annotations

from collections.abc import Iterator

from console.reference.rooms import is_ours, modules
from console.reference.table import table
from kernel.errors import GuardError
from rules.syntax.complaint import CODES

_HEAD = """\
# Errors

Every error that reaches a person has a code that stays, a message that names the thing and the
reason, and mostly a hint with the mend. Over HTTP it is answered as `application/problem+json` with
the status below; a command prints message and hint to stderr and ends with the exit code. Exit
codes everywhere: 0 done and clean, 1 the answer is no, 2 could not be done, 3 our own fault.

A refusal by a policy is no error: it is a decision, see [answers](answers.md).

"""
_COMPLAINTS = """
## Complaints about a policy folder

`mailbox-guard policy validate` lists every complaint at once, each as
`file:line:column: text hint [code]`; `serve` refuses to start with the same list. A `warning` does
not stop the loading.

"""


def errors_page() -> str:
    """Return docs/errors.md."""
    return (
        _HEAD
        + table(
            ("code", "HTTP", "exit", "try again", "meaning"),
            (
                (
                    f"`{each.code}`",
                    str(each.http_status),
                    str(each.exit_code),
                    "yes" if each.transient else "no",
                    _meaning(each),
                )
                for each in sorted(error_classes(), key=lambda one: one.code)
            ),
        )
        + _COMPLAINTS
        + table(("code", "meaning"), ((f"`{code}`", text) for code, text in CODES.items()))
    )


def error_classes() -> list[type[GuardError]]:
    """Return every error class that people may meet: one for each code, the most general one.

    The root itself and classes that stand for no situation of their own (they begin with an
    underscore) are left out.
    """
    for _ in modules():
        pass
    found: dict[str, type[GuardError]] = {}
    for each in _below(GuardError):
        if is_ours(each.__module__) and not each.__name__.startswith("_"):
            found.setdefault(each.code, each)
    return list(found.values())


def _below(parent: type[GuardError]) -> Iterator[type[GuardError]]:
    """Yield all subclasses, level by level, so that the general ones come first."""
    level = parent.__subclasses__()
    while level:
        yield from level
        level = [child for each in level for child in each.__subclasses__()]


def _meaning(each: type[GuardError]) -> str:
    paragraph = (each.__doc__ or "").strip().split("\n\n", 1)[0]
    return " ".join(paragraph.split())
