"""The brake: so many at once are a mistake or an attack, so nothing is done until a person looks.

Law 8. Every brake of the house is declared here by its room, counts by the same rule and says the
same four things; docs/operations.md lists them, and a test fails for one that is missing there.

    count     what is about to be done, with what was done of it within the window
    total     what the count is a share of
    window    how far back is counted; None where only what is about to be done counts
    release   whose word lets go on what a brake stopped
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from kernel.errors import Bug
from kernel.words import DocumentedWord

# Fewer are never too many; of more, a twentieth is the most.
LEAST = 20
MOST_SHARE = 0.05


class Release(DocumentedWord):
    """Whose word lets go on what a brake stopped.

    What is let go on is exactly what was stopped; whatever comes later is counted anew.
    """

    YES_WITHDRAW = "scan --apply --yes-withdraw N", "An operator's, for up to N withdrawals."
    RESUME = "mailboxes resume ID", "An operator's, for that mailbox."
    RETRY = "decisions retry ID", "An operator's, for the obligations of that decision."
    GO_ON = (
        "brakes release NAME",
        "An operator's, for everything that the brake has stopped by now; until then the "
        "approvals of all that it concerns rest.",
    )


@dataclass(frozen=True, slots=True)
class Brake:
    """What one brake counts, over which window, against which total, and who may release it.

    `stops_at_all` pulls it also when all of the total are counted, however few: a side that is
    suddenly empty. Counts and totals are numbers of things, never shares.
    """

    name: str
    counts: str
    total: str
    window: timedelta | None
    release: Release
    stops_at_all: bool = False

    def check(self, count: int, total: int) -> Braked | None:
        """Return the pulled brake when so many, of so many, are too many; else None."""
        is_all = self.stops_at_all and 0 < count == total
        return Braked(self.name, count, total) if is_all or is_too_many(count, total) else None


@dataclass(frozen=True, slots=True)
class Braked:
    """A brake that is pulled: by name, with the numbers that pulled it."""

    name: str
    count: int
    total: int


BRAKES: dict[str, Brake] = {}


def brake(
    name: str,
    *,
    counts: str,
    total: str,
    release: Release,
    window: timedelta | None = None,
    stops_at_all: bool = False,
) -> Brake:
    """Declare a brake and return it; `name` is `room.thing`, the texts name what is counted.

    Raises Bug when another brake has the name.
    """
    declared = Brake(name, counts, total, window, release, stops_at_all)
    if BRAKES.setdefault(name, declared) != declared:
        raise Bug(f"Two brakes are named `{name}`.")
    return declared


def is_too_many(count: int, total: int) -> bool:
    """Return whether so many, of so many, are more than max(20, 5 %)."""
    return count > max(LEAST, MOST_SHARE * total)
