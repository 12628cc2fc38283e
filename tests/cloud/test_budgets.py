import asyncio

import pytest

from cloud.budgets import (
    DATAVERSE_LIMITS,
    HEAD_START_SECONDS,
    RESERVED,
    RESERVED_DATAVERSE_LIMITS,
    TENANT,
    Budget,
    Budgets,
    Limits,
    TooLate,
    Window,
)
from kernel.clock import FrozenClock
from tests.cloud.scripted import AT, OrderedClock


class TestWindow:
    def test_the_limit_holds_over_any_stretch_of_the_window(self) -> None:
        window = Window(600.0)
        sent: list[float] = []
        now = 0.0
        for _ in range(400):
            wait = window.wait_seconds(now, 100)
            now += wait
            window.count(now)
            sent.append(now)
            now += 1.0
        for i, at in enumerate(sent):
            assert sum(1 for other in sent[: i + 1] if other > at - 600.0) <= 100

    def test_a_wait_is_never_longer_than_needed_by_more_than_a_bucket(self) -> None:
        window = Window(600.0)
        for _ in range(10):
            window.count(5.0)
        assert 600.0 <= 5.0 + window.wait_seconds(5.0, 10) <= 5.0 + 600.0 + 10.0
        assert window.wait_seconds(5.0, 11) == 0.0

    def test_it_becomes_empty(self) -> None:
        window = Window(600.0)
        window.count(0.0)
        assert not window.is_empty(599.0)
        assert window.is_empty(611.0)


class TestBudget:
    async def test_the_reserved_requests_are_for_urgent_calls(self) -> None:
        budget = a_budget(requests=2, urgent_requests=1)
        for _ in range(2):
            await budget.enter(urgent=False, give_up_at=1001.0)
            budget.leave()
        with pytest.raises(TooLate):
            await budget.enter(urgent=False, give_up_at=1001.0)
        await budget.enter(urgent=True, give_up_at=1001.0)

    async def test_a_full_window_is_waited_for_when_the_deadline_allows(self) -> None:
        clock = FrozenClock(AT)
        budget = Budget(Limits(slots=1, urgent_slots=0, requests=1, window_seconds=60.0), clock)
        await budget.enter(urgent=False, give_up_at=2000.0)
        budget.leave()
        await budget.enter(urgent=False, give_up_at=2000.0)
        assert 1060.0 <= clock.monotonic() <= 1061.0

    async def test_whoever_waits_for_a_slot_gives_up_at_the_deadline(self) -> None:
        budget = a_budget(slots=1)
        await budget.enter(urgent=False, give_up_at=1000.02)
        with pytest.raises(TooLate):
            await budget.enter(urgent=False, give_up_at=1000.02)
        budget.leave()
        await budget.enter(urgent=False, give_up_at=1001.0)
        assert budget.in_flight == 1

    async def test_a_cancelled_waiter_keeps_no_slot(self) -> None:
        budget = a_budget(slots=1)
        await budget.enter(urgent=False, give_up_at=1010.0)
        waiting = asyncio.create_task(budget.enter(urgent=False, give_up_at=1010.0))
        await asyncio.sleep(0)
        budget.leave()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert budget.in_flight == 0

    async def test_a_fence_raised_while_one_waits_for_a_slot_holds_it_back(self) -> None:
        clock = FrozenClock(AT)
        budget = Budget(Limits(slots=1, urgent_slots=0), clock)
        await budget.enter(urgent=False, give_up_at=1100.0)
        waiting = asyncio.create_task(budget.enter(urgent=False, give_up_at=1100.0))
        await asyncio.sleep(0)
        budget.raise_fence(30.0)
        budget.leave()
        await waiting
        assert clock.monotonic() == 1030.0

    async def test_a_fence_moves_forward_only(self) -> None:
        budget = a_budget()
        budget.raise_fence(30.0)
        budget.raise_fence(2.0)
        assert budget.wait_seconds() == 30.0

    async def test_after_a_fence_half_as_many_pass_and_successes_bring_them_back(self) -> None:
        clock = FrozenClock(AT)
        budget = Budget(Limits(slots=4, urgent_slots=0), clock)

        async def pass_at_once() -> int:
            entered = 0
            try:
                while True:
                    await budget.enter(urgent=False, give_up_at=clock.monotonic() + 0.01)
                    entered += 1
            except TooLate:
                for _ in range(entered):
                    budget.leave()
            return entered

        assert await pass_at_once() == 4
        budget.raise_fence(5.0)
        budget.raise_fence(6.0)
        clock.advance(6.0)
        assert await pass_at_once() == 2
        for _ in range(20):
            budget.succeeded()
        assert await pass_at_once() == 4

    async def test_the_hint_of_the_service_is_bounded(self) -> None:
        budget = a_budget(slots=1)
        budget.heed_slots(10_000)
        for _ in range(52):
            await budget.enter(urgent=False, give_up_at=1000.01)
        with pytest.raises(TooLate):
            await budget.enter(urgent=False, give_up_at=1000.01)


