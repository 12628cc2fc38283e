"""All probes, asked of one installation: what must be there first, then the rest side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.doctor.access import AccessLine
from console.doctor.diagnosis import Diagnosis, Severity, gravest_first
from console.doctor.installation import Installation
from console.doctor.permissions import access_table
from console.doctor.probe import Probe
from console.doctor.table import FIRST, PROBES
from kernel.errors import GuardError

PROBE_SECONDS = 25.0
UNASKED = "unasked"
UNASKED_MEANS = "What was not asked does not count as well."


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found, the gravest first, and the access permission by permission."""

    diagnoses: tuple[Diagnosis, ...]
    access: tuple[AccessLine, ...]

    @property
    def is_clean(self) -> bool:
        """Return whether nothing need be done, and nothing is unknown."""
        return all(one.is_clean for one in self.diagnoses)

    @property
    def counts(self) -> dict[str, int]:
        """Return how many diagnoses there are of each severity."""
        return {
            severity.value: sum(one.severity is severity for one in self.diagnoses)
            for severity in Severity
        }

    def listed(self) -> dict[str, Any]:
        """Return it as programs read it."""
        return {
            "clean": self.is_clean,
            "counts": self.counts,
            "findings": [one.listed() for one in self.diagnoses],
            "access": [one.listed() for one in self.access],
        }


async def examine(
    house: Installation,
    probes: Mapping[str, Probe] = PROBES,
    *,
    first: Sequence[str] = FIRST,
    probe_seconds: float = PROBE_SECONDS,
) -> Report:
    """Ask every probe and return what was found. Takes twice `probe_seconds` at most.

    What cannot be asked, because a service does not answer, is told once for that service.
    """
    found: list[Diagnosis] = []
    for code in first:
        if code in probes:
            found += await _asked(probes[code], house, probe_seconds)
    later = [probe for code, probe in probes.items() if code not in first]
    askable = [probe for probe in later if probe.needs.isdisjoint(house.lacking)]
    answers = await asyncio.gather(*(_asked(one, house, probe_seconds) for one in askable))
    found += [diagnosis for answer in answers for diagnosis in answer]
    found += _unasked(later, house)
    access = await access_table(house)
    return Report(tuple(gravest_first(found)), tuple(access))


async def _asked(probe: Probe, house: Installation, seconds: float) -> Sequence[Diagnosis]:
    try:
        async with asyncio.timeout(seconds):
            return await probe.ask(house)
    except TimeoutError:
        return [probe.not_known(f"There was no answer within {seconds:g} seconds.")]
    except GuardError as error:
        return [probe.not_known(error.message, mend=error.hint)]


def _unasked(probes: Sequence[Probe], house: Installation) -> list[Diagnosis]:
    """Return one diagnosis for each thing that is lacking, with the probes that need it."""
    told = []
    for need, why in house.lacking.items():
        codes = [probe.code for probe in probes if need in probe.needs]
        if codes:
            told.append(
                Diagnosis(
                    UNASKED,
                    Severity.NOT_KNOWN,
                    f"Not asked, since {why}: {', '.join(codes)}.",
                    about=need.value,
                    means=UNASKED_MEANS,
                    mend="Mend that first, then run `mailbox-guard doctor` again.",
                )
            )
    return told
