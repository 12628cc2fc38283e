"""Why a field cannot be compared: it is empty, unknown, or not of its declared kind.

A condition answers True, False or an UnknownValue, which is never "false" and never "true": it
travels up the condition tree until a branch decides without it, or the rule errs.
"""

from __future__ import annotations

from typing import Final

# A condition may name hundreds of fields; a person reads of a few.
_MOST_PATHS: Final = 8


class UnknownValue:
    """The reason why a condition has no answer, with the paths it stands for.

    `empty` is true for a field that is known to hold nothing; `unknown` lists the paths whose
    value could not be learnt, which is what may be judged again later.
    """

    __slots__ = ("empty", "paths", "text", "unknown")

    def __init__(
        self, paths: tuple[str, ...], text: str, *, empty: bool = False, unknown: bool = False
    ) -> None:
        self.paths = paths
        self.text = text
        self.empty = empty
        self.unknown: tuple[str, ...] = paths if unknown else ()

    def __repr__(self) -> str:
        return f"UnknownValue({self.text!r})"

    def joined(self, other: UnknownValue) -> UnknownValue:
        """Return one UnknownValue that names the paths of both."""
        if other is self or len(self.paths) >= _MOST_PATHS:
            return self
        fresh = tuple(path for path in other.paths if path not in self.paths)
        if not fresh:
            return self
        both = UnknownValue(self.paths + fresh, f"{self.text}; {other.text}")
        both.unknown = self.unknown + tuple(path for path in other.unknown if path in fresh)
        return both


def empty_value(path: str) -> UnknownValue:
    """Return the UnknownValue of a field that is known to hold nothing."""
    return UnknownValue((path,), f"{path} is empty", empty=True)


def unknown_value(path: str, reason: str) -> UnknownValue:
    """Return the UnknownValue of a value that could not be learnt.

    A reason may be a sentence; its full stop is left to the text that it becomes part of.
    """
    return UnknownValue((path,), f"{path} is not known: {reason.rstrip('.')}", unknown=True)


def misshapen_value(path: str, wanted: str) -> UnknownValue:
    """Return the UnknownValue of a value that is not of the declared kind."""
    return UnknownValue((path,), f"{path} does not hold {wanted}")
