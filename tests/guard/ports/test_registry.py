"""The registry keeps its promises, in memory and over the wire of a whole organisation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from cloud.dataverse import Dataverse
from cloud.errors import Refused
from console.wiring.connections import connect_guard
from guard.columns.table import TABLES
from guard.ports.dataverse_registry import SELF_APPROVAL, DataverseRegistry
from guard.ports.registry import (
    ASSIGN,
    CREATE,
    DISABLED,
    SET_STATE,
    UPDATE,
    MemoryRegistry,
    ReadingRefused,
    Registration,
    Registry,
)
from guard.ports.rows import WriteRefused
from guard.registration.desired import desired_registration, endpoint_id_of, step_ids_of
from guard.registration.deviation import Part, deviations
from guard.registration.plan import carry_out, plan
from kernel.clock import FrozenClock
from kernel.settings import load
from sandbox import people
from sandbox.server import Sandbox
from tests.cloud.scripted import Scripted, ok, problem

ORGANIZATION = "11111111-1111-4111-8111-111111111111"
URL = "https://guard.contoso.com/webhooks/dataverse"
OFFERED = [(message, table) for message in (CREATE, UPDATE) for table in TABLES]
OFFERED += [(ASSIGN, "queue"), (SET_STATE, "queue")]
KEY = "a-key-of-the-registry-tests-Aa1-&<\"'"


@pytest.fixture(params=["memory", pytest.param("sandbox", marks=pytest.mark.slow)])
async def registry(request, clock: FrozenClock) -> AsyncIterator[Registry]:
    if request.param == "memory":
        yield MemoryRegistry(offered=OFFERED)
        return
    async with Sandbox(clock=clock) as sandbox:
        connections = connect_guard(load(sandbox.settings(), None), clock)
        yield DataverseRegistry(connections.dataverse)
        await connections.aclose()


async def _wanted(registry: Registry) -> Registration:
    offered = await registry.offers(TABLES)
    return desired_registration(ORGANIZATION, URL, offered=offered, named={}).registration


async def _found(registry: Registry) -> Registration:
    return await registry.read(endpoint_id_of(ORGANIZATION), step_ids=step_ids_of(ORGANIZATION))


async def _apply(registry: Registry, wanted: Registration) -> int:
    actions = plan(wanted, await _found(registry), sends_key=False)
    offers = await registry.offers(TABLES)
    for action in actions:
        await carry_out(action, registry, offers=offers, key=KEY)
    return len(actions)


async def test_what_is_offered_is_looked_up(registry: Registry) -> None:
    assert set(await registry.offers(TABLES)) == set(OFFERED)
    assert set(await registry.offers(["mailbox"])) == {(CREATE, "mailbox"), (UPDATE, "mailbox")}


async def test_what_is_written_is_read_again_and_twice_is_once(registry: Registry) -> None:
    wanted = await _wanted(registry)
    assert await _apply(registry, wanted) == 1 + 16 + 10
    assert deviations(wanted, await _found(registry)) == ()
    assert await _apply(registry, wanted) == 0


async def test_a_write_that_was_made_already_may_be_made_again(registry: Registry) -> None:
    wanted = await _wanted(registry)
    actions = plan(wanted, Registration(None), sends_key=False)
    offers = await registry.offers(TABLES)
    for action in (*actions, *actions):
        await carry_out(action, registry, offers=offers, key=KEY)
    assert deviations(wanted, await _found(registry)) == ()


async def test_every_column_that_is_compared_is_mended(registry: Registry) -> None:
    wanted = await _wanted(registry)
    await _apply(registry, wanted)
    step = next(one for one in wanted.steps if one.message == UPDATE and one.is_synchronous)
    offers = await registry.offers(TABLES)
    bent = replace(
        step, stage=10, rank=1, filteringattributes=frozenset({"statecode"}), canbebypassed=True
    )
    await registry.save_step(bent, offers[step.message, step.table], is_new=False)
    image = replace(step.images[0], attributes=frozenset({"statecode"}))
    await registry.save_image(image, step_id=step.id, is_new=False)
    await registry.switch(step.id, statecode=DISABLED, description="gone")

    told = {(one.part, one.column) for one in deviations(wanted, await _found(registry))}
    assert told == {
        *((Part.STEP, name) for name in ("stage", "rank", "filteringattributes")),
        *((Part.STEP, name) for name in ("canbebypassed", "statecode")),
        (Part.IMAGE, "attributes"),
    }
    await _apply(registry, wanted)
    assert deviations(wanted, await _found(registry)) == ()


async def test_all_of_it_is_removed_and_removing_it_again_is_nothing(registry: Registry) -> None:
    wanted = await _wanted(registry)
    await _apply(registry, wanted)
    removal = plan(Registration(None), await _found(registry), sends_key=False)
    for action in (*removal, *removal):
        await carry_out(action, registry, offers={}, key=None)
    assert await _found(registry) == Registration(None)


async def test_whoever_posts_to_the_same_address_is_a_neighbour(registry: Registry) -> None:
    wanted = await _wanted(registry)
    endpoint = wanted.endpoint
    assert endpoint is not None
    other = replace(endpoint, id=endpoint_id_of("another"))
    await registry.save_endpoint(other, is_new=True, key=KEY)
    assert await registry.neighbours(URL, endpoint_id=endpoint.id) == (other.id,)
    assert await registry.neighbours(URL, endpoint_id=other.id) == ()


@pytest.mark.slow
async def test_the_surroundings_are_switches_and_server_profiles(sandbox, clock) -> None:
    connections = connect_guard(load(sandbox.settings(), None), clock)
    found = await DataverseRegistry(connections.dataverse).surroundings()
    assert found.switches == {
        "requireapprovalforuseremail": True,
        "requireapprovalforqueueemail": True,
        SELF_APPROVAL: False,
    }
    assert found.profiles[people.PROFILE_ID]["servertype"] == 3
    await connections.aclose()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


def _over(*replies) -> DataverseRegistry:
    dataverse: Dataverse = Scripted(*replies).dataverse
    return DataverseRegistry(dataverse)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"<OrgSettings><{SELF_APPROVAL}>true</{SELF_APPROVAL}></OrgSettings>", True),
        (f"<OrgSettings><{SELF_APPROVAL}>false</{SELF_APPROVAL}></OrgSettings>", False),
        ("<OrgSettings/>", False),
        ("", False),
        (None, False),
        ("<OrgSettings>", None),
        ('<!DOCTYPE a [<!ENTITY b "c">]><OrgSettings/>', None),
        (" " * 300_000 + "<OrgSettings/>", None),
    ],
)
async def test_a_setting_is_read_from_its_xml_and_nothing_is_expanded(text, value) -> None:
    rows = ok({"value": [{"orgdborgsettings": text}]})
    found = await _over(rows, ok({"value": []})).surroundings()
    assert found.switches[SELF_APPROVAL] is value


@pytest.mark.parametrize(("status", "kind"), [(403, ReadingRefused), (401, Refused)])
async def test_only_a_privilege_that_is_missing_is_a_refusal_to_look(status, kind) -> None:
    reads = (
        lambda one: one.read(endpoint_id_of(ORGANIZATION)),
        lambda one: one.offers(TABLES),
        lambda one: one.surroundings(),
    )
    for read in reads:
        with pytest.raises(kind):
            await read(_over(*(problem(status, "0x80040220") for _ in range(3))))


async def test_a_refusal_says_who_lists_the_privileges_and_never_the_key() -> None:
    wanted = await _wanted(MemoryRegistry(offered=OFFERED))
    assert wanted.endpoint is not None
    with pytest.raises(WriteRefused) as caught:
        await _over(problem(403, "0x80040220", f"no: {KEY}")).save_endpoint(
            wanted.endpoint, is_new=False, key=None
        )
    assert "dataverse role" in (caught.value.hint or "")
