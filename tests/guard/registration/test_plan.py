"""Whatever stands in Dataverse, what is planned of the difference leaves none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.columns.table import TABLES
from guard.ports.registry import (
    ASSIGN,
    CREATE,
    UPDATE,
    Image,
    MemoryRegistry,
    Registration,
    Step,
)
from guard.registration.desired import (
    LAST,
    LeftOut,
    StepChoice,
    desired_registration,
    endpoint_id_of,
    step_ids_of,
)
from guard.registration.deviation import DeviationKind, Part, deviations
from guard.registration.plan import Verb, carry_out, plan

ORGANIZATION = "11111111-1111-4111-8111-111111111111"
URL = "https://guard.contoso.com/webhooks/dataverse"
OFFERED = [(message, table) for message in (CREATE, UPDATE) for table in TABLES]
OFFERED += [(ASSIGN, "queue")]
NAMED = {"mailbox": frozenset({"new_region", "emailaddress"}), "email": frozenset({"subject"})}
WANTED = desired_registration(ORGANIZATION, URL, offered=OFFERED, named=NAMED).registration
KEY = "k" * 43


async def _apply(registry: MemoryRegistry, wanted: Registration, *, sends_key: bool = False) -> int:
    found = await registry.read(endpoint_id_of(ORGANIZATION), step_ids=step_ids_of(ORGANIZATION))
    offers = await registry.offers(TABLES)
    actions = plan(wanted, found, sends_key=sends_key)
    for action in actions:
        await carry_out(action, registry, offers=offers, key=KEY)
    return len(actions)


async def _found(registry: MemoryRegistry) -> Registration:
    return await registry.read(endpoint_id_of(ORGANIZATION), step_ids=step_ids_of(ORGANIZATION))


def test_every_table_has_both_steps_on_create_and_update_and_assign_where_it_is_raised() -> None:
    kinds = {(step.message, step.table, step.mode, step.stage) for step in WANTED.steps}
    for table in TABLES:
        for message in (CREATE, UPDATE):
            assert {(message, table, 0, 20), (message, table, 1, 40)} <= kinds
    assert len(kinds) == len(WANTED.steps) == 14
    assert all(step.rank == LAST and not step.canbebypassed for step in WANTED.steps)


def test_an_update_is_filtered_and_brings_every_column_that_a_policy_names() -> None:
    for step in WANTED.steps:
        if step.message == UPDATE:
            assert step.filteringattributes == frozenset(TABLES[step.table].columns)
            (image,) = step.images
            assert frozenset(TABLES[step.table].carried) <= image.attributes
            assert ("new_region" in image.attributes) is (step.table == "mailbox")
        elif step.message == CREATE:
            assert step.images == ()


def test_asynchronous_steps_alone_stop_nobody() -> None:
    wanted = desired_registration(
        ORGANIZATION, URL, offered=OFFERED, named={}, choice=StepChoice.ASYNC
    )
    assert {step.is_synchronous for step in wanted.registration.steps} == {False}


def test_what_is_left_out_is_told_with_its_reason() -> None:
    wanted = desired_registration(ORGANIZATION, URL, offered=OFFERED[1:], named={})
    assert wanted.left_out[ASSIGN, "mailbox"] is LeftOut.NOT_OFFERED
    assert wanted.left_out["UpdateMultiple", "queue"] is LeftOut.FOLDED
    assert wanted.not_guarded == (OFFERED[0],)


def test_a_copy_of_an_environment_has_rows_of_its_own() -> None:
    other = "22222222-2222-4222-8222-222222222222"
    assert endpoint_id_of(ORGANIZATION) != endpoint_id_of(other)
    assert not step_ids_of(ORGANIZATION) & step_ids_of(other)
    assert endpoint_id_of(ORGANIZATION.upper()) == endpoint_id_of(ORGANIZATION)


async def test_what_is_registered_twice_is_written_once() -> None:
    registry = MemoryRegistry(offered=OFFERED)
    assert await _apply(registry, WANTED) == 1 + 14 + 8
    assert await _apply(registry, WANTED) == 0
    assert registry.keys == {endpoint_id_of(ORGANIZATION): KEY}


async def test_a_key_is_sent_anew_when_it_is_asked_for_and_nothing_else_is_written() -> None:
    registry = MemoryRegistry(offered=OFFERED)
    await _apply(registry, WANTED)
    found = await _found(registry)
    (action,) = plan(WANTED, found, sends_key=True)
    assert (action.verb, action.part, action.sends_key) == (Verb.UPDATE, Part.ENDPOINT, True)


async def test_a_step_that_calls_somebody_else_is_ours_by_its_id() -> None:
    registry = MemoryRegistry(offered=OFFERED)
    await _apply(registry, WANTED)
    step = WANTED.steps[0]
    registry.steps[step.id] = replace(registry.steps[step.id], eventhandler="somebody-else")
    (one,) = deviations(WANTED, await _found(registry))
    assert (one.part, one.kind, one.column) == (Part.STEP, DeviationKind.OTHER, "eventhandler")


async def test_the_steps_of_others_are_neither_seen_nor_touched() -> None:
    registry = MemoryRegistry(offered=OFFERED)
    theirs = replace(WANTED.steps[0], id="theirs", eventhandler="their-endpoint")
    registry.steps["theirs"] = theirs
    await _apply(registry, WANTED)
    await _apply(registry, Registration(None))
    assert registry.steps == {"theirs": theirs}
    assert registry.endpoints == {}


async def test_a_stop_after_any_write_goes_on_to_the_same_end() -> None:
    whole = MemoryRegistry(offered=OFFERED)
    writes = await _apply(whole, WANTED)
    offers = await whole.offers(TABLES)
    for stop in range(writes):
        registry = MemoryRegistry(offered=OFFERED)
        for action in plan(WANTED, Registration(None), sends_key=False)[:stop]:
            await carry_out(action, registry, offers=offers, key=KEY)
        await _apply(registry, WANTED)
        assert registry.steps == whole.steps
        assert registry.endpoints == whole.endpoints


columns = st.frozensets(st.sampled_from(["emailaddress", "statecode", "name"]), max_size=3)
images = st.builds(
    Image,
    id=st.sampled_from([image.id for step in WANTED.steps for image in step.images] + ["x", "y"]),
    entityalias=st.sampled_from(["pre", "post"]),
    imagetype=st.sampled_from([0, 1, 2]),
    messagepropertyname=st.sampled_from(["Target", "Id"]),
    attributes=columns,
)
steps = st.builds(
    Step,
    id=st.sampled_from([step.id for step in WANTED.steps] + ["other-1", "other-2"]),
    message=st.sampled_from([CREATE, UPDATE, "Delete"]),
    table=st.sampled_from([*TABLES, "account"]),
    mode=st.sampled_from([0, 1]),
    stage=st.sampled_from([10, 20, 40]),
    rank=st.integers(-1, 3),
    filteringattributes=columns,
    eventhandler=st.sampled_from([endpoint_id_of(ORGANIZATION), "somebody-else", None]),
    statecode=st.sampled_from([0, 1]),
    canbebypassed=st.booleans(),
    description=st.sampled_from(["", "text"]),
    images=st.lists(images, max_size=2, unique_by=lambda one: one.id).map(tuple),
)
endpoints = st.none() | st.builds(
    replace,
    st.just(WANTED.endpoint),
    url=st.sampled_from([URL, "https://fabrikam.com/other"]),
    authtype=st.sampled_from([4, 5]),
    messagecharset=st.sampled_from([0, 1]),
    isauthvalueset=st.booleans(),
)
choices = st.sampled_from(list(StepChoice))


@given(st.lists(steps, max_size=8, unique_by=lambda one: one.id), endpoints, choices)
async def test_applying_the_plan_of_a_difference_leaves_none(
    held: list[Step], endpoint: object, choice: StepChoice
) -> None:
    wanted = desired_registration(
        ORGANIZATION, URL, offered=OFFERED, named=NAMED, choice=choice
    ).registration
    registry = MemoryRegistry(offered=OFFERED)
    # An image is in one step alone.
    seen: set[str] = set()
    for one in held:
        own = tuple(image for image in one.images if image.id not in seen)
        is_theirs = one.id not in step_ids_of(ORGANIZATION)
        own = tuple(replace(i, id=f"{one.id}/{i.id}") if is_theirs else i for i in own)
        seen |= {image.id for image in own}
        registry.steps[one.id] = replace(one, images=own)
    if endpoint is not None:
        registry.endpoints[endpoint.id] = endpoint
        if endpoint.isauthvalueset:
            registry.keys[endpoint.id] = "old"
    theirs = {
        one.id: one
        for one in registry.steps.values()
        if one.eventhandler != endpoint_id_of(ORGANIZATION)
        and one.id not in step_ids_of(ORGANIZATION)
    }

    await _apply(registry, wanted)

    assert deviations(wanted, await _found(registry)) == ()
    assert plan(wanted, await _found(registry), sends_key=False) == ()
    assert {k: v for k, v in registry.steps.items() if k in theirs} == theirs


@pytest.mark.parametrize("step", WANTED.steps, ids=lambda one: one.title)
async def test_a_step_that_is_switched_off_is_told_and_mended(step: Step) -> None:
    registry = MemoryRegistry(offered=OFFERED)
    await _apply(registry, WANTED)
    await registry.switch(step.id, statecode=1, description="")
    (one,) = deviations(WANTED, await _found(registry))
    assert one.column == "statecode"
    assert "statecode is 1, not 0" in one.text
    await _apply(registry, WANTED)
    assert deviations(WANTED, await _found(registry)) == ()
