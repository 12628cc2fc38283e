"""What a probe is: one question about an installation, which changes nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from console.doctor.diagnosis import Diagnosis, Severity
from console.doctor.installation import Installation, Prerequisite


class Probe(ABC):
    """One question. `worst` is the gravest answer it gives; `needs` is what must be there to ask.

    `means` and `mend` are said with every answer that is not clean, unless the answer has others.
    """

    code: ClassVar[str]
    looks_at: ClassVar[str]
    worst: ClassVar[Severity]
    means: ClassVar[str]
    mend: ClassVar[str]
    needs: ClassVar[frozenset[Prerequisite]] = frozenset()

    @abstractmethod
    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Return what was seen; raises a GuardError when there was no answer."""

    def well(self, told: str, *, about: str = "") -> Diagnosis:
        """Return that something is as it should be."""
        return Diagnosis(self.code, Severity.WELL, told, about)

    def found(
        self,
        severity: Severity,
        told: str,
        *,
        about: str = "",
        means: str | None = None,
        mend: str | None = None,
    ) -> Diagnosis:
        """Return something that is not as it should be."""
        said = self.means if means is None else means
        return Diagnosis(
            self.code, severity, told, about, said, self.mend if mend is None else mend
        )

    def note(self, told: str, *, about: str = "", mend: str = "") -> Diagnosis:
        """Return something worth knowing, about which nothing need be done."""
        return Diagnosis(self.code, Severity.NOTE, told, about, "", mend)

    def not_known(self, told: str, *, about: str = "", mend: str | None = None) -> Diagnosis:
        """Return that there was no answer."""
        return self.found(Severity.NOT_KNOWN, told, about=about, mend=mend)
