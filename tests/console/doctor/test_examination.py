"""Every probe is asked within its time, and what has no answer is not known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

import pytest

from cloud.errors import BadAnswer
from console.doctor.diagnosis import Diagnosis, Severity
from console.doctor.examination import UNASKED, examine
from console.doctor.installation import Installation, OwnApplication, Prerequisite, claims_of
from console.doctor.probe import Probe
from kernel.clock import FrozenClock
from kernel.errors import Unavailable
from kernel.settings import Secret, load


class Odd(Probe):
    """A probe that does what the test says."""

    code = "odd"
    looks_at = "Nothing."
    worst = Severity.ERROR
    means = "Something."
    mend = "Somehow."
    answer: ClassVar[Severity | Exception | None] = Severity.WELL

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            await asyncio.Event().wait()
            return []
        return [self.found(self.answer, "Seen.")]


class NeedsGraph(Odd):
    needs = frozenset({Prerequisite.GRAPH})


@pytest.fixture
def house(clock: FrozenClock) -> Installation:
    bare = OwnApplication("guard", "", Secret(""), None, "", problem=Unavailable("Not configured."))
    return Installation(load({}), clock, guard=bare)


def answering(answer: Severity | Exception | None, kind: type[Odd] = Odd) -> dict[str, Probe]:
    made = type("Made", (kind,), {"answer": answer})()
    return {made.code: made}


@pytest.mark.parametrize(
    ("severity", "is_clean"),
    [
        (Severity.WELL, True),
        (Severity.NOTE, True),
        (Severity.WARN, False),
        (Severity.ERROR, False),
        (Severity.NOT_KNOWN, False),
    ],
)
async def test_only_what_is_well_or_a_note_is_clean(
    house: Installation, severity: Severity, is_clean: bool
) -> None:
    report = await examine(house, answering(severity), first=())
    assert report.is_clean is is_clean
    assert report.counts[severity.value] == 1


async def test_a_probe_without_an_answer_is_not_known(house: Installation) -> None:
    report = await examine(house, answering(Unavailable("Gone.", hint="Wait.")), first=())
    (one,) = report.diagnoses
    assert (one.severity, one.told, one.mend) == (Severity.NOT_KNOWN, "Gone.", "Wait.")
    assert not report.is_clean


async def test_a_probe_that_takes_too_long_is_not_known(house: Installation) -> None:
    report = await examine(house, answering(None), first=(), probe_seconds=0.01)
    assert [one.severity for one in report.diagnoses] == [Severity.NOT_KNOWN]


async def test_what_needs_a_service_that_is_away_is_told_once(house: Installation) -> None:
    house.lacking[Prerequisite.GRAPH] = "Microsoft Graph does not answer"
    report = await examine(house, answering(Severity.WELL, NeedsGraph), first=())
    (one,) = report.diagnoses
    assert (one.code, one.severity) == (UNASKED, Severity.NOT_KNOWN)
    assert one.told == "Not asked, since Microsoft Graph does not answer: odd."


def test_a_token_that_cannot_be_read_tells_nothing() -> None:
    for token in ("", "opaque", "a.b.c", "a.W10.c"):
        with pytest.raises(BadAnswer):
            claims_of(token)


def test_a_token_tells_its_claims() -> None:
    assert claims_of("a.eyJyb2xlcyI6IFsiTWFpbC5SZWFkIl19.c") == {"roles": ["Mail.Read"]}
