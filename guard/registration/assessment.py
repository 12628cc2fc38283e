"""How what stands in Dataverse is to be judged: pure.

What differs from what was registered and accepted is nobody's word that we know of. What newer
policies want beside it is no tampering, and neither is a pause.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from guard.ports.registry import Registration, Step, Surroundings
from guard.registration.deviation import Deviation, deviations, surroundings_deviations
from guard.registration.pause import Pause, pause_of
from guard.registration.stored import Remembered


@dataclass(frozen=True, slots=True)
class Assessment:
    """What was found.

    `deviations` have nobody's word, `accepted` a person's. `outdated` is what is wanted now and was
    not when it was registered; `dataverse register` mends both. `pause` is the one that holds and
    ends last, `overdue` are the steps whose pause is over, which have to be switched on again.
    """

    deviations: tuple[Deviation, ...] = ()
    accepted: tuple[Deviation, ...] = ()
    outdated: tuple[Deviation, ...] = ()
    pause: Pause | None = None
    overdue: tuple[Step, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Return whether nothing differs without a word, nothing is outdated, nothing is paused."""
        return not (self.deviations or self.outdated or self.pause or self.overdue)


def assess(
    known: Remembered | None,
    wanted: Registration,
    found: Registration,
    around: Surroundings,
    *,
    now: datetime,
) -> Assessment:
    """Judge what was found; `wanted` is what would be registered now.

    With nothing remembered, all that is wanted and differs is outdated: nothing can be tampered
    with that nobody registered.
    """
    pauses = {step.id: pause for step in found.steps if (pause := pause_of(step)) is not None}
    current = {one: pause for one, pause in pauses.items() if pause.is_current(now)}
    # A pause that was never allowed, longer than it may be, is a step that somebody switched off.
    over = {one for one, pause in pauses.items() if pause.until <= now}
    overdue = tuple(step for step in found.steps if step.id in over)

    def is_open(one: Deviation) -> bool:
        is_paused = one.column == "statecode" and (one.subject in current or one.subject in over)
        return not is_paused

    wants = tuple(filter(is_open, deviations(wanted, found)))
    if known is None:
        before: tuple[Deviation, ...] = ()
    else:
        before = tuple(filter(is_open, deviations(known.wanted, found)))
        before += surroundings_deviations(known.surroundings, around)
    told = {one.identity for one in before}
    accepted = frozenset() if known is None else known.accepted
    return Assessment(
        deviations=tuple(one for one in before if one.identity not in accepted),
        accepted=tuple(one for one in before if one.identity in accepted),
        outdated=tuple(one for one in wants if one.identity not in told),
        pause=max(current.values(), key=lambda one: one.until, default=None),
        overdue=overdue,
    )
