"""What a simulation found: decisions from which answer to which, and by which rules."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

MOST_SAMPLES: Final = 3


@dataclass(slots=True)
class Cell:
    """How many decisions went from one outcome to another, with a few of them."""

    count: int = 0
    samples: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Shift:
    """In how many differing decisions a rule contributes now and did not, or the other way."""

    now: int = 0
    no_longer: int = 0


@dataclass(slots=True)
class Tally:
    """What a simulation found so far; it can be written down and taken up again.

    `confirmations` are records without a judgement of their own: the decision that they confirm
    is replayed. `cells` is keyed "old -> new"; `other_rules` counts the same outcome made by
    other rules.
    """

    replayed: int = 0
    differing: int = 0
    other_rules: int = 0
    evaluated: int = 0
    confirmations: int = 0
    unreplayable: dict[str, Cell] = field(default_factory=dict)
    cells: dict[str, Cell] = field(default_factory=dict)
    rules: dict[str, Shift] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the tally as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, stated: dict[str, Any]) -> Tally:
        """Return the tally that `as_json` wrote down."""
        cells = {key: Cell(**one) for key, one in stated["cells"].items()}
        unreplayable = {key: Cell(**one) for key, one in stated["unreplayable"].items()}
        rules = {key: Shift(**one) for key, one in stated["rules"].items()}
        return cls(**{**stated, "cells": cells, "unreplayable": unreplayable, "rules": rules})


def count_in(cells: dict[str, Cell], key: str, sample: dict[str, Any]) -> None:
    """Count one more in a cell, and keep it as a sample while there are few."""
    cell = cells.setdefault(key, Cell())
    cell.count += 1
    if len(cell.samples) < MOST_SAMPLES:
        cell.samples.append(sample)
