"""What a probe says: how grave it is, what was seen, what that means, and the mend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kernel.words import DocumentedWord


class Severity(DocumentedWord):
    """How grave a diagnosis is."""

    ERROR = "error", "Something does not work, or stands open."
    WARN = "warn", "It works, and is weaker than it should be."
    NOT_KNOWN = "not-known", "It could not be found out, and so it does not count as well."
    NOTE = "note", "Worth knowing; nothing need be done."
    WELL = "well", "As it should be."


CLEAN = frozenset({Severity.WELL, Severity.NOTE})


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One answer of one probe: `about` names the thing, `told` says what was seen of it.

    `means` and `mend` are for people; both are empty where all is well.
    """

    code: str
    severity: Severity
    told: str
    about: str = ""
    means: str = ""
    mend: str = ""

    @property
    def is_clean(self) -> bool:
        """Return whether nothing need be done; what is not known is never clean."""
        return self.severity in CLEAN

    def listed(self) -> dict[str, Any]:
        """Return it as programs read it."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "about": self.about,
            "told": self.told,
            "means": self.means,
            "mend": self.mend,
        }


def gravest_first(diagnoses: Iterable[Diagnosis]) -> list[Diagnosis]:
    """Return them by severity, and within one severity as they came."""
    order = list(Severity)
    return sorted(diagnoses, key=lambda one: order.index(one.severity))
