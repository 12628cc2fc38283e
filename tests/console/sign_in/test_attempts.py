"""Whoever tries too often waits; nobody waits for somebody else."""

from __future__ import annotations

import pytest

from console.sign_in.attempts import AT_ONCE, Attempts
from console.sign_in.refusals import TooManyAttempts
from kernel.clock import FrozenClock


def test_so_many_and_no_more(clock: FrozenClock) -> None:
    attempts = Attempts(clock)
    for _ in range(AT_ONCE):
        attempts.spend("one")
    with pytest.raises(TooManyAttempts):
        attempts.spend("one")
    attempts.spend("another")
    clock.advance(2)
    attempts.spend("one")
    with pytest.raises(TooManyAttempts):
        attempts.spend("one")


def test_callers_without_end_are_not_remembered(clock: FrozenClock) -> None:
    attempts = Attempts(clock)
    for number in range(5000):
        attempts.spend(str(number))
    assert len(attempts._left) <= 1000


def test_a_whole_office_signs_in_together(clock: FrozenClock) -> None:
    attempts = Attempts(clock, at_once=3, per_second=1)
    for _ in range(3):
        attempts.spend("proxy")
    with pytest.raises(TooManyAttempts):
        attempts.spend("proxy")
    clock.advance(1)
    attempts.spend("proxy")
