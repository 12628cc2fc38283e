"""Gathering: only what is needed, all at once, in two waves at most, within a deadline.

What has not come in by the deadline is a missing fact with that reason; nothing waits longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from guard.facts import age
from guard.facts.activity import Activity
from guard.facts.actor import ACTIVITY_FACTS, ActorFacts
from guard.facts.asking import asked_for
from guard.facts.business_unit import UNIT_FACTS, BusinessUnitFacts
from guard.facts.fact_sheet import FactSheet, Question
from guard.facts.history import HOLDER_FACTS, PAST_FACTS, HistoryFacts
from guard.facts.owner import ABOUT_OWNER, AddressOwnerFacts, OwnerFacts
from guard.facts.steward import StewardFacts
from kernel.log import get_logger

log = get_logger("guard")
SIDES = ("new", "old")


@dataclass(frozen=True, slots=True)
class Gatherer:
    """Looks up facts; `deadline_seconds` bounds the whole of one decision's look-ups."""

    actor: ActorFacts
    owner: OwnerFacts
    address_owner: AddressOwnerFacts
    history: HistoryFacts
    activity: Activity
    steward: StewardFacts
    business_unit: BusinessUnitFacts
    deadline_seconds: float = 5.0

    async def gather(self, question: Question) -> FactSheet:
        """Return what could be learnt and, for all else that is needed, why not."""
        # Each look-up writes what it learns into the sheet at once, so that one that is given up
        # leaves behind what it knew by then.
        sheet = FactSheet()
        waves = self._waves(question, sheet)
        with asked_for(question.actor_id):
            if waves and await self._are_late(waves):
                late = f"it did not come within {self.deadline_seconds:g} seconds"
                sheet.complete(question.needed, reason=late)
                sheet.unanswered = late
        sheet.complete(question.needed, reason="nothing supplies this fact")
        return sheet

    def _waves(self, question: Question, sheet: FactSheet) -> list[Coroutine[Any, Any, None]]:
        waves: list[Coroutine[Any, Any, None]] = []
        of_actor, of_facts = question.needs("actor."), question.needs("facts.")
        if of_actor & UNIT_FACTS:
            waves.append(self.business_unit.of_actor(question, sheet))
        if of_actor - ACTIVITY_FACTS - UNIT_FACTS:
            waves.append(self.actor.gather(question, sheet))
        if of_actor & ACTIVITY_FACTS:
            waves.append(self.activity.gather(question, sheet))
        if of_facts & HOLDER_FACTS:
            waves.append(self.history.holders(question, sheet))
        if of_facts & PAST_FACTS:
            waves.append(self.history.past(question, sheet))
        if "stewardLeft" in of_facts:
            waves.append(self.steward.gather(question, sheet))
        for side in SIDES:
            of_owner = question.needs(f"{side}.owner.")
            if of_owner & UNIT_FACTS:
                waves.append(self.business_unit.of_owner(question, side, sheet))
            if of_owner - UNIT_FACTS or (side == "new" and of_facts & ABOUT_OWNER):
                waves.append(self.owner.gather(question, side, sheet))
            if question.needs(f"{side}.addressOwner."):
                waves.append(self.address_owner.gather(question, side, sheet))
        return waves

    async def _are_late(self, waves: list[Coroutine[Any, Any, None]]) -> bool:
        """Run the waves; return whether some had to be given up at the deadline."""
        try:
            # The group leaves only when every look-up has ended, a cancelled one too: then no
            # finding changes any more while it is read.
            async with asyncio.timeout(self.deadline_seconds), asyncio.TaskGroup() as group:
                for wave in waves:
                    group.create_task(_looked_up(wave))
        except TimeoutError:
            return True
        return False


async def _looked_up(wave: Coroutine[Any, Any, None]) -> None:
    """Run a wave; what it raises is our own fault, and stops no other.

    Its facts stay unknown, so the rules that read them err.
    """
    age.forget()
    try:
        await wave
    except Exception as error:
        log.error("fact_look_up_failed", exc_info=error)
