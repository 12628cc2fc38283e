"""Refusing what is held. It only takes away, so that it asks for less than releasing does."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from guard.errors import HoldEnded, ReleaseRefused
from guard.holds.showing import find_hold, show_hold
from guard.ledger import holds
from guard.ledger.parked import WAITING, Hold
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import InputRefused
from kernel.failpoints import failpoint
from kernel.log import get_logger
from kernel.principal import AppRole, Principal, Proof

REFUSED = failpoint("guard.hold-refused", "A person refuses what is held.")
MOST_REASON = 1000
log = get_logger("guard")


async def refuse(
    database: Database, clock: Clock, hold_id: str, principal: Principal, *, reason: str
) -> dict[str, Any]:
    """Refuse a hold, also one that was released and not used yet; return it as `show_hold` does.

    An operator or an approver may, and whoever is on this machine. Raises ReleaseRefused for
    anybody else, HoldEnded, HoldUnknown, HoldAmbiguous.
    """
    why = written(reason)
    if not may_refuse(principal):
        raise ReleaseRefused(
            f"{principal.name} may not refuse what is held.",
            hint=f"Ask for the role {AppRole.OPERATOR.value} or {AppRole.APPROVER.value}.",
        )
    now = clock.now()

    def write(connection: Connection) -> dict[str, Any]:
        hold = find_hold(connection, hold_id)
        if hold.state_at(now) not in WAITING:
            raise ended(hold, hold.state_at(now).doc)
        holds.refuse(
            connection,
            hold.id,
            name=principal.name,
            object_id=principal.object_id,
            reason=why,
            now=now,
        )
        return show_hold(connection, hold.id, now=now)

    shown = await database.write(write, failpoint=REFUSED)
    log.info("hold_refused", hold_id=shown["id"], record_id=shown["record_id"])
    return shown


def may_refuse(principal: Principal) -> bool:
    """Return whether somebody may refuse what is held."""
    if principal.proof is not Proof.ENTRA:
        return True
    return principal.has(AppRole.OPERATOR) or principal.has(AppRole.APPROVER)


def written(given: str) -> str:
    """Return a reason without blanks around it. Raises InputRefused for one that says nothing."""
    words = " ".join(given.split())
    if not words or len(words) > MOST_REASON or not words.isprintable():
        raise InputRefused(
            f"The reason must be a text of at most {MOST_REASON} letters.",
            hint="Say why in a few words; it is recorded.",
        )
    return words


def ended(hold: Hold, told: str) -> HoldEnded:
    """Return the error for a hold that nobody can decide any more."""
    return HoldEnded(
        f"The hold {hold.id} has ended: {told}",
        hint="If the change is still wanted, it is made once more; that parks it anew.",
        hold_id=hold.id,
    )