class TestOneFence:
    """A service that throttles the tenant's requests throttles the watch's too: it is one user."""

    @pytest.fixture
    def clock(self) -> FrozenClock:
        return OrderedClock(AT)

    @pytest.fixture
    def shares(self, clock: FrozenClock) -> tuple[Budget, Budget]:
        budgets = Budgets(clock)
        return (
            budgets.of("dataverse", TENANT, DATAVERSE_LIMITS),
            budgets.of("dataverse", RESERVED, RESERVED_DATAVERSE_LIMITS),
        )

    async def test_whoever_is_throttled_the_other_waits_too(
        self, shares: tuple[Budget, Budget]
    ) -> None:
        for told, other in (shares, shares[::-1]):
            told.raise_fence(20.0)
            with pytest.raises(TooLate):
                await other.enter(urgent=True, give_up_at=1005.0)

    async def test_the_watch_passes_first_however_many_wait_before_it(
        self, shares: tuple[Budget, Budget], clock: FrozenClock
    ) -> None:
        tenant, reserved = shares
        passed: list[tuple[str, float]] = []

        async def passes(name: str, budget: Budget) -> None:
            await budget.enter(urgent=False, give_up_at=1100.0)
            passed.append((name, clock.monotonic() - 1000.0))
            budget.leave()

        tenant.raise_fence(20.0)
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(passes("tenant", tenant))
            group.create_task(passes("watch", reserved))
        assert passed[0] == ("watch", 20.0)
        assert {at for name, at in passed if name == "tenant"} == {20.0 + HEAD_START_SECONDS}

    async def test_who_gave_up_at_the_fence_is_still_given_way_to(
        self, shares: tuple[Budget, Budget]
    ) -> None:
        tenant, reserved = shares
        tenant.raise_fence(20.0)
        with pytest.raises(TooLate):
            await reserved.enter(urgent=False, give_up_at=1005.0)
        assert tenant.wait_seconds() == 20.0 + HEAD_START_SECONDS
        assert reserved.wait_seconds() == 20.0

    async def test_where_the_watch_waits_for_nothing_nobody_gives_way(
        self, shares: tuple[Budget, Budget], clock: FrozenClock
    ) -> None:
        tenant, reserved = shares
        reserved.raise_fence(20.0)
        clock.advance(20.0 + HEAD_START_SECONDS)
        tenant.raise_fence(5.0)
        assert tenant.wait_seconds() == 5.0

    async def test_the_slots_of_the_watch_are_halved_by_its_own_throttling_alone(
        self, shares: tuple[Budget, Budget]
    ) -> None:
        tenant, reserved = shares
        tenant.raise_fence(0.0)
        for _ in range(2):
            await reserved.enter(urgent=False, give_up_at=1000.5)

    async def test_another_service_and_a_mailbox_have_fences_of_their_own(
        self, clock: FrozenClock
    ) -> None:
        budgets = Budgets(clock)
        budgets.of("dataverse", RESERVED, RESERVED_DATAVERSE_LIMITS).raise_fence(20.0)
        assert budgets.of("graph", TENANT, DATAVERSE_LIMITS).wait_seconds() == 0.0
        budgets.of("graph", "a mailbox", DATAVERSE_LIMITS).raise_fence(20.0)
        assert budgets.of("graph", TENANT, DATAVERSE_LIMITS).wait_seconds() == 0.0
        assert budgets.of("graph", "another", DATAVERSE_LIMITS).wait_seconds() == 0.0


class TestBudgets:
    async def test_which_let_nobody_pass_is_told_and_for_how_long(self, clock: FrozenClock) -> None:
        budgets = Budgets(clock)
        budgets.of("graph", "tenant", Limits(slots=1, urgent_slots=0))
        share = Limits(slots=1, urgent_slots=0, requests=1, window_seconds=60.0)
        reserved = budgets.of("dataverse", "reserved", share)
        assert budgets.closed() == {}
        await reserved.enter(urgent=False, give_up_at=clock.monotonic())
        assert list(budgets.closed()) == [("dataverse", "reserved")]
        budgets.of("dataverse", "tenant", Limits(slots=1, urgent_slots=0)).raise_fence(300.0)
        assert budgets.closed() == {
            ("dataverse", "tenant"): pytest.approx(300.0, abs=3.0),
            ("dataverse", "reserved"): pytest.approx(300.0),
        }
        clock.advance(400.0)
        assert budgets.closed() == {}

    async def test_idle_ones_are_forgotten_and_busy_ones_kept(self) -> None:
        clock = FrozenClock(AT)
        budgets = Budgets(clock)
        limits = Limits(slots=3, urgent_slots=1, requests=10)
        busy = budgets.of("graph", "busy", limits)
        await busy.enter(urgent=False, give_up_at=2000.0)
        idle = budgets.of("graph", "idle", limits)
        for number in range(5000):
            budgets.of("graph", str(number), limits)
        assert budgets.of("graph", "busy", limits) is busy
        assert budgets.of("graph", "idle", limits) is not idle


def a_budget(*, slots: int = 10, requests: int | None = None, urgent_requests: int = 0) -> Budget:
    limits = Limits(slots=slots, urgent_slots=0, requests=requests, urgent_requests=urgent_requests)
    return Budget(limits, FrozenClock(AT), jitter=lambda: 1.0)
