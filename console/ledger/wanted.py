"""The options by which several verbs choose decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import click

from console.times import PastType

DECISIONS: Final = ("allow", "warn", "hold", "reject")
_OPTIONS: Final = (
    click.option("--since", type=PastType(), help="Only those since then: 2h, 7d, or a date."),
    click.option("--until", type=PastType(), help="Only those before then."),
    click.option("--decision", type=click.Choice(DECISIONS), help="Only those with this answer."),
    click.option("--actor", help="Only those by this user: a sign-in name, a name, or an id."),
    click.option("--address", help="Only those whose row had this address, before or after."),
    click.option("--table", help="Only those on this table, by logical name."),
    click.option("--record", help="Only those on the record with this id."),
    click.option("--rule", help="Only those to which this policy/rule contributed."),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of `guard.ledger.filters.DecisionFilter`, by its names."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def as_told(wanted: Mapping[str, Any]) -> dict[str, str]:
    """Return what was asked for as people and programs read it; nothing of what was not."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in wanted.items()
        if value is not None
    }
