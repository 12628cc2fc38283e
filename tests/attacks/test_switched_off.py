"""An administrator of Dataverse switches a step off, and on again before anybody looks."""

from __future__ import annotations

from console.wiring.connections import connect_guard
from guard.ports.dataverse_registry import DataverseRegistry
from guard.registration import register as registering
from guard.registration import stored
from guard.registration.desired import StepChoice
from kernel.principal import Principal, Proof
from kernel.settings import load
from sandbox import people
from tests.attacks.insider import Insider, reads_mail_of
from tests.crashes.acts import obligations
from tests.crashes.guarded_organization import KEY, GuardedOrganization

QUEUE = people.SUPPORT_QUEUE_ID
APPROVED = {"emailrouteraccessapproval": 1}
ADA = Principal("Ada", Proof.ACCOUNT)
STEP = "mailbox-guard: Update of queue, synchronous"


async def _look(guarded: GuardedOrganization, registry: DataverseRegistry) -> registering.Look:
    database, organization_id = guarded.running.database, guarded.running.guard.identity
    assert organization_id.organization_id is not None
    return await registering.look(
        registry,
        organization_id.organization_id,
        url=guarded.url,
        choice=StepChoice.BOTH,
        named={},
        known=await database.read(stored.find),
        now=guarded.clock.now(),
    )


async def test_what_was_switched_off_for_a_moment_stops_grants_until_a_person_has_looked(
    guarded: GuardedOrganization,
) -> None:
    sandbox, database = guarded.sandbox, guarded.running.database
    connections = connect_guard(load(sandbox.settings(), None), guarded.clock)
    registry = DataverseRegistry(connections.dataverse)
    seen = await _look(guarded, registry)
    await registering.register(
        registry,
        database,
        seen,
        registering.planned(seen, key=KEY),
        choice=StepChoice.BOTH,
        key=KEY,
        by=ADA,
        now=guarded.clock.now(),
    )
    admin = Insider(guarded, people.ADMIN.alias)
    step = next(one for one in sandbox.rows("sdkmessageprocessingstep") if one["name"] == STEP)
    for state in (1, 0):
        path = f"sdkmessageprocessingsteps({step['sdkmessageprocessingstepid']})"
        assert (await admin.patch(path, {"statecode": state})).went_through
        await guarded.running.guard.watch_registration()

    approver = Insider(guarded, people.APPROVER.alias)
    assert (await approver.update("queues", QUEUE, APPROVED)).went_through
    await obligations(guarded)
    assert people.SUPPORT_OBJECT_ID not in reads_mail_of(guarded)

    seen = await _look(guarded, registry)
    await registering.accept(database, seen, by=ADA, reason="CHG-1", now=guarded.clock.now())
    guarded.clock.advance(3600)
    await obligations(guarded)
    assert people.SUPPORT_OBJECT_ID in reads_mail_of(guarded)
    await connections.aclose()
