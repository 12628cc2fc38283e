"""The verbs of a registration, over the twin and a database of either kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from guard.columns.table import TABLES
from guard.ports.registry import (
    CREATE,
    DISABLED,
    UPDATE,
    MemoryRegistry,
    Registration,
    Surroundings,
)
from guard.registration import register as registering
from guard.registration import stored
from guard.registration.desired import StepChoice
from guard.registration.pause import pause_until
from guard.registration.register import Look, NotRegistrable, checked_url, key_digest_of
from kernel import acts
from kernel.acts import ActKind
from kernel.database import Database
from kernel.errors import Conflict, InputRefused, Unavailable
from kernel.principal import Principal, Proof
from tests.conftest import NOON

ORGANIZATION = "11111111-1111-4111-8111-111111111111"
URL = "https://guard.contoso.com/webhooks/dataverse"
OFFERED = [(message, table) for message in (CREATE, UPDATE) for table in TABLES]
AROUND = Surroundings(
    {"requireapprovalforuseremail": True}, {"p1": {"name": "Exchange", "servertype": 3}}
)
KEY, OTHER_KEY = "k" * 40, "o" * 40
ADA = Principal("Ada", Proof.ACCOUNT)


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry(offered=OFFERED, surroundings=AROUND)


async def _look(registry: MemoryRegistry, database: Database, **given: object) -> Look:
    values = {"url": URL, "choice": StepChoice.BOTH, "named": {}, "now": NOON} | given
    known = await database.read(stored.find)
    return await registering.look(registry, ORGANIZATION, known=known, **values)


async def _register(registry: MemoryRegistry, database: Database, *, key: str = KEY) -> int:
    seen = await _look(registry, database)
    actions = registering.planned(seen, key=key)
    await registering.register(
        registry, database, seen, actions, choice=StepChoice.BOTH, key=key, by=ADA, now=NOON
    )
    return len(actions)


def _kinds(database: Database) -> list[str]:
    return [row.kind for row in database.read_now(lambda c: list(acts.walk(c)))]


async def test_what_was_registered_is_remembered_word_for_word(
    registry: MemoryRegistry, database: Database
) -> None:
    await _register(registry, database)
    seen = await _look(registry, database)
    known = seen.known
    assert known is not None
    assert known.wanted == seen.wanted.registration
    assert (known.surroundings, known.by, known.is_finished) == (AROUND, "Ada", True)
    assert known.key_digest == key_digest_of(KEY)
    assert seen.assessment.is_clean
    assert _kinds(database) == [ActKind.REGISTRATION]


async def test_given_again_it_writes_nothing_and_sends_no_key(
    registry: MemoryRegistry, database: Database
) -> None:
    await _register(registry, database)
    assert await _register(registry, database) == 0


async def test_another_key_is_sent_once(registry: MemoryRegistry, database: Database) -> None:
    await _register(registry, database)
    assert await _register(registry, database, key=OTHER_KEY) == 1
    assert set(registry.keys.values()) == {OTHER_KEY}
    assert await _register(registry, database, key=OTHER_KEY) == 0


async def test_neither_the_plan_nor_the_database_holds_the_key(
    registry: MemoryRegistry, database: Database
) -> None:
    seen = await _look(registry, database)
    assert KEY not in repr(registering.planned(seen, key=KEY))
    await _register(registry, database)
    row = database.read_now(lambda c: c.exec_driver_sql("SELECT * FROM guard_registration").first())
    assert KEY not in repr(row)
    assert KEY not in repr(database.read_now(lambda c: list(acts.walk(c))))


async def test_a_registration_that_was_not_ended_is_told_and_goes_on(
    registry: MemoryRegistry, database: Database
) -> None:
    seen = await _look(registry, database)
    actions = registering.planned(seen, key=KEY)
    registry.is_down = True
    with pytest.raises(Unavailable):
        await registering.register(
            registry, database, seen, actions, choice=StepChoice.BOTH, key=KEY, by=ADA, now=NOON
        )
    registry.is_down = False
    known = await database.read(stored.find)
    assert known is not None
    assert not known.is_finished
    # What it is not known to have been sent is sent anew.
    assert known.key_digest is None
    await _register(registry, database)
    assert (await _look(registry, database)).assessment.is_clean


async def test_a_message_without_which_edits_pass_unseen_is_refused(
    registry: MemoryRegistry, database: Database
) -> None:
    registry.offered.pop((UPDATE, "mailbox"))
    seen = await _look(registry, database)
    with pytest.raises(NotRegistrable, match="Update of mailbox"):
        registering.planned(seen, key=KEY)


async def test_a_switch_and_a_server_profile_are_compared_with_what_was_accepted(
    registry: MemoryRegistry, database: Database
) -> None:
    await _register(registry, database)
    registry.around = Surroundings(
        {"requireapprovalforuseremail": None},
        {"p1": {"name": "Renamed", "servertype": 1}, "p2": {"name": "New", "servertype": 3}},
    )
    seen = await _look(registry, database)
    assert {(one.title, one.column) for one in seen.assessment.deviations} == {
        ("requireapprovalforuseremail", "requireapprovalforuseremail"),
        ("Exchange", "servertype"),
        ("New", None),
    }
    await registering.accept(database, seen, by=ADA, reason="CHG-1", now=NOON)
    assert (await _look(registry, database)).assessment.is_clean
    registry.around = AROUND
    assert len((await _look(registry, database)).assessment.deviations) == 3


async def test_what_is_accepted_is_accepted_as_it_is_and_not_otherwise(
    registry: MemoryRegistry, database: Database
) -> None:
    await _register(registry, database)
    step = next(one for one in registry.steps.values() if one.message == UPDATE)
    registry.steps[step.id] = replace(step, rank=5)
    await registering.accept(
        database, await _look(registry, database), by=ADA, reason="CHG-1", now=NOON
    )
    seen = await _look(registry, database)
    assert seen.assessment.is_clean
    assert [one.column for one in seen.assessment.accepted] == ["rank"]
    registry.steps[step.id] = replace(step, rank=6)
    assert [one.found for one in (await _look(registry, database)).assessment.deviations] == [6]
    assert _kinds(database) == [ActKind.REGISTRATION, ActKind.ACCEPTANCE]


async def test_nothing_can_be_accepted_that_was_never_registered(
    registry: MemoryRegistry, database: Database
) -> None:
    with pytest.raises(Conflict):
        await registering.accept(
            database, await _look(registry, database), by=ADA, reason="r", now=NOON
        )


async def test_a_pause_is_no_deviation_and_registering_does_not_end_it(
    registry: MemoryRegistry, database: Database
) -> None:
    await _register(registry, database)
    pause = pause_until(NOON + timedelta(hours=1), by="Ada", reason="r", now=NOON)
    steps = await registering.pause(registry, ORGANIZATION, pause)
    assert len(steps) == 6
    assert all(step.is_synchronous for step in steps)
    seen = await _look(registry, database)
    assert (seen.assessment.deviations, seen.assessment.pause) == ((), pause)
    assert registering.planned(seen, key=KEY) == ()
    assert len(await registering.resume(registry, ORGANIZATION)) == 6
    assert (await _look(registry, database)).assessment.is_clean


async def test_a_pause_longer_than_allowed_is_a_step_that_somebody_switched_off(
    registry: MemoryRegistry, database: Database
) -> None:
    await _register(registry, database)
    pause = pause_until(NOON + timedelta(hours=1), by="Ada", reason="r", now=NOON)
    forged = replace(pause, until=NOON + timedelta(days=30))
    step = next(one for one in registry.steps.values() if one.is_synchronous)
    await registry.switch(step.id, statecode=DISABLED, description=forged.description)
    seen = await _look(registry, database)
    assert [one.column for one in seen.assessment.deviations] == ["statecode"]
    assert seen.assessment.pause is None


async def test_a_step_that_was_switched_off_is_left_out_of_a_pause_and_mended_by_registering(
    registry: MemoryRegistry, database: Database
) -> None:
    await _register(registry, database)
    off = next(one for one in registry.steps.values() if one.is_synchronous)
    await registry.switch(off.id, statecode=DISABLED, description="somebody was here")
    pause = pause_until(NOON + timedelta(hours=1), by="Ada", reason="r", now=NOON)
    assert len(await registering.pause(registry, ORGANIZATION, pause)) == 5
    assert len(await registering.resume(registry, ORGANIZATION)) == 5
    assert await _register(registry, database) == 1
    assert registry.steps[off.id].is_enabled


async def test_all_of_it_is_removed_and_forgotten(
    registry: MemoryRegistry, database: Database
) -> None:
    await _register(registry, database)
    found = await registering.read(registry, ORGANIZATION)
    await registering.unregister(registry, database, found, by=ADA, now=NOON)
    assert await registering.read(registry, ORGANIZATION) == Registration(None)
    assert await database.read(stored.find) is None
    assert _kinds(database) == [ActKind.REGISTRATION, ActKind.REGISTRATION]


@pytest.mark.parametrize(
    "url",
    [
        "http://guard.contoso.com/webhooks/dataverse",
        "https://guard.contoso.com:8443/webhooks/dataverse",
        "https://ada:secret@guard.contoso.com/webhooks/dataverse",
        "https://guard.contoso.com/webhooks/dataverse?code=key",
        "https://guard.contoso.com/webhooks/dataverse#a",
        "https://guard.contoso.com:port/webhooks/dataverse",
        "https:///webhooks/dataverse",
        "https://guard.contoso.com/" + "a" * 2000,
        "guard",
    ],
)
def test_an_address_that_dataverse_cannot_or_should_not_call_is_refused(url: str) -> None:
    with pytest.raises(InputRefused) as caught:
        checked_url(url)
    assert "secret" not in caught.value.message


def test_an_address_loses_its_last_slash() -> None:
    assert checked_url(f" {URL}/ ") == URL
    assert checked_url("http://127.0.0.1:8080/w") == "http://127.0.0.1:8080/w"
