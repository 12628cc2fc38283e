"""Whatever is changed of the registration is told, written down, and stops grants."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from guard.active_policies import ActivePolicies
from guard.columns.table import TABLES
from guard.identity import OwnIdentity
from guard.ports.metrics import CountingMetrics
from guard.ports.registry import (
    CREATE,
    DISABLED,
    UPDATE,
    MemoryRegistry,
    ReadingRefused,
    Surroundings,
)
from guard.registration import register as registering
from guard.registration import stored
from guard.registration.desired import StepChoice
from guard.registration.deviation import DeviationKind
from guard.registration.pause import pause_until
from guard.watch.tampering import TamperWatch
from kernel import acts
from kernel.acts import ActKind
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import Unavailable
from kernel.failpoints import Recorder
from kernel.principal import Principal, Proof
from rules.syntax.shipped import shipped_catalogue
from tests.conftest import NOON
from tests.guard.assembled import a_guard
from tests.guard.builders import ADMIN_ID, MAILBOX_ID
from tests.guard.obligations.test_grant import APPROVE
from tests.rules.builders import a_policy, a_set

ORGANIZATION = "11111111-1111-4111-8111-111111111111"
OFFERED = [(message, table) for message in (CREATE, UPDATE) for table in TABLES]
ADA = Principal("Ada", Proof.ACCOUNT)
_NEVER = "enabledforact: {type: boolean, arrives: never,"
NAMES_USERNAME = a_set(
    a_policy("{id: the-rule, require: [{field: username, exists: true}], message: m}")
)
NAMES_MORE = a_set(
    a_policy("{id: the-rule, require: [{field: enabledforact, equals: true}], message: m}"),
    fields=shipped_catalogue().replace(_NEVER, _NEVER.replace("never", "image")),
)


class Watched:
    """An organisation that is registered, and the watch over it."""

    def __init__(self, database: Database, clock: FrozenClock) -> None:
        self.database, self.clock = database, clock
        self.registry = MemoryRegistry(offered=OFFERED, surroundings=Surroundings({"a": True}))
        self.policies = ActivePolicies(NAMES_USERNAME)
        self.metrics = CountingMetrics()
        self.watch = TamperWatch(
            self.registry,
            database,
            self.policies,
            OwnIdentity(ORGANIZATION, "user"),
            clock,
            self.metrics,
        )

    async def register(self) -> None:
        known = await self.database.read(stored.find)
        seen = await registering.look(
            self.registry,
            ORGANIZATION,
            url="https://guard.contoso.com/webhooks/dataverse",
            choice=StepChoice.BOTH,
            named={},
            known=known,
            now=self.clock.now(),
        )
        await registering.register(
            self.registry,
            self.database,
            seen,
            registering.planned(seen, key="k" * 40),
            choice=StepChoice.BOTH,
            key="k" * 40,
            by=ADA,
            now=self.clock.now(),
        )

    @property
    def known(self) -> stored.Remembered:
        found = self.database.read_now(stored.find)
        assert found is not None
        return found

    def kinds(self) -> list[str]:
        return [row.kind for row in self.database.read_now(lambda c: list(acts.walk(c)))]

    async def switch_off(self, description: str = "") -> str:
        step = next(one for one in self.registry.steps.values() if one.is_synchronous)
        await self.registry.switch(step.id, statecode=DISABLED, description=description)
        return step.id


@pytest.fixture
async def watched(database: Database, clock: FrozenClock) -> Watched:
    watched = Watched(database, clock)
    await watched.register()
    return watched


async def test_a_round_that_finds_nothing_new_writes_nothing(watched: Watched) -> None:
    await watched.watch.run()
    await watched.switch_off()
    await watched.watch.run()
    trace = Recorder()
    watched.database._writer._failpoints = trace
    writes = watched.registry.writes
    await watched.watch.run()
    assert not trace.reached
    assert watched.registry.writes == writes


async def test_where_nothing_was_registered_nothing_is_asked(
    database: Database, clock: FrozenClock
) -> None:
    watched = Watched(database, clock)
    watched.registry.is_down = True
    assert await watched.watch.run() is None


async def test_a_step_that_is_switched_off_stops_grants_until_a_person_has_looked(
    watched: Watched,
) -> None:
    step_id = await watched.switch_off()
    await watched.watch.run()
    assert [one.column for one in watched.known.deviations] == ["statecode"]
    assert watched.known.suspected_at == NOON
    assert watched.metrics.counts["watched", "registration-differs"] == 1
    assert watched.kinds()[-1] == ActKind.TAMPERING
    # Nothing here mends it, and that it is mended ends nothing.
    assert not watched.registry.steps[step_id].is_enabled
    await watched.registry.switch(step_id, statecode=0, description="")
    await watched.watch.run()
    assert watched.known.deviations == ()
    assert watched.known.suspected_at == NOON
    await watched.register()
    assert watched.known.suspected_at is None


@pytest.mark.parametrize("what", ["endpoint", "step", "image", "switch"])
async def test_whatever_is_changed_is_noticed(watched: Watched, what: str) -> None:
    registry = watched.registry
    endpoint_id, endpoint = next(iter(registry.endpoints.items()))
    step = next(one for one in registry.steps.values() if one.images)
    if what == "endpoint":
        registry.endpoints[endpoint_id] = replace(endpoint, url="https://fabrikam.com/")
    elif what == "step":
        registry.steps.pop(step.id)
    elif what == "image":
        narrow = replace(step.images[0], attributes=frozenset({"name"}))
        registry.steps[step.id] = replace(step, images=(narrow,))
    else:
        registry.around = Surroundings({"a": False})
    await watched.watch.run()
    assert len(watched.known.deviations) == 1
    assert watched.known.suspected_at is not None


async def test_a_column_that_newer_policies_name_is_no_tampering(
    watched: Watched,
) -> None:
    watched.policies.swap(NAMES_MORE)
    await watched.watch.run()
    # The synchronous and the asynchronous step on Update of mailbox.
    assert [one.column for one in watched.known.outdated] == ["attributes", "attributes"]
    assert "lacks enabledforact" in watched.known.outdated[0].text
    assert (watched.known.deviations, watched.known.suspected_at) == ((), None)
    watched.policies.swap(NAMES_USERNAME)
    await watched.watch.run()
    assert watched.known.outdated == ()


async def test_a_pause_is_shown_and_recorded_and_is_no_tampering(watched: Watched) -> None:
    pause = pause_until(NOON + timedelta(hours=1), by="Ada", reason="r", now=NOON)
    await registering.pause(watched.registry, ORGANIZATION, pause)
    await watched.watch.run()
    assert (watched.known.pause, watched.known.suspected_at) == (pause, None)
    assert watched.kinds()[-1] == ActKind.BREAK_GLASS
    assert watched.metrics.counts["watched", "pause"] == 1


async def test_a_pause_that_is_over_is_ended(watched: Watched, clock: FrozenClock) -> None:
    pause = pause_until(NOON + timedelta(hours=1), by="Ada", reason="r", now=NOON)
    await registering.pause(watched.registry, ORGANIZATION, pause)
    await watched.watch.run()
    clock.advance(3600)
    await watched.watch.run()
    assert all(step.is_enabled for step in watched.registry.steps.values())
    assert (watched.known.pause, watched.known.suspected_at) == (None, None)
    assert watched.kinds()[-2:] == [ActKind.BREAK_GLASS, ActKind.BREAK_GLASS]


async def test_a_pause_that_came_and_went_unseen_is_in_the_record(
    watched: Watched, clock: FrozenClock
) -> None:
    pause = pause_until(NOON + timedelta(hours=1), by="Ada", reason="r", now=NOON)
    await registering.pause(watched.registry, ORGANIZATION, pause)
    clock.advance(7200)
    await watched.watch.run()
    assert all(step.is_enabled for step in watched.registry.steps.values())
    assert watched.kinds()[-2:] == [ActKind.BREAK_GLASS, ActKind.BREAK_GLASS]
    assert watched.known.pause is None


async def test_a_registration_that_cannot_be_read_is_told(watched: Watched) -> None:
    watched.registry.is_down = True
    with pytest.raises(Unavailable):
        await watched.watch.run()
    assert "can't be read" in (watched.watch.unread or "")
    watched.registry.is_down = False
    await watched.watch.run()
    assert watched.watch.unread is None


async def test_whoever_takes_the_right_to_look_stops_grants(watched: Watched) -> None:
    watched.registry.is_refused = True
    with pytest.raises(ReadingRefused):
        await watched.watch.run()
    assert [one.kind for one in watched.known.deviations] == [DeviationKind.UNREADABLE]
    assert watched.known.suspected_at == NOON
    watched.registry.is_refused = False
    await watched.watch.run()
    assert watched.known.deviations == ()
    assert watched.known.suspected_at == NOON


async def test_nothing_is_granted_while_something_differs(
    database: Database, clock: FrozenClock
) -> None:
    watched = Watched(database, clock)
    await watched.register()
    await watched.switch_off()
    await watched.watch.run()
    guard = a_guard(database, clock)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)

    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    held = guard.approval(MAILBOX_ID)
    assert held is None or held.state != "approved"

    await watched.register()
    clock.advance(3600)
    await guard.carry_out()
    held = guard.approval(MAILBOX_ID)
    assert held is not None
    assert held.state == "approved"
