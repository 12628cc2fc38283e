"""What pages read from and act with: the live parts of the process that shows them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from console.gauges import Gauges
from console.metrics import Figure
from console.web.kept import Kept
from guard.obligations.obligation import Means
from kernel.clock import Clock
from kernel.database import Database
from kernel.settings import Settings
from rules.engine.policy_set import PolicySet


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts. `state` answers as `/readyz` does; `anchor` writes a word down outside.

    `kept` is what all visits share for a moment. `means` are what obligations are carried out
    with; None where there is no guard, as in tests.
    """

    settings: Settings
    database: Database
    clock: Clock
    policies: Callable[[], PolicySet]
    state: Callable[[], Awaitable[dict[str, Any]]]
    gauges: Callable[[], Awaitable[Gauges]]
    anchor: Callable[[], Awaitable[None]]
    kept: Kept
    figures: Callable[[], list[Figure]] = list
    means: Means | None = None
