"""The registration in Dataverse as it stands, what became of deliveries, and the newest of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select

from console.doctor.diagnosis import Diagnosis, Severity
from console.doctor.installation import Installation, Prerequisite
from console.doctor.probe import Probe
from guard.columns.table import TABLES
from guard.ledger.tables import decisions
from guard.ports.dataverse_registry import DataverseRegistry
from guard.ports.registry import Registration
from guard.registration.desired import (
    StepChoice,
    desired_registration,
    endpoint_id_of,
    step_ids_of,
)
from guard.registration.deviation import deviations
from rules.engine.delivered import delivered_columns

FAILED = 31
LATELY = timedelta(days=7)
QUIET = timedelta(days=7)
_MOST = 3


async def registration_of(house: Installation) -> Registration:
    """Return what of ours stands in Dataverse."""
    me = await house.myself()
    registry = DataverseRegistry(house.connected().dataverse)
    return await registry.read(
        endpoint_id_of(me.organization_id), step_ids=step_ids_of(me.organization_id)
    )


class StepsRegistered(Probe):
    """Endpoint, steps and images stand in Dataverse as they should."""

    code = "steps-registered"
    looks_at = (
        "Endpoint, steps, their state and their images, against what the loaded policies need."
    )
    worst = Severity.ERROR
    means = "Edits go past the guard, or reach it without the columns that its policies judge by."
    mend = "Run `mailbox-guard dataverse register`, and find out who altered it."
    needs = frozenset({Prerequisite.DATAVERSE, Prerequisite.POLICIES})

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Compare what stands there with what should."""
        me, found = await house.myself(), await registration_of(house)
        if found.endpoint is None:
            told = "The guard is not registered in Dataverse."
            mend = "Run `mailbox-guard dataverse register` with the --url of the guard."
            return [self.found(Severity.ERROR, told, mend=mend)]
        policies = house.policies
        offered = await DataverseRegistry(house.connected().dataverse).offers(tuple(TABLES))
        is_async = not any(step.is_synchronous for step in found.steps)
        wanted = desired_registration(
            me.organization_id,
            house.webhook_url or found.endpoint.url,
            offered=offered,
            named=delivered_columns(policies) if policies is not None else {},
            choice=StepChoice.ASYNC if is_async else StepChoice.BOTH,
        )
        differing = deviations(wanted.registration, found)
        answers = [self.found(Severity.ERROR, one.text) for one in differing[:_MOST]]
        if len(differing) > _MOST:
            told = f"{len(differing) - _MOST} more differ: `mailbox-guard dataverse status`."
            answers.append(self.found(Severity.ERROR, told))
        answers += [
            self.found(Severity.ERROR, f"No step can be registered on {message} of {table}.")
            for message, table in wanted.not_guarded
        ]
        if is_async:
            told = "Only asynchronous steps are registered: nothing is stopped, all is seen."
            means = "A wrong edit holds until it is written back."
            mend = "After the first week, run `mailbox-guard dataverse register --steps both`."
            answers.append(self.found(Severity.WARN, told, means=means, mend=mend))
        return answers or [self.well(f"{len(found.steps)} steps stand as they should.")]


class DeliveriesArrive(Probe):
    """Deliveries arrive, and none of them failed lately."""

    code = "deliveries-arrive"
    looks_at = (
        "System jobs of our asynchronous steps that failed within a week, and the newest decision."
    )
    worst = Severity.ERROR
    means = (
        "An edit whose delivery failed was not judged when it was made; reconciliation finds it "
        "within its interval."
    )
    mend = "Read the job's message; 0x80050201 to 0x80050205 stand in docs/dataverse-setup.md."
    needs = frozenset({Prerequisite.DATAVERSE, Prerequisite.DATABASE})

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Read failed jobs, and when the newest decision was made."""
        now, found = house.clock.now(), await registration_of(house)
        since = f"{now - LATELY:%Y-%m-%dT%H:%M:%SZ}"
        failed: list[str] = []
        for step in found.steps:
            if step.is_synchronous:
                continue
            rows = await house.connected().dataverse.rows(
                "asyncoperations",
                select=("friendlymessage", "completedon"),
                filter=f"statuscode eq {FAILED} and _owningextensionid_value eq {step.id} "
                f"and completedon ge {since}",
                reason="doctor: read failed system jobs of our steps",
            )
            failed += [str(row.get("friendlymessage") or "")[:200] for row in rows]
        answers = []
        if failed:
            told = f"{len(failed)} deliveries failed within a week; the newest says: {failed[-1]}"
            answers.append(self.found(Severity.ERROR, told))
        newest = await house.opened().read(
            lambda c: c.scalar(select(func.max(decisions.c.decided_at)))
        )
        answers.append(self._newest(newest, now))
        return answers

    def _newest(self, newest: datetime | None, now: datetime) -> Diagnosis:
        if newest is None:
            return self.not_known(
                "No delivery was ever decided.",
                mend="Save a mailbox form in Dataverse without changing anything, and look again.",
            )
        told = f"The newest decision was made at {newest.isoformat(timespec='seconds')}."
        if now - newest > QUIET:
            return self.not_known(f"{told} Whether deliveries still arrive is not known.")
        return self.well(told)


class SwitchesOn(Probe):
    """The organisation demands that addresses are approved."""

    code = "switches-on"
    looks_at = "The organisation's switches that let only approved users and queues be processed."
    worst = Severity.ERROR
    means = (
        "Without them Microsoft's own sync works for a mailbox that nobody approved: what the "
        "guard rejects makes no difference there."
    )
    mend = (
        "In the system settings of the organisation, under e-mail, process e-mail only for "
        "approved users and queues."
    )
    needs = frozenset({Prerequisite.DATAVERSE})

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Read the switches."""
        around = await DataverseRegistry(house.connected().dataverse).surroundings()
        answers = []
        for name in ("requireapprovalforuseremail", "requireapprovalforqueueemail"):
            value = around.switches.get(name)
            if value is None:
                answers.append(self.not_known("The switch could not be read.", about=name))
            elif value:
                answers.append(self.well("It is on.", about=name))
            else:
                answers.append(self.found(Severity.ERROR, "It is off.", about=name))
        return answers
