"""The brake: what pulls it, and that every brake of the house says what it counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from kernel.brake import BRAKES, Braked, Release, brake, is_too_many
from kernel.errors import Bug


@pytest.fixture
def own() -> Iterator[None]:
    """Let a test declare brakes that nobody else finds."""
    before = dict(BRAKES)
    yield
    BRAKES.clear()
    BRAKES.update(before)


def test_the_brake_is_twenty_or_a_twentieth_whichever_is_more() -> None:
    assert not is_too_many(20, 30)
    assert is_too_many(21, 30)
    assert not is_too_many(50, 1000)
    assert is_too_many(51, 1000)


@pytest.mark.usefixtures("own")
class TestADeclaredBrake:
    def test_tells_the_numbers_that_pulled_it(self) -> None:
        found = brake("tests.one", counts="things", total="all", release=Release.RESUME)
        assert found.check(20, 30) is None
        assert found.check(21, 30) == Braked("tests.one", 21, 30)

    def test_is_not_pulled_by_all_of_a_few_unless_it_says_so(self) -> None:
        found = brake("tests.few", counts="things", total="all", release=Release.RESUME)
        assert found.check(3, 3) is None

    def test_of_a_side_is_pulled_by_its_sudden_emptiness(self) -> None:
        found = brake(
            "tests.side", counts="things", total="all", release=Release.RESUME, stops_at_all=True
        )
        assert found.check(3, 3) == Braked("tests.side", 3, 3)
        assert found.check(2, 3) is None
        assert found.check(0, 0) is None

    def test_may_be_declared_again_alike_and_not_otherwise(self) -> None:
        def declare(seconds: int) -> None:
            brake(
                "tests.two",
                counts="things",
                total="all",
                release=Release.GO_ON,
                window=timedelta(seconds=seconds),
            )

        declare(60)
        declare(60)
        with pytest.raises(Bug):
            declare(61)
