"""The negative probe: a mailbox that none of our applications may read, and that is refused."""

from __future__ import annotations

from collections.abc import Sequence

from cloud.errors import NotThere, Refused
from console.doctor.diagnosis import Diagnosis, Severity
from console.doctor.installation import Installation, OwnApplication, Prerequisite, clients_of
from console.doctor.probe import Probe
from kernel.log import get_logger

REASON = "doctor: the canary mailbox must be refused"

log = get_logger("doctor")


class CanaryRefused(Probe):
    """No application of ours can read the canary mailbox."""

    code = "canary-refused"
    looks_at = (
        "The id of the canary's Inbox, asked once by each identity: 403 is what must come. "
        "Nothing of any mail is read, and the log says that it was asked and why."
    )
    worst = Severity.ERROR
    means = (
        "Only a refusal proves that the access to mailboxes is limited: what is granted for the "
        "canary is granted for every mailbox like it."
    )
    mend = (
        "Limit the access with what `mailbox-guard export exchange-scope` prints, and remove "
        "tenant-wide consents to Mail permissions. A change takes up to two hours to hold."
    )
    needs = frozenset({Prerequisite.GRAPH})

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Ask for the canary's Inbox with each identity."""
        canary = house.settings.canary_object_id.strip("{}").lower()
        if not canary:
            return [
                self.not_known(
                    "No canary is set, so that the limits of the access are not proved.",
                    mend="Make a mailbox that is in no group of approved mailboxes, such as one of "
                    "a room, and set MAILBOX_GUARD_CANARY_OBJECT_ID to its object id in Entra.",
                )
            ]
        return [await self._one(identity, canary) for identity in house.identities]

    async def _one(self, identity: OwnApplication, canary: str) -> Diagnosis:
        connections = clients_of(identity)
        answer = "granted"
        try:
            await connections.graph.inbox_id(canary, permit=_permitted, reason=REASON)
        except Refused as error:
            answer = "refused"
            if error.status != 403:
                answer = "unauthorized"
        except NotThere:
            answer = "not there"
        log.warning(
            "canary_asked", identity=identity.name, mailbox=canary, reason=REASON, answer=answer
        )
        about = identity.name
        match answer:
            case "granted":
                told = f"The canary {canary} can be read."
                return self.found(Severity.ERROR, told, about=about)
            case "refused":
                return self.well(f"The canary {canary} is refused.", about=about)
            case "not there":
                return self.not_known(
                    f"The canary {canary} has no mailbox, so that its refusal proves nothing.",
                    about=about,
                    mend="Set MAILBOX_GUARD_CANARY_OBJECT_ID to an object that has a mailbox.",
                )
        return self.not_known("The token was refused, which proves nothing.", about=about)


async def _permitted() -> None:
    """Permit the one access that is there to be refused; no approval stands behind it."""
