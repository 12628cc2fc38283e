"""A whole sync on twins, on both databases."""

from __future__ import annotations

import pytest

from kernel.clock import FrozenClock
from kernel.database import Database
from tests.sync.builders import World


@pytest.fixture
def world(database: Database, clock: FrozenClock) -> World:
    return World(database, clock)
